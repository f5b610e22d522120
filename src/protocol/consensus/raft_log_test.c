/* The index of the log, beside a naive model. */
#include "protocol/consensus/raft_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

enum { CAPACITY = 32, MODEL_MAX = 4096 };

/* The model: all entries in an array, by ordinal; looked through from end to end. */
struct model {
    struct raft_slot slots[MODEL_MAX];
    uint64_t head, tail;
    uint64_t base_index, base_term;
};

static void capacity_is_a_power_of_two(void **state)
{
    (void)state;
    assert_int_equal(raft_log_capacity(0), 16);
    assert_int_equal(raft_log_capacity(16), 16);
    assert_int_equal(raft_log_capacity(17), 32);
    assert_int_equal(raft_log_capacity(262144), 262144);
}

static void look_ups_agree(const struct raft_log *log, const struct model *model)
{
    uint64_t last = model->base_index;
    for (uint64_t at = model->head; at < model->tail; at++)
        last += model->slots[at].count;
    assert_int_equal(raft_log_last_index(log), last);
    for (uint64_t index = model->base_index > 3 ? model->base_index - 3 : 0; index <= last + 2; index++) {
        bool covered = false, boundary = index == model->base_index;
        uint64_t ordinal = 0, after = model->head, found;
        for (uint64_t at = model->head; at < model->tail; at++) {
            const struct raft_slot *slot = &model->slots[at];
            if (slot->index <= index && index <= raft_slot_last(slot)) {
                covered = true;
                ordinal = at;
            }
            if (raft_slot_last(slot) == index) {
                boundary = true;
                after = at + 1;
            }
        }
        assert_int_equal(raft_log_find(log, index, &found), covered);
        if (covered)
            assert_int_equal(found, ordinal);
        assert_int_equal(raft_log_after(log, index, &found), boundary);
        if (boundary)
            assert_int_equal(found, after);
        for (uint64_t term = 0; term < 12; term += 3) {
            uint64_t wanted = model->head;
            for (uint64_t at = model->head; at < model->tail; at++)
                if (raft_slot_last(&model->slots[at]) <= index && model->slots[at].term <= term)
                    wanted = at + 1;
            assert_int_equal(raft_log_after_term(log, index, term), wanted);
        }
    }
}

static void log_is_as_its_model(void **state)
{
    (void)state;
    const uint64_t seed = 411;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    static struct raft_slot ring[CAPACITY];
    static struct model model;
    struct raft_log log;
    raft_log_init(&log, ring, CAPACITY);
    uint64_t position = 0, term = 1;
    for (uint32_t step = 0; step < 3000 && model.tail < MODEL_MAX - 1; step++) {
        uint64_t choice = random_below(&random, 100);
        if (choice < 70 && raft_log_room(&log) > 0) {
            term += random_chance(&random, 1, 10);
            struct raft_slot slot = {.index = raft_log_last_index(&log) + 1,
                                     .term = term,
                                     .position = position += 1 + random_below(&random, 2),
                                     .count = 1 + (uint32_t)random_below(&random, 5)};
            raft_log_append(&log, &slot);
            model.slots[model.tail++] = slot;
        } else if (choice < 80) {
            uint64_t to = model.head + random_below(&random, model.tail - model.head + 1);
            raft_log_truncate(&log, to);
            model.tail = to;
        } else if (choice < 90) {
            uint64_t to = model.head + random_below(&random, model.tail - model.head + 1);
            raft_log_evict(&log, to);
            if (to > model.head) {
                model.base_index = raft_slot_last(&model.slots[to - 1]);
                model.base_term = model.slots[to - 1].term;
            }
            model.head = to;
        } else if (choice < 91) {
            model.base_index = raft_log_last_index(&log) + random_below(&random, 9);
            model.head = model.tail;
            raft_log_reset(&log, model.base_index, term, 0);
        } else {
            uint64_t durable = random_below(&random, position + 1), wanted = model.base_index;
            for (uint64_t at = model.head; at < model.tail && model.slots[at].position <= durable; at++)
                wanted = raft_slot_last(&model.slots[at]);
            assert_true(raft_log_stored(&log, durable) >= wanted);
        }
        assert_null(raft_log_check(&log));
        if (step % 10 == 0)
            look_ups_agree(&log, &model);
    }
}

static void check_finds_damage(void **state)
{
    (void)state;
    static struct raft_slot ring[CAPACITY];
    static const struct raft_slot bad[] = {
        {.index = 4, .term = 2, .position = 9, .count = 0},
        {.index = 5, .term = 2, .position = 9, .count = 1},
        {.index = 4, .term = 1, .position = 9, .count = 1},
        {.index = 4, .term = 2, .position = 7, .count = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct raft_log log;
        raft_log_init(&log, ring, CAPACITY);
        raft_log_append(&log, &(struct raft_slot){.index = 1, .term = 2, .position = 7, .count = 3});
        raft_log_append(&log, &(struct raft_slot){.index = 4, .term = 2, .position = 8, .count = 1});
        *raft_log_at(&log, 1) = bad[i];
        assert_non_null(raft_log_check(&log));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capacity_is_a_power_of_two),
        cmocka_unit_test(log_is_as_its_model),
        cmocka_unit_test(check_finds_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
