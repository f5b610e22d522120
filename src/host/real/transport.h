/* Connections between nodes: one for each pair, dialled by the node with the higher id; with clients of the cluster,
 * (voting gateways), dialled by the client. Clients may come and go: who the node's directory enrols gets its place when
 * it connects, and loses it when it is expelled.
 *
 * Who dials greets, who was dialled answers by its own greeting; whoever does not belong here is named in one line of the
 * log, counted, told so and disconnected. A connection that comes while an older one from the same peer is still open replaces it: the peer knows
 * better than we do which of the two is alive. */
#ifndef LOCKSTEP_HOST_REAL_TRANSPORT_H
#define LOCKSTEP_HOST_REAL_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "host/real/report.h"
#include "node/node.h"

struct transport;

struct transport_peer {
    uint32_t node;
    const char *address; /* "host:port"; copied. NULL: a client, which dials */
};

struct transport_options {
    uv_loop_t *loop;
    struct node *node;
    struct report *report;
    uint32_t self;
    bool client;        /* it is no node of the cluster, and dials them all */
    const char *listen; /* "host:port"; borrowed for the call. NULL: nobody dials it */
    const struct transport_peer *peers; /* borrowed for the call */
    uint32_t peer_count;
};

enum {
    TRANSPORT_DIAL_MIN_MS = 20, /* between two attempts; doubles up to the next */
    TRANSPORT_DIAL_MAX_MS = 500, /* also after connections that were closed again within a second */
    TRANSPORT_GREETING_MS = 2000, /* a connection that has not greeted by then is closed */
    TRANSPORT_BUFFER_SIZE = 4 << 20,
    TRANSPORT_STRANGERS_MAX = 64, /* connections that have not greeted yet; more are closed at once */
};

struct transport_counters {
    uint64_t connected, lost, dials, refused; /* refused: greetings of strangers */
};

/* Listens, and begins to dial. 0, or a negative error with a sentence in `why`. */
int transport_create(struct transport **out, const struct transport_options *options, char *why, size_t why_size);
/* After node_turn: clients that were expelled are disconnected. */
void transport_follow(struct transport *transport);
/* After node_turn: the received bytes that the node has taken may go. */
void transport_compact(struct transport *transport);
/* One write to each peer that has something and can take it. */
void transport_flush(struct transport *transport);
const struct transport_counters *transport_counters(const struct transport *transport);
/* Closes everything. The loop must run once more before transport_free. */
void transport_close(struct transport *transport);
void transport_free(struct transport *transport);

#endif
