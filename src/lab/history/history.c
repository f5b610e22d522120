/* Histories: recording, and reading commands and answers of Redis. */
#include "lab/history/history.h"

#include <string.h>

#include "base/number.h"
#include "base/panic.h"

enum { OPERATIONS_MIN = 256 };

static const struct {
    const char *name;
    bool reads;
} functions[HISTORY_FUNCTION_COUNT] = {
#define HISTORY_ROW(name, text, reads) {text, reads},
    HISTORY_FUNCTION_LIST(HISTORY_ROW)
#undef HISTORY_ROW
};

struct history *history_create(struct heap *heap)
{
    struct history *history = heap_alloc_zero(heap, sizeof *history);
    if (history == NULL)
        return NULL;
    history->heap = heap;
    intern_init(&history->keys, heap);
    intern_init(&history->values, heap);
    return history;
}

void history_free(struct history *history)
{
    if (history == NULL)
        return;
    intern_free(&history->keys);
    intern_free(&history->values);
    heap_free(history->heap, history->operations);
    heap_free(history->heap, history);
}

void history_clear(struct history *history)
{
    intern_clear(&history->keys);
    intern_clear(&history->values);
    history->operation_count = 0;
    history->event_count = 0;
    history->incomplete = false;
}

static bool operations_grow(struct history *history)
{
    uint32_t capacity = history->operation_capacity == 0 ? OPERATIONS_MIN : history->operation_capacity * 2;
    struct history_operation *operations =
        heap_resize(history->heap, history->operations, capacity * sizeof *operations);
    if (operations == NULL)
        return false;
    history->operations = operations;
    history->operation_capacity = capacity;
    return true;
}

/* Appends an operation that has no places yet. */
static uint32_t operation_add(struct history *history, const struct history_call *call, int64_t now_ns)
{
    uint32_t key = intern_id(&history->keys, call->key);
    uint32_t argument = intern_id(&history->values, call->argument);
    uint32_t expected = intern_id(&history->values, call->expected);
    bool full = key == INTERN_NONE || argument == INTERN_NONE || expected == INTERN_NONE;
    if (!full && history->operation_count == history->operation_capacity)
        full = !operations_grow(history);
    if (full) {
        history->incomplete = true;
        return HISTORY_NONE;
    }
    uint32_t id = history->operation_count++;
    history->operations[id] = (struct history_operation){
        .process = call->process,
        .key = key,
        .argument = argument,
        .expected = expected,
        .number = call->number,
        .invoked = HISTORY_NEVER,
        .completed = HISTORY_NEVER,
        .invoked_ns = now_ns,
        .completed_ns = INT64_MAX,
        .function = (uint8_t)call->function,
        .outcome = HISTORY_OPEN,
    };
    return id;
}

uint32_t history_invoke(struct history *history, const struct history_call *call, int64_t now_ns)
{
    uint32_t id = operation_add(history, call, now_ns);
    if (id != HISTORY_NONE)
        history->operations[id].invoked = history->event_count++;
    return id;
}

/* An end, which still lacks its place. NULL when the operation was never recorded. */
static struct history_operation *operation_end(struct history *history, uint32_t id, enum history_outcome outcome,
                                               int64_t now_ns)
{
    if (id == HISTORY_NONE)
        return NULL;
    invariant(id < history->operation_count, "an operation that ends was invoked");
    struct history_operation *operation = &history->operations[id];
    invariant(operation->outcome == HISTORY_OPEN, "an operation ends once");
    operation->outcome = (uint8_t)outcome;
    operation->completed_ns = now_ns;
    return operation;
}

static void answer_keep(struct history *history, struct history_operation *operation,
                        const struct history_answer *answer)
{
    operation->answer_kind = (uint8_t)answer->kind;
    operation->integer = answer->integer;
    if (answer->kind != HISTORY_BYTES)
        return;
    operation->answer = intern_id(&history->values, answer->bytes);
    if (operation->answer == INTERN_NONE)
        history->incomplete = true;
}

