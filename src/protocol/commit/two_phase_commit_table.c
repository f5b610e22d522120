/* The tables of two-phase commit. */
#include "protocol/commit/two_phase_commit_table.h"

static const struct field id_fields[] = {MESSAGE_FIELDS(tpc_id, TPC_ID_FIELDS)};
static const struct field vote_request_fields[] = {MESSAGE_FIELDS(tpc_vote_request, TPC_VOTE_REQUEST_FIELDS)};
static const struct field timed_fields[] = {MESSAGE_FIELDS(tpc_timed, TPC_TIMED_FIELDS)};
static const struct field vote_abort_fields[] = {MESSAGE_FIELDS(tpc_vote_abort, TPC_VOTE_ABORT_FIELDS)};
static const struct field decision_fields[] = {MESSAGE_FIELDS(tpc_decision, TPC_DECISION_FIELDS)};
static const struct field listed_fields[] = {MESSAGE_FIELDS(tpc_listed, TPC_LISTED_FIELDS)};

const struct message_type tpc_message_types[TPC_MESSAGES] = {
    [TPC_VOTE_REQUEST] = MESSAGE_TYPE("VOTE_REQUEST", tpc_vote_request, vote_request_fields),
    [TPC_VOTE_COMMIT] = MESSAGE_TYPE("VOTE_COMMIT", tpc_timed, timed_fields),
    [TPC_VOTE_ABORT] = MESSAGE_TYPE("VOTE_ABORT", tpc_vote_abort, vote_abort_fields),
    [TPC_GLOBAL_COMMIT] = MESSAGE_TYPE("GLOBAL_COMMIT", tpc_timed, timed_fields),
    [TPC_GLOBAL_ABORT] = MESSAGE_TYPE("GLOBAL_ABORT", tpc_id, id_fields),
    [TPC_ACK] = MESSAGE_TYPE("ACK", tpc_id, id_fields),
    [TPC_DECISION_REQUEST] = MESSAGE_TYPE("DECISION_REQUEST", tpc_id, id_fields),
    [TPC_DECISION] = MESSAGE_TYPE("DECISION", tpc_decision, decision_fields),
};

const struct message_type tpc_record_types[TPC_RECORDS] = {
    [TPC_RECORD_START] = MESSAGE_TYPE("START", tpc_listed, listed_fields),
    [TPC_RECORD_GLOBAL_COMMIT] = MESSAGE_TYPE("GLOBAL_COMMIT", tpc_listed, listed_fields),
    [TPC_RECORD_GLOBAL_ABORT] = MESSAGE_TYPE("GLOBAL_ABORT", tpc_listed, listed_fields),
    [TPC_RECORD_END] = MESSAGE_TYPE("END", tpc_id, id_fields),
    [TPC_RECORD_READY] = MESSAGE_TYPE("READY", tpc_vote_request, vote_request_fields),
    [TPC_RECORD_COMMIT] = MESSAGE_TYPE("COMMIT", tpc_timed, timed_fields),
    [TPC_RECORD_ABORT] = MESSAGE_TYPE("ABORT", tpc_id, id_fields),
};

const struct message_table tpc_messages = {.types = tpc_message_types, .count = TPC_MESSAGES};
const struct message_table tpc_records = {.types = tpc_record_types, .count = TPC_RECORDS};
