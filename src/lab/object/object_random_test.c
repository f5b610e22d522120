/* Histories of hundreds of operations on simulated objects: right ones are accepted, spoilt ones rejected with few
 * operations as the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/test_seed.h"
#include "lab/object/object.h"
#include "lab/object/object_test_tools.h"

enum { OPERATIONS = 300, PROCESSES = 6, CULPRITS_MAX = 8 };

static struct heap *heap;
static struct record *record;
static const struct verdict_bounds bounds = {.work_max = 2000000};

static int set_up(void **state)
{
    (void)state;
    heap = heap_create_system((size_t)2 << 30);
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

/* A plain object, of whatever type. */
struct simulated {
    uint32_t value, items[OPERATIONS + 1], front, back;
    int64_t count, token;
    bool held;
};

static const char *choose(const struct simulated *object, enum object_type type, struct random *random)
{
    bool coin = random_chance(random, 1, 2);
    switch (type) {
    case OBJECT_SET:
        return coin ? "add" : "read";
    case OBJECT_QUEUE:
        return coin ? "enqueue" : "dequeue";
    case OBJECT_STACK:
        return coin ? "push" : "pop";
    case OBJECT_MUTEX:
    case OBJECT_FENCED_MUTEX:
        return object->held ? "release" : "acquire";
    case OBJECT_COUNTER:
        return coin ? "add" : "read";
    case OBJECT_KV:
        return coin ? "set" : "get";
    case OBJECT_REGISTER:
    case OBJECT_MULTI_REGISTER:
        break;
    }
    return coin ? "write" : "read";
}

/* Executes at this moment; false when it fails. */
static bool execute(struct simulated *object, enum object_type type, const char *function, uint32_t called,
                    uint32_t *answer)
{
    *answer = VALUE_NONE;
    switch (type) {
    case OBJECT_MUTEX:
    case OBJECT_FENCED_MUTEX:
        if (object->held == (strcmp(function, "acquire") == 0))
            return false;
        object->held = !object->held;
        if (object->held)
            *answer = record_integer(record, ++object->token);
        return true;
    case OBJECT_COUNTER:
        if (strcmp(function, "add") == 0)
            object->count += record_integer_of(record, called);
        else
            *answer = record_integer(record, object->count);
        return true;
    case OBJECT_SET:
    case OBJECT_QUEUE:
    case OBJECT_STACK:
        if (called != VALUE_NONE)
            object->items[object->back++] = called;
        else if (type == OBJECT_SET)
            *answer = record_list(record, VALUE_LIST, object->items, object->back);
        else if (object->front == object->back)
            *answer = record_null(record);
        else
            *answer = object->items[type == OBJECT_QUEUE ? object->front++ : --object->back];
        return true;
    case OBJECT_REGISTER:
    case OBJECT_MULTI_REGISTER:
    case OBJECT_KV:
        break;
    }
    if (called != VALUE_NONE)
        object->value = called;
    else
        *answer = object->value == VALUE_NONE ? record_null(record) : object->value;
    return true;
}

/* A whole history; some operations' ends are never seen. `repeat`: values are written again and again. */
static void simulate(enum object_type type, struct random *random, bool repeat)
{
    static struct simulated object;
    struct {
        enum { IDLE, INVOKED, EXECUTED } phase;
        const char *function;
        uint32_t id, called, answer;
        bool good, lost;
    } processes[PROCESSES] = {{IDLE, NULL, 0, 0, 0, false, false}};
    object = (struct simulated){.value = VALUE_NONE};
    record_clear(record);
    for (uint32_t invoked = 0, live = 0; invoked < OPERATIONS || live > 0;) {
        uint32_t at = (uint32_t)random_below(random, PROCESSES);
        if (processes[at].phase == IDLE && invoked < OPERATIONS) {
            processes[at].function = choose(&object, type, random);
            bool puts = strstr("write add enqueue push set", processes[at].function) != NULL;
            uint32_t number = repeat ? (uint32_t)random_below(random, 3) + 1 : invoked + 1;
            if (type == OBJECT_COUNTER)
                number = 1; /* of different numbers any sum could come about: that is a knapsack */
            processes[at].called = puts ? record_integer(record, number) : VALUE_NONE;
            processes[at].id = record_invoke(record, at, tool_text(record, processes[at].function), VALUE_NONE,
                                             processes[at].called, 0);
            processes[at].lost = puts && random_chance(random, 1, 40);
            processes[at].phase = INVOKED;
            invoked++;
            live++;
        } else if (processes[at].phase == INVOKED) {
            processes[at].good = execute(&object, type, processes[at].function, processes[at].called,
                                         &processes[at].answer);
            processes[at].phase = EXECUTED;
        } else if (processes[at].phase == EXECUTED) {
            bool lost = processes[at].lost;
            record_end(record, processes[at].id, lost ? RECORD_INFO : processes[at].good ? RECORD_OK : RECORD_FAIL,
                       processes[at].answer, 0);
            processes[at].phase = IDLE;
            live--;
        }
    }
}

