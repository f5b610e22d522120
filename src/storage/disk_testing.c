/* A disk in memory for tests. A file has two images: what readers see, and what is stable. A durable write goes into
 * both when it completes; a plain one into the first until the file is synced. A crash decides sector by sector. */
#include "storage/disk_testing.h"

#include <string.h>

#include "base/error.h"
#include "base/panic.h"

static struct disk_testing *disk_of(struct disk *door)
{
    return (struct disk_testing *)(void *)door;
}

struct disk_testing_file *disk_testing_file(struct disk_testing *disk, const char *name)
{
    for (uint32_t i = 0; i < DISK_TESTING_FILES_MAX; i++)
        if (disk->files[i].used && strcmp(disk->files[i].name, name) == 0)
            return &disk->files[i];
    return NULL;
}

static struct disk_testing_file *file_create(struct disk_testing *disk, const char *name)
{
    for (uint32_t i = 0; i < DISK_TESTING_FILES_MAX; i++) {
        struct disk_testing_file *file = &disk->files[i];
        if (file->used)
            continue;
        *file = (struct disk_testing_file){.used = true};
        strcpy(file->name, name);
        return file;
    }
    invariant(false, "the test's disk has few files");
    return NULL;
}

static void file_drop(struct disk_testing *disk, struct disk_testing_file *file)
{
    if (file->open_count > 0) {
        file->name[0] = '\0';
        return;
    }
    heap_free(disk->heap, file->seen);
    heap_free(disk->heap, file->stable);
    heap_free(disk->heap, file->bad);
    *file = (struct disk_testing_file){0};
}

static void file_grow(struct disk_testing *disk, struct disk_testing_file *file, size_t size)
{
    if (size <= file->size)
        return;
    file->seen = heap_resize(disk->heap, file->seen, size);
    file->stable = heap_resize(disk->heap, file->stable, size);
    file->bad = heap_resize(disk->heap, file->bad, size / DISK_ALIGNMENT + 1);
    invariant(file->seen != NULL && file->stable != NULL && file->bad != NULL, "the test's heap is large enough");
    memset(file->seen + file->size, 0, size - file->size);
    memset(file->stable + file->size, 0, size - file->size);
    size_t blocks = (file->size + DISK_ALIGNMENT - 1) / DISK_ALIGNMENT;
    memset(file->bad + blocks, 0, size / DISK_ALIGNMENT + 1 - blocks);
    file->size = size;
}

static void file_write(struct disk_testing *disk, struct disk_testing_file *file, uint64_t offset,
                       const uint8_t *data, size_t size, bool durable)
{
    file_grow(disk, file, (size_t)offset + size);
    if (size > 0)
        memcpy(file->seen + offset, data, size);
    if (durable && size > 0)
        memcpy(file->stable + offset, data, size);
    if (durable && file->stable_size < offset + size)
        file->stable_size = (size_t)offset + size;
    for (size_t at = (size_t)offset; at < offset + size; at += DISK_ALIGNMENT)
        file->bad[at / DISK_ALIGNMENT] = 0;
}

size_t disk_testing_bytes(const struct disk_testing *disk)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < DISK_TESTING_FILES_MAX; i++)
        bytes += disk->files[i].size;
    return bytes;
}

static bool fits(const struct disk_testing *disk, const struct disk_testing_pending *pending)
{
    size_t grows = 0;
    if (disk_op_creates(pending->op))
        grows = pending->size;
    if (pending->op == DISK_WRITE || pending->op == DISK_WRITE_DURABLE) {
        size_t end = (size_t)pending->offset + pending->size, size = disk->files[pending->file].size;
        grows = end > size ? end - size : 0;
    }
    size_t bytes = disk_testing_bytes(disk);
    return grows == 0 || (bytes <= disk->capacity && grows <= disk->capacity - bytes);
}

static void perform_name(struct disk_testing *disk, const struct disk_testing_pending *pending)
{
    struct disk_testing_file *file = disk_testing_file(disk, pending->name);
    if (pending->op == DISK_REMOVE && file != NULL)
        file_drop(disk, file);
    if (pending->op == DISK_RENAME && file != NULL) {
        struct disk_testing_file *old = disk_testing_file(disk, pending->name_to);
        if (old != NULL)
            file_drop(disk, old);
        strcpy(file->name, pending->name_to);
    }
    if (disk_op_creates(pending->op)) {
        if (file != NULL)
            file_drop(disk, file);
        file = file_create(disk, pending->name);
        file_grow(disk, file, pending->size);
        file->stable_size = pending->size;
    }
}

