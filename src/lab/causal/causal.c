/* The levels of the causal family, and the way of a check (causal.h). */
#include "lab/causal/causal_internal.h"

const char *causal_level_name(enum causal_level level)
{
#define CAUSAL_LEVEL_TEXT(name, text) text,
    static const char *const names[] = {CAUSAL_LEVELS(CAUSAL_LEVEL_TEXT)};
#undef CAUSAL_LEVEL_TEXT
    return (unsigned)level < CAUSAL_LEVEL_COUNT ? names[level] : "?";
}

void causal_check_level(struct causal *causal, enum causal_level level, struct causal_suspects *suspects,
                        struct verdict *out)
{
    switch (level) {
    case CAUSAL_LEVEL_CAUSAL:
        causal_check_past(causal, suspects, out);
        return;
    case CAUSAL_LEVEL_CAUSAL_CONVERGENCE:
        causal_check_convergence(causal, suspects, out);
        return;
    case CAUSAL_LEVEL_CAUSAL_MEMORY:
    case CAUSAL_LEVEL_PRAM:
        causal_check_memory(causal, level == CAUSAL_LEVEL_PRAM, suspects, out);
        return;
    case CAUSAL_LEVEL_EVENTUAL:
        causal_check_eventual(causal, suspects, out);
        return;
    case CAUSAL_LEVEL_READ_YOUR_WRITES:
    case CAUSAL_LEVEL_MONOTONIC_READS:
    case CAUSAL_LEVEL_MONOTONIC_WRITES:
    case CAUSAL_LEVEL_WRITES_FOLLOW_READS:
    case CAUSAL_LEVEL_COUNT:
        causal_check_session(causal, level, suspects, out);
        return;
    }
}

/* Causal consistency and convergence have one order for all. */
static void give_order(struct causal *causal, enum causal_level level, struct verdict *out)
{
    if (level != CAUSAL_LEVEL_CAUSAL && level != CAUSAL_LEVEL_CAUSAL_CONVERGENCE)
        return;
    for (uint32_t i = 0; i < causal->count; i++)
        causal->order[i] = causal->list[causal->order[i]].recorded;
    out->operations = causal->order;
    out->operation_count = causal->count;
    causal->order = NULL;
}

void causal_check(const struct record *record, enum causal_level level, const struct verdict_bounds *bounds,
                  struct heap *heap, struct verdict *out)
{
    (void)bounds; /* the work is linear, or nearly so; what can run out is memory */
    *out = (struct verdict){.kind = VERDICT_OK};
    if (record->incomplete) {
        causal_out_of_memory(out);
        return;
    }
    struct causal causal;
    if (!causal_init(&causal, record, heap, out))
        return;
    struct causal_suspects suspects = {.heap = heap};
    causal_check_level(&causal, level, &suspects, out);
    if (out->kind == VERDICT_OK)
        give_order(&causal, level, out);
    else if (out->kind == VERDICT_ILLEGAL)
        causal_counter(&causal, level, &suspects, out);
    heap_free(heap, suspects.list);
    causal_free(&causal);
}
