/* What the simulated clients ask, and how they read the answers.
 *
 * A handful of keys, so that clients meet: some hold strings, whose written values are all different, some hold
 * counters. Requests come alone, pipelined, or in a transaction. Every operation on every key is recorded with its
 * interval and its outcome; a refusal means that it certainly never happened, INDETERMINATE and silence leave it open.
 *
 * Answers are RESP2 or RESP3, as the client asked for. */
#include <string.h>

#include "base/number.h"
#include "base/panic.h"
#include "host/world/world_state.h"

enum { COUNTER_ONE_IN = 4, STRING_BYTES_MAX = 512 };

/* ---- asking ---- */

static void put(struct buffer *out, const void *data, size_t size)
{
    invariant(buffer_append(out, data, size), "the world's region has room for a request");
}

static void put_length(struct buffer *out, char mark, size_t length)
{
    char text[NUMBER_INTEGER_SIZE_MAX + 3];
    size_t size = 0;
    text[size++] = mark;
    char digits[NUMBER_INTEGER_SIZE_MAX];
    size_t count = number_print_u64(digits, length);
    memcpy(text + size, digits, count);
    size += count;
    text[size++] = '\r';
    text[size++] = '\n';
    put(out, text, size);
}

static void put_word(struct buffer *out, struct span word)
{
    put_length(out, '$', word.size);
    put(out, word.data, word.size);
    put(out, "\r\n", 2);
}

static void put_command(struct buffer *out, const struct world_operation *operation)
{
    put_length(out, '*', operation->argument.size > 0 ? 3 : 2);
    put_word(out, span_string(world_op_name(operation->op)));
    char key[2] = {'k', (char)('a' + operation->key)};
    put_word(out, span_of(key, sizeof key));
    if (operation->argument.size > 0)
        put_word(out, operation->argument);
}

static struct span keep(struct world *world, struct span bytes)
{
    uint8_t *copy = heap_alloc(world->heap, bytes.size);
    invariant(copy != NULL, "the world's region has room for its history");
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return span_of(copy, bytes.size);
}

/* Unlike any other in the run: "3.17". */
static struct span new_value(struct world *world, struct client *client)
{
    char text[2 * NUMBER_INTEGER_SIZE_MAX + 2], digits[NUMBER_INTEGER_SIZE_MAX];
    size_t size = number_print_u64(digits, client->number);
    memcpy(text, digits, size);
    text[size++] = '.';
    size_t count = number_print_u64(digits, ++client->value_number);
    memcpy(text + size, digits, count);
    size += count;
    text[size++] = ';';
    return keep(world, span_of(text, size));
}

static bool is_counter(const struct world *world, uint32_t key)
{
    return key < 1 + world->key_count / COUNTER_ONE_IN;
}

static enum world_op draw_op(struct client *client, bool counter)
{
    uint64_t drawn = random_below(&client->random, 100);
    if (drawn < 40)
        return WORLD_OP_GET;
    if (counter)
        return drawn < 94 ? WORLD_OP_INCR : WORLD_OP_DEL;
    if (drawn < 65)
        return WORLD_OP_SET;
    if (drawn < 75)
        return WORLD_OP_APPEND;
    if (drawn < 85)
        return WORLD_OP_GETSET;
    return drawn < 92 ? WORLD_OP_SETNX : WORLD_OP_DEL;
}

static struct world_operation *history_add(struct world *world)
{
    struct history *history = &world->history;
    if (history->count == history->capacity) {
        history->capacity = history->capacity > 0 ? 2 * history->capacity : 1024;
        history->list = heap_resize(world->heap, history->list, history->capacity * sizeof *history->list);
        invariant(history->list != NULL, "the world's region has room for its history");
    }
    return &history->list[history->count++];
}

