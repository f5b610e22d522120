/* Who this data directory belongs to: the small file "identity", written twice (copy A, copy B, one after the other)
 * so that one of them always survives, each with a CRC. */
#ifndef LOCKSTEP_STORAGE_IDENTITY_H
#define LOCKSTEP_STORAGE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "storage/disk.h"

struct identity {
    uint64_t cluster;     /* hash of the cluster's name and its first members */
    uint32_t node;
    uint64_t incarnation; /* of the last start */
    bool initialised;     /* the node was started with --init, or was filled from its peers */
};

/* 0, ERROR_NOT_FOUND (a new directory), ERROR_CORRUPT (neither copy is good), ERROR_VERSION. */
int identity_read(struct disk *disk, struct heap *heap, struct identity *out);
int identity_write(struct disk *disk, struct heap *heap, const struct identity *identity);

#endif
