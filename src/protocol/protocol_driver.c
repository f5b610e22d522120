/* The host of protocols' unit tests (protocol_driver.h). */
#include "protocol/protocol_driver.h"

#include "base/panic.h"
#include "base/time.h"
#include "contract/spec.h"

static struct span keep(struct driver *driver, struct span head, struct span tail)
{
    uint8_t *copy = heap_alloc(driver->heap, head.size + tail.size);
    invariant(copy != NULL, "the test's heap is large enough");
    if (head.size > 0)
        memcpy(copy, head.data, head.size);
    if (tail.size > 0)
        memcpy(copy + head.size, tail.data, tail.size);
    return span_of(copy, head.size + tail.size);
}

static void drop(struct driver *driver, struct span bytes)
{
    heap_free(driver->heap, (void *)(uintptr_t)bytes.data);
}

struct driver_member *driver_member(struct driver *driver, uint32_t node)
{
    return &driver->members[node - 1];
}

static void input_add(struct driver *driver, uint32_t node, const struct event *event, struct span bytes)
{
    struct driver_member *member = driver_member(driver, node);
    invariant(member->input_count < DRIVER_INPUTS_MAX, "inputs do not pile up in a test");
    member->inputs[member->input_count++] =
        (struct driver_input){.event = *event, .bytes = keep(driver, bytes, (struct span){0})};
}

static void answer_add(struct driver *driver, uint32_t node, uint64_t number, enum reply_kind kind, struct span bytes)
{
    invariant(driver->answer_count < DRIVER_ANSWERS_MAX, "a test has few answers");
    struct driver_answer *answer = &driver->answers[driver->answer_count++];
    *answer = (struct driver_answer){.node = node, .number = number, .kind = kind};
    answer->size = (uint32_t)(bytes.size < DRIVER_TEXT_MAX - 1 ? bytes.size : DRIVER_TEXT_MAX - 1);
    if (answer->size > 0)
        memcpy(answer->text, bytes.data, answer->size);
}

const struct driver_answer *driver_answer(const struct driver *driver, uint32_t node, uint64_t number)
{
    for (uint32_t i = 0; i < driver->answer_count; i++)
        if (driver->answers[i].node == node && driver->answers[i].number == number)
            return &driver->answers[i];
    return NULL;
}

/* ---- interpreting effects ---- */

static void do_store(struct driver *driver, struct driver_member *member, const struct effect_store *store)
{
    invariant(member->record_count < DRIVER_RECORDS_MAX, "a test's log is short");
    member->last_position = store->position;
    member->records[member->record_count++] = (struct driver_record){.position = store->position,
                                                                     .slot = store->slot,
                                                                     .type = store->type,
                                                                     .bytes = keep(driver, store->head, store->tail)};
}

/* A message's bytes: its fields, or a run of stored records. */
static struct span message_bytes(struct driver *driver, const struct driver_member *member,
                                 const struct effect_send *send)
{
    if (send->records_first == 0)
        return keep(driver, send->head, send->tail);
    invariant(send->head.size + send->tail.size == 0, "this driver sends records alone");
    struct buffer bytes;
    buffer_init(&bytes, driver->heap);
    uint64_t next = send->records_first;
    for (uint32_t i = 0; i < member->record_count && next <= send->records_last; i++) {
        const struct driver_record *record = &member->records[i];
        if (record->position != next)
            continue;
        uint8_t prefix[RECORD_PREFIX_SIZE];
        record_prefix_write(prefix, (uint32_t)record->bytes.size, record->type, record->slot);
        invariant(buffer_append(&bytes, prefix, sizeof prefix) &&
                      buffer_append(&bytes, record->bytes.data, record->bytes.size),
                  "the test's heap is large enough");
        next++;
    }
    invariant(next == send->records_last + 1, "records that are sent are there");
    struct span kept = keep(driver, buffer_span(&bytes), (struct span){0});
    buffer_free(&bytes);
    return kept;
}

static void do_send(struct driver *driver, struct driver_member *member, const struct effect_send *send)
{
    for (uint32_t i = 0; i < send->to_count; i++) {
        invariant(driver->message_count < DRIVER_MESSAGES_MAX, "messages do not pile up in a test");
        driver->messages[driver->message_count++] =
            (struct driver_message){.from = member->spec.self,
                                    .to = send->to[i],
                                    .incarnation = member->incarnation,
                                    .to_incarnation = send->to_incarnation,
                                    .after = send->after,
                                    .slot = send->slot,
                                    .type = send->type,
                                    .bytes = message_bytes(driver, member, send)};
    }
}

