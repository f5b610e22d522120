/* Reliable FIFO channels (fifo_channel.h). */
#include "protocol/cast/fifo_channel.h"

#include <string.h>

#include "base/panic.h"

/* A frame that its receiver has not acknowledged. */
struct outgoing {
    struct outgoing *next;
    struct fifo_data frame; /* its bytes follow this struct */
    uint8_t bytes[];
};

enum slot_state { SLOT_EMPTY, SLOT_HELD, SLOT_TAKEN };

/* Where the frame of a number waits until it is taken: at number % FIFO_WINDOW. */
struct slot {
    enum slot_state state;
    uint64_t arrival; /* rises with each frame that comes */
    struct fifo_data frame;
    uint8_t *bytes; /* owned */
};

struct channel {
    uint64_t incarnation; /* of the peer, as heard last; 0: never */
    /* to the peer */
    struct outgoing *first, *last;
    uint32_t count;
    size_t queued_bytes;
    uint64_t next_sequence; /* of the next frame */
    uint64_t next_unsent;   /* lower ones have been sent at least once */
    /* from the peer */
    uint64_t base;     /* lowest number that was not taken */
    uint64_t received; /* lowest number that has not come */
    uint64_t arrivals;
    bool acknowledge;
    struct slot slots[FIFO_WINDOW];
};

struct fifo {
    struct heap *heap;
    const struct group_spec *spec;
    struct fifo_config config;
    struct channel *channels; /* by place */
};

size_t fifo_heap_size(const struct group_spec *spec)
{
    size_t outgoing = FIFO_QUEUE_BYTES + FIFO_QUEUE_MAX * (sizeof(struct outgoing) + 32);
    size_t incoming = (size_t)FIFO_WINDOW * (FIFO_FRAME_BYTES_MAX + 32);
    /* Twice, for what the heap cannot use between blocks. */
    return sizeof(struct fifo) + spec->member_count * (sizeof(struct channel) + 2 * (outgoing + incoming)) + 4096;
}

struct fifo *fifo_create(struct heap *heap, const struct group_spec *spec, const struct fifo_config *config)
{
    struct fifo *fifo = heap_alloc_zero(heap, sizeof *fifo);
    struct channel *channels = heap_alloc_zero(heap, spec->member_count * sizeof *channels);
    invariant(fifo != NULL && channels != NULL, "fifo_heap_size() counts what fifo_create() needs");
    *fifo = (struct fifo){.heap = heap, .spec = spec, .config = *config, .channels = channels};
    for (uint32_t i = 0; i < spec->member_count; i++)
        channels[i].next_sequence = channels[i].next_unsent = channels[i].base = channels[i].received = 1;
    return fifo;
}

/* ---- sending ---- */

static void arm(struct fifo *fifo, uint32_t place, int64_t now_ns, struct effects *out)
{
    effect_arm(out, fifo->config.slot, fifo->config.timer_name, place, now_ns + fifo->spec->tuning.heartbeat_ns);
}

/* Sends frames from the first unacknowledged one on: all in the window, or those that were never sent. */
static void send_window(struct fifo *fifo, uint32_t place, bool again, int64_t now_ns, struct effects *out)
{
    struct channel *channel = &fifo->channels[place];
    uint32_t sent = 0;
    uint32_t at = 0;
    for (struct outgoing *each = channel->first; each != NULL && at < FIFO_WINDOW; each = each->next, at++) {
        if (!again && each->frame.sequence < channel->next_unsent)
            continue;
        struct effect_send *send = effect_send_one(out, fifo->config.messages, fifo->config.slot,
                                                   fifo->config.data_type, &each->frame, fifo->spec->members[place]);
        send->to_incarnation = channel->incarnation;
        if (each->frame.sequence >= channel->next_unsent)
            channel->next_unsent = each->frame.sequence + 1;
        sent++;
    }
    if (sent > 0)
        arm(fifo, place, now_ns, out);
}

bool fifo_send(struct fifo *fifo, uint32_t place, const struct fifo_data *frame, int64_t now_ns, struct effects *out)
{
    struct channel *channel = &fifo->channels[place];
    size_t size = frame->bytes.size;
    if (size > FIFO_FRAME_BYTES_MAX || channel->count == FIFO_QUEUE_MAX ||
        channel->queued_bytes + size > FIFO_QUEUE_BYTES)
        return false;
    struct outgoing *outgoing = heap_alloc(fifo->heap, sizeof *outgoing + size);
    if (outgoing == NULL)
        return false;
    *outgoing = (struct outgoing){.frame = *frame};
    if (size > 0)
        memcpy(outgoing->bytes, frame->bytes.data, size);
    outgoing->frame.bytes = span_of(outgoing->bytes, size);
    outgoing->frame.sequence = channel->next_sequence++;
    if (channel->last != NULL)
        channel->last->next = outgoing;
    else
        channel->first = outgoing;
    channel->last = outgoing;
    channel->count++;
    channel->queued_bytes += size;
    send_window(fifo, place, false, now_ns, out);
    return true;
}

