/* The list of answers between members and clients (client.h): what is written is read, and nothing is read beyond it. */
#include "contract/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap.h"

static uint8_t region[1 << 16] __attribute__((aligned(4096)));

static void answers_come_back_in_their_order(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, heap_init(region, sizeof region));
    assert_true(client_answer_append(&out, &(struct client_answer){.number = 7, .index = 9, .bytes = span_string("+OK")}));
    assert_true(client_answer_append(&out, &(struct client_answer){.number = 8, .index = 0, .lost = true}));
    assert_true(client_answer_append(&out, &(struct client_answer){.number = 9, .index = 11}));
    struct span rest = buffer_span(&out);
    struct client_answer answer;
    assert_true(client_answer_next(&rest, &answer));
    assert_int_equal(answer.number, 7);
    assert_int_equal(answer.index, 9);
    assert_true(span_equal(answer.bytes, span_string("+OK")));
    assert_true(client_answer_next(&rest, &answer));
    assert_true(answer.lost && answer.number == 8 && answer.bytes.size == 0);
    assert_true(client_answer_next(&rest, &answer));
    assert_true(!answer.lost && answer.number == 9 && answer.index == 11 && answer.bytes.size == 0);
    assert_false(client_answer_next(&rest, &answer));
    assert_int_equal(rest.size, 0);
}

static void what_is_cut_is_not_read(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, heap_init(region, sizeof region));
    assert_true(client_answer_append(&out, &(struct client_answer){.number = 7, .bytes = span_string("+OK")}));
    for (size_t size = 0; size < out.size; size++) {
        struct span rest = span_of(out.data, size);
        struct client_answer answer;
        assert_false(client_answer_next(&rest, &answer));
        assert_int_equal(rest.size, size);
    }
}

static void a_header_tells_the_type(void **state)
{
    (void)state;
    static const struct field fields[] = {{.name = "value", .kind = FIELD_U64}};
    static const struct message_type types[] = {{.name = NULL}, {.name = "SAID", .fields = fields, .field_count = 1}};
    static const struct message_table table = {types, 2};
    struct header header = {.kind = HEADER_MESSAGE, .type = 1};
    assert_ptr_equal(client_or_member_type(&table, &header), &types[1]);
    header.type = 0;
    assert_null(client_or_member_type(&table, &header));
    header.type = 2;
    assert_null(client_or_member_type(&table, &header));
    header.kind = HEADER_CLIENT;
    assert_ptr_equal(client_or_member_type(&table, &header), &client_messages.types[CLIENT_ANSWERS]);
    header.type = CLIENT_MESSAGE_COUNT;
    assert_null(client_or_member_type(&table, &header));
    header = (struct header){.kind = HEADER_NODE, .type = 1};
    assert_null(client_or_member_type(&table, &header));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_back_in_their_order),
        cmocka_unit_test(what_is_cut_is_not_read),
        cmocka_unit_test(a_header_tells_the_type),
    };
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
