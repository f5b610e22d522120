/* Members: their lines with what they are, when they were down or paused, and what happened at each. */
#include <string.h>

#include "lab/diagram/diagram_internal.h"

enum { ROW_TEXT_MAX = 60, ROW_PLACES = 6 };

#define CHARACTER_WIDTH 6.35

/* An item that has no row stands between its neighbours. */
static double y_of_item(const struct diagram *diagram, uint32_t item)
{
    if (item == TRACE_NONE || diagram->row_count == 0)
        return diagram->bottom;
    if (diagram->row_of[item] != TRACE_NONE)
        return diagram->rows[diagram->row_of[item]].y;
    uint32_t low = 0, high = diagram->row_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (diagram->rows[middle].item < item)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return diagram->top;
    return low == diagram->row_count ? diagram->bottom : (diagram->rows[low - 1].y + diagram->rows[low].y) / 2;
}

/* ---- spans ---- */

static void draw_cut(const struct diagram *diagram, double from, double to)
{
    fprintf(diagram->out, "<rect class=\"cut\" x=\"0\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", from,
            diagram->width, to - from);
    fprintf(diagram->out, "<rect class=\"cutlane\" x=\"0\" y=\"%.1f\" width=\"5\" height=\"%.1f\"/>\n", from,
            to - from);
}

static void draw_node_span(const struct diagram *diagram, const struct trace_span *span, double from, double to)
{
    static const char *const classes[] = {[TRACE_DOWN] = "down", [TRACE_PAUSED] = "paused", [TRACE_FAULT] = "faulty"};
    for (uint32_t c = 0; c < diagram->column_count; c++) {
        if (diagram->trace->lines[diagram->columns[c]].node != span->node)
            continue;
        double x = diagram_x(diagram, diagram->columns[c]);
        if (span->kind == TRACE_DOWN)
            fprintf(diagram->out, "<path class=\"erase\" d=\"M%.1f %.1fV%.1f\"/>", x, from, to);
        double left = span->kind == TRACE_FAULT ? x + 6 : x - 7;
        fprintf(diagram->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>\n",
                classes[span->kind], left, from, span->kind == TRACE_FAULT ? 3 : 14, to - from);
    }
}

static void draw_spans_of(struct diagram *diagram, bool cuts)
{
    for (uint32_t i = 0; i < diagram->trace->span_count; i++) {
        const struct trace_span *span = &diagram->trace->spans[i];
        double from = y_of_item(diagram, span->item_first), to = y_of_item(diagram, span->item_last);
        if (to - from < 1 || (span->kind == TRACE_CUT) != cuts)
            continue;
        if (cuts)
            draw_cut(diagram, from, to);
        else
            draw_node_span(diagram, span, from, to);
    }
}

void diagram_draw_spans(struct diagram *diagram)
{
    draw_spans_of(diagram, true);
}

/* ---- lines ---- */

struct state {
    uint32_t note; /* string, or TRACE_NONE */
    double from;
};

static void draw_state(struct diagram *diagram, uint32_t line, struct state *state, double to)
{
    if (state->note != TRACE_NONE && to > diagram->top + 1 && to > state->from) {
        struct span name = diagram_state_of(trace_text(diagram->trace, state->note));
        uint32_t number = diagram_state_number(diagram, name);
        if (number == DIAGRAM_NAMES_MAX && diagram->state_name_count < DIAGRAM_NAMES_MAX) {
            number = diagram->state_name_count++;
            diagram->state_names[number] = state->note;
        }
        fprintf(diagram->out, "<rect class=\"state s%u\" x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"%.1f\"><title>",
                number % DIAGRAM_COLOURS, diagram_x(diagram, line) - 5, state->from, to - state->from);
        diagram_text(diagram->out, name);
        fputs("</title></rect>\n", diagram->out);
    }
    state->note = TRACE_NONE;
}

