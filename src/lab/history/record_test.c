#include "lab/history/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/heap_system.h"

static struct heap *heap;
static struct record *record;

static int set_up(void **state)
{
    (void)state;
    heap = heap_create_system((size_t)1 << 30);
    record = record_create(heap);
    return record == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    record_free(record);
    int leaked = heap_used(heap) != 0;
    heap_destroy_system(heap);
    return leaked;
}

static uint32_t text(const char *value)
{
    return record_text(record, span_string(value));
}

static void equal_values_have_equal_ids(void **state)
{
    (void)state;
    assert_int_equal(record_integer(record, 5), record_real(record, 5.0));
    assert_int_equal(record_real(record, 0.5), record_real(record, 0.5));
    assert_int_not_equal(record_integer(record, 5), text("5"));
    assert_int_not_equal(record_boolean(record, false), record_null(record));
    assert_int_not_equal(record_integer(record, 0), record_boolean(record, false));
    assert_int_equal(text(""), text(""));
    assert_int_not_equal(text(""), record_list(record, VALUE_LIST, NULL, 0));
    assert_int_not_equal(record_list(record, VALUE_MAP, NULL, 0), record_list(record, VALUE_LIST, NULL, 0));
    uint32_t one[2] = {text("a"), text("b")}, other[2] = {text("b"), text("a")};
    assert_int_equal(record_list(record, VALUE_LIST, one, 2), record_list(record, VALUE_LIST, one, 2));
    assert_int_not_equal(record_list(record, VALUE_LIST, one, 2), record_list(record, VALUE_LIST, other, 2));
}

static void maps_are_equal_in_any_order(void **state)
{
    (void)state;
    uint32_t a = text("a"), b = text("b"), one = record_integer(record, 1), two = record_integer(record, 2);
    uint32_t first[4] = {a, one, b, two}, second[4] = {b, two, a, one}, twice[6] = {a, two, b, two, a, one};
    uint32_t id = record_list(record, VALUE_MAP, first, 4);
    assert_int_equal(record_list(record, VALUE_MAP, second, 4), id);
    assert_int_equal(record_list(record, VALUE_MAP, twice, 6), id); /* the last of equal keys counts */
    assert_int_equal(record_size_of(record, id), 4);
}

/* Many values, so that the tables grow, against a naive list. */
static void ids_are_stable(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static uint32_t ids[COUNT];
    char name[32];
    for (uint32_t at = 0; at < COUNT; at++) {
        snprintf(name, sizeof name, "v%u", (unsigned)at / 2);
        ids[at] = at % 2 == 0 ? text(name) : record_integer(record, (int64_t)at * -7);
    }
    assert_int_equal(record_value_count(record), COUNT);
    for (uint32_t at = 0; at < COUNT; at++) {
        snprintf(name, sizeof name, "v%u", (unsigned)at / 2);
        assert_int_equal(at % 2 == 0 ? text(name) : record_integer(record, (int64_t)at * -7), ids[at]);
        if (at % 2 == 0)
            assert_true(span_equal(record_text_of(record, ids[at]), span_string(name)));
        else
            assert_int_equal(record_integer_of(record, ids[at]), (int64_t)at * -7);
    }
    record_clear(record);
    assert_int_equal(record_value_count(record), 0);
    assert_int_equal(text("again"), 0);
}

static void values_are_printed_and_cut(void **state)
{
    (void)state;
    char shown[64], few[6];
    uint32_t list[3] = {text("a\n\""), record_real(record, 1.5), record_null(record)};
    uint32_t id = record_list(record, VALUE_LIST, list, 3);
    size_t length = record_print(record, id, shown, sizeof shown);
    assert_int_equal(length, strlen(shown));
    assert_string_equal(shown, "[\"a\\u000a\\\"\", 1.5, null]");
    assert_int_equal(record_print(record, id, few, sizeof few), 5);
    assert_string_equal(few, "[\"a\\u");
    record_print(record, VALUE_NONE, shown, sizeof shown);
    assert_string_equal(shown, "nothing");
}

static void processes_are_numbered(void **state)
{
    (void)state;
    for (int64_t name = 0; name < 1000; name++)
        assert_int_equal(record_process(record, name * -1000003), name);
    for (int64_t name = 0; name < 1000; name++)
        assert_int_equal(record_process(record, name * -1000003), name);
    assert_int_equal(record->process_count, 1000);
    assert_int_equal(record->process_names[7], -7000021);
}

static void operations_are_joined(void **state)
{
    (void)state;
    uint32_t one = record_integer(record, 1), two = record_integer(record, 2), write = text("write");
    uint32_t first = record_invoke(record, 3, write, VALUE_NONE, one, 10);
    uint32_t second = record_invoke(record, 0, write, VALUE_NONE, two, 20);
    record_end(record, second, RECORD_OK, VALUE_NONE, 30);
    record_end(record, first, RECORD_INFO, VALUE_NONE, 40);
    assert_int_equal(record->process_count, 4);
    assert_int_equal(record->event_count, 4);
    assert_int_equal(record->operations[second].completed, 2);
    assert_int_equal(record->operations[second].answered, two);
    assert_int_equal(record->operations[second].completed_ns, 30);
    assert_int_equal(record->operations[first].completed, RECORD_NEVER);
    assert_int_equal(record->operations[first].outcome, RECORD_INFO);
}

static void a_full_heap_marks_the_record(void **state)
{
    (void)state;
    _Alignas(16) static uint8_t region[16 << 10];
    struct record *small = record_create(heap_init(region, sizeof region));
    assert_non_null(small);
    uint32_t last = 0;
    for (int64_t value = 0; value < 10000 && last != VALUE_NONE; value++)
        last = record_integer(small, value);
    assert_int_equal(last, VALUE_NONE);
    assert_true(small->incomplete);
    while (record_invoke(small, 0, 0, VALUE_NONE, VALUE_NONE, 0) != RECORD_NEVER)
        continue;
    record_end(small, RECORD_NEVER, RECORD_OK, VALUE_NONE, 0); /* ignored */
    record_clear(small);
    assert_false(small->incomplete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_values_have_equal_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(maps_are_equal_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ids_are_stable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_are_printed_and_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(processes_are_numbered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(operations_are_joined, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_heap_marks_the_record, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
