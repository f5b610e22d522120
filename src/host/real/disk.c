/* The real disk (disk.h).
 *
 * A handle is a place in a table of open files. A file that is closed while an operation on it is under way stays open
 * until that is done: its descriptor would else be given to another file, which the operation would then write to. */
#include "host/real/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/panic.h"
#include "host/real/clock.h"
#include "host/real/disk_file.h"
#include "host/real/disk_worker.h"

enum {
    FILES_MAX = 4096,
    ROOM_AGE_MS = 50,
    AVERAGE_SHIFT = 3, /* the moving average takes an eighth of each new measurement */
};

#define LOCK_NAME "lock"

struct file {
    int fd; /* -1: the place is free */
    bool synced;
    bool closing;
    uint32_t pending;
};

struct real_disk {
    struct disk door; /* first: the door's functions get a pointer to it */
    struct real_disk_options options;
    int directory, lock;
    struct file *files;
    uint32_t file_count; /* places in use so far */
    struct disk_worker *log_worker, *worker;
    uv_async_t wake;
    struct disk_job *free_jobs;
    uint32_t pending, log_pending;
    struct real_disk_counters counters;
    uint64_t room;
    int64_t room_read_ns; /* 0: ask again */
};

static struct real_disk *real(struct disk *door)
{
    return (struct real_disk *)door;
}

/* ---- files ---- */

static struct file *file_of(struct real_disk *disk, uint32_t handle)
{
    invariant(handle < disk->file_count && disk->files[handle].fd >= 0, "a disk handle is open");
    return &disk->files[handle];
}

static void file_close_if_idle(struct file *file)
{
    if (!file->closing || file->pending > 0)
        return;
    close(file->fd);
    *file = (struct file){.fd = -1};
}

static int door_open(struct disk *door, const char *name, bool create, uint32_t *handle)
{
    struct real_disk *disk = real(door);
    if (!disk_name_is_valid(name))
        return ERROR_INVALID;
    uint32_t place = 0;
    while (place < disk->file_count && disk->files[place].fd >= 0)
        place++;
    if (place == FILES_MAX)
        return ERROR_BUSY;
    bool synced;
    int fd = disk_file_open(disk->directory, name, create, &synced);
    if (fd < 0)
        return fd;
    if (place == disk->file_count)
        disk->file_count++;
    disk->files[place] = (struct file){.fd = fd, .synced = synced};
    *handle = place;
    return OK;
}

static void door_close(struct disk *door, uint32_t handle)
{
    struct file *file = file_of(real(door), handle);
    file->closing = true;
    file_close_if_idle(file);
}

static int door_size(struct disk *door, uint32_t handle, uint64_t *size_bytes)
{
    struct stat stat;
    if (fstat(file_of(real(door), handle)->fd, &stat) != 0)
        return disk_error_from_errno(errno);
    *size_bytes = (uint64_t)stat.st_size;
    return OK;
}

static int door_read(struct disk *door, uint32_t handle, uint64_t offset, void *data, size_t size)
{
    return disk_file_read(file_of(real(door), handle)->fd, offset, data, size);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Collects the names first: `visit` may remove files. */
static size_t names_read(DIR *directory, char ***names_out)
{
    char **names = NULL;
    size_t count = 0, capacity = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (!disk_name_is_valid(entry->d_name) || strcmp(entry->d_name, LOCK_NAME) == 0)
            continue;
        if (count == capacity) {
            capacity = capacity * 2 + 64;
            char **larger = realloc(names, capacity * sizeof *names);
            if (larger == NULL)
                break;
            names = larger;
        }
        names[count] = strdup(entry->d_name);
        if (names[count] == NULL)
            break;
        count++;
    }
    *names_out = names;
    return count;
}

static int door_list(struct disk *door, void (*visit)(void *context, const char *name), void *context)
{
    int fd = openat(real(door)->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL)
        return disk_error_from_errno(errno);
    char **names;
    size_t count = names_read(directory, &names);
    closedir(directory);
    if (count > 0)
        qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        visit(context, names[i]);
        free(names[i]);
    }
    free(names);
    return OK;
}

/* Asked for every turn, while it changes slowly: the answer may be a little old. */
static uint64_t door_room(struct disk *door)
{
    struct real_disk *disk = real(door);
    int64_t now_ns = clock_monotone_ns();
    if (disk->room_read_ns != 0 && now_ns - disk->room_read_ns < ROOM_AGE_MS * NS_PER_MS)
        return disk->room;
    struct statvfs stat;
    disk->room = UINT64_MAX;
    if (fstatvfs(disk->directory, &stat) == 0)
        disk->room = (uint64_t)stat.f_bavail * stat.f_frsize;
    disk->room_read_ns = now_ns;
    return disk->room;
}

/* ---- operations ---- */

