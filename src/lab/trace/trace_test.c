/* Traces: what is matched with what, and that stored traces are the same traces. */
#include "lab/trace/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "contract/client.h"
#include "contract/header.h"
#include "lab/trace/trace_shiviz.h"
#include "lab/trace/trace_store.h"
#include "lab/trace/trace_testing.h"
#include "lab/trace/trace_vectors.h"
#include "protocol/consensus/raft.h"
#include "protocol/replica/voter.h"

struct fixture {
    struct heap *heap;
    struct trace trace;
};

static int make(void **state)
{
    static struct fixture fixture;
    fixture.heap = heap_create_system((size_t)1 << 30);
    trace_init(&fixture.trace, fixture.heap);
    *state = &fixture;
    return fixture.heap == NULL;
}

static int drop(void **state)
{
    struct fixture *fixture = *state;
    trace_free(&fixture->trace);
    assert_int_equal(heap_used(fixture->heap), 0);
    heap_destroy_system(fixture->heap);
    return 0;
}

/* ---- arrows ---- */

static void equal_messages_are_received_in_the_order_of_sending(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    testing_step(trace, 0, 1, EVENT_TURN);
    testing_send(trace, 2, 5);
    testing_step(trace, 10, 1, EVENT_TURN);
    testing_send(trace, 2, 5);
    testing_receive(trace, 20, 2, 1, 5);
    testing_receive(trace, 30, 2, 1, 5);
    assert_true(trace_finish(trace));
    assert_int_equal(trace->arrow_count, 2);
    assert_int_equal(trace->arrows[0].receive_item, 2);
    assert_int_equal(trace->arrows[1].receive_item, 3);
    assert_int_equal(trace->items[2].arrow, 0);
    assert_int_equal(trace->arrows[1].fate, TRACE_RECEIVED);
}

static void a_message_that_comes_twice_has_one_sending(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    testing_step(trace, 0, 1, EVENT_TURN);
    testing_send(trace, 2, 5);
    testing_receive(trace, 20, 2, 1, 5);
    testing_receive(trace, 30, 2, 1, 5);
    assert_true(trace_finish(trace));
    assert_int_equal(trace->arrow_count, 2);
    assert_int_equal(trace->arrows[1].fate, TRACE_RECEIVED_AGAIN);
    assert_int_equal(trace->arrows[1].send_item, 0);
    assert_int_equal(trace->arrows[1].receive_item, 2);
    assert_int_equal(trace->items[2].arrow, 1);
}

static void what_never_came_is_lost_and_what_may_still_come_is_under_way(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    testing_step(trace, 0, 1, EVENT_TURN);
    testing_send(trace, 2, 5);
    testing_step(trace, 5, 1, EVENT_TURN);
    testing_send(trace, 2, 6);
    testing_receive(trace, 25, 2, 1, 6); /* takes 20 */
    testing_step(trace, 90, 1, EVENT_TURN);
    testing_send(trace, 2, 7);
    testing_step(trace, 100, 3, EVENT_TURN);
    assert_true(trace_finish(trace));
    assert_int_equal(trace->arrows[0].fate, TRACE_LOST);
    assert_int_equal(trace->arrows[1].fate, TRACE_RECEIVED);
    assert_int_equal(trace->arrows[2].fate, TRACE_UNDER_WAY);
}

static void what_nobody_sent_has_no_arrow(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    testing_step(trace, 0, 1, EVENT_TURN);
    testing_send(trace, 2, 5);
    testing_receive(trace, 10, 2, 1, 6); /* other bytes, */
    testing_receive(trace, 20, 3, 1, 5); /* another receiver, */
    testing_receive(trace, 30, 2, 3, 5); /* another sender, */
    testing_receive(trace, 40, 2, 9, 5); /* one that is not there */
    testing_step(trace, 900, 1, EVENT_TURN);
    assert_true(trace_finish(trace));
    for (uint32_t i = 1; i <= 4; i++)
        assert_int_equal(trace->items[i].arrow, TRACE_NONE);
    assert_int_equal(trace->arrow_count, 1);
}

