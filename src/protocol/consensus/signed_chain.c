/* Chains of signatures (signed_chain.h). */
#include "protocol/consensus/signed_chain.h"

#include "base/hash.h"
#include "base/panic.h"

/* The signature of the `at`-th signer over what is before it. */
static uint64_t signature(const struct signed_chain *chain, uint32_t at, const struct group_spec *spec,
                          uint64_t instance)
{
    uint8_t bytes[32];
    uint32_t node = spec->members[chain->places[at]];
    const uint64_t key[2] = {spec->hash_key[0] ^ hash_mix(node, 1), spec->hash_key[1] ^ hash_mix(node, 2)};
    store_u64(bytes, instance);
    store_u64(bytes + 8, chain->value);
    store_u64(bytes + 16, at);
    store_u64(bytes + 24, at > 0 ? chain->signatures[at - 1] : spec->group);
    return hash_keyed(key, bytes, sizeof bytes);
}

void signed_chain_sign(struct signed_chain *chain, const struct group_spec *spec, uint32_t place, uint64_t instance)
{
    invariant(chain->count < SIGNED_CHAIN_MAX && place < spec->member_count, "a chain has room for its signers");
    chain->places[chain->count] = (uint8_t)place;
    chain->signatures[chain->count] = signature(chain, chain->count, spec, instance);
    chain->count++;
}

bool signed_chain_verify(const struct signed_chain *chain, const struct group_spec *spec, uint64_t instance)
{
    uint64_t signers = 0;
    for (uint32_t i = 0; i < chain->count; i++) {
        uint32_t place = chain->places[i];
        if (place >= spec->member_count || place >= 64 || (signers >> place & 1) != 0 ||
            chain->signatures[i] != signature(chain, i, spec, instance))
            return false;
        signers |= UINT64_C(1) << place;
    }
    return chain->count > 0;
}

bool signed_chain_has(const struct signed_chain *chain, uint32_t place)
{
    for (uint32_t i = 0; i < chain->count; i++)
        if (chain->places[i] == place)
            return true;
    return false;
}

size_t signed_chain_encode(const struct signed_chain *chain, uint8_t *out)
{
    size_t size = SIGNED_CHAIN_HEAD_SIZE;
    store_u64(out, chain->value);
    out[8] = (uint8_t)chain->count;
    for (uint32_t i = 0; i < chain->count; i++, size += SIGNED_LINK_SIZE) {
        out[size] = chain->places[i];
        store_u64(out + size + 1, chain->signatures[i]);
    }
    return size;
}

bool signed_chain_next(struct span *rest, struct signed_chain *out)
{
    if (rest->size < SIGNED_CHAIN_HEAD_SIZE)
        return false;
    *out = (struct signed_chain){.value = load_u64(rest->data), .count = rest->data[8]};
    size_t size = SIGNED_CHAIN_HEAD_SIZE + (size_t)out->count * SIGNED_LINK_SIZE;
    if (out->count == 0 || out->count > SIGNED_CHAIN_MAX || rest->size < size)
        return false;
    const uint8_t *at = rest->data + SIGNED_CHAIN_HEAD_SIZE;
    for (uint32_t i = 0; i < out->count; i++, at += SIGNED_LINK_SIZE) {
        out->places[i] = at[0];
        out->signatures[i] = load_u64(at + 1);
    }
    *rest = span_of(rest->data + size, rest->size - size);
    return true;
}
