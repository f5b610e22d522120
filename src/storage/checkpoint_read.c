/* Reading checkpoints: which one is the youngest that is whole, and pieces of it. */
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "storage/checkpoint_internal.h"

enum { CANDIDATES_MAX = 8, KEPT_COUNT = 2 };

struct checkpoint_reader {
    struct heap *heap;
    struct disk *disk;
    struct checkpoint_head head;
    uint32_t handle, seed;
    uint8_t *scratch;
    void *scratch_block;
    size_t scratch_size;
};

static int scratch_reserve(struct checkpoint_reader *reader, size_t size)
{
    if (size <= reader->scratch_size)
        return OK;
    heap_free(reader->heap, reader->scratch_block);
    reader->scratch_size = 0;
    reader->scratch = disk_memory(reader->heap, size, &reader->scratch_block);
    if (reader->scratch == NULL)
        return ERROR_NO_MEMORY;
    reader->scratch_size = size;
    return OK;
}

static int head_read(struct checkpoint_reader *reader, uint32_t group, uint64_t index)
{
    uint64_t size = 0;
    int result = reader->disk->size(reader->disk, reader->handle, &size);
    if (result == OK && size < FILE_HEAD_SIZE)
        return ERROR_CORRUPT;
    if (result == OK)
        result = scratch_reserve(reader, FILE_HEAD_SIZE);
    if (result == OK)
        result = reader->disk->read(reader->disk, reader->handle, 0, reader->scratch, FILE_HEAD_SIZE);
    if (result == OK)
        result = checkpoint_head_decode(reader->scratch, &reader->head);
    if (result != OK)
        return result;
    bool right = reader->head.group == group && reader->head.index == index &&
                 size >= FILE_HEAD_SIZE + checkpoint_frames_size(reader->head.size);
    reader->seed = checkpoint_seed(&reader->head);
    return right ? OK : ERROR_CORRUPT;
}

int checkpoint_open(struct checkpoint_reader **out, struct heap *heap, struct disk *disk, uint32_t group,
                    uint64_t index, struct checkpoint_head *head)
{
    struct checkpoint_reader *reader = heap_alloc_zero(heap, sizeof *reader);
    if (reader == NULL)
        return ERROR_NO_MEMORY;
    char name[DISK_NAME_SIZE_MAX];
    checkpoint_name(name, group, index, false);
    reader->heap = heap;
    reader->disk = disk;
    int result = disk->open(disk, name, false, &reader->handle);
    if (result != OK) {
        heap_free(heap, reader);
        return result;
    }
    result = head_read(reader, group, index);
    if (result != OK) {
        checkpoint_reader_free(reader);
        return result;
    }
    *head = reader->head;
    *out = reader;
    return OK;
}

static size_t frame_content(const struct checkpoint_reader *reader, uint64_t frame)
{
    uint64_t left = reader->head.size - frame * FRAME_CONTENT;
    return left < FRAME_CONTENT ? (size_t)left : FRAME_CONTENT;
}

int checkpoint_read(struct checkpoint_reader *reader, uint64_t offset, size_t size, struct span *bytes)
{
    *bytes = span_of(NULL, 0);
    if (offset >= reader->head.size || size == 0)
        return OK;
    if (size > READ_SIZE_MAX)
        size = READ_SIZE_MAX;
    if (size > reader->head.size - offset)
        size = (size_t)(reader->head.size - offset);
    uint64_t first = offset / FRAME_CONTENT, last = (offset + size - 1) / FRAME_CONTENT;
    size_t span = (size_t)(last - first) * FRAME_SIZE + checkpoint_frame_size(frame_content(reader, last));
    int result = scratch_reserve(reader, span);
    if (result == OK)
        result = reader->disk->read(reader->disk, reader->handle, checkpoint_frame_offset(first), reader->scratch,
                                    span);
    /* The contents move together at the front of the scratch. */
    size_t together = 0;
    for (uint64_t frame = first; result == OK && frame <= last; frame++) {
        const uint8_t *at = reader->scratch + (frame - first) * FRAME_SIZE;
        size_t content = frame_content(reader, frame);
        result = checkpoint_frame_check(at, reader->seed, frame, content);
        if (result == OK)
            memmove(reader->scratch + together, at + FRAME_HEADER_SIZE, content);
        together += content;
    }
    if (result == OK)
        *bytes = span_of(reader->scratch + (offset - first * FRAME_CONTENT), size);
    return result == ERROR_INVALID ? ERROR_CORRUPT : result;
}