static void do_arm(struct driver_member *member, const struct effect_arm *arm)
{
    uint32_t i = 0;
    while (i < member->timer_count &&
           (member->timers[i].arm.slot != arm->slot || member->timers[i].arm.name != arm->name ||
            member->timers[i].arm.key != arm->key))
        i++;
    if (arm->at_ns == EFFECT_DISARM) {
        if (i < member->timer_count)
            member->timers[i] = member->timers[--member->timer_count];
        return;
    }
    invariant(i < DRIVER_TIMERS_MAX, "a test has few timers");
    if (i == member->timer_count)
        member->timer_count++;
    member->timers[i].arm = *arm;
}

static struct span record_bundle(const struct driver *driver, const struct driver_member *member, uint64_t position)
{
    for (uint32_t i = 0; i < member->record_count; i++) {
        const struct driver_record *record = &member->records[i];
        if (record->position != position)
            continue;
        const struct message_type *type = &driver->protocol->records.types[record->type];
        _Alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
        invariant(message_decode(type, record->bytes, body), "a stored record decodes");
        struct span bulk;
        memcpy(&bulk, body + type->fields[type->field_count - 1].offset, sizeof bulk);
        return bulk;
    }
    panic_at(__FILE__, __LINE__, "a delivered record is stored");
}

static void do_deliver(struct driver *driver, struct driver_member *member, const struct effect_deliver *deliver)
{
    if (deliver->kind == DELIVER_LOOK) {
        invariant(deliver->index == member->index, "a look sees the state as it is");
        member->looks += deliver->count;
        return;
    }
    struct span bytes = deliver->record != 0 ? record_bundle(driver, member, deliver->record) : deliver->bundle;
    if (bytes.size == 0) { /* an update that does nothing; or reads that node/ keeps, and tests ask none */
        member->index += deliver->kind == DELIVER_UPDATE;
        return;
    }
    struct bundle bundle;
    invariant(bundle_open(bytes, &bundle), "only whole bundles are delivered");
    member->index += bundle.count == 0 && deliver->kind == DELIVER_UPDATE; /* it has its place in the order */
    struct buffer answer;
    buffer_init(&answer, driver->heap);
    struct span rest = bundle.commands;
    struct command command;
    for (uint64_t number = bundle.first_number; command_next(&rest, &command); number++) {
        buffer_clear(&answer);
        if (deliver->kind == DELIVER_UPDATE) {
            invariant(deliver->index == member->index + 1, "indices follow one another");
            member->index++;
            member->delivered++;
        }
        driver->service.deliver(driver, member->spec.self, member->state, deliver->kind == DELIVER_READ, &command,
                                &answer);
        if (deliver->result)
            input_add(driver, member->spec.self,
                      &(struct event){.kind = EVENT_RESULT, .result = {.tag = deliver->tag}}, buffer_span(&answer));
        else if (bundle.node == member->spec.self && bundle.incarnation == member->incarnation)
            answer_add(driver, bundle.node, number, REPLY_ANSWER, buffer_span(&answer));
    }
    buffer_free(&answer);
}

static void do_checkpoint(struct driver *driver, struct driver_member *member,
                          const struct effect_checkpoint *checkpoint)
{
    if (member->has_checkpoint)
        drop(driver, member->part);
    member->has_checkpoint = true;
    member->checkpoints++;
    member->part = keep(driver, checkpoint->part, (struct span){0});
    member->keep_from = checkpoint->keep_from;
    member->checkpoint_index = member->index;
    memcpy(member->checkpoint_state, member->state, sizeof member->state);
    const struct event event = {
        .kind = EVENT_STATE,
        .state = {.kind = STATE_DURABLE, .index = member->index, .position = checkpoint->keep_from}};
    input_add(driver, member->spec.self, &event, (struct span){0});
}

