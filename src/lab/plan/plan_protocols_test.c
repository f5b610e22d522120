/* What is said of the protocols of this build, and of cards that it may get. */
#include "lab/plan/plan_protocols.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/registry.h"

/* A deployment: machines crash, messages are late, some time things go well. */
static struct plan_question deployment(void)
{
    return (struct plan_question){.failures = MASKS_CRASH, .k = 1, .processes = PLAN_PARTIALLY_SYNCHRONOUS,
                                  .order = ORDER_TOTAL};
}

static struct plan_protocol judge(const struct protocol *protocol, struct plan_question question)
{
    struct plan_protocol judged;
    assert_non_null(protocol);
    plan_protocol_judge(&question, protocol, &judged);
    assert_true(judged.why[0] != '\0' && strlen(judged.why) < PLAN_WHY_SIZE - 1);
    return judged;
}

static void test_every_protocol_has_a_row(void **state)
{
    (void)state;
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++)
        if (!plan_protocol_is_known(*at))
            fail_msg("%s has no row in src/lab/plan/plan_protocols.c: which bounds on time does it rely on?", (*at)->name);
    const struct protocol stranger = {.name = "stranger"};
    assert_false(plan_protocol_is_known(&stranger));
}

static void test_raft(void **state)
{
    (void)state;
    const struct protocol *raft = protocol_find("raft");
    struct plan_question question = deployment();
    struct plan_protocol judged = judge(raft, question);
    assert_int_equal(judged.can, PLAN_IN_TIME);
    assert_int_equal(judged.members, 3);
    assert_string_equal(judged.members_rule, "2k+1");
    question.lossy = true;
    assert_int_equal(judge(raft, question).can, PLAN_IN_TIME);
    question.partition = PLAN_REFUSE;
    assert_int_equal(judge(raft, question).can, PLAN_IN_TIME);
    question.partition = PLAN_ANSWER;
    assert_int_equal(judge(raft, question).can, PLAN_NO);
    assert_int_equal(judge(raft, question).theorem, PLAN_GILBERT);

    question = deployment();
    question.processes = PLAN_ASYNCHRONOUS;
    assert_int_equal(judge(raft, question).can, PLAN_SAFE);
    assert_int_equal(judge(raft, question).theorem, PLAN_FLP);
    question.ordered = question.multicast = true; /* possible, but not by what Raft does */
    assert_int_equal(judge(raft, question).can, PLAN_SAFE);
    question.processes = PLAN_SYNCHRONOUS;
    question.delay_bounded = true;
    assert_int_equal(judge(raft, question).can, PLAN_YES);
    question.lossy = true;
    assert_int_equal(judge(raft, question).can, PLAN_SAFE);
    assert_int_equal(judge(raft, question).theorem, PLAN_TWO_GENERALS);

    question = deployment();
    question.failures = MASKS_VALUE;
    assert_int_equal(judge(raft, question).can, PLAN_NO);
    assert_non_null(strstr(judge(raft, question).why, "voter"));
    question = deployment();
    question.members = 2;
    assert_int_equal(judge(raft, question).can, PLAN_NO);
    assert_int_equal(judge(raft, question).theorem, PLAN_DWORK);
    assert_non_null(strstr(judge(raft, question).why, "2k+1 = 3 members, and there are 2"));
}

static void test_two_phase_commit(void **state)
{
    (void)state;
    const struct protocol *commit = protocol_find("two-phase-commit");
    struct plan_question question = deployment();
    assert_int_equal(judge(commit, question).can, PLAN_NO);
    assert_int_equal(judge(commit, question).theorem, PLAN_SKEEN);
    question.k = 0;
    assert_int_equal(judge(commit, question).can, PLAN_IN_TIME);
    question.processes = PLAN_ASYNCHRONOUS;
    assert_int_equal(judge(commit, question).can, PLAN_YES);
    question.lossy = true;
    assert_int_equal(judge(commit, question).can, PLAN_SAFE);
    assert_int_equal(plan_protocol_quorum(commit, 5, 0), 5);
}

