/* Traces in files: JSON Lines, one object an item. docs/diagrams.md describes the form.
 *
 * What is written and read again is the same trace: arrows are found anew from the keys that are stored with sendings
 * and receptions. */
#ifndef LOCKSTEP_LAB_TRACE_STORE_H
#define LOCKSTEP_LAB_TRACE_STORE_H

#include <stddef.h>
#include <stdio.h>

#include "lab/trace/trace.h"

enum { TRACE_VERSION = 1 };

/* Writes a trace, finished or not. False: writing failed; errno says why. */
bool trace_write(const struct trace *trace, FILE *out);

/* Reads one into an empty trace, which is not finished then. 0, or a negative error with a sentence in `why` that names
 * the line: ERROR_INVALID for what is no such trace, ERROR_VERSION, ERROR_IO, ERROR_TOO_LARGE. */
int trace_read(struct trace *trace, FILE *in, char *why, size_t why_size);

/* Writes text as a JSON string with its quotes. */
void trace_write_json(FILE *out, struct span text);

#endif
