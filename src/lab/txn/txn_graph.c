/* The graph of dependencies: edges are collected, then laid out as lists of successors, then searched for components by
 * Tarjan's algorithm ("Depth-first search and linear graph algorithms", SIAM Journal on Computing 1972), with a stack
 * of its own instead of recursion.
 *
 * In the graph for snapshot isolation a transaction is two nodes, start and commit. What depends on a transaction
 * starts after its commit; what it did not see commits after its start. So two anti-dependencies in a row never join,
 * and a cycle of that graph is one without adjacent anti-dependencies. */
#include "lab/txn/txn_internal.h"

#include <string.h>

void txn_graph_begin(struct txn_graph *graph, uint32_t txn_count, struct txn_arena *arena)
{
    *graph = (struct txn_graph){.arena = arena, .txn_count = txn_count, .node_count = txn_count};
}

uint32_t txn_graph_helper(struct txn_graph *graph)
{
    return graph->node_count++;
}

void txn_graph_add(struct txn_graph *graph, uint32_t from, uint32_t to, enum txn_edge_kind kind)
{
    if (from == to || graph->arena->full)
        return;
    if (graph->edge_count == graph->edge_capacity) {
        size_t capacity = graph->edge_capacity == 0 ? 64 + (size_t)graph->txn_count * 2 : graph->edge_capacity * 2;
        struct txn_edge *edges = txn_take(graph->arena, capacity, sizeof *edges);
        if (edges == NULL)
            return;
        if (graph->edge_count > 0)
            memcpy(edges, graph->edges, graph->edge_count * sizeof *edges);
        graph->edges = edges;
        graph->edge_capacity = capacity;
    }
    graph->edges[graph->edge_count++] = (struct txn_edge){.from = from, .to = to, .kind = kind};
}

/* ---- many edges by few ---- */

/* Orders transactions that happened by their ends: place in the order of events -> transaction + 1. */
static uint32_t *ends_by_place(const struct txn_history *history, struct txn_arena *arena)
{
    uint32_t *at = txn_take(arena, (size_t)history->record->event_count + 1, sizeof *at);
    for (uint32_t txn = 0; at != NULL && txn < history->txn_count; txn++)
        if (history->txns[txn].happened && history->txns[txn].completed != RECORD_NEVER)
            at[history->txns[txn].completed] = txn + 1;
    return at;
}

void txn_graph_time(struct txn_graph *graph, const struct txn_history *history)
{
    uint32_t *end_at = ends_by_place(history, graph->arena);
    if (end_at == NULL)
        return;
    uint32_t link = TXN_NONE, place = 0;
    bool used = true; /* something was invoked since the link was made, so later ends need another */
    for (uint32_t txn = 0; txn < history->txn_count; txn++) {
        if (!history->txns[txn].happened)
            continue;
        for (; place < history->txns[txn].invoked; place++) {
            if (end_at[place] == 0)
                continue;
            if (used) {
                uint32_t next = txn_graph_helper(graph);
                if (link != TXN_NONE)
                    txn_graph_add(graph, link, next, EDGE_TIME);
                link = next;
                used = false;
            }
            txn_graph_add(graph, end_at[place] - 1, link, EDGE_TIME);
        }
        if (link != TXN_NONE)
            txn_graph_add(graph, link, txn, EDGE_TIME);
        used = true;
    }
}

