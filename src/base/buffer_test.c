#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static _Alignas(16) uint8_t region[1 << 16];

static void bytes_come_back_in_order(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, heap_init(region, sizeof region));
    for (unsigned index = 0; index < 10000; index++) {
        uint8_t byte = (uint8_t)(index * 7);
        assert_true(buffer_append(&buffer, &byte, 1));
    }
    assert_int_equal(buffer.size, 10000);
    buffer_consume(&buffer, 1234);
    assert_int_equal(buffer.size, 10000 - 1234);
    for (unsigned index = 0; index < buffer.size; index++)
        assert_int_equal(buffer.data[index], (uint8_t)((index + 1234) * 7));
    buffer_consume(&buffer, buffer.size);
    assert_int_equal(buffer_span(&buffer).size, 0);
    buffer_free(&buffer);
    assert_int_equal(heap_used(buffer.heap), 0);
}

static void reserved_room_is_there(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, heap_init(region, sizeof region));
    assert_true(buffer_reserve(&buffer, 1000));
    const uint8_t *data = buffer.data;
    for (unsigned index = 0; index < 10; index++)
        memset(buffer_grow(&buffer, 100), 'x', 100);
    assert_ptr_equal(buffer.data, data);
    buffer_clear(&buffer);
    assert_int_equal(buffer.size, 0);
    assert_true(buffer.capacity >= 1000);
    buffer_free(&buffer);
    assert_null(buffer.data);
}

static void growing_by_nothing_is_no_failure(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, heap_init(region, sizeof region));
    assert_non_null(buffer_grow(&buffer, 0));
    assert_true(buffer_append(&buffer, NULL, 0));
    assert_int_equal(buffer.size, 0);
}

static void a_full_heap_changes_nothing(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, heap_init(region, sizeof region));
    assert_true(buffer_append(&buffer, "abc", 3));
    assert_null(buffer_grow(&buffer, sizeof region));
    assert_false(buffer_reserve(&buffer, SIZE_MAX));
    assert_false(buffer_append(&buffer, region, sizeof region));
    assert_true(span_equal(buffer_span(&buffer), span_string("abc")));
}

static void doubling_gives_way_to_what_is_needed(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, heap_init(region, sizeof region));
    /* Twice this does not fit into the region, but this and a little more does. */
    assert_non_null(buffer_grow(&buffer, 40000));
    assert_non_null(buffer_grow(&buffer, 10000));
    assert_int_equal(buffer.size, 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back_in_order),
        cmocka_unit_test(reserved_room_is_there),
        cmocka_unit_test(growing_by_nothing_is_no_failure),
        cmocka_unit_test(a_full_heap_changes_nothing),
        cmocka_unit_test(doubling_gives_way_to_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
