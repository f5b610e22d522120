#include "lab/history/read_history.h"

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
static struct read_problem problem;

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

static bool read_as(const char *text, enum read_format format, enum read_keys keys)
{
    struct read_options options = {.format = format, .keys = keys};
    record_clear(record);
    return read_history(record, span_string(text), &options, &problem);
}

static void reads(const char *text)
{
    if (!read_as(text, READ_GUESS, READ_KEYS_GUESS))
        fail_msg("%s: line %llu: %s", text, (unsigned long long)problem.line, problem.why);
}

static void shows(uint32_t operation, const char *expected)
{
    char text[512];
    assert_true(operation < record->operation_count);
    record_print_operation(record, operation, text, sizeof text);
    assert_string_equal(text, expected);
}

static void json_lines(void **state)
{
    (void)state;
    reads("{\"process\":7,\"type\":\"invoke\",\"f\":\"write\",\"key\":\"x\",\"value\":[1,2.5,{\"b\":null,\"a\":true}]}\n"
          "\n"
          "  {\"time\": 12, \"type\": \"invoke\", \"process\": 3, \"f\": \"read\", \"key\": \"x\", \"index\": [{}]}\n"
          "{\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"kill\",\"value\":{\"n1\":[1,\"\\u00e9\"]}}\n"
          "{\"process\":3,\"type\":\"ok\",\"f\":\"read\",\"value\":\"a\\\"\\u20ac\\ud83d\\ude00\"}\n"
          "{\"process\":7,\"type\":\"info\",\"f\":\"write\"}\n"
          "{\"process\":3,\"type\":\"invoke\",\"f\":\"cas\",\"value\":[0,1]}\n"
          "{\"process\":3,\"type\":\"fail\"}\n"
          "{\"process\":3,\"type\":\"invoke\",\"f\":\"late\"}\n"
          "{\"process\":3,\"type\":\"o");
    assert_int_equal(record->operation_count, 4);
    assert_int_equal(record->event_count, 7);
    assert_int_equal(record->process_count, 2);
    assert_int_equal(record->operations[1].line, 3);
    assert_int_equal(record->operations[1].invoked_ns, 12);
    assert_int_equal(record->operations[1].completed, 2);
    assert_int_equal(record->operations[0].completed, RECORD_NEVER);
    shows(0, "process 7: write \"x\" [1, 2.5, {\"b\": null, \"a\": true}] (may have happened)");
    shows(1, "process 3: read \"x\" -> \"a\\\"\xe2\x82\xac\xf0\x9f\x98\x80\"");
    shows(2, "process 3: cas [0, 1] (failed)");
    shows(3, "process 3: late (may have happened)");
}

static void errors_are_answers(void **state)
{
    (void)state;
    reads("{\"process\":0,\"type\":\"invoke\",\"f\":\"incr\",\"key\":1}\n"
          "{\"process\":0,\"type\":\"ok\",\"f\":\"incr\",\"key\":1,\"error\":\"no integer\"}\n");
    shows(0, "process 0: incr 1 -> {\"error\": true}");
}

static void values_are_interned(void **state)
{
    (void)state;
    reads("{\"process\":0,\"type\":\"invoke\",\"f\":\"a\",\"key\":{\"x\":1,\"y\":[]},\"value\":1}\n"
          "{\"process\":1,\"type\":\"invoke\",\"f\":\"a\",\"key\":{\"y\":[],\"x\":1.0},\"value\":1e0}\n"
          "{\"process\":2,\"type\":\"invoke\",\"f\":\"b\",\"key\":{\"y\":{},\"x\":1},\"value\":\"1\"}\n");
    const struct record_operation *operations = record->operations;
    assert_int_equal(operations[0].key, operations[1].key);
    assert_int_not_equal(operations[0].key, operations[2].key);
    assert_int_equal(operations[0].called, operations[1].called);
    assert_int_not_equal(operations[0].called, operations[2].called);
    assert_int_equal(operations[0].function, operations[1].function);
}

