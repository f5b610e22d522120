/* Agreement in rounds, explored: k crashes against k + 1 rounds, every strategy of a traitor, what one rule, one round
 * or one loyal member less does; and that symmetry, the order of members and canonical states leave nothing out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/judge/explore_properties.h"
#include "lab/judge/explore_rounds.h"
#include "protocol/consensus/byzantine_vectors.h"
#include "protocol/consensus/flooding.h"
#include "protocol/consensus/oral_messages.h"
#include "protocol/consensus/signed_messages.h"

static uint32_t without(uint32_t rule)
{
    return (uint32_t)ABLATION_PROTOCOL_FIRST << rule;
}

/* A traitor is the last of the nodes; `crashes` are those of others. */
static struct explore_config config_of(const struct protocol *protocol, uint32_t nodes, uint32_t traitors,
                                       uint32_t crashes)
{
    struct explore_config config = {.protocol = protocol,
                                    .property = explore_property_of(protocol),
                                    .nodes = nodes,
                                    .requests = nodes,
                                    .crashes = crashes,
                                    .values = 2,
                                    .copies = 1,
                                    .rounds = true,
                                    .symmetry = true,
                                    .reduction = true,
                                    .memory_bytes_max = (size_t)900 << 20};
    for (uint32_t i = 0; i < traitors; i++)
        config.traitors |= UINT64_C(1) << (nodes - 1 - i);
    config.timer_count = explore_timers_of(protocol, config.timers);
    return config;
}

static struct explore_result run(const struct explore_config *config)
{
    char why[300];
    struct explorer *explorer = explore_create(config, why, sizeof why);
    if (explorer == NULL)
        fail_msg("%s", why);
    struct explore_result result;
    explore_run(explorer, &result);
    if (result.verdict == EXPLORE_FAILED)
        fail_msg("%s", result.bound);
    explore_destroy(explorer);
    return result;
}

/* Complete without a violation, or with one that begins with the tag. */
static void ends(const struct explore_config *config, const char *tag)
{
    struct explore_result result = run(config);
    if (tag == NULL && result.verdict == EXPLORE_VIOLATED)
        fail_msg("%s after %u steps: %s", config->protocol->name, result.trace_length, result.violation);
    assert_int_equal(result.verdict, tag == NULL ? EXPLORE_COMPLETE : EXPLORE_VIOLATED);
    if (tag != NULL && strncmp(result.violation, tag, strlen(tag)) != 0)
        fail_msg("%s, not %s, after %u steps: %s", config->protocol->name, tag, result.trace_length, result.violation);
}

static void crashes_end(const struct protocol *protocol, uint32_t nodes, uint32_t crashes, uint32_t ablations,
                        const char *tag)
{
    struct explore_config config = config_of(protocol, nodes, 0, crashes);
    config.ablations = ablations;
    ends(&config, tag);
}

/* n members take n - 1 rounds: enough for n - 2 crashes, and for n - 1, which leave one alone. */
static void k_crashes_take_k_plus_1_rounds(void **state)
{
    (void)state;
    for (uint32_t nodes = 2; nodes <= 4; nodes++)
        for (uint32_t crashes = nodes - 2; crashes < nodes; crashes++)
            crashes_end(&flooding_protocol, nodes, crashes, 0, NULL);
    for (uint32_t nodes = 3; nodes <= 4; nodes++) {
        crashes_end(&flooding_protocol, nodes, nodes - 3, without(FLD_ONE_ROUND_LESS), NULL);
        crashes_end(&flooding_protocol, nodes, nodes - 2, without(FLD_ONE_ROUND_LESS), "FLD-2");
    }
    crashes_end(&flooding_protocol, 3, 1, without(FLD_CHOOSE_OWN), "FLD-2");
    crashes_end(&flooding_protocol, 4, 2, without(FLD_TELL_OWN_ONLY), "FLD-2");
}

