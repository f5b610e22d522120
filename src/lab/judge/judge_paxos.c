/* Paxos' invariants across members (paxos_check.h), told of what happens in a world. */
#include "contract/header.h"
#include "lab/judge/judge.h"
#include "lab/judge/paxos_check.h"
#include "protocol/consensus/paxos.h"

struct paxos_judge {
    struct paxos_check *check;
    void *members[64];
};

static void *create(struct heap *heap, uint32_t node_count)
{
    struct paxos_judge *judge = heap_alloc_zero(heap, sizeof *judge);
    if (judge == NULL)
        return NULL;
    judge->check = paxos_check_create(heap, node_count, &PAXOS_ACCESSORS);
    return judge->check != NULL ? judge : NULL;
}

static void clear(void *self)
{
    struct paxos_judge *judge = self;
    paxos_check_clear(judge->check);
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct paxos_judge *judge = context;
    (void)spec;
    (void)service;
    judge->members[place] = member;
}

static void turned(void *context, uint32_t place)
{
    struct paxos_judge *judge = context;
    paxos_check_turned(judge->check, place);
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct paxos_judge *judge = context;
    return paxos_check_step(judge->check, place, judge->members[place], event);
}

static void sent(void *context, uint32_t place, uint32_t to, struct span message)
{
    struct paxos_judge *judge = context;
    struct header header;
    header_decode(message.data, &header);
    bool tells = header.kind == HEADER_MESSAGE && (header.type == PAXOS_PROMISE || header.type == PAXOS_ACCEPTED);
    union {
        uint64_t align;
        uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
    } body;
    struct span encoded = span_of(message.data + HEADER_SIZE, message.size - HEADER_SIZE);
    if (tells && message_decode(&paxos_protocol.messages.types[header.type], encoded, body.bytes))
        paxos_check_sent(judge->check, place, to, header.type, body.bytes);
}

const struct judge_kind judge_paxos = {
    .protocol = "paxos",
    .service = "kv",
    .history = "MPX-4",
    .faults = WORLD_ALL_FAULTS,
    .create = create,
    .clear = clear,
    .watch = {.started = started, .stepped = stepped, .sent = sent, .turned = turned},
};
