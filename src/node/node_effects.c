/* Interpreting effects, in the order written.
 *
 * A SEND is sealed once, whatever the number of receivers. One that names a position which is not stored yet is kept,
 * sealed, until it is; so is a REPLY. */
#include <string.h>

#include "base/panic.h"
#include "node/node_internal.h"

/* A held item: u64 position, u8 kind, u8 zero[3], u32 receivers or count, u32 size, then receivers (u32 each) and the
 * sealed message; or the reply's fields and text. */
enum { HELD_HEADER_SIZE = 20, HELD_SEND = 1, HELD_REPLY = 2, HELD_REPLY_FIELDS = 24 };

static size_t records_size(struct member *member, const struct effect_send *send)
{
    size_t size = 0;
    if (send->records_first == 0) return 0;
    for (uint64_t position = send->records_first; position <= send->records_last; position++)
        size += RECORD_PREFIX_SIZE + wal_record_size(member->node->wal, member->spec->group, position);
    return size;
}

/* Copies the records that the message names to `out`, which has room for `room` bytes. */
static bool copy_records(struct member *member, const struct effect_send *send, uint8_t *out, size_t room)
{
    if (send->records_first == 0) return room == 0;
    for (uint64_t position = send->records_first; position <= send->records_last; position++) {
        uint8_t slot;
        uint16_t type;
        struct span body;
        int error = wal_read(member->node->wal, member->spec->group, position, &slot, &type, &body);
        if (error < 0) {
            node_fail(member->node, "a stored record could not be read back: %s (%s)", "log", error);
            return false;
        }
        invariant(room >= RECORD_PREFIX_SIZE + body.size, "a record has the size that the log told");
        record_prefix_write(out, (uint32_t)body.size, type, slot);
        if (body.size > 0) memcpy(out + RECORD_PREFIX_SIZE, body.data, body.size);
        out += RECORD_PREFIX_SIZE + body.size;
        room -= RECORD_PREFIX_SIZE + body.size;
    }
    return true;
}

/* Lays out and seals the message of that kind: in node->message, or in a blob of its own if it is large. Empty when
 * memory or the log fails (then it is lost). */
static struct span seal(struct member *member, enum header_kind to_whom, const struct effect_send *send,
                        struct blob **blob)
{
    struct node *node = member->node;
    size_t records = records_size(member, send);
    const struct message_table *table = to_whom == HEADER_CLIENT ? &client_messages : &member->protocol->messages;
    enum message_proof kind = proof_kind(member->spec, &table->types[send->type]);
    size_t proof = proof_size(member->spec, kind);
    size_t size = HEADER_SIZE + send->head.size + send->tail.size + records + proof;
    uint8_t *out;
    *blob = NULL;
    if (size > NODE_FRAME_SIZE_MAX) {
        *blob = node_blob_make(node, size);
        if (*blob == NULL) return (struct span){0};
        out = (*blob)->bytes;
    } else {
        buffer_clear(&node->message);
        out = buffer_grow(&node->message, size);
        if (out == NULL) return (struct span){0};
    }
    uint8_t *at = out + HEADER_SIZE;
    memcpy(at, send->head.data, send->head.size);
    at += send->head.size;
    if (send->tail.size > 0) memcpy(at, send->tail.data, send->tail.size);
    at += send->tail.size;
    if (!copy_records(member, send, at, records)) return (struct span){0};
    const struct node_tamper *tamper = &node->tamper;
    if (tamper->sends != NULL && to_whom == HEADER_MESSAGE)
        tamper->sends(tamper->context, member->spec->group, send->type, out + HEADER_SIZE, size - proof - HEADER_SIZE);
    struct header header = node_header(node, to_whom, member->spec->group, send->slot, send->type);
    struct node_sending sending = {.group = member->spec->group,
                                   .kind = to_whom,
                                   .type = send->type,
                                   .to = send->to[0],
                                   .to_self = send->to[0] == node->options->id,
                                   .body = out + HEADER_SIZE,
                                   .size = size - proof - HEADER_SIZE,
                                   .sender = &header.sender};
    if (tamper->sends_to != NULL && !tamper->sends_to(tamper->context, &sending)) return (struct span){0};
    if (proof > 0)
        proof_make(&node->options->proofs, member->spec, kind, &header,
                   (struct span){out + HEADER_SIZE, size - proof - HEADER_SIZE}, send->to[0], out + size - proof);
    header.length = (uint32_t)(size - HEADER_SIZE);
    header.position = send->to_incarnation;
    header_seal(0, &header, (struct span){out + HEADER_SIZE, header.length}, (struct span){0}, out);
    return (struct span){out, size};
}

