/* A Monte Carlo run of the group of plan_model.h, to compare the exact numbers with.
 *
 * It simulates members, each with a state of its own, and shares with the solver the rates and what counts as an
 * outage, nothing else. A plain run would see nothing: outages lie centuries apart. So it uses two things that are
 * exact in the mean (Goyal, Shahabuddin, Heidelberger, Nicola and Glynn, "A unified framework for simulating Markovian
 * models of highly dependable systems", IEEE Transactions on Computers 41(1), 1992):
 *
 * - cycles: a run from all members up until all are up again. The mean time to a loss is the mean time until a cycle
 *   ends or sees a loss, divided by the probability that it sees one;
 * - failure biasing: in the cycles that count losses, failures are drawn as often as repairs, and each draw multiplies
 *   the cycle's weight by its true probability over that with which it was drawn.
 *
 * How long a state lasts is not drawn: its mean is added instead, which leaves the means as they are and removes noise.
 * The same seed gives the same numbers everywhere. */
#ifndef LOCKSTEP_LAB_PLAN_SIMULATE_H
#define LOCKSTEP_LAB_PLAN_SIMULATE_H

#include <stdint.h>

#include "lab/plan/plan_model.h"

/* Failures and repairs that one simulation may take together. */
#define PLAN_STEPS_MAX UINT64_C(400000000)

/* A mean and half the width of the interval in which the truth lies with 95 % probability. */
struct plan_estimate {
    double mean, half_width;
};

struct plan_simulation {
    uint64_t cycles; /* of each kind */
    uint64_t steps;  /* failures and repairs, all together */
    struct plan_estimate unavailability;
    struct plan_estimate quorum_loss_s;
    struct plan_estimate data_loss_s; /* the mean is INFINITY when there is none to be seen */
};

/* Simulates so many cycles of each kind (at least 2: an invariant). ERROR_TOO_LARGE when that took more than
 * PLAN_STEPS_MAX steps: members that are down most of the time make cycles long. Without repair the unavailability is
 * that of the long run, 1. */
int plan_simulate(const struct plan_group *group, uint64_t cycles, uint64_t seed, struct plan_simulation *out);

#endif
