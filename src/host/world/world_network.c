/* The simulated network.
 *
 * Each message draws one number, which picks its fate: whole and in order for most. Neighbours in the buffer that go
 * whole and in order travel as one packet, as they would on one TCP connection, so a quiet network costs one event for
 * a turn's output. The others travel alone: lost, sent twice, overtaken, damaged or very late. */
#include "host/world/world_network.h"

#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "contract/header.h"

enum fate { FATE_NORMAL, FATE_LOST, FATE_DUPLICATED, FATE_REORDERED, FATE_CORRUPTED, FATE_DELAYED };

void network_init(struct network *network, struct heap *heap, uint64_t seed, uint32_t node_count)
{
    invariant(node_count <= WORLD_NODES_MAX, "a world has at most 64 nodes");
    *network = (struct network){
        .heap = heap,
        .node_count = node_count,
        .manner = {.latency_ns = 100 * NS_PER_US, .latency_tail_ns = 20 * NS_PER_US},
    };
    random_seed(&network->random, seed);
    size_t links = (size_t)node_count * node_count;
    network->last_arrival_ns = heap_alloc_zero(heap, links * sizeof *network->last_arrival_ns);
    network->extra_latency_ms = heap_alloc_zero(heap, links * sizeof *network->extra_latency_ms);
    invariant(network->last_arrival_ns != NULL && network->extra_latency_ms != NULL,
              "the world's region has room for its links");
}

void network_cut(struct network *network, uint32_t from, uint32_t to, bool cut)
{
    uint64_t bit = UINT64_C(1) << to;
    network->cut[from] = cut ? network->cut[from] | bit : network->cut[from] & ~bit;
}

void network_heal(struct network *network)
{
    memset(network->cut, 0, sizeof network->cut);
    memset(network->extra_latency_ms, 0,
           (size_t)network->node_count * network->node_count * sizeof *network->extra_latency_ms);
}

struct parcel *parcel_create(struct heap *heap, struct span bytes)
{
    struct parcel *parcel = heap_alloc(heap, sizeof *parcel + bytes.size);
    invariant(parcel != NULL, "the world's region has room for bytes on their way");
    parcel->references = 1;
    parcel->size = (uint32_t)bytes.size;
    if (bytes.size > 0)
        memcpy(parcel->bytes, bytes.data, bytes.size);
    return parcel;
}

void parcel_release(struct heap *heap, struct parcel *parcel)
{
    if (--parcel->references == 0)
        heap_free(heap, parcel);
}

void packet_free(struct network *network, struct packet *packet)
{
    parcel_release(network->heap, packet->parcel);
    heap_free(network->heap, packet);
}

/* Size of the message at the start of the bytes. */
static size_t message_size(struct span bytes)
{
    invariant(bytes.size >= HEADER_SIZE, "a node's output is whole messages");
    size_t size = HEADER_SIZE + (size_t)load_u32(bytes.data + 4);
    invariant(size <= bytes.size, "a node's output is whole messages");
    return size;
}

uint32_t network_message_count(struct span bytes)
{
    uint32_t count = 0;
    while (bytes.size > 0) {
        size_t size = message_size(bytes);
        bytes = span_of(bytes.data + size, bytes.size - size);
        count++;
    }
    return count;
}

/* Geometric with ratio one half, and a fine part, so that times hardly ever coincide. */
int64_t network_draw_latency(struct network *network)
{
    uint64_t bits = random_u64(&network->random);
    int64_t doublings = __builtin_ctzll(bits | (UINT64_C(1) << 12));
    int64_t fine = (int64_t)(bits >> 48);
    return network->manner.latency_ns + network->manner.latency_tail_ns * doublings +
           network->manner.latency_tail_ns * fine / 65536;
}

static uint64_t fault_ppm(const struct network_manner *manner)
{
    return (uint64_t)manner->loss_ppm + manner->duplicate_ppm + manner->reorder_ppm + manner->corrupt_ppm +
           manner->delay_ppm;
}

static enum fate draw_fate(struct network *network)
{
    const struct network_manner *manner = &network->manner;
    uint64_t drawn = random_below(&network->random, 1000000);
    if (drawn >= fault_ppm(manner))
        return FATE_NORMAL;
    if (drawn < manner->loss_ppm)
        return FATE_LOST;
    drawn -= manner->loss_ppm;
    if (drawn < manner->duplicate_ppm)
        return FATE_DUPLICATED;
    drawn -= manner->duplicate_ppm;
    if (drawn < manner->reorder_ppm)
        return FATE_REORDERED;
    return drawn - manner->reorder_ppm < manner->corrupt_ppm ? FATE_CORRUPTED : FATE_DELAYED;
}

