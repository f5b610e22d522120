/* Encoding, bounds-checked decoding and printing of what a table declares (message.h).
 *
 * The one loop over a table is driven by its kinds; values move with memcpy between the struct and the bytes, so the
 * struct's alignment never matters on the wire. No field's encoding is longer than its place in the struct, which is
 * why a head never needs more room than struct_size bytes. */
#include "contract/message.h"

#include "base/panic.h"
#include "contract/text.h"

static inline const uint8_t *member(const void *body, const struct field *field)
{
    return (const uint8_t *)body + field->offset;
}

static inline uint64_t get_u64(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint32_t get_u32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline struct span get_span(const uint8_t *from)
{
    struct span value;
    memcpy(&value, from, sizeof value);
    return value;
}

size_t message_encode(const struct message_type *type, const void *body, uint8_t *out, struct span *tail)
{
    invariant(type->struct_size <= MESSAGE_STRUCT_SIZE_MAX, "a declared message fits its bound");
    uint8_t *at = out;
    *tail = (struct span){0};
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        const uint8_t *from = member(body, field);
        switch (field->kind) {
        case FIELD_U8:
            *at++ = *from;
            break;
        case FIELD_U32:
        case FIELD_NODE:
            store_u32(at, get_u32(from));
            at += 4;
            break;
        case FIELD_U64:
        case FIELD_INCARNATION:
        case FIELD_TIME:
        case FIELD_I64: /* two's complement: the same eight bytes */
            store_u64(at, get_u64(from));
            at += 8;
            break;
        case FIELD_BYTES:
            *tail = get_span(from);
            invariant(tail->size <= UINT32_MAX, "the bulk of a message has a 32-bit size");
            store_u32(at, (uint32_t)tail->size);
            at += 4;
            break;
        case FIELD_RECORDS: /* node/ appends the stored records */
            break;
        }
    }
    return (size_t)(at - out);
}

/* True when the bytes are a sequence of whole records. */
static bool records_whole(struct span bytes)
{
    while (bytes.size > 0) {
        if (bytes.size < RECORD_PREFIX_SIZE)
            return false;
        size_t size = load_u32(bytes.data);
        if (size > bytes.size - RECORD_PREFIX_SIZE)
            return false;
        bytes.data += RECORD_PREFIX_SIZE + size;
        bytes.size -= RECORD_PREFIX_SIZE + size;
    }
    return true;
}

static inline void put_span(uint8_t *to, const uint8_t *data, size_t size)
{
    struct span value = {.data = data, .size = size};
    memcpy(to, &value, sizeof value);
}

bool message_decode(const struct message_type *type, struct span bytes, void *out)
{
    const uint8_t *at = bytes.data;
    size_t rest = bytes.size;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        uint8_t *to = (uint8_t *)out + field->offset;
        size_t size = 0;
        switch (field->kind) {
        case FIELD_U8:
            size = 1;
            if (rest < size)
                return false;
            *to = *at;
            break;
        case FIELD_U32:
        case FIELD_NODE:
            size = 4;
            if (rest < size)
                return false;
            memcpy(to, &(uint32_t){load_u32(at)}, 4);
            break;
        case FIELD_U64:
        case FIELD_I64:
        case FIELD_TIME:
        case FIELD_INCARNATION:
            size = 8;
            if (rest < size)
                return false;
            memcpy(to, &(uint64_t){load_u64(at)}, 8);
            break;
        case FIELD_BYTES: /* the last field: it must fill the body exactly */
            if (rest < 4 || load_u32(at) != rest - 4)
                return false;
            put_span(to, at + 4, rest - 4);
            return true;
        case FIELD_RECORDS:
            if (!records_whole(span_of(at, rest)))
                return false;
            put_span(to, at, rest);
            return true;
        }
        at += size;
        rest -= size;
    }
    return rest == 0;
}

static void print_field(struct text *text, const struct field *field, const uint8_t *from)
{
    text_add(text, field->name);
    text_add(text, "=");
    switch (field->kind) {
    case FIELD_U8:
        text_add_u64(text, *from);
        break;
    case FIELD_U32:
    case FIELD_NODE:
        text_add_u64(text, get_u32(from));
        break;
    case FIELD_U64:
    case FIELD_INCARNATION:
        text_add_u64(text, get_u64(from));
        break;
    case FIELD_I64:
    case FIELD_TIME:
        text_add_i64(text, (int64_t)get_u64(from));
        break;
    case FIELD_BYTES:
    case FIELD_RECORDS:
        text_add(text, "[");
        text_add_u64(text, get_span(from).size);
        text_add(text, "]");
        break;
    }
}

size_t message_print(const struct message_type *type, const void *body, char *out, size_t size)
{
    struct text text = text_begin(out, size);
    text_add(&text, type->name);
    text_add(&text, " {");
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (i > 0)
            text_add(&text, " ");
        print_field(&text, &type->fields[i], member(body, &type->fields[i]));
    }
    text_add(&text, "}");
    return text.length;
}

bool record_next(struct span *rest, struct record_view *out)
{
    if (rest->size < RECORD_PREFIX_SIZE)
        return false;
    size_t size = load_u32(rest->data);
    if (size > rest->size - RECORD_PREFIX_SIZE)
        return false;
    out->type = load_u16(rest->data + 4);
    out->slot = rest->data[6];
    out->body = span_of(rest->data + RECORD_PREFIX_SIZE, size);
    rest->data += RECORD_PREFIX_SIZE + size;
    rest->size -= RECORD_PREFIX_SIZE + size;
    return true;
}

void record_prefix_write(uint8_t *out, uint32_t body_size, uint16_t type, uint8_t slot)
{
    store_u32(out, body_size);
    store_u16(out + 4, type);
    out[6] = slot;
    out[7] = 0;
}
