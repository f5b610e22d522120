/* Writing a recording (recording.h describes the form). Reading is in recording_read.c. */
#include "node/recording.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/panic.h"
#include "contract/effect_hash.h"
#include "node/recording_internal.h"

/* ---- bytes ---- */

static void put(struct recorder *recorder, const void *data, size_t size)
{
    if (!recorder->full && !buffer_append(&recorder->out, data, size))
        recorder->full = true;
}

static void put_u8(struct recorder *recorder, uint8_t value) { put(recorder, &value, 1); }

static void put_u32(struct recorder *recorder, uint32_t value)
{
    uint8_t bytes[4];
    store_u32(bytes, value);
    put(recorder, bytes, sizeof bytes);
}

static void put_u64(struct recorder *recorder, uint64_t value)
{
    uint8_t bytes[8];
    store_u64(bytes, value);
    put(recorder, bytes, sizeof bytes);
}

static void put_i64(struct recorder *recorder, int64_t value) { put_u64(recorder, (uint64_t)value); }

static void put_span(struct recorder *recorder, struct span bytes)
{
    put_u32(recorder, (uint32_t)bytes.size);
    if (bytes.size > 0) put(recorder, bytes.data, bytes.size);
}

static void put_text(struct recorder *recorder, const char *text)
{
    invariant(strlen(text) < RECORDING_TEXT_MAX, "names in a recording have at most 63 bytes");
    put_span(recorder, span_string(text));
}

/* A decoded message or record, encoded again: the fields before the bulk, and the bulk. */
static void put_body(struct recorder *recorder, const struct message_type *type, const void *body)
{
    uint8_t head[MESSAGE_HEAD_SIZE_MAX];
    struct span tail;
    size_t size = message_encode(type, body, head, &tail);
    const struct field *last = type->field_count > 0 ? &type->fields[type->field_count - 1] : NULL;
    if (last != NULL && last->kind == FIELD_RECORDS)
        memcpy(&tail, (const uint8_t *)body + last->offset, sizeof tail);
    put_u32(recorder, (uint32_t)(size + tail.size));
    put(recorder, head, size);
    if (tail.size > 0) put(recorder, tail.data, tail.size);
}

static void item_begin(struct recorder *recorder, enum recording_mark mark)
{
    recorder->item_at = recorder->out.size;
    put_u64(recorder, 0); /* size and CRC */
    put_u8(recorder, (uint8_t)mark);
}

/* A half item is never left: the reader would take it for damage. */
static void item_end(struct recorder *recorder)
{
    if (recorder->full) {
        recorder->out.size = recorder->item_at;
        return;
    }
    uint8_t *item = recorder->out.data + recorder->item_at;
    size_t size = recorder->out.size - recorder->item_at - RECORDING_ITEM_HEAD;
    store_u32(item, (uint32_t)size);
    store_u32(item + 4, crc32c(0, item + RECORDING_ITEM_HEAD, size));
}

/* ---- head ---- */

static void put_tuning(struct recorder *recorder, const struct tuning *tuning)
{
#define PUT_TUNING(field) put_u64(recorder, (uint64_t)tuning->field);
    RECORDING_TUNING(PUT_TUNING)
#undef PUT_TUNING
}

static void put_group(struct recorder *recorder, const struct group_spec *spec)
{
    invariant(spec->member_count <= RECORDING_MEMBERS_MAX, "a recorded group has at most 64 members");
    item_begin(recorder, RECORDING_MARK_GROUP);
    put_u32(recorder, spec->group);
    put_text(recorder, spec->name);
    put_text(recorder, spec->protocol->name);
    put_text(recorder, spec->service->name);
    put_text(recorder, spec->served_by != NULL ? spec->served_by->name : "");
    put_u32(recorder, spec->vote);
    put_u32(recorder, spec->self);
    put_u32(recorder, spec->k);
    put_u32(recorder, spec->ablations);
    put_u64(recorder, spec->hash_key[0]);
    put_u64(recorder, spec->hash_key[1]);
    put_tuning(recorder, &spec->tuning);
    put_u32(recorder, spec->member_count);
    for (uint32_t i = 0; i < spec->member_count; i++) put_u32(recorder, spec->members[i]);
    item_end(recorder);
}

void recorder_begin(struct recorder *recorder, struct heap *heap, const struct node_options *options,
                    const char *build)
{
    invariant(options->group_count <= RECORDING_GROUPS_MAX, "a recorded node has at most 16 groups");
    *recorder = (struct recorder){.options = options};
    buffer_init(&recorder->out, heap);
    item_begin(recorder, RECORDING_MARK_HEAD);
    put(recorder, RECORDING_MAGIC, sizeof RECORDING_MAGIC - 1);
    put_u32(recorder, RECORDING_VERSION);
    put_text(recorder, build);
    put_u32(recorder, options->id);
    put_u32(recorder, options->group_count);
    put_u64(recorder, options->seed);
    item_end(recorder);
    for (uint32_t i = 0; i < options->group_count; i++) put_group(recorder, &options->groups[i]);
}

void recorder_free(struct recorder *recorder) { buffer_free(&recorder->out); }

/* ---- events ---- */