static void release(struct fifo *fifo, struct channel *channel)
{
    struct outgoing *done = channel->first;
    channel->first = done->next;
    if (channel->first == NULL)
        channel->last = NULL;
    channel->count--;
    channel->queued_bytes -= done->frame.bytes.size;
    heap_free(fifo->heap, done);
}

void fifo_on_timeout(struct fifo *fifo, uint64_t key, int64_t now_ns, struct effects *out)
{
    if (key < fifo->spec->member_count && fifo->channels[key].first != NULL)
        send_window(fifo, (uint32_t)key, true, now_ns, out);
}

/* ---- incarnations ---- */

static void slot_clear(struct fifo *fifo, struct slot *slot)
{
    heap_free(fifo->heap, slot->bytes);
    *slot = (struct slot){.state = SLOT_EMPTY};
}

/* The peer begins anew: nothing has come from its new life, and nothing of ours is known to it. */
static void begin_anew(struct fifo *fifo, struct channel *channel)
{
    for (uint32_t i = 0; i < FIFO_WINDOW; i++)
        slot_clear(fifo, &channel->slots[i]);
    while (channel->first != NULL)
        release(fifo, channel);
    channel->base = channel->received = 1;
    channel->next_sequence = channel->next_unsent = 1;
    channel->acknowledge = false;
}

/* The channel with the sender of a message; NULL when it is a stranger or a former life. */
static struct channel *channel_from(struct fifo *fifo, const struct event_message *message, uint32_t *place)
{
    int found = spec_member_place(fifo->spec, message->from.node);
    if (found < 0)
        return NULL;
    *place = (uint32_t)found;
    struct channel *channel = &fifo->channels[found];
    if (message->incarnation < channel->incarnation)
        return NULL;
    if (message->incarnation > channel->incarnation) {
        if (channel->incarnation != 0)
            begin_anew(fifo, channel);
        channel->incarnation = message->incarnation;
    }
    return channel;
}

/* ---- receiving ---- */

void fifo_on_data(struct fifo *fifo, const struct event_message *message)
{
    uint32_t place;
    const struct fifo_data *frame = message->body;
    struct channel *channel = channel_from(fifo, message, &place);
    if (channel == NULL || frame->bytes.size > FIFO_FRAME_BYTES_MAX)
        return;
    channel->acknowledge = true; /* what came again too: its acknowledgement was lost */
    if (frame->sequence < channel->base || frame->sequence - channel->base >= FIFO_WINDOW)
        return;
    struct slot *slot = &channel->slots[frame->sequence % FIFO_WINDOW];
    if (slot->state != SLOT_EMPTY)
        return;
    slot->bytes = heap_alloc(fifo->heap, frame->bytes.size);
    if (slot->bytes == NULL)
        return; /* it comes again */
    if (frame->bytes.size > 0)
        memcpy(slot->bytes, frame->bytes.data, frame->bytes.size);
    slot->frame = *frame;
    slot->frame.bytes = span_of(slot->bytes, frame->bytes.size);
    slot->state = SLOT_HELD;
    slot->arrival = ++channel->arrivals;
    while (channel->received - channel->base < FIFO_WINDOW &&
           channel->slots[channel->received % FIFO_WINDOW].state != SLOT_EMPTY)
        channel->received++;
}

void fifo_on_ack(struct fifo *fifo, const struct event_message *message, int64_t now_ns, struct effects *out)
{
    uint32_t place;
    const struct fifo_ack *ack = message->body;
    struct channel *channel = channel_from(fifo, message, &place);
    if (channel == NULL || ack->next > channel->next_unsent)
        return; /* of a stranger, or for what was never sent */
    while (channel->first != NULL && channel->first->frame.sequence < ack->next)
        release(fifo, channel);
    if (channel->first == NULL)
        effect_disarm(out, fifo->config.slot, fifo->config.timer_name, place);
    send_window(fifo, place, false, now_ns, out);
}

