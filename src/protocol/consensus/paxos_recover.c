/* Paxos: a member that forgot (PMS assumes that what an acceptor promised and accepted never gets lost).
 *
 * A member whose disk was lost or damaged may have promised and accepted in ballots it knows nothing of. If it simply
 * went on, two values could be chosen in one slot. So it does not promise, campaign or count (it says voter=0 in every
 * answer) until it was filled:
 *
 *   1. It sends RECOVER, with its incarnation as nonce, to all others, until each has answered with the ballot that it
 *      promised. Let m be the highest.
 *   2. It accepts what any leader proposes, as a learner. It counts again once it has everything from the leader of a
 *      ballot b >= m up to the last slot that this leader had proposed after step 1 had begun: for b = m that is the
 *      slot in the leader's answer or, if it did not lead when it answered, in any of its ACCEPTs; for b > m it began
 *      to lead after it answered, so any of its ACCEPTs is late enough.
 *   3. It stores the promise of b, and that it counts: one record, after the proposals, so it is on disk only when they
 *      are.
 *
 * Why that suffices, as long as fewer than a majority forget at a time. Promises: let it have promised ballot v when
 * it forgot. That matters only if v's candidate can still count the promise. A candidate counts answers to its own
 * life only, and in that life it had promised v itself since before it asked; so its answer in step 1, which comes
 * after the loss, gave m >= v. The member promises b >= m. Acceptances: let it have accepted value w in slot s and
 * ballot u, told so, and let w be chosen thereby or later. The leader of u had promises of a majority, of which
 * somebody remembers: u <= m. If u < b, the leader of b had promises from a majority, which meets those who accepted
 * w in a member other than this one, or in this one before the loss; so it proposed w in slot s (PAX-3), or knew it
 * to be chosen, before it began to lead. If u = b, it is the leader that proposed w, before the loss. Either way s is
 * not above the last slot of step 2, and the member holds w, accepted in b >= u, when it counts again: as if nothing
 * had been lost. Ballots in the meantime are decided by members that remember.
 *
 * Limits. All others must answer, so one more member that is down for good keeps this one from ever counting; it still
 * learns and serves. A group of one that forgot stays silent. */
#include "protocol/consensus/paxos_internal.h"

void paxos_recover_ask(struct paxos *self, struct effects *out)
{
    const struct paxos_recover question = {.nonce = self->incarnation};
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->peers.count; i++)
        if (i != self->peers.self_place && !self->peers.list[i].recover_answered)
            self->peers.pick[count++] = self->peers.list[i].node;
    if (count == 0)
        return;
    struct span to = effects_copy(out, self->peers.pick, count * sizeof *self->peers.pick);
    effect_send(out, &paxos_messages, PAXOS_SLOT, PAXOS_RECOVER, &question, (const uint32_t *)(const void *)to.data,
                count);
}

void paxos_on_recover(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_recover *question = event->message.body;
    const struct paxos_recover_ack ack = {
        .nonce = question->nonce,
        .round = self->promised.round,
        .node = self->promised.node,
        .last = self->window.top,
        .leads = self->role == PAXOS_LEADER,
    };
    effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_RECOVER_ACK, &ack, event->message.from.node)
        ->to_incarnation = event->message.incarnation;
}

void paxos_on_recover_ack(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_recover_ack *ack = event->message.body;
    struct peer *peer = peers_find(&self->peers, event->message.from.node);
    if (!self->recovering || ack->nonce != self->incarnation || peer->recover_answered)
        return;
    struct paxos_ballot ballot = paxos_ballot_of(ack->round, ack->node);
    peer->recover_answered = true;
    self->recover_answers++;
    if (paxos_ballot_compare(ballot, self->recover_ballot) > 0)
        self->recover_ballot = ballot;
    if (ack->leads && paxos_ballot_compare(ballot, self->recover_leader_ballot) >= 0) {
        self->recover_leader_ballot = ballot;
        self->recover_leader_last = ack->last;
    }
    if (self->recover_answers == self->peers.count - 1)
        effect_note(out, "everybody's promise is known", self->recover_ballot.round);
}

void paxos_recover_progress(struct paxos *self, uint64_t last, struct effects *out)
{
    if (self->recover_answers < self->peers.count - 1 ||
        paxos_ballot_compare(self->promised, self->recover_ballot) < 0)
        return;
    if (!paxos_ballot_same(self->recover_target_ballot, self->promised)) {
        self->recover_target_ballot = self->promised;
        self->recover_target = last;
        if (paxos_ballot_same(self->recover_leader_ballot, self->promised) && self->recover_leader_last > last)
            self->recover_target = self->recover_leader_last;
    }
    if (self->matched < self->recover_target)
        return;
    self->recovering = false;
    self->state_dirty = true;
    self->ack_due = true;
    effect_note(out, "RECOVERING -> ACCEPTOR", self->promised.round);
}
