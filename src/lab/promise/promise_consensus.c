/* Consensus: agreement, validity, integrity, termination; each instance by itself. */
#include "lab/promise/promise_internal.h"

/* Place of the first DECIDE of each instance by one of `deciders`, and of one that disagrees with it. */
static void check_agreement(const struct observations *observations, uint64_t deciders, struct heap *heap,
                            struct verdict *out)
{
    struct promise_map first;
    promise_map_init(&first, heap);
    for (uint32_t i = 0; i < observations->count && out->kind == VERDICT_OK; i++) {
        const struct observation *seen = &observations->list[i];
        if (seen->kind != OBSERVED_DECIDE || (deciders >> seen->process & 1) == 0)
            continue;
        uint32_t *place = promise_map_get(&first, seen->first);
        if (place == NULL) {
            promise_unknown(out);
            break;
        }
        if (*place == PROMISE_NO) {
            *place = i;
            continue;
        }
        const struct observation *other = &observations->list[*place];
        if (other->second != seen->second)
            promise_broken(out, heap, "disagreement", (uint32_t[3]){*place, i, PROMISE_NO},
                           "in instance %llu process %u decided %llu and process %u decided %llu",
                           (unsigned long long)seen->first, other->process, (unsigned long long)other->second,
                           seen->process, (unsigned long long)seen->second);
    }
    promise_map_free(&first);
}

void promise_check_agreement(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    check_agreement(observations, promise_correct(observations), heap, out);
}

void promise_check_uniform_agreement(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    check_agreement(observations, UINT64_MAX, heap, out);
}

/* Instances and values are small numbers in every use; mixing them makes one key of both. */
static uint64_t key_of(uint64_t instance, uint64_t other)
{
    return instance * UINT64_C(0x9fb21c651e98df25) ^ (other + 1) * UINT64_C(0xd6e8feb86659fd93);
}

void promise_check_validity(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    struct promise_map proposed;
    promise_map_init(&proposed, heap);
    for (uint32_t i = 0; i < observations->count && out->kind == VERDICT_OK; i++) {
        const struct observation *seen = &observations->list[i];
        if (seen->kind == OBSERVED_PROPOSE) {
            uint32_t *place = promise_map_get(&proposed, key_of(seen->first, seen->second));
            if (place == NULL)
                promise_unknown(out);
            else
                *place = i;
        } else if (seen->kind == OBSERVED_DECIDE &&
                   promise_map_find(&proposed, key_of(seen->first, seen->second)) == NULL) {
            promise_broken(out, heap, "invented value", (uint32_t[3]){i, PROMISE_NO, PROMISE_NO},
                           "in instance %llu process %u decided %llu, which nobody had proposed",
                           (unsigned long long)seen->first, seen->process, (unsigned long long)seen->second);
        }
    }
    promise_map_free(&proposed);
}

/* Notes who decided in which instance; a second decision breaks integrity if `twice` says so. */
static void gather_decisions(const struct observations *observations, struct promise_map *decided, bool twice,
                             struct heap *heap, struct verdict *out)
{
    for (uint32_t i = 0; i < observations->count && out->kind == VERDICT_OK; i++) {
        const struct observation *seen = &observations->list[i];
        if (seen->kind != OBSERVED_DECIDE)
            continue;
        uint32_t *place = promise_map_get(decided, key_of(seen->first, seen->process));
        if (place == NULL)
            promise_unknown(out);
        else if (*place == PROMISE_NO)
            *place = i;
        else if (twice)
            promise_broken(out, heap, "decided twice", (uint32_t[3]){*place, i, PROMISE_NO},
                           "in instance %llu process %u decided %llu and then %llu", (unsigned long long)seen->first,
                           seen->process, (unsigned long long)observations->list[*place].second,
                           (unsigned long long)seen->second);
    }
}

void promise_check_integrity(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    struct promise_map decided;
    promise_map_init(&decided, heap);
    gather_decisions(observations, &decided, true, heap, out);
    promise_map_free(&decided);
}

/* The first instance of those proposed in which a correct process did not decide. */
static void find_undecided(const struct observations *observations, const struct promise_map *decided,
                           struct heap *heap, struct verdict *out)
{
    uint64_t correct = promise_correct(observations);
    for (uint32_t i = 0; i < observations->count; i++) {
        const struct observation *seen = &observations->list[i];
        if (seen->kind != OBSERVED_PROPOSE)
            continue;
        for (uint32_t process = 0; process < PROMISE_PROCESSES_MAX; process++)
            if ((correct >> process & 1) != 0 && promise_map_find(decided, key_of(seen->first, process)) == NULL)
                promise_broken(out, heap, "no decision", (uint32_t[3]){i, PROMISE_NO, PROMISE_NO},
                               "in instance %llu the correct process %u never decided",
                               (unsigned long long)seen->first, process);
    }
}

void promise_check_termination(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    struct promise_map decided;
    promise_map_init(&decided, heap);
    gather_decisions(observations, &decided, false, heap, out);
    if (out->kind == VERDICT_OK)
        find_undecided(observations, &decided, heap, out);
    promise_map_free(&decided);
}
