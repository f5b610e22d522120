/* The explorer's state, shared by
 *   explore.c            configuration, permutations, memory
 *   explore_store.c      growing arrays and tables of fingerprints
 *   explore_node.c       a member with its disk and timers: loading and keeping
 *   explore_step.c       what an input does to it
 *   explore_effects.c    what becomes of effects
 *   explore_canonical.c  canonical bytes and fingerprints of node states and messages
 *   explore_successor.c  global states: what can happen, and what comes of it
 *   explore_rounds.c     the same over a synchronous network
 *   explore_lies.c       what traitors may say
 *   explore_search.c     which states were reached, in which order
 *   explore_progress.c   from which states is a goal reachable?
 *   explore_audit.c      do equal canonical states behave alike?
 *   explore_trace.c      a trace again, step by step */
#ifndef LOCKSTEP_HOST_EXPLORE_EXPLORE_INTERNAL_H
#define LOCKSTEP_HOST_EXPLORE_EXPLORE_INTERNAL_H

#include "base/heap.h"
#include "host/explore/explore.h"

enum {
    EXPLORE_PERMUTATIONS_MAX = 120, /* of EXPLORE_NODES_MAX members */
    EXPLORE_RECORDS_MAX = 64,       /* records of one member's disk */
    EXPLORE_HELD_MAX = 48,          /* messages of one member that wait for its disk */
    EXPLORE_ARMED_MAX = 16,
    EXPLORE_RESULTS_MAX = 8,
    EXPLORE_SENT_MAX = 64,          /* messages that one step sends */
    EXPLORE_FLYING_MAX = 120,       /* messages under way in one global state */
    EXPLORE_CANON_BYTES = 64 << 10,
    EXPLORE_BLOCK = 64,             /* bytes: the grain in which images differ from that of a new member */
    EXPLORE_TURNS_MAX = 64,
    EXPLORE_DEPTH_MAX = 100000,
};

struct fingerprint {
    uint64_t low, high;
};

static inline struct fingerprint fingerprint_add(struct fingerprint a, struct fingerprint b)
{
    uint64_t low = a.low + b.low;
    return (struct fingerprint){low, a.high + b.high + (low < a.low)};
}

static inline struct fingerprint fingerprint_subtract(struct fingerprint a, struct fingerprint b)
{
    return (struct fingerprint){a.low - b.low, a.high - b.high - (a.low < b.low)};
}

static inline bool fingerprint_less(struct fingerprint a, struct fingerprint b)
{
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}

static inline bool fingerprint_equal(struct fingerprint a, struct fingerprint b)
{
    return a.low == b.low && a.high == b.high;
}

/* ---- explore_store.c ---- */

/* Bytes that grow in place: address space is reserved, the machine's pages come as they are touched. */
struct pool {
    uint8_t *bytes;
    size_t size, reserved;
};

bool pool_open(struct pool *pool, size_t reserved);
void pool_close(struct pool *pool);
/* Room at the end, zeroed, aligned to 8; NULL when the reservation is used up. */
void *pool_take(struct pool *pool, size_t size);

/* Fingerprints to numbers. Open addressing, linear probing, at most two thirds full. */
struct table {
    struct fingerprint *keys; /* all zero: empty */
    uint32_t *values;
    uint64_t mask, count;
};

bool table_open(struct table *table, uint64_t slots);
void table_close(struct table *table);
/* The value's place; `*is_new` when it was not there before (the value is 0 then). NULL when there is no memory. */
uint32_t *table_put(struct table *table, struct fingerprint key, bool *is_new);
size_t table_bytes(const struct table *table);

struct fingerprint fingerprint_of(const void *bytes, size_t size);

/* ---- nodes ---- */

struct armed {
    uint64_t key;
    uint16_t name;
    uint8_t slot;
    uint8_t kind; /* place in config.timers; EXPLORE_TIMERS_MAX: it never runs out */
    int64_t at_ns;
};

struct held {
    uint32_t message;
    uint32_t after;
};

/* Everything of one member but its heap. Positions are numbers of records: the first is 1. */
struct node {
    uint32_t place;
    bool up;
    bool mortal; /* crashes may still come: what is on the disk matters */
    uint8_t requests; /* handed in here, in this life */
    bool checkpointing;
    uint32_t keep_from; /* of that checkpoint */
    uint64_t incarnation;
    int64_t now_ns;
    uint32_t written, told, durable; /* told: reported as stored; durable: survives */
    uint32_t batch_count;
    uint32_t batches[EXPLORE_RECORDS_MAX]; /* last positions of the writes that are out, oldest first */
    uint32_t records[EXPLORE_RECORDS_MAX];
    uint32_t armed_count, result_count, held_count;
    struct armed armed[EXPLORE_ARMED_MAX];
    uint64_t results[EXPLORE_RESULTS_MAX]; /* tags of deliveries whose answer has not been given */
    struct held held[EXPLORE_HELD_MAX];
    uint32_t extent; /* bytes of the heap in use */
};

