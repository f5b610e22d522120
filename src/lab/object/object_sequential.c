/* Sequential consistency: a search for one order of all operations of all objects that keeps each process' order.
 *
 * A configuration is how far each process has come, which operations that may have happened were used, and the state of
 * each object. None is entered twice; they are compared themselves, not by their hashes. Operations that change nothing
 * are executed as soon as they fit, which loses nothing. A register's value is not overwritten while a read of it is to
 * come and nobody is left to write it: where no value is written twice, that ties each read to its write.
 *
 * Deciding this is NP-complete even for registers whose values are unique (Gibbons and Korach, "Testing shared
 * memories", SIAM J. Computing 1997), so it is for histories of some hundreds of operations, or for such as are
 * linearizable anyway, which object_check.c tries first. */
#include <string.h>

#include "lab/object/object_sequential.h"

enum {
    SLOTS_MIN = 1024,
    STEPS_PER_LOOK = 256, /* at the clock */
};

struct sequence_frame {
    uint32_t configuration, trail_count, cursor;
};

static uint32_t *states(const struct sequence *sequence, uint32_t *configuration)
{
    return configuration + sequence->process_count + sequence->used_words;
}

static bool is_used(const struct sequence *sequence, const uint32_t *configuration, uint32_t bit)
{
    return configuration[sequence->process_count + bit / 32] >> (bit % 32) & 1;
}

static bool apply(const struct sequence *sequence, uint32_t at, uint32_t state, uint32_t *next)
{
    const struct history_operation *operation = &sequence->history->operations[at];
    return sequence->model != NULL ? sequence->model->apply(sequence->history, operation, state, next)
                                   : kv_model_apply(sequence->history, operation, state, next);
}

/* To be executed some time after this configuration, or perhaps. */
static bool is_to_come(const struct sequence *sequence, const uint32_t *configuration, uint32_t at)
{
    const struct step *step = &sequence->steps[at];
    if (step->used_bit != SEQUENCE_NONE)
        return !is_used(sequence, configuration, step->used_bit);
    return configuration[step->process] <= step->index;
}

/* When an operation takes this value away from an object, is a read of it left without? */
static bool strands(const struct sequence *sequence, const uint32_t *configuration, uint32_t state, uint32_t leaving)
{
    const struct step *steps = sequence->steps;
    uint32_t number = sequence_value(sequence, steps[leaving].object, state);
    if (number == SEQUENCE_NONE)
        return false;
    bool awaited = false;
    for (uint32_t at = sequence->readers[number]; at != SEQUENCE_NONE && !awaited; at = steps[at].next_reader)
        awaited = at != leaving && is_to_come(sequence, configuration, at);
    for (uint32_t at = sequence->writers[number]; at != SEQUENCE_NONE && awaited; at = steps[at].next_writer)
        awaited = at == leaving || !is_to_come(sequence, configuration, at);
    return awaited;
}

/* ---- configurations that were visited ---- */

static uint32_t *visited_at(const struct sequence *sequence, uint32_t number)
{
    return (uint32_t *)sequence->visited.data + number * sequence->stride;
}

static uint32_t slot_find(const struct sequence *sequence, const uint32_t *configuration)
{
    const uint32_t *slots = sequence->slots.data;
    uint64_t hash = 0;
    for (size_t at = 0; at < sequence->stride; at++)
        hash = (hash ^ hash >> 29 ^ configuration[at]) * UINT64_C(0xbf58476d1ce4e5b9);
    uint32_t slot = (uint32_t)(hash ^ hash >> 32) & (sequence->slot_count - 1);
    while (slots[slot] != 0 && memcmp(visited_at(sequence, slots[slot] - 1), configuration,
                                      sequence->stride * sizeof *configuration) != 0)
        slot = (slot + 1) & (sequence->slot_count - 1);
    return slot;
}

static bool slots_grow(struct sequence *sequence)
{
    uint32_t count = sequence->slot_count == 0 ? SLOTS_MIN : sequence->slot_count * 2;
    if (count == 0 || !vector_room(sequence->heap, &sequence->slots, count * sizeof(uint32_t)))
        return false;
    memset(sequence->slots.data, 0, count * sizeof(uint32_t));
    sequence->slot_count = count;
    for (uint32_t number = 0; number < sequence->visited_count; number++)
        ((uint32_t *)sequence->slots.data)[slot_find(sequence, visited_at(sequence, number))] = number + 1;
    return true;
}

/* Executes what changes nothing and fits. */
static void absorb(struct sequence *sequence)
{
    uint32_t *held = states(sequence, sequence->at_hand);
    for (uint32_t process = 0; process < sequence->process_count; process++) {
        uint32_t first = sequence->chain_starts[process], end = sequence->chain_starts[process + 1], next;
        for (uint32_t *position = &sequence->at_hand[process]; first + *position < end; ++*position) {
            uint32_t at = sequence->chains[first + *position];
            if (!sequence->steps[at].passive || !apply(sequence, at, held[sequence->steps[at].object], &next))
                break;
            sequence->trail[sequence->trail_count++] = at;
        }
    }
}

