#include "lab/plan/plan_feasible.h"

#include <stddef.h>

#include "base/panic.h"

static const struct plan_proof proofs[PLAN_THEOREMS] = {
    [PLAN_TWO_GENERALS] = {"Akkoyunlu, Ekanadham and Huber 1975; Gray 1978",
                           "Some constraints and tradeoffs in the design of network communications, SOSP; Notes on "
                           "data base operating systems",
                           "Over a link that may lose any message no number of acknowledgements makes two sure of each "
                           "other: without the last of them the same would have to be decided.",
                           "two-generals"},
    [PLAN_FLP] = {"Fischer, Lynch and Paterson 1985",
                  "Impossibility of distributed consensus with one faulty process, JACM 32(2)",
                  "Among asynchronous processes of which one may crash, every protocol that never disagrees has a run "
                  "in which nothing is ever decided.",
                  "flp-duelling-proposers"},
    [PLAN_PEASE] = {"Pease, Shostak and Lamport 1980", "Reaching agreement in the presence of faults, JACM 27(2)",
                    "Processes that lie need 3k+1 in all, unless what they say is signed.", "byzantine-three"},
    [PLAN_LAMPORT] = {"Lamport, Shostak and Pease 1982", "The Byzantine generals problem, TOPLAS 4(3)",
                      "With oral messages k traitors need 3k+1 generals; with signed ones any number will do, and from "
                      "k+2 on there is something to agree on.",
                      "byzantine-three-signed"},
    [PLAN_DOLEV] = {"Dolev, Dwork and Stockmeyer 1987",
                    "On the minimal synchronism needed for distributed consensus, JACM 34(1)",
                    "Agreement despite crashes takes synchronous processes with bounded delay or ordered messages, or "
                    "ordered messages that are multicast in one step; with less a single crash prevents it.",
                    "flooding-late-message"},
    [PLAN_DWORK] = {"Dwork, Lynch and Stockmeyer 1988", "Consensus in the presence of partial synchrony, JACM 35(2)",
                    "Where bounds hold from an unknown time on, agreement takes 2k+1 processes that crash or omit, and "
                    "3k+1 that lie, signed or not.",
                    "paxos-two-servers"},
    [PLAN_CHANDRA] = {"Chandra and Toueg 1996",
                      "Unreliable failure detectors for reliable distributed systems, JACM 43(2)",
                      "A detector that is sometimes wrong takes a majority that is right; what relies on a perfect one "
                      "disagrees when it errs.",
                      "flooding-false-suspicion"},
    [PLAN_SKEEN] = {"Skeen 1981", "Nonblocking commit protocols, SIGMOD",
                    "With two phases there are states in which the others can neither commit nor abort without who is "
                    "down.",
                    "two-phase-commit-blocks"},
    [PLAN_GILBERT] = {"Gilbert and Lynch 2002",
                      "Brewer's conjecture and the feasibility of consistent, available, partition-tolerant web "
                      "services, SIGACT News 33(2)",
                      "While the network is cut, a register that is one for all cannot be answered for on both sides.",
                      "cap-partition"},
};

const struct plan_proof *plan_proof_of(enum plan_theorem theorem)
{
    invariant(theorem < PLAN_THEOREMS, "a theorem is one of the list");
    return &proofs[theorem];
}

const char *plan_can_name(enum plan_can can)
{
    switch (can) {
    case PLAN_YES:
        return "yes";
    case PLAN_IN_TIME:
        return "in time";
    case PLAN_SAFE:
        return "safe only";
    case PLAN_NO:
        return "no";
    case PLAN_OPEN:
        return "open";
    }
    return "?";
}

bool plan_table(bool synchronous, bool delay_bounded, bool ordered, bool multicast)
{
    /* Unordered unicast, unordered multicast, ordered unicast, ordered multicast. */
    static const bool cells[2][2][4] = {
        /* asynchronous: unbounded delay, bounded */
        {{false, false, false, true}, {false, false, false, true}},
        /* synchronous */
        {{false, false, true, true}, {true, true, true, true}},
    };
    return cells[synchronous][delay_bounded][2 * ordered + multicast];
}

static struct plan_feasible no(enum plan_theorem theorem, const char *why)
{
    return (struct plan_feasible){.can = PLAN_NO, .rule = "", .theorem = theorem, .why = why};
}

static uint64_t members_of(enum members_for_k rule, uint64_t k)
{
    switch (rule) {
    case MEMBERS_ANY:
        return 1;
    case MEMBERS_K_PLUS_1:
        return k + 1;
    case MEMBERS_2K_PLUS_1:
        return 2 * k + 1;
    case MEMBERS_3K_PLUS_1:
        return 3 * k + 1;
    }
    return 0;
}

