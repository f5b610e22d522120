/* Shrinking failing runs: the result is small, replays to the same property, and is 1-minimal by a loop of the test's
 * own that takes out each item, client and node anew. */
#include "lab/search/shrink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "base/time.h"
#include "lab/search/campaign.h"
#include "lab/search/mutants.h"
#include "protocol/registry.h"

#define HEAP_BYTES ((size_t)1 << 30)
enum { SEEDS_MAX = 100, SMALL_ITEMS = 25 };

static struct world_options options_of(const char *protocol, const char *rule)
{
    struct world_options world;
    struct mutant mutant;
    campaign_defaults(protocol_find(protocol), &world);
    assert_true(mutant_find(world.protocol, rule, &mutant));
    world.ablations = mutant.ablation;
    return world;
}

static bool violates(const struct world_options *world, const char *property)
{
    struct campaign_result result;
    struct campaign_runner *runner = campaign_runner_create(world);
    assert_non_null(runner);
    campaign_runner_run(runner, world, &result);
    campaign_runner_free(runner);
    return result.world.violated && strcmp(result.world.property, property) == 0;
}

/* The first seed that violates something. */
static uint64_t failing_seed(struct world_options world)
{
    struct campaign_runner *runner = campaign_runner_create(&world);
    struct campaign_result result = {0};
    assert_non_null(runner);
    for (world.seed = 1; world.seed <= SEEDS_MAX && !result.world.violated; world.seed++)
        campaign_runner_run(runner, &world, &result);
    campaign_runner_free(runner);
    assert_true(result.world.violated);
    return world.seed - 1;
}

/* ---- taking out one thing, written without the shrinker's own code ---- */

static bool fails_without_item(const struct shrink_result *result, uint32_t place)
{
    struct plan_item items[SMALL_ITEMS];
    struct plan plan = {.items = items, .count = 0};
    for (uint32_t i = 0; i < result->plan.count; i++)
        if (i != place)
            items[plan.count++] = result->plan.items[i];
    struct world_options world = result->world;
    world.plan = &plan;
    return violates(&world, result->property);
}

static bool fails_without_client(const struct shrink_result *result, uint32_t client)
{
    struct plan_item items[SMALL_ITEMS];
    struct plan plan = {.items = items, .count = 0};
    for (uint32_t i = 0; i < result->plan.count; i++) {
        struct plan_item item = result->plan.items[i];
        bool client_s = item.kind == PLAN_REQUEST || item.kind == PLAN_LEAVE;
        if (client_s && item.client == client)
            continue;
        if (client_s && item.client > client)
            item.client--;
        items[plan.count++] = item;
    }
    struct world_options world = result->world;
    world.client_count--;
    world.plan = &plan;
    return violates(&world, result->property);
}

static void check_minimal(const struct shrink_result *result)
{
    assert_true(result->minimal);
    assert_true(violates(&result->world, result->property));
    for (uint32_t i = 0; i < result->plan.count; i++)
        assert_false(fails_without_item(result, i));
    for (uint32_t client = 0; client < result->world.client_count; client++)
        assert_false(fails_without_client(result, client));
}

static void shrink(void **state, const char *protocol, const char *rule)
{
    struct shrink_options options = {.world = options_of(protocol, rule)};
    struct shrink_result result;
    char why[256] = "";
    options.world.seed = failing_seed(options.world);
    assert_int_equal(shrink_run(&options, *state, &result, why, sizeof why), OK);
    print_message("%s without %s: %s, %u items, %u nodes, %u clients, %llu runs\n", protocol, rule, result.property,
                  result.plan.count, result.world.node_count, result.world.client_count,
                  (unsigned long long)result.runs);
    assert_true(result.plan.count < SMALL_ITEMS);
    assert_true(result.after.requests + result.after.faults == result.plan.count);
    assert_true(result.before.requests + result.before.faults >= result.plan.count);
    check_minimal(&result);
    plan_free(&result.plan);
}

static void a_vote_that_is_not_stored(void **state) { shrink(state, "raft", "vote-not-stored"); }

static void logs_that_are_not_compared(void **state) { shrink(state, "raft", "vote-any-log"); }

static void a_participant_that_decides_alone(void **state) { shrink(state, "two-phase-commit", "decide-alone"); }

static void a_promise_that_is_not_stored(void **state)
{
    shrink(state, "two-phase-commit", "vote-before-ready-stored");
}

static void a_sound_run_is_refused(void **state)
{
    struct shrink_options options = {.world = options_of("raft", "vote-not-stored")};
    struct shrink_result result;
    char why[256] = "";
    options.world.ablations = 0;
    options.world.time_ns = 5 * NS_PER_S;
    options.world.seed = 1;
    assert_int_equal(shrink_run(&options, *state, &result, why, sizeof why), ERROR_NOT_FOUND);
    assert_non_null(strstr(why, "seed 1 violates nothing"));
}

static void few_runs_give_a_result_that_says_so(void **state)
{
    struct shrink_options options = {.world = options_of("raft", "vote-not-stored"), .runs_max = 5};
    struct shrink_result result;
    char why[256] = "";
    options.world.seed = failing_seed(options.world);
    assert_int_equal(shrink_run(&options, *state, &result, why, sizeof why), OK);
    assert_false(result.minimal);
    assert_true(result.runs <= 6);
    assert_true(violates(&result.world, result.property));
    plan_free(&result.plan);
}

static int begin(void **state)
{
    *state = heap_create_system(HEAP_BYTES);
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
        cmocka_unit_test_setup_teardown(a_vote_that_is_not_stored, begin, end),
        cmocka_unit_test_setup_teardown(logs_that_are_not_compared, begin, end),
        cmocka_unit_test_setup_teardown(a_participant_that_decides_alone, begin, end),
        cmocka_unit_test_setup_teardown(a_promise_that_is_not_stored, begin, end),
        cmocka_unit_test_setup_teardown(a_sound_run_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(few_runs_give_a_result_that_says_so, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
