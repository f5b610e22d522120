/* Members that forgot what they promised (raft_recover.c), and damaged disks. */
#include "protocol/consensus/raft_driver.h"

static struct driver driver;

static void begin(uint32_t ablations)
{
    driver_create(&driver, 3, 1, ablations);
    driver_begin_with(&driver, 0);
    driver_update(&driver, 0, 3);
    driver_pump(&driver);
    driver_run(&driver, 30);
}

static void end(void)
{
    driver_destroy(&driver);
}

static bool recovering(uint32_t place)
{
    return driver_raft(&driver, place)->recovering;
}

/* It says nothing of weight, and is filled; then it counts again. */
static void forgetful_member_is_filled_first(void **state)
{
    (void)state;
    begin(0);
    driver_wipe(&driver, 2);
    driver_isolate(&driver, 2, true);
    driver_start(&driver, 2, START_AMNESIAC);
    assert_true(recovering(2));
    struct member_status status;
    raft_protocol.status(driver_raft(&driver, 2), &status);
    assert_false(status.voter);
    driver_isolate(&driver, 2, false);
    driver_run(&driver, 150);
    assert_false(recovering(2));
    assert_int_equal(driver.members[2].applied, 4);
    assert_int_equal(driver_raft(&driver, 2)->voted_for, 1); /* whom it may have voted for */
    assert_true(driver_raft(&driver, 0)->peers.list[2].voter);
    end();
}

/* The reason: node 3 acknowledged an entry together with the leader. It forgets it, the leader goes, and nodes 2 and 3
 * would elect a leader without the entry. The mutant does so. */
static void forgotten_acknowledgement_does_not_lose_an_entry(void **state)
{
    (void)state;
    for (uint32_t ablated = 0; ablated < 2; ablated++) {
        begin(ablated ? RAFT_ABLATION_AMNESIAC_VOTES : 0);
        driver_isolate(&driver, 1, true);
        driver_update(&driver, 0, 2);
        driver_pump(&driver);
        assert_int_equal(driver.members[0].applied, 6);
        driver_crash(&driver, 0);
        driver_wipe(&driver, 2);
        driver_isolate(&driver, 1, false);
        driver_start(&driver, 2, START_AMNESIAC);
        driver_run(&driver, 1000);
        assert_int_equal(driver_leader(&driver), ablated ? 1 : -1);
        if (ablated) {
            driver_update(&driver, 1, 4);
            driver_pump(&driver);
        } else {
            driver_start(&driver, 0, START_RESTARTED); /* with it everybody can answer, and all goes on */
            driver_run(&driver, 1000);
            assert_false(recovering(2));
            assert_true(driver.members[2].applied >= 6);
        }
        assert_int_equal(driver.violated, ablated);
        end();
    }
}

/* All others have to answer: the silent one may be the one that knows the highest term. */
static void everybody_must_answer(void **state)
{
    (void)state;
    begin(0);
    driver_crash(&driver, 1);
    driver_wipe(&driver, 2);
    driver_start(&driver, 2, START_AMNESIAC);
    driver_run(&driver, 100);
    assert_true(recovering(2));
    const struct raft_recover_ack old = {.nonce = driver.members[2].incarnation - 1, .term = 1};
    driver_inject(&driver, 1, 2, 1, RAFT_RECOVER_ACK, &old);
    assert_int_equal(driver_raft(&driver, 2)->recover_answers, 1);
    driver_start(&driver, 1, START_RESTARTED);
    driver_run(&driver, 1500);
    assert_false(recovering(2));
    assert_true(driver_leader(&driver) >= 0);
    end();
}

/* It must have what the leader had when it answered, not what an APPEND from before the loss says. */
static void target_is_the_leaders_index_after_the_loss(void **state)
{
    (void)state;
    begin(0);
    driver_wipe(&driver, 2);
    driver_isolate(&driver, 2, true);
    driver_start(&driver, 2, START_AMNESIAC);
    driver_clear(&driver.network);
    const uint64_t nonce = driver.members[2].incarnation;
    const struct raft_recover_ack leader = {.nonce = nonce, .term = 1, .last = 4, .leads = 1};
    const struct raft_recover_ack other = {.nonce = nonce, .term = 1, .last = 4};
    driver_inject(&driver, 0, 2, 1, RAFT_RECOVER_ACK, &leader);
    driver_inject(&driver, 1, 2, 1, RAFT_RECOVER_ACK, &other);
    const struct raft_append late = {.term = 1, .last = 0};
    driver_inject(&driver, 0, 2, 1, RAFT_APPEND, &late);
    assert_true(recovering(2));
    assert_int_equal(driver_raft(&driver, 2)->recover_target, 4);
    driver_isolate(&driver, 2, false);
    driver_run(&driver, 100);
    assert_false(recovering(2));
    end();
}

