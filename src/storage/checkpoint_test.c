/* Checkpoints: what is announced as durable is whole; crashes and damage leave the one before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "base/test_seed.h"
#include "storage/checkpoint.h"
#include "storage/disk_testing.h"

enum { CONTENT_MAX = 3 << 20, CLUSTER = 55, GROUP = 6 };

static struct heap *disk_heap, *heap;
static struct disk_testing disk;
static uint8_t content[CONTENT_MAX];
static char why[200];

static int setup(void **state)
{
    (void)state;
    disk_heap = heap_create_system((size_t)1 << 30);
    heap = heap_create_system((size_t)1 << 28);
    disk_testing_init(&disk, disk_heap, 1);
    for (size_t i = 0; i < CONTENT_MAX; i++)
        content[i] = (uint8_t)(i * 31 + i / 65521);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(heap_used(heap), 0);
    disk_testing_free(&disk);
    heap_destroy_system(heap);
    heap_destroy_system(disk_heap);
    return 0;
}

static struct checkpoint_head head_of(uint64_t index)
{
    return (struct checkpoint_head){.group = GROUP, .node = 1, .cluster = CLUSTER, .index = index};
}

/* Writes content[index .. index + size) in pieces; completes requests in any order. The final result. */
static int checkpoint_make(uint64_t index, size_t size, size_t piece, struct checkpoint_head *written)
{
    struct checkpoint_head head = head_of(index);
    struct checkpoint_writer *writer;
    int result = checkpoint_begin(&writer, heap, &disk.door, &head);
    if (result != OK)
        return result;
    bool finishing = false;
    size_t added = 0;
    for (int rounds = 0; result == 0; rounds++) {
        assert_true(rounds < 10000);
        assert_true(disk.pending_count <= 2);
        if (!finishing && checkpoint_ready(writer)) {
            size_t next = size - added < piece ? size - added : piece;
            if (next > 0)
                result = checkpoint_add(writer, span_of(content + index + added, next));
            added += next;
            if (result == 0 && added == size) {
                head.keep_from = 10 * index;
                head.part_size = size / 4;
                head.table_size = size / 8;
                finishing = true;
                result = checkpoint_finish(writer, &head);
            }
        } else if (disk.pending_count > 0) {
            int status;
            uint64_t token = disk_testing_complete(&disk, disk.pending_count - 1, &status);
            assert_int_equal(disk_token_owner(token), DISK_TOKEN_CHECKPOINT);
            /* Every writer is asked; only the one concerned takes it. */
            assert_int_equal(checkpoint_complete(writer, disk_token_value(token) ^ (UINT64_C(1) << 30), status), 0);
            result = checkpoint_complete(writer, disk_token_value(token), status);
        } else {
            result = checkpoint_step(writer);
        }
    }
    if (written != NULL)
        *written = *checkpoint_written(writer);
    checkpoint_writer_free(writer);
    return result;
}

static void content_check(uint64_t index, size_t size, size_t piece)
{
    struct checkpoint_reader *reader;
    struct checkpoint_head head;
    assert_int_equal(checkpoint_open(&reader, heap, &disk.door, GROUP, index, &head), OK);
    assert_int_equal(head.size, size);
    assert_int_equal(head.part_size, size / 4);
    assert_int_equal(head.table_size, size / 8);
    assert_int_equal(head.keep_from, 10 * index);
    for (size_t offset = 0; offset < size;) {
        struct span bytes;
        assert_int_equal(checkpoint_read(reader, offset, piece, &bytes), OK);
        size_t expected = size - offset < piece ? size - offset : piece;
        assert_int_equal(bytes.size, expected);
        assert_memory_equal(bytes.data, content + index + offset, bytes.size);
        offset += bytes.size;
    }
    struct span none;
    assert_int_equal(checkpoint_read(reader, size, 10, &none), OK);
    assert_int_equal(none.size, 0);
    checkpoint_reader_free(reader);
}

