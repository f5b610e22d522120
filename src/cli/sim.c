/* lockstep sim: runs a cluster in the simulated world, under faults drawn from seeds. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/cli.h"
#include "lab/campaign.h"
#include "lab/judge.h"
#include "protocol/registry.h"
#include "service/registry.h"

enum { REPLAY_SIZE = 400, CLIENTS = 5, JOBS_MAX = 256 };

struct arguments {
    struct campaign_options campaign;
    char replay[REPLAY_SIZE];
    bool seeds_given, faults_given;
};

static void print_help(void)
{
    puts("usage: lockstep sim PROTOCOL [OPTION]...\n"
         "\n"
         "Runs a cluster with simulated clients, disks, clocks and network, under faults drawn from a seed: one run for\n"
         "each seed. After every step the protocol's invariants are checked, at the end of each run that what the\n"
         "clients saw is linearizable, and that everybody made progress once the faults had ended. A violation is\n"
         "printed with the command that replays it.\n"
         "\n"
         "  --nodes N        nodes (default 5)\n"
         "  --seed S         one run (default 1)\n"
         "  --seeds A..B     a run for each seed, both included\n"
         "  --time 60s       virtual time of a run: 500ms, 60s, 5m (default 60s)\n"
         "  --faults LIST    comma-separated, or all, or none (default: all that the protocol claims to survive)");
    fputs("                  ", stdout);
    for (unsigned i = 0; i < WORLD_FAULT_COUNT; i++)
        printf(" %s%s", world_fault_name((enum world_fault_bit)i), i + 1 < WORLD_FAULT_COUNT ? "," : "\n");
    puts("  --break LIST     rules to switch off, to see that the violation is found: ack-before-sync,\n"
         "                   sessions-not-kept, or one of the protocol's own (`--break help` lists them)\n"
         "  --jobs N         processes that share the seeds (default 1)\n"
         "  --trace FILE     one line for each event and effect; only with one seed\n"
         "  --hash           print the hash of all events of each run");
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

static bool parse_whole(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end;
    return parse_number(text, out, &end) && *end == '\0' && *out >= least && *out <= most;
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

static bool find_fault(const char *name, uint32_t *bits)
{
    for (unsigned i = 0; i < WORLD_FAULT_COUNT; i++)
        if (strcmp(name, world_fault_name((enum world_fault_bit)i)) == 0) {
            *bits |= 1u << i;
            return true;
        }
    return false;
}

static bool find_ablation(const struct protocol *protocol, const char *name, uint32_t *bits)
{
    if (strcmp(name, "ack-before-sync") == 0)
        *bits |= ABLATION_ACK_BEFORE_SYNC;
    else if (strcmp(name, "sessions-not-kept") == 0)
        *bits |= ABLATION_SESSIONS_NOT_KEPT;
    else {
        for (uint32_t i = 0; protocol->ablations != NULL && protocol->ablations[i] != NULL; i++)
            if (strcmp(name, protocol->ablations[i]) == 0) {
                *bits |= (uint32_t)ABLATION_PROTOCOL_FIRST << i;
                return true;
            }
        return false;
    }
    return true;
}

/* Copies the next word of a comma-separated list. False at the end. */
static bool next_word(const char **list, char *word, size_t size)
{
    if (**list == '\0')
        return false;
    size_t length = strcspn(*list, ",");
    snprintf(word, size, "%.*s", (int)(length < size ? length : size - 1), *list);
    *list += length + ((*list)[length] == ',');
    return true;
}

static int parse_faults(struct arguments *arguments, const char *list, uint32_t claimed)
{
    uint32_t bits = 0;
    char word[40];
    arguments->faults_given = true;
    if (strcmp(list, "all") == 0)
        bits = claimed;
    else if (strcmp(list, "none") != 0)
        while (next_word(&list, word, sizeof word))
            if (!find_fault(word, &bits))
                return usage_error("there is no fault", word);
    arguments->campaign.world.faults = bits;
    return CLI_OK;
}

static int parse_breaks(struct arguments *arguments, const char *list)
{
    const struct protocol *protocol = arguments->campaign.world.protocol;
    char word[60];
    while (next_word(&list, word, sizeof word))
        if (!find_ablation(protocol, word, &arguments->campaign.world.ablations)) {
            fprintf(stderr, "lockstep sim: %s has no rule '%s' to switch off; it has ack-before-sync, sessions-not-kept",
                    protocol->name, word);
            for (uint32_t i = 0; protocol->ablations != NULL && protocol->ablations[i] != NULL; i++)
                fprintf(stderr, ", %s", protocol->ablations[i]);
            fputc('\n', stderr);
            return CLI_USAGE;
        }
    return CLI_OK;
}

/* ---- options ---- */

