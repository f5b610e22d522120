/* From a record to objects: names of functions, shapes of values, and one counting sort by key. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "lab/object/object_internal.h"

/* What a function takes. */
enum shape { TAKES_NOTHING, TAKES_VALUE, TAKES_PAIR, TAKES_NUMBER, TAKES_MICRO };

static const struct {
    enum object_type type;
    const char *name;
    enum object_function function;
    enum shape shape;
} names[] = {
    {OBJECT_REGISTER, "read", OBJECT_READ, TAKES_NOTHING},
    {OBJECT_REGISTER, "write", OBJECT_WRITE, TAKES_VALUE},
    {OBJECT_REGISTER, "cas", OBJECT_CAS, TAKES_PAIR},
    {OBJECT_REGISTER, "r", OBJECT_READ, TAKES_NOTHING},
    {OBJECT_REGISTER, "w", OBJECT_WRITE, TAKES_VALUE},
    {OBJECT_MULTI_REGISTER, "read", OBJECT_TRANSACT, TAKES_MICRO},
    {OBJECT_MULTI_REGISTER, "write", OBJECT_TRANSACT, TAKES_MICRO},
    {OBJECT_MULTI_REGISTER, "txn", OBJECT_TRANSACT, TAKES_MICRO},
    {OBJECT_SET, "add", OBJECT_ADD, TAKES_VALUE},
    {OBJECT_SET, "remove", OBJECT_REMOVE, TAKES_VALUE},
    {OBJECT_SET, "contains", OBJECT_CONTAINS, TAKES_VALUE},
    {OBJECT_SET, "read", OBJECT_READ, TAKES_NOTHING},
    {OBJECT_SET, "delete", OBJECT_REMOVE, TAKES_VALUE},
    {OBJECT_SET, "member", OBJECT_CONTAINS, TAKES_VALUE},
    {OBJECT_QUEUE, "enqueue", OBJECT_PUT, TAKES_VALUE},
    {OBJECT_QUEUE, "dequeue", OBJECT_TAKE, TAKES_NOTHING},
    {OBJECT_QUEUE, "enq", OBJECT_PUT, TAKES_VALUE},
    {OBJECT_QUEUE, "deq", OBJECT_TAKE, TAKES_NOTHING},
    {OBJECT_STACK, "push", OBJECT_PUT, TAKES_VALUE},
    {OBJECT_STACK, "pop", OBJECT_TAKE, TAKES_NOTHING},
    {OBJECT_MUTEX, "acquire", OBJECT_ACQUIRE, TAKES_NOTHING},
    {OBJECT_MUTEX, "release", OBJECT_RELEASE, TAKES_NOTHING},
    {OBJECT_MUTEX, "lock", OBJECT_ACQUIRE, TAKES_NOTHING},
    {OBJECT_MUTEX, "unlock", OBJECT_RELEASE, TAKES_NOTHING},
    {OBJECT_FENCED_MUTEX, "acquire", OBJECT_ACQUIRE, TAKES_NOTHING},
    {OBJECT_FENCED_MUTEX, "release", OBJECT_RELEASE, TAKES_NOTHING},
    {OBJECT_COUNTER, "add", OBJECT_ADD, TAKES_NUMBER},
    {OBJECT_COUNTER, "read", OBJECT_READ, TAKES_NOTHING},
    {OBJECT_COUNTER, "inc", OBJECT_ADD, TAKES_NUMBER},
    {OBJECT_COUNTER, "increment", OBJECT_ADD, TAKES_NUMBER},
};
enum { NAME_COUNT = sizeof names / sizeof names[0] };

struct reader {
    struct objects *objects;
    const struct record *record;
    uint32_t function; /* the last value that was a function's name, and its entry */
    unsigned entry;
    char *why;
};

static bool refuse(struct reader *reader, const struct record_operation *operation, const char *what)
{
    struct span name = record_text_of(reader->record, operation->function);
    int shown = name.size < 40 ? (int)name.size : 40;
    snprintf(reader->why, OBJECT_WHY_SIZE, "it is no history of this model: line %u: %.*s %s",
             (unsigned)operation->line, shown, (const char *)name.data, what);
    return false;
}

/* Lists the functions of the type behind the complaint. */
static bool refuse_function(struct reader *reader, const struct record_operation *operation)
{
    char text[OBJECT_WHY_SIZE] = "is none of its functions:";
    size_t size = strlen(text);
    for (unsigned at = 0; at < NAME_COUNT; at++)
        if (names[at].type == reader->objects->type && size < sizeof text)
            size += (size_t)snprintf(text + size, sizeof text - size, " %s", names[at].name);
    if (reader->objects->type == OBJECT_KV)
        for (unsigned at = 0; at < HISTORY_FUNCTION_COUNT && size < sizeof text; at++)
            size += (size_t)snprintf(text + size, sizeof text - size, " %s",
                                     history_function_name((enum history_function)at));
    return refuse(reader, operation, text);
}

