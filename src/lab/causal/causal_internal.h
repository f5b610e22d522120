/* A history of registers as the checkers of the causal family see it; shared by the files causal_*.c:
 *
 *   causal_history   from a record; who read from whom; parts of it
 *   causal_past      what happened before what, as vector clocks
 *   causal_check     causal consistency and convergence
 *   causal_memory    causal memory and PRAM
 *   causal_session   session guarantees
 *   causal_eventual  eventual convergence
 *   causal_counter   counter-histories
 *   causal_verify    checking witnesses */
#ifndef LOCKSTEP_LAB_CAUSAL_INTERNAL_H
#define LOCKSTEP_LAB_CAUSAL_INTERNAL_H

#include <stdbool.h>

#include "lab/causal/causal.h"

/* What a read read: nothing was written yet. */
#define CAUSAL_INITIAL UINT32_MAX
/* No operation. */
#define CAUSAL_NONE (UINT32_MAX - 1)
/* A value that nobody wrote. */
#define CAUSAL_THIN_AIR (UINT32_MAX - 2)

struct causal_operation {
    uint32_t session;
    uint32_t place; /* in its session, from 1 */
    uint32_t key;   /* from 0 */
    bool write;
    uint32_t source;   /* of a read: the write that it saw, or CAUSAL_INITIAL */
    uint32_t recorded; /* operation of the record */
};

/* Operations lie session by session, each in its order. */
struct causal {
    struct heap *heap;
    const struct record *record;
    struct causal_operation *list;
    uint32_t count, session_count, key_count;
    uint32_t *first; /* of each session; first[session_count] is count */
    /* Places of the writes of a session on a key, rising: writes[starts[session * key_count + key]] and on. */
    uint32_t *starts, *writes;
    uint32_t *clocks; /* by operation and session: how many of its operations are in the past, the own one included */
    uint32_t *order;  /* an order of all that extends the past */
};

/* Reads the record. False: `out` says why (UNKNOWN; or ILLEGAL: a value that was never written, or never happened). */
bool causal_init(struct causal *causal, const struct record *record, struct heap *heap, struct verdict *out);
/* The history that holds only these operations (rising), and of them no read whose write is missing. */
bool causal_part(struct causal *part, const struct causal *whole, const uint32_t *operations, uint32_t count);
void causal_free(struct causal *causal);
void causal_out_of_memory(struct verdict *out);

/* The last write of a session on a key among its first `end` operations; CAUSAL_NONE: there is none. */
uint32_t causal_last_write(const struct causal *causal, uint32_t session, uint32_t key, uint32_t end);

static inline uint32_t causal_at(const struct causal *causal, uint32_t session, uint32_t place)
{
    return causal->first[session] + place - 1;
}

static inline const uint32_t *causal_clock(const struct causal *causal, uint32_t operation)
{
    return causal->clocks + (size_t)operation * causal->session_count;
}

/* True when a is in the past of b, or b itself. */
static inline bool causal_before(const struct causal *causal, uint32_t a, uint32_t b)
{
    return causal_clock(causal, b)[causal->list[a].session] >= causal->list[a].place;
}

/* ---- causal_past.c ---- */

/* More edges than those of sessions and reads: from[i] is before to[i]. */
struct causal_edges {
    struct heap *heap;
    uint32_t *from, *to;
    uint32_t *reason; /* the read that asks for it */
    uint32_t count, capacity;
};
void causal_edges_init(struct causal_edges *edges, struct heap *heap);
void causal_edges_free(struct causal_edges *edges);
bool causal_edge(struct causal_edges *edges, uint32_t from, uint32_t to, uint32_t reason);

/* Which reads tie their write before them. */
enum causal_ties { CAUSAL_ALL_READS, CAUSAL_READS_OF_SESSION, CAUSAL_NO_READS };

enum causal_sorted { CAUSAL_SORTED, CAUSAL_CYCLE, CAUSAL_NO_MEMORY };

/* Computes clocks and order of everything under sessions, ties and edges (NULL: none). On a cycle `cycle` gets its
 * operations, one after the other, on the heap. */
enum causal_sorted causal_sort(struct causal *causal, enum causal_ties ties, uint32_t session,
                               const struct causal_edges *edges, uint32_t **cycle, uint32_t *cycle_count);

/* ---- the checkers: verdict's kind OK at first; `suspects` gets operations that contain a counter-history ---- */

struct causal_suspects {
    struct heap *heap;
    uint32_t *list;
    uint32_t count, capacity;
};
bool causal_suspect(struct causal_suspects *suspects, uint32_t operation);

void causal_check_past(struct causal *causal, struct causal_suspects *suspects, struct verdict *out);
void causal_check_convergence(struct causal *causal, struct causal_suspects *suspects, struct verdict *out);
void causal_check_memory(struct causal *causal, bool pram, struct causal_suspects *suspects, struct verdict *out);
void causal_check_session(struct causal *causal, enum causal_level level, struct causal_suspects *suspects,
                          struct verdict *out);
void causal_check_eventual(struct causal *causal, struct causal_suspects *suspects, struct verdict *out);
/* The checker of a level. */
void causal_check_level(struct causal *causal, enum causal_level level, struct causal_suspects *suspects,
                        struct verdict *out);

/* ILLEGAL with that name; the sentence is made of the counter-history at the end. Only the first call counts. */
void causal_illegal(struct verdict *out, const char *anomaly);

/* ---- causal_counter.c ---- */

/* Shrinks the suspects to a minimal counter-history and puts it and a sentence into the verdict. */
void causal_counter(const struct causal *causal, enum causal_level level, struct causal_suspects *suspects,
                    struct verdict *out);
/* Adds the operations of a shortest chain of sessions and reads from a to b, both included. False: no memory. */
bool causal_suspect_path(const struct causal *causal, struct causal_suspects *suspects, uint32_t a, uint32_t b);

#endif
