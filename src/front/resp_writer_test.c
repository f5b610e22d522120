/* RESP3 answers for RESP2 clients. */
#include "front/resp_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/random.h"

static struct heap *heap;

static void expect(const char *value, size_t size, bool null_array, const char *want)
{
    struct buffer out;
    buffer_init(&out, heap);
    bool ok = resp2_write(&out, span_of(value, size), null_array);
    if (want == NULL ? ok || out.size != 0
                     : !ok || out.size != strlen(want) || memcmp(out.data, want, out.size) != 0)
        fail_msg("%s became %.*s", value, (int)out.size, out.data == NULL ? "" : (const char *)out.data);
    buffer_free(&out);
}
#define EXPECT(value, want) expect((value), sizeof(value) - 1, false, (want))

static void test_leaves(void **state)
{
    (void)state;
    EXPECT("+OK\r\n", "+OK\r\n");
    EXPECT("-ERR x\r\n", "-ERR x\r\n");
    EXPECT(":-12\r\n", ":-12\r\n");
    EXPECT("$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n");
    EXPECT("_\r\n", "$-1\r\n");
    expect("_\r\n", 3, true, "*-1\r\n");
    EXPECT(",1.5\r\n", "$3\r\n1.5\r\n");
    EXPECT(",inf\r\n", "$3\r\ninf\r\n");
    EXPECT("#t\r\n", ":1\r\n");
    EXPECT("#f\r\n", ":0\r\n");
    EXPECT("(12345678901234567890\r\n", "$20\r\n12345678901234567890\r\n");
    EXPECT("=7\r\ntxt:a\nb\r\n", "$3\r\na\nb\r\n");
    EXPECT("!9\r\nERR a\r\nbc\r\n", "-ERR a  bc\r\n");
}

static void test_aggregates(void **state)
{
    (void)state;
    EXPECT("*0\r\n", "*0\r\n");
    EXPECT("%2\r\n+a\r\n:1\r\n+b\r\n_\r\n", "*4\r\n+a\r\n:1\r\n+b\r\n$-1\r\n");
    EXPECT("~2\r\n#t\r\n,2\r\n", "*2\r\n:1\r\n$1\r\n2\r\n");
    EXPECT("*3\r\n*1\r\n%1\r\n$1\r\nk\r\n*0\r\n:7\r\n~0\r\n", "*3\r\n*1\r\n*2\r\n$1\r\nk\r\n*0\r\n:7\r\n*0\r\n");
    expect("*1\r\n_\r\n", 7, true, "*1\r\n$-1\r\n"); /* only the whole answer is a null array */
}

static void test_malformed(void **state)
{
    (void)state;
    EXPECT("", NULL);
    EXPECT("*2\r\n:1\r\n", NULL);
    EXPECT("*1\r\n$5\r\nab\r\n", NULL);
    EXPECT("%1\r\n+a\r\n", NULL);
    EXPECT("*x\r\n", NULL);
    EXPECT("?\r\n", NULL);
    EXPECT("*1\r\n:1\r\n:2\r\n", NULL); /* two values */
    EXPECT("*1", NULL);
}

static void test_value_size(void **state)
{
    (void)state;
    static const char value[] = "*2\r\n%1\r\n+a\r\n$2\r\n\r\n\r\n~1\r\n:1\r\n";
    assert_int_equal(resp_value_size(span_of(value, sizeof value - 1)), sizeof value - 1);
    for (size_t size = 0; size < sizeof value - 1; size++)
        assert_int_equal(resp_value_size(span_of(value, size)), 0);
    uint64_t count;
    size_t head;
    assert_true(resp_aggregate(span_of("%3\r\n", 4), &count, &head));
    assert_int_equal(count, 6);
    assert_int_equal(head, 4);
    assert_false(resp_aggregate(span_of("*-1\r\n", 5), &count, &head));
    assert_false(resp_aggregate(span_of("_\r\n", 3), &count, &head));
}

/* A random value in both protocols at once. */
static void random_value(struct random *random, struct buffer *three, struct buffer *two, int depth)
{
    uint64_t kind = random_below(random, depth > 0 ? 6 : 4);
    char head[2][32];
    switch (kind) {
    case 0:
        (void)buffer_append(three, "_\r\n", 3);
        (void)buffer_append(two, "$-1\r\n", 5);
        return;
    case 1:
        (void)buffer_append(three, ":5\r\n", 4);
        (void)buffer_append(two, ":5\r\n", 4);
        return;
    case 2:
        (void)buffer_append(three, "#t\r\n", 4);
        (void)buffer_append(two, ":1\r\n", 4);
        return;
    case 3:
        (void)buffer_append(three, ",0.25\r\n", 7);
        (void)buffer_append(two, "$4\r\n0.25\r\n", 10);
        return;
    default: {
        int count = (int)random_below(random, 4);
        int sizes[2] = {snprintf(head[0], sizeof head[0], "%c%d\r\n", kind == 4 ? '%' : '~', count),
                        snprintf(head[1], sizeof head[1], "*%d\r\n", kind == 4 ? count * 2 : count)};
        (void)buffer_append(three, head[0], (size_t)sizes[0]);
        (void)buffer_append(two, head[1], (size_t)sizes[1]);
        for (int i = 0; i < (kind == 4 ? count * 2 : count); i++)
            random_value(random, three, two, depth - 1);
        return;
    }
    }
}

static void test_random_values(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 20240229);
    for (int round = 0; round < 5000; round++) {
        struct buffer three, two, out;
        buffer_init(&three, heap);
        buffer_init(&two, heap);
        buffer_init(&out, heap);
        random_value(&random, &three, &two, 4);
        assert_true(resp2_write(&out, buffer_span(&three), false));
        assert_true(span_equal(buffer_span(&out), buffer_span(&two)));
        buffer_free(&three);
        buffer_free(&two);
        buffer_free(&out);
    }
}

int main(void)
{
    heap = heap_create_system((size_t)1 << 30);
    if (heap == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves),     cmocka_unit_test(test_aggregates),    cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_value_size), cmocka_unit_test(test_random_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
