/* PBFT: requests and reads as they come in.
 *
 * A request comes from its origin itself, so its proof is the origin's: from a member's node as REQUEST, from a client
 * that is no member through node/, which has checked its proof (EVENT_REQUEST with an origin; the client sends it to all
 * members, and hears from each of them through node/). Or it comes as the answer to a FETCH, when its digest was
 * vouched for by at least one correct member.
 *
 * Reads of the own node: a barrier, an empty request, is ordered like any other; when it is executed here, the reads
 * that came before it was sent see everything that was answered before (linearizable). Reads of clients are looks
 * (pbft_look.c). */
#include "protocol/consensus/pbft_internal.h"

/* ---- own clients ---- */

static void again(bool read, uint64_t first_number, uint32_t count, struct effects *out)
{
    effect_reply(out, REPLY_AGAIN, read, first_number, count, (struct span){0});
}

/* It was sent to all members: nothing is sent on, and node/ answers what it executes. */
static void on_foreign_update(struct pbft *self, const struct event_request *request, struct effects *out)
{
    if (spec_member_place(self->spec, request->origin) >= 0)
        pbft_reject(out, "rejected: a client's request in the name of a member", request->origin);
    else if (!self->disk_full && pbft_known_add(self, request->origin, request->bytes, 0, false, out) != NULL)
        pbft_window_advance(self, out);
}

static void on_update(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct event_request *request = &event->request;
    if (request->count == 0)
        return;
    if (request->origin != 0) {
        on_foreign_update(self, request, out);
        return;
    }
    /* REPLY_AGAIN only for what was not taken: the request leaves this member for all, or not at all. */
    if (self->disk_full || pbft_known_add(self, self->self_node, request->bytes, 0, false, out) == NULL) {
        again(false, request->first_number, request->count, out);
        return;
    }
    const struct pbft_bundle message = {.bundle = request->bytes};
    pbft_to_others(self, PBFT_REQUEST, &message, out);
}

static bool ranges_add(struct pbft_ranges *ranges, uint64_t first_number, uint32_t count)
{
    if (ranges->count == PBFT_READ_RANGES_MAX)
        return false;
    ranges->list[ranges->count++] = (struct pbft_range){first_number, count};
    return true;
}

void pbft_on_client(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct event_request *request = &event->request;
    switch (request->kind) {
    case REQUEST_UPDATE:
        on_update(self, event, out);
        return;
    case REQUEST_READ:
        if (request->origin != 0)
            pbft_look(self, request, out);
        else if (request->count > 0 && !ranges_add(&self->gathered, request->first_number, request->count))
            again(true, request->first_number, request->count, out);
        return;
    case REQUEST_COUNT:
        /* What is executed is prepared, on disk, at a quorum. */
        effect_reply(out, REPLY_COUNT, false, request->first_number, 1, (struct span){0})->count_stored =
            request->index <= self->index ? self->quorum : 0;
        return;
    case REQUEST_CALL:
        pbft_reject(out, "rejected: PBFT carries no calls between members", request->to.node);
        return;
    }
}

static void send_barrier(struct pbft *self, struct effects *out)
{
    const struct span bytes = span_of(self->barrier_bytes, BUNDLE_HEADER_SIZE);
    const struct pbft_bundle message = {.bundle = bytes};
    self->barrier_at_ns = self->now_ns + self->spec->tuning.election_timeout_ns;
    if (self->disk_full || pbft_known_add(self, self->self_node, bytes, 0, false, out) == NULL)
        return;
    pbft_to_others(self, PBFT_REQUEST, &message, out);
}

