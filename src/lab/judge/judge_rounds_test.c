/* The judges of agreement in rounds: they accept what the protocols do, and reject members that disagree, that decide
 * what nobody proposed, twice, or never. The members are real ones at a table; rules switched off make the mutants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/time.h"
#include "lab/search/campaign.h"
#include "lab/judge/judge.h"
#include "lab/judge/judge_rounds.h"
#include "lab/search/mutants.h"
#include "protocol/consensus/byzantine_vectors.h"
#include "protocol/consensus/flooding.h"
#include "protocol/consensus/rounds_testing.h"
#include "protocol/consensus/two_generals.h"
#include "protocol/registry.h"

/* ---- members at a table ---- */

struct court {
    struct heap *heap;
    const struct judge_kind *kind;
    void *judge;
    struct table table;
};

static void sit(struct court *court, const struct protocol *protocol, uint32_t count, uint32_t rounds,
                uint32_t ablations)
{
    court->heap = heap_create_system((size_t)1 << 26);
    court->kind = judge_find(protocol->name);
    assert_non_null(court->kind);
    court->judge = court->kind->create(court->heap, count);
    assert_non_null(court->judge);
    table_init(&court->table, protocol, count, rounds, ablations);
    for (uint32_t i = 0; i < count; i++)
        court->kind->watch.started(court->judge, i, &court->table.specs[i], court->table.members[i], NULL);
}

static void rise(struct court *court)
{
    table_free(&court->table);
    heap_destroy_system(court->heap);
}

/* What the judge says after each member's step; the first that is broken. */
static const char *hear(struct court *court)
{
    const struct event event = {.kind = EVENT_TURN};
    const char *broken = NULL;
    for (uint32_t i = 0; i < court->table.count && broken == NULL; i++)
        broken = court->kind->watch.stepped(court->judge, i, &event);
    return broken;
}

static const char *judged(const struct protocol *protocol, uint32_t count, uint32_t rounds, uint32_t ablations,
                          bool (*hand)(struct table *, struct table_message *), uint64_t turned)
{
    struct court court;
    const char *broken = NULL;
    const uint64_t values[] = {4, 3, 2, 1};
    sit(&court, protocol, count, rounds, ablations);
    court.table.hand = hand;
    for (uint32_t i = 0; i < count; i++)
        if ((turned >> i & 1) != 0)
            court.kind->watch.turned(court.judge, i);
    for (int instance = 0; instance < 3 && broken == NULL; instance++) {
        table_instance(&court.table, values);
        broken = hear(&court);
    }
    rise(&court);
    return broken;
}

/* The last member tells everybody else a different value of itself, and claims a third one. */
static bool equivocates(struct table *table, struct table_message *message)
{
    if (message->from != table->count - 1)
        return true;
    if (message->type == BV_VALUE)
        cell_encode(cell_of(message->to % 2), message->bytes + 8);
    else
        cell_encode(cell_of(1 - message->to % 2), message->bytes + 12 + (table->count - 1) * CELL_SIZE);
    return true;
}

/* Messages from the first member reach the second only. */
static bool reaches_one(struct table *table, struct table_message *message)
{
    (void)table;
    return message->from != 0 || message->to == 1;
}

static void disagreement_is_seen_at_once(void **state)
{
    (void)state;
    assert_null(judged(&flooding_protocol, 4, 3, 0, NULL, 0));
    const char *broken = judged(&flooding_protocol, 4, 3, 1u << FLD_CHOOSE_OWN, NULL, 0);
    assert_non_null(broken);
    assert_memory_equal(broken, "FLD-2", 5);
    assert_null(judged(&byzantine_vectors_protocol, 4, 2, 0, equivocates, 8));
    broken = judged(&byzantine_vectors_protocol, 4, 2, 1u << BV_LECTURE_MAJORITY, equivocates, 8);
    assert_non_null(broken);
    assert_memory_equal(broken, "BV-2", 4);
    broken = judged(&byzantine_vectors_protocol, 4, 2, 0, equivocates, 0); /* nobody said that it is a traitor */
    assert_non_null(broken);
    assert_memory_equal(broken, "BV-1", 4);
    assert_null(judged(&byzantine_vectors_protocol, 4, 2, 0, reaches_one, 1));
}

