/* SHA-256 (FIPS 180-4, section 6.2), for digests that an adversary must not be able to collide: what cores agree on by
 * its digest. Plain C, no tables of state; about 250 MB/s. */
#ifndef LOCKSTEP_BASE_SHA256_H
#define LOCKSTEP_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_BLOCK_SIZE = 64 };

/* A digest in progress. */
struct sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes added */
    uint8_t rest[SHA256_BLOCK_SIZE];
};

/* The digest of `size` bytes at `data` (may be NULL when size is 0). */
void sha256(const void *data, size_t size, uint8_t out[SHA256_SIZE]);

/* The same piece by piece. */
void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *data, size_t size);
void sha256_end(struct sha256 *sha, uint8_t out[SHA256_SIZE]);

/* What identifies bytes to one who does not trust whom it gets them from. Size 0: not known. */
struct sha256_seal {
    uint64_t size; /* of the bytes */
    uint64_t digest[4];
};
bool sha256_seal_equal(const struct sha256_seal *a, const struct sha256_seal *b);

#endif
