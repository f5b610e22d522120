/* Damage of every kind in synced data: what is missing is told as a gap, exactly where it is known; nothing is missing
 * silently but what only the very last write held; nothing false is told; and the same is told at the next opening. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/heap_system.h"
#include "base/test_seed.h"
#include "storage/disk_testing.h"
#include "storage/wal.h"

enum { GROUPS = 3, POSITIONS_MAX = 3000, BODY_MAX = 20000, RUNS = 1000 };

enum fate { FATE_MISSING, FATE_FOUND, FATE_GAP };

struct model_record {
    uint64_t content;
    uint32_t size, write;
    enum fate fate;
};

struct model_group {
    struct model_record records[POSITIONS_MAX];
    uint64_t next, released;
    uint64_t told, gap_from; /* while opening */
};

static struct model_group groups[GROUPS];
static uint32_t write_number;
static uint64_t told_digest, gaps_told;
static struct random script;
static uint8_t body[BODY_MAX];
static uint8_t memory[24 << 20] __attribute__((aligned(16)));

static void content_make(uint64_t content, size_t size)
{
    struct random bytes;
    random_seed(&bytes, content);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = random_u64(&bytes);
        memcpy(body + i, &word, size - i < 8 ? size - i : 8);
    }
}

static void gap_close(struct model_group *group, uint64_t end)
{
    for (uint64_t position = group->gap_from; position != 0 && position < end && position < group->next; position++)
        group->records[position].fate = FATE_GAP;
    group->gap_from = 0;
}

static void found(void *context, const struct wal_found *record)
{
    (void)context;
    assert_in_range(record->group, 0, GROUPS - 1);
    struct model_group *group = &groups[record->group];
    told_digest = hash_mix(hash_mix(told_digest, record->group), record->position * 2 + record->gap);
    assert_true(record->position >= group->told);
    gap_close(group, record->position);
    group->told = record->position;
    if (record->gap) {
        gaps_told++;
        group->gap_from = record->position;
        return;
    }
    assert_true(record->position < group->next);
    struct model_record *expected = &group->records[record->position];
    assert_int_equal(record->body.size, expected->size);
    content_make(expected->content, expected->size);
    assert_true(span_equal(record->body, span_of(body, expected->size)));
    expected->fate = FATE_FOUND;
    group->told++;
}

static struct wal *log_open(struct disk_testing *disk, enum wal_condition *condition)
{
    struct heap *heap = heap_init(memory, sizeof memory);
    struct wal_options options = {.node = 1,
                                  .incarnation = 1,
                                  .cluster = 5,
                                  .segment_bytes = 65536,
                                  .segments_ahead = 0,
                                  .writes_inflight_max = 2,
                                  .groups_max = GROUPS};
    struct wal *wal;
    char why[200];
    told_digest = gaps_told = 0;
    for (int i = 0; i < GROUPS; i++) {
        groups[i].told = groups[i].gap_from = 0;
        for (uint64_t position = 1; position < groups[i].next; position++)
            groups[i].records[position].fate = FATE_MISSING;
    }
    assert_int_equal(wal_open(&wal, heap, &disk->door, &options, condition, found, NULL, why, sizeof why), OK);
    for (uint32_t i = 0; i < GROUPS; i++)
        gap_close(&groups[i], wal_next_position(wal, i));
    return wal;
}

