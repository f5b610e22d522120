/* The table of groups: what may be entered, whose keys are whose, and its bytes. The owner of a key is compared with a
 * naive search. */
#include "service/directory/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/random.h"

static const uint32_t nodes[] = {1, 2, 3};

static struct directory_group group_of(const char *name, const char *prefix)
{
    struct directory_group group = {.k = 1, .created = 7, .members = {1, 2, 3}, .member_count = 3};
    snprintf(group.name, sizeof group.name, "%s", name);
    snprintf(group.protocol, sizeof group.protocol, "raft");
    snprintf(group.service, sizeof group.service, "kv");
    group.prefix_size = (uint32_t)strlen(prefix);
    if (group.prefix_size > 0 && group.prefix_size <= DIRECTORY_PREFIX_SIZE_MAX)
        memcpy(group.prefix, prefix, group.prefix_size);
    return group;
}

static void add(struct directory *directory, const char *name, const char *prefix)
{
    struct directory_group group = group_of(name, prefix);
    char why[128];
    assert_int_equal(directory_add(directory, &group, nodes, 3, why, sizeof why), OK);
}

static void refused(struct directory *directory, struct directory_group group, const char *part)
{
    char why[192];
    struct directory before = *directory;
    assert_int_equal(directory_add(directory, &group, nodes, 3, why, sizeof why), ERROR_INVALID);
    if (strstr(why, part) == NULL)
        fail_msg("%s: has no %s", why, part);
    assert_memory_equal(directory, &before, sizeof before);
}

static void test_what_may_be_entered(void **state)
{
    (void)state;
    struct directory directory;
    directory_init(&directory);
    add(&directory, "one", "a:");
    add(&directory, "two", "");
    add(&directory, "three", ""); /* groups without keys do not overlap */
    refused(&directory, group_of("one", "z:"), "already");
    refused(&directory, group_of("default", ""), "already");
    refused(&directory, group_of("", ""), "names are");
    refused(&directory, group_of("a b", ""), "names are");
    refused(&directory, group_of("x", "a:"), "overlaps that of group 'one'");
    refused(&directory, group_of("x", "a"), "overlaps");
    refused(&directory, group_of("x", "a:b:"), "overlaps");
    refused(&directory, group_of("x", "0123456789012345678901234567890123"), "at most 32 bytes");
    struct directory_group group = group_of("x", "");
    group.members[2] = 4;
    refused(&directory, group, "node 4 is no node");
    group.members[2] = 2;
    refused(&directory, group, "ascend");
    group.member_count = 0;
    refused(&directory, group, "1 to 16 members");
    group.member_count = DIRECTORY_MEMBERS_MAX + 1;
    refused(&directory, group, "1 to 16 members");
    assert_int_equal(directory.version, 3);
    for (int i = 3; i < DIRECTORY_GROUPS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "g%d", i);
        add(&directory, name, "");
    }
    refused(&directory, group_of("x", ""), "at most 16 groups");
}

static void test_numbers_never_return(void **state)
{
    (void)state;
    struct directory directory;
    directory_init(&directory);
    add(&directory, "a", "a:");
    add(&directory, "b", "b:");
    assert_int_equal(directory_find(&directory, span_string("b"))->number, 2);
    assert_true(directory_remove(&directory, span_string("b")));
    assert_false(directory_remove(&directory, span_string("b")));
    assert_null(directory_find_number(&directory, 2));
    add(&directory, "b", "b:");
    assert_int_equal(directory_find(&directory, span_string("b"))->number, 3);
    assert_int_equal(directory.version, 4);
    assert_true(directory_has_member(&directory.groups[0], 3));
    assert_false(directory_has_member(&directory.groups[0], 4));
}

static void test_owner_against_a_naive_search(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"a", "ba", "bb", "c:c", "cc"};
    struct directory directory;
    directory_init(&directory);
    for (size_t i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "g%zu", i);
        add(&directory, name, prefixes[i]);
    }
    add(&directory, "none", "");
    struct random random;
    random_seed(&random, 11);
    for (int round = 0; round < 20000; round++) {
        static const char letters[] = "abc:";
        char key[5];
        size_t size = (size_t)random_below(&random, sizeof key);
        for (size_t i = 0; i < size; i++)
            key[i] = letters[random_below(&random, 4)];
        uint32_t expected = 0;
        for (size_t i = 0; i < 5; i++)
            if (strlen(prefixes[i]) <= size && strncmp(key, prefixes[i], strlen(prefixes[i])) == 0)
                expected = (uint32_t)i + 1;
        const struct directory_group *owner = directory_owner(&directory, span_of(key, size));
        assert_int_equal(owner == NULL ? 0 : owner->number, expected);
    }
}

static void test_bytes(void **state)
{
    (void)state;
    struct directory directory, back;
    uint8_t bytes[DIRECTORY_BYTES_MAX];
    directory_init(&directory);
    assert_true(directory_decode(span_of(bytes, directory_encode(&directory, bytes)), &back));
    assert_memory_equal(&back, &directory, sizeof back);
    add(&directory, "one", "a:");
    add(&directory, "two", "");
    add(&directory, "three", "c:");
    assert_true(directory_remove(&directory, span_string("one")));
    size_t size = directory_encode(&directory, bytes);
    assert_true(directory_decode(span_of(bytes, size), &back));
    assert_int_equal(back.version, 4);
    assert_memory_equal(&back, &directory, sizeof back);
    for (size_t i = 0; i < size; i++)
        assert_false(directory_decode(span_of(bytes, i), &back));
    assert_int_equal(back.count, 0);
}

/* Damaged bytes are refused or give a table that can be encoded again: nothing outside of it is touched. */
static void test_damaged_bytes(void **state)
{
    (void)state;
    struct directory directory, back;
    uint8_t bytes[DIRECTORY_BYTES_MAX], again[DIRECTORY_BYTES_MAX];
    directory_init(&directory);
    add(&directory, "one", "a:");
    add(&directory, "two", "b:");
    size_t size = directory_encode(&directory, bytes);
    uint32_t refusals = 0;
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1 << bit);
            if (directory_decode(span_of(bytes, size), &back))
                assert_int_equal(directory_encode(&back, again), size);
            else
                refusals++;
            bytes[at] ^= (uint8_t)(1 << bit);
        }
    }
    assert_true(refusals > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_may_be_entered),
        cmocka_unit_test(test_numbers_never_return),
        cmocka_unit_test(test_owner_against_a_naive_search),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_damaged_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
