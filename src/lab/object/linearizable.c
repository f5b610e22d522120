/* Linearizability of a history: key by key, and a verdict in words. linearizable_prepare.c takes the history apart,
 * linearizable_search.c searches.
 *
 * The smallest illegal prefix is found by bisection: with a prefix, what ends after it counts as open. */
#include "lab/object/linearizable.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lab/object/kv_model.h"
#include "lab/object/linearizable_internal.h"

enum {
    SHOWN_SIZE_MAX = 40, /* of a key or value, in sentences */
    STATES_SHOWN_MAX = 4,
    STATES_WORK_MAX = 100000,
};

struct linearizable *linearizable_create(struct heap *heap)
{
    struct linearizable *checker = heap_alloc_zero(heap, sizeof *checker);
    if (checker == NULL)
        return NULL;
    checker->heap = heap;
    checker->initial = KV_NOTHING;
    checker->look_ahead = true;
    return checker;
}

void linearizable_free(struct linearizable *checker)
{
    if (checker == NULL)
        return;
    struct vector *vectors[] = {
        &checker->events,          &checker->key_starts,   &checker->marks,    &checker->seen,
        &checker->key.tasks,       &checker->key.deadlines, &checker->key.pending, &checker->key.open,
        &checker->key.demands,     &checker->key.demand_of, &checker->key.links,
        &checker->visited.records, &checker->visited.slots, &checker->stack,    &checker->set,
    };
    for (size_t at = 0; at < sizeof vectors / sizeof vectors[0]; at++)
        heap_free(checker->heap, vectors[at]->data);
    heap_free(checker->heap, checker);
}

const char *linearizable_verdict_name(enum linearizable_verdict verdict)
{
    switch (verdict) {
    case LINEARIZABLE_YES:
        return "ok";
    case LINEARIZABLE_NO:
        return "illegal";
    case LINEARIZABLE_UNKNOWN:
        break;
    }
    return "unknown";
}

/* A sentence that grows piece by piece and is cut where the room ends. */
struct sentence {
    char *text;
    size_t size, room;
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *sentence, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(sentence->text + sentence->size, sentence->room - sentence->size, format, arguments);
    va_end(arguments);
    if (size > 0)
        sentence->size += (size_t)size;
    if (sentence->size >= sentence->room)
        sentence->size = sentence->room - 1;
}

static void say_bytes(struct sentence *sentence, struct span bytes)
{
    say(sentence, "\"");
    size_t shown = bytes.size < SHOWN_SIZE_MAX ? bytes.size : SHOWN_SIZE_MAX;
    for (size_t at = 0; at < shown; at++) {
        uint8_t byte = bytes.data[at];
        bool plain = byte >= ' ' && byte < 127 && byte != '"' && byte != '\\';
        if (plain)
            say(sentence, "%c", byte);
        else
            say(sentence, "\\x%02x", byte);
    }
    say(sentence, shown < bytes.size ? "\"... (%zu bytes)" : "\"", bytes.size);
}

static void say_value(struct sentence *sentence, const struct history *history, uint32_t state)
{
    if (state == KV_NOTHING)
        say(sentence, "nothing");
    else
        say_bytes(sentence, intern_span(&history->values, state));
}

static void say_answer(struct sentence *sentence, const struct history *history,
                       const struct history_operation *operation)
{
    switch ((enum history_answer_kind)operation->answer_kind) {
    case HISTORY_DONE:
        say(sentence, "OK");
        break;
    case HISTORY_NIL:
        say(sentence, "nothing");
        break;
    case HISTORY_BYTES:
        say_value(sentence, history, operation->answer);
        break;
    case HISTORY_INTEGER:
        say(sentence, "%" PRId64, operation->integer);
        break;
    case HISTORY_ERROR:
        say(sentence, "an error");
        break;
    }
}

/* The states in which the key could be before the answer that nothing explains. They come from a search without looking
 * ahead, which may be long; then they are left unsaid. */
static void say_states(struct sentence *sentence, struct linearizable *checker, struct history *history)
{
    uint32_t shown[STATES_SHOWN_MAX], count = 0, deadline;
    uint64_t work = 0;
    checker->look_ahead = false;
    enum search_end end = linearizable_search(checker, history, STATES_WORK_MAX, &work, &deadline);
    checker->look_ahead = true;
    if (end != SEARCH_EXHAUSTED)
        return;
    const struct visited *visited = &checker->visited;
    for (uint32_t at = 0; at < visited->count; at++) {
        uint64_t place = ((const uint64_t *)visited->records.data)[at * visited->stride + RECORD_PLACE];
        uint32_t state = (uint32_t)place;
        if (place >> 32 != deadline)
            continue;
        uint32_t known = 0;
        while (known < count && shown[known] != state)
            known++;
        if (known < count)
            continue;
        if (count == STATES_SHOWN_MAX) {
            say(sentence, ", ...");
            return;
        }
        shown[count++] = state;
        say(sentence, count == 1 ? "; the key could hold " : " or ");
        say_value(sentence, history, state);
    }
}

