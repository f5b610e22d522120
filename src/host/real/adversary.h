/* A node that lies, as a script says: for tests of what a cluster masks, in builds for tests alone.
 *
 * The node runs its protocol as it should, and what leaves it is changed on the way out, for each receiver apart, before
 * it is proven: so its lies bear its own good proofs. One sentence a line, `#` begins a comment:
 *
 *   [after TIME] [one in N] DEED [to NODE[,NODE]...]
 *
 *   withhold MESSAGE          the receiver does not get it
 *   change MESSAGE.FIELD      a number becomes its neighbour; of bytes the last one; of answers to clients, each answer
 *   forge MESSAGE as NODE     it is said to be another node's
 *   lie                       the service's answers are changed before they are kept and told (without `to`)
 *   hasten                    a timer fires early (without `to`)
 *
 * MESSAGE is a type of the protocol of `default` or of contract/client.h (CLIENT_ANSWERS), or `*` for every one. Without
 * `to` every other node gets the lie. `one in N` counts by receiver for messages. Lies are no drawing of lots: two nodes
 * with one script tell the same ones. */
#ifndef LOCKSTEP_HOST_REAL_ADVERSARY_H
#define LOCKSTEP_HOST_REAL_ADVERSARY_H

#include <stddef.h>

#include "contract/protocol.h"
#include "node/node.h"

struct adversary;

/* Reads the script. 0, or a negative error with a sentence that names file and line. */
int adversary_read(struct adversary **out, const char *path, const struct protocol *protocol, char *why,
                   size_t why_size);
/* The door through which it acts; it lives as long as the adversary. */
struct node_tamper adversary_tamper(struct adversary *adversary);
void adversary_free(struct adversary *adversary);

#endif
