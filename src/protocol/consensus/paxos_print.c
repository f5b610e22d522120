/* A Paxos member's state in one line for people (protocol.print): role and promise first, then the slots, then what
 * only some roles have. Ballots are round.node. */
#include "contract/text.h"
#include "protocol/consensus/paxos_internal.h"

static void number(struct text *out, const char *name, uint64_t value)
{
    text_add(out, " ");
    text_add(out, name);
    text_add(out, "=");
    text_add_u64(out, value);
}

static void ballot(struct text *out, struct paxos_ballot value)
{
    text_add_u64(out, value.round);
    text_add(out, ".");
    text_add_u64(out, value.node);
}

/* slots=[1:1.1,2:1.1,4:2.3]: each slot that is held and the ballot in which it was accepted; at most the last few. */
static void print_slots(struct text *out, const struct paxos_window *window)
{
    enum { SHOWN_MAX = 8 };
    uint64_t from = window->head;
    if (window->top + 1 - window->head > SHOWN_MAX)
        from = window->top + 1 - SHOWN_MAX;
    text_add(out, " slots=");
    text_add(out, from > 1 ? ".." : "");
    text_add(out, "[");
    bool first = true;
    for (uint64_t slot = from; slot <= window->top; slot++) {
        const struct paxos_cell *cell = paxos_window_at(window, slot);
        if (cell == NULL)
            continue;
        text_add(out, first ? "" : ",");
        text_add_u64(out, slot);
        text_add(out, ":");
        ballot(out, cell->ballot);
        first = false;
    }
    text_add(out, "]");
}

static void print_candidate(struct text *out, const struct paxos *self)
{
    text_add(out, " reported=");
    bool first = true;
    for (uint32_t i = 0; i < self->peers.count; i++) {
        bool own = i == self->peers.self_place && self->own_stored;
        if (!own && self->reported[i] != PAXOS_REPORTED_ALL)
            continue;
        text_add(out, first ? "" : ",");
        text_add_u64(out, self->peers.list[i].node);
        first = false;
    }
    text_add(out, first ? "none" : "");
}

void paxos_print(const void *member, struct text *out)
{
    const struct paxos *self = member;
    text_add(out, "role=");
    text_add(out, self->recovering ? "recovering" : paxos_role_name(self->role));
    text_add(out, " promised=");
    ballot(out, self->promised);
    number(out, "leader", self->leader);
    number(out, "commit", self->commit);
    number(out, "applied", self->applied);
    number(out, "index", self->applied_index);
    number(out, "top", self->window.top);
    print_slots(out, &self->window);
    number(out, "written", self->disk.written);
    number(out, "stored", self->disk.stored);
    if (self->role == PAXOS_LEADER) {
        peers_print(&self->peers, out);
        number(out, "beat", self->peers.beat);
    } else if (self->role == PAXOS_CANDIDATE) {
        print_candidate(out, self);
    } else {
        number(out, "matched", self->matched);
    }
    if (self->checkpoint_slot > 0)
        number(out, "checkpoint", self->checkpoint_slot);
    if (self->adopt_pending)
        text_add(out, " adopts=yes");
    if (self->disk.full)
        text_add(out, " disk=full");
}
