/* Messages in and out.
 *
 * Out: each peer has one buffer of whole messages, and a queue of messages that are too large for a frame; those leave
 * in fragments, behind what else there is to say, so that a heartbeat never waits for a 64 MB value. Over its bound a
 * peer's buffer drops: that is loss, which every protocol must stand anyway.
 *
 * In: messages are checked (magic, version, length, CRC, sender) where they lie and queued as pointers for the turn.
 * Damage and nonsense are counted by reason and dropped; only a byte stream that has lost its framing ends the
 * connection. */
#include <string.h>

#include "base/crc32c.h"
#include "base/panic.h"
#include "node/node_internal.h"

enum {
    FRAGMENT_BYTES = 64 * 1024 - 64,
    REFILL_BYTES = 256 * 1024, /* fragments are laid out while less than this waits to be sent */
};

const char *reject_text(enum reject reason)
{
#define REJECT_TEXT(name, text) text,
    static const char *const texts[] = {REJECTS(REJECT_TEXT)};
    return texts[reason];
}

void node_reject(struct node *node, enum reject reason)
{
    node->counters.rejected[reason]++;
    if (node->observer.rejected != NULL) node->observer.rejected(node->observer.context, (int)reason);
}

struct peer *node_peer_of(const struct node *node, uint32_t id)
{
    for (uint32_t i = 0; i < node->peer_count && id != 0; i++)
        if (node->peers[i].id == id) return &node->peers[i];
    return NULL;
}

struct header node_header(const struct node *node, enum header_kind kind, uint32_t group, uint8_t slot, uint16_t type)
{
    return (struct header){.magic = HEADER_MAGIC,
                           .version = HEADER_VERSION,
                           .slot = slot,
                           .type = type,
                           .kind = (uint8_t)kind,
                           .group = group,
                           .sender = node->options->id,
                           .incarnation = node->incarnation};
}

/* ---- connections ---- */

struct blob *node_blob_make(struct node *node, size_t size)
{
    struct blob *blob = heap_alloc(node->heap, sizeof(struct blob) + size);
    if (blob != NULL) *blob = (struct blob){.users = 1, .size = size};
    return blob;
}

void node_blob_release(struct node *node, struct blob *blob)
{
    if (blob != NULL && --blob->users == 0) heap_free(node->heap, blob);
}

static void drop_large(struct node *node, struct peer *peer)
{
    while (peer->large_first != NULL) {
        struct large *large = peer->large_first;
        peer->large_first = large->next;
        node_blob_release(node, large->blob);
        heap_free(node->heap, large);
    }
    peer->large_last = NULL;
    peer->large_bytes = 0;
}

static void forget_connection(struct node *node, struct peer *peer)
{
    buffer_clear(&peer->out);
    peer->out_sent = 0;
    drop_large(node, peer);
    heap_free(node->heap, peer->assembling);
    peer->assembling = NULL;
}

void node_peer_forget(struct node *node, struct peer *peer)
{
    forget_connection(node, peer);
    peer->connected = false;
}

void member_tell_peer(struct member *member, uint32_t peer, enum peer_state state)
{
    if (spec_member_place(member->spec, peer) < 0) return;
    uint32_t room = sizeof(member->peers_changed) / sizeof(member->peers_changed[0]);
    /* A hint may be lost when a connection flaps many times within one turn: the last ones count. */
    if (member->peers_changed_count == room) {
        memmove(member->peers_changed, member->peers_changed + 1, (room - 1) * sizeof(struct queued_peer));
        member->peers_changed_count--;
    }
    member->peers_changed[member->peers_changed_count++] = (struct queued_peer){peer, state};
    member->touched = true;
}

static void tell_members(struct node *node, uint32_t peer, enum peer_state state)
{
    for (uint32_t i = 0; i < node->member_count; i++) member_tell_peer(node->members[i], peer, state);
}

void node_peer_connected(struct node *node, uint32_t id, uint64_t incarnation, struct span client_address)
{
    struct peer *peer = node_peer_of(node, id);
    if (peer == NULL) return;
    forget_connection(node, peer);
    peer->connected = true;
    peer->heard = false;
    peer->incarnation = incarnation;
    peer->last_heard_ns = node->now_ns;
    size_t size = client_address.size < sizeof(peer->client_address) ? client_address.size
                                                                     : sizeof(peer->client_address) - 1;
    if (size > 0) memcpy(peer->client_address, client_address.data, size);
    peer->client_address[size] = 0;
    tell_members(node, id, PEER_CONNECTED);
}

void node_peer_lost(struct node *node, uint32_t id)
{
    struct peer *peer = node_peer_of(node, id);
    if (peer == NULL || !peer->connected) return;
    forget_connection(node, peer);
    peer->connected = false;
    tell_members(node, id, PEER_LOST);
}

