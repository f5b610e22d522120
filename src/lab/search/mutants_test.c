/* Rules by their names, and measuring how soon one is missed. */
#include "lab/search/mutants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "protocol/consensus/raft.h"
#include "protocol/registry.h"

static void rules_are_found_with_and_without_their_owner(void **state)
{
    (void)state;
    const struct protocol *raft = protocol_find("raft");
    struct mutant mutant;
    assert_true(mutant_find(raft, "vote-not-stored", &mutant));
    assert_int_equal(mutant.ablation, RAFT_ABLATION_VOTE_NOT_STORED);
    assert_true(mutant_find(raft, "raft:commit-old-term", &mutant));
    assert_int_equal(mutant.ablation, RAFT_ABLATION_COMMIT_OLD_TERM);
    assert_true(mutant_find(raft, "node:ack-before-sync", &mutant));
    assert_int_equal(mutant.ablation, ABLATION_ACK_BEFORE_SYNC);
    assert_false(mutant_find(raft, "raft:ack-before-sync", &mutant));
    assert_false(mutant_find(raft, "node:vote-not-stored", &mutant));
    assert_false(mutant_find(raft, "gravity", &mutant));
    assert_false(mutant_find(raft, "", &mutant));
}

/* One rule each, and no bit twice. */
static void every_protocol_s_rules_are_listed_once(void **state)
{
    (void)state;
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++) {
        uint32_t seen = 0, seen_of_voter = 0, count = 0;
        struct mutant mutant, found;
        while (mutant_at(*at, count, &mutant)) {
            uint32_t *bits = strcmp(mutant.owner, "voter") == 0 ? &seen_of_voter : &seen;
            assert_int_equal(*bits & mutant.ablation, 0);
            *bits |= mutant.ablation;
            assert_true(mutant_find(*at, mutant.rule, &found));
            assert_int_equal(found.ablation, mutant.ablation);
            count++;
        }
        assert_true(count >= 2); /* node's */
        assert_false(mutant_at(*at, count + 100, &mutant));
    }
}

static void a_missing_rule_is_measured(void **state)
{
    (void)state;
    const struct mutants_options options = {.campaigns = 3, .seeds_max = 50, .seed_first = 1, .jobs = 1};
    struct mutant_measure measure;
    struct mutant mutant;
    char why[256] = "";
    assert_true(mutant_find(protocol_find("raft"), "sessions-not-kept", &mutant));
    assert_int_equal(mutants_measure(protocol_find("raft"), &mutant, &options, &measure, why, sizeof why), OK);
    assert_int_equal(measure.campaigns, 3);
    assert_int_equal(measure.found, 3);
    assert_true(measure.seeds_least >= 1 && measure.seeds_least <= measure.seeds_median);
    assert_true(measure.seeds_median <= measure.seeds_most && measure.seeds_most <= 50);
    assert_non_null(strstr(measure.properties, "DIGEST"));
}

static void a_rule_that_is_there_is_not_missed(void **state)
{
    (void)state;
    const struct mutants_options options = {.campaigns = 2, .seeds_max = 3, .seed_first = 1, .jobs = 1};
    const struct mutant none = {.owner = "raft", .rule = "nothing", .ablation = 0};
    struct mutant_measure measure;
    char why[256] = "";
    assert_int_equal(mutants_measure(protocol_find("raft"), &none, &options, &measure, why, sizeof why), OK);
    assert_int_equal(measure.campaigns, 2);
    assert_int_equal(measure.found, 0);
    assert_int_equal(measure.seeds_median, 3);
    assert_string_equal(measure.properties, "");
}

/* Two members have to crash in the midst of two multicasts in a row, which seeds do rarely. */
static void what_seeds_do_not_find_is_explored(void **state)
{
    (void)state;
    const struct protocol *early = protocol_find("flooding-early");
    const struct mutants_options options = {.campaigns = 1, .seeds_max = 1, .seed_first = 1, .jobs = 1};
    struct mutant_measure measure;
    struct mutant mutant;
    char why[256] = "";
    assert_true(mutant_find(early, "tell-own-only", &mutant));
    assert_int_equal(mutants_measure(early, &mutant, &options, &measure, why, sizeof why), OK);
    assert_int_equal(measure.found, 0);
    assert_true(measure.explored_steps > 0);
    assert_string_equal(measure.explored_property, "FLD-2");
    mutant.ablation = 0;
    assert_int_equal(mutants_measure(early, &mutant, &options, &measure, why, sizeof why), OK);
    assert_int_equal(measure.explored_steps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_found_with_and_without_their_owner),
        cmocka_unit_test(every_protocol_s_rules_are_listed_once),
        cmocka_unit_test(a_missing_rule_is_measured),
        cmocka_unit_test(a_rule_that_is_there_is_not_missed),
        cmocka_unit_test(what_seeds_do_not_find_is_explored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
