/* Numbers to text and back, the same on every machine and in every locale.
 *
 * The services use these in place of strtod and printf: replicas must agree on every digit, and libc's functions obey
 * a locale and a rounding mode. Doubles are IEEE 754 binary64. number.c (integers) and number_double.c describe the
 * methods. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Bytes that the printing functions may write; none of them writes a terminator. The longest integer is
 * "-9223372036854775808" or "18446744073709551615". The longest double is a negative subnormal number of 17 digits:
 * "-0.", 323 zeros and the digits, and 352 leaves room. */
#define NUMBER_INTEGER_SIZE_MAX 21
#define NUMBER_DOUBLE_SIZE_MAX 352

/* Reads a signed integer, with the strictness of Redis' string2ll: decimal digits only, no leading zeros, no spaces,
 * no plus, no "-0", within int64_t. False, and `out` untouched, for anything else. */
bool number_parse_i64(struct span text, int64_t *out);

/* Writes a signed integer in decimal; returns how many bytes were written. */
size_t number_print_i64(char out[NUMBER_INTEGER_SIZE_MAX], int64_t value);

/* Writes an unsigned integer in decimal; returns how many bytes were written. */
size_t number_print_u64(char out[NUMBER_INTEGER_SIZE_MAX], uint64_t value);

/* Reads a double, rounded to the nearest (ties to even), from what Redis' string2ld takes: a decimal number with
 * optional sign, point and exponent ("5", "+.5", "-5.25", "1e3"), a hexadecimal one ("0x1.8p3"), "inf" or "infinity"
 * in any case; no surrounding spaces. False, and `out` untouched, for anything else: for "nan", for a number too large
 * for a double, and for one that is not zero but rounds to zero. */
bool number_parse_double(struct span text, double *out);

/* Writes a double as Redis' INCRBYFLOAT shows it to people: in fixed notation without an exponent, however long, with
 * no trailing zeros after the point and no bare point; returns how many bytes were written. The digits are the fewest
 * that number_parse_double reads back as the same double, and of those the closest to it, so 10.5 + 0.1 is "10.6",
 * 5.0e3 is "5000" and 3.0 is "3". Both zeros are "0"; the rest are "inf", "-inf" and "nan". */
size_t number_print_double(char out[NUMBER_DOUBLE_SIZE_MAX], double value);

#endif
