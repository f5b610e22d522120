/* Two-phase commit: each rule of DC-2 and DC-3 by a schedule that would show its absence, then random runs with loss,
 * doubling, reordering and crashes, with AC1 to AC3 checked across members after every turn; and the same runs with
 * each rule switched off, which must be noticed. */
#include "protocol/commit/two_phase_commit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "protocol/commit/two_phase_commit_table.h"
#include "protocol/protocol_driver.h"

enum { OP_ADD = 30, REGION_SIZE = 32 << 20 };

/* The service: a chain over the arguments applied, so that another order or another set shows. An argument "!n" is an
 * error at node n when it is asked as read. */
struct chain {
    uint64_t count, digest;
};

static void deliver(struct driver *driver, uint32_t node, void *state, bool read, const struct command *command,
                    struct buffer *answer)
{
    (void)driver;
    struct chain *chain = state;
    struct span rest = command->arguments, argument = {0};
    argument_next(&rest, &argument);
    if (argument.size == 2 && argument.data[0] == '!' && argument.data[1] == '0' + node) {
        buffer_append(answer, "-ERR not here\r\n", 15);
        return;
    }
    if (!read) {
        chain->count++;
        for (size_t i = 0; i < argument.size; i++)
            chain->digest = chain->digest * 31 + argument.data[i];
    }
    buffer_append(answer, "+OK\r\n", 5);
}

static const struct driver_service service = {.state_size = sizeof(struct chain), .deliver = deliver};
static struct driver *driver;
static void *region;

static void begin(uint32_t members, uint32_t ablations, uint64_t seed)
{
    driver_init(driver, heap_init(region, REGION_SIZE), &two_phase_commit_protocol, &service, members, ablations, seed);
}

static int set_up(void **state)
{
    (void)state;
    driver = malloc(sizeof *driver);
    region = aligned_alloc(HEAP_ALIGNMENT, REGION_SIZE);
    return driver == NULL || region == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    free(driver);
    free(region);
    return 0;
}

static void add(uint32_t node, uint64_t number, const char *text)
{
    driver_request(driver, node, number, OP_ADD, span_string(text));
}

static struct chain chain_of(uint32_t node)
{
    struct chain chain;
    memcpy(&chain, driver_member(driver, node)->state, sizeof chain);
    return chain;
}

static void *member(uint32_t node)
{
    return driver_member(driver, node)->self;
}

static enum transaction_state state_of(uint32_t node, uint32_t coordinator, uint64_t sequence)
{
    return two_phase_commit_state(member(node),
                                  (struct transaction_id){.node = coordinator, .incarnation = 1, .sequence = sequence});
}

static uint32_t in_network(uint16_t type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < driver->message_count; i++)
        count += driver->messages[i].type == type;
    return count;
}

/* AC1 and AC3 over all members, as far as they remember. A member that is down is looked at too: its state is that of
 * its last step. */
static const char *across(void)
{
    for (uint32_t coordinator = 1; coordinator <= driver->member_count; coordinator++) {
        for (uint32_t node = 1; node <= driver->member_count; node++) {
            struct transaction_id id;
            if (!two_phase_commit_newest(member(node), coordinator, &id))
                continue;
            if (two_phase_commit_state(member(node), id) != TRANSACTION_COMMIT)
                continue;
            for (uint32_t other = 1; other <= driver->member_count; other++) {
                enum transaction_state state = two_phase_commit_state(member(other), id);
                if (state == TRANSACTION_ABORT)
                    return "AC1 one committed and one aborted";
                if (state == TRANSACTION_INIT)
                    return "AC3 committed without a vote";
            }
        }
    }
    return NULL;
}

static void assert_agreed(void)
{
    assert_null(driver->failed);
    assert_null(across());
    for (uint32_t node = 2; node <= driver->member_count; node++) {
        assert_int_equal(chain_of(node).count, chain_of(1).count);
        assert_int_equal(chain_of(node).digest, chain_of(1).digest);
    }
}

/* ---- DC-2 ---- */

