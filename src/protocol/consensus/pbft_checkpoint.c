/* PBFT: checkpoints, water marks and state transfer (Castro99, section 4.3; Castro02, sections 4.2 and 4.3.2).
 *
 * Every K numbers all members write a checkpoint. Its bytes are a function of what was executed alone: the protocol's
 * part holds nothing of the member's own. So its digest is the digest of the state. A quorum of equal CHECKPOINTs makes
 * it stable: the low water mark moves there, and what is below is forgotten. k+1 equal ones prove that it is right: who
 * cannot go on alone becomes it; node/ checks the bytes that it gets against the digest.
 *
 * Part: u64 number, u64 index, i64 time, then what was executed of each origin: u64 count, and for each member by place,
 * then for each client ascending, u64 node, number that was executed last, incarnation, executed, first incomplete,
 * incarnation and number of its barrier. */
#include "protocol/consensus/pbft_internal.h"

static struct pbft_checkpoint message_of(const struct pbft_mark *mark)
{
    const struct sha256_seal *seal = &mark->seal;
    return (struct pbft_checkpoint){mark->number,    mark->index,     seal->size,     seal->digest[0],
                                    seal->digest[1], seal->digest[2], seal->digest[3]};
}

static struct span part_write(const struct pbft *self, struct effects *out)
{
    uint8_t *bytes = self->part;
    store_u64(bytes, self->executed);
    store_u64(bytes + 8, self->index);
    store_u64(bytes + 16, (uint64_t)self->time_ns);
    return effects_copy(out, bytes, PBFT_PART_HEAD_SIZE + pbft_clients_write(self, bytes + PBFT_PART_HEAD_SIZE));
}

bool pbft_part_read(struct pbft *self, struct span part, uint64_t index)
{
    if (part.size < PBFT_PART_HEAD_SIZE || load_u64(part.data + 8) != index ||
        !pbft_clients_read(self, span_of(part.data + PBFT_PART_HEAD_SIZE, part.size - PBFT_PART_HEAD_SIZE)))
        return false;
    self->executed = load_u64(part.data);
    self->index = index;
    self->time_ns = (int64_t)load_u64(part.data + 16);
    return true;
}

/* The first record that is still needed after the checkpoint: the state, or a request that it refers to. */
static uint64_t keep_from(const struct pbft *self)
{
    uint64_t keep = self->state_position;
    for (const struct pbft_known *at = pbft_known_first(self); at != NULL; at = pbft_known_next(self, at))
        keep = at->position < keep ? at->position : keep;
    return keep > self->stored_position + 1 ? self->stored_position + 1 : keep;
}

void pbft_checkpoint_take(struct pbft *self, struct effects *out)
{
    pbft_known_forget_old(self);
    pbft_store_state(self, out);
    self->checkpoint_pending = true;
    self->checkpoint_failed = false;
    self->pending_number = self->executed;
    effect_checkpoint(out, keep_from(self), part_write(self, out));
}

static void mark_add(struct pbft *self, const struct pbft_mark *mark)
{
    if (self->mark_count > 0 && self->marks[self->mark_count - 1].number >= mark->number)
        return;
    if (self->mark_count == PBFT_MARKS_MAX) { /* the oldest behind the stable one goes: votes are counted from that */
        memmove(self->marks + 1, self->marks + 2, (PBFT_MARKS_MAX - 2) * sizeof *self->marks);
        self->mark_count--;
    }
    self->marks[self->mark_count++] = *mark;
}

void pbft_stable_set(struct pbft *self, const struct pbft_mark *mark, struct effects *out)
{
    if (mark->number <= self->stable.number)
        return;
    self->stable = *mark;
    uint32_t first = 0;
    while (first < self->mark_count && self->marks[first].number <= mark->number)
        first++;
    /* C always begins with the stable one. */
    uint32_t kept = self->mark_count - first < PBFT_MARKS_MAX - 1 ? self->mark_count - first : PBFT_MARKS_MAX - 1;
    memmove(self->marks + 1, self->marks + first, kept * sizeof *self->marks);
    self->marks[0] = *mark;
    self->mark_count = kept + 1;
    if (self->next <= mark->number)
        self->next = mark->number + 1;
    effect_note(out, "stable", mark->number);
    if (pbft_recovery_ends(self)) {
        self->forgot = false;
        effect_note(out, "votes again from this view on", self->vote_from);
    }
    /* Votes above the former high water mark follow: after a restart they must lie inside the window. */
    pbft_store_state(self, out);
}

static uint32_t claims_of(const struct pbft *self, const struct pbft_mark *mark)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->member_count; i++)
        count += pbft_mark_equal(&self->peers[i].claims[mark->number / self->interval % PBFT_CHECKPOINT_CLAIMS], mark);
    return count;
}

