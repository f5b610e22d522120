/* The hunter: strikes who has just been elected, at once, after a few of its writes, or some message delays later; that
 * is when leaders leave entries behind that only they, or only a minority, have (protocols, III.1). */
#include "base/time.h"
#include "host/world/world_state.h"

/* Isolates one, and lets the one before come back: so logs that went different ways meet, and the one with the older
 * end may lead again (figure 3.7 of Ongaro's thesis). */
static void rotate(struct process *process)
{
    struct world *world = process->world;
    network_heal(&world->network);
    trace_line(world, process, "is isolated as leader");
    faults_cut_between(world, UINT64_C(1) << process->place, true, true);
    world->faults.partition_number++;
    int64_t time_ns = world->tuning.election_timeout_ns * random_between(&world->faults.random, 2, 8);
    schedule_push(&world->schedule, world->now_ns + time_ns, WORLD_UNDO, undo_target(UNDO_PARTITION, 0),
                  (void *)(uintptr_t)world->faults.partition_number);
}

static void strike_hunted(struct process *process)
{
    struct world *world = process->world;
    struct faults *faults = &world->faults;
    faults->hunted = 0;
    if (world->healed || !process->up)
        return;
    faults->struck++;
    bool crash = faults->hunt == HUNT_CRASH || (faults->hunt == HUNT_MIXED && random_chance(&faults->random, 1, 2));
    if (faults->hunt == HUNT_ROTATE) {
        rotate(process);
    } else if (crash) {
        process->doomed = true;
        process->restart_delay_ns = faults_outage(world);
    } else {
        faults_partition(world, UINT64_C(1) << process->place, true, true);
    }
}

void faults_waited(struct process *process)
{
    if (process->world->faults.hunted == process->place + 1)
        strike_hunted(process);
}

/* At its first stores, or some message delays later. */
void faults_orders(struct process *process)
{
    struct world *world = process->world;
    struct faults *faults = &world->faults;
    if (faults->hunt == HUNT_NOT || world->healed || !random_chance(&faults->random, 1, faults->hunt_one_in))
        return;
    faults->hunted = process->place + 1;
    if (random_chance(&faults->random, 1, 2)) {
        faults->hunt_stores_left = (uint32_t)random_below(&faults->random, faults->hunt == HUNT_ROTATE ? 1 : 4);
        return;
    }
    faults->hunt_stores_left = UINT32_MAX;
    int64_t wait_ns = random_between(&faults->random, 0, 12 * world->network.manner.latency_ns);
    schedule_push(&world->schedule, world->now_ns + wait_ns, WORLD_UNDO, undo_target(UNDO_WAIT, process->place), NULL);
}

void faults_stored(struct process *process)
{
    struct faults *faults = &process->world->faults;
    if (faults->hunted != process->place + 1 || faults->hunt_stores_left == UINT32_MAX)
        return;
    if (faults->hunt_stores_left > 0)
        faults->hunt_stores_left--;
    else
        strike_hunted(process);
}
