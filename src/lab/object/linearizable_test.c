#include "lab/object/linearizable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/heap_system.h"
#include "base/test_seed.h"
#include "lab/history/history_generator.h"
#include "lab/object/kv_model.h"

struct fixture {
    struct heap *heap;
    struct history *history;
    struct linearizable *checker;
    struct linearizable_result result;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.heap = heap_create_system((size_t)2 << 30);
    fixture.history = history_create(fixture.heap);
    fixture.checker = linearizable_create(fixture.heap);
    *state = &fixture;
    return fixture.history == NULL || fixture.checker == NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    history_free(fixture->history);
    linearizable_free(fixture->checker);
    int leaked = heap_used(fixture->heap) != 0;
    heap_destroy_system(fixture->heap);
    return leaked;
}

static enum linearizable_verdict check(struct fixture *fixture)
{
    return linearizable_check(fixture->checker, fixture->history, LINEARIZABLE_WORK_MAX, &fixture->result);
}

/* One line a history: steps separated by spaces. A step is a process (a letter), '(' and a command for an invocation,
 * or ')' and an answer, or '!' for fail, '?' for info: "a(set:1 a)ok b(get b)1". The key is x. */
static void record(struct history *history, const char *script)
{
    uint32_t open[26];
    char word[64];
    int used;
    for (int64_t now_ns = 0; sscanf(script, " %63s%n", word, &used) == 1; now_ns += 1000000, script += used) {
        uint32_t process = (uint32_t)(word[0] - 'a');
        char *text = word + 2, *argument = strchr(text, ':'), *expected = NULL;
        if (word[1] == '!')
            history_fail(history, open[process], now_ns);
        else if (word[1] == '?')
            history_info(history, open[process], now_ns);
        else if (word[1] == ')') {
            struct history_answer answer = {.kind = HISTORY_BYTES, .bytes = span_string(text)};
            if (strcmp(text, "ok") == 0)
                answer.kind = HISTORY_DONE;
            else if (strcmp(text, "nil") == 0)
                answer.kind = HISTORY_NIL;
            else if (strcmp(text, "error") == 0)
                answer.kind = HISTORY_ERROR;
            else if (text[0] == '#')
                answer = (struct history_answer){.kind = HISTORY_INTEGER, .integer = strtoll(text + 1, NULL, 10)};
            history_ok(history, open[process], &answer, now_ns);
        } else {
            if (argument != NULL) {
                *argument++ = '\0';
                expected = strchr(argument, ':');
                if (expected != NULL)
                    *expected++ = '\0';
            }
            struct history_call call = {.process = process, .key = span_string("x")};
            assert_true(history_function_find(span_string(text), &call.function));
            call.argument = span_string(argument == NULL ? "" : argument);
            call.expected = span_string(expected == NULL ? "" : expected);
            call.number = argument == NULL ? 1 : strtoll(argument, NULL, 10);
            open[process] = history_invoke(history, &call, now_ns);
        }
    }
}

static enum linearizable_verdict verdict_of(struct fixture *fixture, const char *script)
{
    history_clear(fixture->history);
    record(fixture->history, script);
    return check(fixture);
}

