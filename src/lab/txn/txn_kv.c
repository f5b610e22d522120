/* Transactions on a map of keys to values.
 *
 * Where values are written once, reads tell who wrote them, and the checks of registers and of lists apply. Else a
 * value may come from several writes, and only an order of all transactions explains a history: it is searched, with
 * the contents of the map as part of the state. A key holds a value, or what was appended to it,
 * which reads show as a list, or as one text. */
#include <string.h>

#include "base/number.h"
#include "lab/txn/txn_internal.h"

#define WORK_DEFAULT UINT64_C(5000000)
#define NOTHING 0

/* What a key can hold: states are numbered, each one is a state before it with a value appended, or a put value. */
struct state {
    uint32_t before; /* + 0: a put value on its own; NOTHING: the first of a list */
    uint32_t value;
    uint32_t length; /* of a list; 0: a put value */
};

struct kv {
    const struct txn_history *history;
    struct txn_arena *arena;
    uint32_t *txns;    /* of the items */
    struct state *states;
    uint32_t state_count, state_capacity;
    uint32_t *current; /* by key */
    uint32_t *undo;    /* by micro-operation */
};

static uint32_t state_of(struct kv *kv, uint32_t before, uint32_t value, uint32_t length)
{
    for (uint32_t at = 1; at < kv->state_count; at++)
        if (kv->states[at].before == before && kv->states[at].value == value && kv->states[at].length == length)
            return at;
    if (kv->state_count == kv->state_capacity) {
        struct state *states = txn_take(kv->arena, (size_t)kv->state_capacity * 2, sizeof *states);
        if (states == NULL)
            return NOTHING;
        memcpy(states, kv->states, kv->state_count * sizeof *states);
        kv->states = states;
        kv->state_capacity *= 2;
    }
    kv->states[kv->state_count] = (struct state){before, value, length};
    return kv->state_count++;
}

/* An append to a put value makes a list of both. */
static uint32_t appended(struct kv *kv, uint32_t before, uint32_t value)
{
    if (before != NOTHING && kv->states[before].length == 0)
        before = state_of(kv, NOTHING, kv->states[before].value, 1);
    return state_of(kv, before, value, before == NOTHING ? 1 : kv->states[before].length + 1);
}

/* The bytes of a text, or of a whole number as it is written; false for what has none. */
static bool bytes_of(const struct record *record, uint32_t value, char room[NUMBER_INTEGER_SIZE_MAX], struct span *out)
{
    enum value_kind kind = record_kind(record, value);
    if (kind == VALUE_TEXT)
        *out = record_text_of(record, value);
    else if (kind == VALUE_INTEGER)
        *out = span_of(room, number_print_i64(room, record_integer_of(record, value)));
    return kind == VALUE_TEXT || kind == VALUE_INTEGER;
}

/* Is the value what the appended texts of a list make together, as in a store of strings? */
static bool reads_joined(const struct kv *kv, uint32_t state, uint32_t value)
{
    char rooms[2][NUMBER_INTEGER_SIZE_MAX];
    struct span left, tail;
    if (!bytes_of(kv->history->record, value, rooms[0], &left))
        return false;
    for (uint32_t length = kv->states[state].length; length-- > 0; state = kv->states[state].before) {
        if (!bytes_of(kv->history->record, kv->states[state].value, rooms[1], &tail) || tail.size > left.size ||
            !span_equal(span_of(left.data + left.size - tail.size, tail.size), tail))
            return false;
        left.size -= tail.size;
    }
    return left.size == 0;
}

static bool reads_state(const struct kv *kv, uint32_t state, uint32_t value)
{
    const struct record *record = kv->history->record;
    if (state == NOTHING)
        return value == VALUE_NONE ||
               (record_kind(record, value) == VALUE_LIST && record_size_of(record, value) == 0);
    if (value == VALUE_NONE)
        return false;
    if (kv->states[state].length == 0)
        return kv->states[state].value == value;
    if (record_kind(record, value) != VALUE_LIST)
        return reads_joined(kv, state, value);
    if (record_size_of(record, value) != kv->states[state].length)
        return false;
    for (uint32_t at = kv->states[state].length; at-- > 0; state = kv->states[state].before)
        if (record_elements_of(record, value)[at] != kv->states[state].value)
            return false;
    return true;
}

static void undo(struct kv *kv, const struct txn *txn, uint32_t count)
{
    const struct txn_micro *micros = kv->history->micros + txn->first;
    while (count-- > 0)
        kv->current[micros[count].key] = kv->undo[txn->first + count];
}

static bool enter(void *context, uint32_t item)
{
    struct kv *kv = context;
    const struct txn *txn = &kv->history->txns[kv->txns[item]];
    const struct txn_micro *micros = kv->history->micros + txn->first;
    for (uint32_t at = 0; at < txn->count; at++) {
        uint32_t *current = &kv->current[micros[at].key];
        kv->undo[txn->first + at] = *current;
        if (micros[at].function == TXN_WRITE)
            *current = state_of(kv, NOTHING, micros[at].value, 0);
        else if (micros[at].function == TXN_APPEND)
            *current = appended(kv, *current, micros[at].value);
        else if (micros[at].known && !reads_state(kv, *current, micros[at].value)) {
            undo(kv, txn, at);
            return false;
        }
    }
    return true;
}

