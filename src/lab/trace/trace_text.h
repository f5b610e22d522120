/* A trace as text, for people and for grep: one line for each event, effect and mark, written as they happen.
 *
 *     1.004218 n2 MESSAGE VOTE term=1 last_index=0 last_term=0 from n1
 *     1.004218 n2   SEND to n1 GRANT term=1 after=1
 *     1.310000 -- ** CUT n1 n2 | n3 n4 n5
 *
 * The first column is the world's time in seconds, the second the node. */
#ifndef LOCKSTEP_LAB_TRACE_TEXT_H
#define LOCKSTEP_LAB_TRACE_TEXT_H

#include <stdio.h>

#include "base/heap.h"
#include "host/world/world.h"

struct trace_text {
    FILE *out;         /* borrowed; who closes it sees whether writing went well */
    struct heap *heap; /* borrowed; for the time of a call */
};

struct world_tracer trace_text_tracer(struct trace_text *text);

#endif