static void all_yes_commits_everywhere(void **state) /* AC4 */
{
    (void)state;
    begin(3, 0, 1);
    add(2, 1, "a");
    assert_true(driver_settle(driver));
    assert_agreed();
    assert_int_equal(chain_of(1).count, 1);
    for (uint32_t node = 1; node <= 3; node++)
        assert_int_equal(state_of(node, 2, 1), TRANSACTION_COMMIT);
    const struct driver_answer *answer = driver_answer(driver, 2, 1);
    assert_non_null(answer);
    assert_int_equal(answer->kind, REPLY_ANSWER);
    assert_string_equal(answer->text, "+OK\r\n");
}

static void one_no_aborts_everywhere(void **state) /* AC3 */
{
    (void)state;
    begin(3, 0, 1);
    add(1, 1, "!3");
    assert_true(driver_settle(driver));
    assert_agreed();
    assert_int_equal(chain_of(1).count, 0);
    const struct driver_answer *answer = driver_answer(driver, 1, 1);
    assert_non_null(answer);
    assert_int_equal(answer->kind, REPLY_REFUSED);
    assert_string_equal(answer->text, "ABORTED transaction 1.1.1: a participant voted no: ERR not here");
    add(1, 2, "b"); /* and the next one goes on */
    assert_true(driver_settle(driver));
    assert_int_equal(chain_of(3).count, 1);
}

static void single_member_commits(void **state)
{
    (void)state;
    begin(1, 0, 1);
    add(1, 1, "a");
    assert_true(driver_settle(driver));
    assert_int_equal(chain_of(1).count, 1);
}

static bool to_arrive(uint16_t type)
{
    for (uint32_t i = 0; i < driver->message_count; i++)
        if (driver->messages[i].type == type && driver->messages[i].after == 0)
            return true;
    return false;
}

static void vote_waits_for_ready(void **state) /* L1 */
{
    (void)state;
    begin(2, 0, 1);
    driver->manual_sync = true;
    add(1, 1, "a");
    driver_turn(driver, 1, 8);
    assert_int_equal(in_network(TPC_VOTE_REQUEST), 2);
    driver_turn(driver, 2, 8);
    assert_int_equal(in_network(TPC_VOTE_REQUEST), 2); /* START is not stored yet */
    driver_sync(driver, 1);
    driver_turn(driver, 2, 8);
    driver_turn(driver, 2, 8); /* the service's answer */
    assert_int_equal(state_of(2, 1, 1), TRANSACTION_READY);
    assert_int_equal(in_network(TPC_VOTE_COMMIT), 1);
    assert_false(to_arrive(TPC_VOTE_COMMIT));
    driver_crash(driver, 2);
    assert_int_equal(in_network(TPC_VOTE_COMMIT), 0);
}

static void decision_is_stored_before_it_is_sent(void **state) /* L2, III.4 (a) */
{
    (void)state;
    begin(2, 0, 1);
    add(1, 1, "a");
    for (int i = 0; i < 3; i++) {
        driver_turn(driver, 1, 8);
        driver_turn(driver, 2, 8);
    }
    struct transaction_id id;
    driver->manual_sync = true;
    while (two_phase_commit_decision(member(1), &id) == TRANSACTION_INIT) {
        driver_sync(driver, 2);
        driver_turn(driver, 1, 1);
        driver_turn(driver, 2, 1);
        if (two_phase_commit_decision(member(1), &id) == TRANSACTION_INIT)
            driver_sync(driver, 1);
    }
    assert_int_equal(two_phase_commit_decision(member(1), &id), TRANSACTION_COMMIT);
    assert_false(to_arrive(TPC_GLOBAL_COMMIT));
    driver_crash(driver, 1);
    driver->manual_sync = false;
    driver_restart(driver, 1, START_RESTARTED);
    assert_int_equal(two_phase_commit_decision(member(1), &id), TRANSACTION_ABORT); /* Correction 3 */
    driver_advance(driver, NS_PER_S);
    assert_int_equal(state_of(2, 1, 1), TRANSACTION_ABORT);
    assert_agreed();
}

static bool lose_type_to_3(struct driver *of, const struct driver_message *message)
{
    return message->to == 3 && message->type == *(uint16_t *)of->context;
}

