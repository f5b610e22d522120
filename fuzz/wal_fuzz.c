/* The log over a disk whose contents are anybody's: the bytes are a script that fills a log, damages files, forges
 * items with right checksums, and opens the log again and again. What must hold for all bytes: no sanitizer complains,
 * no invariant breaks, an opening succeeds or fails with an error that it may have, what is indexed can be read or is
 * told to be damaged, the log goes on taking records, and when all is gone no memory is left. */
#include <stdint.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/panic.h"
#include "storage/disk_testing.h"
#include "storage/wal_internal.h"

enum { SEGMENT = 16384, OPERATION_SIZE = 4, OPERATIONS_MAX = 400, GROUPS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t region[48 << 20] __attribute__((aligned(16)));
static uint8_t disk_region[64 << 20] __attribute__((aligned(16)));
static uint8_t body[9000];
static struct disk_testing disk;
static struct heap *heap;
static struct wal *wal;

static const struct wal_options options = {.node = 1,
                                           .incarnation = 1,
                                           .cluster = 2,
                                           .segment_bytes = SEGMENT,
                                           .segments_ahead = 1,
                                           .reserve_bytes = 4096,
                                           .writes_inflight_max = 2,
                                           .groups_max = GROUPS};

static void found(void *context, const struct wal_found *record)
{
    uint32_t *sum = context;
    invariant(record->gap || record->body.size <= SEGMENT * 64, "a record lies in its segment");
    if (!record->gap)
        *sum = crc32c(*sum, record->body.data, record->body.size);
}

static void log_close(void)
{
    if (wal != NULL)
        wal_close(wal);
    wal = NULL;
    disk_testing_crash(&disk);
}

static void log_open(void)
{
    enum wal_condition condition;
    char why[100];
    uint32_t sum = 0;
    log_close();
    int result = wal_open(&wal, heap, &disk.door, &options, &condition, found, &sum, why, sizeof why);
    bool allowed = result == OK || result == ERROR_WRONG_CLUSTER || result == ERROR_WRONG_NODE ||
                   result == ERROR_VERSION || result == ERROR_NO_MEMORY;
    invariant(allowed, "opening fails only with the errors that it has");
    if (result != OK)
        wal = NULL;
}

static struct disk_testing_file *file_choose(uint8_t choice)
{
    for (uint32_t tries = 0; tries < DISK_TESTING_FILES_MAX; tries++) {
        struct disk_testing_file *file = &disk.files[(choice + tries) % DISK_TESTING_FILES_MAX];
        if (file->used && file->size >= WAL_BLOCK_SIZE)
            return file;
    }
    return NULL;
}

/* Changes a byte of a block's first item, or of the head, and makes its checksum right again. */
static void forge(struct disk_testing_file *file, uint8_t block, uint8_t at, uint8_t value)
{
    uint32_t number;
    if (!wal_name_parse(file->name, "log", &number))
        return;
    uint64_t offset = (uint64_t)block % (file->size / WAL_BLOCK_SIZE) * WAL_BLOCK_SIZE;
    uint8_t *item = file->seen + offset;
    if (offset == 0) {
        item[4 + at % 100] = value;
        store_u32(item, crc32c(0, item + 4, WAL_BLOCK_SIZE - 4));
    } else {
        item[4 + at % (HEADER_SIZE - 4)] = value;
        uint32_t length = load_u32(item + 4);
        if (length <= file->size - offset - HEADER_SIZE)
            store_u32(item, header_crc(wal_seed(&options, number), item, span_of(item + HEADER_SIZE, length),
                                       span_of(NULL, 0)));
    }
    memcpy(file->stable + offset, item, WAL_BLOCK_SIZE);
}

static void damage(uint8_t kind, uint8_t which, uint8_t a, uint8_t b)
{
    struct disk_testing_file *file = file_choose(which);
    if (file == NULL)
        return;
    log_close();
    size_t offset = ((size_t)a * 251 + (size_t)b * 16) % file->size;
    if (kind == 5)
        file->stable[offset] = file->seen[offset] = (uint8_t)(file->seen[offset] ^ (b | 1));
    if (kind == 6)
        forge(file, (uint8_t)(which / 8), a, b);
    if (kind == 7)
        file->bad[offset / WAL_BLOCK_SIZE] = 1;
    if (kind == 8)
        file->size = file->stable_size = offset;
    if (kind == 9)
        (void)disk.door.now(&disk.door, &(struct disk_request){.op = DISK_REMOVE, .name = file->name});
    log_open();
}

static void operate(const uint8_t *operation)
{
    uint32_t group = operation[1] % GROUPS;
    uint8_t kind = operation[0] % 12;
    if (kind >= 5 && kind <= 9) {
        damage(kind, operation[1], operation[2], operation[3]);
        return;
    }
    if (wal == NULL)
        return;
    uint64_t position, next = wal_next_position(wal, group);
    int result = OK;
    switch (kind) {
    case 3:
        result = wal_write(wal);
        break;
    case 4:
        wal_release(wal, group, wal_first_position(wal, group) + operation[2]);
        break;
    case 10:
        log_open();
        break;
    case 11:
        if (next < WAL_NUMBER_MAX / 2)
            wal_set_next_position(wal, group, next + operation[2]);
        break;
    default:
        result = wal_append(wal, group, operation[2], operation[3],
                            span_of(body, ((size_t)operation[2] << 8 | operation[3]) % sizeof body),
                            span_of(NULL, 0), &position);
        break;
    }
    invariant(result >= 0 || result == ERROR_NO_MEMORY || result == ERROR_TOO_LARGE, "a healthy disk takes records");
}

static void read_all(void)
{
    for (uint32_t group = 0; wal != NULL && group < GROUPS; group++) {
        uint64_t first = wal_first_position(wal, group), next = wal_next_position(wal, group);
        for (uint64_t position = first; position < next && position < first + 1000; position++) {
            uint8_t slot;
            uint16_t type;
            struct span bytes;
            int result = wal_read(wal, group, position, &slot, &type, &bytes);
            invariant(result == OK || result == ERROR_CORRUPT, "what is indexed is there or is damaged");
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 7 + i / 256);
    heap = heap_init(region, sizeof region);
    struct heap *disk_heap = heap_init(disk_region, sizeof disk_region);
    disk_testing_init(&disk, disk_heap, size);
    log_open();
    for (size_t i = 0; i < OPERATIONS_MAX && size >= OPERATION_SIZE; i++) {
        operate(data);
        data += OPERATION_SIZE;
        size -= OPERATION_SIZE;
    }
    read_all();
    log_open();
    read_all();
    log_close();
    invariant(heap_used(heap) == 0, "all memory was given back");
    disk_testing_free(&disk);
    invariant(heap_used(disk_heap) == 0, "the disk is empty");
    return 0;
}
