/* What happened before what: clocks and an order, by taking operations off as everything before them has been taken
 * (Kahn). Sessions are sequences, so each needs one pointer, and a session that cannot go on waits for one other. */
#include <string.h>

#include "lab/causal/causal_internal.h"

void causal_edges_init(struct causal_edges *edges, struct heap *heap)
{
    *edges = (struct causal_edges){.heap = heap};
}

void causal_edges_free(struct causal_edges *edges)
{
    heap_free(edges->heap, edges->from);
    heap_free(edges->heap, edges->to);
    heap_free(edges->heap, edges->reason);
    causal_edges_init(edges, edges->heap);
}

static bool widen(struct heap *heap, uint32_t **list, uint32_t capacity)
{
    uint32_t *larger = heap_resize(heap, *list, capacity * sizeof *larger);
    if (larger == NULL)
        return false;
    *list = larger;
    return true;
}

bool causal_edge(struct causal_edges *edges, uint32_t from, uint32_t to, uint32_t reason)
{
    if (edges->count == edges->capacity) {
        uint32_t capacity = edges->capacity > 0 ? 2 * edges->capacity : 1024;
        if (!widen(edges->heap, &edges->from, capacity) || !widen(edges->heap, &edges->to, capacity) ||
            !widen(edges->heap, &edges->reason, capacity))
            return false;
        edges->capacity = capacity;
    }
    edges->from[edges->count] = from;
    edges->to[edges->count] = to;
    edges->reason[edges->count++] = reason;
    return true;
}

struct sorting {
    struct causal *causal;
    enum causal_ties ties;
    uint32_t session;
    const struct causal_edges *edges;
    uint32_t *starts, *sources; /* edges by their target */
    uint32_t *done;             /* operations of each session that are taken */
    uint32_t taken;
};

/* Edges by target: sources[starts[to]] and on. */
static bool index_edges(struct sorting *sorting)
{
    struct heap *heap = sorting->causal->heap;
    const struct causal_edges *edges = sorting->edges;
    if (edges == NULL || edges->count == 0)
        return true;
    sorting->starts = heap_alloc_zero(heap, ((size_t)sorting->causal->count + 2) * sizeof *sorting->starts);
    sorting->sources = heap_alloc(heap, edges->count * sizeof *sorting->sources);
    if (sorting->starts == NULL || sorting->sources == NULL)
        return false;
    for (uint32_t i = 0; i < edges->count; i++)
        sorting->starts[edges->to[i] + 2]++;
    for (uint32_t i = 2; i <= sorting->causal->count + 1; i++)
        sorting->starts[i] += sorting->starts[i - 1];
    for (uint32_t i = 0; i < edges->count; i++)
        sorting->sources[sorting->starts[edges->to[i] + 1]++] = edges->from[i];
    return true;
}

static bool tied(const struct sorting *sorting, const struct causal_operation *operation)
{
    if (operation->write || operation->source == CAUSAL_INITIAL || sorting->ties == CAUSAL_NO_READS)
        return false;
    return sorting->ties == CAUSAL_ALL_READS || operation->session == sorting->session;
}

static bool is_done(const struct sorting *sorting, uint32_t operation)
{
    const struct causal_operation *it = &sorting->causal->list[operation];
    return sorting->done[it->session] >= it->place;
}

/* An operation that must come before this one and has not, or CAUSAL_NONE. */
static uint32_t waits_for(const struct sorting *sorting, uint32_t operation)
{
    const struct causal_operation *it = &sorting->causal->list[operation];
    if (tied(sorting, it) && !is_done(sorting, it->source))
        return it->source;
    if (sorting->starts == NULL)
        return CAUSAL_NONE;
    for (uint32_t i = sorting->starts[operation]; i < sorting->starts[operation + 1]; i++)
        if (!is_done(sorting, sorting->sources[i]))
            return sorting->sources[i];
    return CAUSAL_NONE;
}

