#include "lab/object/object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap_system.h"
#include "base/test_seed.h"
#include "lab/object/object_test_tools.h"

static struct heap *heap;
static struct record *record;
static const struct verdict_bounds bounds = {.work_max = 1000000};

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

static void print_record(const struct record *shown)
{
    char text[400];
    for (uint32_t at = 0; at < shown->operation_count; at++) {
        record_print_operation(shown, at, text, sizeof text);
        print_message("  %u..%d %s\n", (unsigned)shown->operations[at].invoked, (int)shown->operations[at].completed,
                      text);
    }
}

/* Checks, and has a witness verified. */
static enum verdict_kind check(const struct record *checked, enum object_type type, enum object_level level,
                               struct verdict *verdict)
{
    char why[300];
    object_check(checked, type, level, &bounds, heap, verdict);
    if (verdict->kind == VERDICT_OK && !object_verify(checked, type, level, verdict, heap, why, sizeof why)) {
        print_record(checked);
        fail_msg("%s: the witness is refused: %s", object_type_names[type], why);
    }
    return verdict->kind;
}

static void agree(enum object_type type, enum object_level level, struct random *random, uint32_t rounds, bool unique)
{
    uint32_t legal = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        struct verdict verdict;
        record_clear(record);
        uint32_t keys = level == OBJECT_SEQUENTIAL && random_chance(random, 1, 2) ? 2 : 1;
        uint32_t operations = 2 + (uint32_t)random_below(random, 4), processes = 1 + (uint32_t)random_below(random, 3);
        tool_history(record, type, random, operations, processes, keys, unique);
        bool expected = naive_is_legal(record, type, level, heap);
        enum verdict_kind kind = check(record, type, level, &verdict);
        if (kind != (expected ? VERDICT_OK : VERDICT_ILLEGAL)) {
            print_record(record);
            fail_msg("%s: %s %s, but it is %s", object_type_names[type], verdict_name(kind), verdict.reason,
                     expected ? "legal" : "illegal");
        }
        legal += expected;
        verdict_clear(&verdict, heap);
    }
    print_message("%s%s: %u of %u legal\n", object_type_names[type], unique ? ", unique values" : "", legal, rounds);
    assert_in_range(legal, rounds / 50, rounds - rounds / 50);
}

static void linearizable_agrees_with_all_orders(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("object_check_test"));
    for (unsigned type = 0; type < OBJECT_TYPE_COUNT; type++) {
        agree((enum object_type)type, OBJECT_LINEARIZABLE, &random, 1500, false);
        agree((enum object_type)type, OBJECT_LINEARIZABLE, &random, 1500, true);
    }
}

static void sequential_agrees_with_all_orders(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("object_check_test"));
    for (unsigned type = 0; type < OBJECT_TYPE_COUNT; type++) {
        agree((enum object_type)type, OBJECT_SEQUENTIAL, &random, 1000, false);
        agree((enum object_type)type, OBJECT_SEQUENTIAL, &random, 1000, true);
    }
}

/* ---- counter-histories ---- */

/* Copies a record's operations: the kept ones as they are; of the others those in the set `present` as having happened
 * at some time, whenever. An answer that nobody saw is whatever fits, so such a one stays open. */
static void copy_relaxed(struct record *to, const uint32_t *kept, uint32_t kept_count, uint32_t present)
{
    uint32_t ids[NAIVE_OPERATIONS_MAX], count = record->operation_count;
    to->operation_count = to->event_count = 0;
    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint32_t id = 0; id < count; id++) {
            bool keep = false;
            for (uint32_t at = 0; at < kept_count; at++)
                keep = keep || kept[at] == id;
            if ((pass == 0) == keep || (!keep && !(present >> id & 1)))
                continue;
            const struct record_operation *from = &record->operations[id];
            ids[id] = record_invoke(to, keep ? from->process : 20 + id, from->function, from->key, from->called, 0);
            /* Kept ones keep their places, behind all that may come at any time. */
            to->operations[ids[id]] = *from;
            to->operations[ids[id]].process = keep ? from->process : 20 + id;
            to->operations[ids[id]].invoked = keep ? 100 + from->invoked : id;
            if (from->completed != RECORD_NEVER)
                to->operations[ids[id]].completed = keep ? 100 + from->completed : 1000 + id;
            if (!keep && from->outcome == RECORD_FAIL)
                to->operations[ids[id]].outcome = RECORD_INFO;
        }
}

/* Is there an order when only the kept ones are certain? Tries every set of the others. */
static bool naive_relaxed(struct record *to, const uint32_t *kept, uint32_t kept_count, enum object_type type)
{
    for (uint32_t present = 0; present < UINT32_C(1) << record->operation_count; present++) {
        bool counts = true;
        for (uint32_t at = 0; at < kept_count; at++)
            counts = counts && !(present >> kept[at] & 1);
        if (!counts)
            continue;
        copy_relaxed(to, kept, kept_count, present);
        if (naive_is_legal(to, type, OBJECT_LINEARIZABLE, heap))
            return true;
    }
    return false;
}

/* What is reported cannot be explained, and without any one of it, it can. */
static void counter_histories_are_minimal(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("object_check_test"));
    for (uint32_t round = 0; round < 900; round++) {
        enum object_type type = (enum object_type)(round % OBJECT_TYPE_COUNT);
        struct verdict verdict;
        record_clear(record);
        uint32_t operations = 2 + (uint32_t)random_below(&random, 3);
        bool unique = random_chance(&random, 1, 2);
        tool_history(record, type, &random, operations, 2, 1, unique);
        if (check(record, type, OBJECT_LINEARIZABLE, &verdict) == VERDICT_ILLEGAL) {
            /* The copy shares the values' table with the original. */
            struct record *copy = record_create(heap), view = *record;
            view.operations = copy->operations;
            view.operation_capacity = copy->operation_capacity;
            bool explained = naive_relaxed(&view, verdict.operations, verdict.operation_count, type);
            bool minimal = verdict.operation_count > 0;
            for (uint32_t at = 0; at < verdict.operation_count && minimal; at++) {
                uint32_t fewer[NAIVE_OPERATIONS_MAX], count = 0;
                for (uint32_t other = 0; other < verdict.operation_count; other++)
                    if (other != at)
                        fewer[count++] = verdict.operations[other];
                minimal = naive_relaxed(&view, fewer, count, type);
            }
            if (explained || !minimal) {
                print_record(record);
                fail_msg("%s: %s: %s", object_type_names[type], explained ? "it can be explained" : "not minimal",
                         verdict.reason);
            }
            heap_free(heap, view.operations);
            record->process_names = view.process_names; /* which may have grown */
            record->process_capacity = view.process_capacity;
            record_free(copy);
        }
        verdict_clear(&verdict, heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(linearizable_agrees_with_all_orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sequential_agrees_with_all_orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counter_histories_are_minimal, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
