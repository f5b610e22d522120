/* Tables of messages: every kind of field goes there and back, and no damage leads the decoder outside. */
#include "contract/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

#define ALL_FIELDS(FIELD, S) \
    FIELD(S, U8, flag) FIELD(S, U32, node) FIELD(S, U64, term) FIELD(S, I64, offset) FIELD(S, BYTES, payload)
#define NAMED_FIELDS(FIELD, S) FIELD(S, NODE, node) FIELD(S, INCARNATION, life) FIELD(S, TIME, at)
#define NUMBER_FIELDS(FIELD, S) FIELD(S, U32, node) FIELD(S, U64, life) FIELD(S, I64, at)
#define LIST_FIELDS(FIELD, S) FIELD(S, U64, term) FIELD(S, RECORDS, entries)
#define PLAIN_FIELDS(FIELD, S) FIELD(S, U32, node) FIELD(S, U8, flag)

MESSAGE_STRUCT(all, ALL_FIELDS)
MESSAGE_STRUCT(named, NAMED_FIELDS)
MESSAGE_STRUCT(number, NUMBER_FIELDS)
MESSAGE_STRUCT(list, LIST_FIELDS)
MESSAGE_STRUCT(plain, PLAIN_FIELDS)

static const struct field all_fields[] = {MESSAGE_FIELDS(all, ALL_FIELDS)};
static const struct field named_fields[] = {MESSAGE_FIELDS(named, NAMED_FIELDS)};
static const struct field number_fields[] = {MESSAGE_FIELDS(number, NUMBER_FIELDS)};
static const struct field list_fields[] = {MESSAGE_FIELDS(list, LIST_FIELDS)};
static const struct field plain_fields[] = {MESSAGE_FIELDS(plain, PLAIN_FIELDS)};
static const struct message_type all_type = MESSAGE_TYPE("ALL", all, all_fields);
static const struct message_type named_type = MESSAGE_TYPE("SAME", named, named_fields);
static const struct message_type number_type = MESSAGE_TYPE("SAME", number, number_fields);
static const struct message_type list_type = MESSAGE_TYPE("LIST", list, list_fields);
static const struct message_type plain_type = MESSAGE_TYPE("PLAIN", plain, plain_fields);

static const struct all sample = {
    .flag = 7,
    .node = 0x01020304,
    .term = UINT64_C(0x1112131415161718),
    .offset = -2,
    .payload = {.data = (const uint8_t *)"hello", .size = 5},
};

/* Head and tail as they follow one another on the wire. */
static size_t encode_whole(const struct message_type *type, const void *body, uint8_t *out)
{
    struct span tail;
    size_t size = message_encode(type, body, out, &tail);
    if (tail.size > 0)
        memcpy(out + size, tail.data, tail.size);
    return size + tail.size;
}

static void encoding_is_little_endian_without_padding(void **state)
{
    (void)state;
    static const uint8_t wanted[] = {7,                                              /* flag */
                                     4,    3,    2,    1,                            /* node */
                                     0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, /* term */
                                     0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* offset */
                                     5,    0,    0,    0,    'h',  'e',  'l',  'l',  'o'};
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX + 8];
    size_t size = encode_whole(&all_type, &sample, bytes);
    assert_int_equal(size, sizeof wanted);
    assert_memory_equal(bytes, wanted, sizeof wanted);
}

static void tail_stays_where_it_lies(void **state)
{
    (void)state;
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX];
    struct span tail;
    size_t size = message_encode(&all_type, &sample, bytes, &tail);
    assert_int_equal(size, 1 + 4 + 8 + 8 + 4);
    assert_ptr_equal(tail.data, sample.payload.data);
}

static void decoding_gives_the_same_fields(void **state)
{
    (void)state;
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX + 8];
    size_t size = encode_whole(&all_type, &sample, bytes);
    struct all out;
    assert_true(message_decode(&all_type, span_of(bytes, size), &out));
    assert_int_equal(out.flag, sample.flag);
    assert_int_equal(out.node, sample.node);
    assert_int_equal(out.term, sample.term);
    assert_int_equal(out.offset, sample.offset);
    assert_true(span_equal(out.payload, sample.payload));
}

/* A node, a time and an incarnation say more about the number, and nothing else about its bytes. */
static void kinds_with_a_meaning_travel_as_numbers(void **state)
{
    (void)state;
    const struct named sent = {.node = 0x01020304, .life = UINT64_C(0x1112131415161718), .at = -2};
    const struct number plain = {.node = sent.node, .life = sent.life, .at = sent.at};
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX], same[MESSAGE_HEAD_SIZE_MAX];
    size_t size = encode_whole(&named_type, &sent, bytes);
    assert_int_equal(size, encode_whole(&number_type, &plain, same));
    assert_memory_equal(bytes, same, size);
    struct named got;
    assert_true(message_decode(&named_type, span_of(bytes, size), &got));
    assert_int_equal(got.node, sent.node);
    assert_int_equal(got.life, sent.life);
    assert_int_equal(got.at, sent.at);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(message_decode(&named_type, span_of(bytes, cut), &got));
    char text[128], wanted[128];
    message_print(&named_type, &sent, text, sizeof text);
    message_print(&number_type, &plain, wanted, sizeof wanted);
    assert_string_equal(text, wanted);
}

