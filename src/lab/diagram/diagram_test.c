/* Diagrams: every message and every event that belongs into the picture is there, and the picture is sound XML. */
#include "lab/diagram/diagram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "lab/trace/trace_testing.h"

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

/* ---- reading a picture ---- */

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        found++;
    return found;
}

/* Whether tags are closed in their order, and whether text holds nothing that XML reserves. Our own pictures have no
 * comments, sections or processing instructions. */
static bool sound_xml(const char *text)
{
    struct {
        const char *name;
        size_t size;
    } open[32];
    size_t depth = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '&' && strncmp(at, "&lt;", 4) != 0 && strncmp(at, "&gt;", 4) != 0 && strncmp(at, "&amp;", 5) != 0 &&
            strncmp(at, "&quot;", 6) != 0)
            return false;
        if (*at != '<')
            continue;
        bool closing = at[1] == '/';
        const char *name = at + 1 + closing, *end = strchr(at, '>');
        size_t size = strcspn(name, " />\n");
        if (end == NULL || size == 0 || memchr(at + 1, '<', (size_t)(end - at - 1)) != NULL)
            return false;
        if (closing && (depth == 0 || open[depth - 1].size != size || memcmp(open[depth - 1].name, name, size) != 0))
            return false;
        if (closing)
            depth--;
        else if (end[-1] != '/') {
            if (depth == 32)
                return false;
            open[depth].name = name;
            open[depth++].size = size;
        }
        at = end;
    }
    return depth == 0;
}

static void the_reader_of_xml_can_say_no(void **state)
{
    (void)state;
    assert_true(sound_xml("<a x=\"1\"><b/>t &lt;</a>"));
    assert_false(sound_xml("<a><b></a></b>"));
    assert_false(sound_xml("<a>&</a>"));
    assert_false(sound_xml("<a>"));
    assert_false(sound_xml("<a <b></a>"));
}

static char *draw(const struct trace *trace, const struct diagram_options *options)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(diagram_write_svg(trace, options, out), DIAGRAM_OK);
    fclose(out);
    assert_true(sound_xml(text));
    return text;
}

/* ---- SVG ---- */

static void every_message_is_drawn(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        testing_random(trace, seed, 120);
        assert_true(trace_finish(trace));
        struct diagram_options options = {.rows = DIAGRAM_ROWS_MAX};
        char *text = draw(trace, &options);
        assert_int_equal(count(text, "<g class=\"message"), trace->arrow_count);
        uint32_t fates[4] = {0};
        for (uint32_t i = 0; i < trace->arrow_count; i++)
            fates[trace->arrows[i].fate]++;
        assert_int_equal(count(text, "<g class=\"message lost\">"), fates[TRACE_LOST]);
        assert_int_equal(count(text, "<g class=\"message again\">"), fates[TRACE_RECEIVED_AGAIN]);
        assert_int_equal(count(text, "class=\"head\""), trace->line_count);
        free(text);
        trace_free(trace);
    }
}

static void fill(struct trace *trace)
{
    testing_step(trace, 0, 1, EVENT_TIMEOUT);
    testing_note(trace, "FOLLOWER -> CANDIDATE");
    testing_send(trace, 2, 5);
    testing_receive(trace, 2000000, 2, 1, 5);
    trace_add_mark(trace, 3000000, 1, WORLD_MARK_CLIENT, "client 3 asks SET <a> \"b\" & c");
    trace_add_mark(trace, 4000000, 1, WORLD_MARK_DOWN, "crashes");
    trace_add_mark(trace, 5000000, 0, WORLD_MARK_CUT, "cut: n1 -> n2");
    testing_step(trace, 6000000, 2, EVENT_TURN); /* nothing to see */
    trace_add_mark(trace, 7000000, 2, WORLD_MARK_VIOLATION, "RAFT-1: two <leaders>");
    testing_step(trace, 8000000, 2, EVENT_TIMEOUT);
    testing_note(trace, "too late");
}

