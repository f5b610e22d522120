/* The model of failing and repaired members beside closed forms: binomial availability, the known means of one, two and
 * three machines, a birth-death recursion, and the reliability of k out of n without repair. */
#include "lab/plan/plan_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/heap_system.h"

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

static const double HOUR_S = 3600;

/* A group whose disks last. */
static struct plan_group group_of(uint32_t members, uint32_t quorum, double mttf_s, double mttr_s)
{
    return (struct plan_group){.members = members, .quorum = quorum, .durable = true, .mttf_s = mttf_s,
                               .mttr_s = mttr_s, .disk_mttf_s = INFINITY, .disk_mttr_s = mttr_s};
}

static struct plan_outlook outlook_of(const struct plan_group *group, double mission_s)
{
    struct plan_outlook outlook;
    char why[160];
    assert_true(plan_group_check(group, why, sizeof why));
    assert_int_equal(plan_outlook(group, mission_s, heap, &outlook), OK);
    return outlook;
}

static double choose(uint32_t n, uint32_t k)
{
    double product = 1;
    for (uint32_t i = 1; i <= k; i++)
        product = product * (n - k + i) / i;
    return product;
}

/* Test vectors of the lectures: down a millisecond in each hour, and two weeks in each year. */
static void test_availability_of_one(void **state)
{
    (void)state;
    struct plan_group hourly = group_of(1, 1, HOUR_S - 0.001, 0.001);
    struct plan_outlook outlook = outlook_of(&hourly, HOUR_S);
    assert_near(outlook.unavailability, 0.001 / 3600, 1e-9);
    assert_near(1 - outlook.unavailability, 0.9999997, 1e-7); /* 99.99997 % */
    assert_near(outlook.mission_outage, 1 - exp(-HOUR_S / (HOUR_S - 0.001)), 1e-9); /* and unreliable: 63 % an hour */

    double fortnight_s = 14 * 24 * HOUR_S;
    struct plan_group yearly = group_of(1, 1, PLAN_YEAR_S - fortnight_s, fortnight_s);
    outlook = outlook_of(&yearly, HOUR_S);
    assert_near(1 - outlook.unavailability, 0.962, 5e-4); /* 96.2 % */
    assert_true(outlook.mission_outage < 2e-4);           /* and reliable, over the same hour */
    assert_near(outlook.member_unavailability, outlook.unavailability, 1e-15);
    assert_near(outlook.outages_s, PLAN_YEAR_S, 1e-12); /* MTBF = MTTF + MTTR */
    assert_near(outlook.outage_s, fortnight_s, 1e-12);
    assert_near(outlook.quorum_loss_s, PLAN_YEAR_S - fortnight_s, 1e-12);
}

/* With a crew for each, members are independent: so many of n are up with binomial probability. */
static void test_availability_is_binomial(void **state)
{
    (void)state;
    for (uint32_t members = 1; members <= 9; members++)
        for (uint32_t quorum = 1; quorum <= members; quorum++)
            for (double mttr_s = HOUR_S / 100; mttr_s < 1e4 * HOUR_S; mttr_s *= 100) {
                struct plan_group group = group_of(members, quorum, 1000 * HOUR_S, mttr_s);
                struct plan_outlook outlook = outlook_of(&group, 0);
                double down = mttr_s / (1000 * HOUR_S + mttr_s), wanted = 0;
                for (uint32_t failed = members - quorum + 1; failed <= members; failed++)
                    wanted += choose(members, failed) * pow(down, failed) * pow(1 - down, members - failed);
                assert_near(outlook.unavailability, wanted, 1e-12);
                assert_near(outlook.member_unavailability, down, 1e-13);
            }
}

/* Closed forms with failure rate l and repair rate m, one crew (as in the queue M/M/1 with a finite population) and one
 * for each. */
static void test_one_two_three_machines(void **state)
{
    (void)state;
    const double l = 1 / (1000 * HOUR_S), m = 1 / (2 * HOUR_S);
    struct plan_group group = group_of(1, 1, 1 / l, 1 / m);
    assert_near(outlook_of(&group, 0).quorum_loss_s, 1 / l, 1e-13);
    group = group_of(2, 1, 1 / l, 1 / m);
    assert_near(outlook_of(&group, 0).quorum_loss_s, (3 * l + m) / (2 * l * l), 1e-13);
    group = group_of(3, 2, 1 / l, 1 / m);
    assert_near(outlook_of(&group, 0).quorum_loss_s, (5 * l + m) / (6 * l * l), 1e-13);
    group = group_of(3, 1, 1 / l, 1 / m);
    assert_near(outlook_of(&group, 0).quorum_loss_s, (11 * l * l + 7 * l * m + 2 * m * m) / (6 * l * l * l), 1e-13);
    group.crews = 1;
    assert_near(outlook_of(&group, 0).quorum_loss_s, (11 * l * l + 4 * l * m + m * m) / (6 * l * l * l), 1e-13);
    const double r = l / m;
    group = group_of(2, 1, 1 / l, 1 / m);
    group.crews = 1;
    assert_near(outlook_of(&group, 0).unavailability, 2 * r * r / (1 + 2 * r + 2 * r * r), 1e-13);
    group = group_of(3, 2, 1 / l, 1 / m);
    group.crews = 1;
    assert_near(outlook_of(&group, 0).unavailability,
                (6 * r * r + 6 * r * r * r) / (1 + 3 * r + 6 * r * r + 6 * r * r * r), 1e-13);
}

