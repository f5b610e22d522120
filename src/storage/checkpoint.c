/* Checkpoints beside the log: the format.
 *
 * FILES. "checkpoint-<group>-<index, 20 digits>", with ".tmp" behind while it is being written. The two youngest of a
 * group are kept: if the youngest cannot be read any more, the one before it serves where the log still reaches back
 * so far, which the caller sees from keep_from.
 *
 * FILE. A head of one block, then the content in frames of 64 KiB: u32 crc, u32 size, u64 number, and 65520 bytes of
 * content (fewer in the last frame, which ends with zeros at a whole block). So any piece can be verified alone before
 * it is served to a peer. The CRC covers all of the frame's bytes behind it and is seeded with group, index and node,
 * so that a frame of another file, or at another place, is not taken for this one's.
 *
 *   head: 0 u32 crc of the rest of the block    4 u16 version    6 u16 zero    8 u64 magic "LKCHECKP"
 *        16 u32 group  20 u32 node  24 u64 cluster  32 u64 index  40 u64 keep_from
 *        48 u64 part size  56 u64 table size  64 u64 size  72 u64 digest  80 4 u64 seal, then zeros
 *
 * WRITING (checkpoint_write.c). Frames, then the head, into the temporary name; one sync; all of it is read back and
 * compared with its CRCs, a bounded part at a time; then the file gets its name. So a file with a final name was whole
 * and durable once, whatever happened to it later, and a crash in between leaves a temporary file, which is removed.
 *
 * DIGEST. Over the content frame by frame, its size and the index. It identifies these bytes. Two members that applied
 * the same commands write the same service pieces, but each its own part; so their digests differ unless the parts are
 * equal, and a checkpoint that was adopted from a peer keeps the peer's digest. It is not cryptographic.
 *
 * SEAL. SHA-256 over the content, then u64 size, part size, table size and index; all zero where none was asked for.
 * Who has it from those whom it believes may take the checkpoint from anybody: neither the bytes nor where the part and
 * the table end can be others. */
#include "storage/checkpoint_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/hash.h"

#define HEAD_MAGIC UINT64_C(0x504b434548434b4c)

enum { HEAD_VERSION = 1, INDEX_DIGITS = 20 };

size_t checkpoint_frame_size(size_t content)
{
    size_t size = FRAME_HEADER_SIZE + content;
    return (size + DISK_ALIGNMENT - 1) / DISK_ALIGNMENT * DISK_ALIGNMENT;
}

uint64_t checkpoint_frame_offset(uint64_t frame)
{
    return FILE_HEAD_SIZE + frame * FRAME_SIZE;
}

uint64_t checkpoint_frames_size(uint64_t content)
{
    uint64_t size = content / FRAME_CONTENT * FRAME_SIZE;
    size_t last = (size_t)(content % FRAME_CONTENT);
    return size + (last == 0 ? 0 : checkpoint_frame_size(last));
}

uint32_t checkpoint_seed(const struct checkpoint_head *head)
{
    return (uint32_t)hash_mix(hash_mix(head->cluster, head->index), (uint64_t)head->group << 32 | head->node);
}

void checkpoint_frame_seal(uint8_t *frame, uint32_t seed, uint64_t number, size_t content)
{
    size_t used = FRAME_HEADER_SIZE + content;
    store_u32(frame + 4, (uint32_t)content);
    store_u64(frame + 8, number);
    memset(frame + used, 0, checkpoint_frame_size(content) - used);
    store_u32(frame, crc32c(seed, frame + 4, used - 4));
}

int checkpoint_frame_check(const uint8_t *frame, uint32_t seed, uint64_t number, size_t content)
{
    if (load_u32(frame + 4) != content || load_u64(frame + 8) != number)
        return ERROR_CORRUPT;
    return load_u32(frame) == crc32c(seed, frame + 4, FRAME_HEADER_SIZE + content - 4) ? OK : ERROR_CORRUPT;
}

uint64_t checkpoint_digest_add(uint64_t digest, const uint8_t *content, size_t size)
{
    static const uint64_t key[2] = {UINT64_C(0x6c6f636b73746570), UINT64_C(0x636865636b706f69)};
    return hash_mix(digest, hash_keyed(key, content, size));
}

uint64_t checkpoint_digest_close(uint64_t digest, const struct checkpoint_head *head)
{
    digest = hash_mix(hash_mix(digest, head->size), head->index);
    return digest == 0 ? 1 : digest; /* 0 means "not known" */
}

void checkpoint_seal_close(struct sha256 *sha, struct checkpoint_head *head)
{
    uint8_t sizes[32], digest[SHA256_SIZE];
    store_u64(sizes, head->size);
    store_u64(sizes + 8, head->part_size);
    store_u64(sizes + 16, head->table_size);
    store_u64(sizes + 24, head->index);
    sha256_add(sha, sizes, sizeof sizes);
    sha256_end(sha, digest);
    head->seal.size = head->size;
    for (size_t i = 0; i < 4; i++)
        head->seal.digest[i] = load_u64(digest + 8 * i);
}

