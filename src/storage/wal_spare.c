/* Spare segments: files of the log that wait for their use.
 *
 * A spare has the name and number that it will have in use. Numbers only rise, and the order of numbers is the order
 * of the log: so a spare whose number the current segment has passed gets a new one before it is used. A new file is
 * allocated as "new-<number>" and renamed when all of it is written, so that a file of the log is never half there. */
#include "base/error.h"
#include "base/panic.h"
#include "storage/wal_internal.h"

static int disk_failed(struct wal *wal, int status)
{
    wal->failed = status;
    return status;
}

/* Submits; what the disk did at once is completed here. */
static int spare_submit(struct wal *wal, struct wal_request *request, const struct disk_request *disk_request)
{
    int status = wal->disk->submit(wal->disk, disk_request);
    if (status == DISK_PENDING)
        return OK;
    return wal_spare_complete(wal, request, status == DISK_DONE ? OK : status);
}

static int rename_submit(struct wal *wal, const char *prefix, uint32_t number, bool recycles)
{
    uint64_t token;
    struct wal_request *request = wal_request_new(wal, WAL_REQUEST_RENAME, &token);
    if (request == NULL)
        return ERROR_NO_MEMORY;
    request->number = wal->next_number++;
    request->recycles = recycles;
    wal->recycling |= recycles;
    wal_name(request->name, prefix, number);
    wal_name(request->name_to, "log", request->number);
    wal->spares_coming++;
    struct disk_request disk_request = {
        .op = DISK_RENAME, .name = request->name, .name_to = request->name_to, .token = token};
    return spare_submit(wal, request, &disk_request);
}

static int remove_submit(struct wal *wal, const char *prefix, uint32_t number, bool recycles)
{
    uint64_t token;
    struct wal_request *request = wal_request_new(wal, WAL_REQUEST_REMOVE, &token);
    if (request == NULL)
        return ERROR_NO_MEMORY;
    request->recycles = recycles;
    wal->recycling |= recycles;
    wal_name(request->name, prefix, number);
    struct disk_request disk_request = {.op = DISK_REMOVE, .name = request->name, .token = token};
    return spare_submit(wal, request, &disk_request);
}

static int allocate_submit(struct wal *wal)
{
    uint64_t token;
    struct wal_request *request = wal_request_new(wal, WAL_REQUEST_ALLOCATE, &token);
    if (request == NULL)
        return ERROR_NO_MEMORY;
    request->number = wal->next_number++;
    wal_name(request->name, "new", request->number);
    wal->allocating = true;
    wal->spares_coming++;
    struct disk_request disk_request = {
        .op = DISK_ALLOCATE, .size = (size_t)wal->options.segment_bytes, .name = request->name, .token = token};
    return spare_submit(wal, request, &disk_request);
}

int wal_spares_ahead(struct wal *wal)
{
    int result = OK;
    /* A disk that completes at once has changed what is looked at when the submission returns. */
    while (result == OK && !wal->allocating && !wal->disk_full &&
           wal->spare_count + wal->spares_coming < wal->options.segments_ahead)
        result = allocate_submit(wal);
    return result;
}

int wal_spare_add(struct wal *wal, uint32_t number, uint32_t handle)
{
    invariant(wal->spare_count < WAL_SPARES_MAX, "spares are bounded");
    uint32_t place = wal->spare_count++;
    for (; place > 0 && wal->spares[place - 1].number > number; place--)
        wal->spares[place] = wal->spares[place - 1];
    wal->spares[place] = (struct wal_spare){number, handle};
    return OK;
}

static void spare_drop(struct wal *wal, uint32_t place)
{
    wal->spare_count--;
    for (uint32_t i = place; i < wal->spare_count; i++)
        wal->spares[i] = wal->spares[i + 1];
}

/* A file of the wanted size has the name log-<number> now. */
static int spare_arrived(struct wal *wal, uint32_t number)
{
    const struct wal_segment *current = wal_current(wal);
    if (current != NULL && number < current->number)
        return rename_submit(wal, "log", number, false);
    char name[DISK_NAME_SIZE_MAX];
    uint32_t handle;
    wal_name(name, "log", number);
    int result = wal->disk->open(wal->disk, name, false, &handle);
    if (result < 0)
        return disk_failed(wal, result);
    return wal_spare_add(wal, number, handle);
}

static int allocate_complete(struct wal *wal, uint32_t number, int status)
{
    wal->allocating = false;
    wal->spares_coming--;
    if (status == ERROR_NO_SPACE) {
        wal->disk_full = true;
        wal->counters.allocations_refused++;
        return remove_submit(wal, "new", number, false); /* what there is of it takes up room */
    }
    if (status < 0)
        return disk_failed(wal, status);
    wal->disk_full = false;
    return rename_submit(wal, "new", number, false);
}

static int rename_complete(struct wal *wal, const struct wal_request *request, int status)
{
    wal->spares_coming--;
    if (status == ERROR_NO_SPACE) {
        uint32_t number = 0;
        return wal_name_parse(request->name, "log", &number) ? remove_submit(wal, "log", number, request->recycles)
                                                             : OK;
    }
    return status < 0 ? disk_failed(wal, status) : spare_arrived(wal, request->number);
}

static int remove_complete(struct wal *wal, const struct wal_request *request, int status)
{
    if (status < 0)
        return disk_failed(wal, status);
    if (request->recycles)
        wal->disk_full = false; /* room came back */
    return OK;
}

