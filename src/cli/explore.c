/* lockstep explore: every ordering of a small configuration of a protocol, with its production code. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/explore_pictures.h"
#include "cli/words.h"
#include "lab/judge/explore_properties.h"
#include "protocol/registry.h"

enum { WHY_SIZE = 300, WORD_SIZE = 64, MEMORY_MB_DEFAULT = 4096 };

static void print_help(void)
{
    puts("usage: lockstep explore PROTOCOL [OPTION]...\n"
         "\n"
         "Executes every ordering of a small configuration with the code that runs in production: messages in any\n"
         "order, timers at any time, disks that finish when they like, crashes that keep any prefix of what was not\n"
         "durable. Prints how many states there are, and the shortest trace of a violation. Exit status: 0 none, 1 a\n"
         "violation or a failed audit, 2 bad usage.\n"
         "\n"
         "Without options raft and paxos are explored with 3 nodes, --channel fifo --synchronous, pbft so with 4 and\n"
         "requests at node 1, two-phase-commit with 3 and --channel doubling, others with 2 nodes and --channel any:\n"
         "all of these end within seconds.\n"
         "\n"
         "  --nodes N          members (at most 5)\n"
         "  --requests N       clients' requests (default 1, at most 8), each to any member\n"
         "  --request-at N     all of them to this node\n"
         "  --crashes N        crashes, each followed by a restart at any later time (default 0)\n"
         "  --no-restart       who crashed stays down\n"
         "  --channel NAME     any: messages arrive once, in any order, or never; fifo: from one member to\n"
         "                     another in the order sent; doubling: in any order, any number of times, or never\n"
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

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "lockstep explore: %s%s%s%s; see `lockstep explore --help`\n", what, value != NULL ? " '" : "",
            value != NULL ? value : "", value != NULL ? "'" : "");
    return CLI_USAGE;
}

/* ---- options ---- */

/* The rules that this explorer can do without, one a line or in a sentence. */
static void print_rules(FILE *out, const struct protocol *protocol, const char *separator)
{
    for (uint32_t i = 0; protocol->ablations[i] != NULL; i++)
        fprintf(out, "%s:%s%s", protocol->name, protocol->ablations[i], separator);
    fputs("node:ack-before-sync\n", out);
}

static int unknown_rule(const struct protocol *protocol, const char *word)
{
    fprintf(stderr, "lockstep explore: there is no such rule to break: '%s'; there are ", word);
    print_rules(stderr, protocol, ", ");
    return CLI_USAGE;
}

static int parse_ablations(struct explore_config *config, const char *list)
{
    char word[WORD_SIZE];
    size_t own = strlen(config->protocol->name);
    while (words_next(&list, word, sizeof word)) {
        bool own_prefix = strncmp(word, config->protocol->name, own) == 0 && word[own] == ':';
        const char *rule = own_prefix ? word + own + 1 : word; /* raft:NAME is NAME */
        bool early = strcmp(word, "ack-before-sync") == 0 || strcmp(word, "node:ack-before-sync") == 0;
        uint32_t bit = early ? ABLATION_ACK_BEFORE_SYNC : 0;
        for (uint32_t i = 0; config->protocol->ablations[i] != NULL; i++)
            if (strcmp(rule, config->protocol->ablations[i]) == 0)
                bit = (uint32_t)ABLATION_PROTOCOL_FIRST << i;
        if (bit == 0)
            return unknown_rule(config->protocol, word);
        config->ablations |= bit;
    }
    return CLI_OK;
}

static int parse_timers(struct explore_config *config, const char *list)
{
    char word[WORD_SIZE];
    while (words_next(&list, word, sizeof word)) {
        char *equals = strchr(word, '=');
        uint64_t limit = EXPLORE_UNLIMITED;
        if (equals == NULL || (strcmp(equals + 1, "any") != 0 &&
                               !words_whole(equals + 1, 0, EXPLORE_UNLIMITED - 1, &limit)))
            return usage_error("a timer is NAME=NUMBER (up to 254) or NAME=any, not", word);
        *equals = '\0';
        uint32_t at = 0;
        while (at < config->timer_count && strcmp(config->timers[at].name, word) != 0)
            at++;
        if (at == config->timer_count)
            return usage_error("the protocol has no timer", word);
        config->timers[at].limit = (uint8_t)limit;
    }
    return CLI_OK;
}

struct number_option {
    const char *name;
    uint64_t most;
    uint32_t *small;
    uint64_t *large;
};

static int number_error(const char *name, const char *value, uint64_t most)
{
    if (value == NULL)
        return usage_error("a value is missing after", name);
    fprintf(stderr, "lockstep explore: %s takes a number up to %llu, not '%s'\n", name, (unsigned long long)most, value);
    return CLI_USAGE;
}

static int parse_number_option(struct explore_config *config, const char *name, const char *value, bool *known)
{
    uint64_t memory_mb = 0;
    const struct number_option options[] = {
        {"--nodes", EXPLORE_NODES_MAX, &config->nodes, NULL},
        {"--requests", EXPLORE_REQUESTS_MAX, &config->requests, NULL},
        {"--request-at", EXPLORE_NODES_MAX, &config->request_at, NULL},
        {"--crashes", 100, &config->crashes, NULL},
        {"--losses", 100, &config->losses, NULL},
        {"--duplicates", 100, &config->duplicates, NULL},
        {"--copies", 8, &config->copies, NULL},
        {"--depth", UINT32_MAX, &config->depth_max, NULL},
        {"--states", UINT32_MAX, NULL, &config->states_max},
        {"--memory", 1 << 20, NULL, &memory_mb},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        uint64_t number;
        if (strcmp(name, options[i].name) != 0)
            continue;
        *known = true;
        if (value == NULL || !words_whole(value, 0, options[i].most, &number))
            return number_error(name, value, options[i].most);
        if (options[i].small != NULL)
            *options[i].small = (uint32_t)number;
        else
            *options[i].large = number;
    }
    if (memory_mb > 0)
        config->memory_bytes_max = (size_t)memory_mb << 20;
    return CLI_OK;
}

