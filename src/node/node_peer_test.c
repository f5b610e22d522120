/* Messages between nodes: whole ones and those in fragments, loss, what is rejected and why, and greetings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/time.h"
#include "node/node_testing.h"

enum { LARGE = 1 << 20 };

static int set_up(void **state)
{
    struct bench *bench = bench_create(2, &puppet_protocol, &tally_service);
    *state = bench;
    assert_int_equal(machine_start(bench_machine(bench, 1), true), 0);
    assert_int_equal(machine_start(bench_machine(bench, 2), true), 0);
    bench_connect(bench, 1, 2);
    bench_settle(bench);
    return 0;
}

static int tear_down(void **state)
{
    bench_free(*state);
    return 0;
}

/* Sends, at the next read, a large note and a small one to the other node. */
static void large_then_small(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind != EVENT_REQUEST) return;
    uint32_t other = 3 - puppet->spec->self;
    puppet_send(out, other, 1, LARGE);
    puppet_send(out, other, 2, 100);
}

static void send_both(struct bench *bench, uint32_t from)
{
    struct machine *machine = bench_machine(bench, from);
    machine_puppet(machine)->script = large_then_small;
    machine_request(machine, true, TALLY_GET, 0, 1000 + machine->answer_count);
    machine_settle(machine);
}

static void got(const struct puppet_seen *seen, uint64_t value, size_t size)
{
    assert_non_null(seen);
    assert_int_equal(seen->a, value);
    assert_int_equal(seen->b, size);
    assert_int_equal(seen->crc, puppet_note_crc(size));
}

static uint64_t rejected(struct bench *bench, uint32_t id, enum reject reason)
{
    return node_counters(bench_machine(bench, id)->node)->rejected[reason];
}

static void large_messages_come_whole_behind_small_ones(void **state)
{
    struct bench *bench = *state;
    send_both(bench, 1);
    send_both(bench, 2);
    bench_settle(bench);
    for (uint32_t id = 1; id <= 2; id++) {
        const struct puppet *puppet = machine_puppet(bench_machine(bench, id));
        got(puppet_nth(puppet, EVENT_MESSAGE, 0), 2, 100);
        got(puppet_nth(puppet, EVENT_MESSAGE, 1), 1, LARGE);
        assert_null(puppet_nth(puppet, EVENT_MESSAGE, 2));
    }
}

static void bytes_may_be_cut_anywhere(void **state)
{
    struct bench *bench = *state;
    bench->piece_bytes = 1009;
    send_both(bench, 1);
    bench_settle(bench);
    got(puppet_nth(machine_puppet(bench_machine(bench, 2)), EVENT_MESSAGE, 0), 2, 100);
    got(puppet_nth(machine_puppet(bench_machine(bench, 2)), EVENT_MESSAGE, 1), 1, LARGE);
}

static bool third_fragment(struct bench *bench, const struct header *header)
{
    return header->kind == HEADER_FRAGMENT && ++bench->word == 3;
}

static void a_lost_fragment_loses_its_message_only(void **state)
{
    struct bench *bench = *state;
    bench->lose = third_fragment;
    send_both(bench, 1);
    bench_settle(bench);
    const struct puppet *puppet = machine_puppet(bench_machine(bench, 2));
    assert_int_equal(bench->lost, 1);
    got(puppet_nth(puppet, EVENT_MESSAGE, 0), 2, 100);
    assert_null(puppet_nth(puppet, EVENT_MESSAGE, 1));
    assert_true(rejected(bench, 2, REJECT_FRAGMENT) > 10); /* those behind it fit nothing */
    send_both(bench, 1);
    bench_settle(bench);
    got(puppet_nth(puppet, EVENT_MESSAGE, 2), 1, LARGE);
}

static void small_ones_interleave_with_fragments(void **state)
{
    struct bench *bench = *state;
    struct machine *sender = bench_machine(bench, 1);
    send_both(bench, 1);
    assert_true(bench_carry(bench, 1, 2)); /* the first fragments */
    send_both(bench, 1);
    bench_settle(bench);
    const struct puppet *puppet = machine_puppet(bench_machine(bench, 2));
    static const uint64_t values[] = {2, 2, 1, 1};
    for (uint32_t i = 0; i < 4; i++) got(puppet_nth(puppet, EVENT_MESSAGE, i), values[i], values[i] == 1 ? LARGE : 100);
    struct node_peer_status status;
    assert_true(node_peer_status(sender->node, 0, &status));
    assert_int_equal(status.output_bytes, 0);
}

