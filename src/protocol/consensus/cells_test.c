/* Cells: there and back, and the majority against one that counts naively. */
#include "protocol/consensus/cells.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

static struct cell naive_majority(const struct cell *votes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t same = 0;
        for (uint32_t j = 0; j < count; j++)
            same += votes[i].known == votes[j].known && votes[i].value == votes[j].value;
        if (2 * same > count)
            return votes[i];
    }
    return (struct cell){0};
}

static void cells_go_there_and_back(void **state)
{
    (void)state;
    uint8_t bytes[CELL_SIZE];
    const struct cell cells[] = {{0}, cell_of(0), cell_of(1), cell_of(UINT64_MAX)};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        cell_encode(cells[i], bytes);
        assert_true(cell_equal(cell_decode(bytes), cells[i]));
    }
    bytes[0] = 2; /* no encoder writes that */
    assert_true(cell_equal(cell_decode(bytes), (struct cell){0}));
}

static void majority_is_what_counting_says(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 7);
    for (int round = 0; round < 100000; round++) {
        struct cell votes[9];
        uint32_t count = (uint32_t)random_below(&random, 10);
        for (uint32_t i = 0; i < count; i++)
            votes[i] = random_chance(&random, 1, 5) ? (struct cell){0} : cell_of(random_below(&random, 3));
        assert_true(cell_equal(cell_majority(votes, count), naive_majority(votes, count)));
    }
}

static void half_is_no_majority(void **state)
{
    (void)state;
    const struct cell tie[] = {cell_of(1), cell_of(2), cell_of(1), cell_of(2)};
    assert_false(cell_majority(tie, 4).known);
    assert_true(cell_majority(tie, 3).known);
    assert_false(cell_majority(tie, 0).known);
}

static void a_row_is_printed(void **state)
{
    (void)state;
    const struct cell row[] = {cell_of(1), cell_of(2), {0}, cell_of(4)};
    char line[64];
    struct text text = text_begin(line, sizeof line);
    cells_print(row, 4, &text);
    assert_string_equal(line, "1,2,UNKNOWN,4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_go_there_and_back),
        cmocka_unit_test(majority_is_what_counting_says),
        cmocka_unit_test(half_is_no_majority),
        cmocka_unit_test(a_row_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
