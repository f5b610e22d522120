/* Multi-Paxos, sentence by sentence (Lamport, "Paxos Made Simple", 2001, cited as PMS; AG-4, AG-5 are this project's
 * specification of it). Random schedules are in paxos_random_test.c. */
#include "protocol/consensus/paxos_driver.h"

static struct driver driver;

static int set_up(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    driver_destroy(&driver);
    return 0;
}

static struct paxos *member(uint32_t place)
{
    return driver_paxos(&driver, place);
}

static const struct paxos_cell *cell(uint32_t place, uint64_t slot)
{
    return paxos_window_at(&member(place)->window, slot);
}

/* Every message that waits in the network is lost. */
static void lose_all(void)
{
    driver_clear(&driver.network);
}

/* PMS 2.2, phase 1; AG-5: once per leadership, for all slots. With nothing to take over nothing is proposed. */
static void a_majority_of_promises_makes_a_leader(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_run(&driver, 100);
    assert_int_equal(member(0)->role, PAXOS_LEADER);
    assert_int_equal(member(0)->window.top, 0);
    for (uint32_t i = 1; i < 3; i++) {
        assert_int_equal(member(i)->leader, 1);
        assert_true(paxos_ballot_same(member(i)->promised, member(0)->promised));
    }
}

/* AG-4: the promise is forced before PROMISE leaves. */
static void a_promise_waits_for_the_disk(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        driver_start(&driver, i, START_FIRST);
    driver.members[1].auto_store = driver.members[2].auto_store = false;
    driver_campaign(&driver, 0);
    driver_pump(&driver);
    assert_int_equal(member(0)->role, PAXOS_CANDIDATE);
    assert_int_equal(member(1)->promised.round, 1);
    driver_stored(&driver, 1, 100);
    driver_pump(&driver);
    assert_int_equal(member(0)->role, PAXOS_LEADER);
}

/* AG-4: … and before ACCEPTED leaves the acceptance is. */
static void an_acceptance_waits_for_the_disk(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver.members[1].auto_store = driver.members[2].auto_store = false;
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    assert_non_null(cell(1, 1));
    assert_int_equal(member(0)->commit, 0);
    driver_stored(&driver, 1, 100);
    driver_pump(&driver);
    assert_int_equal(member(0)->commit, 1);
}

/* A leader counts itself only when its own disk has the proposal. */
static void a_leader_counts_itself_after_its_disk(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_isolate(&driver, 2, true);
    driver.members[0].auto_store = false;
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    assert_int_equal(member(0)->commit, 0);
    driver_stored(&driver, 0, 100);
    driver_pump(&driver);
    assert_int_equal(member(0)->commit, 1);
}

/* AG-5, cost: in the steady state 2(n - 1) messages and one round trip; a follower's client is told at once. */
static void a_slot_costs_one_round_trip(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_run(&driver, 50);
    uint32_t before = 0, after = 0;
    for (uint32_t i = 0; i < 3; i++)
        before += driver.members[i].sends;
    driver_update(&driver, 0, 5);
    driver_hop(&driver);
    driver_pump(&driver);
    for (uint32_t i = 0; i < 3; i++)
        after += driver.members[i].sends;
    assert_int_equal(after - before, 4);
    assert_int_equal(driver.members[0].applied, 5);
    driver_update(&driver, 1, 2);
    driver_pump(&driver);
    assert_int_equal(driver.members[1].applied, 7);
}

/* A client of the group is answered by several members: all are told at once, at the cost of n - 1 messages. */
static void a_clients_slot_is_told_to_all(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_run(&driver, 50);
    for (uint32_t asked = 0; asked < 2; asked++) {
        driver_update_of(&driver, asked, 9, 70, 1 + asked, 1);
        driver_pump(&driver);
        for (uint32_t i = 0; i < 3; i++)
            assert_int_equal(driver.members[i].applied, 1 + asked);
    }
}

/* AG-5: several slots are in flight at once. */
static void slots_do_not_wait_for_one_another(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_run(&driver, 50);
    for (uint32_t i = 0; i < 10; i++)
        driver_update(&driver, 0, 1);
    assert_int_equal(driver_waiting(&driver, 1, PAXOS_ACCEPT), 10);
    driver_pump(&driver);
    assert_int_equal(member(0)->commit, 10);
}

