/* PBFT: replication that masks arbitrary failures of k members among 3k+1 (Castro and Liskov, "Practical Byzantine
 * fault tolerance", OSDI 1999, and "Practical Byzantine fault tolerance and proactive recovery", TOCS 2002; cited
 * below as Castro99 and Castro02).
 *
 * The primary of a view gives each request a sequence number (PRE-PREPARE); all say what they heard (PREPARE), so that
 * no two requests can have one number in one view; all say that enough heard the same (COMMIT), so that the number
 * keeps its request in every later view. Who waits too long for a request asks for another view.
 *
 * A request is a bundle. Its origin, the node whose clients it comes from, sends it to all members under its own proof
 * (Castro02, section 5: large requests travel apart from their order), and the members order digests.
 *
 * Files: pbft.c (tables, creation, dispatch), pbft_request.c (requests and reads as they come in), pbft_known.c (the
 * requests that are kept), pbft_client.c (whose were executed), pbft_order.c (what is ordered next, patience),
 * pbft_relay.c (requests that reached some members
 * only), pbft_look.c (reads of clients that compare answers), pbft_agree.c (the three phases, execution), pbft_choose.c (what
 * a set of VIEW-CHANGEs decides; pure), pbft_view.c (view change), pbft_checkpoint.c (checkpoints, water marks, state
 * transfer), pbft_status.c (what others lack), pbft_restore.c (restart), pbft_recover.c (restart without a disk),
 * pbft_check.c (invariants), pbft_print.c (state for people), pbft_canonical.c (for the explorer).
 *
 * Deviations. The view change is that of MACs (Castro02, section 3.2.4), for signatures too; the new primary sends the
 * VIEW-CHANGEs themselves, and a member believes those that it got itself or that k+1 others acknowledged to it. What
 * is promised is stored before it is said, so a restart is no fault. Who was away is told what was committed by k+1
 * members (COMMITTED). Reads of a member's own clients are ordered, as an empty request of their node; those of
 * clients that compare answers are executed where they arrive (pbft_look.c). No tentative execution.
 *
 * Limits. A member that lost its disk is one of the k until it knows from where it may vote again (pbft_recover.c). A
 * malicious origin that sends its requests to the primary alone costs view changes (Clement et al., "Making Byzantine
 * fault tolerant systems tolerate Byzantine faults", NSDI 2009). A node trusts itself: clients that do not are clients
 * of the group (contract/client.h). The agreed time is the primary's. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PBFT_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PBFT_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/message.h"
#include "contract/protocol.h"

extern const struct protocol pbft_protocol;

enum {
    PBFT_CLIENTS_MAX = 32, /* clients, beside the members, of which it is remembered what was executed (or as many as the
                              window has numbers, if that is more): those that were executed last. More may ask; those
                              beyond as many share the room for their requests with others. A request for which there
                              is no room is dropped: its client asks again */
};

/* Places of the messages in the table, which are their types on the wire: append only. */
enum pbft_message {
    PBFT_REQUEST,     /* origin, to all */
    PBFT_PRE_PREPARE, /* primary */
    PBFT_PREPARE,
    PBFT_COMMIT,
    PBFT_COMMITTED,   /* this number has this request for ever: k+1 who say so are believed */
    PBFT_FETCH,       /* who has the request with this digest? */
    PBFT_BODY,        /* answer to FETCH */
    PBFT_CHECKPOINT,
    PBFT_VIEW_CHANGE,
    PBFT_VIEW_CHANGE_ACK,
    PBFT_NEW_VIEW,
    PBFT_STATUS,      /* how far the sender is; others send what it lacks */
    PBFT_RECOVER,     /* the sender may have forgotten promises: how far are others? */
    PBFT_RECOVERY_MARKS,
    PBFT_HAVE,        /* requests that wait at the sender */
    PBFT_MESSAGE_COUNT,
};

