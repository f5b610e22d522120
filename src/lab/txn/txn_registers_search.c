/* The search for an order of transactions on registers, serial or of starts and commits.
 *
 * A transaction can be next when each of its reads sees what is there, and no other transaction still has to read what
 * it would overwrite. Starts and commits are the same, apart: a start reads and takes its keys for writing, so that of
 * two writers of a key the second starts after the first has committed; a commit writes. */
#include <string.h>

#include "lab/txn/txn_registers.h"

/* Where a bound is not given. */
#define WORK_DEFAULT UINT64_C(20000000)
#define WORK_DEFAULT_EACH UINT64_C(200) /* a transaction */

struct model {
    struct registers *registers;
    const struct txn_history *history;
    uint32_t *items; /* transaction * 2, + 1 for its commit when these are apart */
    bool split;
    uint32_t *current;  /* by key: the write that is there, + 1; 0: none */
    uint32_t *replaced; /* by write: what was there before it */
    uint32_t *waiting;  /* by write: transactions that must still read it; behind those by key: of nothing */
    bool *locked;       /* by key */
    bool *started;      /* by transaction */
};

static uint32_t *waiting_for(const struct model *model, uint32_t key, uint32_t version)
{
    return &model->waiting[version == 0 ? model->history->micro_count + key : version - 1];
}

static bool outer_read(const struct txn_micro *micro)
{
    return micro->function == TXN_READ && micro->known && !micro->internal;
}

/* The version that a read wants. */
static uint32_t wanted(const struct model *model, const struct txn_micro *read)
{
    uint32_t source = model->registers->source[read - model->history->micros];
    return source == TXN_NONE ? 0 : source + 1;
}

static bool can_read(const struct model *model, const struct txn *txn)
{
    const struct txn_micro *micros = model->history->micros + txn->first;
    for (uint32_t at = 0; at < txn->count; at++) {
        if (outer_read(&micros[at]) && model->current[micros[at].key] != wanted(model, &micros[at]))
            return false;
        if (model->split && micros[at].final && model->locked[micros[at].key])
            return false;
    }
    return true;
}

/* Counts the transaction's reads as done, or as waiting again. */
static void count_reads(struct model *model, const struct txn *txn, bool done)
{
    const struct txn_micro *micros = model->history->micros + txn->first;
    for (uint32_t at = 0; at < txn->count; at++) {
        if (outer_read(&micros[at])) {
            uint32_t *waiting = waiting_for(model, micros[at].key, wanted(model, &micros[at]));
            *waiting = done ? *waiting - 1 : *waiting + 1;
        }
        if (model->split && micros[at].final)
            model->locked[micros[at].key] = done;
    }
}

static bool can_write(const struct model *model, const struct txn *txn)
{
    const struct txn_micro *micros = model->history->micros + txn->first;
    for (uint32_t at = 0; at < txn->count; at++)
        if (micros[at].final && *waiting_for(model, micros[at].key, model->current[micros[at].key]) != 0)
            return false;
    return true;
}

static void write(struct model *model, const struct txn *txn)
{
    const struct txn_micro *micros = model->history->micros + txn->first;
    for (uint32_t at = 0; at < txn->count; at++) {
        if (!micros[at].final)
            continue;
        model->replaced[txn->first + at] = model->current[micros[at].key];
        model->current[micros[at].key] = txn->first + at + 1;
        if (model->split)
            model->locked[micros[at].key] = false;
    }
}

static void unwrite(struct model *model, const struct txn *txn)
{
    const struct txn_micro *micros = model->history->micros + txn->first;
    for (uint32_t at = 0; at < txn->count; at++) {
        if (!micros[at].final)
            continue;
        model->current[micros[at].key] = model->replaced[txn->first + at];
        if (model->split)
            model->locked[micros[at].key] = true;
    }
}

static bool enter(void *context, uint32_t item)
{
    struct model *model = context;
    uint32_t number = model->items[item] / 2;
    const struct txn *txn = &model->history->txns[number];
    bool commit = (model->items[item] & 1) != 0;
    if (commit) {
        if (!model->started[number] || !can_write(model, txn))
            return false;
        write(model, txn);
        return true;
    }
    if (!can_read(model, txn))
        return false;
    count_reads(model, txn, true);
    if (model->split) {
        model->started[number] = true;
        return true;
    }
    if (!can_write(model, txn)) {
        count_reads(model, txn, false);
        return false;
    }
    write(model, txn);
    return true;
}

static void leave(void *context, uint32_t item)
{
    struct model *model = context;
    uint32_t number = model->items[item] / 2;
    const struct txn *txn = &model->history->txns[number];
    if ((model->items[item] & 1) != 0 || !model->split)
        unwrite(model, txn);
    if ((model->items[item] & 1) == 0)
        count_reads(model, txn, false);
    if (model->split && (model->items[item] & 1) == 0)
        model->started[number] = false;
}

/* Who only reads disturbs nobody. */
static bool harmless(const void *context, uint32_t item)
{
    const struct model *model = context;
    const struct txn *txn = &model->history->txns[model->items[item] / 2];
    for (uint32_t at = 0; at < txn->count; at++)
        if (model->history->micros[txn->first + at].final)
            return false;
    return true;
}

