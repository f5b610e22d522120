/* CLIENT and its subcommands. The line of CLIENT LIST has the fields of Redis 7.0, and lib-name and lib-ver of 7.2. */
#include "base/number.h"
#include "base/time.h"
#include "front/front_internal.h"
#include "front/front_text.h"

void front_client_id(struct front_call *call, struct buffer *reply)
{
    (void)reply_integer(reply, (int64_t)call->connection->id);
}

bool front_client_set_text(struct connection *connection, char **field, struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    struct heap *heap = connection->front->heap;
    char *copy = NULL;
    if (text.size > 0) {
        copy = heap_alloc(heap, text.size + 1);
        if (copy == NULL)
            return false;
        memcpy(copy, text.data, text.size);
        copy[text.size] = '\0';
    }
    heap_free(heap, *field);
    *field = copy;
    return true;
}

void front_client_setname(struct front_call *call, struct buffer *reply)
{
    if (front_client_set_text(call->connection, &call->connection->name, call_argument(call, 2)))
        (void)reply_simple(reply, "OK");
    else
        (void)reply_error(reply, "ERR Client names cannot contain spaces, newlines or special characters.");
}

void front_client_getname(struct front_call *call, struct buffer *reply)
{
    if (call->connection->name == NULL)
        (void)reply_null(reply);
    else
        (void)reply_bulk(reply, span_string(call->connection->name));
}

static void unknown(const struct front_call *call, const char *what, struct span name, struct buffer *reply)
{
    buffer_clear(&call->front->text);
    front_print(&call->front->text, "%s '%.*s'", what, (int)(name.size < 128 ? name.size : 128),
                (const char *)name.data);
    (void)resp_error_write(reply, buffer_span(&call->front->text));
}

void front_client_setinfo(struct front_call *call, struct buffer *reply)
{
    struct span what = call_argument(call, 2);
    bool is_name = front_same(what, "lib-name");
    if (!is_name && !front_same(what, "lib-ver")) {
        unknown(call, "ERR Unrecognized option", what, reply);
        return;
    }
    char **field = is_name ? &call->connection->library_name : &call->connection->library_version;
    if (front_client_set_text(call->connection, field, call_argument(call, 3)))
        (void)reply_simple(reply, "OK");
    else
        (void)reply_error(reply, is_name ? "ERR lib-name cannot contain spaces, newlines or special characters."
                                         : "ERR lib-ver cannot contain spaces, newlines or special characters.");
}

/* ---- listing ---- */

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static void describe(const struct connection *connection, struct buffer *out)
{
    const struct front *front = connection->front;
    const struct command_spec *last = command_by_op(connection->last_op);
    const struct transaction *transaction = connection->transaction;
    bool collecting = front_multi_open(connection);
    const char *flags = connection->ending ? "A" : collecting ? "x" : connection->readonly ? "r" : "N";
    front_print(out, "id=%llu addr=%s laddr=%s fd=%u name=%s age=%lld idle=%lld flags=%s db=0 sub=0 psub=0 ssub=0 ",
                (unsigned long long)connection->id, connection->peer, connection->local, connection->place,
                text_or_empty(connection->name), (long long)((front->now_ns - connection->created_ns) / NS_PER_S),
                (long long)((front->now_ns - connection->active_ns) / NS_PER_S), flags);
    front_print(out, "multi=%lld qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=%zu rbs=%zu rbp=0 obl=0 oll=0 omem=%zu ",
                collecting ? (long long)transaction->count : -1LL, resp_parser_kept(&connection->parser),
                connection->parser.rest.capacity - connection->parser.rest.size,
                transaction == NULL ? (size_t)0 : transaction->queued.size, connection->output.capacity,
                connection->output.size - connection->output_sent);
    front_print(out, "tot-mem=%zu events=r cmd=%s user=default redir=-1 resp=%d lib-name=%s lib-ver=%s",
                connection_memory(connection), last == NULL ? "NULL" : last->name, connection->resp3 ? 3 : 2,
                text_or_empty(connection->library_name), text_or_empty(connection->library_version));
}

