/* Sentences: what they are understood as, what they match, and what wrong ones say. */
#include "lab/scenario/scenario_sight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "protocol/consensus/raft.h"
#include "protocol/registry.h"

enum { NODES = 5 };

static const struct protocol *raft(void)
{
    return protocol_find("raft");
}

static struct sight_pattern parsed(const char *sentence)
{
    struct sight_pattern pattern;
    char why[600] = "";
    if (!sight_pattern_parse(span_string(sentence), raft(), NODES, &pattern, why, sizeof why))
        fail_msg("%s: %s", sentence, why);
    return pattern;
}

static bool matches(const char *sentence, const struct sight *sight)
{
    struct sight_pattern pattern = parsed(sentence);
    return sight_matches(&pattern, sight);
}

static void a_message_is_named_by_its_table(void **state)
{
    (void)state;
    const struct raft_vote vote = {.term = 3, .last_index = 7, .last_term = 2, .pre = 1};
    const struct sight sight = {.kind = SIGHT_SENDS, .node = 1, .other = 4, .type = RAFT_VOTE, .body = &vote};
    assert_true(matches("1 sends VOTE", &sight));
    assert_true(matches("any sends VOTE to any", &sight));
    assert_true(matches("  S1   sends VOTE to S4 with term=3 last_index>6 pre!=0 ", &sight));
    assert_true(matches("1 sends VOTE with last_index>=7 last_index<=7 term<4", &sight));
    assert_false(matches("2 sends VOTE", &sight));
    assert_false(matches("1 sends VOTE to 3", &sight));
    assert_false(matches("1 sends VOTE_ACK", &sight));
    assert_false(matches("1 receives VOTE", &sight));
    assert_false(matches("1 sends VOTE with term=2", &sight));
    assert_false(matches("1 sends VOTE with term=3 last_index<7", &sight));
    assert_false(matches("1 sends VOTE with pre=0", &sight));
}

static void of_a_bulk_the_size_counts(void **state)
{
    (void)state;
    struct raft_append append = {.term = 1, .records = {.data = NULL, .size = 44}};
    const struct sight sight = {.kind = SIGHT_RECEIVES, .node = 2, .other = 1, .type = RAFT_APPEND, .body = &append};
    assert_true(matches("2 receives APPEND from 1 with records>0", &sight));
    append.records.size = 0;
    assert_false(matches("2 receives APPEND from 1 with records>0", &sight));
}

static void a_body_that_is_not_there_passes_no_test(void **state)
{
    (void)state;
    const struct sight sight = {.kind = SIGHT_SENDS, .node = 1, .other = 2, .type = RAFT_VOTE};
    assert_true(matches("1 sends VOTE to 2", &sight));
    assert_false(matches("1 sends VOTE to 2 with term>=0", &sight));
}

static void transitions_have_a_prefix_and_two_ends(void **state)
{
    (void)state;
    struct sight sight = {.kind = SIGHT_NOTE, .node = 2, .text = "FOLLOWER -> PRE-CANDIDATE", .value = 9};
    assert_true(matches("2 enters PRE-CANDIDATE", &sight));
    assert_true(matches("2 leaves FOLLOWER with value=9", &sight));
    assert_true(matches("2 notes FOLLOWER -> PRE-CANDIDATE", &sight));
    assert_false(matches("2 enters CANDIDATE", &sight));
    assert_false(matches("2 enters FOLLOWER", &sight));
    assert_false(matches("2 leaves PRE-CANDIDATE", &sight));
    assert_false(matches("2 leaves FOLLOWER with value=8", &sight));
    sight.text = "coordinator: WAIT -> COMMIT";
    assert_true(matches("2 enters coordinator: COMMIT", &sight));
    assert_true(matches("2 leaves coordinator: WAIT", &sight));
    assert_false(matches("2 enters COMMIT", &sight));
    sight.text = "blocked: asks for the decision";
    assert_true(matches("2 notes blocked: asks for the decision", &sight));
    assert_false(matches("2 enters decision", &sight));
}

static void who_orders_is_said_by_who_says_it(void **state)
{
    (void)state;
    struct sight sight = {.kind = SIGHT_VIEW, .node = 3, .other = 3, .value = 7};
    assert_true(matches("3 leads", &sight));
    assert_true(matches("any leads with term=7", &sight));
    assert_false(matches("any leads with term=6", &sight));
    assert_false(matches("3 follows any", &sight));
    sight.other = 1;
    assert_true(matches("3 follows 1", &sight));
    assert_false(matches("3 leads", &sight));
    assert_false(matches("3 follows 2", &sight));
    assert_false(matches("3 follows nobody", &sight));
    sight.other = 0;
    assert_true(matches("3 follows nobody with term=7", &sight));
    assert_false(matches("3 follows any", &sight));
    assert_false(matches("3 leads", &sight));
}

