/* Mutual exclusion with fencing tokens: a lock has one holder at a time, each grant a higher token than the one before,
 * and a resource that has taken a request with a token takes none with a lower one. */
#include "lab/promise/promise_internal.h"

struct lock {
    uint32_t held;     /* place of the ACQUIRE, or PROMISE_NO: free */
    uint32_t granted;  /* place of the youngest ACQUIRE, or PROMISE_NO */
    uint32_t accessed; /* place of the ACCESS with the highest token, or PROMISE_NO */
};

struct locks {
    struct promise_map map;
    struct lock *list;
    uint32_t count, capacity;
};

static struct lock *find(struct locks *locks, uint64_t id)
{
    uint32_t *place = promise_map_get(&locks->map, id);
    if (place == NULL)
        return NULL;
    if (*place != PROMISE_NO)
        return &locks->list[*place];
    if (locks->count == locks->capacity) {
        uint32_t capacity = locks->capacity > 0 ? 2 * locks->capacity : 16;
        struct lock *list = heap_resize(locks->map.heap, locks->list, capacity * sizeof *list);
        if (list == NULL)
            return NULL;
        locks->list = list;
        locks->capacity = capacity;
    }
    *place = locks->count;
    locks->list[locks->count] = (struct lock){PROMISE_NO, PROMISE_NO, PROMISE_NO};
    return &locks->list[locks->count++];
}

static void on_acquire(const struct observations *all, struct lock *lock, uint32_t place, struct heap *heap,
                       struct verdict *out)
{
    const struct observation *seen = &all->list[place];
    if (lock->held != PROMISE_NO)
        promise_broken(out, heap, "two holders", (uint32_t[3]){lock->held, place, PROMISE_NO},
                       "process %u got lock %llu while process %u held it", seen->process,
                       (unsigned long long)seen->first, all->list[lock->held].process);
    if (lock->granted != PROMISE_NO && all->list[lock->granted].second >= seen->second)
        promise_broken(out, heap, "token did not rise", (uint32_t[3]){lock->granted, place, PROMISE_NO},
                       "process %u got lock %llu with token %llu after token %llu had been given out", seen->process,
                       (unsigned long long)seen->first, (unsigned long long)seen->second,
                       (unsigned long long)all->list[lock->granted].second);
    lock->held = lock->granted = place;
}

static void on_access(const struct observations *all, struct lock *lock, uint32_t place, struct heap *heap,
                      struct verdict *out)
{
    const struct observation *seen = &all->list[place];
    bool older = lock->accessed != PROMISE_NO && all->list[lock->accessed].second > seen->second;
    if (older)
        promise_broken(out, heap, "stale token accepted", (uint32_t[3]){lock->accessed, place, PROMISE_NO},
                       "resource %u took a request of lock %llu with token %llu after one with token %llu",
                       seen->process, (unsigned long long)seen->first, (unsigned long long)seen->second,
                       (unsigned long long)all->list[lock->accessed].second);
    if (lock->accessed == PROMISE_NO || !older)
        lock->accessed = place;
}

void promise_check_mutual_exclusion(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    struct locks locks = {0};
    promise_map_init(&locks.map, heap);
    for (uint32_t i = 0; i < observations->count && out->kind == VERDICT_OK; i++) {
        const struct observation *seen = &observations->list[i];
        if (seen->kind != OBSERVED_ACQUIRE && seen->kind != OBSERVED_RELEASE && seen->kind != OBSERVED_ACCESS)
            continue;
        struct lock *lock = find(&locks, seen->first);
        if (lock == NULL)
            promise_unknown(out);
        else if (seen->kind == OBSERVED_ACQUIRE)
            on_acquire(observations, lock, i, heap, out);
        else if (seen->kind == OBSERVED_ACCESS)
            on_access(observations, lock, i, heap, out);
        else if (lock->held != PROMISE_NO && observations->list[lock->held].second == seen->second)
            lock->held = PROMISE_NO; /* that of an older grant comes late and means nothing */
    }
    heap_free(heap, locks.list);
    promise_map_free(&locks.map);
}
