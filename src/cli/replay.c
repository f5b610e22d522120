/* lockstep replay: steps the members of a recorded node again. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "cli/build.h"
#include "cli/cli.h"
#include "cli/recordings.h"
#include "cli/words.h"
#include "host/replay/replay.h"
#include "lab/trace/trace_text.h"

struct arguments {
    const char *path;
    uint64_t first, last; /* steps to be printed, both included; 0, 0: none */
};

static void print_help(void)
{
    puts("usage: lockstep replay [--print A..B] FILE\n"
         "\n"
         "Steps the members of one node again, from a recording that a node started with --record DIR has made, and\n"
         "compares what they want with what they wanted then. Prints the first difference, if there is any. For a look\n"
         "into a member, run it under a debugger with a breakpoint in its protocol's step function.\n"
         "\n"
         "  --print A..B   also prints the steps from A to B, counted from 1, with their effects; A.. prints all from A on\n"
         "\n"
         "Exit status: 0 no difference, 1 a difference, 2 the file cannot be replayed.");
}

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "lockstep replay: %s '%s'; see `lockstep replay --help`\n", what, value);
    return CLI_USAGE;
}

/* A..B, A.. (to the end) or A. */
static bool parse_range(const char *text, uint64_t *first, uint64_t *last)
{
    char begin[24];
    const char *dots = strstr(text, "..");
    size_t length = dots != NULL ? (size_t)(dots - text) : strlen(text);
    if (length >= sizeof begin)
        return false;
    memcpy(begin, text, length);
    begin[length] = '\0';
    if (!words_whole(begin, 1, UINT64_MAX, first))
        return false;
    *last = dots == NULL ? *first : UINT64_MAX;
    return dots == NULL || dots[2] == '\0' || words_whole(dots + 2, *first, UINT64_MAX, last);
}

static int parse(int argc, char **argv, struct arguments *out)
{
    *out = (struct arguments){0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0) {
            if (i + 1 == argc || !parse_range(argv[++i], &out->first, &out->last))
                return usage_error("--print takes steps such as 10..20, not", i < argc ? argv[i] : "");
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            return usage_error("there is no option", argv[i]);
        } else if (out->path != NULL) {
            return usage_error("one file is replayed at a time; unexpected", argv[i]);
        } else {
            out->path = argv[i];
        }
    }
    return out->path != NULL ? CLI_OK : usage_error("it wants the name of a recording,", "node-1-….rec");
}

/* ---- printing ---- */

static void print_moment(const struct replay_moment *moment, struct heap *heap)
{
    struct trace_text text = {.out = stdout, .heap = heap};
    struct world_tracer tracer = trace_text_tracer(&text);
    uint32_t place = moment->spec->self - 1; /* the tracer counts nodes from 0 */
    printf("step %llu of group '%s':\n", (unsigned long long)moment->number, moment->spec->name);
    tracer.event(tracer.context, moment->event.now_ns, place, moment->spec, &moment->event);
    for (uint32_t i = 0; i < moment->effects->count; i++)
        tracer.effect(tracer.context, moment->event.now_ns, place, moment->spec, &moment->effects->list[i]);
}

static void warn_of_build(const char *path, const struct recording_head *head)
{
    if (strcmp(head->build, cli_build()) != 0)
        fprintf(stderr,
                "lockstep replay: %s was recorded by the build '%s', this is '%s'; differences may come from that\n",
                path, head->build, cli_build());
}

static int print_end(const char *path, enum recording_item end, uint64_t steps, bool differs)
{
    if (end == RECORDING_DAMAGED) {
        printf("%s: damaged after step %llu; what follows cannot be replayed\n", path, (unsigned long long)steps);
        return CLI_USAGE;
    }
    const char *cut = end == RECORDING_CUT ? " (the last one was being written when the recorder ended)" : "";
    if (!differs)
        printf("%s: %llu steps, no difference%s\n", path, (unsigned long long)steps, cut);
    return differs ? CLI_FAILED : CLI_OK;
}

static int replay_all(const struct arguments *arguments, struct replay *replay, struct heap *heap)
{
    struct replay_moment moment;
    enum recording_item item;
    uint64_t steps = 0;
    bool differs = false;
    while ((item = replay_step(replay, NULL, NULL, &moment)) == RECORDING_STEP) {
        steps = moment.number;
        bool first = moment.differs && !differs;
        if (first)
            printf("%s: the first difference: step %llu wanted %u effects then, and other ones now:\n", arguments->path,
                   (unsigned long long)steps, moment.recorded_count);
        if (first || (steps >= arguments->first && steps <= arguments->last))
            print_moment(&moment, heap);
        differs = differs || moment.differs;
        if (differs && steps >= arguments->last)
            return CLI_FAILED;
    }
    return print_end(arguments->path, item, steps, differs);
}

int cli_replay(int argc, char **argv)
{
    if (words_ask_for_help(argc, argv)) {
        print_help();
        return CLI_OK;
    }
    struct arguments arguments;
    static struct recordings recordings;
    if (parse(argc, argv, &arguments) != CLI_OK || recordings_add("replay", &recordings, arguments.path) != CLI_OK)
        return CLI_USAGE;
    if (recordings.count != 1)
        return usage_error("one recording is replayed at a time, and there are several in", arguments.path);
    char why[256];
    struct replay *replay;
    struct heap *heap = heap_create_system((size_t)64 << 30);
    if (heap == NULL || replay_open(&replay, recordings.list[0].bytes, heap, why, sizeof why) != OK) {
        fprintf(stderr, "lockstep replay: %s: %s\n", arguments.path, heap != NULL ? why : "there is no memory");
        heap_destroy_system(heap);
        return CLI_USAGE;
    }
    warn_of_build(arguments.path, replay_head(replay));
    int status = replay_all(&arguments, replay, heap);
    replay_close(replay);
    heap_destroy_system(heap);
    return status;
}
