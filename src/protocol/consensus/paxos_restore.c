/* Paxos: restart. Promises and acceptances persist; which slots are chosen could be learned again (AG-5).
 *
 * A restart hands in the part of the checkpoint, then the records since, then START. Records are replayed: the latest
 * entry of a slot holds, a RENEW raises the ballot of what is held in its slots, the promise with the highest sequence
 * holds. A slot stands for itself, so nothing has to follow anything: slots that the checkpoint covers and that are not
 * kept for others are left out.
 *
 * - A record of a slot also tells up to where all slots were known to be chosen when it was written, and those lie
 *   before it in the log: so most of what was learned need not be learned, or proposed, again.
 * - The part of an adopted checkpoint is another member's: its promise is not ours. The own one was stored right before
 *   the checkpoint was asked for (paxos_snapshot.c): the records begin with it.
 * - Damage in what this member wrote means that promises or acceptances may be lost. It then forgets all that is not
 *   in its checkpoint and is treated as a member that forgot (paxos_recover.c). The first record that it stores says
 *   so (AFTER_LOSS): the next replay, which meets the same damage, begins anew there. Without that record the member
 *   forgot once more; so node/ starts it as START_AMNESIAC, or reports the damage, until the record is on disk. */
#include "protocol/consensus/paxos_internal.h"

static void restore_part(struct paxos *self, const struct event_restore *restore)
{
    struct paxos_part part = {0};
    /* The checkpoint's digest was good, so this is no damage but a file that another protocol wrote. */
    bool own = message_decode(&paxos_part_type, restore->part, &part) && part.index == restore->index &&
               part.slot > 0 && part.head > 0 && part.head <= part.slot + 1;
    invariant(own, "the checkpoint was written by a member that speaks Paxos");
    self->commit = self->applied = part.slot;
    self->commit_index = self->applied_index = part.index;
    self->applied_time_ns = part.time;
    self->checkpoint_slot = part.slot;
    self->checkpoint_index = part.index;
    self->restore_foreign = part.owner != self->peers.self_node;
    paxos_window_reset(&self->window, self->restore_foreign ? part.slot + 1 : part.head);
    if (self->restore_foreign)
        return;
    self->promised = paxos_ballot_of(part.round, part.node);
    self->state_sequence = part.sequence;
    self->recovering = (part.flags & PAXOS_RECOVERING) != 0;
}

/* All that is not in the checkpoint is forgotten. */
static void begin_anew(struct paxos *self)
{
    paxos_window_reset(&self->window, self->applied + 1);
    self->restore_commit = self->applied;
}

static void restore_state(struct paxos *self, const struct paxos_state *record, uint64_t position)
{
    if ((record->flags & PAXOS_AFTER_LOSS) != 0)
        begin_anew(self);
    if (record->sequence <= self->state_sequence)
        return; /* older than the part */
    self->state_sequence = record->sequence;
    self->state_position = position;
    self->promised = paxos_ballot_of(record->round, record->node);
    self->recovering = (record->flags & PAXOS_RECOVERING) != 0;
}

static bool restore_entry(struct paxos *self, const struct event_restore *restore)
{
    const struct paxos_entry *entry = restore->body;
    if (!paxos_entry_sound(entry) || entry->round == 0)
        return false;
    if (self->restore_commit < entry->commit)
        self->restore_commit = entry->commit;
    if (entry->slot < self->window.head)
        return true;
    while (!paxos_window_fits(&self->window, entry->slot)) {
        if (self->window.head > self->applied)
            return false; /* more than this specification lets a member hold */
        paxos_window_evict(&self->window, self->window.head + 1);
    }
    const struct paxos_cell cell = {
        .slot = entry->slot,
        .ballot = paxos_ballot_of(entry->round, entry->node),
        .position = restore->position,
        .time_ns = entry->time,
        .count = entry->count,
        .size = (uint32_t)(RECORD_PREFIX_SIZE + restore->record_size),
        .origin = entry->origin,
        .reported = entry->reported != 0,
    };
    (void)paxos_window_put(&self->window, &cell);
    return true;
}

