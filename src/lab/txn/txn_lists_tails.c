/* Under snapshot isolation two writers of a key must not overlap, and nobody saw in which order those were whose
 * appends nobody read. An order of starts and commits is found without that rule, first one that respects real time,
 * where few overlap. Where two do, one is made to come before the other, the way round that closes no cycle, and the
 * order is found anew. When both ways close one, or it takes too long, the verdict is unknown: this is a greedy choice,
 * and another might have done.
 *
 * A new edge leads back by some places of the order. Only what lies between can close a cycle with it, so several edges
 * can be chosen at once when these stretches do not touch. */
#include <stdlib.h>

#include "lab/txn/txn_lists.h"

enum { ROUNDS_MAX = 200 };
#define ROUNDS_WORK_MAX UINT64_C(400000000)

struct tails {
    struct lists *lists;
    uint32_t *place; /* by inner node: in the order */
    uint8_t *taken;  /* by place: part of a stretch of this round */
    uint64_t *keys;  /* room for sorting the writers of a key */
    uint32_t *stamp, *queue; /* by inner node */
    uint32_t generation;
    uint32_t overlaps, added; /* of this round */
    uint64_t work;
    bool by_end; /* of two that overlap, the one that ended earlier is tried first; else the one that commits earlier */
};

static uint32_t start_of(const struct tails *tails, uint32_t txn)
{
    return tails->place[txn * 2];
}

static uint32_t commit_of(const struct tails *tails, uint32_t txn)
{
    return tails->place[txn * 2 + 1];
}

static void visit(struct tails *tails, uint32_t node, uint32_t *count)
{
    if (tails->stamp[node] == tails->generation)
        return;
    tails->stamp[node] = tails->generation;
    tails->queue[(*count)++] = node;
}

/* Does the start of one transaction lead to the commit of another? */
static bool leads_to(struct tails *tails, uint32_t from, uint32_t to)
{
    const struct txn_graph *graph = &tails->lists->graph;
    uint32_t count = 0, end = commit_of(tails, to);
    tails->generation++;
    visit(tails, from * 2, &count);
    for (uint32_t head = 0; head < count; head++) {
        uint32_t node = tails->queue[head];
        if (node == to * 2 + 1)
            return true;
        for (uint32_t at = graph->starts[node]; at < graph->starts[node + 1]; at++)
            if (tails->place[graph->targets[at] >> 2] <= end)
                visit(tails, graph->targets[at] >> 2, &count);
        tails->work += graph->starts[node + 1] - graph->starts[node] + 1;
    }
    return false;
}

/* Takes the stretch that an edge leads back, unless it touches another one. */
static bool take(struct tails *tails, uint32_t first, uint32_t second)
{
    uint32_t from = start_of(tails, second), to = commit_of(tails, first);
    for (uint32_t place = from; place <= to; place++)
        if (tails->taken[place] != 0)
            return false;
    for (uint32_t place = from; place <= to; place++)
        tails->taken[place] = 1;
    if (to > from)
        tails->work += to - from;
    return true;
}

