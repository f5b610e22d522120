/* The real disk, in a directory of its own below the working directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "host/real/disk.h"

enum { PAGE = DISK_ALIGNMENT, LARGE = 64 * 1024 };

struct fixture {
    uv_loop_t loop;
    struct real_disk *disk;
    struct disk *door;
    char path[64];
    uint8_t *memory; /* aligned, LARGE bytes */
    uint64_t tokens[16];
    int statuses[16];
    int completed;
};

static void completed(void *context, uint64_t token, int status)
{
    struct fixture *fixture = context;
    assert_in_range(fixture->completed, 0, 15);
    fixture->tokens[fixture->completed] = token;
    fixture->statuses[fixture->completed] = status;
    fixture->completed++;
}

static int open_disk(struct fixture *fixture, struct real_disk **out, size_t inline_bytes_max, char *why, size_t size)
{
    struct real_disk_options options = {
        .path = fixture->path,
        .inline_bytes_max = inline_bytes_max,
        .slow_ns = INT64_MAX,
        .complete = completed,
        .context = fixture,
    };
    return real_disk_open(out, &fixture->loop, &options, why, size);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char why[512] = "";
    strcpy(fixture->path, "disk-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    strcat(fixture->path, "/a/b");
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(open_disk(fixture, &fixture->disk, 32 * 1024, why, sizeof why), OK);
    fixture->door = real_disk_door(fixture->disk);
    assert_int_equal(posix_memalign((void **)&fixture->memory, PAGE, LARGE), 0);
    for (size_t i = 0; i < LARGE; i++)
        fixture->memory[i] = (uint8_t)(i * 7 + i / 251);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    real_disk_close(fixture->disk);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    real_disk_free(fixture->disk);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    fixture->path[strlen("disk-test-XXXXXX")] = '\0';
    snprintf(command, sizeof command, "rm -rf ./%s", fixture->path);
    int result = system(command);
    free(fixture->memory);
    free(fixture);
    return result;
}

static void wait_for(struct fixture *fixture, int count)
{
    while (fixture->completed < count)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    assert_int_equal(fixture->completed, count);
}

static int submit(struct fixture *fixture, struct disk_request request)
{
    return fixture->door->submit(fixture->door, &request);
}

static void allocate(struct fixture *fixture, const char *name, uint64_t size)
{
    int before = fixture->completed;
    struct disk_request request = {.op = DISK_ALLOCATE, .name = name, .size = size, .token = 99};
    assert_int_equal(submit(fixture, request), DISK_PENDING);
    wait_for(fixture, before + 1);
    assert_int_equal(fixture->statuses[before], OK);
    assert_int_equal(fixture->tokens[before], 99);
}

static void an_allocated_file_is_zero_from_end_to_end(void **state)
{
    struct fixture *fixture = *state;
    struct disk *door = fixture->door;
    uint32_t handle;
    uint64_t size;
    allocate(fixture, "log-1", 3 * LARGE);
    assert_int_equal(door->open(door, "log-1", false, &handle), OK);
    assert_int_equal(door->size(door, handle, &size), OK);
    assert_int_equal(size, 3 * LARGE);
    for (uint64_t at = 0; at < size; at += LARGE) {
        assert_int_equal(door->read(door, handle, at, fixture->memory, LARGE), OK);
        for (size_t i = 0; i < LARGE; i++)
            assert_int_equal(fixture->memory[i], 0);
    }
    assert_int_equal(door->read(door, handle, size, fixture->memory, PAGE), ERROR_INVALID);
    door->close(door, handle);
}

static void check_written(struct fixture *fixture, uint32_t handle, uint64_t offset, size_t size)
{
    uint8_t *back = NULL;
    assert_int_equal(posix_memalign((void **)&back, PAGE, LARGE), 0);
    assert_int_equal(fixture->door->read(fixture->door, handle, offset, back, size), OK);
    assert_memory_equal(back, fixture->memory, size);
    free(back);
}

static void a_small_durable_write_is_done_at_once(void **state)
{
    struct fixture *fixture = *state;
    uint32_t handle;
    allocate(fixture, "log-1", LARGE);
    assert_int_equal(fixture->door->open(fixture->door, "log-1", false, &handle), OK);
    struct disk_request request = {
        .op = DISK_WRITE_DURABLE, .handle = handle, .offset = PAGE, .data = fixture->memory, .size = PAGE};
    assert_int_equal(submit(fixture, request), DISK_DONE);
    assert_int_equal(fixture->completed, 1); /* the allocation alone */
    assert_true(real_disk_counters(fixture->disk)->average_ns > 0);
    check_written(fixture, handle, PAGE, PAGE);
    fixture->door->close(fixture->door, handle);
}

/* Nothing overtakes what the thread has, however small. */
static void a_large_durable_write_goes_to_the_thread_and_is_not_overtaken(void **state)
{
    struct fixture *fixture = *state;
    uint32_t handle;
    allocate(fixture, "log-1", 2 * LARGE);
    assert_int_equal(fixture->door->open(fixture->door, "log-1", false, &handle), OK);
    struct disk_request request = {
        .op = DISK_WRITE_DURABLE, .handle = handle, .data = fixture->memory, .size = LARGE, .token = 1};
    assert_int_equal(submit(fixture, request), DISK_PENDING);
    request = (struct disk_request){.op = DISK_WRITE_DURABLE,
                                    .handle = handle,
                                    .offset = LARGE,
                                    .data = fixture->memory,
                                    .size = PAGE,
                                    .token = 2};
    assert_int_equal(submit(fixture, request), DISK_PENDING);
    /* Closed while both are under way: the descriptor must stay until they are done. */
    fixture->door->close(fixture->door, handle);
    wait_for(fixture, 3);
    assert_int_equal(fixture->tokens[1], 1);
    assert_int_equal(fixture->tokens[2], 2);
    assert_int_equal(fixture->statuses[1], OK);
    assert_int_equal(fixture->statuses[2], OK);
    assert_int_equal(fixture->door->open(fixture->door, "log-1", false, &handle), OK);
    check_written(fixture, handle, 0, LARGE);
    check_written(fixture, handle, LARGE, PAGE);
    fixture->door->close(fixture->door, handle);
}

struct names {
    char text[256];
};

static void visit(void *context, const char *name)
{
    struct names *names = context;
    strcat(names->text, name);
    strcat(names->text, " ");
}

static void files_are_listed_renamed_and_removed(void **state)
{
    struct fixture *fixture = *state;
    struct disk *door = fixture->door;
    uint32_t handle;
    static const char *const made[] = {"c", "a", "log-2"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(door->open(door, made[i], true, &handle), OK);
        door->close(door, handle);
    }
    assert_int_equal(submit(fixture, (struct disk_request){.op = DISK_RENAME, .name = "a", .name_to = "d"}), 0);
    assert_int_equal(submit(fixture, (struct disk_request){.op = DISK_REMOVE, .name = "c"}), DISK_PENDING);
    assert_int_equal(submit(fixture, (struct disk_request){.op = DISK_REMOVE, .name = "absent"}), DISK_PENDING);
    assert_int_equal(submit(fixture, (struct disk_request){.op = DISK_RENAME, .name = "absent", .name_to = "x"}), 0);
    wait_for(fixture, 4);
    assert_int_equal(fixture->statuses[0], OK);
    assert_int_equal(fixture->statuses[1], OK);
    assert_int_equal(fixture->statuses[2], OK);
    assert_int_equal(fixture->statuses[3], ERROR_NOT_FOUND);
    struct names names = {.text = ""};
    assert_int_equal(door->list(door, visit, &names), OK);
    assert_string_equal(names.text, "d log-2 ");
    assert_int_equal(door->open(door, "a", false, &handle), ERROR_NOT_FOUND);
    assert_int_equal(door->open(door, "../a", true, &handle), ERROR_INVALID);
    assert_true(door->room(door) > 0);
}

static void a_directory_has_one_user(void **state)
{
    struct fixture *fixture = *state;
    struct real_disk *second = NULL;
    char why[512] = "", process[32];
    assert_int_equal(open_disk(fixture, &second, 0, why, sizeof why), ERROR_BUSY);
    snprintf(process, sizeof process, "process %ld", (long)getpid());
    assert_non_null(strstr(why, process));
    assert_non_null(strstr(why, fixture->path));
}

/* What was submitted and never completed must neither run into freed memory nor be told. */
static void stopping_drops_what_waits(void **state)
{
    struct fixture *fixture = *state;
    struct disk_request request = {.op = DISK_ALLOCATE, .name = "log-9", .size = 16 << 20};
    for (int i = 0; i < 4; i++)
        assert_int_equal(submit(fixture, request), DISK_PENDING);
    assert_int_equal(real_disk_pending(fixture->disk), 4);
    real_disk_stop(fixture->disk);
    assert_int_equal(real_disk_pending(fixture->disk), 0);
    assert_int_equal(fixture->completed, 0);
}

#define DISK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(an_allocated_file_is_zero_from_end_to_end),
        DISK_TEST(a_small_durable_write_is_done_at_once),
        DISK_TEST(a_large_durable_write_goes_to_the_thread_and_is_not_overtaken),
        DISK_TEST(files_are_listed_renamed_and_removed),
        DISK_TEST(a_directory_has_one_user),
        DISK_TEST(stopping_drops_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
