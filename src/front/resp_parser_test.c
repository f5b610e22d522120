/* The parser of requests: whole, in pieces, malformed, and over its limits. */
#include "front/resp_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/random.h"

static const struct resp_limits usual = {
    .value_bytes_max = 1 << 20, .query_bytes_max = 2 << 20, .arguments_max = 1 << 20};

struct fixture {
    struct heap *heap;
    struct resp_scratch scratch;
    struct resp_parser parser;
    struct buffer log; /* what came out: words in brackets, one command a line */
};

static void begin(struct fixture *f)
{
    f->heap = heap_create_system((size_t)1 << 31);
    assert_non_null(f->heap);
    resp_scratch_init(&f->scratch, f->heap);
    resp_parser_init(&f->parser, f->heap);
    buffer_init(&f->log, f->heap);
}

static void end(struct fixture *f)
{
    resp_parser_free(&f->parser);
    resp_scratch_free(&f->scratch);
    buffer_free(&f->log);
    assert_int_equal(heap_used(f->heap), 0);
    heap_destroy_system(f->heap);
}

static void log_text(struct fixture *f, const char *text)
{
    assert_true(buffer_append(&f->log, text, strlen(text)));
}

/* Feeds bytes as a connection does; false after an error. */
static bool feed(struct fixture *f, const struct resp_limits *limits, const void *bytes, size_t size)
{
    struct span input = span_of(bytes, size);
    for (;;) {
        struct resp_command command;
        enum resp_status status = resp_parser_next(&f->parser, &f->scratch, limits, &input, &command);
        if (status == RESP_MORE) {
            assert_true(input.size == 0 || resp_parser_keep(&f->parser, input));
            return true;
        }
        if (status == RESP_BAD) {
            log_text(f, f->scratch.why);
            return false;
        }
        if (status == RESP_COMMAND) {
            for (uint32_t i = 0; i < command.count; i++) {
                struct span word = resp_argument(&command, i);
                log_text(f, "[");
                assert_true(buffer_append(&f->log, word.data, word.size));
                log_text(f, "]");
            }
            log_text(f, "\n");
        }
        resp_parser_advance(&f->parser, &input, command.size);
    }
}

static void expect(const char *input, size_t size, const char *output)
{
    struct fixture f;
    begin(&f);
    feed(&f, &usual, input, size);
    if (f.log.size != strlen(output) || (f.log.size > 0 && memcmp(f.log.data, output, f.log.size) != 0))
        fail_msg("for %.200s\ngot  %.*s\nwant %s", input, (int)f.log.size, (const char *)f.log.data, output);
    end(&f);
}
#define EXPECT(input, output) expect((input), sizeof(input) - 1, (output))

static void test_multibulk(void **state)
{
    (void)state;
    EXPECT("*1\r\n$4\r\nPING\r\n", "[PING]\n");
    EXPECT("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n", "[SET][a][]\n");
    EXPECT("*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\nx\r\n*1\r\n$4\r\nPING\r\n", "[ECHO][\r\n\nx]\n[PING]\n");
    EXPECT("*0\r\n*-1\r\n*-5\r\n*1\r\n$1\r\nx\r\n", "[x]\n");
    EXPECT("*1\r\n$10\r\n0123456789\r\n", "[0123456789]\n");
}

static void test_inline(void **state)
{
    (void)state;
    EXPECT("PING\r\n", "[PING]\n");
    EXPECT("PING\n", "[PING]\n");
    EXPECT("\r\n\n  \r\nPING\r\n", "[PING]\n");
    EXPECT("  set  a \t b  \r\n", "[set][a][b]\n");
    EXPECT("echo \"a b\\n\\x41\\q\\\"\"\r\n", "[echo][a b\nAq\"]\n");
    EXPECT("echo 'a\\'b \\n'\r\n", "[echo][a'b \\n]\n");
    EXPECT("echo \"\" ''\r\n", "[echo][][]\n");
    EXPECT("echo a\"b\"\r\n", "[echo][ab]\n");
    EXPECT("get a\r\n*1\r\n$1\r\nx\r\nget b\r\n", "[get][a]\n[x]\n[get][b]\n");
}

