/* Oral messages: Lamport, Shostak and Pease 1982, section 3; AG-8. Against the paper's recursive definition, and every
 * strategy of a traitor among four. */
#include "protocol/consensus/oral_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"
#include "base/test_seed.h"
#include "protocol/consensus/rounds_testing.h"

enum { RELAY_VALUES_AT = 16, NOTHING = 2 };

static const struct cell *vector_of(const struct table *table, uint32_t place)
{
    struct agreement_seen seen;
    oral_messages_look(table->members[place], &seen);
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

/* ---- one traitor, everything that it may say ---- */

/* Digits of a number say in turn what each value of each message of the traitor is: 0, 1, or nothing. */
struct script {
    uint32_t traitor;
    uint64_t number, left;
    uint32_t digits; /* that were used */
};

static bool by_script(struct table *table, struct table_message *message)
{
    struct script *script = table->context;
    if (message->from != script->traitor)
        return true;
    for (size_t at = RELAY_VALUES_AT; at + CELL_SIZE <= message->size; at += CELL_SIZE) {
        uint64_t digit = script->left % 3;
        script->left /= 3;
        script->digits++;
        cell_encode(digit == NOTHING ? (struct cell){0} : cell_of(digit), message->bytes + at);
    }
    return true;
}

static struct outcome try_all(uint32_t count, uint32_t ablations, uint32_t rounds, uint32_t traitor, uint64_t scripts)
{
    struct outcome outcome = {0};
    struct table table;
    struct script script = {.traitor = traitor};
    const uint64_t values[] = {0, 1, 1, 0};
    table_init(&table, &oral_messages_protocol, count, rounds, ablations);
    table.hand = by_script;
    table.context = &script;
    for (script.number = 0; script.number < scripts; script.number++) {
        script.left = script.number;
        script.digits = 0;
        table_instance(&table, values);
        judge(&table, UINT64_C(1) << traitor, values, &outcome);
    }
    assert_null(table.broken);
    table_free(&table);
    return outcome;
}

/* Three receivers in round 1; in round 2 two values to each of three: 3^9 scripts, as commander and as lieutenant of
 * each other commander at once. */
static void om1_with_four_members_masks_every_strategy(void **state)
{
    (void)state;
    uint64_t strategies = 0;
    for (uint32_t traitor = 0; traitor < 4; traitor++) {
        struct outcome outcome = try_all(4, 0, 2, traitor, 19683);
        assert_int_equal(outcome.ic1, 0);
        assert_int_equal(outcome.ic2, 0);
        strategies += outcome.strategies;
    }
    assert_int_equal(strategies, 4 * 19683);
    print_message("%llu strategies\n", (unsigned long long)strategies);
}

/* n = 3m fails (section 2 of the paper): what a lieutenant hears when its commander is a traitor is what it hears when
 * the other lieutenant is. */
static void three_members_are_too_few(void **state)
{
    (void)state;
    struct outcome outcome = try_all(3, 0, 2, 2, 81);
    assert_true(outcome.ic2 > 0);
}

static void ablations_are_noticed(void **state)
{
    (void)state;
    assert_true(try_all(4, 1u << ORAL_ONE_ROUND_LESS, 1, 0, 27).ic1 > 0);
    struct outcome last_word = try_all(4, 1u << ORAL_LAST_WORD, 2, 3, 19683);
    assert_true(last_word.ic1 + last_word.ic2 > 0);
}

/* ---- cost ---- */

static void count_values(uint32_t count, uint32_t rounds, uint64_t expected)
{
    struct table table;
    const uint64_t values[TABLE_MEMBERS_MAX] = {0};
    uint64_t sent = 0;
    table_init(&table, &oral_messages_protocol, count, rounds, 0);
    table_instance(&table, values);
    for (uint32_t i = 0; i < count; i++)
        sent += oral_messages_values_sent(table.members[i]);
    assert_int_equal(sent, expected);
    table_free(&table);
}

/* AG-8: 9, 156 and 3,609 values a commander, n times that in all. */
static void costs_are_those_of_the_paper(void **state)
{
    (void)state;
    count_values(4, 2, 36);
    count_values(7, 3, 1092);
    count_values(10, 4, 36090);
}

/* ---- the paper's recursive definition ---- */

/* What each traitor says of a path to a receiver: drawn from a hash, so that both programs hear the same lies. */
struct liars {
    uint64_t traitors, seed;
    uint32_t count, m;
    const uint64_t *values;
};

static struct cell lie_of(const struct liars *liars, const uint8_t *path, uint32_t length, uint32_t to)
{
    uint64_t hash = hash_mix(liars->seed, to);
    for (uint32_t i = 0; i < length; i++)
        hash = hash_mix(hash, path[i]);
    return hash % 3 == NOTHING ? (struct cell){0} : cell_of(hash % 3);
}

/* What `to` receives as the value of a path: the last of it tells what it has received of the path before. */
static struct cell received(const struct liars *liars, const uint8_t *path, uint32_t length, uint32_t to)
{
    uint32_t last = path[length - 1];
    if ((liars->traitors >> last & 1) != 0)
        return lie_of(liars, path, length, to);
    return length == 1 ? cell_of(liars->values[last]) : received(liars, path, length - 1, last);
}

/* OM(m - length + 1) at `self`, with the last of the path as commander: section 3's steps 1 to 3. */
static struct cell om(const struct liars *liars, uint8_t *path, uint32_t length, uint32_t self)
{
    struct cell votes[TABLE_MEMBERS_MAX];
    uint32_t count = 0;
    if (length == liars->m + 1)
        return received(liars, path, length, self);
    for (uint32_t j = 0; j < liars->count; j++) {
        bool on_path = false;
        for (uint32_t i = 0; i < length; i++)
            on_path = on_path || path[i] == j;
        if (on_path)
            continue;
        path[length] = (uint8_t)j;
        votes[count++] = j == self ? received(liars, path, length, self) : om(liars, path, length + 1, self);
    }
    return cell_majority(votes, count);
}

/* Paths in a message of round r: ascending numbers of r - 1 members, without sender and receiver. */
static bool by_liars(struct table *table, struct table_message *message)
{
    const struct liars *liars = table->context;
    uint32_t n = table->count, length = table->round - 1, paths = 1;
    if ((liars->traitors >> message->from & 1) == 0)
        return true;
    for (uint32_t i = 0; i < length; i++)
        paths *= n;
    size_t at = RELAY_VALUES_AT;
    for (uint32_t number = 0; number < paths; number++) {
        uint8_t path[8];
        uint64_t used = UINT64_C(1) << message->from | UINT64_C(1) << message->to;
        bool whole = true;
        uint32_t rest = number;
        for (uint32_t i = length; i-- > 0; rest /= n) {
            path[i] = (uint8_t)(rest % n);
            whole = whole && (used >> path[i] & 1) == 0;
            used |= UINT64_C(1) << path[i];
        }
        if (!whole)
            continue;
        path[length] = (uint8_t)message->from;
        cell_encode(lie_of(liars, path, length + 1, message->to), message->bytes + at);
        at += CELL_SIZE;
    }
    assert_int_equal(at, message->size);
    return true;
}

static void compare(uint32_t count, uint32_t m, uint64_t traitors, uint64_t seed, struct outcome *outcome)
{
    struct table table;
    const uint64_t values[TABLE_MEMBERS_MAX] = {0, 1, 1, 0, 1, 0, 1, 1, 0, 0};
    struct liars liars = {.traitors = traitors, .seed = seed, .count = count, .m = m, .values = values};
    table_init(&table, &oral_messages_protocol, count, m + 1, 0);
    table.hand = by_liars;
    table.context = &liars;
    table_instance(&table, values);
    for (uint32_t self = 0; self < count; self++)
        for (uint32_t commander = 0; commander < count; commander++) {
            uint8_t path[8] = {(uint8_t)commander};
            if ((traitors >> self & 1) == 0 && commander != self)
                assert_true(cell_equal(vector_of(&table, self)[commander], om(&liars, path, 1, self)));
        }
    judge(&table, traitors, values, outcome);
    table_free(&table);
}

static void the_tree_is_the_recursive_definition(void **state)
{
    (void)state;
    uint64_t seed = test_seed("oral_messages_test");
    struct random random;
    struct outcome allowed = {0}, one_more = {0};
    random_seed(&random, seed);
    for (int round = 0; round < 60; round++) {
        compare(4, 1, UINT64_C(1) << random_below(&random, 4), random_u64(&random), &allowed);
        uint64_t one = random_below(&random, 7), other = random_below(&random, 7);
        compare(7, 2, UINT64_C(1) << one | UINT64_C(1) << other, random_u64(&random), &allowed);
        compare(4, 1, 3, random_u64(&random), &one_more);
    }
    compare(10, 3, 0x111, seed, &allowed);
    assert_int_equal(allowed.ic1, 0);
    assert_int_equal(allowed.ic2, 0);
    assert_true(one_more.ic1 + one_more.ic2 > 0); /* one traitor more than claimed */
}

/* ---- A3: silence is noticed ---- */

static bool silent(struct table *table, struct table_message *message)
{
    (void)table;
    return message->from != 1;
}

static void silence_is_noticed_by_time_alone(void **state)
{
    (void)state;
    for (uint32_t wait = 0; wait < 2; wait++) {
        struct table table;
        struct agreement_seen seen;
        table_init(&table, &oral_messages_protocol, 4, 2, wait << ORAL_WAIT_FOR_ALL);
        table.hand = silent;
        table_instance(&table, (const uint64_t[]){1, 1, 0, 0});
        oral_messages_look(table.members[0], &seen);
        assert_int_equal(seen.decided, wait == 0);
        assert_true(wait != 0 || (!seen.vector[1].known && cell_equal(seen.vector[0], cell_of(1))));
        table_free(&table);
    }
}

static void m_follows_from_the_size(void **state)
{
    (void)state;
    static const uint32_t m[] = {1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3};
    for (uint32_t n = 0; n < sizeof m / sizeof m[0]; n++)
        assert_int_equal(oral_messages_m(n), m[n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(om1_with_four_members_masks_every_strategy),
        cmocka_unit_test(three_members_are_too_few),
        cmocka_unit_test(ablations_are_noticed),
        cmocka_unit_test(costs_are_those_of_the_paper),
        cmocka_unit_test(the_tree_is_the_recursive_definition),
        cmocka_unit_test(silence_is_noticed_by_time_alone),
        cmocka_unit_test(m_follows_from_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
