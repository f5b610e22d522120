/* Restart of a member of an anti-entropy group: its checkpoint's own part and its records become state again; and when a
 * checkpoint is taken.
 *
 * A checkpoint says which updates the service's state contains; updates that some member may lack stay in the log behind
 * it, whether they are delivered or not. */
#include "base/panic.h"
#include "protocol/replica/anti_entropy_member.h"

enum { PART_WORDS = 4, AGAIN_HEARTBEATS = 4 };

size_t ae_part_size(const struct group_spec *spec)
{
    return ((size_t)PART_WORDS + spec->member_count) * 8;
}

static struct span write_part(struct ae_member *self)
{
    uint8_t *at = self->part;
    store_u64(at, self->count);
    store_u64(at + 8, self->done_position);
    store_u64(at + 16, self->index);
    store_u64(at + 24, (uint64_t)self->time_ns);
    for (uint32_t i = 0; i < self->count; i++)
        store_u64(at + (size_t)(PART_WORDS + i) * 8, self->delivered[i]);
    return span_of(self->part, ae_part_size(self->spec));
}

/* False when the bytes are not what write_part() writes for this group. */
static bool read_part(struct ae_member *self, struct span part, uint64_t index)
{
    if (part.size != ae_part_size(self->spec) || load_u64(part.data) != self->count ||
        load_u64(part.data + 16) != index)
        return false;
    self->done_position = load_u64(part.data + 8);
    self->index = index;
    self->time_ns = (int64_t)load_u64(part.data + 24);
    for (uint32_t i = 0; i < self->count; i++)
        self->have[i] = self->delivered[i] = load_u64(part.data + (size_t)(PART_WORDS + i) * 8);
    return true;
}

/* False: the log is not what this member wrote. */
static bool restore_update(struct ae_member *self, const struct ae_update *update, uint64_t position)
{
    int origin = spec_member_place(self->spec, update->origin);
    bool wild = ae_ablated(self, AE_DELIVER_OUT_OF_ORDER) || ae_ablated(self, AE_EXECUTE_DUPLICATES);
    if (origin < 0)
        return false;
    bool held = position <= self->done_position;
    bool follows = held ? update->number <= self->delivered[origin] : update->number == self->have[origin] + 1;
    if ((!follows && !wild) || !ae_enter(self, (uint32_t)origin, update, position))
        return false;
    self->done += held;
    return true;
}

void ae_on_restore(struct ae_member *self, const struct event_restore *restore)
{
    bool good = false;
    switch (restore->kind) {
    case RESTORE_PART:
        good = read_part(self, restore->part, restore->index);
        break;
    case RESTORE_RECORD:
        good = restore->slot == 0 && restore->type == AE_RECORD_UPDATE &&
               restore_update(self, restore->body, restore->position);
        break;
    case RESTORE_GAP: /* it may have held an own number that others know */
        break;
    }
    if (!good)
        self->inert = true;
}

/* ---- checkpoints ---- */

static bool may_leave(const struct ae_member *self, const struct ae_entry *entry)
{
    return ae_ablated(self, AE_PRUNE_TOO_EARLY) ? entry->position <= self->done_position : ae_held_by_all(self, entry);
}

/* Enough has been logged since the last one; or the room is needed and can be had. */
static bool checkpoint_due(const struct ae_member *self)
{
    if (self->bytes_since >= self->spec->tuning.checkpoint_log_bytes || self->index_since >= self->log_capacity / 8)
        return true;
    bool short_of_room = self->own_kept >= anti_entropy_own_max(self->spec) / 2 ||
                         self->log_count >= self->log_capacity / 2;
    return short_of_room && self->log_count > 0 && may_leave(self, &self->log[0]);
}

void ae_checkpoint_when_due(struct ae_member *self, struct effects *out)
{
    if (!self->started || self->inert || self->checkpointing || self->now_ns < self->checkpoint_not_before_ns ||
        self->index == 0 || !checkpoint_due(self))
        return;
    uint32_t leaving = 0;
    while (leaving < self->log_count && may_leave(self, &self->log[leaving]))
        leaving++;
    self->keep_from = leaving < self->log_count ? self->log[leaving].position : self->last_position + 1;
    self->checkpointing = true;
    self->bytes_since = self->index_since = 0;
    effect_checkpoint(out, self->keep_from, write_part(self));
}

void ae_on_state(struct ae_member *self, const struct event_state *state)
{
    if (!self->checkpointing)
        return;
    self->checkpointing = false;
    if (state->kind != STATE_DURABLE) {
        self->bytes_since = self->spec->tuning.checkpoint_log_bytes; /* it is still due */
        self->checkpoint_not_before_ns = self->now_ns + AGAIN_HEARTBEATS * self->spec->tuning.heartbeat_ns;
        return;
    }
    uint32_t leaving = 0;
    for (; leaving < self->log_count && self->log[leaving].position < self->keep_from; leaving++)
        self->own_kept -= self->log[leaving].origin == self->place;
    invariant(leaving <= self->done, "only what is delivered leaves the log");
    self->log_count -= leaving;
    self->done -= leaving;
    memmove(self->log, self->log + leaving, self->log_count * sizeof self->log[0]);
}
