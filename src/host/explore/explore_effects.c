/* What becomes of the effects of a step in an exploration: the records of a disk, messages that leave or wait for it,
 * timers, questions to the service. The service answers questions in a transition of its own, and has no state. */
#include <string.h>

#include "base/bytes.h"
#include "contract/command.h"
#include "host/explore/explore_internal.h"

enum { OP_EXPLORED = 16, MESSAGE_BYTES_MAX = 16 << 10, REQUEST_ARGUMENT_SIZE = 1 };

/* A bundle of one command whose one argument is the request's number. */
size_t explore_request_bundle(const struct explorer *x, uint32_t request, uint8_t *out)
{
    const struct bundle header = {.node = x->members[x->node.place],
                                  .count = 1,
                                  .incarnation = x->node.incarnation,
                                  .first_number = (uint64_t)x->node.requests + 1,
                                  .first_incomplete = 1,
                                  .level = COMMAND_LEVEL};
    bundle_header_write(out, &header);
    uint8_t *at = out + BUNDLE_HEADER_SIZE;
    store_u32(at, ARGUMENT_HEADER_SIZE + REQUEST_ARGUMENT_SIZE);
    store_u16(at + 4, OP_EXPLORED);
    store_u16(at + 6, 0);
    store_u32(at + 8, 1);
    at += COMMAND_HEADER_SIZE;
    store_u32(at, REQUEST_ARGUMENT_SIZE);
    at[ARGUMENT_HEADER_SIZE] = (uint8_t)request;
    return BUNDLE_HEADER_SIZE + COMMAND_HEADER_SIZE + ARGUMENT_HEADER_SIZE + REQUEST_ARGUMENT_SIZE;
}

uint8_t explore_request_of(struct span bytes)
{
    struct bundle bundle;
    struct command command;
    struct span rest, argument;
    if (bytes.size == 0 || !bundle_open(bytes, &bundle) || bundle.count != 1)
        return EXPLORE_NO_REQUEST;
    rest = bundle.commands;
    if (!command_next(&rest, &command) || command.op != OP_EXPLORED)
        return EXPLORE_NO_REQUEST;
    rest = command.arguments;
    return argument_next(&rest, &argument) && argument.size == 1 ? argument.data[0] : EXPLORE_NO_REQUEST;
}

static uint32_t record_keep(struct explorer *x, const struct effect_store *store)
{
    uint8_t bytes[MESSAGE_BYTES_MAX];
    size_t size = 4 + store->head.size + store->tail.size;
    if (size > sizeof bytes) {
        explore_fail(x, "a record is larger than the explorer keeps (16 KiB): ask for smaller requests");
        return 0;
    }
    store_u16(bytes, store->type);
    store_u16(bytes + 2, store->slot);
    if (store->head.size > 0)
        memcpy(bytes + 4, store->head.data, store->head.size);
    if (store->tail.size > 0)
        memcpy(bytes + 4 + store->head.size, store->tail.data, store->tail.size);
    bool is_new;
    uint32_t *value = table_put(&x->record_table, fingerprint_of(bytes, size), &is_new);
    if (value == NULL || !is_new)
        return value == NULL ? 0 : *value;
    struct kept_record *record = pool_take(&x->records, sizeof *record);
    uint8_t *body = pool_take(&x->bytes, size - 4);
    if (record == NULL || body == NULL) {
        explore_fail(x, "memory");
        return 0;
    }
    memcpy(body, bytes + 4, size - 4);
    *record = (struct kept_record){.type = store->type,
                                   .slot = store->slot,
                                   .size = (uint32_t)(size - 4),
                                   .body = (uint64_t)(body - x->bytes.bytes)};
    return *value = x->record_count++;
}

static void store(struct explorer *x, const struct effect_store *effect)
{
    struct node *node = &x->node;
    if (node->written == EXPLORE_RECORDS_MAX) {
        explore_fail(x, "a member stored more records than the explorer keeps (64): explore fewer requests or timers");
        return;
    }
    node->records[node->written++] = record_keep(x, effect);
}

