/* The door for faults inside a node: each fault strikes, nothing else changes, and production has no such door. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "node/node_testing.h"

struct meddler {
    enum event_kind kind; /* that it meddles with */
    uint32_t times;
    bool hastens;
    uint32_t answers, messages;
};

static struct meddler meddler;

static uint32_t on_event(void *context, uint32_t group, const struct event *event)
{
    const struct meddler *wants = context;
    assert_int_equal(group, BENCH_GROUP);
    assert_true(event->kind != EVENT_TURN && event->kind != EVENT_START && event->kind != EVENT_STATE);
    return event->kind == wants->kind ? wants->times : 1;
}

static bool hastens(void *context, uint32_t group)
{
    (void)group;
    return ((struct meddler *)context)->hastens;
}

static void answered(void *context, uint32_t group, const struct delivery *delivery, uint8_t *bytes, size_t size)
{
    (void)group;
    (void)delivery;
    ((struct meddler *)context)->answers++;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] == '5') bytes[i] = '6';
}

static void sends(void *context, uint32_t group, uint16_t type, uint8_t *body, size_t size)
{
    (void)group;
    assert_int_equal(type, PUPPET_NOTE);
    assert_true(size >= 12);
    ((struct meddler *)context)->messages++;
    store_u64(body, load_u64(body) + 1);
}

static const struct node_tamper tamper = {
    .context = &meddler, .event = on_event, .hastens = hastens, .answered = answered, .sends = sends};

static int set_up(void **state)
{
    meddler = (struct meddler){.times = 1, .kind = EVENT_MESSAGE};
    *state = bench_create(2, &puppet_protocol, &tally_service);
    return 0;
}

static int tear_down(void **state)
{
    bench_free(*state);
    return 0;
}

static struct machine *started(struct bench *bench, uint32_t id)
{
    struct machine *machine = bench_machine(bench, id);
    machine->options.allow_ablations = true;
    assert_int_equal(machine_start(machine, true), 0);
    machine_settle(machine);
    return machine;
}

static void production_has_no_such_door(void **state)
{
    struct machine *machine = started(*state, 1);
    machine->options.allow_ablations = false;
    assert_false(node_set_tamper(machine->node, &tamper));
    machine_request(machine, false, TALLY_ADD, 5, 1);
    machine_settle(machine);
    assert_string_equal(machine_answer(machine, 1)->text, ":5\r\n");
    assert_int_equal(meddler.answers, 0);
}

static void answers_change_and_the_state_does_not(void **state)
{
    struct machine *machine = started(*state, 1);
    assert_true(node_set_tamper(machine->node, &tamper));
    machine_request(machine, false, TALLY_ADD, 5, 1);
    machine_settle(machine);
    machine_request(machine, true, TALLY_GET, 0, 2);
    machine_settle(machine);
    assert_string_equal(machine_answer(machine, 1)->text, ":6\r\n");
    assert_string_equal(machine_answer(machine, 2)->text, ":6\r\n");
    assert_int_equal(machine_tally(machine)->total, 5);
    assert_int_equal(meddler.answers, 2);
}

static void sends_one(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind == EVENT_REQUEST && puppet->word++ == 0) puppet_send(out, 2, 41, 3);
}

static void messages_change_and_are_still_whole(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = started(bench, 1), *other = started(bench, 2);
    bench_connect(bench, 1, 2);
    bench_settle(bench);
    assert_true(node_set_tamper(machine->node, &tamper));
    machine_puppet(machine)->script = sends_one;
    machine_request(machine, false, TALLY_ADD, 1, 1);
    bench_settle(bench);
    assert_int_equal(meddler.messages, 1);
    const struct puppet_seen *seen = puppet_last(machine_puppet(other), EVENT_MESSAGE);
    assert_non_null(seen);
    assert_true(seen->a == 42 || seen->b == 42 || seen->c == 42);
    for (uint32_t reason = 0; reason < REJECT_COUNT; reason++)
        assert_int_equal(node_counters(other->node)->rejected[reason], 0);
}

static void sends_two(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind != EVENT_REQUEST || puppet->word++ != 0) return;
    static const uint32_t to[] = {1, 2, 3};
    struct effect_send *send = puppet_send(out, 2, 41, 3);
    send->to = to;
    send->to_count = 3;
}

/* Node 2 is told one thing, node 3 nothing, and the node itself the truth. */
static bool sends_to(void *context, const struct node_sending *sending)
{
    (void)context;
    assert_int_equal(sending->kind, HEADER_MESSAGE);
    assert_int_equal(sending->to_self, sending->to == 1);
    assert_int_equal(*sending->sender, 1);
    if (sending->to == 2) store_u64(sending->body, 77);
    return sending->to != 3;
}

static bool heard(const struct machine *machine, uint64_t value)
{
    const struct puppet_seen *seen = puppet_last(machine_puppet(machine), EVENT_MESSAGE);
    return seen != NULL && (seen->a == value || seen->b == value || seen->c == value);
}

static void each_receiver_may_be_told_something_else(void **state)
{
    (void)state;
    static const struct node_tamper equivocates = {.sends_to = sends_to};
    struct bench *bench = bench_create(3, &puppet_protocol, &tally_service);
    struct machine *machines[3];
    for (uint32_t i = 0; i < 3; i++) machines[i] = started(bench, i + 1);
    bench_connect(bench, 1, 2);
    bench_connect(bench, 1, 3);
    bench_settle(bench);
    assert_true(node_set_tamper(machines[0]->node, &equivocates));
    machine_puppet(machines[0])->script = sends_two;
    machine_request(machines[0], false, TALLY_ADD, 1, 1);
    bench_settle(bench);
    assert_true(heard(machines[0], 41));
    assert_true(heard(machines[1], 77));
    assert_false(heard(machines[1], 41));
    assert_int_equal(puppet_count(machine_puppet(machines[2]), EVENT_MESSAGE, 0), 0);
    bench_free(bench);
}

static void events_are_skipped_or_come_twice(void **state)
{
    for (uint32_t times = 0; times <= 2; times++) {
        struct bench *bench = bench_create(2, &puppet_protocol, &tally_service);
        struct machine *machine = started(bench, 1), *other = started(bench, 2);
        bench_connect(bench, 1, 2);
        bench_settle(bench);
        meddler.times = times;
        assert_true(node_set_tamper(other->node, &tamper));
        machine_puppet(machine)->script = sends_one;
        machine_request(machine, false, TALLY_ADD, 1, 1);
        bench_settle(bench);
        assert_int_equal(puppet_count(machine_puppet(other), EVENT_MESSAGE, 0), times);
        bench_free(bench);
    }
    (void)state;
}

static void arms_once(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind == EVENT_REQUEST && puppet->word++ == 0)
        effect_arm(out, 0, 1, 0, event->now_ns + 3600 * NS_PER_S);
}

static void a_timer_fires_before_its_time(void **state)
{
    struct machine *machine = started(*state, 1);
    assert_true(node_set_tamper(machine->node, &tamper));
    machine_puppet(machine)->script = arms_once;
    machine_request(machine, false, TALLY_ADD, 1, 1);
    machine_settle(machine);
    assert_int_equal(puppet_count(machine_puppet(machine), EVENT_TIMEOUT, 0), 0);
    meddler.hastens = true;
    machine_turn(machine);
    machine_turn(machine); /* it was armed once: it fires once */
    assert_int_equal(puppet_count(machine_puppet(machine), EVENT_TIMEOUT, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(production_has_no_such_door, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_change_and_the_state_does_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_change_and_are_still_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_receiver_may_be_told_something_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_are_skipped_or_come_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_fires_before_its_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
