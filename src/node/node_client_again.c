/* Clients' requests that the protocol gave back (REPLY_AGAIN): a leader that has too much under way, say.
 *
 * They are handed in again after a moment, in their order, as those of the own node are; what comes from the same client
 * meanwhile waits behind them. Else each of them would wait for its client's patience to end, and those behind it for
 * nothing, since sessions are first-in first-out. The room is bounded, and what gets over the bound is dropped, as if it
 * were lost. */
#include "base/panic.h"
#include "base/time.h"
#include "node/node_internal.h"

enum { KEPT_MAX = 64, KEPT_OF_CLIENT_MAX = 16, AGAIN_DELAY_MS = 10 };
static const size_t KEPT_BYTES_MAX = (size_t)4 << 20;

static void read_header(const struct given_back *kept, struct bundle *out)
{
    bundle_header_read(kept->bundle.data, out);
}

bool member_client_waits(const struct member *member, const struct bundle *bundle)
{
    const struct clients *clients = &member->clients;
    for (uint32_t i = 0; i < clients->kept_count; i++) {
        struct bundle other;
        read_header(&clients->kept[i], &other);
        if (other.node == bundle->node && other.incarnation == bundle->incarnation) return true;
    }
    return false;
}

static bool has_room(const struct clients *clients, const struct bundle *bundle, size_t size)
{
    uint32_t own = 0;
    for (uint32_t i = 0; i < clients->kept_count; i++) {
        struct bundle other;
        read_header(&clients->kept[i], &other);
        own += other.node == bundle->node;
        bool same = other.node == bundle->node && other.incarnation == bundle->incarnation;
        if (same && other.first_number == bundle->first_number) return false; /* it is there already */
    }
    return clients->kept_count < KEPT_MAX && own < KEPT_OF_CLIENT_MAX && size <= KEPT_BYTES_MAX - clients->kept_bytes;
}

void member_client_keep(struct member *member, const struct bundle *bundle, struct span bytes)
{
    struct clients *clients = &member->clients;
    if (!has_room(clients, bundle, bytes.size)) return;
    if (clients->kept == NULL) clients->kept = heap_alloc_zero(member->node->heap, KEPT_MAX * sizeof *clients->kept);
    if (clients->kept == NULL) return;
    struct given_back *kept = &clients->kept[clients->kept_count];
    buffer_init(&kept->bundle, member->node->heap);
    if (!buffer_append(&kept->bundle, bytes.data, bytes.size)) return;
    clients->kept_count++;
    clients->kept_bytes += bytes.size;
    if (clients->again_at_ns == INT64_MAX)
        clients->again_at_ns = member->node->now_ns + AGAIN_DELAY_MS * NS_PER_MS;
}

/* It may have been executed meanwhile, or its client be gone. */
static void hand_in_again(struct member *member, const struct given_back *kept)
{
    struct bundle bundle;
    read_header(kept, &bundle);
    const struct peer *client = member_client(member, bundle.node, bundle.incarnation);
    if (client != NULL) member_client_request(member, client, &bundle, buffer_span(&kept->bundle));
}

void member_clients_turn(struct member *member)
{
    struct clients *clients = &member->clients;
    if (clients->again_at_ns > member->node->now_ns || member->adopting.phase != ADOPT_NONE) return;
    clients->again_at_ns = INT64_MAX;
    /* What is given back once more goes to the end of a new list, in the same order. */
    struct given_back *list = clients->kept;
    uint32_t count = clients->kept_count;
    clients->kept = NULL;
    clients->kept_count = 0;
    clients->kept_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        hand_in_again(member, &list[i]);
        buffer_free(&list[i].bundle);
    }
    heap_free(member->node->heap, list);
}

void member_client_again_free(struct member *member)
{
    struct clients *clients = &member->clients;
    for (uint32_t i = 0; i < clients->kept_count; i++) buffer_free(&clients->kept[i].bundle);
    heap_free(member->node->heap, clients->kept);
}
