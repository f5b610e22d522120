/* EDN, the notation of Clojure's data, as far as Jepsen's histories use it (https://github.com/edn-format/edn). */
#include <string.h>

#include "lab/history/read_internal.h"

static uint8_t peek(const struct reading *reading)
{
    return reading->at < reading->end ? *reading->at : 0;
}

static bool is_space(uint8_t letter)
{
    return letter == ' ' || letter == ',' || letter == '\n' || letter == '\t' || letter == '\r' || letter == '\f';
}

/* Ends a symbol, keyword or number. */
static bool is_delimiter(uint8_t letter)
{
    return is_space(letter) || letter == 0 || strchr("()[]{}\";", letter) != NULL;
}

/* Space, commas and comments up to the end of a line. */
static void space(struct reading *reading)
{
    while (reading->at < reading->end) {
        if (*reading->at == ';')
            while (reading->at < reading->end && *reading->at != '\n')
                reading->at++;
        else if (!is_space(*reading->at))
            return;
        else
            reading->at++;
    }
}

static struct span token(struct reading *reading)
{
    const uint8_t *from = reading->at;
    while (reading->at < reading->end && !is_delimiter(*reading->at))
        reading->at++;
    return span_of(from, (size_t)(reading->at - from));
}

static bool value(struct reading *reading, bool keep, unsigned depth, struct read_datum *out);

/* Skips discarded forms, "#_form", and space around them. */
static bool skip_discarded(struct reading *reading, unsigned depth)
{
    struct read_datum ignored;
    for (space(reading); reading->end - reading->at >= 2 && reading->at[0] == '#' && reading->at[1] == '_';
         space(reading)) {
        reading->at += 2;
        if (!value(reading, false, depth + 1, &ignored))
            return false;
    }
    return true;
}

static bool name(struct reading *reading, bool first, struct span *out, bool *end)
{
    (void)first;
    struct read_datum datum;
    if (!skip_discarded(reading, 0))
        return false;
    *end = peek(reading) == '}';
    if (*end) {
        reading->at++;
        return true;
    }
    if (!value(reading, false, 1, &datum))
        return false;
    *out = datum.kind == VALUE_TEXT ? datum.text : span_string("");
    return true;
}

/* A vector, list, map or set, from behind its opening bracket. */
static bool collection(struct reading *reading, bool keep, unsigned depth, char closing, enum value_kind kind,
                       struct read_datum *out)
{
    size_t first = reading->elements.size;
    struct read_datum element;
    for (;;) {
        if (!skip_discarded(reading, depth))
            return false;
        if (peek(reading) == (uint8_t)closing)
            break;
        if (reading->at == reading->end)
            return read_fail(reading, "it ends where a '%c' belongs", closing);
        if (!value(reading, keep, depth + 1, &element) || (keep && !read_element(reading, element.id)))
            return false;
    }
    reading->at++;
    return read_list_end(reading, keep, kind, first, out);
}

/* Sorts the elements of a set by id: two sets are equal whatever the order in which they were written. */
static void set_sort(struct reading *reading, size_t first)
{
    uint32_t count = (uint32_t)((reading->elements.size - first) / sizeof(uint32_t));
    uint32_t *ids = (uint32_t *)(void *)(reading->elements.data + first);
    for (uint32_t gap = count / 2; gap > 0; gap /= 2)
        for (uint32_t at = gap; at < count; at++) {
            uint32_t id = ids[at], place = at;
            for (; place >= gap && ids[place - gap] > id; place -= gap)
                ids[place] = ids[place - gap];
            ids[place] = id;
        }
}

