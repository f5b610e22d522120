/* Writing effects (effect.h). Everything is appended to arrays that the caller sized by the protocol's declared
 * bounds, so running over is a bug of that protocol and stops the process. */
#include "contract/effect.h"

#include <string.h>

#include "base/panic.h"
#include "contract/command.h"

static struct effect *append(struct effects *out, enum effect_kind kind)
{
    invariant(out->count < out->capacity, "a step writes at most effects_max effects");
    struct effect *effect = &out->list[out->count++];
    *effect = (struct effect){.kind = kind};
    return effect;
}

/* Room for `size` bytes of scratch, aligned for any scalar; what is not used is given back by lowering scratch_used. */
static uint8_t *scratch_take(struct effects *out, size_t size)
{
    size_t skip = (size_t)(-((uintptr_t)out->scratch + out->scratch_used) & 7);
    size_t room = out->scratch_size - out->scratch_used;
    invariant(skip <= room && size <= room - skip, "a step writes at most scratch_max bytes");
    uint8_t *at = out->scratch + out->scratch_used + skip;
    out->scratch_used += skip + size;
    return at;
}

/* Encodes the fields before the bulk into the scratch. No encoding is longer than its struct. */
static struct span encode(struct effects *out, const struct message_table *table, uint16_t type, const void *body,
                          struct span *tail)
{
    invariant(type < table->count, "a type is in its table");
    const struct message_type *entry = &table->types[type];
    uint8_t *at = scratch_take(out, entry->struct_size);
    size_t size = message_encode(entry, body, at, tail);
    out->scratch_used -= entry->struct_size - size;
    return span_of(at, size);
}

uint64_t effect_store(struct effects *out, const struct message_table *table, uint8_t slot, uint16_t type,
                      const void *body)
{
    struct effect_store *store = &append(out, EFFECT_STORE)->store;
    store->slot = slot;
    store->type = type;
    store->position = out->next_position++;
    store->head = encode(out, table, type, body, &store->tail);
    return store->position;
}

struct effect_send *effect_send(struct effects *out, const struct message_table *table, uint8_t slot, uint16_t type,
                                const void *body, const uint32_t *to, uint32_t to_count)
{
    struct effect_send *send = &append(out, EFFECT_SEND)->send;
    send->to = to;
    send->to_count = to_count;
    send->slot = slot;
    send->type = type;
    send->head = encode(out, table, type, body, &send->tail);
    return send;
}

struct effect_send *effect_send_one(struct effects *out, const struct message_table *table, uint8_t slot,
                                    uint16_t type, const void *body, uint32_t to)
{
    uint32_t *copy = (uint32_t *)(void *)scratch_take(out, sizeof to);
    *copy = to;
    return effect_send(out, table, slot, type, body, copy, 1);
}

void effect_arm(struct effects *out, uint8_t slot, uint16_t name, uint64_t key, int64_t at_ns)
{
    append(out, EFFECT_ARM)->arm = (struct effect_arm){.slot = slot, .name = name, .key = key, .at_ns = at_ns};
}

void effect_disarm(struct effects *out, uint8_t slot, uint16_t name, uint64_t key)
{
    effect_arm(out, slot, name, key, EFFECT_DISARM);
}

void effect_checkpoint(struct effects *out, uint64_t keep_from, struct span part)
{
    append(out, EFFECT_CHECKPOINT)->checkpoint = (struct effect_checkpoint){.keep_from = keep_from, .part = part};
}

struct effect_adopt *effect_adopt(struct effects *out, const uint32_t *holders, uint32_t holder_count, uint64_t index,
                                  uint64_t digest)
{
    struct effect_adopt *adopt = &append(out, EFFECT_ADOPT)->adopt;
    *adopt = (struct effect_adopt){.holders = holders, .holder_count = holder_count, .index = index, .digest = digest};
    return adopt;
}

struct effect_deliver *effect_deliver_record(struct effects *out, uint64_t index, int64_t time_ns, uint64_t record)
{
    struct effect_deliver *deliver = &append(out, EFFECT_DELIVER)->deliver;
    deliver->kind = DELIVER_UPDATE;
    deliver->index = index;
    deliver->time_ns = time_ns;
    deliver->record = record;
    return deliver;
}

struct effect_deliver *effect_deliver_bytes(struct effects *out, enum deliver_kind kind, uint64_t index,
                                            int64_t time_ns, struct span bundle)
{
    struct effect_deliver *deliver = &append(out, EFFECT_DELIVER)->deliver;
    deliver->kind = kind;
    deliver->index = index;
    deliver->time_ns = time_ns;
    deliver->bundle = bundle;
    if (bundle.size >= BUNDLE_HEADER_SIZE) {
        struct bundle header = {0};
        bundle_header_read(bundle.data, &header);
        deliver->first_number = header.first_number;
        deliver->count = header.count;
    }
    return deliver;
}

struct effect_deliver *effect_deliver_reads(struct effects *out, uint64_t index, int64_t time_ns,
                                            uint64_t first_number, uint32_t count)
{
    struct effect_deliver *deliver = &append(out, EFFECT_DELIVER)->deliver;
    deliver->kind = DELIVER_READ;
    deliver->index = index;
    deliver->time_ns = time_ns;
    deliver->first_number = first_number;
    deliver->count = count;
    return deliver;
}

struct effect_deliver *effect_deliver_looks(struct effects *out, uint64_t index, int64_t time_ns,
                                            uint64_t first_number, uint32_t count)
{
    struct effect_deliver *deliver = effect_deliver_reads(out, index, time_ns, first_number, count);
    deliver->kind = DELIVER_LOOK;
    return deliver;
}

struct effect_reply *effect_reply(struct effects *out, enum reply_kind kind, bool read, uint64_t first_number,
                                  uint32_t count, struct span bytes)
{
    struct effect_reply *reply = &append(out, EFFECT_REPLY)->reply;
    reply->kind = kind;
    reply->read = read;
    reply->first_number = first_number;
    reply->count = count;
    reply->bytes = bytes;
    return reply;
}

void effect_suspect(struct effects *out, uint32_t node, uint32_t level)
{
    append(out, EFFECT_SUSPECT)->suspect = (struct effect_suspect){.node = node, .level = level};
}

void effect_view(struct effects *out, uint64_t number, uint32_t orderer)
{
    append(out, EFFECT_VIEW)->view = (struct effect_view){.number = number, .orderer = orderer};
}

void effect_note(struct effects *out, const char *text, uint64_t value)
{
    append(out, EFFECT_NOTE)->note = (struct effect_note){.text = text, .value = value};
}

void effect_again(struct effects *out)
{
    append(out, EFFECT_AGAIN);
}

struct span effects_copy(struct effects *out, const void *data, size_t size)
{
    uint8_t *at = scratch_take(out, size);
    if (size > 0)
        memcpy(at, data, size);
    return span_of(at, size);
}

const char *effect_kind_name(enum effect_kind kind)
{
    switch (kind) {
    case EFFECT_STORE:
        return "STORE";
    case EFFECT_SEND:
        return "SEND";
    case EFFECT_ARM:
        return "ARM";
    case EFFECT_CHECKPOINT:
        return "CHECKPOINT";
    case EFFECT_ADOPT:
        return "ADOPT";
    case EFFECT_DELIVER:
        return "DELIVER";
    case EFFECT_REPLY:
        return "REPLY";
    case EFFECT_SUSPECT:
        return "SUSPECT";
    case EFFECT_VIEW:
        return "VIEW";
    case EFFECT_NOTE:
        return "NOTE";
    case EFFECT_AGAIN:
        return "AGAIN";
    }
    return "?";
}