/* The message's body: head, tail, stored records. Returns its size, or 0 with an error noted. */
static size_t lay_out(struct explorer *x, const struct effect_send *send, uint8_t *out, size_t capacity)
{
    size_t size = send->head.size + send->tail.size;
    bool fits = size <= capacity;
    if (fits && send->head.size > 0)
        memcpy(out, send->head.data, send->head.size);
    if (fits && send->tail.size > 0)
        memcpy(out + send->head.size, send->tail.data, send->tail.size);
    for (uint64_t at = send->records_first; fits && at != 0 && at <= send->records_last; at++) {
        const struct kept_record *record = kept_record(x, x->node.records[at - 1]);
        fits = size + RECORD_PREFIX_SIZE + record->size <= capacity;
        if (!fits)
            break;
        record_prefix_write(out + size, record->size, record->type, record->slot);
        memcpy(out + size + RECORD_PREFIX_SIZE, x->bytes.bytes + record->body, record->size);
        size += RECORD_PREFIX_SIZE + record->size;
    }
    if (!fits)
        explore_fail(x, "a message is larger than the explorer keeps (16 KiB): ask for smaller requests");
    return fits ? size : 0;
}

uint32_t explore_message_keep(struct explorer *x, const struct kept_message *like, const uint8_t *body)
{
    struct fingerprint prints[EXPLORE_PERMUTATIONS_MAX];
    explore_message_fingerprints(x, like, body, prints);
    bool is_new;
    uint32_t *value = table_put(&x->message_table, prints[0], &is_new);
    if (value == NULL || !is_new)
        return value == NULL ? 0 : *value;
    struct kept_message *message = pool_take(&x->messages, sizeof *message);
    uint8_t *bytes = pool_take(&x->bytes, like->size + 1);
    size_t hashes = x->permutation_count * sizeof prints[0];
    void *kept = pool_take(&x->hashes, hashes);
    if (message == NULL || bytes == NULL || kept == NULL) {
        explore_fail(x, "memory");
        return 0;
    }
    if (like->size > 0)
        memcpy(bytes, body, like->size);
    memcpy(kept, prints, hashes);
    *message = *like;
    message->key = prints[0];
    message->body = (uint64_t)(bytes - x->bytes.bytes);
    message->hashes = (uint64_t)((uint8_t *)kept - x->hashes.bytes);
    return *value = x->message_count++;
}

static void leave(struct explorer *x, uint32_t message)
{
    if (x->sent_count == EXPLORE_SENT_MAX)
        explore_fail(x, "a step sent more messages than the explorer keeps (64)");
    else
        x->sent[x->sent_count++] = message;
}

/* The same message may wait only as often as it may be under way. */
static bool held_often(const struct explorer *x, uint32_t message)
{
    uint32_t same = 0;
    for (uint32_t i = 0; i < x->node.held_count; i++)
        same += x->node.held[i].message == message;
    return same >= x->config.copies;
}

static void send(struct explorer *x, const struct effect_send *effect)
{
    struct node *node = &x->node;
    uint8_t body[MESSAGE_BYTES_MAX];
    size_t size = lay_out(x, effect, body, sizeof body);
    for (uint32_t i = 0; i < effect->to_count && x->failed == NULL; i++) {
        int to = spec_member_place(&x->specs[node->place], effect->to[i]);
        if (to < 0)
            continue;
        const struct kept_message like = {.from = (uint8_t)node->place,
                                          .to = (uint8_t)to,
                                          .slot = effect->slot,
                                          .type = effect->type,
                                          .incarnation = node->incarnation,
                                          .to_incarnation = effect->to_incarnation,
                                          .size = (uint32_t)size};
        uint32_t message = explore_message_keep(x, &like, body);
        if (effect->after <= node->told)
            leave(x, message);
        else if (held_often(x, message))
            continue;
        else if (node->held_count == EXPLORE_HELD_MAX)
            explore_fail(x, "more messages wait for a disk than the explorer keeps (48)");
        else
            node->held[node->held_count++] = (struct held){message, (uint32_t)effect->after};
    }
}