static int latest(struct checkpoint_head *head)
{
    why[0] = '\0';
    return checkpoint_latest(heap, &disk.door, CLUSTER, GROUP, head, why, sizeof why);
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4080, 65519, 65520, 65521, 131040, 1 << 20, (3 << 20) - 100};
    static const size_t pieces[] = {777, 65520, 65536, 200000};
    uint64_t index = 0;
    for (int later = 0; later < 2; later++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            disk.completes_later = later != 0;
            size_t piece = pieces[index % 4] < 2000 && sizes[i] > 70000 ? 65536 : pieces[index % 4];
            struct checkpoint_head written, head;
            index++;
            assert_int_equal(checkpoint_make(index, sizes[i], piece, &written), 1);
            disk_testing_crash(&disk);
            assert_int_equal(latest(&head), OK);
            assert_int_equal(head.index, index);
            assert_int_equal(head.digest, written.digest);
            content_check(index, sizes[i], 1000000);
            content_check(index, sizes[i], 65536);
            content_check(index, sizes[i], 12345);
        }
    }
}

static uint32_t file_count;
static void file_seen(void *context, const char *name)
{
    (void)context;
    (void)name;
    file_count++;
}

static void test_the_two_youngest_are_kept(void **state)
{
    (void)state;
    for (uint64_t index = 1; index <= 5; index++) {
        assert_int_equal(checkpoint_make(index, 1000, 500, NULL), 1);
        file_count = 0;
        disk.door.list(&disk.door, file_seen, NULL);
        assert_int_equal(file_count, index < 2 ? 1 : 2);
    }
    content_check(4, 1000, 1000);
    content_check(5, 1000, 1000);
}

static void test_other_groups_are_left_alone(void **state)
{
    (void)state;
    struct checkpoint_head head;
    assert_int_equal(checkpoint_make(1, 1000, 500, NULL), 1);
    assert_int_equal(checkpoint_latest(heap, &disk.door, CLUSTER, GROUP + 1, &head, why, sizeof why),
                     ERROR_NOT_FOUND);
    assert_int_equal(checkpoint_latest(heap, &disk.door, CLUSTER, GROUP * 10 + 1, &head, why, sizeof why),
                     ERROR_NOT_FOUND);
    assert_int_equal(checkpoint_latest(heap, &disk.door, CLUSTER + 1, GROUP, &head, why, sizeof why),
                     ERROR_WRONG_CLUSTER);
    assert_int_equal(latest(&head), OK);
}

static void test_the_digest_tells_contents_and_indexes_apart(void **state)
{
    (void)state;
    struct checkpoint_head one, again, other;
    assert_int_equal(checkpoint_make(1, 200000, 500, &one), 1);
    assert_int_equal(checkpoint_make(1, 200000, 70000, &again), 1);
    assert_int_equal(one.digest, again.digest);
    content[150000] ^= 1;
    assert_int_equal(checkpoint_make(1, 200000, 500, &other), 1);
    assert_int_not_equal(one.digest, other.digest);
    memset(content, 0, 1000);
    assert_int_equal(checkpoint_make(1, 900, 500, &one), 1);
    assert_int_equal(checkpoint_make(2, 900, 500, &other), 1);
    assert_int_not_equal(one.digest, other.digest);
}

static void seal_of(const struct checkpoint_head *head, struct sha256_seal *out)
{
    struct sha256 sha;
    uint8_t sizes[32], digest[SHA256_SIZE];
    store_u64(sizes, head->size);
    store_u64(sizes + 8, head->part_size);
    store_u64(sizes + 16, head->table_size);
    store_u64(sizes + 24, head->index);
    sha256_begin(&sha);
    sha256_add(&sha, content, (size_t)head->size);
    sha256_add(&sha, sizes, sizeof sizes);
    sha256_end(&sha, digest);
    out->size = head->size;
    memcpy(out->digest, digest, sizeof digest);
}

