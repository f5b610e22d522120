/* The state of a Paxos member and what its files offer each other. Nobody outside this folder includes it, but tests.
 * */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_INTERNAL_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_INTERNAL_H

#include "base/panic.h"
#include "base/random.h"
#include "base/time.h"
#include "contract/event.h"
#include "contract/protocol.h"
#include "protocol/consensus/paxos.h"
#include "protocol/consensus/paxos_window.h"
#include "protocol/consensus/raft_quorum.h"

enum {
    PAXOS_SLOT = 0,              /* everything of Paxos' own is in the member's first slot of the contract */
    PAXOS_TIMER_ELECTION = 1,    /* follower, candidate: the deadline; recovering: ask again */
    PAXOS_TIMER_HEARTBEAT = 2,   /* leader; candidate: asks again who has not reported all */
    PAXOS_TIMER_READ = 3,        /* a read that the leader has not answered is asked anew */
    PAXOS_SENDS_MAX = 4,         /* ACCEPTs with records to one member in one TURN */
    PAXOS_REPORTS_MAX = 8,       /* PROMISEs in answer to one PREPARE */
    PAXOS_ROOM_RESERVED = 8,     /* slots of the window that a leader leaves free */
    PAXOS_QUICK_TRIES = 8,       /* early campaigns after the leader's connection broke */
    PAXOS_FLIGHT_MAX = 4096,     /* bound of tuning.append_inflight_max */
    PAXOS_LARGE_BYTES = 65536,   /* a message over this travels in pieces, and others overtake it */
    PAXOS_SLOWEST_BYTES_PER_MS = 16384, /* what is large is given the time that it takes at this speed */
    PAXOS_FLIGHT_BYTES_TIMES = 8 /* unanswered bytes to one member, in units of append_bytes_max */
};

#define PAXOS_REPORTED_ALL UINT64_MAX

/* How the leader sees a member. */
enum paxos_pace {
    PAXOS_PROBE,         /* what it has is not known: one question at a time */
    PAXOS_STREAM,        /* proposals follow each other without waiting */
    PAXOS_INSTALL_STATE, /* what it needs is gone: it has to adopt a checkpoint */
};

struct paxos_flight {
    uint64_t last_slot;
    uint64_t bytes;
};

struct paxos_peer {
    uint32_t node;
    enum paxos_pace pace;
    uint64_t incarnation;  /* last one heard of; 0: none */
    bool incarnation_open; /* a new connection: the next message may bring any incarnation */

    /* what a candidate knows */
    bool pre_granted;
    uint64_t reported; /* slots before it have been reported in this ballot; 0: no promise yet */

    /* what a leader knows */
    bool voter;     /* it counts: it said so itself, in this ballot */
    bool paused;    /* PROBE, INSTALL: a question is out */
    bool served;    /* in this TURN it gets an ACCEPT that tells beat and commit */
    bool picked;    /* shares the message that is being gathered */
    bool quick;     /* it was among the majority that confirmed the last beat of reads first */
    bool told;      /* what is chosen must be told now: a client of its waits */
    bool heard;     /* since the window of the quorum check began */
    bool suspected;
    uint64_t match; /* accepted in this ballot, or known to be chosen, up to this slot and on disk */
    uint64_t next;  /* slot to send next */
    int64_t heard_ns;
    uint64_t checked_beat; /* heartbeat whose answer must report receipt of checked_slot; 0: none */
    uint64_t checked_slot;
    struct paxos_flight *flights; /* ring of unanswered messages */
    uint32_t flight_first, flight_count;
    uint64_t flight_bytes;
    uint64_t sent_bytes; /* unanswered when records were last sent */
    int64_t sent_ns;     /* … and when that was */
    uint64_t read_gathered, read_flying; /* its READ, waiting for a beat or in one; 0: none */

    bool recover_answered;

    /* Forwarded numbers that this member took as leader, ever since it started: a repetition is never refused. */
    uint64_t taken_incarnation, taken_last;
    uint64_t refused_last; /* of the same session: a repetition of what was refused is never taken */
};

struct paxos_range {
    uint64_t first_number;
    uint32_t count;
};

