/* Single-decree Paxos: events, requests, learning (synod.h). */
#include "protocol/consensus/synod.h"

#include "base/number.h"
#include "base/panic.h"
#include "contract/command.h"
#include "contract/text.h"
#include "protocol/consensus/synod_internal.h"

enum { ASKED_DOUBLING = 3, ANSWER_SIZE = NUMBER_INTEGER_SIZE_MAX + 4 };

static const struct field round_fields[] = {MESSAGE_FIELDS(synod_round, SYNOD_ROUND_FIELDS)};
static const struct field promise_fields[] = {MESSAGE_FIELDS(synod_promise, SYNOD_PROMISE_FIELDS)};
static const struct field accept_fields[] = {MESSAGE_FIELDS(synod_accept, SYNOD_ACCEPT_FIELDS)};
static const struct field nack_fields[] = {MESSAGE_FIELDS(synod_nack, SYNOD_NACK_FIELDS)};
static const struct field decided_fields[] = {MESSAGE_FIELDS(synod_decided, SYNOD_DECIDED_FIELDS)};
static const struct field ask_fields[] = {MESSAGE_FIELDS(synod_ask, SYNOD_ASK_FIELDS)};
static const struct field state_fields[] = {MESSAGE_FIELDS(synod_state, SYNOD_STATE_FIELDS)};

static const struct message_type message_types[SYNOD_MESSAGES] = {
    [SYNOD_PREPARE] = MESSAGE_TYPE("PREPARE", synod_round, round_fields),
    [SYNOD_PROMISE] = MESSAGE_TYPE("PROMISE", synod_promise, promise_fields),
    [SYNOD_ACCEPT] = MESSAGE_TYPE("ACCEPT", synod_accept, accept_fields),
    [SYNOD_ACCEPTED] = MESSAGE_TYPE("ACCEPTED", synod_round, round_fields),
    [SYNOD_NACK] = MESSAGE_TYPE("NACK", synod_nack, nack_fields),
    [SYNOD_DECIDED] = MESSAGE_TYPE("DECIDED", synod_decided, decided_fields),
    [SYNOD_ASK] = MESSAGE_TYPE("ASK", synod_ask, ask_fields),
};
static const struct message_type record_types[SYNOD_RECORDS] = {
    [SYNOD_STATE] = MESSAGE_TYPE("STATE", synod_state, state_fields),
};
const struct message_table synod_messages = {.types = message_types, .count = SYNOD_MESSAGES};
const struct message_table synod_records = {.types = record_types, .count = SYNOD_RECORDS};

int64_t synod_drawn(struct synod *self, int64_t bound_ns, uint32_t doublings)
{
    return 1 + (int64_t)random_below(&self->random, (uint64_t)bound_ns << doublings);
}

/* ---- learning ---- */

static void answer(struct synod *self, uint64_t number, struct effects *out)
{
    char bytes[ANSWER_SIZE];
    struct text text = text_begin(bytes, sizeof bytes);
    text_add(&text, ":");
    text_add_u64(&text, self->decision);
    text_add(&text, "\r\n");
    effect_reply(out, REPLY_ANSWER, false, number, 1, effects_copy(out, bytes, text.length));
}

void synod_learn(struct synod *self, uint64_t value, struct effects *out)
{
    if (self->decided) {
        self->contradicted = self->contradicted || value != self->decision;
        return;
    }
    self->decided = true;
    self->decision = value;
    self->amnesiac = false; /* from now on it says nothing but this, for which it needs no promises */
    self->phase = SYNOD_IDLE;
    synod_store(self, out);
    effect_disarm(out, 0, SYNOD_TIMER_RETRY, 0);
    effect_disarm(out, 0, SYNOD_TIMER_ASK, 0);
    self->asking = false;
    effect_note(out, "decided", value);
    for (uint32_t i = 0; i < self->queue_count; i++)
        answer(self, self->queue[i].number, out);
    self->queue_count = 0;
}

