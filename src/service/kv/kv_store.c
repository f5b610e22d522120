/* The store: entries with their slots, deadlines, charges and old versions.
 *
 * All changes of entries go through kv_store_shape and kv_store_drop, so that each keeps the whole together: the
 * table, the index of deadlines, the accounting, and the old version that a running checkpoint may still need. Both
 * first do everything that can fail, then what cannot. */
#include "base/panic.h"
#include "service/kv/kv_state.h"

enum {
    RECLAIM_KEYS = 20, /* expired keys deleted in one delivery */
};

struct spot kv_store_find(const struct kv *kv, struct span key)
{
    struct spot spot = {.key = key, .hash = kv_table_hash(kv->table, key)};
    spot.block = kv_table_find(kv->table, spot.hash, key);
    spot.entry = spot.block != NULL && entry_deadline_ms(spot.block) > kv->now_ms ? spot.block : NULL;
    return spot;
}

uint64_t kv_store_version(const struct kv *kv, struct span key)
{
    struct spot spot = kv_store_find(kv, key);
    return spot.entry == NULL ? 0 : spot.entry->version;
}

static uint64_t charge_of(const struct entry *entry)
{
    return entry == NULL ? 0 : entry_charge(entry->key_size, entry_value_size(entry), entry_deadline_ms(entry));
}

/* A block may be used for a size that it holds without much waste. */
static bool block_suits(const struct entry *block, size_t size)
{
    size_t capacity = heap_size_of(block);
    return capacity >= size && capacity - size <= size * 3 / 8 + 32;
}

/* Puts the deadline into the index, or takes it out, for a block that has the field if it needs it. */
static void set_deadline(struct kv *kv, uint64_t hash, struct entry *entry, int64_t deadline_ms)
{
    int64_t before_ms = entry_deadline_ms(entry);
    if (before_ms == deadline_ms)
        return;
    if (before_ms == KV_NEVER)
        kv_deadlines_add(&kv->deadlines, deadline_ms, hash, entry);
    else if (deadline_ms == KV_NEVER)
        kv_deadlines_remove(&kv->deadlines, entry);
    else
        kv_deadlines_move(&kv->deadlines, entry, deadline_ms);
}

static void set_value_size(struct entry *entry, size_t value_size)
{
    entry->value_size_and_flag = (uint32_t)value_size | (entry->value_size_and_flag & ENTRY_FLAG_FIELD);
}

/* A new block with key and, if wanted, a field without a deadline. NULL when the heap is full. */
static struct entry *make_block(struct kv *kv, struct span key, size_t value_size, bool field, size_t slack)
{
    struct entry *entry = heap_alloc(kv->heap, entry_block_size(key.size, value_size, field) + slack);
    if (entry == NULL)
        return NULL;
    entry->key_size = (uint32_t)key.size;
    entry->value_size_and_flag = (uint32_t)value_size | (field ? ENTRY_FLAG_FIELD : 0);
    if (field)
        *entry_field(entry) = (struct deadline_field){.at_ms = KV_NEVER};
    if (key.size > 0)
        memcpy(entry->bytes + entry_key_offset(entry), key.data, key.size);
    return entry;
}

/* Takes a block out of the index of deadlines but lets its field tell the deadline, for the checkpoint. */
static void retire_deadline(struct kv *kv, struct entry *entry)
{
    int64_t at_ms = entry_deadline_ms(entry);
    if (at_ms == KV_NEVER)
        return;
    kv_deadlines_remove(&kv->deadlines, entry);
    entry_field(entry)->at_ms = at_ms;
}

/* Puts a new block in the place of the spot's old one, which goes to the checkpoint or away. False when the heap is
 * full, and then nothing has changed. */
static bool exchange_block(struct kv *kv, struct spot *spot, struct entry *entry)
{
    struct entry *old = spot->block;
    bool wanted = checkpoint_wants(kv, spot->hash, old);
    if (wanted && !kv_checkpoint_keep(kv, spot->hash, old))
        return false;
    kv_table_replace(kv->table, spot->hash, old, entry);
    retire_deadline(kv, old);
    if (!wanted)
        heap_free(kv->heap, old);
    return true;
}

/* A block that grows where nobody needs the old one: the heap may extend it in place. */
static struct entry *grow_block(struct kv *kv, const struct spot *spot, size_t size)
{
    struct entry *old = spot->block;
    bool indexed = entry_deadline_ms(old) != KV_NEVER;
    struct entry *entry = heap_resize(kv->heap, old, size);
    if (entry == NULL || entry == old)
        return entry;
    kv_table_replace(kv->table, spot->hash, old, entry);
    if (indexed)
        kv_deadlines_rehome(&kv->deadlines, entry);
    return entry;
}

/* A new block for the spot, entered everywhere but for its deadline. */
static struct entry *place_block(struct kv *kv, struct spot *spot, size_t value_size, bool field, bool keep,
                                 size_t slack)
{
    struct entry *entry = make_block(kv, spot->key, value_size, field, slack);
    if (entry == NULL)
        return NULL;
    if (keep) {
        struct span old = entry_value(spot->block);
        memcpy(entry_value_bytes(entry), old.data, old.size < value_size ? old.size : value_size);
    }
    bool placed = spot->block != NULL ? exchange_block(kv, spot, entry) : kv_table_insert(kv->table, spot->hash, entry);
    if (!placed) {
        heap_free(kv->heap, entry);
        return NULL;
    }
    return entry;
}

