/* What answers demand: a read that showed a value needs a moment at which the key held just that value. When the last
 * operation that could bring the value about is linearized, and the value is about to be overwritten while such a read
 * is still to come, the search has failed already and need not wait for the read's deadline. */
#include <string.h>

#include "lab/object/linearizable_internal.h"

static bool said_yes(const struct history_operation *operation)
{
    return operation->answer_kind == HISTORY_DONE ||
           (operation->answer_kind == HISTORY_INTEGER && operation->integer == 1);
}

static bool said_no(const struct history_operation *operation)
{
    return operation->answer_kind == HISTORY_NIL ||
           (operation->answer_kind == HISTORY_INTEGER && operation->integer == 0);
}

/* The state that was shown as a value. */
static uint32_t shown(const struct history_operation *operation)
{
    if (operation->answer_kind == HISTORY_BYTES)
        return operation->answer;
    return operation->answer_kind == HISTORY_NIL ? KV_NOTHING : NO_STATE;
}

/* An increment tells what it found; a first one may have found "0" or nothing. */
static void describe_incr(struct task *task, struct history *history)
{
    const struct history_operation *operation = task->operation;
    int64_t before;
    task->passive = operation->answer_kind == HISTORY_ERROR;
    if (operation->answer_kind != HISTORY_INTEGER ||
        __builtin_sub_overflow(operation->integer, operation->number, &before))
        return;
    task->product = intern_integer(&history->values, operation->integer);
    if (before != 0)
        task->demand = intern_integer(&history->values, before);
}

/* What an ok task's answer says about the states before and after it. */
static void describe(struct task *task, struct history *history)
{
    const struct history_operation *operation = task->operation;
    bool yes = said_yes(operation), no = said_no(operation);
    switch ((enum history_function)operation->function) {
    case HISTORY_GET:
        task->demand = shown(operation);
        task->passive = true;
        break;
    case HISTORY_STRLEN:
        task->passive = true;
        break;
    case HISTORY_EXISTS:
        task->demand = no ? KV_NOTHING : NO_STATE;
        task->passive = true;
        break;
    case HISTORY_SET:
        task->product = operation->argument;
        break;
    case HISTORY_SET_NX:
        task->demand = yes ? KV_NOTHING : NO_STATE;
        task->product = yes ? operation->argument : NO_STATE;
        task->passive = no;
        break;
    case HISTORY_SET_XX:
        task->demand = no ? KV_NOTHING : NO_STATE;
        task->product = yes ? operation->argument : NO_STATE;
        task->passive = no;
        break;
    case HISTORY_GETSET:
        task->demand = shown(operation);
        task->product = operation->argument;
        break;
    case HISTORY_CAS:
        task->demand = yes ? operation->expected : NO_STATE;
        task->product = yes ? operation->argument : NO_STATE;
        task->passive = no;
        break;
    case HISTORY_INCR:
        describe_incr(task, history);
        break;
    case HISTORY_APPEND:
        break;
    case HISTORY_DEL:
        task->demand = no ? KV_NOTHING : NO_STATE;
        task->product = KV_NOTHING;
        task->passive = no;
        break;
    case HISTORY_GETDEL:
        task->demand = shown(operation);
        task->product = KV_NOTHING;
        task->passive = no;
        break;
    case HISTORY_FUNCTION_COUNT:
        break;
    }
}

/* Could this task bring the state about? Errs only towards yes. */
static bool may_produce(const struct history *history, const struct task *task, uint32_t state)
{
    const struct history_operation *operation = task->operation;
    if (task->product != NO_STATE)
        return task->product == state;
    if (task->passive)
        return false;
    bool ended = operation->outcome == HISTORY_OK;
    switch ((enum history_function)operation->function) {
    case HISTORY_SET:
    case HISTORY_SET_NX:
    case HISTORY_SET_XX:
    case HISTORY_GETSET:
    case HISTORY_CAS:
        return operation->argument == state;
    case HISTORY_DEL:
    case HISTORY_GETDEL:
        return state == KV_NOTHING;
    case HISTORY_INCR:
        return state != KV_NOTHING && history->values.entries[state].integer;
    case HISTORY_APPEND: {
        if (state == KV_NOTHING)
            return false;
        struct span whole = intern_span(&history->values, state);
        struct span tail = intern_span(&history->values, operation->argument);
        bool length = ended && operation->answer_kind == HISTORY_INTEGER;
        if (whole.size < tail.size || (length && (uint64_t)operation->integer != whole.size))
            return false;
        return tail.size == 0 || memcmp(whole.data + whole.size - tail.size, tail.data, tail.size) == 0;
    }
    case HISTORY_GET:
    case HISTORY_STRLEN:
    case HISTORY_EXISTS:
    case HISTORY_FUNCTION_COUNT:
        break;
    }
    return false;
}

