/* Memory that the disk's door accepts: aligned to DISK_ALIGNMENT. */
#ifndef LOCKSTEP_STORAGE_DISK_MEMORY_H
#define LOCKSTEP_STORAGE_DISK_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"

/* `size` aligned bytes; `*block` is what heap_free takes. NULL, and `*block` too, when the heap is full. */
uint8_t *disk_memory(struct heap *heap, size_t size, void **block);

#endif
