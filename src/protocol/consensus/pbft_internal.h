/* The state of a PBFT member and what its files offer each other. Nobody outside this folder includes it, but tests. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PBFT_INTERNAL_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PBFT_INTERNAL_H

#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "contract/command.h"
#include "contract/event.h"
#include "protocol/consensus/pbft.h"
#include "protocol/consensus/pbft_choose.h"

enum {
    PBFT_SLOT = 0,
    PBFT_TIMER_VIEW = 1,   /* the request that was waited for, or the new view, did not come */
    PBFT_TIMER_STATUS = 2, /* now and then: what do others lack, what do I? */
    PBFT_INTERVAL_MIN = 8, /* sequence numbers between two checkpoints, K */
    PBFT_INTERVAL_MAX = 8192,
    PBFT_REQUESTS_EACH = 64, /* known requests of one origin, beyond five for each number of the window */
    PBFT_DELIVERIES_MAX = 32, /* in one step */
    PBFT_PROPOSALS_MAX = 32,
    PBFT_RESENDS_MAX = 6,     /* numbers, for one STATUS */
    PBFT_VIEW_RESENDS = 4,    /* STATUSes of one who waits for the same view, for one VIEW-CHANGE that is sent again */
    PBFT_ACK_RESENDS = 16,    /* the same, for ACKs to one who is not the new primary */
    PBFT_DOUBLINGS_MAX = 3,   /* of patience: delays must fall below 16 election timeouts in the end */
    PBFT_READ_RANGES_MAX = 64,
    PBFT_DIGEST_SIZE = 32,
    PBFT_HAVE_MAX = 64, /* digests in one HAVE */
    PBFT_HAS_MAX = 128, /* the latest of each member that are remembered */
    PBFT_LOOKS_MAX = 256, /* bundles of looks that wait at once */
    PBFT_CHECKPOINT_CLAIMS = 4,
    PBFT_TIME_AHEAD_S = 86400, /* an agreed time further ahead of the own clock is a lie */
};

#define PBFT_AWAITS_NUMBER (UINT64_C(1) << 63) /* in `awaited`: a number rather than a request */

/* A vote of one member at one number: its latest. View 0: none. */
struct pbft_say {
    uint64_t view;
    struct pbft_value value;
};

struct pbft_saying {
    struct pbft_say prepare, commit;
    bool told; /* COMMITTED */
    struct pbft_value told_value;
};

/* A sequence number inside the window. */
struct pbft_slot {
    uint64_t number;
    struct pbft_say offer; /* the primary's word that waits for its request */
    bool offer_vouched;    /* chosen by a view change: the request's digest alone proves it */
    struct pbft_say accepted;
    uint64_t accepted_position;
    struct pbft_say prepared; /* member of P: the latest */
    uint64_t prepared_position;
    bool committed;
    struct pbft_value committed_value;
    uint32_t accept_count;
    struct pbft_say accepts[PBFT_ACCEPTS_MAX]; /* members of Q, oldest first */
    struct pbft_saying *says;                  /* by place */
};

/* A request that somebody sent and that is not forgotten. */
struct pbft_known {
    bool used, barrier;
    bool parked;     /* ordered in vain, a predecessor was missing: it waits for that, or to be handed in again */
    bool executed;   /* here */
    bool referenced; /* scratch: a number names it */
    bool waited;     /* since the STATUS before the next */
    bool shared;     /* 2k+1 members hold it: it is worth a view change */
    uint32_t origin; /* node */
    uint32_t count;
    uint32_t chain, older, younger; /* links of pbft_known.c */
    uint64_t digest[4];
    uint64_t incarnation, first_number, first_incomplete;
    uint64_t position;   /* of its record */
    uint64_t arrival;    /* ordinal */
    uint64_t proposed;   /* view in which the own member, as primary, gave it a number; 0: in none */
    uint32_t checkpoints; /* taken since it came */
};

/* What was executed of each origin (the last-reply table is node/'s session table, which follows the same rule). */
struct pbft_client {
    uint32_t node;
    uint64_t last; /* number that was executed last; 0: none */
    uint64_t incarnation, executed, first_incomplete;
    uint64_t barrier_incarnation, barrier;
};
enum {
    PBFT_CLIENT_SIZE = 56,
    PBFT_CLIENTS_HEAD_SIZE = 8,
    PBFT_PART_HEAD_SIZE = 24,
};

/* The VIEW-CHANGE of one member that counts now, and who acknowledged it. */
struct pbft_heard_change {
    uint64_t view; /* 0: none */
    uint64_t digest[4];
    uint32_t size;
    uint8_t *body;
};
struct pbft_heard_ack {
    uint64_t view;
    uint64_t digest[4];
};

struct pbft_has {
    uint64_t words[4]; /* zero: none */
};

