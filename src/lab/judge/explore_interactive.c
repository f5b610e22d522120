/* Interactive consistency, explored (explore_rounds.h): byzantine-vectors, oral-messages, signed-messages. */
#include "lab/judge/explore_rounds.h"
#include "protocol/consensus/byzantine_vectors.h"
#include "protocol/consensus/oral_messages.h"
#include "protocol/consensus/signed_messages.h"

/* A traitor takes part in no instance. */
struct facts {
    uint64_t instance;
    struct cell own;
    struct cell vector[EXPLORE_NODES_MAX];
    uint8_t decided, up;
};

static struct cell plain(struct cell cell)
{
    struct cell out = {0};
    out.known = cell.known;
    out.value = cell.known ? cell.value : 0;
    return out;
}

static void note(const struct explore_view *view, const struct agreement_seen *seen, void *out)
{
    struct facts *facts = out;
    facts->up = view->up;
    facts->instance = seen->rounds.instance;
    facts->own = plain(seen->rounds.own);
    facts->decided = seen->decided;
    for (uint32_t i = 0; seen->decided && i < view->spec->member_count; i++)
        facts->vector[i] = plain(seen->vector[i]);
}

static void observe_vectors(const struct explore_view *view, void *out)
{
    struct agreement_seen seen;
    byzantine_vectors_look(view->self, &seen);
    note(view, &seen, out);
}

static void observe_oral(const struct explore_view *view, void *out)
{
    struct agreement_seen seen;
    oral_messages_look(view->self, &seen);
    note(view, &seen, out);
}

static void observe_signed(const struct explore_view *view, void *out)
{
    struct agreement_seen seen;
    signed_messages_look(view->self, &seen);
    note(view, &seen, out);
}

struct sentences {
    const char *loyal, *equal;
};

static const char *compare(const void *const *list, uint32_t count, uint32_t stepped, const struct sentences *say)
{
    const struct facts *mine = list[stepped];
    for (uint32_t other = 0; mine->decided && other < count; other++) {
        const struct facts *theirs = list[other];
        if (!theirs->up || theirs->instance != mine->instance)
            continue;
        if (!cell_equal(mine->vector[other], theirs->own))
            return say->loyal;
        for (uint32_t i = 0; theirs->decided && i < count; i++)
            if (!cell_equal(mine->vector[i], theirs->vector[i]))
                return say->equal;
    }
    return NULL;
}

static const char *check_vectors(const void *const *facts, uint32_t count, uint32_t stepped, void *ghost)
{
    static const struct sentences say = {"BV-1 a loyal member's element is not its value",
                                         "BV-2 two loyal members hold different vectors"};
    (void)ghost;
    return compare(facts, count, stepped, &say);
}

static const char *check_generals(const void *const *facts, uint32_t count, uint32_t stepped, void *ghost)
{
    static const struct sentences say = {"IC2 a loyal member does not hold a loyal commander's value",
                                         "IC1 two loyal members hold different values of a commander"};
    (void)ghost;
    return compare(facts, count, stepped, &say);
}

static void ghost_canonical(const void *ghost, struct canon *out)
{
    (void)ghost;
    (void)out;
}

static bool all_decided(const void *const *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct facts *one = list[i];
        if (one->up && one->instance > 0 && !one->decided)
            return false;
    }
    return true;
}

static void vectors_canonical(uint16_t type, uint32_t from, uint32_t to, const void *body, struct canon *out)
{
    (void)from;
    (void)to;
    if (type == BV_VALUE) {
        const struct bv_value *value = body;
        canon_u64(out, value->instance);
        canon_u8(out, value->known);
        canon_u64(out, value->value);
        return;
    }
    const struct bv_vector *vector = body;
    canon_u64(out, vector->instance);
    cells_canonical_row(vector->vector.data, out);
}

static void oral_canonical(uint16_t type, uint32_t from, uint32_t to, const void *body, struct canon *out)
{
    const struct oral_relay *relay = body;
    (void)type;
    canon_u64(out, relay->instance);
    canon_u64(out, relay->round);
    oral_messages_canonical_row(relay->round, from, to, relay->values, out);
}

/* ---- what traitors say ---- */

