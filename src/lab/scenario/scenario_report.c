/* Lines for people: what was expected, and what was seen. */
#include <string.h>

#include "base/time.h"
#include "lab/scenario/scenario_stage.h"

enum { EXPECTED_COLUMN = 52 };

void stage_print_title(struct stage *stage)
{
    FILE *out = stage->options->out;
    if (out == NULL)
        return;
    const char *path = stage->options->path, *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    fprintf(out, "%s%s%s\n", name, stage->report->title[0] != '\0' ? ": " : "", stage->report->title);
}

static void print_line(struct stage *stage, const char *mark, const char *expected, const char *saw)
{
    FILE *out = stage->options->out;
    if (out == NULL)
        return;
    int64_t now_ns = stage->world != NULL ? world_now_ns(stage->world) : stage->ended_ns;
    fprintf(out, "  %3lld.%06llds  %-3s %-*s  %s\n", (long long)(now_ns / NS_PER_S),
            (long long)(now_ns % NS_PER_S / NS_PER_US), mark, (int)EXPECTED_COLUMN, expected, saw);
}

void stage_judge(struct stage *stage, bool so, const char *expected, const char *saw)
{
    char sentence[512];
    stage->report->expectations++;
    print_line(stage, so ? "ok" : "NO", expected, saw);
    if (so)
        return;
    snprintf(sentence, sizeof sentence, "expected: %.230s; saw: %.230s", expected, saw);
    stage_disagree(stage, sentence);
}

void stage_say(void *context, const char *text, size_t size)
{
    struct stage *stage = context;
    char line[400];
    snprintf(line, sizeof line, "%.*s", (int)(size < sizeof line ? size : sizeof line - 1), text);
    print_line(stage, "", line, "");
}
