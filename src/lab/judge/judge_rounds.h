/* What judges of agreement in rounds share: observations of who proposed and decided what, and how far a run came.
 *
 * A member counts as correct while it has never stopped and was never turned: crashes are for ever (rounds.h). */
#ifndef LOCKSTEP_LAB_JUDGE_ROUNDS_H
#define LOCKSTEP_LAB_JUDGE_ROUNDS_H

#include "host/world/world.h"
#include "lab/promise/promise.h"
#include "protocol/consensus/rounds.h"

/* UNKNOWN among the values of observations. */
#define JUDGE_ROUNDS_UNKNOWN UINT64_MAX

struct judge_rounds {
    struct heap *heap;
    uint32_t node_count;
    void *members[ROUNDS_MEMBERS_MAX]; /* NULL: down, or not watched any more */
    bool lost[ROUNDS_MEMBERS_MAX];     /* crashed once, or turned */
    struct observations seen;
};

void judge_rounds_init(struct judge_rounds *judge, struct heap *heap, uint32_t node_count);
void judge_rounds_clear(struct judge_rounds *judge);
void judge_rounds_started(struct judge_rounds *judge, uint32_t place, void *member);
void judge_rounds_lost(struct judge_rounds *judge, uint32_t place);

static inline uint64_t judge_rounds_value(struct cell cell)
{
    return cell.known ? cell.value : JUDGE_ROUNDS_UNKNOWN;
}

/* After the run: takes out what was observed of instances (numbers divided by `scale`) that may still be under way,
 * then checks a promise, and violates the property in the world when it was broken. `look` gives what a member took
 * part in. */
void judge_rounds_settle(struct judge_rounds *judge, uint64_t scale,
                         void (*look)(const void *member, struct rounds_seen *out));
void judge_rounds_promise(struct judge_rounds *judge, struct world *world, const char *promise, const char *property);

#endif
