/* The state of a member of two-phase commit in one line for people (protocol.print): as coordinator, then as
 * participant of each coordinator's newest transaction. */
#include "contract/text.h"
#include "protocol/commit/two_phase_commit_member.h"

static const char *coordinator_name(enum tpc_coordinator_state state)
{
    switch (state) {
    case TPC_IDLE:
        return "IDLE";
    case TPC_WAIT:
        return "WAIT";
    case TPC_COMMITTED:
        return "COMMIT";
    case TPC_ABORTED:
        return "ABORT";
    }
    return "?";
}

static const char *participant_name(enum transaction_state state)
{
    switch (state) {
    case TRANSACTION_INIT:
        return "INIT";
    case TRANSACTION_READY:
        return "READY";
    case TRANSACTION_COMMIT:
        return "COMMIT";
    case TRANSACTION_ABORT:
        return "ABORT";
    case TRANSACTION_FORGOTTEN:
        return "FORGOTTEN";
    }
    return "?";
}

static void number(struct text *out, const char *name, uint64_t value)
{
    text_add(out, " ");
    text_add(out, name);
    text_add(out, "=");
    text_add_u64(out, value);
}

static void print_places(struct text *out, const char *name, const struct tpc_member *self, const bool *set)
{
    text_add(out, " ");
    text_add(out, name);
    text_add(out, "=");
    bool first = true;
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        if (!set[i])
            continue;
        text_add(out, first ? "" : ",");
        text_add_u64(out, self->spec->members[i]);
        first = false;
    }
    text_add(out, first ? "none" : "");
}

static void print_coordinator(struct text *out, const struct tpc_member *self)
{
    const struct tpc_coordinator *c = &self->coordinator;
    text_add(out, "coordinator=");
    text_add(out, coordinator_name(c->state));
    if (c->sequence > 0)
        number(out, "transaction", c->sequence);
    if (c->state == TPC_WAIT)
        print_places(out, "voted", self, c->voted);
    if (c->state == TPC_COMMITTED || c->state == TPC_ABORTED)
        print_places(out, "acknowledged", self, c->acked);
}

/* from1=READY(7): what this member knows, as participant, of transaction 7 of node 1. */
static void print_part(struct text *out, const struct tpc_member *self, uint32_t place)
{
    const struct tpc_participation *part = &self->parts[place];
    if (part->sequence == 0)
        return;
    text_add(out, " from");
    text_add_u64(out, self->spec->members[place]);
    text_add(out, "=");
    text_add(out, participant_name(part->state));
    text_add(out, "(");
    text_add_u64(out, part->sequence);
    text_add(out, ")");
}

void tpc_print(const void *state, struct text *out)
{
    const struct tpc_member *self = state;
    print_coordinator(out, self);
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        print_part(out, self, i);
    if (self->asking)
        text_add(out, " asks=service");
    if (two_phase_commit_blocked(self))
        text_add(out, " blocked=yes");
    if (self->inert)
        text_add(out, " inert=yes");
    number(out, "delivered", self->index);
    number(out, "queued", self->queue_count);
    number(out, "written", self->last_position);
    number(out, "stored", self->stored);
}
