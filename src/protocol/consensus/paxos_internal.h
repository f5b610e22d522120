/* The state of a Paxos member and what its files offer each other. Nobody outside this folder includes it, but tests.
 * */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_INTERNAL_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_INTERNAL_H

#include "base/panic.h"
#include "base/random.h"
#include "base/time.h"
#include "contract/event.h"
#include "contract/protocol.h"
#include "protocol/consensus/election_timer.h"
#include "protocol/consensus/intake.h"
#include "protocol/consensus/own_disk.h"
#include "protocol/consensus/pacing.h"
#include "protocol/consensus/paxos.h"
#include "protocol/consensus/paxos_window.h"
#include "protocol/consensus/reads.h"

enum {
    PAXOS_SLOT = 0,              /* everything of Paxos' own is in the member's first slot of the contract */
    PAXOS_TIMER_ELECTION = 1,    /* follower, candidate: the deadline; recovering: ask again */
    PAXOS_TIMER_HEARTBEAT = 2,   /* leader; candidate: asks again who has not reported all */
    PAXOS_TIMER_READ = 3,        /* a read that the leader has not answered is asked anew */
    PAXOS_REPORTS_MAX = 8,       /* PROMISEs in answer to one PREPARE */
    PAXOS_ROOM_RESERVED = 8,     /* slots of the window that a leader leaves free */
};

#define PAXOS_REPORTED_ALL UINT64_MAX

/* What check() saw last. */
struct paxos_shadow {
    struct paxos_ballot promised;
    uint64_t commit, applied, applied_index, top;
    enum paxos_role role;
};

struct paxos {
    const struct group_spec *spec;
    struct random random;
    struct paxos_window window;
    struct peers peers;
    struct own_disk disk;
    struct election_timer timer;
    struct reads reads;
    struct intake intake;
    uint64_t incarnation;
    int64_t now_ns; /* of the event under way */
    bool started;

    /* the acceptor's promise, and where it lies */
    struct paxos_ballot promised;
    bool recovering;
    uint64_t state_sequence, state_position;
    bool state_dirty; /* must be stored before anything that depends on it is sent */

    /* role */
    enum paxos_role role;
    uint32_t leader;                 /* node that orders; 0: not known */
    struct paxos_ballot view_ballot; /* with `leader`: the VIEW told last */
    uint64_t round_seen;             /* highest round heard of: the next campaign goes above it */
    int64_t heard_ns;                /* last sign of life of the leader */
    uint32_t pre_grants;

    /* candidate: phase 1 */
    uint64_t prepare_from; /* first slot that its reports are about */
    uint64_t *reported;    /* by place: slots before it have been reported in this ballot; 0: no promise yet */
    bool own_stored;       /* the own promise is on disk */
    uint64_t fill_next;    /* holes before this slot are filled; 0: reports are still coming in */

    /* slots and state machine */
    uint64_t commit, commit_index;
    uint64_t applied, applied_index;
    int64_t applied_time_ns;
    uint64_t applied_position; /* highest one of a record that was applied */

    /* acceptor of the promised ballot's leader */
    uint64_t matched;     /* accepted in that ballot, or known to be chosen, up to here */
    uint64_t match_after; /* position of the last record that `matched` depends on */
    uint64_t beat_seen;
    uint64_t held_back;   /* slot that keeps it from adopting; told with the next ACCEPTED */
    bool beat_ack_due, ack_due;

    /* leader */
    uint64_t takeover_last;  /* reads wait until everything up to it is chosen again */
    uint64_t takeover_renew; /* position of the record that renews what it took over */
    uint64_t own_match;
    uint64_t open_bytes; /* of slots that are proposed and not chosen */
    uint64_t checkpoint_wanted; /* slot that somebody's checkpoint must cover */

    /* checkpoints */
    uint64_t checkpoint_slot, checkpoint_index, checkpoint_digest; /* the latest durable one */
    bool checkpoint_pending;
    uint64_t pending_slot, pending_keep; /* of the one under way */
    uint64_t applied_slots, applied_bytes; /* since the last checkpoint was asked for */
    uint64_t send_from; /* records of slots before this one may go at any moment */
    bool adopt_pending;
    uint32_t adopt_holder;
    uint64_t adopt_slot; /* with which the checkpoint that is adopted ends */