static void json_arrays(void **state)
{
    (void)state;
    reads("[]");
    assert_int_equal(record->operation_count, 0);
    reads(" [{\"process\":0,\"type\":\"invoke\",\"f\":\"add\",\"value\":-4},\n"
          "{\"process\":0,\"type\":\"ok\",\"f\":\"add\",\"value\":-4}]\n");
    assert_int_equal(record->operation_count, 1);
    shows(0, "process 0: add -4");
}

static void edn(void **state)
{
    (void)state;
    static const char *const wraps[][2] = {{"", ""}, {"[", "]"}, {"(", ")"}, {"; a comment\n[", "; the end\n]"}};
    for (size_t at = 0; at < sizeof wraps / sizeof wraps[0]; at++) {
        char text[2048] = "";
        strcat(text, wraps[at][0]);
        strcat(text, "{:process 0, :type :invoke, :f :txn, :value [[:append 5 1] [:r 6 nil]], :time 3291485317}\n"
                     "{:process :nemesis, :type :info, :f :start-partition, :value #{\"n1\" \"n2\"}}\n"
                     "#jepsen.history.Op{:index 2, :process 0, :type :ok, :f :txn,\n"
                     "  :value [[:append 5 1] [:r 6 [1 2N +3]]], :error nil}\n"
                     "{:process 1, :type :invoke, :f :read, #_ :ignored :value nil}\n"
                     "{:process 1, :type :ok, :f :read, :value #{3 1 2.5M \\a}}\n");
        strcat(text, wraps[at][1]);
        reads(text);
        assert_int_equal(record->operation_count, 2);
        shows(0, "process 0: txn [[\"append\", 5, 1], [\"r\", 6, null]] -> [[\"append\", 5, 1], [\"r\", 6, [1, 2, 3]]]");
        assert_int_equal(record_size_of(record, record->operations[1].answered), 4);
        assert_int_equal(record->operations[0].invoked_ns, INT64_C(3291485317));
    }
}

/* Sets are equal whatever the order of their elements. */
static void edn_sets(void **state)
{
    (void)state;
    reads("{:process 0 :type :invoke :f :a :value #{1 2 3}}{:process 1 :type :invoke :f :a :value #{3 1 2}}"
          "{:process 2 :type :invoke :f :a :value [3 1 2]}");
    assert_int_equal(record->operations[0].called, record->operations[1].called);
}

static void keys_in_values(void **state)
{
    (void)state;
    static const char independent[] = "{:process 0 :type :invoke :f :write :value [9 3]}\n"
                                      "{:process 1 :type :invoke :f :read :value [9 nil]}\n"
                                      "{:process 0 :type :ok :f :write :value [9 3]}\n"
                                      "{:process 1 :type :ok :f :read :value [9 3]}\n";
    reads(independent);
    shows(0, "process 0: write 9 3");
    shows(1, "process 1: read 9 -> 3");
    assert_true(read_as(independent, READ_GUESS, READ_KEYS_APART));
    shows(1, "process 1: read [9, null] -> [9, 3]");
    reads("{:process 0 :type :invoke :f :cas :value [9 3]}\n{:process 1 :type :invoke :f :read :value nil}");
    shows(0, "process 0: cas [9, 3] (may have happened)");
    assert_false(read_as("{:process 0 :type :invoke :f :read :value 3}", READ_GUESS, READ_KEYS_IN_VALUES));
}

