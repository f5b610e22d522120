/* Raft: the leader appends and has its log copied (thesis 3.5, 3.6.2, 6.2, 10.2.1).
 *
 * Entries are stored as requests come in; pacing.h says when they go out. The leader sends while its own write is under
 * way, but counts itself only after that. Records that were superseded are never sent: messages name records of entries
 * in the table, in runs of consecutive positions.
 *
 * Invariants. A leader never cuts its log (RAFT-2). Only entries of the own term are committed by counting (3.6.2); a
 * no-op begins each term so that there is one. Deviation: the commit index is pushed at once to the member whose client
 * waits for it, to all when it is the group's own client; the others learn it with the next message. */
#include "protocol/consensus/raft_internal.h"

enum { RAFT_ENTRY_HEAD_SIZE = 36 }; /* encoded fields before the bundle */

void raft_append_entry(struct raft *self, const struct event *event, struct span bundle, uint32_t count,
                       uint32_t origin, struct effects *out)
{
    int64_t last_ns = raft_log_last_time(&self->log);
    if (last_ns < self->applied_time_ns)
        last_ns = self->applied_time_ns; /* the entry that had it may be in a checkpoint only */
    const struct raft_entry entry = {
        .term = self->term,
        .index = raft_log_last_index(&self->log) + 1,
        .time = event->wall_ns > last_ns ? event->wall_ns : last_ns,
        .count = count,
        .origin = origin,
        .bundle = bundle,
    };
    struct raft_slot slot = {
        .index = entry.index,
        .term = entry.term,
        .time_ns = entry.time,
        .count = count,
        .size = (uint32_t)(RECORD_PREFIX_SIZE + RAFT_ENTRY_HEAD_SIZE + bundle.size),
        .origin = origin,
    };
    slot.position = raft_store(self, event, RAFT_ENTRY, &entry, out);
    raft_log_append(&self->log, &slot);
    self->uncommitted_bytes += slot.size;
    if (raft_ablated(self, RAFT_ABLATION_COUNT_SELF_EARLY))
        peers_match(&self->peers, &self->peers.list[self->peers.self_place], raft_slot_last(&slot));
}

void raft_lead(struct raft *self, const struct event *event, struct effects *out)
{
    self->term_first = raft_log_last_index(&self->log) + 1;
    self->reads.remote_gathered = 0;
    peers_lead(&self->peers, self->log.tail, event->now_ns, self->spec->tuning.election_timeout_ns);
    invariant(raft_log_after(&self->log, self->commit, &self->committed), "the commit index is a boundary");
    self->uncommitted_bytes = 0;
    for (uint64_t at = self->committed; at < self->log.tail; at++)
        self->uncommitted_bytes += raft_log_at(&self->log, at)->size;
    raft_set_leader(self, event, self->peers.self_node, out);
    raft_append_entry(self, event, (struct span){0}, 1, 0, out); /* thesis 6.4, step 1: the no-op */
    raft_lead_stored(self);
    self->peers.commit_due = true;
    effect_arm(out, RAFT_SLOT, RAFT_TIMER_HEARTBEAT, 0, event->now_ns + self->spec->tuning.heartbeat_ns);
}

void raft_unlead(struct raft *self, struct effects *out)
{
    effect_disarm(out, RAFT_SLOT, RAFT_TIMER_HEARTBEAT, 0);
    peers_unlead(&self->peers, out);
    reads_unlead(&self->reads, &self->peers);
}

void raft_heartbeat(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->role != RAFT_LEADER)
        return;
    int64_t timeout_ns = self->spec->tuning.election_timeout_ns;
    bool alone = peers_alone(&self->peers, event->now_ns, timeout_ns);
    if (alone || own_disk_stalled(&self->disk, event->now_ns, timeout_ns)) {
        effect_note(out, alone ? "steps down: no majority answers" : "steps down: the disk hangs", self->term);
        raft_become_follower(self, event, self->term, 0, out);
        return;
    }
    peers_heartbeat(&self->peers, event->now_ns, timeout_ns, out);
    effect_arm(out, RAFT_SLOT, RAFT_TIMER_HEARTBEAT, 0, event->now_ns + self->spec->tuning.heartbeat_ns);
}