void txn_graph_unordered(struct txn_graph *graph, uint32_t before, const uint32_t *readers, uint32_t reader_count,
                         const uint32_t *writers, uint32_t writer_count, uint8_t *marks)
{
    if (writer_count == 0)
        return;
    uint32_t after_read = txn_graph_helper(graph), after_write = txn_graph_helper(graph);
    for (uint32_t at = 0; at < writer_count; at++) {
        marks[writers[at]] = 1;
        txn_graph_add(graph, after_read, writers[at], EDGE_RW);
        txn_graph_add(graph, after_write, writers[at], EDGE_WW);
    }
    if (before != TXN_NONE && marks[before] == 0)
        txn_graph_add(graph, before, after_write, EDGE_WW);
    for (uint32_t at = 0; before != TXN_NONE && marks[before] != 0 && at < writer_count; at++)
        txn_graph_add(graph, before, writers[at], EDGE_WW);
    /* A reader that is a writer too comes before all the others; the helper would lead back to itself. Two such cannot
     * both be right, whichever came first: the update of one is lost. */
    uint32_t first = TXN_NONE;
    for (uint32_t at = 0; at < reader_count; at++) {
        uint32_t reader = readers[at];
        if (marks[reader] == 0) {
            txn_graph_add(graph, reader, after_read, EDGE_RW);
        } else if (first == TXN_NONE) {
            first = reader;
            for (uint32_t writer = 0; writer < writer_count; writer++) {
                txn_graph_add(graph, reader, writers[writer], EDGE_RW);
                if (graph->atomic)
                    txn_graph_add(graph, reader, writers[writer], EDGE_WW);
            }
        } else if (reader != first) {
            txn_graph_add(graph, reader, first, EDGE_RW);
        }
    }
    for (uint32_t at = 0; at < writer_count; at++)
        marks[writers[at]] = 0;
}

/* ---- lists of successors ---- */

static uint32_t inner_from(const struct txn_graph *graph, const struct txn_edge *edge)
{
    if (!graph->split)
        return edge->from;
    if (edge->from >= graph->txn_count)
        return edge->from + graph->txn_count;
    return edge->from * 2 + (edge->kind != EDGE_RW);
}

static uint32_t inner_to(const struct txn_graph *graph, const struct txn_edge *edge)
{
    if (!graph->split)
        return edge->to;
    if (edge->to >= graph->txn_count)
        return edge->to + graph->txn_count;
    return edge->to * 2 + (edge->kind == EDGE_RW);
}

bool txn_graph_close(struct txn_graph *graph, bool split)
{
    graph->split = split;
    graph->inner_count = graph->node_count + (split ? graph->txn_count : 0);
    size_t targets = graph->edge_count + (split ? graph->txn_count : 0);
    if (targets > UINT32_MAX || graph->inner_count > UINT32_MAX / 4)
        graph->arena->full = true;
    if (graph->arena->full)
        return false;
    uint32_t *starts = txn_take(graph->arena, (size_t)graph->inner_count + 2, sizeof *starts);
    graph->targets = txn_take(graph->arena, targets, sizeof *graph->targets);
    if (starts == NULL || graph->targets == NULL)
        return false;
    /* starts[v + 2] counts; then starts[v + 1] is where v's next target goes, and at the end where v + 1 begins. */
    for (size_t at = 0; at < graph->edge_count; at++)
        starts[inner_from(graph, &graph->edges[at]) + 2]++;
    for (uint32_t txn = 0; split && txn < graph->txn_count; txn++)
        starts[txn * 2 + 2]++;
    for (uint32_t node = 2; node <= graph->inner_count; node++)
        starts[node] += starts[node - 1];
    for (size_t at = 0; at < graph->edge_count; at++) {
        const struct txn_edge *edge = &graph->edges[at];
        graph->targets[starts[inner_from(graph, edge) + 1]++] = inner_to(graph, edge) * 4 + edge->kind;
    }
    /* The own commit comes last, so that the order of a depth-first search has it right behind its start, if it can. */
    for (uint32_t txn = 0; split && txn < graph->txn_count; txn++)
        graph->targets[starts[txn * 2 + 1]++] = (txn * 2 + 1) * 4 + EDGE_WW;
    graph->starts = starts;
    return true;
}

/* ---- components ---- */

struct tarjan {
    const struct txn_graph *graph;
    unsigned kinds;
    uint32_t *index;  /* from 1 by first visit; 0: not yet */
    uint32_t *low;    /* smallest index that is reachable; UINT32_MAX once the component is known */
    uint32_t *next;   /* place of the next target to look at */
    uint32_t *path;   /* nodes being visited */
    uint32_t *open;   /* visited nodes whose component is not known */
    uint32_t *order;  /* nodes as their components are found */
    uint32_t visited, path_count, open_count, order_count;
    uint32_t *component; /* of a node */
    uint32_t component_count;
    bool cyclic;
};

