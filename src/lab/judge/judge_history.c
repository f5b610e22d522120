/* From what the simulated clients saw to the checker of linearizability. */
#include <stdio.h>
#include <string.h>

#include "lab/history/history.h"
#include "lab/judge/judge.h"
#include "lab/object/linearizable.h"

/* Configurations a key: a run in a thousand needs more, and would take longer than all others together. */
enum { WORK_MAX = 1000000, SPOILT_BYTES_MAX = 64 << 10 };

/* Commands of nodes whose word did not count, one after the other; of so many that nobody can tell, all keys are
 * spoilt. */
struct judge_history {
    struct history *history;
    struct linearizable *checker;
    uint64_t turned; /* bit place */
    bool all_spoilt;
    uint32_t spoilt_size;
    uint8_t spoilt[SPOILT_BYTES_MAX];
};

struct judge_history *judge_history_create(struct heap *heap)
{
    struct judge_history *judge = heap_alloc(heap, sizeof *judge);
    if (judge == NULL)
        return NULL;
    judge->history = history_create(heap);
    judge->checker = linearizable_create(heap);
    return judge->history != NULL && judge->checker != NULL ? judge : NULL;
}

/* ---- what a liar wrote in its own name ---- */

static void on_turned(void *context, uint32_t place)
{
    struct judge_history *judge = context;
    judge->turned |= UINT64_C(1) << place;
}

static bool holds(struct span bytes, struct span part)
{
    for (size_t at = 0; at + part.size <= bytes.size; at++)
        if (memcmp(bytes.data + at, part.data, part.size) == 0)
            return true;
    return false;
}

static const char *on_applied(void *context, uint32_t place, const struct delivery *delivery)
{
    struct judge_history *judge = context;
    struct span whole = delivery->command.whole, known = span_of(judge->spoilt, judge->spoilt_size);
    (void)place;
    bool liar = delivery->origin >= 1 && delivery->origin <= 64 && (judge->turned >> (delivery->origin - 1) & 1) != 0;
    if (!liar || delivery->read || holds(known, whole))
        return NULL;
    if (whole.size > sizeof judge->spoilt - judge->spoilt_size) {
        judge->all_spoilt = true;
        return NULL;
    }
    memcpy(judge->spoilt + judge->spoilt_size, whole.data, whole.size);
    judge->spoilt_size += (uint32_t)whole.size;
    return NULL;
}

struct world_watch judge_history_begin(struct judge_history *judge)
{
    judge->turned = 0;
    judge->all_spoilt = false;
    judge->spoilt_size = 0;
    return (struct world_watch){.context = judge, .applied = on_applied, .turned = on_turned};
}

/* ---- the history ---- */

static enum history_function function_of(enum world_op op)
{
    switch (op) {
    case WORLD_OP_GET:
    case WORLD_OP_COUNT:
        break;
    case WORLD_OP_SET:
        return HISTORY_SET;
    case WORLD_OP_GETSET:
        return HISTORY_GETSET;
    case WORLD_OP_SETNX:
        return HISTORY_SET_NX;
    case WORLD_OP_APPEND:
        return HISTORY_APPEND;
    case WORLD_OP_DEL:
        return HISTORY_DEL;
    case WORLD_OP_INCR:
        return HISTORY_INCR;
    }
    return HISTORY_GET;
}

static struct history_answer answer_of(const struct world_operation *operation)
{
    switch (operation->result) {
    case WORLD_RESULT_NONE:
        break;
    case WORLD_RESULT_NULL:
        return (struct history_answer){.kind = HISTORY_NIL};
    case WORLD_RESULT_STRING:
        return (struct history_answer){.kind = HISTORY_BYTES, .bytes = operation->string};
    case WORLD_RESULT_INTEGER:
        return (struct history_answer){.kind = HISTORY_INTEGER, .integer = operation->integer};
    }
    return (struct history_answer){.kind = HISTORY_DONE};
}

static enum history_outcome outcome_of(enum world_outcome outcome)
{
    switch (outcome) {
    case WORLD_OPEN:
        break;
    case WORLD_OK:
        return HISTORY_OK;
    case WORLD_FAIL:
        return HISTORY_FAIL;
    }
    return HISTORY_INFO;
}

static void add(struct history *history, const struct world *world, const struct world_operation *operation)
{
    struct history_call call = {
        .process = operation->client,
        .function = function_of(operation->op),
        .key = world_key_name(world, operation->key),
        .argument = operation->argument,
        .number = 1,
    };
    struct history_answer answer = answer_of(operation);
    history_add(history, &call, outcome_of(operation->outcome), &answer, operation->invoke_ns,
                operation->complete_ns);
}

bool judge_history_check(struct judge_history *judge, struct world *world, const char *property)
{
    size_t count;
    const struct world_operation *operations = world_history(world, &count);
    if (!world_history_whole(world))
        return true; /* a script asked what the history cannot tell, and judges by itself */
    history_clear(judge->history);
    for (size_t i = 0; i < count; i++) {
        bool says_nothing = operations[i].op == WORLD_OP_GET && operations[i].outcome != WORLD_OK;
        bool spoilt = judge->all_spoilt || holds(span_of(judge->spoilt, judge->spoilt_size),
                                                 world_key_name(world, operations[i].key));
        if (!operations[i].stale_allowed && !says_nothing && !spoilt)
            add(judge->history, world, &operations[i]);
    }
    history_order(judge->history);
    struct linearizable_result result;
    enum linearizable_verdict verdict = linearizable_check(judge->checker, judge->history, WORK_MAX, &result);
    if (verdict == LINEARIZABLE_NO)
        world_violate(world, property, result.reason);
    return verdict != LINEARIZABLE_UNKNOWN;
}