static void claim(struct pbft *self, uint32_t place, const struct pbft_mark *mark, struct effects *out)
{
    struct pbft_mark *at = &self->peers[place].claims[mark->number / self->interval % PBFT_CHECKPOINT_CLAIMS];
    if (mark->number < at->number || (mark->number == at->number && mark->number != 0))
        return;
    *at = *mark;
    uint32_t needed = pbft_ablated(self, PBFT_ABLATION_CHECKPOINT_ALONE) ? 1 : self->quorum;
    if (mark->number <= self->executed && claims_of(self, mark) >= needed)
        pbft_stable_set(self, mark, out);
}

/* To one node, or to all others (0). */
void pbft_send_checkpoint(struct pbft *self, uint32_t to, struct effects *out)
{
    for (uint32_t i = 0; i < self->mark_count; i++) {
        const struct pbft_mark *mark = &self->marks[i];
        const struct pbft_checkpoint message = message_of(mark);
        if (mark->number == 0)
            continue;
        if (to == 0)
            pbft_to_others(self, PBFT_CHECKPOINT, &message, out);
        else
            effect_send_one(out, &pbft_messages, PBFT_SLOT, PBFT_CHECKPOINT, &message, to);
    }
}

void pbft_on_checkpoint(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_checkpoint *message = event->message.body;
    const struct pbft_mark mark = {
        message->number,
        message->index,
        {message->size, {message->digest0, message->digest1, message->digest2, message->digest3}}};
    if (mark.number == 0 || mark.number % self->interval != 0)
        return;
    claim(self, (uint32_t)spec_member_place(self->spec, event->message.from.node), &mark, out);
}

void pbft_adopt_if_behind(struct pbft *self, struct effects *out)
{
    bool moved = self->executed != self->executed_at_status;
    self->executed_at_status = self->executed;
    if (moved || self->adopt_pending || self->checkpoint_pending)
        return;
    const struct pbft_mark *best = NULL;
    uint32_t needed = pbft_ablated(self, PBFT_ABLATION_CHECKPOINT_ALONE) ? 1 : self->k + 1;
    for (uint32_t i = 0; i < self->member_count; i++)
        for (uint32_t j = 0; j < PBFT_CHECKPOINT_CLAIMS; j++) {
            const struct pbft_mark *mark = &self->peers[i].claims[j];
            if (mark->number > self->executed && (best == NULL || mark->number > best->number) &&
                claims_of(self, mark) >= needed)
                best = mark;
        }
    if (best == NULL)
        return;
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->member_count; i++)
        if (i != self->self_place &&
            pbft_mark_equal(&self->peers[i].claims[best->number / self->interval % PBFT_CHECKPOINT_CLAIMS], best))
            self->holders[count++] = self->peers[i].node;
    self->adopt_mark = *best;
    self->adopt_pending = true;
    /* What must not be forgotten lies right before the checkpoint's place in the log (contract/effect.h). */
    pbft_store_state(self, out);
    effect_note(out, "adopts the state after", best->number);
    effect_adopt(out, self->holders, count, best->index, 0)->seal = best->seal;
}

void pbft_mark_hold(struct pbft *self, const struct pbft_mark *mark, struct effects *out)
{
    const struct pbft_checkpoint message = message_of(mark);
    mark_add(self, mark);
    pbft_to_others(self, PBFT_CHECKPOINT, &message, out);
    claim(self, self->self_place, mark, out);
}

static void on_durable(struct pbft *self, const struct event_state *state, struct effects *out)
{
    const struct pbft_mark mark = {self->pending_number, state->index, state->seal};
    self->checkpoint_pending = false;
    pbft_mark_hold(self, &mark, out);
}

static void on_adopted(struct pbft *self, const struct event_state *state, struct effects *out)
{
    self->adopt_pending = false;
    invariant(pbft_part_read(self, state->part, state->index) && self->executed == self->adopt_mark.number,
              "PBFT-3 a state that k+1 members vouch for is one");
    /* Records of requests before this position are gone; who needs one asks for it again. */
    pbft_known_forget_before(self, state->position);
    pbft_mark_hold(self, &self->adopt_mark, out);
    if (self->flying.count > 0 && self->barrier_out &&
        self->clients[self->self_place].barrier_incarnation == self->incarnation &&
        self->clients[self->self_place].barrier >= self->barrier)
        self->reads_ready = true;
}

void pbft_on_state(struct pbft *self, const struct event *event, struct effects *out)
{
    switch (event->state.kind) {
    case STATE_DURABLE:
        on_durable(self, &event->state, out);
        return;
    case STATE_ADOPTED:
        on_adopted(self, &event->state, out);
        return;
    case STATE_FAILED:
        /* The next one will do, or the same once more if nothing was executed since (pbft_status_due). */
        self->checkpoint_failed = self->checkpoint_pending;
        self->checkpoint_pending = self->adopt_pending = false;
        return;
    }
}
