/* The bound of the healed phase, in steps: something must be executed within LIVENESS_STEPS_A_NODE_MAX steps a node
 * after the first request that is made once everything has healed (liveness.h). */
#ifndef LOCKSTEP_LAB_LIVENESS_WATCH_H
#define LOCKSTEP_LAB_LIVENESS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "host/world/world.h"

struct liveness_watch {
    struct world *const *made;  /* the run under way */
    uint32_t client_count;
    uint64_t asked_before;      /* requests until everything healed, */
    bool healed, asked, executed;
    uint64_t steps_max;
    uint64_t steps;             /* from the first request of the healed phase until something was executed */
};

/* The watch to run with; `watch` must live as long as the run. */
struct world_watch liveness_watch_begin(struct liveness_watch *watch, struct world *const *made, uint32_t node_count,
                                        uint32_t client_count);

#endif
