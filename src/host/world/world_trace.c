/* The world tells its tracer what happens: events, effects and the state after each step as they are, and everything
 * else (processes that die, links that are cut, clients that ask) as marks with a sentence. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/world/world_state.h"

enum { MARK_SIZE = 512 };

static void tell(struct world *world, uint32_t place, enum world_mark mark, const char *text)
{
    world->options.tracer.mark(world->options.tracer.context, world->now_ns, place, mark, text);
}

void trace_mark(struct world *world, const struct process *process, enum world_mark mark, const char *format, ...)
{
    if (world->options.tracer.mark == NULL)
        return;
    char text[MARK_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tell(world, process != NULL ? process->place : WORLD_NOWHERE, mark, text);
}

void trace_line(struct world *world, const struct process *process, const char *format, ...)
{
    if (world->options.tracer.mark == NULL)
        return;
    char text[MARK_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tell(world, process != NULL ? process->place : WORLD_NOWHERE, WORLD_MARK_NOTE, text);
}

/* The lengths and counts of RESP ("*3", "$5") say nothing to people. */
static bool is_framing(struct span word)
{
    if (word.size < 2 || memchr("*$%~", word.data[0], 4) == NULL)
        return false;
    for (size_t i = 1; i < word.size; i++)
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
    return true;
}

/* Appends what can be printed of RESP, one blank between two words; '|' stands between commands. */
static void add_words(char *text, size_t length, struct span bytes)
{
    size_t begun = length;
    for (size_t i = 0; i < bytes.size;) {
        size_t end = i;
        while (end < bytes.size && bytes.data[end] > ' ' && bytes.data[end] < 127)
            end++;
        struct span word = span_of(bytes.data + i, end - i);
        i = end == i ? i + 1 : end;
        if (word.size == 0 || length + word.size + 4 > MARK_SIZE)
            continue;
        if (word.data[0] == '*' && is_framing(word) && length > begun) {
            memcpy(text + length, " |", 2);
            length += 2;
        }
        if (is_framing(word))
            continue;
        text[length++] = ' ';
        memcpy(text + length, word.data, word.size);
        length += word.size;
    }
    text[length] = '\0';
}

void trace_client(struct world *world, const struct client *client, const char *does, struct span bytes)
{
    if (world->options.tracer.mark == NULL)
        return;
    char text[MARK_SIZE];
    int length = snprintf(text, sizeof text, "client %u %.60s", client->number, does);
    add_words(text, (size_t)length, bytes);
    tell(world, client->wire != NULL ? client->wire->place : WORLD_NOWHERE, WORLD_MARK_CLIENT, text);
}

void trace_event(struct world *world, const struct process *process, const struct event *event)
{
    const struct world_tracer *tracer = &world->options.tracer;
    if (tracer->event != NULL)
        tracer->event(tracer->context, world->now_ns, process->place, &process->spec, event);
}

void trace_effect(struct world *world, const struct process *process, const struct effect *effect)
{
    const struct world_tracer *tracer = &world->options.tracer;
    if (tracer->effect != NULL)
        tracer->effect(tracer->context, world->now_ns, process->place, &process->spec, effect);
}

void trace_stepped(struct world *world, const struct process *process)
{
    const struct world_tracer *tracer = &world->options.tracer;
    if (tracer->stepped != NULL)
        tracer->stepped(tracer->context, world->now_ns, process->place, &process->spec,
                        node_member(process->node, WORLD_GROUP));
}
