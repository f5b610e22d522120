/* The trace: one line for every event and effect, for people and for the diagrams. */
#include <stdarg.h>

#include "host/world/world_state.h"

enum { LINE_SIZE = 512 };

static void begin_line(struct world *world, const struct process *process)
{
    int64_t us = world->now_ns / 1000;
    fprintf(world->options.trace, "%5lld.%06lld ", (long long)(us / 1000000), (long long)(us % 1000000));
    if (process != NULL)
        fprintf(world->options.trace, "n%u ", process->id);
    else
        fputs("-- ", world->options.trace);
}

void trace_line(struct world *world, const struct process *process, const char *format, ...)
{
    if (world->options.trace == NULL)
        return;
    begin_line(world, process);
    fputs("** ", world->options.trace);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(world->options.trace, format, arguments);
    va_end(arguments);
    fputc('\n', world->options.trace);
}


void trace_client(struct world *world, const struct client *client, const char *does, struct span bytes)
{
    FILE *out = world->options.trace;
    if (out == NULL)
        return;
    begin_line(world, NULL);
    fprintf(out, "client %u", client->number);
    if (client->wire != NULL)
        fprintf(out, " at n%u", client->wire->place + 1);
    fprintf(out, " %s", does);
    size_t size = bytes.size < LINE_SIZE ? bytes.size : LINE_SIZE;
    bool blank = true;
    for (size_t i = 0; i < size; i++) {
        bool printable = bytes.data[i] > ' ' && bytes.data[i] < 127;
        if (!printable && blank)
            continue;
        if (blank)
            fputc(' ', out);
        blank = !printable;
        if (printable)
            fputc(bytes.data[i], out);
    }
    fputc('\n', out);
}

void trace_event(struct world *world, const struct process *process, const struct event *event)
{
    FILE *out = world->options.trace;
    char line[LINE_SIZE];
    begin_line(world, process);
    fprintf(out, "%s", event_kind_name(event->kind));
    switch (event->kind) {
    case EVENT_RESTORE:
    case EVENT_TURN:
        break;
    case EVENT_START: {
        static const char *const kinds[] = {"first", "restarted", "amnesiac"};
        fprintf(out, " %s incarnation=%llu position=%llu", kinds[event->start.kind], (unsigned long long)event->start.incarnation,
                (unsigned long long)event->start.position);
        break;
    }
    case EVENT_STORED:
        fprintf(out, " position=%llu room=%llu", (unsigned long long)event->stored.position, (unsigned long long)event->stored.room_bytes);
        break;
    case EVENT_RESULT:
        fprintf(out, " tag=%llu", (unsigned long long)event->result.tag);
        break;
    case EVENT_STATE: {
        static const char *const kinds[] = {"durable", "adopted", "failed"};
        fprintf(out, " %s index=%llu position=%llu digest=%llx", kinds[event->state.kind], (unsigned long long)event->state.index,
                (unsigned long long)event->state.position, (unsigned long long)event->state.digest);
        break;
    }
    case EVENT_PEER:
        fprintf(out, " n%u %s", event->peer.node, event->peer.state == PEER_CONNECTED ? "connected" : "lost");
        break;
    case EVENT_MESSAGE:
        message_print(&process->spec.protocol->messages.types[event->message.type], event->message.body, line,
                      sizeof line);
        fprintf(out, " from n%u.%llu: %s", event->message.from.node, (unsigned long long)event->message.incarnation, line);
        break;
    case EVENT_REQUEST: {
        static const char *const kinds[] = {"update", "read", "count", "call"};
        fprintf(out, " %s first=%llu count=%u incomplete=%llu bytes=%zu", kinds[event->request.kind],
                (unsigned long long)event->request.first_number, event->request.count, (unsigned long long)event->request.first_incomplete,
                event->request.bytes.size);
        break;
    }
    case EVENT_TIMEOUT:
        fprintf(out, " slot=%u name=%u key=%llu", event->timeout.slot, event->timeout.name, (unsigned long long)event->timeout.key);
        break;
    }
    fputc('\n', out);
}

