/* The slots that a Paxos member keeps in memory: where the record of each accepted proposal lies, not what it says.
 *
 * A ring addressed by slot. Unlike a log it may have holes: acceptors accept slots in any order. Slots below `head`
 * were executed and lie in a checkpoint; `top` is the highest slot held, or head - 1.
 *
 * Invariants: every cell of [head, top] is initialised, held or not; the cell at top is held, unless the window is
 * empty; a held cell names its own slot, a ballot and a position. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_WINDOW_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_WINDOW_H

#include "protocol/consensus/paxos_rules.h"

struct paxos_cell {
    uint64_t slot;
    struct paxos_ballot ballot; /* in which this member accepted it, or another one of which it was reported */
    uint64_t position;          /* of the stored record, here; 0: the slot is a hole */
    uint64_t index;             /* of its first command, once it is known to be chosen with all before it; else 0 */
    int64_t time_ns;
    uint32_t count;  /* commands, at least 1 */
    uint32_t size;   /* bytes of the stored record with its prefix */
    uint32_t origin; /* node of the session; 0 for a no-op */
    bool reported;   /* it was not accepted here: phase 1 told of it */
};

struct paxos_window {
    struct paxos_cell *ring;
    uint64_t mask; /* cells - 1 */
    uint64_t head, top;
};

/* Cells that a window of at most `slots_max` slots takes: the next power of two, at least 16. */
uint64_t paxos_window_capacity(uint32_t slots_max);

/* An empty window over borrowed cells, which need not be initialised; its head is slot 1. */
void paxos_window_init(struct paxos_window *window, struct paxos_cell *ring, uint64_t capacity);

/* The cell of a slot that is held, or NULL for a hole and for slots outside. */
static inline struct paxos_cell *paxos_window_at(const struct paxos_window *window, uint64_t slot)
{
    if (slot < window->head || slot > window->top)
        return 0;
    struct paxos_cell *cell = &window->ring[slot & window->mask];
    return cell->position == 0 ? 0 : cell;
}

/* Slots that fit above the highest one held. */
static inline uint64_t paxos_window_room(const struct paxos_window *window)
{
    return window->head + window->mask - window->top;
}

/* Does the slot have a place in the window as it is? */
static inline bool paxos_window_fits(const struct paxos_window *window, uint64_t slot)
{
    return slot >= window->head && slot - window->head <= window->mask;
}

/* Takes a cell into the place of its slot, which must fit (invariant); what was there is replaced. */
struct paxos_cell *paxos_window_put(struct paxos_window *window, const struct paxos_cell *cell);

/* The slot becomes a hole. */
void paxos_window_drop(struct paxos_window *window, uint64_t slot);

/* Drops the slots before this one; a head above the top empties the window. Never moves backwards. */
void paxos_window_evict(struct paxos_window *window, uint64_t head);

/* Empties the window; it goes on at this slot. */
void paxos_window_reset(struct paxos_window *window, uint64_t head);

/* NULL, or what is wrong. Looks at every cell: for tests, and rarely. */
const char *paxos_window_check(const struct paxos_window *window);

#endif
