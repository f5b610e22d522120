/* The front's main promise: requests of a connection take effect, and are answered, in the order sent; it is bounded;
 * and connections come and go without a trace. */
#include "front/front.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/time.h"
#include "front/test_client.h"

static void test_basics(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w);
    assert_ptr_equal(connection_host_data(c), &w);
    assert_true(connection_wants_read(c));
    client_ask(&w, c, "PING\r\n", "+PONG\r\n");
    client_ask(&w, c, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\none\r\n", "+OK\r\n");
    client_ask(&w, c, "get a\r\n", "$3\r\none\r\n");
    client_ask(&w, c, "GET none\r\n", "$-1\r\n");
    assert_has(client_answer(&w, c, "HELLO 3\r\n"), "%7\r\n");
    client_ask(&w, c, "GET none\r\n", "_\r\n");
    client_ask(&w, c, "KEYS *\r\n", "~1\r\n,1.5\r\n");
    client_ask(&w, c, "GET\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    client_ask(&w, c, "bogus a 'b c'\r\n",
               "-ERR unknown command 'bogus', with args beginning with: 'a' 'b c' \r\n");
    assert_int_equal(front_counters(w.front)->clients, 1);
    front_disconnected(w.front, c);
    assert_int_equal(front_counters(w.front)->clients, 0);
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* Answers of the front itself wait for those of the node before them. */
static void test_answers_in_order(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w);
    w.node->hold[0] = true;
    client_send(&w, c, "SET a 1\r\nPING\r\nSET b 2\r\nECHO x\r\nbogus\r\n");
    fake_world_turn(&w);
    client_expect(c, "");
    fake_answer(w.node, false, 1);
    client_expect(c, "+OK\r\n+PONG\r\n");
    fake_answer(w.node, false, 1);
    client_expect(c, "+OK\r\n$1\r\nx\r\n-ERR unknown command 'bogus', with args beginning with: \r\n");
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* A read behind an unanswered update goes through the log; else it needs no log entry. */
static void test_read_behind_update(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w);
    client_send(&w, c, "SET a 1\r\nGET a\r\nSET a 2\r\nGET a\r\n");
    assert_int_equal(w.node->lanes[0].count, 4);
    assert_int_equal(w.node->lanes[1].count, 0);
    fake_world_turn(&w);
    client_expect(c, "+OK\r\n$1\r\n1\r\n+OK\r\n$1\r\n2\r\n");
    client_send(&w, c, "GET a\r\nGET a\r\n");
    assert_int_equal(w.node->lanes[1].count, 2);
    fake_world_turn(&w);
    client_expect(c, "$1\r\n2\r\n$1\r\n2\r\n");
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* An update behind unanswered reads waits for them, and the connection is not read meanwhile. */
static void test_update_behind_read(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w), *other = client_connect(&w);
    w.node->hold[1] = true;
    client_send(&w, c, "GET a\r\nGET a\r\nSET a 1\r\nGET a\r\n");
    assert_int_equal(w.node->lanes[0].count, 0);
    assert_int_equal(w.node->lanes[1].count, 2);
    assert_false(connection_wants_read(c));
    client_send(&w, c, "GET a\r\n"); /* came before the host stopped reading */
    fake_world_turn(&w);
    client_ask(&w, other, "SET b 1\r\n", "+OK\r\n"); /* others go on */
    client_expect(c, "");
    fake_answer(w.node, true, 1);
    assert_false(front_turn(w.front, w.now_ns, 0));
    client_expect(c, "$-1\r\n");
    fake_answer(w.node, true, 1);
    assert_null(front_next_resumed(w.front));
    assert_true(front_turn(w.front, w.now_ns, 0));
    assert_ptr_equal(front_next_resumed(w.front), c);
    assert_null(front_next_resumed(w.front));
    assert_true(connection_wants_read(c));
    assert_int_equal(w.node->lanes[0].count, 3);
    fake_world_turn(&w);
    client_expect(c, "$-1\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n");
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* Reads that the node has ordered are updates: what stalled behind them goes on, and what follows goes the same way. */
static void test_reads_are_ordered(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w), *other = client_connect(&w), *gone = client_connect(&w);
    w.node->hold[0] = w.node->hold[1] = true;
    client_send(&w, c, "GET a\r\nGET a\r\nSET a 1\r\n");
    client_send(&w, gone, "GET a\r\n");
    front_disconnected(w.front, gone);
    assert_int_equal(w.node->lanes[1].count, 3);
    fake_order_reads(w.node);
    assert_true(front_turn(w.front, w.now_ns, 0));
    assert_int_equal(w.node->lanes[0].count, 4);
    client_send(&w, c, "GET a\r\n");
    client_send(&w, other, "GET a\r\n");
    assert_int_equal(w.node->lanes[0].count, 5);
    assert_int_equal(w.node->lanes[1].count, 1);
    fake_answer(w.node, false, 5);
    client_expect(c, "$-1\r\n$-1\r\n+OK\r\n$1\r\n1\r\n");
    client_send(&w, c, "GET a\r\n"); /* nothing is before it: a read again */
    assert_int_equal(w.node->lanes[1].count, 2);
    fake_answer(w.node, true, 2);
    client_expect(c, "$1\r\n1\r\n");
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* What comes too fast for the node waits, those who waited longest first. */
static void test_no_room(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *a = client_connect(&w), *b = client_connect(&w);
    w.node->room[0] = 2;
    w.node->hold[0] = true;
    client_send(&w, a, "SET a 1\r\nSET a 2\r\nSET a 3\r\n");
    client_send(&w, b, "INCR n\r\n");
    assert_false(connection_wants_read(a));
    assert_false(connection_wants_read(b));
    fake_world_turn(&w);
    assert_int_equal(w.node->lanes[0].count, 2);
    fake_answer(w.node, false, 1);
    assert_true(front_turn(w.front, w.now_ns, 0));
    assert_true(connection_wants_read(a)); /* its third went in, there was room for one */
    assert_false(connection_wants_read(b));
    assert_ptr_equal(front_next_resumed(w.front), a);
    assert_null(front_next_resumed(w.front));
    w.node->hold[0] = false;
    fake_world_turn(&w);
    client_expect(a, "+OK\r\n+OK\r\n+OK\r\n");
    client_expect(b, ":1\r\n");
    assert_ptr_equal(front_next_resumed(w.front), b);
    assert_int_equal(fake_world_destroy(&w), 0);
}

static void test_pipeline_max(void **state)
{
    (void)state;
    struct front_options options;
    front_options_default(&options);
    options.pipeline_max = 4;
    struct fake_world w = fake_world_create(&options);
    struct connection *c = client_connect(&w);
    w.node->hold[0] = true;
    client_send(&w, c, "SET a 1\r\nPING\r\nSET a 2\r\nSET a 3\r\nSET a 4\r\nPING\r\nPING\r\nPING\r\nPING\r\nSET a 5\r\n");
    assert_int_equal(w.node->lanes[0].count, 3);
    assert_false(connection_wants_read(c));
    w.node->hold[0] = false;
    fake_world_turn(&w);
    client_expect(c, "+OK\r\n+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+PONG\r\n+PONG\r\n+PONG\r\n+PONG\r\n+OK\r\n");
    assert_true(connection_wants_read(c));
    assert_int_equal(fake_world_destroy(&w), 0);
}

static void test_refusals(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w);
    w.node->refuse = "CLUSTERDOWN no\r\nleader";
    w.node->refuse_kind = ANSWER_REFUSED;
    client_ask(&w, c, "SET a 1\r\n", "-CLUSTERDOWN no  leader\r\n");
    w.node->refuse = "INDETERMINATE who knows";
    w.node->refuse_kind = ANSWER_INDETERMINATE;
    client_ask(&w, c, "SET a 1\r\nPING\r\n", "-INDETERMINATE who knows\r\n+PONG\r\n");
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* A value over the limit of the group's commands is refused by its name, and the connection lives on. */
static void test_command_limit(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    front_destroy(w.front);
    w.node->spec.tuning.command_bytes_max = 100;
    struct front_options options;
    front_options_default(&options);
    w.front = front_create(w.heap, w.node, &options);
    struct connection *c = client_connect(&w);
    char line[200], value[101];
    memset(value, 'v', 100);
    value[100] = '\0';
    snprintf(line, sizeof line, "SET a %s\r\n", value);
    client_ask(&w, c, line, "-ERR command larger than the limit command_bytes_max 100\r\n");
    client_ask(&w, c, "SET a b\r\n", "+OK\r\n");
    assert_int_equal(fake_world_destroy(&w), 0);
}

static void test_readonly(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w);
    client_ask(&w, c, "SET a 1\r\n", "+OK\r\n");
    client_send(&w, c, "READONLY\r\nGET a\r\nGET none\r\n");
    client_expect(c, "+OK\r\n$1\r\n1\r\n$-1\r\n"); /* without a turn */
    assert_int_equal(w.node->executed_local, 2);
    client_ask(&w, c, "SET a 2\r\nGET a\r\n", "+OK\r\n$1\r\n2\r\n");
    assert_int_equal(w.node->executed_local, 2); /* behind its update it goes through the log */
    w.node->no_local_reads = true;
    client_ask(&w, c, "GET a\r\n", "$1\r\n2\r\n");
    w.node->no_local_reads = false;
    client_ask(&w, c, "READWRITE\r\nGET a\r\n", "+OK\r\n$1\r\n2\r\n");
    assert_int_equal(w.node->executed_local, 2);
    assert_int_equal(w.node->executed_reads, 2);
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* The memory of a connection that is gone stays until its last answer; the answers go nowhere. */
static void test_gone_with_unanswered(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w);
    w.node->hold[0] = true;
    client_send(&w, c, "SET a 1\r\nPING\r\nSET a 2\r\nGE");
    front_disconnected(w.front, c);
    struct connection *next = client_connect(&w);
    assert_ptr_not_equal(next, c);
    fake_answer(w.node, false, 2);
    assert_null(front_next_ready(w.front));
    client_ask(&w, next, "PING\r\n", "+PONG\r\n");
    /* The place is free again, and its new owner gets no answer of the old one. */
    struct connection *third = client_connect(&w);
    client_expect(third, "");
    w.node->hold[0] = false;
    client_ask(&w, third, "GET a\r\n", "$1\r\n2\r\n");
    assert_int_equal(fake_world_destroy(&w), 0);
}

