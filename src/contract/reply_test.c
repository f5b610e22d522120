/* RESP3 values, byte for byte. */
#include "contract/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

static _Alignas(HEAP_ALIGNMENT) uint8_t region[HEAP_REGION_SIZE_MIN];
static struct buffer out;

static int begin(void **state)
{
    (void)state;
    buffer_init(&out, heap_init(region, sizeof region));
    return 0;
}

/* What was written since the last look. */
static void assert_written(const char *wanted)
{
    assert_int_equal(out.size, strlen(wanted));
    assert_memory_equal(out.data, wanted, out.size);
    buffer_clear(&out);
}

static void scalars(void **state)
{
    (void)state;
    assert_true(reply_simple(&out, "OK"));
    assert_written("+OK\r\n");
    assert_true(reply_error(&out, "ERR no"));
    assert_written("-ERR no\r\n");
    assert_true(reply_integer(&out, INT64_MIN));
    assert_written(":-9223372036854775808\r\n");
    assert_true(reply_null(&out));
    assert_written("_\r\n");
    assert_true(reply_boolean(&out, true));
    assert_written("#t\r\n");
    assert_true(reply_boolean(&out, false));
    assert_written("#f\r\n");
}

static void doubles_are_the_shortest_that_read_back(void **state)
{
    (void)state;
    assert_true(reply_double(&out, 1.5));
    assert_written(",1.5\r\n");
    assert_true(reply_double(&out, 0.1));
    assert_written(",0.1\r\n");
    assert_true(reply_double(&out, (double)-INFINITY));
    assert_written(",-inf\r\n");
}

static void bulk_holds_any_bytes(void **state)
{
    (void)state;
    assert_true(reply_bulk(&out, span_string("a\r\nb")));
    assert_written("$4\r\na\r\nb\r\n");
    assert_true(reply_bulk(&out, (struct span){0}));
    assert_written("$0\r\n\r\n");
    assert_true(reply_verbatim(&out, span_string("hi")));
    assert_written("=6\r\ntxt:hi\r\n");
}

static void aggregates_count_their_elements(void **state)
{
    (void)state;
    assert_true(reply_array(&out, 2));
    assert_true(reply_integer(&out, 1));
    assert_true(reply_append(&out, span_string(":2\r\n")));
    assert_written("*2\r\n:1\r\n:2\r\n");
    assert_true(reply_map(&out, 0));
    assert_written("%0\r\n");
    assert_true(reply_set(&out, UINT64_MAX));
    assert_written("~18446744073709551615\r\n");
}

static void a_line_cannot_forge_a_second_reply(void **state)
{
    (void)state;
    assert_true(reply_error(&out, "ERR unknown 'x\r\n+OK'"));
    assert_written("-ERR unknown 'x  +OK'\r\n");
}

static void a_value_goes_in_whole_or_not_at_all(void **state)
{
    (void)state;
    static const uint8_t large[HEAP_REGION_SIZE_MIN];
    assert_true(reply_array(&out, 1));
    assert_false(reply_bulk(&out, span_of(large, sizeof large)));
    assert_written("*1\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(scalars, begin),
        cmocka_unit_test_setup(doubles_are_the_shortest_that_read_back, begin),
        cmocka_unit_test_setup(bulk_holds_any_bytes, begin),
        cmocka_unit_test_setup(aggregates_count_their_elements, begin),
        cmocka_unit_test_setup(a_line_cannot_forge_a_second_reply, begin),
        cmocka_unit_test_setup(a_value_goes_in_whole_or_not_at_all, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
