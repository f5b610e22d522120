/* The door of attacks, with attacks made for these tests: what they see, what they can do, and that nothing of it is
 * left when they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "base/time.h"
#include "host/world/world_attack.h"
#include "host/world/world_plan.h"
#include "host/world/world_state.h"
#include "protocol/consensus/raft.h"
#include "protocol/registry.h"
#include "service/registry.h"

enum { NODES = 3, BEGINS_S = 2, LASTS_S = 3, LATE_MS = 700 };

static void *region;
static size_t region_size;

static struct {
    uint64_t begun, sends, hears, executed, from_us, down_at_once;
    bool kept_alive, turned;
    struct world *world;
    int64_t latency_during_ns, latency_after_ns;
} seen;

/* ---- the attacks ---- */

struct state {
    uint64_t begun;
};

static void begins(void *state, struct attack_scene *scene)
{
    struct state *own = state;
    assert_int_equal(own->begun++, 0);
    assert_int_equal(attack_place(scene), 0);
    assert_int_equal(attack_node_count(scene), NODES);
    assert_non_null(attack_member(scene));
    assert_true(attack_ally(scene, 0) && !attack_ally(scene, 1));
    seen.begun++;
}

static bool is_silent(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)state;
    assert_int_equal(message->from, attack_place(scene));
    seen.sends++;
    return false;
}

static bool is_deaf(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)state;
    assert_int_equal(message->to, attack_place(scene));
    seen.hears++;
    return false;
}

static const struct world_attack silent = {.name = "silent", .what = "it is silent", .classes = WORLD_BYZANTINE,
                                           .state_size = sizeof(struct state), .begins = begins, .sends = is_silent};
static const struct world_attack deaf = {
    .name = "deaf", .what = "it is deaf", .classes = WORLD_BYZANTINE, .hears = is_deaf};

static void hold_others(void *state, struct attack_scene *scene)
{
    (void)state;
    attack_hold(scene, 1, 2, 3 * LATE_MS * NS_PER_MS);
    attack_hold(scene, 1, 2, LATE_MS * NS_PER_MS);
}

static const struct world_attack hold = {
    .name = "hold", .what = "it holds others back", .classes = WORLD_BYZANTINE | WORLD_DELAY, .begins = hold_others};

/* Its first message, once more: in this place the member did not say it. */
static bool says_it_twice(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    struct state *own = state;
    if (own->begun++ == 0)
        attack_send(scene, message->to, message->type, message->body, ATTACK_GOOD_FOR_ALL);
    return true;
}

static const struct world_attack twice = {.name = "twice", .what = "it says the first thing twice",
                                          .classes = WORLD_BYZANTINE, .state_size = sizeof(struct state),
                                          .sends = says_it_twice};

static void cuts_power(void *state, struct attack_scene *scene, const struct delivery *delivery)
{
    (void)state;
    (void)delivery;
    seen.executed++;
    attack_power(scene);
}

static const struct world_attack power = {
    .name = "power", .what = "the power fails", .classes = WORLD_POWER, .executes = cuts_power};

static void executes_more(void *state, struct attack_scene *scene, const struct delivery *delivery)
{
    (void)state;
    seen.executed++;
    attack_execute(scene, delivery);
}

static const struct world_attack executes = {
    .name = "executes", .what = "it executes everything twice", .classes = WORLD_BYZANTINE, .executes = executes_more};

static const struct world_attack *const list[] = {&silent, &deaf, &hold, &twice, &power, &executes};
static const struct world_attacks attacks = {list, sizeof list / sizeof list[0]};

/* ---- runs ---- */

static struct plan_item item;

static int64_t extra_latency_ns(const struct world *world)
{
    int64_t sum_ns = 0;
    for (uint32_t i = 0; i < NODES * NODES; i++)
        sum_ns += world->network.extra_latency_ns[i];
    return sum_ns;
}

static void rings(void *context, struct world *world, uint64_t number)
{
    (void)context;
    seen.world = world;
    if (number == 0) {
        world_do(world, &item);
        world_alarm(world, (BEGINS_S + 1) * NS_PER_S, 1);
        world_alarm(world, (BEGINS_S + LASTS_S + 1) * NS_PER_S, 2);
    } else if (number == 1) {
        seen.latency_during_ns = extra_latency_ns(world);
        seen.turned = world->processes[0].turned;
    } else {
        seen.latency_after_ns = extra_latency_ns(world);
        assert_null(world->processes[0].attack);
    }
}

