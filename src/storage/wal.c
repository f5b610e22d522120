/* The write-ahead log of a node: format, recovery, and the outermost calls.
 *
 * Intuition: all members of a node append to one log, so that one durable write a turn makes everything of that turn
 * safe. The log is a row of preallocated files, the segments; each is built in memory and written front to back.
 *
 * FILES. "log-%010u", numbers rising for ever; "new-%010u" while one is being allocated. The order of numbers is the
 * order of the log. A segment that nobody needs is renamed to a new number, without being cleared; so its old records
 * lie in it, and must not count. Therefore the CRC of each record is seeded with the segment's generation, a value
 * made of cluster, node and number (wal_seed): two numbers never give the same seed, and CRCs of the same bytes under
 * two seeds always differ.
 *
 * SEGMENT. The first block (4096 bytes) is the head, encoded in wal_head.c. It is written together with the first
 * records; that of the very first segment is durable before the file has its name, so a directory with files of a log
 * and no valid head is a damaged one. Then follow writes. A write begins at a block with a mark, a header
 * (contract/header.h) without a body, of kind HEADER_NODE and type 1: its sequence is that of the first record behind
 * it, and its `synced` says that all records with a lower sequence were durable when this write began. Records follow:
 * header (kind HEADER_RECORD) and body, padded with zeros to 8 bytes. The rest of the write's last block is zeros.
 *
 * A write always begins at a new block: were the half-full last block completed and written again, a crash could tear
 * a block in which records lie that were acknowledged long ago. The price is half a block a write on average, and
 * 4 KiB for a single small record, which is what the device writes anyway. A write never crosses into another segment:
 * when a record does not fit any more, the rest of the segment stays unused, and a larger record than a segment
 * holds gets one of its own size. There is no mark at a segment's end: the next head says with which sequence it goes
 * on, which is the same information where it is safer.
 *
 * `synced` in a record is what was known when it was appended, a lower bound of what its mark says. (Sealing every
 * header only when the write begins would touch all of the batch a second time.)
 *
 * RECOVERY (wal_recover.c, wal_resume.c). All segments are walked in the order of their numbers. An item (head, mark
 * or record) is valid when its CRC is right and it lies where an item can lie: behind the one before, or at the
 * beginning of a block. Behind something invalid the walk goes on at the next block, since writes begin there; never
 * by an invalid header's length. An item of an older life of the node than one before it is invalid too: a write that a
 * crash tears may leave, behind its own beginning, the end of what an earlier life wrote to that block and lost. (Its
 * beginning was torn then, so that nothing of the block was found and cleared.) Sequences tell whether anything is
 * missing: each valid item names the one that comes next. At a hole [a, b):
 *   - sequences in ranges that heads list as released (wal_segment.c) are not missing;
 *   - it is damage if any valid item from the hole on has synced > a: a later write says that the record was durable;
 *     or if a block at the hole cannot be read: crashes tear, they do not make sectors unreadable;
 *   - else it is the torn tail of the log. The log ends at the hole, and valid items behind it, which reached the disk
 *     before the one that is missing, are dropped: a log survives a crash as a prefix. They are overwritten durably
 *     before the log is opened, and segments behind are renamed, so that they cannot come to life later, when the hole
 *     is filled with other records of the same sequences.
 * Whatever is behind the last valid item cannot be told from a write that was cut, even if it was damaged later: so
 * damage of the very last writes is cut, unless the blocks cannot be read. (No log can do better without writing
 * something more after each write.) A hole that was durable in part counts as damage as a whole.
 *
 * Damage is told as gaps of positions. How many records are missing is known from the sequences, whose they were from
 * the positions around: a group whose positions go on has lost none; one whose positions jump has lost those between;
 * if that does not explain all, then every group without a later record may have lost the rest, is told a gap at its
 * end and goes on behind it. A group of which nothing is left cannot be named: after WAL_DAMAGED, wal_may_lack tells
 * that it may be one of the lost. Damage is found again at each opening until the group concerned has released the
 * positions of the gap. What lay before the oldest segment cannot be missed here: the caller compares the first record
 * that it needs with the first that it is told.
 *
 * FULL DISK. Segments are allocated ahead; when that fails, what is left in the allocated ones is the room, less a
 * reserve for small records. Opening allocates nothing when there is a log. If a burst outruns what was allocated
 * ahead, and for a record that needs a segment of its own, one is allocated at once (disk->now), which blocks.
 *
 * INVARIANTS. A block that was handed to the disk is never written again (but for the clearing at opening). At most
 * one segment, the last, takes records. Sequences rise by one, without a hole but for released ranges and damage. An
 * index entry's segment is held. The first failure of the disk is the last thing that the log does.
 *
 * LIMITS. A record's body has at most 1 GiB. At most 240 separate released ranges. A client who knows cluster, node
 * and segment number could hide a forged record in a value, where the walk would find it if the block before were
 * damaged, the value were placed on a block, and the sequence guessed. */
