/* Proposals (proposal.h). A checkpoint is one piece of 8 bytes: u64 updates delivered. */
#include "service/proposal/proposal.h"

#include "base/hash.h"
#include "base/panic.h"
#include "contract/reply.h"

enum { PIECE_SIZE = 8 };

struct proposals {
    uint64_t delivered, copy;
    bool copy_left;
    uint8_t piece[PIECE_SIZE]; /* restoring: what has come so far */
    size_t piece_size;
};

static void deliver(void *self, const struct delivery *delivery, struct service_out *out)
{
    struct proposals *proposals = self;
    uint16_t op = delivery->command.op;
    bool written;
    if (op != OP_TICK && op != PROPOSAL_PROPOSE && op != PROPOSAL_DELIVERED) { /* an op is remote input */
        written = reply_error(out->reply, "ERR unknown operation of the proposal service");
    } else {
        proposals->delivered += !delivery->read && op == PROPOSAL_PROPOSE;
        written = reply_integer(out->reply, (int64_t)proposals->delivered);
    }
    invariant(written, "there is room for an answer");
}

static void *create(struct heap *heap, const struct group_spec *spec)
{
    struct proposals *proposals = heap_alloc_zero(heap, sizeof *proposals);
    (void)spec;
    invariant(proposals != NULL, "a new service fits its heap");
    return proposals;
}

static void checkpoint_begin(void *self)
{
    struct proposals *proposals = self;
    proposals->copy = proposals->delivered;
    proposals->copy_left = true;
}

static bool checkpoint_next(void *self, struct buffer *out, size_t bytes)
{
    struct proposals *proposals = self;
    (void)bytes; /* there is one piece */
    if (proposals->copy_left) {
        uint8_t *piece = buffer_grow(out, PIECE_SIZE);
        invariant(piece != NULL, "there is room for a piece of a checkpoint");
        store_u64(piece, proposals->copy);
        proposals->copy_left = false;
    }
    return false;
}

static void checkpoint_end(void *self)
{
    ((struct proposals *)self)->copy_left = false;
}

static void restore_begin(void *self)
{
    struct proposals *proposals = self;
    proposals->delivered = 0;
    proposals->piece_size = 0;
}

static bool restore_next(void *self, struct span bytes)
{
    struct proposals *proposals = self;
    if (bytes.size > PIECE_SIZE - proposals->piece_size)
        return false;
    if (bytes.size > 0)
        memcpy(proposals->piece + proposals->piece_size, bytes.data, bytes.size);
    proposals->piece_size += bytes.size;
    return true;
}

static bool restore_end(void *self)
{
    struct proposals *proposals = self;
    if (proposals->piece_size != PIECE_SIZE)
        return false;
    proposals->delivered = load_u64(proposals->piece);
    return true;
}

static uint64_t digest(void *self)
{
    return hash_mix(0, ((const struct proposals *)self)->delivered);
}

static uint64_t bytes_used(const void *self)
{
    (void)self;
    return sizeof(uint64_t);
}

static uint64_t item_count(const void *self)
{
    return ((const struct proposals *)self)->delivered;
}

const struct service proposal_service = {
    .name = "proposal",
    .needs_order = ORDER_NONE,
    .needs_atomic = false,
    .needs_durable = false,
    .create = create,
    .deliver = deliver,
    .checkpoint_begin = checkpoint_begin,
    .checkpoint_next = checkpoint_next,
    .checkpoint_end = checkpoint_end,
    .restore_begin = restore_begin,
    .restore_next = restore_next,
    .restore_end = restore_end,
    .digest = digest,
    .bytes_used = bytes_used,
    .item_count = item_count,
};
