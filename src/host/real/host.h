/* The real host: one node with its sockets, its disk and its clocks, on one loop.
 *
 * A turn is what node/node.h prescribes: libuv's callbacks only gather inputs; after each poll the node is stepped once
 * for all of them, peers are written first, then clients, then the disk is begun. */
#ifndef LOCKSTEP_HOST_REAL_HOST_H
#define LOCKSTEP_HOST_REAL_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "front/front.h"
#include "host/real/clients.h"
#include "host/real/report.h"
#include "node/node.h"

struct real_host;

struct host_options {
    bool gateway;             /* no node of the cluster but a client of all its nodes, which `peers` names */
    uint32_t id;
    const char *listen;       /* "host:port" for clients; NULL: no socket for clients */
    const char *advertise;    /* address that clients elsewhere reach this node at; NULL: the same */
    const char *peer_listen;  /* "host:port" for the other nodes; NULL: the host of `listen`, its port + 10000 */
    const char *peers;        /* all nodes of the cluster (members.h); NULL or "": a cluster of one */
    const char *data;         /* data directory */
    const char *cluster_name;
    const char *protocol;     /* by which the nodes agree; the same on all of them */
    uint32_t vote;            /* gateway: answers that are compared, where the protocol masks crashes alone; else 0 */
    const char *keys;         /* directory of keys (proof_sodium.h); NULL or "": DATA/keys */
    bool signatures;          /* prove messages by signatures rather than MACs; the same on all nodes */
    const char *clients;      /* "101,102": gateways that are enrolled from the start; NULL or "": none */
    const char *adversary;    /* script of a node that lies (adversary.h); builds for tests only; NULL: none */
    const char *config_file;  /* only to be shown; NULL: none */
    const char *record;       /* directory for recordings (record_file.h); NULL: none */
    const char *build;        /* what a recording calls this program; NULL: nothing; borrowed */
    bool init;                /* this is a new node of a new cluster */
    bool lab;                 /* groups may be created with protocols of lab maturity */
    bool protected_mode;      /* only loopback addresses are listened on */
    int64_t request_timeout_ns, heartbeat_ns, election_timeout_ns;
    uint64_t segment_bytes;
    uint64_t value_bytes_max;
    uint64_t memory_bytes_max; /* of data, by the service's own accounting; 0: no limit */
    uint64_t disk_inline_bytes_max;
    int64_t disk_slow_ns;
    uint32_t clients_max;
    const struct front_parameter *parameters; /* for CONFIG GET; borrowed */
    uint32_t parameter_count;
    void (*log)(void *context, enum report_level level, const char *sentence); /* NULL: standard error */
    void *log_context;
};

/* Those of production; `data` and `listen` are NULL. */
void host_options_default(struct host_options *out);

/* Could that many nodes agree by that protocol, with or without signatures? 0, or a negative error with a sentence in
 * `why`, as real_host_create would say it. */
int real_host_check_protocol(const char *protocol, uint32_t node_count, bool signatures, char *why, size_t why_size);

/* Starts everything. Texts are copied. 0, or a negative error with a sentence in `why` that says what happened, to
 * what, and what to do. */
int real_host_create(struct real_host **out, const struct host_options *options, char *why, size_t why_size);

/* Runs until real_host_stop and everything has gone out, or the node fails. 0, or 1 after a failure, which is in the
 * log. */
int real_host_run(struct real_host *host);
/* Waits at most that long for something to happen, and handles it. False: it has stopped. */
bool real_host_run_once(struct real_host *host, int timeout_ms);
/* Stops cleanly: no new connections and requests, answers of the present ones are waited for, for up to a second. */
void real_host_stop(struct real_host *host);
/* Handles SIGINT and SIGTERM by real_host_stop. */
int real_host_handle_signals(struct real_host *host);
/* Why the node had to stop, or NULL. */
const char *real_host_failure(const struct real_host *host);
void real_host_destroy(struct real_host *host);

/* Calls turn at the end of the present pass, although nothing arrived from outside: a request came from within. */
void real_host_wake(struct real_host *host);

struct node *real_host_node(const struct real_host *host);
struct front *real_host_front(const struct real_host *host);
uv_loop_t *real_host_loop(const struct real_host *host);

#endif
