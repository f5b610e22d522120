/* Connections between nodes (transport.h): dialling, listening, and the two ends of a turn.
 *
 * Received bytes lie in one buffer a peer and stay in place until the turn is over, because the node borrows them; so
 * they are moved to the front only by transport_compact. */
#include "host/real/transport.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "host/real/clock.h"
#include "host/real/transport_internal.h"

enum {
    ACCEPTED_PER_TURN_MAX = 16,
    READS_PER_TURN_MAX = 4,
    FLUSH_BYTES_MAX = 8 << 20, /* to one peer in one turn: the others and the clients wait meanwhile */
    RESOLVED_MAX = 64, /* addresses of one name that are tried in turn */
    COMPLAINT_INTERVAL_S = 10,
};

static const int64_t STEADY_NS = NS_PER_S; /* a connection that stood that long was a good one */

void transport_complain(struct transport *transport, struct peer *peer, const char *sentence)
{
    char *last = peer != NULL ? peer->complaint : transport->complaint;
    int64_t *when_ns = peer != NULL ? &peer->complained_ns : &transport->complained_ns;
    int64_t now_ns = clock_monotone_ns();
    bool same = strncmp(last, sentence, sizeof transport->complaint - 1) == 0;
    bool recent = *when_ns != 0 && now_ns - *when_ns < COMPLAINT_INTERVAL_S * NS_PER_S;
    /* A stranger chooses what it makes us say, so another sentence from one is no reason to say it sooner. */
    if (recent && (same || peer == NULL))
        return;
    snprintf(last, sizeof transport->complaint, "%s", sentence);
    *when_ns = now_ns;
    report(transport->report, REPORT_WARNING, "%s", sentence);
}

/* ---- receiving ---- */

/* Gives the node what is there; false when the peer broke the protocol and its link is closed. */
static bool peer_give(struct peer *peer)
{
    int64_t taken = node_receive(peer->transport->node, peer->node, peer->buffer + peer->taken,
                                 peer->filled - peer->taken);
    if (taken >= 0) {
        peer->taken += (size_t)taken;
        return true;
    }
    char sentence[256];
    snprintf(sentence, sizeof sentence, "closed the connection with node %u at %s: it sent what is no message (%s)",
             peer->node, peer->link->address, error_text((int)taken));
    transport_complain(peer->transport, peer, sentence);
    link_close(peer->link);
    return false;
}

static void peer_lost(struct peer *peer, const char *why)
{
    report(peer->transport->report, REPORT_WARNING, "lost the connection with node %u: %s", peer->node, why);
    link_close(peer->link);
}

void peer_read(struct peer *peer)
{
    if (peer->taken < peer->filled && !peer_give(peer))
        return;
    for (int i = 0; i < READS_PER_TURN_MAX; i++) {
        size_t room = TRANSPORT_BUFFER_SIZE - peer->filled;
        if (room == 0)
            return; /* after the turn there is room again */
        ssize_t count = recv(peer->link->fd, peer->buffer + peer->filled, room, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count <= 0) {
            peer_lost(peer, count == 0 ? "it was closed by the other side" : strerror(errno));
            return;
        }
        peer->filled += (size_t)count;
        if (!peer_give(peer) || (size_t)count < room)
            return;
    }
}

void transport_compact(struct transport *transport)
{
    for (uint32_t i = 0; i < transport->peer_count; i++) {
        struct peer *peer = transport->peers[i];
        if (peer->taken == 0)
            continue;
        memmove(peer->buffer, peer->buffer + peer->taken, peer->filled - peer->taken);
        peer->filled -= peer->taken;
        peer->taken = 0;
    }
}

/* ---- sending ---- */

/* Sends until the socket takes no more. A large message is laid out a few fragments at a time, so this goes round. */
static void peer_flush(struct peer *peer)
{
    struct node *node = peer->transport->node;
    size_t budget = FLUSH_BYTES_MAX;
    for (;;) {
        struct span output = node_output(node, peer->node);
        if (output.size == 0)
            return;
        ssize_t sent = send(peer->link->fd, output.data, output.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            peer_lost(peer, strerror(errno));
            return;
        }
        if (sent > 0)
            node_output_sent(node, peer->node, (size_t)sent);
        bool full = sent < 0 || (size_t)sent < output.size;
        if (full || output.size >= budget) {
            peer->blocked = true;
            link_want_write(peer->link, true);
            return;
        }
        budget -= output.size;
    }
}

void transport_flush(struct transport *transport)
{
    for (uint32_t i = 0; i < transport->peer_count; i++) {
        struct peer *peer = transport->peers[i];
        /* Messages must not go out before the rest of the greeting. */
        if (peer->link != NULL && !peer->blocked && peer->link->greeting_sent == peer->link->greeting_size)
            peer_flush(peer);
    }
}

/* ---- peers ---- */

