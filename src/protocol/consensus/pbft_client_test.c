/* PBFT and clients that are no members: whose requests they are, what the checkpoint says of them, and looks (Castro99,
 * sections 4.1 and 4.4). */
#include "protocol/consensus/pbft_testing.h"

static void begin(uint32_t ablations)
{
    begin_ablated(1, ablations);
}

/* To all members, as a client does. */
static void ask(uint32_t client, uint64_t incarnation, uint64_t number)
{
    for (uint32_t node = 1; node <= MEMBERS; node++)
        driver_client_request(driver, node, client, incarnation, number, OP_ADD, span_string("a"));
}

static uint32_t requests_seen;
static bool count_requests(struct driver *of, const struct driver_message *message)
{
    (void)of;
    requests_seen += message->type == PBFT_REQUEST;
    return false;
}

static void a_clients_request_is_executed_and_not_sent_on(void **state)
{
    (void)state;
    begin(0);
    requests_seen = 0;
    driver->lose = count_requests;
    ask(CLIENT, 1, 1);
    driver_advance(driver, 20 * NS_PER_MS);
    assert_all_have(1);
    assert_int_equal(requests_seen, 0);
    assert_int_equal(driver->answer_count, 0); /* node/ answers clients */
    ask(CLIENT, 1, 1);
    driver_advance(driver, 20 * NS_PER_MS);
    assert_all_have(1);
}

/* Two backups that prepared vouch for what the third did not get. */
static void who_lacks_a_clients_request_fetches_it(void **state)
{
    (void)state;
    begin(0);
    for (uint32_t node = 1; node <= 3; node++)
        driver_client_request(driver, node, CLIENT, 1, 1, OP_ADD, span_string("a"));
    driver_advance(driver, 2 * NS_PER_S);
    assert_all_have(1);
    for (uint32_t node = 1; node <= MEMBERS; node++)
        assert_int_equal(pbft_view(driver_member(driver, node)->self), 1);
}

/* A client that sends to all but the primary, or to a backup alone, makes nobody leave the view; the first gets its
 * answer (Castro99, section 4.4). */
static void who_lacks_a_request_hears_of_it(void **state)
{
    (void)state;
    for (uint32_t many = 0; many <= 1; many++) {
        begin(0);
        for (uint32_t node = many != 0 ? 2 : 4; node <= MEMBERS; node++)
            driver_client_request(driver, node, CLIENT, 1, 1, OP_ADD, span_string("a"));
        driver_advance(driver, 5 * NS_PER_S);
        assert_all_have(many);
        for (uint32_t node = 1; node <= MEMBERS; node++)
            assert_int_equal(pbft_view(driver_member(driver, node)->self), 1);
    }
}

static bool lose_primary(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->from == 1 || message->to == 1;
}

/* A hundred that one backup alone has been sent do not keep one from being told of that all have. */
static void what_few_hold_does_not_hide_what_all_hold(void **state)
{
    (void)state;
    begin(0);
    driver->lose = lose_primary;
    for (uint32_t client = 100; client < 200; client++)
        driver_client_request(driver, 3, client, 1, 1, OP_ADD, span_string("a"));
    driver_advance(driver, NS_PER_S);
    ask(CLIENT, 1, 1);
    driver_advance(driver, 5 * NS_PER_S);
    for (uint32_t node = 2; node <= MEMBERS; node++) {
        assert_true(chain_of(node).count >= 1);
        assert_true(pbft_view(driver_member(driver, node)->self) > 1);
    }
}

/* A primary that restarts asks for the next view alone. Two are left in its view and 4 is down: the two lose patience only
 * when they hear that the third holds the request too. */
static void who_waits_for_a_view_alone_still_counts(void **state)
{
    (void)state;
    begin(0);
    driver->lose = lose_primary;
    ask(CLIENT, 1, 1);
    driver_advance(driver, 5 * NS_PER_S);
    driver->lose = NULL;
    driver_advance(driver, 2 * NS_PER_S);
    assert_all_have(1);
    uint32_t primary = 1 + (uint32_t)(pbft_view(driver_member(driver, 1)->self) - 1) % MEMBERS;
    assert_int_equal(primary, 2);
    driver_crash(driver, 4);
    driver_crash(driver, primary);
    driver_restart(driver, primary, START_RESTARTED);
    driver_advance(driver, NS_PER_S);
    for (uint32_t node = 1; node <= 3; node++)
        driver_client_request(driver, node, CLIENT, 1, 2, OP_ADD, span_string("a"));
    driver_advance(driver, 10 * NS_PER_S);
    for (uint32_t node = 1; node <= 3; node++)
        assert_int_equal(((const struct pbft *)driver_member(driver, node)->self)->clients[MEMBERS].executed, 2);
}

/* Number 2 and 3 of a session are ordered before number 1, which reached the primary late: they execute once it has come,
 * whether their client hands them in again or not. */
