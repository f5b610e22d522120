/* Synchronous rounds: the common half of protocols that agree in lockstep (flooding, Byzantine agreement).
 *
 * The synchronous model (Lynch, "Distributed algorithms", 1996, chapter 2): all take steps in rounds, and what a
 * correct process sends in a round arrives in it, so that silence is proof. Here a round is a timer at every member.
 *
 * An *instance* is one agreement. Who has something to propose begins the next instance; who hears a message of its
 * first round joins it at once. In every instance each member sends in round 1 to all, so all begin within one message
 * delay of the first correct one; if senders may crash in the midst of a multicast, each crash may add a delay. With d
 * the longest time from sending to handling, k crashes and rounds of length L, every message of a round reaches its
 * receiver in that round when L >= (k + 2) d. L is the group's heartbeat_ns: that is the bound which the model claims
 * of the network. What comes late is dropped and counted; so is what comes from a round that this member is not close
 * to. A message of the next round may come early, by a faster member, and is kept for it.
 *
 * After an instance a member rests for one round, so that it ends everywhere before the next begins anywhere. All
 * members start for the first time within ROUNDS_START rounds of each other. So who is ROUNDS_START rounds old
 * joins what others begin, and who is twice as old may begin: then all others can join at once. (Nobody may be a
 * traitor before.)
 *
 * Crash is for ever, as in the model: a member that restarts takes no part any more (its node may still serve). Nothing
 * is stored.
 *
 * Requests. An update proposes the first argument of its command, an integer that is not negative (or one raw byte, as
 * the explorer's requests are). The queue is served one request an instance, in order; the answer is the instance's
 * decision, whoever proposed it. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_ROUNDS_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_ROUNDS_H

#include "base/heap.h"
#include "contract/effect.h"
#include "contract/event.h"
#include "contract/protocol.h"
#include "contract/spec.h"
#include "contract/text.h"
#include "protocol/consensus/cells.h"

enum {
    ROUNDS_MEMBERS_MAX = 64,
    ROUNDS_QUEUE_MAX = 64, /* requests that wait at a member */
    ROUNDS_START = 2,      /* rounds within which all members start */
    ROUNDS_TIMER = 1,      /* its name */
    /* What one step of the rounds may write, beside what the rules send: a refusal, an arming, an answer, notes. */
    ROUNDS_EFFECTS_MAX = 8,
    ROUNDS_ANSWER_BYTES_MAX = 32 + 24 * ROUNDS_MEMBERS_MAX,
};

enum rounds_state {
    ROUNDS_STARTING, /* others may not be there yet */
    ROUNDS_READY,    /* they are, but may not be ready */
    ROUNDS_IDLE,
    ROUNDS_RUNNING,
    ROUNDS_RESTING,
    ROUNDS_OUT, /* crashed once, or the group is larger than the protocol takes */
};

struct rounds_rules {
    /* The protocol's own half. `self` is its member. */
    void (*begin)(void *self); /* a new instance: forget the last one; rounds.own is what this member proposes */
    void (*send)(void *self, uint32_t round, struct effects *out); /* this round's messages, to others */
    /* What member `place` sent in this round: at most one message each, in the order of places, at the round's end. */
    void (*receive)(void *self, uint32_t round, uint32_t place, struct span bytes);
    /* After that; the last round ends the instance. All instances have the same length, so all members stay in step. */
    void (*end)(void *self, uint32_t round, struct effects *out);
};

struct rounds_letter {
    bool present;
    uint32_t size;
    uint8_t *bytes;
};

struct rounds_request {
    uint64_t number, value;
};

struct rounds {
    const struct group_spec *spec;
    const struct rounds_rules *rules;
    void *self; /* the protocol's member */
    const char *too_many; /* NULL, or why this group cannot work: the text of all refusals */
    enum rounds_state state;
    uint32_t place;
    uint32_t last;      /* round of an instance */
    uint32_t round;     /* that runs */
    uint64_t instance;  /* that runs or ran last; 0: none */
    int64_t begun_ns, length_ns, now_ns;
    size_t bytes_max; /* of one message */
    bool wait_for_all; /* ablation: a round ends when all have been heard, never by time */
    struct rounds_letter *heard, *early; /* by place */
    struct cell own;    /* proposed here in this instance */
    bool answering;     /* the queue's first request is proposed in this instance */
    struct rounds_request queue[ROUNDS_QUEUE_MAX];
    uint32_t queue_first, queue_count;
    uint64_t highest_number;
    uint32_t *others; /* nodes of the other members */
    uint64_t late, ahead, doubled, malformed; /* messages that were dropped, by why */
};

/* Bytes of heap that rounds_init takes. */
size_t rounds_heap_size(const struct group_spec *spec, size_t bytes_max);
/* `last` rounds an instance, messages of at most bytes_max bytes. */
void rounds_init(struct rounds *rounds, struct heap *heap, const struct group_spec *spec,
                 const struct rounds_rules *rules, void *self, uint32_t last, size_t bytes_max);

/* Handles START, REQUEST and TIMEOUT, and keeps time; other events change nothing. */
void rounds_step(struct rounds *rounds, const struct event *event, struct effects *out);
/* The protocol has decoded a message of that instance and round. Bytes are copied. */
void rounds_message(struct rounds *rounds, uint32_t from_node, uint64_t instance, uint32_t round, struct span bytes,
                    struct effects *out);
/* Answers the client whose proposal runs in this instance, if there is one, with RESP3 bytes (copied). */
void rounds_answer(struct rounds *rounds, struct span bytes, struct effects *out);

/* NULL, or what does not hold. */
const char *rounds_check(const struct rounds *rounds);
/* What the rounds decide by. `letter` writes what member `from` sent in a round, under the renaming. */
typedef void rounds_letter_canon(const struct rounds *rounds, uint32_t round, uint32_t from, struct span bytes,
                                 struct canon *out);
void rounds_canonical(const struct rounds *rounds, rounds_letter_canon *letter, struct canon *out);
/* "round=2/3 instance=7 state=running own=4". */
void rounds_print(const struct rounds *rounds, struct text *out);
void rounds_status(const struct rounds *rounds, struct member_status *out);

static inline uint32_t rounds_members(const struct rounds *rounds)
{
    return rounds->spec->member_count;
}

/* What the laboratory's judges see of a member: the newest instance that it took part in. */
struct rounds_seen {
    uint64_t instance; /* 0: none */
    uint32_t round;    /* that runs */
    bool running;
    bool idle; /* it joins what another begins, or begins itself */
    struct cell own; /* UNKNOWN: it had nothing to propose */
};
void rounds_look(const struct rounds *rounds, struct rounds_seen *out);

#endif
