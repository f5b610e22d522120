/* Names of the log's files, and the head block of a segment:
 *
 *   0 u32 crc of the rest of the block     4 u16 version     6 u16 count of holes
 *   8 u64 magic "LKSEGMNT"                16 u32 node       20 u32 number
 *  24 u64 cluster                         32 u64 size of the file in bytes
 *  40 u64 first sequence                  48 u64 synced
 *  56 u32 seed of the records' CRCs       60 u32 zero
 *  64 holes, each u64 first, u64 end (a range of sequences that was released), then zeros */
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/hash.h"
#include "storage/wal_internal.h"

#define HEAD_MAGIC UINT64_C(0x544e4d4745534b4c)

enum { HOLES_OFFSET = 64, HOLE_SIZE = 16 };

_Static_assert(HOLES_OFFSET + WAL_HOLES_MAX * HOLE_SIZE <= WAL_BLOCK_SIZE, "the holes fit into the head block");

uint32_t wal_seed(const struct wal_options *options, uint32_t number)
{
    return (uint32_t)hash_mix(options->cluster, options->node) ^ number;
}

void wal_head_encode(const struct wal_head *head, uint8_t out[WAL_BLOCK_SIZE])
{
    struct wal_options identity = {.cluster = head->cluster, .node = head->node};
    memset(out, 0, WAL_BLOCK_SIZE);
    store_u16(out + 4, WAL_HEAD_VERSION);
    store_u16(out + 6, (uint16_t)head->hole_count);
    store_u64(out + 8, HEAD_MAGIC);
    store_u32(out + 16, head->node);
    store_u32(out + 20, head->number);
    store_u64(out + 24, head->cluster);
    store_u64(out + 32, head->size);
    store_u64(out + 40, head->first_sequence);
    store_u64(out + 48, head->synced);
    store_u32(out + 56, wal_seed(&identity, head->number));
    for (uint32_t i = 0; i < head->hole_count; i++) {
        store_u64(out + HOLES_OFFSET + i * HOLE_SIZE, head->holes[i].first);
        store_u64(out + HOLES_OFFSET + i * HOLE_SIZE + 8, head->holes[i].end);
    }
    store_u32(out, crc32c(0, out + 4, WAL_BLOCK_SIZE - 4));
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

int wal_head_decode(const uint8_t in[WAL_BLOCK_SIZE], struct wal_head *out)
{
    if (all_zero(in, WAL_BLOCK_SIZE))
        return ERROR_NOT_FOUND;
    if (load_u64(in + 8) != HEAD_MAGIC || load_u32(in) != crc32c(0, in + 4, WAL_BLOCK_SIZE - 4))
        return ERROR_CORRUPT;
    if (load_u16(in + 4) != WAL_HEAD_VERSION)
        return ERROR_VERSION;
    out->hole_count = load_u16(in + 6);
    out->node = load_u32(in + 16);
    out->number = load_u32(in + 20);
    out->cluster = load_u64(in + 24);
    out->size = load_u64(in + 32);
    out->first_sequence = load_u64(in + 40);
    out->synced = load_u64(in + 48);
    if (out->hole_count > WAL_HOLES_MAX || out->first_sequence - 1 >= WAL_NUMBER_MAX ||
        out->synced > out->first_sequence)
        return ERROR_CORRUPT;
    for (uint32_t i = 0; i < out->hole_count; i++) {
        out->holes[i].first = load_u64(in + HOLES_OFFSET + i * HOLE_SIZE);
        out->holes[i].end = load_u64(in + HOLES_OFFSET + i * HOLE_SIZE + 8);
        if (out->holes[i].first >= out->holes[i].end || out->holes[i].end > out->first_sequence)
            return ERROR_CORRUPT;
    }
    return OK;
}

void wal_name(char out[DISK_NAME_SIZE_MAX], const char *prefix, uint32_t number)
{
    (void)snprintf(out, DISK_NAME_SIZE_MAX, "%s-%010u", prefix, number);
}

bool wal_name_parse(const char *name, const char *prefix, uint32_t *number)
{
    size_t prefix_size = strlen(prefix);
    if (strncmp(name, prefix, prefix_size) != 0 || name[prefix_size] != '-')
        return false;
    const char *digits = name + prefix_size + 1;
    uint64_t value = 0;
    for (int i = 0; i < 10; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(digits[i] - '0');
    }
    if (digits[10] != '\0' || value == 0 || value >= UINT32_MAX)
        return false;
    *number = (uint32_t)value;
    return true;
}
