/* GROUP.DROP, GROUP.LIST, GROUP.INFO, GROUP.DIRECTORY, and the clients: GROUP.ENROL, GROUP.EXPEL, GROUP.CLIENTS.
 *
 * The words are put into the form that the directory takes (service/directory/kv_groups.h); what the replicated state
 * decides is checked there. All that only look are linearizable reads of the whole directory, of which
 * front_group_answer makes what the client gets. GROUP.CREATE is in front_group_create.c. */
#include "front/front_group.h"
#include "front/front_text.h"
#include "service/directory/kv_groups.h"

static const char no_directory[] =
    "ERR this node has no directory of groups: its group default was not made by lockstep server";

enum front_outcome front_group_error(struct front_call *call, const char *error)
{
    struct front *front = call->front;
    front->errors++;
    buffer_clear(&front->value);
    (void)reply_error(&front->value, error);
    connection_answer_new(call->connection, buffer_span(&front->value));
    return FRONT_DONE;
}

bool front_group_name(struct span text, char out[DIRECTORY_TEXT_SIZE_MAX + 1])
{
    if (text.size == 0 || text.size > DIRECTORY_TEXT_SIZE_MAX || memchr(text.data, 0, text.size) != NULL)
        return false;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

bool front_group_has_directory(const struct front_call *call)
{
    struct node_group_status status;
    /* A gateway holds none, and asks members that do. */
    return node_group_status(call->front->node, 0, &status) &&
           (status.spec->service == &kv_groups_service || status.spec->served_by != NULL);
}

/* ---- updates ---- */

enum front_outcome front_group_update(struct front_call *call, bool (*encode)(struct buffer *out, const void *context),
                                      const void *context)
{
    struct connection *connection = call->connection;
    struct node *node = call->front->node;
    if (!front_may_submit(connection, 0, false))
        return FRONT_STALL;
    struct buffer *bundle = node_request_begin(node, 0, false);
    bool ok = encode(bundle, context);
    uint32_t sequence = ok ? connection_slot_add(connection, SLOT_UPDATE, MEANING_WRITE, &ok) : 0;
    if (!ok) {
        node_request_abandon(node, 0, false);
        return front_group_error(call, "OOM no memory left to hold the request");
    }
    node_request_commit(node, 0, false, connection_cookie(connection, sequence));
    front_submitted(connection, 0, true);
    return FRONT_DONE;
}

static bool encode_words(struct buffer *out, const void *context)
{
    const struct front_call *call = context;
    return front_encode(out, call->spec->op, 0, &call->words, 1);
}

enum front_outcome front_group_drop(struct front_call *call)
{
    if (span_equal(call_argument(call, 1), span_string("default")))
        return front_group_error(call, "ERR the group default holds the directory of groups and cannot be dropped");
    return front_group_update(call, encode_words, call);
}

/* ---- clients ---- */

static bool read_client(struct span word, uint32_t *node)
{
    uint64_t number;
    if (!front_number(word, &number) || number == 0 || number > DIRECTORY_CLIENT_NODE_MAX)
        return false;
    *node = (uint32_t)number;
    return true;
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 'a' - 'A';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_key(struct span word, uint8_t key[DIRECTORY_KEY_SIZE])
{
    if (word.size != (size_t)2 * DIRECTORY_KEY_SIZE)
        return false;
    for (size_t i = 0; i < DIRECTORY_KEY_SIZE; i++) {
        int high = digit_of(word.data[2 * i]), low = digit_of(word.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool encode_client(struct buffer *out, uint16_t op, const struct directory_client *client, uint32_t arguments)
{
    uint8_t number[4];
    store_u32(number, client->node);
    size_t at = command_begin(out, op, 0, arguments);
    bool ok = at != SIZE_MAX && command_argument(out, span_of(number, sizeof number)) &&
              (arguments == 1 || command_argument(out, span_of(client->key, DIRECTORY_KEY_SIZE)));
    if (ok)
        command_end(out, at);
    return ok;
}

static bool encode_enrol(struct buffer *out, const void *client)
{
    return encode_client(out, OP_GROUP_ENROL, client, 2);
}

static bool encode_expel(struct buffer *out, const void *client)
{
    return encode_client(out, OP_GROUP_EXPEL, client, 1);
}

static const char bad_number[] = "ERR the number of a client is 1 to 999999999, and no node's";

enum front_outcome front_group_enrol(struct front_call *call)
{
    struct directory_client client = {0};
    if (!front_group_has_directory(call))
        return front_group_error(call, no_directory);
    if (call->words.count > 3)
        return front_group_error(call, "ERR syntax error; it is GROUP.ENROL number [public keys in hexadecimal digits]");
    if (!read_client(call_argument(call, 1), &client.node))
        return front_group_error(call, bad_number);
    if (call->words.count == 3 && !read_key(call_argument(call, 2), client.key))
        return front_group_error(call, "ERR the public keys are 128 hexadecimal digits: the 64 bytes of the client's "
                                       "file node-N");
    return front_group_update(call, encode_enrol, &client);
}

enum front_outcome front_group_expel(struct front_call *call)
{
    struct directory_client client = {0};
    if (!front_group_has_directory(call))
        return front_group_error(call, no_directory);
    if (!read_client(call_argument(call, 1), &client.node))
        return front_group_error(call, bad_number);
    return front_group_update(call, encode_expel, &client);
}

/* ---- looking ---- */

/* Asks for the directory's bytes: behind this connection's own updates through the log, else as a read. */
static enum front_outcome ask(struct front_call *call, enum slot_meaning meaning)
{
    struct connection *connection = call->connection;
    struct node *node = call->front->node;
    if (!front_group_has_directory(call))
        return front_group_error(call, no_directory);
    if (!front_may_submit(connection, 0, true))
        return FRONT_STALL;
    connection->barrier = true; /* the name of INFO is kept for one answer at a time */
    bool by_log = connection->updates > 0;
    struct buffer *bundle = node_request_begin(node, 0, !by_log);
    size_t at = command_begin(bundle, OP_GROUP_DIRECTORY, 0, 0);
    bool ok = at != SIZE_MAX;
    if (ok)
        command_end(bundle, at);
    uint32_t sequence = ok ? connection_slot_add(connection, by_log ? SLOT_UPDATE : SLOT_READ, meaning, &ok) : 0;
    if (!ok) {
        node_request_abandon(node, 0, !by_log);
        return front_group_error(call, "OOM no memory left to hold the request");
    }
    node_request_commit(node, 0, !by_log, connection_cookie(connection, sequence));
    front_submitted(connection, 0, by_log);
    return FRONT_DONE;
}

enum front_outcome front_group_list(struct front_call *call)
{
    return ask(call, MEANING_GROUP_LIST);
}

enum front_outcome front_group_info(struct front_call *call)
{
    if (!front_group_name(call_argument(call, 1), call->connection->asked_group))
        return front_group_error(call, "ERR there is no group of that name; GROUP.LIST names those that there are");
    return ask(call, MEANING_GROUP_INFO);
}

enum front_outcome front_group_clients(struct front_call *call)
{
    return ask(call, MEANING_GROUP_CLIENTS);
}

enum front_outcome front_group_directory(struct front_call *call)
{
    return ask(call, MEANING_PLAIN);
}
