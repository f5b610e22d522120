/* One node without peers: the order of a turn, what waits for the disk, and the life of requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "node/node_testing.h"

static int set_up(void **state)
{
    struct bench *bench = bench_create(1, &puppet_protocol, &tally_service);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    bench_free(*state);
    return 0;
}

static struct machine *started(void **state)
{
    struct machine *machine = bench_machine(*state, 1);
    assert_int_equal(machine_start(machine, true), 0);
    machine_settle(machine);
    return machine;
}

/* The same of two nodes, of which the other is down: what it hears of that one a test can say. */
static struct machine *started_of_two(void **state)
{
    bench_free(*state);
    *state = bench_create(2, &puppet_protocol, &tally_service);
    return started(state);
}

static void wait_ms(struct machine *machine, int64_t ms)
{
    machine->bench->now_ns += ms * NS_PER_MS;
    machine_settle(machine);
}

static void answers_value(const struct machine *machine, uint64_t cookie, const char *text)
{
    const struct bench_answer *answer = machine_answer(machine, cookie);
    assert_non_null(answer);
    assert_int_equal(answer->kind, ANSWER_VALUE);
    assert_string_equal(answer->text, text);
}

static void answers_with(const struct machine *machine, uint64_t cookie, enum answer_kind kind, const char *word)
{
    const struct bench_answer *answer = machine_answer(machine, cookie);
    assert_non_null(answer);
    assert_int_equal(answer->kind, kind);
    assert_non_null(strstr(answer->text, word));
}

/* ---- the order of one turn ---- */

static void causes_everything(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind != EVENT_TURN || puppet->word++ > 0) return;
    puppet_mark(out, 1);                        /* STORED */
    puppet_send(out, 1, 5, 10);                 /* MESSAGE */
    effect_arm(out, 0, 3, 0, event->now_ns);    /* TIMEOUT */
    effect_checkpoint(out, 1, (struct span){0}); /* STATE */
}

static void events_come_in_their_order(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    puppet->results = true;
    puppet->script = causes_everything;
    puppet->word = 1;
    machine_request(machine, false, TALLY_ADD, 4, 1);
    machine_turn(machine); /* the update is appended */
    puppet->word = 0;
    machine_request(machine, false, TALLY_ADD, 4, 2);
    machine->disk.completes_later = true;
    machine_turn(machine); /* and everything is caused */
    (void)node_write(machine->node);
    machine_disk(machine);
    machine_request(machine, true, TALLY_GET, 0, 3);
    uint32_t before = puppet->seen_count;
    machine->bench->now_ns += NS_PER_MS;
    machine_turn(machine);
    static const enum event_kind wanted[] = {EVENT_STORED, EVENT_RESULT, EVENT_RESULT, EVENT_MESSAGE,
                                             EVENT_REQUEST, EVENT_TIMEOUT, EVENT_TURN};
    assert_int_equal(puppet->seen_count - before, sizeof wanted / sizeof wanted[0]);
    for (uint32_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_int_equal(puppet->seen[before + i].kind, wanted[i]);
    machine->disk.completes_later = false;
    machine_settle(machine);
    for (int i = 0; i < 40; i++) {
        machine_disk(machine);
        machine_settle(machine);
    }
    assert_int_equal(puppet_count(puppet, EVENT_STATE, 0), 1);
}

static void start_comes_first_and_once(void **state)
{
    struct machine *machine = started(state);
    const struct puppet *puppet = machine_puppet(machine);
    assert_int_equal(puppet->seen[0].kind, EVENT_START);
    assert_int_equal(puppet->seen[0].a, START_FIRST);
    assert_int_equal(puppet_count(puppet, EVENT_START, 0), 1);
    uint32_t seen = puppet->seen_count;
    machine_turn(machine);
    assert_int_equal(puppet->seen_count, seen); /* no input, no step */
}

static void clocks_never_go_back(void **state)
{
    struct machine *machine = started(state);
    machine_request(machine, true, TALLY_GET, 0, 1);
    int64_t now_ns = machine->bench->now_ns;
    node_turn(machine->node, now_ns - NS_PER_S, 0);
    assert_int_equal(puppet_last(machine_puppet(machine), EVENT_REQUEST)->now_ns, now_ns);
}

/* ---- what waits for the disk ---- */

static void waits_for_the_disk(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind != EVENT_REQUEST || event->request.kind != REQUEST_READ) return;
    uint64_t number = event->request.first_number;
    uint64_t position = puppet_mark(out, 9);
    puppet_send(out, 1, 1, 0)->after = position;
    puppet_send(out, 1, 2, 0);
    effect_reply(out, REPLY_ANSWER, true, number, 1, span_string("+held\r\n"))->after = position;
    puppet->word = position;
}

