/* Causal memory and PRAM: one order for each session that explains its own reads.
 *
 * For one session: start from what happened before (for PRAM: from the sessions, and the writes that its own reads saw),
 * and saturate: when a write to a key is before one of its reads, it is before the write that the read saw. There is such
 * an order if and only if this ends without a cycle and no read of nothing has a write to its key before it
 * (Bouajjani and others, POPL 2017, section 3.3: CyclicHB, WriteHBInitRead). The reads of one session are ordered, so
 * going through them and emitting before each what is before it makes that order. */
#include <string.h>

#include "lab/causal/causal_internal.h"

enum { EDGES_SUSPECTED_MAX = 64 };

struct saturation {
    struct causal *causal;
    uint32_t session;
    enum causal_ties ties;
    struct causal_edges edges;
    struct causal_suspects *suspects;
    struct verdict *out;
};

/* Everything that had a part in the first edges: their writes and reads, and the chains between them. If that is not
 * enough for a counter-history, causal_counter() takes more. */
static void suspect_edges(struct saturation *saturation, const uint32_t *cycle, uint32_t count)
{
    bool room = true;
    const struct causal_edges *edges = &saturation->edges;
    for (uint32_t i = 0; room && i < count; i++)
        room = causal_suspect(saturation->suspects, cycle[i]);
    for (uint32_t i = 0; room && i < edges->count && i < EDGES_SUSPECTED_MAX; i++) {
        room = causal_suspect(saturation->suspects, edges->from[i]) &&
               causal_suspect(saturation->suspects, edges->to[i]) &&
               causal_suspect(saturation->suspects, edges->reason[i]) &&
               causal_suspect_path(saturation->causal, saturation->suspects, edges->from[i], edges->reason[i]);
    }
    if (!room)
        causal_out_of_memory(saturation->out);
}

/* True when edges were added. */
static bool saturate_read(struct saturation *saturation, uint32_t read)
{
    struct causal *causal = saturation->causal;
    const struct causal_operation *it = &causal->list[read];
    const uint32_t *clock = causal_clock(causal, read);
    bool added = false;
    for (uint32_t s = 0; s < causal->session_count && saturation->out->kind == VERDICT_OK; s++) {
        uint32_t other = causal_last_write(causal, s, it->key, clock[s]);
        if (other == CAUSAL_NONE || other == it->source)
            continue;
        if (it->source == CAUSAL_INITIAL) {
            causal_illegal(saturation->out, "WriteHBInitRead");
            if (!causal_suspect_path(causal, saturation->suspects, other, read))
                causal_out_of_memory(saturation->out);
            suspect_edges(saturation, NULL, 0);
        } else if (!causal_before(causal, other, it->source)) {
            added = true;
            if (!causal_edge(&saturation->edges, other, it->source, read))
                causal_out_of_memory(saturation->out);
        }
    }
    return added;
}

static void saturate(struct saturation *saturation)
{
    struct causal *causal = saturation->causal;
    for (bool again = true; again && saturation->out->kind == VERDICT_OK;) {
        uint32_t *cycle, count;
        enum causal_sorted sorted =
            causal_sort(causal, saturation->ties, saturation->session, &saturation->edges, &cycle, &count);
        saturation->out->work += causal->count;
        if (sorted == CAUSAL_NO_MEMORY) {
            causal_out_of_memory(saturation->out);
            return;
        }
        if (sorted == CAUSAL_CYCLE) {
            causal_illegal(saturation->out, saturation->edges.count > 0 ? "CyclicHB" : "CyclicCO");
            suspect_edges(saturation, cycle, count);
            heap_free(causal->heap, cycle);
            return;
        }
        again = false;
        uint32_t first = causal->first[saturation->session], end = causal->first[saturation->session + 1];
        for (uint32_t read = first; read < end && saturation->out->kind == VERDICT_OK; read++)
            if (!causal->list[read].write && saturate_read(saturation, read))
                again = true;
    }
}

/* ---- the witness ---- */

struct emission {
    struct causal *causal;
    uint32_t session;
    bool pram;
    uint32_t *rank;    /* of each operation in causal->order */
    uint32_t *emitted; /* operations of each session */
    struct verdict *out;
};

