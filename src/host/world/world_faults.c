/* The faults of the world.
 *
 * Each class that a run draws is a process in time: it strikes at drawn intervals, and mostly undoes itself after a
 * drawn time, short ones being as likely as long ones on a logarithmic scale. Mostly no more than k = (n - 1) / 2 nodes
 * are struck at once, so that the cluster works while it suffers; now and then more are, and power takes all.
 *
 * world_faults_hunt.c strikes who has just been elected.
 *
 * Amnesia is beyond what a protocol can mask when it meets other losses, so it strikes only one node, while all others
 * run and count. */
#include "host/world/world_faults.h"

#include "base/panic.h"
#include "base/time.h"
#include "host/world/world_state.h"

/* ---- drawing ---- */

/* From lo to hi, each order of magnitude equally likely (base 2). */
static int64_t draw_log(struct random *random, int64_t lo, int64_t hi)
{
    int doublings = 0;
    while (lo << (doublings + 1) <= hi)
        doublings++;
    int64_t low = lo << random_below(random, (uint64_t)doublings + 1);
    int64_t high = 2 * low < hi ? 2 * low : hi;
    return random_between(random, low, high > low ? high : low);
}

static bool drawn(const struct world *world, enum world_fault fault)
{
    return (world->faults.classes & (uint32_t)fault) != 0;
}

int64_t faults_outage(struct world *world)
{
    return draw_log(&world->faults.random, NS_PER_MS, world->faults.outage_ns_max);
}

static struct process *any_process(struct world *world)
{
    return &world->processes[random_below(&world->faults.random, world->node_count)];
}

/* Who orders, if somebody says so; else anybody. */
static struct process *orderer(struct world *world)
{
    struct process *found = any_process(world);
    uint64_t term = 0;
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct member_status status;
        if (!process_status(&world->processes[i], &status) || status.orderer != i + 1 || status.term < term)
            continue;
        term = status.term;
        found = &world->processes[i];
    }
    return found;
}

static struct process *victim(struct world *world)
{
    return random_chance(&world->faults.random, 1, 3) ? orderer(world) : any_process(world);
}

static bool isolated(const struct world *world, uint32_t place)
{
    uint32_t reached = 0;
    for (uint32_t other = 0; other < world->node_count; other++)
        if (other != place && !network_is_cut(&world->network, place, other) &&
            !network_is_cut(&world->network, other, place))
            reached++;
    return 2 * (reached + 1) <= world->node_count;
}

static uint32_t struck_nodes(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->node_count; i++) {
        const struct process *process = &world->processes[i];
        if (!process->up || process->paused_until_ns > world->now_ns || isolated(world, i))
            count++;
    }
    return count;
}

/* May another node be struck? */
static bool may_strike(struct world *world)
{
    return struck_nodes(world) < (world->node_count - 1) / 2 || random_chance(&world->faults.random, 1, 6);
}

static void strike_again(struct world *world, enum fault_process fault)
{
    int64_t mean_ns = world->faults.mean_ns[fault];
    if (mean_ns == 0)
        return;
    int64_t at_ns = world->now_ns + random_between(&world->faults.random, mean_ns / 4, 2 * mean_ns);
    if (at_ns < world->heal_at_ns)
        schedule_push(&world->schedule, at_ns, WORLD_FAULT, fault, NULL);
}

/* ---- crashes ---- */

static void strike_crash(struct world *world)
{
    struct process *process = victim(world);
    if (!process->up || !may_strike(world))
        return;
    process->restart_delay_ns = faults_outage(world);
    if (random_chance(&world->faults.random, 2, 3))
        process->doomed = true; /* in its next turn */
    else
        process_crash(process, process->restart_delay_ns);
}

static void strike_power(struct world *world)
{
    for (uint32_t i = 0; i < world->node_count; i++)
        process_crash(&world->processes[i], draw_log(&world->faults.random, 10 * NS_PER_MS, 2 * NS_PER_S));
}

/* A member that forgot is filled from the others: they must all be there and count. */
static void strike_amnesia(struct world *world)
{
    struct process *process = any_process(world);
    if (world->node_count < 3)
        return; /* those that remember must be a majority */
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct member_status status;
        if (!process_status(&world->processes[i], &status) || !status.voter)
            return;
    }
    process_crash(process, faults_outage(world));
    world_disk_wipe(&process->disk);
    process->amnesiac = true;
    process->forgot = true;
    trace_line(world, process, "has lost its disk");
}

