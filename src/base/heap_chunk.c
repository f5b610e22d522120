/* Chunks: a two-level segregated fit with boundary tags.
 *
 * Follows Masmano, Ripoll, Crespo and Real, "TLSF: a new dynamic memory allocator for real-time systems", ECRTS 2004:
 * free chunks are listed by size, two bitmaps find the smallest list that surely fits, and neighbours are merged at
 * once, so take and give need constant time. Two deviations. The list of the wanted size itself, whose chunks may or
 * may not fit, is probed a few steps deep first: so a chunk that was given back serves the next request of its size,
 * and large blocks that come and go reuse one place. And what was never used is no free chunk but lies beyond `top`,
 * which moves up only when no list serves: so memory is touched only when needed, whatever the region's size.
 *
 * Invariants: no two free chunks adjoin; the last chunk before top is in use; each free chunk is in exactly the list
 * of its size; the bitmaps say which lists are not empty. */
#include "base/heap_chunk.h"

#include "base/panic.h"

/* How many chunks of the wanted size's own list are looked at. */
#define PROBES_MAX 8

static unsigned log2_floor(uint64_t value)
{
    return 63 - (unsigned)__builtin_clzll(value);
}

unsigned chunk_bin(uint64_t size)
{
    unsigned log = log2_floor(size);
    unsigned part = (unsigned)(size >> (log - 3)) & (BIN_PARTS - 1);
    return (log - BIN_LOG_MIN) * BIN_PARTS + part;
}

/* Links of a free chunk. */
static uint64_t next_of(const struct heap *heap, uint64_t chunk)
{
    return heap_word(heap, chunk + 8);
}

static void next_set(struct heap *heap, uint64_t chunk, uint64_t next)
{
    heap_word_set(heap, chunk + 8, next);
}

static uint64_t previous_of(const struct heap *heap, uint64_t chunk)
{
    return heap_word(heap, chunk + 16);
}

static void previous_set(struct heap *heap, uint64_t chunk, uint64_t previous)
{
    heap_word_set(heap, chunk + 16, previous);
}

/* Turns [chunk, chunk + size) into a free chunk whose neighbours are in use, and lists it. */
static void list_add(struct heap *heap, uint64_t chunk, uint64_t size)
{
    unsigned bin = chunk_bin(size);
    unsigned log = bin / BIN_PARTS;
    unsigned part = bin % BIN_PARTS;
    uint64_t head = heap->bins[log][part];

    heap_word_set(heap, chunk, WORD_MARK | size | WORD_PREVIOUS_IN_USE);
    heap_word_set(heap, chunk + size - 8, size);
    next_set(heap, chunk, head);
    previous_set(heap, chunk, 0);
    if (head != 0)
        previous_set(heap, head, chunk);
    heap->bins[log][part] = chunk;
    heap->bin_parts[log] |= (uint8_t)(1u << part);
    heap->bin_logs |= UINT64_C(1) << log;
}

static void list_remove(struct heap *heap, uint64_t chunk)
{
    unsigned bin = chunk_bin(chunk_size(heap_word(heap, chunk)));
    unsigned log = bin / BIN_PARTS;
    unsigned part = bin % BIN_PARTS;
    uint64_t next = next_of(heap, chunk);
    uint64_t previous = previous_of(heap, chunk);

    if (next != 0)
        previous_set(heap, next, previous);
    if (previous != 0) {
        next_set(heap, previous, next);
        return;
    }
    invariant(heap->bins[log][part] == chunk, "a free chunk without a predecessor heads its list");
    heap->bins[log][part] = next;
    if (next == 0) {
        heap->bin_parts[log] &= (uint8_t)~(1u << part);
        if (heap->bin_parts[log] == 0)
            heap->bin_logs &= ~(UINT64_C(1) << log);
    }
}

/* The first free chunk in a list above `bin`; each of them is larger than any size of that bin. */
static uint64_t find_above(const struct heap *heap, unsigned bin)
{
    unsigned log = bin / BIN_PARTS;
    unsigned parts = heap->bin_parts[log] & (0xffu << (bin % BIN_PARTS) << 1);
    if (parts == 0) {
        uint64_t logs = heap->bin_logs & ~((UINT64_C(2) << log) - 1);
        if (logs == 0)
            return 0;
        log = (unsigned)__builtin_ctzll(logs);
        parts = heap->bin_parts[log];
    }
    return heap->bins[log][__builtin_ctz(parts)];
}

