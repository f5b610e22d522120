/* Growing arrays and tables of fingerprints against a naive list; fingerprints as numbers of 128 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "host/explore/explore_internal.h"

enum { KEYS = 3000 };

static void table_agrees_with_a_list(void **state)
{
    (void)state;
    static struct fingerprint list[KEYS];
    struct random random;
    random_seed(&random, 7);
    struct table table;
    assert_true(table_open(&table, 16)); /* small, so that it grows */
    uint32_t count = 0;
    for (uint32_t round = 0; round < KEYS; round++) {
        /* Few bits, so that keys return; low words that collide; the key that means empty. */
        const struct fingerprint key = {random_below(&random, 64) * 16, random_below(&random, 32)};
        uint32_t at = 0;
        while (at < count && !fingerprint_equal(list[at], key))
            at++;
        bool is_new;
        uint32_t *value = table_put(&table, key, &is_new);
        assert_non_null(value);
        if (key.low == 0 && key.high <= 1)
            continue; /* all zero is kept as another key */
        assert_int_equal(is_new, at == count);
        if (is_new) {
            assert_int_equal(*value, 0);
            list[count++] = key;
            *value = at;
        }
        assert_int_equal(*value, at);
    }
    assert_true(table.count >= count && table.mask + 1 >= table.count);
    table_close(&table);
}

static void pool_gives_zeroed_memory_until_it_is_full(void **state)
{
    (void)state;
    struct pool pool;
    assert_true(pool_open(&pool, 64));
    uint8_t *first = pool_take(&pool, 5), *second = pool_take(&pool, 8);
    assert_ptr_equal(second, first + 8);
    assert_int_equal(first[4], 0);
    assert_null(pool_take(&pool, 49));
    assert_non_null(pool_take(&pool, 48));
    assert_null(pool_take(&pool, 1));
    pool_close(&pool);
}

static void sums_undo_and_do_not_depend_on_order(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 9);
    for (uint32_t i = 0; i < 1000; i++) {
        const struct fingerprint a = {random_u64(&random), random_u64(&random)};
        const struct fingerprint b = {random_u64(&random), random_u64(&random)};
        assert_true(fingerprint_equal(fingerprint_add(a, b), fingerprint_add(b, a)));
        assert_true(fingerprint_equal(fingerprint_subtract(fingerprint_add(a, b), b), a));
        assert_true(fingerprint_less(a, b) != fingerprint_less(b, a));
    }
    const struct fingerprint most = {UINT64_MAX, 0}, one = {1, 0}, carried = {0, 1};
    assert_true(fingerprint_equal(fingerprint_add(most, one), carried));
}

static void fingerprints_tell_bytes_and_sizes_apart(void **state)
{
    (void)state;
    static const uint8_t zeros[16];
    assert_false(fingerprint_equal(fingerprint_of(zeros, 8), fingerprint_of(zeros, 9)));
    assert_false(fingerprint_equal(fingerprint_of("a", 1), fingerprint_of("b", 1)));
    assert_true(fingerprint_equal(fingerprint_of("ab", 2), fingerprint_of("ab", 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_agrees_with_a_list),
        cmocka_unit_test(pool_gives_zeroed_memory_until_it_is_full),
        cmocka_unit_test(sums_undo_and_do_not_depend_on_order),
        cmocka_unit_test(fingerprints_tell_bytes_and_sizes_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
