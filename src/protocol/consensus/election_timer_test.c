/* How long a member waits for a leader (election_timer.h). */
#include "protocol/consensus/election_timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/time.h"

enum { TIMEOUT_NS = 1000 * NS_PER_MS, SLOT = 2, NAME = 9 };

static struct random generator;
static struct election_timer timer;
static struct effect list[4];
static struct effects out;

static int begin(void **state)
{
    (void)state;
    random_seed(&generator, 11);
    election_timer_create(&timer, &generator, TIMEOUT_NS, SLOT, NAME);
    out = (struct effects){.list = list, .capacity = 4};
    return 0;
}

static void timeouts_are_drawn_from_one_to_two(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 1000; i++) {
        election_timer_draw(&timer, 50);
        int64_t wait_ns = timer.deadline_ns - 50;
        least = wait_ns < least ? wait_ns : least;
        most = wait_ns > most ? wait_ns : most;
    }
    assert_in_range(least, TIMEOUT_NS, TIMEOUT_NS + TIMEOUT_NS / 50);
    assert_in_range(most, 2 * (int64_t)TIMEOUT_NS - TIMEOUT_NS / 50, 2 * (int64_t)TIMEOUT_NS - 1);
}

/* A sign of life moves the deadline, but the timer stays until it fires. */
static void the_timer_is_moved_lazily(void **state)
{
    (void)state;
    election_timer_draw(&timer, 0);
    election_timer_arm(&timer, &out);
    assert_int_equal(out.count, 1);
    assert_true(list[0].arm.slot == SLOT && list[0].arm.name == NAME && list[0].arm.at_ns == timer.deadline_ns);
    int64_t drawn_ns = timer.deadline_ns;
    election_timer_postpone(&timer, 700);
    assert_int_equal(timer.deadline_ns, drawn_ns + 700);
    election_timer_arm(&timer, &out);
    assert_int_equal(out.count, 1);
    timer.at_ns = EFFECT_DISARM; /* it fired */
    election_timer_arm(&timer, &out);
    assert_int_equal(out.count, 2);
    timer.deadline_ns = 5; /* earlier than what is armed */
    election_timer_arm(&timer, &out);
    assert_int_equal(out.count, 3);
    assert_int_equal(list[2].arm.at_ns, 5);
}

static void a_broken_connection_is_followed_by_quick_tries(void **state)
{
    (void)state;
    election_timer_try(&timer, 0);
    assert_true(timer.deadline_ns >= TIMEOUT_NS);
    election_timer_broken(&timer, 0);
    assert_in_range(timer.deadline_ns, 0, 10 * NS_PER_MS);
    for (int i = 0; i < ELECTION_QUICK_TRIES; i++) {
        election_timer_try(&timer, 0);
        assert_in_range(timer.deadline_ns, 10 * NS_PER_MS, 20 * NS_PER_MS);
    }
    election_timer_try(&timer, 0);
    assert_true(timer.deadline_ns >= TIMEOUT_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(timeouts_are_drawn_from_one_to_two, begin),
        cmocka_unit_test_setup(the_timer_is_moved_lazily, begin),
        cmocka_unit_test_setup(a_broken_connection_is_followed_by_quick_tries, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