/* a + |b|, or the largest number. */
static int64_t sum_of_sizes(int64_t a, int64_t b)
{
    int64_t sum;
    bool over = b == INT64_MIN || __builtin_add_overflow(a, b < 0 ? -b : b, &sum);
    return over ? INT64_MAX : sum;
}

/* Describes all tasks. */
static void tasks_describe(const struct linearizable_model *model, struct key_history *key, struct history *history)
{
    struct task *tasks = key->tasks.data;
    key->open_append = key->open_cas = false;
    key->open_incr = 0;
    for (uint32_t at = 0; at < key->task_count; at++) {
        struct task *task = &tasks[at];
        task->demand = task->product = NO_STATE;
        task->passive = false;
        uint8_t function = task->operation->function;
        if (model != NULL) {
            task->passive = model->passive(task->operation);
            continue;
        }
        if (task->operation->outcome == HISTORY_OK) {
            describe(task, history);
            continue;
        }
        if (function == HISTORY_INCR)
            key->open_incr = sum_of_sizes(key->open_incr, task->operation->number);
        key->open_append = key->open_append || function == HISTORY_APPEND;
        key->open_cas = key->open_cas || function == HISTORY_CAS;
    }
}

/* Could open increments, and appends in between, lead from this number to that text? Appended digits multiply by powers
 * of ten, so the text without them differs from the number by no more than all increments together, and a carry. */
static bool may_count(const struct key_history *key, int64_t from, struct span text)
{
    size_t at = text.size > 0 && text.data[0] == '-';
    bool minus = at == 1;
    int64_t number = 0;
    for (; at < text.size && at < 19 && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
        number = number * 10 + (text.data[at] - '0');
        int64_t distance;
        bool far = __builtin_sub_overflow(minus ? -number : number, from, &distance) || distance == INT64_MIN ||
                   (distance < 0 ? -distance : distance) - 1 > key->open_incr;
        if (!far)
            return true;
    }
    return at == 19; /* too long to be computed with */
}

/* Could open appends and increments lead from this value to that? */
static bool may_grow(const struct key_history *key, const struct history *history, uint32_t from, uint32_t to)
{
    struct span begin = intern_span(&history->values, from), end = intern_span(&history->values, to);
    const struct intern_entry *entry = &history->values.entries[from];
    if (key->open_incr > 0 && (begin.size < 2 || (entry->integer && may_count(key, entry->number, end))))
        return true;
    return key->open_append && begin.size < end.size && span_equal(begin, span_of(end.data, begin.size));
}

/* Could an open task that follows be what this pending one needs? */
static bool may_serve(const struct key_history *key, const struct history *history, const struct task *task,
                      uint32_t state)
{
    const struct history_operation *operation = task->operation;
    if (task->demand != NO_STATE)
        return task->demand != KV_NOTHING && may_grow(key, history, state, task->demand);
    switch ((enum history_function)operation->function) {
    case HISTORY_INCR:
    case HISTORY_CAS:
        return true;
    case HISTORY_STRLEN:
    case HISTORY_APPEND:
        return operation->integer >= 0 && (uint64_t)operation->integer >= history->values.entries[state].size;
    case HISTORY_GET:
    case HISTORY_EXISTS:
    case HISTORY_SET:
    case HISTORY_SET_NX:
    case HISTORY_SET_XX:
    case HISTORY_GETSET:
    case HISTORY_DEL:
    case HISTORY_GETDEL:
    case HISTORY_FUNCTION_COUNT:
        break;
    }
    return false; /* these tell nothing from something, and no value from another */
}

