/* Single-decree Paxos, the synod of Paxos: a group that decides one value, once and for ever, as a register that is
 * written once.
 *
 * Lamport, "The part-time parliament" (ACM TOCS 1998), section 2, and "Paxos made simple" (2001), section 2.
 * Specification: AG-3 and AG-4. The rules by themselves are those of paxos_rules.h; Multi-Paxos (paxos.h) runs them
 * for each slot of a log.
 *
 * Intuition. A proposer asks a majority for a promise (PREPARE) before it proposes (ACCEPT). Any two majorities
 * share a member, so whoever gets a promise in a higher ballot hears of every value that may have been decided in a
 * lower one, and proposes that in place of its own. Nobody waits for anybody in particular: acceptors only ever say
 * yes or no, and a minority may be dead.
 *
 * Every member is proposer, acceptor and learner. A ballot is a round and the node that uses it. A proposer's first
 * acceptor is its own: it stores its promise before the others hear of the ballot, so no ballot is used by two of
 * its lives (PAX-5), and it gives a ballot up when its own acceptor promises a higher one. Who was not answered says
 * the same again, in the same ballot; only who was refused (NACK) takes a higher one, after a drawn time whose bound
 * doubles: proposers who preempt each other would otherwise never end (Fischer, Lynch and Paterson 1985). Who has
 * promised something and hears of no decision asks for it (ASK).
 *
 * Requests. An update proposes the first argument of its command, an integer that is not negative (or one raw byte,
 * as the explorer's requests are), and is answered with what was decided, whoever proposed it. A read is served as
 * it stands.
 *
 * Stable state: promised ballot, accepted ballot and value, decision; on disk before PROMISE and ACCEPTED leave.
 * Every record holds all of it and so supersedes all before; after SYNOD_CHECKPOINT_RECORDS of them a checkpoint
 * takes their place, so the log stays within that bound however long proposers duel.
 *
 * Invariants. PAX-1 one value a ballot. PAX-2 promises and acceptances rise; no acceptance exceeds the promise.
 * PAX-3 what was accepted by a majority is what every higher ballot proposes. PAX-4 agreement; validity: somebody
 * proposed what is decided. PAX-5 no ballot is used twice. PAX-D what is taken for decided is on a majority's disks
 * in one ballot.
 *
 * Deviations. (1) A member whose disk was lost or damaged has forgotten what it promised: it neither promises,
 * accepts nor proposes until it hears the decision, and does not count until then; there is one decision to hear, so
 * nothing else could fill it. (2) Once decided, everything is answered with DECIDED.
 *
 * Limits: SYNOD_MEMBERS_MAX members, SYNOD_QUEUE_MAX requests that wait at a member. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_SYNOD_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_SYNOD_H

#include "contract/protocol.h"
#include "protocol/consensus/paxos_rules.h"

enum {
    SYNOD_MEMBERS_MAX = 64,
    SYNOD_QUEUE_MAX = 64,
    SYNOD_CHECKPOINT_RECORDS = 256,
    /* Names of its timers. */
    SYNOD_TIMER_RETRY = 1, /* of a proposer: say it again, or begin the next ballot */
    SYNOD_TIMER_ASK = 2,   /* of a learner */
};

/* Numbers of the ablations, as bits: ABLATION_PROTOCOL_FIRST << n. */
enum synod_ablation {
    SYNOD_PROMISE_NOT_STORED,
    SYNOD_ACCEPT_NOT_STORED,
    SYNOD_PROMISE_FORGOTTEN_ON_RESTART, /* the record is there, and is not read back */
    SYNOD_ACCEPT_BELOW_PROMISE,
    SYNOD_CHOOSE_OWN_VALUE,  /* what promises report is ignored */
    SYNOD_CHOOSE_FIRST_SEEN, /* … or the first report is taken, not that of the highest ballot */
    SYNOD_QUORUM_TOO_SMALL,  /* one less than a majority */
    SYNOD_AMNESIAC_VOTES,    /* a member that lost its disk goes on as if it were new */
    SYNOD_NO_BACK_OFF,       /* who was refused begins the next ballot at once */
};

enum synod_message {
    SYNOD_PREPARE, /* the ballot is (round, sender), as in ACCEPT */
    SYNOD_PROMISE, /* the ballot is (round, receiver), as in ACCEPTED and NACK; accepted round 0: it accepted nothing */
    SYNOD_ACCEPT,
    SYNOD_ACCEPTED,
    SYNOD_NACK, /* with the ballot that it promised */
    SYNOD_DECIDED,
    SYNOD_ASK, /* has anything been decided? */
    SYNOD_MESSAGES,
};

#define SYNOD_ROUND_FIELDS(FIELD, S) FIELD(S, U64, round)
#define SYNOD_PROMISE_FIELDS(FIELD, S) \
    FIELD(S, U64, round) FIELD(S, U64, accepted) FIELD(S, NODE, by) FIELD(S, U64, value)
#define SYNOD_ACCEPT_FIELDS(FIELD, S) FIELD(S, U64, round) FIELD(S, U64, value)
#define SYNOD_NACK_FIELDS(FIELD, S) FIELD(S, U64, round) FIELD(S, U64, promised) FIELD(S, NODE, to)
#define SYNOD_DECIDED_FIELDS(FIELD, S) FIELD(S, U64, value)
#define SYNOD_ASK_FIELDS(FIELD, S) FIELD(S, U8, amnesiac)
MESSAGE_STRUCT(synod_round, SYNOD_ROUND_FIELDS)
MESSAGE_STRUCT(synod_promise, SYNOD_PROMISE_FIELDS)
MESSAGE_STRUCT(synod_accept, SYNOD_ACCEPT_FIELDS)
MESSAGE_STRUCT(synod_nack, SYNOD_NACK_FIELDS)
MESSAGE_STRUCT(synod_decided, SYNOD_DECIDED_FIELDS)
MESSAGE_STRUCT(synod_ask, SYNOD_ASK_FIELDS)

extern const struct protocol synod_protocol;

/* ---- what the laboratory looks at ---- */

enum synod_phase {
    SYNOD_IDLE,
    SYNOD_PREPARING, /* phase 1: waits for promises */
    SYNOD_PROPOSING, /* phase 2: waits for acceptances */
    SYNOD_WAITING,   /* its ballot was refused; the next one begins when the timer says so */
};

struct synod_seen {
    struct paxos_ballot promised, accepted;
    uint64_t value;  /* of `accepted` */
    bool accepted_stored; /* both are on disk */
    enum synod_phase phase;
    uint64_t round;  /* of the own ballot under way */
    uint64_t proposal; /* PROPOSING: its value */
    bool decided;
    uint64_t decision;
    bool amnesiac;    /* it does not count */
    uint32_t waiting; /* requests */
    uint64_t own;     /* what it proposes where it is free to; while requests wait */
};
void synod_look(const void *self, struct synod_seen *out);

#endif