static void say_verdict(struct linearizable_result *out, struct linearizable *checker, struct history *history)
{
    const struct history_operation *operation = &history->operations[out->operation];
    struct sentence sentence = {.text = out->reason, .room = sizeof out->reason};
    say(&sentence, "key ");
    say_bytes(&sentence, intern_span(&history->keys, out->key));
    say(&sentence, ": the %s of process %" PRIu32 " from %.6f s to %.6f s (operation %" PRIu32 ") answered ",
        history_function_name((enum history_function)operation->function), operation->process,
        (double)operation->invoked_ns / 1e9, (double)operation->completed_ns / 1e9, out->operation);
    say_answer(&sentence, history, operation);
    say(&sentence, ", which no order of the operations up to then explains");
    say_states(&sentence, checker, history);
}

/* The events of one key, or the first of them. */
struct part {
    const uint32_t *events;
    uint32_t count;
};

/* Prepares and searches a part; what ends after it counts as open meanwhile. */
static enum search_end part_search(struct linearizable *checker, struct history *history, struct part part,
                                   uint64_t work_max, uint64_t *work)
{
    uint32_t deadline;
    if (!linearizable_prepare(checker, history, part.events, part.count))
        return SEARCH_MEMORY;
    return linearizable_search(checker, history, work_max, work, &deadline);
}

/* Opens, or closes again, the operations that end with the events `from` to `to` of a key. */
static void reopen(struct history *history, const uint32_t *events, uint32_t from, uint32_t to, bool open)
{
    for (uint32_t at = from; at < to; at++) {
        struct history_operation *operation = &history->operations[event_operation(events[at])];
        if (event_is_end(events[at]) && operation->outcome != HISTORY_FAIL)
            operation->outcome = open ? HISTORY_OPEN : HISTORY_OK;
    }
}

/* The smallest number of events of an illegal key that are illegal. A search that gives up counts as legal. */
static uint32_t illegal_events(struct linearizable *checker, struct history *history, struct part key,
                               uint64_t work_max, uint64_t *work)
{
    uint32_t low = 0, high = key.count; /* the first `low` events are legal, the first `high` are not */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        reopen(history, key.events, middle, high, true);
        enum search_end end =
            part_search(checker, history, (struct part){.events = key.events, .count = middle}, work_max, work);
        if (end == SEARCH_EXHAUSTED) {
            high = middle;
        } else {
            reopen(history, key.events, middle, high, false);
            low = middle;
        }
    }
    return high;
}

static void check_illegal(struct linearizable *checker, struct history *history, uint32_t key, struct part part,
                          uint64_t work_max, struct linearizable_result *out)
{
    uint32_t count = illegal_events(checker, history, part, work_max, &out->work);
    uint32_t id = event_operation(part.events[count - 1]);
    uint32_t prefix_events = history->operations[id].completed + 1;
    if (out->verdict != LINEARIZABLE_NO || prefix_events < out->prefix_events) {
        out->verdict = LINEARIZABLE_NO;
        out->key = key;
        out->operation = id;
        out->prefix_events = prefix_events;
        if (linearizable_prepare(checker, history, part.events, count))
            say_verdict(out, checker, history);
    }
    reopen(history, part.events, count, part.count, false);
}

/* Checks one key; makes the result worse where it is worse. */
static void check_key(struct linearizable *checker, struct history *history, uint32_t key, uint64_t work_max,
                      struct linearizable_result *out)
{
    const uint32_t *events = checker->events.data, *starts = checker->key_starts.data;
    struct part part = {.events = events + starts[key], .count = starts[key + 1] - starts[key]};
    enum search_end end = part_search(checker, history, part, work_max, &out->work);
    if (end == SEARCH_EXHAUSTED)
        check_illegal(checker, history, key, part, work_max, out);
    if (end == SEARCH_FOUND || out->verdict != LINEARIZABLE_YES)
        return;
    out->verdict = LINEARIZABLE_UNKNOWN;
    struct sentence sentence = {.text = out->reason, .room = sizeof out->reason};
    say(&sentence, "key ");
    say_bytes(&sentence, intern_span(&history->keys, key));
    say(&sentence, end == SEARCH_WORK ? ": gave up after %" PRIu64 " configurations"
                                      : ": the memory for the search ran out after %" PRIu64 " configurations",
        out->work);
}

enum linearizable_verdict linearizable_check(struct linearizable *checker, struct history *history, uint64_t work_max,
                                             struct linearizable_result *out)
{
    *out = (struct linearizable_result){.verdict = LINEARIZABLE_YES};
    checker->look_ahead = true;
    bool sorted = !history->incomplete && linearizable_sort(checker, history);
    if (!sorted) {
        out->verdict = LINEARIZABLE_UNKNOWN;
        struct sentence sentence = {.text = out->reason, .room = sizeof out->reason};
        say(&sentence, "the memory for the history ran out");
        return out->verdict;
    }
    for (uint32_t key = 0; key < history->keys.count; key++) {
        history->incomplete = false; /* a search that ran out of memory for values says so by this */
        check_key(checker, history, key, work_max, out);
    }
    history->incomplete = false;
    return out->verdict;
}
