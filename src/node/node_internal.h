/* What the files of node/ share; nobody else includes this. The map:
 *     node_start.c       opening the directory, restoring members
 *     node_member.c      making a member, and ending one
 *     node_groups.c      groups that come and go while the node runs
 *     node_turn.c        the order of one turn; stepping
 *     node_effects.c     interpreting effects
 *     node_deliver.c     commands to services, answers from them
 *     node_request.c     this node's own requests: bundles, deadlines, handing in again
 *     node_client.c      clients of the group: their requests, and what was executed for them
 *     node_learn.c       the same at a client's node, which asks for the directory
 *     node_enrol.c       clients that the directory enrols
 *     node_client_again.c  clients' requests that were given back
 *     node_peer.c        greeting, messages in and out, fragments
 *     node_checkpoint.c  writing checkpoints
 *     node_adopt.c       fetching one from another member, and serving them
 *     session.c          the replicated session table */
#ifndef LOCKSTEP_NODE_NODE_INTERNAL_H
#define LOCKSTEP_NODE_NODE_INTERNAL_H

#include "base/error.h"
#include "base/random.h"
#include "contract/client.h"
#include "contract/header.h"
#include "node/node.h"
#include "node/session.h"
#include "service/directory/kv_groups.h"
#include "storage/checkpoint.h"
#include "storage/identity.h"

enum {
    TIMERS_MAX = 64,           /* armed at once by one member */
    RECORD_TYPES_MAX = 32,     /* of one protocol */
    COUNTS_MAX = 1024,         /* REQUEST_COUNTs under way */
    CHUNK_BYTES = 56 * 1024,   /* of a checkpoint in one message: a chunk is never fragmented */
    CHUNKS_INFLIGHT = 8,       /* asked for and not yet here */
    DELIVER_CALLS_MAX = 16,    /* that one delivery may make */
    NODE_MEMBERS_MAX = 16 + DIRECTORY_GROUPS_MAX, /* given and of the directory */
    LOOKS_MAX = 256,           /* bundles of reads of clients that a member keeps */
    LOOKS_OF_CLIENT_MAX = 64,  /* of one client */
    REASON_SIZE = 256,
    POOL_BUFFERS = 16,
    POOL_BUFFER_BYTES_MAX = 1 << 20, /* larger buffers go back to the heap */
};

/* Of requests that the node makes for itself: no front's cookie is like it. */
#define NODE_COOKIE_OWN UINT64_MAX

/* While a node that lost its disk does not know up to where its former life may have promised something. */
#define FIRST_FROM_UNKNOWN UINT64_MAX

/* ---- requests of this node to one group: updates, or reads ---- */

struct pending {
    uint64_t cookie;
    int64_t deadline_ns;
    bool waiting;
};

/* A bundle that was laid out and has unanswered numbers. */
struct outgoing {
    struct buffer bytes;
    uint64_t first;
    uint32_t count;
    uint32_t handed; /* how often it was handed to the member and not given back */
    bool with_member;
};

struct lane {
    bool read;
    struct buffer building;
    uint64_t building_first;
    uint32_t building_count;
    size_t command_at; /* where the command under construction began */
    uint64_t next_number;
    uint64_t first_incomplete;
    struct pending *ring; /* window entries, at number & mask */
    uint64_t mask;
    struct outgoing *bundles; /* window entries, at place & mask */
    uint64_t bundles_head, bundles_tail;
    uint64_t bundles_looked; /* those before it are with the member */
    bool hand_in;            /* some bundle is not with the member, and may be given to it */
    int64_t again_at_ns;     /* hand in what the member gave back */
    int64_t retry_at_ns;    /* updates: hand in again what got no answer by then */
    int64_t retry_delay_ns;
};

struct count_request {
    uint64_t id, cookie, index;
    int64_t deadline_ns;
    bool sent;
};

struct armed {
    int64_t at_ns;
    uint64_t key;
    uint16_t name;
    uint8_t slot;
};

