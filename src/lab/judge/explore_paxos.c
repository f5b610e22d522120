/* Paxos' properties across members, for the explorer: Lamport, "Paxos Made Simple", 2.2.
 *
 * The ghost remembers what was ever known to be chosen, with the round of the member that was first to know: whoever
 * leads a later round must propose that there. */
#include <string.h>

#include "lab/judge/explore_properties.h"
#include "protocol/consensus/paxos.h"

enum { SLOTS_MAX = 12 };

struct accepted {
    uint8_t held, reported, round, node;
    uint8_t request; /* EXPLORE_NO_REQUEST: a no-op */
};

struct paxos_facts {
    uint8_t up, role, round, commit, top;
    struct accepted slots[SLOTS_MAX]; /* by slot - 1 */
};

struct paxos_ghost {
    uint8_t chosen;              /* slots that are known to be */
    uint8_t requests[SLOTS_MAX]; /* their values */
    uint8_t known_in[SLOTS_MAX]; /* round of the member that knew first */
};

static void observe(const struct explore_view *view, void *out)
{
    struct paxos_facts *facts = out;
    facts->up = view->up;
    facts->role = (uint8_t)paxos_role(view->self);
    facts->round = (uint8_t)paxos_promised(view->self).round;
    facts->commit = (uint8_t)paxos_commit_slot(view->self);
    uint64_t top = paxos_top_slot(view->self);
    facts->top = (uint8_t)(top < SLOTS_MAX ? top : SLOTS_MAX);
    for (uint64_t slot = 1; slot <= facts->top; slot++) {
        struct paxos_accepted_slot one;
        if (paxos_slot_at(view->self, slot, &one))
            facts->slots[slot - 1] = (struct accepted){1, one.reported, (uint8_t)one.ballot.round,
                                                       (uint8_t)one.ballot.node,
                                                       view->request_at(view->context, one.position)};
    }
}

/* PAX-1: one value a slot and ballot. */
static const char *check_ballots(const struct paxos_facts *a, const struct paxos_facts *b)
{
    for (uint32_t i = 0; i < a->top && i < b->top; i++) {
        const struct accepted *x = &a->slots[i], *y = &b->slots[i];
        bool both = x->held && y->held && x->round == y->round && x->node == y->node;
        if (both && x->request != y->request)
            return "PAX-1 two values are accepted in one slot and ballot";
    }
    return NULL;
}

/* PAX-4: agreement; and validity, as a value is a client's request or a no-op by what it is made of. */
static const char *check_chosen(const struct paxos_facts *one, struct paxos_ghost *ghost)
{
    for (uint32_t i = 0; i < one->commit && i < SLOTS_MAX; i++) {
        if (i >= one->top || !one->slots[i].held)
            return "MPX-1 a slot is known to be chosen that is not held";
        if (i >= ghost->chosen) {
            ghost->requests[i] = one->slots[i].request;
            ghost->known_in[i] = one->round;
            ghost->chosen = (uint8_t)(i + 1);
        } else if (ghost->requests[i] != one->slots[i].request) {
            return "PAX-4 two members take different values for chosen in one slot";
        }
    }
    return NULL;
}

/* PAX-3: whoever leads a later round holds what was chosen before. */
static const char *check_leader(const struct paxos_facts *one, const struct paxos_ghost *ghost)
{
    for (uint32_t i = 0; i < ghost->chosen; i++) {
        bool holds = i < one->top && one->slots[i].held && one->slots[i].request == ghost->requests[i];
        if (ghost->known_in[i] < one->round && !holds)
            return "PAX-3 a leader lacks a value that was chosen in an earlier ballot";
    }
    return NULL;
}

static const char *check(const void *const *facts, uint32_t count, uint32_t stepped, void *state)
{
    struct paxos_ghost *ghost = state;
    const struct paxos_facts *one = facts[stepped];
    const char *broken = NULL;
    for (uint32_t i = 0; i < count && broken == NULL; i++)
        if (i != stepped)
            broken = check_ballots(one, facts[i]);
    if (broken == NULL && one->up)
        broken = check_chosen(one, ghost);
    for (uint32_t i = 0; i < count && broken == NULL; i++) {
        const struct paxos_facts *other = facts[i];
        if (other->up && other->role == PAXOS_LEADER)
            broken = check_leader(other, ghost);
    }
    return broken;
}

static void ghost_canonical(const void *state, struct canon *out)
{
    const struct paxos_ghost *ghost = state;
    canon_u8(out, ghost->chosen);
    canon_bytes(out, ghost->requests, sizeof ghost->requests);
    canon_bytes(out, ghost->known_in, sizeof ghost->known_in);
}

/* Somebody leads and knows all that it holds to be chosen. */
static bool goal(const void *const *facts, uint32_t count)
{
    bool led = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct paxos_facts *one = facts[i];
        led |= one->up && one->role == PAXOS_LEADER && one->commit == one->top;
    }
    return led;
}

const struct explore_property explore_paxos_property = {
    .name = "paxos",
    .facts_size = sizeof(struct paxos_facts),
    .ghost_size = sizeof(struct paxos_ghost),
    .observe = observe,
    .check = check,
    .ghost_canonical = ghost_canonical,
    .goal = goal,
    .stuck = "no leader can ever have everything chosen from here",
};
