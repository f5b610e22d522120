/* Synchronous rounds (rounds.h). */
#include "protocol/consensus/rounds.h"

#include "base/number.h"
#include "base/panic.h"
#include "contract/command.h"

/* ---- letters ---- */

static void letters_clear(struct rounds *rounds, struct rounds_letter *letters)
{
    for (uint32_t i = 0; i < rounds_members(rounds); i++)
        letters[i].present = false;
}

static void letters_swap(struct rounds *rounds)
{
    struct rounds_letter *letters = rounds->heard;
    rounds->heard = rounds->early;
    rounds->early = letters;
}

static void letter_keep(struct rounds *rounds, struct rounds_letter *letter, struct span bytes)
{
    if (letter->present) {
        rounds->doubled++; /* the first one counts: a second one is the network's, or a lie */
        return;
    }
    letter->present = true;
    letter->size = (uint32_t)bytes.size;
    if (bytes.size > 0)
        memcpy(letter->bytes, bytes.data, bytes.size);
}

static bool any_present(const struct rounds *rounds, const struct rounds_letter *letters)
{
    for (uint32_t i = 0; i < rounds_members(rounds); i++)
        if (letters[i].present)
            return true;
    return false;
}

/* ---- instances ---- */

static void arm(int64_t at_ns, struct effects *out)
{
    effect_arm(out, 0, ROUNDS_TIMER, 0, at_ns);
}

static void begin(struct rounds *rounds, struct effects *out)
{
    rounds->state = ROUNDS_RUNNING;
    rounds->instance++;
    rounds->round = 1;
    rounds->begun_ns = rounds->now_ns;
    rounds->answering = rounds->queue_count > 0;
    rounds->own = rounds->answering ? cell_of(rounds->queue[rounds->queue_first].value) : (struct cell){0};
    letters_clear(rounds, rounds->heard);
    letters_swap(rounds); /* what made this member join */
    rounds->rules->begin(rounds->self);
    rounds->rules->send(rounds->self, 1, out);
    arm(rounds->now_ns + rounds->length_ns, out);
}

static void begin_when_due(struct rounds *rounds, struct effects *out)
{
    bool joins = rounds->state == ROUNDS_IDLE || rounds->state == ROUNDS_READY;
    if ((rounds->state == ROUNDS_IDLE && rounds->queue_count > 0) || (joins && any_present(rounds, rounds->early)))
        begin(rounds, out);
}

static void rest(struct rounds *rounds, struct effects *out)
{
    rounds->state = ROUNDS_RESTING;
    letters_clear(rounds, rounds->heard);
    letters_clear(rounds, rounds->early);
    arm(rounds->now_ns + rounds->length_ns, out);
}

static bool all_heard(const struct rounds *rounds)
{
    for (uint32_t i = 0; i < rounds_members(rounds); i++)
        if (i != rounds->place && !rounds->heard[i].present)
            return false;
    return true;
}

static void end_round(struct rounds *rounds, struct effects *out)
{
    if (rounds->wait_for_all && !all_heard(rounds)) {
        arm(rounds->now_ns + rounds->length_ns, out);
        return;
    }
    for (uint32_t i = 0; i < rounds_members(rounds); i++) {
        const struct rounds_letter *letter = &rounds->heard[i];
        if (letter->present && i != rounds->place)
            rounds->rules->receive(rounds->self, rounds->round, i, span_of(letter->bytes, letter->size));
    }
    rounds->rules->end(rounds->self, rounds->round, out);
    if (rounds->round == rounds->last) {
        rest(rounds, out);
        return;
    }
    letters_clear(rounds, rounds->heard);
    letters_swap(rounds);
    rounds->round++;
    rounds->rules->send(rounds->self, rounds->round, out);
    arm(rounds->begun_ns + rounds->round * rounds->length_ns, out);
}

static void on_timeout(struct rounds *rounds, const struct event_timeout *timeout, struct effects *out)
{
    if (timeout->slot != 0 || timeout->name != ROUNDS_TIMER)
        return;
    switch (rounds->state) {
    case ROUNDS_RUNNING:
        end_round(rounds, out);
        return;
    case ROUNDS_OUT:
        return;
    case ROUNDS_STARTING:
        rounds->state = ROUNDS_READY;
        arm(rounds->now_ns + ROUNDS_START * rounds->length_ns, out);
        break;
    case ROUNDS_READY:
    case ROUNDS_IDLE:
    case ROUNDS_RESTING:
        rounds->state = ROUNDS_IDLE;
        break;
    }
    begin_when_due(rounds, out);
}

