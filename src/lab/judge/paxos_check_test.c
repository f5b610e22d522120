/* The checker of Paxos across members: it accepts what Paxos does, and sees each thing that Paxos must not do.
 * Members are written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "lab/judge/paxos_check.h"

enum { SLOTS = 8, MEMBERS = 3 };

/* A member as the checker sees it. */
struct fake {
    struct paxos_ballot promised;
    enum paxos_role role;
    bool recovering;
    uint64_t commit, first, top;
    struct paxos_accepted_slot slots[SLOTS]; /* position 0: a hole */
};

static struct paxos_ballot promised(const void *self)
{
    return ((const struct fake *)self)->promised;
}

static enum paxos_role role(const void *self)
{
    return ((const struct fake *)self)->role;
}

static bool recovering(const void *self)
{
    return ((const struct fake *)self)->recovering;
}

static uint64_t commit_slot(const void *self)
{
    return ((const struct fake *)self)->commit;
}

static uint64_t first_slot(const void *self)
{
    return ((const struct fake *)self)->first;
}

static uint64_t top_slot(const void *self)
{
    return ((const struct fake *)self)->top;
}

static bool slot_at(const void *self, uint64_t slot, struct paxos_accepted_slot *out)
{
    const struct fake *fake = self;
    if (slot < fake->first || slot > fake->top || fake->slots[slot].position == 0)
        return false;
    *out = fake->slots[slot];
    return true;
}

static const struct paxos_accessors FAKE = {promised, role, recovering, commit_slot, first_slot, top_slot, slot_at};

struct stage {
    struct heap *heap;
    struct paxos_check *check;
    struct fake members[MEMBERS];
};

static const char *start(struct stage *stage, uint32_t place, enum start_kind kind)
{
    uint64_t position = kind == START_FIRST ? 0 : 100;
    const struct event event = {.kind = EVENT_START, .start = {.kind = kind, .position = position}};
    return paxos_check_step(stage->check, place, &stage->members[place], &event);
}

static const char *turn(struct stage *stage, uint32_t place)
{
    return paxos_check_step(stage->check, place, &stage->members[place], &(struct event){.kind = EVENT_TURN});
}

/* The member's disk has everything up to `position`; then its turn. */
static const char *stored(struct stage *stage, uint32_t place, uint64_t position)
{
    const struct event event = {.kind = EVENT_STORED, .stored = {.position = position}};
    const char *broken = paxos_check_step(stage->check, place, &stage->members[place], &event);
    return broken != NULL ? broken : turn(stage, place);
}

/* The member has accepted the value that was proposed at `time` in this ballot, at this position. */
static void accept(struct stage *stage, uint32_t place, uint64_t slot, struct paxos_ballot ballot, int64_t time,
                   uint64_t position)
{
    struct fake *fake = &stage->members[place];
    fake->slots[slot] = (struct paxos_accepted_slot){
        .ballot = ballot, .position = position, .time_ns = time, .count = 1, .origin = 1};
    if (fake->top < slot)
        fake->top = slot;
    if (paxos_ballot_compare(ballot, fake->promised) > 0)
        fake->promised = ballot;
}

static int set_up(void **state)
{
    static struct stage stage;
    stage = (struct stage){.heap = heap_create_system((size_t)1 << 24)};
    stage.check = paxos_check_create(stage.heap, MEMBERS, &FAKE);
    assert_non_null(stage.check);
    for (uint32_t place = 0; place < MEMBERS; place++) {
        stage.members[place].first = 1;
        assert_null(start(&stage, place, START_FIRST));
    }
    *state = &stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    heap_destroy_system(stage->heap);
    return 0;
}

#define assert_tag(broken, tag)                                                                                        \
    do {                                                                                                               \
        const char *said = (broken);                                                                                   \
        assert_non_null(said);                                                                                         \
        assert_memory_equal(said, tag, strlen(tag));                                                                   \
    } while (0)

static const struct paxos_ballot one = {1, 1}, two = {2, 2}, three = {3, 3};

