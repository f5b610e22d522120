/* Objects as sequential specifications: what each function answers and does in a state. A state is interned bytes: of a
 * set, queue and stack its elements' ids, of a multi-register pairs of register and value, of a mutex and a counter one
 * number. */
#include <string.h>

#include "lab/object/object_internal.h"

/* Ids, where the table of interned bytes holds them: it aligns nothing, so they are copied out. */
struct state {
    const uint8_t *ids;
    uint32_t count;
};

/* States up to this size are changed without asking the heap. */
enum { STATE_SMALL = 1024 };

static struct state state_of(const struct history *history, uint32_t state)
{
    if (state == KV_NOTHING)
        return (struct state){0};
    struct span bytes = intern_span(&history->values, state);
    return (struct state){.ids = bytes.data, .count = (uint32_t)(bytes.size / 4)};
}

static uint32_t id_at(struct state state, uint32_t place)
{
    uint32_t id;
    memcpy(&id, state.ids + (size_t)place * 4, sizeof id);
    return id;
}

/* Interns a state; false marks the history. The empty one is KV_NOTHING. */
static bool state_make(struct history *history, const uint32_t *ids, uint32_t count, uint32_t *out)
{
    *out = count == 0 ? KV_NOTHING : intern_id(&history->values, span_of(ids, (size_t)count * 4));
    if (*out == INTERN_NONE)
        history->incomplete = true;
    return *out != INTERN_NONE;
}

/* The state with one id taken out at a place, or put in before it. */
static bool state_change(struct history *history, struct state state, uint32_t place, bool put, uint32_t id,
                         uint32_t *out)
{
    uint32_t ids[STATE_SMALL], *room = ids, count = put ? state.count + 1 : state.count - 1;
    if (state.count + 1 > STATE_SMALL)
        room = heap_alloc(history->heap, ((size_t)state.count + 1) * sizeof *room);
    if (room == NULL) {
        history->incomplete = true;
        return false;
    }
    uint32_t skipped = place + (put ? 0 : 1);
    if (place > 0)
        memcpy(room, state.ids, (size_t)place * 4);
    if (put)
        room[place] = id;
    if (state.count > skipped)
        memcpy(room + place + (put ? 1 : 0), state.ids + (size_t)skipped * 4, (size_t)(state.count - skipped) * 4);
    bool good = state_make(history, room, count, out);
    if (room != ids)
        heap_free(history->heap, room);
    return good;
}

static bool answered(const struct history_operation *operation)
{
    return (operation->outcome == HISTORY_OK || operation->outcome == HISTORY_MAYBE) &&
           operation->answer_kind != HISTORY_DONE;
}

/* ---- sets ---- */

static uint32_t set_place(struct state state, uint32_t id, bool *there)
{
    uint32_t low = 0, high = state.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (id_at(state, middle) < id)
            low = middle + 1;
        else
            high = middle;
    }
    *there = low < state.count && id_at(state, low) == id;
    return low;
}

static bool set_apply(struct history *history, const struct history_operation *operation, uint32_t state,
                      uint32_t *next)
{
    bool there;
    struct state elements = state_of(history, state);
    *next = state;
    if (operation->function == OBJECT_READ)
        return !answered(operation) || operation->answer == state;
    uint32_t place = set_place(elements, operation->argument, &there);
    bool says = operation->integer != 0;
    switch ((enum object_function)operation->function) {
    case OBJECT_ADD:
        if (answered(operation) && says == there)
            return false;
        return there || state_change(history, elements, place, true, operation->argument, next);
    case OBJECT_REMOVE:
        if (answered(operation) && says != there)
            return false;
        return !there || state_change(history, elements, place, false, 0, next);
    default:
        return !answered(operation) || says == there;
    }
}

static bool set_passive(const struct history_operation *operation)
{
    bool no = answered(operation) && operation->integer == 0;
    return operation->function == OBJECT_READ || operation->function == OBJECT_CONTAINS || no;
}

/* ---- queues and stacks ---- */

static bool take(struct history *history, const struct history_operation *operation, uint32_t state, bool first,
                 uint32_t *next)
{
    struct state elements = state_of(history, state);
    uint32_t place = first || elements.count == 0 ? 0 : elements.count - 1;
    *next = state;
    if (elements.count == 0)
        return !answered(operation) || operation->answer_kind == HISTORY_NIL;
    if (answered(operation) &&
        (operation->answer_kind == HISTORY_NIL || operation->answer != id_at(elements, place)))
        return false;
    return state_change(history, elements, place, false, 0, next);
}

static bool line_apply(struct history *history, const struct history_operation *operation, uint32_t state, bool first,
                       uint32_t *next)
{
    if (operation->function == OBJECT_TAKE)
        return take(history, operation, state, first, next);
    struct state elements = state_of(history, state);
    return state_change(history, elements, elements.count, true, operation->argument, next);
}

static bool queue_apply(struct history *history, const struct history_operation *operation, uint32_t state,
                        uint32_t *next)
{
    return line_apply(history, operation, state, true, next);
}

static bool stack_apply(struct history *history, const struct history_operation *operation, uint32_t state,
                        uint32_t *next)
{
    bool annotated = operation->function == OBJECT_PUT && operation->number == 1 && state != KV_NOTHING;
    if (annotated && stack_dooms(history, operation, intern_span(&history->values, state)))
        return false;
    return line_apply(history, operation, state, false, next);
}

