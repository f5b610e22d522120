/* Chandy-Lamport snapshots over an application that passes tokens: the rules by small schedules, then random networks
 * with CL-1 to CL-3 checked across members, then the same with each rule switched off, which must be noticed. */
#include "protocol/recover/chandy_lamport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "contract/reply.h"
#include "protocol/protocol_driver.h"

enum { OP_PASS = 30, OP_HELD = 31, REGION_SIZE = 128 << 20, TOKENS = 12 };

struct tokens {
    int64_t held;
    uint64_t deliveries;
};

static uint32_t other_of(const struct driver *driver, uint32_t node, uint64_t turn)
{
    return 1 + (node - 1 + 1 + (uint32_t)(turn % (driver->member_count - 1))) % driver->member_count;
}

/* Who gets a token passes one on; now and then it keeps one, or passes two. */
static void deliver(struct driver *driver, uint32_t node, void *state, bool read, const struct command *command,
                    struct buffer *answer)
{
    struct tokens *tokens = state;
    if (command->op == OP_PASS && !read) {
        tokens->held++;
        tokens->deliveries++;
        uint64_t passes = tokens->deliveries % 5 == 0 && tokens->held == 1 ? 0 : 1;
        if (tokens->deliveries % 3 == 0 && tokens->held > 1)
            passes = 2;
        for (uint64_t i = 0; i < passes; i++, tokens->held--)
            driver_call(driver, node, other_of(driver, node, tokens->deliveries + i), OP_PASS, span_string("t"));
    }
    reply_integer(answer, tokens->held);
}

static const struct driver_service service = {.state_size = sizeof(struct tokens), .deliver = deliver};
static struct driver *driver;
static void *region;

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

static struct tokens *tokens_of(uint32_t node)
{
    return (struct tokens *)(void *)driver_member(driver, node)->state;
}

static void begin(uint32_t members, uint32_t ablations, uint64_t seed)
{
    driver_init(driver, heap_init(region, REGION_SIZE), &chandy_lamport_protocol, &service, members, ablations, seed);
    tokens_of(1)->held = TOKENS;
    for (uint32_t i = 0; i < 8 && members > 1; i++, tokens_of(1)->held--)
        driver_call(driver, 1, other_of(driver, 1, i), OP_PASS, span_string("t"));
}

static struct chandy_lamport_cut cut_of(uint32_t node, uint32_t initiator)
{
    struct chandy_lamport_cut cut = {0};
    if (!chandy_lamport_cut(driver_member(driver, node)->self, initiator, &cut))
        cut.number = 0;
    return cut;
}

/* The number in a RESP3 integer. */
static int64_t integer(struct span answer)
{
    int64_t value = 0;
    for (size_t i = 1; i < answer.size && answer.data[i] >= '0' && answer.data[i] <= '9'; i++)
        value = value * 10 + (answer.data[i] - '0');
    return answer.size > 0 && answer.data[0] == ':' ? value : -1;
}

/* CL-1, CL-2 and CL-3 of the newest snapshot of an initiator, if all members have completed it. */
static const char *across(uint32_t initiator, bool *complete)
{
    struct chandy_lamport_cut cuts[DRIVER_MEMBERS_MAX];
    int64_t tokens = 0;
    bool asked = true;
    *complete = false;
    for (uint32_t i = 0; i < driver->member_count; i++) {
        cuts[i] = cut_of(i + 1, initiator);
        if (cuts[i].number == 0 || !cuts[i].complete || cuts[i].number != cuts[0].number)
            return NULL;
        asked = asked && cuts[i].answer.size > 0;
        tokens += integer(cuts[i].answer);
    }
    *complete = true;
    for (uint32_t to = 0; to < driver->member_count; to++) {
        for (uint32_t from = 0; from < driver->member_count; from++) {
            if (cuts[to].highest[from] > cuts[from].sent[to])
                return "CL-1 an orphan: received before the cut, sent after it";
            if (cuts[to].recorded[from] != cuts[from].sent[to] - cuts[to].received[from])
                return "CL-2 the channel's state is not what was under way";
            tokens += (int64_t)cuts[to].recorded[from];
        }
    }
    return asked && tokens != TOKENS ? "CL-3 tokens were made or lost" : NULL;
}

static void ask(uint32_t node, uint64_t number)
{
    driver_request(driver, node, number, OP_HELD, span_string("?"));
}

static void run_quietly(uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        driver->now_ns += NS_PER_MS;
        for (uint32_t node = 1; node <= driver->member_count; node++)
            driver_turn(driver, node, 3);
    }
}

static void snapshot_finds_every_token(void **state) /* CL-1 to CL-3 */
{
    (void)state;
    begin(3, 0, 1);
    run_quietly(20);
    ask(2, 1);
    run_quietly(60);
    bool complete;
    assert_null(across(2, &complete));
    assert_true(complete);
    assert_null(driver->failed);
    assert_int_equal(chandy_lamport_completed(driver_member(driver, 2)->self), 1);
    uint64_t recorded = 0;
    for (uint32_t node = 1; node <= 3; node++) {
        assert_int_equal(driver_member(driver, node)->checkpoints, 1);
        for (uint32_t from = 0; from < 3; from++)
            recorded += cut_of(node, 2).recorded[from];
    }
    assert_true(recorded > 0); /* else this test shows little */
}

