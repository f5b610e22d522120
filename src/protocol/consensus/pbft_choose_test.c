/* What a set of VIEW-CHANGEs decides (Castro02, section 3.2.4): a committed request survives every liar; a forged
 * certificate is not believed; numbers without certificates become null requests. */
#include "protocol/consensus/pbft_choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/test_seed.h"

enum { WINDOW = 16, BODY_MAX = 2048, MEMBERS = 4 };

/* A VIEW-CHANGE under construction. */
struct draft {
    uint64_t stable;
    uint32_t marks, prepared, accepted;
    struct pbft_mark mark[PBFT_MARKS_MAX];
    struct pbft_entry p[8], q[8];
    uint8_t bytes[BODY_MAX];
};

static struct pbft_value value(uint64_t number)
{
    return (struct pbft_value){{number, number, number, number}, (int64_t)number};
}

static struct draft begin(uint64_t stable)
{
    return (struct draft){.stable = stable, .marks = 1, .mark = {{stable, stable, {.size = stable}}}};
}

static void add_p(struct draft *draft, uint64_t number, uint64_t view, uint64_t what)
{
    draft->p[draft->prepared++] = (struct pbft_entry){number, view, value(what)};
}

static void add_q(struct draft *draft, uint64_t number, uint64_t view, uint64_t what)
{
    draft->q[draft->accepted++] = (struct pbft_entry){number, view, value(what)};
}

static struct span body_of(struct draft *draft)
{
    size_t at = PBFT_CHANGE_HEAD_SIZE;
    pbft_change_head_write(draft->bytes, draft->stable, draft->marks, draft->prepared, draft->accepted);
    for (uint32_t i = 0; i < draft->marks; i++, at += PBFT_MARK_SIZE)
        pbft_mark_write(draft->bytes + at, &draft->mark[i]);
    for (uint32_t i = 0; i < draft->prepared; i++, at += PBFT_ENTRY_SIZE)
        pbft_entry_write(draft->bytes + at, &draft->p[i]);
    for (uint32_t i = 0; i < draft->accepted; i++, at += PBFT_ENTRY_SIZE)
        pbft_entry_write(draft->bytes + at, &draft->q[i]);
    return span_of(draft->bytes, at);
}

static void add(struct pbft_set *set, struct draft *draft, uint64_t view)
{
    assert_true(pbft_change_open(body_of(draft), view, WINDOW, &set->changes[set->count++]));
}

static struct pbft_set of_four(void)
{
    return (struct pbft_set){.k = 1, .quorum = 3};
}

static void assert_choice(const struct pbft_set *set, uint64_t number, uint64_t what)
{
    struct pbft_value chosen, wanted = what == 0 ? (struct pbft_value){0} : value(what);
    assert_int_equal(pbft_choose(set, number, &chosen), PBFT_DECIDED);
    assert_true(pbft_value_equal(&chosen, &wanted));
}

/* Request 7 prepared at members 1 and 2 in view 1, and was executed at 1, whose links are slow now: the new view is
 * formed by 0, which lies, by 2, and by 3, which accepted it but knows of no certificate. */
static void a_committed_request_survives(void **state)
{
    (void)state;
    struct draft liar = begin(0), holder = begin(0), other = begin(0);
    add_p(&holder, 1, 1, 7);
    add_q(&holder, 1, 1, 7);
    add_q(&other, 1, 1, 7);
    struct pbft_set set = of_four();
    add(&set, &liar, 3); /* an empty P */
    add(&set, &holder, 3);
    add(&set, &other, 3);
    assert_choice(&set, 1, 7);

    struct draft forged = begin(0); /* another request, of a later view */
    add_p(&forged, 1, 2, 8);
    add_q(&forged, 1, 2, 8);
    set = of_four();
    add(&set, &forged, 3);
    add(&set, &holder, 3);
    add(&set, &other, 3);
    struct pbft_value chosen;
    assert_int_equal(pbft_choose(&set, 1, &chosen), PBFT_UNDECIDED); /* it waits for the fourth */
    struct draft fourth = begin(0);
    add_p(&fourth, 1, 1, 7);
    add_q(&fourth, 1, 1, 7);
    add(&set, &fourth, 3);
    assert_choice(&set, 1, 7);
    set.unchecked = true; /* the mutant believes the loudest */
    assert_choice(&set, 1, 8);
}

