/* The table of feasibility cell by cell, the sizes, and who says no. */
#include "lab/plan/plan_feasible.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The table as it is printed: a row for processes and delay, columns for order and transmission. */
static const struct {
    bool synchronous, bounded;
    const char *unordered_unicast, *unordered_multicast, *ordered_unicast, *ordered_multicast;
} rows[] = {
    {true, true, "yes", "yes", "yes", "yes"},
    {true, false, "no", "no", "yes", "yes"},
    {false, true, "no", "no", "no", "yes"},
    {false, false, "no", "no", "no", "yes"},
};

static struct plan_question crash_of_one(void)
{
    return (struct plan_question){.failures = MASKS_CRASH, .k = 1, .order = ORDER_TOTAL};
}

static void assert_cell(size_t row, bool ordered, bool multicast, const char *wanted)
{
    struct plan_question question = crash_of_one();
    question.processes = rows[row].synchronous ? PLAN_SYNCHRONOUS : PLAN_ASYNCHRONOUS;
    question.delay_bounded = rows[row].bounded;
    question.ordered = ordered;
    question.multicast = multicast;
    struct plan_feasible answer = plan_feasible(&question);
    assert_string_equal(plan_can_name(answer.can), wanted);
    assert_int_equal(plan_table(rows[row].synchronous, rows[row].bounded, ordered, multicast), *wanted == 'y');
    if (*wanted == 'y') {
        assert_int_equal(answer.members, 2);
        return;
    }
    assert_int_equal(answer.members, 0);
    bool asynchronous_throughout = !rows[row].synchronous && !rows[row].bounded && !ordered;
    assert_int_equal(answer.theorem, asynchronous_throughout ? PLAN_FLP : PLAN_DOLEV);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        assert_cell(row, false, false, rows[row].unordered_unicast);
        assert_cell(row, false, true, rows[row].unordered_multicast);
        assert_cell(row, true, false, rows[row].ordered_unicast);
        assert_cell(row, true, true, rows[row].ordered_multicast);
    }
}

/* More synchrony never turns a yes into a no. */
static void test_table_is_monotonic(void **state)
{
    (void)state;
    for (unsigned less = 0; less < 16; less++)
        for (unsigned more = 0; more < 16; more++)
            if ((less & more) == less && plan_table(less & 1, less & 2, less & 4, less & 8))
                assert_true(plan_table(more & 1, more & 2, more & 4, more & 8));
}

static void assert_size(enum failure_model failures, enum plan_processes processes, bool signatures, uint64_t k,
                        uint64_t members)
{
    struct plan_question question = {.failures = failures, .k = k, .processes = processes, .delay_bounded = true,
                                     .signatures = signatures, .order = ORDER_TOTAL};
    struct plan_feasible answer = plan_feasible(&question);
    assert_int_equal(answer.can, processes == PLAN_SYNCHRONOUS ? PLAN_YES : PLAN_IN_TIME);
    assert_int_equal(answer.members, members);
    question.members = members;
    assert_int_equal(plan_feasible(&question).can, answer.can);
    question.members = members - 1;
    if (question.members != 0)
        assert_int_equal(plan_feasible(&question).can, PLAN_NO);
    assert_int_equal(plan_feasible(&question).members, members);
}