/* The choice-th row of cells: each one of the values, or also unknown. False: there are no more. */
static bool choose_row(const struct explore_listener *listener, uint32_t choice, uint32_t count, uint32_t left_out,
                       uint8_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        struct cell cell = {0};
        if (i != left_out) {
            uint32_t digit = choice % (listener->values + listener->unknown);
            choice /= listener->values + listener->unknown;
            if (digit < listener->values)
                cell = cell_of(listener->values_first + digit);
        }
        cell_encode(cell, out + (size_t)i * CELL_SIZE);
    }
    return choice == 0;
}

/* The round of which the member takes messages now; 0: none. One agreement is explored. */
static uint32_t round_of(const struct rounds_seen *rounds)
{
    if (rounds->running)
        return rounds->round;
    return rounds->idle && rounds->instance == 0 ? 1 : 0;
}

static uint64_t instance_of(const struct rounds_seen *rounds)
{
    return rounds->running ? rounds->instance : rounds->instance + 1;
}

static uint32_t place_of(const struct explore_listener *listener)
{
    return (uint32_t)spec_member_place(listener->spec, listener->spec->self);
}

/* The element of who is told is never read. */
bool explore_byzantine_vectors_lie(const struct explore_listener *listener, uint32_t index, struct explore_lie *out)
{
    struct agreement_seen seen;
    byzantine_vectors_look(listener->self, &seen);
    uint32_t round = round_of(&seen.rounds), n = listener->spec->member_count;
    uint64_t instance = instance_of(&seen.rounds);
    if (round == 1) {
        bool more = choose_row(listener, index, 1, UINT32_MAX, out->bytes);
        struct cell cell = cell_decode(out->bytes);
        const struct bv_value value = {.instance = instance, .known = cell.known, .value = cell.value};
        out->type = BV_VALUE;
        memcpy(out->body, &value, sizeof value);
        return more;
    }
    const struct bv_vector vector = {.instance = instance,
                                     .vector = span_of(out->bytes, (size_t)n * CELL_SIZE)};
    out->type = BV_VECTOR;
    memcpy(out->body, &vector, sizeof vector);
    return round == 2 && choose_row(listener, index, n, place_of(listener), out->bytes);
}

bool explore_oral_messages_lie(const struct explore_listener *listener, uint32_t index, struct explore_lie *out)
{
    struct agreement_seen seen;
    oral_messages_look(listener->self, &seen);
    uint32_t round = round_of(&seen.rounds);
    if (round == 0)
        return false;
    uint32_t count = oral_messages_values(listener->spec->member_count, round);
    const struct oral_relay relay = {.instance = instance_of(&seen.rounds),
                                     .round = round,
                                     .values = span_of(out->bytes, (size_t)count * CELL_SIZE)};
    out->type = ORAL_RELAY;
    memcpy(out->body, &relay, sizeof relay);
    return choose_row(listener, index, count, UINT32_MAX, out->bytes);
}

/* ---- the three ---- */

#define PROPERTY(text, observe_of, check_of, lie_of, undecided)                                                        \
    .name = (text), .facts_size = sizeof(struct facts), .ghost_size = 1, .observe = (observe_of),                      \
    .check = (check_of), .ghost_canonical = ghost_canonical, .goal = all_decided, .stuck = (undecided),                \
    .rounds = true, .lie = (lie_of)

const struct explore_property explore_byzantine_vectors_property = {
    PROPERTY("byzantine-vectors", observe_vectors, check_vectors, explore_byzantine_vectors_lie,
             "BV-0 somebody who takes part can never decide"),
    .message_canonical = vectors_canonical,
};

const struct explore_property explore_oral_messages_property = {
    PROPERTY("oral-messages", observe_oral, check_generals, explore_oral_messages_lie,
             "IC0 somebody who takes part can never decide"),
    .message_canonical = oral_canonical,
};

/* Chains are taken in the order of who sent them, and only two values are kept: places are more than names. */
const struct explore_property explore_signed_messages_property = {
    PROPERTY("signed-messages", observe_signed, check_generals, explore_signed_messages_lie,
             "IC0 somebody who takes part can never decide"),
    .by_place = true,
    .traitors_listen = true,
};
