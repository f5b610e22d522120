/* The solvers of chains beside Gauss and beside closed forms, also where Gauss keeps no digit. */
#include "lab/plan/plan_chain.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "base/random.h"
#include "base/test_seed.h"

enum { SIZE = 12 };

static struct heap *heap;

static int set_up(void **state)
{
    (void)state;
    heap = heap_create_system((size_t)64 << 20);
    return heap == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    int leaked = heap_used(heap) != 0;
    heap_destroy_system(heap);
    return leaked;
}

static void assert_near(double found, double wanted, double relative)
{
    if (!(fabs(found - wanted) <= relative * fabs(wanted)))
        fail_msg("found %.17g, wanted %.17g", found, wanted);
}

/* Gauss's elimination with pivots: the naive way, right while nothing cancels. */
static void solve(uint32_t n, double a[SIZE][SIZE], double b[SIZE])
{
    for (uint32_t column = 0; column < n; column++) {
        uint32_t pivot = column;
        for (uint32_t row = column + 1; row < n; row++)
            pivot = fabs(a[row][column]) > fabs(a[pivot][column]) ? row : pivot;
        for (uint32_t i = 0; i < n; i++) {
            double kept = a[column][i];
            a[column][i] = a[pivot][i];
            a[pivot][i] = kept;
        }
        double kept = b[column];
        b[column] = b[pivot];
        b[pivot] = kept;
        for (uint32_t row = 0; row < n; row++) {
            double factor = row == column ? 0 : a[row][column] / a[column][column];
            for (uint32_t i = column; i < n; i++)
                a[row][i] -= factor * a[column][i];
            b[row] -= factor * b[column];
        }
    }
    for (uint32_t row = 0; row < n; row++)
        b[row] /= a[row][row];
}

static double rate(const struct chain *chain, uint32_t from, uint32_t to)
{
    return chain->rates[from * chain->states + to];
}

static double rate_out(const struct chain *chain, uint32_t from, double out)
{
    for (uint32_t to = 0; to < chain->states; to++)
        out += rate(chain, from, to);
    return out;
}

/* A chain in which everything leads everywhere, at rates between 0 and 1. */
static struct chain random_chain(struct random *random)
{
    struct chain chain;
    uint32_t states = (uint32_t)random_between(random, 1, SIZE);
    assert_int_equal(chain_create(&chain, heap, states), OK);
    for (uint32_t from = 0; from < states; from++) {
        chain_add_leave(&chain, from, (double)random_between(random, 1, 1000) / 1000);
        for (uint32_t to = 0; to < states; to++)
            if (to != from)
                chain_add(&chain, from, to, (double)random_between(random, 1, 1000) / 1000);
    }
    return chain;
}

static void test_random_chains_like_gauss(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("plan_chain_test"));
    for (int round = 0; round < 200; round++) {
        struct chain chain = random_chain(&random);
        uint32_t n = chain.states;
        double a[SIZE][SIZE], b[SIZE], found[SIZE];
        for (uint32_t i = 0; i < n; i++) {
            b[i] = 1;
            for (uint32_t j = 0; j < n; j++)
                a[i][j] = i == j ? rate_out(&chain, i, chain.leave[i]) : -rate(&chain, i, j);
        }
        solve(n, a, b);
        assert_int_equal(chain_mean_time(&chain, found), OK);
        for (uint32_t i = 0; i < n; i++)
            assert_near(found[i], b[i], 1e-10);
        for (uint32_t i = 0; i < n; i++) {
            b[i] = i == 0;
            for (uint32_t j = 0; j < n; j++)
                a[i][j] = i == 0 ? 1 : i == j ? -rate_out(&chain, i, 0) : rate(&chain, j, i);
        }
        solve(n, a, b);
        assert_int_equal(chain_stationary(&chain, found), OK);
        for (uint32_t i = 0; i < n; i++)
            assert_near(found[i], b[i], 1e-10);
        chain_destroy(&chain);
    }
}

/* 0 goes to 1 and back; 1 leaves: with rates 1/y, 1/h, 1/y Gauss keeps some digits, with a machine a billion times as
 * reliable it keeps none. The mean time from 0 is (l0 + l1 + m) / (l0 l1). */
static void test_digits_survive(void **state)
{
    (void)state;
    for (double repair = 1; repair < 1e30; repair *= 1e3) {
        struct chain chain;
        double seconds[2], share[2], left;
        assert_int_equal(chain_create(&chain, heap, 2), OK);
        chain_add(&chain, 0, 1, 3);
        chain_add(&chain, 1, 0, repair);
        chain_add_leave(&chain, 1, 2);
        assert_int_equal(chain_mean_time(&chain, seconds), OK);
        assert_near(seconds[0], (5 + repair) / 6, 1e-15);
        assert_near(seconds[1], seconds[0] - 1.0 / 3, 1e-15);
        assert_int_equal(chain_stationary(&chain, share), OK);
        assert_near(share[1], 3 / (3 + repair), 1e-15);
        if (repair > 1e4 && repair < 1e12) {
            /* Such a chain is left at a constant rate, once it has begun. */
            assert_int_equal(chain_left_within(&chain, 0, 1e-3, &left), OK);
            assert_near(left, 1e-3 / seconds[0], 1e-2);
        }
        chain_destroy(&chain);
    }
}

/* Stages in a row, without a way back: the time is gamma distributed. */
static void test_left_within_of_stages(void **state)
{
    (void)state;
    enum { STAGES = 5 };
    struct chain chain;
    assert_int_equal(chain_create(&chain, heap, STAGES), OK);
    for (uint32_t i = 0; i + 1 < STAGES; i++)
        chain_add(&chain, i, i + 1, 2);
    chain_add_leave(&chain, STAGES - 1, 2);
    for (double time = 1e-6; time < 100; time *= 3) {
        double left, mean = 2 * time, term = 1, beyond = 0;
        for (int i = 1; i < STAGES; i++)
            term *= mean / i;
        for (int i = STAGES; i < 400; i++)
            beyond += term *= mean / i; /* what has come further, smallest terms included: no difference from 1 */
        assert_int_equal(chain_left_within(&chain, 0, time, &left), OK);
        assert_near(left, exp(-mean) * beyond, 1e-11);
    }
    double left = 1;
    assert_int_equal(chain_left_within(&chain, 0, 0, &left), OK);
    assert_true(left == 0);
    chain_destroy(&chain);
}

static void test_refusals(void **state)
{
    (void)state;
    struct chain chain;
    double found[2];
    assert_int_equal(chain_create(&chain, heap, 2), OK);
    assert_int_equal(chain_mean_time(&chain, found), ERROR_INVALID);
    assert_int_equal(chain_stationary(&chain, found), ERROR_INVALID);
    chain_add(&chain, 0, 1, 1);
    chain_add_leave(&chain, 0, 1);
    assert_int_equal(chain_mean_time(&chain, found), ERROR_INVALID); /* 1 is a trap */
    chain_destroy(&chain);

    struct heap *small = heap_create_system(HEAP_REGION_SIZE_MIN);
    assert_non_null(small);
    assert_int_equal(chain_create(&chain, small, 100), ERROR_NO_MEMORY);
    assert_int_equal(heap_used(small), 0);
    heap_destroy_system(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_chains_like_gauss, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digits_survive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_left_within_of_stages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
