/* The identity: one of its copies survives whatever a crash or a single fault does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/heap_system.h"
#include "storage/disk_testing.h"
#include "storage/identity.h"

static struct heap *heap;
static struct disk_testing disk;
static const struct identity sample = {.cluster = 0x1234567890abcdef, .node = 3, .incarnation = 7, .initialised = true};

static int setup(void **state)
{
    (void)state;
    heap = heap_create_system((size_t)1 << 26);
    disk_testing_init(&disk, heap, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    disk_testing_free(&disk);
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
    return 0;
}

static void expect(uint64_t incarnation)
{
    struct identity got;
    assert_int_equal(identity_read(&disk.door, heap, &got), OK);
    assert_int_equal(got.cluster, sample.cluster);
    assert_int_equal(got.node, sample.node);
    assert_int_equal(got.incarnation, incarnation);
    assert_true(got.initialised);
}

static int write_incarnation(uint64_t incarnation)
{
    struct identity identity = sample;
    identity.incarnation = incarnation;
    return identity_write(&disk.door, heap, &identity);
}

static void test_it_is_read_as_written(void **state)
{
    (void)state;
    struct identity got;
    assert_int_equal(identity_read(&disk.door, heap, &got), ERROR_NOT_FOUND);
    assert_int_equal(write_incarnation(7), OK);
    expect(7);
    assert_int_equal(write_incarnation(8), OK);
    expect(8);
    disk_testing_crash(&disk);
    expect(8);
}

static void test_either_copy_is_enough(void **state)
{
    (void)state;
    for (int copy = 0; copy < 2; copy++) {
        assert_int_equal(write_incarnation(7), OK);
        assert_int_equal(write_incarnation(8), OK);
        struct disk_testing_file *file = disk_testing_file(&disk, "identity");
        file->seen[copy * 4096 + 30] ^= 1;
        expect(8);
        /* The next writing repairs the damaged one first. */
        assert_int_equal(write_incarnation(9), OK);
        file->seen[(1 - copy) * 4096 + 30] ^= 1;
        expect(9);
    }
}

static void test_both_damaged_is_corrupt(void **state)
{
    (void)state;
    assert_int_equal(write_incarnation(7), OK);
    struct disk_testing_file *file = disk_testing_file(&disk, "identity");
    file->seen[100] ^= 1;
    file->bad[1] = 1;
    struct identity got;
    assert_int_equal(identity_read(&disk.door, heap, &got), ERROR_CORRUPT);
}

static void test_a_later_format_is_told(void **state)
{
    (void)state;
    assert_int_equal(write_incarnation(7), OK);
    struct disk_testing_file *file = disk_testing_file(&disk, "identity");
    for (int copy = 0; copy < 2; copy++) {
        uint8_t *bytes = file->seen + copy * 4096;
        bytes[4] = 2;
        store_u32(bytes, crc32c(0, bytes + 4, 4092));
    }
    struct identity got;
    assert_int_equal(identity_read(&disk.door, heap, &got), ERROR_VERSION);
}

static void test_a_short_file_is_corrupt(void **state)
{
    (void)state;
    uint32_t handle;
    assert_int_equal(disk.door.open(&disk.door, "identity", true, &handle), OK);
    disk.door.close(&disk.door, handle);
    struct identity got;
    assert_int_equal(identity_read(&disk.door, heap, &got), ERROR_CORRUPT);
}

/* A door that stops in the middle of the n-th write, of which any part reaches the disk. */
static int writes_left;
static int (*now_whole)(struct disk *door, const struct disk_request *request);

static int now_cut(struct disk *door, const struct disk_request *request)
{
    if (writes_left == 0)
        return ERROR_IO;
    if (--writes_left > 0)
        return now_whole(door, request);
    if (request->op == DISK_WRITE_DURABLE && disk.files[request->handle - 1].size >= request->offset + request->size) {
        size_t cut = (size_t)random_below(&disk.random, request->size);
        memcpy(disk.files[request->handle - 1].seen + request->offset, request->data, cut);
        memcpy(disk.files[request->handle - 1].stable + request->offset, request->data, cut);
    }
    return ERROR_IO;
}

static void test_a_crash_leaves_the_old_or_the_new_one(void **state)
{
    (void)state;
    now_whole = disk.door.now;
    disk.door.now = now_cut;
    uint64_t held = 0;
    for (uint64_t incarnation = 1; incarnation < 2000; incarnation++) {
        writes_left = (int)random_below(&disk.random, 6);
        int result = write_incarnation(incarnation);
        disk_testing_crash(&disk);
        struct identity got;
        int read = identity_read(&disk.door, heap, &got);
        if (held == 0 && result != OK && read == ERROR_NOT_FOUND)
            continue;
        assert_int_equal(read, OK);
        assert_true(got.incarnation == incarnation || (result != OK && got.incarnation == held));
        held = got.incarnation;
    }
    assert_true(held > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_read_as_written),
        TEST(test_either_copy_is_enough),
        TEST(test_both_damaged_is_corrupt),
        TEST(test_a_later_format_is_told),
        TEST(test_a_short_file_is_corrupt),
        TEST(test_a_crash_leaves_the_old_or_the_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
