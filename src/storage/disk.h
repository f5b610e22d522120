/* The door to a disk: submit and complete.
 *
 * Everything that storage/ wants of a machine goes through this one table, so that the world simulates nothing but the
 * disk itself. Files lie in one flat directory and are named by short names ("log-0000000001"). Reads and the calls in
 * the second half happen at once (start-up, recovery, cold reads of a bounded size); what is submitted completes later
 * by disk_complete_fn, in any order, never inside submit() unless the host says so by returning DISK_DONE.
 *
 * What is durable: DISK_WRITE_DURABLE when it completes; DISK_WRITE only after a DISK_SYNC of that file completed;
 * create (but for names that end in .tmp), rename, remove when they return or complete. A crash may keep any part of what was not durable. */
#ifndef LOCKSTEP_STORAGE_DISK_H
#define LOCKSTEP_STORAGE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DISK_ALIGNMENT = 4096, /* of offset, size and memory of durable writes and of every read */
    DISK_NAME_SIZE_MAX = 64,
    DISK_PENDING = 0, /* submit(): the completion follows */
    DISK_DONE = 1,    /* submit(): it was done at once, successfully; no completion follows */
};

enum disk_op {
    DISK_WRITE_DURABLE, /* aligned; durable when complete */
    DISK_WRITE,         /* any size */
    DISK_SYNC,          /* file data and size */
    DISK_ALLOCATE,      /* create `name` with `size` bytes, every block written (zeros), synced, directory synced */
    DISK_RESERVE,       /* the same without writing the blocks: quick, for what cannot wait; the room is certain */
    DISK_RENAME,        /* `name` to `name_to`, replacing it; directory synced */
    DISK_REMOVE,        /* `name`; absent is fine */
};

static inline bool disk_op_creates(enum disk_op op) { return op == DISK_ALLOCATE || op == DISK_RESERVE; }

struct disk_request {
    enum disk_op op;
    uint32_t handle;     /* of the file, for WRITE and SYNC */
    uint64_t offset;
    const void *data;    /* must live until completion */
    size_t size;
    const char *name, *name_to;
    uint64_t token;      /* comes back with the completion */
};

struct disk {
    /* DISK_PENDING, DISK_DONE, or a negative error (nothing was begun). */
    int (*submit)(struct disk *disk, const struct disk_request *request);
    /* The same at once, for start-up: 0 or a negative error. */
    int (*now)(struct disk *disk, const struct disk_request *request);
    /* Opens a file; creates it empty if `create`. 0 and a handle, or ERROR_NOT_FOUND and others. */
    int (*open)(struct disk *disk, const char *name, bool create, uint32_t *handle);
    void (*close)(struct disk *disk, uint32_t handle);
    int (*size)(struct disk *disk, uint32_t handle, uint64_t *size_bytes);
    /* Reads exactly `size` bytes, aligned as above; the file must reach that far (ERROR_INVALID otherwise). ERROR_IO:
     * a sector that cannot be read. */
    int (*read)(struct disk *disk, uint32_t handle, uint64_t offset, void *data, size_t size);
    /* Calls `visit` for each file name, in ascending order. */
    int (*list)(struct disk *disk, void (*visit)(void *context, const char *name), void *context);
    /* Bytes that can still be allocated; UINT64_MAX if unknown. */
    uint64_t (*room)(struct disk *disk);
};

/* How the host tells of a completion: status 0 or a negative error. The host calls node_disk_complete, which hands the
 * token to wal_complete or checkpoint_complete. Tokens' high byte says whose: */
enum { DISK_TOKEN_LOG = 1, DISK_TOKEN_CHECKPOINT = 2 };
static inline uint64_t disk_token(unsigned owner, uint64_t value) { return ((uint64_t)owner << 56) | value; }
static inline unsigned disk_token_owner(uint64_t token) { return (unsigned)(token >> 56); }
static inline uint64_t disk_token_value(uint64_t token) { return token & ((UINT64_C(1) << 56) - 1); }

#endif
