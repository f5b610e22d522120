/* Inside of the key-value service: its state, the store of entries and what a command's function sees.
 *
 * Time. `now` is the time of the last delivered update or tick; it alone decides what exists. A key whose deadline is
 * not after `now` is absent, whether its block has been reclaimed yet or not. */
#ifndef LOCKSTEP_SERVICE_KV_STATE_H
#define LOCKSTEP_SERVICE_KV_STATE_H

#include "base/hash.h"
#include "base/number.h"
#include "base/time.h"
#include "contract/reply.h"
#include "contract/service.h"
#include "service/commands.h"
#include "service/kv/kv_deadline.h"
#include "service/kv/kv_entry.h"
#include "service/kv/kv_table.h"

/* A checkpoint that is being written (kv_checkpoint.c). */
struct kv_checkpoint {
    bool running;
    bool begun;     /* its header has been written */
    bool walked;    /* all entries have been written */
    uint64_t index; /* entries of versions up to this belong to it */
    int64_t now_ns;
    uint64_t count;      /* entries in all */
    uint64_t position;   /* those with lower hashes have been written */
    struct table *table; /* that is walked: the service's, or one that a flush took from it */
    struct table *saved; /* old versions of entries that changed before the walk reached them; NULL: none */
};

/* A state that is being read (kv_restore.c). */
struct kv_restore {
    bool running;
    bool failed;
    bool header_read;
    uint8_t head[40]; /* of what is being read */
    uint32_t head_size;
    uint64_t count;         /* entries announced */
    struct entry *entry;    /* being filled */
    int64_t deadline_ms;    /* its deadline */
    size_t filled, missing; /* bytes of its key and value */
};

struct kv {
    struct heap *heap;
    const struct group_spec *spec; /* borrowed */
    struct table *table;
    struct deadlines deadlines;
    uint64_t index;        /* of the last update */
    int64_t now_ns;        /* its agreed time */
    int64_t now_ms;        /* the same in whole milliseconds */
    uint64_t bytes;        /* charged for the entries */
    uint64_t bytes_max;    /* a function of the specification */
    struct table *garbage; /* tables without users, freed piece by piece */
    struct kv_checkpoint checkpoint;
    struct kv_restore restore;
};

/* One command being executed. */
struct kv_call {
    struct kv *kv;
    const struct command_spec *spec;
    struct span rest;   /* arguments not yet taken */
    uint32_t argc;      /* arguments in all, without the name */
    uint64_t bytes_max; /* that this command may fill the store up to */
    int64_t time_ms;    /* for printing a time to live; at least now_ms */
    uint64_t random;
    struct buffer *reply;
    size_t reply_begin; /* where its answer begins */
};

/* Where a key is, or would be. Valid until the next change of the store. */
struct spot {
    struct span key; /* borrowed */
    uint64_t hash;
    struct entry *block; /* what lies under the key, expired or not; NULL: nothing */
    struct entry *entry; /* the same if it exists by `now`, else NULL */
};

#define KV_ERROR_SYNTAX "ERR syntax error"
#define KV_ERROR_INTEGER "ERR value is not an integer or out of range"
#define KV_ERROR_FLOAT "ERR value is not a valid float"
#define KV_ERROR_OVERFLOW "ERR increment or decrement would overflow"
#define KV_ERROR_SIZE "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
#define KV_ERROR_OFFSET "ERR offset is out of range"
#define KV_ERROR_NO_KEY "ERR no such key"
#define KV_ERROR_CURSOR "ERR invalid cursor"
#define KV_ERROR_MEMORY "OOM command not allowed when used memory > 'maxmemory'."

/* --- kv_store.c: entries and everything that goes with them --- */

/* Finds a key. */
struct spot kv_store_find(const struct kv *kv, struct span key);

/* Index of the last modification of a key, 0 when it is absent. */
uint64_t kv_store_version(const struct kv *kv, struct span key);

/* Makes the key of the spot hold a value of that size with that deadline (KV_NEVER: none), with the present index as
 * version, and returns its entry, whose value the caller fills; with `keep`, it begins with what the old value and the
 * new one have in common. NULL when the limit or the heap do not allow it, and then nothing has changed. Other spots
 * are no longer valid; this one's entry is up to date. */
struct entry *kv_store_shape(struct kv_call *call, struct spot *spot, size_t value_size, int64_t deadline_ms,
                             bool keep);

/* These return NULL, or the text of an error, and then nothing has changed. */

/* kv_store_shape and the value. */
const char *kv_store_put(struct kv_call *call, struct spot *spot, struct span value, int64_t deadline_ms);

