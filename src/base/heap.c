/* The heap: small blocks in runs, large blocks as chunks.
 *
 * A block of up to about 36 KiB belongs to one of 73 classes whose sizes are spaced by at most an eighth (as in
 * jemalloc: Evans, "A scalable concurrent malloc(3) implementation for FreeBSD", BSDCan 2006). A class takes its
 * blocks from runs: chunks that are divided into blocks of one size. So small blocks of a kind lie together, a block
 * is taken and freed in a few instructions, and small blocks do not litter the places of large ones. A class's runs
 * grow with its population, up to 64 KiB, so a tiny heap is not used up by half-empty runs. Larger blocks are chunks;
 * heap_chunk.h describes those, and their words.
 *
 * A run's payload is
 *
 *     struct run (40 bytes) | word, block | word, block | ...
 *
 * where a block's word names its class and its distance from the run. Blocks are carved off a new run one at a time,
 * so memory is touched only as it is used; freed blocks form a list inside the run. A run with a free block is in its
 * class's list, a full one is in none, and an empty one goes back to the chunks at once.
 *
 * Limits: 8 bytes of header for each block; a block never moves, so a run lives as long as its last block. */
#include "base/heap.h"

#include "base/heap_chunk.h"
#include "base/panic.h"

#define RUN_SIZE_MAX UINT64_C(65536)

/* Word of a block in a run: flags, class, distance from struct run to the word, mark. */
#define BLOCK_CLASS_SHIFT 8
#define BLOCK_DISTANCE_SHIFT 16

/* May lie where the owner's types lay before, hence the attribute. */
struct __attribute__((may_alias)) run {
    uint64_t next;     /* in the class's list of runs with a free block */
    uint64_t previous; /* 0: this run heads the list, or is in none */
    uint32_t class;
    uint32_t count;  /* blocks that the run has room for */
    uint32_t carved; /* blocks handed out at least once */
    uint32_t live;   /* blocks in use */
    uint32_t free;   /* index + 1 of the first freed block, 0 when none */
    uint32_t unused;
};

_Static_assert(sizeof(struct run) == 40, "the first block after struct run must be 16-aligned");
_Static_assert(sizeof(struct heap) <= HEAP_REGION_SIZE_MIN / 2, "half of the smallest heap is left for blocks");

/* Classes count strides: a block with its word. 16 to 128 in steps of 16, then eight to each doubling. */
static uint64_t class_stride(unsigned class)
{
    if (class < 8)
        return 16 * (uint64_t)(class + 1);
    unsigned above = class - 8;
    return (uint64_t)(above % 8 + 9) << (above / 8 + 4);
}

#define STRIDE_MAX UINT64_C(36864)

/* The smallest class whose stride is at least `need`. */
static unsigned class_of(uint64_t need)
{
    if (need <= 128)
        return (unsigned)((need + 15) / 16) - 1;
    unsigned log = 63 - (unsigned)__builtin_clzll(need - 1);
    return (log - 7) * 8 + (unsigned)((need - 1) >> (log - 3));
}

static struct run *run_at(const struct heap *heap, uint64_t offset)
{
    return (struct run *)(void *)heap_at(heap, offset);
}

static uint64_t run_block(uint64_t run, unsigned class, uint32_t index)
{
    return run + sizeof(struct run) + index * class_stride(class);
}

/* The index of the next freed block is kept in a freed block's first bytes. */
static uint32_t freed_next(const struct heap *heap, uint64_t block)
{
    uint32_t next;
    memcpy(&next, heap_at(heap, block + WORD_SIZE), sizeof next);
    return next;
}

static void run_list_add(struct heap *heap, uint64_t offset)
{
    struct run *run = run_at(heap, offset);
    struct heap_class *class = &heap->classes[run->class];
    run->next = class->partial;
    run->previous = 0;
    if (run->next != 0)
        run_at(heap, run->next)->previous = offset;
    class->partial = offset;
}

static void run_list_remove(struct heap *heap, uint64_t offset)
{
    struct run *run = run_at(heap, offset);
    if (run->next != 0)
        run_at(heap, run->next)->previous = run->previous;
    if (run->previous != 0)
        run_at(heap, run->previous)->next = run->next;
    else
        heap->classes[run->class].partial = run->next;
    run->next = 0;
    run->previous = 0;
}

