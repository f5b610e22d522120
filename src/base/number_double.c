/* Doubles to text and back, exactly.
 *
 * Reading scales the decimal digits to a fraction of two exact integers, divides them for 64 bits of quotient and
 * rounds those once (the plain method behind Clinger, "How to read floating point numbers accurately", PLDI 1990,
 * with his fast path for short numbers). Printing is the free-format algorithm of Steele and White, "How to print
 * floating-point numbers accurately", PLDI 1990, in the form of Burger and Dybvig, "Printing floating-point numbers
 * quickly and accurately", PLDI 1996, figure 3. Both take some microseconds where their fast path does not apply.
 *
 * Nothing here depends on the rounding mode except the fast paths, and lockstep never changes that. */
#include "base/number.h"

#include <float.h>

#include "base/big.h"
#include "base/panic.h"

_Static_assert(FLT_EVAL_METHOD == 0, "doubles are computed as doubles");
_Static_assert(DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024, "doubles are IEEE 754 binary64");

#define MANTISSA_BITS 52
#define EXPONENT_ALL_ONES UINT64_C(0x7ff)

/* With 768 significant digits it is settled on which side of every halfway point between two doubles a number lies;
 * what follows only matters for whether it is all zeros. */
#define DIGITS_MAX 800

/* An exponent so large that what is added to it by digits changes nothing. */
#define EXPONENT_LIMIT (INT64_C(1) << 58)

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* What is being read. */
struct reader {
    struct span text;
    size_t at;
};

/* The next byte in lower case, 0 at the end: no byte that matters here is 0. */
static uint8_t peek(const struct reader *reader)
{
    if (reader->at == reader->text.size)
        return 0;
    uint8_t byte = reader->text.data[reader->at];
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

static bool accept(struct reader *reader, uint8_t wanted)
{
    if (peek(reader) != wanted)
        return false;
    reader->at++;
    return true;
}

/* True when exactly `word` is left, in any case. */
static bool rest_is(const struct reader *reader, const char *word)
{
    struct reader ahead = *reader;
    for (; *word != '\0'; word++) {
        if (!accept(&ahead, (uint8_t)*word))
            return false;
    }
    return ahead.at == ahead.text.size;
}

/* Reads what follows an 'e' or 'p'; saturates. False when there is no digit. */
static bool read_exponent(struct reader *reader, int64_t *exponent)
{
    bool negative = accept(reader, '-');
    if (!negative)
        (void)accept(reader, '+');
    if (peek(reader) < '0' || peek(reader) > '9')
        return false;
    int64_t value = 0;
    for (uint8_t byte = peek(reader); byte >= '0' && byte <= '9'; byte = peek(reader)) {
        if (value < EXPONENT_LIMIT / 10)
            value = value * 10 + (byte - '0');
        reader->at++;
    }
    *exponent = negative ? -value : value;
    return true;
}

/* Rounds mantissa * 2^exponent, plus something less than 1 * 2^exponent when `inexact`, to the nearest double, ties to
 * even. The mantissa's top bit is set. False when the result would be infinite or zero. */
static bool round_to_bits(uint64_t mantissa, int64_t exponent, bool inexact, uint64_t *bits)
{
    int64_t exponent_top = exponent > 4096 ? 4096 : exponent < -4096 ? -4096 : exponent;
    exponent_top += 63;
    /* Below the normal range each halving costs a bit; past 64 bits not even rounding up leaves anything. */
    int64_t drop = exponent_top < -1022 ? 11 + (-1022 - exponent_top) : 11;
    if (drop > 64 || exponent_top > 1023)
        return false;
    uint64_t kept = drop == 64 ? 0 : mantissa >> drop;
    uint64_t half = UINT64_C(1) << (drop - 1);
    uint64_t rest = mantissa & (half | (half - 1));
    if (rest > half || (rest == half && (inexact || (kept & 1) != 0)))
        kept++;
    /* Adding rather than joining the parts lets a carry out of the mantissa raise the exponent. */
    *bits = kept;
    if (exponent_top >= -1022)
        *bits += (uint64_t)(exponent_top + 1022) << MANTISSA_BITS;
    return *bits != 0 && *bits >> MANTISSA_BITS < EXPONENT_ALL_ONES;
}

/* A decimal number as read: digits[0..count) as an integer, times 10^exponent. */
struct decimal {
    uint8_t digits[DIGITS_MAX + 1];
    unsigned count; /* 0 for zero */
    int64_t exponent;
};

static void decimal_add_digit(struct decimal *decimal, uint8_t digit, bool *dropped)
{
    if (decimal->count == 0 && digit == 0)
        return;
    if (decimal->count < DIGITS_MAX) {
        decimal->digits[decimal->count++] = digit;
        return;
    }
    decimal->exponent++;
    *dropped = *dropped || digit != 0;
}

/* Reads digits with an optional point and exponent, up to the end of the text. */
static bool read_decimal(struct reader *reader, struct decimal *decimal)
{
    bool any_digit = false;
    bool after_point = false;
    bool dropped = false;
    decimal->count = 0;
    decimal->exponent = 0;
    for (;; reader->at++) {
        uint8_t byte = peek(reader);
        if (byte == '.' && !after_point) {
            after_point = true;
        } else if (byte >= '0' && byte <= '9') {
            any_digit = true;
            decimal->exponent -= after_point;
            decimal_add_digit(decimal, (uint8_t)(byte - '0'), &dropped);
        } else {
            break;
        }
    }
    int64_t exponent = 0;
    if (!any_digit || (accept(reader, 'e') && !read_exponent(reader, &exponent)) || reader->at != reader->text.size)
        return false;
    decimal->exponent += exponent;
    if (dropped) {
        decimal->digits[decimal->count++] = 1;
        decimal->exponent--;
    }
    while (decimal->count > 0 && decimal->digits[decimal->count - 1] == 0) {
        decimal->count--;
        decimal->exponent++;
    }
    return true;
}

/* numerator / denominator to 64 significant bits: the quotient is about mantissa * 2^exponent. Destroys both. */
static uint64_t divide(struct big *numerator, struct big *denominator, int64_t *exponent, bool *inexact)
{
    /* Scale so that numerator / denominator lies in [1, 2): then each step gives one bit, the first of them 1. */
    int shift = (int)big_bit_count(denominator) - (int)big_bit_count(numerator);
    if (shift >= 0)
        big_shift_left(numerator, (unsigned)shift);
    else
        big_shift_left(denominator, (unsigned)-shift);
    if (big_compare(numerator, denominator) < 0) {
        big_shift_left(numerator, 1);
        shift++;
    }
    uint64_t mantissa = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        mantissa <<= 1;
        if (big_compare(numerator, denominator) >= 0) {
            big_subtract(numerator, denominator);
            mantissa |= 1;
        }
        big_shift_left(numerator, 1);
    }
    *exponent = -63 - (int64_t)shift;
    *inexact = numerator->size != 0;
    return mantissa;
}

