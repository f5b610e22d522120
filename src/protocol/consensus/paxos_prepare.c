/* Paxos, phase 1: roles and the candidate (PMS 2.2, phase 1a; 3 for all slots at once).
 *
 * A member that hears nothing from a leader for a time drawn from [T, 2T) first asks whether a majority would
 * promise, which binds nobody; then it takes a round above all that it has heard of, promises its own ballot, and
 * asks for real. A majority's promises, with all that they report, make it the leader: of each slot above what it
 * knows to be chosen it has then the value accepted in the highest ballot, and fills the holes between them with
 * no-ops (PMS 3, AG-5).
 *
 * What is reported is stored at once, marked as such: bytes of a message do not stay. That is no acceptance, and it
 * is told nobody; but whoever hears of it in a later report of this member learns of a proposal that was made indeed,
 * which is all that the proof asks of reports. It becomes an acceptance with the RENEW of the own ballot.
 *
 * Invariants. A ballot is proposed in by one life of one member: it leads only when its own promise is on disk, and
 * counts promises for its own incarnation only, so a candidate that forgot its ballot with a crash never led it
 * (PAX-5). The retries of two duelling candidates are drawn at random, else they might go on for ever (Fischer,
 * Lynch, Paterson). */
#include "protocol/consensus/paxos_internal.h"

static const char *const role_notes[4][4] = {
    [PAXOS_FOLLOWER] = {[PAXOS_PRE_CANDIDATE] = "FOLLOWER -> PRE-CANDIDATE",
                        [PAXOS_CANDIDATE] = "FOLLOWER -> CANDIDATE",
                        [PAXOS_LEADER] = "FOLLOWER -> LEADER"},
    [PAXOS_PRE_CANDIDATE] = {[PAXOS_FOLLOWER] = "PRE-CANDIDATE -> FOLLOWER",
                             [PAXOS_CANDIDATE] = "PRE-CANDIDATE -> CANDIDATE",
                             [PAXOS_LEADER] = "PRE-CANDIDATE -> LEADER"},
    [PAXOS_CANDIDATE] = {[PAXOS_FOLLOWER] = "CANDIDATE -> FOLLOWER",
                         [PAXOS_PRE_CANDIDATE] = "CANDIDATE -> PRE-CANDIDATE",
                         [PAXOS_LEADER] = "CANDIDATE -> LEADER"},
    [PAXOS_LEADER] = {[PAXOS_FOLLOWER] = "LEADER -> FOLLOWER"},
};

static void set_role(struct paxos *self, enum paxos_role role, struct effects *out)
{
    if (self->role == role)
        return;
    effect_note(out, role_notes[self->role][role], self->promised.round);
    self->role = role;
}

void paxos_set_leader(struct paxos *self, const struct event *event, uint32_t leader, struct effects *out)
{
    if (leader != 0)
        self->heard_ns = event->now_ns;
    if (self->leader == leader && (leader == 0 || paxos_ballot_same(self->view_ballot, self->promised)))
        return;
    self->leader = leader;
    self->view_ballot = self->promised;
    effect_view(out, self->promised.round, leader);
    reads_leader_changed(&self->reads, leader, out);
}

static void take_ballot(struct paxos *self, struct paxos_ballot ballot)
{
    if (paxos_ballot_compare(ballot, self->promised) <= 0)
        return;
    self->promised = ballot;
    if (self->round_seen < ballot.round)
        self->round_seen = ballot.round;
    self->state_dirty = true;
    paxos_match_anew(self);
}

static void stop_candidate(struct paxos *self, struct effects *out)
{
    if (self->role == PAXOS_CANDIDATE)
        effect_disarm(out, PAXOS_SLOT, PAXOS_TIMER_HEARTBEAT, 0);
    self->fill_next = 0;
}