/* Of two genuine certificates the one of the later view counts. */
static void the_later_certificate_counts(void **state)
{
    (void)state;
    struct draft early = begin(0), late = begin(0), witness = begin(0);
    add_p(&early, 2, 1, 5);
    add_q(&early, 2, 1, 5);
    add_p(&late, 2, 3, 6);
    add_q(&late, 2, 3, 6);
    add_q(&witness, 2, 3, 6);
    struct pbft_set set = of_four();
    add(&set, &early, 4);
    add(&set, &late, 4);
    add(&set, &witness, 4);
    assert_choice(&set, 2, 6);
    assert_int_equal(pbft_choose_end(&set, 0, WINDOW), 2);
    assert_choice(&set, 1, 0); /* the gap before it becomes a null request */
}

/* min-s: the highest checkpoint that k+1 hold and that a quorum is not beyond. */
static void the_start_is_proven(void **state)
{
    (void)state;
    struct draft behind = begin(0), ahead = begin(8), also = begin(8), liar = begin(16);
    behind.mark[behind.marks++] = (struct pbft_mark){8, 8, {.size = 8}};
    struct pbft_set set = of_four();
    struct pbft_mark start;
    add(&set, &behind, 2);
    add(&set, &ahead, 2);
    add(&set, &liar, 2);
    assert_false(pbft_choose_start(&set, &start)); /* only two are not beyond 8 */
    add(&set, &also, 2);
    assert_true(pbft_choose_start(&set, &start));
    assert_int_equal(start.number, 8);

    set = of_four(); /* a digest that one member alone claims proves nothing */
    struct draft wrong = begin(8);
    wrong.mark[0].seal.digest[2] = 9;
    add(&set, &wrong, 2);
    add(&set, &ahead, 2);
    add(&set, &behind, 2);
    assert_true(pbft_choose_start(&set, &start));
    assert_int_equal(start.seal.digest[2], 0);
}

static void malformed_bodies_are_rejected(void **state)
{
    (void)state;
    struct pbft_change opened;
    struct draft good = begin(0);
    add_p(&good, 1, 1, 5);
    struct span body = body_of(&good);
    assert_true(pbft_change_open(body, 2, WINDOW, &opened));
    assert_false(pbft_change_open(body, 1, WINDOW, &opened)); /* a certificate of the view itself */
    for (size_t size = 0; size < body.size; size++)
        assert_false(pbft_change_open(span_of(body.data, size), 2, WINDOW, &opened));
    struct draft twice = begin(0), beyond = begin(0), below = begin(4), none = begin(0);
    add_p(&twice, 1, 1, 5);
    add_p(&twice, 1, 1, 6);
    assert_false(pbft_change_open(body_of(&twice), 2, WINDOW, &opened));
    add_p(&beyond, WINDOW + 1, 1, 5);
    assert_false(pbft_change_open(body_of(&beyond), 2, WINDOW, &opened));
    add_p(&below, 4, 1, 5);
    assert_false(pbft_change_open(body_of(&below), 2, WINDOW, &opened));
    none.marks = 0;
    assert_false(pbft_change_open(body_of(&none), 2, WINDOW, &opened));
}

