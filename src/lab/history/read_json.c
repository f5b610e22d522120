/* JSON (RFC 8259), read value by value. A parser of our own, because a library that builds a tree for each line takes
 * most of the time of checking a million operations. */
#include <string.h>

#include "lab/history/read_internal.h"

static void space(struct reading *reading)
{
    while (reading->at < reading->end && (*reading->at == ' ' || *reading->at == '\n' || *reading->at == '\t' ||
                                          *reading->at == '\r'))
        reading->at++;
}

static uint8_t peek(const struct reading *reading)
{
    return reading->at < reading->end ? *reading->at : 0;
}

static bool expect(struct reading *reading, char letter, const char *where)
{
    space(reading);
    if (peek(reading) != (uint8_t)letter)
        return read_fail(reading, reading->at == reading->end ? "it ends where a '%c' belongs %s"
                                                              : "a '%c' is missing %s", letter, where);
    reading->at++;
    return true;
}

static bool name(struct reading *reading, bool first, struct span *out, bool *end)
{
    space(reading);
    *end = peek(reading) == '}';
    if (*end) {
        reading->at++;
        return true;
    }
    if (!first && !expect(reading, ',', "between the members of an object"))
        return false;
    return expect(reading, '"', "before a member's name") && read_quoted(reading, out) &&
           expect(reading, ':', "after a member's name");
}

static bool value(struct reading *reading, bool keep, unsigned depth, struct read_datum *out);

static bool list(struct reading *reading, bool keep, unsigned depth, struct read_datum *out)
{
    size_t first = reading->elements.size;
    struct read_datum element;
    for (bool begin = true;; begin = false) {
        space(reading);
        if (peek(reading) == ']')
            break;
        if (!begin && !expect(reading, ',', "between the elements of a list"))
            return false;
        if (!value(reading, keep, depth + 1, &element) || (keep && !read_element(reading, element.id)))
            return false;
    }
    reading->at++;
    return read_list_end(reading, keep, VALUE_LIST, first, out);
}

static bool map(struct reading *reading, bool keep, unsigned depth, struct read_datum *out)
{
    size_t first = reading->elements.size;
    struct read_datum element;
    struct span text;
    for (bool end = false, begin = true;; begin = false) {
        if (!name(reading, begin, &text, &end))
            return false;
        if (end)
            return read_list_end(reading, keep, VALUE_MAP, first, out);
        if (!read_text(reading, keep, text, &element) || (keep && !read_element(reading, element.id)) ||
            !value(reading, keep, depth + 1, &element) || (keep && !read_element(reading, element.id)))
            return false;
    }
}

static bool word(struct reading *reading, bool keep, struct read_datum *out)
{
    static const struct {
        const char *text;
        enum value_kind kind;
    } words[] = {{"null", VALUE_NULL}, {"true", VALUE_TRUE}, {"false", VALUE_FALSE}};
    for (size_t at = 0; at < sizeof words / sizeof words[0]; at++) {
        size_t size = strlen(words[at].text);
        if ((size_t)(reading->end - reading->at) >= size && memcmp(reading->at, words[at].text, size) == 0) {
            reading->at += size;
            return read_word(reading, keep, words[at].kind, out);
        }
    }
    if (reading->at == reading->end)
        return read_fail(reading, "it ends where a value belongs");
    return read_fail(reading, "'%c' does not begin a value", *reading->at);
}

static bool number(struct reading *reading, bool keep, struct read_datum *out)
{
    const uint8_t *from = reading->at;
    while (reading->at < reading->end && ((*reading->at >= '0' && *reading->at <= '9') || *reading->at == '-' ||
                                          *reading->at == '+' || *reading->at == '.' || (*reading->at | 0x20) == 'e'))
        reading->at++;
    return read_number(reading, keep, span_of(from, (size_t)(reading->at - from)), out);
}

static bool value(struct reading *reading, bool keep, unsigned depth, struct read_datum *out)
{
    space(reading);
    uint8_t letter = peek(reading);
    out->kind = VALUE_NULL;
    if (depth > READ_DEPTH_MAX)
        return read_fail(reading, "a value is nested more than %d levels deep", READ_DEPTH_MAX);
    if (letter == '-' || (letter >= '0' && letter <= '9'))
        return number(reading, keep, out);
    if (letter != '"' && letter != '[' && letter != '{')
        return word(reading, keep, out);
    reading->at++;
    struct span text;
    if (letter == '"')
        return read_quoted(reading, &text) && read_text(reading, keep, text, out);
    return letter == '[' ? list(reading, keep, depth, out) : map(reading, keep, depth, out);
}

const struct read_syntax read_json = {.space = space, .name = name, .value = value};