/* A leader of a term below the highest known cannot fill it: it may have been deposed already. */
static void leader_of_a_lower_term_does_not_fill(void **state)
{
    (void)state;
    begin(0);
    driver_wipe(&driver, 2);
    driver_isolate(&driver, 2, true);
    driver_start(&driver, 2, START_AMNESIAC);
    const struct raft_recover_ack ack = {.nonce = driver.members[2].incarnation, .term = 5};
    driver_inject(&driver, 0, 2, 1, RAFT_RECOVER_ACK, &ack);
    driver_inject(&driver, 1, 2, 1, RAFT_RECOVER_ACK, &ack);
    struct raft_append append = {.term = 4, .last = 0};
    driver_inject(&driver, 0, 2, 1, RAFT_APPEND, &append);
    assert_true(recovering(2));
    append.term = 5;
    driver_inject(&driver, 1, 2, 1, RAFT_APPEND, &append);
    assert_false(recovering(2));
    end();
}

static void recovery_survives_restarts(void **state)
{
    (void)state;
    begin(0);
    driver_wipe(&driver, 2);
    driver_isolate(&driver, 2, true);
    driver_start(&driver, 2, START_AMNESIAC);
    driver_stored(&driver, 2, driver.members[2].count);
    for (uint32_t i = 0; i < 3; i++) {
        driver_crash(&driver, 2);
        driver_start(&driver, 2, START_RESTARTED);
        assert_true(recovering(2));
        driver_run(&driver, 300);
        assert_int_equal(driver_raft(&driver, 2)->role, RAFT_FOLLOWER); /* it does not campaign */
    }
    driver_isolate(&driver, 2, false);
    driver_run(&driver, 300); /* it asks again with its timer */
    assert_false(recovering(2));
    driver_crash(&driver, 2);
    driver_start(&driver, 2, START_RESTARTED);
    assert_false(recovering(2));
    end();
}

/* That promises may be lost is the first record it stores: a crash at any later record finds it. */
static void forgetting_is_stored_first(void **state)
{
    (void)state;
    begin(0);
    driver_wipe(&driver, 2);
    driver_start(&driver, 2, START_AMNESIAC);
    assert_int_equal(driver.members[2].records[0].type, RAFT_HARD_STATE);
    assert_int_equal(driver.members[2].records[0].bytes[20], RAFT_RECOVERING | RAFT_AFTER_LOSS);
    end();
}

/* Damage in the log: the good prefix stays, and the member is treated as one that forgot. */
static void damage_keeps_the_good_prefix(void **state)
{
    (void)state;
    begin(0);
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    driver_run(&driver, 30);
    uint64_t at = driver.members[2].count;
    driver_crash(&driver, 2);
    driver_damage(&driver, 2, at, at); /* the last record */
    driver_start(&driver, 2, START_RESTARTED);
    assert_true(recovering(2));
    assert_int_equal(raft_last_index(driver_raft(&driver, 2)), 4);
    driver_run(&driver, 150);
    assert_false(recovering(2));
    assert_int_equal(driver.members[2].applied, 5);
    end();
}

/* The next replay meets the same damage, and the record that says that it is known: the member goes on. Records between
 * the two, of the life before, are not believed; new damage is not excused by it. */
static void known_damage_is_not_forgetting_again(void **state)
{
    (void)state;
    begin(0);
    for (uint32_t i = 0; i < 5; i++)
        driver_update(&driver, 0, 1);
    driver_pump(&driver);
    driver_run(&driver, 30);
    assert_int_equal(raft_last_index(driver_raft(&driver, 2)), 9);
    uint64_t at = driver.members[2].count - 3;
    driver_crash(&driver, 2);
    driver_damage(&driver, 2, at, at + 1); /* two whole records follow */
    driver_start(&driver, 2, START_RESTARTED);
    assert_int_equal(raft_last_index(driver_raft(&driver, 2)), 5);
    driver_run(&driver, 150);
    assert_false(recovering(2));
    assert_int_equal(driver.members[2].applied, 9);
    driver_crash(&driver, 2);
    driver_start(&driver, 2, START_RESTARTED);
    assert_false(recovering(2));
    assert_int_equal(raft_last_index(driver_raft(&driver, 2)), 9);
    assert_int_equal(driver_raft(&driver, 2)->voted_for, 1);
    driver_crash(&driver, 2);
    driver_damage(&driver, 2, at - 1, at - 1);
    driver_start(&driver, 2, START_RESTARTED);
    assert_true(recovering(2));
    assert_int_equal(raft_last_index(driver_raft(&driver, 2)), 4);
    driver_run(&driver, 150);
    assert_false(recovering(2));
    assert_int_equal(driver.members[2].applied, 9);
    end();
}

