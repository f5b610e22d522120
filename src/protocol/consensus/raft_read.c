/* Raft: reads that need no entry in the log (thesis 6.4).
 *
 * A leader may have been deposed without knowing. So before it serves reads it notes its commit index, has a majority
 * confirm in a new round that it still leads, and lets the reads see at least that index. It must have committed an
 * entry of its own term before, else its commit index may be behind (step 1). Exactly one round is in flight; all reads
 * that come in the meantime are gathered for the next. A follower asks the leader for an index (last paragraph of 6.4),
 * one question at a time, and serves its reads itself when it has applied that much.
 *
 * A read moves: gathered -> flying (in a round, or asked) -> ready (waiting to be applied) -> delivered. An answer
 * counts only for the question that is out: each question has a new number, also when it is repeated or goes to another
 * leader, so that no read is served by an index from before it came. With no leader in sight, reads that are not ready
 * go back to node/ with REPLY_AGAIN. */
#include "protocol/consensus/raft_internal.h"

static bool ranges_add(struct raft_ranges *ranges, uint64_t first_number, uint32_t count)
{
    if (ranges->count > 0) {
        struct raft_range *last = &ranges->list[ranges->count - 1];
        if (last->first_number + last->count == first_number && last->count <= UINT32_MAX - count) {
            last->count += count;
            return true;
        }
    }
    if (ranges->count == RAFT_READ_RANGES_MAX)
        return false;
    ranges->list[ranges->count++] = (struct raft_range){first_number, count};
    return true;
}

static void ranges_move(struct raft_ranges *to, struct raft_ranges *from)
{
    to->count = from->count;
    memcpy(to->list, from->list, from->count * sizeof *from->list);
    from->count = 0;
}

static void again(uint64_t first_number, uint32_t count, struct effects *out)
{
    effect_reply(out, REPLY_AGAIN, true, first_number, count, (struct span){0});
}

static void ranges_again(struct raft_ranges *ranges, struct effects *out)
{
    for (uint32_t i = 0; i < ranges->count; i++)
        again(ranges->list[i].first_number, ranges->list[i].count, out);
    ranges->count = 0;
}

void raft_read_request(struct raft *self, uint64_t first_number, uint32_t count, struct effects *out)
{
    if (count > 0 && (self->leader == 0 || !ranges_add(&self->gathered, first_number, count)))
        again(first_number, count, out);
}

/* What was out is gathered again, to be asked anew. */
static void unfly(struct raft *self, struct effects *out)
{
    for (uint32_t i = 0; i < self->flying.count; i++) {
        const struct raft_range *range = &self->flying.list[i];
        if (!ranges_add(&self->gathered, range->first_number, range->count))
            again(range->first_number, range->count, out);
    }
    self->flying.count = 0;
    self->flight_out = self->flight_confirmed = false;
}

void raft_read_leader_changed(struct raft *self, struct effects *out)
{
    if (self->leader != 0) {
        unfly(self, out);
        return;
    }
    ranges_again(&self->gathered, out);
    ranges_again(&self->flying, out);
    self->flight_out = self->flight_confirmed = false;
}

/* Members that asked ask the next leader, when their timer or a VIEW tells them to. */
void raft_read_unlead(struct raft *self)
{
    for (uint32_t i = 0; i < self->member_count; i++)
        self->peers[i].read_gathered = self->peers[i].read_flying = 0;
    self->remote_gathered = 0;
}

void raft_on_read(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_read *question = event->message.body;
    (void)out;
    if (self->role != RAFT_LEADER || question->number == 0)
        return;
    /* A new question of the same member replaces one that still waits: it has given up on that. */
    struct raft_peer *peer = raft_peer_find(self, event->message.from.node);
    if (question->number <= peer->read_gathered || question->number <= peer->read_flying)
        return; /* doubled on the way */
    self->remote_gathered += peer->read_gathered == 0;
    peer->read_gathered = question->number;
}

static int64_t read_time(const struct raft *self, const struct event *event)
{
    return event->wall_ns > self->applied_time_ns ? event->wall_ns : self->applied_time_ns;
}