/* How many blocks a new run of the class should have: a quarter of the blocks in use, but at least about 2 KiB's worth
 * (four at most) and at most 64 KiB's. */
static uint64_t run_count_wanted(const struct heap *heap, unsigned class)
{
    uint64_t stride = class_stride(class);
    uint64_t lowest = stride <= 512 ? 4 : stride <= 1024 ? 2 : 1;
    uint64_t highest = stride <= RUN_SIZE_MAX ? RUN_SIZE_MAX / stride : 1;
    uint64_t count = heap->classes[class].live / 4;
    return count < lowest ? lowest : count > highest ? highest : count;
}

/* Makes a run and lists it; 0 when not even a run of one block fits. */
static uint64_t run_create(struct heap *heap, unsigned class)
{
    uint64_t chunk = 0;
    uint64_t count = run_count_wanted(heap, class);
    for (; count > 0; count /= 2) {
        chunk = chunk_take(heap, WORD_SIZE + sizeof(struct run) + count * class_stride(class));
        if (chunk != 0)
            break;
    }
    if (chunk == 0)
        return 0;
    heap_word_set(heap, chunk, heap_word(heap, chunk) | WORD_RUN);
    uint64_t offset = chunk + WORD_SIZE;
    *run_at(heap, offset) = (struct run){.class = class, .count = (uint32_t)count};
    run_list_add(heap, offset);
    return offset;
}

static void *block_take(struct heap *heap, unsigned class)
{
    uint64_t offset = heap->classes[class].partial;
    if (offset == 0)
        offset = run_create(heap, class);
    if (offset == 0)
        return NULL;

    struct run *run = run_at(heap, offset);
    uint64_t block;
    if (run->free != 0) {
        block = run_block(offset, class, run->free - 1);
        run->free = freed_next(heap, block);
    } else {
        block = run_block(offset, class, run->carved++);
    }
    run->live++;
    if (run->live == run->count)
        run_list_remove(heap, offset);
    heap->classes[class].live++;
    heap->used += class_stride(class);
    heap_word_set(heap, block,
                  WORD_MARK | (block - offset) << BLOCK_DISTANCE_SHIFT | (uint64_t)class << BLOCK_CLASS_SHIFT |
                      WORD_IN_RUN | WORD_IN_USE);
    return heap_at(heap, block + WORD_SIZE);
}

static unsigned block_class(uint64_t word)
{
    return (unsigned)(word >> BLOCK_CLASS_SHIFT) & 0xff;
}

static uint64_t block_distance(uint64_t word)
{
    return (word & ~WORD_MARK_MASK) >> BLOCK_DISTANCE_SHIFT;
}

static void block_give(struct heap *heap, uint64_t block)
{
    uint64_t word = heap_word(heap, block);
    uint64_t distance = block_distance(word);
    unsigned class = block_class(word);
    invariant(distance < block && class < CLASS_COUNT, "a freed block's header is intact");
    uint64_t offset = block - distance;
    struct run *run = run_at(heap, offset);
    invariant(run->class == class && run->live > 0, "a freed block's run is intact");

    heap->used -= class_stride(class);
    heap->classes[class].live--;
    heap_word_set(heap, block, word & ~WORD_IN_USE);
    bool was_full = run->live == run->count;
    run->live--;
    if (run->live == 0) {
        if (!was_full)
            run_list_remove(heap, offset);
        chunk_give(heap, offset - WORD_SIZE);
        return;
    }
    memcpy(heap_at(heap, block + WORD_SIZE), &run->free, sizeof run->free);
    run->free = ((uint32_t)distance - (uint32_t)sizeof(struct run)) / (uint32_t)class_stride(class) + 1;
    if (was_full)
        run_list_add(heap, offset);
}

/* Size of the chunk for a large block. */
static uint64_t large_need(uint64_t size)
{
    return (size + WORD_SIZE + HEAP_ALIGNMENT - 1) & ~(uint64_t)(HEAP_ALIGNMENT - 1);
}

static bool is_small(uint64_t size)
{
    return size <= STRIDE_MAX - WORD_SIZE;
}

/* The offset of a live block's word. */
static uint64_t live_word(const struct heap *heap, const void *block)
{
    uint64_t offset = (uint64_t)((uintptr_t)block - (uintptr_t)heap) - WORD_SIZE;
    invariant(offset >= heap->first && offset < heap->top && offset % HEAP_ALIGNMENT == WORD_SIZE,
              "a block lies in its heap");
    uint64_t word = heap_word(heap, offset);
    invariant((word & WORD_MARK_MASK) == WORD_MARK, "a block's header is intact");
    invariant((word & WORD_IN_USE) != 0, "a block is freed once");
    return offset;
}