static void what_names_a_position_leaves_when_it_is_stored(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    puppet->reads = PUPPET_KEEP;
    puppet->script = waits_for_the_disk;
    machine->disk.completes_later = true;
    machine_request(machine, true, TALLY_GET, 0, 1);
    machine_settle(machine);
    assert_int_equal(puppet_count(puppet, EVENT_MESSAGE, 0), 1);
    assert_int_equal(puppet_last(puppet, EVENT_MESSAGE)->a, 2); /* it overtook the one that waits */
    assert_null(machine_answer(machine, 1));
    machine_disk(machine);
    assert_null(machine_answer(machine, 1)); /* told in a turn only */
    machine_settle(machine);
    answers_value(machine, 1, "+held\r\n");
    assert_int_equal(puppet_last(puppet, EVENT_MESSAGE)->a, 1);
    assert_int_equal(puppet_last(puppet, EVENT_STORED)->a, puppet->word);
}

static void sends_after_its_mark(struct puppet *puppet, const struct event *event, struct effects *out)
{
    (void)puppet;
    if (event->kind == EVENT_REQUEST)
        puppet_send(out, 1, event->request.first_number, 0)->after = puppet_mark(out, 9);
}

static void each_waits_for_its_own_position(void **state)
{
    struct machine *machine = started(state);
    const struct puppet *puppet = machine_puppet(machine);
    machine_puppet(machine)->script = sends_after_its_mark;
    machine->disk.completes_later = true;
    for (uint64_t number = 1; number <= 2; number++) {
        machine_request(machine, true, TALLY_GET, 0, number);
        machine_settle(machine); /* a write of its own */
    }
    assert_int_equal(machine->disk.pending_count, 2);
    for (uint64_t number = 1; number <= 2; number++) {
        int status;
        uint64_t token = disk_testing_complete(&machine->disk, 0, &status);
        node_disk_complete(machine->node, token, status);
        machine_settle(machine);
        assert_int_equal(puppet_count(puppet, EVENT_MESSAGE, 0), number);
        assert_int_equal(puppet_last(puppet, EVENT_MESSAGE)->a, number);
    }
}

static void nothing_that_waits_survives_a_crash(void **state)
{
    struct machine *machine = started(state);
    machine_puppet(machine)->reads = PUPPET_KEEP;
    machine_puppet(machine)->script = waits_for_the_disk;
    machine->disk.completes_later = true;
    machine_request(machine, true, TALLY_GET, 0, 1);
    machine_settle(machine);
    machine_crash(machine);
    assert_int_equal(machine_start(machine, true), 0);
    machine_settle(machine);
    assert_null(machine_answer(machine, 1));
    assert_int_equal(puppet_count(machine_puppet(machine), EVENT_MESSAGE, 0), 0);
}

/* ---- answers ---- */

static void each_request_is_answered_once_in_order(void **state)
{
    struct machine *machine = started(state);
    for (uint64_t cookie = 1; cookie <= 5; cookie++) machine_request(machine, false, TALLY_ADD, 10, cookie);
    machine_settle(machine);
    const char *texts[] = {":10\r\n", ":20\r\n", ":30\r\n", ":40\r\n", ":50\r\n"};
    for (uint64_t cookie = 1; cookie <= 5; cookie++) {
        answers_value(machine, cookie, texts[cookie - 1]);
        assert_int_equal(machine->answers[cookie - 1].cookie, cookie);
        assert_int_equal(machine->answers[cookie - 1].index, cookie);
    }
    assert_int_equal(puppet_count(machine_puppet(machine), EVENT_REQUEST, 0), 1); /* one bundle a turn */
    wait_ms(machine, 60000);
    assert_int_equal(machine->answer_count, 5);
}