static void client_gets_states_and_channels(void **state)
{
    (void)state;
    begin(1, 0, 1);
    ask(1, 7);
    run_quietly(20);
    const struct driver_answer *answer = driver_answer(driver, 1, 7);
    assert_non_null(answer);
    assert_int_equal(answer->kind, REPLY_ANSWER);
    assert_string_equal(answer->text, "*1\r\n*4\r\n:1\r\n:0\r\n:12\r\n*0\r\n");
}

static void second_question_finds_the_member_busy(void **state)
{
    (void)state;
    begin(3, 0, 1);
    ask(1, 1);
    ask(1, 2);
    run_quietly(60);
    assert_int_equal(driver_answer(driver, 1, 1)->kind, REPLY_ANSWER);
    assert_int_equal(driver_answer(driver, 1, 2)->kind, REPLY_REFUSED);
    ask(1, 3);
    run_quietly(60);
    assert_int_equal(driver_answer(driver, 1, 3)->kind, REPLY_ANSWER);
}

static void handing_in_again_is_not_a_second_question(void **state)
{
    (void)state;
    begin(3, 0, 1);
    ask(1, 1);
    ask(1, 1);
    run_quietly(60);
    ask(1, 1);
    run_quietly(60);
    assert_int_equal(driver->answer_count, 1);
    assert_int_equal(chandy_lamport_completed(driver_member(driver, 1)->self), 1);
}

static void concurrent_snapshots_are_told_apart(void **state)
{
    (void)state;
    begin(3, 0, 1);
    run_quietly(10);
    for (uint32_t node = 1; node <= 3; node++)
        ask(node, 1);
    run_quietly(150);
    for (uint32_t initiator = 1; initiator <= 3; initiator++) {
        bool complete;
        assert_null(across(initiator, &complete));
        assert_true(complete);
    }
    assert_null(driver->failed);
}

static void application_goes_on_meanwhile(void **state)
{
    (void)state;
    begin(3, 0, 1);
    ask(1, 1);
    run_quietly(30);
    uint32_t before = driver_member(driver, 3)->delivered;
    run_quietly(30);
    assert_true(driver_member(driver, 3)->delivered > before);
}

static void timer_begins_snapshots(void **state)
{
    (void)state;
    begin(2, 0, 1);
    for (int i = 0; i < 100; i++) {
        driver->now_ns += 60 * NS_PER_MS;
        for (int j = 0; j < 8; j++)
            for (uint32_t node = 1; node <= 2; node++)
                driver_turn(driver, node, 8);
    }
    assert_true(chandy_lamport_completed(driver_member(driver, 1)->self) >= 1);
    assert_null(driver->failed);
}

static void snapshot_without_a_member_is_given_up(void **state)
{
    (void)state;
    begin(3, 0, 1);
    run_quietly(10);
    driver_crash(driver, 3);
    ask(1, 1);
    run_quietly(10);
    driver->now_ns += 30 * NS_PER_S;
    run_quietly(5);
    assert_int_equal(driver_answer(driver, 1, 1)->kind, REPLY_REFUSED);
    assert_null(driver->failed);
}

static void full_log_takes_nothing_from_its_channels(void **state)
{
    (void)state;
    begin(3, 0, 1);
    driver_member(driver, 3)->full = true;
    run_quietly(30);
    ask(1, 1);
    run_quietly(100);
    assert_int_equal(driver_member(driver, 3)->record_count, 0);
    assert_null(driver_answer(driver, 1, 1));
    driver_member(driver, 3)->full = false;
    run_quietly(300);
    assert_int_equal(driver_answer(driver, 1, 1)->kind, REPLY_ANSWER);
    bool complete;
    assert_null(across(1, &complete));
    assert_true(complete);
}

static void peer_in_a_new_life_begins_anew(void **state)
{
    (void)state;
    begin(3, 0, 1);
    run_quietly(20);
    ask(1, 1);
    driver_crash(driver, 3); /* before it can hear of the snapshot */
    run_quietly(20);
    driver_restart(driver, 3, START_RESTARTED);
    driver_call(driver, 3, 1, OP_PASS, span_string("t")); /* so that both others hear of it */
    driver_call(driver, 3, 2, OP_PASS, span_string("t"));
    run_quietly(200);
    assert_false(cut_of(1, 1).complete);
    driver->now_ns += 30 * NS_PER_S;
    run_quietly(200);
    assert_int_equal(driver_answer(driver, 1, 1)->kind, REPLY_REFUSED);
    ask(2, 1);
    run_quietly(300);
    for (uint32_t to = 1; to <= 3; to++) /* tokens are gone, but the cut is one of what there is */
        for (uint32_t from = 1; from <= 3; from++) {
            struct chandy_lamport_cut cut = cut_of(to, 2);
            assert_true(cut.complete);
            assert_int_equal(cut.recorded[from - 1], cut_of(from, 2).sent[to - 1] - cut.received[from - 1]);
        }
    assert_null(driver->failed);
}

