/* Where a RESP value ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "host/real/resp_scan.h"

static int64_t scan(const char *text)
{
    return resp_scan(span_string(text));
}

/* Every proper prefix is incomplete, and what follows is not looked at. */
static void whole_values_are_found(void **state)
{
    (void)state;
    static const char *const values[] = {
        "+OK\r\n", "-ERR no\r\n", ":-5\r\n", "$3\r\nabc\r\n", "$0\r\n\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "_\r\n",
        "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "%1\r\n+k\r\n*0\r\n", "~1\r\n,1.5\r\n", "#t\r\n", "=5\r\ntxt:a\r\n",
        ">2\r\n+a\r\n+b\r\n", "(12345678901234567890\r\n", "!3\r\nERR\r\n", "|1\r\n+a\r\n+b\r\n:7\r\n",
        "$5\r\na\r\nbc\r\n",
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct span all = span_string(values[i]);
        for (size_t size = 0; size < all.size; size++)
            assert_int_equal(resp_scan(span_of(all.data, size)), 0);
        assert_int_equal(resp_scan(all), (int64_t)all.size);
        char longer[128];
        size_t size = all.size;
        memcpy(longer, values[i], size);
        memcpy(longer + size, "+x\r\n", 4);
        assert_int_equal(resp_scan(span_of(longer, size + 4)), (int64_t)size);
    }
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    assert_int_equal(scan("GET a\r\n"), ERROR_INVALID);
    assert_int_equal(scan("$abc\r\n"), ERROR_INVALID);
    assert_int_equal(scan("$-2\r\n"), ERROR_INVALID);
    assert_int_equal(scan("*99999999999999999999\r\n"), ERROR_INVALID);
    assert_int_equal(scan("+OK\n"), ERROR_INVALID);
    assert_int_equal(scan("%-7\r\n"), ERROR_INVALID);
    assert_int_equal(scan("*1\r\n?\r\n"), ERROR_INVALID);
}

/* Counts that promise more values than can ever come neither overflow nor take long. */
static void huge_counts_stay_incomplete(void **state)
{
    (void)state;
    assert_int_equal(scan("*1099511627776\r\n:1\r\n"), 0);
    assert_int_equal(scan("*1099511627776\r\n*1099511627776\r\n*1099511627776\r\n*1099511627776\r\n"
                          "%1099511627776\r\n%1099511627776\r\n"),
                     ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_values_are_found),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(huge_counts_stay_incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
