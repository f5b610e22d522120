/* Files of the simulated disk, private to world_disk*.c: what a reader sees, and what a crash would leave. */
#ifndef LOCKSTEP_HOST_WORLD_DISK_FILE_H
#define LOCKSTEP_HOST_WORLD_DISK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/random.h"
#include "host/world/world_disk.h"

struct image {
    uint8_t *data;
    size_t size, capacity;
};

/* A range that was written but not synced. */
struct dirty {
    uint64_t offset, size;
};

struct world_file {
    struct world_file *next;
    char name[DISK_NAME_SIZE_MAX]; /* empty: removed while open */
    uint32_t handle;               /* 0: never opened */
    uint32_t open_count;
    uint32_t busy_count; /* operations in flight on it */
    struct image seen;    /* by readers */
    bool split;           /* the durable image differs; else `seen` is durable */
    struct image durable; /* only when split */
    struct dirty *dirty;  /* only when split: where they may differ */
    size_t dirty_count, dirty_capacity;
    bool lied;      /* some of that was told to be durable */
    uint64_t *bad;  /* numbers of the sectors that cannot be read */
    size_t bad_count, bad_capacity;
};

struct world_file *world_file_create(struct heap *heap);
void world_file_free(struct heap *heap, struct world_file *file);

/* Sets the size, with zeros in what is new, of both images. */
void world_file_resize(struct heap *heap, struct world_file *file, size_t size);
/* Writes and makes durable. */
void world_file_write_durable(struct heap *heap, struct world_file *file, uint64_t offset, const uint8_t *data,
                              size_t size);
/* Writes what a crash may still take back. */
void world_file_write(struct heap *heap, struct world_file *file, uint64_t offset, const uint8_t *data, size_t size);
/* Makes the first `mark` of the dirty ranges durable. */
void world_file_sync(struct heap *heap, struct world_file *file, size_t mark);

enum tear { TEAR_LOST, TEAR_KEPT, TEAR_TORN };

/* A torn write of one piece: a prefix, or any subset of its sectors; inside a sector only if allowed. */
void world_file_write_torn(struct heap *heap, struct world_file *file, uint64_t offset, const uint8_t *data,
                           size_t size, struct random *random, bool inside_sectors);
/* Decides about everything that was not synced; afterwards both images are one. */
void world_file_crash(struct heap *heap, struct world_file *file, enum tear tear, struct random *random);

/* ---- world_disk_faults.c ---- */

/* A write of the process, as the medium takes it. */
void world_disk_take_write(struct world_disk *disk, struct world_file *file, bool durable, uint64_t offset,
                           const uint8_t *data, size_t size);
void world_disk_take_sync(struct world_disk *disk, struct world_file *file, size_t mark);
bool world_disk_readable(struct world_disk *disk, const struct world_file *file, uint64_t offset, size_t size);

/* ---- world_disk_names.c ---- */

/* The file of that name, or of that handle while it is open; NULL when there is none. */
struct world_file *world_disk_find(struct world_disk *disk, const char *name);
struct world_file *world_disk_find_open(struct world_disk *disk, uint32_t handle);
/* A new, empty file. */
struct world_file *world_disk_make(struct world_disk *disk, const char *name);
/* Gives a file another name. */
void world_disk_rename(struct world_disk *disk, struct world_file *file, const char *name);
/* Takes the name away; the file goes once it is unused. */
void world_disk_remove(struct world_disk *disk, struct world_file *file);
/* Somebody has ceased to use it: without a name it may go now. */
void world_disk_unused(struct world_disk *disk, struct world_file *file);

#endif
