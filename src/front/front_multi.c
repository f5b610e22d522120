/* Transactions. MULTI collects commands here, encoded; EXEC hands them to the service as one command, so they execute
 * with nothing between them, or not at all. WATCH reads the versions of keys, linearizably; EXEC carries them along,
 * and the service does nothing when one has changed.
 *
 * The command EXEC of the service: its first argument is what is watched (u64 version, u32 size of the key, key;
 * repeated), each further one a whole encoded command. Its answer is an array with one answer for each, or null. The
 * front's own commands in a transaction (PING, ECHO, …) do not travel: they are executed when the answer comes, if it
 * is an array, and their answers put in their places.
 *
 * The command WATCH of the service: keys; answers their versions, an array of integers. */
#include "base/number.h"
#include "base/panic.h"
#include "front/front_internal.h"
#include "front/resp_writer.h"

enum { WATCH_HEAD_SIZE = 12, BUFFER_KEPT_MAX = 4096 };

static struct transaction *transaction_of(struct connection *connection)
{
    struct transaction *transaction = connection->transaction;
    if (transaction != NULL)
        return transaction;
    struct heap *heap = connection->front->heap;
    transaction = heap_alloc_zero(heap, sizeof *transaction);
    if (transaction == NULL)
        return NULL;
    buffer_init(&transaction->queued, heap);
    buffer_init(&transaction->watched, heap);
    buffer_init(&transaction->watching, heap);
    transaction->group = GROUP_ANY;
    connection->transaction = transaction;
    return transaction;
}

void front_multi_free(struct connection *connection)
{
    struct transaction *transaction = connection->transaction;
    if (transaction == NULL)
        return;
    buffer_free(&transaction->queued);
    buffer_free(&transaction->watched);
    buffer_free(&transaction->watching);
    heap_free(connection->front->heap, transaction);
    connection->transaction = NULL;
}

static void clear(struct buffer *buffer)
{
    buffer_clear(buffer);
    if (buffer->capacity > BUFFER_KEPT_MAX)
        buffer_free(buffer);
}

void front_multi_reset(struct connection *connection)
{
    struct transaction *transaction = connection->transaction;
    if (transaction == NULL)
        return;
    transaction->open = transaction->failed = false;
    transaction->count = transaction->local_count = 0;
    transaction->group = GROUP_ANY;
    clear(&transaction->queued);
    clear(&transaction->watched);
    clear(&transaction->watching);
}

void front_multi_shrink(struct connection *connection)
{
    const struct transaction *transaction = connection->transaction;
    if (transaction != NULL && !transaction->open && transaction->count == 0 && transaction->watched.size == 0 &&
        transaction->watching.size == 0)
        front_multi_free(connection);
}

void front_multi_failed(struct connection *connection)
{
    if (front_multi_open(connection))
        connection->transaction->failed = true;
}

static enum front_outcome answer(struct front_call *call, const char *text)
{
    struct front *front = call->front;
    buffer_clear(&front->value);
    if (strcmp(text, "OK") == 0 || strcmp(text, "QUEUED") == 0) {
        (void)reply_simple(&front->value, text);
    } else {
        front->errors++;
        (void)reply_error(&front->value, text);
    }
    connection_answer_new(call->connection, buffer_span(&front->value));
    return FRONT_DONE;
}

static enum front_outcome no_memory(struct front_call *call)
{
    connection_break(call->connection);
    return FRONT_DONE;
}

/* ---- collecting ---- */

enum front_outcome front_multi(struct front_call *call)
{
    if (front_multi_open(call->connection))
        return answer(call, "ERR MULTI calls can not be nested");
    struct transaction *transaction = transaction_of(call->connection);
    if (transaction == NULL)
        return no_memory(call);
    transaction->open = true;
    return answer(call, "OK");
}

enum front_outcome front_discard(struct front_call *call)
{
    if (!front_multi_open(call->connection))
        return answer(call, "ERR DISCARD without MULTI");
    front_multi_reset(call->connection);
    return answer(call, "OK");
}

