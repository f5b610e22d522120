/* Events: everything that a member can learn. A member is stepped with one event at a time.
 *
 * Spans in an event are borrowed until the effects of this step have been interpreted, which node/ does right after
 * the step. All times are nanoseconds. */
#ifndef LOCKSTEP_CONTRACT_EVENT_H
#define LOCKSTEP_CONTRACT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "contract/address.h"

enum event_kind {
    EVENT_RESTORE, /* own part of a checkpoint, one record, or a gap; at restart, in order, before START */
    EVENT_START,   /* once */
    EVENT_STORED,  /* everything up to a position survives a crash now */
    EVENT_RESULT,  /* the answer of a delivery or call that asked for it */
    EVENT_STATE,   /* what became of a CHECKPOINT or ADOPT */
    EVENT_PEER,    /* a hint about another member, never proof */
    EVENT_MESSAGE, /* a message has arrived whole, checked and decoded */
    EVENT_REQUEST, /* a client, or the own service, asks; the same numbers may be handed in again */
    EVENT_TIMEOUT, /* a timer that the member armed has run out */
    EVENT_TURN,    /* every input of this turn is in: store and send once for all of them */
};

enum restore_kind { RESTORE_PART, RESTORE_RECORD, RESTORE_GAP };

enum start_kind {
    START_FIRST,     /* a new member of a new group: it has never promised anything */
    START_RESTARTED, /* everything it ever stored was restored */
    START_AMNESIAC,  /* it may have stored and promised things that are lost (empty or damaged disk): it must not
                        vote, lead or count before it is filled from the others */
};

enum request_kind {
    REQUEST_UPDATE, /* a bundle, to be ordered and delivered as update */
    REQUEST_READ,   /* `count` reads that node/ keeps: the protocol delivers them by number, once they are safe. Those of
                       a client (`origin`) are *looks*: the client compares the answers of many members, so one is
                       safe when all that this member may have helped to decide before is executed here */
    REQUEST_COUNT,  /* how many members have stored what was delivered at `index`? answered by REPLY with a count */
    REQUEST_CALL,   /* the own service sends `bytes`, a bundle of one command, to the member `to` of its own group; the
                       calls of a delivery are handed in before the TURN that follows its RESULT */
};

enum peer_state { PEER_CONNECTED, PEER_LOST };

enum state_kind { STATE_DURABLE, STATE_ADOPTED, STATE_FAILED };

struct event_restore {
    enum restore_kind kind;
    uint8_t slot;
    uint16_t type;        /* RESTORE_RECORD */
    uint64_t position;    /* of the record; RESTORE_PART: records from here on follow; RESTORE_GAP: first one lost */
    uint64_t index;       /* RESTORE_PART: the service's state is that after this index */
    const void *body;     /* RESTORE_RECORD: decoded by the protocol's table of records */
    uint64_t digest;      /* RESTORE_PART: of the checkpoint's bytes */
    struct sha256_seal seal; /* RESTORE_PART: of them too, in groups that mask arbitrary failures (spec_proven) */
    struct span part;     /* RESTORE_PART: what the protocol gave to CHECKPOINT */
    uint64_t record_size; /* RESTORE_RECORD: encoded bytes of the body */
};

struct event_start {
    enum start_kind kind;
    uint64_t incarnation;
    uint64_t position; /* the last one stored, 0 if none; the next STORE gets the one after it */
};

struct event_stored {
    uint64_t position;   /* of this member; all up to it are durable */
    uint64_t room_bytes; /* that the log can still take; 0: refuse new work */
    int64_t latency_ns;  /* of the write that made it durable */
};

struct event_result {
    uint64_t tag; /* of the DELIVER or CALL */
    struct span bytes;
};

struct event_state {
    enum state_kind kind;
    uint64_t index;    /* of the service's state in the checkpoint */
    uint64_t position; /* STATE_DURABLE: records before it are gone or going */
    uint64_t digest;   /* of the checkpoint's bytes; the same bytes have the same digest, by chance only others too */
    struct sha256_seal seal; /* of them too, in groups that mask arbitrary failures (spec_proven): nobody can make up others
                                with the same */
    struct span part;  /* STATE_ADOPTED: the protocol's own part */
};

struct event_peer {
    uint32_t node;
    enum peer_state state;
};

struct event_message {
    struct address from;
    uint64_t incarnation; /* of the sender */
    uint8_t slot;
    uint16_t type;
    const void *body;  /* decoded by the protocol's table of messages */
    struct span proof; /* that the sender sent it: checked already; empty for messages that bear none */
};

struct event_request {
    enum request_kind kind;
    uint32_t origin;           /* 0: the session is this node's own; else that of this client of the group */
    uint64_t incarnation;      /* of the session, which is (node, incarnation) */
    uint64_t first_number;     /* updates, reads and looks are numbered apart */
    uint32_t count;
    uint64_t first_incomplete; /* lower numbers never execute */
    struct span bytes;         /* UPDATE and READ: the bundle; CALL: the message */
    uint64_t index;            /* COUNT */
    struct address to;         /* CALL */
};

struct event_timeout {
    uint8_t slot;
    uint16_t name;
    uint64_t key;
};

struct event {
    enum event_kind kind;
    int64_t now_ns;        /* monotone; read after the turn's inputs were */
    int64_t wall_ns;       /* since 1970 */
    int64_t wall_error_ns; /* bound of its error; INT64_MAX: unknown */
    union {
        struct event_restore restore;
        struct event_start start;
        struct event_stored stored;
        struct event_result result;
        struct event_state state;
        struct event_peer peer;
        struct event_message message;
        struct event_request request;
        struct event_timeout timeout;
    };
};

const char *event_kind_name(enum event_kind kind);

#endif