/* What a number stands for: a request's digest and the agreed time of its execution; all zero: a null request. */
#define PBFT_VALUE_FIELDS(FIELD, S)                                                                                    \
    FIELD(S, U64, digest0) FIELD(S, U64, digest1) FIELD(S, U64, digest2) FIELD(S, U64, digest3) FIELD(S, TIME, time)

/* PRE_PREPARE, PREPARE, COMMIT; COMMITTED, where the view does not matter. */
#define PBFT_VOTE_FIELDS(FIELD, S) FIELD(S, U64, view) FIELD(S, U64, number) PBFT_VALUE_FIELDS(FIELD, S)
MESSAGE_STRUCT(pbft_vote, PBFT_VOTE_FIELDS)

/* A bundle without commands is a barrier for reads; its first number counts those of its origin. */
#define PBFT_BUNDLE_FIELDS(FIELD, S) FIELD(S, BYTES, bundle)
MESSAGE_STRUCT(pbft_bundle, PBFT_BUNDLE_FIELDS)

/* One record: the request as the sender stored it. */
#define PBFT_BODY_FIELDS(FIELD, S) FIELD(S, RECORDS, records)
MESSAGE_STRUCT(pbft_body, PBFT_BODY_FIELDS)

#define PBFT_FETCH_FIELDS(FIELD, S)                                                                                    \
    FIELD(S, U64, digest0) FIELD(S, U64, digest1) FIELD(S, U64, digest2) FIELD(S, U64, digest3)
MESSAGE_STRUCT(pbft_fetch, PBFT_FETCH_FIELDS)

/* The state after sequence number `number`, which is after command `index`, has this seal (base/sha256.h). */
#define PBFT_CHECKPOINT_FIELDS(FIELD, S)                                                                               \
    FIELD(S, U64, number) FIELD(S, U64, index) FIELD(S, U64, size) FIELD(S, U64, digest0) FIELD(S, U64, digest1)      \
        FIELD(S, U64, digest2) FIELD(S, U64, digest3)
MESSAGE_STRUCT(pbft_checkpoint, PBFT_CHECKPOINT_FIELDS)

/* The body's layout opens pbft_choose.c. */
#define PBFT_VIEW_CHANGE_FIELDS(FIELD, S) FIELD(S, U64, view) FIELD(S, BYTES, body)
MESSAGE_STRUCT(pbft_view_change, PBFT_VIEW_CHANGE_FIELDS)

#define PBFT_ACK_FIELDS(FIELD, S)                                                                                      \
    FIELD(S, U64, view) FIELD(S, NODE, of) FIELD(S, U64, digest0) FIELD(S, U64, digest1) FIELD(S, U64, digest2)        \
        FIELD(S, U64, digest3)
MESSAGE_STRUCT(pbft_ack, PBFT_ACK_FIELDS)

/* The VIEW-CHANGEs chosen: for each u32 place, u32 size, body. */
#define PBFT_NEW_VIEW_FIELDS(FIELD, S) FIELD(S, U64, view) FIELD(S, BYTES, changes)
MESSAGE_STRUCT(pbft_new_view, PBFT_NEW_VIEW_FIELDS)

#define PBFT_STATUS_FIELDS(FIELD, S)                                                                                   \
    FIELD(S, U64, view) FIELD(S, U8, active) FIELD(S, U64, executed) FIELD(S, U64, stable)
MESSAGE_STRUCT(pbft_status, PBFT_STATUS_FIELDS)

#define PBFT_RECOVER_FIELDS(FIELD, S) FIELD(S, U64, nonce)
MESSAGE_STRUCT(pbft_recover, PBFT_RECOVER_FIELDS)

/* View and number of the newest checkpoint of the sender. */
#define PBFT_RECOVERY_MARKS_FIELDS(FIELD, S) FIELD(S, U64, nonce) FIELD(S, U64, view) FIELD(S, U64, number)
MESSAGE_STRUCT(pbft_recovery_marks, PBFT_RECOVERY_MARKS_FIELDS)

