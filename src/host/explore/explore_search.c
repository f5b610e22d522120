/* The search over global states: breadth first, so that a violation's trace is a shortest one, or depth first.
 *
 * The fingerprint of a global state is the sum of those of its parts, under the renaming that makes it smallest; a
 * state found first is kept as it is, so the way back from it is a run of the real members. */
#include <string.h>

#include "base/hash.h"
#include "host/explore/explore_internal.h"

static struct fingerprint used_fingerprint(const struct used *used)
{
    uint64_t word;
    memcpy(&word, used, sizeof word);
    return (struct fingerprint){hash_mix(UINT64_C(0x452821e638d01377), word),
                                hash_mix(UINT64_C(0xbe5466cf34e90c6c), word)};
}

/* The members, the ghost and the budgets under a renaming. */
static struct fingerprint joint_sum(const struct explorer *x, const struct state *state, uint32_t permutation)
{
    struct fingerprint sum = used_fingerprint(&state->used);
    if (state->done != 0) {
        uint32_t done = 0;
        for (uint32_t i = 0; i < x->config.nodes; i++)
            done |= (state->done >> x->permutations[permutation][i] & 1) << i;
        sum = fingerprint_add(sum, (struct fingerprint){hash_mix(UINT64_C(0x3f84d5b5b5470917), done),
                                                        hash_mix(UINT64_C(0x9216d5d98979fb1b), done)});
    }
    for (uint32_t i = 0; i < x->config.nodes; i++)
        sum = fingerprint_add(sum, hashes_at(x, kept_node(x, state->nodes[i])->hashes)[permutation]);
    if (x->config.property != NULL)
        sum = fingerprint_add(
            sum, hashes_at(x, ((const uint64_t *)(const void *)x->ghost_hashes.bytes)[state->ghost])[permutation]);
    return sum;
}

static struct fingerprint flying_sum(const struct explorer *x, const struct state *state, uint32_t permutation)
{
    struct fingerprint sum = {0, 0};
    uint64_t behind = 0; /* in a channel that keeps the order: how many messages are in front */
    for (uint32_t i = 0; i < state->flying_count; i++) {
        const struct kept_message *message = kept_message(x, state->flying[i]);
        const struct kept_message *before = i > 0 ? kept_message(x, state->flying[i - 1]) : message;
        struct fingerprint print = hashes_at(x, message->hashes)[permutation];
        behind = i > 0 && before->from == message->from && before->to == message->to ? behind + 1 : 0;
        if (x->config.fifo)
            print = (struct fingerprint){hash_mix(print.low, behind), hash_mix(print.high, behind)};
        sum = fingerprint_add(sum, print);
    }
    return sum;
}

/* The renaming that makes a state smallest: its members first, then what is under way. */
struct orbit {
    struct fingerprint joint, whole;
    uint32_t permutation;
    uint32_t size; /* states that this one stands for */
};

static struct orbit orbit_of(const struct explorer *x, const struct state *state)
{
    struct fingerprint sums[EXPLORE_PERMUTATIONS_MAX];
    struct orbit orbit = {.joint = joint_sum(x, state, 0), .size = 1};
    sums[0] = orbit.whole = fingerprint_add(orbit.joint, flying_sum(x, state, 0));
    for (uint32_t i = 1; i < x->permutation_count; i++) {
        struct fingerprint joint = joint_sum(x, state, i);
        sums[i] = fingerprint_add(joint, flying_sum(x, state, i));
        bool seen = false;
        for (uint32_t j = 0; j < i && !seen; j++)
            seen = fingerprint_equal(sums[i], sums[j]);
        orbit.size += !seen;
        if (fingerprint_less(joint, orbit.joint) ||
            (fingerprint_equal(joint, orbit.joint) && fingerprint_less(sums[i], orbit.whole))) {
            orbit.joint = joint;
            orbit.whole = sums[i];
            orbit.permutation = i;
        }
    }
    return orbit;
}

static size_t memory_used(const struct explorer *x)
{
    const struct pool *pools[] = {&x->nodes,    &x->images, &x->messages, &x->records,      &x->bytes,
                                  &x->hashes,   &x->facts,  &x->outcomes, &x->sent_pool,    &x->ghosts,
                                  &x->states,   &x->parents, &x->edges,   &x->ghost_hashes, &x->alternates,
                                  &x->lies};
    const struct table *tables[] = {&x->node_table,  &x->message_table, &x->record_table, &x->outcome_table,
                                    &x->facts_table, &x->ghost_table,   &x->cut_table,    &x->state_table,
                                    &x->name_table,  &x->seen_table,    &x->silent_table, &x->lie_table};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        bytes += pools[i]->size;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        bytes += table_bytes(tables[i]);
    return bytes;
}

static const char *bound_hit(const struct explorer *x)
{
    const struct search *search = x->search;
    if (x->config.states_max > 0 && search->count >= x->config.states_max)
        return "states";
    if (search->count == UINT32_MAX - 1)
        return "states (the explorer numbers at most 2^32)";
    return (search->count & 1023) == 0 && memory_used(x) > x->config.memory_bytes_max ? "memory" : NULL;
}

