/* Hashes: a keyed one for tables that hold remote bytes, and a mixer for digests.
 *
 * Neither is a cryptographic hash of long-lived data; proofs go through the node's door instead. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 of `size` bytes at `data` under a 128-bit key (key[0] is its first eight bytes, little-endian). Who does
 * not know the key cannot aim at collisions, so tables that are filled by clients stay fast. The same on every
 * machine. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012, sections 2.1 to 2.4,
 * with c = 1 and d = 3. */
uint64_t hash_keyed(const uint64_t key[2], const void *data, size_t size);

/* Folds `b` into `a`; not symmetric, so digest = hash_mix(digest, word) depends on the order of the words. It is
 * two rounds of the finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014), each of which is a bijection:
 * digests that differ before the same word differ after it. Not for adversaries. */
uint64_t hash_mix(uint64_t a, uint64_t b);

#endif
