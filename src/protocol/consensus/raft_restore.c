/* Raft: restart (thesis 3.8: term, vote and log persist; here the log is a prefix of what was written).
 *
 * A restart hands in the part of the checkpoint, then the records since, then START. Records are replayed: an entry
 * supersedes those at its index and above; the hard state with the highest sequence holds. Two things need care:
 *
 * - A service's checkpoint may be ahead of the own log, because committed entries are delivered before the own disk
 *   has them. Then, and after adopting another member's checkpoint, the log goes on after the checkpoint; a BASE record
 *   says so to the next replay.
 * - The part of an adopted checkpoint is another member's: its term and vote are not ours. The own hard state was
 *   stored in the log right before the checkpoint was asked for (raft_snapshot.c): the records begin with it.
 *
 * Damage in the middle of what this member wrote means that promises may be lost: it keeps the good prefix and is
 * treated as a member that forgot (raft_recover.c). The first record that it stores then says so, and where the log
 * ended (AFTER_LOSS). The next replay meets the same damage again; it ignores what follows it up to that record, and
 * goes on from there when its own log ends in the same place. Without that record the member forgot once more; so
 * node/ starts it as START_AMNESIAC, or reports the damage, until the record is on disk. */
#include "protocol/consensus/raft_internal.h"

static void restore_part(struct raft *self, const struct event_restore *restore)
{
    struct raft_part part = {0};
    if (!message_decode(&raft_part_type, restore->part, &part) || part.last_index != restore->index) {
        self->restore_damaged = true;
        part = (struct raft_part){.last_index = restore->index};
    }
    self->restore_part_seen = true;
    self->restore_index = part.last_index;
    self->restore_term = part.last_term;
    self->restore_time_ns = part.last_time;
    self->commit = self->applied = part.last_index;
    self->applied_term = part.last_term;
    self->applied_time_ns = part.last_time;
    self->checkpoint_index = part.last_index;
    self->checkpoint_term = part.last_term;
    self->restore_foreign = part.node != self->peers.self_node;
    if (self->restore_foreign) {
        self->term = part.last_term; /* at least: the adopted entries are of this term */
        raft_log_reset(&self->log, part.last_index, part.last_term, part.last_time);
        return;
    }
    self->term = part.term;
    self->voted_for = part.voted_for;
    self->hard_sequence = part.sequence;
    self->recovering = (part.flags & RAFT_RECOVERING) != 0;
    self->part_base_index = part.base_index;
    raft_log_reset(&self->log, part.base_index, part.base_term, 0);
}

static void restore_hard_state(struct raft *self, const struct raft_hard_state *record, uint64_t position)
{
    if (record->sequence <= self->hard_sequence)
        return; /* older than the part */
    self->hard_sequence = record->sequence;
    self->hard_position = position;
    self->term = record->term;
    self->voted_for = record->voted_for;
    self->recovering = (record->flags & RAFT_RECOVERING) != 0;
}

/* Makes the log end right before `index`. False when it cannot. */
static bool cut_before(struct raft *self, uint64_t index)
{
    uint64_t at;
    /* With an adopted checkpoint the own base is lost; START drops everything up to the checkpoint anyway. */
    bool floating = self->restore_foreign && index <= self->restore_index;
    if (floating && (raft_log_count(&self->log) == 0 || index <= self->log.base_index))
        raft_log_reset(&self->log, index - 1, 0, 0);
    if (index > raft_log_last_index(&self->log) + 1 || !raft_log_after(&self->log, index - 1, &at))
        return false;
    raft_log_truncate(&self->log, at);
    return true;
}

static bool restore_entry(struct raft *self, const struct event_restore *restore)
{
    const struct raft_entry *entry = restore->body;
    if (!raft_entry_sound(entry))
        return false;
    if (!self->restore_foreign && entry->index <= self->part_base_index) {
        raft_log_truncate(&self->log, self->log.head); /* older than what the part keeps; it superseded what follows */
        return true;
    }
    /* Behind a checkpoint lie entries that were superseded while one before them reached across the base: they follow
     * nothing that is kept. What superseded them is older than the base, or comes later. */
    if (!self->restore_foreign && raft_log_count(&self->log) == 0 && entry->index > self->log.base_index + 1)
        return true;
    if (!cut_before(self, entry->index) || entry->term < raft_log_last_term(&self->log))
        return false;
    if (raft_log_room(&self->log) == 0) {
        if (raft_slot_last(raft_log_at(&self->log, self->log.head)) > self->restore_index)
            return false; /* more than this specification lets a member hold */
        raft_log_evict(&self->log, self->log.head + 1);
    }
    const struct raft_slot slot = {
        .index = entry->index,
        .term = entry->term,
        .position = restore->position,
        .time_ns = entry->time,
        .count = entry->count,
        .size = (uint32_t)(RECORD_PREFIX_SIZE + restore->record_size),
        .origin = entry->origin,
    };
    raft_log_append(&self->log, &slot);
    return true;
}

