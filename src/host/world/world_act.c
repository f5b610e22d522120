/* The dispatcher: does what items of a plan say, whoever drew or wrote them, and notes them.
 *
 * world_act_lasting.c keeps faults that last until they end.
 *
 * An item that is done while a member is being stepped (from a tracer's callback) must not pull the ground away from
 * under the node: see world_do(). */
#include "host/world/world_act.h"

#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "host/world/world_attack.h"
#include "host/world/world_state.h"

/* ---- processes ---- */

static bool crash(struct world *world, const struct plan_item *item)
{
    struct process *process = &world->processes[item->node - 1];
    if (world->stepping != process && item->amount == 0) {
        process_crash(process, item->duration_ns, item->draw);
        return true;
    }
    process->doom_turns = item->amount > 0 ? (uint32_t)item->amount : 1;
    process->doom_draw = item->draw;
    process->restart_delay_ns = item->duration_ns;
    return true;
}

static bool forget(struct world *world, const struct plan_item *item)
{
    struct process *process = &world->processes[item->node - 1];
    contract_amnesia(world, process);
    process_crash(process, item->duration_ns, item->draw);
    world_disk_wipe(&process->disk);
    process->amnesiac = true;
    process->forgot = true;
    world->acts.forgot |= UINT64_C(1) << process->place;
    trace_mark(world, process, WORLD_MARK_FAULT, "has lost its disk");
    return true;
}

/* ---- one item ---- */

static bool change_clock(struct world *world, const struct plan_item *item)
{
    struct process *process = &world->processes[item->node - 1];
    bool drifts = item->kind == PLAN_CLOCK_DRIFT;
    trace_mark(world, process, WORLD_MARK_FAULT, drifts ? "the clock drifts by %lld ppm" : "the clock jumps by %lld ms",
               (long long)(drifts ? item->amount / 1000 : item->amount / NS_PER_MS));
    process_clock_change(process, drifts ? item->amount : process->clock.drift_ppb, drifts ? 0 : item->amount);
    process->timer_at_ns = INT64_MAX;
    process_wake(process, world->now_ns);
    return true;
}

static bool hurt_disk(struct world *world, const struct plan_item *item)
{
    struct process *process = &world->processes[item->node - 1];
    struct world_disk *disk = &process->disk;
    uint32_t amount = item->amount > 0 ? (uint32_t)item->amount : 1;
    trace_mark(world, process, WORLD_MARK_FAULT, "%s", plan_kind_name(item->kind));
    switch (item->kind) {
    case PLAN_DISK_LOSE:
        world_disk_lose(disk, amount);
        return true;
    case PLAN_DISK_MISDIRECT:
        world_disk_misdirect(disk, item->draw);
        return true;
    case PLAN_DISK_ROT:
        return world_disk_rot(disk, amount, item->draw) > 0;
    default:
        return world_disk_latent(disk, amount, item->draw) > 0;
    }
}

/* Does an item of this kind name a process that must be up? */
static bool wants_process(enum plan_kind kind)
{
    return kind == PLAN_CRASH || kind == PLAN_AMNESIA || kind == PLAN_PAUSE || kind == PLAN_SLOW ||
           kind == PLAN_VALUE || kind == PLAN_ANSWERS || kind == PLAN_TRANSITION || kind == PLAN_ADVERSARY ||
           kind == PLAN_ATTACK;
}

static bool wants_link(enum plan_kind kind)
{
    return kind == PLAN_CUT_LINK || kind == PLAN_SLOW_LINK || kind == PLAN_EARLY || plan_kind_is_fate(kind);
}

/* Gateways do nothing wrong, and what they forget nobody needs. */
static bool spares_gateways(enum plan_kind kind)
{
    return kind == PLAN_AMNESIA || kind == PLAN_VALUE || kind == PLAN_ANSWERS || kind == PLAN_TRANSITION ||
           kind == PLAN_ADVERSARY || kind == PLAN_ATTACK ||
           (kind >= PLAN_DISK_LIE && kind <= PLAN_DISK_LATENT);
}

/* Does it name what there is? */
static bool sensible(const struct world *world, const struct plan_item *item)
{
    if (item->kind >= PLAN_KIND_COUNT)
        return false;
    if (item->kind == PLAN_REQUEST || item->kind == PLAN_LEAVE)
        return true; /* world_client.c looks */
    if (world->healed || item->duration_ns < 0)
        return false;
    if (item->kind == PLAN_CUT)
        return true;
    if (item->node == 0 || item->node > world->node_count)
        return false;
    if (spares_gateways(item->kind) && item->node > world->member_count)
        return false;
    if (wants_link(item->kind) && (item->other == 0 || item->other > world->node_count))
        return false;
    if (item->kind == PLAN_ATTACK && attack_number(world, item->text) == 0)
        return false;
    return !wants_process(item->kind) || world->processes[item->node - 1].up;
}

