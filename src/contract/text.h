/* Text into a bounded array, for the places of the contract that write a line for people: no printf, because the
 * contract library is pure. What does not fit is cut, and the result always ends with a zero. */
#ifndef LOCKSTEP_CONTRACT_TEXT_H
#define LOCKSTEP_CONTRACT_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/number.h"

struct text {
    char *out;
    size_t length; /* without the terminator */
    size_t size;   /* of `out`, terminator included; 0: nothing is written at all */
};

/* Begins an empty text in `size` bytes at `out`. */
static inline struct text text_begin(char *out, size_t size)
{
    if (size > 0)
        out[0] = '\0';
    return (struct text){.out = out, .length = 0, .size = size};
}

static inline void text_add_bytes(struct text *text, const char *bytes, size_t count)
{
    if (text->size == 0)
        return;
    size_t room = text->size - 1 - text->length;
    size_t taken = count < room ? count : room;
    if (taken > 0)
        memcpy(text->out + text->length, bytes, taken);
    text->length += taken;
    text->out[text->length] = '\0';
}

static inline void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

static inline void text_add_u64(struct text *text, uint64_t value)
{
    char digits[NUMBER_INTEGER_SIZE_MAX];
    text_add_bytes(text, digits, number_print_u64(digits, value));
}

static inline void text_add_i64(struct text *text, int64_t value)
{
    char digits[NUMBER_INTEGER_SIZE_MAX];
    text_add_bytes(text, digits, number_print_i64(digits, value));
}

#endif