void pbft_reads(struct pbft *self, const struct event *event, struct effects *out)
{
    if (self->reads_ready) {
        int64_t time_ns = event->wall_ns > self->time_ns ? event->wall_ns : self->time_ns;
        for (uint32_t i = 0; i < self->flying.count; i++)
            effect_deliver_reads(out, self->index, time_ns, self->flying.list[i].first_number,
                                 self->flying.list[i].count);
        self->flying.count = 0;
        self->reads_ready = self->barrier_out = false;
    }
    if (self->barrier_out && self->now_ns >= self->barrier_at_ns)
        send_barrier(self, out);
    if (self->barrier_out || (self->gathered.count == 0 && !self->forgot))
        return;
    self->flying = self->gathered;
    self->gathered.count = 0;
    self->barrier_out = true;
    const struct bundle header = {.node = self->self_node,
                                  .incarnation = self->incarnation,
                                  .first_number = ++self->barrier,
                                  .level = COMMAND_LEVEL};
    bundle_header_write(self->barrier_bytes, &header);
    send_barrier(self, out);
}

/* ---- messages ---- */

void pbft_on_request(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_bundle *message = event->message.body;
    bool unproven = pbft_ablated(self, PBFT_ABLATION_REQUEST_UNPROVEN);
    if (!self->disk_full &&
        pbft_known_add(self, event->message.from.node, message->bundle, 0, unproven, out) != NULL)
        pbft_window_advance(self, out);
}

void pbft_fetch(struct pbft *self, const uint64_t digest[4], struct effects *out)
{
    const struct pbft_fetch fetch = {digest[0], digest[1], digest[2], digest[3]};
    pbft_to_others(self, PBFT_FETCH, &fetch, out);
}

void pbft_on_fetch(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_fetch *fetch = event->message.body;
    const uint64_t digest[4] = {fetch->digest0, fetch->digest1, fetch->digest2, fetch->digest3};
    const struct pbft_known *known = pbft_known_find(self, digest);
    if (known == NULL)
        return;
    const struct pbft_body none = {0};
    struct effect_send *send = effect_send_one(out, &pbft_messages, PBFT_SLOT, PBFT_BODY, &none,
                                               event->message.from.node);
    send->records_first = send->records_last = known->position;
}

/* Somebody correct vouches for it: k+1 said the same, or a view change or k+1 COMMITTEDs chose it. */
static bool wanted(const struct pbft *self, const struct pbft_slot *slot, const uint64_t digest[4])
{
    if (slot->committed && memcmp(slot->committed_value.digest, digest, 4 * sizeof *digest) == 0)
        return true;
    if (slot->offer.view == 0 || memcmp(slot->offer.value.digest, digest, 4 * sizeof *digest) != 0)
        return false;
    uint32_t count = 1; /* the primary, who offered it */
    for (uint32_t i = 0; i < self->member_count; i++)
        count += i != pbft_primary_place(self, slot->offer.view) && i != self->self_place &&
                 slot->says[i].prepare.view == slot->offer.view &&
                 pbft_value_equal(&slot->says[i].prepare.value, &slot->offer.value);
    return slot->offer_vouched || count >= self->k + 1;
}

void pbft_on_body(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_body *message = event->message.body;
    struct span rest = message->records;
    struct record_view record;
    struct pbft_record_request request;
    if (!record_next(&rest, &record) || record.type != PBFT_RECORD_REQUEST || self->disk_full ||
        !message_decode(&pbft_records.types[PBFT_RECORD_REQUEST], record.body, &request))
        return;
    struct bundle bundle;
    if (!pbft_request_open(self, request.bundle, &bundle))
        return;
    if (bundle.node == event->message.from.node) {
        /* As good as a REQUEST: its origin says so itself. It is taken even if all of it was executed before, in
         * another bundle: it has got a number, which must be filled. */
        if (pbft_known_add(self, bundle.node, request.bundle, 0, true, out) != NULL)
            pbft_window_advance(self, out);
        return;
    }
    uint64_t digest[4];
    pbft_digest(request.bundle, digest);
    bool good = pbft_relay_vouched(self, digest);
    for (uint64_t i = 0; i < self->window && !good; i++)
        good = self->slots[i].number > self->stable.number && wanted(self, &self->slots[i], digest);
    if (good && pbft_known_add(self, request.origin, request.bundle, 0, true, out) != NULL)
        pbft_window_advance(self, out);
}
