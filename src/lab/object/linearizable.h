/* Is a history of single keys linearizable?
 *
 * Linearizable: each operation that ended ok can be given one point between its invocation and its answer, each one
 * that ended info a point somewhere after its invocation or none, so that executing them in the order of their points
 * gives the answers that were seen (Herlihy and Wing, "Linearizability: a correctness condition for concurrent
 * objects", TOPLAS 1990). A history is linearizable if and only if that of each key is (locality, their theorem 1),
 * so keys are checked apart. A key holds a byte string or nothing, and nothing at first.
 *
 * linearizable.c describes the search. */
#ifndef LOCKSTEP_LAB_LINEARIZABLE_H
#define LOCKSTEP_LAB_LINEARIZABLE_H

#include <stdint.h>

#include "base/heap.h"
#include "lab/history/history.h"

enum linearizable_verdict {
    LINEARIZABLE_YES,
    LINEARIZABLE_NO,
    LINEARIZABLE_UNKNOWN, /* the bound on work was reached, or memory ran out */
};

enum { LINEARIZABLE_REASON_SIZE = 512 };

/* A bound on work that suits a campaign: some seconds and 100 MB at the very most. */
#define LINEARIZABLE_WORK_MAX UINT64_C(2000000)

struct linearizable_result {
    enum linearizable_verdict verdict;
    /* Of NO: no order explains the first `prefix_events` events of the whole history, and one does explain those before
     * the last of them, which is the answer of `operation`, on the key with the id `key`. */
    uint32_t key;
    uint32_t operation;
    uint32_t prefix_events;
    uint64_t work; /* configurations that were visited */
    char reason[LINEARIZABLE_REASON_SIZE]; /* of NO and UNKNOWN: a sentence; else empty */
};

struct linearizable;

/* A checker with its memory on that heap, to be used again and again; NULL when the heap has no room. */
struct linearizable *linearizable_create(struct heap *heap);
void linearizable_free(struct linearizable *checker);

/* Checks a history; visits at most `work_max` configurations of each key. The verdict is NO if any key's is, with the
 * smallest prefix over all keys, else UNKNOWN if any is. Interns values in the history, which is otherwise unchanged.
 * Costs about 0.2 µs an operation when nothing is wrong. */
enum linearizable_verdict linearizable_check(struct linearizable *checker, struct history *history, uint64_t work_max,
                                             struct linearizable_result *out);

const char *linearizable_verdict_name(enum linearizable_verdict verdict);

#endif