static void accepted_histories(void **state)
{
    static const char *const scripts[] = {
        "",
        "a(get a)nil",
        "a(set:1 a)ok b(get b)1",
        "a(set:1 b(get b)nil a)ok",               /* concurrent: the read may come first */
        "a(set:1 b(get b)1 a)ok",                 /* or after */
        "a(set:1 b(set:2 a)ok b)ok c(get c)1",    /* either of two concurrent writes may be the last */
        "a(set:1 b(set:2 a)ok b)ok c(get c)2",    /* */
        "a(set:1 a? b(get b)nil b(get b)1",       /* an open write may take effect late */
        "a(set:1 a? b(get b)nil",                 /* or never */
        "a(set:1 b(get b)1",                      /* so may one that never ended */
        "a(set:1 a! b(get b)nil",                 /* a refused one does not happen */
        "a(set:1 a)ok b(set:2 c(get c)2 c(get c)2 b)ok",
        "a(incr a)#1 a(incr a)#2 a(get a)2",
        "a(incr b(incr b)#1 a)#2",
        "a(incr:5 a)#5 a(incr:-7 a)#-2",
        "a(set:x a)ok a(incr a)error a(get a)x",
        "a(incr a? b(incr b? c(get c)nil c(get c)2",
        "a(append:ab a)#2 a(append:cd a)#4 a(get a)abcd a(strlen a)#4",
        "a(append:a b(append:b a)#2 b)#1 c(get c)ba",
        "a(setnx:1 b(setnx:2 b)#1 a)#0 c(get c)2",
        "a(setxx:1 a)nil a(setnx:1 a)ok a(setxx:2 a)ok a(get a)2",
        "a(getset:1 a)nil a(getset:2 a)1 a(getdel a)2 a(getdel a)nil",
        "a(del a)#0 a(set:1 a)ok a(exists a)#1 a(del a)#1 a(exists a)#0 a(strlen a)#0",
        "a(set:1 a)ok a(cas:2:1 a)#1 a(cas:3:1 a)#0 a(get a)2",
        "a(set:1 a? a(set:2 a? b(get b)1 b(get b)2 b(get b)2",
        "a(set:1 a? b(append:2 b? c(get c)12",    /* one open operation builds upon another */
        "a(set:1 a? b(set:2 b)ok b(del b)#1 c(get c)1",
        "a(get b(set:1 b)ok b(set:2 b)ok b(set:3 b)ok a)2",
    };
    for (size_t at = 0; at < sizeof scripts / sizeof scripts[0]; at++)
        if (verdict_of(*state, scripts[at]) != LINEARIZABLE_YES)
            fail_msg("%s: %s", scripts[at], ((struct fixture *)*state)->result.reason);
}

/* A rejected history and the number of events of its smallest illegal prefix. */
static void rejected_histories(void **state)
{
    static const struct {
        const char *script;
        uint32_t prefix_events;
    } cases[] = {
        {"a(get a)1", 2},
        {"a(set:1 a)ok b(get b)nil", 4},                                  /* stale */
        {"a(set:1 a)ok a(set:2 a)ok b(get b)1 c(get c)2", 6},             /* stale */
        {"a(set:1 b(get b)1 b(get b)nil a)ok", 5},                        /* new, then old */
        {"a(set:1 b(set:2 a)ok b)ok c(get c)1 c(get c)2 c(get c)1", 8},   /* back and forth */
        {"a(set:1 a! b(get b)1", 4},                                      /* refused, yet it happened */
        {"a(get a)1 b(set:1 b)ok", 2},                                    /* from the future */
        {"a(set:1 a? b(get b)1 b(get b)nil", 5},                          /* an open write does not come undone */
        {"a(incr a)#1 b(incr b)#1", 4},                                   /* a lost update */
        {"a(incr a)#1 b(incr b)#3", 4},                                   /* executed twice */
        {"a(incr a? b(incr b)#3", 3},
        {"a(append:ab a)#3", 2},
        {"a(append:a b(append:b a)#1 b)#2 c(get c)ba", 6},
        {"a(setnx:1 b(setnx:2 b)#1 a)#1", 4},                             /* two winners */
        {"a(set:1 a)ok a(del a)#1 b(del b)#1", 6},
        {"a(set:1 a)ok a(cas:2:3 a)#1", 4},
        {"a(set:1 a)ok a(incr a)error", 4},
        {"a(set:1 a)ok b(getdel b)1 c(getdel c)1", 6},                    /* taken twice */
        {"a(set:1 a? b(get b)nil b(get b)1 b(del b)#1 b(get b)1", 9},     /* an open one happens once */
        {"a(get b(set:1 b)ok b(set:2 b)ok a)3", 6},
        {"a(set:ab a)ok a(strlen a)#1", 4},
    };
    struct fixture *fixture = *state;
    for (size_t at = 0; at < sizeof cases / sizeof cases[0]; at++) {
        if (verdict_of(fixture, cases[at].script) != LINEARIZABLE_NO)
            fail_msg("%s: accepted", cases[at].script);
        if (fixture->result.prefix_events != cases[at].prefix_events)
            fail_msg("%s: the prefix is %u", cases[at].script, fixture->result.prefix_events);
        assert_true(strlen(fixture->result.reason) > 20);
    }
}

