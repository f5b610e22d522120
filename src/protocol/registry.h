/* All protocols of this build. A new one is a line in registry.c; from there it gets a simulation, a fuzz target,
 * metrics, a card and a row in the documentation. */
#ifndef LOCKSTEP_PROTOCOL_REGISTRY_H
#define LOCKSTEP_PROTOCOL_REGISTRY_H

#include "contract/protocol.h"

/* All of them, in the order of the list, ending with NULL. Static. */
const struct protocol *const *protocol_registry(void);

/* The protocol of that name, or NULL. */
const struct protocol *protocol_find(const char *name);

#endif
