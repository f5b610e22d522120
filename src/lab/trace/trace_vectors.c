/* Vector timestamps: one pass in the order of time, for an item can only depend on earlier ones. */
#include "lab/trace/trace_vectors.h"

#include <string.h>

static void merge(uint32_t *into, const uint32_t *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        into[i] = into[i] > from[i] ? into[i] : from[i];
}

bool trace_vectors_make(struct trace_vectors *vectors, const struct trace *trace)
{
    uint32_t lines = trace->line_count;
    size_t size = (size_t)lines * sizeof(uint32_t);
    *vectors = (struct trace_vectors){.heap = trace->heap, .lines = lines};
    vectors->counts = heap_alloc_zero(trace->heap, ((size_t)trace->item_count + 1) * size);
    uint32_t *latest = heap_alloc_zero(trace->heap, lines * size + 1); /* of each line */
    if (vectors->counts == NULL || latest == NULL) {
        heap_free(trace->heap, latest);
        trace_vectors_free(vectors);
        return false;
    }
    for (uint32_t i = 0; i < trace->item_count; i++) {
        const struct trace_item *item = &trace->items[i];
        if (item->line == TRACE_NONE)
            continue;
        uint32_t *own = latest + (size_t)item->line * lines;
        if (item->kind == TRACE_STEP) {
            own[item->line]++;
            if (item->arrow != TRACE_NONE)
                merge(own, trace_vector(vectors, trace->arrows[item->arrow].send_item), lines);
        }
        memcpy(vectors->counts + (size_t)i * lines, own, size);
    }
    heap_free(trace->heap, latest);
    return true;
}

void trace_vectors_free(struct trace_vectors *vectors)
{
    heap_free(vectors->heap, vectors->counts);
    vectors->counts = NULL;
}