/* Members 1 and 2 have chosen the value of time 10 in slot 1 and ballot 1.1. */
static void choose_first(struct stage *stage)
{
    accept(stage, 0, 1, one, 10, 1);
    accept(stage, 1, 1, one, 10, 1);
    assert_null(stored(stage, 0, 1));
    assert_null(stored(stage, 1, 1));
    stage->members[0].commit = 1;
    assert_null(turn(stage, 0));
}

static void what_paxos_does_is_accepted(void **state)
{
    struct stage *stage = *state;
    choose_first(stage);
    stage->members[0].role = PAXOS_LEADER;
    assert_null(turn(stage, 0));
    /* A later ballot proposes the same, and goes on with another slot; the old leader follows. */
    stage->members[0].role = PAXOS_FOLLOWER;
    accept(stage, 1, 1, two, 10, 2);
    accept(stage, 2, 1, two, 10, 1);
    stage->members[1].role = PAXOS_LEADER;
    accept(stage, 1, 2, two, 20, 3);
    accept(stage, 2, 2, two, 20, 2);
    assert_null(stored(stage, 1, 3));
    assert_null(stored(stage, 2, 2));
    stage->members[1].commit = 2;
    assert_null(turn(stage, 1));
    stage->members[2].commit = 2;
    assert_null(turn(stage, 2));
    assert_null(start(stage, 2, START_RESTARTED));
}

/* A value that no majority had may be replaced. */
static void what_was_not_chosen_may_change(void **state)
{
    struct stage *stage = *state;
    accept(stage, 0, 1, one, 10, 1);
    assert_null(stored(stage, 0, 1));
    accept(stage, 1, 1, two, 20, 1);
    accept(stage, 2, 1, two, 20, 1);
    assert_null(stored(stage, 1, 1));
    assert_null(stored(stage, 2, 1));
    stage->members[1].commit = 1;
    assert_null(turn(stage, 1));
    accept(stage, 0, 1, two, 20, 2);
    assert_null(stored(stage, 0, 2));
}

static void two_values_in_one_ballot(void **state)
{
    struct stage *stage = *state;
    accept(stage, 0, 1, one, 10, 1);
    assert_null(turn(stage, 0));
    accept(stage, 1, 1, one, 11, 1);
    assert_tag(turn(stage, 1), "PAX-1");
}

static void another_value_in_a_later_ballot(void **state)
{
    struct stage *stage = *state;
    choose_first(stage);
    accept(stage, 2, 1, two, 20, 1);
    assert_tag(turn(stage, 2), "PAX-3");
}

static void two_values_chosen(void **state)
{
    struct stage *stage = *state;
    choose_first(stage);
    accept(stage, 2, 1, (struct paxos_ballot){0, 3}, 20, 1); /* of a lower ballot: PAX-3 says nothing */
    stage->members[2].commit = 1;
    assert_tag(turn(stage, 2), "PAX-4");
}

static void chosen_by_one_alone(void **state)
{
    struct stage *stage = *state;
    accept(stage, 0, 1, one, 10, 1);
    assert_null(stored(stage, 0, 1));
    stage->members[0].commit = 1;
    assert_tag(turn(stage, 0), "PAX-D");
}

static void not_on_disk_is_not_chosen(void **state)
{
    struct stage *stage = *state;
    accept(stage, 0, 1, one, 10, 1);
    accept(stage, 1, 1, one, 10, 1);
    assert_null(stored(stage, 0, 1));
    assert_null(turn(stage, 1));
    stage->members[0].commit = 1;
    assert_tag(turn(stage, 0), "PAX-D");
}

/* What phase 1 reported was not accepted by who keeps it. */
static void reported_is_not_accepted(void **state)
{
    struct stage *stage = *state;
    accept(stage, 0, 1, one, 10, 1);
    accept(stage, 1, 1, one, 10, 1);
    stage->members[1].slots[1].reported = true;
    assert_null(stored(stage, 0, 1));
    assert_null(stored(stage, 1, 1));
    stage->members[0].commit = 1;
    assert_tag(turn(stage, 0), "PAX-D");
}

