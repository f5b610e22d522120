/* The log's interface, one promise of wal.h a test. Crashes and damage: wal_crash_test.c and wal_damage_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/heap_system.h"
#include "base/time.h"
#include "storage/disk_testing.h"
#include "storage/wal.h"

enum { SEGMENT = 65536, GROUP = 4 };

struct fixture {
    struct heap *disk_heap, *heap;
    struct disk_testing disk;
    struct wal_options options;
    struct wal *wal;
    enum wal_condition condition;
    char why[200];
    /* what the last opening told */
    uint32_t found_count, gap_count;
    uint64_t found_last, gap_last;
    uint32_t gap_group;
};

static struct fixture f;
static uint8_t bytes[300000];

static void found(void *context, const struct wal_found *record)
{
    struct fixture *fixture = context;
    if (record->gap) {
        fixture->gap_count++;
        fixture->gap_last = record->position;
        fixture->gap_group = record->group;
        return;
    }
    fixture->found_count++;
    fixture->found_last = record->position;
    assert_memory_equal(record->body.data, bytes, record->body.size);
}

static int log_open(void)
{
    f.found_count = f.gap_count = 0;
    f.found_last = 0;
    f.wal = NULL;
    return wal_open(&f.wal, f.heap, &f.disk.door, &f.options, &f.condition, found, &f, f.why, sizeof f.why);
}

static void log_reopen(void)
{
    wal_close(f.wal);
    disk_testing_crash(&f.disk);
    assert_int_equal(log_open(), OK);
}

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    f.disk_heap = heap_create_system((size_t)1 << 30);
    f.heap = heap_create_system((size_t)1 << 30);
    disk_testing_init(&f.disk, f.disk_heap, 1);
    f.options = (struct wal_options){.node = 2,
                                     .incarnation = 1,
                                     .cluster = 77,
                                     .segment_bytes = SEGMENT,
                                     .segments_ahead = 1,
                                     .reserve_bytes = 8192,
                                     .writes_inflight_max = 2,
                                     .groups_max = 8};
    assert_int_equal(log_open(), OK);
    assert_int_equal(f.condition, WAL_NEW);
    return 0;
}

/* Whatever a test did, closing gives all memory back. */
static int teardown(void **state)
{
    (void)state;
    if (f.wal != NULL)
        wal_close(f.wal);
    assert_int_equal(heap_used(f.heap), 0);
    disk_testing_free(&f.disk);
    assert_int_equal(heap_used(f.disk_heap), 0);
    heap_destroy_system(f.heap);
    heap_destroy_system(f.disk_heap);
    return 0;
}

static int append(uint32_t group, size_t size)
{
    uint64_t position;
    return wal_append(f.wal, group, 1, 2, span_of(bytes, size / 2), span_of(bytes + size / 2, size - size / 2),
                      &position);
}

static void complete(uint32_t place)
{
    int status;
    uint64_t token = disk_testing_complete(&f.disk, place, &status);
    assert_int_equal(wal_complete(f.wal, disk_token_value(token), status), OK);
}

static void complete_all(void)
{
    while (f.disk.pending_count > 0)
        complete(0);
}

/* ---- positions, writes ---- */

static void test_positions_rise_by_one_for_each_group(void **state)
{
    (void)state;
    assert_int_equal(wal_next_position(f.wal, GROUP), 1);
    assert_int_equal(wal_stored_position(f.wal, GROUP), 0);
    for (uint64_t i = 1; i <= 5; i++) {
        uint64_t position;
        assert_int_equal(wal_append(f.wal, GROUP, 0, 0, span_string("a"), span_string("bc"), &position), OK);
        assert_int_equal(position, i);
        assert_int_equal(append(GROUP + 1, 10), OK);
    }
    assert_int_equal(wal_next_position(f.wal, GROUP), 6);
    assert_int_equal(wal_next_position(f.wal, GROUP + 1), 6);
}

