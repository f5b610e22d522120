/* Sessions: each number executes at most once and in the order sent, whatever arrives; the table survives writing and
 * reading; a model that remembers everything agrees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/test_seed.h"
#include "node/session.h"

enum { HEAP_BYTES = 8 << 20 };

struct fixture {
    void *memory;
    struct heap *heap;
    struct session_table table;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->memory = aligned_alloc(4096, HEAP_BYTES);
    fixture->heap = heap_init(fixture->memory, HEAP_BYTES);
    session_table_init(&fixture->table, fixture->heap);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    session_table_clear(&fixture->table);
    assert_int_equal(heap_used(fixture->heap), 0);
    free(fixture->memory);
    free(fixture);
    return 0;
}

static struct session *open_at(struct fixture *fixture, uint32_t node, uint64_t incarnation, uint64_t first_incomplete)
{
    struct bundle bundle = {.node = node, .incarnation = incarnation, .first_incomplete = first_incomplete};
    return session_open(&fixture->table, &bundle, node < 1000);
}

static void record(struct fixture *fixture, struct session *session, uint64_t number, const char *text)
{
    session_record(&fixture->table, session, number, span_string(text));
}

/* Numbers of clients cost nothing, so those that come and go may not fill the memory of all members; members have
 * their sessions in any case. */
static void sessions_of_clients_are_bounded(void **state)
{
    enum { CLIENT = 1000 };
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < SESSION_CLIENTS_MAX; i++)
        assert_non_null(open_at(fixture, CLIENT + i, 1, 1));
    assert_null(open_at(fixture, CLIENT + SESSION_CLIENTS_MAX, 1, 1));
    assert_non_null(open_at(fixture, CLIENT + 3, 2, 1));
    assert_non_null(open_at(fixture, 5, 1, 1));
}

/* Who never says what it has got may not fill the memory of all members. */
static void what_is_kept_of_a_session_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct session *session = open_at(fixture, 1, 7, 1);
    assert_int_equal(session_judge(session, SESSION_WINDOW_MAX + 1), SESSION_GAP);
    session->last_executed = SESSION_WINDOW_MAX; /* as if all before it had executed */
    assert_int_equal(session_judge(session, SESSION_WINDOW_MAX), SESSION_DUPLICATE);
    assert_int_equal(session_judge(session, SESSION_WINDOW_MAX + 1), SESSION_GAP);
    session = open_at(fixture, 1, 7, 2);
    assert_int_equal(session_judge(session, SESSION_WINDOW_MAX + 1), SESSION_EXECUTE);

    static uint8_t bytes[SESSION_REPLY_BYTES_MAX];
    struct span reply = span_of(bytes, sizeof bytes);
    session = open_at(fixture, 2, 7, 1);
    session->kept_bytes = SESSION_KEPT_BYTES_MAX - sizeof bytes;
    session_record(&fixture->table, session, 1, reply);
    session_record(&fixture->table, session, 2, reply);
    assert_true(session_reply(session, 1, &reply));
    assert_false(session_reply(session, 2, &reply));
    session = open_at(fixture, 2, 7, 3); /* it has them: there is room again */
    assert_int_equal(session->kept_bytes, SESSION_KEPT_BYTES_MAX - sizeof bytes);
    session_record(&fixture->table, session, 3, reply);
    assert_true(session_reply(session, 3, &reply));
}

static void executes_once(void **state)
{
    struct fixture *fixture = *state;
    struct session *session = open_at(fixture, 1, 7, 1);
    assert_int_equal(session_judge(session, 1), SESSION_EXECUTE);
    record(fixture, session, 1, "+OK\r\n");
    assert_int_equal(session_judge(session, 1), SESSION_DUPLICATE);
    struct span reply;
    assert_true(session_reply(session, 1, &reply));
    assert_true(span_equal(reply, span_string("+OK\r\n")));
}

static void waits_for_the_number_between(void **state)
{
    struct fixture *fixture = *state;
    struct session *session = open_at(fixture, 1, 7, 1);
    record(fixture, session, 1, "a");
    assert_int_equal(session_judge(session, 3), SESSION_GAP);
    /* 2 was refused for certain, so the session says that all below 3 are complete. */
    session = open_at(fixture, 1, 7, 3);
    assert_int_equal(session_judge(session, 3), SESSION_EXECUTE);
    assert_int_equal(session_judge(session, 2), SESSION_STALE);
    assert_int_equal(session_judge(session, 4), SESSION_GAP);
    record(fixture, session, 3, "c");
    assert_int_equal(session_judge(session, 4), SESSION_EXECUTE);
}

