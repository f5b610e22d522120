/* Two who watch one run: both are told everything, in this order; the first broken property counts. */
#ifndef LOCKSTEP_LAB_WATCH_PAIR_H
#define LOCKSTEP_LAB_WATCH_PAIR_H

#include "host/world/world.h"

struct watch_pair {
    struct world_watch watches[2];
};

/* The watch that tells both; the pair must outlive it. */
struct world_watch watch_pair(struct watch_pair *pair, const struct world_watch *first,
                              const struct world_watch *second);

#endif
