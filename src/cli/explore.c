/* lockstep explore: every ordering of a small configuration of a protocol, with its production code. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/explore_options.h"
#include "cli/explore_pictures.h"
#include "cli/words.h"
#include "lab/judge/explore_properties.h"
#include "protocol/registry.h"

enum { WHY_SIZE = 300, MEMORY_MB_DEFAULT = 4096 };

static void print_help(void)
{
    puts("usage: lockstep explore PROTOCOL [OPTION]...\n"
         "\n"
         "Executes every ordering of a small configuration with the code that runs in production: messages in any\n"
         "order, timers at any time, disks that finish when they like, crashes that keep any prefix of what was not\n"
         "durable. Prints how many states there are, and the shortest trace of a violation. Exit status: 0 none, 1 a\n"
         "violation or a failed audit, 2 bad usage.\n"
         "\n"
         "Without options raft, paxos and synod (two requests) are explored with 3 nodes, --channel fifo\n"
         "--synchronous, pbft so with 4 and requests at node 1, two-phase-commit with 3 and --channel doubling,\n"
         "protocols that agree in rounds with --channel rounds --values 2: flooding with 4 nodes and 2 crashes,\n"
         "byzantine-vectors and oral-messages with 4 and signed-messages with 3 of which the last one is a traitor;\n"
         "others with 2 nodes and --channel any. All of these end within seconds.\n"
         "\n"
         "  --nodes N          members (at most 5)\n"
         "  --requests N       clients' requests (default 1, at most 8), each to any member\n"
         "  --request-at N     all of them to this node\n"
         "  --crashes N        crashes, each followed by a restart at any later time (default 0)\n"
         "  --no-restart       who crashed stays down\n"
         "  --channel NAME     any: messages arrive once, in any order, or never; fifo: from one member to\n"
         "                     another in the order sent; doubling: in any order, any number of times, or never;\n"
         "                     rounds: a synchronous network, in which clocks wait until everything has arrived. Each\n"
         "                     member may ask once, before the clocks move\n"
         "  --skew             with rounds: timers that are due run out while messages still arrive\n"
         "  --traitors LIST    with rounds: these nodes say anything to anybody, or nothing\n"
         "  --values N         requests, and what traitors say, carry any of N values (from 0 on, or from --value)\n"
         "  --value V          requests carry this value\n"
         "  --unknown          what traitors say may be `unknown` in place of each value\n"
         "  --losses N         messages that get lost (default 0; any may stay under way for ever as it is)\n"
         "  --duplicates N     messages that are doubled (default 0)\n"
         "  --copies N         of one message under way at once; the channel loses more (default 1)\n"
         "  --timers LIST      how often timers may run out in one run: election=2,heartbeat=1 or wait=any\n"
         "  --refusals         the service may say no when it is asked: both answers are explored\n"
         "  --progress         also: from each state, can everybody still decide? (AC5)\n"
         "  --break LIST       rules to switch off, to see that the violation is found (`--break help` lists them)\n"
         "  --depth N          steps of a run at most (default 0: no bound)\n"
         "  --states N         states at most (default 0: no bound)\n"
         "  --memory MB        memory at most (default 4096)\n"
         "  --dfs              depth first: violations are found with less memory, with longer traces\n"
         "  --no-symmetry      do not take states as equal that differ only in the members' names\n"
         "  --no-reduction     keep states that another one covers (the same members, more messages under way)\n"
         "  --synchronous      a member waits for its disk and its service before it takes another input\n"
         "  --asynchronous     it does not\n"
         "  --audit            check that canonically equal states of a member behave alike\n"
         "\n"
         "Of the shortest violation:");
    pictures_help(stdout);
}

/* ---- the report ---- */

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static void print_config(const struct explore_config *config)
{
    printf("%s: %u nodes, %u request%s, %u crash%s, channel %s%s", config->protocol->name, config->nodes,
           config->requests, config->requests == 1 ? "" : "s", config->crashes, config->crashes == 1 ? "" : "es",
           config->rounds     ? "rounds"
           : config->fifo     ? "fifo"
           : config->doubling ? "doubling"
                              : "any",
           config->synchronous ? ", synchronous" : config->skew ? ", skew" : "");
    if (config->values > 0)
        printf(", values %u to %u", config->value_first, config->value_first + config->values - 1);
    for (uint32_t i = 0, first = 1; i < config->nodes; i++)
        if ((config->traitors >> i & 1) != 0) {
            printf("%s%u", first ? ", traitors " : ",", i + 1);
            first = 0;
        }
    for (uint32_t i = 0; i < config->timer_count; i++) {
        printf("%s%s=", i == 0 ? ", timers " : ",", config->timers[i].name);
        if (config->timers[i].limit == EXPLORE_UNLIMITED)
            fputs("any", stdout);
        else
            printf("%u", config->timers[i].limit);
    }
    putchar('\n');
    fflush(stdout);
}

