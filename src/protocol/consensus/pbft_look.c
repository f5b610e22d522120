/* PBFT: looks, the read-only optimisation (Castro99, section 4.4; Castro02, section 5.1.3), without tentative execution.
 *
 * A client asks all members, and believes 2k+1 equal answers. A member answers a look once it has executed all that was
 * prepared here when the look came, in whatever view.
 *
 * Why that is linearizable. An update that was acknowledged to its client (k+1 equal answers) is committed at a correct
 * member, so 2k+1 members prepared it, k+1 correct ones among them. Any 2k+1 answers to a look that was sent later
 * contain that of one of these k+1; it executed the update before it answered, and all 2k+1 answers are equal. A look
 * that follows another sees no less for the same reason: what the first saw was committed.
 *
 * What prepared above the last number that a NEW-VIEW decided was committed nowhere (PBFT-2) and so acknowledged to
 * nobody: looks do not wait for it any more. A look that waits for ever costs its client a place in the order. */
#include "protocol/consensus/pbft_internal.h"

void pbft_look(struct pbft *self, const struct event_request *request, struct effects *out)
{
    if (request->count == 0)
        return;
    /* One who forgot does not know what it prepared. */
    if (self->forgot || self->look_count == PBFT_LOOKS_MAX) {
        pbft_reject(out, "dropped: a look for which there is no room, or no knowledge", request->origin);
        return;
    }
    /* Of what lies below the low water mark a member whose disk was damaged may not know what it prepared. */
    uint64_t until = self->prepared_top > self->stable.number ? self->prepared_top : self->stable.number;
    until = pbft_ablated(self, PBFT_ABLATION_LOOK_AT_ONCE) ? 0 : until;
    self->looks[self->look_count++] = (struct pbft_look){until, request->first_number, request->count};
}

void pbft_looks_deliver(struct pbft *self, const struct event *event, struct effects *out)
{
    if (self->adopt_pending)
        return;
    int64_t time_ns = event->wall_ns > self->time_ns ? event->wall_ns : self->time_ns;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->look_count; i++) {
        const struct pbft_look look = self->looks[i];
        if (look.until <= self->executed)
            effect_deliver_looks(out, self->index, time_ns, look.first_number, look.count);
        else
            self->looks[kept++] = look;
    }
    self->look_count = kept;
}

void pbft_looks_bound(struct pbft *self, uint64_t end)
{
    self->prepared_top = self->prepared_top < end ? self->prepared_top : end;
    for (uint32_t i = 0; i < self->look_count; i++)
        self->looks[i].until = self->looks[i].until < end ? self->looks[i].until : end;
}