void front_client_info(struct front_call *call, struct buffer *reply)
{
    struct buffer *text = &call->front->text;
    buffer_clear(text);
    describe(call->connection, text);
    (void)buffer_append(text, "\n", 1);
    (void)reply_verbatim(reply, buffer_span(text));
}

/* The next connection that a client may know of, from place `*at` on. */
static struct connection *walk(struct front *front, uint32_t *at)
{
    while (*at < front->place_count) {
        struct connection *connection = front->places[(*at)++].connection;
        if (connection != NULL && !connection->gone && !connection->broken)
            return connection;
    }
    return NULL;
}

static bool id_listed(const struct front_call *call, uint32_t first, uint64_t id)
{
    uint64_t wanted;
    for (uint32_t i = first; i < call->words.count; i++)
        if (front_number(call_argument(call, i), &wanted) && wanted == id)
            return true;
    return false;
}

static bool is_client_type(struct span word)
{
    return front_same(word, "normal") || front_same(word, "master") || front_same(word, "replica") ||
           front_same(word, "slave") || front_same(word, "pubsub");
}

static void unknown_type(const struct front_call *call, struct span type, struct buffer *reply)
{
    unknown(call, "ERR Unknown client type", type, reply);
}

/* CLIENT LIST [TYPE type] or [ID id …]. All clients here are of the type "normal". */
void front_client_list(struct front_call *call, struct buffer *reply)
{
    bool by_id = false, none = false;
    if (call->words.count == 4 && front_same(call_argument(call, 2), "TYPE")) {
        if (!is_client_type(call_argument(call, 3))) {
            unknown_type(call, call_argument(call, 3), reply);
            return;
        }
        none = !front_same(call_argument(call, 3), "normal");
    } else if (call->words.count >= 4 && front_same(call_argument(call, 2), "ID")) {
        by_id = true;
        uint64_t id;
        for (uint32_t i = 3; i < call->words.count; i++) {
            if (!front_number(call_argument(call, i), &id) || id == 0) {
                (void)reply_error(reply, "ERR Invalid client ID");
                return;
            }
        }
    } else if (call->words.count != 2) {
        (void)reply_error(reply, "ERR syntax error");
        return;
    }
    struct buffer *text = &call->front->text;
    buffer_clear(text);
    uint32_t at = 0;
    struct connection *connection;
    while (!none && (connection = walk(call->front, &at)) != NULL) {
        if (by_id && !id_listed(call, 3, connection->id))
            continue;
        describe(connection, text);
        (void)buffer_append(text, "\n", 1);
    }
    (void)reply_verbatim(reply, buffer_span(text));
}

/* ---- killing ---- */

struct kill_filter {
    struct span address, local_address;
    uint64_t id;
    uint64_t age_s; /* at least */
    bool by_address, by_local_address, by_id, by_age, none, skip_me;
};

static bool kill_matches(const struct front_call *call, const struct kill_filter *filter,
                         const struct connection *connection)
{
    int64_t age_s = (call->front->now_ns - connection->created_ns) / NS_PER_S;
    return !filter->none && !(filter->skip_me && connection == call->connection) &&
           !(filter->by_id && connection->id != filter->id) &&
           !(filter->by_address && !span_equal(filter->address, span_string(connection->peer))) &&
           !(filter->by_local_address && !span_equal(filter->local_address, span_string(connection->local))) &&
           !(filter->by_age && (uint64_t)age_s < filter->age_s);
}

/* The own connection still gets its answer. */
static uint64_t kill_all(const struct front_call *call, const struct kill_filter *filter)
{
    uint64_t count = 0;
    uint32_t at = 0;
    struct connection *connection;
    while ((connection = walk(call->front, &at)) != NULL) {
        if (!kill_matches(call, filter, connection))
            continue;
        count++;
        if (connection == call->connection)
            connection_end(connection);
        else
            connection_break(connection);
    }
    return count;
}

