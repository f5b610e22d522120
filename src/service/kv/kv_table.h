/* The table of keys: entries in the order of their keyed hash.
 *
 * An extendible hash table (Fagin et al., "Extendible hashing", ACM TODS 1979) by the high bits of the hash: a
 * directory of 2^depth places points to segments of 512 slots, and a segment that is full is split in two. Inside a
 * segment the slots are sorted by hash, by linear probing with displacement (Amble and Knuth, "Ordered hash tables",
 * The Computer Journal 1974). So
 *
 *   - walking the table is walking it in hash order, and neither splits nor merges change that order: a position in
 *     hash order is a cursor that survives them;
 *   - growth costs one split of at most a segment at a time;
 *   - a slot is 8 bytes, 22 bits of hash and 42 bits of place in the heap, so that a look-up reads the directory
 *     (small, in the cache), one line of slots and one entry.
 *
 * Entries with equal hashes stand in the order of their keys. The table never looks at anything of an entry but its
 * key, and does not own entries. Layout depends on history; what is found, and its order, does not.
 *
 * Limits: splitting a directory of d places copies 8 d bytes at once (128 KiB for five million keys). Keys whose hashes
 * were made to collide, which needs the hash key, make their segment longer and slower, but nothing worse. */
#ifndef LOCKSTEP_SERVICE_KV_TABLE_H
#define LOCKSTEP_SERVICE_KV_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "service/kv/kv_entry.h"

struct table {
    struct heap *heap;
    const uint64_t *hash_key; /* borrowed */
    uint64_t *directory;      /* 2^depth places: a segment's place in the heap and its own depth */
    uint32_t depth;
    uint64_t deepest;   /* segments whose own depth is the directory's */
    uint64_t count;     /* entries */
    uint64_t sweep;     /* kv_table_free_some: directory places still to be freed, plus one; 0 before it began */
    struct table *next; /* in the list of those being freed */
};

/* A place between two entries while the table does not change. */
struct table_cursor {
    uint64_t place; /* in the directory */
    uint32_t slot;
};

/* An empty table, or NULL when the heap is full. */
struct table *kv_table_create(struct heap *heap, const uint64_t hash_key[2]);

/* The same with room for so many entries, which may then be inserted in any order without a split. */
struct table *kv_table_create_sized(struct heap *heap, const uint64_t hash_key[2], uint64_t count);

/* Gives back the table's memory and that of its entries, about `bytes` of them (at least one segment's slots are
 * looked at). True when all is gone, `table` included. Nothing else may be called once this has begun. */
bool kv_table_free_some(struct table *table, uint64_t *bytes);

static inline uint64_t kv_table_hash(const struct table *table, struct span key);

/* The entry of that key, or NULL. */
struct entry *kv_table_find(const struct table *table, uint64_t hash, struct span key);

/* Adds an entry whose key is not there. False when the heap is full, and then nothing has changed. */
bool kv_table_insert(struct table *table, uint64_t hash, struct entry *entry);

/* Puts `entry`, which has the same key, in place of `old`, which must be there. */
void kv_table_replace(struct table *table, uint64_t hash, const struct entry *old, const struct entry *entry);

/* Takes an entry out, which must be there. */
void kv_table_remove(struct table *table, uint64_t hash, const struct entry *entry);

/* Sets the cursor before the first entry whose hash is at least `hash`. */
void kv_table_seek(const struct table *table, uint64_t hash, struct table_cursor *out);

/* The next entry in hash order, or NULL at the end. */
struct entry *kv_table_next(const struct table *table, struct table_cursor *cursor);

/* Stops the process when an invariant of the structure does not hold. For tests; cost grows with the table. */
void kv_table_check(const struct table *table);

#include "base/hash.h"

static inline uint64_t kv_table_hash(const struct table *table, struct span key)
{
    return hash_keyed(table->hash_key, key.data, key.size);
}

#endif
