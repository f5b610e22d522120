/* Clients of the directory: enrolled and expelled while the node runs, and after a restart. The first group runs the real
 * service of the directory over the puppet, as in node_groups_test. */
#include "node/node_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/time.h"
#include "service/commands.h"
#include "service/directory/kv_groups.h"

enum { CLIENT = 5, CALLS_MAX = 64 };

/* What the door of proofs was told. */
struct call {
    uint32_t client;
    bool removed;
    uint8_t first; /* byte of the key */
};

static struct call calls[CALLS_MAX];
static uint32_t call_count;

static void on_enrol(void *context, uint32_t client, const uint8_t *key)
{
    (void)context;
    assert_true(call_count < CALLS_MAX);
    calls[call_count++] = (struct call){client, key == NULL, key != NULL ? key[0] : 0};
}

static void check_call(uint32_t place, uint32_t client, bool removed, uint8_t first)
{
    assert_true(place < call_count);
    assert_int_equal(calls[place].client, client);
    assert_int_equal(calls[place].removed, removed);
    assert_int_equal(calls[place].first, first);
}

static int set_up(void **state)
{
    struct bench *bench = bench_create(2, &puppet_protocol, &kv_groups_service);
    struct machine *machine = bench_machine(bench, 1);
    machine->spec.group = 0;
    machine->spec.name = "default";
    machine->options.groups_max = 2;
    machine->options.proofs.enrol = on_enrol;
    *state = bench;
    call_count = 0;
    if (machine_start(machine, true) < 0) fail_msg("%s", machine->why);
    machine_settle(machine);
    return 0;
}

static int tear_down(void **state)
{
    bench_free(*state);
    return 0;
}

static void commit(struct machine *machine, uint16_t op, uint32_t client, const uint8_t *key)
{
    static uint64_t cookie = 1;
    uint8_t number[4];
    store_u32(number, client);
    struct buffer *out = node_request_begin(machine->node, 0, false);
    size_t at = command_begin(out, op, 0, key != NULL ? 2 : 1);
    command_argument(out, span_of(number, sizeof number));
    if (key != NULL) command_argument(out, span_of(key, DIRECTORY_KEY_SIZE));
    command_end(out, at);
    node_request_commit(machine->node, 0, false, cookie++);
    machine_settle(machine);
    assert_string_equal(machine->answers[machine->answer_count - 1].text, "+OK\r\n");
}

static void enrol(struct machine *machine, uint32_t client, uint8_t first)
{
    uint8_t key[DIRECTORY_KEY_SIZE] = {first};
    commit(machine, OP_GROUP_ENROL, client, key);
}

static bool accepted(struct machine *machine, uint32_t client)
{
    struct header header = {.magic = HEADER_MAGIC, .version = HEADER_VERSION, .kind = HEADER_NODE, .type = 1,
                            .sender = client, .incarnation = 1, .position = 1, .sequence = machine->options.cluster};
    uint8_t bytes[HEADER_SIZE];
    struct greeting greeting;
    char why[256];
    header_seal(0, &header, (struct span){0}, (struct span){0}, bytes);
    int64_t result = node_greeting_read(machine->node, span_of(bytes, sizeof bytes), &greeting, why, sizeof why);
    assert_true(result == HEADER_SIZE || result == ERROR_WRONG_NODE);
    return result > 0;
}

static uint32_t listed(const struct machine *machine)
{
    struct node_peer_status status;
    uint32_t count = 0, clients = 0;
    while (node_peer_status(machine->node, count, &status)) {
        assert_int_not_equal(status.node, 0);
        clients += status.client;
        count++;
    }
    assert_int_equal(count, clients + 1);
    return clients;
}

