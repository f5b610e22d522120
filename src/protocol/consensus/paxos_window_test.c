/* The window of slots against a plain array (paxos_window.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/test_seed.h"
#include "protocol/consensus/paxos_window.h"

enum { SLOTS_MAX = 2048, CAPACITY = 16 };

/* What is held of every slot, by slot; and the head. */
struct model {
    uint64_t position[SLOTS_MAX];
    uint64_t head;
};

static uint64_t model_top(const struct model *model)
{
    uint64_t top = model->head - 1;
    for (uint64_t slot = model->head; slot < SLOTS_MAX; slot++)
        if (model->position[slot] != 0)
            top = slot;
    return top;
}

static void compare(const struct paxos_window *window, const struct model *model)
{
    uint64_t top = model_top(model);
    assert_null(paxos_window_check(window));
    assert_int_equal(window->head, model->head);
    assert_int_equal(window->top, top);
    assert_int_equal(paxos_window_room(window), model->head + CAPACITY - 1 - top);
    for (uint64_t slot = model->head < 4 ? 1 : model->head - 3; slot < model->head + CAPACITY + 3; slot++) {
        const struct paxos_cell *cell = paxos_window_at(window, slot);
        uint64_t wanted = slot < model->head ? 0 : model->position[slot];
        assert_int_equal(cell == NULL ? 0 : cell->position, wanted);
        assert_int_equal(paxos_window_fits(window, slot), slot >= model->head && slot < model->head + CAPACITY);
    }
}

static void random_changes(uint64_t seed)
{
    static struct paxos_cell ring[CAPACITY];
    struct paxos_window window;
    struct model model = {.head = 1};
    struct random random;
    random_seed(&random, seed);
    memset(ring, 0xa5, sizeof ring); /* cells need not be initialised */
    paxos_window_init(&window, ring, CAPACITY);
    for (uint64_t i = 1; i < 4000 && model.head < SLOTS_MAX - 3 * CAPACITY; i++) {
        uint64_t slot = model.head + random_below(&random, CAPACITY);
        uint64_t what = random_below(&random, 100);
        if (what < 60) {
            const struct paxos_cell cell = {.slot = slot, .ballot = {1, 1}, .position = i, .count = 1};
            assert_int_equal(paxos_window_put(&window, &cell)->position, i);
            model.position[slot] = i;
        } else if (what < 85) {
            paxos_window_drop(&window, slot);
            model.position[slot] = 0;
        } else if (what < 98) {
            uint64_t head = model.head + random_below(&random, 4);
            paxos_window_evict(&window, head);
            model.head = head;
        } else {
            model.head += random_below(&random, 2 * CAPACITY);
            paxos_window_reset(&window, model.head);
            memset(model.position, 0, sizeof model.position);
        }
        compare(&window, &model);
    }
}

static void a_window_is_as_a_plain_array(void **state)
{
    (void)state;
    uint64_t seed = test_seed("paxos_window_test");
    for (uint64_t i = 0; i < 30; i++)
        random_changes(seed + i);
}

static void capacity_is_a_power_of_two(void **state)
{
    (void)state;
    assert_int_equal(paxos_window_capacity(0), 16);
    assert_int_equal(paxos_window_capacity(16), 16);
    assert_int_equal(paxos_window_capacity(17), 32);
}

/* The check must see what is wrong. */
static void check_sees_damage(void **state)
{
    (void)state;
    struct paxos_cell ring[CAPACITY];
    struct paxos_window window, broken;
    paxos_window_init(&window, ring, CAPACITY);
    for (uint64_t slot = 1; slot <= 3; slot++) {
        const struct paxos_cell cell = {.slot = slot, .ballot = {1, 1}, .position = 9, .count = 1};
        (void)paxos_window_put(&window, &cell);
    }
    assert_null(paxos_window_check(&window));
    broken = window;
    broken.head = 0;
    assert_non_null(paxos_window_check(&broken));
    broken = window;
    broken.top = 40;
    assert_non_null(paxos_window_check(&broken));
    ring[2].slot = 5;
    assert_non_null(paxos_window_check(&window));
    ring[2].slot = 2;
    ring[2].ballot.round = 0;
    assert_non_null(paxos_window_check(&window));
    ring[2].ballot.round = 1;
    ring[3].position = 0;
    assert_non_null(paxos_window_check(&window));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_as_a_plain_array),
        cmocka_unit_test(capacity_is_a_power_of_two),
        cmocka_unit_test(check_sees_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
