/* Session guarantees (Terry and others, 1994), in the reading of Viotti and Vukolic, "Consistency in non-transactional
 * distributed storage systems" (2016): there is an order of the writes of each key, and each read returns the last one in
 * it of those that it sees, where a session must see
 *
 *   read-your-writes     its own writes before the read
 *   monotonic-reads      what its earlier reads saw
 *   monotonic-writes     and with each write that is seen all earlier ones of the same session, whose order is that
 *   writes-follow-reads  and with each write that is seen all that its session had seen before
 *
 * The last two build on monotonic reads: without them nothing that one session sees binds what it sees next. So each read
 * says of some writes of its key that they come before the one it returned; the guarantee holds if and only if these
 * orders have no cycle and no read of nothing had to see a write. */
#include <string.h>

#include "lab/causal/causal_internal.h"

/* Nodes of the order are the writes, and behind them, at count + write, one for each write that stands for all writes of
 * its session to its key up to it (read-your-writes only). */
struct guarantee {
    struct causal *causal;
    enum causal_level level;
    struct causal_edges edges;
    struct causal_suspects *suspects;
    struct verdict *out;
    uint32_t *last;       /* by key, of the session that is walked: its last write, or read that saw something */
    uint32_t *touched;    /* by key: session + 1 that set it */
    uint32_t *previous;   /* by write: the one of its session to its key before it, or CAUSAL_NONE */
    uint32_t *reads, *read_starts; /* places of reads by session and key, as causal.writes is of writes */
    uint32_t *seen;       /* clocks: by operation and session, what is seen of it (level-dependent) */
};

static void report_initial(struct guarantee *guarantee, uint32_t write, uint32_t why, uint32_t read)
{
    causal_illegal(guarantee->out, causal_level_name(guarantee->level));
    bool room = causal_suspect(guarantee->suspects, write) && causal_suspect(guarantee->suspects, read) &&
                causal_suspect_path(guarantee->causal, guarantee->suspects, why, read);
    if (!room)
        causal_out_of_memory(guarantee->out);
}

/* The read must see `write`, because of the operation `why`, which is in its past. */
static void must_see(struct guarantee *guarantee, uint32_t read, uint32_t write, uint32_t why)
{
    uint32_t source = guarantee->causal->list[read].source;
    if (write == CAUSAL_NONE || write == source || guarantee->out->kind != VERDICT_OK)
        return;
    if (source == CAUSAL_INITIAL)
        report_initial(guarantee, write, why, read);
    else if (!causal_edge(&guarantee->edges, write, source, read))
        causal_out_of_memory(guarantee->out);
}

static void edge(struct guarantee *guarantee, uint32_t from, uint32_t to, uint32_t reason)
{
    if (!causal_edge(&guarantee->edges, from, to, reason))
        causal_out_of_memory(guarantee->out);
}

/* ---- read-your-writes ---- */

/* The session has written `last` and what came before it to the key, and must see all of that. */
static void read_own(struct guarantee *guarantee, uint32_t read, uint32_t last)
{
    struct causal *causal = guarantee->causal;
    uint32_t source = causal->list[read].source;
    if (source == CAUSAL_INITIAL) {
        report_initial(guarantee, last, last, read);
        return;
    }
    if (causal->list[source].session == causal->list[read].session && source < read) {
        for (; last != source; last = guarantee->previous[last])
            edge(guarantee, last, source, read);
        last = guarantee->previous[source];
    }
    if (last != CAUSAL_NONE)
        edge(guarantee, causal->count + last, source, read);
}

static void walk_own_writes(struct guarantee *guarantee, uint32_t session)
{
    struct causal *causal = guarantee->causal;
    for (uint32_t at = causal->first[session]; at < causal->first[session + 1]; at++) {
        uint32_t key = causal->list[at].key;
        uint32_t last = guarantee->touched[key] == session + 1 ? guarantee->last[key] : CAUSAL_NONE;
        if (guarantee->out->kind != VERDICT_OK)
            return;
        if (!causal->list[at].write) {
            if (last != CAUSAL_NONE)
                read_own(guarantee, at, last);
            continue;
        }
        guarantee->previous[at] = last;
        edge(guarantee, at, causal->count + at, at);
        if (last != CAUSAL_NONE)
            edge(guarantee, causal->count + last, causal->count + at, at);
        guarantee->last[key] = at;
        guarantee->touched[key] = session + 1;
    }
}

