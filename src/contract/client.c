/* The table of messages between clients and members, and the list of answers (client.h). */
#include "contract/client.h"

#include <string.h>

#include "base/panic.h"

enum { ANSWER_HEAD_SIZE = 20 };

static const struct field bundle_fields[] = {MESSAGE_FIELDS(client_bundle, CLIENT_BUNDLE_FIELDS)};
static const struct field answers_fields[] = {MESSAGE_FIELDS(client_answers, CLIENT_ANSWERS_FIELDS)};

const struct message_type client_message_types[CLIENT_MESSAGE_COUNT] = {
    [CLIENT_REQUEST] = MESSAGE_TYPE_PROVEN("CLIENT_REQUEST", client_bundle, bundle_fields, PROOF_MAC),
    [CLIENT_LOOK] = MESSAGE_TYPE_PROVEN("CLIENT_LOOK", client_bundle, bundle_fields, PROOF_MAC),
    [CLIENT_ANSWERS] = MESSAGE_TYPE_PROVEN("CLIENT_ANSWERS", client_answers, answers_fields, PROOF_PAIR),
};

const struct message_table client_messages = {client_message_types, CLIENT_MESSAGE_COUNT};

const struct message_type *client_or_member_type(const struct message_table *protocol, const struct header *header)
{
    bool known = header->kind == HEADER_MESSAGE || header->kind == HEADER_CLIENT;
    const struct message_table *table = header->kind == HEADER_CLIENT ? &client_messages : protocol;
    if (!known || header->type >= table->count || table->types[header->type].name == NULL)
        return NULL;
    return &table->types[header->type];
}

bool client_answer_append(struct buffer *out, const struct client_answer *answer)
{
    size_t size = answer->lost ? 0 : answer->bytes.size;
    uint8_t *head = buffer_grow(out, ANSWER_HEAD_SIZE + size);
    if (head == NULL)
        return false;
    invariant(size < CLIENT_ANSWER_LOST, "an answer's size fits its field");
    store_u64(head, answer->number);
    store_u64(head + 8, answer->index);
    store_u32(head + 16, answer->lost ? CLIENT_ANSWER_LOST : (uint32_t)size);
    if (size > 0)
        memcpy(head + ANSWER_HEAD_SIZE, answer->bytes.data, size);
    return true;
}

bool client_answer_next(struct span *rest, struct client_answer *out)
{
    if (rest->size < ANSWER_HEAD_SIZE)
        return false;
    uint32_t size = load_u32(rest->data + 16);
    *out = (struct client_answer){
        .number = load_u64(rest->data), .index = load_u64(rest->data + 8), .lost = size == CLIENT_ANSWER_LOST};
    size_t bytes = out->lost ? 0 : size;
    if (bytes > rest->size - ANSWER_HEAD_SIZE)
        return false;
    out->bytes = span_of(rest->data + ANSWER_HEAD_SIZE, bytes);
    *rest = span_of(rest->data + ANSWER_HEAD_SIZE + bytes, rest->size - ANSWER_HEAD_SIZE - bytes);
    return true;
}
