#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

#include "base/random.h"
#include "base/test_seed.h"

static void assert_prints(int64_t value, const char *wanted)
{
    char out[NUMBER_INTEGER_SIZE_MAX];
    assert_true(span_equal(span_of(out, number_print_i64(out, value)), span_string(wanted)));
    int64_t back = ~value;
    assert_true(number_parse_i64(span_string(wanted), &back));
    assert_true(back == value);
}

static void integers_go_to_text_and_back(void **state)
{
    (void)state;
    assert_prints(0, "0");
    assert_prints(-1, "-1");
    assert_prints(1000, "1000");
    assert_prints(INT64_MAX, "9223372036854775807");
    assert_prints(INT64_MIN, "-9223372036854775808");
    char out[NUMBER_INTEGER_SIZE_MAX];
    assert_true(span_equal(span_of(out, number_print_u64(out, UINT64_MAX)), span_string("18446744073709551615")));
}

static void anything_but_a_plain_integer_is_refused(void **state)
{
    (void)state;
    const char *const wrong[] = {"",    "-",    "+1",  " 1",  "1 ",  "01",  "-0",   "-01",
                                 "00",  "1.0",  "1e3", "0x1", "--1", "1-",  "a",    "9223372036854775808",
                                 "99999999999999999999",      "-9223372036854775809", "9999999999999999999"};
    for (unsigned index = 0; index < sizeof wrong / sizeof wrong[0]; index++) {
        int64_t value = 77;
        assert_false(number_parse_i64(span_string(wrong[index]), &value));
        assert_int_equal(value, 77);
    }
    int64_t value;
    assert_false(number_parse_i64(span_of("1\0", 2), &value));
    assert_false(number_parse_i64(span_of(NULL, 0), &value));
}

static void random_integers_agree_with_printf(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("number_test"));
    for (unsigned round = 0; round < 20000; round++) {
        int64_t value = (int64_t)random_u64(&random) >> random_below(&random, 64);
        char text[32];
        (void)snprintf(text, sizeof text, "%" PRId64, value);
        assert_prints(value, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_go_to_text_and_back),
        cmocka_unit_test(anything_but_a_plain_integer_is_refused),
        cmocka_unit_test(random_integers_agree_with_printf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
