/* From an object's operations to a history that the search reads. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "lab/object/object_internal.h"

enum { BYTES_MAX = NUMBER_DOUBLE_SIZE_MAX };

struct loader {
    const struct object_part *part;
    const struct record *record;
    struct history *history;
};

/* ---- a key-value store's values are bytes ---- */

static struct span bytes_of(const struct record *record, uint32_t value, char room[BYTES_MAX])
{
    switch (record_kind(record, value)) {
    case VALUE_TEXT:
        return record_text_of(record, value);
    case VALUE_INTEGER:
        return span_of(room, number_print_i64(room, record_integer_of(record, value)));
    case VALUE_REAL:
        return span_of(room, number_print_double(room, record_real_of(record, value)));
    case VALUE_TRUE:
        return span_string("true");
    case VALUE_FALSE:
        return span_string("false");
    case VALUE_NULL:
    case VALUE_LIST:
    case VALUE_MAP:
        break;
    }
    return span_of(NULL, 0);
}

static bool shows_bytes(enum history_function function)
{
    return function == HISTORY_GET || function == HISTORY_GETSET || function == HISTORY_GETDEL;
}

/* The answer in the form in which the function gives it. */
static struct history_answer kv_answer(const struct loader *loader, const struct object_operation *operation,
                                       char room[BYTES_MAX])
{
    const struct record *record = loader->record;
    enum history_function function = (enum history_function)operation->function;
    enum value_kind kind = operation->answer == VALUE_NONE ? VALUE_NULL : record_kind(record, operation->answer);
    bool repeats = operation->answer == record->operations[operation->id].called;
    struct history_answer answer = {.kind = HISTORY_NIL};
    if (kind == VALUE_MAP)
        answer.kind = HISTORY_ERROR;
    else if (function == HISTORY_SET || kind == VALUE_TRUE || (function == HISTORY_APPEND && kind == VALUE_NULL))
        answer.kind = HISTORY_DONE;
    else if (shows_bytes(function) && kind != VALUE_NULL && kind != VALUE_LIST)
        answer = (struct history_answer){.kind = HISTORY_BYTES, .bytes = bytes_of(record, operation->answer, room)};
    else if (!shows_bytes(function) && kind == VALUE_INTEGER)
        answer = (struct history_answer){.kind = HISTORY_INTEGER,
                                         .integer = record_integer_of(record, operation->answer)};
    else if (!shows_bytes(function) &&
             (kind == VALUE_TEXT || kind == VALUE_LIST || (function == HISTORY_CAS && repeats)))
        answer.kind = HISTORY_DONE; /* Jepsen's cas says what it did, or nothing more than that it succeeded */
    return answer;
}

static struct history_operation *add_kv(const struct loader *loader, const struct object_operation *operation)
{
    char room[3][BYTES_MAX];
    struct history_call call = {.function = (enum history_function)operation->function, .number = operation->number};
    if (operation->argument != VALUE_NONE)
        call.argument = bytes_of(loader->record, operation->argument, room[0]);
    if (operation->expected != VALUE_NONE)
        call.expected = bytes_of(loader->record, operation->expected, room[1]);
    uint32_t id = history_invoke(loader->history, &call, 0);
    if (id == HISTORY_NONE)
        return NULL;
    struct history_operation *added = &loader->history->operations[id];
    if (loader->record->operations[operation->id].outcome != RECORD_OK)
        return added;
    struct history_answer answer = kv_answer(loader, operation, room[2]);
    added->answer_kind = (uint8_t)answer.kind;
    added->integer = answer.integer;
    if (answer.kind == HISTORY_BYTES)
        added->answer = intern_id(&loader->history->values, answer.bytes);
    return added->answer_kind == HISTORY_BYTES && added->answer == INTERN_NONE ? NULL : added;
}

/* ---- registers are keys whose values are ids ---- */

static uint32_t register_state(const struct loader *loader, uint32_t value)
{
    return value == VALUE_NONE ? KV_NOTHING : intern_id(&loader->history->values, span_of(&value, sizeof value));
}

static bool fill_register(const struct loader *loader, const struct object_operation *operation,
                          struct history_operation *added)
{
    static const uint8_t functions[] = {
        [OBJECT_READ] = HISTORY_GET, [OBJECT_WRITE] = HISTORY_SET, [OBJECT_CAS] = HISTORY_CAS};
    added->function = functions[operation->function];
    added->argument = register_state(loader, operation->argument);
    added->expected = register_state(loader, operation->expected);
    added->answer_kind = HISTORY_DONE;
    if (operation->function == OBJECT_READ) {
        added->answer_kind = operation->answer == VALUE_NONE ? HISTORY_NIL : HISTORY_BYTES;
        added->answer = register_state(loader, operation->answer);
    } else if (operation->answered && record_kind(loader->record, operation->answer) == VALUE_FALSE) {
        added->answer_kind = HISTORY_NIL;
    }
    return added->argument != INTERN_NONE && added->expected != INTERN_NONE && added->answer != INTERN_NONE;
}

/* ---- sets that are read ---- */

static void ids_sort(uint32_t *ids, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap /= 2)
        for (uint32_t at = gap; at < count; at++) {
            uint32_t id = ids[at], place = at;
            for (; place >= gap && ids[place - gap] > id; place -= gap)
                ids[place] = ids[place - gap];
            ids[place] = id;
        }
}

