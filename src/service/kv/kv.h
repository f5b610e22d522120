/* The key-value service: strings under keys, with Redis' commands (commands.def has the table, docs/commands.md the
 * deviations). */
#ifndef LOCKSTEP_SERVICE_KV_KV_H
#define LOCKSTEP_SERVICE_KV_KV_H

#include "contract/service.h"

extern const struct service kv_service;

#endif
