/* Groups that come and go: one node and three, with restarts and crashes at each write of the disk.
 *
 * The first group runs the real service of the directory over the puppet, a protocol that stores and delivers on each
 * node for itself; so a test says on each node what the directory is, and the groups that are made run Raft. */
#include "node/node_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/time.h"
#include "contract/command.h"
#include "service/commands.h"
#include "service/directory/kv_groups.h"
#include "storage/note.h"

static uint64_t next_cookie = 1;

static struct bench *begin(uint32_t nodes)
{
    struct bench *bench = bench_create(nodes, &puppet_protocol, &kv_groups_service);
    for (uint32_t id = 1; id <= nodes; id++) {
        struct machine *machine = bench_machine(bench, id);
        machine->spec.group = 0;
        machine->spec.name = "default";
        machine->spec.tuning.log_entries_max = 256;
        machine->options.groups_max = 3;
        machine->options.seed = 1000 * id;
        machine->options.wal_segment_bytes = 1 << 20;
    }
    return bench;
}

static void commit(struct machine *machine, uint32_t group, uint16_t op, const struct span *words, uint32_t count,
                   uint64_t cookie)
{
    struct buffer *out = node_request_begin(machine->node, group, false);
    size_t at = command_begin(out, op, 0, count);
    for (uint32_t i = 0; i < count; i++) command_argument(out, words[i]);
    command_end(out, at);
    node_request_commit(machine->node, group, false, cookie);
}

/* Tells this node's directory of a group of the first `members` nodes; `settles`: until all is done. */
static void create_begin(struct machine *machine, const char *name, const char *prefix, uint32_t members)
{
    uint8_t numbers[4][4];
    struct span words[9] = {span_string(name), span_string("raft"), span_string("kv"), span_string(prefix)};
    store_u32(numbers[0], (members - 1) / 2);
    for (uint32_t i = 0; i < members; i++) store_u32(numbers[1 + i], i + 1);
    for (uint32_t i = 0; i <= members; i++) words[4 + i] = span_of(numbers[i], 4);
    commit(machine, 0, OP_GROUP_CREATE, words, 5 + members, next_cookie++);
}

static void drop_begin(struct machine *machine, const char *name)
{
    struct span word = span_string(name);
    commit(machine, 0, OP_GROUP_DROP, &word, 1, next_cookie++);
}

static void create_group(struct machine *machine, const char *name, const char *prefix, uint32_t members)
{
    create_begin(machine, name, prefix, members);
    machine_settle(machine);
}

static void drop_group(struct machine *machine, const char *name)
{
    drop_begin(machine, name);
    machine_settle(machine);
}

static uint64_t set_begin(struct machine *machine, uint32_t group, const char *key, const char *value)
{
    struct span words[] = {span_string(key), span_string(value)};
    commit(machine, group, OP_SET, words, 2, next_cookie);
    return next_cookie++;
}

static const char *get(struct machine *machine, uint32_t group, const char *key)
{
    static char text[64];
    struct buffer command, reply;
    buffer_init(&command, machine->heap);
    buffer_init(&reply, machine->heap);
    size_t at = command_begin(&command, OP_GET, 0, 1);
    command_argument(&command, span_string(key));
    command_end(&command, at);
    assert_true(node_read_local(machine->node, group, buffer_span(&command), &reply));
    snprintf(text, sizeof text, "%.*s", (int)reply.size, (const char *)reply.data);
    buffer_free(&command);
    buffer_free(&reply);
    return text;
}

static enum answer_kind kind_of(const struct machine *machine, uint64_t cookie)
{
    const struct bench_answer *answer = machine_answer(machine, cookie);
    assert_non_null(answer);
    return answer->kind;
}

static void start(struct machine *machine, bool init)
{
    if (machine_start(machine, init) < 0) fail_msg("%s", machine->why);
    machine_settle(machine);
}

/* ---- one node ---- */

static void a_group_is_made_and_dropped(void **state)
{
    (void)state;
    struct bench *bench = begin(1);
    struct machine *machine = bench_machine(bench, 1);
    start(machine, true);
    create_group(machine, "a", "a:", 1);
    create_group(machine, "b", "b:", 1);
    assert_true(node_hosts(machine->node, 1) && node_hosts(machine->node, 2) && !node_hosts(machine->node, 3));
    uint32_t number = 9;
    assert_true(node_group_number(machine->node, 2, &number));
    assert_int_equal(number, 2);
    bench_advance(bench, NS_PER_S);
    uint64_t first = set_begin(machine, 1, "a:x", "1"), second = set_begin(machine, 2, "b:x", "2");
    bench_advance(bench, NS_PER_S);
    assert_int_equal(kind_of(machine, first), ANSWER_VALUE);
    assert_int_equal(kind_of(machine, second), ANSWER_VALUE);
    assert_string_equal(get(machine, 1, "a:x"), "$1\r\n1\r\n");
    assert_string_equal(get(machine, 2, "a:x"), "_\r\n"); /* each has its own state */
    drop_group(machine, "a");
    assert_false(node_hosts(machine->node, 1));
    assert_true(node_hosts(machine->node, 2));
    assert_null(node_failure(machine->node));
    bench_free(bench);
}

