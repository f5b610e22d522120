/* Interned byte strings: each different one has a small number, so that comparing is comparing numbers.
 *
 * Ids count from 0 in the order of first appearance. Memory comes from a heap and is kept by intern_clear(). */
#ifndef LOCKSTEP_LAB_INTERN_H
#define LOCKSTEP_LAB_INTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/heap.h"

/* No id. */
#define INTERN_NONE UINT32_MAX

struct intern_entry {
    uint64_t hash;
    uint64_t offset; /* in `bytes` */
    uint32_t size;
    bool integer;   /* its text is that of an integer, */
    int64_t number; /* namely this one */
};

struct intern {
    struct heap *heap; /* borrowed */
    struct buffer bytes, joined;
    struct intern_entry *entries;
    uint32_t count, capacity;
    uint32_t *slots;     /* id + 1, or 0; open addressing */
    uint32_t slot_count; /* a power of two, or 0 */
};

/* Empty; allocates nothing yet. */
void intern_init(struct intern *intern, struct heap *heap);
void intern_free(struct intern *intern);
/* Forgets all strings and keeps the memory. */
void intern_clear(struct intern *intern);

/* The id of these bytes, which are copied when they are new; INTERN_NONE when the heap is full. */
uint32_t intern_id(struct intern *intern, struct span bytes);
/* The id of the decimal text of a number. */
uint32_t intern_integer(struct intern *intern, int64_t number);
/* The id of these two strings one after the other. */
uint32_t intern_joined(struct intern *intern, uint32_t first, uint32_t second);

/* The bytes of an id, borrowed until the next string is added. */
static inline struct span intern_span(const struct intern *intern, uint32_t id)
{
    const struct intern_entry *entry = &intern->entries[id];
    if (entry->size == 0)
        return (struct span){0};
    return span_of(intern->bytes.data + entry->offset, entry->size);
}

#endif
