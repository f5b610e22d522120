/* Failure detectors: completeness and accuracy, as classes of Chandra and Toueg are made of them: P has strong accuracy,
 * the eventually perfect one has eventual accuracy, both are complete. */
#include "lab/promise/promise_internal.h"

enum { P = PROMISE_PROCESSES_MAX };

/* What each process thinks of each other at the end: place of the last SUSPECT, or PROMISE_NO when it trusts. A restart
 * forgets. */
static void last_thoughts(const struct observations *observations, uint32_t (*suspects)[P])
{
    for (uint32_t p = 0; p < P; p++)
        for (uint32_t q = 0; q < P; q++)
            suspects[p][q] = PROMISE_NO;
    for (uint32_t i = 0; i < observations->count; i++) {
        const struct observation *seen = &observations->list[i];
        if (seen->kind == OBSERVED_RESTART)
            for (uint32_t q = 0; q < P; q++)
                suspects[seen->process][q] = PROMISE_NO;
        if (seen->first >= P)
            continue;
        if (seen->kind == OBSERVED_SUSPECT)
            suspects[seen->process][seen->first] = i;
        else if (seen->kind == OBSERVED_TRUST)
            suspects[seen->process][seen->first] = PROMISE_NO;
    }
}

static void check_end(const struct observations *observations, bool complete, struct heap *heap, struct verdict *out)
{
    uint32_t(*suspects)[P] = heap_alloc(heap, sizeof(uint32_t[P][P]));
    if (suspects == NULL) {
        promise_unknown(out);
        return;
    }
    last_thoughts(observations, suspects);
    uint64_t correct = promise_correct(observations), all = observations->processes;
    for (uint32_t p = 0; p < P; p++)
        for (uint32_t q = 0; q < P; q++) {
            if (p == q || (correct >> p & 1) == 0 || (all >> q & 1) == 0)
                continue;
            bool up = (correct >> q & 1) != 0, suspected = suspects[p][q] != PROMISE_NO;
            if (complete && !up && !suspected)
                promise_broken(out, heap, "completeness", (uint32_t[3]){PROMISE_NO, PROMISE_NO, PROMISE_NO},
                               "process %u crashed for good, and the correct process %u does not suspect it", q, p);
            if (!complete && up && suspected)
                promise_broken(out, heap, "eventual accuracy", (uint32_t[3]){suspects[p][q], PROMISE_NO, PROMISE_NO},
                               "process %u still suspects process %u in the end, which is correct", p, q);
        }
    heap_free(heap, suspects);
}

void promise_check_detector_completeness(const struct observations *observations, struct heap *heap,
                                         struct verdict *out)
{
    check_end(observations, true, heap, out);
}

void promise_check_detector_eventual_accuracy(const struct observations *observations, struct heap *heap,
                                              struct verdict *out)
{
    check_end(observations, false, heap, out);
}

void promise_check_detector_accuracy(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    uint64_t down = 0;
    for (uint32_t i = 0; i < observations->count; i++) {
        const struct observation *seen = &observations->list[i];
        uint64_t bit = UINT64_C(1) << seen->process;
        if (seen->kind == OBSERVED_CRASH)
            down |= bit;
        else if (seen->kind == OBSERVED_RESTART)
            down &= ~bit;
        else if (seen->kind == OBSERVED_SUSPECT && seen->first < P && (down >> seen->first & 1) == 0)
            promise_broken(out, heap, "accuracy", (uint32_t[3]){i, PROMISE_NO, PROMISE_NO},
                           "process %u suspects process %llu, which has not crashed", seen->process,
                           (unsigned long long)seen->first);
    }
}
