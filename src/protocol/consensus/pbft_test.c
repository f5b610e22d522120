/* PBFT in the small host (protocol_driver.h): the normal case (Castro99, section 4.2), a silent primary (4.4), water
 * marks and checkpoints (4.3), restart from the log, and random runs with loss, doubling, reordering and crashes, in
 * which honest members must never differ. Lies are the world's matter (lab/judge/judge_pbft.c) and pbft_choose_test.c's. */
#include "base/test_seed.h"
#include "protocol/consensus/pbft_testing.h"

static void begin(uint64_t seed)
{
    begin_ablated(seed, 0);
}

static uint64_t view_of(uint32_t node)
{
    return pbft_view(driver_member(driver, node)->self);
}

static void a_request_is_executed_by_all(void **state)
{
    (void)state;
    begin(1);
    driver_request(driver, 3, 1, OP_ADD, span_string("a"));
    driver_advance(driver, 20 * NS_PER_MS);
    assert_all_have(1);
    assert_int_equal(driver_answer(driver, 3, 1)->kind, REPLY_ANSWER);
    assert_int_equal(view_of(1), 1);
}

static bool lose_of_primary(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->from == 1;
}

static void a_silent_primary_is_replaced(void **state)
{
    (void)state;
    begin(2);
    driver->lose = lose_of_primary;
    driver_request(driver, 2, 1, OP_ADD, span_string("a"));
    driver_advance(driver, 3 * NS_PER_S);
    for (uint32_t node = 2; node <= MEMBERS; node++) {
        assert_int_equal(chain_of(node).count, 1);
        assert_true(view_of(node) > 1);
    }
    driver->lose = NULL;
    driver_advance(driver, 3 * NS_PER_S);
    assert_all_have(1);
}

static bool lose_all_but_status_to_4(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->to == 4 && message->type != PBFT_STATUS;
}

static bool lose_all_but_status_of_2_to_4(struct driver *of, const struct driver_message *message)
{
    return lose_all_but_status_to_4(of, message) || (message->to == 4 && message->from != 2);
}

static uint64_t lag_of(uint32_t node)
{
    struct member_status status;
    pbft_protocol.status(driver_member(driver, node)->self, &status);
    assert_true(status.commit_index >= status.applied_index);
    return status.commit_index - status.applied_index;
}

/* A member that hears how far the others are, and cannot follow, says that it lags; the word of one, who may lie, is not
 * enough. */
static void who_is_behind_says_so(void **state)
{
    (void)state;
    begin(3);
    driver->lose = lose_all_but_status_of_2_to_4;
    for (uint64_t number = 1; number <= 5; number++) {
        driver_request(driver, 2, number, OP_ADD, span_string("a"));
        driver_advance(driver, 20 * NS_PER_MS);
    }
    driver_advance(driver, 200 * NS_PER_MS);
    assert_int_equal(lag_of(4), 0);
    driver->lose = lose_all_but_status_to_4;
    driver_advance(driver, 200 * NS_PER_MS);
    assert_int_equal(chain_of(4).count, 0);
    assert_int_equal(lag_of(4), 5);
    assert_int_equal(lag_of(1), 0);
    driver->lose = NULL;
    driver_advance(driver, 3 * NS_PER_S);
    assert_all_have(5);
    assert_int_equal(lag_of(4), 0);
}

static bool lose_proposals_of_1(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->from == 1 && message->type == PBFT_PRE_PREPARE;
}

/* The primary orders nothing, and says in its VIEW-CHANGE that it prepared what lies beyond the window of all others. */
static void a_liar_cannot_keep_a_view_from_beginning(void **state)
{
    (void)state;
    struct tuning tuning;
    spec_defaults(&tuning);
    tuning.checkpoint_interval = 8;
    driver_init_tuned(driver, heap_init(region, REGION_SIZE), &pbft_protocol, &service, MEMBERS, 0, 1, &tuning);
    struct pbft *liar = driver_member(driver, 1)->self;
    liar->stable.number = liar->marks[0].number = 8;
    pbft_slot(liar, 8 + liar->window)->prepared = (struct pbft_say){1, {{1, 1, 1, 1}, 1}};
    liar->peers[1].change.view = liar->peers[2].change.view = 2; /* so it is the first to ask for view 2 */
    driver->lose = lose_proposals_of_1;
    driver_advance(driver, 200 * NS_PER_MS);
    assert_int_equal(view_of(1), 2);
    assert_int_equal(view_of(2), 1);
    driver_request(driver, 2, 1, OP_ADD, span_string("a"));
    driver_advance(driver, 3 * NS_PER_S);
    for (uint32_t node = 2; node <= MEMBERS; node++)
        assert_int_equal(chain_of(node).count, 1);
}

/* COMMITs reach member 2 alone, which executes; what it executed must survive a view change without it. */
static bool lose_commits(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return (message->type == PBFT_COMMIT || message->type == PBFT_COMMITTED) && message->to != 2;
}

static bool lose_two(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->from == 2 || message->to == 2;
}

