/* The sequential specification of a key: Redis' string commands. */
#include "lab/object/kv_model.h"

/* What the specification says, to be compared with what was seen. */
struct outcome {
    uint32_t next;
    enum history_answer_kind kind;
    bool conditional;
    uint32_t bytes;  /* HISTORY_BYTES */
    int64_t integer; /* HISTORY_INTEGER */
};

static struct outcome integer_of(uint32_t next, int64_t integer)
{
    return (struct outcome){.next = next, .kind = HISTORY_INTEGER, .integer = integer};
}

/* The value of a state, as bytes or nil. */
static struct outcome value_of(uint32_t next, uint32_t state)
{
    if (state == KV_NOTHING)
        return (struct outcome){.next = next, .kind = HISTORY_NIL};
    return (struct outcome){.next = next, .kind = HISTORY_BYTES, .bytes = state};
}

/* A write under a condition. */
static struct outcome conditional(bool holds, uint32_t state, uint32_t argument)
{
    return (struct outcome){
        .next = holds ? argument : state, .kind = holds ? HISTORY_DONE : HISTORY_NIL, .conditional = true};
}

static struct outcome incr(struct history *history, const struct history_operation *operation, uint32_t state)
{
    int64_t number = 0;
    if (state != KV_NOTHING) {
        const struct intern_entry *entry = &history->values.entries[state];
        if (!entry->integer)
            return (struct outcome){.next = state, .kind = HISTORY_ERROR};
        number = entry->number;
    }
    if (__builtin_add_overflow(number, operation->number, &number))
        return (struct outcome){.next = state, .kind = HISTORY_ERROR};
    return integer_of(intern_integer(&history->values, number), number);
}

static struct outcome append(struct history *history, const struct history_operation *operation, uint32_t state)
{
    uint32_t next = operation->argument;
    if (state != KV_NOTHING)
        next = intern_joined(&history->values, state, operation->argument);
    return integer_of(next, next == INTERN_NONE ? 0 : (int64_t)history->values.entries[next].size);
}

static struct outcome execute(struct history *history, const struct history_operation *operation, uint32_t state)
{
    bool something = state != KV_NOTHING;
    switch ((enum history_function)operation->function) {
    case HISTORY_GET:
        return value_of(state, state);
    case HISTORY_STRLEN:
        return integer_of(state, something ? (int64_t)history->values.entries[state].size : 0);
    case HISTORY_EXISTS:
        return integer_of(state, something);
    case HISTORY_SET:
        return conditional(true, state, operation->argument);
    case HISTORY_SET_NX:
        return conditional(!something, state, operation->argument);
    case HISTORY_SET_XX:
        return conditional(something, state, operation->argument);
    case HISTORY_GETSET:
        return value_of(operation->argument, state);
    case HISTORY_CAS:
        return conditional(state == operation->expected, state, operation->argument);
    case HISTORY_INCR:
        return incr(history, operation, state);
    case HISTORY_APPEND:
        return append(history, operation, state);
    case HISTORY_DEL:
        return integer_of(KV_NOTHING, something);
    case HISTORY_GETDEL:
        return value_of(KV_NOTHING, state);
    case HISTORY_FUNCTION_COUNT:
        break;
    }
    return (struct outcome){.next = state, .kind = HISTORY_ERROR};
}

static bool agrees(const struct history_operation *seen, const struct outcome *said)
{
    /* Conditional writes answer done or nil as SET does, or 1 or 0 as SETNX does. */
    if (seen->answer_kind == HISTORY_INTEGER && said->kind != HISTORY_INTEGER)
        return said->conditional && seen->integer == (said->kind == HISTORY_DONE);
    if (seen->function == HISTORY_APPEND && seen->answer_kind == HISTORY_DONE)
        return true; /* it happened, and its recorder kept no length */
    if (seen->answer_kind != said->kind)
        return false;
    if (said->kind == HISTORY_BYTES)
        return seen->answer == said->bytes;
    return said->kind != HISTORY_INTEGER || seen->integer == said->integer;
}

bool kv_model_apply(struct history *history, const struct history_operation *operation, uint32_t state, uint32_t *next)
{
    struct outcome said = execute(history, operation, state);
    if (said.next == INTERN_NONE) {
        history->incomplete = true;
        return false;
    }
    bool answered = operation->outcome == HISTORY_OK || operation->outcome == HISTORY_MAYBE;
    if (answered && !agrees(operation, &said))
        return false;
    *next = said.next;
    return true;
}
