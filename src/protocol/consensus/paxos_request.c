/* Paxos: what its clients ask for: how intake.h and reads.h see a Paxos member.
 *
 * Reads (MPX-4) are confirmed by a majority of which nobody has promised a higher ballot. Whatever was chosen before,
 * in any ballot up to its own, the leader knew or had to choose again; so it must have chosen all that it took over
 * before it serves any. The read's mark is the commit slot. */
#include "protocol/consensus/paxos_internal.h"

static const struct leader_wire wire = {
    .table = &paxos_messages,
    .slot = PAXOS_SLOT,
    .forward = PAXOS_FORWARD,
    .refuse = PAXOS_REFUSE,
    .read = PAXOS_READ,
    .read_ack = PAXOS_READ_ACK,
    .count = PAXOS_COUNT,
    .count_ack = PAXOS_COUNT_ACK,
    .read_timer = PAXOS_TIMER_READ,
};

/* A leader takes no more than its window and its followers can bear. */
static bool overloaded(void *member)
{
    struct paxos *self = member;
    paxos_make_room(self);
    uint64_t bytes_max = self->spec->tuning.append_bytes_max * self->peers.flight_max;
    return paxos_window_room(&self->window) <= PAXOS_ROOM_RESERVED || self->open_bytes > bytes_max;
}

static void append(void *member, const struct event *event, struct span bundle, uint32_t count, uint32_t origin,
                   struct effects *out)
{
    paxos_propose(member, event, bundle, count, origin, out);
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
    return slot < self->window.head || (cell != NULL && cell->position <= self->disk.stored);
}

static uint32_t count_stored(void *member, uint64_t index)
{
    struct paxos *self = member;
    uint64_t slot = slot_of(self, index);
    uint32_t count = stored_here(self, slot);
    for (uint32_t i = 0; self->role == PAXOS_LEADER && i < self->peers.count; i++)
        count += i != self->peers.self_place && self->peers.list[i].match >= slot;
    return count;
}

void paxos_request_create(struct paxos *self)
{
    static const struct intake_order order = {&wire, overloaded, append, count_stored};
    self->intake = (struct intake){.order = &order, .self = self, .peers = &self->peers, .reads = &self->reads};
    self->reads.wire = &wire;
}

static struct intake_role part(const struct paxos *self)
{
    return (struct intake_role){
        .leads = self->role == PAXOS_LEADER, .leader = self->leader, .disk_full = self->disk.full};
}

void paxos_on_request(struct paxos *self, const struct event *event, struct effects *out)
{
    if (event->request.kind == REQUEST_CALL)
        paxos_reject(out, "rejected: Paxos carries no calls between members", event->request.to.node);
    else
        intake_on_request(&self->intake, part(self), event, out);
}

void paxos_on_leader_message(struct paxos *self, const struct event *event, struct effects *out)
{
    const char *why = intake_on_message(&self->intake, part(self), event, out);
    if (why != NULL)
        paxos_reject(out, why, event->message.from.node);
}

void paxos_read_timeout(struct paxos *self, const struct event *event, struct effects *out)
{
    if (self->role != PAXOS_LEADER)
        reads_timeout(&self->reads, self->leader, event->now_ns, 2 * self->spec->tuning.heartbeat_ns, out);
}

void paxos_read_ask(struct paxos *self, const struct event *event, struct effects *out)
{
    reads_follow_turn(&self->reads, self->leader, event->now_ns, 2 * self->spec->tuning.heartbeat_ns, out);
}

void paxos_read_beats(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct reads_leader leader = {
        .commit = self->commit,
        .current = self->commit >= self->takeover_last,
        .trust = paxos_ablated(self, PAXOS_ABLATION_READ_NO_ROUND),
        .time_ns = event->wall_ns > self->applied_time_ns ? event->wall_ns : self->applied_time_ns,
    };
    reads_lead_turn(&self->reads, &self->peers, &leader, out);
}

void paxos_read_deliver(struct paxos *self, struct effects *out)
{
    if (self->adopt_pending)
        return;
    const struct reads_applied applied = {
        self->applied, self->applied_index, self->applied_time_ns, self->role == PAXOS_LEADER};
    reads_deliver(&self->reads, &applied, out);
}
