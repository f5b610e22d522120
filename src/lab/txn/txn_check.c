/* The checks' front: which functions a model has, and which analysis it gets. */
#include "lab/txn/txn_internal.h"

static void check(const struct record *record, const struct txn_names *names, txn_analysis *analysis,
                  enum txn_level level, const struct verdict_bounds *bounds, struct heap *heap, struct verdict *verdict)
{
    static const struct verdict_bounds none = {0};
    struct txn_arena arena = {.heap = heap};
    struct txn_history history;
    char reason[VERDICT_REASON_SIZE];
    if (txn_history_read(&history, record, names, &arena, NULL, reason, sizeof reason))
        txn_conclude(&history, analysis, level, bounds == NULL ? &none : bounds, heap, verdict);
    else
        txn_verdict_unknown(verdict, "%s", reason);
    txn_arena_free(&arena);
}

void txn_check_list_append(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                           struct heap *heap, struct verdict *verdict)
{
    static const struct txn_names names = {.read = {"r", "read"}, .append = {"append"}};
    check(record, &names, txn_analyse_lists, level, bounds, heap, verdict);
}

void txn_check_rw_register(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                           struct heap *heap, struct verdict *verdict)
{
    static const struct txn_names names = {.read = {"r", "read"}, .write = {"w", "write"}};
    check(record, &names, txn_analyse_registers, level, bounds, heap, verdict);
}
