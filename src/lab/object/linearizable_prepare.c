/* Takes a history apart into keys, and a key into tasks and deadlines.
 *
 * Left out are operations that failed, open reads, and, where only whole values are ever read or written, open writes
 * of values that nobody saw: each can be taken out of any linearization. */
#include <string.h>

#include "lab/object/linearizable_internal.h"

bool vector_room(struct heap *heap, struct vector *vector, size_t size)
{
    if (size <= vector->capacity)
        return true;
    size_t capacity = vector->capacity < 512 ? 512 : vector->capacity;
    while (capacity < size)
        capacity *= 2;
    void *data = heap_resize(heap, vector->data, capacity);
    if (data == NULL)
        return false;
    vector->data = data;
    vector->capacity = capacity;
    return true;
}

bool linearizable_sort(struct linearizable *checker, const struct history *history)
{
    uint32_t keys = history->keys.count;
    /* The first half of `events` is the result, the second the events in their order. */
    if (!vector_room(checker->heap, &checker->events, 2 * sizeof(uint32_t) * ((size_t)history->event_count + 1)) ||
        !vector_room(checker->heap, &checker->key_starts, sizeof(uint32_t) * ((size_t)keys + 2)))
        return false;
    uint32_t *events = checker->events.data, *ordered = events + history->event_count;
    uint32_t *starts = checker->key_starts.data;
    memset(starts, 0, sizeof(uint32_t) * ((size_t)keys + 2));
    for (uint32_t id = 0; id < history->operation_count; id++) {
        const struct history_operation *operation = &history->operations[id];
        ordered[operation->invoked] = id * 2;
        starts[operation->key + 2]++;
        if (operation->completed == HISTORY_NEVER)
            continue;
        ordered[operation->completed] = id * 2 + 1;
        starts[operation->key + 2]++;
    }
    for (uint32_t key = 0; key < keys; key++)
        starts[key + 2] += starts[key + 1];
    /* While events are dealt out, starts[key + 1] is where the key's next one goes; in the end it is where the next
     * key's begin. */
    for (uint32_t place = 0; place < history->event_count; place++)
        events[starts[history->operations[event_operation(ordered[place])].key + 1]++] = ordered[place];
    return true;
}

static bool is_open(const struct history_operation *operation)
{
    return operation->outcome != HISTORY_OK && operation->outcome != HISTORY_FAIL;
}

static bool takes_part(const struct linearizable *checker, const struct history_operation *operation)
{
    if (operation->outcome == HISTORY_FAIL)
        return false;
    if (!is_open(operation))
        return true;
    if (checker->model != NULL)
        return !checker->model->passive(operation);
    return !history_function_reads((enum history_function)operation->function);
}

/* Does the function write a whole value without looking, or show a whole value? */
static bool is_whole(uint8_t function)
{
    return function == HISTORY_SET || function == HISTORY_GET || function == HISTORY_GETSET;
}

/* What a preparation has at hand. */
struct preparation {
    struct linearizable *checker;
    struct key_history *key;
    struct history *history;
    const uint32_t *events;
    uint32_t count;
    bool whole;             /* all functions of the key are whole */
    uint32_t live_count;    /* pending tasks at this event */
    uint32_t *live;         /* they, in the order of their invocation */
    uint32_t *bits;         /* free ones: a stack */
    uint32_t bit_count, free_count;
};

/* Marks the values that anybody was shown. */
static bool find_seen(struct preparation *prepare)
{
    struct vector *seen = &prepare->checker->seen;
    if (!vector_room(prepare->checker->heap, seen, prepare->history->values.count + 1))
        return false;
    prepare->whole = prepare->checker->model == NULL;
    bool any_open = false;
    for (uint32_t at = 0; at < prepare->count; at++) {
        const struct history_operation *operation =
            &prepare->history->operations[event_operation(prepare->events[at])];
        any_open = any_open || is_open(operation);
        prepare->whole = prepare->whole && is_whole(operation->function);
    }
    prepare->whole = prepare->whole && any_open;
    if (!prepare->whole)
        return true;
    uint8_t *shown = seen->data;
    memset(shown, 0, prepare->history->values.count);
    for (uint32_t at = 0; at < prepare->count; at++) {
        const struct history_operation *operation =
            &prepare->history->operations[event_operation(prepare->events[at])];
        bool answered = operation->outcome == HISTORY_OK || operation->outcome == HISTORY_MAYBE;
        if (answered && operation->answer_kind == HISTORY_BYTES)
            shown[operation->answer] = 1;
    }
    return true;
}

static bool never_seen(const struct preparation *prepare, const struct history_operation *operation)
{
    const uint8_t *shown = prepare->checker->seen.data;
    return prepare->whole && is_open(operation) && operation->argument != KV_NOTHING &&
           shown[operation->argument] == 0;
}

