/* Names of declared properties. */
#include "contract/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void names_are_those_of_the_literature(void **state)
{
    (void)state;
    assert_string_equal(order_name(ORDER_NONE), "none");
    assert_string_equal(order_name(ORDER_FIFO), "FIFO");
    assert_string_equal(order_name(ORDER_CAUSAL), "causal");
    assert_string_equal(order_name(ORDER_TOTAL), "total");
    assert_string_equal(failure_model_name(MASKS_NOTHING), "nothing");
    assert_string_equal(failure_model_name(MASKS_CRASH), "crash");
    assert_string_equal(failure_model_name(MASKS_OMISSION), "omission");
    assert_string_equal(failure_model_name(MASKS_TIMING), "timing");
    assert_string_equal(failure_model_name(MASKS_VALUE), "value");
    assert_string_equal(failure_model_name(MASKS_ARBITRARY), "arbitrary");
    assert_string_equal(members_for_k_name(MEMBERS_ANY), "any");
    assert_string_equal(members_for_k_name(MEMBERS_K_PLUS_1), "k+1");
    assert_string_equal(members_for_k_name(MEMBERS_2K_PLUS_1), "2k+1");
    assert_string_equal(members_for_k_name(MEMBERS_3K_PLUS_1), "3k+1");
    assert_string_equal(maturity_name(MATURITY_LAB), "lab");
    assert_string_equal(maturity_name(MATURITY_PRODUCTION), "production");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_those_of_the_literature)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
