/* Paxos: what a leader knows of the members (PMS 2.2, phase 2; who learns what, 2.3).
 *
 * `match` is accepted and on the member's disk, `next` is what it gets next. A new leader knows neither: its first
 * heartbeat asks (PROBE), and the answer, the prefix that the member knows to be chosen, is where sending begins
 * (STREAM). When what a member needs is gone (INSTALL), it has to adopt a checkpoint.
 *
 * Invariants. Only members that say that they are voters count, and one that restarted counts only when it has said so
 * again: its disk may be gone. Answers are believed only in so far as the slots are this leader's. */
#include "protocol/consensus/paxos_internal.h"

void paxos_probe(struct paxos_peer *peer, uint64_t next)
{
    peer->pace = PAXOS_PROBE;
    peer->paused = false;
    peer->next = next;
    peer->flight_count = 0;
    peer->flight_bytes = peer->sent_bytes = 0;
    peer->checked_beat = 0;
}

void paxos_stream_from(struct paxos *self, struct paxos_peer *peer, uint64_t agreed)
{
    paxos_probe(peer, agreed + 1);
    peer->pace = agreed + 1 < self->window.head ? PAXOS_INSTALL_STATE : PAXOS_STREAM;
}

void paxos_match_set(struct paxos *self, struct paxos_peer *peer, uint64_t match)
{
    uint32_t place = (uint32_t)(peer - self->peers);
    peer->match = match;
    uint64_t counted = peer->voter ? match : 0;
    if (self->match_quorum.value[place] == counted)
        return;
    raft_quorum_set(&self->match_quorum, place, counted);
    self->commit_due = true;
}

static void set_voter(struct paxos *self, struct paxos_peer *peer, bool voter)
{
    if (peer->voter == voter)
        return;
    peer->voter = voter;
    if (!voter)
        raft_quorum_set(&self->beat_quorum, (uint32_t)(peer - self->peers), 0);
    paxos_match_set(self, peer, peer->match);
}

void paxos_peer_restarted(struct paxos *self, struct paxos_peer *peer)
{
    peer->pre_granted = false;
    if (self->role != PAXOS_LEADER)
        return;
    /* Its disk may have been lost with it: until it says so, it has nothing, and does not count. */
    set_voter(self, peer, false);
    paxos_match_set(self, peer, 0);
    self->remote_gathered -= peer->read_gathered != 0;
    peer->read_gathered = peer->read_flying = 0;
    paxos_probe(peer, self->window.top + 1);
}

void paxos_lead_stored(struct paxos *self)
{
    uint64_t match = self->own_match < self->commit ? self->commit : self->own_match;
    for (;;) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, match + 1);
        if (cell == NULL || cell->position > self->stored_position)
            break;
        if (match + 1 <= self->takeover_last && self->takeover_renew > self->stored_position)
            break;
        match++;
    }
    self->own_match = match;
    struct paxos_peer *own = &self->peers[self->self_place];
    if (match > own->match)
        paxos_match_set(self, own, match);
}

static void heard_from(struct paxos_peer *peer, int64_t now_ns, struct effects *out)
{
    peer->heard = true;
    peer->heard_ns = now_ns;
    if (peer->suspected)
        effect_suspect(out, peer->node, 0);
    peer->suspected = false;
}

/* An answer to a leader of another round is of no use: NULL. */
static struct paxos_peer *answerer(struct paxos *self, const struct event *event, uint64_t round, struct effects *out)
{
    if (self->role != PAXOS_LEADER || round != self->promised.round)
        return NULL;
    struct paxos_peer *peer = paxos_peer_find(self, event->message.from.node);
    heard_from(peer, event->now_ns, out);
    return peer;
}

static void flights_end(struct paxos *self, struct paxos_peer *peer, uint64_t match)
{
    while (peer->flight_count > 0 && peer->flights[peer->flight_first].last_slot <= match) {
        peer->flight_bytes -= peer->flights[peer->flight_first].bytes;
        peer->flight_first = (peer->flight_first + 1) % self->flight_max;
        peer->flight_count--;
    }
    if (peer->flight_count == 0)
        peer->sent_bytes = 0;
}

void paxos_on_accepted(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_accepted *ack = event->message.body;
    struct paxos_peer *peer = answerer(self, event, ack->round, out);
    if (peer == NULL || ack->match > self->window.top)
        return; /* more is chosen there than this leader has proposed: not possible, so not true */
    set_voter(self, peer, ack->voter != 0);
    if (ack->held > self->checkpoint_wanted && ack->held <= self->window.top)
        self->checkpoint_wanted = ack->held;
    if (ack->match > peer->match)
        paxos_match_set(self, peer, ack->match);
    flights_end(self, peer, ack->match);
    bool begins = peer->pace == PAXOS_PROBE;
    bool adopted = peer->pace == PAXOS_INSTALL_STATE && ack->match + 1 >= self->window.head;
    if (begins || adopted)
        paxos_stream_from(self, peer, peer->match);
}

void paxos_on_beat_ack(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_beat_ack *ack = event->message.body;
    struct paxos_peer *peer = answerer(self, event, ack->round, out);
    if (peer == NULL || ack->beat > self->beat || ack->received > self->window.top)
        return;
    set_voter(self, peer, ack->voter != 0);
    uint32_t place = (uint32_t)(peer - self->peers);
    if (peer->voter && ack->beat > self->beat_quorum.value[place])
        raft_quorum_set(&self->beat_quorum, place, ack->beat);
    if (peer->checked_beat == 0 || ack->beat < peer->checked_beat)
        return;
    peer->checked_beat = 0;
    uint64_t agreed = ack->received > peer->match ? ack->received : peer->match;
    if (peer->pace == PAXOS_STREAM && ack->received < peer->checked_slot)
        paxos_stream_from(self, peer, agreed);
}
