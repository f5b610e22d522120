/* Raft: a member that forgot (not in the thesis, which assumes that term, vote and log never get lost).
 *
 * A member whose disk was lost or damaged may have voted, and may have acknowledged entries, in terms it knows nothing
 * of. If it simply went on, two leaders could be elected in one term, and committed entries could be lost. So it does
 * not vote, campaign or count (it says voter=0 in every answer) until it was filled:
 *
 *   1. It sends RECOVER, with its incarnation as nonce, to all others, until each has answered with its term. Let m be
 *      the highest. An answer to an earlier incarnation is not counted.
 *   2. It follows whatever leader there is, as a learner. It votes again once it has everything from a leader of a term
 *      t >= m up to the last index that this leader had after step 1 had begun: for t = m that is the index in the
 *      leader's answer or, if the leader of m had not been elected when it answered, in any of its APPENDs; for t > m
 *      the leader was elected after it answered, so any of its APPENDs is late enough.
 *   3. It stores term t, the vote for t's leader if it knows of none, and that it is a voter: one record, after the
 *      entries, so it is on disk only when they are.
 *
 * Why that suffices, as long as fewer than a majority forget at a time. Let it have been in term v when it forgot.
 * Votes: a vote in v matters only if its candidate can still count it. A candidate counts answers to its own
 * incarnation only, and in that incarnation it has had term v since before the vote was cast; so its answer in step 1,
 * which comes after the loss, gave m >= v. As the member votes in no term below t >= m, and in t only for t's leader,
 * which is elected already, no candidate gets a second vote in the same term. Entries: let an entry of term u have
 * been acknowledged by the lost disk. Its leader had stored term u, as had a majority, of which somebody remembers: u
 * <= m. If u < t, the leader of t was elected by a majority that meets those who acknowledged the entry in a member
 * other than this one, or in this one before the loss; either way the leader has the entry (thesis 3.6.3), and it is
 * below the index of step 2. If u = t, the leader is the entry's own, had it before it was acknowledged, hence before
 * step 1. So the member votes again only with the entry in its log, and the argument of 3.6.3 holds as if nothing had
 * been lost. Elections and rounds in the meantime are decided by members that remember.
 *
 * Limits. All others must answer, so one more member that is down for good keeps this one from ever voting; it still
 * follows and serves. A group of one that forgot stays silent. */
#include "protocol/consensus/raft_internal.h"

void raft_recover_ask(struct raft *self, struct effects *out)
{
    const struct raft_recover question = {.nonce = self->incarnation};
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->peers.count; i++)
        if (i != self->peers.self_place && !self->peers.list[i].recover_answered)
            self->peers.pick[count++] = self->peers.list[i].node;
    if (count == 0)
        return;
    struct span to = effects_copy(out, self->peers.pick, count * sizeof *self->peers.pick);
    effect_send(out, &raft_messages, RAFT_SLOT, RAFT_RECOVER, &question, (const uint32_t *)(const void *)to.data,
                count);
}

void raft_on_recover(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_recover *question = event->message.body;
    const struct raft_recover_ack ack = {
        .nonce = question->nonce,
        .term = self->term,
        .last = raft_log_last_index(&self->log),
        .leads = self->role == RAFT_LEADER,
    };
    effect_send_one(out, &raft_messages, RAFT_SLOT, RAFT_RECOVER_ACK, &ack, event->message.from.node)
        ->to_incarnation = event->message.incarnation;
}

void raft_on_recover_ack(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_recover_ack *ack = event->message.body;
    struct peer *peer = peers_find(&self->peers, event->message.from.node);
    if (!self->recovering || ack->nonce != self->incarnation || peer->recover_answered)
        return;
    peer->recover_answered = true;
    self->recover_answers++;
    if (ack->term > self->recover_term)
        self->recover_term = ack->term;
    if (ack->leads && ack->term >= self->recover_leader_term) {
        self->recover_leader_term = ack->term;
        self->recover_leader_last = ack->last;
    }
    if (self->recover_answers == self->peers.count - 1)
        effect_note(out, "everybody's term is known", self->recover_term);
}

void raft_recover_progress(struct raft *self, uint64_t last, struct effects *out)
{
    if (self->recover_answers < self->peers.count - 1 || self->term < self->recover_term)
        return;
    if (self->recover_target_term != self->term) {
        self->recover_target_term = self->term;
        self->recover_target = last;
        if (self->recover_leader_term == self->term && self->recover_leader_last > last)
            self->recover_target = self->recover_leader_last;
    }
    if (self->matched < self->recover_target)
        return;
    self->recovering = false;
    if (self->voted_for == 0)
        self->voted_for = self->leader;
    self->hard_dirty = true;
    self->ack_due = true;
    effect_note(out, "RECOVERING -> VOTER", self->term);
}