    /* restart and recovery */
    bool restore_damaged, restore_foreign;
    uint64_t restore_commit; /* as the records tell */
    struct paxos_ballot recover_ballot, recover_target_ballot, recover_leader_ballot;
    uint64_t recover_target, recover_leader_last;
    uint32_t recover_answers;

    const char *broken; /* an invariant that check() is to report */
    struct paxos_shadow shadow;
};

/* What a checkpoint carries for the protocol. Another member's part serves only for the first four fields. */
#define PAXOS_PART_FIELDS(FIELD, S)                                                                                    \
    FIELD(S, NODE, owner)                                                                                              \
    FIELD(S, U64, slot) FIELD(S, U64, index) FIELD(S, TIME, time) FIELD(S, U64, sequence) FIELD(S, U64, round)         \
        FIELD(S, NODE, node) FIELD(S, U8, flags) FIELD(S, U64, head)
MESSAGE_STRUCT(paxos_part, PAXOS_PART_FIELDS)

extern const struct message_type paxos_part_type;
extern const struct message_table paxos_messages, paxos_records;

/* paxos.c */
static inline bool paxos_ablated(const struct paxos *self, uint32_t bit)
{
    return (self->spec->ablations & bit) != 0;
}
/* The ballot that this member uses, or would use, in that round. */
static inline struct paxos_ballot paxos_ballot_of(uint64_t round, uint32_t node)
{
    return (struct paxos_ballot){round, node};
}
/* Stores a record and keeps account of the write. */
uint64_t paxos_store(struct paxos *self, const struct event *event, uint16_t type, const void *body,
                     struct effects *out);
/* Stores that all before is lost and known to be. */
void paxos_store_loss(struct paxos *self, const struct event *event, struct effects *out);
/* Position that must be stored before anything that depends on the promise leaves; 0 when it is. Stores the promise
 * when that is due. */
uint64_t paxos_state_after(struct paxos *self, const struct event *event, struct effects *out);
/* Counts one message or record as bad: a note in the trace. */
void paxos_reject(struct effects *out, const char *why, uint32_t node);
/* True when the entry is whole and its bundle agrees with its header: bytes of a peer or a disk. */
bool paxos_entry_sound(const struct paxos_entry *entry);
/* Takes an entry over: stores it as accepted in `ballot` and puts it into the window, where it must fit. */
struct paxos_cell *paxos_take_entry(struct paxos *self, const struct event *event, const struct paxos_entry *entry,
                                    struct paxos_ballot ballot, struct effects *out);

/* paxos_restore.c */
void paxos_restore(struct paxos *self, const struct event *event);
void paxos_start(struct paxos *self, const struct event *event, struct effects *out);

/* paxos_prepare.c */
/* Follows the ballot, which is at least the one promised; `leader` 0: nobody is known to lead it. */
void paxos_become_follower(struct paxos *self, const struct event *event, struct paxos_ballot ballot, uint32_t leader,
                           struct effects *out);
void paxos_set_leader(struct paxos *self, const struct event *event, uint32_t leader, struct effects *out);
void paxos_election_timeout(struct paxos *self, const struct event *event, struct effects *out);
void paxos_peer_lost(struct paxos *self, const struct event *event, uint32_t node, struct effects *out);
void paxos_candidate_stored(struct paxos *self, const struct event *event, struct effects *out);
void paxos_candidate_turn(struct paxos *self, const struct event *event, struct effects *out);
/* The candidate's timer: asks again those who have not reported all. */
void paxos_prepare_again(struct paxos *self, const struct event *event, struct effects *out);
void paxos_on_promise(struct paxos *self, const struct event *event, struct effects *out);
void paxos_on_nack(struct paxos *self, const struct event *event, struct effects *out);

/* paxos_promise.c */
void paxos_on_prepare(struct paxos *self, const struct event *event, struct effects *out);
/* Says that a higher ballot than `asked` was promised. */
void paxos_nack(struct paxos *self, const struct event *event, uint64_t asked, bool pre, struct effects *out);

