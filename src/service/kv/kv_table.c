/* The directory of the table of keys: which segment a hash belongs to, splits and merges.
 *
 * A place of the directory is a segment's place in the heap << 6 | its depth; a segment of depth d stands in 2^(D - d)
 * consecutive places when the directory's depth is D. The depth is in the place so that a look-up need not read the
 * segment's header, which lies on another cache line than the slots. */
#include "service/kv/kv_table.h"

#include "base/panic.h"
#include "service/kv/kv_segment.h"

enum { DEPTH_BITS = 6 };

static uint64_t directory_size(const struct table *table)
{
    return UINT64_C(1) << table->depth;
}

/* High bits of a hash; written so that depth 0 is no shift by 64. */
static uint64_t prefix_of(uint64_t hash, uint32_t depth)
{
    return (hash >> 1) >> (63 - depth);
}

static struct segment *segment_at(const struct table *table, uint64_t place)
{
    return block_at(table->heap, table->directory[place] >> DEPTH_BITS);
}

static struct segment *segment_of(const struct table *table, uint64_t hash)
{
    return segment_at(table, prefix_of(hash, table->depth));
}

/* Enters a segment in all its places. */
static void directory_set(struct table *table, struct segment *segment, uint64_t prefix)
{
    uint32_t shift = table->depth - segment->depth;
    uint64_t value = place_of(table->heap, segment) << DEPTH_BITS | segment->depth;
    for (uint64_t i = 0; i < UINT64_C(1) << shift; i++)
        table->directory[(prefix << shift) + i] = value;
}

struct table *kv_table_create_sized(struct heap *heap, const uint64_t hash_key[2], uint64_t count)
{
    struct table *table = heap_alloc(heap, sizeof *table);
    if (table == NULL)
        return NULL;
    *table = (struct table){.heap = heap, .hash_key = hash_key};
    while (count >> table->depth > SEGMENT_FULL * 7 / 8 && table->depth < DEPTH_MAX)
        table->depth++;
    uint64_t size = directory_size(table);
    table->directory =
        size > heap_size(heap) / sizeof(struct segment) ? NULL : heap_alloc(heap, size * sizeof(uint64_t));
    uint64_t made = 0;
    for (struct segment *segment; table->directory != NULL && made < size; made++) {
        segment = kv_segment_create(heap, table->depth);
        if (segment == NULL)
            break;
        directory_set(table, segment, made);
    }
    if (made == size) {
        table->deepest = size;
        return table;
    }
    while (made > 0)
        heap_free(heap, segment_at(table, --made));
    heap_free(heap, table->directory);
    heap_free(heap, table);
    return NULL;
}

struct table *kv_table_create(struct heap *heap, const uint64_t hash_key[2])
{
    return kv_table_create_sized(heap, hash_key, 0);
}

static void segment_free_entries(struct table *table, struct segment *segment, uint64_t *bytes)
{
    for (uint32_t i = segment->capacity; i > 0 && segment->count > 0 && *bytes > 0; i--) {
        if (segment->slots[i - 1] == 0)
            continue;
        struct entry *entry = slot_entry(table->heap, segment->slots[i - 1]);
        uint64_t freed = heap_size_of(entry);
        *bytes -= freed < *bytes ? freed : *bytes;
        heap_free(table->heap, entry);
        segment->slots[i - 1] = 0;
        segment->count--;
        table->count--;
    }
}

bool kv_table_free_some(struct table *table, uint64_t *bytes)
{
    enum { SEGMENT_COST = 512 };
    if (table->sweep == 0)
        table->sweep = directory_size(table) + 1;
    while (table->sweep > 1 && *bytes > 0) {
        struct segment *segment = segment_at(table, table->sweep - 2);
        segment_free_entries(table, segment, bytes);
        if (segment->count > 0)
            return false;
        table->sweep -= UINT64_C(1) << (table->depth - segment->depth);
        *bytes -= *bytes < SEGMENT_COST ? *bytes : SEGMENT_COST;
        heap_free(table->heap, segment);
    }
    if (table->sweep > 1)
        return false;
    heap_free(table->heap, table->directory);
    heap_free(table->heap, table);
    return true;
}

/* Begins to fetch the first lines of an entry at once, instead of one after the other. */
static void fetch(const struct entry *entry)
{
    enum { LINE_SIZE = 64 };
    __builtin_prefetch(entry);
    __builtin_prefetch((const uint8_t *)entry + LINE_SIZE);
    __builtin_prefetch((const uint8_t *)entry + 2 * LINE_SIZE);
}

