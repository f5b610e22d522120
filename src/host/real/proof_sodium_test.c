/* Keys in files, and proofs made with them: two nodes believe each other, and nobody else. */
#include "host/real/proof_sodium.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"

enum { NODES = 3, HOME_SIZE = 32, PATH_SIZE = 256 };
static const uint32_t nodes[NODES] = {1, 2, 3};
static char homes[NODES][HOME_SIZE];
static char why[256];

static void copy(const char *from, const char *to)
{
    uint8_t bytes[64];
    FILE *file = fopen(from, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), sizeof bytes);
    fclose(file);
    file = fopen(to, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    fclose(file);
}

/* Each node makes its own keys, and gets the public ones of the others. */
static int make_keys(void **state)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    (void)state;
    for (uint32_t i = 0; i < NODES; i++) {
        snprintf(homes[i], sizeof homes[i], "/tmp/proof-sodium-XXXXXX");
        assert_non_null(mkdtemp(homes[i]));
        assert_int_equal(proof_sodium_new(homes[i], nodes[i], why, sizeof why), 0);
    }
    for (uint32_t i = 0; i < NODES; i++)
        for (uint32_t j = 0; j < NODES; j++) {
            snprintf(from, sizeof from, "%s/node-%u", homes[j], nodes[j]);
            snprintf(to, sizeof to, "%s/node-%u", homes[i], nodes[j]);
            if (i != j)
                copy(from, to);
        }
    return 0;
}

static int remove_keys(void **state)
{
    char path[PATH_SIZE];
    (void)state;
    for (uint32_t i = 0; i < NODES; i++) {
        for (uint32_t j = 0; j < NODES; j++) {
            snprintf(path, sizeof path, "%s/node-%u", homes[i], nodes[j]);
            unlink(path);
        }
        snprintf(path, sizeof path, "%s/secret", homes[i]);
        unlink(path);
        rmdir(homes[i]);
    }
    return 0;
}

static struct proof_sodium *open_keys(uint32_t place)
{
    struct proof_sodium *keys = NULL;
    assert_int_equal(proof_sodium_open(&keys, homes[place], nodes[place], nodes, NODES, why, sizeof why), 0);
    return keys;
}

static void check_kind(enum message_proof kind)
{
    struct proof_sodium *keys[NODES];
    struct group_spec specs[NODES];
    struct proof_door doors[NODES];
    for (uint32_t i = 0; i < NODES; i++) {
        keys[i] = open_keys(i);
        doors[i] = proof_sodium_door(keys[i]);
        specs[i] = (struct group_spec){.self = nodes[i], .members = nodes, .member_count = NODES};
    }
    struct header header = {.group = 1, .sender = 1, .type = 3, .kind = HEADER_MESSAGE};
    uint8_t text[] = "attack at dawn", proof[PROOF_SIGNATURE_SIZE + PROOF_MAC_SIZE * NODES];
    struct span body = span_of(text, sizeof text);
    proof_make(&doors[0], &specs[0], kind, &header, body, 0, proof);
    assert_true(proof_check(&doors[1], &specs[1], kind, &header, body, proof));
    assert_true(proof_check(&doors[2], &specs[2], kind, &header, body, proof));
    text[0] ^= 1;
    assert_false(proof_check(&doors[1], &specs[1], kind, &header, body, proof));
    /* Node 3 writes in the name of node 1. */
    proof_make(&doors[2], &specs[2], kind, &header, body, 0, proof);
    assert_false(proof_check(&doors[1], &specs[1], kind, &header, body, proof));
    for (uint32_t i = 0; i < NODES; i++)
        proof_sodium_close(keys[i]);
}

static void macs_are_of_a_pair(void **state)
{
    (void)state;
    check_kind(PROOF_MAC);
}

static void signatures_are_of_one(void **state)
{
    (void)state;
    check_kind(PROOF_SIGNATURE);
}

