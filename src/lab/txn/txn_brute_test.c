/* Tiny random histories: the checks must agree with the plainest of all, which tries every order, and their
 * counter-histories must be wrong, and right without any one transaction. */
#include "lab/txn/txn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "base/test_seed.h"
#include "lab/txn/txn_testing.h"

enum { TXNS = 5, MICROS = 3, KEYS = 2, LENGTH = 16 };

struct list {
    uint8_t count, values[LENGTH];
};

struct tiny_micro {
    bool reads;
    uint8_t key, value;
    struct list got;
};

struct tiny_txn {
    struct tiny_micro micros[MICROS];
    uint32_t count, invoked, completed; /* completed: UINT32_MAX when info */
    enum record_outcome outcome;
};

struct tiny {
    bool lists;
    struct tiny_txn txns[TXNS];
    uint32_t count;
};

struct store {
    struct list keys[KEYS];
    uint8_t versions[KEYS];
};

/* ---- the plain check ---- */

struct brute {
    const struct tiny *tiny;
    enum txn_level level;
    unsigned kept; /* bits of transactions */
};

static unsigned writer_bit(const struct tiny *tiny, uint8_t key, uint8_t value)
{
    for (uint32_t txn = 0; txn < tiny->count; txn++)
        for (uint32_t at = 0; at < tiny->txns[txn].count; at++) {
            const struct tiny_micro *micro = &tiny->txns[txn].micros[at];
            if (!micro->reads && micro->key == key && micro->value == value)
                return 1u << txn;
        }
    return ~0u;
}

/* Runs a transaction; false when a read returned something else. What was written by those left out is not looked
 * at. */
static bool run(const struct brute *brute, uint32_t txn, struct store *store)
{
    const struct tiny *tiny = brute->tiny;
    for (uint32_t at = 0; at < tiny->txns[txn].count; at++) {
        const struct tiny_micro *micro = &tiny->txns[txn].micros[at];
        struct list *list = &store->keys[micro->key], want = {0};
        if (!micro->reads) {
            if (!tiny->lists)
                list->count = 0;
            list->values[list->count++] = micro->value;
            continue;
        }
        if (tiny->txns[txn].outcome != RECORD_OK)
            continue;
        bool left_out = false;
        for (uint32_t value = 0; value < micro->got.count; value++) {
            if (writer_bit(tiny, micro->key, micro->got.values[value]) & brute->kept)
                want.values[want.count++] = micro->got.values[value];
            else
                left_out = true;
        }
        if (left_out && !tiny->lists)
            continue;
        if (want.count != list->count || memcmp(want.values, list->values, want.count) != 0)
            return false;
    }
    return true;
}

static bool is_complete(const struct brute *brute, unsigned done)
{
    for (uint32_t txn = 0; txn < brute->tiny->count; txn++)
        if ((brute->kept & ~done) >> txn & 1 && brute->tiny->txns[txn].outcome == RECORD_OK)
            return false;
    return true;
}

static bool may_follow(const struct brute *brute, uint32_t txn, unsigned done)
{
    if (brute->level != TXN_STRICT_SERIALIZABLE)
        return true;
    for (uint32_t other = 0; other < brute->tiny->count; other++) {
        const struct tiny_txn *it = &brute->tiny->txns[other];
        if ((brute->kept & ~done) >> other & 1 && it->outcome == RECORD_OK &&
            it->completed < brute->tiny->txns[txn].invoked)
            return false;
    }
    return true;
}

static bool serial(const struct brute *brute, const struct store *store, unsigned done)
{
    if (is_complete(brute, done))
        return true;
    for (uint32_t txn = 0; txn < brute->tiny->count; txn++) {
        if (((brute->kept & ~done) >> txn & 1) == 0 || brute->tiny->txns[txn].outcome == RECORD_FAIL)
            continue;
        struct store next = *store;
        if (may_follow(brute, txn, done) && run(brute, txn, &next) && serial(brute, &next, done | 1u << txn))
            return true;
    }
    return false;
}

