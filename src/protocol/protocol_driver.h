/* A small host for unit tests of protocols: a few members, a network and a log each, driven turn by turn.
 *
 * It is not the world: it interprets effects in the simplest way that the contract allows, so that a protocol's test
 * needs no node, no disk and no service. A turn hands a member its inputs in the contract's order: STORED, RESULT and
 * STATE, some messages, requests, due timers, TURN. What a turn causes locally (results, calls) is an input of the
 * next. Everything is taken from one heap, and every choice from one seed. Only tests use this file. */
#ifndef LOCKSTEP_PROTOCOL_PROTOCOL_DRIVER_H
#define LOCKSTEP_PROTOCOL_PROTOCOL_DRIVER_H

#include "base/buffer.h"
#include "base/random.h"
#include "contract/command.h"
#include "contract/protocol.h"

enum {
    DRIVER_MEMBERS_MAX = 4,
    DRIVER_RECORDS_MAX = 4096,
    DRIVER_MESSAGES_MAX = 4096,
    DRIVER_INPUTS_MAX = 256,
    DRIVER_TIMERS_MAX = 64,
    DRIVER_ANSWERS_MAX = 512,
    DRIVER_STATE_MAX = 256, /* bytes of a test service's state at one member */
    DRIVER_TEXT_MAX = 512,
};

struct driver;

/* What the test does as service. The state is `state_size` bytes a member, zero at first; checkpoints copy it. */
struct driver_service {
    size_t state_size;
    /* Applies one command and appends exactly one RESP3 value to `answer`. May call driver_call(). */
    void (*deliver)(struct driver *driver, uint32_t node, void *state, bool read, const struct command *command,
                    struct buffer *answer);
};

struct driver_record {
    uint64_t position;
    uint8_t slot;
    uint16_t type;
    struct span bytes; /* owned */
};

struct driver_message {
    uint32_t from, to; /* nodes */
    uint64_t incarnation, to_incarnation, after;
    uint8_t slot;
    uint16_t type;
    struct span bytes; /* owned */
};

/* A local input that waits for the next turn. */
struct driver_input {
    struct event event;
    struct span bytes; /* owned; the span of the event */
};

struct driver_timer {
    struct effect_arm arm;
};

struct driver_answer {
    uint32_t node;
    uint64_t number;
    enum reply_kind kind;
    uint32_t size;
    char text[DRIVER_TEXT_MAX]; /* ends with a zero */
};

struct driver_member {
    struct group_spec spec;
    bool up;
    void *self;
    struct heap *heap;
    void *region;
    size_t region_size;
    uint64_t incarnation;
    struct driver_record records[DRIVER_RECORDS_MAX];
    uint32_t record_count;
    uint64_t last_position, stored, stored_told;
    bool full, full_told; /* full: STORED says that the log has no room for new work */
    struct driver_input inputs[DRIVER_INPUTS_MAX];
    uint32_t input_count;
    struct driver_timer timers[DRIVER_TIMERS_MAX];
    uint32_t timer_count;
    _Alignas(16) uint8_t state[DRIVER_STATE_MAX];
    uint64_t index; /* of the last update delivered */
    bool again;
    uint32_t delivered, checkpoints;
    uint32_t looks; /* of clients that were answered */
    /* the durable checkpoint */
    bool has_checkpoint;
    struct span part;
    uint64_t checkpoint_index, keep_from;
    _Alignas(16) uint8_t checkpoint_state[DRIVER_STATE_MAX];
};

struct driver {
    struct heap *heap;
    const struct protocol *protocol;
    struct driver_service service;
    struct random random;
    uint32_t member_count;
    uint32_t nodes[DRIVER_MEMBERS_MAX];
    struct driver_member members[DRIVER_MEMBERS_MAX];
    struct driver_message messages[DRIVER_MESSAGES_MAX]; /* sent, or held back until their position is stored */
    uint32_t message_count;
    struct driver_answer answers[DRIVER_ANSWERS_MAX];
    uint32_t answer_count;
    int64_t now_ns;
    void *context; /* the test's */
    /* True takes a message out of the network as it is about to arrive; NULL loses nothing. */
    bool (*lose)(struct driver *driver, const struct driver_message *message);
    /* Odds in 1/100 for driver_run_random(). */
    uint32_t loss, duplication;
    bool in_order;      /* messages between two members keep their order */
    bool manual_sync;   /* only driver_sync() makes records durable; else each turn begins with it */
    const char *failed; /* what check() said first */
    uint32_t failed_node;
};

/* Makes `member_count` members, nodes 1, 2, …, and starts them for the first time. */
void driver_init(struct driver *driver, struct heap *heap, const struct protocol *protocol,
                 const struct driver_service *service, uint32_t member_count, uint32_t ablations, uint64_t seed);

/* The same with other times and bounds. */
void driver_init_tuned(struct driver *driver, struct heap *heap, const struct protocol *protocol,
                       const struct driver_service *service, uint32_t member_count, uint32_t ablations, uint64_t seed,
                       const struct tuning *tuning);

struct driver_member *driver_member(struct driver *driver, uint32_t node);

/* Hands in a bundle of one command with one argument. */
void driver_request(struct driver *driver, uint32_t node, uint64_t number, uint16_t op, struct span argument);
/* The same, of a client that is no member, at one member. */
void driver_client_request(struct driver *driver, uint32_t node, uint32_t client, uint64_t incarnation, uint64_t number,
                           uint16_t op, struct span argument);
/* Looks of a client at one member (contract/event.h); driver_member.looks counts those that are answered. */
void driver_look(struct driver *driver, uint32_t node, uint32_t client, uint64_t first_number, uint32_t count);
/* The service of `node` sends one command with one argument, in a bundle without a number, to the member `to`. */
void driver_call(struct driver *driver, uint32_t node, uint32_t to, uint16_t op, struct span argument);

/* Everything written becomes durable. */
void driver_sync(struct driver *driver, uint32_t node);
/* One turn of one member with at most `messages_max` messages, in the order sent. */
void driver_turn(struct driver *driver, uint32_t node, uint32_t messages_max);
/* Turns of all members until nothing moves, without advancing time. False when it does not end. */
bool driver_settle(struct driver *driver);
/* Lets time pass, settling at each timer. */
void driver_advance(struct driver *driver, int64_t duration_ns);
/* Random turns, with loss, duplication and reordering, while time passes. */
void driver_run_random(struct driver *driver, uint32_t turns);

/* Unstored records, held messages, timers and inputs are gone. */
void driver_crash(struct driver *driver, uint32_t node);
/* Of a member that is down: nothing is left, checkpoint included. */
void driver_lose_disk(struct driver *driver, uint32_t node);
void driver_restart(struct driver *driver, uint32_t node, enum start_kind kind);

/* The answer to a request, or NULL. */
const struct driver_answer *driver_answer(const struct driver *driver, uint32_t node, uint64_t number);

#endif