static void ask_one(struct world *world, struct client *client, struct buffer *out, bool write)
{
    uint32_t key = (uint32_t)random_below(&client->random, world->key_count);
    bool counter = is_counter(world, key);
    enum world_op op = draw_op(client, counter);
    if (write && op == WORLD_OP_GET)
        op = counter ? WORLD_OP_INCR : WORLD_OP_SET;
    struct world_operation *operation = history_add(world);
    *operation = (struct world_operation){
        .client = client->number,
        .op = op,
        .key = key,
        .after_heal = world->healed,
        .stale_allowed = client->readonly && op == WORLD_OP_GET,
        .invoke_ns = world->now_ns,
        .complete_ns = INT64_MAX,
    };
    if (op == WORLD_OP_SET || op == WORLD_OP_GETSET || op == WORLD_OP_SETNX || op == WORLD_OP_APPEND)
        operation->argument = new_value(world, client);
    client->operations[client->operation_count++] = world->history.count - 1;
    put_command(out, operation);
}

void workload_ask(struct world *world, struct client *client, struct buffer *out)
{
    client->operation_count = client->operation_next = 0;
    client->transaction = false;
    bool write = world->healed && !client->wrote_after_heal;
    uint64_t drawn = random_below(&client->random, 100);
    uint64_t count = 1;
    if (drawn >= 75 && client->failures == 0)
        count = 2 + random_below(&client->random, drawn < 90 ? 4 : 2);
    if (drawn >= 90 && client->failures == 0) {
        client->transaction = true;
        client->replies_skipped += 1 + count; /* +OK and +QUEUED */
        put(out, "*1\r\n$5\r\nMULTI\r\n", 15);
    }
    for (uint64_t i = 0; i < count; i++)
        ask_one(world, client, out, write);
    if (client->transaction)
        put(out, "*1\r\n$4\r\nEXEC\r\n", 14);
}

/* ---- answers ---- */

struct answer_value {
    char kind; /* the RESP mark; '_' for every null */
    int64_t integer;
    struct span text;
};

/* Reads one value's mark and line, and for strings the bytes. 0: not whole; -1: no RESP. For aggregates only the line. */
static int64_t read_value(struct span in, struct answer_value *out)
{
    const uint8_t *end = in.size > 0 ? memchr(in.data, '\n', in.size) : NULL;
    if (end == NULL)
        return 0;
    size_t line = (size_t)(end - in.data) + 1;
    if (line < 3 || in.data[line - 2] != '\r')
        return -1;
    out->kind = (char)in.data[0];
    out->text = span_of(in.data + 1, line - 3);
    out->integer = 0;
    if (out->kind == '+' || out->kind == '-' || out->kind == '_' || out->kind == ',' || out->kind == '#')
        return (int64_t)line;
    if (strchr(":$*%~>=", out->kind) == NULL || !number_parse_i64(out->text, &out->integer))
        return -1;
    if (out->kind == ':')
        return (int64_t)line;
    if (out->integer < 0) {
        out->kind = '_';
        return (int64_t)line;
    }
    if (out->kind != '$' && out->kind != '=')
        return (int64_t)line;
    size_t size = (size_t)out->integer;
    if (in.size - line < size + 2)
        return 0;
    out->text = span_of(in.data + line, size);
    return (int64_t)(line + size + 2);
}

/* Bytes of the whole value at the start, what it contains included; 0: not whole; -1: no RESP. */
static int64_t value_size(struct span in)
{
    size_t at = 0;
    for (uint64_t left = 1; left > 0; left--) {
        struct answer_value value;
        int64_t size = read_value(span_of(in.data + at, in.size - at), &value);
        if (size <= 0)
            return size;
        at += (size_t)size;
        if (value.kind == '*' || value.kind == '~' || value.kind == '>')
            left += (uint64_t)value.integer;
        if (value.kind == '%')
            left += 2 * (uint64_t)value.integer;
    }
    return (int64_t)at;
}

static bool begins(struct span text, const char *word)
{
    size_t size = strlen(word);
    return text.size >= size && memcmp(text.data, word, size) == 0;
}

