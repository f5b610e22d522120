/* What every service of the registry has to keep: a whole table, and an empty state that survives a checkpoint. */
#include "service/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap_system.h"

static void names_are_found_and_differ(void **state)
{
    (void)state;
    const struct service *const *all = service_registry();
    assert_non_null(all[0]);
    for (uint32_t i = 0; all[i] != NULL; i++) {
        assert_ptr_equal(service_find(all[i]->name), all[i]);
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(all[i]->name, all[j]->name);
    }
    assert_null(service_find("no such service"));
}

static void an_empty_state_survives_a_checkpoint(void **state)
{
    (void)state;
    static const uint32_t nodes[] = {1, 2, 3};
    for (const struct service *const *at = service_registry(); *at != NULL; at++) {
        const struct service *service = *at;
        struct group_spec spec = {.group = 1, .self = 1, .members = nodes, .member_count = 3, .service = service};
        spec_defaults(&spec.tuning);
        struct heap *heap = heap_create_system((size_t)1 << 30);
        struct heap *other_heap = heap_create_system((size_t)1 << 30);
        assert_true(heap != NULL && other_heap != NULL);
        void *self = service->create(heap, &spec);
        void *other = service->create(other_heap, &spec);
        assert_true(self != NULL && other != NULL);
        struct buffer bytes;
        buffer_init(&bytes, heap);
        service->checkpoint_begin(self);
        while (service->checkpoint_next(self, &bytes, 4096)) {
        }
        service->checkpoint_end(self);
        service->restore_begin(other);
        assert_true(bytes.size == 0 || service->restore_next(other, buffer_span(&bytes)));
        assert_true(service->restore_end(other));
        assert_int_equal(service->digest(self), service->digest(other));
        assert_int_equal(service->item_count(other), 0);
        heap_destroy_system(heap);
        heap_destroy_system(other_heap);
    }
}

static void asking_a_tick_of_every_service_is_harmless(void **state)
{
    (void)state;
    static const uint32_t nodes[] = {1};
    uint8_t tick[COMMAND_HEADER_SIZE] = {0};
    store_u16(tick + 4, OP_TICK);
    for (const struct service *const *at = service_registry(); *at != NULL; at++) {
        struct group_spec spec = {.group = 1, .self = 1, .members = nodes, .member_count = 1, .service = *at};
        spec_defaults(&spec.tuning);
        struct heap *heap = heap_create_system((size_t)1 << 30);
        assert_non_null(heap);
        void *self = (*at)->create(heap, &spec);
        struct buffer reply;
        buffer_init(&reply, heap);
        struct service_out out = {.reply = &reply, .tick_at_ns = SERVICE_NO_TICK};
        struct delivery delivery = {.index = 1, .time_ns = 1};
        assert_true(command_open(span_of(tick, sizeof tick), &delivery.command));
        (*at)->deliver(self, &delivery, &out);
        assert_true(reply.size > 0); /* exactly one value, whatever it says */
        assert_int_equal(out.call_count, 0);
        heap_destroy_system(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_and_differ),
        cmocka_unit_test(an_empty_state_survives_a_checkpoint),
        cmocka_unit_test(asking_a_tick_of_every_service_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
