/* The property of two generals for the explorer. Requests of an exploration are numbered from 0, and the one with
 * number b is a plan with at most b + 1 messages. */
#ifndef LOCKSTEP_LAB_EXPLORE_TWO_GENERALS_H
#define LOCKSTEP_LAB_EXPLORE_TWO_GENERALS_H

#include "host/explore/explore.h"

enum { EXPLORE_TWO_GENERALS_BOUNDS = 4 };

extern const struct explore_property explore_two_generals_property;
/* The same, of plans with bound 1, 2, … only. */
extern const struct explore_property explore_two_generals_bounds[EXPLORE_TWO_GENERALS_BOUNDS];

#endif
