/* One connection between two nodes: connecting and the greeting (transport_internal.h). Once it is up, its bytes are
 * the peer's business.
 *
 * A stranger costs a fixed, small amount of memory and has two seconds to say who it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/panic.h"
#include "host/real/clock.h"
#include "host/real/transport_internal.h"

enum {
    UNACKNOWLEDGED_MS = 10000, /* bytes that a peer's machine has not acknowledged for that long: it is gone */
    IDLE_S = 10,
};

static void strangers_add(struct link *link)
{
    struct transport *transport = link->transport;
    link->next = transport->strangers;
    link->link_in = &transport->strangers;
    if (link->next != NULL)
        link->next->link_in = &link->next;
    transport->strangers = link;
    transport->stranger_count++;
}

static void strangers_remove(struct link *link)
{
    if (link->link_in == NULL)
        return;
    *link->link_in = link->next;
    if (link->next != NULL)
        link->next->link_in = link->link_in;
    link->link_in = NULL;
    link->transport->stranger_count--;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void link_close(struct link *link)
{
    if (link->closed)
        return;
    link->closed = true;
    strangers_remove(link);
    struct peer *peer = link->peer;
    if (peer != NULL && peer->dialing == link)
        peer->dialing = NULL;
    if (peer != NULL && peer->link == link)
        peer_unlinked(peer);
    uv_poll_stop(&link->poll);
    uv_close((uv_handle_t *)&link->poll, on_closed);
    close(link->fd);
}

/* A connection that did not come to be: says why, and dials again if it was ours to dial. */
static void link_fail(struct link *link, const char *why)
{
    struct transport *transport = link->transport;
    struct peer *dialled = link->peer != NULL && link->peer->dialing == link ? link->peer : NULL;
    if (dialled == NULL)
        transport_complain(transport, NULL, why);
    link_close(link);
    if (dialled != NULL)
        peer_dial_failed(dialled, why);
}

static void refuse(struct link *link, const char *why)
{
    char sentence[512];
    link->transport->counters.refused++;
    snprintf(sentence, sizeof sentence, "refused the connection with %s: %s", link->address, why);
    link_fail(link, sentence);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void events_set(struct link *link, int events)
{
    if (link->events == events)
        return;
    link->events = events;
    int status = uv_poll_start(&link->poll, events, on_poll);
    invariant(status == 0, "an open socket can be polled");
}

void link_want_write(struct link *link, bool wanted)
{
    events_set(link, UV_READABLE | (wanted ? UV_WRITABLE : 0));
}

/* Sends what is left of our greeting. */
static void greet(struct link *link)
{
    size_t rest = link->greeting_size - link->greeting_sent;
    ssize_t sent = send(link->fd, link->greeting + link->greeting_sent, rest, MSG_NOSIGNAL);
    bool failed = sent < 0 && errno != EAGAIN && errno != EINTR;
    if (sent > 0)
        link->greeting_sent += (size_t)sent;
    /* When it failed, reading tells why. */
    link_want_write(link, !failed && link->greeting_sent < link->greeting_size);
}

static void connected(struct link *link)
{
    int error = socket_error(link->fd);
    if (error != 0) {
        char sentence[512];
        snprintf(sentence, sizeof sentence, "cannot connect to node %u at %s: %s", link->peer->node,
                 link->peer->address, strerror(error));
        link_fail(link, sentence);
        return;
    }
    link->connecting = false;
    greet(link);
}

/* The greeting is whole: whose is it? */
static void greeted(struct link *link, const struct greeting *greeting, size_t size)
{
    struct transport *transport = link->transport;
    char sentence[256];
    struct peer *peer = peer_find(transport, greeting->node);
    if (peer == NULL && link->peer == NULL && directory_client(node_directory(transport->node), greeting->node) != NULL)
        peer = transport_enrolled(transport, greeting->node);
    if (peer == NULL || (link->peer != NULL && link->peer != peer)) {
        snprintf(sentence, sizeof sentence, "it is node %u, which is not %s; compare --peers on both", greeting->node,
                 link->peer != NULL ? "the one that should be at that address" : "one of this node's peers");
        refuse(link, sentence);
        return;
    }
    /* An accepted connection from a lower id would make two connections for one pair. */
    if (link->peer == NULL && peer->dialled) {
        snprintf(sentence, sizeof sentence, "node %u dialled a node with a higher id; compare --peers on both",
                 greeting->node);
        refuse(link, sentence);
        return;
    }
    if (TRANSPORT_BUFFER_SIZE - peer->filled < sizeof link->received) {
        refuse(link, "the bytes of its last connection are still being read");
        return;
    }
    strangers_remove(link);
    link->up = true;
    if (link->greeting_sent == link->greeting_size)
        link_want_write(link, false);
    peer_adopt(peer, link, greeting);
    /* What came after the greeting is the peer's. */
    size_t rest = link->received_size - size;
    memcpy(peer->buffer + peer->filled, link->received + size, rest);
    peer->filled += rest;
    peer_read(peer);
}

/* Who was dialled speaks second: so whoever is not known here is never connected, not even for a moment. */
static void answer_greeting(struct link *link, bool unknown)
{
    const struct node *node = link->transport->node;
    link->greeting_size = unknown ? node_greeting_refusal(node, link->greeting) : node_greeting(node, link->greeting);
    greet(link);
}

static void refuse_unknown(struct link *link, uint32_t node)
{
    char sentence[256];
    snprintf(sentence, sizeof sentence,
             "it is node %u, which is neither in this node's --peers nor enrolled; a gateway is enrolled by GROUP.ENROL %u "
             "at a node of the cluster", node, node);
    refuse(link, sentence);
}

/* The other side has said that it does not know us. */
static void unknown_there(struct link *link)
{
    struct transport *transport = link->transport;
    char sentence[512];
    transport->counters.refused++;
    if (transport->client)
        snprintf(sentence, sizeof sentence,
                 "node %u at %s refuses this gateway, because %u is not enrolled: enrol it by GROUP.ENROL %u at a node of "
                 "the cluster, with what `lockstep keys show` prints where there are keys", link->peer->node,
                 link->address, transport->self, transport->self);
    else
        snprintf(sentence, sizeof sentence, "node %u at %s refuses this node, because %u is none of its peers; compare "
                 "--peers on both", link->peer->node, link->address, transport->self);
    link_fail(link, sentence);
}

static void read_greeting(struct link *link)
{
    size_t room = sizeof link->received - link->received_size;
    ssize_t count = recv(link->fd, link->received + link->received_size, room, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        char sentence[512];
        snprintf(sentence, sizeof sentence, "the connection with %s was closed before its greeting%s%s", link->address,
                 count < 0 ? ": " : "", count < 0 ? strerror(errno) : "");
        link_fail(link, sentence);
        return;
    }
    link->received_size += (size_t)count;
    struct greeting greeting;
    char why[256] = "its greeting makes no sense";
    int64_t size = node_greeting_read(link->transport->node, span_of(link->received, link->received_size), &greeting,
                                      why, sizeof why);
    if (size == 0 && link->received_size == sizeof link->received)
        refuse(link, "its greeting is too long");
    if (size == 0)
        return;
    if (link->peer == NULL)
        answer_greeting(link, size == ERROR_WRONG_NODE);
    if (size > 0)
        greeted(link, &greeting, (size_t)size);
    else if (size == ERROR_WRONG_NODE)
        refuse_unknown(link, greeting.node);
    else if (size == ERROR_PERMISSION && link->peer != NULL)
        unknown_there(link);
    else
        refuse(link, why);
}

static void on_events(struct link *link, int events)
{
    if (link->connecting && (events & UV_WRITABLE) != 0) {
        connected(link);
        return;
    }
    if ((events & UV_WRITABLE) != 0) {
        if (link->greeting_sent < link->greeting_size) {
            greet(link);
        } else if (link->up) {
            link->peer->blocked = false; /* the turn that follows writes */
            link_want_write(link, false);
        }
    }
    if ((events & UV_READABLE) == 0 || link->connecting)
        return;
    if (link->up)
        peer_read(link->peer);
    else
        read_greeting(link);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *link = (struct link *)poll;
    if (link->closed)
        return;
    if (status < 0) {
        /* libuv has stopped the handle; the socket itself tells what is wrong when it is read. */
        link->events = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    on_events(link, events);
    if (!link->closed && link->events == 0)
        events_set(link, link->connecting ? UV_WRITABLE : UV_READABLE);
}

struct link *link_open(struct transport *transport, int fd, struct peer *peer, const struct socket_address *address)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL || uv_poll_init(transport->loop, &link->poll, fd) != 0) {
        free(link);
        close(fd);
        return NULL;
    }
    socket_watch(fd, UNACKNOWLEDGED_MS, IDLE_S);
    link->transport = transport;
    link->fd = fd;
    link->peer = peer;
    link->connecting = peer != NULL;
    link->deadline_ns = clock_monotone_ns() + TRANSPORT_GREETING_MS * NS_PER_MS;
    socket_address_print(address, link->address, sizeof link->address);
    strangers_add(link);
    if (peer != NULL) {
        peer->dialing = link;
        link->greeting_size = node_greeting(transport->node, link->greeting);
    }
    events_set(link, peer != NULL ? UV_WRITABLE : UV_READABLE);
    transport_schedule(transport);
    return link;
}
