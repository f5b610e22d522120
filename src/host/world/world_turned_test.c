/* Faults of members, in whole runs: each strikes, none does more than its class, and equal draws strike alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "base/time.h"
#include "contract/header.h"
#include "host/world/world_adversary.h"
#include "host/world/world_plan.h"
#include "host/world/world_state.h"
#include "protocol/registry.h"
#include "service/registry.h"

enum { NODES = 5, ITEMS_MAX = 4 };

static void *region;
static size_t region_size;

/* What is done to the world at its beginning. */
struct script {
    struct plan_item items[ITEMS_MAX];
    uint32_t count;
};

/* What was seen of it. */
static struct {
    bool down[NODES];
    uint64_t sent_while_down, forged, sent_twice_term;
    struct adversary_counters counters; /* of node 1, highest seen */
    uint32_t script_users;              /* most at once */
    struct member_faults faults;        /* of node 1 */
    struct process *twin;
    bool turned[NODES];
    uint64_t stepped_when_turned;
    struct world *world;
} seen;

static void rings(void *context, struct world *world, uint64_t number)
{
    struct script *script = context;
    seen.world = world;
    for (uint32_t i = 0; i < script->count && number == 0; i++)
        world_do(world, &script->items[i]);
}

static void on_sent(void *context, int64_t at_ns, uint32_t place, uint32_t to, struct span message)
{
    (void)context;
    (void)at_ns;
    (void)to;
    struct header header;
    header_decode(message.data, &header);
    struct span body = span_of(message.data + HEADER_SIZE, message.size - HEADER_SIZE);
    seen.sent_while_down += seen.down[place];
    seen.forged += header.sender != place + 1 || header.crc != header_crc(0, message.data, body, (struct span){0});
}

static void on_mark(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *text)
{
    (void)context;
    (void)at_ns;
    (void)text;
    if (place < NODES && (mark == WORLD_MARK_UP || mark == WORLD_MARK_DOWN))
        seen.down[place] = mark == WORLD_MARK_DOWN;
    if (seen.world == NULL)
        return;
    const struct process *first = &seen.world->processes[0];
    if (first->adversary != NULL)
        seen.counters = *adversary_counters(first);
    seen.faults = first->member_faults;
    seen.twin = first->twin;
}

static void on_turned(void *context, uint32_t place)
{
    (void)context;
    assert_false(seen.turned[place]); /* told once */
    seen.turned[place] = true;
}

static const char *on_stepped(void *context, uint32_t place, const struct event *event)
{
    (void)context;
    (void)event;
    seen.stepped_when_turned += seen.turned[place];
    return NULL;
}

static int begin(void **state)
{
    (void)state;
    struct world_options options = {.protocol = protocol_find("raft"),
                                    .service = service_find("kv"),
                                    .node_count = NODES,
                                    .client_count = 5,
                                    .time_ns = NS_PER_S};
    region_size = world_region_size(&options);
    region = mmap(NULL, region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return region == MAP_FAILED;
}

static int end(void **state)
{
    (void)state;
    return munmap(region, region_size);
}

static struct world_result run(struct script *script, uint64_t seed)
{
    struct world_options options = {
        .seed = seed,
        .protocol = protocol_find("raft"),
        .service = service_find("kv"),
        .node_count = NODES,
        .client_count = 5,
        .time_ns = 10 * NS_PER_S,
        .alarm = {.context = script, .rings = rings},
        .tracer = {.sent = on_sent, .mark = on_mark},
        .watch = {.turned = on_turned, .stepped = on_stepped},
    };
    struct world_result result;
    struct world *world = NULL;
    memset(&seen, 0, sizeof seen);
    world_run(region, region_size, &options, &result, &world);
    return result;
}

static struct plan_item item_of(enum plan_kind kind, int64_t amount, uint64_t draw)
{
    return (struct plan_item){
        .kind = kind, .at_ns = NS_PER_S, .duration_ns = 5 * NS_PER_S, .node = 1, .amount = amount, .draw = draw};
}

/* ---- tests ---- */

static void wrong_values_are_sealed_and_well_formed(void **state)
{
    (void)state;
    uint64_t answers = 0, numbers = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct script script = {.items = {item_of(PLAN_VALUE, 100, seed)}, .count = 1};
        (void)run(&script, seed);
        answers += seen.faults.answers_changed;
        numbers += seen.faults.numbers_changed;
        assert_true(seen.turned[0] && !seen.turned[1]);
        assert_int_equal(seen.stepped_when_turned, 0);
        assert_int_equal(seen.forged, 0);
        for (uint32_t i = 1; i < NODES; i++) {
            const struct process *process = &seen.world->processes[i];
            const struct node_counters *counters = process->up ? node_counters(process->node) : NULL;
            if (counters != NULL)
                assert_int_equal(counters->rejected[REJECT_BODY] + counters->rejected[REJECT_CRC], 0);
        }
    }
    assert_true(answers > 0 && numbers > 0);
}

static void wrong_transitions_of_every_sort_are_taken(void **state)
{
    (void)state;
    uint64_t skipped = 0, doubled = 0, hastened = 0, branches = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct script script = {.items = {item_of(PLAN_TRANSITION, 50, seed)}, .count = 1};
        (void)run(&script, seed);
        skipped += seen.faults.skipped;
        doubled += seen.faults.doubled;
        hastened += seen.faults.hastened;
        branches += seen.faults.branches;
        assert_int_equal(seen.forged, 0);
        assert_int_equal(seen.world->processes[1].spec.ablations, 0);
    }
    assert_true(skipped > 0 && doubled > 0 && hastened > 0 && branches > 0);
}

