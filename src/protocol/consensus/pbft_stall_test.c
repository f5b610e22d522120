/* PBFT: shapes in which everybody could wait for ever, found by campaigns, and one alarm that was false. */
#include "protocol/consensus/pbft_testing.h"

static void begin(void)
{
    begin_ablated(1, 0);
}

static uint64_t count_of(uint32_t node)
{
    return chain_of(node).count;
}

static bool of_view_change(const struct driver_message *message)
{
    return message->type == PBFT_VIEW_CHANGE || message->type == PBFT_VIEW_CHANGE_ACK ||
           message->type == PBFT_NEW_VIEW;
}

/* Member 1 is gone. */
static bool lose_1(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->from == 1 || message->to == 1;
}

/* Primaries of views before the third are not heard, and member 4 hears how far others are, and nothing else. */
static bool lose_until_view_3(struct driver *of, const struct driver_message *message)
{
    (void)of;
    bool early = message->type == PBFT_PRE_PREPARE && load_u64(message->bytes.data) < 3;
    bool four = (message->from == 4 || message->to == 4) && message->type != PBFT_STATUS;
    return early || four;
}

static bool lose_view_changes_to_4(struct driver *of, const struct driver_message *message)
{
    return lose_1(of, message) || (message->to == 4 && of_view_change(message));
}

/* Member 4 is in a view that began without it; of those who could show it the VIEW-CHANGEs one is dead and one has gone
 * on. The third is the view's primary, which waits for nobody. */
static void a_view_that_nobody_can_show_is_left(void **state)
{
    (void)state;
    begin();
    driver->lose = lose_until_view_3;
    driver_request(driver, 2, 1, OP_ADD, span_string("a"));
    for (uint32_t i = 0; i < 1000 && (pbft_view(pbft_of(4)) != 3 || count_of(3) == 0); i++)
        driver_advance(driver, 10 * NS_PER_MS);
    assert_int_equal(count_of(3), 1);
    assert_true(pbft_of(3)->active && pbft_of(3)->view == 3);
    assert_true(!pbft_of(4)->active && pbft_of(4)->view == 3);
    driver->lose = lose_view_changes_to_4;
    driver_request(driver, 2, 2, OP_ADD, span_string("b"));
    for (uint32_t i = 0; i < 1000 && pbft_view(pbft_of(2)) == 3; i++)
        driver_advance(driver, 10 * NS_PER_MS);
    assert_true(pbft_of(3)->active && pbft_of(3)->view == 3 && pbft_of(4)->view == 3 && pbft_of(2)->view == 4);
    driver->lose = lose_1;
    driver_advance(driver, 60 * NS_PER_S);
    for (uint32_t node = 2; node <= 4; node++)
        assert_int_equal(count_of(node), 2);
    assert_null(driver->failed);
}

/* The primary tells member 4 nothing, and COMMITs reach member 3 alone. */
static bool lose_for_2_and_4(struct driver *of, const struct driver_message *message)
{
    (void)of;
    bool commit = message->type == PBFT_COMMIT || message->type == PBFT_COMMITTED;
    return (message->from == 1 && message->to == 4) || (commit && message->to != 3);
}

/* Member 3 has executed it and waits for nothing, and the faulty primary is gone: two hold it, and must leave. */
static void what_one_executed_the_others_need_not_all_hold(void **state)
{
    (void)state;
    begin();
    driver->lose = lose_for_2_and_4;
    driver_request(driver, 2, 1, OP_ADD, span_string("a"));
    driver_advance(driver, 20 * NS_PER_MS);
    assert_int_equal(count_of(3), 1);
    driver->lose = lose_1;
    driver_advance(driver, 60 * NS_PER_S);
    for (uint32_t node = 2; node <= 4; node++)
        assert_int_equal(count_of(node), 1);
    assert_null(driver->failed);
}

/* One of a client's requests reached member 2 alone; then member 2 becomes primary. */
static void a_new_primary_does_not_order_what_it_alone_holds(void **state)
{
    (void)state;
    begin();
    driver_client_request(driver, 2, CLIENT, 1, 1, OP_ADD, span_string("lost"));
    driver_advance(driver, 2 * NS_PER_S);
    assert_int_equal(pbft_view(pbft_of(2)), 1); /* one member's request is worth no view change */
    driver->lose = lose_1;
    driver_request(driver, 3, 1, OP_ADD, span_string("a"));
    driver_advance(driver, 60 * NS_PER_S);
    for (uint32_t node = 2; node <= 4; node++) {
        assert_int_equal(pbft_view(pbft_of(node)), 2);
        assert_int_equal(count_of(node), 1);
    }
    for (uint32_t node = 3; node <= 4; node++)
        driver_client_request(driver, node, CLIENT, 1, 1, OP_ADD, span_string("lost"));
    driver_advance(driver, 10 * NS_PER_S);
    for (uint32_t node = 2; node <= 4; node++)
        assert_int_equal(count_of(node), 2);
    assert_null(driver->failed);
}

static void tell_3(uint32_t from, uint16_t type, int64_t time)
{
    const struct pbft_vote vote = pbft_vote_of(1, 1, &(struct pbft_value){.time = time});
    uint8_t *bytes = heap_alloc(driver->heap, MESSAGE_HEAD_SIZE_MAX);
    struct span tail;
    assert_non_null(bytes);
    size_t size = message_encode(&pbft_messages.types[type], &vote, bytes, &tail);
    driver->messages[driver->message_count++] =
        (struct driver_message){.from = from, .to = 3, .incarnation = driver_member(driver, from)->incarnation,
                                .type = type, .bytes = {bytes, size}};
}

/* Others, in a later view, gave the number the same request at another time; then what they said in its view arrives. */
static void what_a_later_view_committed_prepares_no_more_in_this_one(void **state)
{
    (void)state;
    for (uint32_t late = 0; late <= 1; late++) {
        begin();
        if (late != 0) {
            tell_3(2, PBFT_COMMITTED, 7);
            tell_3(4, PBFT_COMMITTED, 7);
            assert_true(driver_settle(driver));
        }
        tell_3(1, PBFT_PRE_PREPARE, 5);
        tell_3(2, PBFT_PREPARE, 5);
        tell_3(4, PBFT_PREPARE, 5);
        assert_true(driver_settle(driver));
        uint64_t view;
        struct pbft_value value;
        assert_int_equal(pbft_prepared_at(pbft_of(3), 1, &view, &value), late == 0);
        assert_int_equal(pbft_executed(pbft_of(3)), late);
        assert_null(driver->failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_view_that_nobody_can_show_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_one_executed_the_others_need_not_all_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_primary_does_not_order_what_it_alone_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_later_view_committed_prepares_no_more_in_this_one, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
