/* The specification of a group, as each of its members sees it: borrowed and immutable while the member lives.
 * Sizes of heaps are functions of it, and so is everything that all members must agree on. */
#ifndef LOCKSTEP_CONTRACT_SPEC_H
#define LOCKSTEP_CONTRACT_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct protocol;
struct service;

/* Times and bounds that may be tuned; spec_defaults() fills in those of production. */
struct tuning {
    int64_t heartbeat_ns;          /* between two signs of life of who orders */
    int64_t election_timeout_ns;   /* silence after which a member acts; drawn from [1, 2) times this */
    uint64_t append_bytes_max;     /* of records in one message */
    uint32_t append_inflight_max;  /* unanswered messages with records to one member */
    uint32_t log_entries_max;      /* entries that a member keeps after its last checkpoint, at most */
    uint64_t checkpoint_log_bytes; /* a new checkpoint after that much log */
    uint32_t checkpoint_interval;  /* or, where members agree on checkpoints (PBFT), every so many sequence numbers */
    uint64_t service_bytes_max;    /* of the service's data, by its own accounting; 0 is no limit */
    uint64_t service_heap_bytes;   /* region given to the service */
    uint64_t command_bytes_max;    /* of one command, header included */
    uint32_t signatures;           /* 1: messages that bear MACs are signed instead (contract/message.h) */
};

/* Rules that the laboratory can switch off, to prove that it notices. Production refuses a spec with any of them.
 * The first bits belong to node/ and storage/, the rest to the group's protocol. */
enum ablation {
    ABLATION_ACK_BEFORE_SYNC = 1 << 0,      /* STORED is reported before the disk says so */
    ABLATION_SESSIONS_NOT_KEPT = 1 << 1,    /* the session table is left out of checkpoints */
    ABLATION_PROTOCOL_FIRST = 1 << 8,       /* a protocol's n-th ablation is this << n */
};

struct group_spec {
    uint32_t group;
    const char *name;
    uint32_t self;           /* node id of this member */
    const uint32_t *members; /* node ids, ascending */
    uint32_t member_count;
    uint32_t k; /* faults to be masked */
    const struct protocol *protocol;
    const struct protocol *served_by; /* of a client, which is no member: the protocol of the members that it asks, while
                                         `protocol` is its own; NULL: this is a member */
    uint32_t vote;                    /* of a client: members asked at first (2k+1); 0: all of them */
    const struct service *service;
    uint64_t hash_key[2]; /* of the service's hash tables; the same on all members */
    struct tuning tuning;
    uint32_t ablations; /* enum ablation */
};

/* Fills in the tuning of production. */
void spec_defaults(struct tuning *out);

/* Checks that the group's service gets from its protocol what it needs and that there are members enough for k.
 * Returns 0, or ERROR_INVALID with a sentence that names the missing requirement in `why`. */
int spec_check(const struct group_spec *spec, char *why, size_t why_size);

/* Do the members bear proofs, and their clients too? True where the members' protocol masks arbitrary failures. */
bool spec_proven(const struct group_spec *spec);

/* Place of a node among the members, or -1. */
int spec_member_place(const struct group_spec *spec, uint32_t node);

#endif