/* Snapshot isolation: starts and commits, and the state that each started transaction saw. */
static bool snapshots(const struct brute *brute, const struct store *store, const struct store *seen, unsigned started,
                      unsigned done)
{
    if (is_complete(brute, done))
        return true;
    for (uint32_t txn = 0; txn < brute->tiny->count; txn++) {
        const struct tiny_txn *it = &brute->tiny->txns[txn];
        if (((brute->kept & ~done) >> txn & 1) == 0 || it->outcome == RECORD_FAIL)
            continue;
        if ((started >> txn & 1) == 0) {
            struct store scratch = *store, now_seen[TXNS];
            memcpy(now_seen, seen, sizeof now_seen);
            now_seen[txn] = *store;
            if (run(brute, txn, &scratch) && snapshots(brute, store, now_seen, started | 1u << txn, done))
                return true;
            continue;
        }
        struct store next = *store;
        bool conflict = false, written[KEYS] = {false};
        for (uint32_t at = 0; at < it->count; at++) {
            const struct tiny_micro *micro = &it->micros[at];
            if (micro->reads)
                continue;
            conflict |= store->versions[micro->key] != seen[txn].versions[micro->key];
            written[micro->key] = true;
            if (!brute->tiny->lists)
                next.keys[micro->key].count = 0;
            next.keys[micro->key].values[next.keys[micro->key].count++] = micro->value;
        }
        for (uint32_t key = 0; key < KEYS; key++)
            next.versions[key] = (uint8_t)(next.versions[key] + written[key]);
        if (!conflict && snapshots(brute, &next, seen, started, done | 1u << txn))
            return true;
    }
    return false;
}

static bool brute_check(const struct tiny *tiny, enum txn_level level, unsigned kept)
{
    struct brute brute = {tiny, level, kept};
    struct store store = {0}, seen[TXNS] = {0};
    if (level == TXN_SNAPSHOT_ISOLATION)
        return snapshots(&brute, &store, seen, 0, 0);
    return serial(&brute, &store, 0);
}

/* ---- random histories ---- */

static void draw_times(struct random *random, struct tiny *tiny)
{
    uint32_t place = 0, invoked = 0, open[TXNS], open_count = 0;
    uint64_t overlap = random_below(random, 4);
    while (invoked < tiny->count || open_count > 0) {
        bool invoke = invoked < tiny->count && (open_count == 0 || random_below(random, 4) < overlap);
        if (invoke) {
            tiny->txns[invoked].invoked = place++;
            open[open_count++] = invoked++;
            continue;
        }
        uint32_t at = (uint32_t)random_below(random, open_count), txn = open[at];
        open[at] = open[--open_count];
        tiny->txns[txn].completed = place++;
    }
}