static void abandoned_commands_leave_no_trace(void **state)
{
    struct machine *machine = started(state);
    struct buffer *out = node_request_begin(machine->node, BENCH_GROUP, false);
    size_t at = command_begin(out, TALLY_ADD, 0, 0);
    command_end(out, at);
    node_request_abandon(machine->node, BENCH_GROUP, false);
    machine_settle(machine);
    assert_int_equal(puppet_count(machine_puppet(machine), EVENT_REQUEST, 0), 0);
    machine_request(machine, false, TALLY_ADD, 3, 1);
    machine_settle(machine);
    answers_value(machine, 1, ":3\r\n");
}

static void given_back_is_handed_in_after_ten_ms(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    puppet->updates = PUPPET_AGAIN;
    machine_request(machine, false, TALLY_ADD, 1, 1);
    machine_settle(machine);
    assert_int_equal(puppet_count(puppet, EVENT_REQUEST, 0), 1);
    assert_int_equal(node_next_timer_ns(machine->node), machine->bench->now_ns + 10 * NS_PER_MS);
    wait_ms(machine, 9);
    assert_int_equal(puppet_count(puppet, EVENT_REQUEST, 0), 1);
    puppet->updates = PUPPET_TAKE;
    wait_ms(machine, 1);
    answers_value(machine, 1, ":1\r\n");
    assert_int_equal(node_counters(machine->node)->resubmitted, 0); /* it was given back */
}

static void time_alone_hands_nothing_in_so_soon(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    puppet->updates = PUPPET_KEEP;
    machine_request(machine, false, TALLY_ADD, 1, 1);
    machine_settle(machine);
    puppet->updates = PUPPET_TAKE;
    bench_advance(machine->bench, NS_PER_MS);
    machine_request(machine, true, TALLY_GET, 0, 2);
    machine_settle(machine);
    assert_null(machine_answer(machine, 1));
    answers_value(machine, 2, ":0\r\n");
}

static void changes_view(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind == EVENT_REQUEST && event->request.kind == REQUEST_READ) effect_view(out, ++puppet->word + 10, 1);
}

static void a_change_of_view_hands_in_again(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    puppet->updates = PUPPET_KEEP;
    puppet->script = changes_view;
    machine_request(machine, false, TALLY_ADD, 1, 1);
    machine_settle(machine);
    puppet->updates = PUPPET_TAKE;
    machine_request(machine, true, TALLY_GET, 0, 2);
    machine_settle(machine);
    answers_value(machine, 1, ":1\r\n");
    assert_int_equal(node_counters(machine->node)->resubmitted, 1);
    assert_int_equal(machine_tally(machine)->total, 1);
}

static void the_retry_timer_hands_in_again_and_doubles(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    int64_t timeout_ns = machine->spec.tuning.election_timeout_ns;
    puppet->updates = PUPPET_KEEP;
    machine_request(machine, false, TALLY_ADD, 1, 1);
    machine_settle(machine);
    bench_advance(machine->bench, timeout_ns - 1);
    assert_int_equal(puppet_count(puppet, EVENT_REQUEST, 0), 1);
    bench_advance(machine->bench, 1);
    assert_int_equal(puppet_count(puppet, EVENT_REQUEST, 0), 2);
    bench_advance(machine->bench, timeout_ns * 2 - 1);
    assert_int_equal(puppet_count(puppet, EVENT_REQUEST, 0), 2);
    puppet->updates = PUPPET_TAKE;
    bench_advance(machine->bench, 1);
    answers_value(machine, 1, ":1\r\n");
}