/* Adds what no right object could do after all that. */
static void spoil(enum object_type type)
{
    static const char *const functions[] = {"read", NULL, "read", "dequeue", "pop", "acquire", "acquire", "read", "get"};
    uint32_t answer = record_integer(record, 1 << 20); /* nobody wrote it */
    if (type == OBJECT_SET)
        answer = record_list(record, VALUE_LIST, NULL, 0);
    if (type == OBJECT_COUNTER)
        answer = record_integer(record, -1);
    for (uint32_t turn = 0; turn < 2; turn++) {
        uint32_t id = record_invoke(record, PROCESSES, tool_text(record, functions[type]), VALUE_NONE, VALUE_NONE, 0);
        record_end(record, id, RECORD_OK, answer, 0);
    }
}

/* Makes an early answer the last one, once more: a stale read, a duplicate. */
static bool repeat_early_answer(enum object_type type)
{
    for (uint32_t id = 0; id < record->operation_count / 2; id++) {
        struct record_operation early = record->operations[id];
        bool shows = early.outcome == RECORD_OK && early.called == VALUE_NONE && early.answered != VALUE_NONE &&
                     record_kind(record, early.answered) != VALUE_NULL;
        if (!shows || type == OBJECT_MUTEX || type == OBJECT_FENCED_MUTEX)
            continue;
        uint32_t again = record_invoke(record, PROCESSES, early.function, VALUE_NONE, VALUE_NONE, 0);
        record_end(record, again, RECORD_OK, early.answered, 0);
        return true;
    }
    return false;
}

/* The counter-history of a mutex or a counter is long by nature: any release that is left out could come just in time,
 * and any add. */
static void rejected(enum object_type type)
{
    struct verdict verdict;
    bool is_long = type == OBJECT_MUTEX || type == OBJECT_FENCED_MUTEX || type == OBJECT_COUNTER;
    struct verdict_bounds short_bounds = {.work_max = bounds.work_max, .time_ns_max = is_long ? 30000000 : 0};
    object_check(record, type, OBJECT_LINEARIZABLE, &short_bounds, heap, &verdict);
    if (verdict.kind != VERDICT_ILLEGAL || (!is_long && verdict.operation_count > CULPRITS_MAX))
        fail_msg("%s: %s, %u operations: %s", object_type_names[type], verdict_name(verdict.kind),
                 (unsigned)verdict.operation_count, verdict.reason);
    verdict_clear(&verdict, heap);
}

static void right_ones_pass_and_spoilt_ones_fail(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("object_random_test"));
    for (uint32_t round = 0; round < 90; round++) {
        enum object_type type = (enum object_type)(round % OBJECT_TYPE_COUNT);
        bool repeat = round / OBJECT_TYPE_COUNT % 2 == 1 && (type == OBJECT_REGISTER || type == OBJECT_KV);
        if (type == OBJECT_MULTI_REGISTER)
            continue;
        for (unsigned level = OBJECT_LINEARIZABLE; level <= OBJECT_SEQUENTIAL; level++) {
            struct verdict verdict;
            char why[300];
            simulate(type, &random, repeat);
            object_check(record, type, (enum object_level)level, &bounds, heap, &verdict);
            if (verdict.kind != VERDICT_OK)
                fail_msg("%s: %s %s", object_type_names[type], verdict_name(verdict.kind), verdict.reason);
            if (!object_verify(record, type, (enum object_level)level, &verdict, heap, why, sizeof why))
                fail_msg("%s: the witness is refused: %s", object_type_names[type], why);
            verdict_clear(&verdict, heap);
        }
        if (!repeat && repeat_early_answer(type))
            rejected(type);
        simulate(type, &random, repeat);
        spoil(type);
        rejected(type);
    }
}

/* The verifier itself must notice a wrong witness. */
static void spoilt_witnesses_are_refused(void **state)
{
    (void)state;
    struct random random;
    struct verdict verdict;
    char why[300];
    random_seed(&random, test_seed("object_random_test"));
    simulate(OBJECT_QUEUE, &random, false);
    object_check(record, OBJECT_QUEUE, OBJECT_LINEARIZABLE, &bounds, heap, &verdict);
    assert_int_equal(verdict.kind, VERDICT_OK);
    verdict.operation_count--; /* one is missing */
    verdict.parts[verdict.part_count]--;
    assert_false(object_verify(record, OBJECT_QUEUE, OBJECT_LINEARIZABLE, &verdict, heap, why, sizeof why));
    verdict.operations[verdict.operation_count] = verdict.operations[0]; /* one is there twice */
    verdict.operation_count++;
    verdict.parts[verdict.part_count]++;
    assert_false(object_verify(record, OBJECT_QUEUE, OBJECT_LINEARIZABLE, &verdict, heap, why, sizeof why));
    verdict_clear(&verdict, heap);
    uint32_t noticed = 0;
    for (uint32_t at = 0; at + 40 < OPERATIONS; at++) {
        object_check(record, OBJECT_QUEUE, OBJECT_LINEARIZABLE, &bounds, heap, &verdict);
        uint32_t kept = verdict.operations[at]; /* far apart, so that no order of times allows it */
        if (at + 40 >= verdict.operation_count)
            break;
        verdict.operations[at] = verdict.operations[at + 40];
        verdict.operations[at + 40] = kept;
        noticed += !object_verify(record, OBJECT_QUEUE, OBJECT_LINEARIZABLE, &verdict, heap, why, sizeof why);
        verdict_clear(&verdict, heap);
        assert_int_equal(noticed, at + 1);
    }
    verdict_clear(&verdict, heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(right_ones_pass_and_spoilt_ones_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spoilt_witnesses_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
