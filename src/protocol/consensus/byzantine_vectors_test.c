/* Byzantine agreement by vectors: Pease, Shostak and Lamport 1980; AG-7 and its correction; every strategy of a
 * traitor.
 *
 * A strategy says, for each loyal receiver, what the traitor tells of itself in round 1, and what its vector claims in
 * round 2. An element of a loyal member's vector depends on the same element of what it heard only, so strategies are
 * tried element by element: what is claimed of others cannot change what becomes of the traitor's element. */
#include "protocol/consensus/byzantine_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "protocol/consensus/rounds_testing.h"

enum { VALUE_KNOWN_AT = 8, VECTOR_AT = 12, NOTHING = 2 };

struct strategy {
    uint32_t traitor;
    uint32_t about;                       /* the element that its vectors lie about */
    struct cell told[TABLE_MEMBERS_MAX];  /* round 1, by receiver */
    struct cell claim[TABLE_MEMBERS_MAX]; /* round 2, by receiver */
};

static bool lie(struct table *table, struct table_message *message)
{
    const struct strategy *strategy = table->context;
    if (message->from != strategy->traitor)
        return true;
    if (message->type == BV_VALUE)
        cell_encode(strategy->told[message->to], message->bytes + VALUE_KNOWN_AT);
    else
        cell_encode(strategy->claim[message->to], message->bytes + VECTOR_AT + strategy->about * CELL_SIZE);
    return true;
}

/* What the number says, digit by digit: 0 and 1 are values, 2 is nothing. */
static void choose(struct cell *cells, const struct strategy *strategy, uint32_t count, uint32_t domain,
                   uint32_t number)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i == strategy->traitor)
            continue;
        cells[i] = number % domain == NOTHING ? (struct cell){0} : cell_of(number % domain);
        number /= domain;
    }
}

static uint32_t power(uint32_t base, uint32_t exponent)
{
    uint32_t result = 1;
    while (exponent-- > 0)
        result *= base;
    return result;
}

static const struct cell *vector_of(const struct table *table, uint32_t place)
{
    struct agreement_seen seen;
    byzantine_vectors_look(table->members[place], &seen);
    assert_true(seen.decided);
    return seen.vector;
}

struct outcome {
    uint32_t strategies, unequal, wrong; /* BV-2 broken, BV-1 broken */
};

static void judge(const struct table *table, uint32_t traitor, const uint64_t *values, struct outcome *out)
{
    bool unequal = false, wrong = false;
    const struct cell *first = vector_of(table, traitor == 0 ? 1 : 0);
    for (uint32_t i = 0; i < table->count; i++) {
        if (i == traitor)
            continue;
        const struct cell *vector = vector_of(table, i);
        for (uint32_t j = 0; j < table->count; j++) {
            unequal = unequal || !cell_equal(vector[j], first[j]);
            wrong = wrong || (j != traitor && !cell_equal(vector[j], cell_of(values[j])));
        }
    }
    out->strategies++;
    out->unequal += unequal;
    out->wrong += wrong;
}

/* All strategies about one element. */
static struct outcome try_all(uint32_t count, uint32_t ablations, uint32_t traitor, uint32_t about, uint32_t domain)
{
    struct outcome outcome = {0};
    struct table table;
    struct strategy strategy = {.traitor = traitor, .about = about};
    const uint64_t values[TABLE_MEMBERS_MAX] = {0, 1, 1, 0, 1, 0, 0, 1, 1, 0};
    uint32_t choices = power(domain, count - 1);
    table_init(&table, &byzantine_vectors_protocol, count, 2, ablations);
    table.hand = lie;
    table.context = &strategy;
    for (uint32_t told = 0; told < choices; told++)
        for (uint32_t claim = 0; claim < choices; claim++) {
            choose(strategy.told, &strategy, count, domain, told);
            choose(strategy.claim, &strategy, count, domain, claim);
            table_instance(&table, values);
            judge(&table, traitor, values, &outcome);
        }
    assert_null(table.broken);
    table_free(&table);
    return outcome;
}

/* AG-7: with the rule of this protocol no strategy of a traitor among four breaks anything. */
static void four_members_agree_whatever_a_traitor_says(void **state)
{
    (void)state;
    uint32_t strategies = 0;
    for (uint32_t traitor = 0; traitor < 4; traitor++)
        for (uint32_t about = 0; about < 4; about++) {
            struct outcome outcome = try_all(4, 0, traitor, about, 3);
            strategies += outcome.strategies;
            assert_int_equal(outcome.unequal, 0);
            assert_int_equal(outcome.wrong, 0);
        }
    assert_int_equal(strategies, 4 * 4 * 27 * 27);
    print_message("%u strategies\n", strategies);
}

/* AG-7, correction: the majority over the vectors received keeps BV-1 and breaks BV-2 in 36 of 64 binary strategies. */
static void the_majority_of_the_lectures_fails_in_36_of_64(void **state)
{
    (void)state;
    for (uint32_t traitor = 0; traitor < 4; traitor++) {
        struct outcome outcome = try_all(4, 1u << BV_LECTURE_MAJORITY, traitor, traitor, 2);
        assert_int_equal(outcome.strategies, 64);
        assert_int_equal(outcome.unequal, 36);
        assert_int_equal(outcome.wrong, 0);
        assert_int_equal(try_all(4, 0, traitor, traitor, 2).unequal, 0);
    }
}