static bool set(struct reading *reading, bool keep, unsigned depth, struct read_datum *out)
{
    size_t first = reading->elements.size;
    struct read_datum element;
    for (;;) {
        if (!skip_discarded(reading, depth))
            return false;
        if (peek(reading) == '}')
            break;
        if (reading->at == reading->end)
            return read_fail(reading, "it ends where a '}' belongs");
        if (!value(reading, keep, depth + 1, &element) || (keep && !read_element(reading, element.id)))
            return false;
    }
    reading->at++;
    if (reading->elements.size > first)
        set_sort(reading, first);
    return read_list_end(reading, keep, VALUE_LIST, first, out);
}

/* What follows a '#': a set, a discarded form, or a tag and its form. */
static bool dispatch(struct reading *reading, bool keep, unsigned depth, struct read_datum *out)
{
    if (peek(reading) == '{') {
        reading->at++;
        return set(reading, keep, depth, out);
    }
    if (peek(reading) == '#') { /* ##Inf and its like */
        reading->at++;
        return read_text(reading, keep, token(reading), out);
    }
    if (peek(reading) == '_') {
        reading->at--;
        return skip_discarded(reading, depth) && value(reading, keep, depth, out);
    }
    if (token(reading).size == 0)
        return read_fail(reading, "a '#' is followed by a tag or a set");
    return value(reading, keep, depth + 1, out);
}

/* "3", "-3N", "2.5M"; false when it is a symbol such as "-". */
static bool is_number(struct span text)
{
    uint8_t first = text.data[0];
    if (first == '-' || first == '+')
        first = text.size > 1 ? text.data[1] : 0;
    return first >= '0' && first <= '9';
}

static bool atom(struct reading *reading, bool keep, struct read_datum *out)
{
    struct span text = token(reading);
    if (text.size == 0)
        return read_fail(reading, reading->at == reading->end ? "it ends where a value belongs"
                                                              : "'%c' does not begin a value", peek(reading));
    if (text.data[0] == ':')
        return read_text(reading, keep, span_of(text.data + 1, text.size - 1), out);
    if (span_equal(text, span_string("nil")))
        return read_word(reading, keep, VALUE_NULL, out);
    if (span_equal(text, span_string("true")) || span_equal(text, span_string("false")))
        return read_word(reading, keep, text.data[0] == 't' ? VALUE_TRUE : VALUE_FALSE, out);
    if (!is_number(text))
        return read_text(reading, keep, text, out);
    if (text.data[0] == '+')
        text = span_of(text.data + 1, text.size - 1);
    if (text.data[text.size - 1] == 'N' || text.data[text.size - 1] == 'M')
        text.size--;
    return read_number(reading, keep, text, out);
}

/* A character: "\a", "\newline". */
static bool character(struct reading *reading, bool keep, struct read_datum *out)
{
    const uint8_t *from = reading->at;
    if (reading->at < reading->end)
        reading->at++; /* it may be a delimiter itself */
    while (reading->at < reading->end && !is_delimiter(*reading->at))
        reading->at++;
    return read_text(reading, keep, span_of(from, (size_t)(reading->at - from)), out);
}

static bool value(struct reading *reading, bool keep, unsigned depth, struct read_datum *out)
{
    struct span text;
    out->kind = VALUE_NULL;
    if (depth > READ_DEPTH_MAX)
        return read_fail(reading, "a value is nested more than %d levels deep", READ_DEPTH_MAX);
    space(reading);
    uint8_t letter = peek(reading);
    if (letter == 0 || strchr("\"[({#\\", letter) == NULL)
        return atom(reading, keep, out);
    reading->at++;
    switch (letter) {
    case '"':
        return read_quoted(reading, &text) && read_text(reading, keep, text, out);
    case '[':
        return collection(reading, keep, depth, ']', VALUE_LIST, out);
    case '(':
        return collection(reading, keep, depth, ')', VALUE_LIST, out);
    case '{':
        return collection(reading, keep, depth, '}', VALUE_MAP, out);
    case '\\':
        return character(reading, keep, out);
    default:
        return dispatch(reading, keep, depth, out);
    }
}

const struct read_syntax read_edn = {.space = space, .name = name, .value = value};