/* ---- monotonic-reads ---- */

static void walk_own_reads(struct guarantee *guarantee, uint32_t session)
{
    struct causal *causal = guarantee->causal;
    for (uint32_t at = causal->first[session]; at < causal->first[session + 1]; at++) {
        const struct causal_operation *it = &causal->list[at];
        if (it->write)
            continue;
        if (guarantee->touched[it->key] == session + 1)
            must_see(guarantee, at, causal->list[guarantee->last[it->key]].source, guarantee->last[it->key]);
        if (it->source == CAUSAL_INITIAL)
            continue;
        guarantee->last[it->key] = at;
        guarantee->touched[it->key] = session + 1;
    }
}

/* ---- monotonic-writes ---- */

/* Of each session, how many of its writes the walked session has seen, by the last one seen. */
static void walk_writes(struct guarantee *guarantee, uint32_t session, uint32_t *seen)
{
    struct causal *causal = guarantee->causal;
    memset(seen, 0, causal->session_count * sizeof *seen);
    for (uint32_t at = causal->first[session]; at < causal->first[session + 1]; at++) {
        const struct causal_operation *it = &causal->list[at];
        if (it->write)
            continue;
        if (it->source != CAUSAL_INITIAL) {
            const struct causal_operation *source = &causal->list[it->source];
            if (seen[source->session] < source->place)
                seen[source->session] = source->place;
        }
        for (uint32_t s = 0; s < causal->session_count; s++) {
            uint32_t write = causal_last_write(causal, s, it->key, seen[s]);
            if (write != CAUSAL_NONE)
                must_see(guarantee, at, write, write);
        }
    }
}

/* Writes of one session on one key are in its order. */
static void order_own_writes(struct guarantee *guarantee)
{
    struct causal *causal = guarantee->causal;
    size_t lists = (size_t)causal->session_count * causal->key_count;
    for (size_t list = 0; list < lists; list++)
        for (uint32_t i = causal->starts[list]; i + 1 < causal->starts[list + 1]; i++) {
            uint32_t session = (uint32_t)(list / causal->key_count);
            uint32_t to = causal_at(causal, session, causal->writes[i + 1]);
            if (!causal_edge(&guarantee->edges, causal_at(causal, session, causal->writes[i]), to, to))
                causal_out_of_memory(guarantee->out);
        }
}

/* ---- writes-follow-reads ---- */

static bool index_reads(struct guarantee *guarantee)
{
    struct causal *causal = guarantee->causal;
    size_t lists = (size_t)causal->session_count * causal->key_count;
    guarantee->read_starts = heap_alloc_zero(causal->heap, (lists + 2) * sizeof(uint32_t));
    guarantee->reads = heap_alloc(causal->heap, ((size_t)causal->count + 1) * sizeof(uint32_t));
    if (guarantee->read_starts == NULL || guarantee->reads == NULL)
        return false;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t at = 0; at < causal->count; at++) {
            const struct causal_operation *it = &causal->list[at];
            if (it->write || it->source == CAUSAL_INITIAL)
                continue;
            size_t list = (size_t)it->session * causal->key_count + it->key;
            if (pass == 0)
                guarantee->read_starts[list + 2]++;
            else
                guarantee->reads[guarantee->read_starts[list + 1]++] = it->place;
        }
        for (size_t i = 2; pass == 0 && i <= lists + 1; i++)
            guarantee->read_starts[i] += guarantee->read_starts[i - 1];
    }
    return true;
}

/* The last read of a session on a key among its first `end` operations that saw a write. */
static uint32_t last_read(const struct guarantee *guarantee, uint32_t session, uint32_t key, uint32_t end)
{
    size_t list = (size_t)session * guarantee->causal->key_count + key;
    uint32_t low = guarantee->read_starts[list], high = guarantee->read_starts[list + 1], first = low;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (guarantee->reads[middle] <= end)
            low = middle + 1;
        else
            high = middle;
    }
    return low > first ? causal_at(guarantee->causal, session, guarantee->reads[low - 1]) : CAUSAL_NONE;
}

/* What a write's session had read is seen with it, and what those had: the past, but for the own reads, where the one at
 * hand is not yet. */