/* A majority has answered: everything in this flight may be served. */
static void confirm(struct raft *self, const struct event *event, struct effects *out)
{
    for (uint32_t i = 0; i < self->member_count; i++)
        self->peers[i].quick = self->round_quorum.value[i] >= self->flight_round;
    self->flight_confirmed = true;
    self->flight_time_ns = read_time(self, event);
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct raft_peer *peer = &self->peers[i];
        if (peer->read_flying == 0)
            continue;
        const struct raft_read_ack ack = {
            .number = peer->read_flying,
            .index = self->flight_index,
            .time = self->flight_time_ns,
        };
        effect_send_one(out, &raft_messages, RAFT_SLOT, RAFT_READ_ACK, &ack, peer->node)->to_incarnation =
            peer->incarnation;
        peer->read_flying = 0;
    }
}

/* Confirmed reads wait for the state machine; the next flight only for those before it. */
static void land(struct raft *self)
{
    if (!self->flight_out || !self->flight_confirmed || self->ready.count > 0)
        return;
    ranges_move(&self->ready, &self->flying);
    self->ready_index = self->flight_index;
    self->ready_time_ns = self->flight_time_ns;
    self->flight_out = self->flight_confirmed = false;
}

static void take_off(struct raft *self)
{
    ranges_move(&self->flying, &self->gathered);
    for (uint32_t i = 0; self->remote_gathered > 0 && i < self->member_count; i++) {
        self->peers[i].read_flying = self->peers[i].read_gathered;
        self->peers[i].read_gathered = 0;
    }
    self->remote_gathered = 0;
    self->flight_out = true;
    self->flight_confirmed = false;
    self->flight_index = self->commit;
    self->flight_round = ++self->round;
    self->round_due = true;
}

static bool round_reached(const struct raft *self)
{
    return raft_ablated(self, RAFT_ABLATION_READ_NO_ROUND) ||
           raft_quorum_reached(&self->round_quorum, self->majority) >= self->flight_round;
}

void raft_read_rounds(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->flight_out && !self->flight_confirmed && round_reached(self))
        confirm(self, event, out);
    land(self);
    bool waiting = self->gathered.count > 0 || self->remote_gathered > 0;
    if (self->flight_out || !waiting)
        return;
    if (self->commit < self->term_first && !raft_ablated(self, RAFT_ABLATION_READ_NO_ROUND))
        return; /* step 1: the no-op is not committed yet */
    take_off(self);
    if (!round_reached(self))
        return;
    confirm(self, event, out); /* a group of one needs nobody's answer */
    land(self);
}

static void ask(struct raft *self, const struct event *event, struct effects *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->flying.count; i++)
        count += self->flying.list[i].count;
    self->flight_number = ++self->read_number;
    const struct raft_read question = {.number = self->flight_number, .count = count};
    effect_send_one(out, &raft_messages, RAFT_SLOT, RAFT_READ, &question, self->leader);
    effect_arm(out, RAFT_SLOT, RAFT_TIMER_READ, 0, event->now_ns + 2 * self->spec->tuning.heartbeat_ns);
}

void raft_read_ask(struct raft *self, const struct event *event, struct effects *out)
{
    land(self);
    if (self->leader == 0 || self->flight_out || self->gathered.count == 0)
        return;
    ranges_move(&self->flying, &self->gathered);
    self->flight_out = true;
    self->flight_confirmed = false;
    ask(self, event, out);
}

void raft_on_read_ack(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_read_ack *ack = event->message.body;
    if (self->role == RAFT_LEADER || !self->flight_out || self->flight_confirmed ||
        ack->number != self->flight_number || event->message.from.node != self->leader)
        return;
    self->flight_confirmed = true;
    self->flight_index = ack->index;
    self->flight_time_ns = ack->time;
    effect_disarm(out, RAFT_SLOT, RAFT_TIMER_READ, 0);
    land(self);
}

void raft_read_timeout(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->role != RAFT_LEADER && self->leader != 0 && self->flight_out && !self->flight_confirmed)
        ask(self, event, out);
}

void raft_read_deliver(struct raft *self, const struct event *event, struct effects *out)
{
    (void)event;
    if (self->ready.count == 0 || self->applied < self->ready_index || self->adopt_pending)
        return;
    int64_t time_ns = self->ready_time_ns > self->applied_time_ns ? self->ready_time_ns : self->applied_time_ns;
    for (uint32_t i = 0; i < self->ready.count; i++)
        effect_deliver_reads(out, self->applied, time_ns, self->ready.list[i].first_number,
                             self->ready.list[i].count);
    self->ready.count = 0;
    if (self->flight_confirmed || (self->role == RAFT_LEADER && self->gathered.count > 0 && !self->flight_out))
        effect_again(out);
}
