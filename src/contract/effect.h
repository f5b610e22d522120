/* Effects: everything that a member can want. It writes them into a buffer that its caller owns; node/ interprets
 * them in the order written, and interpreting them never steps a member.
 *
 * Spans in an effect are borrowed: from the event of this step, from the member's own memory, or from the buffer's
 * scratch (effects_copy). They are used before the member is stepped again.
 *
 * Order: a SEND or REPLY that names a position leaves once that is stored, and may be overtaken by one that names none
 * (position 0). A protocol declares the most effects that one step can write (protocol.effects_max); more is a bug and
 * stops the member. Unbounded work is done in TURN, a piece at a time (EFFECT_AGAIN asks for another). */
#ifndef LOCKSTEP_CONTRACT_EFFECT_H
#define LOCKSTEP_CONTRACT_EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "contract/address.h"
#include "contract/message.h"

enum effect_kind {
    EFFECT_STORE,
    EFFECT_SEND,
    EFFECT_ARM,
    EFFECT_CHECKPOINT,
    EFFECT_ADOPT,
    EFFECT_DELIVER,
    EFFECT_REPLY,
    EFFECT_SUSPECT,
    EFFECT_VIEW,
    EFFECT_NOTE,
    EFFECT_AGAIN,
};

struct effect_store {
    uint8_t slot;
    uint16_t type;
    uint64_t position; /* that it gets */
    struct span head, tail;
};

struct effect_send {
    const uint32_t *to; /* nodes; the own one included if the member wants to hear itself */
    uint32_t to_count;
    uint8_t slot;
    uint16_t type;
    uint64_t to_incarnation; /* 0: any; else a receiver with another incarnation drops it */
    uint64_t after;          /* position that must be stored first; 0: none */
    struct span head, tail;
    uint64_t records_first, records_last; /* stored records that follow, both included; 0, 0: none */
};

struct effect_arm {
    uint8_t slot;
    uint16_t name;
    uint64_t key;
    int64_t at_ns; /* monotone time; EFFECT_DISARM takes the timer away. Arming again moves it. */
};
#define EFFECT_DISARM INT64_MAX

struct effect_checkpoint {
    uint64_t keep_from; /* once durable, records before this position may go */
    struct span part;   /* term, vote, configuration, proof: small */
};

struct effect_adopt {
    const uint32_t *holders; /* nodes that hold it */
    uint32_t holder_count;
    uint64_t index;  /* of the checkpoint wanted */
    uint64_t digest; /* of its bytes; 0: not known */
    struct sha256_seal seal; /* of them; size 0: not known */
};

enum deliver_kind {
    DELIVER_UPDATE,
    DELIVER_READ,
    DELIVER_LOOK, /* a client's reads (contract/event.h, REQUEST_READ) */
};

struct effect_deliver {
    enum deliver_kind kind;
    uint64_t index;        /* of the first command; a read sees the state after this index */
    int64_t time_ns;       /* agreed wall time; never falls from update to update */
    uint64_t record;       /* position of a stored record that ends in a bundle (its bulk field), or 0 */
    struct span bundle;    /* when record is 0 and kind is update: the bundle itself */
    uint64_t first_number; /* reads and looks: the numbers that node/ keeps */
    uint32_t count;
    bool result;  /* the answer comes back as RESULT with `tag`, instead of going to the session */
    uint64_t tag;
};

enum reply_kind {
    REPLY_ANSWER,  /* `bytes` is the answer, a RESP3 value */
    REPLY_REFUSED, /* certainly never: it has not happened and will not; `bytes` is an error's text */
    REPLY_AGAIN,   /* this handing in was not taken, as a whole: node/ may hand the bundle in again, when somebody orders */
    REPLY_ORDER,   /* reads of the own session need a place in the order: node/ hands all that are unanswered in again as
                      updates. Who uses it answers reads in the order of their numbers: else a read could see an older
                      state than the one before it on its connection, which was ordered later */
    REPLY_COUNT,   /* answers REQUEST_COUNT with `count_stored` */
    REPLY_INDETERMINATE, /* nobody can say what became of it, or what the answer was; `bytes` is an error's text */
};

