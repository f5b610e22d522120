/* String commands, against what Redis answers. */
#include "service/kv/kv_test.h"

static void test_set_get(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "GET a", "_|");
    expect(t, "SET a 1", "+OK|");
    expect(t, "GET a", "$1|1|");
    expect(t, "SET a \"\"", "+OK|");
    expect(t, "GET a", "$0||");
    expect(t, "SET \"\" empty", "+OK|");
    expect(t, "GET \"\"", "$5|empty|");
    expect(t, "GET", "-ERR wrong number of arguments for 'get' command|");
    expect(t, "GET a b", "-ERR wrong number of arguments for 'get' command|");
    expect(t, "DBSIZE", ":2|");
    kv_test_free(t);
}

static void test_set_options(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "SET a 1 XX", "_|");
    expect(t, "SET a 1 nx", "+OK|");
    expect(t, "SET a 2 NX", "_|");
    expect(t, "SET a 2 XX GET", "$1|1|");
    expect(t, "SET a 3 NX GET", "$1|2|");
    expect(t, "GET a", "$1|2|");
    expect(t, "SET b 1 GET", "_|");
    expect(t, "SET a 1 NX XX", "-ERR syntax error|");
    expect(t, "SET a 1 EX", "-ERR syntax error|");
    expect(t, "SET a 1 EX 1 PX 1", "-ERR syntax error|");
    expect(t, "SET a 1 EX 1 KEEPTTL", "-ERR syntax error|");
    expect(t, "SET a 1 KEEPTTL EX 1", "-ERR syntax error|");
    expect(t, "SET a 1 PERSIST", "-ERR syntax error|");
    expect(t, "SET a 1 EX x", "-ERR value is not an integer or out of range|");
    expect(t, "SET a 1 EX 0", "-ERR invalid expire time in 'set' command|");
    expect(t, "SET a 1 PX -1", "-ERR invalid expire time in 'set' command|");
    expect(t, "SET a 1 EX 9223372036854775807", "-ERR invalid expire time in 'set' command|");
    expect(t, "SET a 1 PX 9223372036854775807", "-ERR invalid expire time in 'set' command|");
    expect(t, "SET a 1 EX 5 EX 10", "+OK|");
    expect(t, "TTL a", ":10|");
    expect(t, "SET a 2 KEEPTTL", "+OK|");
    expect(t, "PTTL a", ":10000|");
    expect(t, "SET a 2 PXAT 1700000000001", "+OK|");
    expect(t, "PTTL a", ":1|");
    expect(t, "SET a 2 EXAT 1700000001", "+OK|");
    expect(t, "PEXPIRETIME a", ":1700000001000|");
    expect(t, "SET a 2", "+OK|");
    expect(t, "TTL a", ":-1|");
    expect(t, "SET a 2 EXAT 1", "+OK|");
    expect(t, "GET a", "_|");
    kv_test_free(t);
}

static void test_set_variants(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "SETNX a 1", ":1|");
    expect(t, "SETNX a 2", ":0|");
    expect(t, "GETSET a 3", "$1|1|");
    expect(t, "GETSET b 3", "_|");
    expect(t, "GETDEL a", "$1|3|");
    expect(t, "GETDEL a", "_|");
    expect(t, "SETEX a 10 x", "+OK|");
    expect(t, "TTL a", ":10|");
    expect(t, "PSETEX a 1500 x", "+OK|");
    expect(t, "PTTL a", ":1500|");
    expect(t, "GETSET a y", "$1|x|");
    expect(t, "TTL a", ":-1|");
    expect(t, "SETEX a 0 x", "-ERR invalid expire time in 'setex' command|");
    expect(t, "PSETEX a -5 x", "-ERR invalid expire time in 'psetex' command|");
    expect(t, "SETEX a x x", "-ERR value is not an integer or out of range|");
    kv_test_free(t);
}

