/* The generator of faults: draws from the seed when which fault strikes whom, and hands items of a plan over to
 * world_do(). It is silent where a plan is given. */
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
    FAULT_OMISSION,
    FAULT_PAUSE,
    FAULT_SLOW,
    FAULT_PARTITION,
    FAULT_WEATHER, /* rates of loss and the like change */
    FAULT_LINK,    /* slow links, and links without latency */
    FAULT_BANDWIDTH,
    FAULT_DISK,
    FAULT_ROT,
    FAULT_CLOCK,
    FAULT_AMNESIA,
    FAULT_VALUE,
    FAULT_TRANSITION,
    FAULT_BYZANTINE,
    FAULT_PROCESS_COUNT,
    /* The hunter's: targets of a WORLD_FAULT entry like the others. */
    FAULT_HUNTED = FAULT_PROCESS_COUNT, /* strikes who is hunted */
};

/* What is done to who has just come to order. */
enum hunt {
    HUNT_NOT,
    HUNT_CRASH,
    HUNT_ISOLATE,
    HUNT_MIXED,
    HUNT_ROTATE, /* who was isolated last comes back when the next one is */
};

/* An intermittent fault: it comes back to the same node. */
struct fault_train {
    uint32_t place, left;
};

struct faults {
    struct random random;
    uint32_t classes; /* enum world_fault: those drawn for this run */
    int64_t mean_ns[FAULT_PROCESS_COUNT]; /* between two strikes; 0: never */
    struct fault_train trains[FAULT_PROCESS_COUNT];
    int64_t outage_ns_max;                /* of crashes, pauses and partitions, mostly much shorter */
    uint64_t adversary_draw;              /* of those that collude in this run */
    enum hunt hunt;
    uint32_t hunt_one_in;       /* leaders; 1: each */
    uint32_t hunted;            /* place + 1 of who is being hunted, 0: nobody */
    uint32_t hunt_stores_left;  /* until it is struck */
};

/* Draws the classes and rates of this run, and schedules the first strikes. */
void faults_init(struct world *world);
/* One strike of a fault process: what a WORLD_FAULT entry holds. */
void faults_strike(struct world *world, uint32_t target, void *object);
/* The world has healed: nothing strikes any more. */
void faults_stop(struct world *world);

/* A member says that it orders now, or has stored a record: the hunter listens. */
void faults_orders(struct process *process);
void faults_stored(struct process *process);

/* ---- shared by world_faults*.c ---- */

/* From lo to hi, each order of magnitude equally likely (base 2). */
int64_t faults_log(struct world *world, int64_t lo, int64_t hi);
bool faults_drawn(const struct world *world, uint32_t fault);
/* How long something lasts, drawn. */
int64_t faults_outage(struct world *world);
/* A draw for a crash: with what disks may do to it in this run. */
uint64_t faults_crash_draw(struct world *world);
/* May this member be faulty too? */
bool faults_may_strike(const struct world *world, uint32_t place);
/* Who orders, by the generator's own draw anybody where nobody says so. */
uint32_t faults_orderer(struct world *world);
/* Does a strike of that kind to a node, for that long. False: the bound forbids it. */
bool faults_strike_node(struct world *world, enum fault_process fault, uint32_t place, int64_t duration_ns);
/* Whom class byzantine strikes, where a protocol's attacks are known. */
uint32_t faults_traitor(struct world *world, uint32_t otherwise);
/* The power fails when an attack wants it to. False: nothing was done. */
bool faults_strike_power_planned(struct world *world);
void faults_strike_partition(struct world *world);
void faults_strike_weather(struct world *world);
void faults_strike_link(struct world *world);
void faults_strike_clock(struct world *world);
void faults_strike_hunted(struct world *world);

#endif
