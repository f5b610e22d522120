/* Paxos: reads that need no slot (MPX-4: a read index that a quorum confirms; Ongaro 2014, 6.4, has the same).
 *
 * A leader may have been deposed without knowing. So before it serves reads it notes up to which slot all are chosen,
 * has a majority confirm in a new beat that nobody among them has promised a higher ballot, and lets the reads see at
 * least that slot: whatever was chosen before, in any ballot up to its own, it knew or had to choose again; so it
 * must have chosen all that it took over before. Exactly one beat is in flight; all reads that come in the meantime
 * are gathered for the next. A follower asks the leader for a slot, one question at a time, and serves its reads
 * itself when it has executed that much.
 *
 * A read moves: gathered -> flying (in a beat, or asked) -> ready (waiting to be applied) -> delivered. An answer
 * counts only for the question that is out: each question has a new number, also when it is repeated or goes to
 * another leader, so that no read is served by a slot from before it came. With no leader in sight, reads that are
 * not ready go back to node/ with REPLY_AGAIN. */
#include "protocol/consensus/paxos_internal.h"

static bool ranges_add(struct paxos_ranges *ranges, uint64_t first_number, uint32_t count)
{
    if (ranges->count > 0) {
        struct paxos_range *last = &ranges->list[ranges->count - 1];
        if (last->first_number + last->count == first_number && last->count <= UINT32_MAX - count) {
            last->count += count;
            return true;
        }
    }
    if (ranges->count == PAXOS_READ_RANGES_MAX)
        return false;
    ranges->list[ranges->count++] = (struct paxos_range){first_number, count};
    return true;
}

static void ranges_move(struct paxos_ranges *to, struct paxos_ranges *from)
{
    to->count = from->count;
    memcpy(to->list, from->list, from->count * sizeof *from->list);
    from->count = 0;
}

static void again(uint64_t first_number, uint32_t count, struct effects *out)
{
    effect_reply(out, REPLY_AGAIN, true, first_number, count, (struct span){0});
}

static void ranges_again(struct paxos_ranges *ranges, struct effects *out)
{
    for (uint32_t i = 0; i < ranges->count; i++)
        again(ranges->list[i].first_number, ranges->list[i].count, out);
    ranges->count = 0;
}

void paxos_read_request(struct paxos *self, uint64_t first_number, uint32_t count, struct effects *out)
{
    if (count > 0 && (self->leader == 0 || !ranges_add(&self->gathered, first_number, count)))
        again(first_number, count, out);
}

/* What was out is gathered again, to be asked anew. */
static void unfly(struct paxos *self, struct effects *out)
{
    for (uint32_t i = 0; i < self->flying.count; i++) {
        const struct paxos_range *range = &self->flying.list[i];
        if (!ranges_add(&self->gathered, range->first_number, range->count))
            again(range->first_number, range->count, out);
    }
    self->flying.count = 0;
    self->flight_out = self->flight_confirmed = false;
}

void paxos_read_leader_changed(struct paxos *self, struct effects *out)
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
void paxos_read_unlead(struct paxos *self)
{
    for (uint32_t i = 0; i < self->member_count; i++)
        self->peers[i].read_gathered = self->peers[i].read_flying = 0;
    self->remote_gathered = 0;
}

void paxos_on_read(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_read *question = event->message.body;
    (void)out;
    if (self->role != PAXOS_LEADER || question->number == 0)
        return;
    /* A new question of the same member replaces one that still waits: it has given up on that. */
    struct paxos_peer *peer = paxos_peer_find(self, event->message.from.node);
    if (question->number <= peer->read_gathered || question->number <= peer->read_flying)
        return; /* doubled on the way */
    self->remote_gathered += peer->read_gathered == 0;
    peer->read_gathered = question->number;
}

static int64_t read_time(const struct paxos *self, const struct event *event)
{
    return event->wall_ns > self->applied_time_ns ? event->wall_ns : self->applied_time_ns;
}

/* A majority has answered: everything in this flight may be served. */
static void confirm(struct paxos *self, const struct event *event, struct effects *out)
{
    for (uint32_t i = 0; i < self->member_count; i++)
        self->peers[i].quick = self->beat_quorum.value[i] >= self->flight_beat;
    self->flight_confirmed = true;
    self->flight_time_ns = read_time(self, event);
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct paxos_peer *peer = &self->peers[i];
        if (peer->read_flying == 0)
            continue;
        const struct paxos_read_ack ack = {
            .number = peer->read_flying,
            .slot = self->flight_slot,
            .time = self->flight_time_ns,
        };
        effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_READ_ACK, &ack, peer->node)->to_incarnation =
            peer->incarnation;
        peer->read_flying = 0;
    }
}