/* The example given with the correction: first round 0, 0, 1, second-round claims 0, 1, 0. */
static void the_example_of_the_correction(void **state)
{
    (void)state;
    const uint64_t values[] = {5, 6, 7, 8};
    const uint64_t told[] = {0, 0, 1}, claim[] = {0, 1, 0};
    for (uint32_t ablations = 0; ablations <= 1u << BV_LECTURE_MAJORITY; ablations++) {
        struct table table;
        struct strategy strategy = {.traitor = 3, .about = 3};
        struct outcome outcome = {0};
        for (uint32_t i = 0; i < 3; i++) {
            strategy.told[i] = cell_of(told[i]);
            strategy.claim[i] = cell_of(claim[i]);
        }
        table_init(&table, &byzantine_vectors_protocol, 4, 2, ablations);
        table.hand = lie;
        table.context = &strategy;
        table_instance(&table, values);
        judge(&table, 3, values, &outcome);
        assert_int_equal(outcome.unequal, ablations != 0);
        table_free(&table);
    }
}

/* The run of the lectures: values 1 to 4, member 3 tells x, y, z; all loyal members end with (1, 2, UNKNOWN, 4). */
static void the_run_of_the_lectures(void **state)
{
    (void)state;
    struct table table;
    struct strategy strategy = {.traitor = 2, .about = 2};
    for (uint32_t i = 0; i < 4; i++) {
        strategy.told[i] = cell_of(100 + i);
        strategy.claim[i] = cell_of(200 + i);
    }
    table_init(&table, &byzantine_vectors_protocol, 4, 2, 0);
    table.hand = lie;
    table.context = &strategy;
    table_instance(&table, (const uint64_t[]){1, 2, 3, 4});
    for (uint32_t i = 0; i < 4; i++) {
        if (i == 2)
            continue;
        char line[64];
        struct text text = text_begin(line, sizeof line);
        cells_print(vector_of(&table, i), 4, &text);
        assert_string_equal(line, "1,2,UNKNOWN,4");
        assert_string_equal(table.answers[i], "*4\r\n:1\r\n:2\r\n_\r\n:4\r\n");
    }
    assert_int_equal(table.messages_sent, 2 * 4 * 3); /* AG-7: 2n(n-1) */
    assert_null(table.broken);
    table_free(&table);
}

/* Three members are too few (Pease, Shostak and Lamport 1980, section 4). With lies about itself and about another, a
 * traitor makes loyal members hold UNKNOWN for each other: BV-1 is broken, which four do not allow. */
static void three_members_are_too_few(void **state)
{
    (void)state;
    struct outcome about_itself = try_all(3, 0, 2, 2, 2), about_another = try_all(3, 0, 2, 0, 2);
    assert_int_equal(about_itself.wrong, 0);
    assert_true(about_another.wrong > 0);
    struct table table;
    struct strategy strategy = {.traitor = 2, .about = 1};
    table_init(&table, &byzantine_vectors_protocol, 3, 2, 0);
    table.hand = lie;
    table.context = &strategy;
    for (uint32_t i = 0; i < 2; i++)
        strategy.told[i] = strategy.claim[i] = cell_of(100 + i);
    table_instance(&table, (const uint64_t[]){1, 2, 3});
    char line[64];
    struct text text = text_begin(line, sizeof line);
    cells_print(vector_of(&table, 0), 3, &text);
    assert_string_equal(line, "1,UNKNOWN,UNKNOWN"); /* member 2 is loyal, and member 1 cannot know its value */
    table_free(&table);
}

/* Two rounds are for one traitor: with seven members and two of them, some strategies break BV-2. */
static void two_traitors_break_two_rounds(void **state)
{
    (void)state;
    struct random random;
    uint32_t unequal = 0;
    random_seed(&random, 11);
    for (int round = 0; round < 200 && unequal == 0; round++) {
        /* The second traitor lies about the first: both hands are this one's by turning the strategy. */
        struct table table;
        struct strategy strategy = {.traitor = 6, .about = 6};
        const uint64_t values[] = {0, 0, 0, 0, 0, 0, 0};
        struct outcome outcome = {0};
        for (uint32_t i = 0; i < 7; i++) {
            strategy.told[i] = cell_of(random_below(&random, 2));
            strategy.claim[i] = cell_of(random_below(&random, 2));
        }
        table_init(&table, &byzantine_vectors_protocol, 7, 2, 0);
        table.context = &strategy;
        table.hand = lie;
        for (uint32_t i = 0; i < 7; i++)
            table_propose(&table, i, values[i]);
        table.round = 1;
        table_deliver(&table);
        table_timeout(&table);
        strategy.traitor = 5; /* now it is member 6 that claims what member 7 said */
        table.round = 2;
        table_deliver(&table);
        table_timeout(&table);
        const struct cell *first = vector_of(&table, 0);
        for (uint32_t i = 1; i < 5; i++)
            outcome.unequal += !cell_equal(vector_of(&table, i)[6], first[6]);
        unequal += outcome.unequal;
        table_free(&table);
    }
    assert_true(unequal > 0);
}

static void ablations_are_noticed(void **state)
{
    (void)state;
    assert_true(try_all(4, 1u << BV_NO_SECOND_ROUND, 1, 1, 2).unequal > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_members_agree_whatever_a_traitor_says),
        cmocka_unit_test(the_majority_of_the_lectures_fails_in_36_of_64),
        cmocka_unit_test(the_example_of_the_correction),
        cmocka_unit_test(the_run_of_the_lectures),
        cmocka_unit_test(three_members_are_too_few),
        cmocka_unit_test(two_traitors_break_two_rounds),
        cmocka_unit_test(ablations_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
