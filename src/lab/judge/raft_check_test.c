#include "lab/judge/raft_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "base/test_seed.h"

/* A member built by hand, and seen through accessors of its own: entries of `count` commands each. */
enum { LOG_MAX = 4096 };

struct entry {
    uint64_t term, first;
    uint32_t count;
};

struct fake {
    uint64_t term, commit, applied;
    enum raft_role role;
    uint32_t voted_for;
    bool recovering;
    uint64_t base; /* index */
    uint32_t count;
    struct entry log[LOG_MAX];
};

static uint64_t fake_term(const void *raft) { return ((const struct fake *)raft)->term; }
static enum raft_role fake_role(const void *raft) { return ((const struct fake *)raft)->role; }
static uint32_t fake_voted_for(const void *raft) { return ((const struct fake *)raft)->voted_for; }
static uint64_t fake_commit(const void *raft) { return ((const struct fake *)raft)->commit; }
static uint64_t fake_applied(const void *raft) { return ((const struct fake *)raft)->applied; }
static uint64_t fake_first(const void *raft) { return ((const struct fake *)raft)->base + 1; }
static bool fake_recovering(const void *raft) { return ((const struct fake *)raft)->recovering; }

static uint64_t fake_last(const void *raft)
{
    const struct fake *fake = raft;
    if (fake->count == 0)
        return fake->base;
    return fake->log[fake->count - 1].first + fake->log[fake->count - 1].count - 1;
}

static bool fake_entry_at(const void *raft, uint64_t index, uint64_t *term, uint64_t *first, uint32_t *count,
                          uint64_t *position)
{
    const struct fake *fake = raft;
    for (uint32_t at = fake->count; at > 0; at--) {
        const struct entry *entry = &fake->log[at - 1];
        if (index < entry->first || index >= entry->first + entry->count)
            continue;
        *term = entry->term;
        *first = entry->first;
        *count = entry->count;
        *position = at;
        return true;
    }
    return false;
}

static const struct raft_accessors fake_accessors = {
    .term = fake_term,
    .role = fake_role,
    .voted_for = fake_voted_for,
    .commit_index = fake_commit,
    .applied_index = fake_applied,
    .first_index = fake_first,
    .last_index = fake_last,
    .recovering = fake_recovering,
    .entry_at = fake_entry_at,
};

static struct fake members[3];
static struct heap *heap;
static struct raft_check *check;

/* Three members that have started. */
static int set_up(void **state)
{
    (void)state;
    heap = heap_create_system((size_t)64 << 20);
    check = raft_check_create(heap, 3, &fake_accessors);
    memset(members, 0, sizeof members);
    for (uint32_t place = 0; place < 3; place++)
        if (raft_check_restarted(check, place, &members[place]) != NULL)
            return 1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    raft_check_free(check);
    int leaked = heap_used(heap) != 0;
    heap_destroy_system(heap);
    return leaked;
}

static const char *step(uint32_t place)
{
    return raft_check_step(check, place, &members[place]);
}

static void append(uint32_t place, uint64_t term, uint32_t count)
{
    struct fake *fake = &members[place];
    fake->log[fake->count] = (struct entry){.term = term, .first = fake_last(fake) + 1, .count = count};
    fake->count++;
}

static void lead(uint32_t place, uint64_t term)
{
    members[place].term = term;
    members[place].voted_for = place + 1;
    members[place].role = RAFT_LEADER;
}

static void follow(uint32_t place, uint64_t term)
{
    if (members[place].term != term)
        members[place].voted_for = 0;
    members[place].term = term;
    members[place].role = RAFT_FOLLOWER;
}

static void commit(uint32_t place, uint64_t index)
{
    members[place].commit = members[place].applied = index;
}

static void assert_holds(const char *broken)
{
    if (broken != NULL)
        fail_msg("%s", broken);
}

static void assert_breaks(const char *broken, const char *tag)
{
    if (broken == NULL || strncmp(broken, tag, strlen(tag)) != 0)
        fail_msg("%s was expected, and got %s", tag, broken == NULL ? "nothing" : broken);
}

/* Leader 0 of term 1 with entries 1 to 3, of which follower 1 has two and knows one as committed. */
static void begin(void)
{
    lead(0, 1);
    append(0, 1, 1);
    append(0, 1, 1);
    append(0, 1, 1);
    commit(0, 2);
    assert_holds(step(0));
    follow(1, 1);
    append(1, 1, 1);
    append(1, 1, 1);
    commit(1, 1);
    assert_holds(step(1));
}

