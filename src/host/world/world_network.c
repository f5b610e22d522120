/* The simulated network.
 *
 * Each message has a fate: whole and in order for most. Neighbours in the buffer that go whole and in order travel as
 * one packet, as they would on one TCP connection, so a quiet network costs one event for a turn's output. The others
 * travel alone: lost, sent twice, overtaken, damaged or very late.
 *
 * Fates are items of a plan (world_plan.h), whether drawn here by the rates of the moment or given. Latencies are drawn
 * by link and number of the first message in a packet. */
#include "host/world/world_network.h"

#include <string.h>

#include "base/hash.h"
#include "base/panic.h"
#include "base/time.h"
#include "contract/header.h"

enum { CORRUPT_FLIPS_MAX = 3, LATE_LATENCIES = 20 };

void network_init(struct network *network, struct heap *heap, uint64_t seed, uint32_t node_count)
{
    invariant(node_count <= WORLD_NODES_MAX, "a world has at most 64 nodes");
    *network = (struct network){
        .heap = heap,
        .node_count = node_count,
        .manner = {.latency_ns = 100 * NS_PER_US, .latency_tail_ns = 20 * NS_PER_US},
    };
    fates_init(&network->fates, heap);
    network->latency_seed = hash_mix(seed, 1);
    network->fate_seed = hash_mix(seed, 2);
    size_t links = (size_t)node_count * node_count;
    network->last_arrival_ns = heap_alloc_zero(heap, links * sizeof *network->last_arrival_ns);
    network->extra_latency_ns = heap_alloc_zero(heap, links * sizeof *network->extra_latency_ns);
    network->numbers = heap_alloc_zero(heap, links * sizeof *network->numbers);
    network->cuts = heap_alloc_zero(heap, links * sizeof *network->cuts);
    invariant(network->last_arrival_ns != NULL && network->extra_latency_ns != NULL && network->numbers != NULL &&
                  network->cuts != NULL,
              "the world's region has room for its links");
}

void network_free(struct network *network)
{
    heap_free(network->heap, network->last_arrival_ns);
    heap_free(network->heap, network->extra_latency_ns);
    heap_free(network->heap, network->numbers);
    heap_free(network->heap, network->cuts);
    fates_free(&network->fates);
}

static size_t link_of(const struct network *network, uint32_t from, uint32_t to)
{
    return (size_t)from * network->node_count + to;
}

void network_cut(struct network *network, uint32_t from, uint32_t to, bool cut)
{
    uint64_t bit = UINT64_C(1) << to;
    uint16_t *cuts = &network->cuts[link_of(network, from, to)];
    if (cut)
        ++*cuts;
    else if (*cuts > 0)
        --*cuts;
    network->cut[from] = *cuts > 0 ? network->cut[from] | bit : network->cut[from] & ~bit;
}

void network_slow_link(struct network *network, uint32_t from, uint32_t to, int64_t extra_ns)
{
    network->extra_latency_ns[link_of(network, from, to)] += extra_ns;
}

void network_connect(struct network *network, uint32_t from, uint32_t to)
{
    network->last_arrival_ns[link_of(network, from, to)] = 0;
}

void network_heal(struct network *network)
{
    size_t links = (size_t)network->node_count * network->node_count;
    memset(network->cut, 0, sizeof network->cut);
    memset(network->cuts, 0, links * sizeof *network->cuts);
    memset(network->extra_latency_ns, 0, links * sizeof *network->extra_latency_ns);
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
int64_t network_latency(const struct network *network, uint64_t key)
{
    int64_t doublings = __builtin_ctzll(key | (UINT64_C(1) << 12));
    int64_t fine = (int64_t)(key >> 48);
    return network->manner.latency_ns + network->manner.latency_tail_ns * doublings +
           network->manner.latency_tail_ns * fine / 65536;
}

static uint64_t key_of(uint64_t seed, uint32_t from, uint32_t to, uint64_t number)
{
    return hash_mix(seed, (uint64_t)(from * WORLD_NODES_MAX + to) << 48 ^ number);
}

static int64_t message_latency(const struct network *network, uint32_t from, uint32_t to, uint64_t number)
{
    return network_latency(network, key_of(network->latency_seed, from, to, number));
}

/* ---- fates ---- */

static uint64_t fault_ppm(const struct network_manner *manner)
{
    return (uint64_t)manner->loss_ppm + manner->duplicate_ppm + manner->reorder_ppm + manner->corrupt_ppm +
           manner->delay_ppm;
}

/* Which of the rates the number falls into; the count of kinds for none. */
static enum plan_kind pick(const struct network_manner *manner, uint64_t drawn)
{
    const struct {
        enum plan_kind kind;
        uint32_t ppm;
    } rates[] = {{PLAN_LOSE, manner->loss_ppm},
                 {PLAN_DUPLICATE, manner->duplicate_ppm},
                 {PLAN_REORDER, manner->reorder_ppm},
                 {PLAN_CORRUPT, manner->corrupt_ppm},
                 {PLAN_DELAY, manner->delay_ppm}};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        if (drawn < rates[i].ppm)
            return rates[i].kind;
        drawn -= rates[i].ppm;
    }
    return PLAN_KIND_COUNT;
}

