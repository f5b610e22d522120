/* The voter: k+1 equal answers (RED-6, TMR-1 and TMR-2; AG-9, "client accepts on f+1 equal"), looks by 2k+1 (5.1). */
#include "protocol/replica/voter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/heap_system.h"
#include "base/random.h"
#include "base/test_seed.h"
#include "base/time.h"
#include "contract/client.h"
#include "contract/command.h"

enum { GATEWAY = 9, INCARNATION = 5, MEMBERS_MOST = 7 };
static const uint32_t nodes[MEMBERS_MOST] = {1, 2, 3, 4, 5, 6, 7};
static const struct protocol lying = {.name = "lying", .masks = MASKS_ARBITRARY};
static const struct protocol crashing = {.name = "crashing", .masks = MASKS_CRASH};

struct booth {
    struct group_spec spec;
    struct heap *heap;
    void *self;
    struct effects effects;
    int64_t now_ns;
};

static void booth_open(struct booth *booth, const struct protocol *served_by, uint32_t members, uint32_t vote,
                       uint32_t ablations)
{
    *booth = (struct booth){.spec = {.group = 1,
                                     .self = GATEWAY,
                                     .members = nodes,
                                     .member_count = members,
                                     .protocol = &voter_protocol,
                                     .served_by = served_by,
                                     .vote = vote,
                                     .ablations = ablations}};
    spec_defaults(&booth->spec.tuning);
    booth->heap = heap_create_system(voter_protocol.heap_size(&booth->spec));
    assert_non_null(booth->heap);
    booth->self = voter_protocol.create(booth->heap, &booth->spec, 7);
    booth->effects.capacity = voter_protocol.effects_max(&booth->spec);
    booth->effects.list = malloc(booth->effects.capacity * sizeof *booth->effects.list);
    booth->effects.scratch_size = voter_protocol.scratch_max(&booth->spec);
    booth->effects.scratch = malloc(booth->effects.scratch_size);
}

static void booth_close(struct booth *booth)
{
    free(booth->effects.list);
    free(booth->effects.scratch);
    heap_destroy_system(booth->heap);
}

static void step(struct booth *booth, struct event *event)
{
    event->now_ns = booth->now_ns;
    booth->effects.count = 0;
    booth->effects.scratch_used = 0;
    voter_protocol.step(booth->self, event, &booth->effects);
    const char *broken = voter_protocol.check(booth->self);
    if (broken != NULL)
        fail_msg("%s", broken);
}

static void start(struct booth *booth)
{
    struct event event = {.kind = EVENT_START};
    event.start = (struct event_start){.kind = START_FIRST, .incarnation = INCARNATION};
    step(booth, &event);
    assert_int_equal(booth->effects.count, 1);
    assert_int_equal(booth->effects.list[0].kind, EFFECT_VIEW);
    assert_int_equal(booth->effects.list[0].view.orderer, 0);
}

static void ask(struct booth *booth, enum request_kind kind, uint64_t first, uint32_t count)
{
    struct event event = {.kind = EVENT_REQUEST};
    event.request = (struct event_request){
        .kind = kind, .incarnation = INCARNATION, .first_number = first, .count = count, .bytes = span_string("bundle")};
    step(booth, &event);
}

static void say(struct booth *booth, uint32_t node, uint64_t session, bool looks, uint32_t orderer, struct span answers)
{
    const struct client_answers body = {
        .session = session, .looks = looks, .orderer = orderer, .answers = answers};
    struct event event = {.kind = EVENT_MESSAGE};
    event.message = (struct event_message){.from = {.node = node}, .type = CLIENT_ANSWERS, .body = &body};
    step(booth, &event);
}

/* One answer; NULL: it is lost. */
static void answer(struct booth *booth, uint32_t node, bool looks, uint64_t number, const char *text)
{
    static uint8_t region[1 << 15] __attribute__((aligned(4096)));
    struct buffer out;
    buffer_init(&out, heap_init(region, sizeof region));
    assert_true(client_answer_append(
        &out, &(struct client_answer){
                  .number = number, .index = 100 + number, .lost = text == NULL, .bytes = span_string(text ? text : "")}));
    say(booth, node, INCARNATION, looks, 2, buffer_span(&out));
}