static void the_reason_is_a_sentence(void **state)
{
    struct fixture *fixture = *state;
    verdict_of(fixture, "a(set:1 a)ok a(set:2 a)ok b(get b)1");
    assert_string_equal(fixture->result.reason,
                        "key \"x\": the get of process 1 from 0.004000 s to 0.005000 s (operation 2) answered \"1\", "
                        "which no order of the operations up to then explains; the key could hold \"2\"");
    assert_int_equal(fixture->result.operation, 2);
}

static void keys_are_checked_apart(void **state)
{
    struct fixture *fixture = *state;
    history_clear(fixture->history);
    struct history_call call = {.function = HISTORY_SET, .key = span_string("p"), .argument = span_string("1")};
    struct history_answer done = {.kind = HISTORY_DONE}, nothing = {.kind = HISTORY_NIL};
    history_ok(fixture->history, history_invoke(fixture->history, &call, 0), &done, 1);
    struct history_call read = {.function = HISTORY_GET, .key = span_string("q")};
    history_ok(fixture->history, history_invoke(fixture->history, &read, 2), &nothing, 3);
    assert_int_equal(check(fixture), LINEARIZABLE_YES);
    history_ok(fixture->history, history_invoke(fixture->history, &read, 4), &nothing, 5);
    read.key = span_string("p");
    history_ok(fixture->history, history_invoke(fixture->history, &read, 6), &nothing, 7);
    assert_int_equal(check(fixture), LINEARIZABLE_NO);
    assert_int_equal(fixture->result.key, 0);
    assert_int_equal(fixture->result.prefix_events, 8);
}

static void too_much_work_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    history_clear(fixture->history);
    record(fixture->history, "a(set:1 b(set:2 c(set:3 d(set:4 e(get e)9 a)ok b)ok c)ok d)ok");
    assert_int_equal(linearizable_check(fixture->checker, fixture->history, 3, &fixture->result),
                     LINEARIZABLE_UNKNOWN);
    assert_non_null(strstr(fixture->result.reason, "gave up"));
    assert_int_equal(check(fixture), LINEARIZABLE_NO);
}

static void a_full_heap_is_unknown(void **state)
{
    (void)state;
    static _Alignas(16) uint8_t region[96 << 10];
    static const enum history_function functions[] = {HISTORY_SET, HISTORY_APPEND, HISTORY_GET};
    struct generator_options options = {
        .clients = 4, .keys = 2, .operations = 2000, .functions = functions, .function_count = 3};
    struct heap *heap = heap_init(region, sizeof region);
    struct history *history = history_create(heap);
    struct linearizable *checker = linearizable_create(heap);
    struct random random;
    random_seed(&random, 1);
    generator_run(history, &random, &options);
    struct linearizable_result result;
    assert_true(history->incomplete);
    assert_int_equal(linearizable_check(checker, history, 1000, &result), LINEARIZABLE_UNKNOWN);
    /* With a history that fits, the search's own memory runs out at some size; never is a wrong verdict given. */
    for (options.operations = 10; options.operations < 600; options.operations += 10) {
        history_clear(history);
        generator_run(history, &random, &options);
        assert_int_not_equal(linearizable_check(checker, history, 100000, &result), LINEARIZABLE_NO);
    }
}

/* The plain definition: tries all orders, by recursion. */
struct brute {
    struct history *history;
    uint32_t events; /* of the prefix */
};

static bool brute_ended(const struct brute *brute, const struct history_operation *operation)
{
    return operation->outcome == HISTORY_OK && operation->completed < brute->events;
}

static bool brute_search(const struct brute *brute, uint32_t done, uint32_t value)
{
    const struct history *history = brute->history;
    uint32_t earliest = UINT32_MAX;
    bool all = true;
    for (uint32_t id = 0; id < history->operation_count; id++) {
        const struct history_operation *operation = &history->operations[id];
        if (done >> id & 1 || !brute_ended(brute, operation))
            continue;
        all = false;
        if (operation->completed < earliest)
            earliest = operation->completed;
    }
    if (all)
        return true;
    for (uint32_t id = 0; id < history->operation_count; id++) {
        struct history_operation operation = history->operations[id];
        if (done >> id & 1 || operation.outcome == HISTORY_FAIL || operation.invoked > earliest)
            continue;
        if (!brute_ended(brute, &operation))
            operation.outcome = HISTORY_INFO;
        uint32_t next;
        if (kv_model_apply(brute->history, &operation, value, &next) &&
            brute_search(brute, done | UINT32_C(1) << id, next))
            return true;
    }
    return false;
}

