/* Interned byte strings: a table of entries in the order of appearance, and open addressing with linear probes over
 * their numbers. At most half of the slots are in use. Strings come from our own runs, so a fixed key of the hash will
 * do. */
#include "lab/history/intern.h"

#include <string.h>

#include "base/hash.h"
#include "base/number.h"

enum {
    SLOTS_MIN = 256,
    ENTRIES_MIN = 128,
};

static const uint64_t HASH_KEY[2] = {UINT64_C(0x6c6f636b73746570), UINT64_C(0x686973746f727921)};

void intern_init(struct intern *intern, struct heap *heap)
{
    *intern = (struct intern){.heap = heap};
    buffer_init(&intern->bytes, heap);
    buffer_init(&intern->joined, heap);
}

void intern_free(struct intern *intern)
{
    heap_free(intern->heap, intern->entries);
    heap_free(intern->heap, intern->slots);
    buffer_free(&intern->bytes);
    buffer_free(&intern->joined);
    intern_init(intern, intern->heap);
}

void intern_clear(struct intern *intern)
{
    /* Few strings in a table that an earlier history made large: cheaper to take out one by one. */
    if (intern->count < intern->slot_count / 8)
        for (uint32_t id = 0; id < intern->count; id++) {
            uint32_t slot = (uint32_t)intern->entries[id].hash & (intern->slot_count - 1);
            while (intern->slots[slot] != id + 1)
                slot = (slot + 1) & (intern->slot_count - 1);
            /* Entries leave in the order in which they came, so whoever was placed behind this one is still found:
             * its own walk below stops at its number, not at an empty slot. */
            intern->slots[slot] = 0;
        }
    else if (intern->slot_count > 0)
        memset(intern->slots, 0, intern->slot_count * sizeof *intern->slots);
    intern->count = 0;
    buffer_clear(&intern->bytes);
}

/* The slot that holds these bytes, or the empty one where they belong. */
static uint32_t slot_find(const struct intern *intern, uint64_t hash, struct span bytes)
{
    uint32_t mask = intern->slot_count - 1;
    uint32_t slot = (uint32_t)hash & mask;
    while (intern->slots[slot] != 0) {
        const struct intern_entry *entry = &intern->entries[intern->slots[slot] - 1];
        if (entry->hash == hash && span_equal(intern_span(intern, intern->slots[slot] - 1), bytes))
            break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

static bool slots_grow(struct intern *intern)
{
    uint32_t slot_count = intern->slot_count == 0 ? SLOTS_MIN : intern->slot_count * 2;
    if (slot_count == 0)
        return false;
    uint32_t *slots = heap_alloc_zero(intern->heap, slot_count * sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t id = 0; id < intern->count; id++) {
        uint32_t slot = (uint32_t)intern->entries[id].hash & (slot_count - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = id + 1;
    }
    heap_free(intern->heap, intern->slots);
    intern->slots = slots;
    intern->slot_count = slot_count;
    return true;
}

static bool entries_grow(struct intern *intern)
{
    uint32_t capacity = intern->capacity == 0 ? ENTRIES_MIN : intern->capacity * 2;
    struct intern_entry *entries = heap_resize(intern->heap, intern->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    intern->entries = entries;
    intern->capacity = capacity;
    return true;
}

uint32_t intern_id(struct intern *intern, struct span bytes)
{
    if (bytes.size > UINT32_MAX)
        return INTERN_NONE;
    if (intern->count + 1 > intern->slot_count / 2 && !slots_grow(intern))
        return INTERN_NONE;
    uint64_t hash = hash_keyed(HASH_KEY, bytes.data, bytes.size);
    uint32_t slot = slot_find(intern, hash, bytes);
    if (intern->slots[slot] != 0)
        return intern->slots[slot] - 1;
    if (intern->count == intern->capacity && !entries_grow(intern))
        return INTERN_NONE;
    uint64_t offset = intern->bytes.size;
    if (!buffer_append(&intern->bytes, bytes.data, bytes.size))
        return INTERN_NONE;
    uint32_t id = intern->count++;
    struct intern_entry *entry = &intern->entries[id];
    *entry = (struct intern_entry){.hash = hash, .offset = offset, .size = (uint32_t)bytes.size};
    entry->integer = bytes.size < NUMBER_INTEGER_SIZE_MAX && number_parse_i64(bytes, &entry->number);
    intern->slots[slot] = id + 1;
    return id;
}

uint32_t intern_integer(struct intern *intern, int64_t number)
{
    char text[NUMBER_INTEGER_SIZE_MAX];
    return intern_id(intern, span_of(text, number_print_i64(text, number)));
}

uint32_t intern_joined(struct intern *intern, uint32_t first, uint32_t second)
{
    struct span a = intern_span(intern, first), b = intern_span(intern, second);
    buffer_clear(&intern->joined);
    if (!buffer_append(&intern->joined, a.data, a.size) || !buffer_append(&intern->joined, b.data, b.size))
        return INTERN_NONE;
    return intern_id(intern, buffer_span(&intern->joined));
}
