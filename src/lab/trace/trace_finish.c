/* What belongs together in a trace: lines, arrows, spans.
 *
 * Arrows. Sendings wait in a table under (key, from, to); a reception takes the oldest that waits. When none does, but
 * one was there, it is the same message once more. What still waits at the end was lost, unless it was sent so late
 * that the slowest message seen would not have arrived either. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/panic.h"
#include "lab/trace/trace.h"

/* ---- lines ---- */

static int compare_lines(const void *a, const void *b)
{
    const struct trace_line *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

/* A set of (group, node), by open addressing. */
struct line_set {
    uint64_t *slots; /* (group, node) + 1, or 0 */
    uint32_t mask, count;
};

static bool line_set_add(struct trace *trace, struct line_set *set, uint32_t group, uint32_t node)
{
    uint64_t word = ((uint64_t)group << 32 | node) + 1;
    uint32_t slot = (uint32_t)hash_mix(0, word) & set->mask;
    while (set->slots[slot] != 0 && set->slots[slot] != word)
        slot = (slot + 1) & set->mask;
    if (set->slots[slot] == word)
        return true;
    if (set->count == TRACE_LINES_MAX) {
        trace->cut = true;
        return false;
    }
    set->slots[slot] = word;
    set->count++;
    return true;
}

/* A line for each member that took a step or was sent a message. A node that has only marks has none. */
static bool gather_lines(struct trace *trace, struct line_set *set)
{
    bool room = true;
    for (uint32_t i = 0; i < trace->item_count && room; i++) {
        const struct trace_item *item = &trace->items[i];
        if (item->kind != TRACE_STEP)
            continue;
        room = line_set_add(trace, set, item->group, item->node);
        for (uint32_t d = item->deed_first; d < item->deed_first + item->deed_count && room; d++)
            for (uint32_t t = 0; t < trace->deeds[d].target_count && room; t++)
                room = line_set_add(trace, set, item->group, trace->targets[trace->deeds[d].target_first + t]);
    }
    return room;
}

static bool make_lines(struct trace *trace)
{
    enum { SLOTS = 4 * (TRACE_LINES_MAX + 1) };
    struct line_set set = {.slots = heap_alloc_zero(trace->heap, SLOTS * sizeof *set.slots), .mask = SLOTS - 1};
    if (set.slots == NULL)
        return false;
    gather_lines(trace, &set);
    trace->lines = heap_alloc(trace->heap, (set.count + 1) * sizeof *trace->lines);
    for (uint32_t i = 0; i < SLOTS && trace->lines != NULL; i++)
        if (set.slots[i] != 0)
            trace->lines[trace->line_count++] = (struct trace_line){.node = (uint32_t)(set.slots[i] - 1),
                                                                    .group = (uint32_t)((set.slots[i] - 1) >> 32)};
    heap_free(trace->heap, set.slots);
    if (trace->lines != NULL)
        qsort(trace->lines, trace->line_count, sizeof *trace->lines, compare_lines);
    return trace->lines != NULL;
}

uint32_t trace_find_line(const struct trace *trace, uint32_t node, uint32_t group)
{
    struct trace_line wanted = {.node = node, .group = group};
    const struct trace_line *found =
        bsearch(&wanted, trace->lines, trace->line_count, sizeof *trace->lines, compare_lines);
    return found == NULL ? TRACE_NONE : (uint32_t)(found - trace->lines);
}

/* A mark concerns a node; it is drawn on that node's first line. */
static uint32_t line_of_node(const struct trace *trace, uint32_t node)
{
    for (uint32_t i = 0; i < trace->line_count; i++)
        if (trace->lines[i].node == node)
            return i;
    return TRACE_NONE;
}

static void set_lines(struct trace *trace)
{
    for (uint32_t i = 0; i < trace->item_count; i++) {
        struct trace_item *item = &trace->items[i];
        if (item->kind == TRACE_STEP)
            item->line = trace_find_line(trace, item->node, item->group);
        else if (item->node != 0)
            item->line = line_of_node(trace, item->node);
    }
}

/* Only gateways hear members' answers. */
static void find_gateways(struct trace *trace)
{
    for (uint32_t i = 0; i < trace->item_count; i++) {
        const struct trace_item *item = &trace->items[i];
        if (item->kind == TRACE_STEP && item->event == EVENT_MESSAGE && item->line != TRACE_NONE &&
            span_equal(trace_text(trace, item->name), span_string("CLIENT_ANSWERS")))
            trace->lines[item->line].gateway = true;
    }
}

/* ---- arrows ---- */

/* Arrows of one (key, from, to), in the order of sending. */
struct queue {
    uint64_t key; /* 0: the slot is free */
    uint32_t waiting, last; /* arrows; `waiting` TRACE_NONE: all were received */
};

struct matcher {
    struct trace *trace;
    struct queue *queues;
    uint32_t *next; /* of each arrow: the one sent after it, or TRACE_NONE */
    uint32_t mask;
};

static struct queue *queue_of(struct matcher *matcher, uint64_t message, uint32_t from_line, uint32_t to_line)
{
    uint64_t key = hash_mix(message, (uint64_t)from_line << 32 | to_line) | 1;
    uint32_t slot = (uint32_t)(key >> 20) & matcher->mask;
    while (matcher->queues[slot].key != 0 && matcher->queues[slot].key != key)
        slot = (slot + 1) & matcher->mask;
    if (matcher->queues[slot].key == 0)
        matcher->queues[slot] = (struct queue){.key = key, .waiting = TRACE_NONE, .last = TRACE_NONE};
    return &matcher->queues[slot];
}

static void send_arrow(struct matcher *matcher, uint32_t item, uint32_t deed, uint32_t target)
{
    struct trace *trace = matcher->trace;
    uint32_t arrow = trace->arrow_count++;
    uint32_t from_line = trace->items[item].line;
    uint32_t to_line = trace_find_line(trace, target, trace->items[item].group);
    trace->arrows[arrow] = (struct trace_arrow){.send_item = item,
                                                .deed = deed,
                                                .receive_item = TRACE_NONE,
                                                .from_line = from_line,
                                                .to_line = to_line,
                                                .fate = TRACE_LOST};
    struct queue *queue = queue_of(matcher, trace->deeds[deed].key, from_line, to_line);
    matcher->next[arrow] = TRACE_NONE;
    if (queue->last != TRACE_NONE)
        matcher->next[queue->last] = arrow;
    if (queue->waiting == TRACE_NONE)
        queue->waiting = arrow;
    queue->last = arrow;
}

/* The arrow that ends here, or TRACE_NONE. An arrow of a doubled message is made in passing, behind all others. */
static uint32_t receive_arrow(struct matcher *matcher, uint32_t item, uint32_t *again_at)
{
    struct trace *trace = matcher->trace;
    uint32_t from_line = trace_find_line(trace, trace->items[item].from, trace->items[item].group);
    if (from_line == TRACE_NONE)
        return TRACE_NONE;
    struct queue *queue = queue_of(matcher, trace->items[item].key, from_line, trace->items[item].line);
    uint32_t arrow = queue->waiting;
    if (arrow != TRACE_NONE) {
        queue->waiting = matcher->next[arrow];
        trace->arrows[arrow].fate = TRACE_RECEIVED;
        trace->arrows[arrow].receive_item = item;
        return arrow;
    }
    if (queue->last == TRACE_NONE)
        return TRACE_NONE;
    struct trace_arrow *again = &trace->arrows[*again_at];
    *again = trace->arrows[queue->last];
    again->fate = TRACE_RECEIVED_AGAIN;
    again->receive_item = item;
    return (*again_at)++;
}

static void match_items(struct matcher *matcher, uint32_t sent_count, uint32_t *again_at)
{
    struct trace *trace = matcher->trace;
    for (uint32_t i = 0; i < trace->item_count; i++) {
        struct trace_item *item = &trace->items[i];
        if (item->kind != TRACE_STEP)
            continue;
        if (item->from != 0)
            item->arrow = receive_arrow(matcher, i, again_at);
        for (uint32_t d = item->deed_first; d < item->deed_first + item->deed_count; d++) {
            trace->deeds[d].arrow_first = trace->arrow_count;
            for (uint32_t t = 0; t < trace->deeds[d].target_count; t++)
                send_arrow(matcher, i, d, trace->targets[trace->deeds[d].target_first + t]);
        }
    }
    invariant(trace->arrow_count == sent_count, "each target has one arrow");
}

/* What was sent near the end may be on its way. */
static void judge_late(struct trace *trace)
{
    int64_t slowest_ns = 0;
    for (uint32_t i = 0; i < trace->arrow_count; i++) {
        const struct trace_arrow *arrow = &trace->arrows[i];
        if (arrow->fate != TRACE_RECEIVED)
            continue;
        int64_t took_ns = trace->items[arrow->receive_item].at_ns - trace->items[arrow->send_item].at_ns;
        slowest_ns = took_ns > slowest_ns ? took_ns : slowest_ns;
    }
    int64_t end_ns = trace->item_count > 0 ? trace->items[trace->item_count - 1].at_ns : 0;
    for (uint32_t i = 0; i < trace->arrow_count; i++) {
        struct trace_arrow *arrow = &trace->arrows[i];
        if (arrow->fate == TRACE_LOST && trace->items[arrow->send_item].at_ns >= end_ns - slowest_ns)
            arrow->fate = TRACE_UNDER_WAY;
    }
}

static bool make_arrows(struct trace *trace)
{
    uint32_t sent = trace->target_count, received = 0;
    for (uint32_t i = 0; i < trace->item_count; i++)
        received += trace->items[i].kind == TRACE_STEP && trace->items[i].from != 0;
    uint32_t slots = 64;
    while (slots < 2 * (sent + received))
        slots *= 2;
    struct matcher matcher = {.trace = trace,
                              .queues = heap_alloc_zero(trace->heap, slots * sizeof *matcher.queues),
                              .next = heap_alloc(trace->heap, (sent + 1) * sizeof *matcher.next),
                              .mask = slots - 1};
    trace->arrows = heap_alloc(trace->heap, ((size_t)sent + received + 1) * sizeof *trace->arrows);
    bool room = matcher.queues != NULL && matcher.next != NULL && trace->arrows != NULL;
    if (room) {
        uint32_t again_at = sent;
        match_items(&matcher, sent, &again_at);
        judge_late(trace);
        trace->arrow_count = again_at;
    }
    heap_free(trace->heap, matcher.queues);
    heap_free(trace->heap, matcher.next);
    return room;
}

/* ---- spans ---- */

/* What a mark begins; -1: nothing. */
static int span_begun(enum world_mark mark)
{
    switch (mark) {
    case WORLD_MARK_DOWN:
        return TRACE_DOWN;
    case WORLD_MARK_PAUSED:
        return TRACE_PAUSED;
    case WORLD_MARK_CUT:
        return TRACE_CUT;
    case WORLD_MARK_FAULT:
        return TRACE_FAULT;
    case WORLD_MARK_NOTE:
    case WORLD_MARK_UP:
    case WORLD_MARK_RUNS:
    case WORLD_MARK_HEALED:
    case WORLD_MARK_LOST:
    case WORLD_MARK_FAULT_END:
    case WORLD_MARK_CLIENT:
    case WORLD_MARK_VIOLATION:
        break;
    }
    return -1;
}

static int span_ended(enum world_mark mark)
{
    switch (mark) {
    case WORLD_MARK_UP:
        return TRACE_DOWN;
    case WORLD_MARK_RUNS:
        return TRACE_PAUSED;
    case WORLD_MARK_HEALED:
        return TRACE_CUT;
    case WORLD_MARK_FAULT_END:
        return TRACE_FAULT;
    case WORLD_MARK_NOTE:
    case WORLD_MARK_DOWN:
    case WORLD_MARK_PAUSED:
    case WORLD_MARK_CUT:
    case WORLD_MARK_LOST:
    case WORLD_MARK_FAULT:
    case WORLD_MARK_CLIENT:
    case WORLD_MARK_VIOLATION:
        break;
    }
    return -1;
}

/* What a mark's text says behind its verb: "n1 -> n2" of "cut: n1 -> n2"; empty: nothing. */
static struct span object_of(const struct trace *trace, uint32_t text)
{
    struct span words = trace_text(trace, text);
    const uint8_t *colon = words.size == 0 ? NULL : memchr(words.data, ':', words.size);
    return colon == NULL ? (struct span){0} : span_of(colon, words.size - (size_t)(colon - words.data));
}

static bool same_object(const struct trace *trace, uint32_t a, uint32_t b)
{
    struct span object = object_of(trace, a);
    return object.size > 0 && span_equal(object, object_of(trace, b));
}

/* A mark that ends something names the same node, and the same object where several are open; else it ends all that
 * are open of its kind at that node. A process that goes down pauses no longer. */
static void end_spans(struct trace *trace, uint32_t item, int kind)
{
    const struct trace_item *mark = &trace->items[item];
    uint32_t exact = TRACE_NONE;
    for (uint32_t i = trace->span_count; i-- > 0;) {
        const struct trace_span *span = &trace->spans[i];
        if (span->item_last == TRACE_NONE && (int)span->kind == kind && span->node == mark->node &&
            same_object(trace, span->text, mark->text))
            exact = i;
    }
    for (uint32_t i = trace->span_count; i-- > 0;) {
        struct trace_span *span = &trace->spans[i];
        bool its = span->item_last == TRACE_NONE && (int)span->kind == kind && span->node == mark->node;
        if (exact == TRACE_NONE ? its : i == exact)
            span->item_last = item;
    }
}

static bool is_open(const struct trace *trace, uint32_t node, int kind)
{
    for (uint32_t i = trace->span_count; i-- > 0;) {
        const struct trace_span *span = &trace->spans[i];
        if (span->item_last == TRACE_NONE && (int)span->kind == kind && span->node == node)
            return true;
    }
    return false;
}

static bool make_spans(struct trace *trace)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < trace->item_count; i++)
        most += trace->items[i].kind == TRACE_MARK && span_begun(trace->items[i].mark) >= 0;
    trace->spans = heap_alloc(trace->heap, (most + 1) * sizeof *trace->spans);
    if (trace->spans == NULL)
        return false;
    for (uint32_t i = 0; i < trace->item_count; i++) {
        const struct trace_item *item = &trace->items[i];
        if (item->kind != TRACE_MARK)
            continue;
        int begun = span_begun(item->mark), ended = span_ended(item->mark);
        if (ended >= 0)
            end_spans(trace, i, ended);
        if (begun == TRACE_DOWN)
            end_spans(trace, i, TRACE_PAUSED);
        if (begun < 0 || (begun == TRACE_DOWN && is_open(trace, item->node, begun)))
            continue;
        trace->spans[trace->span_count++] = (struct trace_span){.kind = (enum trace_span_kind)begun,
                                                                .node = item->node,
                                                                .item_first = i,
                                                                .item_last = TRACE_NONE,
                                                                .text = item->text};
    }
    for (uint32_t i = 0; i < trace->span_count; i++) /* a strike without an end is over at once */
        if (trace->spans[i].kind == TRACE_FAULT && trace->spans[i].item_last == TRACE_NONE)
            trace->spans[i].item_last = trace->spans[i].item_first;
    return true;
}

/* ---- the whole ---- */

bool trace_finish(struct trace *trace)
{
    invariant(!trace->finished, "a trace is finished once");
    trace->finished = make_lines(trace);
    if (!trace->finished)
        return false;
    set_lines(trace);
    find_gateways(trace);
    trace->finished = make_arrows(trace) && make_spans(trace);
    return trace->finished;
}

uint32_t trace_state_before(const struct trace *trace, uint32_t item)
{
    const struct trace_item *after = &trace->items[item];
    for (uint32_t i = item; i-- > 0;) {
        const struct trace_item *at = &trace->items[i];
        if (at->kind == TRACE_STEP && at->line == after->line)
            return at->state;
        if (at->kind == TRACE_MARK && at->mark == WORLD_MARK_DOWN && at->node == after->node)
            return TRACE_NONE;
    }
    return TRACE_NONE;
}

uint32_t trace_first_violation(const struct trace *trace)
{
    for (uint32_t i = 0; i < trace->item_count; i++)
        if (trace->items[i].kind == TRACE_MARK && trace->items[i].mark == WORLD_MARK_VIOLATION)
            return i;
    return TRACE_NONE;
}
