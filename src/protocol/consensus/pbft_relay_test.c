/* PBFT: a client with many requests takes nothing from others: neither their room (pbft_known.c), nor that members tell
 * each other of theirs (pbft_relay.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "protocol/consensus/pbft_internal.h"
#include "protocol/protocol_driver.h"

enum { OP_ADD = 30, MEMBERS = 4, REGION_SIZE = 256 << 20, LIAR = 10, HONEST = 9, MANY = 700, AT_ONCE = 100 };

static void deliver(struct driver *driver, uint32_t node, void *state, bool read, const struct command *command,
                    struct buffer *answer)
{
    (void)driver, (void)node, (void)state, (void)read, (void)command;
    buffer_append(answer, "+OK\r\n", 5);
}

static const struct driver_service service = {.state_size = 8, .deliver = deliver};

static bool lose_of_primary(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->from == 1;
}

/* Requests of the same numbers, but other ones to each member: no two hold the same. */
static void burden(struct driver *driver, uint32_t node)
{
    const char text[2] = {'a', (char)('0' + node)};
    for (uint64_t number = 1; number <= MANY; number++) {
        driver_client_request(driver, node, LIAR, 1, number, OP_ADD, span_of(text, sizeof text));
        if (number % AT_ONCE == 0)
            driver_turn(driver, node, 0);
    }
}

/* The one that waits; NULL: there is none. */
static const struct pbft_known *request_of(const struct pbft *self, uint32_t origin)
{
    const struct pbft_known *known = pbft_known_first(self);
    while (known != NULL && known->origin != origin)
        known = pbft_known_next(self, known);
    return known;
}

/* A primary that lies orders nothing, and a client that lies has many requests at each backup: an honest client's is
 * known to be held by enough members all the same, and so is worth a view change. */
static void many_requests_hide_nobodys(void **state)
{
    (void)state;
    struct driver *driver = malloc(sizeof *driver);
    void *region = aligned_alloc(HEAP_ALIGNMENT, REGION_SIZE);
    assert_true(driver != NULL && region != NULL);
    driver_init(driver, heap_init(region, REGION_SIZE), &pbft_protocol, &service, MEMBERS, 0, 1);
    driver->lose = lose_of_primary;
    for (uint32_t node = 2; node <= MEMBERS; node++)
        burden(driver, node);
    for (uint32_t node = 1; node <= MEMBERS; node++)
        driver_client_request(driver, node, HONEST, 1, 1, OP_ADD, span_string("b"));
    driver_advance(driver, 250 * NS_PER_MS);
    for (uint32_t node = 2; node <= MEMBERS; node++) {
        const struct pbft_known *known = request_of(driver_member(driver, node)->self, HONEST);
        assert_non_null(known);
        assert_true(known->shared);
        assert_false(request_of(driver_member(driver, node)->self, LIAR)->shared);
    }
    assert_null(driver->failed);
    free(region);
    free(driver);
}

/* Whatever its number is, no client fills the room of another's requests. */
static void many_requests_push_out_nobodys(void **state)
{
    (void)state;
    struct tuning tuning;
    struct driver *driver = malloc(sizeof *driver);
    void *region = aligned_alloc(HEAP_ALIGNMENT, REGION_SIZE);
    assert_true(driver != NULL && region != NULL);
    spec_defaults(&tuning);
    tuning.checkpoint_interval = 8; /* room for 144 requests each */
    for (uint32_t liar = HONEST + 1; liar <= HONEST + 2 * PBFT_CLIENTS_MAX; liar++) {
        driver_init_tuned(driver, heap_init(region, REGION_SIZE), &pbft_protocol, &service, MEMBERS, 0, 1, &tuning);
        driver_client_request(driver, 2, HONEST, 1, 1, OP_ADD, span_string("b"));
        for (uint64_t number = 1; number <= 2 * AT_ONCE; number++) {
            driver_client_request(driver, 2, liar, 1, number, OP_ADD, span_string("a"));
            if (number % AT_ONCE == 0)
                driver_turn(driver, 2, 0);
        }
        assert_non_null(request_of(driver_member(driver, 2)->self, HONEST));
        assert_non_null(request_of(driver_member(driver, 2)->self, liar));
    }
    free(region);
    free(driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_requests_hide_nobodys),
        cmocka_unit_test(many_requests_push_out_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
