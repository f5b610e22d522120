/* Files of the simulated disk.
 *
 * A file that was only ever written durably has one image. The first DISK_WRITE splits it: `seen` goes ahead, and
 * `durable` follows at each sync. A crash takes the durable image and, sector by sector, whatever of the dirty ranges
 * the disk happened to have written back by itself. */
#include "host/world/world_disk_file.h"

#include <string.h>

#include "base/panic.h"

struct world_file *world_file_create(struct heap *heap)
{
    struct world_file *file = heap_alloc_zero(heap, sizeof *file);
    invariant(file != NULL, "the world's region has room for a file");
    return file;
}

void world_file_free(struct heap *heap, struct world_file *file)
{
    heap_free(heap, file->seen.data);
    heap_free(heap, file->durable.data);
    heap_free(heap, file->dirty);
    heap_free(heap, file->bad);
    heap_free(heap, file);
}

static void image_resize(struct heap *heap, struct image *image, size_t size)
{
    if (size > image->capacity) {
        size_t capacity = 2 * image->capacity > size ? 2 * image->capacity : size;
        uint8_t *data = heap_resize(heap, image->data, capacity);
        invariant(data != NULL, "the world's region has room for a file's contents");
        image->data = data;
        image->capacity = capacity;
    }
    if (size > image->size)
        memset(image->data + image->size, 0, size - image->size);
    image->size = size;
}

static void image_write(struct heap *heap, struct image *image, uint64_t offset, const uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    if (offset + size > image->size)
        image_resize(heap, image, (size_t)(offset + size));
    memcpy(image->data + offset, data, size);
}

void world_file_resize(struct heap *heap, struct world_file *file, size_t size)
{
    image_resize(heap, &file->seen, size);
    if (file->split)
        image_resize(heap, &file->durable, size);
}

void world_file_write_durable(struct heap *heap, struct world_file *file, uint64_t offset, const uint8_t *data,
                              size_t size)
{
    image_write(heap, &file->seen, offset, data, size);
    if (file->split)
        image_write(heap, &file->durable, offset, data, size);
}

static void split(struct heap *heap, struct world_file *file)
{
    if (file->split)
        return;
    file->split = true;
    image_write(heap, &file->durable, 0, file->seen.data, file->seen.size);
    file->durable.size = file->seen.size;
}

static void unite(struct heap *heap, struct world_file *file)
{
    heap_free(heap, file->durable.data);
    file->durable = (struct image){0};
    file->dirty_count = 0;
    file->split = file->lied = false;
}

void world_file_write(struct heap *heap, struct world_file *file, uint64_t offset, const uint8_t *data, size_t size)
{
    split(heap, file);
    if (file->dirty_count == file->dirty_capacity) {
        size_t capacity = file->dirty_capacity > 0 ? 2 * file->dirty_capacity : 8;
        struct dirty *dirty = heap_resize(heap, file->dirty, capacity * sizeof *dirty);
        invariant(dirty != NULL, "the world's region has room for the ranges to be synced");
        file->dirty = dirty;
        file->dirty_capacity = capacity;
    }
    file->dirty[file->dirty_count++] = (struct dirty){.offset = offset, .size = size};
    image_write(heap, &file->seen, offset, data, size);
}

void world_file_sync(struct heap *heap, struct world_file *file, size_t mark)
{
    if (!file->split)
        return;
    if (mark > file->dirty_count)
        mark = file->dirty_count;
    for (size_t i = 0; i < mark; i++)
        image_write(heap, &file->durable, file->dirty[i].offset, file->seen.data + file->dirty[i].offset,
                    (size_t)file->dirty[i].size);
    memmove(file->dirty, file->dirty + mark, (file->dirty_count - mark) * sizeof *file->dirty);
    file->dirty_count -= mark;
    if (file->dirty_count == 0)
        unite(heap, file);
}

void world_file_write_torn(struct heap *heap, struct world_file *file, uint64_t offset, const uint8_t *data,
                           size_t size, struct random *random, bool inside_sectors)
{
    if (size == 0)
        return;
    size_t cut = (size_t)random_below(random, size + 1);
    if (!inside_sectors)
        cut -= cut % WORLD_SECTOR_SIZE;
    if (random_chance(random, 1, 2)) {
        world_file_write_durable(heap, file, offset, data, cut);
        return;
    }
    for (size_t at = 0; at < size; at += WORLD_SECTOR_SIZE) {
        size_t piece = size - at < WORLD_SECTOR_SIZE ? size - at : WORLD_SECTOR_SIZE;
        if (random_chance(random, 1, 2))
            world_file_write_durable(heap, file, offset + at, data + at, piece);
    }
}

/* Copies what was seen at [offset, offset + size) to the durable image, as far as both reach. */
static void write_back(struct world_file *file, uint64_t offset, uint64_t size)
{
    uint64_t end = offset + size;
    if (end > file->seen.size)
        end = file->seen.size;
    if (end > file->durable.size)
        end = file->durable.size;
    if (end > offset)
        memcpy(file->durable.data + offset, file->seen.data + offset, (size_t)(end - offset));
}

static void write_back_some(struct world_file *file, struct random *random)
{
    for (size_t i = 0; i < file->dirty_count; i++) {
        struct dirty *dirty = &file->dirty[i];
        for (uint64_t at = 0; at < dirty->size; at += WORLD_SECTOR_SIZE) {
            uint64_t piece = dirty->size - at < WORLD_SECTOR_SIZE ? dirty->size - at : WORLD_SECTOR_SIZE;
            if (random_chance(random, 1, 2))
                write_back(file, dirty->offset + at, piece);
        }
    }
}

void world_file_crash(struct heap *heap, struct world_file *file, enum tear tear, struct random *random)
{
    if (!file->split)
        return;
    if (tear == TEAR_KEPT) {
        unite(heap, file);
        return;
    }
    if (tear == TEAR_TORN) {
        /* The size is written back on its own: the file may end in zeros, or before bytes that were written. */
        size_t size = file->durable.size;
        if (file->seen.size > size)
            size += (size_t)random_below(random, file->seen.size - size + 1);
        image_resize(heap, &file->durable, size);
        write_back_some(file, random);
    }
    struct image seen = file->seen;
    file->seen = file->durable;
    file->durable = seen;
    unite(heap, file);
}