static void requests_of_a_dropped_group_are_answered(void **state)
{
    (void)state;
    struct bench *bench = begin(3);
    struct machine *machine = bench_machine(bench, 1);
    start(machine, true);
    create_group(machine, "a", "a:", 3);
    /* Nobody orders, since the others are down: the write is with nobody. */
    uint64_t never = set_begin(machine, 1, "a:x", "1");
    node_request_count(machine->node, 1, 1, next_cookie);
    uint64_t count = next_cookie++;
    drop_group(machine, "a");
    assert_int_equal(kind_of(machine, never), ANSWER_REFUSED);
    assert_non_null(machine_answer(machine, count));
    create_group(machine, "b", "b:", 1);
    bench_advance(bench, NS_PER_S);
    machine->disk.completes_later = true; /* the write is on its way to the disk when the group goes */
    uint64_t unknown = set_begin(machine, 2, "b:x", "1");
    drop_begin(machine, "b");
    for (int i = 0; i < 20; i++) {
        machine_turn(machine);
        (void)node_write(machine->node);
        machine_disk(machine);
    }
    machine_settle(machine);
    const struct bench_answer *answer = machine_answer(machine, unknown);
    assert_non_null(answer); /* executed, or not known: never silence */
    assert_true(answer->kind == ANSWER_VALUE || answer->kind == ANSWER_INDETERMINATE);
    bench_free(bench);
}

static void groups_come_back_after_a_restart(void **state)
{
    (void)state;
    struct bench *bench = begin(1);
    struct machine *machine = bench_machine(bench, 1);
    start(machine, true);
    create_group(machine, "a", "a:", 1);
    create_group(machine, "b", "b:", 1);
    drop_group(machine, "a");
    bench_advance(bench, NS_PER_S);
    uint64_t cookie = set_begin(machine, 2, "b:x", "1");
    bench_advance(bench, NS_PER_S);
    assert_int_equal(kind_of(machine, cookie), ANSWER_VALUE);
    machine_crash(machine);
    puppet_updates_at_start = PUPPET_KEEP; /* so the directory of default, restored from nothing, stays behind */
    start(machine, false);
    assert_true(node_hosts(machine->node, 2) && !node_hosts(machine->node, 1));
    assert_int_equal(node_directory(machine->node)->version, 3);
    bench_advance(bench, 2 * NS_PER_S);
    assert_true(node_hosts(machine->node, 2)); /* a directory that is behind takes nothing away */
    assert_string_equal(get(machine, 2, "b:x"), "$1\r\n1\r\n");
    bench_free(bench);
}

/* Many groups, one after the other: numbers, memory and the log's table do not run out. */
static void groups_come_and_go(void **state)
{
    (void)state;
    struct bench *bench = begin(1);
    struct machine *machine = bench_machine(bench, 1);
    start(machine, true);
    size_t used = 0;
    for (uint32_t i = 1; i <= 40; i++) {
        create_group(machine, "a", "a:", 1);
        assert_true(node_hosts(machine->node, i));
        bench_advance(bench, NS_PER_S);
        uint64_t cookie = set_begin(machine, i, "a:x", "1");
        bench_advance(bench, NS_PER_S / 10);
        assert_int_equal(kind_of(machine, cookie), ANSWER_VALUE);
        drop_group(machine, "a");
        if (i == 10) used = heap_used(machine->heap);
    }
    assert_true(heap_used(machine->heap) <= used + 65536);
    assert_null(node_failure(machine->node));
    bench_free(bench);
}

/* ---- crashes ---- */

static uint32_t file_count(struct machine *machine, const char *prefix)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < DISK_TESTING_FILES_MAX; i++)
        count += machine->disk.files[i].used && strncmp(machine->disk.files[i].name, prefix, strlen(prefix)) == 0;
    return count;
}

/* Dies after so many completions of the disk while a group is made, another dropped, and both written to. Afterwards
 * the node must start, follow the directory to its end, and answer for what it had acknowledged. */
