/* No service: what a client of a group holds in its place (contract/client.h). It keeps no state and answers every
 * command with an error: what a client is asked, the members execute. */
#ifndef LOCKSTEP_SERVICE_NONE_H
#define LOCKSTEP_SERVICE_NONE_H

#include "contract/service.h"

enum { NONE_HEAP_SIZE = 64 << 10 }; /* bytes that are enough for its region (tuning.service_heap_bytes) */

extern const struct service none_service;

#endif
