/* Atomic commitment: AC1 to AC5 of DC-2, for each transaction (an instance whose values are 1, commit, and 0, abort).
 *
 *   AC1 all that decide decide the same          AC4 no failure and all votes yes: commit
 *   AC2 a decision is final                      AC5 in the end every correct participant has decided
 *   AC3 commit only if all participants voted yes
 *
 * Participants of a transaction are the processes that voted in it; AC3 asks that no participant committed without a yes
 * of all that belong to the run, unless fewer take part: then the votes that were cast must all be yes. */
#include "lab/promise/promise_internal.h"

struct transaction {
    uint64_t id;
    uint64_t voted, yes, decided, committed; /* sets of processes */
    uint32_t first_decision, first_no, first_vote; /* places */
};

struct transactions {
    struct promise_map map;
    struct transaction *list;
    uint32_t count, capacity;
};

static struct transaction *find(struct transactions *all, uint64_t id)
{
    uint32_t *place = promise_map_get(&all->map, id);
    if (place == NULL)
        return NULL;
    if (*place != PROMISE_NO)
        return &all->list[*place];
    if (all->count == all->capacity) {
        uint32_t capacity = all->capacity > 0 ? 2 * all->capacity : 64;
        struct transaction *list = heap_resize(all->map.heap, all->list, capacity * sizeof *list);
        if (list == NULL)
            return NULL;
        all->list = list;
        all->capacity = capacity;
    }
    *place = all->count;
    all->list[all->count] = (struct transaction){
        .id = id, .first_decision = PROMISE_NO, .first_no = PROMISE_NO, .first_vote = PROMISE_NO};
    return &all->list[all->count++];
}

static void on_vote(struct transaction *transaction, uint32_t place, const struct observation *seen)
{
    uint64_t bit = UINT64_C(1) << seen->process;
    transaction->voted |= bit;
    if (transaction->first_vote == PROMISE_NO)
        transaction->first_vote = place;
    if (seen->second == 1)
        transaction->yes |= bit;
    else if (transaction->first_no == PROMISE_NO)
        transaction->first_no = place;
}

static void on_decision(const struct observations *observations, struct transaction *transaction, uint32_t place,
                        struct heap *heap, struct verdict *out)
{
    const struct observation *seen = &observations->list[place];
    uint64_t bit = UINT64_C(1) << seen->process;
    bool commit = seen->second == 1;
    uint32_t first = transaction->first_decision;
    unsigned long long id = transaction->id;
    if ((transaction->decided & bit) != 0 && ((transaction->committed & bit) != 0) != commit)
        promise_broken(out, heap, "AC2", (uint32_t[3]){first, place, PROMISE_NO},
                       "process %u decided %s on transaction %llu after it had decided the opposite", seen->process,
                       commit ? "commit" : "abort", id);
    if (first != PROMISE_NO && observations->list[first].second != seen->second)
        promise_broken(out, heap, "AC1", (uint32_t[3]){first, place, PROMISE_NO},
                       "process %u decided %s on transaction %llu and process %u %s", observations->list[first].process,
                       commit ? "abort" : "commit", id, seen->process, commit ? "commit" : "abort");
    if (commit && (transaction->first_no != PROMISE_NO || transaction->yes == 0))
        promise_broken(out, heap, "AC3", (uint32_t[3]){place, transaction->first_no, PROMISE_NO},
                       "process %u committed transaction %llu although %s", seen->process, id,
                       transaction->yes == 0 ? "nobody had voted yes" : "a participant voted no");
    if (first == PROMISE_NO)
        transaction->first_decision = place;
    transaction->decided |= bit;
    if (commit)
        transaction->committed |= bit;
}

/* Votes that come after the first commit count too: it was early. */
static void check_end(const struct observations *observations, const struct transaction *transaction,
                      struct heap *heap, struct verdict *out)
{
    unsigned long long id = transaction->id;
    uint64_t correct = promise_correct(observations);
    bool failures = promise_crashed(observations) != 0;
    if (transaction->committed != 0 && transaction->first_no != PROMISE_NO)
        promise_broken(out, heap, "AC3", (uint32_t[3]){transaction->first_decision, transaction->first_no, PROMISE_NO},
                       "transaction %llu was committed although process %u voted no", id,
                       observations->list[transaction->first_no].process);
    if (!failures && transaction->voted != 0 && transaction->voted == transaction->yes &&
        transaction->voted == observations->processes && transaction->decided != 0 && transaction->committed == 0)
        promise_broken(out, heap, "AC4", (uint32_t[3]){transaction->first_decision, PROMISE_NO, PROMISE_NO},
                       "transaction %llu was aborted although all voted yes and nothing failed", id);
    uint64_t open = transaction->voted & correct & ~transaction->decided;
    if (open != 0)
        promise_broken(out, heap, "AC5", (uint32_t[3]){transaction->first_vote, PROMISE_NO, PROMISE_NO},
                       "process %d voted on transaction %llu and never decided", __builtin_ctzll(open), id);
}

void promise_check_atomic_commit(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    struct transactions all = {0};
    promise_map_init(&all.map, heap);
    for (uint32_t i = 0; i < observations->count && out->kind == VERDICT_OK; i++) {
        const struct observation *seen = &observations->list[i];
        if (seen->kind != OBSERVED_VOTE && seen->kind != OBSERVED_DECIDE)
            continue;
        struct transaction *transaction = find(&all, seen->first);
        if (transaction == NULL)
            promise_unknown(out);
        else if (seen->kind == OBSERVED_VOTE)
            on_vote(transaction, i, seen);
        else
            on_decision(observations, transaction, i, heap, out);
    }
    for (uint32_t i = 0; i < all.count && out->kind == VERDICT_OK; i++)
        check_end(observations, &all.list[i], heap, out);
    heap_free(heap, all.list);
    promise_map_free(&all.map);
}
