/* The file that a node started with --record writes what its members are told to (node/recording.h): one file for each
 * start, DIRECTORY/node-ID-MILLISECONDS.rec. Written once a turn, without waiting for the disk: after a crash of the
 * process all of it is there, after one of the machine perhaps not.
 *
 * A recording grows for as long as the node runs; when its file cannot be written or memory is short, recording ends
 * with a warning and the node goes on. */
#ifndef LOCKSTEP_HOST_REAL_RECORD_FILE_H
#define LOCKSTEP_HOST_REAL_RECORD_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "host/real/report.h"
#include "node/recording.h"

struct record_file {
    int file; /* -1: not open */
    struct heap *heap;
    struct recorder recorder;
    struct node_observer observer;
    char path[512];
};

/* Makes the directory if need be, and the file, and begins the recording: `options` then name its observer. 0, or a
 * negative error and a sentence. */
int record_file_open(struct record_file *record, const char *directory, struct node_options *options,
                     const char *build, char *why, size_t why_size);
/* Writes what has gathered. */
void record_file_flush(struct record_file *record, struct report *reports);
void record_file_close(struct record_file *record);

#endif
