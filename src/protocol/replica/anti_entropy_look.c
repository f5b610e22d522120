/* Invariants of a member of an anti-entropy group, and how it looks to people and to the explorer. */
#include "contract/text.h"
#include "protocol/replica/anti_entropy_member.h"

const char *ae_check(void *state)
{
    struct ae_member *self = state;
    if (!self->started || self->inert)
        return NULL;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->delivered[i] > self->have[i])
            return "AE-1 more was delivered of an origin than is in the log";
        if (self->delivered[i] < self->seen[i])
            return "AE-1 what was delivered of an origin became less";
        self->seen[i] = self->delivered[i];
        sum += self->delivered[i];
    }
    if (sum != self->index)
        return "AE-1 the deliveries are not the updates of all origins, each once";
    if (ae_owes_delivery(self) && !self->again)
        return "CAP-AP something durable is not delivered: an answer waits for other members";
    if (self->phase == AE_WAITS && self->queue_first != NULL && !ae_owes_delivery(self))
        return "CAP-AP a request waits although nothing is before it";
    return NULL;
}

static void number(struct text *out, const char *name, uint64_t value)
{
    text_add(out, " ");
    text_add(out, name);
    text_add(out, "=");
    text_add_u64(out, value);
}

/* delivered=5 from1=3 from2=2 …: how many updates of each member are delivered here. */
void ae_print(const void *state, struct text *out)
{
    static const char *const phases[] = {"none", "asked", "stored"};
    const struct ae_member *self = state;
    text_add(out, "delivered=");
    text_add_u64(out, self->index);
    for (uint32_t i = 0; i < self->count; i++) {
        text_add(out, " from");
        text_add_u64(out, self->spec->members[i]);
        text_add(out, "=");
        text_add_u64(out, self->delivered[i]);
        if (self->have[i] > self->delivered[i]) {
            text_add(out, "+");
            text_add_u64(out, self->have[i] - self->delivered[i]);
        }
    }
    text_add(out, " request=");
    text_add(out, phases[self->phase]);
    number(out, "queued", self->queue_count);
    number(out, "kept", self->log_count);
    number(out, "own", self->own_kept);
    number(out, "written", self->last_position);
    number(out, "stored", self->stored);
    if (self->inert)
        text_add(out, " inert=yes");
}

/* Left out of the canonical state, and why: times, which decide nothing but what time the service is told; the generator,
 * which spreads timers; what counts towards the next checkpoint, which an exploration never takes. */
void ae_canonical(const void *state, struct canon *out)
{
    const struct ae_member *self = state;
    uint64_t stored = self->started ? self->stored : UINT64_MAX;
    canon_u8(out, self->started);
    canon_u8(out, self->inert);
    canon_u8(out, self->room);
    for (uint32_t i = 0; i < self->count; i++) {
        uint32_t place = canon_place(out, i);
        canon_u64(out, self->have[place]);
        canon_u64(out, self->delivered[place]);
        for (uint32_t j = 0; j < self->count; j++)
            canon_u64(out, ae_known(self, place)[canon_place(out, j)]);
    }
    canon_u64(out, self->log_count);
    canon_u64(out, self->done);
    for (uint32_t i = 0; i < self->log_count; i++) {
        canon_record(out, self->log[i].position);
        canon_position(out, self->log[i].position, stored);
    }
    canon_node(out, self->filler == 0 ? 0 : self->spec->members[self->filler - 1]);
    canon_u8(out, (uint8_t)self->phase);
    canon_u64(out, self->highest_number);
    canon_u64(out, self->queue_count);
    for (const struct ae_request *each = self->queue_first; each != NULL; each = each->next)
        canon_bundle(out, span_of(each->bundle, each->size));
    canon_u8(out, self->checkpointing);
}

void ae_status(const void *state, struct member_status *out)
{
    const struct ae_member *self = state;
    uint64_t have = 0;
    for (uint32_t i = 0; i < self->count; i++)
        have += self->have[i];
    *out = (struct member_status){.role = self->inert ? "inert" : "peer",
                                  .orderer = self->inert ? 0 : self->spec->self,
                                  .commit_index = self->index,
                                  .applied_index = self->index,
                                  .last_index = have,
                                  .voter = !self->inert};
}

/* What a member holds of all that this one has delivered, by its last word. */
bool ae_progress(const void *state, uint32_t place, struct member_progress *out)
{
    const struct ae_member *self = state;
    if (place + 1 >= self->count)
        return false;
    uint32_t other = place < self->place ? place : place + 1;
    *out = (struct member_progress){.node = self->spec->members[other]};
    for (uint32_t i = 0; i < self->count; i++) {
        uint64_t held = ae_known(self, other)[i];
        out->stored_index += held < self->delivered[i] ? held : self->delivered[i];
    }
    return true;
}

/* ---- accessors ---- */

uint64_t anti_entropy_delivered(const void *state, uint32_t node)
{
    const struct ae_member *self = state;
    int place = spec_member_place(self->spec, node);
    return place < 0 ? 0 : self->delivered[place];
}

bool anti_entropy_is_inert(const void *state)
{
    return ((const struct ae_member *)state)->inert;
}

uint32_t anti_entropy_logged(const void *state)
{
    return ((const struct ae_member *)state)->log_count;
}
