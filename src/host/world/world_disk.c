/* The simulated disk: operations with latencies, files, and what a crash makes of them.
 *
 * An operation takes effect when its time has come, all at once; until then readers see what was there before. Two
 * operations in flight may finish in either order. At a crash each undecided one is, by the drawn number, lost, kept
 * or torn: a durable write at any byte or any subset of sectors, an allocation at any size, a rename or removal not at
 * all or whole. Names that open() created or now() changed are durable at once. Faults of the medium itself are in
 * world_disk_faults.c. */
#include "host/world/world_disk.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/panic.h"
#include "host/world/world_disk_file.h"

struct world_disk_operation {
    struct world_disk_operation *next; /* among the pending ones */
    enum disk_op op;
    struct world_file *file;
    uint64_t offset;
    const uint8_t *data;
    size_t size;
    size_t sync_mark;
    uint64_t token;
    int status; /* decided at submit() already when not 0 */
    bool dead;  /* its process died: nothing happens when its time comes */
    char name[DISK_NAME_SIZE_MAX], name_to[DISK_NAME_SIZE_MAX];
};

static struct world_disk *disk_of(struct disk *door)
{
    return (struct world_disk *)(void *)door;
}

static bool name_ok(const char *name)
{
    return name != NULL && name[0] != '\0' && strlen(name) < DISK_NAME_SIZE_MAX;
}

/* ---- operations ---- */

static uint64_t room(const struct world_disk *disk)
{
    if (disk->manner.full || disk->used_bytes >= disk->capacity_bytes)
        return 0;
    return disk->capacity_bytes - disk->used_bytes;
}

static uint64_t growth(const struct world_disk_operation *operation)
{
    if (disk_op_creates(operation->op))
        return operation->size;
    if (operation->op != DISK_WRITE && operation->op != DISK_WRITE_DURABLE)
        return 0;
    uint64_t end = operation->offset + operation->size;
    return end > operation->file->seen.size ? end - operation->file->seen.size : 0;
}

/* A negative error at once, or the operation with its status foreseen. */
static int prepare(struct world_disk *disk, const struct disk_request *request, struct world_disk_operation *out)
{
    out->next = NULL;
    out->op = request->op;
    out->file = NULL;
    out->offset = request->offset;
    out->data = request->data;
    out->size = request->size;
    out->sync_mark = 0;
    out->token = request->token;
    out->status = OK;
    out->dead = false;
    switch (request->op) {
    case DISK_WRITE_DURABLE:
        if (request->offset % DISK_ALIGNMENT != 0 || request->size % DISK_ALIGNMENT != 0 ||
            (uintptr_t)request->data % DISK_ALIGNMENT != 0)
            return ERROR_INVALID;
        break;
    case DISK_WRITE:
    case DISK_SYNC:
        break;
    case DISK_RENAME:
        if (!name_ok(request->name_to))
            return ERROR_INVALID;
        strcpy(out->name_to, request->name_to);
        break;
    case DISK_ALLOCATE:
    case DISK_RESERVE:
    case DISK_REMOVE:
        break;
    }
    if (request->op == DISK_WRITE_DURABLE || request->op == DISK_WRITE || request->op == DISK_SYNC) {
        out->file = world_disk_find_open(disk, request->handle);
        if (out->file == NULL)
            return ERROR_INVALID;
        out->sync_mark = out->file->dirty_count;
    } else {
        if (!name_ok(request->name))
            return ERROR_INVALID;
        strcpy(out->name, request->name);
    }
    uint64_t grown = growth(out);
    if (grown > 0 && grown > room(disk))
        out->status = ERROR_NO_SPACE;
    return OK;
}

static void allocate(struct world_disk *disk, const char *name, size_t size)
{
    struct world_file *file = world_disk_find(disk, name);
    if (file != NULL)
        world_disk_remove(disk, file);
    file = world_disk_make(disk, name);
    world_file_resize(disk->heap, file, size);
    disk->used_bytes += size;
}