void paxos_become_follower(struct paxos *self, const struct event *event, struct paxos_ballot ballot, uint32_t leader,
                           struct effects *out)
{
    take_ballot(self, ballot);
    bool led = self->role == PAXOS_LEADER;
    stop_candidate(self, out);
    set_role(self, PAXOS_FOLLOWER, out);
    if (led) {
        paxos_unlead(self, out);
        paxos_match_anew(self);
        election_timer_draw(&self->timer, event->now_ns);
    }
    paxos_set_leader(self, event, leader, out);
    election_timer_arm(&self->timer, out);
}

/* Asks one member for what it accepted from `from` on. */
static void ask_promise(struct paxos *self, uint32_t node, uint64_t from, struct effects *out)
{
    const struct paxos_prepare prepare = {.round = self->promised.round, .from = from, .nonce = self->incarnation};
    effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_PREPARE, &prepare, node);
}

static void ask_all(struct paxos *self, uint64_t round, bool pre, struct effects *out)
{
    const struct paxos_prepare prepare = {
        .round = round, .from = self->commit + 1, .nonce = self->incarnation, .pre = pre};
    if (self->peers.count > 1)
        effect_send(out, &paxos_messages, PAXOS_SLOT, PAXOS_PREPARE, &prepare, self->peers.others,
                    self->peers.count - 1);
}

/* Rounds count elections, so none comes near the last one but in a message that nobody meant: then nobody leads. */
static bool no_round_left(const struct paxos *self)
{
    return self->round_seen == UINT64_MAX;
}

/* PMS 2.2, phase 1a, for all slots from the first that is not known to be chosen. */
static void campaign(struct paxos *self, const struct event *event, struct effects *out)
{
    if (no_round_left(self))
        return;
    take_ballot(self, paxos_ballot_of(self->round_seen + 1, self->peers.self_node));
    set_role(self, PAXOS_CANDIDATE, out);
    self->prepare_from = self->commit + 1;
    self->own_stored = false;
    self->fill_next = 0;
    for (uint32_t i = 0; i < self->peers.count; i++)
        self->reported[i] = 0;
    (void)paxos_state_after(self, event, out);
    ask_all(self, self->promised.round, false, out);
    effect_arm(out, PAXOS_SLOT, PAXOS_TIMER_HEARTBEAT, 0, event->now_ns + self->spec->tuning.heartbeat_ns);
    election_timer_draw(&self->timer, event->now_ns);
    election_timer_arm(&self->timer, out);
}

/* Would a majority promise? While the connection to the leader is known to be broken but others have not noticed yet,
 * the question is repeated after a few milliseconds. */
static void pre_campaign(struct paxos *self, const struct event *event, struct effects *out)
{
    stop_candidate(self, out);
    paxos_set_leader(self, event, 0, out);
    if (no_round_left(self))
        return;
    set_role(self, PAXOS_PRE_CANDIDATE, out);
    self->pre_grants = 1;
    for (uint32_t i = 0; i < self->peers.count; i++)
        self->peers.list[i].granted = false;
    election_timer_try(&self->timer, event->now_ns);
    if (self->pre_grants >= self->peers.majority) {
        campaign(self, event, out);
        return;
    }
    ask_all(self, self->round_seen + 1, true, out);
    election_timer_arm(&self->timer, out);
}

void paxos_election_timeout(struct paxos *self, const struct event *event, struct effects *out)
{
    self->timer.at_ns = EFFECT_DISARM;
    if (self->role == PAXOS_LEADER)
        return;
    if (self->recovering)
        paxos_recover_ask(self, out); /* again, those who have not answered */
    if (event->now_ns < self->timer.deadline_ns) {
        election_timer_arm(&self->timer, out);
        return;
    }
    paxos_make_room(self);
    bool hangs = own_disk_stalled(&self->disk, event->now_ns, self->timer.timeout_ns);
    bool able = !self->recovering && !self->adopt_pending && !hangs && paxos_window_room(&self->window) > 0;
    if (able) {
        pre_campaign(self, event, out);
        return;
    }
    /* A member that may not promise, that is being replaced, or whose disk hangs, would only be in the way. */
    if (self->role != PAXOS_FOLLOWER || self->leader != 0)
        paxos_become_follower(self, event, self->promised, 0, out);
    election_timer_draw(&self->timer, event->now_ns);
    election_timer_arm(&self->timer, out);
}