static void what_was_refused_is_never_handed_in_again(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    puppet->updates = PUPPET_KEEP;
    machine_request(machine, false, TALLY_ADD, 1, 1);
    machine_settle(machine);
    puppet->updates = PUPPET_REFUSE;
    machine_request(machine, false, TALLY_ADD, 100, 2);
    machine_settle(machine);
    answers_with(machine, 2, ANSWER_REFUSED, "NO not this");
    puppet->updates = PUPPET_TAKE;
    machine_request(machine, false, TALLY_ADD, 10, 3);
    bench_advance(machine->bench, 4 * NS_PER_S);
    answers_value(machine, 1, ":1\r\n");
    answers_value(machine, 3, ":11\r\n");
    for (uint32_t i = 0; i < puppet->seen_count; i++)
        if (puppet->seen[i].kind == EVENT_REQUEST && puppet->seen[i].b == 2)
            assert_true(i < 20); /* the first time only */
    assert_int_equal(machine_tally(machine)->total, 11);
    assert_true(node_counters(machine->node)->gaps_skipped > 0); /* 3 waited for 1 */
}

static void deadline_of_what_was_with_the_member(void **state)
{
    struct machine *machine = started(state);
    machine_puppet(machine)->updates = PUPPET_KEEP;
    machine_request(machine, false, TALLY_ADD, 1, 1);
    bench_advance(machine->bench, 5 * NS_PER_S - 1);
    assert_null(machine_answer(machine, 1));
    bench_advance(machine->bench, 1);
    answers_with(machine, 1, ANSWER_INDETERMINATE, "INDETERMINATE");
    assert_int_equal(node_counters(machine->node)->indeterminate, 1);
}

/* A node that slept long takes a request before its turn tells it the time. */
static void sleep_does_not_shorten_patience(void **state)
{
    struct machine *machine = started(state);
    machine_puppet(machine)->updates = PUPPET_KEEP;
    machine->bench->now_ns += 60 * NS_PER_S;
    machine_request(machine, false, TALLY_ADD, 1, 1);
    bench_advance(machine->bench, 5 * NS_PER_S - 1);
    assert_null(machine_answer(machine, 1));
    bench_advance(machine->bench, 1);
    answers_with(machine, 1, ANSWER_INDETERMINATE, "INDETERMINATE");
}

static void deadline_of_what_nobody_had(void **state)
{
    puppet_orders_at_start = false;
    struct machine *machine = started(state);
    machine_request(machine, false, TALLY_ADD, 1, 1);
    machine_request(machine, true, TALLY_GET, 0, 2);
    bench_advance(machine->bench, 5 * NS_PER_S);
    answers_with(machine, 1, ANSWER_REFUSED, "CLUSTERDOWN");
    answers_with(machine, 2, ANSWER_REFUSED, "CLUSTERDOWN");
    assert_int_equal(puppet_count(machine_puppet(machine), EVENT_REQUEST, 0), 0);
}

static void deadline_of_what_was_always_given_back(void **state)
{
    struct machine *machine = started(state);
    machine_puppet(machine)->updates = PUPPET_AGAIN;
    machine_request(machine, false, TALLY_ADD, 1, 1);
    bench_advance(machine->bench, 5 * NS_PER_S);
    answers_with(machine, 1, ANSWER_REFUSED, "CLUSTERDOWN");
    assert_true(puppet_count(machine_puppet(machine), EVENT_REQUEST, 0) > 100);
}

static void the_window_pushes_back(void **state)
{
    struct machine *machine = started(state);
    machine_puppet(machine)->updates = PUPPET_KEEP;
    for (uint64_t cookie = 1; cookie <= BENCH_WINDOW; cookie++) {
        assert_true(node_request_room(machine->node, BENCH_GROUP, false));
        machine_request(machine, false, TALLY_ADD, 1, cookie);
    }
    assert_false(node_request_room(machine->node, BENCH_GROUP, false));
    assert_true(node_request_room(machine->node, BENCH_GROUP, true)); /* reads have their own */
    bench_advance(machine->bench, 5 * NS_PER_S);
    assert_true(node_request_room(machine->node, BENCH_GROUP, false));
}

static void first_incomplete_rises_with_the_answers(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    machine_request(machine, false, TALLY_ADD, 1, 1);
    machine_settle(machine);
    assert_int_equal(puppet_last(puppet, EVENT_REQUEST)->c, 1);
    machine_request(machine, false, TALLY_ADD, 1, 2);
    machine_settle(machine);
    assert_int_equal(puppet_last(puppet, EVENT_REQUEST)->b, 2);
    assert_int_equal(puppet_last(puppet, EVENT_REQUEST)->c, 2);
}

