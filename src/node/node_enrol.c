/* Clients that the directory enrols and expels (service/directory/directory.h).
 *
 * Each has a slot among the peers, behind those of the options, and its key is known to the door of proofs, from the
 * moment at which the node has noted the directory that lists it; a restart enrols those of the note before anything is
 * received. Who is expelled, or enrolled again under another key, loses slot, key and connection. */
#include <string.h>

#include "node/node_internal.h"

static void proofs_enrol(const struct node *node, uint32_t client, const uint8_t *key)
{
    const struct proof_door *proofs = &node->options->proofs;
    if (proofs->enrol != NULL) proofs->enrol(proofs->context, client, key);
}

static bool stays(const struct node *node, const struct peer *peer)
{
    const struct directory_client *client = directory_client(&node->directory, peer->id);
    return client != NULL && memcmp(client->key, peer->key, sizeof peer->key) == 0;
}

static void expel(struct node *node, struct peer *peer)
{
    if (peer->keyed) proofs_enrol(node, peer->id, NULL);
    node_peer_forget(node, peer);
    peer->id = 0; /* the slot is free; messages of this turn that name it are dropped */
}

/* A free slot, with whatever its former holder left undone; never missing, since there are as many as a directory lists
 * clients. */
static void enrol(struct node *node, const struct directory_client *client)
{
    for (uint32_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->id != 0) continue;
        struct buffer out = peer->out;
        *peer = (struct peer){.id = client->node, .client = true, .enrolled = true, .out = out};
        memcpy(peer->key, client->key, sizeof peer->key);
        peer->keyed = directory_client_has_key(client);
        if (peer->keyed) proofs_enrol(node, client->node, client->key);
        return;
    }
}

void node_enrol_clients(struct node *node)
{
    for (uint32_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->id != 0 && peer->enrolled && !stays(node, peer)) expel(node, peer);
    }
    /* One that the options name already keeps the key that it has from there. */
    for (uint32_t i = 0; i < node->directory.client_count; i++)
        if (node_peer_of(node, node->directory.clients[i].node) == NULL) enrol(node, &node->directory.clients[i]);
}

bool node_peer_welcome(const struct node *node, uint32_t id)
{
    const struct peer *peer = node_peer_of(node, id);
    return peer != NULL && peer->connected;
}
