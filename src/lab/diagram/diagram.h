/* Space-time diagrams of finished traces.
 *
 * A member is a vertical line, time runs down, and a message is an arrow from where it was sent to where it was
 * received (Lamport, "Time, clocks, and the ordering of events in a distributed system", CACM 21(7), 1978). What
 * happened one after the other stands one below the other: distances are not to scale, or nothing could be read, but
 * longer pauses leave more room. Down, paused and cut show as lanes, a broken property as a bar across all lines.
 *
 * Steps that neither receive, send, answer nor note anything are left out, and so are first starts. What different
 * members do at the same instant stands side by side, unless one caused the other. */
#ifndef LOCKSTEP_LAB_DIAGRAM_H
#define LOCKSTEP_LAB_DIAGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lab/trace/trace.h"

enum {
    DIAGRAM_ROWS_DEFAULT = 60,
    DIAGRAM_ROWS_MAX = 2000, /* of one SVG */
    DIAGRAM_LINES_MAX = 24,
};

struct diagram_options {
    bool window;              /* `from_ns` and `to_ns` are given; else the picture ends at the first violation, or
                                 begins with the trace where there is none */
    int64_t from_ns, to_ns;
    uint32_t rows;            /* at most; 0: DIAGRAM_ROWS_DEFAULT, or DIAGRAM_ROWS_MAX with a window */
    bool vectors;             /* vector timestamps at each event */
    const char *hide;         /* names of messages that are left out, separated by commas; NULL: none */
};

enum diagram_result { DIAGRAM_OK, DIAGRAM_NO_MEMORY, DIAGRAM_NOT_WRITTEN };

/* A picture for documents: one SVG without scripts, fonts or links, for light and dark pages. */
enum diagram_result diagram_write_svg(const struct trace *trace, const struct diagram_options *options, FILE *out);

/* A page to explore the whole trace in: one HTML file that needs no network. */
enum diagram_result diagram_write_html(const struct trace *trace, FILE *out);

#endif
