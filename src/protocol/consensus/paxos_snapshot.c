/* Paxos: delivery, and checkpoints in place of slots that are kept for ever.
 *
 * Chosen slots are delivered in slot order without gaps (MPX-2), a bounded number a turn; only then is it known at
 * which index a slot's commands are, and at which time: the leader's, unless a slot before it had a later one. The
 * own disk need not have them yet, a majority's has. After a while the member asks for a checkpoint as of what it
 * delivered, and keeps some slots before it for members that lag a little. One that lags more is told to adopt the
 * leader's checkpoint; node/ moves its bytes.
 *
 * With an adopted checkpoint node/ keeps only the records from the promise on that is stored right before ADOPT. So a
 * member must not adopt while it holds an acceptance above the checkpoint that may matter: it says which slot that
 * is, and the leader takes a checkpoint that covers it. What lies above all that the leader of the promised ballot
 * has proposed, accepted in a lower ballot, does not matter any more: a majority promised that ballot without having
 * accepted it, so it is not chosen, and will not be. */
#include "protocol/consensus/paxos_internal.h"

void paxos_deliver(struct paxos *self, struct effects *out)
{
    if (self->adopt_pending)
        return; /* nothing until STATE: the service is being replaced */
    for (uint32_t i = 0; self->applied < self->commit; i++) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, self->applied + 1);
        invariant(cell != NULL && cell->index == self->applied_index + 1, "MPX-2 slots are applied without gaps");
        if (i == PAXOS_DELIVERIES_MAX) {
            effect_again(out);
            return;
        }
        if (self->applied_time_ns < cell->time_ns)
            self->applied_time_ns = cell->time_ns;
        effect_deliver_record(out, cell->index, self->applied_time_ns, cell->position)->count = cell->count;
        self->applied++;
        self->applied_index += cell->count;
        self->applied_slots++;
        if (self->applied_position < cell->position)
            self->applied_position = cell->position;
        self->applied_bytes += cell->size;
    }
}

void paxos_make_room(struct paxos *self)
{
    bool applied = self->window.head <= self->applied && self->window.head <= self->checkpoint_slot;
    if (paxos_window_room(&self->window) <= 2 * PAXOS_ROOM_RESERVED && applied)
        paxos_window_evict(&self->window, self->window.head + 1);
}

static bool window_tight(const struct paxos *self)
{
    uint64_t capacity = self->window.mask + 1;
    return self->applied_slots >= capacity / 8 && paxos_window_room(&self->window) < capacity / 8;
}

/* Is the record of everything that was applied on the own disk? */
static bool applied_stored(const struct paxos *self)
{
    return self->applied_position <= self->disk.stored;
}

static bool checkpoint_due(const struct paxos *self)
{
    const struct tuning *tuning = &self->spec->tuning;
    bool many = self->applied_slots > 0 && self->applied_slots >= tuning->log_entries_max / 2;
    bool large = tuning->checkpoint_log_bytes > 0 && self->applied_bytes >= tuning->checkpoint_log_bytes;
    bool wanted = self->role == PAXOS_LEADER && self->checkpoint_slot < self->checkpoint_wanted &&
                  self->applied >= self->checkpoint_wanted;
    return window_tight(self) || (applied_stored(self) && (many || large || wanted));
}

/* The first slot to keep for laggards: a quarter of the window at most, and half of a checkpoint's worth of bytes.
 * None of what was applied, if a crash could take the newest record of a slot: what an older record of it says was
 * not chosen, and a restart could not tell, as the checkpoint covers the slot. */
static uint64_t keep_slot(const struct paxos *self)
{
    if (!applied_stored(self))
        return self->applied + 1;
    uint64_t keep = self->applied + 1, bytes = 0;
    uint64_t slots_max = self->spec->tuning.log_entries_max / 4;
    uint64_t bytes_max = self->spec->tuning.checkpoint_log_bytes / 2;
    while (keep > self->window.head && self->applied + 1 - keep < slots_max) {
        bytes += paxos_window_at(&self->window, keep - 1)->size;
        if (bytes_max > 0 && bytes > bytes_max)
            break;
        keep--;
    }
    return keep;
}

/* Slots are accepted in any order, so the first one kept need not have the first record. Never beyond what is on disk:
 * after a crash the positions that follow it are given out again. */
static uint64_t keep_position(const struct paxos *self, uint64_t keep, uint64_t next_position)
{
    uint64_t first = next_position;
    for (uint64_t slot = keep; slot <= self->window.top; slot++) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        if (cell != NULL && cell->position < first)
            first = cell->position;
    }
    return first > self->disk.stored + 1 ? self->disk.stored + 1 : first;
}

