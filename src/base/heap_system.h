/* Heaps on memory from the operating system, for the hosts, the laboratory and the command line.
 *
 * The cores never use this file: their heap is handed to them. */
#ifndef BASE_HEAP_SYSTEM_H
#define BASE_HEAP_SYSTEM_H

#include <stddef.h>

#include "base/heap.h"

/* Reserves `reserve` bytes of address space and makes a heap in it. Pages are taken from the machine only when they
 * are first touched, so reserve generously; huge pages are asked for. Returns NULL when the size is outside the
 * heap's bounds or the system refuses. Ends with heap_destroy_system. */
struct heap *heap_create_system(size_t reserve);

/* Returns the whole region, with every block in it, to the system; NULL is ignored. Only for heaps that
 * heap_create_system made. */
void heap_destroy_system(struct heap *heap);

#endif