/* Texts as Redis 7.0 sends them, where it sends one. */
static void test_malformed(void **state)
{
    (void)state;
    EXPECT("*x\r\n", "ERR Protocol error: invalid multibulk length");
    EXPECT("*\r\n", "ERR Protocol error: invalid multibulk length");
    EXPECT("*+1\r\n", "ERR Protocol error: invalid multibulk length");
    EXPECT("*01\r\n", "ERR Protocol error: invalid multibulk length");
    EXPECT("*99999999999999999999999\r\n", "ERR Protocol error: invalid multibulk length");
    EXPECT("*1\rx", "ERR Protocol error: invalid multibulk length");
    EXPECT("*1048577\r\n", "ERR Protocol error: invalid multibulk length (limit arguments 1048576)");
    EXPECT("*1\r\nPING\r\n", "ERR Protocol error: expected '$', got 'P'");
    EXPECT("*1\r\n\r\n", "ERR Protocol error: expected '$', got ' '");
    EXPECT("*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length");
    EXPECT("*1\r\n$x\r\n", "ERR Protocol error: invalid bulk length");
    EXPECT("*1\r\n$007\r\n", "ERR Protocol error: invalid bulk length");
    EXPECT("*1\r\n$1048577\r\n", "ERR Protocol error: invalid bulk length (limit proto-max-bulk-len 1048576)");
    EXPECT("*1\r\n$9223372036854775807\r\n",
           "ERR Protocol error: invalid bulk length (limit proto-max-bulk-len 1048576)");
    EXPECT("*1\r\n$4\r\nPINGxx", "ERR Protocol error: expected CRLF after bulk");
    EXPECT("echo \"a\r\n", "ERR Protocol error: unbalanced quotes in request");
    EXPECT("echo \"a\"b\r\n", "ERR Protocol error: unbalanced quotes in request");
    EXPECT("echo 'a\r\n", "ERR Protocol error: unbalanced quotes in request");
    EXPECT("get a\r\n*1\r\n?", "[get][a]\nERR Protocol error: expected '$', got '?'");
}

static void expect_filled(const char *before, char filler, size_t count, const char *output)
{
    size_t size = strlen(before);
    char *input = malloc(size + count);
    assert_non_null(input);
    memcpy(input, before, size);
    memset(input + size, filler, count);
    expect(input, size + count, output);
    free(input);
}

static void test_endless_lines(void **state)
{
    (void)state;
    expect_filled("*", '1', 65536, "ERR Protocol error: too big mbulk count string");
    expect_filled("*1\r\n$", '1', 65536, "ERR Protocol error: too big bulk count string");
    expect_filled("", 'a', 65537, "ERR Protocol error: too big inline request");
    expect_filled("", 'a', 65536, "");
}

static void test_query_limit(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct resp_limits limits = {.value_bytes_max = 100, .query_bytes_max = 150, .arguments_max = 10};
    const char *first = "*3\r\n$100\r\n";
    char value[102];
    memset(value, 'v', 100);
    memcpy(value + 100, "\r\n", 2);
    assert_true(feed(&f, &limits, first, strlen(first)));
    assert_true(feed(&f, &limits, value, sizeof value));
    assert_false(feed(&f, &limits, "$40\r\n", 5));
    assert_string_equal(f.scratch.why,
                        "ERR Protocol error: too big query (limit client-query-buffer-limit 150)");
    end(&f);
}

/* However the bytes are cut, the same commands come out. */
static void test_every_cut(void **state)
{
    (void)state;
    static const char input[] = "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\n\r\nval\r\nPING \"a b\"\r\n*0\r\n\r\n*1\r\n$12\r\nabcdefghijkl"
                                "\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\nquit\n*1\r\nboom";
    struct fixture whole;
    begin(&whole);
    feed(&whole, &usual, input, sizeof input - 1);
    for (size_t first = 0; first < sizeof input; first++) {
        for (size_t second = first; second < sizeof input; second++) {
            struct fixture f;
            begin(&f);
            bool on = feed(&f, &usual, input, first);
            on = on && feed(&f, &usual, input + first, second - first);
            on = on && feed(&f, &usual, input + second, sizeof input - 1 - second);
            assert_false(on);
            assert_true(span_equal(buffer_span(&f.log), buffer_span(&whole.log)));
            end(&f);
        }
    }
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < sizeof input - 1; i++)
        if (!feed(&f, &usual, input + i, 1))
            break;
    assert_true(span_equal(buffer_span(&f.log), buffer_span(&whole.log)));
    end(&f);
    end(&whole);
}

