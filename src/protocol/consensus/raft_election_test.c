/* Raft's elections: a test for every few sentences of the thesis, sections 3.3, 3.4, 3.6.1, 3.8, 4.2.3, 6.2, 9.6. */
#include "protocol/consensus/raft_driver.h"

static struct driver driver;

static void end(void)
{
    driver_destroy(&driver);
}

/* 3.4: "Raft uses randomized election timeouts ... chosen randomly from a fixed interval". */
static void timeouts_are_drawn_from_one_to_two(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        driver_create(&driver, 3, seed, 0);
        driver_start(&driver, 0, START_FIRST);
        int64_t wait = driver.members[0].timers[RAFT_TIMER_ELECTION] - driver.now_ns;
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
        end();
    }
    assert_true(least >= 100 * NS_PER_MS && least < 115 * NS_PER_MS);
    assert_true(most < 200 * NS_PER_MS && most > 185 * NS_PER_MS);
}

/* 3.4: a follower that hears nothing begins an election; it wins with votes from a majority. */
static void silence_leads_to_one_leader(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        driver_create(&driver, 5, seed, 0);
        uint32_t leader = driver_begin(&driver);
        for (uint32_t i = 0; i < 5; i++) {
            assert_int_equal(driver.members[i].orderer, leader + 1);
            assert_int_equal(driver_raft(&driver, i)->term, driver_raft(&driver, leader)->term);
        }
        end();
    }
}

static void one_member_leads_at_once(void **state)
{
    (void)state;
    driver_create(&driver, 1, 1, 0);
    driver_start(&driver, 0, START_FIRST);
    driver_run(&driver, 1);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_LEADER);
    driver_update(&driver, 0, 3);
    driver_read(&driver, 0, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].applied, 4);
    assert_int_equal(driver.members[0].reads_done, 1);
    end();
}

static bool vote(uint32_t from, uint64_t term, uint64_t last_index, uint64_t last_term)
{
    const struct raft_vote request = {.term = term, .last_index = last_index, .last_term = last_term, .nonce = 1};
    struct raft_vote_ack ack = {0};
    driver_clear(&driver.network);
    driver_inject(&driver, from, 0, 1, RAFT_VOTE, &request);
    driver_stored(&driver, 0, driver.members[0].count);
    return driver_find(&driver, from, RAFT_VOTE_ACK, &ack) && ack.granted;
}

/* 3.4: "Each server will vote for at most one candidate in a given term, first-come-first-served". */
static void one_vote_in_a_term(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_start(&driver, 0, START_FIRST);
    assert_true(vote(1, 5, 0, 0));
    assert_false(vote(2, 5, 9, 4));
    assert_true(vote(1, 5, 0, 0)); /* the answer may have been lost */
    assert_true(vote(2, 6, 0, 0));
    assert_false(vote(1, 5, 0, 0)); /* 3.3: a stale term is rejected */
    end();
}

/* 3.6.1: logs are compared by the term of the last entry first, then by length. */
static void vote_needs_a_current_log(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_update(&driver, 0, 4);
    driver_pump(&driver);
    driver_crash(&driver, 0);
    driver_start(&driver, 0, START_RESTARTED); /* its log ends with index 5 of term 1 */
    assert_int_equal(raft_last_index(driver_raft(&driver, 0)), 5);
    assert_false(vote(1, 2, 4, 1));
    assert_false(vote(1, 3, 100, 0));
    assert_true(vote(1, 4, 5, 1));
    assert_true(vote(1, 5, 6, 1));
    assert_true(vote(1, 6, 1, 2));
    end();
}

