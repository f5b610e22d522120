/* What one strike of each class is: which item of a plan, for whom and how strong. */
#include "base/time.h"
#include "host/world/world_adversary.h"
#include "host/world/world_attack.h"
#include "host/world/world_state.h"

static uint64_t below(struct world *world, uint64_t n)
{
    return random_below(&world->faults.random, n);
}

static bool chance(struct world *world, uint64_t one_in)
{
    return random_chance(&world->faults.random, 1, one_in);
}

/* ---- one node ---- */

static bool attack_fits(const struct world *world, const struct world_attack *attack, bool byzantine)
{
    return ((attack->classes & WORLD_BYZANTINE) != 0) == byzantine &&
           (attack->classes & ~world->faults.classes) == 0;
}

static void fill_crash(struct world *world, struct plan_item *item)
{
    item->kind = PLAN_CRASH;
    item->amount = chance(world, 3) ? 0 : 1; /* mostly in its next turn */
    item->draw = faults_crash_draw(world);
}

static void fill_disk(struct world *world, struct plan_item *item)
{
    uint64_t drawn = below(world, 10);
    item->kind = drawn < 4 ? PLAN_DISK_STALL : drawn < 8 ? PLAN_DISK_SLOW : PLAN_DISK_FULL;
    if (item->kind == PLAN_DISK_SLOW)
        item->amount = faults_log(world, 2, 64);
}

static void fill_rot(struct world *world, struct plan_item *item)
{
    static const enum plan_kind kinds[] = {PLAN_DISK_ROT, PLAN_DISK_LATENT, PLAN_DISK_MISDIRECT, PLAN_DISK_LIE,
                                           PLAN_DISK_LOSE};
    item->kind = kinds[below(world, sizeof kinds / sizeof kinds[0])];
    item->amount = faults_log(world, 1, 16);
    item->draw = random_u64(&world->faults.random);
}

/* An attack that is made of classes that this run has drawn; byzantine or not, as the fault is. It lasts for longer
 * than other faults, since it waits until somebody's patience is over, maybe twice. False: there is none. */
static bool fill_attack(struct world *world, bool byzantine, struct plan_item *item)
{
    const struct world_attacks *attacks = world->options.attacks;
    uint64_t count = 0;
    for (uint32_t i = 0; attacks != NULL && i < attacks->count; i++)
        count += attack_fits(world, attacks->list[i], byzantine);
    if (count == 0 || chance(world, 3))
        return false;
    uint64_t chosen = below(world, count);
    for (uint32_t i = 0; i < attacks->count; i++)
        if (attack_fits(world, attacks->list[i], byzantine) && chosen-- == 0)
            item->text = span_string(attacks->list[i]->name);
    item->kind = PLAN_ATTACK;
    uint64_t own = random_u64(&world->faults.random);
    item->draw = chance(world, 2) ? own : world->faults.adversary_draw;
    int64_t patience_ns = world->tuning.election_timeout_ns;
    if (item->duration_ns != PLAN_FOREVER)
        item->duration_ns = faults_log(world, 4 * patience_ns, 32 * patience_ns);
    return true;
}

static void fill_adversary(struct world *world, struct plan_item *item)
{
    if (fill_attack(world, true, item))
        return;
    item->kind = PLAN_ADVERSARY;
    item->amount = 1 + (int64_t)below(world, DEED_ALL);
    uint64_t own = random_u64(&world->faults.random);
    item->draw = chance(world, 2) ? own : world->faults.adversary_draw;
}

/* What gateways compare is answers: a vote masks wrong ones, and not wrong numbers among the members. */
static bool votes(const struct world *world)
{
    return world->options.gateways > 0 && world->options.vote > 0;
}

static void fill(struct world *world, enum fault_process fault, struct plan_item *item)
{
    switch (fault) {
    case FAULT_CRASH:
        fill_crash(world, item);
        break;
    case FAULT_OMISSION:
        item->kind = chance(world, 2) ? PLAN_OMIT_SEND : PLAN_OMIT_RECEIVE;
        item->amount = faults_log(world, 20, 1000);
        item->draw = random_u64(&world->faults.random);
        break;
    case FAULT_PAUSE:
        item->kind = PLAN_PAUSE;
        break;
    case FAULT_SLOW:
        item->kind = PLAN_SLOW;
        item->amount = faults_log(world, 2, 256);
        break;
    case FAULT_BANDWIDTH:
        item->kind = PLAN_BANDWIDTH;
        item->amount = faults_log(world, 2000, 2000000);
        break;
    case FAULT_DISK:
        fill_disk(world, item);
        break;
    case FAULT_ROT:
        fill_rot(world, item);
        break;
    case FAULT_VALUE:
    case FAULT_TRANSITION:
        item->kind = fault == FAULT_TRANSITION ? PLAN_TRANSITION : votes(world) ? PLAN_ANSWERS : PLAN_VALUE;
        item->amount = faults_log(world, 1, 200);
        item->draw = random_u64(&world->faults.random);
        if (item->kind == PLAN_ANSWERS && chance(world, 2))
            item->draw = world->faults.adversary_draw;
        break;
    default:
        fill_adversary(world, item);
        break;
    }
}

bool faults_strike_node(struct world *world, enum fault_process fault, uint32_t place, int64_t duration_ns)
{
    if (!world->processes[place].up || !faults_may_strike(world, place))
        return false;
    struct plan_item item = {.at_ns = world->now_ns, .node = place + 1, .duration_ns = duration_ns};
    fill(world, fault, &item);
    world_do(world, &item);
    return true;
}

