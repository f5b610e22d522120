/* What a checker says of a history: yes with a witness, no with a counter-history, or unknown with what ran out.
 *
 * A witness is an order of operations that a small verifier, which shares no code with the search, checks again. A
 * counter-history is a set of operations that already cannot be explained; it is minimal: without any one of them (as
 * if it had not been recorded) the rest can be. */
#ifndef LOCKSTEP_LAB_VERDICT_H
#define LOCKSTEP_LAB_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "lab/history/record.h"

enum verdict_kind { VERDICT_OK, VERDICT_ILLEGAL, VERDICT_UNKNOWN };

enum { VERDICT_ANOMALY_SIZE = 40, VERDICT_REASON_SIZE = 1024 };

struct verdict {
    enum verdict_kind kind;
    char anomaly[VERDICT_ANOMALY_SIZE]; /* of ILLEGAL: "G1c", "stale read", "lost update" */
    char reason[VERDICT_REASON_SIZE];   /* of ILLEGAL and UNKNOWN: one sentence that names operations and values */
    /* Ids of operations, on the heap that the checker was given: of OK the witness, of ILLEGAL the counter-history. A
     * witness may be of several parts (one a key, or one a process): part p is from parts[p] to parts[p + 1]. */
    uint32_t *operations;
    uint32_t operation_count;
    uint32_t *parts;
    uint32_t part_count; /* 0: one part that is everything */
    uint64_t work;       /* steps of the search, for benchmarks */
};

/* Bounds of a check. */
struct verdict_bounds {
    uint64_t work_max;   /* steps of the search; 0: no bound */
    int64_t time_ns_max; /* of the processor; 0: no bound */
};

const char *verdict_name(enum verdict_kind kind); /* "ok", "illegal", "unknown" */
/* Gives the lists back. */
void verdict_clear(struct verdict *verdict, struct heap *heap);

#endif
