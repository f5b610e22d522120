/* ddmin beside brute force: what it leaves fails, and nothing of it can go. */
#include "lab/search/shrink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "base/test_seed.h"

enum { COUNT_MAX = 40, CAUSES_MAX = 3 };

/* Fails when all elements of one of some sets are there. */
struct oracle {
    uint32_t count, causes;
    uint64_t cause[CAUSES_MAX]; /* bits */
    uint32_t asked;
};

static bool fails(void *context, const bool *kept)
{
    struct oracle *oracle = context;
    uint64_t there = 0;
    oracle->asked++;
    for (uint32_t i = 0; i < oracle->count; i++)
        there |= (uint64_t)kept[i] << i;
    for (uint32_t i = 0; i < oracle->causes; i++)
        if ((there & oracle->cause[i]) == oracle->cause[i])
            return true;
    return false;
}

static uint32_t reduced(struct heap *heap, struct oracle *oracle, bool *kept)
{
    uint32_t left = 0;
    memset(kept, 1, oracle->count);
    shrink_ddmin(heap, kept, oracle->count, fails, oracle);
    for (uint32_t i = 0; i < oracle->count; i++)
        left += kept[i];
    return left;
}

static void one_cause_is_found_exactly(void **state)
{
    struct oracle oracle = {.count = 40, .causes = 1, .cause = {UINT64_C(0x8000020008)}};
    bool kept[COUNT_MAX];
    assert_int_equal(reduced(*state, &oracle, kept), 3);
    assert_true(kept[3] && kept[17] && kept[39]);
}

static void a_single_element_takes_a_logarithm(void **state)
{
    struct oracle oracle = {.count = 40, .causes = 1, .cause = {UINT64_C(1) << 29}};
    bool kept[COUNT_MAX];
    assert_int_equal(reduced(*state, &oracle, kept), 1);
    assert_true(kept[29]);
    assert_true(oracle.asked <= 14); /* 2 log2(40) and a bit */
}

static void what_fails_with_nothing_keeps_nothing(void **state)
{
    struct oracle oracle = {.count = 12, .causes = 1, .cause = {0}};
    bool kept[COUNT_MAX];
    assert_int_equal(reduced(*state, &oracle, kept), 0);
}

static void the_result_is_one_minimal(void **state)
{
    struct random random;
    random_seed(&random, test_seed("shrink_ddmin_test"));
    for (uint32_t round = 0; round < 3000; round++) {
        struct oracle oracle = {.count = (uint32_t)random_between(&random, 1, COUNT_MAX),
                                .causes = (uint32_t)random_between(&random, 1, CAUSES_MAX)};
        for (uint32_t i = 0; i < oracle.causes; i++) /* few elements and many */
            for (uint64_t n = random_below(&random, oracle.count) + 1; n > 0; n--)
                oracle.cause[i] |= UINT64_C(1) << random_below(&random, oracle.count);
        bool kept[COUNT_MAX];
        reduced(*state, &oracle, kept);
        assert_true(fails(&oracle, kept));
        for (uint32_t i = 0; i < oracle.count; i++) {
            if (!kept[i])
                continue;
            kept[i] = false;
            assert_false(fails(&oracle, kept));
            kept[i] = true;
        }
        assert_true(oracle.asked <= 4 * COUNT_MAX * COUNT_MAX);
    }
}

static int begin(void **state)
{
    *state = heap_create_system(1 << 20);
    return *state != NULL ? 0 : -1;
}

static int end(void **state)
{
    heap_destroy_system(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_cause_is_found_exactly),
        cmocka_unit_test(a_single_element_takes_a_logarithm),
        cmocka_unit_test(what_fails_with_nothing_keeps_nothing),
        cmocka_unit_test(the_result_is_one_minimal),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
