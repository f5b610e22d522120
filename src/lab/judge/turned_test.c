/* Tightness: Raft masks crashes and omissions, and says so. Under a member that lies it is found to break within a few
 * seeds, by the judges that watch the honest ones only; and what lies or stops under such a fault is no violation. With
 * one ill disk of five, whose damage shows, it does not break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "base/time.h"
#include "host/world/world_plan.h"
#include "lab/search/campaign.h"
#include "protocol/registry.h"
#include "service/registry.h"

enum { NODES = 5, ITEMS_MAX = 64 };

static struct plan_item items[ITEMS_MAX];
static uint32_t item_count;

static void rings(void *context, struct world *world, uint64_t number)
{
    (void)context;
    for (uint32_t i = 0; i < item_count && number == 0; i++)
        world_do(world, &items[i]);
}

static struct world_options options_of(void)
{
    return (struct world_options){
        .protocol = protocol_find("raft"),
        .service = service_find("kv"),
        .node_count = NODES,
        .client_count = 5,
        .time_ns = 20 * NS_PER_S,
        .alarm = {.rings = rings},
    };
}

static void add(enum plan_kind kind, uint32_t node, int64_t at_ms, int64_t duration_ms, int64_t amount, uint64_t draw)
{
    assert_true(item_count < ITEMS_MAX);
    items[item_count++] = (struct plan_item){.kind = kind,
                                             .node = node,
                                             .at_ns = at_ms * NS_PER_MS,
                                             .duration_ns = duration_ms * NS_PER_MS,
                                             .amount = amount,
                                             .draw = draw};
}

static uint64_t draw(uint64_t seed, uint64_t number)
{
    return hash_mix(seed, number) | 1;
}

/* The first seed of those up to `last` at which Raft breaks, or at which its safety does; 0: none. */
static uint64_t first_of(struct world_options options, void (*prepare)(uint64_t seed), uint64_t last, bool safety)
{
    struct campaign_runner *runner = campaign_runner_create(&options);
    assert_non_null(runner);
    uint64_t broken = 0;
    for (uint64_t seed = 1; seed <= last && broken == 0; seed++) {
        struct campaign_result result;
        item_count = 0;
        if (prepare != NULL)
            prepare(seed);
        options.seed = seed;
        campaign_runner_run(runner, &options, &result);
        if (!result.world.violated || (safety && strcmp(result.world.property, "PROGRESS") == 0))
            continue;
        print_message("seed %llu: %s %s\n", (unsigned long long)seed, result.world.property, result.world.sentence);
        broken = seed;
    }
    campaign_runner_free(runner);
    return broken;
}

static uint64_t first_broken(void (*prepare)(uint64_t seed), uint64_t last, bool safety)
{
    return first_of(options_of(), prepare, last, safety);
}

/* The same with faults that the world draws. */
static uint64_t first_drawn(uint32_t faults, uint32_t k, uint64_t last)
{
    struct world_options options = options_of();
    options.faults = faults;
    options.k = k;
    return first_of(options, NULL, last, false);
}

static void one_liar(uint64_t seed)
{
    add(PLAN_ADVERSARY, 1 + (uint32_t)(seed % NODES), 200, 13000, DEED_ALL, draw(seed, 1));
}

/* Nodes 1 and 2 are cut off from 3 and 4; each side has the fifth for its majority, if that one plays along. */
static void two_sides(void)
{
    for (uint32_t a = 1; a <= 2; a++)
        for (uint32_t b = 3; b <= 4; b++) {
            add(PLAN_CUT_LINK, a, 2000, 11000, 0, 0);
            items[item_count - 1].other = b;
            add(PLAN_CUT_LINK, b, 2000, 11000, 0, 0);
            items[item_count - 1].other = a;
        }
}

static void one_twin(uint64_t seed)
{
    add(PLAN_ADVERSARY, 5, 200, 13000, DEED_TWIN, draw(seed, 1));
    two_sides();
}

static void one_that_is_wrong(uint64_t seed)
{
    add(PLAN_VALUE, 5, 200, 13000, 500, draw(seed, 1));
    two_sides();
}

static void colluders(uint64_t seed)
{
    add(PLAN_ADVERSARY, 1, 200, 13000, DEED_MUTATE, draw(seed, 1));
    add(PLAN_ADVERSARY, 2, 200, 13000, DEED_MUTATE, draw(seed, 1));
}