static int rename_file(struct world_disk *disk, const char *name, const char *name_to)
{
    struct world_file *file = world_disk_find(disk, name);
    if (file == NULL)
        return ERROR_NOT_FOUND;
    struct world_file *replaced = world_disk_find(disk, name_to);
    if (replaced == file)
        return OK;
    if (replaced != NULL)
        world_disk_remove(disk, replaced);
    world_disk_rename(disk, file, name_to);
    return OK;
}

/* The whole effect of an operation. */
static int apply(struct world_disk *disk, const struct world_disk_operation *operation)
{
    struct world_file *file = operation->file;
    if (operation->status != OK)
        return operation->status;
    size_t before = file != NULL ? file->seen.size : 0;
    switch (operation->op) {
    case DISK_WRITE_DURABLE:
    case DISK_WRITE:
        world_disk_take_write(disk, file, operation->op == DISK_WRITE_DURABLE, operation->offset, operation->data,
                              operation->size);
        break;
    case DISK_SYNC:
        world_disk_take_sync(disk, file, operation->sync_mark);
        break;
    case DISK_ALLOCATE:
    case DISK_RESERVE:
        allocate(disk, operation->name, operation->size);
        break;
    case DISK_RENAME:
        return rename_file(disk, operation->name, operation->name_to);
    case DISK_REMOVE: {
        struct world_file *named = world_disk_find(disk, operation->name);
        if (named != NULL)
            world_disk_remove(disk, named);
        break;
    }
    }
    if (file != NULL)
        disk->used_bytes += file->seen.size - before;
    return OK;
}

/* Geometric with ratio one half: long tails without floating point. */
static int64_t draw_latency(struct world_disk *disk, size_t size)
{
    uint64_t bits = hash_mix(disk->seed, disk->operations);
    int64_t doublings = __builtin_ctzll(bits | (UINT64_C(1) << 10));
    int64_t fine = (int64_t)(bits >> 54);
    int64_t latency = disk->manner.latency_ns + (int64_t)size +
                      disk->manner.latency_tail_ns * doublings + disk->manner.latency_tail_ns * fine / 1024;
    return latency * (int64_t)disk->manner.slow_factor;
}

static int64_t end_of(struct world_disk *disk, size_t size)
{
    int64_t begin = disk->now_ns + disk->spent_ns;
    if (begin < disk->manner.stalled_until_ns)
        begin = disk->manner.stalled_until_ns;
    return begin + draw_latency(disk, size);
}

static size_t bytes_moved(const struct world_disk_operation *operation)
{
    return operation->op == DISK_RESERVE ? 0 : operation->size;
}

static void pend(struct world_disk *disk, const struct world_disk_operation *operation, int64_t at_ns)
{
    struct world_disk_operation *kept = heap_alloc(disk->heap, sizeof *kept);
    invariant(kept != NULL, "the world's region has room for a disk operation");
    *kept = *operation;
    if (kept->file != NULL)
        kept->file->busy_count++;
    *disk->pending_last = kept;
    disk->pending_last = &kept->next;
    disk->schedule(disk->context, kept, at_ns);
}

static int disk_submit(struct disk *door, const struct disk_request *request)
{
    struct world_disk *disk = disk_of(door);
    struct world_disk_operation operation;
    int error = prepare(disk, request, &operation);
    if (error != OK)
        return error;
    disk->operations++;
    int64_t at_ns = end_of(disk, bytes_moved(&operation));
    if (disk->manner.inline_writes && operation.op == DISK_WRITE_DURABLE && operation.status == OK) {
        apply(disk, &operation);
        disk->spent_ns = at_ns - disk->now_ns;
        return DISK_DONE;
    }
    pend(disk, &operation, at_ns);
    return DISK_PENDING;
}

static int disk_now(struct disk *door, const struct disk_request *request)
{
    struct world_disk *disk = disk_of(door);
    struct world_disk_operation operation;
    int error = prepare(disk, request, &operation);
    if (error != OK)
        return error;
    disk->operations++;
    disk->spent_ns = end_of(disk, bytes_moved(&operation)) - disk->now_ns;
    return apply(disk, &operation);
}

