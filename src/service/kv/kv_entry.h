/* One key with its value, in one block of the heap.
 *
 *     struct entry | [struct deadline_field] | key | value
 *
 * The deadline's field exists only where the block was made with one: for a key that expires, and for every value of
 * at least ENTRY_LARGE bytes, so that setting an expiry never copies a large value. A field that says KV_NEVER is the
 * same as none. Everything here is layout; what a key means (its value, version and deadline) does not depend on it. */
#ifndef LOCKSTEP_SERVICE_KV_ENTRY_H
#define LOCKSTEP_SERVICE_KV_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define KV_NEVER INT64_MAX

struct deadline_field {
    int64_t at_ms;  /* wall time at which the key is gone; KV_NEVER: it stays */
    uint32_t place; /* in the index of deadlines, when at_ms is not KV_NEVER */
    uint32_t unused;
};

struct entry {
    uint64_t version; /* index of the command that changed it last */
    uint32_t key_size;
    uint32_t value_size_and_flag;
    uint8_t bytes[];
};

#define ENTRY_FLAG_FIELD (UINT32_C(1) << 31)

enum {
    ENTRY_LARGE = 512,                /* bytes of a value from which on a block always has the field */
    ENTRY_VALUE_SIZE_MAX = 512 << 20, /* Redis' proto-max-bulk-len */
};

_Static_assert(sizeof(struct entry) == 16 && sizeof(struct deadline_field) == 16, "headers of an entry");

static inline bool entry_has_field(const struct entry *entry)
{
    return (entry->value_size_and_flag & ENTRY_FLAG_FIELD) != 0;
}

static inline uint32_t entry_value_size(const struct entry *entry)
{
    return entry->value_size_and_flag & ~ENTRY_FLAG_FIELD;
}

/* Only for an entry that has one. */
static inline struct deadline_field *entry_field(struct entry *entry)
{
    return (struct deadline_field *)(void *)entry->bytes;
}

static inline size_t entry_key_offset(const struct entry *entry)
{
    return entry_has_field(entry) ? sizeof(struct deadline_field) : 0;
}

static inline struct span entry_key(const struct entry *entry)
{
    return span_of(entry->bytes + entry_key_offset(entry), entry->key_size);
}

static inline uint8_t *entry_value_bytes(struct entry *entry)
{
    return entry->bytes + entry_key_offset(entry) + entry->key_size;
}

static inline struct span entry_value(const struct entry *entry)
{
    return span_of(entry->bytes + entry_key_offset(entry) + entry->key_size, entry_value_size(entry));
}

/* KV_NEVER when it does not expire. */
static inline int64_t entry_deadline_ms(const struct entry *entry)
{
    if (!entry_has_field(entry))
        return KV_NEVER;
    return ((const struct deadline_field *)(const void *)entry->bytes)->at_ms;
}

/* Bytes of a block. */
static inline size_t entry_block_size(size_t key_size, size_t value_size, bool field)
{
    return sizeof(struct entry) + (field ? sizeof(struct deadline_field) : 0) + key_size + value_size;
}

/* What an entry counts for in the logical accounting: at least what it can take of the heap, with its slot in the
 * table and its node in the index of deadlines, but for the rounding of the heap's size classes. */
static inline uint64_t entry_charge(size_t key_size, size_t value_size, int64_t deadline_ms)
{
    return 80 + (deadline_ms == KV_NEVER ? 0u : 48u) + (uint64_t)key_size + value_size;
}

#endif
