/* Raft's invariants across the members of one group, looked at after every step of any of them.
 *
 *   RAFT-1 at most one leader in a term             RAFT-5 all members deliver the same at an index
 *   RAFT-2 a leader only appends to its log         RAFT-6 term and vote never regress, restarts included
 *   RAFT-3 same index and term: same log up to it   RAFT-7 commit and applied index rise, applied <= commit
 *   RAFT-4 a leader holds what was committed before its term
 *
 * (Ongaro, "Consensus: Bridging Theory and Practice", figure 3.2.) The checker sees what a spectator of all members
 * would: it keeps who led which term, every committed entry, and what it last saw of each member, and looks only at what
 * changed since: amortised O(1) a step, up to the search of an entry in a log. */
#ifndef LOCKSTEP_LAB_RAFT_CHECK_H
#define LOCKSTEP_LAB_RAFT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "protocol/consensus/raft.h"

/* How to look into a member. Those of raft.h are RAFT_ACCESSORS; tests hand in others. */
struct raft_accessors {
    uint64_t (*term)(const void *raft);
    enum raft_role (*role)(const void *raft);
    uint32_t (*voted_for)(const void *raft); /* node id, 0: nobody yet in this term */
    uint64_t (*commit_index)(const void *raft);
    uint64_t (*applied_index)(const void *raft);
    uint64_t (*first_index)(const void *raft);
    uint64_t (*last_index)(const void *raft);
    bool (*recovering)(const void *raft);
    bool (*entry_at)(const void *raft, uint64_t index, uint64_t *term, uint64_t *first, uint32_t *count,
                     uint64_t *position);
};
extern const struct raft_accessors RAFT_ACCESSORS;

struct raft_check;

/* A checker for so many members, which are named by their places 0 to members - 1. NULL when the heap has no room. */
struct raft_check *raft_check_create(struct heap *heap, uint32_t members, const struct raft_accessors *accessors);
void raft_check_free(struct raft_check *check);
/* Back to the state after creation, for the next run; keeps the memory. */
void raft_check_clear(struct raft_check *check);

/* A member is looked at only while it is up, which it is not at first. */

/* Call when a member was stepped with its START, for the first time or after a restart: what it may have lost with its
 * memory (commit and applied index, the end of its log) may be less than before; what it promised may not, unless it found
 * damage and recovers (then it makes no promises before it was filled). NULL or a literal, as below. */
const char *raft_check_restarted(struct raft_check *check, uint32_t place, const void *raft);
/* The same for a member that forgot its promises with its disk (START_AMNESIAC): call it instead. */
void raft_check_forgot(struct raft_check *check, uint32_t place);
/* The member stopped: it is not looked at before one of the two above. */
void raft_check_stopped(struct raft_check *check, uint32_t place);

/* Call after every step of a member. NULL when all holds, else a literal that begins with the tag of what does not.
 * When the heap is full, what can no longer be remembered is no longer checked. */
const char *raft_check_step(struct raft_check *check, uint32_t place, const void *raft);

/* Optional, makes RAFT-6 sharp: a message of this type (enum raft_message) and body leaves the member, so whatever it
 * tells must survive a crash from now on. `to` is the receiver's node id. */
void raft_check_sent(struct raft_check *check, uint32_t place, uint32_t to, uint16_t type, const void *body);

/* Optional, makes RAFT-5 sharp: the command with these bytes is delivered as an update at `index` on a member. Without
 * it, only terms and extents of entries are compared. */
const char *raft_check_delivered(struct raft_check *check, uint32_t place, uint64_t index, struct span command);

#endif
