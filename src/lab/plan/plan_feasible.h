/* Whether agreement is possible at all, and with how many processes: what the literature has proved.
 *
 * Agreement is what consensus, atomic multicast and a replicated state machine need alike (Chandra and Toueg 1996,
 * section 7): all processes that are right decide the same, in the end. The answer depends on how processes fail, on
 * how many of them (k), and on what is known about time:
 *
 * - synchronous: bounds on the pace of processes are known and always hold;
 * - partially synchronous: bounds hold, but from an unknown time on (Dwork, Lynch and Stockmeyer 1988);
 * - asynchronous: there are none.
 *
 * For the first and the last, Dolev, Dwork and Stockmeyer 1987 (as Turek and Shasha 1992 print it) give a table over
 * the delay of messages, their order, and whether a process sends to all in one step. "Ordered" there is stronger than
 * what a FIFO channel gives: messages reach a process in the real-time order in which they were sent, whoever sent
 * them. Their fifth parameter, whether receiving and sending are one step, is taken as no; with it, broadcasts and a
 * bounded delay there is one more case in which agreement is possible. The table is about crashes and about messages
 * that arrive. */
#ifndef LOCKSTEP_LAB_PLAN_FEASIBLE_H
#define LOCKSTEP_LAB_PLAN_FEASIBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/protocol.h"

enum plan_processes { PLAN_SYNCHRONOUS, PLAN_PARTIALLY_SYNCHRONOUS, PLAN_ASYNCHRONOUS };

/* What a side without a quorum is to do while the network is cut. */
enum plan_partition { PLAN_WHOLE, PLAN_REFUSE, PLAN_ANSWER };

struct plan_question {
    enum failure_model failures; /* MASKS_CRASH to MASKS_ARBITRARY */
    uint64_t k;                  /* processes that may fail; at most PLAN_K_MAX */
    enum plan_processes processes;
    bool delay_bounded; /* a bound on the delay of messages is known and holds */
    bool ordered;       /* messages arrive in the real-time order of their sending */
    bool multicast;     /* sending to all is one step: a crash cannot cut it */
    bool lossy;         /* any message may be lost, at any time */
    bool signatures;    /* of messages, that cannot be forged */
    enum order order;   /* in which commands must be delivered; ORDER_NONE: one decision is wanted */
    enum plan_partition partition;
    uint64_t members; /* there are; 0: as many as it takes */
};

#define PLAN_K_MAX UINT64_C(1000000)

enum plan_can {
    PLAN_YES,     /* always */
    PLAN_IN_TIME, /* agreement always; a decision once time behaves */
    PLAN_SAFE,    /* agreement always; a decision perhaps never */
    PLAN_NO,      /* agreement would be lost, or is not what this is for */
    PLAN_OPEN,    /* no result that is quoted here covers the case */
};

const char *plan_can_name(enum plan_can can);

/* Who proved it. */
enum plan_theorem {
    PLAN_THEOREM_NONE,
    PLAN_TWO_GENERALS,
    PLAN_FLP,
    PLAN_PEASE,
    PLAN_LAMPORT,
    PLAN_DOLEV,
    PLAN_DWORK,
    PLAN_CHANDRA,
    PLAN_SKEEN,
    PLAN_GILBERT,
    PLAN_THEOREMS,
};

struct plan_proof {
    const char *name;     /* authors and year */
    const char *where;    /* title, journal */
    const char *claim;    /* one sentence, in our words */
    const char *scenario; /* how the names of scenarios that show it begin, without folder */
};

/* Static; of PLAN_THEOREM_NONE everything is NULL. */
const struct plan_proof *plan_proof_of(enum plan_theorem theorem);

struct plan_feasible {
    enum plan_can can;
    const char *rule;          /* fewest processes, as "2k+1"; empty where k does not matter or no number would do */
    uint64_t members;          /* the number for this k; 0 where no number would do */
    enum plan_theorem theorem; /* of the answer, and of the number */
    const char *why;           /* one sentence. Static */
};

/* A cell of the table of Dolev, Dwork and Stockmeyer. */
bool plan_table(bool synchronous, bool delay_bounded, bool ordered, bool multicast);

/* Answers a question (its ranges are an invariant). */
struct plan_feasible plan_feasible(const struct plan_question *question);

#endif