static void what_was_ordered_too_early_is_ordered_again(void **state)
{
    (void)state;
    begin(0);
    ask(CLIENT, 1, 2);
    ask(CLIENT, 1, 3);
    driver_advance(driver, 20 * NS_PER_MS);
    uint64_t before = pbft_executed(driver_member(driver, 1)->self);
    assert_int_equal(before, 2);
    ask(CLIENT, 1, 1);
    driver_advance(driver, 20 * NS_PER_MS);
    const struct pbft *self = driver_member(driver, 2)->self;
    assert_int_equal(self->clients[MEMBERS].executed, 3);
    assert_int_equal(pbft_executed(self), 5); /* each of the two had a number in vain */
    assert_int_equal(pbft_view(self), 1);
}

static void a_new_life_of_a_client_ends_the_former(void **state)
{
    (void)state;
    begin(0);
    for (uint32_t i = 1; i <= 3; i++) {
        ask(CLIENT, 1, i);
        driver_advance(driver, 20 * NS_PER_MS);
    }
    for (uint32_t i = 1; i <= 2; i++) {
        ask(CLIENT, 2, i);
        driver_advance(driver, 20 * NS_PER_MS);
    }
    assert_all_have(5);
    ask(CLIENT, 1, 4);
    driver_advance(driver, 2 * NS_PER_S);
    assert_all_have(5);
    assert_int_equal(pbft_executed(driver_member(driver, 1)->self), 5); /* not even ordered */
}

static void nobody_asks_in_a_members_name(void **state)
{
    (void)state;
    begin(0);
    ask(2, driver_member(driver, 2)->incarnation, 1);
    driver_advance(driver, NS_PER_S);
    assert_all_have(0);
}

enum { CLIENTS = 64, REQUESTS = 260 }; /* one checkpoint: K is 256 in these tests */

/* What is remembered of clients is the same at all members, in whatever order they asked. */
static void members_agree_on_what_they_remember_of_clients(void **state)
{
    (void)state;
    begin(0);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        uint32_t client = 5 + (i * 7) % CLIENTS;
        for (uint32_t j = 0; j < MEMBERS; j++)
            driver_client_request(driver, 1 + (i + j) % MEMBERS, client, 1 + i / CLIENTS, 1, OP_ADD, span_string("a"));
        if (i % 5 == 4)
            driver_advance(driver, 20 * NS_PER_MS);
    }
    assert_all_have(REQUESTS);
    struct span part = driver_member(driver, 1)->part;
    assert_int_equal(driver_member(driver, 1)->checkpoints, 1);
    assert_int_equal(load_u64(part.data + 24), MEMBERS + CLIENTS);
    for (uint32_t node = 2; node <= MEMBERS; node++) {
        assert_int_equal(driver_member(driver, node)->part.size, part.size);
        assert_memory_equal(driver_member(driver, node)->part.data, part.data, part.size);
    }
    for (uint32_t node = 1; node <= MEMBERS; node++) {
        driver_crash(driver, node);
        driver_restart(driver, node, START_RESTARTED);
    }
    driver_advance(driver, 6 * NS_PER_S);
    ask(5, 9, 1);
    driver_advance(driver, 6 * NS_PER_S);
    assert_all_have(REQUESTS + 1);
}

/* Of more clients than fit those that were executed last are kept, and a part is read back as it was written, or not at
 * all. */
static void the_table_of_clients_is_bounded(void **state)
{
    (void)state;
    static const uint32_t members[] = {1, 2, 3, 4};
    struct group_spec spec = {.self = 1, .members = members, .member_count = 4, .protocol = &pbft_protocol};
    spec_defaults(&spec.tuning);
    spec.tuning.checkpoint_interval = 8;
    struct pbft *self = pbft_protocol.create(heap_init(region, REGION_SIZE), &spec, 1);
    for (uint32_t i = 0; i < PBFT_CLIENTS_MAX + 8; i++) {
        self->executed++;
        struct pbft_known known = {
            .origin = 1000 - i * 3, .count = 2, .incarnation = 1, .first_number = 1, .first_incomplete = 1};
        pbft_client_executed(self, &known);
        known.executed = false;
        assert_true(pbft_client_done(self, &known));
    }
    assert_int_equal(self->client_count, 4 + PBFT_CLIENTS_MAX);
    struct pbft_known old = {.origin = 1000, .count = 2, .incarnation = 1, .first_number = 1};
    assert_false(pbft_client_done(self, &old));
    uint8_t bytes[4096], again[4096];
    size_t size = pbft_clients_write(self, bytes);
    assert_true(pbft_clients_read(self, span_of(bytes, size)));
    assert_int_equal(pbft_clients_write(self, again), size);
    assert_memory_equal(bytes, again, size);
    uint8_t *last = bytes + size - PBFT_CLIENT_SIZE;
    assert_false(pbft_clients_read(self, span_of(bytes, size - 1)));
    store_u64(last, load_u64(last) - 3); /* two of one id */
    assert_false(pbft_clients_read(self, span_of(bytes, size)));
    store_u64(last, 2); /* a member among the clients */
    assert_false(pbft_clients_read(self, span_of(bytes, size)));
}

/* Member 3 prepares and hears no COMMIT. */
static bool lose_commits_to_3(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return (message->type == PBFT_COMMIT || message->type == PBFT_COMMITTED) && message->to == 3;
}

