/* One object's search, and how a counter-history is made small.
 *
 * Small means: every operation that is left out is relaxed. Of a relaxed one only is known that it may have happened,
 * at any time, with the answer that it got. Relaxing never makes a history illegal, so what is illegal with some relaxed
 * is illegal as a whole; and when relaxing one was once too much, it stays so however many others are relaxed. So one
 * pass over all operations ends with a minimal set. The pass goes by halves (first whole ends of the history, then
 * chunks, then single ones: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE
 * 2002), because most of a long history has nothing to do with it. */
#include <string.h>

#include "lab/object/object_internal.h"

/* Where time is not bounded, making a counter-history small still is. */
#define MINIMISE_NS_MAX INT64_C(2000000000)

struct object_pair *object_sort(struct object_pair *pairs, struct object_pair *spare, uint32_t count)
{
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t low = 0; low < count; low += 2 * width) {
            uint64_t middle = low + width < count ? low + width : count;
            uint64_t high = low + 2 * width < count ? low + 2 * width : count;
            for (uint64_t at = low, left = low, right = middle; at < high; at++) {
                bool take_left = left < middle && (right == high || pairs[left].key <= pairs[right].key);
                spare[at] = take_left ? pairs[left++] : pairs[right++];
            }
        }
        struct object_pair *sorted = spare;
        spare = pairs;
        pairs = sorted;
    }
    return pairs;
}

/* The element that an operation of a queue or stack puts or took; VALUE_NONE: none, or nobody knows. */
static uint32_t element_of(const struct object_part *part, const struct object_operation *operation)
{
    bool line = part->objects->type == OBJECT_QUEUE || part->objects->type == OBJECT_STACK;
    return !line ? VALUE_NONE : operation->function == OBJECT_PUT ? operation->argument : operation->answer;
}

/* Marks in the scratch the elements that an operation which is not relaxed has to do with. Others can be left out: an
 * order with them is one without them too. */
static void mark_elements(const struct object_part *part, uint32_t mark)
{
    for (uint32_t at = 0; at < part->count; at++) {
        uint32_t element = element_of(part, &part->operations[at]);
        if (element != VALUE_NONE && part->operations[at].certainty != OBJECT_RELAXED)
            part->objects->scratch[element] = mark;
    }
}

/* Writes the part's events in their order, relaxed operations first; returns how many. */
static uint32_t events_list(const struct object_part *part, struct object_pair *ends, uint32_t *events)
{
    uint32_t count = 0, end_count = 0, next_end = 0;
    for (uint32_t at = 0; at < part->count; at++) {
        uint32_t element = element_of(part, &part->operations[at]);
        bool of_use = element == VALUE_NONE || part->objects->scratch[element] != 0;
        if (part->operations[at].certainty == OBJECT_RELAXED && of_use)
            events[count++] = at * 2;
        else if (part->operations[at].certainty == OBJECT_HAPPENED)
            ends[end_count++] = (struct object_pair){.key = part->operations[at].completed, .operation = at};
    }
    ends = object_sort(ends, ends + end_count, end_count);
    for (uint32_t at = 0; at <= part->count; at++) {
        uint32_t place = at < part->count ? part->operations[at].invoked : RECORD_NEVER;
        for (; next_end < end_count && ends[next_end].key < place; next_end++)
            events[count++] = ends[next_end].operation * 2 + 1;
        if (at < part->count && part->operations[at].certainty != OBJECT_RELAXED)
            events[count++] = at * 2;
    }
    return count;
}

enum search_end object_search(struct object_search *search, const struct object_part *part, uint32_t *order,
                              uint32_t *order_count)
{
    struct linearizable *checker = search->checker;
    size_t room = (size_t)part->count * 2 + 2;
    if (!object_load(part, search->history) ||
        !vector_room(checker->heap, &checker->events, room * (sizeof(uint32_t) + sizeof(struct object_pair))))
        return SEARCH_MEMORY;
    if (part->objects->type == OBJECT_STACK)
        stack_annotate(part, search->history);
    uint32_t *events = checker->events.data;
    /* Ends lie behind the events; both are of four-byte words. */
    mark_elements(part, 1);
    uint32_t count = events_list(part, (struct object_pair *)(void *)(events + room), events);
    mark_elements(part, 0);
    uint64_t work_max = search->bounds->work_max == 0 ? UINT64_MAX : search->bounds->work_max;
    uint32_t deadline;
    checker->model = object_model(part->objects->type);
    if (!linearizable_prepare(checker, search->history, events, count))
        return SEARCH_MEMORY;
    enum search_end end = linearizable_search(checker, search->history, work_max, &search->work, &deadline);
    if (end == SEARCH_FOUND && order != NULL)
        *order_count = linearizable_order(checker, search->history, order);
    return end;
}

/* Is the part legal? As the search, but a set that grows is decided at once. */
static enum search_end decide(struct object_search *search, const struct object_part *part)
{
    struct special special = {.order = NULL};
    if (search->level == OBJECT_SEQUENTIAL)
        return object_sequential(search, part, NULL, NULL);
    switch (part->objects->type == OBJECT_SET ? special_set(part, &special) : SPECIAL_NONE) {
    case SPECIAL_LEGAL:
        return SEARCH_FOUND;
    case SPECIAL_ILLEGAL:
        return SEARCH_EXHAUSTED;
    case SPECIAL_MEMORY:
        return SEARCH_MEMORY;
    case SPECIAL_NONE:
        break;
    }
    return object_search(search, part, NULL, NULL);
}

/* ---- minimal ---- */

static void relax(const struct object_part *part, uint32_t from, uint32_t to, const uint8_t *certainties)
{
    for (uint32_t at = from; at < to; at++)
        part->operations[at].certainty = certainties == NULL ? OBJECT_RELAXED : certainties[at];
}

static bool any_certain(const struct object_part *part, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to; at++)
        if (part->operations[at].certainty != OBJECT_RELAXED)
            return true;
    return false;
}

/* Relaxes a range, and keeps it so when the rest is still illegal. */
static bool try_relax(struct object_search *search, const struct object_part *part, uint32_t from, uint32_t to,
                      uint8_t *certainties, bool *sure)
{
    if (!any_certain(part, from, to))
        return true;
    for (uint32_t at = from; at < to; at++)
        certainties[at] = part->operations[at].certainty;
    relax(part, from, to, NULL);
    enum search_end end = decide(search, part);
    if (end == SEARCH_EXHAUSTED)
        return true;
    *sure = *sure && end == SEARCH_FOUND;
    relax(part, from, to, certainties);
    return false;
}

bool object_minimise(struct object_search *search, const struct object_part *part)
{
    bool sure = true;
    if (search->checker->stop_ns == 0)
        search->checker->stop_ns = linearizable_clock_ns() + MINIMISE_NS_MAX;
    uint8_t *certainties = heap_alloc(part->objects->heap, (size_t)part->count + 1);
    if (certainties == NULL)
        return false;
    for (uint32_t width = part->count; width > 0; width = width == 1 ? 0 : width / 2 + width % 2) {
        sure = true; /* a range that was too much to search is tried again in pieces */
        for (uint32_t at = part->count; at > 0; at = at > width ? at - width : 0)
            try_relax(search, part, at > width ? at - width : 0, at, certainties, &sure);
    }
    heap_free(part->objects->heap, certainties);
    return sure;
}
