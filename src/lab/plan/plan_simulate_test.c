/* The Monte Carlo run beside the exact model, and both beside a plain simulation that draws every time. */
#include "lab/plan/plan_simulate.h"

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

static const double HOUR_S = 3600;

enum { CYCLES = 100000, PLAIN_RUNS = 4000 };

/* members, quorum, crews, durable, MTTF, MTTR, disk MTTF, disk MTTR */
static const struct plan_group groups[] = {
    {1, 1, 0, true, 1000, 10, INFINITY, 1},
    {2, 1, 1, true, 1000, 10, INFINITY, 1},
    {3, 2, 0, true, 1000, 10, INFINITY, 1},
    {3, 2, 0, true, 35064, 2, 438300, 24},
    {3, 2, 1, true, 8766, 2, 100000, 48},
    {5, 3, 0, true, 8766, 2, 100000, 24},
    {5, 3, 2, false, 8766, 2, 100000, 24},
    {4, 3, 0, true, 100, 20, 500, 40},
    {7, 5, 0, true, 8766, 2, INFINITY, 1},
    {5, 1, 0, false, 100, 30, INFINITY, 1},
    {3, 2, 0, true, 100, INFINITY, INFINITY, 1},
    {5, 3, 0, true, 100, INFINITY, 300, 20},
    {5, 3, 0, true, 100, 5, 300, INFINITY},
    {3, 2, 0, true, 1000, 10, 50, 20}, /* losses are common, and time goes on after them */
};
enum { GROUPS = sizeof groups / sizeof groups[0] };

static struct plan_group in_seconds(struct plan_group group)
{
    group.mttf_s *= HOUR_S;
    group.mttr_s *= HOUR_S;
    group.disk_mttf_s *= HOUR_S;
    group.disk_mttr_s *= HOUR_S;
    return group;
}

/* How many times its half width an estimate lies off; 0 for what agrees exactly. */
static double widths_off(struct plan_estimate estimate, double exact)
{
    if ((isinf(exact) && isinf(estimate.mean)) || fabs(estimate.mean - exact) <= 1e-9 * exact)
        return 0;
    return fabs(estimate.mean - exact) / estimate.half_width;
}

static void test_agrees_with_the_model(void **state)
{
    (void)state;
    uint64_t seed = test_seed("plan_simulate_test");
    struct heap *heap = heap_create_system((size_t)64 << 20);
    int outside = 0, compared = 0;
    for (int i = 0; i < GROUPS; i++) {
        struct plan_group group = in_seconds(groups[i]);
        struct plan_outlook exact;
        struct plan_simulation seen;
        assert_int_equal(plan_outlook(&group, 0, heap, &exact), OK);
        assert_int_equal(plan_simulate(&group, CYCLES, seed + (uint64_t)i, &seen), OK);
        assert_true(isinf(exact.data_loss_s) == isinf(seen.data_loss_s.mean));
        const double off[] = {widths_off(seen.unavailability, exact.unavailability),
                              widths_off(seen.quorum_loss_s, exact.quorum_loss_s),
                              widths_off(seen.data_loss_s, exact.data_loss_s)};
        for (int j = 0; j < 3; j++) {
            compared++;
            outside += off[j] > 1;
            if (!(off[j] < 2.3)) /* 4.5 standard errors: one in 150,000 */
                fail_msg("group %d, number %d: %.2f half widths off", i, j, off[j]);
        }
        /* An interval that is wide proves nothing. */
        assert_true(isinf(exact.quorum_loss_s) || seen.quorum_loss_s.half_width < 0.2 * exact.quorum_loss_s);
        assert_true(isinf(exact.data_loss_s) || seen.data_loss_s.half_width < 0.5 * exact.data_loss_s);
    }
    /* One in twenty is expected outside of its interval; those of one group share their cycles, so they go together. */
    assert_true(outside <= compared / 4);
    heap_destroy_system(heap);
}

/* A model that is wrong by a tenth must be noticed. */
static void test_notices_a_wrong_model(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)64 << 20);
    struct plan_group group = in_seconds(groups[3]), wrong = group;
    struct plan_outlook exact;
    struct plan_simulation seen;
    assert_int_equal(plan_simulate(&group, 400000, 1, &seen), OK);
    wrong.mttr_s *= 1.1;
    assert_int_equal(plan_outlook(&wrong, 0, heap, &exact), OK);
    assert_true(widths_off(seen.quorum_loss_s, exact.quorum_loss_s) > 3);
    assert_true(widths_off(seen.unavailability, exact.unavailability) > 3);
    wrong = group;
    wrong.disk_mttr_s *= 1.25;
    assert_int_equal(plan_outlook(&wrong, 0, heap, &exact), OK);
    assert_true(widths_off(seen.data_loss_s, exact.data_loss_s) > 1.5);
    heap_destroy_system(heap);
}

/* ---- a plain simulation: members with clocks of their own, no rates added up, nothing biased ---- */

static double exponential(struct random *random, double mean)
{
    return -mean * log(((double)(random_u64(random) >> 11) + 1) * 0x1p-53);
}

/* Time until fewer than a quorum are up, with a crew for each and disks that last. */
static double plain_run(struct random *random, const struct plan_group *group)
{
    double next[PLAN_MEMBERS_MAX];
    bool up[PLAN_MEMBERS_MAX];
    uint32_t count = group->members;
    for (uint32_t i = 0; i < group->members; i++) {
        up[i] = true;
        next[i] = exponential(random, group->mttf_s);
    }
    for (;;) {
        uint32_t first = 0;
        for (uint32_t i = 1; i < group->members; i++)
            first = next[i] < next[first] ? i : first;
        up[first] = !up[first];
        count = up[first] ? count + 1 : count - 1;
        if (count < group->quorum)
            return next[first];
        next[first] += exponential(random, up[first] ? group->mttf_s : group->mttr_s);
    }
}

static void test_plain_simulation_agrees(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)64 << 20);
    struct random random;
    random_seed(&random, test_seed("plan_simulate_test"));
    for (uint32_t members = 1; members <= 5; members++) {
        struct plan_group group = {members, members / 2 + 1, 0, true, 100 * HOUR_S, 10 * HOUR_S, INFINITY, 1};
        struct plan_outlook exact;
        double sum = 0, squares = 0;
        assert_int_equal(plan_outlook(&group, 0, heap, &exact), OK);
        for (int i = 0; i < PLAIN_RUNS; i++) {
            double time = plain_run(&random, &group);
            sum += time;
            squares += time * time;
        }
        double mean = sum / PLAIN_RUNS, error = sqrt((squares / PLAIN_RUNS - mean * mean) / PLAIN_RUNS);
        assert_true(fabs(mean - exact.quorum_loss_s) < 4.5 * error);
    }
    heap_destroy_system(heap);
}

static void test_repeats_and_ends(void **state)
{
    (void)state;
    struct plan_group group = in_seconds(groups[5]);
    struct plan_simulation one, two;
    assert_int_equal(plan_simulate(&group, 1000, 7, &one), OK);
    assert_int_equal(plan_simulate(&group, 1000, 7, &two), OK);
    assert_true(one.quorum_loss_s.mean == two.quorum_loss_s.mean && one.steps == two.steps);
    assert_int_equal(plan_simulate(&group, 1000, 8, &two), OK);
    assert_true(one.quorum_loss_s.mean != two.quorum_loss_s.mean);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_the_model),
        cmocka_unit_test(test_notices_a_wrong_model),
        cmocka_unit_test(test_plain_simulation_agrees),
        cmocka_unit_test(test_repeats_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
