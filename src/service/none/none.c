/* No service (none.h). Its checkpoint is empty. */
#include "service/none/none.h"

#include "base/panic.h"
#include "contract/reply.h"

static void deliver(void *self, const struct delivery *delivery, struct service_out *out)
{
    (void)self;
    (void)delivery;
    bool written = reply_error(out->reply, "ERR this node holds no state: it asks the members of the group");
    invariant(written, "there is room for an answer");
}

static void *create(struct heap *heap, const struct group_spec *spec)
{
    (void)spec;
    return heap_alloc_zero(heap, 1); /* something that is not NULL */
}

static void do_nothing(void *self)
{
    (void)self;
}

static bool checkpoint_next(void *self, struct buffer *out, size_t bytes)
{
    (void)self;
    (void)out;
    (void)bytes;
    return false;
}

static bool restore_next(void *self, struct span bytes)
{
    (void)self;
    return bytes.size == 0;
}

static bool restore_end(void *self)
{
    (void)self;
    return true;
}

static uint64_t digest(void *self)
{
    (void)self;
    return 0;
}

static uint64_t nothing(const void *self)
{
    (void)self;
    return 0;
}

const struct service none_service = {
    .name = "none",
    .needs_order = ORDER_NONE,
    .needs_atomic = false,
    .needs_durable = false,
    .create = create,
    .deliver = deliver,
    .checkpoint_begin = do_nothing,
    .checkpoint_next = checkpoint_next,
    .checkpoint_end = do_nothing,
    .restore_begin = do_nothing,
    .restore_next = restore_next,
    .restore_end = restore_end,
    .digest = digest,
    .bytes_used = nothing,
    .item_count = nothing,
};
