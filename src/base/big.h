/* Exact natural numbers of up to 4352 bits, private to number_double.c.
 *
 * That is enough for every step between a double and its decimal text: the largest number there is 10^1125, the power
 * of ten below a text of 801 digits at the lower end of the doubles' range, shifted up by 64 bits. Plain schoolbook
 * methods. */
#ifndef BASE_BIG_H
#define BASE_BIG_H

#include <stdbool.h>
#include <stdint.h>

#define BIG_LIMB_COUNT 136

struct big {
    uint32_t limbs[BIG_LIMB_COUNT]; /* the least significant first */
    unsigned size;                  /* limbs in use; the last one is not 0, and zero has none */
};

/* Sets the number to `value`. */
void big_set(struct big *big, uint64_t value);

/* big = big * factor + addend. */
void big_multiply_add(struct big *big, uint32_t factor, uint32_t addend);

/* big = big * 10^exponent. */
void big_multiply_power_of_ten(struct big *big, unsigned exponent);

/* big = big * 2^count. */
void big_shift_left(struct big *big, unsigned count);

/* big = big + other. */
void big_add(struct big *big, const struct big *other);

/* big = big - other, which is at most big (an invariant). */
void big_subtract(struct big *big, const struct big *other);

/* Negative, zero or positive as a <, =, > b. */
int big_compare(const struct big *a, const struct big *b);

/* Position of the highest bit that is set, plus 1; 0 for zero. */
unsigned big_bit_count(const struct big *big);

#endif
