/* Paxos: requests of the own node, and those that other members hand on.
 *
 * The leader proposes an update at once; a follower forwards it. Duplicates are not this file's matter: sessions filter
 * them when commands are delivered. But it must know of them in one respect: REPLY_REFUSED promises that a number will
 * never execute. So a number that may lie in some slot already, because it was handed in or forwarded before, is never
 * refused, and what was refused is never taken: messages may be doubled and late. */
#include "base/number.h"
#include "contract/command.h"
#include "protocol/consensus/paxos_internal.h"

/* A leader takes no more than its window and its followers can bear. */
static bool overloaded(struct paxos *self)
{
    paxos_make_room(self);
    uint64_t bytes_max = self->spec->tuning.append_bytes_max * self->flight_max;
    return paxos_window_room(&self->window) <= PAXOS_ROOM_RESERVED || self->open_bytes > bytes_max;
}

static struct span disk_full_text(const struct paxos *self, struct effects *out)
{
    static const char before[] = "MISCONF disk full on node ";
    static const char after[] = ": it takes no writes until there is room";
    char text[sizeof before + sizeof after + NUMBER_INTEGER_SIZE_MAX];
    size_t size = sizeof before - 1;
    memcpy(text, before, size);
    size += number_print_u64(text + size, self->self_node);
    memcpy(text + size, after, sizeof after - 1);
    size += sizeof after - 1;
    return effects_copy(out, text, size);
}

static void take_own(struct paxos *self, uint64_t first_number, uint32_t count)
{
    uint64_t last = first_number + count - 1;
    if (first_number <= self->taken_last && self->repeated_last < last)
        self->repeated_last = last;
    if (self->taken_last < last)
        self->taken_last = last;
}

static void on_update(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct event_request *request = &event->request;
    bool own = request->origin == 0; /* of a client's numbers none is ever refused, so nothing is noted of them */
    if (request->count == 0)
        return;
    if (own && request->incarnation != self->taken_incarnation) {
        self->taken_incarnation = request->incarnation; /* another session counts its numbers anew */
        self->taken_last = self->repeated_last = 0;
    }
    bool leads = self->role == PAXOS_LEADER;
    bool repeated = request->first_number <= self->taken_last;
    if (own && leads && self->disk_full && !repeated) {
        effect_reply(out, REPLY_REFUSED, false, request->first_number, request->count, disk_full_text(self, out));
    } else if (self->leader == 0 || (leads && (self->disk_full || overloaded(self)))) {
        effect_reply(out, REPLY_AGAIN, false, request->first_number, request->count, (struct span){0});
    } else if (leads) {
        if (own)
            take_own(self, request->first_number, request->count);
        paxos_propose(self, event, request->bytes, request->count, self->self_node, out);
    } else {
        if (own)
            take_own(self, request->first_number, request->count);
        const struct paxos_forward forward = {.bundle = request->bytes};
        struct effect_send *send =
            effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_FORWARD, &forward, self->leader);
        /* Not to a later life of the leader, which would not know that it took the bundle before. */
        send->to_incarnation = paxos_peer_find(self, self->leader)->incarnation;
    }
}

