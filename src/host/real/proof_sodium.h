/* Proofs by libsodium: keyed BLAKE2b for MACs, Ed25519 for signatures (node/proof.h).
 *
 * Keys are files in one directory: `secret` holds this node's 64 bytes (an X25519 seed and an Ed25519 seed), and
 * `node-N` the 64 public bytes of node N (its X25519 and its Ed25519 key), the own node's among them. The key that two
 * nodes share for MACs is derived from their X25519 keys, so no secret ever travels. `secret` must be readable by its
 * owner alone. Clients that are enrolled while the node runs bring their public bytes with them; a key from a file wins
 * over one that is enrolled later. */
#ifndef LOCKSTEP_HOST_REAL_PROOF_SODIUM_H
#define LOCKSTEP_HOST_REAL_PROOF_SODIUM_H

#include <stddef.h>
#include <stdint.h>

#include "node/proof.h"

enum { PROOF_SODIUM_NODES_MAX = 96, PROOF_SODIUM_CLIENTS_MAX = 64 };

struct proof_sodium;

/* Makes the key files of one node in an existing directory: `secret` and `node-N`. 0, or a negative error with a
 * sentence in `why` (ERROR_INVALID: one of them exists already, and is never overwritten). */
int proof_sodium_new(const char *directory, uint32_t node, char *why, size_t why_size);

/* The public bytes that belong to the directory's `secret`. 0, or a negative error with a sentence. */
int proof_sodium_show(const char *directory, uint8_t out[PROOF_KEY_SIZE], char *why, size_t why_size);

/* Reads the keys of this node and of `nodes` (which may include it). The object is from the system's heap; free it with
 * proof_sodium_close, which wipes the keys. 0, or a negative error with a sentence that names the file. */
int proof_sodium_open(struct proof_sodium **out, const char *directory, uint32_t self, const uint32_t *nodes,
                      uint32_t node_count, char *why, size_t why_size);
void proof_sodium_close(struct proof_sodium *keys);
/* The door; it lives as long as the keys. */
struct proof_door proof_sodium_door(struct proof_sodium *keys);

#endif
