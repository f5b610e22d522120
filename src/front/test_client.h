/* Clients for the front's tests: they send text, and compare what comes back with text. Included by tests only. */
#ifndef LOCKSTEP_FRONT_TEST_CLIENT_H
#define LOCKSTEP_FRONT_TEST_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "front/fake_node.h"

static inline struct connection *client_connect(struct fake_world *world)
{
    struct connection *connection = front_accept(world->front, "127.0.0.1:50000", "127.0.0.1:7001", world);
    assert_non_null(connection);
    return connection;
}

static inline void client_send(struct fake_world *world, struct connection *connection, const char *text)
{
    /* An own copy of exactly this size, so that a sanitizer sees reads beyond it, and uses after it. */
    size_t size = strlen(text);
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    memcpy(bytes, text, size);
    front_receive(world->front, connection, bytes, size);
    free(bytes);
}

/* What is there to be sent is exactly this; it counts as sent then. */
static inline void client_expect_at(struct connection *connection, const char *text, const char *file, int line)
{
    struct span output = connection_output(connection);
    if (!span_equal(output, span_string(text))) {
        print_error("got:  %.*s\nwant: %s\n", (int)output.size, output.data == NULL ? "" : (const char *)output.data,
                    text);
        _fail(file, line);
    }
    connection_output_sent(connection, output.size);
}
#define client_expect(connection, text) client_expect_at((connection), (text), __FILE__, __LINE__)

/* Sends, turns, compares. */
static inline void client_ask_at(struct fake_world *world, struct connection *connection, const char *text,
                                 const char *answer, const char *file, int line)
{
    client_send(world, connection, text);
    fake_world_turn(world);
    client_expect_at(connection, answer, file, line);
}
#define client_ask(world, connection, text, answer) \
    client_ask_at((world), (connection), (text), (answer), __FILE__, __LINE__)

/* Sends, turns, and returns the answer as a string, valid until the next one. */
static inline const char *client_answer(struct fake_world *world, struct connection *connection, const char *text)
{
    static char answer[1 << 18];
    client_send(world, connection, text);
    fake_world_turn(world);
    struct span output = connection_output(connection);
    assert_true(output.size < sizeof answer);
    if (output.size > 0)
        memcpy(answer, output.data, output.size);
    answer[output.size] = '\0';
    connection_output_sent(connection, output.size);
    return answer;
}

static inline void assert_has_at(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part) == NULL) {
        print_error("%s\nhas no %s\n", text, part);
        _fail(file, line);
    }
}
#define assert_has(text, part) assert_has_at((text), (part), __FILE__, __LINE__)

#endif
