/* What the checks of transactions share; private to txn*.c.
 *
 * A check works on a history of its own making (txn_history.c), draws edges between its transactions, and looks for
 * cycles (txn_graph.c). When it finds one it takes the transactions of the cycle out as a small history, checks that
 * again with the very same functions, and drops from it whatever can be dropped (txn_reduce.c). */
#ifndef LOCKSTEP_LAB_TXN_INTERNAL_H
#define LOCKSTEP_LAB_TXN_INTERNAL_H

#include <stdarg.h>

#include "lab/txn/txn.h"

/* ---- memory: taken piece by piece, given back at once ---- */

struct txn_block;
struct txn_arena {
    struct heap *heap;
    struct txn_block *blocks;
    bool full; /* something was not to be had */
};
/* Zeroed; never NULL for a count of 0; NULL when the heap is full, which is remembered. */
void *txn_take(struct txn_arena *arena, size_t count, size_t size);
void txn_arena_free(struct txn_arena *arena);

/* ---- histories ---- */

enum txn_function { TXN_READ, TXN_APPEND, TXN_WRITE };
#define TXN_NONE UINT32_MAX

struct txn_micro {
    const uint32_t *elements; /* of a read of a list: value ids */
    uint32_t txn, key;        /* numbers, from 0 */
    uint32_t value;           /* written; or read from a register, VALUE_NONE when it never was written */
    uint32_t count;           /* elements; of an append its place in the version order, from 1, or 0 */
    uint8_t function;         /* enum txn_function */
    bool known;               /* of a read: it ended ok, and what it read is to be explained */
    bool internal;            /* of a read: an earlier micro-operation of its transaction decides it */
    bool final;               /* of a write: the last of its transaction to the key */
};

struct txn {
    uint32_t operation; /* of the record */
    uint32_t first, count; /* micro-operations */
    uint32_t invoked, completed; /* as in the record */
    uint8_t outcome;
    bool happened; /* ok, or somebody saw what it wrote */
};

struct txn_history {
    const struct record *record;
    struct txn_arena *arena;
    struct txn *txns;
    struct txn_micro *micros;
    uint32_t txn_count, micro_count;
    uint32_t *keys; /* their value ids */
    uint32_t key_count;
    bool lists;
    bool keep_writers; /* a part without some writes makes reads wrong that were right: only readers may be left out */
    /* Who wrote this value to this key: micro-operation + 1 at a slot. */
    uint32_t *slots;
    uint32_t slot_mask;
    /* The versions of each key in order: its writes (micro-operations) begin at version_first[key]. */
    uint32_t *versions, *version_first;
};

/* Reads the record. `names` are the functions of reading, appending and writing, NULL where the model has none; false
 * with a reason when it does not fit, or when a value was written twice to a key (`twice`, which may be NULL, is then
 * set and the history is complete but for its index). */
struct txn_names {
    const char *read[3], *append[3], *write[3];
    bool single; /* operations that are micro-operations themselves are allowed */
};
bool txn_history_read(struct txn_history *history, const struct record *record, const struct txn_names *names,
                      struct txn_arena *arena, bool *twice, char *reason, size_t reason_size);
/* The history of some of the transactions (numbers, rising): lists without the elements that others appended, and no
 * reads of what others wrote. */
bool txn_history_subset(struct txn_history *subset, const struct txn_history *history, const uint32_t *txns,
                        uint32_t count, struct txn_arena *arena);
/* The write of that value to that key, or TXN_NONE. */
uint32_t txn_writer(const struct txn_history *history, uint32_t key, uint32_t value);

/* ---- graphs ---- */

enum txn_edge_kind { EDGE_WW, EDGE_WR, EDGE_RW, EDGE_TIME };

/* Nodes are transactions, then helpers, which stand for many edges: all edges into and out of one are of one kind. */
struct txn_edge {
    uint32_t from, to;
    uint32_t kind;
};

struct txn_graph {
    struct txn_arena *arena;
    struct txn_edge *edges;
    size_t edge_count, edge_capacity;
    uint32_t txn_count, node_count;
    bool split;  /* for snapshot isolation: a start and a commit of each transaction */
    bool atomic; /* who read a version and wrote the next one did so at once: updates must not be lost */
    /* After txn_graph_close: node v's edges are targets[starts[v]..starts[v + 1]], each target * 4 + kind. */
    uint32_t *starts, *targets;
    uint32_t inner_count; /* nodes of these */
};

void txn_graph_begin(struct txn_graph *graph, uint32_t txn_count, struct txn_arena *arena);
uint32_t txn_graph_helper(struct txn_graph *graph);
/* An edge from a node to itself is left out. */
void txn_graph_add(struct txn_graph *graph, uint32_t from, uint32_t to, enum txn_edge_kind kind);
/* Edges from every transaction that ended to each that began later, by way of a chain of helpers: linear in number. */
void txn_graph_time(struct txn_graph *graph, const struct txn_history *history);
/* `readers` read a version that all of `writers`, whose order is not known, come after. `before` is the transaction
 * that wrote the version, or TXN_NONE. `marks` is a byte for each transaction, all zero. */
void txn_graph_unordered(struct txn_graph *graph, uint32_t before, const uint32_t *readers,
                         uint32_t reader_count, const uint32_t *writers, uint32_t writer_count, uint8_t *marks);