/* PMS 3, MPX-3: where a majority's promises show no acceptance a no-op is proposed; what lies behind is kept. */
static void holes_are_filled_with_no_ops(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_update(&driver, 0, 1);
    lose_all();
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    assert_null(cell(1, 1));
    assert_non_null(cell(1, 2));
    assert_int_equal(member(0)->commit, 0); /* it acknowledges the prefix, and that is empty */
    driver_isolate(&driver, 0, true);
    driver_elect(&driver, 1);
    driver_run(&driver, 100);
    assert_int_equal(member(1)->commit, 2);
    assert_int_equal(cell(1, 1)->origin, 0);
    assert_int_equal(cell(1, 2)->origin, 1);
    assert_int_equal(driver.members[2].applied, 2);
    driver_isolate(&driver, 0, false);
    driver_run(&driver, 500);
    assert_int_equal(driver.members[0].state, driver.members[1].state);
}

/* PMS 2.2, P2c: of what is reported the value of the highest ballot is taken, whatever came first. */
static void the_highest_ballot_is_taken(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_isolate(&driver, 0, true);
    driver_update(&driver, 0, 1); /* slot 1 in the first ballot, at member 0 alone */
    driver_pump(&driver);
    driver_elect(&driver, 1);
    driver_isolate(&driver, 1, true);
    driver_update(&driver, 1, 2); /* in the second, at member 1 alone */
    driver_pump(&driver);
    int64_t second = cell(1, 1)->time_ns;
    memset(driver.cut, 0, sizeof driver.cut);
    driver_isolate(&driver, 2, true);
    driver_run(&driver, 1000); /* now one of the two leads, with the promises of both */
    assert_int_equal(cell(0, 1)->count, 2);
    assert_int_equal(cell(0, 1)->time_ns, second);
    assert_true(member(0)->commit >= 1 && member(1)->commit >= 1);
}

/* P1a: a proposal below the promise is refused, and its leader learns why (AG-3, rung 6). */
static void a_late_proposal_is_refused(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_isolate(&driver, 0, true);
    driver_elect(&driver, 1);
    struct paxos_ballot promised = member(2)->promised;
    memset(driver.cut, 0, sizeof driver.cut);
    lose_all();
    driver_update(&driver, 0, 1);
    driver_hop(&driver);
    assert_null(cell(2, 1));
    assert_true(paxos_ballot_same(member(2)->promised, promised));
    assert_true(driver_waiting(&driver, 0, PAXOS_NACK) > 0);
    driver_pump(&driver);
    assert_int_equal(member(0)->role, PAXOS_FOLLOWER);
}

/* PAX-1: the same slot and ballot with another value is not what a leader sends. */
static void another_value_in_one_ballot_is_rejected(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    int64_t time_ns = cell(1, 1)->time_ns;
    struct paxos_entry entry = {.round = 1, .node = 1, .slot = 2, .time = time_ns + 1, .count = 1};
    uint8_t bytes[RECORD_PREFIX_SIZE + MESSAGE_HEAD_SIZE_MAX];
    struct span tail;
    for (uint32_t i = 0; i < 2; i++) {
        entry.time += i;
        size_t size = message_encode(&paxos_records.types[PAXOS_ENTRY], &entry, bytes + RECORD_PREFIX_SIZE, &tail);
        record_prefix_write(bytes, (uint32_t)size, PAXOS_ENTRY, PAXOS_SLOT);
        struct span records = span_of(bytes, RECORD_PREFIX_SIZE + size);
        const struct paxos_accept accept = {.round = 1, .last = 2, .records = records};
        driver_inject(&driver, 0, 1, 1, PAXOS_ACCEPT, &accept);
    }
    assert_int_equal(cell(1, 2)->time_ns, time_ns + 1);
}

/* AG-5: promise and accepted slots survive a restart; so does most of what was known to be chosen. */
static void a_restart_keeps_promises_and_acceptances(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    for (uint32_t i = 0; i < 5; i++) {
        driver_update(&driver, 0, 2);
        driver_pump(&driver);
    }
    driver_run(&driver, 100);
    struct paxos_ballot promised = member(1)->promised;
    driver_crash_keep(&driver, 1, driver.members[1].count);
    driver_start(&driver, 1, START_RESTARTED);
    assert_true(paxos_ballot_same(member(1)->promised, promised));
    assert_int_equal(member(1)->window.top, 5);
    assert_true(member(1)->commit >= 3);
    driver_run(&driver, 300);
    assert_int_equal(driver.members[1].applied, 10);
}

