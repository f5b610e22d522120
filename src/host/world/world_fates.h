/* What is planned for single messages, found by link and number: a hash table. */
#ifndef LOCKSTEP_HOST_WORLD_FATES_H
#define LOCKSTEP_HOST_WORLD_FATES_H

#include <stdint.h>

#include "base/heap.h"
#include "host/world/world_plan.h"

struct fates {
    struct plan items;
    uint32_t *slots; /* place among the items + 1; 0: free. NULL: there are no fates */
    uint64_t mask;
};

/* An empty table, whose memory comes from the heap. */
void fates_init(struct fates *fates, struct heap *heap);
void fates_free(struct fates *fates);
/* Adds a fate (plan_kind_is_fate); of two for one message the first counts. */
void fates_add(struct fates *fates, const struct plan_item *item);

/* The fate of the number-th message (from 1) between two nodes (ids). NULL: it has none. */
const struct plan_item *fates_find(const struct fates *fates, uint32_t node, uint32_t other, uint64_t number);

#endif