/* Random commands, cut at random. */
static void test_random_cuts(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    for (int round = 0; round < 300; round++) {
        struct fixture whole, cut;
        begin(&whole);
        begin(&cut);
        struct buffer input;
        buffer_init(&input, whole.heap);
        for (uint64_t commands = random_below(&random, 20); commands > 0; commands--) {
            char line[32];
            uint64_t words = random_below(&random, 5);
            (void)buffer_append(&input, line, (size_t)snprintf(line, sizeof line, "*%d\r\n", (int)words));
            for (; words > 0; words--) {
                size_t size = (size_t)random_below(&random, random_chance(&random, 1, 20) ? 30000 : 20);
                (void)buffer_append(&input, line, (size_t)snprintf(line, sizeof line, "$%zu\r\n", size));
                uint8_t *word = buffer_grow(&input, size);
                for (size_t i = 0; i < size; i++)
                    word[i] = (uint8_t)random_u64(&random);
                (void)buffer_append(&input, "\r\n", 2);
            }
        }
        assert_true(feed(&whole, &usual, input.data, input.size));
        for (size_t at = 0; at < input.size;) {
            size_t size = (size_t)random_below(&random, random_chance(&random, 1, 2) ? 10 : 20000) + 1;
            if (size > input.size - at)
                size = input.size - at;
            assert_true(feed(&cut, &usual, input.data + at, size));
            at += size;
        }
        assert_true(span_equal(buffer_span(&cut.log), buffer_span(&whole.log)));
        assert_int_equal(resp_parser_kept(&cut.parser), 0);
        buffer_free(&input);
        end(&whole);
        end(&cut);
    }
}

/* A command that is not executed yet is given again, also after another parser has used the scratch. */
static void test_asked_again(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct resp_parser other;
    resp_parser_init(&other, f.heap);
    static const char text[] = "*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n", another[] = "*1\r\n$6\r\nfoobar\r\n";
    struct span input = span_of(text, sizeof text - 1), more = span_of(another, sizeof another - 1);
    struct resp_command command;
    assert_int_equal(resp_parser_next(&f.parser, &f.scratch, &usual, &input, &command), RESP_COMMAND);
    assert_true(resp_parser_keep(&f.parser, input));
    input = (struct span){0};
    assert_int_equal(resp_parser_next(&other, &f.scratch, &usual, &more, &command), RESP_COMMAND);
    assert_int_equal(resp_parser_next(&f.parser, &f.scratch, &usual, &input, &command), RESP_COMMAND);
    assert_int_equal(command.count, 2);
    assert_memory_equal(resp_argument(&command, 1).data, "x", 1);
    resp_parser_advance(&f.parser, &input, command.size);
    assert_int_equal(resp_parser_next(&f.parser, &f.scratch, &usual, &input, &command), RESP_MORE);
    resp_parser_free(&other);
    end(&f);
}

/* A large value and a large number of words in many reads take time in proportion to their bytes: were anything parsed
 * or moved again for each read, this would take minutes. */
static void test_large_in_many_reads(void **state)
{
    (void)state;
    enum { WORDS = 1000000, VALUE = 64 << 20, READ = 16384 };
    static const struct resp_limits large = {
        .value_bytes_max = VALUE, .query_bytes_max = VALUE + (1 << 20), .arguments_max = 1 << 20};
    struct fixture f;
    begin(&f);
    char line[64];
    size_t size = (size_t)snprintf(line, sizeof line, "*2\r\n$3\r\nSET\r\n$%d\r\n", VALUE);
    struct span input = span_of(line, size);
    struct resp_command command;
    assert_int_equal(resp_parser_next(&f.parser, &f.scratch, &large, &input, &command), RESP_MORE);
    assert_true(resp_parser_keep(&f.parser, input));
    static char chunk[READ];
    for (size_t sent = 0; sent < VALUE; sent += READ) {
        input = span_of(chunk, READ);
        assert_int_equal(resp_parser_next(&f.parser, &f.scratch, &large, &input, &command), RESP_MORE);
    }
    input = span_of("\r\n", 2);
    assert_int_equal(resp_parser_next(&f.parser, &f.scratch, &large, &input, &command), RESP_COMMAND);
    assert_int_equal(resp_argument(&command, 1).size, VALUE);
    resp_parser_advance(&f.parser, &input, command.size);

    size = (size_t)snprintf(line, sizeof line, "*%d\r\n", WORDS);
    input = span_of(line, size);
    assert_int_equal(resp_parser_next(&f.parser, &f.scratch, &large, &input, &command), RESP_MORE);
    assert_true(resp_parser_keep(&f.parser, input));
    enum resp_status status = RESP_MORE;
    for (int word = 0; word < WORDS; word++) {
        input = span_of("$1\r\nx\r\n", 7);
        status = resp_parser_next(&f.parser, &f.scratch, &large, &input, &command);
    }
    assert_int_equal(status, RESP_COMMAND);
    assert_int_equal(command.count, WORDS);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_multibulk),       cmocka_unit_test(test_inline),
        cmocka_unit_test(test_malformed),       cmocka_unit_test(test_endless_lines),
        cmocka_unit_test(test_query_limit),     cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_random_cuts),     cmocka_unit_test(test_asked_again),
        cmocka_unit_test(test_large_in_many_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