/* From i failed to i + 1: T_i = 1 / up_i + (down_i / up_i) T_(i-1). A recursion that only adds. */
static double birth_death_mean(const struct plan_group *group)
{
    double sum = 0, stage = 0;
    for (uint32_t failed = 0; failed <= group->members - group->quorum; failed++) {
        uint32_t crews = group->crews != 0 && group->crews < failed ? group->crews : failed;
        double further = (group->members - failed) / group->mttf_s, back = crews / group->mttr_s;
        stage = 1 / further + back / further * stage;
        sum += stage;
    }
    return sum;
}

static void test_loss_is_birth_death(void **state)
{
    (void)state;
    for (uint32_t members = 1; members <= PLAN_MEMBERS_MAX; members += 3)
        for (uint32_t quorum = 1; quorum <= members; quorum += 2)
            for (uint32_t crews = 0; crews < 4; crews++) {
                struct plan_group group = group_of(members, quorum, 4 * PLAN_YEAR_S, 0.1);
                group.crews = crews;
                /* up to 1e200 years */
                assert_near(outlook_of(&group, 0).quorum_loss_s, birth_death_mean(&group), 1e-12);
            }
}

/* Without repair: R(t) = sum over quorum..n of C(n,i) p^i (1-p)^(n-i) with p = exp(-t / MTTF); the mean is the sum of
 * MTTF / i. */
static void test_without_repair(void **state)
{
    (void)state;
    for (uint32_t members = 1; members <= 9; members += 2)
        for (uint32_t quorum = 1; quorum <= members; quorum++)
            for (double mission_s = HOUR_S; mission_s < 1e5 * HOUR_S; mission_s *= 10) {
                struct plan_group group = group_of(members, quorum, 1000 * HOUR_S, INFINITY);
                struct plan_outlook outlook = outlook_of(&group, mission_s);
                double failed = -expm1(-mission_s / group.mttf_s), lost = 0, mean = 0;
                for (uint32_t i = members - quorum + 1; i <= members; i++)
                    lost += choose(members, i) * pow(failed, i) * pow(1 - failed, members - i);
                for (uint32_t i = quorum; i <= members; i++)
                    mean += group.mttf_s / i;
                assert_near(outlook.mission_outage, lost, 1e-10);
                assert_near(outlook.quorum_loss_s, mean, 1e-13);
                assert_true(outlook.unavailability == 1 && isinf(outlook.outages_s));
                assert_true(isinf(outlook.data_loss_s) && outlook.mission_data_loss == 0);
            }
}

/* When disks alone fail, losing data is what losing the quorum was. */
static void test_disks_alone(void **state)
{
    (void)state;
    struct plan_group group = group_of(5, 3, 1e9 * PLAN_YEAR_S, HOUR_S);
    group.disk_mttf_s = 50 * PLAN_YEAR_S;
    group.disk_mttr_s = 24 * HOUR_S;
    struct plan_group members = group_of(5, 3, group.disk_mttf_s, group.disk_mttr_s);
    assert_near(outlook_of(&group, PLAN_YEAR_S).data_loss_s, outlook_of(&members, PLAN_YEAR_S).quorum_loss_s, 1e-6);
    assert_near(outlook_of(&group, PLAN_YEAR_S).mission_data_loss,
                outlook_of(&members, PLAN_YEAR_S).mission_outage, 1e-6);
    /* One member of one, with crashes: the disk dies at its own rate, up or down. */
    group = group_of(1, 1, 10 * HOUR_S, 5 * HOUR_S);
    group.disk_mttf_s = 777 * HOUR_S;
    assert_near(outlook_of(&group, 0).data_loss_s, 777 * HOUR_S, 1e-12);
    /* Its share of time without its disk or crashed, by hand. */
    double crash = 0.1, back = 0.2, disk = 1.0 / 777;
    double crashed = crash / (back + disk), lost = disk * (1 + crashed) / back;
    assert_near(outlook_of(&group, 0).unavailability, (crashed + lost) / (1 + crashed + lost), 1e-12);
}

