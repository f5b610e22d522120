/* Clients that mean no good, or break: malformed requests, declarations without substance, answers that nobody reads,
 * and streams cut anywhere. */
#include "front/front.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/random.h"
#include "front/resp_writer.h"
#include "front/test_client.h"

/* The error comes behind the answers to what was sent before it; then the connection closes, and no other is harmed. */
static void test_protocol_error(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w), *other = client_connect(&w);
    w.node->hold[0] = true;
    client_send(&w, c, "SET a 1\r\nPING\r\n*1\r\n!\r\nSET a 2\r\n");
    assert_false(connection_closing(c));
    assert_false(connection_wants_read(c));
    client_send(&w, c, "SET a 3\r\n");
    w.node->hold[0] = false;
    fake_world_turn(&w);
    client_expect(c, "+OK\r\n+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n");
    assert_true(connection_closing(c));
    assert_int_equal(front_counters(w.front)->protocol_errors, 1);
    assert_int_equal(w.node->executed_updates, 1);
    client_ask(&w, other, "PING\r\n", "+PONG\r\n");
    front_disconnected(w.front, c);
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* A declaration alone costs no memory. */
static void test_declarations(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    for (int i = 0; i < 1000; i++) {
        struct connection *c = client_connect(&w);
        client_send(&w, c, "*1048576\r\n$67108864\r\nabc");
        client_expect(c, "");
    }
    assert_true(heap_used(w.heap) < 2 << 20);
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* Never reads: closed when over the limit, and counted. */
static void test_never_reads(void **state)
{
    (void)state;
    struct front_options options;
    front_options_default(&options);
    options.output_bytes_max = 10000;
    struct fake_world w = fake_world_create(&options);
    struct connection *c = client_connect(&w), *other = client_connect(&w);
    int sent = 0;
    while (!connection_closing(c) && sent < 1000) {
        client_send(&w, c, "COMMAND DOCS GET\r\nGET none\r\nSET a 1\r\n");
        fake_world_turn(&w);
        sent++;
    }
    assert_in_range(sent, 10, 200);
    assert_true(connection_closing(c));
    assert_int_equal(connection_output(c).size, 0);
    assert_int_equal(front_counters(w.front)->closed_slow, 1);
    client_ask(&w, other, "PING\r\n", "+PONG\r\n");
    front_disconnected(w.front, c);
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* The limit strikes inside a turn of the node, with requests unanswered before and behind. */
static void test_never_reads_in_a_turn(void **state)
{
    (void)state;
    struct front_options options;
    front_options_default(&options);
    options.output_bytes_max = 2500;
    struct fake_world w = fake_world_create(&options);
    struct connection *c = client_connect(&w);
    char line[1100] = "SET a ";
    memset(line + 6, 'v', 1000);
    memcpy(line + 1006, "\r\n", 3);
    client_ask(&w, c, line, "+OK\r\n");
    client_send(&w, c, "GET a\r\nGET a\r\nGET a\r\nGET a\r\nPING\r\n");
    w.node->hold[1] = true;
    fake_answer(w.node, true, 3);
    assert_true(connection_closing(c));
    client_expect(c, "");
    fake_answer(w.node, true, 1);
    client_expect(c, "");
    front_disconnected(w.front, c);
    assert_int_equal(fake_world_destroy(&w), 0);
}

static void test_odd_words(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w);
    client_ask(&w, c, "*1\r\n$0\r\n\r\n", "-ERR unknown command '', with args beginning with: \r\n");
    client_ask(&w, c, "*2\r\n$4\r\na\r\nb\r\n$3\r\n\r\n\n\r\n",
               "-ERR unknown command 'a  b', with args beginning with: '   ' \r\n"); /* no forged line */
    client_ask(&w, c, "*2\r\n$6\r\nCLIENT\r\n$0\r\n\r\n", "-ERR unknown subcommand ''. Try CLIENT HELP.\r\n");
    client_ask(&w, c, "*3\r\n$6\r\nconfig\r\n$3\r\nget\r\n$0\r\n\r\n", "*0\r\n");
    client_ask(&w, c, "*3\r\n$6\r\nconfig\r\n$3\r\nget\r\n$2\r\n[a\r\n", "*0\r\n");
    client_ask(&w, c, "*3\r\n$7\r\ncommand\r\n$4\r\ninfo\r\n$1\r\n|\r\n", "*1\r\n$-1\r\n");
    client_ask(&w, c, "*3\r\n$6\r\nclient\r\n$7\r\nsetname\r\n$0\r\n\r\n", "+OK\r\n");
    client_ask(&w, c, "*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "$-1\r\n");
    char line[1200];
    memset(line, 'y', sizeof line);
    memcpy(line + 1000, "\r\n", 3);
    const char *answer = client_answer(&w, c, line);
    assert_true(strlen(answer) < 300);
    assert_has(answer, "-ERR unknown command 'yyy");
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* A heap that is nearly full: connections may be lost, and nothing else happens. */
static void test_full_heap(void **state)
{
    (void)state;
    static _Alignas(16) uint8_t region[1 << 18];
    struct heap *heap = heap_init(region, sizeof region);
    struct heap *nodes = heap_create_system((size_t)1 << 30);
    struct node *node = fake_node_create(nodes);
    struct front_options options;
    front_options_default(&options);
    struct front *front = front_create(heap, node, &options);
    assert_non_null(front);
    struct fake_world w = {.heap = heap, .node = node, .front = front, .now_ns = 1};
    int lost = 0, refused = 0;
    for (int i = 0; i < 400; i++) {
        struct connection *c = front_accept(front, "p", "l", NULL);
        if (c == NULL) {
            refused++;
            continue;
        }
        client_send(&w, c, "MULTI\r\nSET a 1\r\nPING\r\nEXEC\r\nCLIENT LIST\r\nCOMMAND\r\nSET a 2\r\nPING\r\nWATCH a\r\n*5\r\n$3\r\nab");
        fake_world_turn(&w);
        lost += connection_closing(c);
    }
    assert_true(lost > 0 || refused > 0);
    front_destroy(front);
    assert_int_equal(heap_used(heap), 0);
    fake_node_destroy(node);
    heap_destroy_system(nodes);
}

static const char stream[] =
    "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhe\r\no\r\nGET a\r\nPING\r\nINCR n\r\nMULTI\r\nINCR n\r\nPING\r\nGET n\r\nEXEC\r\n*1\r\n$4\r\n"
    "PING\r\nWATCH n\r\nSET n 5\r\nMULTI\r\nINCR n\r\nEXEC\r\nCLIENT REPLY SKIP\r\nGET a\r\nGET n\r\nbogus \"x y\"\r\nWAIT 1 0\r\n"
    "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*0\r\nGET n\r\nGET a\r\nSET n 7\r\nGET n\r\n*1\r\n$x\r\n";

/* Runs the stream in pieces; `turns` tells whether the world turns between two of them. Returns what came out. */
static struct buffer run_cut(struct heap *heap, const size_t *cuts, int count, bool turns)
{
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w);
    struct buffer out;
    buffer_init(&out, heap);
    size_t at = 0;
    for (int i = 0; i <= count; i++) {
        size_t end = i < count ? cuts[i] : sizeof stream - 1;
        uint8_t *bytes = malloc(end - at + 1);
        assert_non_null(bytes);
        memcpy(bytes, stream + at, end - at);
        front_receive(w.front, c, bytes, end - at);
        free(bytes);
        at = end;
        if (turns)
            fake_world_turn(&w);
        struct span output = connection_output(c);
        assert_true(buffer_append(&out, output.data, output.size));
        connection_output_sent(c, output.size);
    }
    fake_world_turn(&w);
    struct span output = connection_output(c);
    assert_true(buffer_append(&out, output.data, output.size));
    connection_output_sent(c, output.size);
    assert_true(connection_closing(c));
    assert_int_equal(fake_world_destroy(&w), 0);
    return out;
}

static void test_every_cut_gives_the_same(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)1 << 30);
    struct buffer whole = run_cut(heap, NULL, 0, true);
    assert_true(buffer_append(&whole, "", 1));
    assert_has((const char *)whole.data, "invalid bulk length\r\n"); /* it went to the end */
    whole.size--;
    for (size_t cut = 0; cut < sizeof stream; cut++) {
        for (int turns = 0; turns < 2; turns++) {
            struct buffer out = run_cut(heap, &cut, 1, turns);
            if (!span_equal(buffer_span(&out), buffer_span(&whole)))
                fail_msg("cut at %zu: %.*s", cut, (int)out.size, (const char *)out.data);
            buffer_free(&out);
        }
    }
    size_t all[sizeof stream];
    for (size_t i = 0; i < sizeof stream - 1; i++)
        all[i] = i;
    struct buffer out = run_cut(heap, all, sizeof stream - 1, false);
    assert_true(span_equal(buffer_span(&out), buffer_span(&whole)));
    buffer_free(&out);
    buffer_free(&whole);
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
}