void peer_adopt(struct peer *peer, struct link *link, const struct greeting *greeting)
{
    struct transport *transport = peer->transport;
    if (peer->link != NULL) {
        /* Not a loss: the node learns of the new connection in the same breath. */
        struct link *old = peer->link;
        peer->link = NULL;
        old->peer = NULL;
        link_close(old);
    }
    if (peer->dialing == link)
        peer->dialing = NULL;
    link->peer = peer;
    peer->link = link;
    peer->blocked = false;
    peer->up_since_ns = clock_monotone_ns();
    peer->attempts = peer->attempts > 0 ? peer->attempts - 1 : 0; /* this address was a good one */
    peer->complaint[0] = '\0';
    /* What the old connection left incomplete is void; the node may still be reading what it completed. */
    peer->taken = peer->filled;
    transport->counters.connected++;
    report(transport->report, REPORT_NOTICE, "connected with node %u at %s", peer->node, link->address);
    node_peer_connected(transport->node, peer->node, greeting->incarnation, greeting->client_address);
}

/* Each attempt in a row waits twice as long as the one before. A connection that is gone at once is such an attempt, too:
 * else one that is closed as soon as it is there would be dialled without a pause. */
static void dial_later(struct peer *peer, bool was_steady)
{
    if (was_steady)
        peer->backoff_ms = TRANSPORT_DIAL_MIN_MS;
    peer->dial_at_ns = clock_monotone_ns() + peer->backoff_ms * NS_PER_MS;
    peer->backoff_ms = peer->backoff_ms * 2 < TRANSPORT_DIAL_MAX_MS ? peer->backoff_ms * 2 : TRANSPORT_DIAL_MAX_MS;
}

void peer_unlinked(struct peer *peer)
{
    struct transport *transport = peer->transport;
    peer->link = NULL;
    peer->blocked = false;
    dial_later(peer, clock_monotone_ns() - peer->up_since_ns >= STEADY_NS);
    transport->counters.lost++;
    transport_schedule(transport);
    if (!transport->closing)
        node_peer_lost(transport->node, peer->node);
}

void peer_dial_failed(struct peer *peer, const char *why)
{
    transport_complain(peer->transport, peer, why);
    dial_later(peer, false);
    transport_schedule(peer->transport);
}

