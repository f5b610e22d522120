/* Which value has a majority reached? Values of all members, kept sorted.
 *
 * Answers come one at a time and raise a value by a little, so one pass of an insertion sort, which is a few moves,
 * keeps the order; reading what a majority has reached is then one load. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_QUORUM_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_QUORUM_H

#include <stdint.h>

struct quorum {
    uint64_t *value; /* by place */
    uint32_t *order; /* places, the highest value first */
    uint32_t *rank;  /* of a place in `order` */
    uint32_t count;
};

/* Over borrowed arrays of `count` elements each; all values are 0 then. */
void quorum_init(struct quorum *quorum, uint64_t *value, uint32_t *order, uint32_t *rank, uint32_t count);

void quorum_set(struct quorum *quorum, uint32_t place, uint64_t value);

/* The highest value that at least `members` (1 to count) members have reached. */
static inline uint64_t quorum_reached(const struct quorum *quorum, uint32_t members)
{
    return quorum->value[quorum->order[members - 1]];
}

#endif
