/* A trace as text. */
#include "lab/trace/trace_text.h"

#include "lab/trace/trace.h"
#include "lab/trace/trace_words.h"

static void begin_line(FILE *out, int64_t at_ns, uint32_t place)
{
    int64_t us = at_ns / 1000;
    fprintf(out, "%5lld.%06lld ", (long long)(us / 1000000), (long long)(us % 1000000));
    if (place == WORLD_NOWHERE)
        fputs("-- ", out);
    else
        fprintf(out, "n%u ", place + 1);
}

static void end_line(FILE *out, const struct trace_words *words)
{
    if (words->name[0] != '\0')
        fprintf(out, " %s", words->name);
    if (words->text[0] != '\0')
        fprintf(out, " %s", words->text);
}

static void on_event(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                     const struct event *event)
{
    struct trace_text *text = context;
    struct trace_words words;
    trace_words_event(spec->protocol, event, &words);
    begin_line(text->out, at_ns, place);
    fputs(event_kind_name(event->kind), text->out);
    end_line(text->out, &words);
    if (event->kind == EVENT_MESSAGE)
        fprintf(text->out, " from n%u.%llu", event->message.from.node,
                (unsigned long long)event->message.incarnation);
    fputc('\n', text->out);
}

static void on_effect(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                      const struct effect *effect)
{
    struct trace_text *text = context;
    struct trace_words words;
    trace_words_effect(text->heap, spec->protocol, effect, &words);
    begin_line(text->out, at_ns, place);
    fprintf(text->out, "  %s", effect_kind_name(effect->kind));
    if (effect->kind == EFFECT_SEND) {
        fputs(" to", text->out);
        for (uint32_t i = 0; i < effect->send.to_count; i++)
            fprintf(text->out, " n%u", effect->send.to[i]);
    }
    end_line(text->out, &words);
    fputc('\n', text->out);
}

static void on_mark(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *sentence)
{
    struct trace_text *text = context;
    begin_line(text->out, at_ns, place);
    fputs("** ", text->out);
    for (const char *at = trace_mark_name(mark); *at != '\0'; at++)
        fputc(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at, text->out);
    fprintf(text->out, " %s\n", sentence);
}

struct world_tracer trace_text_tracer(struct trace_text *text)
{
    return (struct world_tracer){.context = text, .event = on_event, .effect = on_effect, .mark = on_mark};
}
