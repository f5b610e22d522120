/* What the parts of single-decree Paxos share: synod.c has events, requests and the table, synod_accept.c the acceptor
 * and its disk, synod_propose.c the proposer, synod_print.c what others see of a member. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_SYNOD_INTERNAL_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_SYNOD_INTERNAL_H

#include "base/random.h"
#include "protocol/consensus/own_disk.h"
#include "protocol/consensus/synod.h"

#define SYNOD_ROUND_MAX (UINT64_C(1) << 48) /* a higher one is no member's */

enum synod_record { SYNOD_STATE, SYNOD_RECORDS };

/* All that must survive: each record supersedes those before it; a checkpoint's part is one, too. */
#define SYNOD_STATE_FIELDS(FIELD, S) \
    FIELD(S, U64, promised) FIELD(S, NODE, promised_to) FIELD(S, U64, accepted) FIELD(S, NODE, accepted_by) \
    FIELD(S, U64, value) FIELD(S, U8, decided) FIELD(S, U64, decision)
MESSAGE_STRUCT(synod_state, SYNOD_STATE_FIELDS)

struct synod_request {
    uint64_t number, value;
};

struct synod {
    const struct group_spec *spec;
    struct random random;
    uint32_t place, majority; /* majority: what counts as one, under a rule switched off also less */
    uint32_t others_count;
    uint32_t others[SYNOD_MEMBERS_MAX];
    bool too_large; /* the group has more members than this protocol takes */
    int64_t now_ns;

    /* the acceptor: stable, but for a rule switched off */
    struct paxos_ballot promised, accepted;
    uint64_t value;
    uint64_t accepted_at; /* position of the first record that holds the acceptance */
    bool decided;
    uint64_t decision;
    struct own_disk disk;
    bool started;
    bool damaged;  /* while it is restored: something is missing after the last record */
    bool amnesiac; /* what it promised is lost */
    bool checkpointing;
    uint64_t checkpoint_from; /* position of the record that the newest checkpoint, or try of one, stands for */
    uint8_t part[MESSAGE_HEAD_SIZE_MAX]; /* lent to CHECKPOINT */

    /* the proposer */
    enum synod_phase phase;
    uint64_t round, seen_round; /* own; and the highest that a NACK told of */
    uint64_t answered;          /* set of places */
    struct paxos_ballot best;   /* PREPARING: the highest that was reported, round 0: none */
    uint64_t best_value, proposal;
    uint32_t refusals, repeats; /* of the ballots so far, and of the message under way */

    /* the learner and its clients */
    bool asking; /* the timer is armed */
    uint32_t asked;
    struct synod_request queue[SYNOD_QUEUE_MAX];
    uint32_t queue_count;
    uint64_t highest_number;

    uint64_t malformed;      /* messages that no member sends */
    bool contradicted;       /* another value was said to be decided (PAX-4) */
    struct paxos_ballot promised_before, accepted_before; /* when check() looked last */
};

extern const struct message_table synod_messages, synod_records;

static inline bool synod_ablated(const struct synod *self, enum synod_ablation ablation)
{
    return (self->spec->ablations & (uint32_t)ABLATION_PROTOCOL_FIRST << ablation) != 0;
}

static inline struct paxos_ballot synod_ballot(uint64_t round, uint32_t node)
{
    return (struct paxos_ballot){.round = round, .node = node};
}

/* The own ballot under way. */
static inline struct paxos_ballot synod_own_ballot(const struct synod *self)
{
    return synod_ballot(self->round, self->spec->self);
}

static inline bool synod_in_ballot(const struct synod *self)
{
    return self->phase == SYNOD_PREPARING || self->phase == SYNOD_PROPOSING;
}

/* ---- synod_accept.c ---- */

/* Promises, and accepts, what may be; writes the record. */
void synod_promise(struct synod *self, struct paxos_ballot ballot, struct effects *out);
void synod_accept(struct synod *self, struct paxos_ballot ballot, uint64_t value, struct effects *out);
void synod_store(struct synod *self, struct effects *out);
/* The position that what depends on the stable state must wait for; 0: it is on disk. */
uint64_t synod_after(const struct synod *self);

void synod_on_prepare(struct synod *self, uint32_t from, const struct synod_round *prepare, struct effects *out);
void synod_on_accept(struct synod *self, uint32_t from, const struct synod_accept *accept, struct effects *out);
void synod_on_restore(struct synod *self, const struct event_restore *restore);
void synod_on_state(struct synod *self, const struct event_state *state);
void synod_checkpoint_when_due(struct synod *self, struct effects *out);

/* ---- synod_propose.c ---- */

/* Begins a ballot if requests wait, none is under way and no time is to pass first. */
void synod_propose(struct synod *self, struct effects *out);
/* The own ballot cannot succeed any more. */
void synod_give_up(struct synod *self, struct effects *out);
void synod_on_promise(struct synod *self, uint32_t from, const struct synod_promise *promise);
void synod_on_accepted(struct synod *self, uint32_t from, uint64_t round);
void synod_on_nack(struct synod *self, const struct synod_nack *nack, struct effects *out);
void synod_on_retry(struct synod *self, struct effects *out);
/* Counts the own vote once it is on disk; goes on where a majority has answered. */
void synod_advance(struct synod *self, struct effects *out);

/* ---- synod.c ---- */

/* The decision is known: clients are answered, and it is stored. */
void synod_learn(struct synod *self, uint64_t value, struct effects *out);
/* Asks the others until the decision is known. */
void synod_ask_later(struct synod *self, struct effects *out);
int64_t synod_drawn(struct synod *self, int64_t bound_ns, uint32_t doublings);

/* ---- synod_print.c ---- */

const char *synod_check(void *self);
void synod_status(const void *self, struct member_status *out);
void synod_print(const void *self, struct text *out);
void synod_canonical(const void *self, struct canon *out);

#endif