static void hold(struct member *member, uint64_t after, uint8_t kind, const uint32_t *to, uint32_t to_count,
                 struct span bytes)
{
    uint8_t *out = buffer_grow(&member->held, HELD_HEADER_SIZE + to_count * 4 + bytes.size);
    invariant(out != NULL, "what waits for the disk has room in the node's heap");
    memset(out, 0, HELD_HEADER_SIZE);
    store_u64(out, after);
    out[8] = kind;
    store_u32(out + 12, to_count);
    store_u32(out + 16, (uint32_t)bytes.size);
    out += HELD_HEADER_SIZE;
    for (uint32_t i = 0; i < to_count; i++) store_u32(out + i * 4, to[i]);
    if (bytes.size > 0) memcpy(out + to_count * 4, bytes.data, bytes.size);
}

static bool stored_already(const struct member *member, uint64_t position)
{
    return position == 0 || position <= wal_stored_position(member->node->wal, member->spec->group);
}

static bool is_client(const struct member *member) { return member->spec->served_by != NULL; }

static void send_alike(struct member *member, const struct effect_send *send)
{
    struct node *node = member->node;
    struct blob *blob;
    struct span message = seal(member, is_client(member) ? HEADER_CLIENT : HEADER_MESSAGE, send, &blob);
    if (message.size > 0 && !stored_already(member, send->after)) {
        hold(member, send->after, HELD_SEND, send->to, send->to_count, message);
    } else if (message.size > 0) {
        for (uint32_t i = 0; i < send->to_count; i++) node_send(node, member, send->to[i], message, blob);
    }
    node_blob_release(node, blob);
}

/* Once for all receivers, unless they may be told different things. */
static void interpret_send(struct member *member, const struct effect_send *send)
{
    if (member->node->tamper.sends_to == NULL) {
        send_alike(member, send);
        return;
    }
    for (uint32_t i = 0; i < send->to_count; i++) {
        struct effect_send one = *send;
        one.to = &send->to[i];
        one.to_count = 1;
        send_alike(member, &one);
    }
}

void member_send_client(struct member *member, uint32_t to, uint64_t incarnation, enum client_message type,
                        const void *body)
{
    uint8_t head[MESSAGE_HEAD_SIZE_MAX];
    struct effect_send send = {.to = &to, .to_count = 1, .type = (uint16_t)type, .to_incarnation = incarnation};
    size_t size = message_encode(&client_messages.types[type], body, head, &send.tail);
    send.head = span_of(head, size);
    struct blob *blob;
    struct span message = seal(member, HEADER_CLIENT, &send, &blob);
    if (message.size > 0) node_send(member->node, member, to, message, blob);
    node_blob_release(member->node, blob);
}

static enum answer_kind answer_kind_of(enum reply_kind kind)
{
    if (kind == REPLY_REFUSED) return ANSWER_REFUSED;
    return kind == REPLY_INDETERMINATE ? ANSWER_INDETERMINATE : ANSWER_VALUE;
}

static void answer_numbers(struct member *member, const struct effect_reply *reply)
{
    struct lane *lane = &member->lanes[reply->read];
    struct answer answer = {.kind = answer_kind_of(reply->kind), .bytes = reply->bytes, .index = reply->index};
    for (uint32_t i = 0; i < reply->count; i++) lane_answer(member, lane, reply->first_number + i, &answer);
}

static void interpret_reply(struct member *member, const struct effect_reply *reply)
{
    /* Its numbers would be taken for those of this node's own requests. */
    if (member->asked_by_client) {
        member->gave_back = member->gave_back || (reply->kind == REPLY_AGAIN && !reply->read);
        return;
    }
    switch (reply->kind) {
    case REPLY_AGAIN:
        lane_given_back(member, &member->lanes[reply->read], reply->first_number, reply->count);
        return;
    case REPLY_ORDER:
        lane_order_reads(member, reply->first_number, reply->count);
        return;
    case REPLY_COUNT:
        member_count_answer(member, reply);
        return;
    case REPLY_ANSWER:
    case REPLY_REFUSED:
    case REPLY_INDETERMINATE:
        break;
    }
    if (stored_already(member, reply->after)) {
        answer_numbers(member, reply);
        return;
    }
    struct buffer fields = node_buffer_take(member->node);
    uint8_t *out = buffer_grow(&fields, HELD_REPLY_FIELDS);
    invariant(out != NULL && buffer_append(&fields, reply->bytes.data, reply->bytes.size), "a reply has room");
    store_u64(fields.data, reply->first_number);
    store_u32(fields.data + 8, reply->count);
    fields.data[12] = (uint8_t)reply->kind;
    fields.data[13] = reply->read;
    store_u64(fields.data + 16, reply->index);
    hold(member, reply->after, HELD_REPLY, NULL, 0, (struct span){fields.data, fields.size});
    node_buffer_give(member->node, &fields);
}

