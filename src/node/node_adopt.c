/* Becoming a checkpoint that another member holds, and serving ours to others.
 *
 * The chunks are fetched in order, a few in flight, written to a file of our own, synced and verified; only then is
 * the service emptied and loaded from that file, a piece a turn. A crash on the way leaves either the old state or the
 * new one. The member stored what it must not forget (its term and vote) right before ADOPT, so the records that are
 * kept behind the adopted checkpoint begin there, and the file is sealed only when that is durable. */
#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "contract/message.h"
#include "node/node_internal.h"

enum { NODE_CHUNK_REQUEST = 2, NODE_CHUNK = 3, NODE_CHUNK_NONE = 4 };
enum { RETRY_MS = 100, RETRIES_MAX = 20, LOAD_BYTES = 512 * 1024 };

#define CHUNK_REQUEST_FIELDS(FIELD, S) FIELD(S, U64, index) FIELD(S, U64, offset)
#define CHUNK_FIELDS(FIELD, S)                                                                               \
    FIELD(S, U64, index) FIELD(S, U64, offset) FIELD(S, U64, size) FIELD(S, U64, digest) FIELD(S, U64, part_size) \
    FIELD(S, U64, table_size) FIELD(S, BYTES, bytes)
#define CHUNK_NONE_FIELDS(FIELD, S) FIELD(S, U64, index)

MESSAGE_STRUCT(chunk_request, CHUNK_REQUEST_FIELDS)
MESSAGE_STRUCT(chunk, CHUNK_FIELDS)
MESSAGE_STRUCT(chunk_none, CHUNK_NONE_FIELDS)

static const struct field chunk_request_fields[] = {MESSAGE_FIELDS(chunk_request, CHUNK_REQUEST_FIELDS)};
static const struct field chunk_fields[] = {MESSAGE_FIELDS(chunk, CHUNK_FIELDS)};
static const struct field chunk_none_fields[] = {MESSAGE_FIELDS(chunk_none, CHUNK_NONE_FIELDS)};
static const struct message_type node_messages[] = {
    [NODE_CHUNK_REQUEST] = MESSAGE_TYPE("CHUNK_REQUEST", chunk_request, chunk_request_fields),
    [NODE_CHUNK] = MESSAGE_TYPE("CHUNK", chunk, chunk_fields),
    [NODE_CHUNK_NONE] = MESSAGE_TYPE("CHUNK_NONE", chunk_none, chunk_none_fields),
};
enum { NODE_MESSAGES = sizeof(node_messages) / sizeof(node_messages[0]) };

static void send_node_message(struct member *member, uint32_t to, uint16_t type, const void *body)
{
    struct node *node = member->node;
    uint8_t head[MESSAGE_HEAD_SIZE_MAX];
    struct span tail = {0};
    size_t head_size = message_encode(&node_messages[type], body, head, &tail);
    struct header header = node_header(node, HEADER_NODE, member->spec->group, 0, type);
    header.length = (uint32_t)(head_size + tail.size);
    buffer_clear(&node->message);
    uint8_t *out = buffer_grow(&node->message, HEADER_SIZE + header.length);
    if (out == NULL) return;
    header_seal(0, &header, (struct span){head, head_size}, tail, out);
    memcpy(out + HEADER_SIZE, head, head_size);
    if (tail.size > 0) memcpy(out + HEADER_SIZE + head_size, tail.data, tail.size);
    node_send(node, member, to, (struct span){out, node->message.size}, NULL);
}

/* ---- serving ---- */

static void serve(struct member *member, struct peer *peer, const struct chunk_request *request)
{
    struct node *node = member->node;
    if (member->serving != NULL && member->serving_index != request->index) {
        checkpoint_reader_free(member->serving);
        member->serving = NULL;
    }
    if (member->serving == NULL) {
        int error = checkpoint_open(&member->serving, node->heap, node->disk, member->spec->group, request->index,
                                    &member->serving_head);
        if (error < 0) member->serving = NULL;
        member->serving_index = request->index;
    }
    struct span bytes = {0};
    bool good = member->serving != NULL && request->offset < member->serving_head.size &&
                checkpoint_read(member->serving, request->offset, CHUNK_BYTES, &bytes) == 0;
    if (!good) {
        struct chunk_none none = {.index = request->index};
        send_node_message(member, peer->id, NODE_CHUNK_NONE, &none);
        return;
    }
    struct chunk chunk = {.index = request->index,
                          .offset = request->offset,
                          .size = member->serving_head.size,
                          .digest = member->serving_head.digest,
                          .part_size = member->serving_head.part_size,
                          .table_size = member->serving_head.table_size,
                          .bytes = bytes};
    send_node_message(member, peer->id, NODE_CHUNK, &chunk);
}

