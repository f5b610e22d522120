#include "host/world/world_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "base/time.h"

enum { BLOCK = DISK_ALIGNMENT, OPERATIONS_MAX = 64 };

static _Alignas(DISK_ALIGNMENT) uint8_t written[4 * BLOCK], seen[4 * BLOCK];
static struct heap *heap;
static struct world_disk disk;
static struct world_disk_operation *scheduled[OPERATIONS_MAX];
static size_t scheduled_count;

static void schedule(void *context, struct world_disk_operation *operation, int64_t at_ns)
{
    (void)context;
    assert_true(at_ns >= disk.now_ns + disk.manner.latency_ns);
    scheduled[scheduled_count++] = operation;
}

/* Lets one operation in flight happen; its token, or 0 when it died with its process. */
static uint64_t finish(size_t place, int *status)
{
    uint64_t token = 0;
    return world_disk_finish(&disk, scheduled[place], &token, status) ? token : 0;
}

static int begin(void **state)
{
    (void)state;
    heap = heap_create_system(16 << 20);
    scheduled_count = 0;
    world_disk_init(&disk, heap, 1, 1 << 20, schedule, NULL);
    for (size_t i = 0; i < sizeof written; i++)
        written[i] = (uint8_t)(1 + i / WORLD_SECTOR_SIZE);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_disk_free(&disk);
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
    return 0;
}

static uint32_t open_file(const char *name, bool create)
{
    uint32_t handle = 0;
    assert_int_equal(disk.door.open(&disk.door, name, create, &handle), OK);
    return handle;
}

static void allocate(const char *name, size_t size)
{
    struct disk_request request = {.op = DISK_ALLOCATE, .name = name, .size = size};
    assert_int_equal(disk.door.now(&disk.door, &request), OK);
}

static int submit(enum disk_op op, uint32_t handle, uint64_t offset, size_t size, uint64_t token)
{
    struct disk_request request = {
        .op = op, .handle = handle, .offset = offset, .data = written, .size = size, .token = token};
    return disk.door.submit(&disk.door, &request);
}

static void read_all(const char *name, size_t size)
{
    uint32_t handle = open_file(name, false);
    assert_int_equal(disk.door.read(&disk.door, handle, 0, seen, size), OK);
    disk.door.close(&disk.door, handle);
}

static void a_durable_write_survives_once_it_is_complete(void **state)
{
    (void)state;
    disk.manner.lost_permille = 1000;
    allocate("log", 2 * BLOCK);
    uint32_t handle = open_file("log", false);
    assert_int_equal(submit(DISK_WRITE_DURABLE, handle, 0, BLOCK, 7), DISK_PENDING);
    read_all("log", BLOCK);
    assert_int_equal(seen[0], 0); /* nothing has happened yet */
    int status = 1;
    assert_int_equal(finish(0, &status), 7);
    assert_int_equal(status, OK);
    world_disk_crash(&disk);
    read_all("log", 2 * BLOCK);
    assert_memory_equal(seen, written, BLOCK);
    assert_int_equal(seen[BLOCK], 0);
}

static void what_is_in_flight_is_lost_or_kept_whole(void **state)
{
    (void)state;
    for (uint32_t kept = 0; kept < 2; kept++) {
        disk.manner.lost_permille = kept ? 0 : 1000;
        disk.manner.kept_permille = kept ? 1000 : 0;
        allocate("log", BLOCK);
        uint32_t handle = open_file("log", false);
        submit(DISK_WRITE_DURABLE, handle, 0, BLOCK, 7);
        world_disk_crash(&disk);
        int status;
        assert_int_equal(finish(kept, &status), 0);
        read_all("log", BLOCK);
        assert_int_equal(seen[0], kept ? written[0] : 0);
    }
}

/* Over many crashes: every sector is old or new, both mixtures occur, and prefixes too; a cut inside a sector only
 * where that is allowed. */
