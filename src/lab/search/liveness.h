/* Liveness: what a stall is, and since when it could not be avoided any more.
 *
 * A run has a healed phase, in which nothing fails. There, within LIVENESS_STEPS_A_NODE_MAX steps of members for each
 * node, some command must be executed (where the protocol orders commands at all), and by its end every client must
 * have got a write through and all members must have come to the same state. Else the run violates PROGRESS: a stall.
 *
 * Where did it go wrong? Had everything healed earlier, the run would have gone well up to some instant, and badly from
 * then on: what happened at that instant made the stall inevitable. It is found by running the same seed again with
 * other times of healing, and bisecting: a run up to time t is the same in all of them. As a property of states, "the
 * stall is inevitable" is stable in theory; if it were not in some run, bisecting would still find one instant before
 * which healing helps and after which it does not. (Liveness as what must happen eventually: Alpern and Schneider,
 * "Defining liveness", IPL 21, 1985; bisecting for the critical transition of a dead execution: Killian and others,
 * "Life, Death, and the Critical Transition", NSDI 2007.) */
#ifndef LOCKSTEP_LAB_LIVENESS_H
#define LOCKSTEP_LAB_LIVENESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "host/world/world.h"

/* For each node; more than ten times what the slowest of hundreds of sound runs needed (docs/laboratory.md). */
enum { LIVENESS_STEPS_A_NODE_MAX = 1000 };

struct liveness_cause {
    bool from_start;   /* it stalls even when nothing ever fails: no transition is to blame */
    uint64_t step;     /* the transition is the step-th of the run, from 1; 0: no member was stepped at that instant */
    int64_t at_ns;     /* virtual time */
    uint32_t node;     /* who was stepped, or whom the fault struck; 0: nobody in particular */
    char event[200];   /* what it was given, or the fault's description */
    int64_t healed_ns; /* when it healed in the run that stalled */
    uint64_t runs;     /* that this took */
};

/* Bisects the run of world->seed, which violates PROGRESS. 0, or a negative error with a sentence in `why`:
 * ERROR_NOT_FOUND when it does not, ERROR_CLOSED when it was stopped. */
int liveness_find(const struct world_options *world, const volatile sig_atomic_t *stop, struct liveness_cause *out,
                  char *why, size_t why_size);

#endif