/* Runs the transactions in some order, near that of time, on one store, or on snapshots of it; then spoils a read. */
static void draw_reads(struct random *random, struct tiny *tiny)
{
    uint32_t order[TXNS];
    struct store store = {0}, old = {0};
    for (uint32_t at = 0; at < tiny->count; at++)
        order[at] = at;
    for (uint64_t swaps = random_below(random, 4); swaps > 0; swaps--) {
        uint32_t at = (uint32_t)random_below(random, tiny->count), to = (uint32_t)random_below(random, tiny->count);
        uint32_t swap = order[at];
        order[at] = order[to];
        order[to] = swap;
    }
    bool stale = random_chance(random, 1, 3);
    for (uint32_t at = 0; at < tiny->count; at++) {
        struct tiny_txn *txn = &tiny->txns[order[at]];
        bool lost = txn->outcome == RECORD_FAIL ? random_chance(random, 9, 10)
                                                : txn->outcome == RECORD_INFO && random_chance(random, 1, 2);
        struct store mine = stale && random_chance(random, 1, 2) ? old : store;
        old = store;
        for (uint32_t micro = 0; micro < txn->count; micro++) {
            struct list *list = &mine.keys[txn->micros[micro].key], *real = &store.keys[txn->micros[micro].key];
            if (txn->micros[micro].reads) {
                txn->micros[micro].got = *list;
                continue;
            }
            if (!tiny->lists)
                list->count = real->count = 0;
            list->values[list->count++] = txn->micros[micro].value;
            if (&mine != &store && !lost)
                real->values[real->count++] = txn->micros[micro].value;
        }
    }
    struct tiny_txn *txn = &tiny->txns[random_below(random, tiny->count)];
    struct tiny_micro *micro = &txn->micros[random_below(random, txn->count)];
    if (!random_chance(random, 1, 3) || !micro->reads)
        return;
    if (micro->got.count > 0 && random_chance(random, 1, 2))
        micro->got.count--;
    else if (tiny->lists && micro->got.count > 1) {
        uint8_t swap = micro->got.values[0];
        micro->got.values[0] = micro->got.values[1];
        micro->got.values[1] = swap;
    } else if (!tiny->lists && micro->got.count > 0)
        micro->got.values[0] = (uint8_t)random_between(random, 1, 5);
}

static void draw_tiny(struct random *random, struct tiny *tiny, bool lists)
{
    *tiny = (struct tiny){.lists = lists, .count = (uint32_t)random_between(random, 2, TXNS - 1)};
    uint8_t value = 1;
    for (uint32_t txn = 0; txn < tiny->count; txn++) {
        struct tiny_txn *it = &tiny->txns[txn];
        it->count = (uint32_t)random_between(random, 1, MICROS);
        uint64_t outcome = random_below(random, 12);
        it->outcome = outcome == 0 ? RECORD_FAIL : outcome == 1 ? RECORD_INFO : RECORD_OK;
        for (uint32_t at = 0; at < it->count; at++) {
            struct tiny_micro *micro = &it->micros[at];
            micro->reads = random_chance(random, 1, 2);
            micro->key = (uint8_t)random_below(random, KEYS);
            micro->value = micro->reads ? 0 : value++;
        }
    }
    draw_times(random, tiny);
    draw_reads(random, tiny);
}

static uint32_t txn_value(struct record *record, const struct tiny *tiny, const struct tiny_txn *txn, bool answered)
{
    uint32_t micros[MICROS];
    for (uint32_t at = 0; at < txn->count; at++) {
        const struct tiny_micro *micro = &txn->micros[at];
        uint32_t values[LENGTH];
        for (uint32_t value = 0; value < micro->got.count; value++)
            values[value] = record_integer(record, micro->got.values[value]);
        uint32_t parts[3] = {testing_text(record, micro->reads ? "r" : tiny->lists ? "append" : "w"),
                             record_integer(record, micro->key), record_null(record)};
        if (!micro->reads)
            parts[2] = record_integer(record, micro->value);
        else if (answered && tiny->lists)
            parts[2] = record_list(record, VALUE_LIST, values, micro->got.count);
        else if (answered && micro->got.count > 0)
            parts[2] = values[0];
        micros[at] = record_list(record, VALUE_LIST, parts, 3);
    }
    return record_list(record, VALUE_LIST, micros, txn->count);
}

static void record_tiny(struct record *record, const struct tiny *tiny)
{
    record_clear(record);
    uint32_t text = testing_text(record, "txn"), ids[TXNS];
    for (uint32_t place = 0; place < 2 * TXNS; place++)
        for (uint32_t txn = 0; txn < tiny->count; txn++) {
            const struct tiny_txn *it = &tiny->txns[txn];
            if (it->invoked == place)
                ids[txn] = record_invoke(record, txn, text, VALUE_NONE, txn_value(record, tiny, it, false), 0);
            if (it->completed == place)
                record_end(record, ids[txn], it->outcome,
                           it->outcome == RECORD_OK ? txn_value(record, tiny, it, true) : VALUE_NONE, 0);
        }
}

