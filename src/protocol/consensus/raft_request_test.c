/* Raft's requests: forwarding, handing back, refusing, counting. */
#include "protocol/consensus/raft_driver.h"

static struct driver driver;

static void begin(void)
{
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_run(&driver, 30);
}

static void end(void)
{
    driver_destroy(&driver);
}

static void fill_disk(uint32_t place, bool full)
{
    struct driver_member *member = &driver.members[place];
    driver_stored(&driver, place, member->count);
    member->full = full;
    driver_step(&driver, place,
                (struct event){.kind = EVENT_STORED,
                               .stored = {.position = member->durable, .room_bytes = full ? 0 : 1 << 30}});
}

static void update_is_forwarded_and_delivered_at_its_origin(void **state)
{
    (void)state;
    begin();
    driver_update(&driver, 1, 4);
    assert_int_equal(driver_waiting(&driver, 0, RAFT_FORWARD), 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[1].applied, 5);
    assert_int_equal(driver_raft(&driver, 0)->peers.list[1].taken_last, 4);
    end();
}

static void without_a_leader_updates_go_back(void **state)
{
    (void)state;
    begin();
    driver_peer(&driver, 1, 0, PEER_LOST);
    driver_update(&driver, 1, 4);
    assert_int_equal(driver.members[1].again_count, 4);
    assert_int_equal(driver_waiting(&driver, 0, RAFT_FORWARD), 0);
    end();
}

static void full_disk_refuses_what_certainly_never_happened(void **state)
{
    (void)state;
    begin();
    fill_disk(0, true);
    driver_update(&driver, 0, 2);
    assert_int_equal(driver.members[0].refused_count, 2);
    assert_string_equal(driver.members[0].refusal,
                        "MISCONF disk full on node 1: it takes no writes until there is room");
    driver_update(&driver, 2, 3);
    driver_pump(&driver);
    assert_int_equal(driver.members[2].refused_count, 3);
    assert_string_equal(driver.members[2].refusal,
                        "MISCONF disk full on node 1: it takes no writes until there is room");
    fill_disk(0, false);
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].applied, 2);
    end();
}

/* A number that may be in a log already must not be refused: it may be executed yet. */
static void what_was_taken_before_is_never_refused(void **state)
{
    (void)state;
    begin();
    driver_update(&driver, 0, 1);
    driver_update(&driver, 2, 1);
    driver_hop(&driver);
    fill_disk(0, true);
    driver.members[0].next_number = driver.members[2].next_number = 1; /* node/ hands them in again */
    driver_update(&driver, 0, 1);
    driver_update(&driver, 2, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].refused_count, 0);
    assert_int_equal(driver.members[0].again_count, 1);
    assert_int_equal(driver.members[2].refused_count, 0);
    end();
}

/* The other way round: what was refused is not executed by a copy that comes late. */
static void what_was_refused_is_never_taken(void **state)
{
    (void)state;
    begin();
    fill_disk(0, true);
    driver_update(&driver, 2, 1);
    struct leader_forward forward;
    assert_true(driver_find(&driver, 0, RAFT_FORWARD, &forward));
    uint8_t bytes[256];
    memcpy(bytes, forward.bundle.data, forward.bundle.size);
    forward.bundle.data = bytes;
    driver_pump(&driver);
    assert_int_equal(driver.members[2].refused_count, 1);
    fill_disk(0, false);
    driver_inject(&driver, 2, 0, 1, RAFT_FORWARD, &forward);
    assert_int_equal(raft_last_index(driver_raft(&driver, 0)), 1);
    driver_update(&driver, 2, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[2].applied, 2);
    end();
}

static void client_asks(uint32_t place, uint64_t incarnation, uint64_t number, uint8_t *bytes)
{
    struct event event = {.kind = EVENT_REQUEST};
    event.request = (struct event_request){
        .kind = REQUEST_UPDATE, .origin = 9, .incarnation = incarnation, .first_number = number, .count = 1};
    event.request.bytes = span_of(bytes, driver_bundle(bytes, 9, incarnation, number, 1));
    driver_step(&driver, place, event);
}

/* What a client of the group asks between, itself or through a follower, changes nothing of that; and it is never told
 * that something was refused, which is a promise that only a node makes to its own clients. */
static void clients_numbers_are_kept_apart(void **state)
{
    (void)state;
    uint8_t of_client[BUNDLE_HEADER_SIZE + COMMAND_HEADER_SIZE], bytes[256];
    begin();
    fill_disk(0, true);
    driver_update(&driver, 2, 1);
    struct leader_forward forward;
    assert_true(driver_find(&driver, 0, RAFT_FORWARD, &forward));
    memcpy(bytes, forward.bundle.data, forward.bundle.size);
    forward.bundle.data = bytes;
    driver_pump(&driver);
    assert_int_equal(driver.members[2].refused_count, 1);
    client_asks(0, 70, 1, of_client);
    assert_int_equal(driver.members[0].again_count, 1);
    client_asks(2, 70, 1, of_client);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].refused_count, 0);
    assert_int_equal(driver.members[2].refused_count, 1);
    fill_disk(0, false);
    client_asks(2, 70, 1, of_client);
    driver_pump(&driver);
    assert_int_equal(raft_last_index(driver_raft(&driver, 0)), 2);
    driver_inject(&driver, 2, 0, 1, RAFT_FORWARD, &forward);
    assert_int_equal(raft_last_index(driver_raft(&driver, 0)), 2);
    end();
}

