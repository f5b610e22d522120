/* Laying out proofs (proof.h). A vector has one MAC for each member, by place (Castro and Liskov, "Practical Byzantine
 * fault tolerance and proactive recovery", TOCS 2002, section 3.1: authenticators). */
#include "node/proof.h"

#include <string.h>

#include "base/panic.h"
#include "contract/client.h"

enum message_proof proof_kind(const struct group_spec *spec, const struct message_type *type)
{
    if (!spec_proven(spec) && type->proof != PROOF_SIGNATURE)
        return PROOF_NONE;
    bool macs = type->proof == PROOF_MAC || type->proof == PROOF_PAIR;
    return macs && spec->tuning.signatures != 0 ? PROOF_SIGNATURE : type->proof;
}

size_t proof_size(const struct group_spec *spec, enum message_proof kind)
{
    switch (kind) {
    case PROOF_NONE:
        return 0;
    case PROOF_MAC:
        return (size_t)PROOF_MAC_SIZE * spec->member_count;
    case PROOF_PAIR:
        return PROOF_MAC_SIZE;
    case PROOF_SIGNATURE:
        return PROOF_SIGNATURE_SIZE;
    }
    return 0;
}

/* The one whom an answer is for; 0: what members send is the same for all. */
static uint32_t receiver_of(const struct header *header, uint32_t to)
{
    return header->kind == HEADER_CLIENT && header->type == CLIENT_ANSWERS ? to : 0;
}

static struct span context_of(const struct header *header, uint32_t to, uint8_t out[PROOF_CONTEXT_SIZE])
{
    store_u32(out, header->group);
    store_u32(out + 4, header->sender);
    store_u16(out + 8, header->type);
    out[10] = header->slot;
    out[11] = header->kind;
    store_u32(out + 12, receiver_of(header, to));
    return span_of(out, PROOF_CONTEXT_SIZE);
}

void proof_make(const struct proof_door *door, const struct group_spec *spec, enum message_proof kind,
                const struct header *header, struct span body, uint32_t to, uint8_t *out)
{
    uint8_t bytes[PROOF_CONTEXT_SIZE];
    struct span context = context_of(header, to, bytes);
    invariant(door->mac != NULL, "a protocol with proofs runs only where there are keys");
    if (kind == PROOF_SIGNATURE)
        door->sign(door->context, context, body, out);
    if (kind == PROOF_PAIR)
        door->mac(door->context, to, context, body, out);
    for (uint32_t i = 0; kind == PROOF_MAC && i < spec->member_count; i++)
        door->mac(door->context, spec->members[i], context, body, out + (size_t)i * PROOF_MAC_SIZE);
}

/* In a time that does not depend on where they differ. */
static bool same(const uint8_t *a, const uint8_t *b, size_t size)
{
    unsigned difference = 0;
    for (size_t i = 0; i < size; i++)
        difference |= (unsigned)(a[i] ^ b[i]);
    return difference == 0;
}

bool proof_check(const struct proof_door *door, const struct group_spec *spec, enum message_proof kind,
                 const struct header *header, struct span body, const uint8_t *proof)
{
    uint8_t bytes[PROOF_CONTEXT_SIZE], expected[PROOF_MAC_SIZE];
    struct span context = context_of(header, spec->self, bytes);
    if (kind == PROOF_NONE)
        return true;
    if (door->mac == NULL)
        return false;
    if (kind == PROOF_SIGNATURE)
        return door->signed_by(door->context, header->sender, context, body, proof);
    int place = kind == PROOF_PAIR ? 0 : spec_member_place(spec, spec->self);
    door->mac(door->context, header->sender, context, body, expected);
    return place >= 0 && same(expected, proof + (size_t)place * PROOF_MAC_SIZE, PROOF_MAC_SIZE);
}
