/* KEYS, SCAN and RANDOMKEY. */
#include "service/kv/kv_test.h"

enum { KEYS = 5000 };

static void set_key(struct kv_test *t, int number)
{
    char line[64];
    snprintf(line, sizeof line, "SET key:%d 1", number);
    kv_test_run(t, line);
}

/* One call of SCAN; counts in `seen` how often each key came and returns the next cursor. */
static unsigned long long scan(struct kv_test *t, unsigned long long cursor, const char *options, unsigned *seen)
{
    char line[128];
    snprintf(line, sizeof line, "SCAN %llu %s", cursor, options);
    const char *at = strchr(kv_test_run(t, line), '$');
    unsigned long long next;
    assert_int_equal(sscanf(at, "$%*u|%llu|", &next), 1);
    while ((at = strstr(at, "|key:")) != NULL) {
        unsigned key;
        sscanf(at, "|key:%u", &key);
        seen[key]++;
        at += 5;
    }
    assert_true(next <= (UINT64_C(1) << 53));
    return next;
}

static void test_errors(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "SCAN x", "-ERR invalid cursor|");
    expect(t, "SCAN 0 COUNT", "-ERR syntax error|");
    expect(t, "SCAN 0 COUNT 0", "-ERR syntax error|");
    expect(t, "SCAN 0 COUNT x", "-ERR value is not an integer or out of range|");
    expect(t, "SCAN 0 FOO 1", "-ERR syntax error|");
    expect(t, "SCAN 0 MATCH", "-ERR syntax error|");
    expect(t, "SCAN 0", "*2|$1|0|*0|");
    expect(t, "SCAN 18446744073709551615", "*2|$1|0|*0|");
    expect(t, "SCAN 18446744073709551616", "-ERR invalid cursor|");
    expect(t, "SET a 1", "+OK|");
    expect(t, "SCAN 0", "*2|$1|0|*1|$1|a|");
    expect(t, "SCAN 0 TYPE string", "*2|$1|0|*1|$1|a|");
    expect(t, "SCAN 0 TYPE list", "*2|$1|0|*0|");
    expect(t, "SCAN 0 MATCH b*", "*2|$1|0|*0|");
    kv_test_free(t);
}

/* Keys that are there all the time come exactly once while the table grows or shrinks around them. */
static void walk_while(bool grow)
{
    struct kv_test *t = kv_test_start();
    static unsigned seen[4 * KEYS];
    memset(seen, 0, sizeof seen);
    int extra = 3 * KEYS;
    for (int i = 0; i < KEYS + (grow ? 0 : extra); i++)
        set_key(t, i);
    unsigned long long cursor = 0;
    int changed = 0;
    do {
        cursor = scan(t, cursor, "COUNT 7", seen);
        for (int i = 0; i < 20 && changed < extra; i++, changed++) {
            char line[64];
            snprintf(line, sizeof line, "DEL key:%d", KEYS + changed);
            if (grow)
                set_key(t, KEYS + changed);
            else
                kv_test_run(t, line);
        }
    } while (cursor != 0);
    assert_int_equal(changed, extra);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(seen[i], 1);
    for (int i = KEYS; i < 4 * KEYS; i++)
        assert_true(seen[i] <= 1);
    kv_test_free(t);
}

static void test_growth(void **state)
{
    (void)state;
    walk_while(true);
}

static void test_shrinking(void **state)
{
    (void)state;
    walk_while(false);
}

/* A call looks at COUNT keys, and at no more than a bound whatever the client asks for. */
static void test_bounded(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    static unsigned seen[4 * KEYS];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < 4 * KEYS; i++)
        set_key(t, i);
    unsigned long long cursor = scan(t, 0, "COUNT 1000000", seen);
    unsigned count = 0;
    for (int i = 0; i < 4 * KEYS; i++)
        count += seen[i];
    assert_true(cursor != 0 && count == 8192);
    memset(seen, 0, sizeof seen);
    scan(t, cursor, "COUNT 13", seen);
    count = 0;
    for (int i = 0; i < 4 * KEYS; i++)
        count += seen[i];
    assert_int_equal(count, 13);
    kv_test_free(t);
}

static void test_keys(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    expect(t, "KEYS *", "*0|");
    expect(t, "MSET one 1 two 2", "+OK|");
    expect(t, "KEYS t*", "*1|$3|two|");
    assert_memory_equal(kv_test_run(t, "KEYS *"), "*2|", 3);
    expect(t, "SET short 1 PX 100", "+OK|");
    kv_test_pass(t, 100);
    expect(t, "SET two 2", "+OK|");
    assert_memory_equal(kv_test_run(t, "KEYS *"), "*2|", 3);
    kv_test_free(t);
}

/* Every key is drawn sooner or later, none that has expired. */
static void test_randomkey(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    struct random random;
    random_seed(&random, 3);
    expect(t, "RANDOMKEY", "_|");
    expect(t, "MSET a 1 b 2 c 3", "+OK|");
    expect(t, "SET d 4 PX 1000", "+OK|");
    unsigned drawn[4] = {0};
    for (int i = 0; i < 400; i++) {
        t->random = random_u64(&random);
        drawn[kv_test_run(t, "RANDOMKEY")[3] - 'a']++;
    }
    for (int i = 0; i < 4; i++)
        assert_true(drawn[i] > 20);
    /* Expired, but still there while nothing reclaims it. */
    t->kv->now_ms += 1000;
    for (int i = 0; i < 100; i++) {
        t->random = random_u64(&random);
        assert_true(kv_test_run(t, "RANDOMKEY")[3] != 'd');
    }
    kv_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),  cmocka_unit_test(test_growth), cmocka_unit_test(test_shrinking),
        cmocka_unit_test(test_bounded), cmocka_unit_test(test_keys),   cmocka_unit_test(test_randomkey),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
