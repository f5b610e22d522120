/* Anti-entropy: each promise of the header by a schedule that would show its absence, then random runs with loss,
 * doubling, reordering and crashes, after which all members hold the same; and the same runs with each rule switched
 * off, which must be noticed. */
#include "protocol/replica/anti_entropy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/number.h"
#include "base/time.h"
#include "protocol/protocol_driver.h"
#include "protocol/replica/anti_entropy_member.h"

enum { OP_ADD = 30, NODES_MAX = 4, REGION_SIZE = 96 << 20 };

/* The service: an argument is "origin number value", as the test numbers its updates. Those of an origin must come one
 * after the other; values are summed, so that the order of origins does not matter. "no" is an error when it is asked. */
struct sums {
    uint64_t updates[NODES_MAX + 1], sum;
    uint64_t broken; /* updates that came out of their order */
};

static void deliver(struct driver *driver, uint32_t node, void *state, bool read, const struct command *command,
                    struct buffer *answer)
{
    (void)driver;
    (void)node;
    struct sums *sums = state;
    struct span rest = command->arguments, argument = {0};
    argument_next(&rest, &argument);
    unsigned origin = 0, number = 0, value = 0;
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)argument.size, (const char *)argument.data);
    if (sscanf(text, "%u %u %u", &origin, &number, &value) != 3 || origin > NODES_MAX) {
        buffer_append(answer, "-ERR no\r\n", 9);
        return;
    }
    if (!read) {
        sums->broken += number != sums->updates[origin] + 1;
        sums->updates[origin] = number;
        sums->sum += value;
    }
    buffer_append(answer, "+OK\r\n", 5);
}

static const struct driver_service service = {.state_size = sizeof(struct sums), .deliver = deliver};
static struct driver *driver;
static void *region;
static uint32_t given[NODES_MAX + 1]; /* updates that the service took, by origin */
static uint64_t asked[NODES_MAX + 1]; /* requests of this life, by node */

static void begin(uint32_t members, uint32_t ablations, uint64_t seed)
{
    memset(given, 0, sizeof given);
    memset(asked, 0, sizeof asked);
    driver_init(driver, heap_init(region, REGION_SIZE), &anti_entropy_protocol, &service, members, ablations, seed);
}

static int set_up(void **state)
{
    (void)state;
    driver = malloc(sizeof *driver);
    region = aligned_alloc(HEAP_ALIGNMENT, REGION_SIZE);
    return driver == NULL || region == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    free(driver);
    free(region);
    return 0;
}

static uint64_t add(uint32_t node, unsigned value)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%u %u %u", node, ++given[node], value);
    driver_request(driver, node, ++asked[node], OP_ADD, span_of(text, (size_t)size));
    return asked[node];
}

static struct sums sums_of(uint32_t node)
{
    struct sums sums;
    memcpy(&sums, driver_member(driver, node)->state, sizeof sums);
    return sums;
}

static void *member(uint32_t node)
{
    return driver_member(driver, node)->self;
}

static const char *answer(uint32_t node, uint64_t number)
{
    const struct driver_answer *found = driver_answer(driver, node, number);
    return found != NULL ? found->text : "";
}

static void crash(uint32_t node)
{
    driver_crash(driver, node);
    asked[node] = 0;
}

static bool lose_all(struct driver *self, const struct driver_message *message)
{
    (void)self;
    (void)message;
    return true;
}

static bool lose_updates(struct driver *self, const struct driver_message *message)
{
    (void)self;
    return message->type == AE_UPDATES;
}

static bool same_everywhere(void)
{
    struct sums first = sums_of(1);
    for (uint32_t node = 2; node <= driver->member_count; node++) {
        struct sums other = sums_of(node);
        if (memcmp(&first, &other, sizeof first) != 0)
            return false;
    }
    return first.broken == 0;
}

/* ---- answering ---- */

static void a_member_answers_alone(void **state)
{
    (void)state;
    begin(3, 0, 1);
    driver->lose = lose_all;
    for (uint32_t node = 1; node <= 3; node++)
        add(node, node);
    assert_true(driver_settle(driver));
    for (uint32_t node = 1; node <= 3; node++) {
        assert_string_equal(answer(node, 1), "+OK\r\n");
        assert_int_equal(sums_of(node).sum, node);
    }
    begin(1, 0, 1);
    add(1, 7);
    assert_true(driver_settle(driver));
    assert_string_equal(answer(1, 1), "+OK\r\n");
}