static void the_early_variant_agrees_among_who_is_up(void **state)
{
    (void)state;
    crashes_end(&flooding_early_protocol, 3, 2, 0, NULL);
    crashes_end(&flooding_early_protocol, 4, 2, 0, NULL);
    crashes_end(&flooding_early_protocol, 4, 2, without(FLD_DECIDE_AT_ONCE), "FLD-2");
    crashes_end(&flooding_early_protocol, 4, 2, without(FLD_ONE_ROUND_LESS), "FLD-2");
    crashes_end(&flooding_early_protocol, 4, 2, without(FLD_CHOOSE_OWN), "FLD-2");
    crashes_end(&flooding_early_protocol, 4, 2, without(FLD_TELL_OWN_ONLY), "FLD-2");
    /* It promises nothing of who has crashed: held to what the uniform variant promises, it fails. */
    struct explore_config config = config_of(&flooding_early_protocol, 3, 0, 2);
    config.property = &explore_flooding_property;
    ends(&config, "FLD-2");
}

/* A crash is for ever, as in the model: who comes back takes no part (rounds.h), and breaks nothing. */
static void who_comes_back_breaks_nothing(void **state)
{
    (void)state;
    struct explore_config config = config_of(&flooding_protocol, 3, 0, 1);
    struct explore_result stays_down = run(&config);
    config.restarts = true;
    struct explore_result comes_back = run(&config);
    assert_int_equal(comes_back.verdict, EXPLORE_COMPLETE);
    assert_true(comes_back.states > stays_down.states);
}

/* A message that is lost between two that are up is taken for a crash: the three that would bring one a value. */
static void flooding_needs_links_that_lose_nothing(void **state)
{
    (void)state;
    struct explore_config config = config_of(&flooding_protocol, 3, 0, 0);
    config.losses = 2;
    ends(&config, NULL);
    config.losses = 3;
    ends(&config, "FLD-2");
}

