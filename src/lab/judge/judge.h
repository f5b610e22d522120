/* Judges: what is checked across the members of a run, beside what the world checks of each. One for each protocol that
 * promises something that no single member can see. */
#ifndef LOCKSTEP_LAB_JUDGE_H
#define LOCKSTEP_LAB_JUDGE_H

#include "base/heap.h"
#include "host/world/world.h"

struct judge_kind {
    const char *protocol; /* its name */
    const char *service;  /* that it is judged with */
    const char *history;  /* the tag of "what clients saw is linearizable", where it has one of its own; else NULL */
    uint32_t faults;      /* enum world_fault: those under which the protocol promises something */
    /* Everything from the heap; NULL when it has no room. */
    void *(*create)(struct heap *heap, uint32_t node_count);
    void (*clear)(void *self); /* for the next run */
    struct world_watch watch;  /* without its context */
    /* After the run, when nothing was violated: the members still stand. */
    void (*finish)(void *self, struct world *world);
};

extern const struct judge_kind judge_raft;
extern const struct judge_kind judge_paxos;
extern const struct judge_kind judge_pbft;
extern const struct judge_kind judge_two_phase_commit;
extern const struct judge_kind judge_anti_entropy;
extern const struct judge_kind judge_chandy_lamport;
extern const struct judge_kind judge_flooding;
extern const struct judge_kind judge_flooding_early;
extern const struct judge_kind judge_byzantine_vectors;
extern const struct judge_kind judge_oral_messages;
extern const struct judge_kind judge_signed_messages;
extern const struct judge_kind judge_two_generals;
extern const struct judge_kind judge_synod;

/* The judge of that protocol, or NULL: then only the world judges. */
const struct judge_kind *judge_find(const char *protocol);

/* Is what the clients of a kv service saw linearizable? Violates the world with that property if not. False: it was too
 * much work to tell. A node whose word does not count may order anything in its own session, and what its clients asked
 * for as often as it wants: keys that were written so are not judged. The watch finds them out, of one run. */
struct judge_history;
struct judge_history *judge_history_create(struct heap *heap);
struct world_watch judge_history_begin(struct judge_history *judge);
bool judge_history_check(struct judge_history *judge, struct world *world, const char *property);

#endif
