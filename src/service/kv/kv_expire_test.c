/* Expiry: agreed time alone decides, ticks are asked for, members agree. */
#include "service/kv/kv_test.h"

static void test_conditions(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "EXPIRE a 10", ":0|");
    expect(t, "SET a 1", "+OK|");
    expect(t, "EXPIRE a 10 XX", ":0|");
    expect(t, "EXPIRE a 10 GT", ":0|");
    expect(t, "EXPIRE a 10 LT", ":1|");
    expect(t, "EXPIRE a 20 NX", ":0|");
    expect(t, "EXPIRE a 10 GT", ":0|");
    expect(t, "EXPIRE a 11 GT", ":1|");
    expect(t, "EXPIRE a 11 LT", ":0|");
    expect(t, "EXPIRE a 9 XX LT", ":1|");
    expect(t, "TTL a", ":9|");
    expect(t, "PERSIST a", ":1|");
    expect(t, "PERSIST a", ":0|");
    expect(t, "EXPIRE a 5 NX", ":1|");
    expect(t, "EXPIRE a 1 NX XX", "-ERR NX and XX, GT or LT options at the same time are not compatible|");
    expect(t, "EXPIRE a 1 GT LT", "-ERR GT and LT options at the same time are not compatible|");
    expect(t, "EXPIRE a 1 foo", "-ERR Unsupported option foo|");
    expect(t, "EXPIRE a x", "-ERR value is not an integer or out of range|");
    expect(t, "EXPIRE a 9223372036854775807", "-ERR invalid expire time in 'expire' command|");
    expect(t, "PEXPIRE a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command|");
    expect(t, "EXPIREAT a -9223372036854775808", "-ERR invalid expire time in 'expireat' command|");
    expect(t, "PEXPIREAT a 1700000005000", ":1|");
    expect(t, "EXPIRETIME a", ":1700000005|");
    expect(t, "PEXPIRETIME a", ":1700000005000|");
    expect(t, "EXPIRE a -1", ":1|");
    expect(t, "EXISTS a", ":0|");
    expect(t, "TTL a", ":-2|");
    expect(t, "PEXPIRETIME a", ":-2|");
    kv_test_free(t);
}

/* Reads print the time that is left by their own time, but what exists is decided by the last update. */
static void test_reads_do_not_expire(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "SET a 1 PX 1000", "+OK|");
    kv_test_pass(t, 400);
    expect(t, "PTTL a", ":600|");
    kv_test_pass(t, 5000);
    expect(t, "PTTL a", ":0|");
    expect(t, "GET a", "$1|1|");
    expect(t, "SET b 1", "+OK|");
    expect(t, "GET a", "_|");
    expect(t, "PTTL a", ":-2|");
    /* Time never falls, and a read that was late sees the time of the update. */
    expect(t, "SET c 1 PX 1000", "+OK|");
    kv_test_pass(t, -5000);
    expect(t, "PTTL c", ":1000|");
    expect(t, "SET d 1 PX 1000", "+OK|");
    expect(t, "PTTL d", ":1000|");
    kv_test_free(t);
}

/* The boundary: a key is absent at its deadline, not a millisecond before. */
static void test_boundary(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "SET a 1 PX 100", "+OK|");
    kv_test_pass(t, 99);
    kv_test_tick(t);
    expect(t, "EXISTS a", ":1|");
    kv_test_pass(t, 1);
    kv_test_tick(t);
    expect(t, "EXISTS a", ":0|");
    expect(t, "DBSIZE", ":0|");
    kv_test_free(t);
}

static void test_ticks(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    int64_t begin_ns = t->now_ns;
    assert_true(t->tick_at_ns == SERVICE_NO_TICK);
    expect(t, "SET a 1 PX 500", "+OK|");
    assert_true(t->tick_at_ns == begin_ns + 500 * NS_PER_MS);
    expect(t, "SET b 1 PX 300", "+OK|");
    assert_true(t->tick_at_ns == begin_ns + 300 * NS_PER_MS);
    expect(t, "DEL b", ":1|");
    assert_true(t->tick_at_ns == begin_ns + 500 * NS_PER_MS);
    kv_test_pass(t, 500);
    kv_test_tick(t);
    assert_true(t->tick_at_ns == SERVICE_NO_TICK);
    assert_int_equal(kv_service.item_count(t->kv), 0);
    /* A deadline beyond what nanoseconds reach needs no tick. */
    expect(t, "SET a 1 PXAT 9223372036854775806", "+OK|");
    assert_true(t->tick_at_ns == SERVICE_NO_TICK);
    expect(t, "PEXPIRETIME a", ":9223372036854775806|");
    kv_test_free(t);
}

/* Thousands expire at once: they are absent at once, and are reclaimed a few in each delivery. */
static void test_bounded_reclaim(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    char line[64];
    for (int i = 0; i < 5000; i++) {
        snprintf(line, sizeof line, "SET key:%d 1 PX 1000", i);
        kv_test_run(t, line);
    }
    kv_test_pass(t, 2000);
    uint64_t before = kv_service.item_count(t->kv);
    unsigned ticks = 0;
    for (; before > 0; ticks++) {
        kv_test_tick(t);
        uint64_t after = kv_service.item_count(t->kv);
        assert_true(after < before && before - after <= 20);
        assert_true(after == 0 || t->tick_at_ns <= t->now_ns);
        expect(t, "EXISTS key:1 key:4999", ":0|");
        before = after;
    }
    assert_true(ticks >= 250);
    assert_int_equal(kv_service.bytes_used(t->kv), 0);
    kv_test_free(t);
}

/* What was overwritten while expired, but not yet reclaimed, is a new key. */
static void test_overwrite_expired(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    char line[64];
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "SET key:%d 5 PX 1000", i);
        kv_test_run(t, line);
    }
    kv_test_pass(t, 2000);
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "INCR key:%d", i);
        expect(t, line, ":1|");
    }
    expect(t, "DBSIZE", ":100|");
    expect(t, "TTL key:7", ":-1|");
    assert_true(t->tick_at_ns == SERVICE_NO_TICK);
    kv_test_free(t);
}

/* A value that is large has room for a deadline, a small one must move; neither loses anything. */
static void test_sizes(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    for (int size = 1; size < 1200; size += 37) {
        char line[1300], answer[1300];
        snprintf(line, sizeof line, "SET a %0*d", size, 7);
        expect(t, line, "+OK|");
        expect(t, "EXPIRE a 10", ":1|");
        expect(t, "PERSIST a", ":1|");
        expect(t, "EXPIRE a 20", ":1|");
        snprintf(answer, sizeof answer, "$%d|%0*d|", size, size, 7);
        expect(t, "GET a", answer);
        expect(t, "TTL a", ":20|");
        assert_int_equal(kv_service.bytes_used(t->kv), entry_charge(1, (size_t)size, 1));
        kv_deadlines_check(&t->kv->deadlines);
    }
    kv_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions),      cmocka_unit_test(test_reads_do_not_expire),
        cmocka_unit_test(test_boundary),        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_bounded_reclaim), cmocka_unit_test(test_overwrite_expired),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