static void every_strategy_of_a_traitor(void **state)
{
    static const struct {
        const struct protocol *protocol;
        uint32_t nodes, traitors;
        int rule; /* switched off; -1: none */
        const char *tag;
    } rows[] = {
        {&byzantine_vectors_protocol, 4, 1, -1, NULL},
        {&byzantine_vectors_protocol, 4, 1, BV_LECTURE_MAJORITY, "BV-2"},
        {&byzantine_vectors_protocol, 4, 1, BV_NO_SECOND_ROUND, "BV-2"},
        {&byzantine_vectors_protocol, 3, 1, -1, "BV-1"},
        {&byzantine_vectors_protocol, 4, 2, -1, "BV-1"},
        {&oral_messages_protocol, 4, 1, -1, NULL},
        {&oral_messages_protocol, 4, 1, ORAL_ONE_ROUND_LESS, "IC1"},
        {&oral_messages_protocol, 4, 1, ORAL_LAST_WORD, "IC"},
        {&oral_messages_protocol, 3, 1, -1, "IC2"},
        {&oral_messages_protocol, 4, 2, -1, "IC2"},
        {&signed_messages_protocol, 3, 1, -1, NULL},
        {&signed_messages_protocol, 3, 1, SIGNED_ACCEPT_FORGED, "IC2"},
        {&signed_messages_protocol, 3, 1, SIGNED_ACCEPT_SHORT, "IC1"},
        {&signed_messages_protocol, 3, 1, SIGNED_ONE_ROUND_LESS, "IC1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct explore_config config = config_of(rows[i].protocol, rows[i].nodes, rows[i].traitors, 0);
        config.ablations = rows[i].rule < 0 ? 0 : without((uint32_t)rows[i].rule);
        ends(&config, rows[i].tag);
    }
}

/* Assumption A3: a round ends by time, so that a silent member holds up nobody. */
static void silence_is_noticed(void **state)
{
    (void)state;
    struct explore_config config = config_of(&oral_messages_protocol, 4, 0, 1);
    config.progress = true;
    ends(&config, NULL);
    config.ablations = without(ORAL_WAIT_FOR_ALL);
    ends(&config, "IC0");
}

static void what_traitors_hear_is_kept(void **state)
{
    (void)state;
    struct explore_config config = config_of(&signed_messages_protocol, 3, 1, 0);
    struct explore_property deaf = explore_signed_messages_property;
    uint64_t heard = run(&config).messages;
    deaf.traitors_listen = false;
    config.property = &deaf;
    assert_true(run(&config).messages < heard);
}

/* ---- nothing is left out ---- */

/* With timers and messages of an instant in any order, nothing tells members apart but their names. */
static void symmetry_loses_nothing(void **state)
{
    static const struct {
        const struct protocol *protocol;
        uint32_t nodes, traitors, crashes;
    } rows[] = {{&flooding_protocol, 3, 0, 1},
                {&flooding_early_protocol, 3, 0, 2},
                {&byzantine_vectors_protocol, 4, 1, 0},
                {&oral_messages_protocol, 4, 1, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct explore_config config =
            config_of(rows[i].protocol, rows[i].nodes, rows[i].traitors, rows[i].crashes);
        config.skew = true;
        config.reduction = false;
        config.values = rows[i].traitors > 0 ? 1 : 2;
        config.traitors = rows[i].traitors > 0 ? 2 : 0; /* between the loyal ones, so that rows of values are renamed */
        struct explore_result with = run(&config);
        config.symmetry = false;
        struct explore_result all = run(&config);
        assert_int_equal(with.verdict, EXPLORE_COMPLETE);
        assert_true(with.states < all.states);
        assert_int_equal(with.orbit_states, all.states);
    }
}

enum { SEEN_MAX = 1 << 16 };

struct seen {
    uint32_t facts_size, nodes, count;
    uint64_t hashes[SEEN_MAX];
};

static void see(void *context, const void *const *facts, const void *ghost, uint32_t depth)
{
    struct seen *seen = context;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    (void)ghost;
    (void)depth;
    for (uint32_t i = 0; i < seen->nodes; i++)
        for (uint32_t k = 0; k < seen->facts_size; k++)
            hash = (hash ^ ((const uint8_t *)facts[i])[k]) * UINT64_C(0x100000001b3);
    uint32_t at = (uint32_t)(hash % SEEN_MAX);
    while (seen->hashes[at] != 0 && seen->hashes[at] != hash)
        at = (at + 1) % SEEN_MAX;
    seen->count += seen->hashes[at] == 0;
    seen->hashes[at] = hash;
    assert_true(seen->count < SEEN_MAX / 2);
}

/* Members one after the other reach every combination of what properties see that all interleavings reach. */
static void the_order_of_members_loses_nothing(void **state)
{
    static const struct {
        const struct protocol *protocol;
        uint32_t nodes, traitors, crashes, values;
    } rows[] = {{&flooding_protocol, 3, 0, 2, 2},
                {&flooding_early_protocol, 3, 0, 2, 2},
                {&oral_messages_protocol, 4, 1, 0, 1},
                {&byzantine_vectors_protocol, 4, 1, 0, 1},
                {&signed_messages_protocol, 3, 1, 0, 2}};
    static struct seen apart, together;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct explore_config config =
            config_of(rows[i].protocol, rows[i].nodes, rows[i].traitors, rows[i].crashes);
        config.symmetry = false;
        config.values = rows[i].values;
        config.visit = see;
        config.context = &apart;
        apart = (struct seen){.facts_size = config.property->facts_size, .nodes = rows[i].nodes};
        together = apart;
        struct explore_result less = run(&config);
        config.reduction = false;
        config.context = &together;
        struct explore_result more = run(&config);
        assert_true(less.states < more.states);
        assert_int_equal(apart.count, together.count);
        assert_memory_equal(&apart.count, &together.count, sizeof apart.count);
        for (uint32_t k = 0; k < SEEN_MAX; k++) {
            uint32_t at = (uint32_t)(together.hashes[k] % SEEN_MAX);
            while (together.hashes[k] != 0 && apart.hashes[at] != together.hashes[k]) {
                assert_true(apart.hashes[at] != 0);
                at = (at + 1) % SEEN_MAX;
            }
        }
    }
}

/* One loyal member and one traitor: the loyal one has not begun; takes part with 0, 1 or nothing of its own; or has
 * decided with any of these, and 0, 1 or nothing of the traitor's. Who has nothing takes part because the traitor
 * spoke. */
static void every_lie_is_told(void **state)
{
    static struct seen seen;
    (void)state;
    struct explore_config config = config_of(&oral_messages_protocol, 2, 1, 0);
    config.visit = see;
    config.context = &seen;
    seen = (struct seen){.facts_size = config.property->facts_size, .nodes = 2};
    ends(&config, NULL);
    assert_int_equal(seen.count, 1 + 3 + (3 + 3 + 2));
}

static void clocks_that_differ_a_little_change_nothing(void **state)
{
    (void)state;
    struct explore_config config = config_of(&flooding_protocol, 4, 0, 2);
    config.skew = true;
    ends(&config, NULL);
    config = config_of(&oral_messages_protocol, 4, 1, 0);
    config.skew = true;
    config.values = 1;
    ends(&config, NULL);
}

static void (*whole)(const void *self, struct canon *out);

/* A canonical state that forgets the last half. */
static void without_the_end(const void *self, struct canon *out)
{
    size_t before = out->size;
    whole(self, out);
    out->size -= (out->size - before) / 2;
}

static void canonical_states_are_whole(void **state)
{
    static const struct protocol *const protocols[] = {&flooding_protocol, &flooding_early_protocol,
                                                       &byzantine_vectors_protocol, &oral_messages_protocol,
                                                       &signed_messages_protocol};
    (void)state;
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        bool lies = explore_property_of(protocols[i])->lie != NULL;
        struct explore_config config = config_of(protocols[i], 3, lies ? 1 : 0, lies ? 0 : 2);
        config.audit = true;
        struct explore_result result = run(&config);
        assert_true(result.audited > 0);
        assert_int_equal(result.audit_failures, 0);
    }
    /* Chains of three signers come with four members only; some of those states will do. */
    struct explore_config chains = config_of(&signed_messages_protocol, 4, 1, 0);
    chains.values = 1;
    chains.audit = chains.depth_first = true;
    chains.states_max = 50000;
    assert_int_equal(run(&chains).audit_failures, 0);
    struct protocol cut = flooding_early_protocol;
    whole = cut.canonical;
    cut.canonical = without_the_end;
    struct explore_config config = config_of(&flooding_early_protocol, 3, 0, 2);
    config.protocol = &cut;
    config.property = NULL; /* what it sees would tell states apart */
    config.audit = true;
    assert_true(run(&config).audit_failures > 0);
}

