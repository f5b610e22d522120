/* Memory of the log: arrays that grow. */
#include "storage/wal_internal.h"

bool wal_grow(struct heap *heap, void **array, size_t count, size_t *size, size_t element_size)
{
    if (count < *size)
        return true;
    size_t larger = *size == 0 ? 8 : *size * 2;
    void *moved = heap_resize(heap, *array, larger * element_size);
    if (moved == NULL)
        return false;
    *array = moved;
    *size = larger;
    return true;
}
