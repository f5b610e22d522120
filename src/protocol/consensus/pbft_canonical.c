/* A PBFT member's canonical state (contract/canon.h): everything that it decides by.
 *
 * The members are not interchangeable: which of them is the primary follows from the view and their places. So the own
 * place is written as it is, and lists go by place; that keeps every member where it is.
 *
 * Left out, and why. Times: the explorer lets at least an election timeout pass between two events of a member, so a
 * STATUS is always answered, and every timer that runs out is due; the agreed time follows from the wall clock, which
 * stands still there. How often views were changed: it lengthens patience, which is time. Scratch. Nonces, which nobody
 * draws without an amnesia. Where an empty place for a request is looked for first. Ordinals of arrival: the requests
 * are written in their order. Incarnations of sessions: digests tell them apart. */
#include "protocol/consensus/pbft_internal.h"

static void canon_digest(struct canon *out, const uint64_t digest[4])
{
    canon_bytes(out, digest, 4 * sizeof *digest);
}

static void canon_value(struct canon *out, const struct pbft_value *value)
{
    canon_digest(out, value->digest);
    canon_u64(out, (uint64_t)value->time);
}

static void canon_say(struct canon *out, const struct pbft_say *say)
{
    canon_u64(out, say->view);
    canon_value(out, &say->value);
}

static void canon_mark(struct canon *out, const struct pbft_mark *mark)
{
    canon_u64(out, mark->number);
    canon_u64(out, mark->index);
    canon_u64(out, mark->seal.size);
    canon_digest(out, mark->seal.digest);
}

static void canon_slot(struct canon *out, const struct pbft *self, const struct pbft_slot *slot)
{
    canon_say(out, &slot->offer);
    canon_u8(out, slot->offer_vouched);
    canon_say(out, &slot->accepted);
    canon_position(out, slot->accepted_position, self->stored_position);
    canon_say(out, &slot->prepared);
    canon_position(out, slot->prepared_position, self->stored_position);
    canon_u8(out, slot->committed);
    canon_value(out, &slot->committed_value);
    canon_u64(out, slot->accept_count);
    for (uint32_t i = 0; i < slot->accept_count; i++)
        canon_say(out, &slot->accepts[i]);
    for (uint32_t i = 0; i < self->member_count; i++) {
        const struct pbft_saying *says = &slot->says[i];
        canon_say(out, &says->prepare);
        canon_say(out, &says->commit);
        canon_u8(out, says->told);
        canon_value(out, &says->told_value);
    }
}

static void canon_known(struct canon *out, const struct pbft *self)
{
    for (const struct pbft_known *at = pbft_known_first(self); at != NULL; at = pbft_known_next(self, at)) {
        canon_u8(out, 1);
        canon_digest(out, at->digest);
        canon_u64(out, at->origin);
        canon_u64(out, at->first_number);
        canon_u64(out, at->count);
        canon_u64(out, at->first_incomplete);
        canon_u8(out, at->barrier);
        canon_u8(out, at->parked);
        canon_u8(out, at->executed);
        canon_u64(out, at->waited);
        canon_u8(out, at->backed);
        canon_u8(out, at->pressing);
        canon_u8(out, at->shared);
        canon_u8(out, at->arrival <= self->arrivals_before);
        canon_u8(out, at->arrival <= self->told_arrival);
        canon_u8(out, at->arrival == self->awaited);
        canon_u64(out, at->proposed);
        canon_u64(out, at->checkpoints);
        canon_position(out, at->position, self->stored_position);
    }
    canon_u8(out, 0);
    for (uint32_t i = 0; i < self->client_count; i++) {
        const struct pbft_client *client = &self->clients[i];
        canon_u64(out, client->node);
        canon_u64(out, client->last);
        canon_u64(out, client->executed);
        canon_u64(out, client->first_incomplete);
        canon_u64(out, client->barrier);
    }
}

