#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void loads_and_stores_are_little_endian(void **state)
{
    (void)state;
    uint8_t bytes[9] = {0};
    store_u64(bytes + 1, UINT64_C(0x8877665544332211));
    for (uint8_t index = 0; index < 8; index++)
        assert_int_equal(bytes[index + 1], 0x11 * (index + 1));
    assert_int_equal(load_u16(bytes + 1), 0x2211);
    assert_int_equal(load_u32(bytes + 1), 0x44332211);
    assert_true(load_u64(bytes + 1) == UINT64_C(0x8877665544332211));
    store_u16(bytes, 0xfedc);
    store_u32(bytes + 3, 0xfffefdfc);
    assert_int_equal(load_u16(bytes), 0xfedc);
    assert_true(load_u32(bytes + 3) == UINT32_C(0xfffefdfc));
    assert_int_equal(bytes[2], 0x22);
}

static void spans_are_ordered_by_their_bytes(void **state)
{
    (void)state;
    assert_true(span_compare(span_string("ab"), span_string("b")) < 0);
    assert_true(span_compare(span_string("ab"), span_string("abc")) < 0);
    assert_true(span_compare(span_string("b"), span_string("abc")) > 0);
    assert_int_equal(span_compare(span_string("ab"), span_of("abc", 2)), 0);
    assert_true(span_compare(span_of("\x7f", 1), span_of("\x80", 1)) < 0);
}

static void empty_spans_are_equal_wherever_they_point(void **state)
{
    (void)state;
    assert_true(span_equal(span_of(NULL, 0), span_string("")));
    assert_int_equal(span_compare(span_of(NULL, 0), span_string("")), 0);
    assert_true(span_compare(span_of(NULL, 0), span_string("a")) < 0);
    assert_false(span_equal(span_string("a"), span_string("b")));
    assert_false(span_equal(span_string("a"), span_string("ab")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_and_stores_are_little_endian),
        cmocka_unit_test(spans_are_ordered_by_their_bytes),
        cmocka_unit_test(empty_spans_are_equal_wherever_they_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