/* The rates that the solver and the simulation share, so that neither can find an error of theirs. */
static void test_rates(void **state)
{
    (void)state;
    struct plan_group group = group_of(5, 3, 1000, 10);
    group.disk_mttf_s = 5000;
    group.disk_mttr_s = 40;
    struct plan_rates rates = plan_rates_of(&group, 3, 1, 1);
    assert_true(rates.crash == 3 * (1.0 / 1000) && rates.disk_up == 3 * (1.0 / 5000));
    assert_true(rates.disk_crashed == 1.0 / 5000 && rates.restart == 1.0 / 10 && rates.refill == 1.0 / 40);
    group.crews = 1; /* restarts go first */
    rates = plan_rates_of(&group, 3, 1, 1);
    assert_true(rates.restart == 1.0 / 10 && rates.refill == 0);
    rates = plan_rates_of(&group, 3, 0, 2);
    assert_true(rates.restart == 0 && rates.refill == 1.0 / 40);
    group.crews = 3;
    rates = plan_rates_of(&group, 0, 2, 3);
    assert_true(rates.restart == 2 * (1.0 / 10) && rates.refill == 1.0 / 40);
    rates = plan_rates_of(&group, 2, 2, 1); /* without a quorum nobody fills a disk */
    assert_true(rates.restart == 2 * (1.0 / 10) && rates.refill == 0);
    rates = plan_rates_of(&group, 2, 0, 3); /* more are lost than may be: an operator does */
    assert_true(rates.refill == 3 * (1.0 / 40));
    assert_false(plan_is_outage(&group, 1, 1));
    assert_true(plan_is_outage(&group, 1, 2) && !plan_is_data_loss(&group, 1, 2) && plan_is_data_loss(&group, 0, 3));
}

/* What must get worse does, and what cannot matter does not. */
static void test_monotony(void **state)
{
    (void)state;
    struct plan_group group = group_of(5, 3, PLAN_YEAR_S, 2 * HOUR_S);
    group.disk_mttf_s = 20 * PLAN_YEAR_S;
    struct plan_outlook first = outlook_of(&group, PLAN_YEAR_S), next;
    group.crews = 1;
    next = outlook_of(&group, PLAN_YEAR_S);
    assert_true(next.unavailability > first.unavailability && next.quorum_loss_s < first.quorum_loss_s);
    group.crews = 5;
    next = outlook_of(&group, PLAN_YEAR_S);
    assert_memory_equal(&next, &first, sizeof next);
    group.disk_mttr_s *= 10;
    next = outlook_of(&group, PLAN_YEAR_S);
    assert_true(next.data_loss_s < first.data_loss_s / 50 && next.mission_data_loss > first.mission_data_loss * 50);
    /* A member that is down for long keeps a quorum from filling disks. */
    group.disk_mttr_s = group.mttr_s;
    group.mttr_s *= 1000;
    assert_true(outlook_of(&group, 0).data_loss_s < 0.9 * first.data_loss_s);
    /* What is kept in memory only is lost with the quorum. */
    group = group_of(3, 2, PLAN_YEAR_S, 2 * HOUR_S);
    group.durable = false;
    next = outlook_of(&group, PLAN_YEAR_S);
    assert_true(next.data_loss_s == next.quorum_loss_s && next.mission_data_loss == next.mission_outage);
}

static void test_largest(void **state)
{
    (void)state;
    struct plan_group group = group_of(PLAN_MEMBERS_MAX, PLAN_MEMBERS_MAX / 2 + 1, PLAN_YEAR_S, 2 * HOUR_S);
    group.disk_mttf_s = 20 * PLAN_YEAR_S;
    struct plan_outlook outlook = outlook_of(&group, HOUR_S);
    assert_true(outlook.quorum_loss_s > 1e9 * PLAN_YEAR_S && outlook.data_loss_s > outlook.quorum_loss_s);
}

static void assert_refused(struct plan_group group, const char *word)
{
    char why[160] = "";
    assert_false(plan_group_check(&group, why, sizeof why));
    assert_non_null(strstr(why, word));
}

static void test_refusals(void **state)
{
    (void)state;
    assert_refused(group_of(0, 0, 1, 1), "1 to 25");
    assert_refused(group_of(PLAN_MEMBERS_MAX + 1, 5, 1, 1), "26");
    assert_refused(group_of(3, 4, 1, 1), "quorum of 4");
    assert_refused(group_of(3, 0, 1, 1), "quorum of 0");
    assert_refused(group_of(3, 2, INFINITY, 1), "MTTF");
    assert_refused(group_of(3, 2, 0, 1), "MTTF");
    assert_refused(group_of(3, 2, NAN, 1), "MTTF");
    assert_refused(group_of(3, 2, 1, -1), "MTTR");
    struct plan_group group = group_of(25, 13, 1, 1);
    struct heap *small = heap_create_system((size_t)16 << 10);
    struct plan_outlook outlook;
    assert_int_equal(plan_outlook(&group, 1, small, &outlook), ERROR_NO_MEMORY);
    assert_int_equal(heap_used(small), 0);
    heap_destroy_system(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_availability_of_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_availability_is_binomial, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_two_three_machines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_loss_is_birth_death, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_repair, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disks_alone, set_up, tear_down),
        cmocka_unit_test(test_rates),
        cmocka_unit_test_setup_teardown(test_monotony, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_largest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