void synod_ask_later(struct synod *self, struct effects *out)
{
    int64_t least_ns = self->spec->tuning.election_timeout_ns;
    uint32_t doublings = self->asked < ASKED_DOUBLING ? self->asked : ASKED_DOUBLING;
    if (self->decided || self->asking)
        return;
    self->asking = true;
    effect_arm(out, 0, SYNOD_TIMER_ASK, 0, self->now_ns + least_ns + synod_drawn(self, least_ns, doublings));
}

static void on_ask_timer(struct synod *self, struct effects *out)
{
    const struct synod_ask ask = {.amnesiac = self->amnesiac};
    self->asking = false;
    if (self->decided)
        return;
    self->asked++;
    if (self->others_count > 0)
        effect_send(out, &synod_messages, 0, SYNOD_ASK, &ask, self->others, self->others_count);
    synod_ask_later(self, out);
}

/* ---- requests ---- */

static bool value_of(const struct command *command, uint64_t *out)
{
    struct span rest = command->arguments, argument;
    int64_t number;
    if (!argument_next(&rest, &argument))
        return false;
    if (argument.size == 1 && argument.data[0] < ' ')
        number = argument.data[0];
    else if (!number_parse_i64(argument, &number))
        return false;
    *out = (uint64_t)number;
    return number >= 0;
}

/* NULL, or why it certainly is not, and will not be, proposed. */
static const char *take(struct synod *self, const struct command *command, uint64_t number, struct effects *out)
{
    uint64_t value;
    if (!value_of(command, &value))
        return "ERR a proposal is an integer that is not negative";
    if (self->decided)
        answer(self, number, out);
    else if (self->queue_count == SYNOD_QUEUE_MAX)
        return "BUSY 64 proposals wait at this member already";
    else
        self->queue[self->queue_count++] = (struct synod_request){.number = number, .value = value};
    return NULL;
}

static const char *cannot_propose(const struct synod *self)
{
    if (self->too_large)
        return "ERR the group has more members than this protocol takes (64)";
    if (self->amnesiac)
        return "UNAVAILABLE this member has lost its disk and cannot propose; ask another one";
    return NULL;
}

/* Numbers that were handed in before wait, or were answered: a refusal would be untrue. Commands that cannot wait are
 * refused as one run at the end. */
static void on_update(struct synod *self, const struct event_request *request, struct effects *out)
{
    uint64_t number = request->first_number, end = number + request->count;
    uint32_t answers_left = SYNOD_QUEUE_MAX;
    struct bundle bundle = {0};
    const char *why_not = cannot_propose(self);
    if (why_not == NULL && (!bundle_open(request->bytes, &bundle) || bundle.level > COMMAND_LEVEL))
        why_not = "ERR malformed bundle";
    struct span rest = bundle.commands;
    struct command command;
    for (; why_not == NULL && command_next(&rest, &command); number++) {
        if (number <= self->highest_number)
            continue;
        why_not = answers_left-- == 0 ? "BUSY more than 64 proposals at once" : take(self, &command, number, out);
        if (why_not != NULL)
            break;
    }
    if (number <= self->highest_number)
        number = self->highest_number + 1;
    if (why_not != NULL && number < end)
        effect_reply(out, REPLY_REFUSED, false, number, (uint32_t)(end - number), span_string(why_not));
    if (end > self->highest_number + 1)
        self->highest_number = end - 1;
}

static void on_request(struct synod *self, const struct event_request *request, int64_t wall_ns, struct effects *out)
{
    switch (request->kind) {
    case REQUEST_UPDATE:
        on_update(self, request, out);
        break;
    case REQUEST_READ: /* of what nobody changes */
        effect_deliver_reads(out, 0, wall_ns, request->first_number, request->count);
        break;
    case REQUEST_COUNT: /* nothing is ever delivered */
        effect_reply(out, REPLY_COUNT, false, request->first_number, request->count, (struct span){0});
        break;
    case REQUEST_CALL:
        break;
    }
}

/* ---- messages ---- */

