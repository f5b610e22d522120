/* Three nodes under Raft with the directory of groups, and whatever may happen: groups made and dropped, writes to all
 * of them, crashes at any write of the disk. The reference is a list: each write has a key of its own, and one that was
 * acknowledged must be there at the end on every member, if its group still is; all nodes must agree on the groups. */
#include "node/node_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/random.h"
#include "base/test_seed.h"
#include "base/time.h"
#include "contract/command.h"
#include "protocol/registry.h"
#include "service/commands.h"
#include "service/directory/kv_groups.h"

enum { STEPS = 120, WRITES_MAX = 512, RUNS = 12 };

struct written {
    uint32_t machine, group;
    uint64_t cookie;
};

struct run {
    struct bench *bench;
    struct random random;
    struct written writes[WRITES_MAX];
    uint32_t write_count;
    uint64_t next_cookie;
    uint32_t crashes, dropped_hosted;
};

static uint32_t below(struct run *run, uint32_t bound) { return (uint32_t)random_below(&run->random, bound); }

static void commit(struct run *run, struct machine *machine, uint32_t group, uint16_t op, const struct span *words,
                   uint32_t count)
{
    if (!node_request_room(machine->node, group, false)) return;
    struct buffer *out = node_request_begin(machine->node, group, false);
    size_t at = command_begin(out, op, 0, count);
    for (uint32_t i = 0; i < count; i++) command_argument(out, words[i]);
    command_end(out, at);
    node_request_commit(machine->node, group, false, run->next_cookie++);
}

/* Of three names; members 1 to 3, or two of them. */
static void create_one(struct run *run, struct machine *machine)
{
    static const char *const names[] = {"a", "b", "c"}, *const prefixes[] = {"a:", "b:", "c:"};
    static const uint32_t members[][3] = {{1, 2, 3}, {1, 2, 0}, {2, 3, 0}, {1, 3, 0}};
    uint32_t which = below(run, 3);
    const uint32_t *list = members[below(run, 4)];
    uint8_t numbers[4][4] = {{0}};
    struct span words[8] = {span_string(names[which]), span_string("raft"), span_string("kv"),
                            span_string(prefixes[which]), span_of(numbers[0], 4)};
    uint32_t count = 5;
    for (uint32_t i = 0; i < 3 && list[i] != 0; i++) {
        store_u32(numbers[1 + i], list[i]);
        words[count++] = span_of(numbers[1 + i], 4);
    }
    store_u32(numbers[0], (count - 6) / 2);
    commit(run, machine, 0, OP_GROUP_CREATE, words, count);
}

static void drop_one(struct run *run, struct machine *machine)
{
    static const char *const names[] = {"a", "b", "c"};
    struct span word = span_string(names[below(run, 3)]);
    commit(run, machine, 0, OP_GROUP_DROP, &word, 1);
}

static void write_one(struct run *run, struct machine *machine)
{
    const struct directory *directory = node_directory(machine->node);
    if (run->write_count == WRITES_MAX) return;
    uint32_t place = below(run, directory->count + 1);
    uint32_t group = place == 0 ? 0 : directory->groups[place - 1].number;
    if (!node_hosts(machine->node, group) || !node_request_room(machine->node, group, false)) return;
    char key[32];
    snprintf(key, sizeof key, "key%u", run->write_count);
    run->writes[run->write_count++] = (struct written){machine->id, group, run->next_cookie};
    struct span words[] = {span_string(key), span_string(key)};
    commit(run, machine, group, OP_SET, words, 2);
}

static void connect_all(struct run *run, uint32_t id)
{
    for (uint32_t other = 1; other <= 3; other++)
        if (other != id && bench_machine(run->bench, other)->node != NULL) bench_connect(run->bench, other, id);
}

/* A few turns in which the disk completes some of what it is asked for, then the end. */
static void crash(struct run *run, struct machine *machine)
{
    machine->disk.completes_later = true;
    if (below(run, 2) == 0) drop_one(run, machine);
    if (below(run, 2) == 0) create_one(run, machine);
    for (uint32_t i = below(run, 12); i > 0; i--) {
        machine_turn(machine);
        (void)node_write(machine->node);
        for (uint32_t other = 1; other <= 3; other++)
            if (other != machine->id && bench_machine(run->bench, other)->node != NULL)
                (void)bench_carry(run->bench, machine->id, other), (void)bench_carry(run->bench, other, machine->id);
        if (machine->disk.pending_count == 0) continue;
        int status;
        uint64_t token = disk_testing_complete(&machine->disk, below(run, machine->disk.pending_count), &status);
        node_disk_complete(machine->node, token, status);
    }
    machine_crash(machine);
    machine->disk.completes_later = false;
    run->crashes++;
}

static void restart(struct run *run, struct machine *machine)
{
    if (machine_start(machine, false) < 0) fail_msg("node %u: %s", machine->id, machine->why);
    machine_settle(machine);
    connect_all(run, machine->id);
}

static void check_members(struct run *run)
{
    for (uint32_t id = 1; id <= 3; id++) {
        struct node *node = bench_machine(run->bench, id)->node;
        uint32_t group;
        if (node == NULL) continue;
        if (node_failure(node) != NULL) fail_msg("node %u: %s", id, node_failure(node));
        for (uint32_t place = 0; node_group_number(node, place, &group); place++) {
            const char *broken = protocol_find("raft")->check(node_member(node, group));
            if (broken != NULL) fail_msg("node %u, group %u: %s", id, group, broken);
        }
    }
}

