/* Durations of plans: what is read, what is refused, how it is printed. */
#include "lab/plan/plan_duration.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/plan/plan_model.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds;
    } good[] = {
        {"4y", 4 * PLAN_YEAR_S}, {"2h", 7200},    {"1d12h", 129600}, {"1.5h", 5400},  {"250ms", 0.25},
        {"2w", 1209600},         {"30m", 1800},   {"1m1s", 61},      {"1h5ms", 3600.005}, {"never", INFINITY},
        {"0.5s", 0.5},           {"1000000000y", 1e9 * PLAN_YEAR_S},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double seconds = 0;
        assert_true(plan_duration_parse(good[i].text, &seconds));
        assert_true(seconds == good[i].seconds);
    }
}

static void test_refuse(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",     "4",      "y",  "4x",   "-4y", "4 y", " 4y",     "0s",          "0y0h", "4y4y",
        "1h1d", "1.2.3h", ".h", "1e9y", "inf", "nan", "never4y", "2000000000y", "4Y",   "1..h",
        "0x4h",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double seconds = -1;
        assert_false(plan_duration_parse(bad[i], &seconds));
        assert_true(seconds == -1);
    }
}

static void test_print(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } rows[] = {
        {7200, "2 h"},   {0.18, "180 ms"}, {0.0001, "0.1 ms"}, {59, "59 s"},      {90, "1.5 min"}, {86400, "1 day"},
        {1209600, "14 days"}, {PLAN_YEAR_S * 11.4, "11.4 years"}, {PLAN_YEAR_S * 12345, "12345 years"},
        {PLAN_YEAR_S * 3.62e15, "3.62e+15 years"}, {PLAN_YEAR_S, "1 year"}, {INFINITY, "never"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[PLAN_DURATION_SIZE];
        plan_duration_print(text, rows[i].seconds);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