/* At once, from the first who has it; the record right before it is what the records kept begin with. */
static void do_adopt(struct driver *driver, struct driver_member *member, const struct effect_adopt *adopt)
{
    for (uint32_t i = 0; i < adopt->holder_count; i++) {
        const struct driver_member *holder = driver_member(driver, adopt->holders[i]);
        if (!holder->has_checkpoint || holder->checkpoint_index != adopt->index)
            continue;
        if (member->has_checkpoint)
            drop(driver, member->part);
        member->has_checkpoint = true;
        member->part = keep(driver, holder->part, (struct span){0});
        member->keep_from = member->last_position;
        member->index = member->checkpoint_index = adopt->index;
        memcpy(member->checkpoint_state, holder->checkpoint_state, sizeof member->state);
        memcpy(member->state, holder->checkpoint_state, sizeof member->state);
        const struct event event = {
            .kind = EVENT_STATE,
            .state = {.kind = STATE_ADOPTED, .index = adopt->index, .position = member->keep_from}};
        input_add(driver, member->spec.self, &event, member->part);
        return;
    }
    const struct event event = {.kind = EVENT_STATE, .state = {.kind = STATE_FAILED, .index = adopt->index}};
    input_add(driver, member->spec.self, &event, (struct span){0});
}

static void do_effect(struct driver *driver, struct driver_member *member, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_STORE:
        do_store(driver, member, &effect->store);
        break;
    case EFFECT_SEND:
        do_send(driver, member, &effect->send);
        break;
    case EFFECT_ARM:
        do_arm(member, &effect->arm);
        break;
    case EFFECT_CHECKPOINT:
        do_checkpoint(driver, member, &effect->checkpoint);
        break;
    case EFFECT_DELIVER:
        do_deliver(driver, member, &effect->deliver);
        break;
    case EFFECT_REPLY:
        for (uint32_t i = 0; i < effect->reply.count; i++)
            answer_add(driver, member->spec.self, effect->reply.first_number + i, effect->reply.kind,
                       effect->reply.bytes);
        break;
    case EFFECT_AGAIN:
        member->again = true;
        break;
    case EFFECT_ADOPT:
        do_adopt(driver, member, &effect->adopt);
        break;
    case EFFECT_SUSPECT:
    case EFFECT_VIEW:
    case EFFECT_NOTE:
        break;
    }
}

static void step(struct driver *driver, struct driver_member *member, struct event *event)
{
    event->now_ns = driver->now_ns;
    event->wall_ns = driver->now_ns + NS_PER_S;
    uint32_t capacity = driver->protocol->effects_max(&member->spec);
    size_t scratch_size = driver->protocol->scratch_max(&member->spec);
    struct effects out = {.list = heap_alloc(driver->heap, capacity * sizeof(struct effect)),
                          .capacity = capacity,
                          .scratch = heap_alloc(driver->heap, scratch_size),
                          .scratch_size = scratch_size,
                          .next_position = member->last_position + 1};
    invariant(out.list != NULL && out.scratch != NULL, "the test's heap is large enough");
    driver->protocol->step(member->self, event, &out);
    for (uint32_t i = 0; i < out.count; i++)
        do_effect(driver, member, &out.list[i]);
    heap_free(driver->heap, out.list);
    heap_free(driver->heap, out.scratch);
    const char *wrong = driver->protocol->check(member->self);
    if (wrong != NULL && driver->failed == NULL) {
        driver->failed = wrong;
        driver->failed_node = member->spec.self;
    }
}

/* ---- inputs of a turn ---- */

static void step_input(struct driver *driver, struct driver_member *member, struct driver_input *input)
{
    if (input->event.kind == EVENT_RESULT)
        input->event.result.bytes = input->bytes;
    else if (input->event.kind == EVENT_REQUEST)
        input->event.request.bytes = input->bytes;
    else if (input->event.kind == EVENT_STATE)
        input->event.state.part = input->bytes;
    step(driver, member, &input->event);
    drop(driver, input->bytes);
}

/* Hands in those of the first `count` inputs that are requests, or those that are not, and takes them out. */
static void step_inputs(struct driver *driver, struct driver_member *member, uint32_t *count, bool requests)
{
    uint32_t i = 0;
    while (i < *count) {
        struct driver_input input = member->inputs[i];
        if ((input.event.kind == EVENT_REQUEST) != requests) {
            i++;
            continue;
        }
        member->input_count--;
        memmove(&member->inputs[i], &member->inputs[i + 1], (member->input_count - i) * sizeof input);
        (*count)--;
        step_input(driver, member, &input);
    }
}

static void message_remove(struct driver *driver, uint32_t place)
{
    driver->message_count--;
    memmove(&driver->messages[place], &driver->messages[place + 1],
            (driver->message_count - place) * sizeof driver->messages[0]);
}

static bool may_leave(struct driver *driver, const struct driver_message *message)
{
    const struct driver_member *sender = driver_member(driver, message->from);
    return message->after == 0 || sender->incarnation != message->incarnation || message->after <= sender->stored;
}