static void test_getex(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "GETEX a EX 0", "_|");
    expect(t, "SET a 1", "+OK|");
    expect(t, "GETEX a", "$1|1|");
    expect(t, "GETEX a EX 10", "$1|1|");
    expect(t, "TTL a", ":10|");
    expect(t, "GETEX a", "$1|1|");
    expect(t, "TTL a", ":10|");
    expect(t, "GETEX a PERSIST", "$1|1|");
    expect(t, "TTL a", ":-1|");
    expect(t, "GETEX a PERSIST EX 1", "-ERR syntax error|");
    expect(t, "GETEX a NX", "-ERR syntax error|");
    expect(t, "GETEX a EX 0", "-ERR invalid expire time in 'getex' command|");
    expect(t, "GETEX a PXAT 1", "$1|1|");
    expect(t, "EXISTS a", ":0|");
    kv_test_free(t);
}

static void test_many(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "MSET a 1 b 2 a 3", "+OK|");
    expect(t, "MGET a b c a", "*4|$1|3|$1|2|_|$1|3|");
    expect(t, "MSET a", "-ERR wrong number of arguments for 'mset' command|");
    expect(t, "MSET a 1 b", "-ERR wrong number of arguments for 'mset' command|");
    expect(t, "MSETNX c 1 b 1", ":0|");
    expect(t, "EXISTS c", ":0|");
    expect(t, "MSETNX c 1 d 1", ":1|");
    expect(t, "MSETNX e 1 f", "-ERR wrong number of arguments for 'msetnx' command|");
    kv_test_free(t);
}

static void test_ranges(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "APPEND a Hello", ":5|");
    expect(t, "APPEND a World", ":10|");
    expect(t, "APPEND a \"\"", ":10|");
    expect(t, "GET a", "$10|HelloWorld|");
    expect(t, "APPEND none \"\"", ":0|");
    expect(t, "EXISTS none", ":1|");
    expect(t, "STRLEN a", ":10|");
    expect(t, "STRLEN b", ":0|");
    expect(t, "GETRANGE a 0 4", "$5|Hello|");
    expect(t, "GETRANGE a -5 -1", "$5|World|");
    expect(t, "GETRANGE a 5 100", "$5|World|");
    expect(t, "GETRANGE a -100 1", "$2|He|");
    expect(t, "GETRANGE a -1 -2", "$0||");
    expect(t, "GETRANGE a 3 2", "$0||");
    expect(t, "GETRANGE a -9223372036854775808 9223372036854775807", "$10|HelloWorld|");
    expect(t, "GETRANGE b 0 -1", "$0||");
    expect(t, "GETRANGE a x 1", "-ERR value is not an integer or out of range|");
    expect(t, "SUBSTR a 0 0", "$1|H|");
    expect(t, "SETRANGE a 5 Redis", ":10|");
    expect(t, "GET a", "$10|HelloRedis|");
    expect(t, "SETRANGE b 2 x", ":3|");
    assert_memory_equal(kv_test_run(t, "GET b"), "$3|\0\0x|", 7);
    expect(t, "SETRANGE c 2 \"\"", ":0|");
    expect(t, "EXISTS c", ":0|");
    expect(t, "SETRANGE a -1 x", "-ERR offset is out of range|");
    expect(t, "SETRANGE a x x", "-ERR value is not an integer or out of range|");
    expect(t, "SETRANGE a 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)|");
    expect(t, "SETRANGE a 9223372036854775807 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)|");
    expect(t, "SETRANGE a 536870911 x", "-OOM command not allowed when used memory > 'maxmemory'.|");
    expect(t, "EXPIRE a 10", ":1|");
    expect(t, "APPEND a x", ":11|");
    expect(t, "TTL a", ":10|");
    kv_test_free(t);
}

