/* The coordinator of two-phase commit. Forces (DC-2): START before VOTE_REQUEST; the decision with the list of
 * participants before the first GLOBAL_COMMIT or GLOBAL_ABORT (L2); END only after all acknowledgements (L4). */
#include "contract/text.h"
#include "protocol/commit/two_phase_commit_member.h"

static uint64_t store_listed(struct tpc_member *self, enum tpc_record type, struct effects *out)
{
    const struct tpc_listed record = {.node = self->spec->self,
                                      .incarnation = self->coordinator.incarnation,
                                      .sequence = self->coordinator.sequence,
                                      .time_ns = self->coordinator.time_ns,
                                      .participants = self->participants};
    return tpc_store(self, out, type, &record);
}

void tpc_queue_pop(struct tpc_member *self)
{
    struct tpc_request *request = self->queue_first;
    self->queue_first = request->next;
    if (self->queue_first == NULL)
        self->queue_last = NULL;
    self->queue_count--;
    self->queue_bytes -= request->size;
    heap_free(self->heap, request);
}

/* The client's request of the transaction under way; none when an earlier life began it. */
static struct tpc_request *own_request(struct tpc_member *self)
{
    return self->coordinator.recovered ? NULL : self->queue_first;
}

/* All requests that this member took before this one have ended by now, one after the other. Saying so in the bundle
 * keeps the session going when one of them was aborted: its number will never be delivered. */
static void raise_first_incomplete(struct tpc_request *request)
{
    struct bundle header = {0};
    bundle_header_read(request->bundle, &header);
    if (header.first_incomplete < request->number) {
        header.first_incomplete = request->number;
        bundle_header_write(request->bundle, &header);
    }
}

void tpc_coordinator_advance(struct tpc_member *self, struct effects *out)
{
    struct tpc_coordinator *c = &self->coordinator;
    if (!self->started || self->inert || !self->room || c->state != TPC_IDLE || self->queue_first == NULL)
        return;
    struct tpc_request *request = self->queue_first;
    raise_first_incomplete(request);
    c->state = TPC_WAIT;
    c->incarnation = self->incarnation;
    c->sequence++;
    c->recovered = false;
    c->time_ns = self->wall_ns > self->time_ns ? self->wall_ns : self->time_ns;
    c->voted_count = c->acked_count = 0;
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        c->voted[i] = c->acked[i] = false;
    c->position = store_listed(self, TPC_RECORD_START, out);
    const struct tpc_vote_request message = {.node = self->spec->self,
                                             .incarnation = c->incarnation,
                                             .sequence = c->sequence,
                                             .time_ns = c->time_ns,
                                             .bundle = span_of(request->bundle, request->size)};
    effect_send(out, &tpc_messages, 0, TPC_VOTE_REQUEST, &message, self->spec->members, self->spec->member_count)
        ->after = c->position;
    effect_arm(out, 0, TPC_TIMER_WAIT, c->sequence, self->now_ns + self->spec->tuning.election_timeout_ns);
    effect_note(out, "coordinator: INIT -> WAIT", c->sequence);
}

/* Tells those who have not acknowledged; again and again until all have. */
static void send_decision(struct tpc_member *self, struct effects *out)
{
    struct tpc_coordinator *c = &self->coordinator;
    const struct tpc_id id = tpc_own_id(self);
    const struct tpc_timed commit = {
        .node = id.node, .incarnation = id.incarnation, .sequence = id.sequence, .time_ns = c->time_ns};
    uint64_t after = tpc_ablated(self, TPC_SEND_BEFORE_DECISION_STORED) ? 0 : c->position;
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        if (c->acked[i])
            continue;
        uint32_t to = self->spec->members[i];
        if (c->state == TPC_COMMITTED)
            effect_send_one(out, &tpc_messages, 0, TPC_GLOBAL_COMMIT, &commit, to)->after = after;
        else
            effect_send_one(out, &tpc_messages, 0, TPC_GLOBAL_ABORT, &id, to)->after = after;
    }
    effect_arm(out, 0, TPC_TIMER_RESEND, c->sequence, self->now_ns + 4 * self->spec->tuning.heartbeat_ns);
}

static void refuse_client(struct tpc_member *self, const char *why, struct span detail, struct effects *out)
{
    const struct tpc_request *request = own_request(self);
    if (request == NULL)
        return;
    struct text text = text_begin(self->text, sizeof self->text);
    text_add(&text, "ABORTED transaction ");
    text_add_u64(&text, self->spec->self);
    text_add(&text, ".");
    text_add_u64(&text, self->coordinator.incarnation);
    text_add(&text, ".");
    text_add_u64(&text, self->coordinator.sequence);
    text_add(&text, ": ");
    text_add(&text, why);
    for (size_t i = 0; i < detail.size && i < TPC_REASON_MAX; i++) {
        char byte = (char)detail.data[i];
        text_add_bytes(&text, byte >= ' ' ? &byte : " ", 1); /* remote bytes: a line end would forge a reply */
    }
    effect_reply(out, REPLY_REFUSED, false, request->number, 1, span_of(text.out, text.length))->after =
        self->coordinator.position;
}

