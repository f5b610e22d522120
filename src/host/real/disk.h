/* The real disk: a data directory behind the door of storage/disk.h.
 *
 * Small durable writes on a fast disk are done at once, on the loop: submit() returns DISK_DONE, and nothing had to be
 * woken. Large ones, and all of them while the disk is slow by a moving average of what was measured, go to a thread,
 * in order. Allocations, buffered writes, syncs, renames and removals go to a second thread, so that no log write
 * waits behind them. */
#ifndef LOCKSTEP_HOST_REAL_DISK_H
#define LOCKSTEP_HOST_REAL_DISK_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "storage/disk.h"

struct real_disk;

struct real_disk_options {
    const char *path;           /* of the directory; it is made if it is not there */
    size_t inline_bytes_max;    /* larger durable writes go to the thread; 0: all of them */
    int64_t slow_ns;            /* from this average on all durable writes go to the thread */
    /* Called from the loop, once for each submitted operation that did not return DISK_DONE. */
    void (*complete)(void *context, uint64_t token, int status);
    void *context;
};

enum {
    REAL_DISK_INLINE_BYTES_MAX = 32 * 1024,
    REAL_DISK_SLOW_NS = 2000000,
};

struct real_disk_counters {
    uint64_t writes_inline, writes_threaded;
    int64_t average_ns; /* of a durable write, moving */
    int64_t max_ns;
};

/* Opens the directory and locks it. 0, or a negative error with a sentence in `why` (ERROR_BUSY: another process has
 * it). */
int real_disk_open(struct real_disk **out, uv_loop_t *loop, const struct real_disk_options *options, char *why,
                   size_t why_size);
struct disk *real_disk_door(struct real_disk *disk);
const struct real_disk_counters *real_disk_counters(const struct real_disk *disk);
/* Operations submitted and not yet complete. */
uint32_t real_disk_pending(const struct real_disk *disk);
/* Ends the threads: the operation that each runs is finished, those that wait are dropped, and no completion follows.
 * After that the memory that operations named may go; files stay open until real_disk_close. */
void real_disk_stop(struct real_disk *disk);
/* Stops, closes everything and unlocks the directory. The loop must run once more to close its handle; then, and not
 * before, the memory may go: real_disk_free. */
void real_disk_close(struct real_disk *disk);
void real_disk_free(struct real_disk *disk);

#endif