/* The keys of a transaction, watched ones too, belong to one group. */
static const char *join(struct front_call *call, struct transaction *transaction)
{
    uint32_t group;
    const char *error = front_route(call->front, call->spec, &call->words, &group);
    if (error != NULL)
        return error;
    if (transaction->group != GROUP_ANY && transaction->group != group)
        return front_crossing(call->front, transaction->group, group);
    transaction->group = group;
    return NULL;
}

void front_multi_queue(struct front_call *call)
{
    struct transaction *transaction = call->connection->transaction;
    bool local = call->spec->kind == COMMAND_FRONT;
    const char *error = local ? NULL : join(call, transaction);
    if (error != NULL) {
        transaction->failed = true;
        call->front->errors++;
        answer(call, error);
        return;
    }
    /* The front's own commands keep their names, which tell their subcommands. */
    uint32_t first = local ? 0 : 1;
    uint64_t size = transaction->queued.size + front_encoded_size(&call->words, first);
    if (size > call->front->limits.query_bytes_max) {
        transaction->failed = true;
        answer(call, "ERR the transaction is larger than the limit client-query-buffer-limit");
    } else if (!front_encode(&transaction->queued, call->spec->op, local ? TRANSACTION_LOCAL : 0, &call->words,
                             first)) {
        no_memory(call);
    } else {
        transaction->count++;
        transaction->local_count += local;
        answer(call, "QUEUED");
    }
}

/* ---- executing ---- */

/* Executes one of the front's own commands of a transaction. */
static void execute_local(struct connection *connection, const struct command *command, struct buffer *reply)
{
    struct front *front = connection->front;
    buffer_clear(&front->other);
    struct resp_piece *pieces = (struct resp_piece *)(void *)buffer_grow(&front->other,
                                                                         command->argc * sizeof *pieces);
    if (pieces == NULL)
        return; /* an answer is missing, which the caller notices */
    struct span rest = command->arguments, word;
    for (uint32_t i = 0; i < command->argc && argument_next(&rest, &word); i++)
        pieces[i] = (struct resp_piece){(uint32_t)(word.data - command->whole.data), (uint32_t)word.size};
    struct front_call call = {
        .front = front,
        .connection = connection,
        .spec = command_by_op(command->op),
        .words = {.base = command->whole.data, .pieces = pieces, .count = command->argc, .size = command->whole.size},
    };
    front_plain *plain = front_plain_of(command->op);
    if (plain != NULL)
        plain(&call, reply);
    else
        (void)reply_error(reply, "ERR this command is not supported");
}

/* Puts the answers of the service, the elements of an array, and those of the front in the order of the commands. */
static struct span splice(struct connection *connection, struct span answers)
{
    struct front *front = connection->front;
    struct transaction *transaction = connection->transaction;
    buffer_clear(&front->value);
    (void)reply_array(&front->value, transaction->count);
    struct span rest = buffer_span(&transaction->queued);
    struct command command;
    while (command_next(&rest, &command)) {
        if ((command.flags & TRANSACTION_LOCAL) != 0) {
            execute_local(connection, &command, &front->value);
            continue;
        }
        size_t size = resp_value_size(answers);
        (void)reply_append(&front->value, span_of(answers.data, size));
        answers.data += size;
        answers.size -= size;
    }
    return buffer_span(&front->value);
}

/* Both when the service has answered and when nothing had to be asked. */
static struct span finish_locals(struct connection *connection, struct span answers)
{
    struct span value = splice(connection, answers);
    front_multi_reset(connection);
    if (resp_value_size(value) == value.size && value.size > 0)
        return value;
    buffer_clear(&connection->front->value);
    (void)reply_error(&connection->front->value, "INDETERMINATE executed, but there is no memory for the answer");
    return buffer_span(&connection->front->value);
}