static int job_fill(struct real_disk *disk, struct disk_job *job, const struct disk_request *request)
{
    *job = (struct disk_job){
        .op = request->op,
        .directory = disk->directory,
        .fd = -1,
        .offset = request->offset,
        .data = request->data,
        .size = request->size,
        .token = request->token,
    };
    bool on_file = request->op == DISK_WRITE_DURABLE || request->op == DISK_WRITE || request->op == DISK_SYNC;
    if (on_file) {
        struct file *file = file_of(disk, request->handle);
        job->handle = request->handle;
        job->fd = file->fd;
        job->synced = file->synced;
        return OK;
    }
    if (!disk_name_is_valid(request->name) || (request->op == DISK_RENAME && !disk_name_is_valid(request->name_to)))
        return ERROR_INVALID;
    snprintf(job->name, sizeof job->name, "%s", request->name);
    if (request->op == DISK_RENAME)
        snprintf(job->name_to, sizeof job->name_to, "%s", request->name_to);
    return OK;
}

static void measure(struct real_disk *disk, const struct disk_job *job)
{
    if (job->op != DISK_WRITE_DURABLE || job->status != OK)
        return;
    struct real_disk_counters *counters = &disk->counters;
    counters->average_ns += (job->elapsed_ns - counters->average_ns) >> AVERAGE_SHIFT;
    if (job->elapsed_ns > counters->max_ns)
        counters->max_ns = job->elapsed_ns;
}

static int door_now(struct disk *door, const struct disk_request *request)
{
    struct real_disk *disk = real(door);
    struct disk_job job;
    int status = job_fill(disk, &job, request);
    if (status != OK)
        return status;
    disk_job_run(&job);
    measure(disk, &job);
    return job.status;
}

/* Overtaking a write that the thread has would let a later part of the log be durable before an earlier one. */
static bool runs_inline(const struct real_disk *disk, const struct disk_request *request)
{
    return request->op == DISK_WRITE_DURABLE && request->size < disk->options.inline_bytes_max &&
           disk->log_pending == 0 && disk->counters.average_ns < disk->options.slow_ns;
}

static struct disk_job *job_take(struct real_disk *disk)
{
    struct disk_job *job = disk->free_jobs;
    if (job == NULL)
        return malloc(sizeof *job);
    disk->free_jobs = job->next;
    return job;
}

static int submit_to_thread(struct real_disk *disk, const struct disk_request *request)
{
    struct disk_job *job = job_take(disk);
    if (job == NULL)
        return ERROR_NO_MEMORY;
    int status = job_fill(disk, job, request);
    if (status != OK) {
        free(job);
        return status;
    }
    if (job->fd >= 0)
        disk->files[job->handle].pending++;
    disk->pending++;
    if (job->op == DISK_WRITE_DURABLE) {
        disk->log_pending++;
        disk->counters.writes_threaded++;
        disk_worker_give(disk->log_worker, job);
    } else {
        disk_worker_give(disk->worker, job);
    }
    return DISK_PENDING;
}

static int door_submit(struct disk *door, const struct disk_request *request)
{
    struct real_disk *disk = real(door);
    if (!runs_inline(disk, request))
        return submit_to_thread(disk, request);
    disk->counters.writes_inline++;
    int status = door_now(door, request);
    return status == OK ? DISK_DONE : status;
}

static void finish(struct real_disk *disk, struct disk_job *job, bool tell)
{
    measure(disk, job);
    disk->pending--;
    if (disk_op_creates(job->op) || job->op == DISK_REMOVE)
        disk->room_read_ns = 0;
    if (job->op == DISK_WRITE_DURABLE)
        disk->log_pending--;
    if (job->fd >= 0) {
        struct file *file = &disk->files[job->handle];
        file->pending--;
        file_close_if_idle(file);
    }
    uint64_t token = job->token;
    int status = job->status;
    job->next = disk->free_jobs;
    disk->free_jobs = job;
    if (tell)
        disk->options.complete(disk->options.context, token, status);
}

static void finish_all(struct real_disk *disk, struct disk_worker *worker, bool tell)
{
    struct disk_job *job = disk_worker_take(worker);
    while (job != NULL) {
        struct disk_job *next = job->next;
        finish(disk, job, tell);
        job = next;
    }
}

static void on_wake(uv_async_t *wake)
{
    struct real_disk *disk = wake->data;
    finish_all(disk, disk->log_worker, true);
    finish_all(disk, disk->worker, true);
}

static void notify(void *context)
{
    uv_async_send(context);
}

/* ---- opening and closing ---- */

/* Makes the directory and those above it. */
static int make_directories(const char *path)
{
    char part[4096];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof part)
        return ERROR_INVALID;
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0750) != 0 && errno != EEXIST)
            return disk_error_from_errno(errno);
    }
    return OK;
}

