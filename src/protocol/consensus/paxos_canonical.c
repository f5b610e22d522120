/* A Paxos member's canonical state (contract/canon.h): everything that it decides by.
 *
 * The members are not interchangeable: of two ballots of one round that of the higher node wins, so a renaming of nodes
 * changes what they do. So the own id is written as it is, and the nodes of ballots are: that keeps every member in its
 * place.
 *
 * Left out, and why. Times: the explorer lets at least an election timeout pass between two events of a member, so a
 * leader was never heard "just now", every window has ended, and every timer that runs out is due. The one thing that
 * then depends on time is whether the disk hangs; it is written. Sequences of promises: only their order matters, and
 * it is that of the records. What is set anew before it is used: a follower's view of its peers, scratch of a TURN.
 * What is derived: bytes that are not chosen, indices of slots. Suspicions, which are hints to others. Counters
 * towards the next checkpoint: an exploration stops with an error before one is taken. */
#include "protocol/consensus/paxos_internal.h"

static void canon_ballot(struct canon *out, struct paxos_ballot ballot)
{
    canon_u64(out, ballot.round);
    canon_u64(out, ballot.node);
}

static void canon_window(struct canon *out, const struct paxos *self, uint64_t stored)
{
    const struct paxos_window *window = &self->window;
    canon_u64(out, window->head);
    canon_u64(out, window->top);
    uint64_t before = 0;
    for (uint64_t slot = window->head; slot <= window->top; slot++) {
        const struct paxos_cell *cell = paxos_window_at(window, slot);
        canon_record(out, cell == NULL ? 0 : cell->position);
        if (cell == NULL)
            continue;
        canon_ballot(out, cell->ballot);
        canon_u64(out, cell->count);
        canon_u8(out, cell->reported);
        canon_node(out, cell->origin);
        canon_position(out, cell->position, stored);
        canon_u8(out, cell->position == before + 1); /* records that follow one another can go in one message */
        canon_last_written(out, cell->position);     /* … and the next one, in the slot after it or in a hole */
        before = cell->position;
    }
}

static void canon_promise(struct canon *out, const struct paxos *self, uint64_t stored)
{
    canon_ballot(out, self->promised);
    canon_u64(out, self->round_seen);
    canon_u8(out, self->recovering);
    canon_u8(out, self->state_dirty);
    canon_position(out, self->state_position, stored);
    own_disk_canonical(&self->disk, stored, self->now_ns, out);
}

static void canon_role(struct canon *out, const struct paxos *self, uint64_t stored)
{
    canon_u8(out, (uint8_t)self->role);
    canon_node(out, self->leader);
    canon_u8(out, paxos_ballot_same(self->view_ballot, self->promised));
    election_timer_canonical(&self->timer, out);
    canon_u64(out, self->commit);
    canon_u64(out, self->commit_index);
    canon_u64(out, self->applied);
    canon_u64(out, self->matched);
    canon_position(out, self->match_after, stored);
    canon_u64(out, self->beat_seen);
    canon_u64(out, self->held_back);
    canon_u8(out, self->beat_ack_due);
    canon_u8(out, self->ack_due);
}

/* Who would promise: read until the campaign begins. */
static void canon_pre_candidate(struct canon *out, const struct paxos *self)
{
    canon_u64(out, self->pre_grants);
    for (uint32_t i = 0; i < self->peers.count; i++)
        canon_u8(out, self->peers.list[canon_place(out, i)].granted);
}

/* Who did promise and report: set anew when the campaign begins, so what an earlier one left there is not read. */
static void canon_candidate(struct canon *out, const struct paxos *self)
{
    canon_u64(out, self->prepare_from);
    canon_u8(out, self->own_stored);
    canon_u64(out, self->fill_next);
    for (uint32_t i = 0; i < self->peers.count; i++)
        canon_u64(out, self->reported[canon_place(out, i)]);
}

static void canon_leader(struct canon *out, const struct paxos *self, uint64_t stored)
{
    canon_u64(out, self->takeover_last);
    canon_position(out, self->takeover_renew, stored);
    canon_u64(out, self->own_match);
    canon_u64(out, self->checkpoint_wanted);
    peers_canonical_leader(&self->peers, out);
    for (uint32_t i = 0; i < self->peers.count; i++)
        canon_u64(out, self->peers.list[canon_place(out, i)].next);
}

static void canon_checkpoints(struct canon *out, const struct paxos *self)
{
    canon_u64(out, self->checkpoint_slot);
    canon_u64(out, self->checkpoint_index);
    canon_u8(out, self->checkpoint_pending);
    canon_u8(out, self->adopt_pending);
    canon_node(out, self->adopt_holder);
    canon_u64(out, self->adopt_slot);
}

static void canon_recovery(struct canon *out, const struct paxos *self)
{
    canon_u8(out, self->restore_damaged);
    canon_u8(out, self->restore_foreign);
    if (!self->recovering)
        return;
    canon_u64(out, self->recover_answers);
    canon_ballot(out, self->recover_ballot);
    canon_ballot(out, self->recover_target_ballot);
    canon_u64(out, self->recover_target);
    canon_ballot(out, self->recover_leader_ballot);
    canon_u64(out, self->recover_leader_last);
}

void paxos_canonical(const void *member, struct canon *out)
{
    const struct paxos *self = member;
    /* Before START everything that was restored is on disk. */
    uint64_t stored = self->started ? self->disk.stored : UINT64_MAX;
    canon_u8(out, self->started);
    if (self->started || self->promised.round != 0) /* before, nothing tells one member from another */
        canon_u64(out, self->peers.self_node);
    canon_u64(out, self->incarnation);
    canon_promise(out, self, stored);
    canon_window(out, self, stored);
    canon_role(out, self, stored);
    peers_canonical(&self->peers, out);
    intake_canonical(&self->intake, out);
    if (self->role == PAXOS_LEADER)
        canon_leader(out, self, stored);
    else if (self->role == PAXOS_PRE_CANDIDATE)
        canon_pre_candidate(out, self);
    else if (self->role == PAXOS_CANDIDATE)
        canon_candidate(out, self);
    reads_canonical(&self->reads, out);
    canon_checkpoints(out, self);
    canon_recovery(out, self);
}
