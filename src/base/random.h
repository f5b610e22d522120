/* A generator of pseudo-random numbers whose state is part of whoever draws from it.
 *
 * xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 2021): 256 bits of
 * state, period 2^256 - 1, integers only, so the sequence is the same everywhere. Not for keys or secrets. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t s[4]; /* never all zero */
};

/* Fills the state from a seed by splitmix64, as the authors recommend; any seed will do, 0 too. */
void random_seed(struct random *random, uint64_t seed);

/* The next 64 bits. */
uint64_t random_u64(struct random *random);

/* A number from 0 to n - 1, each equally likely; n is at least 1 (an invariant). May draw more than once (Lemire,
 * "Fast random integer generation in an interval", ACM TOMACS 2019). */
uint64_t random_below(struct random *random, uint64_t n);

/* A number from lo to hi, both included, each equally likely; lo is at most hi (an invariant). */
int64_t random_between(struct random *random, int64_t lo, int64_t hi);

/* True with probability numerator / denominator; the denominator is at least 1 (an invariant), and a numerator that is
 * not below it means always. Draws in every case, so the rest of the sequence does not depend on the odds' extremes
 * being 0 or 1; it may still depend on the denominator. */
bool random_chance(struct random *random, uint64_t numerator, uint64_t denominator);

#endif