/* False: nothing was done. */
static bool do_now(struct world *world, const struct plan_item *item)
{
    switch (item->kind) {
    case PLAN_REQUEST:
        return client_request(world, item);
    case PLAN_LEAVE:
        return client_leave(world, item);
    case PLAN_CRASH:
        return crash(world, item);
    case PLAN_AMNESIA:
        return forget(world, item);
    case PLAN_CLOCK_DRIFT:
    case PLAN_CLOCK_STEP:
        return change_clock(world, item);
    case PLAN_DISK_LOSE:
    case PLAN_DISK_MISDIRECT:
    case PLAN_DISK_ROT:
    case PLAN_DISK_LATENT:
        return hurt_disk(world, item);
    case PLAN_LOSE:
    case PLAN_DUPLICATE:
    case PLAN_REORDER:
    case PLAN_CORRUPT:
    case PLAN_DELAY:
        fates_add(&world->network.fates, item);
        return false; /* noted when it strikes */
    default:
        acts_begin(world, item);
        return true;
    }
}

static void note(struct world *world, const struct plan_item *item)
{
    if (world->options.record == NULL || world->healed)
        return;
    struct plan_item noted = *item;
    noted.at_ns = world->now_ns;
    plan_add(world->options.record, &noted);
}

void acts_note_death(const struct process *process)
{
    note(process->world, &(struct plan_item){.kind = PLAN_CRASH,
                                             .node = process->id,
                                             .duration_ns = process->restart_delay_ns,
                                             .amount = process->turn,
                                             .draw = process->doom_draw});
}

static void act(struct world *world, const struct plan_item *item)
{
    if (!sensible(world, item) || !do_now(world, item))
        return;
    if (item->kind != PLAN_CRASH || !world->processes[item->node - 1].up)
        note(world, item); /* who is doomed is noted at its death */
    if (item->kind == PLAN_REQUEST || item->kind == PLAN_LEAVE)
        return;
    world->acts.struck++;
    world->acts.due = true;
    contract_classes(world, item->kind == PLAN_ATTACK ? attack_classes(world, item->text)
                                                      : contract_class_of(item->kind));
}

/* ---- doors ---- */

static bool safe_while_stepping(const struct world *world, const struct plan_item *item)
{
    if (item->kind == PLAN_CRASH)
        return item->node == world->stepping->id;
    return item->kind >= PLAN_CUT && item->kind <= PLAN_DISK_LATENT;
}

static void do_later(struct world *world, const struct plan_item *item, int64_t at_ns)
{
    struct plan_item *copy = heap_alloc(world->heap, sizeof *copy + item->text.size);
    invariant(copy != NULL, "the world's region has room for what is to be done");
    *copy = *item;
    if (item->text.size > 0) {
        memcpy(copy + 1, item->text.data, item->text.size);
        copy->text = span_of(copy + 1, item->text.size);
    }
    schedule_push_ranked(&world->schedule, RANK_ITEM, at_ns, WORLD_ITEM, 1, copy);
}

void world_do(struct world *world, const struct plan_item *item)
{
    if (item->at_ns > world->now_ns && !plan_kind_is_fate(item->kind))
        do_later(world, item, item->at_ns);
    else if (world->stepping != NULL && !safe_while_stepping(world, item))
        do_later(world, item, world->now_ns);
    else
        act(world, item);
}

void acts_item(struct world *world, const struct plan_item *item, bool to_free)
{
    act(world, item);
    if (to_free)
        heap_free(world->heap, (void *)(uintptr_t)item);
}

static void draw_dead(struct world *world)
{
    struct random random = world_dice(world->options.seed, KEY_DEAD, 0, 0);
    for (uint32_t left = world->options.dead; left > 0 && left <= world->node_count;) {
        uint64_t bit = UINT64_C(1) << random_below(&random, world->node_count);
        left -= (world->acts.dead & bit) == 0;
        world->acts.dead |= bit;
    }
}

void acts_init(struct world *world)
{
    draw_dead(world);
    const struct plan *plan = world->options.plan;
    for (uint32_t i = 0; plan != NULL && i < plan->count; i++) {
        const struct plan_item *item = &plan->items[i];
        if (plan_kind_is_fate(item->kind))
            act(world, item);
        else
            schedule_push_ranked(&world->schedule, RANK_ITEM, item->at_ns, WORLD_ITEM, 0,
                                 (void *)(uintptr_t)item);
    }
}

/* ---- the healed phase ---- */

static void heal_process(struct process *process)
{
    struct world *world = process->world;
    process->doom_turns = 0;
    process_clock_change(process, process->clock.drift_ppb % 50000, 0);
    process->timer_at_ns = INT64_MAX;
    process->paused_until_ns = 0;
    if (process->busy_until_ns > world->now_ns)
        process->busy_until_ns = world->now_ns;
    process->wake_at_ns = INT64_MAX;
    process_wake(process, world->now_ns);
    world_disk_well(&process->disk);
    if (!process->up)
        process_boot_guarded(process);
}

void acts_heal(struct world *world)
{
    trace_mark(world, NULL, WORLD_MARK_HEALED, "everything heals");
    acts_end_all(world);
    network_heal(&world->network);
    network_well(&world->network);
    fates_free(&world->network.fates);
    for (uint32_t i = 0; i < world->node_count; i++) {
        if ((world->acts.dead >> i & 1) == 0)
            heal_process(&world->processes[i]);
        else
            process_crash(&world->processes[i], PLAN_FOREVER, world_key(world->options.seed, KEY_DEAD, i, 1));
    }
    world->acts.due = true;
}
