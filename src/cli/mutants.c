/* lockstep mutants: how many seeds a campaign needs to notice that a rule is missing. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/words.h"
#include "lab/search/mutants.h"
#include "protocol/registry.h"

enum { CAMPAIGNS = 5, SEEDS_MAX = 400 };

struct arguments {
    struct mutants_options options;
    const struct protocol *protocol; /* NULL: all */
    const char *rule;                /* NULL: all */
    bool markdown;
    uint32_t missed;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void print_help(void)
{
    puts("usage: lockstep mutants [PROTOCOL] [OPTION]...\n"
         "\n"
         "Switches off one rule after the other (`lockstep sim PROTOCOL --break help` lists them) and runs campaigns\n"
         "until a violation is found. Prints for each rule how many seeds that took: the median of several campaigns,\n"
         "the least and the most. All rules take some minutes. What a campaign does not find under a protocol that\n"
         "agrees in rounds is explored (`lockstep explore`). The exit status is 1 when a rule was not found.\n"
         "\n"
         "  --rule NAME      only this rule\n"
         "  --campaigns N    for each rule (default 5)\n"
         "  --seeds N        of a campaign, at most (default 400)\n"
         "  --first S        the first campaign's first seed (default 1); each next campaign begins a million later\n"
         "  --nodes N        nodes (default 5, or 4 where 3k+1 are needed; where members agree in rounds, as few as mask a\n"
         "                   failure)\n"
         "  --jobs N         processes that share the seeds (default 1)\n"
         "  --markdown       the table of docs/mutants.md");
}

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "lockstep mutants: %s '%s'; see `lockstep mutants --help`\n", what, value);
    return CLI_USAGE;
}

static int parse_option(struct arguments *arguments, const char *name, const char *value)
{
    struct mutants_options *options = &arguments->options;
    uint64_t number = 0;
    if (strcmp(name, "--rule") == 0) {
        arguments->rule = value;
        return CLI_OK;
    }
    static const struct {
        const char *name;
        uint64_t least, most;
    } numbers[] = {{"--campaigns", 1, MUTANTS_CAMPAIGNS_MAX},
                   {"--seeds", 1, 1000000},
                   {"--first", 0, UINT64_MAX / 2},
                   {"--nodes", 1, 64},
                   {"--jobs", 1, 256}};
    size_t which = 0;
    while (which < sizeof numbers / sizeof numbers[0] && strcmp(name, numbers[which].name) != 0)
        which++;
    if (which == sizeof numbers / sizeof numbers[0])
        return usage_error("there is no option", name);
    if (!words_whole(value, numbers[which].least, numbers[which].most, &number)) {
        fprintf(stderr, "lockstep mutants: %s takes a number from %llu to %llu, not '%s'\n", name,
                (unsigned long long)numbers[which].least, (unsigned long long)numbers[which].most, value);
        return CLI_USAGE;
    }
    if (which == 0)
        options->campaigns = (uint32_t)number;
    else if (which == 1)
        options->seeds_max = number;
    else if (which == 2)
        options->seed_first = number;
    else if (which == 3)
        options->node_count = (uint32_t)number;
    else
        options->jobs = (uint32_t)number;
    return CLI_OK;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--markdown") == 0) {
            arguments->markdown = true;
        } else if (argv[i][0] != '-' && arguments->protocol == NULL) {
            arguments->protocol = protocol_find(argv[i]);
            if (arguments->protocol == NULL)
                return usage_error("there is no protocol", argv[i]);
        } else if (strncmp(argv[i], "--", 2) == 0) {
            char name[32];
            size_t length = strcspn(argv[i], "=");
            snprintf(name, sizeof name, "%.*s", (int)(length < 31 ? length : 31), argv[i]);
            const char *value = argv[i][length] == '=' ? argv[i] + length + 1 : i + 1 < argc ? argv[++i] : "";
            if (*value == '\0')
                return usage_error("a value is missing after", name);
            int status = parse_option(arguments, name, value);
            if (status != CLI_OK)
                return status;
        } else {
            return usage_error("unexpected argument", argv[i]);
        }
    }
    return CLI_OK;
}

/* ---- the table ---- */

static void print_head(const struct arguments *arguments)
{
    if (arguments->markdown)
        puts("| protocol | rule switched off | seeds until found: median | least | most | found by |\n"
             "|---|---|---:|---:|---:|---|");
    else
        printf("%-18s %-36s %7s %7s %7s  %s\n", "PROTOCOL", "RULE", "MEDIAN", "LEAST", "MOST", "FOUND BY");
}

