/* A client's node learns the groups of the members' directory. Nodes 1 and 2 are members of default, which runs the real
 * service of the directory over the puppet, so a test changes it at each of them; node 3 is a client with the real voter
 * as its core. The groups that are made run Raft. */
#include "node/node_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/time.h"
#include "protocol/replica/voter.h"
#include "service/commands.h"
#include "service/directory/kv_groups.h"
#include "service/none/none.h"

enum { MEMBERS = 2, CLIENT = 3 };

static const uint32_t clients[] = {CLIENT};

static struct machine *client_of(struct bench *bench) { return bench_machine(bench, CLIENT); }

static int set_up(void **state)
{
    struct bench *bench = bench_create(CLIENT, &puppet_protocol, &kv_groups_service);
    for (uint32_t id = 1; id <= CLIENT; id++) {
        struct machine *machine = bench_machine(bench, id);
        machine->spec.group = 0;
        machine->spec.name = "default";
        machine->spec.member_count = MEMBERS;
        machine->spec.k = 0;
        machine->spec.tuning.log_entries_max = 256;
        machine->options.groups_max = 3;
        machine->options.seed = 1000 * id;
        machine->options.working_bytes = (size_t)256 << 20;
        if (id == CLIENT) {
            machine->spec.served_by = &puppet_protocol;
            machine->spec.protocol = &voter_protocol;
            machine->spec.service = &none_service;
            machine->spec.tuning.service_heap_bytes = NONE_HEAP_SIZE;
        } else {
            machine->peers[0] = MEMBERS + 1 - id;
            machine->options.peer_count = MEMBERS - 1;
            machine->options.clients = clients;
            machine->options.client_count = 1;
        }
        if (machine_start(machine, true) < 0) fail_msg("%s", machine->why);
    }
    bench_connect(bench, 1, 2);
    bench_connect(bench, 1, CLIENT);
    bench_connect(bench, 2, CLIENT);
    bench_settle(bench);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    bench_free(*state);
    return 0;
}

static uint64_t next_cookie = 1;

static uint64_t ask(struct machine *machine, uint32_t group, bool read, uint16_t op, const struct span *words,
                    uint32_t count)
{
    struct buffer *out = node_request_begin(machine->node, group, read);
    size_t at = command_begin(out, op, 0, count);
    for (uint32_t i = 0; i < count; i++) command_argument(out, words[i]);
    command_end(out, at);
    node_request_commit(machine->node, group, read, next_cookie);
    return next_cookie++;
}

/* Both members' directories, which the puppets keep each for itself. */
static void create_group_of(struct bench *bench, const char *name, const char *protocol, const char *prefix)
{
    uint8_t numbers[3][4];
    for (uint32_t i = 0; i < 3; i++) store_u32(numbers[i], i);
    struct span words[] = {span_string(name), span_string(protocol), span_string("kv"), span_string(prefix),
                           span_of(numbers[0], 4), span_of(numbers[1], 4), span_of(numbers[2], 4)};
    for (uint32_t id = 1; id <= MEMBERS; id++) (void)ask(bench_machine(bench, id), 0, false, OP_GROUP_CREATE, words, 7);
    bench_settle(bench);
}

static void create_group(struct bench *bench, const char *name, const char *prefix)
{
    create_group_of(bench, name, "raft", prefix);
}

static void drop_group(struct bench *bench, const char *name)
{
    struct span word = span_string(name);
    for (uint32_t id = 1; id <= MEMBERS; id++) (void)ask(bench_machine(bench, id), 0, false, OP_GROUP_DROP, &word, 1);
    bench_settle(bench);
}

static void check(struct bench *bench, uint64_t cookie, const char *text)
{
    const struct bench_answer *answer = machine_answer(client_of(bench), cookie);
    assert_non_null(answer);
    assert_int_equal(answer->kind, ANSWER_VALUE);
    assert_string_equal(answer->text, text);
}

