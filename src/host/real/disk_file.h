/* What a disk does with files, as plain calls that block: the bodies of the door's operations (storage/disk.h). */
#ifndef LOCKSTEP_HOST_REAL_DISK_FILE_H
#define LOCKSTEP_HOST_REAL_DISK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/disk.h"

/* One operation with everything it needs, so that it can run on another thread. */
struct disk_job {
    struct disk_job *next;
    enum disk_op op;
    int directory;        /* descriptor of the data directory */
    int fd;               /* WRITE_DURABLE, WRITE, SYNC */
    bool synced;          /* the descriptor was opened with O_DSYNC */
    uint32_t handle;
    uint64_t offset;
    const void *data;
    uint64_t size;
    char name[DISK_NAME_SIZE_MAX], name_to[DISK_NAME_SIZE_MAX];
    uint64_t token;
    int status;           /* the result */
    int64_t elapsed_ns;   /* how long it took */
};

/* Runs the operation and fills in status and elapsed_ns. */
void disk_job_run(struct disk_job *job);

/* The error code for an errno. */
int disk_error_from_errno(int error);

/* Opens a file of the directory. Log files ("log-…") bypass the page cache and are durable write by write; where the
 * file system has no O_DIRECT they are only the latter. Returns a descriptor or a negative error. */
int disk_file_open(int directory, const char *name, bool create, bool *synced);

/* Reads exactly `size` bytes; ERROR_INVALID if the file ends before. */
int disk_file_read(int fd, uint64_t offset, void *data, size_t size);

/* True for a name that the door may use: short, flat, not hidden. */
bool disk_name_is_valid(const char *name);

#endif
