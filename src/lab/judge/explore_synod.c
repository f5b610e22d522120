/* Single-decree Paxos across members, explored (AG-4; Lamport 2001, 2.2): PAX-1, PAX-3, PAX-4 with validity, PAX-D,
 * with PAX-2 and PAX-5 in the member's own check(); as progress, that from wherever a run has come a decision can be
 * reached.
 *
 * The ghost knows who ever proposed and accepted what (synod_ballots.h): an acceptor forgets its older acceptances,
 * and what was chosen stays so. */
#include "lab/judge/explore_synod.h"

#include "lab/judge/synod_ballots.h"
#include "protocol/consensus/synod.h"

enum { VALUES = 32 }; /* of an exploration are below it */

struct facts {
    struct paxos_ballot accepted; /* as the disk has it; round 0: none */
    uint64_t value;
    uint64_t round, proposal; /* of the own ballot in phase 2; round 0: none is */
    uint64_t decision, own;
    uint8_t node, up, decided, waits;
};

struct ghost {
    struct synod_ballots ballots;
    uint32_t proposed; /* bit: value that a client proposed */
    uint32_t unused;
};

static void observe(const struct explore_view *view, void *out)
{
    struct facts *facts = out;
    struct synod_seen seen;
    synod_look(view->self, &seen);
    facts->node = (uint8_t)view->spec->self;
    facts->up = view->up;
    facts->decided = seen.decided;
    facts->decision = seen.decided ? seen.decision : 0;
    facts->waits = seen.waiting > 0;
    facts->own = seen.own;
    if (seen.accepted.round > 0 && seen.accepted_stored) {
        facts->accepted.round = seen.accepted.round;
        facts->accepted.node = seen.accepted.node;
        facts->value = seen.value;
    }
    facts->round = seen.phase == SYNOD_PROPOSING ? seen.round : 0;
    facts->proposal = facts->round > 0 ? seen.proposal : 0;
}

static void remember(const struct facts *one, uint32_t place, struct ghost *ghost)
{
    struct synod_ballots *ballots = &ghost->ballots;
    if (one->waits && one->own < VALUES)
        ghost->proposed |= UINT32_C(1) << one->own;
    if (one->round > 0)
        synod_ballots_propose(ballots, (struct paxos_ballot){one->round, one->node}, one->proposal);
    if (one->accepted.round > 0)
        synod_ballots_accept(ballots, one->accepted, one->value, place);
    if (one->decided)
        synod_ballots_decide(ballots, one->decision);
}

static const char *check(const void *const *facts, uint32_t count, uint32_t stepped, void *state)
{
    struct ghost *ghost = state;
    const struct facts *one = facts[stepped];
    ghost->ballots.members = count;
    remember(one, stepped, ghost);
    if (one->decided && (one->decision >= VALUES || (ghost->proposed >> one->decision & 1) == 0))
        return "PAX-4 decided what nobody proposed";
    const char *broken = synod_ballots_agree(&ghost->ballots);
    return broken != NULL ? broken : synod_ballots_follow(&ghost->ballots);
}

static void ghost_canonical(const void *state, struct canon *out)
{
    canon_bytes(out, state, sizeof(struct ghost));
}

static bool goal(const void *const *facts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (((const struct facts *)facts[i])->up && ((const struct facts *)facts[i])->decided)
            return true;
    return false;
}

const struct explore_property explore_synod_property = {
    .name = "synod",
    .facts_size = sizeof(struct facts),
    .ghost_size = sizeof(struct ghost),
    .observe = observe,
    .check = check,
    .ghost_canonical = ghost_canonical,
    .goal = goal,
    .stuck = "no decision can be reached from here",
    .by_place = true, /* of two ballots of one round that of the higher node wins */
};

uint32_t explore_synod_timers(struct explore_timer *out)
{
    out[0] = (struct explore_timer){"retry", 0, SYNOD_TIMER_RETRY, 1, false};
    out[1] = (struct explore_timer){"ask", 0, SYNOD_TIMER_ASK, 0, false};
    return 2;
}

void explore_synod_usual(struct explore_config *out)
{
    out->nodes = 3;
    out->requests = 2;
    out->fifo = out->synchronous = true;
}