static void coordinator_forgets_only_after_all_acks(void **state) /* L4, III.4 (d) */
{
    (void)state;
    begin(3, 0, 1);
    uint16_t lost = TPC_GLOBAL_COMMIT;
    driver->context = &lost;
    driver->lose = lose_type_to_3;
    add(1, 1, "a");
    assert_true(driver_settle(driver));
    struct transaction_id id;
    assert_int_equal(two_phase_commit_decision(member(1), &id), TRANSACTION_COMMIT);
    driver_crash(driver, 1);
    driver_restart(driver, 1, START_RESTARTED);
    assert_int_equal(two_phase_commit_decision(member(1), &id), TRANSACTION_COMMIT);
    driver->lose = NULL;
    driver_advance(driver, NS_PER_S);
    assert_int_equal(state_of(3, 1, 1), TRANSACTION_COMMIT);
    assert_int_equal(two_phase_commit_decision(member(1), &id), TRANSACTION_INIT); /* ended */
    assert_agreed();
}

static void missing_votes_abort(void **state) /* WAIT -> abort */
{
    (void)state;
    begin(3, 0, 1);
    driver_crash(driver, 3);
    add(1, 1, "a");
    driver_advance(driver, NS_PER_S);
    const struct driver_answer *answer = driver_answer(driver, 1, 1);
    assert_non_null(answer);
    assert_string_equal(answer->text, "ABORTED transaction 1.1.1: not all votes came in time");
    driver_restart(driver, 3, START_RESTARTED);
    driver_advance(driver, NS_PER_S);
    assert_int_equal(state_of(3, 1, 1), TRANSACTION_ABORT);
    assert_agreed();
}

/* ---- DC-3 ---- */

/* Node 2 is READY, the VOTE_REQUEST to node 3 is delayed, the coordinator pauses, and 2 asks 3. */
static void run_init_schedule(void)
{
    add(1, 1, "a");
    driver_turn(driver, 1, 8);
    driver_turn(driver, 1, 8);
    driver_turn(driver, 1, 8);
    for (int i = 0; i < 3; i++)
        driver_turn(driver, 2, 8);
    assert_int_equal(state_of(2, 1, 1), TRANSACTION_READY);
    struct driver_message delayed = {0};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < driver->message_count; i++) {
        if (driver->messages[i].to == 3)
            delayed = driver->messages[i];
        else
            driver->messages[kept++] = driver->messages[i];
    }
    assert_int_equal(driver->message_count, kept + 1);
    driver->message_count = kept;
    int64_t before_ns = driver->now_ns;
    driver->now_ns += NS_PER_S; /* 2's patience ends */
    for (int i = 0; i < 3; i++) {
        driver_turn(driver, 2, 8);
        driver_turn(driver, 3, 8);
    }
    driver->now_ns = before_ns; /* as the coordinator, whose clock is behind, sees it */
    driver->messages[driver->message_count++] = delayed;
    for (int i = 0; i < 6; i++) {
        driver_turn(driver, 3, 8);
        driver_turn(driver, 1, 8);
        driver_turn(driver, 2, 8);
    }
}

static void who_is_init_moves_to_abort_before_it_answers(void **state) /* Correction 1, III.4 (c) */
{
    (void)state;
    begin(3, 0, 1);
    run_init_schedule();
    for (uint32_t node = 1; node <= 3; node++)
        assert_int_equal(state_of(node, 1, 1), TRANSACTION_ABORT);
    assert_agreed();
}

static void lectures_init_answer_violates_ac1(void **state) /* and is noticed */
{
    (void)state;
    begin(3, ABLATION_PROTOCOL_FIRST << TPC_INIT_ANSWERS_ABORT_WITHOUT_MOVING, 1);
    run_init_schedule();
    assert_true(driver->failed != NULL || across() != NULL);
}

/* Both others are READY, and the coordinator has not heard of it. */
static void run_until_all_ready(void)
{
    add(1, 1, "a");
    driver_turn(driver, 1, 8);
    driver_turn(driver, 1, 0); /* START is stored, so its requests may leave */
    for (int i = 0; i < 2; i++) {
        driver_turn(driver, 2, 8);
        driver_turn(driver, 3, 8);
    }
    assert_int_equal(state_of(2, 1, 1), TRANSACTION_READY);
    assert_int_equal(state_of(3, 1, 1), TRANSACTION_READY);
}