void paxos_checkpoint(struct paxos *self, struct effects *out)
{
    if (self->checkpoint_pending || self->adopt_pending || !checkpoint_due(self))
        return;
    uint64_t keep = keep_slot(self);
    const struct paxos_part part = {
        .owner = self->peers.self_node,
        .slot = self->applied,
        .index = self->applied_index,
        .time = self->applied_time_ns,
        .sequence = self->state_sequence,
        .round = self->promised.round,
        .node = self->promised.node,
        .flags = self->recovering ? PAXOS_RECOVERING : 0,
        .head = keep,
    };
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX];
    struct span none;
    size_t size = message_encode(&paxos_part_type, &part, bytes, &none);
    effect_checkpoint(out, keep_position(self, keep, out->next_position), effects_copy(out, bytes, size));
    self->checkpoint_pending = true;
    self->pending_slot = self->applied;
    self->pending_keep = self->send_from = keep;
    self->applied_slots = self->applied_bytes = 0;
}

void paxos_install_send(void *member, uint32_t to, struct effects *out)
{
    struct paxos *self = member;
    const struct paxos_install install = {
        .round = self->promised.round,
        .slot = self->checkpoint_slot,
        .index = self->checkpoint_index,
        .digest = self->checkpoint_digest,
        .beat = self->peers.beat,
        .last = self->window.top,
    };
    effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_INSTALL, &install, to);
}

/* The highest slot above the checkpoint whose acceptance may matter; 0: there is none. */
static uint64_t kept_from_adopting(const struct paxos *self, const struct paxos_install *install)
{
    for (uint64_t slot = self->window.top; slot > install->slot; slot--) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        if (cell != NULL && (slot <= install->last || paxos_ballot_same(cell->ballot, self->promised)))
            return slot;
    }
    return 0;
}

void paxos_on_install(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_install *install = event->message.body;
    if (!paxos_follow_leader(self, event, install->round, install->beat, out))
        return;
    self->ack_due = true;
    if (install->slot <= self->commit)
        return; /* it can go on from there: the answer says so */
    if (self->adopt_pending || self->checkpoint_pending)
        return; /* one at a time; the leader repeats itself */
    self->held_back = kept_from_adopting(self, install);
    if (self->held_back != 0)
        return;
    self->state_dirty = true;
    (void)paxos_state_after(self, event, out);
    self->adopt_pending = true;
    self->adopt_holder = event->message.from.node;
    self->adopt_slot = install->slot;
    effect_adopt(out, &self->adopt_holder, 1, install->index, install->digest);
}

static void on_durable(struct paxos *self, const struct event_state *state)
{
    self->checkpoint_pending = false;
    self->checkpoint_slot = self->pending_slot;
    self->checkpoint_index = state->index;
    self->checkpoint_digest = state->digest;
    self->send_from = 0;
    paxos_window_evict(&self->window, self->pending_keep);
}

/* Slots whose records went with the own checkpoint: all that the adopted one covers, and what does not matter above. */
static void drop_gone(struct paxos *self, uint64_t position)
{
    for (uint64_t slot = self->window.top; slot >= self->window.head; slot--) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        if (cell != NULL && cell->position < position)
            paxos_window_drop(&self->window, slot);
    }
}

/* The service's state is that of the checkpoint now. */
static void on_adopted(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct event_state *state = &event->state;
    struct paxos_part part = {0};
    self->adopt_pending = false;
    if (!message_decode(&paxos_part_type, state->part, &part) || part.index != state->index ||
        part.slot != self->adopt_slot) {
        paxos_reject(out, "rejected: part of an adopted checkpoint", self->adopt_holder);
        part = (struct paxos_part){.slot = self->adopt_slot, .index = state->index, .time = self->applied_time_ns};
    }
    if (self->role != PAXOS_FOLLOWER)
        paxos_become_follower(self, event, self->promised, 0, out);
    paxos_window_evict(&self->window, part.slot + 1);
    drop_gone(self, state->position);
    if (self->commit <= part.slot) {
        self->commit = part.slot;
        self->commit_index = part.index;
    }
    self->applied = part.slot;
    self->applied_index = part.index;
    self->applied_time_ns = part.time;
    self->applied_slots = self->applied_bytes = 0;
    self->checkpoint_slot = part.slot;
    self->checkpoint_index = part.index;
    self->checkpoint_digest = state->digest;
    if (self->matched < self->commit)
        self->matched = self->commit;
    self->ack_due = true;
}

void paxos_on_state(struct paxos *self, const struct event *event, struct effects *out)
{
    switch (event->state.kind) {
    case STATE_DURABLE:
        on_durable(self, &event->state);
        return;
    case STATE_ADOPTED:
        on_adopted(self, event, out);
        return;
    case STATE_FAILED:
        /* A checkpoint is tried again after more slots; an adoption with the next INSTALL. */
        self->checkpoint_pending = self->adopt_pending = false;
        self->send_from = 0;
        return;
    }
}
