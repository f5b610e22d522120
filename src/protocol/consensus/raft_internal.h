/* The state of a Raft member and what its files offer each other. Nobody outside this folder includes it, but tests. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_RAFT_INTERNAL_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_RAFT_INTERNAL_H

#include "base/panic.h"
#include "base/random.h"
#include "base/time.h"
#include "contract/event.h"
#include "contract/protocol.h"
#include "protocol/consensus/election_timer.h"
#include "protocol/consensus/intake.h"
#include "protocol/consensus/own_disk.h"
#include "protocol/consensus/pacing.h"
#include "protocol/consensus/raft.h"
#include "protocol/consensus/raft_log.h"
#include "protocol/consensus/reads.h"

enum {
    RAFT_SLOT = 0,              /* everything of Raft's own is in the member's first slot */
    RAFT_TIMER_ELECTION = 1,    /* follower, candidate: the deadline; recovering: ask again */
    RAFT_TIMER_HEARTBEAT = 2,   /* leader */
    RAFT_TIMER_READ = 3,        /* a read that the leader has not answered is asked anew */
    RAFT_ROOM_RESERVED = 8,     /* slots of the table that a leader leaves for the no-ops of its successors */
};

/* What check() saw last. */
struct raft_shadow {
    uint64_t term, commit, applied, last_index, tail;
    uint32_t voted_for;
    enum raft_role role;
};

struct raft {
    const struct group_spec *spec;
    struct random random;
    struct raft_log log;
    struct peers peers;
    struct own_disk disk;
    struct election_timer timer;
    struct reads reads;
    struct intake intake;
    uint64_t incarnation;
    int64_t now_ns; /* of the event under way */
    bool started;

    /* the hard state, and where it lies */
    uint64_t term;
    uint32_t voted_for;
    bool recovering;
    uint64_t hard_sequence, hard_position;
    bool hard_dirty; /* must be stored before anything that depends on it is sent */

    /* role */
    enum raft_role role;
    uint32_t leader;    /* node that orders; 0: not known */
    uint64_t view_term; /* with `leader`: the VIEW told last */
    int64_t heard_ns;   /* last sign of life of the leader */
    uint32_t votes;
    bool own_vote_counted;

    /* log and state machine */
    uint64_t commit, applied;
    uint64_t apply; /* ordinal of the next entry to deliver */
    int64_t applied_time_ns;
    uint64_t applied_term;

    /* follower */
    uint64_t matched; /* boundary up to which the log is known to be as in the leader's of this term */
    uint64_t round_seen;
    uint32_t matched_leader; /* whose log that is */
    bool round_ack_due, ack_due;

    /* leader */
    uint64_t term_first; /* index of the no-op that begins the term */
    uint64_t committed;  /* ordinal after the last committed entry */
    uint64_t uncommitted_bytes;

    /* checkpoints */
    uint64_t checkpoint_index, checkpoint_digest; /* the latest durable one */
    bool checkpoint_pending;
    uint64_t applied_entries, applied_bytes; /* since the last checkpoint was asked for */
    uint64_t checkpoint_term; /* of its last index */
    uint64_t pending_term;    /* of that of the one under way */
    uint64_t send_from;       /* records of entries before this ordinal may go at any moment */
    bool adopt_pending;
    uint32_t adopt_holder;

    /* restart and recovery */
    bool restore_damaged, restore_foreign, restore_part_seen;
    uint64_t restore_index, restore_term, part_base_index;
    int64_t restore_time_ns;
    uint64_t recover_term, recover_target, recover_target_term;
    uint64_t recover_leader_term, recover_leader_last;
    uint32_t recover_answers;

    struct raft_shadow shadow;
};

/* What a checkpoint carries for the protocol. Another member's part serves only for the first four fields. */
#define RAFT_PART_FIELDS(FIELD, S)                                                                                     \
    FIELD(S, NODE, node)                                                                                               \
    FIELD(S, U64, last_index) FIELD(S, U64, last_term) FIELD(S, TIME, last_time) FIELD(S, U64, sequence)               \
        FIELD(S, U64, term) FIELD(S, NODE, voted_for) FIELD(S, U8, flags) FIELD(S, U64, base_index)                    \
            FIELD(S, U64, base_term)
MESSAGE_STRUCT(raft_part, RAFT_PART_FIELDS)

extern const struct message_type raft_part_type;
extern const struct message_table raft_messages, raft_records;

/* raft.c */
static inline bool raft_ablated(const struct raft *self, uint32_t bit)
{
    return (self->spec->ablations & bit) != 0;
}
/* Stores a record and keeps account of the write. */
uint64_t raft_store(struct raft *self, const struct event *event, uint16_t type, const void *body,
                    struct effects *out);