static void the_directory_says_who_is_welcome(void **state)
{
    struct machine *machine = bench_machine(*state, 1);
    assert_false(accepted(machine, CLIENT));
    enrol(machine, CLIENT, 7);
    assert_true(accepted(machine, CLIENT));
    assert_int_equal(listed(machine), 1);
    check_call(0, CLIENT, false, 7);
    node_peer_connected(machine->node, CLIENT, 1, (struct span){0});
    assert_true(node_peer_welcome(machine->node, CLIENT));
    enrol(machine, CLIENT + 1, 0); /* without a key */
    assert_int_equal(call_count, 1);
    commit(machine, OP_GROUP_EXPEL, CLIENT, NULL);
    assert_false(accepted(machine, CLIENT));
    assert_false(node_peer_welcome(machine->node, CLIENT));
    assert_int_equal(listed(machine), 1);
    check_call(1, CLIENT, true, 0);
    assert_true(node_receive(machine->node, CLIENT, (const uint8_t *)"", 0) < 0);
    commit(machine, OP_GROUP_EXPEL, CLIENT + 1, NULL);
    assert_int_equal(call_count, 2);
    assert_int_equal(listed(machine), 0);
}

static void slots_are_used_again(void **state)
{
    struct machine *machine = bench_machine(*state, 1);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < DIRECTORY_CLIENTS_MAX; i++) enrol(machine, CLIENT + i, (uint8_t)(1 + i));
        for (uint32_t i = 0; i < DIRECTORY_CLIENTS_MAX; i++) assert_true(accepted(machine, CLIENT + i));
        for (uint32_t i = 0; i < DIRECTORY_CLIENTS_MAX; i++) commit(machine, OP_GROUP_EXPEL, CLIENT + i, NULL);
        assert_int_equal(listed(machine), 0);
    }
}

static void a_restart_knows_those_of_the_note(void **state)
{
    struct machine *machine = bench_machine(*state, 1);
    enrol(machine, CLIENT, 7);
    machine_stop(machine);
    call_count = 0;
    assert_int_equal(machine_start(machine, false), 0);
    check_call(0, CLIENT, false, 7); /* before the first turn */
    assert_true(accepted(machine, CLIENT));
    machine_settle(machine);
    assert_int_equal(call_count, 1);
    assert_int_equal(listed(machine), 1);
}

static void fixed_clients_keep_their_keys(void **state)
{
    static const uint32_t fixed[] = {CLIENT};
    struct machine *machine = bench_machine(*state, 1);
    machine_stop(machine);
    machine->options.clients = fixed;
    machine->options.client_count = 1;
    assert_int_equal(machine_start(machine, false), 0);
    machine_settle(machine);
    enrol(machine, CLIENT, 7);
    commit(machine, OP_GROUP_EXPEL, CLIENT, NULL);
    assert_int_equal(call_count, 0);
    assert_true(accepted(machine, CLIENT));
}

/* Two changes that the node learns as one: the key is another. */
static void another_key_is_another_client(void **state)
{
    struct machine *machine = bench_machine(*state, 1);
    enrol(machine, CLIENT, 7);
    node_peer_connected(machine->node, CLIENT, 1, (struct span){0});
    uint8_t number[4], key[DIRECTORY_KEY_SIZE] = {8};
    store_u32(number, CLIENT);
    for (int i = 0; i < 2; i++) {
        struct buffer *out = node_request_begin(machine->node, 0, false);
        size_t at = command_begin(out, i == 0 ? OP_GROUP_EXPEL : OP_GROUP_ENROL, 0, i == 0 ? 1 : 2);
        command_argument(out, span_of(number, sizeof number));
        if (i == 1) command_argument(out, span_of(key, sizeof key));
        command_end(out, at);
        node_request_commit(machine->node, 0, false, 1000 + (uint64_t)i);
    }
    machine_settle(machine);
    check_call(1, CLIENT, true, 0);
    check_call(2, CLIENT, false, 8);
    assert_false(node_peer_welcome(machine->node, CLIENT)); /* it has to come again */
    assert_true(accepted(machine, CLIENT));
}

