/* The index of deadlines: which key expires next.
 *
 * A heap with four children a node (Johnson, "Priority queues with update and finding minimum spanning trees",
 * Information Processing Letters 1975), in the total order (deadline, hash, key), so that the order in which keys
 * come out is a function of what is in it, not of its history. Each entry knows its place, so it can be taken out when
 * it is overwritten. Nodes lie in chunks, so growth never moves more than a small directory. */
#ifndef LOCKSTEP_SERVICE_KV_DEADLINE_H
#define LOCKSTEP_SERVICE_KV_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "service/kv/kv_entry.h"

struct deadline {
    int64_t at_ms;
    uint64_t hash;
    struct entry *entry;
};

struct deadlines {
    struct heap *heap;
    struct deadline **chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t count;
};

/* Empty; allocates nothing yet. */
void kv_deadlines_init(struct deadlines *deadlines, struct heap *heap);

/* Makes room for one more, so that the next add cannot fail. False when the heap is full. */
bool kv_deadlines_reserve(struct deadlines *deadlines);

/* Adds an entry, after a reserve; the entry's field gets deadline and place. */
void kv_deadlines_add(struct deadlines *deadlines, int64_t at_ms, uint64_t hash, struct entry *entry);

/* Takes an entry out; its field says KV_NEVER afterwards. */
void kv_deadlines_remove(struct deadlines *deadlines, struct entry *entry);

/* Changes the deadline of an entry. */
void kv_deadlines_move(struct deadlines *deadlines, struct entry *entry, int64_t at_ms);

/* Says that the block of an entry has moved to `entry`, whose field is a copy of the old one. */
void kv_deadlines_rehome(struct deadlines *deadlines, struct entry *entry);

/* The one that expires first, or NULL. */
const struct deadline *kv_deadlines_first(const struct deadlines *deadlines);

/* Forgets all nodes at once; their memory goes with later trims. */
void kv_deadlines_clear(struct deadlines *deadlines);

/* Gives back some of the memory that is no longer needed, a bounded piece. */
void kv_deadlines_trim(struct deadlines *deadlines);

/* Stops the process when an invariant does not hold. For tests. */
void kv_deadlines_check(const struct deadlines *deadlines);

#endif
