/* The tables of attacks, by protocol. */
#include "lab/attack/attack.h"

#include <string.h>

const struct world_attacks *attacks_find(const char *protocol)
{
    return strcmp(protocol, "pbft") == 0 ? &pbft_attacks : NULL;
}
