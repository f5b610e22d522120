/* Aligned memory for the disk. The heap aligns to 16 bytes only, so a block is that much larger. */
#include "storage/disk_memory.h"

#include "storage/disk.h"

uint8_t *disk_memory(struct heap *heap, size_t size, void **block)
{
    uint8_t *memory = heap_alloc(heap, size + DISK_ALIGNMENT);
    *block = memory;
    if (memory == NULL)
        return NULL;
    size_t over = (size_t)((uintptr_t)memory % DISK_ALIGNMENT);
    return over == 0 ? memory : memory + (DISK_ALIGNMENT - over);
}
