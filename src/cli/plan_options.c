/* The options of `lockstep plan`. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/plan_report.h"
#include "lab/plan/plan_duration.h"
#include "protocol/registry.h"

static const char *const failures_words[] = {"crash", "omission", "timing", "value", "arbitrary", NULL};
static const char *const processes_words[] = {"synchronous", "partially-synchronous", "asynchronous", NULL};
static const char *const delay_words[] = {"unbounded", "bounded", NULL};
static const char *const messages_words[] = {"unordered", "ordered", NULL};
static const char *const send_words[] = {"unicast", "multicast", NULL};
static const char *const links_words[] = {"reliable", "lossy", NULL};
static const char *const order_words[] = {"none", "fifo", "causal", "total", NULL};
static const char *const partition_words[] = {"none", "refuse", "answer", NULL};

const char *plan_processes_name(enum plan_processes processes)
{
    return processes_words[processes];
}

const char *plan_partition_name(enum plan_partition partition)
{
    return partition_words[partition];
}

void plan_help(void)
{
    puts("usage: lockstep plan [OPTION]...\n"
         "\n"
         "Says whether agreement is possible under what is known of failures and time, which protocols of this build\n"
         "give it and with how many members; and, from how often a node fails and how long it stays away, what\n"
         "availability and what time to a loss of data follow. The exit status is 1 when no protocol of this build\n"
         "can.\n"
         "\n"
         "  --failures F     what nodes do when they fail: crash (default), omission, timing, value, arbitrary\n"
         "  --k N            nodes that may fail (default 1)\n"
         "  --members N      nodes that there are (default: as many as it takes)\n"
         "  --order O        order in which commands are wanted: total (default), causal, fifo; none: one decision\n"
         "  --processes P    synchronous, partially-synchronous (default) or asynchronous\n"
         "  --delay D        of messages: bounded (default when synchronous) or unbounded\n"
         "  --messages M     arrive ordered, in the real-time order of their sending whoever sent them, or unordered\n"
         "                   (default)\n"
         "  --send S         unicast (default), or multicast: to all in one step\n"
         "  --links L        reliable (default), or lossy: any message may be lost\n"
         "  --signatures     messages are signed, and nobody can forge that\n"
         "  --partition P    when the network is cut, a side without a quorum is to refuse, or to answer all the same\n"
         "\n"
         "  --mttf TIME      mean time until a node fails\n"
         "  --mttr TIME      mean time until it is back, with its disk; never: it is not repaired\n"
         "  --disk-mttf TIME mean time until a disk is lost for good (default never)\n"
         "  --disk-mttr TIME mean time until it is replaced and filled again (default: as --mttr)\n"
         "  --crews N        repairs at a time (default: as many as there are members)\n"
         "  --mission TIME   the probability of a loss is told for this long (default 1y)\n"
         "  --protocol NAME  model a group of this protocol (default: the first that can)\n"
         "  --sizes          besides, groups of other sizes of the same nodes, side by side\n"
         "  --simulate N     besides, N cycles of a Monte Carlo run (2 to 10000000)\n"
         "  --seed S         of that run (default 1)\n"
         "\n"
         "  --json           for programs; times in seconds, null is never\n"
         "\n"
         "A TIME is like 4y, 2h, 1d12h or 250ms: y (365.25 days), w, d, h, m, s, ms. A group of up to 25 members can\n"
         "be modelled.");
}

/* ---- values ---- */

static int refuse(const char *what, const char *value)
{
    fprintf(stderr, "lockstep plan: %s '%s'; see `lockstep plan --help`\n", what, value);
    return CLI_USAGE;
}

static int take_word(const char *name, const char *value, const char *const *words, int *out)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], value) == 0) {
            *out = i;
            return CLI_OK;
        }
    fprintf(stderr, "lockstep plan: %s takes", name);
    for (int i = 0; words[i] != NULL; i++)
        fprintf(stderr, "%s %s", i == 0 ? "" : words[i + 1] == NULL ? " or" : ",", words[i]);
    fprintf(stderr, ", not '%s'\n", value);
    return CLI_USAGE;
}

