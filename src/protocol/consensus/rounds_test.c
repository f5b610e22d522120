/* Synchronous rounds: what comes late or from another instance is dropped and counted, the next round's messages
 * may come early, who starts waits, who crashed stays out. Through flooding consensus, the simplest protocol that
 * uses them. */
#include "protocol/consensus/rounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/consensus/flooding.h"
#include "protocol/consensus/rounds_testing.h"

static const char *state_of(const struct table *table, uint32_t place)
{
    static char line[1024];
    struct text text = text_begin(line, sizeof line);
    flooding_protocol.print(table->members[place], &text);
    return line;
}

static void has(const struct table *table, uint32_t place, const char *word)
{
    if (strstr(state_of(table, place), word) == NULL)
        fail_msg("member %u has no '%s': %s", place + 1, word, state_of(table, place));
}

/* A set of three from member 2 to member 1. */
static void send_to_first(struct table *table, uint64_t instance, uint32_t round, uint64_t value)
{
    struct table_message *message = &table->messages[table->message_count++];
    *message = (struct table_message){.from = 1, .to = 0, .type = FLOODING_PROPOSAL, .size = 16 + 3 * CELL_SIZE};
    store_u64(message->bytes, instance);
    store_u32(message->bytes + 8, round);
    store_u32(message->bytes + 12, 3 * CELL_SIZE);
    cell_encode(cell_of(value), message->bytes + 16 + CELL_SIZE);
}

static void only_this_round_and_the_next_count(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, &flooding_protocol, 3, 2, 0);
    table_propose(&table, 0, 50);
    table.message_count = 0; /* the others do not hear of it */
    send_to_first(&table, 1, 2, 20); /* early */
    send_to_first(&table, 1, 3, 1);
    send_to_first(&table, 2, 1, 2);
    table_deliver(&table);
    has(&table, 0, "ahead=2");
    table_timeout(&table);
    has(&table, 0, "set=50,UNKNOWN,UNKNOWN");
    table.message_count = 0;
    send_to_first(&table, 1, 1, 3);
    table_deliver(&table);
    has(&table, 0, "late=1");
    table_timeout(&table);
    has(&table, 0, "decision=20");
    send_to_first(&table, 1, 2, 4);
    table_deliver(&table);
    has(&table, 0, "late=2");
    has(&table, 0, "decision=20");
    has(&table, 0, "state=resting");
    send_to_first(&table, 2, 1, 7); /* the next instance: joined once this member has rested */
    table_deliver(&table);
    has(&table, 0, "instance=1");
    table_timeout(&table);
    has(&table, 0, "instance=2");
    assert_null(table.broken);
    table_free(&table);
}

static void the_first_of_two_counts(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, &flooding_protocol, 3, 2, 0);
    table_propose(&table, 0, 50);
    table.message_count = 0;
    send_to_first(&table, 1, 1, 20);
    send_to_first(&table, 1, 1, 10);
    table_deliver(&table);
    table_timeout(&table);
    has(&table, 0, "set=50,20,UNKNOWN");
    table_free(&table);
}

/* A set of the wrong size is no set. */
static void what_makes_no_sense_is_dropped(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, &flooding_protocol, 3, 2, 0);
    send_to_first(&table, 1, 1, 20);
    table.messages[0].size -= CELL_SIZE;
    store_u32(table.messages[0].bytes + 12, 2 * CELL_SIZE);
    table_deliver(&table);
    has(&table, 0, "instance=0");
    table_free(&table);
}

static void step(struct table *table, struct event event)
{
    table_step(table, 0, &event);
}

/* A member of its own, as it is before table_init() lets it start. */
static void seat_anew(struct table *table, enum start_kind kind)
{
    const struct group_spec *spec = &table->specs[0];
    size_t size = (flooding_protocol.heap_size(spec) + 15) / 16 * 16;
    table->members[0] = flooding_protocol.create(heap_init(table->regions[0], size), spec, 1);
    step(table, (struct event){.kind = EVENT_START, .start = {.kind = kind, .incarnation = 2}});
}

static void a_crash_is_for_ever(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, &flooding_protocol, 3, 2, 0);
    seat_anew(&table, START_RESTARTED);
    has(&table, 0, "state=out");
    send_to_first(&table, 1, 1, 20);
    table_deliver(&table);
    has(&table, 0, "instance=0");
    table_propose(&table, 0, 3);
    assert_memory_equal(table.answers[0], "UNAVAILABLE", 11);
    table_free(&table);
}

/* Young members neither begin nor join; then they join; then they may begin. */
static void who_starts_waits_for_the_others(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, &flooding_protocol, 3, 2, 0);
    seat_anew(&table, START_FIRST);
    table_propose(&table, 0, 3);
    has(&table, 0, "state=starting");
    send_to_first(&table, 1, 1, 20);
    table_deliver(&table);
    has(&table, 0, "state=starting");
    step(&table, (struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = ROUNDS_TIMER}});
    has(&table, 0, "state=running"); /* it joins what had come */
    seat_anew(&table, START_FIRST);
    table.numbers[0] = 0;
    table_propose(&table, 0, 3);
    step(&table, (struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = ROUNDS_TIMER}});
    has(&table, 0, "state=ready");
    step(&table, (struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = ROUNDS_TIMER}});
    has(&table, 0, "state=running");
    assert_null(table.broken);
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_this_round_and_the_next_count),
        cmocka_unit_test(the_first_of_two_counts),
        cmocka_unit_test(what_makes_no_sense_is_dropped),
        cmocka_unit_test(a_crash_is_for_ever),
        cmocka_unit_test(who_starts_waits_for_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
