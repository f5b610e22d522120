/* The canonical state of a member of Chandy-Lamport snapshots (contract/canon.h): everything that it decides by, under
 * a renaming of the members.
 *
 * Left out, and why. Times decide nothing here but when a timer is armed again. The generator spreads timers. How many
 * messages were dropped, and how many snapshots completed, are statistics. Positions: nothing waits for one. */
#include "protocol/recover/chandy_lamport_member.h"

static void canon_counters(struct canon *out, const uint64_t *values)
{
    for (uint32_t i = 0; i < out->member_count; i++)
        canon_u64(out, values[canon_place(out, i)]);
}

static void canon_flags(struct canon *out, const bool *values)
{
    for (uint32_t i = 0; i < out->member_count; i++)
        canon_u8(out, values[canon_place(out, i)]);
}

static void canon_buffer(struct canon *out, const struct buffer *buffer)
{
    canon_u64(out, buffer->size);
    canon_bytes(out, buffer->data, buffer->size);
}

static void canon_snapshot(struct canon *out, const struct cl_snapshot *snapshot)
{
    canon_u8(out, (uint8_t)snapshot->state);
    canon_u64(out, snapshot->number); /* of one that was given up too: its markers are kept out by it */
    if (snapshot->state == CL_NONE)
        return;
    canon_u64(out, snapshot->index);
    canon_u64(out, snapshot->asked && !snapshot->answered ? snapshot->tag : 0);
    canon_u8(out, snapshot->asked);
    canon_u8(out, snapshot->answered);
    canon_u8(out, snapshot->markers_due);
    canon_u64(out, snapshot->open);
    canon_u64(out, snapshot->recorded_count);
    canon_flags(out, snapshot->recording);
    canon_counters(out, snapshot->sent);
    canon_counters(out, snapshot->received);
    canon_counters(out, snapshot->highest);
    canon_counters(out, snapshot->recorded);
    canon_counters(out, snapshot->closed_at);
    canon_bundle(out, buffer_span(&snapshot->question));
    canon_buffer(out, &snapshot->answer);
    canon_buffer(out, &snapshot->messages);
}

static void canon_gathering(struct canon *out, const struct cl_gathering *gathering)
{
    canon_u64(out, gathering->number);
    canon_u8(out, gathering->active);
    if (!gathering->active)
        return;
    canon_u8(out, gathering->for_client);
    canon_u8(out, gathering->wanted);
    canon_u64(out, gathering->request_number);
    canon_u64(out, gathering->reports);
    canon_flags(out, gathering->reported);
    canon_bundle(out, buffer_span(&gathering->question));
    canon_buffer(out, &gathering->parts);
}

/* What a checkpoint and the records after it gave back, until START has delivered it. */
static void canon_restored(struct canon *out, const struct cl_member *self)
{
    canon_u8(out, self->restored.known);
    if (!self->restored.known)
        return;
    canon_node(out, self->restored.initiator);
    canon_u64(out, self->restored.number);
    canon_u64(out, self->restored.count);
    for (uint32_t i = 0; i < self->restored.count; i++)
        canon_record(out, self->restored.positions[i]);
}

void cl_canonical(const void *state, struct canon *out)
{
    const struct cl_member *self = state;
    canon_u8(out, self->started);
    canon_u8(out, self->room);
    canon_u64(out, self->incarnation);
    canon_counters(out, self->lives);
    canon_u64(out, self->index);
    canon_counters(out, self->sent);
    canon_counters(out, self->received);
    canon_counters(out, self->highest);
    canon_u64(out, self->outstanding);
    canon_u64(out, self->last_tag);
    canon_u64(out, self->highest_number);
    canon_u8(out, self->checkpointing);
    canon_node(out, self->held == CL_NOBODY ? 0 : self->spec->members[self->held]);
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        canon_snapshot(out, &self->snapshots[canon_place(out, i)]);
    canon_gathering(out, &self->gathering);
    canon_restored(out, self);
    fifo_canonical(self->fifo, out);
}
