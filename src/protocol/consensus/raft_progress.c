/* Raft: what a leader knows of the members' logs (thesis 3.5; etcd/raft calls it progress).
 *
 * While the logs' agreement is in doubt (PROBE), one question is out at a time; a rejection carries a hint that skips
 * whole terms of the follower's log. Once they agree (STREAM), next runs ahead of the acknowledgements. `next` is an
 * ordinal of raft_log.h.
 *
 * Invariant. Answers are believed only where they name a boundary of this leader's log. */
#include "protocol/consensus/raft_internal.h"

void raft_probe_from(struct raft *self, struct peer *peer, uint64_t agreed)
{
    uint64_t next = self->log.head;
    bool held = raft_log_after(&self->log, agreed, &next);
    pacing_probe(peer, next);
    if (!held)
        peer->pace = PACE_INSTALL;
}

void raft_peer_restarted(struct raft *self, struct peer *peer)
{
    if (self->role != RAFT_LEADER)
        return;
    peers_restarted(&self->peers, peer, self->log.tail);
    reads_forget(&self->reads, peer);
}

void raft_lead_stored(struct raft *self)
{
    uint64_t stored = raft_log_stored(&self->log, self->disk.stored);
    struct peer *own = &self->peers.list[self->peers.self_place];
    if (stored > own->match)
        peers_match(&self->peers, own, stored);
}

/* Sorts out the term of an answer to a leader. NULL: it is of no use. */
static struct peer *answerer(struct raft *self, const struct event *event, uint64_t term, struct effects *out)
{
    if (term > self->term)
        raft_become_follower(self, event, term, 0, out);
    if (self->role != RAFT_LEADER || term != self->term)
        return NULL;
    return peers_heard(&self->peers, event->message.from.node, event->now_ns, out);
}

/* Thesis 3.5: back up to where the logs may agree; the hint skips whole terms. */
static void on_mismatch(struct raft *self, struct peer *peer, const struct raft_append_ack *ack)
{
    if (peer->pace == PACE_INSTALL || ack->prev_index <= peer->match)
        return; /* late: since then it has confirmed more */
    if (peer->pace == PACE_PROBE && (peer->next < self->log.head ||
                                     ack->prev_index != raft_log_before_index(&self->log, peer->next)))
        return; /* the answer to an earlier question */
    uint64_t hint = ack->hint_index < ack->prev_index ? ack->hint_index : ack->prev_index - 1;
    uint64_t next = raft_log_after_term(&self->log, hint, ack->hint_term);
    bool before = raft_log_before_index(&self->log, next) > hint; /* only the base is left, and it is too far */
    pacing_probe(peer, next);
    if (before) {
        peer->pace = PACE_INSTALL;
        return;
    }
    uint64_t after_match;
    if (raft_log_after(&self->log, peer->match, &after_match) && after_match > next)
        peer->next = after_match;
}

static void on_match(struct raft *self, struct peer *peer, const struct raft_append_ack *ack)
{
    uint64_t next;
    bool known = raft_log_after(&self->log, ack->match, &next);
    if (ack->match > raft_log_last_index(&self->log) || (!known && ack->match > self->log.base_index))
        return; /* no boundary of this log: not an answer of a follower of this term */
    bool rose = ack->match > peer->match;
    if (rose)
        peers_match(&self->peers, peer, ack->match);
    pacing_answered(&self->peers, peer, ack->match);
    if (peer->pace == PACE_STREAM || !known)
        return;
    if (peer->pace == PACE_PROBE) {
        if (next < peer->next)
            return; /* older than the question */
        if (peer->probe_records && next == peer->next)
            return; /* it had no room for the records: asked again with the next heartbeat */
    }
    pacing_probe(peer, next);
    peer->pace = PACE_STREAM;
}

void raft_on_append_ack(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_append_ack *ack = event->message.body;
    struct peer *peer = answerer(self, event, ack->term, out);
    if (peer == NULL)
        return;
    peers_voter(&self->peers, peer, ack->voter != 0);
    if (ack->ok)
        on_match(self, peer, ack);
    else
        on_mismatch(self, peer, ack);
}

void raft_on_round_ack(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_round_ack *ack = event->message.body;
    struct peer *peer = answerer(self, event, ack->term, out);
    if (peer == NULL || ack->round > self->peers.beat)
        return;
    peers_voter(&self->peers, peer, ack->voter != 0);
    peers_beat(&self->peers, peer, ack->round);
    /* It may also have forgotten, in an election, that its log agrees. */
    if (pacing_lost(peer, ack->round, ack->received))
        raft_probe_from(self, peer, ack->received > peer->match ? ack->received : peer->match);
}
