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
#include "host/world/world_fates.h"

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

/* How links behave now. Rates are in parts per million of messages; what they choose is drawn by link and number of the
 * message. */
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

/* What is wrong with a node's sending and receiving, or with a link: set through the functions at the end. */
struct network_illness {
    uint32_t omit_send_permille[WORLD_NODES_MAX], omit_receive_permille[WORLD_NODES_MAX];
    uint64_t omit_send_draw[WORLD_NODES_MAX], omit_receive_draw[WORLD_NODES_MAX];
    int64_t bytes_a_second[WORLD_NODES_MAX];                    /* 0: as fast as can be */
    int64_t leaves_ns[WORLD_NODES_MAX];                         /* when the bytes queued so far have left */
    uint64_t early[WORLD_NODES_MAX];                            /* bit `to` of early[from] */
    uint64_t omitting;       /* bit of each node with an omission, so that none costs nothing */
    uint64_t send_omitted, receive_omitted, queued, hastened; /* counters */
};

struct network {
    struct heap *heap;
    struct network_illness illness;
    uint64_t latency_seed, fate_seed;
    struct network_manner manner;
    struct fates fates;        /* planned; what has none there is drawn by the rates */
    struct plan *record;       /* NULL, or where the fates of messages are noted */
    uint32_t node_count;
    int64_t *last_arrival_ns;  /* of each directed link: later packets do not overtake without a fault */
    int64_t *extra_latency_ns; /* of each directed link: a slow one */
    uint64_t *numbers;         /* of each directed link: messages so far */
    uint16_t *cuts;            /* of each directed link: how often it is cut */
    uint64_t cut[WORLD_NODES_MAX]; /* bit `to` of cut[from]: cut at least once */
    uint64_t messages, packets, lost, duplicated, reordered, corrupted, delayed; /* counters */
};

/* A network without faults between `node_count` (at most WORLD_NODES_MAX) nodes. */
void network_init(struct network *network, struct heap *heap, uint64_t seed, uint32_t node_count);
void network_free(struct network *network);

/* A link that was cut several times is whole again when each cut has been taken back. */
void network_cut(struct network *network, uint32_t from, uint32_t to, bool cut);
static inline bool network_is_cut(const struct network *network, uint32_t from, uint32_t to)
{
    return (network->cut[from] >> to & 1) != 0;
}
/* Takes back all cuts and slow links. */
void network_heal(struct network *network);
/* Makes a link slower by so much; a negative number takes that back. */
void network_slow_link(struct network *network, uint32_t from, uint32_t to, int64_t extra_ns);
/* A new connection: what is sent on it does not wait for what is still under way on an older one. */
void network_connect(struct network *network, uint32_t from, uint32_t to);

/* One packet that will arrive. The receiver owns it: packet_free. */
typedef void network_sink(void *context, struct packet *packet, int64_t arrival_ns);

/* Sends the messages in `bytes`, of which the first `message_count_max` leave the sender at all (a crash cuts there;
 * UINT32_MAX: all), at `now_ns`. Bytes that are no whole messages break an invariant: the node wrote them. */
void network_send(struct network *network, uint32_t from, uint32_t to, struct span bytes, uint32_t message_count_max,
                  int64_t now_ns, network_sink *sink, void *context);

/* One message that arrives at that time, whatever was sent before or after it; for who breaks the order on purpose. */
void network_send_late(struct network *network, uint32_t from, uint32_t to, struct span message, int64_t arrival_ns,
                       network_sink *sink, void *context);

/* How many whole messages `bytes` hold. */
uint32_t network_message_count(struct span bytes);

/* Time that something small needs from one place to another, drawn by that key. */
int64_t network_latency(const struct network *network, uint64_t key);

void packet_free(struct network *network, struct packet *packet);

/* ---- faults of nodes and links (world_network_faults.c) ---- */

/* Omissions: of 1,000 messages that the node sends, or that are sent to it, so many are lost (Hadzilacos and Toueg, "A
 * modular approach to fault-tolerant broadcasts and related problems", 1994, "Models of process failures"). Which ones follows
 * from `draw`, the other node and the message's number on the link. 0: it is well again. */
void network_omit_send(struct network *network, uint32_t place, uint32_t permille, uint64_t draw);
void network_omit_receive(struct network *network, uint32_t place, uint32_t permille, uint64_t draw);
/* What the node sends leaves at that rate, in the order sent, to whomever; 0: at once. */
void network_bandwidth(struct network *network, uint32_t place, int64_t bytes_a_second);
/* Messages on the link take no time, but for those still under way before them: early is a timing failure too. */
void network_early(struct network *network, uint32_t from, uint32_t to, bool early);
/* Ends all of these. */
void network_well(struct network *network);

/* For network_send: is the number-th message on this link omitted? */
bool network_omits(struct network *network, uint32_t from, uint32_t to, uint64_t number);
/* For network_send: when bytes sent at `now_ns` have left; NETWORK_NEVER: there is no more room in the buffer. */
#define NETWORK_NEVER INT64_MAX
int64_t network_leaves_ns(struct network *network, uint32_t from, size_t size, int64_t now_ns);
static inline bool network_is_early(const struct network *network, uint32_t from, uint32_t to)
{
    return (network->illness.early[from] >> to & 1) != 0;
}

/* Bytes to be shared: one reference. */
struct parcel *parcel_create(struct heap *heap, struct span bytes);
void parcel_release(struct heap *heap, struct parcel *parcel);

#endif
