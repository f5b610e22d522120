/* The C library, through its public header alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lockstep.h"

enum { REPLIES_MAX = 64 };

struct fixture {
    char data[32];
    struct lockstep *node;
    int called, closed;
    char replies[REPLIES_MAX][128];
    int nested; /* commands that the callback still hands in itself */
};

static void answered(void *context, int status, const char *reply, size_t size)
{
    struct fixture *fixture = context;
    if (status == LOCKSTEP_ERROR_CLOSED) {
        assert_null(reply);
        fixture->closed++;
        return;
    }
    assert_int_equal(status, LOCKSTEP_OK);
    if (fixture->called < REPLIES_MAX)
        snprintf(fixture->replies[fixture->called], sizeof fixture->replies[0], "%.*s", (int)size, reply);
    fixture->called++;
    if (fixture->nested > 0) {
        static const char *const command[] = {"INCR", "nested"};
        fixture->nested--;
        assert_int_equal(lockstep_execute(fixture->node, 2, command, NULL, answered, fixture), LOCKSTEP_OK);
    }
}

static void quiet(void *context, enum lockstep_log_level level, const char *sentence)
{
    (void)context;
    (void)level;
    (void)sentence;
}

static void open_node(struct fixture *fixture)
{
    struct lockstep_options options;
    char why[LOCKSTEP_WHY_SIZE] = "";
    lockstep_options_init(&options);
    options.data = fixture->data;
    options.log = quiet;
    if (lockstep_open(&options, &fixture->node, why, sizeof why) != LOCKSTEP_OK)
        fail_msg("%s", why);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->data, "library-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->data));
    open_node(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    char command[64];
    lockstep_close(fixture->node);
    snprintf(command, sizeof command, "rm -rf ./%s", fixture->data);
    int result = system(command);
    free(fixture);
    return result;
}

static int execute(struct fixture *fixture, const char *a, const char *b, const char *c)
{
    const char *command[] = {a, b, c};
    return lockstep_execute(fixture->node, c != NULL ? 3 : b != NULL ? 2 : 1, command, NULL, answered, fixture);
}

static void wait_for(struct fixture *fixture, int count)
{
    for (int i = 0; i < 1000 && fixture->called < count; i++)
        assert_true(lockstep_poll(fixture->node, 20) >= 0);
    assert_int_equal(fixture->called, count);
}

static void answers_come_in_order_and_only_from_poll(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(execute(fixture, "SET", "a", "1"), LOCKSTEP_OK);
    assert_int_equal(execute(fixture, "PING", NULL, NULL), LOCKSTEP_OK);
    assert_int_equal(execute(fixture, "GET", "a", NULL), LOCKSTEP_OK);
    assert_int_equal(execute(fixture, "GET", "b", NULL), LOCKSTEP_OK);
    assert_int_equal(execute(fixture, "INCR", "a", NULL), LOCKSTEP_OK);
    assert_int_equal(execute(fixture, "SET", "text", "x"), LOCKSTEP_OK);
    assert_int_equal(execute(fixture, "INCR", "text", NULL), LOCKSTEP_OK);
    assert_int_equal(fixture->called, 0);
    wait_for(fixture, 7);
    assert_string_equal(fixture->replies[0], "+OK\r\n");
    assert_string_equal(fixture->replies[1], "+PONG\r\n");
    assert_string_equal(fixture->replies[2], "$1\r\n1\r\n");
    assert_string_equal(fixture->replies[3], "_\r\n");
    assert_string_equal(fixture->replies[4], ":2\r\n");
    assert_memory_equal(fixture->replies[6], "-ERR value is not an integer", 28);
    assert_int_equal(lockstep_unanswered(fixture->node), 0);
}

static void arguments_may_hold_any_bytes(void **state)
{
    struct fixture *fixture = *state;
    static const char *const set[] = {"SET", "k\0\r\n", "\r\n$1\0"};
    static const char *const length[] = {"STRLEN", "k\0\r\n"};
    static const size_t set_sizes[] = {3, 4, 5}, length_sizes[] = {6, 4};
    assert_int_equal(lockstep_execute(fixture->node, 3, set, set_sizes, answered, fixture), LOCKSTEP_OK);
    assert_int_equal(lockstep_execute(fixture->node, 2, length, length_sizes, answered, fixture), LOCKSTEP_OK);
    wait_for(fixture, 2);
    assert_string_equal(fixture->replies[1], ":5\r\n");
}

static void a_callback_may_hand_in_commands(void **state)
{
    struct fixture *fixture = *state;
    fixture->nested = 50;
    assert_int_equal(execute(fixture, "SET", "a", "1"), LOCKSTEP_OK);
    wait_for(fixture, 51);
    assert_string_equal(fixture->replies[50], ":50\r\n");
}

static void what_was_answered_survives(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(execute(fixture, "SET", "a", "kept"), LOCKSTEP_OK);
    wait_for(fixture, 1);
    lockstep_close(fixture->node);
    open_node(fixture);
    assert_int_equal(execute(fixture, "GET", "a", NULL), LOCKSTEP_OK);
    wait_for(fixture, 2);
    assert_string_equal(fixture->replies[1], "$4\r\nkept\r\n");
}

/* One of three nodes, alone: nothing can be committed, and nobody may be left waiting. */
static void closing_ends_what_cannot_be_answered(void **state)
{
    struct fixture *fixture = *state;
    struct lockstep_options options;
    struct lockstep_status status;
    char why[LOCKSTEP_WHY_SIZE] = "";
    lockstep_close(fixture->node);
    lockstep_options_init(&options);
    strcat(fixture->data, "/3");
    options.data = fixture->data;
    options.peers = "1=127.0.0.1:1,2=127.0.0.1:2,3=127.0.0.1:3";
    options.peer_listen = "127.0.0.1:0";
    options.init = 1;
    options.log = quiet;
    assert_int_equal(lockstep_open(&options, &fixture->node, why, sizeof why), LOCKSTEP_OK);
    fixture->data[strlen("library-test-XXXXXX")] = '\0';
    for (int i = 0; i < 10; i++)
        assert_int_equal(execute(fixture, "INCR", "a", NULL), LOCKSTEP_OK);
    assert_true(lockstep_poll(fixture->node, 20) >= 0);
    lockstep_status(fixture->node, &status);
    assert_int_equal(status.peers, 2);
    assert_int_equal(status.peers_connected, 0);
    lockstep_close(fixture->node);
    fixture->node = NULL;
    assert_int_equal(fixture->called + fixture->closed, 10);
    assert_true(fixture->closed >= 1);
}

static void commands_without_one_answer_are_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(execute(fixture, "subscribe", "a", NULL), LOCKSTEP_ERROR_INVALID);
    assert_int_equal(execute(fixture, "HELLO", "2", NULL), LOCKSTEP_ERROR_INVALID);
    assert_int_equal(execute(fixture, "Quit", NULL, NULL), LOCKSTEP_ERROR_INVALID);
    assert_int_equal(execute(fixture, "client", "reply", "off"), LOCKSTEP_ERROR_INVALID);
    assert_int_equal(lockstep_execute(fixture->node, 0, NULL, NULL, answered, fixture), LOCKSTEP_ERROR_INVALID);
    assert_int_equal(lockstep_unanswered(fixture->node), 1); /* the greeting of the library itself */
}

