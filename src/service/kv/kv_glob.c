/* Patterns (kv_glob.h).
 *
 * Everything but a star matches exactly one byte, so only the latest star need ever be tried again with more bytes:
 * what an earlier one could do, it can too. Hence a loop with one place to go back to, instead of Redis' recursion. */
#include "service/kv/kv_glob.h"

/* Reads one element of a class and judges it; returns how many bytes of the pattern it takes. */
static size_t class_element(struct span pattern, uint8_t byte, bool *match)
{
    const uint8_t *at = pattern.data;
    if (pattern.size >= 2 && at[0] == '\\') {
        *match |= at[1] == byte;
        return 2;
    }
    if (pattern.size >= 3 && at[1] == '-') {
        uint8_t low = at[0] < at[2] ? at[0] : at[2];
        uint8_t high = at[0] < at[2] ? at[2] : at[0];
        *match |= byte >= low && byte <= high;
        return 3;
    }
    *match |= at[0] == byte;
    return 1;
}

/* A class, `pattern` being behind its bracket. A class that is not closed ends with the pattern. */
static bool class_match(struct span *pattern, uint8_t byte)
{
    bool negated = pattern->size > 0 && pattern->data[0] == '^';
    size_t at = negated ? 1 : 0;
    bool match = false;
    while (at < pattern->size && pattern->data[at] != ']')
        at += class_element(span_of(pattern->data + at, pattern->size - at), byte, &match);
    if (at < pattern->size)
        at++;
    *pattern = span_of(pattern->data + at, pattern->size - at);
    return match != negated;
}

/* Matches one byte with the element at the front of the pattern, which is no star, and takes the element off. */
static bool one_match(struct span *pattern, uint8_t byte)
{
    uint8_t first = pattern->data[0];
    *pattern = span_of(pattern->data + 1, pattern->size - 1);
    if (first == '[')
        return class_match(pattern, byte);
    if (first == '?')
        return true;
    if (first == '\\' && pattern->size > 0) {
        first = pattern->data[0];
        *pattern = span_of(pattern->data + 1, pattern->size - 1);
    }
    return first == byte;
}

static void skip_stars(struct span *pattern)
{
    while (pattern->size > 0 && pattern->data[0] == '*')
        *pattern = span_of(pattern->data + 1, pattern->size - 1);
}

bool kv_glob_match(struct span pattern, struct span text)
{
    bool starred = false;
    struct span after_star = pattern; /* the pattern behind the latest star */
    size_t tried = 0;                 /* where the text continues for it */
    size_t at = 0;
    while (at < text.size) {
        if (pattern.size > 0 && pattern.data[0] == '*') {
            skip_stars(&pattern);
            if (pattern.size == 0)
                return true;
            starred = true;
            after_star = pattern;
            tried = at;
        } else if (pattern.size > 0 && one_match(&pattern, text.data[at])) {
            at++;
        } else if (starred) {
            pattern = after_star;
            at = ++tried;
        } else {
            return false;
        }
    }
    skip_stars(&pattern);
    return pattern.size == 0;
}
