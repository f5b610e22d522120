#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "base/test_seed.h"

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void assert_prints(double value, const char *wanted)
{
    char out[NUMBER_DOUBLE_SIZE_MAX + 1];
    out[number_print_double(out, value)] = '\0';
    assert_string_equal(out, wanted);
}

static void numbers_print_for_people(void **state)
{
    (void)state;
    assert_prints(10.5 + 0.1, "10.6");
    assert_prints(5.0e3, "5000");
    assert_prints(3.0, "3");
    assert_prints(0.0, "0");
    assert_prints(-0.0, "0");
    assert_prints(-2.5, "-2.5");
    assert_prints(0.1 + 0.2, "0.30000000000000004");
    assert_prints(1e-7, "0.0000001");
    assert_prints(123456789.125, "123456789.125");
    assert_prints(1e22, "10000000000000000000000");
    assert_prints(1e23, "100000000000000000000000");
    assert_prints(9007199254740993.0, "9007199254740992");
    assert_prints(9007199254740991.0, "9007199254740991");
    assert_prints(18014398509481984.0, "18014398509481984");
    assert_prints(HUGE_VAL, "inf");
    assert_prints(-HUGE_VAL, "-inf");
    assert_prints((double)NAN, "nan");
}

static void the_ends_of_the_range_fit(void **state)
{
    (void)state;
    char out[NUMBER_DOUBLE_SIZE_MAX];
    /* 1.7976931348623157e308 has 309 digits. */
    assert_int_equal(number_print_double(out, from_bits(UINT64_C(0x7fefffffffffffff))), 309);
    assert_memory_equal(out, "179769313486231570000", 21);
    /* 5e-324. */
    assert_int_equal(number_print_double(out, from_bits(1)), 2 + 323 + 1);
    /* The largest subnormal number has the most digits that far down. */
    assert_true(number_print_double(out, from_bits(UINT64_C(0x800fffffffffffff))) <= NUMBER_DOUBLE_SIZE_MAX);
}

static void assert_reads(const char *text, double wanted)
{
    double value = 77;
    assert_true(number_parse_double(span_string(text), &value));
    assert_true(same(value, wanted));
}

static void what_redis_reads_is_read(void **state)
{
    (void)state;
    assert_reads("1e3", 1000);
    assert_reads("-5.25", -5.25);
    assert_reads("+.5", 0.5);
    assert_reads("5.", 5);
    assert_reads("007", 7);
    assert_reads("-0", -0.0);
    assert_reads("0e999999999999999999999", 0);
    assert_reads("1E+2", 100);
    assert_reads("1e-2", 0.01);
    assert_reads("inf", HUGE_VAL);
    assert_reads("-Infinity", -HUGE_VAL);
    assert_reads("+INF", HUGE_VAL);
    assert_reads("0x1.8p3", 12);
    assert_reads("-0XfF", -255);
    assert_reads("0x.8", 0.5);
    assert_reads("0x1p-1074", from_bits(1));
    assert_reads("0x0", 0);
    assert_reads("1.7976931348623157e308", from_bits(UINT64_C(0x7fefffffffffffff)));
    assert_reads("2.4703282292062328e-324", from_bits(1));
    assert_reads("0.00000000000000000000000000000000000000001e41", 1);
    /* A tie that a digit far behind decides: 2^53 + 1 exactly, and a hair above. */
    assert_reads("9007199254740993", 9007199254740992.0);
    assert_reads("9007199254740993.00000000000000000000000000000000001", 9007199254740994.0);
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    const char *const wrong[] = {"",     " 1",   "1 ",     "-",      "+",       ".",       "-.",    "e5",
                                 "1e",   "1e+",  "1.2.3",  "nan",    "-nan",    "nan(1)",  "infin", "infinityx",
                                 "0x",   "0x.",  "0x1p",   "1p3",    "1f",      "--1",     "+-1",   "1,5",
                                 "1e309", "-1e309", "1e-400", "1e999999999999999999999", "0x1p1024",
                                 "0x1p-1076", "2.4703282292062327e-324", "1.7976931348623159e308"};
    for (unsigned index = 0; index < sizeof wrong / sizeof wrong[0]; index++) {
        double value = 77;
        if (number_parse_double(span_string(wrong[index]), &value))
            fail_msg("\"%s\" was read", wrong[index]);
        assert_true(same(value, 77));
    }
    double value;
    assert_false(number_parse_double(span_of("1\0", 2), &value));
    assert_false(number_parse_double(span_of(NULL, 0), &value));
}

