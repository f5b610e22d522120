#include "lab/plan/plan_simulate.h"

#include <math.h>

#include "base/error.h"
#include "base/panic.h"
#include "base/random.h"

enum member_state { MEMBER_UP, MEMBER_CRASHED, MEMBER_LOST, MEMBER_STATES };

/* What a cycle looks for, and by that what it draws more often than happens. */
enum wanted { WANTED_NOTHING, WANTED_OUTAGE, WANTED_DATA_LOSS };

/* Shares of the draws of a biased cycle: failures against repairs; and, of failures, those of the wanted kind. */
static const double FAILURES_DRAWN = 0.5;
static const double DISKS_DRAWN = 0.8;

/* A cycle is biased for its first draws only: weights that many draws have multiplied spread over so many orders of
 * magnitude that no interval is to be trusted. Three for each failure that a loss takes are enough to see it. */
static uint32_t draws_biased(const struct plan_group *group)
{
    return 2 + 3 * (group->members - group->quorum + 1);
}

struct run {
    const struct plan_group *group;
    struct random random;
    uint64_t steps;
    enum member_state members[PLAN_MEMBERS_MAX];
};

/* What one cycle came to. Times are in seconds. */
struct cycle {
    double weight;         /* of the cycle as drawn */
    double outage_s;       /* in outages, weighted */
    double until_outage_s; /* until the first outage or the end */
    double until_data_loss_s;
    double whole_s;
    bool outage, data_loss; /* seen */
    double loss_weight;     /* of what was wanted when it was first seen */
};

static uint32_t count_of(const struct run *run, enum member_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->group->members; i++)
        count += run->members[i] == state;
    return count;
}

/* Moves a member in that state, each of them equally likely. */
static void move_one(struct run *run, enum member_state from, enum member_state to)
{
    uint64_t skip = random_below(&run->random, count_of(run, from));
    for (uint32_t i = 0; i < run->group->members; i++)
        if (run->members[i] == from && skip-- == 0) {
            run->members[i] = to;
            return;
        }
}

/* From 0 to just below 1, in steps of 2^-53. */
static double draw(struct random *random)
{
    return (double)(random_u64(random) >> 11) * 0x1p-53;
}

/* ---- one step ---- */

enum transition { CRASH, DISK_UP, DISK_CRASHED, RESTART, REFILL, TRANSITIONS };

static const enum member_state transition_from[TRANSITIONS] = {MEMBER_UP, MEMBER_UP, MEMBER_CRASHED, MEMBER_CRASHED,
                                                               MEMBER_LOST};
static const enum member_state transition_to[TRANSITIONS] = {MEMBER_CRASHED, MEMBER_LOST, MEMBER_LOST, MEMBER_UP,
                                                             MEMBER_UP};

static void rates_of(const struct run *run, double rates[TRANSITIONS])
{
    struct plan_rates r = plan_rates_of(run->group, count_of(run, MEMBER_UP), count_of(run, MEMBER_CRASHED),
                                        count_of(run, MEMBER_LOST));
    rates[CRASH] = r.crash;
    rates[DISK_UP] = r.disk_up;
    rates[DISK_CRASHED] = r.disk_crashed;
    rates[RESTART] = r.restart;
    rates[REFILL] = r.refill;
}

/* Scales a class of transitions to a share of all draws. */
static void scale(double odds[TRANSITIONS], const double rates[TRANSITIONS], enum transition first,
                  enum transition last, double share)
{
    double sum = 0;
    for (int i = (int)first; i <= (int)last; i++)
        sum += rates[i];
    for (int i = (int)first; i <= (int)last; i++)
        odds[i] = sum > 0 ? share * rates[i] / sum : 0;
}

/* The odds with which a cycle that wants something draws; they need not add up to 1. */
static void bias(double odds[TRANSITIONS], const double rates[TRANSITIONS], enum wanted wanted)
{
    if (wanted == WANTED_OUTAGE) {
        scale(odds, rates, CRASH, DISK_CRASHED, FAILURES_DRAWN);
    } else {
        scale(odds, rates, CRASH, CRASH, FAILURES_DRAWN * (1 - DISKS_DRAWN));
        scale(odds, rates, DISK_UP, DISK_CRASHED, FAILURES_DRAWN * DISKS_DRAWN);
    }
    scale(odds, rates, RESTART, REFILL, 1 - FAILURES_DRAWN);
}

static double sum_of(const double values[TRANSITIONS])
{
    double sum = 0;
    for (int i = 0; i < TRANSITIONS; i++)
        sum += values[i];
    return sum;
}

/* Draws by odds; the last that is possible takes what rounding leaves over. */
static enum transition pick(struct run *run, const double odds[TRANSITIONS], double sum)
{
    double at = draw(&run->random) * sum;
    int picked = TRANSITIONS;
    for (int i = 0; i < TRANSITIONS; i++) {
        if (!(odds[i] > 0))
            continue;
        picked = i;
        if (at < odds[i])
            break;
        at -= odds[i];
    }
    invariant(picked < TRANSITIONS, "something can happen in every state of a group");
    return (enum transition)picked;
}

/* Returns how long the state lasted in the mean, and goes on to the next. */
static double step(struct run *run, enum wanted wanted, double *weight)
{
    double rates[TRANSITIONS], odds[TRANSITIONS];
    rates_of(run, rates);
    double rates_sum = sum_of(rates), odds_sum = rates_sum;
    enum transition picked;
    if (wanted == WANTED_NOTHING) {
        picked = pick(run, rates, rates_sum);
    } else {
        bias(odds, rates, wanted);
        odds_sum = sum_of(odds);
        picked = pick(run, odds, odds_sum);
        *weight *= rates[picked] / rates_sum / (odds[picked] / odds_sum);
    }
    move_one(run, transition_from[picked], transition_to[picked]);
    run->steps++;
    return 1 / rates_sum;
}