/* ---- duplicates ---- */

static void twice(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind != EVENT_STORED || puppet->word != 1) return;
    puppet->word = 2;
    effect_deliver_record(out, 50, event->wall_ns, 1);
}

static void a_command_delivered_twice_executes_once(void **state)
{
    struct machine *machine = started(state);
    machine_puppet(machine)->script = twice;
    machine_puppet(machine)->word = 1;
    machine_request(machine, false, TALLY_ADD, 6, 1);
    machine_settle(machine);
    assert_int_equal(machine_tally(machine)->total, 6);
    assert_int_equal(node_counters(machine->node)->duplicates, 1);
    answers_value(machine, 1, ":6\r\n");
}

static void long_answers_go_out_whole(void **state)
{
    struct machine *machine = started(state);
    machine_request(machine, false, TALLY_SAY, 100000, 1);
    machine_settle(machine);
    assert_int_equal(memcmp(machine_answer(machine, 1)->text, "$100000\r\n", 9), 0);
}

/* ---- reads ---- */

static void one_by_one(struct puppet *puppet, const struct event *event, struct effects *out)
{
    (void)puppet;
    if (event->kind != EVENT_REQUEST || event->request.kind != REQUEST_READ) return;
    effect_deliver_reads(out, 0, event->wall_ns, 3, 1);
    effect_deliver_reads(out, 0, event->wall_ns, 2, 1);
    effect_deliver_reads(out, 0, event->wall_ns, 1, 4); /* 2 and 3 are answered; 9 and 10 are nobody's */
    effect_deliver_reads(out, 0, event->wall_ns, 9, 2);
}

static void reads_are_delivered_by_number_in_any_order(void **state)
{
    struct machine *machine = started(state);
    machine_puppet(machine)->reads = PUPPET_KEEP;
    machine_puppet(machine)->script = one_by_one;
    for (uint64_t cookie = 1; cookie <= 4; cookie++) machine_request(machine, true, TALLY_GET, 0, cookie);
    machine_settle(machine);
    static const uint64_t order[] = {3, 2, 1, 4};
    assert_int_equal(machine->answer_count, 4);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(machine->answers[i].cookie, order[i]);
    assert_int_equal(node_counters(machine->node)->reads, 4);
}

static void last_first(struct puppet *puppet, const struct event *event, struct effects *out)
{
    (void)puppet;
    if (event->kind != EVENT_REQUEST || event->request.kind != REQUEST_READ) return;
    effect_deliver_reads(out, 0, event->wall_ns, 2, 2);
    effect_deliver_reads(out, 0, event->wall_ns, 1, 3);
}

/* A front that uses the memory which the node has just given back. */
static void answered_greedily(void *context, uint64_t cookie, const struct answer *answer)
{
    struct machine *machine = context;
    size_t size = ((size_t)2 << 20) + 4096;
    uint8_t *block = heap_alloc(machine->heap, size);
    memset(block, 0xff, size);
    heap_free(machine->heap, block);
    machine->answers[machine->answer_count++] = (struct bench_answer){.cookie = cookie, .kind = answer->kind};
}

/* The answer to 1 completes the bundle, though 2 and 3 lie behind it: the bundle's memory is gone then. */
static void a_bundle_completed_from_the_back(void **state)
{
    struct machine *machine = started(state);
    machine_puppet(machine)->reads = PUPPET_KEEP;
    machine_puppet(machine)->script = last_first;
    node_set_door(machine->node, &(struct node_door){.context = machine, .answer = answered_greedily});
    struct buffer *out = node_request_begin(machine->node, BENCH_GROUP, true);
    /* Larger than what the pool of buffers keeps, so it goes back to the heap at once. */
    size_t size = (size_t)2 << 20;
    uint8_t *large = calloc(1, size);
    size_t at = command_begin(out, TALLY_GET, 0, 1);
    assert_true(command_argument(out, span_of(large, size)));
    command_end(out, at);
    free(large);
    node_request_commit(machine->node, BENCH_GROUP, true, 1);
    machine_request(machine, true, TALLY_GET, 0, 2);
    machine_request(machine, true, TALLY_GET, 0, 3);
    machine_settle(machine);
    for (uint64_t cookie = 1; cookie <= 3; cookie++) answers_value(machine, cookie, "");
    assert_int_equal(node_counters(machine->node)->reads, 3);
}