static void strike_pause(struct world *world)
{
    struct process *process = victim(world);
    if (!process->up || !may_strike(world))
        return;
    if (random_chance(&world->faults.random, 1, 3)) {
        process->slow_factor = (uint32_t)draw_log(&world->faults.random, 2, 256);
        schedule_push(&world->schedule, world->now_ns + faults_outage(world), WORLD_UNDO,
                      undo_target(UNDO_SLOW, process->place), NULL);
        return;
    }
    int64_t pause_ns = faults_outage(world);
    process->paused_until_ns = world->now_ns + pause_ns;
    trace_line(world, process, "pauses for %lld ms", (long long)(pause_ns / NS_PER_MS));
    process->wake_at_ns = INT64_MAX;
    process_wake(process, process->paused_until_ns);
}

/* ---- partitions ---- */

void faults_cut_between(struct world *world, uint64_t side, bool there, bool back)
{
    for (uint32_t a = 0; a < world->node_count; a++)
        for (uint32_t b = 0; b < world->node_count; b++) {
            if ((side >> a & 1) == 0 || (side >> b & 1) != 0)
                continue;
            if (there)
                network_cut(&world->network, a, b, true);
            if (back)
                network_cut(&world->network, b, a, true);
        }
}

static void heal_later(struct world *world)
{
    world->faults.partition_number++;
    schedule_push(&world->schedule, world->now_ns + faults_outage(world), WORLD_UNDO, undo_target(UNDO_PARTITION, 0),
                  (void *)(uintptr_t)world->faults.partition_number);
}

void faults_partition(struct world *world, uint64_t side, bool there, bool back)
{
    trace_line(world, NULL, "partition: nodes %llx (bits) %s%s", (unsigned long long)side, there ? "->" : "",
               back ? "<-" : "");
    faults_cut_between(world, side, there, back);
    heal_later(world);
}

/* Some of the nodes, not none and not all. */
static uint64_t any_set(struct world *world)
{
    uint64_t all = world->node_count == 64 ? UINT64_MAX : (UINT64_C(1) << world->node_count) - 1;
    uint64_t set = random_u64(&world->faults.random) & all;
    return set == 0 || set == all ? 1 : set;
}

static void cut_link(struct world *world)
{
    uint32_t from = (uint32_t)random_below(&world->faults.random, world->node_count);
    uint32_t to = (uint32_t)random_below(&world->faults.random, world->node_count);
    trace_line(world, NULL, "link n%u -> n%u is cut", from + 1, to + 1);
    network_cut(&world->network, from, to, true);
    heal_later(world);
}

static uint64_t bit(const struct process *process)
{
    return UINT64_C(1) << process->place;
}

static void strike_partition(struct world *world)
{
    struct random *random = &world->faults.random;
    if (!may_strike(world))
        return;
    if (random_chance(random, 2, 3))
        network_heal(&world->network); /* one partition follows another */
    uint64_t drawn_number = random_below(random, 10);
    if (drawn_number < 4)
        faults_partition(world, any_set(world), true, true);
    else if (drawn_number < 6)
        faults_partition(world, bit(orderer(world)), true, true);
    else if (drawn_number < 7)
        faults_partition(world, bit(any_process(world)), true, true);
    else if (drawn_number < 8)
        faults_partition(world, bit(victim(world)), true, false);
    else if (drawn_number < 9)
        faults_partition(world, bit(victim(world)), false, true);
    else
        for (uint64_t i = random_below(random, 2 * (uint64_t)world->node_count); i > 0; i--)
            cut_link(world);
}

/* ---- weather, disks, clocks ---- */

static uint32_t draw_rate(struct world *world, enum world_fault fault, int64_t ppm_max)
{
    if (!drawn(world, fault) || random_chance(&world->faults.random, 1, 2))
        return 0;
    return (uint32_t)draw_log(&world->faults.random, 500, ppm_max);
}

static void slow_link(struct world *world)
{
    struct network *network = &world->network;
    uint64_t link = random_below(&world->faults.random, (uint64_t)world->node_count * world->node_count);
    network->extra_latency_ms[link] = (uint32_t)random_below(&world->faults.random, 100);
}