static bool is_complete(const struct sequence *sequence)
{
    for (uint32_t process = 0; process < sequence->process_count; process++)
        if (sequence->chain_starts[process] + sequence->at_hand[process] < sequence->chain_starts[process + 1])
            return false;
    return true;
}

/* Enters the configuration at hand, and pushes it unless it is known. */
static void enter(struct sequence *sequence)
{
    absorb(sequence);
    sequence->found = is_complete(sequence);
    if (sequence->found)
        return;
    sequence->full =
        (sequence->visited_count >= sequence->slot_count / 2 && !slots_grow(sequence)) ||
        !vector_room(sequence->heap, &sequence->visited,
                     ((size_t)sequence->visited_count + 1) * sequence->stride * sizeof(uint32_t)) ||
        !vector_room(sequence->heap, &sequence->stack, ((size_t)sequence->depth + 1) * sizeof(struct sequence_frame));
    if (sequence->full)
        return;
    uint32_t *slot = (uint32_t *)sequence->slots.data + slot_find(sequence, sequence->at_hand);
    if (*slot != 0)
        return;
    memcpy(visited_at(sequence, sequence->visited_count), sequence->at_hand, sequence->stride * sizeof(uint32_t));
    ((struct sequence_frame *)sequence->stack.data)[sequence->depth++] =
        (struct sequence_frame){.configuration = sequence->visited_count, .trail_count = sequence->trail_count};
    *slot = ++sequence->visited_count;
}

/* The candidate of a number: first each process' next operation, then those that may have happened. */
static uint32_t candidate(const struct sequence *sequence, const uint32_t *configuration, uint32_t number)
{
    if (number < sequence->process_count) {
        uint32_t place = sequence->chain_starts[number] + configuration[number];
        return place < sequence->chain_starts[number + 1] ? sequence->chains[place] : SEQUENCE_NONE;
    }
    uint32_t at = sequence->open[number - sequence->process_count];
    const struct step *step = &sequence->steps[at];
    bool ready = step->process == SEQUENCE_NONE || configuration[step->process] >= step->index;
    return ready && !is_used(sequence, configuration, step->used_bit) ? at : SEQUENCE_NONE;
}

/* Tries the next candidate of the frame on top; pops it when there is none. */
static void advance(struct sequence *sequence)
{
    struct sequence_frame *frame = &((struct sequence_frame *)sequence->stack.data)[sequence->depth - 1];
    uint32_t *from = visited_at(sequence, frame->configuration);
    while (frame->cursor < sequence->process_count + sequence->open_count) {
        uint32_t at = candidate(sequence, from, frame->cursor++), next;
        if (at == SEQUENCE_NONE)
            continue;
        const struct step *step = &sequence->steps[at];
        uint32_t state = states(sequence, from)[step->object];
        bool optional = step->used_bit != SEQUENCE_NONE;
        if (!apply(sequence, at, state, &next) || (optional && next == state) ||
            (next != state && strands(sequence, from, state, at)))
            continue;
        memcpy(sequence->at_hand, from, sequence->stride * sizeof(uint32_t));
        states(sequence, sequence->at_hand)[step->object] = next;
        if (optional)
            sequence->at_hand[sequence->process_count + step->used_bit / 32] |= UINT32_C(1) << (step->used_bit % 32);
        else
            sequence->at_hand[step->process]++;
        sequence->trail_count = frame->trail_count;
        sequence->trail[sequence->trail_count++] = at;
        enter(sequence);
        return;
    }
    sequence->depth--;
}

static enum search_end search(struct sequence *sequence, struct object_search *tools)
{
    uint64_t work_max = tools->bounds->work_max == 0 ? UINT64_MAX : tools->bounds->work_max;
    int64_t stop_ns = tools->checker->stop_ns;
    bool late = false;
    memset(sequence->at_hand, 0, sequence->stride * sizeof(uint32_t));
    for (uint32_t object = 0; object < sequence->object_count; object++)
        states(sequence, sequence->at_hand)[object] = KV_NOTHING;
    enter(sequence);
    for (uint32_t step = 1; sequence->depth > 0 && !sequence->found && !sequence->full && !late &&
                            !sequence->history->incomplete && sequence->visited_count <= work_max; step++) {
        advance(sequence);
        if (step % STEPS_PER_LOOK == 0 && stop_ns != 0)
            late = linearizable_clock_ns() > stop_ns;
    }
    tools->work += sequence->visited_count;
    if (sequence->found)
        return SEARCH_FOUND;
    if (sequence->full || sequence->history->incomplete)
        return SEARCH_MEMORY;
    return late ? SEARCH_TIME : sequence->depth > 0 ? SEARCH_WORK : SEARCH_EXHAUSTED;
}

enum search_end object_sequential(struct object_search *tools, const struct object_part *all, uint32_t *order,
                                  uint32_t *order_count)
{
    struct sequence sequence;
    enum search_end end = SEARCH_MEMORY;
    if (sequence_prepare(&sequence, tools, all))
        end = search(&sequence, tools);
    if (end == SEARCH_FOUND && order != NULL) {
        memcpy(order, sequence.trail, sequence.trail_count * sizeof *order);
        *order_count = sequence.trail_count;
    }
    sequence_free(&sequence);
    return end;
}
