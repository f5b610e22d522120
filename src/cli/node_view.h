/* What a running node says of itself (LOCKSTEP STATUS), for those who show it to people. */
#ifndef LOCKSTEP_CLI_NODE_VIEW_H
#define LOCKSTEP_CLI_NODE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NODE_VIEW_GROUPS_MAX = 32,
    NODE_VIEW_PEERS_MAX = 64,
    NODE_VIEW_TEXT_SIZE_MAX = 64,
    NODE_VIEW_ADDRESS_SIZE_MAX = 264,
};

struct group_view {
    uint32_t group;
    char name[NODE_VIEW_TEXT_SIZE_MAX];
    char role[NODE_VIEW_TEXT_SIZE_MAX];
    uint64_t term;
    uint32_t leader; /* 0: it knows of none */
    uint64_t commit, applied, lag;
    bool voter;
};

struct peer_view {
    uint32_t node;
    char address[NODE_VIEW_ADDRESS_SIZE_MAX]; /* of its clients; "" as long as it never connected */
    bool connected;
    uint32_t suspicion;
    uint64_t wrong_answers; /* that a gateway outvoted */
};

struct node_view {
    char address[NODE_VIEW_ADDRESS_SIZE_MAX];
    bool reachable;
    char why[256]; /* not reachable: what happened */
    uint32_t node; /* 0: not known */
    int64_t pid;
    int64_t last_fsync_us; /* negative: none yet */
    uint32_t group_count, peer_count;
    struct group_view groups[NODE_VIEW_GROUPS_MAX];
    struct peer_view peers[NODE_VIEW_PEERS_MAX];
};

/* Asks the node at "host:port". Always fills in the view; false if it was not reachable. */
bool node_view_ask(struct node_view *out, const char *address, int timeout_ms);

/* Reads the JSON of LOCKSTEP STATUS into the view; false, with a sentence in `why`, when it is none. */
bool node_view_read(struct node_view *out, const char *json, size_t size);

#endif
