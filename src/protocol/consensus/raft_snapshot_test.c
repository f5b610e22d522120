/* Raft's checkpoints (thesis chapter 5), adoption, and restart from both. */
#include "protocol/consensus/raft_driver.h"

static struct driver driver;

static void begin(void)
{
    driver_create(&driver, 3, 1, 0);
    driver.tuning.log_entries_max = 32;
    driver_begin_with(&driver, 0);
    driver_run(&driver, 30);
}

static void end(void)
{
    driver_destroy(&driver);
}

static void update(uint32_t place, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        driver_update(&driver, place, 2);
        driver_pump(&driver);
    }
}

/* 5: "each server takes snapshots independently, covering just the committed entries in its log". */
static void checkpoint_shortens_the_log(void **state)
{
    (void)state;
    begin();
    update(0, 100);
    driver_run(&driver, 30);
    for (uint32_t i = 0; i < 3; i++) {
        const struct driver_member *member = &driver.members[i];
        assert_true(member->has_disk);
        assert_true(member->disk.index > 150);
        assert_true(raft_first_index(member->self) <= member->disk.index); /* some are kept for laggards */
        assert_true(raft_log_count(&driver_raft(&driver, i)->log) <= 32);
        assert_int_equal(member->applied, 201);
    }
    end();
}

static void restart_goes_on_from_the_checkpoint(void **state)
{
    (void)state;
    begin();
    update(0, 50);
    driver_run(&driver, 30);
    uint64_t reached = driver.members[0].state;
    uint64_t first = raft_first_index(driver_raft(&driver, 1));
    for (uint32_t i = 0; i < 3; i++)
        driver_crash(&driver, i);
    for (uint32_t i = 0; i < 3; i++)
        driver_start(&driver, i, START_RESTARTED);
    assert_int_equal(raft_first_index(driver_raft(&driver, 1)), first);
    assert_int_equal(driver_raft(&driver, 1)->term, 1);
    assert_int_equal(driver_raft(&driver, 1)->voted_for, 1);
    driver_run(&driver, 600);
    assert_int_equal(driver.members[0].applied, 102); /* and the no-op of the new term */
    assert_true(driver.members[0].state != reached && driver.members[0].state == driver.members[1].state);
    end();
}

/* The service's checkpoint may hold what the own log has lost: entries are delivered before the own disk has them. */
static void checkpoint_ahead_of_the_own_log(void **state)
{
    (void)state;
    begin();
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    driver.members[2].auto_store = false;
    update(0, 17);
    driver_run(&driver, 30);
    assert_true(driver.members[2].has_pending);
    driver_state(&driver, 2); /* the checkpoint is on disk, the log's tail is not */
    uint64_t index = driver.members[2].disk.index;
    driver_crash(&driver, 2);
    driver_start(&driver, 2, START_RESTARTED);
    assert_int_equal(raft_last_index(driver_raft(&driver, 2)), index);
    assert_int_equal(raft_first_index(driver_raft(&driver, 2)), index + 1);
    driver_stored(&driver, 2, driver.members[2].count);
    driver_crash(&driver, 2); /* once more, now with the record that tells of it */
    driver_start(&driver, 2, START_RESTARTED);
    assert_int_equal(raft_last_index(driver_raft(&driver, 2)), index);
    driver.members[2].auto_store = true;
    driver_run(&driver, 100);
    update(0, 3);
    driver_run(&driver, 30);
    assert_int_equal(driver.members[2].applied, driver.members[0].applied);
    assert_true(driver.members[2].state == driver.members[0].state);
    end();
}

static void lag(void)
{
    begin();
    driver_crash(&driver, 2);
    update(0, 100);
    driver_start(&driver, 2, START_RESTARTED);
}

/* 5.3: a follower that needs entries which are gone gets the checkpoint, and goes on from there. */
static void laggard_adopts_the_leaders_checkpoint(void **state)
{
    (void)state;
    lag();
    driver_run(&driver, 100);
    assert_int_equal(driver.members[2].applied, 201);
    assert_true(driver.members[2].state == driver.members[0].state);
    assert_true(driver.members[2].has_disk);
    /* The adopted part is another member's: term and vote after a restart are the own ones all the same. */
    driver_elect(&driver, 2);
    driver_run(&driver, 30);
    uint64_t term = driver_raft(&driver, 2)->term;
    driver_crash(&driver, 2);
    driver_start(&driver, 2, START_RESTARTED);
    assert_int_equal(driver_raft(&driver, 2)->term, term);
    assert_int_equal(driver_raft(&driver, 2)->voted_for, 3);
    assert_false(driver_raft(&driver, 2)->recovering);
    driver_run(&driver, 600);
    assert_int_equal(driver.members[2].applied, driver.members[0].applied);
    end();
}

