/* Reading a recording. Its bytes come from a file that anybody may have changed, so every length is checked. */
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "node/recording.h"
#include "node/recording_internal.h"

struct reader {
    struct span rest;
    bool short_of; /* something was read that is not there */
};

static struct span take(struct reader *reader, size_t size)
{
    if (size > reader->rest.size) {
        reader->short_of = true;
        reader->rest = (struct span){0};
        return (struct span){0};
    }
    struct span taken = {reader->rest.data, size};
    reader->rest = span_of(reader->rest.data + size, reader->rest.size - size);
    return taken;
}

static uint8_t take_u8(struct reader *reader)
{
    struct span bytes = take(reader, 1);
    return bytes.size > 0 ? bytes.data[0] : 0;
}

static uint32_t take_u32(struct reader *reader)
{
    struct span bytes = take(reader, 4);
    return bytes.size > 0 ? load_u32(bytes.data) : 0;
}

static uint64_t take_u64(struct reader *reader)
{
    struct span bytes = take(reader, 8);
    return bytes.size > 0 ? load_u64(bytes.data) : 0;
}

static int64_t take_i64(struct reader *reader) { return (int64_t)take_u64(reader); }

static struct span take_span(struct reader *reader) { return take(reader, take_u32(reader)); }

static void take_text(struct reader *reader, char out[RECORDING_TEXT_MAX])
{
    struct span text = take_span(reader);
    if (text.size >= RECORDING_TEXT_MAX) {
        reader->short_of = true;
        text.size = 0;
    }
    if (text.size > 0) memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}

/* The item at `*at`, checked. False at the end; `*cut` and `*damaged` say whether that is a good one. */
static bool next_item(struct span bytes, size_t *at, struct span *out, bool *cut, bool *damaged)
{
    *cut = *damaged = false;
    size_t left = bytes.size - *at;
    if (left == 0) return false;
    const uint8_t *item = bytes.data + *at;
    if (left < RECORDING_ITEM_HEAD || load_u32(item) > left - RECORDING_ITEM_HEAD) {
        *cut = true;
        return false;
    }
    size_t size = load_u32(item);
    if (size == 0 || crc32c(0, item + RECORDING_ITEM_HEAD, size) != load_u32(item + 4)) {
        *damaged = true;
        return false;
    }
    *out = span_of(item + RECORDING_ITEM_HEAD, size);
    *at += RECORDING_ITEM_HEAD + size;
    return true;
}

/* ---- head ---- */

static int refuse(char *why, size_t why_size, int error, const char *sentence)
{
    snprintf(why, why_size, "%s", sentence);
    return error;
}

static int read_head(struct span item, struct recording_head *head, char *why, size_t why_size)
{
    struct reader reader = {.rest = item};
    size_t magic_size = sizeof RECORDING_MAGIC - 1;
    uint8_t mark = take_u8(&reader);
    struct span magic = take(&reader, magic_size);
    if (mark != RECORDING_MARK_HEAD || magic.size == 0 || memcmp(magic.data, RECORDING_MAGIC, magic_size) != 0)
        return refuse(why, why_size, ERROR_INVALID, "this is no recording of a node");
    uint32_t version = take_u32(&reader);
    take_text(&reader, head->build);
    if (version != RECORDING_VERSION) {
        snprintf(why, why_size, "the recording has form %u, and this build reads form %u; it was made by %s, replay it with that",
                 (unsigned)version, (unsigned)RECORDING_VERSION, head->build);
        return ERROR_VERSION;
    }
    head->node = take_u32(&reader);
    head->group_count = take_u32(&reader);
    head->seed = take_u64(&reader);
    if (reader.short_of || head->group_count > RECORDING_GROUPS_MAX)
        return refuse(why, why_size, ERROR_CORRUPT, "the head of the recording is malformed");
    return OK;
}

static void take_tuning(struct reader *reader, struct tuning *tuning)
{
#define TAKE_TUNING(field) tuning->field = (__typeof__(tuning->field))take_u64(reader);
    RECORDING_TUNING(TAKE_TUNING)
#undef TAKE_TUNING
}

static int read_group(struct span item, struct recording_group *group, char *why, size_t why_size)
{
    struct reader reader = {.rest = item};
    bool marked = take_u8(&reader) == RECORDING_MARK_GROUP;
    struct group_spec *spec = &group->spec;
    *spec = (struct group_spec){.group = take_u32(&reader), .name = group->name, .members = group->members};
    take_text(&reader, group->name);
    take_text(&reader, group->protocol);
    take_text(&reader, group->service);
    take_text(&reader, group->served_by);
    spec->vote = take_u32(&reader);
    spec->self = take_u32(&reader);
    spec->k = take_u32(&reader);
    spec->ablations = take_u32(&reader);
    spec->hash_key[0] = take_u64(&reader);
    spec->hash_key[1] = take_u64(&reader);
    take_tuning(&reader, &spec->tuning);
    spec->member_count = take_u32(&reader);
    if (!marked || spec->member_count > RECORDING_MEMBERS_MAX)
        return refuse(why, why_size, ERROR_CORRUPT, "a group of the recording is malformed");
    for (uint32_t i = 0; i < spec->member_count; i++) group->members[i] = take_u32(&reader);
    bool client = group->served_by[0] != 0;
    if (reader.short_of || (spec_member_place(spec, spec->self) < 0) != client)
        return refuse(why, why_size, ERROR_CORRUPT, "a group of the recording is malformed");
    return OK;
}

