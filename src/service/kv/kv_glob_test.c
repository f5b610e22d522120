/* Patterns: known cases, and random ones against a matcher that tries everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "base/random.h"
#include "service/kv/kv_glob.h"

static bool match(const char *pattern, const char *text)
{
    return kv_glob_match(span_string(pattern), span_string(text));
}

static void test_cases(void **state)
{
    (void)state;
    assert_true(match("", ""));
    assert_false(match("", "a"));
    assert_true(match("*", ""));
    assert_true(match("**", "abc"));
    assert_true(match("h?llo", "hello"));
    assert_false(match("h?llo", "hllo"));
    assert_true(match("h*llo", "hllo"));
    assert_true(match("h*llo", "heeeello"));
    assert_true(match("h[ae]llo", "hallo"));
    assert_false(match("h[ae]llo", "hillo"));
    assert_true(match("h[^e]llo", "hallo"));
    assert_false(match("h[^e]llo", "hello"));
    assert_true(match("h[a-b]llo", "hbllo"));
    assert_true(match("h[b-a]llo", "hallo"));
    assert_true(match("\\*", "*"));
    assert_false(match("\\*", "a"));
    assert_true(match("a\\", "a\\"));
    assert_true(match("[a\\]]", "]"));
    assert_true(match("[ab", "b"));
    assert_false(match("[", "["));
    assert_false(match("[]a]", "a"));
    assert_true(match("a*b*c", "aXbXbXc"));
    assert_false(match("a*b*c", "aXbXbX"));
    assert_false(match("abc", "abcd"));
    assert_false(match("abcd", "abc"));
    assert_false(match("abc?", "abc"));
    assert_true(match("abc*", "abc"));
}

/* Many stars on a text that almost matches: the work must stay a product of the sizes. */
static void test_many_stars(void **state)
{
    (void)state;
    char pattern[401], text[4001];
    for (int i = 0; i < 200; i++)
        memcpy(pattern + 2 * i, "*a", 2);
    pattern[400] = '\0';
    memset(text, 'a', 4000);
    text[4000] = '\0';
    assert_true(match(pattern, text));
    memcpy(pattern + 398, "*b", 2);
    assert_false(match(pattern, text));
}

/* Redis' algorithm, recursive at stars, for patterns without classes. */
static bool naive(const char *pattern, const char *text)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*')
        return naive(pattern + 1, text) || (*text != '\0' && naive(pattern, text + 1));
    if (*text == '\0')
        return false;
    if (*pattern == '\\' && pattern[1] != '\0')
        return pattern[1] == *text && naive(pattern + 2, text + 1);
    return (*pattern == '?' || *pattern == *text) && naive(pattern + 1, text + 1);
}

static void test_random(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 5);
    print_message("seed 5\n");
    unsigned matched = 0;
    for (int i = 0; i < 100000; i++) {
        char pattern[8] = {0}, text[8] = {0};
        for (uint64_t at = random_below(&random, 8); at > 0; at--)
            pattern[at - 1] = "ab*?\\"[random_below(&random, 5)];
        for (uint64_t at = random_below(&random, 8); at > 0; at--)
            text[at - 1] = "ab\\"[random_below(&random, 3)];
        bool expected = naive(pattern, text);
        if (match(pattern, text) != expected)
            fail_msg("pattern %s text %s", pattern, text);
        matched += expected;
    }
    assert_true(matched > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_many_stars),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
