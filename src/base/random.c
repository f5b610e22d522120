/* xoshiro256**, and draws from it without bias. */
#include "base/random.h"

#include "base/panic.h"

static uint64_t rotate(uint64_t value, unsigned by)
{
    return value << by | value >> (64 - by);
}

void random_seed(struct random *random, uint64_t seed)
{
    for (unsigned index = 0; index < 4; index++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t word = seed;
        word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
        random->s[index] = word ^ word >> 31;
    }
}

uint64_t random_u64(struct random *random)
{
    uint64_t *s = random->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

/* The full product of two words: its upper half, and its lower half through `low`. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t *low)
{
    uint64_t a_low = a & 0xffffffff;
    uint64_t b_low = b & 0xffffffff;
    uint64_t middle = (a >> 32) * b_low + (a_low * b_low >> 32);
    uint64_t cross = a_low * (b >> 32) + (middle & 0xffffffff);
    *low = a * b;
    return (a >> 32) * (b >> 32) + (middle >> 32) + (cross >> 32);
}

uint64_t random_below(struct random *random, uint64_t n)
{
    invariant(n > 0, "a draw has at least one outcome");
    uint64_t low;
    uint64_t high = multiply(random_u64(random), n, &low);
    if (low < n) {
        /* 2^64 modulo n outcomes would come up once too often: they are drawn again. */
        uint64_t surplus = (UINT64_MAX - n + 1) % n;
        while (low < surplus)
            high = multiply(random_u64(random), n, &low);
    }
    return high;
}

int64_t random_between(struct random *random, int64_t lo, int64_t hi)
{
    invariant(lo <= hi, "a draw has at least one outcome");
    uint64_t width = (uint64_t)hi - (uint64_t)lo;
    uint64_t offset = width == UINT64_MAX ? random_u64(random) : random_below(random, width + 1);
    return (int64_t)((uint64_t)lo + offset);
}

bool random_chance(struct random *random, uint64_t numerator, uint64_t denominator)
{
    return random_below(random, denominator) < numerator;
}
