/* What the parts of the check of lists share; private to txn_lists*.c. */
#ifndef LOCKSTEP_LAB_TXN_LISTS_H
#define LOCKSTEP_LAB_TXN_LISTS_H

#include "lab/txn/txn_internal.h"

struct lists {
    struct txn_history *history;
    struct txn_arena *arena;
    enum txn_level level;
    struct txn_finding *finding;
    uint32_t *longest; /* by key: the longest read, or TXN_NONE */
    struct txn_graph graph;
    uint8_t *marks;
    /* By key: transactions that appended what nobody read, and those that read all there was. */
    uint32_t *tail_writers, *tail_writer_first, *tail_readers, *tail_reader_first;
};

/* For snapshot isolation: finds an order of starts and commits, each transaction twice, so that no two writers of a key
 * overlap. False when none was found. */
bool txn_lists_order_tails(struct lists *lists, uint32_t *order);

#endif
