/* Who is faulty at this instant, and whether that is inside what the protocol's card claims.
 *
 * A member is faulty while it is down, about to die in its next turn, paused, or slow; while it is cut off from a
 * majority; while it has forgotten and does not count yet; while it is under a fault of its own; and from the moment
 * its disk was hurt until the disk is replaced. Fates of single messages, and cuts that leave it a majority, are the
 * network's. Drift and jumps of clocks are not counted: no protocol here trusts them, and they never end.
 *
 * A failure of the power takes all members that were still up: one event, which counts as no member's fault while they
 * come up again, where the card says that what is acknowledged is durable. */
#include <stdarg.h>
#include <string.h>

#include "base/panic.h"
#include "host/world/world_state.h"

static uint64_t bit(uint32_t place)
{
    return UINT64_C(1) << place;
}

uint32_t world_k_of(const struct protocol *protocol, uint32_t node_count)
{
    switch (protocol->members_for_k) {
    case MEMBERS_ANY:
        break;
    case MEMBERS_K_PLUS_1:
        return node_count - 1;
    case MEMBERS_2K_PLUS_1:
        return (node_count - 1) / 2;
    case MEMBERS_3K_PLUS_1:
        return (node_count - 1) / 3;
    }
    return node_count;
}

/* Of a group that masks crashes, as many members may answer wrongly as votes are compared for. */
static uint32_t masked(const struct world *world)
{
    const struct world_options *options = &world->options;
    uint32_t k = world_k_of(options->protocol, world->member_count);
    bool votes = options->gateways > 0 && options->vote > 0;
    return votes && (options->vote - 1) / 2 < k ? (options->vote - 1) / 2 : k;
}

uint32_t contract_k(const struct world *world)
{
    const struct world_options *options = &world->options;
    return options->k != 0 ? options->k : masked(world);
}

/* ---- who is faulty ---- */

/* Those that reach, in both directions, no majority with themselves. */
static uint64_t isolated(const struct world *world, const uint64_t *cut)
{
    uint64_t set = 0;
    for (uint32_t place = 0; place < world->member_count; place++) {
        uint32_t reached = 1;
        for (uint32_t other = 0; other < world->member_count; other++)
            reached += other != place && (cut[place] >> other & 1) == 0 && (cut[other] >> place & 1) == 0;
        if (2 * reached <= world->member_count)
            set |= bit(place);
    }
    return set;
}

static uint64_t members(const struct world *world)
{
    return world->member_count == 64 ? UINT64_MAX : bit(world->member_count) - 1;
}

static bool process_faulty(const struct world *world, const struct process *process)
{
    struct member_status status;
    if (process->life == 0)
        return false; /* not started yet */
    if (!process->up)
        return (world->acts.powerless & bit(process->place)) == 0;
    if (process->doom_turns > 0 || process->paused_until_ns > world->now_ns || process->turned ||
        process->disk.medium.ill)
        return true;
    if ((world->acts.forgot & bit(process->place)) == 0)
        return false;
    return !process->begun || (process_status(process, &status) && !status.voter); /* before START it knows of nothing */
}

/* Kinds that last and are of one member. */
static bool of_member(enum plan_kind kind)
{
    return kind != PLAN_CUT && kind != PLAN_CUT_LINK && kind != PLAN_SLOW_LINK && kind != PLAN_EARLY &&
           kind != PLAN_ATTACK; /* who follows one that makes it lie is turned */
}

static uint64_t faulty(const struct world *world, const uint64_t *cut)
{
    uint64_t set = isolated(world, cut);
    for (uint32_t i = 0; i < world->member_count; i++)
        if (process_faulty(world, &world->processes[i]))
            set |= bit(i);
    for (uint32_t i = 0; i < world->acts.count; i++)
        if (of_member(world->acts.list[i].item.kind))
            set |= bit(world->acts.list[i].item.node - 1);
    return set & members(world); /* gateways are no members, and no bound counts them */
}

uint64_t world_faulty(const struct world *world)
{
    return faulty(world, world->network.cut);
}

uint64_t contract_faulty_if_cut(const struct world *world, uint64_t side, bool there, bool back)
{
    uint64_t cut[WORLD_NODES_MAX];
    memcpy(cut, world->network.cut, sizeof cut);
    for (uint32_t place = 0; place < world->member_count; place++) {
        if ((side >> place & 1) != 0)
            cut[place] |= there ? ~side : 0;
        else
            cut[place] |= back ? side : 0;
    }
    return faulty(world, cut);
}

uint64_t contract_faulty_if_link_cut(const struct world *world, uint32_t from, uint32_t to)
{
    uint64_t cut[WORLD_NODES_MAX];
    memcpy(cut, world->network.cut, sizeof cut);
    cut[from] |= bit(to);
    return faulty(world, cut);
}

/* ---- the contract ---- */

static void outside(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void outside(struct world *world, const char *format, ...)
{
    struct world_result *result = world->result;
    if (result->outside_contract)
        return;
    result->outside_contract = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->outside, sizeof result->outside, format, arguments);
    va_end(arguments);
    trace_line(world, NULL, "outside the contract: %s", result->outside);
}