static void an_answer_waits_for_the_disk(void **state)
{
    (void)state;
    begin(3, 0, 1);
    driver->manual_sync = true;
    add(1, 5);
    assert_true(driver_settle(driver));
    assert_null(driver_answer(driver, 1, 1));
    assert_int_equal(sums_of(1).sum, 0);    /* nor does anybody read it yet */
    assert_int_equal(driver->message_count, 0); /* nor hear of it */
    driver_sync(driver, 1);
    assert_true(driver_settle(driver));
    assert_string_equal(answer(1, 1), "+OK\r\n");
    assert_int_equal(sums_of(2).sum, 0); /* it says that it holds an update when its own disk does */
    assert_int_equal(anti_entropy_delivered(member(2), 1), 0);
    driver_sync(driver, 2);
    assert_true(driver_settle(driver));
    assert_int_equal(sums_of(2).sum, 5);
}

static void what_the_service_refuses_goes_nowhere(void **state)
{
    (void)state;
    begin(2, 0, 1);
    driver_request(driver, 1, ++asked[1], OP_ADD, span_string("no"));
    add(1, 3);
    driver_advance(driver, NS_PER_S);
    assert_string_equal(answer(1, 1), "-ERR no\r\n");
    assert_string_equal(answer(1, 2), "+OK\r\n");
    assert_int_equal(driver_member(driver, 2)->record_count, 1);
    assert_true(same_everywhere());
}

static void handing_in_again_is_not_a_second_request(void **state)
{
    (void)state;
    begin(2, 0, 1);
    add(1, 3);
    driver_request(driver, 1, 1, OP_ADD, span_string("1 1 3"));
    assert_true(driver_settle(driver));
    driver_request(driver, 1, 1, OP_ADD, span_string("1 1 3"));
    assert_true(driver_settle(driver));
    assert_int_equal(driver->answer_count, 1);
    assert_int_equal(sums_of(1).sum, 3);
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    begin(1, 0, 1);
    driver->manual_sync = true;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < ANTI_ENTROPY_QUEUE_MAX + 40; i++) {
        add(1, 1);
        driver_turn(driver, 1, 0);
    }
    for (uint32_t i = 0; i < driver->answer_count; i++)
        refused += driver->answers[i].kind == REPLY_REFUSED;
    assert_int_equal(refused, 40);
    assert_memory_equal(answer(1, ANTI_ENTROPY_QUEUE_MAX + 40), "BUSY", 4);
}

/* ---- spreading ---- */

static void mail_brings_an_update_at_once(void **state)
{
    (void)state;
    begin(3, 0, 1);
    add(1, 4);
    add(2, 6);
    assert_true(driver_settle(driver)); /* no time passes */
    assert_int_equal(sums_of(3).sum, 10);
    assert_true(same_everywhere());
}

static void a_digest_brings_what_mail_lost(void **state)
{
    (void)state;
    begin(3, 0, 1);
    driver->lose = lose_updates;
    for (int i = 0; i < 20; i++) {
        add(1, 1);
        add(2, 1);
    }
    driver_advance(driver, NS_PER_S);
    assert_int_equal(sums_of(3).sum, 0);
    driver->lose = NULL;
    driver_advance(driver, NS_PER_S);
    assert_int_equal(sums_of(3).sum, 40);
    assert_true(same_everywhere());
    /* And then nobody sends updates any more. */
    for (int i = 0; i < 5; i++) {
        driver_advance(driver, NS_PER_S / 10);
        for (uint32_t place = 0; place < driver->message_count; place++)
            assert_int_equal(driver->messages[place].type, AE_DIGEST);
    }
}