static void what_makes_no_sense_is_refused(void **state)
{
    char why[300];
    (void)state;
    struct explore_config config = config_of(&flooding_protocol, 3, 1, 0);
    assert_null(explore_create(&config, why, sizeof why));
    assert_non_null(strstr(why, "it is not known what a traitor under this protocol could say"));
    config = config_of(&oral_messages_protocol, 4, 1, 0);
    config.traitors = 16;
    assert_null(explore_create(&config, why, sizeof why));
    assert_non_null(strstr(why, "one of the nodes"));
    config = config_of(&oral_messages_protocol, 4, 1, 0);
    config.values = 0;
    assert_null(explore_create(&config, why, sizeof why));
    config = config_of(&oral_messages_protocol, 4, 1, 0);
    config.rounds = false;
    assert_null(explore_create(&config, why, sizeof why));
    config = config_of(&oral_messages_protocol, 4, 0, 0);
    config.fifo = true;
    assert_null(explore_create(&config, why, sizeof why));
    config = config_of(&oral_messages_protocol, 4, 0, 0);
    config.value_first = 31;
    assert_null(explore_create(&config, why, sizeof why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_crashes_take_k_plus_1_rounds),
        cmocka_unit_test(the_early_variant_agrees_among_who_is_up),
        cmocka_unit_test(who_comes_back_breaks_nothing),
        cmocka_unit_test(flooding_needs_links_that_lose_nothing),
        cmocka_unit_test(every_strategy_of_a_traitor),
        cmocka_unit_test(silence_is_noticed),
        cmocka_unit_test(what_traitors_hear_is_kept),
        cmocka_unit_test(symmetry_loses_nothing),
        cmocka_unit_test(every_lie_is_told),
        cmocka_unit_test(the_order_of_members_loses_nothing),
        cmocka_unit_test(clocks_that_differ_a_little_change_nothing),
        cmocka_unit_test(canonical_states_are_whole),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