/* ---- fetching ---- */

bool member_adopt_busy(const struct member *member)
{
    const struct adopting *state = &member->adopting;
    if (state->phase == ADOPT_LOAD) return true;
    if (state->phase == ADOPT_LEAVE) return !checkpoint_busy(state->writer);
    if (state->phase == ADOPT_FETCH) return state->staged.size > 0 && checkpoint_ready(state->writer);
    if (state->phase != ADOPT_SEAL) return false;
    if (state->sealed != 0) return true;
    if (state->finish_called) return checkpoint_wants_step(state->writer);
    return wal_stored_position(member->node->wal, member->spec->group) >= state->keep_from;
}

/* Rather than the disk, which may take its time. */
static bool awaits_chunk(const struct adopting *state)
{
    return state->phase == ADOPT_FETCH && state->staged.size == 0;
}

int64_t member_adopt_next_ns(const struct member *member)
{
    return awaits_chunk(&member->adopting) ? member->adopting.retry_at_ns : INT64_MAX;
}

static void drop_files(struct adopting *state)
{
    if (state->writer != NULL) checkpoint_writer_free(state->writer);
    if (state->reader != NULL) checkpoint_reader_free(state->reader);
    state->writer = NULL;
    state->reader = NULL;
    if (state->staged.heap != NULL) buffer_free(&state->staged);
}

/* The disk may still read the writer's memory. */
static bool leaves_later(struct member *member, bool fails)
{
    struct adopting *state = &member->adopting;
    if (state->writer == NULL || !checkpoint_busy(state->writer)) return false;
    state->phase = ADOPT_LEAVE;
    state->fails = fails;
    return true;
}

static void give_up(struct member *member)
{
    struct adopting *state = &member->adopting;
    struct event_state event = {.kind = STATE_FAILED, .index = state->index};
    if (leaves_later(member, true)) return;
    drop_files(state);
    state->phase = ADOPT_NONE;
    member_queue_state(member, &event, (struct span){0});
}

static void ask(struct member *member)
{
    struct adopting *state = &member->adopting;
    uint64_t end = state->have - state->staged.size + (uint64_t)CHUNKS_INFLIGHT * CHUNK_BYTES;
    uint64_t size = state->head.size == 0 ? 1 : state->head.size;
    for (; state->asked < size && state->asked < end; state->asked += CHUNK_BYTES) {
        struct chunk_request request = {.index = state->index, .offset = state->asked};
        send_node_message(member, state->holders[state->holder], NODE_CHUNK_REQUEST, &request);
    }
}

static void begin_fetch(struct member *member)
{
    struct adopting *state = &member->adopting;
    drop_files(state);
    buffer_init(&state->staged, member->node->heap);
    state->phase = ADOPT_FETCH;
    state->head = (struct checkpoint_head){0};
    state->have = state->asked = 0;
    state->sealed = 0;
    state->finish_called = false;
    state->retries = 0;
    state->retry_at_ns = member->node->now_ns + RETRY_MS * NS_PER_MS;
    ask(member);
}

void member_adopt_begin(struct member *member, const struct effect_adopt *effect)
{
    struct adopting *state = &member->adopting;
    invariant(state->phase == ADOPT_NONE && member->checkpointing.writer == NULL, "one CHECKPOINT or ADOPT at a time");
    invariant(effect->holder_count > 0, "ADOPT names who holds the checkpoint");
    *state = (struct adopting){.index = effect->index, .digest = effect->digest, .seal = effect->seal};
    uint32_t most = sizeof(state->holders) / sizeof(state->holders[0]);
    state->holder_count = effect->holder_count < most ? effect->holder_count : most;
    memcpy(state->holders, effect->holders, state->holder_count * sizeof(uint32_t));
    state->keep_from = wal_next_position(member->node->wal, member->spec->group) - 1;
    buffer_init(&state->front, member->node->heap);
    member->node->counters.adoptions++;
    begin_fetch(member);
}

