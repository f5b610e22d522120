/* Texts printed into a buffer, and compared (front_text.h). */
#include "front/front_text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/number.h"

void front_print(struct buffer *out, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    if ((size_t)size < sizeof line) {
        (void)buffer_append(out, line, (size_t)size);
        return;
    }
    if (!buffer_reserve(out, (size_t)size + 1))
        return;
    va_start(arguments, format);
    vsnprintf((char *)out->data + out->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    out->size += (size_t)size;
}

/* Size of the UTF-8 sequence at the start of the text, 0 when it is none. Overlong forms and surrogates are none. */
static size_t utf8_size(struct span text)
{
    uint8_t c = text.data[0];
    size_t size = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (size == 0 || size > text.size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && text.data[1] < 0xa0) || (c == 0xed && text.data[1] > 0x9f) ||
        (c == 0xf0 && text.data[1] < 0x90) || (c == 0xf4 && text.data[1] > 0x8f))
        return 0;
    return size;
}

void front_print_json(struct buffer *out, struct span text)
{
    (void)buffer_append(out, "\"", 1);
    while (text.size > 0) {
        size_t size = utf8_size(text);
        uint8_t c = text.data[0];
        if (size == 0)
            (void)buffer_append(out, "\xef\xbf\xbd", 3);
        else if (c == '"' || c == '\\')
            front_print(out, "\\%c", c);
        else if (c < ' ')
            front_print(out, "\\u%04x", c);
        else
            (void)buffer_append(out, text.data, size);
        size_t step = size == 0 ? 1 : size;
        text.data += step;
        text.size -= step;
    }
    (void)buffer_append(out, "\"", 1);
}

static uint8_t lower_of(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool front_same(struct span text, const char *word)
{
    size_t size = strlen(word);
    if (text.size != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (lower_of(text.data[i]) != lower_of((uint8_t)word[i]))
            return false;
    return true;
}

/* One element of a pattern, no star, against one character; returns the element's size, 0 when it does not match. */
static size_t glob_one(struct span pattern, uint8_t c)
{
    const uint8_t *at = pattern.data;
    if (at[0] == '?')
        return 1;
    if (at[0] == '\\' && pattern.size >= 2)
        return lower_of(at[1]) == c ? 2 : 0;
    if (at[0] != '[')
        return lower_of(at[0]) == c ? 1 : 0;
    size_t place = 1;
    bool negated = place < pattern.size && at[place] == '^';
    if (negated)
        place++;
    bool found = false;
    while (place < pattern.size && at[place] != ']') {
        if (at[place] == '\\' && place + 1 < pattern.size)
            place++;
        uint8_t low = lower_of(at[place]), high = low;
        if (place + 2 < pattern.size && at[place + 1] == '-' && at[place + 2] != ']') {
            high = lower_of(at[place + 2]);
            place += 2;
        }
        found = found || (low <= high ? c >= low && c <= high : c >= high && c <= low);
        place++;
    }
    size_t size = place < pattern.size ? place + 1 : place;
    return found != negated ? size : 0;
}

bool front_glob(struct span pattern, struct span text)
{
    size_t p = 0, t = 0;
    size_t star = SIZE_MAX, star_text = 0; /* where to go on when what follows the last star does not match */
    while (t < text.size) {
        if (p < pattern.size && pattern.data[p] == '*') {
            star = ++p;
            star_text = t;
            continue;
        }
        size_t size = p < pattern.size
                          ? glob_one(span_of(pattern.data + p, pattern.size - p), lower_of(text.data[t]))
                          : 0;
        if (size > 0) {
            p += size;
            t++;
        } else if (star != SIZE_MAX) {
            p = star;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.data[p] == '*')
        p++;
    return p == pattern.size;
}

bool front_number(struct span text, uint64_t *out)
{
    int64_t value;
    if (!number_parse_i64(text, &value) || value < 0)
        return false;
    *out = (uint64_t)value;
    return true;
}
