/* The state of a member of two-phase commit, shared by the files that implement its roles:
 *   two_phase_commit.c              events, requests, the protocol's table
 *   two_phase_commit_coordinator.c  START, votes, decision, acknowledgements, END
 *   two_phase_commit_participant.c  INIT, READY, decision; cooperative termination
 *   two_phase_commit_restart.c      records and checkpoints back into state
 *   two_phase_commit_check.c        invariants, and what the laboratory looks at
 *   two_phase_commit_print.c, two_phase_commit_canonical.c  the state for people and for the explorer */
#ifndef LOCKSTEP_PROTOCOL_COMMIT_TWO_PHASE_COMMIT_MEMBER_H
#define LOCKSTEP_PROTOCOL_COMMIT_TWO_PHASE_COMMIT_MEMBER_H

#include "base/buffer.h"
#include "base/heap.h"
#include "base/random.h"
#include "contract/command.h"
#include "contract/effect.h"
#include "contract/event.h"
#include "contract/spec.h"
#include "protocol/commit/two_phase_commit.h"
#include "protocol/commit/two_phase_commit_table.h"

enum tpc_timer { TPC_TIMER_WAIT, TPC_TIMER_READY, TPC_TIMER_RESEND };

enum {
    TPC_HISTORY_MAX = 128,   /* commits since the last durable checkpoint; at half of it the next is taken */
    TPC_CHECKPOINT_RECORDS = 512, /* and after that many records too */
    TPC_REASON_MAX = 128,    /* bytes of a no-voter's reason */
    TPC_QUEUE_BYTES = 256 << 10,
    TPC_NOBODY = -1,
};

/* A client's command that waits for, or is in, its transaction. */
struct tpc_request {
    struct tpc_request *next;
    uint64_t number; /* of the session's updates */
    size_t size;
    uint8_t bundle[]; /* of this one command */
};

enum tpc_coordinator_state { TPC_IDLE, TPC_WAIT, TPC_COMMITTED, TPC_ABORTED };

/* The one transaction that this member coordinates. */
struct tpc_coordinator {
    enum tpc_coordinator_state state;
    uint64_t incarnation, sequence; /* of this or, when IDLE, the last one */
    uint64_t position;              /* of its newest record: what is sent waits for it */
    int64_t time_ns;                /* of the commit: the latest that a participant asked for */
    bool recovered;                 /* decided in an earlier life: votes are not known any more */
    bool *voted, *acked;            /* by place */
    uint32_t voted_count, acked_count;
};

/* The newest transaction of one coordinator, here. */
struct tpc_participation {
    uint64_t incarnation, sequence;
    enum transaction_state state;
    bool voted_commit;
    uint64_t ready_position; /* of READY, which holds the bundle */
    uint64_t position;       /* of the newest record; 0 when it was restored: what is sent waits for it */
    int64_t time_ns;
};

struct tpc_commit {
    uint64_t position; /* of READY */
    int64_t time_ns;
};

struct tpc_member {
    struct heap *heap;
    const struct group_spec *spec;
    struct random random;
    struct span participants; /* as it stands in records: a u32 each */
    bool started, inert; /* inert: it has lost promises and takes no part */
    uint64_t incarnation;
    int64_t now_ns, wall_ns;
    uint64_t stored, last_position; /* positions: durable, written */
    bool room;

    struct tpc_request *queue_first, *queue_last; /* the first one is the coordinator's, unless that is recovered */
    uint32_t queue_count;
    size_t queue_bytes;
    uint64_t highest_number; /* of the own node's session that was ever handed in */
    struct tpc_coordinator coordinator;

    struct tpc_participation *parts; /* by the coordinator's place */
    int busy;                        /* place whose transaction is asked about or READY here, or TPC_NOBODY */
    uint64_t ask_tag;                /* of the question to the service that is under way */
    bool asking;
    struct buffer asked_bundle;
    uint32_t decision_requests; /* unanswered, for the READY one */

