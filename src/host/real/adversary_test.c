/* Scripts of a node that lies: each sentence does what it says, to whom it says, and no other. */
#include "host/real/adversary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/heap.h"
#include "contract/client.h"
#include "contract/header.h"

#define VOTE_FIELDS(FIELD, S) FIELD(S, U8, kind) FIELD(S, U64, view) FIELD(S, U32, number)
MESSAGE_STRUCT(vote, VOTE_FIELDS)
#define CARGO_FIELDS(FIELD, S) FIELD(S, U64, view) FIELD(S, BYTES, cargo)
MESSAGE_STRUCT(cargo, CARGO_FIELDS)
static const struct field vote_fields[] = {MESSAGE_FIELDS(vote, VOTE_FIELDS)};
static const struct field cargo_fields[] = {MESSAGE_FIELDS(cargo, CARGO_FIELDS)};
enum { VOTE, CARGO };
static const struct message_type types[] = {[VOTE] = MESSAGE_TYPE("VOTE", vote, vote_fields),
                                            [CARGO] = MESSAGE_TYPE("CARGO", cargo, cargo_fields)};
static const struct protocol protocol = {.name = "test", .messages = {types, 2}};

static char path[64], why[512];

static int try_script(struct adversary **out, const char *text)
{
    snprintf(path, sizeof path, "adversary-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int status = adversary_read(out, path, &protocol, why, sizeof why);
    unlink(path);
    return status;
}

static struct adversary *script(const char *text)
{
    struct adversary *adversary = NULL;
    if (try_script(&adversary, text) != OK)
        fail_msg("%s", why);
    return adversary;
}

struct sent {
    bool goes;
    uint32_t sender;
    struct vote vote;
};

/* A vote of node 1 to that node, as it leaves. */
static struct sent send_vote(struct adversary *adversary, uint32_t to)
{
    struct node_tamper tamper = adversary_tamper(adversary);
    const struct vote vote = {.kind = 5, .view = 255, .number = 7};
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX];
    struct span tail;
    struct sent sent = {.goes = true, .sender = 1};
    size_t size = message_encode(&types[VOTE], &vote, bytes, &tail);
    struct node_sending sending = {.kind = HEADER_MESSAGE, .type = VOTE, .to = to, .to_self = to == 1,
                                   .body = bytes, .size = size, .sender = &sent.sender};
    if (tamper.sends_to != NULL)
        sent.goes = tamper.sends_to(tamper.context, &sending);
    assert_true(message_decode(&types[VOTE], span_of(bytes, size), &sent.vote));
    return sent;
}

static void it_tells_different_nodes_different_things(void **state)
{
    (void)state;
    struct adversary *adversary = script("# it equivocates\n  change VOTE.view to 2,3\nwithhold VOTE to 4\n");
    assert_int_equal(send_vote(adversary, 2).vote.view, 0); /* the low byte's neighbour */
    assert_int_equal(send_vote(adversary, 3).vote.view, 0);
    assert_int_equal(send_vote(adversary, 3).vote.number, 7);
    assert_false(send_vote(adversary, 4).goes);
    assert_true(send_vote(adversary, 5).goes);
    assert_int_equal(send_vote(adversary, 5).vote.view, 255);
    adversary_free(adversary);
}

static void everybody_else_is_lied_to_unless_somebody_is_named(void **state)
{
    (void)state;
    struct adversary *adversary = script("withhold *");
    assert_false(send_vote(adversary, 2).goes);
    assert_true(send_vote(adversary, 1).goes); /* itself */
    adversary_free(adversary);
    adversary = script("withhold CARGO\nwithhold CLIENT_REQUEST\n"); /* whose types are the same numbers */
    assert_true(send_vote(adversary, 2).goes);
    adversary_free(adversary);
}

static void one_in_n_is_counted_by_receiver(void **state)
{
    (void)state;
    struct adversary *adversary = script("one in 3 withhold VOTE");
    for (int i = 0; i < 9; i++) {
        assert_int_equal(send_vote(adversary, 2).goes, i % 3 != 0);
        assert_int_equal(send_vote(adversary, 3).goes, i % 3 != 0);
    }
    adversary_free(adversary);
}

static void it_waits_for_its_time(void **state)
{
    (void)state;
    struct adversary *adversary = script("after 50ms one in 1 withhold VOTE");
    assert_true(send_vote(adversary, 2).goes);
    usleep(60000);
    assert_false(send_vote(adversary, 2).goes);
    adversary_free(adversary);
}