static void emit(struct emission *emission, uint32_t operation)
{
    const struct causal_operation *it = &emission->causal->list[operation];
    emission->emitted[it->session]++;
    if (it->write || it->session == emission->session || !emission->pram)
        emission->out->operations[emission->out->operation_count++] = it->recorded;
}

/* Emits all that is within the clock, in the order of ranks. */
static void emit_up_to(struct emission *emission, const uint32_t *clock)
{
    const struct causal *causal = emission->causal;
    for (;;) {
        uint32_t best = CAUSAL_NONE;
        for (uint32_t s = 0; s < causal->session_count; s++) {
            if (emission->emitted[s] >= clock[s])
                continue;
            uint32_t next = causal->first[s] + emission->emitted[s];
            if (best == CAUSAL_NONE || emission->rank[next] < emission->rank[best])
                best = next;
        }
        if (best == CAUSAL_NONE)
            return;
        emit(emission, best);
    }
}

static bool witness_part(struct causal *causal, uint32_t session, bool pram, struct verdict *out)
{
    struct heap *heap = causal->heap;
    struct emission emission = {.causal = causal, .session = session, .pram = pram, .out = out};
    emission.rank = heap_alloc(heap, (causal->count + 1) * sizeof *emission.rank);
    emission.emitted = heap_alloc_zero(heap, (causal->session_count + 1) * sizeof *emission.emitted);
    uint32_t *all = heap_alloc(heap, (causal->session_count + 1) * sizeof *all);
    bool room = emission.rank != NULL && emission.emitted != NULL && all != NULL;
    if (room) {
        for (uint32_t i = 0; i < causal->count; i++)
            emission.rank[causal->order[i]] = i;
        for (uint32_t at = causal->first[session]; at < causal->first[session + 1]; at++)
            emit_up_to(&emission, causal_clock(causal, at));
        for (uint32_t s = 0; s < causal->session_count; s++)
            all[s] = causal->first[s + 1] - causal->first[s];
        if (pram)
            emit_up_to(&emission, all);
        out->parts[session + 1] = out->operation_count;
    }
    heap_free(heap, emission.rank);
    heap_free(heap, emission.emitted);
    heap_free(heap, all);
    return room;
}

static bool witness_begin(struct causal *causal, struct verdict *out)
{
    size_t most = (size_t)causal->count * causal->session_count;
    if (most > CAUSAL_WITNESS_MAX || most == 0)
        return true;
    out->operations = heap_alloc(causal->heap, most * sizeof *out->operations);
    out->parts = heap_alloc_zero(causal->heap, ((size_t)causal->session_count + 1) * sizeof *out->parts);
    out->part_count = causal->session_count;
    return out->operations != NULL && out->parts != NULL;
}

static void witness_drop(struct causal *causal, struct verdict *out)
{
    heap_free(causal->heap, out->operations);
    heap_free(causal->heap, out->parts);
    out->operations = out->parts = NULL;
    out->operation_count = out->part_count = 0;
}

void causal_check_memory(struct causal *causal, bool pram, struct causal_suspects *suspects, struct verdict *out)
{
    if (!witness_begin(causal, out))
        causal_out_of_memory(out);
    if (!pram && out->kind == VERDICT_OK)
        causal_check_past(causal, suspects, out);
    for (uint32_t session = 0; session < causal->session_count && out->kind == VERDICT_OK; session++) {
        struct saturation saturation = {.causal = causal,
                                        .session = session,
                                        .ties = pram ? CAUSAL_READS_OF_SESSION : CAUSAL_ALL_READS,
                                        .suspects = suspects,
                                        .out = out};
        causal_edges_init(&saturation.edges, causal->heap);
        saturate(&saturation);
        causal_edges_free(&saturation.edges);
        if (out->kind == VERDICT_OK && out->parts != NULL && !witness_part(causal, session, pram, out))
            causal_out_of_memory(out);
    }
    if (out->kind != VERDICT_OK)
        witness_drop(causal, out);
}