static void release_one(struct member *member, const uint8_t *item)
{
    uint32_t to_count = load_u32(item + 12), size = load_u32(item + 16);
    const uint8_t *bytes = item + HELD_HEADER_SIZE + to_count * 4;
    if (item[8] == HELD_REPLY) {
        const struct effect_reply reply = {.kind = (enum reply_kind)bytes[12],
                                           .read = bytes[13] != 0,
                                           .first_number = load_u64(bytes),
                                           .count = load_u32(bytes + 8),
                                           .bytes = {bytes + HELD_REPLY_FIELDS, size - HELD_REPLY_FIELDS},
                                           .index = load_u64(bytes + 16)};
        answer_numbers(member, &reply);
        return;
    }
    for (uint32_t i = 0; i < to_count; i++)
        node_send(member->node, member, load_u32(item + HELD_HEADER_SIZE + i * 4), (struct span){bytes, size}, NULL);
}

/* In the order they were held: the first that still waits keeps those behind it. */
void member_release_held(struct member *member, uint64_t stored)
{
    while (member->held_at < member->held.size) {
        const uint8_t *item = member->held.data + member->held_at;
        if (load_u64(item) > stored) break;
        member->held_at += HELD_HEADER_SIZE + (size_t)load_u32(item + 12) * 4 + load_u32(item + 16);
        release_one(member, item);
    }
    if (member->held_at == member->held.size) {
        buffer_clear(&member->held);
        member->held_at = 0;
    } else if (member->held_at > member->held.size / 2) {
        buffer_consume(&member->held, member->held_at);
        member->held_at = 0;
    }
}

static void interpret_store(struct member *member, const struct effect_store *store)
{
    uint64_t position = 0;
    int error = wal_append(member->node->wal, member->spec->group, store->slot, store->type, store->head, store->tail,
                           &position);
    if (error < 0) {
        node_fail(member->node, "the log cannot take a record: %s (%s); make room on the disk and start again", "log",
                  error);
        return;
    }
    invariant(position == store->position, "a STORE gets the position that the member counted");
}

static struct armed *find_timer(struct member *member, uint8_t slot, uint16_t name, uint64_t key)
{
    for (uint32_t i = 0; i < member->timer_count; i++) {
        struct armed *armed = &member->timers[i];
        if (armed->name == name && armed->key == key && armed->slot == slot) return armed;
    }
    return NULL;
}

static void interpret_arm(struct member *member, const struct effect_arm *arm)
{
    struct armed *armed = find_timer(member, arm->slot, arm->name, arm->key);
    if (arm->at_ns == EFFECT_DISARM) {
        if (armed != NULL) *armed = member->timers[--member->timer_count];
    } else {
        if (armed == NULL) {
            invariant(member->timer_count < TIMERS_MAX, "a member arms at most 64 timers");
            armed = &member->timers[member->timer_count++];
        }
        *armed = (struct armed){.at_ns = arm->at_ns, .key = arm->key, .name = arm->name, .slot = arm->slot};
    }
    member_timer_refresh(member);
}

static void interpret_view(struct member *member, const struct effect_view *view)
{
    bool changed = view->orderer != member->orderer || view->number != member->view_number;
    member->view_number = view->number;
    member->orderer = view->orderer;
    if (!changed || view->orderer == 0) return;
    lane_orderer_changed(&member->lanes[0]);
    lane_orderer_changed(&member->lanes[1]);
    for (uint32_t i = 0; i < member->count_requests; i++) member->counts[i].sent = false;
    member->counts_due = member->count_requests > 0;
}

static void interpret_suspect(struct member *member, const struct effect_suspect *suspect)
{
    struct peer *peer = node_peer_of(member->node, suspect->node);
    if (peer != NULL) peer->suspicion = suspect->level;
}

static void interpret_one(struct member *member, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_STORE: interpret_store(member, &effect->store); break;
    case EFFECT_SEND: interpret_send(member, &effect->send); break;
    case EFFECT_ARM: interpret_arm(member, &effect->arm); break;
    case EFFECT_CHECKPOINT: member_checkpoint_begin(member, &effect->checkpoint); break;
    case EFFECT_ADOPT: member_adopt_begin(member, &effect->adopt); break;
    case EFFECT_DELIVER: member_deliver(member, &effect->deliver); break;
    case EFFECT_REPLY: interpret_reply(member, &effect->reply); break;
    case EFFECT_SUSPECT: interpret_suspect(member, &effect->suspect); break;
    case EFFECT_VIEW: interpret_view(member, &effect->view); break;
    case EFFECT_NOTE: break;
    case EFFECT_AGAIN: member->again = true; break;
    }
}

void member_interpret(struct member *member)
{
    struct node *node = member->node;
    for (uint32_t i = 0; i < member->effects.count && !node->failed; i++) {
        const struct effect *effect = &member->effects.list[i];
        if (node->observer.effect != NULL)
            node->observer.effect(node->observer.context, member->spec->group, effect);
        interpret_one(member, effect);
    }
}
