/* Signed messages: Lamport, Shostak and Pease 1982, section 4; AG-8. Every strategy of one traitor among three, and two
 * colluding among four. */
#include "protocol/consensus/signed_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/test_seed.h"
#include "protocol/consensus/rounds_testing.h"

enum { CHAINS_LENGTH_AT = 12, CHAINS_AT = 16 };

/* ---- chains ---- */

static struct group_spec spec_of(uint32_t count)
{
    static const uint32_t nodes[SIGNED_CHAIN_MAX] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    return (struct group_spec){.group = 1, .self = 1, .members = nodes, .member_count = count, .hash_key = {3, 4}};
}

/* A4: whatever is changed in a chain, somebody notices. */
static void a_changed_chain_is_not_valid(void **state)
{
    (void)state;
    struct group_spec spec = spec_of(4);
    struct signed_chain chain = {.value = 7}, read;
    for (uint32_t i = 0; i < 3; i++)
        signed_chain_sign(&chain, &spec, 2 - i, 5);
    assert_true(signed_chain_verify(&chain, &spec, 5));
    assert_false(signed_chain_verify(&chain, &spec, 6)); /* another instance */
    uint8_t bytes[256];
    size_t size = signed_chain_encode(&chain, bytes);
    for (size_t at = 0; at < size; at++)
        for (uint32_t change = 1; change < 256; change++) {
            bytes[at] ^= (uint8_t)change;
            struct span rest = span_of(bytes, size);
            if (signed_chain_next(&rest, &read) && read.count == 3)
                assert_false(signed_chain_verify(&read, &spec, 5));
            bytes[at] ^= (uint8_t)change;
        }
    struct span rest = span_of(bytes, size);
    assert_true(signed_chain_next(&rest, &read) && rest.size == 0 && signed_chain_verify(&read, &spec, 5));
    read.count = 2; /* the last signer taken off: still what two have signed */
    assert_true(signed_chain_verify(&read, &spec, 5));
    read.places[1] = read.places[0];
    assert_false(signed_chain_verify(&read, &spec, 5)); /* twice the same */
}

static void what_is_cut_off_is_no_chain(void **state)
{
    (void)state;
    struct group_spec spec = spec_of(4);
    struct signed_chain chain = {.value = 7}, read;
    signed_chain_sign(&chain, &spec, 1, 1);
    uint8_t bytes[64];
    size_t size = signed_chain_encode(&chain, bytes);
    for (size_t cut = 0; cut < size; cut++) {
        struct span rest = span_of(bytes, cut);
        assert_false(signed_chain_next(&rest, &read));
    }
    bytes[8] = 0;
    struct span rest = span_of(bytes, size);
    assert_false(signed_chain_next(&rest, &read));
    bytes[8] = SIGNED_CHAIN_MAX + 1;
    assert_false(signed_chain_next(&rest, &read));
}

/* ---- traitors ---- */

/* What a traitor says is written anew: it may sign as any traitor, and pass on what it was sent. */
struct script {
    uint64_t traitors;
    uint64_t number, left;
    uint64_t values[TABLE_MEMBERS_MAX]; /* of the loyal members */
};

static void write_chain(struct table_message *message, const struct signed_chain *chain)
{
    message->size += signed_chain_encode(chain, message->bytes + message->size);
}

static void write_end(struct table_message *message)
{
    store_u32(message->bytes + CHAINS_LENGTH_AT, (uint32_t)(message->size - CHAINS_AT));
}

static uint64_t draw(struct script *script, uint64_t choices)
{
    uint64_t drawn = script->left % choices;
    script->left /= choices;
    return drawn;
}

static struct signed_chain signed_by(const struct table *table, uint64_t value, const uint32_t *places, uint32_t count)
{
    struct signed_chain chain = {.value = value};
    struct agreement_seen seen;
    signed_messages_look(table->members[0], &seen);
    for (uint32_t i = 0; i < count; i++)
        signed_chain_sign(&chain, &table->specs[0], places[i], seen.rounds.instance);
    return chain;
}

/* Round 1, by receiver: own values {}, {0}, {1} or {0, 1}. Round 2, by receiver: one of those again, signed by itself
 * alone, too late; and of each other commander: its value passed on, withheld, or another one under its signature. */
static bool one_traitor(struct table *table, struct table_message *message)
{
    struct script *script = table->context;
    uint32_t traitor = message->from;
    if ((script->traitors >> traitor & 1) == 0)
        return true;
    message->size = CHAINS_AT;
    uint64_t own = draw(script, table->round == 1 ? 4 : 3);
    for (uint64_t value = 0; value < 2; value++)
        if ((own >> value & 1) != 0) {
            struct signed_chain chain = signed_by(table, value, &traitor, 1);
            write_chain(message, &chain);
        }
    for (uint32_t other = 0; table->round == 2 && other < table->count; other++) {
        uint64_t deed = other == traitor || other == message->to ? 1 : draw(script, 3);
        struct signed_chain chain = signed_by(table, script->values[other], (uint32_t[]){other, traitor}, 2);
        if (deed == 2) {
            chain = signed_by(table, script->values[other], &other, 1);
            chain.value = 1 - chain.value; /* what the other has never signed */
            signed_chain_sign(&chain, &table->specs[0], traitor, 1);
        }
        if (deed != 1)
            write_chain(message, &chain);
    }
    write_end(message);
    return true;
}

static const struct cell *vector_of(const struct table *table, uint32_t place)
{
    struct agreement_seen seen;
    signed_messages_look(table->members[place], &seen);
    assert_true(seen.decided);
    return seen.vector;
}