static const struct effect *only(const struct booth *booth, enum effect_kind kind)
{
    const struct effect *found = NULL;
    for (uint32_t i = 0; i < booth->effects.count; i++)
        if (booth->effects.list[i].kind == kind) {
            assert_null(found);
            found = &booth->effects.list[i];
        }
    return found;
}

static void expect_reply(const struct booth *booth, enum reply_kind kind, bool read, uint64_t number, const char *text)
{
    const struct effect *effect = only(booth, EFFECT_REPLY);
    assert_non_null(effect);
    assert_int_equal(effect->reply.kind, kind);
    assert_int_equal(effect->reply.read, read);
    assert_int_equal(effect->reply.first_number, number);
    if (text != NULL)
        assert_true(effect->reply.bytes.size >= strlen(text) &&
                    memcmp(effect->reply.bytes.data, text, strlen(text)) == 0);
}

static void expect_sent(const struct booth *booth, uint16_t type, uint32_t first, uint32_t count)
{
    const struct effect *effect = only(booth, EFFECT_SEND);
    assert_non_null(effect);
    assert_int_equal(effect->send.type, type);
    assert_int_equal(effect->send.to_count, count);
    assert_int_equal(effect->send.to[0], first);
    assert_true(span_equal(effect->send.tail, span_string("bundle")));
}

static void k_plus_one_equal_answers_are_believed(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, 0);
    start(&booth);
    ask(&booth, REQUEST_UPDATE, 1, 2);
    expect_sent(&booth, CLIENT_REQUEST, 1, 4);
    answer(&booth, 3, false, 1, "+forged\r\n");
    assert_int_equal(booth.effects.count, 0);
    answer(&booth, 3, false, 1, "+forged\r\n"); /* one member has one vote */
    assert_int_equal(booth.effects.count, 0);
    answer(&booth, 1, false, 1, "+OK\r\n");
    assert_int_equal(booth.effects.count, 0);
    answer(&booth, 8, false, 1, "+forged\r\n"); /* no member */
    assert_int_equal(booth.effects.count, 0);
    answer(&booth, 2, false, 1, "+OK\r\n");
    expect_reply(&booth, REPLY_ANSWER, false, 1, "+OK\r\n");
    assert_int_equal(only(&booth, EFFECT_REPLY)->reply.index, 101);
    assert_int_equal(only(&booth, EFFECT_SUSPECT)->suspect.node, 3);
    assert_int_equal(only(&booth, EFFECT_SUSPECT)->suspect.level, 1);
    assert_non_null(only(&booth, EFFECT_NOTE));
    /* The other number of the bundle waits, and who is late with a lie is told of all the same, once. */
    answer(&booth, 4, false, 1, "+late\r\n");
    assert_null(only(&booth, EFFECT_REPLY));
    assert_int_equal(only(&booth, EFFECT_SUSPECT)->suspect.node, 4);
    answer(&booth, 4, false, 1, "+late\r\n");
    assert_int_equal(booth.effects.count, 0);
    assert_int_equal(voter_wrong_answers(booth.self, 2), 1);
    assert_int_equal(voter_wrong_answers(booth.self, 3), 1);
    assert_int_equal(voter_wrong_answers(booth.self, 0), 0);
    booth_close(&booth);
}

static void one_that_changes_its_mind_is_suspected(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, 0);
    start(&booth);
    ask(&booth, REQUEST_UPDATE, 1, 1);
    answer(&booth, 1, false, 1, "+OK\r\n");
    answer(&booth, 3, false, 1, "+OK\r\n");
    expect_reply(&booth, REPLY_ANSWER, false, 1, "+OK\r\n");
    answer(&booth, 3, false, 1, "+other\r\n");
    assert_int_equal(only(&booth, EFFECT_SUSPECT)->suspect.node, 3);
    booth_close(&booth);
}

static void answers_of_another_session_are_not_counted(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, 0);
    start(&booth);
    ask(&booth, REQUEST_UPDATE, 1, 1);
    static uint8_t region[1 << 15] __attribute__((aligned(4096)));
    struct buffer out;
    buffer_init(&out, heap_init(region, sizeof region));
    assert_true(client_answer_append(&out, &(struct client_answer){.number = 1, .bytes = span_string("+OK\r\n")}));
    for (uint32_t node = 1; node <= 4; node++) {
        say(&booth, node, INCARNATION - 1, false, 1, buffer_span(&out));
        assert_int_equal(booth.effects.count, 0);
    }
    booth_close(&booth);
}

