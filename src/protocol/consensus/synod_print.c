/* Single-decree Paxos: what others see of a member: its invariants, its state in words and in canonical bytes. */
#include "contract/text.h"
#include "protocol/consensus/synod_internal.h"

/* PAX-2 and PAX-5 as far as one member can see. */
const char *synod_check(void *state)
{
    struct synod *self = state;
    bool fell = paxos_ballot_compare(self->promised, self->promised_before) < 0;
    bool accepted_fell = paxos_ballot_compare(self->accepted, self->accepted_before) < 0;
    self->promised_before = self->promised;
    self->accepted_before = self->accepted;
    if (fell)
        return "PAX-2 the promised ballot fell";
    if (accepted_fell)
        return "PAX-2 the accepted ballot fell";
    if (paxos_ballot_compare(self->accepted, self->promised) > 0)
        return "PAX-2 a ballot above the promised one is accepted";
    if (synod_in_ballot(self) && !paxos_ballot_same(self->promised, synod_own_ballot(self)))
        return "PAX-5 a ballot is under way that the own acceptor has not promised";
    return self->contradicted ? "PAX-4 two values are said to be decided" : NULL;
}

static const char *phase_name(enum synod_phase phase)
{
    switch (phase) {
    case SYNOD_IDLE:
        return "idle";
    case SYNOD_PREPARING:
        return "preparing";
    case SYNOD_PROPOSING:
        return "proposing";
    case SYNOD_WAITING:
        return "waiting";
    }
    return "?";
}

static const char *role(const struct synod *self)
{
    if (self->decided)
        return "decided";
    return self->amnesiac ? "amnesiac" : phase_name(self->phase);
}

void synod_status(const void *state, struct member_status *out)
{
    const struct synod *self = state;
    *out = (struct member_status){.role = role(self),
                                  .term = self->promised.round,
                                  .orderer = self->promised.node,
                                  .voter = !self->amnesiac && !self->too_large};
}

static void print_number(struct text *out, const char *name, uint64_t value)
{
    text_add(out, name);
    text_add_u64(out, value);
}

static void print_ballot(struct text *out, const char *name, struct paxos_ballot ballot)
{
    print_number(out, name, ballot.round);
    print_number(out, ".", ballot.node);
}

void synod_print(const void *state, struct text *out)
{
    const struct synod *self = state;
    text_add(out, "role=");
    text_add(out, role(self));
    text_add(out, " decision=");
    if (self->decided)
        text_add_u64(out, self->decision);
    else
        text_add(out, "none");
    print_ballot(out, " promised=", self->promised);
    print_ballot(out, " accepted=", self->accepted);
    text_add(out, " value=");
    if (self->accepted.round > 0)
        text_add_u64(out, self->value);
    else
        text_add(out, "none");
    print_number(out, " round=", self->round);
    print_number(out, " refusals=", self->refusals);
    print_number(out, " waiting=", self->queue_count);
    print_number(out, " written=", self->disk.written);
    print_number(out, " stored=", self->disk.stored);
}

static void canon_ballot(struct canon *out, struct paxos_ballot ballot)
{
    canon_u64(out, ballot.round);
    canon_node(out, ballot.node);
}

static void canon_proposer(const struct synod *self, struct canon *out)
{
    bool in_ballot = synod_in_ballot(self);
    canon_u8(out, (uint8_t)self->phase);
    canon_u64(out, in_ballot ? self->round : 0);
    canon_u64(out, self->seen_round > self->promised.round ? self->seen_round : 0);
    for (uint32_t i = 0; i < out->member_count; i++)
        canon_u8(out, in_ballot && (self->answered >> canon_place(out, i) & 1) != 0);
    bool prepares = self->phase == SYNOD_PREPARING;
    canon_ballot(out, prepares ? self->best : (struct paxos_ballot){0});
    canon_u64(out, prepares && self->best.round > 0 ? self->best_value : 0);
    canon_u64(out, self->phase == SYNOD_PROPOSING ? self->proposal : 0);
}

static void canon_voter(const struct synod *self, struct canon *out)
{
    canon_ballot(out, self->promised);
    canon_proposer(self, out);
    canon_u64(out, self->queue_count);
    for (uint32_t i = 0; i < self->queue_count; i++) {
        canon_u64(out, self->queue[i].number);
        canon_u64(out, self->queue[i].value);
    }
}

/* How often it was refused, and asked, decides nothing but times; how many records it wrote, when a checkpoint is
 * due. Who knows the decision does nothing any more that depends on ballots; what it accepted is told for those who
 * watch. */
void synod_canonical(const void *state, struct canon *out)
{
    const struct synod *self = state;
    canon_u8(out, (uint8_t)(self->decided | self->started << 1 | self->amnesiac << 2 | self->damaged << 3 |
                            self->asking << 4 | self->contradicted << 5 | self->checkpointing << 6));
    canon_position(out, self->disk.written, self->disk.stored);
    canon_u64(out, self->highest_number);
    canon_ballot(out, self->accepted);
    canon_u64(out, self->accepted.round > 0 ? self->value : 0);
    canon_position(out, self->accepted_at, self->disk.stored);
    if (self->decided)
        canon_u64(out, self->decision);
    else
        canon_voter(self, out);
}

void synod_look(const void *state, struct synod_seen *out)
{
    const struct synod *self = state;
    *out = (struct synod_seen){.promised = self->promised,
                               .accepted = self->accepted,
                               .value = self->value,
                               .accepted_stored = self->accepted_at <= self->disk.stored,
                               .phase = self->phase,
                               .round = self->round,
                               .proposal = self->proposal,
                               .decided = self->decided,
                               .decision = self->decision,
                               .amnesiac = self->amnesiac,
                               .waiting = self->queue_count,
                               .own = self->queue_count > 0 ? self->queue[0].value : 0};
}
