/* Histories for tests of objects: random tiny ones of every type, and a naive decision that tries every order. */
#ifndef LOCKSTEP_LAB_OBJECT_TEST_TOOLS_H
#define LOCKSTEP_LAB_OBJECT_TEST_TOOLS_H

#include <string.h>

#include "base/random.h"
#include "lab/object/object.h"

static const char *const object_type_names[] = {"register", "multi-register", "set",     "queue", "stack",
                                                "mutex",    "fenced-mutex",   "counter", "kv"};
enum { OBJECT_TYPE_COUNT = 9, NAIVE_OPERATIONS_MAX = 8 };

static inline uint32_t tool_text(struct record *record, const char *text)
{
    return record_text(record, span_string(text));
}

static inline uint32_t tool_pair(struct record *record, enum value_kind kind, uint32_t first, uint32_t second)
{
    uint32_t pair[2] = {first, second};
    return record_list(record, kind, pair, 2);
}

/* A random call of a type: function and argument. */
static inline const char *tool_call(struct record *record, enum object_type type, struct random *random,
                                    uint32_t values, uint32_t *called)
{
    uint32_t value = record_integer(record, (int64_t)random_below(random, values) + 1);
    uint32_t other = record_integer(record, (int64_t)random_below(random, values) + 1);
    uint64_t dice = random_below(random, 8);
    *called = value;
    switch (type) {
    case OBJECT_REGISTER:
        if (dice == 0)
            *called = tool_pair(record, VALUE_LIST, value, other);
        if (dice > 3)
            *called = record_null(record);
        return dice == 0 ? "cas" : dice < 4 ? "write" : "read";
    case OBJECT_MULTI_REGISTER: {
        uint32_t key = tool_text(record, random_chance(random, 1, 2) ? "x" : "y");
        if (dice < 3) {
            *called = tool_pair(record, VALUE_MAP, key, value);
            return "write";
        }
        if (dice < 6) {
            *called = tool_pair(record, VALUE_MAP, key, record_null(record));
            return "read";
        }
        uint32_t words[2][3] = {{tool_text(record, "r"), tool_text(record, "x"), record_null(record)},
                                {tool_text(record, "w"), tool_text(record, "y"), value}};
        *called = tool_pair(record, VALUE_LIST, record_list(record, VALUE_LIST, words[0], 3),
                            record_list(record, VALUE_LIST, words[1], 3));
        return "txn";
    }
    case OBJECT_SET:
        return dice < 3 ? "add" : dice < 5 ? "read" : dice < 7 ? "remove" : "contains";
    case OBJECT_QUEUE:
        return dice < 4 ? "enqueue" : "dequeue";
    case OBJECT_STACK:
        return dice < 4 ? "push" : "pop";
    case OBJECT_MUTEX:
    case OBJECT_FENCED_MUTEX:
        *called = record_null(record);
        return dice < 5 ? "acquire" : "release";
    case OBJECT_COUNTER:
        return dice < 4 ? "add" : "read";
    case OBJECT_KV:
        break;
    }
    static const char *const functions[] = {"get", "set", "append", "incr", "setnx", "del", "cas", "getset"};
    if (dice == 6)
        *called = tool_pair(record, VALUE_LIST, value, other);
    return functions[dice];
}

/* A random answer of about the right shape. */
static inline uint32_t tool_answer(struct record *record, enum object_type type, const char *function,
                                   struct random *random, uint32_t values, uint32_t called)
{
    uint32_t value = record_integer(record, (int64_t)random_below(random, values) + 1);
    bool coin = random_chance(random, 1, 2);
    uint32_t maybe = random_chance(random, 1, 3) ? record_null(record) : value;
    if (strcmp(function, "cas") == 0)
        return type == OBJECT_KV ? record_integer(record, coin) : coin ? called : record_boolean(record, coin);
    if (type == OBJECT_MULTI_REGISTER && strcmp(function, "read") == 0)
        return tool_pair(record, VALUE_MAP, record_elements_of(record, called)[0], maybe);
    if (strcmp(function, "txn") == 0) {
        uint32_t first[3], second = record_elements_of(record, called)[1];
        memcpy(first, record_elements_of(record, record_elements_of(record, called)[0]), sizeof first);
        first[2] = maybe;
        return tool_pair(record, VALUE_LIST, record_list(record, VALUE_LIST, first, 3), second);
    }
    if (type == OBJECT_SET && strcmp(function, "read") == 0) {
        uint32_t elements[4], count = 0;
        for (uint32_t at = 0; at < values && at < 4; at++)
            if (random_chance(random, 1, 2))
                elements[count++] = record_integer(record, at + 1);
        return record_list(record, VALUE_LIST, elements, count);
    }
    if (strcmp(function, "contains") == 0 || (strcmp(function, "remove") == 0 && coin))
        return record_boolean(record, random_chance(random, 1, 2));
    if (strcmp(function, "read") == 0)
        return type == OBJECT_COUNTER ? record_integer(record, (int64_t)random_below(random, 5)) : maybe;
    if (strcmp(function, "dequeue") == 0 || strcmp(function, "pop") == 0 || strcmp(function, "get") == 0 ||
        strcmp(function, "getset") == 0)
        return maybe;
    if (type == OBJECT_FENCED_MUTEX && strcmp(function, "acquire") == 0)
        return record_integer(record, (int64_t)random_below(random, 4));
    if (strcmp(function, "append") == 0 || strcmp(function, "incr") == 0)
        return record_integer(record, (int64_t)random_below(random, 4));
    if (strcmp(function, "setnx") == 0 || strcmp(function, "del") == 0)
        return record_integer(record, coin);
    return VALUE_NONE;
}