bool world_disk_finish(struct world_disk *disk, struct world_disk_operation *operation, uint64_t *token, int *status)
{
    bool alive = !operation->dead;
    if (alive) {
        struct world_disk_operation **link = &disk->pending;
        while (*link != operation)
            link = &(*link)->next;
        *link = operation->next;
        if (disk->pending_last == &operation->next)
            disk->pending_last = link;
        *token = operation->token;
        *status = apply(disk, operation);
        if (operation->file != NULL) {
            operation->file->busy_count--;
            world_disk_unused(disk, operation->file);
        }
    }
    heap_free(disk->heap, operation);
    return alive;
}

/* ---- files ---- */

static int disk_open(struct disk *door, const char *name, bool create, uint32_t *handle)
{
    struct world_disk *disk = disk_of(door);
    if (!name_ok(name))
        return ERROR_INVALID;
    struct world_file *file = world_disk_find(disk, name);
    if (file == NULL) {
        if (!create)
            return ERROR_NOT_FOUND;
        if (disk->manner.full)
            return ERROR_NO_SPACE;
        file = world_disk_make(disk, name);
    }
    if (file->open_count == 0)
        file->handle = disk->next_handle++;
    file->open_count++;
    *handle = file->handle;
    return OK;
}

static void disk_close(struct disk *door, uint32_t handle)
{
    struct world_disk *disk = disk_of(door);
    struct world_file *file = world_disk_find_open(disk, handle);
    if (file == NULL)
        return;
    file->open_count--;
    world_disk_unused(disk, file);
}

static int disk_size(struct disk *door, uint32_t handle, uint64_t *size_bytes)
{
    struct world_file *file = world_disk_find_open(disk_of(door), handle);
    if (file == NULL)
        return ERROR_INVALID;
    *size_bytes = file->seen.size;
    return OK;
}

static int disk_read(struct disk *door, uint32_t handle, uint64_t offset, void *data, size_t size)
{
    struct world_disk *disk = disk_of(door);
    struct world_file *file = world_disk_find_open(disk, handle);
    bool aligned =
        offset % DISK_ALIGNMENT == 0 && size % DISK_ALIGNMENT == 0 && (uintptr_t)data % DISK_ALIGNMENT == 0;
    if (file == NULL || !aligned || offset > file->seen.size || size > file->seen.size - offset)
        return ERROR_INVALID;
    if (hash_mix(~disk->seed, ++disk->reads) % 1000 < disk->manner.unreadable_permille)
        return ERROR_IO;
    if (!world_disk_readable(disk, file, offset, size))
        return ERROR_IO;
    if (size > 0)
        memcpy(data, file->seen.data + offset, size);
    return OK;
}

static int disk_list(struct disk *door, void (*visit)(void *context, const char *name), void *context)
{
    struct world_disk *disk = disk_of(door);
    for (struct world_file *file = disk->files; file != NULL; file = file->next)
        if (file->name[0] != '\0')
            visit(context, file->name);
    return OK;
}

static uint64_t disk_room(struct disk *door)
{
    return room(disk_of(door));
}

/* ---- life ---- */

static void reset(struct world_disk *disk)
{
    disk->files = NULL;
    disk->pending = NULL;
    disk->pending_last = &disk->pending;
    disk->used_bytes = 0;
}

void world_disk_init(struct world_disk *disk, struct heap *heap, uint64_t seed, uint64_t capacity_bytes,
                     void (*schedule)(void *context, struct world_disk_operation *operation, int64_t at_ns),
                     void *context)
{
    *disk = (struct world_disk){
        .door = {.submit = disk_submit,
                 .now = disk_now,
                 .open = disk_open,
                 .close = disk_close,
                 .size = disk_size,
                 .read = disk_read,
                 .list = disk_list,
                 .room = disk_room},
        .heap = heap,
        .capacity_bytes = capacity_bytes,
        .schedule = schedule,
        .context = context,
        .next_handle = 1,
        .manner = {.latency_ns = 100000, .latency_tail_ns = 20000, .slow_factor = 1},
    };
    disk->seed = seed;
    reset(disk);
}

