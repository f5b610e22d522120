/* Each anomaly, at each level: hand-made histories that must be refused with its name, and accepted below. */
#include "lab/txn/txn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/heap_system.h"
#include "lab/txn/txn_testing.h"

static int set_up(void **state)
{
    *state = heap_create_system((size_t)1 << 30);
    return *state == NULL;
}

static int tear_down(void **state)
{
    int leaked = heap_used(*state) != 0;
    heap_destroy_system(*state);
    return leaked;
}

/* Levels: strict-serializable, serializable, snapshot-isolation, repeatable-read, read-committed, read-uncommitted.
 * NULL is ok. */
struct expected {
    const char *script;
    const char *anomalies[TXN_LEVELS];
    uint32_t count; /* transactions of the counter-history; 0: not looked at */
};

#define ALL(name) {name, name, name, name, name, name}
#define COMMITTED(name) {name, name, name, name, name, NULL}
#define REPEATABLE(name) {name, name, name, name, NULL, NULL}
#define STRICT(name) {name, NULL, NULL, NULL, NULL, NULL}
#define FINE {NULL, NULL, NULL, NULL, NULL, NULL}

static const struct expected LISTS[] = {
    {"", FINE, 0},
    {"a=ax1,rx1 b=rx1", FINE, 0},
    {"a(ax1 b(rx_ b) a) c=rx1", FINE, 0},
    {"a(ax1 b(rx1 b) a) c=rx1", FINE, 0},
    {"a=ax1 b=rx1,ax2,rx12 a=ax3 c=rx123,ay1 d=ry1", FINE, 0},
    {"a(ax1 a? b=rx_ b=rx1 b=rx1", FINE, 0}, /* it may take effect late */
    {"a(ax1 a? b=rx_", FINE, 0},             /* or never */
    {"a(ax1 a! b=rx_", FINE, 0},
    {"a=ax1 b=ax2 c=ax3", FINE, 0},          /* nobody read them */
    {"a(ax1,ay1 b(ax2,ay2 a) b)", FINE, 0},
    {"a(ax1,ay1 b(ax2,ay2 a) b) c=rx12,ry21", ALL("G0"), 3},
    {"a(ax1 b(ax2 c(rx1 d(rx2 e(rx12 a) b) c) d) e)", ALL("incompatible order"), 4},
    {"a(ax1,ax2 b(rx21 a) b)", ALL("incompatible order"), 2},
    {"a(ax1,ax2 b(rx2 a) b)", ALL("incompatible order"), 2},
    {"a(ax1 b=rx11 a)", ALL("duplicate elements"), 2},
    {"a=rx7", ALL("garbage read"), 1},
    {"a=ax1,rx_", ALL("internal"), 1},
    {"a(ax1 a! b=rx1", COMMITTED("G1a"), 2},
    {"a(ax1 a! b(ax2 b) c=rx12", COMMITTED("dirty update"), 3},
    {"a(ax1,ax2 b(rx1 b) a) c=rx12", COMMITTED("G1b"), 2},
    {"a(ax1,ry2 b(ay2,rx1 a) b)", COMMITTED("G1c"), 2},
    {"a(rx_,rx1 b(ax1 b) a)", REPEATABLE("internal"), 2},
    {"a(rx_,ry1 b(ax1,ay1 a) b)", REPEATABLE("G-single"), 2},
    {"a(rx_,ax1 b(rx_,ax2 a) b) c=rx12", REPEATABLE("lost update"), 2},
    {"a(rx_,ax1 b(rx_,ax2 a) b)", REPEATABLE("lost update"), 2},
    {"a(rx_,ax1 b(rx_,ax2 c(rx_,ax3 a) b) c)", REPEATABLE("lost update"), 2},
    {"a=ax1 b(rx1,ax2 c(rx1,ax3 b) c) d=rx132", REPEATABLE("lost update"), 2},
    {"a(rx_,ay1 b(ry_,ax1 a) b)", {"G2-item", "G2-item", NULL, "G2-item", NULL, NULL}, 2}, /* write skew */
    {"a(ax1 b(ay1 c(rx1,ry_ d(rx_,ry1 a) b) c) d)",                                         /* long fork */
     {"G2-item", "G2-item", "G-nonadjacent", "G2-item", NULL, NULL}, 4},
    {"a(rx_,ay1 b(ry_,az1 c(rz_,ax1 a) b) c)", {"G2-item", "G2-item", NULL, "G2-item", NULL, NULL}, 3},
    {"a=ax1 b=ax2 c=rx21", STRICT("G0-realtime"), 3},
    {"b=rx1 a=ax1", STRICT("G1c-realtime"), 2},
    {"a=ax1 b=rx_", STRICT("G-single-realtime"), 2},
    {"a=ax1 b=rx1 c=rx_", STRICT("G-single-realtime"), 2},
    {"b(ax1,ry_ c=ay1 a=rx_ b)", STRICT("G2-item-realtime"), 3},
};

