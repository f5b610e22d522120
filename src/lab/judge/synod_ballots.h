/* What a spectator knows of the ballots of single-decree Paxos: who proposed and accepted what, ever, and what was
 * decided. The judge of a run and the explorer's property keep one each, and ask it the same questions:
 *
 * PAX-1 one value a ballot; PAX-3 what a majority accepted in a ballot is what every higher ballot proposes; PAX-4
 * all that is decided is one value; PAX-D what is decided was accepted by a majority, on their disks, in one ballot.
 *
 * Plain bytes without pointers, in an order of their own, so that equal knowledge is equal bytes. When there are
 * more ballots than it holds, the lowest that was not accepted by a majority makes room: it has nothing to say of
 * others. */
#ifndef LOCKSTEP_LAB_JUDGE_SYNOD_BALLOTS_H
#define LOCKSTEP_LAB_JUDGE_SYNOD_BALLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/consensus/paxos_rules.h"

enum { SYNOD_BALLOTS_MAX = 12 };

struct synod_ballot_seen {
    uint64_t round;
    uint32_t node;
    uint32_t values; /* 1, or 2: different ones were seen */
    uint64_t value;
    uint64_t places; /* whose disks have accepted it, ever */
};

struct synod_ballots {
    struct synod_ballot_seen list[SYNOD_BALLOTS_MAX]; /* ascending */
    uint32_t count, members;
    uint32_t decisions; /* 0, 1, or 2: different ones */
    uint32_t unused;
    uint64_t decision;
};

void synod_ballots_init(struct synod_ballots *ballots, uint32_t members);
void synod_ballots_propose(struct synod_ballots *ballots, struct paxos_ballot ballot, uint64_t value);
/* The member at this place has it on disk. */
void synod_ballots_accept(struct synod_ballots *ballots, struct paxos_ballot ballot, uint64_t value, uint32_t place);
void synod_ballots_decide(struct synod_ballots *ballots, uint64_t value);

/* Each: NULL, or a literal that begins with the tag of what does not hold. */
const char *synod_ballots_agree(const struct synod_ballots *ballots);  /* PAX-4 */
const char *synod_ballots_follow(const struct synod_ballots *ballots); /* what that rests on: PAX-1, PAX-3, PAX-D */

#endif