/* Changes the deadline and the version of an existing key. */
const char *kv_store_expire(struct kv_call *call, struct spot *spot, int64_t deadline_ms);

/* Deletes what lies under a spot, if anything. Fails only when an old version cannot be kept for the checkpoint. */
const char *kv_store_drop(struct kv *kv, struct spot *spot);

/* True when the heap has room for so many bytes more, so that what follows will not fail half-way. */
bool kv_store_has_room(struct kv *kv, uint64_t bytes);

/* Deletes everything, at a cost that does not depend on how much that is. False when the heap is full. */
bool kv_store_flush(struct kv *kv);

/* Gives a table, which may be NULL, to be freed piece by piece. */
void kv_store_discard(struct kv *kv, struct table *table);

/* Deletes some expired keys, a bounded number. */
void kv_store_reclaim(struct kv *kv);

/* Frees about so many bytes of what was discarded. */
void kv_store_collect(struct kv *kv, uint64_t bytes);

/* --- kv.c: arguments, answers, dispatch --- */

/* The next argument; empty when there is none. */
struct span kv_call_next(struct kv_call *call);

/* True when an argument is this word, in any case. */
bool kv_argument_is(struct span argument, const char *word);

/* Reads an integer, or answers that it is none. */
bool kv_call_integer(struct kv_call *call, struct span text, int64_t *out);

/* Answers. They ignore a full reply heap, since the command has taken effect by then. */
void kv_call_ok(struct kv_call *call);
void kv_call_error(struct kv_call *call, const char *text);
void kv_call_value(struct kv_call *call, const struct entry *entry); /* null for NULL */
void kv_call_count(struct kv_call *call, int64_t value);

/* True when there is an error: it becomes the whole answer, in place of what was answered already. */
bool kv_call_failed(struct kv_call *call, const char *error);

/* Answers head, the command's name in lower case, tail. */
void kv_call_error_named(struct kv_call *call, const char *head, const char *tail);

/* Puts the head of an array of `count` values before what was appended to the answer since it had `begin` bytes. */
void kv_call_array_insert(struct kv_call *call, size_t begin, uint64_t count);

/* Executes one command and appends its answer. `nested`: inside a transaction. */
struct kv_request {
    const struct command *command;
    bool read;
    bool nested;
    int64_t time_ms;
    uint64_t random;
    struct buffer *reply;
};
void kv_execute(struct kv *kv, const struct kv_request *request);

/* --- one function for each command of the service --- */

#define KV_DECLARE_UPDATE(name) void kv_##name(struct kv_call *call);
#define KV_DECLARE_READ(name) void kv_##name(struct kv_call *call);
#define KV_DECLARE_FRONT(name)
#define COMMAND(id, name, op, kind, ...) KV_DECLARE_##kind(name)
#define SUBCOMMAND(...)
#define DOTTED(...)
#include "service/commands.def"
#undef COMMAND
#undef SUBCOMMAND
#undef DOTTED
void kv_exec(struct kv_call *call);
void kv_watch(struct kv_call *call);

/* --- kv_checkpoint.c and kv_restore.c --- */

void kv_checkpoint_begin(void *self);
bool kv_checkpoint_next(void *self, struct buffer *out, size_t bytes);
void kv_checkpoint_end(void *self);

/* True when the old version of an entry must be kept for the running checkpoint. */
static inline bool checkpoint_wants(const struct kv *kv, uint64_t hash, const struct entry *entry)
{
    const struct kv_checkpoint *checkpoint = &kv->checkpoint;
    return checkpoint->running && !checkpoint->walked && checkpoint->table == kv->table &&
           entry->version <= checkpoint->index && hash >= checkpoint->position;
}

/* Takes a block, which leaves the store, into the checkpoint. False when the heap is full. */
bool kv_checkpoint_keep(struct kv *kv, uint64_t hash, struct entry *entry);

void kv_restore_begin(void *self);
bool kv_restore_next(void *self, struct span bytes);
bool kv_restore_end(void *self);

/* Layout of a checkpoint: a header, then entries in the order of their hashes.
 *
 *   header = u32 magic, u32 format, u64 index, i64 now in ns, u64 number of entries, u64 zero
 *   entry  = u32 key size, u32 value size, u64 version, i64 deadline in ms (KV_NEVER: none), key, value
 *
 * The bytes are a function of the state alone, whatever happened while they were written. */
enum {
    CHECKPOINT_MAGIC = 0x31564b4c, /* "LKV1" */
    CHECKPOINT_FORMAT = 1,
    CHECKPOINT_HEADER_SIZE = 40,
    CHECKPOINT_ENTRY_SIZE = 24,
};

#endif
