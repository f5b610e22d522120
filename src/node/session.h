/* Sessions: what makes a command that was handed in twice execute once.
 *
 * A session is (node, incarnation); its requests are numbered without gaps. The table is part of the replicated,
 * checkpointed state: it changes only by deliveries, in the same way on all members (Ongaro 2014, section 6.3; Lee et
 * al., SOSP 2015, for "first incomplete").
 *
 * Invariants. Numbers of a session execute in ascending order, each at most once. A number above the next one executes
 * only when all those between are known to be complete (below `first incomplete`): so the order sent is kept even
 * when a message was lost and what followed it arrived. A new incarnation ends the old session: its commands never
 * execute any more. Replies are kept until the session says that it has them.
 *
 * Limits, which a session of a malicious client cannot pass either: a reply over SESSION_REPLY_BYTES_MAX, or one that
 * would make the kept ones of its session more than SESSION_KEPT_BYTES_MAX, is not kept, only the fact of its execution.
 * A number SESSION_WINDOW_MAX or more above "first incomplete" does not execute before that has come nearer. */
#ifndef LOCKSTEP_NODE_SESSION_H
#define LOCKSTEP_NODE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/heap.h"
#include "contract/command.h"

enum {
    SESSION_REPLY_BYTES_MAX = 65536,
    SESSION_REPLY_INLINE = 19,
    SESSION_KEPT_BYTES_MAX = 64 << 20, /* beside those kept inline */
    SESSION_WINDOW_MAX = 1 << 20,
    SESSION_CLIENTS_MAX = 64, /* while there are so many sessions, no further client begins one */
};

enum session_verdict {
    SESSION_EXECUTE,
    SESSION_DUPLICATE, /* executed before; its reply may be there */
    SESSION_STALE,     /* of an ended session, or below first incomplete: never executes */
    SESSION_GAP,       /* an earlier number is missing, or the window is passed; it must be handed in again */
};

struct session_reply {
    uint32_t size; /* SESSION_REPLY_LOST: executed, reply not kept */
    union {
        uint8_t inline_bytes[SESSION_REPLY_INLINE + 1];
        uint8_t *bytes;
    };
};
#define SESSION_REPLY_LOST UINT32_MAX

struct session {
    uint32_t node;
    uint64_t incarnation;
    uint64_t last_executed;
    uint64_t first_incomplete;
    struct session_reply *ring; /* of numbers [kept_from, last_executed], at number & mask */
    uint64_t kept_from;
    uint64_t kept_bytes; /* of the replies in the ring that are not inline */
    uint32_t mask;
};

struct session_table {
    struct heap *heap;
    struct session *sessions; /* ascending by node */
    uint32_t count, capacity;
};

void session_table_init(struct session_table *table, struct heap *heap);
void session_table_clear(struct session_table *table);

/* Looks up, or begins, the session of a delivered bundle and takes in its `first incomplete`. NULL: the bundle is of an
 * ended session, or of a client for which there is no room (or the heap is full, which is an invariant broken). */
struct session *session_open(struct session_table *table, const struct bundle *bundle, bool of_member);

/* May this number execute now? */
enum session_verdict session_judge(const struct session *session, uint64_t number);

/* It has executed, with this reply. */
void session_record(struct session_table *table, struct session *session, uint64_t number, struct span reply);

/* The kept reply of an executed number: false when it was not kept. */
bool session_reply(const struct session *session, uint64_t number, struct span *reply);

/* The session of a node, if it has one of that incarnation. */
const struct session *session_find(const struct session_table *table, uint32_t node, uint64_t incarnation);

/* Checkpoint: appends the table; reads it back (false: malformed). */
bool session_table_write(const struct session_table *table, struct buffer *out);
bool session_table_read(struct session_table *table, struct span bytes);

uint64_t session_table_digest(const struct session_table *table);

#endif
