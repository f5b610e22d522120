/* The canonical state of a member of two-phase commit (contract/canon.h): everything that it decides by, under a
 * renaming of the members.
 *
 * Left out, and why. Times: agreed time only rises, and decides nothing but when a service says that something expires.
 * The generator: it spreads timers. How often the decision was asked for: only whether it was. What a coordinator knew
 * of a transaction that has ended. Counters towards the next checkpoint: an exploration stops with an error before one
 * is taken. */
#include "protocol/commit/two_phase_commit_member.h"

static void canon_queue(struct canon *out, const struct tpc_member *self)
{
    canon_u64(out, self->queue_count);
    for (const struct tpc_request *each = self->queue_first; each != NULL; each = each->next) {
        canon_u64(out, each->number);
        canon_bundle(out, span_of(each->bundle, each->size));
    }
    canon_u64(out, self->highest_number);
}

static void canon_coordinator(struct canon *out, const struct tpc_member *self, uint64_t stored)
{
    const struct tpc_coordinator *c = &self->coordinator;
    canon_u8(out, (uint8_t)c->state);
    canon_u64(out, c->incarnation);
    canon_u64(out, c->sequence);
    if (c->state == TPC_IDLE)
        return;
    canon_position(out, c->position, stored);
    canon_u8(out, c->recovered);
    const bool *known = c->state == TPC_WAIT ? c->voted : c->acked;
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        canon_u8(out, known[canon_place(out, i)]);
}

static void canon_parts(struct canon *out, const struct tpc_member *self, uint64_t stored)
{
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        const struct tpc_participation *part = &self->parts[canon_place(out, i)];
        canon_u64(out, part->incarnation);
        canon_u64(out, part->sequence);
        canon_u8(out, (uint8_t)part->state);
        canon_u8(out, part->voted_commit);
        canon_record(out, part->state == TRANSACTION_READY ? part->ready_position : 0);
        canon_position(out, part->position, stored);
    }
    canon_node(out, self->busy == TPC_NOBODY ? 0 : self->spec->members[self->busy]);
    canon_u8(out, self->asking);
    if (self->asking)
        canon_bundle(out, buffer_span(&self->asked_bundle));
    canon_u64(out, self->ask_tag);
    canon_u8(out, self->decision_requests > 0);
}

/* What a restart delivers again. */
static void canon_history(struct canon *out, const struct tpc_member *self)
{
    canon_u64(out, self->index);
    canon_u64(out, self->history_count);
    for (uint32_t i = 0; i < self->history_count; i++)
        canon_record(out, self->history[i].position);
    canon_u8(out, self->checkpointing);
}

void tpc_canonical(const void *state, struct canon *out)
{
    const struct tpc_member *self = state;
    /* Before START everything that was restored is on disk. */
    uint64_t stored = self->started ? self->stored : UINT64_MAX;
    canon_u8(out, self->started);
    canon_u8(out, self->inert);
    canon_u8(out, self->room);
    canon_u64(out, self->incarnation);
    canon_position(out, self->last_position, stored);
    canon_queue(out, self);
    canon_coordinator(out, self, stored);
    canon_parts(out, self, stored);
    canon_history(out, self);
    canon_u8(out, self->broken != NULL);
}
