/* Options of traces and pictures, and the files that they name. */
#include "cli/pictures.h"

#include <errno.h>
#include <string.h>

#include "base/heap_system.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/words.h"
#include "lab/trace/trace_shiviz.h"
#include "lab/trace/trace_store.h"

/* Address space only: pages are taken as the trace grows. */
#define PICTURES_HEAP_BYTES ((size_t)32 << 30)

/* ---- options ---- */

static const char *const names[] = {"--trace", "--diagram", "--html", "--shiviz", "--from", "--to", "--rows", "--hide",
                                    "--vectors"};

bool pictures_takes(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool pictures_takes_value(const char *name)
{
    return strcmp(name, "--vectors") != 0;
}

void pictures_help(FILE *out)
{
    fputs("  --trace FILE     one line for each event and effect; FILE.jsonl: stored for `lockstep diagram`\n"
          "  --diagram FILE   a space-time diagram, FILE.svg\n"
          "  --html FILE      a page to explore the whole run in\n"
          "  --shiviz FILE    the log format of ShiViz\n"
          "  --from T, --to T what the diagram shows, in seconds of the run: 1.25 (default: up to the violation, or\n"
          "                   from the beginning)\n"
          "  --rows N         at most so many rows in the diagram (default 60, with --from or --to 2000)\n"
          "  --hide LIST      messages that the diagram leaves out: names such as HEARTBEAT, comma-separated\n"
          "  --vectors        vector timestamps in the diagram\n",
          out);
}

/* Seconds with up to nine decimals, exactly. */
static bool parse_seconds(const char *text, int64_t *out)
{
    int64_t whole = 0, part = 0, unit = NS_PER_S;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && at - text < 9; at++)
        whole = 10 * whole + (*at - '0');
    bool digits = at != text;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9' && unit > 1; at++) {
            unit /= 10;
            part += (*at - '0') * unit;
            digits = true;
        }
    if (*at == 's')
        at++;
    *out = whole * NS_PER_S + part;
    return digits && *at == '\0';
}

static int option_window(const char *who, struct pictures *pictures, const char *name, const char *value)
{
    int64_t ns;
    if (!parse_seconds(value, &ns)) {
        fprintf(stderr, "lockstep %s: %s takes seconds such as 1.25, not '%s'\n", who, name, value);
        return CLI_USAGE;
    }
    if (!pictures->diagram.window)
        pictures->diagram.to_ns = INT64_MAX;
    pictures->diagram.window = true;
    *(strcmp(name, "--from") == 0 ? &pictures->diagram.from_ns : &pictures->diagram.to_ns) = ns;
    if (pictures->diagram.from_ns > pictures->diagram.to_ns) {
        fprintf(stderr, "lockstep %s: --from is later than --to, so the diagram would be empty\n", who);
        return CLI_USAGE;
    }
    return CLI_OK;
}

static int option_rows(const char *who, struct pictures *pictures, const char *value)
{
    uint32_t rows = 0;
    const char *at = value;
    for (; *at >= '0' && *at <= '9' && rows <= DIAGRAM_ROWS_MAX; at++)
        rows = 10 * rows + (uint32_t)(*at - '0');
    if (*at != '\0' || rows == 0 || rows > DIAGRAM_ROWS_MAX) {
        fprintf(stderr, "lockstep %s: --rows takes a number from 1 to %d, not '%s'\n", who, DIAGRAM_ROWS_MAX, value);
        return CLI_USAGE;
    }
    pictures->diagram.rows = rows;
    return CLI_OK;
}

int pictures_option(const char *who, struct pictures *pictures, const char *name, const char *value)
{
    if (strcmp(name, "--trace") == 0)
        pictures->trace_path = value;
    else if (strcmp(name, "--diagram") == 0)
        pictures->diagram_path = value;
    else if (strcmp(name, "--html") == 0)
        pictures->html_path = value;
    else if (strcmp(name, "--shiviz") == 0)
        pictures->shiviz_path = value;
    else if (strcmp(name, "--hide") == 0)
        pictures->diagram.hide = value;
    else if (strcmp(name, "--vectors") == 0)
        pictures->diagram.vectors = true;
    else if (strcmp(name, "--rows") == 0)
        return option_rows(who, pictures, value);
    else
        return option_window(who, pictures, name, value);
    return CLI_OK;
}

bool pictures_wanted(const struct pictures *pictures)
{
    return pictures->trace_path != NULL || pictures->diagram_path != NULL || pictures->html_path != NULL ||
           pictures->shiviz_path != NULL;
}

/* ---- files ---- */

static int cannot_write(const char *who, const char *path)
{
    fprintf(stderr, "lockstep %s: cannot write %s: %s\n", who, path, strerror(errno));
    return CLI_FAILED;
}

static int no_memory(const char *who, const char *path)
{
    fprintf(stderr, "lockstep %s: no memory to make %s; a shorter run or --from and --to take less\n", who, path);
    return CLI_FAILED;
}

