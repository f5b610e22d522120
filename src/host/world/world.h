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
 * classes that its options allow, and its own rates. What was drawn can be noted as a plan (world_plan.h), and a run be
 * made from a plan instead. */
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
#include "host/world/world_plan.h"

struct world;
struct plan;          /* host/world/world_plan.h */
struct world_attacks; /* host/world/world_attack.h */

/* X(NAME, "name", what it does). The order is that of the lattice: processes, network, disks, clocks, then what answers
 * wrongly. */
#define WORLD_FAULTS(X)                                                                                                \
    X(CRASH, "crash", "a process dies at any point of a turn and restarts with its disk")                             \
    X(POWER, "power", "all processes die at once")                                                                    \
    X(OMISSION, "omission", "what a process sends, or what is sent to it, gets lost")                                 \
    X(PAUSE, "pause", "a process does not run for a while")                                                           \
    X(SLOW, "slow", "a process runs slowly")                                                                          \
    X(PARTITION, "partition", "links are cut, in one or both directions, and heal")                                   \
    X(LOSS, "loss", "messages are lost")                                                                              \
    X(DUPLICATE, "duplicate", "messages arrive twice")                                                                \
    X(REORDER, "reorder", "messages overtake one another")                                                            \
    X(CORRUPT, "corrupt", "bits of messages flip")                                                                    \
    X(DELAY, "delay", "messages, or whole links, are late, or take no time at all")                                   \
    X(BANDWIDTH, "bandwidth", "what a process sends leaves slowly")                                                   \
    X(DISK, "disk", "disks are slow, stall, or are full, and tear writes inside sectors")                             \
    X(ROT, "rot", "what is on disks decays, cannot be read, lands elsewhere, or was never written")                   \
    X(CLOCK, "clock", "clocks drift far, freeze, and wall clocks jump")                                               \
    X(AMNESIA, "amnesia", "a process restarts with an empty disk")                                                    \
    X(VALUE, "value", "a process computes wrong results")                                                             \
    X(TRANSITION, "transition", "a process takes wrong branches")                                                     \
    X(BYZANTINE, "byzantine", "a process does what an adversary wants")
enum world_fault_bit {
#define WORLD_FAULT_BIT(name, text, what) WORLD_FAULT_BIT_##name,
    WORLD_FAULTS(WORLD_FAULT_BIT) WORLD_FAULT_COUNT
#undef WORLD_FAULT_BIT
};
enum world_fault {
#define WORLD_FAULT_ENUM(name, text, what) WORLD_##name = 1 << WORLD_FAULT_BIT_##name,
    WORLD_FAULTS(WORLD_FAULT_ENUM)
#undef WORLD_FAULT_ENUM
    WORLD_FAULTS_ALL = (1 << WORLD_FAULT_COUNT) - 1,
    /* What a protocol that masks timing failures survives: all but disks that lose what they said was durable, and
     * members that answer wrongly. */
    WORLD_ALL_FAULTS = WORLD_FAULTS_ALL & ~(WORLD_ROT | WORLD_VALUE | WORLD_TRANSITION | WORLD_BYZANTINE),
    WORLD_TIMING_FAULTS = WORLD_PAUSE | WORLD_SLOW | WORLD_DELAY | WORLD_CLOCK,
};
const char *world_fault_name(enum world_fault_bit bit);
/* The classes of a name: of one class, or of the group `timing` (pause, slow, delay, clock). 0: there is none. */
uint32_t world_fault_find(const char *name);
/* Classes that the card of this protocol claims to mask: crash within omission within timing within value within
 * arbitrary failures; what the network does to messages is always inside. */
uint32_t world_faults_claimed(const struct protocol *protocol);
/* How many of so many members may be faulty at once by the protocol's own bound; all, where it names none. */
uint32_t world_k_of(const struct protocol *protocol, uint32_t node_count);

