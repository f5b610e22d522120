/* The voter: what must hold, and what it says of itself (tags as in RED-6 and AG-9). */
#include "contract/text.h"
#include "protocol/replica/voter_internal.h"

static const char *check_vote(const struct voter *self, const struct vote *vote)
{
    const struct votes *votes = &self->updates;
    if ((vote->voted & vote->lost) != 0)
        return "TMR-1 a member has an answer and has lost it";
    if (vote->phase == VOTE_BELIEVED && votes_equal(votes, vote, vote->believed) < votes->needed)
        return self->arbitrary ? "PBFT-5 an answer was believed that too few members gave"
                               : "TMR-1 an answer was believed that too few members gave";
    for (uint32_t place = 0; vote->phase != VOTE_BELIEVED && place < votes->members; place++)
        if ((vote->voted >> place & 1) != 0 &&
            votes_equal(votes, vote, votes_digest(votes, vote, place)) >= votes->needed)
            return "TMR-1 enough members agree, and they are not believed";
    if (vote->phase == VOTE_WAITING && votes_hopeless(votes, vote))
        return "TMR-2 the members disagree, and nobody is told";
    return NULL;
}

const char *voter_check(void *state)
{
    struct voter *self = state;
    const char *broken = self->looks_head > self->looks_tail ? "TMR-2 a look was answered that was not sent" : NULL;
    for (uint64_t number = self->touched_first; number <= self->touched_last && broken == NULL; number++) {
        const struct vote *vote = votes_find(&self->updates, number);
        broken = vote == NULL ? NULL : check_vote(self, vote);
    }
    self->touched_first = UINT64_MAX;
    self->touched_last = 0;
    return broken;
}

uint32_t voter_orderer(const struct voter *self)
{
    uint32_t needed = self->quorum > self->k + 1 ? self->quorum : self->k + 1;
    return votes_count(self->connected) >= needed ? self->spec->self : 0;
}

void voter_status(const void *state, struct member_status *out)
{
    const struct voter *self = state;
    *out = (struct member_status){.role = "voter",
                                  .term = 1,
                                  .orderer = voter_orderer(self),
                                  .commit_index = self->index,
                                  .applied_index = self->index,
                                  .last_index = self->index,
                                  .voter = true};
}

bool voter_progress(const void *state, uint32_t place, struct member_progress *out)
{
    const struct voter *self = state;
    if (place >= self->spec->member_count)
        return false;
    uint64_t wrong = self->wrong[place];
    *out = (struct member_progress){.node = self->spec->members[place],
                                    .stored_index = self->answered[place],
                                    .suspicion = wrong > UINT32_MAX ? UINT32_MAX : (uint32_t)wrong};
    return true;
}

void voter_print(const void *state, struct text *out)
{
    const struct voter *self = state;
    text_add(out, "index=");
    text_add_u64(out, self->index);
    text_add(out, " needed=");
    text_add_u64(out, self->updates.needed);
    text_add(out, " wrong=");
    for (uint32_t place = 0; place < self->spec->member_count; place++) {
        text_add(out, place == 0 ? "" : ",");
        text_add_u64(out, self->wrong[place]);
    }
    text_add(out, " looks-agreed=");
    text_add_u64(out, self->agreed);
    text_add(out, " looks-ordered=");
    text_add_u64(out, self->ordered);
    text_add(out, " orderer=");
    text_add_u64(out, self->orderer);
}

static uint64_t renamed(const struct canon *out, uint64_t members)
{
    uint64_t set = 0;
    for (uint32_t i = 0; i < out->member_count; i++)
        set |= (members >> canon_place(out, i) & 1) << i;
    return set;
}

/* Digests hang on the secret: what matters of them is which are equal. Each is named by who gave it first. */
static void canon_vote(struct canon *out, const struct votes *votes, const struct vote *vote)
{
    canon_u64(out, vote->number);
    canon_u8(out, (uint8_t)vote->phase);
    canon_u64(out, renamed(out, vote->voted));
    canon_u64(out, renamed(out, vote->lost));
    canon_u64(out, renamed(out, vote->wrong));
    for (uint32_t i = 0; i < out->member_count; i++) {
        uint32_t place = canon_place(out, i), first = 0;
        if ((vote->voted >> place & 1) == 0)
            continue;
        uint64_t digest = votes_digest(votes, vote, place);
        while ((vote->voted >> canon_place(out, first) & 1) == 0 ||
               votes_digest(votes, vote, canon_place(out, first)) != digest)
            first++;
        canon_u8(out, (uint8_t)first);
        canon_u8(out, vote->phase == VOTE_BELIEVED && digest == vote->believed);
    }
}

static void canon_votes(struct canon *out, const struct votes *votes)
{
    for (uint64_t at = 0; at <= votes->mask; at++)
        if (votes->ring[at].phase != VOTE_NONE)
            canon_vote(out, votes, &votes->ring[at]);
    canon_u64(out, 0);
}

void voter_canonical(const void *state, struct canon *out)
{
    const struct voter *self = state;
    canon_u64(out, self->incarnation);
    canon_node(out, self->orderer);
    canon_u64(out, renamed(out, self->connected));
    canon_u64(out, self->looks_head);
    canon_u64(out, self->looks_tail);
    canon_u8(out, self->timer_armed);
    for (uint32_t i = 0; i < out->member_count; i++)
        canon_u64(out, self->wrong[canon_place(out, i)]);
    canon_votes(out, &self->updates);
    canon_votes(out, &self->looks);
}

uint64_t voter_wrong_answers(const void *self, uint32_t place)
{
    const struct voter *voter = self;
    return place < voter->spec->member_count ? voter->wrong[place] : 0;
}

uint64_t voter_looks_agreed(const void *self)
{
    return ((const struct voter *)self)->agreed;
}

uint64_t voter_looks_ordered(const void *self)
{
    return ((const struct voter *)self)->ordered;
}