struct paxos_ranges {
    uint32_t count;
    struct paxos_range list[PAXOS_READ_RANGES_MAX];
};

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
    struct paxos_peer *peers; /* by place, the own one included */
    uint32_t *others;         /* nodes of the other members */
    uint32_t *pick;           /* scratch: receivers that are gathered for one message */
    uint32_t self_node, self_place, member_count, majority;
    uint32_t flight_max;
    uint64_t incarnation;
    int64_t now_ns; /* of the event under way */
    bool started;

    /* the acceptor's promise, and where it lies */
    struct paxos_ballot promised;
    bool recovering;
    uint64_t state_sequence, state_position;
    bool state_dirty; /* must be stored before anything that depends on it is sent */

    /* the own disk */
    uint64_t last_position, stored_position;
    int64_t unstored_since_ns; /* when the oldest write that is out began, or last made progress */
    bool disk_full;

    /* role */
    enum paxos_role role;
    uint32_t leader;                 /* node that orders; 0: not known */
    struct paxos_ballot view_ballot; /* with `leader`: the VIEW told last */
    uint64_t round_seen;             /* highest round heard of: the next campaign goes above it */
    int64_t heard_ns;                /* last sign of life of the leader */
    int64_t deadline_ns, timer_at_ns, drawn_ns;
    uint32_t quick_tries;
    uint32_t pre_grants;

    /* candidate: phase 1 */
    uint64_t prepare_from; /* first slot that its reports are about */
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
    struct raft_quorum match_quorum, beat_quorum; /* members that do not count have 0 */
    uint64_t takeover_last;  /* reads wait until everything up to it is chosen again */
    uint64_t takeover_renew; /* position of the record that renews what it took over */
    uint64_t own_match;
    uint64_t beat;
    bool beat_due, heartbeat_due, commit_due, told_due;
    uint64_t open_bytes; /* of slots that are proposed and not chosen */
    uint64_t checkpoint_wanted; /* slot that somebody's checkpoint must cover */
    int64_t window_end_ns;

    /* reads */
    struct paxos_ranges gathered, flying, ready;
    bool flight_out, flight_confirmed;
    uint64_t flight_beat, flight_slot; /* leader */
    uint64_t flight_number;            /* follower: of the READ that is out */
    uint64_t read_number;              /* last one used */
    uint32_t remote_gathered;
    uint64_t ready_slot;
    int64_t ready_time_ns, flight_time_ns;

    /* own numbers handed in: the highest taken, and the highest taken more than once */
    uint64_t taken_incarnation, taken_last, repeated_last;

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
/* The member with this node id, or NULL. */
struct paxos_peer *paxos_peer_find(struct paxos *self, uint32_t node);
/* Stores a record and keeps account of the write. */
uint64_t paxos_store(struct paxos *self, const struct event *event, uint16_t type, const void *body,
                     struct effects *out);
/* Stores that all before is lost and known to be. */
void paxos_store_loss(struct paxos *self, const struct event *event, struct effects *out);
/* Position that must be stored before anything that depends on the promise leaves; 0 when it is. Stores the promise
 * when that is due. */
uint64_t paxos_state_after(struct paxos *self, const struct event *event, struct effects *out);
/* The disk has not finished any write for a whole election timeout. */
bool paxos_disk_stalled(const struct paxos *self, int64_t now_ns);
/* The position, or 0 when it is on disk already. */
static inline uint64_t paxos_after(const struct paxos *self, uint64_t position)
{
    return position > self->stored_position ? position : 0;
}
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
/* Moves the deadline one drawn timeout away, without touching the timer. */
void paxos_postpone(struct paxos *self, int64_t now_ns);
void paxos_draw_timeout(struct paxos *self);
void paxos_arm_election(struct paxos *self, struct effects *out);
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
void paxos_probe(struct paxos_peer *peer, uint64_t next);
/* Sends to this member from the slot after `agreed` on; the leader's checkpoint, when that is gone. */
void paxos_stream_from(struct paxos *self, struct paxos_peer *peer, uint64_t agreed);
/* The member has this on disk; it counts if the member does. */
void paxos_match_set(struct paxos *self, struct paxos_peer *peer, uint64_t match);
/* This incarnation of the member is another than the one known: forget what is known of it. */
void paxos_peer_restarted(struct paxos *self, struct paxos_peer *peer);
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
void paxos_on_request(struct paxos *self, const struct event *event, struct effects *out);
void paxos_on_forward(struct paxos *self, const struct event *event, struct effects *out);
void paxos_on_refuse(struct paxos *self, const struct event *event, struct effects *out);
void paxos_on_count(struct paxos *self, const struct event *event, struct effects *out);
void paxos_on_count_ack(struct paxos *self, const struct event *event, struct effects *out);

/* paxos_read.c */
void paxos_read_request(struct paxos *self, uint64_t first_number, uint32_t count, struct effects *out);
void paxos_on_read(struct paxos *self, const struct event *event, struct effects *out);
void paxos_on_read_ack(struct paxos *self, const struct event *event, struct effects *out);
void paxos_read_timeout(struct paxos *self, const struct event *event, struct effects *out);
void paxos_read_leader_changed(struct paxos *self, struct effects *out);
void paxos_read_unlead(struct paxos *self);
/* Leader, before it sends: ends the beat that a majority answered, begins the next one. */
void paxos_read_beats(struct paxos *self, const struct event *event, struct effects *out);
/* Follower, in TURN: asks the leader for what was gathered. */
void paxos_read_ask(struct paxos *self, const struct event *event, struct effects *out);
/* After deliveries: reads that are safe now. */
void paxos_read_deliver(struct paxos *self, const struct event *event, struct effects *out);

/* paxos_snapshot.c */
void paxos_deliver(struct paxos *self, struct effects *out);
void paxos_checkpoint(struct paxos *self, struct effects *out);
/* Makes room in the window, if what was kept for laggards can go. */
void paxos_make_room(struct paxos *self);
void paxos_install_send(struct paxos *self, struct paxos_peer *peer, struct effects *out);
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
