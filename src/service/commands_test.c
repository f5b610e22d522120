/* The command table: look-ups, and rules that every entry keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "service/commands.h"

static const struct command_spec *find(const char *name)
{
    return command_find(span_string(name));
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(find("GET")->op, OP_GET);
    assert_int_equal(find("get")->op, OP_GET);
    assert_int_equal(find("PexpireTime")->op, OP_PEXPIRETIME);
    assert_string_equal(find("incrbyfloat")->name, "incrbyfloat");
    const char *const unknown[] = {
        "", "G", "GE", "GETS", "GET ", "client|id", "nosuch", "abcdefghijklmnopqrstuvwxyz", "GE\xff", "g\x05t"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_null(find(unknown[i]));
    /* A name with a zero inside is another name. */
    assert_null(command_find(span_of("GET\0", 4)));
    assert_null(command_find(span_of("GE\0", 3)));
}

static void test_every_name_is_found(void **state)
{
    (void)state;
    unsigned commands = 0, subcommands = 0;
    uint16_t last = 0;
    for (const struct command_spec *spec = NULL; (spec = command_following(spec)) != NULL; last = spec->op) {
        assert_true(spec->op > last && spec->op >= 16);
        assert_ptr_equal(command_by_op(spec->op), spec);
        if (spec->parent == 0) {
            assert_ptr_equal(find(spec->name), spec);
            commands++;
            continue;
        }
        const struct command_spec *parent = command_by_op(spec->parent);
        const char *bar = strchr(spec->name, '|');
        assert_non_null(parent);
        assert_non_null(bar);
        assert_memory_equal(spec->name, parent->name, strlen(parent->name));
        assert_ptr_equal(command_find_sub(parent, span_string(bar + 1)), spec);
        subcommands++;
    }
    assert_true(commands > 60 && subcommands > 10);
    assert_null(command_by_op(1));
    assert_null(command_by_op(UINT16_MAX));
}

static void test_subcommands(void **state)
{
    (void)state;
    assert_int_equal(command_find_sub(find("client"), span_string("NO-evict"))->op, OP_CLIENT_NO_EVICT);
    assert_int_equal(command_find_sub(find("config"), span_string("GET"))->op, OP_CONFIG_GET);
    assert_null(command_find_sub(find("config"), span_string("id")));
    assert_null(command_find_sub(find("config"), span_string("")));
    assert_null(command_find_sub(find("get"), span_string("id")));
}

static void test_rules(void **state)
{
    (void)state;
    for (const struct command_spec *spec = NULL; (spec = command_following(spec)) != NULL;) {
        bool writes = (spec->flags & CMD_WRITE) != 0;
        assert_int_equal(writes, spec->kind == COMMAND_UPDATE);
        assert_int_equal((spec->flags & CMD_READONLY) != 0, spec->kind == COMMAND_READ);
        assert_int_equal(writes, (spec->acl & ACL_WRITE) != 0);
        assert_true(((spec->acl & ACL_FAST) != 0) != ((spec->acl & ACL_SLOW) != 0));
        assert_int_equal(spec->first_key != 0, spec->key_step != 0);
        assert_int_equal(spec->first_key != 0, spec->key_flags != 0);
        assert_true(spec->arity != 0 && strlen(spec->since) >= 5);
        assert_true(strlen(spec->summary) > 5 && strlen(spec->complexity) > 3);
    }
}

static void test_arity(void **state)
{
    (void)state;
    assert_true(command_arity_suits(find("get"), 2));
    assert_false(command_arity_suits(find("get"), 1));
    assert_false(command_arity_suits(find("get"), 3));
    assert_true(command_arity_suits(find("set"), 3));
    assert_true(command_arity_suits(find("set"), 300));
    assert_false(command_arity_suits(find("set"), 2));
}

/* Op numbers stand in logs: these may never change. */
static void test_stable_ops(void **state)
{
    (void)state;
    assert_int_equal(OP_FLUSHALL, 54);
    assert_int_equal(OP_GET, 64);
    assert_int_equal(OP_SET, 65);
    assert_int_equal(OP_INCRBYFLOAT, 84);
    assert_int_equal(OP_DEL, 96);
    assert_int_equal(OP_PERSIST, 114);
    assert_int_equal(OP_EXEC, 129);
    assert_int_equal(OP_WATCH, 131);
}

static void test_texts(void **state)
{
    (void)state;
    assert_string_equal(command_flag_text(0), "write");
    assert_string_equal(command_acl_text(9), "transaction");
    assert_string_equal(command_key_text(8), "variable_flags");
    assert_string_equal(command_group_text(GROUP_STRING), "string");
    assert_null(command_flag_text(11));
    assert_null(command_tip_text(2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),        cmocka_unit_test(test_every_name_is_found),
        cmocka_unit_test(test_subcommands), cmocka_unit_test(test_rules),
        cmocka_unit_test(test_arity),       cmocka_unit_test(test_stable_ops),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
