/* What `lockstep sim` understands (sim_options.h). */
#include "cli/sim_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/words.h"
#include "lab/judge/judge.h"
#include "lab/search/mutants.h"
#include "protocol/registry.h"

enum { JOBS_MAX = 256, NODES_MAX = 64, CLIENTS_MAX = 64, SIM_REASON_SIZE = 160 };

static void print_faults(void)
{
    int column = 19;
    printf("%18s", "");
    for (unsigned i = 0; i < WORLD_FAULT_COUNT; i++) {
        const char *name = world_fault_name((enum world_fault_bit)i);
        column += (int)strlen(name) + 2;
        if (column > 118)
            column = 19 + printf("\n%18s", "") + (int)strlen(name) - 17;
        printf(" %s%s", name, i + 1 < WORLD_FAULT_COUNT ? "," : "\n");
    }
}

void sim_print_help(void)
{
    puts("usage: lockstep sim PROTOCOL [OPTION]...\n"
         "\n"
         "Runs a cluster with simulated clients, disks, clocks and network, under faults drawn from a seed: one run for\n"
         "each seed. After every step the protocol's invariants are checked, at the end of each run that what the\n"
         "clients saw is linearizable, and that everybody made progress once the faults had ended. A violation is\n"
         "printed with the command that replays it. Under mpirun, the ranks share the seeds.\n"
         "\n"
         "  --nodes N        nodes (default 5)\n"
         "  --gateways N     processes beside the nodes through which all clients ask: they believe an answer when enough\n"
         "                   members gave the same (default 0: clients ask the nodes)\n"
         "  --vote 3         gateways of a protocol that masks crashes compare so many answers (default: they believe\n"
         "                   the first); then wrong answers are the faults that `value` draws\n"
         "  --clients N      simulated clients (default 5)\n"
         "  --seed S         one run (default 1)\n"
         "  --seeds A..B     a run for each seed, both included\n"
         "  --time 60s       virtual time of a run: 500ms, 60s, 5m (default 60s)\n"
         "  --faults LIST    comma-separated, or all, or none (default: all that the protocol claims to survive);\n"
         "                   timing is pause, slow, delay and clock together. There are");
    print_faults();
    puts("  --k N            members that may be faulty at once (default: as many as the protocol masks)\n"
         "  --dead N         members that die for ever when everything else heals (default 0)\n"
         "  --break LIST     rules to switch off, to see that the violation is found: raft:vote-not-stored or, without\n"
         "                   the prefix, vote-not-stored (`--break help` lists them)\n"
         "  --jobs N         processes that share the seeds (default 1)\n"
         "  --resume FILE    keeps what was done in FILE; after an interruption the same command goes on\n"
         "  --shrink FILE    makes the failing run of --seed small and writes it to FILE as a scenario script\n"
         "  --hash           print the hash of all events of each run\n"
         "\n"
         "With one seed:");
    pictures_help(stdout);
}

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "lockstep sim: %s%s%s%s; see `lockstep sim --help`\n", what, value != NULL ? " '" : "",
            value != NULL ? value : "", value != NULL ? "'" : "");
    return CLI_USAGE;
}

/* ---- values ---- */

static bool parse_number(const char *text, uint64_t *out, char **end)
{
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, end, 10);
    return errno == 0;
}

static bool parse_seeds(const char *text, uint64_t *first, uint64_t *last)
{
    char *end;
    if (!parse_number(text, first, &end) || strncmp(end, "..", 2) != 0 || !parse_number(end + 2, last, &end))
        return false;
    return *end == '\0' && *first <= *last && *last < UINT64_MAX;
}

static bool parse_time(const char *text, int64_t *out)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ms", NS_PER_MS}, {"s", NS_PER_S}, {"", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}};
    uint64_t value;
    char *end;
    if (!parse_number(text, &value, &end) || value > 1000000)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *out = (int64_t)value * units[i].ns;
            return *out >= 100 * NS_PER_MS && *out <= 24 * 3600 * NS_PER_S;
        }
    return false;
}

static int parse_faults(struct sim_options *options, const char *list)
{
    uint32_t bits = 0;
    char word[40];
    const char *whole = list;
    if (strcmp(list, "none") != 0)
        while (words_next(&list, word, sizeof word)) {
            if (strcmp(word, "none") == 0)
                return usage_error("none stands alone, not in", whole);
            uint32_t found = strcmp(word, "all") == 0 ? options->claimed : world_fault_find(word);
            if (found == 0)
                return usage_error("there is no fault", word);
            bits |= found;
        }
    options->campaign.world.faults = bits;
    return CLI_OK;
}

