/* When which fault strikes whom: drawn from the seed. */
#ifndef LOCKSTEP_HOST_WORLD_FAULTS_H
#define LOCKSTEP_HOST_WORLD_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

struct world;
struct process;

/* Something that strikes again and again. */
enum fault_process {
    FAULT_CRASH,
    FAULT_POWER,
    FAULT_PAUSE,
    FAULT_PARTITION,
    FAULT_WEATHER, /* rates of loss and the like change */
    FAULT_DISK,
    FAULT_CLOCK,
    FAULT_AMNESIA,
    FAULT_PROCESS_COUNT,
};

/* What is done to who has just come to order. */
enum hunt {
    HUNT_NOT,
    HUNT_CRASH,
    HUNT_ISOLATE,
    HUNT_MIXED,
    HUNT_ROTATE, /* who was isolated last comes back when the next one is */
};

struct faults {
    struct random random;
    uint32_t classes; /* enum world_fault: those drawn for this run */
    int64_t mean_ns[FAULT_PROCESS_COUNT]; /* between two strikes; 0: never */
    int64_t outage_ns_max;                /* of crashes, pauses and partitions, mostly much shorter */
    enum hunt hunt;
    uint32_t hunt_one_in;       /* leaders; 1: each */
    uint32_t hunted;            /* place + 1 of who is being hunted, 0: nobody */
    uint32_t hunt_stores_left;  /* until it is struck */
    uint64_t partition_number;  /* of the youngest partition: an older one does not heal it */
    uint64_t struck;
};

/* Draws the classes, rates and manners of this run, and schedules the first strikes. */
void faults_init(struct world *world);
/* One strike of a fault process (enum fault_process). */
void faults_strike(struct world *world, uint32_t fault);
/* The end of something that a strike began. */
void faults_undo(struct world *world, uint32_t what, void *object);
/* Everything is well again: links, disks, processes. */
void faults_heal(struct world *world);

/* A member says that it orders now, or has stored a record: the hunter listens. */
void faults_orders(struct process *process);
void faults_stored(struct process *process);
/* The time that the hunter let pass is over. */
void faults_waited(struct process *process);

/* ---- shared by world_faults*.c ---- */

/* How long something lasts, drawn. */
int64_t faults_outage(struct world *world);
/* Cuts the links from one side (a set of places, as bits) to all others, and those back; for a drawn time. */
void faults_partition(struct world *world, uint64_t side, bool there, bool back);
/* The same without an end. */
void faults_cut_between(struct world *world, uint64_t side, bool there, bool back);

/* What ends, and whose: the target of a WORLD_UNDO entry. */
enum undo { UNDO_PARTITION, UNDO_SLOW, UNDO_DISK, UNDO_WAIT };

static inline uint32_t undo_target(enum undo undo, uint32_t place)
{
    return (uint32_t)undo << 8 | place;
}

#endif
