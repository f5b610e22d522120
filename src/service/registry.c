/* The list of services (registry.h). One line a service. */
#include "service/registry.h"

#include "base/bytes.h"

/* X(object) */
#define SERVICE_LIST(X)                                                                                                \
    X(kv_service)                                                                                                      \
    X(token_service)                                                                                                   \
    X(account_service)                                                                                                 \
    X(till_service)                                                                                                    \
    X(proposal_service)                                                                                                \
    X(kv_groups_service)                                                                                               \
    X(none_service)

#define SERVICE_DECLARE(object) extern const struct service object;
SERVICE_LIST(SERVICE_DECLARE)

#define SERVICE_ADDRESS(object) &object,
static const struct service *const services[] = {SERVICE_LIST(SERVICE_ADDRESS) NULL};

const struct service *const *service_registry(void)
{
    return services;
}

const struct service *service_find(const char *name)
{
    for (const struct service *const *at = services; *at != NULL; at++)
        if (span_equal(span_string((*at)->name), span_string(name)))
            return *at;
    return NULL;
}
