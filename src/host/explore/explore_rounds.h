/* The explorer over a synchronous network, and with traitors: what explore_successor.c, explore_rounds.c and
 * explore_lies.c share. */
#ifndef LOCKSTEP_HOST_EXPLORE_EXPLORE_ROUNDS_H
#define LOCKSTEP_HOST_EXPLORE_EXPLORE_ROUNDS_H

#include "host/explore/explore_internal.h"

/* Who is told of transitions that are enabled. */
struct enabled {
    bool (*each)(void *context, uint32_t place, uint32_t input);
    void *context;
};

static inline bool enabled_tell(const struct enabled *to, uint32_t place, enum input_kind kind, uint32_t argument)
{
    return to->each(to->context, place, input_of(kind, argument));
}

/* A client asks the member at `place`, if any may. */
bool explore_requests_enabled(struct explorer *x, const struct state *state, uint32_t place, const struct enabled *to);
bool explore_crashes_enabled(struct explorer *x, const struct state *state, uint32_t place, const struct enabled *to);

/* explore_rounds.c */
void explore_rounds_enabled(struct explorer *x, const struct state *state, const struct enabled *to);
/* Notes in `to` which members took their last input at this instant, when one at `place` took one in `from`. */
void explore_rounds_pass(struct explorer *x, const struct state *from, uint32_t place, struct state *to);
/* All clocks move on. */
void explore_rounds_clock(struct explorer *x, struct state *state, uint32_t delta_ns);

/* explore_lies.c: numbers of the messages that the traitor at `from` may say to that member now. */
struct lies {
    uint32_t count;
    uint32_t messages[];
};
const struct lies *explore_lies(struct explorer *x, const struct state *state, uint32_t node, uint32_t from);

static inline bool explore_is_traitor(const struct explorer *x, uint32_t place)
{
    return (x->config.traitors >> place & 1) != 0;
}

#endif
