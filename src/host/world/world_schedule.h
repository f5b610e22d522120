/* What is to happen, in order of virtual time: a binary heap whose ties are broken by rank, then by the order of
 * pushing, so that the same pushes come out in the same order on every machine. */
#ifndef LOCKSTEP_HOST_WORLD_SCHEDULE_H
#define LOCKSTEP_HOST_WORLD_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"

/* Of two entries with one time, that of the lower rank comes first: ends of faults, then what is done to the world from
 * outside, then all that happens in it. So a run from a plan meets each item at the very place where it was noted. */
enum schedule_rank { RANK_END, RANK_ITEM, RANK_REST };

struct schedule_entry {
    int64_t at_ns;
    uint64_t sequence; /* rank and number of the push; set by schedule_push */
    uint32_t kind;     /* the owner's */
    uint32_t target;   /* the owner's: which node, client, … */
    void *object;      /* the owner's; not looked at */
};

struct schedule {
    struct schedule_entry *entries;
    size_t count, capacity;
    uint64_t next_sequence;
    struct heap *heap; /* borrowed */
};

void schedule_init(struct schedule *schedule, struct heap *heap);
/* Gives the memory back; what is still waiting is forgotten. */
void schedule_free(struct schedule *schedule);
/* Adds an entry of the last rank. A full heap stops the run (invariant): the world's region is sized for its bounds. */
void schedule_push(struct schedule *schedule, int64_t at_ns, uint32_t kind, uint32_t target, void *object);
void schedule_push_ranked(struct schedule *schedule, enum schedule_rank rank, int64_t at_ns, uint32_t kind,
                          uint32_t target, void *object);
/* Takes the earliest entry; of those with the same time that of the lowest rank, then the one
 * pushed first. False when there is none. */
bool schedule_pop(struct schedule *schedule, struct schedule_entry *out);
/* Time of the earliest entry; INT64_MAX when there is none. */
static inline int64_t schedule_next_ns(const struct schedule *schedule)
{
    return schedule->count > 0 ? schedule->entries[0].at_ns : INT64_MAX;
}

#endif