static void decide(struct tpc_member *self, bool commit, const char *why, struct span detail, struct effects *out)
{
    struct tpc_coordinator *c = &self->coordinator;
    c->state = commit ? TPC_COMMITTED : TPC_ABORTED;
    c->position = store_listed(self, commit ? TPC_RECORD_GLOBAL_COMMIT : TPC_RECORD_GLOBAL_ABORT, out);
    effect_disarm(out, 0, TPC_TIMER_WAIT, c->sequence);
    effect_note(out, commit ? "coordinator: WAIT -> COMMIT" : "coordinator: WAIT -> ABORT", c->sequence);
    if (!commit)
        refuse_client(self, why, detail, out);
    send_decision(self, out);
}

static bool is_own(const struct tpc_member *self, uint32_t node, uint64_t incarnation, uint64_t sequence)
{
    return node == self->spec->self && incarnation == self->coordinator.incarnation &&
           sequence == self->coordinator.sequence;
}

void tpc_on_vote_commit(struct tpc_member *self, int from, const struct tpc_timed *vote, struct effects *out)
{
    struct tpc_coordinator *c = &self->coordinator;
    if (!is_own(self, vote->node, vote->incarnation, vote->sequence) || c->state != TPC_WAIT || c->voted[from])
        return;
    c->voted[from] = true;
    c->voted_count++;
    if (vote->time_ns > c->time_ns)
        c->time_ns = vote->time_ns; /* so that agreed time falls at no participant */
    if (c->voted_count == self->spec->member_count)
        decide(self, true, "", (struct span){0}, out);
}

void tpc_on_vote_abort(struct tpc_member *self, const struct tpc_vote_abort *vote, struct effects *out)
{
    if (is_own(self, vote->node, vote->incarnation, vote->sequence) && self->coordinator.state == TPC_WAIT)
        decide(self, false, "a participant voted no: ", vote->reason, out);
}

void tpc_on_wait_timeout(struct tpc_member *self, uint64_t sequence, struct effects *out)
{
    if (self->coordinator.state == TPC_WAIT && self->coordinator.sequence == sequence)
        decide(self, false, "not all votes came in time", (struct span){0}, out);
}

void tpc_on_resend_timeout(struct tpc_member *self, uint64_t sequence, struct effects *out)
{
    struct tpc_coordinator *c = &self->coordinator;
    if ((c->state == TPC_COMMITTED || c->state == TPC_ABORTED) && c->sequence == sequence)
        send_decision(self, out);
}

void tpc_on_ack(struct tpc_member *self, int from, const struct tpc_id *ack, struct effects *out)
{
    struct tpc_coordinator *c = &self->coordinator;
    if (!is_own(self, ack->node, ack->incarnation, ack->sequence) || c->acked[from])
        return;
    if (c->state != TPC_COMMITTED && c->state != TPC_ABORTED)
        return;
    c->acked[from] = true;
    c->acked_count++;
    if (c->acked_count < self->spec->member_count && !tpc_ablated(self, TPC_FORGET_BEFORE_ALL_ACKS))
        return;
    if (own_request(self) != NULL)
        tpc_queue_pop(self);
    c->state = TPC_IDLE;
    const struct tpc_id id = tpc_own_id(self);
    tpc_store(self, out, TPC_RECORD_END, &id);
    effect_disarm(out, 0, TPC_TIMER_RESEND, c->sequence);
    effect_note(out, "coordinator: END", c->sequence);
}

bool tpc_coordinator_answer(struct tpc_member *self, uint32_t to, const struct tpc_id *id, struct effects *out)
{
    const struct tpc_coordinator *c = &self->coordinator;
    /* While votes are being collected there is nothing to say, and silence is not "abort" (L5). What has ended was
     * acknowledged by everybody, so nobody who is READY asks about it. */
    if (!is_own(self, id->node, id->incarnation, id->sequence) ||
        (c->state != TPC_COMMITTED && c->state != TPC_ABORTED))
        return false;
    const struct tpc_decision message = {.node = id->node,
                                         .incarnation = id->incarnation,
                                         .sequence = id->sequence,
                                         .state = c->state == TPC_COMMITTED ? TRANSACTION_COMMIT : TRANSACTION_ABORT,
                                         .time_ns = c->time_ns};
    effect_send_one(out, &tpc_messages, 0, TPC_DECISION, &message, to)->after = c->position;
    return true;
}

void tpc_coordinator_start(struct tpc_member *self, struct effects *out)
{
    switch (self->coordinator.state) {
    case TPC_IDLE:
        break;
    case TPC_WAIT: /* START without a decision: nobody can have been told commit (Correction 3) */
        decide(self, false, "", (struct span){0}, out);
        break;
    case TPC_COMMITTED:
    case TPC_ABORTED:
        send_decision(self, out);
        break;
    }
}
