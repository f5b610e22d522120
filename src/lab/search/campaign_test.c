/* Campaigns: what is reported, that it does not depend on the number of workers, and that broken rules are found. */
#include "lab/search/campaign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/panic.h"
#include "base/time.h"
#include "lab/search/campaign_ranks.h"
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

/* ---- ends ---- */

static void it_ends_after_the_violations_that_are_wanted(void **state)
{
    (void)state;
    struct campaign_options options = options_of(1, 200, NULL);
    options.world.time_ns = 60 * NS_PER_S;
    options.world.ablations = ABLATION_SESSIONS_NOT_KEPT;
    options.violations_max = 2;
    struct campaign_summary alone, together;
    char *one = report_of(options, &alone);
    options.jobs = 3;
    char *three = report_of(options, &together);
    assert_int_equal(alone.violations, 2);
    assert_false(alone.interrupted);
    assert_int_equal(alone.runs, together.runs);
    assert_string_equal(one, three);
    free(one);
    free(three);
}

static void a_stop_ends_it_after_the_run_under_way(void **state)
{
    (void)state;
    struct campaign_options options = options_of(1, 50, NULL);
    const volatile sig_atomic_t stop = 1;
    options.stop = &stop;
    struct campaign_summary summary;
    free(report_of(options, &summary));
    assert_true(summary.interrupted);
    assert_int_equal(summary.runs, 0);
}

/* ---- journals ---- */

static char path[] = "campaign_test.journal";

static void stop_after(void *context, const struct campaign_result *result)
{
    volatile sig_atomic_t *stop = context;
    *stop = result->seed >= 7;
}

static struct campaign_options journalled(void)
{
    struct campaign_options options = options_of(1, 16, NULL);
    options.world.time_ns = 60 * NS_PER_S;
    options.world.ablations = ABLATION_SESSIONS_NOT_KEPT;
    options.journal_path = path;
    options.build = "a build";
    return options;
}

static void interrupt(struct campaign_options options)
{
    volatile sig_atomic_t stop = 0;
    struct campaign_summary summary;
    options.stop = &stop;
    options.seen = stop_after;
    options.context = (void *)(uintptr_t)&stop;
    free(report_of(options, &summary));
    assert_true(summary.interrupted);
    assert_int_equal(summary.next_seed, 8);
}

static void an_interrupted_campaign_goes_on(void **state)
{
    (void)state;
    struct campaign_options options = journalled();
    struct campaign_summary whole, resumed, again;
    remove(path);
    options.journal_path = NULL;
    char *expected = report_of(options, &whole);
    options.journal_path = path;
    interrupt(options);
    options.jobs = 2; /* as many processes as one likes */
    char *report = report_of(options, &resumed);
    assert_string_equal(report, expected);
    assert_true(whole.violations > 1);
    assert_int_equal(resumed.runs, whole.runs);
    assert_int_equal(resumed.violations, whole.violations);
    assert_int_equal(resumed.events, whole.events);
    assert_false(resumed.interrupted);
    char *once_more = report_of(options, &again); /* nothing is left to do */
    assert_string_equal(once_more, expected);
    assert_int_equal(again.events, whole.events);
    free(expected);
    free(report);
    free(once_more);
    remove(path);
}

/* What a kill -9 leaves: a torn line, and reports that no `done` line covers. */
static void a_torn_end_is_cut_off(void **state)
{
    (void)state;
    struct campaign_options options = journalled();
    struct campaign_summary whole, resumed;
    remove(path);
    options.journal_path = NULL;
    char *expected = report_of(options, &whole);
    options.journal_path = path;
    interrupt(options);
    FILE *file = fopen(path, "a");
    fputs("report seed 8: MADE-UP that is not covered\ndone 99 runs 9", file);
    fclose(file);
    char *report = report_of(options, &resumed);
    assert_string_equal(report, expected);
    assert_int_equal(resumed.events, whole.events);
    free(expected);
    free(report);
    remove(path);
}

static void refuses(struct campaign_options options, const char *text)
{
    struct campaign_summary summary;
    char why[1024] = "";
    assert_int_equal(campaign_run(&options, &summary, why, sizeof why), ERROR_INVALID);
    assert_non_null(strstr(why, text));
    assert_int_equal(summary.runs, 0);
}

static void another_campaign_s_journal_is_refused(void **state)
{
    (void)state;
    struct campaign_options options = journalled(), other = options;
    remove(path);
    interrupt(options);
    other.build = "another build";
    refuses(other, "begun by another build");
    other = options;
    other.world.ablations = 0;
    refuses(other, "of a campaign with other options");
    other = options;
    other.seed_last = 99;
    refuses(other, "of a campaign with other options");
    FILE *file = fopen(path, "a");
    fputs("dome 12\n", file);
    fclose(file);
    refuses(options, "is damaged in line");
    file = fopen(path, "w");
    fputs("something else\n", file);
    fclose(file);
    refuses(options, "not the journal of a campaign");
    other.journal_path = "/nowhere/at/all";
    refuses(other, "cannot open /nowhere/at/all");
    remove(path);
}

