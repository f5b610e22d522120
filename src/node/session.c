/* The session table. See session.h for what it promises.
 *
 * Encoding in a checkpoint: u32 count, then per session u32 node, u64 incarnation, u64 last executed, u64 first
 * incomplete, u64 kept from, and for each number kept u32 size and the bytes (size SESSION_REPLY_LOST: none). */
#include "node/session.h"

#include <string.h>

#include "base/hash.h"
#include "base/panic.h"

enum { RING_FIRST = 64, SESSION_ENCODED_SIZE = 4 + 8 * 4 };

void session_table_init(struct session_table *table, struct heap *heap)
{
    *table = (struct session_table){.heap = heap};
}

static struct session_reply *slot_of(const struct session *session, uint64_t number)
{
    return &session->ring[number & session->mask];
}

static void drop_reply(struct session_table *table, struct session *session, struct session_reply *reply)
{
    if (reply->size != SESSION_REPLY_LOST && reply->size > SESSION_REPLY_INLINE) {
        heap_free(table->heap, reply->bytes);
        session->kept_bytes -= reply->size;
    }
    reply->size = 0;
}

/* Forgets the replies below a number. */
static void forget_below(struct session_table *table, struct session *session, uint64_t number)
{
    uint64_t end = number <= session->last_executed ? number : session->last_executed + 1;
    for (; session->kept_from < end; session->kept_from++) drop_reply(table, session, slot_of(session, session->kept_from));
    if (session->kept_from < number) session->kept_from = number;
}

static void end_session(struct session_table *table, struct session *session)
{
    forget_below(table, session, session->last_executed + 1);
    session->last_executed = 0;
    session->first_incomplete = 1;
    session->kept_from = 1;
}

void session_table_clear(struct session_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        end_session(table, &table->sessions[i]);
        heap_free(table->heap, table->sessions[i].ring);
    }
    heap_free(table->heap, table->sessions);
    session_table_init(table, table->heap);
}

static uint32_t place_of(const struct session_table *table, uint32_t node)
{
    uint32_t place = 0;
    while (place < table->count && table->sessions[place].node < node) place++;
    return place;
}

static struct session *insert(struct session_table *table, uint32_t place, uint32_t node)
{
    if (table->count == table->capacity) {
        uint32_t capacity = table->capacity == 0 ? 8 : table->capacity * 2;
        struct session *grown = heap_resize(table->heap, table->sessions, capacity * sizeof(struct session));
        invariant(grown != NULL, "the session table has room in the node's heap");
        table->sessions = grown;
        table->capacity = capacity;
    }
    memmove(&table->sessions[place + 1], &table->sessions[place], (table->count - place) * sizeof(struct session));
    table->count++;
    struct session *session = &table->sessions[place];
    *session = (struct session){.node = node, .first_incomplete = 1, .kept_from = 1, .mask = RING_FIRST - 1};
    session->ring = heap_alloc_zero(table->heap, RING_FIRST * sizeof(struct session_reply));
    invariant(session->ring != NULL, "a new session has room in the node's heap");
    return session;
}

struct session *session_open(struct session_table *table, const struct bundle *bundle, bool of_member)
{
    uint32_t place = place_of(table, bundle->node);
    struct session *session = NULL;
    if (place < table->count && table->sessions[place].node == bundle->node) {
        session = &table->sessions[place];
        if (bundle->incarnation < session->incarnation) return NULL;
        if (bundle->incarnation > session->incarnation) end_session(table, session);
    } else if (!of_member && table->count >= SESSION_CLIENTS_MAX) {
        return NULL;
    } else {
        session = insert(table, place, bundle->node);
    }
    session->incarnation = bundle->incarnation;
    if (bundle->first_incomplete > session->first_incomplete) {
        session->first_incomplete = bundle->first_incomplete;
        forget_below(table, session, bundle->first_incomplete);
    }
    return session;
}

enum session_verdict session_judge(const struct session *session, uint64_t number)
{
    if (number < session->first_incomplete) return SESSION_STALE;
    if (number <= session->last_executed) return SESSION_DUPLICATE;
    if (number - session->first_incomplete >= SESSION_WINDOW_MAX) return SESSION_GAP;
    if (number > session->last_executed + 1 && number > session->first_incomplete) return SESSION_GAP;
    return SESSION_EXECUTE;
}

/* Twice the ring, each kept reply at its new place. */
static void grow_ring(struct session_table *table, struct session *session)
{
    uint32_t mask = session->mask * 2 + 1;
    struct session_reply *ring = heap_alloc_zero(table->heap, ((size_t)mask + 1) * sizeof(struct session_reply));
    invariant(ring != NULL, "the replies of a session have room in the node's heap");
    for (uint64_t number = session->kept_from; number <= session->last_executed; number++)
        ring[number & mask] = *slot_of(session, number);
    heap_free(table->heap, session->ring);
    session->ring = ring;
    session->mask = mask;
}

