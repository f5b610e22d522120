/* The trace of a violation once more: the same inputs, given to the members from the start. */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "contract/text.h"
#include "host/explore/explore_rounds.h"

enum { LINE_SIZE = 600 };

/* Steps from the start, in order. Returns how many; the caller frees the list. */
static uint32_t path_of(const struct explorer *x, struct step **out)
{
    uint32_t count = x->search->last.depth;
    struct step *path = malloc((count + 1) * sizeof *path);
    *out = path;
    if (path == NULL)
        return 0;
    struct step at = x->search->last;
    for (uint32_t i = count; i > 0; i--) {
        path[i - 1] = at;
        at = *kept_step(x, at.parent);
    }
    return count;
}

static const char *transition_name(uint32_t input)
{
    switch (input_kind(input)) {
    case INPUT_CRASH:
        return "crashes";
    case INPUT_LOSS:
        return "is lost";
    case INPUT_DOUBLE:
        return "is doubled";
    case INPUT_LIE:
        return "hears that";
    case INPUT_CLOCK:
        return "everything has arrived: the clocks move on";
    case INPUT_MESSAGE:
    case INPUT_TIMER:
    case INPUT_STORED:
    case INPUT_RESULT:
    case INPUT_REQUEST:
    case INPUT_RESTART:
    case INPUT_SEAL:
    case INPUT_CHECKPOINTED:
        break;
    }
    return NULL;
}

static void replay_clock(struct explorer *x, const struct step *step, uint32_t number, uint64_t *images)
{
    if (x->tracer->transition != NULL)
        x->tracer->transition(x->tracer->context, number, 0, transition_name(step->input));
    for (uint32_t i = 0; i < x->config.nodes; i++) {
        explore_node_load(x, (const struct node *)(const void *)(x->images.bytes + images[i]));
        if (x->node.up)
            explore_node_step(x, step->input);
        images[i] = explore_image_save(x);
    }
}

/* A traitor executes nothing: what it says is told as if it were a step of its. */
static void replay_lie(struct explorer *x, const struct kept_message *message, uint32_t number)
{
    alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
    uint8_t head[MESSAGE_HEAD_SIZE_MAX];
    const struct message_type *type = &x->config.protocol->messages.types[message->type];
    const struct event turn = {.kind = EVENT_TURN};
    struct effect effect = {.kind = EFFECT_SEND,
                            .send = {.to = &x->members[message->to], .to_count = 1, .type = message->type}};
    if (!message_decode(type, span_of(x->bytes.bytes + message->body, message->size), body))
        return;
    size_t size = message_encode(type, body, head, &effect.send.tail);
    effect.send.head = span_of(head, size);
    const struct effects effects = {.list = &effect, .count = 1, .capacity = 1};
    if (x->tracer->transition != NULL)
        x->tracer->transition(x->tracer->context, number, x->members[message->from], "says, as a traitor");
    if (x->tracer->stepped != NULL)
        x->tracer->stepped(x->tracer->context, x->members[message->from], &turn, &effects, x->selves[message->from]);
}

static void replay_step(struct explorer *x, const struct step *step, uint32_t number, uint64_t *images)
{
    const struct explore_tracer *tracer = x->tracer;
    enum input_kind kind = input_kind(step->input);
    bool channel = kind == INPUT_LOSS || kind == INPUT_DOUBLE;
    if (kind == INPUT_CLOCK) {
        replay_clock(x, step, number, images);
        return;
    }
    if (kind == INPUT_CRASH && tracer->crashed != NULL)
        tracer->crashed(tracer->context, x->members[step->place], input_argument(step->input),
                        ((const struct node *)(const void *)(x->images.bytes + images[step->place]))->written);
    if (kind == INPUT_LIE)
        replay_lie(x, kept_message(x, input_argument(step->input)), number);
    if (tracer->transition != NULL)
        tracer->transition(tracer->context, number, x->members[step->place], transition_name(step->input));
    if (kind == INPUT_MESSAGE || kind == INPUT_LIE || channel) {
        const struct kept_message *message = kept_message(x, input_argument(step->input));
        if (tracer->message != NULL)
            tracer->message(tracer->context, message, x->members[message->from], x->members[message->to], channel);
    }
    if (channel)
        return;
    explore_node_load(x, (const struct node *)(const void *)(x->images.bytes + images[step->place]));
    explore_node_step(x, step->input);
    images[step->place] = explore_image_save(x);
}

void explore_replay(struct explorer *x, const struct explore_tracer *tracer)
{
    struct step *path;
    uint64_t images[EXPLORE_NODES_MAX];
    uint32_t count = path_of(x, &path);
    x->tracer = tracer;
    for (uint32_t i = 0; i < x->config.nodes; i++) {
        if (tracer->transition != NULL)
            tracer->transition(tracer->context, 0, x->members[i], NULL);
        explore_node_first(x, i, x->config.crashes > 0);
        images[i] = explore_image_save(x);
    }
    for (uint32_t i = 0; i < count; i++)
        replay_step(x, &path[i], i + 1, images);
    x->tracer = NULL;
    free(path);
}