static void the_rest_is_plain(void **state)
{
    (void)state;
    const struct sight crash = {.kind = SIGHT_CRASHES, .node = 2};
    const struct sight delivery = {.kind = SIGHT_DELIVERS, .node = 2, .value = 4, .count = 3};
    const struct sight violation = {.kind = SIGHT_BREAKS, .text = "RAFT-5"};
    assert_true(matches("2 crashes", &crash));
    assert_false(matches("2 starts", &crash));
    assert_true(matches("any delivers with index=4 count=3", &delivery));
    assert_false(matches("any delivers with index=3", &delivery));
    assert_true(matches("RAFT-5 breaks", &violation));
    assert_false(matches("RAFT-4 breaks", &violation));
}

static bool holds(const char *sentence, const char *state)
{
    struct sight_pattern pattern = parsed(sentence);
    const char *missing;
    return sight_state_holds(&pattern, state, &missing);
}

static void states_are_words(void **state)
{
    (void)state;
    static const char line[] = "role=leader term=2 log=[1.1,2.2] last=12";
    assert_true(holds("1 has role=leader", line));
    assert_true(holds("1 has role!=follower term>=2 last>9 log=[1.1,2.2]", line));
    assert_false(holds("1 has role=leader term=3", line));
    assert_false(holds("1 has log=[1.1]", line));
    assert_false(holds("1 has last<9", line));
    assert_false(holds("1 has role=leader", NULL));
    assert_true(holds("1 is up", line));
    assert_false(holds("1 is down", line));
    assert_true(holds("1 is down", NULL));
    struct sight_pattern pattern = parsed("1 has erm=2");
    const char *missing;
    assert_false(sight_state_holds(&pattern, line, &missing));
    assert_string_equal(missing, "erm");
}

static void wrong_sentences_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *sentence, *says;
    } cases[] = {
        {"", "missing"},
        {"6 leads", "'6' is no node"},
        {"leader sends VOTE", "'leader' is no node"},
        {"1 says VOTE", "'says' is nothing that a node does"},
        {"1 sends BALLOT", "raft has no message 'BALLOT'; it has APPEND, APPEND_ACK"},
        {"1 stores VOTE", "raft has no record 'VOTE'"},
        {"1 sends VOTE to", "'' is no node"},
        {"1 sends VOTE from 2", "'from' does not belong there"},
        {"1 sends VOTE with", "'' is no test"},
        {"1 sends VOTE with ballot=3", "VOTE has no field 'ballot'; it has term"},
        {"1 sends VOTE with term=x", "compares with 'x', which is no integer"},
        {"1 sends VOTE with term 3", "'term' is no test"},
        {"1 leads with index=3", "no 'index' to test here; there is term"},
        {"1 enters", "which state?"},
        {"1 notes with value=3", "which note?"},
        {"1 is leader", "up or down"},
        {"1 has role<leader", "no integer"},
        {"1 leads now", "'now' does not belong there"},
        {"RAFT-5 breaks now", "'now' does not belong there"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sight_pattern pattern;
        char why[600] = "";
        assert_false(sight_pattern_parse(span_string(cases[i].sentence), raft(), NODES, &pattern, why, sizeof why));
        if (strstr(why, cases[i].says) == NULL)
            fail_msg("\"%s\" says: %s", cases[i].sentence, why);
    }
}

static void every_message_and_field_of_every_protocol_can_be_named(void **state)
{
    (void)state;
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++)
        for (uint32_t type = 0; type < (*at)->messages.count; type++) {
            const struct message_type *message = &(*at)->messages.types[type];
            for (uint32_t field = 0; field < message->field_count; field++) {
                struct sight_pattern pattern;
                char sentence[200], why[600] = "";
                snprintf(sentence, sizeof sentence, "1 sends %s with %s=0", message->name, message->fields[field].name);
                assert_true(sight_pattern_parse(span_string(sentence), *at, 1, &pattern, why, sizeof why));
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_named_by_its_table),
        cmocka_unit_test(of_a_bulk_the_size_counts),
        cmocka_unit_test(a_body_that_is_not_there_passes_no_test),
        cmocka_unit_test(transitions_have_a_prefix_and_two_ends),
        cmocka_unit_test(who_orders_is_said_by_who_says_it),
        cmocka_unit_test(the_rest_is_plain),
        cmocka_unit_test(states_are_words),
        cmocka_unit_test(wrong_sentences_say_what_is_wrong),
        cmocka_unit_test(every_message_and_field_of_every_protocol_can_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