void fifo_turn(struct fifo *fifo, struct effects *out)
{
    for (uint32_t place = 0; place < fifo->spec->member_count; place++) {
        struct channel *channel = &fifo->channels[place];
        if (!channel->acknowledge)
            continue;
        channel->acknowledge = false;
        const struct fifo_ack ack = {.next = channel->received};
        effect_send_one(out, fifo->config.messages, fifo->config.slot, fifo->config.ack_type, &ack,
                        fifo->spec->members[place])
            ->to_incarnation = channel->incarnation;
    }
}

/* The slot to be taken next: that of `base`, or with order switched off the one that came first. */
static const struct slot *next_slot(const struct fifo *fifo, const struct channel *channel)
{
    const struct slot *next = &channel->slots[channel->base % FIFO_WINDOW];
    if (!fifo->config.unordered)
        return next->state == SLOT_HELD ? next : NULL;
    next = NULL;
    for (uint32_t i = 0; i < FIFO_WINDOW; i++) {
        const struct slot *slot = &channel->slots[i];
        if (slot->state == SLOT_HELD && (next == NULL || slot->arrival < next->arrival))
            next = slot;
    }
    return next;
}

bool fifo_peek(const struct fifo *fifo, uint32_t place, struct fifo_data *out)
{
    const struct slot *slot = next_slot(fifo, &fifo->channels[place]);
    if (slot == NULL)
        return false;
    *out = slot->frame;
    return true;
}

void fifo_pop(struct fifo *fifo, uint32_t place)
{
    struct channel *channel = &fifo->channels[place];
    const struct slot *next = next_slot(fifo, channel);
    invariant(next != NULL, "a frame is taken only when one is there");
    struct slot *taken = &channel->slots[next - channel->slots];
    heap_free(fifo->heap, taken->bytes);
    taken->bytes = NULL;
    taken->state = SLOT_TAKEN;
    while (channel->slots[channel->base % FIFO_WINDOW].state == SLOT_TAKEN) {
        channel->slots[channel->base % FIFO_WINDOW].state = SLOT_EMPTY;
        channel->base++;
    }
}

uint64_t fifo_peer_incarnation(const struct fifo *fifo, uint32_t place)
{
    return fifo->channels[place].incarnation;
}

uint32_t fifo_unacknowledged(const struct fifo *fifo, uint32_t place)
{
    return fifo->channels[place].count;
}

const char *fifo_check(const struct fifo *fifo)
{
    for (uint32_t place = 0; place < fifo->spec->member_count; place++) {
        const struct channel *channel = &fifo->channels[place];
        if (channel->received < channel->base || channel->received - channel->base > FIFO_WINDOW)
            return "FIFO-2 the receiving window is out of order";
        if (channel->next_unsent > channel->next_sequence)
            return "FIFO-3 a frame was sent before it was numbered";
        if (channel->first != NULL && channel->next_sequence - channel->first->frame.sequence != channel->count)
            return "FIFO-4 a frame left its sender unacknowledged";
    }
    return NULL;
}

/* ---- canonical state ---- */

static void canon_frame(struct canon *out, const struct fifo_data *frame)
{
    canon_u64(out, frame->sequence);
    canon_u8(out, frame->kind);
    canon_node(out, frame->node);
    canon_u64(out, frame->number);
    canon_bundle(out, frame->bytes);
}

static void canon_incoming(const struct fifo *fifo, const struct channel *channel, struct canon *out)
{
    canon_u64(out, channel->base);
    canon_u64(out, channel->received);
    canon_u8(out, channel->acknowledge);
    for (uint64_t i = 0; i < FIFO_WINDOW; i++) {
        const struct slot *slot = &channel->slots[(channel->base + i) % FIFO_WINDOW];
        canon_u8(out, (uint8_t)slot->state);
        if (slot->state != SLOT_HELD)
            continue;
        canon_frame(out, &slot->frame);
        if (fifo->config.unordered)
            canon_u64(out, channel->arrivals - slot->arrival);
    }
}

void fifo_canonical(const struct fifo *fifo, struct canon *out)
{
    for (uint32_t i = 0; i < fifo->spec->member_count; i++) {
        const struct channel *channel = &fifo->channels[canon_place(out, i)];
        canon_u64(out, channel->incarnation);
        canon_u64(out, channel->count);
        for (const struct outgoing *each = channel->first; each != NULL; each = each->next)
            canon_frame(out, &each->frame);
        canon_u64(out, channel->next_sequence);
        canon_u64(out, channel->next_unsent);
        canon_incoming(fifo, channel, out);
    }
}