/* Numbers of few digits are exact as doubles, and so are powers of ten up to 10^22: one operation on two of them rounds
 * once, correctly. */
static bool decimal_to_bits_fast(const struct decimal *decimal, uint64_t *bits)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (decimal->count > 15 || decimal->exponent < -22 || decimal->exponent > 22)
        return false;
    int64_t integer = 0;
    for (unsigned index = 0; index < decimal->count; index++)
        integer = integer * 10 + decimal->digits[index];
    double value = (double)integer;
    if (decimal->exponent >= 0)
        value *= powers[decimal->exponent];
    else
        value /= powers[-decimal->exponent];
    *bits = bits_of(value);
    return true;
}

static bool decimal_to_bits(const struct decimal *decimal, uint64_t *bits)
{
    if (decimal->count == 0) {
        *bits = 0;
        return true;
    }
    if (decimal_to_bits_fast(decimal, bits))
        return true;
    /* The number lies in [10^(magnitude - 1), 10^magnitude); outside these bounds there is nothing to round. */
    int64_t magnitude = decimal->exponent + decimal->count;
    if (magnitude > 310 || magnitude < -325)
        return false;

    struct big numerator;
    struct big denominator;
    big_set(&numerator, 0);
    big_set(&denominator, 1);
    for (unsigned index = 0; index < decimal->count; index++)
        big_multiply_add(&numerator, 10, decimal->digits[index]);
    if (decimal->exponent >= 0)
        big_multiply_power_of_ten(&numerator, (unsigned)decimal->exponent);
    else
        big_multiply_power_of_ten(&denominator, (unsigned)-decimal->exponent);
    int64_t exponent;
    bool inexact;
    uint64_t mantissa = divide(&numerator, &denominator, &exponent, &inexact);
    return round_to_bits(mantissa, exponent, inexact, bits);
}

