#include "base/panic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static jmp_buf escape;
static char seen[600];

static void remember(const char *what, void *arg)
{
    strcpy(arg, what);
    longjmp(escape, 1);
}

static void an_invariant_that_holds_does_nothing(void **state)
{
    (void)state;
    invariant(1 + 1 == 2, "arithmetic works");
}

static void a_broken_one_gives_its_line_to_the_hook(void **state)
{
    (void)state;
    void *argument = &seen;
    assert_null(panic_hook_get(&argument));
    panic_hook_set(remember, seen);
    assert_true(panic_hook_get(&argument) == remember && argument == seen);
    if (setjmp(escape) == 0)
        panic_at("file.c", 42, "terms never fall");
    panic_hook_set(NULL, NULL);
    assert_string_equal(seen,
                        "lockstep: broken invariant: terms never fall, file.c:42; this is a bug, the process stops");
}

static void the_macro_names_its_place(void **state)
{
    (void)state;
    int line = 0;
    panic_hook_set(remember, seen);
    if (setjmp(escape) == 0) {
        line = __LINE__ + 1;
        invariant(line == 0, "the text");
    }
    panic_hook_set(NULL, NULL);
    assert_non_null(strstr(seen, "broken invariant: the text, "));
    assert_non_null(strstr(seen, "panic_test.c:"));
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    panic_hook_set(remember, seen);
    if (setjmp(escape) == 0)
        panic_at("file.c", 1, text);
    panic_hook_set(NULL, NULL);
    assert_int_equal(strlen(seen), 511);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_invariant_that_holds_does_nothing),
        cmocka_unit_test(a_broken_one_gives_its_line_to_the_hook),
        cmocka_unit_test(the_macro_names_its_place),
        cmocka_unit_test(a_long_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
