/* Single-decree Paxos, explored: two proposals among three members, with a crash, agree in every ordering; each rule
 * that is switched off does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/judge/explore_properties.h"
#include "lab/judge/explore_synod.h"
#include "protocol/consensus/synod.h"

static struct explore_config usual(uint32_t retries, uint32_t crashes)
{
    struct explore_config config;
    explore_usual(&synod_protocol, &config);
    explore_settle(&config);
    config.timers[0].limit = (uint8_t)retries;
    config.crashes = crashes;
    config.memory_bytes_max = (size_t)1 << 30;
    return config;
}

static struct explore_result explore(const struct explore_config *config)
{
    char why[300];
    struct explorer *explorer = explore_create(config, why, sizeof why);
    if (explorer == NULL)
        fail_msg("%s", why);
    struct explore_result result;
    explore_run(explorer, &result);
    if (result.verdict == EXPLORE_FAILED)
        fail_msg("%s", result.bound);
    print_message("%llu states: %s\n", (unsigned long long)result.states,
                  result.violation != NULL ? result.violation : "no violation");
    explore_destroy(explorer);
    return result;
}

static void complete(const struct explore_config *config)
{
    assert_int_equal(explore(config).verdict, EXPLORE_COMPLETE);
}

static void two_proposers_agree(void **state)
{
    (void)state;
    struct explore_config config = usual(0, 0);
    config.progress = true;
    complete(&config);
    config = usual(0, 1);
    config.request_at = 1; /* both at one member, which may die between them */
    complete(&config);
    config = usual(2, 0);
    config.request_at = 2;
    complete(&config);
}

/* Messages in any order, and disks at their own pace. */
static void one_proposer_over_the_weakest_network(void **state)
{
    (void)state;
    struct explore_config config = usual(2, 0);
    config.requests = 1;
    config.fifo = config.synchronous = false;
    complete(&config);
    config.crashes = 1;
    config.timers[0].limit = 1;
    complete(&config);
}

/* States that are taken for equal behave alike. */
static void states_leave_nothing_out(void **state)
{
    (void)state;
    struct explore_config config = usual(0, 0);
    config.audit = true;
    struct explore_result result = explore(&config);
    assert_true(result.audited > 100);
    assert_int_equal(result.audit_failures, 0);
}

static void breaks(uint32_t ablations, uint32_t retries, uint32_t crashes, const char *tag, uint32_t steps)
{
    struct explore_config config = usual(retries, crashes);
    config.ablations = ablations;
    struct explore_result result = explore(&config);
    assert_int_equal(result.verdict, EXPLORE_VIOLATED);
    assert_memory_equal(result.violation, tag, strlen(tag));
    assert_int_equal(result.trace_length, steps);
}

static uint32_t without(enum synod_ablation rule)
{
    return (uint32_t)ABLATION_PROTOCOL_FIRST << rule;
}

static void each_rule_is_needed(void **state)
{
    (void)state;
    breaks(without(SYNOD_PROMISE_NOT_STORED), 0, 1, "PAX-1", 8);
    breaks(without(SYNOD_ACCEPT_NOT_STORED), 0, 0, "PAX-D", 7);
    breaks(without(SYNOD_PROMISE_FORGOTTEN_ON_RESTART), 0, 1, "PAX-1", 12);
    breaks(without(SYNOD_ACCEPT_BELOW_PROMISE), 0, 0, "PAX-2", 12);
    breaks(without(SYNOD_CHOOSE_OWN_VALUE), 0, 0, "PAX-3", 13);
    breaks(without(SYNOD_CHOOSE_FIRST_SEEN), 1, 0, "PAX-3", 21);
    breaks(without(SYNOD_QUORUM_TOO_SMALL), 0, 0, "PAX-D", 3);
    breaks(ABLATION_ACK_BEFORE_SYNC, 0, 1, "PAX-1", 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_proposers_agree),
        cmocka_unit_test(one_proposer_over_the_weakest_network),
        cmocka_unit_test(states_leave_nothing_out),
        cmocka_unit_test(each_rule_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