/* Each prefix is copied to a block of exactly its size, so that a read beyond it is seen by the sanitizer. */
static bool decode_exact(const struct message_type *type, const uint8_t *bytes, size_t size)
{
    union {
        struct all all;
        struct list list;
        struct plain plain;
    } out;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (size > 0)
        memcpy(copy, bytes, size);
    bool decoded = message_decode(type, span_of(copy, size), &out);
    free(copy);
    return decoded;
}

static void short_and_long_bodies_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX + 8] = {0};
    size_t size = encode_whole(&all_type, &sample, bytes);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(decode_exact(&all_type, bytes, cut));
    assert_true(decode_exact(&all_type, bytes, size));
    assert_false(decode_exact(&all_type, bytes, size + 1));

    size = encode_whole(&plain_type, &(struct plain){.node = 1, .flag = 2}, bytes);
    assert_int_equal(size, 5);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(decode_exact(&plain_type, bytes, cut));
    assert_true(decode_exact(&plain_type, bytes, size));
    assert_false(decode_exact(&plain_type, bytes, size + 1));
}

static size_t two_records(uint8_t *bytes)
{
    struct span tail;
    size_t size = message_encode(&list_type, &(struct list){.term = 9}, bytes, &tail);
    assert_int_equal(tail.size, 0);
    record_prefix_write(bytes + size, 3, 0x0201, 5);
    memcpy(bytes + size + RECORD_PREFIX_SIZE, "abc", 3);
    size += RECORD_PREFIX_SIZE + 3;
    record_prefix_write(bytes + size, 0, 4, 6);
    return size + RECORD_PREFIX_SIZE;
}

static void records_are_walked_in_order(void **state)
{
    (void)state;
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX];
    size_t size = two_records(bytes);
    struct list out;
    assert_true(message_decode(&list_type, span_of(bytes, size), &out));
    struct span rest = out.entries;
    struct record_view record;
    assert_true(record_next(&rest, &record));
    assert_int_equal(record.slot, 5);
    assert_int_equal(record.type, 0x0201);
    assert_true(span_equal(record.body, span_string("abc")));
    assert_true(record_next(&rest, &record));
    assert_int_equal(record.type, 4);
    assert_int_equal(record.body.size, 0);
    assert_false(record_next(&rest, &record));
}

static void malformed_record_lists_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX];
    size_t size = two_records(bytes);
    for (size_t cut = 0; cut < size; cut++) {
        bool whole = cut == 8 || cut == 8 + RECORD_PREFIX_SIZE + 3; /* no record, the first record */
        assert_int_equal(decode_exact(&list_type, bytes, cut), whole);
    }
    store_u32(bytes + 8, UINT32_MAX); /* a size that would wrap */
    assert_false(decode_exact(&list_type, bytes, size));
}

static void random_bytes_never_lead_outside(void **state)
{
    (void)state;
    const uint64_t seed = 20240611;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    uint32_t accepted = 0;
    for (uint32_t round = 0; round < 20000; round++) {
        uint8_t bytes[96];
        size_t size = (size_t)random_below(&random, sizeof bytes);
        for (size_t i = 0; i < size; i++)
            bytes[i] = random_chance(&random, 3, 4) ? 0 : (uint8_t)random_u64(&random);
        accepted += decode_exact(&all_type, bytes, size);
        accepted += decode_exact(&list_type, bytes, size);
    }
    assert_true(accepted > 0);
}

static void printing_names_type_and_fields(void **state)
{
    (void)state;
    char text[128];
    size_t length = message_print(&all_type, &sample, text, sizeof text);
    assert_string_equal(text, "ALL {flag=7 node=16909060 term=1230066625199609624 offset=-2 payload=[5]}");
    assert_int_equal(length, strlen(text));
}

static void printing_is_cut_to_its_size(void **state)
{
    (void)state;
    char text[8] = "xxxxxxx";
    assert_int_equal(message_print(&all_type, &sample, text, 6), 5);
    assert_string_equal(text, "ALL {");
    assert_int_equal(text[6], 'x');
    assert_int_equal(message_print(&all_type, &sample, text, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding_is_little_endian_without_padding),
        cmocka_unit_test(tail_stays_where_it_lies),
        cmocka_unit_test(decoding_gives_the_same_fields),
        cmocka_unit_test(kinds_with_a_meaning_travel_as_numbers),
        cmocka_unit_test(short_and_long_bodies_are_refused),
        cmocka_unit_test(records_are_walked_in_order),
        cmocka_unit_test(malformed_record_lists_are_refused),
        cmocka_unit_test(random_bytes_never_lead_outside),
        cmocka_unit_test(printing_names_type_and_fields),
        cmocka_unit_test(printing_is_cut_to_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