/* Text with thousands of digits, where rounding hangs on the last one. */
static void a_digit_far_behind_decides(void **state)
{
    (void)state;
    static char text[5000];
    int size = snprintf(text, sizeof text, "9007199254740993.");
    memset(text + size, '0', 4000);
    strcpy(text + size + 4000, "1");
    assert_reads(text, 9007199254740994.0);
    text[size + 4000] = '0';
    assert_reads(text, 9007199254740992.0);
    /* A zero point, 4000 zeros, and an exponent that brings the digit back. */
    strcpy(text, "0.");
    memset(text + 2, '0', 4000);
    strcpy(text + 4002, "125e4001");
    assert_reads(text, 1.25);
}

/* Reads as strtod does, which glibc rounds correctly. */
static void assert_as_strtod(const char *text)
{
    errno = 0;
    double wanted = strtod(text, NULL);
    bool fits = !isinf(wanted) && (wanted != 0 || errno != ERANGE);
    double value = 77;
    if (number_parse_double(span_string(text), &value) != fits || (fits && !same(value, wanted)))
        fail_msg("\"%s\" was read as %.17g, not as %.17g", text, value, wanted);
}

/* Is there no shorter text, and no closer one of the same length, that reads back as this? */
static void assert_shortest(double value, const char *printed)
{
    int digits = 0;
    char text[64];
    do
        (void)snprintf(text, sizeof text, "%.*e", digits++, value);
    while (digits < 17 && strtod(text, NULL) != value);
    /* %e at the smallest precision that reads back is the closest text of that length; if ours is as short and reads
     * back, the two can differ only where a longer tail would round outside the interval. */
    int count = 0;
    const char *at = printed + strspn(printed, "-0.");
    const char *end = at + strlen(at);
    if (strchr(printed, '.') == NULL) {
        while (end > at && end[-1] == '0')
            end--;
    }
    for (; at < end; at++)
        count += *at != '.';
    if (count > digits)
        fail_msg("%.17g was printed as \"%s\", which is longer than \"%s\"", value, printed, text);
    if (count == digits && fabs(strtod(printed, NULL) - value) > 0)
        fail_msg("%.17g was printed as \"%s\"", value, printed);
}

static void random_doubles_agree_with_libc(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("number_double_test"));
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t bits = random_u64(&random);
        /* A third over the whole range, a third of usual size, a third near powers of two. */
        if (round % 3 == 1)
            bits = (bits & UINT64_C(0x800fffffffffffff)) | (1023 - 40 + random_below(&random, 80)) << 52;
        else if (round % 3 == 2)
            bits = (bits & UINT64_C(0xfff0000000000000)) + random_below(&random, 3) - 1;
        double value = from_bits(bits);
        if (isnan(value) || isinf(value) || value == 0)
            continue;
        char text[NUMBER_DOUBLE_SIZE_MAX + 1];
        text[number_print_double(text, value)] = '\0';
        assert_true(strtod(text, NULL) == value);
        assert_shortest(value, text);
        assert_as_strtod(text);
        char exact[1200];
        (void)snprintf(exact, sizeof exact, "%.17g", value);
        assert_reads(exact, value);
        (void)snprintf(exact, sizeof exact, "%a", value);
        assert_reads(exact, value);
    }
}

/* Exactly between two doubles, and a digit more or less: the hardest texts to round. */
static void halfway_texts_agree_with_libc(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("number_double_test"));
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t bits = random_below(&random, UINT64_C(0x7fe) << 52);
        if (round % 4 == 0)
            bits = random_below(&random, UINT64_C(1) << 53);
        /* A long double has the bits for the middle, and printf prints it exactly. */
        long double middle = ((long double)from_bits(bits) + (long double)from_bits(bits + 1)) / 2;
        char text[1300];
        int size = snprintf(text, sizeof text, "%.1100Le", middle);
        assert_true(size > 0 && (size_t)size < sizeof text);
        assert_as_strtod(text);
        char *last = strchr(text, 'e') - 1;
        *last = '1';
        assert_as_strtod(text);
    }
}

static void random_decimal_texts_agree_with_libc(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("number_double_test"));
    for (unsigned round = 0; round < 20000; round++) {
        char text[80];
        size_t size = 0;
        size_t digits = 1 + random_below(&random, 40);
        size_t point = random_below(&random, digits + 1);
        for (size_t index = 0; index < digits; index++) {
            if (index == point)
                text[size++] = '.';
            text[size++] = (char)('0' + random_below(&random, 10));
        }
        int exponent = (int)random_between(&random, -360, 330);
        (void)snprintf(text + size, sizeof text - size, "e%d", exponent);
        assert_as_strtod(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_print_for_people),
        cmocka_unit_test(the_ends_of_the_range_fit),
        cmocka_unit_test(what_redis_reads_is_read),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(a_digit_far_behind_decides),
        cmocka_unit_test(random_doubles_agree_with_libc),
        cmocka_unit_test(halfway_texts_agree_with_libc),
        cmocka_unit_test(random_decimal_texts_agree_with_libc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