void paxos_peer_lost(struct paxos *self, const struct event *event, uint32_t node, struct effects *out)
{
    if (node != self->leader || self->role == PAXOS_LEADER)
        return;
    paxos_set_leader(self, event, 0, out);
    election_timer_broken(&self->timer, event->now_ns);
    election_timer_arm(&self->timer, out);
}

/* A majority has promised, this member among them, and reported everything. */
static bool prepared(const struct paxos *self)
{
    uint32_t count = self->own_stored;
    for (uint32_t i = 0; i < self->peers.count; i++)
        count += i != self->peers.self_place && self->reported[i] == PAXOS_REPORTED_ALL;
    return self->own_stored && count >= self->peers.majority;
}

/* What is held above the commit slot is accepted here in the new ballot, all at once. */
static void renew(struct paxos *self, const struct event *event, struct effects *out)
{
    self->fill_next = self->commit + 1;
    self->takeover_last = self->window.top > self->commit ? self->window.top : self->commit;
    self->takeover_renew = 0;
    if (self->takeover_last == self->commit)
        return;
    const struct paxos_renew record = {
        .round = self->promised.round,
        .node = self->promised.node,
        .first = self->commit + 1,
        .last = self->takeover_last,
    };
    self->takeover_renew = paxos_store(self, event, PAXOS_RENEW, &record, out);
    for (uint64_t slot = record.first; slot <= record.last; slot++) {
        struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        if (cell == NULL)
            continue;
        cell->ballot = self->promised;
        cell->reported = false;
    }
}

/* MPX-3: where nobody of a majority has accepted anything, nothing is chosen, nor can it be in a lower ballot. */
static void fill_holes(struct paxos *self, const struct event *event, struct effects *out)
{
    for (uint32_t filled = 0; self->fill_next <= self->takeover_last; self->fill_next++) {
        if (paxos_window_at(&self->window, self->fill_next) != NULL)
            continue;
        if (filled++ == PAXOS_FILLS_MAX) {
            effect_again(out);
            return;
        }
        const struct paxos_entry no_op = {.slot = self->fill_next, .time = self->applied_time_ns, .count = 1};
        (void)paxos_take_entry(self, event, &no_op, self->promised, out);
    }
}

void paxos_candidate_turn(struct paxos *self, const struct event *event, struct effects *out)
{
    if (self->role != PAXOS_CANDIDATE)
        return;
    if (self->fill_next == 0) {
        if (!prepared(self))
            return;
        renew(self, event, out);
    }
    if (paxos_ablated(self, PAXOS_ABLATION_NO_GAP_FILLING))
        self->fill_next = self->takeover_last + 1;
    fill_holes(self, event, out);
    if (self->fill_next <= self->takeover_last)
        return;
    self->fill_next = 0;
    set_role(self, PAXOS_LEADER, out);
    self->timer.quick_tries = 0;
    paxos_lead(self, event, out);
}

void paxos_candidate_stored(struct paxos *self, const struct event *event, struct effects *out)
{
    (void)event;
    (void)out;
    if (self->role == PAXOS_CANDIDATE && self->disk.stored >= self->state_position && !self->state_dirty)
        self->own_stored = true;
}

void paxos_prepare_again(struct paxos *self, const struct event *event, struct effects *out)
{
    for (uint32_t i = 0; i < self->peers.count; i++) {
        if (i != self->peers.self_place && self->reported[i] != PAXOS_REPORTED_ALL)
            ask_promise(self, self->peers.list[i].node,
                        self->reported[i] == 0 ? self->prepare_from : self->reported[i], out);
    }
    effect_arm(out, PAXOS_SLOT, PAXOS_TIMER_HEARTBEAT, 0, event->now_ns + self->spec->tuning.heartbeat_ns);
}

