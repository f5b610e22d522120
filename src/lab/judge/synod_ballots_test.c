/* What a spectator says of ballots: each property breaks by what breaks it, and by nothing else. */
#include "lab/judge/synod_ballots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct paxos_ballot ballot(uint64_t round, uint32_t node)
{
    return (struct paxos_ballot){round, node};
}

static void holds(const struct synod_ballots *ballots)
{
    assert_null(synod_ballots_agree(ballots));
    assert_null(synod_ballots_follow(ballots));
}

static void begins_with(const char *text, const char *tag)
{
    assert_non_null(text);
    assert_memory_equal(text, tag, strlen(tag));
}

/* A minority's value may be given up; a majority's may not, whichever ballot is seen first. */
static void what_a_majority_accepted_stays(void **state)
{
    (void)state;
    struct synod_ballots ballots;
    synod_ballots_init(&ballots, 3);
    synod_ballots_propose(&ballots, ballot(1, 1), 10);
    synod_ballots_accept(&ballots, ballot(1, 1), 10, 0);
    synod_ballots_propose(&ballots, ballot(1, 2), 20);
    holds(&ballots);
    synod_ballots_accept(&ballots, ballot(1, 2), 20, 0);
    synod_ballots_accept(&ballots, ballot(1, 2), 20, 1);
    synod_ballots_decide(&ballots, 20);
    synod_ballots_propose(&ballots, ballot(2, 1), 20);
    holds(&ballots);
    synod_ballots_accept(&ballots, ballot(1, 1), 10, 0); /* the same member again */
    holds(&ballots);
    synod_ballots_accept(&ballots, ballot(1, 1), 10, 2);
    assert_null(synod_ballots_agree(&ballots));
    begins_with(synod_ballots_follow(&ballots), "PAX-3 ");
    synod_ballots_init(&ballots, 3);
    synod_ballots_propose(&ballots, ballot(2, 1), 10);
    synod_ballots_accept(&ballots, ballot(1, 3), 5, 1);
    holds(&ballots);
    synod_ballots_accept(&ballots, ballot(1, 3), 5, 2);
    begins_with(synod_ballots_follow(&ballots), "PAX-3 ");
}

static void one_value_a_ballot(void **state)
{
    (void)state;
    struct synod_ballots ballots;
    synod_ballots_init(&ballots, 3);
    synod_ballots_propose(&ballots, ballot(1, 1), 1);
    synod_ballots_accept(&ballots, ballot(1, 1), 1, 2);
    synod_ballots_propose(&ballots, ballot(1, 2), 2);
    holds(&ballots);
    synod_ballots_accept(&ballots, ballot(1, 2), 1, 2);
    begins_with(synod_ballots_follow(&ballots), "PAX-1 ");
}

static void what_is_decided_is_one_value_and_on_disks(void **state)
{
    (void)state;
    struct synod_ballots ballots;
    synod_ballots_init(&ballots, 4);
    synod_ballots_accept(&ballots, ballot(1, 1), 1, 0);
    synod_ballots_accept(&ballots, ballot(1, 1), 1, 1);
    synod_ballots_decide(&ballots, 1);
    begins_with(synod_ballots_follow(&ballots), "PAX-D "); /* two of four are no majority */
    synod_ballots_accept(&ballots, ballot(2, 1), 1, 2); /* nor are they with one of another ballot */
    begins_with(synod_ballots_follow(&ballots), "PAX-D ");
    synod_ballots_accept(&ballots, ballot(1, 1), 1, 3);
    holds(&ballots);
    synod_ballots_decide(&ballots, 1);
    holds(&ballots);
    synod_ballots_decide(&ballots, 2);
    begins_with(synod_ballots_agree(&ballots), "PAX-4 ");
}

/* More ballots than it holds: what a majority accepted is kept. */
static void what_was_chosen_is_never_forgotten(void **state)
{
    (void)state;
    struct synod_ballots ballots, same;
    synod_ballots_init(&ballots, 3);
    synod_ballots_accept(&ballots, ballot(5, 1), 7, 0);
    synod_ballots_accept(&ballots, ballot(5, 1), 7, 1);
    for (uint64_t round = 1; round < 100; round++)
        if (round != 5)
            synod_ballots_propose(&ballots, ballot(round, 2), round < 5 ? round : 7);
    assert_int_equal(ballots.count, SYNOD_BALLOTS_MAX);
    holds(&ballots);
    same = ballots;
    synod_ballots_propose(&ballots, ballot(99, 2), 7); /* what is known changes no byte */
    assert_memory_equal(&same, &ballots, sizeof same);
    synod_ballots_propose(&ballots, ballot(100, 2), 8);
    begins_with(synod_ballots_follow(&ballots), "PAX-3 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_majority_accepted_stays),
        cmocka_unit_test(one_value_a_ballot),
        cmocka_unit_test(what_is_decided_is_one_value_and_on_disks),
        cmocka_unit_test(what_was_chosen_is_never_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