static void all_ready_without_coordinator_is_blocked(void **state)
{
    (void)state;
    begin(3, 0, 1);
    run_until_all_ready();
    driver_crash(driver, 1);
    driver_advance(driver, 10 * NS_PER_S);
    assert_int_equal(state_of(2, 1, 1), TRANSACTION_READY); /* never decides alone */
    assert_int_equal(state_of(3, 1, 1), TRANSACTION_READY);
    assert_true(two_phase_commit_blocked(member(2)));
    assert_true(two_phase_commit_blocked(member(3)));
    driver_crash(driver, 2);
    driver_restart(driver, 2, START_RESTARTED); /* recovery in READY does not choose */
    driver_advance(driver, NS_PER_S);
    assert_int_equal(state_of(2, 1, 1), TRANSACTION_READY);
    driver_restart(driver, 1, START_RESTARTED); /* AC5 */
    driver_advance(driver, 2 * NS_PER_S);
    assert_false(two_phase_commit_blocked(member(2)));
    assert_int_equal(state_of(2, 1, 1), TRANSACTION_ABORT);
    assert_int_equal(state_of(3, 1, 1), TRANSACTION_ABORT);
    assert_agreed();
}

static bool lose_global_commit(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->type == TPC_GLOBAL_COMMIT && message->from != message->to;
}

static void coordinator_is_asked_too(void **state) /* Correction 2, III.4 (f) */
{
    (void)state;
    begin(3, 0, 1);
    driver->lose = lose_global_commit;
    add(1, 1, "a");
    driver_advance(driver, 2 * NS_PER_S);
    for (uint32_t node = 1; node <= 3; node++)
        assert_int_equal(state_of(node, 1, 1), TRANSACTION_COMMIT);
    assert_agreed();

    /* As the lectures list it, everybody blocks beside a coordinator that is alive and knows. */
    begin(3, ABLATION_PROTOCOL_FIRST << TPC_ASK_PARTICIPANTS_ONLY, 1);
    driver->lose = lose_global_commit;
    add(1, 1, "a");
    driver_advance(driver, 2 * NS_PER_S);
    assert_int_equal(state_of(1, 1, 1), TRANSACTION_COMMIT);
    assert_true(two_phase_commit_blocked(member(2)));
    assert_true(two_phase_commit_blocked(member(3)));
}

/* ---- the rest ---- */

static void transactions_that_meet_abort_and_none_hangs(void **state)
{
    (void)state;
    begin(3, 0, 1);
    for (uint64_t i = 1; i <= 10; i++)
        for (uint32_t node = 1; node <= 3; node++)
            add(node, i, "abc");
    driver_advance(driver, 5 * NS_PER_S);
    for (uint64_t i = 1; i <= 10; i++)
        for (uint32_t node = 1; node <= 3; node++)
            assert_non_null(driver_answer(driver, node, i));
    assert_true(chain_of(1).count > 0);
    assert_agreed();
}

static void queue_is_bounded(void **state)
{
    (void)state;
    begin(2, 0, 1);
    driver_crash(driver, 2);
    for (uint64_t i = 1; i <= TWO_PHASE_COMMIT_QUEUE_MAX + 3; i++)
        add(1, i, "a");
    driver_turn(driver, 1, 8);
    const struct driver_answer *answer = driver_answer(driver, 1, TWO_PHASE_COMMIT_QUEUE_MAX + 3);
    assert_non_null(answer);
    assert_int_equal(answer->kind, REPLY_REFUSED);
    assert_null(driver_answer(driver, 1, 1));
}

static void handing_in_again_is_not_a_second_request(void **state)
{
    (void)state;
    begin(2, 0, 1);
    add(1, 1, "a");
    add(1, 1, "a"); /* while the first is queued */
    assert_true(driver_settle(driver));
    add(1, 1, "a"); /* after it was answered */
    assert_true(driver_settle(driver));
    assert_int_equal(chain_of(1).count, 1);
    assert_int_equal(driver->answer_count, 1); /* and neither was refused */
    add(1, 2, "!1");
    assert_true(driver_settle(driver));
    add(1, 2, "b"); /* refused means: certainly never */
    assert_true(driver_settle(driver));
    assert_int_equal(chain_of(1).count, 1);
}