static bool line_passive(const struct history_operation *operation)
{
    return operation->function == OBJECT_TAKE && answered(operation) && operation->answer_kind == HISTORY_NIL;
}

/* ---- mutexes: the state is one word when it is held, and the last token ---- */

static bool mutex_apply(struct history *history, const struct history_operation *operation, uint32_t state,
                        uint32_t *next)
{
    static const uint32_t held = 1;
    bool is_held = state != KV_NOTHING;
    if (is_held == (operation->function == OBJECT_ACQUIRE))
        return false;
    if (!is_held)
        return state_make(history, &held, 1, next);
    *next = KV_NOTHING;
    return true;
}

struct fence {
    int64_t token, held; /* held: both fill the state, so that no byte of it is undefined */
};

static bool fenced_apply(struct history *history, const struct history_operation *operation, uint32_t state,
                         uint32_t *next)
{
    struct fence fence = {.token = INT64_MIN};
    if (state != KV_NOTHING)
        memcpy(&fence, intern_span(&history->values, state).data, sizeof fence);
    if ((fence.held != 0) == (operation->function == OBJECT_ACQUIRE))
        return false;
    fence.held = !fence.held;
    if (fence.held && answered(operation)) {
        if (operation->integer <= fence.token)
            return false;
        fence.token = operation->integer;
    }
    *next = intern_id(&history->values, span_of(&fence, sizeof fence));
    history->incomplete = history->incomplete || *next == INTERN_NONE;
    return *next != INTERN_NONE;
}

static bool never_passive(const struct history_operation *operation)
{
    (void)operation;
    return false;
}

/* ---- counters ---- */

static bool counter_apply(struct history *history, const struct history_operation *operation, uint32_t state,
                          uint32_t *next)
{
    int64_t count = 0;
    if (state != KV_NOTHING)
        memcpy(&count, intern_span(&history->values, state).data, sizeof count);
    *next = state;
    if (operation->function == OBJECT_READ)
        return !answered(operation) || operation->integer == count;
    if (__builtin_add_overflow(count, operation->number, &count))
        return false;
    *next = count == 0 ? KV_NOTHING : intern_id(&history->values, span_of(&count, sizeof count));
    history->incomplete = history->incomplete || *next == INTERN_NONE;
    return *next != INTERN_NONE;
}

static bool counter_passive(const struct history_operation *operation)
{
    return operation->function == OBJECT_READ;
}

/* ---- multi-registers: the argument names interned triples of what is done, register, value ---- */

/* The place of a register's pair, or where it belongs. */
static uint32_t pair_place(const uint32_t *pairs, uint32_t count, uint32_t id, bool *there)
{
    uint32_t place = 0;
    while (place < count && pairs[place] < id)
        place += 2;
    *there = place < count && pairs[place] == id;
    return place;
}

static void pair_write(uint32_t *pairs, uint32_t *count, uint32_t id, uint32_t value)
{
    bool there;
    uint32_t place = pair_place(pairs, *count, id, &there);
    if (!there && value == VALUE_NONE)
        return;
    if (there && value == VALUE_NONE) {
        memmove(pairs + place, pairs + place + 2, (size_t)(*count - place - 2) * 4);
        *count -= 2;
        return;
    }
    if (!there) {
        memmove(pairs + place + 2, pairs + place, (size_t)(*count - place) * 4);
        *count += 2;
    }
    pairs[place] = id;
    pairs[place + 1] = value;
}

static bool multi_apply(struct history *history, const struct history_operation *operation, uint32_t state,
                        uint32_t *next)
{
    struct state before = state_of(history, state);
    struct span micro = intern_span(&history->values, operation->argument);
    uint32_t count = before.count;
    uint32_t *pairs = heap_alloc(history->heap, ((size_t)count + micro.size / 4 + 1) * sizeof *pairs);
    if (pairs == NULL) {
        history->incomplete = true;
        return false;
    }
    if (count > 0)
        memcpy(pairs, before.ids, (size_t)count * 4);
    bool fits = true;
    for (size_t at = 0; fits && at + 12 <= micro.size; at += 12) {
        uint32_t words[3];
        bool there;
        memcpy(words, micro.data + at, sizeof words);
        uint32_t place = pair_place(pairs, count, words[1], &there);
        if (words[0] == 'w')
            pair_write(pairs, &count, words[1], words[2]);
        else if (answered(operation))
            fits = (there ? pairs[place + 1] : VALUE_NONE) == words[2];
    }
    fits = fits && state_make(history, pairs, count, next);
    heap_free(history->heap, pairs);
    return fits;
}

/* One that only reads: said by `number` when it is loaded. */
static bool multi_passive(const struct history_operation *operation)
{
    return operation->number == 'r';
}

const struct linearizable_model *object_model(enum object_type type)
{
    static const struct linearizable_model models[] = {
        [OBJECT_MULTI_REGISTER] = {multi_apply, multi_passive}, [OBJECT_SET] = {set_apply, set_passive},
        [OBJECT_QUEUE] = {queue_apply, line_passive},           [OBJECT_STACK] = {stack_apply, line_passive},
        [OBJECT_MUTEX] = {mutex_apply, never_passive},          [OBJECT_FENCED_MUTEX] = {fenced_apply, never_passive},
        [OBJECT_COUNTER] = {counter_apply, counter_passive},
    };
    return type == OBJECT_REGISTER || type == OBJECT_KV ? NULL : &models[type];
}
