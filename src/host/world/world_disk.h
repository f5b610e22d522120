/* A simulated disk behind the door of storage/disk.h. It survives the crashes of its process, and keeps of what was
 * not durable then whatever a drawn number says: nothing, all, or any part. */
#ifndef LOCKSTEP_HOST_WORLD_DISK_H
#define LOCKSTEP_HOST_WORLD_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "storage/disk.h"

enum { WORLD_SECTOR_SIZE = 512 }; /* what a disk writes whole or not at all, unless the write is torn inside */

/* How the disk behaves now; its owner may change it at any time. */
struct world_disk_manner {
    bool inline_writes;      /* durable writes return DISK_DONE; their time is added to spent_ns */
    int64_t latency_ns;      /* least time of one operation */
    int64_t latency_tail_ns; /* unit of the geometric tail on top */
    int64_t stalled_until_ns;
    uint32_t slow_factor;    /* multiplies latencies; 1 is normal */
    bool full;               /* nothing can be allocated, no file can grow */
    /* Of every crash's undecided writes, in thousandths: lost whole, kept whole; the rest is torn. */
    uint32_t lost_permille, kept_permille;
    uint32_t unreadable_permille; /* of reads: ERROR_IO */
};

/* What is wrong with the medium itself: see the faults below. Counters say how often each has struck. */
struct world_disk_medium {
    bool lies;
    bool ill; /* something has struck since the disk was new or wiped */
    uint32_t lose_left, misdirect_left;
    uint64_t misdirect_draw;
    uint64_t lied, lost, misdirected, rotten_bits, latent_sectors, unreadable_reads;
};

struct world_disk_operation;
struct world_file;

struct world_disk {
    struct disk door; /* first: the door's functions get a pointer to it */
    struct heap *heap;
    uint64_t seed; /* latencies are drawn by it and the number of the operation */
    struct world_disk_manner manner;
    struct world_disk_medium medium;
    uint64_t capacity_bytes;
    uint64_t used_bytes;
    int64_t now_ns;   /* the owner keeps it up to date */
    int64_t spent_ns; /* time that inline operations took; the owner takes it away */
    /* Called by submit(): the operation is to be finished at that time by world_disk_finish. */
    void (*schedule)(void *context, struct world_disk_operation *operation, int64_t at_ns);
    void *context;
    struct world_file *files;                   /* by name, ascending */
    struct world_disk_operation *pending;       /* in the order submitted */
    struct world_disk_operation **pending_last; /* where the next one is linked */
    uint32_t next_handle;
    uint64_t operations, reads, crashes, torn_writes, lost_writes; /* counters */
};

/* An empty disk. All its memory comes from `heap`. */
void world_disk_init(struct world_disk *disk, struct heap *heap, uint64_t seed, uint64_t capacity_bytes,
                     void (*schedule)(void *context, struct world_disk_operation *operation, int64_t at_ns),
                     void *context);
/* Frees all files. No operation may be scheduled any more that is not dead. */
void world_disk_free(struct world_disk *disk);

/* The time of an operation has come: it takes effect. True: it is complete with that token and status. False: its
 * process died in between. The operation is gone either way. */
bool world_disk_finish(struct world_disk *disk, struct world_disk_operation *operation, uint64_t *token, int *status);

/* The process is gone: closes all files and decides about everything that was not durable. The data of operations in
 * flight must still be where submit() was told. */
void world_disk_crash(struct world_disk *disk);
/* The same by that draw: 0, nothing is kept; else any part, by the manner, and with the lowest bit set writes may tear
 * inside a sector. */
void world_disk_crash_by(struct world_disk *disk, uint64_t draw);

/* Amnesia: the disk is replaced by an empty one. After world_disk_crash. */
void world_disk_wipe(struct world_disk *disk);

/* Faults that are placed: flips one bit of a file's durable contents; false if the file is not that long. */
bool world_disk_flip(struct world_disk *disk, const char *name, uint64_t offset, unsigned bit);

/* ---- faults of the medium (world_disk_faults.c) ----
 *
 * Stable storage may decay, tear, lose and misplace what was written (Lampson and Sturgis, "Crash recovery in a
 * distributed data storage system", 1979); the kinds here are those that studies of real disks report (Bairavasundaram
 * et al., "An analysis of latent sector errors in disk drives", SIGMETRICS 2007, and "An analysis of data corruption in
 * the storage stack", FAST 2008). Names and sizes of files are never hurt. All that is drawn comes from `draw`. */

/* From now on, durable writes and syncs complete, and are not: a crash loses any part, or all, of what they were told.
 * When the lie ends, what the disk still has in its cache becomes durable. */
void world_disk_lie(struct world_disk *disk, bool lies);
/* The next so many writes are acknowledged and lost; readers see what was there before. */
void world_disk_lose(struct world_disk *disk, uint32_t writes);
/* The next write lands on another block of its file, which it overwrites; a file of one block loses it. */
void world_disk_misdirect(struct world_disk *disk, uint64_t draw);
/* Flips so many bits of what is durable, where something was written if there is such a place near. Returns how many:
 * none on a disk without contents. */
uint32_t world_disk_rot(struct world_disk *disk, uint32_t bits, uint64_t draw);
/* So many durable sectors can no longer be read (ERROR_IO), until they are written again. Returns how many. */
uint32_t world_disk_latent(struct world_disk *disk, uint32_t sectors, uint64_t draw);
/* What has not struck yet will not: no lie, no loss, no misdirection. What was hurt stays hurt. */
void world_disk_well(struct world_disk *disk);

/* An empty disk gets what is durable on another. */
void world_disk_copy(struct world_disk *to, const struct world_disk *from);

/* Bytes in files. */
uint64_t world_disk_used(const struct world_disk *disk);

#endif