static void checkpoint_and_log_give_the_state_back(void **state) /* AC-D */
{
    (void)state;
    begin(2, 0, 1);
    for (uint64_t i = 1; i <= 150; i++) {
        add(1 + i % 2, i, i % 7 == 0 ? "!2" : "xy");
        assert_true(driver_settle(driver));
    }
    struct chain before = chain_of(1);
    assert_true(before.count > 100);
    assert_true(driver_member(driver, 1)->checkpoints > 0);
    for (uint32_t node = 1; node <= 2; node++) {
        driver_crash(driver, node);
        driver_restart(driver, node, START_RESTARTED);
    }
    driver_advance(driver, NS_PER_S);
    assert_int_equal(chain_of(1).count, before.count);
    assert_int_equal(chain_of(1).digest, before.digest);
    assert_agreed();
    add(1, 151, "z");
    assert_true(driver_settle(driver));
    assert_int_equal(chain_of(2).count, before.count + 1);
}

static void aborts_bring_a_checkpoint_too(void **state)
{
    (void)state;
    begin(1, 0, 1);
    for (uint64_t i = 1; i <= 200; i++) {
        add(1, i, "!1");
        assert_true(driver_settle(driver));
    }
    assert_int_equal(chain_of(1).count, 0);
    assert_true(driver_member(driver, 1)->checkpoints > 0);
    driver_crash(driver, 1);
    driver_restart(driver, 1, START_RESTARTED);
    add(1, 1, "a");
    assert_true(driver_settle(driver));
    assert_int_equal(state_of(1, 1, 201), TRANSACTION_COMMIT); /* numbers go on where they were */
}

static void full_log_stores_nothing_new(void **state)
{
    (void)state;
    begin(3, 0, 1);
    driver_member(driver, 3)->full = true;
    assert_true(driver_settle(driver));
    add(1, 1, "a");
    add(3, 1, "b");
    driver_advance(driver, NS_PER_S);
    assert_int_equal(driver_member(driver, 3)->record_count, 0);
    assert_int_equal(driver_answer(driver, 1, 1)->kind, REPLY_REFUSED);
    assert_int_equal(driver_answer(driver, 3, 1)->kind, REPLY_REFUSED);
    driver_member(driver, 3)->full = false;
    driver_advance(driver, NS_PER_S); /* it hears of the abort, and the coordinator goes on */
    add(1, 2, "c");
    driver_advance(driver, NS_PER_S);
    assert_int_equal(chain_of(3).count, 1);
    assert_agreed();
}

static void amnesiac_takes_no_part(void **state)
{
    (void)state;
    begin(2, 0, 1);
    driver_crash(driver, 2);
    driver_restart(driver, 2, START_AMNESIAC);
    add(1, 1, "a");
    add(2, 1, "a");
    driver_advance(driver, NS_PER_S);
    assert_int_equal(chain_of(1).count, 0);
    assert_int_equal(driver_answer(driver, 1, 1)->kind, REPLY_REFUSED);
    assert_int_equal(driver_answer(driver, 2, 1)->kind, REPLY_REFUSED);
    struct member_status status;
    two_phase_commit_protocol.status(member(2), &status);
    assert_false(status.voter);
}

static void malformed_bundle_is_refused(void **state)
{
    (void)state;
    begin(1, 0, 1);
    add(1, 1, "a");
    struct driver_member *one = driver_member(driver, 1);
    one->inputs[0].bytes.size--;
    driver_turn(driver, 1, 8);
    assert_int_equal(driver_answer(driver, 1, 1)->kind, REPLY_REFUSED);
    one->inputs[0].bytes.size++;
}

