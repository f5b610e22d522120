/* lockstep diagram: draws a stored trace, or what nodes under --record have written down. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/heap_system.h"
#include "cli/cli.h"
#include "cli/pictures.h"
#include "cli/recordings.h"
#include "cli/words.h"
#include "lab/trace/trace_store.h"

/* Address space only. */
#define DIAGRAM_HEAP_BYTES ((size_t)32 << 30)

struct arguments {
    const char *trace_path; /* NULL: recordings */
    struct recordings recordings;
    struct pictures pictures;
};

static void print_help(void)
{
    puts("usage: lockstep diagram TRACE|RECORDING... [OPTION]...\n"
         "\n"
         "Draws a trace that `--trace FILE.jsonl` stored; `-` is the standard input. Without any of the files below,\n"
         "the diagram goes to the standard output as SVG. Recordings are files that nodes started with --record DIR\n"
         "have made, or such directories; several become one diagram, ordered by causality.\n"
         "\n"
         "  -o FILE          FILE.svg: a diagram; FILE.html: a page; FILE.shiviz: for ShiViz; FILE.jsonl: a copy");
    pictures_help(stdout);
}

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "lockstep diagram: %s '%s'; see `lockstep diagram --help`\n", what, value);
    return CLI_USAGE;
}

/* -o: the ending says what is wanted. */
static int take_out(struct arguments *arguments, const char *path)
{
    if (words_end_with(path, ".svg"))
        arguments->pictures.diagram_path = path;
    else if (words_end_with(path, ".html"))
        arguments->pictures.html_path = path;
    else if (words_end_with(path, ".shiviz") || words_end_with(path, ".log"))
        arguments->pictures.shiviz_path = path;
    else if (words_end_with(path, ".jsonl"))
        arguments->pictures.trace_path = path;
    else
        return usage_error("-o takes a name that ends in .svg, .html, .shiviz or .jsonl, not", path);
    return CLI_OK;
}

static int take(struct arguments *arguments, const char *name, const char *value)
{
    if (strcmp(name, "-o") != 0 && !pictures_takes(name))
        return usage_error("there is no option", name);
    if (value == NULL && (strcmp(name, "-o") == 0 || pictures_takes_value(name)))
        return usage_error("a value is missing after", name);
    if (strcmp(name, "-o") == 0)
        return take_out(arguments, value);
    return pictures_option("diagram", &arguments->pictures, name, value);
}

static int take_input(struct arguments *arguments, const char *path)
{
    bool recorded = recordings_takes(path);
    if (arguments->trace_path != NULL || (arguments->recordings.count > 0 && !recorded))
        return usage_error("one trace at a time, and this is another one:", path);
    if (recorded)
        return recordings_add("diagram", &arguments->recordings, path);
    arguments->trace_path = path;
    return CLI_OK;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            int taken = take_input(arguments, argv[i]);
            if (taken != CLI_OK)
                return taken;
            continue;
        }
        char name[32];
        size_t length = strcspn(argv[i], "=");
        snprintf(name, sizeof name, "%.*s", (int)(length < 31 ? length : 31), argv[i]);
        const char *value = argv[i][length] == '=' ? argv[i] + length + 1 : NULL;
        bool wants = strcmp(name, "-o") == 0 || (pictures_takes(name) && pictures_takes_value(name));
        if (value == NULL && wants && i + 1 < argc)
            value = argv[++i];
        int status = take(arguments, name, value);
        if (status != CLI_OK)
            return status;
    }
    if (arguments->trace_path == NULL && arguments->recordings.count == 0)
        return usage_error("a trace is missing after", "diagram");
    return CLI_OK;
}

/* Reads the trace; CLI_OK, or CLI_FAILED after a message. */
static int read_trace(struct trace *trace, const char *path)
{
    char why[256] = "";
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (in == NULL) {
        fprintf(stderr, "lockstep diagram: cannot read %s: %s\n", path, strerror(errno));
        return CLI_FAILED;
    }
    int error = trace_read(trace, in, why, sizeof why);
    if (in != stdin)
        fclose(in);
    if (error == 0)
        return CLI_OK;
    fprintf(stderr, "lockstep diagram: %s: %s\n", path, why);
    return CLI_FAILED;
}

static int merge_recordings(struct trace *trace, struct heap *heap, const struct recordings *recordings)
{
    char why[400];
    trace_set_title(trace, "recorded", "");
    if (trace_recordings(trace, heap, recordings->list, recordings->count, why, sizeof why) == 0)
        return CLI_OK;
    fprintf(stderr, "lockstep diagram: %s\n", why);
    return CLI_FAILED;
}

static int draw(struct arguments *arguments, struct trace *trace)
{
    if (pictures_wanted(&arguments->pictures))
        return pictures_draw("diagram", &arguments->pictures, trace);
    if (!trace_finish(trace) || diagram_write_svg(trace, &arguments->pictures.diagram, stdout) != DIAGRAM_OK) {
        fputs("lockstep diagram: cannot write the diagram to the standard output\n", stderr);
        return CLI_FAILED;
    }
    return CLI_OK;
}

int cli_diagram(int argc, char **argv)
{
    static struct arguments arguments;
    if (argc < 2 || words_ask_for_help(argc, argv)) {
        print_help();
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    int status = parse(&arguments, argc, argv);
    if (status != CLI_OK)
        return status;
    struct heap *heap = heap_create_system(DIAGRAM_HEAP_BYTES);
    if (heap == NULL) {
        fputs("lockstep diagram: no memory for the trace\n", stderr);
        return CLI_FAILED;
    }
    struct trace trace;
    trace_init(&trace, heap);
    if (arguments.trace_path != NULL)
        status = read_trace(&trace, arguments.trace_path);
    else
        status = merge_recordings(&trace, heap, &arguments.recordings);
    if (status == CLI_OK)
        status = draw(&arguments, &trace);
    heap_destroy_system(heap);
    return status;
}