struct heap *heap_init(void *memory, size_t size)
{
    invariant((uintptr_t)memory % HEAP_ALIGNMENT == 0, "a heap's region is aligned");
    if (size < HEAP_REGION_SIZE_MIN || size > HEAP_REGION_SIZE_MAX)
        return NULL;
    struct heap *heap = memory;
    memset(heap, 0, sizeof *heap);
    heap->size = size;
    chunk_init(heap);
    return heap;
}

void *heap_alloc(struct heap *heap, size_t size)
{
    if (is_small(size))
        return block_take(heap, class_of(size + WORD_SIZE));
    if (size >= heap->size)
        return NULL;
    uint64_t chunk = chunk_take(heap, large_need(size));
    if (chunk == 0)
        return NULL;
    heap->used += chunk_size(heap_word(heap, chunk));
    return heap_at(heap, chunk + WORD_SIZE);
}

void *heap_alloc_zero(struct heap *heap, size_t size)
{
    void *block = heap_alloc(heap, size);
    if (block != NULL)
        memset(block, 0, heap_size_of(block));
    return block;
}

void heap_free(struct heap *heap, void *block)
{
    if (block == NULL)
        return;
    uint64_t offset = live_word(heap, block);
    uint64_t word = heap_word(heap, offset);
    if ((word & WORD_IN_RUN) != 0) {
        block_give(heap, offset);
        return;
    }
    invariant((word & WORD_RUN) == 0, "a freed block is no run");
    heap->used -= chunk_size(word);
    chunk_give(heap, offset);
}

/* Resizes a large block where it lies. */
static bool resize_in_place(struct heap *heap, uint64_t chunk, size_t size)
{
    uint64_t before = chunk_size(heap_word(heap, chunk));
    if (!chunk_resize(heap, chunk, large_need(size)))
        return false;
    heap->used += chunk_size(heap_word(heap, chunk)) - before;
    return true;
}

void *heap_resize(struct heap *heap, void *block, size_t size)
{
    if (block == NULL)
        return heap_alloc(heap, size);
    if (size >= heap->size)
        return NULL;
    uint64_t offset = live_word(heap, block);
    bool in_run = (heap_word(heap, offset) & WORD_IN_RUN) != 0;
    size_t had = heap_size_of(block);

    if (!in_run && !is_small(size) && resize_in_place(heap, offset, size))
        return block;
    /* Shrinking a small block by less than half gains too little for a move. */
    if (in_run && size <= had && size >= had / 2)
        return block;
    void *moved = heap_alloc(heap, size);
    if (moved == NULL) {
        if (!in_run && size <= had)
            (void)resize_in_place(heap, offset, size < CHUNK_SIZE_MIN ? CHUNK_SIZE_MIN : size);
        return size <= had ? block : NULL;
    }
    memcpy(moved, block, size < had ? size : had);
    heap_free(heap, block);
    return moved;
}

size_t heap_size_of(const void *block)
{
    uint64_t word;
    memcpy(&word, (const uint8_t *)block - WORD_SIZE, sizeof word);
    invariant((word & WORD_MARK_MASK) == WORD_MARK && (word & WORD_IN_USE) != 0, "a block's header is intact");
    if ((word & WORD_IN_RUN) != 0)
        return class_stride(block_class(word)) - WORD_SIZE;
    return chunk_size(word) - WORD_SIZE;
}

size_t heap_used(const struct heap *heap)
{
    return heap->used;
}

size_t heap_size(const struct heap *heap)
{
    return heap->size;
}

size_t heap_extent(const struct heap *heap)
{
    return heap->top;
}

