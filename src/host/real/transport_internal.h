/* What the files of the transport share: transport.c (dialling, listening, the turn), transport_peers.c (who there is)
 * and link.c (one connection). */
#ifndef LOCKSTEP_HOST_REAL_TRANSPORT_INTERNAL_H
#define LOCKSTEP_HOST_REAL_TRANSPORT_INTERNAL_H

#include <stdbool.h>

#include "host/real/socket.h"
#include "host/real/transport.h"

/* One TCP connection. It is a stranger until its greeting was read; then its peer owns it. */
struct link {
    uv_poll_t poll; /* first: libuv's callbacks get a pointer to it */
    struct transport *transport;
    struct link *next, **link_in; /* in transport->strangers */
    struct peer *peer;            /* dialled: who should answer; accepted: NULL until it has said who it is */
    int fd;
    int events; /* that the poll waits for */
    bool connecting, up, closed;
    int64_t deadline_ns; /* for connection and greeting */
    uint8_t greeting[NODE_GREETING_SIZE_MAX];
    size_t greeting_size, greeting_sent;
    uint8_t received[NODE_GREETING_SIZE_MAX];
    size_t received_size;
    char address[SOCKET_ADDRESS_TEXT_SIZE_MAX];
};

struct peer {
    struct transport *transport;
    uint32_t node;
    char *address; /* NULL: a client's, which is not needed */
    bool dialled;  /* by us */
    bool enrolled; /* by the directory, while the node ran */
    struct link *link;    /* that is up, or NULL */
    struct link *dialing; /* or NULL */
    uv_getaddrinfo_t resolve;
    bool resolving;
    uint32_t attempts; /* which of the addresses of a name comes next */
    int64_t dial_at_ns;
    int64_t backoff_ms;
    int64_t up_since_ns; /* of `link` */
    bool blocked; /* the socket takes no more: wait until it is writable */
    /* [0, taken) was given to the node, [taken, filled) is the beginning of a message. */
    uint8_t *buffer;
    size_t taken, filled;
    /* For the log: the last complaint and when it was made. */
    char complaint[256];
    int64_t complained_ns;
};

struct transport {
    uv_loop_t *loop;
    struct node *node;
    struct report *report;
    uint32_t self;
    bool client;
    struct peer **peers;
    uint32_t peer_count, peer_capacity;
    uint64_t followed; /* version of the directory */
    uv_poll_t listener;
    uv_timer_t timer;
    int listener_fd;
    struct link *strangers;
    uint32_t stranger_count;
    struct transport_counters counters;
    bool closing;
    char complaint[256];
    int64_t complained_ns;
};

/* ---- link.c ---- */

/* Takes over a connected (or connecting) socket and begins the greeting; closes it when that is not possible. */
struct link *link_open(struct transport *transport, int fd, struct peer *peer, const struct socket_address *address);
/* Closes and, later, frees it. The peer forgets it; the node is told if it was up. */
void link_close(struct link *link);
/* Asks for writability as well as readability, or no longer. */
void link_want_write(struct link *link, bool wanted);

/* ---- transport.c ---- */

/* The greeting was read: the link belongs to that peer now, replacing an older one. */
void peer_adopt(struct peer *peer, struct link *link, const struct greeting *greeting);
/* Its link is being closed: tells the node, and dials again if that is ours to do. */
void peer_unlinked(struct peer *peer);
/* A dialled connection has failed; another attempt follows. `why` is a sentence for the log. */
void peer_dial_failed(struct peer *peer, const char *why);
/* Makes sure that the timer fires at the next moment that matters. */
void transport_schedule(struct transport *transport);
/* Says it in the log, unless it was said within the last ten seconds. `peer` is NULL for a stranger. */
void transport_complain(struct transport *transport, struct peer *peer, const char *sentence);
/* Reads what the peer sent into its buffer and gives it to the node. */
void peer_read(struct peer *peer);

/* ---- transport_peers.c ---- */

/* NULL: there is no memory. */
struct peer *peer_new(struct transport *transport, const struct transport_peer *from);
void peer_free(struct peer *peer);
struct peer *peer_find(struct transport *transport, uint32_t node);
/* The directory enrols a client that has no place here yet: makes one. NULL: there is no room. */
struct peer *transport_enrolled(struct transport *transport, uint32_t node);

#endif
