/* Transactions as the service sees them. */
#include "service/kv/kv_test.h"

/* Delivers EXEC with the watched keys that `blob` lists and the commands of the lines. */
static void exec(struct kv_test *t, const struct buffer *blob, const char *const *lines, uint32_t count)
{
    struct buffer inner;
    buffer_init(&inner, t->other);
    buffer_clear(&t->command);
    size_t at = command_begin(&t->command, OP_EXEC, 0, count + 1);
    command_argument(&t->command, buffer_span(blob));
    for (uint32_t i = 0; i < count; i++) {
        buffer_clear(&inner);
        kv_test_encode(&inner, lines[i]);
        command_argument(&t->command, buffer_span(&inner));
    }
    command_end(&t->command, at);
    kv_test_deliver(t, false);
    buffer_append(&t->reply, "", 1);
    buffer_free(&inner);
}

static void watch_add(struct buffer *blob, uint64_t version, const char *key)
{
    uint8_t head[12];
    store_u64(head, version);
    store_u32(head + 8, (uint32_t)strlen(key));
    buffer_append(blob, head, sizeof head);
    buffer_append(blob, key, strlen(key));
}

#define expect_exec(t, blob, answer, ...)                                                                              \
    do {                                                                                                               \
        const char *const lines[] = {__VA_ARGS__};                                                                     \
        exec(t, blob, lines, sizeof lines / sizeof lines[0]);                                                          \
        assert_string_equal((const char *)(t)->reply.data, answer);                                                    \
    } while (0)

static void test_exec(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    struct buffer none;
    buffer_init(&none, t->other);
    expect_exec(t, &none, "*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n", "SET a 1", "INCR a", "GET a");
    expect_exec(t, &none,
                "*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n-ERR wrong number of arguments for 'get' "
                "command\r\n",
                "SET s x", "INCR s", "GET");
    expect_exec(t, &none, "*1\r\n-ERR unknown command of the key-value service\r\n", "EXEC");
    expect_exec(t, &none, "*1\r\n-ERR unknown command of the key-value service\r\n", "WATCH a");
    expect_exec(t, &none, "*1\r\n-ERR unknown command of the key-value service\r\n", "PING");
    exec(t, &none, NULL, 0);
    assert_string_equal((const char *)t->reply.data, "*0\r\n");
    /* All of one transaction have one version. */
    expect_exec(t, &none, "*2\r\n+OK\r\n+OK\r\n", "SET x 1", "SET y 1");
    char answer[64];
    snprintf(answer, sizeof answer, "*3|:%llu|:%llu|:0|", (unsigned long long)t->index, (unsigned long long)t->index);
    expect(t, "WATCH x y none", answer);
    kv_test_free(t);
}

static void test_watch(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    struct buffer blob;
    buffer_init(&blob, t->other);
    expect(t, "SET a 1", "+OK|");
    uint64_t version = t->index;
    watch_add(&blob, version, "a");
    watch_add(&blob, 0, "absent");
    expect_exec(t, &blob, "*1\r\n+OK\r\n", "SET b 1");
    expect(t, "SET absent 1", "+OK|");
    expect_exec(t, &blob, "_\r\n", "SET b 2");
    expect(t, "GET b", "$1|1|");
    expect(t, "DEL absent", ":1|");
    expect_exec(t, &blob, "*1\r\n+OK\r\n", "SET b 3");
    /* Expiry counts as a change: setting it, and its coming. */
    expect(t, "PEXPIRE a 1000", ":1|");
    expect_exec(t, &blob, "_\r\n", "SET b 4");
    buffer_clear(&blob);
    watch_add(&blob, kv_store_version(t->kv, span_string("a")), "a");
    expect_exec(t, &blob, "*1\r\n+OK\r\n", "SET b 5");
    kv_test_pass(t, 1000);
    expect_exec(t, &blob, "_\r\n", "SET b 6");
    expect(t, "GET b", "$1|5|");
    kv_test_free(t);
}

/* Whatever is malformed is found before anything is executed. */
static void test_malformed(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    struct buffer whole;
    buffer_init(&whole, t->other);
    kv_test_encode(&whole, "SET a 1");
    kv_test_tick(t);
    uint64_t digest = kv_service.digest(t->kv);
    for (size_t cut = 0; cut < whole.size; cut++) {
        buffer_clear(&t->command);
        size_t at = command_begin(&t->command, OP_EXEC, 0, 3);
        command_argument(&t->command, span_of(NULL, 0));
        command_argument(&t->command, buffer_span(&whole));
        command_argument(&t->command, span_of(whole.data, cut));
        command_end(&t->command, at);
        kv_test_deliver(t, false);
        assert_int_equal(t->reply.data[0], '-');
    }
    uint8_t blob[16] = {0};
    store_u32(blob + 8, 5);
    for (size_t size = 1; size <= sizeof blob; size++) {
        buffer_clear(&t->command);
        size_t at = command_begin(&t->command, OP_EXEC, 0, 2);
        command_argument(&t->command, span_of(blob, size));
        command_argument(&t->command, buffer_span(&whole));
        command_end(&t->command, at);
        kv_test_deliver(t, false);
        assert_int_equal(t->reply.data[0], '-');
    }
    buffer_clear(&t->command);
    command_end(&t->command, command_begin(&t->command, OP_EXEC, 0, 0));
    kv_test_deliver(t, false);
    assert_int_equal(t->reply.data[0], '-');
    expect(t, "EXISTS a", ":0|");
    assert_true(kv_service.digest(t->kv) == digest);
    kv_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
