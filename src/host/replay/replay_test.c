/* Recording the members of real nodes and stepping them again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "base/time.h"
#include "host/replay/replay.h"
#include "node/node_testing.h"
#include "protocol/registry.h"
#include "service/registry.h"

enum { NODES = 3, RESTARTED = 2 };

struct recorded {
    struct recorder recorders[NODES + 1];
    struct recorder other; /* the head of a node with another seed, and nothing else */
    struct node_observer observers[NODES + 1];
};

static const size_t HEAP_BYTES = (size_t)1 << 30;

static void start(struct bench *bench, struct recorded *recorded, struct heap *heap, uint32_t place, uint32_t id,
                  bool init)
{
    struct machine *machine = bench_machine(bench, id);
    struct recorder *recorder = &recorded->recorders[place];
    struct node_options options = machine->options;
    options.seed++; /* as machine_start does */
    recorder_begin(recorder, heap, &options, "a build");
    recorder->options = &machine->options;
    if (place == 0) {
        options.seed ^= 1;
        recorder_begin(&recorded->other, heap, &options, "a build");
    }
    recorded->observers[place] = recorder_observer(recorder);
    machine->options.observer = &recorded->observers[place];
    assert_int_equal(machine_start(machine, init), OK);
    recorder->node = machine->node;
}

/* Three members of Raft elect one, order commands, and one of them crashes and restarts. */
static struct recorded *record(struct heap *heap)
{
    struct recorded *recorded = heap_alloc_zero(heap, sizeof *recorded);
    struct bench *bench = bench_create(NODES, protocol_find("raft"), service_find("kv"));
    for (uint32_t id = 1; id <= NODES; id++) start(bench, recorded, heap, id - 1, id, true);
    for (uint32_t id = 1; id <= NODES; id++) bench_connect(bench, id, id % NODES + 1);
    bench_advance(bench, 5 * NS_PER_S);
    for (uint64_t cookie = 1; cookie <= 8; cookie++) {
        machine_request(bench_machine(bench, (uint32_t)(cookie % NODES) + 1), false, TALLY_ADD, 7, cookie);
        bench_advance(bench, 100 * NS_PER_MS);
    }
    machine_crash(bench_machine(bench, RESTARTED));
    start(bench, recorded, heap, NODES, RESTARTED, true);
    bench_connect(bench, RESTARTED, 1);
    bench_connect(bench, RESTARTED, 3);
    bench_advance(bench, 5 * NS_PER_S);
    bench_free(bench);
    return recorded;
}

struct counted {
    uint64_t steps, differences, before, kinds[EVENT_TURN + 1], first;
    enum recording_item end;
};

static void on_before(void *context, const struct group_spec *spec, const void *member, const struct event *event)
{
    struct counted *counted = context;
    assert_non_null(member);
    assert_int_equal(spec->group, BENCH_GROUP);
    assert_true(event->kind <= EVENT_TURN);
    counted->before++;
}

static struct counted step_again(struct span bytes, struct heap *heap)
{
    struct replay *replay;
    struct counted counted = {0};
    char why[200] = "";
    assert_int_equal(replay_open(&replay, bytes, heap, why, sizeof why), OK);
    struct replay_moment moment;
    while ((counted.end = replay_step(replay, on_before, &counted, &moment)) == RECORDING_STEP) {
        counted.steps++;
        counted.kinds[moment.event.kind]++;
        if (moment.differs && counted.differences++ == 0) counted.first = moment.number;
        assert_int_equal(moment.number, counted.steps);
    }
    assert_int_equal(counted.before, counted.steps);
    replay_close(replay);
    return counted;
}

static void replaying_a_recording_gives_the_same_effects(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system(HEAP_BYTES);
    struct recorded *recorded = record(heap);
    uint64_t restored = 0, requests = 0, messages = 0;
    for (uint32_t i = 0; i <= NODES; i++) {
        struct counted counted = step_again(buffer_span(&recorded->recorders[i].out), heap);
        assert_int_equal(counted.end, RECORDING_END);
        assert_int_equal(counted.differences, 0);
        assert_true(counted.steps > 20);
        assert_int_equal(counted.kinds[EVENT_START], 1);
        restored += counted.kinds[EVENT_RESTORE];
        requests += counted.kinds[EVENT_REQUEST];
        messages += counted.kinds[EVENT_MESSAGE];
    }
    assert_true(restored > 0); /* the one that restarted is recorded from its log on */
    assert_true(requests >= 8);
    assert_true(messages > 100);
    heap_destroy_system(heap);
}

/* The place of the n-th item, counted from 0. */
static size_t item_at(struct span bytes, uint32_t n)
{
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) at += 8 + load_u32(bytes.data + at);
    return at;
}

static void a_cut_end_and_damage_are_told_apart(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system(HEAP_BYTES);
    struct recorded *recorded = record(heap);
    struct buffer *out = &recorded->recorders[0].out;
    struct counted whole = step_again(buffer_span(out), heap);
    struct counted cut = step_again(span_of(out->data, out->size - 1), heap);
    assert_int_equal(cut.end, RECORDING_CUT);
    assert_int_equal(cut.steps, whole.steps - 1);
    out->data[item_at(buffer_span(out), 10) + 12] ^= 1;
    struct counted damaged = step_again(buffer_span(out), heap);
    assert_int_equal(damaged.end, RECORDING_DAMAGED);
    assert_int_equal(damaged.steps, 8); /* items 2 to 9, after head and group */
    heap_destroy_system(heap);
}

/* A member that is given another seed draws other timeouts: the first difference is the step that draws. */
static void a_difference_is_noticed_where_it_begins(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system(HEAP_BYTES);
    struct recorded *recorded = record(heap);
    struct recorder *recorder = &recorded->recorders[0];
    struct buffer other;
    buffer_init(&other, heap);
    assert_true(buffer_append(&other, recorded->other.out.data, recorded->other.out.size));
    size_t steps = item_at(buffer_span(&recorder->out), 2);
    assert_true(buffer_append(&other, recorder->out.data + steps, recorder->out.size - steps));
    struct counted counted = step_again(buffer_span(&other), heap);
    assert_true(counted.differences > 0);
    assert_true(counted.first <= 3);
    heap_destroy_system(heap);
}

static void what_is_no_recording_is_refused(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system(HEAP_BYTES);
    struct recorded *recorded = record(heap);
    struct span whole = buffer_span(&recorded->recorders[0].out);
    struct replay *replay;
    char why[200] = "";
    assert_int_equal(replay_open(&replay, (struct span){0}, heap, why, sizeof why), ERROR_INVALID);
    assert_int_equal(replay_open(&replay, span_string("hello, this is something else"), heap, why, sizeof why),
                     ERROR_INVALID);
    size_t groups = item_at(whole, 1);
    assert_int_equal(replay_open(&replay, span_of(whole.data, groups), heap, why, sizeof why), ERROR_CORRUPT);
    size_t used = heap_used(heap);
    assert_int_equal(replay_open(&replay, span_of(whole.data, groups + 4), heap, why, sizeof why), ERROR_CORRUPT);
    assert_int_equal(heap_used(heap), used);
    heap_destroy_system(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaying_a_recording_gives_the_same_effects),
        cmocka_unit_test(a_cut_end_and_damage_are_told_apart),
        cmocka_unit_test(a_difference_is_noticed_where_it_begins),
        cmocka_unit_test(what_is_no_recording_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