static bool parse_flag(struct explore_config *config, const char *name)
{
    const struct {
        const char *name;
        bool *flag;
        bool value;
    } flags[] = {{"--no-restart", &config->restarts, false}, {"--refusals", &config->refusals, true},
                 {"--progress", &config->progress, true},    {"--dfs", &config->depth_first, true},
                 {"--no-symmetry", &config->symmetry, false}, {"--no-reduction", &config->reduction, false},
                 {"--synchronous", &config->synchronous, true}, {"--asynchronous", &config->synchronous, false},
                 {"--audit", &config->audit, true}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (strcmp(name, flags[i].name) == 0) {
            *flags[i].flag = flags[i].value;
            return true;
        }
    return false;
}

static int parse_channel(struct explore_config *config, const char *name)
{
    config->fifo = strcmp(name, "fifo") == 0;
    config->doubling = strcmp(name, "doubling") == 0;
    if (!config->fifo && !config->doubling && strcmp(name, "any") != 0)
        return usage_error("a channel is any, fifo or doubling, not", name);
    return CLI_OK;
}

/* Options with a word or a list. */
static int parse_word_option(struct explore_config *config, const char *name, const char *value, bool *known)
{
    static int (*const parsers[])(struct explore_config *, const char *) = {parse_ablations, parse_timers,
                                                                             parse_channel};
    static const char *const names[] = {"--break", "--timers", "--channel"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) {
            *known = true;
            if (value == NULL || *value == '\0')
                return usage_error("a value is missing after", name);
            return parsers[i](config, value);
        }
    return CLI_OK;
}

/* An option with a value; NULL: it is missing. */
static int parse_valued(struct explore_config *config, struct pictures *pictures, const char *name, const char *value)
{
    bool known = pictures_takes(name);
    if (known)
        return value == NULL ? usage_error("a value is missing after", name)
                             : pictures_option("explore", pictures, name, value);
    int status = parse_word_option(config, name, value, &known);
    if (status == CLI_OK && !known)
        status = parse_number_option(config, name, value, &known);
    return status == CLI_OK && !known ? usage_error("there is no option", name) : status;
}

static int parse(struct explore_config *config, struct pictures *pictures, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (parse_flag(config, argv[i]))
            continue;
        int status;
        if (pictures_takes(argv[i]) && !pictures_takes_value(argv[i])) {
            status = pictures_option("explore", pictures, argv[i], NULL);
        } else {
            char name[32];
            size_t length = strcspn(argv[i], "=");
            snprintf(name, sizeof name, "%.*s", (int)(length < 31 ? length : 31), argv[i]);
            const char *value = argv[i][length] == '=' ? argv[i] + length + 1 : NULL;
            if (value == NULL && i + 1 < argc)
                value = argv[++i];
            status = parse_valued(config, pictures, name, value);
        }
        if (status != CLI_OK)
            return status;
    }
    return CLI_OK;
}

static bool asks_for_rules(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--break=help") == 0 ||
            (strcmp(argv[i], "--break") == 0 && i + 1 < argc && strcmp(argv[i + 1], "help") == 0))
            return true;
    return false;
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
           config->fifo ? "fifo" : config->doubling ? "doubling" : "any", config->synchronous ? ", synchronous" : "");
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

/* What is explored without options: small enough to be complete. */
static void set_usual(struct explore_config *config)
{
    bool raft = strcmp(config->protocol->name, "raft") == 0 || strcmp(config->protocol->name, "paxos") == 0;
    bool commit = strcmp(config->protocol->name, "two-phase-commit") == 0;
    bool pbft = strcmp(config->protocol->name, "pbft") == 0; /* its primaries follow from its members' places */
    config->nodes = pbft ? 4 : raft || commit ? 3 : 2;
    config->fifo = config->synchronous = raft || pbft;
    config->symmetry = !pbft;
    config->request_at = pbft ? 1 : 0;
    config->doubling = commit;
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
    struct explore_config config = {.protocol = protocol,
                                    .property = explore_property_of(protocol),
                                    .requests = 1,
                                    .copies = 1,
                                    .restarts = true,
                                    .symmetry = true,
                                    .reduction = true,
                                    .memory_bytes_max = (size_t)MEMORY_MB_DEFAULT << 20};
    if (asks_for_rules(argc, argv)) {
        print_rules(stdout, protocol, "\n");
        return CLI_OK;
    }
    config.timer_count = explore_timers_of(protocol, config.timers);
    set_usual(&config);
    static struct pictures pictures;
    int status = parse(&config, &pictures, argc, argv);
    if (status != CLI_OK)
        return status;
    char why[WHY_SIZE];
    struct explorer *explorer = explore_create(&config, why, sizeof why);
    if (explorer == NULL)
        return usage_error(why, NULL);
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