/* Castro99, section 4.4: a look waits until all that the member has prepared is executed. */
static void a_look_waits_for_what_is_prepared(void **state)
{
    (void)state;
    for (uint32_t broken = 0; broken <= 1; broken++) {
        begin(broken != 0 ? PBFT_ABLATION_LOOK_AT_ONCE : 0);
        driver_look(driver, 3, CLIENT, 1, 2);
        driver_advance(driver, NS_PER_MS);
        assert_int_equal(driver_member(driver, 3)->looks, 2); /* nothing is prepared */
        driver->lose = lose_commits_to_3;
        ask(CLIENT, 1, 1);
        driver_advance(driver, 20 * NS_PER_MS);
        assert_int_equal(chain_of(1).count, 1);
        assert_int_equal(chain_of(3).count, 0);
        driver_look(driver, 3, CLIENT, 3, 2);
        driver_look(driver, 1, CLIENT, 3, 2);
        driver_advance(driver, 20 * NS_PER_MS);
        assert_int_equal(driver_member(driver, 1)->looks, 2);
        assert_int_equal(driver_member(driver, 3)->looks, broken != 0 ? 4 : 2);
        driver->lose = NULL;
        driver_advance(driver, 2 * NS_PER_S);
        assert_int_equal(chain_of(3).count, 1);
        assert_int_equal(driver_member(driver, 3)->looks, 4);
    }
}

/* What prepared before a restart counts as before. */
static void a_look_waits_after_a_restart(void **state)
{
    (void)state;
    begin(0);
    driver->lose = lose_commits_to_3;
    ask(CLIENT, 1, 1);
    driver_advance(driver, 20 * NS_PER_MS);
    driver_crash(driver, 3);
    driver_restart(driver, 3, START_RESTARTED);
    driver_look(driver, 3, CLIENT, 1, 1);
    driver_advance(driver, 20 * NS_PER_MS);
    assert_int_equal(driver_member(driver, 3)->looks, 0);
    driver->lose = NULL;
    driver_advance(driver, 2 * NS_PER_S);
    assert_int_equal(chain_of(3).count, 1);
    assert_int_equal(driver_member(driver, 3)->looks, 1);
}

static bool lose_all_to_3(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->to == 3;
}

/* Checkpoint and log are damaged: what is left is a state below the low water mark, and no vote between the two. */
static void a_look_waits_for_the_low_water_mark(void **state)
{
    (void)state;
    struct tuning tuning;
    spec_defaults(&tuning);
    tuning.checkpoint_interval = 8;
    driver_init_tuned(driver, heap_init(region, REGION_SIZE), &pbft_protocol, &service, MEMBERS, 0, 1, &tuning);
    for (uint64_t number = 1; number <= 8; number++) {
        ask(CLIENT, 1, number);
        driver_advance(driver, 20 * NS_PER_MS);
    }
    driver_advance(driver, NS_PER_S);
    assert_int_equal(pbft_stable(driver_member(driver, 3)->self), 8);
    driver_crash(driver, 3);
    struct driver_member *third = driver_member(driver, 3);
    third->has_checkpoint = false;
    uint32_t last = third->record_count - 1;
    while (third->records[last].type != PBFT_RECORD_STATE)
        last--;
    third->records[0] = third->records[last];
    third->record_count = 1;
    driver->lose = lose_all_to_3;
    driver_restart(driver, 3, START_RESTARTED);
    assert_int_equal(pbft_stable(driver_member(driver, 3)->self), 8);
    assert_int_equal(pbft_executed(driver_member(driver, 3)->self), 0);
    driver_look(driver, 3, CLIENT, 1, 1);
    driver_advance(driver, 20 * NS_PER_MS);
    assert_int_equal(driver_member(driver, 3)->looks, 0);
    driver->lose = NULL;
    driver_advance(driver, 2 * NS_PER_S);
    assert_int_equal(chain_of(3).count, 8);
    assert_int_equal(driver_member(driver, 3)->looks, 1);
}

enum { LOOKS_MANY = 300, LOOKS_KEPT = 256 };

static void looks_that_wait_are_bounded(void **state)
{
    (void)state;
    begin(0);
    driver->lose = lose_commits_to_3;
    ask(CLIENT, 1, 1);
    driver_advance(driver, 20 * NS_PER_MS);
    for (uint32_t i = 0; i < LOOKS_MANY; i++) {
        driver_look(driver, 3, CLIENT, 1 + i, 1);
        driver_turn(driver, 3, 0);
    }
    driver->lose = NULL;
    driver_advance(driver, 2 * NS_PER_S);
    assert_int_equal(driver_member(driver, 3)->looks, LOOKS_KEPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_clients_request_is_executed_and_not_sent_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_lacks_a_clients_request_fetches_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_lacks_a_request_hears_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_few_hold_does_not_hide_what_all_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_ordered_too_early_is_ordered_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_waits_for_a_view_alone_still_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_life_of_a_client_ends_the_former, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_asks_in_a_members_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(members_agree_on_what_they_remember_of_clients, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_table_of_clients_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_look_waits_for_what_is_prepared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_look_waits_after_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_look_waits_for_the_low_water_mark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(looks_that_wait_are_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
