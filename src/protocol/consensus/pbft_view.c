/* PBFT: view changes (Castro02, section 3.2.4; timers: Castro99, section 4.5.2).
 *
 * A member that has waited too long takes no more part in its view: it sends VIEW-CHANGE with its checkpoints (C), what
 * prepared here (P) and what it accepted (Q), for every number above its low water mark, and tells all others of each
 * VIEW-CHANGE that it gets (ACK). The new primary admits one that 2k-1 others acknowledged; once those admitted decide
 * all numbers (pbft_choose.h), they are the NEW-VIEW. A backup believes a VIEW-CHANGE inside it when it got the same
 * itself or k+1 members acknowledged it, and comes to the choice by itself, so the primary has no say in it. */
#include "protocol/consensus/pbft_internal.h"

size_t pbft_change_max(const struct group_spec *spec)
{
    return PBFT_CHANGE_HEAD_SIZE + PBFT_MARKS_MAX * PBFT_MARK_SIZE +
           2 * pbft_interval(spec) * (1 + PBFT_ACCEPTS_MAX) * PBFT_ENTRY_SIZE;
}

int64_t pbft_patience_ns(const struct pbft *self)
{
    uint32_t doublings = self->changes_tried < PBFT_DOUBLINGS_MAX ? self->changes_tried : PBFT_DOUBLINGS_MAX;
    return (2 * self->spec->tuning.election_timeout_ns) << doublings;
}

static size_t entry_add(uint8_t *out, size_t at, uint64_t number, const struct pbft_say *say)
{
    const struct pbft_entry entry = {number, say->view, say->value};
    pbft_entry_write(out + at, &entry);
    return at + PBFT_ENTRY_SIZE;
}

/* C, P and Q as of now. */
uint32_t pbft_change_write(struct pbft *self, uint8_t *out)
{
    uint32_t prepared = 0, accepted = 0;
    size_t at = PBFT_CHANGE_HEAD_SIZE;
    for (uint32_t i = 0; i < self->mark_count; i++, at += PBFT_MARK_SIZE)
        pbft_mark_write(out + at, &self->marks[i]);
    for (uint64_t n = self->stable.number + 1; n <= self->stable.number + self->window; n++) {
        const struct pbft_slot *slot = pbft_slot_known(self, n);
        if (slot == NULL || slot->prepared.view == 0)
            continue;
        at = entry_add(out, at, n, &slot->prepared);
        prepared++;
    }
    for (uint64_t n = self->stable.number + 1; n <= self->stable.number + self->window; n++) {
        const struct pbft_slot *slot = pbft_slot_known(self, n);
        for (uint32_t i = 0; slot != NULL && i < slot->accept_count; i++, accepted++)
            at = entry_add(out, at, n, &slot->accepts[i]);
    }
    pbft_change_head_write(out, self->stable.number, self->mark_count, prepared, accepted);
    return (uint32_t)at;
}

void pbft_store_state(struct pbft *self, struct effects *out)
{
    uint32_t change = self->active ? 0 : self->change_size;
    if (change > 0)
        memcpy(self->state_body, self->change_body, change);
    uint32_t size = change + pbft_change_write(self, self->state_body + change);
    const struct pbft_record_state record = {
        .view = self->view,
        .active = self->active,
        .forgot = self->forgot,
        .vote_from = self->vote_from,
        .stable = self->stable.number,
        .change = change,
        .body = effects_copy(out, self->state_body, size),
    };
    self->state_position = pbft_store(self, PBFT_RECORD_STATE, &record, out);
}

static void change_keep(struct pbft *self, uint32_t place, uint64_t view, struct span body)
{
    struct pbft_heard_change *change = &self->peers[place].change;
    change->view = view;
    change->size = (uint32_t)body.size;
    memmove(change->body, body.data, body.size);
    pbft_digest(body, change->digest);
}

static void send_change(struct pbft *self, uint32_t to, struct effects *out)
{
    const struct pbft_view_change message = {.view = self->view, .body = span_of(self->change_body, self->change_size)};
    pbft_send(self, to, PBFT_VIEW_CHANGE, &message, out)->after = pbft_after(self, self->state_position);
}

static void send_ack(struct pbft *self, uint32_t place, uint32_t to, struct effects *out)
{
    const struct pbft_heard_change *change = &self->peers[place].change;
    const struct pbft_ack ack = {.view = change->view,
                                 .of = self->peers[place].node,
                                 .digest0 = change->digest[0],
                                 .digest1 = change->digest[1],
                                 .digest2 = change->digest[2],
                                 .digest3 = change->digest[3]};
    pbft_send(self, to, PBFT_VIEW_CHANGE_ACK, &ack, out);
}

/* ---- entering a view ---- */

/* What the set proves of checkpoints: its members hold them. */
static void learn_marks(struct pbft *self, const struct pbft_mark *start, struct effects *out)
{
    if (start->number > 0 && start->number <= self->executed)
        pbft_stable_set(self, start, out);
}