void history_ok(struct history *history, uint32_t operation, const struct history_answer *answer, int64_t now_ns)
{
    struct history_operation *ended = operation_end(history, operation, HISTORY_OK, now_ns);
    if (ended == NULL)
        return;
    answer_keep(history, ended, answer);
    ended->completed = history->event_count++;
}

void history_fail(struct history *history, uint32_t operation, int64_t now_ns)
{
    struct history_operation *ended = operation_end(history, operation, HISTORY_FAIL, now_ns);
    if (ended != NULL)
        ended->completed = history->event_count++;
}

void history_info(struct history *history, uint32_t operation, int64_t now_ns)
{
    /* It may still take effect, so it has no place where it ends. */
    (void)operation_end(history, operation, HISTORY_INFO, now_ns);
}

uint32_t history_add(struct history *history, const struct history_call *call, enum history_outcome outcome,
                     const struct history_answer *answer, int64_t invoked_ns, int64_t completed_ns)
{
    uint32_t id = operation_add(history, call, invoked_ns);
    if (id == HISTORY_NONE || outcome == HISTORY_OPEN)
        return id;
    bool open = outcome == HISTORY_INFO;
    struct history_operation *ended = operation_end(history, id, outcome, open ? INT64_MAX : completed_ns);
    if (outcome == HISTORY_OK)
        answer_keep(history, ended, answer);
    return id;
}

struct moment {
    int64_t time_ns;
    uint32_t operation;
    bool end;
};

/* Invocations first among events of one time, then the order in which the operations were recorded. */
static bool moment_before(const struct moment *a, const struct moment *b)
{
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns;
    if (a->end != b->end)
        return b->end;
    return a->operation < b->operation;
}

/* Merges two sorted halves of `from` into `to`. */
static void moments_merge(const struct moment *from, struct moment *to, uint32_t low, uint32_t middle, uint32_t high)
{
    uint32_t left = low, right = middle;
    for (uint32_t at = low; at < high; at++) {
        bool take_left = left < middle && (right == high || !moment_before(&from[right], &from[left]));
        to[at] = take_left ? from[left++] : from[right++];
    }
}

/* Merge sort from the bottom up; `spare` is as large. Returns which of the two holds the result. */
static struct moment *moments_sort(struct moment *moments, struct moment *spare, uint32_t count)
{
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t low = 0; low < count; low += 2 * width) {
            uint64_t middle = low + width < count ? low + width : count;
            uint64_t high = low + 2 * width < count ? low + 2 * width : count;
            moments_merge(moments, spare, (uint32_t)low, (uint32_t)middle, (uint32_t)high);
        }
        struct moment *sorted = spare;
        spare = moments;
        moments = sorted;
    }
    return moments;
}

void history_order(struct history *history)
{
    struct moment *room = heap_alloc(history->heap, 4 * (size_t)history->operation_count * sizeof *room);
    if (room == NULL) {
        history->incomplete = true;
        return;
    }
    uint32_t count = 0;
    for (uint32_t id = 0; id < history->operation_count; id++) {
        const struct history_operation *operation = &history->operations[id];
        room[count++] = (struct moment){.time_ns = operation->invoked_ns, .operation = id};
        if (operation->outcome == HISTORY_OK || operation->outcome == HISTORY_FAIL)
            room[count++] = (struct moment){.time_ns = operation->completed_ns, .operation = id, .end = true};
    }
    const struct moment *sorted = moments_sort(room, room + 2 * (size_t)history->operation_count, count);
    for (uint32_t place = 0; place < count; place++) {
        struct history_operation *operation = &history->operations[sorted[place].operation];
        if (sorted[place].end)
            operation->completed = place;
        else
            operation->invoked = place;
    }
    history->event_count = count;
    heap_free(history->heap, room);
}

const char *history_function_name(enum history_function function)
{
    return functions[function].name;
}

bool history_function_reads(enum history_function function)
{
    return functions[function].reads;
}