/* Decides which of two that overlap comes first; false when neither can. */
static bool separate_pair(struct tails *tails, uint32_t first, uint32_t second)
{
    const struct txn *txns = tails->lists->history->txns;
    uint32_t swap = first;
    if (tails->by_end && txns[second].completed < txns[first].completed) {
        first = second;
        second = swap;
    }
    if (leads_to(tails, second, first)) {
        swap = first;
        first = second;
        second = swap;
        if (leads_to(tails, second, first))
            return false;
    }
    if (take(tails, first, second)) {
        txn_graph_add(&tails->lists->graph, first, second, EDGE_WW);
        tails->added++;
    }
    return true;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static bool separate_key(struct tails *tails, uint32_t key)
{
    const struct lists *lists = tails->lists;
    const uint32_t *writers = lists->tail_writers + lists->tail_writer_first[key];
    uint32_t count = lists->tail_writer_first[key + 1] - lists->tail_writer_first[key];
    for (uint32_t at = 0; at < count; at++)
        tails->keys[at] = (uint64_t)commit_of(tails, writers[at]) << 32 | writers[at];
    qsort(tails->keys, count, sizeof *tails->keys, by_number);
    for (uint32_t at = 0; at + 1 < count; at++) {
        uint32_t first = (uint32_t)tails->keys[at], second = (uint32_t)tails->keys[at + 1];
        if (commit_of(tails, first) < start_of(tails, second))
            continue;
        tails->overlaps++;
        if (!separate_pair(tails, first, second))
            return false;
    }
    return true;
}

/* Finds the order of the graph as it is now, with memory of this round. */
static bool order_anew(struct tails *tails, struct txn_arena *round)
{
    struct txn_graph *graph = &tails->lists->graph;
    txn_arena_free(round);
    graph->arena = round;
    bool ordered = txn_graph_close(graph, true);
    uint32_t count = graph->inner_count;
    struct txn_components components = {.order = txn_take(round, count, sizeof(uint32_t)),
                                        .component = txn_take(round, count, sizeof(uint32_t))};
    tails->place = txn_take(round, count, sizeof(uint32_t));
    tails->taken = txn_take(round, count, 1);
    tails->stamp = txn_take(round, count, sizeof(uint32_t));
    tails->queue = txn_take(round, count, sizeof(uint32_t));
    tails->generation = 0;
    ordered = ordered && !round->full &&
              txn_graph_components(graph, txn_level_kinds(tails->lists->level), &components) && !components.cyclic;
    graph->arena = tails->lists->arena;
    for (uint32_t at = 0; ordered && at < count; at++)
        tails->place[components.order[at]] = count - 1 - at;
    tails->work += graph->edge_count;
    return ordered;
}

/* Rounds until nothing overlaps. */
static bool separate_all(struct tails *tails, struct txn_arena *round)
{
    uint64_t work_max = tails->work + ROUNDS_WORK_MAX;
    for (int rounds = 0; rounds < ROUNDS_MAX && tails->work < work_max; rounds++) {
        if (!order_anew(tails, round))
            return false;
        tails->overlaps = tails->added = 0;
        for (uint32_t key = 0; key < tails->lists->history->key_count; key++)
            if (!separate_key(tails, key))
                return false;
        if (tails->overlaps == 0)
            return true;
        if (tails->added == 0)
            return false;
    }
    return false;
}

/* Writes the order down: transactions, each at its start and at its commit. */
static bool write_order(const struct tails *tails, struct txn_arena *round, uint32_t *order)
{
    const struct txn_graph *graph = &tails->lists->graph;
    uint32_t *node_at = txn_take(round, graph->inner_count, sizeof *node_at), count = 0;
    if (node_at == NULL)
        return false;
    for (uint32_t node = 0; node < graph->inner_count; node++)
        node_at[tails->place[node]] = node;
    for (uint32_t place = 0; place < graph->inner_count; place++)
        if (node_at[place] < graph->txn_count * 2)
            order[count++] = node_at[place] / 2;
    return true;
}

bool txn_lists_order_tails(struct lists *lists, uint32_t *order)
{
    struct tails tails = {.lists = lists};
    struct txn_graph *graph = &lists->graph;
    struct txn_arena round = {.heap = lists->arena->heap};
    size_t edges = graph->edge_count;
    uint32_t nodes = graph->node_count;
    tails.keys = txn_take(lists->arena, lists->history->txn_count, sizeof(uint64_t));
    bool done = false;
    for (int attempt = 0; attempt < 4 && !done && !lists->arena->full; attempt++) {
        graph->edge_count = edges;
        graph->node_count = nodes;
        if (attempt < 2)
            txn_graph_time(graph, lists->history);
        tails.by_end = attempt % 2 == 1;
        done = !lists->arena->full && separate_all(&tails, &round) && write_order(&tails, &round, order);
    }
    lists->arena->full |= round.full;
    txn_arena_free(&round);
    return done;
}