/* The bands behind a line say what the member is: what its last note "A -> B" named. */
static void draw_states(struct diagram *diagram, uint32_t line)
{
    const struct trace *trace = diagram->trace;
    struct state state = {.note = TRACE_NONE, .from = diagram->top};
    uint32_t node = trace->lines[line].node;
    uint32_t last = diagram->row_count > 0 ? diagram->rows[diagram->row_count - 1].item_last : 0;
    for (uint32_t i = 0; i <= last && i < trace->item_count; i++) {
        const struct trace_item *item = &trace->items[i];
        if (item->kind == TRACE_MARK && item->mark == WORLD_MARK_DOWN && item->node == node)
            draw_state(diagram, line, &state, y_of_item(diagram, i));
        if (item->line != line || item->kind != TRACE_STEP)
            continue;
        for (uint32_t d = item->deed_first; d < item->deed_first + item->deed_count; d++) {
            uint32_t note = trace->deeds[d].name;
            if (trace->deeds[d].kind != EFFECT_NOTE || diagram_state_of(trace_text(trace, note)).size == 0)
                continue;
            double y = y_of_item(diagram, i);
            draw_state(diagram, line, &state, y);
            state = (struct state){.note = note, .from = y > diagram->top ? y : diagram->top};
        }
    }
    draw_state(diagram, line, &state, diagram->bottom);
}

static void draw_heads(const struct diagram *diagram)
{
    const struct trace *trace = diagram->trace;
    bool groups = trace->line_count > 0 && trace->lines[0].group != trace->lines[trace->line_count - 1].group;
    if (diagram->clients)
        fprintf(diagram->out, "<text class=\"head dim\" x=\"%.1f\" y=\"%.1f\">clients</text>\n",
                diagram_client_x(diagram), diagram->top - 10);
    for (uint32_t c = 0; c < diagram->column_count; c++) {
        const struct trace_line *line = &trace->lines[diagram->columns[c]];
        fprintf(diagram->out, "<text class=\"head\" x=\"%.1f\" y=\"%.1f\">%s%u", diagram_x(diagram, diagram->columns[c]),
                diagram->top - 10, line->gateway ? "gateway " : "n", line->node);
        if (groups)
            fprintf(diagram->out, " g%u", line->group);
        fputs("</text>\n", diagram->out);
    }
}

void diagram_draw_lines(struct diagram *diagram)
{
    draw_heads(diagram);
    if (diagram->clients)
        fprintf(diagram->out, "<path class=\"line clients\" d=\"M%.1f %.1fV%.1f\"/>\n", diagram_client_x(diagram),
                diagram->top, diagram->bottom);
    for (uint32_t c = 0; c < diagram->column_count; c++) {
        draw_states(diagram, diagram->columns[c]);
        fprintf(diagram->out, "<path class=\"line\" d=\"M%.1f %.1fV%.1f\"/>\n",
                diagram_x(diagram, diagram->columns[c]), diagram->top, diagram->bottom);
    }
    draw_spans_of(diagram, false);
}

/* ---- rows ---- */

struct words {
    char text[ROW_TEXT_MAX * 4];
    size_t length;
};

static void add(struct words *words, struct span text)
{
    size_t room = sizeof words->text - 1 - words->length;
    size_t size = text.size < room ? text.size : room;
    while (size > 0 && size < text.size && (text.data[size] & 0xc0) == 0x80)
        size--;
    if (size > 0)
        memcpy(words->text + words->length, text.data, size);
    words->length += size;
    words->text[words->length] = '\0';
}

static void add_string(struct words *words, const char *text)
{
    if (words->length > 0 && strcmp(text, " ") != 0)
        add(words, span_string(" \xc2\xb7 "));
    add(words, span_string(text));
}

/* "FOLLOWER -> CANDIDATE" with a true arrow. */
static void add_note(struct words *words, struct span note, struct span value)
{
    if (words->length > 0)
        add(words, span_string(" \xc2\xb7 "));
    struct span state = diagram_state_of(note);
    if (state.size > 0) {
        add(words, span_of(note.data, note.size - state.size - 3));
        add(words, span_string("\xe2\x86\x92 "));
        add(words, state);
    } else {
        add(words, note);
    }
    if (value.size > 0 && !span_equal(value, span_string("0")) && value.size < 10) {
        add(words, span_string(" "));
        add(words, value);
    }
}

static void words_of_step(const struct diagram *diagram, const struct trace_item *item, struct words *words)
{
    const struct trace *trace = diagram->trace;
    if (item->event == EVENT_TIMEOUT)
        add_string(words, "timeout");
    if (item->event == EVENT_START) {
        add_string(words, "start ");
        add(words, trace_text(trace, item->name));
    }
    for (uint32_t d = item->deed_first; d < item->deed_first + item->deed_count; d++) {
        const struct trace_deed *deed = &trace->deeds[d];
        struct span name = trace_text(trace, deed->name);
        if (deed->kind == EFFECT_NOTE && !span_equal(name, span_string("START")))
            add_note(words, name, trace_text(trace, deed->text));
        else if (deed->kind == EFFECT_REPLY)
            add_note(words, span_equal(name, span_string("answer")) ? span_string("answers") : name, (struct span){0});
        else if (deed->kind == EFFECT_CHECKPOINT || deed->kind == EFFECT_ADOPT)
            add_string(words, deed->kind == EFFECT_ADOPT ? "adopts a checkpoint" : "checkpoint");
        else if (deed->kind == EFFECT_SUSPECT)
            add_note(words, span_string("suspects"), trace_text(trace, deed->text));
    }
}