/* One filter and its value; false: `reply` has the error. */
static bool kill_filter_read(const struct front_call *call, uint32_t at, struct kill_filter *filter,
                             struct buffer *reply)
{
    struct span name = call_argument(call, at), value = call_argument(call, at + 1);
    if (front_same(name, "ID")) {
        filter->by_id = front_number(value, &filter->id) && filter->id > 0;
        if (!filter->by_id)
            (void)reply_error(reply, "ERR client-id should be greater than 0");
        return filter->by_id;
    }
    if (front_same(name, "MAXAGE")) {
        filter->by_age = front_number(value, &filter->age_s);
        if (!filter->by_age)
            (void)reply_error(reply, "ERR maxage is not an integer or out of range");
        return filter->by_age;
    }
    if (front_same(name, "ADDR")) {
        filter->by_address = true;
        filter->address = value;
    } else if (front_same(name, "LADDR")) {
        filter->by_local_address = true;
        filter->local_address = value;
    } else if (front_same(name, "TYPE") && is_client_type(value)) {
        filter->none = filter->none || !front_same(value, "normal");
    } else if (front_same(name, "TYPE")) {
        unknown_type(call, value, reply);
        return false;
    } else if (front_same(name, "USER")) {
        if (!span_equal(value, span_string("default"))) {
            unknown(call, "ERR No such user", value, reply);
            return false;
        }
    } else if (front_same(name, "SKIPME") && (front_same(value, "yes") || front_same(value, "no"))) {
        filter->skip_me = front_same(value, "yes");
    } else {
        (void)reply_error(reply, "ERR syntax error");
        return false;
    }
    return true;
}

/* CLIENT KILL address, or CLIENT KILL filter value … */
void front_client_kill(struct front_call *call, struct buffer *reply)
{
    struct kill_filter filter = {0};
    if (call->words.count == 3) {
        filter.by_address = true;
        filter.address = call_argument(call, 2);
        if (kill_all(call, &filter) > 0)
            (void)reply_simple(reply, "OK");
        else
            (void)reply_error(reply, "ERR No such client");
        return;
    }
    if (call->words.count % 2 != 0) {
        (void)reply_error(reply, "ERR syntax error");
        return;
    }
    filter.skip_me = true;
    for (uint32_t at = 2; at < call->words.count; at += 2)
        if (!kill_filter_read(call, at, &filter, reply))
            return;
    (void)reply_integer(reply, (int64_t)kill_all(call, &filter));
}

/* ---- the rest ---- */

void front_client_no_evict(struct front_call *call, struct buffer *reply)
{
    struct span word = call_argument(call, 2);
    if (front_same(word, "on") || front_same(word, "off"))
        (void)reply_simple(reply, "OK");
    else
        (void)reply_error(reply, "ERR syntax error");
}

void front_client_reply(struct front_call *call, struct buffer *reply)
{
    struct connection *connection = call->connection;
    struct span word = call_argument(call, 2);
    if (front_same(word, "on")) {
        connection->silent = false;
        connection->silent_next = 0;
    } else if (front_same(word, "off")) {
        connection->silent = true;
    } else if (front_same(word, "skip")) {
        if (!connection->silent)
            connection->silent_next = 2;
    } else {
        (void)reply_error(reply, "ERR syntax error");
        return;
    }
    (void)reply_simple(reply, "OK"); /* which only ON lets through */
}

void front_client_help(struct front_call *call, struct buffer *reply)
{
    static const char *const lines[] = {
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GETNAME",
        "    Name of this connection.",
        "ID",
        "    Number of this connection.",
        "INFO",
        "    Describes this connection.",
        "KILL <ip:port> | <option> <value> [<option> <value> ...]",
        "    Closes connections. Options: ADDR, LADDR, ID, TYPE, USER, MAXAGE, SKIPME (yes|no).",
        "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID id [id ...]]",
        "    Describes connections, one a line.",
        "NO-EVICT (ON|OFF)",
        "    Taken for compatibility: connections are never evicted.",
        "REPLY (ON|OFF|SKIP)",
        "    Switches the answers to this connection.",
        "SETINFO (LIB-NAME|LIB-VER) <text>",
        "    Tells the name or version of the client library.",
        "SETNAME <name>",
        "    Gives this connection a name.",
        "HELP",
        "    Prints this help.",
    };
    (void)call;
    (void)reply_array(reply, sizeof lines / sizeof lines[0]);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        (void)reply_simple(reply, lines[i]);
}
