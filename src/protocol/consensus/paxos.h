/* Multi-Paxos: consensus on a sequence of slots, for a fixed membership.
 *
 * Leslie Lamport, "The Part-Time Parliament", TOCS 16(2), 1998, and "Paxos Made Simple", 2001 (cited below as "PMS"). A
 * proposer that has got promises from a majority for its ballot (phase 1, once for all open slots) leads: it proposes a
 * value for each slot (phase 2), and a value that a majority has accepted in one ballot is chosen.
 *
 * Units. A *slot* holds one bundle of consecutive commands of one session, or a no-op. An *index* counts commands (a
 * no-op counts as one); a slot's index is known only once all slots before it are chosen, for there may be holes. A
 * *position* counts the records that one member stored. A *ballot* is (round, node), see paxos_rules.h. A *beat* is a
 * leader's number for a round of confirmation, by heartbeats and by reads.
 *
 * Files: paxos.c (tables, creation, dispatch), paxos_rules.h (one slot's rules), paxos_window.c (slots in memory),
 * paxos_restore.c (restart), paxos_prepare.c (phase 1: roles and the candidate), paxos_promise.c (phase 1: the
 * acceptor), paxos_lead.c and paxos_progress.c (phase 2: the leader), paxos_accept.c (phase 2: the acceptor and
 * learner), paxos_request.c (what clients ask for), paxos_snapshot.c (delivery, checkpoints, adoption), paxos_recover.c
 * (members that forgot), paxos_check.c (invariants), paxos_print.c, paxos_look.c, paxos_canonical.c. Shared with Raft:
 * peers.h (who counts), pacing.h (what each is sent), reads.h, intake.h (updates, forwarding), election_timer.h,
 * own_disk.h, quorum.h.
 *
 * Deviations, each explained where it is made: a value that a new leader proposes anew is not written again, a RENEW
 * record says that it was accepted in the new ballot; reports of phase 1 come in pieces that the candidate asks for;
 * acceptances are acknowledged as the prefix accepted in the ballot; a round that raises no ballot comes before phase
 * 1, so that a member that was cut off disturbs nobody. Limits: no change of membership, no leases. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/message.h"
#include "contract/protocol.h"
#include "protocol/consensus/paxos_rules.h"

extern const struct protocol paxos_protocol;

/* Places of the messages in the table, which are their types on the wire: append only. In PREPARE, ACCEPT and INSTALL
 * the ballot's node is the sender, in the answers it is the receiver. */
enum paxos_message {
    PAXOS_PREPARE,    /* phase 1a; with `pre`: would you promise? */
    PAXOS_PROMISE,    /* phase 1b: one run of what was accepted */
    PAXOS_ACCEPT,     /* phase 2a: proposals, or only news of what is chosen and of the beat */
    PAXOS_ACCEPTED,   /* phase 2b: on disk up to here */
    PAXOS_NACK,       /* a higher ballot was promised */
    PAXOS_BEAT_ACK,   /* "nothing higher than your ballot", sent before the own disk write */
    PAXOS_FORWARD,    /* a client's bundle, from the member that got it to the leader */
    PAXOS_REFUSE,     /* answer to FORWARD when the bundle was not taken */
    PAXOS_READ,       /* which slot must I have executed before I serve reads? */
    PAXOS_READ_ACK,
    PAXOS_COUNT,      /* how many members have stored this index? */
    PAXOS_COUNT_ACK,
    PAXOS_INSTALL,    /* the slots that you need are gone, adopt my checkpoint */
    PAXOS_RECOVER,    /* a member that forgot what it promised asks for everybody's promise */
    PAXOS_RECOVER_ACK,
    PAXOS_MESSAGE_COUNT,
};

/* `from`: the first slot that the candidate does not know to be chosen, or from which its reports go on. `nonce` is the
 * candidate's incarnation. */
#define PAXOS_PREPARE_FIELDS(FIELD, S)                                                                                 \
    FIELD(S, U64, round) FIELD(S, U64, from) FIELD(S, INCARNATION, nonce) FIELD(S, U8, pre)
MESSAGE_STRUCT(paxos_prepare, PAXOS_PREPARE_FIELDS)

/* Of the slots [from, upto] exactly those in `records` were accepted, all of them in the ballot (accepted_round,
 * accepted_node); `upto` is UINT64_MAX in the last report; `ask`: the next one wants to be asked for. */