static void draw_vector(const struct diagram *diagram, const struct diagram_row *row, double x)
{
    const uint32_t *vector = trace_vector(&diagram->vectors, row->item_last);
    fprintf(diagram->out, "<text class=\"vector\" x=\"%.1f\" y=\"%.1f\">[", x + 8, row->y + 14);
    for (uint32_t c = 0; c < diagram->column_count; c++)
        fprintf(diagram->out, "%s%u", c > 0 ? " " : "", vector[diagram->columns[c]]);
    fputs("]</text>", diagram->out);
}

static void draw_title(const struct diagram *diagram, uint32_t item)
{
    const struct trace *trace = diagram->trace;
    const struct trace_item *at = &trace->items[item];
    const char *kind = at->kind == TRACE_MARK ? trace_mark_name(at->mark) : event_kind_name(at->event);
    fprintf(diagram->out, "<title>%s", kind);
    fputc(' ', diagram->out);
    diagram_text(diagram->out, trace_text(trace, at->name));
    fputc(' ', diagram->out);
    diagram_text(diagram->out, trace_text(trace, at->text));
    if (at->state != TRACE_NONE) {
        fputs("\nafter: ", diagram->out);
        diagram_text(diagram->out, trace_text(trace, at->state));
    }
    fputs("</title>", diagram->out);
}

static void draw_words(struct diagram *diagram, const struct words *words, double x, double y, const char *class)
{
    if (words->length == 0)
        return;
    double width = CHARACTER_WIDTH * (double)diagram_characters(span_of(words->text, words->length)) + 8;
    struct diagram_box places[ROW_PLACES];
    for (uint32_t i = 0; i < ROW_PLACES; i++) {
        double left = i % 2 == 0 ? x + 9 : x - 9 - width, top = y - 15 + 7 * (double)(i / 2);
        places[i] = (struct diagram_box){left, top, left + width, top + 13};
        if (left < 90)
            places[i] = places[0];
    }
    const struct diagram_box *place = &places[diagram_place(diagram, places, ROW_PLACES)];
    fprintf(diagram->out, "<rect class=\"pill %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" rx=\"4\"/>",
            class, place->left, place->top, width);
    fprintf(diagram->out, "<text class=\"words %s\" x=\"%.1f\" y=\"%.1f\">", class, place->left + 4, place->top + 10.6);
    diagram_text(diagram->out, span_of(words->text, words->length));
    fputs("</text>", diagram->out);
}

