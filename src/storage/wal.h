/* The write-ahead log of a node, for all its members: interface. The format opens wal.c.
 *
 * The caller appends records into the memory image of the current segment, and once a turn begins one durable write of
 * everything appended since the last one began. When a write completes, the positions of each group's member that are
 * now safe have risen. Records stay readable, from the image or from the disk, until they are released. */
#ifndef LOCKSTEP_STORAGE_WAL_H
#define LOCKSTEP_STORAGE_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "contract/header.h"
#include "storage/disk.h"

struct wal;

struct wal_options {
    uint32_t node;
    uint64_t incarnation;
    uint64_t cluster;            /* identity; a log of another cluster or node is refused */
    uint64_t segment_bytes;      /* of a normal segment; a larger record gets a segment of its own size */
    uint32_t segments_ahead;     /* allocated and zeroed before they are needed */
    uint64_t reserve_bytes;      /* of room kept for small records (votes) when the disk is full */
    uint32_t writes_inflight_max; /* durable writes begun and not complete */
    uint32_t groups_max;
    bool report_before_sync;     /* ablation: positions count as stored once appended */
};

/* What recovery found, record by record in order of each group's positions. */
struct wal_found {
    uint32_t group;
    uint8_t slot;
    uint16_t type;
    uint64_t position;
    struct span body; /* borrowed for the call */
    bool gap;         /* damage: the records from `position` to the next one told of the group, or to its
                         wal_next_position when none is told, are lost. Harmless when all of them are below what the
                         member's checkpoint says to keep. */
};

enum wal_condition {
    WAL_NEW,     /* the directory had no log */
    WAL_CLEAN,   /* all records that were ever synced are there */
    WAL_DAMAGED, /* some that were synced are not; gaps were told */
};

/* Opens or creates the log. `found` is called for each record still held, in the order written (so ascending for each
 * group), and for gaps. Records that were released may be told again, with jumps between them that are no gaps: the
 * caller passes over what is below its checkpoint's keep_from, misses what is not told from there on, and releases.
 * Returns 0 and the log; ERROR_WRONG_NODE, ERROR_WRONG_CLUSTER, ERROR_VERSION, ERROR_IO, ERROR_NO_SPACE,
 * ERROR_NO_MEMORY with a sentence in `why`. Memory comes from `heap`. */
int wal_open(struct wal **out, struct heap *heap, struct disk *disk, const struct wal_options *options,
             enum wal_condition *condition, void (*found)(void *context, const struct wal_found *found), void *context,
             char *why, size_t why_size);
/* Closes files; what is not written is lost. */
void wal_close(struct wal *wal);

/* Position that the next record of the group gets, and the last one that is safe. */
uint64_t wal_next_position(const struct wal *wal, uint32_t group);
uint64_t wal_stored_position(const struct wal *wal, uint32_t group);
/* For a group whose member starts anew at a position (adopted, or its first). Records that it still holds are
 * released; the position is not lower than the next one unless there are none. */
void wal_set_next_position(struct wal *wal, uint32_t group, uint64_t position);
/* After WAL_DAMAGED: true for a group of which nothing was told, so that it may have lost everything. */
bool wal_may_lack(const struct wal *wal, uint32_t group);

/* Appends a record to the image and gives it the next position of its group. ERROR_NO_SPACE: neither the allocated
 * segments nor the disk have room (small records may use the reserve); ERROR_TOO_LARGE. */
int wal_append(struct wal *wal, uint32_t group, uint8_t slot, uint16_t type, struct span head, struct span tail,
               uint64_t *position);

/* True if something appended is not yet being written and another write may begin. */
bool wal_wants_write(const struct wal *wal);
/* Bytes that wal_write would write now. */
size_t wal_write_size(const struct wal *wal);
/* Begins one durable write of everything appended so far. 1: done at once (the disk was inline), 0: under way or
 * nothing to do, negative: the disk failed; after that the node must stop. */
int wal_write(struct wal *wal);
/* A submitted request of the log is complete. Negative result: the disk failed, the node must stop (never retried);
 * ERROR_NO_SPACE of an allocation is not a failure: room shrinks, and allocation is tried again from wal_tick(). */
int wal_complete(struct wal *wal, uint64_t token_value, int status);
/* Time passes: retries an allocation that found the disk full, at most every 200 ms. */
void wal_tick(struct wal *wal, int64_t now_ns);

/* The body of a stored or appended record: from the image, or read from the disk into memory that stays valid until
 * the next call. 0, ERROR_NOT_FOUND (released or never there), ERROR_CORRUPT, ERROR_IO. */
int wal_read(struct wal *wal, uint32_t group, uint64_t position, uint8_t *slot, uint16_t *type, struct span *body);
/* Encoded size of a record's body without reading it; 0 if it is not there. */
uint64_t wal_record_size(const struct wal *wal, uint32_t group, uint64_t position);

/* The group no longer needs records before `position`; segments that nobody needs are recycled or removed. */
void wal_release(struct wal *wal, uint32_t group, uint64_t position);
uint64_t wal_first_position(const struct wal *wal, uint32_t group);
/* The group is gone for ever: all its records are released, and once none is under way to the disk it no longer counts
 * as one of groups_max. Its records may be told again at the next opening, until their segments are recycled. */
void wal_forget(struct wal *wal, uint32_t group);

/* Bytes of records that can still be appended; 0 when new work must be refused. A quarter of a segment beside the
 * reserve is left then, for what is under way. Needs segments_ahead > 0 to see a full disk before it is too late. */
uint64_t wal_room(const struct wal *wal);

struct wal_counters {
    uint64_t writes, bytes, records, reads_cold, segments, allocations_refused;
    uint64_t torn_bytes_cut; /* at the last opening */
    uint64_t damaged_records;
};
const struct wal_counters *wal_counters(const struct wal *wal);

/* Heap bytes that a log with these options needs (the region may be larger): its images, and an index of
 * segment_bytes / 12 records. Records larger than a segment need three times their size beside it, and each further
 * record held up to 48 bytes. */
size_t wal_heap_size(const struct wal_options *options);

#endif
