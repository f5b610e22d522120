/* The tills: answers, what is asked before it is stored, the same state from every order of the origins, a naive model
 * of who is honoured, and checkpoints. */
#include "service/till/till.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "service/commands.h"

enum { TILLS = 3 };

static struct heap *heap;
static struct group_spec spec;
static void *tills[TILLS];
static struct buffer command, reply;

static int set_up(void **state)
{
    (void)state;
    heap = heap_create_system((size_t)64 << 20);
    spec = (struct group_spec){.self = 1};
    spec_defaults(&spec.tuning);
    spec.tuning.service_heap_bytes = (size_t)64 << 20;
    for (int i = 0; i < TILLS; i++)
        tills[i] = till_service.create(heap, &spec);
    buffer_init(&command, heap);
    buffer_init(&reply, heap);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    heap_destroy_system(heap);
    return 0;
}

static const char *deliver(void *till, bool read, uint32_t origin, uint16_t op, const char *name, const char *amount)
{
    buffer_clear(&command);
    size_t at = command_begin(&command, op, 0, name == NULL ? 0 : amount == NULL ? 1 : 2);
    if (name != NULL)
        command_argument(&command, span_string(name));
    if (amount != NULL)
        command_argument(&command, span_string(amount));
    command_end(&command, at);
    struct delivery delivery = {.read = read, .origin = origin};
    assert_true(command_open(buffer_span(&command), &delivery.command));
    buffer_clear(&reply);
    struct service_out out = {.reply = &reply};
    till_service.deliver(till, &delivery, &out);
    assert_true(buffer_append(&reply, "", 1));
    return (const char *)reply.data;
}

#define IN(till, origin, name, amount) deliver(tills[till], false, origin, OP_INCRBY, name, amount)
#define OUT(till, origin, name, amount) deliver(tills[till], false, origin, OP_DECRBY, name, amount)
#define ASK(till, op, name, amount) deliver(tills[till], true, 1, op, name, amount)
#define GET(till, name) deliver(tills[till], true, 1, OP_GET, name, NULL)

static void money_goes_in_and_out(void **state)
{
    (void)state;
    assert_string_equal(GET(0, "anna"), "_\r\n");
    assert_string_equal(IN(0, 1, "anna", "100"), ":100\r\n");
    assert_string_equal(OUT(0, 2, "anna", "30"), ":70\r\n");
    assert_string_equal(GET(0, "anna"), "$2\r\n70\r\n");
    assert_string_equal(GET(0, "anna/reversed"), "$1\r\n0\r\n");
    assert_string_equal(GET(0, "bert/reversed"), "_\r\n");
    assert_string_equal(GET(0, "/reversed"), "_\r\n");
    assert_int_equal(till_service.item_count(tills[0]), 1);
    assert_int_equal(till_updates(tills[0], 1), 1);
    assert_int_equal(till_updates(tills[0], 2), 1);
    assert_int_equal(till_updates(tills[0], 3), 0);
}