/* ---- checkpoints ---- */

struct checkpointing {
    struct checkpoint_writer *writer; /* NULL: none is being written */
    struct checkpoint_head head;
    struct buffer piece;
    size_t piece_sent;
    bool service_open, service_done, finishing;
    int64_t next_piece_ns; /* pieces keep a distance, so that commands and the other processes get their time */
};

/* LEAVE: the holder is given up, and its file too once the disk has done with it. */
enum adopt_phase { ADOPT_NONE, ADOPT_FETCH, ADOPT_LEAVE, ADOPT_SEAL, ADOPT_LOAD };

struct adopting {
    enum adopt_phase phase;
    uint32_t holders[16];
    uint32_t holder_count, holder;
    uint64_t index, digest, keep_from;
    struct sha256_seal seal;     /* wanted; size 0: the holder is trusted */
    struct checkpoint_head head; /* of the holder's; size 0 until the first chunk is here */
    uint64_t have;               /* bytes of content received in order */
    struct buffer staged;        /* the last of them, which the writer was not ready for */
    bool fails;                  /* LEAVE: no other holder is asked */
    uint64_t asked;              /* bytes asked for */
    int64_t retry_at_ns;
    uint32_t retries;
    struct checkpoint_writer *writer;
    bool finish_called;
    int sealed; /* 1: durable and verified; negative: it failed */
    struct checkpoint_reader *reader;
    struct buffer front; /* part and table, collected while loading */
    uint64_t loaded;
};

/* ---- queued inputs ---- */

struct queued_result {
    uint64_t tag;
    uint32_t size; /* bytes follow in member.results */
};

struct queued_peer {
    uint32_t node;
    enum peer_state state;
};

/* ---- clients of the group (node_client.c) ---- */

/* A client's bundle of reads, until the protocol says that the state here may answer them. */
struct look {
    uint64_t number; /* at number % LOOKS_MAX; 0: free */
    uint32_t client;
    uint64_t incarnation;
    int64_t deadline_ns;
    struct buffer bundle;
};

/* Answers of this turn to one client's session. */
struct told {
    uint32_t client;
    uint64_t session;
    bool looks;
    struct buffer answers;
};

/* A client's bundle that the protocol gave back (node_client_again.c). */
struct given_back {
    struct buffer bundle;
};

struct clients {
    struct look *looks; /* LOOKS_MAX, once there was one */
    uint64_t next_look;
    size_t look_bytes;
    struct told *told;
    uint32_t told_count, told_capacity;
    struct given_back *kept; /* in their order */
    uint32_t kept_count;
    size_t kept_bytes;
    int64_t again_at_ns; /* hand them in again; INT64_MAX: there are none */
};

struct member {
    struct node *node;
    void *home; /* of the directory (node_groups.c): its block, with its specification; NULL: given by the options */
    const struct group_spec *spec;
    const struct protocol *protocol;
    const struct service *service;
    struct heap *heap, *service_heap;
    void *self, *service_self;
    struct effects effects;
    uint8_t *decoded; /* MESSAGE_STRUCT_SIZE_MAX, aligned */
    uint32_t record_head_size[RECORD_TYPES_MAX];

    bool started, again, touched, stepping;
    struct event_start start;
    uint64_t stored_told;
    uint64_t room_told;

    struct armed timers[TIMERS_MAX];
    uint32_t timer_count;
    int64_t timer_next_ns;

    struct session_table sessions;
    uint64_t state_index;
    int64_t state_time_ns;
    int64_t tick_at_ns;
    bool tick_pending;
    int64_t tick_again_at_ns; /* monotone: no tick is proposed before */
    struct buffer reply;
    struct random random;

    uint64_t view_number;
    uint32_t orderer;

    struct lane lanes[2]; /* updates, reads */
    struct count_request *counts;
    uint32_t count_requests;
    uint64_t next_count_id;
    bool counts_due; /* some are not handed in */