/* The state that a read of all elements saw. One that shows an element twice is a state that no set gets into. */
static bool fill_elements(const struct loader *loader, const struct object_operation *operation,
                          struct history_operation *added)
{
    uint32_t count = record_size_of(loader->record, operation->answer);
    added->answer = KV_NOTHING;
    added->answer_kind = HISTORY_BYTES;
    if (count == 0)
        return true;
    uint32_t *ids = heap_alloc(loader->history->heap, (size_t)count * sizeof *ids);
    if (ids == NULL)
        return false;
    memcpy(ids, record_elements_of(loader->record, operation->answer), (size_t)count * sizeof *ids);
    ids_sort(ids, count);
    added->answer = intern_id(&loader->history->values, span_of(ids, (size_t)count * sizeof *ids));
    heap_free(loader->history->heap, ids);
    return added->answer != INTERN_NONE;
}

/* ---- multi-registers ---- */

static uint32_t some(const struct record *record, uint32_t value)
{
    return value == VALUE_NONE || record_kind(record, value) == VALUE_NULL ? VALUE_NONE : value;
}

/* Interns triples of 'r' or 'w', register and value. */
static bool fill_micro(const struct loader *loader, const struct object_operation *operation,
                       struct history_operation *added)
{
    const struct record *record = loader->record;
    bool ok = record->operations[operation->id].outcome == RECORD_OK;
    uint32_t value = ok ? operation->answer : operation->argument;
    uint32_t size = value == VALUE_NONE ? 0 : record_size_of(record, value);
    uint32_t count = operation->number == 't' ? size : size / 2;
    const uint32_t *elements = value == VALUE_NONE ? NULL : record_elements_of(record, value);
    uint32_t *triples = heap_alloc(loader->history->heap, ((size_t)count * 3 + 1) * sizeof *triples);
    if (triples == NULL)
        return false;
    added->number = 'r';
    for (uint32_t at = 0; at < count; at++) {
        const uint32_t *words = operation->number == 't' ? record_elements_of(record, elements[at]) : NULL;
        triples[3 * at] = words == NULL ? (uint32_t)operation->number : record_text_of(record, words[0]).data[0];
        triples[3 * at + 1] = words == NULL ? elements[2 * at] : words[1];
        triples[3 * at + 2] = some(record, words == NULL ? elements[2 * at + 1] : words[2]);
        if (triples[3 * at] == 'w')
            added->number = 'w';
    }
    added->argument = intern_id(&loader->history->values, span_of(triples, (size_t)count * 12));
    added->answer_kind = operation->answered ? HISTORY_BYTES : HISTORY_DONE;
    heap_free(loader->history->heap, triples);
    return added->argument != INTERN_NONE;
}

/* ---- all ---- */

static bool fill(const struct loader *loader, const struct object_operation *operation,
                 struct history_operation *added)
{
    enum object_type type = loader->part->objects->type;
    if (type == OBJECT_REGISTER)
        return fill_register(loader, operation, added);
    added->function = operation->function;
    added->argument = operation->argument;
    added->answer = operation->answer;
    added->number = operation->number;
    added->integer = operation->number;
    added->answer_kind = HISTORY_DONE;
    if (type == OBJECT_MULTI_REGISTER)
        return fill_micro(loader, operation, added);
    if (!operation->answered)
        return true;
    added->answer_kind = operation->answer == VALUE_NONE ? HISTORY_NIL : HISTORY_BYTES;
    if (type == OBJECT_SET && operation->function == OBJECT_READ)
        return fill_elements(loader, operation, added);
    if (type == OBJECT_SET)
        added->integer = record_kind(loader->record, operation->answer) == VALUE_TRUE;
    return true;
}

static struct history_operation *add(const struct loader *loader, const struct object_operation *operation)
{
    static const struct history_call nothing;
    if (loader->part->objects->type == OBJECT_KV)
        return add_kv(loader, operation);
    uint32_t id = history_invoke(loader->history, &nothing, 0);
    struct history_operation *added = id == HISTORY_NONE ? NULL : &loader->history->operations[id];
    return added != NULL && fill(loader, operation, added) ? added : NULL;
}

static enum history_outcome outcome_of(const struct loader *loader, const struct object_operation *operation)
{
    switch ((enum object_certainty)operation->certainty) {
    case OBJECT_HAPPENED:
        return HISTORY_OK;
    case OBJECT_FAILED:
        return HISTORY_FAIL;
    case OBJECT_RELAXED:
        if (loader->record->operations[operation->id].outcome == RECORD_OK)
            return HISTORY_MAYBE;
        break;
    case OBJECT_OPEN:
        break;
    }
    return HISTORY_INFO;
}

bool object_load(const struct object_part *part, struct history *history)
{
    struct loader loader = {.part = part, .record = part->objects->record, .history = history};
    history_clear(history);
    for (uint32_t at = 0; at < part->count; at++) {
        struct history_operation *added = add(&loader, &part->operations[at]);
        if (added == NULL)
            return false;
        added->outcome = (uint8_t)outcome_of(&loader, &part->operations[at]);
    }
    return !history->incomplete;
}
