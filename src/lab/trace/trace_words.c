/* Names and fields of events and effects, and the keys by which receptions find their sendings: a hash over the
 * message's type, its encoded fields, its bulk, and the number of stored records that it carries (the sender names
 * them by position, so their bytes are not at hand). */
#include "lab/trace/trace_words.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/hash.h"
#include "contract/client.h"
#include "contract/header.h"
#include "contract/text.h"

static const uint64_t KEY_OF_HASH[2] = {UINT64_C(0x74726163656b6579), UINT64_C(0x6172726f77736f6e)};

#define U64(value) ((unsigned long long)(value))

__attribute__((format(printf, 2, 3))) static void put(struct trace_words *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = strlen(out->text);
    vsnprintf(out->text + length, sizeof out->text - length, format, arguments);
    va_end(arguments);
}

static uint64_t message_key(uint32_t group_slot, uint16_t type, struct span head, struct span tail, uint64_t records)
{
    uint64_t key = hash_keyed(KEY_OF_HASH, head.data, head.size);
    key = hash_mix(key, (uint64_t)group_slot << 16 | type);
    key = hash_mix(key, tail.size);
    if (tail.size > 0)
        key = hash_mix(key, crc32c(0, tail.data, tail.size));
    return hash_mix(key, records);
}

/* The fields of a message without its name and braces. */
static void put_fields(struct trace_words *out, const struct message_type *type, const void *body)
{
    char line[TRACE_WORDS_MAX];
    size_t length = message_print(type, body, line, sizeof line);
    const char *open = strchr(line, '{');
    if (open == NULL)
        return;
    if (line[length - 1] == '}')
        line[length - 1] = '\0';
    put(out, "%s%s", out->text[0] != '\0' && open[1] != '\0' ? " " : "", open + 1);
}

static uint64_t count_records(const struct message_type *type, const void *body)
{
    if (type->field_count == 0 || type->fields[type->field_count - 1].kind != FIELD_RECORDS)
        return 0;
    struct span rest;
    memcpy(&rest, (const char *)body + type->fields[type->field_count - 1].offset, sizeof rest);
    struct record_view record;
    uint64_t count = 0;
    while (record_next(&rest, &record))
        count++;
    return count;
}

/* ---- events ---- */

static void words_message(const struct protocol *protocol, const struct event_message *message, struct trace_words *out)
{
    const struct message_type *type = &protocol->messages.types[message->type];
    uint8_t head[MESSAGE_HEAD_SIZE_MAX];
    struct span tail;
    out->name = type->name;
    put_fields(out, type, message->body);
    uint64_t records = count_records(type, message->body);
    if (records > 0)
        put(out, " records=%llu", U64(records));
    size_t size = message_encode(type, message->body, head, &tail);
    out->key = message_key(message->slot, message->type, span_of(head, size), tail, records);
}

static void words_restore(const struct protocol *protocol, const struct event_restore *restore, struct trace_words *out)
{
    static const char *const kinds[] = {"part", "record", "gap"};
    out->name = kinds[restore->kind];
    put(out, "position=%llu", U64(restore->position));
    if (restore->kind == RESTORE_PART)
        put(out, " index=%llu", U64(restore->index));
    if (restore->kind == RESTORE_RECORD && restore->type < protocol->records.count) {
        put(out, " record=%s", protocol->records.types[restore->type].name);
        put_fields(out, &protocol->records.types[restore->type], restore->body);
    }
}

/* A client's request is its message, which the member's node has taken apart. */
static uint64_t client_key(const struct event_request *request)
{
    const struct client_bundle body = {.bundle = request->bytes};
    enum client_message type = request->kind == REQUEST_READ ? CLIENT_LOOK : CLIENT_REQUEST;
    uint8_t head[MESSAGE_HEAD_SIZE_MAX];
    struct span tail;
    size_t size = message_encode(&client_message_types[type], &body, head, &tail);
    return message_key(0, (uint16_t)type, span_of(head, size), tail, 0);
}

