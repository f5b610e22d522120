/* Causal consistency and convergence, by the patterns of Bouajjani and others (POPL 2017, section 3): a history violates
 * causal consistency if and only if it has one of
 *
 *   CyclicCO         sessions and reads together form a cycle
 *   WriteCOInitRead  a read saw nothing, and a write to its key is in its past
 *   WriteCORead      a read saw a write that another write to its key, in its past, came after
 *
 * and convergence if and only if one of those, or CyclicCF: each read says that the writes to its key in its past come
 * before the one it saw, and these orders together form a cycle. */
#include "lab/causal/causal_internal.h"

static void suspect_relation(const struct causal *causal, struct causal_suspects *suspects, uint32_t a, uint32_t b,
                             struct verdict *out)
{
    if (!causal_suspect_path(causal, suspects, a, b))
        causal_out_of_memory(out);
}

static void check_read(const struct causal *causal, uint32_t read, struct causal_suspects *suspects,
                       struct verdict *out)
{
    const struct causal_operation *it = &causal->list[read];
    const uint32_t *clock = causal_clock(causal, read);
    for (uint32_t s = 0; s < causal->session_count; s++) {
        uint32_t other = causal_last_write(causal, s, it->key, clock[s]);
        if (other == CAUSAL_NONE || other == it->source)
            continue;
        if (it->source == CAUSAL_INITIAL) {
            causal_illegal(out, "WriteCOInitRead");
        } else if (causal_before(causal, it->source, other)) {
            causal_illegal(out, "WriteCORead");
            suspect_relation(causal, suspects, it->source, other, out);
        }
        if (out->kind == VERDICT_ILLEGAL)
            suspect_relation(causal, suspects, other, read, out);
        if (out->kind != VERDICT_OK)
            return;
    }
}

static void suspect_cycle(const struct causal *causal, struct causal_suspects *suspects, uint32_t *cycle,
                          uint32_t count, struct verdict *out)
{
    for (uint32_t i = 0; i < count; i++)
        if (!causal_suspect(suspects, cycle[i]))
            causal_out_of_memory(out);
    heap_free(causal->heap, cycle);
}

void causal_check_past(struct causal *causal, struct causal_suspects *suspects, struct verdict *out)
{
    uint32_t *cycle, count;
    switch (causal_sort(causal, CAUSAL_ALL_READS, 0, NULL, &cycle, &count)) {
    case CAUSAL_NO_MEMORY:
        causal_out_of_memory(out);
        return;
    case CAUSAL_CYCLE:
        causal_illegal(out, "CyclicCO");
        suspect_cycle(causal, suspects, cycle, count, out);
        return;
    case CAUSAL_SORTED:
        break;
    }
    for (uint32_t i = 0; i < causal->count && out->kind == VERDICT_OK; i++)
        if (!causal->list[i].write)
            check_read(causal, i, suspects, out);
    out->work = causal->count;
}

/* Edges that one read asks for: of each session the last write to its key in its past; those before follow. */
static bool conflict_edges(const struct causal *causal, uint32_t read, struct causal_edges *edges)
{
    const struct causal_operation *it = &causal->list[read];
    const uint32_t *clock = causal_clock(causal, read);
    if (it->source == CAUSAL_INITIAL)
        return true;
    for (uint32_t s = 0; s < causal->session_count; s++) {
        uint32_t other = causal_last_write(causal, s, it->key, clock[s]);
        if (other != CAUSAL_NONE && other != it->source && !causal_before(causal, other, it->source) &&
            !causal_edge(edges, other, it->source, read))
            return false;
    }
    return true;
}

/* What makes the edges of a cycle: the reads that asked for them, and why the writes were in their past. */
static void suspect_edges(const struct causal *causal, const struct causal_edges *edges, const uint32_t *cycle,
                          uint32_t count, struct causal_suspects *suspects, struct verdict *out)
{
    for (uint32_t i = 0; i + 1 < count; i += 2)
        for (uint32_t e = 0; e < edges->count; e++)
            if (edges->to[e] == cycle[i] && edges->from[e] == cycle[i + 1]) {
                suspect_relation(causal, suspects, edges->from[e], edges->reason[e], out);
                break;
            }
}

void causal_check_convergence(struct causal *causal, struct causal_suspects *suspects, struct verdict *out)
{
    causal_check_past(causal, suspects, out);
    if (out->kind != VERDICT_OK)
        return;
    struct causal_edges edges;
    causal_edges_init(&edges, causal->heap);
    bool room = true;
    for (uint32_t i = 0; room && i < causal->count; i++)
        if (!causal->list[i].write)
            room = conflict_edges(causal, i, &edges);
    uint32_t *cycle = NULL, count = 0;
    struct causal agreed = *causal; /* clocks of the past are still wanted if there is a cycle */
    agreed.clocks = heap_alloc(causal->heap, ((size_t)causal->count * causal->session_count + 1) * sizeof(uint32_t));
    enum causal_sorted sorted = CAUSAL_NO_MEMORY;
    if (room && agreed.clocks != NULL)
        sorted = causal_sort(&agreed, CAUSAL_ALL_READS, 0, &edges, &cycle, &count);
    if (sorted == CAUSAL_NO_MEMORY)
        causal_out_of_memory(out);
    if (sorted == CAUSAL_CYCLE) {
        causal_illegal(out, "CyclicCF");
        suspect_edges(causal, &edges, cycle, count, suspects, out);
        suspect_cycle(causal, suspects, cycle, count, out);
    }
    heap_free(causal->heap, agreed.clocks);
    causal_edges_free(&edges);
}