static void what_one_member_executed_is_kept(void **state)
{
    (void)state;
    begin(3);
    driver->lose = lose_commits;
    driver_request(driver, 2, 1, OP_ADD, span_string("a"));
    driver_advance(driver, 40 * NS_PER_MS);
    assert_int_equal(chain_of(2).count, 1);
    assert_int_equal(chain_of(3).count, 0);
    driver->lose = lose_two;
    driver_request(driver, 3, 1, OP_ADD, span_string("b"));
    driver_advance(driver, 6 * NS_PER_S);
    driver->lose = NULL;
    driver_advance(driver, 6 * NS_PER_S);
    assert_all_have(2);
}

static void the_log_survives_a_restart_of_all(void **state)
{
    (void)state;
    begin(4);
    driver_request(driver, 1, 1, OP_ADD, span_string("a"));
    driver_advance(driver, 20 * NS_PER_MS);
    for (uint32_t node = 1; node <= MEMBERS; node++) {
        driver_crash(driver, node);
        driver_restart(driver, node, START_RESTARTED);
    }
    driver_advance(driver, 6 * NS_PER_S);
    driver_request(driver, 1, 2, OP_ADD, span_string("b"));
    driver_advance(driver, 6 * NS_PER_S);
    assert_all_have(2);
}

/* Member 4 sends to all a request that member 3 never made. */
static void forge_request(void)
{
    struct buffer bundle;
    buffer_init(&bundle, driver->heap);
    assert_true(bundle_begin(&bundle));
    size_t at = command_begin(&bundle, OP_ADD, 0, 1);
    assert_true(command_argument(&bundle, span_string("forged")));
    command_end(&bundle, at);
    const struct bundle header = {.node = 3,
                                  .count = 1,
                                  .incarnation = driver_member(driver, 3)->incarnation,
                                  .first_number = 1,
                                  .first_incomplete = 1,
                                  .level = COMMAND_LEVEL};
    bundle_header_write(bundle.data, &header);
    for (uint32_t to = 1; to <= 3; to++) {
        uint8_t *bytes = heap_alloc(driver->heap, 4 + bundle.size);
        assert_non_null(bytes);
        store_u32(bytes, (uint32_t)bundle.size);
        memcpy(bytes + 4, bundle.data, bundle.size);
        driver->messages[driver->message_count++] = (struct driver_message){
            .from = 4, .to = to, .incarnation = driver_member(driver, 4)->incarnation, .type = PBFT_REQUEST,
            .bytes = {bytes, 4 + bundle.size}};
    }
    buffer_free(&bundle);
}

/* Castro99, section 4.2: a request bears its client's proof. */
static void nobody_asks_in_anothers_name(void **state)
{
    (void)state;
    begin(5);
    forge_request();
    driver_advance(driver, NS_PER_S);
    assert_all_have(0);
    begin_ablated(5, PBFT_ABLATION_REQUEST_UNPROVEN);
    forge_request();
    driver_advance(driver, NS_PER_S);
    assert_int_equal(chain_of(1).count, 1); /* what the rule prevents */
}

static uint32_t votes_seen;
static bool count_votes(struct driver *of, const struct driver_message *message)
{
    (void)of;
    votes_seen += message->type == PBFT_PREPARE || message->type == PBFT_COMMIT;
    return false;
}

/* What is promised is on disk before it is said: with disks that never finish nobody votes. */
static void votes_wait_for_their_records(void **state)
{
    (void)state;
    for (uint32_t broken = 0; broken <= 1; broken++) {
        begin_ablated(6, broken != 0 ? PBFT_ABLATION_NOT_STORED : 0);
        driver->manual_sync = true;
        driver->lose = count_votes;
        votes_seen = 0;
        driver_request(driver, 1, 1, OP_ADD, span_string("a"));
        driver_advance(driver, 50 * NS_PER_MS);
        assert_int_equal(votes_seen > 0, broken);
    }
}

/* PBFT-2, PBFT-3: whatever gets lost, members that executed as much have the same state. */
static void random_runs_agree(void **state)
{
    (void)state;
    uint64_t seed = test_seed("pbft_test"), executed = 0;
    for (uint64_t run = 0; run < 12; run++) {
        begin(seed + run);
        driver->loss = 5;
        driver->duplication = 5;
        for (uint32_t round = 0; round < 30; round++) {
            uint32_t node = 1 + round % MEMBERS;
            driver_request(driver, node, 1 + round / MEMBERS, OP_ADD, span_string("x"));
            driver_run_random(driver, 60);
            if (round % 7 == 6) {
                driver_crash(driver, node);
                driver_restart(driver, node, START_RESTARTED);
            }
        }
        driver->loss = driver->duplication = 0;
        driver_advance(driver, 10 * NS_PER_S);
        assert_null(driver->failed);
        for (uint32_t node = 2; node <= MEMBERS; node++)
            assert_int_equal(chain_of(node).digest, chain_of(1).digest);
        executed += chain_of(1).count;
    }
    assert_true(executed > 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_executed_by_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_primary_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_behind_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_liar_cannot_keep_a_view_from_beginning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_one_member_executed_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_log_survives_a_restart_of_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_asks_in_anothers_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(votes_wait_for_their_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_runs_agree, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
