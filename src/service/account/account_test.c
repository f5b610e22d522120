/* The bank: answers, what is asked as read, checkpoints, and a naive model beside it. */
#include "service/account/account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

enum { REGION_SIZE = 1 << 20 };

struct bench {
    void *region[2];
    struct heap *heap;
    void *bank, *other; /* `other` is restored from checkpoints of `bank` */
    struct buffer reply, bytes;
    struct group_spec spec;
};

static struct bench bench;

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        bench.region[i] = aligned_alloc(HEAP_ALIGNMENT, REGION_SIZE);
    bench.spec = (struct group_spec){.self = 1};
    spec_defaults(&bench.spec.tuning);
    bench.heap = heap_init(bench.region[0], REGION_SIZE);
    bench.bank = account_service.create(bench.heap, &bench.spec);
    bench.other = account_service.create(bench.heap, &bench.spec);
    struct heap *buffers = heap_init(bench.region[1], REGION_SIZE);
    buffer_init(&bench.reply, buffers);
    buffer_init(&bench.bytes, buffers);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(bench.region[0]);
    free(bench.region[1]);
    return 0;
}

/* Delivers one command and returns its answer, valid until the next one. */
static const char *run(bool read, uint16_t op, uint32_t argc, const char *const *arguments)
{
    buffer_clear(&bench.bytes);
    size_t at = command_begin(&bench.bytes, op, 0, argc);
    for (uint32_t i = 0; i < argc; i++)
        command_argument(&bench.bytes, span_string(arguments[i]));
    command_end(&bench.bytes, at);
    struct delivery delivery = {.read = read};
    assert_true(command_open(buffer_span(&bench.bytes), &delivery.command));
    buffer_clear(&bench.reply);
    struct service_out out = {.reply = &bench.reply};
    account_service.deliver(bench.bank, &delivery, &out);
    assert_true(buffer_append(&bench.reply, "", 1));
    return (const char *)bench.reply.data;
}

#define RUN(read, op, ...) \
    run((read), (op), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), (const char *const[]){__VA_ARGS__})

static void money_moves(void **state)
{
    (void)state;
    assert_string_equal(RUN(false, ACCOUNT_OPEN, "ann", "100"), "+OK\r\n");
    assert_string_equal(RUN(false, ACCOUNT_OPEN, "bob", "0"), "+OK\r\n");
    assert_string_equal(RUN(false, ACCOUNT_TRANSFER, "ann", "bob", "30"), "+OK\r\n");
    assert_string_equal(RUN(true, ACCOUNT_BALANCE, "ann"), ":70\r\n");
    assert_string_equal(RUN(true, ACCOUNT_BALANCE, "bob"), ":30\r\n");
    assert_string_equal(RUN(true, ACCOUNT_BALANCE, "eve"), "_\r\n");
    assert_string_equal(run(true, ACCOUNT_TOTAL, 0, NULL), ":100\r\n");
    assert_int_equal(account_service.item_count(bench.bank), 2);
}

static void what_cannot_be_done_changes_nothing(void **state)
{
    (void)state;
    RUN(false, ACCOUNT_OPEN, "ann", "10");
    RUN(false, ACCOUNT_OPEN, "max", "9223372036854775807");
    uint64_t before = account_service.digest(bench.bank);
    assert_string_equal(RUN(false, ACCOUNT_TRANSFER, "ann", "max", "11"), "-ERR insufficient funds\r\n");
    assert_string_equal(RUN(false, ACCOUNT_TRANSFER, "ann", "max", "1"), "-ERR the balance would be too large\r\n");
    assert_string_equal(RUN(false, ACCOUNT_TRANSFER, "ann", "eve", "1"), "-ERR no such account\r\n");
    assert_string_equal(RUN(false, ACCOUNT_TRANSFER, "ann", "max", "-1"),
                        "-ERR the amount is not a number above 0\r\n");
    assert_string_equal(RUN(false, ACCOUNT_OPEN, "ann", "1"), "-ERR the account exists\r\n");
    assert_string_equal(RUN(false, ACCOUNT_OPEN, "a name of more than 31 bytes is long", "1"),
                        "-ERR the name is too long\r\n");
    assert_string_equal(RUN(false, ACCOUNT_TRANSFER, "ann", "max"), "-ERR wrong number of arguments\r\n");
    assert_string_equal(run(false, 999, 0, NULL), "-ERR unknown operation of the account service\r\n");
    assert_int_equal(account_service.digest(bench.bank), before);
}

static void asked_as_read_answers_the_same_and_changes_nothing(void **state) /* the vote of a commit protocol */
{
    (void)state;
    RUN(false, ACCOUNT_OPEN, "ann", "10");
    RUN(false, ACCOUNT_OPEN, "bob", "0");
    uint64_t before = account_service.digest(bench.bank);
    assert_string_equal(RUN(true, ACCOUNT_TRANSFER, "ann", "bob", "10"), "+OK\r\n");
    assert_string_equal(RUN(true, ACCOUNT_TRANSFER, "ann", "bob", "11"), "-ERR insufficient funds\r\n");
    assert_string_equal(RUN(true, ACCOUNT_OPEN, "eve", "1"), "+OK\r\n");
    assert_int_equal(account_service.digest(bench.bank), before);
    RUN(false, ACCOUNT_TRANSFER, "ann", "bob", "10");
    assert_int_not_equal(account_service.digest(bench.bank), before);
}

