/* Nodes for the tests of this folder: a protocol and a service that do as a test tells them, on disks in memory.
 *
 * The protocol, "puppet", stores each update, delivers it once it is stored, and delivers reads at once; its fields say
 * when to do otherwise. Whatever else a test wants it says in `script`, which sees each event after the puppet has done
 * its own part and may write any effects. The service, "tally", adds numbers; it can be told to want a tick, to answer
 * at length and to have a large state. Time stands still but where a test moves it. */
#ifndef LOCKSTEP_NODE_NODE_TESTING_H
#define LOCKSTEP_NODE_NODE_TESTING_H

#include "contract/header.h"
#include "node/node.h"
#include "storage/disk_testing.h"

/* ---- the protocol ---- */

enum { PUPPET_NOTE = 0 };                    /* messages */
enum { PUPPET_ENTRY = 0, PUPPET_MARK = 1 };  /* records */

#define PUPPET_NOTE_FIELDS(FIELD, S) FIELD(S, U64, value) FIELD(S, BYTES, bytes)
#define PUPPET_ENTRY_FIELDS(FIELD, S) FIELD(S, U64, index) FIELD(S, I64, time_ns) FIELD(S, BYTES, bundle)
#define PUPPET_MARK_FIELDS(FIELD, S) FIELD(S, U64, value)
MESSAGE_STRUCT(puppet_note, PUPPET_NOTE_FIELDS)
MESSAGE_STRUCT(puppet_entry, PUPPET_ENTRY_FIELDS)
MESSAGE_STRUCT(puppet_mark, PUPPET_MARK_FIELDS)

enum puppet_manner {
    PUPPET_TAKE,   /* updates: stored, then delivered; reads: delivered */
    PUPPET_KEEP,   /* nothing happens */
    PUPPET_AGAIN,  /* given back */
    PUPPET_REFUSE, /* refused */
};

/* What the puppet saw, in few words; which of the event's numbers stand in a, b and c says puppet_step(). */
struct puppet_seen {
    enum event_kind kind;
    uint64_t a, b, c;
    int64_t now_ns;
    uint32_t crc;    /* MESSAGE: of the bytes */
    uint32_t origin; /* REQUEST */
};

enum { PUPPET_SEEN_MAX = 4096, PUPPET_ENTRIES_MAX = 4096, PUPPET_DELIVERIES_A_STEP = 32 };

struct puppet_stored {
    uint64_t position, index;
    uint32_t count;
    int64_t time_ns;
};

struct puppet {
    const struct group_spec *spec;
    enum puppet_manner updates, reads;
    uint32_t count_answer; /* to REQUEST_COUNT */
    bool results;          /* deliveries come back as RESULT */
    uint64_t next_index, stored, last_position;
    struct puppet_stored entries[PUPPET_ENTRIES_MAX]; /* to be delivered, at number % PUPPET_ENTRIES_MAX */
    uint64_t entries_head, entries_tail;
    uint64_t delivered_index;
    bool adopting;
    bool amnesiac; /* it was started so, and no test has said since that it is filled */
    struct puppet_seen seen[PUPPET_SEEN_MAX];
    uint32_t seen_count;
    void (*script)(struct puppet *puppet, const struct event *event, struct effects *out);
    uint64_t word; /* the script's own */
};

extern const struct protocol puppet_protocol;
/* Manner of puppets that are made from now on, and whether they name themselves as orderer at START. */
extern enum puppet_manner puppet_updates_at_start;
extern bool puppet_orders_at_start;

/* Sends a note of that many bytes (pattern; see puppet_note_crc). */
struct effect_send *puppet_send(struct effects *out, uint32_t to, uint64_t value, size_t size);
/* Stores a mark and returns its position. */
uint64_t puppet_mark(struct effects *out, uint64_t value);
uint32_t puppet_note_crc(size_t size);

/* ---- the service ---- */

enum tally_op {
    TALLY_ADD = 300,  /* amount: the total */
    TALLY_GET = 301,  /* the total */
    TALLY_WAKE = 302, /* agreed time at which a tick is wanted */
    TALLY_SAY = 303,  /* bytes of an answer */
    TALLY_GROW = 304, /* bytes of the state */
    TALLY_CALL = 305, /* node that a call goes to */
};

