/* The state of a member of Chandy-Lamport snapshots in one line for people (protocol.print): the snapshots that it
 * takes part in, then what has gone through its channels. */
#include "contract/text.h"
#include "protocol/recover/chandy_lamport_member.h"

static void number(struct text *out, const char *name, uint64_t value)
{
    text_add(out, " ");
    text_add(out, name);
    text_add(out, "=");
    text_add_u64(out, value);
}

static const char *snapshot_name(enum cl_state state)
{
    switch (state) {
    case CL_NONE:
        return "none";
    case CL_RECORDING:
        return "recording";
    case CL_COMPLETE:
        return "complete";
    }
    return "?";
}

/* snapshot1=recording(4) open=2: number 4 of initiator 1, of which two channels are still being recorded. */
static void print_snapshot(struct text *out, const struct cl_member *self, uint32_t place)
{
    const struct cl_snapshot *snapshot = &self->snapshots[place];
    if (snapshot->state == CL_NONE)
        return;
    text_add(out, " snapshot");
    text_add_u64(out, self->spec->members[place]);
    text_add(out, "=");
    text_add(out, snapshot_name(snapshot->state));
    text_add(out, "(");
    text_add_u64(out, snapshot->number);
    text_add(out, ")");
    if (snapshot->state == CL_RECORDING)
        number(out, "open", snapshot->open);
}

static void print_list(struct text *out, const char *name, const uint64_t *values, uint32_t count)
{
    text_add(out, " ");
    text_add(out, name);
    text_add(out, "=");
    for (uint32_t i = 0; i < count; i++) {
        text_add(out, i == 0 ? "" : ",");
        text_add_u64(out, values[i]);
    }
}

void cl_print(const void *state, struct text *out)
{
    const struct cl_member *self = state;
    text_add(out, "index=");
    text_add_u64(out, self->index);
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        print_snapshot(out, self, i);
    if (self->gathering.active)
        number(out, "gathering", self->gathering.number);
    if (self->gathering.active)
        number(out, "reports", self->gathering.reports);
    number(out, "completed", self->gathering.completed);
    print_list(out, "sent", self->sent, self->spec->member_count);
    print_list(out, "received", self->received, self->spec->member_count);
    number(out, "outstanding", self->outstanding);
    if (self->held != CL_NOBODY)
        number(out, "held", self->spec->members[self->held]);
    if (self->dropped > 0)
        number(out, "dropped", self->dropped);
    if (self->checkpointing)
        text_add(out, " checkpointing=yes");
}
