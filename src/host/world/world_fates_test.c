#include "host/world/world_fates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "base/test_seed.h"

enum { FATES = 500 };

/* Against a list that is searched from its beginning. */
static void it_agrees_with_a_searched_list(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("world_fates_test"));
    struct heap *heap = heap_create_system(1 << 20);
    struct fates fates;
    fates_init(&fates, heap);
    assert_null(fates_find(&fates, 1, 2, 3));
    static struct plan_item list[FATES];
    for (uint32_t i = 0; i < FATES; i++) {
        list[i] = (struct plan_item){.kind = PLAN_LOSE,
                                     .node = 1 + (uint32_t)random_below(&random, 4),
                                     .other = 1 + (uint32_t)random_below(&random, 4),
                                     .number = 1 + random_below(&random, 40),
                                     .draw = i};
        fates_add(&fates, &list[i]);
    }
    for (uint32_t link = 0; link < 25; link++)
        for (uint64_t number = 0; number < 45; number++) {
            uint32_t node = link / 5, other = link % 5, place = 0;
            while (place < FATES && !(list[place].node == node && list[place].other == other &&
                                      list[place].number == number))
                place++;
            const struct plan_item *found = fates_find(&fates, node, other, number);
            assert_true((found != NULL) == (place < FATES));
            if (found != NULL)
                assert_int_equal(found->draw, list[place].draw); /* the first of several */
        }
    fates_free(&fates);
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_a_searched_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
