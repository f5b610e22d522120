/* PBFT and members that lost their disks: they vote again where they cannot contradict themselves, and not before
 * (pbft_recover.c). */
#include "protocol/consensus/pbft_testing.h"

static void ask(uint64_t number, const char *what)
{
    for (uint32_t node = 1; node <= MEMBERS; node++)
        driver_client_request(driver, node, CLIENT, 1, number, OP_ADD, span_string(what));
}

static void forget(uint32_t node)
{
    driver_crash(driver, node);
    driver_lose_disk(driver, node);
    driver_restart(driver, node, START_AMNESIAC);
}

/* Votes of member 3, by the view that they are of. */
static uint32_t votes_of_3[8];
static uint32_t silent; /* node; 0: nobody */

static bool watch_3(struct driver *of, const struct driver_message *message)
{
    (void)of;
    bool vote = message->type == PBFT_PRE_PREPARE || message->type == PBFT_PREPARE || message->type == PBFT_COMMIT;
    if (vote && message->from == 3 && load_u64(message->bytes.data) < 8)
        votes_of_3[load_u64(message->bytes.data)]++;
    return message->from == silent || message->to == silent;
}

static void who_forgot_votes_again_in_a_later_view(void **state)
{
    (void)state;
    begin_short(0);
    for (uint64_t i = 1; i <= 20; i++) {
        ask(i, "a");
        driver_advance(driver, 20 * NS_PER_MS);
    }
    forget(3);
    memset(votes_of_3, 0, sizeof votes_of_3);
    silent = 0;
    driver->lose = watch_3;
    driver_turn(driver, 3, 0);
    assert_true(pbft_of(3)->forgot);
    driver_advance(driver, 20 * NS_PER_S);
    assert_false(pbft_of(3)->forgot);
    assert_int_equal(pbft_of(3)->recovery_bound, 16 + 2 * 16); /* the newest checkpoint, and twice the window */
    assert_true(pbft_of(3)->stable.number >= pbft_of(3)->recovery_bound);
    assert_int_equal(pbft_of(3)->vote_from, 2);
    assert_int_equal(pbft_view(pbft_of(3)), 1);
    assert_int_equal(votes_of_3[1], 0);
    assert_int_equal(chain_of(3).count, 20);
    /* And now it is needed. */
    silent = 1;
    ask(21, "b");
    driver_advance(driver, 10 * NS_PER_S);
    assert_int_equal(votes_of_3[1], 0);
    assert_true(votes_of_3[2] + votes_of_3[3] > 0);
    for (uint32_t node = 2; node <= MEMBERS; node++)
        assert_int_equal(chain_of(node).count, 21);
    assert_null(driver->failed);
}

/* What it learnt of itself it knows after a restart. */
static void a_restart_does_not_make_it_vote_earlier(void **state)
{
    (void)state;
    begin_short(0);
    forget(3);
    driver_advance(driver, 20 * NS_PER_S);
    assert_false(pbft_of(3)->forgot);
    driver_crash(driver, 3);
    driver_restart(driver, 3, START_RESTARTED);
    assert_false(pbft_of(3)->forgot);
    assert_int_equal(pbft_of(3)->vote_from, 2);
    memset(votes_of_3, 0, sizeof votes_of_3);
    driver->lose = watch_3;
    silent = 0;
    ask(1, "a");
    driver_advance(driver, 2 * NS_PER_S);
    assert_int_equal(chain_of(3).count, 1);
    assert_int_equal(votes_of_3[1], 0);
}

static bool lose_all(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->type != PBFT_RECOVERY_MARKS;
}

/* An answer that was meant for an earlier life says too little. */
static void answers_to_an_earlier_question_do_not_count(void **state)
{
    (void)state;
    for (uint64_t wrong = 0; wrong <= 1; wrong++) {
        begin_short(0);
        forget(3);
        driver->lose = lose_all;
        for (uint32_t from = 1; from <= MEMBERS; from++) {
            if (from == 3)
                continue;
            uint8_t *bytes = heap_alloc_zero(driver->heap, 24);
            store_u64(bytes, pbft_of(3)->nonce + wrong);
            store_u64(bytes + 8, 1);
            driver->messages[driver->message_count++] = (struct driver_message){
                .from = from, .to = 3, .incarnation = 1, .type = PBFT_RECOVERY_MARKS, .bytes = {bytes, 24}};
        }
        driver_advance(driver, 10 * NS_PER_MS);
        assert_int_equal(pbft_of(3)->recovery_bound != 0, wrong == 0);
    }
}