/* paxos_lead.c */
void paxos_lead(struct paxos *self, const struct event *event, struct effects *out);
void paxos_unlead(struct paxos *self, struct effects *out);
void paxos_heartbeat(struct paxos *self, const struct event *event, struct effects *out);
void paxos_lead_turn(struct paxos *self, const struct event *event, struct effects *out);
/* A new proposal of this leader in the next slot, accepted by itself. */
void paxos_propose(struct paxos *self, const struct event *event, struct span bundle, uint32_t count, uint32_t origin,
                   struct effects *out);

/* paxos_progress.c */
void paxos_on_accepted(struct paxos *self, const struct event *event, struct effects *out);
void paxos_on_beat_ack(struct paxos *self, const struct event *event, struct effects *out);
/* Sends to this member from the slot after `agreed` on; the leader's checkpoint, when that is gone. */
void paxos_stream_from(struct paxos *self, struct peer *peer, uint64_t agreed);
/* This incarnation of the member is another than the one known: forget what is known of it. */
void paxos_peer_restarted(struct paxos *self, struct peer *peer);
/* What the own disk has counts now. */
void paxos_lead_stored(struct paxos *self);

/* paxos_accept.c */
void paxos_on_accept(struct paxos *self, const struct event *event, struct effects *out);
void paxos_accept_turn(struct paxos *self, const struct event *event, struct effects *out);
/* A message of the leader of (round, sender): its ballot is taken over. False: it is to be ignored. */
bool paxos_follow_leader(struct paxos *self, const struct event *event, uint64_t round, uint64_t beat,
                         struct effects *out);
/* All slots up to this one, which are held, are chosen. */
void paxos_learn(struct paxos *self, uint64_t commit);
/* Begins to match what the leader of a ballot has: what is known to be chosen is as there. */
void paxos_match_anew(struct paxos *self);

/* paxos_request.c */
void paxos_request_create(struct paxos *self);
void paxos_on_request(struct paxos *self, const struct event *event, struct effects *out);
/* FORWARD to COUNT_ACK: what is handed on to the leader, and its answers. */
void paxos_on_leader_message(struct paxos *self, const struct event *event, struct effects *out);
void paxos_read_timeout(struct paxos *self, const struct event *event, struct effects *out);
/* Leader, before it sends: ends the round that a majority answered, begins the next one. */
void paxos_read_beats(struct paxos *self, const struct event *event, struct effects *out);
/* Follower, in TURN: asks the leader for what was gathered. */
void paxos_read_ask(struct paxos *self, const struct event *event, struct effects *out);
/* After deliveries: reads that are safe now. */
void paxos_read_deliver(struct paxos *self, struct effects *out);

/* paxos_snapshot.c */
void paxos_deliver(struct paxos *self, struct effects *out);
void paxos_checkpoint(struct paxos *self, struct effects *out);
/* Makes room in the window, if what was kept for laggards can go. */
void paxos_make_room(struct paxos *self);
void paxos_install_send(void *self, uint32_t to, struct effects *out);
void paxos_on_install(struct paxos *self, const struct event *event, struct effects *out);
void paxos_on_state(struct paxos *self, const struct event *event, struct effects *out);
/* First slot whose record may be named in a message. */
static inline uint64_t paxos_first_sendable(const struct paxos *self)
{
    return self->send_from > self->window.head ? self->send_from : self->window.head;
}

/* paxos_recover.c */
void paxos_recover_ask(struct paxos *self, struct effects *out);
void paxos_on_recover(struct paxos *self, const struct event *event, struct effects *out);
void paxos_on_recover_ack(struct paxos *self, const struct event *event, struct effects *out);
/* An ACCEPT of the leader said that its last slot is `last`. */
void paxos_recover_progress(struct paxos *self, uint64_t last, struct effects *out);

/* paxos_check.c, paxos_print.c, paxos_canonical.c */
const char *paxos_check(void *self);
void paxos_print(const void *self, struct text *out);
void paxos_canonical(const void *self, struct canon *out);

#endif
