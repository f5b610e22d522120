/* Messages and records of two-phase commit (two_phase_commit.h), declared once. */
#ifndef LOCKSTEP_PROTOCOL_COMMIT_TWO_PHASE_COMMIT_TABLE_H
#define LOCKSTEP_PROTOCOL_COMMIT_TWO_PHASE_COMMIT_TABLE_H

#include "contract/message.h"

/* Every message names its transaction. */
#define TPC_ID_FIELDS(FIELD, S) FIELD(S, NODE, node) FIELD(S, INCARNATION, incarnation) FIELD(S, U64, sequence)
#define TPC_VOTE_REQUEST_FIELDS(FIELD, S) TPC_ID_FIELDS(FIELD, S) FIELD(S, TIME, time_ns) FIELD(S, BYTES, bundle)
#define TPC_TIMED_FIELDS(FIELD, S) TPC_ID_FIELDS(FIELD, S) FIELD(S, TIME, time_ns)
#define TPC_VOTE_ABORT_FIELDS(FIELD, S) TPC_ID_FIELDS(FIELD, S) FIELD(S, BYTES, reason)
#define TPC_DECISION_FIELDS(FIELD, S) TPC_ID_FIELDS(FIELD, S) FIELD(S, U8, state) FIELD(S, TIME, time_ns)
#define TPC_LISTED_FIELDS(FIELD, S) TPC_TIMED_FIELDS(FIELD, S) FIELD(S, BYTES, participants)

MESSAGE_STRUCT(tpc_id, TPC_ID_FIELDS)
MESSAGE_STRUCT(tpc_vote_request, TPC_VOTE_REQUEST_FIELDS) /* the record READY has the same fields */
MESSAGE_STRUCT(tpc_timed, TPC_TIMED_FIELDS)
MESSAGE_STRUCT(tpc_vote_abort, TPC_VOTE_ABORT_FIELDS)
MESSAGE_STRUCT(tpc_decision, TPC_DECISION_FIELDS)
MESSAGE_STRUCT(tpc_listed, TPC_LISTED_FIELDS) /* participants: a u32 each */

enum tpc_message {
    TPC_VOTE_REQUEST,
    TPC_VOTE_COMMIT,
    TPC_VOTE_ABORT,
    TPC_GLOBAL_COMMIT,
    TPC_GLOBAL_ABORT,
    TPC_ACK,
    TPC_DECISION_REQUEST,
    TPC_DECISION,
    TPC_MESSAGES,
};

enum tpc_record {
    TPC_RECORD_START,         /* coordinator: votes are being collected */
    TPC_RECORD_GLOBAL_COMMIT, /* coordinator: decided */
    TPC_RECORD_GLOBAL_ABORT,
    TPC_RECORD_END,   /* coordinator: all have acknowledged */
    TPC_RECORD_READY, /* participant: has voted commit; ends in the bundle */
    TPC_RECORD_COMMIT,
    TPC_RECORD_ABORT,
    TPC_RECORDS,
};

extern const struct message_type tpc_message_types[TPC_MESSAGES];
extern const struct message_type tpc_record_types[TPC_RECORDS];
extern const struct message_table tpc_messages;
extern const struct message_table tpc_records;

#endif