static void test_one_write_takes_everything_appended(void **state)
{
    (void)state;
    assert_false(wal_wants_write(f.wal));
    assert_int_equal(wal_write(f.wal), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(append(GROUP, 100), OK);
    assert_true(wal_wants_write(f.wal));
    assert_int_equal(wal_write_size(f.wal), 4096);
    uint64_t begun = f.disk.writes_begun;
    assert_int_equal(wal_write(f.wal), 1);
    assert_int_equal(f.disk.writes_begun, begun + 1);
    assert_int_equal(wal_stored_position(f.wal, GROUP), 20);
    assert_false(wal_wants_write(f.wal));
}

static void test_completions_in_any_order_store_the_contiguous_prefix(void **state)
{
    (void)state;
    complete_all();
    f.disk.completes_later = true;
    assert_int_equal(append(GROUP, 100), OK);
    assert_int_equal(wal_write(f.wal), 0);
    assert_int_equal(append(GROUP, 100), OK);
    assert_int_equal(append(GROUP + 1, 100), OK);
    assert_int_equal(wal_write(f.wal), 0);
    /* Two are under way: no third begins. */
    assert_int_equal(append(GROUP, 100), OK);
    assert_false(wal_wants_write(f.wal));
    assert_int_equal(wal_write(f.wal), 0);
    assert_int_equal(f.disk.pending_count, 2);
    complete(1);
    assert_int_equal(wal_stored_position(f.wal, GROUP), 0);
    assert_int_equal(wal_stored_position(f.wal, GROUP + 1), 0);
    complete(0);
    assert_int_equal(wal_stored_position(f.wal, GROUP), 2);
    assert_int_equal(wal_stored_position(f.wal, GROUP + 1), 1);
    assert_true(wal_wants_write(f.wal));
    /* A completion that comes twice changes nothing. */
    assert_int_equal(wal_complete(f.wal, 0, OK), OK);
}

static void test_a_block_is_never_written_twice(void **state)
{
    (void)state;
    struct disk_testing_file *file = disk_testing_file(&f.disk, "log-0000000001");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(append(GROUP, 50), OK);
        assert_int_equal(wal_write(f.wal), 1);
        memcpy(bytes + 200000 + i * 4096, file->seen + 4096 * (1 + i), 4096);
    }
    assert_memory_equal(file->seen + 4096, bytes + 200000, 5 * 4096);
}

static void test_a_write_crosses_no_segment(void **state)
{
    (void)state;
    assert_int_equal(append(GROUP, 50000), OK);
    assert_int_equal(append(GROUP, 30000), OK); /* does not fit any more */
    uint64_t begun = f.disk.writes_begun;
    assert_int_equal(wal_write(f.wal), 1);
    assert_int_equal(f.disk.writes_begun, begun + 2);
    assert_int_equal(wal_counters(f.wal)->segments, 2);
    assert_int_equal(wal_stored_position(f.wal, GROUP), 2);
    log_reopen();
    assert_int_equal(f.found_count, 2);
}

static void test_a_record_larger_than_a_segment(void **state)
{
    (void)state;
    assert_int_equal(append(GROUP, 100), OK);
    assert_int_equal(append(GROUP, sizeof bytes), OK);
    assert_int_equal(append(GROUP, 100), OK);
    assert_int_equal(wal_write(f.wal), 1);
    uint64_t huge;
    static const uint8_t byte;
    assert_int_equal(wal_append(f.wal, GROUP, 0, 0, span_of(&byte, (size_t)1 << 40), span_of(NULL, 0), &huge),
                     ERROR_TOO_LARGE);
    log_reopen();
    assert_int_equal(f.condition, WAL_CLEAN);
    assert_int_equal(f.found_count, 3);
    assert_int_equal(wal_record_size(f.wal, GROUP, 2), sizeof bytes);
    assert_int_equal(append(GROUP, 60000), OK);
    assert_int_equal(wal_write(f.wal), 1);
    log_reopen();
    assert_int_equal(f.found_count, 4);
}

static void test_the_ablation_reports_before_the_write(void **state)
{
    (void)state;
    wal_close(f.wal);
    f.options.report_before_sync = true;
    assert_int_equal(log_open(), OK);
    assert_int_equal(append(GROUP, 100), OK);
    assert_int_equal(wal_stored_position(f.wal, GROUP), 1);
}