/* Bits rot and sectors cannot be read on one disk, whose node crashes now and then. */
static void one_ill_disk(uint64_t seed)
{
    uint32_t node = 1 + (uint32_t)(seed % NODES);
    for (uint32_t i = 0; i < 6; i++) {
        int64_t at_ms = 1000 + 2000 * (int64_t)i;
        add(i % 2 == 0 ? PLAN_DISK_ROT : PLAN_DISK_LATENT, node, at_ms, 0, 1 + (int64_t)(draw(seed, i) % 8),
            draw(seed, 100 + i));
        add(PLAN_CRASH, node, at_ms + 700, 200, 0, draw(seed, 200 + i));
    }
}

/* A disk that lies is one that no log can see through. */
static void one_lying_disk(uint64_t seed)
{
    uint32_t node = 1 + (uint32_t)(seed % NODES);
    add(PLAN_DISK_LIE, node, 500, 13000, 0, 1);
    for (uint32_t i = 0; i < 10; i++)
        add(PLAN_CRASH, node, 1000 + 1200 * (int64_t)i, 200, 0, draw(seed, 200 + i));
}

/* Writes that land elsewhere or nowhere are seen at the next start, since later ones tell of them. */
static void one_disk_that_misplaces(uint64_t seed)
{
    uint32_t node = 1 + (uint32_t)(seed % NODES);
    for (uint32_t i = 0; i < 10; i++) {
        int64_t at_ms = 1000 + 1200 * (int64_t)i;
        add(i % 2 == 0 ? PLAN_DISK_MISDIRECT : PLAN_DISK_LOSE, node, at_ms, 0, 1, draw(seed, 100 + i));
        add(PLAN_CRASH, node, at_ms + 600, 200, 0, draw(seed, 200 + i));
    }
}

/* What is slow, late, early or silent, or has a clock that stands still, says nothing wrong. */
static void silent(uint64_t seed)
{
    add(PLAN_ADVERSARY, 1 + (uint32_t)(seed % NODES), 200, 13000, DEED_WITHHOLD | DEED_DELAY, draw(seed, 1));
    add(PLAN_OMIT_SEND, 1 + (uint32_t)((seed + 1) % NODES), 200, 13000, 300, draw(seed, 2));
    add(PLAN_BANDWIDTH, 1 + (uint32_t)(seed % NODES), 200, 6000, 50000, 0);
    add(PLAN_EARLY, 1, 1000, 6000, 0, 0);
    items[item_count - 1].other = 2;
    add(PLAN_CLOCK_FREEZE, 1 + (uint32_t)(seed % NODES), 3000, 3000, 0, 0);
}

static void a_liar_breaks_raft(void **state)
{
    (void)state;
    assert_true(first_broken(one_liar, 40, false) != 0);
}

static void a_doubled_identity_breaks_raft(void **state)
{
    (void)state;
    assert_true(first_broken(one_twin, 40, true) != 0);
}

static void colluders_break_raft(void **state)
{
    (void)state;
    assert_true(first_broken(colluders, 60, true) != 0);
}

static void wrong_values_break_raft(void **state)
{
    (void)state;
    assert_true(first_broken(one_that_is_wrong, 40, true) != 0);
}

static void a_drawn_adversary_breaks_raft(void **state)
{
    (void)state;
    assert_true(first_drawn(WORLD_BYZANTINE, 0, 100) != 0);
}

static void an_ill_disk_does_not(void **state)
{
    (void)state;
    assert_int_equal(first_drawn(WORLD_ROT | WORLD_CRASH, 1, 40), 0);
    assert_int_equal(first_broken(one_ill_disk, 60, false), 0);
}

static void nor_does_one_that_misplaces(void **state)
{
    (void)state;
    assert_int_equal(first_broken(one_disk_that_misplaces, 40, false), 0);
}

static void a_lying_disk_does(void **state)
{
    (void)state;
    assert_true(first_broken(one_lying_disk, 40, true) != 0);
}

static void whoever_only_keeps_silent_does_not(void **state)
{
    (void)state;
    assert_int_equal(first_broken(silent, 40, false), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_liar_breaks_raft),
        cmocka_unit_test(a_doubled_identity_breaks_raft),
        cmocka_unit_test(colluders_break_raft),
        cmocka_unit_test(wrong_values_break_raft),
        cmocka_unit_test(a_drawn_adversary_breaks_raft),
        cmocka_unit_test(an_ill_disk_does_not),
        cmocka_unit_test(nor_does_one_that_misplaces),
        cmocka_unit_test(a_lying_disk_does),
        cmocka_unit_test(whoever_only_keeps_silent_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