static bool brute_accepts(struct history *history, uint32_t events)
{
    struct brute brute = {.history = history, .events = events};
    return brute_search(&brute, 0, KV_NOTHING);
}

/* Answers drawn at random from a small set: right as often as wrong. */
static struct history_answer random_answer(struct random *random, char text[4])
{
    struct history_answer answer = {.kind = (enum history_answer_kind)random_below(random, 5)};
    /* Of one digit, or of two, as appending makes them. */
    snprintf(text, 4, "%d", (int)random_below(random, random_chance(random, 1, 2) ? 4 : 34));
    answer.bytes = span_string(text);
    answer.integer = (int64_t)random_below(random, 3);
    return answer;
}

static struct history_answer plausible_answer(struct random *random, enum history_function function, char text[4])
{
    for (;;) {
        struct history_answer answer = random_answer(random, text);
        bool shows = function == HISTORY_GET || function == HISTORY_GETSET || function == HISTORY_GETDEL;
        bool done = function == HISTORY_SET;
        if (shows ? answer.kind == HISTORY_NIL || answer.kind == HISTORY_BYTES
                  : answer.kind == (done ? HISTORY_DONE : HISTORY_INTEGER))
            return answer;
    }
}

static void random_tiny_history(struct history *history, struct random *random, uint32_t functions,
                                uint64_t open_odds)
{
    static char texts[16][4];
    static char arguments[16][4];
    uint32_t open[3] = {HISTORY_NONE, HISTORY_NONE, HISTORY_NONE};
    enum history_function function[3];
    uint32_t count = 2 + (uint32_t)random_below(random, 6), texts_used = 0;
    while (history->operation_count < count || random_chance(random, 4, 5)) {
        uint64_t process = random_below(random, 3);
        if (open[process] == HISTORY_NONE) {
            if (history->operation_count >= count)
                continue;
            function[process] = (enum history_function)random_below(random, functions);
            snprintf(arguments[history->operation_count], 4, "%d", (int)random_below(random, 4));
            struct history_call call = {
                .process = (uint32_t)process,
                .function = function[process],
                .key = span_string("x"),
                .argument = span_string(arguments[history->operation_count]),
                .expected = span_string("1"),
                .number = 1,
            };
            open[process] = history_invoke(history, &call, 0);
            continue;
        }
        struct history_answer answer = plausible_answer(random, function[process], texts[texts_used++]);
        if (random_chance(random, 1, open_odds))
            history_info(history, open[process], 0);
        else if (random_chance(random, 1, 12))
            history_fail(history, open[process], 0);
        else
            history_ok(history, open[process], &answer, 0);
        open[process] = HISTORY_NONE;
    }
}

static void agrees_with_brute_force(void **state)
{
    struct fixture *fixture = *state;
    struct random random;
    random_seed(&random, test_seed("linearizable_test"));
    uint32_t accepted = 0, rejected = 0;
    for (uint32_t round = 0; round < 60000; round++) {
        history_clear(fixture->history);
        /* Rounds with few functions are those in which whole values are all there is. */
        random_tiny_history(fixture->history, &random, round % 3 == 0 ? 7 : HISTORY_FUNCTION_COUNT,
                            round % 2 == 0 ? 2 : 6);
        uint32_t events = fixture->history->event_count;
        bool expected = brute_accepts(fixture->history, events);
        enum linearizable_verdict verdict = check(fixture);
        if (verdict != (expected ? LINEARIZABLE_YES : LINEARIZABLE_NO))
            fail_msg("round %u: the verdict is wrong: %s", round, fixture->result.reason);
        accepted += expected;
        rejected += !expected;
        if (expected)
            continue;
        assert_false(brute_accepts(fixture->history, fixture->result.prefix_events));
        assert_true(brute_accepts(fixture->history, fixture->result.prefix_events - 1));
    }
    printf("%u accepted, %u rejected\n", accepted, rejected);
    assert_true(accepted > 1000 && rejected > 1000);
}