static void test_ready_list(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *a = client_connect(&w), *b = client_connect(&w);
    assert_null(front_next_ready(w.front));
    client_send(&w, b, "PING\r\nPING\r\n");
    client_send(&w, a, "SET a 1\r\n");
    fake_world_turn(&w);
    assert_ptr_equal(front_next_ready(w.front), b);
    assert_ptr_equal(front_next_ready(w.front), a);
    assert_null(front_next_ready(w.front));
    client_send(&w, b, "PING\r\n");
    assert_ptr_equal(front_next_ready(w.front), b);
    connection_output_sent(b, 3); /* in parts */
    client_expect(b, "NG\r\n+PONG\r\n+PONG\r\n");
    front_disconnected(w.front, a);
    assert_null(front_next_ready(w.front));
    assert_int_equal(fake_world_destroy(&w), 0);
}

static void test_quit(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *c = client_connect(&w);
    w.node->hold[0] = true;
    client_send(&w, c, "SET a 1\r\nQUIT\r\nSET a 2\r\n");
    assert_false(connection_closing(c)); /* the answers first */
    assert_false(connection_wants_read(c));
    w.node->hold[0] = false;
    fake_world_turn(&w);
    client_expect(c, "+OK\r\n+OK\r\n");
    assert_true(connection_closing(c));
    assert_ptr_equal(front_next_ready(w.front), c);
    assert_int_equal(w.node->executed_updates, 1);
    front_disconnected(w.front, c);
    assert_int_equal(fake_world_destroy(&w), 0);
}

