/* Raft: the leader appends and has its log copied (thesis 3.5, 3.6.2, 6.2, 10.2.1).
 *
 * Entries are stored as requests come in; all of a turn's go out at its end, in one message for all followers that
 * need the same, and without waiting for the answers to earlier ones (pipelining, 10.2.1). A follower whose log is in
 * doubt gets one message at a time until the logs meet. The leader sends while its own write is under way, but counts
 * itself only after that.
 *
 * Messages are lost: a heartbeat's answer tells what has been received, and if that is less than what was sent before
 * the heartbeat, sending begins anew from there. Records that were superseded are never sent: messages name records of
 * entries in the table, in runs of consecutive positions.
 *
 * Invariants. A leader never cuts its log (RAFT-2). Only entries of the own term are committed by counting (3.6.2); a
 * no-op begins each term so that there is one. Deviation: the commit index is pushed at once to the member whose client
 * waits for it; the others learn it with the next message. */
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
        raft_match_set(self, &self->peers[self->self_place], raft_slot_last(&slot));
}

void raft_lead(struct raft *self, const struct event *event, struct effects *out)
{
    self->term_first = raft_log_last_index(&self->log) + 1;
    self->round = 0;
    self->remote_gathered = 0;
    self->round_due = self->heartbeat_due = self->told_due = false;
    self->window_end_ns = event->now_ns + self->spec->tuning.election_timeout_ns;
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct raft_peer *peer = &self->peers[i];
        bool own = i == self->self_place;
        raft_probe(peer, self->log.tail);
        peer->voter = own;
        peer->heard = peer->suspected = peer->told = peer->quick = false;
        peer->heard_ns = event->now_ns;
        peer->match = 0;
        peer->read_gathered = peer->read_flying = 0;
        raft_quorum_set(&self->match_quorum, i, 0);
        raft_quorum_set(&self->round_quorum, i, own ? UINT64_MAX : 0);
    }
    invariant(raft_log_after(&self->log, self->commit, &self->committed), "the commit index is a boundary");
    self->uncommitted_bytes = 0;
    for (uint64_t at = self->committed; at < self->log.tail; at++)
        self->uncommitted_bytes += raft_log_at(&self->log, at)->size;
    raft_set_leader(self, event, self->self_node, out);
    raft_append_entry(self, event, (struct span){0}, 1, 0, out); /* thesis 6.4, step 1: the no-op */
    raft_lead_stored(self);
    self->commit_due = true;
    effect_arm(out, RAFT_SLOT, RAFT_TIMER_HEARTBEAT, 0, event->now_ns + self->spec->tuning.heartbeat_ns);
}

void raft_unlead(struct raft *self, struct effects *out)
{
    effect_disarm(out, RAFT_SLOT, RAFT_TIMER_HEARTBEAT, 0);
    for (uint32_t i = 0; i < self->member_count; i++) {
        if (self->peers[i].suspected)
            effect_suspect(out, self->peers[i].node, 0);
        self->peers[i].suspected = false;
    }
    raft_read_unlead(self);
}

/* Thesis 6.2: a leader that a majority does not answer steps down, so that its clients go elsewhere. */
static bool quorum_heard(struct raft *self)
{
    uint32_t heard = 1;
    for (uint32_t i = 0; i < self->member_count; i++) {
        heard += i != self->self_place && self->peers[i].heard && self->peers[i].voter;
        self->peers[i].heard = false;
    }
    return heard >= self->majority;
}

static void suspect_silent(struct raft *self, int64_t now_ns, struct effects *out)
{
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct raft_peer *peer = &self->peers[i];
        bool silent = now_ns - peer->heard_ns > self->spec->tuning.election_timeout_ns;
        if (i == self->self_place || peer->suspected || !silent)
            continue;
        peer->suspected = true;
        effect_suspect(out, peer->node, 1);
    }
}

void raft_heartbeat(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->role != RAFT_LEADER)
        return;
    bool alone = false;
    if (event->now_ns >= self->window_end_ns) {
        alone = !quorum_heard(self);
        self->window_end_ns = event->now_ns + self->spec->tuning.election_timeout_ns;
    }
    if (alone || raft_disk_stalled(self, event->now_ns)) {
        effect_note(out, alone ? "steps down: no majority answers" : "steps down: the disk hangs", self->term);
        raft_become_follower(self, event, self->term, 0, out);
        return;
    }
    suspect_silent(self, event->now_ns, out);
    self->heartbeat_due = true;
    effect_arm(out, RAFT_SLOT, RAFT_TIMER_HEARTBEAT, 0, event->now_ns + self->spec->tuning.heartbeat_ns);
}

