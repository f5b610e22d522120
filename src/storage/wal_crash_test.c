/* Crashes at random moments, many lives in a row, against a naive model of the log: after each recovery every record
 * that was reported as stored is there with its content, what is there is a prefix of what was appended, and nothing
 * that was cut comes back, even after further appends and crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "base/test_seed.h"
#include "storage/disk_testing.h"
#include "storage/wal.h"

enum { GROUPS = 3, POSITIONS_MAX = 4000, BODY_MAX = 40000, LIVES = 14, RUNS = 400 };

struct model_record {
    uint64_t content, order;
    uint32_t size;
};

struct model_group {
    struct model_record records[POSITIONS_MAX];
    uint64_t next, stored, released;
    uint64_t told; /* next position that recovery should tell; 0: none was told */
};

struct model {
    struct model_group groups[GROUPS];
    uint64_t order;
    uint64_t order_told; /* the highest that recovery told */
    uint64_t seed;
};

static struct model model;
static struct random script;
static uint8_t body[BODY_MAX];

static void content_make(uint64_t content, uint8_t *out, size_t size)
{
    struct random bytes;
    random_seed(&bytes, content);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = random_u64(&bytes);
        for (size_t j = 0; j < 8 && i + j < size; j++)
            out[i + j] = (uint8_t)(word >> (8 * j));
    }
}

static void content_check(const struct model_record *record, struct span got)
{
    assert_int_equal(got.size, record->size);
    content_make(record->content, body, record->size);
    assert_true(span_equal(got, span_of(body, record->size)));
}

static void found(void *context, const struct wal_found *record)
{
    (void)context;
    assert_false(record->gap);
    assert_in_range(record->group, 10, 10 + GROUPS - 1);
    struct model_group *group = &model.groups[record->group - 10];
    assert_true(record->position < group->next);
    /* Released records may be missing in the middle; all others follow one another. */
    if (group->told != 0 && record->position != group->told)
        assert_true(record->position > group->told && record->position <= group->released);
    if (group->told == 0)
        assert_true(record->position <= group->released || record->position == 1);
    group->told = record->position + 1;
    const struct model_record *expected = &group->records[record->position];
    content_check(expected, record->body);
    if (expected->order > model.order_told)
        model.order_told = expected->order;
}

static struct wal *life_begin(struct heap *heap, struct disk_testing *disk, uint32_t life)
{
    struct wal_options options = {.node = 7,
                                  .incarnation = life + 1,
                                  .cluster = 99,
                                  .segment_bytes = 65536,
                                  .segments_ahead = (uint32_t)random_below(&script, 3),
                                  .reserve_bytes = 8192,
                                  .writes_inflight_max = (uint32_t)random_between(&script, 1, 3),
                                  .groups_max = GROUPS};
    struct wal *wal;
    enum wal_condition condition;
    char why[200];
    model.order_told = 0;
    for (int i = 0; i < GROUPS; i++)
        model.groups[i].told = 0;
    assert_int_equal(wal_open(&wal, heap, &disk->door, &options, &condition, found, NULL, why, sizeof why), OK);
    assert_int_not_equal(condition, WAL_DAMAGED);
    assert_int_equal(wal_counters(wal)->damaged_records, 0);
    for (uint32_t i = 0; i < GROUPS; i++) {
        struct model_group *group = &model.groups[i];
        uint64_t next = group->told;
        if (next == 0) {
            /* Nothing is held: then everything stored was released. */
            assert_true(group->stored < group->released);
            next = group->released;
            wal_set_next_position(wal, 10 + i, next);
        }
        assert_true(next > group->stored);
        if (next < group->released) {
            wal_set_next_position(wal, 10 + i, group->released);
            next = group->released;
        }
        assert_int_equal(wal_next_position(wal, 10 + i), next);
        assert_int_equal(wal_stored_position(wal, 10 + i), next - 1);
        /* A prefix: no record older than the youngest one told is missing. */
        for (uint64_t position = next; position < group->next; position++)
            assert_true(group->records[position].order > model.order_told);
        group->next = next;
        group->stored = next - 1;
    }
    return wal;
}

static void stored_check(struct wal *wal)
{
    for (uint32_t i = 0; i < GROUPS; i++) {
        uint64_t stored = wal_stored_position(wal, 10 + i);
        assert_true(stored >= model.groups[i].stored && stored < model.groups[i].next);
        model.groups[i].stored = stored;
    }
}

