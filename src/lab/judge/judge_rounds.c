/* Agreement in rounds, judged by the promises of consensus (judge_rounds.h). */
#include "lab/judge/judge_rounds.h"

#include <stdio.h>

#include "base/panic.h"

static uint64_t places(uint32_t count)
{
    return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

void judge_rounds_init(struct judge_rounds *judge, struct heap *heap, uint32_t node_count)
{
    *judge = (struct judge_rounds){.heap = heap, .node_count = node_count};
    observations_init(&judge->seen, heap, places(node_count));
}

void judge_rounds_clear(struct judge_rounds *judge)
{
    struct heap *heap = judge->heap;
    uint32_t node_count = judge->node_count;
    observations_free(&judge->seen);
    judge_rounds_init(judge, heap, node_count);
}

void judge_rounds_started(struct judge_rounds *judge, uint32_t place, void *member)
{
    judge->members[place] = judge->lost[place] ? NULL : member;
}

void judge_rounds_lost(struct judge_rounds *judge, uint32_t place)
{
    judge->members[place] = NULL;
    if (!judge->lost[place])
        observe(&judge->seen, OBSERVED_CRASH, place, 0, 0, 0);
    judge->lost[place] = true;
}

/* Members keep in step: when one has ended an instance, all have ended those before it, and that one too unless
 * somebody still runs it. */
static uint64_t horizon(const struct judge_rounds *judge, void (*look)(const void *, struct rounds_seen *))
{
    uint64_t newest = 0;
    bool running = false;
    for (uint32_t place = 0; place < judge->node_count; place++) {
        struct rounds_seen seen;
        if (judge->members[place] == NULL)
            continue;
        look(judge->members[place], &seen);
        newest = seen.instance > newest ? seen.instance : newest;
        running = running || seen.running;
    }
    return running && newest > 0 ? newest - 1 : newest;
}

void judge_rounds_settle(struct judge_rounds *judge, uint64_t scale,
                         void (*look)(const void *member, struct rounds_seen *out))
{
    uint64_t last = horizon(judge, look);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < judge->seen.count; i++) {
        const struct observation *one = &judge->seen.list[i];
        bool counts = one->kind == OBSERVED_CRASH || one->first / scale <= last;
        if (counts)
            judge->seen.list[kept++] = *one;
    }
    judge->seen.count = kept;
}

void judge_rounds_promise(struct judge_rounds *judge, struct world *world, const char *promise, const char *property)
{
    const struct promise *found = promise_find(span_string(promise));
    struct verdict verdict = {.kind = VERDICT_OK};
    invariant(found != NULL, "the promise is one of the list");
    found->check(&judge->seen, judge->heap, &verdict);
    if (verdict.kind == VERDICT_ILLEGAL)
        world_violate(world, property, verdict.reason);
    verdict_clear(&verdict, judge->heap);
}
