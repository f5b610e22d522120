/* Takes the operations of all objects apart by processes, and lists who reads and writes each value of a register. */
#include <string.h>

#include "lab/object/object_sequential.h"

static bool sequence_alloc(struct sequence *sequence, const struct object_part *all)
{
    struct heap *heap = sequence->heap;
    size_t count = (size_t)all->count + 1;
    sequence->process_count = all->objects->record->process_count;
    sequence->object_count = all->objects->count;
    sequence->steps = heap_alloc_zero(heap, count * sizeof *sequence->steps);
    sequence->chains = heap_alloc(heap, count * sizeof *sequence->chains);
    sequence->chain_starts = heap_alloc_zero(heap, ((size_t)sequence->process_count + 2) * sizeof(uint32_t));
    sequence->open = heap_alloc(heap, count * sizeof *sequence->open);
    sequence->trail = heap_alloc(heap, count * sizeof *sequence->trail);
    sequence->values = heap_alloc(heap, 2 * count * sizeof *sequence->values);
    sequence->readers = heap_alloc(heap, count * sizeof *sequence->readers);
    sequence->writers = heap_alloc(heap, count * sizeof *sequence->writers);
    return sequence->steps != NULL && sequence->chains != NULL && sequence->chain_starts != NULL &&
           sequence->open != NULL && sequence->trail != NULL && sequence->values != NULL &&
           sequence->readers != NULL && sequence->writers != NULL;
}

void sequence_free(struct sequence *sequence)
{
    void *blocks[] = {sequence->steps,   sequence->chains,  sequence->chain_starts, sequence->open,
                      sequence->trail,   sequence->values,  sequence->readers,      sequence->writers,
                      sequence->at_hand, sequence->visited.data, sequence->slots.data, sequence->stack.data};
    for (size_t at = 0; at < sizeof blocks / sizeof blocks[0]; at++)
        heap_free(sequence->heap, blocks[at]);
}

static bool is_passive(const struct sequence *sequence, uint32_t at)
{
    const struct history_operation *operation = &sequence->history->operations[at];
    if (sequence->model != NULL)
        return sequence->model->passive(operation);
    bool refused = operation->function == HISTORY_CAS && operation->answer_kind == HISTORY_NIL &&
                   operation->outcome == HISTORY_OK;
    return history_function_reads((enum history_function)operation->function) || refused;
}

/* Sorts operations by the order of their invocation in the record, so that chains come out in program order. */
static struct object_pair *by_invocation(const struct object_part *all, struct object_pair *room)
{
    for (uint32_t at = 0; at < all->count; at++)
        room[at] = (struct object_pair){.key = all->operations[at].id, .operation = at};
    return object_sort(room, room + all->count, all->count);
}

/* Deals the operations out to their processes. */
static void deal(struct sequence *sequence, const struct object_part *all)
{
    const struct object_pair *sorted = by_invocation(all, sequence->values);
    uint32_t *starts = sequence->chain_starts;
    for (uint32_t at = 0; at < all->count; at++)
        if (all->operations[at].certainty == OBJECT_HAPPENED)
            starts[all->operations[at].process + 2]++;
    for (uint32_t process = 2; process < sequence->process_count + 2; process++)
        starts[process] += starts[process - 1];
    /* While operations are dealt out, starts[process + 1] is where the process' next one goes; in the end it is where
     * the next process' begin. The chain's beginning is the end of the one before it. */
    for (uint32_t turn = 0; turn < all->count; turn++) {
        uint32_t at = sorted[turn].operation, process = all->operations[at].process;
        struct step *step = &sequence->steps[at];
        bool relaxed = all->operations[at].certainty == OBJECT_RELAXED;
        step->process = relaxed ? SEQUENCE_NONE : process;
        step->index = starts[process + 1]; /* made relative below */
        step->used_bit = SEQUENCE_NONE;
        step->passive = is_passive(sequence, at);
        if (all->operations[at].certainty == OBJECT_HAPPENED)
            sequence->chains[starts[process + 1]++] = at;
        else if (all->operations[at].certainty != OBJECT_FAILED && !step->passive) {
            step->used_bit = sequence->open_count;
            sequence->open[sequence->open_count++] = at;
        }
    }
    for (uint32_t at = 0; at < all->count; at++)
        sequence->steps[at].index -= starts[all->operations[at].process];
}

/* What a register's operation insists on finding, and what it leaves; VALUE_NONE - 1 (KV_NOTHING) is nothing. */
static uint32_t found_state(const struct history_operation *operation)
{
    bool success = operation->function == HISTORY_CAS && operation->answer_kind != HISTORY_NIL;
    if (operation->function == HISTORY_GET)
        return operation->answer_kind == HISTORY_NIL ? KV_NOTHING : operation->answer;
    return success ? operation->expected : SEQUENCE_NONE;
}

