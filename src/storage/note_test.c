/* Notes: after a crash at any point the old content or the new; damage is told. */
#include "storage/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "storage/checkpoint.h"
#include "storage/disk_testing.h"

static struct heap *heap;
static struct disk_testing disk;

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

static int put(const char *text)
{
    return note_write(&disk.door, heap, "note", 7, 1, span_string(text));
}

static int take(struct span *out)
{
    static uint8_t bytes[NOTE_BYTES_MAX];
    size_t size;
    int status = note_read(&disk.door, heap, "note", 7, 1, bytes, &size);
    *out = span_of(bytes, size);
    return status;
}

static void expect(const char *text)
{
    struct span got;
    assert_int_equal(take(&got), OK);
    assert_true(span_equal(got, span_string(text)));
}

static void test_it_is_read_as_written(void **state)
{
    (void)state;
    struct span got;
    assert_int_equal(take(&got), ERROR_NOT_FOUND);
    assert_int_equal(put("first"), OK);
    expect("first");
    assert_int_equal(put(""), OK);
    expect("");
    static uint8_t large[NOTE_BYTES_MAX + 1];
    memset(large, 'x', sizeof large);
    assert_int_equal(note_write(&disk.door, heap, "note", 7, 1, span_of(large, NOTE_BYTES_MAX)), OK);
    assert_int_equal(take(&got), OK);
    assert_int_equal(got.size, NOTE_BYTES_MAX);
    assert_int_equal(note_write(&disk.door, heap, "note", 7, 1, span_of(large, sizeof large)), ERROR_TOO_LARGE);
    assert_int_equal(take(&got), OK);
}

static void test_it_belongs_to_one_node(void **state)
{
    (void)state;
    uint8_t bytes[NOTE_BYTES_MAX];
    size_t size;
    assert_int_equal(put("mine"), OK);
    assert_int_equal(note_read(&disk.door, heap, "note", 8, 1, bytes, &size), ERROR_WRONG_CLUSTER);
    assert_int_equal(note_read(&disk.door, heap, "note", 7, 2, bytes, &size), ERROR_WRONG_NODE);
}

static void test_every_damaged_bit_is_seen(void **state)
{
    (void)state;
    assert_int_equal(put("content"), OK);
    struct disk_testing_file *file = disk_testing_file(&disk, "note");
    struct span got;
    for (size_t at = 0; at < DISK_ALIGNMENT; at += at < 64 ? 1 : 97) {
        file->seen[at] ^= 4;
        assert_int_equal(take(&got), ERROR_CORRUPT);
        file->seen[at] ^= 4;
    }
    file->bad[0] = 1;
    assert_int_equal(take(&got), ERROR_CORRUPT);
}

/* What is longer than a block lies in two; what fits into one is written as before there were two. */
static void test_a_note_of_two_blocks(void **state)
{
    (void)state;
    enum { FITS_ONE = DISK_ALIGNMENT - 32 };
    static uint8_t long_bytes[NOTE_BYTES_MAX];
    for (size_t i = 0; i < sizeof long_bytes; i++)
        long_bytes[i] = (uint8_t)(i * 7 + i / 251);
    assert_int_equal(note_write(&disk.door, heap, "note", 7, 1, span_of(long_bytes, FITS_ONE)), OK);
    struct disk_testing_file *file = disk_testing_file(&disk, "note");
    assert_int_equal(file->size, DISK_ALIGNMENT);
    assert_int_equal(load_u16(file->seen + 4), 1);
    struct span got;
    for (size_t size = FITS_ONE + 1; size <= NOTE_BYTES_MAX; size += 1000) {
        assert_int_equal(note_write(&disk.door, heap, "note", 7, 1, span_of(long_bytes, size)), OK);
        assert_int_equal(take(&got), OK);
        assert_true(span_equal(got, span_of(long_bytes, size)));
    }
    file = disk_testing_file(&disk, "note");
    assert_int_equal(file->size, 2 * DISK_ALIGNMENT);
    for (size_t at = 0; at < (size_t)2 * DISK_ALIGNMENT; at += at % DISK_ALIGNMENT < 64 ? 1 : 97) {
        file->seen[at] ^= 4;
        assert_int_equal(take(&got), ERROR_CORRUPT);
        file->seen[at] ^= 4;
    }
    assert_int_equal(take(&got), OK);
    file->bad[1] = 1;
    assert_int_equal(take(&got), ERROR_CORRUPT);
}

static void test_a_failed_or_cut_write_leaves_the_old_one(void **state)
{
    (void)state;
    assert_int_equal(put("old"), OK);
    disk.fail_writes = ERROR_NO_SPACE;
    assert_int_equal(put("new"), ERROR_NO_SPACE);
    disk.fail_writes = 0;
    expect("old");
    /* A crash between the new file and its name: the half is there, and in nobody's way. */
    uint32_t handle;
    assert_int_equal(disk.door.open(&disk.door, "note.new", true, &handle), OK);
    disk_testing_crash(&disk);
    expect("old");
    assert_int_equal(put("new"), OK);
    disk_testing_crash(&disk); /* what was reported survives */
    expect("new");
}

/* ---- files of checkpoints of groups that are gone ---- */

static void make_file(const char *name)
{
    uint32_t handle;
    assert_int_equal(disk.door.open(&disk.door, name, true, &handle), OK);
    disk.door.close(&disk.door, handle);
}

static void test_checkpoints_of_a_group_are_found_and_removed(void **state)
{
    (void)state;
    make_file("checkpoint-0-00000000000000000009");
    make_file("checkpoint-12-00000000000000000001");
    make_file("checkpoint-12-00000000000000000002.tmp");
    make_file("checkpoint-1-00000000000000000001");
    make_file("checkpoint-5-1");
    make_file("checkpoint-99999999999-00000000000000000001");
    make_file("log-12");
    uint32_t groups[8], count;
    assert_int_equal(checkpoint_groups(&disk.door, groups, 8, &count), OK);
    assert_int_equal(count, 3);
    assert_int_equal(groups[0], 0);
    assert_int_equal(groups[1], 1);
    assert_int_equal(groups[2], 12);
    assert_int_equal(checkpoint_groups(&disk.door, groups, 2, &count), OK);
    assert_int_equal(count, 2);
    assert_int_equal(checkpoint_remove_all(&disk.door, 12), OK);
    assert_int_equal(checkpoint_remove_all(&disk.door, 3), OK);
    assert_int_equal(checkpoint_groups(&disk.door, groups, 8, &count), OK);
    assert_int_equal(count, 2);
    assert_non_null(disk_testing_file(&disk, "checkpoint-1-00000000000000000001"));
    assert_null(disk_testing_file(&disk, "checkpoint-12-00000000000000000002.tmp"));
    char name[64];
    for (int i = 0; i < 40; i++) { /* more than one round of removals takes */
        snprintf(name, sizeof name, "checkpoint-7-%020d", i);
        make_file(name);
    }
    assert_int_equal(checkpoint_remove_all(&disk.door, 7), OK);
    assert_int_equal(checkpoint_groups(&disk.door, groups, 8, &count), OK);
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_is_read_as_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_belongs_to_one_node, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_damaged_bit_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_note_of_two_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_failed_or_cut_write_leaves_the_old_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_checkpoints_of_a_group_are_found_and_removed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