/* Which letters a message of that instance and round belongs to; NULL: none, and it is counted why. */
static struct rounds_letter *letters_for(struct rounds *rounds, uint64_t instance, uint32_t round)
{
    bool running = rounds->state == ROUNDS_RUNNING;
    if (running && instance == rounds->instance && round == rounds->round)
        return rounds->heard;
    if (running && instance == rounds->instance && round == rounds->round + 1)
        return rounds->early;
    if (!running && instance == rounds->instance + 1 && round == 1)
        return rounds->early;
    if (instance < rounds->instance || (instance == rounds->instance && (!running || round < rounds->round)))
        rounds->late++;
    else
        rounds->ahead++;
    return NULL;
}

void rounds_message(struct rounds *rounds, uint32_t from_node, uint64_t instance, uint32_t round, struct span bytes,
                    struct effects *out)
{
    int from = spec_member_place(rounds->spec, from_node);
    if (from < 0 || (uint32_t)from == rounds->place || rounds->state == ROUNDS_OUT)
        return;
    if (bytes.size > rounds->bytes_max) {
        rounds->malformed++;
        return;
    }
    struct rounds_letter *letters = letters_for(rounds, instance, round);
    if (letters == NULL)
        return;
    letter_keep(rounds, &letters[from], bytes);
    begin_when_due(rounds, out);
}

/* ---- requests ---- */

static bool value_of(const struct command *command, uint64_t *out)
{
    struct span rest = command->arguments, argument;
    int64_t number;
    if (!argument_next(&rest, &argument))
        return false;
    if (number_parse_i64(argument, &number) && number >= 0) {
        *out = (uint64_t)number;
        return true;
    }
    *out = argument.size == 1 ? argument.data[0] : 0;
    return argument.size == 1 && argument.data[0] < ' ';
}

static const char *enqueue(struct rounds *rounds, uint64_t number, const struct command *command)
{
    uint64_t value;
    if (!value_of(command, &value))
        return "ERR a proposal is an integer that is not negative";
    if (rounds->queue_count == ROUNDS_QUEUE_MAX)
        return "BUSY 64 proposals wait at this member already";
    uint32_t at = (rounds->queue_first + rounds->queue_count++) % ROUNDS_QUEUE_MAX;
    rounds->queue[at] = (struct rounds_request){.number = number, .value = value};
    return NULL;
}

/* Numbers that were handed in before are queued, or answered: a refusal would be untrue. Commands that cannot wait are
 * refused as one run at the end. */
static void on_update(struct rounds *rounds, const struct event_request *request, struct effects *out)
{
    uint64_t number = request->first_number, end = number + request->count;
    struct bundle bundle = {0};
    const char *why_not = rounds->too_many;
    if (why_not == NULL && rounds->state == ROUNDS_OUT)
        why_not = "UNAVAILABLE this member crashed, and a crash is for ever under this protocol";
    if (why_not == NULL && (!bundle_open(request->bytes, &bundle) || bundle.level > COMMAND_LEVEL))
        why_not = "ERR malformed bundle";
    struct span rest = bundle.commands;
    struct command command;
    for (; why_not == NULL && command_next(&rest, &command); number++) {
        if (number <= rounds->highest_number)
            continue;
        why_not = enqueue(rounds, number, &command);
        if (why_not != NULL)
            break;
    }
    if (number <= rounds->highest_number)
        number = rounds->highest_number + 1;
    if (why_not != NULL && number < end)
        effect_reply(out, REPLY_REFUSED, false, number, (uint32_t)(end - number), span_string(why_not));
    if (end > rounds->highest_number + 1)
        rounds->highest_number = end - 1;
    begin_when_due(rounds, out);
}

static void on_request(struct rounds *rounds, const struct event_request *request, int64_t wall_ns,
                       struct effects *out)
{
    switch (request->kind) {
    case REQUEST_UPDATE:
        on_update(rounds, request, out);
        break;
    case REQUEST_READ: /* of what nobody changes */
        effect_deliver_reads(out, 0, wall_ns, request->first_number, request->count);
        break;
    case REQUEST_COUNT: /* nothing is ever stored */
        effect_reply(out, REPLY_COUNT, false, request->first_number, request->count, (struct span){0});
        break;
    case REQUEST_CALL:
        break;
    }
}

void rounds_answer(struct rounds *rounds, struct span bytes, struct effects *out)
{
    if (!rounds->answering)
        return;
    uint64_t number = rounds->queue[rounds->queue_first].number;
    effect_reply(out, REPLY_ANSWER, false, number, 1, effects_copy(out, bytes.data, bytes.size));
    rounds->queue_first = (rounds->queue_first + 1) % ROUNDS_QUEUE_MAX;
    rounds->queue_count--;
    rounds->answering = false;
}

/* ---- the rest ---- */

