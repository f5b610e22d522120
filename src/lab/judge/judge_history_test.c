/* What clients saw is judged, but for keys that a node wrote in its own session whose word does not count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "lab/judge/judge.h"
#include "lab/search/mutants.h"
#include "protocol/registry.h"

enum { SEEDS_MAX = 30, HEAP_BYTES = 512 << 20 };

static void *reserve(size_t size)
{
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(bytes != MAP_FAILED);
    return bytes;
}

static const char *applied(const struct world_watch *watch, uint32_t origin, const char *text)
{
    struct delivery delivery = {.index = 1, .origin = origin, .command = {.whole = span_string(text)}};
    return watch->applied(watch->context, 1, &delivery);
}

/* Was the run's history refused? With what the liars of the run wrote, each text by a node that is turned or not. */
static bool refused(struct judge_history *judge, struct world *world, struct world_result *result, bool turned,
                    const char *text)
{
    struct world_watch watch = judge_history_begin(judge);
    if (turned)
        watch.turned(watch.context, 2);
    assert_null(applied(&watch, 3, text));
    result->violated = false;
    (void)judge_history_check(judge, world, "HISTORY");
    return result->violated;
}

static void what_a_liar_wrote_is_left_out(void **state)
{
    (void)state;
    struct world_options options;
    struct mutant mutant;
    campaign_defaults(protocol_find("raft"), &options);
    assert_true(mutant_find(options.protocol, "read-without-round", &mutant));
    options.ablations = mutant.ablation;
    size_t region_size = world_region_size(&options);
    void *region = reserve(region_size), *bytes = reserve(HEAP_BYTES);
    struct judge_history *judge = judge_history_create(heap_init(bytes, HEAP_BYTES));
    assert_non_null(judge);
    bool found = false;
    for (options.seed = 1; options.seed <= SEEDS_MAX && !found; options.seed++) {
        struct world_result result;
        struct world *world = NULL;
        world_run(region, region_size, &options, &result, &world);
        if (result.violated || !refused(judge, world, &result, false, ""))
            continue;
        found = true;
        assert_true(refused(judge, world, &result, true, "SET zz 1"));
        assert_true(refused(judge, world, &result, false, "SET ka kb kc kd ke kf kg"));
        assert_false(refused(judge, world, &result, true, "SET ka kb kc kd ke kf kg"));
        assert_true(refused(judge, world, &result, true, "")); /* forgotten with the run */
    }
    assert_true(found);
    munmap(bytes, HEAP_BYTES);
    munmap(region, region_size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_liar_wrote_is_left_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
