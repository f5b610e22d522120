/* A hash of what a member wants, for comparing runs: of the simulator with itself, of a replay with its recording.
 *
 * It covers the contents that count: kinds, numbers, and bytes by their CRC; nothing that depends on addresses. One
 * multiplication a word, as it is taken for every event of a simulation. */
#ifndef LOCKSTEP_CONTRACT_EFFECT_HASH_H
#define LOCKSTEP_CONTRACT_EFFECT_HASH_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "contract/effect.h"

static inline uint64_t fold(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ hash >> 32;
}

static inline uint64_t fold_span(uint64_t hash, struct span bytes)
{
    hash = fold(hash, bytes.size);
    return bytes.size == 0 ? hash : fold(hash, crc32c(0, bytes.data, bytes.size));
}

/* `hash` with one effect's contents folded in. */
uint64_t fold_effect(uint64_t hash, const struct effect *effect);

#endif