static void seeds_text(const struct mutants_options *options, uint64_t seeds, bool found, char out[32])
{
    if (found)
        snprintf(out, 32, "%llu", (unsigned long long)seeds);
    else
        snprintf(out, 32, ">%llu", (unsigned long long)options->seeds_max);
}

static void print_row(const struct arguments *arguments, const struct protocol *protocol,
                      const struct mutant_measure *measure)
{
    char rule[80], median[32], least[32], most[32], found_by[200];
    const struct mutants_options *options = &arguments->options;
    snprintf(rule, sizeof rule, "%s:%s", measure->mutant.owner, measure->mutant.rule);
    seeds_text(options, measure->seeds_median, measure->found > measure->campaigns / 2, median);
    seeds_text(options, measure->seeds_least, measure->found > 0, least);
    seeds_text(options, measure->seeds_most, measure->found == measure->campaigns, most);
    char explored[64] = "";
    if (measure->explored_steps > 0)
        snprintf(explored, sizeof explored, "%s%s explored, after %u steps", measure->found > 0 ? "; " : "",
                 measure->explored_property, measure->explored_steps);
    snprintf(found_by, sizeof found_by, "%s%s%s%s%s", measure->properties, explored,
             measure->note != NULL && measure->found > 0 ? "; " : "", measure->note != NULL ? "not needed: " : "",
             measure->note != NULL ? measure->note : "");
    printf(arguments->markdown ? "| %s | `%s` | %s | %s | %s | %s |\n" : "%-18s %-36s %7s %7s %7s  %s\n",
           protocol->name, rule, median, least, most, found_by);
    fflush(stdout);
}

/* ---- all rules ---- */

static bool is_wanted(const struct arguments *arguments, const struct protocol *protocol)
{
    return arguments->protocol == NULL || arguments->protocol == protocol;
}

static int check_rule(const struct arguments *arguments)
{
    struct mutant mutant;
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++)
        if (arguments->rule == NULL || (is_wanted(arguments, *at) && mutant_find(*at, arguments->rule, &mutant)))
            return CLI_OK;
    fprintf(stderr, "lockstep mutants: there is no rule '%s'; `lockstep sim PROTOCOL --break help` lists them\n",
            arguments->rule);
    return CLI_USAGE;
}

static int measure_rules(struct arguments *arguments, const struct protocol *protocol)
{
    struct mutant mutant;
    for (uint32_t i = 0; !interrupted && mutant_at(protocol, i, &mutant); i++) {
        struct mutant_measure measure;
        char why[512] = "";
        struct mutant wanted;
        if (arguments->rule != NULL &&
            (!mutant_find(protocol, arguments->rule, &wanted) || strcmp(wanted.rule, mutant.rule) != 0))
            continue;
        int error = mutants_measure(protocol, &mutant, &arguments->options, &measure, why, sizeof why);
        if (arguments->options.progress != NULL)
            fputs("\r\033[K", stderr);
        if (error != 0) {
            fprintf(stderr, "lockstep mutants: %s:%s: %s\n", mutant.owner, mutant.rule, why);
            return CLI_FAILED;
        }
        if (measure.campaigns == 0)
            break;
        print_row(arguments, protocol, &measure);
        arguments->missed += measure.needed && measure.found == 0 && measure.explored_steps == 0;
    }
    return CLI_OK;
}

static int finish(const struct arguments *arguments)
{
    if (interrupted)
        fputs("lockstep mutants: interrupted; the rows above are whole but for the last one\n", stderr);
    if (arguments->missed > 0)
        fprintf(stderr, "lockstep mutants: the laboratory did not notice that %u rules were missing\n",
                arguments->missed);
    return interrupted ? 128 + SIGINT : arguments->missed > 0 ? CLI_FAILED : CLI_OK;
}

int cli_mutants(int argc, char **argv)
{
    struct arguments arguments = {
        .options = {.campaigns = CAMPAIGNS, .seeds_max = SEEDS_MAX, .seed_first = 1, .jobs = 1, .stop = &interrupted,
                    .progress = isatty(STDERR_FILENO) ? stderr : NULL},
    };
    if (words_ask_for_help(argc, argv)) {
        print_help();
        return CLI_OK;
    }
    int status = parse(&arguments, argc, argv);
    if (status == CLI_OK)
        status = check_rule(&arguments);
    if (status != CLI_OK)
        return status;
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    print_head(&arguments);
    for (const struct protocol *const *at = protocol_registry(); *at != NULL && !interrupted; at++) {
        if (!is_wanted(&arguments, *at))
            continue;
        status = measure_rules(&arguments, *at);
        if (status != CLI_OK)
            return status;
    }
    return finish(&arguments);
}