/* Sees what happens to members; each may be NULL. `place` counts nodes from 0; their ids are place + 1. */
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
    /* The member is under a fault that makes it say or do what is wrong: what it claims counts no more, to the end of
     * the run, and nothing more is told of it. It was stopped() if it was up. */
    void (*turned)(void *context, uint32_t place);
};

/* Hears everything of all processes, for traces and diagrams; costs nothing where it is NULL. Spans are borrowed for the call. */
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
    /* As world_watch.sent: a whole message is about to leave for node `to`; its fate is not drawn yet. */
    void (*sent)(void *context, int64_t at_ns, uint32_t place, uint32_t to, struct span message);
    /* `place` may be WORLD_NOWHERE. */
    void (*mark)(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *text);
};

/* What scripts act by: rings when the world begins, with number 0, and at each time asked for by world_alarm(). Between
 * two events of the run, so anything may be done. Costs nothing where it is NULL. */
struct world_alarm {
    void *context;
    void (*rings)(void *context, struct world *world, uint64_t number);
};

/* The answer that a client got to one of its requests. */
enum world_answer_kind { WORLD_ANSWER_NONE, WORLD_ANSWER_VALUE, WORLD_ANSWER_ERROR };
struct world_answer {
    uint32_t client, place; /* `place` of the node that was asked */
    uint64_t number;        /* of this client's requests, from 1 */
    int64_t asked_ns, answered_ns;
    enum world_answer_kind kind; /* NONE: its connection broke first, so it may have happened, or may yet */
    struct span request; /* the command's words */
    struct span bytes;   /* the answer as RESP: "+OK\r\n", "$3\r\nfoo\r\n", "-CLUSTERDOWN …\r\n" */
};
/* Hears each answer; spans are borrowed for the call. NULL: nobody does. */
struct world_ear {
    void *context;
    void (*answered)(void *context, struct world *world, const struct world_answer *answer);
};

struct world_options {
    uint64_t seed;
    const struct protocol *protocol;
    const struct service *service;
    uint32_t node_count; /* members: 1 to WORLD_NODES_MAX, gateways included */
    /* Processes beside the members, whose ids follow theirs, through which all clients ask: voting gateways
     * (protocol/replica/voter.h). They crash, are cut off and are slow like any process, but they are never turned, and
     * no bound counts them. 0: clients ask the members. The service must be kv. */
    uint32_t gateways;
    uint32_t vote; /* answers that gateways of a group that masks crashes compare; 0: they believe the first one */
    uint32_t gateway_ablations; /* of the voter, where `ablations` are the members' */
    uint32_t client_count;
    int64_t time_ns;    /* of the run; the healed phase adds to it where it would be too short */
    uint32_t faults;    /* enum world_fault, those that may be drawn */
    uint32_t claims;    /* enum world_fault, those that are inside the contract; 0: those that the card claims */
    uint32_t k;         /* members that may be faulty at once; 0: by the protocol's own bound (world_k_of) */
    uint32_t dead;      /* members, drawn from the seed, that die for ever when everything else heals */
    /* When everything heals; 0: after 7/10 of the time; PLAN_FOREVER: never, then the run ends at time_ns and nobody
     * asks for progress. */
    int64_t heal_at_ns;
    const struct plan *plan; /* NULL: faults and requests are drawn. Borrowed for the run, sorted (plan_sort) */
    struct plan *record;     /* NULL, or where each item that was done is noted, in order; begins empty */
    /* For scripts: nothing is drawn of what the cluster is like. Links need latency_ns (0: 1 ms), disks 100 us, clocks
     * are right, all nodes start at time 0, tuning is that of production but for what memory needs, and each node has
     * its own election timeout: what is given, or 200 ms for the first node, which so is the first to act, and from
     * 500 ms on for the others (a member draws from one to two times that). Clients speak plain RESP2. */
    bool calm;
    int64_t latency_ns;
    const int64_t *election_timeouts_ns; /* NULL, or one for each node; 0: as above */
    uint64_t append_bytes_max;     /* of calm runs, at most 128 KiB; 0: 128 KiB. 1: each record travels alone */
    uint64_t checkpoint_log_bytes; /* of calm runs, at most 128 KiB; 0: 128 KiB */
    struct world_ear ear;
    uint32_t ablations; /* enum ablation */
    const struct world_attacks *attacks; /* NULL, or those that may be planned and drawn; borrowed for the run */
    struct world_watch watch;
    struct world_tracer tracer;
    struct world_alarm alarm;
};