static void records_append(struct wal *wal, uint64_t count)
{
    for (uint64_t n = 0; n < count; n++) {
        uint32_t which = random_chance(&script, 1, 20) ? 2 : (uint32_t)random_below(&script, 2);
        struct model_group *group = &groups[which];
        uint64_t position = wal_next_position(wal, which);
        if (position + 1 >= POSITIONS_MAX)
            return;
        size_t size = (size_t)random_below(&script, random_chance(&script, 1, 8) ? BODY_MAX : 600);
        uint64_t content = random_u64(&script);
        content_make(content, size);
        assert_int_equal(wal_append(wal, which, 0, 1, span_of(body, size), span_of(NULL, 0), &position), OK);
        group->records[position] =
            (struct model_record){.content = content, .size = (uint32_t)size, .write = write_number + 1};
        group->next = position + 1;
        if (random_chance(&script, 1, 3) || n + 1 == count) {
            assert_int_equal(wal_write(wal), 1);
            write_number++;
        }
        if (random_chance(&script, 1, 60) && wal_stored_position(wal, which) > group->released) {
            group->released = (uint64_t)random_between(&script, (int64_t)group->released,
                                                       (int64_t)wal_stored_position(wal, which));
            wal_release(wal, which, group->released);
        }
    }
}

/* ---- damaging ---- */

struct names {
    char list[DISK_TESTING_FILES_MAX][DISK_NAME_SIZE_MAX];
    uint32_t count;
};

static void name_keep(void *context, const char *name)
{
    struct names *names = context;
    strcpy(names->list[names->count++], name);
}

/* Places that hold something: behind the head, and in a block that is not all zeros. */
static size_t used_offset(struct disk_testing *disk, const struct disk_testing_file *file)
{
    for (;;) {
        size_t offset = (size_t)random_below(&disk->random, file->size);
        const uint8_t *block = file->seen + offset / DISK_ALIGNMENT * DISK_ALIGNMENT;
        if (block[0] != 0 || memcmp(block, block + 1, DISK_ALIGNMENT - 1) != 0)
            return offset;
    }
}

enum damage { DAMAGE_FLIP, DAMAGE_BLOCK_ZERO, DAMAGE_UNREADABLE, DAMAGE_FILE_GONE, DAMAGE_HEAD, DAMAGE_COUNT };

static bool damage_do(struct disk_testing *disk, enum damage damage)
{
    static struct names names;
    names.count = 0;
    disk->door.list(&disk->door, name_keep, &names);
    uint32_t which = (uint32_t)random_below(&script, names.count);
    struct disk_testing_file *file = disk_testing_file(disk, names.list[which]);
    size_t offset = used_offset(disk, file);
    switch (damage) {
    case DAMAGE_FLIP:
        file->seen[offset] = (uint8_t)(file->seen[offset] ^ (1u << random_below(&script, 8)));
        break;
    case DAMAGE_BLOCK_ZERO:
        memset(file->seen + offset / DISK_ALIGNMENT * DISK_ALIGNMENT, 0, DISK_ALIGNMENT);
        break;
    case DAMAGE_UNREADABLE:
        file->bad[offset / DISK_ALIGNMENT] = 1;
        break;
    case DAMAGE_FILE_GONE:
        /* Neither the oldest, which only the caller can miss, nor the youngest ones. */
        if (which == 0 || which + 3 >= names.count)
            return false;
        return disk->door.now(&disk->door, &(struct disk_request){.op = DISK_REMOVE, .name = names.list[which]}) == OK;
    case DAMAGE_HEAD:
        file->seen[random_below(&script, DISK_ALIGNMENT)] ^= 0x10;
        break;
    case DAMAGE_COUNT:
        return false;
    }
    return true;
}

/* ---- judging ---- */

static uint64_t missing_check(struct wal *wal, enum damage damage, enum wal_condition condition)
{
    uint64_t gaps = 0, silent = 0;
    for (uint32_t i = 0; i < GROUPS; i++) {
        struct model_group *group = &groups[i];
        /* A group of which nothing is left cannot be named; it can be asked for. */
        if (wal_may_lack(wal, i)) {
            gaps++;
            continue;
        }
        for (uint64_t position = group->released + (group->released == 0); position < group->next; position++) {
            const struct model_record *record = &group->records[position];
            gaps += record->fate == FATE_GAP;
            if (record->fate != FATE_MISSING)
                continue;
            silent++;
            assert_int_not_equal(damage, DAMAGE_UNREADABLE);
            assert_int_equal(record->write, write_number);
        }
    }
    if (gaps > 0 || gaps_told > 0)
        assert_int_equal(condition, WAL_DAMAGED);
    return gaps + silent;
}