struct span front_exec_answer(struct connection *connection, struct span value)
{
    struct transaction *transaction = connection->transaction;
    if (transaction == NULL || transaction->local_count == 0)
        return value;
    uint64_t count;
    size_t head_size;
    if (!resp_aggregate(value, &count, &head_size) || count != transaction->count - transaction->local_count) {
        front_multi_reset(connection);
        return value; /* null or an error: nothing was executed */
    }
    return finish_locals(connection, span_of(value.data + head_size, value.size - head_size));
}

static uint64_t exec_size(const struct transaction *transaction)
{
    return COMMAND_HEADER_SIZE + ARGUMENT_HEADER_SIZE + transaction->watched.size + transaction->queued.size +
           (uint64_t)transaction->count * ARGUMENT_HEADER_SIZE;
}

static bool exec_encode(struct buffer *out, const struct transaction *transaction)
{
    if (!buffer_reserve(out, (size_t)exec_size(transaction)))
        return false;
    size_t at = command_begin(out, OP_EXEC, 0, 1 + transaction->count - transaction->local_count);
    (void)command_argument(out, buffer_span(&transaction->watched));
    struct span rest = buffer_span(&transaction->queued);
    struct command command;
    while (command_next(&rest, &command))
        if ((command.flags & TRANSACTION_LOCAL) == 0)
            (void)command_argument(out, command.whole);
    command_end(out, at);
    return true;
}

static uint32_t group_of(const struct transaction *transaction)
{
    return transaction->group == GROUP_ANY ? 0 : transaction->group;
}

static enum front_outcome exec_submit(struct front_call *call)
{
    struct front *front = call->front;
    struct connection *connection = call->connection;
    struct transaction *transaction = connection->transaction;
    uint32_t group = group_of(transaction);
    struct buffer *bundle = node_request_begin(front->node, group, false);
    bool ok = exec_encode(bundle, transaction);
    uint32_t sequence = ok ? connection_slot_add(connection, SLOT_UPDATE, MEANING_EXEC, &ok) : 0;
    if (!ok) {
        node_request_abandon(front->node, group, false);
        return no_memory(call);
    }
    node_request_commit(front->node, group, false, connection_cookie(connection, sequence));
    front_submitted(connection, group, true);
    if (transaction->local_count == 0) {
        front_multi_reset(connection);
    } else {
        transaction->open = false;
        connection->barrier = true; /* the transaction is needed when the answer comes */
    }
    return FRONT_DONE;
}

enum front_outcome front_exec(struct front_call *call)
{
    struct connection *connection = call->connection;
    struct transaction *transaction = connection->transaction;
    if (!front_multi_open(connection))
        return answer(call, "ERR EXEC without MULTI");
    if (transaction->failed) {
        front_multi_reset(connection);
        return answer(call, "EXECABORT Transaction discarded because of previous errors.");
    }
    if (transaction->count == transaction->local_count && transaction->watched.size == 0) {
        connection_answer_new(connection, finish_locals(connection, (struct span){0}));
        return FRONT_DONE;
    }
    const char *error = front_reach(call->front, group_of(transaction));
    if (error != NULL) { /* the group was dropped meanwhile */
        front_multi_reset(connection);
        return answer(call, error);
    }
    if (!front_may_submit(connection, group_of(transaction), false))
        return FRONT_STALL;
    if (exec_size(transaction) > call->front->command_bytes_max) {
        front_multi_reset(connection);
        return answer(call, "EXECABORT Transaction larger than the limit command_bytes_max; nothing was executed.");
    }
    return exec_submit(call);
}

/* ---- watching ---- */

static bool note_keys(struct transaction *transaction, const struct front_call *call)
{
    for (uint32_t i = 1; i < call->words.count; i++) {
        struct span key = call_argument(call, i);
        uint8_t size[4];
        store_u32(size, (uint32_t)key.size);
        if (!buffer_append(&transaction->watching, size, sizeof size) ||
            !buffer_append(&transaction->watching, key.data, key.size))
            return false;
    }
    return true;
}