#include <stdio.h>

#include "base/error.h"
#include "base/panic.h"
#include "storage/wal_internal.h"

enum { SEGMENT_BYTES_MIN = 4 * WAL_BLOCK_SIZE, AHEAD_MAX = WAL_SPARES_MAX - 2 };

static struct wal_options options_checked(const struct wal_options *options)
{
    struct wal_options checked = *options;
    checked.segment_bytes = wal_round_up(options->segment_bytes, WAL_BLOCK_SIZE);
    if (checked.segment_bytes < SEGMENT_BYTES_MIN)
        checked.segment_bytes = SEGMENT_BYTES_MIN;
    if (checked.segments_ahead > AHEAD_MAX)
        checked.segments_ahead = AHEAD_MAX;
    if (checked.writes_inflight_max == 0)
        checked.writes_inflight_max = 1;
    return checked;
}

static struct wal *wal_create(struct heap *heap, struct disk *disk, const struct wal_options *options)
{
    struct wal *wal = heap_alloc_zero(heap, sizeof *wal);
    if (wal == NULL)
        return NULL;
    wal->heap = heap;
    wal->disk = disk;
    wal->options = options_checked(options);
    wal->next_number = 1;
    wal->next_sequence = wal->synced_sequence = 1;
    wal->batch_size = wal->options.writes_inflight_max + 1;
    wal->batches = heap_alloc_zero(heap, wal->batch_size * sizeof *wal->batches);
    if (wal->batches == NULL) {
        heap_free(heap, wal);
        return NULL;
    }
    wal->batches[0].serial = 1;
    return wal;
}

/* A new directory: the first segment, whose head is durable before it has its name. */
static int log_create(struct wal *wal)
{
    struct wal_head head = {
        .node = wal->options.node,
        .number = wal->next_number++,
        .cluster = wal->options.cluster,
        .size = wal->options.segment_bytes,
        .first_sequence = 1,
        .synced = 1,
    };
    int result = wal_spare_create_first(wal, &head);
    if (result != OK)
        return result;
    char name[DISK_NAME_SIZE_MAX];
    uint32_t handle;
    wal_name(name, "log", head.number);
    result = wal->disk->open(wal->disk, name, false, &handle);
    if (result != OK)
        return result;
    struct wal_segment *segment = wal_segment_add(wal, head.number, handle, head.size);
    if (segment == NULL) {
        wal->disk->close(wal->disk, handle);
        return ERROR_NO_MEMORY;
    }
    segment->first_sequence = segment->end_sequence = segment->batch_sequence = 1;
    segment->begun = segment->end = WAL_BLOCK_SIZE;
    segment->head_durable = true;
    return wal_segment_image(wal, segment);
}

int wal_open(struct wal **out, struct heap *heap, struct disk *disk, const struct wal_options *options,
             enum wal_condition *condition, void (*found)(void *context, const struct wal_found *found), void *context,
             char *why, size_t why_size)
{
    if (why_size > 0)
        why[0] = '\0';
    *condition = WAL_NEW;
    struct wal *wal = wal_create(heap, disk, options);
    if (wal == NULL)
        return ERROR_NO_MEMORY;
    struct wal_files files = {0};
    int result = wal_files_open(wal, &files, why, why_size);
    if (result == OK)
        result = wal_recover(wal, &files, condition, found, context, why, why_size);
    wal_files_close(wal, &files);
    if (result == OK && *condition == WAL_NEW)
        result = log_create(wal);
    wal->may_lack = *condition == WAL_DAMAGED;
    if (result == OK)
        result = wal_spares_ahead(wal);
    if (result == OK && wal->failed < 0)
        result = wal->failed;
    if (result != OK) {
        if (why_size > 0 && why[0] == '\0')
            (void)snprintf(why, why_size, "the log cannot be opened: %s", error_text(result));
        wal_close(wal);
        return result;
    }
    *out = wal;
    return OK;
}