/* A node state as it is kept. */
struct kept_node {
    struct fingerprint key;
    uint8_t place;
    bool up;
    uint32_t facts;    /* number of its facts */
    uint64_t image;    /* offset in the pool of images: struct node, then the blocks that differ */
    uint64_t hashes;   /* offset in the pool of hashes: one for each renaming */
    const char *broken; /* what check() said of it */
};

struct kept_message {
    struct fingerprint key;
    uint8_t from, to, slot; /* places */
    uint16_t type;
    uint64_t incarnation, to_incarnation;
    uint64_t body;   /* offset in the pool of bytes */
    uint32_t size;
    uint64_t hashes;
};

struct kept_record {
    uint16_t type;
    uint8_t slot;
    uint32_t size;
    uint64_t body;
};

enum input_kind {
    INPUT_MESSAGE,
    INPUT_TIMER,   /* argument: place in the armed list */
    INPUT_STORED,  /* the oldest write that is out is done */
    INPUT_RESULT,  /* argument: 0 yes, 1 no */
    INPUT_REQUEST, /* argument: its number */
    INPUT_CRASH,   /* argument: records that survive */
    INPUT_RESTART,
    INPUT_SEAL,    /* no crash will come any more; not a transition of its own */
    INPUT_LOSS,    /* argument: message; these two are of the channel, not of a member */
    INPUT_DOUBLE,
    INPUT_CHECKPOINTED, /* the checkpoint that is being written is durable */
    INPUT_LIE,          /* argument: message, of a traitor */
    INPUT_CLOCK,        /* argument: nanoseconds; of all members that are up */
};

static inline uint32_t input_of(enum input_kind kind, uint32_t argument)
{
    return (uint32_t)kind << 28 | argument;
}

static inline enum input_kind input_kind(uint32_t input)
{
    return (enum input_kind)(input >> 28);
}

static inline uint32_t input_argument(uint32_t input)
{
    return input & 0xfffffff;
}

/* What became of an input to a node state. */
struct outcome {
    uint32_t node;  /* the new one */
    uint32_t first; /* of the messages that left, in `sent` */
    uint16_t count;
    bool refused;   /* a request that was not taken: nothing has happened */
    const char *broken;
};

struct facts {
    uint8_t bytes[EXPLORE_FACTS_MAX];
};

/* What is left of the budgets, as what was used: eight bytes, hashed as one word. */
struct used {
    uint8_t crashes, losses, duplicates, requests;
    uint8_t timers[EXPLORE_TIMERS_MAX];
};
_Static_assert(sizeof(struct used) == 8, "used is one word");

/* A global state. It is kept up to the last message under way; those are in rising order of their numbers. */
struct state {
    struct used used;
    uint32_t nodes[EXPLORE_NODES_MAX];
    uint32_t ghost;
    uint32_t done; /* bit by place: takes no more inputs at this instant (explore_rounds.c) */
    uint32_t flying_count;
    uint32_t flying[EXPLORE_FLYING_MAX];
};

/* How a state was reached first. */
struct step {
    uint64_t state; /* offset of the state in its pool */
    uint32_t parent;
    uint32_t input;
    uint32_t depth;
    uint32_t next;      /* with the reduction: 1 + the next state with the same members */
    uint64_t signature; /* of what is under way: a bit for each of 64 classes of messages */
    uint8_t place;
    bool covered; /* a state found later has the same members and more under way */
};

struct search {
    uint32_t count; /* states */
    struct pool stack_pool; /* depth first: states that are not expanded, the next one last, each in 8 bytes */
    uint32_t expanding;
    uint64_t transitions, orbit_states, joint_states;
    uint32_t depth;
    const char *bound, *violation;
    struct step last; /* the violating step; its parent is the state before it */
    bool violated;
};

struct explorer {
    struct explore_config config;
    uint32_t members[EXPLORE_NODES_MAX];
    struct group_spec specs[EXPLORE_NODES_MAX];
    bool apart; /* members that do not influence each other at an instant are taken one after the other */
    uint32_t permutation_count;
    uint32_t permutations[EXPLORE_PERMUTATIONS_MAX][EXPLORE_NODES_MAX]; /* the first is the identity */
    const char *failed; /* why the exploration cannot go on */

    /* memory of members: one region for each place, and one for what a restart would give back */
    uint8_t *regions[EXPLORE_NODES_MAX], *restored[EXPLORE_NODES_MAX];
    size_t region_size;
    void *selves[EXPLORE_NODES_MAX], *restored_selves[EXPLORE_NODES_MAX];
    uint8_t *base[EXPLORE_NODES_MAX], *restored_base[EXPLORE_NODES_MAX]; /* images of new members */
    size_t base_extent[EXPLORE_NODES_MAX], restored_base_extent[EXPLORE_NODES_MAX];
    struct effects effects;
    struct node node; /* the one that is loaded */
    uint32_t sent[EXPLORE_SENT_MAX];
    uint32_t sent_count;
    bool refused;
    uint8_t *canon_bytes;
    const struct explore_tracer *tracer;