/* COMMITs reach member 2 alone, and 4 hears nothing. */
static bool lose_commits_and_4(struct driver *of, const struct driver_message *message)
{
    (void)of;
    bool commit = message->type == PBFT_COMMIT || message->type == PBFT_COMMITTED;
    return (commit && message->to != 2) || message->to == 4 || message->from == 4;
}

static bool lose_2(struct driver *of, const struct driver_message *message)
{
    (void)of;
    return message->to == 2 || message->from == 2;
}

/* 2 executed what 1 and 3 prepared; these forget one after the other. Who forgot counts as faulty until it knows, so
 * the second is one too many, and nothing may happen; without the rule another request takes the number. */
static void two_that_forget_one_after_the_other_undo_nothing(void **state)
{
    (void)state;
    for (uint32_t broken = 0; broken <= 1; broken++) {
        begin_short(broken != 0 ? PBFT_ABLATION_VOTE_FORGOTTEN : 0);
        driver->lose = lose_commits_and_4;
        ask(1, "a");
        driver_advance(driver, 40 * NS_PER_MS);
        assert_int_equal(chain_of(2).count, 1);
        assert_int_equal(chain_of(1).count, 0);
        forget(3);
        driver_advance(driver, NS_PER_S);
        driver->lose = lose_2;
        forget(1);
        for (uint32_t node = 1; node <= MEMBERS; node++)
            driver_client_request(driver, node, CLIENT + 1, 1, 1, OP_ADD, span_string("b"));
        driver_advance(driver, 20 * NS_PER_S);
        bool undone = chain_of(4).count > 0 && chain_of(4).digest != chain_of(2).digest;
        assert_int_equal(undone, broken);
    }
}

/* Links or liars may let it become one state after the other for which only k+1 vouch. What it says and stores of
 * checkpoints begins with the low water mark all the same: its votes lie above that. */
static void the_low_water_mark_is_never_pushed_out(void **state)
{
    (void)state;
    begin_short(0);
    struct pbft *self = driver_member(driver, 3)->self;
    for (uint64_t number = 8; number <= 48; number += 8) {
        struct effect list[8];
        uint8_t scratch[8 * EFFECT_SCRATCH_SIZE_MAX];
        struct effects out = {.list = list, .capacity = 8, .scratch = scratch, .scratch_size = sizeof scratch};
        const struct pbft_mark mark = {number, number, {.size = number}};
        self->executed = number;
        pbft_mark_hold(self, &mark, &out);
        assert_int_equal(self->stable.number, 0);
        assert_int_equal(self->marks[0].number, 0);
        assert_int_equal(self->marks[self->mark_count - 1].number, number);
    }
}

/* One whose VIEW-CHANGE helped a view to begin lost its disk, so a member that missed the NEW-VIEW can not believe it any
 * more, nor hear that VIEW-CHANGE; who is active there wanted the view all the same. */
static void who_is_active_in_a_view_wanted_it(void **state)
{
    (void)state;
    begin_short(0);
    struct pbft *self = driver_member(driver, 3)->self;
    self->view = 2;
    self->active = false;
    for (uint32_t status_of = 0; status_of < 2; status_of++) {
        struct effect list[2];
        struct effects out = {.list = list, .capacity = 2};
        assert_int_equal(self->deadline_ns, INT64_MAX);
        self->peers[status_of].view = 2;
        pbft_view_wanted(self, &out);
    }
    assert_true(self->deadline_ns < INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_forgot_votes_again_in_a_later_view, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restart_does_not_make_it_vote_earlier, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_to_an_earlier_question_do_not_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_low_water_mark_is_never_pushed_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_active_in_a_view_wanted_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_that_forget_one_after_the_other_undo_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
