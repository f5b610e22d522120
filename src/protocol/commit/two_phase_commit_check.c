/* Invariants of a member of two-phase commit, and the laboratory's view of it. */
#include "protocol/commit/two_phase_commit_member.h"

static bool decided(enum transaction_state state)
{
    return state == TRANSACTION_COMMIT || state == TRANSACTION_ABORT;
}

/* The step of one participation from what was seen last. */
static const char *check_step(const struct tpc_participation *before, const struct tpc_participation *now)
{
    if (now->sequence < before->sequence)
        return "TPC-1 a participant went back to an older transaction";
    if (now->sequence > before->sequence)
        return before->state == TRANSACTION_READY ? "AC-D a READY transaction was dropped undecided" : NULL;
    if (decided(before->state) && now->state != before->state)
        return "AC2 a decision changed";
    if (before->state == TRANSACTION_READY && now->state == TRANSACTION_INIT)
        return "AC-D a promise was taken back";
    return NULL;
}

static const char *check_state(const struct tpc_participation *part)
{
    if (part->state == TRANSACTION_READY && (!part->voted_commit || part->ready_position == 0))
        return "AC-D READY without a record";
    if (part->state == TRANSACTION_COMMIT && !part->voted_commit)
        return "AC3 committed without having voted so";
    return NULL;
}

static const char *check_coordinator(const struct tpc_member *self)
{
    const struct tpc_coordinator *c = &self->coordinator;
    if (c->sequence < self->shadow.coordinator_sequence)
        return "TPC-2 a coordinator numbered a transaction twice";
    if (c->state == TPC_COMMITTED && !c->recovered)
        for (uint32_t i = 0; i < self->spec->member_count; i++)
            if (!c->voted[i])
                return "AC3 commit without all votes";
    int place = spec_member_place(self->spec, self->spec->self);
    const struct tpc_participation *own = &self->parts[place];
    if (own->sequence != c->sequence || !decided(own->state))
        return NULL;
    if (c->state == TPC_COMMITTED && own->state == TRANSACTION_ABORT)
        return "AC1 the coordinator commits what its own participant aborted";
    if (own->state == TRANSACTION_COMMIT && (c->state == TPC_ABORTED || c->state == TPC_WAIT))
        return "AC1 the own participant committed what its coordinator did not";
    return NULL;
}

const char *tpc_check(void *state)
{
    struct tpc_member *self = state;
    if (self->broken != NULL)
        return self->broken;
    if (self->inert || !self->started)
        return NULL;
    uint32_t ready = 0;
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        const char *wrong = check_step(&self->shadow.parts[i], &self->parts[i]);
        if (wrong == NULL)
            wrong = check_state(&self->parts[i]);
        if (wrong != NULL)
            return wrong;
        self->shadow.parts[i] = self->parts[i];
        ready += self->parts[i].state == TRANSACTION_READY;
    }
    if (ready > 1 || (ready == 1 && self->busy == TPC_NOBODY))
        return "TPC-3 more than one transaction is prepared";
    const char *wrong = check_coordinator(self);
    self->shadow.coordinator_sequence = self->coordinator.sequence;
    return wrong;
}

/* ---- accessors ---- */

static const struct tpc_participation *find(const struct tpc_member *self, uint32_t node)
{
    int place = spec_member_place(self->spec, node);
    return place < 0 ? NULL : &self->parts[place];
}

enum transaction_state two_phase_commit_state(const void *self, struct transaction_id id)
{
    const struct tpc_participation *part = find(self, id.node);
    if (part == NULL || part->sequence < id.sequence)
        return TRANSACTION_INIT;
    return part->sequence == id.sequence ? part->state : TRANSACTION_FORGOTTEN;
}

bool two_phase_commit_newest(const void *self, uint32_t coordinator, struct transaction_id *out)
{
    const struct tpc_participation *part = find(self, coordinator);
    if (part == NULL || part->sequence == 0)
        return false;
    *out = (struct transaction_id){
        .node = coordinator, .incarnation = part->incarnation, .sequence = part->sequence};
    return true;
}

bool two_phase_commit_voted_commit(const void *self, struct transaction_id id)
{
    const struct tpc_participation *part = find(self, id.node);
    return part != NULL && part->sequence == id.sequence && part->voted_commit;
}

enum transaction_state two_phase_commit_decision(const void *state, struct transaction_id *id)
{
    const struct tpc_member *self = state;
    const struct tpc_coordinator *c = &self->coordinator;
    *id = (struct transaction_id){
        .node = self->spec->self, .incarnation = c->incarnation, .sequence = c->sequence};
    switch (c->state) {
    case TPC_COMMITTED:
        return TRANSACTION_COMMIT;
    case TPC_ABORTED:
        return TRANSACTION_ABORT;
    case TPC_IDLE:
    case TPC_WAIT:
        return TRANSACTION_INIT;
    }
    return TRANSACTION_INIT;
}

bool two_phase_commit_blocked(const void *state)
{
    const struct tpc_member *self = state;
    return self->busy != TPC_NOBODY && self->parts[self->busy].state == TRANSACTION_READY &&
           self->decision_requests > 0;
}

bool two_phase_commit_vote_counted(const void *state, uint32_t node)
{
    const struct tpc_member *self = state;
    int place = spec_member_place(self->spec, node);
    return place >= 0 && self->coordinator.sequence > 0 && self->coordinator.voted[place];
}

bool two_phase_commit_undecided(const void *state)
{
    const struct tpc_member *self = state;
    return self->busy != TPC_NOBODY || self->coordinator.state == TPC_WAIT;
}