static uint64_t find(const struct heap *heap, uint64_t size)
{
    unsigned bin = chunk_bin(size);
    uint64_t chunk = heap->bins[bin / BIN_PARTS][bin % BIN_PARTS];
    for (unsigned probe = 0; probe < PROBES_MAX && chunk != 0; probe++) {
        if (chunk_size(heap_word(heap, chunk)) >= size)
            return chunk;
        chunk = next_of(heap, chunk);
    }
    return find_above(heap, bin);
}

/* Makes the chunk that starts at `next`, if any, remember whether the chunk before it is in use. */
static void tell_next(struct heap *heap, uint64_t next, bool in_use)
{
    if (next == heap->top)
        return;
    uint64_t word = heap_word(heap, next) & ~WORD_PREVIOUS_IN_USE;
    heap_word_set(heap, next, in_use ? word | WORD_PREVIOUS_IN_USE : word);
}

/* Marks `size` bytes at `chunk` in use and frees what is left of `available`, if that makes a chunk. The chunk after
 * the available bytes is in use. */
static void carve(struct heap *heap, uint64_t chunk, uint64_t size, uint64_t available, uint64_t flags)
{
    uint64_t end = chunk + available;
    if (available - size >= CHUNK_SIZE_MIN) {
        list_add(heap, chunk + size, available - size);
        tell_next(heap, end, false);
    } else {
        size = available;
        tell_next(heap, end, true);
    }
    heap_word_set(heap, chunk, WORD_MARK | size | flags | WORD_IN_USE);
}

void chunk_init(struct heap *heap)
{
    /* The first word lies 8 bytes before the first 16-aligned place after struct heap. */
    heap->first = ((sizeof *heap + WORD_SIZE + HEAP_ALIGNMENT - 1) & ~(uint64_t)(HEAP_ALIGNMENT - 1)) - WORD_SIZE;
    heap->top = heap->first;
}

uint64_t chunk_take(struct heap *heap, uint64_t size)
{
    uint64_t chunk = find(heap, size);
    if (chunk != 0) {
        uint64_t available = chunk_size(heap_word(heap, chunk));
        list_remove(heap, chunk);
        carve(heap, chunk, size, available, WORD_PREVIOUS_IN_USE);
        return chunk;
    }
    if (size > heap->size - heap->top)
        return 0;
    chunk = heap->top;
    heap->top += size;
    heap_word_set(heap, chunk, WORD_MARK | size | WORD_PREVIOUS_IN_USE | WORD_IN_USE);
    return chunk;
}

void chunk_give(struct heap *heap, uint64_t chunk)
{
    uint64_t word = heap_word(heap, chunk);
    uint64_t end = chunk + chunk_size(word);

    /* Even where the word will end up inside a larger chunk it must no longer look alive. */
    heap_word_set(heap, chunk, word & ~WORD_IN_USE);
    if ((word & WORD_PREVIOUS_IN_USE) == 0) {
        chunk -= heap_word(heap, chunk - 8);
        list_remove(heap, chunk);
    }
    if (end == heap->top) {
        heap->top = chunk;
        return;
    }
    word = heap_word(heap, end);
    if ((word & WORD_IN_USE) == 0) {
        list_remove(heap, end);
        end += chunk_size(word);
    }
    list_add(heap, chunk, end - chunk);
    tell_next(heap, end, false);
}

bool chunk_resize(struct heap *heap, uint64_t chunk, uint64_t size)
{
    uint64_t word = heap_word(heap, chunk);
    uint64_t available = chunk_size(word);
    uint64_t end = chunk + available;

    if (end == heap->top) {
        if (size > available && size - available > heap->size - end)
            return false;
        heap->top = chunk + size;
        heap_word_set(heap, chunk, WORD_MARK | size | (word & WORD_FLAGS));
        return true;
    }
    uint64_t next = heap_word(heap, end);
    bool next_is_free = (next & WORD_IN_USE) == 0;
    if (next_is_free)
        available += chunk_size(next);
    if (size > available)
        return false;
    if (next_is_free)
        list_remove(heap, end);
    carve(heap, chunk, size, available, word & WORD_FLAGS);
    return true;
}
