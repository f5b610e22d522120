#include "host/world/world_schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "base/test_seed.h"

enum { ENTRIES = 3000 };

static void ties_come_out_in_the_order_of_pushing(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system(1 << 20);
    struct schedule schedule;
    schedule_init(&schedule, heap);
    for (uint32_t i = 0; i < 100; i++)
        schedule_push(&schedule, i % 3, 0, i, NULL);
    struct schedule_entry entry;
    uint32_t last[3] = {0, 0, 0};
    int64_t time = 0;
    while (schedule_pop(&schedule, &entry)) {
        assert_true(entry.at_ns >= time);
        time = entry.at_ns;
        assert_true(entry.target >= last[time]);
        last[time] = entry.target;
    }
    assert_int_equal(last[0], 99);
    assert_false(schedule_pop(&schedule, &entry));
    assert_int_equal(schedule_next_ns(&schedule), INT64_MAX);
    schedule_free(&schedule);
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
}

static void of_one_time_the_lower_rank_comes_first(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system(1 << 20);
    struct schedule schedule;
    schedule_init(&schedule, heap);
    schedule_push(&schedule, 5, 0, 5, NULL);
    schedule_push_ranked(&schedule, RANK_ITEM, 5, 0, 3, NULL);
    schedule_push_ranked(&schedule, RANK_END, 5, 0, 1, NULL);
    schedule_push_ranked(&schedule, RANK_ITEM, 5, 0, 4, NULL);
    schedule_push_ranked(&schedule, RANK_END, 5, 0, 2, NULL);
    schedule_push(&schedule, 4, 0, 0, NULL);
    struct schedule_entry entry;
    for (uint32_t i = 0; i < 6; i++) {
        assert_true(schedule_pop(&schedule, &entry));
        assert_int_equal(entry.target, i);
    }
    schedule_free(&schedule);
    heap_destroy_system(heap);
}

/* The naive model: an array that is searched for its earliest entry. */
static void it_agrees_with_a_searched_array(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("world_schedule_test"));
    struct heap *heap = heap_create_system(4 << 20);
    struct schedule schedule;
    schedule_init(&schedule, heap);
    static struct schedule_entry model[ENTRIES];
    size_t count = 0;
    uint64_t pushed = 0;
    for (int step = 0; step < 20000; step++) {
        if (count < ENTRIES && random_chance(&random, 11, 20)) {
            int64_t at = random_between(&random, 0, 200);
            model[count++] = (struct schedule_entry){.at_ns = at, .sequence = pushed, .target = (uint32_t)pushed};
            schedule_push(&schedule, at, 7, (uint32_t)pushed++, NULL);
        } else if (count > 0) {
            size_t first = 0;
            for (size_t i = 1; i < count; i++)
                if (model[i].at_ns < model[first].at_ns ||
                    (model[i].at_ns == model[first].at_ns && model[i].sequence < model[first].sequence))
                    first = i;
            struct schedule_entry entry;
            assert_true(schedule_pop(&schedule, &entry));
            assert_int_equal(entry.target, model[first].target);
            assert_int_equal(entry.at_ns, model[first].at_ns);
            assert_int_equal(entry.kind, 7);
            model[first] = model[--count];
        }
    }
    heap_destroy_system(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties_come_out_in_the_order_of_pushing),
        cmocka_unit_test(of_one_time_the_lower_rank_comes_first),
        cmocka_unit_test(it_agrees_with_a_searched_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