/* What came from a client in the turn in which it is expelled does not go to whoever has its slot now. */
static void what_is_under_way_of_an_expelled_one_is_dropped(void **state)
{
    struct machine *machine = bench_machine(*state, 1);
    enrol(machine, CLIENT, 7);
    node_peer_connected(machine->node, CLIENT, 1, (struct span){0});
    uint8_t number[4];
    store_u32(number, CLIENT);
    struct buffer *out = node_request_begin(machine->node, 0, false);
    size_t at = command_begin(out, OP_GROUP_EXPEL, 0, 1);
    command_argument(out, span_of(number, sizeof number));
    command_end(out, at);
    node_request_commit(machine->node, 0, false, 2000);
    while (directory_client(kv_groups_directory(&kv_groups_service, node_service(machine->node, 0)), CLIENT) != NULL) {
        machine_turn(machine);
        (void)node_write(machine->node);
    }
    struct header header = {.magic = HEADER_MAGIC, .version = HEADER_VERSION, .kind = HEADER_CLIENT,
                            .sender = CLIENT, .incarnation = 1};
    uint8_t bytes[HEADER_SIZE];
    header_seal(0, &header, (struct span){0}, (struct span){0}, bytes);
    assert_int_equal(node_receive(machine->node, CLIENT, bytes, sizeof bytes), sizeof bytes);
    machine_settle(machine);
    assert_int_equal(node_counters(machine->node)->rejected[REJECT_SENDER], 1);
}

static uint32_t macs;

static void mac(void *context, uint32_t peer, struct span head, struct span body, uint8_t *out)
{
    (void)context;
    (void)peer;
    (void)head;
    (void)body;
    memset(out, 0, PROOF_MAC_SIZE);
    macs++;
}

/* Where members may lie, a client without a key is nobody, and the door is not asked about it. */
static void without_a_key_there_is_no_proof(void **state)
{
    static struct group_spec specs[2];
    static struct protocol proven;
    struct machine *machine = bench_machine(*state, 1);
    machine_stop(machine);
    proven = puppet_protocol;
    proven.masks = MASKS_ARBITRARY;
    specs[0] = specs[1] = machine->spec;
    specs[1].group = 7;
    specs[1].name = "proven";
    specs[1].protocol = &proven;
    specs[1].service = &tally_service;
    machine->options.groups = specs;
    machine->options.group_count = 2;
    machine->options.proofs.mac = mac;
    assert_int_equal(machine_start(machine, false), 0);
    machine_settle(machine);
    uint8_t bytes[HEADER_SIZE + 4 + 2 * PROOF_MAC_SIZE];
    struct header header = {.magic = HEADER_MAGIC, .version = HEADER_VERSION, .kind = HEADER_CLIENT, .group = 7,
                            .sender = CLIENT, .incarnation = 1, .length = sizeof bytes - HEADER_SIZE};
    struct span body = span_of(bytes + HEADER_SIZE, header.length);
    memset(bytes, 0, sizeof bytes);
    header_seal(0, &header, body, (struct span){0}, bytes);
    for (uint8_t key = 0; key <= 1; key++) {
        enrol(machine, CLIENT, key);
        node_peer_connected(machine->node, CLIENT, 1, (struct span){0});
        assert_int_equal(node_receive(machine->node, CLIENT, bytes, sizeof bytes), sizeof bytes);
        machine_settle(machine);
        assert_int_equal(macs, key); /* with a key its proof is looked at, and good: the bundle is empty */
        commit(machine, OP_GROUP_EXPEL, CLIENT, NULL);
    }
    assert_int_equal(node_counters(machine->node)->rejected[REJECT_PROOF], 1);
    assert_int_equal(node_counters(machine->node)->rejected[REJECT_BODY], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_directory_says_who_is_welcome),
        TEST(slots_are_used_again),
        TEST(a_restart_knows_those_of_the_note),
        TEST(fixed_clients_keep_their_keys),
        TEST(another_key_is_another_client),
        TEST(what_is_under_way_of_an_expelled_one_is_dropped),
        TEST(without_a_key_there_is_no_proof),
    };
    return cmocka_run_group_tests_name("node enrol", tests, NULL, NULL);
}
