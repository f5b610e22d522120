/* The table of groups: what may be entered, whose keys are whose, enrolled clients, and its bytes. The owner of a key is compared with a
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
    add(&directory, "three", ""); /* groups without keys have no prefix in common */
    refused(&directory, group_of("one", "z:"), "already");
    refused(&directory, group_of("default", ""), "already");
    refused(&directory, group_of("", ""), "names are");
    refused(&directory, group_of("a b", ""), "names are");
    refused(&directory, group_of("x", "a:"), "the prefix is that of group 'one' already");
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

static uint32_t naive_owner(const char *const *prefixes, size_t count, const char *key, size_t size)
{
    uint32_t owner = 0;
    for (size_t length = 1; length <= size; length++)
        for (size_t i = 0; i < count; i++)
            if (strlen(prefixes[i]) == length && strncmp(key, prefixes[i], length) == 0)
                owner = (uint32_t)i + 1;
    return owner;
}

/* The longest prefix wins, in whatever order the groups came. */
static void test_owner_against_a_naive_search(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"b", "a", "ba", "c:ca", "c:", "aab", "bb", "aa", "c:c"};
    enum { COUNT = sizeof prefixes / sizeof prefixes[0] };
    struct directory directory;
    directory_init(&directory);
    for (size_t i = 0; i < COUNT; i++) {
        char name[8];
        snprintf(name, sizeof name, "g%zu", i);
        add(&directory, name, prefixes[i]);
    }
    add(&directory, "none", "");
    struct random random;
    random_seed(&random, 11);
    for (int round = 0; round < 20000; round++) {
        static const char letters[] = "abc:";
        char key[6];
        size_t size = (size_t)random_below(&random, sizeof key);
        for (size_t i = 0; i < size; i++)
            key[i] = letters[random_below(&random, 4)];
        const struct directory_group *owner = directory_owner(&directory, span_of(key, size));
        assert_int_equal(owner == NULL ? 0 : owner->number, naive_owner(prefixes, COUNT, key, size));
    }
}

static const char *around(const struct directory *directory, const char *name)
{
    const struct directory_group *found = directory_around(directory, directory_find(directory, span_string(name)));
    return found != NULL ? found->name : "default";
}

static void test_what_lies_around_a_prefix(void **state)
{
    (void)state;
    struct directory directory;
    directory_init(&directory);
    add(&directory, "inner", "a:b:c:");
    add(&directory, "outer", "a:");
    add(&directory, "other", "a:x");
    add(&directory, "none", "");
    assert_string_equal(around(&directory, "inner"), "outer");
    assert_string_equal(around(&directory, "outer"), "default");
    assert_string_equal(around(&directory, "none"), "default");
    add(&directory, "middle", "a:b:");
    assert_string_equal(around(&directory, "inner"), "middle");
    assert_string_equal(directory_owner(&directory, span_string("a:b:c"))->name, "middle");
    assert_true(directory_remove(&directory, span_string("middle")));
    assert_string_equal(directory_owner(&directory, span_string("a:b:c"))->name, "outer");
    assert_string_equal(around(&directory, "inner"), "outer");
}

static int enrol(struct directory *directory, uint32_t node, uint8_t key, char why[192])
{
    struct directory_client client = {.node = node};
    memset(client.key, key, sizeof client.key);
    return directory_enrol(directory, &client, nodes, 3, why, 192);
}

static void not_enrolled(struct directory *directory, uint32_t node, uint8_t key, const char *part)
{
    char why[192];
    struct directory before = *directory;
    assert_int_equal(enrol(directory, node, key, why), ERROR_INVALID);
    if (strstr(why, part) == NULL)
        fail_msg("%s: has no %s", why, part);
    assert_memory_equal(directory, &before, sizeof before);
}

