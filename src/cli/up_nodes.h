/* The child processes of `lockstep up`: one `lockstep server` for each node of a local cluster. */
#ifndef LOCKSTEP_CLI_UP_NODES_H
#define LOCKSTEP_CLI_UP_NODES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { UP_NODES_MAX = 9 };

struct up_node {
    uint32_t id;
    int port;
    pid_t pid;              /* 0: not running */
    int64_t started_ns;
    int64_t restart_at_ns;  /* not running: when to start it again */
    int64_t backoff_ns;
    uint64_t starts;
};

struct up_cluster {
    struct up_node nodes[UP_NODES_MAX];
    int count;
    int port;         /* of the first node */
    bool init;        /* the data root is new */
    bool restart;
    const char *data; /* root */
    const char *protocol; /* by which the nodes agree; NULL: as `lockstep server` by itself */
    char *program;    /* path of this program */
};

/* Starts the node's process, its log appended to DATA/node-ID.log. False: `why` says what happened. */
bool up_node_start(struct up_cluster *cluster, struct up_node *node, char *why, size_t why_size);
/* Collects processes that have ended: reports each on standard error and, unless told otherwise, plans its restart.
 * False if one ended that will not be started again. */
bool up_nodes_reap(struct up_cluster *cluster, bool stopping);
/* Starts again what is due. */
void up_nodes_restart(struct up_cluster *cluster);
/* SIGTERM to all, SIGKILL after five seconds; returns when all are gone. */
void up_nodes_stop(struct up_cluster *cluster);
/* The last lines of a node's log, on standard error. */
void up_node_show_log(const struct up_cluster *cluster, const struct up_node *node);

#endif
