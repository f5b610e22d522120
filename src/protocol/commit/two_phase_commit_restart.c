/* Restart of a member of two-phase commit: its checkpoint's own part and its records become state again; and when a
 * checkpoint is taken.
 *
 * A checkpoint is taken only when everything written is stored: so the part never knows of a record that a crash can
 * still take, and positions up to the one in it never return. Records up to there that are kept (READY with its
 * command, of the transaction that is prepared) are in the part already and are passed over. */
#include "base/panic.h"
#include "protocol/commit/two_phase_commit_member.h"

enum { PART_WORDS = 7, PART_WORDS_EACH = 6 };

size_t tpc_part_size(const struct group_spec *spec)
{
    return ((size_t)PART_WORDS + (size_t)PART_WORDS_EACH * spec->member_count) * 8;
}

static uint8_t *put(uint8_t *at, uint64_t value)
{
    store_u64(at, value);
    return at + 8;
}

static struct span write_part(struct tpc_member *self)
{
    const struct tpc_coordinator *c = &self->coordinator;
    uint8_t *at = self->part;
    at = put(at, self->spec->member_count);
    at = put(at, self->last_position);
    at = put(at, (uint64_t)self->time_ns);
    at = put(at, (uint64_t)c->state);
    at = put(at, c->incarnation);
    at = put(at, c->sequence);
    at = put(at, (uint64_t)c->time_ns);
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        const struct tpc_participation *part = &self->parts[i];
        at = put(at, part->incarnation);
        at = put(at, part->sequence);
        at = put(at, (uint64_t)part->state);
        at = put(at, part->voted_commit);
        at = put(at, part->ready_position);
        at = put(at, (uint64_t)part->time_ns);
    }
    return span_of(self->part, (size_t)(at - self->part));
}

static uint64_t take(const uint8_t **at)
{
    uint64_t value = load_u64(*at);
    *at += 8;
    return value;
}

/* False when the bytes are not what write_part() writes for this group. */
static bool read_part(struct tpc_member *self, struct span bytes)
{
    if (bytes.size != tpc_part_size(self->spec))
        return false;
    const uint8_t *at = bytes.data;
    if (take(&at) != self->spec->member_count)
        return false;
    struct tpc_coordinator *c = &self->coordinator;
    self->checkpoint_as_of = take(&at);
    self->time_ns = (int64_t)take(&at);
    uint64_t state = take(&at);
    if (state > TPC_ABORTED)
        return false;
    c->state = (enum tpc_coordinator_state)state;
    c->incarnation = take(&at);
    c->sequence = take(&at);
    c->time_ns = (int64_t)take(&at);
    c->recovered = true;
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        struct tpc_participation *part = &self->parts[i];
        part->incarnation = take(&at);
        part->sequence = take(&at);
        state = take(&at);
        if (state > TRANSACTION_ABORT)
            return false;
        part->state = (enum transaction_state)state;
        part->voted_commit = take(&at) != 0;
        part->ready_position = take(&at);
        part->time_ns = (int64_t)take(&at);
        if (part->state == TRANSACTION_READY)
            self->busy = (int)i;
    }
    return true;
}

/* ---- records ---- */

static void restore_coordinator(struct tpc_member *self, enum tpc_coordinator_state state,
                                const struct tpc_listed *record)
{
    self->coordinator.state = state;
    self->coordinator.incarnation = record->incarnation;
    self->coordinator.sequence = record->sequence;
    self->coordinator.time_ns = record->time_ns;
    self->coordinator.recovered = true;
}

static void restore_ready(struct tpc_member *self, int place, uint64_t position,
                          const struct tpc_vote_request *record)
{
    self->parts[place] = (struct tpc_participation){.incarnation = record->incarnation,
                                                    .sequence = record->sequence,
                                                    .state = TRANSACTION_READY,
                                                    .voted_commit = true,
                                                    .ready_position = position,
                                                    .time_ns = record->time_ns};
    self->busy = place;
}

static void restore_decided(struct tpc_member *self, int place, enum transaction_state state, uint64_t incarnation,
                            uint64_t sequence)
{
    struct tpc_participation *part = &self->parts[place];
    bool same = part->sequence == sequence;
    part->incarnation = incarnation;
    part->sequence = sequence;
    part->state = state;
    part->voted_commit = same && part->voted_commit;
    if (self->busy == place)
        self->busy = TPC_NOBODY;
}