static void record_append(struct wal *wal)
{
    /* The last group is a quiet one. */
    uint32_t which = random_chance(&script, 1, 40) ? GROUPS - 1 : (uint32_t)random_below(&script, GROUPS - 1);
    struct model_group *group = &model.groups[which];
    if (group->next + 1 >= POSITIONS_MAX)
        return;
    uint64_t kind = random_below(&script, 40);
    size_t size = (size_t)random_below(&script, kind < 30 ? 200 : kind < 39 ? 9000 : BODY_MAX);
    uint64_t content = random_u64(&script);
    content_make(content, body, size);
    size_t cut = (size_t)random_below(&script, size + 1);
    uint64_t position;
    assert_int_equal(wal_append(wal, 10 + which, 3, 4, span_of(body, cut), span_of(body + cut, size - cut), &position),
                     OK);
    assert_int_equal(position, group->next);
    group->records[position] =
        (struct model_record){.content = content, .order = ++model.order, .size = (uint32_t)size};
    group->next++;
}

static void something_release(struct wal *wal)
{
    uint32_t which = (uint32_t)random_below(&script, random_chance(&script, 1, 10) ? GROUPS : GROUPS - 1);
    struct model_group *group = &model.groups[which];
    if (group->stored < group->released)
        return;
    group->released = (uint64_t)random_between(&script, (int64_t)group->released, (int64_t)group->stored + 1);
    wal_release(wal, 10 + which, group->released);
}

static void something_read(struct wal *wal)
{
    uint32_t which = (uint32_t)random_below(&script, GROUPS);
    struct model_group *group = &model.groups[which];
    if (group->next <= group->released)
        return;
    uint64_t position = (uint64_t)random_between(&script, (int64_t)group->released, (int64_t)group->next - 1);
    uint8_t slot;
    uint16_t type;
    struct span got;
    assert_int_equal(wal_read(wal, 10 + which, position, &slot, &type, &got), OK);
    assert_int_equal(slot, 3);
    assert_int_equal(type, 4);
    assert_int_equal(wal_record_size(wal, 10 + which, position), group->records[position].size);
    content_check(&group->records[position], got);
}

static void life_live(struct wal *wal, struct disk_testing *disk)
{
    uint64_t steps = random_below(&script, 120);
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t kind = random_below(&script, 20);
        if (kind < 9) {
            record_append(wal);
        } else if (kind < 13) {
            assert_true(wal_write(wal) >= 0);
        } else if (kind < 17 && disk->pending_count > 0) {
            int status;
            uint32_t place = (uint32_t)random_below(&script, disk->pending_count);
            uint64_t token = disk_testing_complete(disk, place, &status);
            assert_int_equal(disk_token_owner(token), DISK_TOKEN_LOG);
            assert_true(wal_complete(wal, disk_token_value(token), status) >= 0);
        } else if (kind == 17) {
            something_release(wal);
        } else if (kind == 18) {
            something_read(wal);
        }
        stored_check(wal);
    }
}

static void run_once(uint64_t seed, struct heap *disk_heap)
{
    static uint8_t memory[16 << 20] __attribute__((aligned(16)));
    struct disk_testing disk;
    random_seed(&script, seed);
    disk_testing_init(&disk, disk_heap, seed);
    memset(&model, 0, sizeof model);
    model.seed = seed;
    for (int i = 0; i < GROUPS; i++)
        model.groups[i].next = model.groups[i].released = 1;
    for (uint32_t life = 0; life < LIVES; life++) {
        struct heap *heap = heap_init(memory, sizeof memory);
        disk.completes_later = random_chance(&script, 3, 4);
        struct wal *wal = life_begin(heap, &disk, life);
        life_live(wal, &disk);
        if (random_chance(&script, 1, 4)) {
            wal_close(wal);
            assert_int_equal(heap_used(heap), 0);
        }
        disk_testing_crash(&disk);
    }
    disk_testing_free(&disk);
}

static uint64_t seed_running;

static void test_crashes(void **state)
{
    (void)state;
    uint64_t seed = test_seed("wal_crash_test");
    struct heap *disk_heap = heap_create_system((size_t)1 << 30);
    for (uint64_t run = 0; run < RUNS; run++) {
        seed_running = seed + run;
        run_once(seed_running, disk_heap);
        assert_int_equal(heap_used(disk_heap), 0);
    }
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
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_crashes, seed_print)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
