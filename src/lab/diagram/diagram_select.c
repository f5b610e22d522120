/* Which items a diagram shows, and which of them stand at one height. */
#include <string.h>

#include "lab/diagram/diagram_internal.h"

bool diagram_hides(const struct diagram *diagram, uint32_t name)
{
    const char *list = diagram->options->hide;
    struct span wanted = trace_text(diagram->trace, name);
    while (list != NULL && *list != '\0') {
        size_t length = strcspn(list, ",");
        if (span_equal(span_of(list, length), wanted))
            return true;
        list += length + (list[length] == ',');
    }
    return false;
}

static bool hides_word(const struct diagram *diagram, const char *word)
{
    const char *list = diagram->options->hide;
    while (list != NULL && *list != '\0') {
        size_t length = strcspn(list, ",");
        if (length == strlen(word) && strncmp(list, word, length) == 0)
            return true;
        list += length + (list[length] == ',');
    }
    return false;
}

struct span diagram_client(const struct diagram *diagram, const struct trace_item *item, bool *asks, bool *hears)
{
    struct span text = trace_text(diagram->trace, item->text);
    static const char begin[] = "client ";
    *asks = *hears = false;
    if (text.size == 0)
        return text;
    if (text.size > sizeof begin && memcmp(text.data, begin, sizeof begin - 1) == 0)
        text = span_of(text.data + sizeof begin - 1, text.size - sizeof begin + 1);
    size_t number = 0;
    while (number < text.size && text.data[number] != ' ')
        number++;
    struct span rest = span_of(text.data + number, text.size - number);
    *asks = rest.size > 6 && memcmp(rest.data, " asks ", 6) == 0;
    *hears = rest.size > 7 && memcmp(rest.data, " hears ", 7) == 0;
    return text;
}

static bool deed_shows(const struct diagram *diagram, const struct trace_deed *deed)
{
    switch (deed->kind) {
    case EFFECT_SEND:
        return !diagram_hides(diagram, deed->name);
    case EFFECT_NOTE:
        return !span_equal(trace_text(diagram->trace, deed->name), span_string("START"));
    case EFFECT_REPLY:
    case EFFECT_SUSPECT:
    case EFFECT_CHECKPOINT:
    case EFFECT_ADOPT:
        return true;
    case EFFECT_STORE:
    case EFFECT_ARM:
    case EFFECT_DELIVER:
    case EFFECT_VIEW:
    case EFFECT_AGAIN:
        break;
    }
    return false;
}

static bool mark_shows(const struct diagram *diagram, const struct trace_item *item)
{
    switch (item->mark) {
    case WORLD_MARK_CLIENT:
        return !hides_word(diagram, "clients");
    case WORLD_MARK_LOST: /* the arrow has a cross, */
    case WORLD_MARK_UP:   /* and START says more */
        return false;
    case WORLD_MARK_FAULT:
    case WORLD_MARK_FAULT_END:
    case WORLD_MARK_NOTE:
        return !hides_word(diagram, "faults");
    case WORLD_MARK_DOWN:
    case WORLD_MARK_PAUSED:
    case WORLD_MARK_RUNS:
    case WORLD_MARK_CUT:
    case WORLD_MARK_HEALED:
    case WORLD_MARK_VIOLATION:
        break;
    }
    return true;
}

static bool item_shows(const struct diagram *diagram, const struct trace_item *item)
{
    const struct trace *trace = diagram->trace;
    if (item->kind == TRACE_MARK)
        return mark_shows(diagram, item);
    bool again = item->event == EVENT_START && !span_equal(trace_text(trace, item->name), span_string("first"));
    if (again || (item->event == EVENT_MESSAGE && !diagram_hides(diagram, item->name)))
        return true;
    for (uint32_t i = 0; i < item->deed_count; i++)
        if (deed_shows(diagram, &trace->deeds[item->deed_first + i]))
            return true;
    return false;
}

/* What a member does at one instant without a further reception stands at one height. */
static bool joins(const struct trace_item *item, const struct trace_item *last)
{
    return item->kind == TRACE_STEP && last->kind == TRACE_STEP && item->event != EVENT_MESSAGE &&
           item->at_ns == last->at_ns;
}