static bool same_effect(const struct history_operation *a, const struct history_operation *b)
{
    bool same_answer = (a->outcome != HISTORY_MAYBE && b->outcome != HISTORY_MAYBE) ||
                       (a->outcome == b->outcome && a->answer_kind == b->answer_kind && a->answer == b->answer &&
                        a->integer == b->integer);
    return a->function == b->function && a->argument == b->argument && a->expected == b->expected &&
           a->number == b->number && same_answer;
}

static bool open_add(struct preparation *prepare, uint32_t task)
{
    struct key_history *key = prepare->key;
    if (!vector_room(prepare->checker->heap, &key->open, ((size_t)key->open_count + 1) * sizeof(uint32_t)))
        return false;
    uint32_t *open = key->open.data;
    struct task *tasks = key->tasks.data;
    for (uint32_t at = key->open_count; at > 0 && tasks[task].twin == NO_TASK; at--)
        if (same_effect(tasks[open[at - 1]].operation, tasks[task].operation))
            tasks[task].twin = open[at - 1];
    open[key->open_count++] = task;
    return true;
}

/* An invocation: a task with a bit that no other pending one has; those of open ones follow later. */
static bool task_add(struct preparation *prepare, const struct history_operation *operation)
{
    struct key_history *key = prepare->key;
    uint32_t task = key->task_count++;
    uint32_t bit = 0;
    if (!is_open(operation))
        bit = prepare->free_count > 0 ? prepare->bits[--prepare->free_count] : prepare->bit_count++;
    ((struct task *)key->tasks.data)[task] = (struct task){
        .operation = operation,
        .bit = bit,
        .twin = NO_TASK,
        .deadline_first = key->deadline_count,
        .deadline = NO_DEADLINE,
    };
    if (is_open(operation))
        return open_add(prepare, task);
    prepare->live[prepare->live_count++] = task;
    return true;
}

/* An answer: a deadline, and the pending tasks then, of which its own stands first. */
static bool deadline_add(struct preparation *prepare, const struct history_operation *operation)
{
    struct key_history *key = prepare->key;
    struct task *tasks = key->tasks.data;
    uint32_t place = 0;
    while (tasks[prepare->live[place]].operation != operation)
        place++;
    uint32_t task = prepare->live[place];
    tasks[task].deadline = key->deadline_count;
    size_t pending_count = key->pending_count + prepare->live_count;
    if (pending_count > UINT32_MAX ||
        !vector_room(prepare->checker->heap, &key->pending, pending_count * sizeof(uint32_t)))
        return false;
    memmove(prepare->live + place, prepare->live + place + 1, (--prepare->live_count - place) * sizeof(uint32_t));
    uint32_t *pending = (uint32_t *)key->pending.data + key->pending_count;
    pending[0] = task;
    memcpy(pending + 1, prepare->live, prepare->live_count * sizeof(uint32_t));
    ((struct deadline *)key->deadlines.data)[key->deadline_count++] = (struct deadline){
        .task = task,
        .pending_first = (uint32_t)key->pending_count,
        .pending_count = prepare->live_count + 1,
        .open_count = key->open_count,
    };
    key->pending_count = pending_count;
    prepare->bits[prepare->free_count++] = tasks[task].bit;
    return true;
}

bool linearizable_prepare(struct linearizable *checker, struct history *history, const uint32_t *events,
                          uint32_t count)
{
    struct key_history *key = &checker->key;
    key->task_count = key->deadline_count = key->open_count = 0;
    key->pending_count = 0;
    struct preparation prepare = {
        .checker = checker, .key = key, .history = history, .events = events, .count = count};
    if (!vector_room(checker->heap, &key->tasks, count * sizeof(struct task)) ||
        !vector_room(checker->heap, &key->deadlines, count * sizeof(struct deadline)) ||
        !vector_room(checker->heap, &checker->marks, (2 * (size_t)count + 1) * sizeof(uint32_t)) || !find_seen(&prepare))
        return false;
    prepare.live = checker->marks.data;
    prepare.bits = prepare.live + count;
    for (uint32_t at = 0; at < count; at++) {
        const struct history_operation *operation = &history->operations[event_operation(events[at])];
        if (!takes_part(checker, operation) || never_seen(&prepare, operation))
            continue;
        if (!(event_is_end(events[at]) ? deadline_add(&prepare, operation) : task_add(&prepare, operation)))
            return false;
    }
    key->pending_words = (prepare.bit_count + 63) / 64;
    key->open_words = (key->open_count + 63) / 64;
    for (uint32_t at = 0; at < key->open_count; at++)
        ((struct task *)key->tasks.data)[((const uint32_t *)key->open.data)[at]].bit = 64 * key->pending_words + at;
    return linearizable_demands(checker, history);
}