/* What was sealed is read back with its seal; other bytes, or other borders between its parts, are not taken for it. */
static void test_a_seal_holds_contents_and_borders(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 4; wrong++) {
        struct checkpoint_head head = {
            .group = GROUP, .node = 1, .cluster = CLUSTER, .index = 1, .part_size = 7, .table_size = 9, .sealed = true};
        struct checkpoint_head read;
        struct sha256_seal seal;
        head.size = 200000;
        seal_of(&head, &seal);
        head.seal = wrong == 0 ? (struct sha256_seal){0} : seal;
        head.part_size -= wrong == 2;
        content[100] ^= wrong == 3;
        struct checkpoint_writer *writer;
        assert_int_equal(checkpoint_begin(&writer, heap, &disk.door, &head), OK);
        assert_int_equal(checkpoint_add(writer, span_of(content, 200000)), OK);
        int result = checkpoint_finish(writer, &head);
        while (result == 0)
            result = checkpoint_step(writer);
        checkpoint_writer_free(writer);
        assert_int_equal(result, wrong < 2 ? 1 : ERROR_CORRUPT);
        assert_int_equal(latest(&read), OK);
        assert_true(read.sealed && sha256_seal_equal(&read.seal, &seal));
    }
}

/* Content from a peer must be what the peer announced. */
static void test_announced_size_and_digest_must_come_out(void **state)
{
    (void)state;
    struct checkpoint_head written;
    assert_int_equal(checkpoint_make(1, 1000, 500, &written), 1);
    for (int wrong = 0; wrong < 3; wrong++) {
        struct checkpoint_head head = written;
        head.digest ^= wrong == 1;
        head.size += wrong == 2;
        struct checkpoint_writer *writer;
        assert_int_equal(checkpoint_begin(&writer, heap, &disk.door, &head), OK);
        assert_int_equal(checkpoint_add(writer, span_of(content + 1, 1000)), OK);
        int result = checkpoint_finish(writer, &head);
        while (result == 0)
            result = checkpoint_step(writer);
        assert_int_equal(result, wrong == 0 ? 1 : ERROR_CORRUPT);
        checkpoint_writer_free(writer);
    }
    content_check(1, 1000, 1000);
}

static void test_damage_falls_back_to_the_one_before(void **state)
{
    (void)state;
    static char names[2][DISK_NAME_SIZE_MAX] = {"checkpoint-6-00000000000000000002",
                                                  "checkpoint-6-00000000000000000001"};
    struct checkpoint_head head;
    assert_int_equal(latest(&head), ERROR_NOT_FOUND);
    for (int kind = 0; kind < 4; kind++) {
        assert_int_equal(checkpoint_make(1, 150000, 70000, NULL), 1);
        assert_int_equal(checkpoint_make(2, 150000, 70000, NULL), 1);
        for (int which = 0; which < 2; which++) {
            struct disk_testing_file *file = disk_testing_file(&disk, names[which]);
            if (kind == 0)
                file->seen[random_below(&disk.random, 4096)] ^= 4;
            if (kind == 1)
                file->seen[4096 + 16 + random_below(&disk.random, 140000)] ^= 4;
            if (kind == 2)
                file->bad[1 + random_below(&disk.random, 30)] = 1;
            if (kind == 3)
                file->size = file->stable_size = 8192;
            int result = latest(&head);
            assert_int_equal(result, which == 0 ? OK : ERROR_CORRUPT);
            if (which == 0)
                assert_int_equal(head.index, 1);
            else
                assert_non_null(strstr(why, "checkpoint-6-"));
        }
        disk_testing_free(&disk);
        disk_testing_init(&disk, disk_heap, (uint64_t)kind + 2);
    }
}

static void test_damage_is_noticed_when_a_piece_is_read(void **state)
{
    (void)state;
    assert_int_equal(checkpoint_make(1, 300000, 70000, NULL), 1);
    struct checkpoint_reader *reader;
    struct checkpoint_head head;
    assert_int_equal(checkpoint_open(&reader, heap, &disk.door, GROUP, 1, &head), OK);
    disk_testing_file(&disk, "checkpoint-6-00000000000000000001")->seen[4096 + 65536 + 500] ^= 1;
    struct span bytes;
    assert_int_equal(checkpoint_read(reader, 0, 65520, &bytes), OK);
    assert_int_equal(checkpoint_read(reader, 65519, 2, &bytes), ERROR_CORRUPT);
    assert_int_equal(checkpoint_read(reader, 2 * 65520, 65520, &bytes), OK);
    checkpoint_reader_free(reader);
}