static void print_rules(FILE *out, const struct protocol *protocol, const char *separator)
{
    struct mutant mutant;
    for (uint32_t i = 0; mutant_at(protocol, i, &mutant); i++)
        fprintf(out, "%s%s:%s", i > 0 ? separator : "", mutant.owner, mutant.rule);
    fputc('\n', out);
}

static int parse_breaks(struct sim_options *options, const char *list)
{
    struct world_options *world = &options->campaign.world;
    char word[80];
    while (words_next(&list, word, sizeof word)) {
        struct mutant mutant;
        if (!mutant_find(world->protocol, word, &mutant)) {
            fprintf(stderr, "lockstep sim: %s has no rule '%s' to switch off; it has ", world->protocol->name, word);
            print_rules(stderr, world->protocol, ", ");
            return CLI_USAGE;
        }
        mutant_apply(&mutant, world);
    }
    return CLI_OK;
}

/* ---- options with a value ---- */

static int take_nodes(struct sim_options *options, const char *value)
{
    uint64_t number;
    if (!words_whole(value, 1, NODES_MAX, &number))
        return usage_error("--nodes takes a number from 1 to 64, not", value);
    options->campaign.world.node_count = (uint32_t)number;
    return CLI_OK;
}

static int take_gateways(struct sim_options *options, const char *value)
{
    uint64_t number;
    if (!words_whole(value, 0, NODES_MAX - 1, &number))
        return usage_error("--gateways takes a number from 0 to 63, not", value);
    options->campaign.world.gateways = (uint32_t)number;
    return CLI_OK;
}

static int take_vote(struct sim_options *options, const char *value)
{
    uint64_t number;
    if (!words_whole(value, 1, NODES_MAX, &number) || number % 2 == 0)
        return usage_error("--vote takes an odd number of answers, such as 3, not", value);
    options->campaign.world.vote = (uint32_t)number;
    return CLI_OK;
}

static int take_clients(struct sim_options *options, const char *value)
{
    uint64_t number;
    if (!words_whole(value, 1, CLIENTS_MAX, &number))
        return usage_error("--clients takes a number from 1 to 64, not", value);
    options->campaign.world.client_count = (uint32_t)number;
    return CLI_OK;
}

static int take_seed(struct sim_options *options, const char *value)
{
    uint64_t number;
    if (!words_whole(value, 0, UINT64_MAX - 1, &number))
        return usage_error("--seed takes a number, not", value);
    options->campaign.seed_first = options->campaign.seed_last = number;
    return CLI_OK;
}

static int take_seeds(struct sim_options *options, const char *value)
{
    if (!parse_seeds(value, &options->campaign.seed_first, &options->campaign.seed_last))
        return usage_error("--seeds takes two numbers in order such as 1..100, not", value);
    return CLI_OK;
}

static int take_time(struct sim_options *options, const char *value)
{
    if (!parse_time(value, &options->campaign.world.time_ns))
        return usage_error("--time takes a duration such as 500ms, 60s or 5m, up to a day, not", value);
    return CLI_OK;
}

static int take_k(struct sim_options *options, const char *value)
{
    uint64_t number;
    if (!words_whole(value, 1, NODES_MAX, &number))
        return usage_error("--k takes a number from 1 to 64, not", value);
    options->campaign.world.k = (uint32_t)number;
    return CLI_OK;
}

static int take_dead(struct sim_options *options, const char *value)
{
    uint64_t number;
    if (!words_whole(value, 1, NODES_MAX, &number))
        return usage_error("--dead takes a number from 1 to 64, not", value);
    options->campaign.world.dead = (uint32_t)number;
    return CLI_OK;
}

static int take_jobs(struct sim_options *options, const char *value)
{
    uint64_t number;
    if (!words_whole(value, 1, JOBS_MAX, &number))
        return usage_error("--jobs takes a number from 1 to 256, not", value);
    options->campaign.jobs = (uint32_t)number;
    return CLI_OK;
}

static int take_resume(struct sim_options *options, const char *value)
{
    options->campaign.journal_path = value;
    return CLI_OK;
}

static int take_shrink(struct sim_options *options, const char *value)
{
    options->shrink_path = value;
    return CLI_OK;
}

static const struct {
    const char *name;
    int (*take)(struct sim_options *options, const char *value);
    bool replayed; /* it changes what happens in a run, so it belongs to the command that replays it */
} with_value[] = {
    {"--gateways", take_gateways, true}, {"--vote", take_vote, true},
    {"--nodes", take_nodes, true},    {"--clients", take_clients, true}, {"--time", take_time, true},
    {"--faults", parse_faults, true}, {"--k", take_k, true},             {"--break", parse_breaks, true},
    {"--seed", take_seed, false},     {"--seeds", take_seeds, false},    {"--jobs", take_jobs, false},
    {"--resume", take_resume, false}, {"--shrink", take_shrink, false},
    {"--dead", take_dead, true},
};