/* The slot whose commands end at or after `index`; what lies before the window is chosen and was stored everywhere. */
static uint64_t slot_of(const struct paxos *self, uint64_t index)
{
    uint64_t low = self->window.head, high = self->commit + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const struct paxos_cell *cell = paxos_window_at(&self->window, middle);
        if (cell->index + cell->count - 1 < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Is that slot on the own disk? */
static bool stored_here(const struct paxos *self, uint64_t slot)
{
    const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
    return slot < self->window.head || (cell != NULL && cell->position <= self->stored_position);
}

/* Members whose disks hold the command at `index`, as far as this one can know. */
static uint32_t count_stored(struct paxos *self, uint64_t index)
{
    uint64_t slot = slot_of(self, index);
    uint32_t count = stored_here(self, slot);
    for (uint32_t i = 0; self->role == PAXOS_LEADER && i < self->member_count; i++)
        count += i != self->self_place && self->peers[i].match >= slot;
    return count;
}

static void reply_count(uint64_t number, uint32_t members, struct effects *out)
{
    effect_reply(out, REPLY_COUNT, false, number, 1, (struct span){0})->count_stored = members;
}

static void on_count_request(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_count count = {.number = event->request.first_number, .index = event->request.index};
    if (self->role == PAXOS_LEADER || self->leader == 0)
        reply_count(count.number, count_stored(self, count.index), out);
    else
        effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_COUNT, &count, self->leader);
}

void paxos_on_request(struct paxos *self, const struct event *event, struct effects *out)
{
    switch (event->request.kind) {
    case REQUEST_UPDATE:
        on_update(self, event, out);
        return;
    case REQUEST_READ:
        paxos_read_request(self, event->request.first_number, event->request.count, out);
        return;
    case REQUEST_COUNT:
        on_count_request(self, event, out);
        return;
    case REQUEST_CALL:
        paxos_reject(out, "rejected: Paxos carries no calls between members", event->request.to.node);
        return;
    }
}

static void refuse(struct paxos *self, const struct event *event, const struct bundle *bundle, struct effects *out)
{
    const struct paxos_refuse refusal = {
        .incarnation = bundle->incarnation,
        .first_number = bundle->first_number,
        .count = bundle->count,
        .text = disk_full_text(self, out),
    };
    struct effect_send *send =
        effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_REFUSE, &refusal, event->message.from.node);
    send->to_incarnation = event->message.incarnation;
}

static uint64_t highest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Whatever is dropped here, its node hands in again after a while, or when it learns who else orders. */
void paxos_on_forward(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_forward *forward = event->message.body;
    struct paxos_peer *peer = paxos_peer_find(self, event->message.from.node);
    struct bundle bundle;
    if (!bundle_open(forward->bundle, &bundle) || bundle.count == 0) {
        paxos_reject(out, "rejected: malformed bundle", peer->node);
        return;
    }
    if (self->role != PAXOS_LEADER)
        return;
    if (bundle.node != peer->node) { /* a client of the group asked there: its numbers are never refused */
        if (!self->disk_full && !overloaded(self))
            paxos_propose(self, event, forward->bundle, bundle.count, peer->node, out);
        return;
    }
    if (peer->taken_incarnation != bundle.incarnation) {
        peer->taken_incarnation = bundle.incarnation;
        peer->taken_last = peer->refused_last = 0;
    }
    uint64_t last = bundle.first_number + bundle.count - 1;
    if (bundle.first_number <= peer->refused_last)
        return; /* doubled on the way: it must not happen any more */
    if (self->disk_full && bundle.first_number > peer->taken_last) {
        peer->refused_last = highest(peer->refused_last, last);
        refuse(self, event, &bundle, out);
        return;
    }
    if (self->disk_full || overloaded(self))
        return;
    peer->taken_last = highest(peer->taken_last, last);
    paxos_propose(self, event, forward->bundle, bundle.count, peer->node, out);
}

void paxos_on_refuse(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_refuse *refusal = event->message.body;
    (void)event;
    if (refusal->count == 0 || refusal->incarnation != self->taken_incarnation)
        return;
    if (refusal->first_number > self->repeated_last)
        effect_reply(out, REPLY_REFUSED, false, refusal->first_number, refusal->count, refusal->text);
}

void paxos_on_count(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_count *count = event->message.body;
    if (self->role != PAXOS_LEADER)
        return;
    const struct paxos_count_ack ack = {.number = count->number, .count = count_stored(self, count->index)};
    effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_COUNT_ACK, &ack, event->message.from.node)->to_incarnation =
        event->message.incarnation;
}

void paxos_on_count_ack(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_count_ack *ack = event->message.body;
    (void)self;
    reply_count(ack->number, ack->count, out);
}