    struct pool nodes, images, messages, records, bytes, hashes, outcomes, sent_pool, facts, ghosts, states, parents;
    struct pool lies;
    struct table node_table, message_table, record_table, outcome_table, facts_table, ghost_table, cut_table,
        state_table, name_table, seen_table, silent_table, lie_table;
    uint32_t node_count, message_count, record_count, outcome_count, facts_count, ghost_count, name_count;
    uint64_t steps;

    /* search */
    struct search *search;
    struct pool edges, alternates, alternate_counts, ghost_hashes;
    uint64_t alternate_count;
    uint64_t seed;
};

static inline struct kept_node *kept_node(const struct explorer *x, uint32_t id)
{
    return &((struct kept_node *)(void *)x->nodes.bytes)[id];
}

static inline struct kept_message *kept_message(const struct explorer *x, uint32_t id)
{
    return &((struct kept_message *)(void *)x->messages.bytes)[id];
}

static inline struct kept_record *kept_record(const struct explorer *x, uint32_t id)
{
    return &((struct kept_record *)(void *)x->records.bytes)[id];
}

static inline struct outcome *kept_outcome(const struct explorer *x, uint32_t id)
{
    return &((struct outcome *)(void *)x->outcomes.bytes)[id];
}

static inline const struct fingerprint *hashes_at(const struct explorer *x, uint64_t offset)
{
    return (const struct fingerprint *)(const void *)(x->hashes.bytes + offset);
}

/* explore_node.c */
bool explore_nodes_open(struct explorer *x, char *why, size_t why_size);
void explore_nodes_close(struct explorer *x);
/* The node that is loaded, at the end of the pool of images: its offset, or UINT64_MAX. */
uint64_t explore_image_save(struct explorer *x);
void explore_node_load(struct explorer *x, const struct node *image);
/* The image that is kept of a node state. */
const struct node *explore_node_image(const struct explorer *x, uint32_t id);
/* explore_step.c */
/* Starts the member that is loaded, in its next life. */
void explore_start(struct explorer *x, enum start_kind kind);
/* Gives the records up to `cut` to a new member at the place's second memory. */
void explore_restore(struct explorer *x, uint32_t cut);
/* Executes the input on the node that is loaded. Returns what check() says. */
const char *explore_node_step(struct explorer *x, uint32_t input);

/* explore_node.c */
/* The node that is loaded as a number; the same for canonically equal ones. */
uint32_t explore_node_keep(struct explorer *x, const char *broken);
/* What becomes of an input to a node state, executed or remembered. */
const struct outcome *explore_outcome(struct explorer *x, uint32_t node, uint32_t input);
uint32_t explore_node_first(struct explorer *x, uint32_t place, bool mortal);

/* explore_effects.c */
void explore_interpret(struct explorer *x);
/* The number of a message with that encoded body. */
uint32_t explore_message_keep(struct explorer *x, const struct kept_message *like, const uint8_t *body);
uint8_t explore_request_of(struct span bundle);
/* Lays out the bundle of a request of the node that is loaded. Returns its size. */
size_t explore_request_bundle(const struct explorer *x, uint32_t request, uint8_t *out);

/* explore_canonical.c */
struct fingerprint explore_node_fingerprint(struct explorer *x, uint32_t permutation);
/* Fingerprints of the message under all renamings; the first is its key. */
void explore_message_fingerprints(struct explorer *x, const struct kept_message *message, const uint8_t *body,
                                  struct fingerprint *out);
struct fingerprint explore_ghost_fingerprint(struct explorer *x, const void *ghost, uint32_t permutation);
uint8_t explore_request_at(void *explorer, uint64_t position);

static inline struct step *kept_step(const struct explorer *x, uint32_t id)
{
    return &((struct step *)(void *)x->parents.bytes)[id];
}

static inline const struct state *kept_state(const struct explorer *x, uint32_t id)
{
    return (const struct state *)(const void *)(x->states.bytes + kept_step(x, id)->state);
}

static inline const void *facts_of(const struct explorer *x, uint32_t node)
{
    return ((const struct facts *)(const void *)x->facts.bytes)[kept_node(x, node)->facts].bytes;
}

/* explore_successor.c */
/* The first state. */
void explore_first(struct explorer *x, struct state *out);
/* The state after a transition: input to the member at `place`, or to the channel. False: it cannot be, or it violates
 * something (`*broken`). */
bool explore_successor(struct explorer *x, const struct state *from, uint32_t place, uint32_t input, struct state *to,
                       const char **broken);
/* Calls `each` for every transition that is enabled, until it returns false. */
void explore_enabled(struct explorer *x, const struct state *state,
                     bool (*each)(void *context, uint32_t place, uint32_t input), void *context);

/* explore_progress.c: the first state from which the goal cannot be reached, or UINT32_MAX. */
uint32_t explore_stuck(struct explorer *x);

/* explore_audit.c */
void explore_audit_note(struct explorer *x, uint32_t node);
void explore_audit(struct explorer *x, struct explore_result *result);

/* explore_search.c */
void explore_search(struct explorer *x, struct explore_result *result);

static inline void explore_fail(struct explorer *x, const char *why)
{
    if (x->failed == NULL)
        x->failed = why;
}

#endif