static void test_more_groups_than_declared_are_refused(void **state)
{
    (void)state;
    for (uint32_t group = 0; group < 8; group++)
        assert_int_equal(append(100 - group, 10), OK);
    assert_int_equal(append(50, 10), ERROR_TOO_LARGE);
    assert_int_equal(wal_write(f.wal), 1);
    for (uint32_t group = 93; group <= 100; group++)
        assert_int_equal(wal_stored_position(f.wal, group), 1);
}

/* ---- reading ---- */

static void read_check(uint64_t position, size_t size)
{
    uint8_t slot;
    uint16_t type;
    struct span body;
    assert_int_equal(wal_read(f.wal, GROUP, position, &slot, &type, &body), OK);
    assert_int_equal(slot, 1);
    assert_int_equal(type, 2);
    assert_int_equal(body.size, size);
    assert_memory_equal(body.data, bytes, size);
}

static void test_reads_come_from_the_image_and_then_from_the_disk(void **state)
{
    (void)state;
    for (size_t i = 1; i <= 60; i++) {
        assert_int_equal(append(GROUP, 300 * i), OK);
        assert_int_equal(wal_write(f.wal), 1);
    }
    read_check(60, 18000);
    assert_int_equal(wal_counters(f.wal)->reads_cold, 0);
    for (uint64_t i = 1; i <= 60; i++)
        read_check(i, 300 * i);
    /* Several segments, each read ahead rather than record by record. */
    assert_true(wal_counters(f.wal)->reads_cold > 1 && wal_counters(f.wal)->reads_cold <= 20);
    uint8_t slot;
    uint16_t type;
    struct span body;
    assert_int_equal(wal_read(f.wal, GROUP, 61, &slot, &type, &body), ERROR_NOT_FOUND);
    assert_int_equal(wal_read(f.wal, GROUP + 1, 1, &slot, &type, &body), ERROR_NOT_FOUND);
    assert_int_equal(wal_record_size(f.wal, GROUP, 61), 0);
    /* What decays on the disk is noticed when it is read. */
    struct disk_testing_file *file = disk_testing_file(&f.disk, "log-0000000001");
    file->seen[4096 + 56 + 56 + 10] ^= 1;
    assert_int_equal(wal_read(f.wal, GROUP, 1, &slot, &type, &body), ERROR_CORRUPT);
    file->bad[1] = 1;
    assert_int_equal(wal_read(f.wal, GROUP, 1, &slot, &type, &body), ERROR_IO);
}

/* ---- releasing ---- */

static void fill(uint32_t group, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(append(group, 10000), OK);
        assert_int_equal(wal_write(f.wal), 1);
    }
}

static void test_released_segments_are_recycled(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        fill(GROUP, 10);
        wal_release(f.wal, GROUP, wal_next_position(f.wal, GROUP));
    }
    assert_int_equal(wal_first_position(f.wal, GROUP), 501);
    assert_true(wal_counters(f.wal)->segments <= 3);
    assert_true(disk_testing_bytes(&f.disk) <= 7 * SEGMENT);
    log_reopen();
    assert_int_equal(f.condition, WAL_CLEAN);
    assert_int_equal(f.found_last, 500);
}

/* A group that never moves on must not hold up all the others' segments. */
static void test_a_quiet_group_pins_only_its_own_segment(void **state)
{
    (void)state;
    assert_int_equal(append(GROUP + 1, 100), OK);
    for (int round = 0; round < 50; round++) {
        fill(GROUP, 10);
        if (round == 25)
            assert_int_equal(append(GROUP + 2, 100), OK);
        wal_release(f.wal, GROUP, wal_next_position(f.wal, GROUP));
    }
    assert_true(wal_counters(f.wal)->segments <= 6);
    log_reopen();
    assert_int_equal(f.condition, WAL_CLEAN);
    assert_int_equal(f.gap_count, 0);
    assert_int_equal(wal_next_position(f.wal, GROUP), 501);
    assert_int_equal(wal_first_position(f.wal, GROUP + 1), 1);
    assert_int_equal(wal_next_position(f.wal, GROUP + 1), 2);
    assert_int_equal(wal_next_position(f.wal, GROUP + 2), 2);
}