/* Before its sending, nothing is received: time goes one way. */
static void a_reception_before_the_sending_is_another_message(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    testing_receive(trace, 0, 2, 1, 5);
    testing_step(trace, 10, 1, EVENT_TURN);
    testing_send(trace, 2, 5);
    assert_true(trace_finish(trace));
    assert_int_equal(trace->items[0].arrow, TRACE_NONE);
    assert_int_equal(trace->arrows[0].receive_item, TRACE_NONE);
}

/* The naive model: for each reception, walk over all earlier sendings. */
static void the_matcher_does_as_a_walk_over_everything(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        testing_random(trace, seed, 150);
        assert_true(trace_finish(trace));
        uint8_t taken[256] = {0};
        uint32_t again = 0;
        for (uint32_t i = 0; i < trace->item_count; i++) {
            const struct trace_item *item = &trace->items[i];
            if (item->event != EVENT_MESSAGE)
                continue;
            uint32_t found = TRACE_NONE, last = TRACE_NONE, sent = 0;
            for (uint32_t s = 0; s < i; s++)
                for (uint32_t d = 0; d < trace->items[s].deed_count; d++, sent++) {
                    const struct trace_deed *deed = &trace->deeds[trace->items[s].deed_first + d];
                    if (trace->items[s].node != item->from || trace->targets[deed->target_first] != item->node ||
                        deed->key != item->key)
                        continue;
                    last = s;
                    if (found == TRACE_NONE && !taken[sent]) {
                        taken[sent] = 1;
                        found = s;
                    }
                }
            again += found == TRACE_NONE && last != TRACE_NONE;
            uint32_t source = found != TRACE_NONE ? found : last;
            assert_int_equal(item->arrow == TRACE_NONE, source == TRACE_NONE);
            if (source != TRACE_NONE)
                assert_int_equal(trace->arrows[item->arrow].send_item, source);
        }
        assert_int_equal(trace->arrow_count, trace->target_count + again);
        trace_free(trace);
    }
}

/* ---- vectors ---- */

/* The naive model: the graph of steps, by reachability. */
static void vectors_say_exactly_what_happened_before_what(void **state)
{
    enum { STEPS = 90 };
    static bool before[STEPS][STEPS];
    struct trace *trace = &((struct fixture *)*state)->trace;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct trace_vectors vectors;
        testing_random(trace, seed, STEPS);
        assert_true(trace_finish(trace));
        assert_true(trace_vectors_make(&vectors, trace));
        memset(before, 0, sizeof before);
        for (uint32_t j = 0; j < STEPS; j++)
            for (uint32_t i = 0; i < j; i++) {
                const struct trace_item *item = &trace->items[j];
                bool direct = trace->items[i].line == item->line ||
                              (item->arrow != TRACE_NONE && trace->arrows[item->arrow].send_item == i);
                for (uint32_t k = 0; direct && k < i; k++)
                    before[k][j] |= before[k][i];
                before[i][j] |= direct;
            }
        for (uint32_t i = 0; i < STEPS; i++)
            for (uint32_t j = 0; j < STEPS; j++) {
                uint32_t line = trace->items[i].line;
                bool told = i != j && trace_vector(&vectors, j)[line] >= trace_vector(&vectors, i)[line];
                assert_int_equal(told, before[i][j]);
            }
        trace_vectors_free(&vectors);
        trace_free(trace);
    }
}

/* ---- spans ---- */

static void spans_end_where_their_marks_say(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    testing_step(trace, 0, 1, EVENT_START);
    trace_add_mark(trace, 1, 0, WORLD_MARK_CUT, "cut: n1 -> n2");
    trace_add_mark(trace, 2, 0, WORLD_MARK_CUT, "cut: n2 -> n1");
    trace_add_mark(trace, 3, 1, WORLD_MARK_PAUSED, "pauses");
    trace_add_mark(trace, 4, 0, WORLD_MARK_HEALED, "whole again: n2 -> n1");
    trace_add_mark(trace, 5, 1, WORLD_MARK_DOWN, "crashes"); /* ends the pause too */
    trace_add_mark(trace, 6, 2, WORLD_MARK_UP, "another node starts");
    trace_add_mark(trace, 7, 1, WORLD_MARK_UP, "starts");
    trace_add_mark(trace, 8, 1, WORLD_MARK_FAULT, "a strike without an end");
    trace_add_mark(trace, 9, 0, WORLD_MARK_HEALED, "everything heals");
    assert_true(trace_finish(trace));
    static const struct {
        enum trace_span_kind kind;
        uint32_t first, last;
    } wanted[] = {{TRACE_CUT, 1, 9}, {TRACE_CUT, 2, 4}, {TRACE_PAUSED, 3, 5}, {TRACE_DOWN, 5, 7}, {TRACE_FAULT, 8, 8}};
    assert_int_equal(trace->span_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(trace->spans[i].kind, wanted[i].kind);
        assert_int_equal(trace->spans[i].item_first, wanted[i].first);
        assert_int_equal(trace->spans[i].item_last, wanted[i].last);
    }
}