static const struct expected REGISTERS[] = {
    {"", FINE, 0},
    {"a=wx1,rx1 b=rx1", FINE, 0},
    {"a(wx1 b(rx_ b) a) c=rx1", FINE, 0},
    {"a(wx1 a? b=rx_ b=rx1", FINE, 0},
    {"a(wx1 a! b=rx_", FINE, 0},
    {"a(wx1 b(wx2 a) b) c=rx1 d=rx1", FINE, 0},
    {"a(wx1 b(wx2 a) b) c=rx2 d=rx2", FINE, 0},
    {"a=wx1 b=rx1,wx2,rx2 c=wx3,wy1 d=ry1,rx3", FINE, 0},
    {"a=rx7", ALL("garbage read"), 1},
    {"a=wx1,rx_", ALL("internal"), 1},
    {"a=wx1,wx2,rx1", ALL("internal"), 1},
    {"a=rx1,wx1", ALL("internal"), 1},
    {"a(wx1 a! b=rx1", COMMITTED("G1a"), 2},
    {"a(wx1,wx2 b(rx1 b) a)", COMMITTED("G1b"), 2},
    {"a(wx1,ry2 b(wy2,rx1 a) b)", COMMITTED("G1c"), 2},
    {"a(rx_,rx1 b(wx1 b) a)", REPEATABLE("internal"), 2},
    {"a(rx_,ry1 b(wx1,wy1 a) b)", REPEATABLE("G-single"), 2},
    {"a(rx_,wx1 b(rx_,wx2 a) b)", REPEATABLE("lost update"), 2},
    {"a=wx1 b(rx1,wx2 c(rx1,wx3 b) c)", REPEATABLE("lost update"), 3},
    {"a=wx1,wy1 b(rx1,wx2,ry1,wy2 c(rx1,ry2 b) c)", REPEATABLE("G-single"), 3},
    {"a(rx_,wy1 b(ry_,wx1 a) b)", {"G2-item", "G2-item", NULL, "G2-item", NULL, NULL}, 2},
    {"a(wx1 b(wy1 c(rx1,ry_ d(rx_,ry1 a) b) c) d)",
     {"G2-item", "G2-item", "G-nonadjacent", "G2-item", NULL, NULL}, 4},
    {"b=rx1 a=wx1", STRICT("G1c-realtime"), 2},
    {"a=wx1 b=rx_", STRICT("G-single-realtime"), 2},
    {"a=wx1 b=wx2 c=rx1", STRICT("G-single-realtime"), 3},
    {"b(wx1,ry_ c=wy1 a=rx_ b)", STRICT("G2-item-realtime"), 3},
    {"a(wx1 b(wx2 a) b) c=rx1 d=rx2 e=rx1", STRICT("G0-realtime"), 4},
};

static void expect(struct heap *heap, const struct expected *expected, enum txn_level level, bool lists)
{
    struct record *record = record_create(heap);
    struct verdict verdict;
    struct verdict_bounds bounds = {0};
    testing_script(record, expected->script, lists);
    (lists ? txn_check_list_append : txn_check_rw_register)(record, level, &bounds, heap, &verdict);
    const char *anomaly = expected->anomalies[level];
    enum verdict_kind kind = anomaly == NULL ? VERDICT_OK : VERDICT_ILLEGAL;
    bool counts = anomaly == NULL || expected->count == 0 || expected->count == verdict.operation_count;
    if (verdict.kind != kind || !counts || (anomaly != NULL && strcmp(anomaly, verdict.anomaly) != 0))
        fail_msg("%s at %s: wanted %s, got %s %s of %u: %s", expected->script, txn_level_name(level),
                 anomaly == NULL ? "ok" : anomaly, verdict_name(verdict.kind), verdict.anomaly,
                 (unsigned)verdict.operation_count, verdict.reason);
    char reason[200];
    if (verdict.kind == VERDICT_OK && !txn_verify(record, level, &verdict, heap, reason, sizeof reason))
        fail_msg("%s at %s: %s", expected->script, txn_level_name(level), reason);
    if (verdict.kind == VERDICT_ILLEGAL && getenv("LOCKSTEP_SHOW") != NULL)
        printf("%s | %s | %s\n", expected->script, txn_level_name(level), verdict.reason);
    verdict_clear(&verdict, heap);
    record_free(record);
}

static void lists(void **state)
{
    for (size_t at = 0; at < sizeof LISTS / sizeof *LISTS; at++)
        for (int level = 0; level < TXN_LEVELS; level++)
            expect(*state, &LISTS[at], (enum txn_level)level, true);
}