static bool is_sound(const struct event_message *message)
{
    const struct synod_round *round = message->body; /* most begin with it */
    const struct synod_promise *promise = message->body;
    const struct synod_nack *nack = message->body;
    switch ((enum synod_message)message->type) {
    case SYNOD_DECIDED:
        return ((const struct synod_decided *)message->body)->value <= INT64_MAX;
    case SYNOD_ASK:
        return true;
    case SYNOD_PROMISE:
        return promise->accepted < SYNOD_ROUND_MAX && promise->value <= INT64_MAX;
    case SYNOD_NACK:
        return nack->promised < SYNOD_ROUND_MAX;
    case SYNOD_ACCEPT:
        return round->round > 0 && round->round < SYNOD_ROUND_MAX &&
               ((const struct synod_accept *)message->body)->value <= INT64_MAX;
    case SYNOD_PREPARE:
    case SYNOD_ACCEPTED:
        return round->round > 0 && round->round < SYNOD_ROUND_MAX;
    case SYNOD_MESSAGES:
        break;
    }
    return false;
}

/* Once the decision is known it is the answer to whoever does not seem to know it. */
static void tell_decision(const struct synod *self, const struct event_message *message, struct effects *out)
{
    const struct synod_decided decided = {.value = self->decision};
    if (message->type == SYNOD_PREPARE || message->type == SYNOD_ACCEPT || message->type == SYNOD_ASK)
        effect_send_one(out, &synod_messages, 0, SYNOD_DECIDED, &decided, message->from.node);
}

static void on_message(struct synod *self, const struct event_message *message, struct effects *out)
{
    int from = spec_member_place(self->spec, message->from.node);
    if (from < 0 || (uint32_t)from == self->place || message->slot != 0 || !is_sound(message)) {
        self->malformed++;
        return;
    }
    if (message->type == SYNOD_DECIDED) {
        synod_learn(self, ((const struct synod_decided *)message->body)->value, out);
        return;
    }
    if (self->decided) {
        tell_decision(self, message, out);
        return;
    }
    if (self->amnesiac)
        return;
    switch ((enum synod_message)message->type) {
    case SYNOD_PREPARE:
        synod_on_prepare(self, message->from.node, message->body, out);
        break;
    case SYNOD_PROMISE:
        synod_on_promise(self, (uint32_t)from, message->body);
        break;
    case SYNOD_ACCEPT:
        synod_on_accept(self, message->from.node, message->body, out);
        break;
    case SYNOD_ACCEPTED:
        synod_on_accepted(self, (uint32_t)from, ((const struct synod_round *)message->body)->round);
        break;
    case SYNOD_NACK:
        synod_on_nack(self, message->body, out);
        break;
    case SYNOD_DECIDED:
    case SYNOD_ASK: /* nothing is known here either */
    case SYNOD_MESSAGES:
        break;
    }
}

/* ---- events ---- */

/* A member that has a past may have slept through the decision. */
static void on_start(struct synod *self, const struct event_start *start, struct effects *out)
{
    bool forgot = start->kind == START_AMNESIAC || self->damaged;
    self->started = true;
    own_disk_start(&self->disk, start->position);
    self->amnesiac = forgot && !self->decided && !synod_ablated(self, SYNOD_AMNESIAC_VOTES);
    if (self->amnesiac)
        effect_note(out, "its promises are lost: it waits for the decision", 0);
    if (start->kind != START_FIRST)
        synod_ask_later(self, out);
}

static void on_timeout(struct synod *self, const struct event_timeout *timeout, struct effects *out)
{
    if (timeout->slot == 0 && timeout->name == SYNOD_TIMER_RETRY)
        synod_on_retry(self, out);
    else if (timeout->slot == 0 && timeout->name == SYNOD_TIMER_ASK)
        on_ask_timer(self, out);
}