static void all_go_on_from_the_recorded_cut(void **state)
{
    (void)state;
    begin(3, 0, 1);
    run_quietly(20);
    ask(1, 1);
    run_quietly(60);
    bool complete;
    assert_null(across(1, &complete));
    assert_true(complete);
    uint64_t in_channels = 0;
    for (uint32_t node = 1; node <= 3; node++)
        for (uint32_t from = 0; from < 3; from++)
            in_channels += cut_of(node, 1).recorded[from];
    for (uint32_t node = 1; node <= 3; node++)
        driver_crash(driver, node);
    driver->message_count = 0;
    for (uint32_t node = 1; node <= 3; node++)
        driver_restart(driver, node, START_RESTARTED);
    uint64_t redelivered = 0;
    for (uint32_t node = 1; node <= 3; node++)
        redelivered += driver_member(driver, node)->index;
    assert_true(redelivered > 0);
    run_quietly(20);
    ask(2, 100);
    run_quietly(60);
    assert_null(across(2, &complete)); /* CL-3: the same tokens as before */
    assert_true(complete);
    assert_true(in_channels > 0);
}

static void malformed_question_is_refused(void **state)
{
    (void)state;
    begin(1, 0, 1);
    ask(1, 1);
    struct driver_member *one = driver_member(driver, 1);
    one->inputs[0].bytes.size--;
    run_quietly(1);
    assert_int_equal(driver_answer(driver, 1, 1)->kind, REPLY_REFUSED);
}

/* Tokens travel over a bad network while snapshots are taken; returns what was violated, or NULL. */
static const char *random_run(uint32_t ablations, uint64_t seed, uint32_t *completed)
{
    begin(3, ablations, seed);
    driver->loss = 5;
    driver->duplication = 5;
    uint64_t numbers[4] = {0};
    uint64_t seen[4] = {0};
    for (int i = 0; i < 600; i++) {
        uint32_t node = 1 + (uint32_t)random_below(&driver->random, 3);
        if (random_chance(&driver->random, 1, 20) && driver->answer_count < DRIVER_ANSWERS_MAX - 8)
            ask(node, ++numbers[node]);
        driver_run_random(driver, 3);
        for (uint32_t initiator = 1; initiator <= 3; initiator++) {
            bool complete;
            const char *wrong = across(initiator, &complete);
            if (wrong != NULL)
                return wrong;
            *completed += complete && cut_of(initiator, initiator).number != seen[initiator];
            if (complete)
                seen[initiator] = cut_of(initiator, initiator).number;
        }
        if (driver->failed != NULL)
            return driver->failed;
    }
    return NULL;
}

static void random_networks_give_consistent_cuts(void **state)
{
    (void)state;
    uint32_t completed = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const char *wrong = random_run(0, seed, &completed);
        if (wrong != NULL)
            fail_msg("seed %llu: %s", (unsigned long long)seed, wrong);
    }
    print_message("seeds 1 to 20: %u snapshots\n", completed);
    assert_true(completed > 20);
}

static void each_rule_switched_off_is_noticed(void **state)
{
    (void)state;
    for (uint32_t rule = 0; chandy_lamport_protocol.ablations[rule] != NULL; rule++) {
        const char *wrong = NULL;
        uint64_t seed = 0;
        uint32_t completed = 0;
        while (wrong == NULL && seed < 200)
            wrong = random_run((uint32_t)ABLATION_PROTOCOL_FIRST << rule, ++seed, &completed);
        if (wrong == NULL)
            fail_msg("%s was not noticed in 200 runs", chandy_lamport_protocol.ablations[rule]);
        print_message("%s: seed %llu: %s\n", chandy_lamport_protocol.ablations[rule], (unsigned long long)seed, wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshot_finds_every_token),
        cmocka_unit_test(client_gets_states_and_channels),
        cmocka_unit_test(second_question_finds_the_member_busy),
        cmocka_unit_test(handing_in_again_is_not_a_second_question),
        cmocka_unit_test(concurrent_snapshots_are_told_apart),
        cmocka_unit_test(application_goes_on_meanwhile),
        cmocka_unit_test(timer_begins_snapshots),
        cmocka_unit_test(snapshot_without_a_member_is_given_up),
        cmocka_unit_test(full_log_takes_nothing_from_its_channels),
        cmocka_unit_test(peer_in_a_new_life_begins_anew),
        cmocka_unit_test(all_go_on_from_the_recorded_cut),
        cmocka_unit_test(malformed_question_is_refused),
        cmocka_unit_test(random_networks_give_consistent_cuts),
        cmocka_unit_test(each_rule_switched_off_is_noticed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