struct entry *kv_table_find(const struct table *table, uint64_t hash, struct span key)
{
    uint64_t word = table->directory[prefix_of(hash, table->depth)];
    const struct segment *segment = block_at(table->heap, word >> DEPTH_BITS);
    uint64_t tag = tag_of(hash, (uint32_t)(word & ((1 << DEPTH_BITS) - 1)));
    for (const uint64_t *at = segment->slots + tag_home(tag);; at++) {
        if (*at == 0 || slot_tag(*at) > tag)
            return NULL;
        if (slot_tag(*at) < tag)
            continue;
        struct entry *entry = slot_entry(table->heap, *at);
        fetch(entry);
        if (span_equal(entry_key(entry), key))
            return entry;
    }
}

/* Doubles the directory; every segment then stands in twice as many places. */
static bool directory_double(struct table *table)
{
    uint64_t size = directory_size(table);
    uint64_t *directory = heap_alloc(table->heap, 2 * size * sizeof(uint64_t));
    if (directory == NULL)
        return false;
    for (uint64_t i = 0; i < size; i++)
        directory[2 * i] = directory[2 * i + 1] = table->directory[i];
    heap_free(table->heap, table->directory);
    table->directory = directory;
    table->depth++;
    table->deepest = 0;
    return true;
}

/* A directory much larger than the entries need would only serve hashes that were made to collide. */
static bool split_is_worth_it(const struct table *table, const struct segment *segment)
{
    if (segment->depth >= DEPTH_MAX)
        return false;
    return segment->depth < table->depth || directory_size(table) * 2 <= 16 + table->count / 32;
}

static bool segment_split(struct table *table, uint64_t hash)
{
    struct segment *old = segment_of(table, hash);
    struct hashed *list = heap_alloc(table->heap, (size_t)old->count * sizeof *list);
    if (list == NULL)
        return false;
    kv_segment_list(table, old, list);
    uint32_t depth = old->depth + 1;
    uint32_t low_count = 0;
    while (low_count < old->count && (prefix_of(list[low_count].hash, depth) & 1) == 0)
        low_count++;
    struct segment *low = kv_segment_build(table->heap, list, low_count, depth);
    struct segment *high = kv_segment_build(table->heap, list + low_count, old->count - low_count, depth);
    heap_free(table->heap, list);
    if (low == NULL || high == NULL || (depth > table->depth && !directory_double(table))) {
        heap_free(table->heap, low);
        heap_free(table->heap, high);
        return false;
    }
    if (depth == table->depth)
        table->deepest += 2;
    uint64_t prefix = prefix_of(hash, depth - 1);
    directory_set(table, low, 2 * prefix);
    directory_set(table, high, 2 * prefix + 1);
    heap_free(table->heap, old);
    return true;
}

/* Makes the segment longer, when splitting it does not help. */
static bool segment_widen(struct table *table, uint64_t hash)
{
    struct segment *old = segment_of(table, hash);
    struct hashed *list = heap_alloc(table->heap, (size_t)old->count * sizeof *list);
    if (list == NULL)
        return false;
    kv_segment_list(table, old, list);
    struct segment *wide = kv_segment_build(table->heap, list, old->count, old->depth);
    heap_free(table->heap, list);
    if (wide == NULL)
        return false;
    directory_set(table, wide, prefix_of(hash, old->depth));
    heap_free(table->heap, old);
    return true;
}

bool kv_table_insert(struct table *table, uint64_t hash, struct entry *entry)
{
    struct segment *segment = segment_of(table, hash);
    /* When this split fails for want of memory, the spare slots may still do. */
    if (segment->count >= SEGMENT_FULL && split_is_worth_it(table, segment) && segment_split(table, hash))
        segment = segment_of(table, hash);
    if (!kv_segment_insert(table, segment, hash, entry)) {
        if (!segment_widen(table, hash))
            return false;
        bool inserted = kv_segment_insert(table, segment_of(table, hash), hash, entry);
        invariant(inserted, "KV-TABLE a widened segment has room");
    }
    table->count++;
    return true;
}

void kv_table_replace(struct table *table, uint64_t hash, const struct entry *old, const struct entry *entry)
{
    struct segment *segment = segment_of(table, hash);
    segment->slots[kv_segment_slot_of(table, segment, hash, old)] =
        slot_of(hash, segment->depth, place_of(table->heap, entry));
}

