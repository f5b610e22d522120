/* The node: the only interpreter of effects, and itself free of I/O.
 *
 * It hosts one member of each of its groups, steps it with events, and interprets what it writes: gathers STOREs into
 * one log write a turn, SENDs into one buffer a peer, holds back what waits for a position, applies deliveries to
 * services, runs sessions, moves checkpoints. The simulated and the real host drive it through this header alone, so
 * both run the same program.
 *
 * A host's loop, once a turn:
 *     everything ready goes in:  node_disk_complete, node_peer_*, node_receive, requests (front/)
 *     node_turn(now, wall)       steps the members
 *     node_output / _sent        for each peer: bytes go out, followers first
 *     (front: answers go out)
 *     node_write                 begins this turn's one log write; 1: it is durable already, turn again
 * Bytes given to node_receive must stay in place until node_turn returns. */
#ifndef LOCKSTEP_NODE_NODE_H
#define LOCKSTEP_NODE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/heap.h"
#include "contract/effect.h"
#include "contract/event.h"
#include "contract/header.h"
#include "contract/protocol.h"
#include "contract/service.h"
#include "contract/spec.h"
#include "node/proof.h"
#include "service/directory/directory.h"
#include "storage/disk.h"
#include "storage/wal.h"

struct node;

/* ---- what the node tells ---- */

enum answer_kind {
    ANSWER_VALUE,         /* bytes: a RESP3 value; index: of the command (updates) */
    ANSWER_REFUSED,       /* certainly never happened; bytes: an error's text, code word first */
    ANSWER_INDETERMINATE, /* may or may not have happened, or may yet; bytes: an error's text */
    ANSWER_COUNT,         /* count: of members that have it stored */
};

struct answer {
    enum answer_kind kind;
    struct span bytes; /* borrowed for the call */
    uint64_t index;
    uint32_t count;
};

/* Called during node_turn; must not call back into node_request_*. A cookie is never 0 nor UINT64_MAX. */
struct node_door {
    void *context;
    void (*answer)(void *context, uint64_t cookie, const struct answer *answer);
    /* The read with that cookie has become an update: to keep an order, what is asked behind it must be one too. May be
     * NULL. */
    void (*ordered)(void *context, uint64_t cookie);
};

/* Sees every event, effect and step: traces, checkers and the event hash of the simulator. All may be NULL. */
struct node_observer {
    void *context;
    void (*event)(void *context, uint32_t group, const struct event *event);
    void (*effect)(void *context, uint32_t group, const struct effect *effect);
    void (*stepped)(void *context, uint32_t group);
    /* After a command of a bundle was executed (not for duplicates) by this node's service. */
    void (*applied)(void *context, uint32_t group, const struct delivery *delivery);
    /* A message was dropped with that reject reason (enum reject). */
    void (*rejected)(void *context, int reason);
};

/* A message on its way to one receiver, for node_tamper. `sender` may be changed: whose it is said to be. */
struct node_sending {
    uint32_t group;
    enum header_kind kind; /* HEADER_MESSAGE, HEADER_CLIENT */
    uint16_t type;
    uint32_t to;
    bool to_self;
    uint8_t *body;
    size_t size;
    uint32_t *sender;
};

/* Faults inside a node, for the laboratory: what no host can do from outside (value and state-transition failures;
 * Cristian, "Understanding fault-tolerant distributed systems", CACM 1991, "Failure classification"). Each may be
 * NULL. None can break the node's own order: what is stored, and when a message leaves, stays as it is. */
struct node_tamper {
    void *context;
    /* How often the member is handed this event: 0 skips it, 2 hands it in twice. Not asked for RESTORE, START, STATE
     * and TURN. */
    uint32_t (*event)(void *context, uint32_t group, const struct event *event);
    /* The member's earliest timer fires now, due or not. Asked once a turn. */
    bool (*hastens)(void *context, uint32_t group);
    /* The service's answer may be changed in place, before it is kept, told, or handed back. */
    void (*answered)(void *context, uint32_t group, const struct delivery *delivery, uint8_t *bytes, size_t size);
    /* The body of a protocol's message to members may be changed in place, before its checksum is made. */
    void (*sends)(void *context, uint32_t group, uint16_t type, uint8_t *body, size_t size);
    /* The same for each receiver of it apart, so that they may be told different things, each with a good proof; for
     * messages to clients and from them too. False: this receiver does not get it. */
    bool (*sends_to)(void *context, const struct node_sending *sending);
};

/* ---- making one ---- */