/* The end of the hard state's life so far: all damage before is known, and the log goes on from where it ends. */
void raft_store_loss(struct raft *self, const struct event *event, struct effects *out);
/* Position that must be stored before anything that depends on term and vote leaves; 0 when it is. Stores the hard
 * state when that is due. */
uint64_t raft_hard_after(struct raft *self, const struct event *event, struct effects *out);
/* Counts one message or record as bad: a note in the trace. */
void raft_reject(struct effects *out, const char *why, uint32_t node);
/* True when the entry is whole and its bundle agrees with its header: bytes of a peer or a disk. */
bool raft_entry_sound(const struct raft_entry *entry);

/* raft_restore.c */
void raft_restore(struct raft *self, const struct event *event);
void raft_start(struct raft *self, const struct event *event, struct effects *out);

/* raft_election.c */
void raft_become_follower(struct raft *self, const struct event *event, uint64_t term, uint32_t leader,
                          struct effects *out);
void raft_set_leader(struct raft *self, const struct event *event, uint32_t leader, struct effects *out);
void raft_election_timeout(struct raft *self, const struct event *event, struct effects *out);
void raft_election_stored(struct raft *self, const struct event *event, struct effects *out);
void raft_election_peer_lost(struct raft *self, const struct event *event, uint32_t node, struct effects *out);
void raft_on_vote(struct raft *self, const struct event *event, struct effects *out);
void raft_on_vote_ack(struct raft *self, const struct event *event, struct effects *out);

/* raft_append.c */
void raft_lead(struct raft *self, const struct event *event, struct effects *out);
void raft_unlead(struct raft *self, struct effects *out);
void raft_heartbeat(struct raft *self, const struct event *event, struct effects *out);
void raft_lead_turn(struct raft *self, const struct event *event, struct effects *out);
/* A new entry of this leader at the end of its log, stored. */
void raft_append_entry(struct raft *self, const struct event *event, struct span bundle, uint32_t count,
                       uint32_t origin, struct effects *out);

/* raft_progress.c */
void raft_on_append_ack(struct raft *self, const struct event *event, struct effects *out);
void raft_on_round_ack(struct raft *self, const struct event *event, struct effects *out);
/* Sends to this member from the boundary `agreed` on; the leader's checkpoint, when what follows that is gone. */
void raft_probe_from(struct raft *self, struct peer *peer, uint64_t agreed);
/* This incarnation of the member is another than the one known: forget what is known of its log. */
void raft_peer_restarted(struct raft *self, struct peer *peer);
/* What the own disk has counts now. */
void raft_lead_stored(struct raft *self);

/* raft_follow.c */
void raft_on_append(struct raft *self, const struct event *event, struct effects *out);
void raft_follow_turn(struct raft *self, const struct event *event, struct effects *out);
/* A message of the term's leader: the term is taken over and the leader known. False: it is to be ignored. */
bool raft_follow_leader(struct raft *self, const struct event *event, uint64_t term, uint64_t round,
                        struct effects *out);

/* raft_request.c */
void raft_request_create(struct raft *self);
void raft_on_request(struct raft *self, const struct event *event, struct effects *out);
/* FORWARD to COUNT_ACK: what is handed on to the leader, and its answers. */
void raft_on_leader_message(struct raft *self, const struct event *event, struct effects *out);
void raft_read_timeout(struct raft *self, const struct event *event, struct effects *out);
/* Leader, before it sends: ends the round that a majority answered, begins the next one. */
void raft_read_rounds(struct raft *self, const struct event *event, struct effects *out);
/* Follower, in TURN: asks the leader for what was gathered. */
void raft_read_ask(struct raft *self, const struct event *event, struct effects *out);
/* After deliveries: reads that are safe now. */
void raft_read_deliver(struct raft *self, struct effects *out);

/* raft_snapshot.c */
void raft_deliver(struct raft *self, struct effects *out);
void raft_checkpoint(struct raft *self, struct effects *out);
/* Makes room in the table, if what was kept for laggards can go. */
void raft_log_make_room(struct raft *self);
void raft_install_send(void *self, uint32_t to, struct effects *out);
void raft_on_install(struct raft *self, const struct event *event, struct effects *out);
void raft_on_state(struct raft *self, const struct event *event, struct effects *out);

/* raft_recover.c */
void raft_recover_ask(struct raft *self, struct effects *out);
void raft_on_recover(struct raft *self, const struct event *event, struct effects *out);
void raft_on_recover_ack(struct raft *self, const struct event *event, struct effects *out);
/* An APPEND of the leader said that its log ends at `last`. */
void raft_recover_progress(struct raft *self, uint64_t last, struct effects *out);

/* raft_check.c, raft_print.c, raft_canonical.c */
const char *raft_check(void *self);
void raft_print(const void *self, struct text *out);
void raft_canonical(const void *self, struct canon *out);

#endif