    struct clients clients;
    bool asked_by_client; /* the step under way is about a client's numbers, not about those of the lanes, */
    bool gave_back;       /* and it was not taken */

    struct buffer held;     /* messages and replies that wait for a position */
    size_t held_at;         /* where the first of them begins */
    struct buffer results;  /* queued RESULTs */
    struct buffer calls;    /* queued REQUEST_CALLs: u32 node, u32 group, u32 size, bundle */
    struct buffer to_self;  /* queued own messages: whole, with header */
    struct queued_peer peers_changed[64];
    uint32_t peers_changed_count;

    struct event_state state_event;
    bool state_queued;
    struct buffer state_part;
    uint64_t checkpoint_index, checkpoint_digest;
    struct checkpointing checkpointing;
    struct adopting adopting;
    struct checkpoint_reader *serving; /* cached for peers that fetch */
    uint64_t serving_index;
    struct checkpoint_head serving_head;
};

/* A message too large for one frame: one copy for all its receivers. */
struct blob {
    uint32_t users;
    size_t size;
    uint8_t bytes[];
};

/* One of them on its way to one peer. */
struct large {
    struct large *next;
    struct blob *blob;
    size_t sent;
    uint64_t stream;
};

struct peer {
    uint32_t id;      /* 0: the slot is free */
    bool client;      /* no member of any group: it asks */
    bool enrolled;    /* by the directory, not by the options */
    bool keyed;       /* the door of proofs knows its key */
    uint8_t key[DIRECTORY_KEY_SIZE]; /* of who is enrolled */
    bool connected;
    bool heard; /* since it was connected */
    uint64_t incarnation;
    char client_address[64];
    int64_t last_heard_ns; /* or connected */
    struct buffer out;
    size_t out_sent;
    struct large *large_first, *large_last;
    size_t large_bytes;
    uint64_t next_stream;
    uint8_t *assembling; /* a fragmented message coming in */
    uint64_t assembling_stream, assembling_have, assembling_size;
    uint64_t dropped;
    uint64_t unproven; /* messages whose proof is not its */
    uint32_t suspicion;
};

/* What a client's node hears of the directory (node_learn.c). */
struct learning {
    bool asked, news;
    int64_t next_ns; /* when to ask again */
    struct directory heard;
};

struct input {
    struct peer *peer;
    const uint8_t *bytes; /* header and body */
    bool owned;           /* assembled from fragments: freed after the turn */
};

struct node {
    const struct node_options *options;
    struct heap *heap;
    struct disk *disk;
    struct wal *wal;
    struct node_door door;
    struct node_observer observer;
    struct node_tamper tamper;
    uint64_t incarnation;
    int64_t now_ns, wall_ns;
    struct member *members[NODE_MEMBERS_MAX]; /* ascending by group, but the first of the options comes first */
    uint32_t member_count;
    struct member *given; /* the block of the options' members */
    struct directory directory; /* as noted */
    uint64_t first_from;        /* members of groups created later start as first ones (node_groups.c) */
    struct learning learning;
    bool groups_undone;         /* the note could not be written, or not all of it be done */
    int64_t groups_again_ns;
    struct member *leaving[NODE_MEMBERS_MAX]; /* dropped, but the disk still reads their memory */
    uint32_t leaving_count;
    struct peer *peers; /* the other nodes, ascending by id, then clients */
    uint32_t peer_count;
    struct input *inputs;
    uint32_t input_count, input_capacity;
    struct buffer pool[POOL_BUFFERS];
    uint32_t pool_count;
    struct buffer message; /* scratch for one outgoing message */
    bool stored_changed;   /* a log write completed since the last turn */
    int64_t write_began_ns;
    bool writing;
    struct node_counters counters;
    bool failed;
    char failure[REASON_SIZE];
};

