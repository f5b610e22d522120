/* Exact natural numbers. */
#include "base/big.h"

#include "base/panic.h"

static void trim(struct big *big)
{
    while (big->size > 0 && big->limbs[big->size - 1] == 0)
        big->size--;
}

static void append(struct big *big, uint32_t limb)
{
    invariant(big->size < BIG_LIMB_COUNT, "an exact number keeps within its limbs");
    big->limbs[big->size++] = limb;
}

void big_set(struct big *big, uint64_t value)
{
    big->limbs[0] = (uint32_t)value;
    big->limbs[1] = (uint32_t)(value >> 32);
    big->size = 2;
    trim(big);
}

void big_multiply_add(struct big *big, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    for (unsigned index = 0; index < big->size; index++) {
        carry += (uint64_t)big->limbs[index] * factor;
        big->limbs[index] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0)
        append(big, (uint32_t)carry);
    trim(big);
}

void big_multiply_power_of_ten(struct big *big, unsigned exponent)
{
    for (; exponent >= 9; exponent -= 9)
        big_multiply_add(big, 1000000000, 0);
    for (; exponent > 0; exponent--)
        big_multiply_add(big, 10, 0);
}

void big_shift_left(struct big *big, unsigned count)
{
    unsigned limbs = count / 32;
    unsigned bits = count % 32;
    if (big->size == 0)
        return;
    invariant(big->size + limbs < BIG_LIMB_COUNT, "an exact number keeps within its limbs");
    uint32_t carry = 0;
    /* From the top, so that no limb is overwritten before it was read. */
    if (bits != 0)
        carry = big->limbs[big->size - 1] >> (32 - bits);
    for (unsigned index = big->size; index-- > 0;) {
        uint32_t low = bits != 0 && index > 0 ? big->limbs[index - 1] >> (32 - bits) : 0;
        big->limbs[index + limbs] = big->limbs[index] << bits | low;
    }
    for (unsigned index = 0; index < limbs; index++)
        big->limbs[index] = 0;
    big->size += limbs;
    if (carry != 0)
        append(big, carry);
}

void big_add(struct big *big, const struct big *other)
{
    while (big->size < other->size)
        append(big, 0);
    uint64_t carry = 0;
    for (unsigned index = 0; index < big->size; index++) {
        carry += big->limbs[index];
        carry += index < other->size ? other->limbs[index] : 0;
        big->limbs[index] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0)
        append(big, (uint32_t)carry);
}

void big_subtract(struct big *big, const struct big *other)
{
    uint64_t borrow = 0;
    invariant(other->size <= big->size, "natural numbers do not go below zero");
    for (unsigned index = 0; index < big->size; index++) {
        uint64_t take = borrow + (index < other->size ? other->limbs[index] : 0);
        borrow = big->limbs[index] < take;
        big->limbs[index] = (uint32_t)(big->limbs[index] - take);
    }
    invariant(borrow == 0, "natural numbers do not go below zero");
    trim(big);
}

int big_compare(const struct big *a, const struct big *b)
{
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    for (unsigned index = a->size; index-- > 0;) {
        if (a->limbs[index] != b->limbs[index])
            return a->limbs[index] < b->limbs[index] ? -1 : 1;
    }
    return 0;
}

unsigned big_bit_count(const struct big *big)
{
    if (big->size == 0)
        return 0;
    return big->size * 32 - (unsigned)__builtin_clz(big->limbs[big->size - 1]);
}
