/* Two-phase commit between the members of one group, with cooperative termination: all or nothing.
 *
 * Gray, "Notes on data base operating systems" (1978), section 5.8.3.3; Skeen, "Nonblocking commit protocols" (SIGMOD
 * 1981) for the states; Bernstein, Hadzilacos and Goodman, "Concurrency control and recovery in database systems"
 * (1987), section 7.4, for cooperative termination and the order of forces. Specification: DC-2 and DC-3.
 *
 * The member whose node takes a client's update coordinates it; all members, the own one too, take part. A
 * participant is asked for its vote by delivering the command as read: an error votes no. On commit every member
 * delivers the command as update, and the client gets the answer of its own node's service; on abort it gets an error
 * that begins with "ABORTED" and says which transaction and why.
 *
 * Intuition. READY is a promise: whoever stored it can still commit after any number of crashes, and may not decide
 * alone any more. So everybody who is READY waits for somebody who knows; if all who can be reached are READY, and the
 * coordinator cannot be, they are blocked, which no protocol with two phases can help (that is what the lab shows).
 *
 * Invariants (the tags are those of check() and of the checkers): AC1 all that decide decide the same; AC2 a decision
 * is final; AC3 commit only if all voted commit; AC4 no failure and all yes: commit; AC5 once failures are repaired,
 * all decide; AC-D who voted commit can still commit after a crash.
 *
 * Deviations from the papers. (1) A coordinator runs one transaction at a time and begins the next when all have
 * acknowledged the last: so a participant remembers one transaction a coordinator, and a newer number says that the
 * older one is forgotten by all. (2) A member holds at most one transaction prepared and votes no to others: there are
 * no locks and no deadlock, and since every member takes part in every transaction, all deliver in the same order.
 * (3) START is forced before the first VOTE_REQUEST, so a coordinator always has a record and "no record" is never
 * read as abort. (4) The three corrections of DC-3: who is INIT moves to ABORT durably before it answers; the
 * coordinator is asked too; recovery never chooses for a READY.
 *
 * Limits. Nothing is masked: a member that is down stops all commits until it is back, and one that lost its disk never
 * takes part again. Reads are answered from the own member and may be older than an answered update of another.
 * Transactions over TWO_PHASE_COMMIT_BYTES_MAX are refused. Calls of the service are dropped. */
#ifndef LOCKSTEP_PROTOCOL_COMMIT_TWO_PHASE_COMMIT_H
#define LOCKSTEP_PROTOCOL_COMMIT_TWO_PHASE_COMMIT_H

#include "contract/protocol.h"

enum {
    TWO_PHASE_COMMIT_BYTES_MAX = 64 << 10, /* of one command in its bundle */
    TWO_PHASE_COMMIT_QUEUE_MAX = 64,       /* transactions that wait for their coordinator */
};

/* Numbers of the ablations, as bits: ABLATION_PROTOCOL_FIRST << n. */
enum two_phase_commit_ablation {
    TPC_VOTE_BEFORE_READY_STORED,
    TPC_INIT_ANSWERS_ABORT_WITHOUT_MOVING,
    TPC_DECIDE_ALONE,
    TPC_SEND_BEFORE_DECISION_STORED,
    TPC_FORGET_BEFORE_ALL_ACKS,
    TPC_ASK_PARTICIPANTS_ONLY,
};

extern const struct protocol two_phase_commit_protocol;

/* ---- what the laboratory looks at ---- */

/* Sequences of a coordinator rise over its incarnations; the incarnation is there for people. */
struct transaction_id {
    uint32_t node; /* of the coordinator */
    uint64_t incarnation;
    uint64_t sequence;
};

enum transaction_state {
    TRANSACTION_INIT,  /* nothing promised */
    TRANSACTION_READY, /* voted commit, stored */
    TRANSACTION_COMMIT,
    TRANSACTION_ABORT,
    TRANSACTION_FORGOTTEN, /* decided by all, and a newer one of the same coordinator is known here */
};

/* State at this member, as participant. */
enum transaction_state two_phase_commit_state(const void *self, struct transaction_id id);

/* The newest transaction of a coordinator that this member, as participant, knows; false when there is none. */
bool two_phase_commit_newest(const void *self, uint32_t coordinator, struct transaction_id *out);

/* True when this member has voted commit for it (AC3 compares this with the others' decisions). */
bool two_phase_commit_voted_commit(const void *self, struct transaction_id id);

/* What this member, as coordinator, has decided about its newest transaction: INIT while it collects votes, and when
 * there has been none (`id` has sequence 0 then). */
enum transaction_state two_phase_commit_decision(const void *self, struct transaction_id *id);

/* True while this member is READY and has asked for the decision without success. The laboratory's oracle: rightly so
 * if and only if everybody who can be reached is READY and the coordinator cannot be. */
bool two_phase_commit_blocked(const void *self);

/* True when this member, as coordinator of its newest transaction, has counted that member's vote for commit, since it
 * started. */
bool two_phase_commit_vote_counted(const void *self, uint32_t node);

/* True while a transaction is undecided here: one that this member was asked about or is READY for, or one that it
 * coordinates and still collects votes for. */
bool two_phase_commit_undecided(const void *self);

#endif