static void events_states_and_marks_are_drawn(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    struct diagram_options options = {.vectors = true};
    trace_set_title(trace, "a <title> & more", "raft");
    fill(trace);
    assert_true(trace_finish(trace));
    char *text = draw(trace, &options);
    assert_non_null(strstr(text, "a &lt;title&gt; &amp; more"));
    assert_non_null(strstr(text, "timeout \xc2\xb7 FOLLOWER \xe2\x86\x92 CANDIDATE"));
    assert_non_null(strstr(text, "3 asks SET &lt;a&gt; &quot;b&quot;"));
    assert_int_equal(count(text, "class=\"bad crash\""), 1);
    assert_int_equal(count(text, "class=\"cut\""), 1);
    assert_int_equal(count(text, "class=\"down\""), 1);
    assert_int_equal(count(text, "class=\"violation\""), 1);
    assert_non_null(strstr(text, "RAFT-1: two &lt;leaders&gt;"));
    assert_int_equal(count(text, "class=\"state s0\" x="), 1 + 1); /* and in the legend */
    assert_int_equal(count(text, "<g class=\"event\">"), 2);
    assert_non_null(strstr(text, ">[1 0]<"));
    assert_non_null(strstr(text, ">[1 1]<"));
    assert_null(strstr(text, "too late")); /* the picture ends where the property broke, and says so */
    assert_non_null(strstr(text, "0 earlier and 1 later rows"));
    free(text);
}

static void a_window_and_a_bound_leave_out_the_rest_and_say_so(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    fill(trace);
    assert_true(trace_finish(trace));
    struct diagram_options window = {.window = true, .from_ns = 1000000, .to_ns = 4000000};
    char *text = draw(trace, &window);
    assert_null(strstr(text, "timeout"));
    assert_non_null(strstr(text, "crashes"));
    assert_int_equal(count(text, "<g class=\"message"), 1); /* from above the picture */
    assert_int_equal(count(text, "class=\"violation\""), 0);
    assert_non_null(strstr(text, "1 earlier and 3 later rows"));
    free(text);
    struct diagram_options few = {.rows = 2};
    text = draw(trace, &few);
    assert_non_null(strstr(text, "RAFT-1"));
    assert_null(strstr(text, "crashes"));
    free(text);
    struct diagram_options empty = {.window = true, .from_ns = 9000000, .to_ns = 9000001};
    free(draw(trace, &empty));
}

static void hidden_messages_are_not_drawn(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    fill(trace);
    assert_true(trace_finish(trace));
    struct diagram_options options = {.hide = "PONG,PING,clients"};
    char *text = draw(trace, &options);
    assert_int_equal(count(text, "<g class=\"message"), 0);
    assert_null(strstr(text, "asks"));
    free(text);
    struct diagram_options others = {.hide = "PIN,PINGS"};
    text = draw(trace, &others);
    assert_int_equal(count(text, "<g class=\"message"), 1);
    free(text);
}

static void an_empty_trace_is_an_empty_picture(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    struct diagram_options options = {0};
    assert_true(trace_finish(trace));
    free(draw(trace, &options));
}

static void members_beyond_the_bound_are_counted(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    for (uint32_t node = 1; node <= DIAGRAM_LINES_MAX + 3; node++) {
        testing_step(trace, node, node, EVENT_TIMEOUT);
        testing_note(trace, "A -> B");
    }
    assert_true(trace_finish(trace));
    struct diagram_options options = {0};
    char *text = draw(trace, &options);
    assert_int_equal(count(text, "class=\"head\""), DIAGRAM_LINES_MAX);
    assert_non_null(strstr(text, "3 members (at most 24 are drawn)"));
    free(text);
}

/* ---- HTML ---- */

static void the_page_holds_the_trace_and_nothing_from_elsewhere(void **state)
{
    struct trace *trace = &((struct fixture *)*state)->trace;
    trace_set_title(trace, "</script><script>alert(1)</script>", "raft");
    fill(trace);
    assert_true(trace_finish(trace));
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(diagram_write_html(trace, out), DIAGRAM_OK);
    fclose(out);
    assert_int_equal(count(text, "</script>"), 2);
    assert_int_equal(count(text, "http://") + count(text, "https://"), 0);
    assert_int_equal(count(text, " src="), 0);
    assert_non_null(strstr(text, "default-src 'none'"));
    assert_non_null(strstr(text, "\"items\":{\"count\":8"));
    assert_non_null(strstr(text, "\"arrows\":{\"count\":1"));
    assert_non_null(strstr(text, "FOLLOWER -> CANDIDATE"));
    /* kinds of the eight items: TIMEOUT, MESSAGE, client, down, cut, TURN, violation, TIMEOUT … as bytes in base64 */
    assert_non_null(strstr(text, "\"kind\":\"CAYaEhUJGwg=\""));
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_of_xml_can_say_no),
        TEST(every_message_is_drawn),
        TEST(events_states_and_marks_are_drawn),
        TEST(a_window_and_a_bound_leave_out_the_rest_and_say_so),
        TEST(hidden_messages_are_not_drawn),
        TEST(an_empty_trace_is_an_empty_picture),
        TEST(members_beyond_the_bound_are_counted),
        TEST(the_page_holds_the_trace_and_nothing_from_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
