/* A disk in memory for the tests of this folder: its requests complete when the test says so, and a crash keeps any
 * part of what was not durable. (The world has its own, with latencies and more faults: host/world/world_disk.h.) */
#ifndef LOCKSTEP_STORAGE_DISK_TESTING_H
#define LOCKSTEP_STORAGE_DISK_TESTING_H

#include "base/heap.h"
#include "base/random.h"
#include "storage/disk.h"

enum { DISK_TESTING_FILES_MAX = 128, DISK_TESTING_PENDING_MAX = 64, DISK_TESTING_SECTOR = 512 };

struct disk_testing_file {
    char name[DISK_NAME_SIZE_MAX]; /* empty: unused, or removed while open */
    uint8_t *seen, *stable;        /* what readers see; what a crash cannot take away */
    uint8_t *bad;                  /* for each 4 KiB block: cannot be read; a write heals it */
    size_t size, stable_size;
    uint32_t open_count;
    bool used;
};

struct disk_testing_pending {
    enum disk_op op;
    uint32_t file;
    uint64_t offset, token;
    const uint8_t *data;
    size_t size;
    char name[DISK_NAME_SIZE_MAX], name_to[DISK_NAME_SIZE_MAX];
};

struct disk_testing {
    struct disk door;
    struct heap *heap;
    struct random random;
    struct disk_testing_file files[DISK_TESTING_FILES_MAX];
    struct disk_testing_pending pending[DISK_TESTING_PENDING_MAX];
    uint32_t pending_count;
    size_t capacity;      /* bytes that can be allocated; SIZE_MAX at first */
    bool completes_later; /* else submit() does it at once */
    int fail_writes;      /* status of every write and sync, when negative */
    bool fail_sync_only;
    uint64_t writes_begun, reads;
};

/* An empty disk that completes at once. */
void disk_testing_init(struct disk_testing *disk, struct heap *heap, uint64_t seed);
void disk_testing_free(struct disk_testing *disk);
/* Does one of the pending requests, by its place. Returns its token and status. */
uint64_t disk_testing_complete(struct disk_testing *disk, uint32_t place, int *status);
/* All handles go; each pending request and unsynced sector is kept, lost or torn, as drawn. */
void disk_testing_crash(struct disk_testing *disk);
struct disk_testing_file *disk_testing_file(struct disk_testing *disk, const char *name);
size_t disk_testing_bytes(const struct disk_testing *disk);

#endif