static void a_sound_life_passes(void **state)
{
    (void)state;
    begin();
    lead(1, 2); /* it has what is committed */
    append(1, 2, 4);
    assert_holds(step(1));
    follow(0, 2);
    members[0].count = 2; /* the third entry was never committed */
    append(0, 2, 4);
    commit(0, 6);
    commit(1, 6);
    assert_holds(step(1));
    assert_holds(step(0));
    members[0].base = 2; /* a checkpoint took the place of the first two */
    members[0].log[0] = members[0].log[2];
    members[0].count = 1;
    assert_holds(step(0));
    follow(2, 2); /* one that adopts a checkpoint */
    members[2].base = 6;
    commit(2, 6);
    assert_holds(step(2));
    raft_check_stopped(check, 0);
    members[0].commit = members[0].applied = 2; /* of its checkpoint */
    members[0].term = 0;
    assert_holds(step(0)); /* not looked at while it is filled */
    members[0].term = 2;
    assert_holds(raft_check_restarted(check, 0, &members[0]));
    commit(0, 6);
    assert_holds(step(0));
    raft_check_clear(check);
    memset(members, 0, sizeof members);
    assert_holds(raft_check_restarted(check, 2, &members[2]));
    lead(2, 1);
    assert_holds(step(2));
}

static void election_safety(void **state)
{
    (void)state;
    begin();
    lead(1, 1);
    members[1].voted_for = 0;
    assert_breaks(step(1), "RAFT-1");
}

static void a_leader_only_appends(void **state)
{
    (void)state;
    begin();
    members[0].count = 2;
    assert_breaks(step(0), "RAFT-2");
}

static void a_leader_rewrites_nothing(void **state)
{
    (void)state;
    lead(0, 2);
    append(0, 1, 1);
    append(0, 1, 1);
    assert_holds(step(0));
    members[0].log[1].term = 2;
    assert_breaks(step(0), "RAFT-2");
}

static void log_matching_of_what_precedes(void **state)
{
    (void)state;
    lead(0, 3);
    append(0, 1, 1);
    append(0, 3, 1);
    assert_holds(step(0));
    follow(1, 3);
    append(1, 2, 1);
    append(1, 3, 1);
    assert_breaks(step(1), "RAFT-3");
}

static void log_matching_of_extents(void **state)
{
    (void)state;
    begin();
    follow(2, 1);
    append(2, 1, 2);
    assert_breaks(step(2), "RAFT-3");
}

static void log_matching_after_a_truncation(void **state)
{
    (void)state;
    lead(0, 3);
    append(0, 1, 1);
    append(0, 2, 1);
    append(0, 3, 1);
    assert_holds(step(0));
    follow(1, 3);
    append(1, 1, 1);
    append(1, 1, 1);
    append(1, 1, 1);
    assert_holds(step(1));
    /* The conflict at index 2 goes unnoticed, and only the third entry is replaced. */
    members[1].count = 2;
    append(1, 3, 1);
    assert_breaks(step(1), "RAFT-3");
}

static void leader_completeness(void **state)
{
    (void)state;
    begin();
    lead(2, 2);
    assert_breaks(step(2), "RAFT-4");
}

static void leader_completeness_with_another_entry(void **state)
{
    (void)state;
    begin();
    lead(2, 3);
    append(2, 1, 1);
    append(2, 2, 1);
    append(2, 2, 1);
    assert_breaks(step(2), "RAFT-4");
}

static void an_old_winner_that_learns_late_is_no_violation(void **state)
{
    (void)state;
    begin();
    lead(1, 3); /* elected while place 2 waits for the last vote of term 2 */
    append(1, 3, 1);
    commit(1, 3);
    assert_holds(step(1));
    lead(2, 2);
    append(2, 1, 1);
    append(2, 1, 1);
    assert_holds(step(2));
}

static void state_machine_safety_of_logs(void **state)
{
    (void)state;
    begin();
    follow(2, 2);
    append(2, 2, 1);
    commit(2, 1);
    assert_breaks(step(2), "RAFT-5");
}

static void state_machine_safety_of_commands(void **state)
{
    (void)state;
    assert_holds(raft_check_delivered(check, 0, 1, span_string("set a 1")));
    assert_holds(raft_check_delivered(check, 1, 1, span_string("set a 1")));
    assert_holds(raft_check_delivered(check, 1, 700, span_string("set a 2")));
    assert_holds(raft_check_delivered(check, 0, 700, span_string("set a 2")));
    assert_breaks(raft_check_delivered(check, 2, 700, span_string("set a 3")), "RAFT-5");
}

static void the_term_never_falls(void **state)
{
    (void)state;
    begin();
    members[1].term = 0;
    assert_breaks(step(1), "RAFT-6");
}

static void one_vote_a_term(void **state)
{
    (void)state;
    follow(1, 4);
    members[1].voted_for = 1;
    assert_holds(step(1));
    members[1].voted_for = 3;
    assert_breaks(step(1), "RAFT-6");
}

static const struct raft_vote_ack granted = {.term = 4, .asked = 4, .granted = 1};

