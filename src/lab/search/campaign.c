/* A campaign: what is done with each result, and the seeds run in this process. */
#include "lab/search/campaign.h"

#include <string.h>
#include <time.h>

#include "base/error.h"
#include "lab/search/campaign_internal.h"
#include "lab/search/campaign_ranks.h"

enum { PROGRESS_EVERY_MS = 200, REPORT_SIZE = 2048 };

static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the report ---- */

static void print_report(const struct campaign_options *options, const struct campaign_result *result, char *out,
                         size_t size)
{
    size_t length = 0;
    unsigned long long seed = (unsigned long long)result->seed;
    out[0] = '\0';
    if (options->print_hashes)
        length = (size_t)snprintf(out, size, "seed %llu: hash %016llx, %llu events\n", seed,
                                  (unsigned long long)result->world.hash, (unsigned long long)result->world.steps);
    if (!result->world.violated)
        return;
    const char *replay = options->replay != NULL ? options->replay : "lockstep sim";
    length += (size_t)snprintf(out + length, size - length, "seed %llu: %s %s\n", seed, result->world.property,
                               result->world.sentence);
    if (result->world.outside_contract && length < size)
        length += (size_t)snprintf(out + length, size - length, "  outside the contract: %s\n", result->world.outside);
    if (length < size)
        snprintf(out + length, size - length, "  replay: %s --seed %llu\n  shrink: %s --seed %llu --shrink seed-%llu.lua\n",
                 replay, seed, replay, seed, seed);
}

static void report(struct campaign *campaign, const struct campaign_result *result)
{
    const struct campaign_options *options = campaign->options;
    char text[REPORT_SIZE];
    print_report(options, result, text, sizeof text);
    if (text[0] == '\0')
        return;
    if (options->out != NULL) {
        fputs(text, options->out);
        fflush(options->out);
    }
    if (campaign->journal != NULL)
        journal_report(campaign->journal, text);
}

static void count(const struct campaign_result *result, struct campaign_summary *summary)
{
    summary->runs++;
    summary->violations += result->world.violated;
    summary->events += result->world.steps;
    summary->undecided += result->undecided;
    summary->outside += result->world.outside_contract;
    summary->next_seed = result->seed + 1;
}

static void show_progress(struct campaign *campaign, double now)
{
    const struct campaign_options *options = campaign->options;
    if (options->progress == NULL || now - campaign->shown_s < PROGRESS_EVERY_MS / 1e3)
        return;
    campaign->shown_s = now;
    fprintf(options->progress, "\r%llu of %llu runs, %llu violations ", (unsigned long long)campaign->summary->runs,
            (unsigned long long)(options->seed_last - options->seed_first + 1),
            (unsigned long long)campaign->summary->violations);
    fflush(options->progress);
}

bool campaign_stopped(const struct campaign *campaign)
{
    return campaign->options->stop != NULL && *campaign->options->stop != 0;
}

bool campaign_is_over(const struct campaign *campaign)
{
    const struct campaign_options *options = campaign->options;
    return campaign->summary->next_seed > options->seed_last ||
           (options->violations_max > 0 && campaign->summary->violations >= options->violations_max);
}

bool campaign_take(struct campaign *campaign, const struct campaign_result *result)
{
    double now = clock_seconds();
    report(campaign, result);
    count(result, campaign->summary);
    campaign->summary->seconds = campaign->before_s + now - campaign->began_s;
    if (campaign->options->seen != NULL)
        campaign->options->seen(campaign->options->context, result);
    if (campaign->journal != NULL)
        journal_done(campaign->journal, campaign->summary, false);
    show_progress(campaign, now);
    return !campaign_is_over(campaign) && !campaign_stopped(campaign);
}

/* ---- in this process ---- */

static int run_here(struct campaign *campaign)
{
    struct world_options world = campaign->options->world;
    struct campaign_runner *runner = campaign_runner_create(&world);
    if (runner == NULL) {
        snprintf(campaign->why, campaign->why_size, "no memory for a world of %u nodes", world.node_count);
        return ERROR_NO_MEMORY;
    }
    struct campaign_result result;
    do {
        world.seed = campaign->summary->next_seed;
        campaign_runner_run(runner, &world, &result);
    } while (campaign_take(campaign, &result));
    campaign_runner_free(runner);
    return OK;
}

/* ---- all of it ---- */

static bool has_tracer(const struct world_tracer *tracer)
{
    return tracer->event != NULL || tracer->effect != NULL || tracer->stepped != NULL || tracer->mark != NULL;
}

static int run_seeds(struct campaign *campaign)
{
    const struct campaign_options *options = campaign->options;
    uint64_t left = options->seed_last - campaign->summary->next_seed + 1;
    uint32_t jobs = options->jobs < CAMPAIGN_JOBS_MAX ? options->jobs : CAMPAIGN_JOBS_MAX;
    if (jobs > left)
        jobs = (uint32_t)left;
    if (jobs <= 1 || has_tracer(&options->world.tracer) || options->world.record != NULL)
        return run_here(campaign);
    return campaign_run_workers(campaign, jobs);
}

static int finish(struct campaign *campaign, int error)
{
    struct campaign_summary *summary = campaign->summary;
    summary->seconds = campaign->before_s + clock_seconds() - campaign->began_s;
    summary->interrupted = error == OK && !campaign_is_over(campaign);
    if (campaign->options->progress != NULL)
        fputs("\r\033[K", campaign->options->progress);
    if (campaign->journal != NULL && !journal_done(campaign->journal, summary, true) && error == OK) {
        snprintf(campaign->why, campaign->why_size, "cannot write %s; what it holds so far is right",
                 campaign->options->journal_path);
        error = ERROR_IO;
    }
    journal_close(campaign->journal);
    return error;
}

int campaign_run(const struct campaign_options *options, struct campaign_summary *summary, char *why, size_t why_size)
{
    why[0] = '\0';
    *summary = (struct campaign_summary){.next_seed = options->seed_first};
    struct campaign campaign = {.options = options, .summary = summary, .why = why, .why_size = why_size};
    if (options->ranks != NULL && options->ranks->rank != 0)
        return campaign_run_ranks(&campaign);
    int error = OK;
    if (options->journal_path != NULL) {
        campaign.journal = journal_open(options, summary, why, why_size);
        if (campaign.journal == NULL) {
            *summary = (struct campaign_summary){.next_seed = options->seed_first};
            error = ERROR_INVALID;
        }
    }
    campaign.before_s = summary->seconds;
    campaign.began_s = campaign.shown_s = clock_seconds();
    if (options->ranks != NULL) {
        int ended = campaign_run_ranks(&campaign); /* after an error too: the others wait to hear that it is over */
        error = error != OK ? error : ended;
    } else if (error == OK && !campaign_is_over(&campaign) && !campaign_stopped(&campaign)) {
        error = run_seeds(&campaign);
    }
    return finish(&campaign, error);
}