static void a_new_incarnation_ends_the_old_session(void **state)
{
    struct fixture *fixture = *state;
    struct session *session = open_at(fixture, 2, 7, 1);
    record(fixture, session, 1, "old");
    session = open_at(fixture, 2, 8, 1);
    assert_non_null(session);
    assert_int_equal(session_judge(session, 1), SESSION_EXECUTE);
    assert_null(open_at(fixture, 2, 7, 1));
    assert_null(session_find(&fixture->table, 2, 7));
    assert_non_null(session_find(&fixture->table, 2, 8));
}

static void large_replies_are_not_kept(void **state)
{
    struct fixture *fixture = *state;
    struct session *session = open_at(fixture, 1, 1, 1);
    char *large = calloc(1, SESSION_REPLY_BYTES_MAX + 1);
    struct span reply;
    session_record(&fixture->table, session, 1, (struct span){(uint8_t *)large, SESSION_REPLY_BYTES_MAX + 1});
    assert_false(session_reply(session, 1, &reply));
    assert_int_equal(session_judge(session, 1), SESSION_DUPLICATE);
    session_record(&fixture->table, session, 2, (struct span){(uint8_t *)large, SESSION_REPLY_BYTES_MAX});
    assert_true(session_reply(session, 2, &reply));
    assert_int_equal(reply.size, SESSION_REPLY_BYTES_MAX);
    free(large);
}

static void damaged_tables_are_refused(void **state)
{
    struct fixture *fixture = *state;
    record(fixture, open_at(fixture, 1, 1, 1), 1, "one");
    record(fixture, open_at(fixture, 3, 1, 1), 1, "a reply that is longer than the inline ones");
    struct buffer out;
    buffer_init(&out, fixture->heap);
    assert_true(session_table_write(&fixture->table, &out));
    for (size_t size = 0; size < out.size; size++) {
        struct session_table copy;
        session_table_init(&copy, fixture->heap);
        assert_false(session_table_read(&copy, (struct span){out.data, size}));
        session_table_clear(&copy);
    }
    buffer_free(&out);
}

/* Bundles of two sessions arrive lost, doubled and out of order; the model keeps every verdict's reason. */
static void random_arrivals_agree_with_a_model(void **state)
{
    struct fixture *fixture = *state;
    struct random random;
    random_seed(&random, test_seed("session_test"));
    enum { NUMBERS = 3000, WINDOW = 200 };
    static bool done[NUMBERS + 1], complete[NUMBERS + 1];
    memset(done, 0, sizeof(done));
    memset(complete, 0, sizeof(complete));
    uint64_t first_incomplete = 1, table_first = 1, last = 0;
    for (int step = 0; step < 200000 && first_incomplete < NUMBERS; step++) {
        uint64_t number = first_incomplete + random_below(&random, WINDOW);
        if (number > NUMBERS) number = NUMBERS;
        if (random_chance(&random, 1, 50) && !complete[first_incomplete]) complete[first_incomplete] = true;
        while (first_incomplete < NUMBERS && complete[first_incomplete]) first_incomplete++;
        struct session *session = open_at(fixture, 1, 1, first_incomplete);
        if (first_incomplete > table_first) table_first = first_incomplete;
        bool between = true;
        for (uint64_t i = last + 1; i < number; i++) between = between && i < table_first;
        enum session_verdict expected = number < table_first ? SESSION_STALE
                                        : number <= last     ? SESSION_DUPLICATE
                                        : between            ? SESSION_EXECUTE
                                                             : SESSION_GAP;
        assert_int_equal(session_judge(session, number), expected);
        if (expected == SESSION_EXECUTE) {
            char text[64];
            snprintf(text, sizeof(text), "reply %llu%s", (unsigned long long)number,
                     number % 3 ? "" : " with a long tail of words");
            assert_false(done[number]);
            done[number] = true;
            last = number;
            record(fixture, session, number, text);
            if (random_chance(&random, 3, 4)) complete[number] = true;
        }
        if (random_chance(&random, 1, 500)) {
            struct buffer out;
            buffer_init(&out, fixture->heap);
            uint64_t digest = session_table_digest(&fixture->table);
            assert_true(session_table_write(&fixture->table, &out));
            assert_true(session_table_read(&fixture->table, (struct span){out.data, out.size}));
            assert_true(session_table_digest(&fixture->table) == digest);
            buffer_free(&out);
        }
    }
    assert_true(last > NUMBERS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(executes_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_of_a_session_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waits_for_the_number_between, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_incarnation_ends_the_old_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_replies_are_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_tables_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_arrivals_agree_with_a_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sessions_of_clients_are_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
