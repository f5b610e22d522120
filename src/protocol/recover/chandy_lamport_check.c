/* Invariants of a member of Chandy-Lamport snapshots, and the laboratory's view of it. CL-1 and CL-3 are about several
 * members: the laboratory checks them with chandy_lamport_cut(). */
#include "protocol/recover/chandy_lamport_member.h"

static const char *check_snapshot(const struct cl_member *self, const struct cl_snapshot *snapshot)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        open += snapshot->recording[i];
        if (snapshot->received[i] > self->received[i] || snapshot->sent[i] > self->sent[i])
            return "CL-4 a snapshot recorded more than had happened";
        if (!snapshot->recording[i] && snapshot->recorded[i] != snapshot->closed_at[i] - snapshot->received[i])
            return "CL-2 a message of a channel was not recorded";
    }
    if (open != snapshot->open)
        return "CL-5 the open channels are miscounted";
    if (snapshot->state == CL_COMPLETE && (open > 0 || !snapshot->answered))
        return "CL-6 complete with an open channel";
    return NULL;
}

const char *cl_check(void *state)
{
    struct cl_member *self = state;
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        const struct cl_snapshot *snapshot = &self->snapshots[i];
        if (snapshot->number < self->checked[i])
            return "CL-7 a snapshot's number fell";
        self->checked[i] = snapshot->number;
        const char *wrong = snapshot->state == CL_NONE ? NULL : check_snapshot(self, snapshot);
        if (wrong != NULL)
            return wrong;
    }
    return fifo_check(self->fifo);
}

bool chandy_lamport_cut(const void *state, uint32_t initiator, struct chandy_lamport_cut *out)
{
    const struct cl_member *self = state;
    int place = spec_member_place(self->spec, initiator);
    if (place < 0 || self->snapshots[place].state == CL_NONE)
        return false;
    const struct cl_snapshot *snapshot = &self->snapshots[place];
    *out = (struct chandy_lamport_cut){.initiator = initiator,
                                       .number = snapshot->number,
                                       .complete = snapshot->state == CL_COMPLETE,
                                       .index = snapshot->index,
                                       .sent = snapshot->sent,
                                       .received = snapshot->received,
                                       .highest = snapshot->highest,
                                       .recorded = snapshot->recorded,
                                       .answer = buffer_span(&snapshot->answer)};
    return true;
}

uint64_t chandy_lamport_completed(const void *self)
{
    return ((const struct cl_member *)self)->gathering.completed;
}

uint64_t chandy_lamport_dropped(const void *self)
{
    return ((const struct cl_member *)self)->dropped;
}