void checkpoint_reader_free(struct checkpoint_reader *reader)
{
    reader->disk->close(reader->disk, reader->handle);
    heap_free(reader->heap, reader->scratch_block);
    heap_free(reader->heap, reader);
}

/* Reads all of it once. */
static int checkpoint_verify(struct heap *heap, struct disk *disk, uint64_t cluster, uint32_t group, uint64_t index,
                             struct checkpoint_head *head)
{
    struct checkpoint_reader *reader;
    int result = checkpoint_open(&reader, heap, disk, group, index, head);
    if (result != OK)
        return result;
    if (head->cluster != cluster)
        result = ERROR_WRONG_CLUSTER;
    uint64_t digest = 0;
    for (uint64_t offset = 0; result == OK && offset < head->size;) {
        struct span bytes;
        result = checkpoint_read(reader, offset, FRAME_CONTENT, &bytes);
        if (result == OK)
            digest = checkpoint_digest_add(digest, bytes.data, bytes.size);
        offset += FRAME_CONTENT;
    }
    if (result == OK && checkpoint_digest_close(digest, head) != head->digest)
        result = ERROR_CORRUPT;
    checkpoint_reader_free(reader);
    return result;
}

static int leftovers_remove(struct disk *disk, uint32_t group, const uint64_t *finished, uint32_t count)
{
    char name[DISK_NAME_SIZE_MAX];
    struct disk_request request = {.op = DISK_REMOVE, .name = name};
    uint64_t temporary[CANDIDATES_MAX];
    uint32_t temporary_count = 0;
    int result = checkpoint_indexes(disk, group, true, temporary, CANDIDATES_MAX, &temporary_count);
    for (uint32_t i = 0; result == OK && i < temporary_count && i < CANDIDATES_MAX; i++) {
        checkpoint_name(name, group, temporary[i], true);
        result = disk->now(disk, &request);
    }
    for (uint32_t i = KEPT_COUNT; result == OK && i < count; i++) {
        checkpoint_name(name, group, finished[i], false);
        result = disk->now(disk, &request);
    }
    return result;
}

int checkpoint_latest(struct heap *heap, struct disk *disk, uint64_t cluster, uint32_t group,
                      struct checkpoint_head *head, char *why, size_t why_size)
{
    uint64_t indexes[CANDIDATES_MAX];
    uint32_t count = 0;
    int result = checkpoint_indexes(disk, group, false, indexes, CANDIDATES_MAX, &count);
    if (result != OK)
        return result;
    if (count > CANDIDATES_MAX)
        count = CANDIDATES_MAX;
    result = ERROR_NOT_FOUND;
    uint32_t tried = 0;
    for (; tried < count && result != OK; tried++) {
        result = checkpoint_verify(heap, disk, cluster, group, indexes[tried], head);
        /* Only damage makes an older one the best there is. */
        if (result != OK && result != ERROR_CORRUPT && result != ERROR_IO)
            break;
    }
    if (result == OK && tried == 1)
        return leftovers_remove(disk, group, indexes, count);
    if (result == OK || result == ERROR_NOT_FOUND)
        return result == OK ? OK : (leftovers_remove(disk, group, indexes, 0) == OK ? ERROR_NOT_FOUND : ERROR_IO);
    uint64_t named = tried < count ? indexes[tried] : indexes[0];
    (void)snprintf(why, why_size, "checkpoint-%u-%020" PRIu64 "%s: %s", group, named,
                   tried < count || count == 1 ? "" : " and those before it", error_text(result));
    return result == ERROR_IO ? ERROR_CORRUPT : result;
}
