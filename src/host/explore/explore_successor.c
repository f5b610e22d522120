/* Global states of an exploration: which transitions are enabled, and the state after one.
 *
 * The channel keeps at most `copies` of the same message under way and loses more: a protocol that repeats itself would
 * otherwise never be explored to the end. Each run explored is so a run of a channel that may lose. */
#include <string.h>

#include "host/explore/explore_rounds.h"

static uint32_t pair_of(const struct explorer *x, uint32_t message)
{
    return (uint32_t)kept_message(x, message)->from << 8 | kept_message(x, message)->to;
}

/* Where a message goes in the list, which is in the order of numbers, or of channels and then of sending. */
static uint32_t place_of(const struct explorer *x, const struct state *state, uint32_t message, uint32_t *same)
{
    uint32_t at = state->flying_count;
    *same = 0;
    if (x->config.fifo) {
        while (at > 0 && pair_of(x, state->flying[at - 1]) > pair_of(x, message))
            at--;
        for (uint32_t i = 0; i < state->flying_count; i++)
            *same += state->flying[i] == message;
        return at;
    }
    while (at > 0 && state->flying[at - 1] >= message)
        *same += state->flying[--at] == message;
    return at;
}

/* Over a synchronous network what nobody will ever take is not under way, unless traitors listen. */
static bool is_nobodys(const struct explorer *x, const struct state *state, uint32_t message)
{
    uint32_t to = kept_message(x, message)->to;
    if (!x->config.rounds)
        return false;
    if (explore_is_traitor(x, to))
        return !x->config.property->traitors_listen;
    return state->nodes[to] != 0 && !kept_node(x, state->nodes[to])->up;
}

static void fly(struct explorer *x, struct state *state, uint32_t message)
{
    uint32_t same, at = place_of(x, state, message, &same);
    if (same >= x->config.copies || is_nobodys(x, state, message))
        return;
    if (state->flying_count == EXPLORE_FLYING_MAX) {
        explore_fail(x, "more messages are under way than the explorer keeps (120): explore fewer requests or timers");
        return;
    }
    memmove(&state->flying[at + 1], &state->flying[at], (state->flying_count - at) * sizeof state->flying[0]);
    state->flying[at] = message;
    state->flying_count++;
}

static void land(struct state *state, uint32_t message)
{
    uint32_t at = 0;
    while (state->flying[at] != message)
        at++;
    state->flying_count--;
    memmove(&state->flying[at], &state->flying[at + 1], (state->flying_count - at) * sizeof state->flying[0]);
}

/* What a member sends to itself is in its own memory; over a synchronous network all that is sent to who is down is
 * gone, since the clocks wait for nobody who does not listen. */
static void forget_own(struct explorer *x, struct state *state, uint32_t place)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < state->flying_count; i++) {
        const struct kept_message *message = kept_message(x, state->flying[i]);
        if (message->to != place || (message->from != place && !x->config.rounds))
            state->flying[kept++] = state->flying[i];
    }
    state->flying_count = kept;
}

static uint32_t ghost_keep(struct explorer *x, const uint8_t *ghost)
{
    bool is_new;
    uint32_t size = x->config.property->ghost_size;
    uint32_t *value = table_put(&x->ghost_table, fingerprint_of(ghost, size), &is_new);
    if (value == NULL || !is_new)
        return value == NULL ? 0 : *value;
    uint8_t *kept = pool_take(&x->ghosts, EXPLORE_GHOST_MAX);
    struct fingerprint *hashes = pool_take(&x->hashes, x->permutation_count * sizeof *hashes);
    if (kept == NULL || hashes == NULL) {
        explore_fail(x, "memory");
        return 0;
    }
    memcpy(kept, ghost, size);
    for (uint32_t i = 0; i < x->permutation_count; i++)
        hashes[i] = explore_ghost_fingerprint(x, ghost, i);
    uint64_t *place = pool_take(&x->ghost_hashes, sizeof *place);
    if (place == NULL) {
        explore_fail(x, "memory");
        return 0;
    }
    *place = (uint64_t)((uint8_t *)hashes - x->hashes.bytes);
    return *value = x->ghost_count++;
}

/* The property's word on the new state; its ghost goes into the state. */
static const char *judge(struct explorer *x, struct state *state, uint32_t place)
{
    const struct explore_property *property = x->config.property;
    if (property == NULL)
        return NULL;
    uint8_t ghost[EXPLORE_GHOST_MAX];
    const uint8_t *before = x->ghosts.bytes + (size_t)state->ghost * EXPLORE_GHOST_MAX;
    memcpy(ghost, before, property->ghost_size);
    const void *facts[EXPLORE_NODES_MAX];
    for (uint32_t i = 0; i < x->config.nodes; i++)
        facts[i] = facts_of(x, state->nodes[i]);
    const char *broken = property->check(facts, x->config.nodes, place, ghost);
    if (memcmp(ghost, before, property->ghost_size) != 0)
        state->ghost = ghost_keep(x, ghost);
    return broken;
}