/* Members that answer from what they kept say no index; what was executed has one all the same, for a COUNT of it. */
static void what_was_executed_has_an_index(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, 0);
    start(&booth);
    ask(&booth, REQUEST_UPDATE, 1, 1);
    static uint8_t region[1 << 15] __attribute__((aligned(4096)));
    struct buffer out;
    buffer_init(&out, heap_init(region, sizeof region));
    assert_true(client_answer_append(&out, &(struct client_answer){.number = 1, .bytes = span_string("+OK\r\n")}));
    say(&booth, 1, INCARNATION, false, 1, buffer_span(&out));
    say(&booth, 2, INCARNATION, false, 1, buffer_span(&out));
    expect_reply(&booth, REPLY_ANSWER, false, 1, "+OK\r\n");
    uint64_t index = only(&booth, EFFECT_REPLY)->reply.index;
    assert_int_not_equal(index, 0);
    ask(&booth, REQUEST_COUNT, 1, 1);
    assert_int_equal(only(&booth, EFFECT_REPLY)->reply.count_stored, 3);
    booth_close(&booth);
}

/* TMR-2: no majority means that nobody is believed, and that the client is told. */
static void without_a_majority_nobody_is_believed(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &crashing, 3, 3, 0);
    start(&booth);
    ask(&booth, REQUEST_UPDATE, 1, 1);
    answer(&booth, 1, false, 1, ":1\r\n");
    answer(&booth, 2, false, 1, ":2\r\n");
    assert_int_equal(booth.effects.count, 0);
    answer(&booth, 3, false, 1, ":3\r\n");
    expect_reply(&booth, REPLY_INDETERMINATE, false, 1, "DISAGREE ");
    answer(&booth, 3, false, 1, ":2\r\n"); /* too late, and a second vote */
    assert_int_equal(booth.effects.count, 0);
    booth_close(&booth);
}

static void what_members_have_lost_nobody_can_tell(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, 0);
    start(&booth);
    ask(&booth, REQUEST_UPDATE, 1, 2);
    answer(&booth, 1, false, 1, NULL);
    answer(&booth, 2, false, 1, NULL);
    answer(&booth, 3, false, 1, ":1\r\n");
    assert_int_equal(booth.effects.count, 0);
    answer(&booth, 4, false, 1, ":1\r\n"); /* two have it yet */
    expect_reply(&booth, REPLY_ANSWER, false, 1, ":1\r\n");
    assert_null(only(&booth, EFFECT_SUSPECT));
    for (uint32_t node = 1; node <= 2; node++)
        answer(&booth, node, false, 2, NULL);
    answer(&booth, 3, false, 2, NULL);
    expect_reply(&booth, REPLY_INDETERMINATE, false, 2, "INDETERMINATE ");
    ask(&booth, REQUEST_UPDATE, 3, 1);
    answer(&booth, 1, false, 3, NULL);
    answer(&booth, 1, false, 3, ":3\r\n"); /* it has executed it again, from its log */
    answer(&booth, 1, false, 3, NULL);
    answer(&booth, 2, false, 3, ":3\r\n");
    expect_reply(&booth, REPLY_ANSWER, false, 3, ":3\r\n");
    booth_close(&booth);
}

/* A request goes to who orders; the answers come from all that execute it. */
static void crash_masking_groups_are_asked_where_the_order_is_made(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &crashing, 3, 3, 0);
    start(&booth);
    ask(&booth, REQUEST_UPDATE, 1, 1);
    expect_sent(&booth, CLIENT_REQUEST, 1, 1);
    ask(&booth, REQUEST_UPDATE, 1, 1);
    expect_sent(&booth, CLIENT_REQUEST, 1, 3);
    answer(&booth, 3, false, 1, ":1\r\n"); /* which says that 2 orders */
    ask(&booth, REQUEST_UPDATE, 2, 1);
    expect_sent(&booth, CLIENT_REQUEST, 2, 1);
    struct event event = {.kind = EVENT_PEER};
    event.peer = (struct event_peer){.node = 3, .state = PEER_CONNECTED};
    step(&booth, &event);
    event.peer = (struct event_peer){.node = 2, .state = PEER_LOST};
    step(&booth, &event);
    ask(&booth, REQUEST_UPDATE, 3, 1);
    expect_sent(&booth, CLIENT_REQUEST, 3, 1);
    ask(&booth, REQUEST_READ, 1, 4);
    expect_reply(&booth, REPLY_ORDER, true, 1, NULL);
    assert_int_equal(only(&booth, EFFECT_REPLY)->reply.count, 4);
    booth_close(&booth);
}

