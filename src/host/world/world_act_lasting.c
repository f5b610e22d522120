/* Faults that last: the list of them, and what it means for their victims.
 *
 * What a fault means for a node is found from the list anew whenever one begins or ends, so that faults may overlap:
 * the strongest counts. Cuts are counted link by link. */
#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "host/world/world_adversary.h"
#include "host/world/world_attack.h"
#include "host/world/world_member_faults.h"
#include "host/world/world_state.h"

/* ---- the list ---- */

static void add(struct world *world, const struct plan_item *item)
{
    struct acts *acts = &world->acts;
    if (acts->count == acts->capacity) {
        acts->capacity = acts->capacity > 0 ? 2 * acts->capacity : 32;
        acts->list = heap_resize(world->heap, acts->list, acts->capacity * sizeof *acts->list);
        invariant(acts->list != NULL, "the world's region has room for its faults");
    }
    struct act *act = &acts->list[acts->count++];
    *act = (struct act){.item = *item, .number = ++acts->number, .end_ns = PLAN_FOREVER};
    if (item->kind == PLAN_ATTACK)
        act->item.amount = attack_number(world, item->text);
    act->item.text = (struct span){0};
    act->item.at_ns = world->now_ns;
    act->noted = world->options.record != NULL ? world->options.record->count : 0;
    if (item->duration_ns >= PLAN_FOREVER - world->now_ns)
        return;
    act->end_ns = world->now_ns + (item->duration_ns > 0 ? item->duration_ns : 0);
    schedule_push_ranked(&world->schedule, RANK_END, act->end_ns, WORLD_END, 0, (void *)(uintptr_t)act->number);
}

static bool concerns(const struct act *act, const struct plan_item *item)
{
    return act->item.kind == item->kind && act->item.node == item->node && act->item.other == item->other;
}

/* The highest amount among those that last of this kind and victim; 0: there are none. */
static int64_t strongest(const struct world *world, const struct plan_item *item)
{
    int64_t amount = 0;
    for (uint32_t i = 0; i < world->acts.count; i++)
        if (concerns(&world->acts.list[i], item) && world->acts.list[i].item.amount > amount)
            amount = world->acts.list[i].item.amount;
    return amount;
}

static int64_t weakest(const struct world *world, const struct plan_item *item)
{
    int64_t amount = 0;
    for (uint32_t i = 0; i < world->acts.count; i++)
        if (concerns(&world->acts.list[i], item) && (amount == 0 || world->acts.list[i].item.amount < amount))
            amount = world->acts.list[i].item.amount;
    return amount;
}

/* The youngest of this kind and victim; NULL: there is none. */
static const struct plan_item *youngest(const struct world *world, const struct plan_item *item)
{
    for (uint32_t i = world->acts.count; i > 0; i--)
        if (concerns(&world->acts.list[i - 1], item))
            return &world->acts.list[i - 1].item;
    return NULL;
}

/* When the last of them ends; 0: there are none. */
static int64_t last_end(const struct world *world, const struct plan_item *item)
{
    int64_t end_ns = 0;
    for (uint32_t i = 0; i < world->acts.count; i++)
        if (concerns(&world->acts.list[i], item) && world->acts.list[i].end_ns > end_ns)
            end_ns = world->acts.list[i].end_ns;
    int64_t bound_ns = world->heal_at_ns < world->end_ns ? world->heal_at_ns : world->end_ns;
    return end_ns < bound_ns ? end_ns : bound_ns;
}

/* ---- victims ---- */

static void pause(struct process *process, int64_t until_ns)
{
    struct world *world = process->world;
    process->paused_until_ns = until_ns;
    if (!process->up)
        return;
    if (until_ns <= world->now_ns) {
        trace_mark(world, process, WORLD_MARK_RUNS, "runs again");
        return;
    }
    trace_mark(world, process, WORLD_MARK_PAUSED, "pauses for %lld ms",
               (long long)((until_ns - world->now_ns) / NS_PER_MS));
    process->wake_at_ns = INT64_MAX;
    process_wake(process, until_ns);
}

/* Cuts the links that the item names, or takes that back. */
static void cut(struct world *world, const struct plan_item *item, bool cuts)
{
    if (item->kind == PLAN_CUT_LINK) {
        network_cut(&world->network, item->node - 1, item->other - 1, cuts);
        return;
    }
    for (uint32_t a = 0; a < world->node_count; a++)
        for (uint32_t b = 0; b < world->node_count; b++) {
            if ((item->set >> a & 1) == 0 || (item->set >> b & 1) != 0)
                continue;
            if ((item->amount & 1) != 0)
                network_cut(&world->network, a, b, cuts);
            if ((item->amount & 2) != 0)
                network_cut(&world->network, b, a, cuts);
        }
}

static void tell_cut(struct world *world, const struct plan_item *item, bool cuts)
{
    enum world_mark mark = cuts ? WORLD_MARK_CUT : WORLD_MARK_HEALED;
    const char *does = cuts ? "cut" : "whole again";
    if (world->options.tracer.mark == NULL)
        return;
    if (item->kind == PLAN_CUT_LINK) {
        trace_mark(world, NULL, mark, "%s: n%u -> n%u", does, item->node, item->other);
        return;
    }
    char names[5 * WORLD_NODES_MAX] = "";
    size_t length = 0;
    for (uint32_t i = 0; i < world->node_count; i++)
        if ((item->set >> i & 1) != 0)
            length += (size_t)snprintf(names + length, sizeof names - length, " n%u", i + 1);
    trace_mark(world, NULL, mark, "%s:%s %s%s the others", does, names, (item->amount & 2) != 0 ? "<-" : "",
               (item->amount & 1) != 0 ? "->" : "");
}