/* A traitor strikes best where the order is made; and once one is turned, no other may be. */
uint32_t faults_traitor(struct world *world, uint32_t otherwise)
{
    if (world->options.attacks == NULL)
        return otherwise;
    for (uint32_t i = 0; i < world->member_count; i++)
        if (world->processes[i].turned && !chance(world, 4))
            return i;
    return chance(world, 3) ? otherwise : faults_orderer(world);
}

/* Instead of any instant, one that an attack chooses. False: there is none in this run. */
bool faults_strike_power_planned(struct world *world)
{
    struct plan_item item = {.at_ns = world->now_ns};
    if (world->options.attacks == NULL || !fill_attack(world, false, &item))
        return false;
    item.node = 1 + (uint32_t)below(world, world->member_count);
    world_do(world, &item);
    return true;
}

/* ---- partitions ---- */

static bool allowed(const struct world *world, uint64_t faulty)
{
    return (uint32_t)__builtin_popcountll(faulty) <= contract_k(world);
}

static void cut_set(struct world *world, uint64_t set, bool there, bool back)
{
    if (allowed(world, contract_faulty_if_cut(world, set, there, back)))
        world_do(world, &(struct plan_item){.kind = PLAN_CUT,
                                            .at_ns = world->now_ns,
                                            .set = set,
                                            .amount = (there ? 1 : 0) | (back ? 2 : 0),
                                            .duration_ns = faults_outage(world)});
}

static void cut_link(struct world *world)
{
    uint32_t from = (uint32_t)below(world, world->node_count), to = (uint32_t)below(world, world->node_count);
    if (from != to && allowed(world, contract_faulty_if_link_cut(world, from, to)))
        world_do(world, &(struct plan_item){.kind = PLAN_CUT_LINK,
                                            .at_ns = world->now_ns,
                                            .node = from + 1,
                                            .other = to + 1,
                                            .duration_ns = faults_outage(world)});
}

/* Some of the nodes, not none and not all. */
static uint64_t any_set(struct world *world)
{
    uint64_t all = world->node_count == 64 ? UINT64_MAX : (UINT64_C(1) << world->node_count) - 1;
    uint64_t set = random_u64(&world->faults.random) & all;
    return set == 0 || set == all ? 1 : set;
}

static uint64_t any_node(struct world *world)
{
    return UINT64_C(1) << below(world, world->node_count);
}

static uint64_t any_victim(struct world *world)
{
    return chance(world, 3) ? UINT64_C(1) << faults_orderer(world) : any_node(world);
}

void faults_strike_partition(struct world *world)
{
    if (!chance(world, 3))
        acts_end_cuts(world); /* one partition follows another */
    uint64_t drawn = below(world, 10);
    if (drawn < 4)
        cut_set(world, any_set(world), true, true);
    else if (drawn < 6)
        cut_set(world, UINT64_C(1) << faults_orderer(world), true, true);
    else if (drawn < 7)
        cut_set(world, any_node(world), true, true);
    else if (drawn < 9)
        cut_set(world, any_victim(world), drawn == 7, drawn == 8);
    else
        for (uint64_t i = below(world, 2 * (uint64_t)world->node_count); i > 0; i--)
            cut_link(world);
}

/* ---- weather, links, clocks ---- */

static uint32_t draw_rate(struct world *world, uint32_t fault, int64_t ppm_max)
{
    if (!faults_drawn(world, fault) || chance(world, 2))
        return 0;
    return (uint32_t)faults_log(world, 500, ppm_max);
}

void faults_strike_weather(struct world *world)
{
    struct network_manner *manner = &world->network.manner;
    manner->loss_ppm = draw_rate(world, WORLD_LOSS, 200000);
    manner->duplicate_ppm = draw_rate(world, WORLD_DUPLICATE, 100000);
    manner->reorder_ppm = draw_rate(world, WORLD_REORDER, 200000);
    manner->corrupt_ppm = draw_rate(world, WORLD_CORRUPT, 20000);
    manner->delay_ppm = draw_rate(world, WORLD_DELAY, 50000);
    manner->delay_ns_max = faults_log(world, NS_PER_MS, 2 * NS_PER_S);
}

void faults_strike_link(struct world *world)
{
    struct plan_item item = {.kind = PLAN_SLOW_LINK, .at_ns = world->now_ns, .duration_ns = faults_outage(world)};
    item.node = 1 + (uint32_t)below(world, world->node_count);
    item.other = 1 + (uint32_t)below(world, world->node_count);
    if (chance(world, 4))
        item.kind = PLAN_EARLY;
    else
        item.amount = (int64_t)below(world, 100) * NS_PER_MS;
    world_do(world, &item);
}

void faults_strike_clock(struct world *world)
{
    struct random *random = &world->faults.random;
    struct plan_item item = {.at_ns = world->now_ns, .node = 1 + (uint32_t)below(world, world->node_count)};
    if (chance(world, 6) && faults_may_strike(world, item.node - 1)) {
        item.kind = PLAN_CLOCK_FREEZE;
        item.duration_ns = faults_outage(world);
        world_do(world, &item);
        return;
    }
    item.kind = PLAN_CLOCK_DRIFT;
    item.amount = random_between(random, -20000000, 20000000);
    world_do(world, &item);
    if (chance(world, 2))
        return;
    item.kind = PLAN_CLOCK_STEP;
    item.amount = (chance(world, 2) ? 1 : -1) * faults_log(world, NS_PER_MS, 3600 * NS_PER_S);
    world_do(world, &item);
}