static bool is_null(const struct record *record, uint32_t value)
{
    return value == VALUE_NONE || record_kind(record, value) == VALUE_NULL;
}

/* Null is no value. */
static uint32_t some(const struct record *record, uint32_t value)
{
    return is_null(record, value) ? VALUE_NONE : value;
}

static bool read_pair(struct reader *reader, const struct record_operation *from, struct object_operation *to)
{
    if (is_null(reader->record, from->called) || record_kind(reader->record, from->called) != VALUE_LIST ||
        record_size_of(reader->record, from->called) != 2)
        return refuse(reader, from, "takes [old, new]");
    const uint32_t *pair = record_elements_of(reader->record, from->called);
    to->expected = some(reader->record, pair[0]);
    to->argument = some(reader->record, pair[1]);
    return true;
}

static bool read_number(struct reader *reader, const struct record_operation *from, struct object_operation *to)
{
    to->number = 1;
    if (is_null(reader->record, from->called))
        return true;
    if (record_kind(reader->record, from->called) != VALUE_INTEGER)
        return refuse(reader, from, "takes an integer, or nothing");
    to->number = record_integer_of(reader->record, from->called);
    return true;
}

static bool is_boolean(const struct record *record, uint32_t value)
{
    return value != VALUE_NONE &&
           (record_kind(record, value) == VALUE_TRUE || record_kind(record, value) == VALUE_FALSE);
}

/* The answer of an ok operation. One that only repeats the argument says no more than that it succeeded. */
static bool read_answer(struct reader *reader, const struct record_operation *from, struct object_operation *to)
{
    const struct record *record = reader->record;
    uint32_t answer = from->answered;
    bool repeats = answer == from->called || is_null(record, answer);
    to->answer = some(record, answer);
    switch ((enum object_function)to->function) {
    case OBJECT_READ:
        to->answered = true;
        if (reader->objects->type == OBJECT_SET)
            return (!is_null(record, answer) && record_kind(record, answer) == VALUE_LIST) ||
                   refuse(reader, from, "answers the list of all elements");
        if (reader->objects->type != OBJECT_COUNTER)
            return true;
        if (is_null(record, answer) || record_kind(record, answer) != VALUE_INTEGER)
            return refuse(reader, from, "answers an integer");
        to->number = record_integer_of(record, answer);
        return true;
    case OBJECT_TAKE:
    case OBJECT_TRANSACT:
        to->answered = true;
        return true;
    case OBJECT_CONTAINS:
        to->answered = true;
        return is_boolean(record, answer) || refuse(reader, from, "answers true or false");
    case OBJECT_ACQUIRE:
        if (reader->objects->type != OBJECT_FENCED_MUTEX)
            return true;
        if (is_null(record, answer) || record_kind(record, answer) != VALUE_INTEGER)
            return refuse(reader, from, "answers its token, an integer");
        to->answered = true;
        to->number = record_integer_of(record, answer);
        return true;
    case OBJECT_CAS:
    case OBJECT_REMOVE:
        to->answered = !repeats && is_boolean(record, answer);
        return true;
    case OBJECT_ADD:
        to->answered = reader->objects->type == OBJECT_SET && !repeats && is_boolean(record, answer);
        return true;
    case OBJECT_WRITE:
    case OBJECT_PUT:
    case OBJECT_RELEASE:
        break;
    }
    return true;
}

static bool find_function(struct reader *reader, const struct record_operation *from)
{
    if (from->function == reader->function)
        return true;
    struct span name = record_text_of(reader->record, from->function);
    for (unsigned at = 0; at < NAME_COUNT; at++)
        if (names[at].type == reader->objects->type && span_equal(name, span_string(names[at].name))) {
            reader->function = from->function;
            reader->entry = at;
            return true;
        }
    return refuse_function(reader, from);
}

/* A micro-operation's list, and a map: looked at when they are loaded. */
static bool read_micro(struct reader *reader, const struct record_operation *from, struct object_operation *to)
{
    const struct record *record = reader->record;
    struct span name = record_text_of(record, from->function);
    enum value_kind kind = is_null(record, from->called) ? VALUE_NULL : record_kind(record, from->called);
    bool txn = span_equal(name, span_string("txn"));
    to->argument = some(record, from->called);
    to->number = txn ? 't' : name.data[0]; /* 'r' or 'w' */
    if (from->outcome == RECORD_OK)
        kind = is_null(record, from->answered) ? VALUE_NULL : record_kind(record, from->answered);
    if (!txn)
        return kind == VALUE_MAP || (from->outcome != RECORD_OK && name.data[0] == 'r') ||
               refuse(reader, from, "has a map {register: value}");
    for (uint32_t list = 0; list < 2; list++) {
        uint32_t value = list == 0 ? from->called : from->outcome == RECORD_OK ? from->answered : from->called;
        if (is_null(record, value) || record_kind(record, value) != VALUE_LIST)
            return refuse(reader, from, "has a list of [\"r\" or \"w\", register, value]");
        for (uint32_t at = 0; at < record_size_of(record, value); at++) {
            uint32_t micro = record_elements_of(record, value)[at];
            const uint32_t *words = record_elements_of(record, micro);
            if (record_kind(record, micro) != VALUE_LIST || record_size_of(record, micro) != 3 ||
                record_kind(record, words[0]) != VALUE_TEXT ||
                !(span_equal(record_text_of(record, words[0]), span_string("r")) ||
                  span_equal(record_text_of(record, words[0]), span_string("w"))))
                return refuse(reader, from, "has a list of [\"r\" or \"w\", register, value]");
        }
    }
    return true;
}