static void tarjan_enter(struct tarjan *tarjan, uint32_t node)
{
    tarjan->index[node] = tarjan->low[node] = ++tarjan->visited;
    tarjan->next[node] = tarjan->graph->starts[node];
    tarjan->path[tarjan->path_count++] = node;
    tarjan->open[tarjan->open_count++] = node;
}

static void tarjan_leave(struct tarjan *tarjan, uint32_t node)
{
    tarjan->path_count--;
    if (tarjan->path_count > 0) {
        uint32_t parent = tarjan->path[tarjan->path_count - 1];
        if (tarjan->low[node] < tarjan->low[parent])
            tarjan->low[parent] = tarjan->low[node];
    }
    if (tarjan->low[node] != tarjan->index[node])
        return;
    tarjan->cyclic |= tarjan->open[tarjan->open_count - 1] != node;
    uint32_t member;
    do {
        member = tarjan->open[--tarjan->open_count];
        tarjan->low[member] = UINT32_MAX;
        tarjan->component[member] = tarjan->component_count;
        tarjan->order[tarjan->order_count++] = member;
    } while (member != node);
    tarjan->component_count++;
}

static void tarjan_visit(struct tarjan *tarjan, uint32_t root)
{
    const uint32_t *starts = tarjan->graph->starts, *targets = tarjan->graph->targets;
    tarjan_enter(tarjan, root);
    while (tarjan->path_count > 0) {
        uint32_t node = tarjan->path[tarjan->path_count - 1];
        if (tarjan->next[node] == starts[node + 1]) {
            tarjan_leave(tarjan, node);
            continue;
        }
        uint32_t target = targets[tarjan->next[node]++];
        if ((tarjan->kinds >> (target & 3) & 1) == 0)
            continue;
        target >>= 2;
        if (tarjan->index[target] == 0)
            tarjan_enter(tarjan, target);
        else if (tarjan->low[target] != UINT32_MAX && tarjan->index[target] < tarjan->low[node])
            tarjan->low[node] = tarjan->index[target];
    }
}

bool txn_graph_components(struct txn_graph *graph, unsigned kinds, struct txn_components *out)
{
    struct txn_arena arena = {.heap = graph->arena->heap};
    size_t count = graph->inner_count;
    struct tarjan tarjan = {.graph = graph, .kinds = kinds, .order = out->order, .component = out->component};
    tarjan.index = txn_take(&arena, count, sizeof(uint32_t));
    tarjan.low = txn_take(&arena, count, sizeof(uint32_t));
    tarjan.next = txn_take(&arena, count, sizeof(uint32_t));
    tarjan.path = txn_take(&arena, count, sizeof(uint32_t));
    tarjan.open = txn_take(&arena, count, sizeof(uint32_t));
    graph->arena->full |= arena.full;
    for (uint32_t node = 0; !arena.full && node < count; node++)
        if (tarjan.index[node] == 0)
            tarjan_visit(&tarjan, node);
    txn_arena_free(&arena);
    out->count = tarjan.component_count;
    out->cyclic = tarjan.cyclic;
    return !arena.full;
}

bool txn_graph_order(struct txn_graph *graph, unsigned kinds, uint32_t *order, uint32_t *count)
{
    struct txn_components components = {.order = txn_take(graph->arena, graph->inner_count, sizeof(uint32_t)),
                                        .component = txn_take(graph->arena, graph->inner_count, sizeof(uint32_t))};
    *count = 0;
    if (graph->arena->full || !txn_graph_components(graph, kinds, &components) || components.cyclic)
        return false;
    /* Components are found after all that they lead to. */
    for (uint32_t at = graph->inner_count; at-- > 0;) {
        uint32_t node = components.order[at];
        if (graph->split && node < graph->txn_count * 2)
            order[(*count)++] = node / 2;
        else if (!graph->split && node < graph->txn_count)
            order[(*count)++] = node;
    }
    return true;
}