#define PAXOS_PROMISE_FIELDS(FIELD, S)                                                                                 \
    FIELD(S, U64, round)                                                                                               \
    FIELD(S, INCARNATION, nonce) FIELD(S, U8, pre) FIELD(S, U64, from) FIELD(S, U64, upto) FIELD(S, U8, ask)           \
        FIELD(S, U64, accepted_round) FIELD(S, NODE, accepted_node) FIELD(S, RECORDS, records)
MESSAGE_STRUCT(paxos_promise, PAXOS_PROMISE_FIELDS)

/* All slots up to `commit` are chosen; `last` is the leader's last slot; `ask` wants an ACCEPTED even without records.
 * The records may name lower ballots, in which their values were proposed first; they are accepted in this one. */
#define PAXOS_ACCEPT_FIELDS(FIELD, S)                                                                                  \
    FIELD(S, U64, round)                                                                                               \
    FIELD(S, U64, commit) FIELD(S, U64, beat) FIELD(S, U64, last) FIELD(S, U8, ask) FIELD(S, RECORDS, records)
MESSAGE_STRUCT(paxos_accept, PAXOS_ACCEPT_FIELDS)

/* Every slot up to `match` is accepted in this ballot, or known to be chosen, and on disk when this message leaves.
 * `held`: highest slot that keeps it from adopting the checkpoint it was offered; 0: none. */
#define PAXOS_ACCEPTED_FIELDS(FIELD, S)                                                                                \
    FIELD(S, U64, round) FIELD(S, U64, match) FIELD(S, U64, held) FIELD(S, U8, voter)
MESSAGE_STRUCT(paxos_accepted, PAXOS_ACCEPTED_FIELDS)

/* `asked` is refused, because (round, node) was promised. */
#define PAXOS_NACK_FIELDS(FIELD, S) FIELD(S, U64, asked) FIELD(S, U64, round) FIELD(S, NODE, node) FIELD(S, U8, pre)
MESSAGE_STRUCT(paxos_nack, PAXOS_NACK_FIELDS)

/* `received`: accepted up to here, on disk or not; so the leader sees at once what got lost. */
#define PAXOS_BEAT_ACK_FIELDS(FIELD, S)                                                                                \
    FIELD(S, U64, round) FIELD(S, U64, beat) FIELD(S, U64, received) FIELD(S, U8, voter)
MESSAGE_STRUCT(paxos_beat_ack, PAXOS_BEAT_ACK_FIELDS)

/* The checkpoint ends with `slot`, whose last command has `index`; the leader has proposed up to `last`. */
#define PAXOS_INSTALL_FIELDS(FIELD, S)                                                                                 \
    FIELD(S, U64, round) FIELD(S, U64, slot) FIELD(S, U64, index) FIELD(S, U64, digest) FIELD(S, U64, beat)            \
        FIELD(S, U64, last)
MESSAGE_STRUCT(paxos_install, PAXOS_INSTALL_FIELDS)

#define PAXOS_RECOVER_FIELDS(FIELD, S) FIELD(S, INCARNATION, nonce)
MESSAGE_STRUCT(paxos_recover, PAXOS_RECOVER_FIELDS)

/* The ballot that the answerer promised; leads: it leads that ballot, and `last` is its last slot now. */
#define PAXOS_RECOVER_ACK_FIELDS(FIELD, S)                                                                             \
    FIELD(S, INCARNATION, nonce) FIELD(S, U64, round) FIELD(S, NODE, node) FIELD(S, U64, last) FIELD(S, U8, leads)
MESSAGE_STRUCT(paxos_recover_ack, PAXOS_RECOVER_ACK_FIELDS)

/* Places of the records in their table: append only, they lie on disks. */
enum paxos_record {
    PAXOS_ENTRY, /* a proposal that was accepted; the latest of a slot holds */
    PAXOS_STATE, /* what the acceptor promised */
    PAXOS_RENEW, /* what is held in these slots is accepted in this ballot as well */
    PAXOS_RECORD_COUNT,
};

/* `commit`: all slots up to it were known to be chosen where the record was written; what they hold lies before it.
 * reported: it was not accepted here, but is what another member reported in phase 1. */
#define PAXOS_ENTRY_FIELDS(FIELD, S)                                                                                   \
    FIELD(S, U64, round)                                                                                               \
    FIELD(S, NODE, node) FIELD(S, U64, slot) FIELD(S, U64, commit) FIELD(S, TIME, time) FIELD(S, U32, count)           \
        FIELD(S, NODE, origin) FIELD(S, U8, reported) FIELD(S, BYTES, bundle)
