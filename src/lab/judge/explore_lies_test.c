/* What traitors may say under vectors, oral and signed messages: everything that matters, and each once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/judge/explore_properties.h"
#include "lab/judge/explore_rounds.h"
#include "protocol/consensus/byzantine_vectors.h"
#include "protocol/consensus/oral_messages.h"
#include "protocol/consensus/signed_messages.h"

enum { N = 4, LIES_MAX = 64, EFFECTS_MAX = 64 };

/* A member of four that hears. */
struct listening {
    uint64_t memory[1 << 14];
    struct group_spec spec;
    struct effect effects[EFFECTS_MAX];
    uint8_t scratch[1 << 15];
    struct effects out;
    void *self;
};

static void give(struct listening *member, const struct event *event)
{
    member->out.count = 0;
    member->out.scratch_used = 0;
    member->spec.protocol->step(member->self, event, &member->out);
}

static void timers_run_out(struct listening *member, uint32_t times)
{
    const struct event event = {.kind = EVENT_TIMEOUT, .timeout = {.name = ROUNDS_TIMER}};
    for (uint32_t i = 0; i < times; i++)
        give(member, &event);
}

static void start(struct listening *member, const struct protocol *protocol)
{
    static const uint32_t members[N] = {1, 2, 3, 4};
    memset(member, 0, sizeof *member);
    member->spec = (struct group_spec){
        .group = 1, .name = "g", .self = 1, .members = members, .member_count = N, .protocol = protocol};
    spec_defaults(&member->spec.tuning);
    member->out = (struct effects){.list = member->effects,
                                   .capacity = EFFECTS_MAX,
                                   .scratch = member->scratch,
                                   .scratch_size = sizeof member->scratch};
    member->self = protocol->create(heap_init(member->memory, sizeof member->memory), &member->spec, 1);
    const struct event event = {.kind = EVENT_START, .start = {.kind = START_FIRST, .incarnation = 1}};
    give(member, &event);
}

/* How many messages the traitor at place 3 may send it; no two are the same. */
static uint32_t lies_to(const struct listening *member, bool unknown, const struct explore_said *known,
                        struct explore_lie *last)
{
    static uint8_t seen[LIES_MAX][MESSAGE_HEAD_SIZE_MAX + EXPLORE_LIE_BYTES];
    size_t sizes[LIES_MAX];
    const struct explore_listener listener = {.spec = &member->spec,
                                              .self = member->self,
                                              .from = N - 1,
                                              .values = 2,
                                              .unknown = unknown,
                                              .known = known,
                                              .known_count = known != NULL,
                                              .traitors = 1u << (N - 1)};
    const struct explore_property *property = explore_property_of(member->spec.protocol);
    uint32_t count = 0;
    for (; property->lie(&listener, count, last); count++) {
        struct span tail;
        const struct message_type *type = &member->spec.protocol->messages.types[last->type];
        assert_true(count < LIES_MAX);
        size_t head = message_encode(type, last->body, seen[count], &tail);
        if (tail.size > 0)
            memcpy(seen[count] + head, tail.data, tail.size);
        sizes[count] = head + tail.size;
        for (uint32_t i = 0; i < count; i++)
            assert_false(sizes[i] == sizes[count] && memcmp(seen[i], seen[count], sizes[i]) == 0);
    }
    return count;
}

/* Each message that matters is listed once: a value in round 1, in round 2 a value for each of two others in OM and for
 * each of three in vectors. */
static void a_traitor_can_say_everything(void **state)
{
    static const struct {
        const struct protocol *protocol;
        bool unknown;
        uint32_t first, second; /* round */
    } rows[] = {{&byzantine_vectors_protocol, false, 2, 8},
                {&byzantine_vectors_protocol, true, 3, 27},
                {&oral_messages_protocol, false, 2, 4},
                {&oral_messages_protocol, true, 3, 9}};
    static struct listening member;
    struct explore_lie lie;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(&member, rows[i].protocol);
        assert_int_equal(lies_to(&member, rows[i].unknown, NULL, &lie), 0); /* nobody is a traitor so early */
        timers_run_out(&member, 2);
        assert_int_equal(lies_to(&member, rows[i].unknown, NULL, &lie), rows[i].first);
        const struct explore_listener listener = {.spec = &member.spec, .self = member.self, .from = 3, .values = 2};
        assert_true(explore_property_of(rows[i].protocol)->lie(&listener, 1, &lie));
        const struct event event = {.kind = EVENT_MESSAGE,
                                    .message = {.from = {4, 1}, .incarnation = 1, .type = lie.type, .body = lie.body}};
        give(&member, &event); /* it joins, because of that */
        timers_run_out(&member, 1);
        assert_int_equal(lies_to(&member, rows[i].unknown, NULL, &lie), rows[i].second);
        timers_run_out(&member, 1);
        assert_int_equal(lies_to(&member, rows[i].unknown, NULL, &lie), 0); /* one agreement is explored */
    }
}

/* Any set of its own two values' chains; and with it none, or one of two forged by each of two others; or what it
 * heard. */
static void a_traitor_signs_and_passes_on(void **state)
{
    static struct listening member;
    struct signed_chain chain = {.value = 7};
    struct explore_lie lie;
    uint8_t bytes[EXPLORE_LIE_BYTES], body[MESSAGE_HEAD_SIZE_MAX + EXPLORE_LIE_BYTES];
    (void)state;
    start(&member, &signed_messages_protocol);
    timers_run_out(&member, 2);
    assert_int_equal(lies_to(&member, false, NULL, &lie), 4 * (1 + 4));
    signed_chain_sign(&chain, &member.spec, 1, 1);
    const struct signed_relay relay = {
        .instance = 1, .round = 1, .chains = span_of(bytes, signed_chain_encode(&chain, bytes))};
    struct span tail;
    size_t size = message_encode(&signed_messages_protocol.messages.types[SIGNED_RELAY], &relay, body, &tail);
    memcpy(body + size, tail.data, tail.size);
    const struct explore_said said = {
        .from = 1, .to = 3, .type = SIGNED_RELAY, .body = span_of(body, size + tail.size)};
    assert_int_equal(lies_to(&member, false, &said, &lie), 4 * (1 + 4 + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_traitor_can_say_everything),
        cmocka_unit_test(a_traitor_signs_and_passes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
