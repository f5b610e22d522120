#include "lab/history/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/heap_system.h"

static struct heap *heap;

static int set_up(void **state)
{
    heap = heap_create_system((size_t)64 << 20);
    *state = history_create(heap);
    return *state == NULL;
}

static int tear_down(void **state)
{
    history_free(*state);
    int leaked = heap_used(heap) != 0;
    heap_destroy_system(heap);
    return leaked;
}

static void strings_are_interned_once(void **state)
{
    (void)state;
    struct intern intern;
    intern_init(&intern, heap);
    for (int round = 0; round < 3; round++) {
        for (uint32_t number = 0; number < 5000; number++) {
            assert_int_equal(intern_integer(&intern, number), number);
            assert_int_equal(intern_integer(&intern, number / 2), number / 2);
        }
        assert_int_equal(intern.count, 5000);
        assert_true(span_equal(intern_span(&intern, 4321), span_string("4321")));
        assert_true(intern.entries[4321].integer);
        assert_int_equal(intern.entries[4321].number, 4321);
        uint32_t joined = intern_joined(&intern, 12, 345);
        assert_int_equal(joined, intern_id(&intern, span_string("12345")));
        assert_int_equal(intern_joined(&intern, 1, 2), 12);
        assert_false(intern.entries[intern_id(&intern, span_string("x"))].integer);
        assert_int_equal(intern_id(&intern, span_string("")), intern_id(&intern, span_of(NULL, 0)));
        intern_clear(&intern);
        /* Few strings in the large table: cleared one by one. */
        assert_int_equal(intern_id(&intern, span_string("a")), 0);
        assert_int_equal(intern_id(&intern, span_string("b")), 1);
        intern_clear(&intern);
        assert_int_equal(intern_id(&intern, span_string("b")), 0);
        intern_clear(&intern);
    }
    intern_free(&intern);
}

static void a_warm_history_allocates_nothing(void **state)
{
    struct history *history = *state;
    size_t used = 0;
    for (int round = 0; round < 4; round++) {
        history_clear(history);
        for (int number = 0; number < 1000; number++) {
            char text[16];
            snprintf(text, sizeof text, "%d", number);
            struct history_call call = {
                .function = HISTORY_SET, .key = span_string(text), .argument = span_string(text)};
            struct history_answer done = {.kind = HISTORY_DONE};
            uint32_t id = history_invoke(history, &call, number);
            assert_int_equal(id, number);
            history_ok(history, id, &done, number);
        }
        assert_int_equal(history->event_count, 2000);
        if (round > 0)
            assert_int_equal(heap_used(heap), used);
        used = heap_used(heap);
    }
}

static void times_give_an_order(void **state)
{
    struct history *history = *state;
    struct history_call call = {.function = HISTORY_GET, .key = span_string("x")};
    struct history_answer nothing = {.kind = HISTORY_NIL};
    uint32_t late = history_add(history, &call, HISTORY_OK, &nothing, 50, 60);
    uint32_t first = history_add(history, &call, HISTORY_OK, &nothing, 10, 30);
    uint32_t touching = history_add(history, &call, HISTORY_OK, &nothing, 30, 40);
    uint32_t open = history_add(history, &call, HISTORY_INFO, NULL, 35, 36);
    uint32_t failed = history_add(history, &call, HISTORY_FAIL, NULL, 20, 45);
    history_order(history);
    const struct history_operation *operations = history->operations;
    assert_int_equal(history->event_count, 9);
    assert_int_equal(operations[first].invoked, 0);
    assert_int_equal(operations[failed].invoked, 1);
    /* They touch at 30, so they count as concurrent. */
    assert_int_equal(operations[touching].invoked, 2);
    assert_int_equal(operations[first].completed, 3);
    assert_int_equal(operations[open].invoked, 4);
    assert_int_equal(operations[open].completed, HISTORY_NEVER);
    assert_int_equal(operations[touching].completed, 5);
    assert_int_equal(operations[failed].completed, 6);
    assert_int_equal(operations[late].invoked, 7);
    assert_int_equal(operations[late].completed, 8);
}

static bool call_of(const char *text, struct history_call *out)
{
    static char copy[64];
    struct span words[4];
    uint32_t count = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *at = copy; *at != '\0' && count < 4; count++) {
        size_t size = strcspn(at, " ");
        words[count] = span_of(at, size);
        at += size + (at[size] == ' ');
    }
    return history_call_from_words(words, count, out);
}

static void commands_are_read(void **state)
{
    (void)state;
    struct history_call call;
    assert_true(call_of("Set k v", &call));
    assert_int_equal(call.function, HISTORY_SET);
    assert_true(span_equal(call.key, span_string("k")) && span_equal(call.argument, span_string("v")));
    assert_true(call_of("set k v NX", &call) && call.function == HISTORY_SET_NX);
    assert_true(call_of("SET k v xx", &call) && call.function == HISTORY_SET_XX);
    assert_true(call_of("DECRBY k 7", &call) && call.function == HISTORY_INCR && call.number == -7);
    assert_true(call_of("incr k", &call) && call.number == 1);
    assert_true(call_of("GETDEL k", &call) && call.function == HISTORY_GETDEL);
    assert_false(call_of("SET k v EX", &call));
    assert_false(call_of("INCRBY k x", &call));
    assert_false(call_of("INCRBY k", &call));
    assert_false(call_of("DECRBY k -9223372036854775808", &call));
    assert_false(call_of("GET", &call));
    assert_false(call_of("MGET k", &call));
}

static void answers_are_read(void **state)
{
    (void)state;
    struct history_answer answer;
    assert_true(history_answer_from_resp(span_string("+OK\r\n"), &answer) && answer.kind == HISTORY_DONE);
    assert_true(history_answer_from_resp(span_string("_\r\n"), &answer) && answer.kind == HISTORY_NIL);
    assert_true(history_answer_from_resp(span_string("$-1\r\n"), &answer) && answer.kind == HISTORY_NIL);
    assert_true(history_answer_from_resp(span_string("-ERR no\r\n"), &answer) && answer.kind == HISTORY_ERROR);
    assert_true(history_answer_from_resp(span_string(":-12\r\n"), &answer) && answer.integer == -12);
    assert_true(history_answer_from_resp(span_string("$3\r\na\nb\r\n"), &answer));
    assert_true(answer.kind == HISTORY_BYTES && span_equal(answer.bytes, span_string("a\nb")));
    assert_false(history_answer_from_resp(span_string("$9\r\nabc\r\n"), &answer));
    assert_false(history_answer_from_resp(span_string("$-2\r\n"), &answer));
    assert_false(history_answer_from_resp(span_string("*1\r\n"), &answer));
    assert_false(history_answer_from_resp(span_string("+OK"), &answer));
    assert_false(history_answer_from_resp(span_of(NULL, 0), &answer));
}

static void functions_have_names(void **state)
{
    (void)state;
    for (int at = 0; at < HISTORY_FUNCTION_COUNT; at++) {
        enum history_function found;
        assert_true(history_function_find(span_string(history_function_name((enum history_function)at)), &found));
        assert_int_equal(found, at);
    }
    assert_true(history_function_reads(HISTORY_STRLEN) && !history_function_reads(HISTORY_DEL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(strings_are_interned_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_warm_history_allocates_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times_give_an_order, set_up, tear_down),
        cmocka_unit_test(commands_are_read),
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(functions_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
