/* Each fault of the medium strikes as it says, hurts nothing else, and strikes the same for the same draw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "host/world/world_disk.h"

enum { BLOCK = DISK_ALIGNMENT, BLOCKS = 4 };

static _Alignas(DISK_ALIGNMENT) uint8_t written[BLOCKS * BLOCK], seen[BLOCKS * BLOCK], before[BLOCKS * BLOCK];
static struct heap *heap;
static struct world_disk disk;

static void schedule(void *context, struct world_disk_operation *operation, int64_t at_ns)
{
    (void)context;
    (void)operation;
    (void)at_ns;
    fail(); /* all operations of this test happen at once */
}

static void new_disk(void)
{
    world_disk_init(&disk, heap, 1, 1 << 20, schedule, NULL);
    struct disk_request request = {.op = DISK_ALLOCATE, .name = "log", .size = sizeof written};
    assert_int_equal(disk.door.now(&disk.door, &request), OK);
}

static int begin(void **state)
{
    (void)state;
    heap = heap_create_system(16 << 20);
    new_disk();
    for (size_t i = 0; i < sizeof written; i++)
        written[i] = (uint8_t)(1 + i / BLOCK);
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

static uint32_t opened(void)
{
    uint32_t handle = 0;
    assert_int_equal(disk.door.open(&disk.door, "log", false, &handle), OK);
    return handle;
}

static void do_now(enum disk_op op, uint64_t offset, const uint8_t *data, size_t size)
{
    struct disk_request request = {.op = op, .handle = opened(), .offset = offset, .data = data, .size = size};
    assert_int_equal(disk.door.now(&disk.door, &request), OK);
    disk.door.close(&disk.door, request.handle);
}

static void write_block(uint32_t block)
{
    do_now(DISK_WRITE_DURABLE, block * BLOCK, written + block * BLOCK, BLOCK);
}

static int read_blocks(uint32_t first, uint32_t count)
{
    uint32_t handle = opened();
    memset(seen, 0xee, sizeof seen);
    int error = disk.door.read(&disk.door, handle, first * BLOCK, seen, count * BLOCK);
    disk.door.close(&disk.door, handle);
    return error;
}

static void a_lie_is_seen_only_after_a_crash(void **state)
{
    (void)state;
    disk.manner.kept_permille = 1000;
    write_block(0);
    world_disk_lie(&disk, true);
    write_block(1);
    do_now(DISK_WRITE, 2 * BLOCK, written + 2 * BLOCK, BLOCK);
    do_now(DISK_SYNC, 0, NULL, 0);
    assert_int_equal(read_blocks(0, 3), OK);
    assert_memory_equal(seen, written, 3 * BLOCK); /* whoever reads it back is told what was written */
    assert_true(disk.medium.lied == 2 && disk.medium.ill);
    world_disk_crash(&disk);
    assert_int_equal(read_blocks(0, 3), OK);
    assert_memory_equal(seen, written, BLOCK); /* what was durable before the lie is */
    assert_int_equal(seen[BLOCK], 0);
    assert_int_equal(seen[2 * BLOCK], 0);
}

static void what_was_lied_about_becomes_durable_when_the_lie_ends(void **state)
{
    (void)state;
    disk.manner.lost_permille = 1000;
    world_disk_lie(&disk, true);
    write_block(1);
    world_disk_lie(&disk, false);
    write_block(2);
    world_disk_crash(&disk);
    assert_int_equal(read_blocks(0, 3), OK);
    assert_memory_equal(seen + BLOCK, written + BLOCK, 2 * BLOCK);
}

static void so_many_writes_are_lost_and_no_more(void **state)
{
    (void)state;
    world_disk_lose(&disk, 2);
    for (uint32_t block = 0; block < 3; block++)
        write_block(block);
    assert_int_equal(read_blocks(0, 3), OK);
    assert_int_equal(seen[0], 0);
    assert_int_equal(seen[BLOCK], 0);
    assert_int_equal(seen[2 * BLOCK], 3);
    assert_int_equal(disk.medium.lost, 2);
    world_disk_lose(&disk, 1);
    world_disk_well(&disk);
    write_block(0);
    assert_int_equal(read_blocks(0, 1), OK);
    assert_int_equal(seen[0], 1);
}

static void a_misdirected_write_lands_on_another_block(void **state)
{
    (void)state;
    bool landed[BLOCKS] = {false};
    for (uint64_t draw = 0; draw < 50; draw++) {
        world_disk_free(&disk);
        new_disk();
        for (uint32_t block = 0; block < BLOCKS; block++)
            write_block(block);
        world_disk_misdirect(&disk, draw);
        memset(before, 9, BLOCK);
        do_now(DISK_WRITE_DURABLE, BLOCK, before, BLOCK);
        assert_int_equal(disk.medium.misdirected, 1);
        assert_int_equal(read_blocks(0, BLOCKS), OK);
        uint32_t changed = 0;
        for (uint32_t block = 0; block < BLOCKS; block++)
            if (seen[block * BLOCK] == 9) {
                landed[block] = true;
                changed++;
            }
        assert_int_equal(changed, 1);
        write_block(1); /* only one write went astray */
        assert_int_equal(read_blocks(1, 1), OK);
        assert_int_equal(seen[0], 2);
    }
    assert_true(landed[0] && !landed[1] && landed[2] && landed[3]);
}

static uint32_t bits_differing(void)
{
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof seen; i++)
        count += (uint32_t)__builtin_popcount(seen[i] ^ before[i]);
    return count;
}

