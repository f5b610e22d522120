/* From a parsed command to its answer or to the node: the hot path of a request.
 *
 * Order on a connection (front.h): an update must not overtake reads that are with the node, so it stalls until they
 * are answered; a read must not overtake updates, so it follows them through the log. What the front answers by itself
 * takes a slot when others are unanswered. */
#include "base/panic.h"
#include "front/front_internal.h"
#include "front/front_text.h"

static const struct {
    uint16_t op;
    front_plain *plain;
} plain_commands[] = {
    {OP_PING, front_ping},
    {OP_ECHO, front_echo},
    {OP_HELLO, front_hello},
    {OP_AUTH, front_auth},
    {OP_SELECT, front_select},
    {OP_RESET, front_reset},
    {OP_QUIT, front_quit},
    {OP_READONLY, front_readonly},
    {OP_READWRITE, front_readwrite},
    {OP_CLIENT_ID, front_client_id},
    {OP_CLIENT_SETNAME, front_client_setname},
    {OP_CLIENT_GETNAME, front_client_getname},
    {OP_CLIENT_SETINFO, front_client_setinfo},
    {OP_CLIENT_LIST, front_client_list},
    {OP_CLIENT_KILL, front_client_kill},
    {OP_CLIENT_NO_EVICT, front_client_no_evict},
    {OP_CLIENT_REPLY, front_client_reply},
    {OP_CLIENT_INFO, front_client_info},
    {OP_CLIENT_HELP, front_client_help},
    {OP_INFO, front_info},
    {OP_COMMAND, front_command},
    {OP_COMMAND_COUNT, front_command_count},
    {OP_COMMAND_INFO, front_command_info},
    {OP_COMMAND_DOCS, front_command_docs},
    {OP_COMMAND_LIST, front_command_list},
    {OP_COMMAND_GETKEYS, front_command_getkeys},
    {OP_CONFIG_GET, front_config_get},
    {OP_CONFIG_SET, front_config_set},
    {OP_CONFIG_RESETSTAT, front_config_resetstat},
    {OP_CONFIG_REWRITE, front_config_rewrite},
    {OP_CONFIG_HELP, front_config_help},
    {OP_TIME, front_time},
    {OP_ROLE, front_role},
    {OP_SLOWLOG, front_slowlog},
    {OP_CLUSTER, front_cluster},
    {OP_LOCKSTEP_STATUS, front_lockstep_status},
    {OP_LOCKSTEP_HELP, front_lockstep_help},
    {OP_UNWATCH, front_unwatch},
};

front_plain *front_plain_of(uint16_t op)
{
    for (size_t i = 0; i < sizeof plain_commands / sizeof plain_commands[0]; i++)
        if (plain_commands[i].op == op)
            return plain_commands[i].plain;
    return NULL;
}

static front_control *control_of(uint16_t op)
{
    switch (op) {
    case OP_MULTI:
        return front_multi;
    case OP_EXEC:
        return front_exec;
    case OP_DISCARD:
        return front_discard;
    case OP_WATCH:
        return front_watch;
    case OP_WAIT:
        return front_wait;
    case OP_GROUP_CREATE:
        return front_group_create;
    case OP_GROUP_DROP:
        return front_group_drop;
    case OP_GROUP_LIST:
        return front_group_list;
    case OP_GROUP_INFO:
        return front_group_info;
    case OP_GROUP_ENROL:
        return front_group_enrol;
    case OP_GROUP_EXPEL:
        return front_group_expel;
    case OP_GROUP_CLIENTS:
        return front_group_clients;
    case OP_GROUP_DIRECTORY:
        return front_group_directory;
    default: /* all other ops: uint16_t, no enum */
        return NULL;
    }
}

/* ---- what a command is ---- */

static struct span cut(struct span text, size_t size_max)
{
    return span_of(text.data, text.size < size_max ? text.size : size_max);
}

static void unknown_command(struct front *front, const struct resp_command *words, struct buffer *reply)
{
    struct buffer *text = &front->text;
    buffer_clear(text);
    struct span name = cut(resp_argument(words, 0), 128);
    front_print(text, "ERR unknown command '%.*s', with args beginning with: ", (int)name.size,
                (const char *)name.data);
    size_t begun = text->size;
    for (uint32_t i = 1; i < words->count && text->size - begun < 128; i++) {
        struct span word = cut(resp_argument(words, i), 128 - (text->size - begun));
        front_print(text, "'%.*s' ", (int)word.size, (const char *)word.data);
    }
    (void)resp_error_write(reply, buffer_span(text));
}

static void unknown_subcommand(struct front *front, const struct command_spec *parent, struct span name,
                               struct buffer *reply)
{
    struct buffer *text = &front->text;
    buffer_clear(text);
    name = cut(name, 128);
    front_print(text, "ERR unknown subcommand '%.*s'. Try ", (int)name.size, (const char *)name.data);
    for (const char *c = parent->name; *c != '\0'; c++)
        front_print(text, "%c", *c >= 'a' && *c <= 'z' ? *c - ('a' - 'A') : *c);
    front_print(text, " HELP.");
    (void)resp_error_write(reply, buffer_span(text));
}

