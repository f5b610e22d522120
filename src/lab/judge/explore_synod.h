/* The property of single-decree Paxos for the explorer, and what is explored of it when nothing else is said: two
 * proposals among three members. */
#ifndef LOCKSTEP_LAB_EXPLORE_SYNOD_H
#define LOCKSTEP_LAB_EXPLORE_SYNOD_H

#include "host/explore/explore.h"

extern const struct explore_property explore_synod_property;

/* Fills in the kinds of timers; returns how many. */
uint32_t explore_synod_timers(struct explore_timer *out);
void explore_synod_usual(struct explore_config *out);

#endif
