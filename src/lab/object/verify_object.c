/* A second opinion on witnesses of single objects: executes the order on plain objects, one operation after the other,
 * and compares times. It shares nothing with the search, and reads the record by itself. */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/number.h"
#include "lab/object/object.h"

/* One object, whatever its type. What it holds is indexed by value: a table has an entry for each. */
struct plain {
    uint32_t value;        /* register; VALUE_NONE: nothing */
    uint32_t *table;       /* set: 1 when inside; multi-register: value + 1; dirty entries are in `touched` */
    uint32_t *line;        /* queue, stack: the elements from `front` to `back` */
    uint32_t front, back;
    uint32_t element_count;
    int64_t number, token; /* counter; fenced mutex */
    bool held;
    struct buffer bytes; /* kv */
    bool full;
};

struct verifier {
    const struct record *record;
    enum object_type type;
    enum object_level level;
    const struct verdict *witness;
    struct heap *heap;
    struct plain plain;
    uint32_t *seen; /* of each operation: 1 when the witness has it */
    char *why;
    size_t why_size;
};

static bool complain(struct verifier *verifier, uint32_t operation, const char *what)
{
    char text[160];
    record_print_operation(verifier->record, operation, text, sizeof text);
    snprintf(verifier->why, verifier->why_size, "%s: %s", text, what);
    return false;
}

static bool named(const struct verifier *verifier, const struct record_operation *operation, const char *name)
{
    return span_equal(record_text_of(verifier->record, operation->function), span_string(name));
}

static bool is_null(const struct verifier *verifier, uint32_t value)
{
    return value == VALUE_NONE || record_kind(verifier->record, value) == VALUE_NULL;
}

static bool is_kind(const struct verifier *verifier, uint32_t value, enum value_kind kind)
{
    return value != VALUE_NONE && record_kind(verifier->record, value) == kind;
}

static uint32_t some(const struct verifier *verifier, uint32_t value)
{
    return is_null(verifier, value) ? VALUE_NONE : value;
}

/* ---- the objects ---- */

static bool do_register(struct verifier *verifier, const struct record_operation *operation, bool ok)
{
    uint32_t *value = &verifier->plain.value;
    if (named(verifier, operation, "read") || named(verifier, operation, "r"))
        return !ok || some(verifier, operation->answered) == *value;
    if (!named(verifier, operation, "cas")) {
        *value = some(verifier, operation->called);
        return true;
    }
    const uint32_t *pair = record_elements_of(verifier->record, operation->called);
    bool holds = some(verifier, pair[0]) == *value;
    bool said = !(ok && is_kind(verifier, operation->answered, VALUE_FALSE));
    if (ok && holds != said)
        return false;
    if (holds)
        *value = some(verifier, pair[1]);
    return true;
}

static bool do_set(struct verifier *verifier, const struct record_operation *operation, bool ok)
{
    struct plain *plain = &verifier->plain;
    if (named(verifier, operation, "read")) {
        uint32_t size = ok ? record_size_of(verifier->record, operation->answered) : 0;
        for (uint32_t at = 0; at < size; at++)
            if (plain->table[record_elements_of(verifier->record, operation->answered)[at]] == 0)
                return false;
        return !ok || size == plain->element_count;
    }
    uint32_t *inside = &plain->table[operation->called];
    bool tells = ok && operation->answered != operation->called &&
                 (is_kind(verifier, operation->answered, VALUE_TRUE) ||
                  is_kind(verifier, operation->answered, VALUE_FALSE));
    bool yes = tells && is_kind(verifier, operation->answered, VALUE_TRUE);
    if (named(verifier, operation, "contains") || named(verifier, operation, "member"))
        return !ok || is_kind(verifier, operation->answered, *inside ? VALUE_TRUE : VALUE_FALSE);
    bool adds = named(verifier, operation, "add");
    if (tells && yes != (adds ? *inside == 0 : *inside == 1))
        return false;
    plain->element_count += adds && *inside == 0;
    plain->element_count -= !adds && *inside == 1;
    *inside = adds;
    return true;
}

