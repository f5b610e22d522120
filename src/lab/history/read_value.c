/* Values, as far as the syntaxes agree on them: numbers, strings in quotes, lists. */
#include <string.h>

#include "base/number.h"
#include "lab/history/read_internal.h"

static bool kept(struct reading *reading, uint32_t id, struct read_datum *out)
{
    out->id = id;
    return id != VALUE_NONE || read_fail(reading, "there is not enough memory");
}

bool read_element(struct reading *reading, uint32_t id)
{
    return buffer_append(&reading->elements, &id, sizeof id) || read_fail(reading, "there is not enough memory");
}

bool read_list_end(struct reading *reading, bool keep, enum value_kind kind, size_t first, struct read_datum *out)
{
    out->kind = kind;
    if (!keep)
        return true;
    uint32_t count = (uint32_t)((reading->elements.size - first) / sizeof(uint32_t));
    const uint32_t *elements = count == 0 ? NULL : (const uint32_t *)(const void *)(reading->elements.data + first);
    if (kind == VALUE_MAP && count % 2 != 0)
        return read_fail(reading, "a map has a key without a value");
    reading->elements.size = first;
    return kept(reading, record_list(reading->record, kind, elements, count), out);
}

bool read_number(struct reading *reading, bool keep, struct span digits, struct read_datum *out)
{
    double real;
    int shown = digits.size < 40 ? (int)digits.size : 40;
    if (number_parse_i64(digits, &out->integer)) {
        out->kind = VALUE_INTEGER;
        return !keep || kept(reading, record_integer(reading->record, out->integer), out);
    }
    bool whole = true;
    for (size_t at = 0; at < digits.size; at++)
        whole = whole && ((digits.data[at] >= '0' && digits.data[at] <= '9') || (at == 0 && digits.data[at] == '-'));
    if (whole && span_equal(digits, span_string("-0"))) {
        out->kind = VALUE_INTEGER;
        out->integer = 0;
        return !keep || kept(reading, record_integer(reading->record, 0), out);
    }
    if (whole || !number_parse_double(digits, &real))
        return read_fail(reading, "'%.*s' is no number of 64 bits", shown, (const char *)digits.data);
    out->kind = VALUE_REAL;
    out->integer = real > -0x1p62 && real < 0x1p62 ? (int64_t)real : 0;
    return !keep || kept(reading, record_real(reading->record, real), out);
}

bool read_text(struct reading *reading, bool keep, struct span text, struct read_datum *out)
{
    out->kind = VALUE_TEXT;
    out->text = text;
    return !keep || kept(reading, record_text(reading->record, text), out);
}

bool read_word(struct reading *reading, bool keep, enum value_kind kind, struct read_datum *out)
{
    out->kind = kind;
    if (!keep)
        return true;
    return kept(reading,
                kind == VALUE_NULL ? record_null(reading->record)
                                   : record_boolean(reading->record, kind == VALUE_TRUE),
                out);
}

/* ---- strings ---- */

/* Reads four hexadecimal digits behind \u. */
static bool read_unit(struct reading *reading, uint32_t *out)
{
    *out = 0;
    for (unsigned at = 0; at < 4; at++, reading->at++) {
        uint8_t letter = reading->at < reading->end ? *reading->at : 0;
        uint8_t low = letter | 0x20;
        if (letter >= '0' && letter <= '9')
            *out = *out * 16 + (uint32_t)(letter - '0');
        else if (low >= 'a' && low <= 'f')
            *out = *out * 16 + 10 + (uint32_t)(low - 'a');
        else
            return read_fail(reading, "\\u is followed by four hexadecimal digits");
    }
    return true;
}

/* Writes a code point as UTF-8; returns its size. */
static size_t utf8(uint32_t point, uint8_t out[4])
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t at = size - 1; at > 0; at--, point >>= 6)
        out[at] = (uint8_t)(0x80 | (point & 0x3f));
    out[0] = (uint8_t)(lead[size] | point);
    return size;
}

static bool read_escape(struct reading *reading, uint8_t out[4], size_t *size)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint8_t letter = reading->at < reading->end ? *reading->at++ : 0;
    const char *found = letter == 0 ? NULL : strchr(letters, letter);
    *size = 1;
    if (found != NULL) {
        out[0] = (uint8_t)meanings[found - letters];
        return true;
    }
    if (letter != 'u')
        return read_fail(reading, "a string holds an escape that does not exist");
    uint32_t point, low;
    if (!read_unit(reading, &point))
        return false;
    bool pair = point >= 0xd800 && point < 0xdc00 && reading->end - reading->at >= 6 && reading->at[0] == '\\' &&
                reading->at[1] == 'u';
    if (pair) {
        reading->at += 2;
        if (!read_unit(reading, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return read_fail(reading, "a string holds half a surrogate pair");
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    *size = utf8(point, out);
    return true;
}

bool read_quoted(struct reading *reading, struct span *out)
{
    const uint8_t *from = reading->at;
    while (reading->at < reading->end && *reading->at != '"' && *reading->at != '\\')
        reading->at++;
    buffer_clear(&reading->text);
    bool plain = reading->at < reading->end && *reading->at == '"';
    while (reading->at < reading->end) {
        if (!plain && !buffer_append(&reading->text, from, (size_t)(reading->at - from)))
            return read_fail(reading, "there is not enough memory");
        if (*reading->at == '"') {
            *out = plain ? span_of(from, (size_t)(reading->at - from)) : buffer_span(&reading->text);
            reading->at++;
            return true;
        }
        uint8_t bytes[4];
        size_t size;
        reading->at++;
        if (!read_escape(reading, bytes, &size))
            return false;
        if (!buffer_append(&reading->text, bytes, size))
            return read_fail(reading, "there is not enough memory");
        from = reading->at;
        while (reading->at < reading->end && *reading->at != '"' && *reading->at != '\\')
            reading->at++;
    }
    return read_fail(reading, "a string does not end");
}