bool trace_words_client(struct span message, struct trace_words *out)
{
    struct header header;
    union {
        struct client_answers answers;
        uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
    } body;
    enum { FIELDS_SIZE = 8 + 1 + 4 + 4 }; /* before the list; behind it stands the proof */
    header_decode(message.data, &header);
    struct span encoded = span_of(message.data + HEADER_SIZE, message.size - HEADER_SIZE);
    if (header.kind != HEADER_CLIENT || header.type != CLIENT_ANSWERS || encoded.size < FIELDS_SIZE)
        return false;
    uint32_t size = load_u32(encoded.data + FIELDS_SIZE - 4);
    if (size > encoded.size - FIELDS_SIZE ||
        !message_decode(&client_message_types[CLIENT_ANSWERS], span_of(encoded.data, FIELDS_SIZE + size), body.bytes))
        return false;
    *out = (struct trace_words){.name = client_message_types[CLIENT_ANSWERS].name};
    put_fields(out, &client_message_types[CLIENT_ANSWERS], body.bytes);
    out->key = message_key(0, CLIENT_ANSWERS, span_of(encoded.data, FIELDS_SIZE), body.answers.answers, 0);
    return true;
}

static void words_request(const struct event_request *request, struct trace_words *out)
{
    static const char *const kinds[] = {"update", "read", "count", "call"};
    out->name = kinds[request->kind];
    if (request->origin != 0)
        put(out, "client=%u ", request->origin);
    if (request->origin != 0)
        out->key = client_key(request);
    put(out, "first=%llu count=%u incomplete=%llu bytes=[%zu]", U64(request->first_number), request->count,
        U64(request->first_incomplete), request->bytes.size);
}

void trace_words_event(const struct protocol *protocol, const struct event *event, struct trace_words *out)
{
    static const char *const starts[] = {"first", "restarted", "amnesiac"};
    static const char *const states[] = {"durable", "adopted", "failed"};
    *out = (struct trace_words){.name = ""};
    switch (event->kind) {
    case EVENT_TURN:
        break;
    case EVENT_RESTORE:
        words_restore(protocol, &event->restore, out);
        break;
    case EVENT_START:
        out->name = starts[event->start.kind];
        put(out, "incarnation=%llu position=%llu", U64(event->start.incarnation), U64(event->start.position));
        break;
    case EVENT_STORED:
        put(out, "position=%llu room=%llu", U64(event->stored.position), U64(event->stored.room_bytes));
        break;
    case EVENT_RESULT:
        put(out, "tag=%llu bytes=[%zu]", U64(event->result.tag), event->result.bytes.size);
        break;
    case EVENT_STATE:
        out->name = states[event->state.kind];
        put(out, "index=%llu position=%llu digest=%llx", U64(event->state.index), U64(event->state.position),
            U64(event->state.digest));
        break;
    case EVENT_PEER:
        out->name = event->peer.state == PEER_CONNECTED ? "connected" : "lost";
        put(out, "node=%u", event->peer.node);
        break;
    case EVENT_MESSAGE:
        words_message(protocol, &event->message, out);
        break;
    case EVENT_REQUEST:
        words_request(&event->request, out);
        break;
    case EVENT_TIMEOUT:
        put(out, "slot=%u name=%u key=%llu", event->timeout.slot, event->timeout.name, U64(event->timeout.key));
        break;
    }
}

/* ---- effects ---- */

/* An encoded body: its head and bulk are put together for the decoder. */
static void put_encoded(struct heap *heap, const struct message_table *table, uint16_t type, struct span head,
                        struct span tail, struct trace_words *out)
{
    union {
        max_align_t align;
        uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
    } body;
    if (type >= table->count)
        return;
    out->name = table->types[type].name;
    uint8_t *whole = heap_alloc(heap, head.size + tail.size);
    if (whole == NULL)
        return;
    if (head.size > 0)
        memcpy(whole, head.data, head.size);
    if (tail.size > 0)
        memcpy(whole + head.size, tail.data, tail.size);
    if (message_decode(&table->types[type], span_of(whole, head.size + tail.size), body.bytes))
        put_fields(out, &table->types[type], body.bytes);
    heap_free(heap, whole);
}

