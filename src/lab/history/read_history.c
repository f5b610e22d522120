/* From texts to records: guesses the format, walks over the events, joins invocations and their ends. */
#include "lab/history/read_history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lab/history/read_internal.h"

enum { OPEN_MIN = 64 };

bool read_fail(struct reading *reading, const char *format, ...)
{
    if (reading->problem->why[0] != '\0')
        return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reading->problem->why, READ_WHY_SIZE, format, arguments);
    va_end(arguments);
    reading->problem->line = read_line_number(reading);
    return false;
}

uint64_t read_line_number(struct reading *reading)
{
    while (reading->counted < reading->at) {
        const uint8_t *line = memchr(reading->counted, '\n', (size_t)(reading->at - reading->counted));
        reading->counted = line == NULL ? reading->at : line + 1;
        reading->line += line != NULL;
    }
    return reading->line;
}

/* ---- events ---- */

enum event_type { EVENT_UNTYPED, EVENT_INVOKE, EVENT_OK, EVENT_FAIL, EVENT_INFO };

struct event {
    enum event_type type;
    bool has_process, is_client, is_nemesis, error;
    int64_t process, time_ns;
    uint32_t function, key, value;
};

static enum event_type type_of(struct span name)
{
    static const char *const names[] = {
        [EVENT_INVOKE] = "invoke", [EVENT_OK] = "ok", [EVENT_FAIL] = "fail", [EVENT_INFO] = "info"};
    for (unsigned type = EVENT_INVOKE; type <= EVENT_INFO; type++)
        if (span_equal(name, span_string(names[type])))
            return (enum event_type)type;
    return EVENT_UNTYPED;
}

static bool member_type(struct reading *reading, struct event *event)
{
    struct read_datum datum;
    if (!reading->syntax->value(reading, false, 1, &datum))
        return false;
    if (datum.kind == VALUE_TEXT)
        event->type = type_of(datum.text);
    return event->type != EVENT_UNTYPED || read_fail(reading, "the type is invoke, ok, fail or info");
}

static bool member_function(struct reading *reading, struct event *event)
{
    struct read_datum datum;
    if (!reading->syntax->value(reading, true, 1, &datum))
        return false;
    event->function = datum.id;
    return datum.kind == VALUE_TEXT || read_fail(reading, "f is the name of a function");
}

static bool member(struct reading *reading, struct span name, struct event *event)
{
    struct read_datum datum;
    bool keep = span_equal(name, span_string("key")) || span_equal(name, span_string("value"));
    if (span_equal(name, span_string("type")))
        return member_type(reading, event);
    if (span_equal(name, span_string("f")))
        return member_function(reading, event);
    /* The name may lie in the buffer of texts, so what it is comes before the value. */
    bool key = keep && name.size == 3, error = span_equal(name, span_string("error"));
    bool process = span_equal(name, span_string("process")), time = span_equal(name, span_string("time"));
    if (!reading->syntax->value(reading, keep, 1, &datum))
        return false;
    if (keep)
        *(key ? &event->key : &event->value) = datum.id;
    event->error = event->error || (error && datum.kind != VALUE_NULL);
    if (process) {
        event->has_process = true;
        event->is_client = datum.kind == VALUE_INTEGER;
        event->is_nemesis = datum.kind == VALUE_TEXT && span_equal(datum.text, span_string("nemesis"));
        event->process = datum.integer;
    }
    if (time && (datum.kind == VALUE_INTEGER || datum.kind == VALUE_REAL))
        event->time_ns = datum.integer;
    return true;
}

/* Makes room for a process' open operation. */
static bool open_room(struct reading *reading, uint32_t process)
{
    if (process < reading->open_count)
        return true;
    uint32_t count = reading->open_count == 0 ? OPEN_MIN : reading->open_count;
    while (count <= process)
        count *= 2;
    uint32_t *open = heap_resize(reading->record->heap, reading->open, count * sizeof *open);
    if (open == NULL)
        return read_fail(reading, "there is not enough memory");
    for (uint32_t at = reading->open_count; at < count; at++)
        open[at] = RECORD_NEVER;
    reading->open = open;
    reading->open_count = count;
    return true;
}

static bool event_invoke(struct reading *reading, const struct event *event, uint32_t process)
{
    struct record *record = reading->record;
    if (event->function == VALUE_NONE)
        return read_fail(reading, "an invocation has a member f, the name of its function");
    if (reading->open[process] != RECORD_NEVER)
        return read_fail(reading, "process %" PRId64 " invokes while its last operation is open", event->process);
    uint32_t id = record_invoke(record, process, event->function, event->key, event->value, event->time_ns);
    if (id == RECORD_NEVER)
        return read_fail(reading, "there is not enough memory");
    record->operations[id].line = (uint32_t)read_line_number(reading);
    reading->open[process] = id;
    return true;
}