static void dial_address(struct peer *peer, const struct socket_address *address)
{
    char sentence[512];
    peer->transport->counters.dials++;
    int fd = socket_dial(address);
    if (fd < 0) {
        snprintf(sentence, sizeof sentence, "cannot connect to node %u at %s: %s", peer->node, peer->address,
                 strerror(errno));
        peer_dial_failed(peer, sentence);
    } else if (link_open(peer->transport, fd, peer, address) == NULL) {
        peer_dial_failed(peer, "there is no memory for a connection");
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct peer *peer = request->data;
    peer->resolving = false;
    if (peer->transport->closing) {
        uv_freeaddrinfo(found);
        return;
    }
    if (status != 0) {
        char sentence[512];
        snprintf(sentence, sizeof sentence, "the host of node %u at %s cannot be resolved: %s", peer->node,
                 peer->address, uv_strerror(status));
        peer_dial_failed(peer, sentence);
        return;
    }
    /* A name may have several addresses, and not all of them may lead to the peer: each attempt takes the next. */
    const struct addrinfo *chosen = found;
    peer->attempts = (peer->attempts + 1) % RESOLVED_MAX;
    for (uint32_t i = peer->attempts; i > 1; i--)
        chosen = chosen->ai_next != NULL ? chosen->ai_next : found;
    struct socket_address address = {.size = chosen->ai_addrlen};
    memcpy(&address.storage, chosen->ai_addr, chosen->ai_addrlen);
    uv_freeaddrinfo(found);
    dial_address(peer, &address);
}

static void dial(struct peer *peer)
{
    struct socket_address address;
    char why[256];
    if (socket_address_parse(peer->address, &address, why, sizeof why) == OK) {
        dial_address(peer, &address);
        return;
    }
    char host[SOCKET_HOST_SIZE_MAX], port[SOCKET_PORT_SIZE_MAX];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    if (socket_address_split(peer->address, host, port, why, sizeof why) != OK) {
        peer_dial_failed(peer, why);
        return;
    }
    peer->resolve.data = peer;
    peer->resolving =
        uv_getaddrinfo(peer->transport->loop, &peer->resolve, on_resolved, host, port, &hints) == 0;
    if (!peer->resolving)
        peer_dial_failed(peer, "the resolver does not take requests");
}

/* ---- time ---- */

static bool peer_must_dial(const struct peer *peer)
{
    return peer->dialled && peer->link == NULL && peer->dialing == NULL && !peer->resolving;
}

static void expire_strangers(struct transport *transport, int64_t now_ns)
{
    for (struct link *link = transport->strangers, *next; link != NULL; link = next) {
        next = link->next;
        if (link->deadline_ns > now_ns)
            continue;
        char sentence[512];
        struct peer *peer = link->peer;
        snprintf(sentence, sizeof sentence, "%s did not greet within %d ms", link->address, TRANSPORT_GREETING_MS);
        link_close(link);
        if (peer != NULL)
            peer_dial_failed(peer, sentence);
        else
            transport_complain(transport, NULL, sentence);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct transport *transport = timer->data;
    int64_t now_ns = clock_monotone_ns();
    expire_strangers(transport, now_ns);
    for (uint32_t i = 0; i < transport->peer_count; i++)
        if (peer_must_dial(transport->peers[i]) && transport->peers[i]->dial_at_ns <= now_ns)
            dial(transport->peers[i]);
    transport_schedule(transport);
}

void transport_schedule(struct transport *transport)
{
    if (transport->closing)
        return;
    int64_t at_ns = INT64_MAX;
    for (const struct link *link = transport->strangers; link != NULL; link = link->next)
        at_ns = link->deadline_ns < at_ns ? link->deadline_ns : at_ns;
    for (uint32_t i = 0; i < transport->peer_count; i++)
        if (peer_must_dial(transport->peers[i]) && transport->peers[i]->dial_at_ns < at_ns)
            at_ns = transport->peers[i]->dial_at_ns;
    if (at_ns == INT64_MAX) {
        uv_timer_stop(&transport->timer);
        return;
    }
    int64_t wait_ns = at_ns - clock_monotone_ns();
    uint64_t wait_ms = wait_ns > 0 ? (uint64_t)((wait_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
    uv_timer_start(&transport->timer, on_timer, wait_ms, 0);
}

/* ---- listening ---- */

static void on_listener(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct transport *transport = poll->data;
    for (int i = 0; i < ACCEPTED_PER_TURN_MAX; i++) {
        struct socket_address from;
        int fd = socket_accept(transport->listener_fd, &from);
        if (fd < 0)
            return;
        if (transport->stranger_count >= TRANSPORT_STRANGERS_MAX) {
            close(fd);
            transport_complain(transport, NULL, "too many connections on the peers' port have not greeted yet");
            continue;
        }
        (void)link_open(transport, fd, NULL, &from);
    }
}

static int start_listening(struct transport *transport, const char *listen_text, char *why, size_t why_size)
{
    struct socket_address address;
    int status = socket_address_resolve(listen_text, &address, why, why_size);
    if (status != OK)
        return status;
    transport->listener_fd = socket_listen(&address);
    if (transport->listener_fd < 0) {
        if (errno == EADDRINUSE)
            snprintf(why, why_size,
                     "port %u of %s, for the other nodes, is in use; stop the process that has it, or choose another "
                     "--peer-listen (and name it in every node's --peers)",
                     socket_address_port(&address), listen_text);
        else
            snprintf(why, why_size, "cannot listen on %s for the other nodes: %s", listen_text, strerror(errno));
        return ERROR_BUSY;
    }
    if (uv_poll_init(transport->loop, &transport->listener, transport->listener_fd) != 0)
        return ERROR_IO;
    transport->listener.data = transport;
    uv_poll_start(&transport->listener, UV_READABLE, on_listener);
    return OK;
}

/* ---- all of it ---- */

int transport_create(struct transport **out, const struct transport_options *options, char *why, size_t why_size)
{
    uint32_t capacity = options->peer_count + (options->client ? 0 : DIRECTORY_CLIENTS_MAX);
    struct transport *transport = calloc(1, sizeof *transport);
    struct peer **peers = calloc(capacity + 1, sizeof(struct peer *));
    if (transport == NULL || peers == NULL) {
        free(transport);
        free(peers);
        return ERROR_NO_MEMORY;
    }
    *transport = (struct transport){
        .loop = options->loop,
        .node = options->node,
        .report = options->report,
        .self = options->self,
        .client = options->client,
        .peers = peers,
        .peer_capacity = capacity,
        .listener_fd = -1,
    };
    int status = OK;
    for (uint32_t i = 0; i < options->peer_count && status == OK; i++) {
        peers[i] = peer_new(transport, &options->peers[i]);
        transport->peer_count += peers[i] != NULL;
        status = peers[i] != NULL ? OK : ERROR_NO_MEMORY;
    }
    if (status == OK && !options->client && options->listen != NULL)
        status = start_listening(transport, options->listen, why, why_size);
    if (status != OK) {
        if (transport->listener_fd >= 0)
            close(transport->listener_fd);
        transport_free(transport);
        return status;
    }
    uv_timer_init(transport->loop, &transport->timer);
    transport->timer.data = transport;
    transport_schedule(transport);
    *out = transport;
    return OK;
}

const struct transport_counters *transport_counters(const struct transport *transport)
{
    return &transport->counters;
}

void transport_close(struct transport *transport)
{
    transport->closing = true;
    uv_close((uv_handle_t *)&transport->timer, NULL);
    if (transport->listener_fd >= 0) {
        uv_poll_stop(&transport->listener);
        uv_close((uv_handle_t *)&transport->listener, NULL);
        close(transport->listener_fd);
    }
    while (transport->strangers != NULL)
        link_close(transport->strangers);
    for (uint32_t i = 0; i < transport->peer_count; i++) {
        if (transport->peers[i]->link != NULL)
            link_close(transport->peers[i]->link);
        if (transport->peers[i]->resolving)
            (void)uv_cancel((uv_req_t *)&transport->peers[i]->resolve);
    }
}

void transport_free(struct transport *transport)
{
    for (uint32_t i = 0; i < transport->peer_count; i++)
        peer_free(transport->peers[i]);
    free(transport->peers);
    free(transport);
}