/* ---- agreement ---- */

struct tally {
    uint32_t ok, illegal, unknown;
};

static void check_minimal(const struct tiny *tiny, enum txn_level level, const struct verdict *verdict, uint64_t number)
{
    unsigned kept = 0;
    for (uint32_t at = 0; at < verdict->operation_count; at++)
        kept |= 1u << verdict->operations[at];
    if (brute_check(tiny, level, kept))
        fail_msg("history %u at %s: the counter-history can be explained: %s", (unsigned)number, txn_level_name(level),
                 verdict->reason);
    for (uint32_t at = 0; at < verdict->operation_count && strcmp(verdict->anomaly, "dirty update") != 0; at++)
        if (!brute_check(tiny, level, kept & ~(1u << verdict->operations[at])))
            fail_msg("history %u at %s: %s: T%u is not needed", (unsigned)number, txn_level_name(level),
                     verdict->reason, (unsigned)verdict->operations[at]);
}

static void agree(struct heap *heap, struct record *record, const struct tiny *tiny, enum txn_level level,
                  uint64_t number, struct tally *tally)
{
    struct verdict verdict;
    char reason[200];
    (tiny->lists ? txn_check_list_append : txn_check_rw_register)(record, level, NULL, heap, &verdict);
    bool good = brute_check(tiny, level, ~0u);
    tally->ok += verdict.kind == VERDICT_OK;
    tally->illegal += verdict.kind == VERDICT_ILLEGAL;
    tally->unknown += verdict.kind == VERDICT_UNKNOWN;
    if (verdict.kind != VERDICT_UNKNOWN && good != (verdict.kind == VERDICT_OK))
        fail_msg("history %u at %s: wanted %s, got %s: %s", (unsigned)number, txn_level_name(level),
                 good ? "ok" : "illegal", verdict_name(verdict.kind), verdict.reason);
    if (verdict.kind == VERDICT_OK && !txn_verify(record, level, &verdict, heap, reason, sizeof reason))
        fail_msg("history %u at %s: %s", (unsigned)number, txn_level_name(level), reason);
    if (verdict.kind == VERDICT_ILLEGAL)
        check_minimal(tiny, level, &verdict, number);
    verdict_clear(&verdict, heap);
}

static void agree_on_many(bool lists)
{
    struct heap *heap = heap_create_system((size_t)1 << 30);
    struct record *record = record_create(heap);
    struct random random;
    random_seed(&random, test_seed("txn_brute_test"));
    static const enum txn_level levels[] = {TXN_STRICT_SERIALIZABLE, TXN_SERIALIZABLE, TXN_SNAPSHOT_ISOLATION,
                                            TXN_REPEATABLE_READ};
    struct tally tallies[4] = {0};
    for (uint64_t number = 0; number < 12000; number++) {
        struct tiny tiny;
        draw_tiny(&random, &tiny, lists);
        record_tiny(record, &tiny);
        for (int level = 0; level < 4; level++)
            agree(heap, record, &tiny, levels[level], number, &tallies[level]);
    }
    for (int level = 0; level < 4; level++) {
        printf("%s: %u ok, %u illegal, %u unknown\n", txn_level_name(levels[level]), (unsigned)tallies[level].ok,
               (unsigned)tallies[level].illegal, (unsigned)tallies[level].unknown);
        assert_true(tallies[level].ok > 2000 && tallies[level].illegal > 300);
        assert_true(tallies[level].unknown <= (levels[level] == TXN_SNAPSHOT_ISOLATION && lists ? 5 : 0));
    }
    record_free(record);
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
}

static void lists(void **state)
{
    (void)state;
    agree_on_many(true);
}

static void registers(void **state)
{
    (void)state;
    agree_on_many(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(registers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
