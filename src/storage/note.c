/* Notes (note.h).
 *
 *   first block: 0 u32 crc of its bytes from 4 on    4 u16 version    6 u16 size    8 u64 magic "LKNOTE"
 *                16 u64 cluster    24 u32 node    28 u32 crc of the second block, 0 if there is none
 *                32 bytes, then zeros
 *   second block, of version 2: the rest of the bytes, then zeros
 *
 * The version is the number of blocks: what fits into one is written as it has always been, and a program that knows
 * version 1 alone refuses the longer one by its version instead of reading half of it. */
#include "storage/note.h"

#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "storage/disk_memory.h"

#define NOTE_MAGIC UINT64_C(0x000045544f4e4b4c)

enum { HEAD_SIZE = 32, BLOCK_SIZE = DISK_ALIGNMENT, BLOCKS_MAX = 2 };

_Static_assert(BLOCKS_MAX * BLOCK_SIZE - HEAD_SIZE == NOTE_BYTES_MAX, "the blocks hold the longest note");

static uint32_t blocks_of(size_t size)
{
    return size <= BLOCK_SIZE - HEAD_SIZE ? 1 : BLOCKS_MAX;
}

static void encode(uint64_t cluster, uint32_t node, struct span bytes, uint8_t *out)
{
    size_t size = (size_t)blocks_of(bytes.size) * BLOCK_SIZE;
    memset(out, 0, size);
    store_u16(out + 4, (uint16_t)blocks_of(bytes.size));
    store_u16(out + 6, (uint16_t)bytes.size);
    store_u64(out + 8, NOTE_MAGIC);
    store_u64(out + 16, cluster);
    store_u32(out + 24, node);
    if (bytes.size > 0)
        memcpy(out + HEAD_SIZE, bytes.data, bytes.size);
    if (size > BLOCK_SIZE)
        store_u32(out + 28, crc32c(0, out + BLOCK_SIZE, size - BLOCK_SIZE));
    store_u32(out, crc32c(0, out + 4, BLOCK_SIZE - 4));
}

static int check(const uint8_t *in, uint64_t cluster, uint32_t node)
{
    if (load_u64(in + 8) != NOTE_MAGIC || load_u32(in) != crc32c(0, in + 4, BLOCK_SIZE - 4))
        return ERROR_CORRUPT;
    if (load_u16(in + 4) == 0 || load_u16(in + 4) > BLOCKS_MAX)
        return ERROR_VERSION;
    if (load_u64(in + 16) != cluster)
        return ERROR_WRONG_CLUSTER;
    if (load_u32(in + 24) != node)
        return ERROR_WRONG_NODE;
    bool suits = load_u16(in + 6) <= NOTE_BYTES_MAX && blocks_of(load_u16(in + 6)) == load_u16(in + 4);
    return suits ? OK : ERROR_CORRUPT;
}

/* Reads all blocks of an open note. A file that is too short or cannot be read is a damaged one. */
static int read_blocks(struct disk *disk, uint32_t handle, uint64_t cluster, uint32_t node, uint8_t *blocks)
{
    if (disk->read(disk, handle, 0, blocks, BLOCK_SIZE) != OK)
        return ERROR_CORRUPT;
    int result = check(blocks, cluster, node);
    if (result != OK || load_u16(blocks + 4) == 1)
        return result;
    bool good = disk->read(disk, handle, BLOCK_SIZE, blocks + BLOCK_SIZE, BLOCK_SIZE) == OK &&
                load_u32(blocks + 28) == crc32c(0, blocks + BLOCK_SIZE, BLOCK_SIZE);
    return good ? OK : ERROR_CORRUPT;
}

/* Behind the `size` bytes lie as many again, into which they are read back. */
static int write_new(struct disk *disk, const char *name, uint8_t *blocks, size_t size)
{
    uint32_t handle;
    struct disk_request remove = {.op = DISK_REMOVE, .name = name};
    int result = disk->now(disk, &remove);
    if (result == OK)
        result = disk->open(disk, name, true, &handle);
    if (result != OK)
        return result;
    struct disk_request write = {.op = DISK_WRITE_DURABLE, .handle = handle, .data = blocks, .size = size};
    result = disk->now(disk, &write);
    if (result == OK)
        result = disk->read(disk, handle, 0, blocks + size, size);
    if (result == OK && memcmp(blocks, blocks + size, size) != 0)
        result = ERROR_IO;
    disk->close(disk, handle);
    return result;
}

int note_write(struct disk *disk, struct heap *heap, const char *name, uint64_t cluster, uint32_t node,
               struct span bytes)
{
    if (bytes.size > NOTE_BYTES_MAX)
        return ERROR_TOO_LARGE;
    size_t size = (size_t)blocks_of(bytes.size) * BLOCK_SIZE;
    void *memory;
    uint8_t *blocks = disk_memory(heap, 2 * size, &memory);
    if (blocks == NULL)
        return ERROR_NO_MEMORY;
    char fresh[NOTE_NAME_SIZE_MAX + 8];
    snprintf(fresh, sizeof fresh, "%.*s.new", NOTE_NAME_SIZE_MAX, name);
    encode(cluster, node, bytes, blocks);
    int result = write_new(disk, fresh, blocks, size);
    if (result == OK) {
        struct disk_request rename = {.op = DISK_RENAME, .name = fresh, .name_to = name};
        result = disk->now(disk, &rename);
    }
    heap_free(heap, memory);
    return result;
}

int note_read(struct disk *disk, struct heap *heap, const char *name, uint64_t cluster, uint32_t node,
              uint8_t out[NOTE_BYTES_MAX], size_t *size)
{
    *size = 0;
    uint32_t handle;
    int result = disk->open(disk, name, false, &handle);
    if (result != OK)
        return result;
    void *memory;
    uint8_t *blocks = disk_memory(heap, (size_t)BLOCKS_MAX * BLOCK_SIZE, &memory);
    result = ERROR_NO_MEMORY;
    if (blocks != NULL) {
        result = read_blocks(disk, handle, cluster, node, blocks);
        if (result == OK) {
            *size = load_u16(blocks + 6);
            memcpy(out, blocks + HEAD_SIZE, *size);
        }
    }
    disk->close(disk, handle);
    heap_free(heap, memory);
    return result;
}
