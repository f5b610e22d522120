/* Raft: consensus on a log of commands, for a fixed membership.
 *
 * Diego Ongaro, "Consensus: Bridging Theory and Practice", PhD thesis, Stanford 2014 (cited below as "thesis"); the
 * paper is Ongaro and Ousterhout, USENIX ATC 2014. One member leads a term; it alone appends, the others copy its log;
 * an entry is committed once a majority has it on disk and it, or one after it, is of the leader's own term.
 *
 * Units. An *index* counts commands. An *entry* is a bundle of consecutive commands of one session and covers the
 * indices [index, index + count); an empty entry (the no-op that begins a term) covers one. Every index that travels
 * in a message (prev, match, commit, hint) is the last index of an entry: a boundary. A *position* counts the records
 * that one member stored and means nothing to another member.
 *
 * Files: raft.c (tables, creation, dispatch), raft_restore.c (restart), raft_election.c (terms, votes, roles),
 * raft_append.c and raft_progress.c (leader), raft_follow.c (follower), raft_request.c (what clients ask for),
 * raft_snapshot.c (delivery, checkpoints, adoption), raft_recover.c (members that forgot), raft_log.c (the log in
 * memory), raft_check.c (invariants), raft_print.c and raft_canonical.c (the state for people and for the explorer).
 * Shared with Paxos: peers.h (who counts), pacing.h (what each is sent), reads.h, intake.h (updates, forwarding),
 * election_timer.h, own_disk.h, quorum.h.
 *
 * Deviations from the thesis, each explained where it is made: entries are bundles; commitment is pushed to the member
 * whose client waits; reads of followers go through the leader's round (section 6.4) and are served locally; a member
 * that lost its disk is refilled before it may vote (not in the thesis); the candidate sends its requests for votes
 * while its own vote is being written. Limits: no change of membership, no leases, no transfer of leadership. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_RAFT_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_RAFT_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/message.h"
#include "contract/protocol.h"

extern const struct protocol raft_protocol;

/* Places of the messages in the table, which are their types on the wire: append only. */
enum raft_message {
    RAFT_APPEND,      /* leader: records, or only news of its commit index and round */
    RAFT_APPEND_ACK,  /* what is on disk, or why the records did not fit */
    RAFT_ROUND_ACK,   /* "you still lead", sent before the own disk write */
    RAFT_VOTE,        /* candidate, or pre-candidate */
    RAFT_VOTE_ACK,
    RAFT_FORWARD,     /* a client's bundle, from the member that got it to the leader */
    RAFT_REFUSE,      /* answer to FORWARD when the bundle was not taken */
    RAFT_READ,        /* follower: which index must I reach before I serve reads? */
    RAFT_READ_ACK,
    RAFT_COUNT,       /* follower: how many members have stored this index? */
    RAFT_COUNT_ACK,
    RAFT_INSTALL,     /* leader: the entries that you need are gone, adopt my checkpoint */
    RAFT_RECOVER,     /* a member that forgot what it promised asks for everybody's term */
    RAFT_RECOVER_ACK,
    RAFT_MESSAGE_COUNT,
};

/* `last` is the leader's last index; `ask` wants an APPEND_ACK even without records. prev_index 0 always matches: a
 * message without records and with prev_index 0 fits every follower, whatever the leader knows of its log. */
#define RAFT_APPEND_FIELDS(FIELD, S)                                                                                   \
    FIELD(S, U64, term)                                                                                                \
    FIELD(S, U64, prev_index) FIELD(S, U64, prev_term) FIELD(S, U64, commit) FIELD(S, U64, round) FIELD(S, U64, last)  \
        FIELD(S, U8, ask) FIELD(S, RECORDS, records)
MESSAGE_STRUCT(raft_append, RAFT_APPEND_FIELDS)

/* ok: everything up to `match` is as in the leader's log, and on disk when this message leaves. Else `prev_index` is
 * that of the APPEND that did not fit, and the hint is the last boundary of the own log that may still agree. */
#define RAFT_APPEND_ACK_FIELDS(FIELD, S)                                                                               \
    FIELD(S, U64, term)                                                                                                \
    FIELD(S, U64, prev_index) FIELD(S, U64, match) FIELD(S, U64, hint_index) FIELD(S, U64, hint_term) FIELD(S, U8, ok) \
        FIELD(S, U8, voter)
MESSAGE_STRUCT(raft_append_ack, RAFT_APPEND_ACK_FIELDS)

/* `received`: the follower's log agrees up to here, on disk or not; so the leader sees at once what got lost. */
#define RAFT_ROUND_ACK_FIELDS(FIELD, S)                                                                                \
    FIELD(S, U64, term) FIELD(S, U64, round) FIELD(S, U64, received) FIELD(S, U8, voter)
MESSAGE_STRUCT(raft_round_ack, RAFT_ROUND_ACK_FIELDS)

/* pre: would you vote for me in `term`? (thesis 9.6). `nonce` is the candidate's incarnation. */
#define RAFT_VOTE_FIELDS(FIELD, S)                                                                                     \
    FIELD(S, U64, term)                                                                                                \
    FIELD(S, U64, last_index) FIELD(S, U64, last_term) FIELD(S, INCARNATION, nonce) FIELD(S, U8, pre)
MESSAGE_STRUCT(raft_vote, RAFT_VOTE_FIELDS)

/* `term` is the answerer's own, `asked` that of the request. */
#define RAFT_VOTE_ACK_FIELDS(FIELD, S)                                                                                 \
    FIELD(S, U64, term) FIELD(S, U64, asked) FIELD(S, INCARNATION, nonce) FIELD(S, U8, pre) FIELD(S, U8, granted)