void explore_first(struct explorer *x, struct state *out)
{
    memset(out, 0, sizeof *out);
    if (x->config.property != NULL) {
        uint8_t ghost[EXPLORE_GHOST_MAX] = {0};
        out->ghost = ghost_keep(x, ghost);
    }
    for (uint32_t i = 0; i < x->config.nodes; i++) {
        out->nodes[i] = explore_node_first(x, i, x->config.crashes > 0 && !explore_is_traitor(x, i));
        for (uint32_t m = 0; m < x->sent_count; m++)
            fly(x, out, x->sent[m]);
    }
}

/* After the last crash disks are of no more interest. */
static void seal(struct explorer *x, struct state *state)
{
    for (uint32_t i = 0; i < x->config.nodes; i++) {
        const struct outcome *outcome = explore_outcome(x, state->nodes[i], input_of(INPUT_SEAL, 0));
        if (outcome != NULL)
            state->nodes[i] = outcome->node;
    }
}

static void use_budgets(struct explorer *x, struct state *state, const struct node *image, uint32_t place,
                        uint32_t input)
{
    uint32_t argument = input_argument(input);
    switch (input_kind(input)) {
    case INPUT_MESSAGE:
        if (!x->config.doubling)
            land(state, argument);
        break;
    case INPUT_TIMER: {
        uint8_t kind = image->armed[argument].kind;
        if (x->config.timers[kind].limit != EXPLORE_UNLIMITED)
            state->used.timers[kind]++;
        break;
    }
    case INPUT_REQUEST:
        state->used.requests++;
        break;
    case INPUT_CRASH:
        state->used.crashes++;
        forget_own(x, state, place);
        break;
    case INPUT_STORED:
    case INPUT_RESULT:
    case INPUT_RESTART:
    case INPUT_SEAL:
    case INPUT_CHECKPOINTED:
    case INPUT_LIE:
    case INPUT_CLOCK:
    case INPUT_LOSS:
    case INPUT_DOUBLE:
        break;
    }
}

/* A message that a crash may have swallowed: it was never sent whole, or its receiver was gone. */
static bool swallowed(const struct explorer *x, const struct state *state, const struct kept_message *message)
{
    const struct node *from = explore_node_image(x, state->nodes[message->from]);
    if (x->config.rounds)
        return !from->up;
    return x->config.progress && (!kept_node(x, state->nodes[message->to])->up || !from->up ||
                                  message->incarnation < from->incarnation);
}

static void channel(struct explorer *x, struct state *state, uint32_t input)
{
    uint32_t message = input_argument(input);
    if (input_kind(input) == INPUT_LOSS) {
        if (!swallowed(x, state, kept_message(x, message)))
            state->used.losses++;
        land(state, message);
        return;
    }
    state->used.duplicates++;
    uint32_t copies = x->config.copies;
    x->config.copies = UINT32_MAX; /* a doubled message is one more, whatever the bound */
    fly(x, state, message);
    x->config.copies = copies;
}

static void copy_state(const struct state *from, struct state *to)
{
    memcpy(to, from, offsetof(struct state, flying) + from->flying_count * sizeof from->flying[0]);
}

bool explore_successor(struct explorer *x, const struct state *from, uint32_t place, uint32_t input, struct state *to,
                       const char **broken)
{
    *broken = NULL;
    copy_state(from, to);
    if (input_kind(input) == INPUT_LOSS || input_kind(input) == INPUT_DOUBLE) {
        explore_rounds_pass(x, from, place, to);
        channel(x, to, input);
        return true;
    }
    if (input_kind(input) == INPUT_CLOCK) {
        explore_rounds_clock(x, to, input_argument(input));
        return x->failed == NULL;
    }
    if (input_kind(input) == INPUT_MESSAGE || input_kind(input) == INPUT_LIE)
        explore_rounds_pass(x, from, place, to);
    uint32_t before = from->nodes[place];
    const struct outcome *outcome = explore_outcome(x, before, input);
    if (outcome == NULL || outcome->refused)
        return false;
    use_budgets(x, to, explore_node_image(x, before), place, input);
    to->nodes[place] = outcome->node;
    const uint32_t *sent = (const uint32_t *)(const void *)x->sent_pool.bytes + outcome->first;
    for (uint32_t i = 0; i < outcome->count; i++)
        fly(x, to, sent[i]);
    *broken = outcome->broken;
    if (*broken == NULL && kept_node(x, outcome->node)->facts != kept_node(x, before)->facts)
        *broken = judge(x, to, place);
    if (input_kind(input) == INPUT_CRASH && to->used.crashes == x->config.crashes)
        seal(x, to);
    return *broken == NULL && x->failed == NULL;
}

