/* Two-phase commit: events and requests of a member, and the protocol's table. The header describes the protocol. */
#include "protocol/commit/two_phase_commit.h"

#include "base/panic.h"
#include "protocol/commit/two_phase_commit_member.h"

enum {
    EFFECTS_MAX = TPC_HISTORY_MAX + 24, /* START delivers again what was committed since the checkpoint */
    LARGEST_SEND_ROUNDS = 2,            /* a step sends at most twice to every member */
};

uint64_t tpc_store(struct tpc_member *self, struct effects *out, enum tpc_record type, const void *body)
{
    self->last_position = effect_store(out, &tpc_records, 0, (uint16_t)type, body);
    return self->last_position;
}

/* ---- requests ---- */


/* A request of its own for one command of a bundle; NULL when the heap is full. */
static struct tpc_request *request_of(struct tpc_member *self, const struct bundle *bundle, uint64_t number,
                                      const struct command *command)
{
    size_t size = BUNDLE_HEADER_SIZE + command->whole.size;
    struct tpc_request *request = heap_alloc(self->heap, sizeof *request + size);
    if (request == NULL)
        return NULL;
    *request = (struct tpc_request){.number = number, .size = size};
    struct bundle header = *bundle;
    header.count = 1;
    header.first_number = number;
    bundle_header_write(request->bundle, &header);
    memcpy(request->bundle + BUNDLE_HEADER_SIZE, command->whole.data, command->whole.size);
    return request;
}

static const char *enqueue(struct tpc_member *self, const struct bundle *bundle, uint64_t number,
                           const struct command *command)
{
    if (command->whole.size > TWO_PHASE_COMMIT_BYTES_MAX - BUNDLE_HEADER_SIZE)
        return "TOOLARGE the command is larger than a transaction may be";
    if (self->queue_count == TWO_PHASE_COMMIT_QUEUE_MAX || !self->room ||
        self->queue_bytes + command->whole.size > TPC_QUEUE_BYTES)
        return "BUSY too many transactions wait at this member";
    struct tpc_request *request = request_of(self, bundle, number, command);
    if (request == NULL)
        return "BUSY out of memory";
    if (self->queue_last != NULL)
        self->queue_last->next = request;
    else
        self->queue_first = request;
    self->queue_last = request;
    self->queue_count++;
    self->queue_bytes += request->size;
    return NULL;
}

/* A host that is not answered for a while hands the same numbers in again. They are queued or under way here, or were
 * answered: taking one twice, or refusing what is queued, would break "a refusal means: certainly never". */
static bool handed_in_before(const struct tpc_member *self, uint64_t number)
{
    return number <= self->highest_number;
}

/* Each command of the bundle is a transaction: two that can each be done need not be possible together. Commands that
 * cannot wait are refused as one run at the end, so that the order sent is kept. */
static void on_update(struct tpc_member *self, const struct event_request *request, struct effects *out)
{
    uint64_t number = request->first_number, end = number + request->count;
    struct bundle bundle;
    const char *why_not = self->inert ? "UNAVAILABLE this member has lost its disk and takes no part" : NULL;
    if (why_not == NULL && (!bundle_open(request->bytes, &bundle) || bundle.level > COMMAND_LEVEL))
        why_not = "ERR malformed bundle";
    struct span rest = why_not == NULL ? bundle.commands : (struct span){0};
    struct command command;
    for (; command_next(&rest, &command); number++) {
        if (handed_in_before(self, number))
            continue;
        why_not = enqueue(self, &bundle, number, &command);
        if (why_not != NULL)
            break;
    }
    if (why_not != NULL && handed_in_before(self, number))
        number = self->highest_number + 1;
    if (why_not != NULL && number < end)
        effect_reply(out, REPLY_REFUSED, false, number, (uint32_t)(end - number), span_string(why_not));
    if (end > self->highest_number + 1)
        self->highest_number = end - 1;
}

static void on_request(struct tpc_member *self, const struct event_request *request, struct effects *out)
{
    switch (request->kind) {
    case REQUEST_UPDATE:
        on_update(self, request, out);
        break;
    case REQUEST_READ:
        effect_deliver_reads(out, self->index, self->wall_ns > self->time_ns ? self->wall_ns : self->time_ns,
                             request->first_number, request->count);
        break;
    case REQUEST_COUNT: /* what was delivered anywhere had been stored by all as READY */
        effect_reply(out, REPLY_COUNT, false, request->first_number, request->count, (struct span){0})->count_stored =
            self->spec->member_count;
        break;
    case REQUEST_CALL: /* members' services do not talk under this protocol */
        break;
    }
}

/* ---- messages ---- */

