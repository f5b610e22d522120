/* Integers to text and back; doubles are in number_double.c. */
#include "base/number.h"

bool number_parse_i64(struct span text, int64_t *out)
{
    size_t at = 0;
    bool negative = text.size > 0 && text.data[0] == '-';
    if (negative)
        at++;
    /* The longest integer has 19 digits, so a value of at most 19 digits fits into 64 bits while it is built. */
    if (at == text.size || text.size - at > 19)
        return false;
    if (text.data[at] == '0') {
        if (text.size != 1)
            return false;
        *out = 0;
        return true;
    }
    uint64_t value = 0;
    for (; at < text.size; at++) {
        uint8_t byte = text.data[at];
        if (byte < '0' || byte > '9')
            return false;
        value = value * 10 + (uint64_t)(byte - '0');
    }
    if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    /* Not -(int64_t)value, which overflows for the smallest integer. */
    *out = negative ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    return true;
}

static size_t put_digits(char *out, uint64_t value)
{
    char digits[NUMBER_INTEGER_SIZE_MAX];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    size_t size = sizeof digits - at;
    memcpy(out, digits + at, size);
    return size;
}

size_t number_print_u64(char out[NUMBER_INTEGER_SIZE_MAX], uint64_t value)
{
    return put_digits(out, value);
}

size_t number_print_i64(char out[NUMBER_INTEGER_SIZE_MAX], int64_t value)
{
    if (value >= 0)
        return put_digits(out, (uint64_t)value);
    out[0] = '-';
    return 1 + put_digits(out + 1, 0 - (uint64_t)value);
}