int64_t recording_open(struct span bytes, struct recording_head *head, struct recording_group *groups, char *why,
                       size_t why_size)
{
    size_t at = 0;
    struct span item;
    bool cut, damaged;
    if (!next_item(bytes, &at, &item, &cut, &damaged))
        return refuse(why, why_size, ERROR_INVALID, "this is no recording of a node, or its beginning is lost");
    int error = read_head(item, head, why, why_size);
    for (uint32_t i = 0; error == OK && i < head->group_count; i++) {
        if (!next_item(bytes, &at, &item, &cut, &damaged))
            return refuse(why, why_size, ERROR_CORRUPT, "the recording ends before the groups of its node");
        error = read_group(item, &groups[i], why, why_size);
    }
    return error == OK ? (int64_t)at : error;
}

/* ---- steps ---- */

static struct sha256_seal take_seal(struct reader *reader)
{
    struct sha256_seal seal = {.size = take_u64(reader)};
    for (uint32_t i = 0; i < 4; i++) seal.digest[i] = take_u64(reader);
    return seal;
}

static void take_restore(struct reader *reader, struct recording_step *out)
{
    struct event_restore *restore = &out->event.restore;
    restore->kind = (enum restore_kind)take_u8(reader);
    restore->slot = take_u8(reader);
    restore->type = (uint16_t)take_u32(reader);
    restore->position = take_u64(reader);
    restore->index = take_u64(reader);
    restore->record_size = take_u64(reader);
    restore->digest = take_u64(reader);
    restore->seal = take_seal(reader);
    struct span bytes = take_span(reader);
    if (restore->kind == RESTORE_RECORD)
        out->encoded = bytes;
    else
        restore->part = bytes;
}

static void take_request(struct reader *reader, struct event_request *request)
{
    request->kind = (enum request_kind)take_u8(reader);
    request->origin = take_u32(reader);
    request->incarnation = take_u64(reader);
    request->first_number = take_u64(reader);
    request->count = take_u32(reader);
    request->first_incomplete = take_u64(reader);
    request->index = take_u64(reader);
    request->to.node = take_u32(reader);
    request->to.group = take_u32(reader);
    request->bytes = take_span(reader);
}

static void take_message(struct reader *reader, struct recording_step *out)
{
    struct event_message *message = &out->event.message;
    message->from.node = take_u32(reader);
    message->from.group = take_u32(reader);
    message->incarnation = take_u64(reader);
    message->slot = take_u8(reader);
    message->type = (uint16_t)take_u32(reader);
    out->encoded = take_span(reader);
}

/* False: there is no such kind of event. */
static bool take_event(struct reader *reader, struct recording_step *out)
{
    struct event *event = &out->event;
    switch (event->kind) {
    case EVENT_RESTORE:
        take_restore(reader, out);
        return true;
    case EVENT_START:
        event->start.kind = (enum start_kind)take_u8(reader);
        event->start.incarnation = take_u64(reader);
        event->start.position = take_u64(reader);
        return true;
    case EVENT_STORED:
        event->stored.position = take_u64(reader);
        event->stored.room_bytes = take_u64(reader);
        event->stored.latency_ns = take_i64(reader);
        return true;
    case EVENT_RESULT:
        event->result.tag = take_u64(reader);
        event->result.bytes = take_span(reader);
        return true;
    case EVENT_STATE:
        event->state.kind = (enum state_kind)take_u8(reader);
        event->state.index = take_u64(reader);
        event->state.position = take_u64(reader);
        event->state.digest = take_u64(reader);
        event->state.seal = take_seal(reader);
        event->state.part = take_span(reader);
        return true;
    case EVENT_PEER:
        event->peer.node = take_u32(reader);
        event->peer.state = (enum peer_state)take_u8(reader);
        return true;
    case EVENT_MESSAGE:
        take_message(reader, out);
        return true;
    case EVENT_REQUEST:
        take_request(reader, &event->request);
        return true;
    case EVENT_TIMEOUT:
        event->timeout.slot = take_u8(reader);
        event->timeout.name = (uint16_t)take_u32(reader);
        event->timeout.key = take_u64(reader);
        return true;
    case EVENT_TURN:
        return true;
    }
    return false;
}

enum recording_item recording_next(struct span bytes, size_t *at, struct recording_step *out)
{
    struct span item;
    bool cut, damaged;
    if (!next_item(bytes, at, &item, &cut, &damaged))
        return cut ? RECORDING_CUT : damaged ? RECORDING_DAMAGED : RECORDING_END;
    struct reader reader = {.rest = item};
    *out = (struct recording_step){0};
    if (take_u8(&reader) != RECORDING_MARK_STEP) return RECORDING_DAMAGED;
    out->group = take_u32(&reader);
    out->next_position = take_u64(&reader);
    out->event.now_ns = take_i64(&reader);
    out->event.wall_ns = take_i64(&reader);
    out->event.wall_error_ns = take_i64(&reader);
    out->event.kind = (enum event_kind)take_u8(&reader);
    bool known = take_event(&reader, out);
    out->effect_count = take_u32(&reader);
    out->effect_hash = take_u64(&reader);
    return known && !reader.short_of && reader.rest.size == 0 ? RECORDING_STEP : RECORDING_DAMAGED;
}