static void restore_one(uint16_t type, uint64_t position, const void *body)
{
    driver_step_once(&driver, 0,
                     &(struct event){.kind = EVENT_RESTORE,
                                     .restore = {.kind = RESTORE_RECORD, .type = type, .position = position,
                                                 .body = body, .record_size = 36}});
}

/* What a disk returned never asserts either: records that cannot be are damage. */
static void impossible_records_are_damage(void **state)
{
    (void)state;
    const struct raft_entry good = {.term = 1, .index = 1, .count = 1};
    const struct raft_entry bad[] = {
        {.term = 1, .index = 3, .count = 1},
        {.term = 1, .index = 2, .count = 0},
        {.term = 0, .index = 2, .count = 1},
        {.term = 1, .index = UINT64_MAX, .count = 1},
        {.term = 1, .index = 2, .count = 5},
    };
    for (size_t i = 0; i <= sizeof bad / sizeof bad[0]; i++) {
        driver_create(&driver, 3, 1, 0);
        driver_start(&driver, 0, START_FIRST); /* for its memory; a second life on it follows */
        struct driver_member *member = &driver.members[0];
        size_t size = raft_protocol.heap_size(&member->spec);
        member->self = raft_protocol.create(heap_init(member->region, size), &member->spec, 1);
        const struct raft_hard_state hard = {.sequence = 1, .term = 1, .voted_for = 2};
        restore_one(RAFT_HARD_STATE, 1, &hard);
        restore_one(RAFT_ENTRY, 2, &good);
        if (i < sizeof bad / sizeof bad[0])
            restore_one(RAFT_ENTRY, 3, &bad[i]);
        else
            restore_one(RAFT_RECORD_COUNT, 3, &good);
        driver_free_records(member, 0);
        for (uint32_t at = 0; at < 3; at++)
            driver_store(member, &(struct effect_store){.position = at + 1, .head = span_of(&hard, 1)});
        driver_step(&driver, 0, (struct event){.kind = EVENT_START,
                                               .start = {.kind = START_RESTARTED, .incarnation = 2, .position = 3}});
        assert_true(recovering(0));
        assert_int_equal(raft_last_index(driver_raft(&driver, 0)), 1);
        end();
    }
}

/* Rounds and votes of one that forgot do not count: with it alone there is no majority. */
static void forgetful_member_does_not_count(void **state)
{
    (void)state;
    begin(0);
    driver_crash(&driver, 1);
    driver_wipe(&driver, 2);
    driver_start(&driver, 2, START_AMNESIAC);
    driver_pump(&driver);
    driver_update(&driver, 0, 1);
    driver_read(&driver, 0, 1);
    driver_run(&driver, 60);
    assert_int_equal(driver_raft(&driver, 0)->peers.list[2].match, 5); /* it follows, */
    assert_int_equal(raft_commit_index(driver_raft(&driver, 0)), 4); /* and does not count */
    assert_int_equal(driver.members[0].reads_done, 0);
    driver_run(&driver, 300);
    assert_int_equal(driver_leader(&driver), -1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forgetful_member_is_filled_first),
        cmocka_unit_test(forgotten_acknowledgement_does_not_lose_an_entry),
        cmocka_unit_test(everybody_must_answer),
        cmocka_unit_test(target_is_the_leaders_index_after_the_loss),
        cmocka_unit_test(leader_of_a_lower_term_does_not_fill),
        cmocka_unit_test(recovery_survives_restarts),
        cmocka_unit_test(forgetting_is_stored_first),
        cmocka_unit_test(damage_keeps_the_good_prefix),
        cmocka_unit_test(known_damage_is_not_forgetting_again),
        cmocka_unit_test(impossible_records_are_damage),
        cmocka_unit_test(forgetful_member_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