/* Halves the directory while no segment needs its last bit. */
static void directory_shrink(struct table *table)
{
    while (table->deepest == 0 && table->depth > 0) {
        table->depth--;
        for (uint64_t i = 0; i < directory_size(table); i++) {
            table->directory[i] = table->directory[2 * i];
            table->deepest += (table->directory[i] & ((1 << DEPTH_BITS) - 1)) == table->depth;
        }
    }
    uint64_t *smaller = heap_resize(table->heap, table->directory, directory_size(table) * sizeof(uint64_t));
    if (smaller != NULL)
        table->directory = smaller;
}

/* Makes one segment of two neighbours that have become sparse. */
static void segment_merge(struct table *table, uint64_t hash)
{
    struct segment *segment = segment_of(table, hash);
    if (segment->depth == 0)
        return;
    uint32_t depth = segment->depth;
    uint64_t low_prefix = prefix_of(hash, depth) & ~UINT64_C(1);
    struct segment *low = segment_at(table, low_prefix << (table->depth - depth));
    struct segment *high = segment_at(table, (low_prefix + 1) << (table->depth - depth));
    if (low->depth != high->depth || low->count + high->count > SEGMENT_SPARSE)
        return;
    struct hashed list[SEGMENT_SPARSE];
    kv_segment_list(table, low, list);
    kv_segment_list(table, high, list + low->count);
    struct segment *merged = kv_segment_build(table->heap, list, low->count + high->count, depth - 1);
    if (merged == NULL)
        return;
    directory_set(table, merged, low_prefix >> 1);
    heap_free(table->heap, low);
    heap_free(table->heap, high);
    if (depth == table->depth) {
        table->deepest -= 2;
        if (table->deepest == 0)
            directory_shrink(table);
    }
}

void kv_table_remove(struct table *table, uint64_t hash, const struct entry *entry)
{
    struct segment *segment = segment_of(table, hash);
    kv_segment_remove(segment, kv_segment_slot_of(table, segment, hash, entry));
    table->count--;
    if (segment->count < SEGMENT_SPARSE / 2)
        segment_merge(table, hash);
}

void kv_table_seek(const struct table *table, uint64_t hash, struct table_cursor *out)
{
    out->place = prefix_of(hash, table->depth);
    out->slot = kv_segment_seek(table, segment_at(table, out->place), hash);
}

/* Begins to fetch the entry of a slot that the walk will reach soon: the walk touches entries all over the heap, and
 * would else wait for each. */
static void fetch_ahead(const struct table *table, const struct segment *segment, uint32_t slot)
{
    enum { AHEAD = 12 };
    if (slot + AHEAD < segment->capacity && segment->slots[slot + AHEAD] != 0)
        fetch(slot_entry(table->heap, segment->slots[slot + AHEAD]));
}

struct entry *kv_table_next(const struct table *table, struct table_cursor *cursor)
{
    while (cursor->place < directory_size(table)) {
        const struct segment *segment = segment_at(table, cursor->place);
        for (; segment->count > 0 && cursor->slot < segment->capacity; cursor->slot++) {
            fetch_ahead(table, segment, cursor->slot);
            if (segment->slots[cursor->slot] != 0)
                return slot_entry(table->heap, segment->slots[cursor->slot++]);
        }
        uint64_t width = UINT64_C(1) << (table->depth - segment->depth);
        cursor->place = (cursor->place & ~(width - 1)) + width;
        cursor->slot = 0;
    }
    return NULL;
}

void kv_table_check(const struct table *table)
{
    uint64_t count = 0;
    uint64_t deepest = 0;
    for (uint64_t place = 0; place < directory_size(table);) {
        const struct segment *segment = segment_at(table, place);
        invariant(segment->depth <= table->depth, "KV-TABLE a segment is not deeper than the directory");
        uint32_t shift = table->depth - segment->depth;
        for (uint64_t i = 0; i < UINT64_C(1) << shift; i++)
            invariant(table->directory[place + i] == table->directory[place] &&
                          (table->directory[place] & ((1 << DEPTH_BITS) - 1)) == segment->depth,
                      "KV-TABLE a segment stands in all its places");
        kv_segment_check(table, segment, place >> shift);
        count += segment->count;
        deepest += shift == 0;
        place += UINT64_C(1) << shift;
    }
    invariant(count == table->count, "KV-TABLE the table knows its count");
    invariant(deepest == table->deepest, "KV-TABLE the table knows its deepest segments");
}