/* Prints an encoded body: its head and bulk, put together for the decoder. */
static void print_encoded(struct world *world, const struct message_table *table, uint16_t type, struct span head,
                          struct span tail)
{
    FILE *out = world->options.trace;
    char line[LINE_SIZE];
    union {
        max_align_t align;
        uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
    } body;
    size_t size = head.size + tail.size;
    uint8_t *whole = heap_alloc(world->heap, size);
    if (whole == NULL || type >= table->count)
        return;
    if (head.size > 0)
        memcpy(whole, head.data, head.size);
    if (tail.size > 0)
        memcpy(whole + head.size, tail.data, tail.size);
    if (message_decode(&table->types[type], span_of(whole, size), body.bytes)) {
        message_print(&table->types[type], body.bytes, line, sizeof line);
        fprintf(out, " %s", line);
    } else {
        fprintf(out, " %s", table->types[type].name);
    }
    heap_free(world->heap, whole);
}

static void print_send(struct world *world, const struct process *process, const struct effect_send *send)
{
    FILE *out = world->options.trace;
    fputs(" to", out);
    for (uint32_t i = 0; i < send->to_count; i++)
        fprintf(out, " n%u", send->to[i]);
    if (send->after != 0)
        fprintf(out, " after=%llu", (unsigned long long)send->after);
    if (send->records_first != 0)
        fprintf(out, " records=%llu..%llu", (unsigned long long)send->records_first, (unsigned long long)send->records_last);
    print_encoded(world, &process->spec.protocol->messages, send->type, send->head, send->tail);
}

static void print_deliver(FILE *out, const struct effect_deliver *deliver)
{
    if (deliver->kind == DELIVER_READ)
        fprintf(out, " reads first=%llu count=%u after index=%llu", (unsigned long long)deliver->first_number, deliver->count,
                (unsigned long long)deliver->index);
    else
        fprintf(out, " index=%llu record=%llu bytes=%zu", (unsigned long long)deliver->index, (unsigned long long)deliver->record,
                deliver->bundle.size);
}

static void print_reply(FILE *out, const struct effect_reply *reply)
{
    static const char *const kinds[] = {"answer", "refused", "again", "count"};
    fprintf(out, " %s %s first=%llu count=%u", kinds[reply->kind], reply->read ? "reads" : "updates",
            (unsigned long long)reply->first_number, reply->count);
    if (reply->after != 0)
        fprintf(out, " after=%llu", (unsigned long long)reply->after);
}

void trace_effect(struct world *world, const struct process *process, const struct effect *effect)
{
    FILE *out = world->options.trace;
    begin_line(world, process);
    fprintf(out, "  %s", effect_kind_name(effect->kind));
    switch (effect->kind) {
    case EFFECT_STORE:
        fprintf(out, " position=%llu", (unsigned long long)effect->store.position);
        print_encoded(world, &process->spec.protocol->records, effect->store.type, effect->store.head,
                      effect->store.tail);
        break;
    case EFFECT_SEND:
        print_send(world, process, &effect->send);
        break;
    case EFFECT_ARM:
        fprintf(out, " slot=%u name=%u key=%llu ", effect->arm.slot, effect->arm.name, (unsigned long long)effect->arm.key);
        if (effect->arm.at_ns == EFFECT_DISARM)
            fputs("disarm", out);
        else
            fprintf(out, "at=%lldus", (long long)(effect->arm.at_ns / 1000));
        break;
    case EFFECT_CHECKPOINT:
        fprintf(out, " keep_from=%llu part=%zu", (unsigned long long)effect->checkpoint.keep_from, effect->checkpoint.part.size);
        break;
    case EFFECT_ADOPT:
        fprintf(out, " index=%llu digest=%llx", (unsigned long long)effect->adopt.index, (unsigned long long)effect->adopt.digest);
        break;
    case EFFECT_DELIVER:
        print_deliver(out, &effect->deliver);
        break;
    case EFFECT_REPLY:
        print_reply(out, &effect->reply);
        break;
    case EFFECT_SUSPECT:
        fprintf(out, " n%u level=%u", effect->suspect.node, effect->suspect.level);
        break;
    case EFFECT_VIEW:
        fprintf(out, " number=%llu orderer=n%u", (unsigned long long)effect->view.number, effect->view.orderer);
        break;
    case EFFECT_NOTE:
        fprintf(out, " %s %llu", effect->note.text, (unsigned long long)effect->note.value);
        break;
    case EFFECT_AGAIN:
        break;
    }
    fputc('\n', out);
}
