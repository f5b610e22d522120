/* PBFT: the three phases of a number, and execution (Castro99, section 4.2).
 *
 * prepared: the pre-prepare and 2k matching PREPAREs of distinct backups, so at least k+1 correct members accepted it
 * in this view, and no other value can prepare in it (PBFT-1). committed: 2k+1 matching COMMITs, the own one among
 * them; so any quorum that forms a later view holds a correct member where it prepared (PBFT-2). Each vote waits for
 * its record. Votes for a view that this member has not reached are kept, the latest of each member. */
#include "protocol/consensus/pbft_internal.h"

void pbft_slot_accept_note(struct pbft_slot *slot, uint64_t view, const struct pbft_value *value)
{
    uint32_t at = 0;
    while (at < slot->accept_count && !pbft_value_equal(&slot->accepts[at].value, value))
        at++;
    if (at == PBFT_ACCEPTS_MAX)
        at = 0; /* the oldest goes: Q only ever vouches for others' P, so this can cost time, not safety */
    if (at < slot->accept_count)
        memmove(&slot->accepts[at], &slot->accepts[at + 1], (slot->accept_count - at - 1) * sizeof *slot->accepts);
    else
        slot->accept_count++;
    slot->accepts[slot->accept_count - 1] = (struct pbft_say){view, *value};
}

static uint64_t store_vote(struct pbft *self, uint16_t type, uint64_t number, const struct pbft_say *say,
                           struct effects *out)
{
    const struct pbft_vote record = pbft_vote_of(say->view, number, &say->value);
    return pbft_store(self, type, &record, out);
}

void pbft_send_prepare(struct pbft *self, const struct pbft_slot *slot, uint32_t to, struct effects *out)
{
    const struct pbft_vote vote = pbft_vote_of(slot->accepted.view, slot->number, &slot->accepted.value);
    bool leads = pbft_primary_place(self, slot->accepted.view) == self->self_place;
    pbft_send(self, to, leads ? PBFT_PRE_PREPARE : PBFT_PREPARE, &vote, out)->after =
        pbft_after(self, slot->accepted_position);
}

void pbft_send_commit(struct pbft *self, const struct pbft_slot *slot, uint32_t to, struct effects *out)
{
    const struct pbft_vote vote = pbft_vote_of(slot->prepared.view, slot->number, &slot->prepared.value);
    pbft_send(self, to, PBFT_COMMIT, &vote, out)->after = pbft_after(self, slot->prepared_position);
}

/* A PRE-PREPARE is accepted once the request that it names is here. */
static void accept(struct pbft *self, struct pbft_slot *slot, struct effects *out)
{
    if (slot->offer.view != self->view || slot->accepted.view == self->view || !pbft_votes(self))
        return;
    if (!pbft_value_null(&slot->offer.value) && pbft_known_find(self, slot->offer.value.digest) == NULL)
        return;
    slot->accepted = slot->offer;
    pbft_slot_accept_note(slot, slot->accepted.view, &slot->accepted.value);
    slot->accepted_position = store_vote(self, PBFT_RECORD_ACCEPTED, slot->number, &slot->accepted, out);
    if (pbft_primary_place(self, self->view) == self->self_place)
        return;
    slot->says[self->self_place].prepare = slot->accepted;
    pbft_send_prepare(self, slot, 0, out);
}

static void prepare(struct pbft *self, struct pbft_slot *slot, struct effects *out)
{
    if (slot->accepted.view != self->view || slot->prepared.view == self->view || !pbft_votes(self))
        return;
    uint32_t count = 0, needed = self->quorum - 1;
    for (uint32_t i = 0; i < self->member_count; i++)
        count += i != pbft_primary_place(self, self->view) && slot->says[i].prepare.view == self->view &&
                 pbft_value_equal(&slot->says[i].prepare.value, &slot->accepted.value);
    if (count < needed && !pbft_ablated(self, PBFT_ABLATION_NO_PREPARE))
        return;
    if (slot->committed && !pbft_value_equal(&slot->committed_value, &slot->accepted.value)) {
        /* A later view committed it, which this member has not heard of yet: its own can decide nothing here any more. */
        if (slot->committed_view != 0 && slot->committed_view <= self->view)
            self->broken = "PBFT-2 another request prepared at a number that is committed";
        return;
    }
    slot->prepared = slot->accepted;
    self->prepared_top = slot->number > self->prepared_top ? slot->number : self->prepared_top;
    slot->prepared_position = store_vote(self, PBFT_RECORD_PREPARED, slot->number, &slot->prepared, out);
    slot->says[self->self_place].commit = slot->prepared;
    pbft_send_commit(self, slot, 0, out);
}

static void commit_value(struct pbft *self, struct pbft_slot *slot, uint64_t view, const struct pbft_value *value)
{
    if (slot->committed && !pbft_value_equal(&slot->committed_value, value))
        self->broken = "PBFT-2 a number was committed twice, with different requests";
    slot->committed = true;
    slot->committed_value = *value;
    slot->committed_view = view;
}

/* The own COMMIT counts once it is stored. It need not be among them: of 2k+1 that match, k+1 are of correct members
 * which prepared it, whatever this one knows; so one who was not there, or has gone on to a later view, learns it too. */
static void commit(struct pbft *self, struct pbft_slot *slot)
{
    bool own = slot->prepared_position <= self->stored_position || pbft_ablated(self, PBFT_ABLATION_NOT_STORED);
    uint32_t needed = pbft_ablated(self, PBFT_ABLATION_COMMIT_2K) ? 2 * self->k : self->quorum;
    for (uint32_t i = 0; i < self->member_count && !slot->committed; i++) {
        const struct pbft_say *said = &slot->says[i].commit;
        uint32_t count = 0;
        for (uint32_t j = 0; said->view != 0 && j < self->member_count; j++)
            count += (j != self->self_place || own) && slot->says[j].commit.view == said->view &&
                     pbft_value_equal(&slot->says[j].commit.value, &said->value);
        if (count >= needed)
            commit_value(self, slot, said->view, &said->value);
    }
}

