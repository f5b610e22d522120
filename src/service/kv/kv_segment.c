/* Segments of the table of keys.
 *
 * Invariants, which kv_segment_check states: slots are sorted by (hash, key); an entry stands at or behind its home
 * slot; no slot between the two is empty; the slot at `capacity` is empty, so every probe ends. An insertion moves the
 * rest of its run up by one, a removal moves it down as far as the homes allow. */
#include "service/kv/kv_segment.h"

#include "base/panic.h"

static struct segment *segment_alloc(struct heap *heap, uint32_t capacity, uint32_t depth)
{
    size_t size = sizeof(struct segment) + ((size_t)capacity + 1) * sizeof(uint64_t);
    struct segment *segment = heap_alloc(heap, size);
    if (segment == NULL)
        return NULL;
    memset(segment, 0, size);
    segment->capacity = capacity;
    segment->depth = depth;
    return segment;
}

struct segment *kv_segment_create(struct heap *heap, uint32_t depth)
{
    return segment_alloc(heap, SEGMENT_SLOTS + SEGMENT_SPARE, depth);
}

struct segment *kv_segment_build(struct heap *heap, const struct hashed *list, uint32_t count, uint32_t depth)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t home = tag_home(tag_of(list[i].hash, depth));
        end = (home > end ? home : end) + 1;
    }
    uint32_t capacity = (end > SEGMENT_SLOTS ? end : SEGMENT_SLOTS) + SEGMENT_SPARE;
    if (count > SEGMENT_SLOTS)
        capacity += count / 2; /* it holds more than it should, and will go on: do not come back too soon */
    struct segment *segment = segment_alloc(heap, capacity, depth);
    if (segment == NULL)
        return NULL;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t home = tag_home(tag_of(list[i].hash, depth));
        if (at < home)
            at = home;
        segment->slots[at++] = slot_of(list[i].hash, depth, list[i].place);
    }
    segment->count = count;
    return segment;
}

static uint64_t hash_of_slot(const struct table *table, uint64_t slot)
{
    return kv_table_hash(table, entry_key(slot_entry(table->heap, slot)));
}

void kv_segment_list(const struct table *table, const struct segment *segment, struct hashed *list)
{
    enum { AHEAD = 16 };
    uint32_t count = 0;
    for (uint32_t i = 0; count < segment->count; i++)
        if (segment->slots[i] != 0)
            list[count++].place = segment->slots[i] & ((UINT64_C(1) << SLOT_PLACE_BITS) - 1);
    for (uint32_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            __builtin_prefetch(block_at(table->heap, list[i + AHEAD].place));
        list[i].hash = kv_table_hash(table, entry_key(block_at(table->heap, list[i].place)));
    }
}

/* The order of (hash, key) against a slot of equal tag. */
static int order_in_tie(const struct table *table, uint64_t hash, struct span key, uint64_t slot)
{
    uint64_t other = hash_of_slot(table, slot);
    if (hash != other)
        return hash < other ? -1 : 1;
    return span_compare(key, entry_key(slot_entry(table->heap, slot)));
}

bool kv_segment_insert(const struct table *table, struct segment *segment, uint64_t hash, const struct entry *entry)
{
    uint64_t tag = tag_of(hash, segment->depth);
    uint64_t *slots = segment->slots;
    uint32_t at = tag_home(tag);
    while (slots[at] != 0 &&
           (slot_tag(slots[at]) < tag ||
            (slot_tag(slots[at]) == tag && order_in_tie(table, hash, entry_key(entry), slots[at]) > 0)))
        at++;
    uint32_t empty = at;
    while (slots[empty] != 0)
        empty++;
    if (empty >= segment->capacity)
        return false;
    memmove(slots + at + 1, slots + at, (empty - at) * sizeof slots[0]);
    slots[at] = tag << SLOT_PLACE_BITS | place_of(table->heap, entry);
    segment->count++;
    return true;
}

uint32_t kv_segment_find(const struct table *table, const struct segment *segment, uint64_t hash, struct span key)
{
    uint64_t tag = tag_of(hash, segment->depth);
    for (uint32_t at = tag_home(tag);; at++) {
        uint64_t slot = segment->slots[at];
        if (slot == 0 || slot_tag(slot) > tag)
            return UINT32_MAX;
        if (slot_tag(slot) == tag && span_equal(entry_key(slot_entry(table->heap, slot)), key))
            return at;
    }
}

uint32_t kv_segment_slot_of(const struct table *table, const struct segment *segment, uint64_t hash,
                            const struct entry *entry)
{
    uint64_t wanted = slot_of(hash, segment->depth, place_of(table->heap, entry));
    uint32_t at = tag_home(tag_of(hash, segment->depth));
    while (segment->slots[at] != wanted && segment->slots[at] != 0)
        at++;
    invariant(segment->slots[at] == wanted, "KV-TABLE an entry is where its hash says");
    return at;
}

void kv_segment_remove(struct segment *segment, uint32_t slot)
{
    uint64_t *slots = segment->slots;
    uint32_t end = slot + 1;
    while (slots[end] != 0 && tag_home(slot_tag(slots[end])) < end)
        end++;
    memmove(slots + slot, slots + slot + 1, (end - slot - 1) * sizeof slots[0]);
    slots[end - 1] = 0;
    segment->count--;
}

uint32_t kv_segment_seek(const struct table *table, const struct segment *segment, uint64_t hash)
{
    uint64_t tag = tag_of(hash, segment->depth);
    uint32_t at = tag_home(tag);
    for (; at < segment->capacity; at++) {
        uint64_t slot = segment->slots[at];
        if (slot == 0)
            continue;
        if (slot_tag(slot) > tag || (slot_tag(slot) == tag && hash_of_slot(table, slot) >= hash))
            break;
    }
    return at;
}

void kv_segment_check(const struct table *table, const struct segment *segment, uint64_t prefix)
{
    uint64_t last_hash = 0;
    struct span last_key = {0};
    uint32_t count = 0;
    for (uint32_t at = 0; at < segment->capacity; at++) {
        uint64_t slot = segment->slots[at];
        if (slot == 0)
            continue;
        struct span key = entry_key(slot_entry(table->heap, slot));
        uint64_t hash = kv_table_hash(table, key);
        invariant(slot_tag(slot) == tag_of(hash, segment->depth), "KV-TABLE a tag is the hash's");
        invariant((hash >> 1) >> (63 - segment->depth) == prefix, "KV-TABLE an entry is in its hash's segment");
        invariant(count == 0 || last_hash < hash || (last_hash == hash && span_compare(last_key, key) < 0),
                  "KV-TABLE slots are sorted");
        uint32_t home = tag_home(slot_tag(slot));
        invariant(home <= at, "KV-TABLE an entry is not before its home");
        for (uint32_t between = home; between < at; between++)
            invariant(segment->slots[between] != 0, "KV-TABLE no gap before an entry");
        last_hash = hash;
        last_key = key;
        count++;
    }
    invariant(segment->slots[segment->capacity] == 0, "KV-TABLE the last slot is empty");
    invariant(count == segment->count, "KV-TABLE a segment knows its count");
}
