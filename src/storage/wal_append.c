/* Appending to the image of the current segment, and how much more fits. */
#include "base/error.h"
#include "storage/wal_internal.h"

/* Where the next record of a segment begins: behind the last one, or behind the mark that begins a new write. */
static uint64_t next_offset(const struct wal_segment *segment)
{
    return segment->end == segment->begun ? segment->begun + HEADER_SIZE : segment->end;
}

static bool fits(const struct wal_segment *segment, uint64_t span)
{
    uint64_t offset = next_offset(segment);
    return offset <= segment->size && span <= segment->size - offset;
}

/* Bytes for records in the spares and in what the current segment will have left. */
static uint64_t allocated_left(const struct wal *wal, uint64_t current_left)
{
    return current_left + wal->spare_count * (wal->options.segment_bytes - WAL_BLOCK_SIZE);
}

/* With a full disk, whatever a record leaves must hold the reserve, unless it is small enough to be what the reserve
 * is for. */
static bool reserve_allows(const struct wal *wal, const struct wal_segment *segment, uint64_t span)
{
    if (!wal->disk_full || span <= wal_record_span(WAL_SMALL_SIZE_MAX))
        return true;
    uint64_t left = 0;
    if (segment != NULL && fits(segment, span)) {
        left = allocated_left(wal, segment->size - next_offset(segment));
    } else {
        if (wal->spare_count == 0)
            return true; /* allocating will tell */
        left = allocated_left(wal, 0);
    }
    return left >= span && left - span >= wal->options.reserve_bytes;
}

static void record_write(struct wal *wal, struct wal_segment *segment, const struct header *plain, struct span head,
                         struct span tail)
{
    struct header header = *plain;
    if (segment->end == segment->begun) {
        segment->batch_sequence = wal->next_sequence;
        segment->end = segment->begun + HEADER_SIZE;
    }
    uint8_t *at = segment->image + segment->end;
    uint64_t span = wal_record_span(header.length);
    header_seal(segment->seed, &header, head, tail, at);
    if (head.size > 0)
        memcpy(at + HEADER_SIZE, head.data, head.size);
    if (tail.size > 0)
        memcpy(at + HEADER_SIZE + head.size, tail.data, tail.size);
    uint64_t used = HEADER_SIZE + header.length;
    memset(at + used, 0, (size_t)(span - used));
    segment->end += span;
    segment->end_sequence = wal->next_sequence + 1;
}

static struct wal_group *group_for_append(struct wal *wal, uint32_t group, int *error)
{
    struct wal_group *found = wal_group_find(wal, group);
    if (found == NULL && wal->group_count >= wal->options.groups_max)
        wal_groups_sweep(wal);
    if (found == NULL && wal->group_count >= wal->options.groups_max) {
        *error = ERROR_TOO_LARGE;
        return NULL;
    }
    found = wal_group_get(wal, group);
    if (found == NULL || !wal_index_reserve(wal, found)) {
        *error = ERROR_NO_MEMORY;
        return NULL;
    }
    return found;
}

int wal_append(struct wal *wal, uint32_t group, uint8_t slot, uint16_t type, struct span head, struct span tail,
               uint64_t *position)
{
    if (wal->failed < 0)
        return wal->failed;
    if (head.size > WAL_RECORD_SIZE_MAX || tail.size > WAL_RECORD_SIZE_MAX - head.size)
        return ERROR_TOO_LARGE;
    uint64_t size = head.size + tail.size, span = wal_record_span(size);
    int error = OK;
    struct wal_group *to = group_for_append(wal, group, &error);
    if (to == NULL)
        return error;
    struct wal_segment *segment = wal_current(wal);
    if (!reserve_allows(wal, segment, span))
        return ERROR_NO_SPACE;
    if (segment == NULL || !fits(segment, span)) {
        error = wal_segment_begin(wal, span);
        if (error != OK)
            return error;
        segment = wal_current(wal);
    }
    if (!wal_batch_touch(wal, to, to->next))
        return ERROR_NO_MEMORY;

    struct header header = {
        .length = (uint32_t)size,
        .magic = HEADER_MAGIC,
        .version = HEADER_VERSION,
        .slot = slot,
        .type = type,
        .kind = HEADER_RECORD,
        .group = group,
        .sender = wal->options.node,
        .incarnation = wal->options.incarnation,
        .position = to->next,
        .sequence = wal->next_sequence,
        .synced = wal->synced_sequence,
    };
    record_write(wal, segment, &header, head, tail);
    *position = to->next;
    wal_index_push(to, (struct wal_entry){.segment = segment->number,
                                          .place = (uint32_t)((segment->end - span) / 8),
                                          .size = (uint32_t)size,
                                          .type = type,
                                          .slot = slot});
    segment->live++;
    wal->next_sequence++;
    wal->counters.records++;
    return OK;
}

uint64_t wal_room(const struct wal *wal)
{
    const struct wal_segment *current = wal_current(wal);
    uint64_t current_left = 0;
    if (wal->failed < 0)
        return 0;
    if (current != NULL) {
        uint64_t end = wal_round_up(current->end, WAL_BLOCK_SIZE);
        current_left = end < current->size ? current->size - end : 0;
    }
    uint64_t room = allocated_left(wal, current_left);
    if (!wal->disk_full) {
        uint64_t more = wal->disk->room(wal->disk);
        if (more >= INT64_MAX - room)
            return INT64_MAX;
        room += more / wal->options.segment_bytes * (wal->options.segment_bytes - WAL_BLOCK_SIZE);
    }
    /* What is under way when room becomes 0 must still fit, beside the reserve. */
    uint64_t kept = wal->options.reserve_bytes + wal->options.segment_bytes / 4;
    return room > kept ? room - kept : 0;
}
