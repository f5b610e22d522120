#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const int codes[] = {
#define LIST_CODE(name, code, text) name,
    ERROR_LIST(LIST_CODE)
#undef LIST_CODE
};

static void every_code_is_negative_and_has_a_text_of_its_own(void **state)
{
    (void)state;
    const unsigned count = sizeof codes / sizeof codes[0];
    for (unsigned index = 0; index < count; index++) {
        assert_true(codes[index] < 0);
        assert_string_not_equal(error_text(codes[index]), error_text(-10000));
        for (unsigned other = 0; other < index; other++)
            assert_string_not_equal(error_text(codes[index]), error_text(codes[other]));
    }
}

static void other_numbers_have_texts_too(void **state)
{
    (void)state;
    assert_string_equal(error_text(OK), "no error");
    assert_string_equal(error_text(1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_negative_and_has_a_text_of_its_own),
        cmocka_unit_test(other_numbers_have_texts_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