static void receive(struct driver *driver, struct driver_member *member, struct driver_message message)
{
    bool lost = driver->lose != NULL && driver->lose(driver, &message);
    if (!lost && (message.to_incarnation == 0 || message.to_incarnation == member->incarnation)) {
        _Alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX] = {0};
        invariant(message_decode(&driver->protocol->messages.types[message.type], message.bytes, body),
                  "a sent message decodes");
        struct event event = {.kind = EVENT_MESSAGE,
                              .message = {.from = {.node = message.from},
                                          .incarnation = message.incarnation,
                                          .slot = message.slot,
                                          .type = message.type,
                                          .body = body}};
        step(driver, member, &event);
    }
    drop(driver, message.bytes);
}

/* The first message, at or after the place, that may arrive at the node; message_count if there is none. */
static uint32_t message_for(struct driver *driver, uint32_t node, uint32_t place)
{
    while (place < driver->message_count &&
           (driver->messages[place].to != node || !may_leave(driver, &driver->messages[place])))
        place++;
    return place;
}

static void step_timers(struct driver *driver, struct driver_member *member)
{
    for (uint32_t i = 0; i < member->timer_count;) {
        struct effect_arm arm = member->timers[i].arm;
        if (arm.at_ns > driver->now_ns) {
            i++;
            continue;
        }
        member->timers[i] = member->timers[--member->timer_count];
        struct event event = {.kind = EVENT_TIMEOUT,
                              .timeout = {.slot = arm.slot, .name = arm.name, .key = arm.key}};
        step(driver, member, &event);
        i = 0; /* the step may have changed the list */
    }
}

static void step_stored(struct driver *driver, struct driver_member *member)
{
    if (member->stored == member->stored_told && member->full == member->full_told)
        return;
    member->stored_told = member->stored;
    member->full_told = member->full;
    struct event event = {.kind = EVENT_STORED,
                          .stored = {.position = member->stored, .room_bytes = member->full ? 0 : 1 << 30}};
    step(driver, member, &event);
}

static void turn(struct driver *driver, struct driver_member *member, uint32_t messages_max, bool shuffle)
{
    if (!member->up)
        return;
    if (!driver->manual_sync)
        driver_sync(driver, member->spec.self);
    uint32_t inputs = member->input_count;
    member->again = false;
    step_stored(driver, member);
    step_inputs(driver, member, &inputs, false);
    for (uint32_t i = 0; i < messages_max; i++) {
        uint32_t place = message_for(driver, member->spec.self, 0);
        if (shuffle && !driver->in_order && driver->message_count > 0) {
            uint32_t other = message_for(driver, member->spec.self,
                                         (uint32_t)random_below(&driver->random, driver->message_count));
            place = other < driver->message_count ? other : place;
        }
        if (place == driver->message_count)
            break;
        struct driver_message message = driver->messages[place];
        if (shuffle && random_chance(&driver->random, driver->duplication, 100))
            message.bytes = keep(driver, message.bytes, (struct span){0});
        else
            message_remove(driver, place);
        if (shuffle && random_chance(&driver->random, driver->loss, 100))
            drop(driver, message.bytes);
        else
            receive(driver, member, message);
    }
    step_inputs(driver, member, &inputs, true);
    step_timers(driver, member);
    step(driver, member, &(struct event){.kind = EVENT_TURN});
}

void driver_turn(struct driver *driver, uint32_t node, uint32_t messages_max)
{
    turn(driver, driver_member(driver, node), messages_max, false);
}

void driver_sync(struct driver *driver, uint32_t node)
{
    driver_member(driver, node)->stored = driver_member(driver, node)->last_position;
}

/* ---- running ---- */

static bool quiet(struct driver *driver)
{
    for (uint32_t node = 1; node <= driver->member_count; node++) {
        const struct driver_member *member = driver_member(driver, node);
        if (member->up && (member->input_count > 0 || member->again || member->stored != member->stored_told ||
                           member->full != member->full_told ||
                           (!driver->manual_sync && member->stored != member->last_position) ||
                           message_for(driver, node, 0) < driver->message_count))
            return false;
    }
    return true;
}

bool driver_settle(struct driver *driver)
{
    for (uint32_t round = 0; round < 1000; round++) {
        if (quiet(driver))
            return true;
        for (uint32_t node = 1; node <= driver->member_count; node++)
            driver_turn(driver, node, 8);
    }
    return false;
}

