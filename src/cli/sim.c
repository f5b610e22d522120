/* lockstep sim: runs a cluster in the simulated world, under faults drawn from seeds. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/build.h"
#include "cli/cli.h"
#include "cli/sim_failure.h"
#include "cli/sim_options.h"
#include "cli/words.h"
#include "lab/search/campaign.h"
#include "lab/search/campaign_ranks.h"

#ifndef LOCKSTEP_LIBDIR_FROM_BIN
#define LOCKSTEP_LIBDIR_FROM_BIN "../lib"
#endif

enum { EXIT_INTERRUPTED = 128 + SIGINT };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* The first interruption ends the campaign after the run under way, the second one ends the process. */
static void listen_to_interruptions(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int print_summary(const struct campaign_options *campaign, const struct campaign_summary *summary)
{
    double rate = summary->seconds > 0 ? (double)summary->events / summary->seconds : 0;
    if (summary->undecided > 0)
        printf("%llu histories were too much work to judge for linearizability\n",
               (unsigned long long)summary->undecided);
    if (summary->outside > 0)
        printf("%llu runs were outside the contract: faults struck that the protocol does not claim to mask\n",
               (unsigned long long)summary->outside);
    if (summary->interrupted && summary->next_seed <= campaign->seed_last &&
        (campaign->violations_max == 0 || summary->violations < campaign->violations_max))
        printf("interrupted: seeds %llu..%llu have not been run; %s\n", (unsigned long long)summary->next_seed,
               (unsigned long long)campaign->seed_last,
               campaign->journal_path != NULL ? "the same command goes on" : "--resume FILE would keep what was done");
    printf("%llu runs, %llu violations, %llu events, %.0f events/s\n", (unsigned long long)summary->runs,
           (unsigned long long)summary->violations, (unsigned long long)summary->events, rate);
    if (summary->interrupted)
        return EXIT_INTERRUPTED;
    return summary->violations == 0 ? CLI_OK : CLI_FAILED;
}

static int failed(const char *why)
{
    fprintf(stderr, "lockstep sim: %s\n", why);
    return CLI_FAILED;
}

/* Under mpirun the door to the other ranks is opened; only rank 0 speaks. */
static bool open_ranks(struct sim_options *options, struct ranks *ranks, char *why, size_t why_size)
{
    if (!ranks_load(ranks, LOCKSTEP_LIBDIR_FROM_BIN, why, why_size))
        return false;
    options->campaign.ranks = ranks;
    if (ranks->rank != 0)
        options->campaign.out = options->campaign.progress = NULL;
    return true;
}

/* One seed's stall is explained; in a campaign of many, the replay of each does it. */
static void note_stall(void *context, const struct campaign_result *result)
{
    bool *stalled = context;
    *stalled = result->world.violated && strcmp(result->world.property, "PROGRESS") == 0;
}

static int run_campaign(struct sim_options *options, bool under_mpi)
{
    struct campaign_options *campaign = &options->campaign;
    struct campaign_summary summary;
    struct ranks ranks;
    char why[1024] = "";
    campaign->build = cli_build();
    campaign->stop = &interrupted;
    campaign->out = stdout;
    campaign->progress = isatty(STDERR_FILENO) ? stderr : NULL;
    if (under_mpi && !open_ranks(options, &ranks, why, sizeof why))
        return failed(why);
    char title[SIM_REPLAY_SIZE + 32];
    snprintf(title, sizeof title, "%s --seed %llu", options->replay, (unsigned long long)campaign->seed_first);
    if (pictures_begin("sim", &options->pictures, title, campaign->world.protocol->name, &campaign->world.tracer) !=
        CLI_OK)
        return CLI_FAILED;
    bool stalled = false;
    if (campaign->seed_first == campaign->seed_last) {
        campaign->seen = note_stall;
        campaign->context = &stalled;
    }
    int error = campaign_run(campaign, &summary, why, sizeof why);
    int drawn = pictures_end("sim", &options->pictures);
    if (campaign->ranks != NULL)
        ranks.close(ranks.context);
    if (error != 0)
        return failed(why);
    if (stalled && campaign->out != NULL)
        sim_explain_stall(options, &interrupted);
    int status = campaign->out == NULL ? CLI_OK : print_summary(campaign, &summary);
    return status == CLI_OK ? drawn : status;
}

int cli_sim(int argc, char **argv)
{
    static struct sim_options options;
    if (argc < 2 || words_ask_for_help(argc, argv)) {
        sim_print_help();
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    uint32_t rank;
    bool under_mpi = ranks_under_mpi(&rank);
    int status = sim_parse(&options, argc, argv);
    if (status != CLI_OK || options.answered)
        return status;
    if (under_mpi && (options.campaign.jobs > 1 || pictures_wanted(&options.pictures) || options.shrink_path != NULL)) {
        fputs("lockstep sim: under mpirun, the ranks are the jobs: --jobs, --shrink, traces and pictures do not go with "
              "it\n",
              stderr);
        return CLI_USAGE;
    }
    listen_to_interruptions();
    return options.shrink_path != NULL ? sim_shrink(&options, &interrupted) : run_campaign(&options, under_mpi);
}
