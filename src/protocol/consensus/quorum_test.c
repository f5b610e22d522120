/* What a majority has reached, beside a naive model. */
#include "protocol/consensus/quorum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/random.h"

static void quorum_is_as_sorting(void **state)
{
    (void)state;
    const uint64_t seed = 412;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    for (uint32_t count = 1; count <= 9; count++) {
        uint64_t value[9], plain[9] = {0};
        uint32_t order[9], rank[9];
        struct quorum quorum;
        quorum_init(&quorum, value, order, rank, count);
        for (uint32_t step = 0; step < 500; step++) {
            uint32_t place = (uint32_t)random_below(&random, count);
            plain[place] = random_chance(&random, 1, 5) ? random_below(&random, 20) : plain[place] + 1;
            quorum_set(&quorum, place, plain[place]);
            for (uint32_t members = 1; members <= count; members++) {
                uint64_t reached = quorum_reached(&quorum, members);
                uint32_t at_least = 0, above = 0;
                for (uint32_t i = 0; i < count; i++) {
                    at_least += plain[i] >= reached;
                    above += plain[i] > reached;
                }
                assert_true(at_least >= members && above < members);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quorum_is_as_sorting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
