/* Between a client of a group and its members.
 *
 * A client takes requests and does not replicate: a voting gateway. It has a session like each member's node, (its node,
 * its incarnation), whose bundles it sends to the members, and whose answers come back from each of them, from what it
 * executed itself. What these messages mean is the same under every protocol, so node/ handles them at the members;
 * at the client's node they are the messages of the client's own core (protocol/replica/voter.h).
 *
 * In groups that mask arbitrary failures each bears a proof (spec_proven): a request a MAC for each member or one
 * signature for the whole bundle, an answer a MAC for the client or a signature for all answers of a turn. */
#ifndef LOCKSTEP_CONTRACT_CLIENT_H
#define LOCKSTEP_CONTRACT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "contract/header.h"
#include "contract/message.h"

/* Places in the table, which are the types on the wire (HEADER_CLIENT): append only. */
enum client_message {
    CLIENT_REQUEST, /* a bundle of updates: to be ordered; sent again, it is answered from what was kept */
    CLIENT_LOOK,    /* a bundle of reads, to be executed here and now; sent again, they are executed again */
    CLIENT_ANSWERS, /* to commands of one session that was executed here */
    CLIENT_MESSAGE_COUNT,
};

#define CLIENT_BUNDLE_FIELDS(FIELD, S) FIELD(S, BYTES, bundle)
MESSAGE_STRUCT(client_bundle, CLIENT_BUNDLE_FIELDS)

/* `looks`: 1, answers to looks; 0, to updates. `orderer` is the node that orders as far as the member knows, 0: nobody.
 * Then for each answer u64 number, u64 index (of the command; looks: of the state; 0: not known any more), u32 size, and
 * the bytes, a RESP3 value. Size CLIENT_ANSWER_LOST without bytes: it was executed, and its answer not kept. */
#define CLIENT_ANSWERS_FIELDS(FIELD, S)                                                                                \
    FIELD(S, INCARNATION, session) FIELD(S, U8, looks) FIELD(S, NODE, orderer) FIELD(S, BYTES, answers)
MESSAGE_STRUCT(client_answers, CLIENT_ANSWERS_FIELDS)
#define CLIENT_ANSWER_LOST UINT32_MAX

/* Most answers that one message holds; a client does not look at those beyond. */
enum { CLIENT_ANSWERS_MAX = 4096 };

extern const struct message_type client_message_types[CLIENT_MESSAGE_COUNT];
extern const struct message_table client_messages; /* of these types */

/* The type of a message of members or clients by its header, where `protocol` is the table of the members' messages; NULL:
 * there is no such type, or it is no message of either. */
const struct message_type *client_or_member_type(const struct message_table *protocol, const struct header *header);

struct client_answer {
    uint64_t number, index;
    bool lost;
    struct span bytes;
};

/* Appends one answer; false when the buffer's heap is full. */
bool client_answer_append(struct buffer *out, const struct client_answer *answer);
/* Next one; advances `rest`. False at the end, and where what is left is malformed. */
bool client_answer_next(struct span *rest, struct client_answer *out);

#endif