int wal_spare_complete(struct wal *wal, struct wal_request *request, int status)
{
    struct wal_request done = *request;
    wal_request_done(request);
    if (done.recycles)
        wal->recycling = false;
    if (done.kind == WAL_REQUEST_ALLOCATE)
        return allocate_complete(wal, done.number, status);
    if (done.kind == WAL_REQUEST_RENAME)
        return rename_complete(wal, &done, status);
    return remove_complete(wal, &done, status);
}

/* At least one is kept even when none is allocated ahead: recycling costs nothing. */
static bool spares_enough(const struct wal *wal)
{
    uint32_t wanted = wal->options.segments_ahead + 2;
    if (wanted > WAL_SPARES_MAX)
        wanted = WAL_SPARES_MAX;
    return wal->spare_count + wal->spares_coming >= wanted;
}

int wal_spare_recycle(struct wal *wal, uint32_t number, uint32_t handle, uint64_t size)
{
    wal->disk->close(wal->disk, handle);
    if (size == wal->options.segment_bytes && !spares_enough(wal))
        return rename_submit(wal, "log", number, true);
    return remove_submit(wal, "log", number, true);
}

int wal_spare_recycle_now(struct wal *wal, uint32_t number, uint32_t handle, uint64_t size)
{
    char name[DISK_NAME_SIZE_MAX], name_to[DISK_NAME_SIZE_MAX];
    wal->disk->close(wal->disk, handle);
    wal_name(name, "log", number);
    struct disk_request request = {.op = DISK_REMOVE, .name = name};
    if (size != wal->options.segment_bytes || spares_enough(wal))
        return wal->disk->now(wal->disk, &request);
    uint32_t number_to = wal->next_number++;
    wal_name(name_to, "log", number_to);
    request.op = DISK_RENAME;
    request.name_to = name_to;
    int result = wal->disk->now(wal->disk, &request);
    if (result == OK)
        result = wal->disk->open(wal->disk, name_to, false, &handle);
    return result == OK ? wal_spare_add(wal, number_to, handle) : result;
}

/* Makes and names a segment at once: for a record that has one of its own, or when a burst has used up the spare ones.
 * Its blocks are not written first, which costs the first write to them a little and the waiting much less. */
static int allocate_now(struct wal *wal, uint64_t size, uint32_t number, uint32_t *handle)
{
    char name[DISK_NAME_SIZE_MAX], name_to[DISK_NAME_SIZE_MAX];
    wal_name(name, "new", number);
    wal_name(name_to, "log", number);
    struct disk_request request = {.op = DISK_RESERVE, .name = name, .size = (size_t)size};
    int result = wal->disk->now(wal->disk, &request);
    if (result != OK) {
        request.op = DISK_REMOVE;
        (void)wal->disk->now(wal->disk, &request); /* the first error counts; opening removes it too */
        return result;
    }
    request = (struct disk_request){.op = DISK_RENAME, .name = name, .name_to = name_to};
    result = wal->disk->now(wal->disk, &request);
    return result == OK ? wal->disk->open(wal->disk, name_to, false, handle) : result;
}

/* Spares that the current segment has overtaken, which only happens when one was allocated at once, are renamed. */
static int overtaken_rename(struct wal *wal)
{
    const struct wal_segment *current = wal_current(wal);
    while (current != NULL && wal->spare_count > 0 && wal->spares[0].number < current->number) {
        struct wal_spare spare = wal->spares[0];
        spare_drop(wal, 0);
        wal->disk->close(wal->disk, spare.handle);
        int result = rename_submit(wal, "log", spare.number, false);
        if (result != OK)
            return result;
    }
    return OK;
}

int wal_spare_take(struct wal *wal, uint64_t size, uint32_t *number, uint32_t *handle)
{
    int result = overtaken_rename(wal);
    if (result != OK)
        return result;
    if (size == wal->options.segment_bytes && wal->spare_count > 0) {
        *number = wal->spares[0].number;
        *handle = wal->spares[0].handle;
        spare_drop(wal, 0);
        return OK;
    }
    *number = wal->next_number++;
    result = allocate_now(wal, size, *number, handle);
    if (result == ERROR_NO_SPACE) {
        wal->disk_full = true;
        wal->counters.allocations_refused++;
    } else if (result < 0) {
        return disk_failed(wal, result);
    }
    return result;
}

int wal_spare_create_first(struct wal *wal, const struct wal_head *head)
{
    char name[DISK_NAME_SIZE_MAX], name_to[DISK_NAME_SIZE_MAX];
    void *block;
    uint8_t *encoded = disk_memory(wal->heap, WAL_BLOCK_SIZE, &block);
    if (encoded == NULL)
        return ERROR_NO_MEMORY;
    wal_head_encode(head, encoded);
    wal_name(name, "new", head->number);
    wal_name(name_to, "log", head->number);
    struct disk_request request = {.op = DISK_ALLOCATE, .name = name, .size = (size_t)head->size};
    int result = wal->disk->now(wal->disk, &request);
    uint32_t handle = 0;
    if (result == OK)
        result = wal->disk->open(wal->disk, name, false, &handle);
    if (result == OK) {
        request = (struct disk_request){
            .op = DISK_WRITE_DURABLE, .handle = handle, .data = encoded, .size = WAL_BLOCK_SIZE};
        result = wal->disk->now(wal->disk, &request);
        wal->disk->close(wal->disk, handle);
    }
    if (result == OK) {
        request = (struct disk_request){.op = DISK_RENAME, .name = name, .name_to = name_to};
        result = wal->disk->now(wal->disk, &request);
    }
    heap_free(wal->heap, block);
    return result;
}
