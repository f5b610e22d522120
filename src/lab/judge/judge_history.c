/* From what the simulated clients saw to the checker of linearizability. */
#include <stdio.h>

#include "lab/history/history.h"
#include "lab/judge/judge.h"
#include "lab/object/linearizable.h"

/* Configurations a key: a run in a thousand needs more, and would take longer than all others together. */
enum { WORK_MAX = 1000000 };

struct judge_history {
    struct history *history;
    struct linearizable *checker;
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
        if (!operations[i].stale_allowed && !says_nothing)
            add(judge->history, world, &operations[i]);
    }
    history_order(judge->history);
    struct linearizable_result result;
    enum linearizable_verdict verdict = linearizable_check(judge->checker, judge->history, WORK_MAX, &result);
    if (verdict == LINEARIZABLE_NO)
        world_violate(world, property, result.reason);
    return verdict != LINEARIZABLE_UNKNOWN;
}