/* ---- out ---- */

static bool queue_large(struct node *node, struct peer *peer, struct span message, struct blob *blob)
{
    struct large *large = heap_alloc(node->heap, sizeof(struct large));
    if (large == NULL) return false;
    if (blob == NULL) { /* it waited for the disk, and lies elsewhere */
        blob = node_blob_make(node, message.size);
        if (blob == NULL) {
            heap_free(node->heap, large);
            return false;
        }
        memcpy(blob->bytes, message.data, message.size);
    } else {
        blob->users++;
    }
    *large = (struct large){.blob = blob, .stream = ++peer->next_stream};
    if (peer->large_last != NULL) peer->large_last->next = large;
    else peer->large_first = large;
    peer->large_last = large;
    peer->large_bytes += message.size;
    return true;
}

static void send_to_peer(struct node *node, struct peer *peer, struct span message, struct blob *blob)
{
    if (!peer->connected) return;
    size_t waiting = peer->out.size - peer->out_sent + peer->large_bytes;
    bool room = waiting == 0 || waiting + message.size <= node->options->peer_output_bytes_max;
    bool taken = room && (message.size > NODE_FRAME_SIZE_MAX ? queue_large(node, peer, message, blob)
                                                             : buffer_append(&peer->out, message.data, message.size));
    if (!taken) {
        peer->dropped++;
        return;
    }
    node->counters.messages_out++;
    node->counters.bytes_out += message.size;
}

void node_send(struct node *node, struct member *member, uint32_t to, struct span message, struct blob *blob)
{
    if (to == node->options->id) {
        invariant(buffer_append(&member->to_self, message.data, message.size), "an own message has room in the heap");
        member->touched = true;
        return;
    }
    struct peer *peer = node_peer_of(node, to);
    if (peer != NULL) send_to_peer(node, peer, message, blob);
}

/* Lays out the next fragment of the first large message. */
static void add_fragment(struct node *node, struct peer *peer)
{
    struct large *large = peer->large_first;
    const struct blob *blob = large->blob;
    size_t size = blob->size - large->sent < FRAGMENT_BYTES ? blob->size - large->sent : FRAGMENT_BYTES;
    struct span body = {blob->bytes + large->sent, size};
    struct header header = node_header(node, HEADER_FRAGMENT, 0, 0, 0);
    header.length = (uint32_t)size;
    header.sequence = large->stream;
    header.position = large->sent;
    header.synced = blob->size;
    uint8_t *out = buffer_grow(&peer->out, HEADER_SIZE + size);
    if (out == NULL) return;
    header_seal(0, &header, body, (struct span){0}, out);
    memcpy(out + HEADER_SIZE, body.data, size);
    large->sent += size;
    peer->large_bytes -= size;
    if (large->sent < blob->size) return;
    peer->large_first = large->next;
    if (peer->large_first == NULL) peer->large_last = NULL;
    node_blob_release(node, large->blob);
    heap_free(node->heap, large);
}

struct span node_output(struct node *node, uint32_t id)
{
    struct peer *peer = node_peer_of(node, id);
    if (peer == NULL) return (struct span){0};
    while (peer->large_first != NULL && peer->out.size - peer->out_sent < REFILL_BYTES) {
        size_t before = peer->out.size;
        add_fragment(node, peer);
        if (peer->out.size == before) break;
    }
    if (peer->out.size == 0) return (struct span){0};
    return (struct span){peer->out.data + peer->out_sent, peer->out.size - peer->out_sent};
}

void node_output_sent(struct node *node, uint32_t id, size_t size)
{
    struct peer *peer = node_peer_of(node, id);
    if (peer == NULL) return;
    peer->out_sent += size;
    if (peer->out_sent == peer->out.size) {
        buffer_clear(&peer->out);
        peer->out_sent = 0;
    } else if (peer->out_sent > REFILL_BYTES) {
        buffer_consume(&peer->out, peer->out_sent);
        peer->out_sent = 0;
    }
}

/* ---- in ---- */

static void queue_input(struct node *node, struct peer *peer, const uint8_t *bytes, bool owned)
{
    if (node->input_count == node->input_capacity) {
        uint32_t capacity = node->input_capacity == 0 ? 256 : node->input_capacity * 2;
        struct input *grown = heap_resize(node->heap, node->inputs, capacity * sizeof(struct input));
        invariant(grown != NULL, "the list of a turn's messages has room in the node's heap");
        node->inputs = grown;
        node->input_capacity = capacity;
    }
    node->inputs[node->input_count++] = (struct input){.peer = peer, .bytes = bytes, .owned = owned};
}

