/* Banks and maps: hand-made histories, accepted and refused. */
#include "lab/txn/txn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

/* ---- bank: "a(R10,5" reads balances of the accounts 0 and 1, "a(T0,1,3" moves 3 from 0 to 1 ---- */

static uint32_t bank_value(struct record *record, const char *text, bool map)
{
    int64_t numbers[3] = {0};
    uint32_t count = 0, parts[6];
    for (char *rest = (char *)(uintptr_t)(text + 1); *rest != '\0' && count < 3; rest += *rest == ',')
        numbers[count++] = strtoll(rest, &rest, 10);
    static const char *const names[3] = {"from", "to", "amount"};
    for (uint32_t at = 0; at < count; at++) {
        parts[2 * at] = text[0] == 'R' ? record_integer(record, at) : testing_text(record, names[at]);
        parts[2 * at + 1] = record_integer(record, numbers[at]);
        if (text[0] == 'R' && !map)
            parts[at] = record_list(record, VALUE_LIST, (uint32_t[]){record_integer(record, at), parts[2 * at + 1]}, 2);
    }
    if (text[0] == 'R' && !map)
        return record_list(record, VALUE_LIST, parts, count);
    return record_list(record, VALUE_MAP, parts, count * 2);
}

static void bank_script(struct record *record, const char *script, bool map)
{
    uint32_t open[26] = {0}, answers[26] = {0};
    char *copy = strdup(script), *rest = copy;
    for (char *step; (step = strtok_r(rest, " ", &rest)) != NULL;) {
        uint32_t process = (uint32_t)(step[0] - 'a');
        if (step[1] == '(' || step[1] == '=') {
            bool reads = step[2] == 'R';
            answers[process] = bank_value(record, step + 2, map);
            uint32_t function = testing_text(record, reads ? "read" : "transfer");
            open[process] = record_invoke(record, process, function, VALUE_NONE,
                                          reads ? VALUE_NONE : answers[process], 0);
        }
        if (step[1] == '=' || step[1] == ')')
            record_end(record, open[process], RECORD_OK, answers[process], 0);
        else if (step[1] == '!')
            record_end(record, open[process], RECORD_FAIL, VALUE_NONE, 0);
        else if (step[1] == '?')
            record_end(record, open[process], RECORD_INFO, VALUE_NONE, 0);
    }
    free(copy);
}

static void banks(void **state)
{
    static const struct {
        const char *script;
        enum txn_level level;
        const char *anomaly; /* NULL: ok */
        bool debts;
    } cases[] = {
        {"", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"a=R10,0 b=T0,1,3 a=R7,3", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"a=R10,0 b(T0,1,3 a=R7,3 a=R7,3 b)", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"a=R10,0 b(T0,1,3 b? a=R7,3 a=R7,3", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"a=R10,0 b(T0,1,3 b? a=R10,0 a=R7,3", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"a=R10,0 b(T0,1,3 a=R7,0 b)", TXN_STRICT_SERIALIZABLE, "wrong total", false},
        {"a=R10,0 b(T0,1,3 a=R7,0 b)", TXN_SNAPSHOT_ISOLATION, "wrong total", false},
        {"a=R10,0 b(T0,1,3 a=R7,0 b)", TXN_READ_COMMITTED, NULL, false},
        {"a=R-1,11", TXN_SERIALIZABLE, "negative balance", false},
        {"a=R-1,11 b=T0,1,2 a=R-3,13", TXN_STRICT_SERIALIZABLE, NULL, true},
        {"a=R1,9 b=T0,1,2", TXN_STRICT_SERIALIZABLE, "no serial order", false},
        {"a=R1,9 b=T0,1,2", TXN_STRICT_SERIALIZABLE, NULL, true},
        {"a=R10,0 b=T0,1,3 a=R10,0", TXN_STRICT_SERIALIZABLE, "no serial order", false},
        {"a=R10,0 b=T0,1,3 a=R10,0", TXN_SERIALIZABLE, NULL, false},
        {"a=R10,0 b(T0,1,3 a=R7,3 a=R10,0 b)", TXN_STRICT_SERIALIZABLE, "no serial order", false},
        {"a=R10,0 b(T0,1,3 b! a=R7,3", TXN_STRICT_SERIALIZABLE, "no serial order", false},
        /* What was there at first is not known. */
        {"b=T0,1,3", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"b=T0,1,3 a=R7,3 a=R7,3", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"b=T0,1,3 a=R7,3 a=R3,7", TXN_STRICT_SERIALIZABLE, "no serial order", false},
        {"b=T0,1,3 a=R7,3 b=T0,1,3 a=R7,3", TXN_STRICT_SERIALIZABLE, "no serial order", false},
        {"b=T0,1,3 a=R7,3 b=T0,1,3 a=R7,3", TXN_SERIALIZABLE, NULL, false},
        {"b(T0,1,3 a=R10,0 a=R7,3 b)", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"b(T0,1,3 a=R7,3 a=R10,0 b)", TXN_STRICT_SERIALIZABLE, "no serial order", false},
        {"b(T0,1,3 a=R7,3 a=R10,0 b)", TXN_SERIALIZABLE, NULL, false},
        {"b(T0,1,3 a=R7,3 b) c=T0,1,2 a=R5,5", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"b=T0,1,9 c=T1,0,8 a=R9,1", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"c=T1,0,8 b=T0,1,9 a=R0,2", TXN_STRICT_SERIALIZABLE, "no serial order", false},
        {"c=T1,0,8 b=T0,1,9 c=T1,0,9 a=R9,0", TXN_STRICT_SERIALIZABLE, NULL, false},
        {"b=T0,1,3 a=R0,2", TXN_STRICT_SERIALIZABLE, "no serial order", false}, /* account 1 began at -1 */
        {"b=T0,1,3 a=R0,2", TXN_STRICT_SERIALIZABLE, NULL, true},
        {"a=R7,3 b=T0,1,3 a=R10,0", TXN_SERIALIZABLE, NULL, false}, /* as if the reads changed places */
        {"a=R7,3 b=T0,1,3 a=R10,0", TXN_STRICT_SERIALIZABLE, "no serial order", false},
    };
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++)
        for (int map = 0; map < 2; map++) {
            struct record *record = record_create(*state);
            struct verdict verdict;
            bank_script(record, cases[at].script, map == 1);
            (cases[at].debts ? txn_check_bank_with_debts : txn_check_bank)(record, cases[at].level, NULL, *state,
                                                                           &verdict);
            enum verdict_kind kind = cases[at].anomaly == NULL ? VERDICT_OK : VERDICT_ILLEGAL;
            if (verdict.kind != kind || (kind == VERDICT_ILLEGAL && strcmp(verdict.anomaly, cases[at].anomaly) != 0))
                fail_msg("%s at %s: %s %s: %s", cases[at].script, txn_level_name(cases[at].level),
                         verdict_name(verdict.kind), verdict.anomaly, verdict.reason);
            verdict_clear(&verdict, *state);
            record_free(record);
        }
}

