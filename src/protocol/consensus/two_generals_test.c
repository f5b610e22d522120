/* Two generals: AG-1. For every bound on messages, every pattern of losses. */
#include "protocol/consensus/two_generals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/heap_system.h"
#include "base/random.h"
#include "protocol/protocol_driver.h"

static void no_delivery(struct driver *driver, uint32_t node, void *state, bool read, const struct command *command,
                        struct buffer *answer)
{
    (void)driver;
    (void)node;
    (void)state;
    (void)read;
    (void)command;
    (void)answer;
}

/* Loses the messages whose bit is set: bit 0 is the first one. */
struct losses {
    uint64_t pattern;
};

static bool loses(struct driver *driver, const struct driver_message *message)
{
    struct losses *losses = driver->context;
    uint32_t number = load_u32(message->bytes.data + 8);
    return (losses->pattern >> (number - 1) & 1) != 0;
}

struct camp {
    struct heap *heap;
    struct driver driver;
    struct losses losses;
    uint64_t plans;
};

static void pitch(struct camp *camp)
{
    static const struct driver_service service = {.state_size = 8, .deliver = no_delivery};
    camp->heap = heap_create_system((size_t)1 << 26);
    assert_non_null(camp->heap);
    driver_init(&camp->driver, camp->heap, &two_generals_protocol, &service, 2, 0, 1);
    camp->driver.context = &camp->losses;
    camp->driver.lose = loses;
    camp->plans = 0;
}

static void strike(struct camp *camp)
{
    assert_null(camp->driver.failed);
    heap_destroy_system(camp->heap);
}

struct dawn {
    bool proposer, partner; /* who attacks */
};

static struct dawn plan(struct camp *camp, uint32_t bound)
{
    struct two_generals_plan own, heard;
    char digits[16];
    int length = snprintf(digits, sizeof digits, "%u", bound);
    camp->driver.answer_count = 0;
    driver_request(&camp->driver, 1, ++camp->plans, 230, span_of(digits, (size_t)length));
    assert_true(driver_settle(&camp->driver));
    driver_advance(&camp->driver, (int64_t)(bound + 3) * driver_member(&camp->driver, 1)->spec.tuning.heartbeat_ns);
    two_generals_proposed(driver_member(&camp->driver, 1)->self, &own);
    two_generals_heard(driver_member(&camp->driver, 2)->self, &heard);
    assert_true(own.dawned);
    const struct driver_answer *answer = driver_answer(&camp->driver, 1, camp->plans);
    assert_non_null(answer);
    assert_string_equal(answer->text, own.attacks ? "+attack\r\n" : "+stay\r\n");
    return (struct dawn){.proposer = own.attacks, .partner = heard.number == own.number && heard.attacks};
}

/* If nothing is lost, both attack; with no messages at all nobody ever does. */
static void reliable_messengers_are_enough(void **state)
{
    (void)state;
    struct camp camp = {0};
    pitch(&camp);
    for (uint32_t bound = 0; bound <= TWO_GENERALS_MESSAGES_MAX; bound++) {
        struct dawn dawn = plan(&camp, bound);
        assert_int_equal(dawn.proposer, bound > 0);
        assert_int_equal(dawn.partner, bound > 0);
    }
    strike(&camp);
}

/* For every bound r and every pattern of losses: they disagree exactly when the first message that is lost is the last
 * one, number r. So each protocol has its run, and only that one. */
static void every_bound_has_its_run(void **state)
{
    (void)state;
    struct camp camp = {0};
    pitch(&camp);
    for (uint32_t bound = 1; bound <= 8; bound++) {
        uint32_t disagreements = 0;
        for (uint64_t pattern = 0; pattern < UINT64_C(1) << bound; pattern++) {
            camp.losses.pattern = pattern;
            struct dawn dawn = plan(&camp, bound);
            bool last_alone = pattern == UINT64_C(1) << (bound - 1);
            assert_int_equal(dawn.proposer != dawn.partner, last_alone);
            assert_int_equal(dawn.proposer && dawn.partner, pattern == 0);
            disagreements += dawn.proposer != dawn.partner;
        }
        assert_int_equal(disagreements, 1);
    }
    for (uint32_t bound = 9; bound <= TWO_GENERALS_MESSAGES_MAX; bound++) {
        camp.losses.pattern = UINT64_C(1) << (bound - 1);
        struct dawn dawn = plan(&camp, bound);
        assert_true(dawn.proposer != dawn.partner);
    }
    strike(&camp);
}

/* ---- copies: two members without a driver, whose requests have one argument only ---- */

struct pair {
    struct group_spec specs[2];
    void *regions[2], *members[2];
    uint32_t nodes[2];
    struct random random;
    uint64_t loss_one_in;
};

static void pair_init(struct pair *pair, uint64_t loss_one_in)
{
    *pair = (struct pair){.nodes = {1, 2}, .loss_one_in = loss_one_in};
    random_seed(&pair->random, 5);
    for (uint32_t i = 0; i < 2; i++) {
        pair->specs[i] = (struct group_spec){.group = 1, .self = i + 1, .members = pair->nodes, .member_count = 2};
        spec_defaults(&pair->specs[i].tuning);
        size_t size = (two_generals_protocol.heap_size(&pair->specs[i]) + 15) / 16 * 16;
        pair->regions[i] = aligned_alloc(HEAP_ALIGNMENT, size);
        pair->members[i] = two_generals_protocol.create(heap_init(pair->regions[i], size), &pair->specs[i], i);
    }
}