static bool read_operation(struct reader *reader, const struct record_operation *from, struct object_operation *to)
{
    if (!find_function(reader, from))
        return false;
    to->function = (uint8_t)names[reader->entry].function;
    switch (names[reader->entry].shape) {
    case TAKES_NOTHING:
        break;
    case TAKES_VALUE:
        to->argument = some(reader->record, from->called);
        if (reader->objects->type != OBJECT_REGISTER && to->argument == VALUE_NONE)
            return refuse(reader, from, "takes a value that is not null");
        break;
    case TAKES_PAIR:
        if (!read_pair(reader, from, to))
            return false;
        break;
    case TAKES_NUMBER:
        if (!read_number(reader, from, to))
            return false;
        break;
    case TAKES_MICRO:
        if (!read_micro(reader, from, to))
            return false;
        break;
    }
    return from->outcome != RECORD_OK || read_answer(reader, from, to);
}

/* ---- a key-value store ---- */

static bool is_bytes(const struct record *record, uint32_t value)
{
    if (value == VALUE_NONE)
        return false;
    enum value_kind kind = record_kind(record, value);
    return kind != VALUE_NULL && kind != VALUE_LIST && kind != VALUE_MAP;
}

static bool read_kv(struct reader *reader, const struct record_operation *from, struct object_operation *to)
{
    const struct record *record = reader->record;
    enum history_function function;
    struct span name = record_text_of(record, from->function);
    if (!history_function_find(name, &function)) {
        if (span_equal(name, span_string("put")))
            function = HISTORY_SET;
        else
            return refuse_function(reader, from);
    }
    to->function = (uint8_t)function;
    to->answer = from->answered;
    to->number = 1;
    if (history_function_reads(function) || function == HISTORY_DEL || function == HISTORY_GETDEL)
        return true;
    if (function == HISTORY_INCR)
        return read_number(reader, from, to);
    if (function == HISTORY_CAS) {
        if (!read_pair(reader, from, to))
            return false;
        return (is_bytes(record, to->expected) && is_bytes(record, to->argument)) ||
               refuse(reader, from, "takes [old, new], strings or numbers");
    }
    to->argument = from->called;
    return is_bytes(record, from->called) || refuse(reader, from, "takes a string or a number");
}

/* ---- all ---- */

static void certain(const struct record_operation *from, struct object_operation *to)
{
    to->certainty = from->outcome == RECORD_OK     ? OBJECT_HAPPENED
                    : from->outcome == RECORD_FAIL ? OBJECT_FAILED
                                                   : OBJECT_OPEN;
}

/* Is a set only ever asked about single elements? Then each element is an object of its own. */
static bool is_by_element(const struct objects *objects)
{
    const struct record *record = objects->record;
    if (objects->type != OBJECT_SET)
        return false;
    for (uint32_t at = 0; at < record->operation_count; at++)
        if (span_equal(record_text_of(record, record->operations[at].function), span_string("read")))
            return false;
    return true;
}

/* Numbers the objects in the order of their first appearance: by key, or key and element. */
static bool number_objects(struct objects *objects, uint32_t *object_of)
{
    const struct record *record = objects->record;
    bool by_element = is_by_element(objects);
    uint64_t slot_count = 64;
    while (slot_count < 2 * (uint64_t)record->operation_count)
        slot_count *= 2;
    struct slot {
        uint64_t name;
        uint32_t number, used;
    } *slots = heap_alloc_zero(objects->heap, slot_count * sizeof *slots);
    if (slots == NULL)
        return false;
    objects->count = 0;
    for (uint32_t at = 0; at < record->operation_count; at++) {
        const struct record_operation *operation = &record->operations[at];
        uint64_t name = (uint64_t)operation->key << 32 | (by_element ? operation->called : 0);
        uint64_t slot = hash_mix(name, 0) & (slot_count - 1);
        while (slots[slot].used != 0 && slots[slot].name != name)
            slot = (slot + 1) & (slot_count - 1);
        if (slots[slot].used == 0)
            slots[slot] = (struct slot){.name = name, .number = objects->count++, .used = 1};
        object_of[at] = slots[slot].number;
    }
    heap_free(objects->heap, slots);
    return true;
}

