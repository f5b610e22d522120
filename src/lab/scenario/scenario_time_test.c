/* Times of scripts: what is read, what is refused, and that printing is the inverse of reading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/test_seed.h"
#include "lab/scenario/scenario_time.h"

static void reads_numbers_with_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"0s", 0},          {"7ns", 7},           {"20us", 20000},         {"150ms", 150000000},
        {"1s", 1000000000}, {"1.5s", 1500000000}, {"1.5 s", 1500000000},   {"2m", INT64_C(120000000000)},
        {"0.5m", INT64_C(30000000000)},           {"1.234567891s", 1234567891},
        {"0.001us", 1},     {"forever", INT64_MAX}, {"9223372036s", INT64_C(9223372036000000000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns = -1;
        assert_true(scenario_time_parse(span_string(cases[i].text), &ns));
        assert_int_equal(ns, cases[i].ns);
    }
}

static void refuses_the_rest(void **state)
{
    (void)state;
    static const char *const cases[] = {"",     "s",         "5",         "-1s",    "1.s",         ".5s",        "1 h",
                                        "1  s", "1s ",       "1.5ns",     "1e3s",   "0.0001us",    "9223372037s", "x1s",
                                        "1ss",  "Forever",   "1.0000000001s", "99999999999999999999s", "1.2.3s"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns = -1;
        assert_false(scenario_time_parse(span_string(cases[i]), &ns));
        assert_int_equal(ns, -1);
    }
}

static void prints_the_shortest(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {{0, "0s"},           {7, "7ns"},        {1500, "1.5us"},        {150000000, "0.15s"},
                 {1500000000, "1.5s"}, {2000000, "2ms"}, {1234567891, "1.234567891s"}, {INT64_MAX, "forever"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[SCENARIO_TIME_SIZE];
        scenario_time_print(cases[i].ns, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void what_is_printed_is_read_back(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("scenario_time_test"));
    for (int i = 0; i < 100000; i++) {
        int64_t ns = (int64_t)(random_u64(&random) >> (1 + random_below(&random, 62)));
        char text[SCENARIO_TIME_SIZE];
        int64_t back = -1;
        size_t length = scenario_time_print(ns, text);
        assert_true(scenario_time_parse(span_of(text, length), &back));
        assert_int_equal(back, ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers_with_units),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(prints_the_shortest),
        cmocka_unit_test(what_is_printed_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
