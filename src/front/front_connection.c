/* Commands about the connection itself: PING ECHO HELLO AUTH SELECT RESET QUIT READONLY READWRITE. Texts and shapes are
 * those of Redis 7.0. There is one user, "default", without a password. */
#include "base/number.h"
#include "front/front_internal.h"
#include "front/front_text.h"

void front_ping(struct front_call *call, struct buffer *reply)
{
    if (call->words.count == 1)
        (void)reply_simple(reply, "PONG");
    else if (call->words.count == 2)
        (void)reply_bulk(reply, call_argument(call, 1));
    else
        (void)reply_error(reply, "ERR wrong number of arguments for 'ping' command");
}

void front_echo(struct front_call *call, struct buffer *reply)
{
    (void)reply_bulk(reply, call_argument(call, 1));
}

static void wrong_password(struct buffer *reply)
{
    (void)reply_error(reply, "WRONGPASS invalid username-password pair or user is disabled.");
}

void front_auth(struct front_call *call, struct buffer *reply)
{
    if (call->words.count > 3)
        (void)reply_error(reply, "ERR syntax error");
    else if (call->words.count == 2)
        (void)reply_error(reply, "ERR AUTH <password> called without any password configured for the default user. "
                                 "Are you sure your configuration is correct?");
    else if (span_equal(call_argument(call, 1), span_string("default")))
        (void)reply_simple(reply, "OK");
    else
        wrong_password(reply);
}

static void reply_text(struct buffer *reply, const char *text)
{
    (void)reply_bulk(reply, span_string(text));
}

static void hello_answer(const struct front_call *call, struct buffer *reply)
{
    (void)reply_map(reply, 7);
    reply_text(reply, "server");
    reply_text(reply, "redis");
    reply_text(reply, "version");
    reply_text(reply, FRONT_REDIS_VERSION);
    reply_text(reply, "proto");
    (void)reply_integer(reply, call->connection->resp3 ? 3 : 2);
    reply_text(reply, "id");
    (void)reply_integer(reply, (int64_t)call->connection->id);
    reply_text(reply, "mode");
    reply_text(reply, "standalone");
    reply_text(reply, "role");
    reply_text(reply, front_is_leader(call->front) ? "master" : "replica");
    reply_text(reply, "modules");
    (void)reply_array(reply, 0);
}

/* HELLO [version [AUTH user password] [SETNAME name]]. Nothing changes unless all of it is right. */
void front_hello(struct front_call *call, struct buffer *reply)
{
    int64_t version = call->connection->resp3 ? 3 : 2;
    if (call->words.count >= 2) {
        if (!number_parse_i64(call_argument(call, 1), &version)) {
            (void)reply_error(reply, "ERR Protocol version is not an integer or out of range");
            return;
        }
        if (version != 2 && version != 3) {
            (void)reply_error(reply, "NOPROTO unsupported protocol version");
            return;
        }
    }
    uint32_t name_place = 0;
    for (uint32_t at = 2; at < call->words.count;) {
        struct span word = call_argument(call, at);
        uint32_t left = call->words.count - at - 1;
        if (front_same(word, "AUTH") && left >= 2) {
            if (!span_equal(call_argument(call, at + 1), span_string("default"))) {
                wrong_password(reply);
                return;
            }
            at += 3;
        } else if (front_same(word, "SETNAME") && left >= 1) {
            name_place = at + 1;
            at += 2;
        } else {
            buffer_clear(&call->front->text);
            front_print(&call->front->text, "ERR Syntax error in HELLO option '%.*s'",
                        (int)(word.size < 128 ? word.size : 128), (const char *)word.data);
            (void)resp_error_write(reply, buffer_span(&call->front->text));
            return;
        }
    }
    if (name_place != 0 &&
        !front_client_set_text(call->connection, &call->connection->name, call_argument(call, name_place))) {
        (void)reply_error(reply, "ERR Client names cannot contain spaces, newlines or special characters.");
        return;
    }
    call->connection->resp3 = version == 3;
    hello_answer(call, reply);
}

void front_select(struct front_call *call, struct buffer *reply)
{
    int64_t place;
    if (!number_parse_i64(call_argument(call, 1), &place))
        (void)reply_error(reply, "ERR value is not an integer or out of range");
    else if (place < INT32_MIN || place > INT32_MAX)
        (void)reply_error(reply, "ERR value is out of range, value must between -2147483648 and 2147483647");
    else if (place != 0)
        (void)reply_error(reply, "ERR DB index is out of range");
    else
        (void)reply_simple(reply, "OK");
}

void front_reset(struct front_call *call, struct buffer *reply)
{
    struct connection *connection = call->connection;
    front_multi_reset(connection);
    connection->resp3 = false;
    connection->readonly = false;
    connection->silent = false;
    connection->silent_next = 0;
    heap_free(call->front->heap, connection->name);
    connection->name = NULL;
    (void)reply_simple(reply, "RESET");
}

void front_quit(struct front_call *call, struct buffer *reply)
{
    connection_end(call->connection);
    (void)reply_simple(reply, "OK");
}

void front_readonly(struct front_call *call, struct buffer *reply)
{
    call->connection->readonly = true;
    (void)reply_simple(reply, "OK");
}

void front_readwrite(struct front_call *call, struct buffer *reply)
{
    call->connection->readonly = false;
    (void)reply_simple(reply, "OK");
}
