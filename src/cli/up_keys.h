/* Keys of a local cluster: for each process a directory with its own secret and everybody's public file. */
#ifndef LOCKSTEP_CLI_UP_KEYS_H
#define LOCKSTEP_CLI_UP_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* Makes ROOT/keys/node-1 to ROOT/keys/node-COUNT where they are missing. False: `why` says what happened. */
bool up_keys_make(const char *root, int count, char *why, size_t why_size);

#endif