/* Thesis 3.6.2 and figure 3.7: counting replicas commits entries of the own term only, earlier ones with them. */
static void commit_counted(struct raft *self)
{
    self->commit_due = false;
    uint64_t index = raft_quorum_reached(&self->match_quorum, self->majority);
    bool own_term = index >= self->term_first || raft_ablated(self, RAFT_ABLATION_COMMIT_OLD_TERM);
    if (index <= self->commit || !own_term)
        return;
    self->commit = index;
    for (; self->committed < self->log.tail; self->committed++) {
        const struct raft_slot *slot = raft_log_at(&self->log, self->committed);
        if (raft_slot_last(slot) > index)
            break;
        self->uncommitted_bytes -= slot->size;
        if (slot->origin == 0 || slot->origin == self->self_node)
            continue;
        struct raft_peer *origin = raft_peer_find(self, slot->origin);
        if (origin != NULL)
            origin->told = self->told_due = true;
    }
}

static bool wants_records(const struct raft *self, const struct raft_peer *peer)
{
    if (peer->next < self->send_from)
        return false; /* what it needs is about to go: it waits for what becomes of the checkpoint */
    if (peer->pace == RAFT_PROBE)
        return !peer->paused;
    if (peer->pace == RAFT_INSTALL_STATE || peer->next >= self->log.tail)
        return false;
    return peer->flight_count < self->flight_max &&
           peer->flight_bytes < RAFT_FLIGHT_BYTES_TIMES * self->spec->tuning.append_bytes_max;
}

struct run {
    uint64_t end; /* ordinal after the last entry */
    uint64_t bytes;
};

/* Entries from `first` on whose records follow each other without another between, up to the bounds of one message;
 * at least one, however large, unless there is none. */
static struct run run_from(const struct raft *self, uint64_t first)
{
    struct run run = {.end = first};
    while (run.end < self->log.tail && run.end - first < RAFT_APPEND_RECORDS_MAX) {
        const struct raft_slot *slot = raft_log_at(&self->log, run.end);
        if (run.end > first) {
            if (slot->position != raft_log_at(&self->log, run.end - 1)->position + 1)
                break;
            if (run.bytes + slot->size > self->spec->tuning.append_bytes_max)
                break;
        }
        run.bytes += slot->size;
        run.end++;
    }
    return run;
}

/* Books a message with entries [next, run.end) that goes to this member. */
static void book(struct raft *self, struct raft_peer *peer, struct run run)
{
    peer->served = true;
    peer->sent_ns = self->now_ns;
    peer->sent_bytes = peer->flight_bytes + run.bytes;
    if (peer->pace == RAFT_PROBE) {
        peer->paused = true;
        peer->probe_records = run.end > peer->next;
        return;
    }
    uint32_t place = peer->flight_first + peer->flight_count++;
    peer->flights[place % self->flight_max] =
        (struct raft_flight){.last_index = raft_log_before_index(&self->log, run.end), .bytes = run.bytes};
    peer->flight_bytes += run.bytes;
    peer->next = run.end;
}

/* One APPEND from `first` on to `count` nodes in `to`. */
static struct run send_records(struct raft *self, uint64_t first, const uint32_t *to, uint32_t count,
                               struct effects *out)
{
    struct run run = run_from(self, first);
    const struct raft_append append = {
        .term = self->term,
        .prev_index = raft_log_before_index(&self->log, first),
        .prev_term = raft_log_before_term(&self->log, first),
        .commit = self->commit,
        .round = self->round,
        .last = raft_log_last_index(&self->log),
        .ask = 1,
    };
    struct span copy = effects_copy(out, to, count * sizeof *to);
    struct effect_send *send =
        effect_send(out, &raft_messages, RAFT_SLOT, RAFT_APPEND, &append, (const uint32_t *)(const void *)copy.data,
                    count);
    if (run.end > first) {
        send->records_first = raft_log_at(&self->log, first)->position;
        send->records_last = raft_log_at(&self->log, run.end - 1)->position;
    }
    return run;
}