/* ---- one cycle ---- */

/* Notes what the state now is, after a step. */
static void look(const struct run *run, enum wanted wanted, struct cycle *cycle)
{
    uint32_t crashed = count_of(run, MEMBER_CRASHED), lost = count_of(run, MEMBER_LOST);
    if (!cycle->outage && plan_is_outage(run->group, crashed, lost)) {
        cycle->outage = true;
        if (wanted == WANTED_OUTAGE)
            cycle->loss_weight = cycle->weight;
    }
    if (!cycle->data_loss && plan_is_data_loss(run->group, crashed, lost)) {
        cycle->data_loss = true;
        if (wanted == WANTED_DATA_LOSS)
            cycle->loss_weight = cycle->weight;
    }
}

/* Whether nothing more is to be learnt from a cycle before its end. */
static bool is_enough(const struct cycle *cycle, enum wanted wanted, bool repaired)
{
    if (wanted == WANTED_DATA_LOSS)
        return cycle->data_loss;
    return !repaired && cycle->outage && (wanted == WANTED_OUTAGE || cycle->data_loss);
}

static struct cycle run_cycle(struct run *run, enum wanted wanted, bool repaired, bool data_can_be_lost)
{
    struct cycle cycle = {.weight = 1};
    for (uint32_t i = 0; i < run->group->members; i++)
        run->members[i] = MEMBER_UP;
    for (uint64_t first = run->steps; run->steps < PLAN_STEPS_MAX;) {
        bool out = plan_is_outage(run->group, count_of(run, MEMBER_CRASHED), count_of(run, MEMBER_LOST));
        double weight_before = cycle.weight;
        /* Once it has been seen, the cycle goes on as it would. */
        bool biased = run->steps - first < draws_biased(run->group) && !(wanted == WANTED_OUTAGE && cycle.outage);
        double lasted_s = step(run, biased ? wanted : WANTED_NOTHING, &cycle.weight);
        cycle.whole_s += lasted_s;
        if (out)
            cycle.outage_s += weight_before * lasted_s;
        if (!cycle.outage)
            cycle.until_outage_s += lasted_s;
        if (!cycle.data_loss)
            cycle.until_data_loss_s += lasted_s;
        look(run, wanted, &cycle);
        if (is_enough(&cycle, wanted, repaired) || (!repaired && cycle.outage && !data_can_be_lost) ||
            count_of(run, MEMBER_UP) == run->group->members)
            break;
    }
    return cycle;
}

/* ---- means ---- */

struct sum {
    double sum, squares;
};

static void sum_add(struct sum *sum, double value)
{
    sum->sum += value;
    sum->squares += value * value;
}

static struct plan_estimate mean_of(const struct sum *sum, uint64_t count)
{
    double n = (double)count, mean = sum->sum / n;
    double variance = (sum->squares / n - mean * mean) * n / (n - 1);
    return (struct plan_estimate){mean, sqrt((variance > 0 ? variance : 0) / n)};
}

/* The quotient of two means that were found independently, with its interval: relative variances add up (the delta
 * method). half_width of the two is their standard error. */
static struct plan_estimate quotient(struct plan_estimate above, struct plan_estimate below)
{
    static const double DEVIATIONS_95 = 1.96;
    if (!(below.mean > 0))
        return (struct plan_estimate){INFINITY, INFINITY};
    double mean = above.mean / below.mean;
    double a = above.mean > 0 ? above.half_width / above.mean : 0, b = below.half_width / below.mean;
    return (struct plan_estimate){mean, DEVIATIONS_95 * mean * sqrt(a * a + b * b)};
}

int plan_simulate(const struct plan_group *group, uint64_t cycles, uint64_t seed, struct plan_simulation *out)
{
    invariant(cycles >= 2, "an interval needs two cycles at least");
    struct run run = {.group = group};
    struct sum whole = {0}, until_outage = {0}, until_data_loss = {0}, outage_s = {0}, outage = {0}, data_loss = {0};
    bool disks = !isinf(group->disk_mttf_s), data_can_be_lost = disks || !group->durable;
    bool repaired = !isinf(group->mttr_s) && !(disks && isinf(group->disk_mttr_s));
    random_seed(&run.random, seed);
    for (uint64_t i = 0; i < cycles && run.steps < PLAN_STEPS_MAX; i++) {
        struct cycle plain = run_cycle(&run, WANTED_NOTHING, repaired, data_can_be_lost);
        sum_add(&whole, plain.whole_s);
        sum_add(&until_outage, plain.until_outage_s);
        sum_add(&until_data_loss, plain.until_data_loss_s);
        struct cycle biased = run_cycle(&run, WANTED_OUTAGE, repaired, data_can_be_lost);
        sum_add(&outage, biased.loss_weight);
        sum_add(&outage_s, biased.outage_s);
        if (data_can_be_lost) {
            enum wanted loss = group->durable ? WANTED_DATA_LOSS : WANTED_OUTAGE;
            biased = run_cycle(&run, loss, repaired, data_can_be_lost);
            sum_add(&data_loss, biased.loss_weight);
        }
    }
    *out = (struct plan_simulation){.cycles = cycles, .steps = run.steps, .unavailability = {1, 0}};
    if (run.steps >= PLAN_STEPS_MAX)
        return ERROR_TOO_LARGE;
    if (repaired)
        out->unavailability = quotient(mean_of(&outage_s, cycles), mean_of(&whole, cycles));
    out->quorum_loss_s = quotient(mean_of(&until_outage, cycles), mean_of(&outage, cycles));
    out->data_loss_s = quotient(mean_of(&until_data_loss, cycles), mean_of(&data_loss, cycles));
    return OK;
}
