/* A table at which members of a protocol in rounds sit, for unit tests: the real members, stepped in lockstep by hand.
 *
 * Everybody's timer runs out at the same time, and between two of those every message arrives, unless the test's hand
 * takes it away or changes it: a traitor is a real member with somebody else's hand on its messages. So a test can try
 * everything that a traitor may say, one instance after the other, some 100,000 a second. Only tests use this file. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_ROUNDS_TESTING_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_ROUNDS_TESTING_H

#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"
#include "base/time.h"
#include "contract/command.h"
#include "contract/protocol.h"
#include "protocol/consensus/cells.h"
#include "protocol/consensus/rounds.h"

enum {
    TABLE_MEMBERS_MAX = 10,
    TABLE_MESSAGE_MAX = 8192,
    TABLE_MESSAGES_MAX = 512,
    TABLE_ANSWER_MAX = 256,
};

struct table_message {
    uint32_t from, to; /* places */
    uint16_t type;
    size_t size;
    uint8_t bytes[TABLE_MESSAGE_MAX]; /* the encoded body */
};

struct table {
    const struct protocol *protocol;
    uint32_t count, last_round;
    uint32_t nodes[TABLE_MEMBERS_MAX];
    struct group_spec specs[TABLE_MEMBERS_MAX];
    void *regions[TABLE_MEMBERS_MAX];
    void *members[TABLE_MEMBERS_MAX];
    uint64_t numbers[TABLE_MEMBERS_MAX]; /* requests so far */
    char answers[TABLE_MEMBERS_MAX][TABLE_ANSWER_MAX]; /* to the last one; empty: none yet */
    int64_t now_ns;
    uint32_t round;    /* whose messages are under way */
    uint64_t crashed;  /* places that do nothing any more */
    struct table_message *messages;
    uint32_t message_count;
    uint64_t messages_sent; /* ever */
    const char *broken; /* what check() said first */
    struct effect *effects;
    uint8_t *scratch;
    size_t scratch_size;
    /* The hand: may change the message; false takes it away. NULL: nobody's. */
    bool (*hand)(struct table *table, struct table_message *message);
    void *context;
};

static inline void table_take(struct table *table, uint32_t place, const struct effects *out)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const struct effect *effect = &out->list[i];
        if (effect->kind == EFFECT_REPLY)
            snprintf(table->answers[place], TABLE_ANSWER_MAX, "%.*s", (int)effect->reply.bytes.size,
                     (const char *)effect->reply.bytes.data);
        if (effect->kind != EFFECT_SEND)
            continue;
        const struct effect_send *send = &effect->send;
        for (uint32_t to = 0; to < send->to_count; to++) {
            invariant(table->message_count < TABLE_MESSAGES_MAX, "the table is large enough");
            struct table_message *message = &table->messages[table->message_count++];
            message->from = place;
            message->to = (uint32_t)spec_member_place(&table->specs[place], send->to[to]);
            message->type = send->type;
            message->size = send->head.size + send->tail.size;
            invariant(message->size <= TABLE_MESSAGE_MAX, "the table's messages are large enough");
            memcpy(message->bytes, send->head.data, send->head.size);
            if (send->tail.size > 0)
                memcpy(message->bytes + send->head.size, send->tail.data, send->tail.size);
            table->messages_sent++;
        }
    }
}

static inline void table_step(struct table *table, uint32_t place, struct event *event)
{
    if ((table->crashed >> place & 1) != 0)
        return;
    event->now_ns = table->now_ns;
    event->wall_ns = table->now_ns;
    struct effects out = {.list = table->effects,
                          .capacity = table->protocol->effects_max(&table->specs[place]),
                          .scratch = table->scratch,
                          .scratch_size = table->scratch_size,
                          .next_position = 1};
    table->protocol->step(table->members[place], event, &out);
    table_take(table, place, &out);
    const char *broken = table->protocol->check(table->members[place]);
    if (broken != NULL && table->broken == NULL)
        table->broken = broken;
}

static inline void table_timeout(struct table *table)
{
    table->now_ns += table->specs[0].tuning.heartbeat_ns;
    for (uint32_t i = 0; i < table->count; i++)
        table_step(table, i, &(struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = ROUNDS_TIMER}});
}