static int perform(struct disk_testing *disk, const struct disk_testing_pending *pending)
{
    struct disk_testing_file *file = &disk->files[pending->file];
    bool write = pending->op == DISK_WRITE || pending->op == DISK_WRITE_DURABLE;
    if (disk->fail_writes < 0 && (pending->op == DISK_SYNC || (write && !disk->fail_sync_only)))
        return disk->fail_writes;
    if (!fits(disk, pending))
        return ERROR_NO_SPACE;
    if (write) {
        file_write(disk, file, pending->offset, pending->data, pending->size, pending->op == DISK_WRITE_DURABLE);
    } else if (pending->op == DISK_SYNC) {
        if (file->size > 0)
            memcpy(file->stable, file->seen, file->size);
        file->stable_size = file->size;
    } else {
        if (pending->op == DISK_RENAME && disk_testing_file(disk, pending->name) == NULL)
            return ERROR_NOT_FOUND;
        perform_name(disk, pending);
    }
    return OK;
}

static struct disk_testing_pending pending_of(const struct disk_testing *disk, const struct disk_request *request)
{
    struct disk_testing_pending pending = {.op = request->op,
                                           .offset = request->offset,
                                           .token = request->token,
                                           .data = request->data,
                                           .size = request->size};
    if (request->op == DISK_WRITE || request->op == DISK_WRITE_DURABLE || request->op == DISK_SYNC) {
        invariant(request->handle > 0 && request->handle <= DISK_TESTING_FILES_MAX &&
                      disk->files[request->handle - 1].open_count > 0,
                  "a request names an open file");
        pending.file = request->handle - 1;
    }
    if (request->op == DISK_WRITE_DURABLE)
        invariant(request->offset % DISK_ALIGNMENT == 0 && request->size % DISK_ALIGNMENT == 0 &&
                      (uintptr_t)request->data % DISK_ALIGNMENT == 0,
                  "durable writes are aligned");
    if (request->name != NULL)
        strcpy(pending.name, request->name);
    if (request->name_to != NULL)
        strcpy(pending.name_to, request->name_to);
    return pending;
}

/* ---- the door ---- */

static int door_now(struct disk *door, const struct disk_request *request)
{
    struct disk_testing_pending pending = pending_of(disk_of(door), request);
    return perform(disk_of(door), &pending);
}

static int door_submit(struct disk *door, const struct disk_request *request)
{
    struct disk_testing *disk = disk_of(door);
    struct disk_testing_pending pending = pending_of(disk, request);
    disk->writes_begun += request->op == DISK_WRITE || request->op == DISK_WRITE_DURABLE;
    if (!disk->completes_later) {
        int status = perform(disk, &pending);
        return status == OK ? DISK_DONE : status;
    }
    invariant(disk->pending_count < DISK_TESTING_PENDING_MAX, "few requests are pending");
    disk->pending[disk->pending_count++] = pending;
    return DISK_PENDING;
}

static int door_open(struct disk *door, const char *name, bool create, uint32_t *handle)
{
    struct disk_testing *disk = disk_of(door);
    struct disk_testing_file *file = disk_testing_file(disk, name);
    if (file == NULL && create)
        file = file_create(disk, name);
    if (file == NULL)
        return ERROR_NOT_FOUND;
    file->open_count++;
    *handle = (uint32_t)(file - disk->files) + 1;
    return OK;
}

static void door_close(struct disk *door, uint32_t handle)
{
    struct disk_testing *disk = disk_of(door);
    struct disk_testing_file *file = &disk->files[handle - 1];
    invariant(handle > 0 && file->open_count > 0, "only open files are closed");
    if (--file->open_count == 0 && file->name[0] == '\0')
        file_drop(disk, file);
}

static int door_size(struct disk *door, uint32_t handle, uint64_t *size_bytes)
{
    *size_bytes = disk_of(door)->files[handle - 1].size;
    return OK;
}

static int door_read(struct disk *door, uint32_t handle, uint64_t offset, void *data, size_t size)
{
    struct disk_testing *disk = disk_of(door);
    struct disk_testing_file *file = &disk->files[handle - 1];
    invariant(offset % DISK_ALIGNMENT == 0 && size % DISK_ALIGNMENT == 0 && (uintptr_t)data % DISK_ALIGNMENT == 0,
              "reads are aligned");
    invariant(file->open_count > 0, "only open files are read");
    disk->reads++;
    if (offset > file->size || size > file->size - offset)
        return ERROR_INVALID;
    for (uint64_t at = offset; at < offset + size; at += DISK_ALIGNMENT)
        if (file->bad[at / DISK_ALIGNMENT])
            return ERROR_IO;
    if (size > 0)
        memcpy(data, file->seen + offset, size);
    return OK;
}