static void next_holder(struct member *member)
{
    if (leaves_later(member, false)) return;
    if (++member->adopting.holder == member->adopting.holder_count) give_up(member);
    else begin_fetch(member);
}

/* What waits is bounded by what is asked for ahead of it. */
static void add_staged(struct member *member)
{
    struct adopting *state = &member->adopting;
    if (state->staged.size == 0 || !checkpoint_ready(state->writer)) return;
    int error = checkpoint_add(state->writer, buffer_span(&state->staged));
    buffer_clear(&state->staged);
    state->retry_at_ns = member->node->now_ns + RETRY_MS * NS_PER_MS;
    if (error < 0) give_up(member);
    else if (state->have == state->head.size) state->phase = ADOPT_SEAL;
    else ask(member);
}

static void take_chunk(struct member *member, const struct chunk *chunk)
{
    struct adopting *state = &member->adopting;
    if (chunk->index != state->index || chunk->offset != state->have) return;
    if ((state->digest != 0 && chunk->digest != state->digest) ||
        (state->seal.size != 0 && chunk->size != state->seal.size)) {
        next_holder(member);
        return;
    }
    if (state->head.size == 0) {
        bool sane = chunk->size > 0 && chunk->part_size <= chunk->size &&
                    chunk->table_size <= chunk->size - chunk->part_size;
        state->head = (struct checkpoint_head){.group = member->spec->group,
                                               .node = member->node->options->id,
                                               .cluster = member->node->options->cluster,
                                               .index = state->index,
                                               .keep_from = state->keep_from,
                                               .part_size = chunk->part_size,
                                               .table_size = chunk->table_size,
                                               .size = chunk->size,
                                               .digest = chunk->digest,
                                               .sealed = spec_proven(member->spec) || state->seal.size != 0,
                                               .seal = state->seal};
        if (!sane || checkpoint_begin(&state->writer, member->node->heap, member->node->disk, &state->head) < 0) {
            state->writer = NULL;
            give_up(member);
            return;
        }
    }
    if (chunk->bytes.size == 0 || chunk->bytes.size > state->head.size - state->have) return;
    if (!buffer_append(&state->staged, chunk->bytes.data, chunk->bytes.size)) return; /* asked for again */
    state->have += chunk->bytes.size;
    state->retries = 0;
    add_staged(member);
}

/* Others would spoil what the holder sends, and one that lies could keep a member from every state that there is. */
static bool is_asked(const struct member *member, uint32_t node)
{
    const struct adopting *state = &member->adopting;
    return state->phase == ADOPT_FETCH && state->holders[state->holder] == node;
}

void member_adopt_message(struct member *member, struct peer *peer, uint16_t type, struct span body)
{
    uint64_t decoded[MESSAGE_STRUCT_SIZE_MAX / sizeof(uint64_t)];
    if (type >= NODE_MESSAGES || node_messages[type].name == NULL) {
        node_reject(member->node, REJECT_TYPE);
        return;
    }
    if (!message_decode(&node_messages[type], body, decoded)) {
        node_reject(member->node, REJECT_BODY);
        return;
    }
    if (type == NODE_CHUNK_REQUEST) serve(member, peer, (const struct chunk_request *)decoded);
    if (!is_asked(member, peer->id)) return;
    if (type == NODE_CHUNK) take_chunk(member, (const struct chunk *)decoded);
    if (type == NODE_CHUNK_NONE && ((const struct chunk_none *)decoded)->index == member->adopting.index)
        next_holder(member);
}

/* ---- sealing and loading ---- */

