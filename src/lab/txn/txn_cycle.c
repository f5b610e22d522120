/* Which cycle, of all that there are? The worst kind first, as Adya ranks them: of writes alone (G0), with reads (G1c),
 * with one anti-dependency (G-single), with several (G2-item; G-nonadjacent at snapshot isolation); only then those
 * that need real time.
 *
 * A breadth-first search from a node finds a shortest cycle through it. All nodes of cyclic components are tried as
 * long as the work lasts, which it does unless the history is large and very wrong; each search goes no deeper than the
 * best cycle so far. */
#include <stdio.h>
#include <string.h>

#include "lab/txn/txn_internal.h"

#define CYCLE_WORK_MAX UINT64_C(30000000)

struct hunt {
    struct txn_graph *graph;
    unsigned kinds;
    bool single; /* exactly one anti-dependency */
    uint32_t *parent, *parent_kind, *depth, *stamp, *queue;
    uint32_t generation;
    const uint32_t *component;
    uint32_t *best; /* nodes of the best cycle, backwards from its start */
    uint32_t *best_kinds;
    uint32_t best_count; /* 0: none */
    uint64_t work;
};

static bool is_helper(const struct txn_graph *graph, uint32_t node)
{
    return node >= (graph->split ? 2 : 1) * graph->txn_count;
}

/* May the search follow this edge? */
static bool follows(const struct hunt *hunt, uint32_t from, uint32_t target)
{
    if ((hunt->kinds >> (target & 3) & 1) == 0 || hunt->component[target >> 2] != hunt->component[from])
        return false;
    return !hunt->single || (target & 3) != EDGE_RW || is_helper(hunt->graph, from);
}

static void reach(struct hunt *hunt, uint32_t node, uint32_t parent, uint32_t kind, uint32_t depth, uint32_t *tail)
{
    hunt->stamp[node] = hunt->generation;
    hunt->parent[node] = parent;
    hunt->parent_kind[node] = kind;
    hunt->depth[node] = depth;
    hunt->queue[(*tail)++] = node;
}

/* Keeps the way from `start`, whose first node is `first`, to `last`, whose next is `start`. */
static void keep(struct hunt *hunt, uint32_t start, uint32_t last, uint32_t closing_kind)
{
    uint32_t count = 0, kind = closing_kind;
    for (uint32_t node = last;; node = hunt->parent[node]) {
        hunt->best[count] = node;
        hunt->best_kinds[count++] = kind;
        kind = hunt->parent_kind[node];
        if (node == start)
            break;
    }
    hunt->best_count = count;
}

/* Looks for a cycle through `start`, shorter than the best. When one anti-dependency is wanted, it is the edge to
 * `first`, else `first` is `start`. */
static void hunt_from(struct hunt *hunt, uint32_t start, uint32_t first)
{
    const struct txn_graph *graph = hunt->graph;
    uint32_t head = 0, tail = 0;
    hunt->generation++;
    reach(hunt, start, start, 0, 0, &tail);
    if (first != start) {
        reach(hunt, first, start, EDGE_RW, 1, &tail);
        head = 1;
    }
    while (head < tail && hunt->work < CYCLE_WORK_MAX) {
        uint32_t node = hunt->queue[head++];
        if (hunt->best_count != 0 && hunt->depth[node] + 1 >= hunt->best_count)
            return;
        for (uint32_t at = graph->starts[node]; at < graph->starts[node + 1]; at++) {
            uint32_t target = graph->targets[at], next = target >> 2;
            hunt->work++;
            if (!follows(hunt, node, target))
                continue;
            if (next == start) {
                keep(hunt, start, node, target & 3);
                return;
            }
            if (hunt->stamp[next] != hunt->generation)
                reach(hunt, next, node, target & 3, hunt->depth[node] + 1, &tail);
        }
    }
}

static void hunt_single(struct hunt *hunt, uint32_t start)
{
    const struct txn_graph *graph = hunt->graph;
    for (uint32_t at = graph->starts[start]; at < graph->starts[start + 1]; at++) {
        uint32_t target = graph->targets[at];
        if ((target & 3) == EDGE_RW && hunt->component[target >> 2] == hunt->component[start])
            hunt_from(hunt, start, target >> 2);
    }
}