static void enter(struct pbft *self, uint64_t view, struct effects *out)
{
    struct pbft_mark start;
    invariant(pbft_choose_start(&self->set, &start), "a new view begins with a checkpoint that was chosen before");
    uint64_t end = pbft_choose_end(&self->set, start.number, self->window);
    self->view = view;
    self->active = true;
    self->arrivals_before = self->arrivals;
    self->unsettled = 0;
    self->awaited = 0;
    self->deadline_ns = INT64_MAX;
    effect_disarm(out, PBFT_SLOT, PBFT_TIMER_VIEW, 0);
    learn_marks(self, &start, out);
    pbft_looks_bound(self, end);
    pbft_store_state(self, out);
    self->next = end + 1 > self->stable.number + 1 ? end + 1 : self->stable.number + 1;
    for (uint64_t n = start.number + 1; n <= end; n++) {
        struct pbft_value value;
        (void)pbft_choose(&self->set, n, &value);
        struct pbft_known *known = pbft_value_null(&value) ? NULL : pbft_known_find(self, value.digest);
        if (known != NULL)
            known->proposed = view;
        pbft_offer(self, n, &value, true, out);
    }
    effect_note(out, "NEW VIEW", view);
    pbft_tell_view(self, out);
}

static bool set_decides(struct pbft *self)
{
    struct pbft_mark start;
    struct pbft_value value;
    if (self->set.count < self->quorum || !pbft_choose_start(&self->set, &start))
        return false;
    uint64_t end = pbft_choose_end(&self->set, start.number, self->window);
    for (uint64_t n = start.number + 1; n <= end; n++)
        if (pbft_choose(&self->set, n, &value) == PBFT_UNDECIDED)
            return false;
    return true;
}

static void set_begin(struct pbft *self)
{
    self->set.count = 0;
    self->set.k = self->k;
    self->set.quorum = self->quorum;
    self->set.unchecked = pbft_ablated(self, PBFT_ABLATION_NO_CERTIFICATES);
}

static uint32_t acks_for(const struct pbft *self, uint32_t place, uint64_t view, const uint64_t digest[4])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->member_count; i++) {
        const struct pbft_heard_ack *ack = &self->peers[place].acks[i];
        count += i != place && i != self->self_place && ack->view == view &&
                 memcmp(ack->digest, digest, sizeof ack->digest) == 0;
    }
    return count;
}

/* The new primary: with itself and the sender, 2k-1 more have seen the same VIEW-CHANGE. */
static bool admitted(const struct pbft *self, uint32_t place)
{
    const struct pbft_heard_change *change = &self->peers[place].change;
    return change->view == self->view &&
           (place == self->self_place || self->set.unchecked ||
            acks_for(self, place, self->view, change->digest) + 2 >= self->quorum);
}

static void try_new_view(struct pbft *self, struct effects *out)
{
    if (self->active || self->forgot || self->view < self->vote_from ||
        pbft_primary_place(self, self->view) != self->self_place)
        return;
    set_begin(self);
    uint32_t size = 0;
    for (uint32_t i = 0; i < self->member_count; i++) {
        const struct pbft_heard_change *change = &self->peers[i].change;
        if (!admitted(self, i) || !pbft_change_open(span_of(change->body, change->size), self->view, self->window,
                                                    &self->set.changes[self->set.count]))
            continue;
        self->set.count++;
        store_u32(self->new_view + size, i);
        store_u32(self->new_view + size + 4, change->size);
        memcpy(self->new_view + size + 8, change->body, change->size);
        size += 8 + change->size;
    }
    if (!set_decides(self))
        return;
    self->new_view_size = size;
    self->new_view_of = self->view;
    enter(self, self->view, out);
    pbft_send_view(self, 0, false, out);
}

void pbft_send_view(struct pbft *self, uint32_t to, bool acks, struct effects *out)
{
    if (!self->active && self->change_size > 0)
        send_change(self, to, out);
    bool leads = self->active && self->new_view_of == self->view && pbft_leads(self);
    if (leads) {
        const struct pbft_new_view message = {.view = self->view,
                                              .changes = span_of(self->new_view, self->new_view_size)};
        pbft_send(self, to, PBFT_NEW_VIEW, &message, out)->after = pbft_after(self, self->state_position);
    }
    for (uint32_t i = 0; acks && i < self->member_count; i++)
        if (i != self->self_place && self->peers[i].change.view == self->view)
            send_ack(self, i, to, out);
}

static bool believed(const struct pbft *self, uint32_t sender, uint32_t place, uint64_t view, struct span body)
{
    uint64_t digest[4];
    const struct pbft_heard_change *change = &self->peers[place].change;
    pbft_digest(body, digest);
    bool heard = change->view == view && memcmp(change->digest, digest, sizeof digest) == 0;
    if (place == self->self_place)
        return heard;
    return place == sender || heard || self->set.unchecked || acks_for(self, place, view, digest) >= self->k + 1;
}