static void test_numbers(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "INCR a", ":1|");
    expect(t, "INCRBY a 41", ":42|");
    expect(t, "DECR a", ":41|");
    expect(t, "DECRBY a 42", ":-1|");
    expect(t, "GET a", "$2|-1|");
    expect(t, "SET a 9223372036854775806", "+OK|");
    expect(t, "INCR a", ":9223372036854775807|");
    expect(t, "INCR a", "-ERR increment or decrement would overflow|");
    expect(t, "SET a -9223372036854775808", "+OK|");
    expect(t, "DECR a", "-ERR increment or decrement would overflow|");
    expect(t, "DECRBY a -9223372036854775808", "-ERR decrement would overflow|");
    expect(t, "SET a 01", "+OK|");
    expect(t, "INCR a", "-ERR value is not an integer or out of range|");
    expect(t, "INCRBY a x", "-ERR value is not an integer or out of range|");
    expect(t, "SET f 10.5", "+OK|");
    expect(t, "INCRBYFLOAT f 0.1", "$4|10.6|");
    expect(t, "INCRBYFLOAT f -5", "$3|5.6|");
    expect(t, "INCRBYFLOAT g 5.0e3", "$4|5000|");
    expect(t, "INCRBYFLOAT f x", "-ERR value is not a valid float|");
    expect(t, "SET h abc", "+OK|");
    expect(t, "INCRBYFLOAT h 1", "-ERR value is not a valid float|");
    expect(t, "SET h 1e308", "+OK|");
    expect(t, "INCRBYFLOAT h 1e308", "-ERR increment would produce NaN or Infinity|");
    expect(t, "EXPIRE f 10", ":1|");
    expect(t, "INCRBYFLOAT f 1", "$3|6.6|");
    expect(t, "TTL f", ":10|");
    kv_test_free(t);
}

/* Blocks change their size class, grow in place and move; contents and accounting must follow. */
static void test_sizes(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    uint64_t appended = 0;
    expect(t, "SET a x EX 100", "+OK|");
    for (int i = 0; i < 2000; i++) {
        kv_test_run(t, "APPEND a 0123456789");
        appended += 10;
        char line[64];
        snprintf(line, sizeof line, ":%llu|", (unsigned long long)(1 + appended));
        assert_string_equal(kv_test_run(t, "STRLEN a"), line);
    }
    assert_int_equal(kv_service.bytes_used(t->kv), entry_charge(1, 20001, 1));
    expect(t, "GETRANGE a 19991 -1", "$10|0123456789|");
    expect(t, "TTL a", ":100|");
    expect(t, "SET a y", "+OK|");
    assert_int_equal(kv_service.bytes_used(t->kv), entry_charge(1, 1, KV_NEVER));
    expect(t, "DEL a", ":1|");
    assert_int_equal(kv_service.bytes_used(t->kv), 0);
    kv_test_free(t);
}

/* Keys of 16 bytes with values of 100 must not take more than 185 bytes each, nor more than they are charged. */
static void test_memory(void **state)
{
    (void)state;
    enum { KEYS = 120000 };
    struct kv_test *t = kv_test_start();
    char line[160];
    for (int i = 0; i < KEYS; i++) {
        snprintf(line, sizeof line, "SET key:%012d %0100d", i, i);
        kv_test_run(t, line);
        if (i > KEYS / 8 && i % 1000 == 0) {
            assert_true(heap_used(t->heap) < (size_t)i * 185);
            assert_true(heap_used(t->heap) < kv_service.bytes_used(t->kv));
        }
    }
    assert_int_equal(kv_service.item_count(t->kv), KEYS);
    kv_test_free(t);
}

static void test_limit(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_new((size_t)64 << 20, 1000);
    int stored = 0;
    char line[64];
    do {
        snprintf(line, sizeof line, "SET key%d 0123456789", stored++);
    } while (strcmp(kv_test_run(t, line), "+OK|") == 0);
    assert_string_equal(kv_test_run(t, line), "-OOM command not allowed when used memory > 'maxmemory'.|");
    assert_true(kv_service.bytes_used(t->kv) <= 1000);
    expect(t, "MSET x 1 y 2", "-OOM command not allowed when used memory > 'maxmemory'.|");
    expect(t, "EXISTS x y", ":0|");
    expect(t, "APPEND key0 01234567890123456789012345678901234567890123456789012345678901234567890123456789",
           "-OOM command not allowed when used memory > 'maxmemory'.|");
    expect(t, "GET key0", "$10|0123456789|");
    expect(t, "SET key0 0 GET", "$10|0123456789|");
    expect(t, "SET key9999 01234567890123456789 GET", "-OOM command not allowed when used memory > 'maxmemory'.|");
    expect(t, "DEL key1", ":1|");
    expect(t, "SET key1 0", "+OK|");
    kv_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_get), cmocka_unit_test(test_set_options), cmocka_unit_test(test_set_variants),
        cmocka_unit_test(test_getex),   cmocka_unit_test(test_many),        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_sizes),       cmocka_unit_test(test_limit),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