static void test_clients_max(void **state)
{
    (void)state;
    struct front_options options;
    front_options_default(&options);
    options.clients_max = 2;
    struct fake_world w = fake_world_create(&options);
    struct connection *a = client_connect(&w);
    client_connect(&w);
    assert_null(front_accept(w.front, "p", "l", NULL));
    assert_int_equal(front_counters(w.front)->refused_connections, 1);
    front_disconnected(w.front, a);
    client_connect(&w);
    assert_int_equal(fake_world_destroy(&w), 0);
}

static void test_idle_memory(void **state)
{
    (void)state;
    enum { CLIENTS = 5000 };
    struct fake_world w = fake_world_create(NULL);
    size_t before = heap_used(w.heap);
    for (int i = 0; i < CLIENTS; i++) {
        struct connection *c = client_connect(&w);
        client_ask(&w, c, "CLIENT SETNAME somebody\r\nSET a 1\r\nGET a\r\n", "+OK\r\n+OK\r\n$1\r\n1\r\n");
    }
    w.now_ns += 10 * NS_PER_S;
    for (int i = 0; i < CLIENTS; i++)
        (void)front_turn(w.front, w.now_ns, 0);
    size_t each = (heap_used(w.heap) - before) / CLIENTS;
    print_message("an idle connection takes %zu bytes\n", each);
    assert_true(each < 1024);
    assert_int_equal(fake_world_destroy(&w), 0);
}

static void test_idle_timeout(void **state)
{
    (void)state;
    struct fake_world w = fake_world_create(NULL);
    struct connection *a = client_connect(&w), *b = client_connect(&w);
    assert_true(front_next_timer_ns(w.front) == INT64_MAX);
    client_ask(&w, a, "CONFIG SET timeout 5\r\n", "+OK\r\n");
    assert_true(front_next_timer_ns(w.front) < INT64_MAX);
    w.now_ns += 4 * NS_PER_S;
    client_ask(&w, b, "PING\r\n", "+PONG\r\n");
    client_ask(&w, b, "PING\r\n", "+PONG\r\n");
    w.now_ns += 2 * NS_PER_S;
    (void)front_turn(w.front, w.now_ns, 0);
    assert_true(connection_closing(a));
    assert_false(connection_closing(b));
    assert_int_equal(fake_world_destroy(&w), 0);
}