enum front_outcome front_watch(struct front_call *call)
{
    struct front *front = call->front;
    struct connection *connection = call->connection;
    if (front_multi_open(connection))
        return answer(call, "ERR WATCH inside MULTI is not allowed");
    struct transaction *transaction = transaction_of(connection);
    if (transaction == NULL)
        return no_memory(call);
    uint32_t group;
    const char *error = front_route(front, call->spec, &call->words, &group);
    if (error == NULL && transaction->watched.size > 0 && transaction->group != group)
        error = front_crossing(front, transaction->group, group);
    if (error != NULL)
        return answer(call, error);
    if (!front_may_submit(connection, group, true))
        return FRONT_STALL;
    transaction->group = group;
    uint64_t size = front_encoded_size(&call->words, 1);
    if (size > front->command_bytes_max || transaction->watched.size + size > front->limits.query_bytes_max)
        return answer(call, "ERR too many watched keys for the limits of a command");
    bool by_log = connection->updates > 0;
    struct buffer *bundle = node_request_begin(front->node, group, !by_log);
    buffer_clear(&transaction->watching);
    bool ok = note_keys(transaction, call) && front_encode(bundle, OP_WATCH, 0, &call->words, 1);
    uint32_t sequence =
        ok ? connection_slot_add(connection, by_log ? SLOT_UPDATE : SLOT_READ, MEANING_WATCH, &ok) : 0;
    if (!ok) {
        node_request_abandon(front->node, group, !by_log);
        return no_memory(call);
    }
    node_request_commit(front->node, group, !by_log, connection_cookie(connection, sequence));
    front_submitted(connection, group, by_log);
    connection->barrier = true; /* EXEC needs the versions, and another WATCH the place for its keys */
    return FRONT_DONE;
}

/* The integer at the start of the values, which it leaves. */
static bool integer_take(struct span *values, int64_t *out)
{
    size_t size = resp_value_size(*values);
    if (size < 4 || values->data[0] != ':' || !number_parse_i64(span_of(values->data + 1, size - 3), out))
        return false;
    values->data += size;
    values->size -= size;
    return true;
}

/* Adds the keys asked for, with these versions, to what is watched. */
static bool versions_take(struct transaction *transaction, struct span versions)
{
    size_t before = transaction->watched.size;
    struct span keys = buffer_span(&transaction->watching), key;
    while (argument_next(&keys, &key)) {
        int64_t version;
        uint8_t *entry = integer_take(&versions, &version)
                             ? buffer_grow(&transaction->watched, WATCH_HEAD_SIZE + key.size)
                             : NULL;
        if (entry == NULL) {
            transaction->watched.size = before;
            return false;
        }
        store_u64(entry, (uint64_t)version);
        store_u32(entry + 8, (uint32_t)key.size);
        if (key.size > 0)
            memcpy(entry + WATCH_HEAD_SIZE, key.data, key.size);
    }
    return true;
}

struct span front_watch_answer(struct connection *connection, struct span value)
{
    struct transaction *transaction = connection->transaction;
    uint64_t count;
    size_t head_size;
    if (transaction == NULL || !resp_aggregate(value, &count, &head_size))
        return value; /* an error */
    struct front *front = connection->front;
    bool ok = versions_take(transaction, span_of(value.data + head_size, value.size - head_size));
    clear(&transaction->watching);
    buffer_clear(&front->value);
    if (ok)
        (void)reply_simple(&front->value, "OK");
    else
        (void)reply_error(&front->value, "ERR the versions of the keys could not be kept");
    return buffer_span(&front->value);
}

void front_unwatch(struct front_call *call, struct buffer *reply)
{
    if (call->connection->transaction != NULL) {
        /* Inside EXEC the watched keys are done with anyway, and the rest of the transaction is still needed. */
        clear(&call->connection->transaction->watched);
        if (!call->connection->transaction->open && call->connection->transaction->count == 0)
            call->connection->transaction->group = GROUP_ANY;
    }
    (void)reply_simple(reply, "OK");
}
