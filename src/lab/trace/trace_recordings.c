/* Merging recordings (trace_recordings.h).
 *
 * Each recording is a stream whose next step is known. The next one taken is that with the earliest wall clock among those
 * that are not waiting: for the recording of the node's former start to end, or for a message that a node under recording
 * has not sent yet. A message may also come from before its sender's recording began, so nobody waits for longer than
 * WAIT_NS of the others' clocks. */
#include "lab/trace/trace_recordings.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "host/replay/replay.h"
#include "lab/trace/trace_words.h"

#define WAIT_NS (5 * NS_PER_S)

/* Sendings that were taken and receptions that were not: by sender, receiver and contents. */
struct under_way {
    uint64_t key; /* 0: empty */
    uint32_t count;
};

struct stream {
    const struct trace_recording *recording;
    struct replay *replay;
    uint32_t node;
    uint32_t former; /* stream of the node's start before this one, or TRACE_NONE */
    bool ended;
    struct recording_step next; /* peeked: not stepped yet */
    size_t at;                  /* where the one after it begins */
    uint64_t awaited;           /* key of the message that the next step receives; 0: none */
};

struct merging {
    struct trace *trace;
    struct heap *heap;
    struct stream streams[TRACE_RECORDINGS_MAX];
    uint32_t count;
    struct under_way *under_way;
    uint32_t used, capacity;
    int64_t first_ns, last_ns; /* wall clock of the first step; trace time of the last one */
    bool begun;
    char *why;
    size_t why_size;
};

static int refuse(struct merging *merging, const struct stream *stream, int error, const char *sentence)
{
    snprintf(merging->why, merging->why_size, "%s: %s", stream->recording->name, sentence);
    return error;
}

/* ---- messages under way ---- */

static uint64_t message_key(uint64_t contents, uint32_t from, uint32_t to)
{
    uint64_t key = (contents ^ from) * UINT64_C(0x9fb21c651e98df25);
    key = (key ^ key >> 32 ^ to) * UINT64_C(0xd6e8feb86659fd93);
    return (key ^ key >> 32) | 1;
}

static struct under_way *slot_of(struct under_way *table, uint32_t capacity, uint64_t key)
{
    uint32_t slot = (uint32_t)(key >> 20) & (capacity - 1);
    while (table[slot].key != 0 && table[slot].key != key)
        slot = (slot + 1) & (capacity - 1);
    return &table[slot];
}

static bool grow(struct merging *merging)
{
    uint32_t capacity = merging->capacity > 0 ? 2 * merging->capacity : 4096;
    struct under_way *larger = heap_alloc_zero(merging->heap, capacity * sizeof *larger);
    if (larger == NULL)
        return false;
    merging->used = 0;
    for (uint32_t i = 0; i < merging->capacity; i++)
        if (merging->under_way[i].key != 0 && merging->under_way[i].count > 0) { /* what has arrived is forgotten */
            *slot_of(larger, capacity, merging->under_way[i].key) = merging->under_way[i];
            merging->used++;
        }
    heap_free(merging->heap, merging->under_way);
    merging->under_way = larger;
    merging->capacity = capacity;
    return true;
}

static bool message_sent(struct merging *merging, uint64_t key)
{
    if (2 * (merging->used + 1) > merging->capacity && !grow(merging))
        return false;
    struct under_way *slot = slot_of(merging->under_way, merging->capacity, key);
    merging->used += slot->key == 0;
    slot->key = key;
    slot->count++;
    return true;
}

static struct under_way *message_find(struct merging *merging, uint64_t key)
{
    if (merging->capacity == 0)
        return NULL;
    struct under_way *slot = slot_of(merging->under_way, merging->capacity, key);
    return slot->key == key && slot->count > 0 ? slot : NULL;
}

/* ---- streams ---- */

static const struct group_spec *spec_of(const struct stream *stream, uint32_t group)
{
    for (uint32_t i = 0; i < replay_head(stream->replay)->group_count; i++)
        if (replay_group(stream->replay, i)->group == group)
            return replay_group(stream->replay, i);
    return NULL;
}

