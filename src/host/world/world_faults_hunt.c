/* The hunter: strikes who has just been elected, at once, after a few of its writes, or some message delays later; that
 * is when leaders leave entries behind that only they, or only a minority, have (protocols, III.1).
 *
 * It may make up its mind in the midst of a step. A crash then comes in that very turn; what it does to links comes a
 * nanosecond later, when all that happens at this instant is over. */
#include "base/time.h"
#include "host/world/world_state.h"

static void strike_soon(struct world *world, int64_t delay_ns)
{
    schedule_push_ranked(&world->schedule, RANK_ITEM, world->now_ns + delay_ns, WORLD_FAULT, FAULT_HUNTED,
                         (void *)(uintptr_t)world->faults.hunted);
}

static void crash(struct world *world, struct process *process)
{
    world->faults.hunted = 0;
    if (faults_may_strike(world, process->place))
        world_do(world, &(struct plan_item){.kind = PLAN_CRASH,
                                            .at_ns = world->now_ns,
                                            .node = process->id,
                                            .amount = world->stepping == process ? 0 : 1,
                                            .duration_ns = faults_outage(world),
                                            .draw = faults_crash_draw(world)});
}

static void isolate(struct world *world, struct process *process)
{
    struct faults *faults = &world->faults;
    int64_t duration_ns = faults_outage(world);
    if (faults->hunt == HUNT_ROTATE) {
        /* Lets the one before come back: so logs that went different ways meet, and the one with the older end may lead
         * again (figure 3.7 of Ongaro's thesis). */
        acts_end_cuts(world);
        duration_ns = world->tuning.election_timeout_ns * random_between(&faults->random, 2, 8);
    }
    uint64_t set = UINT64_C(1) << process->place;
    uint64_t faulty = contract_faulty_if_cut(world, set, true, true);
    if ((uint32_t)__builtin_popcountll(faulty) <= contract_k(world))
        world_do(world, &(struct plan_item){.kind = PLAN_CUT,
                                            .at_ns = world->now_ns,
                                            .set = set,
                                            .amount = 3,
                                            .duration_ns = duration_ns});
}

void faults_strike_hunted(struct world *world)
{
    struct faults *faults = &world->faults;
    struct process *process = &world->processes[faults->hunted - 1];
    if (process->up && faults->hunt == HUNT_CRASH)
        crash(world, process);
    else if (process->up && faults->hunt == HUNT_MIXED && random_chance(&faults->random, 1, 2))
        crash(world, process);
    else if (process->up)
        isolate(world, process);
    faults->hunted = 0;
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
    strike_soon(world, 1 + random_between(&faults->random, 0, 12 * world->network.manner.latency_ns));
}

void faults_stored(struct process *process)
{
    struct world *world = process->world;
    struct faults *faults = &world->faults;
    if (faults->hunted != process->place + 1 || faults->hunt_stores_left == UINT32_MAX)
        return;
    if (faults->hunt_stores_left > 0) {
        faults->hunt_stores_left--;
        return;
    }
    faults->hunt_stores_left = UINT32_MAX;
    bool crashes = faults->hunt == HUNT_CRASH || (faults->hunt == HUNT_MIXED && random_chance(&faults->random, 1, 2));
    if (crashes)
        crash(world, process);
    else
        strike_soon(world, 1);
}