void driver_advance(struct driver *driver, int64_t duration_ns)
{
    int64_t end_ns = driver->now_ns + duration_ns;
    for (;;) {
        driver_settle(driver);
        int64_t next_ns = end_ns;
        for (uint32_t node = 1; node <= driver->member_count; node++) {
            const struct driver_member *member = driver_member(driver, node);
            for (uint32_t i = 0; member->up && i < member->timer_count; i++)
                if (member->timers[i].arm.at_ns < next_ns)
                    next_ns = member->timers[i].arm.at_ns;
        }
        if (next_ns >= end_ns)
            break;
        driver->now_ns = next_ns > driver->now_ns ? next_ns : driver->now_ns;
        for (uint32_t node = 1; node <= driver->member_count; node++)
            driver_turn(driver, node, 8);
    }
    driver->now_ns = end_ns;
}

void driver_run_random(struct driver *driver, uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        driver->now_ns += random_between(&driver->random, 0, 4 * NS_PER_MS);
        uint32_t node = 1 + (uint32_t)random_below(&driver->random, driver->member_count);
        if (random_chance(&driver->random, 1, 2))
            driver_sync(driver, node);
        turn(driver, driver_member(driver, node), (uint32_t)random_below(&driver->random, 4), true);
    }
}

/* ---- requests ---- */

static void write_command(struct buffer *out, uint16_t op, struct span argument)
{
    size_t at = command_begin(out, op, 0, 1);
    invariant(at != SIZE_MAX && command_argument(out, argument), "the test's heap is large enough");
    command_end(out, at);
}

static void request(struct driver *driver, uint32_t node, uint32_t origin, uint64_t incarnation, uint64_t number,
                    uint16_t op, struct span argument)
{
    struct buffer bytes;
    buffer_init(&bytes, driver->heap);
    invariant(bundle_begin(&bytes), "the test's heap is large enough");
    write_command(&bytes, op, argument);
    bundle_header_write(bytes.data, &(struct bundle){.node = origin == 0 ? node : origin,
                                                     .count = 1,
                                                     .incarnation = incarnation,
                                                     .first_number = number,
                                                     .level = COMMAND_LEVEL});
    const struct event event = {.kind = EVENT_REQUEST,
                                .request = {.kind = REQUEST_UPDATE,
                                            .origin = origin,
                                            .incarnation = incarnation,
                                            .first_number = number,
                                            .count = 1}};
    input_add(driver, node, &event, buffer_span(&bytes));
    buffer_free(&bytes);
}

void driver_request(struct driver *driver, uint32_t node, uint64_t number, uint16_t op, struct span argument)
{
    request(driver, node, 0, driver_member(driver, node)->incarnation, number, op, argument);
}

void driver_client_request(struct driver *driver, uint32_t node, uint32_t client, uint64_t incarnation, uint64_t number,
                           uint16_t op, struct span argument)
{
    request(driver, node, client, incarnation, number, op, argument);
}

void driver_look(struct driver *driver, uint32_t node, uint32_t client, uint64_t first_number, uint32_t count)
{
    const struct event event = {
        .kind = EVENT_REQUEST,
        .request = {.kind = REQUEST_READ, .origin = client, .first_number = first_number, .count = count}};
    input_add(driver, node, &event, (struct span){0});
}

void driver_call(struct driver *driver, uint32_t node, uint32_t to, uint16_t op, struct span argument)
{
    struct buffer bytes;
    buffer_init(&bytes, driver->heap);
    invariant(bundle_begin(&bytes), "the test's heap is large enough");
    write_command(&bytes, op, argument);
    bundle_header_write(bytes.data, &(struct bundle){.node = node,
                                                     .count = 1,
                                                     .incarnation = driver_member(driver, node)->incarnation,
                                                     .level = COMMAND_LEVEL});
    const struct event event = {
        .kind = EVENT_REQUEST,
        .request = {.kind = REQUEST_CALL, .to = {.node = to, .group = driver_member(driver, node)->spec.group}}};
    input_add(driver, node, &event, buffer_span(&bytes));
    buffer_free(&bytes);
}

/* ---- lives ---- */

static void begin_life(struct driver *driver, struct driver_member *member)
{
    member->up = true;
    member->incarnation++;
    member->heap = heap_init(member->region, member->region_size);
    member->self = driver->protocol->create(member->heap, &member->spec, random_u64(&driver->random));
}