/* A client that nobody has a file of: believed while it is enrolled, and not before or after. */
static void an_enrolled_client_is_believed_until_it_is_expelled(void **state)
{
    (void)state;
    static const uint32_t alone[] = {1};
    struct proof_sodium *member = NULL, *client = open_keys(2);
    uint8_t key[PROOF_KEY_SIZE], other[PROOF_KEY_SIZE] = {0}, ours[PROOF_MAC_SIZE], theirs[PROOF_MAC_SIZE];
    uint8_t signature[PROOF_SIGNATURE_SIZE];
    struct span head = span_string("head"), body = span_string("body");
    assert_int_equal(proof_sodium_open(&member, homes[0], 1, alone, 1, why, sizeof why), 0);
    assert_int_equal(proof_sodium_show(homes[2], key, why, sizeof why), 0);
    struct proof_door at_member = proof_sodium_door(member), at_client = proof_sodium_door(client);
    at_client.mac(at_client.context, 1, head, body, theirs);
    at_client.sign(at_client.context, head, body, signature);
    at_member.mac(at_member.context, 3, head, body, ours);
    assert_memory_not_equal(ours, theirs, sizeof ours);
    assert_false(at_member.signed_by(at_member.context, 3, head, body, signature));

    at_member.enrol(at_member.context, 3, key);
    at_member.mac(at_member.context, 3, head, body, ours);
    assert_memory_equal(ours, theirs, sizeof ours);
    assert_true(at_member.signed_by(at_member.context, 3, head, body, signature));

    at_member.enrol(at_member.context, 1, key); /* a file's key wins */
    at_member.mac(at_member.context, 1, head, body, ours);
    assert_memory_not_equal(ours, theirs, sizeof ours);

    at_member.enrol(at_member.context, 3, NULL);
    assert_false(at_member.signed_by(at_member.context, 3, head, body, signature));
    at_member.enrol(at_member.context, 3, key);
    at_member.enrol(at_member.context, 3, other); /* no key */
    at_member.mac(at_member.context, 3, head, body, ours);
    assert_memory_not_equal(ours, theirs, sizeof ours);
    proof_sodium_close(member);
    proof_sodium_close(client);
}

static void what_is_shown_is_what_the_file_holds(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    uint8_t shown[PROOF_KEY_SIZE], kept[PROOF_KEY_SIZE];
    assert_int_equal(proof_sodium_show(homes[1], shown, why, sizeof why), 0);
    snprintf(path, sizeof path, "%s/node-2", homes[1]);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(kept, 1, sizeof kept, file), sizeof kept);
    fclose(file);
    assert_memory_equal(shown, kept, sizeof kept);
    /* A public file alone is not overwritten, and gets no secret beside it. */
    snprintf(path, sizeof path, "%s/secret", homes[1]);
    unlink(path);
    assert_int_equal(proof_sodium_new(homes[1], 2, why, sizeof why), ERROR_INVALID);
    assert_non_null(strstr(why, "node-2"));
    assert_int_equal(access(path, F_OK), -1);
}

static void bad_files_are_named(void **state)
{
    struct proof_sodium *keys = NULL;
    static const uint32_t stranger[] = {1, 9};
    char path[PATH_SIZE];
    (void)state;
    assert_int_equal(proof_sodium_new(homes[0], 1, why, sizeof why), ERROR_INVALID); /* never overwritten */
    assert_int_equal(proof_sodium_open(&keys, homes[0], 1, stranger, 2, why, sizeof why), ERROR_NOT_FOUND);
    assert_non_null(strstr(why, "node-9"));
    assert_int_equal(proof_sodium_open(&keys, homes[0], 2, nodes, NODES, why, sizeof why), ERROR_INVALID);
    assert_non_null(strstr(why, "secret"));
    snprintf(path, sizeof path, "%s/secret", homes[0]);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(proof_sodium_open(&keys, homes[0], 1, nodes, NODES, why, sizeof why), ERROR_INVALID);
    assert_non_null(strstr(why, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 63), 0);
    assert_int_equal(proof_sodium_open(&keys, homes[0], 1, nodes, NODES, why, sizeof why), ERROR_CORRUPT);
    assert_null(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(macs_are_of_a_pair, make_keys, remove_keys),
        cmocka_unit_test_setup_teardown(signatures_are_of_one, make_keys, remove_keys),
        cmocka_unit_test_setup_teardown(an_enrolled_client_is_believed_until_it_is_expelled, make_keys, remove_keys),
        cmocka_unit_test_setup_teardown(what_is_shown_is_what_the_file_holds, make_keys, remove_keys),
        cmocka_unit_test_setup_teardown(bad_files_are_named, make_keys, remove_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