static const enum history_function every_function[] = {
    HISTORY_GET,    HISTORY_GET, HISTORY_SET,  HISTORY_SET_NX, HISTORY_SET_XX, HISTORY_GETSET, HISTORY_CAS,
    HISTORY_APPEND, HISTORY_DEL, HISTORY_INCR, HISTORY_GETDEL, HISTORY_STRLEN, HISTORY_EXISTS,
};

static void linearizable_stores_are_accepted(void **state)
{
    static const struct generator_options cases[] = {
        {.clients = 8, .keys = 8, .operations = 1000, .function_count = 13},
        {.clients = 10, .keys = 1, .operations = 300, .function_count = 13},
        {.clients = 10, .keys = 1, .operations = 1000, .function_count = 3},
        {.clients = 8, .keys = 8, .operations = 500, .open_percent = 10, .function_count = 13},
        {.clients = 6, .keys = 2, .operations = 500, .open_percent = 20, .function_count = 3},
        {.clients = 10, .keys = 1, .operations = 3000, .open_percent = 3, .function_count = 3},
        {.clients = 3, .keys = 1, .operations = 100, .open_percent = 10, .function_count = 13},
    };
    struct fixture *fixture = *state;
    struct random random;
    random_seed(&random, test_seed("linearizable_test"));
    for (uint32_t round = 0; round < 280; round++) {
        struct generator_options options = cases[round % 7];
        options.functions = every_function;
        history_clear(fixture->history);
        generator_run(fixture->history, &random, &options);
        if (check(fixture) != LINEARIZABLE_YES)
            fail_msg("round %u: %s", round, fixture->result.reason);
    }
}

static void mutants_are_rejected(void **state)
{
    static const enum history_function registers[] = {HISTORY_GET, HISTORY_SET};
    static const enum history_function counters[] = {HISTORY_INCR, HISTORY_GET};
    struct fixture *fixture = *state;
    struct random random;
    random_seed(&random, test_seed("linearizable_test"));
    for (uint32_t round = 0; round < 200; round++) {
        struct generator_options options = {.keys = 1 + round % 4, .operations = 400, .function_count = 2};
        options.fault = (enum generator_fault)(GENERATOR_STALE_READ + round % 3);
        bool stale = options.fault == GENERATOR_STALE_READ;
        options.clients = stale ? 1 : 10;
        options.functions = stale ? registers : counters;
        history_clear(fixture->history);
        bool struck = generator_run(fixture->history, &random, &options);
        assert_true(struck);
        bool shown = stale || fixture->history->event_count > 500;
        if (shown && check(fixture) != LINEARIZABLE_NO)
            fail_msg("round %u: the fault went unnoticed", round);
    }
}

/* Campaigns check a history after each run, of which there are thousands. */
static void healthy_histories_are_quick(void **state)
{
    struct fixture *fixture = *state;
    struct generator_options options = {
        .clients = 8, .keys = 8, .operations = 1000, .open_percent = 2, .functions = every_function,
        .function_count = 13};
    struct random random;
    random_seed(&random, 1);
    uint64_t work = 0;
    clock_t ticks = 0;
    for (uint32_t round = 0; round < 100; round++) {
        history_clear(fixture->history);
        generator_run(fixture->history, &random, &options);
        clock_t begin = clock();
        assert_int_equal(check(fixture), LINEARIZABLE_YES);
        ticks += clock() - begin;
        work += fixture->result.work;
    }
    printf("%.0f us and %.0f configurations a history of %u\n", (double)ticks * 1e6 / CLOCKS_PER_SEC / 100,
           (double)work / 100, options.operations);
    /* Not time, which the machine decides: two configurations an operation are what 0.2 ms take. */
    assert_true(work / 100 < 2 * options.operations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepted_histories, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rejected_histories, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_reason_is_a_sentence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_checked_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_much_work_is_unknown, set_up, tear_down),
        cmocka_unit_test(a_full_heap_is_unknown),
        cmocka_unit_test_setup_teardown(agrees_with_brute_force, set_up, tear_down),
        cmocka_unit_test_setup_teardown(linearizable_stores_are_accepted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mutants_are_rejected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(healthy_histories_are_quick, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
