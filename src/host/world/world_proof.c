/* The world's stand-in for cryptography (world_proof.h): SipHash under secret keys, spread to the size of a proof. */
#include "host/world/world_proof.h"

#include "base/hash.h"
#include "contract/client.h"
#include "host/world/world_state.h"

enum { KEY_OF_PAIR = 0x70616972, KEY_OF_SIGNER = 0x7369676e };

static void spread(uint64_t first, uint64_t second, struct span head, struct span body, uint8_t *out, size_t size)
{
    uint64_t key[2] = {first, second};
    uint64_t digest = hash_mix(hash_keyed(key, head.data, head.size), hash_keyed(key, body.data, body.size));
    for (size_t at = 0; at < size; at += 8) {
        digest = hash_mix(digest, first ^ at);
        store_u64(out + at, digest);
    }
}

static void mac(void *context, uint32_t node, struct span head, struct span body, uint8_t *out)
{
    const struct process *process = context;
    uint64_t low = process->id < node ? process->id : node, high = process->id < node ? node : process->id;
    spread(hash_mix(process->world->options.seed, KEY_OF_PAIR), low << 32 | high, head, body, out, PROOF_MAC_SIZE);
}

static void signature(const struct process *process, uint32_t node, struct span head, struct span body, uint8_t *out)
{
    spread(hash_mix(process->world->options.seed, KEY_OF_SIGNER), node, head, body, out, PROOF_SIGNATURE_SIZE);
}

static void sign(void *context, struct span head, struct span body, uint8_t *out)
{
    const struct process *process = context;
    signature(process, process->id, head, body, out);
}

static bool signed_by(void *context, uint32_t node, struct span head, struct span body, const uint8_t *given)
{
    uint8_t expected[PROOF_SIGNATURE_SIZE];
    signature(context, node, head, body, expected);
    return span_equal(span_of(expected, sizeof expected), span_of(given, sizeof expected));
}

void world_proof_door(struct process *process, struct proof_door *out)
{
    *out = (struct proof_door){.context = process, .mac = mac, .sign = sign, .signed_by = signed_by};
}

static enum message_proof kind_of(const struct process *process, const struct header *header)
{
    const struct message_type *type = client_or_member_type(&process->spec.protocol->messages, header);
    return type != NULL ? proof_kind(&process->spec, type) : PROOF_NONE;
}

size_t world_proof_size(const struct process *process, struct span message)
{
    struct header header;
    header_decode(message.data, &header);
    return proof_size(&process->spec, kind_of(process, &header));
}

void world_proof_renew(struct process *process, uint32_t to, uint8_t *message, size_t size)
{
    struct header header;
    header_decode(message, &header);
    enum message_proof kind = kind_of(process, &header);
    size_t proof = proof_size(&process->spec, kind);
    if (proof == 0 || size < HEADER_SIZE + proof)
        return;
    struct proof_door door;
    world_proof_door(process, &door);
    proof_make(&door, &process->spec, kind, &header, span_of(message + HEADER_SIZE, size - HEADER_SIZE - proof), to,
               message + size - proof);
}