/* Thesis 3.6.2 and figure 3.7: counting replicas commits entries of the own term only, earlier ones with them. */
static void commit_counted(struct raft *self)
{
    self->peers.commit_due = false;
    uint64_t index = peers_matched(&self->peers);
    bool own_term = index >= self->term_first || raft_ablated(self, RAFT_ABLATION_COMMIT_OLD_TERM);
    if (index <= self->commit || !own_term)
        return;
    self->commit = index;
    for (; self->committed < self->log.tail; self->committed++) {
        const struct raft_slot *slot = raft_log_at(&self->log, self->committed);
        if (raft_slot_last(slot) > index)
            break;
        self->uncommitted_bytes -= slot->size;
        peers_tell(&self->peers, slot->origin);
    }
}

static bool has(const void *member, uint64_t next)
{
    const struct raft *self = member;
    return next < self->log.tail;
}

static uint64_t mark_before(const void *member, uint64_t next)
{
    const struct raft *self = member;
    return raft_log_before_index(&self->log, next);
}

/* Entries from `first` on whose records follow each other without another between, up to the bounds of one message;
 * at least one, however large, unless there is none. */
static struct pacing_run run_from(const struct raft *self, uint64_t first)
{
    struct pacing_run run = {.next = first};
    while (run.next < self->log.tail && run.next - first < RAFT_APPEND_RECORDS_MAX) {
        const struct raft_slot *slot = raft_log_at(&self->log, run.next);
        if (run.next > first) {
            if (slot->position != raft_log_at(&self->log, run.next - 1)->position + 1)
                break;
            if (run.bytes + slot->size > self->spec->tuning.append_bytes_max)
                break;
        }
        run.bytes += slot->size;
        run.next++;
    }
    run.last = raft_log_before_index(&self->log, run.next);
    return run;
}

static struct pacing_run send_records(void *member, uint64_t first, const uint32_t *to, uint32_t count,
                                      struct effects *out)
{
    struct raft *self = member;
    struct pacing_run run = run_from(self, first);
    const struct raft_append append = {
        .term = self->term,
        .prev_index = raft_log_before_index(&self->log, first),
        .prev_term = raft_log_before_term(&self->log, first),
        .commit = self->commit,
        .round = self->peers.beat,
        .last = raft_log_last_index(&self->log),
        .ask = 1,
    };
    struct effect_send *send = effect_send(out, &raft_messages, RAFT_SLOT, RAFT_APPEND, &append, to, count);
    if (run.next > first) {
        send->records_first = raft_log_at(&self->log, first)->position;
        send->records_last = raft_log_at(&self->log, run.next - 1)->position;
    }
    return run;
}

static void send_light(void *member, bool ask, const uint32_t *to, uint32_t count, struct effects *out)
{
    struct raft *self = member;
    const struct raft_append append = {
        .term = self->term,
        .commit = self->commit,
        .round = self->peers.beat,
        .last = raft_log_last_index(&self->log),
        .ask = ask,
    };
    effect_send(out, &raft_messages, RAFT_SLOT, RAFT_APPEND, &append, to, count);
}

static const struct pacing_source source = {
    .probe_sends = true,
    .has = has,
    .mark_before = mark_before,
    .send = send_records,
    .send_light = send_light,
    .send_install = raft_install_send,
};

void raft_lead_turn(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->peers.commit_due)
        commit_counted(self);
    raft_read_rounds(self, event, out);
    const struct pacing_bounds bounds = {self->now_ns, &self->spec->tuning, self->log.head, self->send_from};
    pacing_turn(&self->peers, &source, self, &bounds, out);
}