/* Takes what was accepted elsewhere, where that was in a higher ballot than what is known here. False: no room. */
static bool take_report(struct paxos *self, const struct event *event, const struct paxos_entry *entry,
                        struct paxos_ballot ballot, struct effects *out)
{
    if (entry->slot <= self->commit || paxos_ablated(self, PAXOS_ABLATION_CHOOSE_OWN))
        return true;
    paxos_make_room(self);
    if (!paxos_window_fits(&self->window, entry->slot))
        return false;
    const struct paxos_cell *held = paxos_window_at(&self->window, entry->slot);
    bool wins = held == NULL || paxos_report_wins(held->ballot, ballot);
    if (paxos_ablated(self, PAXOS_ABLATION_CHOOSE_FIRST))
        wins = held == NULL;
    if (!wins)
        return true;
    struct paxos_entry known = *entry;
    known.reported = 1;
    (void)paxos_take_entry(self, event, &known, ballot, out);
    return true;
}

static bool take_reports(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_promise *promise = event->message.body;
    struct paxos_ballot ballot = paxos_ballot_of(promise->accepted_round, promise->accepted_node);
    struct span rest = promise->records;
    struct record_view record;
    for (uint32_t i = 0; i < PAXOS_ACCEPT_RECORDS_MAX && record_next(&rest, &record); i++) {
        struct paxos_entry entry;
        bool good = record.type == PAXOS_ENTRY && record.slot == PAXOS_SLOT &&
                    message_decode(&paxos_records.types[PAXOS_ENTRY], record.body, &entry) &&
                    paxos_entry_sound(&entry) && entry.slot >= promise->from && entry.slot <= promise->upto &&
                    ballot.round != 0 && paxos_ballot_compare(ballot, self->promised) <= 0;
        if (!good) {
            paxos_reject(out, "rejected: malformed report", event->message.from.node);
            return false;
        }
        if (!take_report(self, event, &entry, ballot, out))
            return false;
    }
    return true;
}

static void on_pre_promise(struct paxos *self, const struct event *event, struct peer *peer,
                           struct effects *out)
{
    const struct paxos_promise *promise = event->message.body;
    if (self->role != PAXOS_PRE_CANDIDATE || promise->round != self->round_seen + 1 || peer->granted)
        return;
    peer->granted = true;
    self->pre_grants++;
    if (self->pre_grants >= self->peers.majority)
        campaign(self, event, out);
}

void paxos_on_promise(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_promise *promise = event->message.body;
    struct peer *peer = peers_find(&self->peers, event->message.from.node);
    if (promise->nonce != self->incarnation)
        return;
    if (promise->pre) {
        on_pre_promise(self, event, peer, out);
        return;
    }
    uint64_t *reported = &self->reported[peer - self->peers.list];
    uint64_t expected = *reported == 0 ? self->prepare_from : *reported;
    if (self->role != PAXOS_CANDIDATE || promise->round != self->promised.round || promise->from != expected ||
        promise->upto < promise->from || self->fill_next != 0 || *reported == PAXOS_REPORTED_ALL)
        return;
    if (!take_reports(self, event, out))
        return;
    *reported = promise->upto == PAXOS_REPORTED_ALL ? PAXOS_REPORTED_ALL : promise->upto + 1;
    if (promise->ask)
        ask_promise(self, peer->node, *reported, out);
}

void paxos_on_nack(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_nack *nack = event->message.body;
    if (nack->round <= self->round_seen && nack->round < self->promised.round)
        return; /* old news */
    if (self->round_seen < nack->round)
        self->round_seen = nack->round;
    struct paxos_ballot promised = paxos_ballot_of(nack->round, nack->node);
    bool concerns = !nack->pre && nack->asked == self->promised.round &&
                    paxos_ballot_compare(promised, self->promised) > 0;
    if (concerns && (self->role == PAXOS_LEADER || self->role == PAXOS_CANDIDATE))
        paxos_become_follower(self, event, self->promised, 0, out);
}
