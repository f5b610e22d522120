/* Words for what concerns clients of a group: looks, requests of others' sessions, and each kind of reply. */
#include "lab/trace/trace_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap.h"
#include "contract/client.h"

static uint8_t region[1 << 20] __attribute__((aligned(4096)));

/* A client's core: its messages are those of every client. */
static const struct message_type types[] = {{.name = NULL}};
static struct protocol asker = {.name = "asker", .records = {types, 0}};

static int set_up(void **state)
{
    asker.messages = client_messages;
    *state = heap_init(region, sizeof region);
    return 0;
}

static struct trace_words words_of(struct heap *heap, const struct effect *effect)
{
    struct trace_words words;
    trace_words_effect(heap, &asker, effect, &words);
    return words;
}

static void replies_have_their_names(void **state)
{
    static const struct {
        enum reply_kind kind;
        const char *name;
    } cases[] = {{REPLY_ANSWER, "answer"}, {REPLY_REFUSED, "refused"}, {REPLY_AGAIN, "again"},
                 {REPLY_ORDER, "order"},   {REPLY_COUNT, "count"},     {REPLY_INDETERMINATE, "indeterminate"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct effect effect = {.kind = EFFECT_REPLY, .reply = {.kind = cases[i].kind}};
        assert_string_equal(words_of(*state, &effect).name, cases[i].name);
    }
}

static void deliveries_have_their_names(void **state)
{
    struct effect effect = {.kind = EFFECT_DELIVER, .deliver = {.kind = DELIVER_LOOK, .first_number = 5, .count = 2}};
    struct trace_words words = words_of(*state, &effect);
    assert_string_equal(words.name, "look");
    assert_non_null(strstr(words.text, "first=5 count=2"));
    effect.deliver.kind = DELIVER_READ;
    assert_string_equal(words_of(*state, &effect).name, "read");
    effect.deliver.kind = DELIVER_UPDATE;
    assert_string_equal(words_of(*state, &effect).name, "update");
}

static void a_client_is_named(void **state)
{
    (void)state;
    struct event event = {.kind = EVENT_REQUEST, .request = {.kind = REQUEST_READ, .origin = 9, .first_number = 4}};
    struct trace_words words;
    trace_words_event(&asker, &event, &words);
    assert_non_null(strstr(words.text, "client=9 first=4"));
    event.request.origin = 0;
    trace_words_event(&asker, &event, &words);
    assert_null(strstr(words.text, "client"));
}

static void messages_of_clients_are_printed(void **state)
{
    (void)state;
    const struct client_answers body = {.session = 7, .looks = 1, .orderer = 2, .answers = span_string("bytes")};
    const struct event event = {.kind = EVENT_MESSAGE, .message = {.type = CLIENT_ANSWERS, .body = &body}};
    struct trace_words words;
    trace_words_event(&asker, &event, &words);
    assert_string_equal(words.name, "CLIENT_ANSWERS");
    assert_non_null(strstr(words.text, "looks=1 orderer=2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(replies_have_their_names, set_up),
        cmocka_unit_test_setup(deliveries_have_their_names, set_up),
        cmocka_unit_test_setup(a_client_is_named, set_up),
        cmocka_unit_test_setup(messages_of_clients_are_printed, set_up),
    };
    return cmocka_run_group_tests_name("trace words", tests, NULL, NULL);
}
