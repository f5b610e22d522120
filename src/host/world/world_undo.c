/* Taking back what lasts, for scripts: a fault ends because something was seen, not because its time is over. */
#include "host/world/world_act.h"
#include "host/world/world_state.h"

/* What was noted of the item lasted until now. */
static void correct_note(struct world *world, const struct act *act)
{
    struct plan *record = world->options.record;
    if (record != NULL && act->noted < record->count)
        record->items[act->noted].duration_ns = world->now_ns - act->item.at_ns;
}

/* Does it strike that node: as the victim, as an end of a link, or as one of a set? */
static bool strikes(const struct plan_item *item, uint32_t node)
{
    if (node == 0 || item->node == node)
        return true;
    return item->kind == PLAN_CUT && (item->set >> (node - 1) & 1) != 0;
}

static void restart(struct world *world, uint32_t place)
{
    struct process *process = &world->processes[place];
    if (process->up)
        return;
    process->boot_pending = true;
    schedule_push(&world->schedule, world->now_ns, WORLD_BOOT, place, NULL);
}

void world_undo(struct world *world, enum plan_kind kind, uint32_t node)
{
    if (kind == PLAN_CRASH || kind == PLAN_AMNESIA) {
        for (uint32_t place = 0; place < world->node_count; place++)
            if (node == 0 || place + 1 == node)
                restart(world, place);
        return;
    }
    for (uint32_t i = world->acts.count; i > 0; i--) {
        const struct act *act = &world->acts.list[i - 1];
        if (act->item.kind != kind || !strikes(&act->item, node))
            continue;
        correct_note(world, act);
        acts_end(world, act->number);
    }
}

void world_stop(struct world *world)
{
    world->stopped = true;
}
