/* State of a member of an anti-entropy group (anti_entropy.h), shared by the files of the protocol. */
#ifndef LOCKSTEP_PROTOCOL_REPLICA_ANTI_ENTROPY_MEMBER_H
#define LOCKSTEP_PROTOCOL_REPLICA_ANTI_ENTROPY_MEMBER_H

#include "base/random.h"
#include "contract/command.h"
#include "contract/message.h"
#include "protocol/replica/anti_entropy.h"

enum {
    AE_QUEUE_BYTES = 256 << 10,
    AE_DELIVERIES_MAX = 64, /* of one step; the rest in the next turn */
    AE_BURST_MAX = 4,       /* messages with updates that one digest brings */
};

/* DIGEST: `numbers` are, place by place, how many updates of each member the sender holds, u64 each; `asks` when it
 * wants the receiver's. */
#define AE_DIGEST_FIELDS(FIELD, S) FIELD(S, U8, asks) FIELD(S, BYTES, numbers)
#define AE_UPDATES_FIELDS(FIELD, S) FIELD(S, RECORDS, updates)
#define AE_UPDATE_FIELDS(FIELD, S) FIELD(S, NODE, origin) FIELD(S, U64, number) FIELD(S, TIME, time_ns) FIELD(S, BYTES, bundle)
MESSAGE_STRUCT(ae_digest, AE_DIGEST_FIELDS)
MESSAGE_STRUCT(ae_updates, AE_UPDATES_FIELDS)
MESSAGE_STRUCT(ae_update, AE_UPDATE_FIELDS) /* the one kind of record */

enum ae_message { AE_DIGEST, AE_UPDATES, AE_MESSAGES };
enum ae_record { AE_RECORD_UPDATE, AE_RECORDS };
enum ae_timer { AE_TIMER_DIGEST }; /* its key is the place of the member that is told */

extern const struct message_table ae_messages;
extern const struct message_table ae_records;

enum ae_ablation {
    AE_ACK_BEFORE_STORED,
    AE_DELIVER_OUT_OF_ORDER,
    AE_EXECUTE_DUPLICATES,
    AE_DIGEST_NOT_EXCHANGED,
    AE_WAIT_FOR_OTHERS,
    AE_PRUNE_TOO_EARLY,
};

/* An update in the log. Entries ascend by position, and those of one origin by number. */
struct ae_entry {
    uint64_t position;
    uint64_t number; /* of its origin's updates, from 1 */
    int64_t time_ns;
    uint64_t size; /* of its record */
    uint32_t origin; /* place */
};

/* A client's update, a bundle of one command. */
struct ae_request {
    struct ae_request *next;
    uint64_t number; /* of the session */
    size_t size;
    uint8_t bundle[];
};

/* Where the first request of the queue stands. */
enum ae_phase { AE_WAITS, AE_ASKED, AE_STORED };

struct ae_member {
    struct heap *heap;
    const struct group_spec *spec;
    struct random random;
    uint32_t count, place; /* of members, and the own one */
    uint32_t *others;      /* all nodes but the own one */
    bool started, inert, room;
    int64_t now_ns, wall_ns;
    int64_t time_ns; /* of the last delivery */
    uint64_t incarnation, last_position, stored;

    struct ae_entry *log;
    uint32_t log_count, log_capacity;
    uint32_t done;     /* entries from the front that are delivered */
    bool again;        /* the last step delivered as much as one may, and there is more */
    uint32_t own_kept; /* own entries in the log */
    uint64_t done_position; /* everything up to here is delivered */
    uint64_t index;         /* deliveries so far: the sum of `delivered` */
    uint64_t *have;         /* by place: last number in the log, durable or not */
    uint64_t *delivered;    /* by place: last number delivered */
    uint64_t *known;        /* member by member, the row of what it said that it holds */
    uint32_t filler;        /* 1 + place of who sent updates that are not delivered yet; 0: nobody */

    struct ae_request *queue_first, *queue_last;
    uint32_t queue_count;
    size_t queue_bytes;
    enum ae_phase phase;
    uint64_t ask_tag, highest_number;

    bool checkpointing;
    uint64_t keep_from;                /* of the checkpoint under way */
    uint64_t bytes_since, index_since; /* logged and delivered since the last checkpoint began */
    int64_t checkpoint_not_before_ns;
    uint8_t *part, *numbers; /* room for a checkpoint's own part, and for a digest */

    uint64_t *seen; /* by place: delivered when check() looked last */
};

static inline bool ae_ablated(const struct ae_member *self, enum ae_ablation rule)
{
    return (self->spec->ablations & (uint32_t)ABLATION_PROTOCOL_FIRST << rule) != 0;
}

static inline uint64_t *ae_known(const struct ae_member *self, uint32_t place)
{
    return &self->known[(size_t)place * self->count];
}

static inline struct ae_entry *ae_last(const struct ae_member *self)
{
    return &self->log[self->log_count - 1];
}

/* Something is durable and not delivered yet. */
static inline bool ae_owes_delivery(const struct ae_member *self)
{
    return self->done < self->log_count && self->log[self->done].position <= self->stored;
}

/* anti_entropy_request.c */
void ae_on_request(struct ae_member *self, const struct event_request *request, struct effects *out);
void ae_on_result(struct ae_member *self, const struct event_result *result, struct effects *out);
/* Takes up the next request when the last one is through. */
void ae_requests_advance(struct ae_member *self, struct effects *out);
/* The own update with that number has been delivered, which answered it. */
void ae_request_done(struct ae_member *self);

/* anti_entropy_spread.c */
/* Enters an update, stored at `position`, at the end of the log. False when the log is full. */
bool ae_enter(struct ae_member *self, uint32_t origin, const struct ae_update *update, uint64_t position);
bool ae_log_full(const struct ae_member *self);
/* Delivers what is durable, in the order of the log, as far as one step may. */
void ae_deliver(struct ae_member *self, struct effects *out);
void ae_on_digest(struct ae_member *self, uint32_t from, const struct ae_digest *digest, struct effects *out);
void ae_on_updates(struct ae_member *self, uint32_t from, const struct ae_updates *updates, struct effects *out);
/* The timer of the next digest to the member at that place, and those of all. */
void ae_arm_digest(struct ae_member *self, uint32_t place, struct effects *out);
void ae_arm_digests(struct ae_member *self, struct effects *out);
void ae_on_digest_due(struct ae_member *self, uint64_t place, struct effects *out);
/* True when all members are known to hold it. */
bool ae_held_by_all(const struct ae_member *self, const struct ae_entry *entry);

/* anti_entropy_restart.c */
size_t ae_part_size(const struct group_spec *spec);
void ae_on_restore(struct ae_member *self, const struct event_restore *restore);
void ae_checkpoint_when_due(struct ae_member *self, struct effects *out);
void ae_on_state(struct ae_member *self, const struct event_state *state);

/* anti_entropy_look.c */
const char *ae_check(void *state);
void ae_print(const void *state, struct text *out);
void ae_canonical(const void *state, struct canon *out);
void ae_status(const void *state, struct member_status *out);
bool ae_progress(const void *state, uint32_t place, struct member_progress *out);

#endif
