/* Paxos, phase 2: the acceptor and learner (PMS 2.2, 2.3).
 *
 * A proposal is accepted unless a higher ballot was promised (P1a); accepting one promises its ballot too. Slots come
 * in any order: one that was lost on the way leaves a hole until the leader sends it again, or another leader fills
 * it. Acceptances are acknowledged once a turn, after the disk, as the longest prefix that is accepted in the ballot
 * or known to be chosen; a beat is answered at once, before the disk: it only says that nothing higher was promised.
 *
 * Learning: the leader tells up to which slot all are chosen. What this member has accepted in the leader's own
 * ballot is what the leader proposed (PAX-1), so those of its prefix are chosen here too. */
#include "protocol/consensus/paxos_internal.h"

bool paxos_follow_leader(struct paxos *self, const struct event *event, uint64_t round, uint64_t beat,
                         struct effects *out)
{
    uint32_t from = event->message.from.node;
    struct paxos_ballot ballot = paxos_ballot_of(round, from);
    if (!paxos_may_accept(self->promised, ballot)) {
        paxos_nack(self, event, round, false, out);
        return false;
    }
    if (paxos_ballot_compare(ballot, self->promised) > 0 || self->role != PAXOS_FOLLOWER || self->leader != from)
        paxos_become_follower(self, event, ballot, from, out);
    self->heard_ns = event->now_ns;
    self->timer.quick_tries = 0;
    election_timer_postpone(&self->timer, event->now_ns);
    if (self->state_dirty)
        (void)paxos_state_after(self, event, out); /* the promise lies in the log before the ballot's proposals */
    if (beat > self->beat_seen) {
        self->beat_seen = beat;
        self->beat_ack_due = true;
    }
    return true;
}

void paxos_match_anew(struct paxos *self)
{
    self->matched = self->commit;
    self->match_after = self->disk.written;
    self->beat_seen = 0;
    self->beat_ack_due = self->ack_due = false;
    self->held_back = 0;
}

/* Moves the prefix over what was accepted in the promised ballot. */
static void match_on(struct paxos *self)
{
    if (self->matched < self->commit)
        self->matched = self->commit;
    for (;;) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, self->matched + 1);
        if (cell == NULL || cell->reported || !paxos_ballot_same(cell->ballot, self->promised))
            return;
        self->matched++;
        if (self->match_after < cell->position)
            self->match_after = cell->position;
    }
}

void paxos_learn(struct paxos *self, uint64_t commit)
{
    while (self->commit < commit) {
        struct paxos_cell *cell = paxos_window_at(&self->window, self->commit + 1);
        invariant(cell != NULL, "what is learned was accepted here");
        cell->index = self->commit_index + 1;
        self->commit_index += cell->count;
        self->commit++;
    }
}

/* Accepts one proposal. False: there is no room for it, nor for those after it. */
static bool take_proposal(struct paxos *self, const struct event *event, const struct paxos_entry *entry,
                          struct paxos_ballot ballot, struct effects *out)
{
    if (entry->slot <= self->commit)
        return true; /* chosen, so it is the same */
    struct paxos_cell *held = paxos_window_at(&self->window, entry->slot);
    if (held != NULL && !held->reported && paxos_ballot_same(held->ballot, ballot)) {
        if (held->count != entry->count || held->time_ns != entry->time || held->origin != entry->origin) {
            paxos_reject(out, "rejected: PAX-1 another value in the same slot and ballot", event->message.from.node);
            return false;
        }
        return true; /* doubled on the way */
    }
    paxos_make_room(self);
    if (!paxos_window_fits(&self->window, entry->slot))
        return false; /* the prefix tells the leader, and it sends the rest again */
    struct paxos_entry accepted = *entry;
    accepted.reported = 0;
    (void)paxos_take_entry(self, event, &accepted, ballot, out);
    return true;
}

static bool entry_of(const struct record_view *record, struct paxos_ballot ballot, struct paxos_entry *entry)
{
    return record->type == PAXOS_ENTRY && record->slot == PAXOS_SLOT &&
           message_decode(&paxos_records.types[PAXOS_ENTRY], record->body, entry) && paxos_entry_sound(entry) &&
           paxos_ballot_compare(paxos_ballot_of(entry->round, entry->node), ballot) <= 0;
}

static void take_records(struct paxos *self, const struct event *event, struct span rest, struct paxos_ballot ballot,
                         struct effects *out)
{
    struct record_view record;
    for (uint32_t i = 0; i < PAXOS_ACCEPT_RECORDS_MAX && record_next(&rest, &record); i++) {
        struct paxos_entry entry;
        if (!entry_of(&record, ballot, &entry)) {
            paxos_reject(out, "rejected: malformed proposal", event->message.from.node);
            return;
        }
        if (!take_proposal(self, event, &entry, ballot, out))
            return;
    }
}

/* What a late leader proposes must not be accepted; with the rule switched off it is. */
static void accept_lower(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_accept *accept = event->message.body;
    struct paxos_ballot ballot = paxos_ballot_of(accept->round, event->message.from.node);
    take_records(self, event, accept->records, ballot, out);
    const struct paxos_accepted ack = {.round = accept->round, .match = accept->last, .voter = 1};
    effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_ACCEPTED, &ack, event->message.from.node)->after =
        own_disk_after(&self->disk, self->disk.written);
}

void paxos_on_accept(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_accept *accept = event->message.body;
    struct paxos_ballot ballot = paxos_ballot_of(accept->round, event->message.from.node);
    if (paxos_ablated(self, PAXOS_ABLATION_ACCEPT_LOWER) && !paxos_may_accept(self->promised, ballot) &&
        accept->records.size > 0) {
        accept_lower(self, event, out);
        return;
    }
    if (!paxos_follow_leader(self, event, accept->round, accept->beat, out))
        return;
    if (accept->records.size > 0)
        take_records(self, event, accept->records, ballot, out);
    match_on(self);
    self->ack_due |= accept->records.size > 0 || accept->ask;
    paxos_learn(self, accept->commit < self->matched ? accept->commit : self->matched);
    if (self->recovering)
        paxos_recover_progress(self, accept->last, out);
}

static void send_beat_ack(struct paxos *self, struct effects *out)
{
    const struct paxos_beat_ack ack = {
        .round = self->promised.round,
        .beat = self->beat_seen,
        .received = self->matched,
        .voter = !self->recovering,
    };
    effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_BEAT_ACK, &ack, self->leader);
}

/* Phase 2b. It leaves when the promise and every acceptance that it tells of are on disk. */
static void send_accepted(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_accepted ack = {
        .round = self->promised.round,
        .match = self->matched,
        .held = self->held_back,
        .voter = !self->recovering,
    };
    uint64_t after = paxos_state_after(self, event, out);
    if (after < own_disk_after(&self->disk, self->match_after))
        after = self->match_after;
    if (paxos_ablated(self, PAXOS_ABLATION_ACCEPT_NOT_STORED))
        after = 0;
    effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_ACCEPTED, &ack, self->leader)->after = after;
}

void paxos_accept_turn(struct paxos *self, const struct event *event, struct effects *out)
{
    if (self->leader != 0 && self->beat_ack_due)
        send_beat_ack(self, out);
    if (self->leader != 0 && self->ack_due)
        send_accepted(self, event, out);
    self->beat_ack_due = self->ack_due = false;
    self->held_back = 0;
    paxos_read_ask(self, event, out);
}
