/* Stacks onto which no value is pushed twice: what makes their search short.
 *
 * A value whose push and pop overlap can be pushed and popped at one moment, which nothing else notices. So an order
 * exists with it if and only if one exists without it: such pairs are taken out before the search and put back into the
 * order that it found. (That is the first of the reductions of Lee and Mathur, "Efficient decrease-and-conquer
 * linearizability monitoring", OOPSLA 2025.)
 *
 * And of two values on the stack the upper one is popped first. So a push is in vain when a value below has been popped
 * before the pop of the new one began, or when the new one is never popped and the one below is: stack_dooms(). */
#include <string.h>

#include "lab/object/object_internal.h"

#define NOBODY UINT32_MAX

/* Finds out which push a value has; false when one is pushed twice. The scratch holds the pushes, + 1. */
static bool list_pushes(const struct object_part *part)
{
    bool unique = true;
    for (uint32_t at = 0; at < part->count && unique; at++) {
        const struct object_operation *operation = &part->operations[at];
        if (operation->function != OBJECT_PUT)
            continue;
        unique = part->objects->scratch[operation->argument] == 0;
        part->objects->scratch[operation->argument] = at + 1;
    }
    return unique;
}

static void forget_pushes(const struct object_part *part)
{
    for (uint32_t at = 0; at < part->count; at++)
        if (part->operations[at].function == OBJECT_PUT)
            part->objects->scratch[part->operations[at].argument] = 0;
}

/* What is wrong with a pop whose push has the number `push` + 1, or 0; `taken_by` are the pops of each push so far. */
static uint32_t wrong_pop(const struct object_part *part, uint32_t at, uint32_t number, uint32_t *taken_by,
                          uint32_t *culprits)
{
    uint32_t count = 0;
    if (number != 0) {
        const struct object_operation *push = &part->operations[number - 1];
        bool fits = push->certainty != OBJECT_FAILED && push->invoked < part->operations[at].completed &&
                    taken_by[number - 1] == NOBODY;
        if (!fits)
            culprits[count++] = number - 1;
        if (!fits && taken_by[number - 1] != NOBODY)
            culprits[count++] = taken_by[number - 1];
        taken_by[number - 1] = at;
        if (fits)
            return 0;
    }
    culprits[count++] = at;
    return count;
}

enum special_end special_stack(const struct object_part *part, struct special *out)
{
    uint32_t *taken_by = heap_alloc(part->objects->heap, ((size_t)part->count + 1) * sizeof *taken_by);
    if (taken_by == NULL)
        return SPECIAL_MEMORY;
    memset(taken_by, 0xff, ((size_t)part->count + 1) * sizeof *taken_by);
    bool unique = list_pushes(part);
    out->culprit_count = 0;
    for (uint32_t at = 0; at < part->count && unique && out->culprit_count == 0; at++) {
        const struct object_operation *pop = &part->operations[at];
        if (pop->function == OBJECT_TAKE && pop->certainty == OBJECT_HAPPENED && pop->answer != VALUE_NONE)
            out->culprit_count = wrong_pop(part, at, part->objects->scratch[pop->answer], taken_by, out->culprits);
    }
    forget_pushes(part);
    heap_free(part->objects->heap, taken_by);
    return out->culprit_count > 0 ? SPECIAL_ILLEGAL : SPECIAL_NONE;
}

/* When a push's value is popped: from, and to. A pop that may have happened says nothing for sure. */
static void note_pop(struct history_operation *push, const struct object_operation *pop)
{
    bool first = push->invoked_ns == INT64_MAX, sure = pop->certainty == OBJECT_HAPPENED && first;
    push->invoked_ns = sure ? (int64_t)pop->invoked : 0;
    push->completed_ns = sure ? (int64_t)pop->completed : INT64_MAX;
}

void stack_annotate(const struct object_part *part, struct history *history)
{
    bool open_pops = false, unique = list_pushes(part);
    struct history_operation *operations = history->operations;
    for (uint32_t at = 0; at < part->count && unique; at++) {
        const struct object_operation *operation = &part->operations[at];
        if (operation->function == OBJECT_PUT) {
            operations[at].argument = at;
            operations[at].number = 1;
            operations[at].invoked_ns = operations[at].completed_ns = INT64_MAX;
        } else {
            bool tells = operation->answered || operation->certainty == OBJECT_FAILED;
            open_pops = open_pops || !tells || operation->certainty == OBJECT_RELAXED;
        }
    }
    for (uint32_t at = 0; at < part->count && unique; at++) {
        const struct object_operation *operation = &part->operations[at];
        if (operation->function == OBJECT_PUT || operation->answer == VALUE_NONE)
            continue;
        uint32_t push = part->objects->scratch[operation->answer];
        operations[at].answer = push == 0 ? part->count : push - 1;
        if (push != 0 && operation->certainty != OBJECT_FAILED)
            note_pop(&operations[push - 1], operation);
    }
    for (uint32_t at = 0; at < part->count && unique && open_pops; at++)
        if (operations[at].function == OBJECT_PUT && operations[at].invoked_ns == INT64_MAX)
            operations[at].invoked_ns = 0;
    forget_pushes(part);
}

