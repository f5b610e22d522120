/* Checkpoints beside the log: interface. The format opens checkpoint.c.
 *
 * A checkpoint of a group is one file. It is written piece by piece to a temporary name, synced, renamed, and read
 * back (verified) before anyone is told that it is durable; the two youngest are kept. */
#ifndef LOCKSTEP_STORAGE_CHECKPOINT_H
#define LOCKSTEP_STORAGE_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "base/sha256.h"
#include "storage/disk.h"

struct checkpoint_head {
    uint32_t group;
    uint32_t node;       /* that wrote it first */
    uint64_t cluster;
    uint64_t index;      /* the service's state is that after this index */
    uint64_t keep_from;  /* the member's records from this position on follow it; 0 in one that came from a peer */
    uint64_t part_size;  /* bytes of the protocol's own part, the first of the content */
    uint64_t table_size; /* bytes of the session table, after it; then the service's pieces up to the end */
    uint64_t size;       /* of the content */
    uint64_t digest;     /* of the content and index: identifies these bytes (checkpoint.c) */
    bool sealed;         /* the seal is computed while the content is written */
    struct sha256_seal seal; /* of content, sizes and index: identifies them to who trusts nobody */
};

/* ---- writing one ---- */
struct checkpoint_writer;
/* Begins a file for the group at that index (temporary name). Several groups may write at the same time; one per
 * group. */
int checkpoint_begin(struct checkpoint_writer **out, struct heap *heap, struct disk *disk,
                     const struct checkpoint_head *head);
/* True when another piece may be added now (at most two pieces are in flight). */
bool checkpoint_ready(const struct checkpoint_writer *writer);
/* Adds a piece of content; copies it. */
int checkpoint_add(struct checkpoint_writer *writer, struct span bytes);
/* No more pieces: writes the head and trailer, syncs, verifies by reading back a bounded part at each completion,
 * renames. `keep_from` and sizes may have become known only now. A size, digest or seal that is not 0 must be what comes
 * out, else ERROR_CORRUPT: for content that came from a peer. */
int checkpoint_finish(struct checkpoint_writer *writer, const struct checkpoint_head *head);
/* A submitted request is complete; a token of somebody else is passed over. Returns 1 when the whole checkpoint is
 * durable and verified, 0 to go on, negative when it failed and the disk holds none of the writer's memory any more
 * (the file is removed; nothing old is lost; ERROR_NO_SPACE is a failure like others). */
int checkpoint_complete(struct checkpoint_writer *writer, uint64_t token_value, int status);
/* The final head, digest included, once complete. */
const struct checkpoint_head *checkpoint_written(const struct checkpoint_writer *writer);
/* True while the disk holds memory of the writer: it must not be freed then, unless the disk itself goes. */
bool checkpoint_busy(const struct checkpoint_writer *writer);
/* Frees the writer; gives up and removes the temporary file if it was not complete. */
void checkpoint_writer_free(struct checkpoint_writer *writer);
/* Work that continues without a completion (verification piece by piece); call once a turn. As checkpoint_complete. */
int checkpoint_step(struct checkpoint_writer *writer);
/* True when checkpoint_step has something to do now, rather than wait for the disk. */
bool checkpoint_wants_step(const struct checkpoint_writer *writer);

/* ---- reading one ---- */
/* Finds the youngest valid checkpoint of the group and removes leftovers (temporary files, third oldest). 0,
 * ERROR_NOT_FOUND (there is none), ERROR_CORRUPT (files are there but none is valid: `why` names them),
 * ERROR_WRONG_CLUSTER. All of its content is verified. When the youngest is damaged, this is the one before it: the
 * caller sees from keep_from whether the log still reaches back so far. */
int checkpoint_latest(struct heap *heap, struct disk *disk, uint64_t cluster, uint32_t group,
                      struct checkpoint_head *head, char *why, size_t why_size);
/* Removes all files of the group, unfinished ones too; nobody reads or writes one of them. 0 or a negative error. */
int checkpoint_remove_all(struct disk *disk, uint32_t group);
/* The groups that have files, ascending, the first `size` of them. 0 or a negative error. */
int checkpoint_groups(struct disk *disk, uint32_t *out, uint32_t size, uint32_t *count);
/* Reads `size` bytes of the content of a valid checkpoint at an offset. */
struct checkpoint_reader;
int checkpoint_open(struct checkpoint_reader **out, struct heap *heap, struct disk *disk, uint32_t group,
                    uint64_t index, struct checkpoint_head *head);
/* `*bytes` stays valid until the next call; at most `size` (≤ 1 MiB) bytes, fewer at the end. Verifies the CRC of every
 * block it touches: ERROR_CORRUPT. */
int checkpoint_read(struct checkpoint_reader *reader, uint64_t offset, size_t size, struct span *bytes);
void checkpoint_reader_free(struct checkpoint_reader *reader);

#endif