/* k+1 members say that it is committed, so a correct one does. */
static void commit_told(struct pbft *self, struct pbft_slot *slot)
{
    for (uint32_t i = 0; i < self->member_count && !slot->committed; i++) {
        uint32_t count = 0;
        for (uint32_t j = 0; slot->says[i].told && j < self->member_count; j++)
            count += slot->says[j].told && pbft_value_equal(&slot->says[j].told_value, &slot->says[i].told_value);
        if (count >= self->k + 1)
            commit_value(self, slot, 0, &slot->says[i].told_value);
    }
}

void pbft_slot_advance(struct pbft *self, struct pbft_slot *slot, struct effects *out)
{
    accept(self, slot, out);
    prepare(self, slot, out);
    commit(self, slot);
    commit_told(self, slot);
}

/* Neither a request nor the disk can change anything for it in this view. */
static bool settled(const struct pbft *self, uint64_t number)
{
    const struct pbft_slot *slot = pbft_slot_known(self, number);
    return slot != NULL && slot->committed && (slot->prepared.view == self->view || !pbft_votes(self));
}

void pbft_window_advance(struct pbft *self, struct effects *out)
{
    if (self->unsettled <= self->stable.number)
        self->unsettled = self->stable.number + 1;
    while (settled(self, self->unsettled))
        self->unsettled++;
    uint64_t last = self->stable.number + self->window;
    for (uint64_t n = self->unsettled; n <= self->top && n <= last; n++)
        if (pbft_slot_known(self, n) != NULL)
            pbft_slot_advance(self, &self->slots[n % self->window], out);
}

void pbft_offer(struct pbft *self, uint64_t number, const struct pbft_value *value, bool vouched, struct effects *out)
{
    struct pbft_slot *slot = pbft_slot(self, number);
    if (slot == NULL || slot->offer.view == self->view || slot->accepted.view == self->view)
        return; /* PBFT-6; or the first word of a view counts */
    slot->offer = (struct pbft_say){self->view, *value};
    slot->offer_vouched = vouched;
    pbft_slot_advance(self, slot, out);
}

static bool time_sound(const struct pbft *self, const struct pbft_value *value)
{
    int64_t ahead_ns = PBFT_TIME_AHEAD_S * NS_PER_S;
    return value->time >= 0 && (value->time <= self->wall_ns || value->time - self->wall_ns <= ahead_ns);
}

static void hear(struct pbft_say *say, uint64_t view, const struct pbft_value *value)
{
    if (view > say->view)
        *say = (struct pbft_say){view, *value};
}

void pbft_on_vote(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_vote *vote = event->message.body;
    const struct pbft_value value = {{vote->digest0, vote->digest1, vote->digest2, vote->digest3}, vote->time};
    uint32_t from = (uint32_t)spec_member_place(self->spec, event->message.from.node);
    struct pbft_slot *slot = pbft_slot(self, vote->number);
    if (slot == NULL)
        return;
    bool voted = event->message.type != PBFT_COMMITTED;
    if (voted && vote->view < self->view && event->message.type != PBFT_COMMIT)
        return;
    bool primary = voted && vote->view != 0 && pbft_primary_place(self, vote->view) == from;
    switch (event->message.type) {
    case PBFT_PRE_PREPARE:
        if (primary && vote->view == self->view && self->active && time_sound(self, &value)) {
            bool first = slot->offer.view != self->view;
            pbft_offer(self, vote->number, &value, false, out);
            if (first && !pbft_value_null(&value) && pbft_known_find(self, value.digest) == NULL)
                pbft_fetch(self, value.digest, out);
        }
        return;
    case PBFT_PREPARE:
        if (!primary)
            hear(&slot->says[from].prepare, vote->view, &value);
        break;
    case PBFT_COMMIT:
        hear(&slot->says[from].commit, vote->view, &value);
        break;
    default:
        if (!slot->says[from].told)
            slot->says[from].told_value = value;
        slot->says[from].told = true;
        break;
    }
    pbft_slot_advance(self, slot, out);
}

/* PBFT-3: in the order of numbers, each once. */
void pbft_deliver(struct pbft *self, struct effects *out)
{
    for (uint32_t i = 0; i < PBFT_DELIVERIES_MAX; i++) {
        uint64_t number = self->executed + 1;
        const struct pbft_slot *slot = pbft_slot_known(self, number);
        if (slot == NULL || !slot->committed || self->adopt_pending)
            return;
        if (number % self->interval == 0 && self->checkpoint_pending)
            return; /* all members take their checkpoints at the same numbers */
        bool null = pbft_value_null(&slot->committed_value);
        struct pbft_known *known = null ? NULL : pbft_known_find(self, slot->committed_value.digest);
        if (!null && known == NULL)
            return;
        if (slot->committed_value.time > self->time_ns)
            self->time_ns = slot->committed_value.time;
        if (null)
            (void)effect_deliver_bytes(out, DELIVER_UPDATE, self->index + 1, self->time_ns, (struct span){0});
        else
            (void)effect_deliver_record(out, self->index + 1, self->time_ns, known->position);
        self->index += null || known->count == 0 ? 1 : known->count;
        self->executed = number;
        if (self->active)
            self->changes_tried = 0;
        if (known != NULL)
            pbft_client_executed(self, known);
        if (number % self->interval == 0)
            pbft_checkpoint_take(self, out);
    }
    effect_again(out);
}