/* What a leader took over it has accepted in its own ballot, also after a restart: RENEW, without the values again. */
static void what_is_taken_over_is_not_written_again(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_isolate(&driver, 2, true);
    driver_update(&driver, 0, 3);
    driver_hop(&driver); /* member 1 has accepted it, and member 0 does not know */
    lose_all();
    driver_isolate(&driver, 2, false);
    driver_isolate(&driver, 0, true);
    uint64_t position = cell(1, 1)->position;
    driver_elect(&driver, 1);
    driver_run(&driver, 50);
    assert_int_equal(cell(1, 1)->position, position);
    assert_true(paxos_ballot_same(cell(1, 1)->ballot, member(1)->promised));
    struct paxos_ballot ballot = member(1)->promised;
    driver_crash_keep(&driver, 1, driver.members[1].count);
    driver_start(&driver, 1, START_RESTARTED);
    assert_true(paxos_ballot_same(cell(1, 1)->ballot, ballot));
    assert_int_equal(driver.members[2].applied, 3);
}

/* A member that forgot neither promises nor counts before it was filled (paxos_recover.c). */
static void a_member_that_forgot_does_not_promise(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    driver_wipe(&driver, 1);
    driver_isolate(&driver, 0, true);
    driver_start(&driver, 1, START_AMNESIAC);
    driver_run(&driver, 1000);
    assert_true(member(1)->recovering);
    assert_int_not_equal(member(2)->role, PAXOS_LEADER); /* it would need this one's promise */
    driver_isolate(&driver, 0, false);
    driver_run(&driver, 1000);
    assert_false(member(1)->recovering);
    assert_int_equal(driver.members[1].applied, driver.delivered);
}

/* MPX-4: reads wait until what was taken over is chosen again, and for a majority that confirms the ballot. */
static void reads_need_a_majority(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    driver_isolate(&driver, 0, true);
    driver_read(&driver, 0, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].reads_done, 0);
    driver_isolate(&driver, 0, false);
    driver_run(&driver, 100);
    driver_read(&driver, 2, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[2].reads_done, 1);
}

/* Lets the leader take a checkpoint while member 2 gets nothing, so that what it needs is gone. */
static void leave_member_2_behind(uint32_t updates)
{
    driver.tuning.log_entries_max = 40;
    driver_begin_with(&driver, 0);
    driver_run(&driver, 50);
    driver_isolate(&driver, 2, true);
    for (uint32_t i = 0; i < updates; i++) {
        driver_update(&driver, 0, 1);
        driver_pump(&driver);
    }
    assert_int_equal(member(0)->checkpoint_slot, 20);
    assert_true(member(0)->window.head > 1);
    driver_isolate(&driver, 2, false);
}

/* AG-5, SNAPSHOT: who needs what is gone adopts a checkpoint. */
static void a_laggard_adopts_a_checkpoint(void **state)
{
    (void)state;
    leave_member_2_behind(25);
    driver_run(&driver, 300);
    assert_int_equal(driver.members[2].applied, 25);
    assert_true(driver.members[2].has_disk);
    assert_int_equal(driver.members[2].state, driver.members[0].state);
}

/* It holds an acceptance above the checkpoint, which it must not lose: the leader takes one that covers it. */
static void an_acceptance_above_the_checkpoint_is_kept(void **state)
{
    (void)state;
    leave_member_2_behind(25);
    driver_update(&driver, 0, 1); /* slot 26 reaches it, and nothing before */
    driver_pump(&driver);
    assert_int_equal(member(2)->window.top, 26);
    assert_int_equal(member(2)->commit, 0);
    driver_run(&driver, 300);
    assert_true(member(0)->checkpoint_slot >= 26);
    assert_int_equal(driver.members[2].applied, 26);
    assert_int_equal(driver.members[2].state, driver.members[0].state);
}

/* A full disk refuses new work with a reason, and never what may have been taken before. */
static void a_full_disk_refuses(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver.members[0].full = true;
    driver_update(&driver, 0, 1); /* taken before it knows */
    driver_pump(&driver);
    assert_true(member(0)->disk.full);
    driver_update(&driver, 0, 1);
    assert_int_equal(driver.members[0].refused_count, 1);
    assert_memory_equal(driver.members[0].refusal, "MISCONF", 7);
    driver_update(&driver, 1, 2);
    driver_pump(&driver);
    assert_int_equal(driver.members[1].refused_count, 2);
}

/* A member that was cut off raises no ballot, so it deposes nobody when it comes back. */
static void a_cut_off_member_disturbs_nobody(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    struct paxos_ballot ballot = member(0)->promised;
    driver_isolate(&driver, 2, true);
    driver_run(&driver, 2000);
    assert_true(paxos_ballot_same(member(2)->promised, ballot));
    driver_isolate(&driver, 2, false);
    driver_run(&driver, 500);
    assert_int_equal(member(0)->role, PAXOS_LEADER);
    assert_true(paxos_ballot_same(member(0)->promised, ballot));
}

