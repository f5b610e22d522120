/* Counter-histories: from the operations that a checker suspects to the fewest that still break the level.
 *
 * Leaving a write out leaves the reads of it out too: a read of a value that nobody wrote would be another fault. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/causal/causal_internal.h"

enum { TOLD_MAX = 8, TOLD_SIZE = 100 };

bool causal_suspect(struct causal_suspects *suspects, uint32_t operation)
{
    if (operation >= CAUSAL_THIN_AIR)
        return true;
    if (suspects->count == suspects->capacity) {
        uint32_t capacity = suspects->capacity > 0 ? 2 * suspects->capacity : 64;
        uint32_t *list = heap_resize(suspects->heap, suspects->list, capacity * sizeof *list);
        if (list == NULL)
            return false;
        suspects->list = list;
        suspects->capacity = capacity;
    }
    suspects->list[suspects->count++] = operation;
    return true;
}

/* ---- chains ---- */

/* The search went from `read` in its session to its write, so that all up to it in the write's session are reached. */
struct hop {
    uint32_t read, parent; /* parent: hop that reached the read's session, or CAUSAL_NONE */
    uint32_t session, reach;
};

struct chain {
    const struct causal *causal;
    struct hop *hops;
    uint32_t count, capacity;
    uint32_t *reach; /* of each session: how many of its operations are known to be before the end */
};

static bool hop(struct chain *chain, uint32_t session, uint32_t reach, uint32_t read, uint32_t parent)
{
    if (chain->count == chain->capacity) {
        uint32_t capacity = chain->capacity > 0 ? 2 * chain->capacity : 64;
        struct hop *hops = heap_resize(chain->causal->heap, chain->hops, capacity * sizeof *hops);
        if (hops == NULL)
            return false;
        chain->hops = hops;
        chain->capacity = capacity;
    }
    chain->hops[chain->count++] = (struct hop){read, parent, session, reach};
    return true;
}

/* Breadth first, from the end back; each operation is looked at once. Returns the hop that reached `a`, or CAUSAL_NONE. */
static uint32_t search(struct chain *chain, uint32_t a, uint32_t b, bool *room)
{
    const struct causal *causal = chain->causal;
    const struct causal_operation *from = &causal->list[a], *to = &causal->list[b];
    *room = hop(chain, to->session, to->place, CAUSAL_NONE, CAUSAL_NONE);
    for (uint32_t at = 0; *room && at < chain->count; at++) {
        struct hop now = chain->hops[at];
        if (now.session == from->session && now.reach >= from->place)
            return at;
        for (uint32_t place = chain->reach[now.session] + 1; *room && place <= now.reach; place++) {
            uint32_t operation = causal_at(causal, now.session, place);
            const struct causal_operation *it = &causal->list[operation];
            if (it->write || it->source == CAUSAL_INITIAL)
                continue;
            const struct causal_operation *source = &causal->list[it->source];
            if (source->place > chain->reach[source->session])
                *room = hop(chain, source->session, source->place, operation, at);
        }
        if (chain->reach[now.session] < now.reach)
            chain->reach[now.session] = now.reach;
    }
    return CAUSAL_NONE;
}

bool causal_suspect_path(const struct causal *causal, struct causal_suspects *suspects, uint32_t a, uint32_t b)
{
    struct chain chain = {.causal = causal};
    chain.reach = heap_alloc_zero(causal->heap, ((size_t)causal->session_count + 1) * sizeof *chain.reach);
    bool room = chain.reach != NULL && causal_suspect(suspects, a) && causal_suspect(suspects, b);
    uint32_t found = room ? search(&chain, a, b, &room) : CAUSAL_NONE;
    for (; room && found != CAUSAL_NONE && chain.hops[found].read != CAUSAL_NONE; found = chain.hops[found].parent)
        room = causal_suspect(suspects, chain.hops[found].read) &&
               causal_suspect(suspects, causal->list[chain.hops[found].read].source);
    heap_free(causal->heap, chain.hops);
    heap_free(causal->heap, chain.reach);
    return room;
}

/* ---- shrinking ---- */

static int by_number(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    return (first > second) - (first < second);
}

/* Rising, each once, and what every read saw. */
static bool complete(const struct causal *causal, struct causal_suspects *suspects)
{
    bool room = true;
    for (uint32_t i = 0, count = suspects->count; room && i < count; i++)
        if (!causal->list[suspects->list[i]].write)
            room = causal_suspect(suspects, causal->list[suspects->list[i]].source);
    if (suspects->count == 0)
        return room;
    qsort(suspects->list, suspects->count, sizeof *suspects->list, by_number);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < suspects->count; i++)
        if (suspects->list[i] != suspects->list[kept - 1])
            suspects->list[kept++] = suspects->list[i];
    suspects->count = kept;
    return room;
}

