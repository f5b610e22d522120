/* Messages: arrows, their heads and names. */
#include <math.h>
#include <string.h>

#include "lab/diagram/diagram_internal.h"

enum { LABEL_MAX = 46, LABEL_PLACES = 21 };

#define CHARACTER_WIDTH 6.35
#define DOT 4.0
#define STEEP 0.45 /* as far as one reads a text that is turned with ease */

struct line {
    double x1, y1, x2, y2;
};

static bool has_column(const struct diagram *diagram, uint32_t line)
{
    return line != TRACE_NONE && diagram->column_of[line] != TRACE_NONE;
}

/* Where the arrow runs; what lies outside the picture begins at its top or ends at its bottom. */
static struct line line_of(const struct diagram *diagram, const struct trace_arrow *arrow)
{
    uint32_t sent = diagram->row_of[arrow->send_item];
    uint32_t received = arrow->receive_item == TRACE_NONE ? TRACE_NONE : diagram->row_of[arrow->receive_item];
    struct line at = {.x1 = diagram_x(diagram, arrow->from_line), .x2 = diagram_x(diagram, arrow->to_line)};
    at.y1 = sent != TRACE_NONE ? diagram->rows[sent].y : diagram->top + 6;
    at.y2 = received != TRACE_NONE ? diagram->rows[received].y : diagram->bottom - 14;
    if (arrow->receive_item == TRACE_NONE) {
        at.x2 = at.x1 + 0.55 * (at.x2 - at.x1);
        at.y2 = at.y1 + 26 < diagram->bottom - 8 ? at.y1 + 26 : diagram->bottom - 8;
    }
    return at;
}

static void draw_head(FILE *out, const struct line *at, uint32_t colour)
{
    double dx = at->x2 - at->x1, dy = at->y2 - at->y1, length = sqrt(dx * dx + dy * dy);
    if (length < 1)
        return;
    double ux = dx / length, uy = dy / length;
    double x = at->x2 - ux * DOT, y = at->y2 - uy * DOT;
    fprintf(out, "<path class=\"f%u\" d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1fZ\"/>", colour, x, y, x - 9 * ux + 3.6 * uy,
            y - 9 * uy - 3.6 * ux, x - 9 * ux - 3.6 * uy, y - 9 * uy + 3.6 * ux);
}

static void draw_cross(FILE *out, double x, double y)
{
    fprintf(out, "<path class=\"bad\" d=\"M%.1f %.1fl9 9m0 -9l-9 9\"/>", x - 4.5, y - 4.5);
}

/* "VOTE term=1 last_index=0": the name, and as many fields as there is room for. */
static size_t label_of(const struct diagram *diagram, const struct trace_deed *deed, bool fields, char *out)
{
    struct span name = trace_text(diagram->trace, deed->name);
    size_t length = name.size < 24 ? name.size : 24;
    if (length > 0)
        memcpy(out, name.data, length);
    out[length] = '\0';
    if (!fields)
        return length;
    char words[LABEL_MAX + 8];
    double room = diagram->spacing / CHARACTER_WIDTH * 0.95;
    size_t most = room < LABEL_MAX ? (size_t)room : LABEL_MAX;
    size_t size = most > length + 6 ? diagram_shorten(trace_text(diagram->trace, deed->text), words, most - length - 1)
                                    : 0;
    if (size > 0) {
        out[length] = ' ';
        memcpy(out + length + 1, words, size + 1);
        length += size + 1;
    }
    return length;
}

/* Labels lie along their arrows, unless these are steep. In degrees, from -90 to 90. */
static double angle_of(const struct line *at)
{
    double dx = at->x2 - at->x1, dy = at->y2 - at->y1;
    if (fabs(dx) < 1 || fabs(dy) > fabs(dx) * STEEP)
        return 0;
    return atan(dy / dx) * 57.29577951308232;
}