/* Fills the set with what a NEW-VIEW holds. False: malformed, or something in it is not believed (yet). */
static bool set_from(struct pbft *self, uint32_t sender, uint64_t view, struct span bytes)
{
    uint64_t seen = 0;
    set_begin(self);
    while (bytes.size > 0) {
        if (bytes.size < 8)
            return false;
        uint32_t place = load_u32(bytes.data), size = load_u32(bytes.data + 4);
        if (place >= self->member_count || size > bytes.size - 8 || (seen >> place & 1) != 0)
            return false;
        struct span body = span_of(bytes.data + 8, size);
        if (!believed(self, sender, place, view, body) ||
            !pbft_change_open(body, view, self->window, &self->set.changes[self->set.count]))
            return false;
        seen |= UINT64_C(1) << place;
        self->set.count++;
        bytes = span_of(bytes.data + 8 + size, bytes.size - 8 - size);
    }
    return set_decides(self);
}

void pbft_on_new_view(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_new_view *message = event->message.body;
    uint32_t from = (uint32_t)spec_member_place(self->spec, event->message.from.node);
    if (message->view == 0 || message->view < self->view || (message->view == self->view && self->active))
        return;
    if (pbft_primary_place(self, message->view) != from) {
        pbft_reject(out, "rejected: NEW-VIEW of one who is not the primary", event->message.from.node);
        return;
    }
    if (!set_from(self, from, message->view, message->changes)) {
        pbft_reject(out, "rejected: NEW-VIEW that its VIEW-CHANGEs do not decide", event->message.from.node);
        return;
    }
    enter(self, message->view, out);
}

/* ---- leaving one ---- */

void pbft_view_change(struct pbft *self, uint64_t view, struct effects *out)
{
    if (self->forgot || view <= self->view)
        return;
    self->view = view > self->vote_from ? view : self->vote_from;
    self->active = false;
    self->unsettled = 0;
    self->awaited = 0;
    self->changes_tried++;
    self->deadline_ns = INT64_MAX;
    effect_disarm(out, PBFT_SLOT, PBFT_TIMER_VIEW, 0);
    self->change_size = pbft_change_write(self, self->change_body);
    change_keep(self, self->self_place, self->view, span_of(self->change_body, self->change_size));
    pbft_store_state(self, out);
    send_change(self, 0, out);
    effect_note(out, "VIEW CHANGE", self->view);
    pbft_tell_view(self, out);
}

void pbft_view_timeout(struct pbft *self, struct effects *out)
{
    if (self->now_ns < self->deadline_ns)
        return;
    pbft_view_change(self, self->view + 1, out);
}

/* The latest view that it said it is in, or on its way to. */
static uint64_t view_of(const struct pbft_peer *peer)
{
    return peer->change.view > peer->view ? peer->change.view : peer->view;
}

void pbft_join(struct pbft *self, struct effects *out)
{
    uint32_t count = 0;
    uint64_t first = UINT64_MAX;
    for (uint32_t i = 0; i < self->member_count; i++) {
        uint64_t view = view_of(&self->peers[i]);
        if (i == self->self_place || view <= self->view)
            continue;
        count++;
        first = view < first ? view : first;
    }
    if (count >= self->k + 1)
        pbft_view_change(self, first, out);
}

/* The new view is given time only once a quorum wants it, so that nobody runs ahead alone. Who says that it is there
 * wanted it too: its VIEW-CHANGE may be lost, and whoever could show it again may have gone on, so that the NEW-VIEW is
 * never believed here. */
void pbft_view_wanted(struct pbft *self, struct effects *out)
{
    if (self->active || self->forgot || self->deadline_ns != INT64_MAX)
        return;
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->member_count; i++)
        count += i == self->self_place || view_of(&self->peers[i]) >= self->view;
    if (count < self->quorum)
        return;
    self->deadline_ns = self->now_ns + pbft_patience_ns(self);
    effect_arm(out, PBFT_SLOT, PBFT_TIMER_VIEW, 0, self->deadline_ns);
}

void pbft_on_view_change(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_view_change *message = event->message.body;
    uint32_t from = (uint32_t)spec_member_place(self->spec, event->message.from.node);
    struct pbft_heard_change *change = &self->peers[from].change;
    struct pbft_change opened;
    if (message->view < self->view || message->view < change->view)
        return;
    if (!pbft_change_open(message->body, message->view, self->window, &opened)) {
        pbft_reject(out, "rejected: malformed VIEW-CHANGE", event->message.from.node);
        return;
    }
    if (message->view > change->view) {
        change_keep(self, from, message->view, message->body);
        send_ack(self, from, 0, out);
    }
    pbft_join(self, out);
    pbft_view_wanted(self, out);
    try_new_view(self, out);
}

void pbft_on_ack(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_ack *message = event->message.body;
    uint32_t from = (uint32_t)spec_member_place(self->spec, event->message.from.node);
    int of = spec_member_place(self->spec, message->of);
    if (of < 0)
        return;
    struct pbft_heard_ack *ack = &self->peers[of].acks[from];
    if (message->view <= ack->view)
        return;
    *ack = (struct pbft_heard_ack){
        message->view, {message->digest0, message->digest1, message->digest2, message->digest3}};
    try_new_view(self, out);
}