static bool model_begin(struct model *model, struct registers *registers, bool split)
{
    const struct txn_history *history = registers->history;
    struct txn_arena *arena = registers->arena;
    *model = (struct model){.registers = registers, .history = history, .split = split};
    model->items = txn_take(arena, (size_t)history->txn_count * 2, sizeof(uint32_t));
    model->current = txn_take(arena, history->key_count, sizeof(uint32_t));
    model->replaced = txn_take(arena, history->micro_count, sizeof(uint32_t));
    model->waiting = txn_take(arena, (size_t)history->micro_count + history->key_count, sizeof(uint32_t));
    model->locked = txn_take(arena, history->key_count, sizeof(bool));
    model->started = txn_take(arena, history->txn_count, sizeof(bool));
    for (uint32_t at = 0; !arena->full && at < history->micro_count; at++)
        if (outer_read(&history->micros[at]))
            ++*waiting_for(model, history->micros[at].key, wanted(model, &history->micros[at]));
    return !arena->full;
}

/* Items in the order of invocation; a commit lies next to its start. */
static uint32_t list_items(struct model *model)
{
    const struct txn_history *history = model->history;
    uint32_t count = 0;
    for (uint32_t txn = 0; txn < history->txn_count; txn++) {
        if (!history->txns[txn].happened)
            continue;
        model->items[count++] = txn * 2;
        if (model->split)
            model->items[count++] = txn * 2 + 1;
    }
    return count;
}

/* One search; the order of transactions goes to `order`. */
static enum txn_search_end attempt(struct registers *registers, bool split, bool realtime,
                                   const struct verdict_bounds *bounds, uint32_t *order, uint32_t *count)
{
    struct txn_arena *arena = registers->arena;
    const struct txn_history *history = registers->history;
    struct model model;
    if (!model_begin(&model, registers, split))
        return TXN_SEARCH_MEMORY;
    uint32_t item_count = list_items(&model);
    uint32_t *invoked = txn_take(arena, item_count, sizeof *invoked);
    uint32_t *completed = txn_take(arena, item_count, sizeof *completed);
    if (arena->full)
        return TXN_SEARCH_MEMORY;
    for (uint32_t item = 0; item < item_count; item++) {
        invoked[item] = history->txns[model.items[item] / 2].invoked;
        completed[item] = history->txns[model.items[item] / 2].completed;
    }
    struct txn_search search = {.model = &model,
                                .enter = enter,
                                .leave = leave,
                                .harmless = harmless,
                                .item_count = item_count,
                                .invoked = invoked,
                                .completed = realtime ? completed : NULL,
                                .bounds = bounds,
                                .work_default = WORK_DEFAULT + history->txn_count * WORK_DEFAULT_EACH,
                                .order = order};
    enum txn_search_end end = txn_search_run(&search, arena);
    registers->finding->work += search.work;
    for (uint32_t at = 0; at < search.order_count; at++)
        order[at] = model.items[order[at]] / 2;
    *count = search.order_count;
    return end;
}

static void found_none(struct registers *registers)
{
    struct txn_history *history = registers->history;
    uint32_t *txns = txn_take(registers->arena, history->txn_count, sizeof *txns), count = 0;
    for (uint32_t txn = 0; txns != NULL && txn < history->txn_count; txn++)
        if (history->txns[txn].happened)
            txns[count++] = txn;
    if (txns == NULL)
        return;
    const char *anomaly = "G2-item";
    if (registers->level == TXN_SNAPSHOT_ISOLATION)
        anomaly = "G-nonadjacent";
    if (registers->level == TXN_STRICT_SERIALIZABLE)
        anomaly = "G2-item-realtime";
    txn_found(registers->finding, history, anomaly, txns, count,
              "and the %u others of the counter-history: whichever way the writes of each key are ordered, there is a "
              "cycle",
              (unsigned)count - 1);
}

void txn_registers_search(struct registers *registers, uint32_t *order)
{
    bool split = registers->level == TXN_SNAPSHOT_ISOLATION, strict = registers->level == TXN_STRICT_SERIALIZABLE;
    uint32_t count = 0;
    /* A strictly serial order does for all levels, and is quickly found when there is one: real time keeps the search
     * near to where it stands. So does an order of starts and commits between invocation and end. */
    struct verdict_bounds brief = *registers->bounds;
    uint64_t few = WORK_DEFAULT / 4 + registers->history->txn_count * WORK_DEFAULT_EACH;
    if (!strict && (brief.work_max == 0 || brief.work_max > few))
        brief.work_max = few;
    enum txn_search_end end = attempt(registers, false, true, &brief, order, &count);
    if (end == TXN_SEARCH_FOUND && split) {
        for (uint32_t at = count; at-- > 0;)
            order[2 * at] = order[2 * at + 1] = order[at];
        count *= 2;
    }
    if (end != TXN_SEARCH_FOUND && split)
        end = attempt(registers, true, true, &brief, order, &count);
    if (end != TXN_SEARCH_FOUND && !strict)
        end = attempt(registers, split, false, registers->bounds, order, &count);
    if (end == TXN_SEARCH_FOUND)
        txn_fine(registers->finding, registers->history, order, count);
    else if (end == TXN_SEARCH_NONE)
        found_none(registers);
    else
        txn_stuck(registers->finding,
                  "no cycle was found, and in the search for an order %s; allow more, or check a shorter history",
                  txn_search_end_text(end));
}