void session_record(struct session_table *table, struct session *session, uint64_t number, struct span reply)
{
    /* Numbers that were skipped because they are complete have no reply; kept_from is past them already. */
    if (session->kept_from > number) session->kept_from = number;
    while (number - session->kept_from > session->mask) grow_ring(table, session);
    session->last_executed = number;
    struct session_reply *slot = slot_of(session, number);
    slot->size = SESSION_REPLY_LOST;
    if (reply.size <= SESSION_REPLY_INLINE) {
        slot->size = (uint32_t)reply.size;
        memcpy(slot->inline_bytes, reply.data, reply.size);
    } else if (reply.size <= SESSION_REPLY_BYTES_MAX && session->kept_bytes + reply.size <= SESSION_KEPT_BYTES_MAX) {
        session->kept_bytes += reply.size;
        uint8_t *bytes = heap_alloc(table->heap, reply.size);
        invariant(bytes != NULL, "a kept reply has room in the node's heap");
        slot->size = (uint32_t)reply.size;
        slot->bytes = bytes;
        memcpy(slot->bytes, reply.data, reply.size);
    }
}

bool session_reply(const struct session *session, uint64_t number, struct span *reply)
{
    if (number < session->kept_from || number > session->last_executed) return false;
    const struct session_reply *slot = slot_of(session, number);
    if (slot->size == SESSION_REPLY_LOST) return false;
    reply->data = slot->size <= SESSION_REPLY_INLINE ? slot->inline_bytes : slot->bytes;
    reply->size = slot->size;
    return true;
}

const struct session *session_find(const struct session_table *table, uint32_t node, uint64_t incarnation)
{
    uint32_t place = place_of(table, node);
    if (place == table->count || table->sessions[place].node != node) return NULL;
    return table->sessions[place].incarnation == incarnation ? &table->sessions[place] : NULL;
}

bool session_table_write(const struct session_table *table, struct buffer *out)
{
    uint8_t *count = buffer_grow(out, 4);
    if (count == NULL) return false;
    store_u32(count, table->count);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct session *session = &table->sessions[i];
        uint8_t *fixed = buffer_grow(out, SESSION_ENCODED_SIZE);
        if (fixed == NULL) return false;
        store_u32(fixed, session->node);
        store_u64(fixed + 4, session->incarnation);
        store_u64(fixed + 12, session->last_executed);
        store_u64(fixed + 20, session->first_incomplete);
        store_u64(fixed + 28, session->kept_from);
        for (uint64_t number = session->kept_from; number <= session->last_executed; number++) {
            struct span reply = {0};
            bool kept = session_reply(session, number, &reply);
            uint8_t *size = buffer_grow(out, 4);
            if (size == NULL) return false;
            store_u32(size, kept ? (uint32_t)reply.size : SESSION_REPLY_LOST);
            if (reply.size > 0 && !buffer_append(out, reply.data, reply.size)) return false;
        }
    }
    return true;
}

static bool take(struct span *rest, size_t size, const uint8_t **out)
{
    if (rest->size < size) return false;
    *out = rest->data;
    rest->data += size;
    rest->size -= size;
    return true;
}

static bool read_session(struct session_table *table, struct span *rest)
{
    const uint8_t *fixed;
    if (!take(rest, SESSION_ENCODED_SIZE, &fixed)) return false;
    uint32_t node = load_u32(fixed);
    if (table->count > 0 && table->sessions[table->count - 1].node >= node) return false;
    struct session *session = insert(table, table->count, node);
    session->incarnation = load_u64(fixed + 4);
    uint64_t last = load_u64(fixed + 12), kept = load_u64(fixed + 28);
    session->first_incomplete = load_u64(fixed + 20);
    session->kept_from = kept;
    session->last_executed = kept == 0 ? last : kept - 1;
    for (uint64_t number = kept; number <= last; number++) {
        const uint8_t *bytes;
        if (!take(rest, 4, &bytes)) return false;
        uint32_t size = load_u32(bytes);
        if (size == SESSION_REPLY_LOST) {
            uint8_t nothing = 0;
            session_record(table, session, number, (struct span){&nothing, 0});
            slot_of(session, number)->size = SESSION_REPLY_LOST;
            continue;
        }
        if (size > SESSION_REPLY_BYTES_MAX || !take(rest, size, &bytes)) return false;
        session_record(table, session, number, (struct span){bytes, size});
    }
    session->last_executed = last;
    return true;
}

bool session_table_read(struct session_table *table, struct span bytes)
{
    session_table_clear(table);
    const uint8_t *fixed;
    if (!take(&bytes, 4, &fixed)) return false;
    uint32_t count = load_u32(fixed);
    for (uint32_t i = 0; i < count; i++)
        if (!read_session(table, &bytes)) return false;
    return bytes.size == 0;
}

uint64_t session_table_digest(const struct session_table *table)
{
    static const uint64_t key[2] = {0x6c6f636b73746570, 0x73657373696f6e73};
    uint64_t digest = table->count;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct session *session = &table->sessions[i];
        digest = hash_mix(digest, session->node);
        digest = hash_mix(digest, session->incarnation);
        digest = hash_mix(digest, session->last_executed);
        digest = hash_mix(digest, session->first_incomplete);
        for (uint64_t number = session->kept_from; number <= session->last_executed; number++) {
            struct span reply = {0};
            if (session_reply(session, number, &reply))
                digest = hash_mix(digest, hash_keyed(key, reply.data, reply.size));
        }
    }
    return digest;
}
