/* Who there is to be connected with (transport.h): the nodes of the cluster from the start, its clients as the directory
 * enrols and expels them. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/real/transport_internal.h"

struct peer *peer_find(struct transport *transport, uint32_t node)
{
    for (uint32_t i = 0; i < transport->peer_count; i++)
        if (transport->peers[i]->node == node)
            return transport->peers[i];
    return NULL;
}

void peer_free(struct peer *peer)
{
    if (peer == NULL)
        return;
    free(peer->address);
    if (peer->buffer != NULL)
        munmap(peer->buffer, TRANSPORT_BUFFER_SIZE);
    free(peer);
}

struct peer *peer_new(struct transport *transport, const struct transport_peer *from)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return NULL;
    *peer = (struct peer){
        .transport = transport,
        .node = from->node,
        .address = from->address != NULL ? strdup(from->address) : NULL,
        .dialled = from->address != NULL && (transport->client || transport->self > from->node),
        .backoff_ms = TRANSPORT_DIAL_MIN_MS,
    };
    void *buffer = mmap(NULL, TRANSPORT_BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    peer->buffer = buffer != MAP_FAILED ? buffer : NULL;
    if (peer->buffer != NULL && (from->address == NULL || peer->address != NULL))
        return peer;
    peer_free(peer);
    return NULL;
}

struct peer *transport_enrolled(struct transport *transport, uint32_t node)
{
    if (transport->client || transport->peer_count == transport->peer_capacity)
        return NULL;
    struct peer *peer = peer_new(transport, &(struct transport_peer){.node = node});
    if (peer == NULL)
        return NULL;
    peer->enrolled = true;
    transport->peers[transport->peer_count++] = peer;
    return peer;
}

void transport_follow(struct transport *transport)
{
    const struct directory *directory = node_directory(transport->node);
    if (directory->version == transport->followed)
        return;
    transport->followed = directory->version;
    for (uint32_t i = transport->peer_count; i-- > 0;) {
        struct peer *peer = transport->peers[i];
        if (!peer->enrolled)
            continue;
        /* One that was enrolled again under another key has to greet again, too. */
        if (peer->link != NULL && !node_peer_welcome(transport->node, peer->node)) {
            report(transport->report, REPORT_NOTICE, "client %u was expelled", peer->node);
            link_close(peer->link);
        }
        if (directory_client(directory, peer->node) != NULL)
            continue;
        transport->peers[i] = transport->peers[--transport->peer_count];
        peer_free(peer);
    }
}
