/* Flooding consensus: Cachin, Guerraoui and Rodrigues 2011, sections 5.1 and 5.2; Lynch 1996, section 6.2; AG-2. */
#include "protocol/consensus/flooding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/consensus/rounds_testing.h"

static struct flooding_seen seen(const struct table *table, uint32_t place)
{
    struct flooding_seen out;
    flooding_look(table->members[place], &out);
    return out;
}

/* Who crashes in which round, and whom its last messages reach: [place]. */
struct crash {
    uint32_t round; /* 0: never */
    uint64_t reached;
};

/* In its round a member's messages reach some; after that it says nothing. */
static bool crashes(struct table *table, struct table_message *message)
{
    const struct crash *crash = &((const struct crash *)table->context)[message->from];
    if (crash->round == 0 || table->round < crash->round)
        return true;
    return table->round == crash->round && (crash->reached >> message->to & 1) != 0;
}

/* Runs one instance on a new table. Returns the table's decisions: true when all that live to the end agree. */
static bool agree(const struct protocol *protocol, uint32_t count, uint32_t rounds, uint32_t ablations,
                  const struct crash *crash, const char **broken)
{
    struct table table;
    bool same = true;
    const struct flooding_seen *first = NULL;
    struct flooding_seen all[TABLE_MEMBERS_MAX];
    table_init(&table, protocol, count, rounds, ablations);
    table.hand = crashes;
    table.context = (void *)(uintptr_t)crash;
    for (uint32_t i = 0; i < count; i++)
        table_propose(&table, i, i);
    for (table.round = 1; table.round <= rounds; table.round++) {
        table_deliver(&table);
        for (uint32_t i = 0; i < count; i++)
            if (crash[i].round == table.round)
                table.crashed |= UINT64_C(1) << i;
        table_timeout(&table);
    }
    for (uint32_t i = 0; i < count; i++) {
        all[i] = seen(&table, i);
        if (crash[i].round != 0)
            continue;
        same = same && all[i].decided && (first == NULL || cell_equal(first->decision, all[i].decision));
        first = first == NULL ? &all[i] : first;
    }
    *broken = table.broken;
    table_free(&table);
    return same;
}

/* ---- without failures ---- */

static void all_decide_the_smallest_proposal(void **state)
{
    (void)state;
    struct table table;
    const uint64_t values[] = {7, 3, 9, 5};
    table_init(&table, &flooding_protocol, 4, 3, 0);
    table_instance(&table, values);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(seen(&table, i).decided);
        assert_int_equal(seen(&table, i).decision.value, 3);
        assert_string_equal(table.answers[i], ":3\r\n");
    }
    assert_int_equal(table.messages_sent, 3 * 4 * 3); /* AG-2: n(n-1) in each of k + 1 rounds */
    table_instance(&table, (const uint64_t[]){8, 8, 8, 8});
    assert_int_equal(seen(&table, 2).rounds.instance, 2);
    assert_int_equal(seen(&table, 2).decision.value, 8);
    assert_null(table.broken);
    table_free(&table);
}

/* One member has a proposal: the others hear of it and join. */
static void who_has_nothing_to_propose_takes_part(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, &flooding_protocol, 3, 2, 0);
    table_propose(&table, 1, 42);
    table_deliver(&table); /* joins at 0 and 2, whose messages are under way now */
    table_run(&table);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(seen(&table, i).decision.value, 42);
    assert_string_equal(table.answers[1], ":42\r\n");
    assert_string_equal(table.answers[0], "");
    assert_null(table.broken);
    table_free(&table);
}

/* [Cachin11, 5.1]: in a run without failures the early variant decides at the end of the first round. */
static void the_early_variant_decides_in_one_round(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, &flooding_early_protocol, 4, 3, 0);
    for (uint32_t i = 0; i < 4; i++)
        table_propose(&table, i, 10 + i);
    table.round = 1;
    table_deliver(&table);
    table_timeout(&table);
    for (uint32_t i = 0; i < 4; i++)
        assert_string_equal(table.answers[i], ":10\r\n");
    assert_null(table.broken);
    table_free(&table);
}

/* A proposal must be an integer; the queue has a bound. */
static void what_cannot_be_proposed_is_refused(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, &flooding_protocol, 2, 1, 0);
    for (uint32_t i = 0; i < ROUNDS_QUEUE_MAX; i++)
        table_propose(&table, 0, i);
    assert_string_equal(table.answers[0], "");
    table_propose(&table, 0, 1);
    assert_memory_equal(table.answers[0], "BUSY", 4);
    table_free(&table);
}

/* ---- crashes: every pattern ---- */

static uint64_t patterns, disagreements;

/* All ways in which up to `left` members from `place` on crash in some round and reach some others. */
static void try_all(const struct protocol *protocol, uint32_t count, uint32_t rounds, uint32_t ablations,
                    struct crash *crash, uint32_t place, uint32_t left)
{
    if (place == count) {
        const char *broken;
        patterns++;
        disagreements += !agree(protocol, count, rounds, ablations, crash, &broken);
        if (ablations == 0)
            assert_null(broken);
        return;
    }
    crash[place] = (struct crash){0};
    try_all(protocol, count, rounds, ablations, crash, place + 1, left);
    for (uint32_t round = 1; left > 0 && round <= rounds; round++)
        for (uint64_t reached = 0; reached < UINT64_C(1) << count; reached++) {
            if ((reached >> place & 1) != 0)
                continue;
            crash[place] = (struct crash){.round = round, .reached = reached};
            try_all(protocol, count, rounds, ablations, crash, place + 1, left - 1);
        }
    crash[place] = (struct crash){0};
}

