/* Patterns of KEYS and SCAN. */
#ifndef LOCKSTEP_SERVICE_KV_GLOB_H
#define LOCKSTEP_SERVICE_KV_GLOB_H

#include <stdbool.h>

#include "base/bytes.h"

/* True when the pattern matches the whole text: ? one byte, * any bytes, [a-c] one of a class, [^a] one outside it,
 * \x the byte x. As Redis' stringmatchlen, with its readings of malformed patterns. Takes at most time proportional to
 * the product of the sizes. */
bool kv_glob_match(struct span pattern, struct span text);

#endif
