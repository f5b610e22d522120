/* What real time tells of the versions of a register, when transactions are strictly serializable.
 *
 * A read that returned what W wrote comes before every write that began after W ended; and every write that ended
 * before the read began comes before W. Drawn naively these are as many edges as reads times writes; helpers that stand
 * for the last writes to begin, and the first to end, make it a few for each read. */
#include <stdlib.h>

#include "lab/txn/txn_registers.h"

struct key_time {
    struct registers *registers;
    const uint32_t *begun; /* writers in the order in which they began */
    uint32_t *ended;       /* in which they ended, those that did */
    uint32_t begun_count, ended_count;
    uint32_t suffix, prefix; /* the first of the helpers, one a writer */
};

static const struct txn *txn_at(const struct key_time *time, uint32_t txn)
{
    return &time->registers->history->txns[txn];
}

/* The first writer that began after this place. */
static uint32_t first_begun_after(const struct key_time *time, uint32_t place)
{
    uint32_t low = 0, high = time->begun_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (txn_at(time, time->begun[middle])->invoked > place)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* How many writers ended before this place. */
static uint32_t ended_before(const struct key_time *time, uint32_t place)
{
    uint32_t low = 0, high = time->ended_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (txn_at(time, time->ended[middle])->completed >= place)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Of writer i on: suffix + i; of the writers up to i: prefix + i. */
static void draw_helpers(struct key_time *time)
{
    struct txn_graph *graph = &time->registers->graph;
    time->suffix = graph->node_count;
    graph->node_count += time->begun_count;
    time->prefix = graph->node_count;
    graph->node_count += time->ended_count;
    for (uint32_t at = 0; at < time->begun_count; at++) {
        txn_graph_add(graph, time->suffix + at, time->begun[at], EDGE_RW);
        if (at > 0)
            txn_graph_add(graph, time->suffix + at - 1, time->suffix + at, EDGE_RW);
    }
    for (uint32_t at = 0; at < time->ended_count; at++) {
        txn_graph_add(graph, time->ended[at], time->prefix + at, EDGE_TIME);
        if (at > 0)
            txn_graph_add(graph, time->prefix + at - 1, time->prefix + at, EDGE_TIME);
    }
}

/* The reader comes before all writers that began after the source ended. */
static void draw_later(struct key_time *time, uint32_t reader, uint32_t source)
{
    struct txn_graph *graph = &time->registers->graph;
    uint32_t from = first_begun_after(time, txn_at(time, source)->completed);
    /* The reader itself may be one of them, and must not follow itself. */
    uint32_t own = first_begun_after(time, txn_at(time, reader)->invoked) - 1;
    if (own < time->begun_count && time->begun[own] == reader && own >= from) {
        for (uint32_t at = from; at < own; at++)
            txn_graph_add(graph, reader, time->begun[at], EDGE_RW);
        from = own + 1;
    }
    if (from < time->begun_count)
        txn_graph_add(graph, reader, time->suffix + from, EDGE_RW);
}

/* All writers that ended before the reader began come before the source. */
static void draw_earlier(struct key_time *time, uint32_t reader, uint32_t source)
{
    struct txn_graph *graph = &time->registers->graph;
    uint32_t count = ended_before(time, txn_at(time, reader)->invoked);
    uint32_t own = count;
    if (txn_at(time, source)->completed != RECORD_NEVER)
        own = ended_before(time, txn_at(time, source)->completed);
    if (own >= count) {
        if (count > 0)
            txn_graph_add(graph, time->prefix + count - 1, source, EDGE_TIME);
        return;
    }
    if (own > 0)
        txn_graph_add(graph, time->prefix + own - 1, source, EDGE_TIME);
    /* Those that ended between are mostly the few that overlap the source. One that began after it contradicts it
     * already by the other rule, and there may be many. */
    for (uint32_t at = own + 1; at < count; at++) {
        if (txn_at(time, time->ended[at])->invoked > txn_at(time, source)->completed)
            return;
        txn_graph_add(graph, time->ended[at], source, EDGE_TIME);
    }
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Lists the writers that ended, in that order; `keys` is room for sorting. */
static void list_ended(struct key_time *time, uint64_t *keys)
{
    for (uint32_t at = 0; at < time->begun_count; at++) {
        uint32_t completed = txn_at(time, time->begun[at])->completed;
        if (completed != RECORD_NEVER)
            keys[time->ended_count++] = (uint64_t)completed << 32 | time->begun[at];
    }
    qsort(keys, time->ended_count, sizeof *keys, by_number);
    for (uint32_t at = 0; at < time->ended_count; at++)
        time->ended[at] = (uint32_t)keys[at];
}

static void draw_key(struct registers *registers, uint32_t key, uint32_t *ended, uint64_t *keys)
{
    const struct txn_history *history = registers->history;
    struct key_time time = {.registers = registers,
                            .begun = registers->writers + registers->writer_first[key],
                            .begun_count = registers->writer_first[key + 1] - registers->writer_first[key],
                            .ended = ended};
    list_ended(&time, keys);
    draw_helpers(&time);
    for (uint32_t at = registers->read_first[key]; at < registers->read_first[key + 1]; at++) {
        uint32_t micro = registers->reads[at], source = registers->source[micro];
        if (source == TXN_NONE)
            continue;
        draw_later(&time, history->micros[micro].txn, history->micros[source].txn);
        draw_earlier(&time, history->micros[micro].txn, history->micros[source].txn);
    }
}

void txn_registers_time(struct registers *registers)
{
    uint32_t *ended = txn_take(registers->arena, registers->history->txn_count, sizeof *ended);
    uint64_t *keys = txn_take(registers->arena, registers->history->txn_count, sizeof *keys);
    for (uint32_t key = 0; ended != NULL && keys != NULL && key < registers->history->key_count; key++)
        draw_key(registers, key, ended, keys);
}
