/* Single-decree Paxos: the acceptor, and what is on its disk (synod.h).
 *
 * An acceptor answers nothing that is not on its disk: every answer waits for the last record, which holds all of its
 * state. */
#include "protocol/consensus/synod_internal.h"

uint64_t synod_after(const struct synod *self)
{
    return own_disk_after(&self->disk, self->disk.written);
}

static struct synod_state stable_state(const struct synod *self)
{
    return (struct synod_state){.promised = self->promised.round,
                                .promised_to = self->promised.node,
                                .accepted = self->accepted.round,
                                .accepted_by = self->accepted.node,
                                .value = self->value,
                                .decided = self->decided,
                                .decision = self->decision};
}

void synod_store(struct synod *self, struct effects *out)
{
    const struct synod_state state = stable_state(self);
    own_disk_write(&self->disk, effect_store(out, &synod_records, 0, SYNOD_STATE, &state), self->now_ns);
}

/* A higher ballot than the own one under way is promised here: it would be refused by others, too. */
static void yield_to(struct synod *self, struct paxos_ballot ballot, struct effects *out)
{
    if (synod_in_ballot(self) && paxos_ballot_compare(ballot, synod_own_ballot(self)) > 0)
        synod_give_up(self, out);
}

void synod_promise(struct synod *self, struct paxos_ballot ballot, struct effects *out)
{
    if (paxos_ballot_same(self->promised, ballot))
        return;
    self->promised = ballot;
    if (!synod_ablated(self, SYNOD_PROMISE_NOT_STORED))
        synod_store(self, out);
    yield_to(self, ballot, out);
}

void synod_accept(struct synod *self, struct paxos_ballot ballot, uint64_t value, struct effects *out)
{
    if (paxos_ballot_same(self->accepted, ballot))
        return;
    self->accepted = ballot;
    self->value = value;
    self->accepted_at = self->disk.written + 1;
    if (paxos_ballot_compare(ballot, self->promised) > 0)
        self->promised = ballot;
    if (!synod_ablated(self, SYNOD_ACCEPT_NOT_STORED))
        synod_store(self, out);
    yield_to(self, ballot, out);
}

/* ---- messages ---- */

static void refuse(const struct synod *self, uint32_t to, uint64_t round, struct effects *out)
{
    const struct synod_nack nack = {.round = round, .promised = self->promised.round, .to = self->promised.node};
    effect_send_one(out, &synod_messages, 0, SYNOD_NACK, &nack, to);
}

void synod_on_prepare(struct synod *self, uint32_t from, const struct synod_round *prepare, struct effects *out)
{
    struct paxos_ballot ballot = synod_ballot(prepare->round, from);
    if (!paxos_may_promise(self->promised, ballot)) {
        refuse(self, from, prepare->round, out);
        return;
    }
    synod_promise(self, ballot, out);
    const struct synod_promise promise = {.round = prepare->round,
                                          .accepted = self->accepted.round,
                                          .by = self->accepted.node,
                                          .value = self->value};
    effect_send_one(out, &synod_messages, 0, SYNOD_PROMISE, &promise, from)->after = synod_after(self);
    synod_ask_later(self, out);
}

void synod_on_accept(struct synod *self, uint32_t from, const struct synod_accept *accept, struct effects *out)
{
    struct paxos_ballot ballot = synod_ballot(accept->round, from);
    if (!paxos_may_accept(self->promised, ballot) && !synod_ablated(self, SYNOD_ACCEPT_BELOW_PROMISE)) {
        refuse(self, from, accept->round, out);
        return;
    }
    synod_accept(self, ballot, accept->value, out);
    const struct synod_round accepted = {.round = accept->round};
    effect_send_one(out, &synod_messages, 0, SYNOD_ACCEPTED, &accepted, from)->after = synod_after(self);
    synod_ask_later(self, out);
}

/* ---- restart ---- */

static void take_state(struct synod *self, const struct synod_state *state)
{
    self->promised = synod_ballot(state->promised, state->promised_to);
    self->accepted = synod_ballot(state->accepted, state->accepted_by);
    self->value = state->value;
    self->decided = state->decided != 0;
    self->decision = state->decision;
    if (synod_ablated(self, SYNOD_PROMISE_FORGOTTEN_ON_RESTART))
        self->promised = self->accepted;
    self->promised_before = self->promised;
    self->accepted_before = self->accepted;
}

void synod_on_restore(struct synod *self, const struct event_restore *restore)
{
    struct synod_state state;
    switch (restore->kind) {
    case RESTORE_PART:
        self->damaged = !message_decode(&synod_records.types[SYNOD_STATE], restore->part, &state);
        if (!self->damaged)
            take_state(self, &state);
        break;
    case RESTORE_RECORD:
        self->damaged = restore->slot != 0 || restore->type != SYNOD_STATE;
        if (!self->damaged)
            take_state(self, restore->body); /* whatever was lost before, this supersedes it */
        break;
    case RESTORE_GAP:
        self->damaged = true;
        break;
    }
}

/* ---- checkpoints ---- */

void synod_checkpoint_when_due(struct synod *self, struct effects *out)
{
    if (!self->started || self->checkpointing || synod_after(self) != 0 || self->amnesiac ||
        self->disk.written - self->checkpoint_from < SYNOD_CHECKPOINT_RECORDS)
        return;
    const struct synod_state state = stable_state(self);
    struct span tail;
    size_t size = message_encode(&synod_records.types[SYNOD_STATE], &state, self->part, &tail);
    self->checkpointing = true;
    self->checkpoint_from = self->disk.written;
    effect_checkpoint(out, self->disk.written + 1, span_of(self->part, size));
}

/* One that failed is tried again after as many records more. */
void synod_on_state(struct synod *self, const struct event_state *state)
{
    if (state->kind == STATE_DURABLE || state->kind == STATE_FAILED)
        self->checkpointing = false;
}