void driver_init(struct driver *driver, struct heap *heap, const struct protocol *protocol,
                 const struct driver_service *service, uint32_t member_count, uint32_t ablations, uint64_t seed)
{
    struct tuning tuning;
    spec_defaults(&tuning);
    tuning.checkpoint_interval = 256; /* whose tables fit the heaps of tests */
    driver_init_tuned(driver, heap, protocol, service, member_count, ablations, seed, &tuning);
}

void driver_init_tuned(struct driver *driver, struct heap *heap, const struct protocol *protocol,
                       const struct driver_service *service, uint32_t member_count, uint32_t ablations, uint64_t seed,
                       const struct tuning *tuning)
{
    invariant(member_count <= DRIVER_MEMBERS_MAX, "a test has few members");
    memset(driver, 0, sizeof *driver);
    driver->heap = heap;
    driver->protocol = protocol;
    driver->service = *service;
    driver->member_count = member_count;
    random_seed(&driver->random, seed);
    for (uint32_t i = 0; i < member_count; i++)
        driver->nodes[i] = i + 1;
    for (uint32_t i = 0; i < member_count; i++) {
        struct driver_member *member = &driver->members[i];
        member->spec = (struct group_spec){.group = 1,
                                           .name = "test",
                                           .self = i + 1,
                                           .members = driver->nodes,
                                           .member_count = member_count,
                                           .protocol = protocol,
                                           .tuning = *tuning,
                                           .ablations = ablations};
        member->region_size = protocol->heap_size(&member->spec);
        member->region = heap_alloc(heap, member->region_size);
        invariant(member->region != NULL, "the test's heap is large enough");
        begin_life(driver, member);
    }
    for (uint32_t i = 0; i < member_count; i++) {
        struct event event = {.kind = EVENT_START, .start = {.kind = START_FIRST, .incarnation = 1}};
        step(driver, &driver->members[i], &event);
    }
}

void driver_crash(struct driver *driver, uint32_t node)
{
    struct driver_member *member = driver_member(driver, node);
    member->up = false;
    for (uint32_t i = 0; i < driver->message_count;) {
        if (driver->messages[i].from == node && !may_leave(driver, &driver->messages[i])) {
            drop(driver, driver->messages[i].bytes);
            message_remove(driver, i);
        } else {
            i++;
        }
    }
    while (member->record_count > 0 && member->records[member->record_count - 1].position > member->stored)
        drop(driver, member->records[--member->record_count].bytes);
    member->last_position = member->stored_told = member->stored;
    while (member->input_count > 0)
        drop(driver, member->inputs[--member->input_count].bytes);
    member->timer_count = 0;
}

void driver_lose_disk(struct driver *driver, uint32_t node)
{
    struct driver_member *member = driver_member(driver, node);
    while (member->record_count > 0)
        drop(driver, member->records[--member->record_count].bytes);
    if (member->has_checkpoint)
        drop(driver, member->part);
    member->has_checkpoint = false;
    member->keep_from = 0;
    member->last_position = member->stored = member->stored_told = 0;
}

static void restore(struct driver *driver, struct driver_member *member)
{
    if (member->has_checkpoint) {
        memcpy(member->state, member->checkpoint_state, sizeof member->state);
        member->index = member->checkpoint_index;
        struct event event = {.kind = EVENT_RESTORE,
                              .restore = {.kind = RESTORE_PART,
                                          .position = member->keep_from,
                                          .index = member->index,
                                          .part = member->part}};
        step(driver, member, &event);
    }
    for (uint32_t i = 0; i < member->record_count; i++) {
        const struct driver_record *record = &member->records[i];
        if (record->position < member->keep_from)
            continue;
        _Alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX] = {0};
        invariant(message_decode(&driver->protocol->records.types[record->type], record->bytes, body),
                  "a stored record decodes");
        struct event event = {.kind = EVENT_RESTORE,
                              .restore = {.kind = RESTORE_RECORD,
                                          .slot = record->slot,
                                          .type = record->type,
                                          .position = record->position,
                                          .body = body,
                                          .record_size = record->bytes.size}};
        step(driver, member, &event);
    }
}

void driver_restart(struct driver *driver, uint32_t node, enum start_kind kind)
{
    struct driver_member *member = driver_member(driver, node);
    memset(member->state, 0, sizeof member->state);
    member->index = 0;
    begin_life(driver, member);
    restore(driver, member);
    struct event event = {
        .kind = EVENT_START,
        .start = {.kind = kind, .incarnation = member->incarnation, .position = member->last_position}};
    step(driver, member, &event);
}
