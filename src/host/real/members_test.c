/* The list of a cluster's nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "host/real/members.h"

static char why[512];

static void nodes_are_sorted(void **state)
{
    (void)state;
    struct members members;
    assert_int_equal(members_parse("3=c:3, 1=[::1]:1,2=b:2", 2, &members, why, sizeof why), OK);
    assert_int_equal(members.count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(members.nodes[i], i + 1);
    assert_string_equal(members.addresses[0], "[::1]:1");
    assert_string_equal(members.addresses[2], "c:3");
}

static void nothing_is_a_cluster_of_one(void **state)
{
    (void)state;
    struct members members;
    assert_int_equal(members_parse("", 7, &members, why, sizeof why), OK);
    assert_int_equal(members.count, 1);
    assert_int_equal(members.nodes[0], 7);
}

static void who_is_no_node_need_not_be_listed(void **state)
{
    (void)state;
    struct members members, of_a_node;
    assert_int_equal(members_parse("1=a:1,2=b:2", 0, &members, why, sizeof why), OK);
    assert_int_equal(members_parse("2=b:2,1=a:1", 1, &of_a_node, why, sizeof why), OK);
    assert_int_equal(members_identity(&members, "x"), members_identity(&of_a_node, "x"));
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *named;
    } mistakes[] = {
        {"1=a:1,x=b:2", "'x=b:2'"},
        {"1=a:1,2=b", "'2=b'"},
        {"1=a:1,2=b:70000", "'2=b:70000'"},
        {"1=a:1,", "''"},
        {"1=a:1,1=b:2", "node 1"},
        {"1=a:1,2=a:1", "a:1"},
        {"0=a:1,1=b:1", "'0=a:1'"},
        {"2=a:1,3=b:2", "does not list this node, 1"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct members members;
        assert_int_equal(members_parse(mistakes[i].text, 1, &members, why, sizeof why), ERROR_INVALID);
        assert_non_null(strstr(why, mistakes[i].named));
    }
}

static uint64_t identity(const char *text, const char *name)
{
    struct members members;
    assert_int_equal(members_parse(text, 1, &members, why, sizeof why), OK);
    return members_identity(&members, name);
}

static void identity_depends_on_name_and_nodes_but_not_on_their_order(void **state)
{
    (void)state;
    uint64_t one = identity("1=a:1,2=b:2", "lockstep");
    assert_true(one == identity("2=b:2,1=a:1", "lockstep"));
    assert_true(one != identity("1=a:1,2=b:2", "other"));
    assert_true(one != identity("1=a:1,2=b:3", "lockstep"));
    assert_true(one != identity("1=a:1,3=b:2", "lockstep"));
    assert_true(one != identity("1=a:1,2=b:2,3=c:3", "lockstep"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_sorted),
        cmocka_unit_test(nothing_is_a_cluster_of_one),
        cmocka_unit_test(who_is_no_node_need_not_be_listed),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(identity_depends_on_name_and_nodes_but_not_on_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
