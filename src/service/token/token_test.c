/* Travelling tokens: none is made or lost, they keep moving, and the state survives a checkpoint. */
#include "service/token/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

enum { REGION_SIZE = 1 << 16, MEMBERS = 3, CALLS_MAX = 8, UNDER_WAY_MAX = 64 };

static const uint32_t nodes[MEMBERS] = {2, 5, 9};

struct bench {
    void *region;
    struct group_spec specs[MEMBERS];
    void *services[MEMBERS];
    struct buffer reply;
    struct service_call calls[CALLS_MAX];
    struct service_out out;
    uint32_t under_way[UNDER_WAY_MAX]; /* receivers of tokens that travel */
    uint32_t under_way_count;
};

static struct bench bench;

static int set_up(void **state)
{
    (void)state;
    bench = (struct bench){.region = aligned_alloc(HEAP_ALIGNMENT, REGION_SIZE)};
    struct heap *heap = heap_init(bench.region, REGION_SIZE);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        bench.specs[i] =
            (struct group_spec){.group = 4, .self = nodes[i], .members = nodes, .member_count = MEMBERS};
        bench.services[i] = token_service.create(heap, &bench.specs[i]);
    }
    buffer_init(&bench.reply, heap);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(bench.region);
    return 0;
}

static struct service_out *begin_step(uint32_t call_capacity)
{
    buffer_clear(&bench.reply);
    bench.out =
        (struct service_out){.reply = &bench.reply, .calls = bench.calls, .call_capacity = call_capacity};
    return &bench.out;
}

static void end_step(void)
{
    for (uint32_t i = 0; i < bench.out.call_count; i++) {
        struct command command;
        assert_true(command_open(bench.calls[i].bytes, &command));
        assert_int_equal(command.op, TOKEN_PASS);
        assert_int_equal(bench.calls[i].to.group, 4);
        assert_true(bench.under_way_count < UNDER_WAY_MAX);
        bench.under_way[bench.under_way_count++] = bench.calls[i].to.node;
    }
}

static void run(uint32_t place, bool read, uint16_t op, uint32_t call_capacity)
{
    uint8_t bytes[COMMAND_HEADER_SIZE] = {0};
    store_u16(bytes + 4, op);
    struct delivery delivery = {.read = read};
    assert_true(command_open(span_of(bytes, sizeof bytes), &delivery.command));
    token_service.deliver(bench.services[place], &delivery, begin_step(call_capacity));
    end_step();
}

static uint32_t place_of(uint32_t node)
{
    uint32_t place = 0;
    while (nodes[place] != node)
        place++;
    return place;
}

static void start_all(void)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        token_service.start(bench.services[i], nodes[i], begin_step(CALLS_MAX));
        end_step();
    }
}

static uint64_t held(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < MEMBERS; i++)
        sum += token_service.item_count(bench.services[i]);
    return sum;
}

static void lowest_member_begins(void **state)
{
    (void)state;
    start_all();
    assert_int_equal(bench.under_way_count, MEMBERS);
    assert_int_equal(token_service.item_count(bench.services[0]), MEMBERS);
    assert_int_equal(token_service.item_count(bench.services[1]), 0);
    assert_int_equal(bench.under_way[0], 5); /* round robin, and never to itself */
    assert_int_equal(bench.under_way[1], 9);
    assert_int_equal(bench.under_way[2], 5);
}

static void tokens_are_neither_made_nor_lost_and_move_on(void **state)
{
    (void)state;
    const uint64_t seed = 99;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    start_all();
    for (int round = 0; round < 3000; round++) {
        assert_true(bench.under_way_count > 0);
        uint32_t taken = (uint32_t)random_below(&random, bench.under_way_count);
        uint32_t to = bench.under_way[taken];
        bench.under_way[taken] = bench.under_way[--bench.under_way_count];
        run(place_of(to), false, TOKEN_PASS, CALLS_MAX);
        assert_int_equal(held() + bench.under_way_count, token_total(MEMBERS));
    }
}

static void token_that_cannot_be_sent_stays(void **state)
{
    (void)state;
    run(1, false, TOKEN_PASS, 0);
    assert_int_equal(token_service.item_count(bench.services[1]), 1);
    assert_memory_equal(bench.reply.data, ":1\r\n", 4);
}

static void reading_changes_nothing(void **state)
{
    (void)state;
    run(1, false, TOKEN_PASS, 0);
    uint64_t before = token_service.digest(bench.services[1]);
    run(1, true, TOKEN_COUNT, CALLS_MAX);
    assert_memory_equal(bench.reply.data, ":1\r\n", 4);
    run(1, true, TOKEN_PASS, CALLS_MAX);
    assert_int_equal(token_service.digest(bench.services[1]), before);
    run(1, false, 999, CALLS_MAX);
    assert_int_equal(bench.reply.data[0], '-');
    assert_int_equal(token_service.digest(bench.services[1]), before);
}

static void checkpoint_gives_the_state_back(void **state)
{
    (void)state;
    run(1, false, TOKEN_PASS, 0);
    uint64_t before = token_service.digest(bench.services[1]);
    struct buffer bytes;
    buffer_init(&bytes, bench.reply.heap);
    token_service.checkpoint_begin(bench.services[1]);
    run(1, false, TOKEN_PASS, 0); /* after the begin: not in it */
    while (token_service.checkpoint_next(bench.services[1], &bytes, 8)) {
    }
    token_service.checkpoint_end(bench.services[1]);
    token_service.restore_begin(bench.services[2]);
    assert_true(token_service.restore_next(bench.services[2], span_of(bytes.data, 5)));
    assert_false(token_service.restore_end(bench.services[2]));
    assert_true(token_service.restore_next(bench.services[2], span_of(bytes.data + 5, bytes.size - 5)));
    assert_true(token_service.restore_end(bench.services[2]));
    assert_int_equal(token_service.digest(bench.services[2]), before);
    assert_false(token_service.restore_next(bench.services[2], span_of(bytes.data, 1))); /* too long */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lowest_member_begins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_are_neither_made_nor_lost_and_move_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(token_that_cannot_be_sent_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reading_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(checkpoint_gives_the_state_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
