/* The options of `lockstep explore` (explore_options.h). */
#include "cli/explore_options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/words.h"
#include "lab/judge/explore_properties.h"

enum { WORD_SIZE = 64 };

int explore_usage_error(const char *what, const char *value)
{
    fprintf(stderr, "lockstep explore: %s%s%s%s; see `lockstep explore --help`\n", what, value != NULL ? " '" : "",
            value != NULL ? value : "", value != NULL ? "'" : "");
    return CLI_USAGE;
}

/* ---- options ---- */

/* The rules that this explorer can do without, one a line or in a sentence. */
void explore_print_rules(FILE *out, const struct protocol *protocol, const char *separator)
{
    for (uint32_t i = 0; protocol->ablations[i] != NULL; i++)
        fprintf(out, "%s:%s%s", protocol->name, protocol->ablations[i], separator);
    fputs("node:ack-before-sync\n", out);
}

static int unknown_rule(const struct protocol *protocol, const char *word)
{
    fprintf(stderr, "lockstep explore: there is no such rule to break: '%s'; there are ", word);
    explore_print_rules(stderr, protocol, ", ");
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
            return explore_usage_error("a timer is NAME=NUMBER (up to 254) or NAME=any, not", word);
        *equals = '\0';
        uint32_t at = 0;
        while (at < config->timer_count && strcmp(config->timers[at].name, word) != 0)
            at++;
        if (at == config->timer_count)
            return explore_usage_error("the protocol has no timer", word);
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
        return explore_usage_error("a value is missing after", name);
    fprintf(stderr, "lockstep explore: %s takes a number up to %llu, not '%s'\n", name, (unsigned long long)most,
            value);
    return CLI_USAGE;
}

static int parse_number_option(struct explore_config *config, const char *name, const char *value, bool *known)
{
    uint64_t memory_mb = 0, carried = UINT64_MAX;
    const struct number_option options[] = {
        {"--nodes", EXPLORE_NODES_MAX, &config->nodes, NULL},
        {"--requests", EXPLORE_REQUESTS_MAX, &config->requests, NULL},
        {"--request-at", EXPLORE_NODES_MAX, &config->request_at, NULL},
        {"--crashes", 100, &config->crashes, NULL},
        {"--losses", 100, &config->losses, NULL},
        {"--duplicates", 100, &config->duplicates, NULL},
        {"--values", 8, &config->values, NULL},
        {"--value", 31, NULL, &carried},
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
    if (carried != UINT64_MAX) {
        config->value_first = (uint32_t)carried;
        config->values = config->values == 0 ? 1 : config->values;
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
                 {"--skew", &config->skew, true}, {"--unknown", &config->unknown, true},
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
    config->rounds = strcmp(name, "rounds") == 0;
    if (!config->fifo && !config->doubling && !config->rounds && strcmp(name, "any") != 0)
        return explore_usage_error("a channel is any, fifo, doubling or rounds, not", name);
    return CLI_OK;
}

static int parse_traitors(struct explore_config *config, const char *list)
{
    char word[WORD_SIZE];
    uint64_t node;
    config->traitors = 0;
    while (strcmp(list, "none") != 0 && words_next(&list, word, sizeof word)) {
        if (!words_whole(word, 1, EXPLORE_NODES_MAX, &node))
            return explore_usage_error("traitors are nodes from 1 on, or none, not", word);
        config->traitors |= UINT64_C(1) << (node - 1);
    }
    return CLI_OK;
}

/* Options with a word or a list. */
static int parse_word_option(struct explore_config *config, const char *name, const char *value, bool *known)
{
    static int (*const parsers[])(struct explore_config *, const char *) = {parse_ablations, parse_timers,
                                                                             parse_channel, parse_traitors};
    static const char *const names[] = {"--break", "--timers", "--channel", "--traitors"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) {
            *known = true;
            if (value == NULL || *value == '\0')
                return explore_usage_error("a value is missing after", name);
            return parsers[i](config, value);
        }
    return CLI_OK;
}

/* An option with a value; NULL: it is missing. */
static int parse_valued(struct explore_config *config, struct pictures *pictures, const char *name, const char *value)
{
    bool known = pictures_takes(name);
    if (known)
        return value == NULL ? explore_usage_error("a value is missing after", name)
                             : pictures_option("explore", pictures, name, value);
    int status = parse_word_option(config, name, value, &known);
    if (status == CLI_OK && !known)
        status = parse_number_option(config, name, value, &known);
    return status == CLI_OK && !known ? explore_usage_error("there is no option", name) : status;
}

static int parse_all(struct explore_config *config, struct pictures *pictures, int argc, char **argv)
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

bool explore_asks_for_rules(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--break=help") == 0 ||
            (strcmp(argv[i], "--break") == 0 && i + 1 < argc && strcmp(argv[i + 1], "help") == 0))
            return true;
    return false;
}

int explore_parse(struct explore_config *config, struct pictures *pictures, int argc, char **argv)
{
    int status = parse_all(config, pictures, argc, argv);
    explore_settle(config);
    return status;
}
