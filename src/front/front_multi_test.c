/* MULTI, EXEC, WATCH and WAIT. */
#include "front/front.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "front/test_client.h"

struct fixture {
    struct fake_world w;
    struct connection *c;
};

static struct fixture begin(void)
{
    struct fixture f = {.w = fake_world_create(NULL)};
    f.c = client_connect(&f.w);
    return f;
}

static void end(struct fixture *f)
{
    assert_int_equal(fake_world_destroy(&f->w), 0);
}

#define ASK(text, answer) client_ask(&f.w, f.c, text "\r\n", answer)

static void test_exec(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("MULTI", "+OK\r\n");
    ASK("SET a 1", "+QUEUED\r\n");
    ASK("INCR a", "+QUEUED\r\n");
    ASK("GET a", "+QUEUED\r\n");
    assert_int_equal(f.w.node->executed_updates, 0);
    ASK("EXEC", "*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n");
    assert_int_equal(f.w.node->executed_updates, 1); /* one command */
    ASK("EXEC", "-ERR EXEC without MULTI\r\n");
    ASK("DISCARD", "-ERR DISCARD without MULTI\r\n");
    ASK("MULTI\r\nSET a 9\r\nDISCARD\r\nGET a", "+OK\r\n+QUEUED\r\n+OK\r\n$1\r\n2\r\n");
    ASK("MULTI\r\nEXEC", "+OK\r\n*0\r\n");
    ASK("MULTI\r\nGET none\r\nEXEC", "+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n");
    end(&f);
}

/* The front's own commands are answered in their places, when the transaction executes. */
static void test_front_commands_inside(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("MULTI\r\nPING\r\nSET a 1\r\nECHO hi\r\nCLIENT SETNAME me\r\nINCR a\r\nCLIENT GETNAME\r\nTIME\r\nEXEC\r\nPING",
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
        "*7\r\n+PONG\r\n+OK\r\n$2\r\nhi\r\n+OK\r\n:2\r\n$2\r\nme\r\n*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n+PONG\r\n");
    ASK("MULTI\r\nPING\r\nECHO a\r\nEXEC", "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+PONG\r\n$1\r\na\r\n");
    assert_int_equal(f.w.node->executed_updates, 1); /* the second needed nobody */
    /* A transaction that fails leaves no trace of them either. */
    ASK("WATCH a\r\nSET a 5", "+OK\r\n+OK\r\n");
    ASK("MULTI\r\nCLIENT SETNAME other\r\nINCR a\r\nEXEC", "+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n");
    ASK("CLIENT GETNAME", "$2\r\nme\r\n");
    end(&f);
}

