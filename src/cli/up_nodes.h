/* The child processes of `lockstep up`: one `lockstep server` for each node of a local cluster, and where its nodes may
 * lie, one `lockstep gateway`, whose number follows theirs. */
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
    struct up_node nodes[UP_NODES_MAX + 1]; /* the gateway, if there is one, behind them */
    int count;        /* of nodes */
    bool gateway;
    int port;         /* of the gateway, else of the first node */
    bool init;        /* the data root is new */
    bool restart;
    const char *data; /* root */
    bool signatures;  /* rather than MACs */
    const char *protocol; /* by which the nodes agree; NULL: as `lockstep server` by itself */
    char *program;    /* path of this program */
};

/* The nodes, and the gateway. */
int up_process_count(const struct up_cluster *cluster);
/* "node" or "gateway". */
const char *up_process_kind(const struct up_cluster *cluster, const struct up_node *node);
/* Of a node's clients, by its place. */
int up_node_port(const struct up_cluster *cluster, int place);
/* Starts the process, its log appended to DATA/node-ID.log or DATA/gateway-ID.log. False: `why` says what happened. */
bool up_node_start(struct up_cluster *cluster, struct up_node *node, char *why, size_t why_size);
/* Collects processes that have ended: reports each on standard error and, unless told otherwise, plans its restart.
 * False if one ended that will not be started again. */
bool up_nodes_reap(struct up_cluster *cluster, bool stopping);
/* Starts again what is due. */
void up_nodes_restart(struct up_cluster *cluster);
/* SIGTERM to all, SIGKILL after five seconds; returns when all are gone. */
void up_nodes_stop(struct up_cluster *cluster);
/* The last line of its log. */
void up_node_last_words(const struct up_cluster *cluster, const struct up_node *node, char *out, size_t size);

#endif
