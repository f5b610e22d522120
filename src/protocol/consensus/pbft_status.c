/* PBFT: what others lack (Castro02, section 5.2: status messages). Now and then each member says how far it is; who
 * sees that it knows more sends that, a bounded piece at a time. So no message is ever repeated because of a timer
 * alone. */
#include "protocol/consensus/pbft_internal.h"

/* Requests that were named and are not here. */
static void fetch_missing(struct pbft *self, struct effects *out)
{
    uint32_t asked = 0;
    uint64_t last = self->stable.number + self->window;
    for (uint64_t n = self->stable.number + 1; n <= last && n <= self->top && asked < PBFT_RESENDS_MAX; n++) {
        const struct pbft_slot *slot = pbft_slot_known(self, n);
        if (slot == NULL)
            continue;
        const struct pbft_value *value = NULL;
        if (slot->committed && n > self->executed)
            value = &slot->committed_value;
        else if (slot->offer.view == self->view && slot->accepted.view != self->view)
            value = &slot->offer.value;
        if (value == NULL || pbft_value_null(value) || pbft_known_find(self, value->digest) != NULL)
            continue;
        pbft_fetch(self, value->digest, out);
        asked++;
    }
}

void pbft_status_arm(struct pbft *self, struct effects *out)
{
    self->status_at_ns = self->now_ns + self->spec->tuning.heartbeat_ns;
    effect_arm(out, PBFT_SLOT, PBFT_TIMER_STATUS, 0, self->status_at_ns);
}

void pbft_status_due(struct pbft *self, struct effects *out)
{
    const struct pbft_status status = {
        .view = self->view, .active = self->active, .executed = self->executed, .stable = self->stable.number};
    pbft_to_others(self, PBFT_STATUS, &status, out);
    pbft_recover_due(self, out);
    pbft_relay_due(self, out);
    fetch_missing(self, out);
    if (self->checkpoint_failed && self->pending_number == self->executed && !self->adopt_pending)
        pbft_checkpoint_take(self, out);
    pbft_adopt_if_behind(self, out);
    pbft_status_arm(self, out);
}

/* `together`: it is active in the same view, so votes of that are of use to it. */
static void send_votes(struct pbft *self, uint64_t number, uint32_t to, bool together, struct effects *out)
{
    const struct pbft_slot *slot = pbft_slot_known(self, number);
    if (slot == NULL)
        return;
    if (slot->committed) {
        const struct pbft_vote told = pbft_vote_of(0, number, &slot->committed_value);
        pbft_send(self, to, PBFT_COMMITTED, &told, out);
    }
    if (together && slot->accepted.view == self->view && !slot->committed)
        pbft_send_prepare(self, slot, to, out);
    if (together && slot->prepared.view == self->view)
        pbft_send_commit(self, slot, to, out);
}

/* All heard of each VIEW-CHANGE and ACK when it was made, so most who wait for a view lack nothing but time: what would
 * be n*n messages between two STATUSes is sent seldom to them, and at once to who is behind. */
static void send_view(struct pbft *self, struct pbft_peer *peer, const struct pbft_status *status, struct effects *out)
{
    bool same = status->view == self->view && status->active == 0;
    if (status->view < self->view || (same && self->active)) {
        pbft_send_view(self, peer->node, true, out);
        return;
    }
    if (!same)
        return;
    bool leads = peer->node == self->peers[pbft_primary_place(self, self->view)].node;
    if (peer->waits % PBFT_VIEW_RESENDS == 0)
        pbft_send_view(self, peer->node, leads || peer->waits % PBFT_ACK_RESENDS == 0, out);
    peer->waits++;
}

void pbft_on_status(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_status *status = event->message.body;
    uint32_t to = event->message.from.node;
    /* A NEW-VIEW on its way to this member is given the time between two STATUSes. */
    struct pbft_peer *peer = &self->peers[spec_member_place(self->spec, to)];
    if (peer->view == status->view)
        pbft_join(self, out);
    peer->view = status->view;
    peer->executed = status->executed;
    /* A link that was slow may bring a hundred at once. */
    if (peer->answered_ns != 0 && self->now_ns - peer->answered_ns < self->spec->tuning.heartbeat_ns / 2)
        return;
    peer->answered_ns = self->now_ns;
    send_view(self, peer, status, out);
    uint64_t newest = self->marks[self->mark_count - 1].number;
    if (status->stable < newest || status->executed < newest)
        pbft_send_checkpoint(self, to, out);
    bool together = self->active && status->active != 0 && status->view == self->view;
    uint64_t first = status->executed + 1;
    for (uint64_t n = first; n != 0 && n < first + PBFT_RESENDS_MAX; n++)
        send_votes(self, n, to, together, out);
}
