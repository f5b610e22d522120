/* The nodes of a cluster, as people list them: "1=127.0.0.1:17001,2=127.0.0.1:17002,3=127.0.0.1:17003". */
#ifndef LOCKSTEP_HOST_REAL_MEMBERS_H
#define LOCKSTEP_HOST_REAL_MEMBERS_H

#include <stddef.h>
#include <stdint.h>

enum {
    MEMBERS_MAX = 64,
    MEMBERS_ADDRESS_SIZE_MAX = 264,
};

struct members {
    uint32_t count; /* the own node included */
    uint32_t nodes[MEMBERS_MAX]; /* ascending */
    char addresses[MEMBERS_MAX][MEMBERS_ADDRESS_SIZE_MAX]; /* of the peers' port; "" for a cluster of one */
};

/* Reads the list; an empty or NULL text is a cluster of one, `self`. Who is no node of it gives 0 as `self`. 0, or ERROR_INVALID with a sentence: a malformed
 * entry, an id twice, an address twice, or `self` missing. */
int members_parse(const char *text, uint32_t self, struct members *out, char *why, size_t why_size);

/* What makes two clusters different: a hash of the cluster's name and its first members, in whatever order they were
 * listed. */
uint64_t members_identity(const struct members *members, const char *cluster_name);

#endif