MESSAGE_STRUCT(raft_vote_ack, RAFT_VOTE_ACK_FIELDS)

/* The checkpoint ends with `index`, which is of `index_term`. */
#define RAFT_INSTALL_FIELDS(FIELD, S)                                                                                  \
    FIELD(S, U64, term) FIELD(S, U64, index) FIELD(S, U64, index_term) FIELD(S, U64, digest) FIELD(S, U64, round)
MESSAGE_STRUCT(raft_install, RAFT_INSTALL_FIELDS)

#define RAFT_RECOVER_FIELDS(FIELD, S) FIELD(S, INCARNATION, nonce)
MESSAGE_STRUCT(raft_recover, RAFT_RECOVER_FIELDS)

/* leads: the answerer leads `term`, and `last` is its last index now. */
#define RAFT_RECOVER_ACK_FIELDS(FIELD, S)                                                                              \
    FIELD(S, INCARNATION, nonce) FIELD(S, U64, term) FIELD(S, U64, last) FIELD(S, U8, leads)
MESSAGE_STRUCT(raft_recover_ack, RAFT_RECOVER_ACK_FIELDS)

/* Places of the records in their table: append only, they lie on disks. */
enum raft_record {
    RAFT_ENTRY,
    RAFT_HARD_STATE,
    RAFT_BASE, /* the log was emptied and goes on after this index: a checkpoint took its place */
    RAFT_RECORD_COUNT,
};

/* An entry at index i supersedes all stored entries whose index is i or higher. */
#define RAFT_ENTRY_FIELDS(FIELD, S)                                                                                    \
    FIELD(S, U64, term)                                                                                                \
    FIELD(S, U64, index) FIELD(S, TIME, time) FIELD(S, U32, count) FIELD(S, NODE, origin) FIELD(S, BYTES, bundle)
MESSAGE_STRUCT(raft_entry, RAFT_ENTRY_FIELDS)

/* The one with the highest sequence holds. flags: enum raft_hard_flag; last_index and last_term: end of the log. */
#define RAFT_HARD_STATE_FIELDS(FIELD, S)                                                                               \
    FIELD(S, U64, sequence)                                                                                            \
    FIELD(S, U64, term) FIELD(S, NODE, voted_for) FIELD(S, U8, flags) FIELD(S, U64, last_index) FIELD(S, U64, last_term)
MESSAGE_STRUCT(raft_hard_state, RAFT_HARD_STATE_FIELDS)

enum raft_hard_flag {
    RAFT_RECOVERING = 1, /* the member forgot promises and is not filled yet: it neither votes nor counts */
    RAFT_AFTER_LOSS = 2, /* it knew of all damage before this record, and went on from where its log ended then */
};

#define RAFT_BASE_FIELDS(FIELD, S) FIELD(S, U64, index) FIELD(S, U64, term) FIELD(S, TIME, time)
MESSAGE_STRUCT(raft_base, RAFT_BASE_FIELDS)

enum {
    RAFT_APPEND_RECORDS_MAX = 128, /* entries in one APPEND */
    RAFT_DELIVERIES_MAX = 64,      /* entries delivered in one step */
};

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

/* Rules that the laboratory can switch off: bits of spec.ablations, in the order of raft_protocol.ablations. */
enum raft_ablation {
    RAFT_ABLATION_VOTE_NOT_STORED = ABLATION_PROTOCOL_FIRST << 0,   /* a vote is answered but not stored */
    RAFT_ABLATION_COMMIT_OLD_TERM = ABLATION_PROTOCOL_FIRST << 1,   /* entries of older terms are counted (5.4.2) */
    RAFT_ABLATION_READ_NO_ROUND = ABLATION_PROTOCOL_FIRST << 2,     /* reads trust the own role (6.4) */
    RAFT_ABLATION_VOTE_ANY_LOG = ABLATION_PROTOCOL_FIRST << 3,      /* logs are not compared before voting (3.6.1) */
    RAFT_ABLATION_TRUNCATE_ALWAYS = ABLATION_PROTOCOL_FIRST << 4,   /* a short APPEND cuts what follows it (3.5) */
    RAFT_ABLATION_AMNESIAC_VOTES = ABLATION_PROTOCOL_FIRST << 5,    /* a member that forgot votes and counts at once */
    RAFT_ABLATION_COUNT_SELF_EARLY = ABLATION_PROTOCOL_FIRST << 6,  /* a leader counts itself before its disk did */
    RAFT_ABLATION_TIMER_NOT_REARMED = ABLATION_PROTOCOL_FIRST << 7, /* who was not elected never asks again (3.4) */
};

/* For the laboratory's checks across members; `self` is what raft_protocol.create returned. */
uint64_t raft_term(const void *self);
enum raft_role raft_role(const void *self);
const char *raft_role_name(enum raft_role role);
uint32_t raft_voted_for(const void *self);       /* in this term; 0: nobody yet */
uint64_t raft_commit_index(const void *self);
uint64_t raft_applied_index(const void *self);
uint64_t raft_first_index(const void *self);     /* of the log kept in memory; last + 1 when it is empty */
uint64_t raft_last_index(const void *self);
bool raft_recovering(const void *self);

/* The entry that covers `index`; false when the log does not hold it. */
bool raft_entry_at(const void *self, uint64_t index, uint64_t *term, uint64_t *first, uint32_t *count,
                   uint64_t *position);

#endif
