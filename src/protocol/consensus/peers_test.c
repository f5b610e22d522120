/* Who counts, who is silent, and what a majority has reached (peers.h). */
#include "protocol/consensus/peers_testing.h"

static struct group group;

static int begin(void **state)
{
    (void)state;
    group_create(&group);
    peers_lead(&group.peers, 1, 0, GROUP_TIMEOUT_NS);
    return 0;
}

static int end(void **state)
{
    (void)state;
    group_free(&group);
    return 0;
}

static struct peer *peer(uint32_t node)
{
    return peers_find(&group.peers, node);
}

static void members_are_found_by_node(void **state)
{
    (void)state;
    for (uint32_t node = 1; node <= 5; node++)
        assert_int_equal(peer(node)->node, node);
    assert_null(peer(0));
    assert_null(peer(6));
    assert_int_equal(group.peers.self_place, 2);
    assert_int_equal(group.peers.majority, 3);
}

/* A former life is recognised, unless the connection is new: a disk that was lost may have counted its starts anew. */
static void lives_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(peers_life(peer(1), 10), PEER_SAME);
    assert_int_equal(peers_life(peer(1), 9), PEER_FORMER);
    assert_int_equal(peers_life(peer(1), 11), PEER_RESTARTED);
    assert_int_equal(peers_life(peer(1), 10), PEER_FORMER);
    peer(1)->incarnation_open = true;
    assert_int_equal(peers_life(peer(1), 2), PEER_RESTARTED);
    assert_int_equal(peers_life(peer(1), 1), PEER_FORMER);
}

static void only_voters_count(void **state)
{
    (void)state;
    peers_match(&group.peers, peer(3), 9);
    peers_match(&group.peers, peer(1), 7);
    peers_match(&group.peers, peer(2), 5);
    assert_int_equal(peers_matched(&group.peers), 0); /* nobody said that it counts */
    group.peers.commit_due = false;
    peers_voter(&group.peers, peer(1), true);
    assert_true(group.peers.commit_due);
    peers_voter(&group.peers, peer(2), true);
    assert_int_equal(peers_matched(&group.peers), 5);
    peers_voter(&group.peers, peer(2), false);
    assert_int_equal(peers_matched(&group.peers), 0);
}

static void who_restarted_has_nothing_until_it_says_so(void **state)
{
    (void)state;
    peers_match(&group.peers, peer(3), 9);
    for (uint32_t node = 1; node <= 2; node++) {
        peers_voter(&group.peers, peer(node), true);
        peers_match(&group.peers, peer(node), 8);
        peers_beat(&group.peers, peer(node), 4);
    }
    assert_int_equal(peers_matched(&group.peers), 8);
    assert_int_equal(peers_beaten(&group.peers), 4);
    peers_restarted(&group.peers, peer(2), 10);
    assert_int_equal(peers_matched(&group.peers), 0);
    assert_int_equal(peers_beaten(&group.peers), 0);
    peers_beat(&group.peers, peer(2), 5);
    assert_int_equal(peers_beaten(&group.peers), 0);
    peers_voter(&group.peers, peer(2), true);
    assert_int_equal(peers_matched(&group.peers), 0);
    assert_int_equal(peer(2)->pace, PACE_PROBE);
    assert_int_equal(peer(2)->next, 10);
}

static void a_late_answer_takes_no_beat_back(void **state)
{
    (void)state;
    for (uint32_t node = 1; node <= 2; node++) {
        peers_voter(&group.peers, peer(node), true);
        peers_beat(&group.peers, peer(node), 4);
    }
    peers_beat(&group.peers, peer(1), 3);
    assert_int_equal(peers_beaten(&group.peers), 4);
}

/* Once in a timeout it is asked whether a majority was heard, voters only. */
static void a_leader_that_nobody_answers_is_alone(void **state)
{
    (void)state;
    assert_false(peers_alone(&group.peers, GROUP_TIMEOUT_NS - 1, GROUP_TIMEOUT_NS));
    for (uint32_t node = 1; node <= 2; node++) {
        peers_voter(&group.peers, peer(node), true);
        (void)peers_heard(&group.peers, node, GROUP_TIMEOUT_NS - 1, &group.out);
    }
    assert_false(peers_alone(&group.peers, GROUP_TIMEOUT_NS, GROUP_TIMEOUT_NS));
    (void)peers_heard(&group.peers, 1, GROUP_TIMEOUT_NS, &group.out);
    (void)peers_heard(&group.peers, 4, GROUP_TIMEOUT_NS, &group.out); /* no voter */
    assert_true(peers_alone(&group.peers, 2 * GROUP_TIMEOUT_NS, GROUP_TIMEOUT_NS));
}

static void the_silent_are_suspected_until_they_are_heard(void **state)
{
    (void)state;
    (void)peers_heard(&group.peers, 1, 10, &group.out);
    peers_heartbeat(&group.peers, GROUP_TIMEOUT_NS + 5, GROUP_TIMEOUT_NS, &group.out);
    assert_true(group.peers.heartbeat_due);
    assert_int_equal(group_effects(&group, EFFECT_SUSPECT, NULL), 3); /* all but 1 and the own one */
    assert_false(peer(1)->suspected || peer(3)->suspected);
    group_clear(&group);
    peers_heartbeat(&group.peers, GROUP_TIMEOUT_NS + 6, GROUP_TIMEOUT_NS, &group.out);
    assert_int_equal(group.out.count, 0); /* once */
    (void)peers_heard(&group.peers, 4, GROUP_TIMEOUT_NS + 7, &group.out);
    const struct effect *trust = NULL;
    assert_int_equal(group_effects(&group, EFFECT_SUSPECT, &trust), 1);
    assert_true(trust->suspect.node == 4 && trust->suspect.level == 0);
    group_clear(&group);
    peers_unlead(&group.peers, &group.out);
    assert_int_equal(group_effects(&group, EFFECT_SUSPECT, NULL), 2);
}

/* A member's client waits at that member; a client of the group compares what all say. */
static void who_waits_for_a_commitment_is_told(void **state)
{
    (void)state;
    peers_tell(&group.peers, 0);
    peers_tell(&group.peers, 3);
    assert_false(group.peers.told_due);
    peers_tell(&group.peers, 4);
    assert_true(group.peers.told_due && peer(4)->told);
    assert_false(peer(1)->told || peer(2)->told || peer(3)->told || peer(5)->told);
    peers_tell(&group.peers, 9);
    assert_true(peer(1)->told && peer(2)->told && peer(4)->told && peer(5)->told);
    assert_false(peer(3)->told);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        test(members_are_found_by_node),
        test(lives_are_told_apart),
        test(only_voters_count),
        test(who_waits_for_a_commitment_is_told),
        test(who_restarted_has_nothing_until_it_says_so),
        test(a_late_answer_takes_no_beat_back),
        test(a_leader_that_nobody_answers_is_alone),
        test(the_silent_are_suspected_until_they_are_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
