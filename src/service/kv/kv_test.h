/* For the tests of the key-value service: one service on a heap of its own, commands as lines of text.
 *
 * Words of a line are separated by spaces; "" is an empty word. An answer is compared as RESP3 with | for every line
 * end. Every update gets the next index; time stands still until kv_test_pass. */
#ifndef LOCKSTEP_SERVICE_KV_TEST_H
#define LOCKSTEP_SERVICE_KV_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "base/time.h"
#include "contract/command.h"
#include "service/commands.h"
#include "service/kv/kv.h"
#include "service/kv/kv_state.h"

struct kv_test {
    struct group_spec spec;
    struct heap *heap;  /* of the service */
    struct heap *other; /* of the test */
    struct kv *kv;
    struct buffer command, reply;
    uint64_t index;
    int64_t now_ns;
    int64_t tick_at_ns;
    uint64_t random;
};

static inline struct kv_test *kv_test_new(size_t heap_bytes, uint64_t bytes_max)
{
    struct heap *other = heap_create_system((size_t)1 << 32);
    struct kv_test *test = heap_alloc_zero(other, sizeof *test);
    test->other = other;
    test->heap = heap_create_system(heap_bytes);
    test->spec.hash_key[0] = 0x0123456789abcdef;
    test->spec.hash_key[1] = 0xfedcba9876543210;
    test->spec.tuning.service_heap_bytes = heap_bytes;
    test->spec.tuning.service_bytes_max = bytes_max;
    test->now_ns = INT64_C(1700000000) * NS_PER_S;
    test->tick_at_ns = SERVICE_NO_TICK;
    test->kv = kv_service.create(test->heap, &test->spec);
    buffer_init(&test->command, other);
    buffer_init(&test->reply, other);
    return test;
}

static inline void kv_test_free(struct kv_test *test)
{
    kv_table_check(test->kv->table);
    kv_deadlines_check(&test->kv->deadlines);
    heap_check(test->heap);
    heap_destroy_system(test->heap);
    heap_destroy_system(test->other);
}

/* The usual one: 1 GiB reserved. */
static inline struct kv_test *kv_test_start(void)
{
    return kv_test_new((size_t)1 << 30, 0);
}

static inline void kv_test_pass(struct kv_test *test, int64_t by_ms)
{
    test->now_ns += by_ms * NS_PER_MS;
}

/* Delivers the command in test->command. */
static inline void kv_test_deliver(struct kv_test *test, bool read)
{
    struct delivery delivery = {.read = read, .time_ns = test->now_ns, .random = test->random};
    bool whole = command_open(buffer_span(&test->command), &delivery.command);
    assert_true(whole);
    if (!read)
        test->index++;
    delivery.index = test->index;
    buffer_clear(&test->reply);
    struct service_out out = {.reply = &test->reply, .tick_at_ns = test->tick_at_ns};
    kv_service.deliver(test->kv, &delivery, &out);
    test->tick_at_ns = out.tick_at_ns;
}

static inline struct span kv_test_word(const char **line)
{
    while (**line == ' ')
        (*line)++;
    const char *begin = *line;
    while (**line != '\0' && **line != ' ')
        (*line)++;
    struct span word = span_of(begin, (size_t)(*line - begin));
    return span_equal(word, span_string("\"\"")) ? span_of("", 0) : word;
}

/* How many words a line has. */
static inline uint32_t kv_test_words(const char *line)
{
    uint32_t count = 0;
    for (; *line != '\0'; line++)
        count += *line != ' ' && (line[1] == ' ' || line[1] == '\0') ? 1 : 0;
    return count;
}

/* Encodes a line into `out`. */
static inline void kv_test_encode(struct buffer *out, const char *line)
{
    uint32_t count = kv_test_words(line);
    struct span name = kv_test_word(&line);
    const struct command_spec *spec = command_find(name);
    size_t begin = command_begin(out, spec == NULL ? 9999 : spec->op, 0, count - 1);
    for (uint32_t i = 1; i < count; i++)
        command_argument(out, kv_test_word(&line));
    command_end(out, begin);
}

/* Executes a line, as a read if its command is one, and returns the answer as text. */
static inline const char *kv_test_run(struct kv_test *test, const char *line)
{
    buffer_clear(&test->command);
    kv_test_encode(&test->command, line);
    const char *at = line;
    const struct command_spec *spec = command_find(kv_test_word(&at));
    kv_test_deliver(test, spec != NULL && (spec->kind == COMMAND_READ || spec->op == OP_WATCH));
    struct buffer *reply = &test->reply;
    size_t to = 0;
    for (size_t from = 0; from < reply->size; from++) {
        bool end = reply->data[from] == '\r' && from + 1 < reply->size && reply->data[from + 1] == '\n';
        reply->data[to++] = end ? '|' : reply->data[from];
        from += end;
    }
    reply->size = to;
    buffer_append(reply, "", 1);
    reply->size = to;
    return (const char *)reply->data;
}

/* Executes a line and compares the answer. */
#define expect(test, line, answer) assert_string_equal(kv_test_run(test, line), answer)

static inline void kv_test_tick(struct kv_test *test)
{
    buffer_clear(&test->command);
    command_end(&test->command, command_begin(&test->command, OP_TICK, 0, 0));
    kv_test_deliver(test, false);
}

/* A whole checkpoint into a buffer, in pieces of about `bytes`. */
static inline void kv_test_checkpoint(struct kv_test *test, struct buffer *out, size_t bytes)
{
    kv_service.checkpoint_begin(test->kv);
    while (kv_service.checkpoint_next(test->kv, out, bytes))
        ;
    kv_service.checkpoint_end(test->kv);
}

/* Restores from bytes, handed over in pieces of `piece` bytes. */
static inline bool kv_test_restore(struct kv_test *test, struct span bytes, size_t piece)
{
    kv_service.restore_begin(test->kv);
    for (size_t at = 0; at < bytes.size; at += piece) {
        size_t size = bytes.size - at < piece ? bytes.size - at : piece;
        if (!kv_service.restore_next(test->kv, span_of(bytes.data + at, size)))
            break;
    }
    return kv_service.restore_end(test->kv);
}

#endif
