/* What comes out of a mutation is different, of the same size, and still decodes; who draws the same says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "host/world/world_mutate.h"
#include "protocol/registry.h"

enum { ROUNDS = 300, NODES = 3 };

static const uint32_t nodes[NODES] = {1, 2, 3};

#define SAMPLE_FIELDS(FIELD, S)                                                                                        \
    FIELD(S, U8, flag) FIELD(S, NODE, node) FIELD(S, U64, term) FIELD(S, TIME, at_ns) FIELD(S, RECORDS, records)
MESSAGE_STRUCT(sample, SAMPLE_FIELDS)
static const struct field sample_fields[] = {MESSAGE_FIELDS(sample, SAMPLE_FIELDS)};
static const struct message_type sample_type = MESSAGE_TYPE("SAMPLE", sample, sample_fields);

enum { SAMPLE_SIZE = 1 + 4 + 8 + 8 + RECORD_PREFIX_SIZE + 5 };

static void sample_make(uint8_t out[SAMPLE_SIZE])
{
    memset(out, 0, SAMPLE_SIZE);
    out[0] = 1;
    store_u32(out + 1, 2);
    store_u64(out + 5, 7);
    store_u64(out + 13, 1000);
    record_prefix_write(out + 21, 5, 1, 0);
}

static void any_field_changes_and_all_still_decodes(void **state)
{
    (void)state;
    uint8_t plain[SAMPLE_SIZE], body[SAMPLE_SIZE];
    struct mutate_seen seen = {0};
    bool changed[5] = {false};
    sample_make(plain);
    mutate_learn(&seen, &sample_type, plain, sizeof plain);
    assert_int_equal(seen.count, 1); /* the term: times and flags are no numbers to be believed */
    assert_int_equal(seen.numbers[0], 7);
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct random random;
        struct sample before, after;
        random_seed(&random, seed);
        memcpy(body, plain, sizeof body);
        assert_true(mutate_field(&sample_type, body, sizeof body, &random, nodes, NODES, &seen, seed % 2 == 0));
        assert_true(memcmp(body, plain, sizeof body) != 0);
        assert_true(message_decode(&sample_type, span_of(plain, sizeof plain), &before));
        assert_true(message_decode(&sample_type, span_of(body, sizeof body), &after));
        assert_true(after.node >= 1 && after.node <= NODES);
        changed[0] = changed[0] || after.flag != before.flag;
        changed[1] = changed[1] || after.node != before.node;
        changed[2] = changed[2] || after.term != before.term;
        changed[3] = changed[3] || after.at_ns != before.at_ns;
        changed[4] = changed[4] || memcmp(after.records.data, before.records.data, after.records.size) != 0;
    }
    for (size_t i = 0; i < 5; i++)
        assert_true(changed[i]);
}

static void a_wrong_value_is_one_number_and_a_neighbour(void **state)
{
    (void)state;
    uint8_t plain[SAMPLE_SIZE], body[SAMPLE_SIZE];
    sample_make(plain);
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct random random;
        struct sample before, after;
        random_seed(&random, seed);
        memcpy(body, plain, sizeof body);
        assert_true(mutate_number(&sample_type, body, sizeof body, &random));
        message_decode(&sample_type, span_of(plain, sizeof plain), &before);
        message_decode(&sample_type, span_of(body, sizeof body), &after);
        assert_true(after.node == before.node && after.at_ns == before.at_ns);
        assert_memory_equal(after.records.data, before.records.data, before.records.size);
        assert_true((after.flag == 0) != (after.term == 6 || after.term == 8));
    }
}

static void the_messages_of_every_protocol_stay_well_formed(void **state)
{
    (void)state;
    static uint8_t body[256];
    union {
        uint64_t align;
        uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
    } decoded;
    struct mutate_seen seen = {0};
    for (const struct protocol *const *protocol = protocol_registry(); *protocol != NULL; protocol++) {
        const struct message_table *table = &(*protocol)->messages;
        for (uint32_t t = 0; t < table->count; t++) {
            if (table->types[t].name == NULL)
                continue;
            memset(decoded.bytes, 0, sizeof decoded.bytes);
            struct span tail;
            size_t size = message_encode(&table->types[t], decoded.bytes, body, &tail);
            for (uint64_t seed = 0; seed < ROUNDS; seed++) {
                struct random random;
                random_seed(&random, seed);
                mutate_learn(&seen, &table->types[t], body, size);
                mutate_field(&table->types[t], body, size, &random, nodes, NODES, &seen, seed % 2 == 0);
                assert_true(message_decode(&table->types[t], span_of(body, size), decoded.bytes));
            }
        }
    }
}

static void check_answer(const char *text, bool can)
{
    uint8_t bytes[64];
    size_t size = strlen(text);
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct random random;
        random_seed(&random, seed);
        memcpy(bytes, text, size);
        assert_int_equal(mutate_answer(bytes, size, &random), can);
        assert_int_equal(memcmp(bytes, text, size) != 0, can);
        assert_int_equal(bytes[0], text[0]);
        assert_memory_equal(bytes + size - 2, "\r\n", 2);
    }
}

static void answers_become_others_of_their_kind(void **state)
{
    (void)state;
    check_answer(":0\r\n", true);
    check_answer(":-1\r\n", true);
    check_answer(":1234567890\r\n", true);
    check_answer("$3\r\nabc\r\n", true);
    check_answer("*2\r\n:1\r\n:2\r\n", true);
    check_answer("$0\r\n\r\n", false);
    check_answer("$-1\r\n", false);
    check_answer("_\r\n", false);
    check_answer("+OK\r\n", false);
    check_answer("-ERR no\r\n", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_field_changes_and_all_still_decodes),
        cmocka_unit_test(a_wrong_value_is_one_number_and_a_neighbour),
        cmocka_unit_test(the_messages_of_every_protocol_stay_well_formed),
        cmocka_unit_test(answers_become_others_of_their_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