static void strike_weather(struct world *world)
{
    struct network_manner *manner = &world->network.manner;
    manner->loss_ppm = draw_rate(world, WORLD_LOSS, 200000);
    manner->duplicate_ppm = draw_rate(world, WORLD_DUPLICATE, 100000);
    manner->reorder_ppm = draw_rate(world, WORLD_REORDER, 200000);
    manner->corrupt_ppm = draw_rate(world, WORLD_CORRUPT, 20000);
    manner->delay_ppm = draw_rate(world, WORLD_DELAY, 50000);
    manner->delay_ns_max = draw_log(&world->faults.random, NS_PER_MS, 2 * NS_PER_S);
    if (drawn(world, WORLD_DELAY) && random_chance(&world->faults.random, 1, 3))
        slow_link(world);
}

static void strike_disk(struct world *world)
{
    struct process *process = victim(world);
    struct world_disk_manner *manner = &process->disk.manner;
    uint64_t drawn_number = random_below(&world->faults.random, 10);
    int64_t time_ns = faults_outage(world);
    trace_line(world, process, "the disk is ill for %lld ms", (long long)(time_ns / NS_PER_MS));
    if (drawn_number < 4) {
        manner->stalled_until_ns = world->now_ns + time_ns;
        return;
    }
    if (drawn_number < 8)
        manner->slow_factor = (uint32_t)draw_log(&world->faults.random, 2, 64);
    else
        manner->full = true;
    schedule_push(&world->schedule, world->now_ns + time_ns, WORLD_UNDO, undo_target(UNDO_DISK, process->place), NULL);
}

static void strike_clock(struct world *world)
{
    struct random *random = &world->faults.random;
    struct process *process = any_process(world);
    int64_t drift_ppb = random_between(random, -20000000, 20000000);
    int64_t step_ns = 0;
    if (random_chance(random, 1, 2))
        step_ns = (random_chance(random, 1, 2) ? 1 : -1) * draw_log(random, NS_PER_MS, 3600 * NS_PER_S);
    trace_line(world, process, "the clock drifts by %lld ppm and jumps by %lld ms", (long long)(drift_ppb / 1000),
               (long long)(step_ns / NS_PER_MS));
    process_clock_change(process, drift_ppb, step_ns);
    process->timer_at_ns = INT64_MAX;
    process_wake(process, world->now_ns);
}

void faults_strike(struct world *world, uint32_t fault)
{
    if (world->healed)
        return;
    world->faults.struck++;
    switch ((enum fault_process)fault) {
    case FAULT_CRASH:
        strike_crash(world);
        break;
    case FAULT_POWER:
        strike_power(world);
        break;
    case FAULT_PAUSE:
        strike_pause(world);
        break;
    case FAULT_PARTITION:
        strike_partition(world);
        break;
    case FAULT_WEATHER:
        strike_weather(world);
        break;
    case FAULT_DISK:
        strike_disk(world);
        break;
    case FAULT_CLOCK:
        strike_clock(world);
        break;
    case FAULT_AMNESIA:
        strike_amnesia(world);
        break;
    case FAULT_PROCESS_COUNT:
        break;
    }
    strike_again(world, (enum fault_process)fault);
}

void faults_undo(struct world *world, uint32_t what, void *object)
{
    struct process *process = &world->processes[what & 0xff];
    switch ((enum undo)(what >> 8)) {
    case UNDO_PARTITION:
        if ((uintptr_t)object == world->faults.partition_number)
            network_heal(&world->network);
        break;
    case UNDO_SLOW:
        process->slow_factor = 1;
        break;
    case UNDO_DISK:
        process->disk.manner.slow_factor = 1;
        process->disk.manner.full = false;
        break;
    case UNDO_WAIT:
        faults_waited(process);
        break;
    }
}

void faults_heal(struct world *world)
{
    trace_line(world, NULL, "everything heals");
    network_heal(&world->network);
    struct network_manner *manner = &world->network.manner;
    manner->loss_ppm = manner->duplicate_ppm = manner->reorder_ppm = manner->corrupt_ppm = manner->delay_ppm = 0;
    world->faults.hunted = 0;
    world->faults.hunt = HUNT_NOT;
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct process *process = &world->processes[i];
        process->doomed = false;
        process->slow_factor = 1;
        process->disk.manner.slow_factor = 1;
        process->disk.manner.full = false;
        if (process->disk.manner.stalled_until_ns > world->now_ns)
            process->disk.manner.stalled_until_ns = world->now_ns;
        process_clock_change(process, process->clock.drift_ppb % 50000, 0);
        process->timer_at_ns = INT64_MAX;
        process->paused_until_ns = 0;
        if (process->busy_until_ns > world->now_ns)
            process->busy_until_ns = world->now_ns;
        process->wake_at_ns = INT64_MAX;
        process_wake(process, world->now_ns);
        if (!process->up)
            process_boot(process);
    }
}

