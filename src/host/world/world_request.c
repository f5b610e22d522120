/* Requests in words: as RESP on the wire, as operations in the history, and as what their client waits for.
 *
 * Every operation on every key is recorded with its interval and its outcome; a refusal means that it certainly never
 * happened, INDETERMINATE and silence leave it open. */
#include <string.h>

#include "base/number.h"
#include "base/panic.h"
#include "host/world/world_state.h"

/* ---- words ---- */

bool words_split(struct span text, struct words *out)
{
    out->count = 0;
    for (size_t at = 0; at < text.size;) {
        const uint8_t *blank = memchr(text.data + at, ' ', text.size - at);
        size_t size = blank != NULL ? (size_t)(blank - text.data) - at : text.size - at;
        if (out->count == WORDS_MAX)
            return false;
        out->list[out->count++] = span_of(text.data + at, size);
        at += size + 1;
    }
    return out->count > 0;
}

static char upper(uint8_t letter)
{
    return (char)(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
}

bool word_is(struct span word, const char *text)
{
    for (size_t i = 0; i < word.size; i++)
        if (text[i] == '\0' || upper(word.data[i]) != text[i])
            return false;
    return text[word.size] == '\0';
}

/* ---- RESP ---- */

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

static void put_command(struct buffer *out, const struct words *words)
{
    put_length(out, '*', words->count);
    for (uint32_t i = 0; i < words->count; i++) {
        put_length(out, '$', words->list[i].size);
        put(out, words->list[i].data, words->list[i].size);
        put(out, "\r\n", 2);
    }
}

/* ---- the history ---- */

static struct span keep(struct world *world, struct span bytes)
{
    uint8_t *copy = heap_alloc(world->heap, bytes.size);
    invariant(copy != NULL, "the world's region has room for its history");
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return span_of(copy, bytes.size);
}

static uint32_t key_number(struct world *world, struct span name)
{
    struct key_names *keys = &world->keys;
    for (uint32_t i = 0; i < keys->count; i++)
        if (keys->list[i].size == name.size && memcmp(keys->list[i].data, name.data, name.size) == 0)
            return i;
    if (keys->count == keys->capacity) {
        keys->capacity = keys->capacity > 0 ? 2 * keys->capacity : 16;
        keys->list = heap_resize(world->heap, keys->list, keys->capacity * sizeof *keys->list);
        invariant(keys->list != NULL, "the world's region has room for the names of its keys");
    }
    keys->list[keys->count] = keep(world, name);
    return keys->count++;
}

static size_t history_add(struct world *world)
{
    struct history *history = &world->history;
    if (history->count == history->capacity) {
        history->capacity = history->capacity > 0 ? 2 * history->capacity : 1024;
        history->list = heap_resize(world->heap, history->list, history->capacity * sizeof *history->list);
        invariant(history->list != NULL, "the world's region has room for its history");
    }
    return history->count++;
}

/* The operation that the words are, of those that the history knows; its count for none. */
static enum world_op op_of(const struct words *words)
{
    for (unsigned op = 0; op < WORLD_OP_COUNT; op++)
        if (word_is(words->list[0], world_op_name((enum world_op)op)) &&
            words->count == (world_op_writes_value((enum world_op)op) ? 3 : 2))
            return (enum world_op)op;
    return WORLD_OP_COUNT;
}

/* Its place in the history, or SIZE_MAX. */
static size_t record(struct world *world, const struct client *client, const struct words *words)
{
    enum world_op op = op_of(words);
    if (op == WORLD_OP_COUNT) {
        world->history_torn = true;
        return SIZE_MAX;
    }
    size_t place = history_add(world);
    world->history.list[place] = (struct world_operation){
        .client = client->number,
        .op = op,
        .key = key_number(world, words->list[1]),
        .after_heal = world->healed,
        .stale_allowed = client->readonly && op == WORLD_OP_GET,
        .invoke_ns = world->now_ns,
        .complete_ns = INT64_MAX,
        .argument = words->count > 2 ? keep(world, words->list[2]) : (struct span){0},
    };
    return place;
}

/* ---- what is waited for ---- */

void expectations_add(struct world *world, struct expectations *expectations, const struct expected *expected)
{
    if (expectations->first == expectations->count)
        expectations->first = expectations->count = 0;
    if (expectations->count == expectations->capacity) {
        expectations->capacity = expectations->capacity > 0 ? 2 * expectations->capacity : 16;
        expectations->list =
            heap_resize(world->heap, expectations->list, expectations->capacity * sizeof *expectations->list);
        invariant(expectations->list != NULL, "the world's region has room for what its clients wait for");
    }
    expectations->list[expectations->count++] = *expected;
}

void request_expect(struct world *world, struct client *client, enum expected_kind kind, size_t operation,
                    struct span text)
{
    struct expected expected = {
        .kind = kind, .operation = operation, .number = client->requests, .asked_ns = world->now_ns};
    if (world->options.ear.answered != NULL)
        expected.request = keep(world, text);
    expectations_add(world, &client->waiting, &expected);
}

void request_write(struct world *world, struct client *client, struct span text, const struct words *words)
{
    enum expected_kind kind = client->transaction ? EXPECTED_QUEUED : EXPECTED_ANSWER;
    size_t operation = SIZE_MAX;
    if (word_is(words->list[0], "MULTI")) {
        kind = EXPECTED_MULTI;
        client->transaction = true;
    } else if (client->transaction && word_is(words->list[0], "EXEC")) {
        kind = EXPECTED_EXEC;
        client->transaction = false;
    } else {
        operation = record(world, client, words);
    }
    client->requests++;
    put_command(&client->out, words);
    request_expect(world, client, kind, operation, text);
}