static bool crash_after(uint32_t completions, uint64_t seed)
{
    struct bench *bench = begin(1);
    struct machine *machine = bench_machine(bench, 1);
    disk_testing_free(&machine->disk);
    disk_testing_init(&machine->disk, machine->disk_heap, seed);
    start(machine, true);
    create_group(machine, "old", "o:", 1);
    create_group(machine, "kept", "k:", 1);
    bench_advance(bench, NS_PER_S);
    uint64_t kept = set_begin(machine, 2, "k:x", "1");
    bench_advance(bench, NS_PER_S / 10);
    assert_int_equal(kind_of(machine, kept), ANSWER_VALUE);
    machine->disk.completes_later = true;
    create_begin(machine, "new", "n:", 1);
    drop_begin(machine, "old");
    bool done = false;
    uint64_t written = 0;
    for (uint32_t i = 0; i < completions && !done; i++) {
        bench->now_ns += 20 * NS_PER_MS;
        machine_turn(machine);
        (void)node_write(machine->node);
        if (node_hosts(machine->node, 3) && written == 0) written = set_begin(machine, 3, "n:x", "7");
        int status;
        if (machine->disk.pending_count > 0) {
            uint64_t token = disk_testing_complete(&machine->disk, 0, &status);
            node_disk_complete(machine->node, token, status);
        }
        done = written != 0 && machine_answer(machine, written) != NULL;
    }
    bool acknowledged = written != 0 && machine_answer(machine, written) != NULL;
    machine_crash(machine);
    machine->disk.completes_later = false;
    start(machine, false);
    bench_advance(bench, 2 * NS_PER_S);
    assert_null(node_failure(machine->node));
    assert_true(node_hosts(machine->node, 2));
    assert_string_equal(get(machine, 2, "k:x"), "$1\r\n1\r\n");
    const struct directory *known = node_directory(machine->node);
    for (uint32_t number = 1; number <= 3; number++)
        assert_int_equal(node_hosts(machine->node, number), directory_find_number(known, number) != NULL);
    if (acknowledged) {
        assert_true(node_hosts(machine->node, 3) && !node_hosts(machine->node, 1));
        assert_string_equal(get(machine, 3, "n:x"), "$1\r\n7\r\n");
    }
    assert_int_equal(file_count(machine, "checkpoint-1-"), 0);
    bench_free(bench);
    return done;
}

static void a_crash_at_any_point_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    uint32_t completions = 0;
    while (!crash_after(completions, 100 + completions)) assert_true(++completions < 500);
    assert_true(completions > 3);
}

static void a_note_that_cannot_be_written_is_tried_again(void **state)
{
    (void)state;
    struct bench *bench = begin(1);
    struct machine *machine = bench_machine(bench, 1);
    start(machine, true);
    create_begin(machine, "a", "a:", 1);
    machine_turn(machine); /* handed in, stored, delivered; then the disk fails for the note only */
    while (machine->disk.pending_count == 0 && node_write(machine->node) == 1 &&
           kv_groups_directory(&kv_groups_service, node_service(machine->node, 0))->version == 0)
        machine_turn(machine);
    if (!node_hosts(machine->node, 1)) {
        machine->disk.fail_writes = ERROR_NO_SPACE;
        machine_turn(machine);
        assert_false(node_hosts(machine->node, 1));
        assert_int_equal(node_directory(machine->node)->version, 0);
        machine->disk.fail_writes = 0;
    }
    bench_advance(bench, 3 * NS_PER_S);
    assert_true(node_hosts(machine->node, 1));
    bench_free(bench);
}

static void a_lost_note_is_noticed(void **state)
{
    (void)state;
    struct bench *bench = begin(1);
    struct machine *machine = bench_machine(bench, 1);
    start(machine, true);
    create_group(machine, "a", "a:", 1);
    bench_advance(bench, NS_PER_S);
    machine_stop(machine);
    struct disk_testing_file *file = disk_testing_file(&machine->disk, "groups");
    assert_non_null(file);
    file->seen[40] ^= 1;
    assert_int_equal(machine_start(machine, false), ERROR_CORRUPT);
    assert_non_null(strstr(machine->why, "file groups is damaged"));
    struct disk_request remove = {.op = DISK_REMOVE, .name = "groups"};
    assert_int_equal(machine->disk.door.now(&machine->disk.door, &remove), OK);
    assert_int_equal(machine_start(machine, false), ERROR_CORRUPT);
    assert_non_null(strstr(machine->why, "file groups is missing"));
    bench_free(bench);
}

