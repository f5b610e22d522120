/* Votes on numbered questions: for each number, what each member answered, kept as a digest.
 *
 * A ring over the numbers of one session: a number has a place when it is opened, until a later one takes that place.
 * No answer's bytes are kept. An answer is believed in the step in which it becomes so, and then its bytes are at hand.
 * Digests are keyed with a secret of the voter, so that a member cannot make two answers that count as one. */
#ifndef LOCKSTEP_PROTOCOL_REPLICA_VOTES_H
#define LOCKSTEP_PROTOCOL_REPLICA_VOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"

enum { VOTES_MEMBERS_MAX = 64 };

enum vote_phase {
    VOTE_NONE,     /* this place was never used */
    VOTE_WAITING,  /* not enough equal answers yet */
    VOTE_BELIEVED, /* `believed` is the digest of the answer */
    VOTE_ENDED,    /* without one */
};

/* Sets of members have a bit for each place. */
struct vote {
    uint64_t number;
    int64_t deadline_ns;
    uint64_t believed;
    uint64_t voted; /* who gave an answer */
    uint64_t lost;  /* who executed it and does not have the answer any more; apart from `voted` */
    uint64_t wrong; /* who gave another answer than the one believed */
    enum vote_phase phase;
};

struct votes {
    struct vote *ring;
    uint64_t *digests; /* of number n by the member at place p: digests[(n & mask) * members + p] */
    uint64_t mask;
    uint32_t members;
    uint32_t needed; /* equal answers that are believed */
};

/* Bytes of heap for `size` numbers, a power of two. */
size_t votes_heap_size(uint32_t members, uint64_t size);
void votes_create(struct votes *votes, struct heap *heap, uint32_t members, uint32_t needed, uint64_t size);

/* Opens a number, which takes the place of an older one; one that is there already stays as it is. */
struct vote *votes_open(struct votes *votes, uint64_t number);
/* NULL: never opened, or forgotten. */
struct vote *votes_find(const struct votes *votes, uint64_t number);

/* Notes the answer of the member at `place`; its first one counts. What the vote came to is in its phase. */
void votes_give(struct votes *votes, struct vote *vote, uint32_t place, uint64_t digest);
/* The member executed it and has no answer. */
void votes_give_lost(struct votes *votes, struct vote *vote, uint32_t place);
/* How many members gave this answer. */
uint32_t votes_equal(const struct votes *votes, const struct vote *vote, uint64_t digest);
/* The members that gave another answer than the one believed. */
uint64_t votes_dissent(const struct votes *votes, const struct vote *vote);
/* True when no answer can reach `needed` any more, whatever the members that are silent say. */
bool votes_hopeless(const struct votes *votes, const struct vote *vote);
uint64_t votes_digest(const struct votes *votes, const struct vote *vote, uint32_t place);

uint32_t votes_count(uint64_t members); /* members in a set */

#endif