static int door_list(struct disk *door, void (*visit)(void *context, const char *name), void *context)
{
    struct disk_testing *disk = disk_of(door);
    char last[DISK_NAME_SIZE_MAX] = "";
    for (;;) {
        const struct disk_testing_file *next = NULL;
        for (uint32_t i = 0; i < DISK_TESTING_FILES_MAX; i++) {
            const struct disk_testing_file *file = &disk->files[i];
            if (file->used && strcmp(file->name, last) > 0 && (next == NULL || strcmp(file->name, next->name) < 0))
                next = file;
        }
        if (next == NULL)
            return OK;
        strcpy(last, next->name);
        visit(context, last);
    }
}

static uint64_t door_room(struct disk *door)
{
    struct disk_testing *disk = disk_of(door);
    size_t bytes = disk_testing_bytes(disk);
    return bytes > disk->capacity ? 0 : disk->capacity - bytes;
}

/* ---- for the tests ---- */

void disk_testing_init(struct disk_testing *disk, struct heap *heap, uint64_t seed)
{
    *disk = (struct disk_testing){.door = {.submit = door_submit,
                                           .now = door_now,
                                           .open = door_open,
                                           .close = door_close,
                                           .size = door_size,
                                           .read = door_read,
                                           .list = door_list,
                                           .room = door_room},
                                  .heap = heap,
                                  .capacity = SIZE_MAX};
    random_seed(&disk->random, seed);
}

void disk_testing_free(struct disk_testing *disk)
{
    for (uint32_t i = 0; i < DISK_TESTING_FILES_MAX; i++) {
        disk->files[i].open_count = 0;
        file_drop(disk, &disk->files[i]);
    }
}

uint64_t disk_testing_complete(struct disk_testing *disk, uint32_t place, int *status)
{
    invariant(place < disk->pending_count, "only what is pending completes");
    struct disk_testing_pending pending = disk->pending[place];
    disk->pending_count--;
    memmove(&disk->pending[place], &disk->pending[place + 1],
            (disk->pending_count - place) * sizeof disk->pending[0]);
    *status = perform(disk, &pending);
    return pending.token;
}

/* Part of a write reaches the disk: a run of bytes from its front, or some of its sectors. */
static void write_tear(struct disk_testing *disk, const struct disk_testing_pending *pending)
{
    struct disk_testing_file *file = &disk->files[pending->file];
    if (random_chance(&disk->random, 1, 2)) {
        size_t kept = (size_t)random_below(&disk->random, pending->size + 1);
        file_write(disk, file, pending->offset, pending->data, kept, true);
        return;
    }
    for (size_t at = 0; at < pending->size; at += DISK_TESTING_SECTOR) {
        size_t left = pending->size - at;
        if (random_chance(&disk->random, 1, 2))
            file_write(disk, file, pending->offset + at, pending->data + at,
                       left < DISK_TESTING_SECTOR ? left : DISK_TESTING_SECTOR, true);
    }
}

static void pending_settle(struct disk_testing *disk, struct disk_testing_pending *pending)
{
    bool write = pending->op == DISK_WRITE || pending->op == DISK_WRITE_DURABLE;
    uint64_t fate = random_below(&disk->random, 3);
    if (!fits(disk, pending) || fate == 0)
        return;
    if (fate == 1 && write && pending->size > 0) {
        write_tear(disk, pending);
        return;
    }
    if (fate == 1 && disk_op_creates(pending->op))
        pending->size = (size_t)random_below(&disk->random, pending->size + 1);
    (void)perform(disk, pending);
}

static void file_settle(struct disk_testing *disk, struct disk_testing_file *file)
{
    for (size_t at = 0; at < file->size; at += DISK_TESTING_SECTOR) {
        size_t left = file->size - at, size = left < DISK_TESTING_SECTOR ? left : DISK_TESTING_SECTOR;
        if (memcmp(file->seen + at, file->stable + at, size) != 0 && random_chance(&disk->random, 1, 2))
            memcpy(file->seen + at, file->stable + at, size);
    }
    if (file->size > file->stable_size && random_chance(&disk->random, 1, 2))
        file->size = file->stable_size;
    if (file->size > 0)
        memcpy(file->stable, file->seen, file->size);
    file->stable_size = file->size;
}

void disk_testing_crash(struct disk_testing *disk)
{
    disk->fail_writes = 0;
    for (uint32_t i = 0; i < disk->pending_count; i++)
        pending_settle(disk, &disk->pending[i]);
    disk->pending_count = 0;
    for (uint32_t i = 0; i < DISK_TESTING_FILES_MAX; i++) {
        struct disk_testing_file *file = &disk->files[i];
        if (!file->used)
            continue;
        file->open_count = 0;
        if (file->name[0] == '\0')
            file_drop(disk, file);
        else
            file_settle(disk, file);
    }
}
