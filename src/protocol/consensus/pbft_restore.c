/* PBFT: restart from the log. A STATE record says everything up to its place but the requests; votes after it follow in
 * their order. What was executed after the checkpoint is executed again once others tell that it was committed. */
#include "base/hash.h"
#include "protocol/consensus/pbft_internal.h"

static void restore_vote(struct pbft *self, const struct event_restore *restore)
{
    const struct pbft_vote *vote = restore->body;
    const struct pbft_say say = {vote->view,
                                 {{vote->digest0, vote->digest1, vote->digest2, vote->digest3}, vote->time}};
    struct pbft_slot *slot = pbft_slot(self, vote->number);
    if (slot == NULL)
        return;
    if (restore->type == PBFT_RECORD_ACCEPTED) {
        slot->offer = slot->accepted = say;
        slot->accepted_position = restore->position;
        pbft_slot_accept_note(slot, say.view, &say.value);
    } else {
        slot->prepared = say;
        self->prepared_top = slot->number > self->prepared_top ? slot->number : self->prepared_top;
        slot->prepared_position = restore->position;
    }
}

static void restore_entries(struct pbft *self, const struct pbft_change *change, uint64_t position)
{
    for (uint32_t i = 0; i < change->accepted_count; i++) {
        const struct pbft_entry entry = pbft_entry_read(change->accepted + (size_t)i * PBFT_ENTRY_SIZE);
        struct pbft_slot *slot = pbft_slot(self, entry.number);
        pbft_slot_accept_note(slot, entry.view, &entry.value);
        if (entry.view >= slot->accepted.view) {
            slot->offer = slot->accepted = (struct pbft_say){entry.view, entry.value};
            slot->accepted_position = position;
        }
    }
    for (uint32_t i = 0; i < change->prepared_count; i++) {
        const struct pbft_entry entry = pbft_entry_read(change->prepared + (size_t)i * PBFT_ENTRY_SIZE);
        struct pbft_slot *slot = pbft_slot(self, entry.number);
        slot->prepared = (struct pbft_say){entry.view, entry.value};
        self->prepared_top = slot->number > self->prepared_top ? slot->number : self->prepared_top;
        slot->prepared_position = position;
    }
}

static void slots_clear(struct pbft *self)
{
    for (uint64_t i = 0; i < self->window; i++)
        self->slots[i].number = 0;
}

static void restore_state(struct pbft *self, const struct event_restore *restore)
{
    const struct pbft_record_state *record = restore->body;
    struct pbft_change change;
    /* P and Q hold entries of the view itself where it is active. */
    if (record->change > record->body.size || record->change > pbft_change_max(self->spec) ||
        !pbft_change_open(span_of(record->body.data + record->change, record->body.size - record->change),
                          record->view + 1, self->window, &change)) {
        self->forgot = true;
        return;
    }
    slots_clear(self);
    self->view = record->view;
    self->active = record->active != 0;
    self->forgot = record->forgot != 0; /* what was lost before this record does not matter any more */
    self->vote_from = record->vote_from;
    self->change_size = record->change;
    if (record->change > 0)
        memcpy(self->change_body, record->body.data, record->change);
    self->mark_count = change.mark_count;
    for (uint32_t i = 0; i < change.mark_count; i++)
        self->marks[i] = pbft_mark_read(change.marks + (size_t)i * PBFT_MARK_SIZE);
    self->stable = self->marks[0];
    self->state_position = restore->position;
    restore_entries(self, &change, restore->position);
}

void pbft_restore(struct pbft *self, const struct event *event)
{
    const struct event_restore *restore = &event->restore;
    switch (restore->kind) {
    case RESTORE_PART:
        if (!pbft_part_read(self, restore->part, restore->index))
            self->part_lost = true;
        else
            self->adopt_mark = (struct pbft_mark){self->executed, restore->index, restore->seal};
        return;
    case RESTORE_GAP:
        self->forgot = true; /* promises may be lost, unless a record of the state follows */
        return;
    case RESTORE_RECORD:
        break;
    }
    if (restore->type == PBFT_RECORD_REQUEST) {
        const struct pbft_record_request *record = restore->body;
        (void)pbft_known_add(self, record->origin, record->bundle, restore->position, true, NULL);
    } else if (restore->type == PBFT_RECORD_STATE) {
        restore_state(self, restore);
    } else {
        restore_vote(self, restore);
    }
}

void pbft_start(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct event_start *start = &event->start;
    self->started = true;
    self->incarnation = start->incarnation;
    self->last_position = self->stored_position = start->position;
    bool forgot = self->forgot || self->part_lost || start->kind == START_AMNESIAC;
    self->forgot = false;
    if (forgot && !pbft_ablated(self, PBFT_ABLATION_VOTE_FORGOTTEN)) {
        slots_clear(self); /* a part of what was promised is of no use */
        pbft_forget(self, hash_mix(self->seed, start->incarnation));
    }
    self->next = self->stable.number + 1;
    for (uint64_t i = 0; i < self->window; i++) {
        struct pbft_slot *slot = &self->slots[i];
        if (slot->number <= self->stable.number || slot->accepted.view != self->view)
            continue;
        self->next = slot->number + 1 > self->next ? slot->number + 1 : self->next;
        struct pbft_known *known = pbft_known_find(self, slot->accepted.value.digest);
        if (known != NULL)
            known->proposed = self->view;
        if (pbft_primary_place(self, self->view) != self->self_place)
            slot->says[self->self_place].prepare = slot->accepted;
        if (slot->prepared.view == self->view)
            slot->says[self->self_place].commit = slot->prepared;
    }
    if (!self->active && self->change_size > 0) {
        struct pbft_heard_change *change = &self->peers[self->self_place].change;
        change->view = self->view;
        change->size = self->change_size;
        memcpy(change->body, self->change_body, self->change_size);
        pbft_digest(span_of(change->body, change->size), change->digest);
    }
    /* The checkpoint that it begins with was durable, whether this was said or not. */
    if (self->adopt_mark.number > 0)
        pbft_mark_hold(self, &self->adopt_mark, out);
    pbft_store_state(self, out);
    pbft_tell_view(self, out);
    /* Its NEW-VIEW is forgotten, so it could not bring those into the view who have not heard of it. */
    if (pbft_leads(self) && self->view > 1)
        pbft_view_change(self, self->view + 1, out);
    if (start->kind == START_FIRST)
        pbft_status_arm(self, out); /* nobody lacks anything */
    else
        pbft_status_due(self, out);
}
