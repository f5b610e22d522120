/* What the tests of PBFT share: four members in the small host (protocol_driver.h), and a service whose state shows in
 * which order what was executed. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PBFT_TESTING_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PBFT_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "protocol/consensus/pbft_internal.h"
#include "protocol/protocol_driver.h"

enum { OP_ADD = 30, MEMBERS = 4, CLIENT = 9, REGION_SIZE = 256 << 20 };

/* The service: a chain over the arguments applied, so that another order or another set shows. */
struct chain {
    uint64_t count, digest;
};

static inline void deliver(struct driver *driver, uint32_t node, void *state, bool read, const struct command *command,
                           struct buffer *answer)
{
    struct chain *chain = state;
    struct span rest = command->arguments, argument = {0};
    (void)driver;
    (void)node;
    argument_next(&rest, &argument);
    chain->count += !read;
    for (size_t i = 0; !read && i < argument.size; i++)
        chain->digest = chain->digest * 31 + argument.data[i];
    buffer_append(answer, "+OK\r\n", 5);
}

static const struct driver_service service = {.state_size = sizeof(struct chain), .deliver = deliver};
static struct driver *driver;
static void *region;

static inline int set_up(void **state)
{
    (void)state;
    driver = malloc(sizeof *driver);
    region = aligned_alloc(HEAP_ALIGNMENT, REGION_SIZE);
    return driver == NULL || region == NULL;
}

static inline int tear_down(void **state)
{
    (void)state;
    free(driver);
    free(region);
    return 0;
}

/* Members of the tests' tuning. */
static inline void begin_ablated(uint64_t seed, uint32_t ablations)
{
    driver_init(driver, heap_init(region, REGION_SIZE), &pbft_protocol, &service, MEMBERS, ablations, seed);
}

/* Members that take a checkpoint every 8 numbers, and so have a window of 16. */
static inline void begin_short(uint32_t ablations)
{
    struct tuning tuning;
    spec_defaults(&tuning);
    tuning.checkpoint_interval = 8;
    driver_init_tuned(driver, heap_init(region, REGION_SIZE), &pbft_protocol, &service, MEMBERS, ablations, 1, &tuning);
}

static inline struct chain chain_of(uint32_t node)
{
    struct chain chain;
    memcpy(&chain, driver_member(driver, node)->state, sizeof chain);
    return chain;
}

static inline struct pbft *pbft_of(uint32_t node)
{
    return driver_member(driver, node)->self;
}

static inline void assert_all_have(uint64_t count)
{
    for (uint32_t node = 1; node <= MEMBERS; node++) {
        assert_int_equal(chain_of(node).count, count);
        assert_int_equal(chain_of(node).digest, chain_of(1).digest);
    }
    assert_null(driver->failed);
}

#endif
