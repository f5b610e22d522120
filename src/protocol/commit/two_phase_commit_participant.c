/* The participant of two-phase commit, and cooperative termination. Forces: READY with the command before VOTE_COMMIT
 * (L1); the decision before ACK (L3); ABORT before any answer that lets others rely on it (DC-3, Correction 1). */
#include "protocol/commit/two_phase_commit_member.h"

static struct tpc_participation *part_of(struct tpc_member *self, uint32_t node, int *place)
{
    *place = spec_member_place(self->spec, node);
    return *place < 0 ? NULL : &self->parts[*place];
}

/* Takes up a transaction that was not known here. */
static void take_up(struct tpc_participation *part, uint64_t incarnation, uint64_t sequence)
{
    *part = (struct tpc_participation){
        .incarnation = incarnation, .sequence = sequence, .state = TRANSACTION_INIT};
}

static void leave_busy(struct tpc_member *self, int place)
{
    if (self->busy != place)
        return;
    self->busy = TPC_NOBODY;
    self->asking = false;
    self->decision_requests = 0;
}

/* INIT or READY becomes ABORT, durably: what the caller sends next waits for part->position. */
static void abort_here(struct tpc_member *self, int place, struct effects *out)
{
    struct tpc_participation *part = &self->parts[place];
    const struct tpc_id id = tpc_id_of(self, place);
    bool ready = part->state == TRANSACTION_READY;
    part->state = TRANSACTION_ABORT;
    part->position = tpc_store(self, out, TPC_RECORD_ABORT, &id);
    leave_busy(self, place);
    if (ready)
        effect_disarm(out, 0, TPC_TIMER_READY, id.sequence);
    effect_note(out, ready ? "READY -> ABORT" : "INIT -> ABORT", id.sequence);
}

static void send_vote_abort(struct tpc_member *self, int place, struct span reason, struct effects *out)
{
    const struct tpc_id id = tpc_id_of(self, place);
    if (reason.size > TPC_REASON_MAX)
        reason.size = TPC_REASON_MAX;
    const struct tpc_vote_abort vote = {
        .node = id.node, .incarnation = id.incarnation, .sequence = id.sequence, .reason = reason};
    effect_send_one(out, &tpc_messages, 0, TPC_VOTE_ABORT, &vote, id.node)->after = self->parts[place].position;
}

static void vote_abort(struct tpc_member *self, int place, struct span reason, struct effects *out)
{
    abort_here(self, place, out);
    send_vote_abort(self, place, reason, out);
}

/* Why this member cannot take part in another transaction now; NULL when it can. */
static const char *hindrance(const struct tpc_member *self, const struct tpc_vote_request *request)
{
    struct bundle bundle;
    if (!bundle_open(request->bundle, &bundle) || bundle.count != 1)
        return "the command is malformed";
    if (request->bundle.size > TWO_PHASE_COMMIT_BYTES_MAX || bundle.level > COMMAND_LEVEL)
        return "the command is too large or too new";
    if (self->busy != TPC_NOBODY)
        return "another transaction is prepared, try again";
    if (self->history_count == TPC_HISTORY_MAX)
        return "a checkpoint is due, try again";
    return NULL;
}

/* Asks the own service, by delivering the command as read, whether it can be done. */
static void ask_service(struct tpc_member *self, int place, const struct tpc_vote_request *request,
                        struct effects *out)
{
    buffer_clear(&self->asked_bundle);
    if (!buffer_append(&self->asked_bundle, request->bundle.data, request->bundle.size)) {
        vote_abort(self, place, span_string("out of memory"), out);
        return;
    }
    self->busy = place;
    self->asking = true;
    self->ask_tag++;
    struct tpc_participation *part = &self->parts[place];
    part->time_ns = request->time_ns > self->time_ns ? request->time_ns : self->time_ns;
    struct effect_deliver *deliver = effect_deliver_bytes(out, DELIVER_READ, self->index, part->time_ns,
                                                          buffer_span(&self->asked_bundle));
    deliver->result = true;
    deliver->tag = self->ask_tag;
}