static void test_clients(void **state)
{
    (void)state;
    struct directory directory;
    char why[192];
    directory_init(&directory);
    assert_int_equal(enrol(&directory, 900, 9, why), OK);
    assert_int_equal(enrol(&directory, 4, 0, why), OK);
    assert_int_equal(enrol(&directory, 70, 7, why), OK);
    assert_int_equal(directory.version, 3);
    assert_int_equal(enrol(&directory, 70, 7, why), OK); /* said again: nothing changes */
    assert_int_equal(enrol(&directory, 4, 0, why), OK);
    assert_int_equal(directory.version, 3);
    assert_int_equal(directory.client_count, 3);
    assert_int_equal(directory.clients[0].node, 4);
    assert_int_equal(directory.clients[2].node, 900);
    assert_int_equal(directory_client(&directory, 70)->key[63], 7);
    assert_null(directory_client(&directory, 71));
    assert_false(directory_client_has_key(directory_client(&directory, 4)));
    assert_true(directory_client_has_key(directory_client(&directory, 900)));
    not_enrolled(&directory, 70, 8, "client 70 is enrolled with another key; expel it first");
    not_enrolled(&directory, 4, 1, "another key");
    not_enrolled(&directory, 2, 1, "node 2 is a node of this cluster");
    not_enrolled(&directory, 0, 1, "1 to 999999999");
    not_enrolled(&directory, DIRECTORY_CLIENT_NODE_MAX + 1, 1, "1 to 999999999");
    assert_false(directory_expel(&directory, 5));
    assert_true(directory_expel(&directory, 70));
    assert_int_equal(directory.version, 4);
    assert_int_equal(enrol(&directory, 70, 8, why), OK);
    for (uint32_t i = 0; directory.client_count < DIRECTORY_CLIENTS_MAX; i++)
        assert_int_equal(enrol(&directory, DIRECTORY_CLIENT_NODE_MAX - i, 1, why), OK);
    not_enrolled(&directory, 5, 1, "at most 16 enrolled clients");
    assert_int_equal(enrol(&directory, 70, 8, why), OK); /* is there already */
    for (uint32_t i = 1; i < DIRECTORY_CLIENTS_MAX; i++)
        assert_true(directory.clients[i - 1].node < directory.clients[i].node);
}

static void test_bytes_with_clients(void **state)
{
    (void)state;
    struct directory directory, back;
    uint8_t bytes[DIRECTORY_BYTES_MAX];
    char why[192];
    directory_init(&directory);
    add(&directory, "one", "a:");
    (void)directory_encode(&directory, bytes);
    assert_int_equal(load_u32(bytes + 16), 1); /* as programs without clients write it */
    for (uint32_t i = 0; i < DIRECTORY_CLIENTS_MAX; i++) {
        assert_int_equal(enrol(&directory, 1000 - i, (uint8_t)i, why), OK);
        size_t size = directory_encode(&directory, bytes);
        assert_int_equal(load_u32(bytes + 16), 2);
        assert_true(directory_decode(span_of(bytes, size), &back));
        assert_memory_equal(&back, &directory, sizeof back);
        for (size_t less = 0; less < size; less += 13)
            assert_false(directory_decode(span_of(bytes, less), &back));
    }
    for (int i = 1; i < DIRECTORY_GROUPS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "g%d", i);
        add(&directory, name, "");
    }
    assert_int_equal(directory_encode(&directory, bytes), DIRECTORY_BYTES_MAX);
    assert_true(directory_decode(span_of(bytes, sizeof bytes), &back));
    assert_memory_equal(&back, &directory, sizeof back);
    store_u32(bytes + sizeof bytes - 68, 999); /* the last but one has that number */
    assert_false(directory_decode(span_of(bytes, sizeof bytes), &back));
    for (uint32_t i = 0; i < DIRECTORY_CLIENTS_MAX; i++)
        assert_true(directory_expel(&directory, 1000 - i));
    assert_int_equal(directory_encode(&directory, bytes), 24 + DIRECTORY_GROUPS_MAX * 216);
    assert_int_equal(load_u32(bytes + 16), 1);
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
    char why[192];
    assert_int_equal(enrol(&directory, 9, 1, why), OK);
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
        cmocka_unit_test(test_what_lies_around_a_prefix),
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_bytes_with_clients),
        cmocka_unit_test(test_damaged_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