static bool do_line(struct verifier *verifier, const struct record_operation *operation, bool ok)
{
    struct plain *plain = &verifier->plain;
    if (named(verifier, operation, "enqueue") || named(verifier, operation, "enq") ||
        named(verifier, operation, "push")) {
        plain->line[plain->back++] = operation->called;
        return true;
    }
    uint32_t taken = VALUE_NONE;
    if (plain->front < plain->back)
        taken = verifier->type == OBJECT_QUEUE ? plain->line[plain->front++] : plain->line[--plain->back];
    return !ok || taken == some(verifier, operation->answered);
}

static bool do_mutex(struct verifier *verifier, const struct record_operation *operation, bool ok)
{
    struct plain *plain = &verifier->plain;
    bool takes = named(verifier, operation, "acquire") || named(verifier, operation, "lock");
    if (takes == plain->held)
        return false;
    plain->held = takes;
    if (!takes || verifier->type == OBJECT_MUTEX || !ok)
        return true;
    int64_t token = record_integer_of(verifier->record, operation->answered);
    bool rises = token > plain->token;
    plain->token = token;
    return rises;
}

static bool do_counter(struct verifier *verifier, const struct record_operation *operation, bool ok)
{
    int64_t *number = &verifier->plain.number;
    if (named(verifier, operation, "read"))
        return !ok || record_integer_of(verifier->record, operation->answered) == *number;
    return !__builtin_add_overflow(
        *number, is_null(verifier, operation->called) ? 1 : record_integer_of(verifier->record, operation->called),
        number);
}

/* One micro-operation: true when it fits. */
static bool do_micro(struct verifier *verifier, bool writes, uint32_t key, uint32_t value, bool ok)
{
    uint32_t *held = &verifier->plain.table[key];
    uint32_t wanted = is_null(verifier, value) ? 0 : value + 1;
    if (!writes)
        return !ok || *held == wanted;
    *held = wanted;
    return true;
}

static bool do_multi(struct verifier *verifier, const struct record_operation *operation, bool ok)
{
    const struct record *record = verifier->record;
    uint32_t value = ok ? operation->answered : operation->called;
    if (is_null(verifier, value))
        return true;
    const uint32_t *elements = record_elements_of(record, value);
    bool txn = named(verifier, operation, "txn"), fits = true;
    for (uint32_t at = 0; at < record_size_of(record, value); at += txn ? 1 : 2) {
        const uint32_t *words = txn ? record_elements_of(record, elements[at]) : NULL;
        bool writes = txn ? record_text_of(record, words[0]).data[0] == 'w' : named(verifier, operation, "write");
        fits = fits && do_micro(verifier, writes, txn ? words[1] : elements[at], txn ? words[2] : elements[at + 1], ok);
    }
    return fits;
}

/* ---- a key of a key-value store ---- */

static struct span text_of(const struct verifier *verifier, uint32_t value, char room[NUMBER_DOUBLE_SIZE_MAX])
{
    switch (record_kind(verifier->record, value)) {
    case VALUE_TEXT:
        return record_text_of(verifier->record, value);
    case VALUE_INTEGER:
        return span_of(room, number_print_i64(room, record_integer_of(verifier->record, value)));
    case VALUE_REAL:
        return span_of(room, number_print_double(room, record_real_of(verifier->record, value)));
    case VALUE_TRUE:
        return span_string("true");
    case VALUE_FALSE:
        return span_string("false");
    case VALUE_NULL:
    case VALUE_LIST:
    case VALUE_MAP:
        break;
    }
    return span_string("");
}

static void put(struct plain *plain, struct span bytes)
{
    buffer_clear(&plain->bytes);
    buffer_append(&plain->bytes, bytes.data, bytes.size);
    plain->full = true;
}

static bool shown(struct verifier *verifier, const struct record_operation *operation, bool ok)
{
    char room[NUMBER_DOUBLE_SIZE_MAX];
    if (!ok)
        return true;
    if (is_null(verifier, operation->answered))
        return !verifier->plain.full;
    return verifier->plain.full &&
           span_equal(text_of(verifier, operation->answered, room), buffer_span(&verifier->plain.bytes));
}