/* Appends a tiny random history; `unique` gives each written value but once, where that makes sense. */
static inline void tool_history(struct record *record, enum object_type type, struct random *random,
                                uint32_t operations, uint32_t processes, uint32_t keys, bool unique)
{
    uint32_t open[8], called[8], invoked = 0, live = 0;
    const char *function[8];
    uint32_t values = unique ? operations : 2;
    memset(open, 0xff, sizeof open);
    while (invoked < operations || live > 0) {
        uint32_t process = (uint32_t)random_below(random, processes);
        if (open[process] == RECORD_NEVER) {
            if (invoked == operations)
                continue;
            function[process] = tool_call(record, type, random, values, &called[process]);
            uint32_t key = keys == 1 ? VALUE_NONE : record_integer(record, (int64_t)random_below(random, keys) + 100);
            bool puts = strcmp(function[process], "write") == 0 || strcmp(function[process], "add") == 0 ||
                        strcmp(function[process], "enqueue") == 0 || strcmp(function[process], "push") == 0;
            if (unique && puts && type != OBJECT_MULTI_REGISTER && type != OBJECT_COUNTER)
                called[process] = record_integer(record, invoked + 1);
            open[process] = record_invoke(record, process, tool_text(record, function[process]), key, called[process],
                                          0);
            invoked++;
            live++;
            continue;
        }
        uint64_t dice = random_below(random, 12);
        uint32_t answer = VALUE_NONE;
        if (dice > 1)
            answer = tool_answer(record, type, function[process], random, values, called[process]);
        record_end(record, open[process], dice == 0 ? RECORD_FAIL : dice == 1 ? RECORD_INFO : RECORD_OK, answer, 0);
        open[process] = RECORD_NEVER;
        live--;
    }
}

/* Tries every order of every set of operations that has all that ended ok and none that failed. */
struct naive {
    const struct record *record;
    enum object_type type;
    enum object_level level;
    struct heap *heap;
    uint32_t order[NAIVE_OPERATIONS_MAX], count;
};

static inline bool naive_try(struct naive *naive)
{
    char why[200];
    /* One part a key. */
    uint32_t operations[NAIVE_OPERATIONS_MAX], parts[NAIVE_OPERATIONS_MAX + 2] = {0}, part_count = 0, total = 0;
    bool used[NAIVE_OPERATIONS_MAX] = {false};
    for (uint32_t at = 0; at < naive->count; at++) {
        if (used[at])
            continue;
        parts[part_count++] = total;
        for (uint32_t other = at; other < naive->count; other++)
            if (naive->record->operations[naive->order[other]].key ==
                naive->record->operations[naive->order[at]].key) {
                used[other] = true;
                operations[total++] = naive->order[other];
            }
    }
    parts[part_count] = total;
    struct verdict witness = {.operations = operations, .operation_count = total, .parts = parts,
                              .part_count = part_count};
    if (naive->level == OBJECT_SEQUENTIAL)
        witness = (struct verdict){.operations = naive->order, .operation_count = naive->count};
    if (object_verify(naive->record, naive->type, naive->level, &witness, naive->heap, why, sizeof why))
        return true;
    for (uint32_t id = 0; id < naive->record->operation_count; id++) {
        bool in = naive->record->operations[id].outcome == RECORD_FAIL;
        for (uint32_t at = 0; at < naive->count; at++)
            in = in || naive->order[at] == id;
        if (in)
            continue;
        naive->order[naive->count++] = id;
        bool found = naive_try(naive);
        naive->count--;
        if (found)
            return true;
    }
    return false;
}

static inline bool naive_is_legal(const struct record *record, enum object_type type, enum object_level level,
                                  struct heap *heap)
{
    struct naive naive = {.record = record, .type = type, .level = level, .heap = heap};
    return naive_try(&naive);
}

#endif