struct outcome {
    uint64_t strategies, ic1, ic2; /* broken */
};

static void judge(const struct table *table, uint64_t traitors, const uint64_t *values, struct outcome *out)
{
    const struct cell *first = NULL;
    bool ic1 = false, ic2 = false;
    for (uint32_t i = 0; i < table->count; i++) {
        if ((traitors >> i & 1) != 0)
            continue;
        const struct cell *vector = vector_of(table, i);
        first = first == NULL ? vector : first;
        for (uint32_t j = 0; j < table->count; j++) {
            ic1 = ic1 || !cell_equal(vector[j], first[j]);
            ic2 = ic2 || ((traitors >> j & 1) == 0 && !cell_equal(vector[j], cell_of(values[j])));
        }
    }
    out->strategies++;
    out->ic1 += ic1;
    out->ic2 += ic2;
}

static struct outcome try_all(uint32_t ablations, uint32_t rounds, uint32_t traitor, uint64_t scripts)
{
    struct outcome outcome = {0};
    struct table table;
    struct script script = {.traitors = UINT64_C(1) << traitor};
    table_init(&table, &signed_messages_protocol, 3, rounds, ablations);
    table.hand = one_traitor;
    table.context = &script;
    for (uint64_t values = 0; values < 4; values++) {
        script.values[(traitor + 1) % 3] = values % 2;
        script.values[(traitor + 2) % 3] = values / 2;
        for (script.number = 0; script.number < scripts; script.number++) {
            script.left = script.number;
            table_instance(&table, script.values);
            judge(&table, script.traitors, script.values, &outcome);
        }
    }
    assert_null(table.broken);
    table_free(&table);
    return outcome;
}

/* Three members, one traitor: 4^2 in round 1, (3 * 3)^2 in round 2. Oral messages cannot do this with three. */
static void sm1_with_three_members_masks_every_strategy(void **state)
{
    (void)state;
    uint64_t strategies = 0;
    for (uint32_t traitor = 0; traitor < 3; traitor++) {
        struct outcome outcome = try_all(0, 2, traitor, 16 * 81);
        assert_int_equal(outcome.ic1, 0);
        assert_int_equal(outcome.ic2, 0);
        strategies += outcome.strategies;
    }
    assert_int_equal(strategies, 3 * 4 * 1296);
    print_message("%llu strategies\n", (unsigned long long)strategies);
}

/* AG-8: a forged signature accepted, and SM fails; so it does without the number of signatures, or the last round. */
static void ablations_are_noticed(void **state)
{
    (void)state;
    assert_true(try_all(1u << SIGNED_ACCEPT_FORGED, 2, 1, 1296).ic2 > 0);
    assert_true(try_all(1u << SIGNED_ACCEPT_SHORT, 2, 1, 1296).ic1 > 0);
    assert_true(try_all(1u << SIGNED_ONE_ROUND_LESS, 1, 1, 16).ic1 > 0);
}

/* ---- two traitors among four ---- */

/* Each message of a traitor holds some of all chains that traitors alone can sign, and passes on some of what the loyal
 * ones signed. */
static bool two_traitors(struct table *table, struct table_message *message)
{
    struct script *script = table->context;
    uint32_t from = message->from, other = from == 2 ? 3 : 2;
    if ((script->traitors >> from & 1) == 0)
        return true;
    struct random random;
    random_seed(&random, script->left++);
    message->size = CHAINS_AT;
    for (uint64_t value = 0; value < 2; value++) {
        struct signed_chain alone = signed_by(table, value, &from, 1);
        struct signed_chain both = signed_by(table, value, (uint32_t[]){other, from}, 2);
        if (random_chance(&random, 1, 3))
            write_chain(message, &alone);
        if (random_chance(&random, 1, 3))
            write_chain(message, &both);
    }
    for (uint32_t loyal = 0; loyal < 2; loyal++) {
        struct signed_chain passed = signed_by(table, script->values[loyal], (uint32_t[]){loyal, other, from}, 3);
        if (table->round == 3 && random_chance(&random, 1, 2))
            write_chain(message, &passed);
    }
    write_end(message);
    return true;
}

static struct outcome collude(uint32_t ablations, uint32_t rounds, uint64_t seed)
{
    struct outcome outcome = {0};
    struct table table;
    struct script script = {.traitors = 0xc, .left = seed, .values = {0, 1, 0, 1}};
    table_init(&table, &signed_messages_protocol, 4, rounds, ablations);
    table.hand = two_traitors;
    table.context = &script;
    for (int round = 0; round < 5000; round++) {
        table_instance(&table, script.values);
        judge(&table, script.traitors, script.values, &outcome);
    }
    table_free(&table);
    return outcome;
}

static void two_of_four_collude_in_vain(void **state)
{
    (void)state;
    uint64_t seed = test_seed("signed_messages_test");
    struct outcome outcome = collude(0, 3, seed);
    assert_int_equal(outcome.ic1 + outcome.ic2, 0);
    outcome = collude(1u << SIGNED_ONE_ROUND_LESS, 2, seed);
    assert_true(outcome.ic1 > 0); /* in the last round a chain of two traitors comes to one loyal member only */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_chain_is_not_valid),
        cmocka_unit_test(what_is_cut_off_is_no_chain),
        cmocka_unit_test(sm1_with_three_members_masks_every_strategy),
        cmocka_unit_test(ablations_are_noticed),
        cmocka_unit_test(two_of_four_collude_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