static void a_directory_in_use_is_explained(void **state)
{
    struct fixture *fixture = *state;
    struct lockstep_options options;
    struct lockstep *second;
    char why[LOCKSTEP_WHY_SIZE] = "";
    lockstep_options_init(&options);
    options.data = fixture->data;
    options.log = quiet;
    assert_int_equal(lockstep_open(&options, &second, why, sizeof why), LOCKSTEP_ERROR_BUSY);
    assert_null(second);
    assert_non_null(strstr(why, fixture->data));
    options.size = 1;
    assert_int_equal(lockstep_open(&options, &second, NULL, 0), LOCKSTEP_ERROR_INVALID);
}

static void status_shows_the_only_node_as_leader(void **state)
{
    struct fixture *fixture = *state;
    struct lockstep_status status;
    assert_int_equal(execute(fixture, "SET", "a", "1"), LOCKSTEP_OK);
    wait_for(fixture, 1);
    lockstep_status(fixture->node, &status);
    assert_int_equal(status.id, 1);
    assert_int_equal(status.leader, 1);
    assert_int_equal(status.items, 1);
    assert_true(status.commit_index >= 1);
    assert_int_equal(status.peers, 0);
}

#define LIBRARY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIBRARY_TEST(answers_come_in_order_and_only_from_poll),
        LIBRARY_TEST(arguments_may_hold_any_bytes),
        LIBRARY_TEST(a_callback_may_hand_in_commands),
        LIBRARY_TEST(what_was_answered_survives),
        LIBRARY_TEST(closing_ends_what_cannot_be_answered),
        LIBRARY_TEST(commands_without_one_answer_are_refused),
        LIBRARY_TEST(a_directory_in_use_is_explained),
        LIBRARY_TEST(status_shows_the_only_node_as_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
