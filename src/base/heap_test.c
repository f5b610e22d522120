#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/heap_system.h"
#include "base/panic.h"
#include "base/random.h"
#include "base/test_seed.h"

static _Alignas(16) uint8_t region[1 << 16];

static size_t offset_of(const struct heap *heap, const void *block)
{
    return (size_t)((const uint8_t *)block - (const uint8_t *)heap);
}

static void the_region_must_have_a_sane_size(void **state)
{
    (void)state;
    assert_null(heap_init(region, HEAP_REGION_SIZE_MIN - 1));
    assert_null(heap_init(region, HEAP_REGION_SIZE_MAX + 1));
    struct heap *heap = heap_init(region, HEAP_REGION_SIZE_MIN);
    assert_ptr_equal(heap, region);
    assert_int_equal(heap_size(heap), HEAP_REGION_SIZE_MIN);
    assert_non_null(heap_alloc(heap, 1000));
}

static void blocks_are_aligned_and_large_enough(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)64 << 20);
    for (size_t size = 0; size < 200000; size = size < 2000 ? size + 1 : size * 21 / 20) {
        uint8_t *block = heap_alloc_zero(heap, size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % HEAP_ALIGNMENT, 0);
        size_t usable = heap_size_of(block);
        assert_true(usable >= size);
        assert_true(usable <= size + size / 8 + 24);
        for (size_t index = 0; index < usable; index++)
            assert_int_equal(block[index], 0);
        memset(block, 0xff, usable);
        assert_int_equal(heap_used(heap), usable + 8);
        heap_free(heap, block);
        assert_int_equal(heap_used(heap), 0);
    }
    heap_check(heap);
    heap_destroy_system(heap);
}

static void a_full_heap_says_so_and_recovers(void **state)
{
    (void)state;
    struct heap *heap = heap_init(region, sizeof region);
    size_t extent_empty = heap_extent(heap);
    void *blocks[1000];
    for (size_t size = 10; size < 60000; size = size * 3 / 2) {
        unsigned count = 0;
        while ((blocks[count] = heap_alloc(heap, size)) != NULL) {
            memset(blocks[count], (int)count, size);
            if (++count == 1000)
                break;
        }
        assert_true(count > 0);
        /* What is not in blocks is less than one more block and a tenth for the headers of runs. */
        size_t room = heap_size(heap) - extent_empty;
        assert_true(count == 1000 || heap_used(heap) + size * 9 / 8 + 100 > room - room / 10);
        heap_check(heap);
        /* Every other one first, so that free neighbours must be merged. */
        for (unsigned index = 0; index < count; index += 2)
            heap_free(heap, blocks[index]);
        for (unsigned index = 1; index < count; index += 2)
            heap_free(heap, blocks[index]);
        heap_check(heap);
        assert_int_equal(heap_used(heap), 0);
        assert_int_equal(heap_extent(heap), extent_empty);
    }
    assert_null(heap_alloc(heap, sizeof region));
    assert_null(heap_alloc(heap, SIZE_MAX));
    heap_free(heap, NULL);
}

static void resizing_keeps_what_both_sizes_share(void **state)
{
    (void)state;
    struct heap *heap = heap_init(region, sizeof region);
    uint8_t *block = heap_resize(heap, NULL, 10);
    memcpy(block, "0123456789", 10);
    block = heap_resize(heap, block, 1000);
    assert_memory_equal(block, "0123456789", 10);
    block = heap_resize(heap, block, 40000);
    assert_memory_equal(block, "0123456789", 10);
    assert_null(heap_resize(heap, block, 1 << 20));
    assert_memory_equal(block, "0123456789", 10);
    /* The last block grows where it is, though there would be no room for a second one. */
    uint8_t *grown = heap_resize(heap, block, 50000);
    assert_ptr_equal(grown, block);
    grown = heap_resize(heap, grown, 3);
    assert_memory_equal(grown, "012", 3);
    assert_true(heap_size_of(grown) < 64);
    heap_check(heap);
    heap_free(heap, grown);
    assert_int_equal(heap_used(heap), 0);
}

/* Even in a full heap, where there is no room to move to. */
static void shrinking_never_fails(void **state)
{
    (void)state;
    struct heap *heap = heap_init(region, sizeof region);
    size_t size = sizeof region;
    uint8_t *block = NULL;
    while (block == NULL)
        block = heap_alloc(heap, size -= 16);
    block[0] = 'x';
    block = heap_resize(heap, block, 0);
    assert_non_null(block);
    assert_int_equal(block[0], 'x');
    heap_check(heap);
    assert_true(heap_used(heap) <= 64);
}

