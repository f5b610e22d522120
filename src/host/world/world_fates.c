/* Fates of messages: open addressing with linear probing, at most half full. */
#include "host/world/world_fates.h"

#include "base/hash.h"
#include "base/panic.h"

enum { SLOTS_FIRST = 64 };

void fates_init(struct fates *fates, struct heap *heap)
{
    *fates = (struct fates){0};
    plan_init(&fates->items, heap);
}

void fates_free(struct fates *fates)
{
    heap_free(fates->items.heap, fates->slots);
    plan_free(&fates->items);
    fates->slots = NULL;
}

/* The slot where the message is, or where it would be. */
static uint64_t slot_of(const struct fates *fates, uint32_t node, uint32_t other, uint64_t number)
{
    uint64_t slot = hash_mix((uint64_t)node << 32 | other, number) & fates->mask;
    for (; fates->slots[slot] != 0; slot = (slot + 1) & fates->mask) {
        const struct plan_item *item = &fates->items.items[fates->slots[slot] - 1];
        if (item->node == node && item->other == other && item->number == number)
            break;
    }
    return slot;
}

static void grow(struct fates *fates)
{
    uint64_t size = fates->slots != NULL ? 2 * (fates->mask + 1) : SLOTS_FIRST;
    heap_free(fates->items.heap, fates->slots);
    fates->slots = heap_alloc_zero(fates->items.heap, size * sizeof *fates->slots);
    invariant(fates->slots != NULL, "the world's region has room for the fates of its messages");
    fates->mask = size - 1;
    for (uint32_t i = 0; i < fates->items.count; i++) {
        const struct plan_item *item = &fates->items.items[i];
        fates->slots[slot_of(fates, item->node, item->other, item->number)] = i + 1;
    }
}

void fates_add(struct fates *fates, const struct plan_item *item)
{
    if (fates->slots == NULL || 2 * ((uint64_t)fates->items.count + 1) > fates->mask)
        grow(fates);
    uint64_t slot = slot_of(fates, item->node, item->other, item->number);
    if (fates->slots[slot] != 0)
        return;
    plan_add(&fates->items, item);
    fates->slots[slot] = fates->items.count;
}

const struct plan_item *fates_find(const struct fates *fates, uint32_t node, uint32_t other, uint64_t number)
{
    if (fates->slots == NULL)
        return NULL;
    uint64_t slot = slot_of(fates, node, other, number);
    return fates->slots[slot] != 0 ? &fates->items.items[fates->slots[slot] - 1] : NULL;
}
