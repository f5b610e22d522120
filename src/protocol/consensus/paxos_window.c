/* The window of slots (paxos_window.h). */
#include "protocol/consensus/paxos_window.h"

#include "base/panic.h"

uint64_t paxos_window_capacity(uint32_t slots_max)
{
    uint64_t capacity = 16;
    while (capacity < slots_max)
        capacity *= 2;
    return capacity;
}

void paxos_window_init(struct paxos_window *window, struct paxos_cell *ring, uint64_t capacity)
{
    invariant((capacity & (capacity - 1)) == 0, "the window's size is a power of two");
    *window = (struct paxos_window){.ring = ring, .mask = capacity - 1, .head = 1, .top = 0};
}

struct paxos_cell *paxos_window_put(struct paxos_window *window, const struct paxos_cell *cell)
{
    invariant(paxos_window_fits(window, cell->slot), "a slot that is taken in fits into the window");
    invariant(cell->position != 0 && cell->count > 0, "a slot that is taken in has a record and commands");
    while (window->top < cell->slot) {
        window->top++;
        window->ring[window->top & window->mask] = (struct paxos_cell){.slot = window->top};
    }
    struct paxos_cell *place = &window->ring[cell->slot & window->mask];
    *place = *cell;
    return place;
}

/* The top is a slot that is held, so that "the highest accepted slot" needs no search. */
static void lower_top(struct paxos_window *window)
{
    while (window->top >= window->head && window->ring[window->top & window->mask].position == 0)
        window->top--;
}

void paxos_window_drop(struct paxos_window *window, uint64_t slot)
{
    struct paxos_cell *cell = paxos_window_at(window, slot);
    if (cell == 0)
        return;
    *cell = (struct paxos_cell){.slot = slot};
    lower_top(window);
}

void paxos_window_evict(struct paxos_window *window, uint64_t head)
{
    if (head <= window->head)
        return;
    window->head = head;
    if (window->top < head)
        window->top = head - 1;
}

void paxos_window_reset(struct paxos_window *window, uint64_t head)
{
    invariant(head > 0, "slots begin with 1");
    window->head = head;
    window->top = head - 1;
}

const char *paxos_window_check(const struct paxos_window *window)
{
    if (window->head == 0 || window->top + 1 < window->head || window->top - window->head + 1 > window->mask + 1)
        return "PAX-WINDOW the window's ends are wrong";
    if (window->top >= window->head && paxos_window_at(window, window->top) == 0)
        return "PAX-WINDOW the highest slot is a hole";
    for (uint64_t slot = window->head; slot <= window->top; slot++) {
        const struct paxos_cell *cell = &window->ring[slot & window->mask];
        if (cell->slot != slot)
            return "PAX-WINDOW a slot lies in the place of another";
        if (cell->position != 0 && (cell->ballot.round == 0 || cell->count == 0))
            return "PAX-WINDOW an accepted slot has no ballot or no commands";
    }
    return 0;
}
