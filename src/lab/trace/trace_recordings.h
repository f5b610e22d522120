/* One trace from the recordings of several nodes (node/recording.h): the members are stepped again, and what they were
 * told and wanted is put in an order that keeps causality: nothing is received before it was sent, whatever the nodes'
 * clocks say. Among what causality leaves open the wall clocks decide.
 *
 * Recordings of several starts of one node follow one another, with its being down between them. */
#ifndef LOCKSTEP_LAB_TRACE_RECORDINGS_H
#define LOCKSTEP_LAB_TRACE_RECORDINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "lab/trace/trace.h"

enum { TRACE_RECORDINGS_MAX = 64 };

struct trace_recording {
    const char *name; /* of its file, for sentences */
    struct span bytes; /* borrowed until the trace is done */
};

/* Adds everything to an empty trace; trace_finish is the caller's. Members' memory comes from the heap. 0, or a negative
 * error and a sentence that names the recording: it is none, its protocol cannot read it (ERROR_CORRUPT), it differs from
 * its replay (ERROR_INVALID), or there is no memory. One that is damaged ends where it is, with a mark. */
int trace_recordings(struct trace *trace, struct heap *heap, const struct trace_recording *recordings, uint32_t count,
                     char *why, size_t why_size);

#endif
