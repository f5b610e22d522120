/* The properties of atomic commitment across members, for the explorer: Bernstein, Hadzilacos and Goodman 1987,
 * section 7.3.
 *
 * A decision counts once a crash cannot take it back: so it is looked for in what a restart would give back of what was
 * reported as stored. Before that it may be made anew, and otherwise. The ghost remembers the decisions. */
#include <string.h>

#include "lab/judge/explore_properties.h"
#include "protocol/commit/two_phase_commit.h"

struct tpc_ghost {
    uint8_t decided[EXPLORE_NODES_MAX][EXPLORE_TPC_SEQUENCES]; /* enum transaction_state; INIT: not yet */
};

static struct transaction_id id_of(uint32_t node, uint32_t sequence)
{
    return (struct transaction_id){.node = node, .sequence = sequence};
}

static void observe_part(const struct explore_view *view, struct transaction_id id, struct explore_tpc_part *part)
{
    part->state = (uint8_t)two_phase_commit_state(view->self, id);
    part->voted_commit = two_phase_commit_voted_commit(view->self, id);
    part->restored_state = (uint8_t)two_phase_commit_state(view->restored, id);
    part->restored_voted = two_phase_commit_voted_commit(view->restored, id);
}

static void observe(const struct explore_view *view, void *out)
{
    struct explore_tpc_facts *facts = out;
    facts->up = view->up;
    for (uint32_t i = 0; i < view->spec->member_count; i++)
        for (uint32_t sequence = 1; sequence <= EXPLORE_TPC_SEQUENCES; sequence++)
            observe_part(view, id_of(view->spec->members[i], sequence), &facts->parts[i][sequence - 1]);
    struct transaction_id id;
    facts->decision = (uint8_t)two_phase_commit_decision(view->self, &id);
    facts->sequence = (uint8_t)(id.sequence < EXPLORE_TPC_SEQUENCES ? id.sequence : EXPLORE_TPC_SEQUENCES);
    facts->restored_decision = (uint8_t)two_phase_commit_decision(view->restored, &id);
    facts->restored_sequence = (uint8_t)(id.sequence < EXPLORE_TPC_SEQUENCES ? id.sequence : EXPLORE_TPC_SEQUENCES);
    for (uint32_t i = 0; i < view->spec->member_count; i++)
        if (two_phase_commit_vote_counted(view->self, view->spec->members[i]))
            facts->votes = (uint8_t)(facts->votes | 1u << i);
    facts->blocked = two_phase_commit_blocked(view->self);
    facts->undecided = two_phase_commit_undecided(view->self);
    facts->restored_undecided = two_phase_commit_undecided(view->restored);
}

static bool decided(uint8_t state)
{
    return state == TRANSACTION_COMMIT || state == TRANSACTION_ABORT;
}

/* AC1 and AC2: whatever was decided for good is decided for all and for ever. */
static const char *decide(struct tpc_ghost *ghost, uint32_t coordinator, uint32_t sequence, uint8_t state)
{
    if (!decided(state))
        return NULL;
    uint8_t *known = &ghost->decided[coordinator][sequence];
    if (decided(*known) && *known != state)
        return "AC1 one member commits what another aborts";
    *known = state;
    return NULL;
}

static const char *check_decisions(const struct explore_tpc_facts *one, uint32_t place, uint32_t count,
                                   struct tpc_ghost *ghost)
{
    const char *broken = NULL;
    for (uint32_t i = 0; i < count && broken == NULL; i++)
        for (uint32_t s = 0; s < EXPLORE_TPC_SEQUENCES && broken == NULL; s++)
            broken = decide(ghost, i, s, one->parts[i][s].restored_state);
    if (broken == NULL && one->restored_sequence > 0)
        broken = decide(ghost, place, one->restored_sequence - 1u, one->restored_decision);
    return broken;
}

/* AC3 and AC-D: what is committed was promised by all, and still is. */
static const char *check_promises(const struct explore_tpc_facts *one, uint32_t count, const struct tpc_ghost *ghost)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t s = 0; s < EXPLORE_TPC_SEQUENCES; s++) {
            uint8_t state = one->parts[i][s].restored_state;
            if (ghost->decided[i][s] == TRANSACTION_COMMIT && state == TRANSACTION_INIT)
                return "AC-D a transaction was committed that this member could not commit after a crash";
            if (ghost->decided[i][s] == TRANSACTION_COMMIT && state == TRANSACTION_READY &&
                !one->parts[i][s].restored_voted)
                return "AC3 committed without the vote of this member";
        }
    return NULL;
}

static const char *check(const void *const *facts, uint32_t count, uint32_t stepped, void *state)
{
    struct tpc_ghost *ghost = state;
    const char *broken = check_decisions(facts[stepped], stepped, count, ghost);
    for (uint32_t i = 0; i < count && broken == NULL; i++)
        broken = check_promises(facts[i], count, ghost);
    return broken;
}

static void ghost_canonical(const void *state, struct canon *out)
{
    const struct tpc_ghost *ghost = state;
    for (uint32_t i = 0; i < out->member_count; i++)
        canon_bytes(out, ghost->decided[canon_place(out, i)], EXPLORE_TPC_SEQUENCES);
}

/* Nobody who is up waits: each transaction that anybody promised is decided, and no coordinator collects votes. */
static bool goal(const void *const *facts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct explore_tpc_facts *one = facts[i];
        if (one->up && one->undecided)
            return false;
    }
    return true;
}

const struct explore_property explore_two_phase_commit_property = {
    .name = "two-phase-commit",
    .facts_size = sizeof(struct explore_tpc_facts),
    .ghost_size = sizeof(struct tpc_ghost),
    .observe = observe,
    .check = check,
    .ghost_canonical = ghost_canonical,
    .goal = goal,
    .stuck = "AC5 blocked: whatever happens from here, somebody who is up stays undecided",
};
