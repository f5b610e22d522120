/* The judge of uniform agreement: silent on a sound run, and heard when two members deliver different commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/time.h"
#include "lab/judge/judge_agreement.h"
#include "protocol/registry.h"
#include "service/registry.h"

struct fixture {
    struct heap *heap;
    struct judge_agreement judge;
    struct world_watch watch;
    struct world_result result;
    struct world *world;
    void *region;
};

/* A sound run, listened to. */
static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->heap = heap_create_system((size_t)1 << 30);
    judge_agreement_init(&fixture->judge, fixture->heap);
    fixture->watch = judge_agreement_begin(&fixture->judge);
    struct world_options options = {.seed = 1,
                                    .protocol = protocol_find("raft"),
                                    .service = service_find("kv"),
                                    .node_count = 3,
                                    .client_count = 3,
                                    .time_ns = 20 * NS_PER_S,
                                    .watch = fixture->watch};
    size_t size = world_region_size(&options);
    fixture->region = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
    world_run(fixture->region, size, &options, &fixture->result, &fixture->world);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    heap_destroy_system(fixture->heap);
    free(fixture->region);
    free(fixture);
    return 0;
}

static void deliver(struct fixture *fixture, uint32_t place, uint64_t index, const char *command, bool read)
{
    struct delivery delivery = {.read = read, .index = index};
    delivery.command.whole = span_string(command);
    assert_null(fixture->watch.applied(fixture->watch.context, place, &delivery));
}

static void a_sound_run_is_not_blamed(void **state)
{
    struct fixture *fixture = *state;
    assert_true(fixture->judge.observed.count > 100); /* it did hear something */
    judge_agreement_finish(&fixture->judge, fixture->world);
    assert_false(fixture->result.violated);
}

static void the_same_once_more_is_no_disagreement(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t place = 0; place < 3; place++)
        deliver(fixture, place, 1000000, "SET a 1", false);
    deliver(fixture, 0, 1000000, "SET a 1", false); /* after a restart */
    deliver(fixture, 1, 1000000, "GET b", true);    /* a read is at no place of its own */
    judge_agreement_finish(&fixture->judge, fixture->world);
    assert_false(fixture->result.violated);
}

static void two_commands_at_one_index_are_a_violation(void **state)
{
    struct fixture *fixture = *state;
    deliver(fixture, 0, 1000000, "SET a 1", false);
    deliver(fixture, 2, 1000000, "SET a 2", false);
    judge_agreement_finish(&fixture->judge, fixture->world);
    assert_true(fixture->result.violated);
    assert_string_equal(fixture->result.property, "AGREEMENT");
    assert_non_null(strstr(fixture->result.sentence, "in instance 1000000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sound_run_is_not_blamed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_once_more_is_no_disagreement, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_commands_at_one_index_are_a_violation, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