/* Did the answer say this yes or no? 1, true, "OK" and a repeated argument are yes; 0, false and null no. */
static bool said(struct verifier *verifier, const struct record_operation *operation, bool ok, bool yes)
{
    if (!ok)
        return true;
    uint32_t answer = operation->answered;
    bool no = is_null(verifier, answer) || is_kind(verifier, answer, VALUE_FALSE) ||
              (is_kind(verifier, answer, VALUE_INTEGER) && record_integer_of(verifier->record, answer) == 0);
    bool clear = no || !is_kind(verifier, answer, VALUE_INTEGER) || record_integer_of(verifier->record, answer) == 1;
    return clear && no != yes;
}

static bool counted(struct verifier *verifier, const struct record_operation *operation, bool ok, int64_t number)
{
    return !ok || (is_kind(verifier, operation->answered, VALUE_INTEGER) &&
                   record_integer_of(verifier->record, operation->answered) == number);
}

static bool do_incr(struct verifier *verifier, const struct record_operation *operation, bool ok)
{
    struct plain *plain = &verifier->plain;
    char room[NUMBER_INTEGER_SIZE_MAX];
    int64_t number = 0, by = 1;
    if (!is_null(verifier, operation->called))
        by = record_integer_of(verifier->record, operation->called);
    bool whole = !plain->full || number_parse_i64(buffer_span(&plain->bytes), &number);
    if (!whole || __builtin_add_overflow(number, by, &number))
        return !ok || is_kind(verifier, operation->answered, VALUE_MAP);
    put(plain, span_of(room, number_print_i64(room, number)));
    return counted(verifier, operation, ok, number);
}

static bool do_conditional(struct verifier *verifier, const struct record_operation *operation, bool ok, bool holds,
                           struct span bytes)
{
    if (holds)
        put(&verifier->plain, bytes);
    return said(verifier, operation, ok, holds);
}

static bool do_kv(struct verifier *verifier, const struct record_operation *operation, bool ok)
{
    struct plain *plain = &verifier->plain;
    char room[2][NUMBER_DOUBLE_SIZE_MAX];
    if (named(verifier, operation, "get"))
        return shown(verifier, operation, ok);
    if (named(verifier, operation, "strlen"))
        return counted(verifier, operation, ok, plain->full ? (int64_t)plain->bytes.size : 0);
    if (named(verifier, operation, "exists"))
        return counted(verifier, operation, ok, plain->full);
    if (named(verifier, operation, "incr"))
        return do_incr(verifier, operation, ok);
    if (named(verifier, operation, "del") || named(verifier, operation, "getdel")) {
        bool fits = named(verifier, operation, "del") ? counted(verifier, operation, ok, plain->full)
                                                      : shown(verifier, operation, ok);
        plain->full = false;
        buffer_clear(&plain->bytes);
        return fits;
    }
    if (named(verifier, operation, "cas")) {
        const uint32_t *pair = record_elements_of(verifier->record, operation->called);
        bool holds = plain->full && span_equal(text_of(verifier, pair[0], room[0]), buffer_span(&plain->bytes));
        return do_conditional(verifier, operation, ok, holds, text_of(verifier, pair[1], room[1]));
    }
    struct span bytes = text_of(verifier, operation->called, room[0]);
    if (named(verifier, operation, "append")) {
        buffer_append(&plain->bytes, bytes.data, bytes.size);
        plain->full = true;
        bool length = is_kind(verifier, operation->answered, VALUE_INTEGER) ||
                      is_kind(verifier, operation->answered, VALUE_MAP);
        return !length || counted(verifier, operation, ok, (int64_t)plain->bytes.size);
    }
    if (named(verifier, operation, "setnx") || named(verifier, operation, "setxx"))
        return do_conditional(verifier, operation, ok, plain->full == named(verifier, operation, "setxx"), bytes);
    bool fits = !named(verifier, operation, "getset") || shown(verifier, operation, ok);
    put(plain, bytes);
    return fits;
}

/* ---- the order ---- */

