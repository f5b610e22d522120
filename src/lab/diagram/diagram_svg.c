/* A diagram as SVG: what frames it, and its colours. Those of messages and states are of Okabe and Ito's palette,
 * which people with any kind of colour vision can tell apart ("Color Universal Design", 2008), darker on white and
 * lighter on black. */
#include <stdlib.h>
#include <string.h>

#include "lab/diagram/diagram_internal.h"

enum { LEGEND_HEIGHT = 20, BOXES_A_ROW = 12 };

void diagram_text(FILE *out, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        switch (text.data[i]) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            putc(text.data[i], out);
        }
    }
}

static const char *const on_white[DIAGRAM_COLOURS] = {"#0072b2", "#b35900", "#00795c", "#a8477f",
                                                      "#2f7fb5", "#7a6a00", "#6b5bb5", "#5f6b76"};
static const char *const on_black[DIAGRAM_COLOURS] = {"#58b0ec", "#e69f00", "#2bc79a", "#e08fbf",
                                                      "#9fd3f5", "#d8cc4a", "#b5a8f0", "#a9b4bf"};

static void write_colours(FILE *out, const char *const *colours)
{
    for (int i = 0; i < DIAGRAM_COLOURS; i++)
        fprintf(out, ".m%d{stroke:%s}.f%d,.t%d,.s%d{fill:%s}", i, colours[i], i, i, i, colours[i]);
    putc('\n', out);
}

static void write_style(FILE *out)
{
    fputs("<style>\n"
          "text{font:10.5px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}\n"
          ".title{font-size:14px;font-weight:600}.head{font-size:14px;font-weight:600;text-anchor:middle}\n"
          ".sub,.dim,.time,.vector{fill:#656d76}.time{text-anchor:end;font-size:10px}.vector{font-size:9.5px}\n"
          ".back{fill:#fff}.line{stroke:#57606a;stroke-width:1.5;fill:none}.line.clients,.ask{stroke:#8b949e}\n"
          ".line.clients{stroke-dasharray:2 4}.erase{stroke:#fff;stroke-width:12}.dot{fill:#1f2328}\n"
          ".dot.clients,.asktip{fill:#8b949e}.ask{stroke-dasharray:1 3}.state{opacity:.38}\n"
          ".arrow{stroke-width:1.4;fill:none}.again .arrow{stroke-dasharray:2 3}.lost .arrow{stroke-dasharray:5 3}\n"
          ".late{opacity:.55}.bad{stroke:#c4320a;stroke-width:2;fill:none}.crash{stroke-width:3}\n"
          ".label,.said,.vector{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}\n"
          ".label{text-anchor:middle}.name{font-weight:600}.said{fill:#656d76}\n"
          ".pill{fill:#fff;opacity:.88}.pill.note{stroke:#afb8c1;stroke-width:.8}.pill.cutword{fill:#fff1d6}\n"
          ".words.crashword{fill:#c4320a;font-weight:600}.words.cutword{fill:#8a5300}.words.plain{fill:#656d76}\n"
          ".down{fill:url(#hatch);opacity:.55}.paused{fill:url(#hatch)}.faulty{fill:#e69f00}.markdot{fill:#8a5300}\n"
          ".cut{fill:#fff8e8}.cutlane{fill:#e69f00}.broken{fill:#c4320a;opacity:.14}.sentence{font-size:11.5px;"
          "font-weight:600;fill:#c4320a}\n"
          ".brokendot{fill:none;stroke:#c4320a;stroke-width:2.5}.hatch{stroke:#8b949e;stroke-width:1.6}\n",
          out);
    write_colours(out, on_white);
    fputs("@media (prefers-color-scheme:dark){text,.dot{fill:#e6edf3}.sub,.dim,.time,.vector,.said,.words.plain{"
          "fill:#9198a1}\n"
          ".back,.pill{fill:#0d1117}.erase,.label,.said,.vector{stroke:#0d1117}.line{stroke:#9198a1}\n"
          ".cut{fill:#241c0c}.pill.cutword{fill:#3a2a08}.words.cutword,.markdot{fill:#f0b94a}\n"
          ".pill.note{stroke:#444c56}\n"
          ".bad,.brokendot{stroke:#ff7b54}.words.crashword,.sentence{fill:#ff7b54}.broken{fill:#ff7b54}\n",
          out);
    write_colours(out, on_black);
    fputs("}\n</style>\n"
          "<defs><pattern id=\"hatch\" width=\"5\" height=\"5\" patternTransform=\"rotate(45)\" "
          "patternUnits=\"userSpaceOnUse\"><path class=\"hatch\" d=\"M0 0V5\"/></pattern></defs>\n",
          out);
}

/* ---- the head and the legend ---- */

static void write_head(const struct diagram *diagram)
{
    const struct trace *trace = diagram->trace;
    FILE *out = diagram->out;
    fputs("<text class=\"title\" x=\"14\" y=\"26\">", out);
    diagram_text(out, trace->title != TRACE_NONE ? trace_text(trace, trace->title) : span_string("trace"));
    fputs("</text>\n<text class=\"sub\" x=\"14\" y=\"46\">", out);
    diagram_text(out, trace_text(trace, trace->protocol));
    fputs("; time runs down and is not to scale", out);
    if (trace->cut)
        fputs("; the trace was too long to keep whole", out);
    fputs("</text>\n", out);
    if (diagram->rows_before + diagram->rows_after + diagram->lines_left_out == 0)
        return;
    fputs("<text class=\"sub cutnote\" x=\"14\" y=\"62\">left out:", out);
    if (diagram->rows_before + diagram->rows_after > 0)
        fprintf(out, " %u earlier and %u later rows (--from, --to and --rows choose)", diagram->rows_before,
                diagram->rows_after);
    if (diagram->lines_left_out > 0)
        fprintf(out, " %u members (at most %d are drawn)", diagram->lines_left_out, DIAGRAM_LINES_MAX);
    fputs("</text>\n", out);
}

