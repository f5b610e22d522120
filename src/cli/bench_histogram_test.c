#include "cli/bench_histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/test_seed.h"

static struct bench_histogram histogram;

static void small_values_are_exact(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    for (uint64_t value = 0; value < 256; value++)
        bench_histogram_add(&histogram, value);
    assert_int_equal(histogram.count, 256);
    assert_int_equal(histogram.max, 255);
    assert_int_equal(bench_histogram_quantile(&histogram, 500), 127);
    assert_int_equal(bench_histogram_quantile(&histogram, 1000), 255);
    assert_int_equal(bench_histogram_quantile(&histogram, 0), 0);
}

static void all_sizes_have_a_bucket(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t value = UINT64_C(1) << bit | UINT64_C(1) << bit / 2;
        memset(&histogram, 0, sizeof histogram);
        bench_histogram_add(&histogram, value);
        uint64_t found = bench_histogram_quantile(&histogram, 500);
        uint64_t error = found > value ? found - value : value - found;
        assert_true(error <= value / 100);
    }
    memset(&histogram, 0, sizeof histogram);
    bench_histogram_add(&histogram, UINT64_MAX);
    assert_true(bench_histogram_quantile(&histogram, 999) > UINT64_MAX - UINT64_MAX / 100);
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void quantiles_are_those_of_the_sorted_values(void **state)
{
    (void)state;
    static uint64_t values[10000];
    struct random random;
    random_seed(&random, test_seed("bench_histogram_test"));
    memset(&histogram, 0, sizeof histogram);
    for (size_t at = 0; at < 10000; at++) {
        values[at] = random_u64(&random) >> (20 + random_below(&random, 44));
        bench_histogram_add(&histogram, values[at]);
    }
    qsort(values, 10000, sizeof values[0], compare);
    for (uint64_t per_mille = 1; per_mille <= 1000; per_mille++) {
        uint64_t exact = values[per_mille * 10 - 1], found = bench_histogram_quantile(&histogram, per_mille);
        uint64_t error = found > exact ? found - exact : exact - found;
        assert_true(error <= exact / 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(all_sizes_have_a_bucket),
        cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