/* ---- for people ---- */

struct printing {
    struct explorer *x;
    FILE *out;
};

static void print_transition(void *context, uint32_t number, uint32_t node, const char *what)
{
    struct printing *printing = context;
    if (node == 0)
        fprintf(printing->out, "%3u  %s\n", number, what);
    else if (what != NULL && strncmp(what, "is ", 3) == 0)
        fprintf(printing->out, "%3u  a message %s\n", number, what);
    else
        fprintf(printing->out, "%3u  node %u%s%s\n", number, node, what != NULL ? " " : "", what != NULL ? what : "");
}

static void print_crashed(void *context, uint32_t node, uint32_t kept, uint32_t written)
{
    struct printing *printing = context;
    (void)node;
    fprintf(printing->out, "     (of %u records that it wrote, %u survive)\n", written, kept);
}

static void print_message(void *context, const void *opaque, uint32_t from, uint32_t to, bool lost)
{
    struct printing *printing = context;
    const struct kept_message *message = opaque;
    const struct message_table *table = &printing->x->config.protocol->messages;
    fprintf(printing->out, "     %s%s from node %u to node %u\n", lost ? "the channel: " : "",
            table->types[message->type].name, from, to);
}

static void print_event(const struct printing *printing, const struct event *event)
{
    char line[LINE_SIZE] = "";
    const struct protocol *protocol = printing->x->config.protocol;
    switch (event->kind) {
    case EVENT_MESSAGE:
        message_print(&protocol->messages.types[event->message.type], event->message.body, line, sizeof line);
        fprintf(printing->out, "     receives %s\n", line);
        break;
    case EVENT_TIMEOUT:
        fprintf(printing->out, "     its timer %u.%u runs out\n", event->timeout.slot, event->timeout.name);
        break;
    case EVENT_STORED:
        fprintf(printing->out, "     its disk has everything up to record %llu\n",
                (unsigned long long)event->stored.position);
        break;
    case EVENT_RESULT:
        fprintf(printing->out, "     its service answers %s\n", event->result.bytes.data[0] == '-' ? "no" : "yes");
        break;
    case EVENT_REQUEST:
        fprintf(printing->out, "     a client asks\n");
        break;
    case EVENT_START:
        fprintf(printing->out, "     starts, incarnation %llu\n", (unsigned long long)event->start.incarnation);
        break;
    case EVENT_STATE:
        fprintf(printing->out, "     its checkpoint is durable\n");
        break;
    case EVENT_RESTORE:
    case EVENT_PEER:
    case EVENT_TURN:
        break;
    }
}

static void print_send(const struct printing *printing, const struct effect_send *send)
{
    const struct message_type *type = &printing->x->config.protocol->messages.types[send->type];
    fprintf(printing->out, "       sends %s to", type->name);
    for (uint32_t i = 0; i < send->to_count; i++)
        fprintf(printing->out, "%s %u", i > 0 ? "," : "", send->to[i]);
    if (send->after > 0)
        fprintf(printing->out, ", after record %llu", (unsigned long long)send->after);
    fputc('\n', printing->out);
}

static void print_effects(const struct printing *printing, const struct effects *effects)
{
    for (uint32_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_STORE)
            fprintf(printing->out, "       stores %s as record %llu\n",
                    printing->x->config.protocol->records.types[effect->store.type].name,
                    (unsigned long long)effect->store.position);
        else if (effect->kind == EFFECT_SEND)
            print_send(printing, &effect->send);
        else if (effect->kind == EFFECT_NOTE)
            fprintf(printing->out, "       %s\n", effect->note.text);
        else if (effect->kind == EFFECT_DELIVER && effect->deliver.kind == DELIVER_UPDATE)
            fprintf(printing->out, "       delivers index %llu\n", (unsigned long long)effect->deliver.index);
    }
}

static void print_step(void *context, uint32_t node, const struct event *event, const struct effects *effects,
                       const void *self)
{
    struct printing *printing = context;
    print_event(printing, event);
    print_effects(printing, effects);
    const struct protocol *protocol = printing->x->config.protocol;
    bool traitor = explore_is_traitor(printing->x, node - 1);
    if (event->kind != EVENT_TURN || protocol->print == NULL || traitor)
        return;
    char line[LINE_SIZE];
    struct text text = text_begin(line, sizeof line);
    protocol->print(self, &text);
    fprintf(printing->out, "     -> %s\n", line);
}

void explore_print_trace(struct explorer *x, FILE *out)
{
    struct printing printing = {x, out};
    const struct explore_tracer tracer = {.context = &printing,
                                          .transition = print_transition,
                                          .stepped = print_step,
                                          .crashed = print_crashed,
                                          .message = print_message};
    explore_replay(x, &tracer);
}