MESSAGE_STRUCT(paxos_entry, PAXOS_ENTRY_FIELDS)

/* The one with the highest sequence holds. flags: enum paxos_state_flag. */
#define PAXOS_STATE_FIELDS(FIELD, S)                                                                                   \
    FIELD(S, U64, sequence) FIELD(S, U64, round) FIELD(S, NODE, node) FIELD(S, U8, flags)
MESSAGE_STRUCT(paxos_state, PAXOS_STATE_FIELDS)

enum paxos_state_flag {
    PAXOS_RECOVERING = 1, /* the member forgot promises and is not filled yet: it neither promises nor counts */
    PAXOS_AFTER_LOSS = 2, /* it began anew here, without any slot above its checkpoint */
};

#define PAXOS_RENEW_FIELDS(FIELD, S) FIELD(S, U64, round) FIELD(S, NODE, node) FIELD(S, U64, first) FIELD(S, U64, last)
MESSAGE_STRUCT(paxos_renew, PAXOS_RENEW_FIELDS)

enum {
    PAXOS_ACCEPT_RECORDS_MAX = 128, /* entries in one ACCEPT or PROMISE */
    PAXOS_DELIVERIES_MAX = 64,      /* slots delivered in one step */
    PAXOS_FILLS_MAX = 64,           /* holes filled in one step */
};

enum paxos_role { PAXOS_FOLLOWER, PAXOS_PRE_CANDIDATE, PAXOS_CANDIDATE, PAXOS_LEADER };

/* Rules that the laboratory can switch off: bits of spec.ablations, in the order of paxos_protocol.ablations. */
enum paxos_ablation {
    PAXOS_ABLATION_PROMISE_NOT_STORED = ABLATION_PROTOCOL_FIRST << 0, /* a promise is given but not stored */
    PAXOS_ABLATION_ACCEPT_NOT_STORED = ABLATION_PROTOCOL_FIRST << 1,  /* an acceptance is told before it is on disk */
    PAXOS_ABLATION_CHOOSE_OWN = ABLATION_PROTOCOL_FIRST << 2,         /* what phase 1 reports is ignored */
    PAXOS_ABLATION_CHOOSE_FIRST = ABLATION_PROTOCOL_FIRST << 3,       /* the first report is taken, not the highest */
    PAXOS_ABLATION_ACCEPT_LOWER = ABLATION_PROTOCOL_FIRST << 4,       /* late proposals of old ballots are accepted */
    PAXOS_ABLATION_QUORUM_SMALL = ABLATION_PROTOCOL_FIRST << 5,       /* one less than a majority suffices */
    PAXOS_ABLATION_NO_GAP_FILLING = ABLATION_PROTOCOL_FIRST << 6,     /* holes stay holes */
    PAXOS_ABLATION_LEARN_EARLY = ABLATION_PROTOCOL_FIRST << 7,        /* what the leader has accepted alone is chosen */
    PAXOS_ABLATION_READ_NO_ROUND = ABLATION_PROTOCOL_FIRST << 8,      /* reads trust the own role */
    PAXOS_ABLATION_AMNESIAC_VOTES = ABLATION_PROTOCOL_FIRST << 9,     /* a member that forgot promises at once */
};

/* For the laboratory's checks across members; `self` is what paxos_protocol.create returned. */
struct paxos_ballot paxos_promised(const void *self);
enum paxos_role paxos_role(const void *self);
const char *paxos_role_name(enum paxos_role role);
bool paxos_recovering(const void *self);
uint64_t paxos_commit_slot(const void *self);  /* all up to it are known to be chosen */
uint64_t paxos_applied_slot(const void *self); /* … and delivered */
uint64_t paxos_applied_index(const void *self);
uint64_t paxos_first_slot(const void *self); /* that is kept in memory; top + 1 when there is none */
uint64_t paxos_top_slot(const void *self);   /* highest one that was accepted, or the one before the first */

struct paxos_accepted_slot {
    struct paxos_ballot ballot;
    uint64_t position; /* of its record, here */
    int64_t time_ns;   /* with count and origin a hint whose value it is, without its bytes */
    uint32_t count, origin;
    bool reported;     /* not accepted, but known from another member's report in phase 1 */
};
/* What was accepted in this slot; false when nothing was, or it is kept no more. */
bool paxos_slot_at(const void *self, uint64_t slot, struct paxos_accepted_slot *out);

#endif
