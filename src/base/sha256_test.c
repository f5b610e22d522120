/* SHA-256 against the examples of FIPS 180-2, appendix B, and lengths around a block's end. */
#include "base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *text, size_t size, const char *hex)
{
    uint8_t out[SHA256_SIZE];
    char shown[2 * SHA256_SIZE + 1] = {0};
    static const char digits[] = "0123456789abcdef";
    sha256(text, size, out);
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        shown[2 * i] = digits[out[i] >> 4];
        shown[2 * i + 1] = digits[out[i] & 15];
    }
    assert_string_equal(shown, hex);
}

static void the_published_examples_come_out(void **state)
{
    (void)state;
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    expect("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(two_blocks, sizeof two_blocks - 1, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void lengths_around_a_block_differ(void **state)
{
    (void)state;
    static uint8_t zeros[130];
    uint8_t before[SHA256_SIZE], now[SHA256_SIZE];
    sha256(zeros, 53, before);
    for (size_t size = 54; size <= sizeof zeros; size++) {
        sha256(zeros, size, now);
        assert_memory_not_equal(before, now, sizeof now);
        memcpy(before, now, sizeof now);
    }
}

static void pieces_make_the_same_digest(void **state)
{
    (void)state;
    uint8_t data[300], whole[SHA256_SIZE], pieces[SHA256_SIZE];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t size = 0; size <= sizeof data; size += 25)
        for (size_t piece = 1; piece < 150; piece++) {
            struct sha256 sha;
            sha256_begin(&sha);
            for (size_t at = 0; at < size; at += piece)
                sha256_add(&sha, data + at, size - at < piece ? size - at : piece);
            sha256_add(&sha, NULL, 0);
            sha256_end(&sha, pieces);
            sha256(data, size, whole);
            assert_memory_equal(pieces, whole, sizeof whole);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_examples_come_out),
        cmocka_unit_test(pieces_make_the_same_digest),
        cmocka_unit_test(lengths_around_a_block_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