/* node_turn.c */
void member_step(struct member *member, struct event *event);
void member_queue_state(struct member *member, const struct event_state *event, struct span part);
void member_timer_refresh(struct member *member);
struct member *node_member_of(const struct node *node, uint32_t group);
/* Parts the body from its proof, which is empty where none is borne. False: it lacks one, or it is not the sender's. */
bool member_take_proof(const struct member *member, const struct message_type *type, const struct header *header,
                       struct span *body, struct span *proof);

/* node_effects.c */
void member_interpret(struct member *member);
void member_release_held(struct member *member, uint64_t stored);
/* Sends a message of contract/client.h to a client's session, with its proof. */
void member_send_client(struct member *member, uint32_t to, uint64_t incarnation, enum client_message type,
                        const void *body);

/* node_deliver.c */
void member_deliver(struct member *member, const struct effect_deliver *deliver);
void member_start_service(struct member *member);
/* Executes a read of that node's, now; false when the bytes are no command. */
bool member_read(struct member *member, struct span command_bytes, int64_t time_ns, uint32_t origin,
                 struct buffer *reply);

/* node_client.c */
void member_clients_init(struct member *member);
void member_clients_free(struct member *member);
/* The client with that session, if it is connected. */
const struct peer *member_client(const struct member *member, uint32_t id, uint64_t incarnation);
/* One more answer of this turn to it. */
void member_tell_client(struct member *member, const struct peer *client, bool looks,
                        const struct client_answer *answer);
/* At the end of the turn: they go out. */
void member_answer_clients(struct member *member);
/* A message of HEADER_CLIENT from a client. */
void member_client_message(struct member *member, struct peer *client, const struct header *header,
                           struct span body);
/* Hands a bundle in, unless it was executed already or waits behind others of its client. */
void member_client_request(struct member *member, const struct peer *client, const struct bundle *bundle,
                           struct span bytes);

/* node_client_again.c */
/* Are some of this session kept? */
bool member_client_waits(const struct member *member, const struct bundle *bundle);
/* Keeps a bundle, to be handed in again. */
void member_client_keep(struct member *member, const struct bundle *bundle, struct span bytes);
void member_clients_turn(struct member *member);
void member_client_again_free(struct member *member);
void member_deliver_looks(struct member *member, const struct effect_deliver *deliver);

/* node_request.c */
/* False, and nothing is kept, when the heap is full. */
bool lane_init(struct member *member, bool read);
void lane_close_bundle(struct member *member, struct lane *lane);
void lane_hand_in(struct member *member, struct lane *lane);
void lane_answer(struct member *member, struct lane *lane, uint64_t number, const struct answer *answer);
void lane_given_back(struct member *member, struct lane *lane, uint64_t first, uint32_t count);
/* Some of these need a place in the order: all unanswered reads become updates, which keep cookies and deadlines. If one
 * alone did, a read behind it on the same connection could see an older state than it. */
void lane_order_reads(struct member *member, uint64_t first, uint32_t count);
struct outgoing *lane_find(struct lane *lane, uint64_t number);
bool lane_waiting(const struct lane *lane, uint64_t number);
void lane_orderer_changed(struct lane *lane);
bool member_hand_in_due(const struct member *member);
void member_requests_turn(struct member *member);
void member_requests_expire(struct member *member);
void member_answers_from_sessions(struct member *member);
int64_t member_requests_next_ns(const struct member *member);
void member_count_answer(struct member *member, const struct effect_reply *reply);
void member_submit_tick(struct member *member);
void lane_free(struct member *member, struct lane *lane);
struct buffer node_buffer_take(struct node *node);
void node_buffer_give(struct node *node, struct buffer *buffer);

/* node_peer.c */
void member_tell_peer(struct member *member, uint32_t peer, enum peer_state state);
struct peer *node_peer_of(const struct node *node, uint32_t id);
/* Its connection is gone, and what it was to be sent. */
void node_peer_forget(struct node *node, struct peer *peer);
/* Sends one sealed message (header and body) to a node; to itself it is queued. `blob` is where the message lies if it
 * is a large one, else NULL. */