static void test_abort(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("MULTI\r\nSET a 1\r\nbogus\r\nEXEC",
        "+OK\r\n+QUEUED\r\n-ERR unknown command 'bogus', with args beginning with: \r\n"
        "-EXECABORT Transaction discarded because of previous errors.\r\n");
    ASK("MULTI\r\nGET\r\nEXEC", "+OK\r\n-ERR wrong number of arguments for 'get' command\r\n"
                                "-EXECABORT Transaction discarded because of previous errors.\r\n");
    ASK("MULTI\r\nWAIT 1 0\r\nEXEC", "+OK\r\n-ERR Command not allowed inside a transaction\r\n"
                                     "-EXECABORT Transaction discarded because of previous errors.\r\n");
    ASK("MULTI\r\nINCR a\r\nEXEC x\r\nEXEC",
        "+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n"
        "-ERR EXEC without MULTI\r\n");
    ASK("MULTI\r\nMULTI\r\nWATCH a\r\nSET a 1\r\nEXEC",
        "+OK\r\n-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    assert_int_equal(f.w.node->executed_updates, 1);
    end(&f);
}

static void test_watch(void **state)
{
    (void)state;
    struct fixture f = begin();
    struct connection *other = client_connect(&f.w);
    ASK("SET a 1", "+OK\r\n");
    ASK("WATCH a b", "+OK\r\n");
    ASK("MULTI\r\nSET a 2\r\nEXEC", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    ASK("WATCH a\r\nMULTI\r\nGET a", "+OK\r\n+OK\r\n+QUEUED\r\n");
    client_ask(&f.w, other, "SET a 3\r\n", "+OK\r\n");
    ASK("EXEC", "*-1\r\n");
    ASK("MULTI\r\nGET a\r\nEXEC", "+OK\r\n+QUEUED\r\n*1\r\n$1\r\n3\r\n"); /* EXEC ends the watch */
    ASK("WATCH none", "+OK\r\n");
    client_ask(&f.w, other, "SET none 1\r\n", "+OK\r\n");
    ASK("MULTI\r\nGET a\r\nEXEC", "+OK\r\n+QUEUED\r\n*-1\r\n");
    ASK("WATCH a", "+OK\r\n");
    client_ask(&f.w, other, "SET a 3\r\n", "+OK\r\n");
    ASK("UNWATCH\r\nMULTI\r\nGET a\r\nEXEC", "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n3\r\n");
    ASK("WATCH a", "+OK\r\n");
    client_ask(&f.w, other, "SET a 4\r\n", "+OK\r\n");
    ASK("MULTI\r\nDISCARD\r\nMULTI\r\nGET a\r\nEXEC", "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n4\r\n");
    ASK("WATCH a\r\nWATCH b", "+OK\r\n+OK\r\n"); /* two add up */
    client_ask(&f.w, other, "SET a 5\r\n", "+OK\r\n");
    ASK("MULTI\r\nGET a\r\nEXEC", "+OK\r\n+QUEUED\r\n*-1\r\n");
    (void)client_answer(&f.w, f.c, "HELLO 3\r\n");
    ASK("WATCH a\r\nSET a 1\r\nMULTI\r\nPING\r\nEXEC", "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n_\r\n");
    end(&f);
}

/* All in one pipeline: EXEC needs the answer of WATCH, and what follows WATCH must not overtake it. */
static void test_watch_in_a_pipeline(void **state)
{
    (void)state;
    struct fixture f = begin();
    struct connection *other = client_connect(&f.w);
    f.w.node->hold[0] = f.w.node->hold[1] = true;
    client_send(&f.w, f.c, "SET a 1\r\nWATCH a\r\nMULTI\r\nINCR a\r\nEXEC\r\nGET a\r\n");
    fake_world_turn(&f.w);
    assert_int_equal(f.w.node->lanes[0].count, 2); /* WATCH behind an update goes through the log */
    fake_answer(f.w.node, false, 1);
    (void)front_turn(f.w.front, f.w.now_ns, 0);
    client_expect(f.c, "+OK\r\n");
    fake_answer(f.w.node, false, 1);
    client_send(&f.w, other, "SET a 7\r\n"); /* comes between WATCH and EXEC */
    (void)front_turn(f.w.front, f.w.now_ns, 0);
    f.w.node->hold[0] = f.w.node->hold[1] = false;
    fake_world_turn(&f.w);
    client_expect(f.c, "+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n$1\r\n7\r\n");
    end(&f);
}

static void test_exec_refused(void **state)
{
    (void)state;
    struct fixture f = begin();
    f.w.node->refuse = "INDETERMINATE who knows";
    f.w.node->refuse_kind = ANSWER_INDETERMINATE;
    ASK("MULTI\r\nPING\r\nINCR a\r\nEXEC\r\nPING",
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n-INDETERMINATE who knows\r\n+PONG\r\n");
    ASK("SET a 1\r\nWATCH a", "-INDETERMINATE who knows\r\n-INDETERMINATE who knows\r\n");
    f.w.node->refuse = NULL;
    ASK("MULTI\r\nINCR a\r\nEXEC", "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
    end(&f);
}

/* A client that goes while its EXEC, with commands of the front in it, is under way. */
static void test_gone_while_executing(void **state)
{
    (void)state;
    struct fixture f = begin();
    f.w.node->hold[0] = true;
    client_send(&f.w, f.c, "MULTI\r\nPING\r\nINCR a\r\nEXEC\r\nPING\r\n");
    front_disconnected(f.w.front, f.c);
    fake_answer(f.w.node, false, 1);
    end(&f);
}

static void test_queue_limit(void **state)
{
    (void)state;
    struct front_options options;
    front_options_default(&options);
    options.query_bytes_max = 1024;
    struct fixture f = {.w = fake_world_create(&options)};
    f.c = client_connect(&f.w);
    char value[400] = "SET a ";
    memset(value + 6, 'v', 300);
    memcpy(value + 306, "\r\n", 3);
    client_ask(&f.w, f.c, "MULTI\r\n", "+OK\r\n");
    for (int i = 0; i < 3; i++)
        client_ask(&f.w, f.c, value, "+QUEUED\r\n");
    client_ask(&f.w, f.c, value, "-ERR the transaction is larger than the limit client-query-buffer-limit\r\n");
    ASK("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    end(&f);
}

/* ---- WAIT ---- */

static void test_wait(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("WAIT x 0", "-ERR value is not an integer or out of range\r\n");
    ASK("WAIT 1 x", "-ERR timeout is not an integer or out of range\r\n");
    ASK("WAIT 1 -1", "-ERR timeout is negative\r\n");
    ASK("WAIT 3 0", ":2\r\n"); /* nothing written: the members that are connected */
    assert_int_equal(f.w.node->counts_asked, 0);
    ASK("SET a 1\r\nWAIT 2 0", "+OK\r\n:3\r\n");
    assert_int_equal(f.w.node->counts_asked, 1);
    ASK("GET a\r\nWAIT 0 0\r\nPING", "$1\r\n1\r\n:3\r\n+PONG\r\n");
    end(&f);
}

static void test_wait_polls(void **state)
{
    (void)state;
    struct fixture f = begin();
    f.w.node->stored_by = 1;
    client_send(&f.w, f.c, "SET a 1\r\nWAIT 2 100\r\nPING\r\n");
    fake_world_turn(&f.w);
    client_expect(f.c, "+OK\r\n");
    assert_false(connection_wants_read(f.c));
    assert_true(front_next_timer_ns(f.w.front) == f.w.now_ns + 10 * NS_PER_MS);
    uint64_t asked = f.w.node->counts_asked;
    f.w.now_ns += 9 * NS_PER_MS;
    fake_world_turn(&f.w);
    assert_int_equal(f.w.node->counts_asked, asked);
    f.w.now_ns += 1 * NS_PER_MS;
    fake_world_turn(&f.w);
    assert_int_equal(f.w.node->counts_asked, asked + 1);
    f.w.node->stored_by = 2;
    f.w.now_ns += 10 * NS_PER_MS;
    fake_world_turn(&f.w);
    client_expect(f.c, ":2\r\n+PONG\r\n");
    assert_true(front_next_timer_ns(f.w.front) == INT64_MAX);
    end(&f);
}

/* At the deadline the best count so far is answered, even while a question is under way; its answer finds nobody. */
static void test_wait_deadline(void **state)
{
    (void)state;
    struct fixture f = begin();
    f.w.node->stored_by = 1;
    client_send(&f.w, f.c, "SET a 1\r\nWAIT 3 50\r\n");
    fake_world_turn(&f.w);
    f.w.node->hold_counts = true;
    f.w.now_ns += 20 * NS_PER_MS;
    fake_world_turn(&f.w);
    assert_true(front_next_timer_ns(f.w.front) == f.w.now_ns + 30 * NS_PER_MS);
    f.w.now_ns += 30 * NS_PER_MS;
    fake_world_turn(&f.w);
    client_expect(f.c, "+OK\r\n:1\r\n");
    f.w.node->hold[0] = true;
    for (int i = 0; i < 8; i++) /* as many as the ring of slots has, so one of them is where WAIT was */
        client_send(&f.w, f.c, "INCR n\r\n");
    f.w.node->hold_counts = false;
    fake_world_turn(&f.w);
    client_expect(f.c, "");
    f.w.node->hold[0] = false;
    ASK("WAIT 1 0", ":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:1\r\n");
    end(&f);
}

static void test_wait_and_gone(void **state)
{
    (void)state;
    struct fixture f = begin();
    f.w.node->stored_by = 1;
    client_send(&f.w, f.c, "SET a 1\r\nWAIT 3 0\r\n");
    fake_world_turn(&f.w);
    f.w.node->hold_counts = true;
    f.w.now_ns += 20 * NS_PER_MS;
    fake_world_turn(&f.w);
    front_disconnected(f.w.front, f.c);
    f.w.node->hold_counts = false;
    f.w.now_ns += 20 * NS_PER_MS;
    fake_world_turn(&f.w);
    assert_true(front_next_timer_ns(f.w.front) == INT64_MAX);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_front_commands_inside),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_watch_in_a_pipeline),
        cmocka_unit_test(test_exec_refused),
        cmocka_unit_test(test_gone_while_executing),
        cmocka_unit_test(test_queue_limit),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_wait_polls),
        cmocka_unit_test(test_wait_deadline),
        cmocka_unit_test(test_wait_and_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
