/* Faults that a node or a link has for a while: omissions, too little bandwidth, messages that come too early.
 *
 * An omission never invents or changes anything: it takes a message out, whole. A narrow link keeps the order: what is
 * sent waits until all that was sent before has left, so a burst comes later and later, as behind a full buffer. */
#include <string.h>

#include "base/hash.h"
#include "base/panic.h"
#include "base/time.h"
#include "host/world/world_network.h"

enum { BACKLOG_NS_MAX = 2 * NS_PER_S }; /* what the buffer of a narrow link holds; more is lost */

static void note_omitting(struct network_illness *illness, uint32_t place)
{
    uint64_t bit = UINT64_C(1) << place;
    bool any = illness->omit_send_permille[place] > 0 || illness->omit_receive_permille[place] > 0;
    illness->omitting = any ? illness->omitting | bit : illness->omitting & ~bit;
}

void network_omit_send(struct network *network, uint32_t place, uint32_t permille, uint64_t draw)
{
    network->illness.omit_send_permille[place] = permille;
    network->illness.omit_send_draw[place] = draw;
    note_omitting(&network->illness, place);
}

void network_omit_receive(struct network *network, uint32_t place, uint32_t permille, uint64_t draw)
{
    network->illness.omit_receive_permille[place] = permille;
    network->illness.omit_receive_draw[place] = draw;
    note_omitting(&network->illness, place);
}

static bool strikes(uint64_t draw, uint32_t other, uint64_t number, uint32_t permille)
{
    return permille > 0 && hash_mix(draw, (uint64_t)other << 48 ^ number) % 1000 < permille;
}

bool network_omits(struct network *network, uint32_t from, uint32_t to, uint64_t number)
{
    struct network_illness *illness = &network->illness;
    bool sender = strikes(illness->omit_send_draw[from], to, number, illness->omit_send_permille[from]);
    bool receiver = strikes(illness->omit_receive_draw[to], from, number, illness->omit_receive_permille[to]);
    if (sender)
        illness->send_omitted++;
    else if (receiver)
        illness->receive_omitted++;
    return sender || receiver;
}

void network_bandwidth(struct network *network, uint32_t place, int64_t bytes_a_second)
{
    network->illness.bytes_a_second[place] = bytes_a_second;
    network->illness.leaves_ns[place] = 0;
}

int64_t network_leaves_ns(struct network *network, uint32_t from, size_t size, int64_t now_ns)
{
    struct network_illness *illness = &network->illness;
    int64_t rate = illness->bytes_a_second[from];
    if (rate <= 0)
        return now_ns;
    int64_t begin_ns = now_ns > illness->leaves_ns[from] ? now_ns : illness->leaves_ns[from];
    if (begin_ns - now_ns > BACKLOG_NS_MAX)
        return NETWORK_NEVER;
    illness->queued += begin_ns > now_ns;
    int64_t bytes = (int64_t)size;
    illness->leaves_ns[from] = begin_ns + bytes / rate * NS_PER_S + bytes % rate * NS_PER_S / rate;
    return illness->leaves_ns[from];
}

void network_early(struct network *network, uint32_t from, uint32_t to, bool early)
{
    uint64_t bit = UINT64_C(1) << to;
    uint64_t *links = &network->illness.early[from];
    *links = early ? *links | bit : *links & ~bit;
}

void network_well(struct network *network)
{
    struct network_illness *illness = &network->illness;
    for (uint32_t place = 0; place < network->node_count; place++) {
        network_omit_send(network, place, 0, 0);
        network_omit_receive(network, place, 0, 0);
        network_bandwidth(network, place, 0);
    }
    memset(illness->early, 0, sizeof illness->early);
}

void network_send_late(struct network *network, uint32_t from, uint32_t to, struct span message, int64_t arrival_ns,
                       network_sink *sink, void *context)
{
    if (network_is_cut(network, from, to) || message.size == 0)
        return;
    struct packet *packet = heap_alloc(network->heap, sizeof *packet);
    invariant(packet != NULL, "the world's region has room for a packet");
    *packet = (struct packet){.size = (uint32_t)message.size, .from = from, .to = to};
    packet->parcel = parcel_create(network->heap, message);
    network->messages++;
    network->packets++;
    sink(context, packet, arrival_ns);
}
