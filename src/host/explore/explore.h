/* The explorer: every ordering of a small configuration, executed with the production object code of the protocol.
 *
 * Explicit-state model checking (Holzmann, "The SPIN Model Checker", 2003; Clarke, Grumberg and Peled, "Model
 * Checking", 1999), where the model is the program itself: a step is the protocol's own step function on its own
 * memory.
 *
 * Intuition. A member is a pure state machine, so a step is a function of (state of the member, input). Each distinct
 * state of a member, together with its disk and its timers, is kept once as a *node state*, each distinct message once,
 * and each step is executed once and remembered. A global state is then a short row of small numbers (a node state for
 * each member, the messages under way, what is left of the budgets), and the search over global states is arithmetic
 * on such rows.
 *
 * Node states and messages are recognised by 128-bit fingerprints of canonical bytes (contract/canon.h), global states
 * by the sum of the fingerprints of their parts, the smallest over all renamings of the members (Clarke, Emerson, Jha
 * and Sistla, "Symmetry reductions in model checking", CAV 1998). That two different states share a fingerprint is
 * possible, and for 10^8 states has a probability of about 10^-23 (hash compaction: Stern and Dill, 1995).
 *
 * Transitions. One input to one member followed by its TURN: a message under way, a timer that is armed, a result of
 * the service, a request, the completion of one disk write; the loss or doubling of a message; the crash of a member,
 * which keeps some prefix of the records that are not durable; its restart. A crash in the middle of a step is the
 * step, then the crash, and messages that never arrive: what was sent may stay under way for ever.
 *
 * Time. Timers fire at any time. Between two events of a member lies one election timeout of the configuration, so that
 * nothing was ever heard "just now"; wall time stands still. A core that computes with time is explored under that
 * clock only: bounded, not exhaustive.
 *
 * Rounds. With `rounds` the network is synchronous (Lynch, "Distributed algorithms", 1996, chapter 2): all clocks
 * agree, and stand still until every message to a member that is up has arrived, so that silence is proof; then they
 * move on to the next timer that is due. Within such an instant timers run out first, then messages arrive in any
 * order; with `skew` all of that happens in any order. Of what a member sent in the instant in which it crashed any
 * part may be lost. Where nothing that may still arrive at an instant makes anybody send (which is tried, not
 * assumed), members do not influence each other, and are taken one after the other instead of in every interleaving.
 *
 * Traitors. The members in `traitors` execute nothing. At any time a traitor may say to anybody any of the messages
 * that the property lists, or none: a strategy is a choice for each receiver and each instant, and all of them are
 * explored. So that it is a function of what traitors could know, the list may use what was sent to them.
 *
 * Limits (each is named by the error that it causes): EXPLORE_NODES_MAX members; no checkpoints with crashes, no
 * adoption, no connection events, no reads; see docs/exploration.md. */
#ifndef LOCKSTEP_HOST_EXPLORE_EXPLORE_H
#define LOCKSTEP_HOST_EXPLORE_EXPLORE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "contract/effect.h"
#include "contract/event.h"
#include "contract/protocol.h"
#include "contract/spec.h"

enum {
    EXPLORE_NODES_MAX = 5,
    EXPLORE_TIMERS_MAX = 4,  /* kinds that have a budget */
    EXPLORE_REQUESTS_MAX = 8,
    EXPLORE_FACTS_MAX = 512, /* bytes that a property notes of a member */
    EXPLORE_GHOST_MAX = 512, /* bytes that it remembers of the past */
    EXPLORE_UNLIMITED = 255,
    EXPLORE_NO_REQUEST = 255,
    EXPLORE_LIE_BYTES = 512, /* of a traitor's message, and of what it refers to */
};

/* One kind of timer, and how often it may run out in one run, over all members. */
struct explore_timer {
    const char *name;
    uint8_t slot;
    uint16_t timer;
    uint8_t limit; /* EXPLORE_UNLIMITED: as often as it likes */
    bool by_place; /* its key is the place of a member */
};

/* A member as a property sees it. */
struct explore_view {
    const struct group_spec *spec;
    const void *self;     /* as it is; of a member that is down: as its disk would give it back */
    const void *restored; /* as a crash now would give it back, if what was reported as stored is */
    bool up;
    /* The request (0, 1, …) in the bundle that was stored at a position; EXPLORE_NO_REQUEST for none. */
    void *context;
    uint8_t (*request_at)(void *context, uint64_t position);
};

/* What a traitor is about to say, and to whom. */
struct explore_said {
    uint32_t from, to; /* places */
    uint16_t type;
    struct span body; /* encoded */
};

struct explore_listener {
    const struct group_spec *spec; /* of who is told */
    const void *self;
    uint32_t from; /* place of the traitor */
    uint32_t values_first, values; /* values to choose from: first, first + 1, … */
    bool unknown;                  /* and no value, where a message may say so */
    const struct explore_said *known; /* what was sent to traitors so far, if they listen */
    uint32_t known_count;
    uint64_t traitors; /* bit: place */
};

struct explore_lie {
    uint16_t type;
    alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX]; /* the message's struct; its bulk may lie in `bytes` */
    uint8_t bytes[EXPLORE_LIE_BYTES];
};

/* What must hold across members. Facts are taken once of each distinct state of a member; check() sees them after each
 * step that changed some, with a ghost: what it remembers of the past, which is part of the global state. */