static void add_to_replay(struct sim_options *options, const char *name, const char *value)
{
    size_t length = strlen(options->replay);
    snprintf(options->replay + length, sizeof options->replay - length, " %s %s", name, value);
}

static int take(struct sim_options *options, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof with_value / sizeof with_value[0]; i++) {
        if (strcmp(name, with_value[i].name) != 0)
            continue;
        if (value == NULL || *value == '\0')
            return usage_error("a value is missing after", name);
        int status = with_value[i].take(options, value);
        if (status == CLI_OK && with_value[i].replayed)
            add_to_replay(options, name, value);
        return status;
    }
    if (pictures_takes(name) && value == NULL)
        return usage_error("a value is missing after", name);
    if (pictures_takes(name))
        return pictures_option("sim", &options->pictures, name, value);
    return usage_error("there is no option", name);
}

/* ---- all of them ---- */

static int check_gateways(const struct world_options *world)
{
    char why[SIM_REASON_SIZE];
    return world_gateways_fit(world, why, sizeof why) ? CLI_OK : usage_error(why, NULL);
}

static int check_together(const struct sim_options *options)
{
    const struct campaign_options *campaign = &options->campaign;
    bool one = campaign->seed_first == campaign->seed_last;
    if (pictures_wanted(&options->pictures) && !one)
        return usage_error("traces and pictures want one --seed", NULL);
    if (pictures_wanted(&options->pictures) && campaign->journal_path != NULL)
        return usage_error("a run that is resumed may be done already, so traces and pictures do not go with --resume",
                           NULL);
    if (pictures_wanted(&options->pictures) && options->shrink_path != NULL)
        return usage_error("--shrink draws nothing; `lockstep run FILE --html …` draws what it writes", NULL);
    if (options->shrink_path != NULL && !one)
        return usage_error("--shrink wants one --seed", NULL);
    if (options->shrink_path != NULL && campaign->journal_path != NULL)
        return usage_error("--shrink and --resume do not go together", NULL);
    if (campaign->world.k > campaign->world.node_count)
        return usage_error("--k is more than there are nodes", NULL);
    if (campaign->world.dead > campaign->world.node_count)
        return usage_error("--dead is more than there are nodes", NULL);
    return check_gateways(&campaign->world);
}

static const struct protocol *find_protocol(const char *name)
{
    char dashed[64];
    snprintf(dashed, sizeof dashed, "%s", name);
    for (char *at = dashed; *at != '\0'; at++)
        if (*at == '_')
            *at = '-';
    return protocol_find(dashed);
}

static int unknown_protocol(const char *name)
{
    fprintf(stderr, "lockstep sim: there is no protocol '%s'; there are", name);
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++)
        fprintf(stderr, " %s", (*at)->name);
    fputc('\n', stderr);
    return CLI_USAGE;
}

static void set_defaults(struct sim_options *options, const struct protocol *protocol)
{
    options->campaign = (struct campaign_options){.seed_first = 1, .seed_last = 1, .jobs = 1};
    campaign_defaults(protocol, &options->campaign.world);
    options->campaign.replay = options->replay;
    options->claimed = options->campaign.world.faults;
    snprintf(options->replay, sizeof options->replay, "lockstep sim %s", protocol->name);
}

static bool asks_for_rules(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--break=help") == 0 ||
            (strcmp(argv[i], "--break") == 0 && i + 1 < argc && strcmp(argv[i + 1], "help") == 0))
            return true;
    return false;
}

int sim_parse(struct sim_options *options, int argc, char **argv)
{
    const struct protocol *protocol = find_protocol(argv[1]);
    if (protocol == NULL)
        return unknown_protocol(argv[1]);
    set_defaults(options, protocol);
    if (asks_for_rules(argc, argv)) {
        print_rules(stdout, protocol, "\n");
        options->answered = true;
        return CLI_OK;
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--hash") == 0) {
            options->campaign.print_hashes = true;
            continue;
        }
        if (pictures_takes(argv[i]) && !pictures_takes_value(argv[i])) {
            pictures_option("sim", &options->pictures, argv[i], NULL);
            continue;
        }
        char name[32];
        size_t length = strcspn(argv[i], "=");
        snprintf(name, sizeof name, "%.*s", (int)(length < 31 ? length : 31), argv[i]);
        const char *value = argv[i][length] == '=' ? argv[i] + length + 1 : NULL;
        if (strncmp(name, "--", 2) != 0)
            return usage_error("unexpected argument", argv[i]);
        if (value == NULL && i + 1 < argc)
            value = argv[++i];
        int status = take(options, name, value);
        if (status != CLI_OK)
            return status;
    }
    return check_together(options);
}