struct legend {
    double x, y;
};

static void legend_step(const struct diagram *diagram, struct legend *at, size_t characters)
{
    double width = 34 + 6.6 * (double)characters;
    if (at->x > 14 && at->x + width > diagram->width - 10) {
        at->x = 14;
        at->y += LEGEND_HEIGHT;
    }
}

static void write_legend_words(const struct diagram *diagram, struct legend *at, struct span name)
{
    fprintf(diagram->out, "<text x=\"%.1f\" y=\"%.1f\">", at->x + 22, at->y + 3.5);
    diagram_text(diagram->out, name);
    fputs("</text>\n", diagram->out);
    at->x += 40 + 6.6 * (double)diagram_characters(name);
}

static double write_legend(const struct diagram *diagram, double top)
{
    const struct trace *trace = diagram->trace;
    struct legend at = {.x = 14, .y = top};
    for (uint32_t i = 0; i < diagram->message_name_count; i++) {
        struct span name = trace_text(trace, diagram->message_names[i]);
        legend_step(diagram, &at, name.size);
        uint32_t colour = i % DIAGRAM_COLOURS;
        fprintf(diagram->out, "<path class=\"arrow m%u\" d=\"M%.1f %.1fh12\"/>", colour, at.x, at.y);
        fprintf(diagram->out, "<path class=\"f%u\" d=\"M%.1f %.1fl-7 -3.5v7Z\"/>", colour, at.x + 17, at.y);
        write_legend_words(diagram, &at, name);
    }
    for (uint32_t i = 0; i < diagram->state_name_count; i++) {
        struct span name = diagram_state_of(trace_text(trace, diagram->state_names[i]));
        legend_step(diagram, &at, name.size);
        fprintf(diagram->out, "<rect class=\"state s%u\" x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"12\"/>",
                i % DIAGRAM_COLOURS, at.x + 5, at.y - 6);
        write_legend_words(diagram, &at, name);
    }
    static const struct {
        const char *drawing, *words;
    } signs[] = {{"<path class=\"bad\" d=\"M4 -4l8 8m0 -8l-8 8\"/>", "never received; crashed"},
                 {"<g class=\"again\"><path class=\"arrow m7\" d=\"M0 0h16\"/></g>", "came twice"},
                 {"<rect class=\"paused\" x=\"3\" y=\"-6\" width=\"12\" height=\"12\"/>", "down or paused"},
                 {"<rect class=\"cutlane\" x=\"6\" y=\"-6\" width=\"5\" height=\"12\"/>", "links are cut"}};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        legend_step(diagram, &at, strlen(signs[i].words));
        fprintf(diagram->out, "<g transform=\"translate(%.1f %.1f)\">%s</g>", at.x, at.y, signs[i].drawing);
        write_legend_words(diagram, &at, span_string(signs[i].words));
    }
    return at.y + LEGEND_HEIGHT;
}

/* What the picture holds, in memory: only then is it known how high it is. False: there is none. */
static bool draw_body(struct diagram *diagram, char **body, size_t *size, double *height)
{
    FILE *out = diagram->out;
    diagram->out = open_memstream(body, size);
    if (diagram->out != NULL) {
        write_head(diagram);
        diagram_draw_spans(diagram);
        diagram_draw_lines(diagram);
        diagram_draw_arrows(diagram);
        diagram_draw_rows(diagram);
        *height = write_legend(diagram, diagram->bottom + 26) - 2;
    }
    bool good = diagram->out != NULL && fclose(diagram->out) == 0;
    diagram->out = out;
    return good;
}

static bool write_picture(struct diagram *diagram)
{
    FILE *out = diagram->out;
    char *body = NULL;
    size_t size = 0;
    double height = 0;
    bool good = draw_body(diagram, &body, &size, &height);
    if (!good)
        goto done;
    fputs("<svg xmlns=\"http://www.w3.org/2000/svg\"", out);
    fprintf(out, " viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\">\n", diagram->width, height,
            diagram->width, height);
    write_style(out);
    fprintf(out, "<rect class=\"back\" width=\"%.0f\" height=\"%.0f\" rx=\"8\"/>\n", diagram->width, height);
    fwrite(body, 1, size, out);
    fputs("</svg>\n", out);
done:
    free(body);
    return good;
}

enum diagram_result diagram_write_svg(const struct trace *trace, const struct diagram_options *options, FILE *out)
{
    struct diagram diagram = {.trace = trace, .options = options, .out = out};
    diagram.box_capacity = DIAGRAM_ROWS_MAX * BOXES_A_ROW;
    diagram.boxes = heap_alloc(trace->heap, diagram.box_capacity * sizeof *diagram.boxes);
    bool room = diagram.boxes != NULL && (!options->vectors || trace_vectors_make(&diagram.vectors, trace)) &&
                diagram_select(&diagram);
    if (room) {
        diagram_layout(&diagram);
        room = write_picture(&diagram);
    }
    heap_free(trace->heap, diagram.boxes);
    heap_free(trace->heap, diagram.rows);
    heap_free(trace->heap, diagram.row_of);
    heap_free(trace->heap, diagram.column_of);
    heap_free(trace->heap, diagram.columns);
    if (diagram.vectors.counts != NULL)
        trace_vectors_free(&diagram.vectors);
    if (!room)
        return DIAGRAM_NO_MEMORY;
    return fflush(out) == 0 && !ferror(out) ? DIAGRAM_OK : DIAGRAM_NOT_WRITTEN;
}
