/* Faults of the medium: what a simulated disk makes of writes, syncs and reads when it is ill, and what decays by
 * itself.
 *
 * A lie puts durable writes where unsynced ones are, so that a crash decides about them. Lost and misdirected writes
 * strike when the next write comes. Rot and latent sectors are placed at once. A place is drawn among all bytes of all
 * files and moved on to where something was written: most of a preallocated segment is zeros that nobody reads. */
#include <string.h>

#include "base/error.h"
#include "base/panic.h"
#include "host/world/world_disk_file.h"

enum { SEARCH_BYTES_MAX = 1 << 20 /* how far a drawn place moves to where something was written */ };

/* ---- writes and reads ---- */

/* A sector that is written whole can be read again. */
static void mend(struct world_file *file, uint64_t offset, size_t size)
{
    size_t kept = 0;
    for (size_t i = 0; i < file->bad_count; i++) {
        uint64_t begin = file->bad[i] * WORLD_SECTOR_SIZE;
        bool rewritten = begin >= offset && begin + WORLD_SECTOR_SIZE <= offset + size;
        if (!rewritten)
            file->bad[kept++] = file->bad[i];
    }
    file->bad_count = kept;
}

/* The size of a file is in its inode, which arrives where its contents do not. */
static void grow(struct world_disk *disk, struct world_file *file, uint64_t end)
{
    if (end > file->seen.size)
        world_file_resize(disk->heap, file, (size_t)end);
}

/* Another block of the file for a write of that size; false: there is none. */
static bool draw_elsewhere(struct world_disk *disk, const struct world_file *file, size_t size, uint64_t *offset)
{
    struct random random;
    random_seed(&random, disk->medium.misdirect_draw);
    uint64_t room = file->seen.size >= size ? (file->seen.size - size) / DISK_ALIGNMENT + 1 : 0;
    uint64_t own = *offset / DISK_ALIGNMENT;
    if (room < 2)
        return false;
    uint64_t block = random_below(&random, own < room ? room - 1 : room);
    *offset = (block >= own && own < room ? block + 1 : block) * DISK_ALIGNMENT;
    return true;
}

/* False: the write is lost. Else where it lands. */
static bool lands(struct world_disk *disk, struct world_file *file, uint64_t *offset, size_t size)
{
    struct world_disk_medium *medium = &disk->medium;
    if (medium->lose_left > 0) {
        medium->lose_left--;
        medium->lost++;
        medium->ill = true;
        grow(disk, file, *offset + size);
        return false;
    }
    if (medium->misdirect_left > 0) {
        medium->misdirect_left--;
        medium->misdirected++;
        medium->ill = true;
        grow(disk, file, *offset + size);
        return draw_elsewhere(disk, file, size, offset);
    }
    return true;
}

void world_disk_take_write(struct world_disk *disk, struct world_file *file, bool durable, uint64_t offset,
                           const uint8_t *data, size_t size)
{
    struct world_disk_medium *medium = &disk->medium;
    if (size > 0 && !lands(disk, file, &offset, size))
        return;
    if (file->bad_count > 0)
        mend(file, offset, size);
    if (durable && !medium->lies) {
        world_file_write_durable(disk->heap, file, offset, data, size);
        return;
    }
    world_file_write(disk->heap, file, offset, data, size);
    if (!durable)
        return;
    file->lied = medium->ill = true;
    medium->lied++;
}

void world_disk_take_sync(struct world_disk *disk, struct world_file *file, size_t mark)
{
    if (!disk->medium.lies) {
        world_file_sync(disk->heap, file, mark);
        return;
    }
    if (!file->split)
        return;
    file->lied = disk->medium.ill = true;
    disk->medium.lied++;
}

bool world_disk_readable(struct world_disk *disk, const struct world_file *file, uint64_t offset, size_t size)
{
    for (size_t i = 0; i < file->bad_count; i++) {
        uint64_t begin = file->bad[i] * WORLD_SECTOR_SIZE;
        if (begin < offset + size && begin + WORLD_SECTOR_SIZE > offset) {
            disk->medium.unreadable_reads++;
            return false;
        }
    }
    return true;
}

/* ---- what waits for the next writes ---- */

void world_disk_lie(struct world_disk *disk, bool lies)
{
    disk->medium.lies = lies;
    for (struct world_file *file = disk->files; file != NULL && !lies; file = file->next)
        if (file->lied)
            world_file_sync(disk->heap, file, file->dirty_count);
}

