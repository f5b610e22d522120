/* Plans: kinds have names, items keep their order, and a run that was noted can be run again from its plan. */
#include "host/world/world_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "base/time.h"
#include "host/world/world.h"
#include "protocol/registry.h"
#include "service/registry.h"

enum { PLAN_HEAP_MIB = 256, SEEDS = 15 };

static void *region;
static size_t region_size;
static struct heap *heap;

static struct world_options options_of(const char *protocol, const char *service, uint64_t seed)
{
    return (struct world_options){
        .seed = seed,
        .protocol = protocol_find(protocol),
        .service = service_find(service),
        .node_count = 5,
        .client_count = 5,
        .time_ns = 12 * NS_PER_S,
        .faults = WORLD_ALL_FAULTS | WORLD_OMISSION | WORLD_BANDWIDTH,
    };
}

static int begin(void **state)
{
    (void)state;
    struct world_options options = options_of("raft", "kv", 1);
    region_size = world_region_size(&options);
    region = mmap(NULL, region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    heap = heap_create_system((size_t)PLAN_HEAP_MIB << 20);
    return region == MAP_FAILED || heap == NULL;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
    return munmap(region, region_size);
}

static struct world_result run(const struct world_options *options)
{
    struct world_result result;
    struct world *world = NULL;
    world_run(region, region_size, options, &result, &world);
    if (result.violated)
        print_message("seed %llu: %s %s%s%s\n", (unsigned long long)options->seed, result.property, result.sentence,
                      result.outside_contract ? "; outside the contract: " : "", result.outside);
    return result;
}

static void kinds_have_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLAN_KIND_COUNT; i++) {
        enum plan_kind found;
        const char *name = plan_kind_name((enum plan_kind)i);
        assert_true(plan_kind_find(span_string(name), &found));
        assert_int_equal(found, i);
        assert_true(strlen(plan_kind_fields((enum plan_kind)i)) > 0);
    }
    enum plan_kind found;
    assert_false(plan_kind_find(span_string("fire"), &found));
}

/* Against a naive sort that takes the first of the least. */
static void sorting_keeps_the_order_of_equal_times(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 1);
    for (uint32_t count = 0; count < 70; count++) {
        struct plan plan;
        plan_init(&plan, heap);
        for (uint32_t i = 0; i < count; i++)
            plan_add(&plan, &(struct plan_item){.kind = PLAN_LEAVE,
                                                .at_ns = (int64_t)random_below(&random, 10),
                                                .number = i,
                                                .text = span_string("x")});
        plan_sort(&plan);
        assert_int_equal(plan.count, count);
        for (uint32_t i = 1; i < count; i++) {
            const struct plan_item *before = &plan.items[i - 1], *after = &plan.items[i];
            assert_true(before->at_ns < after->at_ns ||
                        (before->at_ns == after->at_ns && before->number < after->number));
        }
        plan_free(&plan);
    }
}

static void copy_some(struct plan *to, const struct plan *from, struct random *random, uint64_t one_in)
{
    plan_init(to, heap);
    for (uint32_t i = 0; i < from->count; i++)
        if (random == NULL || random_chance(random, 1, one_in))
            plan_add(to, &from->items[i]);
    plan_sort(to);
}

static uint32_t count_kind(const struct plan *plan, enum plan_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->count; i++)
        count += plan->items[i].kind == kind;
    return count;
}

/* What the whole test has noted, by kind. */
static uint64_t seen[PLAN_KIND_COUNT];

static void replay(struct world_options options)
{
    struct plan noted, plan, half;
    struct world_result bare = run(&options);
    plan_init(&noted, heap);
    options.record = &noted;
    struct world_result recorded = run(&options);
    assert_true(recorded.hash == bare.hash); /* to note changes nothing */
    for (unsigned i = 0; i < PLAN_KIND_COUNT; i++)
        seen[i] += count_kind(&noted, (enum plan_kind)i);
    options.record = NULL;

    copy_some(&plan, &noted, NULL, 1);
    options.plan = &plan;
    options.faults = 0;
    struct world_result replayed = run(&options);
    if (replayed.hash != recorded.hash)
        print_message("%s, seed %llu: its plan gives another run\n", options.protocol->name,
                      (unsigned long long)options.seed);
    assert_int_equal(replayed.steps, recorded.steps);
    assert_true(replayed.hash == recorded.hash);
    assert_int_equal(replayed.outside_contract, recorded.outside_contract);

    struct random random;
    random_seed(&random, options.seed);
    copy_some(&half, &noted, &random, 2);
    options.plan = &half;
    struct world_result some = run(&options), again = run(&options);
    assert_true(!some.violated || some.outside_contract); /* amnesia may now meet what it must not */
    assert_true(some.hash == again.hash && some.steps == again.steps);
    assert_true(some.hash != recorded.hash);
    plan_free(&half);
    plan_free(&plan);
    plan_free(&noted);
}

static void a_noted_run_is_the_same_again(void **state)
{
    (void)state;
    const char *seeds = getenv("PLAN_SEEDS"); /* more of them by hand: "1000" */
    uint64_t count = seeds != NULL ? strtoull(seeds, NULL, 10) : SEEDS;
    for (uint64_t seed = 1; seed <= count; seed++) {
        struct world_options options = options_of("raft", "kv", seed);
        if (seed % 4 == 0)
            options.faults = WORLD_FAULTS_ALL;
        replay(options);
        if (seed % 3 != 0)
            continue;
        options = options_of("two-phase-commit", "account", seed);
        options.faults &= ~(uint32_t)WORLD_AMNESIA;
        replay(options);
        options = options_of("chandy-lamport", "token", seed);
        options.faults = WORLD_LOSS | WORLD_PARTITION | WORLD_PAUSE | WORLD_DELAY;
        replay(options);
    }
    static const enum plan_kind wanted[] = {PLAN_CRASH,     PLAN_PAUSE,  PLAN_CUT,     PLAN_OMIT_SEND,
                                            PLAN_LOSE,      PLAN_DELAY,  PLAN_REQUEST, PLAN_DISK_STALL,
                                            PLAN_DUPLICATE, PLAN_REORDER};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_true(seen[wanted[i]] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(sorting_keeps_the_order_of_equal_times),
        cmocka_unit_test(a_noted_run_is_the_same_again),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
