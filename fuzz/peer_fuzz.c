/* Bytes from other nodes, into a node of a Raft group (peer_fuzzing.h). */
#define PEER_PROTOCOL "raft"
#include "peer_fuzzing.h"

#include "protocol/consensus/raft.h"

static void oblige_message(uint16_t type, struct span bytes)
{
    union { struct raft_vote vote; struct raft_append append; uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX]; } body;
    if ((type != RAFT_VOTE && type != RAFT_APPEND) ||
        !message_decode(&spec.protocol->messages.types[type], bytes, &body))
        return;
    if (type == RAFT_VOTE) {
        const struct raft_vote_ack ack = {.term = body.vote.pre ? body.vote.term - 1 : body.vote.term,
                                          .asked = body.vote.term, .nonce = body.vote.nonce,
                                          .pre = body.vote.pre, .granted = 1};
        reply(RAFT_VOTE_ACK, &ack);
        return;
    }
    const struct raft_round_ack round = {.term = body.append.term, .round = body.append.round, .voter = 1};
    const struct raft_append_ack ack = {.term = body.append.term, .prev_index = body.append.prev_index,
                                        .match = body.append.last, .ok = 1, .voter = 1};
    reply(RAFT_ROUND_ACK, &round);
    reply(RAFT_APPEND_ACK, &ack);
}
