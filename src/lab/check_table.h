/* Which model can be checked at which level, and by whom: the table behind `lockstep check`. */
#ifndef LOCKSTEP_LAB_CHECK_TABLE_H
#define LOCKSTEP_LAB_CHECK_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "lab/history/record.h"
#include "lab/history/verdict.h"

enum check_checker {
    CHECK_OBJECT,
    CHECK_CAUSAL,
    CHECK_LIST_APPEND,
    CHECK_RW_REGISTER,
    CHECK_KV_TRANSACTIONS,
    CHECK_BANK,
};

/* A model and a level that go together. */
struct check_choice {
    const char *model, *level;
    /* The checker's own names for them. */
    int type, at;
    enum check_checker checker;
};

/* Looks a pair up. `level` may be NULL: then it is the model's usual one, which of a key-value store depends on whether
 * the record holds transactions. False when there is no such pair, with a sentence that lists what there is. */
bool check_find(const char *model, const char *level, const struct record *record, struct check_choice *out, char *why,
                size_t why_size);

/* Checks, and has the witness of an OK examined by the verifier where there is one that is quick enough: a refused
 * witness makes the verdict UNKNOWN. `examined` says whether it was. The verdict's lists lie on the heap. */
void check_run(const struct check_choice *choice, const struct record *record, const struct verdict_bounds *bounds,
               struct heap *heap, struct verdict *verdict, bool *examined);

/* Prints the table for people: a line a model, with its levels, the usual one first. */
size_t check_list(char *out, size_t size);

#endif
