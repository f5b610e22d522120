/* Paxos' invariants across the members of one group, looked at after every turn of any of them.
 *
 *   PAX-1 one value a slot and ballot               PAX-4 agreement: one value is chosen in a slot (MPX-1)
 *   PAX-2 promises and acceptances that were told   PAX-5 a ballot is used by one life of one member
 *         survive restarts                          PAX-D what is known to be chosen is on a majority's disks
 *   PAX-3 what is proposed in a higher ballot than one in which a value was chosen is that value
 *
 * (Lamport, "Paxos Made Simple", 2001, section 2.2: P1a, P2a to P2c.) The checker sees what a spectator of all
 * members would: which member has accepted what in which ballot, and has it on disk. So it knows that a value is
 * chosen before any member does, and a later proposal of another value at once. Values are told apart by the time
 * that their first proposer gave them, their commands' count and their origin; the bytes are compared when they are
 * delivered (DIGEST, and the judge of all orders). */
#ifndef LOCKSTEP_LAB_PAXOS_CHECK_H
#define LOCKSTEP_LAB_PAXOS_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "contract/event.h"
#include "protocol/consensus/paxos.h"

/* How to look into a member. Those of paxos.h are PAXOS_ACCESSORS; tests hand in others. */
struct paxos_accessors {
    struct paxos_ballot (*promised)(const void *paxos);
    enum paxos_role (*role)(const void *paxos);
    bool (*recovering)(const void *paxos);
    uint64_t (*commit_slot)(const void *paxos);
    uint64_t (*first_slot)(const void *paxos);
    uint64_t (*top_slot)(const void *paxos);
    bool (*slot_at)(const void *paxos, uint64_t slot, struct paxos_accepted_slot *out);
};
extern const struct paxos_accessors PAXOS_ACCESSORS;

struct paxos_check;

/* A checker for at most 64 members, named by their places. NULL when the heap has no room. The accessors are
 * borrowed. */
struct paxos_check *paxos_check_create(struct heap *heap, uint32_t members, const struct paxos_accessors *accessors);
/* Back to the state after creation, for the next run; keeps the memory. */
void paxos_check_clear(struct paxos_check *check);

/* Call after every step of a member. NULL when all holds, else a literal that begins with the tag of what does not.
 * When the heap is full, what can no longer be remembered is no longer checked. */
const char *paxos_check_step(struct paxos_check *check, uint32_t place, const void *paxos, const struct event *event);

/* A message of this type (enum paxos_message) and body leaves the member for the node `to`: what it tells must
 * survive a crash from now on. */
void paxos_check_sent(struct paxos_check *check, uint32_t place, uint32_t to, uint16_t type, const void *body);

/* From now on this member may say and do what is wrong: nothing is concluded from what it holds, nor is PAX-D judged.
 * */
void paxos_check_turned(struct paxos_check *check, uint32_t place);

#endif