void checkpoint_head_encode(const struct checkpoint_head *head, uint8_t out[FILE_HEAD_SIZE])
{
    memset(out, 0, FILE_HEAD_SIZE);
    store_u16(out + 4, HEAD_VERSION);
    store_u64(out + 8, HEAD_MAGIC);
    store_u32(out + 16, head->group);
    store_u32(out + 20, head->node);
    store_u64(out + 24, head->cluster);
    store_u64(out + 32, head->index);
    store_u64(out + 40, head->keep_from);
    store_u64(out + 48, head->part_size);
    store_u64(out + 56, head->table_size);
    store_u64(out + 64, head->size);
    store_u64(out + 72, head->digest);
    for (size_t i = 0; i < 4; i++)
        store_u64(out + 80 + 8 * i, head->sealed ? head->seal.digest[i] : 0);
    store_u32(out, crc32c(0, out + 4, FILE_HEAD_SIZE - 4));
}

int checkpoint_head_decode(const uint8_t in[FILE_HEAD_SIZE], struct checkpoint_head *out)
{
    if (load_u64(in + 8) != HEAD_MAGIC || load_u32(in) != crc32c(0, in + 4, FILE_HEAD_SIZE - 4))
        return ERROR_CORRUPT;
    if (load_u16(in + 4) != HEAD_VERSION)
        return ERROR_VERSION;
    *out = (struct checkpoint_head){
        .group = load_u32(in + 16),
        .node = load_u32(in + 20),
        .cluster = load_u64(in + 24),
        .index = load_u64(in + 32),
        .keep_from = load_u64(in + 40),
        .part_size = load_u64(in + 48),
        .table_size = load_u64(in + 56),
        .size = load_u64(in + 64),
        .digest = load_u64(in + 72),
    };
    uint64_t any = 0;
    for (size_t i = 0; i < 4; i++)
        any |= out->seal.digest[i] = load_u64(in + 80 + 8 * i);
    out->sealed = any != 0;
    out->seal.size = out->sealed ? out->size : 0;
    bool sane = out->size <= UINT64_MAX / 4 && out->part_size <= out->size &&
                out->table_size <= out->size - out->part_size;
    return sane ? OK : ERROR_CORRUPT;
}

void checkpoint_name(char out[DISK_NAME_SIZE_MAX], uint32_t group, uint64_t index, bool temporary)
{
    (void)snprintf(out, DISK_NAME_SIZE_MAX, "checkpoint-%u-%020" PRIu64 "%s", group, index,
                   temporary ? ".tmp" : "");
}

bool checkpoint_name_parse(const char *name, uint32_t group, uint64_t *index, bool *temporary)
{
    char prefix[DISK_NAME_SIZE_MAX];
    int prefix_size = snprintf(prefix, sizeof prefix, "checkpoint-%u-", group);
    if (strncmp(name, prefix, (size_t)prefix_size) != 0)
        return false;
    const char *digits = name + prefix_size;
    *index = 0;
    for (int i = 0; i < INDEX_DIGITS; i++) {
        unsigned digit = (unsigned)(digits[i] - '0');
        if (digits[i] < '0' || digits[i] > '9' || *index > (UINT64_MAX - digit) / 10)
            return false;
        *index = *index * 10 + digit;
    }
    *temporary = strcmp(digits + INDEX_DIGITS, ".tmp") == 0;
    return *temporary || digits[INDEX_DIGITS] == '\0';
}

struct index_visit {
    uint32_t group;
    bool temporary;
    uint64_t *out;
    uint32_t size, count;
};

/* Keeps the youngest `size` of the indexes, youngest first. */
static void name_visit(void *context, const char *name)
{
    struct index_visit *visit = context;
    uint64_t index;
    bool temporary;
    if (!checkpoint_name_parse(name, visit->group, &index, &temporary) || temporary != visit->temporary)
        return;
    uint32_t held = visit->count < visit->size ? visit->count : visit->size;
    uint32_t place = 0;
    while (place < held && visit->out[place] > index)
        place++;
    visit->count++;
    if (place == visit->size)
        return;
    for (uint32_t i = held < visit->size ? held : visit->size - 1; i > place; i--)
        visit->out[i] = visit->out[i - 1];
    visit->out[place] = index;
}

int checkpoint_indexes(struct disk *disk, uint32_t group, bool temporary, uint64_t *out, uint32_t size,
                       uint32_t *count)
{
    struct index_visit visit = {.group = group, .temporary = temporary, .out = out, .size = size};
    int result = disk->list(disk, name_visit, &visit);
    *count = visit.count;
    return result;
}
