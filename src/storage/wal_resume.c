/* Recovery, second half: what follows the log's end must never come to life, and what was taken must not go.
 *
 * Remnants of writes that a crash cut may be valid records beyond a hole. In the segment in which the log ends they
 * are overwritten with zeros; segments behind it get new numbers, under which their records fail the CRC. A crash in
 * the middle of this changes nothing: the hole is still there, so the next opening cuts at the same place. */
#include "base/error.h"
#include "storage/wal_recover.h"

/* End of the last block behind `offset` that holds a valid item or cannot be read; `offset` when there is none. */
static uint64_t remnants_end(const struct wal_view *view, uint64_t offset)
{
    uint64_t end = offset, at = offset;
    struct wal_item item;
    while (wal_item_next(view, &at, &item))
        end = wal_round_up(item.end, WAL_BLOCK_SIZE);
    for (uint64_t block = end / WAL_BLOCK_SIZE; view->bad != NULL && block < view->size / WAL_BLOCK_SIZE; block++)
        if (view->bad[block])
            end = (block + 1) * WAL_BLOCK_SIZE;
    return end;
}

static int tail_clear(struct wal_recovery *r, struct wal_segment *segment)
{
    struct wal *wal = r->wal;
    const struct wal_view *view = &r->end_load.view;
    uint64_t offset = wal_round_up(r->end_offset, WAL_BLOCK_SIZE);
    wal->counters.torn_bytes_cut += wal_view_torn_size(view, r->end_offset);
    if (r->end_lost)
        return OK; /* nothing more goes into this segment, and what cannot be read is evidence */
    segment->begun = segment->end = offset < segment->size ? offset : segment->size;
    uint64_t end = remnants_end(view, segment->begun);
    if (end == segment->begun)
        return OK;
    wal->counters.torn_bytes_cut += end - segment->begun;
    memset(r->end_load.image + segment->begun, 0, (size_t)(end - segment->begun));
    struct disk_request request = {.op = DISK_WRITE_DURABLE,
                                   .handle = segment->handle,
                                   .offset = segment->begun,
                                   .data = r->end_load.image + segment->begun,
                                   .size = (size_t)(end - segment->begun)};
    return wal->disk->now(wal->disk, &request);
}

/* Records whose durability nobody vouches for were read back, perhaps from a cache: before anyone relies on them they
 * are made durable. */
static int taken_sync(struct wal_recovery *r)
{
    struct wal *wal = r->wal;
    int result = OK;
    for (size_t i = wal->segment_count; result == OK && i-- > 0;) {
        if (wal->segments[i]->end_sequence <= r->durable)
            break;
        struct disk_request request = {.op = DISK_SYNC, .handle = wal->segments[i]->handle};
        result = wal->disk->now(wal->disk, &request);
    }
    return result;
}

/* True when the file holds anything that its present number makes valid. */
static int file_has_remnants(struct wal *wal, const struct wal_file *file, bool *out)
{
    *out = file->head == WAL_FILE_OWN || file->head == WAL_FILE_BAD || file->remnants;
    if (*out || file->walked)
        return OK;
    struct wal_load load;
    int result = wal_load_file(wal, file, &load);
    if (result != OK)
        return result;
    struct wal_item item;
    uint64_t offset = WAL_BLOCK_SIZE;
    *out = load.bad != NULL || wal_item_next(&load.view, &offset, &item);
    wal_load_free(wal, &load);
    return OK;
}

static int unused_reuse(struct wal_recovery *r, struct wal_file *file)
{
    struct wal *wal = r->wal;
    const struct wal_segment *current = wal_current(wal);
    bool renew = current != NULL && file->number < current->number;
    int result = renew ? OK : file_has_remnants(wal, file, &renew);
    if (result != OK)
        return result;
    file->adopted = true;
    bool usable = file->size == wal->options.segment_bytes && wal->spare_count < WAL_SPARES_MAX;
    if (renew || !usable)
        return wal_spare_recycle_now(wal, file->number, file->handle, file->size);
    return wal_spare_add(wal, file->number, file->handle);
}

int wal_resume(struct wal_recovery *r)
{
    struct wal *wal = r->wal;
    wal->synced_sequence = wal->next_sequence;
    int result = OK;
    struct wal_segment *current = r->ended ? wal_current(wal) : NULL;
    if (current != NULL) {
        result = tail_clear(r, current);
        if (result == OK)
            result = taken_sync(r);
        current->batch_sequence = wal->next_sequence;
        current->image = r->end_load.image;
        current->image_block = r->end_load.image_block;
        wal->image_count++;
        r->end_load.image = NULL;
        r->end_load.image_block = NULL;
    }
    for (size_t i = 0; result == OK && i < r->files->count; i++)
        if (!r->files->list[i].adopted)
            result = unused_reuse(r, &r->files->list[i]);
    return result;
}