static void rot_flips_bits_where_something_was_written(void **state)
{
    (void)state;
    write_block(2);
    assert_int_equal(read_blocks(0, BLOCKS), OK);
    memcpy(before, seen, sizeof before);
    assert_int_equal(world_disk_rot(&disk, 1, 77), 1);
    assert_int_equal(read_blocks(0, BLOCKS), OK);
    assert_int_equal(bits_differing(), 1);
    assert_memory_equal(seen, before, 2 * BLOCK);
    assert_memory_equal(seen + 3 * BLOCK, before + 3 * BLOCK, BLOCK);
    assert_int_equal(world_disk_rot(&disk, 1, 77), 1);
    assert_int_equal(read_blocks(0, BLOCKS), OK);
    assert_int_equal(bits_differing(), 0); /* the same draw strikes the same bit */
    assert_int_equal(disk.medium.rotten_bits, 2);
}

static void rot_survives_a_crash(void **state)
{
    (void)state;
    write_block(0);
    world_disk_rot(&disk, 3, 5);
    assert_int_equal(read_blocks(0, BLOCKS), OK);
    memcpy(before, seen, sizeof before);
    world_disk_crash(&disk);
    assert_int_equal(read_blocks(0, BLOCKS), OK);
    assert_int_equal(bits_differing(), 0);
    assert_true(memcmp(seen, written, BLOCK) != 0);
}

static void a_latent_sector_cannot_be_read_until_it_is_written(void **state)
{
    (void)state;
    write_block(2);
    assert_int_equal(world_disk_latent(&disk, 1, 3), 1);
    assert_int_equal(read_blocks(0, 2), OK);
    assert_int_equal(read_blocks(2, 1), ERROR_IO);
    assert_int_equal(read_blocks(0, BLOCKS), ERROR_IO);
    assert_int_equal(disk.medium.unreadable_reads, 2);
    world_disk_crash(&disk);
    assert_int_equal(read_blocks(2, 1), ERROR_IO);
    write_block(2);
    assert_int_equal(read_blocks(0, BLOCKS), OK);
    assert_memory_equal(seen + 2 * BLOCK, written + 2 * BLOCK, BLOCK);
}

static void a_new_disk_is_well(void **state)
{
    (void)state;
    write_block(0);
    world_disk_latent(&disk, 1, 1);
    world_disk_lie(&disk, true);
    world_disk_crash(&disk);
    world_disk_wipe(&disk);
    assert_false(disk.medium.ill);
    assert_int_equal(world_disk_rot(&disk, 4, 1), 0); /* nothing is there to decay */
    assert_int_equal(world_disk_latent(&disk, 4, 1), 0);
    assert_false(disk.medium.ill);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lie_is_seen_only_after_a_crash, begin, end),
        cmocka_unit_test_setup_teardown(what_was_lied_about_becomes_durable_when_the_lie_ends, begin, end),
        cmocka_unit_test_setup_teardown(so_many_writes_are_lost_and_no_more, begin, end),
        cmocka_unit_test_setup_teardown(a_misdirected_write_lands_on_another_block, begin, end),
        cmocka_unit_test_setup_teardown(rot_flips_bits_where_something_was_written, begin, end),
        cmocka_unit_test_setup_teardown(rot_survives_a_crash, begin, end),
        cmocka_unit_test_setup_teardown(a_latent_sector_cannot_be_read_until_it_is_written, begin, end),
        cmocka_unit_test_setup_teardown(a_new_disk_is_well, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