static void words_send(struct heap *heap, const struct protocol *protocol, const struct effect_send *send,
                       struct trace_words *out)
{
    uint64_t records = send->records_first == 0 ? 0 : send->records_last - send->records_first + 1;
    put_encoded(heap, &protocol->messages, send->type, send->head, send->tail, out);
    if (records > 0)
        put(out, " records=%llu..%llu", U64(send->records_first), U64(send->records_last));
    if (send->after != 0)
        put(out, " after=%llu", U64(send->after));
    out->key = message_key(send->slot, send->type, send->head, send->tail, records);
}

static void words_deliver(const struct effect_deliver *deliver, struct trace_words *out)
{
    static const char *const kinds[] = {"update", "read", "look"};
    out->name = kinds[deliver->kind];
    if (deliver->kind != DELIVER_UPDATE)
        put(out, "first=%llu count=%u after index=%llu", U64(deliver->first_number), deliver->count,
            U64(deliver->index));
    else
        put(out, "index=%llu record=%llu bytes=[%zu]", U64(deliver->index), U64(deliver->record),
            deliver->bundle.size);
}

static void words_reply(const struct effect_reply *reply, struct trace_words *out)
{
    static const char *const kinds[] = {"answer", "refused", "again", "order", "count", "indeterminate"};
    out->name = kinds[reply->kind];
    put(out, "%s first=%llu count=%u", reply->read ? "reads" : "updates", U64(reply->first_number), reply->count);
    if (reply->after != 0)
        put(out, " after=%llu", U64(reply->after));
}

static void words_arm(const struct effect_arm *arm, struct trace_words *out)
{
    put(out, "slot=%u name=%u key=%llu ", arm->slot, arm->name, U64(arm->key));
    if (arm->at_ns == EFFECT_DISARM)
        put(out, "off");
    else
        put(out, "at=%lldus", (long long)(arm->at_ns / 1000));
}

void trace_words_effect(struct heap *heap, const struct protocol *protocol, const struct effect *effect,
                        struct trace_words *out)
{
    *out = (struct trace_words){.name = ""};
    switch (effect->kind) {
    case EFFECT_STORE:
        put(out, "position=%llu", U64(effect->store.position));
        put_encoded(heap, &protocol->records, effect->store.type, effect->store.head, effect->store.tail, out);
        break;
    case EFFECT_SEND:
        words_send(heap, protocol, &effect->send, out);
        break;
    case EFFECT_ARM:
        words_arm(&effect->arm, out);
        break;
    case EFFECT_CHECKPOINT:
        put(out, "keep_from=%llu part=[%zu]", U64(effect->checkpoint.keep_from), effect->checkpoint.part.size);
        break;
    case EFFECT_ADOPT:
        put(out, "index=%llu digest=%llx", U64(effect->adopt.index), U64(effect->adopt.digest));
        break;
    case EFFECT_DELIVER:
        words_deliver(&effect->deliver, out);
        break;
    case EFFECT_REPLY:
        words_reply(&effect->reply, out);
        break;
    case EFFECT_SUSPECT:
        put(out, "node=%u level=%u", effect->suspect.node, effect->suspect.level);
        break;
    case EFFECT_VIEW:
        put(out, "number=%llu orderer=%u", U64(effect->view.number), effect->view.orderer);
        break;
    case EFFECT_NOTE:
        out->name = effect->note.text;
        put(out, "%llu", U64(effect->note.value));
        break;
    case EFFECT_AGAIN:
        break;
    }
}

void trace_words_state(const struct protocol *protocol, const void *member, char *out, size_t size)
{
    if (protocol->print != NULL) {
        struct text text = text_begin(out, size);
        protocol->print(member, &text);
        return;
    }
    struct member_status status = {0};
    protocol->status(member, &status);
    snprintf(out, size, "role=%s term=%llu orderer=%u commit=%llu applied=%llu last=%llu voter=%d",
             status.role != NULL ? status.role : "?", U64(status.term), status.orderer, U64(status.commit_index),
             U64(status.applied_index), U64(status.last_index), status.voter);
}
