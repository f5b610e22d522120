/* What a service is: a deterministic state machine that delivered commands are applied to.
 *
 * The same rules as for protocols hold for its code, but it may use IEEE double without contraction. Its answers are
 * RESP3 values; the front turns them into RESP2 where a client speaks that. Time is the time in the delivered command. */
#ifndef LOCKSTEP_CONTRACT_SERVICE_H
#define LOCKSTEP_CONTRACT_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/heap.h"
#include "contract/address.h"
#include "contract/command.h"
#include "contract/protocol.h"
#include "contract/spec.h"

struct delivery {
    bool read;       /* look, do not change */
    uint64_t index;  /* of this command; for a read, of the last one applied */
    int64_t time_ns; /* agreed wall time. A read's may be later than the last update's: it serves to print a time to
                        live, never to decide what exists */
    uint64_t random; /* reads only: for RANDOMKEY and the like */
    uint32_t origin; /* node of the session */
    struct command command;
};

/* A message from the service of one member to that of another; comes to the own protocol as REQUEST_CALL. */
struct service_call {
    struct address to;
    struct span bytes; /* one command, encoded; lives until the delivery is over. node/ makes a bundle of it. */
};

struct service_out {
    struct buffer *reply; /* append exactly one RESP3 value */
    int64_t tick_at_ns;   /* set to the agreed time at which a TICK is wanted, or SERVICE_NO_TICK; kept from delivery
                             to delivery, so write it only to change it */
    struct service_call *calls;
    uint32_t call_count, call_capacity;
};
#define SERVICE_NO_TICK INT64_MAX

/* The command that the node whose member orders proposes when a tick is due; it has no arguments. Its answer goes
 * nowhere. Op numbers below 16 belong to the contract. */
enum { OP_TICK = 1 };

struct service {
    const char *name;
    enum order needs_order;
    bool needs_atomic;
    bool needs_durable;

    void *(*create)(struct heap *heap, const struct group_spec *spec);
    /* Called once on each member that starts for the first time, so that it may make the first calls; may be NULL. */
    void (*start)(void *self, uint32_t self_node, struct service_out *out);
    void (*deliver)(void *self, const struct delivery *delivery, struct service_out *out);

    /* A checkpoint of the state as of checkpoint_begin, written piece by piece while deliveries go on: node/ calls
     * checkpoint_next until it returns false, each call appends some bytes (about `bytes` of them) to `out`; a piece
     * is never split. checkpoint_end is called in any case, finished or given up. */
    void (*checkpoint_begin)(void *self);
    bool (*checkpoint_next)(void *self, struct buffer *out, size_t bytes);
    void (*checkpoint_end)(void *self);

    /* The other way: restore_begin empties the service, restore_next takes any run of whole pieces' bytes in order
     * (split anywhere; the service keeps what is incomplete), restore_end says that all is there. False: malformed. */
    void (*restore_begin)(void *self);
    bool (*restore_next)(void *self, struct span bytes);
    bool (*restore_end)(void *self);

    /* A digest of the whole state, equal on members that applied the same; cost grows with the state. */
    uint64_t (*digest)(void *self);

    /* Bytes and items, for INFO and for limits. */
    uint64_t (*bytes_used)(const void *self);
    uint64_t (*item_count)(const void *self);
};

#endif