struct pbft_answer {
    bool heard;
    uint64_t view, number;
};

struct pbft_peer {
    uint32_t node;
    struct pbft_heard_change change;
    struct pbft_heard_ack *acks; /* of this member's VIEW-CHANGE, by place of who acknowledges */
    struct pbft_mark claims[PBFT_CHECKPOINT_CLAIMS]; /* its CHECKPOINTs, by number / K */
    struct pbft_has has[PBFT_HAS_MAX]; /* requests that it holds and that wait there: the latest, at ordinal % MAX */
    uint64_t has_next;
    struct pbft_answer answer;   /* to the own RECOVER */
    uint64_t view, executed;     /* of its latest STATUS; the latter for people alone */
    uint32_t waits;              /* STATUSes from it while both waited for the same view */
    int64_t answered_ns;         /* when a STATUS of its was answered last */
};

struct pbft_range {
    uint64_t first_number;
    uint32_t count;
};
struct pbft_ranges {
    uint32_t count;
    struct pbft_range list[PBFT_READ_RANGES_MAX];
};

/* A client's reads that wait until this number is executed. */
struct pbft_look {
    uint64_t until, first_number;
    uint32_t count;
};

struct pbft_shadow {
    uint64_t view, executed, stable, index;
};

struct pbft {
    const struct group_spec *spec;
    struct pbft_peer *peers;
    uint32_t *others;
    uint32_t self_node, self_place, member_count, k, quorum;
    uint64_t interval, window; /* K, L */
    uint64_t incarnation;
    int64_t now_ns, wall_ns;
    bool started;
    bool forgot;             /* promises that it may have made: pbft_recover.c */
    bool part_lost;          /* restored from a checkpoint that is none of this protocol's */
    uint64_t seed, nonce;
    uint64_t recovery_bound; /* low water mark from which it may vote again; 0: not known */
    uint64_t vote_from;      /* first view in which it may */

    uint64_t view;
    bool active;
    uint64_t told_view; /* VIEW */
    uint64_t next;      /* primary: the number that its next proposal gets */
    struct pbft_slot *slots; /* window entries, at number % window */
    uint64_t top;       /* no number above it has a slot */
    uint64_t unsettled; /* below it, numbers of the window wait for nothing in this view (pbft_agree.c) */
    struct pbft_known *known;
    uint32_t known_each;  /* so many each: of members by place, then of clients (pbft_known.c) */
    uint32_t *known_free, *known_top; /* of each room: its free places that were in use before; how many ever were */
    uint32_t *buckets, bucket_mask, known_oldest, known_youngest, known_open;
    uint64_t arrivals;
    bool any_parked;       /* perhaps */
    uint32_t relays_skipped;
    uint64_t told_arrival; /* HAVE goes on behind it */
    struct pbft_client *clients; /* members by place, then clients ascending by node (pbft_client.c) */
    uint32_t client_count, clients_max; /* of the latter */
    uint8_t *part; /* scratch: the checkpoint's own part is laid out here */

    uint64_t executed, index;
    int64_t time_ns; /* agreed, of the last execution */
    uint64_t last_position, stored_position, state_position;
    bool disk_full;

    /* checkpoints */
    struct pbft_mark stable;                /* h, with a proof */
    struct pbft_mark marks[PBFT_MARKS_MAX]; /* own ones, durable, ascending: C */
    uint32_t mark_count;
    bool checkpoint_pending, adopt_pending, checkpoint_failed;
    uint64_t pending_number;
    struct pbft_mark adopt_mark;
    uint32_t *holders;
    uint64_t executed_at_status;

    /* view change */
    uint8_t *change_body; /* the own one, of the latest change */
    uint32_t change_size;
    uint8_t *state_body;  /* scratch: a record of the state is laid out here */
    uint8_t *new_view; /* the primary's, or what was accepted: VIEW-CHANGEs one after the other */
    uint32_t new_view_size;
    uint64_t new_view_of;
    struct pbft_set set; /* scratch */
    uint32_t changes_tried; /* view changes since something was executed in time */
    int64_t deadline_ns, status_at_ns;
    uint64_t awaited; /* what the timer runs for: a request by its arrival, or a number; 0: nothing */

    /* reads: gathered, then flying behind a barrier */
    struct pbft_ranges gathered, flying;
    uint64_t barrier;     /* the last one sent */
    bool barrier_out, reads_ready;
    int64_t barrier_at_ns;
    uint8_t barrier_bytes[BUNDLE_HEADER_SIZE];

    uint64_t prepared_top; /* the highest number that ever prepared here and may be committed somewhere */
    struct pbft_look *looks;
    uint32_t look_count;

    struct pbft_shadow shadow;
    const char *broken; /* an invariant that a step saw broken: check() tells it */
};