/* Scripts of txn_testing.h, where digits after 'r' are one value, or a list. */
static void maps(void **state)
{
    static const struct {
        const char *script;
        bool lists;
        enum txn_level level;
        enum verdict_kind kind;
    } cases[] = {
        {"a=wx1,wy1 b=rx1,ry1", false, TXN_STRICT_SERIALIZABLE, VERDICT_OK},
        {"a=wx1 b=rx_", false, TXN_STRICT_SERIALIZABLE, VERDICT_ILLEGAL},
        {"a=wx1 b=rx_", false, TXN_SERIALIZABLE, VERDICT_OK},
        {"a=ax1 b=ax2 c=rx12", true, TXN_STRICT_SERIALIZABLE, VERDICT_OK},
        {"a=ax1 b=ax2 c=rx21", true, TXN_STRICT_SERIALIZABLE, VERDICT_ILLEGAL},
        {"a=wx1 b=wx2 c=wx1 d=rx1", false, TXN_STRICT_SERIALIZABLE, VERDICT_OK}, /* 1 is written twice */
        {"a=wx1 b=wx1 c=wx2 d=rx1", false, TXN_STRICT_SERIALIZABLE, VERDICT_ILLEGAL},
        {"a=wx1 b=wx1 c=wx2 d=rx1", false, TXN_SERIALIZABLE, VERDICT_OK},
        {"a=wx1 b=wx1 c=wx2 d=rx1", false, TXN_READ_COMMITTED, VERDICT_UNKNOWN},
        {"a=wx1,wy1 b=wx1,wy2 c(rx1,ry1 d(rx1,ry2 c) d)", false, TXN_SERIALIZABLE, VERDICT_OK},
        {"a(wx1,wy1 b(wx2,wy2 c(wx1,wy3 a) b) c) d(rx1,ry2 d)", false, TXN_SERIALIZABLE, VERDICT_ILLEGAL},
        {"a=ax1 b=ax1 c=rx11", true, TXN_STRICT_SERIALIZABLE, VERDICT_OK}, /* 1 is appended twice */
        {"a=ax1 b=ax2 c=ax1 d=rx112", true, TXN_SERIALIZABLE, VERDICT_OK},
        {"a=ax1 b=ax2 c=ax1 d=rx112", true, TXN_STRICT_SERIALIZABLE, VERDICT_ILLEGAL},
        {"a=wx5 b=ax2 c=rx52", true, TXN_STRICT_SERIALIZABLE, VERDICT_OK}, /* a put, then an append to it */
        {"b=ax2 a=wx5 c=rx52", true, TXN_STRICT_SERIALIZABLE, VERDICT_ILLEGAL},
        {"a(ax1 a? b=ax1 c=rx1 d=rx11", true, TXN_STRICT_SERIALIZABLE, VERDICT_OK},
    };
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        struct record *record = record_create(*state);
        struct verdict verdict;
        testing_script(record, cases[at].script, cases[at].lists);
        txn_check_kv(record, cases[at].level, NULL, *state, &verdict);
        if (verdict.kind != cases[at].kind)
            fail_msg("%s at %s: %s %s", cases[at].script, txn_level_name(cases[at].level), verdict_name(verdict.kind),
                     verdict.reason);
        verdict_clear(&verdict, *state);
        record_free(record);
    }
}

/* Operations that are single gets and puts, with a key of their own. */
static void single_operations(void **state)
{
    struct record *record = record_create(*state);
    uint32_t key = testing_text(record, "x"), one = record_integer(record, 1);
    record_end(record, record_invoke(record, 0, testing_text(record, "put"), key, one, 0), RECORD_OK, VALUE_NONE, 0);
    uint32_t get = record_invoke(record, 1, testing_text(record, "get"), key, VALUE_NONE, 0);
    record_end(record, get, RECORD_OK, record_null(record), 0);
    struct verdict verdict;
    txn_check_kv(record, TXN_SERIALIZABLE, NULL, *state, &verdict);
    assert_int_equal(verdict.kind, VERDICT_OK);
    verdict_clear(&verdict, *state);
    txn_check_kv(record, TXN_STRICT_SERIALIZABLE, NULL, *state, &verdict);
    assert_int_equal(verdict.kind, VERDICT_ILLEGAL);
    assert_string_equal(verdict.anomaly, "G-single-realtime");
    verdict_clear(&verdict, *state);
    record_free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(banks), cmocka_unit_test(maps),
                                       cmocka_unit_test(single_operations)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