/* Is the level broken by these operations alone? On true `list` is replaced by those that took part. */
static bool broken_by(const struct causal *causal, enum causal_level level, uint32_t *list, uint32_t *count,
                      char anomaly[VERDICT_ANOMALY_SIZE])
{
    struct causal part;
    struct verdict verdict = {.kind = VERDICT_OK};
    struct causal_suspects ignored = {.heap = causal->heap};
    if (!causal_part(&part, causal, list, *count))
        return false;
    causal_check_level(&part, level, &ignored, &verdict);
    bool broken = verdict.kind == VERDICT_ILLEGAL;
    if (broken) {
        snprintf(anomaly, VERDICT_ANOMALY_SIZE, "%s", verdict.anomaly);
        uint32_t kept = 0;
        for (uint32_t i = 0; i < *count && kept < part.count; i++)
            if (causal->list[list[i]].recorded == part.list[kept].recorded)
                list[kept++] = list[i];
        *count = kept;
    }
    heap_free(causal->heap, ignored.list);
    verdict_clear(&verdict, causal->heap);
    causal_free(&part);
    return broken;
}

/* Leaves out runs of operations, long ones first (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
 * input", 2002), and goes on with what is left when that still breaks the level; ends when no single one can go. */
static void shrink(const struct causal *causal, enum causal_level level, struct causal_suspects *suspects,
                   uint32_t *room, char anomaly[VERDICT_ANOMALY_SIZE])
{
    uint32_t run = suspects->count / 2 > 0 ? suspects->count / 2 : 1;
    for (bool smaller = false;; smaller = false) {
        for (uint32_t begin = 0; begin < suspects->count;) {
            uint32_t end = begin + run < suspects->count ? begin + run : suspects->count, count = 0;
            for (uint32_t i = 0; i < suspects->count; i++)
                if (i < begin || i >= end)
                    room[count++] = suspects->list[i];
            if (count == 0 || !broken_by(causal, level, room, &count, anomaly)) {
                begin = end;
                continue;
            }
            memcpy(suspects->list, room, count * sizeof *room);
            suspects->count = count;
            smaller = true;
            begin = begin < count ? begin : 0;
        }
        if (run == 1 && !smaller)
            return;
        run = run > 1 ? run / 2 : 1;
    }
}

static void tell(const struct causal *causal, struct verdict *out)
{
    size_t length = (size_t)snprintf(out->reason, sizeof out->reason, "%s:", out->anomaly);
    for (uint32_t i = 0; i < out->operation_count && i < TOLD_MAX && length + 2 < sizeof out->reason; i++) {
        char text[TOLD_SIZE];
        record_print_operation(causal->record, out->operations[i], text, sizeof text);
        int added = snprintf(out->reason + length, sizeof out->reason - length, "%s %s", i > 0 ? ";" : "", text);
        length += added > 0 ? (size_t)added : 0;
    }
    if (out->operation_count > TOLD_MAX && length < sizeof out->reason)
        snprintf(out->reason + length, sizeof out->reason - length, "; and %u more",
                 out->operation_count - TOLD_MAX);
}

/* Should the suspects not be enough, everybody is one. */
static bool suspect_all(const struct causal *causal, struct causal_suspects *suspects)
{
    suspects->count = 0;
    for (uint32_t at = 0; at < causal->count; at++)
        if (!causal_suspect(suspects, at))
            return false;
    return true;
}

/* Do they break the level? Those that took part remain. */
static bool enough(const struct causal *causal, enum causal_level level, struct causal_suspects *suspects,
                   char anomaly[VERDICT_ANOMALY_SIZE])
{
    return complete(causal, suspects) && broken_by(causal, level, suspects->list, &suspects->count, anomaly);
}

void causal_counter(const struct causal *causal, enum causal_level level, struct causal_suspects *suspects,
                    struct verdict *out)
{
    char anomaly[VERDICT_ANOMALY_SIZE];
    if (!enough(causal, level, suspects, anomaly) &&
        !(suspect_all(causal, suspects) && enough(causal, level, suspects, anomaly))) {
        causal_out_of_memory(out);
        return;
    }
    uint32_t *room = heap_alloc(causal->heap, ((size_t)suspects->count + 1) * sizeof *room);
    if (room == NULL) {
        causal_out_of_memory(out);
        return;
    }
    shrink(causal, level, suspects, room, anomaly);
    for (uint32_t i = 0; i < suspects->count; i++)
        room[i] = causal->list[suspects->list[i]].recorded;
    qsort(room, suspects->count, sizeof *room, by_number);
    heap_free(causal->heap, out->operations);
    out->operations = room;
    out->operation_count = suspects->count;
    tell(causal, out);
}