static void canon_peer(struct canon *out, const struct pbft *self, const struct pbft_peer *peer)
{
    canon_u64(out, peer->change.view);
    canon_digest(out, peer->change.digest); /* stands for the body */
    for (uint32_t i = 0; i < self->member_count; i++) {
        canon_u64(out, peer->acks[i].view);
        canon_digest(out, peer->acks[i].digest);
    }
    for (uint32_t i = 0; i < PBFT_CHECKPOINT_CLAIMS; i++)
        canon_mark(out, &peer->claims[i]);
    uint64_t first = peer->has_next > PBFT_HAS_MAX ? peer->has_next - PBFT_HAS_MAX : 0;
    canon_u64(out, peer->has_next - first);
    for (uint64_t i = first; i < peer->has_next; i++)
        canon_digest(out, peer->has[i % PBFT_HAS_MAX].words);
    canon_u8(out, peer->answer.heard);
    canon_u64(out, peer->answer.view);
    canon_u64(out, peer->answer.number);
    canon_u64(out, peer->view);
    canon_u64(out, peer->waits % PBFT_ACK_RESENDS);
    canon_u64(out, peer->executed);
    canon_u64(out, peer->stands);
}

static void canon_view(struct canon *out, const struct pbft *self)
{
    uint64_t digest[4];
    canon_u64(out, self->view);
    canon_u8(out, self->active);
    canon_u8(out, self->forgot);
    canon_u64(out, self->recovery_bound);
    canon_u64(out, self->vote_from);
    canon_u64(out, self->next);
    canon_u64(out, (self->awaited & PBFT_AWAITS_NUMBER) != 0 ? self->awaited : self->awaited != 0);
    canon_u8(out, self->deadline_ns != INT64_MAX);
    canon_u64(out, self->relays_skipped < PBFT_STAND_RESENDS ? self->relays_skipped : PBFT_STAND_RESENDS);
    canon_u64(out, self->stood);
    pbft_digest(span_of(self->change_body, self->change_size), digest);
    canon_digest(out, digest);
    pbft_digest(span_of(self->new_view, self->new_view_size), digest);
    canon_digest(out, digest);
    canon_u64(out, self->new_view_of);
}

static void canon_checkpoints(struct canon *out, const struct pbft *self)
{
    canon_mark(out, &self->stable);
    canon_u64(out, self->mark_count);
    for (uint32_t i = 0; i < self->mark_count; i++)
        canon_mark(out, &self->marks[i]);
    canon_u8(out, self->checkpoint_pending);
    canon_u8(out, self->checkpoint_failed);
    canon_u64(out, self->pending_number);
    canon_u8(out, self->adopt_pending);
    canon_mark(out, &self->adopt_mark);
    canon_u8(out, self->executed == self->executed_at_status);
}

static void canon_ranges(struct canon *out, const struct pbft_ranges *ranges)
{
    canon_u64(out, ranges->count);
    for (uint32_t i = 0; i < ranges->count; i++) {
        canon_u64(out, ranges->list[i].first_number);
        canon_u64(out, ranges->list[i].count);
    }
}

static void canon_reads(struct canon *out, const struct pbft *self)
{
    canon_ranges(out, &self->gathered);
    canon_ranges(out, &self->flying);
    canon_u64(out, self->barrier);
    canon_u8(out, self->barrier_out);
    canon_u8(out, self->reads_ready);
    canon_u64(out, self->prepared_top);
    canon_u64(out, self->look_count);
    for (uint32_t i = 0; i < self->look_count; i++) {
        canon_u64(out, self->looks[i].until);
        canon_u64(out, self->looks[i].first_number);
        canon_u64(out, self->looks[i].count);
    }
}

void pbft_canonical(const void *member, struct canon *out)
{
    const struct pbft *self = member;
    bool new = !self->started && self->state_position == 0;
    canon_u64(out, new ? 0 : self->self_place + 1); /* nothing tells a new member from another */
    canon_view(out, self);
    canon_u64(out, self->executed);
    canon_u64(out, self->index);
    canon_position(out, self->last_position, self->stored_position);
    canon_position(out, self->state_position, self->stored_position);
    canon_u8(out, self->disk_full);
    canon_checkpoints(out, self);
    for (uint64_t n = self->stable.number + 1; n <= self->stable.number + self->window; n++) {
        const struct pbft_slot *slot = pbft_slot_known(self, n);
        canon_u8(out, slot != NULL);
        if (slot != NULL)
            canon_slot(out, self, slot);
    }
    canon_known(out, self);
    for (uint32_t i = 0; i < self->member_count; i++)
        canon_peer(out, self, &self->peers[i]);
    canon_reads(out, self);
}