static bool has_subcommands(const struct command_spec *spec)
{
    const struct command_spec *following = command_following(spec);
    return spec->kind == COMMAND_FRONT && following != NULL && following->parent == spec->op;
}

const struct command_spec *front_resolve(struct front *front, const struct resp_command *words, struct buffer *reply)
{
    const struct command_spec *spec = command_find(resp_argument(words, 0));
    if (spec == NULL) {
        unknown_command(front, words, reply);
        return NULL;
    }
    if (words->count >= 2 && has_subcommands(spec)) {
        const struct command_spec *sub = command_find_sub(spec, resp_argument(words, 1));
        if (sub == NULL) {
            unknown_subcommand(front, spec, resp_argument(words, 1), reply);
            return NULL;
        }
        spec = sub;
    }
    if (!command_arity_suits(spec, words->count)) {
        buffer_clear(&front->text);
        front_print(&front->text, "ERR wrong number of arguments for '%s' command", spec->name);
        (void)resp_error_write(reply, buffer_span(&front->text));
        return NULL;
    }
    return spec;
}

/* ---- encoding ---- */

uint64_t front_encoded_size(const struct resp_command *words, uint32_t first)
{
    uint64_t size = COMMAND_HEADER_SIZE;
    for (uint32_t i = first; i < words->count; i++)
        size += ARGUMENT_HEADER_SIZE + (uint64_t)words->pieces[i].size;
    return size;
}

bool front_encode(struct buffer *out, uint16_t op, uint16_t flags, const struct resp_command *words, uint32_t first)
{
    size_t before = out->size;
    size_t size = (size_t)front_encoded_size(words, first);
    if (!buffer_reserve(out, size))
        return false;
    size_t at = command_begin(out, op, flags, words->count - first);
    invariant(at == before, "room was reserved for the command");
    uint8_t *to = out->data + out->size;
    for (uint32_t i = first; i < words->count; i++) {
        struct span word = resp_argument(words, i);
        store_u32(to, (uint32_t)word.size);
        if (word.size > 0)
            memcpy(to + ARGUMENT_HEADER_SIZE, word.data, word.size);
        to += ARGUMENT_HEADER_SIZE + word.size;
    }
    out->size = before + size;
    command_end(out, at);
    return true;
}

/* ---- to the node ---- */

static enum front_outcome answer_text(struct connection *connection, const char *error)
{
    struct front *front = connection->front;
    front->errors++;
    buffer_clear(&front->value);
    (void)reply_error(&front->value, error);
    connection_answer_new(connection, buffer_span(&front->value));
    return FRONT_DONE;
}

/* Requests of one connection take effect in the order sent, also when they go to several groups, each with an order of
 * its own: so a request to another group waits for the answers of those before it. */
bool front_may_submit(struct connection *connection, uint32_t group, bool read)
{
    struct front *front = connection->front;
    if (connection->group != group && connection->reads + connection->updates > 0) {
        front_stall(connection, STALL_BARRIER);
        return false;
    }
    if (!read && connection->reads > 0) {
        front_stall(connection, STALL_ORDER);
        return false;
    }
    bool by_log = !read || connection->updates > 0;
    if (!node_request_room(front->node, group, !by_log)) {
        connection->stall_group = group;
        front_stall(connection, by_log ? STALL_ROOM_UPDATE : STALL_ROOM_READ);
        return false;
    }
    return true;
}

void front_submitted(struct connection *connection, uint32_t group, bool by_log)
{
    connection->group = group;
    connection->pending++;
    if (by_log)
        connection->updates++;
    else
        connection->reads++;
    connection->front->handed_in = true;
}

/* A READONLY connection's read, on this node's own state. False: it has none now, or order asks for another way. */
static bool read_here(struct front_call *call, uint32_t group)
{
    struct front *front = call->front;
    struct connection *connection = call->connection;
    if (!connection->readonly || connection->reads > 0 || connection->updates > 0)
        return false;
    buffer_clear(&front->other);
    buffer_clear(&front->value);
    if (!front_encode(&front->other, call->spec->op, 0, &call->words, 1) ||
        !node_read_local(front->node, group, buffer_span(&front->other), &front->value))
        return false;
    connection_answer_new(connection, buffer_span(&front->value));
    return true;
}

static enum front_outcome too_large(struct front_call *call)
{
    buffer_clear(&call->front->text);
    front_print(&call->front->text, "ERR command larger than the limit command_bytes_max %llu",
                (unsigned long long)call->front->command_bytes_max);
    (void)buffer_append(&call->front->text, "", 1);
    return answer_text(call->connection, call->front->text.size > 1 ? (const char *)call->front->text.data
                                                                    : "ERR command too large");
}