/* Steps a member, and the other one with each message that is not lost. */
static void pair_step(struct pair *pair, uint32_t place, const struct event *event)
{
    struct effect list[TWO_GENERALS_COPIES_MAX + 8];
    static uint8_t scratch[2][(TWO_GENERALS_COPIES_MAX + 8) * EFFECT_SCRATCH_SIZE_MAX];
    struct effects out = {.list = list,
                          .capacity = TWO_GENERALS_COPIES_MAX + 8,
                          .scratch = scratch[place],
                          .scratch_size = sizeof scratch[place],
                          .next_position = 1};
    two_generals_protocol.step(pair->members[place], event, &out);
    assert_null(two_generals_protocol.check(pair->members[place]));
    for (uint32_t i = 0; i < out.count; i++) {
        _Alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
        if (list[i].kind != EFFECT_SEND || random_chance(&pair->random, 1, pair->loss_one_in))
            continue;
        assert_true(message_decode(&two_generals_protocol.messages.types[TG_LETTER], list[i].send.head, body));
        const struct event letter = {.kind = EVENT_MESSAGE,
                                     .message = {.from = {.node = place + 1}, .type = TG_LETTER, .body = body}};
        pair_step(pair, 1 - place, &letter);
    }
}

static void pair_propose(struct pair *pair, uint64_t number, const char *bound, const char *copies)
{
    uint8_t bytes[128] = {0};
    const char *const arguments[] = {bound, copies};
    uint8_t *command = bytes + BUNDLE_HEADER_SIZE, *at = command + COMMAND_HEADER_SIZE;
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(arguments[i]);
        store_u32(at, (uint32_t)size);
        memcpy(at + ARGUMENT_HEADER_SIZE, arguments[i], size);
        at += ARGUMENT_HEADER_SIZE + size;
    }
    store_u32(command, (uint32_t)(at - command - COMMAND_HEADER_SIZE));
    store_u16(command + 4, 230);
    store_u32(command + 8, 2);
    bundle_header_write(bytes, &(struct bundle){.node = 1,
                                                .count = 1,
                                                .incarnation = 1,
                                                .first_number = number,
                                                .level = COMMAND_LEVEL});
    const struct event event = {.kind = EVENT_REQUEST,
                                .request = {.kind = REQUEST_UPDATE,
                                            .first_number = number,
                                            .count = 1,
                                            .bytes = span_of(bytes, (size_t)(at - bytes))}};
    pair_step(pair, 0, &event);
    pair_step(pair, 0, &(struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = TWO_GENERALS_TIMER}});
}

/* With loss p and c copies the one message of r = 1 is lost with p^c: disagreement falls, and never is impossible. */
static void copies_make_it_rarer(void **state)
{
    (void)state;
    enum { PLANS = 40000, LOSS_ONE_IN = 4 };
    static const char *const copies[] = {"1", "2", "3", "4"};
    double expected = PLANS;
    for (size_t c = 0; c < sizeof copies / sizeof copies[0]; c++) {
        struct pair pair;
        uint32_t disagreements = 0;
        pair_init(&pair, LOSS_ONE_IN);
        expected /= LOSS_ONE_IN;
        for (uint64_t number = 1; number <= PLANS; number++) {
            struct two_generals_plan own, heard;
            pair_propose(&pair, number, "1", copies[c]);
            two_generals_proposed(pair.members[0], &own);
            two_generals_heard(pair.members[1], &heard);
            assert_true(own.attacks && own.dawned);
            disagreements += heard.number != own.number || !heard.attacks;
        }
        assert_true(disagreements > expected * 0.8 && disagreements < expected * 1.25);
        free(pair.regions[0]);
        free(pair.regions[1]);
    }
}

static void what_is_no_plan_is_refused(void **state)
{
    (void)state;
    static const char *const words[] = {"65", "-1", "soon"};
    struct camp camp = {0};
    pitch(&camp);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        driver_request(&camp.driver, 1, ++camp.plans, 230, span_string(words[i]));
        assert_true(driver_settle(&camp.driver));
        const struct driver_answer *answer = driver_answer(&camp.driver, 1, camp.plans);
        assert_true(answer != NULL && answer->kind == REPLY_REFUSED);
    }
    driver_request(&camp.driver, 1, ++camp.plans, 230, span_string("3"));
    driver_request(&camp.driver, 1, ++camp.plans, 230, span_string("3"));
    assert_true(driver_settle(&camp.driver));
    assert_non_null(driver_answer(&camp.driver, 1, camp.plans));
    assert_memory_equal(driver_answer(&camp.driver, 1, camp.plans)->text, "BUSY", 4);
    strike(&camp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reliable_messengers_are_enough),
        cmocka_unit_test(every_bound_has_its_run),
        cmocka_unit_test(copies_make_it_rarer),
        cmocka_unit_test(what_is_no_plan_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