static void each_deed_is_done(void **state)
{
    (void)state;
    struct adversary_counters sum = {0};
    static const uint32_t deeds[] = {DEED_MUTATE, DEED_WITHHOLD, DEED_DELAY, DEED_REPLAY, DEED_TWIN, DEED_FORGET};
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct script script = {.items = {item_of(PLAN_ADVERSARY, deeds[i], seed)}, .count = 1};
            (void)run(&script, seed);
            const struct adversary_counters *done = &seen.counters;
            assert_true(done->mutated == 0 || deeds[i] == DEED_MUTATE);
            assert_true(done->withheld == 0 || deeds[i] == DEED_WITHHOLD);
            assert_true(done->delayed == 0 || deeds[i] == DEED_DELAY);
            assert_true(done->replayed == 0 || deeds[i] == DEED_REPLAY);
            assert_true(done->twin_heard + done->twin_spoke == 0 || deeds[i] == DEED_TWIN);
            assert_true(done->forgot == 0 || deeds[i] == DEED_FORGET);
            assert_true(deeds[i] != DEED_TWIN || (seen.twin != NULL && !seen.twin->up)); /* it went with the fault */
            assert_int_equal(seen.forged, 0);
            sum.mutated += done->mutated;
            sum.withheld += done->withheld;
            sum.delayed += done->delayed;
            sum.replayed += done->replayed;
            sum.forgot += done->forgot;
            sum.twin_heard += done->twin_heard;
            sum.twin_spoke += done->twin_spoke;
        }
    assert_true(sum.mutated > 0 && sum.withheld > 0 && sum.delayed > 0 && sum.replayed > 0);
    assert_true(sum.forgot > 0 && sum.twin_heard > 0 && sum.twin_spoke > 0);
}

static void whoever_is_down_says_nothing_whatever_else_it_is(void **state)
{
    (void)state;
    static const uint32_t deeds[] = {DEED_ALL & ~DEED_FORGET & ~DEED_TWIN, DEED_TWIN | DEED_REPLAY};
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct script script = {
                .items = {item_of(PLAN_ADVERSARY, deeds[i], seed), item_of(PLAN_CRASH, 0, seed)}, .count = 2};
            script.items[1].at_ns = 2 * NS_PER_S;
            (void)run(&script, seed);
            assert_int_equal(seen.sent_while_down, 0);
        }
}

static void equal_draws_do_the_same_and_others_differ(void **state)
{
    (void)state;
    static const enum plan_kind kinds[] = {PLAN_VALUE, PLAN_TRANSITION, PLAN_ADVERSARY};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int64_t amount = kinds[i] == PLAN_ADVERSARY ? DEED_ALL : 100;
        struct script script = {.items = {item_of(kinds[i], amount, 7)}, .count = 1};
        uint64_t first = run(&script, 2).hash, again = run(&script, 2).hash;
        script.items[0].draw = 8;
        uint64_t other = run(&script, 2).hash;
        assert_true(first == again);
        assert_true(first != other);
    }
}

static uint32_t users_seen;

static void count_users(void *context, struct world *world, uint64_t number)
{
    rings(context, world, number);
    if (number == 0)
        world_alarm(world, 2 * NS_PER_S, 1);
    else
        for (const struct process *process = world->processes; process < world->processes + NODES; process++)
            users_seen += process->adversary != NULL;
    if (number == 1)
        assert_true((world->processes[0].adversary == NULL) == (world->processes[1].adversary == NULL));
}

static void colluders_share_a_script_that_goes_with_them(void **state)
{
    (void)state;
    struct script script = {
        .items = {item_of(PLAN_ADVERSARY, DEED_MUTATE, 9), item_of(PLAN_ADVERSARY, DEED_MUTATE, 9)}, .count = 2};
    script.items[1].node = 2;
    users_seen = 0;
    struct world_options options = {.seed = 4,
                                    .protocol = protocol_find("raft"),
                                    .service = service_find("kv"),
                                    .node_count = NODES,
                                    .client_count = 2,
                                    .time_ns = 10 * NS_PER_S,
                                    .alarm = {.context = &script, .rings = count_users}};
    struct world_result result;
    struct world *world = NULL;
    world_run(region, region_size, &options, &result, &world);
    assert_int_equal(users_seen, 2);
    assert_true(result.violated || world->scripts == NULL);
}

static void clocks_stand_still_and_go_on_from_there(void **state)
{
    (void)state;
    struct script script = {.items = {item_of(PLAN_CLOCK_FREEZE, 0, 1)}, .count = 1};
    struct world_result result = run(&script, 3);
    const struct process *frozen = &seen.world->processes[0], *other = &seen.world->processes[1];
    assert_false(result.violated);
    assert_false(frozen->clock.frozen);
    int64_t at_ns = seen.world->now_ns;
    int64_t behind_ns = process_wall_ns(other, at_ns) - process_wall_ns(frozen, at_ns);
    assert_true(behind_ns > 4 * NS_PER_S && behind_ns < 6 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_values_are_sealed_and_well_formed),
        cmocka_unit_test(wrong_transitions_of_every_sort_are_taken),
        cmocka_unit_test(each_deed_is_done),
        cmocka_unit_test(whoever_is_down_says_nothing_whatever_else_it_is),
        cmocka_unit_test(equal_draws_do_the_same_and_others_differ),
        cmocka_unit_test(colluders_share_a_script_that_goes_with_them),
        cmocka_unit_test(clocks_stand_still_and_go_on_from_there),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
