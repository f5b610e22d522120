/* A trace from events and effects, as a host tells them. */
#include <string.h>

#include "contract/header.h"
#include "lab/trace/trace.h"
#include "lab/trace/trace_words.h"

static uint32_t string_of(struct trace *trace, const char *text)
{
    return text[0] == '\0' ? TRACE_NONE : trace_string(trace, span_string(text));
}

void trace_add_event(struct trace *trace, int64_t at_ns, uint32_t node, const struct group_spec *spec,
                     const struct event *event)
{
    struct trace_words words;
    if (trace_text(trace, trace->protocol).size == 0)
        trace->protocol = string_of(trace, spec->protocol->name);
    trace_words_event(spec->protocol, event, &words);
    struct trace_item item = {
        .at_ns = at_ns,
        .node = node,
        .group = spec->group,
        .kind = TRACE_STEP,
        .event = event->kind,
        .name = string_of(trace, words.name),
        .text = string_of(trace, words.text),
        .state = TRACE_NONE,
        .from = event->kind == EVENT_MESSAGE   ? event->message.from.node
                : event->kind == EVENT_REQUEST ? event->request.origin
                                               : 0,
        .key = words.key,
    };
    trace_add_item(trace, &item);
}

/* The last step, if it is this member's: marks may have come since. */
static struct trace_item *last_step(struct trace *trace, uint32_t node, uint32_t group)
{
    struct trace_item *last = trace->last_step != TRACE_NONE ? &trace->items[trace->last_step] : NULL;
    return last != NULL && last->node == node && last->group == group ? last : NULL;
}

void trace_add_effect(struct trace *trace, int64_t at_ns, uint32_t node, const struct group_spec *spec,
                      const struct effect *effect)
{
    (void)at_ns;
    if (last_step(trace, node, spec->group) == NULL)
        return;
    struct trace_words words;
    trace_words_effect(trace->heap, spec->protocol, effect, &words);
    struct trace_deed deed = {
        .kind = effect->kind,
        .name = string_of(trace, words.name),
        .text = string_of(trace, words.text),
        .key = words.key,
    };
    bool sends = effect->kind == EFFECT_SEND;
    trace_add_deed(trace, &deed, sends ? effect->send.to : NULL, sends ? effect->send.to_count : 0);
}

void trace_add_sent(struct trace *trace, uint32_t node, uint32_t to, struct span message)
{
    struct trace_words words;
    struct header header;
    header_decode(message.data, &header);
    if (last_step(trace, node, header.group) == NULL || !trace_words_client(message, &words))
        return;
    struct trace_deed deed = {
        .kind = EFFECT_SEND,
        .name = string_of(trace, words.name),
        .text = string_of(trace, words.text),
        .key = words.key,
    };
    trace_add_deed(trace, &deed, &to, 1);
}

void trace_add_stepped(struct trace *trace, int64_t at_ns, uint32_t node, const struct group_spec *spec,
                       const void *member)
{
    (void)at_ns;
    struct trace_item *item = last_step(trace, node, spec->group);
    if (item == NULL || trace->cut)
        return;
    char state[TRACE_TEXT_MAX];
    trace_words_state(spec->protocol, member, state, sizeof state);
    item->state = string_of(trace, state);
}

void trace_add_mark(struct trace *trace, int64_t at_ns, uint32_t node, enum world_mark mark, const char *text)
{
    struct trace_item item = {
        .at_ns = at_ns,
        .node = node,
        .kind = TRACE_MARK,
        .mark = mark,
        .name = TRACE_NONE,
        .text = string_of(trace, text),
        .state = TRACE_NONE,
    };
    trace_add_item(trace, &item);
}

/* ---- the world's door ---- */

static void on_event(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                     const struct event *event)
{
    trace_add_event(context, at_ns, place + 1, spec, event);
}

static void on_effect(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                      const struct effect *effect)
{
    trace_add_effect(context, at_ns, place + 1, spec, effect);
}

static void on_sent(void *context, int64_t at_ns, uint32_t place, uint32_t to, struct span message)
{
    (void)at_ns;
    trace_add_sent(context, place + 1, to, message);
}

static void on_stepped(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec, const void *member)
{
    trace_add_stepped(context, at_ns, place + 1, spec, member);
}

static void on_mark(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *text)
{
    trace_add_mark(context, at_ns, place == WORLD_NOWHERE ? 0 : place + 1, mark, text);
}

struct world_tracer trace_tracer(struct trace *trace)
{
    return (struct world_tracer){
        .context = trace, .event = on_event, .effect = on_effect, .stepped = on_stepped, .sent = on_sent,
        .mark = on_mark};
}

/* ---- two tracers at one door ---- */

static void both_events(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                        const struct event *event)
{
    const struct world_tracer *tracers = context;
    for (int i = 0; i < 2; i++)
        if (tracers[i].event != NULL)
            tracers[i].event(tracers[i].context, at_ns, place, spec, event);
}

static void both_effects(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                         const struct effect *effect)
{
    const struct world_tracer *tracers = context;
    for (int i = 0; i < 2; i++)
        if (tracers[i].effect != NULL)
            tracers[i].effect(tracers[i].context, at_ns, place, spec, effect);
}

static void both_stepped(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                         const void *member)
{
    const struct world_tracer *tracers = context;
    for (int i = 0; i < 2; i++)
        if (tracers[i].stepped != NULL)
            tracers[i].stepped(tracers[i].context, at_ns, place, spec, member);
}

static void both_sent(void *context, int64_t at_ns, uint32_t place, uint32_t to, struct span message)
{
    const struct world_tracer *tracers = context;
    for (int i = 0; i < 2; i++)
        if (tracers[i].sent != NULL)
            tracers[i].sent(tracers[i].context, at_ns, place, to, message);
}

static void both_marks(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *text)
{
    const struct world_tracer *tracers = context;
    for (int i = 0; i < 2; i++)
        if (tracers[i].mark != NULL)
            tracers[i].mark(tracers[i].context, at_ns, place, mark, text);
}

struct world_tracer trace_tracer_both(struct world_tracer tracers[2])
{
    return (struct world_tracer){.context = tracers,
                                 .event = both_events,
                                 .effect = both_effects,
                                 .stepped = both_stepped,
                                 .sent = both_sent,
                                 .mark = both_marks};
}