static void on_start(struct rounds *rounds, const struct event_start *start, struct effects *out)
{
    effect_view(out, start->incarnation, rounds->spec->self); /* everybody takes proposals */
    if (start->kind != START_FIRST || rounds->too_many != NULL) {
        rounds->state = ROUNDS_OUT;
        effect_note(out, rounds->too_many != NULL ? "out: the group is too large" : "out: it crashed", 0);
        return;
    }
    arm(rounds->now_ns + ROUNDS_START * rounds->length_ns, out);
}

void rounds_step(struct rounds *rounds, const struct event *event, struct effects *out)
{
    rounds->now_ns = event->now_ns;
    if (event->kind == EVENT_START)
        on_start(rounds, &event->start, out);
    else if (event->kind == EVENT_REQUEST)
        on_request(rounds, &event->request, event->wall_ns, out);
    else if (event->kind == EVENT_TIMEOUT)
        on_timeout(rounds, &event->timeout, out);
}

const char *rounds_check(const struct rounds *rounds)
{
    if (rounds->state == ROUNDS_RUNNING && (rounds->round == 0 || rounds->round > rounds->last))
        return "RND-1 a round beyond the last one";
    if (rounds->state == ROUNDS_RUNNING && rounds->instance == 0)
        return "RND-2 an instance without a number";
    return rounds->queue_count > ROUNDS_QUEUE_MAX ? "RND-3 the queue is longer than its bound" : NULL;
}

static const char *state_name(enum rounds_state state)
{
    switch (state) {
    case ROUNDS_STARTING:
        return "starting";
    case ROUNDS_READY:
        return "ready";
    case ROUNDS_IDLE:
        return "idle";
    case ROUNDS_RUNNING:
        return "running";
    case ROUNDS_RESTING:
        return "resting";
    case ROUNDS_OUT:
        return "out";
    }
    return "?";
}

static void number(struct text *out, const char *name, uint64_t value)
{
    text_add(out, name);
    text_add_u64(out, value);
}

void rounds_print(const struct rounds *rounds, struct text *out)
{
    number(out, " instance=", rounds->instance);
    number(out, " round=", rounds->round);
    text_add(out, " state=");
    text_add(out, state_name(rounds->state));
    text_add(out, " own=");
    cell_print(rounds->own, out);
    number(out, " queued=", rounds->queue_count);
    number(out, " late=", rounds->late);
    number(out, " ahead=", rounds->ahead);
}

void rounds_status(const struct rounds *rounds, struct member_status *out)
{
    *out = (struct member_status){.role = state_name(rounds->state),
                                  .term = rounds->instance,
                                  .orderer = rounds->spec->self,
                                  .voter = rounds->state != ROUNDS_OUT};
}

void rounds_look(const struct rounds *rounds, struct rounds_seen *out)
{
    *out = (struct rounds_seen){.instance = rounds->instance,
                                .round = rounds->round,
                                .running = rounds->state == ROUNDS_RUNNING,
                                .idle = rounds->state == ROUNDS_IDLE,
                                .own = rounds->own};
}

size_t rounds_heap_size(const struct group_spec *spec, size_t bytes_max)
{
    /* Each block is rounded up and has a header. */
    return (size_t)spec->member_count * 2 * (sizeof(struct rounds_letter) + bytes_max + 64) +
           (size_t)spec->member_count * sizeof(uint32_t) + 1024;
}

static void *allocate(struct heap *heap, size_t size)
{
    void *block = heap_alloc_zero(heap, size);
    invariant(block != NULL, "heap_size() counts what create() needs");
    return block;
}

static struct rounds_letter *letters_create(struct heap *heap, uint32_t count, size_t bytes_max)
{
    struct rounds_letter *letters = allocate(heap, count * sizeof *letters);
    for (uint32_t i = 0; i < count; i++)
        letters[i].bytes = allocate(heap, bytes_max);
    return letters;
}

void rounds_init(struct rounds *rounds, struct heap *heap, const struct group_spec *spec,
                 const struct rounds_rules *rules, void *self, uint32_t last, size_t bytes_max)
{
    uint32_t count = spec->member_count, others = 0;
    int place = spec_member_place(spec, spec->self);
    *rounds = (struct rounds){.spec = spec,
                              .rules = rules,
                              .self = self,
                              .place = place < 0 ? 0 : (uint32_t)place,
                              .last = last,
                              .length_ns = spec->tuning.heartbeat_ns,
                              .bytes_max = bytes_max};
    rounds->heard = letters_create(heap, count, bytes_max);
    rounds->early = letters_create(heap, count, bytes_max);
    rounds->others = allocate(heap, count * sizeof *rounds->others);
    for (uint32_t i = 0; i < count; i++)
        if (i != rounds->place)
            rounds->others[others++] = spec->members[i];
}