void node_send(struct node *node, struct member *member, uint32_t to, struct span message, struct blob *blob);
struct blob *node_blob_make(struct node *node, size_t size);
void node_blob_release(struct node *node, struct blob *blob);
void node_reject(struct node *node, enum reject reason);
/* The header of a message that this node sends. */
struct header node_header(const struct node *node, enum header_kind kind, uint32_t group, uint8_t slot, uint16_t type);
void node_inputs_drop(struct node *node);

/* node_checkpoint.c */
void member_checkpoint_begin(struct member *member, const struct effect_checkpoint *effect);
void member_checkpoint_drive(struct member *member);
void member_checkpoint_complete(struct member *member, uint64_t token, int status);
bool member_checkpoint_busy(const struct member *member);
int64_t member_checkpoint_next_ns(const struct member *member);

/* node_adopt.c */
void member_adopt_begin(struct member *member, const struct effect_adopt *effect);
void member_adopt_drive(struct member *member);
void member_adopt_message(struct member *member, struct peer *peer, uint16_t type, struct span body);
bool member_adopt_busy(const struct member *member);
int64_t member_adopt_next_ns(const struct member *member);
/* Loads a checkpoint's part, session table and service, a piece a call: 0 to go on, 1 when all is there (the part is
 * then the first part_size bytes of adopting.front), or a negative error. Begin with adopting.loaded == 0. */
int member_load_piece(struct member *member, struct checkpoint_reader *reader, const struct checkpoint_head *head);

/* node_member.c */
/* Makes a member, which draws from that seed, in memory of the node's heap; false, and nothing is kept, when it has no room. */
bool member_make(struct node *node, struct member *member, const struct group_spec *spec, uint64_t seed);
/* Files of checkpoints that it writes or reads; the disk must have done with their memory, or be gone. */
void member_close_files(struct member *member);
/* Gives all its memory back, but not its own block. */
void member_free(struct member *member);
/* Address space that a member of that specification takes at most, in bytes. */
size_t member_heap_size(const struct node_options *options, const struct group_spec *spec);

/* node_learn.c */
/* Is this the node of a client that follows the members' directory? */
bool node_learns_directory(const struct node *node);
/* Fills in what a client's specification of a listed group has of its own; served_by is NULL where this build lacks it. */
void node_learn_spec(const struct node *node, const struct directory_group *group, struct group_spec *spec);
/* Can a client compare the answers of its members? They need a common order, and there must be as many as it asks
 * (group_spec.vote). Of other groups it is no client. */
bool node_learn_suits(const struct node *node, const struct directory_group *group);
/* Asks when it is time. True: the directory is a newer one. */
bool node_learn_turn(struct node *node);
int64_t node_learn_next_ns(const struct node *node);
/* To its own question. */
void node_learn_answer(struct node *node, const struct answer *answer);
/* To another request: it may say that the directory has changed. */
void node_learn_hint(struct node *node, const struct answer *answer);

/* node_groups.c */
/* Does the first group's state here hold the directory? */
bool node_has_directory(const struct node *node);
/* Reads the note; 0, or the error of note_read. */
int node_groups_read(struct node *node);
/* Writes it, with another bound. */
int node_groups_note(struct node *node, uint64_t first_from);
/* Makes the member of a group of the directory; NULL when memory or this build lack what it needs. */
struct member *node_host_group(struct node *node, const struct directory_group *group);
/* Was the group created while promises of this node may have been lost? */
bool node_group_was_lost(const struct node *node, uint32_t number);
/* Once a turn: follows the directory. */
void node_groups_turn(struct node *node);
bool node_groups_wants_turn(const struct node *node);
int64_t node_groups_next_ns(const struct node *node);
void node_leaving_complete(struct node *node, uint64_t token, int status);

/* node_enrol.c */
/* Peers and keys become those of the directory as noted. */
void node_enrol_clients(struct node *node);

/* node.c */
void node_fail(struct node *node, const char *format, const char *what, int error);

#endif