/* Random pipelines of several clients, cut at random and answered at random times: each client's answers are those of
 * executing its commands one after the other. Each has its own key, so its model is a number. */
struct model {
    struct connection *connection;
    struct buffer send, want;
    size_t sent;
    int64_t value;
};

static void model_fill(struct model *model, struct random *random, int place)
{
    for (int i = 0; i < 60; i++) {
        char line[128], digits[32];
        int size = 0;
        switch (random_below(random, 5)) {
        case 0:
            size = snprintf(line, sizeof line, "INCR k%d\r\n", place);
            (void)buffer_append(&model->send, line, (size_t)size);
            size = snprintf(line, sizeof line, ":%lld\r\n", (long long)++model->value);
            break;
        case 1:
            size = snprintf(line, sizeof line, "*3\r\n$3\r\nset\r\n$2\r\nk%d\r\n$1\r\n5\r\n", place);
            (void)buffer_append(&model->send, line, (size_t)size);
            model->value = 5;
            size = snprintf(line, sizeof line, "+OK\r\n");
            break;
        case 2:
            (void)buffer_append(&model->send, "PING\r\n", 6);
            size = snprintf(line, sizeof line, "+PONG\r\n");
            break;
        case 3:
            size = snprintf(line, sizeof line, "MULTI\r\nINCR k%d\r\nPING\r\nEXEC\r\n", place);
            (void)buffer_append(&model->send, line, (size_t)size);
            size = snprintf(line, sizeof line, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:%lld\r\n+PONG\r\n",
                            (long long)++model->value);
            break;
        default:
            size = snprintf(line, sizeof line, "GET k%d\r\n", place);
            (void)buffer_append(&model->send, line, (size_t)size);
            int digit_count = snprintf(digits, sizeof digits, "%lld", (long long)model->value);
            size = snprintf(line, sizeof line, "$%d\r\n%s\r\n", digit_count, digits);
            break;
        }
        (void)buffer_append(&model->want, line, (size_t)size);
    }
}

static void test_random_pipelines(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    for (int round = 0; round < 100; round++) {
        struct front_options options;
        front_options_default(&options);
        options.pipeline_max = (uint32_t)random_below(&random, 12) + 1;
        struct fake_world w = fake_world_create(&options);
        w.node->room[0] = (uint32_t)random_below(&random, 10) + 1;
        w.node->room[1] = (uint32_t)random_below(&random, 10) + 1;
        enum { MODELS = 6 };
        struct model models[MODELS];
        for (int i = 0; i < MODELS; i++) {
            models[i] = (struct model){.connection = client_connect(&w)};
            buffer_init(&models[i].send, w.heap);
            buffer_init(&models[i].want, w.heap);
            char line[32];
            snprintf(line, sizeof line, "SET k%d 0\r\n", i);
            client_ask(&w, models[i].connection, line, "+OK\r\n");
            model_fill(&models[i], &random, i);
        }
        for (int step = 0; step < 20000; step++) {
            struct model *model = &models[random_below(&random, MODELS)];
            size_t left = model->send.size - model->sent;
            if (left > 0 && connection_wants_read(model->connection)) {
                size_t size = (size_t)random_below(&random, 200) + 1;
                size = size < left ? size : left;
                front_receive(w.front, model->connection, model->send.data + model->sent, size);
                model->sent += size;
            }
            bool read = random_chance(&random, 1, 2);
            fake_answer(w.node, read, (uint32_t)random_below(&random, 4));
            if (random_chance(&random, 1, 2))
                (void)front_turn(w.front, w.now_ns, 0);
        }
        for (int i = 0; i < MODELS; i++) {
            fake_world_turn(&w);
            struct span output = connection_output(models[i].connection);
            if (!span_equal(output, buffer_span(&models[i].want)))
                fail_msg("seed %llu, round %d, client %d: %.*s", (unsigned long long)seed, round, i, (int)output.size,
                         (const char *)output.data);
            buffer_free(&models[i].send);
            buffer_free(&models[i].want);
        }
        assert_int_equal(fake_world_destroy(&w), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_basics),
        cmocka_unit_test(test_answers_in_order),
        cmocka_unit_test(test_read_behind_update),
        cmocka_unit_test(test_update_behind_read),
        cmocka_unit_test(test_reads_are_ordered),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_pipeline_max),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_command_limit),
        cmocka_unit_test(test_readonly),
        cmocka_unit_test(test_gone_with_unanswered),
        cmocka_unit_test(test_ready_list),
        cmocka_unit_test(test_quit),
        cmocka_unit_test(test_clients_max),
        cmocka_unit_test(test_idle_memory),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_random_pipelines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