static void test_positions_can_be_set_when_a_member_starts_anew(void **state)
{
    (void)state;
    wal_set_next_position(f.wal, GROUP, 1000);
    assert_int_equal(wal_stored_position(f.wal, GROUP), 999);
    assert_int_equal(append(GROUP, 100), OK);
    assert_int_equal(wal_write(f.wal), 1);
    assert_int_equal(wal_stored_position(f.wal, GROUP), 1000);
    wal_set_next_position(f.wal, GROUP, 2000);
    assert_int_equal(append(GROUP, 100), OK);
    assert_int_equal(wal_write(f.wal), 1);
    log_reopen();
    assert_int_equal(f.condition, WAL_CLEAN);
    assert_int_equal(f.found_last, 2000);
    assert_int_equal(wal_first_position(f.wal, GROUP), 2000);
    assert_int_equal(wal_next_position(f.wal, GROUP), 2001);
}

/* ---- full and failing disks ---- */

static void test_a_full_disk_keeps_the_reserve_for_small_records(void **state)
{
    (void)state;
    f.disk.capacity = 3 * SEGMENT;
    int result, after_room = 0;
    while ((result = append(GROUP, 5000)) == OK) {
        assert_int_equal(wal_write(f.wal), 1);
        after_room += wal_room(f.wal) == 0;
    }
    assert_true(after_room >= 2); /* what was under way still fitted */
    assert_int_equal(result, ERROR_NO_SPACE);
    assert_int_equal(wal_room(f.wal), 0);
    /* Votes: each a write of its own. */
    for (uint32_t i = 0; i < f.options.reserve_bytes / 4096; i++) {
        assert_int_equal(append(GROUP + 1, 100), OK);
        assert_int_equal(wal_write(f.wal), 1);
    }
    uint64_t last = wal_next_position(f.wal, GROUP) - 1;
    log_reopen();
    assert_int_equal(f.found_count, last + 2);
    assert_int_equal(wal_counters(f.wal)->allocations_refused, 1);
    /* Releasing makes room again, on the same disk. */
    wal_release(f.wal, GROUP, last + 1);
    assert_true(wal_room(f.wal) > 0);
    assert_int_equal(append(GROUP, 5000), OK);
    assert_int_equal(wal_write(f.wal), 1);
}

static void test_a_full_disk_is_tried_again(void **state)
{
    (void)state;
    f.disk.capacity = 2 * SEGMENT;
    fill(GROUP, 7);
    uint64_t refused = wal_counters(f.wal)->allocations_refused;
    assert_true(refused > 0);
    wal_tick(f.wal, NS_PER_S);
    wal_tick(f.wal, NS_PER_S + 100 * NS_PER_MS);
    assert_int_equal(wal_counters(f.wal)->allocations_refused, refused);
    wal_tick(f.wal, NS_PER_S + 201 * NS_PER_MS);
    assert_int_equal(wal_counters(f.wal)->allocations_refused, refused + 1);
    wal_tick(f.wal, NS_PER_S + 300 * NS_PER_MS);
    assert_int_equal(wal_counters(f.wal)->allocations_refused, refused + 1);
    f.disk.capacity = SIZE_MAX;
    wal_tick(f.wal, NS_PER_S + 402 * NS_PER_MS);
    assert_int_equal(wal_counters(f.wal)->allocations_refused, refused + 1);
    fill(GROUP, 20);
}

static void test_a_new_log_on_a_full_disk_is_refused(void **state)
{
    (void)state;
    wal_close(f.wal);
    disk_testing_free(&f.disk);
    disk_testing_init(&f.disk, f.disk_heap, 1);
    f.disk.capacity = 1000;
    assert_int_equal(log_open(), ERROR_NO_SPACE);
    assert_true(strlen(f.why) > 0);
    f.disk.capacity = SIZE_MAX;
    assert_int_equal(log_open(), OK);
    assert_int_equal(f.condition, WAL_NEW);
}

static void test_a_failed_write_is_final(void **state)
{
    (void)state;
    complete_all();
    f.disk.completes_later = true;
    f.disk.fail_writes = ERROR_IO;
    assert_int_equal(append(GROUP, 100), OK);
    assert_int_equal(wal_write(f.wal), 0);
    int status;
    uint64_t token = disk_testing_complete(&f.disk, 0, &status);
    assert_int_equal(wal_complete(f.wal, disk_token_value(token), status), ERROR_IO);
    f.disk.fail_writes = 0;
    assert_int_equal(wal_write(f.wal), ERROR_IO);
    assert_int_equal(append(GROUP, 100), ERROR_IO);
    assert_int_equal(wal_stored_position(f.wal, GROUP), 0);
    assert_int_equal(f.disk.pending_count, 0);
}

