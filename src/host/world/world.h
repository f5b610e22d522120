/* The world: a cluster of nodes, their disks, clocks, network and clients, simulated from one seed.
 *
 * The nodes run the same object code as in production: the world drives node/ and front/ as the real host does, and
 * puts simulated bytes in the place of sockets and disks. Virtual time jumps from event to event. One seed decides
 * everything; all memory comes from one region that is used again for the next run, so that a run makes no call to
 * the allocator of the system.
 *
 * A run has a phase of faults, in which safety is checked, and a healed phase, in which progress is: every member must
 * come to the same state, and every client must get a fresh write through.
 *
 * Faults are drawn like swarms (Groce et al., "Swarm testing", ISSTA 2012): each run takes its own subset of the
 * classes that its options allow, and its own rates. */
#ifndef LOCKSTEP_HOST_WORLD_WORLD_H
#define LOCKSTEP_HOST_WORLD_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "contract/event.h"
#include "contract/protocol.h"
#include "contract/service.h"
#include "contract/spec.h"
#include "host/world/world_client.h"

struct world;

/* X(NAME, "name", what it does) */
#define WORLD_FAULTS(X)                                                                                                \
    X(CRASH, "crash", "a process dies at any point of a turn and restarts with its disk")                             \
    X(POWER, "power", "all processes die at once")                                                                    \
    X(PAUSE, "pause", "a process does not run for a while, or runs slowly")                                           \
    X(PARTITION, "partition", "links are cut, in one or both directions, and heal")                                   \
    X(LOSS, "loss", "messages are lost")                                                                              \
    X(DUPLICATE, "duplicate", "messages arrive twice")                                                                \
    X(REORDER, "reorder", "messages overtake one another")                                                            \
    X(CORRUPT, "corrupt", "bits of messages flip")                                                                    \
    X(DELAY, "delay", "messages, or whole links, are late")                                                           \
    X(DISK, "disk", "disks are slow, stall, or are full, and tear writes inside sectors")                             \
    X(CLOCK, "clock", "clocks drift, and wall clocks jump")                                                           \
    X(AMNESIA, "amnesia", "a process restarts with an empty disk")
enum world_fault_bit {
#define WORLD_FAULT_BIT(name, text, what) WORLD_FAULT_BIT_##name,
    WORLD_FAULTS(WORLD_FAULT_BIT) WORLD_FAULT_COUNT
#undef WORLD_FAULT_BIT
};
enum world_fault {
#define WORLD_FAULT_ENUM(name, text, what) WORLD_##name = 1 << WORLD_FAULT_BIT_##name,
    WORLD_FAULTS(WORLD_FAULT_ENUM)
#undef WORLD_FAULT_ENUM
    WORLD_ALL_FAULTS = (1 << WORLD_FAULT_COUNT) - 1,
};
const char *world_fault_name(enum world_fault_bit bit);

/* Sees what happens; each may be NULL. `place` counts nodes from 0; their ids are place + 1. */
struct world_watch {
    void *context;
    /* A member lives from started to stopped; both come again at each restart. The spec is its own. */
    void (*started)(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service);
    void (*stopped)(void *context, uint32_t place);
    /* After each step and its check(). NULL, or a literal that names the property that failed. */
    const char *(*stepped)(void *context, uint32_t place, const struct event *event);
    /* A whole message leaves for the network (header and body, contract/header.h); whatever it tells must survive a
     * crash from now on. */
    void (*sent)(void *context, uint32_t place, uint32_t to, struct span message);
    /* A command was executed. */
    const char *(*applied)(void *context, uint32_t place, const struct delivery *delivery);
};

/* Hears everything, for traces and diagrams; costs nothing where it is NULL. Spans are borrowed for the call. */
enum world_mark {
    WORLD_MARK_NOTE,      /* anything else, for people */
    WORLD_MARK_UP,        /* the node starts */
    WORLD_MARK_DOWN,      /* it has crashed */
    WORLD_MARK_PAUSED,    /* it does not run, */
    WORLD_MARK_RUNS,      /* and runs again */
    WORLD_MARK_CUT,       /* links are cut: the text says which, */
    WORLD_MARK_HEALED,    /* and whole again */
    WORLD_MARK_LOST,      /* a message from this node was lost */
    WORLD_MARK_FAULT,     /* any other fault begins or strikes */
    WORLD_MARK_FAULT_END, /* and is over */
    WORLD_MARK_CLIENT,    /* a client does something at this node */
    WORLD_MARK_VIOLATION, /* a property broke */
};
#define WORLD_NOWHERE UINT32_MAX
struct world_tracer {
    void *context;
    void (*event)(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                  const struct event *event);
    void (*effect)(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                   const struct effect *effect);
    /* After the effects of a step. */
    void (*stepped)(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec, const void *member);
    /* `place` may be WORLD_NOWHERE. */
    void (*mark)(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *text);
};

struct world_options {
    uint64_t seed;
    const struct protocol *protocol;
    const struct service *service;
    uint32_t node_count; /* 1 to WORLD_NODES_MAX */
    uint32_t client_count;
    int64_t time_ns;    /* of the run; the healed phase adds to it where it would be too short */
    uint32_t faults;    /* enum world_fault, those that may be drawn */
    uint32_t ablations; /* enum ablation */
    struct world_watch watch;
    FILE *trace; /* NULL: none */
};

struct world_result {
    uint64_t steps;     /* of members: what is called an event in reports */
    uint64_t hash;      /* of every event and effect */
    int64_t time_ns;    /* virtual time that passed */
    uint64_t faults_struck;
    bool violated;
    char property[32];  /* "RAFT-1", "PROGRESS", "INVARIANT" */
    char sentence[256]; /* what happened, to whom and when */
};

/* Bytes of address space that a run with these options needs. */
size_t world_region_size(const struct world_options *options);

/* One whole run in the region (aligned to 4 KiB, of at least the size above; its contents do not matter). `*made` is
 * set as soon as there is a world; it lies in the region and may be looked at until the region is used again, also
 * after a broken invariant, which leaves through the hook of base/panic.h. */
void world_run(void *region, size_t region_size, const struct world_options *options, struct world_result *result,
               struct world **made);

/* Fills in what the result says of the run so far: world_run does so at its end. */
void world_sum_up(const struct world *world, struct world_result *result);

/* A violation found from outside, during the run or after it: the first one counts. */
void world_violate(struct world *world, const char *property, const char *sentence);

/* The clients' operations in the order of their invocation, once the run is over. */
const struct world_operation *world_history(const struct world *world, size_t *count);

/* Prints where the run stands, for a panic's dump: time, event, node. Returns the length. */
size_t world_where(const struct world *world, char *out, size_t size);

#endif