static void groups_are_followed(void **state)
{
    struct bench *bench = *state;
    bench_advance(bench, 2 * NS_PER_S);
    assert_int_equal(node_directory(client_of(bench)->node)->version, 0);
    create_group(bench, "a", "a:");
    assert_false(node_hosts(client_of(bench)->node, 1));
    bench_advance(bench, 2 * NS_PER_S);
    assert_true(node_hosts(client_of(bench)->node, 1));
    assert_int_equal(node_directory(client_of(bench)->node)->count, 1);
    struct node_group_status status;
    assert_true(node_group_status(client_of(bench)->node, 1, &status));
    assert_ptr_equal(status.spec->protocol, &voter_protocol);
    assert_string_equal(status.spec->served_by->name, "raft");
    assert_ptr_equal(status.spec->service, &none_service);
    assert_int_equal(status.spec->member_count, MEMBERS);
    assert_int_equal(status.spec->self, CLIENT);

    drop_group(bench, "a");
    bench_advance(bench, 2 * NS_PER_S);
    assert_false(node_hosts(client_of(bench)->node, 1));
    assert_int_equal(node_directory(client_of(bench)->node)->count, 0);
    assert_int_equal(client_of(bench)->answer_count, 0); /* its own questions are not the front's */
}

static void requests_reach_the_group(void **state)
{
    struct bench *bench = *state;
    create_group(bench, "a", "a:");
    bench_advance(bench, 3 * NS_PER_S);
    struct span words[] = {span_string("a:x"), span_string("7")};
    uint64_t set = ask(client_of(bench), 1, false, OP_SET, words, 2);
    bench_advance(bench, NS_PER_S);
    uint64_t get = ask(client_of(bench), 1, true, OP_GET, words, 1);
    bench_advance(bench, NS_PER_S);
    check(bench, set, "+OK\r\n");
    check(bench, get, "$1\r\n7\r\n");
}

static void a_hint_hurries(void **state)
{
    struct bench *bench = *state;
    bench_advance(bench, 100 * NS_PER_MS);
    create_group(bench, "a", "a:");
    struct span words[] = {span_string("a:x"), span_string("7")};
    uint64_t set = ask(client_of(bench), 0, false, OP_SET, words, 2);
    bench_advance(bench, 50 * NS_PER_MS);
    const struct bench_answer *answer = machine_answer(client_of(bench), set);
    assert_non_null(answer);
    assert_non_null(strstr(answer->text, "-TRYAGAIN"));
    assert_true(node_hosts(client_of(bench)->node, 1));
}

static void a_restart_learns_anew(void **state)
{
    struct bench *bench = *state;
    create_group(bench, "a", "a:");
    bench_advance(bench, 2 * NS_PER_S);
    machine_stop(client_of(bench));
    bench->now_ns += NS_PER_S;
    assert_int_equal(machine_start(client_of(bench), false), 0);
    assert_false(node_hosts(client_of(bench)->node, 1));
    bench_connect(bench, 1, CLIENT);
    bench_connect(bench, 2, CLIENT);
    bench_advance(bench, 2 * NS_PER_S);
    assert_true(node_hosts(client_of(bench)->node, 1));
}

/* Nobody answers: it asks on, and does not spin. */
static void silence_is_waited_for(void **state)
{
    struct bench *bench = *state;
    node_peer_lost(client_of(bench)->node, 1);
    node_peer_lost(client_of(bench)->node, 2);
    bench_advance(bench, NS_PER_S);
    uint64_t turns = node_counters(client_of(bench)->node)->turns;
    bench_advance(bench, 20 * NS_PER_S);
    assert_true(node_counters(client_of(bench)->node)->turns - turns < 2000);
    create_group(bench, "a", "a:");
    bench_connect(bench, 1, CLIENT);
    bench_connect(bench, 2, CLIENT);
    bench_advance(bench, 10 * NS_PER_S);
    assert_true(node_hosts(client_of(bench)->node, 1));
}

/* Of a group whose answers cannot be compared it is no client, and does not try again and again to become one. */
static void what_cannot_be_compared_is_not_asked(void **state)
{
    struct bench *bench = *state;
    create_group_of(bench, "a", "anti-entropy", "a:");
    create_group(bench, "b", "b:");
    bench_advance(bench, 2 * NS_PER_S);
    struct node *node = client_of(bench)->node;
    assert_int_equal(node_directory(node)->count, 2);
    assert_false(node_hosts(node, 1));
    assert_true(node_hosts(node, 2));
    client_of(bench)->spec.vote = MEMBERS + 1; /* more answers than there are members */
    create_group(bench, "c", "c:");
    bench_advance(bench, 2 * NS_PER_S);
    assert_int_equal(node_directory(node)->count, 3);
    assert_false(node_hosts(node, 3));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(groups_are_followed),
        TEST(requests_reach_the_group),
        TEST(a_hint_hurries),
        TEST(a_restart_learns_anew),
        TEST(silence_is_waited_for),
        TEST(what_cannot_be_compared_is_not_asked),
    };
    return cmocka_run_group_tests_name("node learn", tests, NULL, NULL);
}