/* 3.8: "the current term and vote are stored to prevent the server from voting twice", before it answers. */
static void vote_is_stored_before_it_is_answered(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_start(&driver, 0, START_FIRST);
    driver.members[0].auto_store = false;
    const struct raft_vote request = {.term = 3, .nonce = 1};
    driver_inject(&driver, 1, 0, 1, RAFT_VOTE, &request);
    assert_int_equal(driver.network.count, 0);
    assert_int_equal(driver.members[0].held.count, 1);
    driver_crash(&driver, 0); /* before the disk: nothing was promised */
    driver_start(&driver, 0, START_RESTARTED);
    assert_true(vote(2, 3, 0, 0));
    driver_crash(&driver, 0); /* after it */
    driver_start(&driver, 0, START_RESTARTED);
    assert_int_equal(driver_raft(&driver, 0)->term, 3);
    assert_int_equal(driver_raft(&driver, 0)->voted_for, 3);
    assert_false(vote(1, 3, 0, 0));
    assert_true(vote(2, 3, 0, 0));
    end();
}

/* The mutant of the rule above: amnesia of the vote gives two votes in one term. */
static void vote_not_stored_is_cast_twice(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, RAFT_ABLATION_VOTE_NOT_STORED);
    driver_start(&driver, 0, START_FIRST);
    assert_true(vote(1, 3, 0, 0));
    driver_crash(&driver, 0);
    driver_start(&driver, 0, START_RESTARTED);
    assert_true(vote(2, 3, 0, 0));
    end();
}

/* The file comment of raft_election.c: votes are asked for at once, but the own one must be on disk to lead. */
static void candidate_leads_only_with_its_own_vote_stored(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    for (uint32_t i = 0; i < 3; i++)
        driver_start(&driver, i, START_FIRST);
    driver.members[0].auto_store = false;
    driver_campaign(&driver, 0);
    driver_pump(&driver);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_CANDIDATE);
    assert_int_equal(driver_raft(&driver, 0)->votes, 2);
    driver_stored(&driver, 0, driver.members[0].count);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_LEADER);
    end();
}

static void answers_to_a_former_life_are_not_votes(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_start(&driver, 0, START_FIRST);
    driver_campaign(&driver, 0);
    struct raft_vote_ack ack = {.asked = 1, .nonce = 77, .pre = 1, .granted = 1};
    driver_inject(&driver, 1, 0, 1, RAFT_VOTE_ACK, &ack);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_PRE_CANDIDATE);
    ack.nonce = driver.members[0].incarnation;
    driver_inject(&driver, 1, 0, 1, RAFT_VOTE_ACK, &ack);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_CANDIDATE);
    driver_stored(&driver, 0, driver.members[0].count);
    ack.pre = 0;
    ack.nonce = 77;
    driver_inject(&driver, 1, 0, 1, RAFT_VOTE_ACK, &ack);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_CANDIDATE);
    end();
}

/* 4.2.3: "if a server receives a RequestVote within the minimum election timeout of hearing from a current leader, it
 * does not update its term or grant its vote". */
static void votes_are_not_given_while_a_leader_is_heard(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    const struct raft_vote request = {.term = 9, .last_index = 100, .last_term = 8, .nonce = 1};
    driver_inject(&driver, 2, 1, 1, RAFT_VOTE, &request);
    driver_inject(&driver, 2, 0, 1, RAFT_VOTE, &request);
    assert_int_equal(driver_raft(&driver, 0)->term, 1);
    assert_int_equal(driver_raft(&driver, 1)->term, 1);
    driver.now_ns += 101 * NS_PER_MS; /* silence */
    driver_inject(&driver, 2, 1, 1, RAFT_VOTE, &request);
    assert_int_equal(driver_raft(&driver, 1)->term, 9);
    end();
}

/* 9.6: a member that is cut off does not raise its term, and does not disturb when it comes back. */
static void pre_vote_keeps_the_term(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_isolate(&driver, 2, true);
    driver_run(&driver, 2000);
    assert_int_equal(driver_raft(&driver, 2)->role, RAFT_PRE_CANDIDATE);
    assert_int_equal(driver_raft(&driver, 2)->term, 1);
    driver_isolate(&driver, 2, false);
    driver_run(&driver, 500);
    assert_int_equal(driver_leader(&driver), 0);
    assert_int_equal(driver_raft(&driver, 2)->term, 1);
    assert_int_equal(driver.members[2].orderer, 1);
    end();
}