static void registers(void **state)
{
    for (size_t at = 0; at < sizeof REGISTERS / sizeof *REGISTERS; at++)
        for (int level = 0; level < TXN_LEVELS; level++)
            expect(*state, &REGISTERS[at], (enum txn_level)level, false);
}

static void names(void **state)
{
    (void)state;
    enum txn_level level;
    for (int at = 0; at < TXN_LEVELS; at++) {
        assert_true(txn_level_find(txn_level_name((enum txn_level)at), &level));
        assert_int_equal(level, at);
    }
    assert_false(txn_level_find("linearizable", &level));
}

/* What does not fit is unknown, and says why. */
static void misfits(void **state)
{
    static const struct {
        const char *script, *says;
        bool lists;
    } cases[] = {
        {"a=wx1", "micro-operations", true},
        {"a=ax1", "micro-operations", false},
        {"a=ax1 b=ax1", "twice", true},
        {"a=wx1 b=wx1", "twice", false},
    };
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        struct record *record = record_create(*state);
        struct verdict verdict;
        testing_script(record, cases[at].script, cases[at].lists);
        (cases[at].lists ? txn_check_list_append : txn_check_rw_register)(record, TXN_SERIALIZABLE, NULL, *state,
                                                                          &verdict);
        assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
        assert_non_null(strstr(verdict.reason, cases[at].says));
        verdict_clear(&verdict, *state);
        record_free(record);
    }
}

/* A full heap makes the verdict unknown, wherever it happens, and leaks nothing. */
static void small_heaps(void **state)
{
    struct record *record = record_create(*state);
    testing_script(record, "a(ax1,ay1 b(ax2,ay2 a) b) c=rx12,ry21 d=rx12,ry21", true);
    int unknown = 0, illegal = 0;
    for (size_t size = HEAP_REGION_SIZE_MIN; size < 65536; size += 512) {
        void *memory = heap_alloc(*state, size);
        struct heap *heap = heap_init(memory, size);
        struct verdict verdict;
        txn_check_list_append(record, TXN_STRICT_SERIALIZABLE, NULL, heap, &verdict);
        assert_int_not_equal(verdict.kind, VERDICT_OK);
        unknown += verdict.kind == VERDICT_UNKNOWN;
        illegal += verdict.kind == VERDICT_ILLEGAL;
        verdict_clear(&verdict, heap);
        assert_int_equal(heap_used(heap), 0);
        heap_free(*state, memory);
    }
    assert_true(unknown > 0 && illegal > 0);
    record_free(record);
}

/* The verifier must not believe everything. */
static void verifier_refuses(void **state)
{
    struct record *record = record_create(*state);
    testing_script(record, "a=ax1 b=rx1,ax2 c(ax3 c! d=rx12", true);
    static const struct {
        enum txn_level level;
        uint32_t order[8], count;
        bool good;
    } cases[] = {
        {TXN_STRICT_SERIALIZABLE, {0, 1, 3}, 3, true},
        {TXN_STRICT_SERIALIZABLE, {1, 0, 3}, 3, false},
        {TXN_STRICT_SERIALIZABLE, {0, 1}, 2, false},
        {TXN_STRICT_SERIALIZABLE, {0, 1, 1, 3}, 4, false},
        {TXN_SERIALIZABLE, {0, 1, 2, 3}, 4, false},
        {TXN_SERIALIZABLE, {0, 3, 1}, 3, false},
        {TXN_SERIALIZABLE, {0, 1, 9}, 3, false},
        {TXN_SNAPSHOT_ISOLATION, {0, 0, 1, 1, 3, 3}, 6, true},
        {TXN_SNAPSHOT_ISOLATION, {0, 1, 0, 1, 3, 3}, 6, false},
        {TXN_SNAPSHOT_ISOLATION, {0, 0, 1, 1, 3}, 5, false},
        {TXN_READ_COMMITTED, {0, 1, 3}, 3, true},
        {TXN_READ_COMMITTED, {1, 0, 3}, 3, false},
    };
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        uint32_t order[8];
        memcpy(order, cases[at].order, sizeof order);
        struct verdict verdict = {.kind = VERDICT_OK, .operations = order, .operation_count = cases[at].count};
        char reason[200] = "";
        bool good = txn_verify(record, cases[at].level, &verdict, *state, reason, sizeof reason);
        if (good != cases[at].good)
            fail_msg("case %zu: %s", at, reason);
    }
    record_free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),       cmocka_unit_test(registers),       cmocka_unit_test(names),
        cmocka_unit_test(misfits),     cmocka_unit_test(small_heaps),     cmocka_unit_test(verifier_refuses),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