static void an_update_goes_by_way_of_others(void **state)
{
    (void)state;
    begin(3, 0, 1);
    add(1, 4);
    driver_turn(driver, 1, 0);
    driver->lose = lose_all;
    assert_true(driver_settle(driver));
    driver->lose = NULL;
    driver_turn(driver, 1, 0);
    driver_advance(driver, NS_PER_S);
    assert_true(same_everywhere());
    /* Its origin is away: who has it gives it on. */
    crash(3);
    add(1, 5);
    assert_true(driver_settle(driver));
    crash(1);
    driver_restart(driver, 3, START_RESTARTED);
    driver_advance(driver, NS_PER_S);
    assert_int_equal(sums_of(3).sum, 9);
}

/* ---- what is wrong with a message ---- */

static void inject(uint32_t from, uint32_t to, uint16_t type, struct span bytes)
{
    uint8_t *copy = heap_alloc(driver->heap, bytes.size + 1);
    memcpy(copy, bytes.data, bytes.size);
    driver->messages[driver->message_count++] = (struct driver_message){
        .from = from, .to = to, .incarnation = 1, .type = type, .bytes = span_of(copy, bytes.size)};
    assert_true(driver_settle(driver));
}

/* An update as it would lie in the log of its origin, with one number of it changed. */
static void inject_update(uint32_t origin, uint32_t says, uint64_t number, uint32_t commands)
{
    struct buffer bundle, bytes;
    buffer_init(&bundle, driver->heap);
    buffer_init(&bytes, driver->heap);
    bundle_begin(&bundle);
    for (uint32_t i = 0; i < commands; i++) {
        size_t at = command_begin(&bundle, OP_ADD, 0, 1);
        command_argument(&bundle, span_string("1 1 50"));
        command_end(&bundle, at);
    }
    bundle_header_write(bundle.data, &(struct bundle){.node = says, .count = commands, .incarnation = 9,
                                                      .first_number = 1, .level = COMMAND_LEVEL});
    struct ae_update update = {.origin = origin, .number = number, .bundle = buffer_span(&bundle)};
    uint8_t head[MESSAGE_HEAD_SIZE_MAX], prefix[RECORD_PREFIX_SIZE];
    struct span tail;
    size_t size = message_encode(&ae_records.types[AE_RECORD_UPDATE], &update, head, &tail);
    record_prefix_write(prefix, (uint32_t)(size + tail.size), AE_RECORD_UPDATE, 0);
    buffer_append(&bytes, prefix, sizeof prefix);
    buffer_append(&bytes, head, size);
    buffer_append(&bytes, tail.data, tail.size);
    inject(1, 2, AE_UPDATES, buffer_span(&bytes));
    buffer_free(&bundle);
    buffer_free(&bytes);
}

static void what_is_no_next_update_is_passed_over(void **state)
{
    (void)state;
    begin(2, 0, 1);
    inject_update(1, 1, 2, 1); /* one is missing before it */
    inject_update(1, 1, 0, 1);
    inject_update(1, 2, 1, 1); /* the bundle is another node's */
    inject_update(2, 2, 1, 1); /* its own updates nobody gives it */
    inject_update(9, 9, 1, 1);
    inject_update(1, 1, 1, 2);
    inject_update(1, 1, 1, 0);
    assert_int_equal(driver_member(driver, 2)->record_count, 0);
    inject_update(1, 1, 1, 1);
    assert_int_equal(sums_of(2).sum, 50);
    inject_update(1, 1, 1, 1);
    assert_int_equal(sums_of(2).sum, 50);
    static const uint8_t short_digest[5 + 8] = {1, 8};
    inject(1, 2, AE_DIGEST, span_of(short_digest, sizeof short_digest));
    assert_null(driver->failed);
}

/* ---- restarts ---- */

static void a_restart_goes_on_where_it_was(void **state)
{
    (void)state;
    begin(2, 0, 1);
    driver_member(driver, 1)->spec.tuning.checkpoint_log_bytes = 400;
    for (int i = 0; i < 30; i++)
        add(1, 1);
    driver_advance(driver, NS_PER_S);
    assert_true(driver_member(driver, 1)->checkpoints > 0);
    add(1, 1);
    assert_true(driver_settle(driver));
    crash(1);
    driver_restart(driver, 1, START_RESTARTED);
    assert_true(driver_settle(driver));
    assert_int_equal(sums_of(1).sum, 31);
    add(1, 1);
    driver_advance(driver, NS_PER_S);
    assert_int_equal(sums_of(2).sum, 32);
    assert_true(same_everywhere());
}