static void what_the_own_books_do_not_cover_is_refused(void **state)
{
    (void)state;
    IN(0, 1, "anna", "100");
    uint64_t digest = till_service.digest(tills[0]);
    assert_string_equal(ASK(0, OP_DECRBY, "anna", "100"), "+OK\r\n");
    assert_string_equal(ASK(0, OP_DECRBY, "anna", "101"), "-ERR insufficient funds: the balance here is 100\r\n");
    assert_string_equal(ASK(0, OP_DECRBY, "bert", "1"), "-ERR insufficient funds: the balance here is 0\r\n");
    assert_string_equal(ASK(0, OP_INCRBY, "bert", "1"), "+OK\r\n");
    static const char *const bad[][2] = {{"anna", "0"}, {"anna", "-5"}, {"anna", "x"}, {"anna", "1000000000001"},
                                         {"", "5"}, {"anna/reversed", "5"},
                                         {"0123456789012345678901234567890123456789012345678901234567890123", "5"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_memory_equal(ASK(0, OP_INCRBY, bad[i][0], bad[i][1]), "-ERR it is INCRBY or DECRBY", 27);
    assert_memory_equal(ASK(0, OP_INCRBY, "anna", NULL), "-ERR it is", 10);
    assert_memory_equal(ASK(0, OP_SET, "anna", "5"), "-ERR tills know INCRBY, DECRBY and GET only", 43);
    assert_memory_equal(ASK(0, OP_GET, NULL, NULL), "-ERR wrong number", 17);
    assert_int_equal(till_service.digest(tills[0]), digest); /* asking changes nothing */
}

static void the_later_payment_is_reversed_and_made_good(void **state)
{
    (void)state;
    /* Both sides of a cut have 100; origin 4 pays 70 out, origin 2 first takes 10 and then pays out 80. */
    for (int i = 0; i < 2; i++)
        IN(i, 1, "anna", "100");
    assert_string_equal(OUT(0, 4, "anna", "70"), ":30\r\n");
    IN(1, 2, "anna", "10");
    assert_string_equal(OUT(1, 2, "anna", "80"), ":30\r\n");
    /* They meet, in either order. */
    IN(0, 2, "anna", "10");
    assert_string_equal(OUT(0, 2, "anna", "80"), ":40\r\n");
    assert_string_equal(OUT(1, 4, "anna", "70"), ":40\r\n");
    for (int i = 0; i < 2; i++) {
        assert_string_equal(GET(i, "anna"), "$2\r\n40\r\n");
        assert_string_equal(GET(i, "anna/reversed"), "$2\r\n80\r\n");
    }
    assert_int_equal(till_service.digest(tills[0]), till_service.digest(tills[1]));
    assert_string_equal(IN(0, 5, "anna", "50"), ":10\r\n");
    assert_string_equal(GET(0, "anna/reversed"), "$1\r\n0\r\n");
    assert_true(till_service.digest(tills[0]) != till_service.digest(tills[1]));
}

static void every_update_counts_also_what_does_nothing(void **state)
{
    (void)state;
    deliver(tills[0], false, 1, OP_TICK, NULL, NULL);
    deliver(tills[0], false, 1, OP_SET, "a", "b");
    deliver(tills[0], false, 1, OP_INCRBY, "a", "none");
    assert_int_equal(till_updates(tills[0], 1), 3);
    assert_int_equal(till_service.item_count(tills[0]), 0);
    /* The chain tells orders of one origin apart, and not those of several. */
    IN(1, 1, "a", "1");
    IN(1, 1, "b", "1");
    IN(2, 1, "b", "1");
    IN(2, 1, "a", "1");
    assert_int_equal(till_updates(tills[1], 1), till_updates(tills[2], 1));
    assert_true(till_chain(tills[1], 1) != till_chain(tills[2], 1));
}

/* ---- all orders, and a model ---- */

enum { ORIGINS = 3, PAYMENTS = 40 };

struct payment {
    bool out;
    char name[2];
    unsigned amount;
};

static void draw(struct random *random, struct payment payments[ORIGINS][PAYMENTS])
{
    for (int origin = 0; origin < ORIGINS; origin++)
        for (int i = 0; i < PAYMENTS; i++)
            payments[origin][i] = (struct payment){.out = random_chance(random, 1, 2),
                                                   .name = {(char)('a' + random_below(random, 3)), 0},
                                                   .amount = 1 + (unsigned)random_below(random, 20)};
}

/* Interleaves the origins, each in its own order. */
static void deliver_all(struct random *random, int till, struct payment payments[ORIGINS][PAYMENTS])
{
    int next[ORIGINS] = {0};
    for (int left = ORIGINS * PAYMENTS; left > 0;) {
        uint32_t origin = (uint32_t)random_below(random, ORIGINS);
        if (next[origin] == PAYMENTS)
            continue;
        const struct payment *payment = &payments[origin][next[origin]++];
        char amount[16];
        snprintf(amount, sizeof amount, "%u", payment->amount);
        deliver(tills[till], false, origin + 1, payment->out ? OP_DECRBY : OP_INCRBY, payment->name, amount);
        left--;
    }
}

static void check_model(int till, char name, struct payment payments[ORIGINS][PAYMENTS])
{
    uint64_t balance = 0, reversed = 0;
    for (int origin = 0; origin < ORIGINS; origin++)
        for (int i = 0; i < PAYMENTS; i++)
            if (payments[origin][i].name[0] == name && !payments[origin][i].out)
                balance += payments[origin][i].amount;
    for (int i = 0; i < PAYMENTS; i++)
        for (int origin = 0; origin < ORIGINS; origin++) {
            const struct payment *payment = &payments[origin][i];
            if (payment->name[0] != name || !payment->out)
                continue;
            if (payment->amount <= balance)
                balance -= payment->amount;
            else
                reversed += payment->amount;
        }
    char asked[16], expected[64], digits[24];
    for (int which = 0; which < 2; which++) {
        snprintf(asked, sizeof asked, "%c%s", name, which == 0 ? "" : "/reversed");
        int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)(which == 0 ? balance : reversed));
        snprintf(expected, sizeof expected, "$%d\r\n%s\r\n", size, digits);
        assert_string_equal(GET(till, asked), expected);
    }
}