static void free_files(struct world_disk *disk)
{
    while (disk->files != NULL) {
        struct world_file *file = disk->files;
        disk->files = file->next;
        world_file_free(disk->heap, file);
    }
    disk->used_bytes = 0;
}

void world_disk_free(struct world_disk *disk)
{
    free_files(disk);
}

/* One crash: what it draws from, and whether anything is kept that was not durable. */
struct crash {
    struct random random;
    bool keeps, inside_sectors;
};

static enum tear draw_tear(struct world_disk *disk, struct crash *crash)
{
    uint64_t drawn = random_below(&crash->random, 1000);
    if (!crash->keeps) {
        disk->lost_writes++;
        return TEAR_LOST;
    }
    if (drawn < disk->manner.lost_permille) {
        disk->lost_writes++;
        return TEAR_LOST;
    }
    if (drawn < disk->manner.lost_permille + disk->manner.kept_permille)
        return TEAR_KEPT;
    disk->torn_writes++;
    return TEAR_TORN;
}

/* What a crash makes of one operation in flight. */
static void decide(struct world_disk *disk, struct world_disk_operation *operation, struct crash *crash)
{
    enum tear tear = draw_tear(disk, crash);
    if (tear == TEAR_LOST || operation->status != OK)
        return;
    if (tear == TEAR_TORN && disk_op_creates(operation->op)) {
        size_t sectors = operation->size / WORLD_SECTOR_SIZE;
        operation->size = WORLD_SECTOR_SIZE * (size_t)random_below(&crash->random, sectors + 1);
        tear = TEAR_KEPT;
    }
    if (tear == TEAR_TORN && operation->op == DISK_WRITE_DURABLE) {
        size_t before = operation->file->seen.size;
        world_file_write_torn(disk->heap, operation->file, operation->offset, operation->data, operation->size,
                              &crash->random, crash->inside_sectors);
        disk->used_bytes += operation->file->seen.size - before;
        return;
    }
    if (tear == TEAR_TORN && operation->op != DISK_WRITE && random_chance(&crash->random, 1, 2))
        return;
    apply(disk, operation);
}

void world_disk_crash(struct world_disk *disk)
{
    world_disk_crash_by(disk, hash_mix(hash_mix(disk->seed, UINT64_MAX), ++disk->crashes) & ~UINT64_C(1));
}

void world_disk_crash_by(struct world_disk *disk, uint64_t draw)
{
    struct crash crash = {.keeps = draw != 0, .inside_sectors = (draw & 1) != 0};
    random_seed(&crash.random, draw);
    for (struct world_disk_operation *operation = disk->pending; operation != NULL; operation = operation->next) {
        decide(disk, operation, &crash);
        operation->dead = true;
    }
    disk->pending = NULL;
    disk->pending_last = &disk->pending;
    for (struct world_file *file = disk->files, *next; file != NULL; file = next) {
        next = file->next;
        size_t before = file->seen.size;
        if (file->split) {
            enum tear tear = draw_tear(disk, &crash);
            /* Of what was told to be durable something is lost: all, or any part. */
            world_file_crash(disk->heap, file, file->lied && tear == TEAR_KEPT ? TEAR_LOST : tear, &crash.random);
        }
        disk->used_bytes += file->seen.size - before;
        file->open_count = 0;
        file->busy_count = 0;
        world_disk_unused(disk, file);
    }
}

void world_disk_wipe(struct world_disk *disk)
{
    invariant(disk->pending == NULL, "a disk is wiped after its process died");
    free_files(disk);
    disk->medium = (struct world_disk_medium){0};
}

bool world_disk_flip(struct world_disk *disk, const char *name, uint64_t offset, unsigned bit)
{
    struct world_file *file = world_disk_find(disk, name);
    if (file == NULL || offset >= file->seen.size)
        return false;
    file->seen.data[offset] ^= (uint8_t)(1u << (bit % 8));
    if (file->split && offset < file->durable.size)
        file->durable.data[offset] ^= (uint8_t)(1u << (bit % 8));
    return true;
}

uint64_t world_disk_used(const struct world_disk *disk)
{
    return disk->used_bytes;
}
