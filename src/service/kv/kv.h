/* The key-value service: strings under keys, with Redis' commands (commands.def has the table, docs/commands.md the
 * deviations). */
#ifndef LOCKSTEP_SERVICE_KV_KV_H
#define LOCKSTEP_SERVICE_KV_KV_H

#include "contract/service.h"

extern const struct service kv_service;

/* True when a state of that service holds a key that begins with `prefix`, which is not empty; expired keys that are
 * not yet deleted count. Looks at all keys. */
bool kv_holds_prefix(const void *self, struct span prefix);

#endif
