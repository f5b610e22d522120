/* The service of the group `default`: the key-value service with the directory of groups beside it.
 *
 * One log orders both, so that it is agreed for each write whether it came before or after a group took over its keys:
 * a command for keys that belong to another group is answered with TRYAGAIN and changes nothing. A node whose own view
 * of the directory is old therefore never strays a write into the wrong group.
 *
 * Its own commands reach it from the front, checked there as far as the programs that are present decide (registry of
 * protocols and services); here, what the replicated state decides:
 *
 *   GROUP.CREATE     name, protocol, service, prefix, k (u32), each member (u32): OK or an error
 *   GROUP.DROP       name: OK or an error
 *   GROUP.ENROL      client (u32), key (64 bytes, all zeros for none): OK or an error
 *   GROUP.EXPEL      client (u32): OK or an error
 *   GROUP.DIRECTORY  (read) a bulk string: the directory's bytes (directory.h)
 *   GROUP.LIST       (read) the same
 *
 * GROUP.LIST, GROUP.INFO and GROUP.CLIENTS are made of those bytes where the client is connected.
 *
 * All other commands go to kv, unchanged. */
#ifndef LOCKSTEP_SERVICE_DIRECTORY_KV_GROUPS_H
#define LOCKSTEP_SERVICE_DIRECTORY_KV_GROUPS_H

#include "contract/service.h"
#include "service/directory/directory.h"

extern const struct service kv_groups_service; /* "kv+groups" */

/* The directory in the state of that service, valid until its next step; NULL when the service has none, or when it is
 * just being restored. */
const struct directory *kv_groups_directory(const struct service *service, const void *self);

#endif