/* The answer that stands for an error: {"error": true}. */
static uint32_t error_value(struct record *record)
{
    uint32_t pair[2] = {record_text(record, span_string("error")), record_boolean(record, true)};
    return record_list(record, VALUE_MAP, pair, 2);
}

static bool event_end(struct reading *reading, const struct event *event, uint32_t process)
{
    uint32_t id = reading->open[process];
    if (id == RECORD_NEVER)
        return read_fail(reading, "process %" PRId64 " ends what it did not invoke", event->process);
    const struct record_operation *operation = &reading->record->operations[id];
    if (event->function != VALUE_NONE && event->function != operation->function)
        return read_fail(reading, "process %" PRId64 " ends another function (f) than it invoked", event->process);
    if (event->key != VALUE_NONE && event->key != operation->key &&
        record_kind(reading->record, event->key) != VALUE_NULL)
        return read_fail(reading, "process %" PRId64 " ends an operation on another key than it invoked",
                         event->process);
    enum record_outcome outcome = event->type == EVENT_OK     ? RECORD_OK
                                  : event->type == EVENT_FAIL ? RECORD_FAIL
                                                              : RECORD_INFO;
    uint32_t answer = event->type == EVENT_OK && event->error ? error_value(reading->record) : event->value;
    record_end(reading->record, id, outcome, answer, event->time_ns);
    reading->open[process] = RECORD_NEVER;
    return true;
}

bool read_event(struct reading *reading)
{
    struct event event = {.function = VALUE_NONE, .key = VALUE_NONE, .value = VALUE_NONE};
    struct span name;
    for (bool end = false, first = true;; first = false) {
        if (!reading->syntax->name(reading, first, &name, &end))
            return false;
        if (end)
            break;
        if (!member(reading, name, &event))
            return false;
    }
    if (event.has_process && !event.is_client)
        return event.is_nemesis || event.type == EVENT_INFO || event.type == EVENT_UNTYPED ||
               read_fail(reading, "a client's process is an integer (only info events of others are skipped)");
    if (!event.has_process || event.type == EVENT_UNTYPED)
        return read_fail(reading, "an event has the members process, type and f");
    uint32_t process = record_process(reading->record, event.process);
    if (process == RECORD_NEVER)
        return read_fail(reading, "there is not enough memory");
    if (!open_room(reading, process))
        return false;
    return event.type == EVENT_INVOKE ? event_invoke(reading, &event, process) : event_end(reading, &event, process);
}

/* ---- formats ---- */

/* The first bytes tell: a map or a sequence of maps, whose first name is in quotes or is not. */
static enum read_format format_guess(struct span text)
{
    bool sequence = false;
    for (size_t at = 0; at < text.size; at++) {
        uint8_t letter = text.data[at];
        if (letter == ';' || letter == '(' || letter == '#' || letter == ':')
            return READ_EDN;
        if (letter == '"')
            break;
        sequence = sequence || letter == '[';
    }
    return sequence ? READ_JSON_ARRAY : READ_JSON_LINES;
}

/* Skips the tag of a map, as in #jepsen.history.Op{...}. */
static void skip_tag(struct reading *reading)
{
    if (reading->syntax != &read_edn || reading->at == reading->end || *reading->at != '#')
        return;
    while (reading->at < reading->end && *reading->at != '{' && *reading->at != '\n')
        reading->at++;
}

/* Skips space, and in EDN what is discarded between events: "#_form". */
static bool skip_space(struct reading *reading)
{
    struct read_datum ignored;
    for (reading->syntax->space(reading); reading->syntax == &read_edn && reading->end - reading->at >= 2 &&
                                          reading->at[0] == '#' && reading->at[1] == '_';
         reading->syntax->space(reading)) {
        reading->at += 2;
        if (!reading->syntax->value(reading, false, 1, &ignored))
            return false;
    }
    return true;
}

/* Was the last line, read in vain, an event that was cut? Then it begins as one, has no end, and does not end as an
 * object does. */
static bool is_cut(const uint8_t *from, const uint8_t *end)
{
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    return from < end && *from == '{' && end[-1] != '}' && memchr(from, '\n', (size_t)(end - from)) == NULL;
}

/* Reads events up to the closing bracket, or up to the end when that is 0. */
static bool read_events(struct reading *reading, uint8_t closing)
{
    for (bool first = true;; first = false) {
        if (!skip_space(reading))
            return false;
        bool ended = reading->at == reading->end;
        if (closing == 0 && ended)
            return true;
        if (!ended && *reading->at == closing) {
            reading->at++;
            return true;
        }
        if (closing == ']' && reading->syntax == &read_json && !first && !ended && *reading->at == ',') {
            reading->at++;
            reading->syntax->space(reading);
        }
        skip_tag(reading);
        if (reading->at == reading->end)
            return read_fail(reading, "it ends where an event or a '%c' belongs", closing);
        if (*reading->at != '{')
            return read_fail(reading, "an event is a map, which begins with '{', not with '%c'", *reading->at);
        const uint8_t *from = reading->at++;
        if (!read_event(reading))
            return closing == 0 && reading->at == reading->end && is_cut(from, reading->end);
    }
}

