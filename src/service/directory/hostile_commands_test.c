/* Commands that no front wrote: a malicious client's bundles reach the service as they are, so every command that is
 * well-formed at all is answered, and one that was delivered as a read changes nothing. Randomised; the seed is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "base/test_seed.h"
#include "base/time.h"
#include "contract/command.h"
#include "service/commands.h"
#include "service/directory/kv_groups.h"
#include "service/kv/kv.h"

enum { STEPS = 60000, DIGEST_EVERY = 64, ARGUMENTS_MAX = 7, RANDOM_BYTES_MAX = 40, NESTED_MAX = 2 };

static const char *const words[] = {
    "", "a", "b", "c", "key", "0", "1", "-1", "17", "9223372036854775807", "-9223372036854775808",
    "9223372036854775808", "18446744073709551615", "4294967296", "536870911", "1e308", "nan", "inf", "-0", "*", "[a-",
    "\\", "NX", "XX", "GT", "LT", "GET", "KEEPTTL", "EX", "PX", "EXAT", "PXAT", "PERSIST", "MATCH", "COUNT", "TYPE",
    "LIMIT", "LEN", "IDX", "MINMATCHLEN", "WITHMATCHLEN", "REPLACE", "ABSTTL", "BYTE", "BIT", "string", "FREQ", "bank",
    "raft", "pbft", "kv", "1,2,3", "3,2,1", "x:", "bank/", "0x10", " 1", "+1",
};

struct hostile {
    struct random random;
    struct heap *heap, *other;
    const struct service *service;
    void *self;
    struct buffer reply;
    uint64_t index;
    int64_t now_ns;
};

static uint16_t some_op(struct random *random)
{
    switch (random_below(random, 8)) {
    case 0:
        return (uint16_t)random_u64(random);
    case 1:
        return OP_EXEC;
    case 2:
        return OP_WATCH;
    default:
        break;
    }
    for (;;) {
        uint16_t op = (uint16_t)random_below(random, 1024);
        if (command_by_op(op) != NULL)
            return op;
    }
}

static void append_command(struct hostile *h, struct buffer *out, uint32_t depth);

static void append_argument(struct hostile *h, struct buffer *out, uint32_t depth)
{
    struct random *random = &h->random;
    uint8_t bytes[RANDOM_BYTES_MAX];
    uint64_t kind = random_below(random, 16);
    if (kind == 0) {
        size_t size = (size_t)random_below(random, sizeof bytes + 1);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)random_u64(random);
        assert_true(command_argument(out, span_of(bytes, size)));
    } else if (kind <= 3 && depth < NESTED_MAX) {
        struct buffer nested;
        buffer_init(&nested, h->other);
        append_command(h, &nested, depth + 1);
        if (random_chance(random, 1, 4)) /* garbage that begins well */
            nested.size -= (size_t)random_below(random, nested.size + 1);
        assert_true(command_argument(out, buffer_span(&nested)));
        buffer_free(&nested);
    } else if (kind == 4) { /* a watched key */
        uint8_t watched[13] = {0};
        store_u64(watched, random_below(random, 2) * h->index);
        store_u32(watched + 8, random_chance(random, 1, 4) ? (uint32_t)random_u64(random) : 1);
        watched[12] = 'a';
        assert_true(command_argument(out, span_of(watched, sizeof watched)));
    } else {
        const char *word = words[random_below(random, sizeof words / sizeof words[0])];
        assert_true(command_argument(out, span_string(word)));
    }
}

static void append_command(struct hostile *h, struct buffer *out, uint32_t depth)
{
    uint32_t argc = (uint32_t)random_below(&h->random, ARGUMENTS_MAX + 1);
    size_t at = command_begin(out, some_op(&h->random), (uint16_t)random_u64(&h->random), argc);
    assert_int_not_equal(at, SIZE_MAX);
    for (uint32_t i = 0; i < argc; i++)
        append_argument(h, out, depth);
    command_end(out, at);
}

static void step(struct hostile *h, bool compare)
{
    struct buffer bytes;
    buffer_init(&bytes, h->other);
    append_command(h, &bytes, 0);
    bool read = random_chance(&h->random, 1, 3);
    h->now_ns += (int64_t)random_below(&h->random, (uint64_t)NS_PER_S);
    struct delivery delivery = {.read = read, .time_ns = h->now_ns, .random = random_u64(&h->random), .origin = 9};
    assert_true(command_open(buffer_span(&bytes), &delivery.command));
    h->index += !read;
    delivery.index = h->index;
    uint64_t digest = read && compare ? h->service->digest(h->self) : 0;
    buffer_clear(&h->reply);
    struct service_out out = {.reply = &h->reply, .tick_at_ns = SERVICE_NO_TICK};
    h->service->deliver(h->self, &delivery, &out);
    assert_true(h->reply.size >= 3);
    assert_int_equal(h->reply.data[h->reply.size - 1], '\n');
    if (read && compare)
        assert_int_equal(h->service->digest(h->self), digest);
    buffer_free(&bytes);
}

static void attack(const struct service *service, uint64_t seed)
{
    static const uint32_t members[] = {1, 2, 3, 4};
    struct group_spec spec = {.group = 0, .name = "default", .self = 1, .members = members, .member_count = 4,
                              .k = 1, .service = service, .hash_key = {1, 2}};
    spec_defaults(&spec.tuning);
    spec.tuning.service_heap_bytes = (size_t)256 << 20;
    spec.tuning.service_bytes_max = (uint64_t)16 << 20;
    struct hostile h = {.heap = heap_create_system((size_t)256 << 20), .other = heap_create_system((size_t)1 << 30),
                        .service = service, .now_ns = INT64_C(1700000000) * NS_PER_S};
    assert_true(h.heap != NULL && h.other != NULL);
    random_seed(&h.random, seed);
    buffer_init(&h.reply, h.other);
    h.self = service->create(h.heap, &spec);
    uint64_t most = 0;
    for (uint32_t i = 0; i < STEPS; i++) {
        step(&h, i % DIGEST_EVERY == 0);
        most = service->item_count(h.self) > most ? service->item_count(h.self) : most;
    }
    assert_true(most > 20); /* some of it does something */
    heap_check(h.heap);
    heap_destroy_system(h.heap);
    heap_destroy_system(h.other);
}

static void kv_answers_whatever_is_well_formed(void **state)
{
    (void)state;
    attack(&kv_service, test_seed("hostile_commands_test"));
}

static void so_does_kv_with_groups(void **state)
{
    (void)state;
    attack(&kv_groups_service, test_seed("hostile_commands_test") + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kv_answers_whatever_is_well_formed),
        cmocka_unit_test(so_does_kv_with_groups),
    };
    return cmocka_run_group_tests_name("hostile commands", tests, NULL, NULL);
}