extern const struct message_table pbft_messages, pbft_records;

static inline bool pbft_ablated(const struct pbft *self, uint32_t bit)
{
    return (self->spec->ablations & bit) != 0;
}
/* Views count from 1. */
static inline uint32_t pbft_primary_place(const struct pbft *self, uint64_t view)
{
    return (uint32_t)((view - 1) % self->member_count);
}
static inline bool pbft_votes(const struct pbft *self)
{
    return self->active && !self->forgot && self->view >= self->vote_from;
}
static inline bool pbft_leads(const struct pbft *self)
{
    return pbft_votes(self) && pbft_primary_place(self, self->view) == self->self_place;
}
static inline bool pbft_value_null(const struct pbft_value *value)
{
    return (value->digest[0] | value->digest[1] | value->digest[2] | value->digest[3]) == 0;
}
static inline uint64_t pbft_after(const struct pbft *self, uint64_t position)
{
    return position > self->stored_position && !pbft_ablated(self, PBFT_ABLATION_NOT_STORED) ? position : 0;
}

/* pbft.c */
void pbft_digest(struct span bytes, uint64_t out[4]);
uint64_t pbft_store(struct pbft *self, uint16_t type, const void *body, struct effects *out);
void pbft_reject(struct effects *out, const char *why, uint32_t node);
struct effect_send *pbft_to_others(struct pbft *self, uint16_t type, const void *body, struct effects *out);
/* To one node, or to all others (0). */
struct effect_send *pbft_send(struct pbft *self, uint32_t to, uint16_t type, const void *body, struct effects *out);
/* The slot of a number in (stable, stable + window], empty at first; NULL outside (PBFT-6). */
struct pbft_slot *pbft_slot(struct pbft *self, uint64_t number);
/* The same, NULL also when nothing is known of it. */
const struct pbft_slot *pbft_slot_known(const struct pbft *self, uint64_t number);
struct pbft_vote pbft_vote_of(uint64_t view, uint64_t number, const struct pbft_value *value);
void pbft_tell_view(struct pbft *self, struct effects *out);

/* pbft_known.c */
struct pbft_known *pbft_known_find(const struct pbft *self, const uint64_t digest[4]);
/* All of them, in the order of arrival. Only the one at hand may be dropped meanwhile, after its successor was taken. */
struct pbft_known *pbft_known_first(const struct pbft *self);
/* The first that may not be done yet: those before it are. */
struct pbft_known *pbft_known_open(struct pbft *self);
struct pbft_known *pbft_known_next(const struct pbft *self, const struct pbft_known *known);
/* It may be ordered once more, in the same view too. */
void pbft_known_unpark(struct pbft_known *known);
void pbft_known_drop(struct pbft *self, struct pbft_known *known);
bool pbft_known_done(const struct pbft *self, const struct pbft_known *known);
void pbft_known_forget_old(struct pbft *self);
/* Those whose records lie before this position. */
void pbft_known_forget_before(struct pbft *self, uint64_t position);
/* Opens and checks a request; whether its origin sent it is another question. */
bool pbft_request_open(const struct pbft *self, struct span bytes, struct bundle *out);
/* Keeps a request that is proven or vouched for; stores it when it is new (position 0), or was restored at one. NULL:
 * malformed, done already, or no room. */
struct pbft_known *pbft_known_add(struct pbft *self, uint32_t origin, struct span bundle, uint64_t position,
                                  bool vouched, struct effects *out);

/* pbft_relay.c */
void pbft_relay_due(struct pbft *self, struct effects *out);
void pbft_on_have(struct pbft *self, const struct event *event, struct effects *out);
/* k+1 others hold it, so a correct one does. */
bool pbft_relay_vouched(const struct pbft *self, const uint64_t digest[4]);
/* It is known here now, or more members are known to hold it. */
void pbft_relay_learn(const struct pbft *self, struct pbft_known *known);

/* pbft_client.c */
bool pbft_client_done(const struct pbft *self, const struct pbft_known *known);
/* Accounts for an executed request. */
void pbft_client_executed(struct pbft *self, struct pbft_known *known);
/* The table as a piece of the checkpoint's part: PBFT_CLIENTS_HEAD_SIZE, then PBFT_CLIENT_SIZE for each. Reading it:
 * false, and nothing has changed, when it is malformed. */
size_t pbft_clients_write(const struct pbft *self, uint8_t *out);
bool pbft_clients_read(struct pbft *self, struct span bytes);

/* pbft_look.c */
void pbft_look(struct pbft *self, const struct event_request *request, struct effects *out);
void pbft_looks_deliver(struct pbft *self, const struct event *event, struct effects *out);
/* A new view decided no number above `end`: nothing above it was committed. */
void pbft_looks_bound(struct pbft *self, uint64_t end);