bool stack_dooms(const struct history *history, const struct history_operation *push, struct span below)
{
    uint32_t under;
    for (size_t at = 0; at + sizeof under <= below.size; at += sizeof under) {
        memcpy(&under, below.data + at, sizeof under);
        if (history->operations[under].completed_ns < push->invoked_ns)
            return true;
    }
    return false;
}

/* Pairs each push with its pop; false when a value is popped twice, so that nothing may be taken out. */
static bool pair_up(const struct object_part *part, uint32_t *pair_of)
{
    bool once = true;
    for (uint32_t at = 0; at < part->count; at++) {
        const struct object_operation *pop = &part->operations[at];
        if (pop->function != OBJECT_TAKE || pop->answer == VALUE_NONE || pop->certainty == OBJECT_FAILED)
            continue;
        uint32_t number = part->objects->scratch[pop->answer];
        if (number == 0)
            continue;
        once = once && pair_of[number - 1] == NOBODY;
        pair_of[number - 1] = at;
        pair_of[at] = number - 1;
    }
    return once;
}

static bool may_be_one_moment(const struct object_operation *push, const struct object_operation *pop)
{
    return pop->certainty == OBJECT_HAPPENED &&
           (push->certainty == OBJECT_HAPPENED || push->certainty == OBJECT_OPEN) &&
           push->invoked < pop->completed && pop->invoked < push->completed;
}

bool stack_thin(const struct object_part *part, struct object_part *thin, uint32_t *pair_of)
{
    struct heap *heap = part->objects->heap;
    struct object_operation *operations = heap_alloc(heap, ((size_t)part->count + 1) * sizeof *operations);
    if (operations == NULL)
        return false;
    *thin = (struct object_part){.objects = part->objects, .operations = operations};
    for (uint32_t at = 0; at < part->count; at++)
        pair_of[at] = NOBODY;
    bool good = list_pushes(part) && pair_up(part, pair_of);
    forget_pushes(part);
    for (uint32_t at = 0; at < part->count; at++) {
        uint32_t other = pair_of[at];
        bool is_push = part->operations[at].function == OBJECT_PUT;
        bool out = good && other != NOBODY &&
                   may_be_one_moment(&part->operations[is_push ? at : other], &part->operations[is_push ? other : at]);
        if (out)
            continue;
        pair_of[at] = NOBODY;
        if (other != NOBODY && pair_of[other] == at)
            pair_of[other] = NOBODY;
        operations[thin->count++] = part->operations[at];
    }
    return true;
}

/* Gives each operation of the order the earliest moment that those before it allow, and puts pairs in between. */
uint32_t stack_put_back(const struct object_part *part, const struct object_part *thin, const uint32_t *pair_of,
                        const uint32_t *thin_order, uint32_t thin_count, uint32_t *order)
{
    /* Pushes of pairs by the moment from which both have begun: counted places, so no sorting. */
    uint32_t *numbers = heap_alloc(part->objects->heap, ((size_t)part->count + 1) * sizeof *numbers);
    uint32_t *pair_at = heap_alloc(part->objects->heap, (2 * (size_t)part->count + 1) * sizeof *pair_at);
    uint32_t count = 0, moment = 0, next = 0, places = 2 * part->count;
    if (numbers == NULL || pair_at == NULL)
        places = 0;
    for (uint32_t place = 0; place < places; place++)
        pair_at[place] = NOBODY;
    for (uint32_t at = 0, number = 0; at < part->count && places > 0; at++) {
        if (pair_of[at] == NOBODY)
            numbers[number++] = at;
        else if (part->operations[at].invoked > part->operations[pair_of[at]].invoked)
            pair_at[part->operations[at].invoked] = at;
    }
    for (uint32_t at = 0; at <= thin_count && places > 0; at++) {
        uint32_t begun = at < thin_count ? thin->operations[thin_order[at]].invoked : places;
        for (moment = begun > moment ? begun : moment; next < moment && next < places; next++) {
            if (pair_at[next] == NOBODY)
                continue;
            bool is_push = part->operations[pair_at[next]].function == OBJECT_PUT;
            order[count++] = is_push ? pair_at[next] : pair_of[pair_at[next]];
            order[count++] = is_push ? pair_of[pair_at[next]] : pair_at[next];
        }
        if (at < thin_count)
            order[count++] = numbers[thin_order[at]];
    }
    heap_free(part->objects->heap, numbers);
    heap_free(part->objects->heap, pair_at);
    return count;
}