/* ---- ranks: the door of an MPI job, here over sockets to processes of this machine ---- */

enum { RANKS = 3 };

struct sockets {
    int ends[RANKS]; /* by the other rank; of ranks beside 0 only ends[0] counts */
    uint32_t rank;
};

static void sockets_send(void *context, uint32_t to, const void *data, size_t size)
{
    struct sockets *sockets = context;
    assert_int_equal(send(sockets->ends[to], data, size, 0), size);
}

static size_t sockets_receive(void *context, bool wait, uint32_t *from, void *data)
{
    struct sockets *sockets = context;
    do {
        for (uint32_t other = 0; other < RANKS; other++) {
            if (other == sockets->rank || (sockets->rank != 0 && other != 0))
                continue;
            ssize_t size = recv(sockets->ends[other], data, RANKS_MESSAGE_SIZE_MAX, MSG_DONTWAIT);
            *from = other;
            if (size > 0)
                return (size_t)size;
        }
        usleep(wait ? 200 : 0);
    } while (wait);
    return 0;
}

/* Rank `rank` of the campaign, in a process of its own. */
static pid_t begin_rank(struct campaign_options options, uint32_t rank, const char *build, int *end)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct campaign_summary summary;
        char why[256] = "";
        struct sockets sockets = {.ends = {pair[1]}, .rank = rank};
        struct ranks ranks = {.context = &sockets, .rank = rank, .count = RANKS, .send = sockets_send,
                              .receive = sockets_receive};
        options.ranks = &ranks;
        options.build = build;
        options.out = NULL;
        _exit(campaign_run(&options, &summary, why, sizeof why) == OK ? 0 : 1);
    }
    close(pair[1]);
    *end = pair[0];
    return child;
}

/* Runs the campaign in three processes, one of which may have another build; the report and result of rank 0. */
static char *report_of_ranks(struct campaign_options options, const char *build_of_last,
                             struct campaign_summary *summary, int *error, char *why, size_t why_size)
{
    struct sockets own = {.rank = 0};
    pid_t children[RANKS];
    for (uint32_t rank = 1; rank < RANKS; rank++)
        children[rank] = begin_rank(options, rank, rank == RANKS - 1 ? build_of_last : options.build, &own.ends[rank]);
    struct ranks ranks = {.context = &own, .rank = 0, .count = RANKS, .send = sockets_send,
                          .receive = sockets_receive};
    char *report = NULL;
    size_t size;
    options.ranks = &ranks;
    options.out = open_memstream(&report, &size);
    *error = campaign_run(&options, summary, why, why_size);
    fclose(options.out);
    for (uint32_t rank = 1; rank < RANKS; rank++) {
        int status;
        assert_int_equal(waitpid(children[rank], &status, 0), children[rank]);
        assert_int_equal(status, 0);
        close(own.ends[rank]);
    }
    return report;
}

static void the_report_does_not_depend_on_the_ranks(void **state)
{
    (void)state;
    struct campaign_options options = journalled();
    struct campaign_summary alone, together;
    char why[256] = "";
    int error;
    options.journal_path = NULL;
    options.print_hashes = true;
    options.seed_last = 40;
    char *one = report_of(options, &alone);
    char *three = report_of_ranks(options, options.build, &together, &error, why, sizeof why);
    assert_int_equal(error, OK);
    assert_string_equal(one, three);
    assert_int_equal(alone.events, together.events);
    free(one);
    free(three);
    options.violations_max = 3; /* ends while the others still work */
    options.seed_last = 400;
    one = report_of(options, &alone);
    three = report_of_ranks(options, options.build, &together, &error, why, sizeof why);
    assert_string_equal(one, three);
    assert_int_equal(alone.runs, together.runs);
    free(one);
    free(three);
}

static void a_rank_of_another_build_is_refused(void **state)
{
    (void)state;
    struct campaign_options options = journalled();
    struct campaign_summary summary;
    char why[256] = "";
    int error;
    options.journal_path = NULL;
    options.seed_last = 400;
    free(report_of_ranks(options, "another build", &summary, &error, why, sizeof why));
    assert_int_equal(error, ERROR_VERSION);
    assert_non_null(strstr(why, "rank 2 runs another build"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_protocol_violates_nothing),
        cmocka_unit_test(the_report_does_not_depend_on_the_workers),
        cmocka_unit_test(a_broken_rule_is_reported_with_its_replay),
        cmocka_unit_test(a_broken_invariant_is_a_violation),
        cmocka_unit_test(it_ends_after_the_violations_that_are_wanted),
        cmocka_unit_test(a_stop_ends_it_after_the_run_under_way),
        cmocka_unit_test(an_interrupted_campaign_goes_on),
        cmocka_unit_test(a_torn_end_is_cut_off),
        cmocka_unit_test(another_campaign_s_journal_is_refused),
        cmocka_unit_test(the_report_does_not_depend_on_the_ranks),
        cmocka_unit_test(a_rank_of_another_build_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
