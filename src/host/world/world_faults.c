/* The generator of faults: which strike in this run, how often, and how long.
 *
 * Each class that a run draws is a process in time: it strikes at drawn intervals. A strike is transient (it lasts a
 * drawn time, short ones being as likely as long ones on a logarithmic scale), intermittent (it comes back to the same
 * node for a while) or permanent (until the world heals). Never are more members faulty at once than the bound k says,
 * counted exactly (world_contract.c); power takes all.
 *
 * world_faults_strike.c does a strike of each class; world_faults_hunt.c strikes who has just been elected. */
#include "host/world/world_faults.h"

#include "base/panic.h"
#include "base/time.h"
#include "host/world/world_state.h"

enum { INTERMITTENT_ONE_IN = 6, PERMANENT_ONE_IN = 40, TRAIN_MIN = 3, TRAIN_MAX = 8, TRAIN_MARK = 1 << 8 };

/* ---- drawing ---- */

int64_t faults_log(struct world *world, int64_t lo, int64_t hi)
{
    struct random *random = &world->faults.random;
    int doublings = 0;
    while (lo << (doublings + 1) <= hi)
        doublings++;
    int64_t low = lo << random_below(random, (uint64_t)doublings + 1);
    int64_t high = 2 * low < hi ? 2 * low : hi;
    return random_between(random, low, high > low ? high : low);
}

bool faults_drawn(const struct world *world, uint32_t fault)
{
    return (world->faults.classes & fault) != 0;
}

int64_t faults_outage(struct world *world)
{
    return faults_log(world, NS_PER_MS, world->faults.outage_ns_max);
}

uint64_t faults_crash_draw(struct world *world)
{
    uint64_t draw = random_u64(&world->faults.random);
    return faults_drawn(world, WORLD_DISK) ? draw : draw & ~UINT64_C(1);
}

bool faults_may_strike(const struct world *world, uint32_t place)
{
    if (place >= world->member_count)
        return true;
    uint64_t faulty = world_faulty(world) | UINT64_C(1) << place;
    return (uint32_t)__builtin_popcountll(faulty) <= contract_k(world);
}

static uint32_t any_member(struct world *world)
{
    return (uint32_t)random_below(&world->faults.random, world->member_count);
}

uint32_t faults_orderer(struct world *world)
{
    uint32_t anybody = any_member(world), node = world_orderer(world);
    return node != 0 ? node - 1 : anybody;
}

/* Gateways crash, and their surroundings fail, but they do nothing wrong. */
static bool spares_gateways(enum fault_process fault)
{
    return fault == FAULT_ROT || fault == FAULT_VALUE || fault == FAULT_TRANSITION || fault == FAULT_BYZANTINE;
}

static uint32_t victim(struct world *world, enum fault_process fault)
{
    if (random_chance(&world->faults.random, 1, 3))
        return faults_orderer(world);
    return (uint32_t)random_below(&world->faults.random,
                                  spares_gateways(fault) ? world->member_count : world->node_count);
}

/* ---- strikes ---- */

static void schedule_strike(struct world *world, int64_t delay_ns, uint32_t target)
{
    int64_t at_ns = world->now_ns + delay_ns;
    if (at_ns < world->heal_at_ns)
        schedule_push_ranked(&world->schedule, RANK_ITEM, at_ns, WORLD_FAULT, target, NULL);
}

static void strike_again(struct world *world, enum fault_process fault)
{
    int64_t mean_ns = world->faults.mean_ns[fault];
    if (mean_ns > 0)
        schedule_strike(world, random_between(&world->faults.random, mean_ns / 4, 2 * mean_ns), fault);
}

/* Next comes a stop of an intermittent fault at the same node, a while after this one has ended. */
static void go_on(struct world *world, enum fault_process fault, int64_t outage_ns)
{
    struct fault_train *train = &world->faults.trains[fault];
    if (train->left-- > 1)
        schedule_strike(world, outage_ns + faults_outage(world), TRAIN_MARK | fault);
    else
        train->left = 0;
}