static void small_blocks_cost_little(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)1 << 30);
    for (unsigned index = 0; index < 1000000; index++)
        assert_non_null(heap_alloc(heap, 130));
    assert_true(heap_used(heap) <= UINT64_C(150) * 1000000);
    assert_true(heap_extent(heap) <= UINT64_C(150) * 1000000);
    heap_destroy_system(heap);
}

/* Memory is touched only as it is used: a region far larger than the machine serves. */
static void a_huge_region_costs_nothing(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)400 << 30);
    if (heap == NULL)
        skip();
    uint8_t *block = heap_alloc(heap, (size_t)300 << 30);
    assert_non_null(block);
    block[(size_t)200 << 30] = 1;
    uint8_t *small = heap_alloc(heap, 100);
    assert_true(offset_of(heap, small) > (size_t)300 << 30);
    heap_free(heap, block);
    heap_check(heap);
    heap_destroy_system(heap);
}

/* Blocks of up to 64 MiB come and go among small ones that stay; the heap must not grow for ever. */
static void large_blocks_reuse_their_places(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("heap_test"));
    struct heap *heap = heap_create_system((size_t)4 << 30);
    void *large[4] = {0};
    void *small[2000] = {0};
    for (unsigned round = 0; round < 20000; round++) {
        unsigned index = (unsigned)random_below(&random, 4);
        heap_free(heap, large[index]);
        large[index] = heap_alloc(heap, ((size_t)64 << 20) >> random_below(&random, 6));
        assert_non_null(large[index]);
        for (unsigned count = 0; count < 5; count++) {
            index = (unsigned)random_below(&random, 2000);
            heap_free(heap, small[index]);
            small[index] = heap_alloc(heap, random_below(&random, 3000));
            assert_non_null(small[index]);
        }
    }
    heap_check(heap);
    /* At most 4 x 64 MiB and a few MiB are live at any time; three times that is the bound. */
    assert_true(heap_extent(heap) < (size_t)3 * 260 << 20);
    heap_destroy_system(heap);
}

/* One random history: sizes of all kinds, each block filled with a pattern of its own. */
struct model_block {
    uint8_t *data;
    size_t size;
    uint8_t fill;
};

#define MODEL_BLOCKS 600

static size_t random_size(struct random *random)
{
    switch (random_below(random, 20)) {
    case 0: return random_below(random, 400000);
    case 1: return random_below(random, 40000);
    case 2: return 0;
    default: return random_below(random, (uint64_t)1 << random_between(random, 1, 11));
    }
}

static void model_verify(const struct model_block *block)
{
    for (size_t index = 0; index < block->size; index++) {
        if (block->data[index] != block->fill)
            fail_msg("byte %zu of a block of %zu bytes was overwritten", index, block->size);
    }
}

static void model_fill(struct model_block *block, uint8_t *data, size_t size, struct random *random)
{
    block->data = data;
    block->size = size;
    block->fill = (uint8_t)random_u64(random);
    memset(data, block->fill, size);
}

static void model_step(struct heap *heap, struct model_block *block, struct random *random)
{
    size_t size = random_size(random);
    if (block->data == NULL) {
        uint8_t *data = random_chance(random, 1, 4) ? heap_alloc_zero(heap, size) : heap_alloc(heap, size);
        if (data != NULL)
            model_fill(block, data, size, random);
        return;
    }
    model_verify(block);
    if (random_chance(random, 1, 2)) {
        heap_free(heap, block->data);
        block->data = NULL;
        return;
    }
    uint8_t *data = heap_resize(heap, block->data, size);
    assert_true(data != NULL || size > heap_size_of(block->data));
    if (data == NULL)
        return;
    struct model_block kept = {.data = data, .size = size < block->size ? size : block->size, .fill = block->fill};
    model_verify(&kept);
    model_fill(block, data, size, random);
}

