/* Weak consistency of registers: the causal family, FIFO (PRAM), the four session guarantees, eventual convergence.
 *
 * A history is a set of sessions, the recorded processes, each a sequence of reads and writes of registers that hold
 * nothing at first. Every write of one key has a value of its own, so that a read names the write that it saw; then all
 * these levels can be decided in polynomial time by patterns (Bouajjani, Enea, Guerraoui and Hamza, "On verifying causal
 * consistency", POPL 2017; the other levels by the same means).
 *
 *   causal               whatever an operation sees, it sees with all that happened before that: each read can be
 *                        explained by some order of its causal past
 *   causal-memory        the same with one order a session (Ahamad and others, "Causal memory", 1995)
 *   causal-convergence   the same with one order of all writes that everybody agrees on
 *   pram                 writes of each session are seen in their order, with one order a session (Lipton and
 *                        Sandberg, 1988); also called FIFO consistency
 *   read-your-writes, monotonic-reads
 *   monotonic-writes, writes-follow-reads   both together with monotonic reads: by what a session sees alone they say
 *                        nothing (Terry and others, "Session guarantees for weakly consistent replicated data", 1994)
 *   eventual             reads that begin after the last write has ended agree in the end
 *
 * Writes that ended info may have happened: they count if somebody read them. Reads that did not end ok say nothing. */
#ifndef LOCKSTEP_LAB_CAUSAL_H
#define LOCKSTEP_LAB_CAUSAL_H

#include "lab/history/record.h"
#include "lab/history/verdict.h"

#define CAUSAL_LEVELS(X)                                                                                               \
    X(CAUSAL, "causal")                                                                                                \
    X(CAUSAL_MEMORY, "causal-memory")                                                                                  \
    X(CAUSAL_CONVERGENCE, "causal-convergence")                                                                        \
    X(PRAM, "pram")                                                                                                    \
    X(READ_YOUR_WRITES, "read-your-writes")                                                                            \
    X(MONOTONIC_READS, "monotonic-reads")                                                                              \
    X(MONOTONIC_WRITES, "monotonic-writes")                                                                            \
    X(WRITES_FOLLOW_READS, "writes-follow-reads")                                                                      \
    X(EVENTUAL, "eventual")
enum causal_level {
#define CAUSAL_LEVEL_ENUM(name, text) CAUSAL_LEVEL_##name,
    CAUSAL_LEVELS(CAUSAL_LEVEL_ENUM) CAUSAL_LEVEL_COUNT
#undef CAUSAL_LEVEL_ENUM
};
const char *causal_level_name(enum causal_level level);

/* Checks a history of reads and writes: functions read, get, r and write, put, set, w; the written value is what the
 * operation was called with. Others, and values written twice, make it UNKNOWN with the reason.
 *
 * The witness of OK: for causal an order of all operations that extends what happened before; for causal-convergence
 * one that is also the agreed order; for causal-memory and pram a part for each session, the order that explains it;
 * for session guarantees an order of all writes; for eventual nothing. For causal-memory and pram only where
 * it has at most CAUSAL_WITNESS_MAX operations in all. */
enum { CAUSAL_WITNESS_MAX = 1 << 22 };
void causal_check(const struct record *record, enum causal_level level, const struct verdict_bounds *bounds,
                  struct heap *heap, struct verdict *out);

/* Checks the witness of an OK again, by definition and without the checker's means. NULL, or what is wrong with it. Takes
 * time that grows with the square of the history. */
const char *causal_verify(const struct record *record, enum causal_level level, const struct verdict *verdict,
                          struct heap *heap);

#endif
