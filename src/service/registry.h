/* All services of this build. A new one is a line in registry.c. */
#ifndef LOCKSTEP_SERVICE_REGISTRY_H
#define LOCKSTEP_SERVICE_REGISTRY_H

#include "contract/service.h"

/* All of them, in the order of the list, ending with NULL. Static. */
const struct service *const *service_registry(void);

/* The service of that name, or NULL. */
const struct service *service_find(const char *name);

#endif