static void check_follow(struct guarantee *guarantee)
{
    struct causal *causal = guarantee->causal;
    for (uint32_t at = 0; at < causal->count && guarantee->out->kind == VERDICT_OK; at++) {
        const struct causal_operation *it = &causal->list[at];
        if (it->write)
            continue;
        const uint32_t *clock = causal_clock(causal, at);
        for (uint32_t s = 0; s < causal->session_count; s++) {
            uint32_t end = s == it->session ? it->place - 1 : clock[s];
            uint32_t read = last_read(guarantee, s, it->key, end);
            if (read != CAUSAL_NONE)
                must_see(guarantee, at, causal->list[read].source, read);
        }
    }
}

/* ---- the order of writes ---- */

struct ordering {
    uint32_t *starts, *targets; /* edges by their source */
    uint32_t *missing;          /* of each write: edges to it whose source is not yet taken */
    uint32_t *queue;
};

static bool ordering_init(struct ordering *ordering, const struct guarantee *guarantee)
{
    const struct causal *causal = guarantee->causal;
    const struct causal_edges *edges = &guarantee->edges;
    ordering->starts = heap_alloc_zero(causal->heap, (2 * (size_t)causal->count + 2) * sizeof(uint32_t));
    ordering->targets = heap_alloc(causal->heap, ((size_t)edges->count + 1) * sizeof(uint32_t));
    ordering->missing = heap_alloc_zero(causal->heap, (2 * (size_t)causal->count + 1) * sizeof(uint32_t));
    ordering->queue = heap_alloc(causal->heap, (2 * (size_t)causal->count + 1) * sizeof(uint32_t));
    if (ordering->starts == NULL || ordering->targets == NULL || ordering->missing == NULL || ordering->queue == NULL)
        return false;
    for (uint32_t i = 0; i < edges->count; i++) {
        ordering->starts[edges->from[i] + 2]++;
        ordering->missing[edges->to[i]]++;
    }
    for (uint32_t i = 2; i <= 2 * causal->count + 1; i++)
        ordering->starts[i] += ordering->starts[i - 1];
    for (uint32_t i = 0; i < edges->count; i++)
        ordering->targets[ordering->starts[edges->from[i] + 1]++] = edges->to[i];
    return true;
}

static void ordering_free(struct ordering *ordering, struct heap *heap)
{
    heap_free(heap, ordering->starts);
    heap_free(heap, ordering->targets);
    heap_free(heap, ordering->missing);
    heap_free(heap, ordering->queue);
}

static bool is_node(const struct causal *causal, uint32_t node)
{
    return causal->list[node < causal->count ? node : node - causal->count].write;
}

static uint32_t operation_of(const struct causal *causal, uint32_t node)
{
    return node < causal->count ? node : node - causal->count;
}

/* How many were taken. */
static uint32_t take_all(struct ordering *ordering, const struct causal *causal)
{
    uint32_t end = 0, taken = 0;
    for (uint32_t node = 0; node < 2 * causal->count; node++)
        if (is_node(causal, node) && ordering->missing[node] == 0)
            ordering->queue[end++] = node;
    for (; taken < end; taken++) {
        uint32_t from = ordering->queue[taken];
        for (uint32_t i = ordering->starts[from]; i < ordering->starts[from + 1]; i++)
            if (--ordering->missing[ordering->targets[i]] == 0)
                ordering->queue[end++] = ordering->targets[i];
    }
    return taken;
}

/* What is not taken has an edge from something that is not taken: followed back often enough, that is a cycle. */
static void suspect_cycle(struct guarantee *guarantee, const struct ordering *ordering)
{
    struct causal *causal = guarantee->causal;
    const struct causal_edges *edges = &guarantee->edges;
    uint32_t *came = heap_alloc(causal->heap, (2 * (size_t)causal->count + 1) * sizeof *came); /* an edge to it */
    bool room = came != NULL;
    if (room) {
        uint32_t node = 0;
        for (uint32_t i = 0; i < edges->count; i++)
            if (ordering->missing[edges->from[i]] > 0)
                came[edges->to[i]] = i;
        while (ordering->missing[node] == 0)
            node++;
        for (uint32_t i = 0; i < 2 * causal->count; i++)
            node = edges->from[came[node]];
        uint32_t begin = node;
        do {
            uint32_t by = came[node], from = operation_of(causal, edges->from[by]);
            room = room && causal_suspect(guarantee->suspects, operation_of(causal, edges->to[by])) &&
                   causal_suspect_path(causal, guarantee->suspects, from, edges->reason[by]);
            node = edges->from[by];
        } while (node != begin);
    }
    if (!room)
        causal_out_of_memory(guarantee->out);
    heap_free(causal->heap, came);
}

