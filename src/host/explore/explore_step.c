/* The steps of a member of an exploration: its input as an event, followed by the TURN that ends a turn's inputs.
 *
 * Over a synchronous network time is that of all clocks. Else each event comes one nanosecond after the last, which is
 * the configuration's election timeout; a timer that is armed for later moves the member's clock to its time. */
#include <stdalign.h>
#include <string.h>

#include "host/explore/explore_internal.h"

enum { REQUEST_BYTES_MAX = 128 };

static const int64_t WALL_NS = INT64_C(1700000000000000000); /* it stands still */

static void give(struct explorer *x, const struct event *event)
{
    x->effects.count = 0;
    x->effects.scratch_used = 0;
    x->effects.next_position = (uint64_t)x->node.written + 1;
    x->config.protocol->step(x->selves[x->node.place], event, &x->effects);
    if (x->tracer != NULL && x->tracer->stepped != NULL)
        x->tracer->stepped(x->tracer->context, x->members[x->node.place], event, &x->effects,
                           x->selves[x->node.place]);
    explore_interpret(x);
}

static bool asks_again(const struct explorer *x)
{
    for (uint32_t i = 0; i < x->effects.count; i++)
        if (x->effects.list[i].kind == EFFECT_AGAIN)
            return true;
    return false;
}

/* The event and the TURN that ends its inputs; what a turn stores is one write of the disk. */
static void give_with_turn(struct explorer *x, struct event *event)
{
    uint32_t written = x->node.written;
    give(x, event);
    bool again = true;
    for (uint32_t i = 0; again && x->failed == NULL; i++) {
        if (i == EXPLORE_TURNS_MAX) {
            explore_fail(x, "a member asked for turn after turn without end");
            break;
        }
        const struct event turn = {.kind = EVENT_TURN,
                                   .now_ns = event->now_ns,
                                   .wall_ns = event->wall_ns,
                                   .wall_error_ns = event->wall_error_ns};
        give(x, &turn);
        again = asks_again(x);
    }
    if (x->node.written > written && x->failed == NULL)
        x->node.batches[x->node.batch_count++] = x->node.written;
}

static struct event event_now(struct explorer *x, enum event_kind kind)
{
    if (!x->config.rounds) /* there, the clock moves by itself */
        x->node.now_ns++;
    return (struct event){.kind = kind, .now_ns = x->node.now_ns, .wall_ns = WALL_NS, .wall_error_ns = 0};
}

static void restore_into(struct explorer *x, void *self, uint32_t cut)
{
    alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
    const struct message_table *table = &x->config.protocol->records;
    for (uint32_t i = 0; i < cut; i++) {
        const struct kept_record *record = kept_record(x, x->node.records[i]);
        bool decoded = message_decode(&table->types[record->type],
                                      span_of(x->bytes.bytes + record->body, record->size), body);
        const struct event event = {.kind = EVENT_RESTORE,
                                    .wall_ns = WALL_NS,
                                    .restore = {.kind = RESTORE_RECORD,
                                                .slot = record->slot,
                                                .type = record->type,
                                                .position = (uint64_t)i + 1,
                                                .body = body,
                                                .record_size = record->size}};
        if (!decoded) {
            explore_fail(x, "a member cannot decode a record that it wrote");
            return;
        }
        x->effects.count = 0;
        x->effects.scratch_used = 0;
        x->config.protocol->step(self, &event, &x->effects);
    }
}

void explore_restore(struct explorer *x, uint32_t cut)
{
    uint32_t place = x->node.place;
    memcpy(x->restored[place], x->restored_base[place], x->restored_base_extent[place]);
    restore_into(x, x->restored_selves[place], cut);
}

static void step_message(struct explorer *x, uint32_t id)
{
    alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
    const struct kept_message *message = kept_message(x, id);
    if (message->to_incarnation != 0 && message->to_incarnation != x->node.incarnation)
        return; /* meant for another life */
    const struct message_table *table = &x->config.protocol->messages;
    if (!message_decode(&table->types[message->type], span_of(x->bytes.bytes + message->body, message->size), body)) {
        explore_fail(x, "a member sent a message that does not decode");
        return;
    }
    struct event event = event_now(x, EVENT_MESSAGE);
    event.message = (struct event_message){.from = {x->members[message->from], 1},
                                           .incarnation = message->incarnation,
                                           .slot = message->slot,
                                           .type = message->type,
                                           .body = body};
    give_with_turn(x, &event);
}

static void step_timer(struct explorer *x, uint32_t at)
{
    struct node *node = &x->node;
    const struct armed armed = node->armed[at];
    node->armed_count--;
    memmove(&node->armed[at], &node->armed[at + 1], (node->armed_count - at) * sizeof node->armed[0]);
    memset(&node->armed[node->armed_count], 0, sizeof node->armed[0]);
    if (node->now_ns + 1 < armed.at_ns)
        node->now_ns = armed.at_ns - 1;
    struct event event = event_now(x, EVENT_TIMEOUT);
    event.timeout = (struct event_timeout){.slot = armed.slot, .name = armed.name, .key = armed.key};
    give_with_turn(x, &event);
}

