/* What the explorer replays, told through the door of the world's tracer. */
#include "cli/explore_pictures.h"

#include <string.h>

#include "base/time.h"
#include "cli/cli.h"

struct telling {
    struct world_tracer tracer;
    struct group_spec spec; /* of which the tracer reads the group and the protocol */
    int64_t at_ns;
    uint64_t down; /* bit: node */
};

static void tell(struct telling *telling, uint32_t node, enum world_mark mark, const char *text)
{
    telling->tracer.mark(telling->tracer.context, telling->at_ns, node == 0 ? WORLD_NOWHERE : node - 1, mark, text);
}

static void on_transition(void *context, uint32_t number, uint32_t node, const char *what)
{
    struct telling *telling = context;
    telling->at_ns = (int64_t)number * NS_PER_MS;
    if (what != NULL && strcmp(what, "crashes") == 0) {
        telling->down |= UINT64_C(1) << node;
        tell(telling, node, WORLD_MARK_DOWN, what);
    }
}

static void on_message(void *context, const void *message, uint32_t from, uint32_t to, bool lost)
{
    char text[64];
    (void)message;
    if (!lost)
        return;
    snprintf(text, sizeof text, "the channel touches a message to n%u", to);
    tell(context, from, WORLD_MARK_LOST, text);
}

static void on_step(void *context, uint32_t node, const struct event *event, const struct effects *effects,
                    const void *self)
{
    struct telling *telling = context;
    const struct world_tracer *tracer = &telling->tracer;
    telling->spec.self = node;
    if ((telling->down >> node & 1) != 0 && (event->kind == EVENT_START || event->kind == EVENT_RESTORE)) {
        telling->down &= ~(UINT64_C(1) << node);
        tell(telling, node, WORLD_MARK_UP, "starts");
    }
    tracer->event(tracer->context, telling->at_ns, node - 1, &telling->spec, event);
    for (uint32_t i = 0; i < effects->count; i++)
        tracer->effect(tracer->context, telling->at_ns, node - 1, &telling->spec, &effects->list[i]);
    tracer->stepped(tracer->context, telling->at_ns, node - 1, &telling->spec, self);
}

int explore_draw(struct explorer *explorer, const struct explore_config *config, const struct explore_result *result,
                 struct pictures *pictures, const char *title)
{
    struct telling telling = {.spec = {.protocol = config->protocol}};
    int status = pictures_begin("explore", pictures, title, config->protocol->name, &telling.tracer);
    if (status != CLI_OK || telling.tracer.event == NULL)
        return status;
    const struct explore_tracer tracer = {
        .context = &telling, .transition = on_transition, .stepped = on_step, .message = on_message};
    explore_replay(explorer, &tracer);
    tell(&telling, 0, WORLD_MARK_VIOLATION, result->violation);
    return pictures_end("explore", pictures);
}
