/* Counting the steps of the healed phase (liveness_watch.h). */
#include "lab/search/liveness_watch.h"

#include "lab/search/liveness.h"

static uint64_t asked_by_all(const struct liveness_watch *watch)
{
    uint64_t asked = 0;
    for (uint32_t client = 0; client < watch->client_count; client++)
        asked += world_requests(*watch->made, client);
    return asked;
}

/* True while somebody waits in the healed phase. Each fact, once true, stays true, so this is cheap. */
static bool waits(struct liveness_watch *watch)
{
    if (watch->executed || *watch->made == NULL)
        return false;
    if (!watch->healed) {
        if (!world_is_healed(*watch->made))
            return false;
        watch->healed = true;
        watch->asked_before = asked_by_all(watch);
    }
    watch->asked = watch->asked || asked_by_all(watch) > watch->asked_before;
    return watch->asked;
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct liveness_watch *watch = context;
    (void)place;
    (void)event;
    if (waits(watch) && ++watch->steps > watch->steps_max)
        return "PROGRESS clients ask, and nothing was executed within 1,000 steps a node after everything healed";
    return NULL;
}

static const char *applied(void *context, uint32_t place, const struct delivery *delivery)
{
    struct liveness_watch *watch = context;
    (void)place;
    (void)delivery;
    watch->executed = watch->executed || watch->asked;
    return NULL;
}

struct world_watch liveness_watch_begin(struct liveness_watch *watch, struct world *const *made, uint32_t node_count,
                                        uint32_t client_count)
{
    *watch = (struct liveness_watch){.made = made, .client_count = client_count,
                                     .steps_max = (uint64_t)LIVENESS_STEPS_A_NODE_MAX * node_count};
    return (struct world_watch){.context = watch, .stepped = stepped, .applied = applied};
}