/* ---- reads that need a place in the order ---- */

static void second_needs_order(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind != EVENT_REQUEST || event->request.kind != REQUEST_READ || puppet->word++ > 0) return;
    effect_deliver_reads(out, 0, event->wall_ns, 1, 1);
    effect_reply(out, REPLY_ORDER, true, 2, 1, (struct span){0});
    effect_reply(out, REPLY_ORDER, true, 2, 1, (struct span){0}); /* it is not waiting any more */
}

static uint64_t ordered_cookies[8];
static uint32_t ordered_count;

static void note_ordered(void *context, uint64_t cookie)
{
    (void)context;
    ordered_cookies[ordered_count++] = cookie;
}

/* With one read all behind it take the order, those of later bundles too; each is answered once, by its own cookie. */
static void reads_become_updates(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    struct node_door door = machine_door(machine);
    door.ordered = note_ordered;
    node_set_door(machine->node, &door);
    ordered_count = 0;
    puppet->reads = PUPPET_KEEP;
    machine_request(machine, true, TALLY_GET, 0, 1);
    machine_request(machine, true, TALLY_GET, 0, 2);
    machine_request(machine, true, TALLY_GET, 0, 3);
    puppet->script = second_needs_order;
    machine_settle(machine);
    assert_int_equal(ordered_count, 2);
    assert_int_equal(ordered_cookies[0], 2);
    assert_int_equal(ordered_cookies[1], 3);
    for (uint64_t cookie = 1; cookie <= 3; cookie++) answers_value(machine, cookie, ":0\r\n");
    assert_int_equal(machine_answer(machine, 1)->index, 0); /* a read */
    assert_int_equal(machine_answer(machine, 2)->index, 1);
    assert_int_equal(machine_answer(machine, 3)->index, 2);
    assert_true(node_request_room(machine->node, BENCH_GROUP, true));
    struct node_group_status status;
    assert_true(node_group_status(machine->node, BENCH_GROUP, &status));
    assert_int_equal(status.pending_reads + status.pending_updates, 0);
    machine_request(machine, true, TALLY_GET, 0, 4);
    machine_settle(machine);
    assert_null(machine_answer(machine, 4)); /* the lane of reads goes on: the puppet has it, and keeps it */
    assert_int_equal(puppet_last(puppet, EVENT_REQUEST)->b, 4);
}

static void orders_at_peer(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind == EVENT_PEER && puppet->word++ == 0) effect_reply(out, REPLY_ORDER, true, 1, 1, (struct span){0});
}

/* Those that came in this turn and were not handed in yet are behind it too. */
static void reads_of_this_turn_follow(void **state)
{
    struct machine *machine = started_of_two(state);
    struct puppet *puppet = machine_puppet(machine);
    puppet->reads = PUPPET_KEEP;
    puppet->script = orders_at_peer;
    machine_request(machine, true, TALLY_GET, 0, 1);
    machine_settle(machine);
    uint32_t seen = puppet->seen_count;
    machine_request(machine, true, TALLY_GET, 0, 2);
    node_peer_connected(machine->node, 2, 1, (struct span){0});
    machine_settle(machine);
    answers_value(machine, 1, ":0\r\n");
    answers_value(machine, 2, ":0\r\n");
    assert_int_equal(machine_answer(machine, 2)->index, 2);
    for (uint32_t i = seen; i < puppet->seen_count; i++)
        assert_true(puppet->seen[i].kind != EVENT_REQUEST || puppet->seen[i].a == REQUEST_UPDATE);
}

/* It asked once, and waits no longer than it said. */
static void a_read_keeps_its_deadline(void **state)
{
    struct machine *machine = started_of_two(state);
    struct puppet *puppet = machine_puppet(machine);
    puppet->reads = puppet->updates = PUPPET_KEEP;
    puppet->script = orders_at_peer;
    machine_request(machine, true, TALLY_GET, 0, 1);
    bench_advance(machine->bench, 3 * NS_PER_S);
    node_peer_connected(machine->node, 2, 1, (struct span){0});
    bench_advance(machine->bench, 2 * NS_PER_S);
    answers_with(machine, 1, ANSWER_INDETERMINATE, "INDETERMINATE");
}