static long lock_owner(int lock)
{
    char text[32] = "";
    ssize_t size = pread(lock, text, sizeof text - 1, 0);
    return size > 0 ? strtol(text, NULL, 10) : 0;
}

static int lock_directory(struct real_disk *disk, char *why, size_t why_size)
{
    const char *path = disk->options.path;
    disk->lock = openat(disk->directory, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (disk->lock < 0) {
        snprintf(why, why_size, "cannot write in data directory %s: %s; give it to this user or choose another --data",
                 path, strerror(errno));
        return ERROR_PERMISSION;
    }
    if (flock(disk->lock, LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, why_size,
                 "data directory %s is in use by process %ld; stop that process first, or choose another --data", path,
                 lock_owner(disk->lock));
        return ERROR_BUSY;
    }
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* Who has the lock is for people only; the lock itself does not depend on it. */
    if (ftruncate(disk->lock, 0) == 0 && pwrite(disk->lock, text, (size_t)size, 0) != size)
        (void)ftruncate(disk->lock, 0);
    return OK;
}

static int open_directory(struct real_disk *disk, char *why, size_t why_size)
{
    const char *path = disk->options.path;
    int status = make_directories(path);
    if (status == OK) {
        disk->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        status = disk->directory >= 0 ? OK : disk_error_from_errno(errno);
    }
    if (status != OK) {
        snprintf(why, why_size, "cannot open data directory %s: %s; choose another --data", path, strerror(errno));
        return status;
    }
    return lock_directory(disk, why, why_size);
}

static int start_workers(struct real_disk *disk, uv_loop_t *loop)
{
    disk->wake.data = disk;
    int status = disk_worker_start(&disk->log_worker, notify, &disk->wake);
    if (status == OK)
        status = disk_worker_start(&disk->worker, notify, &disk->wake);
    /* The threads wake the loop only once they have been given something. */
    if (status == OK && uv_async_init(loop, &disk->wake, on_wake) != 0)
        status = ERROR_NO_MEMORY;
    if (status != OK)
        real_disk_stop(disk);
    return status;
}

static const struct disk door = {
    .submit = door_submit,
    .now = door_now,
    .open = door_open,
    .close = door_close,
    .size = door_size,
    .read = door_read,
    .list = door_list,
    .room = door_room,
};

int real_disk_open(struct real_disk **out, uv_loop_t *loop, const struct real_disk_options *options, char *why,
                   size_t why_size)
{
    struct real_disk *disk = calloc(1, sizeof *disk);
    struct file *files = calloc(FILES_MAX, sizeof *files);
    if (disk == NULL || files == NULL) {
        free(disk);
        free(files);
        snprintf(why, why_size, "there is no memory to open data directory %s", options->path);
        return ERROR_NO_MEMORY;
    }
    *disk = (struct real_disk){.door = door, .options = *options, .directory = -1, .lock = -1, .files = files};
    int status = open_directory(disk, why, why_size);
    if (status == OK) {
        status = start_workers(disk, loop);
        if (status != OK)
            snprintf(why, why_size, "cannot start the threads for data directory %s", options->path);
    }
    if (status != OK) {
        if (disk->directory >= 0)
            close(disk->directory);
        if (disk->lock >= 0)
            close(disk->lock);
        free(files);
        free(disk);
        return status;
    }
    *out = disk;
    return OK;
}

struct disk *real_disk_door(struct real_disk *disk)
{
    return &disk->door;
}

const struct real_disk_counters *real_disk_counters(const struct real_disk *disk)
{
    return &disk->counters;
}

uint32_t real_disk_pending(const struct real_disk *disk)
{
    return disk->pending;
}

static void end_worker(struct real_disk *disk, struct disk_worker **worker)
{
    if (*worker == NULL)
        return;
    disk_worker_stop(*worker);
    finish_all(disk, *worker, false);
    disk_worker_free(*worker);
    *worker = NULL;
}

void real_disk_stop(struct real_disk *disk)
{
    end_worker(disk, &disk->log_worker);
    end_worker(disk, &disk->worker);
}

void real_disk_close(struct real_disk *disk)
{
    real_disk_stop(disk);
    uv_close((uv_handle_t *)&disk->wake, NULL);
    for (uint32_t i = 0; i < disk->file_count; i++)
        if (disk->files[i].fd >= 0)
            close(disk->files[i].fd);
    disk->file_count = 0;
    close(disk->directory);
    close(disk->lock);
    disk->directory = disk->lock = -1;
}

void real_disk_free(struct real_disk *disk)
{
    while (disk->free_jobs != NULL) {
        struct disk_job *job = disk->free_jobs;
        disk->free_jobs = job->next;
        free(job);
    }
    free(disk->files);
    free(disk);
}