struct entry *kv_store_shape(struct kv_call *call, struct spot *spot, size_t value_size, int64_t deadline_ms, bool keep)
{
    struct kv *kv = call->kv;
    struct entry *old = spot->block;
    uint64_t before = charge_of(old);
    uint64_t after = entry_charge(spot->key.size, value_size, deadline_ms);
    if (after > before && kv->bytes + (after - before) > call->bytes_max)
        return NULL;
    if (deadline_ms != KV_NEVER && !kv_deadlines_reserve(&kv->deadlines))
        return NULL;

    bool field = deadline_ms != KV_NEVER || value_size >= ENTRY_LARGE;
    bool in_place = old != NULL && (!field || entry_has_field(old)) && !checkpoint_wants(kv, spot->hash, old);
    bool grows = keep && value_size > entry_value_size(old);
    struct entry *entry = old;
    if (in_place && block_suits(old, entry_block_size(spot->key.size, value_size, entry_has_field(old))))
        ;
    else if (in_place && grows)
        entry =
            grow_block(kv, spot, entry_block_size(spot->key.size, value_size, entry_has_field(old)) + value_size / 8);
    else
        entry = place_block(kv, spot, value_size, field, keep, grows ? value_size / 8 : 0);
    if (entry == NULL)
        return NULL;
    set_value_size(entry, value_size);
    set_deadline(kv, spot->hash, entry, deadline_ms);
    entry->version = kv->index;
    kv->bytes += after - before;
    spot->block = entry;
    spot->entry = entry_deadline_ms(entry) > kv->now_ms ? entry : NULL;
    return entry;
}

const char *kv_store_put(struct kv_call *call, struct spot *spot, struct span value, int64_t deadline_ms)
{
    if (value.size > ENTRY_VALUE_SIZE_MAX)
        return KV_ERROR_SIZE;
    struct entry *entry = kv_store_shape(call, spot, value.size, deadline_ms, false);
    if (entry == NULL)
        return KV_ERROR_MEMORY;
    if (value.size > 0)
        memcpy(entry_value_bytes(entry), value.data, value.size);
    return NULL;
}

const char *kv_store_expire(struct kv_call *call, struct spot *spot, int64_t deadline_ms)
{
    size_t size = entry_value_size(spot->entry);
    return kv_store_shape(call, spot, size, deadline_ms, true) == NULL ? KV_ERROR_MEMORY : NULL;
}

const char *kv_store_drop(struct kv *kv, struct spot *spot)
{
    struct entry *old = spot->block;
    if (old == NULL)
        return NULL;
    bool wanted = checkpoint_wants(kv, spot->hash, old);
    if (wanted && !kv_checkpoint_keep(kv, spot->hash, old))
        return KV_ERROR_MEMORY;
    kv->bytes -= charge_of(old);
    retire_deadline(kv, old);
    kv_table_remove(kv->table, spot->hash, old);
    if (!wanted)
        heap_free(kv->heap, old);
    spot->block = spot->entry = NULL;
    return NULL;
}

bool kv_store_has_room(struct kv *kv, uint64_t bytes)
{
    if (bytes > heap_size(kv->heap))
        return false;
    void *probe = heap_alloc(kv->heap, bytes);
    heap_free(kv->heap, probe);
    return probe != NULL;
}

bool kv_store_flush(struct kv *kv)
{
    struct table *empty = kv_table_create(kv->heap, kv->spec->hash_key);
    if (empty == NULL)
        return false;
    /* The table of a running checkpoint is discarded when that ends. */
    if (!kv->checkpoint.running || kv->checkpoint.table != kv->table)
        kv_store_discard(kv, kv->table);
    kv->table = empty;
    kv->bytes = 0;
    kv_deadlines_clear(&kv->deadlines);
    return true;
}

void kv_store_discard(struct kv *kv, struct table *table)
{
    if (table == NULL)
        return;
    table->next = kv->garbage;
    kv->garbage = table;
}

void kv_store_reclaim(struct kv *kv)
{
    for (int i = 0; i < RECLAIM_KEYS; i++) {
        const struct deadline *first = kv_deadlines_first(&kv->deadlines);
        if (first == NULL || first->at_ms > kv->now_ms)
            return;
        struct spot spot = {.key = entry_key(first->entry), .hash = first->hash, .block = first->entry};
        if (kv_store_drop(kv, &spot) != NULL)
            return;
    }
}

void kv_store_collect(struct kv *kv, uint64_t bytes)
{
    kv_deadlines_trim(&kv->deadlines);
    while (kv->garbage != NULL && bytes > 0) {
        struct table *table = kv->garbage;
        struct table *next = table->next;
        if (kv_table_free_some(table, &bytes))
            kv->garbage = next;
    }
}