/* The own hard state is the record right before ADOPT: the first that stays when the own part goes. */
static void hard_state_is_stored_before_adopting(void **state)
{
    (void)state;
    lag();
    driver.members[2].auto_store = false;
    driver_run(&driver, 100);
    assert_true(driver.members[2].adopting);
    assert_int_equal(driver.members[2].records[driver.members[2].adopt_keep - 1].type, RAFT_HARD_STATE);
    driver_state(&driver, 2);
    assert_true(driver.members[2].adopting); /* node/ waits for the disk */
    driver_stored(&driver, 2, driver.members[2].count);
    driver_state(&driver, 2);
    assert_false(driver.members[2].adopting);
    assert_int_equal(driver.members[2].applied, driver.members[0].disk.index);
    end();
}

/* A log that has the checkpoint's index with its term has all of it: nothing needs to be fetched. */
static void install_of_what_is_there_only_commits(void **state)
{
    (void)state;
    begin();
    driver_update(&driver, 0, 4);
    driver_hop(&driver); /* the follower has it, and does not know that it is committed */
    struct raft_install install = {.term = 1, .index = 5, .index_term = 1, .round = 99};
    driver_inject(&driver, 0, 2, 1, RAFT_INSTALL, &install);
    assert_false(driver_raft(&driver, 2)->adopt_pending);
    assert_int_equal(driver.members[2].applied, 5);
    driver_update(&driver, 0, 4);
    driver_hop(&driver);
    install.index = 7; /* inside the entry */
    driver_inject(&driver, 0, 2, 1, RAFT_INSTALL, &install);
    assert_true(driver_raft(&driver, 2)->adopt_pending);
    end();
}

static void failed_adoption_is_tried_again(void **state)
{
    (void)state;
    lag();
    driver.members[2].auto_store = false;
    driver_run(&driver, 50);
    driver_stored(&driver, 2, driver.members[2].count);
    assert_true(driver.members[2].adopting);
    driver.cut[0][2] = true; /* its chunks do not come */
    driver_state(&driver, 2);
    assert_false(driver_raft(&driver, 2)->adopt_pending);
    driver.cut[0][2] = false;
    driver.members[2].auto_store = true;
    driver_run(&driver, 100);
    assert_int_equal(driver.members[2].applied, 201);
    end();
}

/* While a checkpoint is being adopted nothing is delivered (the driver asserts it), and the leader does not press. */
static void installation_is_repeated_only_with_heartbeats(void **state)
{
    (void)state;
    lag();
    driver.members[2].auto_store = false;
    driver_run(&driver, 10);
    driver_pump(&driver);
    uint32_t before = driver.members[0].sends;
    driver_read(&driver, 0, 1);
    update(0, 3);
    uint32_t installs = 0;
    for (uint32_t i = 0; i < driver.network.count; i++)
        installs += driver.network.list[i].type == RAFT_INSTALL;
    assert_int_equal(installs, 0);
    assert_true(driver.members[0].sends > before);
    assert_int_equal(driver_raft(&driver, 0)->peers.list[2].pace, PACE_INSTALL);
    driver_stored(&driver, 2, driver.members[2].count);
    driver.members[2].auto_store = true;
    driver_run(&driver, 100);
    assert_int_equal(driver.members[2].applied, driver.members[0].applied);
    end();
}

/* Figure 5.3, step 6: entries that follow the checkpoint and join it are kept. */
static void entries_after_an_adopted_checkpoint_stay(void **state)
{
    (void)state;
    begin();
    update(0, 4);
    driver_run(&driver, 30);
    struct raft *raft = driver_raft(&driver, 2);
    uint64_t tail = raft->log.tail;
    raft->adopt_pending = true;
    driver.members[2].applied = 5;
    const struct raft_part part = {.node = 1, .last_index = 9, .last_term = 1, .term = 77, .voted_for = 1};
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX];
    struct span none;
    size_t size = message_encode(&raft_part_type, &part, bytes, &none);
    driver_step(&driver, 2, (struct event){.kind = EVENT_STATE,
                                           .state = {.kind = STATE_ADOPTED, .index = 9, .part = span_of(bytes, size)}});
    assert_int_equal(raft->log.tail, tail);
    assert_int_equal(raft->term, 1); /* another's term is not taken */
    assert_int_equal(raft->voted_for, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoint_shortens_the_log),
        cmocka_unit_test(restart_goes_on_from_the_checkpoint),
        cmocka_unit_test(checkpoint_ahead_of_the_own_log),
        cmocka_unit_test(laggard_adopts_the_leaders_checkpoint),
        cmocka_unit_test(hard_state_is_stored_before_adopting),
        cmocka_unit_test(install_of_what_is_there_only_commits),
        cmocka_unit_test(failed_adoption_is_tried_again),
        cmocka_unit_test(installation_is_repeated_only_with_heartbeats),
        cmocka_unit_test(entries_after_an_adopted_checkpoint_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