struct node_options {
    uint32_t id;
    const char *cluster_name;   /* with the peers' text it makes the cluster's identity */
    uint64_t cluster;           /* identity: equal on all nodes of the cluster */
    const char *client_address; /* "127.0.0.1:7001", told to peers in the greeting */
    const uint32_t *peers;      /* ids of the other nodes */
    uint32_t peer_count;
    const uint32_t *clients;    /* nodes of clients that are enrolled from the start, whose keys the door has; beside
                                   them there are those of the directory */
    uint32_t client_count;
    const struct group_spec *groups;
    uint32_t group_count;
    uint32_t groups_max;        /* members of groups that the directory in the first group's state may add while the
                                   node runs (service/directory/kv_groups.h), DIRECTORY_GROUPS_MAX at most; 0: none,
                                   and no file "groups". At a client's node: of groups that the members' directory
                                   lists, which the node asks them for */
    bool init;                  /* an empty directory is a new node of a new cluster, not an amnesiac one */
    uint64_t seed;
    struct disk *disk;
    uint64_t wal_segment_bytes; /* 0: default of production */
    uint32_t wal_writes_inflight_max;
    int64_t request_timeout_ns; /* a request's deadline */
    uint32_t window;            /* unanswered requests of one kind and group, at most; a power of two */
    uint64_t peer_output_bytes_max; /* over it, messages to that peer are dropped (loss) */
    size_t working_bytes;       /* heap for buffers and bundles, beside members, services and the log */
    bool allow_ablations;       /* the laboratory */
    struct proof_door proofs;   /* all NULL: there are no keys, and no protocol that needs them can run */
    const struct node_observer *observer; /* NULL: none; hears of the restoring too. Copied. */
    int64_t now_ns, wall_ns;    /* at the start */
};

void node_options_default(struct node_options *out);

/* Heap bytes for a node with these options (address space: services' regions are touched lazily). */
size_t node_heap_size(const struct node_options *options);

/* Opens the directory, restores every member and service, and queues START. 0 and the node, or a negative error and a
 * sentence that says what happened, to what, and what to do. Options and specs are borrowed for its life. */
int node_create(struct node **out, struct heap *heap, const struct node_options *options, char *why, size_t why_size);
void node_set_door(struct node *node, const struct node_door *door);
void node_set_observer(struct node *node, const struct node_observer *observer);
/* False, and nothing is done, unless the options allow ablations: production cannot be tampered with. */
bool node_set_tamper(struct node *node, const struct node_tamper *tamper);
/* Closes files. Unanswered requests get no answer (the host is going). */
void node_destroy(struct node *node);

/* ---- turns ---- */

void node_turn(struct node *node, int64_t now_ns, int64_t wall_ns);
/* Inputs are waiting: call node_turn without sleeping. */
bool node_wants_turn(const struct node *node);
/* Monotone time at which node_turn must be called at the latest. */
int64_t node_next_timer_ns(const struct node *node);
/* 1: something became durable at once, call node_turn; 0: nothing to do or under way; negative: see node_failure. */
int node_write(struct node *node);
/* Bytes that node_write would write now: the host may choose how. */
size_t node_write_size(const struct node *node);
void node_disk_complete(struct node *node, uint64_t token, int status);
/* NULL, or why this node must stop (disk failed, invariant of the data broken). */
const char *node_failure(const struct node *node);

/* ---- peers ---- */

/* The greeting that a connection begins with, in both directions: who dials greets first. */
enum { NODE_GREETING_SIZE_MAX = 256 };
size_t node_greeting(const struct node *node, uint8_t out[NODE_GREETING_SIZE_MAX]);
/* What one whose number is not known is answered by, instead of a greeting. */
size_t node_greeting_refusal(const struct node *node, uint8_t out[NODE_GREETING_SIZE_MAX]);
struct greeting {
    uint32_t node;
    uint64_t incarnation;
    struct span client_address;
};
/* Reads a greeting: bytes consumed, 0 if it is not whole yet, or a negative error with a sentence in `why`
 * (ERROR_WRONG_CLUSTER, ERROR_VERSION, ERROR_WRONG_NODE, ERROR_INVALID for garbage; ERROR_PERMISSION: the other side does
 * not know this node's number); a refusal is counted. With ERROR_WRONG_NODE and ERROR_PERMISSION `out` says who it is. */
int64_t node_greeting_read(struct node *node, struct span bytes, struct greeting *out, char *why,
                           size_t why_size);
/* A connection to that peer is up (a former one is gone), or lost. */
void node_peer_connected(struct node *node, uint32_t peer, uint64_t incarnation, struct span client_address);
void node_peer_lost(struct node *node, uint32_t peer);
/* May the connection to that peer stay? False after a client was expelled, or enrolled again under another key: the host
 * closes it, and there is nothing to be told lost. Asked after a turn. */
bool node_peer_welcome(const struct node *node, uint32_t peer);
/* Messages from a peer, after the greeting. Returns the bytes of whole messages taken; the rest must be given again
 * with what follows. Negative: not our protocol; close the connection. No message is larger than
 * NODE_FRAME_SIZE_MAX: larger ones come in fragments, which the node puts together. */
