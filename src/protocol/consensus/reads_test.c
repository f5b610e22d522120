/* Reads that need no entry (reads.h). */
#include "protocol/consensus/reads.h"

#include "protocol/consensus/peers_testing.h"

static struct group group;
static struct reads reads;

static const struct leader_read six = {.number = 6, .count = 1};

static struct peer *peer(uint32_t node)
{
    return peers_find(&group.peers, node);
}

static int begin(void **state)
{
    (void)state;
    group_create(&group);
    peers_lead(&group.peers, 1, 0, GROUP_TIMEOUT_NS);
    for (uint32_t node = 1; node <= 5; node++)
        peers_voter(&group.peers, peer(node), true);
    reads = (struct reads){.wire = &group_wire};
    return 0;
}

static int end(void **state)
{
    (void)state;
    group_free(&group);
    return 0;
}

static void lead_turn(uint64_t commit, bool current)
{
    const struct reads_leader leader = {.commit = commit, .current = current, .time_ns = 70};
    reads_lead_turn(&reads, &group.peers, &leader, &group.out);
}

static uint32_t delivered(uint64_t applied)
{
    group_clear(&group);
    const struct reads_applied state = {.mark = applied, .index = 10 * applied, .time_ns = 60, .leads = true};
    reads_deliver(&reads, &state, &group.out);
    return group_effects(&group, EFFECT_DELIVER, NULL);
}

static void a_majority_confirms_before_reads_are_served(void **state)
{
    (void)state;
    reads_request(&reads, 3, 1, 2, &group.out);
    reads_request(&reads, 3, 3, 1, &group.out); /* joins the run */
    lead_turn(8, true);
    assert_true(group.peers.beat_due && group.peers.beat == 1);
    peers_beat(&group.peers, peer(1), 1);
    lead_turn(9, true);
    assert_int_equal(delivered(9), 0); /* two of five */
    peers_beat(&group.peers, peer(4), 1);
    lead_turn(9, true);
    assert_int_equal(delivered(7), 0); /* not applied what was committed when they came */
    assert_int_equal(delivered(8), 1);
    assert_true(group.list[0].deliver.first_number == 1 && group.list[0].deliver.count == 3);
    assert_true(group.list[0].deliver.index == 80 && group.list[0].deliver.time_ns == 70);
    assert_true(peer(1)->quick && peer(4)->quick && !peer(2)->quick);
}

/* What comes while a beat is out is not confirmed by it. */
static void late_reads_wait_for_the_next_beat(void **state)
{
    (void)state;
    reads_request(&reads, 3, 1, 1, &group.out);
    lead_turn(8, true);
    reads_request(&reads, 3, 2, 1, &group.out);
    for (uint32_t node = 1; node <= 5; node++)
        peers_beat(&group.peers, peer(node), 1);
    lead_turn(9, true);
    assert_int_equal(group.peers.beat, 2);
    assert_int_equal(delivered(9), 1);
    assert_int_equal(group.list[0].deliver.count, 1);
    lead_turn(9, true);
    assert_int_equal(delivered(9), 0);
}

static void a_leader_that_may_be_behind_serves_none(void **state)
{
    (void)state;
    reads_request(&reads, 3, 1, 1, &group.out);
    lead_turn(8, false);
    assert_int_equal(group.peers.beat, 0);
    lead_turn(8, true);
    assert_int_equal(group.peers.beat, 1);
}

static void a_members_question_is_answered_with_its_mark(void **state)
{
    (void)state;
    reads_on_question(&reads, peer(5), &six);
    reads_on_question(&reads, peer(5), &six); /* doubled */
    assert_int_equal(reads.remote_gathered, 1);
    lead_turn(8, true);
    reads_on_question(&reads, peer(5), &six); /* late */
    assert_int_equal(reads.remote_gathered, 0);
    for (uint32_t node = 1; node <= 5; node++)
        peers_beat(&group.peers, peer(node), 1);
    lead_turn(9, true);
    struct leader_read_ack ack;
    group_sent(&group, GROUP_READ_ACK, 5, &ack);
    assert_true(ack.number == 6 && ack.mark == 8 && ack.time == 70);
    const struct effect *send = NULL;
    (void)group_effects(&group, EFFECT_SEND, &send);
    assert_int_equal(send->send.to_incarnation, 50);
}

