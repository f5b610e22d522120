/* Notes (note.h).
 *
 *   block: 0 u32 crc of bytes 4 to 4095    4 u16 version    6 u16 size    8 u64 magic "LKNOTE"    16 u64 cluster
 *         24 u32 node    28 u32 zero    32 bytes, then zeros */
#include "storage/note.h"

#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "storage/disk_memory.h"

#define NOTE_MAGIC UINT64_C(0x000045544f4e4b4c)

enum { HEAD_SIZE = 32, BLOCK_SIZE = DISK_ALIGNMENT, NOTE_VERSION = 1 };

static void encode(uint64_t cluster, uint32_t node, struct span bytes, uint8_t *out)
{
    memset(out, 0, BLOCK_SIZE);
    store_u16(out + 4, NOTE_VERSION);
    store_u16(out + 6, (uint16_t)bytes.size);
    store_u64(out + 8, NOTE_MAGIC);
    store_u64(out + 16, cluster);
    store_u32(out + 24, node);
    if (bytes.size > 0)
        memcpy(out + HEAD_SIZE, bytes.data, bytes.size);
    store_u32(out, crc32c(0, out + 4, BLOCK_SIZE - 4));
}

static int check(const uint8_t *in, uint64_t cluster, uint32_t node)
{
    if (load_u64(in + 8) != NOTE_MAGIC || load_u32(in) != crc32c(0, in + 4, BLOCK_SIZE - 4))
        return ERROR_CORRUPT;
    if (load_u16(in + 4) != NOTE_VERSION)
        return ERROR_VERSION;
    if (load_u64(in + 16) != cluster)
        return ERROR_WRONG_CLUSTER;
    if (load_u32(in + 24) != node)
        return ERROR_WRONG_NODE;
    return load_u16(in + 6) <= NOTE_BYTES_MAX ? OK : ERROR_CORRUPT;
}

/* The block lies before a second one, into which it is read back. */
static int write_new(struct disk *disk, const char *name, uint8_t *blocks)
{
    uint32_t handle;
    struct disk_request remove = {.op = DISK_REMOVE, .name = name};
    int result = disk->now(disk, &remove);
    if (result == OK)
        result = disk->open(disk, name, true, &handle);
    if (result != OK)
        return result;
    struct disk_request write = {.op = DISK_WRITE_DURABLE, .handle = handle, .data = blocks, .size = BLOCK_SIZE};
    result = disk->now(disk, &write);
    if (result == OK)
        result = disk->read(disk, handle, 0, blocks + BLOCK_SIZE, BLOCK_SIZE);
    if (result == OK && memcmp(blocks, blocks + BLOCK_SIZE, BLOCK_SIZE) != 0)
        result = ERROR_IO;
    disk->close(disk, handle);
    return result;
}

int note_write(struct disk *disk, struct heap *heap, const char *name, uint64_t cluster, uint32_t node,
               struct span bytes)
{
    if (bytes.size > NOTE_BYTES_MAX)
        return ERROR_TOO_LARGE;
    void *memory;
    uint8_t *blocks = disk_memory(heap, (size_t)2 * BLOCK_SIZE, &memory);
    if (blocks == NULL)
        return ERROR_NO_MEMORY;
    char fresh[NOTE_NAME_SIZE_MAX + 8];
    snprintf(fresh, sizeof fresh, "%.*s.new", NOTE_NAME_SIZE_MAX, name);
    encode(cluster, node, bytes, blocks);
    int result = write_new(disk, fresh, blocks);
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
    uint8_t *block = disk_memory(heap, BLOCK_SIZE, &memory);
    result = ERROR_NO_MEMORY;
    if (block != NULL) {
        /* A file that is too short or cannot be read is a damaged one. */
        result = disk->read(disk, handle, 0, block, BLOCK_SIZE) == OK ? check(block, cluster, node) : ERROR_CORRUPT;
        if (result == OK) {
            *size = load_u16(block + 6);
            memcpy(out, block + HEAD_SIZE, *size);
        }
    }
    disk->close(disk, handle);
    heap_free(heap, memory);
    return result;
}