/* pbft_request.c */
void pbft_on_client(struct pbft *self, const struct event *event, struct effects *out);
void pbft_on_request(struct pbft *self, const struct event *event, struct effects *out);
void pbft_on_fetch(struct pbft *self, const struct event *event, struct effects *out);
void pbft_on_body(struct pbft *self, const struct event *event, struct effects *out);
void pbft_fetch(struct pbft *self, const uint64_t digest[4], struct effects *out);
/* Sends a barrier for what was gathered; delivers what a barrier has passed. */
void pbft_reads(struct pbft *self, const struct event *event, struct effects *out);

/* pbft_order.c */
void pbft_propose(struct pbft *self, const struct event *event, struct effects *out);
/* Arms the timer for the oldest request that waits (Castro99, section 4.4). */
void pbft_await(struct pbft *self, struct effects *out);

/* pbft_agree.c */
void pbft_on_vote(struct pbft *self, const struct event *event, struct effects *out);
void pbft_offer(struct pbft *self, uint64_t number, const struct pbft_value *value, bool vouched,
                struct effects *out);
/* After any change: accepts what was offered, prepares, commits what can be. */
void pbft_slot_advance(struct pbft *self, struct pbft_slot *slot, struct effects *out);
void pbft_window_advance(struct pbft *self, struct effects *out);
void pbft_deliver(struct pbft *self, struct effects *out);
/* To one node, or to all others (0). */
void pbft_send_prepare(struct pbft *self, const struct pbft_slot *slot, uint32_t to, struct effects *out);
void pbft_send_commit(struct pbft *self, const struct pbft_slot *slot, uint32_t to, struct effects *out);
void pbft_slot_accept_note(struct pbft_slot *slot, uint64_t view, const struct pbft_value *value);

/* pbft_checkpoint.c */
void pbft_checkpoint_take(struct pbft *self, struct effects *out);
void pbft_on_checkpoint(struct pbft *self, const struct event *event, struct effects *out);
void pbft_on_state(struct pbft *self, const struct event *event, struct effects *out);
void pbft_send_checkpoint(struct pbft *self, uint32_t to, struct effects *out);
bool pbft_part_read(struct pbft *self, struct span part, uint64_t index);
/* k+1 members hold a state that is beyond what this one can execute: become it. */
void pbft_adopt_if_behind(struct pbft *self, struct effects *out);
void pbft_stable_set(struct pbft *self, const struct pbft_mark *mark, struct effects *out);
/* This member holds it: says so to all. */
void pbft_mark_hold(struct pbft *self, const struct pbft_mark *mark, struct effects *out);

/* pbft_view.c */
void pbft_view_change(struct pbft *self, uint64_t view, struct effects *out);
void pbft_on_view_change(struct pbft *self, const struct event *event, struct effects *out);
void pbft_on_ack(struct pbft *self, const struct event *event, struct effects *out);
void pbft_on_new_view(struct pbft *self, const struct event *event, struct effects *out);
/* k+1 members, so a correct one, are in later views, or on their way: goes with the first of these. */
void pbft_join(struct pbft *self, struct effects *out);
void pbft_view_timeout(struct pbft *self, struct effects *out);
/* What a member that is not yet in this view, or not active in it, needs. */
void pbft_send_view(struct pbft *self, uint32_t to, bool acks, struct effects *out);
/* K, of the specification. */
uint64_t pbft_interval(const struct group_spec *spec);
size_t pbft_change_max(const struct group_spec *spec);
uint32_t pbft_change_write(struct pbft *self, uint8_t *out);
void pbft_store_state(struct pbft *self, struct effects *out);
int64_t pbft_patience_ns(const struct pbft *self);

/* pbft_status.c */
void pbft_status_arm(struct pbft *self, struct effects *out);
void pbft_status_due(struct pbft *self, struct effects *out);
void pbft_on_status(struct pbft *self, const struct event *event, struct effects *out);

/* pbft_recover.c */
void pbft_forget(struct pbft *self, uint64_t nonce);
void pbft_recover_due(struct pbft *self, struct effects *out);
void pbft_on_recover(struct pbft *self, const struct event *event, struct effects *out);
void pbft_on_recovery_marks(struct pbft *self, const struct event *event, struct effects *out);
/* The low water mark is where it may vote again. */
bool pbft_recovery_ends(const struct pbft *self);

/* pbft_restore.c */
void pbft_restore(struct pbft *self, const struct event *event);
void pbft_start(struct pbft *self, const struct event *event, struct effects *out);

/* pbft_check.c, pbft_print.c, pbft_canonical.c */
const char *pbft_check(void *member);
void pbft_print(const void *member, struct text *out);
void pbft_canonical(const void *member, struct canon *out);

#endif
