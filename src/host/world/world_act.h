/* What is done to a world from outside, one item of a plan at a time. */
#ifndef LOCKSTEP_HOST_WORLD_ACT_H
#define LOCKSTEP_HOST_WORLD_ACT_H

#include <stdbool.h>
#include <stdint.h>

#include "host/world/world_plan.h"

struct world;
struct process;

/* A fault that lasts. */
struct act {
    struct plan_item item; /* without its text */
    uint64_t number;
    int64_t end_ns;  /* PLAN_FOREVER: until the world heals */
    uint32_t noted;  /* its place in the record */
};

struct acts {
    struct act *list; /* those that last now, in order of their beginning */
    uint32_t count, capacity;
    uint64_t number;    /* of the youngest */
    uint64_t struck;    /* faults done */
    uint64_t powerless; /* bit place: down since the power failed, which no bound counts */
    uint64_t forgot;    /* bit place: has ever lost its disk */
    uint64_t dead;      /* bit place: does not come back when all heals */
    bool due;           /* something was done at this instant, and it is still to be judged */
};

/* Schedules the plan's items and fills in its fates, if there is a plan. */
void acts_init(struct world *world);
/* An item whose time has come (WORLD_ITEM). */
void acts_item(struct world *world, const struct plan_item *item, bool to_free);
/* Everything that lasts is over, and everybody is well and runs. */
void acts_heal(struct world *world);
/* A process dies in its turn, as it was doomed to: that is what is noted. */
void acts_note_death(const struct process *process);

/* ---- world_act_lasting.c ---- */

/* A fault that lasts begins; ends, as WORLD_END says; all end. */
void acts_begin(struct world *world, const struct plan_item *item);
void acts_end(struct world *world, uint64_t number);
void acts_end_all(struct world *world);
/* Ends all cuts now, and corrects what was noted of them. */
void acts_end_cuts(struct world *world);
/* The process is gone: it does not come back paused. */
void acts_died(struct process *process);

/* ---- world_contract.c: who is faulty, and whether the card covers it ---- */

/* The same as world_faulty(), had the links between a set of places and the others been cut as well. */
uint64_t contract_faulty_if_cut(const struct world *world, uint64_t side, bool there, bool back);
uint64_t contract_faulty_if_link_cut(const struct world *world, uint32_t from, uint32_t to);
uint32_t contract_k(const struct world *world);
/* Judges this instant, once it is over. */
void contract_judge(struct world *world);
/* A member is about to lose its disk. */
void contract_amnesia(struct world *world, const struct process *process);
/* Something of these classes (enum world_fault) was drawn or planned. */
void contract_classes(struct world *world, uint32_t classes);
/* enum world_fault of a kind; 0: none. */
uint32_t contract_class_of(enum plan_kind kind);

#endif
