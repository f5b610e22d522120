/* SHA-256 (sha256.h). The names are those of FIPS 180-4, sections 4.1.2, 4.2.2, 5.3.3 and 6.2.2. */
#include "base/sha256.h"

#include <string.h>

enum { BLOCK_SIZE = SHA256_BLOCK_SIZE, LENGTH_SIZE = 8 };

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x >> by | x << (32 - by);
}

static uint32_t load_big(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void store_big(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void schedule(const uint8_t *block, uint32_t w[64])
{
    for (unsigned t = 0; t < 16; t++)
        w[t] = load_big(block + (size_t)4 * t);
    for (unsigned t = 16; t < 64; t++) {
        uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
}

static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    schedule(block, w);
    for (unsigned t = 0; t < 64; t++) {
        uint32_t choose = (e & f) ^ (~e & g);
        uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choose + constants[t] + w[t];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    const uint32_t v[8] = {a, b, c, d, e, f, g, h};
    for (unsigned i = 0; i < 8; i++)
        state[i] += v[i];
}

void sha256_begin(struct sha256 *sha)
{
    *sha = (struct sha256){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *sha, const void *data, size_t size)
{
    const uint8_t *at = data;
    size_t used = (size_t)(sha->size % BLOCK_SIZE);
    sha->size += size;
    if (used > 0) {
        size_t fill = size < BLOCK_SIZE - used ? size : BLOCK_SIZE - used;
        if (fill > 0)
            memcpy(sha->rest + used, at, fill);
        if (used + fill < BLOCK_SIZE)
            return;
        compress(sha->state, sha->rest);
        at += fill;
        size -= fill;
    }
    for (; size >= BLOCK_SIZE; size -= BLOCK_SIZE, at += BLOCK_SIZE)
        compress(sha->state, at);
    if (size > 0)
        memcpy(sha->rest, at, size);
}

void sha256_end(struct sha256 *sha, uint8_t out[SHA256_SIZE])
{
    size_t rest = (size_t)(sha->size % BLOCK_SIZE);
    uint8_t last[2 * BLOCK_SIZE] = {0};
    memcpy(last, sha->rest, rest);
    last[rest] = 0x80;
    size_t end = rest + 1 + LENGTH_SIZE <= BLOCK_SIZE ? BLOCK_SIZE : 2 * BLOCK_SIZE;
    uint64_t bits = sha->size * 8;
    store_big(last + end - 8, (uint32_t)(bits >> 32));
    store_big(last + end - 4, (uint32_t)bits);
    for (size_t block = 0; block < end; block += BLOCK_SIZE)
        compress(sha->state, last + block);
    for (unsigned i = 0; i < 8; i++)
        store_big(out + (size_t)4 * i, sha->state[i]);
}

void sha256(const void *data, size_t size, uint8_t out[SHA256_SIZE])
{
    struct sha256 sha;
    sha256_begin(&sha);
    sha256_add(&sha, data, size);
    sha256_end(&sha, out);
}

bool sha256_seal_equal(const struct sha256_seal *a, const struct sha256_seal *b)
{
    return a->size == b->size && memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}