/* Looks at the step that comes next, without taking it. */
static int peek(struct merging *merging, struct stream *stream)
{
    stream->awaited = 0;
    switch (recording_next(stream->recording->bytes, &stream->at, &stream->next)) {
    case RECORDING_END:
    case RECORDING_CUT:
        stream->ended = true;
        return OK;
    case RECORDING_DAMAGED: /* what came before is worth a picture */
        stream->ended = true;
        trace_add_mark(merging->trace, merging->last_ns, stream->node, WORLD_MARK_FAULT,
                       "its recording is damaged from here on");
        return OK;
    case RECORDING_STEP:
        break;
    }
    const struct event *event = &stream->next.event;
    const struct group_spec *spec = spec_of(stream, stream->next.group);
    if (event->kind != EVENT_MESSAGE || spec == NULL || event->message.type >= spec->protocol->messages.count)
        return OK;
    union {
        max_align_t align;
        uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
    } body;
    struct event decoded = *event;
    struct trace_words words;
    if (!message_decode(&spec->protocol->messages.types[event->message.type], stream->next.encoded, body.bytes))
        return OK; /* the replay says so */
    decoded.message.body = body.bytes;
    trace_words_event(spec->protocol, &decoded, &words);
    stream->awaited = message_key(words.key, event->message.from.node, stream->node);
    return OK;
}

static bool is_recorded(const struct merging *merging, uint32_t node)
{
    for (uint32_t i = 0; i < merging->count; i++)
        if (merging->streams[i].node == node && !merging->streams[i].ended)
            return true;
    return false;
}

static bool waits(struct merging *merging, const struct stream *stream)
{
    if (stream->former != TRACE_NONE && !merging->streams[stream->former].ended)
        return true;
    return stream->awaited != 0 && message_find(merging, stream->awaited) == NULL &&
           is_recorded(merging, stream->next.event.message.from.node);
}

/* The stream to take from next; NULL: all have ended. */
static struct stream *choose(struct merging *merging)
{
    struct stream *ready = NULL, *waiting = NULL;
    for (uint32_t i = 0; i < merging->count; i++) {
        struct stream *stream = &merging->streams[i];
        if (stream->ended)
            continue;
        struct stream **best = waits(merging, stream) ? &waiting : &ready;
        if (*best == NULL || stream->next.event.wall_ns < (*best)->next.event.wall_ns)
            *best = stream;
    }
    bool former = waiting != NULL && waiting->former != TRACE_NONE && !merging->streams[waiting->former].ended;
    bool patient = ready != NULL &&
                   (former || waiting == NULL || waiting->next.event.wall_ns + WAIT_NS > ready->next.event.wall_ns);
    return patient || waiting == NULL ? ready : waiting;
}

/* ---- taking a step ---- */

static int add_effects(struct merging *merging, const struct stream *stream, const struct replay_moment *moment,
                       int64_t at_ns)
{
    struct trace_words words;
    for (uint32_t i = 0; i < moment->effects->count; i++) {
        const struct effect *effect = &moment->effects->list[i];
        trace_add_effect(merging->trace, at_ns, stream->node, moment->spec, effect);
        if (effect->kind != EFFECT_SEND)
            continue;
        trace_words_effect(merging->heap, moment->spec->protocol, effect, &words);
        for (uint32_t to = 0; to < effect->send.to_count; to++)
            if (!message_sent(merging, message_key(words.key, stream->node, effect->send.to[to])))
                return ERROR_NO_MEMORY;
    }
    return OK;
}

static int64_t time_of(struct merging *merging, const struct event *event)
{
    if (!merging->begun)
        merging->first_ns = event->wall_ns;
    merging->begun = true;
    int64_t at_ns = event->wall_ns - merging->first_ns;
    if (at_ns > merging->last_ns)
        merging->last_ns = at_ns;
    return merging->last_ns;
}

