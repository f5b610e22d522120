/* Continuous-time Markov chains with a few hundred states, solved exactly.
 *
 * A chain has states 0 to states - 1, a rate from each to each, and from each state a rate of leaving for good. What
 * `lockstep plan` asks spans thirty orders of magnitude: an unavailability of 1e-12, a mean time of 1e15 years. Solving
 * the equations with Gauss's elimination loses all digits there, because it subtracts rates that nearly cancel. All
 * three solvers here add, multiply and divide numbers that are not negative, and so keep the relative precision of
 * every single result:
 *
 * - the stationary distribution by state reduction (Grassmann, Taksar and Heyman, "Regenerative analysis and steady
 *   state distributions for Markov chains", Operations Research 33(5), 1985; why it keeps the digits: O'Cinneide,
 *   "Entrywise perturbation theory and error analysis for Markov chains", Numerische Mathematik 65, 1993);
 * - mean times until leaving by the same reduction, where a removed state hands on its time as well as its rates;
 * - the probability of having left at a time by uniformisation (Jensen 1953) over a short step, then squaring.
 *
 * Rates are per second, times in seconds; any other unit does if it is used throughout. */
#ifndef LOCKSTEP_LAB_PLAN_CHAIN_H
#define LOCKSTEP_LAB_PLAN_CHAIN_H

#include <stdint.h>

#include "base/heap.h"

struct chain {
    struct heap *heap;
    uint32_t states;
    double *rates; /* states * states, row by row: from, to; the diagonal is 0 */
    double *leave; /* states: rates of leaving for good */
};

/* Makes a chain without any rate. ERROR_NO_MEMORY, and then nothing is to be freed. At least one state. */
int chain_create(struct chain *chain, struct heap *heap, uint32_t states);
void chain_destroy(struct chain *chain);

/* Adds to the rate from one state to another (another one: an invariant), or to its rate of leaving. Not negative. */
void chain_add(struct chain *chain, uint32_t from, uint32_t to, double rate);
void chain_add_leave(struct chain *chain, uint32_t from, double rate);

/* The share of time that is spent in each state in the long run. Rates of leaving are ignored. ERROR_INVALID when some
 * state cannot be left for one with a lower number, so that there may be no such distribution or more than one. */
int chain_stationary(const struct chain *chain, double *share);

/* The mean time until leaving for good, from each state. ERROR_INVALID when some state is never left for good. */
int chain_mean_time(const struct chain *chain, double *seconds);

/* The probability of having left for good within that time, beginning in the state. Time and memory grow with the cube
 * and the square of the states. */
int chain_left_within(const struct chain *chain, uint32_t start, double seconds, double *probability);

#endif