static void who_lost_its_disk_takes_no_part(void **state)
{
    (void)state;
    begin(2, 0, 1);
    crash(2);
    driver_restart(driver, 2, START_AMNESIAC);
    add(1, 1);
    add(2, 1);
    driver_advance(driver, NS_PER_S);
    assert_true(anti_entropy_is_inert(member(2)));
    assert_memory_equal(answer(2, 1), "UNAVAILABLE", 11);
    assert_int_equal(sums_of(2).sum, 0);
    /* One that lost own updates without knowing it learns so from those that hold them. */
    begin(2, 0, 1);
    static const uint8_t digest[5 + 16] = {0, 16, 0, 0, 0, 3};
    inject(2, 1, AE_DIGEST, span_of(digest, sizeof digest));
    assert_true(anti_entropy_is_inert(member(1)));
}

/* ---- the log's bounds ---- */

static void what_all_hold_leaves_the_log(void **state)
{
    (void)state;
    begin(3, 0, 1);
    for (uint32_t node = 1; node <= 3; node++)
        driver_member(driver, node)->spec.tuning.checkpoint_log_bytes = 400;
    for (int i = 0; i < 60; i++) {
        add(1, 1);
        driver_advance(driver, NS_PER_S / 5);
    }
    for (uint32_t node = 1; node <= 3; node++)
        assert_in_range(anti_entropy_logged(member(node)), 0, 20);
    crash(3); /* from now on somebody lacks them */
    uint32_t before = anti_entropy_logged(member(1));
    for (int i = 0; i < 60; i++) {
        add(1, 1);
        driver_advance(driver, NS_PER_S / 5);
    }
    assert_in_range(anti_entropy_logged(member(1)), 60, before + 60);
    driver_restart(driver, 3, START_RESTARTED);
    driver_advance(driver, 2 * NS_PER_S);
    assert_true(same_everywhere());
}

static void too_many_that_somebody_lacks_are_refused(void **state)
{
    (void)state;
    begin(3, 0, 1);
    for (uint32_t node = 1; node <= 3; node++)
        driver_member(driver, node)->spec.tuning.log_entries_max = 128;
    uint32_t most = anti_entropy_own_max(&driver_member(driver, 1)->spec);
    assert_int_equal(most, 16);
    crash(3);
    for (uint32_t i = 0; i < most; i++)
        add(1, 1);
    driver_advance(driver, NS_PER_S);
    assert_int_equal(sums_of(2).sum, most);
    uint64_t refused = add(1, 1);
    given[1]--;
    driver_advance(driver, NS_PER_S);
    assert_memory_equal(answer(1, refused), "BUSY this member keeps 16 updates", 33);
    add(2, 1); /* others have their own part */
    driver_advance(driver, NS_PER_S);
    assert_int_equal(sums_of(1).sum, most + 1);
    driver_restart(driver, 3, START_RESTARTED);
    driver_advance(driver, 2 * NS_PER_S);
    uint64_t taken = add(1, 1);
    driver_advance(driver, NS_PER_S);
    assert_string_equal(answer(1, taken), "+OK\r\n");
    assert_true(same_everywhere());
}

static void a_full_disk_refuses_and_comes_back(void **state)
{
    (void)state;
    begin(2, 0, 1);
    driver_member(driver, 1)->full = true;
    assert_true(driver_settle(driver));
    uint64_t refused = add(1, 1);
    given[1]--;
    add(2, 1);
    driver_advance(driver, NS_PER_S);
    assert_memory_equal(answer(1, refused), "MISCONF disk full on node 1", 27);
    assert_int_equal(driver_member(driver, 1)->record_count, 0);
    driver_member(driver, 1)->full = false;
    driver_advance(driver, NS_PER_S);
    assert_int_equal(sums_of(1).sum, 1);
    add(1, 1);
    driver_advance(driver, NS_PER_S);
    assert_true(same_everywhere());
}

/* ---- random runs ---- */

static const char *out_of_order(void)
{
    for (uint32_t node = 1; node <= driver->member_count; node++)
        if (driver_member(driver, node)->up && sums_of(node).broken > 0)
            return "AE-1 an update came out of its order";
    return driver->failed;
}

