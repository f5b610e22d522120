/* Two generals (two_generals.h). */
#include "protocol/consensus/two_generals.h"

#include "base/number.h"
#include "base/panic.h"
#include "contract/command.h"
#include "contract/text.h"

#define LETTER_FIELDS(FIELD, S)                                                                                        \
    FIELD(S, U64, plan) FIELD(S, U32, number) FIELD(S, U32, bound) FIELD(S, U32, copy) FIELD(S, U32, copies)
MESSAGE_STRUCT(tg_letter, LETTER_FIELDS)
static const struct field letter_fields[] = {MESSAGE_FIELDS(tg_letter, LETTER_FIELDS)};
static const struct message_type message_types[TG_MESSAGES] = {
    [TG_LETTER] = MESSAGE_TYPE("LETTER", tg_letter, letter_fields),
};
static const struct message_table messages = {.types = message_types, .count = TG_MESSAGES};

struct member {
    const struct group_spec *spec;
    uint32_t place;
    uint64_t incarnation, made; /* plans since the start */
    struct two_generals_plan proposed, heard;
    bool asking; /* a client waits for dawn */
    uint64_t asked_number, highest_number;
    int64_t now_ns;
};

static uint32_t neighbour(const struct member *self, uint32_t step)
{
    uint32_t n = self->spec->member_count;
    return self->spec->members[(self->place + step) % n];
}

/* Number of the last message that the proposer, or its partner, is to receive. */
static uint32_t last_for(uint32_t bound, bool proposer)
{
    bool even = bound % 2 == 0;
    return bound == 0 || even == proposer ? bound : bound - 1;
}

static void send_letter(const struct two_generals_plan *plan, uint32_t number, uint32_t to,
                        struct effects *out)
{
    if (number > plan->bound)
        return;
    for (uint32_t copy = 0; copy < plan->copies; copy++) {
        const struct tg_letter letter = {
            .plan = plan->number, .number = number, .bound = plan->bound, .copy = copy, .copies = plan->copies};
        effect_send_one(out, &messages, 0, TG_LETTER, &letter, to);
    }
}

static void attack(struct two_generals_plan *plan, struct effects *out)
{
    plan->attacks = true;
    effect_note(out, "attacks", plan->bound);
}

/* A message came: the first copy counts. */
static void on_letter(struct two_generals_plan *plan, bool proposer, uint32_t number, uint32_t from,
                      struct effects *out)
{
    if (number <= plan->received || number > plan->bound || (number % 2 == 0) != proposer)
        return;
    plan->received = number;
    if (number == last_for(plan->bound, proposer))
        attack(plan, out);
    send_letter(plan, number + 1, from, out);
}

static void on_message(struct member *self, const struct event_message *message, struct effects *out)
{
    const struct tg_letter *letter = message->body;
    uint32_t from = message->from.node, n = self->spec->member_count;
    if (message->slot != 0 || message->type != TG_LETTER || n < 2 || letter->bound > TWO_GENERALS_MESSAGES_MAX ||
        letter->copies > TWO_GENERALS_COPIES_MAX)
        return;
    if (letter->number % 2 == 0) {
        if (from == neighbour(self, 1) && letter->plan == self->proposed.number && !self->proposed.dawned)
            on_letter(&self->proposed, true, letter->number, from, out);
        return;
    }
    if (from != neighbour(self, n - 1) || letter->plan < self->heard.number)
        return;
    if (letter->plan > self->heard.number)
        self->heard = (struct two_generals_plan){
            .number = letter->plan, .bound = letter->bound, .copies = letter->copies};
    on_letter(&self->heard, false, letter->number, from, out);
}

/* ---- requests ---- */

static bool number_of(struct span *rest, uint64_t most, uint32_t *out)
{
    struct span argument;
    int64_t number;
    if (!argument_next(rest, &argument))
        return false;
    if (argument.size == 1 && argument.data[0] < ' ')
        number = argument.data[0] + 1;
    else if (!number_parse_i64(argument, &number))
        return false;
    *out = (uint32_t)number;
    return number >= 0 && (uint64_t)number <= most;
}

