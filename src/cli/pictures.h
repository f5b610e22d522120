/* The options of traces and pictures, the same for every subcommand that runs something: --trace, --diagram, --html,
 * --shiviz, and those that say what a diagram shows.
 *
 *     struct pictures pictures = {0};
 *     while options are read:  if (pictures_takes(name)) status = pictures_option("sim", &pictures, name, value);
 *     struct world_tracer tracer; it points to `pictures`, which must stay where it is
 *     pictures_begin("sim", &pictures, "lockstep sim raft --seed 7", "raft", &tracer);  before the run
 *     … the run, with the tracer …
 *     pictures_end("sim", &pictures);                                                   after it
 */
#ifndef LOCKSTEP_CLI_PICTURES_H
#define LOCKSTEP_CLI_PICTURES_H

#include <stdbool.h>
#include <stdio.h>

#include "lab/diagram/diagram.h"
#include "lab/trace/trace.h"
#include "lab/trace/trace_text.h"

struct pictures {
    const char *trace_path; /* FILE.jsonl: stored; else text, written as the run goes */
    const char *diagram_path, *html_path, *shiviz_path;
    struct diagram_options diagram;
    struct heap *heap; /* NULL: nothing is wanted */
    struct trace trace;
    struct trace_text text;
    struct world_tracer tracers[2]; /* what the tracer of the run tells on to */
};

/* Whether an option is one of these. All take a value, but for --vectors (pictures_takes_value). */
bool pictures_takes(const char *name);
bool pictures_takes_value(const char *name);
/* CLI_OK, or CLI_USAGE after a message. `who` is the subcommand, for messages. */
int pictures_option(const char *who, struct pictures *pictures, const char *name, const char *value);
/* Whether anything is to be written: then there can be one run only. */
bool pictures_wanted(const struct pictures *pictures);
/* The lines of --help. */
void pictures_help(FILE *out);

/* Checks that the files can be written and gives the tracer for the run, an empty one when nothing is wanted. `title`
 * stands above the pictures: the command that makes the run again. CLI_OK, or CLI_FAILED after a message. */
int pictures_begin(const char *who, struct pictures *pictures, const char *title, const char *protocol,
                   struct world_tracer *tracer);
/* Writes the files, and frees everything. CLI_OK, or CLI_FAILED after a message. */
int pictures_end(const char *who, struct pictures *pictures);

/* The same for a trace that is there already; it is finished here. */
int pictures_draw(const char *who, const struct pictures *pictures, struct trace *trace);

#endif
