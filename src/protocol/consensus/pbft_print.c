/* PBFT: a member's state for people, and its canonical state for the explorer (contract/canon.h).
 *
 * Left out of the canonical state: times (and so deadlines), counters of effort (view changes tried, arrivals, age of
 * requests), and scratch. Digests stand for requests, which the explorer makes. */
#include "contract/text.h"
#include "protocol/consensus/pbft_internal.h"

static void number(struct text *out, const char *name, uint64_t value)
{
    text_add(out, " ");
    text_add(out, name);
    text_add(out, "=");
    text_add_u64(out, value);
}

void pbft_print(const void *member, struct text *out)
{
    const struct pbft *self = member;
    uint32_t accepted = 0, prepared = 0, committed = 0;
    for (uint64_t n = self->executed + 1; n <= self->stable.number + self->window; n++) {
        const struct pbft_slot *slot = pbft_slot_known(self, n);
        accepted += slot != NULL && slot->accepted.view == self->view;
        prepared += slot != NULL && slot->prepared.view == self->view;
        committed += slot != NULL && slot->committed;
    }
    text_add(out, "role=");
    text_add(out, self->forgot ? "forgot" : !self->active ? "changing" : pbft_leads(self) ? "primary" : "backup");
    number(out, "view", self->view);
    number(out, "executed", self->executed);
    number(out, "index", self->index);
    number(out, "stable", self->stable.number);
    number(out, "next", self->next);
    number(out, "accepted", accepted);
    number(out, "prepared", prepared);
    number(out, "committed", committed);
    number(out, "written", self->last_position);
    number(out, "stored", self->stored_position);
    if (self->checkpoint_pending)
        text_add(out, " checkpoint=pending");
    if (self->adopt_pending)
        text_add(out, " adopts=yes");
    if (self->disk_full)
        text_add(out, " disk=full");
}

static void canon_digest(struct canon *out, const uint64_t digest[4])
{
    canon_bytes(out, digest, 4 * sizeof *digest);
}

static void canon_say(struct canon *out, const struct pbft_say *say)
{
    canon_u64(out, say->view);
    canon_digest(out, say->value.digest);
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
    canon_digest(out, slot->committed_value.digest);
    canon_u64(out, slot->accept_count);
    for (uint32_t i = 0; i < slot->accept_count; i++)
        canon_say(out, &slot->accepts[i]);
    for (uint32_t i = 0; i < self->member_count; i++) {
        const struct pbft_saying *says = &slot->says[canon_place(out, i)];
        canon_say(out, &says->prepare);
        canon_say(out, &says->commit);
        canon_u8(out, says->told);
        canon_digest(out, says->told_value.digest);
    }
}

static void canon_known(struct canon *out, const struct pbft *self)
{
    for (const struct pbft_known *at = pbft_known_first(self); at != NULL; at = pbft_known_next(self, at)) {
        canon_u8(out, 1);
        canon_digest(out, at->digest);
        canon_u8(out, at->parked);
        canon_u8(out, at->executed);
        canon_u8(out, at->waited);
        canon_u8(out, at->shared);
        canon_u64(out, at->proposed);
        canon_position(out, at->position, self->stored_position);
    }
    canon_u8(out, 0);
}

static void canon_peers(struct canon *out, const struct pbft *self)
{
    for (uint32_t i = 0; i < self->member_count; i++) {
        const struct pbft_peer *peer = &self->peers[canon_place(out, i)];
        canon_u64(out, peer->change.view);
        canon_digest(out, peer->change.digest);
        for (uint32_t j = 0; j < self->member_count; j++) {
            canon_u64(out, peer->acks[canon_place(out, j)].view);
            canon_digest(out, peer->acks[canon_place(out, j)].digest);
        }
        for (uint32_t j = 0; j < PBFT_CHECKPOINT_CLAIMS; j++) {
            canon_u64(out, peer->claims[j].number);
            canon_digest(out, peer->claims[j].seal.digest);
        }
        for (uint32_t j = 0; j < PBFT_HAS_MAX; j++)
            canon_digest(out, peer->has[j].words);
        const struct pbft_client *client = &self->clients[canon_place(out, i)];
        canon_u64(out, client->executed);
        canon_u64(out, client->first_incomplete);
        canon_u64(out, client->barrier);
    }
}

void pbft_canonical(const void *member, struct canon *out)
{
    const struct pbft *self = member;
    canon_u64(out, self->view);
    canon_u8(out, self->active);
    canon_u8(out, self->forgot);
    canon_u64(out, self->vote_from);
    canon_u64(out, self->recovery_bound);
    canon_u64(out, self->next);
    canon_u64(out, self->executed);
    canon_u64(out, self->index);
    canon_u64(out, self->stable.number);
    canon_u8(out, self->awaited != 0);
    canon_u8(out, self->deadline_ns != INT64_MAX);
    canon_position(out, self->last_position, self->stored_position);
    canon_u8(out, self->disk_full);
    canon_u8(out, self->checkpoint_pending);
    canon_u8(out, self->adopt_pending);
    for (uint64_t n = self->stable.number + 1; n <= self->stable.number + self->window; n++) {
        const struct pbft_slot *slot = pbft_slot_known(self, n);
        canon_u8(out, slot != NULL);
        if (slot != NULL)
            canon_slot(out, self, slot);
    }
    canon_known(out, self);
    canon_peers(out, self);
    canon_u64(out, self->gathered.count);
    canon_u64(out, self->flying.count);
    canon_u64(out, self->barrier);
    canon_u8(out, self->barrier_out);
    canon_u8(out, self->reads_ready);
    canon_u64(out, self->prepared_top);
    canon_u64(out, self->look_count);
}