static int parse_option(struct arguments *arguments, const char *name, const char *value, uint32_t claimed)
{
    struct campaign_options *campaign = &arguments->campaign;
    uint64_t number;
    if (strcmp(name, "--nodes") == 0) {
        if (!parse_whole(value, 1, 64, &number))
            return usage_error("--nodes takes a number from 1 to 64, not", value);
        campaign->world.node_count = (uint32_t)number;
    } else if (strcmp(name, "--seed") == 0) {
        if (!parse_whole(value, 0, UINT64_MAX - 1, &number))
            return usage_error("--seed takes a number, not", value);
        campaign->seed_first = campaign->seed_last = number;
    } else if (strcmp(name, "--seeds") == 0) {
        if (!parse_seeds(value, &campaign->seed_first, &campaign->seed_last))
            return usage_error("--seeds takes two numbers in order such as 1..100, not", value);
    } else if (strcmp(name, "--time") == 0) {
        if (!parse_time(value, &campaign->world.time_ns))
            return usage_error("--time takes a duration such as 500ms, 60s or 5m, up to a day, not", value);
    } else if (strcmp(name, "--jobs") == 0) {
        if (!parse_whole(value, 1, JOBS_MAX, &number))
            return usage_error("--jobs takes a number from 1 to 256, not", value);
        campaign->jobs = (uint32_t)number;
    } else if (strcmp(name, "--trace") == 0) {
        campaign->trace_path = value;
    } else if (strcmp(name, "--faults") == 0) {
        return parse_faults(arguments, value, claimed);
    } else if (strcmp(name, "--break") == 0) {
        return parse_breaks(arguments, value);
    } else {
        return usage_error("there is no option", name);
    }
    return CLI_OK;
}

/* The command that replays a seed: all that was given, but for what chooses seeds or only reports. */
static void add_to_replay(struct arguments *arguments, const char *name, const char *value)
{
    static const char *const left_out[] = {"--seed", "--seeds", "--jobs", "--trace"};
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++)
        if (strcmp(name, left_out[i]) == 0)
            return;
    size_t length = strlen(arguments->replay);
    snprintf(arguments->replay + length, sizeof arguments->replay - length, " %s %s", name, value);
}

static int parse_options(struct arguments *arguments, int argc, char **argv, uint32_t claimed)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--hash") == 0) {
            arguments->campaign.print_hashes = true;
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
        if (value == NULL)
            return usage_error("a value is missing after", name);
        int status = parse_option(arguments, name, value, claimed);
        if (status != CLI_OK)
            return status;
        add_to_replay(arguments, name, value);
    }
    if (arguments->campaign.trace_path != NULL && arguments->campaign.seed_first != arguments->campaign.seed_last)
        return usage_error("--trace wants one --seed", NULL);
    return CLI_OK;
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

static void set_defaults(struct arguments *arguments, const struct protocol *protocol, const struct judge_kind *judge)
{
    arguments->campaign = (struct campaign_options){
        .world = {.protocol = protocol,
                  .service = service_find(judge != NULL ? judge->service : "kv"),
                  .node_count = 5,
                  .client_count = CLIENTS,
                  .time_ns = 60 * NS_PER_S,
                  .faults = judge != NULL ? judge->faults : (uint32_t)WORLD_ALL_FAULTS},
        .seed_first = 1,
        .seed_last = 1,
        .jobs = 1,
        .replay = arguments->replay,
        .out = stdout,
        .progress = isatty(STDERR_FILENO) ? stderr : NULL,
    };
    snprintf(arguments->replay, sizeof arguments->replay, "lockstep sim %s", protocol->name);
}

static int print_summary(const struct campaign_summary *summary)
{
    double rate = summary->seconds > 0 ? (double)summary->events / summary->seconds : 0;
    if (summary->undecided > 0)
        printf("%llu histories were too much work to judge for linearizability\n",
               (unsigned long long)summary->undecided);
    printf("%llu runs, %llu violations, %llu events, %.0f events/s\n", (unsigned long long)summary->runs,
           (unsigned long long)summary->violations, (unsigned long long)summary->events, rate);
    return summary->violations == 0 ? CLI_OK : CLI_FAILED;
}

int cli_sim(int argc, char **argv)
{
    static struct arguments arguments;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    const struct protocol *protocol = find_protocol(argv[1]);
    if (protocol == NULL)
        return unknown_protocol(argv[1]);
    const struct judge_kind *judge = judge_find(protocol->name);
    set_defaults(&arguments, protocol, judge);
    int status = parse_options(&arguments, argc, argv, arguments.campaign.world.faults);
    if (status != CLI_OK)
        return status;
    struct campaign_summary summary;
    char why[256] = "";
    if (campaign_run(&arguments.campaign, &summary, why, sizeof why) != 0) {
        fprintf(stderr, "lockstep sim: %s\n", why);
        return CLI_FAILED;
    }
    return print_summary(&summary);
}