static bool execute(struct verifier *verifier, uint32_t id)
{
    const struct record_operation *operation = &verifier->record->operations[id];
    bool ok = operation->outcome == RECORD_OK, fits = false;
    switch (verifier->type) {
    case OBJECT_REGISTER:
        fits = do_register(verifier, operation, ok);
        break;
    case OBJECT_MULTI_REGISTER:
        fits = do_multi(verifier, operation, ok);
        break;
    case OBJECT_SET:
        fits = do_set(verifier, operation, ok);
        break;
    case OBJECT_QUEUE:
    case OBJECT_STACK:
        fits = do_line(verifier, operation, ok);
        break;
    case OBJECT_MUTEX:
    case OBJECT_FENCED_MUTEX:
        fits = do_mutex(verifier, operation, ok);
        break;
    case OBJECT_COUNTER:
        fits = do_counter(verifier, operation, ok);
        break;
    case OBJECT_KV:
        fits = do_kv(verifier, operation, ok);
        break;
    }
    return fits || complain(verifier, id, "it cannot have been answered so at this place of the order");
}

/* Forgets what the last object held. */
static void object_begin(struct verifier *verifier)
{
    struct plain *plain = &verifier->plain;
    plain->value = VALUE_NONE;
    plain->front = plain->back = plain->element_count = 0;
    plain->number = 0;
    plain->token = INT64_MIN;
    plain->held = plain->full = false;
    buffer_clear(&plain->bytes);
}

/* Takes back what an object's operations left in the table. */
static void object_end(struct verifier *verifier, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to; at++) {
        const struct record_operation *operation = &verifier->record->operations[verifier->witness->operations[at]];
        if (verifier->type == OBJECT_SET && operation->called != VALUE_NONE)
            verifier->plain.table[operation->called] = 0;
    }
    if (verifier->type == OBJECT_MULTI_REGISTER)
        memset(verifier->plain.table, 0,
               ((size_t)record_value_count(verifier->record) + 1) * sizeof *verifier->plain.table);
}

/* Each may come after what begins before its own end. */
static bool check_times(struct verifier *verifier, uint32_t from, uint32_t to)
{
    uint32_t latest = 0;
    for (uint32_t at = from; at < to; at++) {
        uint32_t id = verifier->witness->operations[at];
        const struct record_operation *operation = &verifier->record->operations[id];
        if (operation->invoked > latest)
            latest = operation->invoked;
        if (operation->outcome == RECORD_OK && operation->completed < latest)
            return complain(verifier, id, "it had ended before one that the order puts before it began");
    }
    return true;
}

static bool check_part(struct verifier *verifier, uint32_t from, uint32_t to)
{
    object_begin(verifier);
    for (uint32_t at = from; at < to; at++) {
        uint32_t id = verifier->witness->operations[at];
        const struct record *record = verifier->record;
        if (id >= record->operation_count || verifier->seen[id] != 0 ||
            record->operations[id].outcome == RECORD_FAIL) {
            snprintf(verifier->why, verifier->why_size, "operation %u is in the order twice, or failed", (unsigned)id);
            return false;
        }
        verifier->seen[id] = 1;
        if (record->operations[id].key != record->operations[verifier->witness->operations[from]].key)
            return complain(verifier, id, "it is of another object than the part");
        if (!execute(verifier, id))
            return false;
    }
    object_end(verifier, from, to);
    return verifier->level != OBJECT_LINEARIZABLE || check_times(verifier, from, to);
}

static bool check_complete(struct verifier *verifier)
{
    const struct record *record = verifier->record;
    for (uint32_t id = 0; id < record->operation_count; id++)
        if (record->operations[id].outcome == RECORD_OK && verifier->seen[id] == 0)
            return complain(verifier, id, "it happened, and the order lacks it");
    return true;
}

