#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/random.h"
#include "base/test_seed.h"

/* The definition, a bit at a time. */
static uint32_t model(uint32_t seed, const uint8_t *data, size_t size)
{
    uint32_t crc = ~seed;
    for (size_t index = 0; index < size; index++) {
        crc ^= data[index];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

static void the_check_value_is_right(void **state)
{
    (void)state;
    assert_true(crc32c(0, "123456789", 9) == UINT32_C(0xe3069283));
    assert_true(model(0, (const uint8_t *)"123456789", 9) == UINT32_C(0xe3069283));
    assert_int_equal(crc32c(0, NULL, 0), 0);
}

/* RFC 3720, appendix B.4. */
static void the_examples_of_the_rfc_are_right(void **state)
{
    (void)state;
    uint8_t data[32] = {0};
    assert_true(crc32c(0, data, 32) == UINT32_C(0x8a9136aa));
    memset(data, 0xff, 32);
    assert_true(crc32c(0, data, 32) == UINT32_C(0x62a8ab43));
    for (uint8_t index = 0; index < 32; index++)
        data[index] = index;
    assert_true(crc32c(0, data, 32) == UINT32_C(0x46dd794e));
}

static void random_pieces_agree_with_the_model(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("crc32c_test"));
    uint8_t data[3000];
    for (size_t index = 0; index < sizeof data; index++)
        data[index] = (uint8_t)random_u64(&random);
    for (unsigned round = 0; round < 500; round++) {
        size_t start = random_below(&random, 64);
        size_t size = random_below(&random, sizeof data - start);
        size_t cut = random_below(&random, size + 1);
        uint32_t seed = (uint32_t)random_u64(&random);
        uint32_t whole = crc32c(seed, data + start, size);
        assert_int_equal(whole, model(seed, data + start, size));
        assert_int_equal(whole, crc32c(crc32c(seed, data + start, cut), data + start + cut, size - cut));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_value_is_right),
        cmocka_unit_test(the_examples_of_the_rfc_are_right),
        cmocka_unit_test(random_pieces_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
