/* The messages with which members hand requests and reads on to the one who orders. What they say does not depend on
 * the protocol; each protocol has them in its own table, at places of its own (struct leader_wire). */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_LEADER_MESSAGES_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_LEADER_MESSAGES_H

#include "contract/message.h"

/* A client's bundle, from the member that got it to the leader. */
#define LEADER_FORWARD_FIELDS(FIELD, S) FIELD(S, BYTES, bundle)
MESSAGE_STRUCT(leader_forward, LEADER_FORWARD_FIELDS)

/* Refused for good, with the error's text. */
#define LEADER_REFUSE_FIELDS(FIELD, S)                                                                                 \
    FIELD(S, INCARNATION, incarnation) FIELD(S, U64, first_number) FIELD(S, U32, count) FIELD(S, BYTES, text)
MESSAGE_STRUCT(leader_refuse, LEADER_REFUSE_FIELDS)

/* What must I have executed before I serve these reads? */
#define LEADER_READ_FIELDS(FIELD, S) FIELD(S, U64, number) FIELD(S, U32, count)
MESSAGE_STRUCT(leader_read, LEADER_READ_FIELDS)

/* Everything up to this mark (peers.h). */
#define LEADER_READ_ACK_FIELDS(FIELD, S) FIELD(S, U64, number) FIELD(S, U64, mark) FIELD(S, TIME, time)
MESSAGE_STRUCT(leader_read_ack, LEADER_READ_ACK_FIELDS)

/* How many members have stored this index? */
#define LEADER_COUNT_FIELDS(FIELD, S) FIELD(S, U64, number) FIELD(S, U64, index)
MESSAGE_STRUCT(leader_count, LEADER_COUNT_FIELDS)

#define LEADER_COUNT_ACK_FIELDS(FIELD, S) FIELD(S, U64, number) FIELD(S, U32, count)
MESSAGE_STRUCT(leader_count_ack, LEADER_COUNT_ACK_FIELDS)

struct leader_wire {
    const struct message_table *table;
    uint8_t slot; /* of the contract */
    uint16_t forward, refuse, read, read_ack, count, count_ack; /* types */
    uint16_t read_timer;
};

#endif