static void a_torn_write_leaves_any_part(void **state)
{
    (void)state;
    bool mixed = false, inside = false;
    for (uint32_t round = 0; round < 200; round++) {
        bool inside_allowed = round >= 100;
        allocate("log", BLOCK);
        uint32_t handle = open_file("log", false);
        submit(DISK_WRITE_DURABLE, handle, 0, BLOCK, 7);
        world_disk_crash_by(&disk, (UINT64_C(1) + round) << 1 | inside_allowed);
        int status;
        finish(0, &status);
        scheduled_count = 0;
        read_all("log", BLOCK);
        bool any_new = false, any_old = false;
        for (size_t at = 0; at < BLOCK; at++) {
            assert_true(seen[at] == 0 || seen[at] == written[at]);
            any_new = any_new || seen[at] != 0;
            any_old = any_old || seen[at] == 0;
            bool cut = at % WORLD_SECTOR_SIZE != 0 && (seen[at] == 0) != (seen[at - 1] == 0);
            assert_true(!cut || inside_allowed);
            inside = inside || cut;
        }
        mixed = mixed || (any_new && any_old);
    }
    assert_true(mixed && inside);
}

static void a_crash_may_keep_nothing(void **state)
{
    (void)state;
    disk.manner.kept_permille = 1000;
    for (uint32_t round = 0; round < 2; round++) {
        allocate("log", BLOCK);
        submit(DISK_WRITE_DURABLE, open_file("log", false), 0, BLOCK, 7);
        world_disk_crash_by(&disk, 2 * round);
        int status;
        finish(0, &status);
        scheduled_count = 0;
        read_all("log", BLOCK);
        assert_int_equal(seen[0], round == 0 ? 0 : written[0]);
    }
}

static void a_plain_write_needs_its_sync(void **state)
{
    (void)state;
    disk.manner.lost_permille = 1000;
    uint32_t handle = open_file("checkpoint", true);
    int status;
    submit(DISK_WRITE, handle, 0, BLOCK, 1);
    finish(0, &status);
    submit(DISK_SYNC, handle, 0, 0, 2);
    submit(DISK_WRITE, handle, BLOCK, BLOCK, 3);
    finish(1, &status);
    finish(2, &status);
    uint64_t size;
    assert_int_equal(disk.door.size(&disk.door, handle, &size), OK);
    assert_int_equal(size, 2 * BLOCK);
    world_disk_crash(&disk);
    handle = open_file("checkpoint", false);
    assert_int_equal(disk.door.size(&disk.door, handle, &size), OK);
    assert_int_equal(size, BLOCK); /* what was written after the sync began is lost */
    read_all("checkpoint", BLOCK);
    assert_memory_equal(seen, written, BLOCK);
}

static void a_torn_file_has_any_size_and_no_other_bytes(void **state)
{
    (void)state;
    bool between = false;
    for (uint32_t round = 0; round < 100; round++) {
        uint32_t handle = open_file("checkpoint", true);
        int status;
        submit(DISK_WRITE, handle, 0, 4 * BLOCK, 1);
        finish(0, &status);
        scheduled_count = 0;
        world_disk_crash(&disk);
        handle = open_file("checkpoint", false);
        uint64_t size;
        disk.door.size(&disk.door, handle, &size);
        assert_true(size <= 4 * BLOCK);
        between = between || (size > 0 && size < 4 * BLOCK);
        size_t whole = size / BLOCK * BLOCK;
        assert_int_equal(disk.door.read(&disk.door, handle, 0, seen, whole), OK);
        for (size_t at = 0; at < whole; at++)
            assert_true(seen[at] == 0 || seen[at] == written[at]);
        world_disk_crash(&disk);
        world_disk_wipe(&disk);
    }
    assert_true(between);
}

static size_t listed;
static char names[4][DISK_NAME_SIZE_MAX];

static void visit(void *context, const char *name)
{
    (void)context;
    strcpy(names[listed++], name);
}

static void names_ascend_and_change(void **state)
{
    (void)state;
    allocate("b", 0);
    allocate("c", 0);
    allocate("a", 0);
    struct disk_request rename = {.op = DISK_RENAME, .name = "b", .name_to = "c"};
    assert_int_equal(disk.door.now(&disk.door, &rename), OK);
    assert_int_equal(disk.door.now(&disk.door, &rename), ERROR_NOT_FOUND);
    listed = 0;
    disk.door.list(&disk.door, visit, NULL);
    assert_int_equal(listed, 2);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "c");
    struct disk_request remove = {.op = DISK_REMOVE, .name = "absent"};
    assert_int_equal(disk.door.now(&disk.door, &remove), OK);
}