static void a_new_connection_forgets_half_a_message(void **state)
{
    struct bench *bench = *state;
    send_both(bench, 1);
    assert_true(bench_carry(bench, 1, 2));
    bench_connect(bench, 1, 2);
    bench_settle(bench);
    const struct puppet *puppet = machine_puppet(bench_machine(bench, 2));
    assert_int_equal(puppet_count(puppet, EVENT_MESSAGE, 0), 1);
    assert_int_equal(puppet_last(puppet, EVENT_PEER)->b, PEER_CONNECTED);
    send_both(bench, 1);
    bench_settle(bench);
    got(puppet_last(puppet, EVENT_MESSAGE), 1, LARGE);
}

static void over_its_bound_a_peers_buffer_drops(void **state)
{
    struct bench *bench = *state;
    struct machine *sender = bench_machine(bench, 1);
    sender->options.peer_output_bytes_max = 2 * LARGE;
    for (int i = 0; i < 4; i++) send_both(bench, 1);
    struct node_peer_status status;
    assert_true(node_peer_status(sender->node, 0, &status));
    assert_true(status.dropped >= 2 && status.output_bytes <= 2 * LARGE);
    bench_settle(bench);
    assert_true(puppet_count(machine_puppet(bench_machine(bench, 2)), EVENT_MESSAGE, 0) >= 2);
}

static void messages_to_nobody_are_lost(void **state)
{
    struct bench *bench = *state;
    node_peer_lost(bench_machine(bench, 1)->node, 2);
    send_both(bench, 1);
    assert_int_equal(node_output(bench_machine(bench, 1)->node, 2).size, 0);
    assert_int_equal(puppet_last(machine_puppet(bench_machine(bench, 1)), EVENT_PEER)->b, PEER_LOST);
}

/* After a pause everything that arrived is heard before anybody's silence is acted on. */
static void arms_at_once(struct puppet *puppet, const struct event *event, struct effects *out)
{
    (void)puppet;
    if (event->kind == EVENT_REQUEST) effect_arm(out, 0, 1, 0, event->now_ns + NS_PER_MS);
    if (event->kind == EVENT_MESSAGE) effect_disarm(out, 0, 1, 0);
}

static void messages_come_before_timers(void **state)
{
    struct bench *bench = *state;
    struct machine *receiver = bench_machine(bench, 2);
    machine_puppet(receiver)->script = arms_at_once;
    machine_request(receiver, true, TALLY_GET, 0, 1);
    machine_settle(receiver);
    send_both(bench, 1);
    bench->now_ns += NS_PER_S;
    assert_true(bench_carry(bench, 1, 2));
    assert_int_equal(puppet_count(machine_puppet(receiver), EVENT_MESSAGE, 0), 1);
    assert_int_equal(puppet_count(machine_puppet(receiver), EVENT_TIMEOUT, 0), 0);
}

/* ---- what is rejected ---- */

static struct header header_to_2(struct bench *bench)
{
    return (struct header){.magic = HEADER_MAGIC,
                           .version = HEADER_VERSION,
                           .kind = HEADER_MESSAGE,
                           .type = PUPPET_NOTE,
                           .group = BENCH_GROUP,
                           .sender = 1,
                           .incarnation = node_incarnation(bench_machine(bench, 1)->node)};
}

/* Gives node 2 one message with a right CRC; returns what node_receive says. */
static int64_t receive(struct bench *bench, struct header header, struct span body)
{
    uint8_t bytes[512];
    header.length = (uint32_t)body.size;
    header_seal(0, &header, body, (struct span){0}, bytes);
    memcpy(bytes + HEADER_SIZE, body.data, body.size);
    struct machine *receiver = bench_machine(bench, 2);
    int64_t taken = node_receive(receiver->node, 1, bytes, HEADER_SIZE + body.size);
    machine_turn(receiver);
    return taken;
}

static const uint8_t empty_note[12];

