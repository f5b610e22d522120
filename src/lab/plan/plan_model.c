#include "lab/plan/plan_model.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "lab/plan/plan_chain.h"

enum { STATES_MAX = (PLAN_MEMBERS_MAX + 1) * (PLAN_MEMBERS_MAX + 2) / 2, NO_STATE = -1 };

/* ---- the group ---- */

static bool is_positive(double seconds)
{
    return seconds > 0; /* and false for a NaN */
}

bool plan_group_check(const struct plan_group *group, char *why, size_t why_size)
{
    if (group->members < 1 || group->members > PLAN_MEMBERS_MAX)
        snprintf(why, why_size, "a group of 1 to %d members can be modelled, and this one has %u", PLAN_MEMBERS_MAX,
                 group->members);
    else if (group->quorum < 1 || group->quorum > group->members)
        snprintf(why, why_size, "a quorum of %u cannot be met by %u members", group->quorum, group->members);
    else if (!is_positive(group->mttf_s) || isinf(group->mttf_s))
        snprintf(why, why_size, "the MTTF must be a time that ends, and longer than nothing");
    else if (!is_positive(group->mttr_s) || !is_positive(group->disk_mttf_s) || !is_positive(group->disk_mttr_s))
        snprintf(why, why_size, "the MTTR and the disks' times must be longer than nothing");
    else
        return true;
    return false;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The rate of something that happens once in that time; never is the rate 0. */
static double rate_of(double seconds)
{
    return isinf(seconds) ? 0 : 1 / seconds;
}

bool plan_is_outage(const struct plan_group *group, uint32_t crashed, uint32_t lost)
{
    return crashed + lost > group->members - group->quorum;
}

bool plan_is_data_loss(const struct plan_group *group, uint32_t crashed, uint32_t lost)
{
    return (group->durable ? lost : crashed + lost) > group->members - group->quorum;
}

struct plan_rates plan_rates_of(const struct plan_group *group, uint32_t up, uint32_t crashed, uint32_t lost)
{
    /* Restarts are quick and come first; the crews that are left replace disks. */
    uint32_t crews = group->crews == 0 ? group->members : group->crews;
    uint32_t restarting = least(crashed, crews), refilling = least(lost, crews - restarting);
    bool filled = up >= group->quorum || lost > group->members - group->quorum;
    return (struct plan_rates){
        .crash = up * rate_of(group->mttf_s),
        .disk_up = up * rate_of(group->disk_mttf_s),
        .disk_crashed = crashed * rate_of(group->disk_mttf_s),
        .restart = restarting * rate_of(group->mttr_s),
        .refill = filled ? refilling * rate_of(group->disk_mttr_s) : 0,
    };
}

/* ---- its chain ---- */

/* Where the chain ends. */
enum ending { ENDS_NEVER, ENDS_WITH_OUTAGE, ENDS_WITH_DATA_LOSS };

struct model {
    const struct plan_group *group;
    enum ending ending;
    struct chain chain;
    uint32_t states;
    uint32_t crashed[STATES_MAX], lost[STATES_MAX];
    int number[PLAN_MEMBERS_MAX + 1][PLAN_MEMBERS_MAX + 1]; /* of the state (crashed, lost); NO_STATE: ended */
};

static bool has_ended(const struct model *model, uint32_t crashed, uint32_t lost)
{
    switch (model->ending) {
    case ENDS_NEVER:
        return false;
    case ENDS_WITH_OUTAGE:
        return plan_is_outage(model->group, crashed, lost);
    case ENDS_WITH_DATA_LOSS:
        return plan_is_data_loss(model->group, crashed, lost);
    }
    return false;
}

/* Numbers the states, those with fewer disks lost and then with fewer crashed first: from each a lower one is reached
 * by repair, which is what the reduction needs. State 0 is all up. */
static void number_states(struct model *model)
{
    uint32_t members = model->group->members, lost_most = isinf(model->group->disk_mttf_s) ? 0 : members;
    model->states = 0;
    for (uint32_t lost = 0; lost <= members; lost++)
        for (uint32_t crashed = 0; crashed + lost <= members; crashed++) {
            bool here = lost <= lost_most && !has_ended(model, crashed, lost);
            model->number[crashed][lost] = here ? (int)model->states : NO_STATE;
            if (!here)
                continue;
            model->crashed[model->states] = crashed;
            model->lost[model->states++] = lost;
        }
}

static void add_transition(struct model *model, uint32_t from, uint32_t crashed, uint32_t lost, double rate)
{
    if (rate == 0)
        return;
    int to = model->number[crashed][lost];
    if (to == NO_STATE)
        chain_add_leave(&model->chain, from, rate);
    else
        chain_add(&model->chain, from, (uint32_t)to, rate);
}

static void add_transitions(struct model *model, uint32_t from)
{
    uint32_t crashed = model->crashed[from], lost = model->lost[from];
    uint32_t up = model->group->members - crashed - lost;
    struct plan_rates rates = plan_rates_of(model->group, up, crashed, lost);
    add_transition(model, from, crashed + 1, lost, rates.crash);
    add_transition(model, from, crashed, lost + 1, rates.disk_up);
    if (crashed > 0) {
        add_transition(model, from, crashed - 1, lost + 1, rates.disk_crashed);
        add_transition(model, from, crashed - 1, lost, rates.restart);
    }
    if (lost > 0)
        add_transition(model, from, crashed, lost - 1, rates.refill);
}

/* Ends with chain_destroy. */
static int model_begin(struct model *model, const struct plan_group *group, enum ending ending, struct heap *heap)
{
    model->group = group;
    model->ending = ending;
    number_states(model);
    int error = chain_create(&model->chain, heap, model->states);
    for (uint32_t from = 0; error == OK && from < model->states; from++)
        add_transitions(model, from);
    return error;
}

/* ---- its numbers ---- */

/* Adds up where the group is out, and how often it gets there. */
static void sum_outages(const struct model *model, const double *share, struct plan_outlook *out)
{
    double out_share = 0, begins = 0;
    for (uint32_t from = 0; from < model->states; from++) {
        if (plan_is_outage(model->group, model->crashed[from], model->lost[from])) {
            out_share += share[from];
            continue;
        }
        for (uint32_t to = 0; to < model->states; to++)
            if (plan_is_outage(model->group, model->crashed[to], model->lost[to]))
                begins += share[from] * model->chain.rates[(size_t)from * model->states + to];
    }
    out->unavailability = out_share;
    out->outages_s = 1 / begins;
    out->outage_s = out_share / begins;
}

static int long_run(struct model *model, const struct plan_group *group, struct heap *heap, struct plan_outlook *out)
{
    double share[STATES_MAX];
    out->unavailability = 1;
    out->outages_s = out->outage_s = INFINITY;
    if (isinf(group->mttr_s) || (!isinf(group->disk_mttf_s) && isinf(group->disk_mttr_s)))
        return OK;
    int error = model_begin(model, group, ENDS_NEVER, heap);
    if (error != OK)
        return error;
    error = chain_stationary(&model->chain, share);
    if (error == OK)
        sum_outages(model, share, out);
    chain_destroy(&model->chain);
    return error;
}

/* The mean time to an ending, and its probability within the mission. */
static int first_time(struct model *model, const struct plan_group *group, enum ending ending, double mission_s,
                      struct heap *heap, double *mean_s, double *probability)
{
    double seconds[STATES_MAX];
    *mean_s = INFINITY;
    *probability = 0;
    if (ending == ENDS_WITH_DATA_LOSS && group->durable && isinf(group->disk_mttf_s))
        return OK;
    int error = model_begin(model, group, ending, heap);
    if (error != OK)
        return error;
    error = chain_mean_time(&model->chain, seconds);
    if (error == OK)
        error = chain_left_within(&model->chain, 0, mission_s, probability);
    if (error == OK)
        *mean_s = seconds[0];
    chain_destroy(&model->chain);
    return error;
}

int plan_outlook(const struct plan_group *group, double mission_s, struct heap *heap, struct plan_outlook *out)
{
    struct plan_group alone = *group;
    struct plan_outlook of_one;
    struct model *model = heap_alloc(heap, sizeof *model);
    *out = (struct plan_outlook){.mission_s = mission_s};
    if (model == NULL)
        return ERROR_NO_MEMORY;
    alone.members = alone.quorum = 1;
    int error = long_run(model, &alone, heap, &of_one);
    out->member_unavailability = of_one.unavailability;
    if (error == OK)
        error = long_run(model, group, heap, out);
    if (error == OK)
        error = first_time(model, group, ENDS_WITH_OUTAGE, mission_s, heap, &out->quorum_loss_s, &out->mission_outage);
    if (error == OK)
        error = first_time(model, group, ENDS_WITH_DATA_LOSS, mission_s, heap, &out->data_loss_s,
                           &out->mission_data_loss);
    heap_free(heap, model);
    return error;
}