/* Nodes to transactions; helpers and the two halves of a transaction melt. */
static void melt(const struct hunt *hunt, struct txn_cycle *cycle)
{
    const struct txn_graph *graph = hunt->graph;
    cycle->count = 0;
    for (uint32_t at = hunt->best_count; at-- > 0;) {
        uint32_t node = hunt->best[at], kind = hunt->best_kinds[at];
        if (is_helper(graph, node))
            continue;
        uint32_t txn = graph->split ? node / 2 : node;
        if (cycle->count > 0 && cycle->txns[cycle->count - 1] == txn) {
            cycle->kinds[cycle->count - 1] = kind;
            continue;
        }
        cycle->txns[cycle->count] = txn;
        cycle->kinds[cycle->count++] = kind;
    }
    /* A commit that leads back to the own start closes the circle within one transaction. */
    if (cycle->count > 1 && cycle->txns[0] == cycle->txns[cycle->count - 1])
        cycle->count--;
}

static bool hunt_begin(struct hunt *hunt, struct txn_graph *graph)
{
    *hunt = (struct hunt){.graph = graph};
    uint32_t **arrays[] = {&hunt->parent, &hunt->parent_kind, &hunt->depth,     &hunt->stamp,
                           &hunt->queue,  &hunt->best,        &hunt->best_kinds};
    for (size_t at = 0; at < sizeof arrays / sizeof *arrays; at++)
        *arrays[at] = txn_take(graph->arena, (size_t)graph->inner_count + 1, sizeof(uint32_t));
    return !graph->arena->full;
}

/* The best cycle of these kinds, into `hunt`. */
static bool hunt_stage(struct hunt *hunt, unsigned kinds, bool single, struct txn_components *components)
{
    struct txn_graph *graph = hunt->graph;
    if (!txn_graph_components(graph, kinds, components) || !components->cyclic)
        return false;
    uint32_t *sizes = txn_take(graph->arena, components->count, sizeof *sizes);
    if (sizes == NULL)
        return false;
    for (uint32_t node = 0; node < graph->inner_count; node++)
        sizes[components->component[node]]++;
    hunt->kinds = kinds;
    hunt->single = single;
    hunt->component = components->component;
    hunt->best_count = 0;
    hunt->work = 0;
    for (uint32_t node = 0; node < graph->inner_count && hunt->work < CYCLE_WORK_MAX; node++) {
        if (sizes[components->component[node]] < 2 || is_helper(graph, node))
            continue;
        if (single)
            hunt_single(hunt, node);
        else
            hunt_from(hunt, node, node);
    }
    return hunt->best_count != 0;
}

static void name_cycle(struct txn_cycle *cycle, bool split, bool realtime)
{
    uint32_t rw = 0, wr = 0;
    for (uint32_t at = 0; at < cycle->count; at++) {
        rw += cycle->kinds[at] == EDGE_RW;
        wr += cycle->kinds[at] == EDGE_WR;
    }
    const char *name = wr == 0 ? "G0" : "G1c";
    if (rw == 1)
        name = "G-single";
    else if (rw > 1)
        name = split ? "G-nonadjacent" : "G2-item";
    snprintf(cycle->anomaly, sizeof cycle->anomaly, "%s%s", name, realtime ? "-realtime" : "");
}

bool txn_graph_cycle(struct txn_graph *graph, enum txn_level level, struct txn_cycle *cycle)
{
    unsigned all = txn_level_kinds(level);
    struct txn_components components = {.order = txn_take(graph->arena, graph->inner_count, sizeof(uint32_t)),
                                        .component = txn_take(graph->arena, graph->inner_count, sizeof(uint32_t))};
    if (graph->arena->full || !txn_graph_components(graph, all, &components) || !components.cyclic)
        return false;
    struct hunt hunt;
    if (!hunt_begin(&hunt, graph))
        return false;
    const struct {
        unsigned kinds;
        bool single;
    } stages[] = {{KINDS_WW, false},
                  {KINDS_WW | KINDS_WR, false},
                  {KINDS_WW | KINDS_WR | KINDS_RW, true},
                  {KINDS_WW | KINDS_WR | KINDS_RW, false}};
    for (int time = 0; time < 2; time++)
        for (int stage = 0; stage < 4; stage++) {
            unsigned kinds = (stages[stage].kinds | (time ? KINDS_TIME : 0)) & all;
            if (graph->split && stages[stage].single)
                continue;
            if (!hunt_stage(&hunt, kinds, stages[stage].single, &components))
                continue;
            cycle->txns = txn_take(graph->arena, hunt.best_count, sizeof *cycle->txns);
            cycle->kinds = txn_take(graph->arena, hunt.best_count, sizeof *cycle->kinds);
            if (graph->arena->full)
                return false;
            melt(&hunt, cycle);
            name_cycle(cycle, graph->split, time == 1);
            return true;
        }
    return false;
}
