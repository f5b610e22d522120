#include "lab/check_table.h"

#include <stdio.h>
#include <string.h>

#include "lab/causal/causal.h"
#include "lab/object/object.h"
#include "lab/txn/txn.h"

/* causal_verify() takes time that grows with the square of the history. */
enum { CAUSAL_VERIFY_MAX = 2000, NO_LEVEL = -1 };

/* The levels of each checker by their numbers. */
static const char *object_level_name(int level)
{
    return level == OBJECT_LINEARIZABLE ? "linearizable" : level == OBJECT_SEQUENTIAL ? "sequential" : NULL;
}

static const char *level_name(enum check_checker checker, int level)
{
    switch (checker) {
    case CHECK_OBJECT:
        return object_level_name(level);
    case CHECK_CAUSAL:
        return level < CAUSAL_LEVEL_COUNT ? causal_level_name((enum causal_level)level) : NULL;
    case CHECK_LIST_APPEND:
    case CHECK_RW_REGISTER:
    case CHECK_KV_TRANSACTIONS:
    case CHECK_BANK:
        break;
    }
    return level < TXN_LEVELS ? txn_level_name((enum txn_level)level) : NULL;
}

/* The checkers of a model, the usual one first. */
static const struct {
    const char *model;
    enum check_checker checker;
    int type;
} rows[] = {
    {"register", CHECK_OBJECT, OBJECT_REGISTER},
    {"register", CHECK_CAUSAL, 0},
    {"cas-register", CHECK_OBJECT, OBJECT_REGISTER},
    {"multi-register", CHECK_OBJECT, OBJECT_MULTI_REGISTER},
    {"set", CHECK_OBJECT, OBJECT_SET},
    {"queue", CHECK_OBJECT, OBJECT_QUEUE},
    {"stack", CHECK_OBJECT, OBJECT_STACK},
    {"mutex", CHECK_OBJECT, OBJECT_MUTEX},
    {"fenced-mutex", CHECK_OBJECT, OBJECT_FENCED_MUTEX},
    {"counter", CHECK_OBJECT, OBJECT_COUNTER},
    {"kv", CHECK_OBJECT, OBJECT_KV},
    {"kv", CHECK_CAUSAL, 0},
    {"kv", CHECK_KV_TRANSACTIONS, 0},
    {"list-append", CHECK_LIST_APPEND, 0},
    {"rw-register", CHECK_RW_REGISTER, 0},
    {"bank", CHECK_BANK, 0},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

size_t check_list(char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned row = 0; row < ROW_COUNT; row++) {
        bool first = row == 0 || strcmp(rows[row].model, rows[row - 1].model) != 0;
        if (first && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s:", row == 0 ? "" : "\n", rows[row].model);
        for (int level = 0; level_name(rows[row].checker, level) != NULL && used < size; level++)
            used += (size_t)snprintf(out + used, size - used, " %s", level_name(rows[row].checker, level));
    }
    return used < size ? used : size - 1;
}

static bool has_transactions(const struct record *record)
{
    for (uint32_t at = 0; at < record->operation_count; at++)
        if (span_equal(record_text_of(record, record->operations[at].function), span_string("txn")))
            return true;
    return false;
}

/* The level's number in a row; NO_LEVEL when the row has none of that name. */
static int row_level(unsigned row, const char *level)
{
    for (int at = 0; level_name(rows[row].checker, at) != NULL; at++)
        if (level == NULL || strcmp(level_name(rows[row].checker, at), level) == 0)
            return at;
    return NO_LEVEL;
}

/* Lists what the model can be checked at, or all models. */
static void say_missing(const char *model, const char *level, char *why, size_t size)
{
    size_t used = 0;
    bool known = false;
    for (unsigned row = 0; row < ROW_COUNT; row++)
        known = known || strcmp(rows[row].model, model) == 0;
    if (known)
        used = (size_t)snprintf(why, size, "the model %s has no level '%s'; it has:", model, level);
    else
        used = (size_t)snprintf(why, size, "there is no model '%s'; there are:", model);
    for (unsigned row = 0; row < ROW_COUNT; row++) {
        bool first = row == 0 || strcmp(rows[row].model, rows[row - 1].model) != 0;
        if (!known && first && used < size)
            used += (size_t)snprintf(why + used, size - used, " %s", rows[row].model);
        for (int at = 0; known && strcmp(rows[row].model, model) == 0 && level_name(rows[row].checker, at) != NULL &&
                         used < size; at++)
            used += (size_t)snprintf(why + used, size - used, " %s", level_name(rows[row].checker, at));
    }
}

bool check_find(const char *model, const char *level, const struct record *record, struct check_choice *out, char *why,
                size_t why_size)
{
    bool transactions = record != NULL && has_transactions(record);
    for (unsigned row = 0; row < ROW_COUNT; row++) {
        if (strcmp(rows[row].model, model) != 0 || row_level(row, level) == NO_LEVEL)
            continue;
        if (level == NULL && strcmp(model, "kv") == 0 && transactions != (rows[row].checker == CHECK_KV_TRANSACTIONS))
            continue;
        *out = (struct check_choice){.model = rows[row].model, .type = rows[row].type, .at = row_level(row, level)};
        out->level = level_name(rows[row].checker, out->at);
        out->checker = rows[row].checker;
        return true;
    }
    say_missing(model, level == NULL ? "" : level, why, why_size);
    return false;
}

static bool examine(const struct check_choice *choice, const struct record *record, const struct verdict *verdict,
                    struct heap *heap, char *why, size_t why_size, bool *examined)
{
    *examined = true;
    switch (choice->checker) {
    case CHECK_OBJECT:
        return object_verify(record, (enum object_type)choice->type, (enum object_level)choice->at, verdict, heap, why,
                             why_size);
    case CHECK_LIST_APPEND:
    case CHECK_RW_REGISTER:
        return txn_verify(record, (enum txn_level)choice->at, verdict, heap, why, why_size);
    case CHECK_CAUSAL:
        if (record->operation_count <= CAUSAL_VERIFY_MAX) {
            const char *wrong = causal_verify(record, (enum causal_level)choice->at, verdict, heap);
            snprintf(why, why_size, "%s", wrong == NULL ? "" : wrong);
            return wrong == NULL;
        }
        break;
    case CHECK_KV_TRANSACTIONS:
    case CHECK_BANK:
        break;
    }
    *examined = false;
    return true;
}

void check_run(const struct check_choice *choice, const struct record *record, const struct verdict_bounds *bounds,
               struct heap *heap, struct verdict *verdict, bool *examined)
{
    *verdict = (struct verdict){.kind = VERDICT_UNKNOWN};
    *examined = false;
    switch (choice->checker) {
    case CHECK_OBJECT:
        object_check(record, (enum object_type)choice->type, (enum object_level)choice->at, bounds, heap, verdict);
        break;
    case CHECK_CAUSAL:
        causal_check(record, (enum causal_level)choice->at, bounds, heap, verdict);
        break;
    case CHECK_LIST_APPEND:
        txn_check_list_append(record, (enum txn_level)choice->at, bounds, heap, verdict);
        break;
    case CHECK_RW_REGISTER:
        txn_check_rw_register(record, (enum txn_level)choice->at, bounds, heap, verdict);
        break;
    case CHECK_KV_TRANSACTIONS:
        txn_check_kv(record, (enum txn_level)choice->at, bounds, heap, verdict);
        break;
    case CHECK_BANK:
        txn_check_bank(record, (enum txn_level)choice->at, bounds, heap, verdict);
        break;
    }
    char why[VERDICT_REASON_SIZE / 2];
    if (verdict->kind != VERDICT_OK || examine(choice, record, verdict, heap, why, sizeof why, examined))
        return;
    verdict_clear(verdict, heap);
    bool memory = strstr(why, "the memory") == why;
    snprintf(verdict->reason, sizeof verdict->reason, "%s%s",
             memory ? "" : "the checker's own witness was refused, which is an error of the checker: ", why);
}