static int take_number(const char *name, const char *value, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end = NULL;
    size_t length = strlen(value);
    bool digits = length > 0 && length < 20 && strspn(value, "0123456789") == length;
    uint64_t number = digits ? strtoull(value, &end, 10) : 0;
    if (end == NULL || number < least || number > most) {
        fprintf(stderr, "lockstep plan: %s takes a whole number from %llu to %llu, not '%s'\n", name,
                (unsigned long long)least, (unsigned long long)most, value);
        return CLI_USAGE;
    }
    *out = number;
    return CLI_OK;
}

static int take_time(const char *name, const char *value, bool may_be_never, double *out)
{
    double seconds = 0;
    if (plan_duration_parse(value, &seconds) && (may_be_never || !isinf(seconds))) {
        *out = seconds;
        return CLI_OK;
    }
    fprintf(stderr,
            "lockstep plan: %s takes a time such as 4y, 2h, 1d12h or 250ms, longer than nothing and up to a billion "
            "years%s, not '%s'\n",
            name, may_be_never ? ", or never" : "", value);
    return CLI_USAGE;
}

/* ---- options ---- */

enum kind { WORD, NUMBER, TIME, TIME_OR_NEVER, NAME };

/* What an option puts where. Words and numbers go through `given`. */
struct option {
    const char *name;
    enum kind kind;
    const char *const *words;
    uint64_t least, most;
    size_t time_at; /* of the double in struct plan_arguments */
};

enum {
    FAILURES,
    PROCESSES,
    DELAY,
    MESSAGES,
    SEND,
    LINKS,
    ORDER,
    PARTITION,
    K,
    MEMBERS,
    CREWS,
    SIMULATE,
    SEED,
    NUMBERS,
};

static const struct option options[] = {
    [FAILURES] = {"--failures", WORD, failures_words, 0, 0, 0},
    [PROCESSES] = {"--processes", WORD, processes_words, 0, 0, 0},
    [DELAY] = {"--delay", WORD, delay_words, 0, 0, 0},
    [MESSAGES] = {"--messages", WORD, messages_words, 0, 0, 0},
    [SEND] = {"--send", WORD, send_words, 0, 0, 0},
    [LINKS] = {"--links", WORD, links_words, 0, 0, 0},
    [ORDER] = {"--order", WORD, order_words, 0, 0, 0},
    [PARTITION] = {"--partition", WORD, partition_words, 0, 0, 0},
    [K] = {"--k", NUMBER, NULL, 0, PLAN_K_MAX, 0},
    [MEMBERS] = {"--members", NUMBER, NULL, 1, 3 * PLAN_K_MAX + 1, 0},
    [CREWS] = {"--crews", NUMBER, NULL, 1, 1000, 0},
    [SIMULATE] = {"--simulate", NUMBER, NULL, 2, 10000000, 0},
    [SEED] = {"--seed", NUMBER, NULL, 0, INT64_MAX, 0},
    [NUMBERS] = {"--mttf", TIME, NULL, 0, 0, offsetof(struct plan_arguments, group.mttf_s)},
    {"--mttr", TIME_OR_NEVER, NULL, 0, 0, offsetof(struct plan_arguments, group.mttr_s)},
    {"--disk-mttf", TIME_OR_NEVER, NULL, 0, 0, offsetof(struct plan_arguments, group.disk_mttf_s)},
    {"--disk-mttr", TIME_OR_NEVER, NULL, 0, 0, offsetof(struct plan_arguments, group.disk_mttr_s)},
    {"--mission", TIME, NULL, 0, 0, offsetof(struct plan_arguments, mission_s)},
    {"--protocol", NAME, NULL, 0, 0, 0},
};
enum { OPTIONS = sizeof options / sizeof options[0] };

/* What was given: words as their places, numbers as they are; -1 where an option was not given. */
struct given {
    int64_t numbers[NUMBERS];
};

static int take(struct plan_arguments *out, struct given *given, int which, const char *value)
{
    const struct option *option = &options[which];
    uint64_t number = 0;
    int word = 0, status = CLI_OK;
    switch (option->kind) {
    case WORD:
        status = take_word(option->name, value, option->words, &word);
        given->numbers[which] = word;
        return status;
    case NUMBER:
        status = take_number(option->name, value, option->least, option->most, &number);
        given->numbers[which] = (int64_t)number;
        return status;
    case TIME:
    case TIME_OR_NEVER:
        return take_time(option->name, value, option->kind == TIME_OR_NEVER,
                         (double *)(void *)((char *)out + option->time_at));
    case NAME:
        break;
    }
    if (protocol_find(value) == NULL)
        return refuse("there is no protocol", value);
    out->protocol = value;
    return CLI_OK;
}

