/* Transactions: which isolation level does a recorded history show?
 *
 * Operations are "txn" with a list of micro-operations [f, key, value] as value: "append" and "r" (list-append), "w"
 * and "r" (rw-register). An ok end holds what the reads returned: a list (null: empty) or a value (null: never
 * written).
 *
 * The method is that of Kingsbury and Alvaro, "Elle: inferring isolation anomalies from experimental observations",
 * VLDB 2020: values tell who wrote what a transaction read, lists even in which order, so the direct serialization
 * graph of Adya, Liskov and O'Neil ("Generalized isolation level definitions", ICDE 2000) can be drawn from outside,
 * and its cycles are the anomalies. Snapshot isolation is decided on a graph with a start and a commit for each
 * transaction, which is acyclic if and only if no cycle is free of adjacent anti-dependencies (Cerone and Gotsman,
 * "Analysing snapshot isolation", PODC 2016). docs/checking-transactions.md says which anomaly each level
 * forbids. */
#ifndef LOCKSTEP_LAB_TXN_H
#define LOCKSTEP_LAB_TXN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/heap.h"
#include "lab/history/record.h"
#include "lab/history/verdict.h"

/* repeatable-read is Adya's PL-2.99. As no operation of these histories reads by predicate, it forbids what
 * serializable does. */
enum txn_level {
    TXN_STRICT_SERIALIZABLE,
    TXN_SERIALIZABLE,
    TXN_SNAPSHOT_ISOLATION,
    TXN_REPEATABLE_READ,
    TXN_READ_COMMITTED,
    TXN_READ_UNCOMMITTED,
};
enum { TXN_LEVELS = TXN_READ_UNCOMMITTED + 1 };

/* "strict-serializable" and so on. */
const char *txn_level_name(enum txn_level level);
/* The level of that name; false when there is none. */
bool txn_level_find(const char *name, enum txn_level *level);

/* Checks a history at a level. The verdict's lists lie on `heap`, which also lends what the check needs meanwhile; when
 * it is full the verdict is unknown. A history that does not fit the model (other functions, values that are written
 * twice) is unknown too, with a reason that names the operation.
 *
 * The witness of ok is a serial order of the transactions that happened; of snapshot-isolation it is the starts and
 * commits in order: each transaction's id twice, its start first. Below that it is an order along the edges that the
 * level counts. txn_verify() checks it.
 *
 * list-append costs about linear time and is exact, except that snapshot-isolation may be unknown when several appends
 * to one key were never read. rw-register infers the order of versions where it can and searches for the rest, which is
 * exponential at worst and so is bounded. */
void txn_check_list_append(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                           struct heap *heap, struct verdict *verdict);
void txn_check_rw_register(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                           struct heap *heap, struct verdict *verdict);

/* A map of keys to values: "txn" with "get", "put" and "append", or those as operations of their own with a key. Puts
 * of values that are unique are checked as rw-register, appends of such as list-append. What mixes them or writes a
 * value twice is searched, at the two serializable levels, for an order in which every read fits: small histories
 * only. */
void txn_check_kv(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                  struct heap *heap, struct verdict *verdict);

/* Accounts: "read" returns all balances, as a map or a list of pairs; "transfer" takes {from, to, amount} or
 * [from, to, amount]. Every read must show the total of the first one, and no balance below zero. When a read ended
 * before any transfer began, it says what was there at first, and then every read and transfer is checked against each
 * other, at the serializable levels, by a search. */
void txn_check_bank(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                    struct heap *heap, struct verdict *verdict);
/* The same for banks that allow debts. */
void txn_check_bank_with_debts(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                               struct heap *heap, struct verdict *verdict);

/* Executes the witness of an ok list-append or rw-register verdict again: in this order, does every read return what it
 * returned, and does the order respect what the level asks for? Shares no code with the checks. False with a sentence
 * in `reason` when not; also when the heap is full. */
bool txn_verify(const struct record *record, enum txn_level level, const struct verdict *verdict, struct heap *heap,
                char *reason, size_t reason_size);

#endif
