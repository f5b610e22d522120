/* Two generals, explored: without loss they agree from everywhere; with one loss each bound on messages has a run in
 * which they do not (AG-1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/judge/explore_two_generals.h"
#include "protocol/consensus/two_generals.h"

enum { BOUND_MAX = 8 };

/* One plan with that bound, or for the audit two with any up to it; dawn does not come, so that whatever may still
 * happen is waited for. */
static struct explore_result explore(uint32_t bound, uint32_t losses, bool audit)
{
    const struct explore_config config = {
        .protocol = &two_generals_protocol,
        .property = &explore_two_generals_property,
        .timers = {{"dawn", 0, TWO_GENERALS_TIMER, audit ? 1 : 0, false}},
        .timer_count = 1,
        .nodes = 2,
        .requests = audit ? 2 : 1,
        .values = audit ? bound : 1,
        .value_first = audit ? 0 : bound - 1,
        .losses = losses,
        .copies = 1,
        .audit = audit,
        .progress = !audit,
        .memory_bytes_max = (size_t)256 << 20,
    };
    char why[300];
    struct explorer *explorer = explore_create(&config, why, sizeof why);
    if (explorer == NULL)
        fail_msg("%s", why);
    struct explore_result result;
    explore_run(explorer, &result);
    if (result.verdict == EXPLORE_FAILED)
        fail_msg("%s", result.bound);
    explore_destroy(explorer);
    return result;
}

static void without_loss_they_agree(void **state)
{
    (void)state;
    for (uint32_t bound = 1; bound <= BOUND_MAX; bound++) {
        struct explore_result result = explore(bound, 0, false);
        if (result.verdict != EXPLORE_COMPLETE)
            fail_msg("bound %u: %s", bound, result.violation);
        print_message("bound %u: %llu states\n", bound, (unsigned long long)result.states);
    }
}

static void with_a_loss_each_bound_has_its_run(void **state)
{
    (void)state;
    for (uint32_t bound = 1; bound <= BOUND_MAX; bound++) {
        struct explore_result result = explore(bound, 1, false);
        assert_int_equal(result.verdict, EXPLORE_VIOLATED);
        assert_memory_equal(result.violation, "TG-1", 4);
        assert_int_equal(result.trace_length, bound + 1); /* the plan, and each messenger: the last one is lost */
    }
}

static void the_canonical_state_leaves_nothing_out(void **state)
{
    (void)state;
    struct explore_result result = explore(3, 1, true);
    assert_int_equal(result.audit_failures, 0);
    assert_true(result.audited > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_loss_they_agree),
        cmocka_unit_test(with_a_loss_each_bound_has_its_run),
        cmocka_unit_test(the_canonical_state_leaves_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
