/* Vector timestamps of a finished trace: before two steps one happened, or neither, and the vectors tell.
 *
 * Each step counts up its own line's component; a reception first takes the maximum with the vector of the step that
 * sent the message. A mark has the vector of its line as it stands, and does not count. Sources: Mattern, "Virtual time
 * and global states of distributed systems", 1988, section 4; Fidge, "Timestamps in message-passing systems", 1988. */
#ifndef LOCKSTEP_LAB_TRACE_VECTORS_H
#define LOCKSTEP_LAB_TRACE_VECTORS_H

#include "lab/trace/trace.h"

struct trace_vectors {
    struct heap *heap;
    uint32_t *counts; /* item by item, `lines` components each */
    uint32_t lines;
};

/* Computes all of them: 4 bytes for each item and line. False: the heap has no room for that. */
bool trace_vectors_make(struct trace_vectors *vectors, const struct trace *trace);
void trace_vectors_free(struct trace_vectors *vectors);

static inline const uint32_t *trace_vector(const struct trace_vectors *vectors, uint32_t item)
{
    return vectors->counts + (size_t)item * vectors->lines;
}

#endif