static int take_option(struct plan_arguments *out, struct given *given, char **argv, int argc, int *at)
{
    const char *name = argv[*at];
    if (strcmp(name, "--json") == 0) {
        out->json = true;
        return CLI_OK;
    }
    if (strcmp(name, "--sizes") == 0) {
        out->sizes = true;
        return CLI_OK;
    }
    if (strcmp(name, "--signatures") == 0) {
        out->question.signatures = true;
        return CLI_OK;
    }
    for (int i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0) {
            if (*at + 1 >= argc)
                return refuse("a value is missing after", name);
            return take(out, given, i, argv[++*at]);
        }
    return refuse("there is no option", name);
}

static int64_t otherwise(int64_t number, int64_t value)
{
    return number < 0 ? value : number;
}

static void fill_question(struct plan_arguments *out, const struct given *given)
{
    struct plan_question *question = &out->question;
    const int64_t *numbers = given->numbers;
    question->failures = (enum failure_model)(otherwise(numbers[FAILURES], 0) + MASKS_CRASH);
    question->processes = (enum plan_processes)otherwise(numbers[PROCESSES], PLAN_PARTIALLY_SYNCHRONOUS);
    question->delay_bounded = otherwise(numbers[DELAY], question->processes == PLAN_SYNCHRONOUS) != 0;
    question->ordered = otherwise(numbers[MESSAGES], 0) != 0;
    question->multicast = otherwise(numbers[SEND], 0) != 0;
    question->lossy = otherwise(numbers[LINKS], 0) != 0;
    question->order = (enum order)otherwise(numbers[ORDER], ORDER_TOTAL);
    question->partition = (enum plan_partition)otherwise(numbers[PARTITION], PLAN_WHOLE);
    question->k = (uint64_t)otherwise(numbers[K], 1);
    question->members = (uint64_t)otherwise(numbers[MEMBERS], 0);
    out->group.crews = (uint32_t)otherwise(numbers[CREWS], 0);
    out->simulate = (uint64_t)otherwise(numbers[SIMULATE], 0);
    out->seed = (uint64_t)otherwise(numbers[SEED], 1);
}

/* What does not go together. */
static int check_together(struct plan_arguments *out, const struct given *given)
{
    struct plan_group *group = &out->group;
    const int64_t *numbers = given->numbers;
    if (out->question.processes == PLAN_PARTIALLY_SYNCHRONOUS &&
        (numbers[DELAY] >= 0 || numbers[MESSAGES] >= 0 || numbers[SEND] >= 0))
        return refuse("--delay, --messages and --send matter to synchronous and to asynchronous processes, not to",
                      "partially-synchronous");
    if (group->mttf_s > 0 && !(group->mttr_s > 0))
        return refuse("--mttf needs the time of repair too:", "--mttr");
    bool about_times = group->mttr_s > 0 || !isinf(group->disk_mttf_s) || group->disk_mttr_s > 0 || group->crews > 0 ||
                       out->simulate > 0 || out->sizes || out->protocol != NULL || numbers[SEED] >= 0 ||
                       out->mission_s > 0;
    if (!(group->mttf_s > 0) && about_times)
        return refuse("a group can be modelled when it is known how often a node fails; there is no", "--mttf");
    if (isinf(group->disk_mttf_s) && group->disk_mttr_s > 0)
        return refuse("a disk that is never lost needs no time of repair; there is no", "--disk-mttf");
    if (!(group->disk_mttr_s > 0))
        group->disk_mttr_s = group->mttr_s;
    if (!(out->mission_s > 0))
        out->mission_s = PLAN_YEAR_S;
    return CLI_OK;
}

int plan_arguments_read(struct plan_arguments *out, int argc, char **argv)
{
    struct given given;
    for (int i = 0; i < NUMBERS; i++)
        given.numbers[i] = -1;
    *out = (struct plan_arguments){.group = {.disk_mttf_s = INFINITY}};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            out->help = true;
            return CLI_OK;
        }
        int status = take_option(out, &given, argv, argc, &i);
        if (status != CLI_OK)
            return status;
    }
    fill_question(out, &given);
    return check_together(out, &given);
}
