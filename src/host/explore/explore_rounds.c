/* A synchronous network: what can happen at an instant, and when the clocks move on (explore.h says what the model is).
 *
 * Members that do not influence each other. At most instants members only take in what was said to them, and send
 * nothing before the next timer. Whether that is so is tried: from the member's state, every order of what is under way
 * to it and of what traitors may say, and nothing may leave and no fact of the property change. If it is so for
 * everybody, every order of all those inputs leads where the same inputs lead member after member (they are independent
 * in the sense of Godefroid, "Partial-order methods for the verification of concurrent systems", 1996, chapter 3), and
 * only that order is explored. A crash in the midst of such an instant is one at its beginning, at which any part of
 * what the member sent may be lost; it is offered everywhere, so nothing needs to be said about it.
 *
 * What a traitor says is optional, so a member's turn ends when the next one takes something: state.done. */
#include <string.h>

#include "base/hash.h"
#include "host/explore/explore_rounds.h"

enum { ORDERS_MAX = 12 }; /* messages to one member, of which every order is tried */

enum silent { SILENT_NEW, SILENT_TRIED, SILENT_YES, SILENT_NO };

static bool is_up(const struct explorer *x, const struct state *state, uint32_t place)
{
    return kept_node(x, state->nodes[place])->up;
}

/* ---- members that do not influence each other ---- */

static bool stays_silent(struct explorer *x, const struct state *state, uint32_t node, const uint32_t *messages,
                         uint32_t count);

/* One more input, and then the rest. */
static bool silent_after(struct explorer *x, const struct state *state, uint32_t node, uint32_t input,
                         const uint32_t *rest, uint32_t count, bool lie)
{
    const struct outcome *outcome = explore_outcome(x, node, input);
    if (outcome == NULL || outcome->broken != NULL || outcome->count > 0 ||
        kept_node(x, outcome->node)->facts != kept_node(x, node)->facts)
        return false;
    if (lie && outcome->node == node)
        return true; /* not heeded */
    return stays_silent(x, state, outcome->node, rest, count);
}

static bool try_all(struct explorer *x, const struct state *state, uint32_t node, const uint32_t *messages,
                    uint32_t count)
{
    uint32_t rest[ORDERS_MAX];
    if (count > ORDERS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(rest, messages, i * sizeof rest[0]);
        memcpy(rest + i, messages + i + 1, (count - i - 1) * sizeof rest[0]);
        if (!silent_after(x, state, node, input_of(INPUT_MESSAGE, messages[i]), rest, count - 1, false) ||
            !stays_silent(x, state, node, rest, count - 1)) /* it may be lost */
            return false;
    }
    for (uint32_t from = 0; from < x->config.nodes; from++) {
        const struct lies *lies = explore_is_traitor(x, from) ? explore_lies(x, state, node, from) : NULL;
        for (uint32_t i = 0; lies != NULL && i < lies->count; i++)
            if (!silent_after(x, state, node, input_of(INPUT_LIE, lies->messages[i]), messages, count, true))
                return false;
    }
    return true;
}

/* What was tried is remembered; what is being tried, further up, counts as not silent, which is on the safe side. */
static bool stays_silent(struct explorer *x, const struct state *state, uint32_t node, const uint32_t *messages,
                         uint32_t count)
{
    bool is_new;
    uint64_t known = 0; /* what traitors may say depends on it */
    for (uint32_t i = 0; x->config.traitors != 0 && x->config.property->traitors_listen && i < state->flying_count; i++)
        if (explore_is_traitor(x, kept_message(x, state->flying[i])->to))
            known = hash_mix(known, state->flying[i]);
    struct fingerprint key = {hash_mix(known, node), hash_mix(~known, (uint64_t)node << 32 | count)};
    for (uint32_t i = 0; i < count; i++)
        key = (struct fingerprint){hash_mix(key.low, messages[i]), hash_mix(key.high, messages[i])};
    uint32_t *value = table_put(&x->silent_table, key, &is_new);
    if (value == NULL) {
        explore_fail(x, "memory");
        return false;
    }
    if (!is_new)
        return *value == SILENT_YES;
    *value = SILENT_TRIED;
    bool silent = try_all(x, state, node, messages, count);
    value = table_put(&x->silent_table, key, &is_new);
    if (value == NULL) {
        explore_fail(x, "memory");
        return false;
    }
    *value = silent ? SILENT_YES : SILENT_NO;
    return silent;
}

static uint32_t messages_to(const struct explorer *x, const struct state *state, uint32_t place, uint32_t *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->flying_count; i++)
        if (kept_message(x, state->flying[i])->to == place)
            out[count++] = state->flying[i];
    return count;
}

/* No timer of a member that is up is due; `*next_ns` is when the first one will be, INT64_MAX: never. */
static bool nothing_is_due(const struct explorer *x, const struct state *state, int64_t *next_ns)
{
    *next_ns = INT64_MAX;
    for (uint32_t i = 0; i < x->config.nodes; i++) {
        const struct node *node = explore_node_image(x, state->nodes[i]);
        for (uint32_t k = 0; node->up && k < node->armed_count; k++) {
            int64_t rest = node->armed[k].at_ns - node->now_ns;
            *next_ns = rest < *next_ns ? rest : *next_ns;
        }
    }
    return *next_ns > 0;
}

