/* Gateways in whole runs: clients ask them alone, they are no members, nothing wrong is done to them, and what they say
 * is masked as their vote promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "base/time.h"
#include "host/world/world_act.h"
#include "host/world/world_state.h"
#include "protocol/registry.h"
#include "protocol/replica/voter.h"
#include "service/registry.h"

enum { ITEMS_MAX = 4 };

static void *region;
static size_t region_size;

static struct {
    struct plan_item items[ITEMS_MAX];
    uint32_t count;
} script;

static struct {
    uint64_t at_members, at_gateways; /* clients' marks, by where they were */
    uint64_t watched_gateways;
    uint64_t wrong; /* answers, by the gateways' word */
    bool crashed_gateway;
    struct world *world;
    uint32_t members;
} seen;

static struct world_options options_of(const char *protocol, uint32_t nodes, uint32_t gateways, uint32_t vote)
{
    return (struct world_options){.seed = 1,
                                  .protocol = protocol_find(protocol),
                                  .service = service_find("kv"),
                                  .node_count = nodes,
                                  .gateways = gateways,
                                  .vote = vote,
                                  .client_count = 4,
                                  .time_ns = 20 * NS_PER_S};
}

static void rings(void *context, struct world *world, uint64_t number)
{
    (void)context;
    seen.world = world;
    for (uint32_t i = 0; i < script.count && number == 0; i++)
        world_do(world, &script.items[i]);
}

static void on_mark(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *text)
{
    (void)context;
    (void)at_ns;
    (void)text;
    if (mark == WORLD_MARK_CLIENT && place != WORLD_NOWHERE)
        *(place < seen.members ? &seen.at_members : &seen.at_gateways) += 1;
    if (mark == WORLD_MARK_DOWN && place >= seen.members && place != WORLD_NOWHERE)
        seen.crashed_gateway = true;
}

static void on_stepped(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec, const void *member)
{
    (void)context;
    (void)at_ns;
    assert_int_equal(spec->served_by != NULL, place >= seen.members);
    if (place < seen.members)
        return;
    seen.wrong = 0;
    for (uint32_t i = 0; i < seen.members; i++)
        seen.wrong += voter_wrong_answers(member, i);
}

static void on_started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    (void)context;
    (void)member;
    (void)service;
    seen.watched_gateways += place >= seen.members || spec->served_by != NULL;
}

static const char *on_watched(void *context, uint32_t place, const struct event *event)
{
    (void)context;
    (void)event;
    seen.watched_gateways += place >= seen.members;
    return NULL;
}

static struct world_result run(struct world_options options)
{
    struct world_result result;
    struct world *world;
    memset(&seen, 0, sizeof seen);
    seen.members = options.node_count;
    options.alarm.rings = rings;
    options.tracer = (struct world_tracer){.mark = on_mark, .stepped = on_stepped};
    options.watch = (struct world_watch){.started = on_started, .stepped = on_watched};
    assert_true(world_region_size(&options) <= region_size);
    world_run(region, region_size, &options, &result, &world);
    return result;
}

static int begin(void **state)
{
    (void)state;
    struct world_options options = options_of("pbft", 4, 2, 0);
    region_size = world_region_size(&options);
    region = mmap(NULL, region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return region == MAP_FAILED;
}

static int end(void **state)
{
    (void)state;
    return munmap(region, region_size);
}

static int clear(void **state)
{
    (void)state;
    memset(&script, 0, sizeof script);
    return 0;
}

static void check_fine(const struct world_result *result)
{
    if (result->violated)
        fail_msg("%s: %s", result->property, result->sentence);
    assert_false(result->outside_contract);
}

static void clients_ask_gateways_alone(void **state)
{
    (void)state;
    static const char *const protocols[] = {"raft", "paxos", "pbft"};
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        struct world_result result = run(options_of(protocols[i], 4, 2, 0));
        check_fine(&result);
        assert_int_equal(seen.at_members, 0);
        assert_true(seen.at_gateways > 100);
        assert_int_equal(seen.watched_gateways, 0);
        assert_int_equal(seen.wrong, 0);
    }
}