static void edge(struct explorer *x, uint32_t from, uint32_t to)
{
    if (!x->config.progress)
        return;
    uint32_t *pair = pool_take(&x->edges, 2 * sizeof *pair);
    if (pair == NULL) {
        explore_fail(x, "memory for the transitions that progress needs");
        return;
    }
    pair[0] = from;
    pair[1] = to;
}

static void visit(struct explorer *x, const struct state *state, uint32_t depth)
{
    const void *facts[EXPLORE_NODES_MAX];
    if (x->config.visit == NULL || x->config.property == NULL)
        return;
    for (uint32_t i = 0; i < x->config.nodes; i++)
        facts[i] = facts_of(x, state->nodes[i]);
    x->config.visit(x->config.context, facts, x->ghosts.bytes + (size_t)state->ghost * EXPLORE_GHOST_MAX, depth);
}

/* Keeps a state as the next one. False: no memory. */
static bool keep(struct explorer *x, const struct state *state, const struct step *how, const uint32_t *names)
{
    struct search *search = x->search;
    size_t size = offsetof(struct state, flying) + state->flying_count * sizeof state->flying[0];
    size_t names_size = names == NULL ? 0 : state->flying_count * sizeof *names;
    uint8_t *kept = pool_take(&x->states, size + names_size);
    struct step *step = pool_take(&x->parents, sizeof *step);
    uint32_t *top = x->config.depth_first ? pool_take(&search->stack_pool, 2 * sizeof *top) : NULL;
    if (kept == NULL || step == NULL || (x->config.depth_first && top == NULL)) {
        search->bound = "memory";
        return false;
    }
    memcpy(kept, state, size);
    if (names_size > 0)
        memcpy(kept + size, names, names_size);
    *step = *how;
    step->state = (uint64_t)(kept - x->states.bytes);
    if (top != NULL)
        *top = search->count;
    if (how->depth > search->depth)
        search->depth = how->depth;
    search->count++;
    return true;
}

/* Without the reduction: each state once. Returns its number. */
static uint32_t reach_each(struct explorer *x, const struct state *state, const struct orbit *orbit,
                           const struct step *how)
{
    struct search *search = x->search;
    bool is_new;
    uint32_t *value = table_put(&x->state_table, orbit->whole, &is_new);
    if (value == NULL) {
        search->bound = "memory";
        return 0;
    }
    if (!is_new)
        return *value;
    *value = search->count;
    search->orbit_states += orbit->size;
    if (x->config.audit) {
        bool joint_is_new;
        (void)table_put(&x->name_table, orbit->joint, &joint_is_new);
        search->joint_states += joint_is_new;
    }
    if (keep(x, state, how, NULL))
        visit(x, state, how->depth);
    return *value;
}

/* ---- the reduction ---- */

/* What is under way, under the renaming, as rising numbers of messages' fingerprints. */
static uint64_t names_of(struct explorer *x, const struct state *state, uint32_t permutation, uint32_t *names)
{
    uint64_t signature = 0;
    for (uint32_t i = 0; i < state->flying_count; i++) {
        bool is_new;
        uint32_t *name = table_put(&x->name_table, hashes_at(x, kept_message(x, state->flying[i])->hashes)[permutation],
                                   &is_new);
        if (name == NULL) {
            explore_fail(x, "memory");
            return 0;
        }
        if (is_new)
            *name = x->name_count++;
        uint32_t at = i;
        while (at > 0 && names[at - 1] > *name) {
            names[at] = names[at - 1];
            at--;
        }
        names[at] = *name;
        signature |= UINT64_C(1) << (*name & 63);
    }
    return signature;
}

/* True when each of `some` is in `all`, as often. */
static bool within(const uint32_t *some, uint32_t some_count, const uint32_t *all, uint32_t all_count)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < some_count; i++) {
        while (at < all_count && all[at] < some[i])
            at++;
        if (at == all_count || all[at] != some[i])
            return false;
        at++;
    }
    return true;
}

static const uint32_t *names_at(const struct state *state)
{
    return &state->flying[state->flying_count];
}

/* Looks among the states whose members are the same. True: one of them has everything under way that this one has.
 * Those that have less are taken out: what can happen from them can happen from this one. */
static bool covered(struct explorer *x, uint32_t *first, const uint32_t *names, uint32_t count, uint64_t signature)
{
    uint32_t *link = first;
    while (*link != 0) {
        struct step *step = kept_step(x, *link - 1);
        const struct state *other = kept_state(x, *link - 1);
        if ((signature & ~step->signature) == 0 && within(names, count, names_at(other), other->flying_count))
            return true;
        bool less = (step->signature & ~signature) == 0 && within(names_at(other), other->flying_count, names, count);
        if (less) {
            step->covered = true;
            *link = step->next;
        } else {
            link = &step->next;
        }
    }
    return false;
}

