/* Values with a chain of signatures, "v : 0 : i : … : j" of signed messages (Lamport, Shostak and Pease 1982,
 * section 4).
 *
 * A signature here is a keyed hash (SipHash, base/hash.h) of the instance, the value and the signature before it, under
 * the signer's own key. What makes it a signature in the laboratory is who computes it: a member's code signs as itself
 * only, and an adversary changes, withholds and repeats messages but computes no hashes, so what it changes fails. Keys
 * follow from the group's specification, so that every member can verify. It is a model of unforgeable signatures, not
 * one: production needs real ones.
 *
 * Encoding: u64 value, u8 count, then for each signer u8 place, u64 signature. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_SIGNED_CHAIN_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_SIGNED_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "contract/spec.h"

enum { SIGNED_CHAIN_MAX = 16, SIGNED_LINK_SIZE = 9, SIGNED_CHAIN_HEAD_SIZE = 9 };

struct signed_chain {
    uint64_t value;
    uint32_t count; /* signers; the first is the commander */
    uint8_t places[SIGNED_CHAIN_MAX];
    uint64_t signatures[SIGNED_CHAIN_MAX];
};

/* Adds the signature of the member at that place. The chain has room (an invariant). */
void signed_chain_sign(struct signed_chain *chain, const struct group_spec *spec, uint32_t place, uint64_t instance);

/* True when signers are different members and every signature is right. */
bool signed_chain_verify(const struct signed_chain *chain, const struct group_spec *spec, uint64_t instance);

bool signed_chain_has(const struct signed_chain *chain, uint32_t place);

/* Writes at most SIGNED_CHAIN_HEAD_SIZE + SIGNED_CHAIN_MAX * SIGNED_LINK_SIZE bytes; returns how many. */
size_t signed_chain_encode(const struct signed_chain *chain, uint8_t *out);

/* Reads the next chain and advances `rest`. False: no whole one is left, or it has no signer or too many. */
bool signed_chain_next(struct span *rest, struct signed_chain *out);

#endif