static bool lasts_for_ever(struct world *world)
{
    if (!random_chance(&world->faults.random, 1, PERMANENT_ONE_IN))
        return false;
    uint32_t permanent = 0;
    for (uint32_t i = 0; i < world->acts.count; i++)
        permanent += world->acts.list[i].end_ns == PLAN_FOREVER;
    for (uint32_t i = 0; i < world->member_count; i++)
        permanent += !world->processes[i].up && !world->processes[i].boot_pending;
    return permanent < contract_k(world);
}

/* One of the faults that have a node as their victim. */
static void strike_any_node(struct world *world, enum fault_process fault)
{
    struct fault_train *train = &world->faults.trains[fault];
    uint32_t place = victim(world, fault);
    if (fault == FAULT_BYZANTINE)
        place = faults_traitor(world, place);
    bool permanent = lasts_for_ever(world);
    bool intermittent = random_chance(&world->faults.random, 1, INTERMITTENT_ONE_IN);
    int64_t outage_ns = permanent ? PLAN_FOREVER : faults_outage(world);
    if (!faults_strike_node(world, fault, place, outage_ns) || !intermittent || permanent || train->left > 0)
        return;
    train->place = place;
    train->left = (uint32_t)random_between(&world->faults.random, TRAIN_MIN, TRAIN_MAX);
    go_on(world, fault, outage_ns);
}

static void strike_train(struct world *world, enum fault_process fault)
{
    int64_t outage_ns = faults_outage(world);
    (void)faults_strike_node(world, fault, world->faults.trains[fault].place, outage_ns);
    go_on(world, fault, outage_ns);
}

static void strike_power(struct world *world)
{
    if (faults_strike_power_planned(world))
        return;
    for (uint32_t i = 0; i < world->node_count; i++)
        world_do(world, &(struct plan_item){.kind = PLAN_CRASH,
                                            .at_ns = world->now_ns,
                                            .node = i + 1,
                                            .duration_ns = faults_log(world, 10 * NS_PER_MS, 2 * NS_PER_S),
                                            .draw = faults_crash_draw(world)});
}

/* A member that forgot is filled from the others: they must all be there and count. */
static void strike_amnesia(struct world *world)
{
    uint32_t place = any_member(world);
    if (world->member_count < 3 || !faults_may_strike(world, place))
        return; /* those that remember must be a majority */
    for (uint32_t i = 0; i < world->member_count; i++) {
        struct member_status status;
        if (!process_status(&world->processes[i], &status) || !status.voter)
            return;
    }
    world_do(world, &(struct plan_item){.kind = PLAN_AMNESIA,
                                        .at_ns = world->now_ns,
                                        .node = place + 1,
                                        .duration_ns = faults_outage(world),
                                        .draw = faults_crash_draw(world)});
}

static void strike(struct world *world, enum fault_process fault)
{
    switch (fault) {
    case FAULT_POWER:
        strike_power(world);
        break;
    case FAULT_PARTITION:
        faults_strike_partition(world);
        break;
    case FAULT_WEATHER:
        faults_strike_weather(world);
        break;
    case FAULT_LINK:
        faults_strike_link(world);
        break;
    case FAULT_CLOCK:
        faults_strike_clock(world);
        break;
    case FAULT_AMNESIA:
        strike_amnesia(world);
        break;
    case FAULT_CRASH:
    case FAULT_OMISSION:
    case FAULT_PAUSE:
    case FAULT_SLOW:
    case FAULT_BANDWIDTH:
    case FAULT_DISK:
    case FAULT_ROT:
    case FAULT_VALUE:
    case FAULT_TRANSITION:
    case FAULT_BYZANTINE:
        strike_any_node(world, fault);
        break;
    case FAULT_PROCESS_COUNT:
        break;
    }
}

void faults_strike(struct world *world, uint32_t target, void *object)
{
    if (world->healed)
        return;
    if (target == FAULT_HUNTED) {
        if (world->faults.hunted == (uint32_t)(uintptr_t)object)
            faults_strike_hunted(world);
        return;
    }
    enum fault_process fault = (enum fault_process)(target & ~(uint32_t)TRAIN_MARK);
    if ((target & TRAIN_MARK) != 0) {
        strike_train(world, fault);
        return;
    }
    strike(world, fault);
    strike_again(world, fault);
}

