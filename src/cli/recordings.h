/* Recordings of nodes as files: one, or all *.rec files of a directory. */
#ifndef LOCKSTEP_CLI_RECORDINGS_H
#define LOCKSTEP_CLI_RECORDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/trace/trace_recordings.h"

struct recordings {
    struct trace_recording list[TRACE_RECORDINGS_MAX];
    uint32_t count;
};

/* True when the path is a directory or a name that ends in .rec. */
bool recordings_takes(const char *path);
/* Maps the recording, or those of the directory in the order of their names. CLI_OK, or CLI_FAILED after a message that
 * begins with "lockstep WHO". What is mapped stays so until the program ends. */
int recordings_add(const char *who, struct recordings *recordings, const char *path);

#endif