/* ---- three nodes ---- */

static void start_all(struct bench *bench)
{
    for (uint32_t id = 1; id <= 3; id++) start(bench_machine(bench, id), true);
    for (uint32_t a = 1; a <= 3; a++)
        for (uint32_t b = a + 1; b <= 3; b++) bench_connect(bench, a, b);
}

static uint32_t leader_of(struct bench *bench, uint32_t group)
{
    for (uint32_t id = 1; id <= 3; id++) {
        struct machine *machine = bench_machine(bench, id);
        struct node_group_status status;
        if (machine->node != NULL && node_group_status(machine->node, group, &status) && status.member.orderer == id)
            return id;
    }
    return 0;
}

static void three_nodes_share_groups(void **state)
{
    (void)state;
    struct bench *bench = begin(3);
    start_all(bench);
    for (uint32_t id = 1; id <= 3; id++) {
        create_group(bench_machine(bench, id), "all", "a:", 3);
        create_group(bench_machine(bench, id), "two", "t:", 2);
    }
    bench_advance(bench, 3 * NS_PER_S);
    assert_true(leader_of(bench, 1) != 0 && leader_of(bench, 2) != 0 && leader_of(bench, 2) != 3);
    assert_false(node_hosts(bench_machine(bench, 3)->node, 2));
    struct machine *first = bench_machine(bench, 1);
    uint64_t all = set_begin(bench_machine(bench, 3), 1, "a:x", "1"), two = set_begin(first, 2, "t:x", "2");
    bench_advance(bench, NS_PER_S);
    assert_int_equal(kind_of(bench_machine(bench, 3), all), ANSWER_VALUE);
    assert_int_equal(kind_of(first, two), ANSWER_VALUE);
    for (uint32_t id = 1; id <= 3; id++) assert_string_equal(get(bench_machine(bench, id), 1, "a:x"), "$1\r\n1\r\n");
    assert_string_equal(get(bench_machine(bench, 2), 2, "t:x"), "$1\r\n2\r\n");
    bench_free(bench);
}

/* A node that lost its disk may have voted in every group that it hears of: it must not count there before it is
 * filled. Were it told that it is new, it could give a second vote in a term. */
static void a_wiped_node_starts_amnesiac_in_old_groups(void **state)
{
    (void)state;
    struct bench *bench = begin(3);
    start_all(bench);
    for (uint32_t id = 1; id <= 3; id++) create_group(bench_machine(bench, id), "all", "a:", 3);
    bench_advance(bench, 3 * NS_PER_S);
    struct machine *wiped = bench_machine(bench, leader_of(bench, 1) == 3 ? 2 : 3);
    machine_stop(wiped);
    disk_testing_free(&wiped->disk);
    disk_testing_init(&wiped->disk, wiped->disk_heap, 5);
    start(wiped, false);
    create_group(wiped, "all", "a:", 3); /* it hears of the group again */
    struct node_group_status status;
    assert_true(node_group_status(wiped->node, 1, &status));
    assert_false(status.member.voter);
    struct puppet *puppet = node_member(wiped->node, 0);
    puppet->amnesiac = false; /* default is filled: from here on it knows what is new */
    machine_settle(wiped);
    create_group(wiped, "new", "n:", 3);
    assert_true(node_group_status(wiped->node, 2, &status));
    assert_true(status.member.voter);
    assert_true(node_group_status(wiped->node, 1, &status));
    assert_false(status.member.voter);
    machine_stop(wiped); /* and so after a further start, as long as it has nothing */
    start(wiped, false);
    assert_true(node_group_status(wiped->node, 1, &status));
    assert_false(status.member.voter);
    for (uint32_t id = 1; id <= 3; id++)
        if (id != wiped->id) bench_connect(bench, id, wiped->id);
    bench_advance(bench, 3 * NS_PER_S);
    assert_true(node_group_status(wiped->node, 1, &status));
    assert_true(status.member.voter);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_is_made_and_dropped),
        cmocka_unit_test(requests_of_a_dropped_group_are_answered),
        cmocka_unit_test(groups_come_back_after_a_restart),
        cmocka_unit_test(groups_come_and_go),
        cmocka_unit_test(a_crash_at_any_point_leaves_the_old_or_the_new),
        cmocka_unit_test(a_note_that_cannot_be_written_is_tried_again),
        cmocka_unit_test(a_lost_note_is_noticed),
        cmocka_unit_test(three_nodes_share_groups),
        cmocka_unit_test(a_wiped_node_starts_amnesiac_in_old_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