static void states_before_a_step_end_at_a_crash(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    testing_step(trace, 0, 1, EVENT_START);
    testing_step(trace, 1, 2, EVENT_START);
    testing_step(trace, 2, 1, EVENT_TURN);
    trace_add_mark(trace, 3, 1, WORLD_MARK_DOWN, "crashes");
    testing_step(trace, 4, 1, EVENT_START);
    assert_true(trace_finish(trace));
    assert_int_equal(trace_state_before(trace, 0), TRACE_NONE);
    assert_int_equal(trace_state_before(trace, 2), trace->items[0].state);
    assert_int_equal(trace_state_before(trace, 4), TRACE_NONE);
}

static void strings_are_clean(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    static const struct {
        const char *dirty, *clean;
    } cases[] = {{"a\nb", "a?b"}, {"\xff", "?"}, {"\xe2\x86\x92", "\xe2\x86\x92"}, {"\xe2\x86", "??"},
                 {"\xc0\x80", "??"}, {"\xed\xa0\x80", "???"}, {"\xef\xbf\xbe", "???"}, {"\x7f", "?"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t id = trace_string(trace, span_string(cases[i].dirty));
        assert_true(span_equal(trace_text(trace, id), span_string(cases[i].clean)));
    }
    char long_text[TRACE_TEXT_MAX + 10];
    memset(long_text, 'x', sizeof long_text);
    assert_int_equal(trace_text(trace, trace_string(trace, span_of(long_text, sizeof long_text))).size, TRACE_TEXT_MAX);
}

/* A mark in the midst of a step takes nothing away from it. */
static void effects_belong_to_their_step(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    testing_step(trace, 0, 1, EVENT_TURN);
    testing_send(trace, 2, 1);
    trace_add_mark(trace, 0, 1, WORLD_MARK_NOTE, "is watched");
    testing_send(trace, 3, 2);
    assert_int_equal(trace->items[0].deed_count, 2);
    assert_int_equal(trace->items[1].deed_count, 0);
    assert_true(trace_finish(trace));
    assert_int_equal(trace->arrows[1].send_item, 0);
}

/* Where the heap ends, the trace does, and nothing else happens. */
static void a_full_heap_cuts_the_trace(void **state)
{
    enum { SIZE = 1 << 16 };
    static _Alignas(16) uint8_t memory[SIZE];
    struct trace trace;
    (void)state;
    trace_init(&trace, heap_init(memory, SIZE));
    testing_random(&trace, 1, 2000);
    assert_true(trace.cut);
    assert_in_range(trace.item_count, 50, 1999);
    uint32_t before = trace.item_count;
    testing_step(&trace, 0, 1, EVENT_TURN);
    assert_int_equal(trace.item_count, before);
    assert_false(trace_finish(&trace)); /* it has no room for its lines either, and says so */
    trace_free(&trace);
}

/* ---- stored traces ---- */

static char *stored(const struct trace *trace, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    assert_non_null(out);
    assert_true(trace_write(trace, out));
    fclose(out);
    return text;
}

static int load(struct trace *trace, const char *text, size_t size, char *why, size_t why_size)
{
    FILE *in = fmemopen((void *)(uintptr_t)text, size, "r");
    assert_non_null(in);
    int error = trace_read(trace, in, why, why_size);
    fclose(in);
    return error;
}

static void a_stored_trace_is_the_same_trace(void **state)
{
    struct fixture *fixture = *state;
    struct trace copy;
    char why[200] = "";
    size_t size, again_size;
    trace_set_title(&fixture->trace, "a \"title\" \\ with </script>", "raft");
    testing_random(&fixture->trace, 3, 300);
    testing_note(&fixture->trace, "FOLLOWER -> LEADER");
    trace_add_mark(&fixture->trace, 999999, 2, WORLD_MARK_VIOLATION, "RAFT-1: two leaders");
    trace_add_mark(&fixture->trace, 999999, 0, WORLD_MARK_CUT, "cut: n1 -> n2");
    fixture->trace.cut = true;
    char *text = stored(&fixture->trace, &size);
    trace_init(&copy, fixture->heap);
    assert_int_equal(load(&copy, text, size, why, sizeof why), OK);
    char *again = stored(&copy, &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(text, again, size);
    fixture->trace.cut = copy.cut = false;
    assert_true(trace_finish(&copy) && trace_finish(&fixture->trace));
    assert_int_equal(copy.arrow_count, fixture->trace.arrow_count);
    assert_memory_equal(copy.arrows, fixture->trace.arrows, copy.arrow_count * sizeof *copy.arrows);
    assert_int_equal(trace_first_violation(&copy), trace_first_violation(&fixture->trace));
    trace_free(&copy);
    free(text);
    free(again);
}

static void what_is_no_trace_is_refused_with_its_line(void **state)
{
    struct fixture *fixture = *state;
#define HEAD "{\"trace\":1}\n"
#define TURN "{\"at\":1,\"node\":1,\"event\":\"TURN\","
    static const struct {
        const char *text;
        int error;
        const char *why;
    } cases[] = {
        {"{}", ERROR_INVALID, "line 1: this is no stored trace"},
        {"{\"trace\":2}", ERROR_VERSION, "version 2"},
        {"[1]", ERROR_INVALID, "line 1: this is no JSON object"},
        {HEAD "{\"at\":", ERROR_INVALID, "line 2: this is no JSON object"},
        {HEAD "{\"node\":1}", ERROR_INVALID, "line 2: \"at\""},
        {HEAD "{\"at\":-1,\"node\":1}", ERROR_INVALID, "\"at\" is not between"},
        {HEAD "{\"at\":1,\"event\":\"TURN\"}", ERROR_INVALID, "needs a \"node\""},
        {HEAD "{\"at\":1,\"node\":1,\"event\":\"DANCE\"}", ERROR_INVALID, "not DANCE"},
        {HEAD "{\"at\":1,\"node\":1,\"mark\":\"odd\"}", ERROR_INVALID, "not odd"},
        {HEAD "{\"at\":5,\"mark\":\"note\"}\n{\"at\":4,\"mark\":\"note\"}", ERROR_INVALID,
         "line 3: time goes back"},
        {HEAD "{\"at\":1,\"node\":1,\"event\":\"MESSAGE\",\"from\":2,\"key\":\"xyz\"}", ERROR_INVALID,
         "hexadecimal"},
        {HEAD TURN "\"effects\":[{\"kind\":\"SEND\",\"to\":[0]}]}", ERROR_INVALID, "nodes' numbers"},
        {HEAD TURN "\"effects\":[{\"kind\":\"FLY\"}]}", ERROR_INVALID, "not FLY"},
        {HEAD TURN "\"effects\":7}", ERROR_INVALID, "should be a list"},
        {HEAD TURN "\"text\":7}", ERROR_INVALID, "\"text\" should be a string"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[200] = "";
        struct trace trace;
        trace_init(&trace, fixture->heap);
        assert_int_equal(load(&trace, cases[i].text, strlen(cases[i].text), why, sizeof why), cases[i].error);
        if (strstr(why, cases[i].why) == NULL)
            fail_msg("'%s' gave '%s', not '%s'", cases[i].text, why, cases[i].why);
        trace_free(&trace);
    }
}

/* ---- ShiViz ---- */

static void shiviz_gets_clocks_that_count_by_one(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    testing_step(trace, 0, 1, EVENT_START);
    testing_send(trace, 2, 5);
    trace_add_mark(trace, 5, 1, WORLD_MARK_NOTE, "no clock");
    testing_receive(trace, 20, 2, 1, 5);
    testing_step(trace, 30, 1, EVENT_TURN);
    testing_note(trace, "A -> B");
    assert_true(trace_finish(trace));
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(trace_write_shiviz(trace, out), SHIVIZ_OK);
    fclose(out);
    assert_string_equal(text, "(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)\n\n"
                              "n1 {\"n1\":1}\nSTART; SEND PING number=1 to n2\n"
                              "n2 {\"n1\":1, \"n2\":1}\nMESSAGE PING number=1 from n1\n"
                              "n1 {\"n1\":2}\nTURN; NOTE A -> B 0\n");
    free(text);
}

/* A client's request is an arrow that ends where the member is asked, though its node has taken the message apart; the
 * answers begin at the member's last step, though it is the node that sends them; and so its line is known. */
static void what_gateways_ask_and_hear_is_matched(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    const struct group_spec gateway = {.self = 5, .protocol = &voter_protocol}, member = {.self = 1,
                                                                                        .protocol = &raft_protocol};
    uint8_t length[4], list[] = "answers", whole[HEADER_SIZE + 17 + sizeof list + 16] = {0};
    uint32_t to = 1;
    store_u32(length, 6);
    const struct event turn = {.kind = EVENT_TURN};
    trace_add_event(trace, 0, 5, &gateway, &turn);
    struct effect send = {.kind = EFFECT_SEND};
    send.send = (struct effect_send){.to = &to, .to_count = 1, .type = CLIENT_REQUEST, .head = span_of(length, 4),
                                     .tail = span_string("bundle")};
    trace_add_effect(trace, 0, 5, &gateway, &send);
    struct event asked = {.kind = EVENT_REQUEST};
    asked.request = (struct event_request){.kind = REQUEST_UPDATE, .origin = 5, .count = 1,
                                           .bytes = span_string("bundle")};
    trace_add_event(trace, 10, 1, &member, &asked);
    trace_add_event(trace, 10, 1, &member, &turn);
    struct client_answers answers = {.session = 3, .orderer = 1, .answers = span_of(list, sizeof list)};
    struct span tail, body = span_of(whole + HEADER_SIZE, sizeof whole - HEADER_SIZE);
    size_t size = message_encode(&client_message_types[CLIENT_ANSWERS], &answers, whole + HEADER_SIZE, &tail);
    memcpy(whole + HEADER_SIZE + size, tail.data, tail.size); /* behind it there is room for a proof */
    struct header header = {.kind = HEADER_CLIENT, .type = CLIENT_ANSWERS, .sender = 1};
    header_seal(0, &header, body, (struct span){0}, whole);
    trace_add_sent(trace, 1, 5, span_of(whole, sizeof whole));
    struct event heard = {.kind = EVENT_MESSAGE};
    heard.message = (struct event_message){.from = {.node = 1}, .type = CLIENT_ANSWERS, .body = &answers};
    trace_add_event(trace, 20, 5, &gateway, &heard);
    assert_true(trace_finish(trace));
    assert_int_equal(trace->arrow_count, 2);
    assert_int_equal(trace->arrows[0].receive_item, 1);
    assert_int_equal(trace->arrows[1].send_item, 2);
    assert_int_equal(trace->arrows[1].receive_item, 3);
    assert_false(trace->lines[0].gateway);
    assert_true(trace->lines[1].gateway);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(equal_messages_are_received_in_the_order_of_sending),
        TEST(a_message_that_comes_twice_has_one_sending),
        TEST(what_never_came_is_lost_and_what_may_still_come_is_under_way),
        TEST(what_nobody_sent_has_no_arrow),
        TEST(a_reception_before_the_sending_is_another_message),
        TEST(the_matcher_does_as_a_walk_over_everything),
        TEST(vectors_say_exactly_what_happened_before_what),
        TEST(spans_end_where_their_marks_say),
        TEST(states_before_a_step_end_at_a_crash),
        TEST(strings_are_clean),
        TEST(effects_belong_to_their_step),
        cmocka_unit_test(a_full_heap_cuts_the_trace),
        TEST(a_stored_trace_is_the_same_trace),
        TEST(what_is_no_trace_is_refused_with_its_line),
        TEST(shiviz_gets_clocks_that_count_by_one),
        TEST(what_gateways_ask_and_hear_is_matched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