static void seal_file(struct member *member)
{
    struct adopting *state = &member->adopting;
    bool stored = wal_stored_position(member->node->wal, member->spec->group) >= state->keep_from;
    if (state->sealed == 0 && !state->finish_called && stored) {
        state->finish_called = true;
        state->sealed = checkpoint_finish(state->writer, &state->head);
    } else if (state->sealed == 0 && state->finish_called) {
        state->sealed = checkpoint_step(state->writer);
    }
    if (state->sealed == 0) return;
    if (state->sealed == ERROR_CORRUPT) {
        next_holder(member); /* this one lied, or its messages were damaged */
        return;
    }
    if (state->sealed < 0) {
        give_up(member);
        return;
    }
    state->head = *checkpoint_written(state->writer);
    checkpoint_writer_free(state->writer);
    state->writer = NULL;
    int error = checkpoint_open(&state->reader, member->node->heap, member->node->disk, member->spec->group,
                                state->index, &state->head);
    if (error < 0) {
        state->reader = NULL;
        node_fail(member->node, "the adopted checkpoint cannot be opened: %s (%s)", "checkpoint", error);
        return;
    }
    state->phase = ADOPT_LOAD;
}

int member_load_piece(struct member *member, struct checkpoint_reader *reader, const struct checkpoint_head *head)
{
    struct adopting *state = &member->adopting;
    uint64_t front = head->part_size + head->table_size;
    if (state->loaded == 0) {
        buffer_init(&state->front, member->node->heap);
        member->service->restore_begin(member->service_self);
    }
    struct span bytes = {0};
    if (state->loaded < head->size) {
        int error = checkpoint_read(reader, state->loaded, LOAD_BYTES, &bytes);
        if (error < 0) return error;
        if (bytes.size == 0) return ERROR_CORRUPT;
        state->loaded += bytes.size;
        uint64_t missing = front - state->front.size;
        size_t mine = missing < bytes.size ? (size_t)missing : bytes.size;
        if (mine > 0 && !buffer_append(&state->front, bytes.data, mine)) return ERROR_NO_MEMORY;
        bytes.data += mine;
        bytes.size -= mine;
        if (bytes.size > 0 && !member->service->restore_next(member->service_self, bytes)) return ERROR_CORRUPT;
    }
    if (state->loaded < head->size) return 0;
    struct span table = {state->front.data + head->part_size, head->table_size};
    if (!session_table_read(&member->sessions, table)) return ERROR_CORRUPT;
    if (!member->service->restore_end(member->service_self)) return ERROR_CORRUPT;
    member->state_index = head->index;
    member->checkpoint_index = head->index;
    member->checkpoint_digest = head->digest;
    return 1;
}

static void load(struct member *member)
{
    struct adopting *state = &member->adopting;
    int result = member_load_piece(member, state->reader, &state->head);
    if (result == 0) return;
    if (result < 0) {
        node_fail(member->node, "the adopted checkpoint cannot be loaded: %s (%s)", "checkpoint", result);
        return;
    }
    drop_files(state);
    state->phase = ADOPT_NONE;
    state->loaded = 0;
    member->tick_at_ns = 0;
    wal_release(member->node->wal, member->spec->group, state->head.keep_from);
    struct event_state event = {.kind = STATE_ADOPTED,
                                .index = state->head.index,
                                .position = state->head.keep_from,
                                .digest = state->head.digest,
                                .seal = state->head.seal};
    member_queue_state(member, &event, (struct span){state->front.data, (size_t)state->head.part_size});
    buffer_free(&state->front);
    member_answers_from_sessions(member);
    member->lanes[0].hand_in = member->lanes[1].hand_in = true;
}

void member_adopt_drive(struct member *member)
{
    struct adopting *state = &member->adopting;
    switch (state->phase) {
    case ADOPT_NONE: return;
    case ADOPT_FETCH:
        add_staged(member);
        if (state->phase != ADOPT_FETCH || !awaits_chunk(state) || state->retry_at_ns > member->node->now_ns) return;
        if (++state->retries > RETRIES_MAX) {
            next_holder(member);
            return;
        }
        state->asked = state->have;
        state->retry_at_ns = member->node->now_ns + RETRY_MS * NS_PER_MS;
        ask(member);
        return;
    case ADOPT_LEAVE:
        if (checkpoint_busy(state->writer)) return;
        if (state->fails) give_up(member);
        else next_holder(member);
        return;
    case ADOPT_SEAL: seal_file(member); return;
    case ADOPT_LOAD: load(member); return;
    }
}