/* Checks one run; returns the bytes that its live blocks count for. */
static uint64_t check_run(const struct heap *heap, uint64_t offset, uint64_t live[CLASS_COUNT])
{
    const struct run *run = run_at(heap, offset);
    invariant(run->class < CLASS_COUNT, "a run has a class");
    invariant(run->live > 0 && run->live <= run->carved && run->carved <= run->count, "a run's counts fit together");
    uint64_t stride = class_stride(run->class);
    uint64_t chunk = chunk_size(heap_word(heap, offset - WORD_SIZE));
    invariant(WORD_SIZE + sizeof *run + run->count * stride <= chunk, "a run's blocks lie inside it");

    uint32_t blocks_live = 0;
    for (uint32_t index = 0; index < run->carved; index++) {
        uint64_t block = run_block(offset, run->class, index);
        uint64_t word = heap_word(heap, block);
        invariant((word & WORD_MARK_MASK) == WORD_MARK && (word & WORD_IN_RUN) != 0 && block_class(word) == run->class &&
                      block_distance(word) == block - offset,
                  "a block's header is intact");
        blocks_live += (word & WORD_IN_USE) != 0;
    }
    invariant(blocks_live == run->live, "a run counts its live blocks");
    uint32_t freed = 0;
    for (uint32_t link = run->free; link != 0; link = freed_next(heap, run_block(offset, run->class, link - 1))) {
        invariant(link <= run->carved && freed < run->carved, "a run's list of freed blocks ends");
        freed++;
    }
    invariant(freed == run->carved - run->live, "a run lists its freed blocks");
    live[run->class] += run->live;
    return run->live * stride;
}

/* Checks that the lists hold exactly the free chunks, `count` of them, each in the list of its size. */
static void check_bins(const struct heap *heap, uint64_t count)
{
    uint64_t listed = 0;
    for (unsigned bin = 0; bin < BIN_LOG_COUNT * BIN_PARTS; bin++) {
        unsigned log = bin / BIN_PARTS;
        bool marked = (heap->bin_parts[log] >> (bin % BIN_PARTS) & 1) != 0;
        invariant(marked == (heap->bins[log][bin % BIN_PARTS] != 0), "the bitmap knows the list");
        invariant((heap->bin_logs >> log & 1) == (heap->bin_parts[log] != 0), "the bitmaps agree");
        for (uint64_t chunk = heap->bins[log][bin % BIN_PARTS]; chunk != 0; chunk = heap_word(heap, chunk + 8)) {
            uint64_t word = heap_word(heap, chunk);
            invariant((word & WORD_IN_USE) == 0 && chunk_bin(chunk_size(word)) == bin, "a listed chunk is free");
            invariant(++listed <= count, "the lists of free chunks end");
        }
    }
    invariant(listed == count, "every free chunk is listed");
}

static void check_classes(const struct heap *heap, const uint64_t live[CLASS_COUNT])
{
    for (unsigned class = 0; class < CLASS_COUNT; class++) {
        invariant(heap->classes[class].live == live[class], "a class counts its live blocks");
        uint64_t previous = 0;
        for (uint64_t offset = heap->classes[class].partial; offset != 0; offset = run_at(heap, offset)->next) {
            const struct run *run = run_at(heap, offset);
            invariant(run->class == class && run->previous == previous, "a listed run belongs to its class");
            invariant(run->live < run->count, "a listed run has a free block");
            previous = offset;
        }
    }
}

void heap_check(const struct heap *heap)
{
    uint64_t live[CLASS_COUNT] = {0};
    uint64_t used = 0;
    uint64_t free_count = 0;
    bool previous_in_use = true;
    uint64_t chunk = heap->first;
    while (chunk < heap->top) {
        uint64_t word = heap_word(heap, chunk);
        uint64_t size = chunk_size(word);
        bool in_use = (word & WORD_IN_USE) != 0;
        invariant((word & WORD_MARK_MASK) == WORD_MARK && (word & WORD_IN_RUN) == 0, "a chunk's header is intact");
        invariant(size >= CHUNK_SIZE_MIN && size <= heap->top - chunk, "a chunk lies in its heap");
        invariant(previous_in_use == ((word & WORD_PREVIOUS_IN_USE) != 0), "a chunk knows the one before");
        invariant(in_use || previous_in_use, "free neighbours are merged");
        if (!in_use) {
            invariant(heap_word(heap, chunk + size - 8) == size, "a free chunk ends with its size");
            free_count++;
        } else if ((word & WORD_RUN) != 0) {
            used += check_run(heap, chunk + WORD_SIZE, live);
        } else {
            used += size;
        }
        previous_in_use = in_use;
        chunk += size;
    }
    invariant(chunk == heap->top && previous_in_use, "the last chunk is in use");
    invariant(used == heap->used, "the heap counts its live blocks");
    check_bins(heap, free_count);
    check_classes(heap, live);
}