/* Also not when only its own node knows that it was handed in twice, and the leader is a new one. */
static void refusal_is_not_believed_when_it_was_handed_in_twice(void **state)
{
    (void)state;
    begin();
    driver_update(&driver, 2, 1);
    driver_clear(&driver.network); /* lost, as far as its node can tell */
    driver.members[2].next_number = 1;
    driver_update(&driver, 2, 1);
    const struct leader_refuse refusal = {.incarnation = 1, .first_number = 1, .count = 1};
    driver_inject(&driver, 0, 2, 1, RAFT_REFUSE, &refusal);
    assert_int_equal(driver.members[2].refused_count, 0);
    end();
}

static void hostile_bundles_are_dropped(void **state)
{
    (void)state;
    begin();
    uint8_t bytes[BUNDLE_HEADER_SIZE + 8 * COMMAND_HEADER_SIZE];
    size_t size = driver_bundle(bytes, 2, 1, 1, 3);
    for (size_t cut = 0; cut < size; cut++) {
        const struct leader_forward forward = {.bundle = span_of(bytes, cut)};
        driver_inject(&driver, 1, 0, 1, RAFT_FORWARD, &forward);
    }
    assert_int_equal(raft_last_index(driver_raft(&driver, 0)), 1);
    end();
}

static void strangers_are_not_heard(void **state)
{
    (void)state;
    begin();
    const struct raft_vote vote = {.term = 99, .last_index = 99, .last_term = 99, .nonce = 1};
    driver_inject(&driver, 40, 1, 1, RAFT_VOTE, &vote);
    driver_inject(&driver, 1, 1, 1, RAFT_VOTE, &vote); /* nor itself, which it never sends to */
    driver_inject(&driver, 0, 1, 1, RAFT_MESSAGE_COUNT, &vote);
    assert_int_equal(driver_raft(&driver, 1)->term, 1);
    end();
}

static void count(uint32_t place, uint64_t index)
{
    driver_step(&driver, place,
                (struct event){.kind = EVENT_REQUEST,
                               .request = {.kind = REQUEST_COUNT, .first_number = 7, .count = 1, .index = index}});
    driver_pump(&driver);
}

static void members_that_stored_are_counted(void **state)
{
    (void)state;
    begin();
    driver.members[2].auto_store = false;
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    count(0, 2);
    assert_int_equal(driver.members[0].counted, 2);
    count(1, 2);
    assert_int_equal(driver.members[1].counted, 2);
    count(1, 1);
    assert_int_equal(driver.members[1].counted, 3);
    driver_stored(&driver, 2, driver.members[2].count);
    driver_pump(&driver);
    count(0, 2);
    assert_int_equal(driver.members[0].counted, 3);
    count(0, 3);
    assert_int_equal(driver.members[0].counted, 0);
    end();
}

/* A client of the group that is no member: its bundle is ordered or given back, never refused, and nobody's numbers are
 * touched. */
static void updates_of_a_session_elsewhere_are_ordered_or_given_back(void **state)
{
    enum { CLIENT = 9 };
    (void)state;
    begin();
    uint64_t delivered = driver.members[0].applied;
    driver_update_of(&driver, 0, CLIENT, 5, 1, 2);
    driver_update_of(&driver, 1, CLIENT, 5, 3, 2);
    assert_int_equal(driver_waiting(&driver, 0, RAFT_FORWARD), 1);
    driver_pump(&driver);
    delivered += 4;
    assert_int_equal(driver.members[0].applied, delivered);
    assert_true(driver_raft(&driver, 0)->intake.incarnation != 5);
    assert_true(driver_raft(&driver, 0)->peers.list[1].taken_incarnation != 5);
    fill_disk(0, true);
    driver_update_of(&driver, 0, CLIENT, 5, 5, 1);
    driver_update_of(&driver, 1, CLIENT, 5, 5, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].applied, delivered);
    assert_int_equal(driver_raft(&driver, 0)->peers.list[1].refused_last, 0);
    driver_peer(&driver, 1, 0, PEER_LOST); /* nobody is known to order */
    driver_update_of(&driver, 1, CLIENT, 5, 5, 1);
    assert_int_equal(driver_waiting(&driver, 0, RAFT_FORWARD), 0);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(driver.members[i].again_count, 1); /* who led could not, who did not knew nobody */
        assert_int_equal(driver.members[i].refused_count, 0);
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(update_is_forwarded_and_delivered_at_its_origin),
        cmocka_unit_test(without_a_leader_updates_go_back),
        cmocka_unit_test(full_disk_refuses_what_certainly_never_happened),
        cmocka_unit_test(what_was_taken_before_is_never_refused),
        cmocka_unit_test(updates_of_a_session_elsewhere_are_ordered_or_given_back),
        cmocka_unit_test(what_was_refused_is_never_taken),
        cmocka_unit_test(clients_numbers_are_kept_apart),
        cmocka_unit_test(refusal_is_not_believed_when_it_was_handed_in_twice),
        cmocka_unit_test(hostile_bundles_are_dropped),
        cmocka_unit_test(strangers_are_not_heard),
        cmocka_unit_test(members_that_stored_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