/* Whether an error's text says that the command certainly never happened. */
static bool is_refusal(struct span text)
{
    static const char *const words[] = {"CLUSTERDOWN", "LOADING", "OOM", "READONLY", "MOVED", "TRYAGAIN", "BUSY",
                                        "EXECABORT", "MISCONF"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (begins(text, words[i]))
            return true;
    return false;
}

static bool fits(enum world_op op, char kind)
{
    switch (op) {
    case WORLD_OP_GET:
    case WORLD_OP_GETSET:
        return kind == '$' || kind == '_';
    case WORLD_OP_SET:
        return kind == '+';
    case WORLD_OP_SETNX:
    case WORLD_OP_APPEND:
    case WORLD_OP_DEL:
    case WORLD_OP_INCR:
        return kind == ':';
    case WORLD_OP_COUNT:
        break;
    }
    return false;
}

/* False: an answer that no server may give. */
static bool answered(struct world *world, struct client *client, const struct answer_value *value)
{
    struct world_operation *operation = &world->history.list[client->operations[client->operation_next++]];
    operation->complete_ns = world->now_ns;
    client->failures = value->kind == '-' ? client->failures + 1 : 0;
    if (value->kind == '-') {
        if (begins(value->text, "INDETERMINATE")) {
            operation->complete_ns = INT64_MAX;
            return true;
        }
        operation->outcome = WORLD_FAIL;
        return is_refusal(value->text);
    }
    operation->outcome = WORLD_OK;
    if (!fits(operation->op, value->kind))
        return false;
    if (value->kind == '$') {
        operation->result = WORLD_RESULT_STRING;
        operation->string = keep(world, value->text);
    } else if (value->kind == ':') {
        operation->result = WORLD_RESULT_INTEGER;
        operation->integer = value->integer;
    } else {
        operation->result = value->kind == '_' ? WORLD_RESULT_NULL : WORLD_RESULT_NONE;
    }
    if (operation->after_heal && operation->op != WORLD_OP_GET)
        client->wrote_after_heal = true;
    return true;
}

/* The answer to EXEC: an array, or one error for all. */
static bool answered_transaction(struct world *world, struct client *client, struct span whole)
{
    struct answer_value value;
    int64_t size = read_value(whole, &value);
    if (value.kind == '-') {
        bool fine = true;
        while (client->operation_next < client->operation_count)
            fine = answered(world, client, &value) && fine;
        return fine;
    }
    if (value.kind != '*' || value.integer != (int64_t)client->operation_count)
        return false;
    bool fine = true;
    for (size_t at = (size_t)size; client->operation_next < client->operation_count; at += (size_t)size) {
        size = read_value(span_of(whole.data + at, whole.size - at), &value);
        fine = answered(world, client, &value) && fine;
    }
    return fine;
}

static void unexpected(struct world *world, const struct client *client, struct span whole)
{
    char text[80];
    size_t size = whole.size < sizeof text - 1 ? whole.size : sizeof text - 1;
    for (size_t i = 0; i < size; i++)
        text[i] = whole.data[i] >= ' ' && whole.data[i] < 127 ? (char)whole.data[i] : ' ';
    text[size] = '\0';
    world_fail(world, "REPLY", "client %u got an answer that no server may give: %s", client->number, text);
}

/* One whole value. False: it makes no sense. */
static bool take_value(struct world *world, struct client *client, struct span whole)
{
    struct answer_value value;
    (void)read_value(whole, &value);
    if (client->replies_skipped > 0) {
        client->replies_skipped--;
        /* A MULTI or a queued command may be refused; EXEC then says EXECABORT. */
        return value.kind != '-' || is_refusal(value.text) || begins(value.text, "INDETERMINATE");
    }
    if (client->operation_next == client->operation_count)
        return false;
    return client->transaction ? answered_transaction(world, client, whole) : answered(world, client, &value);
}

bool workload_answer(struct world *world, struct client *client, bool *broken)
{
    size_t at = 0;
    *broken = false;
    while (at < client->in.size && !*broken) {
        struct span rest = span_of(client->in.data + at, client->in.size - at);
        int64_t size = value_size(rest);
        if (size == 0)
            break;
        if (size < 0 || !take_value(world, client, span_of(rest.data, (size_t)size))) {
            unexpected(world, client, rest);
            *broken = true;
            break;
        }
        at += (size_t)size;
    }
    buffer_consume(&client->in, at);
    return !*broken && client->operation_count > 0 && client->operation_next == client->operation_count &&
           client->replies_skipped == 0;
}

/* What has no answer stays open: nothing is written down. */
void workload_abandon(struct world *world, struct client *client)
{
    (void)world;
    client->operation_count = client->operation_next = 0;
    client->replies_skipped = 0;
    client->transaction = false;
}