static void damage_is_explained(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *why;
    } cases[] = {
        {"{\"process\":1}\n", 1, "an event has the members"},
        {"\n\n{\"process\":1,\"type\":\"sent\",\"f\":\"a\"}\n", 3, "the type is"},
        {"{\"process\":1,\"type\":\"ok\",\"f\":\"a\"}\n", 1, "process 1 ends what it did not invoke"},
        {"{\"process\":1,\"type\":\"invoke\"}\n", 1, "an invocation has a member f"},
        {"{\"process\":1,\"type\":\"invoke\",\"f\":3}\n", 1, "f is the name"},
        {"{\"process\":1,\"type\":\"invoke\",\"f\":\"a\"}\n{\"process\":1,\"type\":\"invoke\",\"f\":\"a\"}\n", 2,
         "process 1 invokes while"},
        {"{\"process\":1,\"type\":\"invoke\",\"f\":\"a\" \"value\":1}\n", 1, "a ',' is missing"},
        {"{\"process\":1,\"value\":99999999999999999999}\n", 1, "'99999999999999999999' is no number"},
        {"{\"process\":1,\"value\":\"a\\q\"}\n", 1, "an escape that does not exist"},
        {"{\"process\":1,\"value\":tru}\n", 1, "'t' does not begin a value"},
        {"{\"process\":1\n", 1, "it ends where a ','"},
        {"3\n", 1, "an event is an object"},
        {"[{\"process\":1,\"type\":\"invoke\",\"f\":\"a\"}", 1, "it ends where an event"},
        {"[{\"process\":1,\"type\":\"invoke\",\"f\":\"a\"}]]", 1, "something follows"},
        {"[{:process 1, :type :invoke, :f :a}\n 3]", 2, "an event is a map"},
        {"{:process 1, :type :invoke, :value [1 2}", 1, "'}' does not begin a value"},
    };
    for (size_t at = 0; at < sizeof cases / sizeof cases[0]; at++) {
        if (read_as(cases[at].text, READ_GUESS, READ_KEYS_GUESS))
            fail_msg("accepted: %s", cases[at].text);
        if (strstr(problem.why, cases[at].why) == NULL || problem.line != cases[at].line)
            fail_msg("%s: line %u: %s", cases[at].text, (unsigned)problem.line, problem.why);
    }
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    char text[1024] = "{\"process\":1,\"value\":";
    memset(text + strlen(text), '[', 900);
    assert_false(read_as(text, READ_JSON_LINES, READ_KEYS_GUESS) && text[strlen(text) - 1] == '}');
    strcat(text, "}");
    assert_false(read_as(text, READ_JSON_LINES, READ_KEYS_GUESS));
    assert_non_null(strstr(problem.why, "levels deep"));
    text[0] = ' ';
    memcpy(text, "{:process 1 :value   ", 21);
    assert_false(read_as(text, READ_EDN, READ_KEYS_GUESS));
    assert_non_null(strstr(problem.why, "levels deep"));
}

/* Every cut of a good text either is read or explained, and never breaks anything. */
static void cuts_do_no_harm(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"a\\u0041\",\"value\":[1,{\"a\":-2.5e3}],\"time\":5}\n",
        "[{:process 1, :type :invoke, :f :a, :value #{1 \\a #tag [\"x\\n\" {:k #_ 1 2}]}, :time 5}]",
    };
    for (size_t at = 0; at < 2; at++)
        for (size_t size = 0; size < strlen(texts[at]); size++) {
            struct read_options options = {.format = READ_GUESS};
            uint8_t *copy = heap_alloc(heap, size);
            memcpy(copy, texts[at], size);
            record_clear(record);
            if (!read_history(record, span_of(copy, size), &options, &problem))
                assert_true(problem.why[0] != '\0' && problem.line > 0);
            heap_free(heap, copy);
        }
}

static void a_full_heap_is_said(void **state)
{
    (void)state;
    _Alignas(16) static uint8_t region[16 << 10];
    struct record *small = record_create(heap_init(region, sizeof region));
    struct read_options options = {.format = READ_GUESS};
    char text[20000] = "";
    size_t size = 0;
    for (int at = 0; at < 200; at++)
        size += (size_t)sprintf(text + size, "{\"process\":%d,\"type\":\"invoke\",\"f\":\"a\",\"value\":\"%040d\"}\n",
                                at, at);
    assert_non_null(small);
    assert_false(read_history(small, span_of(text, size), &options, &problem));
    assert_string_equal(problem.why, "there is not enough memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_are_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_are_interned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_arrays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(edn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(edn_sets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_in_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_explained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nesting_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cuts_do_no_harm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_heap_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
