/* Reliable FIFO channels over a network that loses, doubles and reorders: a protocol for embedding.
 *
 * A sliding window with selective acceptance and cumulative acknowledgements (Tanenbaum and Wetherall, "Computer
 * networks", section 3.4.3). There is one channel to and one from every member, the own one too. What arrives is kept
 * until the embedder takes it (fifo_peek, fifo_pop), which is also the flow control: who does not take lets the
 * sender's window fill.
 *
 * Intuition. A frame's number says its place in the channel; the receiver hands out number n only after n - 1, and
 * says how far it has come; the sender repeats what is older than that.
 *
 * Invariants: each frame is handed out at most once and in the order sent (FIFO-1); base <= next to take <= received
 * without a gap; a frame stays with its sender until it is acknowledged.
 *
 * Embedding: the embedder's tables hold this protocol's message types (node/ decodes by one table for all slots), so it
 * says under which numbers, and in which slot; timers have the slot and the name given, and the peer's place as key.
 *
 * Limits. The channel lives as long as both processes: when a peer comes back in a new incarnation, the channel begins
 * anew and empty (fifo_peer_incarnation tells): what the former life had not acknowledged, or not taken, is gone. A frame has at most FIFO_FRAME_BYTES_MAX bytes, and FIFO_QUEUE_BYTES wait for one receiver. */
#ifndef LOCKSTEP_PROTOCOL_CAST_FIFO_CHANNEL_H
#define LOCKSTEP_PROTOCOL_CAST_FIFO_CHANNEL_H

#include "base/heap.h"
#include "contract/canon.h"
#include "contract/effect.h"
#include "contract/event.h"
#include "contract/message.h"
#include "contract/spec.h"

enum {
    FIFO_FRAME_BYTES_MAX = 16 << 10,
    FIFO_QUEUE_BYTES = 96 << 10, /* of frames that one receiver has not acknowledged */
    FIFO_QUEUE_MAX = 256,        /* such frames */
    FIFO_WINDOW = 16,            /* of them under way */
};

/* What the embedder sends: all fields but `sequence` are its own. */
#define FIFO_DATA_FIELDS(FIELD, S) \
    FIELD(S, U64, sequence) FIELD(S, U8, kind) FIELD(S, NODE, node) FIELD(S, U64, number) FIELD(S, BYTES, bytes)
#define FIFO_ACK_FIELDS(FIELD, S) FIELD(S, U64, next) /* all lower ones have arrived */

MESSAGE_STRUCT(fifo_data, FIFO_DATA_FIELDS)
MESSAGE_STRUCT(fifo_ack, FIFO_ACK_FIELDS)

struct fifo_config {
    const struct message_table *messages; /* the embedder's */
    uint16_t data_type, ack_type;         /* of the two messages in it */
    uint8_t slot;
    uint16_t timer_name;
    bool unordered; /* ablation: frames are handed out as they arrive */
};

struct fifo;

/* Bytes of heap that fifo_create() and its channels need at most. */
size_t fifo_heap_size(const struct group_spec *spec);
/* Effects that one call writes at most, beside fifo_turn(): that one acknowledges to every member. */
enum { FIFO_EFFECTS_MAX = FIFO_WINDOW + 1 };

/* Channels of this member; the spec and the config's table are borrowed. */
struct fifo *fifo_create(struct heap *heap, const struct group_spec *spec, const struct fifo_config *config);

/* Sends a frame (its `sequence` is set here; its bytes are copied) to the member at `place`. False: the channel is
 * full, or the frame too large, and nothing has happened. */
bool fifo_send(struct fifo *fifo, uint32_t place, const struct fifo_data *frame, int64_t now_ns, struct effects *out);

/* The embedder passes on its messages of the two types, and its timeouts in the slot. */
void fifo_on_data(struct fifo *fifo, const struct event_message *message);
void fifo_on_ack(struct fifo *fifo, const struct event_message *message, int64_t now_ns, struct effects *out);
void fifo_on_timeout(struct fifo *fifo, uint64_t key, int64_t now_ns, struct effects *out);
/* At the end of a turn: acknowledges what came in it. */
void fifo_turn(struct fifo *fifo, struct effects *out);

/* The next frame from the member at `place`; its bytes are valid until fifo_pop(). False: none is there. */
bool fifo_peek(const struct fifo *fifo, uint32_t place, struct fifo_data *out);
void fifo_pop(struct fifo *fifo, uint32_t place);

/* The incarnation of that member which the channels belong to; 0: nothing was heard of it yet. */
uint64_t fifo_peer_incarnation(const struct fifo *fifo, uint32_t place);

/* Frames to that member that are not acknowledged. */
uint32_t fifo_unacknowledged(const struct fifo *fifo, uint32_t place);

/* NULL, or the invariant that does not hold. */
const char *fifo_check(const struct fifo *fifo);

/* Writes everything that the channels decide by (contract/canon.h). */
void fifo_canonical(const struct fifo *fifo, struct canon *out);

#endif