static void no_room_in_the_order(void **state)
{
    struct machine *machine = started_of_two(state);
    struct puppet *puppet = machine_puppet(machine);
    puppet->reads = puppet->updates = PUPPET_KEEP;
    puppet->script = orders_at_peer;
    machine_request(machine, true, TALLY_GET, 0, 1);
    machine_request(machine, true, TALLY_GET, 0, 2);
    for (uint64_t cookie = 11; node_request_room(machine->node, BENCH_GROUP, false) && cookie < 10 + BENCH_WINDOW; cookie++)
        machine_request(machine, false, TALLY_ADD, 1, cookie);
    machine_settle(machine);
    node_peer_connected(machine->node, 2, 1, (struct span){0});
    machine_settle(machine);
    assert_null(machine_answer(machine, 1)); /* the last place was its */
    answers_with(machine, 2, ANSWER_REFUSED, "BUSY");
}

/* ---- counts ---- */

static void all_counts_of_a_turn_are_asked(void **state)
{
    struct machine *machine = started(state);
    machine_puppet(machine)->count_answer = 3;
    for (uint64_t cookie = 1; cookie <= 5; cookie++) node_request_count(machine->node, BENCH_GROUP, cookie, cookie);
    machine_settle(machine);
    for (uint64_t cookie = 1; cookie <= 5; cookie++) {
        const struct bench_answer *answer = machine_answer(machine, cookie);
        assert_non_null(answer);
        assert_int_equal(answer->kind, ANSWER_COUNT);
        assert_int_equal(answer->count, 3);
    }
}

static void a_count_has_a_deadline(void **state)
{
    struct machine *machine = started(state);
    node_request_count(machine->node, BENCH_GROUP, 1, 1);
    bench_advance(machine->bench, 2 * NS_PER_S);
    answers_with(machine, 1, ANSWER_REFUSED, "CLUSTERDOWN");
}

/* ---- ticks ---- */

static int64_t wall_ns(const struct machine *machine) { return machine->options.wall_ns - machine->options.now_ns; }

static void ticks_come_when_they_are_wanted(void **state)
{
    struct machine *machine = started(state);
    int64_t at_ns = machine->bench->now_ns + 50 * NS_PER_MS;
    machine_request(machine, false, TALLY_WAKE, wall_ns(machine) + at_ns, 1);
    bench_advance(machine->bench, 50 * NS_PER_MS - 1);
    assert_int_equal(machine_tally(machine)->ticks, 0);
    assert_int_equal(node_next_timer_ns(machine->node), at_ns);
    bench_advance(machine->bench, 1);
    assert_int_equal(machine_tally(machine)->ticks, 1);
    bench_advance(machine->bench, NS_PER_S);
    assert_int_equal(machine_tally(machine)->ticks, 1);
    assert_int_equal(machine->answer_count, 1); /* a tick's answer goes nowhere */
}

static void only_who_orders_ticks(void **state)
{
    struct machine *machine = started(state);
    machine_request(machine, false, TALLY_WAKE, wall_ns(machine) + machine->bench->now_ns + NS_PER_MS, 1);
    machine_settle(machine);
    puppet_orders_at_start = false;
    machine_stop(machine);
    assert_int_equal(machine_start(machine, true), 0);
    bench_advance(machine->bench, NS_PER_S);
    assert_int_equal(machine_tally(machine)->ticks, 0);
}

/* A full disk, say: the tick is proposed again, but the node must not spin meanwhile. */
static void a_refused_tick_waits(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    machine_request(machine, false, TALLY_WAKE, wall_ns(machine) + machine->bench->now_ns + NS_PER_MS, 1);
    machine_settle(machine);
    puppet->updates = PUPPET_REFUSE;
    uint64_t turns = node_counters(machine->node)->turns;
    bench_advance(machine->bench, NS_PER_S);
    assert_true(node_counters(machine->node)->turns - turns < 1000);
    puppet->updates = PUPPET_TAKE;
    bench_advance(machine->bench, NS_PER_S);
    assert_int_equal(machine_tally(machine)->ticks, 1);
}