/* The numbers in the updates are the test's: what a crash took before it was answered, is given again by that number. */
static void give_again(uint32_t node)
{
    given[node] = (uint32_t)sums_of(node).updates[node];
}

static const char *random_run(uint32_t ablations, uint64_t seed)
{
    begin(3, ablations, seed);
    driver->loss = 10;
    driver->duplication = 10;
    driver->manual_sync = true;
    uint64_t answered[NODES_MAX + 1] = {0};
    for (uint32_t node = 1; node <= 3; node++)
        driver_member(driver, node)->spec.tuning.checkpoint_log_bytes = 600;
    for (int i = 0; i < 500; i++) {
        uint32_t node = 1 + (uint32_t)random_below(&driver->random, 3);
        bool up = driver_member(driver, node)->up;
        if (random_chance(&driver->random, 1, 30)) {
            if (up) {
                crash(node);
            } else {
                driver_restart(driver, node, START_RESTARTED);
                driver_turn(driver, node, 0);
                driver_turn(driver, node, 0);
                if (sums_of(node).updates[node] < answered[node])
                    return "AE-2 an answered update is gone";
                give_again(node);
            }
        } else if (up && given[node] == sums_of(node).updates[node] && driver->answer_count < 400) {
            add(node, 1);
        }
        driver_run_random(driver, 3);
        for (uint32_t each = 1; each <= 3; each++)
            if (driver_member(driver, each)->up && sums_of(each).updates[each] > answered[each])
                answered[each] = sums_of(each).updates[each];
        if (out_of_order() != NULL)
            return out_of_order();
    }
    driver->manual_sync = false;
    for (uint32_t node = 1; node <= 3; node++)
        if (!driver_member(driver, node)->up)
            driver_restart(driver, node, START_RESTARTED);
    driver_advance(driver, 10 * NS_PER_S);
    if (out_of_order() != NULL)
        return out_of_order();
    return same_everywhere() ? NULL : "CAP-AP members differ";
}

static void random_runs_keep_every_promise(void **state)
{
    (void)state;
    uint64_t updates = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        const char *wrong = random_run(0, seed);
        if (wrong != NULL)
            fail_msg("seed %llu: %s (node %u)", (unsigned long long)seed, wrong, driver->failed_node);
        updates += sums_of(1).sum;
    }
    print_message("seeds 1 to 40: %llu updates\n", (unsigned long long)updates);
    assert_true(updates > 400);
}

static void each_rule_switched_off_is_noticed(void **state)
{
    (void)state;
    for (uint32_t rule = 0; anti_entropy_protocol.ablations[rule] != NULL; rule++) {
        const char *wrong = NULL;
        uint64_t seed = 0;
        while (wrong == NULL && seed < 100)
            wrong = random_run((uint32_t)ABLATION_PROTOCOL_FIRST << rule, ++seed);
        if (wrong == NULL)
            fail_msg("%s was not noticed in 100 runs", anti_entropy_protocol.ablations[rule]);
        print_message("%s: seed %llu: %s\n", anti_entropy_protocol.ablations[rule], (unsigned long long)seed, wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_answers_alone),
        cmocka_unit_test(an_answer_waits_for_the_disk),
        cmocka_unit_test(what_the_service_refuses_goes_nowhere),
        cmocka_unit_test(handing_in_again_is_not_a_second_request),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(mail_brings_an_update_at_once),
        cmocka_unit_test(a_digest_brings_what_mail_lost),
        cmocka_unit_test(an_update_goes_by_way_of_others),
        cmocka_unit_test(what_is_no_next_update_is_passed_over),
        cmocka_unit_test(a_restart_goes_on_where_it_was),
        cmocka_unit_test(who_lost_its_disk_takes_no_part),
        cmocka_unit_test(what_all_hold_leaves_the_log),
        cmocka_unit_test(too_many_that_somebody_lacks_are_refused),
        cmocka_unit_test(a_full_disk_refuses_and_comes_back),
        cmocka_unit_test(random_runs_keep_every_promise),
        cmocka_unit_test(each_rule_switched_off_is_noticed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