static void leave(void *context, uint32_t item)
{
    struct kv *kv = context;
    const struct txn *txn = &kv->history->txns[kv->txns[item]];
    undo(kv, txn, txn->count);
}

static bool harmless(const void *context, uint32_t item)
{
    const struct kv *kv = context;
    const struct txn *txn = &kv->history->txns[kv->txns[item]];
    for (uint32_t at = 0; at < txn->count; at++)
        if (kv->history->micros[txn->first + at].function != TXN_READ)
            return false;
    return true;
}

static uint32_t state_words(const void *context, uint64_t *out)
{
    const struct kv *kv = context;
    for (uint32_t key = 0; key < kv->history->key_count; key++)
        out[key] = kv->current[key];
    return kv->history->key_count;
}

/* Analyses by search alone. */
static void analyse(struct txn_history *history, enum txn_level level, const struct verdict_bounds *bounds,
                    struct txn_finding *finding)
{
    struct txn_arena *arena = history->arena;
    struct kv kv = {.history = history, .arena = arena, .state_count = 1, .state_capacity = 64};
    *finding = (struct txn_finding){.result = TXN_STUCK};
    kv.states = txn_take(arena, kv.state_capacity, sizeof *kv.states);
    kv.current = txn_take(arena, history->key_count, sizeof(uint32_t));
    kv.undo = txn_take(arena, history->micro_count, sizeof(uint32_t));
    kv.txns = txn_take(arena, history->txn_count, sizeof(uint32_t));
    uint32_t *invoked = txn_take(arena, history->txn_count, sizeof *invoked), count = 0;
    uint32_t *completed = txn_take(arena, history->txn_count, sizeof *completed);
    uint32_t *order = txn_take(arena, history->txn_count, sizeof *order);
    bool *optional = txn_take(arena, history->txn_count, sizeof *optional);
    for (uint32_t txn = 0; !arena->full && txn < history->txn_count; txn++) {
        if (history->txns[txn].outcome == RECORD_FAIL)
            continue;
        kv.txns[count] = txn;
        invoked[count] = history->txns[txn].invoked;
        completed[count] = history->txns[txn].completed;
        optional[count++] = history->txns[txn].outcome == RECORD_INFO;
    }
    struct txn_search search = {.model = &kv,
                                .enter = enter,
                                .leave = leave,
                                .harmless = harmless,
                                .state = state_words,
                                .state_words = history->key_count,
                                .item_count = count,
                                .invoked = invoked,
                                .completed = level == TXN_STRICT_SERIALIZABLE ? completed : NULL,
                                .optional = optional,
                                .bounds = bounds,
                                .work_default = WORK_DEFAULT,
                                .order = order};
    enum txn_search_end end = arena->full ? TXN_SEARCH_MEMORY : txn_search_run(&search, arena);
    if (arena->full)
        end = TXN_SEARCH_MEMORY;
    finding->work = search.work;
    if (end == TXN_SEARCH_FOUND) {
        for (uint32_t at = 0; at < search.order_count; at++) {
            order[at] = kv.txns[order[at]];
            history->txns[order[at]].happened = true;
        }
        txn_fine(finding, history, order, search.order_count);
    } else if (end == TXN_SEARCH_NONE) {
        txn_found(finding, history, "no serial order", kv.txns, count,
                  "and the rest of the counter-history (%u in all): in no order does every read fit", (unsigned)count);
    } else
        txn_stuck(finding,
                  "values are not written once, so an order was searched for, and %s; write values once, allow more, "
                  "or check a shorter history",
                  txn_search_end_text(end));
}

static bool has_function(const struct txn_history *history, enum txn_function function)
{
    for (uint32_t at = 0; at < history->micro_count; at++)
        if (history->micros[at].function == function)
            return true;
    return false;
}

void txn_check_kv(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                  struct heap *heap, struct verdict *verdict)
{
    static const struct verdict_bounds none = {0};
    static const struct txn_names all = {
        .read = {"r", "read", "get"}, .append = {NULL, "append"}, .write = {"w", "write", "put"}, .single = true};
    static const struct txn_names lists = {.read = {"r", "read", "get"}, .append = {"append"}, .single = true};
    struct txn_arena arena = {.heap = heap};
    struct txn_history history, of_lists;
    char reason[VERDICT_REASON_SIZE];
    bool twice = false, fits = txn_history_read(&history, record, &all, &arena, &twice, reason, sizeof reason);
    bool appends = (fits || twice) && has_function(&history, TXN_APPEND), serial = level != TXN_SNAPSHOT_ISOLATION;
    serial &= txn_level_is_at_least_repeatable(level);
    bounds = bounds == NULL ? &none : bounds;
    if (!fits && !twice)
        txn_verdict_unknown(verdict, "%s", reason);
    else if (fits && !appends)
        txn_conclude(&history, txn_analyse_registers, level, bounds, heap, verdict);
    else if (fits && !has_function(&history, TXN_WRITE) &&
             txn_history_read(&of_lists, record, &lists, &arena, NULL, reason, sizeof reason))
        txn_conclude(&of_lists, txn_analyse_lists, level, bounds, heap, verdict);
    else if (!serial)
        txn_verdict_unknown(verdict, "values are not written once, or puts and appends are mixed; only the "
                                     "serializable levels can be checked then");
    else {
        history.keep_writers = true;
        txn_conclude(&history, analyse, level, bounds, heap, verdict);
    }
    txn_arena_free(&arena);
}
