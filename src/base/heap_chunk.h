/* Chunks: the lower half of the heap, private to heap.c and heap_chunk.c.
 *
 * The region is one row of chunks from heap->first to heap->top; beyond top nothing was handed out. A chunk is
 *
 *     word (8 bytes) | payload, 16-aligned, up to the next chunk's word
 *
 * so words lie at offsets that are 8 modulo 16, and sizes, word included, are multiples of 16. A free chunk's payload
 * holds its neighbours in a free list (two offsets) and, in its last 8 bytes, its size, so that the chunk after it
 * finds its start when the two are to be merged.
 *
 * All positions are offsets from the start of the region; 0, where struct heap lies, stands for none. */
#ifndef BASE_HEAP_CHUNK_H
#define BASE_HEAP_CHUNK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/heap.h"

/* A word is flags, a size or (for blocks in runs, see heap.c) a place, and a mark that tells a header from noise. */
#define WORD_SIZE 8
#define WORD_IN_USE UINT64_C(1)
#define WORD_PREVIOUS_IN_USE UINT64_C(2) /* chunks only: the chunk before is in use, or there is none */
#define WORD_IN_RUN UINT64_C(4)          /* a block inside a run, not a chunk */
#define WORD_RUN UINT64_C(8)             /* a chunk that is a run */
#define WORD_FLAGS UINT64_C(15)
#define WORD_MARK_SHIFT 48
#define WORD_MARK (UINT64_C(0x10c5) << WORD_MARK_SHIFT)
#define WORD_MARK_MASK (UINT64_C(0xffff) << WORD_MARK_SHIFT)

/* Word, two links and the size at the end. */
#define CHUNK_SIZE_MIN 32

/* Free chunks are listed by size: eight lists, evenly spaced, for each power of two from 2^5 to 2^46. */
#define BIN_LOG_MIN 5
#define BIN_LOG_COUNT 42
#define BIN_PARTS 8

/* Block sizes in runs: see heap.c. */
#define CLASS_COUNT 73

/* One class of small blocks. */
struct heap_class {
    uint64_t partial; /* first of the runs that have a free block, 0 when none */
    uint64_t live;    /* blocks in use */
};

struct heap {
    uint64_t size;  /* of the region */
    uint64_t first; /* word of the first chunk */
    uint64_t top;   /* end of the last chunk, which is never free */
    uint64_t used;  /* what heap_used reports */
    uint64_t bin_logs;                /* bit i: a list of bins[i] is not empty */
    uint8_t bin_parts[BIN_LOG_COUNT]; /* bit j of [i]: bins[i][j] is not empty */
    uint64_t bins[BIN_LOG_COUNT][BIN_PARTS];
    struct heap_class classes[CLASS_COUNT];
};

static inline uint8_t *heap_at(const struct heap *heap, uint64_t offset)
{
    return (uint8_t *)(uintptr_t)heap + offset;
}

/* Words are copied rather than cast, since the same memory holds the owner's types before and after. */
static inline uint64_t heap_word(const struct heap *heap, uint64_t offset)
{
    uint64_t word;
    memcpy(&word, heap_at(heap, offset), sizeof word);
    return word;
}

static inline void heap_word_set(struct heap *heap, uint64_t offset, uint64_t word)
{
    memcpy(heap_at(heap, offset), &word, sizeof word);
}

static inline uint64_t chunk_size(uint64_t word)
{
    return word & ~(WORD_MARK_MASK | WORD_FLAGS);
}

/* Prepares the chunk part of a new heap. */
void chunk_init(struct heap *heap);

/* Takes a chunk of at least `size` bytes, word included (a multiple of 16, at least CHUNK_SIZE_MIN), and marks it in
 * use; returns the offset of its word, or 0 when there is no room. */
uint64_t chunk_take(struct heap *heap, uint64_t size);

/* Gives a chunk in use back and merges it with free neighbours. */
void chunk_give(struct heap *heap, uint64_t chunk);

/* Changes the size of a chunk in use without moving it; false, with nothing changed, when it cannot grow there. */
bool chunk_resize(struct heap *heap, uint64_t chunk, uint64_t size);

/* Which list holds free chunks of this size, as log * BIN_PARTS + part. */
unsigned chunk_bin(uint64_t size);

#endif