/* Does the order keep that of each process? Ids of operations rise in the order of invocations. */
static bool check_processes(struct verifier *verifier)
{
    const struct verdict *witness = verifier->witness;
    uint32_t *last = heap_alloc_zero(verifier->heap, ((size_t)verifier->record->process_count + 1) * sizeof *last);
    bool good = last != NULL;
    for (uint32_t at = 0; at < witness->operation_count && good; at++) {
        uint32_t id = witness->operations[at];
        const struct record_operation *operation = &verifier->record->operations[id];
        bool before = id + 1 < last[operation->process];
        if (operation->outcome == RECORD_OK && before)
            good = complain(verifier, id, "its process invoked it before another that the order has earlier");
        else if (operation->outcome == RECORD_OK)
            last[operation->process] = id + 1;
        /* One that may have happened may come later than it was invoked, not earlier. */
        else
            for (uint32_t earlier = at + 1; earlier < witness->operation_count && good; earlier++) {
                uint32_t other = witness->operations[earlier];
                if (other < id && verifier->record->operations[other].process == operation->process &&
                    verifier->record->operations[other].outcome == RECORD_OK)
                    good = complain(verifier, id, "it comes before what its process did earlier");
            }
    }
    heap_free(verifier->heap, last);
    return good;
}

/* One order of all objects: each object's operations in it must explain themselves. Objects are told apart by key, and
 * their operations picked out one key after the other in the order of the keys' first appearance. */
static bool verify_one_order(struct verifier *verifier)
{
    const struct verdict *whole = verifier->witness;
    const struct record *record = verifier->record;
    size_t keys = (size_t)record_value_count(record) + 1, count = whole->operation_count;
    uint32_t *starts = heap_alloc_zero(verifier->heap, (keys + 2) * sizeof *starts);
    uint32_t *operations = heap_alloc(verifier->heap, (count + 1) * sizeof *operations);
    bool good = starts != NULL && operations != NULL;
    for (size_t at = 0; at < count && good; at++)
        good = whole->operations[at] < record->operation_count;
    for (size_t at = 0; at < count && good; at++)
        starts[(size_t)(uint32_t)(record->operations[whole->operations[at]].key + 1) + 2]++;
    for (size_t key = 2; key < keys + 2 && good; key++)
        starts[key] += starts[key - 1];
    for (size_t at = 0; at < count && good; at++)
        operations[starts[(size_t)(uint32_t)(record->operations[whole->operations[at]].key + 1) + 1]++] =
            whole->operations[at];
    struct verdict parts = {.operations = operations, .operation_count = whole->operation_count};
    verifier->witness = &parts;
    for (size_t key = 0; key < keys && good; key++)
        good = starts[key] == starts[key + 1] || check_part(verifier, starts[key], starts[key + 1]);
    verifier->witness = whole;
    heap_free(verifier->heap, starts);
    heap_free(verifier->heap, operations);
    return good && check_complete(verifier) && check_processes(verifier);
}

static bool verify(struct verifier *verifier)
{
    if (verifier->level == OBJECT_SEQUENTIAL)
        return verify_one_order(verifier);
    const struct verdict *witness = verifier->witness;
    if (witness->part_count == 0 && witness->operation_count > 0)
        return check_part(verifier, 0, witness->operation_count) && check_complete(verifier);
    for (uint32_t part = 0; part < witness->part_count; part++)
        if (!check_part(verifier, witness->parts[part], witness->parts[part + 1]))
            return false;
    return check_complete(verifier);
}

bool object_verify(const struct record *record, enum object_type type, enum object_level level,
                   const struct verdict *witness, struct heap *heap, char *why, size_t why_size)
{
    struct verifier verifier = {.record = record,
                                .type = type,
                                .level = level,
                                .witness = witness,
                                .heap = heap,
                                .why = why,
                                .why_size = why_size};
    size_t operations = (size_t)record->operation_count + 1, values = (size_t)record_value_count(record) + 1;
    buffer_init(&verifier.plain.bytes, heap);
    verifier.seen = heap_alloc_zero(heap, operations * sizeof *verifier.seen);
    verifier.plain.line = heap_alloc(heap, operations * sizeof *verifier.plain.line);
    verifier.plain.table = heap_alloc_zero(heap, values * sizeof *verifier.plain.table);
    snprintf(why, why_size, "the memory for the verifier ran out");
    bool room = verifier.seen != NULL && verifier.plain.line != NULL && verifier.plain.table != NULL;
    bool good = room && verify(&verifier);
    heap_free(heap, verifier.seen);
    heap_free(heap, verifier.plain.line);
    heap_free(heap, verifier.plain.table);
    buffer_free(&verifier.plain.bytes);
    return good;
}
