/* Reading a checkpoint back. The bytes come from a disk or a peer: whatever is wrong with them ends in false, never in
 * more. They may be split anywhere; an entry that is not whole yet is filled in the block where it will stay, so a
 * large value is copied once. The header's number of entries sizes the table, so entries go in without splits. */
#include "service/kv/kv_state.h"

static void restore_drop_partial(struct kv *kv)
{
    heap_free(kv->heap, kv->restore.entry);
    kv->restore.entry = NULL;
}

void kv_restore_begin(void *self)
{
    struct kv *kv = self;
    kv_checkpoint_end(kv);
    restore_drop_partial(kv);
    kv->restore = (struct kv_restore){.running = true, .failed = !kv_store_flush(kv)};
    kv->index = 0;
    kv->now_ns = kv->now_ms = 0;
    while (kv->garbage != NULL)
        kv_store_collect(kv, UINT64_MAX);
}

static bool take_header(struct kv *kv, const uint8_t *head)
{
    struct kv_restore *restore = &kv->restore;
    if (load_u32(head) != CHECKPOINT_MAGIC || load_u32(head + 4) != CHECKPOINT_FORMAT || load_u64(head + 32) != 0)
        return false;
    kv->index = load_u64(head + 8);
    kv->now_ns = (int64_t)load_u64(head + 16);
    kv->now_ms = kv->now_ns / NS_PER_MS;
    restore->count = load_u64(head + 24);
    if (kv->now_ns < 0 || restore->count > heap_size(kv->heap) / sizeof(struct entry))
        return false;
    struct table *table = kv_table_create_sized(kv->heap, kv->spec->hash_key, restore->count);
    if (table == NULL)
        return false;
    kv_store_discard(kv, kv->table);
    kv->table = table;
    restore->header_read = true;
    return true;
}

/* Makes the block of the entry whose head has been read. */
static bool take_entry_head(struct kv *kv, const uint8_t *head)
{
    struct kv_restore *restore = &kv->restore;
    uint32_t key_size = load_u32(head);
    uint32_t value_size = load_u32(head + 4);
    uint64_t version = load_u64(head + 8);
    restore->deadline_ms = (int64_t)load_u64(head + 16);
    if (value_size > ENTRY_VALUE_SIZE_MAX || version > kv->index || kv->table->count >= restore->count)
        return false;
    bool field = restore->deadline_ms != KV_NEVER || value_size >= ENTRY_LARGE;
    struct entry *entry = heap_alloc(kv->heap, entry_block_size(key_size, value_size, field));
    if (entry == NULL)
        return false;
    entry->version = version;
    entry->key_size = key_size;
    entry->value_size_and_flag = value_size | (field ? ENTRY_FLAG_FIELD : 0);
    if (field)
        *entry_field(entry) = (struct deadline_field){.at_ms = KV_NEVER};
    restore->entry = entry;
    restore->filled = 0;
    restore->missing = (size_t)key_size + value_size;
    return true;
}

/* Enters the entry, which is whole. */
static bool take_entry(struct kv *kv)
{
    struct kv_restore *restore = &kv->restore;
    struct entry *entry = restore->entry;
    struct span key = entry_key(entry);
    uint64_t hash = kv_table_hash(kv->table, key);
    if (kv_table_find(kv->table, hash, key) != NULL)
        return false;
    if (restore->deadline_ms != KV_NEVER && !kv_deadlines_reserve(&kv->deadlines))
        return false;
    if (!kv_table_insert(kv->table, hash, entry))
        return false;
    if (restore->deadline_ms != KV_NEVER)
        kv_deadlines_add(&kv->deadlines, restore->deadline_ms, hash, entry);
    kv->bytes += entry_charge(entry->key_size, entry_value_size(entry), restore->deadline_ms);
    restore->entry = NULL;
    return true;
}

/* Moves bytes from the front of `bytes`. */
static size_t take_bytes(uint8_t *to, size_t wanted, struct span *bytes)
{
    size_t size = wanted < bytes->size ? wanted : bytes->size;
    if (size > 0)
        memcpy(to, bytes->data, size);
    bytes->data += size;
    bytes->size -= size;
    return size;
}

/* Takes what there is of a head; true when it is whole. */
static bool head_whole(struct kv_restore *restore, uint32_t size, struct span *bytes)
{
    restore->head_size += (uint32_t)take_bytes(restore->head + restore->head_size, size - restore->head_size, bytes);
    if (restore->head_size < size)
        return false;
    restore->head_size = 0;
    return true;
}

static bool restore_step(struct kv *kv, struct span *bytes)
{
    struct kv_restore *restore = &kv->restore;
    if (!restore->header_read)
        return !head_whole(restore, CHECKPOINT_HEADER_SIZE, bytes) || take_header(kv, restore->head);
    if (restore->entry == NULL) {
        if (!head_whole(restore, CHECKPOINT_ENTRY_SIZE, bytes))
            return true;
        if (!take_entry_head(kv, restore->head))
            return false;
    }
    uint8_t *to = restore->entry->bytes + entry_key_offset(restore->entry) + restore->filled;
    size_t taken = take_bytes(to, restore->missing, bytes);
    restore->filled += taken;
    restore->missing -= taken;
    return restore->missing > 0 || take_entry(kv);
}

bool kv_restore_next(void *self, struct span bytes)
{
    struct kv *kv = self;
    struct kv_restore *restore = &kv->restore;
    while (bytes.size > 0 && !restore->failed)
        restore->failed = !restore->running || !restore_step(kv, &bytes);
    return !restore->failed;
}

bool kv_restore_end(void *self)
{
    struct kv *kv = self;
    struct kv_restore *restore = &kv->restore;
    bool whole = restore->running && !restore->failed && restore->header_read && restore->head_size == 0 &&
                 restore->entry == NULL && kv->table->count == restore->count;
    restore_drop_partial(kv);
    *restore = (struct kv_restore){0};
    return whole;
}
