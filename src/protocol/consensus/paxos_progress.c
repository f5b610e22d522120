/* Paxos: what a leader knows of the members (PMS 2.2, phase 2; who learns what, 2.3).
 *
 * A new leader does not know what its members have: its first heartbeat asks (PROBE), and the answer, the prefix that
 * the member knows to be chosen, is where sending begins (STREAM). `next` is a slot.
 *
 * Invariant. Answers are believed only in so far as the slots are this leader's. */
#include "protocol/consensus/paxos_internal.h"

void paxos_stream_from(struct paxos *self, struct peer *peer, uint64_t agreed)
{
    pacing_probe(peer, agreed + 1);
    peer->pace = agreed + 1 < self->window.head ? PACE_INSTALL : PACE_STREAM;
}

void paxos_peer_restarted(struct paxos *self, struct peer *peer)
{
    peer->granted = false;
    if (self->role != PAXOS_LEADER)
        return;
    peers_restarted(&self->peers, peer, self->window.top + 1);
    reads_forget(&self->reads, peer);
}

void paxos_lead_stored(struct paxos *self)
{
    uint64_t match = self->own_match < self->commit ? self->commit : self->own_match;
    for (;;) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, match + 1);
        if (cell == NULL || cell->position > self->disk.stored)
            break;
        if (match + 1 <= self->takeover_last && self->takeover_renew > self->disk.stored)
            break;
        match++;
    }
    self->own_match = match;
    struct peer *own = &self->peers.list[self->peers.self_place];
    if (match > own->match)
        peers_match(&self->peers, own, match);
}

/* An answer to a leader of another round is of no use: NULL. */
static struct peer *answerer(struct paxos *self, const struct event *event, uint64_t round, struct effects *out)
{
    if (self->role != PAXOS_LEADER || round != self->promised.round)
        return NULL;
    return peers_heard(&self->peers, event->message.from.node, event->now_ns, out);
}

void paxos_on_accepted(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_accepted *ack = event->message.body;
    struct peer *peer = answerer(self, event, ack->round, out);
    if (peer == NULL || ack->match > self->window.top)
        return; /* more is chosen there than this leader has proposed: not possible, so not true */
    peers_voter(&self->peers, peer, ack->voter != 0);
    if (ack->held > self->checkpoint_wanted && ack->held <= self->window.top)
        self->checkpoint_wanted = ack->held;
    if (ack->match > peer->match)
        peers_match(&self->peers, peer, ack->match);
    pacing_answered(&self->peers, peer, ack->match);
    bool begins = peer->pace == PACE_PROBE;
    bool adopted = peer->pace == PACE_INSTALL && ack->match + 1 >= self->window.head;
    if (begins || adopted)
        paxos_stream_from(self, peer, peer->match);
}

void paxos_on_beat_ack(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_beat_ack *ack = event->message.body;
    struct peer *peer = answerer(self, event, ack->round, out);
    if (peer == NULL || ack->beat > self->peers.beat || ack->received > self->window.top)
        return;
    peers_voter(&self->peers, peer, ack->voter != 0);
    peers_beat(&self->peers, peer, ack->beat);
    if (pacing_lost(peer, ack->beat, ack->received))
        paxos_stream_from(self, peer, ack->received > peer->match ? ack->received : peer->match);
}