static void limit_is_kept(void **state)
{
    (void)state;
    bench.spec.tuning.service_bytes_max = 80;
    bench.bank = account_service.create(bench.heap, &bench.spec);
    assert_string_equal(RUN(false, ACCOUNT_OPEN, "a", "1"), "+OK\r\n");
    assert_string_equal(RUN(false, ACCOUNT_OPEN, "b", "1"), "+OK\r\n");
    assert_string_equal(RUN(false, ACCOUNT_OPEN, "c", "1"), "-OOM the limit of this service is reached\r\n");
}

/* Opens accounts until a checkpoint has several pieces. */
static void open_many(int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", (i * 37) % 1000);
        assert_string_equal(RUN(false, ACCOUNT_OPEN, name, "5"), "+OK\r\n");
    }
}

static void checkpoint_is_as_of_its_begin(void **state)
{
    (void)state;
    open_many(0, 100);
    uint64_t before = account_service.digest(bench.bank);
    struct buffer checkpoint;
    buffer_init(&checkpoint, bench.reply.heap);
    account_service.checkpoint_begin(bench.bank);
    assert_true(account_service.checkpoint_next(bench.bank, &checkpoint, 100));
    open_many(100, 300); /* the arrays grow meanwhile */
    RUN(false, ACCOUNT_TRANSFER, "n0", "n37", "5");
    while (account_service.checkpoint_next(bench.bank, &checkpoint, 100)) {
    }
    account_service.checkpoint_end(bench.bank);
    assert_int_equal(checkpoint.size, 100 * 40);

    account_service.restore_begin(bench.other);
    for (size_t at = 0; at < checkpoint.size; at += 7) { /* split anywhere */
        size_t size = checkpoint.size - at < 7 ? checkpoint.size - at : 7;
        assert_true(account_service.restore_next(bench.other, span_of(checkpoint.data + at, size)));
    }
    assert_true(account_service.restore_end(bench.other));
    assert_int_equal(account_service.digest(bench.other), before);
    assert_int_not_equal(account_service.digest(bench.bank), before);
}

static void damaged_checkpoint_is_refused(void **state)
{
    (void)state;
    open_many(0, 2);
    struct buffer checkpoint;
    buffer_init(&checkpoint, bench.reply.heap);
    account_service.checkpoint_begin(bench.bank);
    while (account_service.checkpoint_next(bench.bank, &checkpoint, 1 << 20)) {
    }
    account_service.checkpoint_end(bench.bank);
    account_service.restore_begin(bench.other);
    assert_true(account_service.restore_next(bench.other, span_of(checkpoint.data, 41)));
    assert_false(account_service.restore_end(bench.other)); /* cut */
    account_service.restore_begin(bench.other);
    assert_true(account_service.restore_next(bench.other, span_of(checkpoint.data, 40)));
    assert_false(account_service.restore_next(bench.other, span_of(checkpoint.data, 40))); /* twice the same */
    checkpoint.data[0] = 200;
    account_service.restore_begin(bench.other);
    assert_false(account_service.restore_next(bench.other, buffer_span(&checkpoint))); /* a name too long */
}

static void agrees_with_a_naive_model(void **state)
{
    (void)state;
    const uint64_t seed = 4711;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    enum { ACCOUNTS = 20 };
    int64_t model[ACCOUNTS];
    for (int i = 0; i < ACCOUNTS; i++)
        model[i] = -1; /* not open */
    for (int round = 0; round < 5000; round++) {
        uint64_t a = random_below(&random, ACCOUNTS), b = random_below(&random, ACCOUNTS);
        int64_t amount = random_between(&random, 1, 50);
        bool read = random_chance(&random, 1, 3), open = random_chance(&random, 1, 10);
        char from[16], to[16], text[24];
        snprintf(from, sizeof from, "%d", (int)a);
        snprintf(to, sizeof to, "%d", (int)b);
        snprintf(text, sizeof text, "%lld", (long long)amount);
        bool possible = open ? model[a] < 0 : model[a] >= amount && model[b] >= 0;
        const char *answer =
            open ? RUN(read, ACCOUNT_OPEN, from, text) : RUN(read, ACCOUNT_TRANSFER, from, to, text);
        assert_int_equal(answer[0], possible ? '+' : '-');
        if (!possible || read)
            continue;
        if (open) {
            model[a] = amount;
        } else {
            model[a] -= amount;
            model[b] += amount;
        }
    }
    for (int i = 0; i < ACCOUNTS; i++) {
        char name[16], wanted[32];
        snprintf(name, sizeof name, "%d", i);
        snprintf(wanted, sizeof wanted, ":%lld\r\n", (long long)model[i]);
        assert_string_equal(RUN(true, ACCOUNT_BALANCE, name), model[i] < 0 ? "_\r\n" : wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(money_moves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_done_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asked_as_read_answers_the_same_and_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limit_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(checkpoint_is_as_of_its_begin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_checkpoint_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(agrees_with_a_naive_model, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
