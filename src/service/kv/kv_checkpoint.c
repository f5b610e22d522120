/* Checkpoints while deliveries go on: copy on write, by a cursor in hash order.
 *
 * An entry belongs to the checkpoint if its version is not above the index at which it began, so nothing has to be
 * marked. The walk goes through the table in hash order. An update that changes or deletes an entry which belongs and
 * which the walk has not reached puts the old block, as it is, into a second table (`saved`) instead of freeing it; the
 * walk merges the two tables by hash. So an update pays one insertion, no encoding, and the checkpoint's bytes are a
 * function of the state at its beginning alone: members that checkpoint at the same index write the same bytes.
 *
 * FLUSHALL takes the whole table away from the service; the walk then goes on over that one, which nobody changes.
 *
 * Limit: old versions stay until the checkpoint ends, at worst as much as the data. The accounting leaves that room. */
#include "base/panic.h"
#include "service/kv/kv_state.h"

enum { WALK_ENTRIES_MAX = 1024 }; /* looked at in one call */

void kv_checkpoint_begin(void *self)
{
    struct kv *kv = self;
    invariant(!kv->checkpoint.running, "KV-CHECKPOINT one at a time");
    kv->checkpoint = (struct kv_checkpoint){
        .running = true,
        .index = kv->index,
        .now_ns = kv->now_ns,
        .count = kv->table->count,
        .table = kv->table,
    };
}

bool kv_checkpoint_keep(struct kv *kv, uint64_t hash, struct entry *entry)
{
    struct kv_checkpoint *checkpoint = &kv->checkpoint;
    if (checkpoint->saved == NULL)
        checkpoint->saved = kv_table_create(kv->heap, kv->spec->hash_key);
    return checkpoint->saved != NULL && kv_table_insert(checkpoint->saved, hash, entry);
}

static bool write_header(struct kv_checkpoint *checkpoint, struct buffer *out)
{
    uint8_t *at = buffer_grow(out, CHECKPOINT_HEADER_SIZE);
    if (at == NULL)
        return false;
    store_u32(at, CHECKPOINT_MAGIC);
    store_u32(at + 4, CHECKPOINT_FORMAT);
    store_u64(at + 8, checkpoint->index);
    store_u64(at + 16, (uint64_t)checkpoint->now_ns);
    store_u64(at + 24, checkpoint->count);
    store_u64(at + 32, 0);
    return true;
}

static bool write_entry(const struct entry *entry, struct buffer *out)
{
    size_t content = (size_t)entry->key_size + entry_value_size(entry);
    uint8_t *at = buffer_grow(out, CHECKPOINT_ENTRY_SIZE + content);
    if (at == NULL)
        return false;
    store_u32(at, entry->key_size);
    store_u32(at + 4, entry_value_size(entry));
    store_u64(at + 8, entry->version);
    store_u64(at + 16, (uint64_t)entry_deadline_ms(entry));
    memcpy(at + CHECKPOINT_ENTRY_SIZE, entry_key(entry).data, content);
    return true;
}

/* One of the two tables of the walk, with the entry that it has come to. */
struct source {
    const struct table *table; /* NULL: there is none */
    struct table_cursor cursor;
    struct entry *entry; /* NULL: at its end */
    uint64_t hash;
};

static void source_next(struct source *source)
{
    source->entry = kv_table_next(source->table, &source->cursor);
    if (source->entry != NULL)
        source->hash = kv_table_hash(source->table, entry_key(source->entry));
}

static struct source source_open(const struct table *table, uint64_t position)
{
    struct source source = {.table = table};
    if (table != NULL) {
        kv_table_seek(table, position, &source.cursor);
        source_next(&source);
    }
    return source;
}

/* True when `a` comes before `b` in the merged order. A key may be in both: the old version and the present one, which
 * does not belong; their order does not matter. */
static bool source_first(const struct source *a, const struct source *b)
{
    if (a->entry == NULL || b->entry == NULL)
        return a->entry != NULL;
    if (a->hash != b->hash)
        return a->hash < b->hash;
    return span_compare(entry_key(a->entry), entry_key(b->entry)) < 0;
}

/* Writes entries from the position on and moves it. It stops only between different hashes, since the position is
 * a hash; when `out` is full in the middle of equal ones, those are taken back. */
static void walk(struct kv_checkpoint *checkpoint, struct buffer *out, size_t bytes)
{
    struct source live = source_open(checkpoint->table, checkpoint->position);
    struct source saved = source_open(checkpoint->saved, checkpoint->position);
    size_t size_max = out->size + bytes;
    size_t tie_size = out->size;
    for (uint32_t seen = 0; live.entry != NULL || saved.entry != NULL; seen++) {
        struct source *source = source_first(&live, &saved) ? &live : &saved;
        if (seen == 0 || source->hash != checkpoint->position) {
            checkpoint->position = source->hash;
            tie_size = out->size;
            if (seen > 0 && (seen >= WALK_ENTRIES_MAX || out->size >= size_max))
                return;
        }
        if (source->entry->version <= checkpoint->index && !write_entry(source->entry, out)) {
            out->size = tie_size;
            return;
        }
        source_next(source);
    }
    checkpoint->walked = true;
}

bool kv_checkpoint_next(void *self, struct buffer *out, size_t bytes)
{
    struct kv *kv = self;
    struct kv_checkpoint *checkpoint = &kv->checkpoint;
    invariant(checkpoint->running, "KV-CHECKPOINT next is called between begin and end");
    if (!checkpoint->begun)
        checkpoint->begun = write_header(checkpoint, out);
    else if (checkpoint->walked)
        return false;
    if (checkpoint->begun)
        walk(checkpoint, out, bytes);
    return true;
}

void kv_checkpoint_end(void *self)
{
    struct kv *kv = self;
    struct kv_checkpoint *checkpoint = &kv->checkpoint;
    if (!checkpoint->running)
        return;
    kv_store_discard(kv, checkpoint->saved);
    if (checkpoint->table != kv->table)
        kv_store_discard(kv, checkpoint->table);
    *checkpoint = (struct kv_checkpoint){0};
}