static void test_an_inline_failure_is_told_by_the_write(void **state)
{
    (void)state;
    f.disk.fail_writes = ERROR_IO;
    assert_int_equal(append(GROUP, 100), OK);
    assert_int_equal(wal_write(f.wal), ERROR_IO);
    assert_false(wal_wants_write(f.wal));
}

/* ---- opening ---- */

static void test_others_logs_are_refused(void **state)
{
    (void)state;
    wal_close(f.wal);
    f.options.cluster = 78;
    assert_int_equal(log_open(), ERROR_WRONG_CLUSTER);
    assert_non_null(strstr(f.why, "cluster"));
    f.options.cluster = 77;
    f.options.node = 3;
    assert_int_equal(log_open(), ERROR_WRONG_NODE);
    f.options.node = 2;
    assert_int_equal(log_open(), OK);
    assert_int_equal(f.condition, WAL_CLEAN);
}

/* The version is judged only when the block's CRC is right. */
static void test_other_formats_are_refused(void **state)
{
    (void)state;
    wal_close(f.wal);
    struct disk_testing_file *file = disk_testing_file(&f.disk, "log-0000000001");
    file->seen[4]++;
    uint8_t head[4096];
    memcpy(head, file->seen, sizeof head);
    assert_int_equal(log_open(), OK);
    assert_int_equal(f.condition, WAL_DAMAGED);
    wal_close(f.wal);
    f.wal = NULL;
    disk_testing_free(&f.disk);
    disk_testing_init(&f.disk, f.disk_heap, 1);
    assert_int_equal(log_open(), OK);
    wal_close(f.wal);
    store_u32(head, crc32c(0, head + 4, sizeof head - 4));
    file = disk_testing_file(&f.disk, "log-0000000001");
    memcpy(file->seen, head, sizeof head);
    assert_int_equal(log_open(), ERROR_VERSION);
}

static void write_one(uint32_t group, size_t size)
{
    assert_int_equal(append(group, size), OK);
    assert_int_equal(wal_write(f.wal), f.disk.completes_later ? 0 : 1);
}

/* A later write says that the record was durable: so it is not the torn tail. */
static void test_damage_is_told_as_a_gap(void **state)
{
    (void)state;
    write_one(GROUP, 100);
    write_one(GROUP + 1, 100);
    write_one(GROUP, 100);
    write_one(GROUP, 100);
    write_one(GROUP + 1, 100);
    struct disk_testing_file *file = disk_testing_file(&f.disk, "log-0000000001");
    file->stable[3 * 4096 + 56 + 60] ^= 1;
    file->seen[3 * 4096 + 56 + 60] ^= 1;
    for (int opening = 0; opening < 3; opening++) {
        log_reopen();
        assert_int_equal(f.condition, WAL_DAMAGED);
        assert_int_equal(f.gap_count, 1);
        assert_int_equal(f.gap_group, GROUP);
        assert_int_equal(f.gap_last, 2);
        assert_int_equal(f.found_count, 4 + opening);
        assert_int_equal(wal_counters(f.wal)->damaged_records, 1);
        assert_true(wal_may_lack(f.wal, GROUP + 5));
        assert_false(wal_may_lack(f.wal, GROUP + 1));
        write_one(GROUP + 1, 100);
    }
    wal_release(f.wal, GROUP, 3);
    read_check(3, 100);
}