static int hexadecimal_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Reads what follows "0x", up to the end of the text. */
static bool read_hexadecimal(struct reader *reader, uint64_t *bits)
{
    uint64_t mantissa = 0;
    int64_t exponent = 0;
    bool any_digit = false;
    bool after_point = false;
    bool inexact = false;
    for (;; reader->at++) {
        uint8_t byte = peek(reader);
        int digit = hexadecimal_value(byte);
        if (byte == '.' && !after_point) {
            after_point = true;
            continue;
        }
        if (digit < 0)
            break;
        any_digit = true;
        exponent -= after_point ? 4 : 0;
        if (mantissa >> 60 == 0) {
            mantissa = mantissa << 4 | (uint64_t)digit;
        } else {
            exponent += 4;
            inexact = inexact || digit != 0;
        }
    }
    int64_t written = 0;
    if (!any_digit || (accept(reader, 'p') && !read_exponent(reader, &written)) || reader->at != reader->text.size)
        return false;
    if (mantissa == 0) {
        *bits = 0;
        return true;
    }
    int shift = __builtin_clzll(mantissa);
    return round_to_bits(mantissa << shift, exponent + written - shift, inexact, bits);
}

bool number_parse_double(struct span text, double *out)
{
    struct reader reader = {.text = text};
    bool negative = accept(&reader, '-');
    if (!negative)
        (void)accept(&reader, '+');

    uint64_t bits = EXPONENT_ALL_ONES << MANTISSA_BITS;
    struct reader after_prefix = reader;
    if (accept(&after_prefix, '0') && accept(&after_prefix, 'x')) {
        if (!read_hexadecimal(&after_prefix, &bits))
            return false;
    } else if (!rest_is(&reader, "inf") && !rest_is(&reader, "infinity")) {
        struct decimal decimal;
        if (!read_decimal(&reader, &decimal) || !decimal_to_bits(&decimal, &bits))
            return false;
    }
    *out = double_of(bits | (uint64_t)negative << 63);
    return true;
}

/* The state of printing, all over the same denominator: the rest of the number, and how far from it the text may lie
 * below and above and still be read as the same double. */
struct printer {
    struct big rest;
    struct big below;
    struct big above;
    struct big denominator;
    bool bounds_included; /* ties go to even mantissas, so an even one owns its bounds */
};

static void printer_scale(struct printer *printer, unsigned power_of_ten)
{
    big_multiply_power_of_ten(&printer->rest, power_of_ten);
    big_multiply_power_of_ten(&printer->below, power_of_ten);
    big_multiply_power_of_ten(&printer->above, power_of_ten);
}

/* Sets up mantissa * 2^exponent; `lowest` when the double below it is nearer than the one above. */
static void printer_init(struct printer *printer, uint64_t mantissa, int exponent, bool lowest)
{
    /* All is counted in halves of the distance to a neighbour; in quarters when the distances differ. */
    unsigned halves = lowest ? 2 : 1;
    unsigned up = exponent > 0 ? (unsigned)exponent : 0;
    unsigned down = exponent < 0 ? (unsigned)-exponent : 0;
    big_set(&printer->rest, mantissa);
    big_shift_left(&printer->rest, up + halves);
    big_set(&printer->denominator, 1);
    big_shift_left(&printer->denominator, down + halves);
    big_set(&printer->below, 1);
    big_shift_left(&printer->below, up);
    big_set(&printer->above, 1);
    big_shift_left(&printer->above, up + halves - 1);
    printer->bounds_included = mantissa % 2 == 0;
}

/* Is what is left so close to a whole that it may be rounded up to one? */
static bool high_enough(const struct printer *printer)
{
    struct big sum = printer->rest;
    big_add(&sum, &printer->above);
    int order = big_compare(&sum, &printer->denominator);
    return order > 0 || (order == 0 && printer->bounds_included);
}

/* Is what is left so little that it may be dropped? */
static bool low_enough(const struct printer *printer)
{
    int order = big_compare(&printer->rest, &printer->below);
    return order < 0 || (order == 0 && printer->bounds_included);
}