struct tally {
    struct heap *heap;
    int64_t total;
    uint64_t padding, ticks;
    int64_t frozen_total;
    uint64_t frozen_padding, frozen_ticks, frozen_at;
    uint8_t head[24]; /* restoring */
    uint64_t restored;
    bool malformed;
};

extern const struct service tally_service;

/* ---- nodes ---- */

enum { BENCH_NODES_MAX = 3, BENCH_ANSWERS_MAX = 4096, BENCH_WINDOW = 16, BENCH_GROUP = 7 };

struct bench_answer {
    uint64_t cookie, index;
    enum answer_kind kind;
    uint32_t count;
    char text[80]; /* ends with a zero */
};

struct machine {
    struct bench *bench;
    uint32_t id, peers[BENCH_NODES_MAX - 1];
    struct heap *disk_heap, *heap;
    struct disk_testing disk;
    struct group_spec spec;
    struct node_options options;
    char address[24];
    struct node *node; /* NULL: down */
    char why[256];     /* why it would not start */
    struct bench_answer answers[BENCH_ANSWERS_MAX];
    uint32_t answer_count;
};

struct bench {
    uint32_t node_count;
    uint32_t members[BENCH_NODES_MAX];
    int64_t now_ns;
    struct machine machines[BENCH_NODES_MAX];
    /* True takes a message from the network; NULL loses nothing. `position` is of a fragment, else 0. */
    bool (*lose)(struct bench *bench, const struct header *header);
    uint64_t lost;
    uint64_t word; /* the test's own */
    size_t piece_bytes; /* how a receiver gets the bytes: so many at a time; 0 is all */
};

/* Nodes 1, 2, … that are down, with empty disks. Ends with bench_free(). */
struct bench *bench_create(uint32_t node_count, const struct protocol *protocol, const struct service *service);
void bench_free(struct bench *bench);
struct machine *bench_machine(struct bench *bench, uint32_t id);
/* Starts it; 0 or the error of node_create. Connects nothing. */
int machine_start(struct machine *machine, bool init);
/* The door that it was started with, for tests that add to it. */
struct node_door machine_door(struct machine *machine);
/* It dies as it stands: what is not durable is kept, lost or torn. */
void machine_crash(struct machine *machine);
/* The same without damage: what was written is durable. */
void machine_stop(struct machine *machine);
/* A connection between two that are up. */
void bench_connect(struct bench *bench, uint32_t a, uint32_t b);
/* One turn, without writing. */
void machine_turn(struct machine *machine);
/* Turns and writes until nothing is left to do. */
void machine_settle(struct machine *machine);
/* Completes what the disk has under way (when it completes later). */
void machine_disk(struct machine *machine);
/* What one has for another goes there, followed by a turn there. False when there was nothing. */
bool bench_carry(struct bench *bench, uint32_t from, uint32_t to);
/* All machines settle and all messages arrive, until nothing moves. */
void bench_settle(struct bench *bench);
/* The same while time passes, from timer to timer. */
void bench_advance(struct bench *bench, int64_t duration_ns);

struct puppet *machine_puppet(const struct machine *machine);
struct tally *machine_tally(const struct machine *machine);
/* Hands in one command with one number as its argument. */
void machine_request(struct machine *machine, bool read, enum tally_op op, int64_t argument, uint64_t cookie);
/* The only answer with that cookie; NULL when there is none. More than one is a failed invariant. */
const struct bench_answer *machine_answer(const struct machine *machine, uint64_t cookie);
/* How many events of a kind the puppet saw since `from` (a seen_count). */
uint32_t puppet_count(const struct puppet *puppet, enum event_kind kind, uint32_t from);
/* The place-th event of that kind that it saw; NULL when there were fewer. */
const struct puppet_seen *puppet_nth(const struct puppet *puppet, enum event_kind kind, uint32_t place);
const struct puppet_seen *puppet_last(const struct puppet *puppet, enum event_kind kind);

#endif
