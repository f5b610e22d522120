/* Uniform agreement on what is delivered (judge_agreement.h). */
#include "lab/judge/judge_agreement.h"

#include "base/crc32c.h"
#include "base/hash.h"

void judge_agreement_init(struct judge_agreement *judge, struct heap *heap)
{
    *judge = (struct judge_agreement){0};
    observations_init(&judge->observed, heap, 0);
}

static const char *applied(void *context, uint32_t place, const struct delivery *delivery)
{
    struct judge_agreement *judge = context;
    struct span whole = delivery->command.whole;
    if (!delivery->read)
        observe(&judge->observed, OBSERVED_DECIDE, place, delivery->index,
                hash_mix(whole.size, crc32c(0, whole.data, whole.size)), 0);
    return NULL;
}

struct world_watch judge_agreement_begin(struct judge_agreement *judge)
{
    observations_clear(&judge->observed);
    return (struct world_watch){.context = judge, .applied = applied};
}

void judge_agreement_finish(struct judge_agreement *judge, struct world *world)
{
    struct verdict verdict = {.kind = VERDICT_OK};
    promise_find(span_string("uniform-agreement"))->check(&judge->observed, judge->observed.heap, &verdict);
    if (verdict.kind == VERDICT_ILLEGAL)
        world_violate(world, "AGREEMENT", verdict.reason);
    verdict_clear(&verdict, judge->observed.heap);
}