bool history_function_find(struct span name, enum history_function *out)
{
    for (unsigned at = 0; at < HISTORY_FUNCTION_COUNT; at++)
        if (span_equal(name, span_string(functions[at].name))) {
            *out = (enum history_function)at;
            return true;
        }
    return false;
}

static bool word_is(struct span word, const char *name)
{
    if (word.size != strlen(name))
        return false;
    for (size_t at = 0; at < word.size; at++) {
        uint8_t letter = word.data[at];
        if (letter >= 'A' && letter <= 'Z')
            letter = (uint8_t)(letter + 'a' - 'A');
        if (letter != (uint8_t)name[at])
            return false;
    }
    return true;
}

/* Commands whose words are a name, a key, and an argument where `words` is 3. */
static const struct {
    const char *name;
    uint32_t words;
    enum history_function function;
} plain_commands[] = {
    {"get", 2, HISTORY_GET},       {"strlen", 2, HISTORY_STRLEN}, {"exists", 2, HISTORY_EXISTS},
    {"set", 3, HISTORY_SET},       {"setnx", 3, HISTORY_SET_NX},  {"getset", 3, HISTORY_GETSET},
    {"append", 3, HISTORY_APPEND}, {"del", 2, HISTORY_DEL},       {"getdel", 2, HISTORY_GETDEL},
};

static bool incr_from_words(const struct span *words, uint32_t count, struct history_call *out)
{
    bool down = word_is(words[0], "decr") || word_is(words[0], "decrby");
    bool by = word_is(words[0], "incrby") || word_is(words[0], "decrby");
    if (!down && !by && !word_is(words[0], "incr"))
        return false;
    out->function = HISTORY_INCR;
    out->number = 1;
    if (count != (by ? 3 : 2) || (by && !number_parse_i64(words[2], &out->number)) || out->number == INT64_MIN)
        return false;
    if (down)
        out->number = -out->number;
    return true;
}

bool history_call_from_words(const struct span *words, uint32_t count, struct history_call *out)
{
    if (count < 2)
        return false;
    out->key = words[1];
    out->argument = out->expected = span_of(NULL, 0);
    out->number = 0;
    if (count == 4 && word_is(words[0], "set")) {
        out->argument = words[2];
        out->function = word_is(words[3], "nx") ? HISTORY_SET_NX : HISTORY_SET_XX;
        return word_is(words[3], "nx") || word_is(words[3], "xx");
    }
    for (size_t at = 0; at < sizeof plain_commands / sizeof plain_commands[0]; at++) {
        if (count != plain_commands[at].words || !word_is(words[0], plain_commands[at].name))
            continue;
        out->function = plain_commands[at].function;
        if (count == 3)
            out->argument = words[2];
        return true;
    }
    return incr_from_words(words, count, out);
}

bool history_answer_from_resp(struct span reply, struct history_answer *out)
{
    const uint8_t *end = reply.size < 3 ? NULL : memchr(reply.data, '\n', reply.size);
    if (end == NULL || end[-1] != '\r' || end - reply.data < 2)
        return false;
    struct span line = span_of(reply.data + 1, (size_t)(end - reply.data) - 2);
    *out = (struct history_answer){.kind = HISTORY_NIL};
    int64_t number;
    switch (reply.data[0]) {
    case '_':
        return true;
    case '+':
        out->kind = HISTORY_DONE;
        return true;
    case '-':
        out->kind = HISTORY_ERROR;
        return true;
    case ':':
        out->kind = HISTORY_INTEGER;
        return number_parse_i64(line, &out->integer);
    case '$':
        if (!number_parse_i64(line, &number) || number < -1)
            return false;
        if (number == -1)
            return true;
        out->kind = HISTORY_BYTES;
        out->bytes = span_of(end + 1, (size_t)number);
        return (uint64_t)number <= reply.size - (size_t)(end + 1 - reply.data);
    default:
        return false;
    }
}
