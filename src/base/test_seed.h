/* Seeds of randomised unit tests. For *_test.c files only. */
#ifndef BASE_TEST_SEED_H
#define BASE_TEST_SEED_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The seed for a randomised test: LOCKSTEP_SEED of the environment when set, else 1, so that an ordinary run repeats
 * bit for bit. Prints it and the command that replays it; `program` is the test's executable, as ctest names it. */
static inline uint64_t test_seed(const char *program)
{
    const char *text = getenv("LOCKSTEP_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 1;
    printf("seed %" PRIu64 "; replay with: LOCKSTEP_SEED=%" PRIu64 " unit/%s\n", seed, seed, program);
    return seed;
}

#endif