static struct plan_feasible yes(enum plan_can can, enum members_for_k rule, uint64_t k, enum plan_theorem theorem,
                                const char *why)
{
    return (struct plan_feasible){.can = can,
                                  .rule = rule == MEMBERS_ANY ? "" : members_for_k_name(rule),
                                  .members = members_of(rule, k),
                                  .theorem = theorem,
                                  .why = why};
}

static bool lies(const struct plan_question *question)
{
    return question->failures >= MASKS_VALUE;
}

/* Bounds hold from some time on. */
static struct plan_feasible in_time(const struct plan_question *question)
{
    if (lies(question))
        return yes(PLAN_IN_TIME, MEMBERS_3K_PLUS_1, question->k, PLAN_DWORK,
                   "Two quorums of 2k+1 among 3k+1 share k+1 members, of which one is right; signatures do not help.");
    return yes(PLAN_IN_TIME, MEMBERS_2K_PLUS_1, question->k, PLAN_DWORK,
               "Two majorities share a member; a decision comes once messages arrive in time.");
}

/* Bounds are known and hold. */
static struct plan_feasible in_rounds(const struct plan_question *question)
{
    uint64_t k = question->k;
    if (lies(question) && question->signatures) {
        struct plan_feasible answer = yes(PLAN_YES, MEMBERS_ANY, k, PLAN_LAMPORT,
                                          "Signed messages cannot be altered on their way: k+1 rounds, k+2 processes.");
        answer.rule = "k+2";
        answer.members = k + 2;
        return answer;
    }
    if (lies(question))
        return yes(PLAN_YES, MEMBERS_3K_PLUS_1, k, PLAN_PEASE,
                   "With fewer, who is told different things cannot tell which of the others lies: k+1 rounds.");
    if (question->failures == MASKS_CRASH)
        return yes(PLAN_YES, MEMBERS_K_PLUS_1, k, PLAN_THEOREM_NONE,
                   "A crash is noticed for certain when a round ends; one of k+1 rounds is without one (flooding).");
    return yes(PLAN_YES, MEMBERS_2K_PLUS_1, k, PLAN_THEOREM_NONE,
               "Who omits messages, or is late for the round, may not hear either: without a majority of processes "
               "that are right, two halves would decide each for itself.");
}

/* The table, where time is not bounded throughout. */
static struct plan_feasible by_table(const struct plan_question *question)
{
    bool synchronous = question->processes == PLAN_SYNCHRONOUS;
    if (!plan_table(synchronous, question->delay_bounded, question->ordered, question->multicast)) {
        if (!synchronous && !question->delay_bounded && !question->ordered)
            return no(PLAN_FLP, "Who is slow cannot be told from who has crashed.");
        return no(PLAN_DOLEV,
                  "One crash can prevent every decision: these bounds and orders fall short of the minimal cases.");
    }
    if (question->failures != MASKS_CRASH)
        return (struct plan_feasible){.can = PLAN_OPEN, .rule = "", .theorem = PLAN_DOLEV,
                                      .why = "The table says yes for crashes; for stronger failures it says nothing."};
    return yes(PLAN_YES, MEMBERS_K_PLUS_1, question->k, PLAN_DOLEV,
               "The order in which messages arrive is the same for all, so all can decide by it.");
}

static struct plan_feasible with_enough_members(const struct plan_question *question)
{
    if (question->partition == PLAN_ANSWER)
        return no(PLAN_GILBERT, "Both sides of a cut would have to answer for the other, of which they hear nothing.");
    if (question->lossy && question->processes != PLAN_PARTIALLY_SYNCHRONOUS)
        return no(PLAN_TWO_GENERALS, "Every message may be lost, and then nobody may ever be sure of another.");
    if (question->k == 0)
        return yes(question->processes == PLAN_PARTIALLY_SYNCHRONOUS ? PLAN_IN_TIME : PLAN_YES, MEMBERS_ANY, 0,
                   PLAN_THEOREM_NONE, "Nobody fails, so all can wait for all.");
    if (question->processes == PLAN_PARTIALLY_SYNCHRONOUS)
        return in_time(question);
    if (question->processes == PLAN_SYNCHRONOUS && question->delay_bounded)
        return in_rounds(question);
    return by_table(question);
}

struct plan_feasible plan_feasible(const struct plan_question *question)
{
    invariant(question->failures >= MASKS_CRASH && question->k <= PLAN_K_MAX, "a question keeps to its ranges");
    struct plan_feasible answer = with_enough_members(question);
    if (question->members != 0 && question->members < answer.members) {
        answer.can = PLAN_NO;
        answer.why = "There are fewer members than that takes.";
    }
    return answer;
}
