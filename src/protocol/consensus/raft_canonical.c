/* A Raft member's canonical state (contract/canon.h): everything that it decides by, under a renaming of the members.
 *
 * Left out, and why. Times: the explorer lets at least an election timeout pass between two events of a member, so a
 * leader was never heard "just now", every window has ended, and every timer that runs out is due. The one thing that
 * then depends on time is whether the disk hangs; it is written. Sequences of hard states: only their order matters,
 * and it is that of the records. What serves speed only: the table's mark of what has passed its check. What is set
 * anew before it is used: a follower's view of its peers' logs, scratch of a TURN. What is derived from the log and
 * the commit index: bytes not committed, the ordinals. Suspicions, which are hints to others. Counters towards the next
 * checkpoint: an exploration stops with an error before one is taken. */
#include "protocol/consensus/raft_internal.h"

static void canon_log(struct canon *out, const struct raft *self, uint64_t stored)
{
    const struct raft_log *log = &self->log;
    canon_u64(out, log->base_index);
    canon_u64(out, log->base_term);
    canon_u64(out, raft_log_count(log));
    for (uint64_t ordinal = log->head; ordinal < log->tail; ordinal++) {
        const struct raft_slot *slot = raft_log_at(log, ordinal);
        canon_u64(out, slot->index);
        canon_u64(out, slot->term);
        canon_u64(out, slot->count);
        canon_node(out, slot->origin);
        canon_record(out, slot->position);
        canon_position(out, slot->position, stored);
        /* Records that follow one another can go in one message. */
        canon_u8(out, ordinal > log->head && slot->position == raft_log_at(log, ordinal - 1)->position + 1);
    }
    canon_last_written(out, log->tail > log->head ? raft_log_at(log, log->tail - 1)->position : 0);
}

static void canon_hard_state(struct canon *out, const struct raft *self, uint64_t stored)
{
    canon_u64(out, self->term);
    canon_node(out, self->voted_for);
    canon_u8(out, self->recovering);
    canon_u8(out, self->hard_dirty);
    canon_position(out, self->hard_position, stored);
    own_disk_canonical(&self->disk, stored, self->now_ns, out);
}

static void canon_role(struct canon *out, const struct raft *self)
{
    canon_u8(out, (uint8_t)self->role);
    canon_node(out, self->leader);
    canon_u8(out, self->view_term == self->term);
    election_timer_canonical(&self->timer, out);
    canon_u64(out, self->commit);
    canon_u64(out, self->applied);
    canon_u64(out, self->applied_term);
    canon_u64(out, self->matched);
    canon_node(out, self->matched_leader);
    canon_u64(out, self->round_seen);
    canon_u8(out, self->round_ack_due);
    canon_u8(out, self->ack_due);
}

static void canon_leader(struct canon *out, const struct raft *self)
{
    canon_u64(out, self->term_first);
    peers_canonical_leader(&self->peers, out);
    for (uint32_t i = 0; i < self->peers.count; i++) {
        /* A place in the table by the boundary before it; what is no more held is told apart from the base. */
        uint64_t next = self->peers.list[canon_place(out, i)].next;
        bool held = next >= self->log.head && next <= self->log.tail;
        canon_u8(out, held);
        canon_u64(out, held ? raft_log_before_index(&self->log, next) : 0);
    }
}

/* Before it campaigns, a candidate has no vote of its own to count: what an earlier campaign left there is not read. */
static void canon_candidate(struct canon *out, const struct raft *self)
{
    canon_u64(out, self->votes);
    canon_u8(out, self->role == RAFT_CANDIDATE && self->own_vote_counted);
    for (uint32_t i = 0; i < self->peers.count; i++)
        canon_u8(out, self->peers.list[canon_place(out, i)].granted);
}

static void canon_checkpoints(struct canon *out, const struct raft *self)
{
    canon_u64(out, self->checkpoint_index);
    canon_u64(out, self->checkpoint_term);
    canon_u8(out, self->checkpoint_pending);
    canon_u8(out, self->adopt_pending);
    canon_node(out, self->adopt_holder);
}

static void canon_recovery(struct canon *out, const struct raft *self)
{
    canon_u8(out, self->restore_damaged);
    canon_u8(out, self->restore_foreign);
    canon_u8(out, self->restore_part_seen);
    canon_u64(out, self->restore_index);
    canon_u64(out, self->restore_term);
    canon_u64(out, self->part_base_index);
    if (!self->recovering)
        return;
    canon_u64(out, self->recover_answers);
    canon_u64(out, self->recover_term);
    canon_u64(out, self->recover_target);
    canon_u64(out, self->recover_target_term);
    canon_u64(out, self->recover_leader_term);
    canon_u64(out, self->recover_leader_last);
}

void raft_canonical(const void *member, struct canon *out)
{
    const struct raft *self = member;
    /* Before START everything that was restored is on disk. */
    uint64_t stored = self->started ? self->disk.stored : UINT64_MAX;
    canon_u8(out, self->started);
    canon_u64(out, self->incarnation);
    canon_hard_state(out, self, stored);
    canon_log(out, self, stored);
    canon_role(out, self);
    peers_canonical(&self->peers, out);
    intake_canonical(&self->intake, out);
    if (self->role == RAFT_LEADER)
        canon_leader(out, self);
    else if (self->role != RAFT_FOLLOWER)
        canon_candidate(out, self);
    reads_canonical(&self->reads, out);
    canon_checkpoints(out, self);
    canon_recovery(out, self);
}
