/* What a majority has reached (quorum.h). */
#include "protocol/consensus/quorum.h"

void quorum_init(struct quorum *quorum, uint64_t *value, uint32_t *order, uint32_t *rank, uint32_t count)
{
    *quorum = (struct quorum){.value = value, .order = order, .rank = rank, .count = count};
    for (uint32_t i = 0; i < count; i++) {
        value[i] = 0;
        order[i] = rank[i] = i;
    }
}

static void put(struct quorum *quorum, uint32_t rank, uint32_t place)
{
    quorum->order[rank] = place;
    quorum->rank[place] = rank;
}

void quorum_set(struct quorum *quorum, uint32_t place, uint64_t value)
{
    uint32_t at = quorum->rank[place];
    quorum->value[place] = value;
    while (at > 0 && quorum->value[quorum->order[at - 1]] < value) {
        put(quorum, at, quorum->order[at - 1]);
        at--;
    }
    while (at + 1 < quorum->count && quorum->value[quorum->order[at + 1]] > value) {
        put(quorum, at, quorum->order[at + 1]);
        at++;
    }
    put(quorum, at, place);
}
