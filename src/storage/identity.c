/* The identity of a data directory: one small file, each of whose two blocks holds a copy.
 *
 * As stable storage on two disks does it (REC-1), the copies are written one after the other, each durable and read
 * back before the other is touched, the worse one first: so at every moment one of them is good, and holds either the
 * new or the preceding identity. A new file gets its name when both copies are durable.
 *
 *   copy: 0 u32 crc of bytes 4 to 4095    4 u16 version    6 u8 initialised    7 u8 zero    8 u64 magic "LKIDENTI"
 *        16 u64 number of the writing    24 u64 cluster    32 u64 incarnation    40 u32 node, then zeros
 *
 * Limits: one disk only; the copies guard against torn writes and single bad sectors, not against its loss. */
#include "storage/identity.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "storage/disk_memory.h"

#define COPY_MAGIC UINT64_C(0x49544e4544494b4c)

enum { COPY_COUNT = 2, COPY_SIZE = DISK_ALIGNMENT, COPY_VERSION = 1 };

static const char file_name[] = "identity";
static const char file_name_new[] = "identity.new";

struct copy {
    int status; /* OK, ERROR_CORRUPT, ERROR_VERSION, ... */
    uint64_t number;
    struct identity identity;
};

static void copy_encode(const struct identity *identity, uint64_t number, uint8_t *out)
{
    memset(out, 0, COPY_SIZE);
    store_u16(out + 4, COPY_VERSION);
    out[6] = identity->initialised;
    store_u64(out + 8, COPY_MAGIC);
    store_u64(out + 16, number);
    store_u64(out + 24, identity->cluster);
    store_u64(out + 32, identity->incarnation);
    store_u32(out + 40, identity->node);
    store_u32(out, crc32c(0, out + 4, COPY_SIZE - 4));
}

static void copy_decode(const uint8_t *in, struct copy *out)
{
    out->status = ERROR_CORRUPT;
    if (load_u64(in + 8) != COPY_MAGIC || load_u32(in) != crc32c(0, in + 4, COPY_SIZE - 4))
        return;
    out->status = ERROR_VERSION;
    if (load_u16(in + 4) != COPY_VERSION)
        return;
    out->status = OK;
    out->number = load_u64(in + 16);
    out->identity = (struct identity){.cluster = load_u64(in + 24),
                                      .incarnation = load_u64(in + 32),
                                      .node = load_u32(in + 40),
                                      .initialised = in[6] != 0};
}

static void copy_read(struct disk *disk, uint32_t handle, unsigned which, uint8_t *block, struct copy *out)
{
    *out = (struct copy){.status = ERROR_CORRUPT};
    /* Shorter files and sectors that cannot be read are damage of this copy only. */
    if (disk->read(disk, handle, (uint64_t)which * COPY_SIZE, block, COPY_SIZE) == OK)
        copy_decode(block, out);
}

/* Writes one copy and reads it back. */
static int copy_write(struct disk *disk, uint32_t handle, unsigned which, const struct identity *identity,
                      uint64_t number, uint8_t *block)
{
    copy_encode(identity, number, block);
    struct disk_request request = {.op = DISK_WRITE_DURABLE,
                                   .handle = handle,
                                   .offset = (uint64_t)which * COPY_SIZE,
                                   .data = block,
                                   .size = COPY_SIZE};
    int result = disk->now(disk, &request);
    if (result != OK)
        return result;
    struct copy copy;
    copy_read(disk, handle, which, block, &copy);
    return copy.status == OK && copy.number == number ? OK : ERROR_IO;
}

static const struct copy *copy_best(const struct copy copies[COPY_COUNT])
{
    if (copies[0].status == OK && copies[1].status == OK)
        return &copies[copies[1].number > copies[0].number];
    return &copies[copies[1].status == OK];
}

int identity_read(struct disk *disk, struct heap *heap, struct identity *out)
{
    uint32_t handle;
    int result = disk->open(disk, file_name, false, &handle);
    if (result != OK)
        return result;
    void *memory;
    uint8_t *block = disk_memory(heap, COPY_SIZE, &memory);
    if (block != NULL) {
        struct copy copies[COPY_COUNT];
        for (unsigned i = 0; i < COPY_COUNT; i++)
            copy_read(disk, handle, i, block, &copies[i]);
        const struct copy *best = copy_best(copies);
        *out = best->identity;
        result = best->status;
        if (result != OK && (copies[0].status == ERROR_VERSION || copies[1].status == ERROR_VERSION))
            result = ERROR_VERSION;
    } else {
        result = ERROR_NO_MEMORY;
    }
    disk->close(disk, handle);
    heap_free(heap, memory);
    return result;
}

static int copies_write(struct disk *disk, uint32_t handle, const struct identity *identity, uint8_t *block)
{
    struct copy copies[COPY_COUNT];
    for (unsigned i = 0; i < COPY_COUNT; i++)
        copy_read(disk, handle, i, block, &copies[i]);
    const struct copy *best = copy_best(copies);
    uint64_t number = best->status == OK ? best->number + 1 : 1;
    unsigned worse = best == &copies[0] ? 1 : 0;
    int result = copy_write(disk, handle, worse, identity, number, block);
    return result == OK ? copy_write(disk, handle, 1 - worse, identity, number, block) : result;
}

int identity_write(struct disk *disk, struct heap *heap, const struct identity *identity)
{
    void *memory;
    uint8_t *block = disk_memory(heap, COPY_SIZE, &memory);
    if (block == NULL)
        return ERROR_NO_MEMORY;
    uint32_t handle;
    int result = disk->open(disk, file_name, false, &handle);
    bool create = result == ERROR_NOT_FOUND;
    if (create) {
        struct disk_request request = {.op = DISK_REMOVE, .name = file_name_new};
        result = disk->now(disk, &request);
        if (result == OK)
            result = disk->open(disk, file_name_new, true, &handle);
    }
    if (result == OK) {
        result = copies_write(disk, handle, identity, block);
        disk->close(disk, handle);
    }
    if (result == OK && create) {
        struct disk_request request = {.op = DISK_RENAME, .name = file_name_new, .name_to = file_name};
        result = disk->now(disk, &request);
    }
    heap_free(heap, memory);
    return result;
}