static void model_cut(struct wal *wal)
{
    for (uint32_t i = 0; i < GROUPS; i++) {
        groups[i].next = wal_next_position(wal, i);
        if (groups[i].next > POSITIONS_MAX)
            groups[i].next = POSITIONS_MAX;
        if (groups[i].released > groups[i].next)
            groups[i].released = groups[i].next;
    }
}

static void read_check(struct wal *wal)
{
    for (uint32_t i = 0; i < GROUPS; i++) {
        for (uint64_t position = wal_first_position(wal, i); position < groups[i].next; position++) {
            uint8_t slot;
            uint16_t type;
            struct span bytes;
            int result = wal_read(wal, i, position, &slot, &type, &bytes);
            if (groups[i].records[position].fate != FATE_FOUND) {
                assert_int_equal(result, ERROR_CORRUPT);
                continue;
            }
            assert_int_equal(result, OK);
            content_make(groups[i].records[position].content, groups[i].records[position].size);
            assert_true(span_equal(bytes, span_of(body, groups[i].records[position].size)));
        }
    }
}

static void run_once(uint64_t seed, struct heap *disk_heap, uint64_t lost_by[DAMAGE_COUNT])
{
    struct disk_testing disk;
    random_seed(&script, seed);
    disk_testing_init(&disk, disk_heap, seed);
    memset(groups, 0, sizeof groups);
    for (int i = 0; i < GROUPS; i++)
        groups[i].next = 1;
    write_number = 0;
    enum wal_condition condition;
    struct wal *wal = log_open(&disk, &condition);
    assert_int_equal(condition, WAL_NEW);
    records_append(wal, 20 + random_below(&script, 400));
    wal_close(wal);

    enum damage damage = (enum damage)random_below(&script, DAMAGE_COUNT);
    if (!damage_do(&disk, damage)) {
        disk_testing_free(&disk);
        return;
    }
    wal = log_open(&disk, &condition);
    uint64_t lost = missing_check(wal, damage, condition), gaps = gaps_told;
    lost_by[damage] += lost;
    if (damage == DAMAGE_HEAD)
        assert_int_equal(lost, 0);
    uint64_t digest = told_digest;
    model_cut(wal);
    read_check(wal);
    wal_close(wal);

    /* The next opening says the same. */
    wal = log_open(&disk, &condition);
    assert_int_equal(told_digest, digest);
    write_number++;
    records_append(wal, 1 + random_below(&script, 40));
    wal_close(wal);
    wal = log_open(&disk, &condition);
    if (gaps > 0)
        assert_true(gaps_told > 0 || groups[0].released + groups[1].released + groups[2].released > 0);
    missing_check(wal, DAMAGE_COUNT, condition);
    for (uint32_t i = 0; i < GROUPS; i++)
        for (uint64_t position = 1; position < groups[i].next; position++)
            if (groups[i].records[position].write >= write_number)
                assert_int_equal(groups[i].records[position].fate, FATE_FOUND);
    wal_close(wal);
    disk_testing_free(&disk);
}

static uint64_t seed_running;

static void test_damage(void **state)
{
    (void)state;
    uint64_t seed = test_seed("wal_damage_test"), lost_by[DAMAGE_COUNT] = {0};
    struct heap *disk_heap = heap_create_system((size_t)1 << 30);
    for (uint64_t run = 0; run < RUNS; run++) {
        seed_running = seed + run;
        run_once(seed_running, disk_heap, lost_by);
    }
    /* The test does what it says only if each kind of damage costs something somewhere. */
    for (int i = 0; i < DAMAGE_COUNT; i++)
        if (i != DAMAGE_HEAD)
            assert_true(lost_by[i] > 0);
    heap_destroy_system(disk_heap);
}

static int seed_print(void **state)
{
    (void)state;
    printf("last seed run: %" PRIu64 "\n", seed_running);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_damage, seed_print)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