static const char *propose(struct member *self, const struct command *command, uint64_t number, struct effects *out)
{
    struct two_generals_plan plan = {.copies = 1};
    struct span rest = command->arguments;
    if (self->spec->member_count < 2)
        return "ERR there must be two generals";
    if (!number_of(&rest, TWO_GENERALS_MESSAGES_MAX, &plan.bound))
        return "ERR the bound on messages is an integer from 0 to 64";
    if (rest.size > 0 && (!number_of(&rest, TWO_GENERALS_COPIES_MAX, &plan.copies) || plan.copies == 0))
        return "ERR the copies of each message are an integer from 1 to 16";
    if (self->asking)
        return "BUSY a plan of this general waits for dawn already";
    plan.number = self->incarnation << 32 | ++self->made;
    self->proposed = plan;
    self->asking = true;
    self->asked_number = number;
    effect_arm(out, 0, TWO_GENERALS_TIMER, 0,
               self->now_ns + (TWO_GENERALS_DAWN + (int64_t)plan.bound) * self->spec->tuning.heartbeat_ns);
    if (plan.bound == 1)
        attack(&self->proposed, out); /* there is nothing to wait for */
    send_letter(&self->proposed, 1, neighbour(self, 1), out);
    return NULL;
}

/* The first command of a bundle is a plan; the others find one that waits. */
static void on_update(struct member *self, const struct event_request *request, struct effects *out)
{
    uint64_t number = request->first_number, end = number + request->count;
    struct bundle bundle = {0};
    struct command command;
    const char *why_not = NULL;
    if (!bundle_open(request->bytes, &bundle) || bundle.level > COMMAND_LEVEL)
        why_not = "ERR malformed bundle";
    struct span rest = bundle.commands;
    for (; why_not == NULL && command_next(&rest, &command); number++) {
        if (number > self->highest_number)
            why_not = propose(self, &command, number, out);
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

static void on_request(struct member *self, const struct event_request *request, int64_t wall_ns, struct effects *out)
{
    switch (request->kind) {
    case REQUEST_UPDATE:
        on_update(self, request, out);
        break;
    case REQUEST_READ:
        effect_deliver_reads(out, 0, wall_ns, request->first_number, request->count);
        break;
    case REQUEST_COUNT:
        effect_reply(out, REPLY_COUNT, false, request->first_number, request->count, (struct span){0});
        break;
    case REQUEST_CALL:
        break;
    }
}

static void on_dawn(struct member *self, struct effects *out)
{
    if (!self->asking)
        return;
    self->asking = false;
    self->proposed.dawned = true;
    effect_note(out, "dawn", self->proposed.attacks);
    effect_reply(out, REPLY_ANSWER, false, self->asked_number, 1,
                 span_string(self->proposed.attacks ? "+attack\r\n" : "+stay\r\n"));
}

/* ---- events ---- */

static void step(void *state, const struct event *event, struct effects *out)
{
    struct member *self = state;
    self->now_ns = event->now_ns;
    switch (event->kind) {
    case EVENT_START:
        self->incarnation = event->start.incarnation;
        effect_view(out, event->start.incarnation, self->spec->self); /* every general takes plans */
        break;
    case EVENT_MESSAGE:
        on_message(self, &event->message, out);
        break;
    case EVENT_REQUEST:
        on_request(self, &event->request, event->wall_ns, out);
        break;
    case EVENT_TIMEOUT:
        if (event->timeout.name == TWO_GENERALS_TIMER)
            on_dawn(self, out);
        break;
    case EVENT_RESTORE:
    case EVENT_STORED:
    case EVENT_RESULT:
    case EVENT_STATE:
    case EVENT_PEER:
    case EVENT_TURN:
        break;
    }
}

static const char *check_plan(const struct two_generals_plan *plan, bool proposer)
{
    if (plan->received > plan->bound)
        return "TG-2 more messages than the plan allows";
    uint32_t last = last_for(plan->bound, proposer);
    if (plan->attacks && (plan->bound == 0 || plan->received != last))
        return "TG-3 attacks without the last message that it waits for";
    return NULL;
}

static const char *check(void *state)
{
    const struct member *self = state;
    const char *wrong = check_plan(&self->proposed, true);
    return wrong != NULL ? wrong : check_plan(&self->heard, false);
}

/* ---- the table ---- */

static size_t heap_bytes(const struct group_spec *spec)
{
    (void)spec;
    return HEAP_REGION_SIZE_MIN + 2 * sizeof(struct member) + 1024;
}

static uint32_t effects_max(const struct group_spec *spec)
{
    (void)spec;
    return TWO_GENERALS_COPIES_MAX + 8;
}

static size_t scratch_max(const struct group_spec *spec)
{
    return (size_t)effects_max(spec) * EFFECT_SCRATCH_SIZE_MAX;
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct member *self = heap_alloc_zero(heap, sizeof *self);
    int place = spec_member_place(spec, spec->self);
    (void)seed; /* nothing is drawn */
    invariant(self != NULL, "heap_size() counts what create() needs");
    self->spec = spec;
    self->place = place < 0 ? 0 : (uint32_t)place;
    return self;
}

static void status(const void *state, struct member_status *out)
{
    const struct member *self = state;
    *out = (struct member_status){.role = self->asking ? "waits" : "idle",
                                  .term = self->made,
                                  .orderer = self->spec->self,
                                  .voter = true};
}

static bool progress(const void *state, uint32_t place, struct member_progress *out)
{
    (void)state;
    (void)place;
    (void)out;
    return false;
}

static void print_plan(const char *name, const struct two_generals_plan *plan, struct text *out)
{
    text_add(out, name);
    text_add(out, "=");
    text_add(out, plan->number == 0 ? "none" : plan->attacks ? "attack" : plan->dawned ? "stay" : "undecided");
    text_add(out, " ");
    text_add(out, name);
    text_add(out, "-received=");
    text_add_u64(out, plan->received);
    text_add(out, "/");
    text_add_u64(out, plan->bound);
}

static void print(const void *state, struct text *out)
{
    const struct member *self = state;
    print_plan("own", &self->proposed, out);
    text_add(out, " ");
    print_plan("other", &self->heard, out);
}

static void canon_plan(struct canon *out, const struct two_generals_plan *plan)
{
    canon_u64(out, plan->number);
    canon_u64(out, (uint64_t)plan->bound << 32 | plan->copies);
    canon_u64(out, plan->received);
    canon_u8(out, (uint8_t)(plan->attacks | plan->dawned << 1));
}

/* Everything that it decides by, but time. */
static void canonical(const void *state, struct canon *out)
{
    const struct member *self = state;
    canon_u64(out, self->incarnation);
    canon_u64(out, self->made);
    canon_plan(out, &self->proposed);
    canon_plan(out, &self->heard);
    canon_u8(out, self->asking);
    canon_u64(out, self->asking ? self->asked_number : 0);
    canon_u64(out, self->highest_number);
}

void two_generals_proposed(const void *self, struct two_generals_plan *out)
{
    *out = ((const struct member *)self)->proposed;
}

void two_generals_heard(const void *self, struct two_generals_plan *out)
{
    *out = ((const struct member *)self)->heard;
}

static const char *const ablations[] = {NULL};

const struct protocol two_generals_protocol = {
    .name = "two-generals",
    .question = "consensus",
    .summary = "Two attack together or not at all, if no message is lost; if one may be, no protocol can promise that.",
    .order = ORDER_NONE,
    .atomic = false,
    .durable = false,
    .masks = MASKS_NOTHING,
    .members_for_k = MEMBERS_ANY,
    .maturity = MATURITY_LAB,
    .messages = {.types = message_types, .count = TG_MESSAGES},
    .ablations = ablations,
    .heap_size = heap_bytes,
    .effects_max = effects_max,
    .scratch_max = scratch_max,
    .create = create,
    .step = step,
    .check = check,
    .status = status,
    .progress = progress,
    .print = print,
    .canonical = canonical,
};
