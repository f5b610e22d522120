/* The segments in use: their table, their images, the beginning of a new one, and which ones nobody needs any more.
 *
 * A segment is not needed when no index entry points into it, all of it is durable and within the durable prefix, and
 * a younger segment's head is durable (so a log whose directory holds any file has at least one valid head). The
 * oldest segments go at once. A segment between others that are needed (a busy group's, while a quiet group still
 * holds a record in an older one) would leave a hole in the sequences, which recovery must not take for damage: so
 * first the head of the next new segment lists its range, and once that head and its first record are in the durable
 * prefix it goes. They go one at a
 * time, for the same reason: two renames under way may survive a crash in the wrong order. */
#include "base/error.h"
#include "base/panic.h"
#include "storage/wal_internal.h"

struct wal_segment *wal_segment_find(const struct wal *wal, uint32_t number)
{
    size_t low = 0, high = wal->segment_count;
    /* Most look-ups are for the youngest two. */
    if (high > 0 && wal->segments[high - 1]->number == number)
        return wal->segments[high - 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (wal->segments[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < wal->segment_count && wal->segments[low]->number == number ? wal->segments[low] : NULL;
}

struct wal_segment *wal_segment_add(struct wal *wal, uint32_t number, uint32_t handle, uint64_t size)
{
    if (!wal_grow(wal->heap, (void **)&wal->segments, wal->segment_count, &wal->segment_size,
                  sizeof(struct wal_segment *)))
        return NULL;
    struct wal_segment *segment = heap_alloc_zero(wal->heap, sizeof *segment);
    if (segment == NULL)
        return NULL;
    segment->number = number;
    segment->handle = handle;
    segment->size = size;
    segment->seed = wal_seed(&wal->options, number);
    wal->segments[wal->segment_count++] = segment;
    wal->counters.segments = wal->segment_count;
    return segment;
}

int wal_segment_image(struct wal *wal, struct wal_segment *segment)
{
    segment->image = disk_memory(wal->heap, (size_t)segment->size, &segment->image_block);
    if (segment->image == NULL)
        return ERROR_NO_MEMORY;
    wal->image_count++;
    return OK;
}

void wal_segment_image_drop(struct wal *wal, struct wal_segment *segment)
{
    if (segment->image == NULL)
        return;
    heap_free(wal->heap, segment->image_block);
    wal->image_count--;
    segment->image_block = NULL;
    segment->image = NULL;
}

void wal_segment_free(struct wal *wal, struct wal_segment *segment)
{
    wal_segment_image_drop(wal, segment);
    heap_free(wal->heap, segment);
}

static bool segment_idle(const struct wal_segment *segment)
{
    return segment->inflight == 0 && segment->end == segment->begun;
}

void wal_images_trim(struct wal *wal)
{
    uint32_t kept = 0;
    for (size_t i = wal->segment_count; i-- > 0 && wal->image_count > WAL_IMAGES_MAX;) {
        struct wal_segment *segment = wal->segments[i];
        if (segment->image != NULL && ++kept > WAL_IMAGES_MAX && segment_idle(segment))
            wal_segment_image_drop(wal, segment);
    }
}

/* ---- released ranges ---- */

bool wal_hole_add(struct wal *wal, struct wal_range range)
{
    /* Everything that touches the new range becomes part of it. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < wal->hole_count; i++) {
        struct wal_range hole = wal->holes[i];
        if (hole.end < range.first || hole.first > range.end) {
            wal->holes[kept++] = hole;
            continue;
        }
        range.first = hole.first < range.first ? hole.first : range.first;
        range.end = hole.end > range.end ? hole.end : range.end;
    }
    wal->hole_count = kept;
    if (kept == WAL_HOLES_MAX)
        return false;
    uint32_t place = kept;
    for (; place > 0 && wal->holes[place - 1].first > range.first; place--)
        wal->holes[place] = wal->holes[place - 1];
    wal->holes[place] = range;
    wal->hole_count++;
    return true;
}

uint64_t wal_holes_outside(const struct wal *wal, uint64_t first, uint64_t end, uint64_t *first_lost)
{
    uint64_t outside = 0;
    for (uint32_t i = 0; i < wal->hole_count && first < end; i++) {
        struct wal_range hole = wal->holes[i];
        if (hole.end <= first)
            continue;
        uint64_t until = hole.first < end ? hole.first : end;
        if (until > first) {
            *first_lost = outside == 0 ? first : *first_lost;
            outside += until - first;
        }
        first = hole.end;
    }
    if (first < end) {
        *first_lost = outside == 0 ? first : *first_lost;
        outside += end - first;
    }
    return outside;
}

/* Ranges below everything that is held tell nothing. */
static void holes_forget(struct wal *wal)
{
    uint64_t oldest = wal->segment_count == 0 ? wal->next_sequence : wal->segments[0]->first_sequence;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < wal->hole_count; i++)
        if (wal->holes[i].end > oldest)
            wal->holes[kept++] = wal->holes[i];
    wal->hole_count = kept;
}

/* ---- recycling ---- */

static bool segment_unneeded(const struct wal *wal, const struct wal_segment *segment)
{
    return segment->live == 0 && segment_idle(segment) && segment->end_sequence <= wal->synced_sequence;
}

static int segment_recycle(struct wal *wal, size_t place)
{
    struct wal_segment *segment = wal->segments[place];
    uint32_t number = segment->number, handle = segment->handle;
    uint64_t size = segment->size;
    wal_segment_free(wal, segment);
    wal->segment_count--;
    memmove(&wal->segments[place], &wal->segments[place + 1],
            (wal->segment_count - place) * sizeof(struct wal_segment *));
    wal->counters.segments = wal->segment_count;
    return wal_spare_recycle(wal, number, handle, size);
}

static bool younger_head_durable(const struct wal *wal, size_t place)
{
    for (size_t i = wal->segment_count; --i > place;)
        if (wal->segments[i]->head_durable)
            return true;
    return false;
}

int wal_reclaim(struct wal *wal)
{
    int result = OK;
    while (result == OK && !wal->recycling && wal->segment_count > 1 && segment_unneeded(wal, wal->segments[0]) &&
           younger_head_durable(wal, 0))
        result = segment_recycle(wal, 0);
    for (size_t i = 1; result == OK && !wal->recycling && i + 1 < wal->segment_count;) {
        struct wal_segment *segment = wal->segments[i];
        struct wal_segment *lister = segment->listed_in == 0 ? NULL : wal_segment_find(wal, segment->listed_in);
        /* Within the durable prefix, the head cannot be cut off by a crash either. */
        if (lister != NULL && lister->head_durable && wal->synced_sequence > lister->first_sequence)
            result = segment_recycle(wal, i);
        else
            i++;
    }
    return result;
}

/* Adds to the released ranges the segments between others that nobody needs, so that the new head lists them. */
static void holes_gather(struct wal *wal, uint32_t lister)
{
    holes_forget(wal);
    for (size_t i = 1; i + 1 < wal->segment_count; i++) {
        struct wal_segment *segment = wal->segments[i];
        if (segment->listed_in != 0 || !segment_unneeded(wal, segment))
            continue;
        struct wal_range range = {segment->first_sequence, wal->segments[i + 1]->first_sequence};
        if (range.first < range.end && wal_hole_add(wal, range))
            segment->listed_in = lister;
    }
}

int wal_segment_begin(struct wal *wal, uint64_t record_span)
{
    uint64_t size = wal->options.segment_bytes;
    uint64_t overhead = WAL_BLOCK_SIZE + HEADER_SIZE;
    if (record_span + overhead > size)
        size = wal_round_up(record_span + overhead, WAL_OVERSIZE_UNIT);
    uint32_t number, handle;
    int result = wal_spare_take(wal, size, &number, &handle);
    if (result != OK)
        return result;
    struct wal_segment *segment = wal_segment_add(wal, number, handle, size);
    if (segment == NULL || wal_segment_image(wal, segment) != OK) {
        if (segment != NULL) {
            wal->counters.segments = --wal->segment_count;
            heap_free(wal->heap, segment);
        }
        result = wal_spare_recycle(wal, number, handle, size);
        return result == OK ? ERROR_NO_MEMORY : result;
    }
    segment->first_sequence = segment->end_sequence = segment->batch_sequence = wal->next_sequence;
    holes_gather(wal, number);
    struct wal_head head = {
        .node = wal->options.node,
        .number = number,
        .cluster = wal->options.cluster,
        .size = size,
        .first_sequence = wal->next_sequence,
        .synced = wal->synced_sequence,
        .hole_count = wal->hole_count,
    };
    memcpy(head.holes, wal->holes, wal->hole_count * sizeof wal->holes[0]);
    wal_head_encode(&head, segment->image);
    /* The head is unwritten, so that it goes with the first records; the mark follows it. */
    segment->end = WAL_BLOCK_SIZE + HEADER_SIZE;
    wal_images_trim(wal);
    return wal_spares_ahead(wal);
}