/* Records at the end of a group have no neighbour; the group goes on behind what it may have lost. */
static void test_damage_at_a_groups_end(void **state)
{
    (void)state;
    write_one(GROUP, 100);
    write_one(GROUP, 100);
    write_one(GROUP + 1, 100);
    struct disk_testing_file *file = disk_testing_file(&f.disk, "log-0000000001");
    file->bad[2] = 1;
    log_reopen();
    assert_int_equal(f.condition, WAL_DAMAGED);
    assert_int_equal(f.gap_count, 1);
    assert_int_equal(f.gap_group, GROUP);
    assert_int_equal(f.gap_last, 2);
    assert_true(wal_next_position(f.wal, GROUP) > 2);
    uint64_t next = wal_next_position(f.wal, GROUP);
    write_one(GROUP, 100);
    log_reopen();
    assert_int_equal(f.gap_last, 2);
    assert_int_equal(f.found_last, next);
}

/* The second of three writes is lost by a crash: the third, which reached the disk, must not come to life. */
static void test_a_torn_tail_is_cut_and_stays_cut(void **state)
{
    (void)state;
    complete_all();
    write_one(GROUP, 100);
    f.disk.completes_later = true;
    write_one(GROUP, 100);
    write_one(GROUP, 200);
    complete(1);
    f.disk.pending_count = 0;
    f.disk.completes_later = false;
    log_reopen();
    assert_int_equal(f.condition, WAL_CLEAN);
    assert_int_equal(f.found_count, 1);
    assert_int_equal(wal_next_position(f.wal, GROUP), 2);
    assert_int_equal(wal_counters(f.wal)->torn_bytes_cut, 2 * 4096);
    write_one(GROUP, 300);
    log_reopen();
    assert_int_equal(f.condition, WAL_CLEAN);
    assert_int_equal(f.found_count, 2);
    read_check(2, 300);
}

static void write_three(size_t last)
{
    assert_int_equal(append(GROUP, 50), OK);
    assert_int_equal(append(GROUP, 60), OK);
    write_one(GROUP, last);
}

/* One block, written by a life whose write was torn at its beginning, and by the next life, whose write is torn in the
 * middle: the two halves fit together, and are still two writes. */
static void test_the_end_of_a_torn_write_does_not_follow_another_life(void **state)
{
    (void)state;
    static uint8_t older[4096];
    enum { RECORD_1 = (HEADER_SIZE + 50 + 7) / 8 * 8, RECORD_2 = (HEADER_SIZE + 60 + 7) / 8 * 8 };
    const size_t block = 2 * 4096, torn_at = HEADER_SIZE + RECORD_1 + RECORD_2;
    complete_all();
    write_one(GROUP, 100);
    write_three(80);
    struct disk_testing_file *file = disk_testing_file(&f.disk, "log-0000000001");
    memcpy(older, file->seen + block, sizeof older);
    memset(file->seen + block, 0, HEADER_SIZE); /* the mark is torn, so nothing of it is found */
    memset(file->stable + block, 0, HEADER_SIZE);
    f.options.incarnation = 2;
    log_reopen();
    assert_int_equal(f.found_count, 1);
    complete_all();
    write_three(70);
    memcpy(file->seen + block + torn_at, older + torn_at, sizeof older - torn_at);
    memcpy(file->stable + block + torn_at, older + torn_at, sizeof older - torn_at);
    for (uint64_t life = 3; life < 6; life++) { /* it stays there, and nobody takes it */
        f.options.incarnation = life;
        log_reopen();
        assert_int_equal(f.condition, WAL_CLEAN);
        assert_int_equal(f.found_count, life);
        assert_int_equal(wal_next_position(f.wal, GROUP), life + 1);
        read_check(3, 60);
        write_one(GROUP, 90);
    }
    read_check(4, 90);
}

static void test_memory_that_runs_out_is_an_error(void **state)
{
    (void)state;
    fill(GROUP, 40);
    wal_close(f.wal);
    f.wal = NULL;
    static uint8_t memory[1 << 20] __attribute__((aligned(16)));
    for (size_t size = 8192; size <= sizeof memory; size += 6000) {
        struct heap *heap = heap_init(memory, size);
        struct wal *wal;
        int result = wal_open(&wal, heap, &f.disk.door, &f.options, &f.condition, found, &f, f.why, sizeof f.why);
        if (result == OK)
            wal_close(wal);
        else
            assert_int_equal(result, ERROR_NO_MEMORY);
        assert_int_equal(heap_used(heap), 0);
        assert_true(result == OK || size < 600000);
    }
    assert_int_equal(log_open(), OK);
    assert_int_equal(f.condition, WAL_CLEAN);
    assert_int_equal(wal_next_position(f.wal, GROUP), 41);
}