void world_disk_lose(struct world_disk *disk, uint32_t writes)
{
    disk->medium.lose_left += writes;
}

void world_disk_misdirect(struct world_disk *disk, uint64_t draw)
{
    disk->medium.misdirect_left = 1;
    disk->medium.misdirect_draw = draw;
}

void world_disk_well(struct world_disk *disk)
{
    world_disk_lie(disk, false);
    disk->medium.lose_left = disk->medium.misdirect_left = 0;
}

/* ---- what decays ---- */

static const struct image *durable_image(const struct world_file *file)
{
    return file->split ? &file->durable : &file->seen;
}

/* A place where something was written, at `at` or behind it; where there is nothing, `at` itself. */
static uint64_t written_at(const struct image *image, uint64_t at)
{
    for (uint64_t i = 0; i < image->size && i < SEARCH_BYTES_MAX; i++)
        if (image->data[(at + i) % image->size] != 0)
            return (at + i) % image->size;
    return at;
}

/* Draws a file and a place in it, by size; NULL when nothing is durable. */
static struct world_file *draw_place(struct world_disk *disk, struct random *random, uint64_t *offset)
{
    uint64_t total = 0;
    for (struct world_file *file = disk->files; file != NULL; file = file->next)
        total += file->name[0] != '\0' ? durable_image(file)->size : 0;
    if (total == 0)
        return NULL;
    uint64_t drawn = random_below(random, total);
    for (struct world_file *file = disk->files; file != NULL; file = file->next) {
        uint64_t size = file->name[0] != '\0' ? durable_image(file)->size : 0;
        if (drawn < size) {
            *offset = written_at(durable_image(file), drawn);
            return file;
        }
        drawn -= size;
    }
    return NULL;
}

uint32_t world_disk_rot(struct world_disk *disk, uint32_t bits, uint64_t draw)
{
    struct random random;
    random_seed(&random, draw);
    uint32_t flipped = 0;
    for (uint32_t i = 0; i < bits; i++) {
        uint64_t offset = 0;
        struct world_file *file = draw_place(disk, &random, &offset);
        unsigned bit = (unsigned)random_below(&random, 8);
        flipped += file != NULL && world_disk_flip(disk, file->name, offset, bit);
    }
    disk->medium.rotten_bits += flipped;
    disk->medium.ill = disk->medium.ill || flipped > 0;
    return flipped;
}

static bool bad_add(struct heap *heap, struct world_file *file, uint64_t sector)
{
    for (size_t i = 0; i < file->bad_count; i++)
        if (file->bad[i] == sector)
            return false;
    if (file->bad_count == file->bad_capacity) {
        size_t capacity = file->bad_capacity > 0 ? 2 * file->bad_capacity : 4;
        uint64_t *bad = heap_resize(heap, file->bad, capacity * sizeof *bad);
        invariant(bad != NULL, "the world's region has room for the sectors that cannot be read");
        file->bad = bad;
        file->bad_capacity = capacity;
    }
    file->bad[file->bad_count++] = sector;
    return true;
}

uint32_t world_disk_latent(struct world_disk *disk, uint32_t sectors, uint64_t draw)
{
    struct random random;
    random_seed(&random, draw);
    uint32_t hurt = 0;
    for (uint32_t i = 0; i < sectors; i++) {
        uint64_t offset = 0;
        struct world_file *file = draw_place(disk, &random, &offset);
        hurt += file != NULL && bad_add(disk->heap, file, offset / WORLD_SECTOR_SIZE);
    }
    disk->medium.latent_sectors += hurt;
    disk->medium.ill = disk->medium.ill || hurt > 0;
    return hurt;
}

/* ---- copies ---- */

void world_disk_copy(struct world_disk *to, const struct world_disk *from)
{
    invariant(to->files == NULL, "a disk is copied to an empty one");
    for (const struct world_file *file = from->files; file != NULL; file = file->next) {
        if (file->name[0] == '\0')
            continue;
        const struct image *image = durable_image(file);
        struct world_file *copy = world_disk_make(to, file->name);
        world_file_resize(to->heap, copy, image->size);
        world_file_write_durable(to->heap, copy, 0, image->data, image->size);
        to->used_bytes += image->size;
    }
}
