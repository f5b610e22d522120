/* Counting the steps of the healed phase (liveness_watch.h). */
#include "lab/liveness_watch.h"

#include "lab/liveness.h"

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
    const char *broken = NULL;
    if (watch->inner.stepped != NULL)
        broken = watch->inner.stepped(watch->inner.context, place, event);
    if (broken == NULL && waits(watch) && ++watch->steps > watch->steps_max)
        return "PROGRESS clients ask, and nothing was executed within 1,000 steps a node after everything healed";
    return broken;
}

static const char *applied(void *context, uint32_t place, const struct delivery *delivery)
{
    struct liveness_watch *watch = context;
    watch->executed = watch->executed || watch->asked;
    return watch->inner.applied != NULL ? watch->inner.applied(watch->inner.context, place, delivery) : NULL;
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct liveness_watch *watch = context;
    if (watch->inner.started != NULL)
        watch->inner.started(watch->inner.context, place, spec, member, service);
}

static void stopped(void *context, uint32_t place)
{
    struct liveness_watch *watch = context;
    if (watch->inner.stopped != NULL)
        watch->inner.stopped(watch->inner.context, place);
}

static void sent(void *context, uint32_t place, uint32_t to, struct span message)
{
    struct liveness_watch *watch = context;
    if (watch->inner.sent != NULL)
        watch->inner.sent(watch->inner.context, place, to, message);
}

static void turned(void *context, uint32_t place)
{
    struct liveness_watch *watch = context;
    if (watch->inner.turned != NULL)
        watch->inner.turned(watch->inner.context, place);
}

struct world_watch liveness_watch_begin(struct liveness_watch *watch, const struct world_watch *inner,
                                        struct world *const *made, uint32_t node_count, uint32_t client_count)
{
    *watch = (struct liveness_watch){.inner = *inner, .made = made, .client_count = client_count,
                                      .steps_max = (uint64_t)LIVENESS_STEPS_A_NODE_MAX * node_count};
    return (struct world_watch){
        .context = watch,
        .started = started,
        .stopped = stopped,
        .stepped = stepped,
        .sent = inner->sent != NULL ? sent : NULL,
        .turned = turned,
        .applied = applied,
    };
}