static bool draw_fate(const struct network *network, uint32_t from, uint32_t to, uint64_t number,
                      struct plan_item *out)
{
    uint64_t key = key_of(network->fate_seed, from, to, number);
    enum plan_kind kind = pick(&network->manner, (key >> 32) * 1000000 >> 32);
    if (kind == PLAN_KIND_COUNT)
        return false;
    *out = (struct plan_item){.kind = kind, .node = from + 1, .other = to + 1, .number = number};
    uint64_t draw = hash_mix(key, number);
    if (kind == PLAN_DELAY)
        out->duration_ns = (int64_t)(draw % (uint64_t)(network->manner.delay_ns_max + 1));
    else if (kind != PLAN_LOSE)
        out->draw = draw;
    return true;
}

/* False: the message goes whole and in order. */
static bool find_fate(struct network *network, uint32_t from, uint32_t to, uint64_t number, struct plan_item *out)
{
    const struct plan_item *planned = fates_find(&network->fates, from + 1, to + 1, number);
    if (planned != NULL)
        *out = *planned;
    else if (!draw_fate(network, from, to, number, out))
        return false;
    if (network->record != NULL)
        plan_add(network->record, out);
    return true;
}

/* ---- sending ---- */

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
static int64_t arrive_in_order(struct network *network, uint32_t from, uint32_t to, uint64_t number, int64_t now_ns)
{
    size_t link = link_of(network, from, to);
    int64_t at_ns = now_ns + message_latency(network, from, to, number) + network->extra_latency_ns[link];
    if (network_is_early(network, from, to)) {
        at_ns = now_ns;
        network->illness.hastened++;
    }
    if (at_ns < network->last_arrival_ns[link])
        at_ns = network->last_arrival_ns[link];
    network->last_arrival_ns[link] = at_ns;
    return at_ns;
}

static void flip_bits(struct network *network, struct packet *packet, uint64_t draw)
{
    struct parcel *damaged =
        parcel_create(network->heap, span_of(packet->parcel->bytes + packet->offset, packet->size));
    uint64_t flips = 1 + draw % CORRUPT_FLIPS_MAX;
    for (uint64_t i = 0; i < flips; i++) {
        uint64_t bit = hash_mix(draw, i) % (8 * (uint64_t)packet->size);
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

/* `number` is that of the first message in it. */
static void send_run(const struct sending *sending, uint64_t number, size_t offset, size_t size)
{
    struct network *network = sending->network;
    if (size == 0)
        return;
    int64_t left_ns = network_leaves_ns(network, sending->from, size, sending->now_ns);
    if (left_ns == NETWORK_NEVER) {
        network->lost++;
        return;
    }
    struct packet *packet = packet_create(network, sending->from, sending->to, sending->parcel, offset, size);
    sending->sink(sending->context, packet,
                  arrive_in_order(network, sending->from, sending->to, number, left_ns));
}

/* When a copy, or a message that others overtake, arrives: some latencies later. */
static int64_t straggle(const struct sending *sending, const struct plan_item *fate)
{
    const struct network *network = sending->network;
    uint64_t spread_ns = 1 + (uint64_t)LATE_LATENCIES * (uint64_t)network->manner.latency_ns;
    return sending->now_ns + message_latency(network, sending->from, sending->to, fate->number) +
           (int64_t)(fate->draw % spread_ns);
}

static void send_faulty(const struct sending *sending, const struct plan_item *fate, size_t offset, size_t size)
{
    struct network *network = sending->network;
    uint32_t from = sending->from, to = sending->to;
    if (fate->kind == PLAN_LOSE) {
        network->lost++;
        return;
    }
    if (fate->kind == PLAN_DUPLICATE)
        send_run(sending, fate->number, offset, size);
    struct packet *packet = packet_create(network, from, to, sending->parcel, offset, size);
    int64_t at_ns = straggle(sending, fate);
    if (fate->kind == PLAN_DUPLICATE) {
        network->duplicated++;
    } else if (fate->kind == PLAN_REORDER) {
        network->reordered++;
    } else if (fate->kind == PLAN_CORRUPT) {
        network->corrupted++;
        flip_bits(network, packet, fate->draw);
        at_ns = arrive_in_order(network, from, to, fate->number, sending->now_ns);
    } else {
        network->delayed++;
        at_ns = sending->now_ns + message_latency(network, from, to, fate->number) + fate->duration_ns;
    }
    sending->sink(sending->context, packet, at_ns);
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
    bool faulty = network->fates.slots != NULL || fault_ppm(&network->manner) > 0;
    bool omits = ((network->illness.omitting >> from | network->illness.omitting >> to) & 1) != 0;
    uint64_t *numbers = &network->numbers[link_of(network, from, to)];
    uint64_t run_number = *numbers + 1;
    size_t run = 0, at = 0; /* messages from `run` to `at` go as one packet */
    for (uint32_t count = 0; at < bytes.size && count < message_count_max; count++) {
        size_t size = message_size(span_of(bytes.data + at, bytes.size - at));
        uint64_t number = ++*numbers;
        struct plan_item fate;
        network->messages++;
        bool omitted = omits && network_omits(network, from, to, number);
        bool fated = !omitted && faulty && find_fate(network, from, to, number, &fate);
        if (omitted || fated) {
            send_run(&sending, run_number, run, at - run);
            if (fated) {
                struct sending alone = sending;
                alone.now_ns = network_leaves_ns(network, from, size, now_ns);
                send_faulty(&alone, &fate, at, size);
            }
            run = at + size;
            run_number = number + 1;
        }
        at += size;
    }
    send_run(&sending, run_number, run, at - run);
    parcel_release(network->heap, sending.parcel);
}
