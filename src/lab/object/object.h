/* Checks of single objects: registers, sets, queues, stacks, mutexes, counters, keys of a key-value store.
 *
 * Linearizable: each operation that ended ok can be given one point between its invocation and its end, each one that
 * may have happened a point somewhere after its invocation or none, so that executing them in the order of their points
 * gives the answers that were seen (Herlihy and Wing, "Linearizability: a correctness condition for concurrent
 * objects", TOPLAS 1990). A history is linearizable if and only if that of each object is (locality, their theorem 1),
 * so keys are checked apart; of a set that is never read as a whole, so are its elements.
 *
 * Sequentially consistent: one order of all operations of all objects keeps the order of each process and gives the
 * answers that were seen (Lamport, "How to make a multiprocessor computer that correctly executes multiprocess
 * programs", IEEE ToC 1979). It is not local.
 *
 * Objects and their functions (aliases in object_read.c); an answer of null is no value, which is what registers hold
 * and queues give when there is nothing:
 *
 *   register, cas-register  read; write v; cas [old, new] (an ok answer of false: it was not old)
 *   multi-register          read {k: v}, write {k: v}, txn [["r"|"w", k, v], ...], at once
 *   set                     add v, remove v, contains v (true or false), read (the list of all)
 *   queue, stack            enqueue v, dequeue; push v, pop
 *   mutex                   acquire, release
 *   fenced-mutex            the same; acquire answers a token, an integer that is larger than any before
 *   counter                 add n (an integer; 1 when left out), read
 *   kv                      the string functions of Redis: see history.h; an append's answer of null, or of its own
 *                           text, says only that it happened */
#ifndef LOCKSTEP_LAB_OBJECT_H
#define LOCKSTEP_LAB_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/history/record.h"
#include "lab/history/verdict.h"

enum object_type {
    OBJECT_REGISTER,
    OBJECT_MULTI_REGISTER,
    OBJECT_SET,
    OBJECT_QUEUE,
    OBJECT_STACK,
    OBJECT_MUTEX,
    OBJECT_FENCED_MUTEX,
    OBJECT_COUNTER,
    OBJECT_KV,
};

enum object_level { OBJECT_LINEARIZABLE, OBJECT_SEQUENTIAL };

/* Checks a record; the verdict's lists lie on that heap. A record that the model cannot read is UNKNOWN, with a reason
 * that begins with "it is no history". The witness has one part an object (of a sequentially consistent history: one
 * part). A counter-history is minimal in this sense: its operations cannot be explained when of every other one only
 * is known that it may have happened, at any time, with the answer that it got; and without any one of them (of which
 * then also no more is known) they can. Where bounds ran out on the way to it, the reason says that it may not be
 * minimal. */
void object_check(const struct record *record, enum object_type type, enum object_level level,
                  const struct verdict_bounds *bounds, struct heap *heap, struct verdict *verdict);

/* Does this witness explain the record? A second opinion that shares nothing with the search: it executes the order on
 * a plain object and compares times. On false, `why` says what is wrong, or that the heap is full. Takes time in
 * proportion to the record's size. */
bool object_verify(const struct record *record, enum object_type type, enum object_level level,
                   const struct verdict *witness, struct heap *heap, char *why, size_t why_size);

#endif