static void step(struct run *run)
{
    struct machine *machine = bench_machine(run->bench, 1 + below(run, 3));
    uint32_t what = below(run, 20);
    if (machine->node == NULL) {
        restart(run, machine);
    } else if (what < 3) {
        create_one(run, machine);
    } else if (what < 5) {
        drop_one(run, machine);
    } else if (what < 18) {
        for (int i = 0; i < 3; i++) write_one(run, machine);
    } else {
        uint32_t up = 0;
        for (uint32_t id = 1; id <= 3; id++) up += bench_machine(run->bench, id)->node != NULL;
        if (up == 3) crash(run, machine);
    }
    bench_advance(run->bench, (int64_t)(1 + below(run, 150)) * NS_PER_MS);
    check_members(run);
}

static bool has_key(struct machine *machine, uint32_t group, uint32_t place)
{
    struct buffer command, reply;
    buffer_init(&command, machine->heap);
    buffer_init(&reply, machine->heap);
    char key[32];
    snprintf(key, sizeof key, "key%u", place);
    size_t at = command_begin(&command, OP_GET, 0, 1);
    command_argument(&command, span_string(key));
    command_end(&command, at);
    bool good = node_read_local(machine->node, group, buffer_span(&command), &reply) && reply.size > 0 &&
                reply.data[0] == '$' && reply.data[1] != '-';
    buffer_free(&command);
    buffer_free(&reply);
    return good;
}

static void check_end(struct run *run, uint32_t *acknowledged)
{
    uint8_t first[DIRECTORY_BYTES_MAX], other[DIRECTORY_BYTES_MAX];
    const struct directory *directory = node_directory(bench_machine(run->bench, 1)->node);
    size_t size = directory_encode(directory, first);
    for (uint32_t id = 1; id <= 3; id++) {
        struct machine *machine = bench_machine(run->bench, id);
        assert_int_equal(directory_encode(node_directory(machine->node), other), size);
        assert_memory_equal(first, other, size);
        for (uint32_t number = 1; number < directory->next_number; number++) {
            const struct directory_group *group = directory_find_number(directory, number);
            bool member = group != NULL && directory_has_member(group, id);
            assert_int_equal(node_hosts(machine->node, number), member);
            char prefix[32];
            snprintf(prefix, sizeof prefix, "checkpoint-%u-", number);
            for (uint32_t i = 0; !member && i < DISK_TESTING_FILES_MAX; i++)
                assert_false(machine->disk.files[i].used &&
                             strncmp(machine->disk.files[i].name, prefix, strlen(prefix)) == 0);
        }
    }
    for (uint32_t i = 0; i < run->write_count; i++) {
        const struct written *written = &run->writes[i];
        const struct bench_answer *answer =
            machine_answer(bench_machine(run->bench, written->machine), written->cookie);
        if (answer == NULL || answer->kind != ANSWER_VALUE || answer->text[0] != '+') continue;
        ++*acknowledged;
        for (uint32_t id = 1; id <= 3; id++) {
            struct machine *machine = bench_machine(run->bench, id);
            if (node_hosts(machine->node, written->group) && !has_key(machine, written->group, i))
                fail_msg("node %u lacks key%u of group %u", id, i, written->group);
        }
    }
}

static void one_run(uint64_t seed, uint32_t *acknowledged, uint32_t *groups, uint32_t *crashes)
{
    struct run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    run->next_cookie = 1;
    random_seed(&run->random, seed);
    run->bench = bench_create(3, protocol_find("raft"), &kv_groups_service);
    for (uint32_t id = 1; id <= 3; id++) {
        struct machine *machine = bench_machine(run->bench, id);
        machine->spec.group = 0;
        machine->spec.tuning.log_entries_max = 256;
        machine->spec.tuning.checkpoint_log_bytes = 2048;
        machine->options.groups_max = 3;
        machine->options.seed = seed * 100 + id * 30;
        assert_int_equal(machine_start(machine, true), 0);
    }
    for (uint32_t id = 2; id <= 3; id++)
        for (uint32_t other = 1; other < id; other++) bench_connect(run->bench, other, id);
    bench_advance(run->bench, NS_PER_S);
    for (int i = 0; i < STEPS; i++) step(run);
    for (uint32_t id = 1; id <= 3; id++)
        if (bench_machine(run->bench, id)->node == NULL) restart(run, bench_machine(run->bench, id));
    bench_advance(run->bench, 8 * NS_PER_S);
    check_members(run);
    check_end(run, acknowledged);
    *groups += node_directory(bench_machine(run->bench, 1)->node)->next_number - 1;
    *crashes += run->crashes;
    bench_free(run->bench);
    free(run);
}

static void groups_agree_and_keep_what_they_acknowledged(void **state)
{
    (void)state;
    uint64_t seed = test_seed("node_groups_random_test");
    uint32_t acknowledged = 0, groups = 0, crashes = 0;
    for (uint64_t i = 0; i < RUNS; i++) {
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        one_run(seed + i, &acknowledged, &groups, &crashes);
    }
    print_message("%u acknowledged writes, %u groups, %u crashes\n", acknowledged, groups, crashes);
    assert_true(acknowledged > RUNS * 20 && groups > RUNS * 2 && crashes > RUNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(groups_agree_and_keep_what_they_acknowledged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
