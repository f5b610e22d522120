/* The door to proofs: how node/ shows that a message is its own, and finds out whether another's is.
 *
 * What stands behind it holds the keys: libsodium in the real host, a keyed hash in the world. The proof follows the
 * body on the wire and is covered by the header's checksum. What is proven is group, sender, slot and type of the
 * message, and its body; not the incarnations, since who was restarted holds the same keys. An answer is proven to its
 * client alone, also by a signature: else what one client was told could be told another, under its session's name. A
 * proof of a message that was sent before is good again: protocols must stand doubled messages anyway. */
#ifndef LOCKSTEP_NODE_PROOF_H
#define LOCKSTEP_NODE_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "contract/header.h"
#include "contract/message.h"
#include "contract/spec.h"

enum { PROOF_CONTEXT_SIZE = 16, PROOF_MAC_SIZE = 16, PROOF_SIGNATURE_SIZE = 64, PROOF_KEY_SIZE = 64 };

struct proof_door {
    void *context;
    /* One MAC of the two parts, PROOF_MAC_SIZE bytes, under the key that this node shares with `node`. Used for both
     * directions: making, and comparing. */
    void (*mac)(void *context, uint32_t node, struct span head, struct span body, uint8_t *out);
    /* A signature by this node, PROOF_SIGNATURE_SIZE bytes. */
    void (*sign)(void *context, struct span head, struct span body, uint8_t *out);
    bool (*signed_by)(void *context, uint32_t node, struct span head, struct span body, const uint8_t *signature);
    /* From now on that client has this public key (PROOF_KEY_SIZE bytes); NULL takes it away. Where clients' keys are
     * fixed from the start it may be NULL. */
    void (*enrol)(void *context, uint32_t client, const uint8_t *key);
};

/* The kind that a type of message bears in a group. */
enum message_proof proof_kind(const struct group_spec *spec, const struct message_type *type);
/* Bytes of a proof in this group. */
size_t proof_size(const struct group_spec *spec, enum message_proof kind);
/* Writes proof_size() bytes to `out` for a message of this header (group, sender, slot, type and kind are read). `to` is
 * the receiver of a message with a PROOF_PAIR; else it is not looked at. */
void proof_make(const struct proof_door *door, const struct group_spec *spec, enum message_proof kind,
                const struct header *header, struct span body, uint32_t to, uint8_t *out);
/* Is that the proof of this message by the header's sender? MACs: the place of spec->self is looked at. Whether the
 * sender may send such a message at all (a member, or an enrolled client) the caller knows. */
bool proof_check(const struct proof_door *door, const struct group_spec *spec, enum message_proof kind,
                 const struct header *header, struct span body, const uint8_t *proof);

#endif