static void send_vote_commit(struct tpc_member *self, int place, struct effects *out)
{
    const struct tpc_participation *part = &self->parts[place];
    const struct tpc_id id = tpc_id_of(self, place);
    const struct tpc_timed vote = {
        .node = id.node, .incarnation = id.incarnation, .sequence = id.sequence, .time_ns = part->time_ns};
    uint64_t after = tpc_ablated(self, TPC_VOTE_BEFORE_READY_STORED) ? 0 : part->position;
    effect_send_one(out, &tpc_messages, 0, TPC_VOTE_COMMIT, &vote, id.node)->after = after;
}

void tpc_on_vote_request(struct tpc_member *self, const struct tpc_vote_request *request, struct effects *out)
{
    int place;
    struct tpc_participation *part = part_of(self, request->node, &place);
    if (part == NULL || request->sequence < part->sequence)
        return; /* of a stranger, or ended long ago */
    if (request->sequence == part->sequence) { /* doubled, or this member moved to ABORT before it came */
        if (part->state == TRANSACTION_READY)
            send_vote_commit(self, place, out);
        else if (part->state == TRANSACTION_ABORT)
            send_vote_abort(self, place, span_string("it gave up before it was asked"), out);
        return;
    }
    if (self->busy == place)
        return; /* a coordinator does not begin another before this one ended */
    if (!self->room)
        return; /* even a no is a record; the coordinator aborts when no vote comes */
    take_up(part, request->incarnation, request->sequence);
    const char *why_not = hindrance(self, request);
    if (why_not != NULL)
        vote_abort(self, place, span_string(why_not), out);
    else
        ask_service(self, place, request, out);
}

static void arm_ready(struct tpc_member *self, uint64_t sequence, struct effects *out)
{
    /* Drawn anew each time, so that participants who wait together do not ask in step. */
    int64_t timeout_ns = self->spec->tuning.election_timeout_ns;
    effect_arm(out, 0, TPC_TIMER_READY, sequence,
               self->now_ns + timeout_ns + random_between(&self->random, 0, timeout_ns - 1));
}

void tpc_on_result(struct tpc_member *self, const struct event_result *result, struct effects *out)
{
    if (!self->asking || result->tag != self->ask_tag)
        return; /* the transaction was aborted meanwhile */
    self->asking = false;
    int place = self->busy;
    if (result->bytes.size == 0 || result->bytes.data[0] == '-') {
        struct span reason = result->bytes;
        if (reason.size > 3) /* without its type and line end */
            reason = span_of(reason.data + 1, reason.size - 3);
        vote_abort(self, place, reason, out);
        return;
    }
    struct tpc_participation *part = &self->parts[place];
    const struct tpc_vote_request ready = {.node = self->spec->members[place],
                                           .incarnation = part->incarnation,
                                           .sequence = part->sequence,
                                           .time_ns = part->time_ns,
                                           .bundle = buffer_span(&self->asked_bundle)};
    part->state = TRANSACTION_READY;
    part->voted_commit = true;
    part->position = part->ready_position = tpc_store(self, out, TPC_RECORD_READY, &ready);
    effect_note(out, "INIT -> READY", part->sequence);
    send_vote_commit(self, place, out);
    arm_ready(self, part->sequence, out);
}

static void commit_here(struct tpc_member *self, int place, int64_t time_ns, struct effects *out)
{
    struct tpc_participation *part = &self->parts[place];
    const struct tpc_timed record = {.node = self->spec->members[place],
                                     .incarnation = part->incarnation,
                                     .sequence = part->sequence,
                                     .time_ns = time_ns};
    part->state = TRANSACTION_COMMIT;
    part->time_ns = time_ns;
    part->position = tpc_store(self, out, TPC_RECORD_COMMIT, &record);
    leave_busy(self, place);
    effect_disarm(out, 0, TPC_TIMER_READY, part->sequence);
    effect_note(out, "READY -> COMMIT", part->sequence);
    self->index++;
    if (time_ns > self->time_ns)
        self->time_ns = time_ns;
    self->history[self->history_count++] =
        (struct tpc_commit){.position = part->ready_position, .time_ns = self->time_ns};
    effect_deliver_record(out, self->index, self->time_ns, part->ready_position);
}

static void acknowledge(const struct tpc_id *id, uint64_t after, struct effects *out)
{
    effect_send_one(out, &tpc_messages, 0, TPC_ACK, id, id->node)->after = after;
}