/* Confirmed reads wait for the state machine; the next flight only for those before it. */
static void land(struct paxos *self)
{
    if (!self->flight_out || !self->flight_confirmed || self->ready.count > 0)
        return;
    ranges_move(&self->ready, &self->flying);
    self->ready_slot = self->flight_slot;
    self->ready_time_ns = self->flight_time_ns;
    self->flight_out = self->flight_confirmed = false;
}

static void take_off(struct paxos *self)
{
    ranges_move(&self->flying, &self->gathered);
    for (uint32_t i = 0; self->remote_gathered > 0 && i < self->member_count; i++) {
        self->peers[i].read_flying = self->peers[i].read_gathered;
        self->peers[i].read_gathered = 0;
    }
    self->remote_gathered = 0;
    self->flight_out = true;
    self->flight_confirmed = false;
    self->flight_slot = self->commit;
    self->flight_beat = ++self->beat;
    self->beat_due = true;
}

static bool beat_reached(const struct paxos *self)
{
    return paxos_ablated(self, PAXOS_ABLATION_READ_NO_ROUND) ||
           raft_quorum_reached(&self->beat_quorum, self->majority) >= self->flight_beat;
}

void paxos_read_beats(struct paxos *self, const struct event *event, struct effects *out)
{
    if (self->flight_out && !self->flight_confirmed && beat_reached(self))
        confirm(self, event, out);
    land(self);
    bool waiting = self->gathered.count > 0 || self->remote_gathered > 0;
    if (self->flight_out || !waiting)
        return;
    if (self->commit < self->takeover_last && !paxos_ablated(self, PAXOS_ABLATION_READ_NO_ROUND))
        return; /* not all that was taken over is chosen again */
    take_off(self);
    if (!beat_reached(self))
        return;
    confirm(self, event, out); /* a group of one needs nobody's answer */
    land(self);
}

static void ask(struct paxos *self, const struct event *event, struct effects *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->flying.count; i++)
        count += self->flying.list[i].count;
    self->flight_number = ++self->read_number;
    const struct paxos_read question = {.number = self->flight_number, .count = count};
    effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_READ, &question, self->leader);
    effect_arm(out, PAXOS_SLOT, PAXOS_TIMER_READ, 0, event->now_ns + 2 * self->spec->tuning.heartbeat_ns);
}

void paxos_read_ask(struct paxos *self, const struct event *event, struct effects *out)
{
    land(self);
    if (self->leader == 0 || self->flight_out || self->gathered.count == 0)
        return;
    ranges_move(&self->flying, &self->gathered);
    self->flight_out = true;
    self->flight_confirmed = false;
    ask(self, event, out);
}

void paxos_on_read_ack(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_read_ack *ack = event->message.body;
    if (self->role == PAXOS_LEADER || !self->flight_out || self->flight_confirmed ||
        ack->number != self->flight_number || event->message.from.node != self->leader)
        return;
    self->flight_confirmed = true;
    self->flight_slot = ack->slot;
    self->flight_time_ns = ack->time;
    effect_disarm(out, PAXOS_SLOT, PAXOS_TIMER_READ, 0);
    land(self);
}

void paxos_read_timeout(struct paxos *self, const struct event *event, struct effects *out)
{
    if (self->role != PAXOS_LEADER && self->leader != 0 && self->flight_out && !self->flight_confirmed)
        ask(self, event, out);
}

void paxos_read_deliver(struct paxos *self, const struct event *event, struct effects *out)
{
    (void)event;
    if (self->ready.count == 0 || self->applied < self->ready_slot || self->adopt_pending)
        return;
    int64_t time_ns = self->ready_time_ns > self->applied_time_ns ? self->ready_time_ns : self->applied_time_ns;
    for (uint32_t i = 0; i < self->ready.count; i++)
        effect_deliver_reads(out, self->applied_index, time_ns, self->ready.list[i].first_number,
                             self->ready.list[i].count);
    self->ready.count = 0;
    if (self->flight_confirmed || (self->role == PAXOS_LEADER && self->gathered.count > 0 && !self->flight_out))
        effect_again(out);
}