static void a_recovering_member_does_not_count(void **state)
{
    struct stage *stage = *state;
    stage->members[1].recovering = true;
    accept(stage, 0, 1, one, 10, 1);
    accept(stage, 1, 1, one, 10, 1);
    assert_null(stored(stage, 0, 1));
    assert_null(stored(stage, 1, 1));
    stage->members[0].commit = 1;
    assert_tag(turn(stage, 0), "PAX-D");
}

static void two_leaders_of_one_ballot(void **state)
{
    struct stage *stage = *state;
    stage->members[0].promised = stage->members[1].promised = one;
    stage->members[0].role = stage->members[1].role = PAXOS_LEADER;
    assert_null(turn(stage, 0));
    assert_tag(turn(stage, 1), "PAX-5");
}

static void a_ballot_of_a_former_life(void **state)
{
    struct stage *stage = *state;
    stage->members[0].promised = one;
    stage->members[0].role = PAXOS_LEADER;
    assert_null(turn(stage, 0));
    assert_tag(start(stage, 0, START_RESTARTED), "PAX-5");
}

static void a_restart_takes_back_a_promise(void **state)
{
    struct stage *stage = *state;
    const struct paxos_promise promise = {.round = 3};
    stage->members[0].promised = three;
    paxos_check_sent(stage->check, 0, 3, PAXOS_PROMISE, &promise);
    assert_null(start(stage, 0, START_RESTARTED));
    stage->members[0].promised = two;
    assert_tag(start(stage, 0, START_RESTARTED), "PAX-2");
    stage->members[0].recovering = true; /* who knows that it forgot may have */
    assert_null(start(stage, 0, START_RESTARTED));
}

/* A question that binds nobody is no promise. */
static void a_question_is_no_promise(void **state)
{
    struct stage *stage = *state;
    const struct paxos_promise promise = {.round = 3, .pre = 1};
    paxos_check_sent(stage->check, 0, 3, PAXOS_PROMISE, &promise);
    assert_null(start(stage, 0, START_RESTARTED));
}

static void a_restart_takes_back_an_acceptance(void **state)
{
    struct stage *stage = *state;
    const struct paxos_accepted accepted = {.round = 1, .match = 1, .voter = 1};
    accept(stage, 0, 1, one, 10, 1);
    assert_null(stored(stage, 0, 1));
    paxos_check_sent(stage->check, 0, 1, PAXOS_ACCEPTED, &accepted);
    assert_null(start(stage, 0, START_RESTARTED));
    stage->members[0].slots[1].position = 0;
    assert_tag(start(stage, 0, START_RESTARTED), "PAX-2");
}

static void a_member_that_forgot_must_not_promise(void **state)
{
    struct stage *stage = *state;
    const struct paxos_promise promise = {.round = 3};
    stage->members[0].promised = three;
    paxos_check_sent(stage->check, 0, 3, PAXOS_PROMISE, &promise);
    assert_tag(start(stage, 0, START_AMNESIAC), "PAX-2");
}

static void who_was_turned_is_not_believed(void **state)
{
    struct stage *stage = *state;
    accept(stage, 0, 1, one, 10, 1);
    assert_null(turn(stage, 0));
    paxos_check_turned(stage->check, 1);
    accept(stage, 1, 1, one, 11, 1);
    assert_null(turn(stage, 1));
    paxos_check_clear(stage->check);
    accept(stage, 1, 1, one, 11, 1);
    assert_null(turn(stage, 1));
    assert_tag(turn(stage, 0), "PAX-1");
}

#define on_stage(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_stage(what_paxos_does_is_accepted),
        on_stage(what_was_not_chosen_may_change),
        on_stage(two_values_in_one_ballot),
        on_stage(another_value_in_a_later_ballot),
        on_stage(two_values_chosen),
        on_stage(chosen_by_one_alone),
        on_stage(not_on_disk_is_not_chosen),
        on_stage(reported_is_not_accepted),
        on_stage(a_recovering_member_does_not_count),
        on_stage(two_leaders_of_one_ballot),
        on_stage(a_ballot_of_a_former_life),
        on_stage(a_restart_takes_back_a_promise),
        on_stage(a_question_is_no_promise),
        on_stage(a_restart_takes_back_an_acceptance),
        on_stage(a_member_that_forgot_must_not_promise),
        on_stage(who_was_turned_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
