/* RAFT-D: what a leader commits by counting is durable on a majority, as its card promises of every acknowledged
 * command (thesis 3.5 and 10.2.1: a leader may count itself only when its own disk has the entry). The harm of breaking
 * it needs a crash of the leader and a majority without those that had it, which campaigns meet once in a thousand
 * seeds; the broken promise itself is there at the first commit. */
#ifndef LOCKSTEP_LAB_RAFT_DURABLE_H
#define LOCKSTEP_LAB_RAFT_DURABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "contract/event.h"
#include "lab/judge/raft_check.h"

struct raft_durable;

/* NULL: no room. The accessors are borrowed. */
struct raft_durable *raft_durable_create(struct heap *heap, uint32_t place_count,
                                         const struct raft_accessors *accessors);
void raft_durable_clear(struct raft_durable *durable);
/* From now on this member may say what is not true, so nothing is judged any more. */
void raft_durable_turned(struct raft_durable *durable);
/* Call after each step of a member. NULL, or a literal that begins with the tag. */
const char *raft_durable_step(struct raft_durable *durable, uint32_t place, const void *raft,
                              const struct event *event);

#endif