static void draw_step_row(struct diagram *diagram, uint32_t row)
{
    const struct diagram_row *at = &diagram->rows[row];
    struct words words = {.length = 0};
    double x = diagram_x(diagram, at->line);
    for (uint32_t i = at->item; i <= at->item_last; i++)
        if (diagram->row_of[i] == row)
            words_of_step(diagram, &diagram->trace->items[i], &words);
    fputs("<g class=\"event\">", diagram->out);
    draw_title(diagram, at->item);
    fprintf(diagram->out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>", x, at->y);
    draw_words(diagram, &words, x, at->y, "note");
    if (diagram->options->vectors)
        draw_vector(diagram, at, x);
    fputs("</g>\n", diagram->out);
}

/* Cuts to what fits on `most` characters. */
static struct span fit(struct span text, size_t most)
{
    return diagram_characters(text) > most ? span_of(text.data, most) : text;
}

static void draw_violation(struct diagram *diagram, const struct diagram_row *row)
{
    struct span text = trace_text(diagram->trace, diagram->trace->items[row->item].text);
    size_t most = (size_t)((diagram->width - 40) / 6.9);
    fputs("<g class=\"violation\">", diagram->out);
    draw_title(diagram, row->item);
    fprintf(diagram->out, "<rect class=\"broken\" x=\"0\" y=\"%.1f\" width=\"%.1f\" height=\"22\"/>", row->y - 11,
            diagram->width);
    if (row->line != TRACE_NONE && diagram->column_of[row->line] != TRACE_NONE)
        fprintf(diagram->out, "<circle class=\"brokendot\" cx=\"%.1f\" cy=\"%.1f\" r=\"7\"/>",
                diagram_x(diagram, row->line), row->y);
    fprintf(diagram->out, "<text class=\"sentence\" x=\"14\" y=\"%.1f\">\xe2\x9c\x98 ", row->y + 4);
    diagram_text(diagram->out, fit(text, most));
    fputs("</text></g>\n", diagram->out);
}

static void draw_client(struct diagram *diagram, const struct diagram_row *row)
{
    const struct trace_item *item = &diagram->trace->items[row->item];
    bool asks, hears;
    struct span text = diagram_client(diagram, item, &asks, &hears);
    bool there = row->line != TRACE_NONE && diagram->column_of[row->line] != TRACE_NONE;
    double from = diagram_client_x(diagram), to = there ? diagram_x(diagram, row->line) : from;
    fputs("<g class=\"client\">", diagram->out);
    draw_title(diagram, row->item);
    if (to > from && (asks || hears)) {
        double tip = asks ? to - 5 : from + 5, back = asks ? -8 : 8;
        fprintf(diagram->out, "<path class=\"ask\" d=\"M%.1f %.1fH%.1f\"/>", from, row->y, to);
        fprintf(diagram->out, "<path class=\"asktip\" d=\"M%.1f %.1fl%.1f -3.5v7Z\"/>", tip, row->y, back);
    }
    fprintf(diagram->out, "<circle class=\"dot clients\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>", from, row->y);
    fprintf(diagram->out, "<text class=\"said\" x=\"%.1f\" y=\"%.1f\">", from + 7, row->y - 4);
    struct diagram_box box = {from + 4, row->y - 13, from + 144, row->y};
    diagram_place(diagram, &box, 1);
    diagram_text(diagram->out, fit(text, 22));
    fputs("</text></g>\n", diagram->out);
}

static void draw_mark(struct diagram *diagram, const struct diagram_row *row)
{
    const struct trace_item *item = &diagram->trace->items[row->item];
    struct words words = {.length = 0};
    bool bad = item->mark == WORLD_MARK_DOWN;
    add(&words, fit(trace_text(diagram->trace, item->text), ROW_TEXT_MAX));
    fputs("<g class=\"mark\">", diagram->out);
    draw_title(diagram, row->item);
    if (row->line == TRACE_NONE || diagram->column_of[row->line] == TRACE_NONE) {
        draw_words(diagram, &words, 84, row->y + 8, item->mark == WORLD_MARK_CUT ? "cutword" : "plain");
    } else {
        double x = diagram_x(diagram, row->line);
        if (bad)
            fprintf(diagram->out, "<path class=\"bad crash\" d=\"M%.1f %.1fl14 14m0 -14l-14 14\"/>", x - 7, row->y - 7);
        else
            fprintf(diagram->out, "<rect class=\"markdot\" x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\"/>", x - 3.5,
                    row->y - 3.5);
        draw_words(diagram, &words, x, row->y, bad ? "crashword" : "plain");
    }
    fputs("</g>\n", diagram->out);
}

static void draw_time(const struct diagram *diagram, uint32_t row, int64_t *shown_ns)
{
    int64_t at_ns = diagram->trace->items[diagram->rows[row].item].at_ns;
    if (at_ns / 10000 == *shown_ns / 10000 && row > 0)
        return;
    *shown_ns = at_ns;
    fprintf(diagram->out, "<text class=\"time\" x=\"78\" y=\"%.1f\">%lld.%05lld</text>\n", diagram->rows[row].y + 3.5,
            (long long)(at_ns / 1000000000), (long long)(at_ns / 10000 % 100000));
}

void diagram_draw_rows(struct diagram *diagram)
{
    int64_t shown_ns = -1;
    for (uint32_t i = 0; i < diagram->row_count; i++) {
        const struct diagram_row *row = &diagram->rows[i];
        const struct trace_item *item = &diagram->trace->items[row->item];
        draw_time(diagram, i, &shown_ns);
        if (item->kind == TRACE_STEP && row->line != TRACE_NONE && diagram->column_of[row->line] != TRACE_NONE)
            draw_step_row(diagram, i);
        else if (item->kind == TRACE_MARK && item->mark == WORLD_MARK_VIOLATION)
            draw_violation(diagram, row);
        else if (item->kind == TRACE_MARK && item->mark == WORLD_MARK_CLIENT)
            draw_client(diagram, row);
        else if (item->kind == TRACE_MARK)
            draw_mark(diagram, row);
    }
}
