/* Attacks on any group. They look at no field of a message. */
#include "host/world/world.h"
#include "lab/attack/attack.h"

enum { PATIENCES_LATE = 6, EXECUTIONS_DOUBLINGS = 6 };

/* ---- twins ---- */

/* What goes from one side to the other comes late, as through a partition that heals. */
static void hold_sides_apart(struct attack_scene *scene)
{
    uint32_t count = attack_node_count(scene), self = attack_place(scene);
    for (uint32_t from = 0; from < count; from++)
        for (uint32_t to = 0; to < count; to++) {
            uint32_t one = attack_twin_heard(scene, from), other = attack_twin_heard(scene, to);
            bool apart = from != self && to != self && one != other && one != 0 && other != 0;
            attack_hold(scene, from, to, apart ? PATIENCES_LATE * attack_election_ns(scene) : 0);
        }
}

static void twins_begin(void *state, struct attack_scene *scene)
{
    (void)state;
    attack_twin(scene);
    hold_sides_apart(scene);
}

/* Each of the two speaks to those whom it hears. */
static bool twins_send(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)state;
    uint32_t heard = attack_twin_heard(scene, message->to);
    return heard == 0 || (heard == 2) == message->of_twin;
}

static bool twins_hear(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)state;
    (void)message;
    hold_sides_apart(scene);
    return true;
}

const struct world_attack attack_twins = {
    .name = "twins",
    .what = "two instances of it speak to two sides that hear late of one another",
    .classes = WORLD_BYZANTINE | WORLD_DELAY,
    .begins = twins_begin,
    .sends = twins_send,
    .hears = twins_hear,
};

/* ---- silence ---- */

static bool half_silent_sends(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)state;
    int64_t stretch = attack_now_ns(scene) / (1 + 8 * attack_election_ns(scene));
    uint64_t half = attack_draw(scene, (uint64_t)stretch);
    return (half >> message->to & 1) != 0;
}

const struct world_attack attack_half_silent = {
    .name = "half-silent",
    .what = "it says nothing to one half of the others",
    .classes = WORLD_BYZANTINE,
    .sends = half_silent_sends,
};

/* ---- power ---- */

struct executions {
    uint64_t count;
};

static void power_executes(void *state, struct attack_scene *scene, const struct delivery *delivery)
{
    struct executions *executions = state;
    uint64_t wanted = 1 + attack_draw(scene, 0) % (UINT64_C(1) << attack_draw(scene, 1) % EXECUTIONS_DOUBLINGS);
    if (!delivery->read && ++executions->count == wanted)
        attack_power(scene);
}

const struct world_attack attack_power_at_execution = {
    .name = "power-at-execution",
    .what = "the power of all fails as soon as it has executed something",
    .classes = WORLD_POWER,
    .state_size = sizeof(struct executions),
    .executes = power_executes,
};