/* A random run with faults and then without; returns what was violated, or NULL. */
static const char *random_run(uint32_t ablations, uint64_t seed)
{
    begin(3, ablations, seed);
    driver->loss = 5;
    driver->duplication = 5;
    driver->manual_sync = true;
    uint64_t numbers[4] = {0};
    for (int i = 0; i < 400; i++) {
        uint32_t node = 1 + (uint32_t)random_below(&driver->random, 3);
        bool up = driver_member(driver, node)->up;
        if (random_chance(&driver->random, 1, 30)) {
            if (up)
                driver_crash(driver, node);
            else
                driver_restart(driver, node, START_RESTARTED);
        } else if (up && driver->answer_count < 200 && random_chance(&driver->random, 1, 6)) {
            add(node, ++numbers[node], random_chance(&driver->random, 1, 8) ? "!2" : "k");
        }
        driver_run_random(driver, 3);
        if (driver->failed != NULL || across() != NULL)
            return driver->failed != NULL ? driver->failed : across();
    }
    driver->manual_sync = false;
    for (uint32_t node = 1; node <= 3; node++)
        if (!driver_member(driver, node)->up)
            driver_restart(driver, node, START_RESTARTED);
    driver_advance(driver, 60 * NS_PER_S);
    if (driver->failed != NULL || across() != NULL)
        return driver->failed != NULL ? driver->failed : across();
    for (uint32_t node = 1; node <= 3; node++) {
        if (chain_of(node).count != chain_of(1).count || chain_of(node).digest != chain_of(1).digest)
            return "AC1 states differ";
        struct member_status status;
        two_phase_commit_protocol.status(member(node), &status);
        if (two_phase_commit_blocked(member(node)))
            return "AC5 blocked after healing";
    }
    return NULL;
}

static void random_runs_keep_every_promise(void **state)
{
    (void)state;
    uint64_t committed = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        const char *wrong = random_run(0, seed);
        if (wrong != NULL)
            fail_msg("seed %llu: %s (node %u)", (unsigned long long)seed, wrong, driver->failed_node);
        committed += chain_of(1).count;
    }
    print_message("seeds 1 to 40: %llu commits\n", (unsigned long long)committed);
    assert_true(committed > 40);
}

static void each_rule_switched_off_is_noticed(void **state)
{
    (void)state;
    static const enum two_phase_commit_ablation rules[] = {
        TPC_VOTE_BEFORE_READY_STORED, TPC_DECIDE_ALONE, TPC_SEND_BEFORE_DECISION_STORED, TPC_FORGET_BEFORE_ALL_ACKS};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const char *wrong = NULL;
        uint64_t seed = 0;
        while (wrong == NULL && seed < 300)
            wrong = random_run((uint32_t)ABLATION_PROTOCOL_FIRST << rules[i], ++seed);
        if (wrong == NULL)
            fail_msg("%s was not noticed in 300 runs", two_phase_commit_protocol.ablations[rules[i]]);
        print_message("%s: seed %llu: %s\n", two_phase_commit_protocol.ablations[rules[i]], (unsigned long long)seed,
                      wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_yes_commits_everywhere),
        cmocka_unit_test(one_no_aborts_everywhere),
        cmocka_unit_test(single_member_commits),
        cmocka_unit_test(vote_waits_for_ready),
        cmocka_unit_test(decision_is_stored_before_it_is_sent),
        cmocka_unit_test(coordinator_forgets_only_after_all_acks),
        cmocka_unit_test(missing_votes_abort),
        cmocka_unit_test(who_is_init_moves_to_abort_before_it_answers),
        cmocka_unit_test(lectures_init_answer_violates_ac1),
        cmocka_unit_test(all_ready_without_coordinator_is_blocked),
        cmocka_unit_test(coordinator_is_asked_too),
        cmocka_unit_test(transactions_that_meet_abort_and_none_hangs),
        cmocka_unit_test(queue_is_bounded),
        cmocka_unit_test(handing_in_again_is_not_a_second_request),
        cmocka_unit_test(checkpoint_and_log_give_the_state_back),
        cmocka_unit_test(aborts_bring_a_checkpoint_too),
        cmocka_unit_test(full_log_stores_nothing_new),
        cmocka_unit_test(amnesiac_takes_no_part),
        cmocka_unit_test(malformed_bundle_is_refused),
        cmocka_unit_test(random_runs_keep_every_promise),
        cmocka_unit_test(each_rule_switched_off_is_noticed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