static enum front_outcome submit(struct front_call *call)
{
    struct front *front = call->front;
    struct connection *connection = call->connection;
    bool read = call->spec->kind == COMMAND_READ;
    uint32_t group;
    const char *error = front_route(front, call->spec, &call->words, &group);
    if (error != NULL)
        return answer_text(connection, error);
    if (read && connection->readonly && read_here(call, group))
        return FRONT_DONE;
    if (!front_may_submit(connection, group, read))
        return FRONT_STALL;
    if (front_encoded_size(&call->words, 1) > front->command_bytes_max)
        return too_large(call);

    bool by_log = !read || connection->updates > 0;
    struct buffer *bundle = node_request_begin(front->node, group, !by_log);
    if (!front_encode(bundle, call->spec->op, 0, &call->words, 1)) {
        node_request_abandon(front->node, group, !by_log);
        return answer_text(connection, "OOM no memory left to hold the request");
    }
    bool ok;
    uint32_t sequence = connection_slot_add(connection, by_log ? SLOT_UPDATE : SLOT_READ,
                                            read ? MEANING_PLAIN : MEANING_WRITE, &ok);
    if (!ok) {
        node_request_abandon(front->node, group, !by_log);
        connection_break(connection);
        return FRONT_DONE;
    }
    node_request_commit(front->node, group, !by_log, connection_cookie(connection, sequence));
    front_submitted(connection, group, by_log);
    return FRONT_DONE;
}

/* ---- the front's own ---- */

static enum front_outcome execute_plain(struct front_call *call, front_plain *plain)
{
    struct buffer *reply = &call->front->value;
    buffer_clear(reply);
    plain(call, reply);
    /* A full heap leaves an answer with parts missing; then the stream of answers cannot go on. */
    if (resp_value_size(buffer_span(reply)) != reply->size || reply->size == 0) {
        call->front->counters.closed_slow++;
        connection_break(call->connection);
        return FRONT_DONE;
    }
    if (reply->data[0] == '-')
        call->front->errors++;
    connection_answer_new(call->connection, buffer_span(reply));
    return FRONT_DONE;
}

/* These act at once while a transaction collects. */
static bool acts_in_transaction(uint16_t op)
{
    return op == OP_EXEC || op == OP_DISCARD || op == OP_MULTI || op == OP_WATCH || op == OP_QUIT || op == OP_RESET;
}

/* The error is in front->value. A transaction that collects will abort; an EXEC that is itself wrong aborts it now. */
static enum front_outcome refuse(struct front_call *call)
{
    struct front *front = call->front;
    front->errors++;
    front_multi_failed(call->connection);
    static const char prefix[] = "-ERR ";
    if (front_same(call_argument(call, 0), "exec") && front->value.size > sizeof prefix) {
        front_multi_reset(call->connection);
        buffer_clear(&front->text);
        front_print(&front->text, "EXECABORT Transaction discarded because of: %.*s",
                    (int)(front->value.size - (sizeof prefix - 1) - 2), front->value.data + sizeof prefix - 1);
        buffer_clear(&front->value);
        (void)resp_error_write(&front->value, buffer_span(&front->text));
    }
    connection_answer_new(call->connection, buffer_span(&front->value));
    return FRONT_DONE;
}

static enum front_outcome execute_any(struct front_call *call)
{
    struct front *front = call->front;
    struct connection *connection = call->connection;
    buffer_clear(&front->value);
    call->spec = front_resolve(front, &call->words, &front->value);
    if (call->spec == NULL)
        return refuse(call);
    if (front_multi_open(connection) && !acts_in_transaction(call->spec->op)) {
        if (control_of(call->spec->op) != NULL) {
            (void)reply_error(&front->value, "ERR Command not allowed inside a transaction");
            return refuse(call);
        }
        front_multi_queue(call);
        return FRONT_DONE;
    }
    if (call->spec->kind != COMMAND_FRONT)
        return submit(call);
    front_control *control = control_of(call->spec->op);
    if (control != NULL)
        return control(call);
    front_plain *plain = front_plain_of(call->spec->op);
    if (plain == NULL) {
        (void)reply_error(&front->value, "ERR this command is not supported");
        return refuse(call);
    }
    return execute_plain(call, plain);
}

enum front_outcome front_execute(struct front *front, struct connection *connection,
                                 const struct resp_command *command)
{
    if (connection->barrier && connection_unanswered(connection) > 0)
        return front_stall(connection, STALL_BARRIER);
    if (connection_unanswered(connection) >= front->options.pipeline_max)
        return front_stall(connection, STALL_PIPELINE);

    struct front_call call = {.front = front, .connection = connection, .words = *command};
    call.spec = command_find(resp_argument(command, 0));
    bool usual = call.spec != NULL && call.spec->kind != COMMAND_FRONT && !front_multi_open(connection) &&
                 command_arity_suits(call.spec, command->count);
    enum front_outcome outcome = usual ? submit(&call) : execute_any(&call);
    if (outcome == FRONT_DONE) {
        front->counters.commands++;
        if (call.spec != NULL) {
            connection->last_op = call.spec->op;
            if (call.spec->op < FRONT_OPS_MAX)
                front->calls[call.spec->op]++;
        }
    }
    return outcome;
}