void wal_close(struct wal *wal)
{
    struct heap *heap = wal->heap;
    for (size_t i = 0; i < wal->segment_count; i++) {
        wal->disk->close(wal->disk, wal->segments[i]->handle);
        wal_segment_free(wal, wal->segments[i]);
    }
    for (uint32_t i = 0; i < wal->spare_count; i++)
        wal->disk->close(wal->disk, wal->spares[i].handle);
    for (size_t i = 0; i < wal->request_count; i++)
        heap_free(heap, wal->requests[i]);
    for (uint32_t i = 0; i < wal->batch_size; i++)
        heap_free(heap, wal->batches[i].touched);
    wal_groups_free(wal);
    heap_free(heap, wal->segments);
    heap_free(heap, wal->requests);
    heap_free(heap, wal->batches);
    heap_free(heap, wal->scratch_block);
    heap_free(heap, wal);
}

uint64_t wal_next_position(const struct wal *wal, uint32_t group)
{
    const struct wal_group *found = wal_group_find(wal, group);
    return found == NULL ? 1 : found->next;
}

uint64_t wal_first_position(const struct wal *wal, uint32_t group)
{
    const struct wal_group *found = wal_group_find(wal, group);
    return found == NULL ? 1 : found->first;
}

uint64_t wal_stored_position(const struct wal *wal, uint32_t group)
{
    const struct wal_group *found = wal_group_find(wal, group);
    if (found == NULL)
        return 0;
    return wal->options.report_before_sync ? found->next - 1 : found->stored;
}

void wal_set_next_position(struct wal *wal, uint32_t group, uint64_t position)
{
    struct wal_group *found = wal_group_get(wal, group);
    if (found == NULL) {
        /* The caller learns it from the next append, which cannot get memory either. */
        wal->failed = ERROR_NO_MEMORY;
        return;
    }
    invariant(position >= found->next || found->first == found->next, "positions never return");
    wal_index_release(wal, found, found->next);
    invariant(position > 0 && position <= WAL_NUMBER_MAX, "positions begin at 1");
    found->first = found->next = position;
    found->stored = position - 1;
}

void wal_release(struct wal *wal, uint32_t group, uint64_t position)
{
    struct wal_group *found = wal_group_find(wal, group);
    if (found == NULL || position <= found->first)
        return;
    wal_index_release(wal, found, position);
    (void)wal_reclaim(wal); /* a failure of the disk stays in wal->failed, and the next write tells it */
}

void wal_forget(struct wal *wal, uint32_t group)
{
    struct wal_group *found = wal_group_find(wal, group);
    if (found == NULL)
        return;
    found->forgotten = true;
    wal_index_release(wal, found, found->next);
    wal_groups_sweep(wal);
    (void)wal_reclaim(wal);
}

bool wal_may_lack(const struct wal *wal, uint32_t group)
{
    return wal->may_lack && wal_group_find(wal, group) == NULL;
}

const struct wal_counters *wal_counters(const struct wal *wal)
{
    return &wal->counters;
}

size_t wal_heap_size(const struct wal_options *options)
{
    struct wal_options checked = options_checked(options);
    /* Images: those kept, one for each write under way, one for recovery, and a scratch of the same size for reads.
     * The index has 16 bytes for each record held, and three times that while a ring doubles. */
    uint64_t images = (WAL_IMAGES_MAX + checked.writes_inflight_max + 2) *
                      (checked.segment_bytes + 2 * (uint64_t)WAL_BLOCK_SIZE);
    uint64_t index = 4 * checked.segment_bytes + (uint64_t)checked.groups_max * 2048;
    return (size_t)(images + index + (UINT64_C(256) << 10));
}
