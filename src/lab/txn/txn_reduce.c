/* From a finding to a verdict. What takes part in an anomaly is checked as a history of its own, and one transaction
 * after the other is left out for good when the rest still has an anomaly: so at the end none can be left out. (Of a
 * dirty update, which contains an aborted read, the rest must still be a dirty update.) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/txn/txn_internal.h"

/* Larger sets are reported as they are. */
enum { REDUCE_MAX = 1000 };

void txn_verdict_unknown(struct verdict *verdict, const char *format, ...)
{
    *verdict = (struct verdict){.kind = VERDICT_UNKNOWN};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->reason, sizeof verdict->reason, format, arguments);
    va_end(arguments);
}

struct reduction {
    const struct txn_history *history;
    txn_analysis *analysis;
    enum txn_level level;
    const struct verdict_bounds *bounds;
    struct txn_finding *finding; /* of the smallest set so far; its text only */
    bool same;                   /* the anomaly must stay the same: it contains a simpler one */
    uint64_t work;
};

/* Has this set an anomaly of its own? */
static bool still_found(struct reduction *reduction, const uint32_t *txns, uint32_t count)
{
    struct txn_arena arena = {.heap = reduction->history->arena->heap};
    struct txn_history subset;
    struct txn_finding finding = {.result = TXN_STUCK};
    if (txn_history_subset(&subset, reduction->history, txns, count, &arena))
        reduction->analysis(&subset, reduction->level, reduction->bounds, &finding);
    reduction->work += finding.work;
    if (reduction->same && strcmp(finding.anomaly, reduction->finding->anomaly) != 0)
        finding.result = TXN_FINE;
    if (finding.result == TXN_FOUND) {
        memcpy(reduction->finding->anomaly, finding.anomaly, sizeof finding.anomaly);
        memcpy(reduction->finding->reason, finding.reason, sizeof finding.reason);
    }
    txn_arena_free(&arena);
    return finding.result == TXN_FOUND;
}

static int by_number(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static bool may_go(const struct txn_history *history, uint32_t txn)
{
    const struct txn_micro *micros = history->micros + history->txns[txn].first;
    for (uint32_t at = 0; history->keep_writers && at < history->txns[txn].count; at++)
        if (micros[at].function != TXN_READ)
            return false;
    return true;
}

static void reduce(struct reduction *reduction, uint32_t *txns, uint32_t *count)
{
    uint64_t work_max = reduction->bounds->work_max == 0 ? UINT64_C(20000000) : reduction->bounds->work_max;
    uint32_t *rest = txn_take(reduction->history->arena, *count, sizeof *rest);
    qsort(txns, *count, sizeof *txns, by_number);
    uint32_t unique = 0;
    for (uint32_t at = 0; at < *count; at++)
        if (at == 0 || txns[at] != txns[unique - 1])
            txns[unique++] = txns[at];
    *count = unique;
    if (rest == NULL || *count > REDUCE_MAX || !still_found(reduction, txns, *count))
        return;
    for (bool again = true; again && *count > 1;) {
        again = false;
        for (uint32_t out = *count; out-- > 0 && *count > 1;) {
            if (!may_go(reduction->history, txns[out]))
                continue;
            memcpy(rest, txns, out * sizeof *rest);
            memcpy(rest + out, txns + out + 1, (*count - out - 1) * sizeof *rest);
            if (reduction->work > work_max || !still_found(reduction, rest, *count - 1))
                continue;
            memcpy(txns, rest, --*count * sizeof *rest);
            again = true;
        }
    }
}

/* Copies the transactions' operations into the verdict. */
static bool list_operations(const struct txn_history *history, const struct txn_finding *finding, struct heap *heap,
                            struct verdict *verdict)
{
    verdict->operations = heap_alloc(heap, (finding->count + 1) * sizeof(uint32_t));
    if (verdict->operations == NULL)
        return false;
    for (uint32_t at = 0; at < finding->count; at++)
        verdict->operations[at] = history->txns[finding->txns[at]].operation;
    verdict->operation_count = finding->count;
    return true;
}

void txn_conclude(struct txn_history *history, txn_analysis *analysis, enum txn_level level,
                  const struct verdict_bounds *bounds, struct heap *heap, struct verdict *verdict)
{
    struct txn_finding finding = {.result = TXN_STUCK};
    analysis(history, level, bounds, &finding);
    if (finding.result == TXN_STUCK) {
        txn_verdict_unknown(verdict, "%s", finding.reason);
        verdict->work = finding.work;
        return;
    }
    *verdict = (struct verdict){.kind = finding.result == TXN_FINE ? VERDICT_OK : VERDICT_ILLEGAL};
    if (finding.result == TXN_FOUND) {
        struct reduction reduction = {
            .history = history, .analysis = analysis, .level = level, .bounds = bounds, .finding = &finding};
        reduction.same = strcmp(finding.anomaly, "dirty update") == 0;
        reduce(&reduction, finding.txns, &finding.count);
        memcpy(verdict->anomaly, finding.anomaly, sizeof verdict->anomaly);
        memcpy(verdict->reason, finding.reason, sizeof verdict->reason);
    }
    verdict->work = finding.work;
    if (!list_operations(history, &finding, heap, verdict))
        txn_verdict_unknown(verdict, "the memory for the check ran out; allow more, or check a shorter history");
}
