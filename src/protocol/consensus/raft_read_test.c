/* Raft's reads (thesis 6.4): what confirms them, what may not, and what becomes of them when leaders change. */
#include "protocol/consensus/raft_driver.h"

static struct driver driver;

static void begin(uint32_t count, uint32_t ablations)
{
    driver_create(&driver, count, 1, ablations);
    driver_begin_with(&driver, 0);
    driver_run(&driver, 30);
}

static void end(void)
{
    driver_destroy(&driver);
}

/* 6.4, step 3: "it needs to make sure it hasn't been superseded by a newer leader": a round of a majority. */
static void read_waits_for_a_majority(void **state)
{
    (void)state;
    begin(5, 0);
    driver_isolate(&driver, 1, true);
    driver_isolate(&driver, 2, true);
    driver_read(&driver, 0, 3);
    assert_int_equal(driver.members[0].reads_done, 0);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].reads_done, 3);
    driver_isolate(&driver, 3, true);
    driver_read(&driver, 0, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].reads_done, 3);
    end();
}

/* The trap: a deposed leader that serves a read from its own state. The mutant does. */
static void deposed_leader_serves_no_stale_read(void **state)
{
    (void)state;
    for (uint32_t ablated = 0; ablated < 2; ablated++) {
        begin(3, ablated ? RAFT_ABLATION_READ_NO_ROUND : 0);
        driver_isolate(&driver, 0, true);
        driver_elect(&driver, 1);
        driver_update(&driver, 1, 1);
        driver_pump(&driver);
        driver_read(&driver, 0, 1); /* the driver knows what it has to see */
        driver_pump(&driver);
        assert_int_equal(driver.violated, ablated);
        driver_run(&driver, 400); /* it steps down, and hands the read back */
        assert_int_equal(driver.members[0].reads_done, ablated);
        assert_int_equal(driver.members[0].reads_again, 1 - ablated);
        end();
    }
}

/* Exactly one round in flight; all others are gathered for the next. */
static void reads_share_rounds(void **state)
{
    (void)state;
    begin(3, 0);
    uint64_t round = driver_raft(&driver, 0)->peers.beat;
    for (uint32_t i = 0; i < 10; i++)
        driver_read(&driver, 0, 2);
    assert_int_equal(driver_raft(&driver, 0)->peers.beat, round + 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].reads_done, 20);
    assert_int_equal(driver_raft(&driver, 0)->peers.beat, round + 2);
    end();
}

/* An answer to an earlier round says nothing about a read that came after it. */
static void earlier_round_does_not_confirm(void **state)
{
    (void)state;
    begin(3, 0);
    driver_isolate(&driver, 1, true);
    driver_isolate(&driver, 2, true);
    driver_read(&driver, 0, 1);
    const struct raft_round_ack ack = {.term = 1, .round = driver_raft(&driver, 0)->peers.beat - 1, .voter = 1};
    driver_inject(&driver, 1, 0, 1, RAFT_ROUND_ACK, &ack);
    driver_inject(&driver, 2, 0, 1, RAFT_ROUND_ACK, &ack);
    assert_int_equal(driver.members[0].reads_done, 0);
    end();
}

/* 6.4, step 1: the commit index of a new leader may be behind until an entry of its term is committed. */
static void read_waits_for_the_no_op(void **state)
{
    (void)state;
    begin(3, 0);
    driver.members[1].auto_store = false;
    driver_forget_leader(&driver);
    driver_campaign(&driver, 1);
    driver_pump(&driver);
    driver_stored(&driver, 1, driver.members[1].count);
    driver.members[0].auto_store = driver.members[2].auto_store = false; /* rounds are answered, entries not stored */
    driver_pump(&driver);
    assert_int_equal(driver_raft(&driver, 1)->role, RAFT_LEADER);
    driver_read(&driver, 1, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[1].reads_done, 0);
    for (uint32_t i = 0; i < 3; i++)
        driver.members[i].auto_store = true;
    driver_pump(&driver);
    assert_int_equal(driver.members[1].reads_done, 1);
    end();
}

