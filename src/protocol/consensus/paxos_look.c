/* Paxos: what the laboratory and people may look at (paxos.h). */
#include "protocol/consensus/paxos_internal.h"

const char *paxos_role_name(enum paxos_role role)
{
    switch (role) {
    case PAXOS_FOLLOWER:
        return "follower";
    case PAXOS_PRE_CANDIDATE:
        return "pre-candidate";
    case PAXOS_CANDIDATE:
        return "candidate";
    case PAXOS_LEADER:
        return "leader";
    }
    return "?";
}

struct paxos_ballot paxos_promised(const void *self)
{
    return ((const struct paxos *)self)->promised;
}

enum paxos_role paxos_role(const void *self)
{
    return ((const struct paxos *)self)->role;
}

bool paxos_recovering(const void *self)
{
    return ((const struct paxos *)self)->recovering;
}

uint64_t paxos_commit_slot(const void *self)
{
    return ((const struct paxos *)self)->commit;
}

uint64_t paxos_applied_slot(const void *self)
{
    return ((const struct paxos *)self)->applied;
}

uint64_t paxos_applied_index(const void *self)
{
    return ((const struct paxos *)self)->applied_index;
}

uint64_t paxos_first_slot(const void *self)
{
    return ((const struct paxos *)self)->window.head;
}

uint64_t paxos_top_slot(const void *self)
{
    return ((const struct paxos *)self)->window.top;
}

bool paxos_slot_at(const void *member, uint64_t slot, struct paxos_accepted_slot *out)
{
    const struct paxos *self = member;
    const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
    if (cell == NULL)
        return false;
    *out = (struct paxos_accepted_slot){cell->ballot, cell->position, cell->time_ns, cell->count, cell->origin,
                                        cell->reported};
    return true;
}
