/* Votes on numbered questions (votes.h). */
#include "protocol/replica/votes.h"

#include "base/panic.h"

uint32_t votes_count(uint64_t members)
{
    uint32_t count = 0;
    for (; members != 0; members &= members - 1)
        count++;
    return count;
}

size_t votes_heap_size(uint32_t members, uint64_t size)
{
    return (size_t)size * (sizeof(struct vote) + members * sizeof(uint64_t)) + 256;
}

void votes_create(struct votes *votes, struct heap *heap, uint32_t members, uint32_t needed, uint64_t size)
{
    invariant(members <= VOTES_MEMBERS_MAX && (size & (size - 1)) == 0, "a set of members fits a word");
    *votes = (struct votes){.mask = size - 1, .members = members, .needed = needed};
    votes->ring = heap_alloc_zero(heap, size * sizeof *votes->ring);
    votes->digests = heap_alloc(heap, size * members * sizeof *votes->digests); /* read where `voted` says so */
    invariant(votes->ring != NULL && votes->digests != NULL, "votes_heap_size() counts what a ring needs");
}

static uint64_t *digests_of(const struct votes *votes, const struct vote *vote)
{
    return votes->digests + (vote->number & votes->mask) * votes->members;
}

struct vote *votes_open(struct votes *votes, uint64_t number)
{
    struct vote *vote = &votes->ring[number & votes->mask];
    if (vote->phase != VOTE_NONE && vote->number == number)
        return vote;
    *vote = (struct vote){.number = number, .phase = VOTE_WAITING};
    return vote;
}

struct vote *votes_find(const struct votes *votes, uint64_t number)
{
    struct vote *vote = &votes->ring[number & votes->mask];
    return vote->phase != VOTE_NONE && vote->number == number ? vote : NULL;
}

uint32_t votes_equal(const struct votes *votes, const struct vote *vote, uint64_t digest)
{
    const uint64_t *digests = digests_of(votes, vote);
    uint32_t count = 0;
    for (uint32_t place = 0; place < votes->members; place++)
        count += (vote->voted >> place & 1) != 0 && digests[place] == digest;
    return count;
}

uint64_t votes_dissent(const struct votes *votes, const struct vote *vote)
{
    const uint64_t *digests = digests_of(votes, vote);
    uint64_t dissent = 0;
    for (uint32_t place = 0; place < votes->members; place++)
        if ((vote->voted >> place & 1) != 0 && digests[place] != vote->believed)
            dissent |= UINT64_C(1) << place;
    return dissent;
}

uint64_t votes_digest(const struct votes *votes, const struct vote *vote, uint32_t place)
{
    return digests_of(votes, vote)[place];
}

bool votes_hopeless(const struct votes *votes, const struct vote *vote)
{
    uint32_t silent = votes->members - votes_count(vote->voted | vote->lost);
    if (silent >= votes->needed)
        return false;
    for (uint32_t place = 0; place < votes->members; place++)
        if ((vote->voted >> place & 1) != 0 &&
            votes_equal(votes, vote, digests_of(votes, vote)[place]) + silent >= votes->needed)
            return false;
    return true;
}

void votes_give(struct votes *votes, struct vote *vote, uint32_t place, uint64_t digest)
{
    uint64_t bit = UINT64_C(1) << place;
    if (vote->phase == VOTE_ENDED || (vote->voted & bit) != 0)
        return;
    vote->voted |= bit;
    vote->lost &= ~bit;
    digests_of(votes, vote)[place] = digest;
    if (vote->phase != VOTE_WAITING)
        return;
    if (votes_equal(votes, vote, digest) >= votes->needed) {
        vote->phase = VOTE_BELIEVED;
        vote->believed = digest;
    } else if (votes_hopeless(votes, vote)) {
        vote->phase = VOTE_ENDED;
    }
}

void votes_give_lost(struct votes *votes, struct vote *vote, uint32_t place)
{
    uint64_t bit = UINT64_C(1) << place;
    if (vote->phase == VOTE_ENDED || (vote->voted & bit) != 0)
        return;
    vote->lost |= bit;
    if (vote->phase == VOTE_WAITING && votes_hopeless(votes, vote))
        vote->phase = VOTE_ENDED;
}