static void on_sent(void *context, int64_t at_ns, uint32_t place, uint32_t to, struct span message)
{
    (void)context;
    (void)to;
    (void)message;
    bool during = at_ns > BEGINS_S * NS_PER_S && at_ns < (BEGINS_S + LASTS_S) * NS_PER_S;
    seen.from_us += during && place == 0;
}

static int64_t down_ns[NODES];

static void on_mark(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *text)
{
    (void)context;
    (void)text;
    if (mark != WORLD_MARK_DOWN)
        return;
    down_ns[place] = at_ns;
    seen.down_at_once += down_ns[0] == at_ns && down_ns[1] == at_ns && down_ns[2] == at_ns;
}

static struct world_result run(const char *name, uint64_t draw)
{
    struct world_options options = {
        .seed = 3,
        .protocol = protocol_find("raft"),
        .service = service_find("kv"),
        .node_count = NODES,
        .client_count = 3,
        .time_ns = 20 * NS_PER_S,
        .alarm = {.rings = rings},
        .tracer = {.sent = on_sent, .mark = on_mark},
        .attacks = &attacks,
    };
    struct world_result result;
    struct world *world = NULL;
    memset(&seen, 0, sizeof seen);
    memset(down_ns, 0, sizeof down_ns);
    item = (struct plan_item){.kind = PLAN_ATTACK, .at_ns = BEGINS_S * NS_PER_S, .duration_ns = LASTS_S * NS_PER_S,
                              .node = 1, .draw = draw, .text = span_string(name)};
    world_run(region, region_size, &options, &result, &world);
    return result;
}

static int begin(void **state)
{
    (void)state;
    struct world_options options = {.protocol = protocol_find("raft"),
                                    .service = service_find("kv"),
                                    .node_count = NODES,
                                    .client_count = 3,
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

/* ---- tests ---- */

static void what_is_withheld_does_not_leave(void **state)
{
    (void)state;
    struct world_result result = run("silent", 1);
    assert_false(result.violated);
    assert_int_equal(seen.begun, 1);
    assert_true(seen.sends > 0 && seen.turned);
    assert_int_equal(seen.from_us, 0); /* of messages; greetings are none */
}

static void what_is_not_heard_is_not_answered(void **state)
{
    (void)state;
    struct world_result result = run("deaf", 1);
    assert_false(result.violated);
    assert_true(seen.hears > 0);
}

static void links_are_held_until_it_ends(void **state)
{
    (void)state;
    (void)run("hold", 1);
    assert_int_equal(seen.latency_during_ns, LATE_MS * NS_PER_MS);
    assert_int_equal(seen.latency_after_ns, 0);
}

static void what_it_says_is_taken_as_the_members_own(void **state)
{
    (void)state;
    struct world_result result = run("twice", 1);
    assert_false(result.violated);
    for (uint32_t i = 1; i < NODES; i++) {
        const struct node_counters *counters = node_counters(seen.world->processes[i].node);
        assert_int_equal(counters->rejected[REJECT_CRC] + counters->rejected[REJECT_BODY], 0);
    }
}

static void power_fails_for_all_at_one_instant(void **state)
{
    (void)state;
    struct world_result result = run("power", 1);
    assert_false(result.violated);
    assert_false(seen.turned); /* nobody lied */
    assert_true(seen.executed > 0 && seen.down_at_once > 0);
    assert_false(result.outside_contract);
}

static void its_state_can_be_wrong(void **state)
{
    (void)state;
    struct world_result result = run("executes", 1);
    assert_true(seen.executed > 0);
    assert_false(result.violated); /* it is turned, so its digest is not compared */
    assert_true(node_digest(seen.world->processes[0].node, 0) != node_digest(seen.world->processes[1].node, 0));
}

static void an_attack_that_nobody_knows_is_not_done(void **state)
{
    (void)state;
    struct world_result result = run("unheard-of", 1);
    assert_int_equal(result.faults_struck, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_withheld_does_not_leave),
        cmocka_unit_test(what_is_not_heard_is_not_answered),
        cmocka_unit_test(links_are_held_until_it_ends),
        cmocka_unit_test(what_it_says_is_taken_as_the_members_own),
        cmocka_unit_test(power_fails_for_all_at_one_instant),
        cmocka_unit_test(its_state_can_be_wrong),
        cmocka_unit_test(an_attack_that_nobody_knows_is_not_done),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