/* ---- observations by hand ---- */

static struct rounds_seen of_all;

static void look(const void *member, struct rounds_seen *out)
{
    (void)member;
    *out = of_all;
}

static void unfinished_instances_do_not_count(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)1 << 24);
    struct judge_rounds judge;
    judge_rounds_init(&judge, heap, 3);
    for (uint32_t place = 0; place < 3; place++)
        judge_rounds_started(&judge, place, &of_all);
    for (uint64_t instance = 1; instance <= 3; instance++)
        observe(&judge.seen, OBSERVED_PROPOSE, 0, instance, 7, 0);
    judge_rounds_lost(&judge, 2);
    judge_rounds_lost(&judge, 2); /* once is enough */
    assert_int_equal(judge.seen.count, 4);
    of_all = (struct rounds_seen){.instance = 3, .running = true};
    judge_rounds_settle(&judge, 1, look);
    assert_int_equal(judge.seen.count, 3); /* the third instance still runs */
    judge_rounds_clear(&judge);
    assert_int_equal(judge.seen.count, 0);
    judge_rounds_started(&judge, 2, &of_all);
    assert_non_null(judge.members[2]);
    heap_destroy_system(heap);
}

/* ---- in the world ---- */

static bool violated(const char *protocol, uint32_t nodes, uint32_t ablations, uint32_t faults, uint64_t seeds,
                     char *property)
{
    struct world_options options;
    bool found = false;
    campaign_defaults(protocol_find(protocol), &options);
    options.node_count = nodes;
    options.time_ns = 20 * NS_PER_S;
    options.ablations = ablations * (uint32_t)ABLATION_PROTOCOL_FIRST;
    if (faults != 0)
        options.faults = faults;
    struct campaign_runner *runner = campaign_runner_create(&options);
    assert_non_null(runner);
    for (options.seed = 1; options.seed <= seeds && !found; options.seed++) {
        struct campaign_result result;
        campaign_runner_run(runner, &options, &result);
        found = result.world.violated;
        if (found)
            snprintf(property, 32, "%s", result.world.property);
    }
    campaign_runner_free(runner);
    return found;
}

static void campaigns_hold_and_mutants_are_found(void **state)
{
    (void)state;
    char property[32];
    assert_false(violated("flooding", 4, 0, 0, 40, property));
    assert_false(violated("flooding-early", 4, 0, 0, 40, property));
    assert_false(violated("byzantine-vectors", 4, 0, 0, 25, property));
    assert_false(violated("oral-messages", 4, 0, 0, 25, property));
    assert_false(violated("signed-messages", 3, 0, 0, 25, property));
    assert_false(violated("two-generals", 2, 0, 0, 40, property));
    assert_true(violated("flooding", 3, 1u << FLD_CHOOSE_OWN, 0, 20, property));
    assert_string_equal(property, "FLD-2");
    assert_true(violated("byzantine-vectors", 4, 1u << BV_LECTURE_MAJORITY, 0, 60, property));
    assert_string_equal(property, "BV-2");
    assert_true(violated("oral-messages", 4, 1u << 2, 0, 60, property));
    assert_string_equal(property, "IC0"); /* who waits for all never decides */
    assert_true(violated("two-generals", 2, 0, WORLD_LOSS, 20, property));
    assert_string_equal(property, "TG-1");
    assert_true(violated("flooding", 4, 0, WORLD_PAUSE, 20, property)); /* rounds that end by time need the bound */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disagreement_is_seen_at_once),
        cmocka_unit_test(unfinished_instances_do_not_count),
        cmocka_unit_test(campaigns_hold_and_mutants_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
