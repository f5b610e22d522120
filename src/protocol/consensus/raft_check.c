/* Raft: invariants of a member's state, and of its step from the one that was checked last (tags as in AG-6).
 *
 * Runs after every step of the simulator, so it looks only at what changed. What only a view across members can tell
 * (RAFT-1, 3, 4, 5) is the laboratory's, through the accessors in raft.h. */
#include "protocol/consensus/raft_internal.h"

static const char *check_step(const struct raft *self)
{
    const struct raft_shadow *before = &self->shadow;
    if (self->term < before->term)
        return "RAFT-6 the term fell";
    bool same_term = self->term == before->term;
    if (same_term && before->voted_for != 0 && self->voted_for != before->voted_for)
        return "RAFT-6 a second vote in one term";
    if (self->commit < before->commit)
        return "RAFT-7 the commit index fell";
    if (self->applied < before->applied)
        return "RAFT-7 the applied index fell";
    if (self->role == RAFT_LEADER && before->role == RAFT_LEADER && same_term &&
        (self->log.tail < before->tail || raft_log_last_index(&self->log) < before->last_index))
        return "RAFT-2 a leader cut its log";
    return NULL;
}

static const char *check_state(const struct raft *self)
{
    uint64_t last = raft_log_last_index(&self->log);
    if (self->applied > self->commit)
        return "RAFT-7 applied is ahead of commit";
    if (self->commit > last)
        return "RAFT-7 committed entries are not in the log";
    if (self->log.base_index > self->applied)
        return "RAFT-7 entries went before they were applied";
    if (self->apply < self->log.head || self->apply > self->log.tail ||
        raft_log_before_index(&self->log, self->apply) != self->applied)
        return "RAFT-7 the next entry to apply is not the one after the applied index";
    if (self->matched > last && self->role == RAFT_FOLLOWER)
        return "RAFT-3 more agrees with the leader than there is";
    if (raft_log_last_term(&self->log) > self->term)
        return "RAFT-6 an entry is of a later term than its member";
    if (self->role != RAFT_FOLLOWER && self->recovering)
        return "RAFT-1 a member that forgot campaigns";
    if (self->role == RAFT_CANDIDATE && self->voted_for != self->peers.self_node)
        return "RAFT-1 a candidate did not vote for itself";
    uint32_t own = self->peers.self_node;
    if (self->role == RAFT_LEADER && (self->leader != own || self->voted_for != own))
        return "RAFT-1 a leader does not follow itself";
    if (self->role == RAFT_LEADER && raft_log_last_term(&self->log) != self->term)
        return "RAFT-2 a leader's log does not end in its term";
    if (self->disk.stored > self->disk.written)
        return "RAFT-LOG more is on disk than was stored";
    return NULL;
}

const char *raft_check(void *member)
{
    struct raft *self = member;
    if (!self->started)
        return NULL;
    const char *broken = raft_log_check(&self->log);
    if (broken == NULL)
        broken = check_step(self);
    if (broken == NULL)
        broken = check_state(self);
    self->shadow = (struct raft_shadow){
        .term = self->term,
        .commit = self->commit,
        .applied = self->applied,
        .last_index = raft_log_last_index(&self->log),
        .tail = self->log.tail,
        .voted_for = self->voted_for,
        .role = self->role,
    };
    return broken;
}