static void test_chandy_lamport(void **state)
{
    (void)state;
    assert_int_equal(judge(protocol_find("chandy-lamport"), deployment()).can, PLAN_NO);
}

static const struct protocol flooding = {.name = "flooding", .order = ORDER_NONE, .masks = MASKS_CRASH,
                                         .members_for_k = MEMBERS_K_PLUS_1};
static const struct protocol oral = {.name = "oral-messages", .order = ORDER_NONE, .masks = MASKS_ARBITRARY,
                                     .members_for_k = MEMBERS_3K_PLUS_1};
static const struct protocol written = {.name = "signed-messages", .order = ORDER_NONE, .masks = MASKS_ARBITRARY,
                                        .members_for_k = MEMBERS_K_PLUS_1};
static const struct protocol vectors = {.name = "byzantine-vectors", .order = ORDER_NONE, .masks = MASKS_ARBITRARY,
                                        .members_for_k = MEMBERS_3K_PLUS_1};
static const struct protocol early = {.name = "flooding-early", .order = ORDER_NONE, .masks = MASKS_CRASH,
                                      .members_for_k = MEMBERS_K_PLUS_1};
static const struct protocol pbft = {.name = "pbft", .order = ORDER_TOTAL, .masks = MASKS_ARBITRARY,
                                     .members_for_k = MEMBERS_3K_PLUS_1};
static const struct protocol generals = {.name = "two-generals"};

static void test_rounds(void **state)
{
    (void)state;
    struct plan_question question = {.failures = MASKS_CRASH, .k = 2, .processes = PLAN_SYNCHRONOUS,
                                     .delay_bounded = true, .order = ORDER_NONE};
    assert_int_equal(judge(&flooding, question).can, PLAN_YES);
    assert_int_equal(judge(&flooding, question).members, 3);
    assert_int_equal(judge(&early, question).can, PLAN_YES);
    assert_non_null(strstr(judge(&early, question).why, "but a member that crashes"));
    assert_int_equal(judge(&generals, question).can, PLAN_NO);
    question.order = ORDER_TOTAL; /* it decides once */
    assert_int_equal(judge(&flooding, question).can, PLAN_NO);
    question.order = ORDER_NONE;
    question.failures = MASKS_ARBITRARY;
    assert_int_equal(judge(&flooding, question).can, PLAN_NO);
    assert_int_equal(judge(&oral, question).can, PLAN_YES);
    assert_int_equal(judge(&oral, question).members, 7);
    assert_int_equal(judge(&vectors, question).can, PLAN_NO); /* one traitor only */
    question.k = 1;
    assert_int_equal(judge(&vectors, question).can, PLAN_YES);
    question.k = 2;
    assert_int_equal(judge(&written, question).can, PLAN_NO);
    question.signatures = true;
    assert_int_equal(judge(&written, question).can, PLAN_YES);
    assert_int_equal(judge(&written, question).members, 4);
    question.signatures = false;
    question.members = 6;
    assert_int_equal(judge(&oral, question).theorem, PLAN_PEASE);

    question = deployment();
    question.order = ORDER_NONE;
    assert_int_equal(judge(&flooding, question).can, PLAN_NO);
    assert_int_equal(judge(&flooding, question).theorem, PLAN_CHANDRA);
    question.failures = MASKS_ARBITRARY;
    assert_int_equal(judge(&oral, question).can, PLAN_NO);
    assert_int_equal(judge(&pbft, question).can, PLAN_IN_TIME);
    assert_int_equal(judge(&pbft, question).members, 4);
}