/* ---- what is enabled ---- */

/* True when the member may take a message now. */
static bool listens(const struct explorer *x, uint32_t id)
{
    const struct node *node = explore_node_image(x, id);
    return node->up && (!x->config.synchronous || (node->batch_count == 0 && node->result_count == 0));
}

static bool flying_enabled(struct explorer *x, const struct state *state, const struct enabled *to)
{
    for (uint32_t i = 0; i < state->flying_count; i++) {
        uint32_t id = state->flying[i];
        bool behind = i > 0 && (x->config.fifo ? pair_of(x, id) == pair_of(x, state->flying[i - 1])
                                               : id == state->flying[i - 1] /* copies are alike */);
        if (behind)
            continue;
        const struct kept_message *message = kept_message(x, id);
        if (listens(x, state->nodes[message->to]) && !enabled_tell(to, message->to, INPUT_MESSAGE, id))
            return false;
        bool lost = state->used.losses < x->config.losses || swallowed(x, state, message);
        if (lost && !enabled_tell(to, message->to, INPUT_LOSS, id))
            return false;
        if (state->used.duplicates < x->config.duplicates && !enabled_tell(to, message->to, INPUT_DOUBLE, id))
            return false;
    }
    return true;
}

static bool timers_enabled(struct explorer *x, const struct state *state, uint32_t place, const struct node *node,
                           const struct enabled *to)
{
    for (uint32_t i = 0; i < node->armed_count; i++) {
        uint8_t kind = node->armed[i].kind;
        if (kind == EXPLORE_TIMERS_MAX)
            continue;
        uint8_t limit = x->config.timers[kind].limit;
        bool may = limit == EXPLORE_UNLIMITED || state->used.timers[kind] < limit;
        if (may && !enabled_tell(to, place, INPUT_TIMER, i))
            return false;
    }
    return true;
}

bool explore_crashes_enabled(struct explorer *x, const struct state *state, uint32_t place, const struct enabled *to)
{
    const struct node *node = explore_node_image(x, state->nodes[place]);
    if (state->used.crashes >= x->config.crashes)
        return true;
    for (uint32_t cut = node->durable; cut <= node->written; cut++)
        if (!enabled_tell(to, place, INPUT_CRASH, cut))
            return false;
    return true;
}

/* The same requests of all clients: each in its turn, or each with any of the values. */
bool explore_requests_enabled(struct explorer *x, const struct state *state, uint32_t place, const struct enabled *to)
{
    const struct explore_config *config = &x->config;
    bool asked = state->used.requests < config->requests &&
                 (config->request_at == 0 || config->request_at == x->members[place]);
    if (!asked)
        return true;
    for (uint32_t i = 0; i < config->values; i++)
        if (!enabled_tell(to, place, INPUT_REQUEST, config->value_first + i))
            return false;
    return config->values > 0 || enabled_tell(to, place, INPUT_REQUEST, state->used.requests);
}

static bool node_enabled(struct explorer *x, const struct state *state, uint32_t place, const struct enabled *to)
{
    const struct node *node = explore_node_image(x, state->nodes[place]);
    if (!node->up)
        return !x->config.restarts || enabled_tell(to, place, INPUT_RESTART, 0);
    if (node->batch_count > 0 && !enabled_tell(to, place, INPUT_STORED, 0))
        return false;
    if (node->result_count > 0 && !enabled_tell(to, place, INPUT_RESULT, 0))
        return false;
    if (node->result_count > 0 && x->config.refusals && !enabled_tell(to, place, INPUT_RESULT, 1))
        return false;
    if (node->checkpointing && !enabled_tell(to, place, INPUT_CHECKPOINTED, 0))
        return false;
    if (!listens(x, state->nodes[place]))
        return explore_crashes_enabled(x, state, place, to);
    return explore_requests_enabled(x, state, place, to) && timers_enabled(x, state, place, node, to) &&
           explore_crashes_enabled(x, state, place, to);
}

void explore_enabled(struct explorer *x, const struct state *state,
                     bool (*each)(void *context, uint32_t place, uint32_t input), void *context)
{
    const struct enabled to = {each, context};
    if (x->config.rounds) {
        explore_rounds_enabled(x, state, &to);
        return;
    }
    if (!flying_enabled(x, state, &to))
        return;
    for (uint32_t i = 0; i < x->config.nodes; i++)
        if (!node_enabled(x, state, i, &to))
            return;
}
