/* Raft: what a leader knows of the members' logs (thesis 3.5; etcd/raft calls it progress).
 *
 * `match` is on the member's disk, `next` is what it gets next. While the logs' agreement is in doubt (PROBE), one
 * question is out at a time; a rejection carries a hint that skips whole terms of the follower's log. Once they agree
 * (REPLICATE), next runs ahead of the acknowledgements. When what a member needs is gone (INSTALL), it has to adopt a
 * checkpoint.
 *
 * Invariants. Only members that say that they are voters count, and one that restarted counts only when it has said so
 * again: its disk may be gone. Answers are believed only where they name a boundary of this leader's log. */
#include "protocol/consensus/raft_internal.h"

void raft_probe(struct raft_peer *peer, uint64_t next)
{
    peer->pace = RAFT_PROBE;
    peer->paused = false;
    peer->probe_records = false;
    peer->next = next;
    peer->flight_count = 0;
    peer->flight_bytes = peer->sent_bytes = 0;
    peer->checked_round = 0;
}

void raft_probe_from(struct raft *self, struct raft_peer *peer, uint64_t agreed)
{
    uint64_t next = self->log.head;
    bool held = raft_log_after(&self->log, agreed, &next);
    raft_probe(peer, next);
    if (!held)
        peer->pace = RAFT_INSTALL_STATE;
}

/* Counts what the member has on disk, if it counts at all. */
void raft_match_set(struct raft *self, struct raft_peer *peer, uint64_t match)
{
    uint32_t place = (uint32_t)(peer - self->peers);
    peer->match = match;
    uint64_t counted = peer->voter ? match : 0;
    if (self->match_quorum.value[place] == counted)
        return;
    raft_quorum_set(&self->match_quorum, place, counted);
    self->commit_due = true;
}

static void set_voter(struct raft *self, struct raft_peer *peer, bool voter)
{
    if (peer->voter == voter)
        return;
    peer->voter = voter;
    if (!voter)
        raft_quorum_set(&self->round_quorum, (uint32_t)(peer - self->peers), 0);
    raft_match_set(self, peer, peer->match);
}

void raft_peer_restarted(struct raft *self, struct raft_peer *peer)
{
    if (self->role != RAFT_LEADER)
        return;
    /* Its disk may have been lost with it: until it says so, it has nothing, and does not count. */
    set_voter(self, peer, false);
    raft_match_set(self, peer, 0);
    self->remote_gathered -= peer->read_gathered != 0;
    peer->read_gathered = peer->read_flying = 0;
    raft_probe(peer, self->log.tail);
}

void raft_lead_stored(struct raft *self)
{
    uint64_t stored = raft_log_stored(&self->log, self->stored_position);
    struct raft_peer *own = &self->peers[self->self_place];
    if (stored > own->match)
        raft_match_set(self, own, stored);
}

static void heard_from(struct raft_peer *peer, int64_t now_ns, struct effects *out)
{
    peer->heard = true;
    peer->heard_ns = now_ns;
    if (peer->suspected)
        effect_suspect(out, peer->node, 0);
    peer->suspected = false;
}

/* Sorts out the term of an answer to a leader. NULL: it is of no use. */
static struct raft_peer *answerer(struct raft *self, const struct event *event, uint64_t term, struct effects *out)
{
    if (term > self->term)
        raft_become_follower(self, event, term, 0, out);
    if (self->role != RAFT_LEADER || term != self->term)
        return NULL;
    struct raft_peer *peer = raft_peer_find(self, event->message.from.node);
    heard_from(peer, event->now_ns, out);
    return peer;
}

/* Thesis 3.5: back up to where the logs may agree; the hint skips whole terms. */
static void on_mismatch(struct raft *self, struct raft_peer *peer, const struct raft_append_ack *ack)
{
    if (peer->pace == RAFT_INSTALL_STATE || ack->prev_index <= peer->match)
        return; /* late: since then it has confirmed more */
    if (peer->pace == RAFT_PROBE && (peer->next < self->log.head ||
                                     ack->prev_index != raft_log_before_index(&self->log, peer->next)))
        return; /* the answer to an earlier question */
    uint64_t hint = ack->hint_index < ack->prev_index ? ack->hint_index : ack->prev_index - 1;
    uint64_t next = raft_log_after_term(&self->log, hint, ack->hint_term);
    bool before = raft_log_before_index(&self->log, next) > hint; /* only the base is left, and it is too far */
    raft_probe(peer, next);
    if (before) {
        peer->pace = RAFT_INSTALL_STATE;
        return;
    }
    uint64_t after_match;
    if (raft_log_after(&self->log, peer->match, &after_match) && after_match > next)
        peer->next = after_match;
}

static void on_match(struct raft *self, struct raft_peer *peer, const struct raft_append_ack *ack)
{
    uint64_t next;
    bool known = raft_log_after(&self->log, ack->match, &next);
    if (ack->match > raft_log_last_index(&self->log) || (!known && ack->match > self->log.base_index))
        return; /* no boundary of this log: not an answer of a follower of this term */
    bool rose = ack->match > peer->match;
    if (rose)
        raft_match_set(self, peer, ack->match);
    while (peer->flight_count > 0 && peer->flights[peer->flight_first].last_index <= ack->match) {
        peer->flight_bytes -= peer->flights[peer->flight_first].bytes;
        peer->flight_first = (peer->flight_first + 1) % self->flight_max;
        peer->flight_count--;
    }
    if (peer->flight_count == 0)
        peer->sent_bytes = 0;
    if (peer->pace == RAFT_REPLICATE || !known)
        return;
    if (peer->pace == RAFT_PROBE) {
        if (next < peer->next)
            return; /* older than the question */
        if (peer->probe_records && next == peer->next)
            return; /* it had no room for the records: asked again with the next heartbeat */
    }
    raft_probe(peer, next);
    peer->pace = RAFT_REPLICATE;
}

void raft_on_append_ack(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_append_ack *ack = event->message.body;
    struct raft_peer *peer = answerer(self, event, ack->term, out);
    if (peer == NULL)
        return;
    set_voter(self, peer, ack->voter != 0);
    if (ack->ok)
        on_match(self, peer, ack);
    else
        on_mismatch(self, peer, ack);
}

void raft_on_round_ack(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_round_ack *ack = event->message.body;
    struct raft_peer *peer = answerer(self, event, ack->term, out);
    if (peer == NULL || ack->round > self->round)
        return;
    set_voter(self, peer, ack->voter != 0);
    uint32_t place = (uint32_t)(peer - self->peers);
    if (peer->voter && ack->round > self->round_quorum.value[place])
        raft_quorum_set(&self->round_quorum, place, ack->round);
    if (peer->checked_round == 0 || ack->round < peer->checked_round)
        return;
    peer->checked_round = 0;
    uint64_t agreed = ack->received > peer->match ? ack->received : peer->match;
    bool lost = ack->received < peer->checked_index; /* or it forgot, in an election, that its log agrees */
    if (peer->pace == RAFT_REPLICATE && lost)
        raft_probe_from(self, peer, agreed);
}
