/* A group of five members, of which this one is the third, and a buffer of effects: for the tests of what protocols
 * with a leader share. Test-only. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PEERS_TESTING_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PEERS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "contract/command.h"
#include "protocol/consensus/leader_messages.h"
#include "protocol/consensus/peers.h"

enum { GROUP_EFFECTS_MAX = 64, GROUP_TIMEOUT_NS = 100 * NS_PER_MS };

struct group {
    struct group_spec spec;
    struct peers peers;
    struct effects out;
    struct effect list[GROUP_EFFECTS_MAX];
    uint8_t scratch[GROUP_EFFECTS_MAX * EFFECT_SCRATCH_SIZE_MAX];
    void *region;
};

#define GROUP_FIELDS(S, LIST) static const struct field S##_fields[] = {MESSAGE_FIELDS(S, LIST)};
GROUP_FIELDS(leader_forward, LEADER_FORWARD_FIELDS)
GROUP_FIELDS(leader_refuse, LEADER_REFUSE_FIELDS)
GROUP_FIELDS(leader_read, LEADER_READ_FIELDS)
GROUP_FIELDS(leader_read_ack, LEADER_READ_ACK_FIELDS)
GROUP_FIELDS(leader_count, LEADER_COUNT_FIELDS)
GROUP_FIELDS(leader_count_ack, LEADER_COUNT_ACK_FIELDS)

enum { GROUP_FORWARD, GROUP_REFUSE, GROUP_READ, GROUP_READ_ACK, GROUP_COUNT, GROUP_COUNT_ACK, GROUP_TYPES };

static const struct message_type group_types[GROUP_TYPES] = {
    [GROUP_FORWARD] = MESSAGE_TYPE("FORWARD", leader_forward, leader_forward_fields),
    [GROUP_REFUSE] = MESSAGE_TYPE("REFUSE", leader_refuse, leader_refuse_fields),
    [GROUP_READ] = MESSAGE_TYPE("READ", leader_read, leader_read_fields),
    [GROUP_READ_ACK] = MESSAGE_TYPE("READ_ACK", leader_read_ack, leader_read_ack_fields),
    [GROUP_COUNT] = MESSAGE_TYPE("COUNT", leader_count, leader_count_fields),
    [GROUP_COUNT_ACK] = MESSAGE_TYPE("COUNT_ACK", leader_count_ack, leader_count_ack_fields),
};
static const struct message_table group_table = {group_types, GROUP_TYPES};
static const struct leader_wire group_wire = {
    .table = &group_table, .forward = GROUP_FORWARD, .refuse = GROUP_REFUSE, .read = GROUP_READ,
    .read_ack = GROUP_READ_ACK, .count = GROUP_COUNT, .count_ack = GROUP_COUNT_ACK, .read_timer = 3};

static inline void group_clear(struct group *group)
{
    group->out = (struct effects){.list = group->list, .capacity = GROUP_EFFECTS_MAX, .scratch = group->scratch,
                                  .scratch_size = sizeof group->scratch, .next_position = 1};
}

/* All others have incarnation 10 times their node id. */
static inline void group_create(struct group *group)
{
    static const uint32_t members[] = {1, 2, 3, 4, 5};
    *group = (struct group){.spec = {.group = 1, .name = "test", .self = 3, .members = members, .member_count = 5,
                                     .k = 2}};
    spec_defaults(&group->spec.tuning);
    group->spec.tuning.append_inflight_max = 4;
    size_t size = HEAP_REGION_SIZE_MIN + 2 * peers_bytes(&group->spec);
    size = (size + HEAP_ALIGNMENT - 1) / HEAP_ALIGNMENT * HEAP_ALIGNMENT;
    group->region = aligned_alloc(HEAP_ALIGNMENT, size);
    peers_create(&group->peers, heap_init(group->region, size), &group->spec);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(peers_life(&group->peers.list[i], 10 * (i + 1)), PEER_SAME);
    group_clear(group);
}

static inline void group_free(struct group *group)
{
    free(group->region);
}

/* How many effects of this kind there are; the last one goes to *last. */
static inline uint32_t group_effects(const struct group *group, enum effect_kind kind, const struct effect **last)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < group->out.count; i++) {
        if (group->list[i].kind != kind)
            continue;
        count++;
        if (last != NULL)
            *last = &group->list[i];
    }
    return count;
}

/* Decodes the one SEND there is, which must be of this type and to this node. */
static inline void group_sent(const struct group *group, uint16_t type, uint32_t to, void *body)
{
    const struct effect *effect = NULL;
    assert_int_equal(group_effects(group, EFFECT_SEND, &effect), 1);
    assert_int_equal(effect->send.type, type);
    assert_int_equal(effect->send.to_count, 1);
    assert_int_equal(effect->send.to[0], to);
    static uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX + 4096];
    memcpy(bytes, effect->send.head.data, effect->send.head.size);
    if (effect->send.tail.size > 0)
        memcpy(bytes + effect->send.head.size, effect->send.tail.data, effect->send.tail.size);
    assert_true(message_decode(&group_types[type], span_of(bytes, effect->send.head.size + effect->send.tail.size),
                               body));
}

#endif