static uint32_t left_state(const struct history_operation *operation)
{
    return operation->function == HISTORY_GET ? SEQUENCE_NONE : operation->argument;
}

uint32_t sequence_value(const struct sequence *sequence, uint32_t object, uint32_t state)
{
    uint32_t low = 0, high = sequence->value_count;
    const struct object_pair *values = sequence->values;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bool below = values[middle].operation < object ||
                     (values[middle].operation == object && values[middle].key < state);
        low = below ? middle + 1 : low;
        high = below ? high : middle;
    }
    bool found = low < sequence->value_count && values[low].operation == object && values[low].key == state;
    return found ? low : SEQUENCE_NONE;
}

/* Numbers the values that certain operations insist on: by object, and by state within. */
static bool number_values(struct sequence *sequence, const struct object_part *all)
{
    struct object_pair *spare = heap_alloc(sequence->heap, 2 * ((size_t)all->count + 1) * sizeof *spare);
    if (spare == NULL)
        return false;
    uint32_t count = 0, kept = 0;
    for (uint32_t at = 0; at < all->count; at++) {
        uint32_t state = found_state(&sequence->history->operations[at]);
        if (state != SEQUENCE_NONE && all->operations[at].certainty == OBJECT_HAPPENED)
            spare[count++] = (struct object_pair){.key = state, .operation = at};
    }
    struct object_pair *sorted = object_sort(spare, spare + all->count, count);
    /* Operations lie by object, so the number of each one's object is what the pair is sorted by now, stably. */
    for (uint32_t at = 0; at < count; at++) {
        uint32_t id = sorted[at].operation;
        sorted[at] = (struct object_pair){.key = sequence->steps[id].object,
                                          .operation = found_state(&sequence->history->operations[id])};
    }
    sorted = object_sort(sorted, sorted == spare ? spare + all->count : spare, count);
    for (uint32_t at = 0; at < count; at++) {
        struct object_pair value = {.key = sorted[at].operation, .operation = sorted[at].key};
        bool known = kept > 0 && sequence->values[kept - 1].key == value.key &&
                     sequence->values[kept - 1].operation == value.operation;
        if (!known)
            sequence->values[kept++] = value;
    }
    sequence->value_count = kept;
    heap_free(sequence->heap, spare);
    return true;
}

/* Lists each value's readers and writers. */
static void list_values(struct sequence *sequence, const struct object_part *all)
{
    for (uint32_t number = 0; number < sequence->value_count; number++)
        sequence->readers[number] = sequence->writers[number] = SEQUENCE_NONE;
    for (uint32_t at = 0; at < all->count; at++) {
        struct step *step = &sequence->steps[at];
        const struct history_operation *operation = &sequence->history->operations[at];
        uint32_t found = sequence_value(sequence, step->object, found_state(operation));
        uint32_t left = sequence_value(sequence, step->object, left_state(operation));
        step->next_reader = step->next_writer = SEQUENCE_NONE;
        if (found != SEQUENCE_NONE && all->operations[at].certainty == OBJECT_HAPPENED) {
            step->next_reader = sequence->readers[found];
            sequence->readers[found] = at;
        }
        bool may_write = all->operations[at].certainty == OBJECT_HAPPENED || step->used_bit != SEQUENCE_NONE;
        if (left != SEQUENCE_NONE && may_write) {
            step->next_writer = sequence->writers[left];
            sequence->writers[left] = at;
        }
    }
}

bool sequence_prepare(struct sequence *sequence, struct object_search *tools, const struct object_part *all)
{
    *sequence = (struct sequence){.heap = tools->checker->heap,
                                  .history = tools->history,
                                  .model = object_model(all->objects->type)};
    if (!sequence_alloc(sequence, all) || !object_load(all, tools->history))
        return false;
    for (uint32_t object = 0; object < all->objects->count; object++)
        for (uint32_t at = all->objects->starts[object]; at < all->objects->starts[object + 1]; at++)
            sequence->steps[at].object = object;
    deal(sequence, all);
    if (all->objects->type == OBJECT_REGISTER) {
        if (!number_values(sequence, all))
            return false;
        list_values(sequence, all);
    }
    sequence->used_words = (sequence->open_count + 31) / 32;
    sequence->stride = (size_t)sequence->process_count + sequence->used_words + sequence->object_count;
    sequence->at_hand = heap_alloc(sequence->heap, (sequence->stride + 1) * sizeof *sequence->at_hand);
    return sequence->at_hand != NULL;
}
