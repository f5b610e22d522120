/* Heaps on memory from the operating system. */
#include "base/heap_system.h"

#include <sys/mman.h>

#include "base/panic.h"

struct heap *heap_create_system(size_t reserve)
{
    if (reserve < HEAP_REGION_SIZE_MIN || reserve > HEAP_REGION_SIZE_MAX)
        return NULL;
    /* NORESERVE: the size is address space, and says nothing about the memory that will be used. */
    void *memory = mmap(NULL, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    /* Only a hint; a kernel without huge pages refuses it, and everything works all the same. */
    (void)madvise(memory, reserve, MADV_HUGEPAGE);
#endif
    return heap_init(memory, reserve);
}

void heap_destroy_system(struct heap *heap)
{
    if (heap == NULL)
        return;
    int result = munmap(heap, heap_size(heap));
    invariant(result == 0, "a heap's region is unmapped once");
}
