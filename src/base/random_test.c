#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The first numbers after state {1, 2, 3, 4}, as the authors' own program gives them. */
static void the_reference_sequence_comes_out(void **state)
{
    (void)state;
    struct random random = {.s = {1, 2, 3, 4}};
    const uint64_t wanted[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
    };
    for (unsigned index = 0; index < sizeof wanted / sizeof wanted[0]; index++)
        assert_true(random_u64(&random) == wanted[index]);
}

/* splitmix64's first outputs for seed 0, known from many implementations. */
static void the_seed_is_spread_by_splitmix64(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 0);
    assert_true(random.s[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(random.s[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(random.s[2] == UINT64_C(0x06c45d188009454f));
    assert_true(random.s[3] == UINT64_C(0xf88bb8a8724c81ec));
}

static void draws_below_n_are_even(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 1);
    unsigned counts[6] = {0};
    for (unsigned draw = 0; draw < 60000; draw++)
        counts[random_below(&random, 6)]++;
    for (unsigned face = 0; face < 6; face++)
        assert_in_range(counts[face], 9600, 10400);
    /* A modulus that takes three quarters of the range: without rejection the lower half would come up too often. */
    unsigned low = 0;
    uint64_t n = UINT64_C(3) << 62;
    for (unsigned draw = 0; draw < 10000; draw++)
        low += random_below(&random, n) < n / 2;
    assert_in_range(low, 4800, 5200);
    assert_int_equal(random_below(&random, 1), 0);
}

static void bounds_of_an_interval_are_included(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 1);
    unsigned seen = 0;
    for (unsigned draw = 0; draw < 1000; draw++) {
        int64_t value = random_between(&random, -2, 2);
        assert_true(value >= -2 && value <= 2);
        seen |= 1u << (value + 2);
    }
    assert_int_equal(seen, 31);
    bool negative = false;
    bool positive = false;
    for (unsigned draw = 0; draw < 100; draw++) {
        int64_t value = random_between(&random, INT64_MIN, INT64_MAX);
        negative = negative || value < 0;
        positive = positive || value > 0;
    }
    assert_true(negative && positive);
    assert_true(random_between(&random, INT64_MIN, INT64_MIN) == INT64_MIN);
    assert_true(random_between(&random, INT64_MAX, INT64_MAX) == INT64_MAX);
}

static void chances_have_their_odds(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 1);
    unsigned hits = 0;
    for (unsigned draw = 0; draw < 30000; draw++) {
        hits += random_chance(&random, 1, 3);
        assert_false(random_chance(&random, 0, 3));
        assert_true(random_chance(&random, 3, 3));
    }
    assert_in_range(hits, 9600, 10400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_sequence_comes_out),
        cmocka_unit_test(the_seed_is_spread_by_splitmix64),
        cmocka_unit_test(draws_below_n_are_even),
        cmocka_unit_test(bounds_of_an_interval_are_included),
        cmocka_unit_test(chances_have_their_odds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
