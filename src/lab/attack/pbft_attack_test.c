/* Attacks on PBFT: with all rules in place none breaks safety, and each is done again from its item; with the rule
 * switched off at which one aims, that attack breaks it within few seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "base/time.h"
#include "host/world/world_plan.h"
#include "lab/attack/attack.h"
#include "lab/search/campaign.h"
#include "protocol/consensus/pbft.h"
#include "service/registry.h"

enum { NODES = 4, SEEDS_MAX = 60, PLAN_BYTES = 16 << 20 };

static const char *attack_name;

/* The primary of the first view follows it, from the beginning, and again. */
static void rings(void *context, struct world *world, uint64_t number)
{
    const struct world_options *options = context;
    for (int64_t i = 0; number == 0 && i < 3; i++)
        world_do(world, &(struct plan_item){.kind = PLAN_ATTACK,
                                            .at_ns = (300 + 7000 * i) * NS_PER_MS,
                                            .duration_ns = 6 * NS_PER_S,
                                            .node = 1,
                                            .draw = hash_mix(options->seed, (uint64_t)i),
                                            .text = span_string(attack_name)});
}

static struct world_options options_of(uint32_t ablations)
{
    return (struct world_options){
        .protocol = &pbft_protocol,
        .service = service_find("kv"),
        .node_count = NODES,
        .client_count = 4,
        .time_ns = 30 * NS_PER_S,
        .ablations = ablations,
        .alarm = {.rings = rings},
    };
}

/* The first seed at which something broke, of so many; 0: nothing. */
static uint64_t first_broken(const char *name, uint32_t ablations, uint64_t last, bool safety)
{
    struct world_options options = options_of(ablations);
    struct campaign_runner *runner = campaign_runner_create(&options);
    assert_non_null(runner);
    attack_name = name;
    options.alarm.context = &options;
    uint64_t broken = 0;
    for (options.seed = 1; options.seed <= last && broken == 0; options.seed++) {
        struct campaign_result result;
        campaign_runner_run(runner, &options, &result);
        if (!result.world.violated || (safety && strcmp(result.world.property, "PROGRESS") == 0))
            continue;
        print_message("%s, seed %llu: %s %s\n", name, (unsigned long long)options.seed, result.world.property,
                      result.world.sentence);
        broken = options.seed;
    }
    campaign_runner_free(runner);
    return broken;
}

/* Safe, and nothing stands still for ever: each run ends by healing. */
static void none_breaks_what_has_all_its_rules(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < pbft_attacks.count; i++)
        assert_int_equal(first_broken(pbft_attacks.list[i]->name, 0, 4, false), 0);
}

static void each_breaks_the_rule_at_which_it_aims(void **state)
{
    (void)state;
    static const struct {
        const char *attack;
        uint32_t ablation;
    } aims[] = {
        {"equivocate", PBFT_ABLATION_NO_PREPARE},
        {"commit-alone", PBFT_ABLATION_COMMIT_2K},
        {"false-certificates", PBFT_ABLATION_NO_CERTIFICATES},
        {"false-checkpoint", PBFT_ABLATION_CHECKPOINT_ALONE},
        {"forge-requests", PBFT_ABLATION_REQUEST_UNPROVEN},
    };
    for (size_t i = 0; i < sizeof aims / sizeof aims[0]; i++)
        assert_true(first_broken(aims[i].attack, aims[i].ablation, SEEDS_MAX, true) > 0);
}

/* What a campaign drew and noted is the same run again, attacks and all. */
static void what_was_noted_is_done_again(void **state)
{
    (void)state;
    void *bytes = mmap(NULL, PLAN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(bytes != MAP_FAILED);
    struct world_options options = options_of(0);
    options.alarm = (struct world_alarm){0};
    options.faults = WORLD_BYZANTINE | WORLD_DELAY | WORLD_POWER;
    struct campaign_runner *runner = campaign_runner_create(&options);
    assert_non_null(runner);
    uint32_t noted = 0;
    for (options.seed = 1; options.seed <= 8; options.seed++) {
        struct campaign_result drawn, again;
        struct plan plan;
        plan_init(&plan, heap_init(bytes, PLAN_BYTES));
        options.record = &plan;
        options.plan = NULL;
        campaign_runner_run(runner, &options, &drawn);
        for (uint32_t i = 0; i < plan.count; i++)
            noted += plan.items[i].kind == PLAN_ATTACK;
        plan_sort(&plan);
        options.record = NULL;
        options.plan = &plan;
        campaign_runner_run(runner, &options, &again);
        assert_true(drawn.world.hash == again.world.hash);
        assert_int_equal(drawn.world.steps, again.world.steps);
    }
    campaign_runner_free(runner);
    assert_true(noted > 8);
    munmap(bytes, PLAN_BYTES);
}

static void two_of_four_are_one_too_many(void **state)
{
    (void)state;
    struct world_options options = options_of(0);
    options.alarm = (struct world_alarm){0};
    options.faults = WORLD_BYZANTINE | WORLD_DELAY;
    options.k = 2;
    struct campaign_runner *runner = campaign_runner_create(&options);
    bool broken = false;
    for (options.seed = 1; options.seed <= SEEDS_MAX && !broken; options.seed++) {
        struct campaign_result result;
        campaign_runner_run(runner, &options, &result);
        broken = result.world.violated && result.world.outside_contract;
    }
    campaign_runner_free(runner);
    assert_true(broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_breaks_what_has_all_its_rules),
        cmocka_unit_test(each_breaks_the_rule_at_which_it_aims),
        cmocka_unit_test(what_was_noted_is_done_again),
        cmocka_unit_test(two_of_four_are_one_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