/* Where each object's operations begin, one place further than they will. */
static bool make_room(struct objects *objects, const uint32_t *object_of)
{
    uint32_t count = objects->record->operation_count;
    objects->operations = heap_alloc(objects->heap, ((size_t)count + 1) * sizeof *objects->operations);
    objects->starts = heap_alloc_zero(objects->heap, ((size_t)objects->count + 2) * sizeof *objects->starts);
    if (objects->operations == NULL || objects->starts == NULL)
        return false;
    for (uint32_t at = 0; at < count; at++)
        objects->starts[object_of[at] + 2]++;
    for (uint32_t object = 2; object < objects->count + 2; object++)
        objects->starts[object] += objects->starts[object - 1];
    return true;
}

static bool read_all(struct reader *reader, const uint32_t *object_of)
{
    struct objects *objects = reader->objects;
    for (uint32_t at = 0; at < reader->record->operation_count; at++) {
        const struct record_operation *from = &reader->record->operations[at];
        struct object_operation *to = &objects->operations[objects->starts[object_of[at] + 1]++];
        *to = (struct object_operation){
            .id = at,
            .process = from->process,
            .argument = VALUE_NONE,
            .expected = VALUE_NONE,
            .answer = VALUE_NONE,
            .invoked = from->invoked,
            .completed = from->outcome == RECORD_OK ? from->completed : RECORD_NEVER,
        };
        certain(from, to);
        if (!(objects->type == OBJECT_KV ? read_kv(reader, from, to) : read_operation(reader, from, to)))
            return false;
    }
    return true;
}

/* Numbers each object's events from 0, in their order. */
static bool number_events(struct objects *objects)
{
    uint32_t count = objects->record->operation_count, events = objects->record->event_count;
    uint32_t *next = heap_alloc_zero(objects->heap, ((size_t)objects->count + 1) * sizeof *next);
    uint64_t *at_place = heap_alloc(objects->heap, ((size_t)events + 1) * sizeof *at_place);
    if (next != NULL && at_place != NULL) {
        memset(at_place, 0xff, ((size_t)events + 1) * sizeof *at_place);
        for (uint32_t object = 0; object < objects->count; object++)
            for (uint32_t at = objects->starts[object]; at < objects->starts[object + 1]; at++) {
                at_place[objects->operations[at].invoked] = (uint64_t)object << 32 | at;
                if (objects->operations[at].completed != RECORD_NEVER)
                    at_place[objects->operations[at].completed] = (uint64_t)object << 32 | at;
            }
        for (uint32_t place = 0; place < events; place++) {
            uint32_t at = (uint32_t)at_place[place];
            if (at >= count)
                continue;
            struct object_operation *operation = &objects->operations[at];
            uint32_t *number = &next[at_place[place] >> 32];
            if (objects->record->operations[operation->id].invoked == place)
                operation->invoked = (*number)++;
            else
                operation->completed = (*number)++;
        }
    }
    bool good = next != NULL && at_place != NULL;
    heap_free(objects->heap, next);
    heap_free(objects->heap, at_place);
    return good;
}

bool objects_read(struct objects *objects, const struct record *record, enum object_type type, struct heap *heap,
                  char why[OBJECT_WHY_SIZE])
{
    *objects = (struct objects){.record = record, .heap = heap, .type = type};
    struct reader reader = {.objects = objects, .record = record, .function = VALUE_NONE, .why = why};
    uint32_t *object_of = heap_alloc(heap, ((size_t)record->operation_count + 1) * sizeof *object_of);
    snprintf(why, OBJECT_WHY_SIZE, "the memory for the history ran out");
    bool good = object_of != NULL && number_objects(objects, object_of) && make_room(objects, object_of) &&
                read_all(&reader, object_of) && number_events(objects);
    objects->scratch =
        heap_alloc_zero(heap, ((size_t)record_value_count(record) + 1) * sizeof *objects->scratch);
    good = good && objects->scratch != NULL;
    heap_free(heap, object_of);
    if (!good)
        objects_free(objects);
    return good;
}

void objects_free(struct objects *objects)
{
    heap_free(objects->heap, objects->operations);
    heap_free(objects->heap, objects->starts);
    heap_free(objects->heap, objects->scratch);
    objects->scratch = NULL;
    objects->operations = NULL;
    objects->starts = NULL;
}

struct object_part objects_part(const struct objects *objects, uint32_t object)
{
    return (struct object_part){
        .objects = objects,
        .operations = objects->operations + objects->starts[object],
        .count = objects->starts[object + 1] - objects->starts[object],
    };
}