static void every_order_of_the_origins_gives_the_same(void **state)
{
    (void)state;
    static struct payment payments[ORIGINS][PAYMENTS];
    struct random random;
    random_seed(&random, 5);
    for (int round = 0; round < 50; round++) {
        set_up(NULL);
        draw(&random, payments);
        for (int till = 0; till < TILLS; till++)
            deliver_all(&random, till, payments);
        for (int till = 1; till < TILLS; till++)
            assert_int_equal(till_service.digest(tills[till]), till_service.digest(tills[0]));
        for (char name = 'a'; name <= 'c'; name++)
            check_model(0, name, payments);
        if (round < 49)
            heap_destroy_system(heap);
    }
}

/* ---- checkpoints ---- */

static bool restore(void *till, struct span bytes, size_t piece)
{
    till_service.restore_begin(till);
    bool good = true;
    for (size_t at = 0; at < bytes.size && good; at += piece)
        good = till_service.restore_next(till, span_of(bytes.data + at, bytes.size - at < piece ? bytes.size - at : piece));
    return till_service.restore_end(till) && good;
}

static void a_checkpoint_gives_the_state_back(void **state)
{
    (void)state;
    struct buffer bytes;
    buffer_init(&bytes, heap);
    IN(0, 1, "anna", "100");
    OUT(0, 2, "anna", "30");
    OUT(0, 3, "anna", "90");
    IN(0, 2, "bert", "7");
    uint64_t digest = till_service.digest(tills[0]);
    till_service.checkpoint_begin(tills[0]);
    IN(0, 1, "anna", "1"); /* not part of it */
    while (till_service.checkpoint_next(tills[0], &bytes, 10)) {
    }
    till_service.checkpoint_end(tills[0]);
    for (size_t piece = 1; piece < bytes.size; piece += 7) {
        assert_true(restore(tills[1], buffer_span(&bytes), piece));
        assert_int_equal(till_service.digest(tills[1]), digest);
    }
    assert_string_equal(GET(1, "anna"), "$2\r\n70\r\n");
    assert_string_equal(OUT(1, 2, "anna", "5"), ":65\r\n"); /* its numbers go on: no two payments are the same one */
    for (size_t size = 0; size < bytes.size; size++)
        assert_false(restore(tills[2], span_of(bytes.data, size), 16));
    uint32_t refused = 0;
    for (size_t bit = 0; bit < bytes.size * 8; bit++) { /* damaged bytes never do harm */
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        refused += !restore(tills[2], buffer_span(&bytes), 16);
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(refused > 100);
}

static void full_books_take_nothing_more(void **state)
{
    (void)state;
    spec.tuning.service_bytes_max = 2000;
    tills[0] = till_service.create(heap, &spec);
    IN(0, 1, "anna", "100000");
    int taken = 0;
    while (taken < 1000 && ASK(0, OP_DECRBY, "anna", "1")[0] == '+') {
        OUT(0, 1, "anna", "1");
        taken++;
    }
    assert_in_range(taken, 20, 200);
    assert_string_equal(ASK(0, OP_DECRBY, "anna", "1"), "-OOM the books of the tills are full\r\n");
    assert_memory_equal(OUT(0, 2, "anna", "1"), ":", 1); /* what others took counts all the same */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(money_goes_in_and_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_own_books_do_not_cover_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_later_payment_is_reversed_and_made_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_update_counts_also_what_does_nothing, set_up, tear_down),
        cmocka_unit_test_teardown(every_order_of_the_origins_gives_the_same, tear_down),
        cmocka_unit_test_setup_teardown(a_checkpoint_gives_the_state_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_books_take_nothing_more, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