/* 6.4, last paragraph: a follower asks for an index and serves the reads itself, once it has applied that much. */
static void follower_serves_reads(void **state)
{
    (void)state;
    begin(3, 0);
    driver_update(&driver, 0, 5);
    driver_pump(&driver); /* the follower has not heard yet that it is committed */
    assert_int_equal(driver.members[2].applied, 1);
    driver_read(&driver, 2, 2);
    driver_read(&driver, 2, 2); /* gathered behind the question that is out */
    assert_int_equal(driver_waiting(&driver, 0, RAFT_READ), 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[2].reads_done, 4);
    assert_int_equal(driver.members[2].applied, 6);
    end();
}

/* A question that got lost is asked anew under a new number, and the answer to the old one does not serve it. */
static void repeated_question_has_a_new_number(void **state)
{
    (void)state;
    begin(3, 0);
    driver_read(&driver, 2, 1);
    struct leader_read first, second;
    assert_true(driver_find(&driver, 0, RAFT_READ, &first));
    driver_clear(&driver.network);
    driver.now_ns += 41 * NS_PER_MS;
    driver_fire(&driver, 2);
    assert_true(driver_find(&driver, 0, RAFT_READ, &second));
    assert_true(second.number != first.number);
    const struct leader_read_ack late = {.number = first.number, .mark = 1};
    driver_inject(&driver, 0, 2, 1, RAFT_READ_ACK, &late);
    assert_int_equal(driver.members[2].reads_done, 0);
    driver_pump(&driver);
    assert_int_equal(driver.members[2].reads_done, 1);
    end();
}

/* After a change of leader the reads are asked of the new one; without a leader they go back. */
static void reads_survive_a_change_of_leader(void **state)
{
    (void)state;
    begin(3, 0);
    driver_isolate(&driver, 0, true);
    driver_read(&driver, 2, 3); /* its question to node 1 is lost */
    driver_pump(&driver);
    const struct raft_append append = {.term = 7, .commit = 0, .last = 1};
    driver_inject(&driver, 1, 2, 1, RAFT_APPEND, &append); /* node 2 leads term 7 */
    assert_int_equal(driver.members[2].reads_again, 0);
    assert_int_equal(driver_waiting(&driver, 1, RAFT_READ), 1);
    driver_peer(&driver, 2, 1, PEER_LOST);
    assert_int_equal(driver.members[2].reads_again, 3);
    driver_read(&driver, 2, 1);
    assert_int_equal(driver.members[2].reads_again, 4);
    end();
}

/* Runs of numbers that do not join fill the bounded lists; what finds no place goes back, and nothing gets lost. */
static void lists_are_bounded(void **state)
{
    (void)state;
    begin(3, 0);
    driver_isolate(&driver, 0, true);
    uint32_t asked = 2 * READS_RANGES_MAX + 10;
    for (uint32_t i = 0; i < asked; i++) {
        driver_read(&driver, 2, 1);
        driver.members[2].next_read++; /* a hole */
    }
    uint32_t back = driver.members[2].reads_again;
    assert_int_equal(back, asked - READS_RANGES_MAX - 1);
    driver_isolate(&driver, 0, false);
    driver_run(&driver, 100);
    assert_int_equal(driver.members[2].reads_done, asked - back);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_waits_for_a_majority),
        cmocka_unit_test(deposed_leader_serves_no_stale_read),
        cmocka_unit_test(reads_share_rounds),
        cmocka_unit_test(earlier_round_does_not_confirm),
        cmocka_unit_test(read_waits_for_the_no_op),
        cmocka_unit_test(follower_serves_reads),
        cmocka_unit_test(repeated_question_has_a_new_number),
        cmocka_unit_test(reads_survive_a_change_of_leader),
        cmocka_unit_test(lists_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