static void looks_need_a_quorum(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, 0);
    start(&booth);
    ask(&booth, REQUEST_READ, 1, 2);
    expect_sent(&booth, CLIENT_LOOK, 1, 4);
    assert_non_null(only(&booth, EFFECT_ARM));
    answer(&booth, 1, true, 1, "$1\r\na\r\n");
    answer(&booth, 2, true, 1, "$1\r\na\r\n");
    assert_int_equal(booth.effects.count, 0);
    answer(&booth, 3, true, 1, "$1\r\nb\r\n");
    assert_int_equal(booth.effects.count, 0);
    answer(&booth, 4, true, 1, "$1\r\na\r\n");
    expect_reply(&booth, REPLY_ANSWER, true, 1, "$1\r\na\r\n");
    assert_null(only(&booth, EFFECT_SUSPECT)); /* it may be behind */
    /* Two of each: a place in the order decides. */
    for (uint32_t node = 1; node <= 3; node++)
        answer(&booth, node, true, 2, node % 2 == 0 ? ":1\r\n" : ":2\r\n");
    assert_int_equal(booth.effects.count, 0);
    answer(&booth, 4, true, 2, ":1\r\n");
    expect_reply(&booth, REPLY_ORDER, true, 2, NULL);
    assert_int_equal(voter_looks_agreed(booth.self), 1);
    assert_int_equal(voter_looks_ordered(booth.self), 1);
    booth_close(&booth);
}

static void fire(struct booth *booth)
{
    struct event event = {.kind = EVENT_TIMEOUT};
    event.timeout = (struct event_timeout){.name = 1};
    step(booth, &event);
}

static void looks_that_take_too_long_are_ordered(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, 0);
    start(&booth);
    ask(&booth, REQUEST_READ, 1, 3);
    int64_t first_ns = only(&booth, EFFECT_ARM)->arm.at_ns;
    assert_int_equal(first_ns, booth.spec.tuning.election_timeout_ns / 2);
    booth.now_ns = NS_PER_MS;
    ask(&booth, REQUEST_READ, 4, 1);
    assert_null(only(&booth, EFFECT_ARM));
    for (uint32_t node = 1; node <= 3; node++)
        answer(&booth, node, true, 1, ":1\r\n");
    expect_reply(&booth, REPLY_ANSWER, true, 1, ":1\r\n");
    booth.now_ns = first_ns - 1;
    fire(&booth);
    assert_int_equal(only(&booth, EFFECT_ARM)->arm.at_ns, first_ns);
    assert_null(only(&booth, EFFECT_REPLY));
    booth.now_ns = first_ns;
    fire(&booth);
    expect_reply(&booth, REPLY_ORDER, true, 2, NULL);
    assert_int_equal(only(&booth, EFFECT_REPLY)->reply.count, 3);
    assert_null(only(&booth, EFFECT_ARM));
    for (uint32_t node = 1; node <= 4; node++) {
        answer(&booth, node, true, 2, ":1\r\n");
        assert_int_equal(booth.effects.count, 0);
    }
    assert_int_equal(voter_looks_ordered(booth.self), 3);
    booth_close(&booth);
}

/* A read that is behind another one on its connection must not be answered from an older state than that one. */
static void looks_are_answered_in_order(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, 0);
    start(&booth);
    ask(&booth, REQUEST_READ, 1, 2);
    for (uint32_t node = 1; node <= 3; node++) {
        answer(&booth, node, true, 2, ":2\r\n");
        assert_int_equal(booth.effects.count, 0);
    }
    for (uint32_t node = 1; node <= 3; node++)
        answer(&booth, node, true, 1, ":1\r\n");
    expect_reply(&booth, REPLY_ANSWER, true, 1, ":1\r\n");
    answer(&booth, 4, true, 2, ":2\r\n"); /* the bytes again */
    expect_reply(&booth, REPLY_ANSWER, true, 2, ":2\r\n");
    /* If they do not come again, it is ordered. */
    ask(&booth, REQUEST_READ, 3, 2);
    for (uint32_t node = 1; node <= 4; node++)
        answer(&booth, node, true, 4, node == 4 ? ":0\r\n" : ":2\r\n");
    assert_int_equal(booth.effects.count, 0);
    for (uint32_t node = 1; node <= 3; node++)
        answer(&booth, node, true, 3, ":1\r\n");
    assert_int_equal(booth.effects.list[0].reply.kind, REPLY_ANSWER);
    assert_int_equal(booth.effects.list[1].reply.kind, REPLY_ORDER);
    assert_int_equal(booth.effects.list[1].reply.first_number, 4);
    booth_close(&booth);
}

