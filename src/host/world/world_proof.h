/* Proofs in the world: a keyed hash under keys that follow from the run's seed, one for each pair of nodes (MACs) and
 * one for each node (signatures). The adversary holds the keys of the process that is in its hands, and no others: a
 * message that it changes on its way out is proven anew as that process's own, and it can prove nothing in another's
 * name. */
#ifndef LOCKSTEP_HOST_WORLD_PROOF_H
#define LOCKSTEP_HOST_WORLD_PROOF_H

#include "node/proof.h"

struct process;

/* The door of this process's node. */
void world_proof_door(struct process *process, struct proof_door *out);

/* Of a whole message (header and body), the bytes of its proof; 0: it bears none. */
size_t world_proof_size(const struct process *process, struct span message);
/* Proves a message to that node anew, in place, as this process's own; its header's checksum is still to be made. */
void world_proof_renew(struct process *process, uint32_t to, uint8_t *message, size_t size);

#endif