static void apply_process(struct world *world, const struct plan_item *item)
{
    struct process *process = &world->processes[item->node - 1];
    const struct plan_item *last = youngest(world, item);
    uint64_t draw = last != NULL ? last->draw : 0;
    int64_t amount = strongest(world, item);
    switch (item->kind) {
    case PLAN_PAUSE:
        pause(process, last != NULL ? last_end(world, item) : 0);
        break;
    case PLAN_SLOW:
        process->slow_factor = amount > 1 ? (uint32_t)amount : 1;
        break;
    case PLAN_VALUE:
        member_fault_value(process, (uint32_t)amount, draw);
        break;
    case PLAN_ANSWERS:
        member_fault_answers(process, (uint32_t)amount, draw);
        break;
    case PLAN_TRANSITION:
        member_fault_transition(process, (uint32_t)amount, draw);
        break;
    case PLAN_ADVERSARY:
        if (last != NULL)
            adversary_begin(process, (uint32_t)last->amount, draw);
        else
            adversary_end(process);
        break;
    case PLAN_ATTACK:
        if (last != NULL)
            attack_begin(process, (uint32_t)last->amount, draw);
        else
            attack_end(process);
        break;
    case PLAN_OMIT_SEND:
        network_omit_send(&world->network, process->place, (uint32_t)amount, draw);
        break;
    case PLAN_OMIT_RECEIVE:
        network_omit_receive(&world->network, process->place, (uint32_t)amount, draw);
        break;
    case PLAN_BANDWIDTH:
        network_bandwidth(&world->network, process->place, weakest(world, item));
        break;
    case PLAN_DISK_STALL:
        process->disk.manner.stalled_until_ns = last != NULL ? last_end(world, item) : world->now_ns;
        break;
    case PLAN_DISK_SLOW:
        process->disk.manner.slow_factor = amount > 1 ? (uint32_t)amount : 1;
        break;
    case PLAN_DISK_FULL:
        process->disk.manner.full = last != NULL;
        break;
    case PLAN_DISK_LIE:
        world_disk_lie(&process->disk, last != NULL);
        break;
    case PLAN_CLOCK_FREEZE:
        process_clock_freeze(process, last != NULL);
        break;
    default: /* of links, or over at once */
        break;
    }
}

/* The item begins or ends, and is in the list or no more. */
static void apply(struct world *world, const struct plan_item *item, bool begins)
{
    if (item->kind == PLAN_CUT || item->kind == PLAN_CUT_LINK) {
        cut(world, item, begins);
        tell_cut(world, item, begins);
    } else if (item->kind == PLAN_SLOW_LINK) {
        network_slow_link(&world->network, item->node - 1, item->other - 1, begins ? item->amount : -item->amount);
    } else if (item->kind == PLAN_EARLY) {
        network_early(&world->network, item->node - 1, item->other - 1, youngest(world, item) != NULL);
    } else {
        apply_process(world, item);
    }
    if (item->kind == PLAN_CUT || item->kind == PLAN_CUT_LINK || item->kind == PLAN_PAUSE || item->kind == PLAN_ATTACK)
        return; /* these have marks of their own */
    const struct process *process = item->node > 0 ? &world->processes[item->node - 1] : NULL;
    trace_mark(world, process, begins ? WORLD_MARK_FAULT : WORLD_MARK_FAULT_END, "%s%s", plan_kind_name(item->kind),
               begins ? "" : " is over");
}

/* ---- beginnings and ends ---- */

void acts_begin(struct world *world, const struct plan_item *item)
{
    add(world, item);
    apply(world, item, true);
}

static void end_at(struct world *world, uint32_t place)
{
    struct acts *acts = &world->acts;
    struct plan_item item = acts->list[place].item;
    acts->count--;
    memmove(acts->list + place, acts->list + place + 1, (acts->count - place) * sizeof *acts->list);
    apply(world, &item, false);
}

void acts_end(struct world *world, uint64_t number)
{
    for (uint32_t i = 0; i < world->acts.count; i++)
        if (world->acts.list[i].number == number) {
            end_at(world, i);
            return;
        }
}

void acts_end_cuts(struct world *world)
{
    struct acts *acts = &world->acts;
    for (uint32_t i = acts->count; i > 0; i--) {
        struct act *act = &acts->list[i - 1];
        if (act->item.kind != PLAN_CUT && act->item.kind != PLAN_CUT_LINK)
            continue;
        if (world->options.record != NULL)
            world->options.record->items[act->noted].duration_ns = world->now_ns - act->item.at_ns;
        end_at(world, i - 1);
    }
}

void acts_died(struct process *process)
{
    struct acts *acts = &process->world->acts;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < acts->count; i++)
        if (acts->list[i].item.kind != PLAN_PAUSE || acts->list[i].item.node != process->id)
            acts->list[kept++] = acts->list[i];
    acts->count = kept;
}

void acts_end_all(struct world *world)
{
    while (world->acts.count > 0)
        end_at(world, world->acts.count - 1);
}