static void a_wait_is_answered_with_the_quorum(void **state)
{
    (void)state;
    static const struct {
        const struct protocol *served_by;
        uint32_t members, quorum;
    } cases[] = {{&lying, 4, 3}, {&lying, 7, 5}, {&lying, 5, 4}, {&crashing, 3, 2}, {&crashing, 5, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct booth booth;
        booth_open(&booth, cases[i].served_by, cases[i].members, 0, 0);
        start(&booth);
        ask(&booth, REQUEST_COUNT, 1, 1);
        expect_reply(&booth, REPLY_COUNT, false, 1, NULL);
        assert_int_equal(only(&booth, EFFECT_REPLY)->reply.count_stored, cases[i].quorum);
        booth_close(&booth);
    }
}

/* Without the rule, one liar that is fast is believed; and k liars and one that is behind make a look wrong. */
static void the_rules_are_needed(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, VOTER_ABLATION_BELIEVE_FIRST);
    start(&booth);
    ask(&booth, REQUEST_UPDATE, 1, 1);
    answer(&booth, 3, false, 1, "+forged\r\n");
    expect_reply(&booth, REPLY_ANSWER, false, 1, "+forged\r\n");
    booth_close(&booth);
    booth_open(&booth, &lying, 4, 0, VOTER_ABLATION_LOOKS_BY_K_PLUS_1);
    start(&booth);
    ask(&booth, REQUEST_READ, 1, 1);
    answer(&booth, 3, true, 1, ":0\r\n");
    answer(&booth, 4, true, 1, ":0\r\n");
    expect_reply(&booth, REPLY_ANSWER, true, 1, ":0\r\n");
    booth_close(&booth);
}

/* Every pattern of who lies what, in random orders, against the definition: an answer is believed when k+1 gave it, and
 * with no more than k liars it is the correct one (TMR-1). */
static void any_k_liars_are_masked(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("voter_test"));
    static const char *const lies[] = {":1\r\n", ":2\r\n", ":3\r\n"};
    for (uint32_t members = 3; members <= MEMBERS_MOST; members += 2) {
        struct booth booth;
        booth_open(&booth, &crashing, members, members, 0);
        start(&booth);
        uint32_t k = (members - 1) / 2;
        for (uint64_t number = 1; number <= 400; number++) {
            uint32_t order[MEMBERS_MOST], liars = (uint32_t)random_below(&random, members + 1), honest = 0;
            uint32_t said[3] = {0};
            bool replied = false;
            for (uint32_t i = 0; i < members; i++) {
                uint32_t j = (uint32_t)random_below(&random, i + 1);
                order[i] = order[j];
                order[j] = i;
            }
            ask(&booth, REQUEST_UPDATE, number, 1);
            for (uint32_t i = 0; i < members; i++) {
                bool lies_now = order[i] < liars;
                uint32_t text = lies_now ? (uint32_t)random_below(&random, 3) : 0;
                honest += !lies_now;
                said[text]++;
                answer(&booth, order[i] + 1, false, number, lies[text]);
                const struct effect *reply = only(&booth, EFFECT_REPLY);
                if (reply == NULL)
                    continue;
                assert_false(replied);
                replied = true;
                if (reply->reply.kind == REPLY_ANSWER) {
                    assert_int_equal(said[text], k + 1);
                    assert_true(span_equal(reply->reply.bytes, span_string(lies[text])));
                    assert_true(liars > k || text == 0);
                } else {
                    assert_true(liars > k);
                }
            }
            assert_true(replied);
            assert_int_equal(honest, members - liars);
        }
        booth_close(&booth);
    }
}