static void restore_commit(struct tpc_member *self, int place, const struct tpc_timed *record)
{
    struct tpc_participation *part = &self->parts[place];
    if (part->state != TRANSACTION_READY || part->sequence != record->sequence ||
        self->history_count == TPC_HISTORY_MAX) {
        self->inert = true; /* COMMIT without its READY: the log is not what this member wrote */
        return;
    }
    if (record->time_ns > self->time_ns)
        self->time_ns = record->time_ns;
    self->history[self->history_count++] =
        (struct tpc_commit){.position = part->ready_position, .time_ns = self->time_ns};
    part->time_ns = record->time_ns;
    restore_decided(self, place, TRANSACTION_COMMIT, record->incarnation, record->sequence);
}

static void restore_record(struct tpc_member *self, const struct event_restore *restore)
{
    const struct tpc_id *id = restore->body; /* every record begins with these fields */
    int place = spec_member_place(self->spec, id->node);
    if (place < 0) {
        self->inert = true;
        return;
    }
    switch ((enum tpc_record)restore->type) {
    case TPC_RECORD_START:
        restore_coordinator(self, TPC_WAIT, restore->body);
        break;
    case TPC_RECORD_GLOBAL_COMMIT:
        restore_coordinator(self, TPC_COMMITTED, restore->body);
        break;
    case TPC_RECORD_GLOBAL_ABORT:
        restore_coordinator(self, TPC_ABORTED, restore->body);
        break;
    case TPC_RECORD_END:
        self->coordinator.state = TPC_IDLE;
        break;
    case TPC_RECORD_READY:
        restore_ready(self, place, restore->position, restore->body);
        break;
    case TPC_RECORD_COMMIT:
        restore_commit(self, place, restore->body);
        break;
    case TPC_RECORD_ABORT:
        restore_decided(self, place, TRANSACTION_ABORT, id->incarnation, id->sequence);
        break;
    case TPC_RECORDS:
        break;
    }
}

void tpc_on_restore(struct tpc_member *self, const struct event_restore *restore)
{
    switch (restore->kind) {
    case RESTORE_PART:
        self->index = restore->index;
        if (!read_part(self, restore->part))
            self->inert = true;
        break;
    case RESTORE_RECORD:
        if (restore->slot != 0 || restore->type >= TPC_RECORDS)
            self->inert = true;
        else if (restore->position > self->checkpoint_as_of)
            restore_record(self, restore);
        break;
    case RESTORE_GAP: /* what is lost may have been a promise */
        self->inert = true;
        break;
    }
}

/* ---- checkpoints ---- */

/* Commits and aborts alike make the log longer, so both bring the next checkpoint nearer. */
static bool checkpoint_due(const struct tpc_member *self)
{
    return self->history_count >= TPC_HISTORY_MAX / 2 ||
           self->last_position - self->checkpoint_as_of >= TPC_CHECKPOINT_RECORDS;
}

void tpc_checkpoint_when_due(struct tpc_member *self, struct effects *out)
{
    if (!self->started || self->inert || self->checkpointing || self->stored != self->last_position ||
        self->last_position < self->checkpoint_not_before || !checkpoint_due(self))
        return;
    uint64_t keep_from = self->last_position + 1;
    if (self->busy != TPC_NOBODY && self->parts[self->busy].state == TRANSACTION_READY)
        keep_from = self->parts[self->busy].ready_position;
    self->checkpointing = true;
    self->history_in_checkpoint = self->history_count;
    self->checkpoint_begun = self->last_position;
    effect_checkpoint(out, keep_from, write_part(self));
}

void tpc_on_state(struct tpc_member *self, const struct event_state *state)
{
    if (!self->checkpointing)
        return;
    self->checkpointing = false;
    if (state->kind != STATE_DURABLE) {
        self->checkpoint_not_before = self->last_position + TPC_CHECKPOINT_RECORDS / 8;
        return;
    }
    self->checkpoint_as_of = self->checkpoint_begun;
    invariant(self->history_in_checkpoint <= self->history_count, "a checkpoint holds what was committed before it");
    self->history_count -= self->history_in_checkpoint;
    memmove(self->history, self->history + self->history_in_checkpoint,
            self->history_count * sizeof self->history[0]);
}