static void every_reason_is_counted(void **state)
{
    struct bench *bench = *state;
    struct span body = span_of(empty_note, sizeof empty_note);
    const struct header good = header_to_2(bench);
    assert_int_equal(receive(bench, good, body), HEADER_SIZE + 12);
    assert_int_equal(puppet_count(machine_puppet(bench_machine(bench, 2)), EVENT_MESSAGE, 0), 1);
    struct { enum reject reason; struct header header; size_t size; } cases[] = {
        {REJECT_VERSION, good, 12}, {REJECT_SENDER, good, 12}, {REJECT_GROUP, good, 12}, {REJECT_TYPE, good, 12},
        {REJECT_TYPE, good, 12}, {REJECT_BODY, good, 11}, {REJECT_INCARNATION, good, 12}, {REJECT_FRAGMENT, good, 12},
        {REJECT_LENGTH, good, 12}, {REJECT_LENGTH, good, 12}, {REJECT_TYPE, good, 12}, {REJECT_BODY, good, 12},
    };
    cases[0].header.version = HEADER_VERSION + 1;
    cases[1].header.sender = 2;
    cases[2].header.group++;
    cases[3].header.type = 1;
    cases[4].header.kind = HEADER_RECORD;
    cases[6].header.position = node_incarnation(bench_machine(bench, 2)->node) + 1;
    cases[7].header.kind = cases[8].header.kind = cases[9].header.kind = HEADER_FRAGMENT;
    cases[7].header.position = 5;
    cases[8].header.synced = 0;                  /* a large message of no size */
    cases[9].header.synced = UINT64_C(1) << 40;  /* and of a size that nobody may have */
    cases[10].header.kind = cases[11].header.kind = HEADER_NODE;
    cases[10].header.type = 99;
    cases[11].header.type = 2; /* a request for a chunk is longer */
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t before = rejected(bench, 2, cases[i].reason);
        assert_true(receive(bench, cases[i].header, span_of(empty_note, cases[i].size)) > 0);
        assert_int_equal(rejected(bench, 2, cases[i].reason), before + 1);
    }
    assert_int_equal(puppet_count(machine_puppet(bench_machine(bench, 2)), EVENT_MESSAGE, 0), 1);
}

static void damage_is_dropped_and_lost_framing_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    struct node *node = bench_machine(bench, 2)->node;
    struct header header = header_to_2(bench);
    uint8_t bytes[2 * HEADER_SIZE] = {0};
    header_seal(0, &header, (struct span){0}, (struct span){0}, bytes);
    bytes[20] ^= 1;
    assert_int_equal(node_receive(node, 1, bytes, HEADER_SIZE), HEADER_SIZE);
    assert_int_equal(rejected(bench, 2, REJECT_CRC), 1);
    assert_int_equal(node_receive(node, 1, bytes, HEADER_SIZE - 1), 0); /* not whole yet */
    bytes[8] ^= 1;
    assert_true(node_receive(node, 1, bytes, HEADER_SIZE) < 0);
    assert_int_equal(rejected(bench, 2, REJECT_MAGIC), 1);
    bytes[8] ^= 1;
    store_u32(bytes + 4, NODE_FRAME_SIZE_MAX + 1);
    assert_true(node_receive(node, 1, bytes, HEADER_SIZE) < 0);
    assert_int_equal(rejected(bench, 2, REJECT_LENGTH), 1);
    assert_true(node_receive(node, 9, bytes, HEADER_SIZE) < 0); /* nobody */
    node_peer_lost(node, 1);
    assert_true(node_receive(node, 1, bytes, HEADER_SIZE) < 0);
}

static void a_forged_inside_of_fragments_is_rejected(void **state)
{
    struct bench *bench = *state;
    struct header inner = header_to_2(bench), outer = inner;
    outer.kind = HEADER_FRAGMENT;
    outer.synced = HEADER_SIZE + sizeof empty_note;
    for (int i = 0; i < 6; i++) {
        struct header forged = inner;
        uint8_t bytes[HEADER_SIZE + sizeof empty_note] = {0};
        forged.length = sizeof empty_note;
        if (i == 1) forged.length++;
        if (i == 2) forged.sender = 2;
        if (i == 3) forged.kind = HEADER_FRAGMENT;
        if (i == 5) forged.version = HEADER_VERSION + 1;
        header_seal(0, &forged, span_of(empty_note, sizeof empty_note), (struct span){0}, bytes);
        if (i == 4) bytes[HEADER_SIZE] ^= 1;
        outer.sequence++;
        assert_true(receive(bench, outer, span_of(bytes, sizeof bytes)) > 0);
        assert_int_equal(rejected(bench, 2, REJECT_FRAGMENT), i);
    }
    assert_int_equal(puppet_count(machine_puppet(bench_machine(bench, 2)), EVENT_MESSAGE, 0), 1);
}

/* ---- greetings ---- */

static int64_t read_greeting(struct bench *bench, const uint8_t *bytes, size_t size, struct greeting *greeting,
                             char why[128])
{
    why[0] = 0;
    return node_greeting_read(bench_machine(bench, 2)->node, span_of(bytes, size), greeting, why, 128);
}