/* ---- timers ---- */

static void arms_and_moves(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind == EVENT_START) {
        effect_arm(out, 0, 1, 0, event->now_ns + 10);
        effect_arm(out, 0, 2, 0, event->now_ns + 10);
        effect_arm(out, 0, 3, 0, event->now_ns + 20);
        effect_arm(out, 0, 3, 1, event->now_ns + 10);
    }
    if (event->kind == EVENT_TIMEOUT && event->timeout.name == 1) {
        effect_disarm(out, 0, 2, 0);
        effect_arm(out, 0, 3, 0, event->now_ns + 1000);
        puppet->word++;
    }
}

static void disarmed_and_moved_timers_do_not_fire(void **state)
{
    struct machine *machine = bench_machine(*state, 1);
    assert_int_equal(machine_start(machine, true), 0);
    struct puppet *puppet = machine_puppet(machine);
    puppet->script = arms_and_moves;
    machine_settle(machine);
    machine->bench->now_ns += 500; /* all four are due by their first times */
    machine_settle(machine);
    assert_int_equal(puppet->word, 1);
    assert_int_equal(puppet_count(puppet, EVENT_TIMEOUT, 0), 2);
    assert_int_equal(puppet_nth(puppet, EVENT_TIMEOUT, 0)->a, 1);
    assert_int_equal(puppet_nth(puppet, EVENT_TIMEOUT, 1)->a, 3);
    assert_int_equal(puppet_nth(puppet, EVENT_TIMEOUT, 1)->b, 1);
    machine->bench->now_ns += 1000;
    machine_settle(machine);
    assert_int_equal(puppet_count(puppet, EVENT_TIMEOUT, 0), 3);
    assert_int_equal(node_next_timer_ns(machine->node), INT64_MAX);
}

/* ---- calls ---- */

static void calls_come_back_as_requests(void **state)
{
    struct machine *machine = started(state);
    struct puppet *puppet = machine_puppet(machine);
    machine_request(machine, false, TALLY_CALL, 1, 1);
    machine_settle(machine);
    const struct puppet_seen *seen = puppet_last(puppet, EVENT_REQUEST);
    assert_int_equal(seen->a, REQUEST_CALL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(events_come_in_their_order),
        TEST(start_comes_first_and_once),
        TEST(clocks_never_go_back),
        TEST(what_names_a_position_leaves_when_it_is_stored),
        TEST(each_waits_for_its_own_position),
        TEST(nothing_that_waits_survives_a_crash),
        TEST(each_request_is_answered_once_in_order),
        TEST(abandoned_commands_leave_no_trace),
        TEST(given_back_is_handed_in_after_ten_ms),
        TEST(time_alone_hands_nothing_in_so_soon),
        TEST(a_change_of_view_hands_in_again),
        TEST(the_retry_timer_hands_in_again_and_doubles),
        TEST(what_was_refused_is_never_handed_in_again),
        TEST(deadline_of_what_was_with_the_member),
        TEST(sleep_does_not_shorten_patience),
        TEST(deadline_of_what_nobody_had),
        TEST(deadline_of_what_was_always_given_back),
        TEST(the_window_pushes_back),
        TEST(first_incomplete_rises_with_the_answers),
        TEST(a_command_delivered_twice_executes_once),
        TEST(long_answers_go_out_whole),
        TEST(reads_are_delivered_by_number_in_any_order),
        TEST(a_bundle_completed_from_the_back),
        TEST(reads_become_updates),
        TEST(reads_of_this_turn_follow),
        TEST(a_read_keeps_its_deadline),
        TEST(no_room_in_the_order),
        TEST(all_counts_of_a_turn_are_asked),
        TEST(a_count_has_a_deadline),
        TEST(ticks_come_when_they_are_wanted),
        TEST(only_who_orders_ticks),
        TEST(a_refused_tick_waits),
        TEST(disarmed_and_moved_timers_do_not_fire),
        TEST(calls_come_back_as_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