/* The writes among the nodes taken, as operations of the record. */
static void give_order(struct guarantee *guarantee, struct ordering *ordering, uint32_t taken)
{
    const struct causal *causal = guarantee->causal;
    uint32_t writes = 0;
    for (uint32_t i = 0; i < taken; i++)
        if (ordering->queue[i] < causal->count)
            ordering->queue[writes++] = causal->list[ordering->queue[i]].recorded;
    guarantee->out->operations = ordering->queue;
    guarantee->out->operation_count = writes;
    ordering->queue = NULL;
}

static void order_writes(struct guarantee *guarantee)
{
    struct causal *causal = guarantee->causal;
    struct ordering ordering = {0};
    if (!ordering_init(&ordering, guarantee)) {
        causal_out_of_memory(guarantee->out);
    } else {
        uint32_t nodes = 0, taken = take_all(&ordering, causal);
        for (uint32_t node = 0; node < 2 * causal->count; node++)
            nodes += is_node(causal, node);
        if (taken < nodes) {
            causal_illegal(guarantee->out, causal_level_name(guarantee->level));
            suspect_cycle(guarantee, &ordering);
        } else {
            give_order(guarantee, &ordering, taken);
        }
    }
    ordering_free(&ordering, causal->heap);
}

/* ---- all together ---- */

static void gather(struct guarantee *guarantee)
{
    struct causal *causal = guarantee->causal;
    uint32_t *cycle, count;
    switch (guarantee->level) {
    case CAUSAL_LEVEL_MONOTONIC_WRITES:
        for (uint32_t s = 0; s < causal->session_count; s++)
            walk_writes(guarantee, s, guarantee->seen);
        order_own_writes(guarantee);
        return;
    case CAUSAL_LEVEL_WRITES_FOLLOW_READS:
        if (!index_reads(guarantee)) {
            causal_out_of_memory(guarantee->out);
            return;
        }
        switch (causal_sort(causal, CAUSAL_ALL_READS, 0, NULL, &cycle, &count)) {
        case CAUSAL_SORTED:
            check_follow(guarantee);
            return;
        case CAUSAL_CYCLE: /* a write was seen before what its session had to see first */
            causal_illegal(guarantee->out, causal_level_name(guarantee->level));
            for (uint32_t i = 0; i < count; i++)
                causal_suspect(guarantee->suspects, cycle[i]);
            heap_free(causal->heap, cycle);
            return;
        case CAUSAL_NO_MEMORY:
            causal_out_of_memory(guarantee->out);
            return;
        }
        return;
    case CAUSAL_LEVEL_READ_YOUR_WRITES:
        for (uint32_t s = 0; s < causal->session_count; s++)
            walk_own_writes(guarantee, s);
        return;
    default:
        for (uint32_t s = 0; s < causal->session_count; s++)
            walk_own_reads(guarantee, s);
    }
}

void causal_check_session(struct causal *causal, enum causal_level level, struct causal_suspects *suspects,
                          struct verdict *out)
{
    struct heap *heap = causal->heap;
    struct guarantee guarantee = {.causal = causal, .level = level, .suspects = suspects, .out = out};
    causal_edges_init(&guarantee.edges, heap);
    guarantee.last = heap_alloc(heap, ((size_t)causal->key_count + 1) * sizeof(uint32_t));
    guarantee.touched = heap_alloc_zero(heap, ((size_t)causal->key_count + 1) * sizeof(uint32_t));
    guarantee.previous = heap_alloc(heap, ((size_t)causal->count + 1) * sizeof(uint32_t));
    guarantee.seen = heap_alloc(heap, ((size_t)causal->session_count + 1) * sizeof(uint32_t));
    if (guarantee.last == NULL || guarantee.previous == NULL || guarantee.touched == NULL || guarantee.seen == NULL)
        causal_out_of_memory(out);
    if (out->kind == VERDICT_OK)
        gather(&guarantee);
    if (out->kind == VERDICT_OK)
        order_writes(&guarantee);
    out->work = causal->count;
    heap_free(heap, guarantee.last);
    heap_free(heap, guarantee.previous);
    heap_free(heap, guarantee.touched);
    heap_free(heap, guarantee.seen);
    heap_free(heap, guarantee.reads);
    heap_free(heap, guarantee.read_starts);
    causal_edges_free(&guarantee.edges);
}