/* Seats `count` members and lets them start. */
static inline void table_init(struct table *table, const struct protocol *protocol, uint32_t count,
                              uint32_t last_round, uint32_t ablations)
{
    *table = (struct table){.protocol = protocol, .count = count, .last_round = last_round};
    table->messages = malloc(TABLE_MESSAGES_MAX * sizeof *table->messages);
    for (uint32_t i = 0; i < count; i++)
        table->nodes[i] = i + 1;
    for (uint32_t i = 0; i < count; i++) {
        struct group_spec *spec = &table->specs[i];
        *spec = (struct group_spec){.group = 1,
                                    .name = "table",
                                    .self = i + 1,
                                    .members = table->nodes,
                                    .member_count = count,
                                    .protocol = protocol,
                                    .hash_key = {3, 4},
                                    .ablations = ablations * (uint32_t)ABLATION_PROTOCOL_FIRST};
        spec_defaults(&spec->tuning);
        size_t size = (protocol->heap_size(spec) + 15) / 16 * 16;
        table->regions[i] = aligned_alloc(HEAP_ALIGNMENT, size);
        table->members[i] = protocol->create(heap_init(table->regions[i], size), spec, i);
    }
    table->effects = malloc(protocol->effects_max(&table->specs[0]) * sizeof *table->effects);
    table->scratch_size = protocol->scratch_max(&table->specs[0]);
    table->scratch = malloc(table->scratch_size);
    for (uint32_t i = 0; i < count; i++)
        table_step(table, i, &(struct event){.kind = EVENT_START, .start = {.kind = START_FIRST, .incarnation = 1}});
    table_timeout(table);
    table_timeout(table);
}

static inline void table_free(struct table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        free(table->regions[i]);
    free(table->messages);
    free(table->effects);
    free(table->scratch);
}

/* One member is asked to propose the value. */
static inline void table_propose(struct table *table, uint32_t place, uint64_t value)
{
    uint8_t bytes[128];
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    const struct bundle header = {.node = place + 1,
                                  .count = 1,
                                  .incarnation = 1,
                                  .first_number = ++table->numbers[place],
                                  .first_incomplete = 1,
                                  .level = COMMAND_LEVEL};
    bundle_header_write(bytes, &header);
    uint8_t *at = bytes + BUNDLE_HEADER_SIZE;
    store_u32(at, ARGUMENT_HEADER_SIZE + (uint32_t)length);
    store_u16(at + 4, 230);
    store_u16(at + 6, 0);
    store_u32(at + 8, 1);
    store_u32(at + COMMAND_HEADER_SIZE, (uint32_t)length);
    memcpy(at + COMMAND_HEADER_SIZE + ARGUMENT_HEADER_SIZE, digits, (size_t)length);
    size_t size = BUNDLE_HEADER_SIZE + COMMAND_HEADER_SIZE + ARGUMENT_HEADER_SIZE + (size_t)length;
    table->answers[place][0] = '\0';
    table_step(table, place,
               &(struct event){.kind = EVENT_REQUEST,
                               .request = {.kind = REQUEST_UPDATE,
                                           .origin = place + 1,
                                           .incarnation = 1,
                                           .first_number = table->numbers[place],
                                           .count = 1,
                                           .bytes = span_of(bytes, size)}});
}

/* Every message that is under way arrives, or what the hand makes of it. */
static inline void table_deliver(struct table *table)
{
    for (uint32_t i = 0; i < table->message_count; i++) {
        struct table_message *message = &table->messages[i];
        _Alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX] = {0};
        if ((table->crashed >> message->to & 1) != 0 || (table->hand != NULL && !table->hand(table, message)))
            continue;
        const struct message_type *type = &table->protocol->messages.types[message->type];
        if (!message_decode(type, span_of(message->bytes, message->size), body))
            continue;
        struct event event = {
            .kind = EVENT_MESSAGE,
            .message = {
                .from = {.node = message->from + 1}, .incarnation = 1, .type = message->type, .body = body}};
        table_step(table, message->to, &event);
    }
    table->message_count = 0;
}

/* The rounds of the instance that the proposals have begun, and the rest after it. */
static inline void table_run(struct table *table)
{
    for (table->round = 1; table->round <= table->last_round; table->round++) {
        table_deliver(table);
        table_timeout(table);
    }
    table->message_count = 0;
    table_timeout(table);
}

/* An instance in which member i proposes values[i]. */
static inline void table_instance(struct table *table, const uint64_t *values)
{
    for (uint32_t i = 0; i < table->count; i++)
        table_propose(table, i, values[i]);
    table_run(table);
}

#endif