uint32_t world_faults_claimed(const struct protocol *protocol)
{
    uint32_t claimed = WORLD_PARTITION | WORLD_LOSS | WORLD_DUPLICATE | WORLD_REORDER | WORLD_CORRUPT;
    if (protocol->masks >= MASKS_CRASH)
        claimed |= WORLD_CRASH | WORLD_DISK | (protocol->durable ? WORLD_POWER | WORLD_AMNESIA : 0);
    if (protocol->masks >= MASKS_OMISSION)
        claimed |= WORLD_OMISSION;
    if (protocol->masks >= MASKS_TIMING)
        claimed |= WORLD_TIMING_FAULTS | WORLD_BANDWIDTH;
    if (protocol->masks >= MASKS_VALUE)
        claimed |= WORLD_VALUE | WORLD_TRANSITION;
    if (protocol->masks >= MASKS_ARBITRARY)
        claimed |= WORLD_BYZANTINE | WORLD_ROT;
    return claimed;
}

void contract_classes(struct world *world, uint32_t classes)
{
    const struct world_options *options = &world->options;
    uint32_t claims = options->claims != 0 ? options->claims : world_faults_claimed(options->protocol);
    if (options->gateways > 0 && options->vote > 0)
        claims |= WORLD_VALUE; /* of which there are wrong answers alone: see world_faults_strike.c */
    world->result->classes_drawn |= classes;
    for (unsigned i = 0; i < WORLD_FAULT_COUNT; i++)
        if ((classes & ~claims & 1u << i) != 0)
            outside(world, "%s is not among the faults that %s claims to mask",
                    world_fault_name((enum world_fault_bit)i), options->protocol->name);
}

uint32_t contract_class_of(enum plan_kind kind)
{
    static const uint32_t classes[PLAN_KIND_COUNT] = {
        [PLAN_CRASH] = WORLD_CRASH,
        [PLAN_AMNESIA] = WORLD_AMNESIA,
        [PLAN_PAUSE] = WORLD_PAUSE,
        [PLAN_SLOW] = WORLD_SLOW,
        [PLAN_VALUE] = WORLD_VALUE,
        [PLAN_ANSWERS] = WORLD_VALUE,
        [PLAN_TRANSITION] = WORLD_TRANSITION,
        [PLAN_ADVERSARY] = WORLD_BYZANTINE,
        [PLAN_CUT] = WORLD_PARTITION,
        [PLAN_CUT_LINK] = WORLD_PARTITION,
        [PLAN_OMIT_SEND] = WORLD_OMISSION,
        [PLAN_OMIT_RECEIVE] = WORLD_OMISSION,
        [PLAN_SLOW_LINK] = WORLD_DELAY,
        [PLAN_BANDWIDTH] = WORLD_BANDWIDTH,
        [PLAN_LOSE] = WORLD_LOSS,
        [PLAN_DUPLICATE] = WORLD_DUPLICATE,
        [PLAN_REORDER] = WORLD_REORDER,
        [PLAN_CORRUPT] = WORLD_CORRUPT,
        [PLAN_DELAY] = WORLD_DELAY,
        [PLAN_EARLY] = WORLD_DELAY,
        [PLAN_DISK_STALL] = WORLD_DISK,
        [PLAN_DISK_SLOW] = WORLD_DISK,
        [PLAN_DISK_FULL] = WORLD_DISK,
        [PLAN_DISK_LIE] = WORLD_ROT,
        [PLAN_DISK_LOSE] = WORLD_ROT,
        [PLAN_DISK_MISDIRECT] = WORLD_ROT,
        [PLAN_DISK_ROT] = WORLD_ROT,
        [PLAN_DISK_LATENT] = WORLD_ROT,
        [PLAN_CLOCK_DRIFT] = WORLD_CLOCK,
        [PLAN_CLOCK_STEP] = WORLD_CLOCK,
        [PLAN_CLOCK_FREEZE] = WORLD_CLOCK,
    };
    return (unsigned)kind < PLAN_KIND_COUNT ? classes[kind] : 0;
}

/* Once all are down, those that went at this instant count for nobody's fault. */
static void look_for_power_failure(struct world *world)
{
    uint64_t gone = 0;
    for (uint32_t i = 0; i < world->member_count; i++) {
        const struct process *process = &world->processes[i];
        if (process->up || process->life == 0)
            return;
        if (process->died_at_ns == world->now_ns)
            gone |= bit(i);
    }
    contract_classes(world, WORLD_POWER);
    if (world->options.protocol->durable)
        world->acts.powerless |= gone;
}

void contract_judge(struct world *world)
{
    world->acts.due = false;
    look_for_power_failure(world);
    uint64_t set = world_faulty(world);
    uint32_t count = (uint32_t)__builtin_popcountll(set), k = masked(world);
    if (count > world->result->faulty_most)
        world->result->faulty_most = count;
    if (count > k)
        outside(world, "%u of %u members were faulty at once, and %s masks %u", count, world->member_count,
                world->options.protocol->name, k);
}

void contract_amnesia(struct world *world, const struct process *process)
{
    if (world->member_count < 3)
        outside(world, "a member lost its disk and those that remember are no majority");
    for (uint32_t i = 0; i < world->member_count; i++) {
        struct member_status status;
        if (i != process->place && (!process_status(&world->processes[i], &status) || !status.voter))
            outside(world, "node %u lost its disk while node %u did not count", process->id, i + 1);
    }
}