/* Who hears one keeps it where the longest that is true has room. */
static void no_body_is_longer_than_a_true_one(void **state)
{
    (void)state;
    struct pbft_change opened;
    struct draft draft = begin(0);
    for (uint64_t what = 1; what <= PBFT_ACCEPTS_MAX; what++)
        add_q(&draft, 1, 1, what);
    add_q(&draft, 2, 1, 1);
    assert_true(pbft_change_open(body_of(&draft), 2, WINDOW, &opened));
    draft.q[PBFT_ACCEPTS_MAX].number = 1;
    assert_false(pbft_change_open(body_of(&draft), 2, WINDOW, &opened));
}

/* A number beyond the window is no certificate that anybody waits for. */
static void a_liar_beyond_the_window_delays_nobody(void **state)
{
    (void)state;
    struct draft liar = begin(8), honest = begin(0);
    add_p(&liar, 8 + WINDOW, 1, 9);
    add_p(&honest, 1, 1, 7);
    add_q(&honest, 1, 1, 7);
    struct pbft_set set = of_four();
    struct pbft_mark start;
    add(&set, &liar, 3);
    for (int i = 0; i < 3; i++)
        add(&set, &honest, 3);
    assert_true(pbft_choose_start(&set, &start));
    assert_int_equal(start.number, 0);
    assert_int_equal(pbft_choose_end(&set, 0, WINDOW), WINDOW);
    assert_choice(&set, 1, 7);
    for (uint64_t number = 2; number <= WINDOW; number++)
        assert_choice(&set, number, 0);
}

/* Anything that a liar may say, against one committed request: the choice is that request or none, whoever is heard. */
static void no_liar_changes_what_is_committed(void **state)
{
    (void)state;
    struct random random;
    uint32_t decided = 0, fooled = 0;
    random_seed(&random, test_seed("pbft_choose_test"));
    for (int round = 0; round < 20000; round++) {
        uint64_t view = 1 + random_below(&random, 4);
        struct draft drafts[MEMBERS];
        for (uint32_t i = 0; i < MEMBERS; i++) {
            drafts[i] = begin(0);
            if (i == 0) { /* the liar */
                if (random_chance(&random, 3, 4))
                    add_p(&drafts[i], 1, 1 + random_below(&random, 6), 7 + random_below(&random, 2));
                if (random_chance(&random, 3, 4))
                    add_q(&drafts[i], 1, 1 + random_below(&random, 6), 7 + random_below(&random, 2));
                continue;
            }
            /* Committed in `view`: 2k+1 prepared there, of whom two are correct; all three may have accepted it. An
             * earlier view may have got another request to member 3. */
            if (i < 3 || random_chance(&random, 1, 2)) {
                add_p(&drafts[i], 1, view, 7);
                add_q(&drafts[i], 1, view, 7);
            } else if (view > 1 && random_chance(&random, 1, 2)) {
                add_q(&drafts[i], 1, view - 1, 8);
            }
        }
        uint32_t left_out = (uint32_t)random_below(&random, MEMBERS + 1);
        struct pbft_set set = of_four();
        for (uint32_t i = 0; i < MEMBERS; i++)
            if (i != left_out)
                add(&set, &drafts[i], 9);
        struct pbft_value chosen, committed = value(7);
        bool right = pbft_choose(&set, 1, &chosen) == PBFT_UNDECIDED || pbft_value_equal(&chosen, &committed);
        assert_true(right);
        decided += pbft_choose(&set, 1, &chosen) == PBFT_DECIDED;
        set.unchecked = true;
        (void)pbft_choose(&set, 1, &chosen);
        fooled += !pbft_value_equal(&chosen, &committed);
    }
    assert_true(decided > 10000);
    assert_true(fooled > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_committed_request_survives), cmocka_unit_test(the_later_certificate_counts),
        cmocka_unit_test(the_start_is_proven),          cmocka_unit_test(malformed_bodies_are_rejected),
        cmocka_unit_test(no_liar_changes_what_is_committed), cmocka_unit_test(no_body_is_longer_than_a_true_one),
        cmocka_unit_test(a_liar_beyond_the_window_delays_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