static bool are_apart(struct explorer *x, const struct state *state)
{
    uint32_t messages[EXPLORE_FLYING_MAX];
    int64_t next_ns;
    if (!x->apart || !nothing_is_due(x, state, &next_ns))
        return false;
    for (uint32_t i = 0; i < x->config.nodes; i++) {
        uint32_t count = messages_to(x, state, i, messages);
        if (is_up(x, state, i) && !stays_silent(x, state, state->nodes[i], messages, count))
            return false;
    }
    return true;
}

void explore_rounds_pass(struct explorer *x, const struct state *from, uint32_t place, struct state *to)
{
    if (x->config.traitors == 0 || !x->config.rounds || !are_apart(x, from))
        return;
    for (uint32_t i = 0; i < place; i++)
        if (is_up(x, from, i))
            to->done |= 1u << i;
}

/* ---- the clocks ---- */

void explore_rounds_clock(struct explorer *x, struct state *state, uint32_t delta_ns)
{
    state->done = 0;
    state->used.requests = (uint8_t)x->config.requests; /* who has not asked by now does not */
    for (uint32_t i = 0; i < x->config.nodes; i++) {
        if (!is_up(x, state, i))
            continue;
        const struct outcome *outcome = explore_outcome(x, state->nodes[i], input_of(INPUT_CLOCK, delta_ns));
        if (outcome != NULL)
            state->nodes[i] = outcome->node;
    }
}

/* ---- what is enabled ---- */

/* Timers of members that are up and due: of all of them, or of the first; those at different members do not meet. */
static bool due_enabled(struct explorer *x, const struct state *state, const struct enabled *to)
{
    for (uint32_t place = 0; place < x->config.nodes; place++) {
        const struct node *node = explore_node_image(x, state->nodes[place]);
        for (uint32_t i = 0; node->up && i < node->armed_count; i++) {
            if (node->armed[i].at_ns > node->now_ns)
                continue;
            if (!enabled_tell(to, place, INPUT_TIMER, i))
                return false;
            if (!x->config.skew)
                return true;
        }
    }
    return true;
}

static bool arrivals_enabled(struct explorer *x, const struct state *state, const uint32_t *messages, uint32_t count,
                             const struct enabled *to)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct kept_message *message = kept_message(x, messages[i]);
        bool cut_off = !is_up(x, state, message->from); /* sent in the instant in which its sender crashed */
        if (!enabled_tell(to, message->to, INPUT_MESSAGE, messages[i]))
            return false;
        if ((cut_off || state->used.losses < x->config.losses) &&
            !enabled_tell(to, message->to, INPUT_LOSS, messages[i]))
            return false;
    }
    return true;
}

/* A second message of a round changes nothing, and so is as good as none. */
static bool is_heeded(struct explorer *x, uint32_t node, uint32_t lie)
{
    const struct outcome *outcome = explore_outcome(x, node, input_of(INPUT_LIE, lie));
    return outcome == NULL || outcome->node != node || outcome->count > 0 || outcome->broken != NULL;
}

static bool lies_enabled(struct explorer *x, const struct state *state, uint32_t place, const struct enabled *to)
{
    for (uint32_t from = 0; from < x->config.nodes; from++) {
        uint32_t node = state->nodes[place];
        const struct lies *lies = explore_is_traitor(x, from) ? explore_lies(x, state, node, from) : NULL;
        for (uint32_t i = 0; lies != NULL && i < lies->count; i++)
            if (is_heeded(x, node, lies->messages[i]) &&
                !enabled_tell(to, place, INPUT_LIE, lies->messages[i]))
                return false;
    }
    return true;
}

/* Who asks, who crashes, and who comes back. */
static bool outside_enabled(struct explorer *x, const struct state *state, const struct enabled *to)
{
    for (uint32_t place = 0; place < x->config.nodes; place++) {
        const struct node *node = explore_node_image(x, state->nodes[place]);
        if (!node->up) {
            bool returns = x->config.restarts && !explore_is_traitor(x, place);
            if (returns && !enabled_tell(to, place, INPUT_RESTART, 0))
                return false;
            continue;
        }
        if (node->batch_count > 0)
            explore_fail(x, "a member stores something, which the explorer does not follow over a synchronous network");
        if (node->requests == 0 && !explore_requests_enabled(x, state, place, to))
            return false;
        if (!explore_crashes_enabled(x, state, place, to))
            return false;
    }
    return true;
}

void explore_rounds_enabled(struct explorer *x, const struct state *state, const struct enabled *to)
{
    uint32_t messages[EXPLORE_FLYING_MAX];
    int64_t next_ns;
    bool due = !nothing_is_due(x, state, &next_ns);
    if (due && (!due_enabled(x, state, to) || !x->config.skew))
        return;
    if (!outside_enabled(x, state, to))
        return;
    bool apart = are_apart(x, state), awaited = false;
    for (uint32_t place = 0; place < x->config.nodes && !(apart && awaited); place++) {
        if (!is_up(x, state, place) || (apart && (state->done >> place & 1) != 0))
            continue;
        uint32_t count = messages_to(x, state, place, messages);
        awaited |= count > 0;
        if (!arrivals_enabled(x, state, messages, count, to) || !lies_enabled(x, state, place, to))
            return;
    }
    if (!awaited && !due && next_ns != INT64_MAX)
        enabled_tell(to, 0, INPUT_CLOCK, (uint32_t)next_ns);
}