enum { NODE_FRAME_SIZE_MAX = 65536 + 64 };
int64_t node_receive(struct node *node, uint32_t peer, const uint8_t *bytes, size_t size);
/* Bytes for a peer, to be sent in order; whole messages follow one another, each with its header. */
struct span node_output(struct node *node, uint32_t peer);
void node_output_sent(struct node *node, uint32_t peer, size_t size);

/* ---- requests (front/) ---- */

/* False: the window is full; do not read more from clients now. */
bool node_request_room(const struct node *node, uint32_t group, bool read);
/* The bundle under construction of this turn: append exactly one command (contract/command.h), then commit, or abandon
 * to take back what was appended. `cookie` comes back with the answer. */
struct buffer *node_request_begin(struct node *node, uint32_t group, bool read);
void node_request_commit(struct node *node, uint32_t group, bool read, uint64_t cookie);
void node_request_abandon(struct node *node, uint32_t group, bool read);
/* How many members have stored what was delivered at `index`? One ANSWER_COUNT, or REFUSED/INDETERMINATE. */
void node_request_count(struct node *node, uint32_t group, uint64_t index, uint64_t cookie);
/* Executes a read now on this node's own, possibly stale state; false if the member has none (adopting). */
bool node_read_local(struct node *node, uint32_t group, struct span command, struct buffer *reply);

/* ---- looking in ---- */

struct node_group_status {
    const struct group_spec *spec;
    struct member_status member;
    uint64_t state_index;      /* of the service */
    int64_t state_time_ns;     /* agreed time of the last update */
    uint64_t bytes_used, items;
    uint64_t checkpoint_index; /* youngest durable */
    bool checkpointing, adopting;
    uint64_t pending_updates, pending_reads;
    uint64_t stored_position, first_position;
};
bool node_group_status(const struct node *node, uint32_t group, struct node_group_status *out);
bool node_member_progress(const struct node *node, uint32_t group, uint32_t place, struct member_progress *out);

/* The groups that this node knows of, in the youngest version that it has noted durably; empty without a directory. At a
 * client's node: as it last heard. */
const struct directory *node_directory(const struct node *node);
/* Is there a member of that group here now? Requests may be begun for such groups only. */
bool node_hosts(const struct node *node, uint32_t group);
/* The number of the place-th group that is hosted here, ascending; false behind the last. */
bool node_group_number(const struct node *node, uint32_t place, uint32_t *group);

struct node_peer_status {
    uint32_t node;
    bool client;
    bool connected;
    bool heard; /* it has sent a message since it was connected */
    uint64_t incarnation;
    struct span client_address;
    int64_t last_heard_ns; /* or connected */
    uint64_t output_bytes, dropped;
    uint64_t unproven;  /* messages in its name whose proof is not its */
    uint32_t suspicion; /* the highest that a member of this node has of it */
};
bool node_peer_status(const struct node *node, uint32_t place, struct node_peer_status *out);

/* Why something from outside was not taken. */
#define REJECTS(X)                                    \
    X(NONE, "none")                                   \
    X(MAGIC, "not a lockstep message")                \
    X(VERSION, "version that this build does not speak") \
    X(LENGTH, "impossible length")                    \
    X(CRC, "damaged in transit")                      \
    X(SENDER, "not sent by the peer that it names")   \
    X(GROUP, "group that this node does not host")    \
    X(TYPE, "unknown message type")                   \
    X(PROOF, "proof that is not its sender's")        \
    X(BODY, "malformed body")                         \
    X(INCARNATION, "meant for another incarnation")   \
    X(FRAGMENT, "fragment that fits nothing")         \
    X(GREETING, "greeting refused")                   \
    X(ROLE, "not for its sender to send: no member, or no client")
#define REJECT_ENUM(name, text) REJECT_##name,
enum reject { REJECTS(REJECT_ENUM) REJECT_COUNT };
const char *reject_text(enum reject reason);

struct node_counters {
    uint64_t turns, steps, messages_in, messages_out, bytes_in, bytes_out;
    uint64_t updates, reads, duplicates, gaps_skipped, refused, indeterminate, resubmitted;
    uint64_t checkpoints, checkpoints_failed, adoptions;
    uint64_t rejected[REJECT_COUNT];
    int64_t last_sync_ns; /* latency of the last durable write */
    int64_t max_sync_ns;
};
const struct node_counters *node_counters(const struct node *node);
const struct wal_counters *node_wal_counters(const struct node *node);

uint32_t node_id(const struct node *node);
uint64_t node_incarnation(const struct node *node);

/* For the laboratory: the member's and the service's own state. */
void *node_member(const struct node *node, uint32_t group);
void *node_service(const struct node *node, uint32_t group);
/* The position that the member's next record gets. */
uint64_t node_next_position(const struct node *node, uint32_t group);
/* Digest of session table and service; cost grows with the state. */
uint64_t node_digest(struct node *node, uint32_t group);

#endif