static void test_the_declared_heap_is_enough(void **state)
{
    (void)state;
    wal_close(f.wal);
    f.wal = NULL;
    size_t size = wal_heap_size(&f.options);
    struct heap *heap = heap_create_system(size);
    struct wal *wal;
    assert_int_equal(wal_open(&wal, heap, &f.disk.door, &f.options, &f.condition, found, &f, f.why, sizeof f.why), OK);
    for (int i = 0; i < 10000; i++) {
        uint64_t position;
        assert_int_equal(wal_append(wal, GROUP, 1, 2, span_of(bytes, 100), span_of(NULL, 0), &position), OK);
        if (i % 50 == 0)
            assert_int_equal(wal_write(wal), 1);
    }
    wal_close(wal);
    heap_destroy_system(heap);
}

static void test_rooms_of_the_disk_count(void **state)
{
    (void)state;
    assert_int_equal(wal_room(f.wal), INT64_MAX);
    f.disk.capacity = disk_testing_bytes(&f.disk) + 2 * SEGMENT + 5000;
    /* The current segment and a spare, each less its head; and two more; less the reserve and what is under way. */
    assert_int_equal(wal_room(f.wal), 4 * (SEGMENT - 4096) - 8192 - SEGMENT / 4);
}

/* A group that is gone for ever makes room for another one, once nothing of it is under way, and keeps no segment. */
static void test_forgotten_groups_make_room(void **state)
{
    (void)state;
    for (uint32_t group = 1; group <= 8; group++)
        assert_int_equal(append(group, 100), OK);
    assert_int_equal(append(9, 100), ERROR_TOO_LARGE);
    wal_forget(f.wal, 3); /* its record is not written yet */
    assert_int_equal(append(9, 100), ERROR_TOO_LARGE);
    assert_int_equal(wal_write(f.wal), 1);
    assert_int_equal(append(9, 100), OK);
    assert_int_equal(wal_next_position(f.wal, 3), 1);
    assert_int_equal(wal_next_position(f.wal, 4), 2);
    wal_forget(f.wal, 3); /* twice, and one that never was, is harmless */
    wal_forget(f.wal, 77);
    for (int i = 0; i < 200; i++) { /* others come and go in its place */
        wal_forget(f.wal, 9 + (uint32_t)i);
        assert_int_equal(wal_write(f.wal), 1);
        assert_int_equal(append(10 + (uint32_t)i, 5000), OK);
    }
    assert_true(wal_counters(f.wal)->segments <= 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_positions_rise_by_one_for_each_group),
        TEST(test_one_write_takes_everything_appended),
        TEST(test_completions_in_any_order_store_the_contiguous_prefix),
        TEST(test_a_block_is_never_written_twice),
        TEST(test_a_write_crosses_no_segment),
        TEST(test_a_record_larger_than_a_segment),
        TEST(test_the_ablation_reports_before_the_write),
        TEST(test_more_groups_than_declared_are_refused),
        TEST(test_reads_come_from_the_image_and_then_from_the_disk),
        TEST(test_released_segments_are_recycled),
        TEST(test_a_quiet_group_pins_only_its_own_segment),
        TEST(test_positions_can_be_set_when_a_member_starts_anew),
        TEST(test_a_full_disk_keeps_the_reserve_for_small_records),
        TEST(test_a_full_disk_is_tried_again),
        TEST(test_a_new_log_on_a_full_disk_is_refused),
        TEST(test_a_failed_write_is_final),
        TEST(test_an_inline_failure_is_told_by_the_write),
        TEST(test_others_logs_are_refused),
        TEST(test_other_formats_are_refused),
        TEST(test_damage_is_told_as_a_gap),
        TEST(test_damage_at_a_groups_end),
        TEST(test_a_torn_tail_is_cut_and_stays_cut),
        TEST(test_the_end_of_a_torn_write_does_not_follow_another_life),
        TEST(test_memory_that_runs_out_is_an_error),
        TEST(test_the_declared_heap_is_enough),
        TEST(test_rooms_of_the_disk_count),
        TEST(test_forgotten_groups_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
