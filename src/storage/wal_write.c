/* Writing what was appended, and what the completions make safe.
 *
 * A batch is what one call of wal_write took. Batches are in a ring in the order of their sequences; each remembers
 * the last position of every group that it touches, and only when it and all before it are complete do those positions
 * count as stored. */
#include "base/error.h"
#include "base/panic.h"
#include "storage/wal_internal.h"

struct wal_batch *wal_batch_open(const struct wal *wal)
{
    return &wal->batches[(wal->batch_first + wal->batch_inflight) % wal->batch_size];
}

bool wal_batch_touch(struct wal *wal, struct wal_group *group, uint64_t position)
{
    struct wal_batch *batch = wal_batch_open(wal);
    if (group->touched_batch != batch->serial) {
        size_t size = batch->touched_size;
        if (!wal_grow(wal->heap, (void **)&batch->touched, batch->touched_count, &size, sizeof *batch->touched))
            return false;
        batch->touched_size = (uint32_t)size;
        group->touched_batch = batch->serial;
        group->touched_place = batch->touched_count++;
        batch->touched[group->touched_place].group = group;
    }
    batch->touched[group->touched_place].position = position;
    return true;
}

/* Place of the oldest segment with unwritten bytes; they are the youngest segments, without a gap. */
static size_t unwritten_place(const struct wal *wal)
{
    size_t place = wal->segment_count;
    while (place > 0 && wal->segments[place - 1]->end > wal->segments[place - 1]->begun)
        place--;
    return place;
}

bool wal_wants_write(const struct wal *wal)
{
    return wal->failed == OK && wal->batch_inflight < wal->options.writes_inflight_max &&
           unwritten_place(wal) < wal->segment_count;
}

size_t wal_write_size(const struct wal *wal)
{
    uint64_t size = 0;
    for (size_t i = unwritten_place(wal); i < wal->segment_count; i++)
        size += wal_round_up(wal->segments[i]->end, WAL_BLOCK_SIZE) - wal->segments[i]->begun;
    return (size_t)size;
}

/* The mark is written last: only now is it known what is durable as this write begins. */
static void mark_write(const struct wal *wal, struct wal_segment *segment)
{
    uint64_t offset = segment->begun == 0 ? WAL_BLOCK_SIZE : segment->begun;
    struct header mark = {
        .magic = HEADER_MAGIC,
        .version = HEADER_VERSION,
        .type = WAL_MARK_TYPE,
        .kind = HEADER_NODE,
        .sender = wal->options.node,
        .incarnation = wal->options.incarnation,
        .sequence = segment->batch_sequence,
        .synced = wal->synced_sequence,
    };
    header_seal(segment->seed, &mark, span_of(NULL, 0), span_of(NULL, 0), segment->image + offset);
}

static void batches_retire(struct wal *wal)
{
    while (wal->batch_inflight > 0 && wal->batches[wal->batch_first].requests_left == 0) {
        struct wal_batch *batch = &wal->batches[wal->batch_first];
        wal->synced_sequence = batch->end_sequence;
        for (uint32_t i = 0; i < batch->touched_count; i++) {
            struct wal_touch touch = batch->touched[i];
            if (touch.position > touch.group->stored)
                touch.group->stored = touch.position;
        }
        wal->batch_first = (wal->batch_first + 1) % wal->batch_size;
        wal->batch_inflight--;
    }
}

int wal_write_complete(struct wal *wal, struct wal_request *request, int status)
{
    struct wal_segment *segment = request->segment;
    uint32_t place = (uint32_t)(request->batch - wal->batches[wal->batch_first].serial);
    invariant(place < wal->batch_inflight, "a write belongs to a batch under way");
    struct wal_batch *batch = &wal->batches[(wal->batch_first + place) % wal->batch_size];
    if (status >= 0 && request->offset == 0)
        segment->head_durable = true;
    wal_request_done(request);
    segment->inflight--;
    batch->requests_left--;
    if (status < 0 && wal->failed == OK)
        wal->failed = status;
    return wal->failed;
}

static int segment_write(struct wal *wal, struct wal_segment *segment, struct wal_batch *batch)
{
    uint64_t token, end = wal_round_up(segment->end, WAL_BLOCK_SIZE);
    struct wal_request *request = wal_request_new(wal, WAL_REQUEST_WRITE, &token);
    if (request == NULL)
        return ERROR_NO_MEMORY;
    mark_write(wal, segment);
    memset(segment->image + segment->end, 0, (size_t)(end - segment->end));
    request->segment = segment;
    request->batch = batch->serial;
    request->offset = segment->begun;
    struct disk_request disk_request = {
        .op = DISK_WRITE_DURABLE,
        .handle = segment->handle,
        .offset = segment->begun,
        .data = segment->image + segment->begun,
        .size = (size_t)(end - segment->begun),
        .token = token,
    };
    wal->counters.writes++;
    wal->counters.bytes += disk_request.size;
    segment->begun = segment->end = end;
    segment->inflight++;
    batch->requests_left++;
    int status = wal->disk->submit(wal->disk, &disk_request);
    if (status == DISK_PENDING)
        return OK;
    return wal_write_complete(wal, request, status == DISK_DONE ? OK : status);
}

/* What follows when a write has become safe. */
static int write_settled(struct wal *wal)
{
    batches_retire(wal);
    int result = wal->segment_count > 1 ? wal_reclaim(wal) : OK;
    wal_images_trim(wal);
    return result;
}

int wal_write(struct wal *wal)
{
    if (wal->failed < 0)
        return wal->failed;
    if (!wal_wants_write(wal))
        return 0;
    struct wal_batch *batch = wal_batch_open(wal);
    batch->end_sequence = wal->next_sequence;
    batch->requests_left = 1; /* held until all of its requests are submitted */
    wal->batch_inflight++;
    struct wal_batch *open = wal_batch_open(wal);
    open->serial = batch->serial + 1;
    open->touched_count = 0;
    int result = OK;
    for (size_t i = unwritten_place(wal); result == OK && i < wal->segment_count; i++)
        result = segment_write(wal, wal->segments[i], batch);
    batch->requests_left--;
    if (result != OK) {
        wal->failed = result;
        return result;
    }
    bool done = batch->requests_left == 0 && batch == &wal->batches[wal->batch_first];
    result = done ? write_settled(wal) : OK;
    return result != OK ? result : done;
}

int wal_complete(struct wal *wal, uint64_t token_value, int status)
{
    struct wal_request *request = wal_request_find(wal, token_value);
    if (request == NULL)
        return wal->failed;
    int result;
    if (request->kind == WAL_REQUEST_WRITE) {
        result = wal_write_complete(wal, request, status);
        if (result == OK)
            result = write_settled(wal);
    } else {
        result = wal_spare_complete(wal, request, status);
        if (result == OK)
            result = wal_reclaim(wal);
        if (result == OK)
            result = wal_spares_ahead(wal);
    }
    return result;
}

void wal_tick(struct wal *wal, int64_t now_ns)
{
    if (!wal->disk_full || wal->failed < 0) {
        wal->retry = false;
        return;
    }
    if (!wal->retry) {
        wal->retry = true;
        wal->retry_at_ns = now_ns + WAL_RETRY_NS;
    } else if (now_ns >= wal->retry_at_ns && !wal->allocating) {
        wal->retry_at_ns = now_ns + WAL_RETRY_NS;
        wal->disk_full = false;
        (void)wal_spares_ahead(wal); /* a failure of the disk stays in wal->failed, and the next write tells it */
        if (!wal->allocating && wal->spare_count + wal->spares_coming >= wal->options.segments_ahead)
            wal->retry = false;
    }
}