static void release_held(struct explorer *x)
{
    struct node *node = &x->node;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->held_count; i++) {
        if (node->held[i].after > node->told)
            node->held[kept++] = node->held[i];
        else if (x->sent_count < EXPLORE_SENT_MAX)
            x->sent[x->sent_count++] = node->held[i].message;
        else
            explore_fail(x, "a step sent more messages than the explorer keeps (64)");
    }
    node->held_count = kept;
}

static void step_stored(struct explorer *x)
{
    struct node *node = &x->node;
    node->told = node->batches[0];
    if ((x->config.ablations & ABLATION_ACK_BEFORE_SYNC) == 0)
        node->durable = node->told;
    node->batch_count--;
    memmove(node->batches, node->batches + 1, node->batch_count * sizeof node->batches[0]);
    release_held(x);
    struct event event = event_now(x, EVENT_STORED);
    event.stored = (struct event_stored){.position = node->told, .room_bytes = UINT64_C(1) << 40};
    give_with_turn(x, &event);
}

static void step_result(struct explorer *x, bool refuse)
{
    struct node *node = &x->node;
    uint64_t tag = node->results[0];
    node->result_count--;
    memmove(node->results, node->results + 1, node->result_count * sizeof node->results[0]);
    struct event event = event_now(x, EVENT_RESULT);
    event.result = (struct event_result){.tag = tag, .bytes = span_string(refuse ? "-ERR no\r\n" : ":1\r\n")};
    give_with_turn(x, &event);
}

static void step_request(struct explorer *x, uint32_t request)
{
    uint8_t bytes[REQUEST_BYTES_MAX];
    size_t size = explore_request_bundle(x, request, bytes);
    struct event event = event_now(x, EVENT_REQUEST);
    event.request = (struct event_request){.kind = REQUEST_UPDATE,
                                           .incarnation = x->node.incarnation,
                                           .first_number = (uint64_t)x->node.requests + 1,
                                           .count = 1,
                                           .first_incomplete = 1,
                                           .bytes = span_of(bytes, size)};
    x->node.requests++;
    give_with_turn(x, &event);
}

static void step_checkpointed(struct explorer *x)
{
    struct event event = event_now(x, EVENT_STATE);
    event.state = (struct event_state){.kind = STATE_DURABLE, .position = x->node.keep_from};
    x->node.checkpointing = false;
    x->node.keep_from = 0;
    give_with_turn(x, &event);
}

void explore_start(struct explorer *x, enum start_kind kind)
{
    struct node *node = &x->node;
    node->up = true;
    node->incarnation++;
    struct event event = event_now(x, EVENT_START);
    event.start = (struct event_start){.kind = kind, .incarnation = node->incarnation, .position = node->written};
    give_with_turn(x, &event);
}

static void crash(struct explorer *x, uint32_t cut)
{
    const struct node before = x->node;
    struct node *node = &x->node;
    memset(node, 0, sizeof *node);
    node->place = before.place;
    node->mortal = before.mortal;
    node->incarnation = before.incarnation;
    node->now_ns = before.now_ns;
    node->written = node->told = node->durable = cut;
    memcpy(node->records, before.records, cut * sizeof node->records[0]);
    memcpy(x->regions[node->place], x->base[node->place], x->base_extent[node->place]);
    restore_into(x, x->selves[node->place], cut);
}

const char *explore_node_step(struct explorer *x, uint32_t input)
{
    x->sent_count = 0;
    x->refused = false;
    x->steps++;
    switch (input_kind(input)) {
    case INPUT_MESSAGE:
    case INPUT_LIE:
        step_message(x, input_argument(input));
        break;
    case INPUT_TIMER:
        step_timer(x, input_argument(input));
        break;
    case INPUT_STORED:
        step_stored(x);
        break;
    case INPUT_RESULT:
        step_result(x, input_argument(input) == 1);
        break;
    case INPUT_REQUEST:
        step_request(x, input_argument(input));
        break;
    case INPUT_CRASH:
        crash(x, input_argument(input));
        break;
    case INPUT_RESTART:
        explore_start(x, START_RESTARTED);
        break;
    case INPUT_SEAL:
        x->node.mortal = false;
        break;
    case INPUT_CHECKPOINTED:
        step_checkpointed(x);
        break;
    case INPUT_CLOCK:
        x->node.now_ns += input_argument(input);
        break;
    case INPUT_LOSS:
    case INPUT_DOUBLE:
        break; /* the channel's */
    }
    return x->node.up ? x->config.protocol->check(x->selves[x->node.place]) : NULL;
}
