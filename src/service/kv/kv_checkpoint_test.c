/* Checkpoints: what they hold while everything changes, and what damaged ones do. The model's test does the same at
 * random. */
#include "service/kv/kv_test.h"

enum { KEYS = 3000 };

static void fill(struct kv_test *t)
{
    char line[64];
    for (int i = 0; i < KEYS; i++) {
        snprintf(line, sizeof line, i % 3 == 0 ? "SET key:%d value:%d PX 100000" : "SET key:%d value:%d", i, i);
        kv_test_run(t, line);
    }
}

/* Writes a checkpoint while `change` is called between its pieces; it must be that of the beginning. */
static void checkpoint_while(void (*change)(struct kv_test *t, int step))
{
    struct kv_test *t = kv_test_start();
    fill(t);
    struct buffer before, during;
    buffer_init(&before, t->other);
    buffer_init(&during, t->other);
    kv_test_checkpoint(t, &before, 1 << 20);
    uint64_t digest = kv_service.digest(t->kv);
    kv_service.checkpoint_begin(t->kv);
    int step = 0;
    do
        change(t, step++);
    while (kv_service.checkpoint_next(t->kv, &during, 500));
    kv_service.checkpoint_end(t->kv);
    assert_true(step > 10);
    assert_true(kv_service.digest(t->kv) != digest);
    assert_true(span_equal(buffer_span(&before), buffer_span(&during)));
    /* Restored over what is there, in whatever pieces. */
    assert_true(kv_test_restore(t, buffer_span(&during), 1));
    assert_true(kv_service.digest(t->kv) == digest);
    assert_true(kv_test_restore(t, buffer_span(&during), 1 << 20));
    assert_true(kv_service.digest(t->kv) == digest);
    kv_test_free(t);
}

static void change_some(struct kv_test *t, int step)
{
    char line[64];
    for (int i = 0; i < 30; i++) {
        int key = (step * 977 + i * 131) % KEYS;
        static const char *const lines[] = {"SET key:%d other", "DEL key:%d",        "PEXPIRE key:%d 5000",
                                            "APPEND key:%d x",  "RENAME key:%d new", "GETEX key:%d PERSIST",
                                            "SET new:%d x"};
        snprintf(line, sizeof line, lines[i % 7], key);
        kv_test_run(t, line);
    }
}

static void change_all(struct kv_test *t, int step)
{
    char line[64];
    for (int i = 0; step == 0 && i < KEYS; i++) {
        snprintf(line, sizeof line, "SET key:%d %d", i, i);
        kv_test_run(t, line);
    }
}

static void change_by_time(struct kv_test *t, int step)
{
    (void)step;
    kv_test_pass(t, 10000);
    kv_test_tick(t);
}

static void change_by_flush(struct kv_test *t, int step)
{
    char line[64];
    if (step % 10 == 5)
        kv_test_run(t, "FLUSHALL");
    for (int i = 0; i < 50; i++) {
        snprintf(line, sizeof line, "SET key:%d %d", (step * 37 + i) % KEYS, step);
        kv_test_run(t, line);
    }
}

static void test_some(void **state)
{
    (void)state;
    checkpoint_while(change_some);
}

static void test_all(void **state)
{
    (void)state;
    checkpoint_while(change_all);
}

static void test_expiry(void **state)
{
    (void)state;
    checkpoint_while(change_by_time);
}

static void test_flush(void **state)
{
    (void)state;
    checkpoint_while(change_by_flush);
}

static void test_empty_and_given_up(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    struct buffer out;
    buffer_init(&out, t->other);
    kv_test_checkpoint(t, &out, 100);
    assert_int_equal(out.size, CHECKPOINT_HEADER_SIZE);
    assert_true(kv_test_restore(t, buffer_span(&out), 7));
    fill(t);
    kv_service.checkpoint_begin(t->kv);
    assert_true(kv_service.checkpoint_next(t->kv, &out, 100));
    expect(t, "FLUSHALL", "+OK|");
    kv_service.checkpoint_end(t->kv);
    kv_service.checkpoint_end(t->kv);
    for (int i = 0; i < 100; i++)
        kv_test_run(t, "SET a 1");
    assert_true(heap_used(t->heap) < 64 << 10);
    kv_test_free(t);
}

/* An output that is full writes nothing, and the next call goes on. */
static void test_full_output(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_start();
    fill(t);
    struct buffer whole, part, joined;
    buffer_init(&whole, t->other);
    buffer_init(&joined, t->other);
    kv_test_checkpoint(t, &whole, 1 << 20);
    kv_service.checkpoint_begin(t->kv);
    static _Alignas(HEAP_ALIGNMENT) uint8_t region[HEAP_REGION_SIZE_MIN];
    buffer_init(&part, heap_init(region, sizeof region));
    while (kv_service.checkpoint_next(t->kv, &part, 1 << 20)) {
        buffer_append(&joined, part.data, part.size);
        buffer_clear(&part);
    }
    kv_service.checkpoint_end(t->kv);
    assert_true(span_equal(buffer_span(&whole), buffer_span(&joined)));
    kv_test_free(t);
}

/* A checkpoint that is cut, or has a byte changed, is refused or read as what it says; never worse. */
static void test_damage(void **state)
{
    (void)state;
    struct kv_test *t = kv_test_new((size_t)16 << 20, 0);
    expect(t, "MSET a 1 b 22 \"\" \"\"", "+OK|");
    expect(t, "SET c 3 PX 1000", "+OK|");
    struct buffer whole;
    buffer_init(&whole, t->other);
    kv_test_checkpoint(t, &whole, 1 << 20);
    for (size_t cut = 0; cut < whole.size; cut++)
        assert_false(kv_test_restore(t, span_of(whole.data, cut), 11));
    for (size_t at = 0; at < whole.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            whole.data[at] ^= (uint8_t)(1 << bit);
            kv_test_restore(t, buffer_span(&whole), 1 << 20);
            whole.data[at] ^= (uint8_t)(1 << bit);
        }
    }
    buffer_append(&whole, "x", 1);
    assert_false(kv_test_restore(t, buffer_span(&whole), 1 << 20));
    whole.size--;
    assert_true(kv_test_restore(t, buffer_span(&whole), 1 << 20));
    expect(t, "GET b", "$2|22|");
    expect(t, "EXISTS \"\"", ":1|");
    expect(t, "PTTL c", ":1000|");
    kv_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_some),   cmocka_unit_test(test_all),         cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_flush),  cmocka_unit_test(test_full_output), cmocka_unit_test(test_empty_and_given_up),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