static uint8_t timer_kind(const struct explorer *x, uint8_t slot, uint16_t name)
{
    for (uint32_t i = 0; i < x->config.timer_count; i++)
        if (x->config.timers[i].slot == slot && x->config.timers[i].timer == name)
            return (uint8_t)i;
    return EXPLORE_TIMERS_MAX;
}

/* The list is kept in the order of names, so that it does not depend on when a timer was armed. */
static void arm(struct explorer *x, const struct effect_arm *effect)
{
    struct node *node = &x->node;
    uint32_t at = 0;
    while (at < node->armed_count &&
           (node->armed[at].slot < effect->slot ||
            (node->armed[at].slot == effect->slot &&
             (node->armed[at].name < effect->name ||
              (node->armed[at].name == effect->name && node->armed[at].key < effect->key)))))
        at++;
    bool found = at < node->armed_count && node->armed[at].slot == effect->slot &&
                 node->armed[at].name == effect->name && node->armed[at].key == effect->key;
    if (effect->at_ns == EFFECT_DISARM) {
        if (!found)
            return;
        node->armed_count--;
        memmove(&node->armed[at], &node->armed[at + 1], (node->armed_count - at) * sizeof node->armed[0]);
        return;
    }
    if (!found && node->armed_count == EXPLORE_ARMED_MAX) {
        explore_fail(x, "a member armed more timers than the explorer keeps (16)");
        return;
    }
    if (!found) {
        memmove(&node->armed[at + 1], &node->armed[at], (node->armed_count - at) * sizeof node->armed[0]);
        node->armed_count++;
    }
    memset(&node->armed[at], 0, sizeof node->armed[at]);
    node->armed[at].slot = effect->slot;
    node->armed[at].name = effect->name;
    node->armed[at].key = effect->key;
    node->armed[at].at_ns = effect->at_ns;
    node->armed[at].kind = timer_kind(x, effect->slot, effect->name);
}

static void deliver(struct explorer *x, const struct effect_deliver *effect)
{
    if (!effect->result)
        return;
    if (x->node.result_count == EXPLORE_RESULTS_MAX)
        explore_fail(x, "a member asked its service more than the explorer keeps (8 questions)");
    else
        x->node.results[x->node.result_count++] = effect->tag;
}

void explore_interpret(struct explorer *x)
{
    for (uint32_t i = 0; i < x->effects.count && x->failed == NULL; i++) {
        const struct effect *effect = &x->effects.list[i];
        switch (effect->kind) {
        case EFFECT_STORE:
            store(x, &effect->store);
            break;
        case EFFECT_SEND:
            send(x, &effect->send);
            break;
        case EFFECT_ARM:
            arm(x, &effect->arm);
            break;
        case EFFECT_DELIVER:
            deliver(x, &effect->deliver);
            break;
        case EFFECT_REPLY:
            x->refused |= effect->reply.kind == REPLY_AGAIN;
            break;
        case EFFECT_CHECKPOINT:
            if (x->node.mortal)
                explore_fail(x, "a member takes a checkpoint, from which the explorer cannot restart it: explore "
                                "without crashes, or fewer requests");
            x->node.checkpointing = true;
            x->node.keep_from = (uint32_t)effect->checkpoint.keep_from;
            break;
        case EFFECT_ADOPT:
            explore_fail(x, "a member adopts a checkpoint, which the explorer cannot: explore fewer requests");
            break;
        case EFFECT_SUSPECT: /* hints and words */
        case EFFECT_VIEW:
        case EFFECT_NOTE:
        case EFFECT_AGAIN:
            break;
        }
    }
}
