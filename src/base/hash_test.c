#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"

static uint64_t rotated(uint64_t value, unsigned by)
{
    return value << by | value >> (64 - by);
}

/* The paper's definition for any number of rounds, padding the message first. */
static uint64_t model(unsigned c, unsigned d, const uint64_t key[2], const uint8_t *data, size_t size)
{
    uint8_t padded[300] = {0};
    size_t whole = size / 8 * 8 + 8;
    memcpy(padded, data, size);
    padded[whole - 1] = (uint8_t)size;
    uint64_t a = key[0] ^ UINT64_C(0x736f6d6570736575);
    uint64_t b = key[1] ^ UINT64_C(0x646f72616e646f6d);
    uint64_t e = key[0] ^ UINT64_C(0x6c7967656e657261);
    uint64_t f = key[1] ^ UINT64_C(0x7465646279746573);
    for (size_t at = 0; at <= whole; at += 8) {
        uint64_t word = at < whole ? load_u64(padded + at) : 0;
        if (at < whole)
            f ^= word;
        else
            e ^= 0xff;
        for (unsigned round = 0; round < (at < whole ? c : d); round++) {
            a += b, e += f;
            b = rotated(b, 13) ^ a, f = rotated(f, 16) ^ e;
            a = rotated(a, 32);
            a += f, e += b;
            f = rotated(f, 21) ^ a, b = rotated(b, 17) ^ e;
            e = rotated(e, 32);
        }
        a ^= word;
    }
    return a ^ b ^ e ^ f;
}

/* Appendix A of the paper: SipHash-2-4 of 00 01 ... 0e under the key 00 01 ... 0f. That fixes the model. */
static void the_model_reproduces_the_paper(void **state)
{
    (void)state;
    uint8_t bytes[16];
    for (uint8_t index = 0; index < 16; index++)
        bytes[index] = index;
    const uint64_t key[2] = {load_u64(bytes), load_u64(bytes + 8)};
    assert_true(model(2, 4, key, bytes, 15) == UINT64_C(0xa129ca6149be45e5));
}

static void every_length_agrees_with_the_model(void **state)
{
    (void)state;
    uint8_t data[280];
    for (unsigned index = 0; index < sizeof data; index++)
        data[index] = (uint8_t)(index * 37 + 11);
    for (size_t size = 0; size <= sizeof data; size++) {
        const uint64_t key[2] = {size * UINT64_C(0x123456789), ~size};
        assert_true(hash_keyed(key, data, size) == model(1, 3, key, data, size));
    }
}

static void the_key_matters(void **state)
{
    (void)state;
    const uint64_t one[2] = {1, 2};
    const uint64_t other[2] = {1, 3};
    assert_true(hash_keyed(one, "key", 3) != hash_keyed(other, "key", 3));
}

static void mixing_depends_on_order_and_on_every_bit(void **state)
{
    (void)state;
    assert_true(hash_mix(1, 2) != hash_mix(2, 1));
    assert_true(hash_mix(0, 0) != 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        /* About half of the result's bits change; a quarter is far outside what chance allows. */
        uint64_t from_a = hash_mix(7, 9) ^ hash_mix(7 ^ UINT64_C(1) << bit, 9);
        uint64_t from_b = hash_mix(7, 9) ^ hash_mix(7, 9 ^ UINT64_C(1) << bit);
        assert_in_range(__builtin_popcountll(from_a), 16, 48);
        assert_in_range(__builtin_popcountll(from_b), 16, 48);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_reproduces_the_paper),
        cmocka_unit_test(every_length_agrees_with_the_model),
        cmocka_unit_test(the_key_matters),
        cmocka_unit_test(mixing_depends_on_order_and_on_every_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