static void it_speaks_in_anothers_name(void **state)
{
    (void)state;
    struct adversary *adversary = script("forge VOTE as 3 to 2");
    assert_int_equal(send_vote(adversary, 2).sender, 3);
    assert_int_equal(send_vote(adversary, 4).sender, 1);
    adversary_free(adversary);
}

/* What a client is told stays well-formed, and errors and OK stay what they are. */
static void it_lies_to_clients(void **state)
{
    (void)state;
    static uint8_t region[1 << 16] __attribute__((aligned(4096)));
    static const char *const answers[] = {"$2\r\nab\r\n", ":19\r\n", "+OK\r\n", "-ERR no\r\n", "_\r\n"};
    static const char *const lies[] = {"$2\r\nac\r\n", ":18\r\n", "+OK\r\n", "-ERR no\r\n", "_\r\n"};
    struct adversary *adversary = script("change CLIENT_ANSWERS.answers");
    struct node_tamper tamper = adversary_tamper(adversary);
    struct buffer out;
    buffer_init(&out, heap_init(region, sizeof region));
    for (size_t i = 0; i < 5; i++)
        assert_true(client_answer_append(&out, &(struct client_answer){.number = i, .bytes = span_string(answers[i])}));
    const struct client_answers body = {.session = 1, .orderer = 2, .answers = buffer_span(&out)};
    uint8_t bytes[1024];
    struct span tail;
    size_t size = message_encode(&client_messages.types[CLIENT_ANSWERS], &body, bytes, &tail);
    memcpy(bytes + size, tail.data, tail.size);
    uint32_t sender = 1;
    struct node_sending sending = {.kind = HEADER_CLIENT, .type = CLIENT_ANSWERS, .to = 9, .body = bytes,
                                   .size = size + tail.size, .sender = &sender};
    assert_true(tamper.sends_to(tamper.context, &sending));
    struct client_answers told;
    struct client_answer answer;
    assert_true(message_decode(&client_messages.types[CLIENT_ANSWERS], span_of(bytes, sending.size), &told));
    for (size_t i = 0; i < 5; i++) {
        assert_true(client_answer_next(&told.answers, &answer));
        assert_true(span_equal(answer.bytes, span_string(lies[i])));
    }
    adversary_free(adversary);
}

static void it_answers_wrongly_and_hastens(void **state)
{
    (void)state;
    struct adversary *adversary = script("lie\none in 2 hasten");
    struct node_tamper tamper = adversary_tamper(adversary);
    uint8_t bytes[] = "$3\r\nxyz\r\n";
    tamper.answered(tamper.context, 0, NULL, bytes, sizeof bytes - 1);
    assert_memory_equal(bytes, "$3\r\nxyy\r\n", sizeof bytes - 1);
    assert_true(tamper.hastens(tamper.context, 0));
    assert_false(tamper.hastens(tamper.context, 0));
    assert_null(tamper.sends_to);
    adversary_free(adversary);
}

static void mistakes_are_named_with_their_line(void **state)
{
    (void)state;
    static const char *const scripts[][2] = {
        {"lie\nlies\n", ":2: "},           {"change VOTE", "MESSAGE.FIELD"},  {"change VOTE.nothing", "'nothing'"},
        {"withhold NOTHING", "'NOTHING'"}, {"forge VOTE", "`as`"},            {"forge VOTE as 0", "`as`"},
        {"withhold * to x", "'x'"},        {"withhold * to", "'to'"},         {"lie to 2", "'to'"},
        {"one in 0 lie", "`one in N`"},      {"after 3 lie", "'3'"},            {"withhold VOTE.view", "`change`"},
        {"change * to 2", "no message '*'"}};
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct adversary *adversary = NULL;
        assert_int_equal(try_script(&adversary, scripts[i][0]), ERROR_INVALID);
        if (strstr(why, scripts[i][1]) == NULL)
            fail_msg("'%s': '%s' does not name %s", scripts[i][0], why, scripts[i][1]);
        assert_null(adversary);
    }
    struct adversary *adversary = NULL;
    assert_int_equal(adversary_read(&adversary, "absent", &protocol, why, sizeof why), ERROR_NOT_FOUND);
    assert_non_null(strstr(why, "absent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tells_different_nodes_different_things),
        cmocka_unit_test(everybody_else_is_lied_to_unless_somebody_is_named),
        cmocka_unit_test(one_in_n_is_counted_by_receiver),
        cmocka_unit_test(it_waits_for_its_time),
        cmocka_unit_test(it_speaks_in_anothers_name),
        cmocka_unit_test(it_lies_to_clients),
        cmocka_unit_test(it_answers_wrongly_and_hastens),
        cmocka_unit_test(mistakes_are_named_with_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
