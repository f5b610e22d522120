/* Opening a node's directory; private to node/. */
#ifndef LOCKSTEP_NODE_NODE_START_H
#define LOCKSTEP_NODE_NODE_START_H

#include "node/node_internal.h"

#define POSITION_ANY UINT64_MAX

/* What one member found of itself. */
struct restoring {
    struct member *member;
    bool has_state;         /* a checkpoint or a record was there */
    bool damaged;
    uint64_t keep_from;     /* of the checkpoint; 0: there is none */
    uint64_t next_position; /* that must be told next; POSITION_ANY after a gap */
};

struct opening {
    struct node *node;
    struct identity identity;
    bool fresh;        /* there was no identity file */
    bool noted;        /* there was a note of groups */
    struct restoring restoring[NODE_MEMBERS_MAX]; /* at the places of the node's members */
    uint32_t strangers[NODE_MEMBERS_MAX]; /* groups of records for which there is no member */
    uint32_t stranger_count;
    char *why;
    size_t why_size;
};

/* Restores the members; 0 or a negative error with a sentence in `why`. */
int node_open_directory(struct opening *opening);

/* The log's options that follow from the node's. */
struct wal_options node_wal_options(const struct node_options *options);

#endif
