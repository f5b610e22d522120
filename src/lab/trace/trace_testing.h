/* Traces made by hand, for tests of traces and pictures. */
#ifndef LOCKSTEP_LAB_TRACE_TESTING_H
#define LOCKSTEP_LAB_TRACE_TESTING_H

#include "base/random.h"
#include "lab/trace/trace.h"

enum { TESTING_NODES = 4 };

static inline void testing_step(struct trace *trace, int64_t at_ns, uint32_t node, enum event_kind event)
{
    struct trace_item item = {.at_ns = at_ns,
                              .node = node,
                              .kind = TRACE_STEP,
                              .event = event,
                              .name = TRACE_NONE,
                              .text = TRACE_NONE,
                              .state = trace_string(trace, span_string("role=tester"))};
    trace_add_item(trace, &item);
}

/* The last step sends message `key` to one node. */
static inline void testing_send(struct trace *trace, uint32_t to, uint64_t key)
{
    struct trace_deed deed = {.kind = EFFECT_SEND,
                              .name = trace_string(trace, span_string("PING")),
                              .text = trace_string(trace, span_string("number=1")),
                              .key = key};
    trace_add_deed(trace, &deed, &to, 1);
}

static inline void testing_receive(struct trace *trace, int64_t at_ns, uint32_t node, uint32_t from, uint64_t key)
{
    struct trace_item item = {.at_ns = at_ns,
                              .node = node,
                              .kind = TRACE_STEP,
                              .event = EVENT_MESSAGE,
                              .name = trace_string(trace, span_string("PING")),
                              .text = trace_string(trace, span_string("number=1")),
                              .state = trace_string(trace, span_string("role=tester")),
                              .from = from,
                              .key = key};
    trace_add_item(trace, &item);
}

static inline void testing_note(struct trace *trace, const char *note)
{
    struct trace_deed deed = {.kind = EFFECT_NOTE,
                              .name = trace_string(trace, span_string(note)),
                              .text = trace_string(trace, span_string("0"))};
    trace_add_deed(trace, &deed, NULL, 0);
}

/* Random sendings and receptions of few different messages among few nodes: some are lost, doubled or made up. */
static inline void testing_random(struct trace *trace, uint64_t seed, uint32_t steps)
{
    struct random random;
    struct {
        uint32_t from, to;
        uint64_t key;
    } sent[256];
    uint32_t count = 0;
    random_seed(&random, seed);
    for (uint32_t i = 0; i < steps; i++) {
        uint32_t node = 1 + (uint32_t)random_below(&random, TESTING_NODES);
        if (count > 0 && random_chance(&random, 1, 2)) {
            uint32_t chosen = (uint32_t)random_below(&random, count);
            testing_receive(trace, 1000 * (int64_t)i, sent[chosen].to, sent[chosen].from, sent[chosen].key);
        } else if (random_chance(&random, 1, 20)) {
            testing_receive(trace, 1000 * (int64_t)i, node, 1, 77);
        } else {
            testing_step(trace, 1000 * (int64_t)i, node, EVENT_TURN);
        }
        if (count < 256 && random_chance(&random, 1, 2)) {
            sent[count].from = trace->items[trace->item_count - 1].node;
            sent[count].to = 1 + (uint32_t)random_below(&random, TESTING_NODES);
            sent[count].key = 1 + random_below(&random, 3);
            testing_send(trace, sent[count].to, sent[count].key);
            count++;
        }
    }
}

#endif