/* Gives each visible item a row's number, counted over the whole trace. Returns how many there are. */
static uint32_t number_rows(struct diagram *diagram, uint32_t *last_of_line)
{
    const struct trace *trace = diagram->trace;
    uint32_t count = 0;
    for (uint32_t i = 0; i < trace->line_count; i++)
        last_of_line[i] = TRACE_NONE;
    for (uint32_t i = 0; i < trace->item_count; i++) {
        const struct trace_item *item = &trace->items[i];
        diagram->row_of[i] = TRACE_NONE;
        if (!item_shows(diagram, item))
            continue;
        uint32_t last = item->line == TRACE_NONE ? TRACE_NONE : last_of_line[item->line];
        if (last != TRACE_NONE && joins(item, &trace->items[last]))
            diagram->row_of[i] = diagram->row_of[last];
        else
            diagram->row_of[i] = count++;
        if (item->line != TRACE_NONE)
            last_of_line[item->line] = i;
    }
    return count;
}

/* The rows [first, end) that the picture shows. */
static void choose_window(const struct diagram *diagram, uint32_t total, uint32_t *first, uint32_t *end)
{
    const struct trace *trace = diagram->trace;
    const struct diagram_options *options = diagram->options;
    uint32_t most = options->rows != 0 ? options->rows : options->window ? DIAGRAM_ROWS_MAX : DIAGRAM_ROWS_DEFAULT;
    most = most < DIAGRAM_ROWS_MAX ? most : DIAGRAM_ROWS_MAX;
    uint32_t violation = trace_first_violation(trace);
    *first = 0;
    *end = total;
    if (options->window) {
        uint32_t begun = total, ended = 0;
        for (uint32_t i = 0; i < trace->item_count; i++) {
            int64_t at_ns = trace->items[i].at_ns;
            uint32_t row = diagram->row_of[i];
            if (row == TRACE_NONE || at_ns < options->from_ns || at_ns > options->to_ns)
                continue;
            begun = row < begun ? row : begun;
            ended = row + 1 > ended ? row + 1 : ended;
        }
        *first = begun;
        *end = ended > begun ? ended : begun;
    } else if (violation != TRACE_NONE) {
        *end = diagram->row_of[violation] + 1;
        *first = *end > most ? *end - most : 0;
    }
    *end = *end - *first > most ? *first + most : *end;
}

static void make_row(struct diagram *diagram, uint32_t row, uint32_t item)
{
    const struct trace_item *at = &diagram->trace->items[item];
    if (row == diagram->row_count)
        diagram->rows[diagram->row_count++] = (struct diagram_row){.item = item, .line = at->line};
    diagram->rows[row].item_last = item;
    diagram->clients |= at->kind == TRACE_MARK && at->mark == WORLD_MARK_CLIENT;
}

/* Every line of a group that has a row in the picture gets a column, as far as there is room: a silent member is worth
 * seeing. */
static void choose_columns(struct diagram *diagram)
{
    const struct trace *trace = diagram->trace;
    for (uint32_t i = 0; i < trace->line_count; i++) {
        bool wanted = false;
        for (uint32_t r = 0; r < diagram->row_count && !wanted; r++)
            wanted = diagram->rows[r].line != TRACE_NONE &&
                     trace->lines[diagram->rows[r].line].group == trace->lines[i].group;
        diagram->column_of[i] = TRACE_NONE;
        if (wanted && diagram->column_count < DIAGRAM_LINES_MAX) {
            diagram->column_of[i] = diagram->column_count;
            diagram->columns[diagram->column_count++] = i;
        } else if (wanted) {
            diagram->lines_left_out++;
        }
    }
}

bool diagram_select(struct diagram *diagram)
{
    const struct trace *trace = diagram->trace;
    uint32_t *last_of_line = heap_alloc(trace->heap, (trace->line_count + 1) * sizeof *last_of_line);
    diagram->row_of = heap_alloc(trace->heap, (trace->item_count + 1) * sizeof *diagram->row_of);
    diagram->column_of = heap_alloc(trace->heap, (trace->line_count + 1) * sizeof *diagram->column_of);
    diagram->columns = heap_alloc(trace->heap, DIAGRAM_LINES_MAX * sizeof *diagram->columns);
    diagram->rows = heap_alloc(trace->heap, DIAGRAM_ROWS_MAX * sizeof *diagram->rows);
    bool room = last_of_line != NULL && diagram->row_of != NULL && diagram->column_of != NULL &&
                diagram->columns != NULL && diagram->rows != NULL;
    if (room) {
        uint32_t first, end, total = number_rows(diagram, last_of_line);
        choose_window(diagram, total, &first, &end);
        for (uint32_t i = 0; i < trace->item_count; i++) {
            uint32_t row = diagram->row_of[i];
            bool inside = row != TRACE_NONE && row >= first && row < end;
            diagram->row_of[i] = inside ? row - first : TRACE_NONE;
            if (inside)
                make_row(diagram, row - first, i);
        }
        diagram->rows_before = first;
        diagram->rows_after = total - end;
        choose_columns(diagram);
    }
    heap_free(trace->heap, last_of_line);
    return room;
}