/* No protocol that is said to agree contradicts what is proved. */
static void test_never_better_than_possible(void **state)
{
    (void)state;
    const struct protocol *all[] = {protocol_find("raft"), protocol_find("two-phase-commit"),
                                    &flooding,             &oral,
                                    &written,              &pbft};
    for (uint32_t bits = 0; bits < 256; bits++)
        for (int failures = MASKS_CRASH; failures <= MASKS_ARBITRARY; failures++)
            for (uint64_t members = 0; members < 9; members++)
                for (uint64_t k = 0; k < 3; k++) {
                    struct plan_question question = {
                        .failures = (enum failure_model)failures, .k = k, .processes = (enum plan_processes)(bits % 3),
                        .delay_bounded = bits & 8, .ordered = bits & 16, .multicast = bits & 32, .lossy = bits & 64,
                        .signatures = bits & 128, .partition = bits & 4 ? PLAN_ANSWER : PLAN_WHOLE, .members = members};
                    enum plan_can possible = plan_feasible(&question).can;
                    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
                        enum plan_can can = judge(all[i], question).can;
                        if (possible == PLAN_NO || possible == PLAN_OPEN)
                            assert_true(can == PLAN_NO || can == PLAN_SAFE);
                        if (possible == PLAN_IN_TIME)
                            assert_int_not_equal(can, PLAN_YES);
                    }
                }
}

/* Available or one for all: during a cut there is no both. */
static void test_a_cut_is_answered_in_no_total_order(void **state)
{
    (void)state;
    const struct protocol *spreads = protocol_find("anti-entropy");
    struct plan_question question = deployment();
    assert_int_equal(judge(spreads, question).can, PLAN_NO);
    assert_non_null(strstr(judge(spreads, question).why, "FIFO order, and total order is wanted"));
    question.order = ORDER_NONE;
    assert_int_equal(judge(spreads, question).can, PLAN_NO);
    question.order = ORDER_FIFO;
    question.partition = PLAN_REFUSE;
    assert_int_equal(judge(spreads, question).can, PLAN_NO);
    question.partition = PLAN_ANSWER;
    assert_int_equal(judge(spreads, question).can, PLAN_YES);
    assert_int_equal(judge(spreads, question).members, 1);
    question.failures = MASKS_ARBITRARY;
    assert_int_equal(judge(spreads, question).can, PLAN_NO);
    assert_int_equal(plan_protocol_quorum(spreads, 5, 2), 1);
    for (int order = ORDER_NONE; order <= ORDER_TOTAL; order++)
        for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++) {
            question = deployment();
            question.order = (enum order)order;
            question.partition = PLAN_ANSWER;
            bool answers = judge(*at, question).can == PLAN_YES || judge(*at, question).can == PLAN_IN_TIME;
            assert_int_equal(answers, *at == spreads && order == ORDER_FIFO);
        }
}

static void test_quorums(void **state)
{
    (void)state;
    const struct protocol *raft = protocol_find("raft");
    for (uint32_t members = 1; members < 12; members++)
        assert_int_equal(plan_protocol_quorum(raft, members, 1), members / 2 + 1);
    assert_int_equal(plan_protocol_quorum(&pbft, 4, 1), 3);
    assert_int_equal(plan_protocol_quorum(&pbft, 7, 2), 5);
    assert_int_equal(plan_protocol_quorum(&pbft, 5, 1), 4); /* ⌈(5+1+1)/2⌉ */
    assert_int_equal(plan_protocol_quorum(&pbft, 6, 1), 4);
    assert_int_equal(plan_protocol_quorum(&flooding, 3, 2), 1);
    assert_int_equal(plan_protocol_quorum(&written, 4, 2), 2);
    assert_int_equal(plan_protocol_quorum(&oral, 7, 2), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_protocol_has_a_row), cmocka_unit_test(test_raft),
        cmocka_unit_test(test_a_cut_is_answered_in_no_total_order),
        cmocka_unit_test(test_two_phase_commit),         cmocka_unit_test(test_chandy_lamport),
        cmocka_unit_test(test_rounds),                   cmocka_unit_test(test_never_better_than_possible),
        cmocka_unit_test(test_quorums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
