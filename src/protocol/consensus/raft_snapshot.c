/* Raft: delivery, and checkpoints in place of a log that grows for ever (thesis chapter 5).
 *
 * Committed entries are delivered in index order, a bounded number a turn; a follower's own disk need not have them
 * yet, a majority's has. After a while the member asks for a checkpoint as of what it delivered, and keeps some entries
 * before it for followers that lag a little. One that lags more is told to adopt the leader's checkpoint (5.3); node/
 * moves its bytes.
 *
 * Right before ADOPT the member stores its hard state anew: that record is the first that node/ keeps with the adopted
 * checkpoint, and node/ seals the checkpoint only when it is on disk. For the checkpoint takes the place of the own
 * one, whose part may have held the only copy of term and vote, and another member's term and vote are not ours.
 *
 * Deviation: a checkpoint carries no configuration, as the membership is fixed. */
#include "protocol/consensus/raft_internal.h"

void raft_deliver(struct raft *self, struct effects *out)
{
    if (self->adopt_pending)
        return; /* nothing until STATE: the service is being replaced */
    for (uint32_t i = 0; self->apply < self->log.tail; i++) {
        const struct raft_slot *slot = raft_log_at(&self->log, self->apply);
        if (raft_slot_last(slot) > self->commit)
            return;
        if (i == RAFT_DELIVERIES_MAX) {
            effect_again(out);
            return;
        }
        effect_deliver_record(out, slot->index, slot->time_ns, slot->position)->count = slot->count;
        self->applied = raft_slot_last(slot);
        self->applied_term = slot->term;
        self->applied_time_ns = slot->time_ns;
        self->applied_entries++;
        self->applied_bytes += slot->size;
        self->apply++;
    }
}

void raft_log_make_room(struct raft *self)
{
    if (raft_log_room(&self->log) > 2 * RAFT_ROOM_RESERVED || self->log.head >= self->apply)
        return;
    if (raft_slot_last(raft_log_at(&self->log, self->log.head)) <= self->checkpoint_index)
        raft_log_evict(&self->log, self->log.head + 1);
}

static bool checkpoint_due(const struct raft *self)
{
    const struct tuning *tuning = &self->spec->tuning;
    uint64_t capacity = self->log.mask + 1;
    bool many = self->applied_entries > 0 && self->applied_entries >= tuning->log_entries_max / 2;
    bool large = tuning->checkpoint_log_bytes > 0 && self->applied_bytes >= tuning->checkpoint_log_bytes;
    bool tight = self->applied_entries >= capacity / 8 && raft_log_room(&self->log) < capacity / 8;
    return many || large || tight;
}

/* The first entry to keep for laggards: a quarter of the table at most, and half of a checkpoint's worth of bytes. */
static uint64_t keep_ordinal(const struct raft *self)
{
    uint64_t keep = self->apply, bytes = 0;
    uint64_t entries_max = self->spec->tuning.log_entries_max / 4;
    uint64_t bytes_max = self->spec->tuning.checkpoint_log_bytes / 2;
    while (keep > self->log.head && self->apply - keep < entries_max) {
        bytes += raft_log_at(&self->log, keep - 1)->size;
        if (bytes_max > 0 && bytes > bytes_max)
            break;
        keep--;
    }
    return keep;
}

void raft_checkpoint(struct raft *self, struct effects *out)
{
    if (self->checkpoint_pending || self->adopt_pending || !checkpoint_due(self))
        return;
    uint64_t keep = keep_ordinal(self);
    const struct raft_part part = {
        .node = self->peers.self_node,
        .last_index = self->applied,
        .last_term = self->applied_term,
        .last_time = self->applied_time_ns,
        .sequence = self->hard_sequence,
        .term = self->term,
        .voted_for = self->voted_for,
        .flags = self->recovering ? RAFT_RECOVERING : 0,
        .base_index = raft_log_before_index(&self->log, keep),
        .base_term = raft_log_before_term(&self->log, keep),
    };
    /* Never beyond what is on disk: after a crash the positions that follow it are given out again. */
    uint64_t keep_from = keep < self->log.tail ? raft_log_at(&self->log, keep)->position : out->next_position;
    if (keep_from > self->disk.stored + 1)
        keep_from = self->disk.stored + 1;
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX];
    struct span none;
    size_t size = message_encode(&raft_part_type, &part, bytes, &none);
    effect_checkpoint(out, keep_from, effects_copy(out, bytes, size));
    self->checkpoint_pending = true;
    self->pending_term = self->applied_term;
    self->send_from = keep;
    self->applied_entries = self->applied_bytes = 0;
}

