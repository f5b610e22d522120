/* Recording to a file (record_file.h). */
#include "host/real/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "base/time.h"

enum { KEPT_BYTES = 1 << 20 }; /* of the buffer, once it is written */

static const size_t HEAP_BYTES = (size_t)4 << 30; /* address space: restoring a large log is recorded before a turn */

int record_file_open(struct record_file *record, const char *directory, struct node_options *options,
                     const char *build, char *why, size_t why_size)
{
    *record = (struct record_file){.file = -1};
    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        snprintf(why, why_size, "the directory for recordings %s cannot be made: %s", directory, strerror(errno));
        return ERROR_IO;
    }
    int length = snprintf(record->path, sizeof record->path, "%s/node-%u-%" PRId64 ".rec", directory, options->id,
                          options->wall_ns / NS_PER_MS);
    if (length < 0 || (size_t)length >= sizeof record->path) {
        snprintf(why, why_size, "the name of the directory for recordings is longer than 450 bytes");
        return ERROR_INVALID;
    }
    record->file = open(record->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (record->file < 0) {
        snprintf(why, why_size, "the recording %s cannot be made: %s", record->path, strerror(errno));
        return ERROR_IO;
    }
    record->heap = heap_create_system(HEAP_BYTES);
    if (record->heap == NULL) {
        record_file_close(record);
        snprintf(why, why_size, "the system refuses %zu MiB of address space for recording; see ulimit -v",
                 HEAP_BYTES >> 20);
        return ERROR_NO_MEMORY;
    }
    recorder_begin(&record->recorder, record->heap, options, build);
    record->observer = recorder_observer(&record->recorder);
    options->observer = &record->observer;
    return OK;
}

static void give_up(struct record_file *record, struct report *reports, const char *what)
{
    report(reports, REPORT_WARNING, "recording to %s has ended: %s; the node goes on without it", record->path, what);
    close(record->file);
    record->file = -1;
    record->recorder.full = true;
}

void record_file_flush(struct record_file *record, struct report *reports)
{
    struct buffer *out = &record->recorder.out;
    if (record->file < 0) return;
    for (size_t at = 0; at < out->size;) {
        ssize_t written = write(record->file, out->data + at, out->size - at);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            give_up(record, reports, strerror(errno));
            break;
        }
        at += (size_t)written;
    }
    if (out->capacity > KEPT_BYTES)
        buffer_free(out);
    else
        buffer_clear(out);
    if (record->file >= 0 && record->recorder.full) give_up(record, reports, "there was no memory for it");
}

void record_file_close(struct record_file *record)
{
    if (record->file >= 0) close(record->file);
    record->file = -1;
    heap_destroy_system(record->heap);
    record->heap = NULL;
}