static void model_run(struct heap *heap, uint64_t seed, unsigned steps, size_t offsets[MODEL_BLOCKS])
{
    struct random random;
    random_seed(&random, seed);
    static struct model_block blocks[MODEL_BLOCKS];
    memset(blocks, 0, sizeof blocks);
    for (unsigned step = 0; step < steps; step++) {
        model_step(heap, &blocks[random_below(&random, MODEL_BLOCKS)], &random);
        if (step % 1000 != 0)
            continue;
        heap_check(heap);
        size_t used = 0;
        for (unsigned index = 0; index < MODEL_BLOCKS; index++)
            used += blocks[index].data != NULL ? heap_size_of(blocks[index].data) + 8 : 0;
        assert_int_equal(heap_used(heap), used);
    }
    for (unsigned index = 0; index < MODEL_BLOCKS; index++) {
        offsets[index] = blocks[index].data != NULL ? offset_of(heap, blocks[index].data) : 0;
        if (blocks[index].data != NULL)
            model_verify(&blocks[index]);
        heap_free(heap, blocks[index].data);
    }
    heap_check(heap);
    assert_int_equal(heap_used(heap), 0);
}

/* In a roomy heap, in one that is often full, and in a tiny one; each at two addresses and with other contents before,
 * where the same history must lead to the same offsets. */
static void random_histories_agree_with_the_model(void **state)
{
    (void)state;
    uint64_t seed = test_seed("heap_test");
    const size_t sizes[] = {(size_t)64 << 20, (size_t)2 << 20, (size_t)100 << 10, HEAP_REGION_SIZE_MIN};
    static size_t offsets[2][MODEL_BLOCKS];
    for (unsigned index = 0; index < sizeof sizes / sizeof sizes[0]; index++) {
        uint8_t *memory = malloc(sizes[index] + 4096);
        for (unsigned run = 0; run < 2; run++) {
            memset(memory, run == 0 ? 0 : 0xa5, sizes[index] + 4096);
            uint8_t *start = memory + (run == 0 ? 0 : 1040);
            struct heap *heap = heap_init(start, sizes[index]);
            size_t empty = heap_extent(heap);
            model_run(heap, seed + index, 40000, offsets[run]);
            assert_int_equal(heap_extent(heap), empty);
            for (unsigned outside = 0; outside < 1040; outside++)
                assert_int_equal(start[sizes[index] + outside], run == 0 ? 0 : 0xa5);
        }
        free(memory);
        assert_memory_equal(offsets[0], offsets[1], sizeof offsets[0]);
    }
}

static jmp_buf escape;

static void jump(const char *what, void *arg)
{
    (void)what;
    (void)arg;
    longjmp(escape, 1);
}

/* Frees `block` a second time; true when the heap noticed. */
static bool notices_double_free(struct heap *heap, size_t size)
{
    void *volatile block = heap_alloc(heap, size);
    volatile bool noticed = true;
    (void)heap_alloc(heap, size);
    heap_free(heap, block);
    panic_hook_set(jump, NULL);
    if (setjmp(escape) == 0) {
        heap_free(heap, block);
        noticed = false;
    }
    panic_hook_set(NULL, NULL);
    return noticed;
}

static void a_double_free_is_a_bug(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)1 << 20);
    assert_true(notices_double_free(heap, 100));
    assert_true(notices_double_free(heap, 30000));
    assert_true(notices_double_free(heap, 100000));
    heap_destroy_system(heap);
}

static void a_wild_pointer_is_a_bug(void **state)
{
    (void)state;
    struct heap *heap = heap_init(region, sizeof region);
    uint8_t *volatile block = heap_alloc(heap, 100);
    volatile unsigned noticed = 0;
    panic_hook_set(jump, NULL);
    const ptrdiff_t wrong[] = {16, 1, -100000, 1000};
    for (volatile unsigned index = 0; index < sizeof wrong / sizeof wrong[0]; index++) {
        if (setjmp(escape) == 0)
            heap_free(heap, (void *)((uintptr_t)block + (uintptr_t)wrong[index]));
        else
            noticed++;
    }
    panic_hook_set(NULL, NULL);
    assert_int_equal(noticed, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_region_must_have_a_sane_size),
        cmocka_unit_test(blocks_are_aligned_and_large_enough),
        cmocka_unit_test(a_full_heap_says_so_and_recovers),
        cmocka_unit_test(resizing_keeps_what_both_sizes_share),
        cmocka_unit_test(shrinking_never_fails),
        cmocka_unit_test(small_blocks_cost_little),
        cmocka_unit_test(a_huge_region_costs_nothing),
        cmocka_unit_test(large_blocks_reuse_their_places),
        cmocka_unit_test(random_histories_agree_with_the_model),
        cmocka_unit_test(a_double_free_is_a_bug),
        cmocka_unit_test(a_wild_pointer_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
