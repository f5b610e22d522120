/* Paxos, phase 2: the leader (PMS 2.2, 3).
 *
 * Proposals are stored, and thereby accepted by the leader itself, as requests come in; all of a turn's go out at its
 * end, in one message for all members that need the same, and without waiting for the answers to earlier ones: many
 * slots are in flight. The leader sends while its own write is under way, but counts itself only after that.
 *
 * Everything from its commit slot on that it holds is accepted in its own ballot, so counting how many members have
 * accepted a prefix in that ballot tells what is chosen. What lies below it is chosen already; members that lack it
 * get it the same way, as proposals of this ballot, which they are free to be: a leader of a higher ballot would
 * propose nothing else there (PAX-3).
 *
 * Messages are lost: a heartbeat's answer tells what has been received, and if that is less than what was sent before
 * the heartbeat, sending begins anew from there. */
#include "protocol/consensus/paxos_internal.h"

void paxos_propose(struct paxos *self, const struct event *event, struct span bundle, uint32_t count, uint32_t origin,
                   struct effects *out)
{
    const struct paxos_cell *last = paxos_window_at(&self->window, self->window.top);
    int64_t last_ns = last != NULL && last->time_ns > self->applied_time_ns ? last->time_ns : self->applied_time_ns;
    const struct paxos_entry entry = {
        .slot = self->window.top + 1,
        .time = event->wall_ns > last_ns ? event->wall_ns : last_ns,
        .count = count,
        .origin = origin,
        .bundle = bundle,
    };
    self->open_bytes += paxos_take_entry(self, event, &entry, self->promised, out)->size;
    self->commit_due |= paxos_ablated(self, PAXOS_ABLATION_LEARN_EARLY);
}

void paxos_lead(struct paxos *self, const struct event *event, struct effects *out)
{
    self->beat = 0;
    self->remote_gathered = 0;
    self->own_match = self->commit;
    self->checkpoint_wanted = 0;
    self->beat_due = self->heartbeat_due = self->told_due = false;
    self->window_end_ns = event->now_ns + self->spec->tuning.election_timeout_ns;
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct paxos_peer *peer = &self->peers[i];
        bool own = i == self->self_place;
        paxos_probe(peer, self->window.top + 1);
        peer->voter = own;
        peer->heard = peer->suspected = peer->told = peer->quick = false;
        peer->heard_ns = event->now_ns;
        peer->match = 0;
        peer->read_gathered = peer->read_flying = 0;
        raft_quorum_set(&self->match_quorum, i, 0);
        raft_quorum_set(&self->beat_quorum, i, own ? UINT64_MAX : 0);
    }
    self->open_bytes = 0;
    for (uint64_t slot = self->commit + 1; slot <= self->window.top; slot++) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        self->open_bytes += cell == NULL ? 0 : cell->size;
    }
    paxos_set_leader(self, event, self->self_node, out);
    paxos_lead_stored(self);
    self->commit_due = self->heartbeat_due = true;
    effect_arm(out, PAXOS_SLOT, PAXOS_TIMER_HEARTBEAT, 0, event->now_ns + self->spec->tuning.heartbeat_ns);
}

void paxos_unlead(struct paxos *self, struct effects *out)
{
    effect_disarm(out, PAXOS_SLOT, PAXOS_TIMER_HEARTBEAT, 0);
    for (uint32_t i = 0; i < self->member_count; i++) {
        if (self->peers[i].suspected)
            effect_suspect(out, self->peers[i].node, 0);
        self->peers[i].suspected = false;
    }
    paxos_read_unlead(self);
}

/* A leader that a majority does not answer steps down, so that its clients go elsewhere. */
static bool quorum_heard(struct paxos *self)
{
    uint32_t heard = 1;
    for (uint32_t i = 0; i < self->member_count; i++) {
        heard += i != self->self_place && self->peers[i].heard && self->peers[i].voter;
        self->peers[i].heard = false;
    }
    return heard >= self->majority;
}

static void suspect_silent(struct paxos *self, int64_t now_ns, struct effects *out)
{
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct paxos_peer *peer = &self->peers[i];
        bool silent = now_ns - peer->heard_ns > self->spec->tuning.election_timeout_ns;
        if (i == self->self_place || peer->suspected || !silent)
            continue;
        peer->suspected = true;
        effect_suspect(out, peer->node, 1);
    }
}

