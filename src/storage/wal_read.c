/* Reading records back: from the image of a young segment, else from the disk. */
#include "base/error.h"
#include "storage/wal_internal.h"

enum { READ_AHEAD = 256 * 1024 };

static const struct wal_entry *entry_find(const struct wal *wal, uint32_t group, uint64_t position)
{
    const struct wal_group *found = wal_group_find(wal, group);
    return found == NULL ? NULL : wal_index_at(found, position);
}

static int scratch_reserve(struct wal *wal, size_t size)
{
    if (size <= wal->scratch_size)
        return OK;
    heap_free(wal->heap, wal->scratch_block);
    wal->scratch_size = 0;
    size_t wanted = (size_t)wal_round_up(size, 16 * (uint64_t)WAL_BLOCK_SIZE);
    wal->scratch = disk_memory(wal->heap, wanted, &wal->scratch_block);
    if (wal->scratch == NULL)
        return ERROR_NO_MEMORY;
    wal->scratch_size = wanted;
    return OK;
}

/* Makes [first, end) of the segment lie in the scratch, and as much of what follows it as one read may bring: after a
 * restart and for a laggard records are read one after the other. A segment without an image is not written any more,
 * so what was read stays right; its number never comes back. */
static int scratch_fill(struct wal *wal, const struct wal_segment *segment, uint64_t first, uint64_t end)
{
    bool held = wal->scratch_segment == segment->number && first >= wal->scratch_first && end <= wal->scratch_end;
    if (held)
        return OK;
    uint64_t ahead = first + READ_AHEAD;
    if (ahead > segment->size)
        ahead = segment->size;
    if (ahead < end)
        ahead = end;
    wal->scratch_segment = UINT32_MAX;
    int result = scratch_reserve(wal, (size_t)(ahead - first));
    if (result != OK)
        return result;
    result = wal->disk->read(wal->disk, segment->handle, first, wal->scratch, (size_t)(ahead - first));
    if (result != OK && ahead > end) { /* what cannot be read may be further on */
        ahead = end;
        result = wal->disk->read(wal->disk, segment->handle, first, wal->scratch, (size_t)(end - first));
    }
    if (result != OK)
        return result;
    wal->counters.reads_cold++;
    wal->scratch_segment = segment->number;
    wal->scratch_first = first;
    wal->scratch_end = ahead;
    return OK;
}

static int read_cold(struct wal *wal, const struct wal_segment *segment, const struct wal_entry *entry,
                     uint32_t group, uint64_t position, struct span *body)
{
    uint64_t offset = (uint64_t)entry->place * 8;
    uint64_t first = offset / WAL_BLOCK_SIZE * WAL_BLOCK_SIZE;
    uint64_t end = wal_round_up(offset + HEADER_SIZE + entry->size, WAL_BLOCK_SIZE);
    int result = scratch_fill(wal, segment, first, end);
    if (result != OK)
        return result == ERROR_INVALID ? ERROR_CORRUPT : result;
    struct wal_view view = {.bytes = wal->scratch + (first - wal->scratch_first),
                            .size = end - first,
                            .seed = segment->seed,
                            .node = wal->options.node};
    struct wal_item item;
    if (!wal_item_at(&view, offset - first, &item) || !item.record || item.header.group != group ||
        item.header.position != position || item.body.size != entry->size) {
        wal->scratch_segment = UINT32_MAX;
        wal->counters.damaged_records++;
        return ERROR_CORRUPT;
    }
    *body = item.body;
    return OK;
}

int wal_read(struct wal *wal, uint32_t group, uint64_t position, uint8_t *slot, uint16_t *type, struct span *body)
{
    const struct wal_entry *entry = entry_find(wal, group, position);
    if (entry == NULL)
        return ERROR_NOT_FOUND;
    if (entry->lost)
        return ERROR_CORRUPT;
    const struct wal_segment *segment = wal_segment_find(wal, entry->segment);
    *slot = entry->slot;
    *type = entry->type;
    if (segment->image == NULL)
        return read_cold(wal, segment, entry, group, position, body);
    *body = span_of(segment->image + (uint64_t)entry->place * 8 + HEADER_SIZE, entry->size);
    return OK;
}

uint64_t wal_record_size(const struct wal *wal, uint32_t group, uint64_t position)
{
    const struct wal_entry *entry = entry_find(wal, group, position);
    return entry == NULL || entry->lost ? 0 : entry->size;
}