void tpc_on_decided(struct tpc_member *self, const struct tpc_id *id, bool commit, int64_t time_ns,
                    struct effects *out)
{
    int place;
    struct tpc_participation *part = part_of(self, id->node, &place);
    if (part == NULL)
        return;
    if (id->sequence < part->sequence) { /* decided by all; the coordinator missed the acknowledgement */
        acknowledge(id, 0, out);
        return;
    }
    if (id->sequence > part->sequence) {
        if (self->busy == place || !self->room)
            return; /* it is told again */
        take_up(part, id->incarnation, id->sequence);
    }
    switch (part->state) {
    case TRANSACTION_INIT:
        if (commit) { /* it has not promised this, and has nothing to deliver */
            self->broken = "AC-D a transaction commits that is not prepared here";
            return;
        }
        abort_here(self, place, out);
        break;
    case TRANSACTION_READY:
        if (commit)
            commit_here(self, place, time_ns, out);
        else
            abort_here(self, place, out);
        break;
    case TRANSACTION_COMMIT:
    case TRANSACTION_ABORT:
        if (commit != (part->state == TRANSACTION_COMMIT)) {
            self->broken = "AC1 this member has decided otherwise";
            return;
        }
        break;
    case TRANSACTION_FORGOTTEN: /* never a state that is kept */
        return;
    }
    acknowledge(id, part->position, out);
}

/* What Q says to P, who is READY (DC-3). False when it knows nothing that helps. */
static bool termination_answer(struct tpc_member *self, const struct tpc_id *id, struct tpc_decision *answer,
                               uint64_t *after, struct effects *out)
{
    int place;
    struct tpc_participation *part = part_of(self, id->node, &place);
    if (part == NULL || id->sequence < part->sequence)
        return false;
    bool unknown = id->sequence > part->sequence;
    if (unknown && (self->busy == place || !self->room))
        return false;
    if (unknown || part->state == TRANSACTION_INIT) {
        answer->state = TRANSACTION_ABORT;
        *after = 0;
        if (tpc_ablated(self, TPC_INIT_ANSWERS_ABORT_WITHOUT_MOVING))
            return true; /* the lectures' pseudocode */
        if (unknown)
            take_up(part, id->incarnation, id->sequence);
        abort_here(self, place, out);
    }
    answer->state = (uint8_t)part->state;
    answer->time_ns = part->time_ns;
    *after = part->position;
    return true;
}

void tpc_on_decision_request(struct tpc_member *self, uint32_t from, const struct tpc_id *id, struct effects *out)
{
    if (tpc_coordinator_answer(self, from, id, out))
        return;
    struct tpc_decision answer = {.node = id->node, .incarnation = id->incarnation, .sequence = id->sequence};
    uint64_t after = 0;
    if (from != self->spec->self && termination_answer(self, id, &answer, &after, out))
        effect_send_one(out, &tpc_messages, 0, TPC_DECISION, &answer, from)->after = after;
}

static void ask_others(struct tpc_member *self, int place, struct effects *out)
{
    const struct tpc_id id = tpc_id_of(self, place);
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        uint32_t to = self->spec->members[i];
        /* The own member is asked only when it coordinates: its decision may be there already. */
        bool coordinator = to == id.node;
        if ((to == self->spec->self && !coordinator) || (coordinator && tpc_ablated(self, TPC_ASK_PARTICIPANTS_ONLY)))
            continue;
        effect_send_one(out, &tpc_messages, 0, TPC_DECISION_REQUEST, &id, to);
    }
    self->decision_requests++;
    effect_note(out, "blocked: asks for the decision", id.sequence);
    arm_ready(self, id.sequence, out);
}

void tpc_on_ready_timeout(struct tpc_member *self, uint64_t sequence, struct effects *out)
{
    int place = self->busy;
    if (place == TPC_NOBODY || self->parts[place].state != TRANSACTION_READY ||
        self->parts[place].sequence != sequence)
        return;
    if (tpc_ablated(self, TPC_DECIDE_ALONE))
        abort_here(self, place, out);
    else
        ask_others(self, place, out);
}

void tpc_participant_start(struct tpc_member *self, struct effects *out)
{
    if (self->busy != TPC_NOBODY)
        ask_others(self, self->busy, out);
}
