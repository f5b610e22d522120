/* Who takes an update, hands it on, or refuses it (intake.h). */
#include "protocol/consensus/intake.h"

#include "protocol/consensus/peers_testing.h"

static struct group group;
static struct intake intake;
static bool busy;
static uint32_t appended, appended_origin, overload_asked;
static uint8_t bytes[BUNDLE_HEADER_SIZE + COMMAND_HEADER_SIZE];

static bool overloaded(void *self)
{
    (void)self;
    overload_asked++;
    return busy;
}

static void append(void *self, const struct event *event, struct span bundle, uint32_t count, uint32_t origin,
                   struct effects *out)
{
    (void)self;
    (void)event;
    (void)out;
    assert_int_equal(bundle.size, sizeof bytes);
    appended += count;
    appended_origin = origin;
}

static uint32_t count_stored(void *self, uint64_t index)
{
    (void)self;
    return index == 7 ? 4 : 0;
}

static const struct intake_order order = {&group_wire, overloaded, append, count_stored};
static const struct intake_role leads = {.leads = true, .leader = 3}, follows = {.leader = 2}, lost = {.leader = 0},
                                full = {.leads = true, .leader = 3, .disk_full = true};

static int begin(void **state)
{
    (void)state;
    group_create(&group);
    intake = (struct intake){.order = &order, .peers = &group.peers};
    busy = false;
    appended = appended_origin = overload_asked = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    group_free(&group);
    return 0;
}

static struct span bundle(uint32_t node, uint64_t incarnation, uint64_t number)
{
    const struct bundle header = {.node = node, .count = 1, .incarnation = incarnation, .first_number = number,
                                  .level = COMMAND_LEVEL};
    memset(bytes, 0, sizeof bytes);
    bundle_header_write(bytes, &header);
    return span_of(bytes, sizeof bytes);
}

static void update(struct intake_role role, uint64_t number)
{
    group_clear(&group);
    const struct event event = {.kind = EVENT_REQUEST,
                                .request = {.kind = REQUEST_UPDATE, .incarnation = 30, .first_number = number,
                                            .count = 1, .bytes = bundle(3, 30, number)}};
    intake_on_request(&intake, role, &event, &group.out);
}

static const char *forwarded(struct intake_role role, uint32_t from, struct span contents)
{
    group_clear(&group);
    const struct leader_forward message = {.bundle = contents};
    const struct event event = {.kind = EVENT_MESSAGE,
                                .message = {.type = GROUP_FORWARD, .from = {from, 1}, .incarnation = 10 * from,
                                            .body = &message}};
    return intake_on_message(&intake, role, &event, &group.out);
}

static enum reply_kind replied(void)
{
    const struct effect *reply = NULL;
    assert_int_equal(group_effects(&group, EFFECT_REPLY, &reply), 1);
    return reply->reply.kind;
}

static void the_leader_orders_and_a_follower_forwards(void **state)
{
    (void)state;
    update(leads, 1);
    assert_true(appended == 1 && appended_origin == 3 && group.out.count == 0);
    update(follows, 2);
    assert_int_equal(appended, 1);
    struct leader_forward message;
    group_sent(&group, GROUP_FORWARD, 2, &message);
    assert_memory_equal(message.bundle.data, bytes, sizeof bytes);
    const struct effect *send = NULL;
    (void)group_effects(&group, EFFECT_SEND, &send);
    assert_int_equal(send->send.to_incarnation, 20);
    update(lost, 3);
    assert_int_equal(replied(), REPLY_AGAIN);
    busy = true;
    update(leads, 3);
    assert_int_equal(replied(), REPLY_AGAIN);
}

/* With a full disk what is new is refused; what may lie in a log already is not. */
static void what_may_be_in_a_log_is_not_refused(void **state)
{
    (void)state;
    update(full, 1);
    assert_int_equal(replied(), REPLY_REFUSED);
    update(follows, 2);
    update(full, 2);
    assert_int_equal(replied(), REPLY_AGAIN);
    assert_null(forwarded(leads, 2, bundle(2, 20, 5)));
    assert_int_equal(appended, 1);
    assert_null(forwarded(full, 2, bundle(2, 20, 5)));
    assert_int_equal(group.out.count, 0);
}

static void what_was_refused_is_never_taken(void **state)
{
    (void)state;
    assert_null(forwarded(full, 2, bundle(2, 20, 5)));
    struct leader_refuse refusal;
    group_sent(&group, GROUP_REFUSE, 2, &refusal);
    assert_true(refusal.incarnation == 20 && refusal.first_number == 5 && refusal.count == 1);
    assert_null(forwarded(leads, 2, bundle(2, 20, 5))); /* doubled on the way */
    assert_int_equal(appended, 0);
    assert_null(forwarded(leads, 2, bundle(2, 20, 6)));
    assert_int_equal(appended, 1);
    assert_null(forwarded(leads, 2, bundle(2, 21, 5))); /* another session */
    assert_int_equal(appended, 2);
}