static void a_removed_file_lives_while_it_is_open(void **state)
{
    (void)state;
    allocate("log", BLOCK);
    uint32_t handle = open_file("log", false);
    submit(DISK_WRITE_DURABLE, handle, 0, BLOCK, 1);
    struct disk_request remove = {.op = DISK_REMOVE, .name = "log"};
    assert_int_equal(disk.door.now(&disk.door, &remove), OK);
    uint32_t other;
    assert_int_equal(disk.door.open(&disk.door, "log", false, &other), ERROR_NOT_FOUND);
    disk.door.close(&disk.door, handle);
    int status;
    assert_int_equal(finish(0, &status), 1);
    assert_int_equal(world_disk_used(&disk), 0);
}

static void a_full_disk_refuses_growth_only(void **state)
{
    (void)state;
    allocate("log", BLOCK);
    uint32_t handle = open_file("log", false);
    disk.manner.full = true;
    assert_int_equal(disk.door.room(&disk.door), 0);
    int status;
    submit(DISK_WRITE_DURABLE, handle, 0, BLOCK, 1);
    finish(0, &status);
    assert_int_equal(status, OK);
    submit(DISK_WRITE, handle, BLOCK, 10, 2);
    finish(1, &status);
    assert_int_equal(status, ERROR_NO_SPACE);
    struct disk_request request = {.op = DISK_ALLOCATE, .name = "more", .size = BLOCK};
    assert_int_equal(disk.door.now(&disk.door, &request), ERROR_NO_SPACE);
}

static void inline_writes_take_their_time(void **state)
{
    (void)state;
    disk.manner.inline_writes = true;
    disk.manner.stalled_until_ns = NS_PER_S;
    allocate("log", BLOCK);
    uint32_t handle = open_file("log", false);
    int64_t before_ns = disk.spent_ns;
    assert_int_equal(submit(DISK_WRITE_DURABLE, handle, 0, BLOCK, 1), DISK_DONE);
    assert_true(before_ns >= NS_PER_S); /* the allocation waited for the stall's end, the write after it did not */
    assert_true(disk.spent_ns > before_ns && disk.spent_ns < before_ns + NS_PER_S);
    read_all("log", BLOCK);
    assert_memory_equal(seen, written, BLOCK);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    allocate("log", BLOCK);
    uint32_t handle = open_file("log", false);
    assert_int_equal(submit(DISK_WRITE_DURABLE, handle, 1, BLOCK, 1), ERROR_INVALID);
    assert_int_equal(submit(DISK_WRITE_DURABLE, handle + 1, 0, BLOCK, 1), ERROR_INVALID);
    assert_int_equal(disk.door.read(&disk.door, handle, 0, seen, 2 * BLOCK), ERROR_INVALID);
    assert_int_equal(disk.door.read(&disk.door, handle, 0, seen + 1, BLOCK), ERROR_INVALID);
}

static void a_placed_flip_is_durable(void **state)
{
    (void)state;
    allocate("log", BLOCK);
    assert_true(world_disk_flip(&disk, "log", 100, 3));
    assert_false(world_disk_flip(&disk, "log", BLOCK, 0));
    world_disk_crash(&disk);
    read_all("log", BLOCK);
    assert_int_equal(seen[100], 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_durable_write_survives_once_it_is_complete, begin, end),
        cmocka_unit_test_setup_teardown(what_is_in_flight_is_lost_or_kept_whole, begin, end),
        cmocka_unit_test_setup_teardown(a_torn_write_leaves_any_part, begin, end),
        cmocka_unit_test_setup_teardown(a_crash_may_keep_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_plain_write_needs_its_sync, begin, end),
        cmocka_unit_test_setup_teardown(a_torn_file_has_any_size_and_no_other_bytes, begin, end),
        cmocka_unit_test_setup_teardown(names_ascend_and_change, begin, end),
        cmocka_unit_test_setup_teardown(a_removed_file_lives_while_it_is_open, begin, end),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_growth_only, begin, end),
        cmocka_unit_test_setup_teardown(inline_writes_take_their_time, begin, end),
        cmocka_unit_test_setup_teardown(misuse_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_placed_flip_is_durable, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
