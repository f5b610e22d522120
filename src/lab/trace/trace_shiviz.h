/* A finished trace in the log format of ShiViz (Beschastnikh, Wang, Brun, Ernst: "Debugging distributed systems", CACM
 * 59(8), 2016), a browser tool that draws such logs: two lines an event, as its GoVector library writes them by
 * default:
 *
 *     n1 {"n1":3, "n2":1}
 *     MESSAGE VOTE term=1 …
 *
 * The regular expression that reads it stands in the first line of the file, where ShiViz looks for it; the second
 * line, the delimiter of several executions, is empty. A host's own component begins with 1 and rises by one, as ShiViz
 * demands. */
#ifndef LOCKSTEP_LAB_TRACE_SHIVIZ_H
#define LOCKSTEP_LAB_TRACE_SHIVIZ_H

#include <stdio.h>

#include "lab/trace/trace.h"

enum trace_shiviz_result { SHIVIZ_OK, SHIVIZ_NO_MEMORY, SHIVIZ_NOT_WRITTEN };

/* Writes every step. Marks have no clock, so they are left out. */
enum trace_shiviz_result trace_write_shiviz(const struct trace *trace, FILE *out);

#endif