/* Scales the number into [0.1, 1) and returns the power of ten that was taken out. */
static int printer_normalise(struct printer *printer, int exponent_top)
{
    /* 78913 / 2^18 is log10(2) to six digits, so this is right or too low by one or two, and corrected below. The offset
     * of 400 makes the dividend positive, for division rounds towards zero. */
    int point = (exponent_top * 78913 + (400 << 18)) / (1 << 18) - 400;
    if (point >= 0)
        big_multiply_power_of_ten(&printer->denominator, (unsigned)point);
    else
        printer_scale(printer, (unsigned)-point);
    while (high_enough(printer)) {
        big_multiply_add(&printer->denominator, 10, 0);
        point++;
    }
    return point;
}

/* Takes the next digit out of the rest. */
static unsigned next_digit(struct printer *printer)
{
    printer_scale(printer, 1);
    unsigned digit = 0;
    while (big_compare(&printer->rest, &printer->denominator) >= 0) {
        big_subtract(&printer->rest, &printer->denominator);
        digit++;
    }
    return digit;
}

/* Is the rest nearer to one than to nothing? A tie goes to the even digit. */
static bool rounds_up(const struct printer *printer, unsigned digit)
{
    struct big twice = printer->rest;
    big_shift_left(&twice, 1);
    int order = big_compare(&twice, &printer->denominator);
    return order > 0 || (order == 0 && digit % 2 != 0);
}

/* Writes the shortest digits and returns their count; the number is 0.<digits> * 10^point. */
static unsigned shortest_digits(uint64_t bits, char digits[18], int *point)
{
    uint64_t fraction = bits & ((UINT64_C(1) << MANTISSA_BITS) - 1);
    int biased = (int)(bits >> MANTISSA_BITS & EXPONENT_ALL_ONES);
    uint64_t mantissa = biased == 0 ? fraction : fraction | UINT64_C(1) << MANTISSA_BITS;
    int exponent = (biased == 0 ? 1 : biased) - 1075;

    struct printer printer;
    printer_init(&printer, mantissa, exponent, fraction == 0 && biased > 1);
    *point = printer_normalise(&printer, exponent + 63 - __builtin_clzll(mantissa));
    unsigned count = 0;
    for (;;) {
        unsigned digit = next_digit(&printer);
        bool may_drop = low_enough(&printer);
        bool may_raise = high_enough(&printer);
        bool done = may_drop || may_raise;
        if (may_raise && (!may_drop || rounds_up(&printer, digit)))
            digit++;
        invariant(digit <= 9 && count < 17, "17 digits tell a double from all others");
        digits[count++] = (char)('0' + digit);
        if (done)
            return count;
    }
}

static size_t put(char *out, size_t at, const char *from, size_t size)
{
    memcpy(out + at, from, size);
    return at + size;
}

static size_t put_zeros(char *out, size_t at, size_t count)
{
    memset(out + at, '0', count);
    return at + count;
}

size_t number_print_double(char out[NUMBER_DOUBLE_SIZE_MAX], double value)
{
    uint64_t bits = bits_of(value);
    bool negative = bits >> 63 != 0;
    bits &= UINT64_MAX >> 1;
    if (bits > EXPONENT_ALL_ONES << MANTISSA_BITS)
        return put(out, 0, "nan", 3);
    /* Whole numbers below 2^53 are the usual case and exact as integers; both zeros are among them. */
    if (value > -9007199254740992.0 && value < 9007199254740992.0 && (double)(int64_t)value == value)
        return number_print_i64(out, (int64_t)value);

    size_t at = negative ? put(out, 0, "-", 1) : 0;
    if (bits == EXPONENT_ALL_ONES << MANTISSA_BITS)
        return put(out, at, "inf", 3);
    char digits[18];
    int point;
    unsigned count = shortest_digits(bits, digits, &point);
    if (point <= 0) {
        at = put(out, at, "0.", 2);
        at = put_zeros(out, at, (size_t)-point);
        return put(out, at, digits, count);
    }
    size_t whole = (size_t)point;
    if (whole >= count) {
        at = put(out, at, digits, count);
        return put_zeros(out, at, whole - count);
    }
    at = put(out, at, digits, whole);
    at = put(out, at, ".", 1);
    return put(out, at, digits + whole, count - whole);
}
