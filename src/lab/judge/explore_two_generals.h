/* The property of two generals for the explorer. A request that carries b (its number, or config.value_first) is a plan
 * with at most b + 1 messages. */
#ifndef LOCKSTEP_LAB_EXPLORE_TWO_GENERALS_H
#define LOCKSTEP_LAB_EXPLORE_TWO_GENERALS_H

#include "host/explore/explore.h"

extern const struct explore_property explore_two_generals_property;

#endif
