/* Writing a checkpoint while serving.
 *
 * Its content is the protocol's own part, the session table, and the service's pieces; the first two are taken at the
 * CHECKPOINT effect, the service's state is frozen then (checkpoint_begin) and written one piece a turn, at most one a
 * millisecond, so that no command waits for more than one piece. When the file is durable and verified the member
 * learns it as STATE, and the log before the position that it named may go. */
#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "node/node_internal.h"

enum { PIECE_BYTES = 64 * 1024, PIECE_INTERVAL_US = 1000 };

bool member_checkpoint_busy(const struct member *member)
{
    const struct checkpointing *state = &member->checkpointing;
    if (state->writer == NULL) return false;
    if (state->finishing) return checkpoint_wants_step(state->writer);
    return checkpoint_ready(state->writer) && state->next_piece_ns <= member->node->now_ns;
}

int64_t member_checkpoint_next_ns(const struct member *member)
{
    const struct checkpointing *state = &member->checkpointing;
    bool paced = state->writer != NULL && !state->finishing && checkpoint_ready(state->writer);
    return paced ? state->next_piece_ns : INT64_MAX;
}

static void close_service(struct member *member)
{
    if (member->checkpointing.service_open) member->service->checkpoint_end(member->service_self);
    member->checkpointing.service_open = false;
}

static void finished(struct member *member, int result)
{
    struct checkpointing *state = &member->checkpointing;
    struct event_state event = {.kind = STATE_FAILED, .index = state->head.index};
    close_service(member);
    if (result == 1) {
        const struct checkpoint_head *head = checkpoint_written(state->writer);
        event = (struct event_state){.kind = STATE_DURABLE,
                                     .index = head->index,
                                     .position = head->keep_from,
                                     .digest = head->digest,
                                     .seal = head->seal};
        member->checkpoint_index = head->index;
        member->checkpoint_digest = head->digest;
        wal_release(member->node->wal, member->spec->group, head->keep_from);
        member->node->counters.checkpoints++;
    } else {
        member->node->counters.checkpoints_failed++;
    }
    checkpoint_writer_free(state->writer);
    state->writer = NULL;
    buffer_free(&state->piece);
    member_queue_state(member, &event, (struct span){0});
}

void member_checkpoint_begin(struct member *member, const struct effect_checkpoint *effect)
{
    struct node *node = member->node;
    struct checkpointing *state = &member->checkpointing;
    invariant(state->writer == NULL && member->adopting.phase == ADOPT_NONE, "one CHECKPOINT or ADOPT at a time");
    *state = (struct checkpointing){.head = {.group = member->spec->group,
                                             .node = node->options->id,
                                             .cluster = node->options->cluster,
                                             .index = member->state_index,
                                             .keep_from = effect->keep_from,
                                             .sealed = spec_proven(member->spec),
                                             .part_size = effect->part.size}};
    buffer_init(&state->piece, node->heap);
    bool good = effect->part.size == 0 || buffer_append(&state->piece, effect->part.data, effect->part.size);
    if (member->spec->ablations & ABLATION_SESSIONS_NOT_KEPT) {
        uint8_t *none = buffer_grow(&state->piece, 4);
        if (none != NULL) store_u32(none, 0);
    } else {
        good = good && session_table_write(&member->sessions, &state->piece);
    }
    state->head.table_size = state->piece.size - state->head.part_size;
    int error = good ? checkpoint_begin(&state->writer, node->heap, node->disk, &state->head) : ERROR_NO_MEMORY;
    if (error < 0) {
        struct event_state event = {.kind = STATE_FAILED, .index = state->head.index};
        state->writer = NULL;
        buffer_free(&state->piece);
        node->counters.checkpoints_failed++;
        member_queue_state(member, &event, (struct span){0});
        return;
    }
    member->service->checkpoint_begin(member->service_self);
    state->service_open = true;
}

/* Hands the writer what is laid out, in bounded pieces; true when nothing is left. */
static bool add_piece(struct member *member, int *error)
{
    struct checkpointing *state = &member->checkpointing;
    if (state->piece_sent == state->piece.size) return true;
    size_t left = state->piece.size - state->piece_sent;
    size_t size = left < PIECE_BYTES ? left : PIECE_BYTES;
    *error = checkpoint_add(state->writer, (struct span){state->piece.data + state->piece_sent, size});
    state->piece_sent += size;
    if (state->piece_sent < state->piece.size) return false;
    buffer_clear(&state->piece);
    state->piece_sent = 0;
    return true;
}

void member_checkpoint_drive(struct member *member)
{
    struct checkpointing *state = &member->checkpointing;
    if (state->writer == NULL) return;
    int result = 0;
    if (state->finishing) {
        result = checkpoint_step(state->writer);
    } else if (checkpoint_ready(state->writer) && state->next_piece_ns <= member->node->now_ns) {
        state->next_piece_ns = member->node->now_ns + PIECE_INTERVAL_US * NS_PER_US;
        if (state->piece.size == 0 && !state->service_done)
            state->service_done = !member->service->checkpoint_next(member->service_self, &state->piece, PIECE_BYTES);
        bool empty = add_piece(member, &result);
        if (result == 0 && empty && state->service_done) {
            close_service(member);
            state->finishing = true;
            result = checkpoint_finish(state->writer, &state->head);
        }
    }
    if (result != 0) finished(member, result);
}

void member_checkpoint_complete(struct member *member, uint64_t token, int status)
{
    struct checkpointing *state = &member->checkpointing;
    if (state->writer != NULL) {
        int result = checkpoint_complete(state->writer, token, status);
        if (result != 0) finished(member, result);
    } else if (member->adopting.writer != NULL) {
        int result = checkpoint_complete(member->adopting.writer, token, status);
        if (result != 0) member->adopting.sealed = result;
    }
}