/* Makes the lists of successors; false when memory ran out. `split` doubles the nodes as snapshot isolation needs. */
bool txn_graph_close(struct txn_graph *graph, bool split);
/* An order of all transactions along the edges of these kinds (bits), and false when there is a cycle. When split, each
 * transaction is there twice. `order` has room for that. */
bool txn_graph_order(struct txn_graph *graph, unsigned kinds, uint32_t *order, uint32_t *count);

struct txn_components {
    uint32_t *order;     /* room for all inner nodes: those that lead nowhere first */
    uint32_t *component; /* the same: the number of each node's */
    uint32_t count;
    bool cyclic; /* one has several nodes */
};
/* The strongly connected components along edges of these kinds; false when memory ran out. */
bool txn_graph_components(struct txn_graph *graph, unsigned kinds, struct txn_components *out);

struct txn_cycle {
    uint32_t *txns, *kinds; /* kinds[i] leads from txns[i] to the next */
    uint32_t count;
    char anomaly[VERDICT_ANOMALY_SIZE];
};
/* The worst cycle that the level forbids, a shortest of its kind as far as a bounded search tells: G0 before G1c before
 * G-single before G2, all those before their variants of real time. False: there is none. */
bool txn_graph_cycle(struct txn_graph *graph, enum txn_level level, struct txn_cycle *cycle);

enum { KINDS_WW = 1 << EDGE_WW, KINDS_WR = 1 << EDGE_WR, KINDS_RW = 1 << EDGE_RW, KINDS_TIME = 1 << EDGE_TIME };
/* The kinds that count at a level. */
unsigned txn_level_kinds(enum txn_level level);

/* ---- checks ---- */

enum txn_result { TXN_FINE, TXN_FOUND, TXN_STUCK };

/* What an analysis says of a history. */
struct txn_finding {
    enum txn_result result;
    char anomaly[VERDICT_ANOMALY_SIZE];
    char reason[VERDICT_REASON_SIZE];
    uint32_t *txns; /* of FOUND: what takes part; of FINE the witness; numbers of this history */
    uint32_t count;
    uint64_t work;
};

/* Analyses a history at a level; memory from the history's arena. */
typedef void txn_analysis(struct txn_history *history, enum txn_level level, const struct verdict_bounds *bounds,
                          struct txn_finding *finding);
txn_analysis txn_analyse_lists, txn_analyse_registers;

/* Runs the analysis, reduces what it finds, and writes the verdict. */
void txn_conclude(struct txn_history *history, txn_analysis *analysis, enum txn_level level,
                  const struct verdict_bounds *bounds, struct heap *heap, struct verdict *verdict);
void txn_verdict_unknown(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A finding about these transactions: the text is printed after their names. */
void txn_found(struct txn_finding *finding, struct txn_history *history, const char *anomaly, const uint32_t *txns,
               uint32_t count, const char *format, ...) __attribute__((format(printf, 6, 7)));
/* A finding about a cycle, each of whose edges is explained; `extra` transactions are evidence. */
void txn_found_cycle(struct txn_finding *finding, struct txn_history *history, struct txn_cycle *cycle,
                     const uint32_t *extra, uint32_t extra_count);
void txn_stuck(struct txn_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void txn_stuck_memory(struct txn_finding *finding);
/* The transactions of an order that happened become the finding's witness. */
void txn_fine(struct txn_finding *finding, const struct txn_history *history, uint32_t *order, uint32_t count);
/* How many elements of a read of a list were there before its own transaction appended. */
uint32_t txn_outer_count(const struct txn_history *history, const struct txn_micro *read);
/* Prints "T12" with the number of the operation in the record, and a value or read. */
const char *txn_print_value(const struct txn_history *history, uint32_t value, char out[64]);
const char *txn_print_read(const struct txn_history *history, const struct txn_micro *read, char out[128]);
bool txn_level_is_at_least_repeatable(enum txn_level level);

/* ---- search ---- */

/* A search for an order of items, one after the other, each only when it is ready. */
struct txn_search {
    void *model;
    /* Executes an item if it can be next; false changes nothing. */
    bool (*enter)(void *model, uint32_t item);
    void (*leave)(void *model, uint32_t item);
    /* An item that, when it can be next, may always be next without loss. */
    bool (*harmless)(const void *model, uint32_t item);
    /* Words of state that the set of entered items does not determine, appended to `out`; NULL: none. */
    uint32_t (*state)(const void *model, uint64_t *out);
    uint32_t state_words;
    uint32_t item_count;
    const uint32_t *invoked, *completed; /* per item, items sorted by invoked; NULL: no real time */
    const bool *optional;                /* items that need not be entered; NULL: none */
    const struct verdict_bounds *bounds;
    uint64_t work_default; /* bound where `bounds` has none */
    uint32_t *order;       /* room for all items */
    uint32_t order_count;
    uint64_t work;
};
enum txn_search_end { TXN_SEARCH_FOUND, TXN_SEARCH_NONE, TXN_SEARCH_WORK, TXN_SEARCH_TIME, TXN_SEARCH_MEMORY };
enum txn_search_end txn_search_run(struct txn_search *search, struct txn_arena *arena);
const char *txn_search_end_text(enum txn_search_end end);

#endif