static void restore_renew(struct paxos *self, const struct paxos_renew *renew)
{
    uint64_t first = renew->first > self->window.head ? renew->first : self->window.head;
    uint64_t last = renew->last < self->window.top ? renew->last : self->window.top;
    for (uint64_t slot = first; slot <= last; slot++) {
        struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        if (cell == NULL)
            continue;
        cell->ballot = paxos_ballot_of(renew->round, renew->node);
        cell->reported = false;
    }
}

static bool restore_record(struct paxos *self, const struct event_restore *restore)
{
    if (restore->slot != PAXOS_SLOT)
        return false;
    switch ((enum paxos_record)restore->type) {
    case PAXOS_ENTRY:
        return restore_entry(self, restore);
    case PAXOS_STATE:
        restore_state(self, restore->body, restore->position);
        return true;
    case PAXOS_RENEW:
        restore_renew(self, restore->body);
        return true;
    case PAXOS_RECORD_COUNT:
        break;
    }
    return false;
}

/* Is this the record from which the member went on when it had met damage before? */
static bool goes_on(struct paxos *self, const struct event_restore *restore)
{
    const struct paxos_state *record = restore->body;
    if (restore->kind != RESTORE_RECORD || restore->slot != PAXOS_SLOT || restore->type != PAXOS_STATE ||
        (record->flags & PAXOS_AFTER_LOSS) == 0)
        return false;
    restore_state(self, record, restore->position);
    return true;
}

void paxos_restore(struct paxos *self, const struct event *event)
{
    const struct event_restore *restore = &event->restore;
    if (restore->kind == RESTORE_PART)
        restore_part(self, restore);
    else if (restore->kind == RESTORE_GAP)
        self->restore_damaged = true;
    else if (self->restore_damaged)
        self->restore_damaged = !goes_on(self, restore);
    else
        self->restore_damaged = !restore_record(self, restore);
}

/* Slots that the checkpoint covers have their indices from it, backwards; a hole among them hides those before it. */
static void number_slots(struct paxos *self)
{
    uint64_t index = self->applied_index;
    uint64_t slot = self->applied;
    for (; slot >= self->window.head; slot--) {
        struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        if (cell == NULL)
            break;
        index -= cell->count;
        cell->index = index + 1;
    }
    paxos_window_evict(&self->window, slot + 1);
}

static void restore_learned(struct paxos *self)
{
    while (self->commit < self->restore_commit && paxos_window_at(&self->window, self->commit + 1) != NULL)
        paxos_learn(self, self->commit + 1);
}

/* A promise lies in the log before what was accepted under it; if it does not, it was lost. */
static bool promise_lost(const struct paxos *self)
{
    for (uint64_t slot = self->window.head; slot <= self->window.top; slot++) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        if (cell != NULL && paxos_ballot_compare(cell->ballot, self->promised) > 0)
            return true;
    }
    return false;
}

void paxos_start(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct event_start *start = &event->start;
    self->started = true;
    self->incarnation = start->incarnation;
    self->disk.written = self->disk.stored = start->position;
    /* First of all, before any other record, it is stored that promises may be lost: that must survive a crash now. */
    bool forgot = (start->kind == START_AMNESIAC || self->restore_damaged || promise_lost(self)) &&
                  !paxos_ablated(self, PAXOS_ABLATION_AMNESIAC_VOTES);
    if (forgot) {
        self->recovering = true;
        begin_anew(self);
        paxos_store_loss(self, event, out);
    }
    number_slots(self);
    restore_learned(self);
    self->round_seen = self->promised.round;
    paxos_match_anew(self);
    effect_note(out, self->recovering ? "START recovering" : "START", self->promised.round);
    election_timer_draw(&self->timer, event->now_ns);
    if (self->peers.count == 1 && !self->recovering)
        self->timer.deadline_ns = event->now_ns; /* nobody else to wait for */
    election_timer_arm(&self->timer, out);
    if (self->recovering)
        paxos_recover_ask(self, out);
}