void faults_stop(struct world *world)
{
    struct network_manner *manner = &world->network.manner;
    manner->loss_ppm = manner->duplicate_ppm = manner->reorder_ppm = manner->corrupt_ppm = manner->delay_ppm = 0;
    world->faults.hunted = 0;
    world->faults.hunt = HUNT_NOT;
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
    int64_t mean_ns = faults_log(world, lo_ns, hi_ns);
    if (faults_drawn(world, classes))
        world->faults.mean_ns[process] = mean_ns;
}

static void draw_means(struct world *world)
{
    static const int64_t often_ns = 300 * NS_PER_MS, seldom_ns = 10 * NS_PER_S;
    draw_mean(world, FAULT_CRASH, WORLD_CRASH, often_ns, seldom_ns);
    draw_mean(world, FAULT_POWER, WORLD_POWER, 3 * NS_PER_S, 20 * NS_PER_S);
    draw_mean(world, FAULT_OMISSION, WORLD_OMISSION, often_ns, seldom_ns);
    draw_mean(world, FAULT_PAUSE, WORLD_PAUSE, often_ns, seldom_ns);
    draw_mean(world, FAULT_SLOW, WORLD_SLOW, NS_PER_S, seldom_ns);
    draw_mean(world, FAULT_PARTITION, WORLD_PARTITION, often_ns, seldom_ns);
    draw_mean(world, FAULT_WEATHER, WORLD_LOSS | WORLD_DUPLICATE | WORLD_REORDER | WORLD_CORRUPT | WORLD_DELAY,
              500 * NS_PER_MS, 5 * NS_PER_S);
    draw_mean(world, FAULT_LINK, WORLD_DELAY, NS_PER_S, seldom_ns);
    draw_mean(world, FAULT_BANDWIDTH, WORLD_BANDWIDTH, NS_PER_S, seldom_ns);
    draw_mean(world, FAULT_DISK, WORLD_DISK, often_ns, seldom_ns);
    draw_mean(world, FAULT_ROT, WORLD_ROT, NS_PER_S, seldom_ns);
    draw_mean(world, FAULT_CLOCK, WORLD_CLOCK, NS_PER_S, 20 * NS_PER_S);
    draw_mean(world, FAULT_AMNESIA, WORLD_AMNESIA, 3 * NS_PER_S, 30 * NS_PER_S);
    draw_mean(world, FAULT_VALUE, WORLD_VALUE, NS_PER_S, seldom_ns);
    draw_mean(world, FAULT_TRANSITION, WORLD_TRANSITION, NS_PER_S, seldom_ns);
    draw_mean(world, FAULT_BYZANTINE, WORLD_BYZANTINE, NS_PER_S, seldom_ns);
}

static void draw_hunt(struct world *world)
{
    struct faults *faults = &world->faults;
    bool crashes = faults_drawn(world, WORLD_CRASH), partitions = faults_drawn(world, WORLD_PARTITION);
    uint64_t drawn = random_below(&faults->random, 10);
    if (partitions && drawn < 3)
        faults->hunt = HUNT_ROTATE;
    else if (crashes && drawn < 7)
        faults->hunt = partitions ? HUNT_MIXED : HUNT_CRASH;
    else if (partitions && drawn < 6)
        faults->hunt = HUNT_ISOLATE;
    faults->hunt_one_in = faults->hunt == HUNT_ROTATE ? 1 : (uint32_t)(1 + random_below(&faults->random, 3));
}

void faults_init(struct world *world)
{
    struct faults *faults = &world->faults;
    *faults = (struct faults){.hunt = HUNT_NOT};
    if (world->options.plan != NULL)
        return;
    faults->random = world_dice(world->options.seed, KEY_FAULTS, 0, 0);
    draw_classes(world);
    world->result->classes_drawn = faults->classes;
    faults->adversary_draw = random_u64(&faults->random);
    faults->outage_ns_max = faults_log(world, 200 * NS_PER_MS, 8 * NS_PER_S);
    draw_means(world);
    draw_hunt(world);
    for (uint32_t i = 0; i < FAULT_PROCESS_COUNT; i++)
        strike_again(world, (enum fault_process)i);
}