    uint64_t index;        /* commands delivered */
    int64_t time_ns;       /* of the last one */
    struct tpc_commit history[TPC_HISTORY_MAX]; /* commits since the last durable checkpoint */
    uint32_t history_count, history_in_checkpoint;
    bool checkpointing;
    uint64_t checkpoint_as_of;      /* records up to here are in the last durable checkpoint */
    uint64_t checkpoint_begun;      /* the same of the one that is being written */
    uint64_t checkpoint_not_before; /* position, so that a failing disk is not asked in every step */
    uint8_t *part;

    char text[256];     /* of the refusal written in this step */
    const char *broken; /* an invariant that an input showed to be broken, for check() */
    struct tpc_shadow {
        uint64_t coordinator_sequence;
        struct tpc_participation *parts;
    } shadow; /* as check() saw it last */
};

static inline bool tpc_ablated(const struct tpc_member *self, enum two_phase_commit_ablation ablation)
{
    return (self->spec->ablations & ((uint32_t)ABLATION_PROTOCOL_FIRST << ablation)) != 0;
}

static inline struct tpc_id tpc_id_of(const struct tpc_member *self, int place)
{
    return (struct tpc_id){.node = self->spec->members[place],
                           .incarnation = self->parts[place].incarnation,
                           .sequence = self->parts[place].sequence};
}

static inline struct tpc_id tpc_own_id(const struct tpc_member *self)
{
    return (struct tpc_id){.node = self->spec->self,
                           .incarnation = self->coordinator.incarnation,
                           .sequence = self->coordinator.sequence};
}

/* Stores a record and takes note of its position. */
uint64_t tpc_store(struct tpc_member *self, struct effects *out, enum tpc_record type, const void *body);

/* ---- coordinator ---- */

/* Begins the next transaction when there is one and the last has ended. */
void tpc_coordinator_advance(struct tpc_member *self, struct effects *out);
void tpc_coordinator_start(struct tpc_member *self, struct effects *out);
void tpc_on_vote_commit(struct tpc_member *self, int from, const struct tpc_timed *vote, struct effects *out);
void tpc_on_vote_abort(struct tpc_member *self, const struct tpc_vote_abort *vote, struct effects *out);
void tpc_on_ack(struct tpc_member *self, int from, const struct tpc_id *ack, struct effects *out);
void tpc_on_wait_timeout(struct tpc_member *self, uint64_t sequence, struct effects *out);
void tpc_on_resend_timeout(struct tpc_member *self, uint64_t sequence, struct effects *out);
/* True when it could answer from what it has decided. */
bool tpc_coordinator_answer(struct tpc_member *self, uint32_t to, const struct tpc_id *id, struct effects *out);
/* Takes the first request out of the queue and frees it. */
void tpc_queue_pop(struct tpc_member *self);

/* ---- participant ---- */

void tpc_on_vote_request(struct tpc_member *self, const struct tpc_vote_request *request, struct effects *out);
void tpc_on_result(struct tpc_member *self, const struct event_result *result, struct effects *out);
/* The decision, from the coordinator or from another participant. */
void tpc_on_decided(struct tpc_member *self, const struct tpc_id *id, bool commit, int64_t time_ns,
                    struct effects *out);
void tpc_on_decision_request(struct tpc_member *self, uint32_t from, const struct tpc_id *id, struct effects *out);
void tpc_on_ready_timeout(struct tpc_member *self, uint64_t sequence, struct effects *out);
/* After a restart: asks at once about what is READY. */
void tpc_participant_start(struct tpc_member *self, struct effects *out);

/* ---- restart ---- */

size_t tpc_part_size(const struct group_spec *spec);
void tpc_on_restore(struct tpc_member *self, const struct event_restore *restore);
void tpc_checkpoint_when_due(struct tpc_member *self, struct effects *out);
void tpc_on_state(struct tpc_member *self, const struct event_state *state);

/* ---- check ---- */

const char *tpc_check(void *self);

/* ---- print, canonical state ---- */

void tpc_print(const void *self, struct text *out);
void tpc_canonical(const void *self, struct canon *out);

#endif
