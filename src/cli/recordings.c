/* Finding and mapping recordings (recordings.h). */
#include "cli/recordings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

static bool is_directory(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static bool is_recording_name(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".rec") == 0;
}

bool recordings_takes(const char *path)
{
    return is_directory(path) || is_recording_name(path);
}

static int complain(const char *who, const char *path, const char *what)
{
    fprintf(stderr, "lockstep %s: %s: %s\n", who, path, what);
    return CLI_FAILED;
}

static int add_file(const char *who, struct recordings *recordings, const char *path)
{
    if (recordings->count == TRACE_RECORDINGS_MAX)
        return complain(who, path, "at most 64 recordings are taken at a time");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    struct span bytes = {0};
    bool good = file >= 0 && fstat(file, &about) == 0;
    if (good && about.st_size > 0) {
        void *mapped = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        good = mapped != MAP_FAILED;
        if (good)
            bytes = span_of(mapped, (size_t)about.st_size);
    }
    int error = errno;
    if (file >= 0)
        close(file);
    char *name = strdup(path);
    if (!good || name == NULL)
        return complain(who, path, good ? "there is no memory" : strerror(error));
    recordings->list[recordings->count++] = (struct trace_recording){.name = name, .bytes = bytes};
    return CLI_OK;
}

static int only_recordings(const struct dirent *entry)
{
    return is_recording_name(entry->d_name);
}

static int add_directory(const char *who, struct recordings *recordings, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, only_recordings, alphasort);
    if (count < 0)
        return complain(who, path, strerror(errno));
    int status = count > 0 ? CLI_OK : complain(who, path, "there is no recording (*.rec) in this directory");
    for (int i = 0; i < count; i++) {
        char file[4096];
        int length = snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (status == CLI_OK)
            status = length > 0 && (size_t)length < sizeof file ? add_file(who, recordings, file)
                                                                : complain(who, path, "the path is too long");
        free(entries[i]);
    }
    free(entries);
    return status;
}

int recordings_add(const char *who, struct recordings *recordings, const char *path)
{
    return is_directory(path) ? add_directory(who, recordings, path) : add_file(who, recordings, path);
}
