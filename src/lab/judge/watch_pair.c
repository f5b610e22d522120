/* Telling two watches (watch_pair.h). */
#include "lab/judge/watch_pair.h"

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct watch_pair *pair = context;
    for (int i = 0; i < 2; i++)
        if (pair->watches[i].started != NULL)
            pair->watches[i].started(pair->watches[i].context, place, spec, member, service);
}

static void stopped(void *context, uint32_t place)
{
    struct watch_pair *pair = context;
    for (int i = 0; i < 2; i++)
        if (pair->watches[i].stopped != NULL)
            pair->watches[i].stopped(pair->watches[i].context, place);
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct watch_pair *pair = context;
    const char *broken = NULL;
    for (int i = 0; i < 2 && broken == NULL; i++)
        if (pair->watches[i].stepped != NULL)
            broken = pair->watches[i].stepped(pair->watches[i].context, place, event);
    return broken;
}

static void sent(void *context, uint32_t place, uint32_t to, struct span message)
{
    struct watch_pair *pair = context;
    for (int i = 0; i < 2; i++)
        if (pair->watches[i].sent != NULL)
            pair->watches[i].sent(pair->watches[i].context, place, to, message);
}

static const char *applied(void *context, uint32_t place, const struct delivery *delivery)
{
    struct watch_pair *pair = context;
    const char *broken = NULL;
    for (int i = 0; i < 2; i++) {
        const char *said = NULL;
        if (pair->watches[i].applied != NULL)
            said = pair->watches[i].applied(pair->watches[i].context, place, delivery);
        broken = broken != NULL ? broken : said;
    }
    return broken;
}

static void turned(void *context, uint32_t place)
{
    struct watch_pair *pair = context;
    for (int i = 0; i < 2; i++)
        if (pair->watches[i].turned != NULL)
            pair->watches[i].turned(pair->watches[i].context, place);
}

struct world_watch watch_pair(struct watch_pair *pair, const struct world_watch *first,
                              const struct world_watch *second)
{
    *pair = (struct watch_pair){{*first, *second}};
    bool sends = first->sent != NULL || second->sent != NULL; /* else no message is put together for it */
    return (struct world_watch){
        .context = pair,
        .started = started,
        .stopped = stopped,
        .stepped = stepped,
        .sent = sends ? sent : NULL,
        .applied = applied,
        .turned = turned,
    };
}