struct world_result {
    uint64_t steps;     /* of members: what is called an event in reports */
    uint64_t hash;      /* of every event and effect */
    int64_t time_ns;    /* virtual time that passed */
    uint64_t faults_struck;
    uint32_t classes_drawn; /* enum world_fault */
    uint32_t faulty_most;   /* members that were faulty at the same time, at most */
    bool outside_contract;  /* something struck that the card does not claim to mask: a violation then proves nothing */
    char outside[128];      /* what, as a sentence without its end */
    bool violated;
    char property[32];  /* "RAFT-1", "PROGRESS", "INVARIANT" */
    char sentence[256]; /* what happened, to whom and when */
};

/* Members and gateways: their places are counted on. */
static inline uint32_t world_process_count(const struct world_options *options)
{
    return options->node_count + options->gateways;
}

/* Do gateways, vote and rules go together? False: why not, as a sentence without its end. */
bool world_gateways_fit(const struct world_options *options, char *why, size_t why_size);

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

/* The clients' operations in the order of their invocation, once the run is over. Requests of a plan that are none of
 * enum world_op are not among them: then world_history_whole() is false, and nothing can be judged from it. */
const struct world_operation *world_history(const struct world *world, size_t *count);
bool world_history_whole(const struct world *world);
/* Name of a key of the history. */
struct span world_key_name(const struct world *world, uint32_t key);

/* ---- for scripts, between two events of a run or from a tracer's callback ---- */

/* Does one item: at item->at_ns, or at this instant where that is past. While a member is being stepped (in a tracer's
 * callback) what concerns links and disks is done on the spot, so before the step's messages leave; a crash of the
 * member being stepped comes as soon as its node's turn is over, its output and writes cut by item->draw (0: nothing of
 * them gets out); everything else right after the turn, before any other event. The item's text is copied. Faults that
 * come when the world has healed are ignored. */
void world_do(struct world *world, const struct plan_item *item);

/* Ends now what the items of this kind that are under way did to that node (node 0: to all): a crashed node restarts, a
 * paused one runs, links are whole again. The end that such an item had planned does nothing any more. */
void world_undo(struct world *world, enum plan_kind kind, uint32_t node);
/* Ends the run once the present event is over; what is asked for at a run's end (progress) is not judged. */
void world_stop(struct world *world);

bool world_is_up(const struct world *world, uint32_t place);
bool world_is_healed(const struct world *world);
/* False while the node is down. */
bool world_member_status(const struct world *world, uint32_t place, struct member_status *out);
/* Id of the node that orders by its own word, the one with the highest term where several do; 0: none. */
uint32_t world_orderer(const struct world *world);
/* How many requests the client has made so far: the number of its last one. */
uint64_t world_requests(const struct world *world, uint32_t client);
/* Which members are faulty now, as bits by place: down, paused, slow, cut off from a majority, with an ill disk, or
 * under a fault of their own. Drift and jumps of clocks do not count: no protocol here trusts them. */
uint64_t world_faulty(const struct world *world);

/* Virtual time since the world began. */
int64_t world_now_ns(const struct world *world);

/* Rings at that time, or at once where it is past. */
void world_alarm(struct world *world, int64_t at_ns, uint64_t number);

/* Prints where the run stands, for a panic's dump: time, event, node. Returns the length. */
size_t world_where(const struct world *world, char *out, size_t size);

#endif
