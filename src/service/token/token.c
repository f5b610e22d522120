/* Travelling tokens (token.h). A checkpoint is one piece of 24 bytes: u64 held, u64 deliveries, u64 passed. */
#include "service/token/token.h"

#include "base/hash.h"
#include "base/panic.h"
#include "contract/reply.h"

enum {
    PIECE_SIZE = 24,
    KEEP_EVERY = 5,     /* a member without a token keeps every fifth that it gets */
    PASS_TWO_EVERY = 3, /* a member with several passes two at every third */
};

struct counts {
    uint64_t held, deliveries, passed;
};

struct tokens {
    const struct group_spec *spec;
    struct counts now;
    struct counts copy; /* as of checkpoint_begin */
    bool copy_left;
    uint8_t message[COMMAND_HEADER_SIZE]; /* the command that carries a token */
    uint8_t piece[PIECE_SIZE];            /* restoring: what has come so far */
    size_t piece_size;
};

uint64_t token_total(uint32_t member_count)
{
    return 2 * (uint64_t)member_count;
}

/* The next receiver round robin, never the own member; 0 when it is alone. */
static uint32_t next_receiver(const struct tokens *tokens)
{
    uint32_t others = tokens->spec->member_count - 1;
    int self = spec_member_place(tokens->spec, tokens->spec->self);
    if (others == 0 || self < 0)
        return 0;
    uint64_t step = 1 + tokens->now.passed % others;
    return tokens->spec->members[((uint64_t)self + step) % tokens->spec->member_count];
}

/* Passes one token on. What cannot be sent stays here: a token is never dropped. */
static void pass(struct tokens *tokens, struct service_out *out)
{
    uint32_t to = next_receiver(tokens);
    if (tokens->now.held == 0 || to == 0 || out->call_count == out->call_capacity)
        return;
    out->calls[out->call_count++] =
        (struct service_call){.to = {.node = to, .group = tokens->spec->group},
                              .bytes = span_of(tokens->message, sizeof tokens->message)};
    tokens->now.held--;
    tokens->now.passed++;
}

static void take(struct tokens *tokens, struct service_out *out)
{
    struct counts *now = &tokens->now;
    now->deliveries++;
    now->held++;
    if (now->held == 1 && now->deliveries % KEEP_EVERY == 0)
        return;
    pass(tokens, out);
    if (now->held > 0 && now->deliveries % PASS_TWO_EVERY == 0)
        pass(tokens, out);
}

static void deliver(void *self, const struct delivery *delivery, struct service_out *out)
{
    struct tokens *tokens = self;
    bool written;
    switch (delivery->command.op) {
    case OP_TICK:
        written = reply_simple(out->reply, "OK");
        break;
    case TOKEN_PASS:
        if (!delivery->read)
            take(tokens, out);
        written = reply_integer(out->reply, (int64_t)tokens->now.held);
        break;
    case TOKEN_COUNT:
        written = reply_integer(out->reply, (int64_t)tokens->now.held);
        break;
    default: /* an op is remote input */
        written = reply_error(out->reply, "ERR unknown operation of the token service");
        break;
    }
    invariant(written, "there is room for an answer");
}

static void start(void *self, uint32_t self_node, struct service_out *out)
{
    struct tokens *tokens = self;
    if (self_node != tokens->spec->members[0])
        return; /* hosts that start every member leave it to the lowest one to begin */
    tokens->now.held = token_total(tokens->spec->member_count);
    for (uint32_t i = 0; i < tokens->spec->member_count; i++)
        pass(tokens, out);
}

static void *create(struct heap *heap, const struct group_spec *spec)
{
    struct tokens *tokens = heap_alloc_zero(heap, sizeof *tokens);
    invariant(tokens != NULL, "a new service fits its heap");
    tokens->spec = spec;
    store_u16(tokens->message + 4, TOKEN_PASS); /* size 0, flags 0, no arguments: command.h */
    return tokens;
}

static void checkpoint_begin(void *self)
{
    struct tokens *tokens = self;
    tokens->copy = tokens->now;
    tokens->copy_left = true;
}

static bool checkpoint_next(void *self, struct buffer *out, size_t bytes)
{
    struct tokens *tokens = self;
    (void)bytes; /* there is one piece */
    if (tokens->copy_left) {
        uint8_t *piece = buffer_grow(out, PIECE_SIZE);
        invariant(piece != NULL, "there is room for a piece of a checkpoint");
        store_u64(piece, tokens->copy.held);
        store_u64(piece + 8, tokens->copy.deliveries);
        store_u64(piece + 16, tokens->copy.passed);
        tokens->copy_left = false;
    }
    return false;
}

static void checkpoint_end(void *self)
{
    ((struct tokens *)self)->copy_left = false;
}

static void restore_begin(void *self)
{
    struct tokens *tokens = self;
    tokens->now = (struct counts){0};
    tokens->piece_size = 0;
}

static bool restore_next(void *self, struct span bytes)
{
    struct tokens *tokens = self;
    if (bytes.size > PIECE_SIZE - tokens->piece_size)
        return false;
    if (bytes.size > 0)
        memcpy(tokens->piece + tokens->piece_size, bytes.data, bytes.size);
    tokens->piece_size += bytes.size;
    return true;
}

static bool restore_end(void *self)
{
    struct tokens *tokens = self;
    if (tokens->piece_size != PIECE_SIZE)
        return false;
    tokens->now.held = load_u64(tokens->piece);
    tokens->now.deliveries = load_u64(tokens->piece + 8);
    tokens->now.passed = load_u64(tokens->piece + 16);
    return tokens->now.held <= token_total(tokens->spec->member_count);
}

static uint64_t digest(void *self)
{
    const struct counts *now = &((const struct tokens *)self)->now;
    return hash_mix(hash_mix(now->held, now->deliveries), now->passed);
}

static uint64_t bytes_used(const void *self)
{
    (void)self;
    return sizeof(struct counts);
}

static uint64_t item_count(const void *self)
{
    return ((const struct tokens *)self)->now.held;
}

const struct service token_service = {
    .name = "token",
    .needs_order = ORDER_NONE,
    .needs_atomic = false,
    .needs_durable = false,
    .create = create,
    .start = start,
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
