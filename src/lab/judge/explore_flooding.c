/* Flooding consensus, explored (explore_rounds.h). */
#include "lab/judge/explore_rounds.h"
#include "protocol/consensus/flooding.h"

struct facts {
    uint64_t instance;
    struct cell own, decision;
    uint8_t up, decided;
};

/* Of the newest instance. Values of an exploration are below 32. */
struct ghost {
    uint64_t instance;
    uint32_t proposed; /* bit: value */
    uint8_t decided;   /* anybody, ever */
    uint8_t known;
    uint64_t value; /* what was decided first */
};

static void observe(const struct explore_view *view, void *out)
{
    struct facts *facts = out;
    struct flooding_seen seen;
    flooding_look(view->self, &seen);
    facts->up = view->up;
    facts->instance = seen.rounds.instance;
    facts->own.known = seen.rounds.own.known;
    facts->own.value = seen.rounds.own.value;
    facts->decided = seen.decided;
    facts->decision.known = seen.decided && seen.decision.known;
    facts->decision.value = facts->decision.known ? seen.decision.value : 0;
}

static void remember(const struct facts *one, struct ghost *ghost)
{
    if (one->instance > ghost->instance)
        *ghost = (struct ghost){.instance = one->instance};
    if (one->instance == ghost->instance && one->instance > 0 && one->own.known && one->own.value < 32)
        ghost->proposed |= UINT32_C(1) << one->own.value;
}

static const char *check_decision(const struct facts *one, struct ghost *ghost, bool uniform)
{
    if (!one->decided || one->instance != ghost->instance)
        return NULL;
    const struct cell decision = one->decision, first = {ghost->known != 0, ghost->value};
    if (decision.known && (decision.value >= 32 || (ghost->proposed >> decision.value & 1) == 0))
        return "FLD-1 decided what nobody proposed";
    if (!ghost->decided) {
        ghost->decided = uniform; /* the early variant promises nothing about who crashed */
        ghost->known = decision.known;
        ghost->value = decision.value;
    } else if (!cell_equal(decision, first)) {
        return "FLD-2 two members decided differently";
    }
    return NULL;
}

static const char *check_pairs(const struct facts *one, const void *const *facts, uint32_t count)
{
    for (uint32_t i = 0; one->up && one->decided && i < count; i++) {
        const struct facts *other = facts[i];
        if (other->up && other->decided && other->instance == one->instance &&
            !cell_equal(one->decision, other->decision))
            return "FLD-2 two members decided differently, and neither has crashed";
    }
    return NULL;
}

static const char *check(const void *const *facts, uint32_t count, uint32_t stepped, void *ghost, bool uniform)
{
    const char *broken;
    for (uint32_t i = 0; i < count; i++)
        remember(facts[i], ghost);
    struct ghost before = *(struct ghost *)ghost;
    broken = check_decision(facts[stepped], ghost, uniform);
    if (!uniform)
        *(struct ghost *)ghost = before;
    return broken != NULL ? broken : check_pairs(facts[stepped], facts, count);
}

static const char *check_uniform(const void *const *facts, uint32_t count, uint32_t stepped, void *ghost)
{
    return check(facts, count, stepped, ghost, true);
}

static const char *check_early(const void *const *facts, uint32_t count, uint32_t stepped, void *ghost)
{
    return check(facts, count, stepped, ghost, false);
}

static void ghost_canonical(const void *opaque, struct canon *out)
{
    const struct ghost *ghost = opaque;
    canon_u64(out, ghost->instance);
    canon_u64(out, ghost->proposed);
    canon_u8(out, (uint8_t)(ghost->decided | ghost->known << 1));
    canon_u64(out, ghost->value);
}

static bool all_decided(const void *const *facts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct facts *one = facts[i];
        if (one->up && one->instance > 0 && !one->decided)
            return false;
    }
    return true;
}

static void message_canonical(uint16_t type, uint32_t from, uint32_t to, const void *body, struct canon *out)
{
    (void)from;
    (void)to;
    if (type == FLOODING_DECIDED) {
        const struct flooding_decided *decided = body;
        canon_u64(out, decided->instance);
        canon_u64(out, decided->round);
        canon_u8(out, decided->known);
        canon_u64(out, decided->value);
        return;
    }
    const struct flooding_proposal *proposal = body;
    canon_u64(out, proposal->instance);
    canon_u64(out, proposal->round);
    cells_canonical_row(proposal->set.data, out); /* members send whole rows only */
}

#define PROPERTY(text, check_of)                                                                                       \
    {                                                                                                                  \
        .name = (text), .facts_size = sizeof(struct facts), .ghost_size = sizeof(struct ghost), .observe = observe,    \
        .check = (check_of), .ghost_canonical = ghost_canonical, .goal = all_decided,                                  \
        .stuck = "FLD-3 somebody who takes part can never decide", .rounds = true,                                     \
        .message_canonical = message_canonical,                                                                        \
    }

const struct explore_property explore_flooding_property = PROPERTY("flooding", check_uniform);
const struct explore_property explore_flooding_early_property = PROPERTY("flooding-early", check_early);