static void test_failures_leave_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(checkpoint_make(1, 100000, 70000, NULL), 1);
    for (int later = 0; later < 2; later++) {
        disk.completes_later = later != 0;
        disk.fail_writes = ERROR_IO;
        assert_int_equal(checkpoint_make(2, 100000, 70000, NULL), ERROR_IO);
        disk.fail_sync_only = true;
        assert_int_equal(checkpoint_make(2, 100000, 70000, NULL), ERROR_IO);
        disk.fail_writes = 0;
        disk.fail_sync_only = false;
        disk.capacity = disk_testing_bytes(&disk) + 50000;
        assert_int_equal(checkpoint_make(2, 100000, 70000, NULL), ERROR_NO_SPACE);
        disk.capacity = SIZE_MAX;
        file_count = 0;
        disk.door.list(&disk.door, file_seen, NULL);
        assert_int_equal(file_count, 1);
    }
    content_check(1, 100000, 1000);
}

static void test_giving_up_removes_the_file(void **state)
{
    (void)state;
    struct checkpoint_head head = head_of(9);
    struct checkpoint_writer *writer;
    assert_int_equal(checkpoint_begin(&writer, heap, &disk.door, &head), OK);
    assert_int_equal(checkpoint_add(writer, span_of(content, 100000)), OK);
    checkpoint_writer_free(writer);
    file_count = 0;
    disk.door.list(&disk.door, file_seen, NULL);
    assert_int_equal(file_count, 0);
}

static uint64_t seed_running;

/* At every moment of a crash the youngest announced one, or the one being written, is there and whole. */
static void test_crashes(void **state)
{
    (void)state;
    uint64_t seed = test_seed("checkpoint_test");
    for (uint64_t run = 0; run < 150; run++) {
        seed_running = seed + run;
        disk_testing_free(&disk);
        disk_testing_init(&disk, disk_heap, seed_running);
        disk.completes_later = true;
        uint64_t announced = 0;
        for (uint64_t index = 1; index < 12; index++) {
            struct checkpoint_head head = head_of(index);
            struct checkpoint_writer *writer;
            assert_int_equal(checkpoint_begin(&writer, heap, &disk.door, &head), OK);
            size_t size = (size_t)random_below(&disk.random, 200000), added = 0;
            uint64_t steps = random_below(&disk.random, 14);
            int result = 0;
            for (uint64_t step = 0; step < steps && result == 0; step++) {
                int status;
                if (added < size && checkpoint_ready(writer)) {
                    size_t piece = size - added < 70000 ? size - added : 70000;
                    result = checkpoint_add(writer, span_of(content + added, piece));
                    added += piece;
                    if (added == size)
                        result = checkpoint_finish(writer, &head);
                } else if (disk.pending_count > 0) {
                    uint32_t place = (uint32_t)random_below(&disk.random, disk.pending_count);
                    uint64_t token = disk_testing_complete(&disk, place, &status);
                    result = checkpoint_complete(writer, disk_token_value(token), status);
                } else {
                    result = checkpoint_step(writer);
                }
            }
            assert_true(result >= 0);
            if (result == 1)
                announced = index;
            disk_testing_crash(&disk);
            /* A crash keeps none of the process: only its memory is given back here. */
            heap = heap_init(heap, heap_size(heap));
            int found = latest(&head);
            assert_true(found == OK || (announced == 0 && found == ERROR_NOT_FOUND));
            if (found == OK)
                assert_true(head.index == announced || head.index == index);
            announced = found == OK ? head.index : 0;
        }
    }
}

static int seed_print(void **state)
{
    printf("last seed run: %" PRIu64 "\n", seed_running);
    return teardown(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_written_is_read),
        TEST(test_the_two_youngest_are_kept),
        TEST(test_other_groups_are_left_alone),
        TEST(test_the_digest_tells_contents_and_indexes_apart),
        TEST(test_a_seal_holds_contents_and_borders),
        TEST(test_announced_size_and_digest_must_come_out),
        TEST(test_damage_falls_back_to_the_one_before),
        TEST(test_damage_is_noticed_when_a_piece_is_read),
        TEST(test_failures_leave_nothing_behind),
        TEST(test_giving_up_removes_the_file),
        cmocka_unit_test_setup_teardown(test_crashes, setup, seed_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
