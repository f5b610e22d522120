/* Paxos: invariants of a member's state, and of its step from the one that was checked last (tags as in AG-4 and AG-5).
 *
 * Runs after every step of the simulator, so it looks only at what changed. What only a view across members can tell
 * (PAX-1, PAX-3, PAX-4, MPX-1) is the laboratory's, through the accessors in paxos.h. */
#include "protocol/consensus/paxos_internal.h"

static const char *check_step(const struct paxos *self)
{
    const struct paxos_shadow *before = &self->shadow;
    if (paxos_ballot_compare(self->promised, before->promised) < 0)
        return "PAX-2 the promised ballot fell";
    if (self->commit < before->commit)
        return "MPX-1 the commit slot fell";
    if (self->applied < before->applied || self->applied_index < before->applied_index)
        return "MPX-2 what was applied got less";
    bool leads_on = self->role == PAXOS_LEADER && before->role == PAXOS_LEADER &&
                    paxos_ballot_same(self->promised, before->promised);
    if (leads_on && self->window.top < before->top)
        return "PAX-1 a leader took a proposal back";
    return NULL;
}

static const char *check_ends(const struct paxos *self)
{
    if (self->applied > self->commit)
        return "MPX-2 more was applied than is known to be chosen";
    if (self->window.head > self->applied + 1)
        return "MPX-2 slots went before they were applied";
    if (self->commit > self->applied && paxos_window_at(&self->window, self->commit) == NULL)
        return "MPX-1 a slot is known to be chosen that is not held";
    if (self->window.top + 1 < self->window.head || self->window.top - self->window.head + 1 > self->window.mask + 1)
        return "PAX-WINDOW the window's ends are wrong";
    if (self->role == PAXOS_FOLLOWER && self->matched > self->window.top && self->matched > self->commit)
        return "PAX-2 more is acknowledged than was accepted";
    if (self->disk.stored > self->disk.written)
        return "PAX-WINDOW more is on disk than was stored";
    return NULL;
}

static const char *check_role(const struct paxos *self)
{
    bool proposes = self->role == PAXOS_LEADER || self->role == PAXOS_CANDIDATE;
    if (proposes && self->recovering)
        return "PAX-2 a member that forgot uses a ballot";
    if (proposes && self->promised.node != self->peers.self_node)
        return "PAX-5 a member uses a ballot that is not its own";
    if (self->role == PAXOS_LEADER && self->leader != self->peers.self_node)
        return "PAX-5 a leader does not follow itself";
    const struct paxos_cell *top = paxos_window_at(&self->window, self->window.top);
    if (self->role == PAXOS_LEADER && self->window.top > self->commit &&
        !paxos_ballot_same(top->ballot, self->promised))
        return "PAX-3 a leader's open slots are not of its ballot";
    return NULL;
}

const char *paxos_check(void *member)
{
    struct paxos *self = member;
    if (!self->started)
        return NULL;
    const char *broken = self->broken;
    if (broken == NULL)
        broken = check_step(self);
    if (broken == NULL)
        broken = check_ends(self);
    if (broken == NULL)
        broken = check_role(self);
    self->shadow = (struct paxos_shadow){
        .promised = self->promised,
        .commit = self->commit,
        .applied = self->applied,
        .applied_index = self->applied_index,
        .top = self->window.top,
        .role = self->role,
    };
    return broken;
}