bool linearizable_of_use(struct linearizable *checker, struct history *history, const uint64_t *set,
                         const struct deadline *deadline, uint32_t base, uint32_t state)
{
    const struct key_history *key = &checker->key;
    const struct task *tasks = key->tasks.data;
    const uint32_t *pending = (const uint32_t *)key->pending.data + deadline->pending_first;
    if (checker->model != NULL || state == KV_NOTHING || base == KV_NOTHING || key->open_cas)
        return true; /* many more could follow */
    for (uint32_t at = 0; at < deadline->pending_count; at++) {
        const struct task *task = &tasks[pending[at]];
        if (linearizable_set_has(set, task->bit))
            continue;
        uint32_t next, without;
        bool fits = kv_model_apply(history, task->operation, state, &next);
        if (fits && !(kv_model_apply(history, task->operation, base, &without) && without == next))
            return true;
        if ((key->open_append || key->open_incr > 0) && may_serve(key, history, task, state))
            return true;
    }
    return false;
}

/* Puts a task at the head of a list; room was made. */
static void link_push(struct key_history *key, uint32_t *head, uint32_t task)
{
    ((struct link *)key->links.data)[key->link_count] = (struct link){.task = task, .next = *head};
    *head = key->link_count++;
}

/* The demanded states with their observers. Going by deadlines, the latest comes to stand first. */
static void observers_list(struct key_history *key)
{
    const struct task *tasks = key->tasks.data;
    const struct deadline *deadlines = key->deadlines.data;
    struct demand *demands = key->demands.data;
    uint32_t *demand_of = key->demand_of.data;
    for (uint32_t at = 0; at < key->deadline_count; at++) {
        uint32_t state = tasks[deadlines[at].task].demand;
        if (state == NO_STATE)
            continue;
        uint32_t *number = &demand_of[state == KV_NOTHING ? 0 : state + 1];
        if (*number == NO_DEMAND) {
            *number = key->demand_count++;
            demands[*number] = (struct demand){.state = state, .observers = NO_LINK, .producers = NO_LINK};
        }
        link_push(key, &demands[*number].observers, deadlines[at].task);
    }
}

/* The producers: those of one known product at once, the few others by asking each about each state. */
static bool producers_list(struct linearizable *checker, const struct history *history)
{
    struct key_history *key = &checker->key;
    const struct task *tasks = key->tasks.data;
    struct demand *demands = key->demands.data;
    for (uint32_t at = 0; at < key->task_count; at++) {
        if (tasks[at].passive)
            continue;
        if (tasks[at].product != NO_STATE) {
            uint32_t number = linearizable_demand_of(key, tasks[at].product);
            if (number != NO_DEMAND)
                link_push(key, &demands[number].producers, at);
            continue;
        }
        if (!vector_room(checker->heap, &key->links,
                         ((size_t)key->link_count + key->demand_count + key->task_count) * sizeof(struct link)))
            return false;
        for (uint32_t number = 0; number < key->demand_count; number++)
            if (may_produce(history, &tasks[at], demands[number].state))
                link_push(key, &demands[number].producers, at);
    }
    return true;
}

bool linearizable_demands(struct linearizable *checker, struct history *history)
{
    struct key_history *key = &checker->key;
    tasks_describe(checker->model, key, history);
    key->demand_count = key->link_count = 0;
    key->demand_of_count = history->values.count + 1;
    size_t task_count = key->task_count;
    if (!vector_room(checker->heap, &key->demand_of, key->demand_of_count * sizeof(uint32_t)) ||
        !vector_room(checker->heap, &key->demands, (task_count + 1) * sizeof(struct demand)) ||
        !vector_room(checker->heap, &key->links, 2 * (task_count + 1) * sizeof(struct link)))
        return false;
    memset(key->demand_of.data, 0xff, key->demand_of_count * sizeof(uint32_t));
    observers_list(key);
    return checker->model != NULL || producers_list(checker, history);
}