/* Digests, four u64 each. */
#define PBFT_HAVE_FIELDS(FIELD, S) FIELD(S, BYTES, digests)
MESSAGE_STRUCT(pbft_have, PBFT_HAVE_FIELDS)

/* Places of the records in their table: append only, they lie on disks. */
enum pbft_record {
    PBFT_RECORD_REQUEST,
    PBFT_RECORD_ACCEPTED, /* a PRE-PREPARE: stored before its PREPARE is sent */
    PBFT_RECORD_PREPARED, /* stored before its COMMIT is sent */
    PBFT_RECORD_STATE,    /* everything but requests; what was stored before it does not matter any more */
    PBFT_RECORD_COUNT,
};

#define PBFT_RECORD_REQUEST_FIELDS(FIELD, S) FIELD(S, NODE, origin) FIELD(S, BYTES, bundle)
MESSAGE_STRUCT(pbft_record_request, PBFT_RECORD_REQUEST_FIELDS)

/* `vote_from`: first view in which one who had forgotten may vote again. `change`: bytes of the own VIEW-CHANGE's body, which comes first in `body`; then C, P and Q as in such a body. */
#define PBFT_RECORD_STATE_FIELDS(FIELD, S)                                                                             \
    FIELD(S, U64, view) FIELD(S, U8, active) FIELD(S, U8, forgot) FIELD(S, U64, vote_from) FIELD(S, U64, stable)       \
        FIELD(S, U32, change) FIELD(S, BYTES, body)
MESSAGE_STRUCT(pbft_record_state, PBFT_RECORD_STATE_FIELDS)

/* Rules that the laboratory can switch off: bits of spec.ablations, in the order of pbft_protocol.ablations. */
enum pbft_ablation {
    PBFT_ABLATION_NO_PREPARE = ABLATION_PROTOCOL_FIRST << 0,      /* what the primary says is committed at once */
    PBFT_ABLATION_NO_CERTIFICATES = ABLATION_PROTOCOL_FIRST << 1, /* a new view takes anybody's word for P */
    PBFT_ABLATION_COMMIT_2K = ABLATION_PROTOCOL_FIRST << 2,       /* quorums of 2k instead of 2k+1 */
    PBFT_ABLATION_CHECKPOINT_ALONE = ABLATION_PROTOCOL_FIRST << 3, /* one member's word for a checkpoint is enough */
    PBFT_ABLATION_REQUEST_UNPROVEN = ABLATION_PROTOCOL_FIRST << 4, /* a request need not come from its origin */
    PBFT_ABLATION_NOT_STORED = ABLATION_PROTOCOL_FIRST << 5,       /* votes are sent before they are stored */
    PBFT_ABLATION_LOOK_AT_ONCE = ABLATION_PROTOCOL_FIRST << 6,     /* a look does not wait for what is prepared */
    PBFT_ABLATION_VOTE_FORGOTTEN = ABLATION_PROTOCOL_FIRST << 7,   /* who lost its disk votes as one that is new */
};

struct pbft_value {
    uint64_t digest[4];
    int64_t time;
};
static inline bool pbft_value_equal(const struct pbft_value *a, const struct pbft_value *b)
{
    return a->digest[0] == b->digest[0] && a->digest[1] == b->digest[1] && a->digest[2] == b->digest[2] &&
           a->digest[3] == b->digest[3] && a->time == b->time;
}

/* For the laboratory's checks across members; `self` is what pbft_protocol.create returned. */
uint64_t pbft_view(const void *self);
uint64_t pbft_executed(const void *self); /* sequence numbers, not commands */
uint64_t pbft_stable(const void *self);   /* the low water mark */
uint64_t pbft_window(const void *self);   /* L */
/* What prepared at this number, in the latest view in which something did; false: nothing that is still known. */
bool pbft_prepared_at(const void *self, uint64_t number, uint64_t *view, struct pbft_value *value);
/* What is committed locally at this number; false: nothing that is still known. */
bool pbft_committed_at(const void *self, uint64_t number, struct pbft_value *value);

#endif
