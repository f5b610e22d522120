/* What the parts of the check of registers share; private to txn_registers*.c. */
#ifndef LOCKSTEP_LAB_TXN_REGISTERS_H
#define LOCKSTEP_LAB_TXN_REGISTERS_H

#include "lab/txn/txn_internal.h"

struct registers {
    struct txn_history *history;
    struct txn_arena *arena;
    enum txn_level level;
    const struct verdict_bounds *bounds;
    struct txn_finding *finding;
    bool atomic;      /* the level forbids lost updates */
    uint32_t *source; /* by micro-operation: the write that a read saw, or TXN_NONE */
    uint32_t *after;  /* by write: the transaction that replaced it, + 1; 0: not known */
    uint32_t *first_of; /* by key: the same of what was never written */
    uint32_t *writers, *writer_first; /* by key: transactions that write it, in the order of invocation */
    uint32_t *reads, *read_first;     /* by key: outer reads */
    struct txn_graph graph;
};

/* Draws what real time tells of the order of versions. */
void txn_registers_time(struct registers *registers);
/* Searches for an order, after no cycle was found; `order` has room for two entries a transaction. */
void txn_registers_search(struct registers *registers, uint32_t *order);

#endif
