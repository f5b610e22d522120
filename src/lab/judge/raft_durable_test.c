/* RAFT-D on made-up members: what it must accept, and what it must not. */
#include "lab/judge/raft_durable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap_system.h"

/* Entry i has index i and lies at position 10 i; all are of one term. */
struct fake {
    uint64_t term, entry_term, commit, first, last;
    enum raft_role role;
};

static enum raft_role role(const void *raft) { return ((const struct fake *)raft)->role; }
static uint64_t commit_index(const void *raft) { return ((const struct fake *)raft)->commit; }
static uint64_t first_index(const void *raft) { return ((const struct fake *)raft)->first; }
static uint64_t last_index(const void *raft) { return ((const struct fake *)raft)->last; }

static bool entry_at(const void *raft, uint64_t index, uint64_t *term, uint64_t *first, uint32_t *count,
                     uint64_t *position)
{
    const struct fake *fake = raft;
    if (index < fake->first || index > fake->last)
        return false;
    *term = fake->entry_term;
    *first = index;
    *count = 1;
    *position = 10 * index;
    return true;
}

static const struct raft_accessors accessors = {.role = role, .commit_index = commit_index, .first_index = first_index,
                                                .last_index = last_index, .entry_at = entry_at};

static struct fake members[3];
static struct heap *heap;
static struct raft_durable *durable;

static int begin(void **state)
{
    (void)state;
    heap = heap_create_system(4 << 20);
    durable = raft_durable_create(heap, 3, &accessors);
    for (uint32_t i = 0; i < 3; i++)
        members[i] = (struct fake){.term = 1, .entry_term = 1, .first = 1, .last = 3, .role = RAFT_FOLLOWER};
    members[0].role = RAFT_LEADER;
    return durable != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    heap_destroy_system(heap);
    return 0;
}

static const char *step(uint32_t place, struct event event)
{
    return raft_durable_step(durable, place, &members[place], &event);
}

static const char *stored(uint32_t place, uint64_t position)
{
    return step(place, (struct event){.kind = EVENT_STORED, .stored = {.position = position}});
}

static const char *commits(uint64_t index)
{
    members[0].commit = index;
    return step(0, (struct event){.kind = EVENT_TURN});
}

static void two_of_three_suffice(void **state)
{
    (void)state;
    assert_null(stored(0, 20));
    assert_null(stored(2, 30));
    assert_null(commits(1));
    assert_null(commits(2));
    assert_non_null(commits(3)); /* only member 3 has it */
}

static void the_leader_counts_only_what_its_disk_has(void **state)
{
    (void)state;
    assert_null(stored(1, 30));
    assert_non_null(commits(3));
}

static void what_was_on_disk_stays_there_over_a_crash(void **state)
{
    (void)state;
    assert_null(stored(0, 30));
    assert_null(step(1, (struct event){.kind = EVENT_START,
                                       .start = {.kind = START_RESTARTED, .position = 30, .incarnation = 2}}));
    assert_null(commits(3));
}

/* Its word is on its way to the leader when its disk is lost. */
static void what_an_amnesiac_had_counts_and_nothing_else(void **state)
{
    (void)state;
    assert_null(stored(0, 30));
    assert_null(stored(1, 20));
    members[1].last = 0;
    assert_null(step(1, (struct event){.kind = EVENT_START, .start = {.kind = START_AMNESIAC, .incarnation = 2}}));
    assert_null(commits(2));
    assert_non_null(commits(3));
}

static void a_checkpoint_counts_for_what_it_covers(void **state)
{
    (void)state;
    assert_null(stored(0, 30));
    members[1].first = 4;
    assert_null(step(1, (struct event){.kind = EVENT_TURN}));
    assert_null(commits(3));
}

static void an_entry_of_another_term_does_not_count(void **state)
{
    (void)state;
    members[1].entry_term = 2;
    assert_null(stored(0, 30));
    assert_null(stored(1, 30));
    assert_non_null(commits(3));
}

static void followers_and_the_blind_are_not_judged(void **state)
{
    (void)state;
    members[0].role = RAFT_FOLLOWER;
    assert_null(commits(2));
    members[0].role = RAFT_LEADER;
    raft_durable_turned(durable);
    assert_null(commits(3));
    raft_durable_clear(durable);
    assert_non_null(commits(3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_of_three_suffice, begin, end),
        cmocka_unit_test_setup_teardown(the_leader_counts_only_what_its_disk_has, begin, end),
        cmocka_unit_test_setup_teardown(what_was_on_disk_stays_there_over_a_crash, begin, end),
        cmocka_unit_test_setup_teardown(what_an_amnesiac_had_counts_and_nothing_else, begin, end),
        cmocka_unit_test_setup_teardown(a_checkpoint_counts_for_what_it_covers, begin, end),
        cmocka_unit_test_setup_teardown(an_entry_of_another_term_does_not_count, begin, end),
        cmocka_unit_test_setup_teardown(followers_and_the_blind_are_not_judged, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