static void draw_label(struct diagram *diagram, const struct trace_arrow *arrow, const struct line *at,
                       uint32_t colour, bool fields)
{
    static const double along[] = {0.5, 0.38, 0.62, 0.27, 0.73, 0.84, 0.17};
    static const double above[] = {4, 11, -9};
    const struct trace_deed *deed = &diagram->trace->deeds[arrow->deed];
    struct diagram_box places[LABEL_PLACES];
    char label[LABEL_MAX + 40];
    size_t name = trace_text(diagram->trace, deed->name).size;
    size_t length = label_of(diagram, deed, fields, label);
    double width = CHARACTER_WIDTH * (double)diagram_characters(span_of(label, length)) + 6;
    double angle = angle_of(at), rise = width / 4 * fabs(sin(angle / 57.29577951308232));
    for (uint32_t i = 0; i < LABEL_PLACES; i++) {
        double x = at->x1 + along[i / 3] * (at->x2 - at->x1);
        double y = at->y1 + along[i / 3] * (at->y2 - at->y1) - above[i % 3];
        places[i] = (struct diagram_box){x - width / 2, y - 9 - rise, x + width / 2, y + 3 + rise};
    }
    struct diagram_box *place = &places[diagram_place(diagram, places, LABEL_PLACES)];
    name = name < 24 ? name : 24;
    double x = (place->left + place->right) / 2, y = place->bottom - 3 - rise;
    fprintf(diagram->out, "<text class=\"label t%u\" x=\"%.1f\" y=\"%.1f\"", colour, x, y);
    if (angle != 0)
        fprintf(diagram->out, " transform=\"rotate(%.1f %.1f %.1f)\"", angle, x, y);
    fputs("><tspan class=\"name\">", diagram->out);
    diagram_text(diagram->out, span_of(label, name));
    fputs("</tspan>", diagram->out);
    diagram_text(diagram->out, span_of(label + name, length - name));
    fputs("</text>", diagram->out);
}

static void draw_self(FILE *out, const struct line *at, uint32_t colour)
{
    fprintf(out, "<path class=\"arrow m%u\" d=\"M%.1f %.1fc34 4 34 %.1f 5 %.1f\"/>", colour, at->x1 + DOT, at->y1,
            at->y2 - at->y1, at->y2 - at->y1);
    struct line head = {.x1 = at->x2 + 30, .y1 = at->y2 - 8, .x2 = at->x2, .y2 = at->y2};
    draw_head(out, &head, colour);
}

static const char *const fates[] = {
    [TRACE_RECEIVED] = "", [TRACE_RECEIVED_AGAIN] = " again", [TRACE_LOST] = " lost", [TRACE_UNDER_WAY] = " late"};

static void draw_arrow(struct diagram *diagram, const struct trace_arrow *arrow, bool fields)
{
    const struct trace *trace = diagram->trace;
    const struct trace_deed *deed = &trace->deeds[arrow->deed];
    uint32_t colour = diagram_message_number(diagram, deed->name) % DIAGRAM_COLOURS;
    struct line at = line_of(diagram, arrow);
    fprintf(diagram->out, "<g class=\"message%s\"><title>", fates[arrow->fate]);
    diagram_text(diagram->out, trace_text(trace, deed->name));
    fputc(' ', diagram->out);
    diagram_text(diagram->out, trace_text(trace, deed->text));
    fprintf(diagram->out, ", n%u to n%u%s</title>", trace->lines[arrow->from_line].node,
            trace->lines[arrow->to_line].node, fates[arrow->fate]);
    if (arrow->from_line == arrow->to_line && arrow->receive_item != TRACE_NONE)
        draw_self(diagram->out, &at, colour);
    else {
        fprintf(diagram->out, "<path class=\"arrow m%u\" d=\"M%.1f %.1fL%.1f %.1f\"/>", colour, at.x1, at.y1, at.x2,
                at.y2);
        if (arrow->fate == TRACE_LOST)
            draw_cross(diagram->out, at.x2, at.y2);
        else
            draw_head(diagram->out, &at, colour);
    }
    draw_label(diagram, arrow, &at, colour, fields);
    fputs("</g>\n", diagram->out);
}

static bool shows(const struct diagram *diagram, const struct trace_arrow *arrow)
{
    uint32_t received = arrow->receive_item == TRACE_NONE ? TRACE_NONE : diagram->row_of[arrow->receive_item];
    return (diagram->row_of[arrow->send_item] != TRACE_NONE || received != TRACE_NONE) &&
           has_column(diagram, arrow->from_line) && has_column(diagram, arrow->to_line) &&
           !diagram_hides(diagram, diagram->trace->deeds[arrow->deed].name);
}

void diagram_draw_arrows(struct diagram *diagram)
{
    uint32_t labelled = TRACE_NONE; /* the sending whose fields stand on its first arrow already */
    for (uint32_t i = 0; i < diagram->trace->arrow_count; i++) {
        const struct trace_arrow *arrow = &diagram->trace->arrows[i];
        if (!shows(diagram, arrow))
            continue;
        draw_arrow(diagram, arrow, arrow->deed != labelled);
        labelled = arrow->deed;
    }
}