/* The file is made now, so that a long run does not end in an error that was there from the start. */
static int try_file(const char *who, const char *path)
{
    FILE *out = path == NULL ? NULL : fopen(path, "w");
    if (path != NULL && (out == NULL || fclose(out) != 0))
        return cannot_write(who, path);
    return CLI_OK;
}

enum form { FORM_STORED, FORM_SVG, FORM_HTML, FORM_SHIVIZ };

/* OK, no memory, or not written: 0, 1, 2, as the enums of the three writers count. */
static int write_form(enum form form, const struct pictures *pictures, const struct trace *trace, FILE *out)
{
    switch (form) {
    case FORM_STORED:
        return trace_write(trace, out) ? 0 : 2;
    case FORM_SVG:
        return (int)diagram_write_svg(trace, &pictures->diagram, out);
    case FORM_HTML:
        return (int)diagram_write_html(trace, out);
    case FORM_SHIVIZ:
        return (int)trace_write_shiviz(trace, out);
    }
    return 2;
}

static int write_file(const char *who, const struct pictures *pictures, const struct trace *trace, const char *path,
                      enum form form)
{
    if (path == NULL)
        return CLI_OK;
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return cannot_write(who, path);
    int result = write_form(form, pictures, trace, out);
    bool closed = fclose(out) == 0;
    if (result == 1)
        return no_memory(who, path);
    return result == 0 && closed ? CLI_OK : cannot_write(who, path);
}

/* ---- before and after the run ---- */

static bool wants_items(const struct pictures *pictures)
{
    return pictures->diagram_path != NULL || pictures->html_path != NULL || pictures->shiviz_path != NULL ||
           (pictures->trace_path != NULL && words_end_with(pictures->trace_path, ".jsonl"));
}

static int begin_text(const char *who, struct pictures *pictures)
{
    pictures->text = (struct trace_text){.heap = pictures->heap};
    if (pictures->trace_path == NULL || words_end_with(pictures->trace_path, ".jsonl"))
        return CLI_OK;
    pictures->text.out = fopen(pictures->trace_path, "w");
    return pictures->text.out != NULL ? CLI_OK : cannot_write(who, pictures->trace_path);
}

int pictures_begin(const char *who, struct pictures *pictures, const char *title, const char *protocol,
                   struct world_tracer *tracer)
{
    *tracer = (struct world_tracer){0};
    if (!pictures_wanted(pictures))
        return CLI_OK;
    if (try_file(who, pictures->trace_path) != CLI_OK || try_file(who, pictures->diagram_path) != CLI_OK ||
        try_file(who, pictures->html_path) != CLI_OK || try_file(who, pictures->shiviz_path) != CLI_OK)
        return CLI_FAILED;
    pictures->heap = heap_create_system(PICTURES_HEAP_BYTES);
    if (pictures->heap == NULL)
        return no_memory(who, "the trace");
    trace_init(&pictures->trace, pictures->heap);
    trace_set_title(&pictures->trace, title, protocol);
    if (begin_text(who, pictures) != CLI_OK)
        return CLI_FAILED;
    if (wants_items(pictures))
        pictures->tracers[0] = trace_tracer(&pictures->trace);
    if (pictures->text.out != NULL)
        pictures->tracers[1] = trace_text_tracer(&pictures->text);
    *tracer = trace_tracer_both(pictures->tracers);
    return CLI_OK;
}

static int end_text(const char *who, struct pictures *pictures)
{
    if (pictures->text.out == NULL)
        return CLI_OK;
    bool good = !ferror(pictures->text.out);
    good = fclose(pictures->text.out) == 0 && good;
    pictures->text.out = NULL;
    return good ? CLI_OK : cannot_write(who, pictures->trace_path);
}

int pictures_draw(const char *who, const struct pictures *pictures, struct trace *trace)
{
    bool stored = pictures->trace_path != NULL && words_end_with(pictures->trace_path, ".jsonl");
    if (trace->cut)
        fprintf(stderr, "lockstep %s: the run was too long to keep whole: the trace ends after %u items\n", who,
                trace->item_count);
    if (!trace->finished && !trace_finish(trace))
        return no_memory(who, "the trace");
    int worst = CLI_OK;
    if (write_file(who, pictures, trace, stored ? pictures->trace_path : NULL, FORM_STORED) != CLI_OK ||
        write_file(who, pictures, trace, pictures->diagram_path, FORM_SVG) != CLI_OK ||
        write_file(who, pictures, trace, pictures->html_path, FORM_HTML) != CLI_OK ||
        write_file(who, pictures, trace, pictures->shiviz_path, FORM_SHIVIZ) != CLI_OK)
        worst = CLI_FAILED;
    return worst;
}

int pictures_end(const char *who, struct pictures *pictures)
{
    if (pictures->heap == NULL)
        return CLI_OK;
    int status = end_text(who, pictures);
    if (status == CLI_OK && wants_items(pictures))
        status = pictures_draw(who, pictures, &pictures->trace);
    heap_destroy_system(pictures->heap);
    pictures->heap = NULL;
    return status;
}