static void count_patterns(const struct protocol *protocol, uint32_t count, uint32_t rounds, uint32_t ablations,
                           uint32_t crashes_max)
{
    struct crash crash[TABLE_MEMBERS_MAX] = {0};
    patterns = disagreements = 0;
    try_all(protocol, count, rounds, ablations, crash, 0, crashes_max);
}

/* FLD-2 with n - 1 rounds, whatever crashes: three members with up to two crashes, four with up to two. */
static void k_plus_one_rounds_agree_in_every_pattern_of_crashes(void **state)
{
    (void)state;
    count_patterns(&flooding_protocol, 3, 2, 0, 2);
    assert_int_equal(patterns, 1 + 3 * 8 + 3 * 64);
    assert_int_equal(disagreements, 0);
    count_patterns(&flooding_protocol, 4, 3, 0, 2);
    assert_int_equal(patterns, 1 + 4 * 24 + 6 * 576);
    assert_int_equal(disagreements, 0);
}

/* The bound is tight: with k rounds a chain of k crashes, one a round, splits the rest (Lynch 1996, section 6.7). */
static void k_rounds_are_one_too_few(void **state)
{
    (void)state;
    count_patterns(&flooding_protocol, 3, 1, 1u << FLD_ONE_ROUND_LESS, 1);
    assert_int_equal(disagreements, 2); /* the smallest proposal reaches one of the two others only */
    count_patterns(&flooding_protocol, 4, 2, 1u << FLD_ONE_ROUND_LESS, 1);
    assert_int_equal(disagreements, 0); /* one crash, two rounds: k + 1 */
    count_patterns(&flooding_protocol, 4, 2, 1u << FLD_ONE_ROUND_LESS, 2);
    assert_true(disagreements > 0);
}

static void the_chain_of_crashes_by_hand(void **state)
{
    (void)state;
    /* P1 reaches P2 only and dies; P2 passes P1's proposal on to P3 only and dies; P3 and P4 are left. */
    const struct crash chain[] = {{1, 1u << 1}, {2, 1u << 2}, {0, 0}, {0, 0}};
    const char *broken;
    assert_false(agree(&flooding_protocol, 4, 2, 1u << FLD_ONE_ROUND_LESS, chain, &broken));
    assert_true(agree(&flooding_protocol, 4, 3, 0, chain, &broken));
    assert_null(broken);
}

/* The early variant: correct members agree in every pattern, and somebody who crashed may have decided otherwise. */
static void correct_members_agree_in_the_early_variant(void **state)
{
    (void)state;
    count_patterns(&flooding_early_protocol, 3, 2, 0, 2);
    assert_int_equal(disagreements, 0);
    count_patterns(&flooding_early_protocol, 4, 3, 0, 2);
    assert_int_equal(disagreements, 0);
    count_patterns(&flooding_early_protocol, 4, 3, 1u << FLD_DECIDE_AT_ONCE, 2);
    assert_true(disagreements > 0);
}

static void the_other_ablations_disagree(void **state)
{
    (void)state;
    count_patterns(&flooding_protocol, 4, 3, 1u << FLD_TELL_OWN_ONLY, 1);
    assert_true(disagreements > 0);
    count_patterns(&flooding_protocol, 4, 3, 1u << FLD_CHOOSE_OWN, 0);
    assert_int_equal(disagreements, 1);
    count_patterns(&flooding_early_protocol, 4, 3, 1u << FLD_TELL_OWN_ONLY, 2);
    assert_true(disagreements > 0);
    count_patterns(&flooding_early_protocol, 4, 2, 1u << FLD_ONE_ROUND_LESS, 2);
    assert_true(disagreements > 0);
}

/* [Cachin11, 5.2]: P1 hears all, decides and dies before it has told; the others have never heard of its proposal. */
static void who_decides_early_and_dies_may_differ(void **state)
{
    (void)state;
    struct table table;
    const struct crash crash[] = {{1, 0}, {0, 0}, {0, 0}};
    table_init(&table, &flooding_early_protocol, 3, 2, 0);
    table.hand = crashes;
    table.context = (void *)(uintptr_t)crash;
    for (uint32_t i = 0; i < 3; i++)
        table_propose(&table, i, i);
    table.round = 1;
    table_deliver(&table);
    table_timeout(&table); /* P1 has heard from all and decides */
    assert_true(seen(&table, 0).decided && !seen(&table, 1).decided && !seen(&table, 2).decided);
    table.crashed = 1;
    table.round = 2;
    table_deliver(&table);
    table_timeout(&table);
    assert_int_equal(seen(&table, 0).decision.value, 0);
    assert_int_equal(seen(&table, 1).decision.value, 1);
    assert_int_equal(seen(&table, 2).decision.value, 1);
    assert_null(table.broken);
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_decide_the_smallest_proposal),
        cmocka_unit_test(who_has_nothing_to_propose_takes_part),
        cmocka_unit_test(the_early_variant_decides_in_one_round),
        cmocka_unit_test(what_cannot_be_proposed_is_refused),
        cmocka_unit_test(k_plus_one_rounds_agree_in_every_pattern_of_crashes),
        cmocka_unit_test(k_rounds_are_one_too_few),
        cmocka_unit_test(the_chain_of_crashes_by_hand),
        cmocka_unit_test(correct_members_agree_in_the_early_variant),
        cmocka_unit_test(the_other_ablations_disagree),
        cmocka_unit_test(who_decides_early_and_dies_may_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
