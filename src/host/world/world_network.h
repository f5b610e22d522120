/* The simulated network between nodes: what becomes of each message, and when.
 *
 * It is told what a node's output buffer holds, splits it into messages, and hands out packets with the times of their
 * arrival. A packet is a run of messages that share a fate; copies share their bytes. What the world does at arrival is
 * not its business, except that a packet on a link that is cut by then is lost. */
#ifndef LOCKSTEP_HOST_WORLD_NETWORK_H
#define LOCKSTEP_HOST_WORLD_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "base/random.h"

enum { WORLD_NODES_MAX = 64 };

/* Bytes on their way, shared by the packets that carry them. */
struct parcel {
    uint32_t references;
    uint32_t size;
    uint8_t bytes[];
};

struct packet {
    struct packet *next; /* the receiver's */
    struct parcel *parcel;
    uint32_t offset, size; /* in the parcel */
    uint32_t from, to;     /* places of nodes */
    uint64_t connection;   /* the world's: of the connection it was sent on */
};

/* How links behave now. Rates are in parts per million of messages. */
struct network_manner {
    int64_t latency_ns;      /* the least */
    int64_t latency_tail_ns; /* unit of the geometric tail */
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t reorder_ppm; /* overtaken by later ones */
    uint32_t corrupt_ppm; /* some bits flip */
    uint32_t delay_ppm;   /* comes much later, delay_ns_max at the most */
    int64_t delay_ns_max;
};

struct network {
    struct heap *heap;
    struct random random;
    struct network_manner manner;
    uint32_t node_count;
    int64_t *last_arrival_ns;     /* of each directed link: later packets do not overtake without a fault */
    uint32_t *extra_latency_ms;   /* of each directed link: a slow one */
    uint64_t cut[WORLD_NODES_MAX]; /* bit `to` of cut[from] */
    uint64_t messages, packets, lost, duplicated, reordered, corrupted, delayed; /* counters */
};

/* A network without faults between `node_count` (at most WORLD_NODES_MAX) nodes. */
void network_init(struct network *network, struct heap *heap, uint64_t seed, uint32_t node_count);

void network_cut(struct network *network, uint32_t from, uint32_t to, bool cut);
static inline bool network_is_cut(const struct network *network, uint32_t from, uint32_t to)
{
    return (network->cut[from] >> to & 1) != 0;
}
void network_heal(struct network *network);

/* One packet that will arrive. The receiver owns it: packet_free. */
typedef void network_sink(void *context, struct packet *packet, int64_t arrival_ns);

/* Sends the messages in `bytes`, of which the first `message_count_max` leave the sender at all (a crash cuts there;
 * UINT32_MAX: all), at `now_ns`. Bytes that are no whole messages break an invariant: the node wrote them. */
void network_send(struct network *network, uint32_t from, uint32_t to, struct span bytes, uint32_t message_count_max,
                  int64_t now_ns, network_sink *sink, void *context);

/* How many whole messages `bytes` hold. */
uint32_t network_message_count(struct span bytes);

/* Time that something small needs from one place to another, drawn anew: for connections and clients. */
int64_t network_draw_latency(struct network *network);

void packet_free(struct network *network, struct packet *packet);

/* Bytes to be shared: one reference. */
struct parcel *parcel_create(struct heap *heap, struct span bytes);
void parcel_release(struct heap *heap, struct parcel *parcel);

#endif