/* Bytes that look like requests, mutated: whatever comes out, it is RESP, and memory does not leak. */
static void test_random_garbage(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    for (int round = 0; round < 2000; round++) {
        struct fake_world w = fake_world_create(NULL);
        struct connection *c = client_connect(&w);
        uint8_t bytes[sizeof stream];
        memcpy(bytes, stream, sizeof stream);
        for (uint64_t mutations = random_below(&random, 6); mutations > 0; mutations--) {
            static const char favourites[] = "\r\n*$-0192\"' \\";
            bytes[random_below(&random, sizeof bytes)] =
                random_chance(&random, 1, 2) ? (uint8_t)random_u64(&random)
                                             : (uint8_t)favourites[random_below(&random, sizeof favourites)];
        }
        front_receive(w.front, c, bytes, (size_t)random_below(&random, sizeof bytes));
        fake_world_turn(&w);
        struct span output = connection_output(c);
        while (output.size > 0) {
            size_t size = resp_value_size(output);
            if (size == 0)
                fail_msg("seed %llu, round %d: %.*s", (unsigned long long)seed, round, (int)output.size,
                         (const char *)output.data);
            output = span_of(output.data + size, output.size - size);
        }
        assert_int_equal(fake_world_destroy(&w), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocol_error),
        cmocka_unit_test(test_declarations),
        cmocka_unit_test(test_never_reads),
        cmocka_unit_test(test_never_reads_in_a_turn),
        cmocka_unit_test(test_odd_words),
        cmocka_unit_test(test_full_heap),
        cmocka_unit_test(test_every_cut_gives_the_same),
        cmocka_unit_test(test_random_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