static void print_counts(const struct explore_config *config, const struct explore_result *result, double seconds)
{
    printf("states %llu, transitions %llu, depth %u, %.2f s, %.0f states/s, %zu MB\n",
           (unsigned long long)result->states, (unsigned long long)result->transitions, result->depth, seconds,
           seconds > 0 ? (double)result->states / seconds : 0, result->memory_bytes >> 20);
    if (result->joint_states > 0)
        printf("different states of all members together: %llu\n", (unsigned long long)result->joint_states);
    else if (config->symmetry)
        printf("under all renamings %llu states\n", (unsigned long long)result->orbit_states);
    printf("members' states %llu, messages %llu, steps executed %llu\n", (unsigned long long)result->node_states,
           (unsigned long long)result->messages, (unsigned long long)result->steps);
    if (config->audit)
        printf("audit: %llu steps of equal states compared, %llu differ\n", (unsigned long long)result->audited,
               (unsigned long long)result->audit_failures);
}

static int print_verdict(struct explorer *explorer, const struct explore_config *config,
                         const struct explore_result *result)
{
    switch (result->verdict) {
    case EXPLORE_COMPLETE:
        printf("complete: no violation in any ordering%s\n",
               config->property != NULL ? "" : " (of each member's own invariants: across members nothing is checked)");
        break;
    case EXPLORE_BOUNDED:
        printf("no violation within the bound that was hit (%s); what lies beyond it was not explored\n",
               result->bound);
        break;
    case EXPLORE_VIOLATED:
        printf("violation after %u steps: %s\n", result->trace_length, result->violation);
        explore_print_trace(explorer, stdout);
        return CLI_FAILED;
    case EXPLORE_FAILED:
        fprintf(stderr, "lockstep explore: %s\n", result->bound);
        return CLI_FAILED;
    }
    return result->audit_failures > 0 ? CLI_FAILED : CLI_OK;
}

static int unknown_protocol(const char *name)
{
    fprintf(stderr, "lockstep explore: there is no protocol '%s'; there are", name);
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++)
        fprintf(stderr, " %s", (*at)->name);
    fputc('\n', stderr);
    return CLI_USAGE;
}

int cli_explore(int argc, char **argv)
{
    if (argc < 2 || words_ask_for_help(argc, argv)) {
        print_help();
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    const struct protocol *protocol = protocol_find(argv[1]);
    if (protocol == NULL)
        return unknown_protocol(argv[1]);
    struct explore_config config;
    explore_usual(protocol, &config);
    config.memory_bytes_max = (size_t)MEMORY_MB_DEFAULT << 20;
    if (explore_asks_for_rules(argc, argv)) {
        explore_print_rules(stdout, protocol, "\n");
        return CLI_OK;
    }
    static struct pictures pictures;
    int status = explore_parse(&config, &pictures, argc, argv);
    if (status != CLI_OK)
        return status;
    char why[WHY_SIZE];
    struct explorer *explorer = explore_create(&config, why, sizeof why);
    if (explorer == NULL)
        return explore_usage_error(why, NULL);
    print_config(&config);
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    struct explore_result result;
    explore_run(explorer, &result);
    print_counts(&config, &result, seconds_since(&start));
    status = print_verdict(explorer, &config, &result);
    if (result.verdict == EXPLORE_VIOLATED)
        explore_draw(explorer, &config, &result, &pictures, "lockstep explore: the shortest violation");
    else if (pictures_wanted(&pictures))
        puts("there is no violation, so nothing is drawn");
    explore_destroy(explorer);
    return status;
}