/* Damage may have taken the vote with it; then the member knows that, and gives none before it was filled. */
static void who_finds_its_log_damaged_may_have_lost_a_vote(void **state)
{
    (void)state;
    struct raft_vote_ack vote = {.term = 5, .asked = 5, .granted = 1};
    follow(1, 5);
    members[1].voted_for = 1;
    assert_holds(step(1));
    raft_check_sent(check, 1, 1, RAFT_VOTE_ACK, &vote);
    raft_check_stopped(check, 1);
    members[1].term = 4;
    members[1].voted_for = 0;
    assert_breaks(raft_check_restarted(check, 1, &members[1]), "RAFT-6");
    members[1].recovering = true;
    assert_holds(raft_check_restarted(check, 1, &members[1]));
    members[1].term = 3; /* within one life it is held to what it was */
    assert_breaks(step(1), "RAFT-6");
    members[1].recovering = false;
}

static void a_vote_given_survives_a_restart(void **state)
{
    (void)state;
    follow(1, 4);
    members[1].voted_for = 3;
    assert_holds(step(1));
    raft_check_sent(check, 1, 3, RAFT_VOTE_ACK, &granted);
    raft_check_stopped(check, 1);
    assert_holds(raft_check_restarted(check, 1, &members[1]));
    raft_check_stopped(check, 1);
    members[1].voted_for = 0;
    assert_breaks(raft_check_restarted(check, 1, &members[1]), "RAFT-6");
    members[1].term = 3;
    assert_breaks(raft_check_restarted(check, 1, &members[1]), "RAFT-6");
    members[1].term = 5;
    assert_holds(raft_check_restarted(check, 1, &members[1]));
}

static void only_votes_that_left_must_survive(void **state)
{
    (void)state;
    follow(1, 4);
    members[1].voted_for = 3;
    assert_holds(step(1));
    struct raft_vote_ack other = granted;
    other.pre = 1;
    raft_check_sent(check, 1, 3, RAFT_VOTE_ACK, &other);
    other = granted;
    other.granted = 0;
    raft_check_sent(check, 1, 3, RAFT_VOTE_ACK, &other);
    raft_check_stopped(check, 1);
    follow(1, 0);
    assert_holds(raft_check_restarted(check, 1, &members[1]));
    /* A member that lost its disk may have forgotten even those. */
    raft_check_sent(check, 1, 3, RAFT_VOTE_ACK, &granted);
    raft_check_stopped(check, 1);
    raft_check_forgot(check, 1);
    assert_holds(step(1));
}

static void indices_only_rise(void **state)
{
    (void)state;
    begin();
    members[0].commit = members[0].applied = 1;
    assert_breaks(step(0), "RAFT-7");
    begin();
    members[1].applied = 0;
    assert_breaks(step(1), "RAFT-7");
}

static void applied_is_committed(void **state)
{
    (void)state;
    begin();
    members[1].applied = 2;
    assert_breaks(step(1), "RAFT-7");
}

/* A leader and a follower that mostly agree: terms change, tails are cut, checkpoints drop what is old. Then one entry
 * of the follower's is changed behind its back, together with what follows it. */
static void long_lives_pass_and_a_mutation_is_noticed(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("raft_check_test"));
    uint64_t term = 1;
    lead(0, term);
    follow(1, term);
    for (int round = 0; round < 2000; round++) {
        if (random_chance(&random, 1, 20)) {
            term++;
            lead(0, term);
            follow(1, term);
        }
        append(0, term, (uint32_t)random_between(&random, 1, 5));
        assert_holds(step(0));
        /* A follower may have an entry for a while that nobody commits. */
        bool stray = members[1].count > 0 && members[1].log[members[1].count - 1].term < term;
        if (stray) {
            append(1, term - 1, members[0].log[members[1].count].count + 1);
            assert_holds(step(1));
            members[1].count--;
        }
        while (members[1].count < members[0].count) {
            members[1].log[members[1].count] = members[0].log[members[1].count];
            members[1].count++;
        }
        assert_holds(step(1));
        commit(0, fake_last(&members[0]));
        assert_holds(step(0));
        commit(1, members[0].commit);
        assert_holds(step(1));
    }
    members[0].log[members[0].count] = (struct entry){.term = term, .first = fake_last(&members[0]) + 1, .count = 1};
    members[0].count++;
    assert_holds(step(0));
    append(1, term - 1, 1);
    append(1, term, 1);
    assert_breaks(step(1), "RAFT-3");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_life_passes),
        TEST(election_safety),
        TEST(a_leader_only_appends),
        TEST(a_leader_rewrites_nothing),
        TEST(log_matching_of_what_precedes),
        TEST(log_matching_of_extents),
        TEST(log_matching_after_a_truncation),
        TEST(leader_completeness),
        TEST(leader_completeness_with_another_entry),
        TEST(an_old_winner_that_learns_late_is_no_violation),
        TEST(state_machine_safety_of_logs),
        TEST(state_machine_safety_of_commands),
        TEST(the_term_never_falls),
        TEST(one_vote_a_term),
        TEST(a_vote_given_survives_a_restart),
        TEST(who_finds_its_log_damaged_may_have_lost_a_vote),
        TEST(only_votes_that_left_must_survive),
        TEST(indices_only_rise),
        TEST(applied_is_committed),
        TEST(long_lives_pass_and_a_mutation_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
