/* Segments of the table of keys: sorted slots (kv_table.h). For kv_table.c and kv_segment.c only. */
#ifndef LOCKSTEP_SERVICE_KV_SEGMENT_H
#define LOCKSTEP_SERVICE_KV_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "service/kv/kv_entry.h"
#include "service/kv/kv_table.h"

enum {
    SEGMENT_BITS = 9,
    SEGMENT_SLOTS = 1 << SEGMENT_BITS, /* home slots */
    SEGMENT_SPARE = 32,                /* slots behind them for what is displaced */
    SEGMENT_FULL = SEGMENT_SLOTS * 4 / 5,
    SEGMENT_SPARSE = SEGMENT_SLOTS * 3 / 10, /* two neighbours with at most that many become one */
    SLOT_PLACE_BITS = 42,
    TAG_BITS = 64 - SLOT_PLACE_BITS,
    DEPTH_MAX = 40,
};

/* A slot is 0 when empty, else tag << 42 | place of the entry in the heap / 16. The tag is the 22 bits of the hash
 * behind the segment's own prefix, so tags order the entries of a segment, up to ties. */
struct segment {
    uint32_t count;
    uint32_t capacity; /* slots; one more, always empty, stands behind them */
    uint32_t depth;    /* bits of the hash that all its entries share */
    uint32_t unused;
    uint64_t slots[];
};

/* An entry with its whole hash, when segments are built anew. */
struct hashed {
    uint64_t hash;
    uint64_t place;
};

static inline uint64_t place_of(const struct heap *heap, const void *block)
{
    return (uint64_t)((const uint8_t *)block - (const uint8_t *)heap) / HEAP_ALIGNMENT;
}

static inline void *block_at(const struct heap *heap, uint64_t place)
{
    return (uint8_t *)(uintptr_t)heap + place * HEAP_ALIGNMENT;
}

static inline struct entry *slot_entry(const struct heap *heap, uint64_t slot)
{
    return block_at(heap, slot & ((UINT64_C(1) << SLOT_PLACE_BITS) - 1));
}

static inline uint64_t slot_tag(uint64_t slot)
{
    return slot >> SLOT_PLACE_BITS;
}

static inline uint64_t tag_of(uint64_t hash, uint32_t depth)
{
    return hash << depth >> SLOT_PLACE_BITS;
}

static inline uint64_t slot_of(uint64_t hash, uint32_t depth, uint64_t place)
{
    return tag_of(hash, depth) << SLOT_PLACE_BITS | place;
}

static inline uint32_t tag_home(uint64_t tag)
{
    return (uint32_t)(tag >> (TAG_BITS - SEGMENT_BITS));
}

/* An empty segment of normal capacity, or NULL. */
struct segment *kv_segment_create(struct heap *heap, uint32_t depth);

/* A segment with these entries, which are in order and share `depth` bits, and with room for at least one more. NULL
 * when the heap is full. */
struct segment *kv_segment_build(struct heap *heap, const struct hashed *list, uint32_t count, uint32_t depth);

/* Writes the segment's entries in order, with their hashes, to `list` (segment->count of them). */
void kv_segment_list(const struct table *table, const struct segment *segment, struct hashed *list);

/* Puts an entry in its order. False when there is no slot for it. */
bool kv_segment_insert(const struct table *table, struct segment *segment, uint64_t hash, const struct entry *entry);

/* Slot of the entry with that key; UINT32_MAX when it is not there. */
uint32_t kv_segment_find(const struct table *table, const struct segment *segment, uint64_t hash, struct span key);

/* Slot of that entry, which must be there. */
uint32_t kv_segment_slot_of(const struct table *table, const struct segment *segment, uint64_t hash,
                            const struct entry *entry);

/* Takes out the entry of a slot. */
void kv_segment_remove(struct segment *segment, uint32_t slot);

/* First slot whose entry's hash is at least `hash`; capacity when there is none. */
uint32_t kv_segment_seek(const struct table *table, const struct segment *segment, uint64_t hash);

void kv_segment_check(const struct table *table, const struct segment *segment, uint64_t prefix);

#endif
