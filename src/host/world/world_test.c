/* Whole runs: they repeat, they differ, they see what they should, and they call no allocator of the system. */
#include "host/world/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/time.h"
#include "protocol/registry.h"
#include "service/registry.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_CALLS 0
#else
#define COUNTS_CALLS 1
#endif

static uint64_t malloc_calls;

#if COUNTS_CALLS
/* Stand before those of the C library, which stay reachable under these names. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *malloc(size_t size)
{
    malloc_calls++;
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size)
{
    malloc_calls++;
    return __libc_calloc(count, size);
}
void *realloc(void *block, size_t size)
{
    malloc_calls++;
    return __libc_realloc(block, size);
}
#endif

static void *region;
static size_t region_size;

static struct world_options options_of(const char *protocol, const char *service, uint64_t seed)
{
    return (struct world_options){
        .seed = seed,
        .protocol = protocol_find(protocol),
        .service = service_find(service),
        .node_count = 5,
        .client_count = 5,
        .time_ns = 5 * NS_PER_S,
        .faults = WORLD_ALL_FAULTS,
    };
}

static int begin(void **state)
{
    (void)state;
    struct world_options options = options_of("raft", "kv", 1);
    region_size = world_region_size(&options);
    region = mmap(NULL, region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return region == MAP_FAILED;
}

static int end(void **state)
{
    (void)state;
    return munmap(region, region_size);
}

static struct world *run(const struct world_options *options, struct world_result *result)
{
    struct world *world = NULL;
    world_run(region, region_size, options, result, &world);
    if (result->violated)
        print_message("seed %llu: %s %s\n", (unsigned long long)options->seed, result->property, result->sentence);
    return world;
}

static void a_seed_repeats_and_seeds_differ(void **state)
{
    (void)state;
    struct world_result first, again, other;
    struct world_options options = options_of("raft", "kv", 3);
    run(&options, &first);
    /* What the region held before does not matter. */
    memset((uint8_t *)region + (1 << 20), 0xa5, 8 << 20);
    run(&options, &again);
    options.seed = 4;
    run(&options, &other);
    assert_true(first.steps > 500);
    assert_int_equal(first.steps, again.steps);
    assert_true(first.hash == again.hash);
    assert_true(first.hash != other.hash);
}

static void healthy_clusters_do_their_work(void **state)
{
    (void)state;
    struct world_options options = options_of("raft", "kv", 1);
    options.faults = 0;
    for (options.seed = 1; options.seed <= 5; options.seed++) {
        struct world_result result;
        struct world *world = run(&options, &result);
        assert_false(result.violated);
        size_t count, done = 0;
        const struct world_operation *operations = world_history(world, &count);
        for (size_t i = 0; i < count; i++)
            done += operations[i].outcome == WORLD_OK;
        assert_true(count > 50);
        assert_true(done * 100 > count * 95);
    }
}

static void each_fault_alone_is_survived(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < WORLD_FAULT_COUNT; bit++) {
        struct world_options options = options_of("raft", "kv", 100 + bit);
        struct world_result result;
        options.time_ns = 40 * NS_PER_S;
        options.faults = 1u << bit;
        run(&options, &result);
        assert_true(!result.violated || (options.faults & WORLD_ALL_FAULTS) == 0);
        assert_true(result.faults_struck > 0);
    }
}

static void any_number_of_nodes_runs(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 3, 4, 5};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct world_options options = options_of("raft", "kv", 50 + i);
        struct world_result result;
        options.node_count = counts[i];
        options.faults &= ~(uint32_t)WORLD_AMNESIA; /* nobody could fill the only member */
        run(&options, &result);
        assert_false(result.violated);
    }
}

static void the_laboratory_protocols_run_too(void **state)
{
    (void)state;
    struct world_options options = options_of("two-phase-commit", "account", 1);
    options.faults &= ~(uint32_t)WORLD_AMNESIA;
    struct world_result result;
    run(&options, &result);
    assert_false(result.violated);
    options = options_of("chandy-lamport", "token", 1);
    options.faults = WORLD_LOSS | WORLD_PARTITION;
    run(&options, &result);
    assert_false(result.violated);
}

static void a_violation_from_outside_counts_once(void **state)
{
    (void)state;
    struct world_options options = options_of("raft", "kv", 1);
    struct world_result result;
    struct world *world = run(&options, &result);
    world_violate(world, "TEST-1", "the first");
    world_violate(world, "TEST-2", "the second");
    assert_true(result.violated);
    assert_string_equal(result.property, "TEST-1");
    assert_non_null(strstr(result.sentence, "the first"));
}

static const char *never_again(void *context, uint32_t place, const struct event *event)
{
    (void)place;
    (void)event;
    return ++*(int *)context == 100 ? "TEST-7 it was the hundredth" : NULL;
}

static void what_a_watch_finds_stops_the_run(void **state)
{
    (void)state;
    int count = 0;
    struct world_options options = options_of("raft", "kv", 1);
    options.watch.context = &count;
    options.watch.stepped = never_again;
    struct world_result result;
    world_run(region, region_size, &options, &result, &(struct world *){NULL});
    assert_true(result.violated);
    assert_string_equal(result.property, "TEST-7");
    assert_true(count < 120);
}

static void runs_do_not_allocate(void **state)
{
    (void)state;
    struct world_options options = options_of("raft", "kv", 8);
    struct world_result result;
    run(&options, &result);
    malloc_calls = 0;
    void *volatile block = malloc(1); /* volatile: a compiler may leave out what nobody looks at */
    free(block);
    assert_int_equal(malloc_calls, COUNTS_CALLS);
    malloc_calls = 0;
    for (options.seed = 8; options.seed < 12; options.seed++)
        run(&options, &result);
    assert_int_equal(malloc_calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_repeats_and_seeds_differ),
        cmocka_unit_test(healthy_clusters_do_their_work),
        cmocka_unit_test(each_fault_alone_is_survived),
        cmocka_unit_test(any_number_of_nodes_runs),
        cmocka_unit_test(the_laboratory_protocols_run_too),
        cmocka_unit_test(a_violation_from_outside_counts_once),
        cmocka_unit_test(what_a_watch_finds_stops_the_run),
        cmocka_unit_test(runs_do_not_allocate),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
