/* A plan: everything that is done to a run from outside, item by item.
 *
 * A run from a seed draws its faults and its clients' requests as it goes, and notes each one as an item when it is
 * asked to (world_options.record). A run with a plan (world_options.plan) draws none of them: it does what the items
 * say and nothing else. To run what was noted is to run the same again, event for event.
 *
 * What else is random (latencies, costs of turns, seeds of members, where a torn write tears) is drawn by key: from a
 * hash of the run's seed, what the draw is for, and its ordinal there; an item's own draws come from its `draw`. So
 * taking an item out moves no other draw, which is what makes a failing run shrink.
 *
 * Items of one kind and victim may overlap in time; what they did ends when the last of them does. At one instant, ends
 * come first, then items in their order, then everything else. A fault of a process that is down is not done, and
 * neither is one that comes when the world has healed: from then on clients ask by themselves, as progress is judged by
 * that. What a tracer's callback did in the midst of an instant is noted with that instant only.
 *
 * A crash's draw says what gets out of the turn in which it comes and what the disk keeps of writes that were not
 * durable: 0, nothing; else any part, and with the lowest bit set writes may tear inside a sector. */
#ifndef LOCKSTEP_HOST_WORLD_PLAN_H
#define LOCKSTEP_HOST_WORLD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"

/* No end: a permanent fault. It lasts until the world heals. */
#define PLAN_FOREVER INT64_MAX

/* X(NAME, "name", fields that count besides the time, what it does). `node` and `other` are ids (place + 1). Names are
 * those of scenario scripts. */
#define PLAN_KINDS(X)                                                                                                  \
    /* processes */                                                                                                    \
    X(CRASH, "crash", "node duration amount draw", "dies; amount n > 0: in its n-th turn; restarts after duration")   \
    X(AMNESIA, "amnesia", "node duration draw", "dies and restarts with an empty disk")                                \
    X(PAUSE, "pause", "node duration", "does not run")                                                                 \
    X(SLOW, "slow", "node duration amount", "runs slower by that factor")                                              \
    X(VALUE, "value", "node duration amount draw", "its results are wrong: amount is how many in 1,000")               \
    X(ANSWERS, "answers", "node duration amount draw", "it answers commands wrongly: amount is how many in 1,000;"    \
      " equal draws collude")                                                                                          \
    X(TRANSITION, "transition", "node duration amount draw", "takes wrong branches: amount is how many in 1,000")      \
    X(ADVERSARY, "adversary", "node duration amount draw", "does as a script wants: amount is enum world_deed bits;"  \
      " equal draws collude")                                                                                          \
    X(ATTACK, "attack", "node duration draw text", "follows the attack of that name (world_attack.h); equal draws"     \
      " collude")                                                                                                      \
    /* network */                                                                                                      \
    X(CUT, "cut", "set amount duration", "links between the set (bit place) and the rest are cut; amount 1: from the"  \
      " set, 2: to it, 3: both")                                                                                       \
    X(CUT_LINK, "cut-link", "node other duration", "the link from node to other is cut")                               \
    X(OMIT_SEND, "omit-send", "node duration amount draw", "what it sends is lost: amount in 1,000")                   \
    X(OMIT_RECEIVE, "omit-receive", "node duration amount draw", "what is sent to it is lost: amount in 1,000")        \
    X(SLOW_LINK, "slow-link", "node other duration amount", "amount ns more latency from node to other")               \
    X(BANDWIDTH, "bandwidth", "node duration amount", "what it sends leaves at amount bytes a second")                 \
    X(LOSE, "lose", "node other number", "the number-th message from node to other is lost")                           \
    X(DUPLICATE, "duplicate", "node other number draw", "it comes twice")                                              \
    X(REORDER, "reorder", "node other number draw", "later ones overtake it")                                          \
    X(CORRUPT, "corrupt", "node other number draw", "some of its bits flip")                                           \
    X(DELAY, "delay", "node other number duration", "it is that late")                                                 \
    X(EARLY, "early", "node other duration", "messages from node to other take no time at all")                        \
    /* disks */                                                                                                        \
    X(DISK_STALL, "disk-stall", "node duration", "nothing completes")                                                  \
    X(DISK_SLOW, "disk-slow", "node duration amount", "slower by that factor")                                         \
    X(DISK_FULL, "disk-full", "node duration", "nothing can grow")                                                     \
    X(DISK_LIE, "disk-lie", "node duration", "says durable what is not")                                               \
    X(DISK_LOSE, "disk-lose", "node amount draw", "the next amount durable writes are acknowledged and lost")          \
    X(DISK_MISDIRECT, "disk-misdirect", "node draw", "the next write lands elsewhere in its file")                     \
    X(DISK_ROT, "disk-rot", "node amount draw", "amount bits of what is durable flip")                                 \
    X(DISK_LATENT, "disk-latent", "node amount draw", "amount durable sectors cannot be read any more")                \
    /* clocks */                                                                                                       \
    X(CLOCK_DRIFT, "clock-drift", "node amount", "drifts by amount parts in 10^9 (signed) from now on")                \
    X(CLOCK_STEP, "clock-step", "node amount", "the wall clock jumps by amount ns (signed)")                           \
    X(CLOCK_FREEZE, "clock-freeze", "node duration", "both clocks stand still")                                        \
    /* clients */                                                                                                      \
    X(REQUEST, "request", "client node text", "the client asks the node: text is the command's words, separated by"    \
      " one blank; client is counted from 0")                                                                         \
    X(LEAVE, "leave", "client", "the client closes its connection")

enum plan_kind {
#define PLAN_KIND_ENUM(name, text, fields, what) PLAN_##name,
    PLAN_KINDS(PLAN_KIND_ENUM) PLAN_KIND_COUNT
#undef PLAN_KIND_ENUM
};
const char *plan_kind_name(enum plan_kind kind);
const char *plan_kind_fields(enum plan_kind kind);
bool plan_kind_find(struct span name, enum plan_kind *out);
/* Does it concern one message (LOSE, DUPLICATE, REORDER, CORRUPT, DELAY), so that it has no time? */
bool plan_kind_is_fate(enum plan_kind kind);

/* What an adversary may do to a message, for each receiver anew (equivocation). */
enum world_deed {
    DEED_MUTATE = 1 << 0,   /* fields changed, from the message table; the checksum is right, proofs cannot be forged */
    DEED_WITHHOLD = 1 << 1,
    DEED_DELAY = 1 << 2,
    DEED_REPLAY = 1 << 3,   /* one that it sent earlier, once more */
    DEED_TWIN = 1 << 4,     /* a second correct instance of the same name, with its own disk, that others hear too */
    DEED_FORGET = 1 << 5,   /* restarts from an older state of its disk, and says nothing of it */
    DEED_ALL = (1 << 6) - 1,
};

struct plan_item {
    enum plan_kind kind;
    int64_t at_ns;       /* world time; what concerns one message (LOSE, …) has none */
    int64_t duration_ns; /* or PLAN_FOREVER */
    uint32_t node, other, client;
    uint64_t set;
    int64_t amount;
    uint64_t number; /* of messages from node to other, from 1 */
    uint64_t draw;
    struct span text;
};

struct plan {
    struct heap *heap; /* borrowed; texts are copied there too */
    struct plan_item *items;
    uint32_t count, capacity;
};

void plan_init(struct plan *plan, struct heap *heap);
void plan_free(struct plan *plan);
/* Adds a copy. An invariant: there is memory. */
void plan_add(struct plan *plan, const struct plan_item *item);
/* Sorts by time, then by order of adding. */
void plan_sort(struct plan *plan);

#endif
