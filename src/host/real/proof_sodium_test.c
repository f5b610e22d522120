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
        cmocka_unit_test_setup_teardown(bad_files_are_named, make_keys, remove_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
