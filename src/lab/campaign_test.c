/* Campaigns: what is reported, that it does not depend on the number of workers, and that broken rules are found. */
#include "lab/campaign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/panic.h"
#include "base/time.h"
#include "protocol/registry.h"
#include "service/registry.h"

static struct campaign_options options_of(uint64_t first, uint64_t last, FILE *out)
{
    return (struct campaign_options){
        .world = {.protocol = protocol_find("raft"),
                  .service = service_find("kv"),
                  .node_count = 5,
                  .client_count = 5,
                  .time_ns = 10 * NS_PER_S,
                  .faults = WORLD_ALL_FAULTS},
        .seed_first = first,
        .seed_last = last,
        .jobs = 1,
        .replay = "lockstep sim raft",
        .out = out,
    };
}

/* Runs a campaign and returns its report, to be freed. */
static char *report_of(struct campaign_options options, struct campaign_summary *summary)
{
    char *report = NULL, why[256] = "";
    size_t size;
    options.out = open_memstream(&report, &size);
    assert_int_equal(campaign_run(&options, summary, why, sizeof why), OK);
    fclose(options.out);
    return report;
}

static void a_sound_protocol_violates_nothing(void **state)
{
    (void)state;
    struct campaign_summary summary;
    char *report = report_of(options_of(1, 10, NULL), &summary);
    assert_string_equal(report, "");
    assert_int_equal(summary.runs, 10);
    assert_int_equal(summary.violations, 0);
    assert_true(summary.events > 10000);
    free(report);
}

static void the_report_does_not_depend_on_the_workers(void **state)
{
    (void)state;
    struct campaign_options options = options_of(1, 9, NULL);
    options.print_hashes = true;
    options.world.ablations = ABLATION_SESSIONS_NOT_KEPT;
    struct campaign_summary alone, together;
    char *one = report_of(options, &alone);
    options.jobs = 4;
    char *four = report_of(options, &together);
    assert_string_equal(one, four);
    assert_int_equal(alone.events, together.events);
    assert_int_equal(alone.violations, together.violations);
    free(one);
    free(four);
}

static void a_broken_rule_is_reported_with_its_replay(void **state)
{
    (void)state;
    struct campaign_options options = options_of(1, 20, NULL);
    options.world.time_ns = 60 * NS_PER_S;
    options.world.ablations = ABLATION_SESSIONS_NOT_KEPT;
    struct campaign_summary summary;
    char *report = report_of(options, &summary);
    assert_true(summary.violations > 0);
    assert_non_null(strstr(report, "\n  replay: lockstep sim raft --seed "));
    free(report);
}

static const char *break_invariant(void *context, uint32_t place, const struct event *event)
{
    (void)context;
    (void)place;
    invariant(event->kind != EVENT_TIMEOUT, "no timer ever runs out");
    return NULL;
}

/* The runner's own judge is replaced by one whose invariant breaks: the next run is sound again. */
static void a_broken_invariant_is_a_violation(void **state)
{
    (void)state;
    struct campaign_options options = options_of(1, 1, NULL);
    struct world_options world = options.world;
    struct service odd = *world.service;
    odd.name = "odd"; /* no judge knows it, so the watch below stays */
    world.service = &odd;
    world.watch.stepped = break_invariant;
    struct campaign_runner *runner = campaign_runner_create(&world);
    assert_non_null(runner);
    struct campaign_result result;
    campaign_runner_run(runner, &world, &result);
    assert_true(result.world.violated);
    assert_string_equal(result.world.property, "INVARIANT");
    assert_non_null(strstr(result.world.sentence, "no timer ever runs out"));
    campaign_runner_free(runner);
    runner = campaign_runner_create(&options.world);
    options.world.seed = 1;
    campaign_runner_run(runner, &options.world, &result);
    assert_false(result.world.violated);
    campaign_runner_free(runner);
}

static void a_trace_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    struct campaign_options options = options_of(1, 1, stdout);
    options.trace_path = "/nowhere/at/all";
    struct campaign_summary summary;
    char why[256] = "";
    assert_int_equal(campaign_run(&options, &summary, why, sizeof why), ERROR_IO);
    assert_non_null(strstr(why, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_protocol_violates_nothing),
        cmocka_unit_test(the_report_does_not_depend_on_the_workers),
        cmocka_unit_test(a_broken_rule_is_reported_with_its_replay),
        cmocka_unit_test(a_broken_invariant_is_a_violation),
        cmocka_unit_test(a_trace_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