static void test_sizes(void **state)
{
    (void)state;
    for (uint64_t k = 1; k < 5; k++) {
        assert_size(MASKS_CRASH, PLAN_SYNCHRONOUS, false, k, k + 1);
        assert_size(MASKS_OMISSION, PLAN_SYNCHRONOUS, false, k, 2 * k + 1);
        assert_size(MASKS_TIMING, PLAN_SYNCHRONOUS, false, k, 2 * k + 1);
        assert_size(MASKS_VALUE, PLAN_SYNCHRONOUS, false, k, 3 * k + 1);
        assert_size(MASKS_ARBITRARY, PLAN_SYNCHRONOUS, false, k, 3 * k + 1);
        assert_size(MASKS_ARBITRARY, PLAN_SYNCHRONOUS, true, k, k + 2);
        struct plan_question written = {.failures = MASKS_VALUE, .k = k, .delay_bounded = true, .signatures = true};
        assert_string_equal(plan_feasible(&written).rule, "k+2");
        assert_size(MASKS_CRASH, PLAN_PARTIALLY_SYNCHRONOUS, false, k, 2 * k + 1);
        assert_size(MASKS_TIMING, PLAN_PARTIALLY_SYNCHRONOUS, true, k, 2 * k + 1);
        assert_size(MASKS_ARBITRARY, PLAN_PARTIALLY_SYNCHRONOUS, false, k, 3 * k + 1);
        assert_size(MASKS_ARBITRARY, PLAN_PARTIALLY_SYNCHRONOUS, true, k, 3 * k + 1);
    }
    assert_size(MASKS_ARBITRARY, PLAN_SYNCHRONOUS, false, PLAN_K_MAX, 3 * PLAN_K_MAX + 1);
    assert_size(MASKS_CRASH, PLAN_PARTIALLY_SYNCHRONOUS, false, 0, 1);
}

static void assert_no(struct plan_question question, enum plan_theorem theorem)
{
    struct plan_feasible answer = plan_feasible(&question);
    assert_int_equal(answer.can, PLAN_NO);
    assert_int_equal(answer.theorem, theorem);
    assert_non_null(plan_proof_of(theorem)->name);
}

static void test_who_says_no(void **state)
{
    (void)state;
    struct plan_question question = crash_of_one();
    question.delay_bounded = question.ordered = question.multicast = true;
    assert_int_equal(plan_feasible(&question).can, PLAN_YES);
    question.lossy = true;
    assert_no(question, PLAN_TWO_GENERALS);
    question.k = 0;
    assert_no(question, PLAN_TWO_GENERALS); /* nobody has to fail for it */
    question.processes = PLAN_PARTIALLY_SYNCHRONOUS;
    assert_int_equal(plan_feasible(&question).can, PLAN_IN_TIME); /* losses end, some time */
    question.partition = PLAN_REFUSE;
    assert_int_equal(plan_feasible(&question).can, PLAN_IN_TIME);
    question.partition = PLAN_ANSWER;
    assert_no(question, PLAN_GILBERT);

    question = crash_of_one();
    question.processes = PLAN_ASYNCHRONOUS;
    assert_no(question, PLAN_FLP);
    question.multicast = true;
    assert_no(question, PLAN_FLP);
    question.k = 0;
    assert_int_equal(plan_feasible(&question).can, PLAN_YES);

    question = crash_of_one();
    question.failures = MASKS_ARBITRARY;
    question.delay_bounded = true;
    question.members = 3;
    assert_no(question, PLAN_PEASE);
    question.processes = PLAN_PARTIALLY_SYNCHRONOUS;
    assert_no(question, PLAN_DWORK);
}

static void test_open(void **state)
{
    (void)state;
    struct plan_question question = crash_of_one();
    question.processes = PLAN_ASYNCHRONOUS;
    question.ordered = question.multicast = true;
    question.failures = MASKS_OMISSION;
    assert_int_equal(plan_feasible(&question).can, PLAN_OPEN);
}

/* Each claim can be looked at. That the scenario is there is checked from outside (plan_test.py). */
static void every_theorem_has_a_scenario(void **state)
{
    (void)state;
    assert_null(plan_proof_of(PLAN_THEOREM_NONE)->name);
    for (enum plan_theorem theorem = PLAN_THEOREM_NONE + 1; theorem < PLAN_THEOREMS; theorem++) {
        assert_non_null(plan_proof_of(theorem)->claim);
        assert_non_null(plan_proof_of(theorem)->scenario);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_is_monotonic),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_who_says_no),
        cmocka_unit_test(test_open),
        cmocka_unit_test(every_theorem_has_a_scenario),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