void paxos_heartbeat(struct paxos *self, const struct event *event, struct effects *out)
{
    if (self->role == PAXOS_CANDIDATE)
        paxos_prepare_again(self, event, out);
    if (self->role != PAXOS_LEADER)
        return;
    bool alone = false;
    if (event->now_ns >= self->window_end_ns) {
        alone = !quorum_heard(self);
        self->window_end_ns = event->now_ns + self->spec->tuning.election_timeout_ns;
    }
    if (alone || paxos_disk_stalled(self, event->now_ns)) {
        effect_note(out, alone ? "steps down: no majority answers" : "steps down: the disk hangs",
                    self->promised.round);
        paxos_become_follower(self, event, self->promised, 0, out);
        return;
    }
    suspect_silent(self, event->now_ns, out);
    self->heartbeat_due = true;
    effect_arm(out, PAXOS_SLOT, PAXOS_TIMER_HEARTBEAT, 0, event->now_ns + self->spec->tuning.heartbeat_ns);
}

/* Accepted by a majority in one ballot: chosen (PMS 2.2). Whose clients wait is told at once. */
static void choose_counted(struct paxos *self)
{
    self->commit_due = false;
    uint64_t before = self->commit;
    uint64_t chosen = raft_quorum_reached(&self->match_quorum, self->majority);
    if (paxos_ablated(self, PAXOS_ABLATION_LEARN_EARLY))
        chosen = self->own_match;
    if (chosen <= before)
        return;
    paxos_learn(self, chosen);
    for (uint64_t slot = before + 1; slot <= chosen; slot++) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        self->open_bytes -= cell->size;
        if (cell->origin == 0 || cell->origin == self->self_node)
            continue;
        struct paxos_peer *origin = paxos_peer_find(self, cell->origin);
        if (origin != NULL)
            origin->told = self->told_due = true;
    }
}

static bool wants_records(const struct paxos *self, const struct paxos_peer *peer)
{
    if (peer->pace != PAXOS_STREAM || peer->next < self->send_from)
        return false; /* what it needs is about to go: it waits for what becomes of the checkpoint */
    return paxos_window_at(&self->window, peer->next) != NULL && peer->flight_count < self->flight_max &&
           peer->flight_bytes < PAXOS_FLIGHT_BYTES_TIMES * self->spec->tuning.append_bytes_max;
}

struct run {
    uint64_t last; /* slot */
    uint64_t bytes;
};

/* Slots from `first` on, which is held, whose records follow each other, up to the bounds of one message; at least one,
 * however large. */
static struct run run_from(const struct paxos *self, uint64_t first)
{
    const struct paxos_cell *last = paxos_window_at(&self->window, first);
    struct run run = {.last = first, .bytes = last->size};
    while (run.last - first + 1 < PAXOS_ACCEPT_RECORDS_MAX) {
        const struct paxos_cell *next = paxos_window_at(&self->window, run.last + 1);
        if (next == NULL || next->position != last->position + 1 ||
            run.bytes + next->size > self->spec->tuning.append_bytes_max)
            break;
        run.bytes += next->size;
        run.last++;
        last = next;
    }
    return run;
}

/* Books a message with slots [next, run.last] that goes to this member. */
static void book(struct paxos *self, struct paxos_peer *peer, struct run run)
{
    peer->served = true;
    peer->sent_ns = self->now_ns;
    peer->sent_bytes = peer->flight_bytes + run.bytes;
    uint32_t place = peer->flight_first + peer->flight_count++;
    peer->flights[place % self->flight_max] = (struct paxos_flight){.last_slot = run.last, .bytes = run.bytes};
    peer->flight_bytes += run.bytes;
    peer->next = run.last + 1;
}

static struct effect_send *send_accept(struct paxos *self, bool ask, const uint32_t *to, uint32_t count,
                                       struct effects *out)
{
    const struct paxos_accept accept = {
        .round = self->promised.round,
        .commit = self->commit,
        .beat = self->beat,
        .last = self->window.top,
        .ask = ask,
    };
    struct span copy = effects_copy(out, to, count * sizeof *to);
    return effect_send(out, &paxos_messages, PAXOS_SLOT, PAXOS_ACCEPT, &accept,
                       (const uint32_t *)(const void *)copy.data, count);
}

static struct run send_records(struct paxos *self, uint64_t first, const uint32_t *to, uint32_t count,
                               struct effects *out)
{
    struct run run = run_from(self, first);
    struct effect_send *send = send_accept(self, true, to, count, out);
    send->records_first = paxos_window_at(&self->window, first)->position;
    send->records_last = paxos_window_at(&self->window, run.last)->position;
    return run;
}

