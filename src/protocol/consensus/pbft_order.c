/* PBFT: what the primary orders next, and for what a backup loses patience (Castro99, sections 4.2 and 4.4). */
#include "protocol/consensus/pbft_internal.h"

/* Others have it, or can get it: pbft_relay.c has the argument. What is its own they get from this member. */
static bool reachable(const struct pbft *self, const struct pbft_known *known)
{
    return known->shared || known->waited == 0 || known->arrival > self->arrivals_before ||
           known->origin == self->self_node;
}

static bool orderable(const struct pbft *self, const struct pbft_known *known)
{
    return !known->parked && known->proposed != self->view && !pbft_known_done(self, known) &&
           reachable(self, known);
}

/* The next to be ordered: the oldest, but of its origin's the one with the lowest number, as sessions want it. */
static struct pbft_known *next_request(struct pbft *self)
{
    struct pbft_known *best;
    for (best = pbft_known_open(self); best != NULL && !orderable(self, best);)
        best = pbft_known_next(self, best);
    if (best == NULL || best->barrier)
        return best;
    struct pbft_known *lowest = best;
    for (struct pbft_known *known = pbft_known_next(self, best); known != NULL; known = pbft_known_next(self, known))
        if (known->origin == best->origin && orderable(self, known) && !known->barrier &&
            known->incarnation == lowest->incarnation && known->first_number < lowest->first_number)
            lowest = known;
    return lowest;
}

void pbft_propose(struct pbft *self, const struct event *event, struct effects *out)
{
    if (!pbft_leads(self) || self->disk_full)
        return;
    for (uint32_t i = 0; i < PBFT_PROPOSALS_MAX; i++) {
        bool room = self->next <= self->stable.number + self->window;
        struct pbft_known *known = room ? next_request(self) : NULL;
        if (known == NULL)
            return;
        known->proposed = self->view;
        struct pbft_value value = {.time = event->wall_ns > self->time_ns ? event->wall_ns : self->time_ns};
        memcpy(value.digest, known->digest, sizeof value.digest);
        const struct pbft_vote vote = pbft_vote_of(self->view, self->next, &value);
        pbft_offer(self, self->next++, &value, false, out);
        /* Restarted in this view, the primary must know what it said: the message waits for the record of its own. */
        pbft_to_others(self, PBFT_PRE_PREPARE, &vote, out)->after = pbft_after(self, self->last_position);
    }
    effect_again(out);
}

/* ---- patience ---- */

/* The first number that was offered in this view and is not executed; 0: there is none. It may name a request that
 * nobody can show, and then all wait for it. */
static uint64_t offered(const struct pbft *self)
{
    for (uint64_t n = self->executed + 1; n <= self->top; n++) {
        const struct pbft_slot *slot = pbft_slot_known(self, n);
        if (slot != NULL && slot->offer.view == self->view)
            return n;
    }
    return 0;
}

static uint64_t awaits(struct pbft *self)
{
    if (pbft_leads(self) || self->forgot)
        return 0;
    const struct pbft_known *oldest = pbft_known_open(self);
    while (oldest != NULL && (oldest->parked || !oldest->pressing || pbft_known_done(self, oldest)))
        oldest = pbft_known_next(self, oldest);
    uint64_t number = oldest == NULL ? offered(self) : 0;
    return oldest != NULL ? oldest->arrival : number == 0 ? 0 : PBFT_AWAITS_NUMBER | number;
}

void pbft_await(struct pbft *self, struct effects *out)
{
    if (!self->active)
        return;
    uint64_t awaited = awaits(self);
    if (awaited == self->awaited)
        return;
    self->awaited = awaited;
    if (awaited == 0) {
        self->deadline_ns = INT64_MAX;
        effect_disarm(out, PBFT_SLOT, PBFT_TIMER_VIEW, 0);
        return;
    }
    self->deadline_ns = self->now_ns + pbft_patience_ns(self);
    effect_arm(out, PBFT_SLOT, PBFT_TIMER_VIEW, 0, self->deadline_ns);
}