static void restore_base(struct raft *self, const struct raft_base *base)
{
    if (!self->restore_foreign && base->index <= self->part_base_index)
        raft_log_truncate(&self->log, self->log.head);
    else
        raft_log_reset(&self->log, base->index, base->term, base->time);
}

static bool restore_record(struct raft *self, const struct event_restore *restore)
{
    if (restore->slot != RAFT_SLOT)
        return false;
    switch ((enum raft_record)restore->type) {
    case RAFT_ENTRY:
        return restore_entry(self, restore);
    case RAFT_HARD_STATE:
        restore_hard_state(self, restore->body, restore->position);
        return true;
    case RAFT_BASE:
        restore_base(self, restore->body);
        return true;
    case RAFT_RECORD_COUNT:
        break;
    }
    return false;
}

/* Is this the record from which the member went on when it had met the same damage before? */
static bool goes_on(struct raft *self, const struct event_restore *restore)
{
    const struct raft_hard_state *record = restore->body;
    if (restore->slot != RAFT_SLOT || restore->type != RAFT_HARD_STATE || (record->flags & RAFT_AFTER_LOSS) == 0 ||
        record->last_index != raft_log_last_index(&self->log) || record->last_term != raft_log_last_term(&self->log))
        return false;
    restore_hard_state(self, record, restore->position);
    return true;
}

void raft_restore(struct raft *self, const struct event *event)
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

/* The log must hold the checkpoint's index as a boundary of the checkpoint's term; else it begins anew after it. */
static void align_log(struct raft *self, const struct event *event, struct effects *out)
{
    uint64_t at;
    bool joined = raft_log_after(&self->log, self->restore_index, &at) &&
                  raft_log_before_term(&self->log, at) == self->restore_term;
    if (!joined) {
        const struct raft_base base = {self->restore_index, self->restore_term, self->restore_time_ns};
        raft_log_reset(&self->log, base.index, base.term, base.time);
        (void)raft_store(self, event, RAFT_BASE, &base, out);
    } else if (self->restore_foreign) {
        raft_log_evict(&self->log, at);
    }
}

void raft_start(struct raft *self, const struct event *event, struct effects *out)
{
    const struct event_start *start = &event->start;
    self->started = true;
    self->incarnation = start->incarnation;
    self->disk.written = self->disk.stored = start->position;
    /* First of all, before any other record, it is stored that promises may be lost: that must survive a crash now. */
    uint64_t last_term = raft_log_last_term(&self->log);
    if (last_term < self->restore_term)
        last_term = self->restore_term;
    if (last_term > self->term) { /* the hard state of that term is lost */
        self->term = last_term;
        self->voted_for = 0;
        self->restore_damaged = true;
    }
    bool forgot = (start->kind == START_AMNESIAC || self->restore_damaged) &&
                  !raft_ablated(self, RAFT_ABLATION_AMNESIAC_VOTES);
    if (forgot) {
        self->recovering = true;
        raft_store_loss(self, event, out);
    }
    if (self->restore_part_seen)
        align_log(self, event, out);
    invariant(raft_log_after(&self->log, self->commit, &self->apply), "the log joins the checkpoint");
    (void)raft_log_stored(&self->log, start->position);
    self->matched = self->commit;
    effect_note(out, self->recovering ? "START recovering" : "START", self->term);
    election_timer_draw(&self->timer, event->now_ns);
    if (self->peers.count == 1 && !self->recovering)
        self->timer.deadline_ns = event->now_ns; /* nobody else to wait for */
    election_timer_arm(&self->timer, out);
    if (self->recovering)
        raft_recover_ask(self, out);
}