/* What only the coordinator may say of its transaction. */
static bool from_coordinator(uint16_t type)
{
    return type == TPC_VOTE_REQUEST || type == TPC_GLOBAL_COMMIT || type == TPC_GLOBAL_ABORT;
}

static void on_decision(struct tpc_member *self, const struct tpc_decision *answer, struct effects *out)
{
    const struct tpc_id id = {
        .node = answer->node, .incarnation = answer->incarnation, .sequence = answer->sequence};
    int place = spec_member_place(self->spec, id.node);
    if (place < 0 || self->parts[place].sequence != id.sequence || self->parts[place].state != TRANSACTION_READY)
        return; /* decided meanwhile */
    if (answer->state == TRANSACTION_COMMIT || answer->state == TRANSACTION_ABORT)
        tpc_on_decided(self, &id, answer->state == TRANSACTION_COMMIT, answer->time_ns, out);
}

static void on_message(struct tpc_member *self, const struct event_message *message, struct effects *out)
{
    int from = spec_member_place(self->spec, message->from.node);
    if (from < 0 || message->slot != 0 || message->type >= TPC_MESSAGES)
        return;
    /* Every message begins with the same fields. */
    const struct tpc_id *id = message->body;
    if (from_coordinator(message->type) && id->node != message->from.node)
        return;
    switch ((enum tpc_message)message->type) {
    case TPC_VOTE_REQUEST:
        tpc_on_vote_request(self, message->body, out);
        break;
    case TPC_VOTE_COMMIT:
        tpc_on_vote_commit(self, from, message->body, out);
        break;
    case TPC_VOTE_ABORT:
        tpc_on_vote_abort(self, message->body, out);
        break;
    case TPC_GLOBAL_COMMIT: {
        const struct tpc_timed *commit = message->body;
        tpc_on_decided(self, &(struct tpc_id){commit->node, commit->incarnation, commit->sequence}, true,
                       commit->time_ns, out);
        break;
    }
    case TPC_GLOBAL_ABORT:
        tpc_on_decided(self, id, false, 0, out);
        break;
    case TPC_ACK:
        tpc_on_ack(self, from, id, out);
        break;
    case TPC_DECISION_REQUEST:
        tpc_on_decision_request(self, message->from.node, id, out);
        break;
    case TPC_DECISION:
        on_decision(self, message->body, out);
        break;
    case TPC_MESSAGES:
        break;
    }
}

/* ---- the rest ---- */

/* Delivers again, in order, what was committed after the checkpoint that the service came back with. */
static void deliver_history(struct tpc_member *self, struct effects *out)
{
    for (uint32_t i = 0; i < self->history_count; i++) {
        self->index++;
        effect_deliver_record(out, self->index, self->history[i].time_ns, self->history[i].position);
    }
}

static void on_start(struct tpc_member *self, const struct event_start *start, struct effects *out)
{
    self->started = true;
    self->incarnation = start->incarnation;
    self->last_position = self->stored = start->position;
    if (start->kind == START_AMNESIAC)
        self->inert = true;
    if (self->inert) {
        effect_note(out, "inert: promises were lost", 0);
        return;
    }
    effect_view(out, start->incarnation, self->spec->self); /* everybody coordinates what is asked of it */
    deliver_history(self, out);
    tpc_coordinator_start(self, out);
    tpc_participant_start(self, out);
}

static void on_timeout(struct tpc_member *self, const struct event_timeout *timeout, struct effects *out)
{
    switch ((enum tpc_timer)timeout->name) {
    case TPC_TIMER_WAIT:
        tpc_on_wait_timeout(self, timeout->key, out);
        break;
    case TPC_TIMER_READY:
        tpc_on_ready_timeout(self, timeout->key, out);
        break;
    case TPC_TIMER_RESEND:
        tpc_on_resend_timeout(self, timeout->key, out);
        break;
    }
}

static void step(void *state, const struct event *event, struct effects *out)
{
    struct tpc_member *self = state;
    self->now_ns = event->now_ns;
    self->wall_ns = event->wall_ns;
    switch (event->kind) {
    case EVENT_RESTORE:
        tpc_on_restore(self, &event->restore);
        break;
    case EVENT_START:
        on_start(self, &event->start, out);
        break;
    case EVENT_STORED:
        self->stored = event->stored.position;
        self->room = event->stored.room_bytes > 0;
        break;
    case EVENT_RESULT:
        tpc_on_result(self, &event->result, out);
        break;
    case EVENT_STATE:
        tpc_on_state(self, &event->state);
        break;
    case EVENT_PEER:
        break; /* a hint that nobody needs: timers decide */
    case EVENT_MESSAGE:
        if (!self->inert)
            on_message(self, &event->message, out);
        break;
    case EVENT_REQUEST:
        on_request(self, &event->request, out);
        break;
    case EVENT_TIMEOUT:
        if (!self->inert)
            on_timeout(self, &event->timeout, out);
        break;
    case EVENT_TURN:
        break;
    }
    tpc_coordinator_advance(self, out);
    tpc_checkpoint_when_due(self, out);
}