static int take(struct merging *merging, struct stream *stream)
{
    struct replay_moment moment;
    if (replay_step(stream->replay, NULL, NULL, &moment) != RECORDING_STEP)
        return refuse(merging, stream, ERROR_CORRUPT, "it holds a message or record that its protocol cannot read");
    if (moment.differs)
        return refuse(merging, stream, ERROR_INVALID,
                      "its replay differs, so what happened cannot be told; `lockstep replay` says where. Was it made by "
                      "another build?");
    int64_t at_ns = time_of(merging, &moment.event);
    if (stream->awaited != 0 && message_find(merging, stream->awaited) != NULL)
        message_find(merging, stream->awaited)->count--;
    int error = OK;
    if (moment.event.kind != EVENT_RESTORE) { /* what a member finds on its disk is no step of the group */
        if (moment.event.kind == EVENT_START)
            trace_add_mark(merging->trace, at_ns, stream->node, WORLD_MARK_UP, "starts");
        trace_add_event(merging->trace, at_ns, stream->node, moment.spec, &moment.event);
        error = add_effects(merging, stream, &moment, at_ns);
        trace_add_stepped(merging->trace, at_ns, stream->node, moment.spec, moment.member);
    }
    if (error == OK)
        error = peek(merging, stream);
    bool again = false; /* is there a later start of the node? */
    for (uint32_t i = 0; i < merging->count; i++)
        again = again || (merging->streams[i].former == (uint32_t)(stream - merging->streams));
    if (stream->ended && again)
        trace_add_mark(merging->trace, at_ns, stream->node, WORLD_MARK_DOWN, "its recording ends");
    return error;
}

/* ---- opening ---- */

static int open_stream(struct merging *merging, const struct trace_recording *recording)
{
    struct stream *stream = &merging->streams[merging->count];
    char sentence[200];
    *stream = (struct stream){.recording = recording, .former = TRACE_NONE};
    int error = replay_open(&stream->replay, recording->bytes, merging->heap, sentence, sizeof sentence);
    if (error != OK)
        return refuse(merging, stream, error, sentence);
    merging->count++;
    stream->node = replay_head(stream->replay)->node;
    struct recording_head head;
    struct recording_group groups[RECORDING_GROUPS_MAX];
    stream->at = (size_t)recording_open(recording->bytes, &head, groups, sentence, sizeof sentence);
    return peek(merging, stream);
}

/* Of two recordings of one node that with the earlier wall clock came first. */
static void find_former(struct merging *merging)
{
    for (uint32_t i = 0; i < merging->count; i++)
        for (uint32_t j = 0; j < merging->count; j++) {
            struct stream *stream = &merging->streams[i], *other = &merging->streams[j];
            if (i == j || other->node != stream->node || other->ended || stream->ended ||
                other->next.event.wall_ns >= stream->next.event.wall_ns)
                continue;
            bool later = stream->former == TRACE_NONE ||
                         merging->streams[stream->former].next.event.wall_ns < other->next.event.wall_ns;
            if (later)
                stream->former = j;
        }
}

int trace_recordings(struct trace *trace, struct heap *heap, const struct trace_recording *recordings, uint32_t count,
                     char *why, size_t why_size)
{
    struct merging *merging = heap_alloc_zero(heap, sizeof *merging);
    if (merging == NULL || count > TRACE_RECORDINGS_MAX) {
        snprintf(why, why_size, merging == NULL ? "there is not enough memory" : "at most 64 recordings can be merged");
        heap_free(heap, merging);
        return merging == NULL ? ERROR_NO_MEMORY : ERROR_INVALID;
    }
    *merging = (struct merging){.trace = trace, .heap = heap, .why = why, .why_size = why_size};
    int error = OK;
    for (uint32_t i = 0; i < count && error == OK; i++)
        error = open_stream(merging, &recordings[i]);
    find_former(merging);
    for (struct stream *stream; error == OK && (stream = choose(merging)) != NULL;)
        error = take(merging, stream);
    if (error == ERROR_NO_MEMORY)
        snprintf(why, why_size, "there is not enough memory");
    for (uint32_t i = 0; i < merging->count; i++)
        replay_close(merging->streams[i].replay);
    heap_free(heap, merging->under_way);
    heap_free(heap, merging);
    return error;
}
