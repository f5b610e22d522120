/* One client connection, as the files of the front see it.
 *
 * Answers leave in the order of the requests: each unanswered request has a slot in a ring. The answer for the oldest
 * slot goes straight into the output; one that comes early is kept in its slot until its turn. A request handed to the
 * node carries a cookie that names the connection's place, its generation and the slot's sequence number, so an answer
 * finds its slot without a search, and one that comes for nobody is noticed.
 *
 * Invariants: head ≤ tail, and the slots between them are the unanswered requests; the slot at head is not answered;
 * pending counts the cookies that the node still owes us, and the memory stays until it is 0. */
#ifndef LOCKSTEP_FRONT_CONNECTION_H
#define LOCKSTEP_FRONT_CONNECTION_H

#include "base/buffer.h"
#include "front/front.h"
#include "front/resp_parser.h"

enum slot_kind {
    SLOT_LOCAL,  /* answered by the front */
    SLOT_READ,   /* a linearizable read */
    SLOT_UPDATE, /* through the log; reads that go behind an update too */
    SLOT_WAIT,
};

enum slot_meaning {
    MEANING_PLAIN,
    MEANING_WRITE, /* its index counts for WAIT */
    MEANING_EXEC,  /* a null is a null array; local commands' answers go in between */
    MEANING_WATCH, /* versions, which are kept */
    MEANING_GROUP_LIST, /* the directory of groups, of which the client gets the names */
    MEANING_GROUP_INFO, /* the same, of which it gets the card of asked_group */
    MEANING_GROUP_CLIENTS, /* the same, of which it gets the enrolled clients */
};

struct slot {
    uint8_t *bytes; /* an answer that came before its turn */
    size_t size;
    uint8_t kind, meaning;
    bool answered;
    bool resp3;  /* the protocol when the request came */
    bool silent; /* CLIENT REPLY OFF or SKIP: nothing is sent */
};

enum connection_list {
    LIST_READY,    /* output to send, or to be closed */
    LIST_RESUMED,  /* may be read again, which the host does not know yet */
    LIST_RUNNABLE, /* was stopped by its own unanswered requests and can go on */
    LIST_ROOM,     /* stopped because the node's window is full */
    LIST_WAITING,  /* in WAIT */
    LIST_COUNT,
};

struct connection_link {
    struct connection *next, *previous;
    bool in;
};

struct connection_queue {
    struct connection *first, *last;
};

enum stall {
    STALL_NONE,
    STALL_ORDER,       /* an update waits for reads */
    STALL_PIPELINE,    /* pipeline_max unanswered */
    STALL_BARRIER,     /* waits until all before it is answered */
    STALL_ROOM_READ,   /* the node's window for reads is full */
    STALL_ROOM_UPDATE, /* that for updates */
};

/* MULTI and WATCH; made at the first of them. */
struct transaction {
    bool open; /* MULTI has been said */
    bool failed; /* a command was refused while collecting: EXEC aborts */
    uint32_t count;       /* of collected commands */
    uint32_t group;       /* that owns its keys, watched ones too; GROUP_ANY: none was named yet */
    uint32_t local_count; /* of those, the front's own */
    struct buffer queued; /* the commands, each encoded; the front's own have TRANSACTION_LOCAL in their flags */
    struct buffer watched; /* for EXEC: u64 version, u32 size, key; repeated */
    struct buffer watching; /* keys whose versions have been asked for: u32 size, key; repeated */
};
enum { TRANSACTION_LOCAL = 1 };
#define GROUP_ANY UINT32_MAX

struct wait {
    uint32_t target;
    uint32_t seen; /* the most members that were counted */
    uint32_t sequence;
    uint32_t group;
    uint64_t index;
    int64_t deadline_ns; /* INT64_MAX: none */
    int64_t poll_ns;     /* when to ask again */
    bool asked;          /* a count is under way */
};

struct connection {
    struct front *front;
    void *host_data;
    uint64_t id;
    uint32_t place, generation;

    struct resp_parser parser;
    struct buffer output;
    size_t output_sent;

    struct slot *slots; /* NULL while nothing is unanswered for long */
    uint32_t slot_capacity; /* a power of two, or 0 */
    uint32_t head, tail;
    uint32_t reads, updates; /* unanswered, with the node */
    uint32_t pending;        /* cookies out */
    uint32_t group;          /* of the requests that are with the node: those of another wait for their answers */
    uint32_t stall_group;    /* whose window is full (STALL_ROOM_…) */

    uint8_t stall;  /* enum stall */
    bool barrier;   /* the next command waits until all slots are answered */
    bool resp3;
    bool readonly;
    bool silent;         /* CLIENT REPLY OFF */
    uint8_t silent_next; /* answers that CLIENT REPLY SKIP still suppresses: its own and the next one */
    bool ending;    /* takes no more input, closes once all is answered and sent */
    bool broken;    /* closes at once */
    bool gone;      /* the host has let go of it */
    bool told_full; /* the host was told not to read */

    struct transaction *transaction;
    struct wait *wait;
    uint64_t last_write_index;
    uint32_t last_write_group;
    char asked_group[32]; /* by GROUP.INFO */

    char *peer, *local, *name, *library_name, *library_version;
    int64_t created_ns, active_ns;
    uint16_t last_op;
    struct connection_link links[LIST_COUNT];
};

static inline uint32_t connection_unanswered(const struct connection *connection)
{
    return connection->tail - connection->head;
}

/* Lists: a connection is in each at most once. */
void connection_list_add(struct connection *connection, enum connection_list list);
void connection_list_remove(struct connection *connection, enum connection_list list);
struct connection *connection_list_take(struct front *front, enum connection_list list);

/* Adds a slot for a request that was just parsed and returns its sequence number; false in `*ok` when the heap is full.
 * It takes the connection's protocol and silence of this moment. */
uint32_t connection_slot_add(struct connection *connection, enum slot_kind kind, enum slot_meaning meaning, bool *ok);
struct slot *connection_slot(struct connection *connection, uint32_t sequence);
uint64_t connection_cookie(const struct connection *connection, uint32_t sequence);

/* Answers a slot with a RESP3 value, now or when its turn comes. */
void connection_answer(struct connection *connection, uint32_t sequence, struct span value);

/* Answers a request that has no slot yet with a RESP3 value. */
void connection_answer_new(struct connection *connection, struct span value);

/* Closes it at once; what is not sent is dropped. */
void connection_break(struct connection *connection);

/* No more input is taken; it closes when all is answered and sent. */
void connection_end(struct connection *connection);

/* Frees what it holds, and itself. Its last answer must have come. */
void connection_free(struct connection *connection);

/* Gives back memory that it does not need while idle. */
void connection_shrink(struct connection *connection);

/* Bytes of heap that it uses. */
size_t connection_memory(const struct connection *connection);

#endif
