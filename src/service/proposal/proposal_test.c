/* The proposal service: it counts what is delivered, says no to what it does not know, and survives a checkpoint. */
#include "service/proposal/proposal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap_system.h"

static struct span deliver(void *self, struct buffer *reply, uint16_t op, bool read)
{
    struct service_out out = {.reply = reply, .tick_at_ns = SERVICE_NO_TICK};
    struct delivery delivery = {.read = read, .index = 1, .command = {.op = op}};
    buffer_clear(reply);
    proposal_service.deliver(self, &delivery, &out);
    return buffer_span(reply);
}

static void counts_survive_a_checkpoint(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)1 << 24);
    struct buffer reply, bytes;
    buffer_init(&reply, heap);
    buffer_init(&bytes, heap);
    void *self = proposal_service.create(heap, NULL), *other = proposal_service.create(heap, NULL);
    assert_true(span_equal(deliver(self, &reply, PROPOSAL_PROPOSE, false), span_string(":1\r\n")));
    assert_true(span_equal(deliver(self, &reply, PROPOSAL_PROPOSE, true), span_string(":1\r\n")));
    assert_true(span_equal(deliver(self, &reply, PROPOSAL_DELIVERED, true), span_string(":1\r\n")));
    assert_int_equal(deliver(self, &reply, 9999, false).data[0], '-');
    assert_int_not_equal(proposal_service.digest(self), proposal_service.digest(other));
    proposal_service.checkpoint_begin(self);
    (void)deliver(self, &reply, PROPOSAL_PROPOSE, false); /* is not part of it any more */
    assert_false(proposal_service.checkpoint_next(self, &bytes, 4096));
    proposal_service.checkpoint_end(self);
    proposal_service.restore_begin(other);
    assert_true(proposal_service.restore_next(other, span_of(bytes.data, 3)));
    assert_false(proposal_service.restore_end(other));
    assert_true(proposal_service.restore_next(other, span_of(bytes.data + 3, bytes.size - 3)));
    assert_true(proposal_service.restore_end(other));
    assert_false(proposal_service.restore_next(other, span_of(bytes.data, 1)));
    assert_int_equal(proposal_service.item_count(other), 1);
    heap_destroy_system(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_survive_a_checkpoint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