static void without_gateways_nothing_is_different(void **state)
{
    (void)state;
    struct world_result result = run(options_of("raft", 4, 0, 0));
    check_fine(&result);
    assert_int_equal(seen.at_gateways, 0);
    assert_true(seen.at_members > 100);
}

/* Gateways that are down or cut off are nobody's fault among the members; and what only members can do wrong is not done
 * to them. */
static void gateways_are_not_counted(void **state)
{
    (void)state;
    script.items[0] = (struct plan_item){
        .kind = PLAN_CRASH, .at_ns = 3 * NS_PER_S, .node = 5, .duration_ns = 4 * NS_PER_S, .draw = 1};
    script.items[1] = (struct plan_item){
        .kind = PLAN_CUT, .at_ns = 4 * NS_PER_S, .set = 1 << 5, .amount = 3, .duration_ns = 2 * NS_PER_S};
    script.items[2] = (struct plan_item){
        .kind = PLAN_ADVERSARY, .at_ns = 9 * NS_PER_S, .node = 6, .amount = DEED_ALL, .duration_ns = NS_PER_S};
    script.count = 3;
    struct world_result result = run(options_of("pbft", 4, 2, 0));
    check_fine(&result);
    assert_true(seen.crashed_gateway);
    assert_int_equal(result.faulty_most, 0);
    assert_false(seen.world->processes[5].turned);
}

static struct world_result lie(uint32_t first, uint32_t liars, uint32_t vote)
{
    for (uint32_t i = 0; i < liars; i++)
        script.items[i] = (struct plan_item){.kind = PLAN_ANSWERS,
                                             .at_ns = 2 * NS_PER_S,
                                             .node = first + i,
                                             .amount = 1000,
                                             .draw = 7,
                                             .duration_ns = 8 * NS_PER_S};
    script.count = liars;
    struct world_options options = options_of("raft", 3, 1, vote);
    return run(options);
}

/* TMR-1: wherever the liar stands, also where the order is made. */
static void one_liar_of_three_is_masked_and_told_of(void **state)
{
    (void)state;
    for (uint32_t first = 1; first <= 3; first++) {
        struct world_result result = lie(first, 1, 3);
        check_fine(&result);
        assert_true(seen.wrong > 10);
        assert_int_equal(result.faulty_most, 1);
    }
}

static void two_liars_of_three_are_outside_the_contract(void **state)
{
    (void)state;
    struct world_result result = lie(1, 2, 3);
    assert_true(result.outside_contract);
}

static void equal_seeds_make_equal_runs(void **state)
{
    (void)state;
    struct world_options options = options_of("pbft", 4, 2, 0);
    options.faults = WORLD_FAULTS_ALL;
    struct world_result first = run(options), second = run(options);
    assert_int_equal(first.hash, second.hash);
    options.seed = 2;
    second = run(options);
    assert_int_not_equal(first.hash, second.hash);
}

static void what_does_not_go_together_is_said(void **state)
{
    (void)state;
    char why[160];
    struct world_options options = options_of("raft", 3, 1, 3);
    assert_true(world_gateways_fit(&options, why, sizeof why));
    options = options_of("raft", 3, 0, 3);
    assert_false(world_gateways_fit(&options, why, sizeof why));
    options = options_of("raft", 3, 1, 5);
    assert_false(world_gateways_fit(&options, why, sizeof why));
    options = options_of("pbft", 4, 1, 3);
    assert_false(world_gateways_fit(&options, why, sizeof why));
    options = options_of("raft", 40, 25, 0);
    assert_false(world_gateways_fit(&options, why, sizeof why));
    options = options_of("flooding", 4, 1, 0);
    assert_false(world_gateways_fit(&options, why, sizeof why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(clients_ask_gateways_alone, clear),
        cmocka_unit_test_setup(without_gateways_nothing_is_different, clear),
        cmocka_unit_test_setup(gateways_are_not_counted, clear),
        cmocka_unit_test_setup(one_liar_of_three_is_masked_and_told_of, clear),
        cmocka_unit_test_setup(two_liars_of_three_are_outside_the_contract, clear),
        cmocka_unit_test_setup(equal_seeds_make_equal_runs, clear),
        cmocka_unit_test_setup(what_does_not_go_together_is_said, clear),
    };
    return cmocka_run_group_tests_name("world_gateway", tests, begin, end);
}
