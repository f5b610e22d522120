/* Raft: what its clients ask for (thesis 6.2 to 6.4): how intake.h and reads.h see a Raft member.
 *
 * Reads are served by a leader that has committed an entry of its own term, else its commit index may be behind (6.4,
 * step 1). The read's mark is the commit index. */
#include "protocol/consensus/raft_internal.h"

static const struct leader_wire wire = {
    .table = &raft_messages,
    .slot = RAFT_SLOT,
    .forward = RAFT_FORWARD,
    .refuse = RAFT_REFUSE,
    .read = RAFT_READ,
    .read_ack = RAFT_READ_ACK,
    .count = RAFT_COUNT,
    .count_ack = RAFT_COUNT_ACK,
    .read_timer = RAFT_TIMER_READ,
};

/* A leader takes no more than its table and its followers can bear. */
static bool overloaded(void *member)
{
    struct raft *self = member;
    raft_log_make_room(self);
    uint64_t bytes_max = self->spec->tuning.append_bytes_max * self->peers.flight_max;
    return raft_log_room(&self->log) <= RAFT_ROOM_RESERVED || self->uncommitted_bytes > bytes_max;
}

static void append(void *member, const struct event *event, struct span bundle, uint32_t count, uint32_t origin,
                   struct effects *out)
{
    raft_append_entry(member, event, bundle, count, origin, out);
}

static uint32_t count_stored(void *member, uint64_t index)
{
    struct raft *self = member;
    uint32_t count = raft_log_stored(&self->log, self->disk.stored) >= index;
    for (uint32_t i = 0; self->role == RAFT_LEADER && i < self->peers.count; i++)
        count += i != self->peers.self_place && self->peers.list[i].match >= index;
    return count;
}

void raft_request_create(struct raft *self)
{
    static const struct intake_order order = {&wire, overloaded, append, count_stored};
    self->intake = (struct intake){.order = &order, .self = self, .peers = &self->peers, .reads = &self->reads};
    self->reads.wire = &wire;
}

static struct intake_role part(const struct raft *self)
{
    return (struct intake_role){
        .leads = self->role == RAFT_LEADER, .leader = self->leader, .disk_full = self->disk.full};
}

void raft_on_request(struct raft *self, const struct event *event, struct effects *out)
{
    if (event->request.kind == REQUEST_CALL)
        raft_reject(out, "rejected: Raft carries no calls between members", event->request.to.node);
    else
        intake_on_request(&self->intake, part(self), event, out);
}

void raft_on_leader_message(struct raft *self, const struct event *event, struct effects *out)
{
    const char *why = intake_on_message(&self->intake, part(self), event, out);
    if (why != NULL)
        raft_reject(out, why, event->message.from.node);
}

void raft_read_timeout(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->role != RAFT_LEADER)
        reads_timeout(&self->reads, self->leader, event->now_ns, 2 * self->spec->tuning.heartbeat_ns, out);
}

void raft_read_ask(struct raft *self, const struct event *event, struct effects *out)
{
    reads_follow_turn(&self->reads, self->leader, event->now_ns, 2 * self->spec->tuning.heartbeat_ns, out);
}

void raft_read_rounds(struct raft *self, const struct event *event, struct effects *out)
{
    const struct reads_leader leader = {
        .commit = self->commit,
        .current = self->commit >= self->term_first,
        .trust = raft_ablated(self, RAFT_ABLATION_READ_NO_ROUND),
        .time_ns = event->wall_ns > self->applied_time_ns ? event->wall_ns : self->applied_time_ns,
    };
    reads_lead_turn(&self->reads, &self->peers, &leader, out);
}

void raft_read_deliver(struct raft *self, struct effects *out)
{
    if (self->adopt_pending)
        return;
    const struct reads_applied applied = {
        self->applied, self->applied, self->applied_time_ns, self->role == RAFT_LEADER};
    reads_deliver(&self->reads, &applied, out);
}
