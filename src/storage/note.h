/* A note: a small file that is replaced whole, so that after a crash at any point it holds the old content or the new.
 *
 * One or two blocks with checksums, written and read back under a temporary name and then renamed (Gray and Reuter,
 * "Transaction Processing", 1993, section 4.4: duplexed or careful replacement; here the careful one). Damage by age is
 * noticed, not masked. */
#ifndef LOCKSTEP_STORAGE_NOTE_H
#define LOCKSTEP_STORAGE_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "storage/disk.h"

enum { NOTE_BYTES_MAX = 2 * DISK_ALIGNMENT - 32, NOTE_NAME_SIZE_MAX = 32 };

/* Replaces the note of that name; `cluster` and `node` say whose it is. 0 when it is durable; else a negative error,
 * and the old one is still there. Bytes beyond NOTE_BYTES_MAX are ERROR_TOO_LARGE. */
int note_write(struct disk *disk, struct heap *heap, const char *name, uint64_t cluster, uint32_t node,
               struct span bytes);

/* Reads it into `out`. 0 and `*size`; ERROR_NOT_FOUND; ERROR_CORRUPT; ERROR_VERSION; ERROR_WRONG_CLUSTER;
 * ERROR_WRONG_NODE. */
int note_read(struct disk *disk, struct heap *heap, const char *name, uint64_t cluster, uint32_t node,
              uint8_t out[NOTE_BYTES_MAX], size_t *size);

#endif
