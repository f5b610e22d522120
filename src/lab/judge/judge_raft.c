/* Raft's invariants across members (raft_check.h), told of what happens in a world. */
#include "contract/header.h"
#include "lab/judge/judge.h"
#include "lab/judge/raft_check.h"
#include "lab/judge/raft_durable.h"
#include "protocol/consensus/raft.h"

struct raft_judge {
    struct raft_check *check;
    struct raft_durable *durable;
    void *members[64];
};

static void *create(struct heap *heap, uint32_t node_count)
{
    struct raft_judge *judge = heap_alloc_zero(heap, sizeof *judge);
    if (judge == NULL)
        return NULL;
    judge->check = raft_check_create(heap, node_count, &RAFT_ACCESSORS);
    judge->durable = raft_durable_create(heap, node_count, &RAFT_ACCESSORS);
    return judge->check != NULL && judge->durable != NULL ? judge : NULL;
}

static void clear(void *self)
{
    struct raft_judge *judge = self;
    raft_check_clear(judge->check);
    raft_durable_clear(judge->durable);
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct raft_judge *judge = context;
    (void)spec;
    (void)service;
    judge->members[place] = member;
}

static void stopped(void *context, uint32_t place)
{
    struct raft_judge *judge = context;
    raft_check_stopped(judge->check, place);
}

static void turned(void *context, uint32_t place)
{
    struct raft_judge *judge = context;
    (void)place;
    raft_durable_turned(judge->durable);
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct raft_judge *judge = context;
    const void *member = judge->members[place];
    const char *lost = raft_durable_step(judge->durable, place, member, event);
    if (lost != NULL)
        return lost;
    if (event->kind == EVENT_START) {
        if (event->start.kind == START_AMNESIAC)
            raft_check_forgot(judge->check, place);
        else
            return raft_check_restarted(judge->check, place, member);
    }
    return raft_check_step(judge->check, place, member);
}

static void sent(void *context, uint32_t place, uint32_t to, struct span message)
{
    struct raft_judge *judge = context;
    struct header header;
    header_decode(message.data, &header);
    bool tells = header.kind == HEADER_MESSAGE &&
                 (header.type == RAFT_VOTE || header.type == RAFT_VOTE_ACK || header.type == RAFT_APPEND_ACK);
    union {
        uint64_t align;
        uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
    } body;
    struct span encoded = span_of(message.data + HEADER_SIZE, message.size - HEADER_SIZE);
    if (tells && message_decode(&raft_protocol.messages.types[header.type], encoded, body.bytes))
        raft_check_sent(judge->check, place, to, header.type, body.bytes);
}

static const char *applied(void *context, uint32_t place, const struct delivery *delivery)
{
    struct raft_judge *judge = context;
    if (delivery->read)
        return NULL;
    return raft_check_delivered(judge->check, place, delivery->index, delivery->command.whole);
}

const struct judge_kind judge_raft = {
    .protocol = "raft",
    .service = "kv",
    .history = "RAFT-8",
    .faults = WORLD_ALL_FAULTS,
    .create = create,
    .clear = clear,
    .watch = {.started = started, .stopped = stopped, .stepped = stepped, .sent = sent, .turned = turned,
              .applied = applied},
};
