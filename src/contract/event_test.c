/* Names of events. */
#include "contract/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

static void every_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = EVENT_RESTORE; a <= EVENT_TURN; a++) {
        assert_string_not_equal(event_kind_name((enum event_kind)a), "?");
        for (int b = EVENT_RESTORE; b < a; b++)
            assert_string_not_equal(event_kind_name((enum event_kind)a), event_kind_name((enum event_kind)b));
    }
    assert_string_equal(event_kind_name(EVENT_TURN), "TURN");
    assert_string_equal(event_kind_name((enum event_kind)(EVENT_TURN + 1)), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_has_a_name_of_its_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