static void put_seal(struct recorder *recorder, const struct sha256_seal *seal)
{
    put_u64(recorder, seal->size);
    for (uint32_t i = 0; i < 4; i++) put_u64(recorder, seal->digest[i]);
}

static void put_restore(struct recorder *recorder, const struct protocol *protocol,
                        const struct event_restore *restore)
{
    put_u8(recorder, (uint8_t)restore->kind);
    put_u8(recorder, restore->slot);
    put_u32(recorder, restore->type);
    put_u64(recorder, restore->position);
    put_u64(recorder, restore->index);
    put_u64(recorder, restore->record_size);
    put_u64(recorder, restore->digest);
    put_seal(recorder, &restore->seal);
    if (restore->kind == RESTORE_RECORD)
        put_body(recorder, &protocol->records.types[restore->type], restore->body);
    else
        put_span(recorder, restore->kind == RESTORE_PART ? restore->part : (struct span){0});
}

static void put_request(struct recorder *recorder, const struct event_request *request)
{
    put_u8(recorder, (uint8_t)request->kind);
    put_u32(recorder, request->origin);
    put_u64(recorder, request->incarnation);
    put_u64(recorder, request->first_number);
    put_u32(recorder, request->count);
    put_u64(recorder, request->first_incomplete);
    put_u64(recorder, request->index);
    put_u32(recorder, request->to.node);
    put_u32(recorder, request->to.group);
    put_span(recorder, request->bytes);
}

static void put_message(struct recorder *recorder, const struct protocol *protocol,
                        const struct event_message *message)
{
    put_u32(recorder, message->from.node);
    put_u32(recorder, message->from.group);
    put_u64(recorder, message->incarnation);
    put_u8(recorder, message->slot);
    put_u32(recorder, message->type);
    put_body(recorder, &protocol->messages.types[message->type], message->body);
}

static void put_event(struct recorder *recorder, const struct protocol *protocol, const struct event *event)
{
    switch (event->kind) {
    case EVENT_RESTORE:
        put_restore(recorder, protocol, &event->restore);
        break;
    case EVENT_START:
        put_u8(recorder, (uint8_t)event->start.kind);
        put_u64(recorder, event->start.incarnation);
        put_u64(recorder, event->start.position);
        break;
    case EVENT_STORED:
        put_u64(recorder, event->stored.position);
        put_u64(recorder, event->stored.room_bytes);
        put_i64(recorder, event->stored.latency_ns);
        break;
    case EVENT_RESULT:
        put_u64(recorder, event->result.tag);
        put_span(recorder, event->result.bytes);
        break;
    case EVENT_STATE:
        put_u8(recorder, (uint8_t)event->state.kind);
        put_u64(recorder, event->state.index);
        put_u64(recorder, event->state.position);
        put_u64(recorder, event->state.digest);
        put_seal(recorder, &event->state.seal);
        put_span(recorder, event->state.part);
        break;
    case EVENT_PEER:
        put_u32(recorder, event->peer.node);
        put_u8(recorder, (uint8_t)event->peer.state);
        break;
    case EVENT_MESSAGE:
        put_message(recorder, protocol, &event->message);
        break;
    case EVENT_REQUEST:
        put_request(recorder, &event->request);
        break;
    case EVENT_TIMEOUT:
        put_u8(recorder, event->timeout.slot);
        put_u32(recorder, event->timeout.name);
        put_u64(recorder, event->timeout.key);
        break;
    case EVENT_TURN:
        break;
    }
}

static const struct group_spec *spec_of(const struct recorder *recorder, uint32_t group)
{
    for (uint32_t i = 0; i < recorder->options->group_count; i++)
        if (recorder->options->groups[i].group == group) return &recorder->options->groups[i];
    return NULL;
}

static void on_event(void *context, uint32_t group, const struct event *event)
{
    struct recorder *recorder = context;
    const struct group_spec *spec = spec_of(recorder, group);
    recorder->passes = spec == NULL;
    if (recorder->passes) return;
    recorder->effect_count = 0;
    recorder->effect_hash = 0;
    if (recorder->full) return;
    item_begin(recorder, RECORDING_MARK_STEP);
    put_u32(recorder, group);
    put_u64(recorder, recorder->node != NULL ? node_next_position(recorder->node, group) : 0);
    put_i64(recorder, event->now_ns);
    put_i64(recorder, event->wall_ns);
    put_i64(recorder, event->wall_error_ns);
    put_u8(recorder, (uint8_t)event->kind);
    put_event(recorder, spec->protocol, event);
}

static void on_effect(void *context, uint32_t group, const struct effect *effect)
{
    struct recorder *recorder = context;
    (void)group;
    if (recorder->passes) return;
    recorder->effect_count++;
    recorder->effect_hash = fold_effect(fold(recorder->effect_hash, (uint64_t)effect->kind), effect);
}

static void on_stepped(void *context, uint32_t group)
{
    struct recorder *recorder = context;
    (void)group;
    if (recorder->passes) return;
    if (recorder->full && recorder->out.size <= recorder->item_at) return;
    put_u32(recorder, recorder->effect_count);
    put_u64(recorder, recorder->effect_hash);
    item_end(recorder);
}

struct node_observer recorder_observer(struct recorder *recorder)
{
    return (struct node_observer){
        .context = recorder, .event = on_event, .effect = on_effect, .stepped = on_stepped};
}