struct effect_reply {
    enum reply_kind kind;
    bool read; /* numbers are those of reads, else of updates */
    uint64_t first_number;
    uint32_t count;
    uint32_t count_stored;
    struct span bytes;
    uint64_t index; /* ANSWER: of the last command that it answers, where a later COUNT is to be of it; 0: none */
    uint64_t after; /* position that must be stored first; 0: none */
};

struct effect_suspect {
    uint32_t node;
    uint32_t level; /* 0 is trust */
};

struct effect_view {
    uint64_t number;  /* term, view, epoch */
    uint32_t orderer; /* node that takes requests now; 0: nobody is known to */
};

struct effect_note {
    const char *text; /* a literal: "FOLLOWER -> CANDIDATE" */
    uint64_t value;
};

struct effect {
    enum effect_kind kind;
    union {
        struct effect_store store;
        struct effect_send send;
        struct effect_arm arm;
        struct effect_checkpoint checkpoint;
        struct effect_adopt adopt;
        struct effect_deliver deliver;
        struct effect_reply reply;
        struct effect_suspect suspect;
        struct effect_view view;
        struct effect_note note;
    };
};

struct effects {
    struct effect *list;
    uint32_t count, capacity;
    uint8_t *scratch; /* encoded heads and copied bytes */
    size_t scratch_used, scratch_size;
    uint64_t next_position; /* that the next STORE gets; node/ sets it before the step */
};

/* Most scratch that one STORE or SEND takes: its encoded head, one receiver, and their alignment. Bytes that a protocol
 * copies itself (effects_copy) come on top, 7 each for alignment. */
enum { EFFECT_SCRATCH_SIZE_MAX = MESSAGE_STRUCT_SIZE_MAX + 24 };

/* Each appends one effect; over the declared bound they stop the process (invariant). */

/* Encodes the record and returns the position that it gets. Its bulk stays where it is. */
uint64_t effect_store(struct effects *out, const struct message_table *table, uint8_t slot, uint16_t type,
                      const void *body);

/* Encodes the message. Returns the effect, for the caller to name a position, records or an incarnation. `to` must
 * live until the effects are interpreted: the spec's members, or effects_copy(). */
struct effect_send *effect_send(struct effects *out, const struct message_table *table, uint8_t slot, uint16_t type,
                                const void *body, const uint32_t *to, uint32_t to_count);
/* The same to one node. */
struct effect_send *effect_send_one(struct effects *out, const struct message_table *table, uint8_t slot,
                                    uint16_t type, const void *body, uint32_t to);

void effect_arm(struct effects *out, uint8_t slot, uint16_t name, uint64_t key, int64_t at_ns);
void effect_disarm(struct effects *out, uint8_t slot, uint16_t name, uint64_t key);
void effect_checkpoint(struct effects *out, uint64_t keep_from, struct span part);
struct effect_adopt *effect_adopt(struct effects *out, const uint32_t *holders, uint32_t holder_count, uint64_t index,
                                  uint64_t digest);
struct effect_deliver *effect_deliver_record(struct effects *out, uint64_t index, int64_t time_ns, uint64_t record);
struct effect_deliver *effect_deliver_bytes(struct effects *out, enum deliver_kind kind, uint64_t index,
                                            int64_t time_ns, struct span bundle);
struct effect_deliver *effect_deliver_reads(struct effects *out, uint64_t index, int64_t time_ns,
                                            uint64_t first_number, uint32_t count);
struct effect_reply *effect_reply(struct effects *out, enum reply_kind kind, bool read, uint64_t first_number,
                                  uint32_t count, struct span bytes);
struct effect_deliver *effect_deliver_looks(struct effects *out, uint64_t index, int64_t time_ns,
                                            uint64_t first_number, uint32_t count);
void effect_suspect(struct effects *out, uint32_t node, uint32_t level);
void effect_view(struct effects *out, uint64_t number, uint32_t orderer);
void effect_note(struct effects *out, const char *text, uint64_t value);
void effect_again(struct effects *out);

/* Copies bytes into the scratch. */
struct span effects_copy(struct effects *out, const void *data, size_t size);

const char *effect_kind_name(enum effect_kind kind);

#endif
