/* How simulated clients read the answers, in RESP2 or RESP3, as they asked for. */
#include <string.h>

#include "base/number.h"
#include "base/panic.h"
#include "host/world/world_state.h"

/* ---- RESP ---- */

struct answer_value {
    char kind; /* the RESP mark; '_' for every null */
    int64_t integer;
    struct span text;
};

/* Reads one value's mark and line, and for strings the bytes. 0: not whole; -1: no RESP. For aggregates only the
 * line. */
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

/* Whether it says that nobody can tell: of a gateway, also that the members disagree. */
static bool is_open(struct span text)
{
    return begins(text, "INDETERMINATE") || begins(text, "DISAGREE");
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

/* What a client hears from a node whose word does not count says nothing: the operation stays open. But when everything
 * has healed, an answer there is progress too. */
static bool misled(struct world *world, struct client *client, struct world_operation *operation, bool refused)
{
    if (!world->processes[client->wire->place].turned)
        return false;
    operation->complete_ns = INT64_MAX;
    if (!refused && operation->after_heal && operation->op != WORLD_OP_GET)
        client->wrote_after_heal = true;
    return true;
}

/* ---- operations ---- */

static struct span keep(struct world *world, struct span bytes)
{
    uint8_t *copy = heap_alloc(world->heap, bytes.size);
    invariant(copy != NULL, "the world's region has room for its history");
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return span_of(copy, bytes.size);
}

static void take_result(struct world *world, struct world_operation *operation, const struct answer_value *value)
{
    if (value->kind == '$') {
        operation->result = WORLD_RESULT_STRING;
        operation->string = keep(world, value->text);
    } else if (value->kind == ':') {
        operation->result = WORLD_RESULT_INTEGER;
        operation->integer = value->integer;
    } else {
        operation->result = value->kind == '_' ? WORLD_RESULT_NULL : WORLD_RESULT_NONE;
    }
}

/* False: an answer that no server may give. */
static bool answered(struct world *world, struct client *client, const struct expected *expected,
                     const struct answer_value *value)
{
    client->failures = value->kind == '-' ? client->failures + 1 : 0;
    if (expected->operation == SIZE_MAX)
        return true; /* a script's own: it judges the answer */
    struct world_operation *operation = &world->history.list[expected->operation];
    operation->complete_ns = world->now_ns;
    if (misled(world, client, operation, value->kind == '-'))
        return true;
    if (value->kind == '-') {
        if (is_open(value->text)) {
            operation->complete_ns = INT64_MAX;
            return true;
        }
        operation->outcome = WORLD_FAIL;
        /* Who asks what it likes gets errors as it deserves, and judges them itself. */
        return is_refusal(value->text) || world->options.ear.answered != NULL;
    }
    operation->outcome = WORLD_OK;
    if (!fits(operation->op, value->kind))
        return false;
    take_result(world, operation, value);
    if (operation->after_heal && operation->op != WORLD_OP_GET)
        client->wrote_after_heal = true;
    return true;
}

void reply_tell(struct world *world, const struct client *client, const struct expected *expected,
                enum world_answer_kind kind, struct span bytes)
{
    const struct world_ear *ear = &world->options.ear;
    if (ear->answered == NULL || expected->kind == EXPECTED_GREETING)
        return;
    struct world_answer answer = {
        .client = client->number,
        .place = client->wire != NULL ? client->wire->place : WORLD_NOWHERE,
        .number = expected->number,
        .asked_ns = expected->asked_ns,
        .answered_ns = world->now_ns,
        .kind = kind,
        .request = expected->request,
        .bytes = bytes,
    };
    ear->answered(ear->context, world, &answer);
}

/* ---- transactions ---- */

static bool next_queued(struct client *client, struct expected *out)
{
    struct expectations *queued = &client->queued;
    if (queued->first == queued->count)
        return false;
    *out = queued->list[queued->first++];
    return true;
}

/* The answer to EXEC: an array, or one error for all. */
static bool answered_transaction(struct world *world, struct client *client, struct span whole)
{
    struct answer_value value;
    struct expected expected;
    int64_t size = read_value(whole, &value);
    bool fine = true;
    if (value.kind == '-') {
        while (next_queued(client, &expected))
            fine = answered(world, client, &expected, &value) && fine;
        return fine;
    }
    if (value.kind != '*' || value.integer != (int64_t)(client->queued.count - client->queued.first))
        return false;
    for (size_t at = (size_t)size; next_queued(client, &expected); at += (size_t)size) {
        size = read_value(span_of(whole.data + at, whole.size - at), &value);
        fine = answered(world, client, &expected, &value) && fine;
    }
    return fine;
}

/* ---- taking ---- */

static void unexpected(struct world *world, const struct client *client, struct span whole)
{
    if (client->wire != NULL && world->processes[client->wire->place].turned)
        return; /* it may say anything: the client goes elsewhere */
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
    struct expectations *waiting = &client->waiting;
    if (waiting->first == waiting->count)
        return false;
    struct expected expected = waiting->list[waiting->first++];
    struct answer_value value;
    (void)read_value(whole, &value);
    reply_tell(world, client, &expected, value.kind == '-' ? WORLD_ANSWER_ERROR : WORLD_ANSWER_VALUE, whole);
    switch (expected.kind) {
    case EXPECTED_ANSWER:
        return answered(world, client, &expected, &value);
    case EXPECTED_EXEC:
        return answered_transaction(world, client, whole);
    case EXPECTED_QUEUED:
        expectations_add(world, &client->queued, &expected);
        break;
    case EXPECTED_GREETING:
    case EXPECTED_MULTI:
        break;
    }
    /* A MULTI or a queued command may be refused; EXEC then says EXECABORT. */
    return value.kind != '-' || is_refusal(value.text) || is_open(value.text) ||
           expected.operation == SIZE_MAX;
}

bool reply_take(struct world *world, struct client *client, bool *broken)
{
    size_t at = 0;
    bool waited = client->waiting.first < client->waiting.count;
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
    return !*broken && waited && client->waiting.first == client->waiting.count;
}

void reply_abandon(struct world *world, struct client *client)
{
    for (uint32_t i = client->waiting.first; i < client->waiting.count; i++)
        reply_tell(world, client, &client->waiting.list[i], WORLD_ANSWER_NONE, (struct span){0});
    client->waiting.first = client->waiting.count = 0;
    client->queued.first = client->queued.count = 0;
    client->transaction = false;
}