/* ---- the draw for a run ---- */

static void draw_classes(struct world *world)
{
    struct faults *faults = &world->faults;
    bool few = __builtin_popcount(world->options.faults) <= 3;
    for (uint32_t i = 0; i < WORLD_FAULT_COUNT; i++)
        if (random_chance(&faults->random, 1, 2) || few)
            faults->classes |= world->options.faults & 1u << i;
}

static void draw_mean(struct world *world, enum fault_process process, uint32_t classes, int64_t lo_ns, int64_t hi_ns)
{
    int64_t mean_ns = draw_log(&world->faults.random, lo_ns, hi_ns);
    if ((world->faults.classes & classes) != 0)
        world->faults.mean_ns[process] = mean_ns;
}

static void draw_disks(struct world *world)
{
    struct random *random = &world->faults.random;
    uint64_t inline_in_four = random_below(random, 5); /* how many disks write inline */
    uint32_t lost = (uint32_t)random_below(random, 900), kept = (uint32_t)random_below(random, 1000 - lost);
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct world_disk_manner *manner = &world->processes[i].disk.manner;
        manner->inline_writes = random_chance(random, inline_in_four, 4);
        manner->latency_ns = draw_log(random, 50 * NS_PER_US, 500 * NS_PER_US);
        manner->latency_tail_ns = manner->latency_ns / 4;
        manner->lost_permille = lost;
        manner->kept_permille = kept;
        manner->torn_inside_sectors = drawn(world, WORLD_DISK);
    }
}

static void draw_hunt(struct world *world)
{
    struct faults *faults = &world->faults;
    bool crashes = drawn(world, WORLD_CRASH), partitions = drawn(world, WORLD_PARTITION);
    uint64_t drawn_number = random_below(&faults->random, 10);
    if (partitions && drawn_number < 3)
        faults->hunt = HUNT_ROTATE;
    else if (crashes && drawn_number < 7)
        faults->hunt = partitions ? HUNT_MIXED : HUNT_CRASH;
    else if (partitions && drawn_number < 6)
        faults->hunt = HUNT_ISOLATE;
}

void faults_init(struct world *world)
{
    struct faults *faults = &world->faults;
    *faults = (struct faults){.hunt = HUNT_NOT};
    random_seed(&faults->random, random_u64(&world->random));
    draw_classes(world);
    faults->outage_ns_max = draw_log(&faults->random, 200 * NS_PER_MS, 8 * NS_PER_S);
    draw_mean(world, FAULT_CRASH, WORLD_CRASH, 300 * NS_PER_MS, 10 * NS_PER_S);
    draw_mean(world, FAULT_POWER, WORLD_POWER, 3 * NS_PER_S, 20 * NS_PER_S);
    draw_mean(world, FAULT_PAUSE, WORLD_PAUSE, 300 * NS_PER_MS, 10 * NS_PER_S);
    draw_mean(world, FAULT_PARTITION, WORLD_PARTITION, 300 * NS_PER_MS, 10 * NS_PER_S);
    draw_mean(world, FAULT_WEATHER, WORLD_LOSS | WORLD_DUPLICATE | WORLD_REORDER | WORLD_CORRUPT | WORLD_DELAY,
              500 * NS_PER_MS, 5 * NS_PER_S);
    draw_mean(world, FAULT_DISK, WORLD_DISK, 300 * NS_PER_MS, 10 * NS_PER_S);
    draw_mean(world, FAULT_CLOCK, WORLD_CLOCK, NS_PER_S, 20 * NS_PER_S);
    draw_mean(world, FAULT_AMNESIA, WORLD_AMNESIA, 3 * NS_PER_S, 30 * NS_PER_S);
    draw_disks(world);
    draw_hunt(world);
    faults->hunt_one_in = faults->hunt == HUNT_ROTATE ? 1 : (uint32_t)(1 + random_below(&faults->random, 3));
    for (uint32_t i = 0; i < FAULT_PROCESS_COUNT; i++)
        strike_again(world, (enum fault_process)i);
}
