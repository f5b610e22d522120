/* The header: its layout, byte for byte, and that its checksum covers everything but itself. */
#include "contract/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/crc32c.h"

static const struct header sample = {
    .crc = 0x04030201,
    .length = 0x08070605,
    .magic = HEADER_MAGIC,
    .version = HEADER_VERSION,
    .slot = 0x0c,
    .type = 0x0e0d,
    .kind = HEADER_RECORD,
    .group = 0x14131211,
    .sender = 0x18171615,
    .incarnation = UINT64_C(0x201f1e1d1c1b1a19),
    .position = UINT64_C(0x2827262524232221),
    .sequence = UINT64_C(0x302f2e2d2c2b2a29),
    .synced = UINT64_C(0x3837363534333231),
};

static void fields_have_their_places(void **state)
{
    (void)state;
    uint8_t bytes[HEADER_SIZE];
    header_encode(&sample, bytes);
    for (uint8_t i = 0; i < HEADER_SIZE; i++) {
        bool named = (i >= 8 && i <= 10) || i == 14 || i == 15; /* magic, version, kind, zero */
        if (!named)
            assert_int_equal(bytes[i], i + 1);
    }
    assert_int_equal(load_u16(bytes + 8), 0x4b4c);
    assert_int_equal(bytes[10], 1);
    assert_int_equal(bytes[11], 0x0c);
    assert_int_equal(bytes[14], 2);
    assert_int_equal(bytes[15], 0);
}

static void decoding_gives_the_same_fields(void **state)
{
    (void)state;
    uint8_t bytes[HEADER_SIZE], again[HEADER_SIZE];
    header_encode(&sample, bytes);
    struct header out;
    header_decode(bytes, &out);
    assert_int_equal(out.crc, sample.crc);
    assert_int_equal(out.slot, sample.slot);
    assert_int_equal(out.kind, sample.kind);
    assert_int_equal(out.synced, sample.synced);
    header_encode(&out, again);
    assert_memory_equal(bytes, again, HEADER_SIZE);
}

static void checksum_is_that_of_the_bytes_in_a_row(void **state)
{
    (void)state;
    uint8_t bytes[HEADER_SIZE + 8];
    header_encode(&sample, bytes);
    memcpy(bytes + HEADER_SIZE, "headtail", 8);
    uint32_t crc = header_crc(77, bytes, span_string("head"), span_string("tail"));
    assert_int_equal(crc, crc32c(77, bytes + 4, HEADER_SIZE - 4 + 8));
    assert_int_equal(crc, header_crc(77, bytes, span_string("headtail"), (struct span){0}));
    assert_int_not_equal(crc, header_crc(78, bytes, span_string("head"), span_string("tail")));
}

static void every_damaged_byte_is_noticed(void **state)
{
    (void)state;
    uint8_t bytes[HEADER_SIZE];
    struct header header = sample;
    header.length = 5;
    header_seal(3, &header, span_string("he"), span_string("llo"), bytes);
    assert_int_equal(load_u32(bytes), header.crc);
    assert_int_equal(header.crc, header_crc(3, bytes, span_string("hello"), (struct span){0}));
    for (size_t i = 4; i < HEADER_SIZE; i++) {
        bytes[i] ^= 0x10;
        assert_int_not_equal(header.crc, header_crc(3, bytes, span_string("hello"), (struct span){0}));
        bytes[i] ^= 0x10;
    }
    assert_int_not_equal(header.crc, header_crc(3, bytes, span_string("hellp"), (struct span){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_their_places),
        cmocka_unit_test(decoding_gives_the_same_fields),
        cmocka_unit_test(checksum_is_that_of_the_bytes_in_a_row),
        cmocka_unit_test(every_damaged_byte_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