static struct packet *packet_create(struct network *network, uint32_t from, uint32_t to, struct parcel *parcel,
                                    size_t offset, size_t size)
{
    struct packet *packet = heap_alloc(network->heap, sizeof *packet);
    invariant(packet != NULL, "the world's region has room for a packet");
    *packet = (struct packet){
        .parcel = parcel, .offset = (uint32_t)offset, .size = (uint32_t)size, .from = from, .to = to};
    parcel->references++;
    network->packets++;
    return packet;
}

/* Time of arrival in order: not before what was sent earlier on this link. */
static int64_t arrive_in_order(struct network *network, uint32_t from, uint32_t to, int64_t now_ns)
{
    size_t link = (size_t)from * network->node_count + to;
    int64_t at_ns = now_ns + network_draw_latency(network) + network->extra_latency_ms[link] * NS_PER_MS;
    if (at_ns < network->last_arrival_ns[link])
        at_ns = network->last_arrival_ns[link];
    network->last_arrival_ns[link] = at_ns;
    return at_ns;
}

static void flip_bits(struct network *network, struct packet *packet)
{
    struct parcel *damaged =
        parcel_create(network->heap, span_of(packet->parcel->bytes + packet->offset, packet->size));
    uint64_t flips = 1 + random_below(&network->random, 3);
    for (uint64_t i = 0; i < flips; i++) {
        uint64_t bit = random_below(&network->random, 8 * (uint64_t)packet->size);
        damaged->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    parcel_release(network->heap, packet->parcel);
    packet->parcel = damaged;
    packet->offset = 0;
}

struct sending {
    struct network *network;
    uint32_t from, to;
    int64_t now_ns;
    struct parcel *parcel;
    network_sink *sink;
    void *context;
};

static void send_run(const struct sending *sending, size_t offset, size_t size)
{
    struct network *network = sending->network;
    if (size == 0)
        return;
    struct packet *packet = packet_create(network, sending->from, sending->to, sending->parcel, offset, size);
    sending->sink(sending->context, packet, arrive_in_order(network, sending->from, sending->to, sending->now_ns));
}

static void send_faulty(const struct sending *sending, enum fate fate, size_t offset, size_t size)
{
    struct network *network = sending->network;
    int64_t now_ns = sending->now_ns;
    if (fate == FATE_LOST) {
        network->lost++;
        return;
    }
    struct packet *packet = packet_create(network, sending->from, sending->to, sending->parcel, offset, size);
    int64_t spread_ns = 1 + 20 * network->manner.latency_ns;
    int64_t late_ns = now_ns + network_draw_latency(network) + random_between(&network->random, 0, spread_ns);
    if (fate == FATE_DUPLICATED) {
        network->duplicated++;
        send_run(sending, offset, size);
    } else if (fate == FATE_REORDERED) {
        network->reordered++;
    } else if (fate == FATE_CORRUPTED) {
        network->corrupted++;
        flip_bits(network, packet);
        late_ns = arrive_in_order(network, sending->from, sending->to, now_ns);
    } else {
        network->delayed++;
        late_ns += random_between(&network->random, 0, network->manner.delay_ns_max);
    }
    sending->sink(sending->context, packet, late_ns);
}

void network_send(struct network *network, uint32_t from, uint32_t to, struct span bytes, uint32_t message_count_max,
                  int64_t now_ns, network_sink *sink, void *context)
{
    if (network_is_cut(network, from, to) || message_count_max == 0 || bytes.size == 0)
        return;
    struct sending sending = {.network = network,
                              .from = from,
                              .to = to,
                              .now_ns = now_ns,
                              .parcel = parcel_create(network->heap, bytes),
                              .sink = sink,
                              .context = context};
    bool faulty = fault_ppm(&network->manner) > 0;
    size_t run = 0, at = 0; /* messages from `run` to `at` go as one packet */
    for (uint32_t count = 0; at < bytes.size && count < message_count_max; count++) {
        size_t size = message_size(span_of(bytes.data + at, bytes.size - at));
        enum fate fate = faulty ? draw_fate(network) : FATE_NORMAL;
        network->messages++;
        if (fate != FATE_NORMAL) {
            send_run(&sending, run, at - run);
            send_faulty(&sending, fate, at, size);
            run = at + size;
        }
        at += size;
    }
    send_run(&sending, run, at - run);
    parcel_release(network->heap, sending.parcel);
}
