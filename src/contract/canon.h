/* The canonical state of a member: what it will do from now on, and nothing else.
 *
 * The explorer recognises states by these bytes. Two states of a member with the same canonical bytes must answer every
 * sequence of events with the same effects, up to times, incarnations and counters: so a protocol writes everything
 * that it decides by, and leaves out times, the generator, statistics, and what serves speed only. The explorer tests
 * that (`--audit`).
 *
 * Members that play the same part are interchangeable, so the explorer asks for the state under a renaming of nodes:
 * ids of nodes are written with canon_node, and lists that are indexed by members in the order that canon_place gives. */
#ifndef LOCKSTEP_CONTRACT_CANON_H
#define LOCKSTEP_CONTRACT_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

struct canon {
    uint8_t *bytes;
    size_t size, capacity;
    bool overflow;           /* it did not fit: the explorer stops with an error */
    uint32_t member_count;
    const uint32_t *places;  /* places[i]: today's place of the member that is called i-th now */
    const uint32_t *members; /* node ids by place, as in the specification */
    /* The number of the client's requests in a bundle: the explorer made them and knows them, whoever took them. */
    void *context;
    uint64_t (*bundle)(void *context, const struct canon *canon, struct span bundle);
    /* Writes what the member stored at a position, without the position: two logs may hold the same elsewhere. */
    void (*record)(void *context, struct canon *out, uint64_t position);
    uint64_t written; /* position of the last record that the member wrote; 0: none */
};

static inline void canon_bytes(struct canon *out, const void *data, size_t size)
{
    if (size > out->capacity - out->size) {
        out->overflow = true;
        return;
    }
    if (size > 0)
        memcpy(out->bytes + out->size, data, size);
    out->size += size;
}

static inline void canon_u64(struct canon *out, uint64_t value)
{
    uint8_t bytes[8];
    store_u64(bytes, value);
    canon_bytes(out, bytes, sizeof bytes);
}

static inline void canon_u8(struct canon *out, uint8_t value)
{
    canon_bytes(out, &value, 1);
}

/* Today's place of the member that is called i-th under the renaming: write lists by member in this order. */
static inline uint32_t canon_place(const struct canon *out, uint32_t i)
{
    return out->places[i];
}

/* The node's new name: 1 + its new place; 0 (nobody) and strangers as they are, apart from members. */
static inline uint64_t canon_node_name(const struct canon *out, uint32_t node)
{
    for (uint32_t i = 0; i < out->member_count; i++)
        if (out->members[out->places[i]] == node)
            return i + 1;
    return node == 0 ? 0 : UINT64_C(1) << 32 | node;
}

static inline void canon_node(struct canon *out, uint32_t node)
{
    canon_u64(out, canon_node_name(out, node));
}

static inline void canon_bundle(struct canon *out, struct span bundle)
{
    canon_u64(out, out->bundle(out->context, out, bundle));
}

/* The content of the stored record at this position; for position 0 that there is none. */
static inline void canon_record(struct canon *out, uint64_t position)
{
    canon_u8(out, position != 0);
    if (position != 0)
        out->record(out->context, out, position);
}

/* Will what is stored next follow the record at this position at once? Records that follow one another can go in one
 * message, so this decides how a leader sends them. */
static inline void canon_last_written(struct canon *out, uint64_t position)
{
    canon_u8(out, position != 0 && position == out->written);
}

/* Positions only ever matter by what is still missing: 0 when it is on disk, else how many records are written before
 * it, itself included, that are not. */
static inline void canon_position(struct canon *out, uint64_t position, uint64_t stored)
{
    canon_u64(out, position > stored ? position - stored : 0);
}

#endif
