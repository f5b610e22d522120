/* What a protocol is to the rest of the system: one table of functions and declared properties.
 *
 * A core (protocol or service) makes no system call, has no writable global, reads no clock, uses no floating point
 * (protocols), allocates only from the heap that it was given, and never iterates in pointer order. Every random draw
 * comes from a generator in its state. A test looks at its symbols. */
#ifndef LOCKSTEP_CONTRACT_PROTOCOL_H
#define LOCKSTEP_CONTRACT_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "contract/canon.h"
#include "contract/effect.h"
#include "contract/event.h"
#include "contract/message.h"
#include "contract/spec.h"

struct text; /* contract/text.h */

enum order { ORDER_NONE, ORDER_FIFO, ORDER_CAUSAL, ORDER_TOTAL };
enum failure_model { MASKS_NOTHING, MASKS_CRASH, MASKS_OMISSION, MASKS_TIMING, MASKS_VALUE, MASKS_ARBITRARY };
enum members_for_k { MEMBERS_ANY, MEMBERS_K_PLUS_1, MEMBERS_2K_PLUS_1, MEMBERS_3K_PLUS_1 };
enum maturity { MATURITY_LAB, MATURITY_PRODUCTION };

const char *order_name(enum order order);
const char *failure_model_name(enum failure_model model);
const char *members_for_k_name(enum members_for_k members);
const char *maturity_name(enum maturity maturity);

/* What a member says of itself, for status pages and people. */
struct member_status {
    const char *role; /* "leader", "follower", … */
    uint64_t term;    /* term, view, epoch; 0 where there is none */
    uint32_t orderer; /* node, 0: nobody known */
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t last_index;
    bool voter; /* false: it does not count (amnesiac, damaged, not yet filled) */
};

/* Of another member, as the one that orders sees it. */
struct member_progress {
    uint32_t node;
    uint64_t stored_index;
    uint32_t suspicion;
};

struct protocol {
    const char *name;
    const char *question; /* the folder: "consensus" */
    const char *summary;  /* one sentence */
    enum order order;
    bool atomic;
    bool durable;
    enum failure_model masks;
    enum members_for_k members_for_k;
    enum maturity maturity;

    struct message_table messages;
    struct message_table records;
    const char *const *ablations; /* names, in the order of their bits; ends with NULL */

    /* Bytes of heap that a member needs: a function of the specification alone. */
    size_t (*heap_size)(const struct group_spec *spec);
    /* Most effects and scratch bytes that one step can write. */
    uint32_t (*effects_max)(const struct group_spec *spec);
    size_t (*scratch_max)(const struct group_spec *spec);
    /* A new member on that heap; the spec is borrowed for its life. */
    void *(*create)(struct heap *heap, const struct group_spec *spec, uint64_t seed);
    void (*step)(void *self, const struct event *event, struct effects *out);
    /* Invariants of the state, and of the step from the one that check() saw last. NULL when they hold, else a literal
     * that begins with the tag of the one that does not: "RAFT-6 the term fell". */
    const char *(*check)(void *self);
    void (*status)(const void *self, struct member_status *out);
    /* The place-th other member; false when there is none or the member does not know. */
    bool (*progress)(const void *self, uint32_t place, struct member_progress *out);
    /* The state in one line for people: words "name=value" separated by blanks, what tells most first. */
    void (*print)(const void *self, struct text *out);
    /* The canonical state, for the explorer. */
    void (*canonical)(const void *self, struct canon *out);
};

#endif
