/* The promise of every protocol that orders totally, whatever it is: no two members deliver different commands at one
 * index, whether they crash later or not (uniform agreement, lab/promise/promise.h). Members that are turned by a fault are not
 * listened to. */
#ifndef LOCKSTEP_LAB_JUDGE_AGREEMENT_H
#define LOCKSTEP_LAB_JUDGE_AGREEMENT_H

#include "base/heap.h"
#include "host/world/world.h"
#include "lab/promise/promise.h"

struct judge_agreement {
    struct observations observed;
};

/* Before the first run; keeps its memory from run to run. */
void judge_agreement_init(struct judge_agreement *judge, struct heap *heap);
/* Listens to one run. */
struct world_watch judge_agreement_begin(struct judge_agreement *judge);
/* After a run that violated nothing: violates the world if the promise was broken. */
void judge_agreement_finish(struct judge_agreement *judge, struct world *world);

#endif