void raft_install_send(void *member, uint32_t to, struct effects *out)
{
    struct raft *self = member;
    const struct raft_install install = {
        .term = self->term,
        .index = self->checkpoint_index,
        .index_term = self->checkpoint_term,
        .digest = self->checkpoint_digest,
        .round = self->peers.beat,
    };
    effect_send_one(out, &raft_messages, RAFT_SLOT, RAFT_INSTALL, &install, to);
}

void raft_on_install(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_install *install = event->message.body;
    if (!raft_follow_leader(self, event, install->term, install->round, out))
        return;
    if (install->index <= self->commit) {
        /* All that is committed is as in the leader's log: it can go on from there. */
        if (self->matched < self->commit)
            self->matched = self->commit;
        self->ack_due = true;
        return;
    }
    uint64_t at;
    if (raft_log_after(&self->log, install->index, &at) &&
        raft_log_before_term(&self->log, at) == install->index_term) {
        /* The log has it all, and thereby learns that it is committed. */
        self->commit = install->index;
        if (self->matched < self->commit)
            self->matched = self->commit;
        self->ack_due = true;
        return;
    }
    if (self->adopt_pending || self->checkpoint_pending)
        return; /* one at a time; the leader repeats itself */
    self->hard_dirty = true;
    (void)raft_hard_after(self, event, out);
    self->adopt_pending = true;
    self->adopt_holder = event->message.from.node;
    effect_adopt(out, &self->adopt_holder, 1, install->index, install->digest);
}

/* Records before this position are gone: their entries have been applied. */
static void drop_before(struct raft *self, uint64_t position)
{
    uint64_t keep = self->log.head;
    while (keep < self->apply && raft_log_at(&self->log, keep)->position < position)
        keep++;
    raft_log_evict(&self->log, keep);
    self->send_from = 0;
}

static void on_durable(struct raft *self, const struct event_state *state)
{
    self->checkpoint_pending = false;
    self->checkpoint_index = state->index;
    self->checkpoint_digest = state->digest;
    self->checkpoint_term = self->pending_term;
    drop_before(self, state->position);
}

/* The service's state is that of the checkpoint now. Entries after it stay when the log joins it (thesis figure 5.3,
 * step 6), else the log begins anew. */
static void on_adopted(struct raft *self, const struct event *event, struct effects *out)
{
    const struct event_state *state = &event->state;
    struct raft_part part = {0};
    if (!message_decode(&raft_part_type, state->part, &part) || part.last_index != state->index) {
        raft_reject(out, "rejected: part of an adopted checkpoint", self->adopt_holder);
        part = (struct raft_part){.last_index = state->index};
    }
    self->adopt_pending = false;
    bool joined = raft_log_after(&self->log, part.last_index, &self->apply) &&
                  raft_log_before_term(&self->log, self->apply) == part.last_term;
    if (!joined) {
        if (self->role != RAFT_FOLLOWER)
            raft_become_follower(self, event, self->term, 0, out);
        const struct raft_base base = {part.last_index, part.last_term, part.last_time};
        raft_log_reset(&self->log, base.index, base.term, base.time);
        (void)raft_store(self, event, RAFT_BASE, &base, out);
        self->apply = self->log.tail;
        self->matched = self->commit = part.last_index;
    }
    if (self->commit < part.last_index)
        self->commit = part.last_index;
    if (self->matched < part.last_index)
        self->matched = part.last_index;
    self->applied = part.last_index;
    self->applied_term = part.last_term;
    self->applied_time_ns = part.last_time;
    self->applied_entries = self->applied_bytes = 0;
    self->checkpoint_index = part.last_index;
    self->checkpoint_term = part.last_term;
    self->checkpoint_digest = state->digest;
    self->ack_due = true;
    drop_before(self, state->position);
}

void raft_on_state(struct raft *self, const struct event *event, struct effects *out)
{
    switch (event->state.kind) {
    case STATE_DURABLE:
        on_durable(self, &event->state);
        return;
    case STATE_ADOPTED:
        on_adopted(self, event, out);
        return;
    case STATE_FAILED:
        /* A checkpoint is tried again after more log; an adoption with the next INSTALL. */
        self->checkpoint_pending = self->adopt_pending = false;
        self->send_from = 0;
        return;
    }
}
