/* SHA-256 (FIPS 180-4, section 6.2), for digests that an adversary must not be able to collide: what cores agree on by
 * its digest. Plain C, no tables of state; about 250 MB/s. */
#ifndef LOCKSTEP_BASE_SHA256_H
#define LOCKSTEP_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32 };

/* The digest of `size` bytes at `data` (may be NULL when size is 0). */
void sha256(const void *data, size_t size, uint8_t out[SHA256_SIZE]);

#endif
