/* The list of protocols (registry.h). One line a protocol. */
#include "protocol/registry.h"

#include "base/bytes.h"

/* X(object) */
#define PROTOCOL_LIST(X)                                                                                               \
    X(raft_protocol)                                                                                                   \
    X(paxos_protocol)                                                                                                  \
    X(pbft_protocol)                                                                                                   \
    X(two_phase_commit_protocol)                                                                                       \
    X(anti_entropy_protocol)                                                                                          \
    X(chandy_lamport_protocol)                                                                                         \
    X(two_generals_protocol)                                                                                           \
    X(flooding_protocol)                                                                                               \
    X(flooding_early_protocol)                                                                                         \
    X(byzantine_vectors_protocol)                                                                                      \
    X(oral_messages_protocol)                                                                                          \
    X(synod_protocol)                                                                                                  \
    X(signed_messages_protocol)

#define PROTOCOL_DECLARE(object) extern const struct protocol object;
PROTOCOL_LIST(PROTOCOL_DECLARE)

#define PROTOCOL_ADDRESS(object) &object,
static const struct protocol *const protocols[] = {PROTOCOL_LIST(PROTOCOL_ADDRESS) NULL};

const struct protocol *const *protocol_registry(void)
{
    return protocols;
}

const struct protocol *protocol_find(const char *name)
{
    for (const struct protocol *const *at = protocols; *at != NULL; at++)
        if (span_equal(span_string((*at)->name), span_string(name)))
            return *at;
    return NULL;
}