/* With the reduction: only states that no other covers. */
static void reach_largest(struct explorer *x, const struct state *state, const struct orbit *orbit, struct step *how)
{
    struct search *search = x->search;
    uint32_t names[EXPLORE_FLYING_MAX];
    bool is_new;
    if (table_put(&x->seen_table, orbit->whole, &is_new) == NULL)
        search->bound = "memory";
    if (!is_new || search->bound != NULL)
        return; /* it was kept, or covered, before */
    how->signature = names_of(x, state, orbit->permutation, names);
    uint32_t *first = table_put(&x->state_table, orbit->joint, &is_new);
    if (first == NULL) {
        search->bound = "memory";
        return;
    }
    search->joint_states += is_new;
    if (covered(x, first, names, state->flying_count, how->signature))
        return;
    how->next = *first;
    *first = search->count + 1;
    if (keep(x, state, how, names) && is_new)
        visit(x, state, how->depth);
}

static void reach(struct explorer *x, const struct state *state, uint32_t parent, uint32_t place, uint32_t input,
                  uint32_t depth)
{
    struct orbit orbit = orbit_of(x, state);
    struct step how = {.parent = parent, .input = input, .depth = depth, .place = (uint8_t)place};
    if (x->config.reduction) {
        reach_largest(x, state, &orbit, &how);
        return;
    }
    uint32_t reached = reach_each(x, state, &orbit, &how);
    if (parent != UINT32_MAX)
        edge(x, parent, reached);
}

static bool follow(void *context, uint32_t place, uint32_t input)
{
    struct explorer *x = context;
    struct search *search = x->search;
    const struct state *from = kept_state(x, search->expanding);
    struct state to;
    const char *broken;
    bool happens = explore_successor(x, from, place, input, &to, &broken);
    uint32_t depth = kept_step(x, search->expanding)->depth + 1;
    if (broken != NULL && !search->violated) {
        search->violated = true;
        search->violation = broken;
        search->last = (struct step){
            .parent = search->expanding, .input = input, .depth = depth, .place = (uint8_t)place};
    }
    if (happens) {
        search->transitions++;
        reach(x, &to, search->expanding, place, input, depth);
    }
    if (search->bound == NULL)
        search->bound = bound_hit(x);
    return !search->violated && x->failed == NULL && search->bound == NULL;
}

/* The next state to be expanded. */
static bool next_state(struct explorer *x, uint32_t *next)
{
    struct search *search = x->search;
    if (!x->config.depth_first) {
        *next = search->expanding + 1; /* states are numbered in the order of their depth */
        return *next < search->count;
    }
    if (search->stack_pool.size == 0)
        return false;
    search->stack_pool.size -= 2 * sizeof *next;
    memcpy(next, search->stack_pool.bytes + search->stack_pool.size, sizeof *next);
    memset(search->stack_pool.bytes + search->stack_pool.size, 0, 2 * sizeof *next);
    return true;
}

static void search_all(struct explorer *x)
{
    struct search *search = x->search;
    bool cut = false;
    search->expanding = UINT32_MAX;
    while (search->bound == NULL && !search->violated && x->failed == NULL && next_state(x, &search->expanding)) {
        uint32_t depth = kept_step(x, search->expanding)->depth;
        if (x->config.depth_max > 0 && depth >= x->config.depth_max)
            cut = true;
        else if (!kept_step(x, search->expanding)->covered)
            explore_enabled(x, kept_state(x, search->expanding), follow, x);
    }
    if (cut && search->bound == NULL)
        search->bound = "depth";
}

static void look_for_progress(struct explorer *x)
{
    struct search *search = x->search;
    const struct explore_property *property = x->config.property;
    if (!x->config.progress || property == NULL || property->goal == NULL || search->bound != NULL ||
        search->violated || x->failed != NULL)
        return;
    uint32_t stuck = explore_stuck(x);
    if (stuck == UINT32_MAX)
        return;
    search->violated = true;
    search->violation = property->stuck;
    search->last = *kept_step(x, stuck);
}

void explore_search(struct explorer *x, struct explore_result *result)
{
    struct search *search = x->search;
    struct state first;
    explore_first(x, &first);
    if (x->failed == NULL) {
        reach(x, &first, UINT32_MAX, 0, 0, 0);
        search_all(x);
        look_for_progress(x);
    }
    result->states = search->count;
    result->transitions = search->transitions;
    result->orbit_states = search->orbit_states;
    result->joint_states = search->joint_states;
    result->depth = search->depth;
    result->verdict = EXPLORE_COMPLETE;
    if (x->failed != NULL) {
        result->verdict = EXPLORE_FAILED;
        result->bound = x->failed;
    } else if (search->violated) {
        result->verdict = EXPLORE_VIOLATED;
        result->violation = search->violation;
        result->trace_length = search->last.depth;
    } else if (search->bound != NULL) {
        result->verdict = EXPLORE_BOUNDED;
        result->bound = search->bound;
    }
    result->memory_bytes = memory_used(x);
}