static bool read_line(struct reading *reading)
{
    reading->syntax->space(reading);
    if (reading->at == reading->end)
        return true;
    if (*reading->at != '{')
        return read_fail(reading, "an event is an object, which begins with '{', not with '%c'", *reading->at);
    reading->at++;
    if (!read_event(reading))
        return false;
    reading->syntax->space(reading);
    return reading->at == reading->end || read_fail(reading, "a line holds more than one value");
}

/* Reads a line a time, so that damage in one is not taken for a part of the next. The last may be cut. */
static bool read_lines(struct reading *reading)
{
    const uint8_t *end = reading->end;
    while (reading->at < end) {
        const uint8_t *line = memchr(reading->at, '\n', (size_t)(end - reading->at));
        const uint8_t *from = reading->at;
        reading->end = line == NULL ? end : line;
        if (!read_line(reading))
            return line == NULL && is_cut(from, end);
        reading->at = line == NULL ? end : line + 1;
    }
    return true;
}

static bool read_whole(struct reading *reading)
{
    reading->syntax->space(reading);
    uint8_t opening = reading->at < reading->end ? *reading->at : 0;
    uint8_t closing = opening == '[' ? ']' : opening == '(' ? ')' : 0;
    if (closing == 0)
        return reading->syntax == &read_json && reading->at < reading->end
                   ? read_fail(reading, "an array begins with '[', not with '%c'", opening)
                   : read_events(reading, 0);
    reading->at++;
    if (!read_events(reading, closing))
        return false;
    reading->syntax->space(reading);
    return reading->at == reading->end || read_fail(reading, "something follows the end of the history");
}

/* ---- keys in values ---- */

static bool is_pair(const struct record *record, uint32_t value)
{
    return value != VALUE_NONE && record_kind(record, value) == VALUE_LIST && record_size_of(record, value) == 2;
}

static bool keys_look_inside(const struct record *record)
{
    bool any = false;
    for (uint32_t at = 0; at < record->operation_count; at++) {
        const struct record_operation *operation = &record->operations[at];
        if (operation->key != VALUE_NONE || !is_pair(record, operation->called))
            return false;
        any = any || record_kind(record, record_elements_of(record, operation->called)[1]) == VALUE_NULL;
    }
    return any;
}

static bool keys_take_out(struct reading *reading)
{
    struct record *record = reading->record;
    for (uint32_t at = 0; at < record->operation_count; at++) {
        struct record_operation *operation = &record->operations[at];
        if (!is_pair(record, operation->called)) {
            reading->problem->line = operation->line;
            snprintf(reading->problem->why, READ_WHY_SIZE, "a value with its key inside is a pair [key value]");
            return false;
        }
        const uint32_t *called = record_elements_of(record, operation->called);
        operation->key = called[0];
        operation->called = called[1];
        if (is_pair(record, operation->answered) && record_elements_of(record, operation->answered)[0] == called[0])
            operation->answered = record_elements_of(record, operation->answered)[1];
    }
    return true;
}

bool read_history(struct record *record, struct span text, const struct read_options *options,
                  struct read_problem *problem)
{
    *problem = (struct read_problem){0};
    if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
        text = span_of(text.data + 3, text.size - 3);
    enum read_format format = options->format == READ_GUESS ? format_guess(text) : options->format;
    struct reading reading = {
        .record = record,
        .syntax = format == READ_EDN ? &read_edn : &read_json,
        .at = text.data,
        .end = text.data + text.size,
        .counted = text.data,
        .line = 1,
        .problem = problem,
    };
    buffer_init(&reading.text, record->heap);
    buffer_init(&reading.elements, record->heap);
    bool good = format == READ_JSON_LINES ? read_lines(&reading) : read_whole(&reading);
    if (good)
        problem->why[0] = '\0';
    bool inside = options->keys == READ_KEYS_IN_VALUES ||
                  (options->keys == READ_KEYS_GUESS && keys_look_inside(record));
    if (good && inside)
        good = keys_take_out(&reading);
    buffer_free(&reading.text);
    buffer_free(&reading.elements);
    heap_free(record->heap, reading.open);
    return good;
}

bool read_format_find(const char *name, enum read_format *out)
{
    static const char *const names[] = {[READ_JSON_LINES] = "jsonl", [READ_JSON_ARRAY] = "json", [READ_EDN] = "edn"};
    for (unsigned format = READ_JSON_LINES; format <= READ_EDN; format++)
        if (strcmp(name, names[format]) == 0) {
            *out = (enum read_format)format;
            return true;
        }
    return false;
}
