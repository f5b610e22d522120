/* A heap inside one region of memory that the caller gives.
 *
 * Every member of a group allocates from a heap of its own: so its memory is bounded by its specification, a step is
 * repeatable, and dropping a member is dropping its region. The heap makes no system call and keeps all its state in
 * the region. Where a block lies, as an offset from the start of the region, depends only on the region's size and on
 * the calls made so far, never on the region's address. Memory is touched only as it is used, so a region may be
 * reserved far larger than the machine's memory.
 *
 * Not thread-safe: one heap, one owner. heap.c describes the method. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>

struct heap;

/* The smallest and the largest region that heap_init takes, in bytes (8 KiB and 64 TiB). */
#define HEAP_REGION_SIZE_MIN ((size_t)8 << 10)
#define HEAP_REGION_SIZE_MAX ((size_t)1 << 46)

/* Every block starts at a multiple of this many bytes. */
#define HEAP_ALIGNMENT 16

/* Makes an empty heap in `size` bytes at `memory`, which must be aligned to HEAP_ALIGNMENT (an invariant) and remains
 * the caller's; what it held does not matter. Returns the heap, which lies at `memory`, or NULL when `size` is outside
 * the bounds above. There is no counterpart: to end a heap, stop using its region. */
struct heap *heap_init(void *memory, size_t size);

/* A block of at least `size` bytes with unspecified contents, aligned to HEAP_ALIGNMENT; NULL when the heap has no
 * room. A size of 0 gives a valid block too. The block belongs to the caller until heap_free. */
void *heap_alloc(struct heap *heap, size_t size);

/* The same, filled with zeros over its whole usable size. */
void *heap_alloc_zero(struct heap *heap, size_t size);

/* Gives a block back; NULL is ignored. A pointer that is no live block of this heap breaks an invariant when it is
 * noticed, which holds for every second free of a block that has not been handed out again. */
void heap_free(struct heap *heap, void *block);

/* Makes a block hold at least `size` bytes, in place when possible, else by moving it; the bytes that both sizes share
 * are kept. A NULL block is allocated. Returns the block's new place, or NULL when there is no room, and then the old
 * block is untouched and still the caller's; asking for no more than heap_size_of never fails. */
void *heap_resize(struct heap *heap, void *block, size_t size);

/* How many bytes a live block can hold, at least what was asked for; all of them may be used. */
size_t heap_size_of(const void *block);

/* Bytes in live blocks, with their headers and rounding; 0 when every block has been freed. Free space inside runs
 * and between blocks is not counted, so a heap can be full before this reaches heap_size. */
size_t heap_used(const struct heap *heap);

/* Size of the region in bytes, as given to heap_init. */
size_t heap_size(const struct heap *heap);

/* How far from the start of the region the heap has ever to be looked at, in bytes: everything from there on holds
 * nothing now. To copy the used part of a region is to copy this many bytes. It falls when the last blocks go. */
size_t heap_extent(const struct heap *heap);

/* Checks every header, link and count of the heap and stops the process when one is wrong. Takes time proportional to
 * the number of blocks: for tests and for check(). */
void heap_check(const struct heap *heap);

#endif