static void a_greeting_tells_who_it_is(void **state)
{
    struct bench *bench = *state;
    uint8_t bytes[NODE_GREETING_SIZE_MAX];
    struct greeting greeting;
    char why[128];
    size_t size = node_greeting(bench_machine(bench, 1)->node, bytes);
    for (size_t part = 0; part < size; part++)
        assert_int_equal(read_greeting(bench, bytes, part, &greeting, why), 0);
    assert_int_equal(read_greeting(bench, bytes, size, &greeting, why), size);
    assert_int_equal(greeting.node, 1);
    assert_int_equal(greeting.incarnation, node_incarnation(bench_machine(bench, 1)->node));
    assert_true(span_equal(greeting.client_address, span_string("127.0.0.1:7001")));
}

static void who_is_not_known_there_is_told_so(void **state)
{
    struct bench *bench = *state;
    uint8_t bytes[NODE_GREETING_SIZE_MAX];
    struct greeting greeting;
    char why[128];
    size_t size = node_greeting_refusal(bench_machine(bench, 1)->node, bytes);
    assert_int_equal(size, HEADER_SIZE);
    assert_int_equal(read_greeting(bench, bytes, size - 1, &greeting, why), 0);
    assert_int_equal(read_greeting(bench, bytes, size, &greeting, why), ERROR_PERMISSION);
    assert_int_equal(greeting.node, 1);
    assert_non_null(strstr(why, "does not know"));
}

static void greetings_are_refused_with_a_reason(void **state)
{
    struct bench *bench = *state;
    uint8_t bytes[NODE_GREETING_SIZE_MAX];
    struct greeting greeting;
    char why[128];
    size_t size = node_greeting(bench_machine(bench, 1)->node, bytes);
    struct header good;
    header_decode(bytes, &good);
    struct span body = span_of(bytes + HEADER_SIZE, size - HEADER_SIZE);
    struct { int error; const char *word; struct header header; } cases[] = {
        {ERROR_WRONG_CLUSTER, "another cluster", good}, {ERROR_VERSION, "version", good},
        {ERROR_WRONG_NODE, "node id", good}, {ERROR_INVALID, "no greeting", good},
        {ERROR_INVALID, "no greeting", good}, {ERROR_INVALID, "no lockstep greeting", good},
        {ERROR_WRONG_NODE, "node id", good},
    };
    cases[0].header.sequence++;
    cases[1].header.position = HEADER_VERSION + 1;
    cases[2].header.sender = 9;
    cases[3].header.kind = HEADER_MESSAGE;
    cases[4].header.length = NODE_GREETING_SIZE_MAX;
    cases[5].header.magic++;
    cases[6].header.sender = 2; /* itself */
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        header_seal(0, &cases[i].header, body, (struct span){0}, bytes);
        assert_int_equal(read_greeting(bench, bytes, size, &greeting, why), cases[i].error);
        assert_non_null(strstr(why, cases[i].word));
    }
    header_seal(0, &good, body, (struct span){0}, bytes);
    bytes[HEADER_SIZE] ^= 1;
    assert_int_equal(read_greeting(bench, bytes, size, &greeting, why), ERROR_CORRUPT);
    assert_non_null(strstr(why, "damaged"));
    assert_int_equal(read_greeting(bench, (const uint8_t *)"GET / HTTP/1.1\r\n", 16, &greeting, why), ERROR_INVALID);
    char short_why[5];
    assert_int_equal(node_greeting_read(bench_machine(bench, 2)->node, span_of("GET / HTTP", 10), &greeting, short_why,
                                        sizeof short_why), ERROR_INVALID);
    assert_int_equal(strlen(short_why), 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(large_messages_come_whole_behind_small_ones),
        TEST(bytes_may_be_cut_anywhere),
        TEST(a_lost_fragment_loses_its_message_only),
        TEST(small_ones_interleave_with_fragments),
        TEST(a_new_connection_forgets_half_a_message),
        TEST(over_its_bound_a_peers_buffer_drops),
        TEST(messages_to_nobody_are_lost),
        TEST(messages_come_before_timers),
        TEST(every_reason_is_counted),
        TEST(damage_is_dropped_and_lost_framing_ends_the_connection),
        TEST(a_forged_inside_of_fragments_is_rejected),
        TEST(a_greeting_tells_who_it_is),
        TEST(who_is_not_known_there_is_told_so),
        TEST(greetings_are_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