static void join(uint32_t *clock, const uint32_t *other, uint32_t count)
{
    for (uint32_t s = 0; s < count; s++)
        clock[s] = clock[s] < other[s] ? other[s] : clock[s];
}

static void take(struct sorting *sorting, uint32_t operation)
{
    struct causal *causal = sorting->causal;
    const struct causal_operation *it = &causal->list[operation];
    uint32_t sessions = causal->session_count;
    uint32_t *clock = causal->clocks + (size_t)operation * sessions;
    if (it->place > 1)
        memcpy(clock, clock - sessions, sessions * sizeof *clock);
    else
        memset(clock, 0, sessions * sizeof *clock);
    clock[it->session] = it->place;
    if (tied(sorting, it))
        join(clock, causal_clock(causal, it->source), sessions);
    if (sorting->starts != NULL)
        for (uint32_t i = sorting->starts[operation]; i < sorting->starts[operation + 1]; i++)
            join(clock, causal_clock(causal, sorting->sources[i]), sessions);
    sorting->done[it->session]++;
    causal->order[sorting->taken++] = operation;
}

/* Goes on in each session as far as it can, again and again. */
static void take_all(struct sorting *sorting)
{
    const struct causal *causal = sorting->causal;
    for (bool moved = true; moved;) {
        moved = false;
        for (uint32_t s = 0; s < causal->session_count; s++)
            while (sorting->done[s] < causal->first[s + 1] - causal->first[s]) {
                uint32_t next = causal->first[s] + sorting->done[s];
                if (waits_for(sorting, next) != CAUSAL_NONE)
                    break;
                take(sorting, next);
                moved = true;
            }
    }
}

/* Whoever is stuck waits for an operation of a session that is stuck earlier: so following them finds a cycle. It is
 * told as: what is stuck, what it waits for, what is stuck in that session, and so on. */
static bool find_cycle(struct sorting *sorting, uint32_t **cycle, uint32_t *count)
{
    const struct causal *causal = sorting->causal;
    uint32_t sessions = causal->session_count;
    uint32_t *seen = heap_alloc_zero(causal->heap, (sessions + 1) * sizeof *seen);
    *cycle = heap_alloc(causal->heap, 2 * ((size_t)sessions + 1) * sizeof **cycle);
    *count = 0;
    if (seen == NULL || *cycle == NULL) {
        heap_free(causal->heap, seen);
        return false;
    }
    uint32_t session = 0;
    while (sorting->done[session] == causal->first[session + 1] - causal->first[session])
        session++;
    while (seen[session] == 0) {
        uint32_t stuck = causal->first[session] + sorting->done[session];
        uint32_t wanted = waits_for(sorting, stuck);
        seen[session] = *count + 1;
        (*cycle)[(*count)++] = stuck;
        (*cycle)[(*count)++] = wanted;
        session = causal->list[wanted].session;
    }
    uint32_t lead = seen[session] - 1; /* the way to the cycle */
    memmove(*cycle, *cycle + lead, (*count - lead) * sizeof **cycle);
    *count -= lead;
    heap_free(causal->heap, seen);
    return true;
}

enum causal_sorted causal_sort(struct causal *causal, enum causal_ties ties, uint32_t session,
                               const struct causal_edges *edges, uint32_t **cycle, uint32_t *cycle_count)
{
    struct sorting sorting = {.causal = causal, .ties = ties, .session = session, .edges = edges};
    enum causal_sorted result = CAUSAL_NO_MEMORY;
    sorting.done = heap_alloc_zero(causal->heap, (causal->session_count + 1) * sizeof *sorting.done);
    if (sorting.done != NULL && index_edges(&sorting)) {
        take_all(&sorting);
        if (sorting.taken == causal->count)
            result = CAUSAL_SORTED;
        else if (find_cycle(&sorting, cycle, cycle_count))
            result = CAUSAL_CYCLE;
    }
    heap_free(causal->heap, sorting.done);
    heap_free(causal->heap, sorting.starts);
    heap_free(causal->heap, sorting.sources);
    return result;
}