static size_t message_bytes_max(const struct node *node)
{
    const struct tuning *tuning = &node->options->groups[0].tuning;
    return tuning->command_bytes_max + tuning->append_bytes_max + NODE_FRAME_SIZE_MAX;
}

/* The whole message inside a stream of fragments is checked like one that came in one piece. */
static void assembled(struct node *node, struct peer *peer)
{
    uint8_t *bytes = peer->assembling;
    peer->assembling = NULL;
    struct header header;
    header_decode(bytes, &header);
    struct span body = {bytes + HEADER_SIZE, peer->assembling_size - HEADER_SIZE};
    bool good = header.magic == HEADER_MAGIC && header.length == body.size && header.sender == peer->id &&
                header.version >= HEADER_VERSION_OLDEST && header.version <= HEADER_VERSION &&
                (header.kind == HEADER_MESSAGE || header.kind == HEADER_CLIENT) &&
                header_crc(0, bytes, body, (struct span){0}) == header.crc;
    if (good) {
        queue_input(node, peer, bytes, true);
    } else {
        node_reject(node, REJECT_FRAGMENT);
        heap_free(node->heap, bytes);
    }
}

static void fragment(struct node *node, struct peer *peer, const struct header *header, const uint8_t *body)
{
    if (header->position == 0) {
        heap_free(node->heap, peer->assembling);
        peer->assembling = NULL;
        if (header->synced <= HEADER_SIZE || header->synced > message_bytes_max(node)) {
            node_reject(node, REJECT_LENGTH);
            return;
        }
        peer->assembling = heap_alloc(node->heap, header->synced);
        peer->assembling_stream = header->sequence;
        peer->assembling_size = header->synced;
        peer->assembling_have = 0;
    }
    bool fits = peer->assembling != NULL && header->sequence == peer->assembling_stream &&
                header->position == peer->assembling_have &&
                header->length <= peer->assembling_size - peer->assembling_have;
    if (!fits) {
        node_reject(node, REJECT_FRAGMENT);
        return;
    }
    memcpy(peer->assembling + header->position, body, header->length);
    peer->assembling_have += header->length;
    if (peer->assembling_have == peer->assembling_size) assembled(node, peer);
}

int64_t node_receive(struct node *node, uint32_t id, const uint8_t *bytes, size_t size)
{
    struct peer *peer = node_peer_of(node, id);
    if (peer == NULL || !peer->connected) return ERROR_INVALID;
    size_t at = 0;
    while (size - at >= HEADER_SIZE) {
        const uint8_t *message = bytes + at;
        struct header header;
        header_decode(message, &header);
        if (header.magic != HEADER_MAGIC || header.length > NODE_FRAME_SIZE_MAX) {
            node_reject(node, header.magic != HEADER_MAGIC ? REJECT_MAGIC : REJECT_LENGTH);
            return ERROR_INVALID;
        }
        size_t whole = HEADER_SIZE + (size_t)header.length;
        if (size - at < whole) break;
        at += whole;
        node->counters.messages_in++;
        struct span body = {message + HEADER_SIZE, header.length};
        if (header_crc(0, message, body, (struct span){0}) != header.crc) node_reject(node, REJECT_CRC);
        else if (header.version < HEADER_VERSION_OLDEST || header.version > HEADER_VERSION) node_reject(node, REJECT_VERSION);
        else if (header.sender != id) node_reject(node, REJECT_SENDER);
        else if (header.kind == HEADER_FRAGMENT) fragment(node, peer, &header, message + HEADER_SIZE);
        else if (header.kind == HEADER_MESSAGE || header.kind == HEADER_NODE || header.kind == HEADER_CLIENT)
            queue_input(node, peer, message, false);
        else node_reject(node, REJECT_TYPE);
    }
    node->counters.bytes_in += at;
    return (int64_t)at;
}

void node_inputs_drop(struct node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i].owned) heap_free(node->heap, (void *)(uintptr_t)node->inputs[i].bytes);
    node->input_count = 0;
}

bool node_peer_status(const struct node *node, uint32_t place, struct node_peer_status *out)
{
    uint32_t at = 0;
    for (uint32_t used = 0; at < node->peer_count; at++)
        if (node->peers[at].id != 0 && used++ == place) break;
    if (at == node->peer_count) return false;
    const struct peer *peer = &node->peers[at];
    *out = (struct node_peer_status){.node = peer->id,
                                     .client = peer->client,
                                     .connected = peer->connected,
                                     .heard = peer->heard,
                                     .incarnation = peer->incarnation,
                                     .client_address = span_string(peer->client_address),
                                     .last_heard_ns = peer->last_heard_ns,
                                     .output_bytes = peer->out.size - peer->out_sent + peer->large_bytes,
                                     .dropped = peer->dropped,
                                     .unproven = peer->unproven,
                                     .suspicion = peer->suspicion};
    return true;
}