/* 6.2: a leader steps down if an election timeout passes without answers from a majority. */
static void leader_without_majority_steps_down(void **state)
{
    (void)state;
    driver_create(&driver, 5, 1, 0);
    driver_begin_with(&driver, 0);
    for (uint32_t i = 2; i < 5; i++)
        driver.cut[i][0] = true; /* it is heard, but does not hear: an asymmetric partition */
    driver_run(&driver, 90);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_LEADER);
    driver_run(&driver, 150);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_FOLLOWER);
    driver_run(&driver, 500);
    assert_true(driver_leader(&driver) > 0);
    end();
}

static void silent_member_is_suspected_and_trusted_again(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_crash(&driver, 2);
    driver_run(&driver, 300);
    struct member_progress progress;
    assert_true(raft_protocol.progress(driver_raft(&driver, 0), 1, &progress));
    assert_int_equal(progress.node, 3);
    assert_int_equal(progress.suspicion, 1);
    assert_int_equal(driver.members[0].suspicions, 1);
    driver_start(&driver, 2, START_RESTARTED);
    driver_run(&driver, 100);
    assert_int_equal(driver.members[0].suspicions, 0);
    assert_false(raft_protocol.progress(driver_raft(&driver, 1), 0, &progress));
    end();
}

/* A reset connection starts an election at once; timeouts are for hangs. */
static void lost_connection_elects_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        driver_create(&driver, 3, seed, 0);
        driver_begin_with(&driver, 0);
        driver_run(&driver, 50);
        driver_crash(&driver, 0);
        driver_peer(&driver, 1, 0, PEER_LOST);
        assert_int_equal(driver.members[1].orderer, 0);
        driver_run(&driver, 5); /* the other one notices later */
        driver_peer(&driver, 2, 0, PEER_LOST);
        driver_run(&driver, 40);
        assert_true(driver_leader(&driver) > 0);
        end();
    }
}

/* A leader whose disk hangs makes room for one that can write, and does not come back while it hangs. */
static void hanging_disk_costs_leadership(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver.members[0].auto_store = false;
    driver_update(&driver, 0, 1);
    driver_run(&driver, 400);
    assert_true(driver_leader(&driver) > 0);
    for (uint32_t i = 1; i < 3; i++)
        driver_crash(&driver, i);
    driver_run(&driver, 500);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_FOLLOWER);
    driver_stored(&driver, 0, driver.members[0].count);
    driver_run(&driver, 500);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_PRE_CANDIDATE);
    end();
}

/* 3.3: "if one server's current term is smaller than the other's, then it updates its current term to the larger". */
static void leader_with_a_stale_term_steps_down(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_isolate(&driver, 0, true);
    driver_elect(&driver, 1);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_LEADER); /* of the old term, unaware */
    driver_isolate(&driver, 0, false);
    driver_run(&driver, 50);
    assert_int_equal(driver_raft(&driver, 0)->role, RAFT_FOLLOWER);
    assert_int_equal(driver_raft(&driver, 0)->term, driver_raft(&driver, 1)->term);
    assert_int_equal(driver.members[0].orderer, 2);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeouts_are_drawn_from_one_to_two),
        cmocka_unit_test(silence_leads_to_one_leader),
        cmocka_unit_test(one_member_leads_at_once),
        cmocka_unit_test(one_vote_in_a_term),
        cmocka_unit_test(vote_needs_a_current_log),
        cmocka_unit_test(vote_is_stored_before_it_is_answered),
        cmocka_unit_test(vote_not_stored_is_cast_twice),
        cmocka_unit_test(candidate_leads_only_with_its_own_vote_stored),
        cmocka_unit_test(answers_to_a_former_life_are_not_votes),
        cmocka_unit_test(votes_are_not_given_while_a_leader_is_heard),
        cmocka_unit_test(pre_vote_keeps_the_term),
        cmocka_unit_test(leader_without_majority_steps_down),
        cmocka_unit_test(silent_member_is_suspected_and_trusted_again),
        cmocka_unit_test(lost_connection_elects_at_once),
        cmocka_unit_test(hanging_disk_costs_leadership),
        cmocka_unit_test(leader_with_a_stale_term_steps_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