/* check() sees what it is there for. */
static void check_sees_what_is_wrong(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    struct paxos *self = member(0);
    struct paxos saved = *self;
#define assert_broken(change, tag)                                                                                     \
    do {                                                                                                               \
        change;                                                                                                        \
        const char *said = paxos_check(self);                                                                          \
        assert_non_null(said);                                                                                         \
        assert_memory_equal(said, tag, sizeof tag - 1);                                                                \
        *self = saved;                                                                                                 \
    } while (0)
    assert_null(paxos_check(self));
    saved = *self;
    assert_broken(self->promised.round = 0, "PAX-2");
    assert_broken(self->commit = 0, "MPX-1");
    assert_broken(self->applied = 0, "MPX-2");
    assert_broken(self->applied = 2, "MPX-2");
    assert_broken(self->leader = 2, "PAX-5");
    assert_broken(self->promised.node = 2, "PAX-5");
    assert_broken(self->recovering = true, "PAX-2");
    assert_broken(self->window.top = 0, "PAX-1");
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* A client of the group that is no member: its bundle is ordered or given back, never refused, and nobody's numbers are
 * touched. */
static void updates_of_a_session_elsewhere_are_ordered_or_given_back(void **state)
{
    enum { CLIENT = 9 };
    (void)state;
    driver_begin_with(&driver, 0);
    uint64_t delivered = driver.members[0].applied;
    driver_update_of(&driver, 0, CLIENT, 5, 1, 2);
    driver_update_of(&driver, 1, CLIENT, 5, 3, 2);
    assert_int_equal(driver_waiting(&driver, 0, PAXOS_FORWARD), 1);
    driver_pump(&driver);
    delivered += 4;
    assert_int_equal(driver.members[0].applied, delivered);
    assert_true(member(0)->intake.incarnation != 5);
    assert_true(member(0)->peers.list[1].taken_incarnation != 5);
    driver.members[0].full = true;
    driver_update(&driver, 0, 1); /* taken before it knows */
    driver_pump(&driver);
    delivered++;
    driver_update_of(&driver, 0, CLIENT, 5, 5, 1);
    driver_update_of(&driver, 1, CLIENT, 5, 5, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].applied, delivered);
    assert_int_equal(member(0)->peers.list[1].refused_last, 0);
    driver_peer(&driver, 1, 0, PEER_LOST); /* nobody is known to order */
    driver_update_of(&driver, 1, CLIENT, 5, 5, 1);
    assert_int_equal(driver_waiting(&driver, 0, PAXOS_FORWARD), 0);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(driver.members[i].again_count, 1); /* who led could not, who did not knew nobody */
        assert_int_equal(driver.members[i].refused_count, 0);
    }
}

/* Bad input: the last round there is, which its successor would fall behind. (Found by fuzz/peer_paxos_fuzz.) */
static void after_the_last_round_nobody_leads(void **state)
{
    (void)state;
    driver_begin_with(&driver, 0);
    driver_campaign(&driver, 1);
    assert_int_equal(member(1)->role, PAXOS_PRE_CANDIDATE);
    const struct paxos_nack nack = {.round = UINT64_MAX, .node = 3, .pre = true};
    const struct paxos_promise promise = {.nonce = member(1)->incarnation, .pre = true}; /* of the round after it */
    driver_inject(&driver, 2, 1, 1, PAXOS_NACK, &nack);
    driver_inject(&driver, 2, 1, 1, PAXOS_PROMISE, &promise);
    assert_int_equal(member(1)->role, PAXOS_PRE_CANDIDATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(after_the_last_round_nobody_leads),
        test(a_majority_of_promises_makes_a_leader),
        test(a_promise_waits_for_the_disk),
        test(an_acceptance_waits_for_the_disk),
        test(a_leader_counts_itself_after_its_disk),
        test(a_slot_costs_one_round_trip),
        test(a_clients_slot_is_told_to_all),
        test(slots_do_not_wait_for_one_another),
        test(holes_are_filled_with_no_ops),
        test(the_highest_ballot_is_taken),
        test(a_late_proposal_is_refused),
        test(another_value_in_one_ballot_is_rejected),
        test(a_restart_keeps_promises_and_acceptances),
        test(what_is_taken_over_is_not_written_again),
        test(updates_of_a_session_elsewhere_are_ordered_or_given_back),
        test(a_member_that_forgot_does_not_promise),
        test(reads_need_a_majority),
        test(a_laggard_adopts_a_checkpoint),
        test(an_acceptance_above_the_checkpoint_is_kept),
        test(a_full_disk_refuses),
        test(a_cut_off_member_disturbs_nobody),
        test(check_sees_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
