/* Single-decree Paxos in groups, over a network that loses, doubles and reorders, with crashes: AG-4. */
#include "protocol/consensus/synod.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/test_seed.h"
#include "base/time.h"
#include "protocol/protocol_driver.h"

enum { REGION_SIZE = 8 << 20, OP = 230 };

struct group {
    struct driver driver;
    uint32_t arrived; /* messages */
};

static bool count(struct driver *driver, const struct driver_message *message)
{
    (void)message;
    ((struct group *)driver->context)->arrived++;
    return false;
}

static struct group *new_group(void *region, uint32_t members, uint32_t ablations, uint64_t seed)
{
    struct group *group = calloc(1, sizeof *group);
    assert_non_null(group);
    driver_init(&group->driver, heap_init(region, REGION_SIZE), &synod_protocol, &(struct driver_service){0}, members,
                ablations, seed);
    group->driver.context = group;
    group->driver.lose = count;
    return group;
}

static struct synod_seen member(struct group *group, uint32_t node)
{
    struct synod_seen out;
    synod_look(driver_member(&group->driver, node)->self, &out);
    return out;
}

/* AG-4: two round trips, 4(n-1) messages and then n-1 that tell the decision; two writes at each acceptor before it
 * answers, and one for the decision. */
static void one_proposer_needs_two_round_trips(void **state)
{
    struct group *group = new_group(*state, 3, 0, 1);
    driver_request(&group->driver, 1, 1, OP, span_string("42"));
    assert_true(driver_settle(&group->driver));
    for (uint32_t node = 1; node <= 3; node++) {
        assert_true(member(group, node).decided);
        assert_int_equal(member(group, node).decision, 42);
        assert_int_equal(driver_member(&group->driver, node)->last_position, 3);
    }
    assert_int_equal(group->arrived, 4 * 2 + 2);
    assert_string_equal(driver_answer(&group->driver, 1, 1)->text, ":42\r\n");
    driver_request(&group->driver, 3, 1, OP, span_string("7")); /* too late */
    assert_true(driver_settle(&group->driver));
    assert_string_equal(driver_answer(&group->driver, 3, 1)->text, ":42\r\n");
    assert_int_equal(group->arrived, 4 * 2 + 2);
    assert_null(group->driver.failed);
    free(group);
}

/* The bound is tight: one of three may be down; with two down nothing is decided, until one is back. */
static void a_majority_is_needed_and_enough(void **state)
{
    struct group *group = new_group(*state, 3, 0, 2);
    driver_crash(&group->driver, 2);
    driver_crash(&group->driver, 3);
    driver_request(&group->driver, 1, 1, OP, span_string("4"));
    driver_advance(&group->driver, 60 * NS_PER_S);
    assert_false(member(group, 1).decided);
    assert_int_equal(driver_member(&group->driver, 1)->last_position, 1); /* nor does it write on and on */
    assert_null(driver_answer(&group->driver, 1, 1));
    driver_restart(&group->driver, 3, START_RESTARTED);
    driver_advance(&group->driver, 10 * NS_PER_S);
    assert_true(member(group, 1).decided && member(group, 3).decided);
    driver_restart(&group->driver, 2, START_AMNESIAC);
    driver_advance(&group->driver, 10 * NS_PER_S);
    assert_int_equal(member(group, 2).decision, 4); /* it asked */
    assert_null(group->driver.failed);
    free(group);
}

/* Members come and go, messages are lost, doubled and late; when all is well again, all that were asked have
 * decided, and the same. Returns whether that is so. */
static bool agrees(void *region, uint32_t ablations, uint64_t seed)
{
    struct group *group = new_group(region, 3 + seed % 2, ablations, seed);
    struct driver *driver = &group->driver;
    struct random random;
    random_seed(&random, seed);
    driver->loss = 20;
    driver->duplication = 10;
    uint64_t numbers[DRIVER_MEMBERS_MAX + 1] = {0};
    for (uint32_t i = 0; i < 60; i++) {
        uint32_t node = 1 + (uint32_t)random_below(&random, driver->member_count);
        const char digit = (char)('1' + node);
        if (!driver_member(driver, node)->up) {
            driver_restart(driver, node, START_RESTARTED);
            numbers[node] = 0;
        } else if (random_chance(&random, 1, 4)) {
            driver_crash(driver, node);
        } else {
            driver_request(driver, node, ++numbers[node], OP, span_of(&digit, 1));
        }
        driver_run_random(driver, 4);
    }
    driver->loss = driver->duplication = 0;
    bool same = driver->failed == NULL;
    for (uint32_t node = 1; node <= driver->member_count; node++) {
        const char digit = (char)('1' + node);
        if (!driver_member(driver, node)->up) {
            driver_restart(driver, node, START_RESTARTED);
            numbers[node] = 0;
        }
        driver_request(driver, node, ++numbers[node], OP, span_of(&digit, 1));
    }
    driver_advance(driver, 30 * NS_PER_S);
    for (uint32_t node = 1; node <= driver->member_count; node++)
        same = same && member(group, node).decided && member(group, node).decision == member(group, 1).decision;
    same = same && driver->failed == NULL;
    free(group);
    return same;
}

static void random_runs_agree(void **state)
{
    uint64_t first = test_seed("synod_group_test");
    for (uint64_t seed = first; seed < first + 300; seed++)
        if (!agrees(*state, 0, seed))
            fail_msg("seed %llu disagrees or does not decide", (unsigned long long)seed);
}

/* … and would not if these rules were not there. */
static void random_runs_need_the_rules(void **state)
{
    static const enum synod_ablation rules[] = {SYNOD_ACCEPT_NOT_STORED, SYNOD_CHOOSE_OWN_VALUE,
                                                SYNOD_CHOOSE_FIRST_SEEN, SYNOD_QUORUM_TOO_SMALL};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        uint64_t seed = 1;
        while (seed <= 2000 && agrees(*state, (uint32_t)ABLATION_PROTOCOL_FIRST << rules[i], seed))
            seed++;
        print_message("without %s: seed %llu\n", synod_protocol.ablations[rules[i]], (unsigned long long)seed);
        assert_true(seed <= 2000);
    }
}

static int get_region(void **state)
{
    *state = aligned_alloc(HEAP_ALIGNMENT, REGION_SIZE);
    return *state == NULL;
}

static int free_region(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_proposer_needs_two_round_trips),
        cmocka_unit_test(a_majority_is_needed_and_enough),
        cmocka_unit_test(random_runs_agree),
        cmocka_unit_test(random_runs_need_the_rules),
    };
    return cmocka_run_group_tests(tests, get_region, free_region);
}