struct explore_property {
    const char *name;
    uint32_t facts_size, ghost_size;
    void (*observe)(const struct explore_view *view, void *facts);
    /* NULL, or a literal that begins with the tag of what is violated. `stepped`: place of the member. */
    const char *(*check)(const void *const *facts, uint32_t count, uint32_t stepped, void *ghost);
    /* The ghost under a renaming of members. */
    void (*ghost_canonical)(const void *ghost, struct canon *out);
    /* For progress: from each state a state must be reachable in which this holds; NULL: none is asked for. `up` is by
     * place. */
    bool (*goal)(const void *const *facts, uint32_t count);
    const char *stuck; /* the sentence for a state from which none is */
    bool rounds;       /* the protocol takes a synchronous network for granted */
    bool by_place;     /* members are told apart by more than their names: there is no symmetry */
    /* A message under a renaming, where bytes lie in the order of members; NULL: by the kinds of its fields. Its number
     * and who sends it to whom are written already. */
    void (*message_canonical)(uint16_t type, uint32_t from, uint32_t to, const void *body, struct canon *out);
    /* The index-th message that a traitor may say to this member now; false: there are no more. NULL: the protocol
     * knows no traitors. It may depend on what is in the canonical state, and on what the listener says. */
    bool (*lie)(const struct explore_listener *listener, uint32_t index, struct explore_lie *out);
    bool traitors_listen; /* lies depend on what was sent to traitors, which is kept under way for that */
};

struct explore_config {
    const struct protocol *protocol;
    const struct explore_property *property; /* NULL: only the protocol's own check() */
    struct explore_timer timers[EXPLORE_TIMERS_MAX]; /* others never run out */
    uint32_t timer_count;
    uint32_t nodes, requests, crashes, losses, duplicates;
    uint32_t request_at; /* node that all requests go to; 0: any */
    uint64_t traitors;   /* bit: place of a member that lies; `rounds` only */
    uint32_t values, value_first; /* requests and lies carry any of so many values; 0: a request carries its number */
    bool unknown; /* what traitors say may hold no value in place of one, besides what they leave unsaid */
    uint32_t copies;     /* of the same message under way at once: the channel loses more; at least 1 */
    uint32_t ablations;
    bool refusals;   /* the service may say no when it is asked: both answers are explored */
    bool restarts;   /* a member that is down may come back */
    bool symmetry, reduction, depth_first, audit;
    bool doubling; /* a message that arrives stays under way: it may arrive again, any number of times */
    bool fifo;     /* from one member to another messages arrive in the order sent, as over one connection */
    bool rounds;   /* a synchronous network: clocks move when everything has arrived; a member makes one request, at the
                      beginning */
    bool skew;     /* with rounds: timers that are due run out while messages of the same instant arrive */
    bool synchronous; /* a member waits for its disk and its service before its next input */
    bool progress; /* check the property's goal: keeps all transitions in memory */
    uint32_t depth_max;   /* 0: none */
    uint64_t states_max;  /* 0: none */
    size_t memory_bytes_max;
    /* Called for each new state, with the facts by place; may be NULL. */
    void (*visit)(void *context, const void *const *facts, const void *ghost, uint32_t depth);
    void *context;
};

enum explore_verdict { EXPLORE_COMPLETE, EXPLORE_BOUNDED, EXPLORE_VIOLATED, EXPLORE_FAILED };

struct explore_result {
    enum explore_verdict verdict;
    const char *bound; /* BOUNDED: what was hit; FAILED: why */
    const char *violation;
    uint32_t trace_length; /* VIOLATED: steps from the start */
    uint64_t states, transitions, node_states, messages, steps; /* steps: executed, not remembered */
    uint64_t orbit_states; /* without the reduction: states that those found stand for, under all renamings */
    uint64_t joint_states; /* with it, or with the audit: different states of all members together */
    uint64_t audited, audit_failures;
    uint32_t audit_node, audit_input; /* of the first failure: node, 1 + kind of input */
    uint32_t depth;
    size_t memory_bytes;
};

struct explorer;

/* A new explorer; the configuration is copied, what it points to is borrowed. Returns NULL with a sentence in `why`
 * (at least 200 bytes) when the configuration cannot be explored. */
struct explorer *explore_create(const struct explore_config *config, char *why, size_t why_size);
void explore_destroy(struct explorer *explorer);

/* Explores. Once. */
void explore_run(struct explorer *explorer, struct explore_result *result);

/* Who wants to see the steps of a trace: each event and the effects that it had, with the member after the step.
 * `what` describes transitions that are no event (loss, crash), and is NULL otherwise. */
struct explore_tracer {
    void *context;
    void (*transition)(void *context, uint32_t number, uint32_t node, const char *what);
    void (*stepped)(void *context, uint32_t node, const struct event *event, const struct effects *effects,
                    const void *self);
    /* Before the crash: how many of the records that it wrote survive. */
    void (*crashed)(void *context, uint32_t node, uint32_t kept, uint32_t written);
    /* A message arrives, or what the transition says becomes of it; `message` names it while the explorer lives. */
    void (*message)(void *context, const void *message, uint32_t from, uint32_t to, bool lost);
};

/* Executes the trace of the violation that explore_run() found again. */
void explore_replay(struct explorer *explorer, const struct explore_tracer *tracer);

/* The trace, step by step, for people. */
void explore_print_trace(struct explorer *explorer, FILE *out);

#endif