static void a_restarted_member_has_no_question(void **state)
{
    (void)state;
    reads_on_question(&reads, peer(5), &six);
    reads_forget(&reads, peer(5));
    lead_turn(8, true);
    assert_int_equal(group.peers.beat, 0);
}

static void a_follower_asks_one_question_at_a_time(void **state)
{
    (void)state;
    reads_request(&reads, 2, 1, 2, &group.out);
    reads_follow_turn(&reads, 2, 100, 50, &group.out);
    struct leader_read question;
    group_sent(&group, GROUP_READ, 2, &question);
    assert_int_equal(question.count, 2);
    const struct effect *arm = NULL;
    assert_int_equal(group_effects(&group, EFFECT_ARM, &arm), 1);
    assert_int_equal(arm->arm.at_ns, 150);
    group_clear(&group);
    reads_request(&reads, 2, 3, 1, &group.out);
    reads_follow_turn(&reads, 2, 110, 50, &group.out);
    assert_int_equal(group.out.count, 0);
    reads_on_answer(&reads, &(struct leader_read_ack){.number = question.number, .mark = 4, .time = 9}, &group.out);
    assert_int_equal(delivered(4), 1);
    assert_int_equal(group.list[0].deliver.count, 2);
}

/* A mark from before a read came must not serve it: not one for another leader, nor one for a repeated question. */
static void only_the_question_that_is_out_is_answered(void **state)
{
    (void)state;
    reads_request(&reads, 2, 1, 1, &group.out);
    reads_follow_turn(&reads, 2, 100, 50, &group.out);
    struct leader_read first, second;
    group_sent(&group, GROUP_READ, 2, &first);
    group_clear(&group);
    reads_timeout(&reads, 2, 150, 50, &group.out);
    group_sent(&group, GROUP_READ, 2, &second);
    assert_true(second.number > first.number);
    reads_on_answer(&reads, &(struct leader_read_ack){.number = first.number, .mark = 1}, &group.out);
    assert_int_equal(delivered(9), 0);
    reads_leader_changed(&reads, 4, &group.out);
    reads_on_answer(&reads, &(struct leader_read_ack){.number = second.number, .mark = 1}, &group.out);
    assert_int_equal(delivered(9), 0);
    reads_follow_turn(&reads, 4, 160, 50, &group.out);
    group_sent(&group, GROUP_READ, 4, &first);
    assert_true(first.number > second.number);
}

static void without_a_leader_reads_go_back(void **state)
{
    (void)state;
    reads_request(&reads, 0, 9, 1, &group.out);
    reads_request(&reads, 2, 1, 1, &group.out);
    reads_follow_turn(&reads, 2, 100, 50, &group.out);
    reads_request(&reads, 2, 5, 1, &group.out);
    reads_leader_changed(&reads, 0, &group.out);
    assert_int_equal(group_effects(&group, EFFECT_REPLY, NULL), 3);
    for (uint32_t i = 0; i < group.out.count; i++)
        assert_true(group.list[i].kind != EFFECT_REPLY ||
                    (group.list[i].reply.kind == REPLY_AGAIN && group.list[i].reply.read));
    assert_int_equal(delivered(9), 0);
}

static void more_runs_than_the_list_holds_go_back(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < READS_RANGES_MAX; i++)
        reads_request(&reads, 3, 1 + 2 * i, 1, &group.out);
    assert_int_equal(group.out.count, 0);
    reads_request(&reads, 3, 999, 1, &group.out);
    assert_int_equal(group_effects(&group, EFFECT_REPLY, NULL), 1);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        test(a_majority_confirms_before_reads_are_served),
        test(late_reads_wait_for_the_next_beat),
        test(a_leader_that_may_be_behind_serves_none),
        test(a_members_question_is_answered_with_its_mark),
        test(a_restarted_member_has_no_question),
        test(a_follower_asks_one_question_at_a_time),
        test(only_the_question_that_is_out_is_answered),
        test(without_a_leader_reads_go_back),
        test(more_runs_than_the_list_holds_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