/* One message for each member that wants slots; those that are furthest, normally all, share theirs. */
static bool send_pass(struct paxos *self, struct effects *out)
{
    uint64_t furthest = 0;
    for (uint32_t i = 0; i < self->member_count; i++) {
        const struct paxos_peer *peer = &self->peers[i];
        if (i != self->self_place && wants_records(self, peer) && furthest < peer->next)
            furthest = peer->next;
    }
    if (furthest == 0)
        return false;
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct paxos_peer *peer = &self->peers[i];
        peer->picked = false;
        if (i == self->self_place || !wants_records(self, peer))
            continue;
        peer->picked = peer->next == furthest;
        if (peer->picked)
            self->pick[count++] = peer->node;
        else
            book(self, peer, send_records(self, peer->next, &peer->node, 1, out));
    }
    struct run run = send_records(self, furthest, self->pick, count, out);
    for (uint32_t i = 0; i < self->member_count; i++)
        if (self->peers[i].picked)
            book(self, &self->peers[i], run);
    return true;
}

/* A beat needs a majority's answers, and asking more than that costs everybody time. Between heartbeats, which ask all,
 * those are asked who answered first the last time; all, when they are not enough. */
static bool quick_suffice(const struct paxos *self)
{
    uint32_t asked = 1;
    for (uint32_t i = 0; i < self->member_count; i++) {
        const struct paxos_peer *peer = &self->peers[i];
        asked += i != self->self_place && peer->voter && (peer->served || peer->quick);
    }
    return asked >= self->majority;
}

/* News without records, for those who got none in this turn: beat, what is chosen, sign of life. */
static void send_light(struct paxos *self, struct effects *out)
{
    uint32_t count = 0;
    bool all = self->heartbeat_due || !quick_suffice(self);
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct paxos_peer *peer = &self->peers[i];
        if (i != self->self_place && !peer->served && ((self->beat_due && (all || peer->quick)) || peer->told))
            self->pick[count++] = peer->node;
        peer->told = false;
    }
    if (count > 0)
        (void)send_accept(self, self->heartbeat_due, self->pick, count, out);
    self->beat_due = self->heartbeat_due = self->told_due = false;
}

/* What is large travels in pieces, and heartbeats overtake it: it is not lost because one of them came first. */
static bool on_its_way(const struct paxos *self, const struct paxos_peer *peer)
{
    if (peer->sent_bytes <= PAXOS_LARGE_BYTES)
        return false;
    int64_t travel_ns = (int64_t)(peer->sent_bytes / PAXOS_SLOWEST_BYTES_PER_MS) * NS_PER_MS;
    return self->now_ns < peer->sent_ns + self->spec->tuning.election_timeout_ns + travel_ns;
}

/* Before sending: who fell behind what is kept has to adopt a checkpoint; a heartbeat repeats what got no answer. */
static void begin_turn(struct paxos *self, struct effects *out)
{
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct paxos_peer *peer = &self->peers[i];
        peer->served = false;
        if (i == self->self_place)
            continue;
        if (self->heartbeat_due)
            peer->paused = false;
        if (peer->pace == PAXOS_STREAM && peer->next < self->window.head)
            peer->pace = PAXOS_INSTALL_STATE;
        if (peer->pace == PAXOS_INSTALL_STATE && !peer->paused) {
            paxos_install_send(self, peer, out);
            peer->paused = peer->served = true;
        }
    }
}

/* The answer to this heartbeat has to report all that was sent before it. */
static void expect_receipt(struct paxos *self)
{
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct paxos_peer *peer = &self->peers[i];
        if (i == self->self_place || peer->pace != PAXOS_STREAM || peer->checked_beat != 0 || on_its_way(self, peer))
            continue;
        peer->checked_beat = self->beat;
        peer->checked_slot = peer->next - 1;
    }
}

void paxos_lead_turn(struct paxos *self, const struct event *event, struct effects *out)
{
    if (self->commit_due)
        choose_counted(self);
    paxos_read_beats(self, event, out);
    if (self->heartbeat_due) {
        self->beat++;
        self->beat_due = true;
    }
    begin_turn(self, out);
    uint32_t passes = 0;
    while (passes < PAXOS_SENDS_MAX && send_pass(self, out))
        passes++;
    if (passes == PAXOS_SENDS_MAX)
        effect_again(out);
    if (self->heartbeat_due)
        expect_receipt(self);
    if (self->beat_due || self->told_due)
        send_light(self, out);
}
