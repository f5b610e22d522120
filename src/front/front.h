/* The front: client connections that speak RESP, free of I/O.
 *
 * A host gives it the bytes that arrive on a connection and takes the bytes to be sent. It parses commands, answers
 * those that need no service, hands the others to the node, and keeps each connection's answers in the order of its
 * requests. The simulated clients of the world come in through the same functions as real sockets.
 *
 * Order on one connection. Updates go through the log. Reads normally need no log entry; but a read that comes while an
 * update of the same connection is unanswered goes through the log behind it, and an update that comes while a read is
 * unanswered waits for it. So requests of a connection take effect in the order sent, and a pipeline never stalls
 * longer than its reads. */
#ifndef LOCKSTEP_FRONT_FRONT_H
#define LOCKSTEP_FRONT_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "node/node.h"

struct front;
struct connection;

/* A parameter of CONFIG GET and SET that somebody else owns (the host's options). */
struct front_parameter {
    const char *name;
    void *context;
    /* Prints the value; returns its length. */
    size_t (*get)(void *context, const char *name, char *out, size_t size);
    /* NULL: cannot be changed while running. False: `why` says why not. */
    bool (*set)(void *context, const char *name, struct span value, char *why, size_t why_size);
};

struct front_options {
    uint32_t clients_max;          /* 10000 */
    uint64_t value_bytes_max;      /* of one argument; 64 MiB */
    uint64_t query_bytes_max;      /* of one command; value_bytes_max + 1 MiB */
    uint64_t output_bytes_max;     /* unsent answers of one connection; over it the connection is closed */
    uint32_t pipeline_max;         /* unanswered requests of one connection; over it it is not read */
    uint32_t tcp_port;             /* for INFO */
    uint32_t process_id;
    bool lab;                      /* GROUP.CREATE takes protocols of lab maturity */
    const char *config_file;
    const char *cluster_name;      /* for INFO and LOCKSTEP STATUS; may be NULL */
    const char *client_address;    /* of this node, "127.0.0.1:7001"; may be NULL */
    const struct front_parameter *parameters;
    uint32_t parameter_count;
    uint64_t seed;
    int64_t now_ns, wall_ns;
};
void front_options_default(struct front_options *out);

struct front *front_create(struct heap *heap, struct node *node, const struct front_options *options);
void front_destroy(struct front *front);

/* A new connection; `peer` is its address for CLIENT LIST. NULL: there are clients_max (the host writes
 * front_full_error and closes). `host_data` comes back from connection_host_data. */
struct connection *front_accept(struct front *front, const char *peer, const char *local, void *host_data);
extern const char front_full_error[];
void *connection_host_data(const struct connection *connection);

/* Bytes have arrived. They are consumed or kept; the caller's buffer is free afterwards. */
void front_receive(struct front *front, struct connection *connection, const uint8_t *bytes, size_t size);
/* False: do not read from this connection now; front_turn may change that (see front_next_resumed). */
bool connection_wants_read(const struct connection *connection);

/* Bytes to be sent. */
struct span connection_output(struct connection *connection);
void connection_output_sent(struct connection *connection, size_t size);
/* True: close it once its output is sent. */
bool connection_closing(const struct connection *connection);
/* The connection is gone (closed by either side); its memory is freed when its last answer has come. */
void front_disconnected(struct front *front, struct connection *connection);

/* After node_turn: time-outs, connections that waited for room or order go on. Returns true if it handed requests to
 * the node (node_turn must be called again). */
bool front_turn(struct front *front, int64_t now_ns, int64_t wall_ns);
/* Monotone time at which front_turn must be called at the latest; INT64_MAX: none. */
int64_t front_next_timer_ns(const struct front *front);

/* Takes the next connection that has output to send or must be closed; NULL at the end. Each is given once per change. */
struct connection *front_next_ready(struct front *front);
/* Takes the next connection that may be read again after it was refused. */
struct connection *front_next_resumed(struct front *front);

struct front_counters {
    uint64_t connections, commands, protocol_errors, bytes_in, bytes_out, refused_connections, closed_slow;
    uint32_t clients;
};
const struct front_counters *front_counters(const struct front *front);

#endif