static void step(void *state, const struct event *event, struct effects *out)
{
    struct synod *self = state;
    self->now_ns = event->now_ns;
    switch (event->kind) {
    case EVENT_RESTORE:
        synod_on_restore(self, &event->restore);
        return;
    case EVENT_START:
        on_start(self, &event->start, out);
        break;
    case EVENT_STORED:
        (void)own_disk_stored(&self->disk, &event->stored, event->now_ns);
        break;
    case EVENT_STATE:
        synod_on_state(self, &event->state);
        break;
    case EVENT_MESSAGE:
        on_message(self, &event->message, out);
        break;
    case EVENT_REQUEST:
        on_request(self, &event->request, event->wall_ns, out);
        break;
    case EVENT_TIMEOUT:
        on_timeout(self, &event->timeout, out);
        break;
    case EVENT_RESULT:
    case EVENT_PEER:
    case EVENT_TURN:
        break;
    }
    synod_propose(self, out);
    synod_advance(self, out);
    synod_checkpoint_when_due(self, out);
}

/* ---- the table ---- */

static size_t heap_bytes(const struct group_spec *spec)
{
    (void)spec;
    return HEAP_REGION_SIZE_MIN + 2 * sizeof(struct synod) + 1024;
}

static uint32_t effects_max(const struct group_spec *spec)
{
    (void)spec;
    return SYNOD_QUEUE_MAX + 24;
}

static size_t scratch_max(const struct group_spec *spec)
{
    return effects_max(spec) * ((size_t)EFFECT_SCRATCH_SIZE_MAX + ANSWER_SIZE + 7) +
           2 * SYNOD_MEMBERS_MAX * sizeof(uint32_t);
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct synod *self = heap_alloc_zero(heap, sizeof *self);
    int place = spec_member_place(spec, spec->self);
    invariant(self != NULL, "heap_size() counts what create() needs");
    self->spec = spec;
    self->place = place < 0 ? 0 : (uint32_t)place;
    self->majority = spec->member_count / 2 + 1;
    self->too_large = spec->member_count > SYNOD_MEMBERS_MAX;
    random_seed(&self->random, seed);
    if (synod_ablated(self, SYNOD_QUORUM_TOO_SMALL) && self->majority > 1)
        self->majority--;
    for (uint32_t i = 0; i < spec->member_count && !self->too_large; i++)
        if (i != self->place)
            self->others[self->others_count++] = spec->members[i];
    return self;
}

static bool progress(const void *state, uint32_t place, struct member_progress *out)
{
    (void)state;
    (void)place;
    (void)out;
    return false;
}

static const char *const ablations[] = {
    [SYNOD_PROMISE_NOT_STORED] = "promise-not-stored",
    [SYNOD_ACCEPT_NOT_STORED] = "accept-not-stored",
    [SYNOD_PROMISE_FORGOTTEN_ON_RESTART] = "promise-forgotten-on-restart",
    [SYNOD_ACCEPT_BELOW_PROMISE] = "accept-below-promise",
    [SYNOD_CHOOSE_OWN_VALUE] = "choose-own-value",
    [SYNOD_CHOOSE_FIRST_SEEN] = "choose-first-seen",
    [SYNOD_QUORUM_TOO_SMALL] = "quorum-too-small",
    [SYNOD_AMNESIAC_VOTES] = "amnesiac-votes",
    [SYNOD_NO_BACK_OFF] = "no-back-off",
    NULL,
};

const struct protocol synod_protocol = {
    .name = "synod",
    .question = "consensus",
    .summary = "Single-decree Paxos: one value is decided, once; who crashed comes back, and two never disagree.",
    .order = ORDER_NONE,
    .atomic = false,
    .durable = true,
    .masks = MASKS_TIMING,
    .members_for_k = MEMBERS_2K_PLUS_1,
    .maturity = MATURITY_LAB,
    .messages = {.types = message_types, .count = SYNOD_MESSAGES},
    .records = {.types = record_types, .count = SYNOD_RECORDS},
    .ablations = ablations,
    .heap_size = heap_bytes,
    .effects_max = effects_max,
    .scratch_max = scratch_max,
    .create = create,
    .step = step,
    .check = synod_check,
    .status = synod_status,
    .progress = progress,
    .print = synod_print,
    .canonical = synod_canonical,
};