/* One message for each follower that wants entries; those that are furthest, normally all, share theirs. */
static bool send_pass(struct raft *self, struct effects *out)
{
    uint64_t furthest = 0;
    bool any = false;
    for (uint32_t i = 0; i < self->member_count; i++) {
        const struct raft_peer *peer = &self->peers[i];
        if (i == self->self_place || !wants_records(self, peer))
            continue;
        furthest = any && furthest > peer->next ? furthest : peer->next;
        any = true;
    }
    if (!any)
        return false;
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct raft_peer *peer = &self->peers[i];
        peer->picked = false;
        if (i == self->self_place || !wants_records(self, peer))
            continue;
        peer->picked = peer->next == furthest;
        if (peer->picked)
            self->pick[count++] = peer->node;
        else
            book(self, peer, send_records(self, peer->next, &peer->node, 1, out));
    }
    struct run run = send_records(self, furthest, self->pick, count, out);
    for (uint32_t i = 0; i < self->member_count; i++)
        if (self->peers[i].picked)
            book(self, &self->peers[i], run);
    return true;
}

/* News without records, for those who got none in this turn: round, commit index, sign of life. */
/* A round needs a majority's answers, and asking more than that costs everybody time. Between heartbeats, which ask all,
 * those are asked who answered first the last time; all, when they are not enough. */
static bool quick_suffice(const struct raft *self)
{
    uint32_t asked = 1;
    for (uint32_t i = 0; i < self->member_count; i++) {
        const struct raft_peer *peer = &self->peers[i];
        asked += i != self->self_place && peer->voter && (peer->served || peer->quick);
    }
    return asked >= self->majority;
}

static void send_light(struct raft *self, struct effects *out)
{
    uint32_t count = 0;
    bool all = self->heartbeat_due || !quick_suffice(self);
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct raft_peer *peer = &self->peers[i];
        if (i != self->self_place && !peer->served && ((self->round_due && (all || peer->quick)) || peer->told))
            self->pick[count++] = peer->node;
        peer->told = false;
    }
    if (count > 0) {
        const struct raft_append append = {
            .term = self->term,
            .commit = self->commit,
            .round = self->round,
            .last = raft_log_last_index(&self->log),
            .ask = self->heartbeat_due,
        };
        struct span to = effects_copy(out, self->pick, count * sizeof *self->pick);
        effect_send(out, &raft_messages, RAFT_SLOT, RAFT_APPEND, &append, (const uint32_t *)(const void *)to.data,
                    count);
    }
    self->round_due = self->heartbeat_due = self->told_due = false;
}

/* What is large travels in pieces, and heartbeats overtake it: it is not lost because one of them came first. Sending
 * it again at each heartbeat would only make it later. */
static bool on_its_way(const struct raft *self, const struct raft_peer *peer)
{
    if (peer->sent_bytes <= RAFT_LARGE_BYTES)
        return false;
    int64_t travel_ns = (int64_t)(peer->sent_bytes / RAFT_SLOWEST_BYTES_PER_MS) * NS_PER_MS;
    return self->now_ns < peer->sent_ns + self->spec->tuning.election_timeout_ns + travel_ns;
}

/* Before sending: who fell behind what is kept has to adopt a checkpoint; a heartbeat repeats what got no answer. */
static void begin_turn(struct raft *self, struct effects *out)
{
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct raft_peer *peer = &self->peers[i];
        peer->served = false;
        if (i == self->self_place)
            continue;
        if (self->heartbeat_due && !(peer->pace == RAFT_PROBE && peer->probe_records && on_its_way(self, peer)))
            peer->paused = false;
        if (peer->pace != RAFT_INSTALL_STATE && peer->next < self->log.head) {
            peer->pace = RAFT_INSTALL_STATE;
            peer->paused = false;
        }
        if (peer->pace == RAFT_INSTALL_STATE && !peer->paused) {
            raft_install_send(self, peer, out);
            peer->paused = peer->served = true;
        }
    }
}

/* The answer to this heartbeat has to report all that was sent before it. */
static void expect_receipt(struct raft *self)
{
    for (uint32_t i = 0; i < self->member_count; i++) {
        struct raft_peer *peer = &self->peers[i];
        if (i == self->self_place || peer->pace != RAFT_REPLICATE || peer->checked_round != 0)
            continue;
        if (on_its_way(self, peer))
            continue;
        peer->checked_round = self->round;
        peer->checked_index = raft_log_before_index(&self->log, peer->next);
    }
}

void raft_lead_turn(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->commit_due)
        commit_counted(self);
    raft_read_rounds(self, event, out);
    if (self->heartbeat_due) {
        self->round++;
        self->round_due = true;
    }
    begin_turn(self, out);
    uint32_t passes = 0;
    while (passes < RAFT_SENDS_MAX && send_pass(self, out))
        passes++;
    if (passes == RAFT_SENDS_MAX)
        effect_again(out);
    if (self->heartbeat_due)
        expect_receipt(self);
    if (self->round_due || self->told_due)
        send_light(self, out);
}