static size_t member_bytes(const struct group_spec *spec)
{
    return (size_t)spec->member_count * (2 * sizeof(struct tpc_participation) + 2 * sizeof(bool) + 4);
}

static size_t heap_bytes(const struct group_spec *spec)
{
    /* The queue and the bundle that is asked about may each be fragmented to twice their size. */
    return HEAP_REGION_SIZE_MIN + sizeof(struct tpc_member) + 2 * member_bytes(spec) + 2 * tpc_part_size(spec) +
           2 * TPC_QUEUE_BYTES + 4 * TWO_PHASE_COMMIT_BYTES_MAX + ((size_t)64 << 10);
}

static uint32_t effects_max(const struct group_spec *spec)
{
    return EFFECTS_MAX + LARGEST_SEND_ROUNDS * spec->member_count;
}

static size_t scratch_max(const struct group_spec *spec)
{
    return (size_t)effects_max(spec) * EFFECT_SCRATCH_SIZE_MAX;
}

static void *allocate(struct heap *heap, size_t size)
{
    void *block = heap_alloc_zero(heap, size);
    invariant(block != NULL, "heap_size() counts what create() needs");
    return block;
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct tpc_member *self = allocate(heap, sizeof *self);
    uint32_t count = spec->member_count;
    self->heap = heap;
    self->spec = spec;
    random_seed(&self->random, seed);
    self->room = true;
    self->busy = TPC_NOBODY;
    self->parts = allocate(heap, count * sizeof *self->parts);
    self->shadow.parts = allocate(heap, count * sizeof *self->shadow.parts);
    self->coordinator.voted = allocate(heap, count * sizeof(bool));
    self->coordinator.acked = allocate(heap, count * sizeof(bool));
    self->part = allocate(heap, tpc_part_size(spec));
    buffer_init(&self->asked_bundle, heap);
    uint8_t *list = allocate(heap, (size_t)count * 4);
    for (uint32_t i = 0; i < count; i++)
        store_u32(list + (size_t)i * 4, spec->members[i]);
    self->participants = span_of(list, (size_t)count * 4);
    return self;
}

static void status(const void *state, struct member_status *out)
{
    const struct tpc_member *self = state;
    const char *role = "idle";
    if (self->inert)
        role = "inert";
    else if (self->coordinator.state != TPC_IDLE)
        role = "coordinator";
    else if (self->busy != TPC_NOBODY)
        role = two_phase_commit_blocked(self) ? "blocked" : "participant";
    *out = (struct member_status){.role = role,
                                  .term = self->incarnation,
                                  .orderer = self->inert ? 0 : self->spec->self,
                                  .commit_index = self->index,
                                  .applied_index = self->index,
                                  .last_index = self->index,
                                  .voter = !self->inert};
}

static bool progress(const void *state, uint32_t place, struct member_progress *out)
{
    (void)state;
    (void)place;
    (void)out;
    return false; /* a coordinator knows of others only whether they have voted */
}

static const char *const ablations[] = {
    [TPC_VOTE_BEFORE_READY_STORED] = "vote-before-ready-stored",
    [TPC_INIT_ANSWERS_ABORT_WITHOUT_MOVING] = "init-answers-abort-without-moving",
    [TPC_DECIDE_ALONE] = "decide-alone",
    [TPC_SEND_BEFORE_DECISION_STORED] = "send-before-decision-stored",
    [TPC_FORGET_BEFORE_ALL_ACKS] = "forget-before-all-acks",
    [TPC_ASK_PARTICIPANTS_ONLY] = "ask-participants-only",
    NULL,
};

const struct protocol two_phase_commit_protocol = {
    .name = "two-phase-commit",
    .question = "commit",
    .summary = "All members deliver a command or none does; one that is down, or undecided, makes the others wait.",
    .order = ORDER_TOTAL,
    .atomic = true,
    .durable = true,
    .masks = MASKS_NOTHING,
    .members_for_k = MEMBERS_ANY,
    .maturity = MATURITY_LAB,
    .messages = {.types = tpc_message_types, .count = TPC_MESSAGES},
    .records = {.types = tpc_record_types, .count = TPC_RECORDS},
    .ablations = ablations,
    .heap_size = heap_bytes,
    .effects_max = effects_max,
    .scratch_max = scratch_max,
    .create = create,
    .step = step,
    .check = tpc_check,
    .status = status,
    .progress = progress,
    .print = tpc_print,
    .canonical = tpc_canonical,
};
