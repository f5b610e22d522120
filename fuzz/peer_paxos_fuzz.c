/* Bytes from other nodes, into a node of a Paxos group (peer_fuzzing.h). */
#define PEER_PROTOCOL "paxos"
#include "peer_fuzzing.h"

#include "protocol/consensus/paxos.h"

static void oblige_message(uint16_t type, struct span bytes)
{
    union { struct paxos_prepare prepare; struct paxos_accept accept; uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX]; } body;
    if ((type != PAXOS_PREPARE && type != PAXOS_ACCEPT) ||
        !message_decode(&spec.protocol->messages.types[type], bytes, &body))
        return;
    if (type == PAXOS_PREPARE) { /* it has accepted nothing */
        const struct paxos_promise promise = {.round = body.prepare.round, .nonce = body.prepare.nonce,
                                              .pre = body.prepare.pre, .from = body.prepare.from, .upto = UINT64_MAX};
        reply(PAXOS_PROMISE, &promise);
        return;
    }
    const struct paxos_beat_ack beat = {.round = body.accept.round, .beat = body.accept.beat,
                                        .received = body.accept.last, .voter = 1};
    const struct paxos_accepted ack = {.round = body.accept.round, .match = body.accept.last, .voter = 1};
    reply(PAXOS_BEAT_ACK, &beat);
    reply(PAXOS_ACCEPTED, &ack);
}
