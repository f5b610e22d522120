/* SipHash-1-3, and a mixer for digests. */
#include "base/hash.h"

#include "base/bytes.h"

static uint64_t rotate(uint64_t value, unsigned by)
{
    return value << by | value >> (64 - by);
}

/* SipRound, section 2.2 of the paper. */
static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t hash_keyed(const uint64_t key[2], const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t v[4] = {
        key[0] ^ UINT64_C(0x736f6d6570736575),
        key[1] ^ UINT64_C(0x646f72616e646f6d),
        key[0] ^ UINT64_C(0x6c7967656e657261),
        key[1] ^ UINT64_C(0x7465646279746573),
    };
    for (size_t words = size / 8; words > 0; words--) {
        uint64_t word = load_u64(at);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
        at += 8;
    }
    /* The last word holds what is left and, on top, the size modulo 256. */
    uint64_t last = (uint64_t)size << 56;
    for (unsigned index = 0; index < size % 8; index++)
        last |= (uint64_t)at[index] << (8 * index);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The finaliser of splitmix64, a bijection. */
static uint64_t finalise(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

uint64_t hash_mix(uint64_t a, uint64_t b)
{
    /* The odd constant keeps (0, 0) from being a fixed point. */
    return finalise(finalise(a + UINT64_C(0x9e3779b97f4a7c15)) ^ b);
}
