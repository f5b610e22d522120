/* Commands on keys, and what concerns every command. */
#include "service/kv/kv_test.h"

static void test_delete_and_count(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "MSET a 1 b 2 c 3", "+OK|");
    expect(t, "EXISTS a b a x", ":3|");
    expect(t, "TOUCH a x", ":1|");
    expect(t, "TYPE a", "+string|");
    expect(t, "TYPE x", "+none|");
    expect(t, "DEL a a x", ":1|");
    expect(t, "UNLINK b", ":1|");
    expect(t, "DBSIZE", ":1|");
    expect(t, "DEL", "-ERR wrong number of arguments for 'del' command|");
    expect(t, "DBSIZE x", "-ERR wrong number of arguments for 'dbsize' command|");
    kv_test_free(t);
}

static void test_rename(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "RENAME a b", "-ERR no such key|");
    expect(t, "RENAMENX a a", "-ERR no such key|");
    expect(t, "SET a 1 EX 100", "+OK|");
    expect(t, "SET b 2", "+OK|");
    expect(t, "RENAME a a", "+OK|");
    expect(t, "RENAMENX a a", ":0|");
    expect(t, "RENAMENX a b", ":0|");
    expect(t, "RENAME a b", "+OK|");
    expect(t, "GET b", "$1|1|");
    expect(t, "TTL b", ":100|");
    expect(t, "RENAMENX b a_much_longer_name_than_before", ":1|");
    expect(t, "EXISTS a b", ":0|");
    expect(t, "TTL a_much_longer_name_than_before", ":100|");
    expect(t, "DBSIZE", ":1|");
    kv_test_free(t);
}

static void test_flush(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    char line[64];
    for (int i = 0; i < 20000; i++) {
        snprintf(line, sizeof line, "SET key:%d 0123456789 EX 1000", i);
        kv_test_run(t, line);
    }
    size_t full = heap_used(t->heap);
    expect(t, "FLUSHALL x", "-ERR syntax error|");
    expect(t, "FLUSHALL ASYNC SYNC", "-ERR syntax error|");
    expect(t, "DBSIZE", ":20000|");
    expect(t, "FLUSHALL", "+OK|");
    expect(t, "DBSIZE", ":0|");
    assert_int_equal(kv_service.bytes_used(t->kv), 0);
    assert_true(t->tick_at_ns == SERVICE_NO_TICK);
    /* The memory comes back in pieces, none of which is much. */
    size_t before = heap_used(t->heap);
    assert_true(before > full / 2);
    unsigned updates = 0;
    for (; heap_used(t->heap) > 200 << 10; updates++) {
        expect(t, "SET a 1", "+OK|");
        assert_true(before - heap_used(t->heap) < 300 << 10);
        before = heap_used(t->heap);
        assert_true(updates < 1000);
    }
    assert_true(updates > 5);
    expect(t, "FLUSHDB SYNC", "+OK|");
    expect(t, "DBSIZE", ":0|");
    kv_test_free(t);
}

/* A delivery that no proper front would send is answered with an error and changes nothing. */
static void test_hostile_deliveries(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "SET a 1", "+OK|");
    uint64_t digest = kv_service.digest(t->kv);
    for (uint32_t op = 2; op < 400; op++) {
        const struct command_spec *spec = command_by_op((uint16_t)op);
        if (spec != NULL && spec->kind != COMMAND_FRONT)
            continue;
        buffer_clear(&t->command);
        command_end(&t->command, command_begin(&t->command, (uint16_t)op, 0, 0));
        kv_test_deliver(t, false);
        assert_int_equal(t->reply.data[0], '-');
    }
    buffer_clear(&t->command);
    kv_test_encode(&t->command, "SET a 2");
    kv_test_deliver(t, true);
    assert_int_equal(t->reply.data[0], '-');
    assert_true(kv_service.digest(t->kv) == digest);
    kv_test_free(t);
}

/* When the heap is full, though the limit is not reached, commands fail as a whole. */
static void test_full_heap(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_new((size_t)256 << 10, 0);
    t->kv->bytes_max = UINT64_MAX / 16;
    char line[300];
    int stored = 0;
    const char *answer;
    do {
        snprintf(line, sizeof line, "SET key:%d %0200d PX 100000", stored, stored);
        answer = kv_test_run(t, line);
    } while (strcmp(answer, "+OK|") == 0 && stored++ < 100000);
    assert_string_equal(answer, "-OOM command not allowed when used memory > 'maxmemory'.|");
    assert_true(stored > 100);
    uint64_t digest = kv_service.digest(t->kv);
    expect(t, "MSET x 1 y 2", "-OOM command not allowed when used memory > 'maxmemory'.|");
    expect(t, "EXISTS x y", ":0|");
    kv_test_run(t, "SETRANGE key:0 100000 x");
    kv_test_run(t, "SETRANGE key:1 100000 x");
    kv_test_run(t, "SETRANGE new 100000 x");
    assert_true(kv_service.digest(t->kv) == digest);
    kv_table_check(t->kv->table);
    kv_deadlines_check(&t->kv->deadlines);
    /* Deleting makes room again. */
    for (int i = 0; i < 20; i++) {
        snprintf(line, sizeof line, "DEL key:%d", i);
        expect(t, line, ":1|");
    }
    expect(t, "SET new 1", "+OK|");
    kv_test_free(t);
}

static void test_digest(void **state)
{
    (void)state;
    struct kv_test *a = kv_test_start();
    struct kv_test *b = kv_test_start();
    kv_test_run(a, "MSET x 1 y 2");
    kv_test_run(b, "MSET y 2 x 1");
    assert_true(kv_service.digest(a->kv) == kv_service.digest(b->kv));
    kv_test_run(a, "SET x 1");
    kv_test_run(b, "GETRANGE x 0 0");
    assert_true(kv_service.digest(a->kv) != kv_service.digest(b->kv));
    kv_test_run(b, "SET x 1");
    assert_true(kv_service.digest(a->kv) == kv_service.digest(b->kv));
    kv_test_run(a, "PEXPIRE x 1000");
    kv_test_run(b, "PEXPIRE x 1001");
    assert_true(kv_service.digest(a->kv) != kv_service.digest(b->kv));
    kv_test_free(a);
    kv_test_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delete_and_count),   cmocka_unit_test(test_rename),    cmocka_unit_test(test_flush),
        cmocka_unit_test(test_hostile_deliveries), cmocka_unit_test(test_full_heap), cmocka_unit_test(test_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