/* A refusal that comes after the number was handed in again is not believed. */
static void a_refusal_holds_for_what_was_handed_in_once(void **state)
{
    (void)state;
    update(follows, 1);
    struct leader_refuse refusal = {.incarnation = 30, .first_number = 1, .count = 1};
    const struct event event = {.kind = EVENT_MESSAGE,
                                .message = {.type = GROUP_REFUSE, .from = {2, 1}, .body = &refusal}};
    group_clear(&group);
    (void)intake_on_message(&intake, follows, &event, &group.out);
    assert_int_equal(replied(), REPLY_REFUSED);
    update(follows, 1);
    group_clear(&group);
    (void)intake_on_message(&intake, follows, &event, &group.out);
    assert_int_equal(group.out.count, 0);
    refusal = (struct leader_refuse){.incarnation = 29, .first_number = 9, .count = 1};
    (void)intake_on_message(&intake, follows, &event, &group.out);
    assert_int_equal(group.out.count, 0);
}

static void bad_and_useless_forwards_are_dropped(void **state)
{
    (void)state;
    assert_non_null(forwarded(leads, 2, span_of(bytes, 5)));
    assert_null(forwarded(follows, 2, bundle(2, 20, 1)));
    busy = true;
    assert_null(forwarded(leads, 2, bundle(2, 20, 1)));
    assert_true(appended == 0 && group.out.count == 0);
    assert_int_equal(peers_find(&group.peers, 2)->taken_last, 0);
}

/* A session that is no member's: ordered under its own name, forwarded, or dropped, and never answered. */
static void foreign_sessions_are_never_answered(void **state)
{
    (void)state;
    struct event event = {.kind = EVENT_REQUEST,
                          .request = {.kind = REQUEST_UPDATE, .origin = 9, .incarnation = 90, .first_number = 4,
                                      .count = 1, .bytes = bundle(9, 90, 4)}};
    intake_on_request(&intake, leads, &event, &group.out);
    assert_true(appended == 1 && appended_origin == 9);
    intake_on_request(&intake, full, &event, &group.out);
    intake_on_request(&intake, lost, &event, &group.out);
    busy = true;
    intake_on_request(&intake, leads, &event, &group.out);
    assert_null(forwarded(leads, 2, bundle(9, 90, 4)));
    busy = false;
    assert_null(forwarded(full, 2, bundle(9, 90, 4)));
    assert_null(forwarded(follows, 1, bundle(9, 90, 4)));
    assert_true(appended == 1 && group.out.count == 0);
    assert_null(forwarded(leads, 2, bundle(9, 90, 4)));
    assert_true(appended == 2 && appended_origin == 9);
    intake_on_request(&intake, follows, &event, &group.out);
    struct leader_forward message;
    group_sent(&group, GROUP_FORWARD, 2, &message);
    const struct peer *peer = peers_find(&group.peers, 2);
    assert_true(intake.incarnation == 0 && intake.last == 0);
    assert_true(peer->taken_incarnation == 0 && peer->taken_last == 0 && peer->refused_last == 0);
    event.request.origin = 0; /* the own one */
    intake_on_request(&intake, leads, &event, &group.out);
    assert_int_equal(intake.last, 4);
}

static void counts_are_asked_of_the_leader(void **state)
{
    (void)state;
    const struct event request = {.kind = EVENT_REQUEST,
                                  .request = {.kind = REQUEST_COUNT, .first_number = 8, .index = 7}};
    intake_on_request(&intake, leads, &request, &group.out);
    assert_int_equal(replied(), REPLY_COUNT);
    assert_int_equal(group.list[0].reply.count_stored, 4);
    group_clear(&group);
    intake_on_request(&intake, follows, &request, &group.out);
    struct leader_count question;
    group_sent(&group, GROUP_COUNT, 2, &question);
    assert_true(question.number == 8 && question.index == 7);
    group_clear(&group);
    const struct event asked = {.kind = EVENT_MESSAGE,
                                .message = {.type = GROUP_COUNT, .from = {5, 1}, .body = &question}};
    (void)intake_on_message(&intake, follows, &asked, &group.out);
    assert_int_equal(group.out.count, 0);
    (void)intake_on_message(&intake, leads, &asked, &group.out);
    struct leader_count_ack ack;
    group_sent(&group, GROUP_COUNT_ACK, 5, &ack);
    assert_true(ack.number == 8 && ack.count == 4);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        test(the_leader_orders_and_a_follower_forwards),
        test(what_may_be_in_a_log_is_not_refused),
        test(what_was_refused_is_never_taken),
        test(a_refusal_holds_for_what_was_handed_in_once),
        test(bad_and_useless_forwards_are_dropped),
        test(foreign_sessions_are_never_answered),
        test(counts_are_asked_of_the_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