/* A member that answers what nobody asked, or sends what is no answer, costs nothing and is not asserted on. */
static void nonsense_is_dropped(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, 0);
    start(&booth);
    answer(&booth, 1, false, UINT64_MAX, ":1\r\n");
    answer(&booth, 1, false, 0, ":1\r\n");
    answer(&booth, 1, true, 77, NULL);
    answer(&booth, 1, true, 0, ":1\r\n");
    say(&booth, 1, INCARNATION, true, 77, span_string("what is this?"));
    say(&booth, 1, INCARNATION, false, 0, span_string("it is not a list of answers"));
    struct event event = {.kind = EVENT_MESSAGE};
    const struct client_bundle bundle = {.bundle = span_string("x")};
    event.message = (struct event_message){.from = {.node = 1}, .type = CLIENT_REQUEST, .body = &bundle};
    step(&booth, &event);
    assert_int_equal(booth.effects.count, 0);
    booth_close(&booth);
}

/* More answers than a message may hold: those beyond are left, and the step stays within its bounds. */
static void a_message_is_bounded(void **state)
{
    (void)state;
    struct booth booth;
    booth_open(&booth, &lying, 4, 0, VOTER_ABLATION_BELIEVE_FIRST);
    start(&booth);
    ask(&booth, REQUEST_UPDATE, 1, CLIENT_ANSWERS_MAX + 100);
    struct heap *heap = heap_create_system(1 << 21);
    struct buffer out;
    buffer_init(&out, heap);
    for (uint64_t number = 1; number <= CLIENT_ANSWERS_MAX + 100; number++)
        assert_true(client_answer_append(&out, &(struct client_answer){.number = number, .bytes = span_string(":1\r\n")}));
    say(&booth, 2, INCARNATION, false, 1, buffer_span(&out));
    assert_int_equal(booth.effects.count, CLIENT_ANSWERS_MAX);
    heap_destroy_system(heap);
    booth_close(&booth);
}

/* A gateway that reaches too few members says so by having nobody who orders; node/ then refuses. */
static void requests_are_taken_while_enough_members_can_be_reached(void **state)
{
    (void)state;
    static const struct {
        const struct protocol *served_by;
        uint32_t members, vote, needed;
    } cases[] = {{&lying, 4, 0, 3}, {&crashing, 3, 3, 2}, {&crashing, 5, 3, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct booth booth;
        booth_open(&booth, cases[i].served_by, cases[i].members, cases[i].vote, 0);
        start(&booth);
        for (uint32_t connected = 1; connected <= cases[i].members; connected++) {
            struct event event = {.kind = EVENT_PEER};
            event.peer = (struct event_peer){.node = nodes[connected - 1], .state = PEER_CONNECTED};
            step(&booth, &event);
            assert_int_equal(booth.effects.count, connected == cases[i].needed ? 1 : 0);
            if (booth.effects.count == 1)
                assert_int_equal(booth.effects.list[0].view.orderer, GATEWAY);
        }
        for (uint32_t connected = cases[i].members; connected-- > 0;) {
            struct event event = {.kind = EVENT_PEER};
            event.peer = (struct event_peer){.node = nodes[connected], .state = PEER_LOST};
            step(&booth, &event);
            assert_int_equal(booth.effects.count, connected + 1 == cases[i].needed ? 1 : 0);
            if (booth.effects.count == 1)
                assert_int_equal(booth.effects.list[0].view.orderer, 0);
        }
        booth_close(&booth);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_taken_while_enough_members_can_be_reached),
        cmocka_unit_test(k_plus_one_equal_answers_are_believed),
        cmocka_unit_test(one_that_changes_its_mind_is_suspected),
        cmocka_unit_test(answers_of_another_session_are_not_counted),
        cmocka_unit_test(what_was_executed_has_an_index),
        cmocka_unit_test(without_a_majority_nobody_is_believed),
        cmocka_unit_test(what_members_have_lost_nobody_can_tell),
        cmocka_unit_test(crash_masking_groups_are_asked_where_the_order_is_made),
        cmocka_unit_test(looks_need_a_quorum),
        cmocka_unit_test(looks_that_take_too_long_are_ordered),
        cmocka_unit_test(looks_are_answered_in_order),
        cmocka_unit_test(a_wait_is_answered_with_the_quorum),
        cmocka_unit_test(the_rules_are_needed),
        cmocka_unit_test(any_k_liars_are_masked),
        cmocka_unit_test(nonsense_is_dropped),
        cmocka_unit_test(a_message_is_bounded),
    };
    return cmocka_run_group_tests_name("voter", tests, NULL, NULL);
}
